//! The spool's small memory: which epoch its records have, and what the hub says that it has stored.
//!
//! Losing it costs repeats, never samples: then everything that is held is sent again, and the hub drops what it has.

use std::io;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::dir::Dir;
use crate::wire::ranges::RangeSet;

pub const STATE_FILE: &str = "state.json";
const STATE_TEMP: &str = "state.json.new";
/// A state file is a few hundred bytes; one above this is none of ours.
const STATE_FILE_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolState {
    pub format: u32,
    /// A text, as on the wire.
    pub epoch: String,
    /// No smaller number may be given to a batch again.
    pub next_seq: u64,
    /// The ledger that `stored` speaks of.
    pub ledger: Option<Uuid>,
    pub stored: RangeSet,
    /// Batches given up because of a bound, since the directory was made.
    #[serde(default)]
    pub evicted_batches: u64,
    /// Damaged records found, since the directory was made.
    #[serde(default)]
    pub corrupt_records: u64,
}

pub const FORMAT: u32 = 1;

/// `None`: there is none, or it cannot be used.
pub fn read(dir: &dyn Dir) -> io::Result<Option<SpoolState>> {
    let bytes = match dir.read(STATE_FILE, STATE_FILE_BYTES_MAX) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    Ok(serde_json::from_slice(&bytes).ok().filter(|s: &SpoolState| s.format == FORMAT))
}

/// Replaces the file as a whole: after a power cut it is the old one or the new one.
pub fn write(dir: &mut dyn Dir, state: &SpoolState) -> io::Result<u64> {
    let bytes = serde_json::to_vec(state)?;
    dir.create(STATE_TEMP, &bytes)?;
    dir.sync(STATE_TEMP)?;
    dir.rename(STATE_TEMP, STATE_FILE)?;
    dir.sync_names()?;
    Ok(bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::dir::DiskDir;
    use super::*;

    #[test]
    fn a_state_is_read_back_and_damage_is_not_believed() {
        let temp = tempfile::tempdir().unwrap();
        let mut dir = DiskDir::look(temp.path());
        assert_eq!(read(&dir).unwrap(), None);
        let state = SpoolState {
            format: FORMAT,
            epoch: u64::MAX.to_string(),
            next_seq: 10,
            ledger: Some(Uuid::from_u128(5)),
            stored: [(1, 9)].into_iter().collect(),
            evicted_batches: 3,
            corrupt_records: 0,
        };
        write(&mut dir, &state).unwrap();
        assert_eq!(read(&dir).unwrap(), Some(state.clone()));
        fs::write(temp.path().join(STATE_FILE), b"{\"format\":1").unwrap();
        assert_eq!(read(&dir).unwrap(), None);
        write(&mut dir, &SpoolState { format: 2, ..state }).unwrap();
        assert_eq!(read(&dir).unwrap(), None);
    }
}
