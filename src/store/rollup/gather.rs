//! What samples add to which buckets. `[P]`

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Field, Figures, Step};
use crate::model::network::Network;
use crate::model::{Reading, Sample, Tag, UnixMillis};

/// A sample this far ahead of its arrival is of a clock that is wrong: it belongs nowhere.
const AHEAD_MAX: Duration = Duration::from_hours(1);

/// A series: a field, and of what. Names are made by the functions below.
pub type Series = (Field, String);
/// Of one series, buckets and what is added to them.
pub type Sums = BTreeMap<(Step, i64), Figures>;

/// `kind`: `link` (bundles too) or `backhaul`; `direction`: `downstream` or `upstream`.
pub fn edge_name(kind: &str, id: &str, direction: &str) -> String {
    let kind = if kind == "backhaul" { "backhaul" } else { "link" };
    format!("{kind}/{id}/{direction}")
}

/// Of one radio of a device; where the radio is not said, what the names of all of them begin with.
pub fn radio_name(device: &str, radio: Option<&str>) -> String {
    format!("radio/{device}/{}", radio.unwrap_or_default())
}

/// Of echoes to a device.
pub fn device_ping_name(device: &str) -> String {
    format!("ping/{device}/")
}

/// Of echoes through a backhaul to addresses outside.
pub fn backhaul_ping_name(backhaul: &str) -> String {
    format!("ping-outside/{backhaul}/")
}

/// How far the batches were added, and when the hub's own figures were last made: the seconds that a figure stands for
/// are those since the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    pub row: i64,
    /// The newest figures, and those before; 0: none yet.
    pub own_at: i64,
    pub own_before: i64,
}

impl Cursor {
    /// The seconds that figures made then stand for: from, to. After a gap, or a clock that was set back, one interval.
    fn span(&mut self, at: UnixMillis, interval: Duration) -> (i64, i64) {
        if at.0 != self.own_at {
            (self.own_before, self.own_at) = (self.own_at, at.0);
        }
        let nominal = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        let since = self.own_at.saturating_sub(self.own_before);
        let span = if since > 0 && since <= nominal.saturating_mul(2) { since } else { nominal };
        (at.0.saturating_sub(span).div_euclid(1000), at.0.div_euclid(1000))
    }
}

/// Adds samples to buckets. Only of what the inventory names: names come from the network, and their number is bounded.
pub struct Gatherer<'a> {
    known: BTreeSet<(&'static str, &'a str)>,
    zone: &'a TimeZone,
    /// How often the hub writes its own figures.
    interval: Duration,
    now: UnixMillis,
    pub sums: BTreeMap<Series, Sums>,
    pub buckets: usize,
}

impl<'a> Gatherer<'a> {
    pub fn new(network: &'a Network, zone: &'a TimeZone, interval: Duration, now: UnixMillis) -> Self {
        let links = network.links.keys().map(|id| ("link", id.as_str()));
        let bundles = network.bundles.keys().map(|id| ("link", id.as_str()));
        let backhauls = network.backhauls.keys().map(|id| ("backhaul", id.as_str()));
        let devices = network.devices.keys().map(|id| ("device", id.as_str()));
        let known = links.chain(bundles).chain(backhauls).chain(devices).collect();
        Self { known, zone, interval, now, sums: BTreeMap::new(), buckets: 0 }
    }

    /// Whether a line of line protocol can matter, by its measurement.
    pub fn wants(line: &str) -> bool {
        ["radio,", "ping,", "link,"].iter().any(|m| line.starts_with(m))
    }

    fn subject<'s>(&self, kind: &'static str, sample: &'s Sample, tag: Tag) -> Option<&'s str> {
        sample.tag_value(tag).filter(|id| self.known.contains(&(kind, *id)))
    }

    /// Adds a sample that was measured at an instant. Samples of `link` are the hub's own and come in its order.
    pub fn take(&mut self, sample: &Sample, at: UnixMillis, cursor: &mut Cursor) {
        match sample.measurement.name {
            "link" => self.take_edge(sample, at, cursor),
            "radio" => {
                if let Some(device) = self.subject("device", sample, Tag::Device) {
                    let name = radio_name(device, sample.tag_value(Tag::Radio));
                    self.take_fields(sample, &name, at, &[Field::Rsl, Field::Snr]);
                }
            }
            "ping" => {
                let name = match self.subject("backhaul", sample, Tag::Backhaul) {
                    Some(backhaul) => backhaul_ping_name(backhaul),
                    None => match self.subject("device", sample, Tag::Device) {
                        Some(device) => device_ping_name(device),
                        None => return,
                    },
                };
                self.take_fields(sample, &name, at, &[Field::Loss, Field::Rtt]);
            }
            _ => {}
        }
    }

    fn take_fields(&mut self, sample: &Sample, name: &str, at: UnixMillis, fields: &[Field]) {
        for field in fields {
            if let Some(whole) = whole(sample, *field) {
                self.add(*field, name, at, &Figures::one(whole));
            }
        }
    }

    fn take_edge(&mut self, sample: &Sample, at: UnixMillis, cursor: &mut Cursor) {
        let edge = self.subject("link", sample, Tag::Link).map(|id| ("link", id));
        let edge = edge.or_else(|| self.subject("backhaul", sample, Tag::Backhaul).map(|id| ("backhaul", id)));
        let (from, to) = cursor.span(at, self.interval);
        let (Some((kind, id)), Some(direction)) = (edge, sample.tag_value(Tag::Direction)) else { return };
        let name = edge_name(kind, id, direction);
        if let Some(whole) = whole(sample, Field::Throughput) {
            self.add(Field::Throughput, &name, at, &Figures::one(whole));
        }
        let required = sample.reading("required_mbps").and_then(Reading::get).filter(|r| *r > 0.0);
        let asked =
            Figures { required: required.and_then(|r| Field::Capacity.whole(r)).unwrap_or(0), ..Figures::default() };
        let Some(capacity) = sample.reading("capacity_mbps").and_then(Reading::get) else {
            if asked.required > 0 {
                self.add(Field::Capacity, &name, at, &asked);
            }
            return;
        };
        let Some(whole) = Field::Capacity.whole(capacity) else { return };
        self.add(Field::Capacity, &name, at, &Figures { required: asked.required, ..Figures::one(whole) });
        let below = required.is_some_and(|required| capacity + 1e-6 < required);
        self.add_span(&name, (from, to), below);
    }

    /// Seconds of known capacity, to each bucket those that it holds.
    fn add_span(&mut self, name: &str, (from, to): (i64, i64), below: bool) {
        for step in Step::ALL {
            let mut from = from;
            while from < to {
                let bucket = step.bucket(self.zone, UnixMillis(from.saturating_mul(1000)));
                let end = step.start(self.zone, bucket + 1).0.div_euclid(1000).min(to);
                // A calendar that does not go on must not hold the hub up.
                let end = if end > from { end } else { to };
                let secs = u32::try_from(end - from).unwrap_or(u32::MAX);
                let below_secs = if below { secs } else { 0 };
                self.put(
                    Field::Capacity,
                    name,
                    step,
                    bucket,
                    &Figures { known_secs: secs, below_secs, ..Figures::default() },
                );
                from = end;
            }
        }
    }

    fn add(&mut self, field: Field, name: &str, at: UnixMillis, figures: &Figures) {
        if at > self.now + AHEAD_MAX {
            return;
        }
        for step in Step::ALL {
            self.put(field, name, step, step.bucket(self.zone, at), figures);
        }
    }

    fn put(&mut self, field: Field, name: &str, step: Step, bucket: i64, figures: &Figures) {
        // What is older than its buckets are kept adds to the wider ones only.
        if bucket < step.bucket(self.zone, self.now - step.kept()) {
            return;
        }
        let sums = self.sums.entry((field, name.to_owned())).or_default();
        let entry = sums.entry((step, bucket)).or_insert_with(|| {
            self.buckets += 1;
            Figures::default()
        });
        entry.add(figures);
    }
}

fn whole(sample: &Sample, field: Field) -> Option<i64> {
    field.whole(sample.reading(field.name())?.get()?)
}
