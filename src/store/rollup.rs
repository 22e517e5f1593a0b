//! Rollups: what a month of raw batches comes to, small enough to be kept for years. `[P]`
//!
//! A rollup is a sum: smallest, largest, sum and count of a bucket, of capacity also the seconds that are known and
//! those below what is required. Sums can be added in any order, and every batch is stored once; so each batch is added
//! once, when it comes, to the buckets that its samples belong to. Data that come late amend old buckets in the same
//! way, also those whose raw batches are gone. Whole numbers only: adding never rounds.

pub mod codec;
pub mod gather;
pub mod window;

use std::time::Duration;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::model::UnixMillis;

/// Width of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    FiveMinutes,
    Hour,
    /// A day of the network's time zone: 23, 24 or 25 hours.
    Day,
}

const EPOCH: Date = date(1970, 1, 1);

impl Step {
    pub const ALL: [Self; 3] = [Self::FiveMinutes, Self::Hour, Self::Day];

    /// In the ledger.
    pub fn code(self) -> i64 {
        match self {
            Self::FiveMinutes => 1,
            Self::Hour => 2,
            Self::Day => 3,
        }
    }

    /// How long its buckets are kept.
    pub fn kept(self) -> Duration {
        Duration::from_hours(24)
            * match self {
                Self::FiveMinutes => 90,
                Self::Hour => 2 * 366,
                Self::Day => 10 * 366,
            }
    }

    /// Buckets that are stored together: a day, a week, a quarter of a year.
    pub fn chunk_buckets(self) -> i64 {
        match self {
            Self::FiveMinutes => 288,
            Self::Hour => 168,
            Self::Day => 92,
        }
    }

    /// Number of the bucket that holds an instant: of five minutes and hours since 1970, of days by the calendar.
    pub fn bucket(self, zone: &TimeZone, at: UnixMillis) -> i64 {
        match self {
            Self::FiveMinutes => at.0.div_euclid(300_000),
            Self::Hour => at.0.div_euclid(3_600_000),
            Self::Day => {
                let at = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
                let day = at.to_zoned(zone.clone()).date();
                EPOCH.until(day).map_or(0, |span| i64::from(span.get_days()))
            }
        }
    }

    /// When a bucket begins; it ends where the next one begins.
    pub fn start(self, zone: &TimeZone, bucket: i64) -> UnixMillis {
        match self {
            Self::FiveMinutes => UnixMillis(bucket.saturating_mul(300_000)),
            Self::Hour => UnixMillis(bucket.saturating_mul(3_600_000)),
            Self::Day => {
                let day = Span::new().try_days(bucket).and_then(|days| EPOCH.checked_add(days)).unwrap_or(EPOCH);
                let start = day.to_zoned(zone.clone()).map_or(Timestamp::UNIX_EPOCH, |z| z.timestamp());
                UnixMillis(start.as_millisecond())
            }
        }
    }
}

/// What is rolled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Of a direction of an edge, as the hub worked it out.
    Capacity,
    Throughput,
    /// Of a radio.
    Rsl,
    Snr,
    /// Of echoes to a device, or of a backhaul to addresses outside.
    Loss,
    Rtt,
}

impl Field {
    pub const ALL: [Self; 6] = [Self::Capacity, Self::Throughput, Self::Rsl, Self::Snr, Self::Loss, Self::Rtt];

    /// In the ledger.
    pub fn code(self) -> i64 {
        match self {
            Self::Capacity => 1,
            Self::Throughput => 2,
            Self::Rsl => 3,
            Self::Snr => 4,
            Self::Loss => 5,
            Self::Rtt => 6,
        }
    }

    /// Its name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capacity => "capacity_mbps",
            Self::Throughput => "throughput_mbps",
            Self::Rsl => "rsl_dbm",
            Self::Snr => "snr_db",
            Self::Loss => "loss_percent",
            Self::Rtt => "rtt_ms_median",
        }
    }

    /// Rolled up values are whole multiples of one over this: a tenth, of times a hundredth.
    fn scale(self) -> f64 {
        if self == Self::Rtt { 100.0 } else { 10.0 }
    }

    /// A value in whole multiples; `None` where it is no number, or beyond what any field can be.
    pub fn whole(self, value: f64) -> Option<i64> {
        let scaled = (value * self.scale()).round();
        // 10^9 Mbps: past every catalogue's range, and a sum of 2^32 of them fits.
        (scaled.abs() <= 1e9).then_some(scaled as i64)
    }

    pub fn value(self, whole: i64) -> f64 {
        whole as f64 / self.scale()
    }
}

/// One bucket of one series. Values are whole multiples (see [`Field::whole`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    pub min: i64,
    pub max: i64,
    pub sum: i64,
    /// Readings; 0: the reading is missing throughout.
    pub count: u32,
    /// Of capacity: for how long it was known, and of this, for how long it was below what is required.
    pub known_secs: u32,
    pub below_secs: u32,
    /// Of capacity: the most that was required.
    pub required: i64,
}

impl Figures {
    /// Of one reading.
    pub fn one(whole: i64) -> Self {
        Self { min: whole, max: whole, sum: whole, count: 1, ..Self::default() }
    }

    /// Adds what another has counted. In any order the same comes out.
    pub fn add(&mut self, other: &Self) {
        match (self.count, other.count) {
            (_, 0) => {}
            (0, _) => (self.min, self.max) = (other.min, other.max),
            _ => (self.min, self.max) = (self.min.min(other.min), self.max.max(other.max)),
        }
        self.sum = self.sum.saturating_add(other.sum);
        self.count = self.count.saturating_add(other.count);
        self.known_secs = self.known_secs.saturating_add(other.known_secs);
        self.below_secs = self.below_secs.saturating_add(other.below_secs);
        self.required = self.required.max(other.required);
    }

    /// Mean in whole multiples, not rounded; `None` where nothing is known.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / f64::from(self.count))
    }
}

#[cfg(test)]
mod tests;
