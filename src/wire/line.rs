//! Line protocol: samples as text, the content of every batch. `[P]`
//!
//! One line is one sample: `measurement,tag=value,… field=value,… milliseconds`, by the line protocol reference of
//! InfluxDB 2. Tags in order of [`Tag`], fields in order of name. A value is a float; a missing reading is
//! `<field>_missing=<code>`, a provenance `<field>_from=<code>` after its value; texts are quoted strings.
//!
//! Writing never fails: what the protocol has no escape for that all its readers agree on is replaced (control
//! characters by a space, a backslash in a tag by a slash), an empty tag is left out, and so is a sample without any
//! field. Every line written is shorter than [`LINE_BYTES_MAX`].
//!
//! Reading is strict about syntax and tolerant about names: a measurement, tag, field or code that the catalogue does
//! not know comes from a newer version, is ignored and counted. Syntax is another matter: a batch that has one bad line
//! was damaged or was not made by vedetta, so [`count`] refuses it whole, and it is set aside for a person, rather than
//! stored in part under a sequence number that promises all of it.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::catalogue::{self, FROM_SUFFIX, MISSING_SUFFIX, Unit};
use crate::model::{Missing, Provenance, Reading, Sample, Tag, UnixMillis};

/// Longest line that is read, in bytes. The longest that is written (every tag, every field of `radio` with its
/// provenance, texts of full length) is about half of it.
pub const LINE_BYTES_MAX: usize = 16 * 1024;
/// Most tags of one line that is read; there are 11.
pub const TAGS_MAX: usize = 32;
/// Most fields of one line that is read; `radio`, with 30, is the measurement with most.
pub const FIELDS_MAX: usize = 256;
/// Longest tag value or text that is written, in bytes; sysDescr, the longest that radios say, has at most 255.
pub const TEXT_BYTES_MAX: usize = 256;
/// Largest timestamp either way, in milliseconds: InfluxDB keeps nanoseconds in 64 bits.
pub const TIMESTAMP_MS_MAX: i64 = i64::MAX / 1_000_000;

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    #[error("holds a control character")]
    ControlCharacter,
    #[error("has no measurement")]
    NoMeasurement,
    #[error("has a tag that is not key=value")]
    BadTag,
    #[error("has a tag twice")]
    DuplicateTag,
    #[error("has more than {TAGS_MAX} tags")]
    TooManyTags,
    #[error("has no field")]
    NoField,
    #[error("has a field that is not key=value")]
    BadField,
    #[error("has more than {FIELDS_MAX} fields")]
    TooManyFields,
    #[error("has a value that is no number, truth value or text")]
    BadValue,
    #[error("has a text without its closing quote")]
    OpenText,
    #[error("has no timestamp")]
    NoTimestamp,
    #[error("has a timestamp that is no time in milliseconds")]
    BadTimestamp,
}

/// A line that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {fault}")]
pub struct LineProblem {
    /// Counted from 1, blank lines and comments included.
    pub line: u32,
    pub fault: Fault,
}

/// What a text of line protocol holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    pub samples: Vec<Sample>,
    pub problems: Vec<LineProblem>,
    /// Measurements, tags, fields and codes that the catalogue does not know.
    pub ignored: u32,
}

/// Appends one line for each sample that has a field; says how many.
pub fn encode(samples: &[Sample], out: &mut String) -> u32 {
    samples.iter().map(|sample| u32::from(encode_one(sample, out))).sum()
}

/// The samples of a text, and the lines that could not be read.
pub fn decode(text: &str) -> (Vec<Sample>, Vec<LineProblem>) {
    let Decoded { samples, problems, .. } = read(text);
    (samples, problems)
}

/// As [`decode`], and how many names were not known.
pub fn read(text: &str) -> Decoded {
    let mut decoded = Decoded::default();
    for (line, parsed) in lines(text) {
        match parsed {
            Ok(parsed) => decoded.samples.extend(sample_of(&parsed, &mut decoded.ignored)),
            Err(fault) => decoded.problems.push(LineProblem { line, fault }),
        }
    }
    decoded
}

/// The number of lines of a batch in which every line can be read; what is wrong with it otherwise.
pub fn count(bytes: &[u8]) -> Result<u32, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| format!("the batch is not UTF-8: {e}"))?;
    let mut n_lines = 0;
    for (line, parsed) in lines(text) {
        parsed.map_err(|fault| LineProblem { line, fault }.to_string())?;
        n_lines += 1;
    }
    Ok(n_lines)
}

/// Appends `line` with a tag added, or replaced if it has it.
pub fn add_tag(line: &str, tag: Tag, value: &str, out: &mut String) -> Result<(), Fault> {
    Line::parse(line)?.write_with(&[(tag, value)], out);
    Ok(())
}

/// The lines of a text that are neither blank nor comments, with their numbers.
pub fn lines(text: &str) -> impl Iterator<Item = (u32, Result<Line<'_>, Fault>)> {
    (1..).zip(text.split('\n')).filter_map(|(number, line)| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let skipped = line.is_empty() || line.starts_with('#');
        (!skipped).then(|| (number, Line::parse(line)))
    })
}

fn encode_one(sample: &Sample, out: &mut String) -> bool {
    if sample.readings.is_empty() && sample.texts.is_empty() {
        return false;
    }
    out.push_str(sample.measurement.name);
    for (tag, value) in &sample.tags {
        push_tag(tag.as_str(), value, out);
    }
    let mut separator = ' ';
    for (name, reading) in &sample.readings {
        out.push(separator);
        separator = ',';
        out.push_str(name);
        match reading {
            Reading::Value { value, from } => {
                push_number(*value, out);
                if let Some(from) = from {
                    push_code(name, FROM_SUFFIX, from.code(), out);
                }
            }
            Reading::Missing(why) => {
                let _ = write!(out, "{MISSING_SUFFIX}={}", why.code());
            }
        }
    }
    for (name, text) in &sample.texts {
        out.push(separator);
        separator = ',';
        push_text(name, text, out);
    }
    let at = sample.at.0.clamp(-TIMESTAMP_MS_MAX, TIMESTAMP_MS_MAX);
    let _ = writeln!(out, " {at}");
    true
}

fn push_tag(key: &str, value: &str, out: &mut String) {
    if value.is_empty() {
        return;
    }
    out.push(',');
    push_word(key, out);
    out.push('=');
    push_word(value, out);
}

/// A measurement, or the key or value of a tag. An equals sign need not be escaped in a measurement, but may be.
fn push_word(word: &str, out: &mut String) {
    for c in shortened(word).chars() {
        match c {
            ',' | '=' | ' ' => out.extend(['\\', c]),
            '\\' => out.push('/'),
            c if c.is_control() => out.push_str("\\ "),
            c => out.push(c),
        }
    }
}

fn push_text(key: &str, text: &str, out: &mut String) {
    let _ = write!(out, "{key}=\"");
    for c in shortened(text).chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The shortest decimal that reads back as the same number; with an exponent where it would be long without.
fn push_number(value: f64, out: &mut String) {
    let size = value.abs();
    let _ =
        if size == 0.0 || (1e-5..1e15).contains(&size) { write!(out, "={value}") } else { write!(out, "={value:e}") };
}

fn push_code(name: &str, suffix: &str, code: u8, out: &mut String) {
    let _ = write!(out, ",{name}{suffix}={code}");
}

/// At most [`TEXT_BYTES_MAX`] bytes of it, whole characters.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// The sample of a line; `None` when the catalogue knows neither its measurement nor any of its fields.
fn sample_of(line: &Line<'_>, ignored: &mut u32) -> Option<Sample> {
    let Some(measurement) = catalogue::measurement(&line.measurement) else {
        *ignored += 1;
        return None;
    };
    let mut sample = Sample::new(measurement, line.at);
    for (key, value) in &line.tags {
        match Tag::parse(key) {
            Some(tag) => _ = sample.tags.insert(tag, value.to_string()),
            None => *ignored += 1,
        }
    }
    let mut provenances = Vec::new();
    let mut missing = Vec::new();
    for (key, value) in &line.fields {
        let field = |suffix: &str| measurement.field(key.strip_suffix(suffix)?).filter(|f| f.unit != Unit::Text);
        match value {
            Value::Text(text) if measurement.field(key).is_some_and(|f| f.unit == Unit::Text) => {
                let name = measurement.field(key).map(|f| f.name);
                sample.texts.extend(name.map(|name| (name, text.to_string())));
            }
            Value::Text(_) => *ignored += 1,
            Value::Number(number) => {
                if let Some(field) = field("") {
                    sample.readings.insert(field.name, Reading::value(*number));
                } else if let Some(field) = field(MISSING_SUFFIX) {
                    missing.push((field.name, code(*number).and_then(Missing::from_code)));
                } else if let Some(field) = field(FROM_SUFFIX) {
                    provenances.push((field.name, code(*number).and_then(Provenance::from_code)));
                } else {
                    *ignored += 1;
                }
            }
        }
    }
    for (name, from) in provenances {
        match (sample.readings.get_mut(name), from) {
            (Some(Reading::Value { from: place, .. }), Some(from)) => *place = Some(from),
            _ => *ignored += 1,
        }
    }
    for (name, why) in missing {
        *ignored += u32::from(why.is_none());
        // A reason that only a newer version knows is still a reason. A value that its own sender calls missing is
        // no value.
        sample.readings.insert(name, Reading::Missing(why.unwrap_or(Missing::NotMeasured)));
    }
    (!sample.readings.is_empty() || !sample.texts.is_empty()).then_some(sample)
}

fn code(number: f64) -> Option<u8> {
    (number.fract() == 0.0 && (0.0..=255.0).contains(&number)).then_some(number as u8)
}

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Integers and truth values (1 and 0) too.
    Number(f64),
    Text(Cow<'a, str>),
}

/// Keys and values.
pub type Tags<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// One line, taken apart; its names may be unknown to the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    raw: &'a str,
    /// Where the tags end in `raw`.
    tags_end: usize,
    /// Where the time begins in `raw`.
    time_start: usize,
    pub measurement: Cow<'a, str>,
    pub tags: Tags<'a>,
    pub fields: Vec<(Cow<'a, str>, Value<'a>)>,
    pub at: UnixMillis,
}

impl<'a> Line<'a> {
    /// Takes one line apart, without its line break.
    pub fn parse(raw: &'a str) -> Result<Self, Fault> {
        if raw.len() > LINE_BYTES_MAX {
            return Err(Fault::TooLong);
        }
        if raw.chars().any(char::is_control) {
            return Err(Fault::ControlCharacter);
        }
        let mut scan = Scan { raw, at: 0 };
        let measurement = scan.word(b", ", b"");
        let measurement = measurement.filter(|m| !m.is_empty()).ok_or(Fault::NoMeasurement)?;
        let tags = scan.tags()?;
        let tags_end = scan.at;
        if !scan.eat(b' ') {
            return Err(Fault::NoField);
        }
        let fields = scan.fields()?;
        if !scan.eat(b' ') {
            return Err(Fault::NoTimestamp);
        }
        let time_start = scan.at;
        let at = timestamp(&raw[time_start..])?;
        Ok(Self { raw, tags_end, time_start, measurement, tags, fields, at })
    }

    /// The value of a tag.
    pub fn tag(&self, tag: Tag) -> Option<&str> {
        self.tags.iter().find(|(key, _)| key == tag.as_str()).map(|(_, value)| &**value)
    }

    /// The same line measured at another time.
    #[must_use]
    pub fn placed(self, at: UnixMillis) -> Self {
        Self { at, ..self }
    }

    /// Appends the line, with its line break, as it was but for its time.
    pub fn write(&self, out: &mut String) {
        out.push_str(&self.raw[..self.time_start]);
        let _ = writeln!(out, "{}", self.at.0);
    }

    /// Appends the line, with its line break, and with these tags added, or replaced where it has them.
    pub fn write_with(&self, added: &[(Tag, &str)], out: &mut String) {
        let is_replaced = |key: &str| added.iter().any(|(tag, _)| key == tag.as_str());
        if self.tags.iter().any(|(key, _)| is_replaced(key)) {
            push_word(&self.measurement, out);
            for (key, value) in self.tags.iter().filter(|(key, _)| !is_replaced(key)) {
                push_tag(key, value, out);
            }
        } else {
            out.push_str(&self.raw[..self.tags_end]);
        }
        for (tag, value) in added {
            push_tag(tag.as_str(), value, out);
        }
        out.push_str(&self.raw[self.tags_end..self.time_start]);
        let _ = writeln!(out, "{}", self.at.0);
    }
}

fn timestamp(text: &str) -> Result<UnixMillis, Fault> {
    if text.is_empty() {
        return Err(Fault::NoTimestamp);
    }
    let millis: i64 = text.parse().map_err(|_| Fault::BadTimestamp)?;
    if (-TIMESTAMP_MS_MAX..=TIMESTAMP_MS_MAX).contains(&millis) {
        Ok(UnixMillis(millis))
    } else {
        Err(Fault::BadTimestamp)
    }
}

fn number(token: &str) -> Option<f64> {
    match token {
        "t" | "T" | "true" | "True" | "TRUE" => return Some(1.0),
        "f" | "F" | "false" | "False" | "FALSE" => return Some(0.0),
        _ => {}
    }
    if let Some(digits) = token.strip_suffix('i') {
        return digits.parse::<i64>().ok().map(|n| n as f64);
    }
    if let Some(digits) = token.strip_suffix('u') {
        return digits.parse::<u64>().ok().map(|n| n as f64);
    }
    // Rust reads "inf" and "nan" as numbers; line protocol has neither.
    let plain = token.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    token.parse().ok().filter(|n: &f64| plain && n.is_finite())
}

/// A place in a line.
struct Scan<'a> {
    raw: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.raw.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// What comes before the first of `stops` that is not escaped, or before the end; `None` if one of `never` comes
    /// first. A backslash escapes comma, equals sign, space and backslash, and is itself before anything else.
    fn word(&mut self, stops: &[u8], never: &[u8]) -> Option<Cow<'a, str>> {
        let bytes = self.raw.as_bytes();
        let (start, mut escaped) = (self.at, false);
        while let Some(byte) = self.peek().filter(|b| !stops.contains(b)) {
            if never.contains(&byte) {
                return None;
            }
            let pair = byte == b'\\' && bytes.get(self.at + 1).is_some_and(|b| b",= \\".contains(b));
            escaped |= pair;
            self.at += if pair { 2 } else { 1 };
        }
        let word = &self.raw[start..self.at];
        Some(if escaped { Cow::Owned(unescaped(word, ",= \\")) } else { Cow::Borrowed(word) })
    }

    fn tags(&mut self) -> Result<Tags<'a>, Fault> {
        let mut tags: Tags<'a> = Vec::new();
        while self.eat(b',') {
            let key = self.word(b"=", b", ").filter(|k| !k.is_empty()).ok_or(Fault::BadTag)?;
            if !self.eat(b'=') {
                return Err(Fault::BadTag);
            }
            let value = self.word(b", ", b"=").filter(|v| !v.is_empty()).ok_or(Fault::BadTag)?;
            if tags.iter().any(|(other, _)| *other == key) {
                return Err(Fault::DuplicateTag);
            }
            if tags.len() == TAGS_MAX {
                return Err(Fault::TooManyTags);
            }
            tags.push((key, value));
        }
        Ok(tags)
    }

    fn fields(&mut self) -> Result<Vec<(Cow<'a, str>, Value<'a>)>, Fault> {
        if self.peek().is_none() {
            return Err(Fault::NoField);
        }
        let mut fields = Vec::new();
        loop {
            let key = self.word(b"=", b", ").filter(|k| !k.is_empty()).ok_or(Fault::BadField)?;
            if !self.eat(b'=') {
                return Err(Fault::BadField);
            }
            if fields.len() == FIELDS_MAX {
                return Err(Fault::TooManyFields);
            }
            fields.push((key, self.value()?));
            if !self.eat(b',') {
                return Ok(fields);
            }
        }
    }

    fn value(&mut self) -> Result<Value<'a>, Fault> {
        if self.eat(b'"') {
            return self.text().map(Value::Text);
        }
        let start = self.at;
        while self.peek().is_some_and(|b| b != b',' && b != b' ') {
            self.at += 1;
        }
        number(&self.raw[start..self.at]).map(Value::Number).ok_or(Fault::BadValue)
    }

    /// The rest of a text, after its opening quote, and its closing quote.
    fn text(&mut self) -> Result<Cow<'a, str>, Fault> {
        let bytes = self.raw.as_bytes();
        let (start, mut escaped) = (self.at, false);
        while let Some(byte) = self.peek().filter(|b| *b != b'"') {
            let pair = byte == b'\\' && bytes.get(self.at + 1).is_some_and(|b| b"\"\\".contains(b));
            escaped |= pair;
            self.at += if pair { 2 } else { 1 };
        }
        let text = &self.raw[start..self.at];
        if !self.eat(b'"') {
            return Err(Fault::OpenText);
        }
        if self.peek().is_some_and(|b| b != b',' && b != b' ') {
            return Err(Fault::BadValue);
        }
        Ok(if escaped { Cow::Owned(unescaped(text, "\"\\")) } else { Cow::Borrowed(text) })
    }
}

/// Without the backslashes that come before one of `special`.
fn unescaped(word: &str, special: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        let next = rest.clone().next().filter(|next| c == '\\' && special.contains(*next));
        if next.is_some() {
            rest.next();
        }
        plain.push(next.unwrap_or(c));
    }
    plain
}

#[cfg(test)]
mod tests;
