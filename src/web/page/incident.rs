//! Cards of open incidents, and lines of those that are being watched or were closed.

use super::super::api::{is_open, municipalities, subject_name};
use super::super::{figures, names, words};
use super::Context;
use crate::alert::incident::{EvidenceEnd, ProbableCause};
use crate::alert::{Condition, Incident, IncidentState, Subject};
use crate::model::SiteId;
use crate::model::network::Language;

/// Names on a card before "and so many others".
const NAMES_MAX: usize = 12;
/// Incidents shown in full; in a storm the others are lines.
const CARDS_MAX: usize = 6;

pub struct Card {
    pub token: String,
    pub number: u64,
    pub class: &'static str,
    pub condition: &'static str,
    pub severity: &'static str,
    pub state: &'static str,
    pub name: String,
    /// `97 Mbps, ne servono 150`
    pub figures: Option<String>,
    pub since: String,
    pub wisp: String,
    pub phone: Option<String>,
    pub cause: Option<String>,
    pub impact: Vec<String>,
    pub evidence: Vec<Evidence>,
    pub consequences: Vec<String>,
}

pub struct Evidence {
    pub site: String,
    pub usual: Option<String>,
    pub now: String,
}

pub struct Line {
    pub token: Option<String>,
    pub number: u64,
    pub name: String,
    pub condition: &'static str,
    pub since: String,
    pub closed: Option<String>,
}

/// Open incidents that no other explains, gravest first, then the longest: the first in full, the others by a line.
pub fn cards(c: &Context<'_>) -> (Vec<Card>, Vec<Line>) {
    let mut open: Vec<&Incident> = c.snapshot.incidents.iter().filter(|i| is_open(i) && !is_explained(c, i)).collect();
    open.sort_by_key(|i| (std::cmp::Reverse(i.severity), i.since, i.number));
    let (first, others) = open.split_at(open.len().min(CARDS_MAX));
    (first.iter().map(|i| card(c, i)).collect(), others.iter().map(|i| line(c, i)).collect())
}

/// A consequence whose cause is open stands on its cause's card; one whose cause is gone stands alone.
fn is_explained(c: &Context<'_>, incident: &Incident) -> bool {
    incident.caused_by.iter().any(|n| c.snapshot.incidents.iter().any(|i| i.number == *n && is_open(i)))
}

/// Seen, but not yet for long enough to tell anybody.
pub fn pending(c: &Context<'_>) -> Vec<Line> {
    let pending = c.snapshot.incidents.iter();
    pending.filter(|i| i.state == IncidentState::Pending && !i.is_consequence()).map(|i| line(c, i)).collect()
}

/// Those of the last seven days, newest first.
pub fn closed(c: &Context<'_>) -> Vec<Line> {
    let closed = c.snapshot.incidents.iter();
    let mut closed: Vec<&Incident> =
        closed.filter(|i| i.state == IncidentState::Closed && !i.is_consequence()).collect();
    closed.sort_by_key(|i| std::cmp::Reverse((i.closed_at, i.number)));
    closed.into_iter().map(|i| line(c, i)).collect()
}

pub fn line(c: &Context<'_>, i: &Incident) -> Line {
    Line {
        token: (i.number > 0).then(|| i.token()),
        number: i.number,
        name: name(c, i),
        condition: words::condition(i.condition, c.language),
        since: c.moment(i.since),
        closed: i.closed_at.map(|t| c.moment(t)),
    }
}

pub fn name(c: &Context<'_>, i: &Incident) -> String {
    let name = subject_name(c.snapshot, &i.subject);
    match (&i.subject, c.language) {
        (Subject::Agent(_), Language::Italian) => format!("Sonda di {name}"),
        (Subject::Agent(_), Language::English) => format!("Agent at {name}"),
        _ => name,
    }
}

pub fn card(c: &Context<'_>, i: &Incident) -> Card {
    let network = &c.snapshot.network;
    let consequences = c.snapshot.incidents.iter().filter(|o| is_open(o) && o.caused_by.contains(&i.number));
    Card {
        token: i.token(),
        number: i.number,
        class: match (i.state, i.condition) {
            (IncidentState::Closing | IncidentState::Closed, _) => "closing",
            (_, Condition::OnStandby) => "standby",
            (
                _,
                Condition::LinkDown
                | Condition::SamplesLost
                | Condition::DeviceDown
                | Condition::ServiceUnreachable
                | Condition::HubBlind,
            ) => "down",
            _ => "below",
        },
        condition: words::condition(i.condition, c.language),
        severity: words::severity(i.severity, c.language),
        state: words::incident_state(i.state, c.language),
        name: name(c, i),
        figures: figures_line(c, i),
        since: c.moment(i.since),
        wisp: i.wisp.as_ref().map_or(c.w.own_network, |w| names::wisp(network, w)).to_owned(),
        phone: i.wisp.as_ref().and_then(|w| network.wisps.get(w)).and_then(|w| w.phone.clone()),
        cause: cause(c, i),
        impact: impact(c, i),
        evidence: [&i.near, &i.far].into_iter().flatten().filter_map(|e| evidence(c, e)).collect(),
        consequences: consequences
            .map(|o| format!("{} {} ({})", o.token(), name(c, o), words::condition(o.condition, c.language)))
            .collect(),
    }
}

fn figures_line(c: &Context<'_>, i: &Incident) -> Option<String> {
    let (measured, required) = (c.mbps(i.measured_mbps?), c.mbps(i.required_mbps?));
    Some(match (i.condition, c.language) {
        (Condition::SamplesLost, _) => return None,
        (Condition::SiteBelowTarget, Language::Italian) => format!("{measured} Mbps su {required} promessi"),
        (Condition::SiteBelowTarget, Language::English) => format!("{measured} Mbps of {required} promised"),
        (_, Language::Italian) => format!("{measured} Mbps, ne servono {required}"),
        (_, Language::English) => format!("{measured} Mbps, {required} required"),
    })
}

fn cause(c: &Context<'_>, i: &Incident) -> Option<String> {
    let about_edge = matches!(i.subject, Subject::Edge(_));
    match i.probable_cause {
        ProbableCause::Unknown => about_edge.then(|| words::cause(ProbableCause::Unknown, c.language).to_owned()),
        cause => Some(format!("{} ({})", words::cause(cause, c.language), words::confidence(i.confidence, c.language))),
    }
}

fn impact(c: &Context<'_>, i: &Incident) -> Vec<String> {
    if matches!(i.subject, Subject::Agent(_)) {
        return Vec::new();
    }
    let towns = municipalities(c.snapshot, &i.sites).len();
    let mut lines = Vec::new();
    if towns > 0 {
        let residents = figures::count(u64::from(i.residents), c.language);
        lines.push(match (c.language, towns) {
            (Language::Italian, 1) => format!("1 comune a valle, {residents} residenti"),
            (Language::Italian, n) => format!("{n} comuni a valle, {residents} residenti"),
            (Language::English, 1) => format!("1 municipality behind it, {residents} residents"),
            (Language::English, n) => format!("{n} municipalities behind it, {residents} residents"),
        });
    }
    if !i.sites_cut_off.is_empty() {
        lines.push(format!("{} {}", c.pick("Senza collegamento:", "Cut off:"), list(c, &i.sites_cut_off)));
    }
    let below: Vec<SiteId> = i.sites_below.iter().filter(|s| !i.sites_cut_off.contains(s)).cloned().collect();
    if !below.is_empty() {
        lines.push(format!("{} {}", c.pick("Sotto il minimo:", "Below target:"), list(c, &below)));
    }
    if i.sites_cut_off.is_empty() && below.is_empty() && !i.sites.is_empty() {
        lines.push(c.pick("Nessuno scende sotto il minimo", "Nobody falls below target").to_owned());
    }
    lines
}

fn list(c: &Context<'_>, sites: &[SiteId]) -> String {
    let names: Vec<&str> = sites.iter().take(NAMES_MAX).map(|s| names::site(&c.snapshot.network, s)).collect();
    let names = names.join(", ");
    match (sites.len().saturating_sub(NAMES_MAX), c.language) {
        (0, _) => names,
        (more, Language::Italian) => format!("{names} e altri {more}"),
        (more, Language::English) => format!("{names} and {more} more"),
    }
}

fn evidence(c: &Context<'_>, end: &EvidenceEnd) -> Option<Evidence> {
    let dbm = |v: f64| figures::decimal(v, 0, c.language);
    let now = match (end.rsl_dbm, end.answers) {
        (Some(rsl), _) => format!("{} dBm", dbm(rsl)),
        (None, Some(false)) => c.pick("non risponde", "no answer").to_owned(),
        (None, _) => return None,
    };
    Some(Evidence { site: end.site.clone(), usual: end.rsl_dbm_usual.map(dbm), now })
}
