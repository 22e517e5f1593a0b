//! The ledger's statements. Each works inside the transaction of its caller.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::super::{BatchOrigin, EPOCHS_MAX, IncomingBatch, StoreOutcome};
use super::place::{self, Place};
use super::proof::{self, Calendar};
use super::{OWN_AGENT, StoredBatch};
use crate::model::{SiteId, UnixMillis};

/// Stores one batch, unless its sequence number is stored, and what it proves.
pub fn store_batch(conn: &Connection, calendar: &Calendar, batch: &IncomingBatch) -> Result<StoreOutcome> {
    let epoch_id = epoch_id(conn, batch)?;
    let agent = batch.agent.as_str();
    if agent == OWN_AGENT {
        return insert(conn, batch, epoch_id, &Place::At { taken_at: batch.sent_at, shift_ms: 0 }).map(|(o, _)| o);
    }
    let place = place::of(conn, batch)?;
    let (outcome, row) = insert(conn, batch, epoch_id, &place)?;
    match (outcome, place) {
        (StoreOutcome::Stored, place) => {
            proof::found(conn, agent, epoch_id, batch.seq, batch.received_at)?;
            match place {
                Place::At { taken_at, .. } => {
                    proof::stored(conn, calendar, agent, taken_at, batch.received_at, batch.n_samples)?;
                }
                Place::Held { .. } => place::hold(conn, row, batch)?,
            }
        }
        (StoreOutcome::Duplicate, _) => proof::duplicate(conn, calendar, agent, batch.received_at)?,
        // Another agent's word under this name proves nothing.
        (StoreOutcome::Conflict, _) => return Ok(outcome),
    }
    proof::first_held(conn, calendar, (agent, epoch_id, batch.origin.first), batch.received_at)?;
    Ok(outcome)
}

/// What became of it, and its row where it was stored.
fn insert(conn: &Connection, batch: &IncomingBatch, epoch_id: i64, place: &Place) -> Result<(StoreOutcome, i64)> {
    let seq = batch.seq as i64;
    let below = range_below(conn, epoch_id, seq)?;
    if below.is_some_and(|(_, last)| seq <= last) {
        // The batch itself may be gone by now: then there is nothing to compare with, and the number says enough.
        let crc: Option<u32> = conn
            .prepare_cached("SELECT crc FROM batches WHERE epoch_id = ?1 AND seq = ?2")?
            .query_row(params![epoch_id, seq], |r| r.get(0))
            .optional()?;
        let same = crc.is_none_or(|crc| crc == batch.crc);
        return Ok((if same { StoreOutcome::Duplicate } else { StoreOutcome::Conflict }, 0));
    }
    let (taken_at, shift_ms) = match *place {
        Place::At { taken_at, shift_ms } => (taken_at, shift_ms),
        Place::Held { taken_at } => (taken_at, 0),
    };
    conn.prepare_cached(
        "INSERT INTO batches (epoch_id, seq, crc, received_at, sent_at, n_samples, packed, taken_at, shift_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        epoch_id,
        seq,
        batch.crc,
        batch.received_at.0,
        batch.sent_at.0,
        batch.n_samples,
        batch.packed,
        taken_at.0,
        shift_ms
    ])?;
    let row = conn.last_insert_rowid();
    extend_ranges(conn, epoch_id, seq, below)?;
    add_totals(conn, 1, i64::from(batch.n_samples), batch.packed.len() as i64)?;
    Ok((StoreOutcome::Stored, row))
}

fn epoch_id(conn: &Connection, batch: &IncomingBatch) -> Result<i64> {
    conn.prepare_cached(
        "INSERT INTO epochs (agent, epoch, last_received_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (agent, epoch) DO UPDATE SET last_received_at = max(last_received_at, excluded.last_received_at)
         RETURNING id",
    )?
    .query_row(params![batch.agent.as_str(), batch.epoch as i64, batch.received_at.0], |r| r.get(0))
}

/// The last range that starts at `seq` or before it.
fn range_below(conn: &Connection, epoch_id: i64, seq: i64) -> Result<Option<(i64, i64)>> {
    conn.prepare_cached(
        "SELECT first, last FROM ranges WHERE epoch_id = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1",
    )?
    .query_row(params![epoch_id, seq], |r| Ok((r.get(0)?, r.get(1)?)))
    .optional()
}

/// Adds a number that is in no range; joins it with its neighbours.
fn extend_ranges(conn: &Connection, epoch_id: i64, seq: i64, below: Option<(i64, i64)>) -> Result<()> {
    // As signed numbers -1 and 0 are neighbours; they stand for the largest and the smallest.
    let joins = |(_, last): &(i64, i64)| seq != 0 && last.checked_add(1) == Some(seq);
    let first = below.filter(joins).map_or(seq, |(first, _)| first);
    let last = match seq.checked_add(1).filter(|next| *next != 0) {
        None => seq,
        Some(next) => conn
            .prepare_cached("DELETE FROM ranges WHERE epoch_id = ?1 AND first = ?2 RETURNING last")?
            .query_row(params![epoch_id, next], |r| r.get(0))
            .optional()?
            .unwrap_or(seq),
    };
    conn.prepare_cached(
        "INSERT INTO ranges (epoch_id, first, last) VALUES (?1, ?2, ?3)
         ON CONFLICT (epoch_id, first) DO UPDATE SET last = excluded.last",
    )?
    .execute(params![epoch_id, first, last])?;
    Ok(())
}

fn add_totals(conn: &Connection, batches: i64, samples: i64, bytes: i64) -> Result<()> {
    conn.prepare_cached(
        "UPDATE totals SET batches = batches + ?1, samples = samples + ?2, packed_bytes = packed_bytes + ?3",
    )?
    .execute([batches, samples, bytes])?;
    Ok(())
}

/// The last row number given, whether its batch is still there or not; 0 for none. A sink is never ahead of it.
pub fn newest_row(conn: &Connection) -> Result<i64> {
    let row = conn
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'batches'")?
        .query_row([], |r| r.get(0))
        .optional()?;
    Ok(row.unwrap_or(0))
}

/// The largest sequence number of an epoch; 0 for none.
pub fn last_seq(conn: &Connection, agent: &SiteId, epoch: u64) -> Result<u64> {
    let last: Option<i64> = conn
        .prepare_cached(
            "SELECT max(r.last) FROM ranges r JOIN epochs e ON e.id = r.epoch_id WHERE e.agent = ?1 AND e.epoch = ?2",
        )?
        .query_row(params![agent.as_str(), epoch as i64], |r| r.get(0))?;
    Ok(last.unwrap_or(0) as u64)
}

/// Of each agent's newest epochs, the newest last, the ranges: agent, epoch, first, last; in order.
pub fn newest_ranges(conn: &Connection, mut each: impl FnMut(&str, u64, (u64, u64))) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT e.agent, e.epoch, r.first, r.last FROM epochs e JOIN ranges r ON r.epoch_id = e.id
         WHERE e.id IN (SELECT n.id FROM epochs n WHERE n.agent = e.agent ORDER BY n.id DESC LIMIT ?1)
         ORDER BY e.agent, e.id, r.first",
    )?;
    let mut rows = statement.query([EPOCHS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let agent: String = row.get(0)?;
        let number = |column| row.get::<_, i64>(column).map(|n| n as u64);
        each(&agent, number(1)?, (number(2)?, number(3)?));
    }
    Ok(())
}

/// Batches after a row, at most `limit` and, but for the first, at most `bytes_max` in all.
pub fn batches_after(conn: &Connection, row: i64, limit: usize, bytes_max: usize) -> Result<Vec<StoredBatch>> {
    let mut statement = conn.prepare_cached(
        "SELECT b.row, e.agent, e.epoch, b.seq, b.crc, b.received_at, b.sent_at, b.n_samples, b.packed,
            b.taken_at, b.shift_ms
         FROM batches b JOIN epochs e ON e.id = b.epoch_id
         WHERE b.row > ?1 AND NOT EXISTS (SELECT 1 FROM held h WHERE h.row = b.row) ORDER BY b.row LIMIT ?2",
    )?;
    let mut rows = statement.query(params![row, limit as i64])?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let stored = stored_batch(row)?;
        bytes += stored.batch.packed.len();
        if bytes > bytes_max && !page.is_empty() {
            break;
        }
        page.push(stored);
    }
    Ok(page)
}

pub(super) fn stored_batch(row: &Row<'_>) -> Result<StoredBatch> {
    let agent: String = row.get(1)?;
    let agent = SiteId::parse(&agent)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, e.into()))?;
    Ok(StoredBatch {
        row: row.get(0)?,
        batch: IncomingBatch {
            agent,
            epoch: row.get::<_, i64>(2)? as u64,
            seq: row.get::<_, i64>(3)? as u64,
            crc: row.get(4)?,
            received_at: UnixMillis(row.get(5)?),
            sent_at: UnixMillis(row.get(6)?),
            n_samples: row.get(7)?,
            packed: row.get(8)?,
            origin: BatchOrigin::default(),
        },
        taken_at: row.get::<_, Option<i64>>(9)?.map(UnixMillis),
        shift_ms: row.get(10)?,
    })
}

/// Removes the oldest batches received before an instant, at most `limit`; says how many.
pub fn prune_batches(conn: &Connection, before: UnixMillis, limit: usize) -> Result<u64> {
    let mut statement = conn.prepare_cached(
        "DELETE FROM batches WHERE row IN
            (SELECT row FROM batches WHERE received_at < ?1 ORDER BY received_at LIMIT ?2)
         RETURNING n_samples, length(packed)",
    )?;
    let (mut batches, mut samples, mut bytes) = (0, 0, 0);
    let mut rows = statement.query(params![before.0, limit as i64])?;
    while let Some(row) = rows.next()? {
        batches += 1;
        samples += row.get::<_, i64>(0)?;
        bytes += row.get::<_, i64>(1)?;
    }
    add_totals(conn, -batches, -samples, -bytes)?;
    Ok(batches as u64)
}

/// Forgets epochs that are not their agent's newest and were last heard before an instant, and of every other epoch
/// the lowest ranges above `ranges_max`.
pub fn prune_ranges(conn: &Connection, before: UnixMillis, ranges_max: usize) -> Result<()> {
    conn.execute(
        "DELETE FROM epochs WHERE last_received_at < ?1
            AND id < (SELECT max(n.id) FROM epochs n WHERE n.agent = epochs.agent)
            AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.epoch_id = epochs.id)",
        [before.0],
    )?;
    conn.execute("DELETE FROM ranges WHERE epoch_id NOT IN (SELECT id FROM epochs)", [])?;
    conn.execute(
        "DELETE FROM ranges WHERE (epoch_id, first) IN (SELECT epoch_id, first FROM
            (SELECT epoch_id, first, row_number() OVER (PARTITION BY epoch_id ORDER BY first DESC) AS place FROM ranges)
            WHERE place > ?1)",
        [ranges_max as i64],
    )?;
    Ok(())
}

/// Keeps a message, and drops the oldest ones beyond `count_max` messages or `bytes_max` bytes.
pub fn set_aside(
    conn: &Connection,
    (at, agent, reason, payload): (UnixMillis, &str, &str, &[u8]),
    count_max: usize,
    bytes_max: usize,
) -> Result<()> {
    conn.prepare_cached("INSERT INTO set_aside (at, agent, reason, payload) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![at.0, agent, reason, payload])?;
    conn.prepare_cached("UPDATE totals SET set_aside = set_aside + 1")?.execute([])?;
    conn.prepare_cached(
        "DELETE FROM set_aside WHERE row IN (SELECT row FROM
            (SELECT row, row_number() OVER newest_first AS place,
                sum(length(payload)) OVER newest_first AS bytes
             FROM set_aside WINDOW newest_first AS (ORDER BY row DESC))
            WHERE place > ?1 OR bytes > ?2)",
    )?
    .execute(params![count_max as i64, bytes_max as i64])?;
    Ok(())
}
