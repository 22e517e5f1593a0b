//! What SNMP speaks of: object identifiers, values, and the answers of a device. `[P]`

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{Missing, Reading};

/// Longest text taken from a device, in characters: DisplayString is at most 255 (RFC 2579), names are shorter.
pub const TEXT_CHARS_MAX: usize = 80;

/// An object identifier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Box<[u32]>);

impl Oid {
    /// `root` followed by `rest`: a column and its index, for instance.
    pub fn of(root: &[u32], rest: &[u32]) -> Self {
        Self([root, rest].concat().into_boxed_slice())
    }

    /// `1.3.6.1`, with or without a leading dot; `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('.').unwrap_or(text);
        text.split('.').map(|arc| arc.parse().ok()).collect::<Option<Vec<u32>>>().map(|arcs| Self(arcs.into()))
    }

    pub fn arcs(&self) -> &[u32] {
        &self.0
    }

    /// What follows `root`; `None` if this is not under it.
    pub fn under(&self, root: &[u32]) -> Option<&[u32]> {
        self.0.strip_prefix(root)
    }
}

impl From<&[u32]> for Oid {
    fn from(arcs: &[u32]) -> Self {
        Self(arcs.into())
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arc) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            write!(f, "{arc}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value on the wire (RFC 2578, section 7; the exceptions: RFC 3416, section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Integer(i32),
    Bytes(Vec<u8>),
    Oid(Oid),
    IpAddress([u8; 4]),
    Counter32(u32),
    Gauge32(u32),
    /// Hundredths of a second.
    TimeTicks(u32),
    Counter64(u64),
    NoSuchObject,
    NoSuchInstance,
    EndOfMib,
    /// A type that no decoder reads (NULL, Opaque).
    Other,
}

/// A counter with its width, which decides how far it can be trusted over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    Bits32(u32),
    Bits64(u64),
}

/// The answers of one device to one set of questions. What was asked and not answered has its reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers(BTreeMap<Oid, Result<Value, Missing>>);

impl Answers {
    pub fn insert(&mut self, oid: Oid, value: Value) {
        self.0.insert(oid, Ok(value));
    }

    /// Notes why an object has no value.
    pub fn fail(&mut self, oid: Oid, why: Missing) {
        self.0.insert(oid, Err(why));
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Oid, Result<&Value, Missing>)> {
        self.0.iter().map(|(oid, value)| (oid, value.as_ref().map_err(|why| *why)))
    }

    /// The value of an object; exceptions and objects that were never asked for are `NotOffered`.
    pub fn value(&self, oid: &Oid) -> Result<&Value, Missing> {
        match self.0.get(oid) {
            None | Some(Ok(Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMib)) => Err(Missing::NotOffered),
            Some(Err(why)) => Err(*why),
            Some(Ok(value)) => Ok(value),
        }
    }

    pub fn has(&self, oid: &Oid) -> bool {
        self.value(oid).is_ok()
    }

    /// A number of any of the integer types: vendors type gauges as counters and the other way round (MikroTik has
    /// CCQ as Counter32).
    pub fn number(&self, oid: &Oid) -> Result<f64, Missing> {
        match self.value(oid)? {
            Value::Integer(n) => Ok(f64::from(*n)),
            Value::Counter32(n) | Value::Gauge32(n) | Value::TimeTicks(n) => Ok(f64::from(*n)),
            Value::Counter64(n) => Ok(*n as f64),
            _ => Err(Missing::Malformed),
        }
    }

    /// A number as a reading, times `scale`.
    pub fn reading(&self, oid: &Oid, scale: f64) -> Reading {
        match self.number(oid) {
            Ok(n) => Reading::value(scaled(n, scale)),
            Err(why) => Reading::Missing(why),
        }
    }

    /// What has been counted, times `scale`: no device has counted less than nothing, whatever the type it answers in.
    pub fn count(&self, oid: &Oid, scale: f64) -> Reading {
        match self.number(oid) {
            Ok(n) if n < 0.0 => Reading::Missing(Missing::Implausible),
            _ => self.reading(oid, scale),
        }
    }

    /// A number that may be of an integer type or a text, with decimals and a unit as [`number_of`] reads it, times
    /// `scale`. An empty text is `Sentinel`, any other `Malformed`.
    pub fn decimal(&self, oid: &Oid, scale: f64) -> Reading {
        match self.value(oid) {
            Ok(Value::Bytes(bytes)) => match clean_text(bytes) {
                text if text.is_empty() => Reading::Missing(Missing::Sentinel),
                text => {
                    number_of(&text).map_or(Reading::Missing(Missing::Malformed), |n| Reading::value(scaled(n, scale)))
                }
            },
            _ => self.reading(oid, scale),
        }
    }

    pub fn counter(&self, oid: &Oid) -> Result<Counter, Missing> {
        match self.value(oid)? {
            Value::Counter32(n) => Ok(Counter::Bits32(*n)),
            Value::Counter64(n) => Ok(Counter::Bits64(*n)),
            _ => Err(Missing::Malformed),
        }
    }

    /// A text, cleaned by [`clean_text`]; an empty one is `Sentinel`.
    pub fn text(&self, oid: &Oid) -> Result<String, Missing> {
        match self.value(oid)? {
            Value::Bytes(bytes) => Some(clean_text(bytes)).filter(|t| !t.is_empty()).ok_or(Missing::Sentinel),
            _ => Err(Missing::Malformed),
        }
    }
}

/// Text of a device made fit for people and for tags: up to the first NUL byte, without control characters, trimmed,
/// at most [`TEXT_CHARS_MAX`] characters.
pub fn clean_text(bytes: &[u8]) -> String {
    let bytes = bytes.split(|b| *b == 0).next().unwrap_or_default();
    let text: String = String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect();
    text.trim().chars().take(TEXT_CHARS_MAX).collect::<String>().trim_end().to_owned()
}

/// Units that devices write after a number. One that is not here (mV, kHz) is no unit of a reading: its scale would be
/// another.
const UNITS: [&str; 15] = ["", "%", "A", "C", "°C", "dB", "dBm", "km", "m", "Mbit/s", "Mbps", "MHz", "V", "VDC", "W"];

/// A number times its scale. Tenths are divided by ten, which gives 119.1 where times 0.1 gives 119.10000000000001.
fn scaled(number: f64, scale: f64) -> f64 {
    let parts = (1.0 / scale).round();
    if (parts * scale - 1.0).abs() < 1e-12 { number / parts } else { number * scale }
}

/// The number in `54.1`, `54.1V`, `-40.5 dBm`, `Tx=7777.777MHz`, `+1.0e-06`; `None` if the text is anything else.
pub fn number_of(text: &str) -> Option<f64> {
    let text = text.rsplit_once('=').map_or(text, |(_, value)| value).trim();
    let is_unit = |c: char| c.is_alphabetic() || matches!(c, '%' | '°' | '/');
    let number = text.trim_end_matches(is_unit);
    if !UNITS.contains(&&text[number.len()..]) {
        return None;
    }
    let number = number.trim_end();
    // "inf" and "nan" are numbers to the parser, and no readings.
    let digits = number.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    number.parse().ok().filter(|n: &f64| digits && n.is_finite())
}

/// A MAC address as lower-case hex without separators.
pub fn mac_hex(octets: &[u8; 6]) -> String {
    octets.iter().fold(String::with_capacity(12), |mut text, octet| {
        use fmt::Write as _;
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// The MAC address that six arcs of an index spell; `None` if they are not six octets.
pub fn mac_of_arcs(arcs: &[u32]) -> Option<String> {
    let octets: Vec<u8> = arcs.iter().map(|arc| u8::try_from(*arc).ok()).collect::<Option<_>>()?;
    Some(mac_hex(octets.as_slice().try_into().ok()?))
}

/// The MAC address that a text spells, with colons, dashes, dots or none: `02:00:00:00:00:01`, `0200.0000.0001`.
pub fn mac_of_text(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.' | ' ')).collect();
    let fits = digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit()) && digits != "000000000000";
    fits.then(|| digits.to_ascii_lowercase())
}

/// The MAC address that a value holds: six octets, or a text as [`mac_of_text`] reads it.
pub fn mac_of_value(value: &Value) -> Option<String> {
    let Value::Bytes(bytes) = value else { return None };
    match <&[u8; 6]>::try_from(bytes.as_slice()) {
        Ok(octets) => (*octets != [0; 6]).then(|| mac_hex(octets)),
        Err(_) => mac_of_text(&clean_text(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oids_read_and_show_themselves() {
        let oid = Oid::parse(".1.3.6.1.4.1.41112").unwrap();
        assert_eq!(oid.to_string(), "1.3.6.1.4.1.41112");
        assert_eq!(Oid::of(&[1, 3, 6, 1], &[4, 1, 41112]), oid);
        assert_eq!(oid.under(&[1, 3, 6, 1, 4, 1]), Some(&[41112][..]));
        assert_eq!(oid.under(&[1, 3, 7]), None);
        for bad in ["", "1.", "1..3", "1.x", "1.4294967296", "-1"] {
            assert_eq!(Oid::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn texts_lose_what_people_and_tags_cannot_carry() {
        let check = |bytes: &[u8], expected: &str| assert_eq!(clean_text(bytes), expected);
        check(b"AF60-LR", "AF60-LR");
        check(b"  v2.6.0\r\n\0trailing", "v2.6.0");
        check(b"\0", "");
        check("caff\u{e8}".as_bytes(), "caff\u{e8}");
        check(&[0xff, b'x'], "\u{fffd}x");
        assert_eq!(clean_text(&[b'x'; 300]).chars().count(), TEXT_CHARS_MAX);
    }

    #[test]
    fn every_way_to_have_no_number_has_its_reason() {
        let oid = |n| Oid::of(&[1, 3], &[n]);
        let mut answers = Answers::default();
        answers.insert(oid(1), Value::Integer(-55));
        answers.insert(oid(2), Value::NoSuchInstance);
        answers.insert(oid(3), Value::Bytes(b"-55 dBm".to_vec()));
        answers.fail(oid(4), Missing::Timeout);
        answers.insert(oid(5), Value::Counter64(u64::MAX));
        answers.insert(oid(6), Value::Other);
        assert_eq!(answers.number(&oid(1)), Ok(-55.0));
        assert_eq!(answers.number(&oid(2)), Err(Missing::NotOffered));
        assert_eq!(answers.number(&oid(3)), Err(Missing::Malformed));
        assert_eq!(answers.number(&oid(4)), Err(Missing::Timeout));
        assert_eq!(answers.number(&oid(5)), Ok(18_446_744_073_709_551_615.0));
        assert_eq!(answers.number(&oid(6)), Err(Missing::Malformed));
        assert_eq!(answers.number(&oid(7)), Err(Missing::NotOffered));
        assert_eq!(answers.counter(&oid(1)), Err(Missing::Malformed));
        assert_eq!(answers.text(&oid(1)), Err(Missing::Malformed));
    }

    #[test]
    fn strings_with_units_are_numbers_and_nothing_else_is() {
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
            ("+1.0e-06", Some(1e-6)),
            ("1e999", None),
            ("N/A", None),
            ("inf", None),
            ("NaN", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("=", None),
            ("-62,8", None),
            ("12:30", None),
            ("1.2.3", None),
            ("256QAM", None),
            ("54100mV", None),
            ("7 of 12", None),
            ("30 kilometres", None),
        ] {
            assert_eq!(number_of(text), expected, "{text}");
        }
    }

    fn decimal_of(value: Value) -> Reading {
        let oid = Oid::of(&[1, 3], &[1]);
        let mut answers = Answers::default();
        answers.insert(oid.clone(), value);
        answers.decimal(&oid, 2.0)
    }

    #[test]
    fn a_scale_adds_no_digits() {
        for (number, scale, expected) in
            [(1191.0, 0.1, 119.1), (549.0, 0.1, 54.9), (21.0, 2e-3, 0.042), (7.0, 100.0, 700.0), (10.0, 0.15, 1.5)]
        {
            assert_eq!(scaled(number, scale).to_string(), expected.to_string());
        }
        assert_eq!(scaled(10.0, 0.0), 0.0);
    }

    #[test]
    fn nul_bytes_end_a_text() {
        assert_eq!(decimal_of(Value::Bytes(b" 54.1 V\0\0".to_vec())), Reading::value(108.2));
        assert_eq!(decimal_of(Value::Bytes(b"54.1\0V\xff".to_vec())), Reading::value(108.2));
        assert_eq!(decimal_of(Value::Bytes(b"\0".to_vec())), Reading::Missing(Missing::Sentinel));
        assert_eq!(decimal_of(Value::Bytes(b"\xff\xfe".to_vec())), Reading::Missing(Missing::Malformed));
    }

    #[test]
    fn wrong_types_are_read_where_they_have_one_meaning() {
        assert_eq!(decimal_of(Value::Integer(-3)), Reading::value(-6.0));
        assert_eq!(decimal_of(Value::Gauge32(3)), Reading::value(6.0));
        assert_eq!(decimal_of(Value::IpAddress([10, 0, 0, 1])), Reading::Missing(Missing::Malformed));
        assert_eq!(decimal_of(Value::Other), Reading::Missing(Missing::Malformed));
        assert_eq!(decimal_of(Value::NoSuchObject), Reading::Missing(Missing::NotOffered));
    }

    #[test]
    fn a_mac_needs_six_octets() {
        assert_eq!(mac_of_arcs(&[2, 0, 0, 0, 0, 255]).as_deref(), Some("0200000000ff"));
        assert_eq!(mac_of_arcs(&[2, 0, 0, 0, 0, 256]), None);
        assert_eq!(mac_of_arcs(&[2, 0, 0, 0, 0]), None);
    }
}
