//! One agent's part of the inventory: what it needs to measure, and nothing of anybody else.
//!
//! Names of places, people, operators, contracts, targets and the devices of other agents stay at the hub. Of the other
//! end of a link an agent knows how its radio names that peer: mostly the MAC address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::network::{Credential, Device, Network};
use super::{BackhaulId, CredentialId, DeviceId, NetworkId, ServiceId, SiteId};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPart {
    pub network: NetworkId,
    /// The site where the agent stands: its name.
    pub agent: SiteId,
    /// Those that its devices use.
    pub credentials: BTreeMap<CredentialId, Credential>,
    pub devices: BTreeMap<DeviceId, PartDevice>,
    /// Those at its site that can be pinged.
    pub backhauls: BTreeMap<BackhaulId, PartBackhaul>,
    /// What it tries, by URL.
    pub services: BTreeMap<ServiceId, String>,
}

/// A device that the agent polls; the keys are those of [`Device`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartDevice {
    pub site: SiteId,
    pub address: IpAddr,
    pub snmp_port: u16,
    pub credential: Option<CredentialId>,
    pub profile: Option<String>,
    pub ports: Vec<String>,
    /// It is the access point of a sector.
    pub sector: bool,
    /// How it knows its peers, those of its sector or else the devices at the other ends of its links: by MAC address, or
    /// by the tag of its radio towards them.
    pub peers: BTreeSet<String>,
}

/// A backhaul that the agent pings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartBackhaul {
    pub gateway: Option<IpAddr>,
    pub outside: Vec<IpAddr>,
}

impl AgentPart {
    /// What `agent` gets of `network`.
    pub fn of(network: &Network, agent: &SiteId) -> Self {
        let own = || network.devices.values().filter(|d| d.via == *agent);
        let used: BTreeSet<&CredentialId> = own().filter_map(|d| d.credential.as_ref()).collect();
        let is_used = |id: &CredentialId| used.contains(id);
        let backhauls = network.backhauls.values().filter(|b| b.site == *agent);
        Self {
            network: network.id.clone(),
            agent: agent.clone(),
            credentials: network
                .credentials
                .iter()
                .filter(|(id, _)| is_used(id))
                .map(|(id, c)| (id.clone(), c.clone()))
                .collect(),
            devices: own().map(|d| (d.id.clone(), device(network, d))).collect(),
            backhauls: backhauls
                .filter(|b| b.gateway.is_some() || !b.outside.is_empty())
                .map(|b| (b.id.clone(), PartBackhaul { gateway: b.gateway, outside: b.outside.clone() }))
                .collect(),
            services: network
                .services
                .values()
                .filter(|s| s.from.contains(agent))
                .map(|s| (s.id.clone(), s.url.clone()))
                .collect(),
        }
    }
}

fn device(network: &Network, device: &Device) -> PartDevice {
    PartDevice {
        site: device.site.clone(),
        address: device.address,
        snmp_port: device.snmp_port,
        credential: device.credential.clone(),
        profile: device.profile.clone(),
        ports: device.ports.clone(),
        sector: network.sector_of(&device.id).is_some(),
        peers: peers(network, device),
    }
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
