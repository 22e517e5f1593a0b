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

pub mod book;
pub mod dir;
pub mod record;
pub mod state;

mod scan;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use crate::config::settings::SpoolLimits;
use crate::model::{MonoMillis, UnixMillis};
use crate::wire::batch::{ClockQuality, Packed};
use crate::wire::ranges::RangeSet;

use book::{Book, Entry};
use dir::{Dir, DiskDir};

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
/// Disk space of one segment that the spool gives up when the disk is full.
const RESERVE_FILE: &str = "reserve";
/// How long after that it is tried to have it again.
const RESERVE_PAUSE: Duration = Duration::from_hours(1);

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
    dir: Box<dyn Dir>,
    limits: SpoolLimits,
    book: Book,
    /// Ascending.
    segments: VecDeque<Segment>,
    /// The last segment takes more records.
    open: bool,
    /// What a failed write left and could not be cut off: nothing is written before it is.
    broken: Option<Mark>,
    /// Disk space kept for a full disk is there.
    reserve: bool,
    reserved_at: Option<MonoMillis>,
    /// The state file is older than what is known.
    dirty: bool,
    aged_at: Option<MonoMillis>,
    counters: Counters,
    /// What earlier runs counted: evicted batches, damaged records.
    before: (u64, u64),
    recovery: Recovery,
}

impl Spool {
    /// Opens or creates, and repairs what a power cut left. `fresh_epoch` is random.
    pub fn open(dir: &Path, limits: SpoolLimits, fresh_epoch: u64) -> Result<Self, SpoolError> {
        Self::open_in(Box::new(DiskDir::open(dir)?), limits, fresh_epoch)
    }

    /// [`Self::open`] in a directory that nobody else uses.
    pub fn open_in(mut dir: Box<dyn Dir>, limits: SpoolLimits, fresh_epoch: u64) -> Result<Self, SpoolError> {
        let recovered = scan::recover(dir.as_mut())?;
        let mut spool = Self {
            dir,
            limits,
            book: recovered.book,
            open: !recovered.segments.is_empty(),
            segments: recovered.segments,
            broken: None,
            reserve: false,
            reserved_at: None,
            dirty: false,
            aged_at: None,
            counters: Counters { corrupt_records: recovered.report.corrupt_records, ..Counters::default() },
            before: (recovered.evicted_before, recovered.corrupt_before),
            recovery: recovered.report,
        };
        if recovered.epoch_unknown {
            spool.book.epoch = fresh_epoch;
        }
        if spool.book.is_over() && spool.recovery.is_clean() {
            spool.begin_epoch(fresh_epoch)?;
        } else if !spool.recovery.is_clean() {
            // The number of a torn batch must stay unused after the next opening too, which sees no tear.
            spool.save()?;
        }
        spool.fill_reserve();
        Ok(spool)
    }

    fn begin_epoch(&mut self, epoch: u64) -> Result<(), SpoolError> {
        while let Some(segment) = self.segments.front() {
            self.remove_segment_file(segment.id)?;
            self.segments.pop_front();
        }
        self.open = false;
        self.book = Book::new(epoch, self.book.ledger);
        self.recovery.new_epoch = true;
        self.save()
    }

    pub fn epoch(&self) -> u64 {
        self.book.epoch
    }

    /// The ledger that the hub's last word came from.
    pub fn ledger(&self) -> Option<Uuid> {
        self.book.ledger
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
        self.book.first()
    }

    /// The number that the next batch gets.
    pub fn next_seq(&self) -> u64 {
        self.book.next_seq
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum()
    }

    /// Batches held and not known to be stored.
    pub fn pending(&self) -> u64 {
        self.book.pending()
    }

    /// The smallest number from `seq` on that is held and not known to be stored.
    pub fn pending_from(&self, seq: u64) -> Option<u64> {
        self.book.pending_from(seq)
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
        self.mend()?;
        let mut written = Vec::new();
        let mut mark = Mark { next_seq: self.book.next_seq, segment: 0, bytes: 0 };
        let mut error = None;
        for batch in batches {
            let record = self.record_of(batch);
            if self.must_rotate(record.encoded_len() as u64) {
                if !written.is_empty() {
                    break;
                }
                self.with_room(Self::start_segment)?;
            }
            if written.is_empty() {
                let open = self.segments.back();
                (mark.segment, mark.bytes) = open.map_or((0, 0), |s| (s.id, s.bytes));
            }
            match self.write_record(&record) {
                Ok(()) => written.push(record.seq),
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
        }
        if !written.is_empty()
            && let Err(e) = self.sync_open()
        {
            // After a failed synchronisation nobody knows what is on the disk: none of the group counts.
            self.roll_back(mark);
            return Err(e);
        }
        seqs.append(&mut written);
        match error {
            None => Ok(()),
            Some(e) => {
                // The bytes of the batch that failed must go; those before it are whole.
                let (segment, bytes) = self.segments.back().map_or((0, 0), |s| (s.id, s.bytes));
                self.roll_back(Mark { next_seq: self.book.next_seq, segment, bytes });
                Err(e)
            }
        }
    }

    /// Takes back what is not durable.
    fn roll_back(&mut self, mark: Mark) {
        while self.book.entries.back().is_some_and(|e| e.seq >= mark.next_seq) {
            self.book.entries.pop_back();
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes = mark.bytes;
        }
        self.book.next_seq = mark.next_seq;
        self.broken = Some(mark);
        // What cannot be cut off now is tried again before the next batch is written.
        let _ = self.mend();
    }

    /// Cuts off what a failed write left. Until that is durable nothing is written: the caller tries the same batches
    /// again, and what is left could come back after a power cut, as a second copy of them.
    fn mend(&mut self) -> Result<(), SpoolError> {
        let Some(mark) = self.broken else { return Ok(()) };
        let name = scan::segment_name(mark.segment);
        if self.segments.back().is_some_and(|s| s.id == mark.segment) {
            let cut = self.dir.set_len(&name, mark.bytes).and_then(|()| self.dir.sync(&name));
            cut.map_err(io_error(&self.dir.path().join(name), "take back a failed write"))?;
        }
        self.broken = None;
        Ok(())
    }

    fn record_of(&self, batch: &NewBatch) -> Record {
        Record {
            seq: self.book.next_seq,
            origin: batch.origin,
            n_samples: batch.n_samples,
            crc: batch.packed.crc,
            unpacked_len: batch.packed.unpacked_len,
            payload: batch.packed.bytes.clone(),
        }
    }

    fn must_rotate(&self, len: u64) -> bool {
        let full = |s: &Segment| s.bytes > NEW_SEGMENT_BYTES && s.bytes + len > self.segment_bytes();
        !self.open || self.segments.back().is_none_or(full)
    }

    /// Writes to the open segment, which there is.
    fn write_record(&mut self, record: &Record) -> Result<(), SpoolError> {
        let bytes = record.encode();
        let len = bytes.len() as u64;
        self.make_room(len)?;
        self.with_room(|spool| spool.try_write(&bytes))?;
        let Some(segment) = self.segments.back_mut() else { unreachable!("a segment is open") };
        let (id, offset) = (segment.id, segment.bytes as u32);
        self.book.entries.push_back(Entry { seq: record.seq, segment: id, offset, len: len as u32 });
        segment.bytes += len;
        segment.see(&record.origin);
        self.counters.bytes_written += len;
        self.book.next_seq += 1;
        Ok(())
    }

    /// Does something that needs disk space. When the disk is full, which is not the spool's bound, the newest samples
    /// are worth the most: what is stored goes first, then the reserve, then the oldest segments.
    fn with_room(&mut self, mut act: impl FnMut(&mut Self) -> Result<(), SpoolError>) -> Result<(), SpoolError> {
        loop {
            match act(self) {
                Err(SpoolError::Io { source, .. }) if is_full(&source) && self.free_space()? => {}
                done => return done,
            }
        }
    }

    /// `false`: there is nothing left to give up.
    fn free_space(&mut self) -> Result<bool, SpoolError> {
        if let Some((stored, _)) = self.stored_segments().first() {
            self.remove_segment(*stored)?;
            return Ok(true);
        }
        if self.reserve {
            tracing::warn!(dir = %self.dir.path().display(), "the disk is full: the spool lives on its reserve");
            self.remove_file(RESERVE_FILE)?;
            self.reserve = false;
            return Ok(true);
        }
        if self.segments.len() < 2 {
            return Ok(false);
        }
        self.evict_oldest()?;
        Ok(true)
    }

    /// Takes the reserve if there is room for it: a full disk is no reason to fail, but one to try later.
    fn fill_reserve(&mut self) {
        let size = segment_bytes(self.limits.bytes_max);
        if self.dir.read(RESERVE_FILE, size).is_ok_and(|bytes| bytes.len() as u64 == size) {
            self.reserve = true;
            return;
        }
        let taken = self.dir.create(RESERVE_FILE, &incompressible(size)).and_then(|()| self.dir.sync(RESERVE_FILE));
        self.counters.bytes_written += size;
        self.reserve = taken.is_ok();
        if !self.reserve {
            // A part of it is of no use to anybody.
            let _ = self.dir.remove(RESERVE_FILE);
        }
    }

    /// Writes all or, as far as the file system lets it, nothing.
    fn try_write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        let (name, whole) = self.open_segment();
        let written = self.dir.append(&name, bytes);
        if written.is_err() {
            // What remains if this fails too is cut when the group ends.
            let _ = self.dir.set_len(&name, whole);
        }
        written.map_err(io_error(&self.dir.path().join(name), "write batch"))
    }

    /// On its reserve the spool has smaller segments, so that what is stored makes room soon.
    fn segment_bytes(&self) -> u64 {
        let size = segment_bytes(self.limits.bytes_max);
        if self.reserve { size } else { (size / SEGMENTS_MIN).max(SEGMENT_BYTES_MIN) }
    }

    fn sync_open(&mut self) -> Result<(), SpoolError> {
        let (name, _) = self.open_segment();
        self.dir.sync(&name).map_err(io_error(&self.dir.path().join(name), "synchronise segment"))
    }

    /// Name and length of the last segment.
    fn open_segment(&self) -> (String, u64) {
        self.segments.back().map_or((scan::segment_name(0), 0), |s| (scan::segment_name(s.id), s.bytes))
    }

    fn start_segment(&mut self) -> Result<(), SpoolError> {
        // The segment that is closed was synchronised by the group that wrote to it.
        self.open = false;
        let id = self.segments.back().map_or(1, |s| s.id.saturating_add(1));
        let name = scan::segment_name(id);
        // A name that a failed attempt left behind is used again.
        let header = record::encode_segment_header(self.book.epoch);
        let written = self.dir.create(&name, &header).and_then(|()| self.dir.sync(&name));
        written.map_err(io_error(&self.dir.path().join(name), "write segment"))?;
        self.sync_names()?;
        self.counters.bytes_written += NEW_SEGMENT_BYTES;
        self.segments.push_back(Segment { id, bytes: NEW_SEGMENT_BYTES, newest: None });
        self.open = true;
        // What the hub stored while this segment was the open one can go now.
        self.free_stored_segments()
    }

    fn sync_names(&mut self) -> Result<(), SpoolError> {
        self.dir.sync_names().map_err(io_error(self.dir.path(), "synchronise directory"))
    }

    /// Evicts until `len` more bytes and one more record fit, but never the open segment.
    fn make_room(&mut self, len: u64) -> Result<(), SpoolError> {
        let bytes_max = self.limits.bytes_max.saturating_sub(segment_bytes(self.limits.bytes_max));
        while self.segments.len() > 1 && (self.bytes() + len > bytes_max || self.book.entries.len() >= RECORDS_MAX) {
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
        let lost =
            self.book.entries.iter().take_while(|e| e.segment == id).filter(|e| !self.book.stored.contains(e.seq));
        let lost = lost.count() as u64;
        self.remove_segment(id)?;
        self.counters.evicted_batches += lost;
        self.dirty = true;
        Ok(())
    }

    /// What is done now and then: evicts what is older than the bound, one segment an hour, takes the reserve again,
    /// and writes the state file. `clock` is what is known of the clock `now` comes from.
    pub fn upkeep(&mut self, now: UnixMillis, clock: ClockQuality, mono: MonoMillis) -> Result<(), SpoolError> {
        if !self.reserve && self.reserved_at.is_none_or(|at| mono.since(at) >= RESERVE_PAUSE) {
            // Not at once: a disk that was full a moment ago is full again soon.
            if self.reserved_at.is_some() {
                self.fill_reserve();
            }
            self.reserved_at = Some(mono);
        }
        self.evict_aged(now, clock, mono)?;
        self.save_if_dirty()
    }

    fn evict_aged(&mut self, now: UnixMillis, clock: ClockQuality, mono: MonoMillis) -> Result<(), SpoolError> {
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
        self.book.ledger = None;
    }

    /// Takes the hub's word for what is stored in this epoch, see [`Book::hear`]. `true` if anything changed.
    pub fn hear_stored(&mut self, ledger: Uuid, ranges: &RangeSet) -> Result<bool, SpoolError> {
        let changed = self.book.hear(ledger, ranges);
        if changed {
            self.dirty = true;
            self.free_stored_segments()?;
        }
        Ok(changed)
    }

    /// Segments all of whose batches are stored, oldest first, the open one left out.
    fn stored_segments(&self) -> Vec<(u32, u64)> {
        let open = self.segments.back().map(|s| s.id);
        let mut needed: Vec<u32> =
            self.book.entries.iter().filter(|e| !self.book.stored.contains(e.seq)).map(|e| e.segment).collect();
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
        let last = self.book.entries.back().is_some_and(|e| e.segment == id);
        let saved = if self.dirty || last { self.save() } else { Ok(()) };
        if last {
            saved?;
        }
        self.remove_segment_file(id)?;
        self.segments.retain(|s| s.id != id);
        self.book.entries.retain(|e| e.segment != id);
        Ok(())
    }

    fn remove_segment_file(&mut self, id: u32) -> Result<(), SpoolError> {
        self.remove_file(&scan::segment_name(id))
    }

    fn remove_file(&mut self, name: &str) -> Result<(), SpoolError> {
        match self.dir.remove(name) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error(&self.dir.path().join(name), "remove")(e)),
            _ => Ok(()),
        }
    }

    /// The batch, or `None` if it is not held or its record is damaged, which is counted.
    pub fn read(&mut self, seq: u64) -> Result<Option<Record>, SpoolError> {
        let at = self.book.entries.partition_point(|e| e.seq < seq);
        let Some(entry) = self.book.entries.get(at).copied().filter(|e| e.seq == seq) else { return Ok(None) };
        let name = scan::segment_name(entry.segment);
        let bytes = match self.dir.read_at(&name, u64::from(entry.offset), entry.len as usize) {
            // A segment that somebody removed or shortened, or flash that does not give it back, is damage as well:
            // the others go on.
            Err(e) if is_damage(&e) => Vec::new(),
            read => read.map_err(io_error(&self.dir.path().join(name), "read batch"))?,
        };
        let record = Record::decode(&bytes).filter(|r| r.seq == seq);
        if record.is_none() {
            self.counters.corrupt_records += 1;
            self.dirty = true;
            self.book.entries.remove(at);
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
            epoch: self.book.epoch.to_string(),
            next_seq: self.book.next_seq,
            ledger: self.book.ledger,
            stored: self.book.stored.clone(),
            evicted_batches: self.before.0.saturating_add(self.counters.evicted_batches),
            corrupt_records: self.before.1.saturating_add(self.counters.corrupt_records),
        };
        let written = state::write(self.dir.as_mut(), &state);
        self.counters.bytes_written += written.map_err(io_error(self.dir.path(), "write state"))?;
        self.dirty = false;
        Ok(())
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

/// No room: the disk, or what this user may have of it.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn segment_bytes(bytes_max: u64) -> u64 {
    (bytes_max / SEGMENTS_MIN).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES)
}

/// Bytes that no compressing file system makes less of (xorshift64, Marsaglia 2003).
fn incompressible(len: u64) -> Vec<u8> {
    let mut x = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(next).collect();
    bytes.truncate(len as usize);
    bytes
}

/// What to go back to when a write fails.
#[derive(Debug, Clone, Copy)]
struct Mark {
    next_seq: u64,
    /// The open segment, and its length.
    segment: u32,
    bytes: u64,
}

const NEW_SEGMENT_BYTES: u64 = record::SEGMENT_HEADER_BYTES as u64;
