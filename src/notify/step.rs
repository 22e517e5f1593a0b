//! One step of the engine as documents: incidents, the mails about them, and what the engine remembers, to be written
//! in one transaction. `[P]`

use std::collections::BTreeMap;

use super::Mail;
use super::decide::decide;
use super::records;
use super::render::{Sender, render};
use crate::alert::{Incident, Memory};
use crate::model::UnixMillis;
use crate::model::network::Network;
use crate::store::{Document, DocumentStore, StoreError};

/// The engine's memory; one document.
pub const MEMORY: &str = "alert-memory";
const MEMORY_KEY: &str = "best";

/// What a step has to write.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// For one call of `put_documents`.
    pub documents: Vec<Document>,
    /// The mails among them: if there are any, wake the outbox.
    pub mails: Vec<Mail>,
}

/// `before`: the engine's incidents as they were before the step; `changed`: what the step returned. Without a
/// `sender` nothing is mailed.
pub fn written(
    network: &Network,
    before: &[Incident],
    changed: &[Incident],
    memory: Option<&Memory>,
    now: UnixMillis,
    sender: Option<&Sender<'_>>,
) -> Written {
    let numbered: BTreeMap<u64, &Incident> = before.iter().filter(|i| i.number > 0).map(|i| (i.number, i)).collect();
    let mut written = Written::default();
    for incident in changed {
        written.documents.extend(records::incident_documents(incident));
        let Some(sender) = sender else { continue };
        for request in decide(network, numbered.get(&incident.number).copied(), incident) {
            let mail = render(network, incident, &request.recipient, request.kind, now, sender);
            written.mails.extend(mail);
        }
    }
    written.documents.extend(written.mails.iter().map(records::document));
    if let Some(memory) = memory {
        let body = serde_json::to_string(memory).expect("a memory is made of ids and finite numbers");
        written.documents.push(Document { kind: MEMORY.to_owned(), key: MEMORY_KEY.to_owned(), body });
    }
    written
}

/// What an engine starts from after a restart. A memory that cannot be read is a new one.
pub fn restore(store: &dyn DocumentStore) -> Result<(Vec<Incident>, Memory), StoreError> {
    let incidents = records::incidents(store)?;
    let memory = store.documents(MEMORY)?.iter().find_map(|d| serde_json::from_str(&d.body).ok());
    Ok((incidents, memory.unwrap_or_default()))
}
