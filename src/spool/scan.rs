//! What a spool's directory holds: at opening, with repair, and for a person who looks, without.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use uuid::Uuid;

use super::book::{Book, Entry};
use super::dir::{Dir, DiskDir};
use super::record::{self, Found, SEGMENT_HEADER_BYTES, Scan};
use super::{SEGMENT_BYTES, Segment, SpoolError, io_error, state};
use crate::model::UnixMillis;
use crate::wire::ranges::RangeSet;

/// Most bytes read of one segment: a full one and the largest record that may have been added to a small one.
const SEGMENT_READ_MAX: u64 = SEGMENT_BYTES + record::RECORD_BYTES_MAX as u64;

/// What opening a spool found and repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    pub records: u64,
    /// Places with damage; each stands for one record at least.
    pub corrupt_records: u64,
    /// Bytes cut off the end of the newest segment.
    pub torn_bytes: u64,
    /// Segments of another epoch, put aside as `*.foreign`.
    pub foreign_segments: u64,
    /// The spool was empty and began anew.
    pub new_epoch: bool,
}

impl Recovery {
    /// Nothing was damaged.
    pub fn is_clean(&self) -> bool {
        self.corrupt_records == 0 && self.torn_bytes == 0 && self.foreign_segments == 0
    }
}

pub(super) struct Recovered {
    /// Nothing says which epoch it is: that of the book is made up.
    pub epoch_unknown: bool,
    pub book: Book,
    pub segments: VecDeque<Segment>,
    pub report: Recovery,
    /// What earlier runs counted.
    pub evicted_before: u64,
    pub corrupt_before: u64,
}

pub(super) fn segment_name(id: u32) -> String {
    format!("{id:012}.seg")
}

/// Ids of the segments, ascending.
fn segment_ids(dir: &dyn Dir) -> Result<Vec<u32>, SpoolError> {
    let names = dir.list().map_err(io_error(dir.path(), "list directory"))?;
    let id_of = |name: &String| name.strip_suffix(".seg")?.parse().ok().filter(|id| segment_name(*id) == *name);
    let mut ids: Vec<u32> = names.iter().filter_map(id_of).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// One segment, read.
struct Loaded {
    id: u32,
    /// `None`: the header is damaged.
    epoch: Option<u64>,
    /// Offset, length and description of each good record.
    records: Vec<(u32, u32, u64, record::Origin)>,
    damaged_places: u64,
    tail: Option<(u64, u64)>,
    bytes: u64,
}

/// `None`: it is gone. An agent at work removes segments while a person looks.
fn load(dir: &dyn Dir, id: u32) -> Result<Option<Loaded>, SpoolError> {
    let name = segment_name(id);
    let bytes = match dir.read(&name, SEGMENT_READ_MAX) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(io_error(&dir.path().join(name), "read segment"))?,
    };
    let epoch = record::decode_segment_header(&bytes);
    let mut loaded = Loaded {
        id,
        epoch,
        records: Vec::new(),
        damaged_places: u64::from(epoch.is_none()),
        tail: None,
        bytes: bytes.len() as u64,
    };
    for found in Scan::new(&bytes) {
        match found {
            Found::Record { offset, record } => {
                loaded.records.push((offset as u32, record.encoded_len() as u32, record.seq, record.origin));
            }
            Found::Damage { .. } => loaded.damaged_places += 1,
            Found::Tail { offset, len } => loaded.tail = Some((offset as u64, len as u64)),
        }
    }
    Ok(Some(loaded))
}

struct Contents {
    /// `None`: there is none, or it is of another epoch and not believed.
    state: Option<state::SpoolState>,
    epoch: Option<u64>,
    segments: Vec<Loaded>,
}

/// Reads everything and decides the epoch: that of the newest segment with a good header, else the state file's.
fn contents(dir: &dyn Dir) -> Result<Contents, SpoolError> {
    let state = state::read(dir).map_err(io_error(dir.path(), "read state"))?;
    let loaded: Result<Vec<_>, _> = segment_ids(dir)?.into_iter().map(|id| load(dir, id)).collect();
    let segments: Vec<Loaded> = loaded?.into_iter().flatten().collect();
    let of_state = state.as_ref().and_then(|s| s.epoch.parse::<u64>().ok());
    let epoch = segments.iter().rev().find_map(|s| s.epoch).or(of_state);
    Ok(Contents { state: state.filter(|_| of_state == epoch), epoch, segments })
}

/// Reads a spool's directory, cuts a torn tail, and puts aside what belongs to another epoch.
pub(super) fn recover(dir: &mut dyn Dir) -> Result<Recovered, SpoolError> {
    let Contents { state, epoch, segments } = contents(dir)?;
    let mut book = Book::new(epoch.unwrap_or(0), state.as_ref().and_then(|s| s.ledger));
    book.next_seq = state.as_ref().map_or(1, |s| s.next_seq.max(1));
    let mut recovered = Recovered {
        epoch_unknown: epoch.is_none(),
        book,
        segments: VecDeque::new(),
        report: Recovery::default(),
        evicted_before: state.as_ref().map_or(0, |s| s.evicted_batches),
        corrupt_before: state.as_ref().map_or(0, |s| s.corrupt_records),
    };
    recovered.book.stored = state.map(|s| s.stored).unwrap_or_default();
    let n_segments = segments.len();
    for (at, loaded) in segments.into_iter().enumerate() {
        let name = segment_name(loaded.id);
        let path = dir.path().join(&name);
        if loaded.epoch.is_some() && loaded.epoch != epoch {
            recovered.report.foreign_segments += 1;
            let aside = name.replace(".seg", ".foreign");
            dir.rename(&name, &aside).map_err(io_error(&path, "put segment aside"))?;
        } else if at + 1 == n_segments && loaded.records.is_empty() {
            // A segment that a power cut left without a record, perhaps without a header: its name is used again.
            recovered.report.torn_bytes += loaded.bytes.saturating_sub(SEGMENT_HEADER_BYTES as u64);
            dir.remove(&name).map_err(io_error(&path, "remove empty segment"))?;
        } else {
            recovered.take(dir, &loaded, at + 1 == n_segments)?;
        }
    }
    let book = &mut recovered.book;
    let last = book.entries.back().map_or(0, |e| e.seq).max(book.stored.last().unwrap_or(0));
    book.next_seq = book.next_seq.max(last.saturating_add(1));
    if recovered.report.torn_bytes > 0 {
        // The torn batch keeps its number, so that the hub sees that it is missing.
        book.next_seq += 1;
    }
    Ok(recovered)
}

impl Recovered {
    fn take(&mut self, dir: &mut dyn Dir, loaded: &Loaded, newest: bool) -> Result<(), SpoolError> {
        self.report.corrupt_records += loaded.damaged_places;
        let mut segment = Segment { id: loaded.id, bytes: loaded.bytes, newest: None };
        match loaded.tail {
            Some((offset, len)) if newest => {
                let name = segment_name(loaded.id);
                let path = dir.path().join(&name);
                dir.set_len(&name, offset).and_then(|()| dir.sync(&name)).map_err(io_error(&path, "cut torn tail"))?;
                self.report.torn_bytes += len;
                segment.bytes = offset;
            }
            Some(_) => self.report.corrupt_records += 1,
            None => {}
        }
        for (offset, len, seq, origin) in &loaded.records {
            // Numbers only rise; a record that does not is damage that a checksum cannot see.
            if *seq == 0 || self.book.entries.back().is_some_and(|e| e.seq >= *seq) {
                self.report.corrupt_records += 1;
                continue;
            }
            self.book.entries.push_back(Entry { seq: *seq, segment: loaded.id, offset: *offset, len: *len });
            segment.see(origin);
            self.report.records += 1;
        }
        self.segments.push_back(segment);
        Ok(())
    }
}

/// What a spool holds, for a person. Changes nothing and takes no lock, so an agent may be at work meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub epoch: Option<u64>,
    pub ledger: Option<Uuid>,
    pub segments: u64,
    pub bytes: u64,
    pub records: u64,
    /// Of these, not known to be stored.
    pub pending: u64,
    /// Numbers of the records.
    pub held: RangeSet,
    /// What the hub has said that it stored.
    pub stored: RangeSet,
    /// Made at, by the agent's clock.
    pub oldest: Option<UnixMillis>,
    pub newest: Option<UnixMillis>,
    /// Given up because of a bound, since the directory was made.
    pub evicted_batches: u64,
    /// Damaged records that earlier openings found.
    pub corrupt_before: u64,
    pub damaged_places: u64,
    /// Segments of another epoch.
    pub foreign_segments: u64,
    /// At the end of the newest segment; a moment later it may be a whole record, where an agent is at work.
    pub torn_bytes: u64,
}

impl Inspection {
    /// Something on the disk is not what was written there.
    pub fn is_damaged(&self) -> bool {
        self.damaged_places > 0 || self.torn_bytes > 0 || self.foreign_segments > 0
    }
}

/// Reads a spool's directory and checks every checksum.
pub fn inspect(dir: &Path) -> Result<Inspection, SpoolError> {
    let Contents { state, epoch, segments } = contents(&DiskDir::look(dir))?;
    let stored = state.as_ref().map(|s| s.stored.clone()).unwrap_or_default();
    let of_epoch = |s: &&Loaded| s.epoch.is_none() || s.epoch == epoch;
    let records = || segments.iter().filter(of_epoch).flat_map(|s| &s.records);
    let older = segments.split_last().map_or(&[][..], |(_, older)| older);
    Ok(Inspection {
        epoch,
        ledger: state.as_ref().and_then(|s| s.ledger),
        segments: segments.len() as u64,
        bytes: segments.iter().map(|s| s.bytes).sum(),
        records: records().count() as u64,
        pending: records().filter(|r| !stored.contains(r.2)).count() as u64,
        held: records().map(|r| r.2).collect(),
        stored,
        oldest: records().map(|r| r.3.made_at).min(),
        newest: records().map(|r| r.3.made_at).max(),
        evicted_batches: state.as_ref().map_or(0, |s| s.evicted_batches),
        corrupt_before: state.as_ref().map_or(0, |s| s.corrupt_records),
        damaged_places: segments.iter().map(|s| s.damaged_places).sum::<u64>()
            + older.iter().filter(|s| s.tail.is_some()).count() as u64,
        foreign_segments: segments.iter().filter(|s| s.epoch.is_some() && s.epoch != epoch).count() as u64,
        torn_bytes: segments.last().and_then(|s| s.tail).map_or(0, |t| t.1),
    })
}
