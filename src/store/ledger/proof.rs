//! What can be proved of each agent's deliveries: what is lost for good, what is missing now, and one record a day.
//!
//! All of it is written in the transaction that stores the batch, so that a repeat, a crash or a restart counts nothing
//! twice. A day is one of the network's time zone, 23 or 25 hours long where the clocks change. A batch belongs to the
//! day on which it was made; what arrives after that day was over amends its record, and the record says how much of it
//! came late and when the last of it did.

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, Result, params};
use serde::{Deserialize, Serialize};

use crate::model::{SiteId, UnixMillis};

/// Days kept: ten years, some 1.5 MB for each agent.
pub const DAYS_MAX: i64 = 3660;
/// Losses kept of one agent, as ranges; the sum of all stays in the daily records.
pub const LOSSES_MAX: i64 = 1000;
/// Ranges told of what is missing now.
pub const MISSING_TOLD: usize = 20;
/// A batch under way at midnight is no amendment, ms.
const LATE_AFTER_MS: i64 = 15 * 60_000;
/// No agent reaches this number; what is above it is a lie, and would not fit.
const SEQ_MAX: u64 = i64::MAX as u64;

/// Which day an instant is in.
pub struct Calendar(TimeZone);

impl Calendar {
    /// An IANA name; UTC where it is not known, which a checked inventory excludes.
    pub fn new(time_zone: &str) -> Self {
        Self(TimeZone::get(time_zone).unwrap_or(TimeZone::UTC))
    }

    /// `2026-11-24`.
    pub fn day(&self, at: UnixMillis) -> String {
        let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
        at.to_zoned(self.0.clone()).date().to_string()
    }
}

/// One agent on one day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeliveryDay {
    pub agent: String,
    /// `2026-11-24`, in the network's time zone.
    pub day: String,
    /// Made on that day and stored, whenever they arrived.
    pub batches: u64,
    pub samples: u64,
    /// Of these, samples that arrived after the day was over.
    pub late_samples: u64,
    /// When the record was last changed after the day was over; `None`: never.
    pub amended_at: Option<UnixMillis>,
    /// Batches that came again on that day. They changed nothing.
    pub duplicates: u64,
    /// Batches found on that day to be lost for good, less those that came after all.
    pub lost_batches: u64,
    /// Messages of the agent that were set aside for a person to look at.
    pub set_aside: u64,
    /// Largest age of the newest sample, as the hub saw it.
    pub lag_secs_worst: Option<u64>,
    /// Smallest and largest estimate of agent clock minus hub clock, ms.
    pub clock_error_ms_min: Option<i64>,
    pub clock_error_ms_max: Option<i64>,
    /// For how long the hub heard nothing of the agent, and for how long it listened at all.
    pub silent_secs: u64,
    pub watched_secs: u64,
}

/// Batches lost for good: the agent holds them no more, and they were never stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    pub agent: String,
    /// Sequence numbers, both included.
    pub first: u64,
    pub last: u64,
    pub found_at: UnixMillis,
}

impl Loss {
    pub fn batches(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

/// How an agent's newest epoch stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    pub agent: String,
    /// Batches that the agent still holds or that are under way, and that later ones have overtaken.
    pub missing_batches: u64,
    /// The lowest [`MISSING_TOLD`] ranges of them.
    pub missing: Vec<(u64, u64)>,
    /// Stored, but made before the agent knew the time, and not placed yet.
    pub held_batches: u64,
    /// Lost for good, as far as the ledger remembers.
    pub lost_batches: u64,
}

/// What the hub saw of an agent since the last time; spans are added, the rest widens what is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observation {
    pub lag_secs: Option<u64>,
    pub clock_error_ms: Option<(i64, i64)>,
    pub silent_secs: u64,
    pub watched_secs: u64,
}

fn day_row(conn: &Connection, agent: &str, day: &str) -> Result<()> {
    conn.prepare_cached("INSERT INTO delivery_days (agent, day) VALUES (?1, ?2) ON CONFLICT (agent, day) DO NOTHING")?
        .execute([agent, day])?;
    Ok(())
}

/// Counts a batch in the day on which it was made.
pub fn stored(
    conn: &Connection,
    calendar: &Calendar,
    agent: &str,
    taken_at: UnixMillis,
    received_at: UnixMillis,
    n_samples: u32,
) -> Result<()> {
    // A clock that is ahead makes no record of tomorrow.
    let day = calendar.day(taken_at.min(received_at));
    let late = day < calendar.day(UnixMillis(received_at.0.saturating_sub(LATE_AFTER_MS)));
    day_row(conn, agent, &day)?;
    conn.prepare_cached(
        "UPDATE delivery_days SET batches = batches + 1, samples = samples + ?3,
            late_samples = late_samples + CASE WHEN ?4 THEN ?3 ELSE 0 END,
            amended_at = CASE WHEN ?4 THEN ?5 ELSE amended_at END
         WHERE agent = ?1 AND day = ?2",
    )?
    .execute(params![agent, day, n_samples, late, received_at.0])?;
    Ok(())
}

/// Counts a repeat.
pub fn duplicate(conn: &Connection, calendar: &Calendar, agent: &str, received_at: UnixMillis) -> Result<()> {
    let day = calendar.day(received_at);
    day_row(conn, agent, &day)?;
    conn.prepare_cached("UPDATE delivery_days SET duplicates = duplicates + 1 WHERE agent = ?1 AND day = ?2")?
        .execute([agent, &day])?;
    Ok(())
}

/// Counts a message that was set aside, if it is of an agent that has ever delivered.
pub fn set_aside(conn: &Connection, calendar: &Calendar, agent: &str, at: UnixMillis) -> Result<()> {
    let known: bool = conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM epochs WHERE agent = ?1)")?
        .query_row([agent], |r| r.get(0))?;
    if known {
        let day = calendar.day(at);
        day_row(conn, agent, &day)?;
        conn.prepare_cached("UPDATE delivery_days SET set_aside = set_aside + 1 WHERE agent = ?1 AND day = ?2")?
            .execute([agent, &day])?;
    }
    Ok(())
}

/// Takes the agent's word for what it still holds: what is below and was never stored is lost. An epoch that another
/// one follows is over: its agent holds nothing of it any more.
pub fn first_held(
    conn: &Connection,
    calendar: &Calendar,
    (agent, epoch_id, first): (&str, i64, u64),
    at: UnixMillis,
) -> Result<()> {
    let over: Vec<(i64, i64, i64)> = conn
        .prepare_cached(
            "SELECT e.id, e.first, (SELECT max(last) FROM ranges r WHERE r.epoch_id = e.id AND r.first > 0) AS newest
             FROM epochs e WHERE e.agent = ?1 AND e.id < ?2 AND newest >= e.first",
        )?
        .query_map(params![agent, epoch_id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
        .collect::<Result<_>>()?;
    for (id, from, newest) in over {
        raise_first(conn, calendar, (agent, id), (from, newest.saturating_add(1)), at)?;
    }
    let known: i64 =
        conn.prepare_cached("SELECT first FROM epochs WHERE id = ?1")?.query_row([epoch_id], |r| r.get(0))?;
    match i64::try_from(first) {
        Ok(first) if first > known => raise_first(conn, calendar, (agent, epoch_id), (known, first), at),
        _ => Ok(()),
    }
}

/// Everything in `from..below` that is in no range is lost.
fn raise_first(
    conn: &Connection,
    calendar: &Calendar,
    (agent, epoch_id): (&str, i64),
    (from, below): (i64, i64),
    at: UnixMillis,
) -> Result<()> {
    conn.prepare_cached("UPDATE epochs SET first = ?2 WHERE id = ?1")?.execute([epoch_id, below])?;
    let ranges: Vec<(i64, i64)> = conn
        .prepare_cached(
            "SELECT first, last FROM ranges WHERE epoch_id = ?1 AND last >= ?2 AND first < ?3 ORDER BY first",
        )?
        .query_map([epoch_id, from, below], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_>>()?;
    let (mut next, mut lost) = (from, 0_i64);
    for (first, last) in ranges.into_iter().chain([(below, below)]) {
        if first > next {
            add_loss(conn, calendar, (agent, epoch_id), (next, first - 1), at)?;
            lost = lost.saturating_add(first - next);
        }
        next = next.max(last.saturating_add(1));
    }
    if lost > 0 {
        let day = calendar.day(at);
        day_row(conn, agent, &day)?;
        conn.prepare_cached(
            "UPDATE delivery_days SET lost_batches = min(lost_batches, ?4) + ?3 WHERE agent = ?1 AND day = ?2",
        )?
        .execute(params![agent, day, lost.min(i64::MAX / 4), i64::MAX / 4])?;
        conn.prepare_cached(
            "DELETE FROM losses WHERE agent = ?1 AND (epoch_id, first) NOT IN
                (SELECT epoch_id, first FROM losses WHERE agent = ?1 ORDER BY found_at DESC, first DESC LIMIT ?2)",
        )?
        .execute(params![agent, LOSSES_MAX])?;
    }
    Ok(())
}

fn add_loss(
    conn: &Connection,
    calendar: &Calendar,
    (agent, epoch_id): (&str, i64),
    (first, last): (i64, i64),
    at: UnixMillis,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO losses (agent, epoch_id, first, last, found_at, day) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![agent, epoch_id, first, last, at.0, calendar.day(at)])?;
    Ok(())
}

/// A batch was stored: if it counted as lost, it does no more. It was under way while its agent gave it up.
pub fn found(conn: &Connection, agent: &str, epoch_id: i64, seq: u64, at: UnixMillis) -> Result<()> {
    let Ok(seq) = i64::try_from(seq) else { return Ok(()) };
    let lost: Option<(i64, i64, i64, String)> = conn
        .prepare_cached(
            "SELECT first, last, found_at, day FROM losses WHERE agent = ?1 AND epoch_id = ?2 AND first <= ?3
             ORDER BY first DESC LIMIT 1",
        )?
        .query_row(params![agent, epoch_id, seq], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
        .optional()?;
    let Some((first, last, found_at, day)) = lost.filter(|(_, last, ..)| *last >= seq) else { return Ok(()) };
    conn.prepare_cached("DELETE FROM losses WHERE agent = ?1 AND epoch_id = ?2 AND first = ?3")?
        .execute(params![agent, epoch_id, first])?;
    for (a, b) in [(first, seq - 1), (seq.saturating_add(1), last)] {
        if a <= b {
            conn.prepare_cached(
                "INSERT OR REPLACE INTO losses (agent, epoch_id, first, last, found_at, day)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![agent, epoch_id, a, b, found_at, day])?;
        }
    }
    conn.prepare_cached(
        "UPDATE delivery_days SET lost_batches = max(lost_batches - 1, 0), amended_at = ?3
         WHERE agent = ?1 AND day = ?2",
    )?
    .execute(params![agent, day, at.0])?;
    Ok(())
}

/// Adds what the hub saw of an agent.
pub fn observe(conn: &Connection, day: &str, agent: &SiteId, seen: &Observation) -> Result<()> {
    let agent = agent.as_str();
    day_row(conn, agent, day)?;
    let (low, high) = seen.clock_error_ms.unzip();
    conn.prepare_cached(
        "UPDATE delivery_days SET
            lag_secs_worst = max(coalesce(lag_secs_worst, ?3), coalesce(?3, lag_secs_worst)),
            clock_error_ms_min = min(coalesce(clock_error_ms_min, ?4), coalesce(?4, clock_error_ms_min)),
            clock_error_ms_max = max(coalesce(clock_error_ms_max, ?5), coalesce(?5, clock_error_ms_max)),
            silent_secs = silent_secs + ?6, watched_secs = watched_secs + ?7
         WHERE agent = ?1 AND day = ?2",
    )?
    .execute(params![
        agent,
        day,
        seen.lag_secs.map(|s| s.min(SEQ_MAX) as i64),
        low,
        high,
        seen.silent_secs as i64,
        seen.watched_secs as i64
    ])?;
    Ok(())
}

/// The records of days from `since` on, by agent and day, the newest day first.
pub fn days(conn: &Connection, since: &str) -> Result<Vec<DeliveryDay>> {
    let mut statement = conn.prepare_cached(
        "SELECT agent, day, batches, samples, late_samples, amended_at, duplicates, lost_batches, set_aside,
            lag_secs_worst, clock_error_ms_min, clock_error_ms_max, silent_secs, watched_secs
         FROM delivery_days WHERE day >= ?1 ORDER BY agent, day DESC",
    )?;
    let days = statement.query_map([since], |r| {
        let count = |column| r.get::<_, i64>(column).map(|n| n.max(0) as u64);
        Ok(DeliveryDay {
            agent: r.get(0)?,
            day: r.get(1)?,
            batches: count(2)?,
            samples: count(3)?,
            late_samples: count(4)?,
            amended_at: r.get::<_, Option<i64>>(5)?.map(UnixMillis),
            duplicates: count(6)?,
            lost_batches: count(7)?,
            set_aside: count(8)?,
            lag_secs_worst: r.get::<_, Option<i64>>(9)?.map(|n| n.max(0) as u64),
            clock_error_ms_min: r.get(10)?,
            clock_error_ms_max: r.get(11)?,
            silent_secs: count(12)?,
            watched_secs: count(13)?,
        })
    })?;
    days.collect()
}

/// Each agent's newest losses, at most `limit` of each, the newest first.
pub fn losses(conn: &Connection, limit: usize) -> Result<Vec<Loss>> {
    let mut statement = conn.prepare_cached(
        "SELECT agent, first, last, found_at FROM
            (SELECT *, row_number() OVER (PARTITION BY agent ORDER BY found_at DESC, first DESC) AS place FROM losses)
         WHERE place <= ?1 ORDER BY agent, place",
    )?;
    let losses = statement.query_map([limit as i64], |r| {
        let number = |column| r.get::<_, i64>(column).map(|n| n.max(0) as u64);
        Ok(Loss { agent: r.get(0)?, first: number(1)?, last: number(2)?, found_at: UnixMillis(r.get(3)?) })
    })?;
    losses.collect()
}

/// How every agent's newest epoch stands.
pub fn standings(conn: &Connection) -> Result<Vec<Standing>> {
    let mut statement = conn.prepare_cached(
        "SELECT e.id, e.agent, e.first, (SELECT count(*) FROM held h WHERE h.agent = e.agent),
            (SELECT coalesce(sum(min(l.last - l.first, 1000000000) + 1), 0) FROM losses l WHERE l.agent = e.agent)
         FROM epochs e WHERE e.id = (SELECT max(n.id) FROM epochs n WHERE n.agent = e.agent) AND e.agent <> ?1
         ORDER BY e.agent",
    )?;
    let epochs: Vec<(i64, i64, Standing)> = statement
        .query_map([super::OWN_AGENT], |r| {
            let count = |column| r.get::<_, i64>(column).map(|n| n.max(0) as u64);
            let standing =
                Standing { agent: r.get(1)?, held_batches: count(3)?, lost_batches: count(4)?, ..Standing::default() };
            Ok((r.get(0)?, r.get(2)?, standing))
        })?
        .collect::<Result<_>>()?;
    let mut ranges = conn.prepare_cached(
        "SELECT first, last FROM ranges WHERE epoch_id = ?1 AND last >= ?2 AND first > 0 ORDER BY first",
    )?;
    let mut standings = Vec::with_capacity(epochs.len());
    for (id, first_held, mut standing) in epochs {
        let mut next = first_held;
        let mut rows = ranges.query([id, first_held])?;
        while let Some(row) = rows.next()? {
            let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
            if first > next {
                standing.missing_batches = standing.missing_batches.saturating_add((first - next) as u64);
                if standing.missing.len() < MISSING_TOLD {
                    standing.missing.push((next as u64, (first - 1) as u64));
                }
            }
            next = next.max(last.saturating_add(1));
        }
        standings.push(standing);
    }
    Ok(standings)
}

/// Forgets days older than [`DAYS_MAX`], and marks of held batches that are gone.
pub fn prune(conn: &Connection, calendar: &Calendar, now: UnixMillis) -> Result<()> {
    let oldest = calendar.day(UnixMillis(now.0.saturating_sub(DAYS_MAX * 86_400_000)));
    conn.prepare_cached("DELETE FROM delivery_days WHERE day < ?1")?.execute([oldest])?;
    conn.prepare_cached("DELETE FROM held WHERE NOT EXISTS (SELECT 1 FROM batches b WHERE b.row = held.row)")?
        .execute([])?;
    Ok(())
}
