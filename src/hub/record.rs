//! Incidents as documents of the ledger.

use crate::alert::Incident;
use crate::store::{Document, DocumentStore, StoreError};

/// The kind of such documents.
const INCIDENT: &str = "incident";

/// The documents of a changed incident. One that opens gives up its place among the pending; one that was dropped
/// leaves nothing.
pub fn incident_documents(incident: &Incident) -> Vec<Document> {
    let direction = incident.direction.map_or("", |d| d.as_str());
    let pending = format!(
        "pending {} {} {} {direction}",
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
