//! Batches that were made before their agent knew the time.
//!
//! An agent without a battery-backed clock begins in 1970 and says `clock = unset`. Its batches are durable and
//! acknowledged like any other, but held: no sink and no chart sees them until something of the same run of the agent
//! (`boot`) tells what its monotonic clock means. That is the first of: the first send of a live batch (it arrived just
//! after it was made, by the hub's clock), or a batch of the same run made when its clock was set. Then every held
//! batch of that run gets its shift, and a new row, so that the sinks find it.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::super::IncomingBatch;
use super::proof::{self, Calendar};
use crate::model::UnixMillis;
use crate::wire::batch::{CLOCK_FLOOR, ClockQuality};

/// Runs remembered of one agent: its backlog may come from some restarts ago.
const BOOTS_MAX: i64 = 64;
/// Held batches placed in one transaction: storing waits for no longer than that.
pub const PLACED_AT_ONCE: usize = 500;

/// When a batch was made.
pub enum Place {
    At {
        taken_at: UnixMillis,
        shift_ms: i64,
    },
    /// By a clock that was never set, in a run of which nothing is known yet.
    Held {
        taken_at: UnixMillis,
    },
}

/// Finds a batch's place, and learns from it what its agent's monotonic clock means.
pub fn of(conn: &Connection, batch: &IncomingBatch) -> Result<Place> {
    let origin = &batch.origin;
    let Some(made_at) = origin.made_at else {
        return Ok(Place::At { taken_at: batch.sent_at.min(batch.received_at), shift_ms: 0 });
    };
    learn(conn, batch, made_at)?;
    if origin.clock != ClockQuality::Unset && made_at >= CLOCK_FLOOR {
        return Ok(Place::At { taken_at: made_at, shift_ms: 0 });
    }
    let offset: Option<i64> = conn
        .prepare_cached("SELECT offset_ms FROM boots WHERE agent = ?1 AND boot = ?2")?
        .query_row(params![batch.agent.as_str(), origin.boot as i64], |r| r.get(0))
        .optional()?;
    Ok(match offset {
        None => Place::Held { taken_at: made_at },
        Some(offset) => {
            let taken_at = placed(origin.mono_ms.0, offset, batch.received_at);
            Place::At { taken_at, shift_ms: taken_at.0.saturating_sub(made_at.0) }
        }
    })
}

/// No batch was made after it arrived.
fn placed(mono_ms: u64, offset_ms: i64, received_at: UnixMillis) -> UnixMillis {
    let mono = i64::try_from(mono_ms).unwrap_or(i64::MAX);
    UnixMillis(offset_ms.saturating_add(mono)).clamp(CLOCK_FLOOR.min(received_at), received_at)
}

/// The first word on a run stays: all its batches are placed by the same.
fn learn(conn: &Connection, batch: &IncomingBatch, made_at: UnixMillis) -> Result<()> {
    let origin = &batch.origin;
    let right_now = if origin.fresh {
        batch.received_at
    } else if origin.clock != ClockQuality::Unset && made_at >= CLOCK_FLOOR && made_at <= batch.received_at {
        made_at
    } else {
        return Ok(());
    };
    let offset = right_now.0.saturating_sub(i64::try_from(origin.mono_ms.0).unwrap_or(i64::MAX));
    let agent = batch.agent.as_str();
    let new = conn
        .prepare_cached(
            "INSERT INTO boots (agent, boot, offset_ms) VALUES (?1, ?2, ?3) ON CONFLICT (agent, boot) DO NOTHING",
        )?
        .execute(params![agent, origin.boot as i64, offset])?;
    if new > 0 {
        conn.prepare_cached(
            "DELETE FROM boots WHERE agent = ?1 AND id <= (SELECT max(id) FROM boots WHERE agent = ?1) - ?2
                AND id NOT IN (SELECT id FROM boots WHERE agent = ?1 ORDER BY id DESC LIMIT ?2)",
        )?
        .execute(params![agent, BOOTS_MAX])?;
    }
    Ok(())
}

/// Marks the batch of a row as held.
pub fn hold(conn: &Connection, row: i64, batch: &IncomingBatch) -> Result<()> {
    conn.prepare_cached("INSERT INTO held (row, agent, boot, mono_ms) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        row,
        batch.agent.as_str(),
        batch.origin.boot as i64,
        i64::try_from(batch.origin.mono_ms.0).unwrap_or(i64::MAX)
    ])?;
    Ok(())
}

struct Held {
    row: i64,
    agent: String,
    mono_ms: i64,
    offset_ms: i64,
    made_at: i64,
    received_at: UnixMillis,
    n_samples: u32,
}

/// Places batches whose run has become known, at most [`PLACED_AT_ONCE`]; says how many.
pub fn release(conn: &Connection, calendar: &Calendar) -> Result<usize> {
    let mut statement = conn.prepare_cached(
        "SELECT h.row, h.agent, h.mono_ms, o.offset_ms, b.taken_at, b.received_at, b.n_samples
         FROM held h JOIN boots o ON o.agent = h.agent AND o.boot = h.boot JOIN batches b ON b.row = h.row
         ORDER BY h.row LIMIT ?1",
    )?;
    let read = |r: &rusqlite::Row<'_>| {
        Ok(Held {
            row: r.get(0)?,
            agent: r.get(1)?,
            mono_ms: r.get(2)?,
            offset_ms: r.get(3)?,
            made_at: r.get(4)?,
            received_at: UnixMillis(r.get(5)?),
            n_samples: r.get(6)?,
        })
    };
    let known: Vec<Held> = statement.query_map([PLACED_AT_ONCE as i64], read)?.collect::<Result<_>>()?;
    for held in &known {
        let taken_at = placed(held.mono_ms.max(0) as u64, held.offset_ms, held.received_at);
        let shift_ms = taken_at.0.saturating_sub(held.made_at);
        conn.prepare_cached("DELETE FROM held WHERE row = ?1")?.execute([held.row])?;
        // Under a number above all others: the sinks have passed its old one. The key must be free before that.
        conn.prepare_cached("CREATE TEMP TABLE IF NOT EXISTS moving AS SELECT * FROM batches WHERE 0")?.execute([])?;
        conn.prepare_cached("INSERT INTO moving SELECT * FROM batches WHERE row = ?1")?.execute([held.row])?;
        conn.prepare_cached("DELETE FROM batches WHERE row = ?1")?.execute([held.row])?;
        conn.prepare_cached(
            "INSERT INTO batches (epoch_id, seq, crc, received_at, sent_at, n_samples, packed, taken_at, shift_ms)
             SELECT epoch_id, seq, crc, received_at, sent_at, n_samples, packed, ?1, ?2 FROM moving",
        )?
        .execute([taken_at.0, shift_ms])?;
        conn.prepare_cached("DELETE FROM moving")?.execute([])?;
        proof::stored(conn, calendar, &held.agent, taken_at, held.received_at, held.n_samples)?;
    }
    Ok(known.len())
}
