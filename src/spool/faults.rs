//! The spool on a disk that fails at any step: a power cut, a write cut short, a full disk, a failed synchronisation,
//! one that lasts. Whatever happens, it holds what a plain queue would hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::wire::batch::{Encoding, pack, unpack};

const LARGE: SpoolLimits = SpoolLimits { bytes_max: 16 * SEGMENT_BYTES_MIN, age_max: Duration::from_hours(24) };
const SMALL: SpoolLimits = SpoolLimits { bytes_max: 8 * SEGMENT_BYTES_MIN, age_max: Duration::from_hours(24) };
const LEDGER: Uuid = Uuid::from_u128(1);

/// What happens at one step of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Power fails in the middle of the step.
    PowerCut,
    /// Half of it is done, then an error; the next step works.
    Short,
    /// No room for this step, and the next so many.
    Full(usize),
    /// The disk refuses this step and the next so many: read-only, or gone.
    Refused(usize),
}

const FAULTS: [Fault; 6] =
    [Fault::PowerCut, Fault::Short, Fault::Full(1), Fault::Full(9), Fault::Refused(1), Fault::Refused(7)];

#[derive(Debug, Clone, Default)]
struct Inode {
    /// As programs see it.
    data: Vec<u8>,
    /// As it is after a power cut; what lies between may be there or not.
    durable: Vec<u8>,
    /// A synchronisation failed: the kernel calls the pages clean, and what was written stays away from the disk until
    /// it is written again (fsync(2); Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
    lost: bool,
}

/// A file system that forgets.
#[derive(Debug, Default)]
struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    steps: usize,
    fault: Option<(usize, Fault)>,
    off: bool,
    seed: u64,
}

impl Disk {
    fn random(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as usize % below.max(1)
    }

    /// Whether the step works: `Ok(true)` as a whole, `Ok(false)` by half, and then it fails.
    fn step(&mut self, takes_room: bool) -> io::Result<bool> {
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        let at = self.steps;
        self.steps += 1;
        let Some((from, fault)) = self.fault else { return Ok(true) };
        match fault {
            Fault::PowerCut if at == from => {
                self.off = true;
                Ok(false)
            }
            Fault::Short if at == from => Ok(false),
            Fault::Full(n) if (from..from + n).contains(&at) && takes_room => {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            Fault::Refused(n) if (from..from + n).contains(&at) => {
                Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem))
            }
            _ => Ok(true),
        }
    }

    fn inode(&mut self, name: &str) -> io::Result<&mut Inode> {
        let at = self.names.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(&mut self.inodes[at])
    }

    /// Power comes back: names and contents are the durable ones, or any state on the way to the latest.
    fn power_on(&mut self) {
        if self.random(2) == 0 {
            self.names.clone_from(&self.durable_names);
        } else {
            self.durable_names.clone_from(&self.names);
        }
        for at in 0..self.inodes.len() {
            let Inode { data, durable, lost } = self.inodes[at].clone();
            let kept = match data.len().checked_sub(durable.len()) {
                Some(more) if !lost && data.starts_with(&durable) => {
                    data[..durable.len() + self.random(more + 1)].to_vec()
                }
                _ => durable,
            };
            self.inodes[at] = Inode { data: kept.clone(), durable: kept, lost: false };
        }
        (self.off, self.fault) = (false, None);
    }
}

/// One process's view of a [`Disk`].
#[derive(Debug, Clone, Default)]
struct FaultyDir(Arc<Mutex<Disk>>);

fn half_done() -> io::Error {
    io::Error::other("the step was cut short")
}

impl Dir for FaultyDir {
    fn path(&self) -> &Path {
        Path::new("disk")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().names.keys().cloned().collect())
    }

    fn read(&self, name: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
        let mut disk = self.0.lock().unwrap();
        let data = &disk.inode(name)?.data;
        Ok(data[..data.len().min(bytes_max as usize)].to_vec())
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut disk = self.0.lock().unwrap();
        let data = disk.inode(name)?.data.get(offset as usize..offset as usize + len);
        data.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn create(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        let whole = disk.step(true)?;
        let len = if whole { bytes.len() } else { bytes.len() / 2 };
        let at = disk.inodes.len();
        disk.inodes.push(Inode { data: bytes[..len].to_vec(), ..Inode::default() });
        disk.names.insert(name.to_owned(), at);
        if whole { Ok(()) } else { Err(half_done()) }
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        let full = matches!(disk.fault, Some((_, Fault::Full(_))));
        let done = disk.step(true);
        // A disk that fills up takes what still fits.
        let len = match &done {
            Ok(true) => bytes.len(),
            Ok(false) => bytes.len() / 2,
            Err(_) if full => bytes.len() / 3,
            Err(_) => 0,
        };
        disk.inode(name)?.data.extend_from_slice(&bytes[..len]);
        if done? { Ok(()) } else { Err(half_done()) }
    }

    fn set_len(&mut self, name: &str, len: u64) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        let whole = disk.step(false)?;
        let inode = disk.inode(name)?;
        if whole {
            inode.data.truncate(len as usize);
            Ok(())
        } else {
            Err(half_done())
        }
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        let done = disk.step(true);
        let inode = disk.inode(name)?;
        if !matches!(done, Ok(true)) {
            inode.lost = true;
            done?;
            return Err(half_done());
        }
        if inode.lost && inode.data.len() > inode.durable.len() {
            // It says yes; the pages that the failed one gave up are holes.
            let (kept, len) = (inode.durable.len(), inode.data.len());
            inode.durable.resize(len, 0);
            assert!(kept <= len);
        } else {
            inode.durable.clone_from(&inode.data);
            inode.lost = false;
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        if !disk.step(false)? {
            return Err(half_done());
        }
        let at = disk.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.names.insert(to.to_owned(), at);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        if !disk.step(false)? {
            return Err(half_done());
        }
        disk.names.remove(name).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        if !disk.step(true)? {
            return Err(half_done());
        }
        disk.durable_names = disk.names.clone();
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// So many batches of this size.
    Append(usize, usize),
    /// The hub has stored the oldest so many.
    Stored(usize),
    Save,
    Reopen,
}

/// The plain queue beside the spool.
struct Run {
    disk: FaultyDir,
    limits: SpoolLimits,
    spool: Option<Spool>,
    epochs: u64,
    /// Confirmed as durable, by number: what the spool must hold until it is stored.
    queue: BTreeMap<u64, String>,
    /// Handed over and not confirmed: the agent tries them again. Nobody promised them.
    unsure: BTreeSet<String>,
    /// What a number was offered for sending for, ever.
    offered: BTreeMap<(u64, u64), String>,
    stored: RangeSet,
    n_made: usize,
}

fn text_of(spool: &mut Spool, seq: u64) -> Option<String> {
    let record = spool.read(seq).unwrap()?;
    Some(String::from_utf8(unpack(Encoding::Gzip, &record.payload, record.crc).unwrap()).unwrap())
}

impl Run {
    fn new(limits: SpoolLimits, fault: Option<(usize, Fault)>, seed: u64) -> Self {
        let disk = FaultyDir::default();
        (disk.0.lock().unwrap().fault, disk.0.lock().unwrap().seed) = (fault, seed);
        let mut run = Self {
            disk,
            limits,
            spool: None,
            epochs: 0,
            queue: BTreeMap::new(),
            unsure: BTreeSet::new(),
            offered: BTreeMap::new(),
            stored: RangeSet::new(),
            n_made: 0,
        };
        run.open();
        run
    }

    fn power_cut(&self) -> bool {
        self.disk.0.lock().unwrap().off
    }

    /// As the agent: tries again until the disk lets it, and power is there.
    fn open(&mut self) {
        for _ in 0..20 {
            if self.power_cut() {
                self.disk.0.lock().unwrap().power_on();
            }
            self.epochs += 1;
            let Ok(spool) = Spool::open_in(Box::new(self.disk.clone()), self.limits, self.epochs) else { continue };
            if spool.recovery().new_epoch {
                assert!(self.pending().is_empty(), "a new epoch while {:?} are not stored", self.pending());
                self.queue.clear();
                self.stored = RangeSet::new();
            }
            assert_eq!(spool.recovery().corrupt_records, 0);
            self.spool = Some(spool);
            return;
        }
        panic!("the spool does not open");
    }

    fn pending(&self) -> BTreeMap<u64, String> {
        self.queue.iter().filter(|(seq, _)| !self.stored.contains(**seq)).map(|(s, t)| (*s, t.clone())).collect()
    }

    fn take(&mut self, step: &Step) {
        let Some(spool) = self.spool.as_mut() else { unreachable!("opened") };
        match step {
            Step::Append(n, len) => self.append(*n, *len),
            Step::Stored(n) => {
                let first = spool.first();
                let seqs: RangeSet = self.pending().into_keys().filter(|s| *s >= first).take(*n).collect();
                let Some(spool) = self.spool.as_mut() else { unreachable!("opened") };
                let _ = spool.hear_stored(LEDGER, &seqs);
                self.stored.union(&seqs);
            }
            Step::Save => drop(spool.save_if_dirty()),
            Step::Reopen => {
                self.spool = None;
                self.open();
                // The state file may be older than what the hub said: then it says it again.
                let Some(spool) = self.spool.as_mut() else { unreachable!("opened") };
                let _ = spool.hear_stored(LEDGER, &self.stored);
            }
        }
        if self.power_cut() {
            self.spool = None;
            self.open();
            self.after_power_cut();
        }
        self.check();
    }

    fn append(&mut self, n: usize, len: usize) {
        let texts: Vec<String> = (0..n).map(|i| noise(self.n_made + i, len)).collect();
        self.n_made += n;
        let mut rest = texts;
        // The agent keeps what was refused and tries again.
        for _ in 0..12 {
            let Some(spool) = self.spool.as_mut() else { unreachable!("opened") };
            let done = spool.append(&rest.iter().map(|t| batch(t)).collect::<Vec<_>>());
            assert!(done.error.is_some() || done.seqs.len() == rest.len());
            for (seq, text) in done.seqs.iter().zip(rest.drain(..done.seqs.len())) {
                assert!(self.queue.insert(*seq, text).is_none(), "{seq} was given twice");
            }
            if rest.is_empty() || self.power_cut() {
                break;
            }
        }
        self.unsure.extend(rest);
    }

    /// What was refused and not tried again may have come through whole.
    fn after_power_cut(&mut self) {
        let Some(spool) = self.spool.as_mut() else { unreachable!("opened") };
        let mut from = 0;
        while let Some(seq) = spool.pending_from(from) {
            from = seq + 1;
            let text = text_of(spool, seq).expect("an undamaged batch");
            if !self.queue.contains_key(&seq) && self.unsure.remove(&text) {
                self.queue.insert(seq, text);
            }
        }
        self.unsure.clear();
        let _ = spool.hear_stored(LEDGER, &self.stored);
    }

    fn check(&mut self) {
        let wanted = self.pending();
        let Some(spool) = self.spool.as_mut() else { unreachable!("opened") };
        let mut held: BTreeMap<u64, String> = BTreeMap::new();
        while let Some(seq) = spool.pending_from(held.last_key_value().map_or(0, |(s, _): (&u64, &String)| *s + 1)) {
            held.insert(seq, text_of(spool, seq).expect("an undamaged batch"));
        }
        // Only the oldest may be missing, and only where a bound or a full disk made them go.
        let first = spool.first();
        let wanted: BTreeMap<u64, String> = wanted.into_iter().filter(|(seq, _)| *seq >= first).collect();
        assert_eq!(held, wanted);
        assert!(spool.bytes() <= self.limits.bytes_max);
        let missing: Vec<u64> = self.queue.keys().copied().filter(|s| *s < first).collect();
        let missing = missing.into_iter().filter(|s| !self.stored.contains(*s)).count() as u64;
        let evicted = spool.counters().evicted_batches + spool.before.0;
        // A count that was not saved before a power cut is lost; `first` still proves the loss.
        assert!(evicted <= missing, "{evicted} counted, {missing} missing");
        for (seq, text) in held {
            let known = self.offered.entry((spool.epoch(), seq)).or_insert_with(|| text.clone());
            assert_eq!(*known, text, "{seq} was used for two batches");
        }
        let twice: BTreeSet<&String> = self.queue.values().collect();
        assert_eq!(twice.len(), self.queue.len(), "a batch has two numbers");
    }

    fn missing(&self) -> usize {
        let first = self.spool.as_ref().map_or(0, Spool::first);
        self.queue.keys().filter(|s| **s < first && !self.stored.contains(**s)).count()
    }
}

fn batch(text: &str) -> NewBatch {
    let origin =
        Origin { boot: 1, mono_ms: MonoMillis(2), made_at: UnixMillis(1_800_000_000_000), clock: ClockQuality::Set };
    NewBatch { packed: pack(text.as_bytes()).unwrap(), n_samples: 1, origin }
}

/// Text that does not pack, another one for each seed.
fn noise(seed: usize, len: usize) -> String {
    let mut state = seed as u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (state >> 33) as u8 % 90)
    };
    format!("{seed} {}", (0..len).map(|_| next()).collect::<String>())
}

/// Every kind of step: several batches at once, new segments, what is stored goes, the state is written, a restart.
const SCRIPT: [Step; 12] = [
    Step::Append(3, 900),
    Step::Append(4, 1100),
    Step::Stored(2),
    Step::Save,
    Step::Append(2, 1500),
    Step::Reopen,
    Step::Append(3, 700),
    Step::Stored(7),
    Step::Append(5, 1300),
    Step::Reopen,
    Step::Stored(9),
    Step::Append(1, 100),
];

#[test]
fn a_fault_at_every_step_loses_nothing_that_was_promised() {
    let run_all = |limits, fault, seed| {
        let mut run = Run::new(limits, fault, seed);
        for step in &SCRIPT {
            run.take(step);
        }
        run
    };
    let n_steps = run_all(LARGE, None, 0).disk.0.lock().unwrap().steps;
    assert!(n_steps > 30, "{n_steps}");
    for fault in FAULTS {
        for at in 0..n_steps {
            for seed in 0..2 {
                let run = run_all(LARGE, Some((at, fault)), seed);
                if !matches!(fault, Fault::Full(_)) {
                    assert_eq!(run.missing(), 0, "{fault:?} at {at}");
                }
            }
        }
    }
}

#[test]
fn a_full_disk_costs_the_oldest_and_delivery_goes_on() {
    let mut run = Run::new(LARGE, None, 1);
    run.take(&Step::Append(8, 3000));
    let now = run.disk.0.lock().unwrap().steps;
    // The reserve makes room at once.
    run.disk.0.lock().unwrap().fault = Some((now, Fault::Full(1)));
    run.take(&Step::Append(1, 3000));
    let spool = run.spool.as_mut().unwrap();
    assert_eq!((spool.reserve, spool.counters().evicted_batches, spool.pending()), (false, 0, 9));
    // Full for good: every write finds room by what is given up before it.
    run.disk.0.lock().unwrap().fault = None;
    for n in 0..20 {
        let now = run.disk.0.lock().unwrap().steps;
        run.disk.0.lock().unwrap().fault = Some((now, Fault::Full(1)));
        run.take(&Step::Append(1, 3000));
        assert!(run.unsure.is_empty(), "batch {n}");
    }
    let spool = run.spool.as_mut().unwrap();
    let evicted = spool.counters().evicted_batches;
    assert!(evicted > 0 && spool.first() == evicted + 1 && spool.next_seq() == 30);
    // Room again: an hour later the reserve is back.
    run.disk.0.lock().unwrap().fault = None;
    let now = UnixMillis(1_800_000_000_000);
    spool.upkeep(now, ClockQuality::Set, MonoMillis(0)).unwrap();
    assert!(!spool.reserve);
    spool.upkeep(now, ClockQuality::Set, MonoMillis(0) + RESERVE_PAUSE).unwrap();
    assert!(spool.reserve);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn behaves_as_a_plain_queue_on_a_failing_disk(
        steps in prop::collection::vec(prop_oneof![
            4 => (1_usize..5, 1_usize..1800).prop_map(|(n, len)| Step::Append(n, len)),
            2 => (1_usize..12).prop_map(Step::Stored),
            1 => Just(Step::Save),
            1 => Just(Step::Reopen),
        ], 1..30),
        at in 0_usize..150,
        kind in 0_usize..FAULTS.len(),
        seed in any::<u64>(),
        small in any::<bool>(),
    ) {
        let mut run = Run::new(if small { SMALL } else { LARGE }, Some((at, FAULTS[kind])), seed);
        for step in &steps {
            run.take(step);
        }
    }
}
