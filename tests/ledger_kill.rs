//! A process that stores batches is killed at random moments, again and again: every batch that it had acknowledged
//! must be in the ledger. The killed process is this test itself, started with another environment.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use vedetta::model::{SiteId, UnixMillis};
use vedetta::store::ledger::Ledger;
use vedetta::store::{BatchStore, IncomingBatch, StoreOutcome};

const CHILD_DIR: &str = "VEDETTA_LEDGER_KILL_DIR";
const KILLS: u32 = 25;
const EPOCH: u64 = 7;

#[test]
fn acknowledged_batches_survive_kill() {
    if let Some(dir) = std::env::var_os(CHILD_DIR) {
        write_for_ever(Path::new(&dir));
    }
    let mut rng = SmallRng::seed_from_u64(support::seed());
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<u64, u32> = BTreeMap::new();
    for round in 0..KILLS {
        let before = acknowledged.len();
        run_and_kill(dir.path(), Duration::from_micros(rng.random_range(0..60_000)), &mut acknowledged);
        assert!(acknowledged.len() > before, "round {round}: the child acknowledged nothing");
        check(dir.path(), &acknowledged, round);
    }
    println!("{} batches acknowledged before {KILLS} kills, none lost", acknowledged.len());
}

fn batch(seq: u64) -> IncomingBatch {
    // Some pages long, so that a kill can fall between the writes of one batch.
    let packed: Vec<u8> = (0..20_000u64).map(|i| (i.wrapping_mul(seq + 1) >> 3) as u8).collect();
    IncomingBatch {
        agent: SiteId::parse("bossolasco").unwrap(),
        epoch: EPOCH,
        seq,
        crc: crc32fast::hash(&packed),
        received_at: UnixMillis(seq as i64),
        sent_at: UnixMillis(seq as i64),
        n_samples: 1,
        packed,
        origin: vedetta::store::BatchOrigin::default(),
    }
}

/// Stores groups of batches, says which ones are durable, and never ends.
fn write_for_ever(dir: &Path) -> ! {
    let ledger = Ledger::open(&dir.join("ledger.sqlite")).unwrap();
    let mut seq = ledger.stored_ranges().unwrap().first().and_then(|(_, _, set)| set.last()).unwrap_or(0);
    // Written past the test harness, which would keep what `println!` writes.
    let mut out = std::io::stdout();
    loop {
        let group: Vec<_> = (1..=1 + seq % 4).map(|n| batch(seq + n)).collect();
        assert!(ledger.store(&group).unwrap().iter().all(|o| *o == StoreOutcome::Stored));
        seq += group.len() as u64;
        let said: Vec<String> = group.iter().map(|b| format!("ack {} {}\n", b.seq, b.crc)).collect();
        out.write_all(said.concat().as_bytes()).unwrap();
        out.flush().unwrap();
    }
}

/// Kills the child that long after its first acknowledgement.
fn run_and_kill(dir: &Path, after: Duration, acknowledged: &mut BTreeMap<u64, u32>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "acknowledged_batches_survive_kill", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut note = |line: &str| {
        let mut words = line.split(' ');
        // A line cut short by the kill was never received.
        if let (Some("ack"), Some(Ok(seq)), Some(Ok(crc))) =
            (words.next(), words.next().map(str::parse), words.next().map(str::parse))
        {
            acknowledged.insert(seq, crc);
            return true;
        }
        false
    };
    while !note(&lines.next().expect("the child ended by itself").unwrap()) {}
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    // Only the last line can be cut.
    for line in &rest[..rest.len().saturating_sub(1)] {
        note(line);
    }
}

fn check(dir: &Path, acknowledged: &BTreeMap<u64, u32>, round: u32) {
    let ledger = Ledger::open(&dir.join("ledger.sqlite")).unwrap();
    let mut stored = BTreeMap::new();
    for entry in ledger.replay_since(UnixMillis(i64::MIN)).unwrap() {
        let batch = entry.unwrap().batch;
        assert_eq!(crc32fast::hash(&batch.packed), batch.crc, "round {round}: batch {} is damaged", batch.seq);
        assert!(stored.insert(batch.seq, batch.crc).is_none(), "round {round}: batch {} is there twice", batch.seq);
    }
    for (seq, crc) in acknowledged {
        assert_eq!(stored.get(seq), Some(crc), "round {round}: batch {seq} was acknowledged");
    }
    let ranges = ledger.stored_ranges().unwrap();
    let wanted = (1, stored.keys().next_back().copied().unwrap());
    assert_eq!(ranges[0].2.ranges(), [wanted], "round {round}: ranges are not what is stored");
    assert_eq!(ledger.stats().unwrap().batches, stored.len() as u64, "round {round}");
}
