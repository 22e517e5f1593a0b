//! The queue of a feed: reports wait in the store until the machine took them.
//!
//! An entry is a document of kind [`FEED_OUT`], written in one transaction with the incident that it is about. Entries
//! of a feed go out one after the other, in order, so that no machine hears of an end before the beginning; each is
//! removed after it was taken. A crash between the two repeats it under the same event id; nothing else ever does.
//!
//! What goes wrong: a machine that is away, or says "later", makes its whole queue wait (other feeds go on); one that
//! refuses an entry for good loses that entry, which the staff is told of. Waits grow and are bounded, and so is the
//! queue; the state is in the health of the part.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::feed::Entry;
use super::log::Refused;
use super::outbox::{backoff, blocking, chain};
use super::records::{FEED_BROKEN, FEED_OUT, refused_document, removal};
use crate::runtime::clock::SharedClock;
use crate::runtime::health::PartHealth;
use crate::runtime::tasks::Shutdown;
use crate::store::{Document, DocumentStore, StoreError};

/// Entries that wait for one feed; past it the oldest go, counted and told. A report is about 3 kB.
pub const WAITING_MAX: usize = 5_000;
/// An entry that is put off again and again is given up after so long, as a mail is.
const AGE_MAX: Duration = Duration::from_hours(5 * 24);
/// Longest report that is sent: that of an incident with a thousand places behind it has 200 kB.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// The store is looked at at least this often, also if nobody wakes us.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// What a machine said to one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Taken,
    /// Never, this entry.
    Refused(String),
    /// All wait; at least so long where the machine asks for it.
    Later(String, Option<Duration>),
}

/// How entries of one feed get to their machine.
pub trait Way: Send {
    /// Offers one entry, within a bounded time.
    fn deliver(&mut self, entry: &Entry) -> impl Future<Output = Answer> + Send;
}

/// One part of the hub's health for several queues.
pub struct Board {
    name: &'static str,
    queues: Mutex<BTreeMap<String, PartHealth>>,
    out: watch::Sender<PartHealth>,
}

impl Board {
    /// Shows all its queues as one part.
    pub fn new(name: &'static str) -> (Arc<Self>, watch::Receiver<PartHealth>) {
        let (out, health) = watch::channel(PartHealth { name, ok: true, ..PartHealth::default() });
        (Arc::new(Self { name, queues: Mutex::default(), out }), health)
    }

    fn show(&self, feed: &str, state: PartHealth) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.insert(feed.to_owned(), state);
        let sum = |of: fn(&PartHealth) -> u64| queues.values().map(of).sum();
        let details: Vec<String> = queues.values().filter_map(|q| q.detail.clone()).collect();
        self.out.send_replace(PartHealth {
            name: self.name,
            ok: queues.values().all(|q| q.ok),
            detail: (!details.is_empty()).then(|| details.join("; ")),
            waiting: sum(|q| q.waiting),
            done_total: sum(|q| q.done_total),
            failed_total: sum(|q| q.failed_total),
        });
    }
}

/// What a queue needs besides its way.
#[derive(Clone)]
pub struct QueueParts {
    /// The feed's id.
    pub feed: String,
    pub store: Arc<dyn DocumentStore>,
    /// An entry was written.
    pub wake: Arc<Notify>,
    pub board: Arc<Board>,
    pub clock: SharedClock,
}

/// Delivers until the process stops.
pub async fn run<W: Way>(parts: QueueParts, way: W, mut shutdown: Shutdown) -> anyhow::Result<()> {
    let wake = parts.wake.clone();
    let mut queue = Queue {
        parts,
        way,
        failures: 0,
        unwritten: BTreeMap::new(),
        waiting: 0,
        done_total: 0,
        failed_total: 0,
        last_refusal: None,
        last_failure: None,
    };
    while !shutdown.is_set() {
        // An entry under way when the process stops is repeated by the next run, under the same event id.
        let wait = tokio::select! {
            () = shutdown.wait() => break,
            wait = queue.round() => wait,
        };
        tokio::select! {
            () = shutdown.wait() => break,
            // While the machine is away a new entry is no reason to try sooner.
            () = wake.notified(), if queue.failures == 0 => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    Ok(())
}

struct Queue<W> {
    parts: QueueParts,
    way: W,
    /// In a row.
    failures: u32,
    /// Done, but the store has not taken it yet: never to be sent again.
    unwritten: BTreeMap<String, Vec<Document>>,
    waiting: u64,
    done_total: u64,
    failed_total: u64,
    last_refusal: Option<String>,
    last_failure: Option<String>,
}

impl<W: Way> Queue<W> {
    /// Goes through what waits, as far as it gets; says how long to rest.
    async fn round(&mut self) -> Duration {
        let pending = match self.pending().await {
            Ok(pending) => pending,
            Err(e) => return self.postpone(&chain(&e), None),
        };
        self.waiting = pending.len() as u64;
        for entry in pending {
            let answer = if entry.body.len() > BODY_BYTES_MAX {
                Answer::Refused(format!("the report has {} bytes; {BODY_BYTES_MAX} may be sent", entry.body.len()))
            } else {
                self.way.deliver(&entry).await
            };
            let old = self.parts.clock.now().since(entry.at) > AGE_MAX;
            let done = match answer {
                Answer::Taken => self.finish(&entry, None).await,
                Answer::Refused(why) => self.finish(&entry, Some(why)).await,
                Answer::Later(why, _) if old => {
                    self.finish(&entry, Some(format!("given up after five days: {why}"))).await
                }
                Answer::Later(why, after) => return self.postpone(&why, after),
            };
            if let Err(e) = done {
                return self.postpone(&chain(&e), None);
            }
        }
        self.failures = 0;
        if self.last_failure.take().is_some() {
            tracing::info!(feed = self.parts.feed, "reports go out again");
        }
        self.show();
        LOOK_AGAIN
    }

    fn postpone(&mut self, why: &str, after: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        // The same failure is told once; its end too.
        if self.last_failure.as_deref() != Some(why) {
            tracing::warn!(feed = self.parts.feed, waiting = self.waiting, "reports wait: {why}");
            self.last_failure = Some(why.to_owned());
        }
        self.show();
        let wait = backoff(self.failures);
        after.map_or(wait, |after| after.max(wait))
    }

    fn show(&self) {
        let feed = &self.parts.feed;
        let refusal = self.last_refusal.as_ref().map(|why| format!("refused for good: {why}"));
        self.parts.board.show(
            feed,
            PartHealth {
                name: self.parts.board.name,
                ok: self.last_failure.is_none(),
                detail: self.last_failure.clone().or(refusal).map(|why| format!("{feed}: {why}")),
                waiting: self.waiting,
                done_total: self.done_total,
                failed_total: self.failed_total,
            },
        );
    }

    /// What waits, in order. What is no entry is moved aside, what is too much is dropped.
    async fn pending(&mut self) -> Result<Vec<Entry>, StoreError> {
        self.write_unwritten().await?;
        let store = self.parts.store.clone();
        let documents = blocking(move || store.documents(FEED_OUT)).await?;
        let prefix = format!("{} ", self.parts.feed);
        let mut pending = Vec::new();
        for document in documents.into_iter().filter(|d| d.key.starts_with(&prefix)) {
            match serde_json::from_str::<Entry>(&document.body) {
                Ok(entry) => pending.push(entry),
                Err(e) => {
                    tracing::error!(key = %document.key, error = %e, "a document in the queue is no report: moved aside");
                    let aside = Document { kind: FEED_BROKEN.to_owned(), ..document.clone() };
                    self.failed_total += 1;
                    self.unwritten.insert(document.key.clone(), vec![removal(FEED_OUT, &document.key), aside]);
                }
            }
        }
        let surplus = pending.len().saturating_sub(WAITING_MAX);
        for entry in pending.drain(..surplus) {
            self.done_with(&entry, Some(format!("more than {WAITING_MAX} reports waited")));
        }
        self.write_unwritten().await?;
        Ok(pending)
    }

    async fn finish(&mut self, entry: &Entry, refused: Option<String>) -> Result<(), StoreError> {
        self.done_with(entry, refused);
        self.waiting = self.waiting.saturating_sub(1);
        let written = self.write_unwritten().await;
        self.show();
        written
    }

    /// Marks an entry as done. If the store does not take that, it is kept in mind and not sent again.
    fn done_with(&mut self, entry: &Entry, refused: Option<String>) {
        let mut documents = vec![removal(FEED_OUT, &entry.id)];
        match refused {
            None => self.done_total += 1,
            Some(why) => {
                self.failed_total += 1;
                tracing::error!(feed = self.parts.feed, incident = entry.incident, "a report is not taken: {why}");
                documents.push(refused_document(&Refused {
                    id: format!("{} {}", entry.id, self.parts.feed),
                    address: self.parts.feed.clone(),
                    why: why.clone(),
                    at: self.parts.clock.now(),
                    incident: entry.incident.clone(),
                    reported_at: None,
                }));
                self.last_refusal = Some(why);
            }
        }
        self.unwritten.insert(entry.id.clone(), documents);
    }

    async fn write_unwritten(&mut self) -> Result<(), StoreError> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let (store, documents) =
            (self.parts.store.clone(), self.unwritten.values().flatten().cloned().collect::<Vec<_>>());
        blocking(move || store.put_documents(&documents)).await?;
        self.unwritten.clear();
        Ok(())
    }
}

/// Removes what waits for feeds that there are no more. Blocks.
pub fn forget_others(store: &dyn DocumentStore, feeds: &[&str]) -> Result<usize, StoreError> {
    let of = |d: &Document| feeds.iter().any(|feed| d.key.strip_prefix(feed).is_some_and(|rest| rest.starts_with(' ')));
    let old: Vec<Document> =
        store.documents(FEED_OUT)?.iter().filter(|d| !of(d)).map(|d| removal(FEED_OUT, &d.key)).collect();
    if !old.is_empty() {
        store.put_documents(&old)?;
    }
    Ok(old.len())
}
