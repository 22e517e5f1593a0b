//! An agent's part of the inventory. `[P]`

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::credential::{auth_protocol, privacy_protocol};
use crate::config::problem::{Finding, Findings};
use crate::config::raw::{Item, Raw, Value};
use crate::model::network::{Credential, SecretRef, SnmpAccess};
use crate::model::part::{AgentPart, PartBackhaul, PartDevice};
use crate::model::{BackhaulId, CredentialId, DeviceId, NetworkId, ServiceId, SiteId};

pub fn part(raw: &Raw, findings: &mut Findings) -> Option<AgentPart> {
    let credentials = raw.tables("credential").iter().filter_map(|c| credential(c, findings));
    let credentials = credentials.map(|c| (c.id.clone(), c)).collect();
    let devices = raw.tables("device").iter().filter_map(device).collect();
    addresses(raw, &devices, findings);
    Some(AgentPart {
        network: NetworkId::parse(raw.text("network")?).ok()?,
        agent: SiteId::parse(raw.text("agent")?).ok()?,
        credentials,
        devices,
        backhauls: raw.tables("backhaul").iter().filter_map(backhaul).collect(),
        services: raw.tables("service").iter().filter_map(service).collect(),
    })
}

/// The name under which a secret of a credential is sealed.
pub(in crate::config) fn sealed_name(credential: &str, which: &str) -> String {
    format!("{credential}.{which}")
}

fn credential(raw: &Raw, findings: &mut Findings) -> Option<Credential> {
    let id = CredentialId::parse(raw.text("id")?).ok()?;
    let sealed = |which: &str| SecretRef::Sealed(sealed_name(id.as_str(), which));
    let access = match raw.text("version")? {
        "v1" => SnmpAccess::V1 { community: sealed("community") },
        "v2c" => SnmpAccess::V2c { community: sealed("community") },
        _ => {
            let Some(user) = raw.text("user") else {
                findings.push(raw.error("user", "must be given for v3"));
                return None;
            };
            let auth = raw.text("auth").and_then(auth_protocol).map(|protocol| (protocol, sealed("auth")));
            let privacy = raw.text("privacy").and_then(privacy_protocol).map(|protocol| (protocol, sealed("privacy")));
            if privacy.is_some() && auth.is_none() {
                findings.push(raw.error("privacy", "needs auth: SNMPv3 does not encrypt without authenticating"));
            }
            SnmpAccess::V3 { user: user.to_owned(), auth, privacy }
        }
    };
    Some(Credential { id, access })
}

fn device(raw: &Raw) -> Option<(DeviceId, PartDevice)> {
    let device = PartDevice {
        site: SiteId::parse(raw.text("site")?).ok()?,
        address: raw.address("address")?,
        snmp_port: u16::try_from(raw.integer("snmp_port")?).ok()?,
        credential: raw.text("snmp").and_then(|id| CredentialId::parse(id).ok()),
        profile: raw.text("profile").map(str::to_owned),
        ports: raw.texts("ports").map(str::to_owned).collect(),
        sector: raw.boolean("sector")?,
        peers: raw.texts("peers").map(str::to_owned).collect(),
    };
    Some((DeviceId::parse(raw.text("id")?).ok()?, device))
}

/// What one agent sees must be unique.
fn addresses(raw: &Raw, devices: &BTreeMap<DeviceId, PartDevice>, findings: &mut Findings) {
    let mut seen = BTreeMap::new();
    for (id, device) in devices {
        if let Some(other) = seen.insert(device.address, id) {
            let wanted = format!("devices \"{other}\" and \"{id}\" have the same address");
            findings.push(Finding::error(raw.at, "device", wanted).found(device.address.to_string()));
        }
    }
}

fn backhaul(raw: &Raw) -> Option<(BackhaulId, PartBackhaul)> {
    let address = |item: &Item| match item.value {
        Value::Address(address) => Some(address),
        _ => None,
    };
    let outside: Vec<IpAddr> = raw.items("outside").iter().filter_map(address).collect();
    Some((BackhaulId::parse(raw.text("id")?).ok()?, PartBackhaul { gateway: raw.address("gateway"), outside }))
}

fn service(raw: &Raw) -> Option<(ServiceId, String)> {
    Some((ServiceId::parse(raw.text("id")?).ok()?, raw.text("url")?.to_owned()))
}
