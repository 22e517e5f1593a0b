//! Figures and times as people read them, in Italian and English. `[P]`

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::model::UnixMillis;
use crate::model::network::Language;

const MONTHS_IT: [&str; 12] = ["gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic"];
const MONTHS_EN: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// U+2212: levels in dBm are nearly always negative, and a hyphen breaks lines.
const MINUS: char = '\u{2212}';

/// A whole number with thousands separated: `1.940` in Italian, `1,940` in English.
pub fn count(value: u64, language: Language) -> String {
    let digits = value.to_string();
    let separator = match language {
        Language::Italian => '.',
        Language::English => ',',
    };
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

/// A number rounded to `decimals` places, with the language's decimal sign and a real minus.
pub fn decimal(value: f64, decimals: usize, language: Language) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        out.push(MINUS);
    }
    match whole.parse() {
        Ok(whole) => out.push_str(&count(whole, language)),
        Err(_) => out.push_str(whole),
    }
    if !fraction.is_empty() {
        out.push(if language == Language::Italian { ',' } else { '.' });
        out.push_str(fraction);
    }
    out
}

/// A capacity in Mbps: one decimal under 100, none from there on. Cut, never rounded up, so that 29.97 is not shown as
/// the 30 that it fails to reach.
pub fn mbps(value: f64, language: Language) -> String {
    let value = value.max(0.0);
    // A figure that is a float's error short of a round one is that round one.
    let tenths = (value * 10.0 + 1e-6).floor();
    if value >= 100.0 || tenths % 10.0 == 0.0 {
        decimal((value + 1e-7).floor(), 0, language)
    } else {
        decimal(tenths / 10.0, 1, language)
    }
}

/// The network's wall clock as seen from one instant: what is "today" and "2 min ago".
#[derive(Debug, Clone)]
pub struct LocalClock {
    zone: TimeZone,
    now: UnixMillis,
}

impl LocalClock {
    /// `time_zone` is an IANA name; one that the bundled database lacks (`check` refuses it) reads as UTC.
    pub fn new(time_zone: &str, now: UnixMillis) -> Self {
        Self { zone: TimeZone::get(time_zone).unwrap_or(TimeZone::UTC), now }
    }

    /// The instant in the network's zone.
    pub fn zoned(&self, at: UnixMillis) -> Zoned {
        // RFC 3339 has neither years before 0 nor after 9999; an instant before 1970 is a clock that was never set.
        Timestamp::from_millisecond(at.0.max(0)).unwrap_or(Timestamp::MAX).to_zoned(self.zone.clone())
    }

    /// RFC 3339 with the zone's offset at that instant, to the second.
    pub fn rfc3339(&self, at: UnixMillis) -> String {
        self.zoned(at).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// `2026-11-24T06:42`: what a form's field for a date and a time holds.
    pub fn local(&self, at: UnixMillis) -> String {
        self.zoned(at).strftime("%Y-%m-%dT%H:%M").to_string()
    }

    /// `06:42` today, `23 nov 21:10` this year, `23 nov 2025 21:10` before.
    pub fn moment(&self, at: UnixMillis, language: Language) -> String {
        moment(self.zoned(at).datetime(), self.zoned(self.now).datetime(), language)
    }

    /// `24 nov 2026 06:42`, today as well: for what is printed and kept.
    pub fn dated(&self, at: UnixMillis, language: Language) -> String {
        dated(self.zoned(at).datetime(), language)
    }

    /// With seconds, for "updated at": `06:42:15` today, like [`LocalClock::moment`] otherwise.
    pub fn moment_with_seconds(&self, at: UnixMillis, language: Language) -> String {
        format!("{}:{:02}", self.moment(at, language), self.zoned(at).second())
    }

    /// How long ago: `38 s`, `4 min`, `3 h`, `2 d` (`2 g` in Italian).
    pub fn age(&self, at: UnixMillis, language: Language) -> String {
        let secs = self.now.since(at).as_secs();
        match secs {
            0..=89 => format!("{secs} s"),
            90..=5_399 => format!("{} min", (secs + 30) / 60),
            5_400..=172_799 => format!("{} h", (secs + 1_800) / 3_600),
            _ => format!("{} {}", secs / 86_400, if language == Language::Italian { "g" } else { "d" }),
        }
    }
}

/// `nov`: the month of a day.
pub fn month(day: jiff::civil::Date, language: Language) -> &'static str {
    let months = match language {
        Language::Italian => MONTHS_IT,
        Language::English => MONTHS_EN,
    };
    months.get(usize::from(day.month().unsigned_abs()).saturating_sub(1)).copied().unwrap_or("")
}

/// `23 nov`.
pub fn day(day: jiff::civil::Date, language: Language) -> String {
    format!("{} {}", day.day(), month(day, language))
}

/// The shortest unmistakable form of `at`, read at `now`, both in one zone.
pub fn moment(at: jiff::civil::DateTime, now: jiff::civil::DateTime, language: Language) -> String {
    let time = format!("{:02}:{:02}", at.hour(), at.minute());
    if at.date() == now.date() {
        return time;
    }
    if at.year() == now.year() {
        format!("{} {} {time}", at.day(), month(at.date(), language))
    } else {
        dated(at, language)
    }
}

fn dated(at: jiff::civil::DateTime, language: Language) -> String {
    format!("{} {} {} {:02}:{:02}", at.day(), month(at.date(), language), at.year(), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{English, Italian};

    #[test]
    fn capacities_are_never_rounded_up_to_a_promise() {
        let check = |value: f64, expected: &str| assert_eq!(mbps(value, Italian), expected, "{value}");
        check(0.0, "0");
        check(-3.0, "0");
        check(0.04, "0");
        check(12.5, "12,5");
        check(29.97, "29,9");
        check(29.999_999_99, "30");
        check(0.1 + 0.2, "0,3");
        check(30.0, "30");
        check(97.31, "97,3");
        check(99.99, "99,9");
        check(149.9, "149");
        check(1951.0, "1.951");
        assert_eq!(mbps(1951.0, English), "1,951");
        assert_eq!(mbps(12.5, English), "12.5");
    }

    #[test]
    fn numbers_have_separators_and_a_real_minus() {
        assert_eq!(count(0, Italian), "0");
        assert_eq!(count(999, Italian), "999");
        assert_eq!(count(1_940, Italian), "1.940");
        assert_eq!(count(1_234_567, English), "1,234,567");
        assert_eq!(decimal(-74.6, 0, Italian), "\u{2212}75");
        assert_eq!(decimal(-0.2, 0, Italian), "0");
        assert_eq!(decimal(24.12, 1, Italian), "24,1");
        assert_eq!(decimal(1e300, 0, English).len(), 301);
    }

    fn clock() -> LocalClock {
        // 2026-11-24T06:56:00+01:00
        LocalClock::new("Europe/Rome", UnixMillis(1_795_499_760_000))
    }

    #[test]
    fn times_are_in_the_zone_of_the_network() {
        let c = clock();
        assert_eq!(c.rfc3339(UnixMillis(1_795_499_760_000)), "2026-11-24T06:56:00+01:00");
        // Summer time, and a zone that nobody knows.
        assert_eq!(c.rfc3339(UnixMillis(1_783_000_000_000)), "2026-07-02T15:46:40+02:00");
        let utc = LocalClock::new("Nowhere/Else", UnixMillis(0));
        assert_eq!(utc.rfc3339(UnixMillis(0)), "1970-01-01T00:00:00+00:00");
        // No instant is too far.
        assert!(c.rfc3339(UnixMillis(i64::MAX)).starts_with("9999-"));
        assert_eq!(c.rfc3339(UnixMillis(i64::MIN)), "1970-01-01T01:00:00+01:00");
    }

    #[test]
    fn a_moment_has_its_date_only_when_it_is_not_today() {
        let c = clock();
        let check = |at: i64, it: &str, en: &str| {
            assert_eq!(c.moment(UnixMillis(at), Italian), it);
            assert_eq!(c.moment(UnixMillis(at), English), en);
        };
        check(1_795_498_920_000, "06:42", "06:42");
        check(1_795_464_600_000, "23 nov 21:10", "23 Nov 21:10");
        check(1_763_928_600_000, "23 nov 2025 21:10", "23 Nov 2025 21:10");
        assert_eq!(c.moment_with_seconds(UnixMillis(1_795_498_925_000), Italian), "06:42:05");
    }

    #[test]
    fn ages_use_one_unit() {
        let c = clock();
        let check = |secs: i64, expected: &str| {
            assert_eq!(c.age(UnixMillis(1_795_499_760_000 - secs * 1000), Italian), expected);
        };
        check(-5, "0 s");
        check(38, "38 s");
        check(90, "2 min");
        check(3_600, "60 min");
        check(7_200, "2 h");
        check(200_000, "2 g");
    }
}
