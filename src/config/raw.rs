//! A TOML text held against its [`schema`](super::schema): every value typed and in range, defaults filled in,
//! references resolved. What does not fit is a finding, and the reading goes on. [P]
//!
//! What needs more than one key at a time is `check`'s work.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Finding, Findings, excerpt, near_miss, shorten};
use super::schema::{self, FileKind, Key, Kind, Presence, Table};
use super::text;
use crate::model::id::check_id;

/// Longest line of text accepted, in bytes.
const LINE_BYTES_MAX: usize = 500;
/// Longest text of several lines accepted, in bytes.
const PROSE_BYTES_MAX: usize = 4000;

/// A value of the type that its key asks for.
#[derive(Debug, Clone)]
pub enum Value {
    Text(String),
    Boolean(bool),
    Integer(u64),
    Number(f64),
    Duration(Duration),
    MinuteOfDay(u16),
    Address(IpAddr),
    Socket(SocketAddr),
    List(Vec<Item>),
    Table(Raw),
    Tables(Vec<Raw>),
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Item {
    pub at: usize,
    pub value: Value,
}

/// What a message calls a table and its keys.
#[derive(Debug, Clone, Default)]
struct Place {
    /// `link "pizzo-valle"`, `mail`; empty at the top of the file.
    label: String,
    /// `smtp.` inside a table inside that table.
    path: String,
}

impl Place {
    fn key(&self, name: &str) -> String {
        let separator = if self.label.is_empty() { "" } else { ": " };
        format!("{}{separator}{}{name}", self.label, self.path)
    }

    fn whole(&self) -> String {
        match self.path.strip_suffix('.') {
            Some(path) => format!("{}: {path}", self.label),
            None => self.label.clone(),
        }
    }

    fn inside(&self, name: &str) -> Self {
        if self.label.is_empty() {
            Self { label: name.to_owned(), path: String::new() }
        } else {
            Self { label: self.label.clone(), path: format!("{}{name}.", self.path) }
        }
    }
}

/// A table that was read: the values that fit.
#[derive(Debug, Clone)]
pub struct Raw {
    schema: &'static Table,
    place: Place,
    /// Where the table begins, as a byte offset.
    pub at: usize,
    fields: BTreeMap<&'static str, Item>,
    /// Keys that stand in the file, whether or not their values fit.
    written: BTreeSet<&'static str>,
}

impl Raw {
    /// What a message calls a key of this table: `link "pizzo-valle": cost`.
    pub fn place(&self, key: &str) -> String {
        self.place.key(key)
    }

    /// What a message calls this table.
    pub fn label(&self) -> String {
        self.place.whole()
    }

    /// Whether the key stands in the file, with a good value or a bad one.
    pub fn is_written(&self, key: &str) -> bool {
        self.written.contains(key)
    }

    /// Where the value of this key stands; the table, if the key is not written.
    pub fn at(&self, key: &str) -> usize {
        self.fields.get(key).map_or(self.at, |item| item.at)
    }

    pub fn error(&self, key: &str, wanted: impl Into<String>) -> Finding {
        Finding::error(self.at(key), self.place(key), wanted)
    }

    pub fn warning(&self, key: &str, wanted: impl Into<String>) -> Finding {
        Finding::warning(self.at(key), self.place(key), wanted)
    }

    fn value(&self, key: &str) -> Option<&Value> {
        debug_assert!(self.schema.key(key).is_some(), "{key} is not in the schema");
        self.fields.get(key).map(|item| &item.value)
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    pub fn integer(&self, key: &str) -> Option<u64> {
        match self.value(key)? {
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }

    pub fn number(&self, key: &str) -> Option<f64> {
        match self.value(key)? {
            Value::Number(value) => Some(*value),
            _ => None,
        }
    }

    pub fn duration(&self, key: &str) -> Option<Duration> {
        match self.value(key)? {
            Value::Duration(value) => Some(*value),
            _ => None,
        }
    }

    pub fn minute_of_day(&self, key: &str) -> Option<u16> {
        match self.value(key)? {
            Value::MinuteOfDay(value) => Some(*value),
            _ => None,
        }
    }

    pub fn address(&self, key: &str) -> Option<IpAddr> {
        match self.value(key)? {
            Value::Address(value) => Some(*value),
            _ => None,
        }
    }

    pub fn socket(&self, key: &str) -> Option<SocketAddr> {
        match self.value(key)? {
            Value::Socket(value) => Some(*value),
            _ => None,
        }
    }

    /// The items of a list; none where the key is not written.
    pub fn items(&self, key: &str) -> &[Item] {
        match self.value(key) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// The texts of a list.
    pub fn texts(&self, key: &str) -> impl Iterator<Item = &str> {
        self.items(key).iter().filter_map(|item| match &item.value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    pub fn table(&self, key: &str) -> Option<&Raw> {
        match self.value(key)? {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Whether this list is empty on purpose.
    pub fn is_empty_list(&self, key: &str) -> bool {
        matches!(self.value(key), Some(Value::List(items)) if items.is_empty())
    }

    pub fn tables(&self, key: &str) -> &[Raw] {
        match self.value(key) {
            Some(Value::Tables(tables)) => tables,
            _ => &[],
        }
    }
}

/// Reads a file of this kind. `None` if its TOML is so broken that reading its keys would only mislead.
pub fn read(kind: FileKind, text: &str, findings: &mut Findings) -> Option<Raw> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut is_readable = true;
    for error in &errors {
        // Only a key written twice leaves the rest of the file as it was meant.
        is_readable &= error.message() == "duplicate key";
        let at = error.span().map_or(0, |span| span.start);
        findings.push(syntax_error(text, at, error));
    }
    if !is_readable {
        return None;
    }
    let mut reader = Reader { text, findings, declared: BTreeMap::new(), default_at: None };
    let raw = reader.table(kind.schema(), table.get_ref(), 0, Place::default());
    let declared = std::mem::take(&mut reader.declared);
    References { declared: &declared, findings }.check(&raw);
    Some(raw)
}

fn syntax_error(text: &str, at: usize, error: &toml::de::Error) -> Finding {
    if error.message() == "duplicate key" {
        let key: String = text.get(at..).unwrap_or("").chars().take_while(|c| !matches!(c, '=' | ']' | '\n')).collect();
        return Finding::error(at, shorten(key.trim()), "stands twice in this table");
    }
    Finding::error(at, "", format!("not TOML: {}", error.message()))
}

/// Ids by table, with the place of the first.
type Declared = BTreeMap<&'static str, BTreeMap<String, usize>>;

struct Reader<'t, 'f> {
    text: &'t str,
    findings: &'f mut Findings,
    declared: Declared,
    /// Set while a default is read: its offsets are not the file's.
    default_at: Option<usize>,
}

impl Reader<'_, '_> {
    fn at(&self, span: &Range<usize>) -> usize {
        self.default_at.unwrap_or(span.start)
    }

    fn table(&mut self, schema: &'static Table, table: &DeTable<'_>, at: usize, place: Place) -> Raw {
        let mut raw = Raw { schema, place, at, fields: BTreeMap::new(), written: BTreeSet::new() };
        for (name, value) in table {
            let Some(key) = schema.key(name.get_ref()) else {
                self.unknown_key(schema, name, &raw.place);
                continue;
            };
            raw.written.insert(key.name);
            if let Some(item) = self.item(key, value, &raw.place) {
                raw.fields.insert(key.name, item);
            }
        }
        for key in schema.keys.iter().filter(|key| !table.contains_key(key.name)) {
            match key.presence {
                Presence::Required => {
                    let wanted = format!("must be given: {}", article(key));
                    self.findings.push(Finding::error(at, raw.place.key(key.name), wanted));
                }
                Presence::Default(text) => {
                    if let Some(item) = self.default(key, text, at, &raw.place) {
                        raw.fields.insert(key.name, item);
                    }
                }
                Presence::Optional(_) => {}
            }
        }
        raw
    }

    fn unknown_key(&mut self, schema: &'static Table, name: &Spanned<std::borrow::Cow<'_, str>>, place: &Place) {
        let known = schema.keys.iter().filter(|key| !matches!(key.kind, Kind::Refused(_))).map(|key| key.name);
        let near = if self.findings.is_full() { None } else { near_miss(name.get_ref(), known.clone()) };
        let wanted = if near.is_some() || known.clone().count() > 12 {
            "there is no such key".to_owned()
        } else {
            format!("there is no such key here; there are {}", known.collect::<Vec<_>>().join(", "))
        };
        let finding = Finding::error(self.at(&name.span()), place.key(&shorten(name.get_ref())), wanted);
        self.findings.push(finding.near(near.map(str::to_owned)));
    }

    /// A default goes through the same reading as what people write; that each fits its key is a test.
    fn default(&mut self, key: &'static Key, text: &str, at: usize, place: &Place) -> Option<Item> {
        let value = DeValue::parse(text).ok()?;
        let before = self.default_at.replace(at);
        let item = self.item(key, &value, place);
        self.default_at = before;
        item
    }

    fn item(&mut self, key: &'static Key, value: &Spanned<DeValue<'_>>, place: &Place) -> Option<Item> {
        let at = self.at(&value.span());
        let value = match (key.kind, value.get_ref()) {
            (Kind::Table(schema), DeValue::Table(table)) => {
                Value::Table(self.table(schema, table, at, place.inside(key.name)))
            }
            (Kind::Tables(schema), DeValue::Array(list)) if list.iter().all(|v| v.get_ref().is_table()) => {
                let tables = list.iter().enumerate();
                Value::Tables(tables.filter_map(|(n, v)| self.entry(schema, key.name, n, v)).collect())
            }
            (Kind::References(..) | Kind::Texts | Kind::Addresses | Kind::Emails, DeValue::Array(list)) => {
                self.list(key, list, at, place)?
            }
            _ => match scalar(key.kind, value.get_ref()) {
                Ok(value) => value,
                Err(wrong) => {
                    self.wrong(key, value, place, wrong);
                    return None;
                }
            },
        };
        Some(Item { at, value })
    }

    fn entry(
        &mut self,
        schema: &'static Table,
        kind: &'static str,
        n: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Raw> {
        let table = value.get_ref().as_table()?;
        let at = self.at(&value.span());
        let name = |key: &str| table.get(key).and_then(|v| v.get_ref().as_str()).map(shorten);
        let label = match name("id").or_else(|| name("name")) {
            Some(name) => format!("{kind} \"{name}\""),
            None => format!("{kind} {}", n + 1),
        };
        if let Some(id) = table.get("id") {
            self.declare(kind, id, &label);
        }
        Some(self.table(schema, table, at, Place { label, path: String::new() }))
    }

    /// Remembers an id, good or bad, so that references to it are not one problem more.
    fn declare(&mut self, kind: &'static str, id: &Spanned<DeValue<'_>>, label: &str) {
        let Some(name) = id.get_ref().as_str() else { return };
        let at = self.at(&id.span());
        let ids = self.declared.entry(kind).or_default();
        if let Some(first) = ids.get(name) {
            let line = self.text.get(..*first).unwrap_or("").matches('\n').count() + 1;
            let wanted = format!("another [[{kind}]] has this id, in line {line}");
            self.findings.push(Finding::error(at, format!("{label}: id"), wanted));
        } else {
            ids.insert(name.to_owned(), at);
        }
    }

    fn list(&mut self, key: &'static Key, list: &[Spanned<DeValue<'_>>], at: usize, place: &Place) -> Option<Value> {
        let (kind, n_min) = match key.kind {
            Kind::References(table, n_min) => (Kind::Reference(table), n_min),
            Kind::Addresses => (Kind::Address, 0),
            Kind::Emails => (Kind::Email, 0),
            _ => (Kind::Text, 0),
        };
        let mut items: Vec<Item> = Vec::new();
        let mut seen = BTreeSet::new();
        for value in list {
            match scalar(kind, value.get_ref()) {
                Err(wrong) => self.wrong(key, value, place, wrong),
                Ok(_) if !seen.insert(shorten(&self.text_of(value))) => {
                    self.wrong(key, value, place, Wrong::new("must not be listed twice"));
                }
                Ok(read) => items.push(Item { at: self.at(&value.span()), value: read }),
            }
        }
        if list.len() < n_min {
            let entries = if n_min == 1 { "entry" } else { "entries" };
            let wanted = format!("must have at least {n_min} {entries}");
            self.findings.push(Finding::error(at, place.key(key.name), wanted));
            return None;
        }
        // A list of nothing but mistakes is not the empty list.
        (list.is_empty() || !items.is_empty()).then_some(Value::List(items))
    }

    fn text_of(&self, value: &Spanned<DeValue<'_>>) -> String {
        value.get_ref().as_str().map_or_else(|| excerpt(self.text, value.span()), str::to_owned)
    }

    fn wrong(&mut self, key: &'static Key, value: &Spanned<DeValue<'_>>, place: &Place, wrong: Wrong) {
        let mut finding = Finding::error(self.at(&value.span()), place.key(key.name), wrong.wanted);
        if key.kind.is_shown() {
            let found = match value.get_ref() {
                DeValue::Table(_) => "a table".to_owned(),
                DeValue::Array(_) => "a list".to_owned(),
                _ => excerpt(self.text, value.span()),
            };
            finding = finding.found(found).near(wrong.near);
        }
        self.findings.push(finding);
    }
}

/// `the device at one end …`: the meaning of a key inside a sentence.
fn article(key: &Key) -> String {
    let mut meaning = key.meaning.trim_end_matches('.').to_owned();
    if let Some(first) = meaning.get_mut(..1) {
        let is_word = key.meaning.chars().nth(1).is_some_and(char::is_lowercase);
        if is_word {
            first.make_ascii_lowercase();
        }
    }
    meaning
}

/// Why a value does not fit.
struct Wrong {
    wanted: String,
    near: Option<String>,
}

impl Wrong {
    fn new(wanted: impl Into<String>) -> Self {
        Self { wanted: wanted.into(), near: None }
    }

    fn near(wanted: impl Into<String>, near: Option<String>) -> Self {
        Self { wanted: wanted.into(), near }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A single value of this kind.
fn scalar(kind: Kind, value: &DeValue<'_>) -> Result<Value, Wrong> {
    match kind {
        Kind::Refused(instead) => Err(Wrong::new(schema::refused_wording(instead))),
        Kind::Boolean => match value {
            DeValue::Boolean(value) => Ok(Value::Boolean(*value)),
            other => Err(Wrong::near(
                "must be true or false",
                other.as_str().and_then(|t| near_miss(t, ["true", "false"])).map(str::to_owned),
            )),
        },
        Kind::Integer(min, max) => integer(value, min, max),
        Kind::Number(min, max) => number(value, min, max, format!("must be between {min} and {max}")),
        Kind::Positive(max) => number(value, f64::MIN_POSITIVE, max, format!("must be more than 0 and at most {max}")),
        Kind::Table(_) => Err(Wrong::new("must be a table: { … }")),
        Kind::Tables(_) => Err(Wrong::new("must be a list of tables: write its heading with two brackets, [[…]]")),
        Kind::References(..) | Kind::Texts | Kind::Addresses | Kind::Emails => {
            Err(Wrong::near("must be a list", value.as_str().map(|text| format!("[{}]", quoted(text)))))
        }
        _ => match value {
            DeValue::String(found) => text_value(kind, found),
            DeValue::Integer(found) if matches!(kind, Kind::Duration(..)) => Err(Wrong::near(
                "must be a duration with its unit, such as \"30s\", \"15m\" or \"35d\"",
                Some(quoted(&format!("{found}s"))),
            )),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
                Err(Wrong::new("must be a text in quotes"))
            }
            DeValue::Array(_) | DeValue::Table(_) => Err(Wrong::new("must be a single text in quotes")),
        },
    }
}

fn integer(value: &DeValue<'_>, min: u64, max: u64) -> Result<Value, Wrong> {
    let wanted = format!("must be between {min} and {max}");
    match value {
        DeValue::Integer(found) => match i128::from_str_radix(found.as_str(), found.radix()) {
            Ok(n) if n >= i128::from(min) && n <= i128::from(max) => Ok(Value::Integer(n as u64)),
            Ok(n) => {
                let near = n.checked_neg().filter(|n| *n > 0 && *n >= i128::from(min) && *n <= i128::from(max));
                Err(Wrong::near(wanted, near.map(|n| n.to_string())))
            }
            Err(_) => Err(Wrong::new(wanted)),
        },
        other => Err(Wrong::near(
            "must be a whole number",
            other.as_str().filter(|t| t.parse::<u64>().is_ok()).map(str::to_owned),
        )),
    }
}

fn number(value: &DeValue<'_>, min: f64, max: f64, wanted: String) -> Result<Value, Wrong> {
    let found = match value {
        DeValue::Integer(found) => i128::from_str_radix(found.as_str(), found.radix()).ok().map(|n| n as f64),
        DeValue::Float(found) => found.as_str().parse().ok(),
        other => {
            let comma = other.as_str().map(|t| t.trim().replace(',', ".")).filter(|t| t.parse::<f64>().is_ok());
            return Err(Wrong::near("must be a number", comma));
        }
    };
    match found {
        Some(n) if n >= min && n <= max => Ok(Value::Number(n)),
        _ => Err(Wrong::new(wanted)),
    }
}

fn text_value(kind: Kind, found: &str) -> Result<Value, Wrong> {
    plain_text(kind, found)?;
    let text = || Ok(Value::Text(found.to_owned()));
    let accept = |fits: bool, wanted: &str| if fits { text() } else { Err(Wrong::new(wanted)) };
    match kind {
        Kind::Id | Kind::Reference(_) => match check_id(found) {
            Ok(()) => text(),
            Err(error) => Err(Wrong::near(error.to_string(), text::suggest_id(found).map(|id| quoted(&id)))),
        },
        Kind::Choice(choices) => choice(found, choices),
        Kind::Duration(min, max) => duration(found, min, max),
        Kind::TimeOfDay => text::parse_minute_of_day(found)
            .map(Value::MinuteOfDay)
            .ok_or_else(|| Wrong::new("must be a time of day from \"00:00\" to \"23:59\"")),
        Kind::TimeZone => time_zone(found),
        Kind::Address => found
            .parse()
            .map(Value::Address)
            .map_err(|_| Wrong::near("must be an IPv4 or IPv6 address", address_without_extras(found))),
        Kind::Socket => found
            .parse()
            .map(Value::Socket)
            .map_err(|_| Wrong::new("must be an IP address and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"")),
        Kind::Host => accept(text::is_host(found), "must be a host name or an IP address, without port and scheme"),
        Kind::Mac => text::parse_mac(found)
            .map(Value::Text)
            .ok_or_else(|| Wrong::new("must be a MAC address, such as \"02:00:00:38:05:01\"")),
        Kind::Email => email(found, Some(found)),
        Kind::Mailbox => email(found, text::mailbox_address(found)),
        Kind::Url => accept(
            text::parse_url(found).is_some(),
            "must be an address that begins with http:// or https://, without user and password",
        ),
        Kind::SecretEnv => accept(
            is_variable_name(found),
            "must be the name of an environment variable (letters, digits, underscores), not the secret itself",
        ),
        _ => text(),
    }
}

/// What holds for every text: not empty, not endless, no control characters. (A line break in a name would end up in
/// a mail's header.)
fn plain_text(kind: Kind, found: &str) -> Result<(), Wrong> {
    let (bytes_max, may_break) = match kind {
        Kind::Prose => (PROSE_BYTES_MAX, true),
        _ => (LINE_BYTES_MAX, false),
    };
    if found.trim().is_empty() {
        return Err(Wrong::new("must not be empty"));
    }
    if found.len() > bytes_max {
        return Err(Wrong::new(format!("must have at most {bytes_max} bytes")));
    }
    if found.chars().any(|c| c.is_control() && !(may_break && c == '\n')) {
        return Err(Wrong::new(if may_break {
            "must have no control characters"
        } else {
            "must be one line, without control characters"
        }));
    }
    Ok(())
}

fn choice(found: &str, choices: &[&str]) -> Result<Value, Wrong> {
    if choices.contains(&found) {
        return Ok(Value::Text(found.to_owned()));
    }
    let all: Vec<_> = choices.iter().map(|c| quoted(c)).collect();
    Err(Wrong::near(format!("must be {}", all.join(" or ")), near_miss(found, choices.iter().copied()).map(quoted)))
}

fn duration(found: &str, min: &str, max: &str) -> Result<Value, Wrong> {
    let Some(duration) = text::parse_duration(found) else {
        let joined: String = found.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
        let near = text::parse_duration(&joined).map(|_| quoted(&joined));
        return Err(Wrong::near("must be a duration with its unit, such as \"30s\", \"15m\" or \"35d\"", near));
    };
    let is_in = text::parse_duration(min).is_none_or(|min| duration >= min)
        && text::parse_duration(max).is_none_or(|max| duration <= max);
    if is_in { Ok(Value::Duration(duration)) } else { Err(Wrong::new(format!("must be between {min} and {max}"))) }
}

fn time_zone(found: &str) -> Result<Value, Wrong> {
    let zones = jiff::tz::db();
    if zones.get(found).is_ok() {
        return Ok(Value::Text(found.to_owned()));
    }
    let names: Vec<_> = zones.available().map(|name| name.as_str().to_owned()).collect();
    let near = near_miss(found, names.iter().map(String::as_str)).map(quoted);
    Err(Wrong::near("must be a time zone of the IANA database, such as \"Europe/Rome\"", near))
}

fn email(found: &str, address: Option<&str>) -> Result<Value, Wrong> {
    match address.filter(|address| text::is_email(address)) {
        None => Err(Wrong::new("must be an address of mail, such as \"noc@wisp.example\"")),
        Some(address) if text::is_pec(address) => Err(Wrong::new(
            "must not be a certified mailbox (PEC): it turns ordinary mail away, and what arrives there is a legal act; \
             write an ordinary address",
        )),
        Some(_) => Ok(Value::Text(found.to_owned())),
    }
}

/// `10.38.0.1/24` and `10.38.0.1:161` meant `10.38.0.1`.
fn address_without_extras(found: &str) -> Option<String> {
    let bare = found.trim().split(['/', ':']).next()?;
    bare.parse::<IpAddr>().ok().map(|address| quoted(&address.to_string()))
}

fn is_variable_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The pass that finds references to nothing.
struct References<'d, 'f> {
    declared: &'d Declared,
    findings: &'f mut Findings,
}

impl References<'_, '_> {
    fn check(&mut self, raw: &Raw) {
        for (name, item) in &raw.fields {
            match (raw.schema.key(name).map(|key| key.kind), &item.value) {
                (Some(Kind::Reference(table)), Value::Text(id)) => self.one(raw, name, table, id, item.at),
                (Some(Kind::References(table, _)), Value::List(items)) => {
                    for item in items {
                        if let Value::Text(id) = &item.value {
                            self.one(raw, name, table, id, item.at);
                        }
                    }
                }
                (_, Value::Table(inner)) => self.check(inner),
                (_, Value::Tables(entries)) => entries.iter().for_each(|entry| self.check(entry)),
                _ => {}
            }
        }
    }

    fn one(&mut self, raw: &Raw, key: &str, table: &str, id: &str, at: usize) {
        let ids = self.declared.get(table);
        if ids.is_some_and(|ids| ids.contains_key(id)) {
            return;
        }
        let near = match ids {
            Some(ids) if !self.findings.is_full() => near_miss(id, ids.keys().map(String::as_str)).map(quoted),
            _ => None,
        };
        let finding = Finding::error(at, raw.place(key), format!("no [[{table}]] has this id"));
        self.findings.push(finding.found(quoted(id)).near(near));
    }
}
