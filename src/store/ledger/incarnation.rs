//! Tells a ledger that went on from one that was put back.
//!
//! What an old copy has forgotten was acknowledged, so agents must be told to send again all that they still hold: that
//! is what a new ledger id means to them. A small file beside the database (`ledger.sqlite.incarnation`) is what a copy
//! does not take along, or takes along wrongly. It holds a random number of this opening, which the database holds too;
//! the newest row, brought up to date at each commit; and its own inode and time of birth. The ledger gets a new id
//! when the file is not there (a copy of the database alone), is of another opening (a copy made before the last
//! start), knows of a row that the database does not have (a copy made since then), or is itself a copy (a whole
//! directory put back).
//!
//! A new id where none was needed costs some repeats and nothing else. Two cases no file can tell: a picture of the whole
//! disk (a virtual machine set back), and both files written over in place by copies of this very opening. Then the
//! agents' numbers prove the loss, and it is reported.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use uuid::Uuid;

/// Digits of the newest row.
const ROW_DIGITS: usize = 19;

/// Why a ledger is taken for another one than agents know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutBack {
    NoFile,
    OtherOpening,
    RowsMissing,
    FileIsACopy,
}

impl PutBack {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoFile => "the file beside it is missing: this is a copy of the database",
            Self::OtherOpening => "it is a copy made before the last start",
            Self::RowsMissing => "batches that it had stored are not in it: it is an older copy",
            Self::FileIsACopy => "its directory is a copy",
        }
    }
}

/// The file, open.
pub struct Incarnation {
    file: File,
}

/// What the file says.
struct Said {
    opening: String,
    birth: String,
    newest_row: i64,
}

fn path_of(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".incarnation");
    PathBuf::from(name)
}

/// Inode and time of birth, where the file system keeps one.
fn birth(file: &File) -> io::Result<String> {
    let metadata = file.metadata()?;
    let born = metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Ok(format!("{}-{}", metadata.ino(), born.map_or(0, |since| since.as_nanos())))
}

fn read(path: &Path) -> io::Result<Option<(Said, String)>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut bytes = [0_u8; 256];
    let n = file.read_at(&mut bytes, 0)?;
    let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default().to_owned();
    let (newest_row, opening, birth_said) = (next(), next(), next());
    // What cannot be read counts as beyond every row.
    let newest_row = newest_row.parse().unwrap_or(i64::MAX);
    Ok(Some((Said { opening, birth: birth_said, newest_row }, birth(&file)?)))
}

/// Compares the file with what the database says of its last opening and its newest row.
pub fn judge(ledger: &Path, opening: Option<&str>, newest_row: i64) -> io::Result<Option<PutBack>> {
    let Some((said, birth)) = read(&path_of(ledger))? else { return Ok(Some(PutBack::NoFile)) };
    Ok(if opening != Some(said.opening.as_str()) {
        Some(PutBack::OtherOpening)
    } else if said.newest_row > newest_row {
        Some(PutBack::RowsMissing)
    } else if said.birth != birth {
        Some(PutBack::FileIsACopy)
    } else {
        None
    })
}

impl Incarnation {
    /// Writes the file of this opening; the database must hold `opening` already.
    pub fn begin(ledger: &Path, opening: Uuid, newest_row: i64) -> io::Result<Self> {
        let path = path_of(ledger);
        let mut new = path.clone().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        // What an attempt left behind would be older than it says.
        match fs::remove_file(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = File::options().create_new(true).read(true).write(true).open(&new)?;
        let birth = birth(&file)?;
        write!(file, "{newest_row:0ROW_DIGITS$}\n{opening}\n{birth}\n")?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            File::open(dir)?.sync_all()?;
        }
        Ok(Self { file })
    }

    /// Notes the newest row. Not synchronised: after a power cut the file may be behind, never ahead.
    pub fn note(&self, newest_row: i64) -> io::Result<()> {
        self.file.write_all_at(format!("{newest_row:0ROW_DIGITS$}").as_bytes(), 0)
    }
}
