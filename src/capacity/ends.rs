//! From readings to facts about the ends of links, and to the evidence that mails and pages show.

use std::collections::{BTreeMap, VecDeque};

use super::link::{Dated, EndFacts, PortFacts};
use super::readings::{DeviceReadings, Fresh, Held, SECTOR_RADIO};
use crate::model::network::{Device, Link, Medium, Network};
use crate::model::view::{DeviceView, EndView};
use crate::model::{DeviceId, Missing, Reading, UnixMillis};

/// The tag `radio` of a device that has one.
pub const ONLY_RADIO: &str = "1";

/// Which radio of a device is this end of the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RadioKey {
    /// The device's one radio.
    Only,
    /// The radio of that tag: the one that the inventory names, or an access point's view of the peer whose MAC
    /// address it is.
    Tagged(String),
    /// An access point whose peer has no MAC address in the inventory: it cannot be told from the others.
    Unnamed,
}

/// One end of a link, resolved once.
#[derive(Debug, Clone)]
pub struct EndSlot {
    pub device: DeviceId,
    pub radio: RadioKey,
    pub cable: bool,
}

impl EndSlot {
    pub fn new(network: &Network, link: &Link, device: &DeviceId, peer: &DeviceId) -> Self {
        let radio = if let Some(tag) = link.radio_of(device) {
            RadioKey::Tagged(tag.to_owned())
        } else if network.sector_of(device).is_some_and(|s| s.peers.contains(peer)) {
            match network.devices.get(peer.as_str()).and_then(|d| d.mac.clone()) {
                Some(mac) => RadioKey::Tagged(mac),
                None => RadioKey::Unnamed,
            }
        } else {
            RadioKey::Only
        };
        Self { device: device.clone(), radio, cable: link.medium == Medium::Cable }
    }

    fn radio<'a>(&self, held: &'a DeviceReadings) -> Option<&'a Held> {
        match &self.radio {
            RadioKey::Only => held.radios.get(ONLY_RADIO).or_else(|| {
                // A family may number its only radio otherwise.
                let mut own = held.radios.iter().filter(|(name, _)| name.as_str() != SECTOR_RADIO);
                match (own.next(), own.next()) {
                    (Some((_, only)), None) => Some(only),
                    _ => None,
                }
            }),
            RadioKey::Tagged(tag) => held.radios.get(tag),
            RadioKey::Unnamed => None,
        }
    }

    /// The radio itself carries traffic on its own backup channel.
    pub fn on_backup_channel(&self, held: Option<&DeviceReadings>, fresh: Fresh) -> bool {
        let radio = held.and_then(|h| self.radio(h));
        !self.cable && radio.and_then(|r| r.flag("on_standby_flag", fresh)) == Some(true)
    }

    /// What this end says.
    pub fn facts(&self, device: &Device, held: Option<&DeviceReadings>, fresh: Fresh, agent_alive: bool) -> EndFacts {
        let polled = device.credential.is_some();
        let Some(held) = held else { return EndFacts::unheard(polled) };
        let port = port(device, held, fresh);
        let radio = if self.cable { None } else { self.radio(held) };
        let field = |name: &str| radio.map_or(Dated::NOT_MEASURED, |r| r.get(name, fresh));
        let (mut throughput_tx, mut throughput_rx) = (field("throughput_tx_mbps"), field("throughput_rx_mbps"));
        if self.cable
            && let Some(port) = port.as_ref().and_then(|p| held.ports.get(&p.name))
        {
            throughput_tx = port.get("throughput_tx_mbps", fresh);
            throughput_rx = port.get("throughput_rx_mbps", fresh);
        }
        EndFacts {
            reachable: reachable(held, fresh, agent_alive),
            stale: held.latest().is_some_and(|at| !fresh.is(at)),
            polled,
            link_up: radio.and_then(|r| r.flag("link_up_flag", fresh)),
            capacity_tx: field("capacity_tx_mbps"),
            capacity_rx: field("capacity_rx_mbps"),
            throughput_tx,
            throughput_rx,
            port,
        }
    }

    /// Levels that `usual` is made of: RSL and SNR.
    pub fn levels(&self, held: Option<&DeviceReadings>, fresh: Fresh) -> [Dated; 2] {
        let radio = held.filter(|_| !self.cable).and_then(|h| self.radio(h));
        ["rsl_dbm", "snr_db"].map(|name| radio.map_or(Dated::NOT_MEASURED, |r| r.get(name, fresh)))
    }

    /// The end as evidence.
    pub fn view(&self, device: &Device, held: Option<&DeviceReadings>, fresh: Fresh, usual: &Usual) -> EndView {
        let radio = held.filter(|_| !self.cable).and_then(|h| self.radio(h));
        let sector = held.and_then(|h| h.radios.get(SECTOR_RADIO));
        let get = |from: Option<&Held>, name: &str| from.map_or(Dated::NOT_MEASURED, |h| h.get(name, fresh)).reading;
        // An access point tells its noise and air time once for all peers.
        let either = |name: &str| match get(radio, name) {
            Reading::Missing(_) if self.radio != RadioKey::Only => get(sector, name),
            reading => reading,
        };
        let port = held.and_then(|h| port(device, h, fresh));
        EndView {
            device: device.id.clone(),
            site: device.site.clone(),
            answers: held.and_then(|h| answers(device, h, fresh)),
            seen_at: held.and_then(DeviceReadings::seen_at),
            profile: profile(device, held).map(str::to_owned),
            model: held.and_then(|h| h.model.clone()),
            firmware: held.and_then(|h| h.firmware.clone()),
            modulation: held.and_then(|h| self.text(&h.modulation)).cloned(),
            rsl_dbm: get(radio, "rsl_dbm"),
            rsl_dbm_usual: usual.rsl_dbm.usual(),
            snr_db: get(radio, "snr_db"),
            snr_db_usual: usual.snr_db.usual(),
            noise_floor_dbm: either("noise_floor_dbm"),
            channel_mhz: either("channel_mhz"),
            tx_power_dbm: either("tx_power_dbm"),
            airtime_percent: either("airtime_percent"),
            capacity_tx_mbps: get(radio, "capacity_tx_mbps"),
            capacity_rx_mbps: get(radio, "capacity_rx_mbps"),
            capacity_not_measurable_since: held.zip(radio).and_then(|(h, r)| self.capacity_lost(h, r, fresh)),
            port_rate_mbps: port.map_or(Dated::NOT_MEASURED.reading, |p| Reading::value(p.rate_mbps)),
            supply_volts: get(held.map(|h| &h.power), "supply_volts"),
            temperature_celsius: get(held.map(|h| &h.power), "temperature_celsius"),
            loss_percent: get(held.map(|h| &h.ping), "loss_percent"),
            rtt_ms_median: get(held.map(|h| &h.ping), "rtt_ms_median"),
        }
    }

    /// What is said of this end's radio in words.
    fn text<'a>(&self, by_radio: &'a BTreeMap<String, String>) -> Option<&'a String> {
        match &self.radio {
            RadioKey::Only => by_radio.get(ONLY_RADIO).or_else(|| by_radio.values().next()),
            RadioKey::Tagged(tag) => by_radio.get(tag),
            RadioKey::Unnamed => None,
        }
    }

    fn capacity_lost(&self, held: &DeviceReadings, radio: &Held, fresh: Fresh) -> Option<String> {
        let lost = |name: &str| radio.get(name, fresh).reading == Reading::Missing(Missing::NoLongerOffered);
        let known = || self.text(&held.capacity_lost).or(held.firmware.as_ref()).cloned().unwrap_or_default();
        (lost("capacity_tx_mbps") || lost("capacity_rx_mbps")).then(known)
    }
}

/// The device by itself.
pub fn device_view(device: &Device, held: &DeviceReadings, fresh: Fresh, agent_alive: bool) -> DeviceView {
    let power = |name: &str| held.power.get(name, fresh).reading;
    let ping = |name: &str| held.ping.get(name, fresh).reading;
    DeviceView {
        site: device.site.clone(),
        answers: reachable(held, fresh, agent_alive),
        loss_percent: ping("loss_percent"),
        rtt_ms_median: ping("rtt_ms_median"),
        port_rate_mbps: port(device, held, fresh).map_or(Dated::NOT_MEASURED.reading, |p| Reading::value(p.rate_mbps)),
        supply_volts: power("supply_volts"),
        battery_percent: power("battery_percent"),
        on_battery: held.power.flag("on_battery_flag", fresh),
        temperature_celsius: power("temperature_celsius"),
    }
}

/// The family by which a device is read: the inventory's word, else what it says of itself.
pub fn profile<'a>(device: &'a Device, held: Option<&'a DeviceReadings>) -> Option<&'a str> {
    device.profile.as_deref().or_else(|| held?.profile.as_deref())
}

/// Did it answer its last poll? A device that is only pinged answers pings.
fn answers(device: &Device, held: &DeviceReadings, fresh: Fresh) -> Option<bool> {
    match device.credential {
        Some(_) => held.status.flag("snmp_up_flag", fresh),
        None => pinged(held, fresh),
    }
}

fn pinged(held: &DeviceReadings, fresh: Fresh) -> Option<bool> {
    held.ping.get("loss_percent", fresh).get().map(|loss| loss < 100.0)
}

/// It answered SNMP or ICMP; no only where its agent is alive to say so.
pub fn reachable(held: &DeviceReadings, fresh: Fresh, agent_alive: bool) -> Option<bool> {
    match (held.status.flag("snmp_up_flag", fresh), pinged(held, fresh)) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), _) | (_, Some(false)) if agent_alive => Some(false),
        _ => None,
    }
}

/// The Ethernet port that caps what passes through a device: the slowest of those that the inventory names, else the
/// only one that is up. Named ports that are down are out of use as long as another one is up.
pub fn port(device: &Device, held: &DeviceReadings, fresh: Fresh) -> Option<PortFacts> {
    let named = !device.ports.is_empty();
    let watched = held.ports.iter().filter(|(name, _)| !named || device.ports.contains(name));
    let mut up = Vec::new();
    let mut down = None;
    for (name, port) in watched {
        match port.flag("up_flag", fresh) {
            Some(true) => up.push((name, port.get("rate_mbps", fresh))),
            Some(false) => down = Some((name, port.get("up_flag", fresh).at)),
            None => {}
        }
    }
    let facts = |name: &String, rate_mbps, at| PortFacts { name: name.clone(), rate_mbps, at, named };
    if up.is_empty() && named {
        return down.map(|(name, at)| facts(name, 0.0, at));
    }
    if !named && up.len() != 1 {
        return None;
    }
    up.into_iter()
        .filter_map(|(name, rate)| Some((name, rate.get().filter(|r| *r > 0.0)?, rate.at)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(name, rate, at)| facts(name, rate, at))
}

/// Readings that "usual" is made of: two hours at a poll a minute.
const USUAL_READINGS_MAX: usize = 120;
/// Under so many readings nothing is usual yet.
const USUAL_READINGS_MIN: usize = 5;

/// The last readings of one level while its link was well.
///
/// A fade can leave a link all it needs for a long while, and must not become usual. Weather only takes level away,
/// so the upper quartile is the level without it, as long as a quarter of the readings had none.
#[derive(Debug, Clone, Default)]
pub struct Ring {
    values: VecDeque<f64>,
    last_at: Option<UnixMillis>,
    upper_quartile: Option<f64>,
}

impl Ring {
    pub fn push(&mut self, level: Dated) {
        let (Some(value), Some(at)) = (level.get(), level.at) else { return };
        if self.last_at.is_some_and(|last| at <= last) {
            return;
        }
        self.last_at = Some(at);
        if self.values.len() == USUAL_READINGS_MAX {
            self.values.pop_front();
        }
        self.values.push_back(value);
        let mut sorted: Vec<f64> = self.values.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        self.upper_quartile = (sorted.len() >= USUAL_READINGS_MIN).then(|| sorted[sorted.len() * 3 / 4]);
    }

    pub fn usual(&self) -> Option<f64> {
        self.upper_quartile
    }
}

/// What is usual at one end of a link.
#[derive(Debug, Clone, Default)]
pub struct Usual {
    pub rsl_dbm: Ring,
    pub snr_db: Ring,
}
