//! When a sample was taken, and whether it says anything of the present. `[P]`

use std::time::Duration;

use crate::capacity::AHEAD_MAX;
use crate::model::{MonoMillis, UnixMillis};
use crate::wire::batch::CLOCK_FLOOR;

/// A clock that is wrong by less is taken as right: it is within what networks delay.
const CLOCK_ERROR_MIN_MS: u64 = 2000;
/// An error that is larger is of a clock that was never set, or was set in between: it says nothing of what the same
/// agent measured before.
const CLOCK_ERROR_STEADY_MS: u64 = 10 * 60_000;
/// Besides two intervals.
const LATE_AFTER: Duration = Duration::from_secs(30);
/// The wall clock may run ahead of or behind the monotonic one by this much between two looks; more is a jump. Time
/// synchronisation slews by less.
const JUMP_MIN_MS: i64 = 60_000;

/// How samples of one batch are judged.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    pub received_at: UnixMillis,
    /// The first send of a batch just made.
    pub live: bool,
    /// Agent clock minus hub clock, as it is estimated now.
    pub clock_error_ms: i64,
    pub poll_interval: Duration,
}

impl Arrival {
    /// When a sample was taken, by the hub's clock; `None`: it only amends history. That is so where it is older than
    /// two intervals and 30 s on arrival, and where nothing is known of when it was taken: the ledger places it later.
    pub fn present(&self, at: UnixMillis) -> Option<UnixMillis> {
        let error = self.clock_error_ms.unsigned_abs();
        let corrected = UnixMillis(at.0.saturating_sub(self.clock_error_ms));
        let at = match (self.live, error) {
            (_, ..CLOCK_ERROR_MIN_MS) => at,
            (true, _) | (false, ..CLOCK_ERROR_STEADY_MS) => corrected,
            // The error is of another time than the sample.
            (false, _) => at,
        };
        let late = self.received_at.since(at) > self.poll_interval * 2 + LATE_AFTER;
        let ahead = at > self.received_at + AHEAD_MAX;
        (!late && (self.live || !ahead) && at >= CLOCK_FLOOR.min(self.received_at)).then_some(at)
    }
}

/// Notices that this machine's own wall clock was set.
#[derive(Debug, Default)]
pub struct OwnClock {
    last: Option<(UnixMillis, MonoMillis)>,
}

impl OwnClock {
    /// By how many ms the wall clock has jumped since the last look; positive: forwards. `None`: it has not.
    pub fn look(&mut self, now: UnixMillis, mono: MonoMillis) -> Option<i64> {
        let (last_now, last_mono) = self.last.replace((now, mono))?;
        let passed = i64::try_from(mono.since(last_mono).as_millis()).unwrap_or(i64::MAX);
        let jump = now.0.saturating_sub(last_now.0).saturating_sub(passed);
        (jump.abs() >= JUMP_MIN_MS).then_some(jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_499_760_000);
    const MINUTE_MS: i64 = 60_000;

    fn check(live: bool, clock_error_ms: i64, age_ms: i64, expected_age_ms: Option<i64>) {
        let arrival = Arrival { received_at: NOW, live, clock_error_ms, poll_interval: Duration::from_mins(1) };
        // By the agent's clock, which is ahead by its error.
        let at = arrival.present(UnixMillis(NOW.0 - age_ms + clock_error_ms));
        assert_eq!(at.map(|at| NOW.0 - at.0), expected_age_ms, "live {live}, error {clock_error_ms}, age {age_ms}");
    }

    #[test]
    fn what_is_older_than_two_intervals_and_30_s_amends_history_only() {
        for live in [true, false] {
            check(live, 0, 0, Some(0));
            check(live, 0, 150_000, Some(150_000));
            check(live, 0, 150_001, None);
            check(live, 0, 24 * 60 * MINUTE_MS, None);
            // The agent's clock does not matter.
            check(live, 4 * MINUTE_MS, 100_000, Some(100_000));
            check(live, -4 * MINUTE_MS, 150_001, None);
        }
    }

    #[test]
    fn an_unset_clock_says_nothing_of_the_past() {
        let since_1970 = -NOW.0;
        check(true, since_1970, 5_000, Some(5_000));
        // Measured in 1970 by its own clock, and sent from the backlog: nobody knows when.
        check(false, since_1970, 5_000, None);
        // A backlog of the days when the clock was right, while it is wrong now, must not become the present.
        let arrival = Arrival {
            received_at: NOW,
            live: false,
            clock_error_ms: since_1970,
            poll_interval: Duration::from_mins(1),
        };
        assert_eq!(arrival.present(UnixMillis(NOW.0 - 24 * 60 * MINUTE_MS)), None);
        assert_eq!(arrival.present(UnixMillis(NOW.0 + 24 * 60 * MINUTE_MS)), None);
        assert_eq!(arrival.present(UnixMillis(i64::MIN)), None);
        assert_eq!(arrival.present(UnixMillis(i64::MAX)), None);
    }

    #[test]
    fn a_jump_of_the_own_clock_is_noticed_once() {
        let mut own = OwnClock::default();
        let mut look = |now: i64, mono: u64| own.look(UnixMillis(now), MonoMillis(mono));
        assert_eq!(look(1_000_000, 0), None);
        assert_eq!(look(1_005_000, 5_000), None);
        // Asleep for an hour, both clocks alike: no jump.
        assert_eq!(look(4_605_000, 3_605_000), None);
        assert_eq!(look(1_010_000, 3_610_000), Some(-3_600_000));
        assert_eq!(look(1_015_000, 3_615_000), None);
        assert_eq!(look(i64::MAX, 3_620_000), Some(i64::MAX - 1_015_000 - 5_000));
    }
}
