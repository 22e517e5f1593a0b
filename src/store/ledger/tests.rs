use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::catalogue::LINK;
use crate::model::{Reading, Tag};
use crate::wire::batch::{Encoding, unpack};

mod proof;

const T0: i64 = 1_700_000_000_000;

fn ledger() -> (TempDir, Ledger) {
    let dir = TempDir::new().unwrap();
    let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).unwrap();
    (dir, ledger)
}

fn batch(agent: &str, epoch: u64, seq: u64) -> IncomingBatch {
    let text = format!("radio,site={agent} rsl_dbm=-{seq} 1\n");
    IncomingBatch {
        agent: SiteId::parse(agent).unwrap(),
        epoch,
        seq,
        crc: crc32fast::hash(text.as_bytes()),
        received_at: UnixMillis(T0 + seq.min(1_000_000) as i64),
        sent_at: UnixMillis(T0),
        n_samples: 1,
        packed: gzip(text.as_bytes()),
        origin: crate::store::BatchOrigin::default(),
    }
}

fn store_one(ledger: &Ledger, batch: &IncomingBatch) -> StoreOutcome {
    ledger.store(std::slice::from_ref(batch)).unwrap()[0]
}

/// Agent, epoch, ranges.
type AgentRanges = (String, u64, Vec<(u64, u64)>);

fn ranges(ledger: &Ledger) -> Vec<AgentRanges> {
    let ranges = ledger.stored_ranges().unwrap();
    ranges.into_iter().map(|(agent, epoch, set)| (agent.to_string(), epoch, set.ranges().to_vec())).collect()
}

fn rows(ledger: &Ledger) -> Vec<i64> {
    ledger.batches_after(0, 1000).unwrap().iter().map(|b| b.row).collect()
}

#[test]
fn a_batch_is_stored_once_and_its_twin_is_named() {
    use StoreOutcome::{Conflict, Duplicate, Stored};
    let (_dir, ledger) = ledger();
    let first = batch("bossolasco", 7, 1);
    let mut other = first.clone();
    other.crc ^= 1;
    let outcomes = ledger.store(&[first.clone(), first.clone(), other, batch("bossolasco", 7, 2)]).unwrap();
    assert_eq!(outcomes, [Stored, Duplicate, Conflict, Stored]);
    assert_eq!(store_one(&ledger, &first), Duplicate);
    assert_eq!(
        ledger.batches_after(0, 1000).unwrap()[0],
        StoredBatch { row: 1, taken_at: Some(first.sent_at), batch: first, shift_ms: 0 }
    );
    assert_eq!(ranges(&ledger), [("bossolasco".to_owned(), 7, vec![(1, 2)])]);
    assert_eq!(ledger.stats().unwrap().batches, 2);
}

#[test]
fn the_whole_range_of_numbers_is_kept() {
    let (_dir, ledger) = ledger();
    for seq in [u64::MAX, 0, u64::MAX - 1, 1 << 63, (1 << 63) - 1, 1] {
        assert_eq!(store_one(&ledger, &batch("a", u64::MAX, seq)), StoreOutcome::Stored, "{seq}");
        assert_eq!(store_one(&ledger, &batch("a", u64::MAX, seq)), StoreOutcome::Duplicate, "{seq}");
    }
    let wanted = vec![(0, 1), ((1 << 63) - 1, 1 << 63), (u64::MAX - 1, u64::MAX)];
    assert_eq!(ranges(&ledger), [("a".to_owned(), u64::MAX, wanted)]);
    assert_eq!(ledger.batches_after(0, 1000).unwrap()[0].batch.seq, u64::MAX);
}

#[test]
fn stored_ranges_are_of_the_newest_epochs() {
    let (_dir, ledger) = ledger();
    // Epochs are random: the newest is the one that appeared last.
    for (agent, epoch, seq) in [("b", 9, 1), ("a", 5, 1), ("b", 2, 1), ("b", 9, 2), ("b", 2, 4)] {
        store_one(&ledger, &batch(agent, epoch, seq));
    }
    let of = |agent: &str, epoch, ranges: &[(u64, u64)]| (agent.to_owned(), epoch, ranges.to_vec());
    assert_eq!(ranges(&ledger), [of("a", 5, &[(1, 1)]), of("b", 9, &[(1, 2)]), of("b", 2, &[(1, 1), (4, 4)])]);
    for epoch in [30, 20, 10] {
        store_one(&ledger, &batch("b", epoch, 1));
    }
    let epochs: Vec<u64> = ranges(&ledger).into_iter().filter(|(agent, ..)| agent == "b").map(|(_, e, _)| e).collect();
    assert_eq!(epochs, [2, 30, 20, 10]);
}

#[test]
fn everything_is_there_after_a_restart() {
    let (dir, ledger) = ledger();
    let id = ledger.ledger_id();
    store_one(&ledger, &batch("a", 1, 1));
    ledger.set_sink_position("influxdb", 1).unwrap();
    drop(ledger);
    let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).unwrap();
    assert_eq!(ledger.ledger_id(), id);
    assert_eq!(*ledger.newest_row().borrow(), 1);
    assert_eq!(store_one(&ledger, &batch("a", 1, 1)), StoreOutcome::Duplicate);
    assert_eq!(ledger.sink_position("influxdb").unwrap(), 1);
    assert_eq!(ledger.sink_position("other").unwrap(), 0);
}

#[test]
fn a_ledger_has_one_user_and_one_format() {
    let (dir, ledger) = ledger();
    let path = dir.path().join("ledger.sqlite");
    let second = Ledger::open(&path).err().unwrap();
    assert!(std::error::Error::source(&second).unwrap().to_string().contains("in use"), "{second:?}");
    locked(&ledger.writer).pragma_update(None, "user_version", schema::FORMAT + 1).unwrap();
    drop(ledger);
    let newer = Ledger::open(&path).err().unwrap();
    assert!(
        matches!(newer, StoreError::Format { found, wanted: schema::FORMAT, .. } if found == schema::FORMAT + 1),
        "{newer:?}"
    );
}

#[test]
fn what_is_no_ledger_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let garbage = dir.path().join("garbage");
    std::fs::write(&garbage, "not a database, but long enough to be looked at as one by its header".repeat(20))
        .unwrap();
    assert!(matches!(Ledger::open(&garbage), Err(StoreError::Open { .. })));
    let foreign = dir.path().join("foreign");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE other (x)").unwrap();
    let before = std::fs::read(&foreign).unwrap();
    let refused = Ledger::open(&foreign).err().unwrap();
    assert!(std::error::Error::source(&refused).unwrap().to_string().contains("another program"), "{refused:?}");
    assert_eq!(std::fs::read(&foreign).unwrap(), before);
}

/// A file as format 1 wrote it.
fn old_ledger(path: &Path) {
    let conn = Connection::open(path).unwrap();
    let _: String = conn.pragma_update_and_check(None, "journal_mode", "wal", |r| r.get(0)).unwrap();
    conn.execute_batch(schema::TABLES).unwrap();
    conn.execute_batch(&format!(
        "INSERT INTO meta VALUES ('ledger', '{}');
         INSERT INTO epochs (agent, epoch, last_received_at) VALUES ('a', 7, 2000);
         INSERT INTO ranges VALUES (1, 1, 2), (1, 4, 4);
         INSERT INTO batches (epoch_id, seq, crc, received_at, sent_at, n_samples, packed) VALUES
            (1, 2, 11, 1000, 900, 3, x'01'), (1, 4, 12, 2000, 1900, 4, x'02');
         UPDATE totals SET batches = 2, samples = 7, packed_bytes = 2;
         INSERT INTO documents VALUES ('incident', '1', '{{}}');
         INSERT INTO sinks VALUES ('influx', 1);
         PRAGMA application_id = {};
         PRAGMA user_version = 1;",
        Uuid::from_u128(5),
        0x5645_444c
    ))
    .unwrap();
}

#[test]
fn a_ledger_of_format_1_goes_on_with_all_that_it_had() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.sqlite");
    old_ledger(&path);
    for opening in 0..2 {
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(ranges(&ledger)[0].2[0].0, 1);
        if opening == 0 {
            assert_eq!(ranges(&ledger), [("a".to_owned(), 7, vec![(1, 2), (4, 4)])]);
            assert_eq!(rows(&ledger), [1, 2]);
            assert_eq!((ledger.stats().unwrap().samples, ledger.documents("incident").unwrap().len()), (7, 1));
            // What it had is a repeat, what it lacked is new, and its batches are of the time that they say.
            let again = IncomingBatch { crc: 12, ..batch("a", 7, 4) };
            assert_eq!(
                ledger.store(&[again, batch("a", 7, 3)]).unwrap(),
                [StoreOutcome::Duplicate, StoreOutcome::Stored]
            );
            let stored: Vec<_> = ledger.replay_since(UnixMillis(0)).unwrap().map(Result::unwrap).collect();
            assert_eq!(stored[0].placed(UnixMillis(77)), UnixMillis(77));
        } else {
            assert_eq!(ranges(&ledger), [("a".to_owned(), 7, vec![(1, 4)])]);
        }
        let format: i64 = locked(&ledger.writer).pragma_query_value(None, "user_version", |r| r.get(0)).unwrap();
        assert_eq!(format, schema::FORMAT);
    }
}

#[test]
fn a_ledger_of_a_newer_format_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.sqlite");
    drop(Ledger::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", schema::FORMAT + 1).unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = Ledger::open(&path).err().unwrap().to_string();
    assert!(refused.contains("ledger.sqlite") && refused.contains(&format!("{}", schema::FORMAT + 1)), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    println!("{refused}");
}

#[test]
fn a_full_disk_stores_nothing_in_part_and_is_survived() {
    let (_dir, ledger) = ledger();
    store_one(&ledger, &batch("a", 1, 1));
    let pages: i64 = locked(&ledger.writer).pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
    let limit = |pages: i64| {
        locked(&ledger.writer).pragma_update_and_check(None, "max_page_count", pages, |r| r.get::<_, i64>(0)).unwrap()
    };
    limit(pages + 2);
    let mut large = batch("a", 1, 3);
    large.packed = vec![7; 60_000];
    // The first of the two would fit.
    let full = ledger.store(&[batch("a", 1, 2), large.clone()]).unwrap_err();
    assert!(std::error::Error::source(&full).unwrap().to_string().contains("full"), "{full:?}");
    assert_eq!(ranges(&ledger), [("a".to_owned(), 1, vec![(1, 1)])]);
    assert_eq!(rows(&ledger), [1]);
    assert_eq!(*ledger.newest_row().borrow(), 1);
    assert_eq!(ledger.stats().unwrap().batches, 1);

    limit(pages + 1000);
    assert_eq!(ledger.store(&[batch("a", 1, 2), large]).unwrap(), [StoreOutcome::Stored; 2]);
    assert_eq!(rows(&ledger), [1, 2, 3]);
}

#[test]
fn a_disk_that_cannot_be_written_is_an_error_until_it_can() {
    let (_dir, ledger) = ledger();
    let read_only = |on: bool| locked(&ledger.writer).pragma_update(None, "query_only", on).unwrap();
    read_only(true);
    assert!(ledger.store(&[batch("a", 1, 1)]).is_err());
    assert!(ledger.put_documents(&[Document { kind: "k".into(), key: "k".into(), body: "{}".into() }]).is_err());
    read_only(false);
    assert_eq!(store_one(&ledger, &batch("a", 1, 1)), StoreOutcome::Stored);
    assert_eq!(ledger.documents("k").unwrap(), []);
}

#[test]
fn pruned_batches_stay_duplicates_and_rows_are_never_used_twice() {
    let (_dir, ledger) = ledger();
    for seq in 1..=1200 {
        store_one(&ledger, &batch("a", 1, seq));
    }
    assert_eq!(ledger.prune(UnixMillis(T0 + 1200)).unwrap(), 1199);
    assert_eq!(rows(&ledger), [1200]);
    assert_eq!(ledger.prune(UnixMillis(T0 + 2000)).unwrap(), 1);
    assert_eq!(
        ledger.stats().unwrap(),
        LedgerStats { file_bytes: ledger.stats().unwrap().file_bytes, ..Default::default() }
    );
    assert_eq!(store_one(&ledger, &batch("a", 1, 600)), StoreOutcome::Duplicate);
    assert_eq!(store_one(&ledger, &batch("a", 1, 1201)), StoreOutcome::Stored);
    assert_eq!(rows(&ledger), [1201]);
    assert_eq!(ranges(&ledger), [("a".to_owned(), 1, vec![(1, 1201)])]);
}

#[test]
fn pruning_forgets_old_epochs_and_bounds_ranges() {
    let (_dir, ledger) = ledger();
    store_one(&ledger, &batch("a", 1, 1));
    let holes: Vec<IncomingBatch> = (1..=RANGES_MAX as u64 + 5).map(|n| batch("a", 2, 2 * n)).collect();
    ledger.store(&holes).unwrap();
    ledger.prune(UnixMillis(T0 + 2)).unwrap();
    let epochs: i64 = ledger.read("count", |c| c.query_row("SELECT count(*) FROM epochs", [], |r| r.get(0))).unwrap();
    assert_eq!(epochs, 1);
    let kept = &ranges(&ledger)[0].2;
    assert_eq!((kept.len(), kept[0]), (RANGES_MAX, (12, 12)));
}

#[test]
fn replay_reads_what_was_received_since() {
    let (_dir, ledger) = ledger();
    for seq in 1..=1000 {
        store_one(&ledger, &batch("a", 1, seq));
    }
    let seqs = |since: i64| -> Vec<u64> {
        ledger.replay_since(UnixMillis(since)).unwrap().map(|b| b.unwrap().batch.seq).collect()
    };
    assert_eq!(seqs(T0 + 101), (101..=1000).collect::<Vec<_>>());
    assert_eq!(seqs(T0 + 1001), Vec::<u64>::new());
    assert_eq!(seqs(i64::MIN).len(), 1000);
}

#[test]
fn pages_are_bounded_by_bytes_but_never_empty() {
    let (_dir, ledger) = ledger();
    for seq in 1..=3 {
        let mut large = batch("a", 1, seq);
        large.packed = vec![0; PAGE_BYTES_MAX * 2 / 3 * seq as usize];
        store_one(&ledger, &large);
    }
    for row in 0..3 {
        assert_eq!(ledger.batches_after(row, 10).unwrap().iter().map(|b| b.row).collect::<Vec<_>>(), [row + 1]);
    }
    assert_eq!(ledger.batches_after(3, 10).unwrap(), []);
}

#[test]
fn the_hubs_own_figures_are_batches_of_a_name_of_their_own() {
    let (_dir, ledger) = ledger();
    let mut sample = Sample::new(&LINK, UnixMillis(T0)).tag(Tag::Link, "a-b").tag(Tag::Direction, "downstream");
    sample.set("capacity_mbps", Reading::value(150.0));
    ledger.store_own(&vec![sample.clone(); OWN_SAMPLES_MAX + 1], UnixMillis(T0)).unwrap();
    ledger.store_own(&[], UnixMillis(T0)).unwrap();
    let stored = ledger.batches_after(0, 10).unwrap();
    assert_eq!(stored.iter().map(|b| (b.batch.seq, b.batch.n_samples)).collect::<Vec<_>>(), [(1, 1000), (2, 1)]);
    assert_eq!(stored[1].batch.agent.as_str(), OWN_AGENT);
    let text = unpack(Encoding::Gzip, &stored[1].batch.packed, stored[1].batch.crc).unwrap();
    assert_eq!(line::decode(std::str::from_utf8(&text).unwrap()), (vec![sample], vec![]));
    assert_eq!(ranges(&ledger), []);
    assert_eq!(store_one(&ledger, &batch(OWN_AGENT, 0, 9)), StoreOutcome::Conflict);
}

fn aside(agent: &str, reason: &str, payload: &[u8], at: i64) -> SetAside {
    SetAside { at: UnixMillis(at), agent: agent.into(), reason: reason.into(), payload: payload.into() }
}

#[test]
fn what_is_set_aside_is_bounded_and_the_oldest_go_first() {
    let (_dir, ledger) = ledger();
    for n in 0..=SET_ASIDE_COUNT_MAX {
        ledger.set_aside(&[aside("a", &format!("reason {n}"), b"payload", n as i64)]).unwrap();
    }
    let stats = ledger.stats().unwrap();
    assert_eq!((stats.set_aside, stats.set_aside_total), (1000, 1001));
    let messages = ledger.set_aside_messages(2000).unwrap();
    assert_eq!((messages[0].reason.as_str(), messages[999].reason.as_str()), ("reason 1000", "reason 1"));

    let large = vec![1; 10 * SET_ASIDE_PAYLOAD_MAX];
    let all: Vec<_> = (0..300).map(|n| aside(&"è".repeat(999), &"è".repeat(999), &large, n)).collect();
    ledger.set_aside(&all).unwrap();
    let messages = ledger.set_aside_messages(2000).unwrap();
    assert_eq!(messages.len(), SET_ASIDE_BYTES_MAX / SET_ASIDE_PAYLOAD_MAX);
    assert_eq!(messages[0].payload.len(), SET_ASIDE_PAYLOAD_MAX);
    assert_eq!(messages[0].at, UnixMillis(299));
}

#[test]
fn documents_are_written_replaced_and_removed_together() {
    let (_dir, ledger) = ledger();
    let document = |key: &str, body: &str| Document { kind: "incident".into(), key: key.into(), body: body.into() };
    let other = Document { kind: "mail".into(), key: "1".into(), body: "[]".into() };
    ledger.put_documents(&[document("2", "{}"), document("1", "{}"), other.clone()]).unwrap();
    ledger.put_documents(&[document("2", ""), document("1", "{\"a\":1}"), document("9", "")]).unwrap();
    assert_eq!(ledger.documents("incident").unwrap(), [document("1", "{\"a\":1}")]);
    assert_eq!(ledger.documents("mail").unwrap(), [other]);
}

#[test]
fn followers_hear_of_new_rows_only() {
    let (_dir, ledger) = ledger();
    let mut newest = ledger.newest_row();
    store_one(&ledger, &batch("a", 1, 1));
    assert!(newest.has_changed().unwrap());
    assert_eq!(*newest.borrow_and_update(), 1);
    store_one(&ledger, &batch("a", 1, 1));
    ledger.set_aside(&[aside("a", "reason", b"", 0)]).unwrap();
    assert!(!newest.has_changed().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Against a map: batches in any order, repeated, in groups, with restarts and pruning between.
    #[test]
    fn the_ledger_is_a_map(groups in prop::collection::vec(
        (prop::collection::vec((0u64..3, 0u64..20, any::<bool>()), 0..8), 0u8..10), 0..20)) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let mut ledger = Ledger::open(&path).unwrap();
        let mut model: BTreeMap<(u64, u64), u32> = BTreeMap::new();
        let mut epochs: Vec<u64> = Vec::new();
        for (group, then) in groups {
            let mut batches = Vec::new();
            let mut wanted = Vec::new();
            for (epoch, seq, twisted) in group {
                let mut b = batch("a", epoch, seq);
                b.crc ^= u32::from(twisted);
                wanted.push(match model.get(&(epoch, seq)) {
                    None => StoreOutcome::Stored,
                    Some(crc) if *crc == b.crc => StoreOutcome::Duplicate,
                    Some(_) => StoreOutcome::Conflict,
                });
                model.entry((epoch, seq)).or_insert(b.crc);
                if !epochs.contains(&epoch) {
                    epochs.push(epoch);
                }
                batches.push(b);
            }
            prop_assert_eq!(ledger.store(&batches).unwrap(), wanted);
            if then == 0 {
                drop(ledger);
                ledger = Ledger::open(&path).unwrap();
            }
        }
        // Three epochs at most: all of them are told, the newest last.
        let seqs = |epoch: u64| model.keys().filter(move |(e, _)| *e == epoch).map(|(_, seq)| (*seq, *seq));
        let ranges_of = |epoch: &u64| seqs(*epoch).collect::<RangeSet>().ranges().to_vec();
        let wanted: Vec<_> = epochs.iter().map(|e| ("a".to_owned(), *e, ranges_of(e))).collect();
        prop_assert_eq!(ranges(&ledger), wanted);
        let stored: BTreeSet<_> =
            ledger.batches_after(0, 1000).unwrap().into_iter().map(|b| (b.batch.epoch, b.batch.seq, b.batch.crc)).collect();
        prop_assert_eq!(stored, model.into_iter().map(|((epoch, seq), crc)| (epoch, seq, crc)).collect::<BTreeSet<_>>());
    }
}
