//! What each recipient was told, and when: the record that the policy decides by. `[P]`
//!
//! A record changes only together with the mail that it is about, in one transaction; so a hub that starts again
//! decides as if it had never stopped. This is also the stored format: fields are only ever added, with a default.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{NoticeKind, Recipient};
use crate::alert::desk::Case;
use crate::alert::incident::{Confidence, ProbableCause};
use crate::alert::{Incident, Severity};
use crate::model::network::Network;
use crate::model::{SiteId, UnixMillis};

/// Threads of incidents that are over are kept in mind for so long; the store has them all.
const THREAD_KEPT: Duration = Duration::from_hours(15 * 24);
/// Times of sending kept for one recipient: more than any limit of mails an hour.
const SENT_MAX: usize = 2000;
const HOUR: Duration = Duration::from_hours(1);

/// What of an incident is worth an update when it changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub severity: Severity,
    pub behind: BTreeSet<SiteId>,
    pub below: BTreeSet<SiteId>,
    pub cut_off: BTreeSet<SiteId>,
    pub cause: ProbableCause,
    pub confidence: Confidence,
    /// The worst so far.
    #[serde(default)]
    pub mbps_min: Option<f64>,
    #[serde(default)]
    pub acknowledged: Option<UnixMillis>,
    #[serde(default)]
    pub ticket: Option<String>,
    #[serde(default)]
    pub expected_repair: Option<UnixMillis>,
    #[serde(default)]
    pub suspended: Option<String>,
}

impl Facts {
    pub fn of(incident: &Incident, case: Option<&Case>) -> Self {
        let set = |ids: &[SiteId]| ids.iter().cloned().collect();
        Self {
            severity: incident.severity,
            behind: set(&incident.sites),
            below: set(&incident.sites_below),
            cut_off: set(&incident.sites_cut_off),
            cause: incident.probable_cause,
            confidence: incident.confidence,
            mbps_min: incident.measured_mbps_min,
            acknowledged: case.and_then(Case::acknowledged).map(|e| e.at),
            ticket: case.and_then(Case::ticket).map(str::to_owned),
            expected_repair: case.and_then(Case::expected_repair),
            suspended: case.and_then(Case::suspended).map(str::to_owned),
        }
    }
}

/// One mail of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub at: UnixMillis,
    pub kind: NoticeKind,
    pub message_id: String,
    /// The reasons, as the policy named them.
    #[serde(default)]
    pub why: Vec<String>,
}

/// What one recipient was told about one incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    pub recipient: String,
    pub incident: u64,
    /// Nothing was sent: this is what would have been.
    #[serde(default)]
    pub shadow: bool,
    /// The first mail of the conversation that goes on now, and when it was written.
    pub root: String,
    pub root_at: UnixMillis,
    /// Of every mail of the thread.
    pub subject: String,
    /// The incident whose mails speak for this one too.
    #[serde(default)]
    pub leader: Option<u64>,
    pub facts: Facts,
    pub told: Vec<Told>,
}

impl Thread {
    pub fn last_at(&self) -> UnixMillis {
        self.told.last().map_or(self.root_at, |t| t.at)
    }

    pub fn has(&self, kind: NoticeKind) -> bool {
        self.told.iter().any(|t| t.kind == kind)
    }

    pub fn opened_at(&self) -> UnixMillis {
        self.told.first().map_or(self.root_at, |t| t.at)
    }
}

/// What is kept of one recipient besides threads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mailbox {
    /// Up to when the summaries have told everything.
    pub digest_at: Option<UnixMillis>,
    /// Up to when the weekly summaries have told everything.
    #[serde(default)]
    pub weekly_at: Option<UnixMillis>,
    /// Mails of the last hour.
    #[serde(default)]
    pub sent: Vec<UnixMillis>,
    /// Mails that were merged into another, ever.
    #[serde(default)]
    pub merged_total: u64,
}

impl Mailbox {
    pub fn sent_in_hour(&self, now: UnixMillis) -> usize {
        self.sent.iter().filter(|at| now.since(**at) < HOUR).count()
    }

    pub fn note(&mut self, now: UnixMillis) {
        self.sent.retain(|at| now.since(*at) < HOUR);
        self.sent.push(now);
        let surplus = self.sent.len().saturating_sub(SENT_MAX);
        self.sent.drain(..surplus);
    }
}

/// An address that a server refused for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Of the mail, with the address: the key of its document.
    pub id: String,
    pub address: String,
    pub why: String,
    pub at: UnixMillis,
    pub incident: String,
    /// When the staff was told, or heard of the same address shortly before.
    #[serde(default)]
    pub reported_at: Option<UnixMillis>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Log {
    threads: BTreeMap<(u64, String), Thread>,
    boxes: BTreeMap<String, Mailbox>,
}

/// The name of a recipient in the record: it stays the same when the inventory is put in another order.
pub fn key(network: &Network, recipient: &Recipient) -> Option<String> {
    Some(match recipient {
        Recipient::Wisp(id) => format!("wisp:{id}"),
        Recipient::Staff(index) => format!("staff:{}", network.staff.get(*index)?.email),
        Recipient::Contact(site) => format!("site:{site}"),
    })
}

impl Log {
    pub fn new(threads: impl IntoIterator<Item = Thread>, boxes: impl IntoIterator<Item = (String, Mailbox)>) -> Self {
        let threads = threads.into_iter().map(|t| ((t.incident, t.recipient.clone()), t)).collect();
        Self { threads, boxes: boxes.into_iter().collect() }
    }

    pub fn thread(&self, incident: u64, recipient: &str) -> Option<&Thread> {
        self.threads.get(&(incident, recipient.to_owned()))
    }

    pub fn of_incident(&self, incident: u64) -> impl Iterator<Item = &Thread> {
        self.threads.range((incident, String::new())..(incident.saturating_add(1), String::new())).map(|(_, t)| t)
    }

    pub fn threads(&self) -> impl Iterator<Item = &Thread> {
        self.threads.values()
    }

    pub fn put(&mut self, thread: Thread) {
        self.threads.insert((thread.incident, thread.recipient.clone()), thread);
    }

    pub fn mailbox(&self, recipient: &str) -> Mailbox {
        self.boxes.get(recipient).cloned().unwrap_or_default()
    }

    pub fn put_mailbox(&mut self, recipient: &str, mailbox: Mailbox) {
        self.boxes.insert(recipient.to_owned(), mailbox);
    }

    /// Leaves out what is over for long. The policy never looks at it again.
    pub fn forget(&mut self, now: UnixMillis) {
        self.threads.retain(|_, t| !t.has(NoticeKind::Closed) || now.since(t.last_at()) < THREAD_KEPT);
    }
}
