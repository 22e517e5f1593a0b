//! A scenario's file: `[scenario]`, and the inventory beside it or in it. Every problem of it at once, each with its
//! line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;

use super::change::Change;
use super::place::Names;
use super::script::{Expect, Said, sentence};
use crate::config::check;
use crate::config::load;
use crate::config::problem::{Finding, Findings, Problem, Severity};
use crate::config::raw::{self, Raw, Value};
use crate::config::schema::SCENARIO;
use crate::config::settings::{HubSettings, MailOut, MailSettings};
use crate::model::UnixMillis;
use crate::model::network::Network;

/// Evaluations of one scenario: a month at one a minute.
const EVALUATIONS_MAX: u128 = 31 * 24 * 60;

/// One scenario, ready to run.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub file: PathBuf,
    /// For the lines that messages name.
    pub text: String,
    pub title: String,
    pub network: Arc<Network>,
    /// Inventories that the hub may be started with, by the name that the time line gives them.
    pub inventories: BTreeMap<String, Arc<Network>>,
    pub settings: HubSettings,
    pub start: UnixMillis,
    pub lasts: Duration,
    pub interval: Duration,
    pub look: Duration,
    pub link_mbps: f64,
    /// In order of time; with the byte offset of the sentence.
    pub changes: Vec<(Duration, usize, Change)>,
    pub expects: Vec<(usize, String, Expect)>,
}

impl Scenario {
    pub fn line(&self, offset: usize) -> usize {
        1 + self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
    }
}

/// What the command line gave besides.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub network: Option<Arc<Network>>,
    pub settings: Option<HubSettings>,
}

/// The parts of a file, each as long as the file, so that places in one are places in the other.
struct Parts {
    scenario: String,
    hub: String,
    inventory: String,
}

fn parts(text: &str) -> Parts {
    let mut parts = Parts { scenario: String::new(), hub: String::new(), inventory: String::new() };
    let mut in_scenario = false;
    let mut in_hub = false;
    for line in text.split_inclusive('\n') {
        let header = line.trim_start();
        if header.starts_with('[') {
            let name = header.trim_start_matches('[').split(']').next().unwrap_or("").trim();
            in_hub = ["scenario.alert", "scenario.notify"].iter().any(|table| name.starts_with(table));
            in_scenario = !in_hub && (name == "scenario" || name.starts_with("scenario."));
        }
        let blank = || line.chars().map(|c| if c == '\n' { "\n".into() } else { " ".repeat(c.len_utf8()) }).collect();
        let blank: String = blank();
        let is_header = header.starts_with('[');
        let own = if in_hub && is_header { without_prefix(line) } else { line.to_owned() };
        let pick = |yes: bool| if yes { own.clone() } else { blank.clone() };
        parts.scenario.push_str(&pick(in_scenario));
        parts.hub.push_str(&pick(in_hub));
        parts.inventory.push_str(&pick(!in_scenario && !in_hub));
    }
    parts
}

/// `[scenario.alert]` is `[alert]` of a `hub.toml`, with as many blanks before it.
fn without_prefix(line: &str) -> String {
    let prefix = "scenario.";
    format!("{}{}", " ".repeat(prefix.len()), line.replacen(prefix, "", 1))
}

fn says_something(text: &str) -> bool {
    text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
}

/// Reads a scenario. On failure: everything that is wrong with it.
pub fn read(file: &Path, given: &Given) -> Result<Scenario, Vec<Problem>> {
    let text = load::read_text(file).map_err(|problem| vec![*problem])?;
    let parts = parts(&text);
    let base = file.parent().unwrap_or(Path::new(""));
    let mut findings = Findings::default();
    let raw = raw::read_table(&SCENARIO, raw::Unknown::Refused, &parts.scenario, &mut findings);
    let table = raw.as_ref().and_then(|raw| raw.table("scenario"));
    let mut problems = Vec::new();
    let settings = settings(&parts, given, base, file, &mut problems);
    let network = table.and_then(|table| network(table, &parts, given, (file, base), &mut findings, &mut problems));
    let scenario = table.zip(network).and_then(|(table, network)| {
        build(table, network, settings?, (file, base, &text), &mut findings, &mut problems)
    });
    problems.extend(findings.into_problems(file, &text));
    problems.retain(|problem| problem.severity == Severity::Error);
    scenario.filter(|_| problems.is_empty()).ok_or(problems)
}

fn settings(
    parts: &Parts,
    given: &Given,
    base: &Path,
    file: &Path,
    problems: &mut Vec<Problem>,
) -> Option<HubSettings> {
    let (own, findings) = check::hub(&parts.hub, base);
    problems.extend(findings.into_problems(file, &parts.hub));
    let own = own?;
    let (table, _) = DeTable::parse_recoverable(&parts.hub);
    let has = |key: &str| table.get_ref().get(key).is_some();
    let rodaggio =
        table.get_ref().get("notify").and_then(|n| n.get_ref().as_table()).is_some_and(|n| n.contains_key("rodaggio"));
    let mut settings = given.settings.clone().unwrap_or_else(|| own.clone());
    if has("alert") {
        settings.alert = own.alert;
    }
    if has("notify") {
        settings.notify = own.notify;
    }
    // Nobody wants to wait for two weeks of a test, unless the test is about them.
    if !rodaggio {
        settings.notify.rodaggio = Duration::ZERO;
    }
    settings.mail.get_or_insert_with(|| MailSettings {
        from: "vedetta <vedetta@scenario.example>".to_owned(),
        reply_to: None,
        out: MailOut::Maildir(PathBuf::new()),
    });
    Some(settings)
}

fn network(
    table: &Raw,
    parts: &Parts,
    given: &Given,
    (file, base): (&Path, &Path),
    findings: &mut Findings,
    problems: &mut Vec<Problem>,
) -> Option<Arc<Network>> {
    let own = says_something(&parts.inventory);
    match (table.text("network"), own, &given.network) {
        (Some(_), true, _) => {
            findings.push(table.error("network", "the file has an inventory of its own: leave one of them out"));
            None
        }
        (Some(path), false, _) => match load::load_network(&base.join(path)) {
            Ok(loaded) => Some(Arc::new(loaded.value)),
            Err(found) => {
                problems.extend(found);
                None
            }
        },
        (None, true, _) => {
            let (network, found) = check::network(&parts.inventory, base);
            problems.extend(found.into_problems(file, &parts.inventory));
            network.map(Arc::new)
        }
        (None, false, Some(network)) => Some(network.clone()),
        (None, false, None) => {
            let wanted = "must be given, here or on the command line, or an inventory must stand in this file";
            findings.push(table.error("network", wanted));
            None
        }
    }
}

fn build(
    table: &Raw,
    network: Arc<Network>,
    mut settings: HubSettings,
    (file, base, text): (&Path, &Path, &str),
    findings: &mut Findings,
    problems: &mut Vec<Problem>,
) -> Option<Scenario> {
    let start = start(table, &network, findings);
    let mut changes = Vec::new();
    let mut expects = Vec::new();
    let mut inventories = BTreeMap::new();
    let lasts = table.duration("lasts")?;
    for item in table.items("timeline") {
        let Value::Text(said) = &item.value else { continue };
        match sentence(said, &Names { network: &network }) {
            Ok(Said::Changes(new)) => {
                if new.iter().any(|(at, _)| *at > lasts) {
                    let finding = Finding::error(item.at, "timeline", "comes after the end of the scenario (`lasts`)");
                    findings.push(finding.found(said));
                }
                for (at, change) in new {
                    if let Change::HubInventory(name) = &change
                        && !inventories.contains_key(name)
                    {
                        match load::load_network(&base.join(name)) {
                            Ok(loaded) => drop(inventories.insert(name.clone(), Arc::new(loaded.value))),
                            Err(found) => problems.extend(found),
                        }
                    }
                    changes.push((at, item.at, change));
                }
            }
            Ok(Said::Expect(expect)) => expects.push((item.at, said.clone(), expect)),
            Err(wrong) => {
                let finding = Finding::error(item.at, "timeline", wrong.wanted);
                findings.push(finding.found(said).near(wrong.near));
            }
        }
    }
    changes.sort_by_key(|(at, ..)| *at);
    let (interval, look) = (table.duration("interval")?, table.duration("look")?);
    if lasts.as_millis() / look.as_millis().max(1) > EVALUATIONS_MAX {
        let wanted =
            format!("makes more than {EVALUATIONS_MAX} evaluations: shorten it, or let the hub `look` less often");
        findings.push(table.error("lasts", wanted));
    }
    settings.poll_interval = interval;
    Some(Scenario {
        file: file.to_owned(),
        text: text.to_owned(),
        title: table.text("title")?.to_owned(),
        network,
        inventories,
        settings,
        start: start?,
        lasts,
        interval,
        look,
        link_mbps: table.number("link_mbps")?,
        changes,
        expects,
    })
}

/// Local time in the network's zone.
fn start(table: &Raw, network: &Network, findings: &mut Findings) -> Option<UnixMillis> {
    let text = table.text("start")?;
    let zone = jiff::tz::TimeZone::get(&network.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let local = text.parse::<jiff::civil::DateTime>().ok().and_then(|local| local.to_zoned(zone).ok());
    if let Some(local) = local {
        Some(UnixMillis(local.timestamp().as_millisecond()))
    } else {
        findings.push(table.error("start", "must be a local time such as \"2026-11-24T10:00\"").found(text));
        None
    }
}
