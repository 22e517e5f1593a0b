//! What one agent has to measure, from the inventory. `[P]`
//!
//! Every problem is found before anything is asked: a secret that cannot be read names the devices that need it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::access::{Access, AccessError};
use super::device::Manner;
use super::radio;
use super::recall::Memories;
use crate::config::secret::SecretSource;
use crate::model::network::{Credential, Device, Network, Service};
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
#[derive(Debug, Clone)]
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

/// The part of the network that `agent` measures. `overrides`: the agent's own credentials, which come before those of
/// the inventory. All problems at once.
pub fn plan(
    network: &Network,
    agent: &SiteId,
    interval: Duration,
    overrides: &BTreeMap<CredentialId, Credential>,
    secrets: &dyn SecretSource,
) -> Result<ProbePlan, Vec<PlanError>> {
    let mut problems = Vec::new();
    let own: Vec<&Device> = network.devices.values().filter(|d| d.via == *agent).collect();
    let access = resolve(network, &own, overrides, secrets, &mut problems);
    let devices: Vec<_> = own.iter().filter_map(|d| device_plan(network, d, &access, &mut problems)).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(ProbePlan {
        agent: agent.clone(),
        interval,
        devices,
        pings: pings(network, agent, &own),
        services: services(network, agent),
        dropped: Dropped::default(),
        memories: Memories::default(),
    })
}

/// Each credential that is needed, resolved once: SNMPv3 keys take a while to derive, and its devices share them.
fn resolve(
    network: &Network,
    devices: &[&Device],
    overrides: &BTreeMap<CredentialId, Credential>,
    secrets: &dyn SecretSource,
    problems: &mut Vec<PlanError>,
) -> BTreeMap<CredentialId, Access> {
    let mut users: BTreeMap<&CredentialId, Vec<&Device>> = BTreeMap::new();
    for device in devices {
        if let Some(credential) = &device.credential {
            users.entry(credential).or_default().push(device);
        }
    }
    let mut resolved = BTreeMap::new();
    for (id, users) in users {
        let Some(credential) = overrides.get(id.as_str()).or_else(|| network.credentials.get(id.as_str())) else {
            problems.extend(
                users
                    .iter()
                    .map(|device| PlanError::UnknownCredential { device: device.id.clone(), credential: id.clone() }),
            );
            continue;
        };
        match Access::resolve(&credential.access, secrets) {
            Ok(access) => {
                resolved.insert(id.clone(), access);
            }
            Err(source) => problems.push(PlanError::Access {
                credential: id.clone(),
                devices: users.iter().map(|device| device.id.clone()).collect(),
                source,
            }),
        }
    }
    resolved
}

fn device_plan(
    network: &Network,
    device: &Device,
    access: &BTreeMap<CredentialId, Access>,
    problems: &mut Vec<PlanError>,
) -> Option<DevicePlan> {
    let credential = device.credential.as_ref()?;
    let family = match &device.profile {
        None => None,
        Some(profile) => {
            let family = radio::family(profile);
            if family.is_none() {
                problems.push(PlanError::UnknownProfile { device: device.id.clone(), profile: profile.clone() });
            }
            family
        }
    };
    let access = access.get(credential.as_str())?.clone();
    let manner = Manner {
        family,
        ports: device.ports.clone(),
        sector: network.sector_of(&device.id).is_some(),
        peers: peers(network, device),
        everybody: false,
    };
    Some(DevicePlan {
        device: device.id.clone(),
        site: device.site.clone(),
        address: SocketAddr::new(device.address, device.snmp_port),
        access,
        manner,
    })
}

/// How a device's peers are known, those of its sector or else the devices at the other ends of its links: by MAC
/// address, or by the radio towards them that the inventory names.
fn peers(network: &Network, device: &Device) -> BTreeSet<String> {
    let mac = |id: &DeviceId| network.devices.get(id.as_str())?.mac.clone();
    let links = || network.links.values().filter_map(|link| Some((link, link.other_end(&device.id)?)));
    let Some(sector) = network.sector_of(&device.id) else {
        return links().filter_map(|(_, other)| mac(other)).collect();
    };
    // An access point that tells no addresses of its peers: the inventory names its radio towards each.
    let radio = |peer: &DeviceId| links().find(|(_, other)| *other == peer)?.0.radio_of(&device.id);
    sector.peers.iter().filter_map(|peer| radio(peer).map(str::to_owned).or_else(|| mac(peer))).collect()
}

fn services(network: &Network, agent: &SiteId) -> Vec<ServicePlan> {
    let tried_here = network.services.values().filter(|s| s.from.contains(agent));
    let plan = |s: &Service| ServicePlan { service: s.id.clone(), site: agent.clone(), url: s.url.clone() };
    tried_here.map(plan).collect()
}

fn pings(network: &Network, agent: &SiteId, devices: &[&Device]) -> Vec<PingPlan> {
    let device = |d: &&Device| PingPlan::Device { site: d.site.clone(), device: d.id.clone(), address: d.address };
    let backhauls = network.backhauls.values().filter(|b| b.site == *agent);
    let backhauls = backhauls.filter(|b| b.gateway.is_some() || !b.outside.is_empty()).map(|b| PingPlan::Backhaul {
        site: b.site.clone(),
        backhaul: b.id.clone(),
        gateway: b.gateway,
        outside: b.outside.clone(),
    });
    devices.iter().map(device).chain(backhauls).collect()
}

#[cfg(test)]
mod tests;
