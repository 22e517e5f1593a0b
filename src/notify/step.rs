//! One step of the hub as documents: incidents, what the engine remembers, the mails that are due, and the record of
//! who was told, to be written in one transaction. `[P]`

use std::collections::BTreeSet;
use std::time::Duration;

use super::feed::{Entry, Feeds};
use super::log::{Facts, Log, Mailbox, Refused, Thread, Told, key};
use super::policy::{self, Notice, Situation, Why};
use super::records;
use super::render::{Material, Sender, compose};
use super::{Mail, NoticeKind};
use crate::alert::desk::{Command, Desk, Refusal, Touched};
use crate::alert::{Incident, Memory};
use crate::config::settings::NotifySettings;
use crate::model::UnixMillis;
use crate::model::network::Network;
use crate::store::{Document, DocumentStore, StoreError};

/// The engine's memory; one document.
pub const MEMORY: &str = "alert-memory";
const MEMORY_KEY: &str = "best";
/// How often what is over for long is left out.
const FORGET_EVERY: Duration = Duration::from_hours(1);
/// Refused addresses are looked at for so long.
pub const REFUSED_KEPT: Duration = Duration::from_hours(7 * 24);

/// What a step has to write.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// For one call of `put_documents`.
    pub documents: Vec<Document>,
    /// The mails among them: if there are any, wake the outbox.
    pub mails: Vec<Mail>,
    /// The reports for machines among them.
    pub entries: Vec<Entry>,
}

/// What one step looks at.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    pub now: UnixMillis,
    pub network: &'a Network,
    pub settings: &'a NotifySettings,
    /// All of the engine's.
    pub incidents: &'a [Incident],
    /// Those that must be written.
    pub changed: &'a [Incident],
    pub memory: Option<&'a Memory>,
    /// Without it nothing is mailed.
    pub sender: Option<&'a Sender<'a>>,
}

/// The state of telling people: what they were told and what they said.
#[derive(Debug, Clone, Default)]
pub struct Teller {
    pub log: Log,
    pub desk: Desk,
    pub refused: Vec<Refused>,
    /// Which machines are told; without any none is.
    pub feeds: Feeds,
    forgotten_at: Option<UnixMillis>,
}

impl Teller {
    /// As the store remembers it. In a new store the running-in begins now, and that is written at once.
    pub fn restore(store: &dyn DocumentStore, now: UnixMillis) -> Result<Self, StoreError> {
        let (desk, born) = records::desk(store, now)?;
        if let Some(document) = born {
            store.put_documents(&[document])?;
        }
        let mut log = records::log(store)?;
        log.forget(now);
        let refused = records::refused(store, now - REFUSED_KEPT)?;
        Ok(Self { log, desk, refused, feeds: Feeds::default(), forgotten_at: Some(now) })
    }

    /// What a step changed, and what follows from it for people.
    pub fn step(&mut self, step: Step<'_>) -> Written {
        let mut written = Written::default();
        for incident in step.changed {
            written.documents.extend(records::incident_documents(incident));
        }
        if let Some(sender) = step.sender {
            self.tell(step, sender, &mut written);
        }
        self.feed(step, &mut written);
        if let Some(memory) = step.memory {
            let body = serde_json::to_string(memory).expect("a memory is made of ids and finite numbers");
            written.documents.push(Document { kind: MEMORY.to_owned(), key: MEMORY_KEY.to_owned(), body });
        }
        if self.forgotten_at.is_none_or(|at| step.now.since(at) >= FORGET_EVERY) {
            self.log.forget(step.now);
            self.refused.retain(|r| step.now.since(r.at) < REFUSED_KEPT);
            self.forgotten_at = Some(step.now);
        }
        written
    }

    /// Applies what somebody said; the documents are to be written before it is answered.
    pub fn command(
        &mut self,
        network: &Network,
        known: impl Fn(u64) -> bool,
        command: Command,
        by: &str,
        now: UnixMillis,
    ) -> Result<(Touched, Vec<Document>), Refusal> {
        let touched = self.desk.apply(network, known, command, by, now)?;
        Ok((touched, records::desk_documents(&self.desk, touched)))
    }

    fn tell(&mut self, step: Step<'_>, sender: &Sender<'_>, written: &mut Written) {
        let Step { now, network, settings, incidents, .. } = step;
        let notices = policy::decide(Situation {
            now,
            network,
            settings,
            incidents,
            log: &self.log,
            desk: &self.desk,
            refused: &self.refused,
        });
        if notices.is_empty() {
            return;
        }
        // Mails to the staff must not say that an operator was told who is not.
        let network = &as_told(network, &self.desk, settings.rodaggio);
        let mut threads = BTreeSet::new();
        let mut boxes = BTreeSet::new();
        for notice in &notices {
            let Some(key) = key(network, &notice.recipient) else { continue };
            let thread = notice.incidents.first().and_then(|n| self.log.thread(*n, &key));
            // What is not sent is written for an operator whose address was left out above.
            let whole = if notice.shadow { step.network } else { network };
            let material = Material { network: whole, incidents, desk: &self.desk, thread, now, sender };
            let Some(mail) = compose(material, notice) else { continue };
            self.record(notice, &key, &mail, incidents, now, &mut threads);
            if !notice.shadow {
                let mut mailbox = self.log.mailbox(&key);
                note(&mut mailbox, notice, now, step);
                self.log.put_mailbox(&key, mailbox);
                boxes.insert(key);
                written.documents.push(records::document(&mail));
                written.mails.push(mail);
            }
            self.report(notice, now, &mut written.documents);
        }
        let touched = threads.iter().filter_map(|(n, key)| self.log.thread(*n, key));
        written.documents.extend(touched.map(records::thread_document));
        written.documents.extend(boxes.iter().map(|key| records::mailbox_document(key, &self.log.mailbox(key))));
    }

    /// What machines are told, and the record of it.
    fn feed(&mut self, step: Step<'_>, written: &mut Written) {
        let Step { now, network, settings, incidents, .. } = step;
        let (log, desk, refused) = (&self.log, &self.desk, &self.refused[..]);
        let due = self.feeds.due(Situation { now, network, settings, incidents, log, desk, refused });
        for (entry, thread) in due {
            written.documents.push(records::entry_document(&entry));
            written.documents.push(records::thread_document(&thread));
            written.entries.push(entry);
            self.log.put(thread);
        }
    }

    /// Notes a mail in the threads of all of its incidents.
    fn record(
        &mut self,
        notice: &Notice,
        key: &str,
        mail: &Mail,
        incidents: &[Incident],
        now: UnixMillis,
        touched: &mut BTreeSet<(u64, String)>,
    ) {
        for merged in &notice.merged {
            self.record(merged, key, mail, incidents, now, touched);
        }
        if notice.kind == NoticeKind::Summary {
            return;
        }
        let leader = notice.incidents.first().copied();
        for number in &notice.incidents {
            let Some(incident) = incidents.iter().find(|i| i.number == *number) else { continue };
            let facts = Facts::of(incident, self.desk.cases.get(number));
            let opens = notice.kind == NoticeKind::Opened;
            let known = self.log.thread(*number, key).filter(|t| !(opens && t.shadow)).cloned();
            let mut thread = known.unwrap_or_else(|| Thread {
                recipient: key.to_owned(),
                incident: *number,
                shadow: notice.shadow,
                root: mail.message_id.clone(),
                root_at: now,
                subject: mail.subject.clone(),
                leader: leader.filter(|l| l != number),
                facts: facts.clone(),
                told: Vec::new(),
            });
            if notice.fresh {
                (thread.root, thread.root_at) = (mail.message_id.clone(), now);
            }
            thread.facts = facts;
            thread.told.push(Told {
                at: now,
                kind: notice.kind,
                message_id: mail.message_id.clone(),
                why: notice.why.iter().map(|w| w.as_str().to_owned()).collect(),
            });
            self.log.put(thread);
            touched.insert((*number, key.to_owned()));
        }
    }

    /// Marks refusals as reported.
    fn report(&mut self, notice: &Notice, now: UnixMillis, documents: &mut Vec<Document>) {
        for reported in &notice.refused {
            if let Some(refused) = self.refused.iter_mut().find(|r| r.id == reported.id) {
                refused.reported_at = Some(now);
                documents.push(records::refused_document(refused));
            }
        }
    }
}

/// What a mail changes of a mailbox.
fn note(mailbox: &mut Mailbox, notice: &Notice, now: UnixMillis, step: Step<'_>) {
    mailbox.note(now);
    mailbox.merged_total += notice.merged.len() as u64;
    if let Some(week) = &notice.weekly {
        mailbox.weekly_at = Some(week.to);
    }
    if notice.why.contains(&Why::Morning) {
        let zone = jiff::tz::TimeZone::get(&step.network.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
        mailbox.digest_at = Some(super::calendar::latest(&zone, step.settings.digest_minute, now));
    }
}

/// The network, without the addresses of operators that get no mails.
fn as_told(network: &Network, desk: &Desk, period: Duration) -> Network {
    let mut network = network.clone();
    for wisp in network.wisps.values_mut().filter(|w| !desk.rodaggio.tells(&w.id, period)) {
        wisp.email.clear();
    }
    network
}

/// What an engine starts from after a restart. A memory that cannot be read is a new one.
pub fn restore(store: &dyn DocumentStore) -> Result<(Vec<Incident>, Memory), StoreError> {
    let incidents = records::incidents(store)?;
    let memory = store.documents(MEMORY)?.iter().find_map(|d| serde_json::from_str(&d.body).ok());
    Ok((incidents, memory.unwrap_or_default()))
}
