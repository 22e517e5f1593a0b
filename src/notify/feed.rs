//! What machines are told of incidents, and when: MQTT topics and webhooks. `[P]`
//!
//! A feed is told of the same incidents as the mails are about, and by a rule of its own, for machines neither sleep
//! nor get lost in a pile:
//!
//! - **opened**, at any hour, when an incident is open, a root and not minor. In rodaggio, for an operator that is not
//!   switched on, and while works are announced it is held, as mails are.
//! - **changed**, for the reasons that mails have, at least `batch` after the last word about the incident.
//! - **closed**, at any hour, if it was told of the opening.
//! - No reminders, no escalations, no summaries, and no limit an hour: each incident speaks for itself.
//!
//! What was told is kept with the incident's other threads, and the entry of the queue is written in the same
//! transaction; so a restart at any moment tells nothing twice and leaves nothing out.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::log::{Facts, Log, Thread, Told};
use super::policy::{Situation, Why, changes, concerns, is_live};
use super::report;
use super::story::Story;
use super::{NoticeKind, Recipient};
use crate::alert::signed::{Grant, LinkKeys};
use crate::alert::{Incident, IncidentState};
use crate::model::network::{Language, Network};
use crate::model::{UnixMillis, WispId};

/// The feed of the MQTT topics.
pub const MQTT: &str = "mqtt";

/// Whose incidents a feed is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// What this operator is told.
    Operator(WispId),
    /// What the staff is told.
    Staff,
    /// Each incident as its operator is told of it, and as the staff is where it has none.
    Each,
}

/// One way out for machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// [`MQTT`], or `webhook:` and the name of one. Its name in the record and in the queue.
    pub id: String,
    pub audience: Audience,
    /// Otherwise the recipient's.
    pub language: Option<Language>,
}

impl Feed {
    pub fn mqtt() -> Self {
        Self { id: MQTT.to_owned(), audience: Audience::Each, language: None }
    }

    pub fn webhook(name: &str, wisp: Option<WispId>, language: Option<Language>) -> Self {
        Self { id: format!("webhook:{name}"), audience: wisp.map_or(Audience::Staff, Audience::Operator), language }
    }

    /// As whom the feed is told of an incident.
    fn recipient(&self, network: &Network, incident: &Incident) -> Recipient {
        // All of the staff is told the same.
        let staff = Recipient::Staff(0);
        match &self.audience {
            Audience::Operator(wisp) => Recipient::Wisp(wisp.clone()),
            Audience::Staff => staff,
            Audience::Each => {
                let known = incident.wisp.as_ref().filter(|w| network.wisps.contains_key(w.as_str()));
                known.map(|w| Recipient::Wisp(w.clone())).filter(|w| concerns(w, incident)).unwrap_or(staff)
            }
        }
    }

    pub(super) fn language(&self, network: &Network, to: &Recipient) -> Language {
        let theirs = match to {
            Recipient::Wisp(id) => network.wisps.get(id.as_str()).map(|w| w.language),
            _ => None,
        };
        self.language.or(theirs).unwrap_or(network.language)
    }
}

/// The feeds of a hub, and what their reports carry.
#[derive(Debug, Clone, Default)]
pub struct Feeds {
    pub all: Vec<Feed>,
    pub public_url: Option<String>,
    /// What links to operators are signed with; without it they carry none.
    pub links: Option<LinkKeys>,
}

/// A report that waits for its feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Key in the queue; the order of keys is the order of delivery.
    pub id: String,
    pub feed: String,
    /// The same for every repeat, and for no other entry of any feed.
    pub event_id: String,
    /// `VED-147`
    pub incident: String,
    pub event: NoticeKind,
    /// As which operator it is told; `None`: as the staff.
    pub wisp: Option<WispId>,
    pub at: UnixMillis,
    /// JSON: see `report`.
    pub body: String,
}

impl Feeds {
    /// The entries that are due now, each with the thread that records it.
    pub fn due(&self, situation: Situation<'_>) -> Vec<(Entry, Thread)> {
        let numbered = || situation.incidents.iter().filter(|i| i.number > 0);
        let told = self.all.iter().flat_map(|feed| numbered().map(move |incident| (feed, incident)));
        told.filter_map(|(feed, incident)| self.told(&situation, feed, incident)).collect()
    }

    fn told(&self, s: &Situation<'_>, feed: &Feed, incident: &Incident) -> Option<(Entry, Thread)> {
        let to = feed.recipient(s.network, incident);
        let facts = Facts::of(incident, s.desk.cases.get(&incident.number));
        let thread = thread(s.log, incident, feed);
        let (kind, why) = due(s, &to, incident, thread, &facts)?;
        let thread = thread.cloned().unwrap_or_else(|| Thread {
            recipient: feed.id.clone(),
            incident: incident.number,
            shadow: false,
            root: String::new(),
            root_at: s.now,
            subject: String::new(),
            leader: None,
            facts: facts.clone(),
            told: Vec::new(),
        });
        let event_id = event_id(s.network, incident, feed, kind, thread.told.len());
        let entry = self.entry(s, feed, &to, incident, kind, event_id.clone());
        let why = why.iter().map(|w| w.as_str().to_owned()).collect();
        let mut thread = Thread { facts, ..thread };
        if thread.root.is_empty() {
            thread.root.clone_from(&event_id);
        }
        thread.told.push(Told { at: s.now, kind, message_id: event_id, why });
        Some((entry, thread))
    }

    fn entry(
        &self,
        s: &Situation<'_>,
        feed: &Feed,
        to: &Recipient,
        incident: &Incident,
        kind: NoticeKind,
        event_id: String,
    ) -> Entry {
        let grant = Grant::of(incident).filter(|grant| *to == Recipient::Wisp(grant.wisp.clone()));
        let link = grant.and_then(|g| Some(self.links.as_ref()?.address(self.public_url.as_ref()?, &s.network.id, &g)));
        let story = Story {
            network: s.network,
            incident,
            language: feed.language(s.network, to),
            // `check` refuses a zone that the database does not know.
            zone: TimeZone::get(&s.network.time_zone).unwrap_or(TimeZone::UTC),
            now: s.now,
            public_url: self.public_url.as_deref(),
            link: link.as_deref(),
        };
        let case = s.desk.cases.get(&incident.number);
        let event = report::Event { kind, id: event_id.clone(), case, also: &[] };
        Entry {
            id: format!("{} {:015} {:010} {}", feed.id, s.now.0.max(0), incident.number, kind.as_str()),
            feed: feed.id.clone(),
            event_id,
            incident: incident.token(),
            event: kind,
            wisp: if let Recipient::Wisp(id) = to { Some(id.clone()) } else { None },
            at: s.now,
            body: report::json(&story, &event),
        }
    }
}

fn thread<'l>(log: &'l Log, incident: &Incident, feed: &Feed) -> Option<&'l Thread> {
    log.thread(incident.number, &feed.id)
}

fn due(
    s: &Situation<'_>,
    to: &Recipient,
    incident: &Incident,
    thread: Option<&Thread>,
    facts: &Facts,
) -> Option<(NoticeKind, Vec<Why>)> {
    let open = incident.state == IncidentState::Open && s.desk.works(s.network, incident, s.now).is_none();
    match thread {
        None => {
            let own = incident.detail.operator_only && matches!(to, Recipient::Wisp(_));
            let is_root = !incident.is_consequence() || own;
            let due = open && is_root && concerns(to, incident) && is_live(s, to, incident);
            due.then(|| (NoticeKind::Opened, vec![Why::Opened]))
        }
        Some(thread) if thread.has(NoticeKind::Closed) => None,
        Some(_) if incident.state == IncidentState::Closed => Some((NoticeKind::Closed, vec![Why::Closed])),
        Some(thread) => {
            // What people said counts for every machine: tickets follow it.
            let why = changes(&thread.facts, facts, &Recipient::Staff(0));
            let due = open && !why.is_empty() && s.now.since(thread.last_at()) >= s.settings.batch;
            due.then_some((NoticeKind::Changed, why))
        }
    }
}

/// Unique without chance, as a Message-ID is: a new ledger counts incidents from one again.
fn event_id(network: &Network, incident: &Incident, feed: &Feed, kind: NoticeKind, before: usize) -> String {
    let opened = incident.opened_at.unwrap_or(incident.since).0;
    let feed = feed.id.replace(':', "-");
    format!("{}-{}-{opened:x}-{}-{before}-{feed}", network.id, incident.number, kind.as_str())
}
