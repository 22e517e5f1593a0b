//! From counters to rates. `[P]`

use std::time::Duration;

use super::value::Counter;
use crate::model::{Missing, MonoMillis, Reading};

/// Two readings nearer than this are too near: agents refresh their counters about once a second.
const SPAN_MIN: Duration = Duration::from_millis(500);
/// A mean over more than this says nothing about now.
const SPAN_MAX: Duration = Duration::from_mins(15);
/// Above the ceiling by this much is still believed: framing, and clocks that differ.
const CEILING_MARGIN: f64 = 1.10;
/// Values of a 32-bit counter.
const WRAP: f64 = 4_294_967_296.0;

/// The rate of one octet counter, from reading to reading.
///
/// A 64-bit counter that goes back was reset. A 32-bit one that goes back has wrapped, if the port could not have
/// wrapped it twice in the time between (RFC 2863, section 3.1.6: 34 s at 1 Gbps); where it could, or where nothing
/// is known of the port, the difference is ambiguous and there is no rate.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CounterRate {
    last: Option<(Counter, MonoMillis)>,
}

impl CounterRate {
    /// Forgets the last reading: the device has restarted.
    pub fn reset(&mut self) {
        self.last = None;
    }

    /// The mean rate since the last reading, Mbps. `ceiling_mbps`: the most that can pass.
    pub fn rate_mbps(&mut self, counter: Counter, at: MonoMillis, ceiling_mbps: Option<f64>) -> Reading {
        let Some((before, since)) = self.last else {
            self.last = Some((counter, at));
            return Reading::Missing(Missing::NoBaseline);
        };
        let span = at.since(since);
        if span < SPAN_MIN {
            return Reading::Missing(Missing::NoBaseline);
        }
        self.last = Some((counter, at));
        if span > SPAN_MAX {
            return Reading::Missing(Missing::NoBaseline);
        }
        let seconds = span.as_secs_f64();
        let octets = match (before, counter) {
            (Counter::Bits64(before), Counter::Bits64(now)) => now.checked_sub(before).map(|n| n as f64),
            (Counter::Bits32(before), Counter::Bits32(now)) => octets_32(before, now, seconds, ceiling_mbps),
            // The device has changed the counter's width: another firmware.
            _ => None,
        };
        let Some(octets) = octets else { return Reading::Missing(Missing::NoBaseline) };
        let mbps = octets * 8.0 / 1e6 / seconds;
        match ceiling_mbps {
            Some(ceiling) if mbps > ceiling * CEILING_MARGIN => Reading::Missing(Missing::Implausible),
            _ => Reading::value(mbps),
        }
    }
}

fn octets_32(before: u32, now: u32, seconds: f64, ceiling_mbps: Option<f64>) -> Option<f64> {
    let possible = ceiling_mbps? * CEILING_MARGIN * 1e6 / 8.0 * seconds;
    if possible >= WRAP {
        return None;
    }
    // A difference that the port could not have carried is a reset.
    Some(f64::from(now.wrapping_sub(before))).filter(|octets| *octets <= possible)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T0: MonoMillis = MonoMillis(1_000);

    fn second(before: Counter, now: Counter, secs: u64, ceiling: Option<f64>) -> Reading {
        let mut rate = CounterRate::default();
        assert_eq!(rate.rate_mbps(before, T0, ceiling), Reading::Missing(Missing::NoBaseline));
        rate.rate_mbps(now, T0 + Duration::from_secs(secs), ceiling)
    }

    #[test]
    fn rates_by_hand() {
        use Counter::{Bits32, Bits64};
        let none = Reading::Missing(Missing::NoBaseline);
        let check = |before, now, secs, ceiling, expected| {
            assert_eq!(second(before, now, secs, ceiling), expected, "{before:?} {now:?} {secs} {ceiling:?}");
        };
        // 75,000,000 octets in 60 s are 10 Mbps.
        check(Bits64(5), Bits64(75_000_005), 60, Some(1000.0), Reading::value(10.0));
        check(Bits64(5), Bits64(4), 60, Some(1000.0), none);
        check(Bits64(0), Bits64(75_000_000_000), 60, Some(1000.0), Reading::Missing(Missing::Implausible));
        check(Bits64(0), Bits64(75_000_000), 60, None, Reading::value(10.0));
        check(Bits32(0), Bits32(75_000_000), 60, Some(100.0), Reading::value(10.0));
        // 2^32 - 25,000,000 to 50,000,000: 75,000,000 octets over the wrap.
        check(Bits32(4_269_967_296), Bits32(50_000_000), 60, Some(100.0), Reading::value(10.0));
        // 60 s at 1 Gbps may wrap twice; 30 s may not.
        check(Bits32(0), Bits32(75_000_000), 60, Some(1000.0), none);
        check(Bits32(0), Bits32(37_500_000), 30, Some(1000.0), Reading::value(10.0));
        // Back to near zero: 100 Mbps cannot have carried that wrap in 60 s.
        check(Bits32(3_000_000_000), Bits32(10), 60, Some(100.0), none);
        check(Bits32(0), Bits32(1000), 60, None, none);
        check(Bits32(0), Bits64(1000), 60, Some(100.0), none);
        check(Bits64(0), Bits64(1000), 0, Some(100.0), none);
        check(Bits64(0), Bits64(1000), 3600, Some(100.0), none);
    }

    #[test]
    fn a_reading_that_comes_too_soon_keeps_the_baseline() {
        let mut rate = CounterRate::default();
        let _ = rate.rate_mbps(Counter::Bits64(0), T0, None);
        let _ = rate.rate_mbps(Counter::Bits64(500), T0 + Duration::from_millis(10), None);
        let later = rate.rate_mbps(Counter::Bits64(1_250_000), T0 + Duration::from_secs(1), None);
        assert_eq!(later, Reading::value(10.0));
    }

    proptest! {
        /// The oracle counts octets as a port does, in a wide integer, and shows the counter its low bits only.
        #[test]
        fn no_rate_is_ever_wrong(
            start in any::<u64>(),
            steps in prop::collection::vec((1u64..300, 0u64..20_000), 1..20),
            port_mbps in prop::sample::select(vec![10u64, 100, 1000, 10_000]),
            wide in any::<bool>(),
        ) {
            let (mut octets, mut at) = (u128::from(start), T0);
            let show = |octets: u128| if wide {
                Counter::Bits64(octets as u64)
            } else {
                Counter::Bits32(octets as u32)
            };
            let mut rate = CounterRate::default();
            let _ = rate.rate_mbps(show(octets), at, Some(port_mbps as f64));
            for (secs, permille) in steps {
                // At most the port's rate, in whole octets a second.
                let per_second = port_mbps * 125_000 * permille.min(1000) / 1000;
                octets += u128::from(per_second * secs);
                at = at + Duration::from_secs(secs);
                let expected = per_second as f64 * 8.0 / 1e6;
                match rate.rate_mbps(show(octets), at, Some(port_mbps as f64)) {
                    Reading::Value { value, .. } => prop_assert!((value - expected).abs() < 1e-6 * expected.max(1.0)),
                    Reading::Missing(why) => {
                        prop_assert_eq!(why, Missing::NoBaseline);
                        let may_wrap_twice = u128::from(port_mbps * 125_000 * secs) * 11 / 10 >= 1 << 32;
                        prop_assert!((!wide && may_wrap_twice) || (wide && octets > u128::from(u64::MAX)));
                    }
                }
            }
        }

        /// After a reset to a small value no rate is above what the port can do.
        #[test]
        fn a_reset_makes_no_spike(before in any::<u32>(), now in 0u32..1000, secs in 1u64..600, wide in any::<bool>()) {
            let show = |n: u32| if wide { Counter::Bits64(u64::from(n)) } else { Counter::Bits32(n) };
            if let Some(mbps) = second(show(before), show(now), secs, Some(100.0)).get() {
                prop_assert!((0.0..=100.0 * CEILING_MARGIN).contains(&mbps));
            }
        }
    }
}
