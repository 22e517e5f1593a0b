//! The outbox: mails wait in the store until the server took them.
//!
//! A mail is a document of kind [`MAIL_OUT`], written in one transaction with the incident that it is about. It is
//! sent in order of keys; after the server took it the document moves to [`MAIL_SENT`], in one transaction too. A
//! crash between the two repeats the mail under the same Message-ID; nothing else ever sends a mail twice. Every
//! address of a mail is offered on its own, so that one that is refused does not keep the mail from the others.
//!
//! What goes wrong: a server that cannot be reached makes all mails wait; a 4xx makes that mail wait; a 5xx marks
//! that address as refused. All waits grow and are bounded; the state is in the health of the part `mail`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::log::Refused;
use super::message::{self, Ready};
use super::records::{MAIL_BROKEN, MAIL_OUT, MAIL_SENT, MailRecord, record_document, refused_document, removal, sent};
use super::smtp::{self, SendError, Session};
use super::{Mail, maildir};
use crate::config::secret::SecretSource;
use crate::config::settings::{MailOut, MailSettings};
use crate::runtime::clock::SharedClock;
use crate::runtime::health::PartHealth;
use crate::runtime::tasks::Shutdown;
use crate::store::{Document, DocumentStore, StoreError};

/// Mails kept after sending; the oldest go first. A mail is about 12 kB.
const SENT_MAX: usize = 5_000;

/// Mails between two looks at whether there are too many.
const PRUNE_EVERY: u32 = 500;

/// First wait after a failure; it doubles up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_secs(2);

/// A server that is back is noticed within this.
const RETRY_MAX: Duration = Duration::from_mins(10);

/// Waits are shortened or stretched by up to this part, so that many senders do not come back at once.
const RETRY_JITTER: f64 = 0.2;

/// A mail that the server keeps putting off is given up after so long; not one that waited for the server. RFC 5321 (4.5.4.1) asks for at least four to five days.
const AGE_MAX: Duration = Duration::from_hours(5 * 24);

/// More mails in an hour are a fault of ours or a storm that nobody can read; the rest wait.
const MAILS_PER_HOUR_MAX: usize = 500;

/// The store is looked at at least this often, also if nobody wakes us.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// Sends until the process stops. `wake`: a mail was written.
pub async fn run(
    settings: MailSettings,
    store: Arc<dyn DocumentStore>,
    wake: Arc<Notify>,
    secrets: Arc<dyn SecretSource>,
    health: watch::Sender<PartHealth>,
    clock: SharedClock,
    mut shutdown: Shutdown,
) -> anyhow::Result<()> {
    let mut outbox = Outbox::new(settings, store, secrets, health, clock, shutdown.clone());
    outbox.count_old().await;
    while !shutdown.is_set() {
        let wait = outbox.round().await;
        tokio::select! {
            () = shutdown.wait() => break,
            // While the server is away a new mail is no reason to try sooner.
            () = wake.notified(), if outbox.server_failures == 0 => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    Ok(())
}

/// What became of one attempt at one mail.
enum Attempt {
    Done,
    /// All wait.
    ServerAway(String),
    /// This one waits.
    Later(String),
}

struct Outbox {
    settings: MailSettings,
    store: Arc<dyn DocumentStore>,
    secrets: Arc<dyn SecretSource>,
    health: watch::Sender<PartHealth>,
    clock: SharedClock,
    shutdown: Shutdown,
    /// In a row.
    server_failures: u32,
    /// Mails that wait after a 4xx: failures in a row, and when to try again.
    waiting: BTreeMap<String, (u32, Instant)>,
    /// Done, but the store has not taken it yet: never to be sent again.
    unwritten: BTreeMap<String, MailRecord>,
    sent_in_hour: VecDeque<Instant>,
    done_since_pruned: u32,
    done_total: u64,
    failed_total: u64,
    last_refusal: Option<String>,
    last_failure: Option<String>,
}

impl Outbox {
    fn new(
        settings: MailSettings,
        store: Arc<dyn DocumentStore>,
        secrets: Arc<dyn SecretSource>,
        health: watch::Sender<PartHealth>,
        clock: SharedClock,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            settings,
            store,
            secrets,
            health,
            clock,
            shutdown,
            server_failures: 0,
            waiting: BTreeMap::new(),
            unwritten: BTreeMap::new(),
            sent_in_hour: VecDeque::new(),
            done_since_pruned: 0,
            done_total: 0,
            failed_total: 0,
            last_refusal: None,
            last_failure: None,
        }
    }

    /// Goes through what waits once; says how long to rest.
    async fn round(&mut self) -> Duration {
        if let Err(e) = self.write_unwritten().await {
            return self.store_failed(&e);
        }
        if self.done_since_pruned >= PRUNE_EVERY {
            self.done_since_pruned = 0;
            let store = self.store.clone();
            if let Err(e) = blocking(move || prune(&*store)).await {
                return self.store_failed(&e);
            }
        }
        let pending = match self.pending().await {
            Ok(pending) => pending,
            Err(e) => return self.store_failed(&e),
        };
        let keys: BTreeSet<&str> = pending.iter().map(|r| r.mail.id.as_str()).collect();
        self.waiting.retain(|key, _| keys.contains(key.as_str()));
        let mut left = pending.len() as u64;
        let mut session = None;
        let mut away = None;
        for record in pending {
            if self.shutdown.is_set() {
                break;
            }
            let id = record.mail.id.clone();
            if self.waiting.get(&id).is_some_and(|(_, due)| *due > Instant::now()) {
                continue;
            }
            if self.hour_is_full() {
                away = Some(format!("more than {MAILS_PER_HOUR_MAX} mails in an hour: the rest wait"));
                break;
            }
            match self.attempt(&mut session, record).await {
                Attempt::Done => {
                    self.waiting.remove(&id);
                    left -= 1;
                }
                Attempt::Later(why) => self.postpone(id, &why),
                Attempt::ServerAway(why) => {
                    away = Some(why);
                    break;
                }
            }
        }
        if let Some(Connected::Smtp(session)) = session {
            session.quit().await;
        }
        self.conclude(left, away)
    }

    fn conclude(&mut self, left: u64, away: Option<String>) -> Duration {
        let wait = if away.is_some() {
            self.server_failures = self.server_failures.saturating_add(1);
            backoff(self.server_failures)
        } else {
            self.server_failures = 0;
            let due = self.waiting.values().map(|(_, due)| due.saturating_duration_since(Instant::now())).min();
            due.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN)
        };
        // The same failure is told once; its end too.
        if away != self.last_failure {
            if let Some(why) = &away {
                tracing::warn!(waiting = left, "mails wait: {why}");
            } else {
                tracing::info!("mails go out again");
            }
        }
        let refusal = self.last_refusal.as_ref().map(|why| format!("refused for good: {why}"));
        self.publish(left, away.is_none(), away.clone().or(refusal));
        self.last_failure = away;
        wait
    }

    fn publish(&self, waiting: u64, ok: bool, detail: Option<String>) {
        self.health.send_replace(PartHealth {
            name: "mail",
            ok,
            detail,
            waiting,
            done_total: self.done_total,
            failed_total: self.failed_total,
        });
    }

    fn store_failed(&mut self, error: &StoreError) -> Duration {
        let away = Some(chain(error));
        let waiting = self.health.borrow().waiting;
        self.conclude(waiting, away)
    }

    fn postpone(&mut self, id: String, why: &str) {
        let failures = self.waiting.get(&id).map_or(0, |(n, _)| *n).saturating_add(1);
        if failures == 1 {
            tracing::warn!(mail = %id, "the server wants this mail later: {why}");
        }
        self.waiting.insert(id, (failures, Instant::now() + backoff(failures)));
    }

    fn hour_is_full(&mut self) -> bool {
        while self.sent_in_hour.front().is_some_and(|at| at.elapsed() >= Duration::from_hours(1)) {
            self.sent_in_hour.pop_front();
        }
        self.sent_in_hour.len() >= MAILS_PER_HOUR_MAX
    }

    async fn attempt(&mut self, session: &mut Option<Connected>, mut record: MailRecord) -> Attempt {
        let attempt = match message::build(&record.mail) {
            Ok(ready) => match self.deliver(session, &mut record, &ready).await {
                Attempt::Later(why) if self.clock.now().since(record.mail.date) > AGE_MAX => {
                    refuse_rest(&mut record, &format!("given up after five days: {why}"));
                    Attempt::Done
                }
                attempt => attempt,
            },
            Err(e) => {
                refuse_rest(&mut record, &chain(&e));
                Attempt::Done
            }
        };
        if matches!(attempt, Attempt::Done) {
            self.finish(record).await;
        } else if !record.delivered.is_empty() || !record.refused.is_empty() {
            // Some addresses are done: those must not be offered again after a restart.
            let document = record_document(MAIL_OUT, &record);
            if let Err(e) = self.put(vec![document]).await {
                return Attempt::ServerAway(chain(&e));
            }
        }
        attempt
    }

    async fn deliver(&mut self, session: &mut Option<Connected>, record: &mut MailRecord, ready: &Ready) -> Attempt {
        let mut later = None;
        for (text, address) in record.mail.to.clone().into_iter().zip(&ready.to) {
            if record.delivered.contains(&text) || record.refused.iter().any(|(to, _)| *to == text) {
                continue;
            }
            // A refusal ends the connection, so it is looked at before every address.
            if session.as_ref().is_none_or(Connected::is_broken) {
                match self.connect().await {
                    Ok(connected) => *session = Some(connected),
                    Err(why) => return Attempt::ServerAway(why),
                }
            }
            let sent = match session {
                Some(Connected::Smtp(smtp)) => smtp.send(&ready.from, address, &ready.bytes).await,
                Some(Connected::Maildir) | None => {
                    // One file for all of its addresses.
                    if let Err(why) = self.write_file(&record.mail, &ready.bytes).await {
                        return Attempt::ServerAway(why);
                    }
                    record.delivered.clone_from(&record.mail.to);
                    self.sent_in_hour.push_back(Instant::now());
                    return Attempt::Done;
                }
            };
            match sent {
                Ok(_) => {
                    record.delivered.push(text);
                    self.sent_in_hour.push_back(Instant::now());
                }
                Err(SendError::Refused(e)) => record.refused.push((text, chain(&e))),
                Err(SendError::Later(e)) => later = Some(chain(&e)),
                Err(e @ (SendError::Server(_) | SendError::Timeout)) => return Attempt::ServerAway(chain(&e)),
            }
        }
        later.map_or(Attempt::Done, Attempt::Later)
    }

    async fn connect(&mut self) -> Result<Connected, String> {
        let smtp = match &self.settings.out {
            MailOut::Maildir(_) => return Ok(Connected::Maildir),
            MailOut::Smtp(smtp) => smtp.clone(),
        };
        let connected = tokio::select! {
            () = self.shutdown.wait() => return Err("stopping".to_owned()),
            connected = smtp::connect(&smtp, &*self.secrets) => connected,
        };
        connected
            .map(|session| Connected::Smtp(Box::new(session)))
            .map_err(|e| format!("mail server {}:{}: {}", smtp.host, smtp.port, chain(&e)))
    }

    async fn write_file(&self, mail: &Mail, message: &[u8]) -> Result<(), String> {
        let MailOut::Maildir(dir) = self.settings.out.clone() else {
            return Err("no maildir is set".to_owned());
        };
        let (mail, message) = (mail.clone(), message.to_vec());
        let written = tokio::task::spawn_blocking(move || maildir::deliver(&dir, &mail, &message)).await;
        match written {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(chain(&e)),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Marks a mail as done. If the store does not take that, it is kept in mind and not sent again.
    async fn finish(&mut self, mut record: MailRecord) {
        record.done_at = Some(self.clock.now());
        if let Some((to, why)) = record.refused.last() {
            self.failed_total += 1;
            tracing::error!(mail = %record.mail.subject, %to, "refused for good: {why}");
            self.last_refusal = Some(format!("{to}: {why}"));
        }
        if !record.delivered.is_empty() {
            self.done_total += 1;
        }
        self.unwritten.insert(record.mail.id.clone(), record);
        self.done_since_pruned += 1;
        if let Err(e) = self.write_unwritten().await {
            tracing::error!("a mail that was sent cannot be marked: {}", chain(&e));
        }
    }

    async fn write_unwritten(&mut self) -> Result<(), StoreError> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let documents = self
            .unwritten
            .values()
            .flat_map(|record| {
                [removal(MAIL_OUT, &record.mail.id), record_document(MAIL_SENT, record)]
                    .into_iter()
                    .chain(refusals(record))
            })
            .collect();
        self.put(documents).await?;
        self.unwritten.clear();
        Ok(())
    }

    async fn put(&self, documents: Vec<Document>) -> Result<(), StoreError> {
        let store = self.store.clone();
        blocking(move || store.put_documents(&documents)).await
    }

    /// What waits, in order. Documents that are no mails are moved aside.
    async fn pending(&mut self) -> Result<Vec<MailRecord>, StoreError> {
        let store = self.store.clone();
        let documents = blocking(move || store.documents(MAIL_OUT)).await?;
        let mut pending = Vec::new();
        for document in documents {
            match serde_json::from_str::<MailRecord>(&document.body) {
                Ok(record) if self.unwritten.contains_key(&record.mail.id) => {}
                Ok(record) => pending.push(record),
                Err(e) => {
                    tracing::error!(key = %document.key, error = %e, "a document in the outbox is no mail: moved aside");
                    let aside = Document { kind: MAIL_BROKEN.to_owned(), ..document.clone() };
                    self.put(vec![removal(MAIL_OUT, &document.key), aside]).await?;
                    self.failed_total += 1;
                    self.last_refusal = Some(format!("{} is no mail", document.key));
                }
            }
        }
        Ok(pending)
    }

    /// Failures of earlier runs stay visible; of the mails that are done only the newest are kept.
    async fn count_old(&mut self) {
        let store = self.store.clone();
        let counted = blocking(move || {
            prune(&*store)?;
            let records = sent(&*store)?;
            let done = records.iter().filter(|r| !r.delivered.is_empty()).count() as u64;
            let failed = records.iter().filter(|r| !r.refused.is_empty()).count() as u64;
            Ok((done, failed))
        });
        match counted.await {
            Ok((done, failed)) => (self.done_total, self.failed_total) = (done, failed),
            Err(e) => tracing::warn!("sent mails cannot be counted: {}", chain(&e)),
        }
    }
}

/// Removes the oldest of the mails that are done.
fn prune(store: &dyn DocumentStore) -> Result<(), StoreError> {
    let documents = store.documents(MAIL_SENT)?;
    let extra = documents.len().saturating_sub(SENT_MAX);
    let old: Vec<Document> = documents[..extra].iter().map(|d| removal(MAIL_SENT, &d.key)).collect();
    if old.is_empty() { Ok(()) } else { store.put_documents(&old) }
}

enum Connected {
    Smtp(Box<Session>),
    Maildir,
}

impl Connected {
    fn is_broken(&self) -> bool {
        matches!(self, Self::Smtp(session) if session.is_broken())
    }
}

/// Calls into the store block.
pub(super) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let ended = tokio::task::spawn_blocking(call).await;
    ended.unwrap_or_else(|e| Err(StoreError::Database { step: "a call did not end", source: Box::new(e) }))
}

/// What the staff is to be told of: one document for each address that was refused.
fn refusals(record: &MailRecord) -> impl Iterator<Item = Document> {
    record.refused.iter().map(|(address, why)| {
        refused_document(&Refused {
            id: format!("{} {address}", record.mail.id),
            address: address.clone(),
            why: why.clone(),
            at: record.done_at.unwrap_or(record.mail.date),
            incident: record.mail.incident.clone(),
            reported_at: None,
        })
    })
}

fn refuse_rest(record: &mut MailRecord, why: &str) {
    for to in &record.mail.to {
        if !record.delivered.contains(to) && !record.refused.iter().any(|(refused, _)| refused == to) {
            record.refused.push((to.clone(), why.to_owned()));
        }
    }
}

/// `a: b: c`
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// How long to wait after so many failures in a row (at least one).
pub(super) fn backoff(failures: u32) -> Duration {
    let whole = RETRY_FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(RETRY_MAX);
    whole.mul_f64(rand::rng().random_range(1.0 - RETRY_JITTER..=1.0 + RETRY_JITTER))
}
