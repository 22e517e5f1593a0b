//! Where a spool's bytes lie: the few things that it asks of a file system. A trait only so that tests can put a disk
//! in its place that fails at any step, and forgets what was not synchronised.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{SpoolError, io_error};

/// A flat directory. Names are the spool's own; nothing is durable before it is synchronised.
pub trait Dir: fmt::Debug + Send {
    /// For messages.
    fn path(&self) -> &Path;
    fn list(&self) -> io::Result<Vec<String>>;
    /// The first `bytes_max` bytes of a file.
    fn read(&self, name: &str, bytes_max: u64) -> io::Result<Vec<u8>>;
    /// Exactly `len` bytes.
    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// Makes a file with this content, in place of one of that name.
    fn create(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Adds to the end of a file that exists. After an error any part of it may be there.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    fn set_len(&mut self, name: &str, len: u64) -> io::Result<()>;
    /// Makes a file's content and length durable.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Makes created, renamed and removed names durable.
    fn sync_names(&mut self) -> io::Result<()>;
}

/// A directory of the file system.
#[derive(Debug)]
pub struct DiskDir {
    path: PathBuf,
    /// The file that was written last, for appending.
    open: Option<(String, File)>,
    /// Held open: the lock lasts as long. `None` for one that only looks.
    _lock: Option<File>,
}

impl DiskDir {
    /// Makes the directory and takes its lock: two processes would give one number to two batches.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        fs::create_dir_all(path).map_err(io_error(path, "create directory"))?;
        let name = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&name)
            .map_err(io_error(&name, "open lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), open: None, _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(SpoolError::Locked { dir: path.to_owned() }),
            Err(TryLockError::Error(e)) => Err(io_error(&name, "take lock")(e)),
        }
    }

    /// For reading beside an agent at work: takes no lock, creates nothing.
    pub fn look(path: &Path) -> Self {
        Self { path: path.to_owned(), open: None, _lock: None }
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        if self.open.as_ref().is_none_or(|(n, _)| n != name) {
            let file = OpenOptions::new().append(true).open(self.path.join(name))?;
            self.open = Some((name.to_owned(), file));
        }
        let Some((_, file)) = self.open.as_mut() else { unreachable!("opened above") };
        Ok(file)
    }

    fn forget(&mut self, name: &str) {
        self.open.take_if(|(n, _)| n == name);
    }
}

impl Dir for DiskDir {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.path)?.map(|f| Ok(f?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&self, name: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path.join(name))?.take(bytes_max).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        File::open(self.path.join(name))?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn create(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.forget(name);
        File::create(self.path.join(name))?.write_all(bytes)
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all(bytes)
    }

    fn set_len(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.file(name)?.set_len(len)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        // fdatasync(2): the length is part of what it makes durable, times are not.
        self.file(name)?.sync_data()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.forget(from);
        self.forget(to);
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.forget(name);
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}
