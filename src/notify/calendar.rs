//! Times of day in the network's time zone, across changes of the clock. `[P]`

use std::time::Duration;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};

use crate::model::UnixMillis;

/// Days that [`Hours::within`] looks at; what lasts longer counts as so long.
const DAYS_MAX: usize = 400;

fn zoned(zone: &TimeZone, at: UnixMillis) -> Zoned {
    Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

/// That time on that day. Where the clock skips it, the first moment after; where it comes twice, the first.
fn instant(zone: &TimeZone, date: Date, minute: u16) -> Option<UnixMillis> {
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    let at = date.at(hour.min(23), minute, 0, 0).to_zoned(zone.clone()).ok()?;
    Some(UnixMillis(at.timestamp().as_millisecond()))
}

/// Monday to Friday.
pub fn is_weekday(zone: &TimeZone, at: UnixMillis) -> bool {
    !matches!(zoned(zone, at).weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// The latest instant, not after `now`, at which it was that time of day.
pub fn latest(zone: &TimeZone, minute: u16, now: UnixMillis) -> UnixMillis {
    let mut date = zoned(zone, now).date();
    for _ in 0..3 {
        if let Some(at) = instant(zone, date, minute).filter(|at| *at <= now) {
            return at;
        }
        date = date.yesterday().unwrap_or(date);
    }
    now
}

/// The latest Monday's instant, not after `now`, at which it was that time of day.
pub fn latest_monday(zone: &TimeZone, minute: u16, now: UnixMillis) -> UnixMillis {
    let mut at = latest(zone, minute, now);
    for _ in 0..7 {
        if zoned(zone, at).weekday() == Weekday::Monday {
            break;
        }
        at = latest(zone, minute, at - Duration::from_millis(1));
    }
    at
}

/// Hours of every day, or of every working day; an end that is not later than the start is on the next day.
#[derive(Debug, Clone, Copy)]
pub struct Hours {
    pub start_minute: u16,
    pub end_minute: u16,
    pub weekdays_only: bool,
}

impl Hours {
    /// How much of the time between two instants falls within.
    pub fn within(self, zone: &TimeZone, from: UnixMillis, to: UnixMillis) -> Duration {
        let mut total = Duration::ZERO;
        let Ok(mut date) = zoned(zone, from).date().checked_sub(1.day()) else { return total };
        for _ in 0..DAYS_MAX {
            let Ok(next) = date.tomorrow() else { break };
            let free = self.weekdays_only && matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
            let last = if self.end_minute > self.start_minute { date } else { next };
            if let (Some(start), Some(end)) =
                (instant(zone, date, self.start_minute), instant(zone, last, self.end_minute))
            {
                if start >= to {
                    break;
                }
                if !free {
                    total += end.min(to).since(start.max(from));
                }
            }
            date = next;
        }
        total
    }

    /// Whether an instant falls within.
    pub fn hold(self, zone: &TimeZone, at: UnixMillis) -> bool {
        !self.within(zone, at, at + Duration::from_millis(1)).is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rome() -> TimeZone {
        TimeZone::get("Europe/Rome").unwrap()
    }

    fn at(text: &str) -> UnixMillis {
        UnixMillis(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    const QUIET: Hours = Hours { start_minute: 22 * 60, end_minute: 7 * 60, weekdays_only: false };
    const WORK: Hours = Hours { start_minute: 8 * 60, end_minute: 17 * 60, weekdays_only: true };

    #[test]
    fn quiet_hours_follow_the_clock_on_the_wall_on_both_changes() {
        let check = |text: &str, quiet: bool| assert_eq!(QUIET.hold(&rome(), at(text)), quiet, "{text}");
        // 24 November, winter time: UTC+1.
        check("2026-11-23T20:59:59Z", false);
        check("2026-11-23T21:00:00Z", true);
        check("2026-11-24T05:59:59Z", true);
        check("2026-11-24T06:00:00Z", false);
        // The night of 25 October has ten quiet hours: 22:00 is UTC+2, 07:00 is UTC+1.
        check("2026-10-24T19:59:00Z", false);
        check("2026-10-24T20:00:00Z", true);
        check("2026-10-25T05:59:00Z", true);
        check("2026-10-25T06:00:00Z", false);
        // The night of 28 March 2027 has eight.
        check("2027-03-27T20:59:00Z", false);
        check("2027-03-27T21:00:00Z", true);
        check("2027-03-28T04:59:00Z", true);
        check("2027-03-28T05:00:00Z", false);
    }

    #[test]
    fn a_night_is_as_long_as_it_is() {
        let night = |from, to| QUIET.within(&rome(), at(from), at(to));
        assert_eq!(night("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"), Duration::from_hours(10));
        assert_eq!(night("2027-03-27T12:00:00Z", "2027-03-28T12:00:00Z"), Duration::from_hours(8));
        assert_eq!(night("2026-11-23T12:00:00Z", "2026-11-24T12:00:00Z"), Duration::from_hours(9));
    }

    #[test]
    fn working_hours_leave_out_nights_and_weekends() {
        let check = |from, to, minutes: u64| {
            assert_eq!(WORK.within(&rome(), at(from), at(to)), Duration::from_mins(minutes), "{from} {to}");
        };
        // Tuesday 06:57 to 12:00 local.
        check("2026-11-24T05:57:00Z", "2026-11-24T11:00:00Z", 240);
        // Friday 16:00 to Monday 11:00.
        check("2026-11-27T15:00:00Z", "2026-11-30T10:00:00Z", 240);
        // A weekend.
        check("2026-11-28T05:00:00Z", "2026-11-29T20:00:00Z", 0);
        check("2026-11-24T11:00:00Z", "2026-11-24T05:00:00Z", 0);
    }

    #[test]
    fn the_latest_morning() {
        let check = |now, expected| assert_eq!(latest(&rome(), 450, at(now)), at(expected), "{now}");
        check("2026-11-24T06:29:59Z", "2026-11-23T06:30:00Z");
        check("2026-11-24T06:30:00Z", "2026-11-24T06:30:00Z");
        check("2026-10-25T06:30:00Z", "2026-10-25T06:30:00Z");
        check("2026-10-25T06:29:00Z", "2026-10-24T05:30:00Z");
        // A time that the clock skips is the first moment after.
        assert_eq!(latest(&rome(), 150, at("2027-03-28T12:00:00Z")), at("2027-03-28T01:30:00Z"));
    }
}
