//! Mails and incidents as documents of the store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Mail;
use super::feed::Entry;
use super::log::{Log, Mailbox, Refused, Thread};
use crate::alert::desk::{Case, Desk, Rodaggio, Touched, Window};
use crate::alert::{Incident, Subject};
use crate::model::view::BackupReports;
use crate::model::{BackupId, UnixMillis};
use crate::store::{Document, DocumentStore, StoreError};

/// Mails that wait.
pub const MAIL_OUT: &str = "mail-out";
/// Mails that the server took, or refused.
pub const MAIL_SENT: &str = "mail-sent";
/// Documents that are no mails: kept for a person to look at.
pub const MAIL_BROKEN: &str = "mail-broken";
/// Reports that wait for a machine.
pub const FEED_OUT: &str = "feed-out";
/// Documents that are no reports: kept for a person to look at.
pub const FEED_BROKEN: &str = "feed-broken";
/// Incidents.
pub const INCIDENT: &str = "incident";

/// What one recipient was told about one incident.
pub const THREAD: &str = "notice";
/// What is kept of one recipient.
pub const MAILBOX: &str = "notice-box";
/// Addresses that were refused for good.
pub const REFUSED: &str = "mail-refused";
/// What people said of one incident.
pub const CASE: &str = "desk-case";
/// Announced works.
pub const WINDOW: &str = "desk-window";
/// Since when the network is watched, and which operators get mails.
pub const RODAGGIO: &str = "desk-rodaggio";
/// What backup jobs have said; one document.
pub const BACKUPS: &str = "desk-backups";
const RODAGGIO_KEY: &str = "state";

/// A mail with what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailRecord {
    pub mail: Mail,
    /// Addresses that the server took it for.
    #[serde(default)]
    pub delivered: Vec<String>,
    /// Addresses that never get it, each with the reason.
    #[serde(default)]
    pub refused: Vec<(String, String)>,
    /// When nothing remained to be done.
    #[serde(default)]
    pub done_at: Option<UnixMillis>,
}

/// The document of a new mail: write it together with its incident.
pub fn document(mail: &Mail) -> Document {
    let record = MailRecord { mail: mail.clone(), delivered: Vec::new(), refused: Vec::new(), done_at: None };
    record_document(MAIL_OUT, &record)
}

/// The documents of a changed incident. One that opens gives up its place among the pending; one that was dropped
/// leaves nothing.
pub fn incident_documents(incident: &Incident) -> Vec<Document> {
    let direction = incident.direction.map_or("", |d| d.as_str());
    let from = match &incident.subject {
        Subject::Service(_, site) => site.as_str(),
        _ => "",
    };
    let pending = format!(
        "pending {} {} {} {direction}{from}",
        incident.condition.as_str(),
        incident.subject.kind(),
        incident.subject.as_str()
    );
    let document = |key: String, body: String| Document { kind: INCIDENT.to_owned(), key, body };
    let body = || serde_json::to_string(incident).expect("an incident is made of texts and finite numbers");
    if incident.number == 0 {
        let body = if incident.is_dropped() { String::new() } else { body() };
        return vec![document(pending, body)];
    }
    vec![document(pending, String::new()), document(format!("{:010}", incident.number), body())]
}

/// The incidents that were kept; what cannot be read is left out and logged.
pub fn incidents(store: &dyn DocumentStore) -> Result<Vec<Incident>, StoreError> {
    let documents = store.documents(INCIDENT)?;
    Ok(documents
        .iter()
        .filter_map(|document| match serde_json::from_str(&document.body) {
            Ok(incident) => Some(incident),
            Err(e) => {
                tracing::error!(key = %document.key, error = %e, "an incident in the store cannot be read");
                None
            }
        })
        .collect())
}

/// Mails that are done, oldest first.
pub fn sent(store: &dyn DocumentStore) -> Result<Vec<MailRecord>, StoreError> {
    Ok(store.documents(MAIL_SENT)?.iter().filter_map(|d| serde_json::from_str(&d.body).ok()).collect())
}

pub(super) fn record_document(kind: &str, record: &MailRecord) -> Document {
    let body = serde_json::to_string(record).expect("a mail is made of texts");
    Document { kind: kind.to_owned(), key: record.mail.id.clone(), body }
}

pub(super) fn removal(kind: &str, key: &str) -> Document {
    Document { kind: kind.to_owned(), key: key.to_owned(), body: String::new() }
}

fn json(kind: &str, key: String, value: &impl Serialize) -> Document {
    let body = serde_json::to_string(value).expect("records are made of texts and finite numbers");
    Document { kind: kind.to_owned(), key, body }
}

/// All documents of a kind that can be read; the others are logged.
fn all<T: serde::de::DeserializeOwned>(store: &dyn DocumentStore, kind: &str) -> Result<Vec<(String, T)>, StoreError> {
    let read = |d: &Document| match serde_json::from_str(&d.body) {
        Ok(value) => Some((d.key.clone(), value)),
        Err(e) => {
            tracing::error!(kind, key = %d.key, error = %e, "a document in the store cannot be read");
            None
        }
    };
    Ok(store.documents(kind)?.iter().filter_map(read).collect())
}

fn numbered(number: u64) -> String {
    format!("{number:010}")
}

pub(super) fn thread_document(thread: &Thread) -> Document {
    json(THREAD, format!("{} {}", numbered(thread.incident), thread.recipient), thread)
}

pub(super) fn mailbox_document(recipient: &str, mailbox: &Mailbox) -> Document {
    json(MAILBOX, recipient.to_owned(), mailbox)
}

/// The document of a new report for a machine: write it together with its incident.
pub fn entry_document(entry: &Entry) -> Document {
    json(FEED_OUT, entry.id.clone(), entry)
}

pub(super) fn refused_document(refused: &Refused) -> Document {
    json(REFUSED, refused.id.clone(), refused)
}

/// The documents of what a command changed.
pub fn desk_documents(desk: &Desk, touched: Touched) -> Vec<Document> {
    match touched {
        Touched::Nothing => Vec::new(),
        Touched::Case(n) => desk.cases.get(&n).map(|c| json(CASE, numbered(n), c)).into_iter().collect(),
        Touched::Window(n) => desk.windows.get(&n).map(|w| json(WINDOW, numbered(n), w)).into_iter().collect(),
        Touched::Rodaggio => vec![json(RODAGGIO, RODAGGIO_KEY.to_owned(), &desk.rodaggio)],
        Touched::Backups => vec![json(BACKUPS, RODAGGIO_KEY.to_owned(), &desk.backups)],
    }
}

/// What people said; and, in a new store, the document that says when it was born.
pub fn desk(store: &dyn DocumentStore, now: UnixMillis) -> Result<(Desk, Option<Document>), StoreError> {
    let cases = all::<Case>(store, CASE)?.into_iter().map(|(_, case)| (case.incident, case)).collect();
    let windows = all::<Window>(store, WINDOW)?.into_iter().map(|(_, window)| (window.number, window)).collect();
    let rodaggio = all::<Rodaggio>(store, RODAGGIO)?.into_iter().next().map(|(_, rodaggio)| rodaggio);
    let is_new = rodaggio.is_none();
    let rodaggio = rodaggio.unwrap_or(Rodaggio { born_at: now, ..Rodaggio::default() });
    let backups = all::<BTreeMap<BackupId, BackupReports>>(store, BACKUPS)?.into_iter().next();
    let backups = backups.map(|(_, backups)| backups).unwrap_or_default();
    let desk = Desk { cases, windows, rodaggio, backups };
    let born = if is_new { desk_documents(&desk, Touched::Rodaggio) } else { Vec::new() };
    Ok((desk, born.into_iter().next()))
}

/// Who was told what.
pub fn log(store: &dyn DocumentStore) -> Result<Log, StoreError> {
    let threads = all::<Thread>(store, THREAD)?.into_iter().map(|(_, thread)| thread);
    Ok(Log::new(threads, all::<Mailbox>(store, MAILBOX)?))
}

/// Who was told what about one incident.
pub fn threads_of(store: &dyn DocumentStore, incident: u64) -> Result<Vec<Thread>, StoreError> {
    let threads = all::<Thread>(store, THREAD)?.into_iter().map(|(_, thread)| thread);
    Ok(threads.filter(|t| t.incident == incident).collect())
}

/// Refused addresses, from a time on.
pub fn refused(store: &dyn DocumentStore, since: UnixMillis) -> Result<Vec<Refused>, StoreError> {
    let all = all::<Refused>(store, REFUSED)?.into_iter().map(|(_, refused)| refused);
    Ok(all.filter(|r| r.at >= since).collect())
}
