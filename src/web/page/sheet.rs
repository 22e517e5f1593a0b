//! Pages of one incident: for its operator (a signed link) and for the staff; and pages that only say something. `[P]`
//!
//! Neither loads a script: a form is sent, and the page comes again.

use askama::Template;

use super::super::desk::History;
use super::super::figures::LocalClock;
use super::super::snapshot::Snapshot;
use super::super::words::Words;
use super::super::{assets, names};
use super::case::{self, Ends, Fact, Related, Step, Works};
use super::{Context, incident};
use crate::alert::Incident;
use crate::alert::desk::{Case, Desk, Entry, Fault, Window, covers};
use crate::model::network::{Language, Network};

/// The operator's own windows that its page lists.
const WINDOWS_SHOWN_MAX: usize = 20;

/// What somebody typed, to be shown again where it could not be taken; and what became of it.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    pub by: String,
    pub ticket: String,
    pub repair: String,
    pub note: String,
    pub reason: String,
    pub from: String,
    pub to: String,
    pub works_note: String,
    /// Said above the forms: what was wrong.
    pub problem: Option<String>,
    /// What was done.
    pub done: Option<&'static str>,
}

/// What all such pages have: language, network, assets.
pub(in crate::web) struct Frame<'a> {
    pub(in crate::web) w: &'static Words,
    pub(in crate::web) italian: bool,
    pub(in crate::web) network: &'a str,
    pub(in crate::web) time_zone: &'a str,
    pub(in crate::web) version: &'a str,
    pub(in crate::web) assets: &'static str,
    pub(in crate::web) simulated: bool,
}

impl<'a> Frame<'a> {
    pub(in crate::web) fn new(snapshot: &'a Snapshot, language: Language) -> Self {
        Self {
            w: Words::of(language),
            italian: language == Language::Italian,
            network: &snapshot.network.name,
            time_zone: &snapshot.network.time_zone,
            version: snapshot.version,
            assets: assets::version(),
            simulated: snapshot.simulated,
        }
    }

    pub(in crate::web) fn t<'t>(&self, italian: &'t str, english: &'t str) -> &'t str {
        if self.italian { italian } else { english }
    }
}

/// What the head of the page says of the incident.
struct Head {
    card: incident::Card,
    over: Option<Over>,
    reasons: String,
    ends: Option<Ends>,
}

/// The end of it.
struct Over {
    at: String,
    duration: String,
    below: String,
}

impl Head {
    fn new(c: &Context<'_>, history: &History, own_only: bool) -> Self {
        let i = &history.incident;
        let reasons = match c.language {
            Language::Italian => &history.reasons.italian,
            Language::English => &history.reasons.english,
        };
        let over = i.recovered_at().map(|at| Over {
            at: c.moment(at),
            duration: case::span(at.since(i.since).as_secs() / 60),
            below: case::span(i.detail.below_ms / 60_000),
        });
        Self { card: incident::card(c, i), over, reasons: reasons.clone(), ends: case::ends(c, i, own_only) }
    }
}

/// The page that a signed link opens.
#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage<'a> {
    f: Frame<'a>,
    h: Head,
    token: &'a str,
    /// The signature of its forms.
    form: String,
    wisp: &'a str,
    /// Works can be announced: the incident is about something that the operator runs.
    can_announce: bool,
    said: Vec<Step>,
    works: Vec<Works>,
    typed: &'a Typed,
    /// The earliest time that can be chosen, and until when: `2026-11-24T15:30`.
    now_local: String,
}

/// What makes a signed link's page.
pub struct LinkParts<'a> {
    pub snapshot: &'a Snapshot,
    pub history: &'a History,
    pub desk: &'a Desk,
    pub token: &'a str,
    pub form: String,
    pub can_announce: bool,
    pub typed: &'a Typed,
}

/// Whether a window was announced by the operator of an incident, about what the incident is about.
pub fn is_own(network: &Network, window: &Window, incident: &Incident) -> bool {
    window.wisp.is_some() && window.wisp == incident.wisp && covers(network, &window.place, incident)
}

/// What the operator itself said, by the name that its entries carry.
pub fn own_entries<'a>(case: &'a Case, wisp: &str) -> impl Iterator<Item = &'a Entry> {
    let with_name = format!("{wisp}, ");
    let wisp = wisp.to_owned();
    case.entries.iter().filter(move |e| e.by == wisp || e.by.starts_with(&with_name))
}

/// Renders the page of a signed link. It shows nothing that is another operator's.
pub fn link(parts: LinkParts<'_>, language: Language) -> Result<String, askama::Error> {
    let LinkParts { snapshot, history, desk, token, form, can_announce, typed } = parts;
    let c = Context::new(snapshot, language);
    let i = &history.incident;
    let wisp = i.wisp.as_ref().map_or("", |w| names::wisp(&snapshot.network, w));
    let mut said: Vec<Step> = own_entries(&history.case, wisp)
        .map(|entry| {
            let (what, detail) = case::said(&c, entry);
            Step::new(&c, entry.at, "said", format!("{what} – {}", entry.by), detail)
        })
        .collect();
    said.reverse();
    let now = snapshot.generated_at;
    let windows = desk.windows.values().filter(|w| w.removed.is_none() && w.to > now);
    let works = windows.filter(|w| is_own(&snapshot.network, w, i)).take(WINDOWS_SHOWN_MAX);
    let page = LinkPage {
        f: Frame::new(snapshot, language),
        h: Head::new(&c, history, true),
        token,
        form,
        wisp,
        can_announce,
        said,
        works: works.map(|w| case::works(&c, w)).collect(),
        typed,
        now_local: LocalClock::new(&snapshot.network.time_zone, now).local(now),
    };
    page.render()
}

/// The staff's page of one incident.
#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentPage<'a> {
    f: Frame<'a>,
    h: Head,
    number: u64,
    updated: String,
    steps: Vec<Step>,
    clock: Vec<Fact>,
    causes: Vec<Related>,
    consequences: Vec<Related>,
    works: Vec<Works>,
    /// The signature of its forms; `None`: changes are not made from here.
    form: Option<String>,
    /// The account that writes; without one the form asks for a name and for the access code.
    account: Option<&'a str>,
    suspended: bool,
    faults: Vec<(&'static str, &'static str)>,
    can_announce: bool,
    typed: &'a Typed,
    now_local: String,
}

/// What makes the staff's page.
pub struct IncidentParts<'a> {
    pub snapshot: &'a Snapshot,
    pub history: &'a History,
    pub desk: &'a Desk,
    pub form: Option<String>,
    pub account: Option<&'a str>,
    pub can_announce: bool,
    pub typed: &'a Typed,
}

/// Renders the staff's page of one incident.
pub fn incident(parts: IncidentParts<'_>, language: Language) -> Result<String, askama::Error> {
    let IncidentParts { snapshot, history, desk, form, account, can_announce, typed } = parts;
    let c = Context::new(snapshot, language);
    let i = &history.incident;
    let now = snapshot.generated_at;
    let others = || snapshot.incidents.iter().filter(|o| o.number > 0);
    let windows = desk.windows.values().filter(|w| w.removed.is_none() && w.to > now);
    let page = IncidentPage {
        f: Frame::new(snapshot, language),
        h: Head::new(&c, history, false),
        number: i.number,
        updated: c.clock.dated(now, language),
        steps: case::steps(&c, history),
        clock: case::clock(&c, history),
        causes: others().filter(|o| i.caused_by.contains(&o.number)).map(|o| case::related(&c, o)).collect(),
        consequences: others().filter(|o| o.caused_by.contains(&i.number)).map(|o| case::related(&c, o)).collect(),
        works: windows.filter(|w| covers(&snapshot.network, &w.place, i)).map(|w| case::works(&c, w)).collect(),
        form,
        account,
        suspended: history.case.suspended().is_some(),
        faults: Fault::ALL.iter().map(|f| (f.as_str(), case::fault(*f, language))).collect(),
        can_announce,
        typed,
        now_local: LocalClock::new(&snapshot.network.time_zone, now).local(now),
    };
    page.render()
}

/// A page that only says something.
#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    f: Frame<'a>,
    title: &'a str,
    text: &'a str,
}

/// Renders a page with one title and one sentence.
pub fn message(snapshot: &Snapshot, language: Language, title: &str, text: &str) -> Result<String, askama::Error> {
    MessagePage { f: Frame::new(snapshot, language), title, text }.render()
}

impl Head {
    fn is_live(&self) -> bool {
        self.over.is_none()
    }
}
