//! The spool's small memory: which epoch its records have, and what the hub says that it has stored.
//!
//! Losing it costs repeats, never samples: then everything that is held is sent again, and the hub drops what it has.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
}

pub const FORMAT: u32 = 1;

/// `None`: there is none, or it cannot be used.
pub fn read(dir: &Path) -> io::Result<Option<SpoolState>> {
    let path = dir.join(STATE_FILE);
    match fs::metadata(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
        Ok(meta) if meta.len() > STATE_FILE_BYTES_MAX => return Ok(None),
        Ok(_) => {}
    }
    let bytes = fs::read(&path)?;
    Ok(serde_json::from_slice(&bytes).ok().filter(|s: &SpoolState| s.format == FORMAT))
}

/// Replaces the file as a whole: after a power cut it is the old one or the new one.
pub fn write(dir: &Path, state: &SpoolState) -> io::Result<()> {
    let temp = dir.join(STATE_TEMP);
    let mut file = File::create(&temp)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temp, dir.join(STATE_FILE))?;
    sync_dir(dir)
}

/// Makes created, renamed and removed names durable.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_back_and_damage_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        let state = SpoolState {
            format: FORMAT,
            epoch: u64::MAX.to_string(),
            next_seq: 10,
            ledger: Some(Uuid::from_u128(5)),
            stored: [(1, 9)].into_iter().collect(),
        };
        write(dir.path(), &state).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(state.clone()));
        fs::write(dir.path().join(STATE_FILE), b"{\"format\":1").unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        write(dir.path(), &SpoolState { format: 2, ..state }).unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
    }
}
