//! The ledger's file: how it is opened, and its tables.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use uuid::Uuid;

use super::super::StoreError;
use super::incarnation::{self, Incarnation};

/// Format of the tables below (`user_version`).
pub const FORMAT: i64 = 3;
/// `application_id`: "VEDL". It tells a ledger from another program's SQLite file.
const APPLICATION_ID: i64 = 0x5645_444c;
/// How long one connection waits for the other to finish.
const BUSY: Duration = Duration::from_secs(10);
/// The write-ahead log is cut back to this after a checkpoint, bytes.
const WAL_BYTES: i64 = 64 * 1024 * 1024;

/// Of a new file. A batch of 20 radios packs to some 2.1 KB: of 4 KiB pages each would fill one by half.
const PAGE_BYTES: i64 = 8192;

/// `epochs` gives every (agent, epoch) a small number, in order of first appearance. `ranges` says which sequence
/// numbers were ever stored, adjacent ones merged: it stays when old `batches` go. 64-bit unsigned numbers are kept as
/// the signed numbers with the same bits.
pub(super) const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE epochs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    last_received_at INTEGER NOT NULL,
    UNIQUE (agent, epoch)
);
CREATE TABLE ranges (
    epoch_id INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (epoch_id, first)
) WITHOUT ROWID;
CREATE TABLE batches (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    n_samples INTEGER NOT NULL,
    packed BLOB NOT NULL,
    UNIQUE (epoch_id, seq)
);
CREATE INDEX batches_received_at ON batches (received_at);
CREATE TABLE totals (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    batches INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    packed_bytes INTEGER NOT NULL,
    set_aside INTEGER NOT NULL
);
INSERT INTO totals VALUES (1, 0, 0, 0, 0);
CREATE TABLE documents (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE sinks (name TEXT PRIMARY KEY, last_row INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE set_aside (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    agent TEXT NOT NULL,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL
);
";

/// What format 2 adds: when batches were made and what must be added to times before that was known, batches that wait
/// for it, what agents still hold, what is lost, and a record of each day.
const FROM_1_TO_2: &str = "
ALTER TABLE batches ADD COLUMN taken_at INTEGER;
ALTER TABLE batches ADD COLUMN shift_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE epochs ADD COLUMN first INTEGER NOT NULL DEFAULT 1;
CREATE TABLE held (
    row INTEGER PRIMARY KEY,
    agent TEXT NOT NULL,
    boot INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL
);
CREATE INDEX held_boot ON held (agent, boot);
CREATE TABLE boots (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent TEXT NOT NULL,
    boot INTEGER NOT NULL,
    offset_ms INTEGER NOT NULL,
    UNIQUE (agent, boot)
);
CREATE TABLE losses (
    agent TEXT NOT NULL,
    epoch_id INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    found_at INTEGER NOT NULL,
    day TEXT NOT NULL,
    PRIMARY KEY (agent, epoch_id, first)
) WITHOUT ROWID;
CREATE TABLE delivery_days (
    agent TEXT NOT NULL,
    day TEXT NOT NULL,
    batches INTEGER NOT NULL DEFAULT 0,
    samples INTEGER NOT NULL DEFAULT 0,
    late_samples INTEGER NOT NULL DEFAULT 0,
    amended_at INTEGER,
    duplicates INTEGER NOT NULL DEFAULT 0,
    lost_batches INTEGER NOT NULL DEFAULT 0,
    set_aside INTEGER NOT NULL DEFAULT 0,
    lag_secs_worst INTEGER,
    clock_error_ms_min INTEGER,
    clock_error_ms_max INTEGER,
    silent_secs INTEGER NOT NULL DEFAULT 0,
    watched_secs INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (agent, day)
) WITHOUT ROWID;
";

/// What format 3 adds: rollups (`store::rollup`), chunks of one time lying together. They begin with the batches that
/// are there.
const FROM_2_TO_3: &str = "
CREATE TABLE rollup_series (
    id INTEGER PRIMARY KEY,
    field INTEGER NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (field, name)
);
CREATE TABLE rollups (
    step INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    series INTEGER NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (step, chunk, series)
) WITHOUT ROWID;
CREATE TABLE rollup_cursor (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    last_row INTEGER NOT NULL,
    own_at INTEGER NOT NULL,
    own_before INTEGER NOT NULL
);
INSERT INTO rollup_cursor VALUES (1, 0, 0, 0);
";

/// An opened ledger file.
pub struct Opened {
    pub id: Uuid,
    pub writer: Connection,
    pub reader: Connection,
    pub incarnation: Incarnation,
    /// Held for as long as the ledger is open.
    pub lock: File,
}

/// Opens the file, and makes it where there is none.
pub fn open(path: &Path) -> Result<Opened, StoreError> {
    let failed = |source| StoreError::Open { path: path.to_owned(), source };
    let io = |e: std::io::Error| failed(e.into());
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(io)?;
    }
    let lock = take_lock(path).map_err(failed)?;
    let sql = |e: rusqlite::Error| failed(e.into());
    let mut writer = Connection::open(path).map_err(sql)?;
    writer.busy_timeout(BUSY).map_err(sql)?;
    // Looked at before anything is written: a newer format must stay as it is.
    let found: i64 = writer.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(sql)?;
    if found > FORMAT {
        return Err(StoreError::Format { path: path.to_owned(), found, wanted: FORMAT });
    }
    if found == 0 {
        refuse_foreign(&writer).map_err(failed)?;
    }
    let (id, incarnation) = prepare(path, &mut writer, found).map_err(failed)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags).map_err(sql)?;
    reader.busy_timeout(BUSY).map_err(sql)?;
    Ok(Opened { id, writer, reader, incarnation, lock })
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Two hubs on one ledger would each acknowledge what the other might undo.
fn take_lock(path: &Path) -> Result<File, AnyError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = File::options().create(true).append(true).open(PathBuf::from(name))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err("is in use by another vedetta".into()),
        Err(TryLockError::Error(e)) => Err(e.into()),
    }
}

fn refuse_foreign(conn: &Connection) -> Result<(), AnyError> {
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    if tables > 0 { Err("is another program's database".into()) } else { Ok(()) }
}

fn prepare(path: &Path, conn: &mut Connection, found: i64) -> Result<(Uuid, Incarnation), AnyError> {
    let new = found == 0;
    if new {
        conn.pragma_update(None, "page_size", PAGE_BYTES)?;
    }
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "wal", |r| r.get(0))?;
    if mode != "wal" {
        return Err(format!("cannot keep a write-ahead log (journal mode {mode})").into());
    }
    // FULL: every commit waits for the disk. NORMAL could lose the last commits when the power fails, and those have
    // been acknowledged.
    conn.pragma_update(None, "synchronous", "full")?;
    let _: i64 = conn.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES, |r| r.get(0))?;
    if found < FORMAT {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if new {
            tx.execute_batch(TABLES)?;
            tx.execute("INSERT INTO meta VALUES ('ledger', ?1)", [Uuid::new_v4().to_string()])?;
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        } else {
            refuse_other(&tx)?;
        }
        if found < 2 {
            tx.execute_batch(FROM_1_TO_2)?;
        }
        tx.execute_batch(FROM_2_TO_3)?;
        tx.pragma_update(None, "user_version", FORMAT)?;
        tx.commit()?;
    }
    refuse_other(conn)?;
    begin(path, conn, new)
}

fn refuse_other(conn: &Connection) -> Result<(), AnyError> {
    let application: i64 = conn.pragma_query_value(None, "application_id", |r| r.get(0))?;
    if application == APPLICATION_ID { Ok(()) } else { Err("is another program's database".into()) }
}

/// Begins another opening. A ledger that was put back from a copy gets a new id, so that agents send again what they
/// still hold: the copy may have forgotten what was acknowledged.
fn begin(path: &Path, conn: &mut Connection, new: bool) -> Result<(Uuid, Incarnation), AnyError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let meta =
        |key: &str| tx.query_row("SELECT value FROM meta WHERE key = ?1", [key], |r| r.get::<_, String>(0)).optional();
    let newest = super::rows::newest_row(&tx)?;
    let mut id = Uuid::parse_str(&meta("ledger")?.ok_or("has no id")?)?;
    let opening = Uuid::new_v4();
    if !new && let Some(why) = incarnation::judge(path, meta("opening")?.as_deref(), newest)? {
        id = Uuid::new_v4();
        tracing::warn!(why = why.as_str(), ledger = %id, "the ledger was put back: agents send again what they hold");
    }
    for (key, value) in [("ledger", id), ("opening", opening)] {
        tx.execute(
            "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [key, value.to_string().as_str()],
        )?;
    }
    tx.commit()?;
    Ok((id, Incarnation::begin(path, opening, newest)?))
}
