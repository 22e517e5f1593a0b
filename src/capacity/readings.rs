//! The latest readings of everything in the inventory, as samples bring them.
//!
//! Bounded by the inventory: what it does not know is counted and dropped. Samples may come late and out of order
//! (a backlog): an older reading never replaces a newer one. A reading is too old after three poll intervals
//! ([`super::STALE_INTERVALS`]); then it is `Missing(Stale)`, with the time of the last one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::link::Dated;
use crate::catalogue;
use crate::model::network::Network;
use crate::model::{BackhaulId, DeviceId, Missing, Reading, Sample, ServiceId, SiteId, Tag, UnixMillis};

/// Clocks of agents may be ahead by this; a sample from further in the future counts as taken when it was received.
pub const AHEAD_MAX: Duration = Duration::from_mins(5);
/// Ports kept of one device: a large switch has 52, with some to spare.
const PORTS_MAX: usize = 64;
/// Radios kept of one device besides the known peers of a sector: as many as a family tells of at the most (24 carriers of
/// a MINI-LINK node; a MultiHaul has 16 links).
const RADIOS_MAX: usize = 24;
/// Longest text kept of a radio (model, firmware), in characters.
const TEXT_CHARS_MAX: usize = 128;
/// The tag `radio` of a sector's own figures.
pub const SECTOR_RADIO: &str = "sector";

/// Samples that changed nothing, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ignored {
    /// About something that the inventory does not have, or from an agent that does not watch it.
    pub unknown_subject: u64,
    /// Older than what is held.
    pub late: u64,
    /// More ports or radios than a device can have.
    pub beyond_bounds: u64,
}

/// The latest reading of each field of one subject.
#[derive(Debug, Clone, Default)]
pub struct Held {
    fields: BTreeMap<&'static str, (UnixMillis, Reading)>,
}

impl Held {
    /// Takes what is not older than what is held; `false` if all of it was.
    fn take(&mut self, sample: &Sample, at: UnixMillis) -> bool {
        let mut newer = sample.readings.is_empty();
        for (name, reading) in &sample.readings {
            let held = self.fields.entry(name).or_insert((at, *reading));
            if held.0 <= at {
                *held = (at, *reading);
                newer = true;
            }
        }
        newer
    }

    pub fn get(&self, name: &str, fresh: Fresh) -> Dated {
        match self.fields.get(name) {
            None => Dated::NOT_MEASURED,
            Some((at, _)) if !fresh.is(*at) => Dated { reading: Reading::Missing(Missing::Stale), at: Some(*at) },
            Some((at, reading)) => Dated { reading: *reading, at: Some(*at) },
        }
    }

    /// A field that is 1 for yes and 0 for no.
    pub fn flag(&self, name: &str, fresh: Fresh) -> Option<bool> {
        self.get(name, fresh).get().map(|v| v >= 0.5)
    }

    fn latest(&self) -> Option<UnixMillis> {
        self.fields.values().map(|(at, _)| *at).max()
    }
}

/// Tells what is too old.
#[derive(Debug, Clone, Copy)]
pub struct Fresh {
    pub since: UnixMillis,
}

impl Fresh {
    pub fn is(self, at: UnixMillis) -> bool {
        at >= self.since
    }
}

/// Everything held of one device.
#[derive(Debug, Clone, Default)]
pub struct DeviceReadings {
    pub status: Held,
    pub ping: Held,
    pub power: Held,
    pub radios: BTreeMap<String, Held>,
    pub ports: BTreeMap<String, Held>,
    pub profile: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub modulation: BTreeMap<String, String>,
    /// By radio: the firmware since which it has no capacity. Holds only while the capacity says so.
    pub capacity_lost: BTreeMap<String, String>,
    /// When it last answered anything, by the agent that asked.
    pub answered: BTreeMap<SiteId, UnixMillis>,
    texts_at: UnixMillis,
}

impl DeviceReadings {
    /// When it last answered anybody.
    pub fn seen_at(&self) -> Option<UnixMillis> {
        self.answered.values().copied().max()
    }

    /// Its last poll and its last ping, whichever is later.
    pub fn latest(&self) -> Option<UnixMillis> {
        self.status.latest().max(self.ping.latest())
    }

    fn note_answer(&mut self, agent: &SiteId, at: UnixMillis) {
        let seen = self.answered.entry(agent.clone()).or_insert(at);
        *seen = at.max(*seen);
    }
}

/// All readings.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    pub devices: BTreeMap<DeviceId, DeviceReadings>,
    pub backhauls: BTreeMap<BackhaulId, Held>,
    pub services: BTreeMap<(ServiceId, SiteId), Held>,
    /// When something of an agent last arrived, by the hub's clock.
    pub heard: BTreeMap<SiteId, UnixMillis>,
    pub ignored: Ignored,
}

/// What became of a sample.
enum Taken {
    Yes,
    Late,
    UnknownSubject,
    BeyondBounds,
}

impl Readings {
    /// Takes one sample that an agent sent. `received_at` is the hub's clock.
    pub fn take(&mut self, network: &Network, agent: &SiteId, sample: &Sample, received_at: UnixMillis) {
        if !self.hear(network, agent, received_at) {
            self.ignored.unknown_subject += 1;
            return;
        }
        let at = if sample.at > received_at + AHEAD_MAX { received_at } else { sample.at };
        let taken = match sample.measurement.name {
            name if name == catalogue::SERVICE.name => self.take_service(network, agent, sample, at),
            name if name == catalogue::PING.name && sample.tags.contains_key(&Tag::Backhaul) => {
                self.take_backhaul(network, sample, at)
            }
            // The agent on itself is no part of the network's capacity.
            name if name == catalogue::AGENT.name => Taken::Yes,
            _ => self.take_device(network, agent, sample, at),
        };
        match taken {
            Taken::Yes => {}
            Taken::Late => self.ignored.late += 1,
            Taken::UnknownSubject => self.ignored.unknown_subject += 1,
            Taken::BeyondBounds => self.ignored.beyond_bounds += 1,
        }
    }

    /// Notes that something of an agent arrived; `false`: the network has no such agent.
    pub fn hear(&mut self, network: &Network, agent: &SiteId, received_at: UnixMillis) -> bool {
        if !network.sites.contains_key(agent) {
            return false;
        }
        let heard = self.heard.entry(agent.clone()).or_insert(received_at);
        *heard = received_at.max(*heard);
        true
    }

    fn take_service(&mut self, network: &Network, agent: &SiteId, sample: &Sample, at: UnixMillis) -> Taken {
        let service = sample.tag_value(Tag::Service).and_then(|id| network.services.get(id));
        let Some(service) = service.filter(|s| s.from.contains(agent)) else { return Taken::UnknownSubject };
        late_unless(self.services.entry((service.id.clone(), agent.clone())).or_default().take(sample, at))
    }

    fn take_backhaul(&mut self, network: &Network, sample: &Sample, at: UnixMillis) -> Taken {
        match sample.tag_value(Tag::Backhaul).and_then(|id| network.backhauls.get(id)) {
            Some(backhaul) => late_unless(self.backhauls.entry(backhaul.id.clone()).or_default().take(sample, at)),
            None => Taken::UnknownSubject,
        }
    }

    fn take_device(&mut self, network: &Network, agent: &SiteId, sample: &Sample, at: UnixMillis) -> Taken {
        let Some(device) = sample.tag_value(Tag::Device).and_then(|id| network.devices.get(id)) else {
            return Taken::UnknownSubject;
        };
        let own = device.via == *agent;
        let is_ping = sample.measurement.name == catalogue::PING.name;
        if !own && !is_ping {
            return Taken::UnknownSubject;
        }
        let held = self.devices.entry(device.id.clone()).or_default();
        let answered = |name: &str, yes: fn(f64) -> bool| sample.reading(name).and_then(Reading::get).is_some_and(yes);
        if answered("snmp_up_flag", |v| v >= 0.5) || (is_ping && answered("loss_percent", |v| v < 100.0)) {
            held.note_answer(agent, at);
        }
        if !own {
            return Taken::Yes;
        }
        match sample.measurement.name {
            name if name == catalogue::PING.name => late_unless(held.ping.take(sample, at)),
            name if name == catalogue::DEVICE.name => late_unless(held.status.take(sample, at)),
            name if name == catalogue::POWER.name => late_unless(held.power.take(sample, at)),
            name if name == catalogue::PORT.name => {
                let port = sample.tag_value(Tag::Port).unwrap_or_default();
                slot(&mut held.ports, port, PORTS_MAX).map_or(Taken::BeyondBounds, |p| late_unless(p.take(sample, at)))
            }
            name if name == catalogue::RADIO.name => {
                let radio = sample.tag_value(Tag::Radio).unwrap_or(super::ends::ONLY_RADIO);
                let max = RADIOS_MAX + network.sector_of(&device.id).map_or(0, |s| s.peers.len());
                slot(&mut held.radios, radio, max).map_or(Taken::BeyondBounds, |r| late_unless(r.take(sample, at)))
            }
            name if name == catalogue::RADIO_INFO.name => take_texts(held, sample, at),
            _ => Taken::UnknownSubject,
        }
    }
}

fn late_unless(taken: bool) -> Taken {
    if taken { Taken::Yes } else { Taken::Late }
}

fn slot<'a>(map: &'a mut BTreeMap<String, Held>, key: &str, max: usize) -> Option<&'a mut Held> {
    if !map.contains_key(key) {
        if map.len() >= max {
            return None;
        }
        map.insert(key.to_owned(), Held::default());
    }
    map.get_mut(key)
}

fn keep_text(by_radio: &mut BTreeMap<String, String>, radio: &str, text: Option<String>) {
    if let Some(text) = text
        && (by_radio.len() < PORTS_MAX || by_radio.contains_key(radio))
    {
        by_radio.insert(radio.to_owned(), text);
    }
}

fn take_texts(held: &mut DeviceReadings, sample: &Sample, at: UnixMillis) -> Taken {
    if at < held.texts_at {
        return Taken::Late;
    }
    held.texts_at = at;
    let text = |name: &str| sample.texts.get(name).map(|t| t.chars().take(TEXT_CHARS_MAX).collect::<String>());
    held.profile = text("profile").or_else(|| held.profile.take());
    held.model = text("model").or_else(|| held.model.take());
    held.firmware = text("firmware").or_else(|| held.firmware.take());
    let radio = sample.tag_value(Tag::Radio).unwrap_or(super::ends::ONLY_RADIO);
    keep_text(&mut held.modulation, radio, text("modulation"));
    keep_text(&mut held.capacity_lost, radio, text("capacity_lost_firmware"));
    Taken::Yes
}
