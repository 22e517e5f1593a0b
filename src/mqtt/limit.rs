//! How much the hub takes from one agent. `[P]`
//!
//! An agent in good order sends its backlog at 100 kbit/s, and what is fresh as it comes: some 15 kB a second, and a
//! hundred small batches. One that sends many times that is broken or lies about itself; what is above the limit is
//! neither stored nor reported as stored, so nothing is lost, and everybody else is served.

use std::time::Duration;

use crate::model::MonoMillis;

/// Messages a second that are taken for ever: a tenth of what a broker with its usual 20 under way hands to the hub.
pub const MESSAGES_PER_SECOND: u64 = 100;
/// Messages taken at once after a pause: a week of one a minute.
pub const MESSAGES_BURST: u64 = 10_000;
/// Packed bytes a second that are taken for ever: at most 5.7 GB a day.
pub const BYTES_PER_SECOND: u64 = 64 * 1024;
/// Packed bytes taken at once after a pause: more than a week of twenty radios.
pub const BYTES_BURST: u64 = 32 * 1024 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Limit {
    /// In thousandths, so that many short fills add up to a long one.
    milli_messages: u64,
    milli_bytes: u64,
    filled_at: MonoMillis,
}

impl Limit {
    pub fn new(now: MonoMillis) -> Self {
        Self { milli_messages: MESSAGES_BURST * 1000, milli_bytes: BYTES_BURST * 1000, filled_at: now }
    }

    /// Whether a message of so many bytes is taken now.
    pub fn take(&mut self, bytes: usize, now: MonoMillis) -> bool {
        let elapsed: Duration = now.since(self.filled_at);
        let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let filled = |held: u64, rate: u64, burst: u64| held.saturating_add(ms.saturating_mul(rate)).min(burst * 1000);
        self.milli_messages = filled(self.milli_messages, MESSAGES_PER_SECOND, MESSAGES_BURST);
        self.milli_bytes = filled(self.milli_bytes, BYTES_PER_SECOND, BYTES_BURST);
        self.filled_at = now.max(self.filled_at);
        let cost = (bytes as u64).saturating_mul(1000);
        if self.milli_messages < 1000 || self.milli_bytes < cost {
            return false;
        }
        self.milli_messages -= 1000;
        self.milli_bytes -= cost;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `tries` messages a second, of `bytes` each, are taken in `seconds`.
    fn check(tries: u64, bytes: usize, seconds: u64, wanted: u64) {
        let mut limit = Limit::new(MonoMillis(0));
        let at = |try_no: u64| MonoMillis(try_no * 1000 / tries);
        let taken = (1..=tries * seconds).filter(|try_no| limit.take(bytes, at(*try_no))).count() as u64;
        assert_eq!(taken, wanted);
    }

    #[test]
    fn an_agent_in_good_order_never_meets_it() {
        check(100, 125, 3600, 360_000);
        check(6, 2100, 3600, 21_600);
    }

    #[test]
    fn many_messages_and_large_ones_are_bounded() {
        // The burst, and what comes in a minute, less what the full bucket had no room for before the first.
        check(1000, 10, 60, 10_000 + 60 * 100 - 1);
        check(50, 65_536, 60, 512 + 60 - 1);
    }

    #[test]
    fn one_that_is_too_large_for_any_burst_is_never_taken() {
        check(1, BYTES_BURST as usize + 1, 10, 0);
    }
}
