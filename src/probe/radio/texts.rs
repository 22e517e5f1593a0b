//! Numbers that devices write as text, and the supply readings that several families share.

use std::collections::BTreeMap;

use crate::model::{Missing, Reading};
use crate::probe::value::{Answers, Oid, Value, clean_text};

/// Longest unit after a number: `dBm`, `MHz`, `Mbps`.
const UNIT_CHARS_MAX: usize = 6;
/// Radios and UPSs run within these; what lies outside is a probe that is not there.
const CELSIUS: std::ops::RangeInclusive<f64> = -60.0..=150.0;
/// The highest low voltage of IEC 60038, 1000 V.
const VOLTS: std::ops::RangeInclusive<f64> = 0.0..=1000.0;

/// A number that may be an integer or a text with decimals and a unit, times `scale`.
pub fn decimal(answers: &Answers, oid: &Oid, scale: f64) -> Reading {
    match answers.value(oid) {
        Ok(Value::Bytes(bytes)) => {
            let text = clean_text(bytes);
            if text.is_empty() {
                return Reading::Missing(Missing::Sentinel);
            }
            number_of(&text).map_or(Reading::Missing(Missing::Malformed), |n| Reading::value(n * scale))
        }
        _ => answers.reading(oid, scale),
    }
}

/// The number in `54.1`, `54.1V`, `-40.5 dBm`, `Tx=7777.777MHz`; `None` if the text is anything else.
pub fn number_of(text: &str) -> Option<f64> {
    let text = text.rsplit_once('=').map_or(text, |(_, value)| value).trim();
    let is_unit = |c: char| c.is_alphabetic() || matches!(c, '%' | '°' | '/');
    let number = text.trim_end_matches(is_unit);
    if text[number.len()..].chars().count() > UNIT_CHARS_MAX {
        return None;
    }
    let number = number.trim_end();
    // "inf" and "nan" are numbers to the parser, and no readings.
    let digits = number.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    number.parse().ok().filter(|n: &f64| digits && n.is_finite())
}

/// Notes a reading of `power`, unless the device does not offer it: devices of a family differ in what they measure.
/// What cannot be true becomes missing.
pub fn note(power: &mut BTreeMap<&'static str, Reading>, field: &'static str, reading: Reading) {
    let bounds = match field {
        "temperature_celsius" => CELSIUS,
        "battery_percent" => 0.0..=100.0,
        // An overloaded UPS says more than 100.
        "load_percent" => 0.0..=300.0,
        field if field.ends_with("_volts") => VOLTS,
        _ => f64::NEG_INFINITY..=f64::INFINITY,
    };
    let reading = match reading.get() {
        Some(value) if !bounds.contains(&value) => Reading::Missing(Missing::Implausible),
        _ => reading,
    };
    if reading.missing() != Some(Missing::NotOffered) {
        power.insert(field, reading);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_texts() {
        for (text, expected) in [
            ("54.1", Some(54.1)),
            ("54.1V", Some(54.1)),
            ("-5.28V", Some(-5.28)),
            ("10.00 W", Some(10.0)),
            ("Tx=7777.777MHz", Some(7777.777)),
            ("-40.5 dBm", Some(-40.5)),
            ("+27dBm", Some(27.0)),
            (".5", Some(0.5)),
            ("25°C", Some(25.0)),
            ("256QAM", Some(256.0)),
            ("+1.0e-06", Some(1e-6)),
            ("1e999", None),
            ("N/A", None),
            ("inf", None),
            ("NaN", None),
            ("", None),
            ("-", None),
            ("=", None),
            ("12:30", None),
            ("1.2.3", None),
            ("7 of 12", None),
            ("30 kilometres", None),
        ] {
            assert_eq!(number_of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_and_an_integer_read_alike() {
        let oid = Oid::from(&[1u32, 3][..]);
        let read = |value: Value| {
            let mut answers = Answers::default();
            answers.insert(oid.clone(), value);
            decimal(&answers, &oid, 2.0)
        };
        assert_eq!(read(Value::Integer(-3)), Reading::value(-6.0));
        assert_eq!(read(Value::Bytes(b"54.1\0V\xff".to_vec())), Reading::value(108.2));
        assert_eq!(read(Value::Bytes(b"\0".to_vec())), Reading::Missing(Missing::Sentinel));
        assert_eq!(read(Value::Bytes(b"\xff\xfe".to_vec())), Reading::Missing(Missing::Malformed));
        assert_eq!(read(Value::Other), Reading::Missing(Missing::Malformed));
        assert_eq!(read(Value::NoSuchObject), Reading::Missing(Missing::NotOffered));
    }

    #[test]
    fn what_a_supply_cannot_be_is_missing() {
        let noted = |field: &'static str, value: f64| {
            let mut power = BTreeMap::new();
            note(&mut power, field, Reading::value(value));
            power[field]
        };
        assert_eq!(noted("supply_volts", 54.1), Reading::value(54.1));
        assert_eq!(noted("supply_volts", 54_100.0), Reading::Missing(Missing::Implausible));
        assert_eq!(noted("temperature_celsius", -80.0), Reading::Missing(Missing::Implausible));
        assert_eq!(noted("battery_percent", 101.0), Reading::Missing(Missing::Implausible));
        assert_eq!(noted("supply_amps", -0.1), Reading::value(-0.1));
        let mut power = BTreeMap::new();
        note(&mut power, "supply_volts", Reading::Missing(Missing::NotOffered));
        assert!(power.is_empty());
    }
}
