//! Rolls stored batches up, in the background: a bounded part at a time, from where the ledger says that it stopped.
//!
//! Batches are taken in the order in which they were stored, so that late ones come like any other and amend the
//! buckets that they belong to (see [`crate::store::rollup`]).

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::watch;

use crate::model::UnixMillis;
use crate::model::network::Network;
use crate::runtime::clock::SharedClock;
use crate::runtime::health::PartHealth;
use crate::runtime::tasks::Shutdown;
use crate::store::StoreError;
use crate::store::ledger::{Ledger, PAGE_BATCHES_MAX, StoredBatch};
use crate::store::rollup::gather::{Cursor, Gatherer};
use crate::wire;
use crate::wire::batch::{Encoding, unpack};

/// Most pages of batches of one part.
const PAGES_MAX: usize = 16;
/// No further page once so many buckets are touched: what a part holds in memory, and what it writes at once.
const BUCKETS_MAX: usize = 60_000;
/// Between two parts while there is more to do: others get their turn.
const BREATH: Duration = Duration::from_millis(250);
/// After a failure.
const AGAIN: Duration = Duration::from_secs(30);
/// Parts between two prunings.
const PRUNE_EVERY: u32 = 64;

/// The task.
pub struct Roller {
    pub ledger: Arc<Ledger>,
    pub network: Arc<Network>,
    pub poll_interval: Duration,
    pub clock: SharedClock,
    pub health: watch::Sender<PartHealth>,
}

/// What one part did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rolled {
    pub batches: u64,
    /// Batches that could not be read, and series that there was no room for.
    pub failed: u64,
    /// There is more to do.
    pub more: bool,
}

impl Roller {
    /// Runs until the process stops.
    pub async fn run(self, mut stop: Shutdown) -> anyhow::Result<()> {
        // Each time rewrites a chunk of every series: five polls at once write a fifth.
        let every = (self.poll_interval * 5).clamp(Duration::from_secs(5), Duration::from_mins(5));
        let zone = TimeZone::get(&self.network.time_zone).unwrap_or(TimeZone::UTC);
        let mut parts = 0u32;
        loop {
            let now = self.clock.now();
            let (ledger, network, zone_, interval) =
                (self.ledger.clone(), self.network.clone(), zone.clone(), self.poll_interval);
            let prune = parts.is_multiple_of(PRUNE_EVERY);
            parts = parts.wrapping_add(1);
            let job = move || {
                if prune {
                    ledger.prune_rollups(&zone_, now)?;
                }
                roll(&ledger, &network, &zone_, interval, now)
            };
            let done = tokio::task::spawn_blocking(job).await?;
            let pause = match &done {
                Ok(rolled) if rolled.more => BREATH,
                Ok(_) => every,
                Err(_) => AGAIN,
            };
            self.tell(done);
            tokio::select! {
                () = stop.wait() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn tell(&self, done: Result<Rolled, StoreError>) {
        self.health.send_modify(|health| match done {
            Ok(rolled) => {
                health.ok = true;
                health.detail = None;
                health.waiting = u64::from(rolled.more);
                health.done_total += rolled.batches;
                health.failed_total += rolled.failed;
            }
            Err(error) => {
                let reason = format!("{:#}", anyhow::Error::from(error));
                if health.ok {
                    tracing::error!(reason, "history is not rolled up; trying again every {} s", AGAIN.as_secs());
                }
                health.ok = false;
                health.detail = Some(reason);
            }
        });
    }
}

/// Rolls up what comes next.
pub fn roll(
    ledger: &Ledger,
    network: &Network,
    zone: &TimeZone,
    poll_interval: Duration,
    now: UnixMillis,
) -> Result<Rolled, StoreError> {
    let mut cursor = ledger.rollup_cursor()?;
    let before = cursor;
    let mut gatherer = Gatherer::new(network, zone, poll_interval, now);
    let mut rolled = Rolled::default();
    for page in 1..=PAGES_MAX {
        let batches = ledger.batches_after(cursor.row, PAGE_BATCHES_MAX)?;
        let Some(last) = batches.last() else { break };
        let row = last.row;
        for stored in &batches {
            rolled.batches += 1;
            rolled.failed += u64::from(add(&mut gatherer, stored, &mut cursor).is_none());
        }
        cursor.row = row;
        rolled.more = page == PAGES_MAX || gatherer.buckets > BUCKETS_MAX;
        if rolled.more {
            break;
        }
    }
    if cursor != before {
        let merged = ledger.merge_rollups(&gatherer.sums, &cursor)?;
        rolled.failed += (merged.left_out + merged.damaged) as u64;
        if merged.left_out + merged.damaged > 0 {
            let (left_out, damaged) = (merged.left_out, merged.damaged);
            tracing::warn!(left_out, damaged, "series without room for their history, or history that was damaged");
        }
    }
    Ok(rolled)
}

/// Adds one batch; `None`: it cannot be read.
fn add(gatherer: &mut Gatherer<'_>, stored: &StoredBatch, cursor: &mut Cursor) -> Option<()> {
    let payload = unpack(Encoding::Gzip, &stored.batch.packed, stored.batch.crc).ok()?;
    let text = std::str::from_utf8(&payload).ok()?;
    for line in text.lines().filter(|line| Gatherer::wants(line)) {
        for sample in wire::line::decode(line).0 {
            gatherer.take(&sample, stored.placed(sample.at), cursor);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
