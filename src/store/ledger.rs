//! The ledger: every batch that the hub has acknowledged, on disk before it is acknowledged.
//!
//! One SQLite file in write-ahead mode with `synchronous = FULL`: a commit returns when the disk has it. One
//! connection writes, one reads, so that a sink that catches up delays no batch. Deduplication is part of the
//! transaction that stores, and is by ranges of sequence numbers, which outlive the batches themselves: a batch that
//! was stored, forwarded and pruned is still a duplicate.
//!
//! Rows are numbered in the order of storing and never used twice, so a sink is a position, and a hole in the numbers
//! is a batch that was pruned. The hub's own figures are stored the same way, as batches of the agent [`OWN_AGENT`],
//! so that sinks need to follow one sequence only; they have no `stored` message, and no agent may have that name.
//!
//! Not here: what the batches mean. Nothing is unpacked.

mod back;
mod incarnation;
mod place;
mod proof;
mod rolled;
mod rows;
mod schema;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use tokio::sync::watch;
use uuid::Uuid;

use self::incarnation::Incarnation;
use self::proof::Calendar;
pub use self::proof::{DAYS_MAX, DeliveryDay, Loss, Observation, Standing};
pub use self::rolled::{Merged, SERIES_MAX};
use super::{BatchOrigin, BatchStore, Document, DocumentStore, IncomingBatch, SetAside, StoreError, StoreOutcome};
use crate::model::{Sample, SiteId, UnixMillis};
use crate::wire::batch::{CLOCK_FLOOR, gzip};
use crate::wire::line;
use crate::wire::ranges::RangeSet;

/// Name under which the hub stores figures of its own. No site may have it.
pub const OWN_AGENT: &str = "hub-derived";
/// How long batches are kept: five weeks, so that a month's report can still be made from them.
pub const RETENTION: Duration = Duration::from_hours(35 * 24);
/// Most batches of one page.
pub const PAGE_BATCHES_MAX: usize = 256;
/// Most packed bytes of one page, but for its first batch: a page is held in memory.
pub const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most messages set aside: some days of one agent that sends nothing right.
pub const SET_ASIDE_COUNT_MAX: usize = 1000;
/// Most bytes of messages set aside.
pub const SET_ASIDE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What is kept of one message set aside, bytes: as much as a batch may have.
pub const SET_ASIDE_PAYLOAD_MAX: usize = 64 * 1024;
/// What is kept of the reason, bytes.
const REASON_BYTES_MAX: usize = 500;
/// Most ranges remembered of one epoch: each is a hole, and a hole is a batch that was lost or is on its way.
const RANGES_MAX: usize = 10_000;
/// Batches removed in one transaction: storing waits for no longer than that.
const PRUNE_BATCHES: usize = 500;
/// Samples in one batch of the hub's own: with at most 1 KiB a line (few fields, ids of at most 64 bytes) a batch stays
/// within what is unpacked.
const OWN_SAMPLES_MAX: usize = 1000;

/// A batch in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredBatch {
    /// Larger than that of every batch stored before.
    pub row: i64,
    pub batch: IncomingBatch,
    /// When it was made: by its agent's clock, or as found out afterwards. `None`: stored by an old version.
    pub taken_at: Option<UnixMillis>,
    /// To be added to times of a clock that was not set.
    pub shift_ms: i64,
}

impl StoredBatch {
    /// When a line of it was measured, whatever its agent's clock said then.
    pub fn placed(&self, at: UnixMillis) -> UnixMillis {
        match self.shift_ms {
            _ if at >= CLOCK_FLOOR => at,
            0 => self.taken_at.filter(|taken| *taken >= CLOCK_FLOOR).unwrap_or(at),
            shift => UnixMillis(at.0.saturating_add(shift)),
        }
    }
}

/// The ledger in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerStats {
    /// Batches kept now.
    pub batches: u64,
    /// Lines in them.
    pub samples: u64,
    pub packed_bytes: u64,
    /// The whole database, without its write-ahead log.
    pub file_bytes: u64,
    /// Messages ever set aside.
    pub set_aside_total: u64,
    /// Messages kept aside now.
    pub set_aside: u64,
    /// When the oldest batch kept was received.
    pub oldest_received_at: Option<UnixMillis>,
}

/// The ledger. Calls block.
pub struct Ledger {
    path: PathBuf,
    id: Uuid,
    // Closed before the writer, which then, as the last one, empties the write-ahead log and removes it.
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
    newest: watch::Sender<i64>,
    calendar: OnceLock<Calendar>,
    incarnation: Incarnation,
    _lock: File,
}

fn failed(step: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Database { step, source: source.into() }
}

/// A panic of another user of the connection has rolled its transaction back: the connection is as good as before.
fn locked(conn: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    conn.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// Opens the ledger file, and makes it where there is none. Refuses a file of a newer format, of another program,
    /// or in use by another process.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let opened = schema::open(path)?;
        let newest = rows::newest_row(&opened.writer).map_err(failed("find the newest batch"))?;
        Ok(Self {
            path: path.to_owned(),
            id: opened.id,
            writer: Mutex::new(opened.writer),
            reader: Mutex::new(opened.reader),
            newest: watch::Sender::new(newest),
            calendar: OnceLock::new(),
            incarnation: opened.incarnation,
            _lock: opened.lock,
        })
    }

    /// Daily records are of days in this time zone; without a word, of UTC. To be said once, before batches are stored.
    pub fn keep_days_in(&self, time_zone: &str) {
        // A second word changes nothing: a record stays what it was begun as.
        let _ = self.calendar.set(Calendar::new(time_zone));
    }

    fn calendar(&self) -> &Calendar {
        self.calendar.get_or_init(|| Calendar::new("UTC"))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The newest row, each time it changes.
    pub fn newest_row(&self) -> watch::Receiver<i64> {
        self.newest.subscribe()
    }

    fn write<T>(
        &self,
        step: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut conn = locked(&self.writer);
        let run = || {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            tx.commit()?;
            Ok(done)
        };
        run().map_err(failed(step))
    }

    fn read<T>(
        &self,
        step: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(&locked(&self.reader)).map_err(failed(step))
    }

    fn store_all(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Vec<StoreOutcome>>,
    ) -> Result<Vec<StoreOutcome>, StoreError> {
        let (outcomes, newest) = self.write("store batches", |tx| Ok((work(tx)?, rows::newest_row(tx)?)))?;
        // Two writers may come here in either order.
        self.newest.send_if_modified(|known| {
            let newer = newest > *known;
            *known = newest.max(*known);
            if newer && let Err(error) = self.incarnation.note(newest) {
                // The ledger has the batches; only an old copy of it would be recognised later than it could be.
                tracing::debug!(%error, "the file beside the ledger is not up to date");
            }
            newer
        });
        Ok(outcomes)
    }

    /// Stores the hub's own figures as a batch of [`OWN_AGENT`], for the sinks to follow.
    pub fn store_own(&self, samples: &[Sample], now: UnixMillis) -> Result<(), StoreError> {
        let agent = SiteId::parse(OWN_AGENT).expect("a constant that is an id");
        for samples in samples.chunks(OWN_SAMPLES_MAX) {
            let mut text = String::new();
            let n_samples = line::encode(samples, &mut text);
            if n_samples == 0 {
                continue;
            }
            let mut batch = IncomingBatch {
                agent: agent.clone(),
                epoch: 0,
                seq: 0,
                crc: crc32fast::hash(text.as_bytes()),
                received_at: now,
                sent_at: now,
                n_samples,
                packed: gzip(text.as_bytes()),
                origin: BatchOrigin::default(),
            };
            self.store_all(|tx| {
                batch.seq = rows::last_seq(tx, &agent, 0)?.wrapping_add(1);
                Ok(vec![rows::store_batch(tx, self.calendar(), &batch)?])
            })?;
        }
        Ok(())
    }

    /// The batches after a row, oldest first: at most `limit` and [`PAGE_BATCHES_MAX`], and fewer where they are large.
    /// Empty: there are none.
    pub fn batches_after(&self, row: i64, limit: usize) -> Result<Vec<StoredBatch>, StoreError> {
        let limit = limit.min(PAGE_BATCHES_MAX);
        self.read("read batches", |conn| rows::batches_after(conn, row, limit, PAGE_BYTES_MAX))
    }

    /// The batches received since an instant, in the order in which they were stored, those of [`OWN_AGENT`] too:
    /// what a hub that starts rebuilds its state from. Reads page by page.
    pub fn replay_since(&self, since: UnixMillis) -> Result<Replay<'_>, StoreError> {
        let first: Option<i64> = self.read("find where to replay from", |conn| {
            conn.query_row("SELECT min(row) FROM batches WHERE received_at >= ?1", [since.0], |r| r.get(0))
        })?;
        let after = first.map_or(i64::MAX, |row| row - 1);
        Ok(Replay { ledger: self, after, page: Vec::new().into_iter(), ended: false })
    }

    /// The last row that a sink has delivered; 0 for a sink that is not known.
    pub fn sink_position(&self, sink: &str) -> Result<i64, StoreError> {
        self.read("read a sink's position", |conn| {
            conn.query_row("SELECT last_row FROM sinks WHERE name = ?1", [sink], |r| r.get(0)).optional()
        })
        .map(Option::unwrap_or_default)
    }

    /// Writes a sink's position.
    pub fn set_sink_position(&self, sink: &str, row: i64) -> Result<(), StoreError> {
        self.set_sink_positions(&[(sink, row)])
    }

    /// Writes all or none.
    pub fn set_sink_positions(&self, positions: &[(&str, i64)]) -> Result<(), StoreError> {
        self.write("write a sink's position", |tx| {
            for (sink, row) in positions {
                tx.prepare_cached(
                    "INSERT INTO sinks (name, last_row) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET last_row = excluded.last_row",
                )?
                .execute(params![sink, row])?;
            }
            Ok(())
        })
    }

    /// The row of the oldest batch kept; `None`: there is none.
    pub fn oldest_row(&self) -> Result<Option<i64>, StoreError> {
        self.read("find the oldest batch", |conn| conn.query_row("SELECT min(row) FROM batches", [], |r| r.get(0)))
    }

    /// How each agent's deliveries stand.
    pub fn standings(&self) -> Result<Vec<Standing>, StoreError> {
        self.read("read what is missing", proof::standings)
    }

    /// Each agent's newest losses, at most `limit` of each.
    pub fn losses(&self, limit: usize) -> Result<Vec<Loss>, StoreError> {
        self.read("read what is lost", |conn| proof::losses(conn, limit))
    }

    /// The daily records from the day of an instant on, by agent, the newest day first.
    pub fn delivery_days(&self, since: UnixMillis) -> Result<Vec<DeliveryDay>, StoreError> {
        let since = self.calendar().day(since);
        self.read("read the daily records", |conn| proof::days(conn, &since))
    }

    /// Adds to the records of the day what the hub saw of its agents.
    pub fn observe(&self, now: UnixMillis, seen: &[(SiteId, Observation)]) -> Result<(), StoreError> {
        let day = self.calendar().day(now);
        self.write("write the daily records", |tx| {
            seen.iter().try_for_each(|(agent, seen)| proof::observe(tx, &day, agent, seen))
        })
    }

    /// Removes batches received before an instant; says how many. Which numbers were stored is remembered.
    pub fn prune(&self, before: UnixMillis) -> Result<u64, StoreError> {
        let mut pruned = 0;
        loop {
            let some = self.write("prune batches", |tx| rows::prune_batches(tx, before, PRUNE_BATCHES))?;
            pruned += some;
            if some < PRUNE_BATCHES as u64 {
                break;
            }
        }
        self.write("prune ranges", |tx| {
            rows::prune_ranges(tx, before, RANGES_MAX)?;
            proof::prune(tx, self.calendar(), before)
        })?;
        Ok(pruned)
    }

    /// The newest messages set aside, newest first.
    pub fn set_aside_messages(&self, limit: usize) -> Result<Vec<SetAside>, StoreError> {
        self.read("read what was set aside", |conn| {
            let mut statement =
                conn.prepare_cached("SELECT at, agent, reason, payload FROM set_aside ORDER BY row DESC LIMIT ?1")?;
            let messages = statement.query_map([limit.min(SET_ASIDE_COUNT_MAX) as i64], |r| {
                Ok(SetAside { at: UnixMillis(r.get(0)?), agent: r.get(1)?, reason: r.get(2)?, payload: r.get(3)? })
            })?;
            messages.collect()
        })
    }

    /// Samples kept that agents sent: those of the hub's own making are left out. Reads every batch's row.
    pub fn agent_samples(&self) -> Result<u64, StoreError> {
        self.read("count the agents' samples", |conn| {
            let sum = "SELECT coalesce(sum(n_samples), 0) FROM batches JOIN epochs ON id = epoch_id WHERE agent <> ?1";
            conn.query_row(sum, [OWN_AGENT], |r| r.get::<_, i64>(0)).map(|n| n.max(0) as u64)
        })
    }

    pub fn stats(&self) -> Result<LedgerStats, StoreError> {
        self.read("read figures", |conn| {
            let count = |r: &rusqlite::Row<'_>, column: usize| r.get::<_, i64>(column).map(|n| n.max(0) as u64);
            let mut stats = conn.query_row(
                "SELECT batches, samples, packed_bytes, set_aside, (SELECT count(*) FROM set_aside),
                    (SELECT min(received_at) FROM batches) FROM totals",
                [],
                |r| {
                    Ok(LedgerStats {
                        batches: count(r, 0)?,
                        samples: count(r, 1)?,
                        packed_bytes: count(r, 2)?,
                        file_bytes: 0,
                        set_aside_total: count(r, 3)?,
                        set_aside: count(r, 4)?,
                        oldest_received_at: r.get::<_, Option<i64>>(5)?.map(UnixMillis),
                    })
                },
            )?;
            let pages: i64 = conn.pragma_query_value(None, "page_count", |r| r.get(0))?;
            let page_bytes: i64 = conn.pragma_query_value(None, "page_size", |r| r.get(0))?;
            stats.file_bytes = pages.saturating_mul(page_bytes).max(0) as u64;
            Ok(stats)
        })
    }
}

impl BatchStore for Ledger {
    fn ledger_id(&self) -> Uuid {
        self.id
    }

    fn store(&self, batches: &[IncomingBatch]) -> Result<Vec<StoreOutcome>, StoreError> {
        self.store_all(|tx| {
            let store = |batch: &IncomingBatch| match batch.agent.as_str() {
                // Somebody uses the hub's own name.
                OWN_AGENT => Ok(StoreOutcome::Conflict),
                _ => rows::store_batch(tx, self.calendar(), batch),
            };
            let outcomes = batches.iter().map(store).collect::<rusqlite::Result<Vec<_>>>()?;
            place::release(tx, self.calendar())?;
            Ok(outcomes)
        })
    }

    fn stored_ranges(&self) -> Result<Vec<(SiteId, u64, RangeSet)>, StoreError> {
        let mut all: Vec<(SiteId, u64, RangeSet)> = Vec::new();
        self.read("read ranges", |conn| {
            rows::newest_ranges(conn, |agent, epoch, (first, last)| {
                if agent == OWN_AGENT {
                    return;
                }
                if all.last().is_none_or(|(known, of, _)| known.as_str() != agent || *of != epoch) {
                    let Ok(agent) = SiteId::parse(agent) else { return };
                    all.push((agent, epoch, RangeSet::default()));
                }
                if let Some((.., ranges)) = all.last_mut() {
                    ranges.insert_range(first, last);
                }
            })
        })?;
        Ok(all)
    }

    fn set_aside(&self, messages: &[SetAside]) -> Result<(), StoreError> {
        self.write("set messages aside", |tx| {
            for SetAside { at, agent, reason, payload } in messages {
                let agent = &agent[..agent.floor_char_boundary(REASON_BYTES_MAX)];
                let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
                let payload = &payload[..payload.len().min(SET_ASIDE_PAYLOAD_MAX)];
                rows::set_aside(tx, (*at, agent, reason, payload), SET_ASIDE_COUNT_MAX, SET_ASIDE_BYTES_MAX)?;
                proof::set_aside(tx, self.calendar(), agent, *at)?;
            }
            Ok(())
        })
    }
}

impl DocumentStore for Ledger {
    fn put_documents(&self, documents: &[Document]) -> Result<(), StoreError> {
        self.write("write documents", |tx| {
            for Document { kind, key, body } in documents {
                if body.is_empty() {
                    tx.prepare_cached("DELETE FROM documents WHERE kind = ?1 AND key = ?2")?
                        .execute(params![kind, key])?;
                } else {
                    tx.prepare_cached(
                        "INSERT INTO documents (kind, key, body) VALUES (?1, ?2, ?3)
                         ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
                    )?
                    .execute(params![kind, key, body])?;
                }
            }
            Ok(())
        })
    }

    fn documents(&self, kind: &str) -> Result<Vec<Document>, StoreError> {
        self.read("read documents", |conn| {
            let mut statement =
                conn.prepare_cached("SELECT kind, key, body FROM documents WHERE kind = ?1 ORDER BY key")?;
            let documents =
                statement.query_map([kind], |r| Ok(Document { kind: r.get(0)?, key: r.get(1)?, body: r.get(2)? }))?;
            documents.collect()
        })
    }
}

/// Batches, page by page; see [`Ledger::replay_since`]. It ends after an error.
pub struct Replay<'a> {
    ledger: &'a Ledger,
    after: i64,
    page: std::vec::IntoIter<StoredBatch>,
    ended: bool,
}

impl Iterator for Replay<'_> {
    type Item = Result<StoredBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0 && !self.ended {
            match self.ledger.batches_after(self.after, PAGE_BATCHES_MAX) {
                Ok(page) => {
                    self.ended = page.is_empty();
                    self.page = page.into_iter();
                }
                Err(e) => {
                    self.ended = true;
                    return Some(Err(e));
                }
            }
        }
        let stored = self.page.next()?;
        self.after = stored.row;
        Some(Ok(stored))
    }
}

#[cfg(test)]
mod tests;
