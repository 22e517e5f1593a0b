//! What one agent has to measure, from its part of the inventory. `[P]`
//!
//! Every problem is found before anything is asked: a secret that cannot be read names the devices that need it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::access::{Access, AccessError};
use super::device::Manner;
use super::radio;
use super::recall::Memories;
use crate::config::secret::SecretSource;
use crate::model::network::Credential;
use crate::model::part::{AgentPart, PartDevice};
use crate::model::{BackhaulId, CredentialId, DeviceId, ServiceId, SiteId};

/// Everything that one agent measures.
#[derive(Debug)]
pub struct ProbePlan {
    pub agent: SiteId,
    /// From one poll of a device to the next.
    pub interval: Duration,
    pub devices: Vec<DevicePlan>,
    pub pings: Vec<PingPlan>,
    pub services: Vec<ServicePlan>,
    /// Samples that found no room in the queue. Clone it before the plan runs.
    pub dropped: Dropped,
    /// What is remembered of the devices. Clone it before the plan runs.
    pub memories: Memories,
}

/// A count of samples dropped, shared with whoever reports it.
#[derive(Debug, Clone, Default)]
pub struct Dropped(Arc<AtomicU64>);

impl Dropped {
    pub fn add(&self, samples: u64) {
        self.0.fetch_add(samples, Ordering::Relaxed);
    }

    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A device polled over SNMP.
#[derive(Debug, Clone, PartialEq)]
pub struct DevicePlan {
    pub device: DeviceId,
    pub site: SiteId,
    pub address: SocketAddr,
    pub access: Access,
    pub manner: Manner,
}

/// Addresses pinged for one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PingPlan {
    Device { site: SiteId, device: DeviceId, address: IpAddr },
    Backhaul { site: SiteId, backhaul: BackhaulId, gateway: Option<IpAddr>, outside: Vec<IpAddr> },
}

/// A service tried from the agent's own site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlan {
    pub service: ServiceId,
    pub site: SiteId,
    pub url: String,
}

/// Why a device cannot be polled.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("credential \"{credential}\", needed by {}, cannot be used", names(devices))]
    Access {
        credential: CredentialId,
        devices: Vec<DeviceId>,
        #[source]
        source: AccessError,
    },
    #[error("device \"{device}\": there is no credential \"{credential}\"")]
    UnknownCredential { device: DeviceId, credential: CredentialId },
    #[error("device \"{device}\": there is no profile \"{profile}\" (known: {})", profiles())]
    UnknownProfile { device: DeviceId, profile: String },
}

fn names(devices: &[DeviceId]) -> String {
    devices.iter().map(DeviceId::as_str).collect::<Vec<_>>().join(", ")
}

/// The names of all families, for messages.
pub fn profiles() -> String {
    radio::NAMES.join(", ")
}

/// What an agent measures of its part of the inventory. `overrides`: the agent's own credentials, which come before those
/// of the inventory. All problems at once.
pub fn plan(
    part: &AgentPart,
    interval: Duration,
    overrides: &BTreeMap<CredentialId, Credential>,
    secrets: &dyn SecretSource,
) -> Result<ProbePlan, Vec<PlanError>> {
    let mut problems = Vec::new();
    let access = resolve(part, overrides, secrets, &mut problems);
    let devices: Vec<_> =
        part.devices.iter().filter_map(|(id, device)| device_plan(id, device, &access, &mut problems)).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(ProbePlan {
        agent: part.agent.clone(),
        interval,
        devices,
        pings: pings(part),
        services: services(part),
        dropped: Dropped::default(),
        memories: Memories::default(),
    })
}

/// Each credential that is needed, resolved once: SNMPv3 keys take a while to derive, and its devices share them.
fn resolve(
    part: &AgentPart,
    overrides: &BTreeMap<CredentialId, Credential>,
    secrets: &dyn SecretSource,
    problems: &mut Vec<PlanError>,
) -> BTreeMap<CredentialId, Access> {
    let mut users: BTreeMap<&CredentialId, Vec<&DeviceId>> = BTreeMap::new();
    for (id, device) in &part.devices {
        if let Some(credential) = &device.credential {
            users.entry(credential).or_default().push(id);
        }
    }
    let mut resolved = BTreeMap::new();
    for (id, users) in users {
        let Some(credential) = overrides.get(id.as_str()).or_else(|| part.credentials.get(id.as_str())) else {
            problems.extend(
                users
                    .iter()
                    .map(|device| PlanError::UnknownCredential { device: (*device).clone(), credential: id.clone() }),
            );
            continue;
        };
        match Access::resolve(&credential.access, secrets) {
            Ok(access) => {
                resolved.insert(id.clone(), access);
            }
            Err(source) => problems.push(PlanError::Access {
                credential: id.clone(),
                devices: users.into_iter().cloned().collect(),
                source,
            }),
        }
    }
    resolved
}

fn device_plan(
    id: &DeviceId,
    device: &PartDevice,
    access: &BTreeMap<CredentialId, Access>,
    problems: &mut Vec<PlanError>,
) -> Option<DevicePlan> {
    let credential = device.credential.as_ref()?;
    let family = match &device.profile {
        None => None,
        Some(profile) => {
            let family = radio::family(profile);
            if family.is_none() {
                problems.push(PlanError::UnknownProfile { device: id.clone(), profile: profile.clone() });
            }
            family
        }
    };
    let access = access.get(credential.as_str())?.clone();
    let manner = Manner {
        family,
        ports: device.ports.clone(),
        sector: device.sector,
        peers: device.peers.clone(),
        everybody: false,
    };
    Some(DevicePlan {
        device: id.clone(),
        site: device.site.clone(),
        address: SocketAddr::new(device.address, device.snmp_port),
        access,
        manner,
    })
}

fn services(part: &AgentPart) -> Vec<ServicePlan> {
    let plan = |(id, url): (&ServiceId, &String)| ServicePlan {
        service: id.clone(),
        site: part.agent.clone(),
        url: url.clone(),
    };
    part.services.iter().map(plan).collect()
}

fn pings(part: &AgentPart) -> Vec<PingPlan> {
    let devices = part.devices.iter().map(|(id, d)| PingPlan::Device {
        site: d.site.clone(),
        device: id.clone(),
        address: d.address,
    });
    let backhauls = part.backhauls.iter().map(|(id, b)| PingPlan::Backhaul {
        site: part.agent.clone(),
        backhaul: id.clone(),
        gateway: b.gateway,
        outside: b.outside.clone(),
    });
    devices.chain(backhauls).collect()
}

#[cfg(test)]
mod tests;
