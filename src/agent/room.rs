//! What the radios of a relay cost on its disk: real encoder, closing rule and spool, invented radios.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use super::closing::Closing;
use crate::catalogue;
use crate::config::settings::SpoolLimits;
use crate::model::{MonoMillis, Provenance, Reading, Sample, Tag, UnixMillis};
use crate::spool::{NewBatch, Origin, RECORDS_MAX, SEGMENT_BYTES, Spool};
use crate::wire::batch::{ClockQuality, pack_lines};
use crate::wire::line;

const RADIOS: u64 = 20;
const INTERVAL: Duration = Duration::from_mins(1);
/// What is played; the rest of a day is like it.
const HOURS: u64 = 3;
const T0: i64 = 1_800_000_000_000;
/// What `tests/wire_cost.rs` counts in a batch of twenty radios: those here must not have less to say.
const VALUES_A_BATCH_MIN: f64 = 558.0;
/// Of ext4, and of what flash is written in.
const BLOCK: u64 = 4096;
/// What one synchronisation of a file that has grown adds in an ext4 journal, blocks: descriptor, inode, block bitmap,
/// group, commit; and once more in place, when the journal is emptied, all but the first and the last.
const BLOCKS_A_SYNC: u64 = 5 + 3;
/// A synchronisation of its own for the file and for the directory's names.
const SYNCS_A_STATE: u64 = 2;

/// Figures that wander as those of radios do (splitmix64, Steele and others 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whole steps around a value: what a radio tells of its levels.
    fn level(&mut self, around: f64) -> f64 {
        around + (self.share() * 5.0).floor() - 2.0
    }
}

/// Everything that one poll of a radio gives.
fn poll(radio: u64, at: UnixMillis, is_up: bool, chance: &mut Chance) -> Vec<Sample> {
    let device = format!("poggio-borgo-{radio}-af60");
    let sample = |measurement| Sample::new(measurement, at).tag(Tag::Device, device.clone());
    let set = |sample: &mut Sample, values: &[(&'static str, f64)]| {
        for (field, value) in values {
            sample.set(field, Reading::value(*value).rounded());
        }
    };
    let polls = (at.0 - T0) as f64 / 60_000.0;
    let load = 40.0 + 30.0 * chance.share();
    let mut own = sample(&catalogue::RADIO).tag(Tag::Link, format!("poggio-borgo-{radio}"));
    for field in ["capacity_tx_mbps", "capacity_rx_mbps"] {
        own.set(field, Reading::known(chance.level(900.0) * 1.08, Provenance::Derived).rounded());
    }
    let rates = [("phy_tx_mbps", 1000.0), ("phy_rx_mbps", 1000.0), ("throughput_tx_mbps", load)];
    set(&mut own, &rates);
    set(&mut own, &[("throughput_rx_mbps", load / 7.3), ("rsl_dbm", chance.level(-58.0))]);
    set(&mut own, &[("rsl_chain0_dbm", chance.level(-61.0)), ("rsl_chain1_dbm", chance.level(-61.0))]);
    set(
        &mut own,
        &[("remote_rsl_dbm", chance.level(-59.0)), ("noise_floor_dbm", -70.0), ("snr_db", chance.level(14.0))],
    );
    set(&mut own, &[("tx_power_dbm", 38.0), ("channel_mhz", 60_480.0), ("channel_width_mhz", 2160.0)]);
    set(&mut own, &[("mcs_tx_index", chance.level(9.0)), ("mcs_rx_index", chance.level(9.0))]);
    set(
        &mut own,
        &[("airtime_percent", load / 2.0), ("distance_meters", 1840.0), ("link_up_flag", f64::from(u8::from(is_up)))],
    );
    let mut port = sample(&catalogue::PORT).tag(Tag::Port, "eth0");
    set(&mut port, &[("up_flag", 1.0), ("rate_mbps", 1000.0), ("throughput_tx_mbps", load / 7.1)]);
    set(&mut port, &[("throughput_rx_mbps", load * 1.02), ("errors_in_total", 0.0), ("errors_out_total", 0.0)]);
    let mut itself = sample(&catalogue::DEVICE);
    set(&mut itself, &[("snmp_up_flag", 1.0), ("poll_ms", (20.0 + 30.0 * chance.share()).floor())]);
    set(
        &mut itself,
        &[("uptime_secs", polls.mul_add(60.0, 86_400.0).floor()), ("requests_total", polls.floor() * 3.0)],
    );
    set(&mut itself, &[("timeouts_total", 2.0), ("malformed_total", 0.0), ("overruns_total", 0.0)]);
    let mut echo = sample(&catalogue::PING);
    set(
        &mut echo,
        &[("loss_percent", 0.0), ("rtt_ms_median", 1.0 + chance.share()), ("rtt_ms_spread", chance.share())],
    );
    let mut power = sample(&catalogue::POWER);
    set(&mut power, &[("temperature_celsius", chance.level(31.0))]);
    vec![own, port, itself, echo, power]
}

/// A spool, and what it was given.
struct Disk {
    dir: TempDir,
    spool: Spool,
    state_writes: u64,
    /// Blocks of the segments that were written, those written again included.
    blocks: u64,
}

impl Disk {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let spool = Spool::open(dir.path(), SpoolLimits::default(), 7).unwrap();
        Self { dir, spool, state_writes: 0, blocks: 0 }
    }

    fn append(&mut self, batches: &[NewBatch]) {
        let before = self.spool.bytes();
        assert!(self.spool.append(batches).error.is_none());
        self.blocks += self.spool.bytes().div_ceil(BLOCK) - before / BLOCK;
    }

    fn upkeep(&mut self, now: MonoMillis) {
        let before = self.spool.counters().bytes_written;
        self.spool.upkeep(UnixMillis(T0 + now.0 as i64), ClockQuality::Set, now).unwrap();
        self.state_writes += u64::from(self.spool.counters().bytes_written > before);
    }
}

fn segment_bytes(dir: &Path) -> u64 {
    let segments =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap()).filter(|e| e.path().extension().is_some_and(|x| x == "seg"));
    segments.map(|e| e.metadata().unwrap().len()).sum()
}

/// Field values of line protocol, as a store keeps them.
fn n_values(text: &str) -> u64 {
    text.lines().filter_map(|line| line.split(' ').nth(1)).map(|fields| fields.split(',').count() as u64).sum()
}

fn batches(open: &[Sample], now: MonoMillis) -> (Vec<NewBatch>, u64) {
    let mut text = String::new();
    line::encode(open, &mut text);
    let origin = Origin { boot: 1, mono_ms: now, made_at: UnixMillis(T0 + now.0 as i64), clock: ClockQuality::Set };
    let (parts, left_out) = pack_lines(text.as_bytes());
    assert_eq!(left_out, 0);
    (parts.into_iter().map(|(packed, n_samples)| NewBatch { packed, n_samples, origin }).collect(), n_values(&text))
}

/// Some hours, then by proportion: 30 days with the hub away, and a day on flash with it there.
#[test]
fn thirty_days_of_twenty_radios_have_room() {
    let mut chance = Chance(4);
    let (mut away, mut present) = (Disk::new(), Disk::new());
    let opened = present.spool.counters().bytes_written;
    let ledger = Uuid::from_u128(1);
    let mut closing = Closing::new(INTERVAL, MonoMillis(0));
    let (mut open, mut n_batches, mut values) = (Vec::new(), 0_u64, 0);
    for second in 0..HOURS * 3600 {
        let now = MonoMillis(second * 1000);
        if second % 3 == 0 {
            // Each radio has its own second of the minute. Once an hour a link goes, and comes back.
            let radio = second % 60 / 3;
            let at = UnixMillis(T0 + now.0 as i64 + (chance.next() % 1000) as i64);
            let is_up = !(radio == 7 && second % 3600 < 60);
            for sample in poll(radio, at, is_up, &mut chance) {
                closing.see(&sample, now);
                open.push(sample);
            }
        }
        if closing.at() <= now {
            let (batches, n) = batches(&open, now);
            open.clear();
            closing.closed(now);
            (n_batches, values) = (n_batches + batches.len() as u64, values + n);
            away.append(&batches);
            present.append(&batches);
            let stored = [(1, present.spool.next_seq() - 1)].into_iter().collect();
            present.spool.hear_stored(ledger, &stored).unwrap();
        }
        if second % 60 == 0 {
            present.upkeep(now);
        }
    }
    assert_eq!(RADIOS * 3, 60, "one radio each three seconds");
    let held = segment_bytes(away.dir.path());
    assert_eq!(held, away.spool.bytes());
    let limits = SpoolLimits::default();
    let days = |n: u64, of: u64| of * n * 24 / HOURS;
    let (thirty, of_day) = (days(30, held), days(1, held));
    let written = days(1, present.spool.counters().bytes_written - opened);
    let syncs = n_batches + present.state_writes * SYNCS_A_STATE;
    let flash = days(1, (present.blocks + present.state_writes + syncs * BLOCKS_A_SYNC) * BLOCK);
    let report = format!(
        "{} batches a day of {} values and {} bytes; 30 days {thirty} bytes, a day {of_day}; written {written} a day, \
         {} state files among it; {flash} with what the file system adds for {} synchronisations",
        days(1, n_batches),
        values / n_batches,
        held / n_batches,
        days(1, present.state_writes),
        days(1, syncs),
    );
    eprintln!("{report}");
    assert!(values as f64 / n_batches as f64 >= VALUES_A_BATCH_MIN, "{report}");
    // The reserve is a part of the bytes allowed.
    assert!(thirty + SEGMENT_BYTES <= limits.bytes_max, "{report}");
    assert!(limits.age_max >= Duration::from_hours(30 * 24));
    assert!(days(30, n_batches) < RECORDS_MAX as u64, "{report}");
    assert!(written <= 6_000_000 && flash <= 250_000_000, "{report}");
}
