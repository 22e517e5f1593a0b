//! What happened in a demo: the object that `demo --json` ends with.

use serde::Serialize;
use serde_json::Value;

use crate::alert::{Incident, IncidentState};
use crate::notify::{Mail, records};
use crate::store::ledger::Ledger;
use crate::store::{Document, DocumentStore};
use crate::web::figures::LocalClock;
use crate::web::snapshot::Snapshot;

#[derive(Debug, Serialize)]
pub struct DemoReport {
    /// Radios that were read at least once.
    pub radios: usize,
    pub samples: Samples,
    /// In order of opening.
    pub incidents: Vec<DemoIncident>,
    pub mails: Vec<DemoMail>,
}

/// Every sample generated against every sample stored.
#[derive(Debug, Serialize)]
pub struct Samples {
    pub generated: u64,
    pub stored: u64,
    pub lost: u64,
    pub duplicates: u64,
}

#[derive(Debug, Serialize)]
pub struct DemoIncident {
    pub id: String,
    pub condition: &'static str,
    pub subject: String,
    pub wisp: Option<String>,
    pub opened: Option<String>,
    pub closed: Option<String>,
    pub caused_by: Vec<String>,
    pub municipalities: Vec<String>,
    pub residents: u32,
}

#[derive(Debug, Serialize)]
pub struct DemoMail {
    pub to: Vec<String>,
    pub subject: String,
    pub incident: String,
    pub kind: &'static str,
}

impl DemoReport {
    /// Reads the ledger and the last picture; `stored_before` is what the ledger held at the start. Blocks.
    pub fn new(snapshot: &Snapshot, ledger: &Ledger, generated: u64, stored_before: u64) -> anyhow::Result<Self> {
        let stored = ledger.agent_samples()?.saturating_sub(stored_before);
        // In a used data directory what an earlier run had left in its spools arrives as well.
        let fresh = stored_before == 0;
        let samples = Samples {
            generated,
            stored,
            lost: generated.saturating_sub(stored),
            duplicates: if fresh { stored.saturating_sub(generated) } else { 0 },
        };
        let mut incidents: Vec<DemoIncident> = snapshot
            .incidents
            .iter()
            .filter(|i| i.state != IncidentState::Pending)
            .map(|i| incident(snapshot, i))
            .collect();
        incidents.reverse();
        Ok(Self { radios: radios_read(snapshot), samples, incidents, mails: mails(ledger)?.iter().map(mail).collect() })
    }

    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

/// Ends of links whose radio has been read.
pub fn radios_read(snapshot: &Snapshot) -> usize {
    let ends = snapshot.view.links.values().flat_map(|l| [&l.near, &l.far]);
    ends.flatten().filter(|end| end.seen_at.is_some() && end.profile.is_some()).count()
}

fn incident(snapshot: &Snapshot, incident: &Incident) -> DemoIncident {
    let network = &snapshot.network;
    let times = LocalClock::new(&network.time_zone, snapshot.generated_at);
    let mut municipalities: Vec<String> =
        incident.sites.iter().filter_map(|s| network.municipality_of(s)).map(|s| s.name.clone()).collect();
    municipalities.sort();
    municipalities.dedup();
    DemoIncident {
        id: incident.token(),
        condition: incident.condition.as_str(),
        subject: incident.subject.as_str().to_owned(),
        wisp: incident.wisp.as_ref().map(ToString::to_string),
        opened: incident.opened_at.map(|at| times.rfc3339(at)),
        closed: incident.closed_at.map(|at| times.rfc3339(at)),
        caused_by: incident.caused_by.iter().map(|n| format!("VED-{n}")).collect(),
        municipalities,
        residents: incident.residents,
    }
}

/// All mails, sent and waiting, in order of their making.
pub fn mails(ledger: &Ledger) -> anyhow::Result<Vec<Mail>> {
    let mut documents = ledger.documents(records::MAIL_SENT)?;
    documents.extend(ledger.documents(records::MAIL_OUT)?);
    documents.sort_by(|a, b| a.key.cmp(&b.key));
    let record = |d: &Document| serde_json::from_str::<records::MailRecord>(&d.body).ok();
    Ok(documents.iter().filter_map(record).map(|r| r.mail).collect())
}

fn mail(mail: &Mail) -> DemoMail {
    DemoMail {
        to: mail.to.clone(),
        subject: mail.subject.clone(),
        incident: mail.incident.clone(),
        kind: mail.kind.as_str(),
    }
}
