//! What a spool's directory holds: at opening, with repair, and for a person who looks, without.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::record::{self, Found, SEGMENT_HEADER_BYTES, Scan};
use super::{Entry, SEGMENT_BYTES, Segment, SpoolError, io_error, state};
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
    /// `None`: nothing says.
    pub epoch: Option<u64>,
    pub next_seq: u64,
    pub ledger: Option<Uuid>,
    pub stored: RangeSet,
    pub entries: VecDeque<Entry>,
    pub segments: VecDeque<Segment>,
    pub report: Recovery,
}

pub(super) fn segment_path(dir: &Path, id: u32) -> PathBuf {
    dir.join(format!("{id:012}.seg"))
}

/// Ids of the segments, ascending.
fn segment_ids(dir: &Path) -> Result<Vec<u32>, SpoolError> {
    let mut ids = Vec::new();
    for file in fs::read_dir(dir).map_err(io_error(dir, "list directory"))? {
        let name = file.map_err(io_error(dir, "list directory"))?.file_name();
        let id = name.to_str().and_then(|n| n.strip_suffix(".seg")).and_then(|n| n.parse().ok());
        ids.extend(id.filter(|id| segment_path(dir, *id).file_name() == Some(&name)));
    }
    ids.sort_unstable();
    Ok(ids)
}

fn read_segment(path: &Path) -> Result<Vec<u8>, SpoolError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io_error(path, "open segment"))?;
    file.take(SEGMENT_READ_MAX).read_to_end(&mut bytes).map_err(io_error(path, "read segment"))?;
    Ok(bytes)
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

fn load(dir: &Path, id: u32) -> Result<Loaded, SpoolError> {
    let bytes = read_segment(&segment_path(dir, id))?;
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
    Ok(loaded)
}

struct Contents {
    state: Option<state::SpoolState>,
    epoch: Option<u64>,
    segments: Vec<Loaded>,
}

/// Reads everything and decides the epoch: that of the newest segment with a good header, else the state file's. A
/// state of another epoch is not believed.
fn contents(dir: &Path) -> Result<Contents, SpoolError> {
    let state = state::read(dir).map_err(io_error(dir, "read state"))?;
    let segments: Vec<Loaded> = segment_ids(dir)?.into_iter().map(|id| load(dir, id)).collect::<Result<_, _>>()?;
    let of_state = state.as_ref().and_then(|s| s.epoch.parse::<u64>().ok());
    let epoch = segments.iter().rev().find_map(|s| s.epoch).or(of_state);
    Ok(Contents { state: state.filter(|_| of_state == epoch), epoch, segments })
}

/// Reads a spool's directory, cuts a torn tail, and puts aside what belongs to another epoch.
pub(super) fn recover(dir: &Path) -> Result<Recovered, SpoolError> {
    let Contents { state, epoch, segments } = contents(dir)?;
    let mut recovered = Recovered {
        epoch,
        next_seq: state.as_ref().map_or(1, |s| s.next_seq.max(1)),
        ledger: state.as_ref().and_then(|s| s.ledger),
        stored: state.map(|s| s.stored).unwrap_or_default(),
        entries: VecDeque::new(),
        segments: VecDeque::new(),
        report: Recovery::default(),
    };
    let n_segments = segments.len();
    for (at, loaded) in segments.into_iter().enumerate() {
        let path = segment_path(dir, loaded.id);
        if loaded.epoch.is_some() && loaded.epoch != epoch {
            recovered.report.foreign_segments += 1;
            fs::rename(&path, path.with_extension("foreign")).map_err(io_error(&path, "put segment aside"))?;
        } else if at + 1 == n_segments && loaded.records.is_empty() {
            // A segment that a power cut left without a record, perhaps without a header: its name is used again.
            recovered.report.torn_bytes += loaded.bytes.saturating_sub(SEGMENT_HEADER_BYTES as u64);
            fs::remove_file(&path).map_err(io_error(&path, "remove empty segment"))?;
        } else {
            recovered.take(&path, &loaded, at + 1 == n_segments)?;
        }
    }
    let last = recovered.entries.back().map_or(0, |e| e.seq).max(recovered.stored.last().unwrap_or(0));
    recovered.next_seq = recovered.next_seq.max(last.saturating_add(1));
    if recovered.report.torn_bytes > 0 {
        // The torn batch keeps its number, so that the hub sees that it is missing.
        recovered.next_seq += 1;
    }
    Ok(recovered)
}

impl Recovered {
    fn take(&mut self, path: &Path, loaded: &Loaded, newest: bool) -> Result<(), SpoolError> {
        self.report.corrupt_records += loaded.damaged_places;
        let mut segment = Segment { id: loaded.id, bytes: loaded.bytes, newest: None };
        match loaded.tail {
            Some((offset, len)) if newest => {
                cut(path, offset).map_err(io_error(path, "cut torn tail"))?;
                self.report.torn_bytes += len;
                segment.bytes = offset;
            }
            Some(_) => self.report.corrupt_records += 1,
            None => {}
        }
        for (offset, len, seq, origin) in &loaded.records {
            // Numbers only rise; a record that does not is damage that a checksum cannot see.
            if *seq == 0 || self.entries.back().is_some_and(|e| e.seq >= *seq) {
                self.report.corrupt_records += 1;
                continue;
            }
            self.entries.push_back(Entry { seq: *seq, segment: loaded.id, offset: *offset, len: *len });
            segment.see(origin);
            self.report.records += 1;
        }
        self.segments.push_back(segment);
        Ok(())
    }
}

fn cut(path: &Path, len: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(len)?;
    file.sync_all()
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
    pub seq_first: Option<u64>,
    pub seq_last: Option<u64>,
    /// Made at, by the agent's clock.
    pub oldest: Option<UnixMillis>,
    pub newest: Option<UnixMillis>,
    pub damaged_places: u64,
    pub torn_bytes: u64,
}

/// Reads a spool's directory.
pub fn inspect(dir: &Path) -> Result<Inspection, SpoolError> {
    let Contents { state, epoch, segments } = contents(dir)?;
    let stored = state.as_ref().map(|s| s.stored.clone()).unwrap_or_default();
    let records = || segments.iter().flat_map(|s| &s.records);
    let older = segments.split_last().map_or(&[][..], |(_, older)| older);
    Ok(Inspection {
        epoch,
        ledger: state.and_then(|s| s.ledger),
        segments: segments.len() as u64,
        bytes: segments.iter().map(|s| s.bytes).sum(),
        records: records().count() as u64,
        pending: records().filter(|r| !stored.contains(r.2)).count() as u64,
        seq_first: records().map(|r| r.2).min(),
        seq_last: records().map(|r| r.2).max(),
        oldest: records().map(|r| r.3.made_at).min(),
        newest: records().map(|r| r.3.made_at).max(),
        damaged_places: segments.iter().map(|s| s.damaged_places).sum::<u64>()
            + older.iter().filter(|s| s.tail.is_some()).count() as u64,
        torn_bytes: segments.last().and_then(|s| s.tail).map_or(0, |t| t.1),
    })
}
