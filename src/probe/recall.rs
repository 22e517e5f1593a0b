//! The file of what is remembered of the devices (`devices.txt` in the agent's data directory).
//!
//! Small boxes keep it on flash: it is written only when something in it has changed, at most every [`WRITE_EVERY`],
//! and at the end. A first line names the format, then one line a device with its checksum. A line that is damaged is
//! counted, and its device is learnt anew; so is the whole file where it is of another format. Written beside, synced,
//! and renamed: a power cut leaves the old file or the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::memory::{DeviceMemory, decode, encode};
use crate::model::DeviceId;
use crate::runtime::tasks::Shutdown;

/// Its name in the data directory.
pub const FILE: &str = "devices.txt";
const FORMAT: &str = "vedetta devices 1";
/// A larger file is none of ours: 20,000 devices take some 15 MiB.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often it is looked whether there is something to write.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// From one writing to the next.
const WRITE_EVERY: Duration = Duration::from_mins(10);

/// What is remembered of all devices. Clones share it. The default remembers until the process ends.
#[derive(Debug, Clone, Default)]
pub struct Memories(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    devices: BTreeMap<DeviceId, DeviceMemory>,
    changed: bool,
    /// Damaged lines, files that could not be read, writings that failed.
    faults: u64,
}

impl Memories {
    /// Reads the file. Whatever is wrong with it is counted and said: polling needs none of it.
    pub fn load(path: &Path) -> Self {
        let mut inner = Inner::default();
        match read(path) {
            Ok(text) => inner.take(&text),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => {
                inner.faults += 1;
                tracing::warn!(path = %path.display(), error = %e, "what was known of the devices cannot be read");
            }
        }
        if inner.faults > 0 {
            tracing::warn!(path = %path.display(), damaged = inner.faults, "devices are learnt anew");
        }
        Self(Arc::new(Mutex::new(inner)))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves at worst one device's memory half made: it is made again at the next poll.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered of a device; nothing of a new one.
    pub fn recall(&self, device: &DeviceId) -> DeviceMemory {
        self.lock().devices.get(device).cloned().unwrap_or_default()
    }

    /// Remembers.
    pub fn remember(&self, device: &DeviceId, memory: DeviceMemory) {
        let mut inner = self.lock();
        inner.devices.insert(device.clone(), memory);
        inner.changed = true;
    }

    /// Forgets devices that are not in the inventory any longer.
    pub fn keep_only(&self, known: &BTreeSet<&DeviceId>) {
        self.lock().devices.retain(|device, _| known.contains(device));
    }

    /// Damaged lines and failed writings since the start.
    pub fn faults(&self) -> u64 {
        self.lock().faults
    }

    /// Keeps the file until `shutdown`.
    pub async fn keep(self, path: PathBuf, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        look.tick().await;
        let mut looks = WRITE_EVERY.as_secs() / LOOK_EVERY.as_secs();
        loop {
            let last = tokio::select! {
                () = shutdown.wait() => true,
                _ = look.tick() => false,
            };
            looks += 1;
            if (last || looks * LOOK_EVERY.as_secs() >= WRITE_EVERY.as_secs())
                && let Some(text) = self.to_write()
            {
                looks = 0;
                let path = path.clone();
                let written = tokio::task::spawn_blocking(move || write(&path, &text)).await?;
                self.note_written(&written);
            }
            if last {
                return Ok(());
            }
        }
    }

    /// The file's text, if it has changed.
    fn to_write(&self) -> Option<String> {
        let mut inner = self.lock();
        std::mem::take(&mut inner.changed).then(|| inner.text())
    }

    fn note_written(&self, written: &io::Result<()>) {
        if let Err(e) = written {
            let mut inner = self.lock();
            inner.changed = true;
            inner.faults += 1;
            tracing::warn!(error = %e, "what is known of the devices cannot be written");
        }
    }
}

impl Inner {
    fn take(&mut self, text: &str) {
        let mut lines = text.lines();
        if lines.next() != Some(FORMAT) {
            self.faults += 1;
            return;
        }
        for line in lines {
            match decode(line) {
                Some((device, memory)) => match DeviceId::parse(&device) {
                    Ok(device) => drop(self.devices.insert(device, memory)),
                    Err(_) => self.faults += 1,
                },
                None => self.faults += 1,
            }
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{FORMAT}\n");
        for (device, memory) in &self.devices {
            text.push_str(&encode(device.as_str(), memory));
            text.push('\n');
        }
        text
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    // A damaged byte spoils its own line only.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The new name is durable once its directory is.
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> DeviceId {
        DeviceId::parse(text).unwrap()
    }

    fn memory(variables: usize) -> DeviceMemory {
        let speech = super::super::memory::Speech { version: super::super::access::Version::V1, variables, bulk: None };
        let mut memory = DeviceMemory::default();
        memory.speech = Some(speech);
        memory
    }

    #[tokio::test]
    async fn what_is_remembered_is_written_at_the_end_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let known: BTreeSet<_> = ["a", "b", "c"].map(id).into();
        let memories = Memories::load(&path);
        assert_eq!(memories.faults(), 0, "a first start finds no file");
        for (i, device) in known.iter().enumerate() {
            memories.remember(device, memory(i + 1));
        }
        let (switch, shutdown) = Shutdown::new();
        switch.stop();
        memories.keep(path.clone(), shutdown.clone()).await.unwrap();
        let again = Memories::load(&path);
        assert_eq!(again.recall(&id("b")), memory(2));
        let fewer = ["a", "c", "d"].map(id);
        again.keep_only(&fewer.iter().collect());
        assert_eq!(again.recall(&id("c")), memory(3));
        assert_eq!(again.recall(&id("b")), DeviceMemory::default(), "no longer in the inventory");
        assert_eq!(again.recall(&id("d")), DeviceMemory::default());
        // Nothing has changed: nothing is written.
        fs::remove_file(&path).unwrap();
        again.keep(path.clone(), shutdown).await.unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn damage_costs_only_what_it_hits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let memories = Memories::load(&path);
        memories.remember(&id("a"), memory(1));
        memories.remember(&id("b"), memory(2));
        let whole = memories.to_write().unwrap().into_bytes();
        let second = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x20;
            fs::write(&path, &bytes).unwrap();
            let read = Memories::load(&path);
            assert!(read.faults() >= 1, "byte {place}");
            if place >= second {
                let left = ["a", "b"].iter().filter(|d| read.recall(&id(d)) != DeviceMemory::default()).count();
                assert!(left <= 1, "byte {place}: {left} devices");
            }
        }
        // A write that was cut short, by a box whose file system ignored fsync.
        write(&path, std::str::from_utf8(&whole[..whole.len() - 9]).unwrap()).unwrap();
        let torn = Memories::load(&path);
        assert_eq!((torn.recall(&id("a")), torn.faults()), (memory(1), 1));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_a_counted_fault_and_tried_again() {
        let memories = Memories::default();
        memories.remember(&id("a"), memory(1));
        assert!(memories.to_write().is_some());
        memories.note_written(&write(Path::new("/nowhere/at/all"), ""));
        assert_eq!(memories.faults(), 1);
        assert!(memories.to_write().is_some());
        assert!(memories.to_write().is_none());
    }
}
