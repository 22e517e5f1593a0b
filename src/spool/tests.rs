use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};

use proptest::prelude::*;

use super::*;
use crate::wire::batch::{Encoding, pack, unpack};

const LARGE: SpoolLimits = SpoolLimits { bytes_max: 1_000_000, age_max: Duration::from_hours(24) };
/// Segments of 4 KiB, eight of them.
const SMALL: SpoolLimits = SpoolLimits { bytes_max: 8 * SEGMENT_BYTES_MIN, age_max: Duration::from_hours(24) };
const LEDGER: Uuid = Uuid::from_u128(1);

fn batch_at(text: &str, made_at: UnixMillis, clock: ClockQuality) -> NewBatch {
    let origin = Origin { boot: 1, mono_ms: MonoMillis(2), made_at, clock };
    NewBatch { packed: pack(text.as_bytes()).unwrap(), n_samples: 1, origin }
}

fn batch(text: &str) -> NewBatch {
    batch_at(text, UnixMillis(1_800_000_000_000), ClockQuality::Set)
}

/// Text that does not pack: `len` bytes of digits.
fn noise(seed: u64, len: usize) -> String {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (state >> 33) as u8 % 90)
    };
    (0..len).map(|_| next()).collect()
}

fn add(spool: &mut Spool, text: &str) -> u64 {
    let done = spool.append(&[batch(text)]);
    assert!(done.error.is_none(), "{:?}", done.error);
    done.seqs[0]
}

fn text_of(spool: &mut Spool, seq: u64) -> Option<String> {
    let record = spool.read(seq).unwrap()?;
    Some(String::from_utf8(unpack(Encoding::Gzip, &record.payload, record.crc).unwrap()).unwrap())
}

fn pending(spool: &Spool) -> Vec<u64> {
    let mut seqs = Vec::new();
    while let Some(seq) = spool.pending_from(seqs.last().map_or(0, |s: &u64| *s + 1)) {
        seqs.push(seq);
    }
    seqs
}

fn hear(spool: &mut Spool, ranges: &[(u64, u64)]) {
    spool.hear_stored(LEDGER, &ranges.iter().copied().collect()).unwrap();
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "seg"));
    files.sort();
    files
}

#[test]
fn what_is_appended_is_read_also_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), LARGE, 77).unwrap();
    assert!(spool.recovery().new_epoch);
    let done = spool.append(&[batch("one"), batch("two"), batch("three")]);
    assert_eq!(done.seqs, [1, 2, 3]);
    drop(spool);
    let mut spool = Spool::open(dir.path(), LARGE, 88).unwrap();
    assert_eq!((spool.epoch(), spool.first(), spool.next_seq(), spool.pending()), (77, 1, 4, 3));
    assert_eq!(text_of(&mut spool, 2).as_deref(), Some("two"));
    assert_eq!(text_of(&mut spool, 9), None);
    assert_eq!(add(&mut spool, "four"), 4);
}

#[test]
fn a_spool_is_used_by_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let first = Spool::open(dir.path(), LARGE, 1).unwrap();
    assert!(matches!(Spool::open(dir.path(), LARGE, 2), Err(SpoolError::Locked { .. })));
    drop(first);
    Spool::open(dir.path(), LARGE, 3).unwrap();
}

#[test]
fn an_empty_spool_begins_a_new_epoch_and_a_full_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), LARGE, 1).unwrap();
    add(&mut spool, "one");
    add(&mut spool, "two");
    hear(&mut spool, &[(1, 1)]);
    spool.save_if_dirty().unwrap();
    drop(spool);
    let mut spool = Spool::open(dir.path(), LARGE, 2).unwrap();
    assert_eq!((spool.epoch(), pending(&spool)), (1, vec![2]));
    hear(&mut spool, &[(2, 2)]);
    spool.save_if_dirty().unwrap();
    drop(spool);
    let spool = Spool::open(dir.path(), LARGE, 3).unwrap();
    assert_eq!((spool.epoch(), spool.next_seq(), spool.ledger()), (3, 1, Some(LEDGER)));
    assert!(segment_files(dir.path()).is_empty());
}

#[test]
fn stored_ranges_are_united_and_never_go_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), LARGE, 1).unwrap();
    for n in 1..=6 {
        add(&mut spool, &n.to_string());
    }
    hear(&mut spool, &[(1, 2), (5, 5)]);
    assert_eq!((pending(&spool), spool.first(), spool.pending()), (vec![3, 4, 6], 3, 3));
    hear(&mut spool, &[(1, 1)]);
    assert_eq!(pending(&spool), [3, 4, 6]);
    hear(&mut spool, &[(3, u64::MAX)]);
    assert_eq!((pending(&spool), spool.first()), (vec![], 7));
    // Nobody can have stored what had no number yet.
    assert_eq!((add(&mut spool, "7"), pending(&spool)), (7, vec![7]));
}

#[test]
fn another_ledger_wants_everything_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), LARGE, 1).unwrap();
    for n in 1..=4 {
        add(&mut spool, &n.to_string());
    }
    hear(&mut spool, &[(1, 4)]);
    assert!(pending(&spool).is_empty());
    spool.hear_stored(Uuid::from_u128(2), &[(2, 2)].into_iter().collect()).unwrap();
    assert_eq!(pending(&spool), [1, 3, 4]);
}

#[test]
fn stored_segments_go_whole_also_from_the_middle() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), SMALL, 1).unwrap();
    for n in 1..=8 {
        add(&mut spool, &noise(n, 2000));
    }
    let n_segments = segment_files(dir.path()).len();
    assert!(n_segments >= 4);
    hear(&mut spool, &[(3, 8)]);
    assert!(segment_files(dir.path()).len() < n_segments);
    assert_eq!(pending(&spool), [1, 2]);
    drop(spool);
    // The numbers of what is gone are not given again.
    let mut spool = Spool::open(dir.path(), SMALL, 2).unwrap();
    assert_eq!((spool.epoch(), add(&mut spool, "next")), (1, 9));
}

#[test]
fn the_oldest_go_when_the_spool_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), SMALL, 1).unwrap();
    for n in 1..=60 {
        assert_eq!(add(&mut spool, &noise(n, 1500)), n);
        assert!(spool.bytes() <= SMALL.bytes_max);
    }
    let held = pending(&spool);
    let evicted = spool.counters().evicted_batches;
    assert!(evicted > 0 && spool.first() == evicted + 1);
    assert_eq!(held, (evicted + 1..=60).collect::<Vec<_>>());
    assert_eq!(text_of(&mut spool, 60), Some(noise(60, 1500)));
}

#[test]
fn age_frees_one_segment_an_hour_and_never_for_a_clock_that_was_not_set() {
    let hours = |n: u64| Duration::from_hours(n);
    let start = UnixMillis(1_800_000_000_000);
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), SMALL, 1).unwrap();
    let put = |spool: &mut Spool, n: u64, clock| {
        let done = spool.append(&[batch_at(&noise(n, 4000), start, clock)]);
        assert!(done.error.is_none());
    };
    for n in 0..4 {
        put(&mut spool, n, ClockQuality::Set);
    }
    let mono = MonoMillis(0);
    spool.evict_aged(start + hours(23), ClockQuality::Set, mono).unwrap();
    spool.evict_aged(start + hours(900), ClockQuality::Unset, mono).unwrap();
    assert_eq!(spool.counters().evicted_batches, 0);
    for _ in 0..3 {
        spool.evict_aged(start + hours(25), ClockQuality::Set, mono).unwrap();
    }
    assert_eq!((spool.counters().evicted_batches, spool.first()), (1, 2));
    spool.evict_aged(start + hours(26), ClockQuality::Set, mono + hours(1)).unwrap();
    assert_eq!(spool.counters().evicted_batches, 2);

    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), SMALL, 1).unwrap();
    for n in 0..4 {
        put(&mut spool, n, ClockQuality::Unset);
    }
    spool.evict_aged(start + hours(900), ClockQuality::Set, mono).unwrap();
    assert_eq!(spool.counters().evicted_batches, 0);
}

/// A spool of three batches, as one file.
fn small_log() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), LARGE, 7).unwrap();
    let done = spool.append(&[batch("one"), batch("two"), batch("three")]);
    assert_eq!(done.seqs.len(), 3);
    fs::read(&segment_files(dir.path())[0]).unwrap()
}

fn open_bytes(dir: &Path, bytes: &[u8]) -> Spool {
    fs::write(dir.join("000000000001.seg"), bytes).unwrap();
    Spool::open(dir, LARGE, 99).unwrap()
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_its_number_not_used_again() {
    let log = small_log();
    let ends: Vec<usize> = record::Scan::new(&log)
        .map(|f| match f {
            record::Found::Record { offset, record } => offset + record.encoded_len(),
            other => panic!("{other:?}"),
        })
        .collect();
    for len in 0..log.len() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = open_bytes(dir.path(), &log[..len]);
        let whole = ends.iter().filter(|end| **end <= len).count() as u64;
        assert_eq!(pending(&spool), (1..=whole).collect::<Vec<_>>(), "cut at {len}");
        let torn = len > record::SEGMENT_HEADER_BYTES && !ends.contains(&len);
        assert_eq!(spool.recovery().torn_bytes > 0, torn, "cut at {len}");
        let next = add(&mut spool, "next");
        assert_eq!(next, whole + 1 + u64::from(torn), "cut at {len}");
        drop(spool);
        let mut spool = Spool::open(dir.path(), LARGE, 100).unwrap();
        assert!(spool.recovery().is_clean(), "cut at {len}");
        assert_eq!(text_of(&mut spool, next).as_deref(), Some("next"), "cut at {len}");
    }
}

#[test]
fn a_damaged_byte_costs_one_batch_at_the_most() {
    let log = small_log();
    for at in 0..log.len() {
        let mut bytes = log.clone();
        bytes[at] ^= 0x55;
        let dir = tempfile::tempdir().unwrap();
        let mut spool = open_bytes(dir.path(), &bytes);
        let held = pending(&spool);
        assert!(held.len() >= 2, "byte {at}: {held:?}");
        assert!(!spool.recovery().is_clean(), "byte {at}");
        for seq in held {
            let wanted = ["one", "two", "three"][seq as usize - 1];
            assert_eq!(text_of(&mut spool, seq).as_deref(), Some(wanted));
        }
        assert_eq!(add(&mut spool, "next"), 4, "byte {at}");
    }
}

#[test]
fn damage_that_comes_later_is_noticed_when_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open_bytes(dir.path(), &small_log());
    let path = &segment_files(dir.path())[0];
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, &bytes).unwrap();
    assert_eq!(text_of(&mut spool, 2), None);
    assert_eq!((spool.counters().corrupt_records, pending(&spool)), (1, vec![1, 3]));
    fs::remove_file(path).unwrap();
    assert_eq!((text_of(&mut spool, 1), text_of(&mut spool, 3)), (None, None));
    assert!(pending(&spool).is_empty());
}

#[test]
fn a_lost_state_file_costs_repeats_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), LARGE, 5).unwrap();
    add(&mut spool, "one");
    add(&mut spool, "two");
    hear(&mut spool, &[(1, 1)]);
    spool.save_if_dirty().unwrap();
    drop(spool);
    fs::write(dir.path().join(state::STATE_FILE), b"\0\0\0\0").unwrap();
    let spool = Spool::open(dir.path(), LARGE, 6).unwrap();
    assert_eq!((spool.epoch(), pending(&spool), spool.next_seq()), (5, vec![1, 2], 3));
}

#[test]
fn a_segment_of_another_epoch_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("000000000001.seg"), small_log()).unwrap();
    let mut other = record::encode_segment_header(8).to_vec();
    other.extend_from_slice(&small_log()[record::SEGMENT_HEADER_BYTES..]);
    fs::write(dir.path().join("000000000002.seg"), other).unwrap();
    let spool = Spool::open(dir.path(), LARGE, 9).unwrap();
    assert_eq!((spool.epoch(), spool.recovery().foreign_segments, pending(&spool)), (8, 1, vec![1, 2, 3]));
    assert!(dir.path().join("000000000001.foreign").exists());
}

#[test]
fn an_inspection_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = small_log();
    fs::write(dir.path().join("000000000001.seg"), &log[..log.len() - 1]).unwrap();
    let seen = inspect(dir.path()).unwrap();
    assert_eq!((seen.epoch, seen.records, seen.pending, seen.held.ranges()), (Some(7), 2, 2, &[(1, 2)][..]));
    assert!(seen.torn_bytes > 0);
    assert_eq!(inspect(dir.path()).unwrap(), seen);
    assert!(inspect(&dir.path().join("nowhere")).is_err());
}

#[derive(Debug, Clone)]
enum Step {
    Append(usize, usize),
    Hear(u64, u64),
    Save,
    Reopen,
    /// Lose so many of the last bytes, as a power cut before a synchronisation would.
    Tear(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_usize..4, 1_usize..1800).prop_map(|(n, len)| Step::Append(n, len)),
        3 => (1_u64..60, 0_u64..8).prop_map(|(a, n)| Step::Hear(a, a + n)),
        1 => Just(Step::Save),
        1 => Just(Step::Reopen),
        1 => (1_usize..200).prop_map(Step::Tear),
    ];
    prop::collection::vec(step, 1..40)
}

/// The plain queue that the spool must look like.
#[derive(Default)]
struct Model {
    held: BTreeMap<u64, String>,
    stored: RangeSet,
    /// Number of every batch ever appended, with its text: none may ever be given twice.
    given: BTreeMap<(u64, u64), String>,
}

impl Model {
    /// Every number below this is stored.
    fn is_over(&self, next_seq: u64) -> bool {
        (1..next_seq).all(|seq| self.stored.contains(seq))
    }

    fn pending(&self) -> Vec<u64> {
        self.held.keys().copied().filter(|s| !self.stored.contains(*s)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn behaves_as_a_plain_queue(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), SMALL, 1).unwrap();
        let mut model = Model::default();
        let mut epochs = 1;
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append(n, len) => {
                    let texts: Vec<String> = (0..n).map(|i| noise((at * 10 + i) as u64, len)).collect();
                    let done = spool.append(&texts.iter().map(|t| batch(t)).collect::<Vec<_>>());
                    prop_assert!(done.error.is_none());
                    prop_assert_eq!(done.seqs.len(), n);
                    for (seq, text) in done.seqs.into_iter().zip(texts) {
                        prop_assert!(model.given.insert((spool.epoch(), seq), text.clone()).is_none());
                        model.held.insert(seq, text);
                    }
                    // Evictions take the oldest and nothing else.
                    let first = spool.pending_from(0).unwrap_or(u64::MAX);
                    model.held.retain(|seq, _| *seq >= first || model.stored.contains(*seq));
                    prop_assert!(spool.bytes() <= SMALL.bytes_max);
                }
                Step::Hear(a, b) => {
                    hear(&mut spool, &[(a, b)]);
                    model.stored.insert_range(a, b.min(spool.next_seq() - 1));
                }
                Step::Save => spool.save_if_dirty().unwrap(),
                Step::Reopen => {
                    let next_seq = spool.next_seq();
                    spool.save_if_dirty().unwrap();
                    drop(spool);
                    epochs += 1;
                    spool = Spool::open(dir.path(), SMALL, epochs).unwrap();
                    prop_assert!(spool.recovery().is_clean());
                    prop_assert_eq!(spool.recovery().new_epoch, model.is_over(next_seq));
                    if spool.recovery().new_epoch {
                        model.held.clear();
                        model.stored = RangeSet::new();
                    }
                }
                Step::Tear(n) => {
                    let next_seq = spool.next_seq();
                    spool.save_if_dirty().unwrap();
                    drop(spool);
                    if let Some(path) = segment_files(dir.path()).pop() {
                        let len = fs::metadata(&path).unwrap().len();
                        let file = OpenOptions::new().write(true).open(&path).unwrap();
                        file.set_len(len.saturating_sub(n as u64)).unwrap();
                    }
                    epochs += 1;
                    spool = Spool::open(dir.path(), SMALL, epochs).unwrap();
                    if spool.recovery().new_epoch {
                        model.held.clear();
                        model.stored = RangeSet::new();
                    } else {
                        // What is left is the beginning of what was.
                        let last = pending(&spool).last().copied().unwrap_or(0);
                        model.held.retain(|seq, _| *seq <= last || model.stored.contains(*seq));
                        // A tear reaches only what was never sent: its numbers may be given again.
                        let next = spool.next_seq();
                        model.given.retain(|(epoch, seq), _| *epoch != spool.epoch() || *seq < next);
                        prop_assert!(next <= next_seq + 1);
                    }
                }
            }
            prop_assert_eq!(pending(&spool), model.pending());
            prop_assert_eq!(spool.pending(), model.pending().len() as u64);
            for seq in model.pending() {
                prop_assert_eq!(text_of(&mut spool, seq), model.held.get(&seq).cloned());
            }
        }
    }
}

#[test]
fn what_is_stored_is_kept_for_a_hub_that_comes_back_from_a_backup_and_gives_way_first() {
    let limits = SpoolLimits { bytes_max: 32 * SEGMENT_BYTES_MIN, ..SMALL };
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), limits, 1).unwrap();
    let seqs: Vec<u64> = (0..20).map(|n| add(&mut spool, &noise(n, 2000))).collect();
    hear(&mut spool, &[(1, 20)]);
    assert_eq!((spool.pending(), spool.first()), (0, 21));
    assert!(spool.bytes() <= limits.bytes_max / STORED_SHARE + segment_size(&spool), "{}", spool.bytes());
    // The ledger of the backup has the first eighteen: the newest two are there to be sent again.
    spool.doubt_stored();
    hear(&mut spool, &[(1, 18)]);
    assert_eq!(pending(&spool), [19, 20]);
    assert_eq!(text_of(&mut spool, seqs[18]).unwrap(), noise(18, 2000));
    // With no room left, what is stored goes before anything that is not.
    hear(&mut spool, &[(1, 20)]);
    while spool.pending() < 60 {
        add(&mut spool, &noise(99, 1000));
    }
    assert_eq!(spool.counters().evicted_batches, 0);
}

fn segment_size(spool: &Spool) -> u64 {
    spool.segments.iter().map(|s| s.bytes).max().unwrap_or(0)
}
