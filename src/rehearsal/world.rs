//! The network of a scenario: what is up, who can reach whom, and the samples that agents would make of it. `[P]`
//!
//! Much simpler than the simulated radios of the demo: figures are what the scenario says, so that a test is exact.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::change::{Change, Gauge};
use crate::catalogue;
use crate::model::network::{Device, End, Link, Medium, Network};
use crate::model::{
    BackhaulId, DeviceId, LinkId, Missing, Provenance, Reading, Sample, ServiceId, SiteId, Tag, UnixMillis,
};

/// What a radio receives in fair weather.
const RSL_DBM: f64 = -55.0;
const SNR_DB: f64 = 30.0;
const NOISE_DBM: f64 = -90.0;
/// What an echo takes.
pub const RTT_MS: f64 = 8.0;
const PORT_MBPS: f64 = 1000.0;

/// See the module.
#[derive(Debug, Clone)]
pub struct World {
    network: Arc<Network>,
    /// What a radio link carries where nothing else is said.
    link_mbps: f64,
    down: BTreeSet<LinkId>,
    capacity: BTreeMap<LinkId, f64>,
    fades: BTreeMap<(LinkId, End), f64>,
    noise: BTreeMap<(LinkId, End), f64>,
    channels: BTreeMap<LinkId, f64>,
    unreadable: BTreeSet<LinkId>,
    off: BTreeSet<DeviceId>,
    silent: BTreeSet<DeviceId>,
    gauges: BTreeMap<(DeviceId, Gauge), f64>,
    dark: BTreeSet<SiteId>,
    backhauls_down: BTreeSet<BackhaulId>,
    backhaul_loss: BTreeMap<BackhaulId, f64>,
    backhaul_rtt: BTreeMap<BackhaulId, f64>,
    services_down: BTreeSet<(ServiceId, Option<SiteId>)>,
    stopped: BTreeSet<SiteId>,
}

impl World {
    pub fn new(network: Arc<Network>, link_mbps: f64) -> Self {
        Self {
            network,
            link_mbps,
            down: BTreeSet::new(),
            capacity: BTreeMap::new(),
            fades: BTreeMap::new(),
            noise: BTreeMap::new(),
            channels: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            off: BTreeSet::new(),
            silent: BTreeSet::new(),
            gauges: BTreeMap::new(),
            dark: BTreeSet::new(),
            backhauls_down: BTreeSet::new(),
            backhaul_loss: BTreeMap::new(),
            backhaul_rtt: BTreeMap::new(),
            services_down: BTreeSet::new(),
            stopped: BTreeSet::new(),
        }
    }

    /// Applies what concerns the network; `false`: it is about the hub or about people.
    pub fn apply(&mut self, change: &Change) -> bool {
        match change.clone() {
            Change::Link(id, up) => note(&mut self.down, id, !up),
            Change::Capacity(id, mbps) => keep(&mut self.capacity, id, mbps),
            Change::Fade(id, end, db) => both(&mut self.fades, &id, end, db),
            Change::Noise(id, end, db) => both(&mut self.noise, &id, end, db),
            Change::Channel(id, mhz) => keep(&mut self.channels, id, Some(mhz)),
            Change::Readable(id, yes) => note(&mut self.unreadable, id, !yes),
            Change::Power(id, on) => note(&mut self.off, id, !on),
            Change::Answers(id, yes) => note(&mut self.silent, id, !yes),
            Change::Gauge(id, gauge, value) => keep(&mut self.gauges, (id, gauge), value),
            Change::Lit(id, lit) => note(&mut self.dark, id, !lit),
            Change::Backhaul(id, up) => note(&mut self.backhauls_down, id, !up),
            Change::BackhaulLoss(id, percent) => keep(&mut self.backhaul_loss, id, Some(percent)),
            Change::BackhaulRtt(id, ms) => keep(&mut self.backhaul_rtt, id, ms),
            Change::Service(id, from, up) => note(&mut self.services_down, (id, from), !up),
            Change::AgentRuns(id, runs) => note(&mut self.stopped, id, !runs),
            _ => return false,
        }
        true
    }

    pub fn agent_runs(&self, site: &SiteId) -> bool {
        !self.stopped.contains(site.as_str()) && !self.dark.contains(site.as_str())
    }

    fn powered(&self, device: &Device) -> bool {
        !self.off.contains(device.id.as_str()) && !self.dark.contains(device.site.as_str())
    }

    fn passes(&self, link: &Link) -> bool {
        let on = |id: &DeviceId| self.network.devices.get(id.as_str()).is_some_and(|d| self.powered(d));
        !self.down.contains(link.id.as_str()) && on(&link.near) && on(&link.far)
    }

    /// The places that can be reached from one.
    pub fn reached_from(&self, site: &SiteId) -> BTreeSet<SiteId> {
        let mut ways: BTreeMap<SiteId, Vec<SiteId>> = BTreeMap::new();
        for link in self.network.links.values().filter(|link| self.passes(link)) {
            let (near, far) = self.network.link_sites(link);
            ways.entry(near.clone()).or_default().push(far.clone());
            ways.entry(far).or_default().push(near);
        }
        let mut found = BTreeSet::from([site.clone()]);
        let mut next = VecDeque::from([site.clone()]);
        while let Some(here) = next.pop_front() {
            for there in ways.get(&here).into_iter().flatten() {
                if found.insert(there.clone()) {
                    next.push_back(there.clone());
                }
            }
        }
        found
    }

    /// Whether the Internet can be reached from these places.
    pub fn has_way_out(&self, sites: &BTreeSet<SiteId>) -> bool {
        self.network.backhauls.values().any(|b| sites.contains(&b.site) && self.backhaul_up(&b.id, &b.site))
    }

    fn backhaul_up(&self, id: &BackhaulId, site: &SiteId) -> bool {
        !self.backhauls_down.contains(id.as_str()) && !self.dark.contains(site.as_str())
    }

    /// Whether what this agent sends reaches the hub.
    pub fn reaches_hub(&self, agent: &SiteId) -> bool {
        let here = self.reached_from(agent);
        match &self.network.hub_site {
            None => self.has_way_out(&here),
            Some(hub) => here.contains(hub) || (self.has_way_out(&here) && self.has_way_out(&self.reached_from(hub))),
        }
    }

    /// What one agent measures at an instant of its clock.
    pub fn samples(&self, agent: &SiteId, at: UnixMillis) -> Vec<Sample> {
        let here = self.reached_from(agent);
        let mut samples = Vec::new();
        for device in self.network.devices.values().filter(|d| d.via == *agent) {
            let answers =
                self.powered(device) && !self.silent.contains(device.id.as_str()) && here.contains(&device.site);
            self.device(device, agent, answers, at, &mut samples);
        }
        for backhaul in self.network.backhauls.values().filter(|b| b.site == *agent && !b.outside.is_empty()) {
            let mut sample = Sample::new(&catalogue::PING, at)
                .tag(Tag::Agent, agent.as_str())
                .tag(Tag::Site, agent.as_str())
                .tag(Tag::Backhaul, backhaul.id.as_str());
            if self.backhaul_up(&backhaul.id, &backhaul.site) {
                let loss = self.backhaul_loss.get(backhaul.id.as_str()).copied().unwrap_or(0.0);
                let rtt = self.backhaul_rtt.get(backhaul.id.as_str()).copied().unwrap_or(RTT_MS);
                sample.set("loss_percent", Reading::value(loss));
                sample.set("rtt_ms_median", Reading::value(rtt));
            } else {
                sample.set("loss_percent", Reading::value(100.0));
                sample.set("rtt_ms_median", Reading::Missing(Missing::Timeout));
            }
            samples.push(sample);
        }
        for service in self.network.services.values().filter(|s| s.from.contains(agent)) {
            let down = |from: Option<SiteId>| self.services_down.contains(&(service.id.clone(), from));
            let up = !down(None) && !down(Some(agent.clone())) && self.has_way_out(&here);
            let mut sample = Sample::new(&catalogue::SERVICE, at)
                .tag(Tag::Agent, agent.as_str())
                .tag(Tag::Site, agent.as_str())
                .tag(Tag::Service, service.id.as_str());
            sample.set("up_flag", Reading::value(f64::from(u8::from(up))));
            samples.push(sample);
        }
        let mut own = Sample::new(&catalogue::AGENT, at).tag(Tag::Agent, agent.as_str()).tag(Tag::Site, agent.as_str());
        own.set("spool_batches_count", Reading::value(0.0));
        samples.push(own);
        samples
    }

    fn gauge(&self, device: &Device, gauge: Gauge) -> Option<f64> {
        self.gauges.get(&(device.id.clone(), gauge)).copied()
    }

    fn device(&self, device: &Device, agent: &SiteId, answers: bool, at: UnixMillis, samples: &mut Vec<Sample>) {
        let new = |measurement| {
            Sample::new(measurement, at)
                .tag(Tag::Agent, agent.as_str())
                .tag(Tag::Site, device.site.as_str())
                .tag(Tag::Device, device.id.as_str())
        };
        let mut ping = new(&catalogue::PING);
        if answers {
            ping.set("loss_percent", Reading::value(self.gauge(device, Gauge::LossPercent).unwrap_or(0.0)));
            ping.set("rtt_ms_median", Reading::value(self.gauge(device, Gauge::RttMs).unwrap_or(RTT_MS)));
        } else {
            ping.set("loss_percent", Reading::value(100.0));
            ping.set("rtt_ms_median", Reading::Missing(Missing::Timeout));
        }
        samples.push(ping);
        if device.credential.is_none() {
            return;
        }
        let mut status = new(&catalogue::DEVICE);
        status.set("snmp_up_flag", Reading::value(f64::from(u8::from(answers))));
        samples.push(status);
        for link in self.network.links.values().filter(|l| l.medium == Medium::Radio) {
            if let Some(end) = end_of(link, &device.id)
                && let Some(tag) = self.radio_tag(link, device)
            {
                let mut radio = new(&catalogue::RADIO).tag(Tag::Radio, tag);
                self.radio(link, end, &mut radio);
                if !answers {
                    // As an agent says of the radios that it knows of.
                    radio.readings.values_mut().for_each(|reading| *reading = Reading::Missing(Missing::Timeout));
                }
                samples.push(radio);
            }
        }
        if !answers {
            return;
        }
        self.ports(device, &new, samples);
        let mut power = new(&catalogue::POWER);
        for (name, gauge) in [
            ("temperature_celsius", Gauge::Celsius),
            ("supply_volts", Gauge::SupplyVolts),
            ("battery_percent", Gauge::BatteryPercent),
            ("on_battery_flag", Gauge::OnBattery),
        ] {
            if let Some(value) = self.gauge(device, gauge) {
                power.set(name, Reading::value(value));
            }
        }
        if !power.readings.is_empty() {
            samples.push(power);
        }
    }

    fn ports(
        &self,
        device: &Device,
        new: &dyn Fn(&'static catalogue::Measurement) -> Sample,
        samples: &mut Vec<Sample>,
    ) {
        let given = self.gauge(device, Gauge::PortMbps);
        let cable = self.network.links.values().find(|l| l.medium == Medium::Cable && end_of(l, &device.id).is_some());
        if device.ports.is_empty() && given.is_none() {
            return;
        }
        let unnamed = vec!["eth0".to_owned()];
        for port in if device.ports.is_empty() { &unnamed } else { &device.ports } {
            let up = cable.is_none_or(|link| self.passes(link));
            let mut sample = new(&catalogue::PORT).tag(Tag::Port, port.as_str());
            sample.set("up_flag", Reading::value(f64::from(u8::from(up))));
            sample.set("rate_mbps", Reading::value(if up { given.unwrap_or(PORT_MBPS) } else { 0.0 }));
            samples.push(sample);
        }
    }

    /// The tag by which the hub finds this end's radio; an access point knows its peer by its MAC address.
    fn radio_tag(&self, link: &Link, device: &Device) -> Option<String> {
        if let Some(tag) = link.radio_of(&device.id) {
            return Some(tag.to_owned());
        }
        let peer = link.other_end(&device.id)?;
        if self.network.sector_of(&device.id).is_some_and(|s| s.peers.contains(peer)) {
            return self.network.devices.get(peer.as_str())?.mac.clone();
        }
        Some("1".to_owned())
    }

    fn radio(&self, link: &Link, end: End, sample: &mut Sample) {
        let up = self.passes(link);
        sample.set("link_up_flag", Reading::value(f64::from(u8::from(up))));
        let mbps = self.capacity.get(link.id.as_str()).copied().unwrap_or(self.link_mbps);
        let capacity = match up {
            true if self.unreadable.contains(link.id.as_str()) => Reading::Missing(Missing::NoLongerOffered),
            true => Reading::known(mbps, Provenance::Reported),
            false => Reading::Missing(Missing::LinkDown),
        };
        sample.set("capacity_tx_mbps", capacity);
        sample.set("capacity_rx_mbps", capacity);
        let at = |map: &BTreeMap<(LinkId, End), f64>| map.get(&(link.id.clone(), end)).copied().unwrap_or(0.0);
        let (fade, noise) = (at(&self.fades), at(&self.noise));
        let level = |value: f64| if up { Reading::value(value) } else { Reading::Missing(Missing::LinkDown) };
        sample.set("rsl_dbm", level(RSL_DBM - fade));
        sample.set("snr_db", level(SNR_DB - fade - noise));
        sample.set("noise_floor_dbm", level(NOISE_DBM + noise));
        if let Some(mhz) = self.channels.get(link.id.as_str()) {
            sample.set("channel_mhz", level(*mhz));
        }
    }
}

fn end_of(link: &Link, device: &DeviceId) -> Option<End> {
    match device {
        id if *id == link.near => Some(End::Near),
        id if *id == link.far => Some(End::Far),
        _ => None,
    }
}

fn note<K: Ord>(set: &mut BTreeSet<K>, id: K, yes: bool) {
    if yes {
        set.insert(id);
    } else {
        set.remove(&id);
    }
}

fn keep<K: Ord>(map: &mut BTreeMap<K, f64>, id: K, value: Option<f64>) {
    match value {
        Some(value) => drop(map.insert(id, value)),
        None => drop(map.remove(&id)),
    }
}

fn both(map: &mut BTreeMap<(LinkId, End), f64>, id: &LinkId, end: Option<End>, db: f64) {
    for side in [End::Near, End::Far] {
        if end.is_none_or(|only| only == side) {
            map.insert((id.clone(), side), db);
        }
    }
}
