//! What a device answered, as a text that a person can read, mail, and replay without a network. `[P]`
//!
//! One object a line, `OID type value`; `#` begins a comment, `@NAME = OID` a prefix that `@NAME` then stands for. Below
//! a line `---` stands what was made of it. The fixtures of the families have the same form, so that a recording is a
//! fixture. [`blank`] takes out what is nobody's business before a recording is written.
//!
//! Types: `int`, `gauge`, `c32`, `c64`, `ticks`, `str`, `hex`, `oid`, `ip`. Of an object that is written twice the last
//! counts.

pub mod blank;
pub mod tape;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::device::{Identity, Polled};
use super::value::{Oid, Value};
use crate::config::text::hex;
use crate::model::Reading;

/// Largest recording that is read, bytes: far more than the largest sector says.
pub const RECORDING_BYTES_MAX: u64 = 4 << 20;
/// Objects in one recording.
pub const OBJECTS_MAX: usize = 20_000;
/// Longest OID in text, prefixes written out: 128 arcs of ten digits (RFC 2578, section 3.5).
const OID_CHARS_MAX: usize = 128 * 11;
/// Prefixes in one recording.
const NAMES_MAX: usize = 100;
/// Problems that one message lists.
const PROBLEMS_SHOWN: usize = 20;
/// The line between what a device answered and what was made of it.
const END: &str = "---";

/// What a device answered, by OID.
pub type Objects = BTreeMap<Oid, Value>;

/// A recording as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    pub objects: Objects,
    /// What was made of it, where it says so: the form of [`normal_form`].
    pub expected: Option<String>,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadLine {
    /// From 1.
    pub line: usize,
    pub what: String,
}

/// Lists problems, each on a line of its own.
pub fn list(problems: &[BadLine]) -> String {
    let mut lines: Vec<String> = problems.iter().take(PROBLEMS_SHOWN).map(ToString::to_string).collect();
    if problems.len() > PROBLEMS_SHOWN {
        lines.push(format!("and {} more", problems.len() - PROBLEMS_SHOWN));
    }
    lines.join("\n")
}

/// Reads a recording. All problems at once.
pub fn parse(text: &str) -> Result<Recording, Vec<BadLine>> {
    let mut reader = Reader::default();
    let mut problems = Vec::new();
    let mut expected = None;
    let mut rest = text;
    let mut number = 0;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        (rest, number) = (after, number + 1);
        let line = line.trim();
        if line == END {
            expected = Some(rest.to_owned()).filter(|text| !text.trim().is_empty());
            break;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Err(what) = reader.line(line) {
            problems.push(BadLine { line: number, what });
        }
    }
    if reader.objects.is_empty() && problems.is_empty() {
        problems.push(BadLine { line: number.max(1), what: "there is no object in it".to_owned() });
    }
    if problems.is_empty() { Ok(Recording { objects: reader.objects, expected }) } else { Err(problems) }
}

#[derive(Default)]
struct Reader {
    /// The longest name first: none is taken for the beginning of another.
    names: Vec<(String, String)>,
    objects: Objects,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some((name, full)) = line.split_once(" = ").filter(|_| line.starts_with('@')) {
            let full = self.expand(full.trim())?;
            if self.names.len() >= NAMES_MAX {
                return Err(format!("more than {NAMES_MAX} prefixes"));
            }
            self.names.push((name.trim().to_owned(), full));
            self.names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
            return Ok(());
        }
        let mut words = line.splitn(3, ' ');
        let (oid, kind, text) =
            (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let full = self.expand(oid)?;
        let oid = Oid::parse(&full).ok_or_else(|| format!("\"{oid}\" is no OID such as 1.3.6.1.2.1.1.1.0"))?;
        let value = value_of(kind, text)?;
        if self.objects.len() >= OBJECTS_MAX && !self.objects.contains_key(&oid) {
            return Err(format!("more than {OBJECTS_MAX} objects"));
        }
        self.objects.insert(oid, value);
        Ok(())
    }

    fn expand(&self, text: &str) -> Result<String, String> {
        let mut full = text.to_owned();
        for (name, prefix) in self.names.iter().filter(|_| text.contains('@')) {
            full = full.replace(name, prefix);
            if full.len() > OID_CHARS_MAX {
                return Err(format!("an OID of more than {OID_CHARS_MAX} characters"));
            }
        }
        Ok(full)
    }
}

fn value_of(kind: &str, text: &str) -> Result<Value, String> {
    let number = |what: &str| format!("\"{text}\" is no {what}");
    Ok(match kind {
        "int" => Value::Integer(text.parse().map_err(|_| number("whole number of 32 bits (int)"))?),
        "gauge" => Value::Gauge32(text.parse().map_err(|_| number("number from 0 to 4294967295 (gauge)"))?),
        "c32" => Value::Counter32(text.parse().map_err(|_| number("number from 0 to 4294967295 (c32)"))?),
        "c64" => Value::Counter64(text.parse().map_err(|_| number("number from 0 to 18446744073709551615 (c64)"))?),
        "ticks" => Value::TimeTicks(text.parse().map_err(|_| number("number of hundredths of a second (ticks)"))?),
        "str" => Value::Bytes(text.as_bytes().to_vec()),
        "hex" => Value::Bytes(octets(text).ok_or_else(|| number("even number of hex digits (hex)"))?),
        "oid" => Value::Oid(Oid::parse(text).ok_or_else(|| number("OID (oid)"))?),
        "ip" => Value::IpAddress(text.parse::<std::net::Ipv4Addr>().map_err(|_| number("IPv4 address (ip)"))?.octets()),
        other => {
            return Err(format!(
                "\"{other}\" is no type: want int, gauge, c32, c64, ticks, str, hex, oid or ip, as in \
                 `1.3.6.1.2.1.1.3.0 ticks 100`"
            ));
        }
    })
}

fn octets(text: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let even = text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit());
    even.then(|| text.as_bytes().chunks(2).map(pair).collect()).flatten()
}

/// The text that [`parse`] reads back as the same objects. `comments` come first, a line each.
pub fn write(objects: &Objects, comments: &[String], expected: &str) -> String {
    let mut out = String::new();
    for comment in comments {
        let _ = writeln!(out, "# {}", comment.replace(['\n', '\r'], " "));
    }
    for (oid, value) in objects {
        let _ = match value_text(value) {
            Some(text) => writeln!(out, "{}", format!("{oid} {text}").trim_end()),
            None => writeln!(out, "# {oid} has a type that is not read here"),
        };
    }
    let _ = write!(out, "{END}\n{expected}");
    out
}

/// `None`: of a type that no decoder reads.
fn value_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Integer(n) => format!("int {n}"),
        Value::Gauge32(n) => format!("gauge {n}"),
        Value::Counter32(n) => format!("c32 {n}"),
        Value::Counter64(n) => format!("c64 {n}"),
        Value::TimeTicks(n) => format!("ticks {n}"),
        Value::Oid(oid) => format!("oid {oid}"),
        Value::IpAddress(octets) => format!("ip {}", std::net::Ipv4Addr::from(*octets)),
        Value::Bytes(bytes) => match readable(bytes) {
            Some(text) => format!("str {text}"),
            None => format!("hex {}", hex(bytes)),
        },
        Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMib | Value::Other => return None,
    })
}

/// The text of some octets, if a line can carry it and give back the same octets.
fn readable(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (text.trim() == text && !text.chars().any(char::is_control)).then_some(text)
}

/// Readings as `field=value[ provenance]` or `field=(reason)`, in the order of their names.
pub fn readings(readings: &BTreeMap<&'static str, Reading>) -> Vec<String> {
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    let one = |(field, reading): (&&str, &Reading)| match reading {
        Reading::Value { value, from: None } => format!("{field}={}", rounded(*value)),
        Reading::Value { value, from: Some(from) } => format!("{field}={} {}", rounded(*value), from.as_str()),
        Reading::Missing(why) => format!("{field}=({})", why.as_str()),
    };
    readings.iter().map(one).collect()
}

/// What was made of a device's answers, line by line: profile, model, firmware, each radio, its supply.
pub fn normal_form(polled: &Polled) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let Identity { family, info, .. } = &polled.identity;
    let mut lines = vec![
        format!("profile {}", family.profile),
        format!("model {}", or_none(&info.model)),
        format!("firmware {}", or_none(&info.firmware)),
    ];
    for radio in &polled.radios {
        lines.push(format!("radio {} towards {}", radio.tag, or_none(&radio.peer)));
        lines.extend(radio.modulation.iter().map(|m| format!("  modulation={m}")));
        lines.extend(readings(&radio.readings).iter().map(|reading| format!("  {reading}")));
    }
    lines.extend(readings(&polled.power).iter().map(|reading| format!("power {reading}")));
    lines.join("\n") + "\n"
}

/// A reading that needs two polls: a recording has one.
pub fn is_rate(line: &str) -> bool {
    line.trim_start().starts_with("throughput_")
}

/// What `found` has in another way than `expected`: lines with `-` are only in `expected`, those with `+` only in
/// `found`. `leave`: lines that are not compared.
pub fn differences(expected: &str, found: &str, leave: fn(&str) -> bool) -> Vec<String> {
    // Each line with the radio that it belongs to: two radios may say the same.
    let placed = |text: &str| {
        let mut place = String::new();
        let mut lines = Vec::new();
        for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !leave(line)) {
            if line.starts_with(' ') {
                lines.push((place.clone(), line.trim().to_owned()));
            } else {
                line.split(" towards").next().unwrap_or(line).clone_into(&mut place);
                lines.push((String::new(), line.to_owned()));
            }
        }
        lines
    };
    let (expected, found) = (placed(expected), placed(found));
    let show = |sign: char, (place, line): &(String, String)| match place.as_str() {
        "" => format!("{sign} {line}"),
        place => format!("{sign} {place}: {line}"),
    };
    let gone = expected.iter().filter(|line| !found.contains(line)).map(|line| show('-', line));
    let new = found.iter().filter(|line| !expected.contains(line)).map(|line| show('+', line));
    gone.chain(new).collect()
}

#[cfg(test)]
mod tests;
