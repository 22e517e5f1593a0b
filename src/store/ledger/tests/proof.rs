//! What the ledger proves: days, losses, places in time, and whether it is itself.

use std::fs;

use super::*;
use crate::model::MonoMillis;
use crate::store::BatchOrigin;
use crate::wire::batch::ClockQuality;

fn at(text: &str) -> UnixMillis {
    UnixMillis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn rome() -> (TempDir, Ledger) {
    let (dir, ledger) = ledger();
    ledger.keep_days_in("Europe/Rome");
    (dir, ledger)
}

fn made(seq: u64, made_at: UnixMillis, received_at: UnixMillis, first: u64) -> IncomingBatch {
    let origin = BatchOrigin { boot: 1, made_at: Some(made_at), fresh: true, first, ..BatchOrigin::default() };
    IncomingBatch { received_at, sent_at: made_at, n_samples: 10, origin, ..batch("bossolasco", 7, seq) }
}

fn days(ledger: &Ledger) -> Vec<DeliveryDay> {
    ledger.delivery_days(UnixMillis(0)).unwrap()
}

#[test]
fn a_day_is_the_networks_and_late_data_amend_it_visibly() {
    let (_dir, ledger) = rome();
    // The night of 25 October 2026 has an hour twice: the day is 25 hours long.
    for (seq, made_at) in [
        (1, "2026-10-24T21:59:59Z"),
        (2, "2026-10-24T22:00:00Z"),
        (3, "2026-10-25T00:30:00Z"),
        (4, "2026-10-25T01:30:00Z"),
        (5, "2026-10-25T22:59:59Z"),
        (6, "2026-10-25T23:00:00Z"),
    ] {
        store_one(&ledger, &made(seq, at(made_at), at(made_at), 1));
    }
    let count = |day: &str| days(&ledger).iter().find(|d| d.day == day).map_or(0, |d| d.batches);
    assert_eq!(["2026-10-24", "2026-10-25", "2026-10-26"].map(count), [1, 4, 1]);
    assert!(days(&ledger).iter().all(|d| d.amended_at.is_none() && d.late_samples == 0));
    // From an outage, two days later; and again, which changes no count of samples.
    let late = made(7, at("2026-10-25T12:00:00Z"), at("2026-10-27T08:00:00Z"), 1);
    store_one(&ledger, &late);
    store_one(&ledger, &late);
    let day = days(&ledger).into_iter().find(|d| d.day == "2026-10-25").unwrap();
    assert_eq!((day.batches, day.samples, day.late_samples), (5, 50, 10));
    assert_eq!(day.amended_at, Some(late.received_at));
    assert_eq!(days(&ledger)[0].duplicates, 1);
    // Under way at midnight is not late.
    let night = made(8, at("2026-10-27T22:59:58Z"), at("2026-10-27T23:00:01Z"), 1);
    store_one(&ledger, &night);
    assert_eq!(days(&ledger)[0].late_samples, 0);
}

#[test]
fn what_the_hub_saw_widens_the_record() {
    let (_dir, ledger) = rome();
    let agent = SiteId::parse("bossolasco").unwrap();
    let now = at("2026-11-24T10:00:00Z");
    let seen = |lag, error, silent| Observation {
        lag_secs: lag,
        clock_error_ms: error,
        silent_secs: silent,
        watched_secs: 60,
    };
    for seen in [seen(None, None, 0), seen(Some(90), Some((-40, 20)), 60), seen(Some(5), Some((-10, 70)), 0)] {
        ledger.observe(now, &[(agent.clone(), seen)]).unwrap();
    }
    let day = &days(&ledger)[0];
    assert_eq!((day.lag_secs_worst, day.clock_error_ms_min, day.clock_error_ms_max), (Some(90), Some(-40), Some(70)));
    assert_eq!((day.silent_secs, day.watched_secs, day.samples), (60, 180, 0));
}

/// Batches lost as ranges, and what the day's record says.
fn lost(ledger: &Ledger) -> (Vec<(u64, u64)>, u64) {
    let ranges = ledger.losses(100).unwrap().iter().map(|l| (l.first, l.last)).collect();
    (ranges, days(ledger).iter().map(|d| d.lost_batches).sum())
}

#[test]
fn loss_is_proved_once_and_taken_back_when_it_was_none() {
    let (_dir, ledger) = rome();
    let now = at("2026-11-24T10:00:00Z");
    let store = |seq, first| store_one(&ledger, &made(seq, now, now, first));
    store(1, 1);
    store(9, 2);
    let standing = || ledger.standings().unwrap().remove(0);
    assert_eq!((standing().missing_batches, standing().missing), (7, vec![(2, 8)]));
    assert_eq!(lost(&ledger), (vec![], 0));
    store(8, 5);
    assert_eq!(lost(&ledger), (vec![(2, 4)], 3));
    assert_eq!((standing().missing_batches, standing().lost_batches), (3, 3));
    // An older word takes nothing back; a repeat counts nothing twice.
    store(8, 2);
    assert_eq!(lost(&ledger), (vec![(2, 4)], 3));
    // One of them was under way all the time.
    store(3, 5);
    assert_eq!(lost(&ledger), (vec![(4, 4), (2, 2)], 2));
    assert!(days(&ledger)[0].amended_at.is_some());
    // Another epoch: the agent holds nothing of this one any more.
    store_one(&ledger, &IncomingBatch { epoch: 8, ..made(1, now, now, 1) });
    assert_eq!(lost(&ledger).1, 5);
    // A lie is bounded and harmless.
    store_one(&ledger, &IncomingBatch { epoch: 9, ..made(u64::MAX, now, now, u64::MAX) });
    store_one(&ledger, &IncomingBatch { epoch: 9, ..made(1 << 62, now, now, 1 << 62) });
    store_one(&ledger, &IncomingBatch { epoch: 10, ..made(1 << 62, now, now, 1 << 62) });
    assert!(ledger.standings().is_ok() && ledger.losses(10).unwrap().len() <= 10);
}

fn unset(seq: u64, boot: u64, mono_ms: u64, received_at: UnixMillis) -> IncomingBatch {
    let made_at = UnixMillis(mono_ms as i64 + 5_000);
    let origin = BatchOrigin {
        boot,
        mono_ms: MonoMillis(mono_ms),
        made_at: Some(made_at),
        clock: ClockQuality::Unset,
        fresh: false,
        first: 1,
    };
    IncomingBatch { received_at, sent_at: made_at, n_samples: 10, origin, ..batch("bossolasco", 7, seq) }
}

#[test]
fn batches_of_an_unset_clock_wait_and_are_placed_by_their_run() {
    let (_dir, ledger) = rome();
    let now = at("2026-11-24T10:00:00Z");
    // Made 30 and 20 hours ago, in 1970 by the agent's clock.
    let hour = 3_600_000;
    for (seq, mono) in [(1, hour), (2, 11 * hour)] {
        store_one(&ledger, &unset(seq, 4, mono, now));
    }
    assert_eq!(ledger.standings().unwrap()[0].held_batches, 2);
    assert!(ledger.batches_after(0, 100).unwrap().is_empty() && days(&ledger).is_empty());
    assert_eq!(ranges(&ledger)[0].2, [(1, 2)], "stored and acknowledged all the same");
    // Another run's word says nothing of this one.
    let mut other = unset(3, 5, 31 * hour, now);
    other.origin.fresh = true;
    store_one(&ledger, &other);
    assert_eq!(ledger.standings().unwrap()[0].held_batches, 2);
    // A live batch of the same run, whose clock is still not set: it arrived when it was made.
    let mut live = unset(4, 4, 31 * hour, now);
    live.origin.fresh = true;
    store_one(&ledger, &live);
    assert_eq!(ledger.standings().unwrap()[0].held_batches, 0);
    let placed: Vec<(u64, i64)> = ledger
        .batches_after(0, 100)
        .unwrap()
        .iter()
        .map(|b| (b.batch.seq, now.0 - b.placed(b.batch.sent_at).0))
        .collect();
    assert_eq!(placed, [(3, 0), (4, 0), (1, 30 * hour as i64), (2, 20 * hour as i64)]);
    let rows: Vec<i64> = rows(&ledger);
    assert!(rows.windows(2).all(|w| w[0] < w[1]) && rows[0] > 2, "{rows:?}: sinks find what was moved");
    let yesterday = days(&ledger).into_iter().find(|d| d.day == "2026-11-23").unwrap();
    assert_eq!((yesterday.samples, yesterday.late_samples), (20, 20));
    // A repeat of what was moved is still one, with the same checksum or another.
    assert_eq!(store_one(&ledger, &unset(1, 4, hour, now)), StoreOutcome::Duplicate);
    assert_eq!(ledger.stats().unwrap().batches, 4);
}

#[test]
fn a_clock_that_was_set_later_in_the_run_places_them_too() {
    let (_dir, ledger) = rome();
    let now = at("2026-11-24T10:00:00Z");
    store_one(&ledger, &unset(1, 4, 60_000, now));
    let mut set = unset(2, 4, 120_000, now);
    set.origin.clock = ClockQuality::Synced;
    set.origin.made_at = Some(at("2026-11-24T08:00:00Z"));
    store_one(&ledger, &set);
    let stored = ledger.batches_after(0, 10).unwrap();
    let placed = stored.iter().find(|b| b.batch.seq == 1).unwrap();
    assert_eq!(placed.placed(UnixMillis(65_000)), at("2026-11-24T07:59:00Z"));
    // What is above the floor is left as it is.
    assert_eq!(placed.placed(now), now);
}

/// Opens, notes the id, and closes.
fn id_of(path: &std::path::Path) -> Uuid {
    Ledger::open(path).unwrap().ledger_id()
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_ledger_that_goes_on_keeps_its_id_and_one_put_back_gets_another() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("hub/ledger.sqlite");
    let id = id_of(&path);
    {
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.ledger_id(), id);
        store_one(&ledger, &batch("a", 1, 1));
    }
    // The database alone, elsewhere: as `vedetta` is moved to another machine, or a backup is put back.
    let moved = dir.path().join("moved.sqlite");
    fs::copy(&path, &moved).unwrap();
    assert_ne!(id_of(&moved), id);
    // The whole directory, elsewhere.
    let elsewhere = dir.path().join("elsewhere");
    copy_all(path.parent().unwrap(), &elsewhere);
    assert_ne!(id_of(&elsewhere.join("ledger.sqlite")), id);

    assert_eq!(id_of(&path), id, "nothing was done to this one");
    // A copy from before the last start, over the original.
    let old = dir.path().join("old.sqlite");
    fs::copy(&path, &old).unwrap();
    assert_eq!(id_of(&path), id);
    fs::copy(&old, &path).unwrap();
    let second = id_of(&path);
    assert_ne!(second, id);
    assert_eq!(id_of(&path), second);
    // A copy made while it ran, and batches were acknowledged after that.
    {
        let ledger = Ledger::open(&path).unwrap();
        store_one(&ledger, &batch("a", 1, 2));
        let aside = dir.path().join("live.sqlite");
        ledger.write("checkpoint", |_| Ok(())).unwrap();
        locked(&ledger.writer).query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        fs::copy(&path, &aside).unwrap();
        store_one(&ledger, &batch("a", 1, 3));
    }
    fs::copy(dir.path().join("live.sqlite"), &path).unwrap();
    let ledger = Ledger::open(&path).unwrap();
    assert_ne!(ledger.ledger_id(), second);
    assert_eq!(ranges(&ledger)[0].2, [(1, 2)], "what it has it still knows");
}

#[test]
fn a_full_disk_stores_and_acknowledges_nothing_and_is_survived() {
    let (_dir, ledger) = ledger();
    store_one(&ledger, &batch("a", 1, 1));
    let pages: i64 = locked(&ledger.writer).pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
    // SQLite itself says SQLITE_FULL at this bound, as it does when the file system has no room.
    locked(&ledger.writer).query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    let mut large = batch("a", 1, 2);
    large.packed = vec![7; 60_000];
    for _ in 0..2 {
        let error = ledger.store(&[batch("a", 1, 3), large.clone()]).unwrap_err();
        assert!(format!("{:#}", anyhow::Error::from(error)).contains("full"), "it says why");
    }
    assert_eq!(ranges(&ledger)[0].2, [(1, 1)], "all or nothing, and nothing is acknowledged");
    locked(&ledger.writer).query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(())).unwrap();
    assert_eq!(store_one(&ledger, &large), StoreOutcome::Stored);
    assert_eq!(ranges(&ledger)[0].2, [(1, 2)]);
}
