//! What the judges share in one step: smoothed echoes, who answers where, power, and paths to spare. `[P]`
//!
//! Echoes are judged as a mean that forgets with a time constant of [`SMOOTH`]; after a restart it goes on from what a
//! live incident last saw, else from the next reading.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::diagnosis;
use super::incident::{Condition, Incident, Subject};
use super::observe::Judge;
use super::redundancy::Redundancy;
use crate::model::network::Network;
use crate::model::view::{DeviceView, NetworkView};
use crate::model::{BackhaulId, DeviceId, LinkId, SiteId, UnixMillis};

/// One lost echo in a round is 10 to 20 %: five rounds say more.
const SMOOTH: Duration = Duration::from_mins(5);

/// What is pinged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Device(DeviceId),
    Backhaul(BackhaulId),
}

/// Smoothed echoes of one target.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Echoes {
    pub loss_percent: Option<f64>,
    pub rtt_ms: Option<f64>,
}

/// Power at a site, from what its devices say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Power {
    /// The lowest charge, and whose.
    pub battery_percent: Option<(f64, DeviceId)>,
    /// A device that runs on batteries.
    pub on_battery: Option<DeviceId>,
    /// A device whose supply is low, volts.
    pub low_supply: Option<(f64, DeviceId)>,
    /// Something says that it is not.
    pub told: bool,
}

/// See the module. Bounded by the inventory.
#[derive(Debug, Default)]
pub struct Scene {
    echoes: BTreeMap<Target, Echoes>,
    last: Option<UnixMillis>,
    /// Links that end at a device.
    links_of: BTreeMap<DeviceId, Vec<LinkId>>,
    lit: BTreeSet<SiteId>,
    power: BTreeMap<SiteId, Power>,
    pub redundancy: Redundancy,
}

impl Scene {
    /// What a changed inventory fixes.
    pub fn set_network(&mut self, network: &Network) {
        self.links_of.clear();
        for link in network.links.values() {
            for device in [&link.near, &link.far] {
                self.links_of.entry(device.clone()).or_default().push(link.id.clone());
            }
        }
        self.echoes.retain(|target, _| match target {
            Target::Device(id) => network.devices.contains_key(id.as_str()),
            Target::Backhaul(id) => network.backhauls.contains_key(id.as_str()),
        });
    }

    /// Goes on from what live incidents last saw.
    pub fn recall<'i>(&mut self, live: impl Iterator<Item = &'i Incident>) {
        for incident in live {
            let (Some(target), Some(value)) = (target_of(&incident.subject), incident.detail.value) else { continue };
            let echoes = self.echoes.entry(target).or_default();
            match incident.condition {
                Condition::PacketLoss => echoes.loss_percent = Some(value),
                Condition::RoundTripTime => echoes.rtt_ms = Some(value),
                _ => {}
            }
        }
    }

    pub fn observe(&mut self, view: &NetworkView, now: UnixMillis) {
        let elapsed = self.last.map_or(Duration::ZERO, |last| now.since(last));
        self.last = Some(now);
        let weight = 1.0 - (-elapsed.as_secs_f64() / SMOOTH.as_secs_f64()).exp();
        self.lit.clear();
        self.power.clear();
        for (id, device) in &view.devices {
            // All lost is unreachable, which is another condition; the round-trip time is missing then.
            let loss = device.loss_percent.get().filter(|percent| *percent < 100.0);
            self.smooth(Target::Device(id.clone()), loss, device.rtt_ms_median.get(), weight);
            if device.answers == Some(true) && !self.lit.contains(device.site.as_str()) {
                self.lit.insert(device.site.clone());
            }
            self.note_power(id, device);
        }
        for (id, ping) in &view.outside {
            let loss = ping.loss_percent.get().filter(|percent| *percent < 100.0);
            self.smooth(Target::Backhaul(id.clone()), loss, ping.rtt_ms_median.get(), weight);
        }
        self.redundancy = Redundancy::of(view);
    }

    fn smooth(&mut self, target: Target, loss: Option<f64>, rtt: Option<f64>, weight: f64) {
        if loss.is_none() && rtt.is_none() {
            return;
        }
        let mean = |old: Option<f64>, new: Option<f64>| match (old, new) {
            (Some(old), Some(new)) => Some(old + weight * (new - old)),
            (old, new) => new.or(old),
        };
        let echoes = self.echoes.entry(target).or_default();
        echoes.loss_percent = mean(echoes.loss_percent, loss);
        echoes.rtt_ms = mean(echoes.rtt_ms, rtt);
    }

    fn note_power(&mut self, id: &DeviceId, device: &DeviceView) {
        let (percent, volts) = (device.battery_percent.get(), device.supply_volts.get());
        if percent.is_none() && volts.is_none() && device.on_battery.is_none() {
            return;
        }
        let power = self.power.entry(device.site.clone()).or_default();
        power.told = true;
        if device.on_battery == Some(true) {
            power.on_battery.get_or_insert_with(|| id.clone());
        }
        if let Some(percent) = percent
            && power.battery_percent.as_ref().is_none_or(|(least, _)| percent < *least)
        {
            power.battery_percent = Some((percent, id.clone()));
        }
        if let Some(volts) = volts.filter(|v| diagnosis::is_low(*v)) {
            power.low_supply.get_or_insert_with(|| (volts, id.clone()));
        }
    }

    pub fn echoes(&self, subject: &Subject) -> Echoes {
        target_of(subject).and_then(|target| self.echoes.get(&target)).copied().unwrap_or_default()
    }

    pub fn power(&self, site: &SiteId) -> Option<&Power> {
        self.power.get(site.as_str())
    }

    /// Something at the site answers.
    pub fn is_lit(&self, site: &SiteId) -> bool {
        self.lit.contains(site.as_str())
    }

    pub fn links_of(&self, device: &DeviceId) -> &[LinkId] {
        self.links_of.get(device.as_str()).map_or(&[], Vec::as_slice)
    }

    /// Conditions and subjects that are worth a judgement: what a glance at the figures does not rule out.
    pub fn suspects(&self, judge: &Judge<'_>) -> Vec<(Condition, Subject)> {
        let mut found = Vec::new();
        for (id, device) in &judge.view.devices {
            let mut add = |condition| found.push((condition, Subject::Device(id.clone())));
            if device.answers == Some(false) {
                add(Condition::DeviceDown);
                add(Condition::ManagementUnreachable);
                continue;
            }
            if device.loss_percent.get().is_some_and(|percent| percent > 0.0) {
                add(Condition::PacketLoss);
            }
            if device.rtt_ms_median.get().is_some() {
                add(Condition::RoundTripTime);
            }
            if device.temperature_celsius.get().is_some() {
                add(Condition::Temperature);
            }
            if judge.memory.port_fell(id, device.port_rate_mbps.get()) {
                add(Condition::PortBelowUsual);
            }
        }
        found.extend(self.power.keys().map(|site| (Condition::SitePower, Subject::Site(site.clone()))));
        found.extend(self.redundancy.lost().map(|site| (Condition::RedundancyLost, Subject::Site(site.clone()))));
        for service in judge.view.services.iter().filter(|s| s.up == Some(false)) {
            found.push((Condition::ServiceUnreachable, Subject::Service(service.id.clone(), service.from.clone())));
        }
        for site in judge.view.agents.keys() {
            found.push((Condition::AgentSilent, Subject::Agent(site.clone())));
            for condition in
                [Condition::ClockWrong, Condition::CertificateExpiring, Condition::ClonedAgent, Condition::PartRefused]
            {
                found.push((condition, Subject::Agent(site.clone())));
            }
        }
        found.push((Condition::CertificateExpiring, Subject::Hub));
        let jobs = judge.network.backups.keys();
        found.extend(jobs.map(|id| (Condition::BackupWillNotFinish, Subject::Backup(id.clone()))));
        found
    }
}

fn target_of(subject: &Subject) -> Option<Target> {
    use crate::model::EdgeId;
    match subject {
        Subject::Device(id) => Some(Target::Device(id.clone())),
        Subject::Edge(EdgeId::Backhaul(id)) => Some(Target::Backhaul(id.clone())),
        _ => None,
    }
}
