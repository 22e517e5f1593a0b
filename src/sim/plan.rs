//! What of a simulated network does not change: devices, links, paths, and who hears whom. `[P]`

use std::collections::BTreeMap;

use super::address::{hash, mac_of};
use super::radio::{Band, Family, Place, distance_km};
use crate::model::network::{BundleMode, Device, End, Link, Medium, Network};
use crate::model::{DeviceId, LinkId, SiteId};

/// Peers of a sector that are not ours.
pub const STRANGERS: usize = 2;

#[derive(Debug)]
pub struct SimDevice {
    pub id: DeviceId,
    pub site: SiteId,
    pub site_name: String,
    pub via: SiteId,
    pub family: Family,
    pub mac: [u8; 6],
    /// Ethernet ports, by name.
    pub ports: Vec<String>,
    /// The links that it is an end of.
    pub ends: Vec<(usize, End)>,
    /// It is the access point of a sector, and hears strangers too.
    pub is_sector: bool,
    /// What sets this device's small differences from others of its kind.
    pub salt: u64,
}

#[derive(Debug)]
pub struct SimLink {
    pub id: LinkId,
    pub near: usize,
    pub far: usize,
    pub km: f64,
    pub places: [Place; 2],
    /// The radios at both ends; `None`: a cable.
    pub bands: Option<[&'static Band; 2]>,
    /// Received level in fair weather at the near and at the far end, dBm.
    pub fair_rsl_dbm: [f64; 2],
    /// Which end is further from the Internet.
    pub downstream_end: End,
    /// Links that carry this one's traffic while they are up: it stands by for them.
    pub stands_by_for: Vec<usize>,
    pub salt: u64,
}

impl SimLink {
    pub fn device(&self, end: End) -> usize {
        match end {
            End::Near => self.near,
            End::Far => self.far,
        }
    }

    /// Time that a packet needs there and back, ms: radios that share one channel both ways wait for their turn.
    pub fn round_trip_ms(&self) -> f64 {
        match self.bands {
            None => 0.1,
            Some([band, _]) if band.frequency_mhz > 50_000 => 0.7,
            Some(_) => 3.2,
        }
    }
}

/// Where at an end things are kept: near 0, far 1.
pub fn index_of(end: End) -> usize {
    usize::from(end == End::Far)
}

#[derive(Debug)]
pub struct Plan {
    pub devices: Vec<SimDevice>,
    pub links: Vec<SimLink>,
    pub device_index: BTreeMap<DeviceId, usize>,
    pub link_index: BTreeMap<LinkId, usize>,
}

impl Plan {
    pub fn new(network: &Network, seed: u64) -> Self {
        let salt = |id: &str| hash(&[&seed.to_le_bytes(), id.as_bytes()]);
        let mut devices: Vec<SimDevice> =
            network.devices.values().map(|d| sim_device(network, d, salt(d.id.as_str()))).collect();
        let device_index: BTreeMap<_, _> = devices.iter().enumerate().map(|(i, d)| (d.id.clone(), i)).collect();
        let link_index: BTreeMap<_, _> = network.links.keys().enumerate().map(|(i, id)| (id.clone(), i)).collect();
        let depths = site_depths(network);
        let mut links = Vec::with_capacity(network.links.len());
        for (i, link) in network.links.values().enumerate() {
            let (near, far) = (device_index[&link.near], device_index[&link.far]);
            devices[near].ends.push((i, End::Near));
            devices[far].ends.push((i, End::Far));
            let downstream_end =
                if depths.get(&devices[near].site) > depths.get(&devices[far].site) { End::Near } else { End::Far };
            let stands_by_for = stands_by_for(network, link).iter().map(|id| link_index[id]).collect();
            let ends = [&devices[near], &devices[far]];
            let fixed = Ends { near, far, downstream_end, stands_by_for };
            links.push(sim_link(network, link, ends, fixed, salt(link.id.as_str())));
        }
        Self { devices, links, device_index, link_index }
    }
}

fn sim_device(network: &Network, device: &Device, salt: u64) -> SimDevice {
    let family = Family::of(device);
    let default_port = if matches!(family, Family::Mikrotik60 | Family::MikrotikClassic) { "ether1" } else { "eth0" };
    let ports = if device.ports.is_empty() { vec![default_port.to_owned()] } else { device.ports.clone() };
    SimDevice {
        id: device.id.clone(),
        site: device.site.clone(),
        site_name: network.sites.get(&device.site).map_or_else(String::new, |s| s.name.clone()),
        via: device.via.clone(),
        family,
        mac: mac_of(&device.id, device.mac.as_deref()),
        ports,
        ends: Vec::new(),
        is_sector: network.sector_of(&device.id).is_some(),
        salt,
    }
}

struct Ends {
    near: usize,
    far: usize,
    downstream_end: End,
    stands_by_for: Vec<usize>,
}

fn sim_link(network: &Network, link: &Link, ends: [&SimDevice; 2], fixed: Ends, salt: u64) -> SimLink {
    let place = |device: &SimDevice| {
        let site = &network.sites[&device.site];
        Place { lat: site.lat, lon: site.lon }
    };
    let places = ends.map(place);
    let km = distance_km(places[0], places[1]);
    let bands = match (link.medium, ends[0].family.band(), ends[1].family.band()) {
        (Medium::Cable, _, _) | (_, None, None) => None,
        // A radio of a family that is not simulated behaves like its peer.
        (Medium::Radio, Some(near), far) => Some([near, far.unwrap_or(near)]),
        (Medium::Radio, None, Some(far)) => Some([far, far]),
    };
    // No two ends are alike: up to 1 dB between them, whatever the seed, for scenarios reckon with the levels.
    let name = hash(&[link.id.as_str().as_bytes()]);
    let offsets = [name & 0xff, (name >> 8) & 0xff].map(|b| b as f64 / 255.0);
    let fair = |band: &Band, offset: f64| band.fair_rsl_dbm(km) + offset;
    let fair_rsl_dbm = bands.map_or([0.0; 2], |[near, far]| [fair(near, offsets[0]), fair(far, offsets[1])]);
    SimLink {
        id: link.id.clone(),
        near: fixed.near,
        far: fixed.far,
        km,
        places,
        bands,
        fair_rsl_dbm,
        downstream_end: fixed.downstream_end,
        stands_by_for: fixed.stands_by_for,
        salt,
    }
}

fn stands_by_for<'a>(network: &'a Network, link: &Link) -> &'a [LinkId] {
    match network.bundle_of(&link.id) {
        Some(bundle) if bundle.mode == BundleMode::Standby => {
            let position = bundle.links.iter().position(|l| *l == link.id).unwrap_or(0);
            &bundle.links[..position]
        }
        _ => &[],
    }
}

/// Links between each site and the nearest backhaul.
fn site_depths(network: &Network) -> BTreeMap<SiteId, u32> {
    let mut depths: BTreeMap<SiteId, u32> = network.backhauls.values().map(|b| (b.site.clone(), 0)).collect();
    let mut frontier: Vec<SiteId> = depths.keys().cloned().collect();
    let mut depth = 0;
    while !frontier.is_empty() {
        depth += 1;
        let mut next = Vec::new();
        for link in network.links.values() {
            let (near, far) = network.link_sites(link);
            for (here, there) in [(&near, &far), (&far, &near)] {
                if frontier.contains(here) && !depths.contains_key(there) {
                    depths.insert(there.clone(), depth);
                    next.push(there.clone());
                }
            }
        }
        frontier = next;
    }
    depths
}
