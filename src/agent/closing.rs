//! When a batch is closed. `[P]`
//!
//! Large batches cost little on the wire: what surrounds a batch costs as much as a hundred values, and a text of many
//! alike lines packs better. So a batch is open for most of a poll interval, but not while somebody may be waiting: for
//! the first figures after a start, and for news (a link comes or goes, a device falls silent or answers again, a
//! port's rate changes), which alerts are made of.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{MonoMillis, Reading, Sample, Tag};

/// A batch is open for this part of the poll interval. Below one, so that the hub has a reading of every subject that is
/// younger than two intervals, which is as long as it believes some of them.
const PART_OF_INTERVAL: f64 = 0.8;
const OPEN_MIN: Duration = Duration::from_millis(100);
/// In the first interval after the start.
const OPEN_AT_FIRST: Duration = Duration::from_millis(2500);
/// News waits so long for more of its kind: one failure shows in many places.
const OPEN_WITH_NEWS: Duration = Duration::from_millis(500);
/// Fields whose change is news: each shows that something came, went, or became another.
const NEWS: [&str; 6] = ["link_up_flag", "up_flag", "snmp_up_flag", "on_battery_flag", "on_standby_flag", "rate_mbps"];
/// The share of echoes lost is noise, all of them is not.
const LOSS: &str = "loss_percent";
/// Values whose last state is kept, 100 bytes or so each: ports of 2,000 devices. What is beyond that is no news.
const WATCHED_MAX: usize = 50_000;

type Subject = (&'static str, &'static str, BTreeMap<Tag, String>);

/// See the module.
#[derive(Debug)]
pub struct Closing {
    interval: Duration,
    /// The first interval ends.
    settled_at: MonoMillis,
    closes_at: MonoMillis,
    /// What was last said; that a reading was missing is a state as well.
    last: BTreeMap<Subject, State>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Missing,
    Value(f64),
}

impl Closing {
    pub fn new(interval: Duration, now: MonoMillis) -> Self {
        let mut closing = Self { interval, settled_at: now + interval, closes_at: now, last: BTreeMap::new() };
        closing.closed(now);
        closing
    }

    /// When the batch that is open now is to be closed.
    pub fn at(&self) -> MonoMillis {
        self.closes_at
    }

    /// The batch was closed, another one is open.
    pub fn closed(&mut self, now: MonoMillis) {
        let usual = self.interval.mul_f64(PART_OF_INTERVAL).max(OPEN_MIN);
        let open = if now < self.settled_at { usual.min(OPEN_AT_FIRST) } else { usual };
        self.closes_at = now + open;
    }

    /// A sample goes into the batch. Its first appearance is no news.
    pub fn see(&mut self, sample: &Sample, now: MonoMillis) {
        let mut news = false;
        for (field, reading) in &sample.readings {
            let state = match reading {
                Reading::Missing(_) => State::Missing,
                Reading::Value { value, .. } if *field == LOSS => State::Value(f64::from(u8::from(*value >= 100.0))),
                Reading::Value { value, .. } => State::Value(*value),
            };
            if !NEWS.contains(field) && *field != LOSS {
                continue;
            }
            let subject = (sample.measurement.name, *field, sample.tags.clone());
            if let Some(last) = self.last.get_mut(&subject) {
                news |= std::mem::replace(last, state) != state;
            } else if self.last.len() < WATCHED_MAX {
                self.last.insert(subject, state);
            }
        }
        if news {
            self.closes_at = self.closes_at.min(now + OPEN_WITH_NEWS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;
    use crate::model::{Missing, UnixMillis};

    const MINUTE: Duration = Duration::from_mins(1);

    fn port(rate: Reading) -> Sample {
        let mut sample = Sample::new(&catalogue::PORT, UnixMillis(0)).tag(Tag::Device, "colle").tag(Tag::Port, "eth0");
        sample.set("rate_mbps", rate);
        sample.set("throughput_tx_mbps", Reading::value(1.0));
        sample
    }

    fn ping(loss: f64) -> Sample {
        let mut sample = Sample::new(&catalogue::PING, UnixMillis(0)).tag(Tag::Device, "colle");
        sample.set("loss_percent", Reading::value(loss));
        sample
    }

    /// Seconds after the last closing at which the batch is closed, where these samples come 10 s apart.
    fn check(samples: &[Sample], expected: f64) {
        let start = MonoMillis(1_000_000);
        let mut closing = Closing::new(MINUTE, start);
        let mut now = start + MINUTE;
        closing.closed(now);
        let closed_at = now;
        for sample in samples {
            closing.see(sample, now);
            now = now + Duration::from_secs(10);
        }
        assert_eq!(closing.at().since(closed_at), Duration::from_secs_f64(expected), "{samples:?}");
    }

    #[test]
    fn news_does_not_wait_and_the_rest_does() {
        let gigabit = port(Reading::value(1000.0));
        check(&[], 48.0);
        check(&[gigabit.clone(), gigabit.clone()], 48.0);
        check(&[gigabit.clone(), port(Reading::value(100.0))], 10.5);
        check(&[gigabit.clone(), port(Reading::Missing(Missing::Timeout))], 10.5);
        check(&[port(Reading::Missing(Missing::Timeout)), port(Reading::Missing(Missing::Unreachable))], 48.0);
        check(&[ping(0.0), ping(60.0), ping(20.0)], 48.0);
        check(&[ping(60.0), ping(100.0), ping(0.0)], 10.5);
        check(&[gigabit, ping(0.0)], 48.0);
        for (measurement, field) in [
            (&catalogue::RADIO, "link_up_flag"),
            (&catalogue::DEVICE, "snmp_up_flag"),
            (&catalogue::PORT, "up_flag"),
            (&catalogue::SERVICE, "up_flag"),
            (&catalogue::POWER, "on_battery_flag"),
        ] {
            let flag = |value| {
                let mut sample = Sample::new(measurement, UnixMillis(0));
                sample.set(field, Reading::value(value));
                sample
            };
            check(&[flag(1.0), flag(0.0)], 10.5);
        }
    }

    #[test]
    fn the_first_figures_come_within_three_seconds() {
        let start = MonoMillis(5);
        let mut closing = Closing::new(MINUTE, start);
        assert_eq!(closing.at(), start + OPEN_AT_FIRST);
        closing.closed(start + Duration::from_secs(59));
        assert_eq!(closing.at(), start + Duration::from_secs(59) + OPEN_AT_FIRST);
        closing.closed(start + MINUTE);
        assert_eq!(closing.at(), start + MINUTE + Duration::from_secs(48));
        let quick = Closing::new(Duration::from_secs(1), start);
        assert_eq!(quick.at(), start + Duration::from_millis(800));
    }
}
