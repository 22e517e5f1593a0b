//! The agent's durable queue: batches wait here until the hub says that they are on its disk.
//!
//! **Shape.** A directory with segments of about 1 MiB (`000000000007.seg`; the bytes are described in [`record`]), a
//! small state file, and a lock. Batches are only appended; a segment goes as a whole, once all its batches are
//! stored and newer ones of its kind take up their share of the room ([`STORED_SHARE`]): a hub that is restored from a
//! backup asks again for what it had since. Nothing is rewritten in place, for relays run on cheap flash: a batch costs its own bytes, a frame of 57, and
//! what the file system adds for one `fdatasync`; the state file is written once a minute at the most.
//!
//! **Durability.** [`Spool::append`] returns after one `fdatasync` for all the batches that it was given, and a batch
//! is offered for sending only after that. So a power cut loses what had not yet been appended, and nothing that was
//! ever sent: a sequence number is never used for two different batches. A torn tail is cut off; its number is not
//! used again, so that the hub reports it as lost. The state file may be a minute old: that costs repeats, which the
//! hub drops.
//!
//! **Bounds.** Bytes and age, as configured, and [`RECORDS_MAX`]. The oldest segment goes first, its batches are
//! counted, and [`Spool::first`] moves on, which is how the hub learns of the loss. Age counts only between two
//! moments at which the clock was set, and frees at most one segment an hour, so that a clock that jumps by years
//! costs an hour's worth and not everything.
//!
//! **Damage.** A record whose checksum is wrong is skipped and counted; the scan goes on at the next good one.
//!
//! **Epoch.** A random number given at opening becomes the epoch if the spool is empty; a spool that holds something
//! keeps its own.

pub mod record;
pub mod state;

mod scan;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use crate::config::settings::SpoolLimits;
use crate::model::{MonoMillis, UnixMillis};
use crate::wire::batch::{ClockQuality, Packed};
use crate::wire::ranges::RangeSet;

pub use record::{Origin, Record};
pub use scan::{Inspection, Recovery, inspect};

/// A segment is closed when the next record would take it above this.
pub const SEGMENT_BYTES: u64 = 1024 * 1024;
/// A small spool has small segments, or one eviction would empty it.
const SEGMENTS_MIN: u64 = 8;
const SEGMENT_BYTES_MIN: u64 = 4096;
/// Most records held, whatever their size: four months of one a minute. Each takes 24 bytes of memory.
pub const RECORDS_MAX: usize = 200_000;
/// Stored batches are kept in one part of so many of the bytes allowed: days of them, and the first to make room.
const STORED_SHARE: u64 = 8;
/// At most one segment goes because of its age in this time.
const AGE_EVICTION_PAUSE: Duration = Duration::from_hours(1);

#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("spool {dir} is in use by another process")]
    Locked { dir: PathBuf },
    #[error("spool {path}: {step}")]
    Io { path: PathBuf, step: &'static str, source: io::Error },
}

fn io_error(path: &Path, step: &'static str) -> impl FnOnce(io::Error) -> SpoolError {
    move |source| SpoolError::Io { path: path.to_owned(), step, source }
}

/// A batch to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    pub packed: Packed,
    pub n_samples: u32,
    pub origin: Origin,
}

/// What [`Spool::append`] did.
#[derive(Debug)]
pub struct Appended {
    /// Numbers of the batches that are durable now: those of the first so many that were given.
    pub seqs: Vec<u64>,
    /// Why the rest is not.
    pub error: Option<SpoolError>,
}

/// Where a record is.
#[derive(Debug, Clone, Copy)]
struct Entry {
    seq: u64,
    segment: u32,
    offset: u32,
    len: u32,
}

#[derive(Debug)]
struct Segment {
    id: u32,
    bytes: u64,
    /// Newest of its batches that were made with the clock set.
    newest: Option<UnixMillis>,
}

/// Figures for status and metrics, since the spool was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    pub evicted_batches: u64,
    pub corrupt_records: u64,
    pub bytes_written: u64,
}

/// See the module. All calls block on the disk.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    limits: SpoolLimits,
    epoch: u64,
    next_seq: u64,
    ledger: Option<Uuid>,
    stored: RangeSet,
    /// Ascending by number; those of one segment lie together.
    entries: VecDeque<Entry>,
    /// Ascending; the last one may be open in `active`.
    segments: VecDeque<Segment>,
    active: Option<File>,
    /// The state file is older than what is known.
    dirty: bool,
    aged_at: Option<MonoMillis>,
    counters: Counters,
    recovery: Recovery,
    /// Held open: the lock lasts as long.
    _lock: File,
}

impl Spool {
    /// Opens or creates, and repairs what a power cut left. `fresh_epoch` is random.
    pub fn open(dir: &Path, limits: SpoolLimits, fresh_epoch: u64) -> Result<Self, SpoolError> {
        fs::create_dir_all(dir).map_err(io_error(dir, "create directory"))?;
        let lock = take_lock(dir)?;
        let recovered = scan::recover(dir)?;
        let mut spool = Self {
            dir: dir.to_owned(),
            limits,
            epoch: recovered.epoch.unwrap_or(fresh_epoch),
            next_seq: recovered.next_seq,
            ledger: recovered.ledger,
            stored: recovered.stored,
            entries: recovered.entries,
            segments: recovered.segments,
            active: None,
            dirty: false,
            aged_at: None,
            counters: Counters { corrupt_records: recovered.report.corrupt_records, ..Counters::default() },
            recovery: recovered.report,
            _lock: lock,
        };
        if spool.pending_from(0).is_none() && spool.recovery.is_clean() {
            spool.begin_epoch(fresh_epoch)?;
        } else {
            spool.reopen_last_segment()?;
            if !spool.recovery.is_clean() {
                // The number of a torn batch must stay unused after the next opening too, which sees no tear.
                spool.save()?;
            }
        }
        Ok(spool)
    }

    fn begin_epoch(&mut self, epoch: u64) -> Result<(), SpoolError> {
        while let Some(segment) = self.segments.pop_front() {
            self.remove_segment_file(segment.id)?;
        }
        self.entries.clear();
        self.epoch = epoch;
        self.next_seq = 1;
        self.stored = RangeSet::new();
        self.recovery.new_epoch = true;
        self.save()
    }

    fn reopen_last_segment(&mut self) -> Result<(), SpoolError> {
        let Some(last) = self.segments.back() else { return Ok(()) };
        let path = self.segment_path(last.id);
        let file = OpenOptions::new().append(true).open(&path).map_err(io_error(&path, "open segment"))?;
        self.active = Some(file);
        Ok(())
    }

    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The ledger that the hub's last word came from.
    pub fn ledger(&self) -> Option<Uuid> {
        self.ledger
    }

    /// What opening found.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The oldest number that is held and not known to be stored; the next one to be given if there is none.
    pub fn first(&self) -> u64 {
        self.pending_from(0).unwrap_or(self.next_seq)
    }

    /// The number that the next batch gets.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum()
    }

    /// Batches held and not known to be stored.
    pub fn pending(&self) -> u64 {
        let below = |seq: u64| self.entries.partition_point(|e| e.seq < seq);
        let stored: usize =
            self.stored.ranges().iter().map(|&(a, b)| below(b.saturating_add(1)).saturating_sub(below(a))).sum();
        (self.entries.len() - stored) as u64
    }

    /// The smallest number from `seq` on that is held and not known to be stored.
    pub fn pending_from(&self, seq: u64) -> Option<u64> {
        let mut from = seq;
        loop {
            let at = self.entries.partition_point(|e| e.seq < from);
            let held = self.entries.get(at)?.seq;
            let absent = self.stored.first_absent(held)?;
            if absent == held {
                return Some(held);
            }
            from = absent;
        }
    }

    /// Makes batches durable, in order; the oldest segments go if there is no room.
    pub fn append(&mut self, batches: &[NewBatch]) -> Appended {
        let mut done = Appended { seqs: Vec::with_capacity(batches.len()), error: None };
        while done.error.is_none() && done.seqs.len() < batches.len() {
            done.error = self.append_group(&batches[done.seqs.len()..], &mut done.seqs).err();
        }
        done
    }

    /// Makes durable, with one synchronisation, as many batches as the open segment takes, at least one.
    fn append_group(&mut self, batches: &[NewBatch], seqs: &mut Vec<u64>) -> Result<(), SpoolError> {
        let (next_seq, mut written) = (self.next_seq, Vec::new());
        let mut mark = Mark { next_seq, bytes: 0 };
        let mut error = None;
        for batch in batches {
            let record = self.record_of(batch);
            if self.must_rotate(record.encoded_len() as u64) {
                if !written.is_empty() {
                    break;
                }
                self.start_segment()?;
            }
            if written.is_empty() {
                mark.bytes = self.segments.back().map_or(0, |s| s.bytes);
            }
            match self.write_record(&record) {
                Ok(()) => written.push(record.seq),
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
        }
        if let Err(e) = self.sync_active() {
            // After a failed synchronisation nobody knows what is on the disk: none of the group counts.
            self.roll_back(&mark);
            return Err(e);
        }
        seqs.append(&mut written);
        match error {
            None => Ok(()),
            Some(e) => {
                // The bytes of the batch that failed must go; those before it are whole.
                let whole = self.segments.back().map_or(0, |s| s.bytes);
                self.roll_back(&Mark { next_seq: self.next_seq, bytes: whole });
                Err(e)
            }
        }
    }

    /// Takes back what is not durable. Where even that fails, the segment is left behind and the numbers stay used.
    fn roll_back(&mut self, mark: &Mark) {
        while self.entries.back().is_some_and(|e| e.seq >= mark.next_seq) {
            self.entries.pop_back();
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes = mark.bytes;
        }
        let cut = |file: &File| file.set_len(mark.bytes).and_then(|()| file.sync_data()).is_ok();
        if self.active.as_ref().is_none_or(cut) {
            self.next_seq = mark.next_seq;
        } else {
            self.active = None;
        }
    }

    fn record_of(&self, batch: &NewBatch) -> Record {
        Record {
            seq: self.next_seq,
            origin: batch.origin,
            n_samples: batch.n_samples,
            crc: batch.packed.crc,
            unpacked_len: batch.packed.unpacked_len,
            payload: batch.packed.bytes.clone(),
        }
    }

    fn must_rotate(&self, len: u64) -> bool {
        let full = |s: &Segment| s.bytes > NEW_SEGMENT_BYTES && s.bytes + len > self.segment_bytes();
        self.active.is_none() || self.segments.back().is_none_or(full)
    }

    /// Writes to the open segment, which there is.
    fn write_record(&mut self, record: &Record) -> Result<(), SpoolError> {
        let bytes = record.encode();
        let len = bytes.len() as u64;
        self.make_room(len)?;
        let mut written = self.try_write(&bytes);
        if written.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::StorageFull) && self.segments.len() > 1 {
            // The disk is full, not the spool: the newest samples are worth the most, so the oldest make room.
            self.give_way()?;
            written = self.try_write(&bytes);
        }
        written.map_err(io_error(&self.open_path(), "write batch"))?;
        let Some(segment) = self.segments.back_mut() else { unreachable!("a segment is open") };
        let (id, offset) = (segment.id, segment.bytes as u32);
        self.entries.push_back(Entry { seq: record.seq, segment: id, offset, len: len as u32 });
        segment.bytes += len;
        segment.see(&record.origin);
        self.counters.bytes_written += len;
        self.next_seq += 1;
        Ok(())
    }

    /// Writes all or, as far as the file system lets it, nothing.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let whole = self.segments.back().map_or(0, |s| s.bytes);
        let Some(file) = self.active.as_mut() else { return Err(io::Error::other("no segment is open")) };
        file.write_all(bytes).inspect_err(|_| {
            // What remains if this fails too is cut when the group ends.
            let _ = file.set_len(whole);
        })
    }

    fn segment_bytes(&self) -> u64 {
        (self.limits.bytes_max / SEGMENTS_MIN).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES)
    }

    fn sync_active(&mut self) -> Result<(), SpoolError> {
        let Some(file) = &self.active else { return Ok(()) };
        file.sync_data().map_err(io_error(&self.open_path(), "synchronise segment"))
    }

    fn open_path(&self) -> PathBuf {
        self.segment_path(self.segments.back().map_or(0, |s| s.id))
    }

    fn start_segment(&mut self) -> Result<(), SpoolError> {
        // The segment that is closed was synchronised by the group that wrote to it.
        self.active = None;
        let id = self.segments.back().map_or(1, |s| s.id.saturating_add(1));
        let path = self.segment_path(id);
        let mut file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(io_error(&path, "create segment"))?;
        // A name that a failed attempt left behind is used again.
        file.set_len(0)
            .and_then(|()| file.write_all(&record::encode_segment_header(self.epoch)))
            .and_then(|()| file.sync_all())
            .map_err(io_error(&path, "write segment"))?;
        state::sync_dir(&self.dir).map_err(io_error(&self.dir, "synchronise directory"))?;
        self.counters.bytes_written += NEW_SEGMENT_BYTES;
        self.segments.push_back(Segment { id, bytes: NEW_SEGMENT_BYTES, newest: None });
        self.active = Some(file);
        // What the hub stored while this segment was the open one can go now.
        self.free_stored_segments()
    }

    /// Evicts until `len` more bytes and one more record fit, but never the open segment.
    fn make_room(&mut self, len: u64) -> Result<(), SpoolError> {
        while self.segments.len() > 1
            && (self.bytes() + len > self.limits.bytes_max || self.entries.len() >= RECORDS_MAX)
        {
            self.give_way()?;
        }
        Ok(())
    }

    /// Lets go of one segment: the oldest whose batches are stored, or the oldest.
    fn give_way(&mut self) -> Result<(), SpoolError> {
        match self.stored_segments().first() {
            Some((id, _)) => self.remove_segment(*id),
            None => self.evict_oldest(),
        }
    }

    fn evict_oldest(&mut self) -> Result<(), SpoolError> {
        let Some(id) = self.segments.front().map(|s| s.id) else { return Ok(()) };
        let lost = self.entries.iter().take_while(|e| e.segment == id).filter(|e| !self.stored.contains(e.seq));
        self.counters.evicted_batches += lost.count() as u64;
        self.remove_segment(id)
    }

    /// Evicts what is older than the bound, one segment an hour. `clock` is what is known of the clock `now` comes
    /// from.
    pub fn evict_aged(&mut self, now: UnixMillis, clock: ClockQuality, mono: MonoMillis) -> Result<(), SpoolError> {
        if clock == ClockQuality::Unset || self.segments.len() < 2 {
            return Ok(());
        }
        if self.aged_at.is_some_and(|at| mono.since(at) < AGE_EVICTION_PAUSE) {
            return Ok(());
        }
        let newest = self.segments.front().and_then(|s| s.newest);
        if newest.is_some_and(|newest| now.since(newest) > self.limits.age_max) {
            self.aged_at = Some(mono);
            self.evict_oldest()?;
        }
        Ok(())
    }

    /// Another run of the hub speaks: what it says next takes the place of what is believed now, for its ledger may come
    /// from a backup.
    pub fn doubt_stored(&mut self) {
        self.ledger = None;
    }

    /// Takes the hub's word for what is stored in this epoch. Another ledger clears what an earlier one said: then all
    /// that is held is to be sent again. `true` if anything changed.
    pub fn hear_stored(&mut self, ledger: Uuid, ranges: &RangeSet) -> Result<bool, SpoolError> {
        let mut stored = if self.ledger == Some(ledger) { self.stored.clone() } else { RangeSet::new() };
        // No hub knows what has no number yet.
        stored.union(&ranges.intersect_below(self.next_seq).intersect_from(1));
        let changed = self.ledger != Some(ledger) || stored != self.stored;
        if changed {
            self.stored = stored;
            self.ledger = Some(ledger);
            self.dirty = true;
            self.free_stored_segments()?;
        }
        Ok(changed)
    }

    /// Segments all of whose batches are stored, oldest first, the open one left out.
    fn stored_segments(&self) -> Vec<(u32, u64)> {
        let open = self.segments.back().map(|s| s.id);
        let mut needed: Vec<u32> =
            self.entries.iter().filter(|e| !self.stored.contains(e.seq)).map(|e| e.segment).collect();
        needed.dedup();
        let free = |s: &&Segment| Some(s.id) != open && !needed.contains(&s.id);
        self.segments.iter().filter(free).map(|s| (s.id, s.bytes)).collect()
    }

    fn free_stored_segments(&mut self) -> Result<(), SpoolError> {
        let segments = self.stored_segments();
        let mut bytes: u64 = segments.iter().map(|(_, bytes)| bytes).sum();
        for (id, its_bytes) in segments {
            if bytes <= self.limits.bytes_max / STORED_SHARE {
                break;
            }
            self.remove_segment(id)?;
            bytes -= its_bytes;
        }
        Ok(())
    }

    fn remove_segment(&mut self, id: u32) -> Result<(), SpoolError> {
        // The state goes first: it remembers the numbers that must not be used again. Where later segments do so
        // too, a disk without room for it must not stop what makes room.
        let last = self.entries.back().is_some_and(|e| e.segment == id);
        let saved = if self.dirty || last { self.save() } else { Ok(()) };
        if last {
            saved?;
        }
        self.remove_segment_file(id)?;
        self.segments.retain(|s| s.id != id);
        self.entries.retain(|e| e.segment != id);
        Ok(())
    }

    fn remove_segment_file(&self, id: u32) -> Result<(), SpoolError> {
        let path = self.segment_path(id);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error(&path, "remove segment")(e)),
            _ => Ok(()),
        }
    }

    /// The batch, or `None` if it is not held or its record is damaged, which is counted.
    pub fn read(&mut self, seq: u64) -> Result<Option<Record>, SpoolError> {
        let at = self.entries.partition_point(|e| e.seq < seq);
        let Some(entry) = self.entries.get(at).copied().filter(|e| e.seq == seq) else { return Ok(None) };
        let path = self.segment_path(entry.segment);
        let mut bytes = vec![0; entry.len as usize];
        let read = File::open(&path).and_then(|file| file.read_exact_at(&mut bytes, u64::from(entry.offset)));
        match read {
            Ok(()) => {}
            // A segment that somebody removed or shortened, or flash that does not give it back, is damage as well:
            // the others go on.
            Err(e) if is_damage(&e) => bytes.clear(),
            Err(e) => return Err(io_error(&path, "read batch")(e)),
        }
        let record = Record::decode(&bytes).filter(|r| r.seq == seq);
        if record.is_none() {
            self.counters.corrupt_records += 1;
            self.entries.remove(at);
        }
        Ok(record)
    }

    /// Writes the state file, if it is older than what is known.
    pub fn save_if_dirty(&mut self) -> Result<(), SpoolError> {
        if self.dirty { self.save() } else { Ok(()) }
    }

    fn save(&mut self) -> Result<(), SpoolError> {
        let state = state::SpoolState {
            format: state::FORMAT,
            epoch: self.epoch.to_string(),
            next_seq: self.next_seq,
            ledger: self.ledger,
            stored: self.stored.clone(),
        };
        state::write(&self.dir, &state).map_err(io_error(&self.dir, "write state"))?;
        self.dirty = false;
        Ok(())
    }

    fn segment_path(&self, id: u32) -> PathBuf {
        scan::segment_path(&self.dir, id)
    }
}

impl Segment {
    fn see(&mut self, origin: &Origin) {
        if origin.clock != ClockQuality::Unset {
            self.newest = self.newest.max(Some(origin.made_at));
        }
    }
}

fn is_damage(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) || error.raw_os_error() == Some(EIO)
}

/// What to go back to when a write fails.
struct Mark {
    next_seq: u64,
    /// Of the open segment.
    bytes: u64,
}

const NEW_SEGMENT_BYTES: u64 = record::SEGMENT_HEADER_BYTES as u64;

/// One process for each spool: two would give one number to two batches.
fn take_lock(dir: &Path) -> Result<File, SpoolError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io_error(&path, "open lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SpoolError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(e)) => Err(io_error(&path, "take lock")(e)),
    }
}
