use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::catalogue::{LINK, PING, RADIO};
use crate::model::{Missing, Reading, Sample, SiteId, Tag};
use crate::sim::fixture;
use crate::store::rollup::gather::{Sums, edge_name, radio_name};
use crate::store::rollup::window::{Span, Window};
use crate::store::rollup::{Field, Figures, Step};
use crate::store::{BatchOrigin, BatchStore, IncomingBatch};
use crate::wire::batch::gzip;

const MINUTE: i64 = 60_000;
const POLL: Duration = Duration::from_mins(1);

fn rome() -> TimeZone {
    TimeZone::get("Europe/Rome").unwrap()
}

/// Three hours before the clock goes back.
fn autumn() -> i64 {
    jiff::civil::date(2026, 10, 25).to_zoned(rome()).unwrap().timestamp().as_millisecond()
}

fn opened() -> (TempDir, Ledger) {
    let dir = TempDir::new().unwrap();
    let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).unwrap();
    (dir, ledger)
}

fn batch(seq: u64, samples: &[Sample], received_at: i64) -> IncomingBatch {
    let mut text = String::new();
    let n_samples = wire::line::encode(samples, &mut text);
    IncomingBatch {
        agent: SiteId::parse("pop").unwrap(),
        epoch: 1,
        seq,
        crc: crc32fast::hash(text.as_bytes()),
        received_at: UnixMillis(received_at),
        sent_at: UnixMillis(received_at),
        n_samples,
        packed: gzip(text.as_bytes()),
        origin: BatchOrigin::default(),
    }
}

fn rsl(device: &str, dbm: f64, at: i64) -> Sample {
    let mut sample = Sample::new(&RADIO, UnixMillis(at)).tag(Tag::Device, device).tag(Tag::Radio, "1");
    sample.set("rsl_dbm", Reading::value(dbm));
    sample
}

fn capacity(mbps: Option<f64>, required: f64, at: i64) -> Sample {
    let mut sample = Sample::new(&LINK, UnixMillis(at)).tag(Tag::Link, "a-b").tag(Tag::Direction, "downstream");
    sample.set("capacity_mbps", mbps.map_or(Reading::Missing(Missing::Timeout), Reading::value));
    sample.set("required_mbps", Reading::value(required));
    sample
}

fn roll_all(ledger: &Ledger, now: i64) -> Rolled {
    let network = fixture::network();
    let mut all = Rolled::default();
    loop {
        let part = roll(ledger, &network, &rome(), POLL, UnixMillis(now)).unwrap();
        all.batches += part.batches;
        all.failed += part.failed;
        if !part.more {
            return all;
        }
    }
}

fn everything(ledger: &Ledger, field: Field, name: &str) -> Vec<BTreeMap<i64, Figures>> {
    let bounds = |step: Step| {
        (step.bucket(&rome(), UnixMillis(autumn())) - 400, step.bucket(&rome(), UnixMillis(autumn())) + 900)
    };
    Step::ALL.iter().map(|step| ledger.rolled(field, name, *step, bounds(*step)).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Levels come in any order, some days late, rolled up after every batch or at the end; the oracle has them all in
    /// one list, and counts wall-clock days with a calendar of its own.
    #[test]
    fn late_data_amend_what_was_rolled_up(
        minutes in prop::collection::vec((0i64..4_000, -900i32..-300), 1..60), each in any::<bool>(),
    ) {
        let (_dir, ledger) = opened();
        let now = autumn() + 4_100 * MINUTE;
        for (seq, (minute, tenths)) in minutes.iter().enumerate() {
            let sample = rsl("a-b-af60", f64::from(*tenths) / 10.0, autumn() + minute * MINUTE);
            ledger.store(&[batch(seq as u64 + 1, &[sample], now)]).unwrap();
            if each {
                roll_all(&ledger, now);
            }
        }
        roll_all(&ledger, now);
        let zone = rome();
        let key = |step: Step, at: i64| match step {
            Step::FiveMinutes => at.div_euclid(5 * MINUTE),
            Step::Hour => at.div_euclid(60 * MINUTE),
            Step::Day => {
                let date = jiff::Timestamp::from_millisecond(at).unwrap().to_zoned(zone.clone()).date();
                // Day of the year, for a year that begins 20,454 days after 1970.
                20_454 + i64::from(date.day_of_year()) - 1
            }
        };
        for (step, found) in Step::ALL.iter().zip(everything(&ledger, Field::Rsl, &radio_name("a-b-af60", None))) {
            let mut expected: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
            for (minute, tenths) in &minutes {
                expected.entry(key(*step, autumn() + minute * MINUTE)).or_default().push(i64::from(*tenths));
            }
            let expected: BTreeMap<i64, (i64, i64, i64, u32)> = expected
                .into_iter()
                .map(|(k, v)| (k, (*v.iter().min().unwrap(), *v.iter().max().unwrap(), v.iter().sum(), v.len() as u32)))
                .collect();
            let found: BTreeMap<_, _> = found.into_iter().map(|(k, f)| (k, (f.min, f.max, f.sum, f.count))).collect();
            prop_assert_eq!(found, expected, "{:?}", step);
        }
    }

    /// The oracle counts second by second.
    #[test]
    fn seconds_below_and_known_are_counted_once(
        steps in prop::collection::vec((50i64..75, prop::option::of(0u32..60)), 5..60),
    ) {
        let (_dir, ledger) = opened();
        let mut at = autumn() + 100 * MINUTE;
        let mut known: BTreeMap<i64, (u32, u32)> = BTreeMap::new();
        let mut first = true;
        for (secs, mbps) in &steps {
            at += secs * 1000;
            ledger.store_own(&[capacity(mbps.map(f64::from), 30.0, at)], UnixMillis(at)).unwrap();
            let stands_for = if first { 60 } else { *secs };
            first = false;
            for second in at / 1000 - stands_for..at / 1000 {
                if let Some(mbps) = mbps {
                    let bucket = known.entry(second / 300).or_default();
                    bucket.0 += 1;
                    bucket.1 += u32::from(*mbps < 30);
                }
            }
        }
        roll_all(&ledger, at);
        let rolled = everything(&ledger, Field::Capacity, &edge_name("link", "a-b", "downstream"));
        let found: BTreeMap<i64, (u32, u32)> =
            rolled[0].iter().filter(|(_, f)| f.known_secs > 0).map(|(k, f)| (*k, (f.known_secs, f.below_secs))).collect();
        prop_assert_eq!(&found, &known);
        let total = |n: usize| rolled[n].values().fold((0, 0), |t, f| (t.0 + f.known_secs, t.1 + f.below_secs));
        prop_assert_eq!(total(0), total(1));
        prop_assert_eq!(total(0), total(2));
        // Unknown counts nowhere, and is no zero.
        let values: u32 = rolled[2].values().map(|f| f.count).sum();
        prop_assert_eq!(values as usize, steps.iter().filter(|(_, mbps)| mbps.is_some()).count());
    }
}

#[test]
fn a_restart_adds_nothing_twice_and_strangers_have_no_history() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let now = autumn() + 600 * MINUTE;
    {
        let ledger = Ledger::open(&path).unwrap();
        let samples =
            [rsl("a-b-af60", -55.0, now), rsl("nobody", -55.0, now), rsl("a-b-af60", -1.0, now + 3 * 60 * MINUTE)];
        ledger.store(&[batch(1, &samples, now)]).unwrap();
        assert_eq!(roll_all(&ledger, now), Rolled { batches: 1, failed: 0, more: false });
    }
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(roll_all(&ledger, now).batches, 0);
    for found in everything(&ledger, Field::Rsl, &radio_name("a-b-af60", Some("1"))) {
        let counts: Vec<u32> = found.values().map(|f| f.count).collect();
        assert_eq!(counts, [1], "what a clock places hours ahead belongs nowhere");
    }
    assert!(everything(&ledger, Field::Rsl, &radio_name("nobody", None)).iter().all(BTreeMap::is_empty));
    // The same name is not the beginning of another.
    assert!(everything(&ledger, Field::Rsl, &radio_name("a-b", None)).iter().all(BTreeMap::is_empty));
}

#[test]
fn old_buckets_go_and_wider_ones_stay() {
    let (_dir, ledger) = opened();
    let then = autumn();
    ledger.store(&[batch(1, &[rsl("a-b-af60", -55.0, then)], then)]).unwrap();
    roll_all(&ledger, then);
    let later = UnixMillis(then) + Duration::from_hours(24 * 100);
    assert_eq!(ledger.prune_rollups(&rome(), later).unwrap(), 1);
    let left: Vec<usize> =
        everything(&ledger, Field::Rsl, &radio_name("a-b-af60", None)).iter().map(BTreeMap::len).collect();
    assert_eq!(left, [0, 1, 1]);
    // A batch that comes 100 days late adds to what is still kept.
    ledger.store(&[batch(2, &[rsl("a-b-af60", -57.0, then)], later.0)]).unwrap();
    roll_all(&ledger, later.0);
    let rolled = everything(&ledger, Field::Rsl, &radio_name("a-b-af60", None));
    assert!(rolled[0].is_empty());
    assert_eq!(rolled[2].values().next().unwrap().count, 2);
}

/// A number between 0 and 1 that is the same in every run.
fn noise(n: u64) -> f64 {
    let mixed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1u64 << 53) as f64
}

/// One minute of a link's series as radios tell them: levels in whole dB that move by one, a capacity that follows
/// the modulation, traffic that is never the same twice.
fn minute(series: u64, minute: i64) -> f64 {
    let n = noise(series * 1_000_003 + minute as u64);
    match series % 6 {
        0 => {
            if n < 0.9 {
                150.0
            } else {
                117.0
            }
        }
        1 => 20.0 + 60.0 * n * n,
        2 => -55.0 - (n * 2.2).floor(),
        3 => 28.0 - (n * 2.2).floor(),
        4 => {
            if n < 0.98 {
                0.0
            } else {
                20.0
            }
        }
        _ => 3.0 + 2.0 * n,
    }
}

/// The limits of the issue: 500 links of 12 series (capacity and throughput by direction; level, signal to noise,
/// loss and round-trip time by end), 90 days by five minutes, two years by the hour, ten by the day; a year of one
/// link's charts under 50 ms.
#[test]
fn rollups_of_500_links_are_small_and_a_year_is_read_at_once() {
    let (_dir, ledger) = opened();
    let (zone, now) = (rome(), UnixMillis(autumn() + 600 * MINUTE));
    let mut bytes = BTreeMap::new();
    for step in Step::ALL {
        let mut rolled: BTreeMap<(Field, String), Sums> = BTreeMap::new();
        let (last, chunk) = (step.bucket(&zone, now), step.chunk_buckets());
        // Whole chunks, as nearly all are; of days a year for the reading below.
        let chunks = if step == Step::Day { 4 } else { 1 };
        let until = last.div_euclid(chunk) * chunk;
        for series in 0..24u64 {
            let field = Field::ALL[(series % 6) as usize];
            let sums = rolled.entry((field, format!("link/of-{}/downstream", series / 6))).or_default();
            let minutes = match step {
                Step::FiveMinutes => 5,
                Step::Hour => 60,
                Step::Day => 1440,
            };
            for bucket in until - chunks * chunk..until {
                // Of days every tenth minute: a day of 24 series has 34,560, and the sums are as good.
                let stride = if step == Step::Day { 10 } else { 1 };
                let figures = sums.entry((step, bucket)).or_default();
                for m in (0..minutes).step_by(stride) {
                    let value = minute(series, bucket * minutes + m);
                    figures.add(&Figures::one(field.whole(value).unwrap()));
                }
                if field == Field::Capacity {
                    let known_secs = minutes as u32 * 60;
                    figures.add(&Figures { known_secs, required: 300, ..Figures::default() });
                }
            }
        }
        let cursor = ledger.rollup_cursor().unwrap();
        ledger.merge_rollups(&rolled, &cursor).unwrap();
        let all: usize = rolled.values().flat_map(BTreeMap::keys).count();
        bytes.insert(step, (ledger.rollup_bytes(step).unwrap(), all));
    }
    let total: f64 = bytes
        .iter()
        .map(|(step, (bytes, buckets))| {
            let kept = step.kept().as_secs_f64()
                / match step {
                    Step::FiveMinutes => 300.0,
                    Step::Hour => 3_600.0,
                    Step::Day => 86_400.0,
                };
            let per_bucket = *bytes as f64 / *buckets as f64;
            println!(
                "{step:?}: {per_bucket:.2} bytes a bucket, {:.2} GB for 6,000 series",
                per_bucket * kept * 6e3 / 1e9
            );
            per_bucket * kept * 6_000.0
        })
        .sum();
    println!("rollups of 500 links: {:.2} GB", total / 1e9);
    assert!(total < 1.6e9, "{total}");

    // Capacity by direction: one chart. The best of three: other tests run at the same time.
    let window = Window::until(&zone, Span::Year, now);
    let mut took = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        let mut known = 0;
        for name in ["link/of-0/downstream", "link/of-1/downstream"] {
            let rolled = ledger.rolled(Field::Capacity, name, window.step, window.buckets()).unwrap();
            known += window.points(&zone, &rolled).iter().filter(|p| p.figures.is_some()).count();
        }
        took = took.min(begun.elapsed());
        assert!(known > 2 * 270, "{known}");
    }
    println!("a year of one link's chart: {took:?}");
    assert!(took < Duration::from_millis(50), "{took:?}");
}

#[test]
fn what_cannot_be_read_is_counted_and_does_not_stop_the_rest() {
    let (_dir, ledger) = opened();
    let now = autumn();
    let mut bad = batch(1, &[rsl("a-b-af60", -55.0, now)], now);
    bad.packed = vec![1, 2, 3];
    let mut ping = Sample::new(&PING, UnixMillis(now)).tag(Tag::Device, "a-b-af60");
    ping.set("loss_percent", Reading::value(0.0));
    ledger.store(&[bad, batch(2, &[ping], now)]).unwrap();
    assert_eq!(roll_all(&ledger, now), Rolled { batches: 2, failed: 1, more: false });
    let loss = everything(&ledger, Field::Loss, &crate::store::rollup::gather::device_ping_name("a-b-af60"));
    assert_eq!(loss[0].values().map(|f| (f.count, f.sum)).collect::<Vec<_>>(), [(1, 0)]);
}
