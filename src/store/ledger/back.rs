//! Looking back at what one agent sent, the newest first: for charts.

use rusqlite::{Connection, Result, params};

use super::super::StoreError;
use super::{Ledger, PAGE_BATCHES_MAX, StoredBatch, rows};
use crate::model::UnixMillis;

impl Ledger {
    /// Hands over the batches of an agent that were received since an instant, the newest first, until `each` says
    /// that it has enough. Reads page by page, so that nobody else waits for it.
    pub fn look_back(
        &self,
        agent: &str,
        since: UnixMillis,
        mut each: impl FnMut(&StoredBatch) -> bool,
    ) -> Result<(), StoreError> {
        let epochs = self.read("find an agent's epochs", |conn| epochs(conn, agent, since))?;
        for epoch in epochs {
            let mut before = i64::MAX;
            'pages: loop {
                let page = self.read("look back at batches", |conn| page(conn, epoch, before))?;
                let Some((last, _)) = page.last() else { break };
                before = *last;
                for (_, stored) in &page {
                    if stored.batch.received_at < since {
                        break 'pages;
                    }
                    if !each(stored) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }
}

fn epochs(conn: &Connection, agent: &str, since: UnixMillis) -> Result<Vec<i64>> {
    let mut statement = conn.prepare_cached(
        "SELECT id FROM epochs WHERE agent = ?1 AND last_received_at >= ?2 ORDER BY last_received_at DESC",
    )?;
    statement.query_map(params![agent, since.0], |row| row.get(0))?.collect()
}

/// A quarter of a page of the sinks: a chart is in no hurry.
const PAGE: usize = PAGE_BATCHES_MAX / 4;

/// By sequence number, for which there is an index; what wrapped around is not looked for.
fn page(conn: &Connection, epoch: i64, before: i64) -> Result<Vec<(i64, StoredBatch)>> {
    let mut statement = conn.prepare_cached(
        "SELECT b.row, e.agent, e.epoch, b.seq, b.crc, b.received_at, b.sent_at, b.n_samples, b.packed,
            b.taken_at, b.shift_ms
         FROM batches b JOIN epochs e ON e.id = b.epoch_id
         WHERE b.epoch_id = ?1 AND b.seq < ?2 ORDER BY b.seq DESC LIMIT ?3",
    )?;
    let rows =
        statement.query_map(params![epoch, before, PAGE as i64], |row| Ok((row.get(3)?, rows::stored_batch(row)?)))?;
    rows.collect()
}
