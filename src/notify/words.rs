//! Numbers, dates and lists as people write them in Italian and in English. `[P]`

use std::time::Duration;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::model::UnixMillis;
use crate::model::network::Language;

/// U+2212: a hyphen may break the line between sign and number.
const MINUS: char = '−';

/// Picks by language.
pub fn pick(language: Language, italian: &'static str, english: &'static str) -> &'static str {
    match language {
        Language::Italian => italian,
        Language::English => english,
    }
}

pub fn decimal(language: Language, value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let zero = text.bytes().all(|b| b == b'0' || b == b'.');
    let sign = if value < 0.0 && !zero { MINUS.to_string() } else { String::new() };
    let text = match language {
        Language::Italian => text.replace('.', ","),
        Language::English => text,
    };
    format!("{sign}{text}")
}

/// Groups of three from 1000 on, as both languages print residents.
pub fn count(language: Language, n: u64) -> String {
    let digits = n.to_string();
    let separator = if language == Language::Italian { '.' } else { ',' };
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

/// Mbps without the unit: one decimal below 20, or where rounding would hide that it is below what is required.
/// Rounded down, so that 29.97 of 30 does not read as 30.
pub fn mbps(language: Language, value: f64, required: Option<f64>) -> String {
    let whole = value.floor();
    let fine = (value < 20.0 || required.is_some_and(|r| value < r && r - value < 1.0)) && value - whole >= 0.05;
    if fine { decimal(language, (value * 10.0).floor() / 10.0, 1) } else { count(language, whole.max(0.0) as u64) }
}

fn zoned(zone: &TimeZone, at: UnixMillis) -> Zoned {
    Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

/// `2026-11-24T06:42:00+01:00`
pub fn rfc3339(zone: &TimeZone, at: UnixMillis) -> String {
    zoned(zone, at).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// `06:42`
pub fn clock(zone: &TimeZone, at: UnixMillis) -> String {
    let at = zoned(zone, at);
    format!("{:02}:{:02}", at.hour(), at.minute())
}

fn weekday(language: Language, day: Weekday) -> &'static str {
    let (italian, english) = match day {
        Weekday::Monday => ("lunedì", "Monday"),
        Weekday::Tuesday => ("martedì", "Tuesday"),
        Weekday::Wednesday => ("mercoledì", "Wednesday"),
        Weekday::Thursday => ("giovedì", "Thursday"),
        Weekday::Friday => ("venerdì", "Friday"),
        Weekday::Saturday => ("sabato", "Saturday"),
        Weekday::Sunday => ("domenica", "Sunday"),
    };
    pick(language, italian, english)
}

const MONTHS: [(&str, &str); 12] = [
    ("gennaio", "January"),
    ("febbraio", "February"),
    ("marzo", "March"),
    ("aprile", "April"),
    ("maggio", "May"),
    ("giugno", "June"),
    ("luglio", "July"),
    ("agosto", "August"),
    ("settembre", "September"),
    ("ottobre", "October"),
    ("novembre", "November"),
    ("dicembre", "December"),
];

/// `martedì 24 novembre 2026`, `Tuesday 24 November 2026`
pub fn day(language: Language, zone: &TimeZone, at: UnixMillis) -> String {
    let at = zoned(zone, at);
    let (italian, english) = MONTHS[usize::from(at.month().unsigned_abs().clamp(1, 12)) - 1];
    let number = match (language, at.day()) {
        (Language::Italian, 1) => "1º".to_owned(),
        (_, n) => n.to_string(),
    };
    format!("{} {number} {} {}", weekday(language, at.weekday()), pick(language, italian, english), at.year())
}

/// `alle 06:42`, `all’01:30`; in English `at 06:42`.
pub fn at_clock(language: Language, zone: &TimeZone, at: UnixMillis) -> String {
    let text = clock(zone, at);
    match language {
        Language::Italian if text.starts_with("01") => format!("all’{}", &text[1..]),
        Language::Italian => format!("alle {text}"),
        Language::English => format!("at {text}"),
    }
}

/// `dalle 06:42`, `dall’1:30`; in English `since 06:42`.
pub fn since_clock(language: Language, zone: &TimeZone, at: UnixMillis) -> String {
    let text = clock(zone, at);
    match language {
        Language::Italian if text.starts_with("01") => format!("dall’{}", &text[1..]),
        Language::Italian => format!("dalle {text}"),
        Language::English => format!("since {text}"),
    }
}

/// `di oggi`, `di ieri`, or the day itself; in English `today`, `yesterday`, `on Monday 23 …`.
pub fn which_day(language: Language, zone: &TimeZone, at: UnixMillis, now: UnixMillis) -> String {
    let (then, today) = (zoned(zone, at).date(), zoned(zone, now).date());
    if then == today {
        pick(language, "di oggi", "today").to_owned()
    } else if Some(then) == today.yesterday().ok() {
        pick(language, "di ieri", "yesterday").to_owned()
    } else {
        format!("{} {}", pick(language, "di", "on"), day(language, zone, at))
    }
}

/// `di oggi, martedì 24 novembre 2026 (ora italiana)`
pub fn which_day_in_full(language: Language, zone: &TimeZone, at: UnixMillis, now: UnixMillis) -> String {
    let near = which_day(language, zone, at, now);
    let full = day(language, zone, at);
    let date = if near.ends_with(&full) { near } else { format!("{near}, {full}") };
    let italy = zone.iana_name() == Some("Europe/Rome");
    let clock = match (language, italy) {
        (Language::Italian, true) => "ora italiana",
        (Language::Italian, false) => "ora locale",
        (Language::English, true) => "Italian time",
        (Language::English, false) => "local time",
    };
    format!("{date} ({clock})")
}

/// `2 h 48 min`, `3 giorni e 4 h`
pub fn duration(language: Language, span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours, rest) {
        (0, 0, 0) => pick(language, "meno di un minuto", "less than a minute").to_owned(),
        (0, 0, m) => format!("{m} min"),
        (0, h, 0) => format!("{h} h"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, h, _) => {
            let unit = match (language, d) {
                (Language::Italian, 1) => "giorno",
                (Language::Italian, _) => "giorni",
                (Language::English, 1) => "day",
                (Language::English, _) => "days",
            };
            if h == 0 { format!("{d} {unit}") } else { format!("{d} {unit} {} {h} h", pick(language, "e", "and")) }
        }
    }
}

/// `Murazzano, Camerana e Igliano`
pub fn list(language: Language, items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] => {
            let and = match language {
                // Before the same vowel Italian says "ed".
                Language::Italian if last.starts_with(['e', 'E', 'è', 'È']) => "ed",
                Language::Italian => "e",
                Language::English => "and",
            };
            format!("{} {and} {last}", init.join(", "))
        }
    }
}

/// First letter in upper case.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{English, Italian};

    fn rome() -> TimeZone {
        TimeZone::get("Europe/Rome").unwrap()
    }

    /// `date -u -d TEXT +%s` gives the same numbers.
    fn at(text: &str) -> UnixMillis {
        UnixMillis(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn numbers_follow_the_language() {
        assert_eq!(decimal(Italian, 24.13, 1), "24,1");
        assert_eq!(decimal(English, -55.4, 0), "−55");
        assert_eq!(decimal(Italian, -0.04, 1), "0,0");
        assert_eq!(count(Italian, 1940), "1.940");
        assert_eq!(count(English, 1_234_567), "1,234,567");
        assert_eq!(count(Italian, 600), "600");
    }

    #[test]
    fn capacities_never_round_up_to_the_target() {
        for (value, required, expected) in [
            (97.4, 150.0, "97"),
            (29.97, 30.0, "29,9"),
            (149.6, 150.0, "149,6"),
            (12.5, 30.0, "12,5"),
            (0.0, 30.0, "0"),
            (1951.0, 150.0, "1.951"),
        ] {
            assert_eq!(mbps(Italian, value, Some(required)), expected);
        }
    }

    #[test]
    fn times_are_local_and_in_words() {
        let zone = rome();
        let morning = at("2026-11-24T05:42:00Z");
        assert_eq!(clock(&zone, morning), "06:42");
        assert_eq!(
            which_day_in_full(Italian, &zone, morning, at("2026-11-24T06:00:00Z")),
            "di oggi, martedì 24 novembre 2026 (ora italiana)"
        );
        assert_eq!(which_day(English, &zone, morning, at("2026-11-25T06:00:00Z")), "yesterday");
        assert_eq!(
            which_day_in_full(English, &zone, morning, at("2026-12-01T06:00:00Z")),
            "on Tuesday 24 November 2026 (Italian time)"
        );
        assert_eq!(day(Italian, &zone, at("2026-12-01T06:00:00Z")), "martedì 1º dicembre 2026");
        assert_eq!(since_clock(Italian, &zone, at("2026-11-24T00:05:00Z")), "dall’1:05");
        // The night of the change to winter time has two half past two.
        assert_eq!(clock(&zone, at("2026-10-25T00:30:00Z")), "02:30");
        assert_eq!(clock(&zone, at("2026-10-25T01:30:00Z")), "02:30");
    }

    #[test]
    fn spans_and_lists() {
        let minutes = |m: u64| Duration::from_secs(m * 60);
        assert_eq!(duration(Italian, minutes(168)), "2 h 48 min");
        assert_eq!(duration(Italian, minutes(3 * 1440 + 245)), "3 giorni e 4 h");
        assert_eq!(duration(English, minutes(1440)), "1 day");
        assert_eq!(duration(English, Duration::from_secs(20)), "less than a minute");
        let names = |n: &[&str]| n.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(list(Italian, &names(&["Murazzano", "Camerana", "Entracque"])), "Murazzano, Camerana ed Entracque");
        assert_eq!(list(English, &names(&["A", "B"])), "A and B");
    }
}
