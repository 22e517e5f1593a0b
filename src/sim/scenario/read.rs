//! Reading the text of a scenario: every problem at once, each with its line. `[P]`

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Event, EventKind, Scenario, ScenarioProblem, did_you_mean};
use crate::model::id::IdError;
use crate::model::network::End;
use crate::model::{BackhaulId, BundleId, DeviceId, LinkId, SiteId};

/// Events of one scenario at most.
const EVENTS_MAX: usize = 1000;
/// Longest time that a scenario file may name.
const TIME_MAX: Duration = Duration::from_hours(31 * 24);

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count()
}

pub(super) fn syntax_problem(text: &str, error: &toml::de::Error) -> ScenarioProblem {
    let line = error.span().map_or(1, |span| line_at(text, span.start));
    ScenarioProblem { line, text: error.message().to_owned() }
}

pub(super) fn read_scenario(text: &str, document: &DeTable<'_>, problems: &mut Vec<ScenarioProblem>) -> Scenario {
    let mut table = Reader::new(text, document, 1, problems);
    let name = table.text("name");
    let description_it = table.text("description_it");
    let description_en = table.text("description_en");
    let repeat = table.optional("repeat").and_then(|value| table.as_time("repeat", value));
    let listed = table.optional("event");
    table.finish();
    let mut events = listed.map_or_else(Vec::new, |value| read_events(text, value, problems));
    if let Some(repeat) = repeat {
        for late in events.iter().filter(|e| e.end() > repeat) {
            problems.push(ScenarioProblem { line: late.line, text: "the event ends after `repeat`".into() });
        }
    }
    events.sort_by_key(|e| e.at);
    Scenario {
        name: name.unwrap_or_default(),
        description_it: description_it.unwrap_or_default(),
        description_en: description_en.unwrap_or_default(),
        repeat,
        events,
    }
}

fn read_events(text: &str, listed: &Spanned<DeValue<'_>>, problems: &mut Vec<ScenarioProblem>) -> Vec<Event> {
    let line = line_at(text, listed.span().start);
    let Some(tables) = listed.get_ref().as_array() else {
        problems.push(ScenarioProblem { line, text: "`event` must be written as [[event]] tables".into() });
        return Vec::new();
    };
    if tables.len() > EVENTS_MAX {
        problems.push(ScenarioProblem { line, text: format!("at most {EVENTS_MAX} events") });
        return Vec::new();
    }
    let read = |value: &Spanned<DeValue<'_>>, problems: &mut Vec<ScenarioProblem>| {
        let line = line_at(text, value.span().start);
        if let Some(table) = value.get_ref().as_table() {
            read_event(Reader::new(text, table, line, problems))
        } else {
            problems.push(ScenarioProblem { line, text: "an event must be a table".into() });
            None
        }
    };
    tables.iter().filter_map(|value| read(value, problems)).collect()
}

/// Reads all keys of an event before giving up on it, so that all its problems are found.
fn read_event(mut table: Reader<'_, '_>) -> Option<Event> {
    let line = table.line;
    let at = table.time("at");
    let lasts = table.time("for");
    if lasts.is_some_and(|l| l.is_zero()) {
        table.problem("for", "must be longer than 0");
    }
    let kind = table.text("kind");
    let kind = kind.and_then(|word| read_kind(&mut table, &word));
    table.finish();
    Some(Event { line, at: at?, lasts: lasts?, kind: kind? })
}

fn read_kind(table: &mut Reader<'_, '_>, word: &str) -> Option<EventKind> {
    let kind = match word {
        "rain-fade" => {
            let (lat, lon) = (table.number("lat", -90.0, 90.0), table.number("lon", -180.0, 180.0));
            let radius_km = table.number("radius_km", 0.1, 500.0);
            let attenuation_db = table.number("attenuation_db", 0.1, 100.0);
            EventKind::RainFade { lat: lat?, lon: lon?, radius_km: radius_km?, attenuation_db: attenuation_db? }
        }
        "misalignment" => {
            let (link, loss_db) = (table.id("link", LinkId::parse), table.number("loss_db", 0.1, 100.0));
            EventKind::Misalignment { link: link?, loss_db: loss_db? }
        }
        "interference" => {
            let (link, noise_db) = (table.id("link", LinkId::parse), table.number("noise_db", 0.1, 60.0));
            let end = table.end("end");
            EventKind::Interference { link: link?, end: end?, noise_db: noise_db? }
        }
        "link-down" => EventKind::LinkDown { link: table.id("link", LinkId::parse)? },
        "congested-backhaul" => {
            let backhaul = table.id("backhaul", BackhaulId::parse);
            let loss_percent = table.number("loss_percent", 0.0, 100.0);
            let rtt_ms = table.number("rtt_ms", 0.1, 10_000.0);
            EventKind::CongestedBackhaul { backhaul: backhaul?, loss_percent: loss_percent?, rtt_ms: rtt_ms? }
        }
        "backhaul-down" => EventKind::BackhaulDown { backhaul: table.id("backhaul", BackhaulId::parse)? },
        "power-cut" => EventKind::PowerCut { site: table.id("site", SiteId::parse)? },
        "firmware-drops-oid" => EventKind::FirmwareDropsOid { device: table.id("device", DeviceId::parse)? },
        "port-100" => EventKind::Port100 { device: table.id("device", DeviceId::parse)? },
        "cut-off" => EventKind::CutOff { site: table.id("site", SiteId::parse)? },
        "standby" => EventKind::Standby { bundle: table.id("bundle", BundleId::parse)? },
        _ => {
            let near = did_you_mean(word, &EventKind::WORDS);
            table.problem("kind", &format!("\"{word}\" must be one of {}{near}", EventKind::WORDS.join(", ")));
            // What else the table has cannot be judged without a kind.
            table.accept_rest();
            return None;
        }
    };
    Some(kind)
}

/// Takes keys out of one table, and notes what is wrong with them.
struct Reader<'t, 'p> {
    text: &'t str,
    table: &'t DeTable<'t>,
    /// Where the table begins: the place of what it lacks.
    line: usize,
    asked: BTreeSet<&'static str>,
    rest_accepted: bool,
    problems: &'p mut Vec<ScenarioProblem>,
}

impl<'t, 'p> Reader<'t, 'p> {
    fn new(text: &'t str, table: &'t DeTable<'t>, line: usize, problems: &'p mut Vec<ScenarioProblem>) -> Self {
        Self { text, table, line, asked: BTreeSet::new(), rest_accepted: false, problems }
    }

    fn optional(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.insert(key);
        self.table.get(key)
    }

    fn required(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        let value = self.optional(key);
        if value.is_none() {
            self.problems.push(ScenarioProblem { line: self.line, text: format!("`{key}` is missing") });
        }
        value
    }

    /// Notes what is wrong with the value of `key`.
    fn problem(&mut self, key: &str, what: &str) {
        let line = self.table.get(key).map_or(self.line, |v| line_at(self.text, v.span().start));
        self.problems.push(ScenarioProblem { line, text: format!("{key}: {what}") });
    }

    fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.required(key)?;
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.problem(key, "must be a text");
        }
        text
    }

    fn number(&mut self, key: &'static str, min: f64, max: f64) -> Option<f64> {
        let value = self.required(key)?;
        let number = match value.get_ref() {
            DeValue::Float(f) => f.as_str().parse::<f64>().ok(),
            DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|i| i as f64),
            _ => None,
        };
        match number {
            Some(n) if (min..=max).contains(&n) => Some(n),
            Some(n) => {
                self.problem(key, &format!("{n} must be between {min} and {max}"));
                None
            }
            None => {
                self.problem(key, "must be a number");
                None
            }
        }
    }

    fn time(&mut self, key: &'static str) -> Option<Duration> {
        let value = self.required(key)?;
        self.as_time(key, value)
    }

    fn as_time(&mut self, key: &'static str, value: &Spanned<DeValue<'_>>) -> Option<Duration> {
        let time = value
            .get_ref()
            .as_str()
            .and_then(|text| text.parse::<jiff::SignedDuration>().ok())
            .and_then(|time| Duration::try_from(time).ok())
            .filter(|time| *time <= TIME_MAX);
        if time.is_none() {
            self.problem(key, "must be a time up to 31 days such as \"90s\", \"20m\" or \"1h 30m\"");
        }
        time
    }

    fn id<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, IdError>) -> Option<T> {
        let text = self.text(key)?;
        parse(&text).map_err(|e| self.problem(key, &format!("\"{text}\" {e}"))).ok()
    }

    fn end(&mut self, key: &'static str) -> Option<End> {
        match self.text(key)?.as_str() {
            "near" => Some(End::Near),
            "far" => Some(End::Far),
            other => {
                self.problem(key, &format!("\"{other}\" must be \"near\" or \"far\""));
                None
            }
        }
    }

    fn accept_rest(&mut self) {
        self.rest_accepted = true;
    }

    /// Notes the keys that nobody asked for.
    fn finish(self) {
        if self.rest_accepted {
            return;
        }
        let known: Vec<&str> = self.asked.iter().copied().collect();
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !self.asked.contains(name) {
                let line = line_at(self.text, key.span().start);
                let near = did_you_mean(name, &known);
                self.problems.push(ScenarioProblem { line, text: format!("unknown key `{name}`{near}") });
            }
        }
    }
}
