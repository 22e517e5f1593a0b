//! Rollups in the ledger: see [`crate::store::rollup`]. A row of `rollups` is a chunk of buckets of one series; rows of
//! the same time lie together, for all series are written at once.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::{Ledger, StoreError};
use crate::model::UnixMillis;
use crate::store::rollup::codec::{self, Chunk};
use crate::store::rollup::gather::{Cursor, Series, Sums};
use crate::store::rollup::{Field, Figures, Step};

/// Series that are known at once: 4,000 links have so many. More are left out, and counted.
pub const SERIES_MAX: i64 = 50_000;
/// Chunks read in one turn: other readers wait for no longer than that.
const READ_AT_ONCE: usize = 512;

/// Series, step and number of a chunk.
type ChunkKey = (i64, Step, i64);

/// What became of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merged {
    pub chunks: usize,
    /// Series beyond [`SERIES_MAX`], left out.
    pub left_out: usize,
    /// Chunks that could not be read; they begin anew.
    pub damaged: usize,
}

impl Ledger {
    /// How far batches were added to the rollups.
    pub fn rollup_cursor(&self) -> std::result::Result<Cursor, StoreError> {
        self.read("read how far batches are rolled up", |conn| {
            let read = |r: &rusqlite::Row<'_>| Ok(Cursor { row: r.get(0)?, own_at: r.get(1)?, own_before: r.get(2)? });
            conn.query_row("SELECT last_row, own_at, own_before FROM rollup_cursor", [], read)
        })
    }

    /// Adds sums to what is there, and moves the cursor, in one transaction: each batch is added once, whenever the
    /// process ends. The chunks are put together before the transaction, which only writes them. For one caller alone.
    pub fn merge_rollups(
        &self,
        sums: &BTreeMap<Series, Sums>,
        cursor: &Cursor,
    ) -> std::result::Result<Merged, StoreError> {
        let (ids, left_out) = self.write("number series", |tx| number(tx, sums.keys()))?;
        let mut merged = Merged { left_out, ..Merged::default() };
        let mut chunks: BTreeMap<ChunkKey, Chunk> = BTreeMap::new();
        for (id, sums) in ids.iter().zip(sums.values()) {
            let Some(id) = *id else { continue };
            for ((step, bucket), figures) in sums {
                let (chunk, place) = place(*step, *bucket);
                chunks.entry((id, *step, chunk)).or_default().entry(place).or_default().add(figures);
            }
        }
        let packed = self.put_together(chunks, &mut merged)?;
        merged.chunks = packed.len();
        self.write("write rollups", |tx| {
            let mut put = tx.prepare_cached(
                "INSERT INTO rollups (step, chunk, series, packed) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (step, chunk, series) DO UPDATE SET packed = excluded.packed",
            )?;
            for ((series, step, chunk), packed) in &packed {
                put.execute(params![step.code(), chunk, series, packed])?;
            }
            tx.prepare_cached("UPDATE rollup_cursor SET last_row = ?1, own_at = ?2, own_before = ?3")?.execute([
                cursor.row,
                cursor.own_at,
                cursor.own_before,
            ])
        })?;
        Ok(merged)
    }

    /// The chunks with what the ledger has of them, packed, in the order of the table.
    fn put_together(
        &self,
        chunks: BTreeMap<ChunkKey, Chunk>,
        merged: &mut Merged,
    ) -> std::result::Result<Vec<(ChunkKey, Vec<u8>)>, StoreError> {
        let mut chunks: Vec<(ChunkKey, Chunk)> = chunks.into_iter().collect();
        chunks.sort_by_key(|((series, step, chunk), _)| (step.code(), *chunk, *series));
        let mut packed = Vec::with_capacity(chunks.len());
        for some in chunks.chunks_mut(READ_AT_ONCE) {
            let before = self.read("read rollups", |conn| {
                some.iter().map(|(key, _)| packed_chunk(conn, *key)).collect::<Result<Vec<_>>>()
            })?;
            for ((key, chunk), before) in some.iter_mut().zip(before) {
                match before.as_deref().map(codec::decode) {
                    None => {}
                    Some(None) => merged.damaged += 1,
                    Some(Some(before)) => before.iter().for_each(|(place, f)| chunk.entry(*place).or_default().add(f)),
                }
                packed.push((*key, codec::encode(chunk)));
            }
        }
        Ok(packed)
    }

    /// Buckets of a field of all series whose name begins so, from one number to another, both included.
    pub fn rolled(
        &self,
        field: Field,
        name: &str,
        step: Step,
        (first, last): (i64, i64),
    ) -> std::result::Result<BTreeMap<i64, Figures>, StoreError> {
        let (from, to) = (place(step, first).0, place(step, last).0);
        self.read("read rollups", |conn| {
            // A name ends in a stroke or is whole: no other begins with it. What follows a stroke is below "0".
            let mut series = conn.prepare_cached(
                "SELECT id FROM rollup_series WHERE field = ?1 AND (name = ?2
                    OR (substr(?2, -1) = '/' AND name > ?2 AND name < substr(?2, 1, length(?2) - 1) || '0'))",
            )?;
            let ids = series.query_map(params![field.code(), name], |r| r.get(0))?.collect::<Result<Vec<i64>>>()?;
            let mut buckets: BTreeMap<i64, Figures> = BTreeMap::new();
            for id in ids {
                for chunk in from..=to {
                    let packed = packed_chunk(conn, (id, step, chunk))?;
                    let Some(found) = packed.as_deref().and_then(codec::decode) else { continue };
                    for (place, figures) in found {
                        let bucket = chunk * step.chunk_buckets() + i64::from(place);
                        if (first..=last).contains(&bucket) {
                            buckets.entry(bucket).or_default().add(&figures);
                        }
                    }
                }
            }
            Ok(buckets)
        })
    }

    /// Bytes of the rollups of a step, 12 bytes a row for its key included.
    pub fn rollup_bytes(&self, step: Step) -> std::result::Result<u64, StoreError> {
        self.read("measure rollups", |conn| {
            let sum = "SELECT coalesce(sum(length(packed)), 0) + 12 * count(*) FROM rollups WHERE step = ?1";
            conn.query_row(sum, [step.code()], |r| r.get::<_, i64>(0)).map(|n| n.max(0) as u64)
        })
    }

    /// Removes chunks that are older than they are kept, a chunk's time of all series in one transaction.
    pub fn prune_rollups(&self, zone: &TimeZone, now: UnixMillis) -> std::result::Result<usize, StoreError> {
        let mut pruned = 0;
        for step in Step::ALL {
            let oldest = place(step, step.bucket(zone, now - step.kept())).0;
            loop {
                let some = self.write("prune rollups", |tx| {
                    tx.prepare_cached(
                        "DELETE FROM rollups WHERE step = ?1 AND chunk < ?2
                            AND chunk = (SELECT min(chunk) FROM rollups WHERE step = ?1)",
                    )?
                    .execute(params![step.code(), oldest])
                })?;
                pruned += some;
                if some == 0 {
                    break;
                }
            }
        }
        Ok(pruned)
    }
}

/// Chunk of a bucket, and its place there.
fn place(step: Step, bucket: i64) -> (i64, u16) {
    let of = step.chunk_buckets();
    (bucket.div_euclid(of), u16::try_from(bucket.rem_euclid(of)).unwrap_or(u16::MAX))
}

fn packed_chunk(conn: &Connection, (series, step, chunk): ChunkKey) -> Result<Option<Vec<u8>>> {
    conn.prepare_cached("SELECT packed FROM rollups WHERE step = ?1 AND chunk = ?2 AND series = ?3")?
        .query_row(params![step.code(), chunk, series], |r| r.get(0))
        .optional()
}

/// The numbers of series, in their order, new ones for those that have none; and how many there is no room for.
fn number<'a>(conn: &Connection, series: impl Iterator<Item = &'a Series>) -> Result<(Vec<Option<i64>>, usize)> {
    let mut room: Option<i64> = None;
    let (mut ids, mut left_out) = (Vec::new(), 0);
    for (field, name) in series {
        let known: Option<i64> = conn
            .prepare_cached("SELECT id FROM rollup_series WHERE field = ?1 AND name = ?2")?
            .query_row(params![field.code(), name], |r| r.get(0))
            .optional()?;
        if known.is_some() {
            ids.push(known);
            continue;
        }
        let left = match room {
            Some(left) => left,
            None => SERIES_MAX - conn.query_row("SELECT count(*) FROM rollup_series", [], |r| r.get::<_, i64>(0))?,
        };
        room = Some(left - 1);
        if left <= 0 {
            left_out += 1;
            ids.push(None);
            continue;
        }
        conn.prepare_cached("INSERT INTO rollup_series (field, name) VALUES (?1, ?2)")?
            .execute(params![field.code(), name])?;
        ids.push(Some(conn.last_insert_rowid()));
    }
    Ok((ids, left_out))
}
