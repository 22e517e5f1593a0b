//! A TOML text held against its [`schema`](super::schema): every value typed and in range, defaults filled in,
//! references resolved. What does not fit is a finding, and the reading goes on. `[P]`
//!
//! What needs more than one key at a time is `check`'s work.

mod scalar;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Finding, Findings, excerpt, near_miss, shorten};
use super::schema::{FileKind, Key, Kind, Presence, Table};
use scalar::{Wrong, quoted, scalar};

/// Keys of a table that a message lists; a longer list hides the message.
const KEYS_LISTED_MAX: usize = 12;

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
    read_table(kind.schema(), Unknown::Refused, text, findings)
}

/// What to do with keys that the schema does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// In a file that people edit each is a slip of the pen.
    Refused,
    /// What comes from another version of this program may have more than this one knows.
    Ignored,
}

/// Reads a text by any schema.
pub fn read_table(schema: &'static Table, unknown: Unknown, text: &str, findings: &mut Findings) -> Option<Raw> {
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
    let mut reader = Reader { text, findings, unknown, declared: BTreeMap::new(), default_at: None };
    let raw = reader.table(schema, table.get_ref(), 0, Place::default());
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
    unknown: Unknown,
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
        let mut misspelt = BTreeSet::new();
        for (name, value) in table {
            let Some(key) = schema.key(name.get_ref()) else {
                if self.unknown == Unknown::Refused {
                    misspelt.extend(self.unknown_key(schema, name, &raw.place));
                }
                continue;
            };
            raw.written.insert(key.name);
            if let Some(item) = self.item(key, value, &raw.place) {
                raw.fields.insert(key.name, item);
            }
        }
        for key in schema.keys {
            if !raw.written.contains(key.name) {
                self.absent(key, &mut raw, &misspelt);
            }
        }
        raw
    }

    /// Fills in what stands nowhere. A required key that was misspelt has been reported already.
    fn absent(&mut self, key: &'static Key, raw: &mut Raw, misspelt: &BTreeSet<&str>) {
        match key.presence {
            Presence::Required if misspelt.contains(key.name) => {}
            Presence::Required => {
                let wanted = format!("must be given: {}", article(key));
                self.findings.push(Finding::error(raw.at, raw.place.key(key.name), wanted));
            }
            Presence::Default(text) => {
                if let Some(item) = self.default(key, text, raw.at, &raw.place) {
                    raw.fields.insert(key.name, item);
                }
            }
            Presence::Optional(_) => {}
        }
    }

    /// Reports a key that the table does not have, and returns the one that was probably meant.
    fn unknown_key(
        &mut self,
        schema: &'static Table,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        place: &Place,
    ) -> Option<&'static str> {
        let known = schema.keys.iter().filter(|key| !matches!(key.kind, Kind::Refused(_))).map(|key| key.name);
        let near = near_miss(name.get_ref(), known.clone());
        let wanted = if near.is_some() || known.clone().count() > KEYS_LISTED_MAX {
            "there is no such key".to_owned()
        } else {
            format!("there is no such key here; there are {}", known.collect::<Vec<_>>().join(", "))
        };
        let finding = Finding::error(self.at(&name.span()), place.key(&shorten(name.get_ref())), wanted);
        self.findings.push(finding.near(near.map(str::to_owned)));
        near
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
            // Lines are counted only for what will be shown: a file of nothing but duplicates must not take hours.
            let before = if self.findings.is_full() { "" } else { self.text.get(..*first).unwrap_or("") };
            let line = before.matches('\n').count() + 1;
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
                Ok(_) if !seen.insert(self.text_of(value)) => {
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
        // `user:password@host` is what people paste where a host is asked for.
        let may_be_secret = matches!(key.kind, Kind::Host) && self.text_of(value).contains('@');
        if key.kind.is_shown() && !may_be_secret {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn every_key(table: &'static Table, visit: &mut dyn FnMut(&'static Key)) {
        for key in table.keys {
            visit(key);
            if let Kind::Table(inner) | Kind::Tables(inner) = key.kind {
                every_key(inner, visit);
            }
        }
    }

    #[test]
    fn every_default_fits_its_key() {
        let mut n_defaults = 0;
        for kind in FileKind::ALL {
            every_key(kind.schema(), &mut |key| {
                let Presence::Default(text) = key.presence else { return };
                let mut findings = Findings::default();
                let mut reader = Reader {
                    text: "",
                    findings: &mut findings,
                    unknown: Unknown::Refused,
                    declared: BTreeMap::new(),
                    default_at: None,
                };
                let item = reader.default(key, text, 7, &Place::default());
                assert!(item.is_some_and(|item| item.at == 7), "{} = {text}", key.name);
                assert!(!findings.has_error(), "{} = {text}", key.name);
                n_defaults += 1;
            });
        }
        assert!(n_defaults > 30, "{n_defaults}");
    }

    #[test]
    fn every_limit_of_a_duration_is_one() {
        for kind in FileKind::ALL {
            every_key(kind.schema(), &mut |key| {
                if let Kind::Duration(min, max) = key.kind {
                    let (min, max) = (super::super::text::parse_duration(min), super::super::text::parse_duration(max));
                    assert!(min.is_some() && min < max, "{}", key.name);
                }
            });
        }
    }

    #[test]
    fn every_reference_names_a_table_of_its_file() {
        for kind in FileKind::ALL {
            every_key(kind.schema(), &mut |key| {
                if let Kind::Reference(table) | Kind::References(table, _) = key.kind {
                    let is_known = kind.schema().key(table).is_some_and(|key| matches!(key.kind, Kind::Tables(_)));
                    assert!(is_known, "{} -> {table}", key.name);
                }
            });
        }
    }
}
