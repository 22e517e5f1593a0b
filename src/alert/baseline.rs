//! The level that a radio usually receives at this time of day. `[P]`
//!
//! A day is eight blocks of three hours, by the sun (UTC: the sun keeps no daylight-saving time). Of each block of the
//! last [`DAYS`] days one median is kept. What is usual now is the median of the same block and its neighbours, one
//! block before and after, over those days; the spread is their median absolute deviation, as a standard deviation.
//!
//! **Not poisoned.** A reading that is itself below the usual teaches nothing; one bad day in many moves no median.
//! What lasts for [`AGE_DAYS`] days becomes usual all the same, for by then nothing newer is known.
//!
//! Bounded: 14 days × 8 blocks × 4 bytes an end. A block is written when it ends; a restart costs the readings of the
//! block that runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{LinkId, UnixMillis};

const BLOCKS: usize = 8;
const BLOCK_MS: i64 = 24 * 3600 * 1000 / BLOCKS as i64;
/// Medians kept of each block of the day.
const DAYS: usize = 14;
/// Older ones are forgotten.
const AGE_DAYS: i64 = 30;
/// One reading is kept in five minutes, so 36 a block.
const READING_MS: i64 = 5 * 60 * 1000;
/// A block of fewer readings says nothing.
const BLOCK_READINGS_MIN: usize = 6;
/// From so many days on a level is usual.
const DAYS_MIN: usize = 3;
/// Radios report in steps of 1 dB.
const SPREAD_DB_MIN: f64 = 1.0;
/// Of a normal distribution the median absolute deviation is 0.6745 standard deviations.
const MAD_TO_SIGMA: f64 = 1.4826;
/// So many standard deviations are not chance.
const WIDE_SIGMAS: f64 = 4.0;
/// What a reading may be below the usual and still teach.
const TEACHES_DB: f64 = 6.0;

/// What is usual now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsualLevel {
    pub median_dbm: f64,
    pub sigma_db: f64,
}

impl UsualLevel {
    /// A drop that the usual spread does not explain.
    pub fn wide_db(self) -> f64 {
        WIDE_SIGMAS * self.sigma_db
    }
}

/// Of one end: the medians, and the block that runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Baseline {
    /// Number of the block since 1970 and its median, tenths of a dBm; oldest first.
    medians: Vec<(i64, i16)>,
    #[serde(skip)]
    running: Running,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Running {
    block: i64,
    last_ms: i64,
    dbm: Vec<f64>,
    usual: Option<(i64, Option<UsualLevel>)>,
}

fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let mid = values.len() / 2;
    Some(if values.len().is_multiple_of(2) { f64::midpoint(values[mid - 1], values[mid]) } else { values[mid] })
}

impl Baseline {
    /// Takes a reading of a link that is up. True if a block has ended and is to be written.
    pub fn observe(&mut self, dbm: f64, now: UnixMillis) -> bool {
        let block = now.0.div_euclid(BLOCK_MS);
        let mut ended = false;
        if self.running.block != block {
            ended = self.end_block(block);
            let usual = self.reckon(block);
            self.running = Running { block, last_ms: i64::MIN, dbm: Vec::new(), usual: Some((block, usual)) };
        }
        let due = now.0.saturating_sub(self.running.last_ms) >= READING_MS || now.0 < self.running.last_ms;
        let usual = self.usual(now);
        let teaches = usual.is_none_or(|u| u.median_dbm - dbm < TEACHES_DB.max(u.wide_db()));
        if due && teaches && self.running.dbm.len() < (BLOCK_MS / READING_MS) as usize {
            self.running.last_ms = now.0;
            self.running.dbm.push(dbm);
        }
        ended
    }

    fn end_block(&mut self, now_block: i64) -> bool {
        let running = std::mem::take(&mut self.running);
        let mut dbm = running.dbm;
        let enough = dbm.len() >= BLOCK_READINGS_MIN;
        let before = self.medians.len();
        // A clock that was set back must not leave days that never end.
        self.medians.retain(|(b, _)| now_block - *b <= AGE_DAYS * BLOCKS as i64 && *b <= now_block);
        if enough && let Some(level) = median(&mut dbm) {
            self.medians.retain(|(b, _)| *b != running.block);
            self.medians.push((running.block, (level * 10.0).round() as i16));
            if self.medians.len() > DAYS * BLOCKS {
                self.medians.remove(0);
            }
        }
        enough || before != self.medians.len()
    }

    fn reckon(&self, block: i64) -> Option<UsualLevel> {
        let near = |b: i64| {
            let apart = (b - block).rem_euclid(BLOCKS as i64);
            apart <= 1 || apart == BLOCKS as i64 - 1
        };
        let fresh = |b: i64| block - b <= AGE_DAYS * BLOCKS as i64;
        let found: Vec<(i64, f64)> = self
            .medians
            .iter()
            .filter(|(b, _)| near(*b) && fresh(*b))
            .map(|(b, tenths)| (b.div_euclid(BLOCKS as i64), f64::from(*tenths) / 10.0))
            .collect();
        let mut days: Vec<i64> = found.iter().map(|(day, _)| *day).collect();
        days.dedup();
        if days.len() < DAYS_MIN {
            return None;
        }
        let mut levels: Vec<f64> = found.iter().map(|(_, dbm)| *dbm).collect();
        let median_dbm = median(&mut levels)?;
        let mut off: Vec<f64> = levels.iter().map(|dbm| (dbm - median_dbm).abs()).collect();
        Some(UsualLevel { median_dbm, sigma_db: (median(&mut off)? * MAD_TO_SIGMA).max(SPREAD_DB_MIN) })
    }

    /// `None` until three days are known.
    pub fn usual(&self, now: UnixMillis) -> Option<UsualLevel> {
        let block = now.0.div_euclid(BLOCK_MS);
        match self.running.usual {
            Some((known, usual)) if known == block => usual,
            _ => self.reckon(block),
        }
    }
}

/// Of all links, near and far end.
pub type Baselines = BTreeMap<LinkId, [Baseline; 2]>;

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600 * 1000;

    /// A reading every five minutes for so many hours.
    fn feed(base: &mut Baseline, from_hour: i64, hours: i64, dbm: impl Fn(i64) -> f64) {
        for five in 0..hours * 12 {
            let at = UnixMillis(from_hour * HOUR + five * READING_MS);
            base.observe(dbm(from_hour + five / 12), at);
        }
    }

    fn at(hour: i64) -> UnixMillis {
        UnixMillis(hour * HOUR)
    }

    #[test]
    fn three_days_make_a_usual_level() {
        let mut base = Baseline::default();
        feed(&mut base, 0, 60, |_| -55.0);
        assert_eq!(base.usual(at(60)).map(|u| u.median_dbm), None);
        feed(&mut base, 60, 24, |_| -55.0);
        let usual = base.usual(at(84)).unwrap();
        // By hand: all medians alike, so the spread is the smallest that is believed.
        assert_eq!((usual.median_dbm, usual.sigma_db), (-55.0, 1.0));
    }

    #[test]
    fn the_time_of_day_counts() {
        // Weak every night from 21 to 6, well by day.
        let night = |hour: i64| matches!(hour.rem_euclid(24), 21.. | 0..6);
        let mut base = Baseline::default();
        feed(&mut base, 0, 24 * 7, |hour| if night(hour) { -63.0 } else { -55.0 });
        assert_eq!(base.usual(at(24 * 7 + 1)).unwrap().median_dbm, -63.0);
        assert_eq!(base.usual(at(24 * 7 + 13)).unwrap().median_dbm, -55.0);
    }

    #[test]
    fn spread_is_the_median_deviation() {
        // Days at -52, -54, -56, -58, -60: median -56, deviations 4 2 0 2 4, their median 2.
        let mut base = Baseline::default();
        feed(&mut base, 0, 24 * 5, |hour| -52.0 - 2.0 * (hour / 24) as f64);
        feed(&mut base, 24 * 5, 1, |_| -56.0);
        let usual = base.usual(at(24 * 5 + 12)).unwrap();
        assert_eq!(usual.median_dbm, -56.0);
        assert!((usual.sigma_db - 2.0 * 1.4826).abs() < 1e-9);
    }

    #[test]
    fn a_long_fade_does_not_become_usual_but_a_month_does() {
        let mut base = Baseline::default();
        feed(&mut base, 0, 24 * 10, |_| -55.0);
        feed(&mut base, 24 * 10, 24 * 20, |_| -75.0);
        assert_eq!(base.usual(at(24 * 30)).unwrap().median_dbm, -55.0);
        feed(&mut base, 24 * 30, 24 * 14, |_| -75.0);
        assert_eq!(base.usual(at(24 * 44)).unwrap().median_dbm, -75.0);
    }

    #[test]
    fn it_survives_a_restart_and_stays_small() {
        let mut base = Baseline::default();
        feed(&mut base, 0, 24 * 60, |_| -55.0);
        let text = serde_json::to_string(&base).unwrap();
        assert!(text.len() < 2500, "{}", text.len());
        let again: Baseline = serde_json::from_str(&text).unwrap();
        assert_eq!(again.usual(at(24 * 60)), base.usual(at(24 * 60)));
        assert_eq!(again.medians.len(), DAYS * BLOCKS);
    }

    #[test]
    fn a_clock_set_back_does_not_end_it() {
        let mut base = Baseline::default();
        feed(&mut base, 24 * 1000, 24 * 5, |_| -55.0);
        feed(&mut base, 0, 24 * 5, |_| -60.0);
        assert_eq!(base.usual(at(24 * 5)).unwrap().median_dbm, -60.0);
    }
}
