//! The log of who logged in, failed to, logged out, and whose account was made or removed.
//!
//! One JSON object a line, each with the SHA-256 of itself and of the line before it: whoever changes, removes or
//! inserts a line breaks the chain from there on, and [`verify`] says where. A whole new chain can only be told by
//! the digest of its last line, which the hub also writes to its own log (the system's journal, another file with
//! other rights). What the Garante asks of administrators' accesses (27 November 2008, 4.5: complete, unalterable,
//! verifiable, at least six months) holds for [`KEEP`].

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::config::text::hex;

/// The file, in the hub's data directory.
pub const FILE: &str = "access.log";
/// A line is kept for so long at least: thirteen months.
pub const KEEP: Duration = Duration::from_hours(400 * 24);
/// How often old lines are looked for, in lines.
const PRUNE_EVERY: u64 = 512;
/// The longest line: names and addresses are short.
const LINE_BYTES_MAX: u64 = 4096;
/// Before the first line.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Login,
    LoginFailed,
    Logout,
    AccountAdded,
    AccountRenewed,
    AccountRemoved,
    LinkAdded,
    LinkRemoved,
}

/// One event, before it has a place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The account; `?` where somebody named one that there is not (it may be a password in the wrong field).
    pub who: String,
    pub what: What,
    /// An address, or `terminal`.
    pub from: String,
    pub note: Option<String>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, without a gap.
    pub n: u64,
    /// RFC 3339, UTC.
    pub at: String,
    pub who: String,
    pub what: What,
    pub from: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The hash of the line before.
    pub prev: String,
    /// SHA-256 of this object with an empty `hash`, in hexadecimal.
    pub hash: String,
}

impl Entry {
    fn digest(&self) -> String {
        let bare = Self { hash: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&bare).unwrap_or_default();
        hex(&Sha256::digest(&text))
    }
}

/// Where the chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Broken {
    pub line: usize,
    pub why: &'static str,
}

/// Adds a line, and has it on the disk when it returns. Several processes may do so at once.
pub fn append(path: &Path, event: &Event, at: Timestamp) -> io::Result<Entry> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.lock()?;
    let last = last_line(&mut file)?;
    let (n, prev) = match last.as_deref().map(serde_json::from_str::<Entry>) {
        None => (0, GENESIS.to_owned()),
        Some(Ok(entry)) => (entry.n, entry.hash),
        Some(Err(e)) => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("its last line: {e}"))),
    };
    let mut entry = Entry {
        n: n + 1,
        at: at.to_string(),
        who: event.who.clone(),
        what: event.what,
        from: event.from.clone(),
        note: event.note.clone(),
        prev,
        hash: String::new(),
    };
    entry.hash = entry.digest();
    let mut line = serde_json::to_vec(&entry)?;
    line.push(b'\n');
    file.seek(SeekFrom::End(0))?;
    file.write_all(&line)?;
    file.sync_all()?;
    if entry.n.is_multiple_of(PRUNE_EVERY) {
        prune(&mut file, at)?;
    }
    Ok(entry)
}

/// The last whole line. What a power cut left of another was never told to anybody, and goes.
fn last_line(file: &mut File) -> io::Result<Option<String>> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(2 * LINE_BYTES_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(2 * LINE_BYTES_MAX).read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    if whole == 0 && from > 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its last line is too long"));
    }
    if whole < tail.len() {
        file.set_len(from + whole as u64)?;
    }
    let text = String::from_utf8_lossy(tail.get(..whole).unwrap_or_default());
    Ok(text.lines().next_back().map(str::to_owned))
}

/// Takes away the lines that are older than [`KEEP`], in place: the lock is on this very file.
fn prune(file: &mut File, now: Timestamp) -> io::Result<()> {
    let oldest = now - jiff::SignedDuration::try_from(KEEP).unwrap_or(jiff::SignedDuration::MAX);
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_string(&mut text)?;
    let is_old = |line: &&str| {
        let entry = serde_json::from_str::<Entry>(line).ok();
        entry.and_then(|e| e.at.parse::<Timestamp>().ok()).is_some_and(|at| at < oldest)
    };
    let old: usize = text.split_inclusive('\n').take_while(is_old).map(str::len).sum();
    if let Some(kept) = text.get(old..).filter(|_| old > 0) {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(kept.as_bytes())?;
        file.set_len(kept.len() as u64)?;
        file.sync_all()?;
    }
    Ok(())
}

/// All entries in order, and where the chain breaks first, if it does. `[P]`
pub fn verify(text: &str) -> (Vec<Entry>, Option<Broken>) {
    let mut entries: Vec<Entry> = Vec::new();
    let mut broken = None;
    for (at, line) in text.lines().enumerate() {
        let why = match serde_json::from_str::<Entry>(line) {
            Err(_) => Some("is not a line of this log"),
            Ok(entry) => {
                let before = entries.last();
                let why = if entry.digest() != entry.hash {
                    Some("was changed after it was written")
                } else if before.map_or(entry.n == 1 && entry.prev != GENESIS, |b| b.hash != entry.prev) {
                    Some("does not follow the line before: lines were removed, inserted or exchanged")
                } else if before.is_some_and(|b| b.n + 1 != entry.n) {
                    Some("has the wrong number")
                } else {
                    None
                };
                entries.push(entry);
                why
            }
        };
        if let (None, Some(why)) = (&broken, why) {
            broken = Some(Broken { line: at + 1, why });
        }
    }
    (entries, broken)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn event(who: &str) -> Event {
        Event { who: who.into(), what: What::Login, from: "192.0.2.7".into(), note: None }
    }

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + day * 86_400).unwrap()
    }

    fn written(lines: i64) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for day in 0..lines {
            append(&path, &event(&format!("anna{day}")), at(day)).unwrap();
        }
        (dir, path)
    }

    #[test]
    fn every_kind_of_tampering_is_found() {
        let (_dir, path) = written(6);
        let text = std::fs::read_to_string(&path).unwrap();
        let (entries, broken) = verify(&text);
        assert_eq!((entries.len(), broken), (6, None));
        let lines: Vec<&str> = text.lines().collect();
        let check = |tampered: Vec<String>, line: usize, what: &str| {
            let (_, broken) = verify(&tampered.join("\n"));
            assert_eq!(broken.map(|b| b.line), Some(line), "{what}");
        };
        let owned = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
        for n in 0..6 {
            let mut changed = owned(&lines);
            changed[n] = changed[n].replace("192.0.2.7", "192.0.2.8");
            check(changed, n + 1, "changed");
            let mut swapped = owned(&lines);
            if n > 0 {
                swapped.swap(n - 1, n);
                check(swapped, if n == 1 { 2 } else { n }, "exchanged");
                let mut forged = owned(&lines);
                let mut entry: Entry = serde_json::from_str(&forged[n]).unwrap();
                entry.who = "bruno".into();
                entry.hash = entry.digest();
                forged[n] = serde_json::to_string(&entry).unwrap();
                if n < 5 {
                    check(forged, n + 2, "forged with its own hash");
                }
            }
            if n > 0 && n < 5 {
                let mut removed = owned(&lines);
                removed.remove(n);
                check(removed, n + 1, "removed");
            }
            let mut inserted = owned(&lines);
            inserted.insert(n, lines[n].to_owned());
            check(inserted, n + 2, "inserted");
        }
        check(owned(&["{}"]), 1, "no line");
    }

    #[test]
    fn a_line_that_a_power_cut_tore_goes_and_the_chain_goes_on() {
        let (_dir, path) = written(3);
        let text = std::fs::read_to_string(&path).unwrap();
        for cut in 1..text.lines().next_back().unwrap().len() {
            std::fs::write(&path, &text[..text.len() - cut]).unwrap();
            append(&path, &event("bruno"), at(9)).unwrap();
            let (entries, broken) = verify(&std::fs::read_to_string(&path).unwrap());
            assert_eq!((entries.len(), broken), (3, None), "{cut}");
        }
    }

    #[test]
    fn a_damaged_end_is_an_error_and_not_a_new_chain() {
        let (_dir, path) = written(1);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("something else\n");
        std::fs::write(&path, &text).unwrap();
        assert_eq!(append(&path, &event("anna"), at(2)).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        std::fs::write(&path, "x".repeat(100_000)).unwrap();
        assert_eq!(append(&path, &event("anna"), at(2)).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn lines_are_kept_for_thirteen_months_and_the_rest_still_verifies() {
        let (_dir, path) = written(PRUNE_EVERY as i64);
        let (entries, broken) = verify(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(broken, None);
        assert_eq!(entries.last().map(|e| e.n), Some(PRUNE_EVERY));
        assert_eq!(entries.len(), 401, "today and 400 days before");
    }

    #[test]
    fn two_processes_write_one_chain() {
        let (_dir, path) = written(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10).for_each(|_| drop(append(&path, &event("anna"), at(0)).unwrap())));
            }
        });
        let (entries, broken) = verify(&std::fs::read_to_string(&path).unwrap());
        assert_eq!((entries.len(), broken), (40, None));
    }
}
