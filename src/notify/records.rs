//! Mails and incidents as documents of the store.

use serde::{Deserialize, Serialize};

use super::Mail;
use crate::alert::{Incident, Subject};
use crate::model::UnixMillis;
use crate::store::{Document, DocumentStore, StoreError};

/// Mails that wait.
pub const MAIL_OUT: &str = "mail-out";
/// Mails that the server took, or refused.
pub const MAIL_SENT: &str = "mail-sent";
/// Documents that are no mails: kept for a person to look at.
pub const MAIL_BROKEN: &str = "mail-broken";
/// Incidents.
pub const INCIDENT: &str = "incident";

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
