//! A ledger with a year of history of one link: what the hub has rolled up.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tempfile::TempDir;
use vedetta::model::network::Network;
use vedetta::model::{EdgeId, UnixMillis};
use vedetta::store::ledger::Ledger;
use vedetta::store::rollup::gather::{Cursor, Sums};
use vedetta::store::rollup::{Field, Figures, Step};
use vedetta::web::series::sources;

/// Five-minute buckets before the newest of which nothing is known: the third to the fourteenth.
pub const GAP: std::ops::Range<i64> = 3..15;
/// What is required of the link, Mbps; it has been below since two buckets ago.
pub const REQUIRED_MBPS: f64 = 30.0;

pub struct Kept {
    pub ledger: Arc<Ledger>,
    _dir: TempDir,
}

fn usual(field: Field) -> f64 {
    match field {
        Field::Capacity => 60.0,
        Field::Throughput => 12.0,
        Field::Rsl => -56.0,
        Field::Snr => 21.0,
        Field::Loss => 0.4,
        Field::Rtt => 3.2,
    }
}

fn figures(field: Field, ago: i64, step: Step, secs: u32) -> Figures {
    let weak = step == Step::FiveMinutes && ago < GAP.start;
    let value = if weak && field == Field::Capacity { 20.0 } else { usual(field) + f64::from(ago as i32 % 7) / 10.0 };
    let mut figures = Figures::one(field.whole(value).unwrap());
    if field == Field::Capacity {
        figures.known_secs = secs;
        figures.below_secs = if weak { secs } else { 0 };
        figures.required = field.whole(REQUIRED_MBPS).unwrap();
    }
    figures
}

/// Buckets of every step up to `now`: a day of five minutes, a month of hours, a year of days.
pub fn kept(network: &Network, edge: &EdgeId, now: UnixMillis) -> Kept {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(Ledger::open(&dir.path().join("ledger.sqlite")).unwrap());
    let zone = TimeZone::get(&network.time_zone).unwrap();
    let mut sums = BTreeMap::new();
    for field in Field::ALL {
        for (_, name) in sources(network, edge, field) {
            let mut of: Sums = Sums::new();
            for (step, many, secs) in [(Step::FiveMinutes, 288, 300), (Step::Hour, 720, 3600), (Step::Day, 365, 86_400)]
            {
                let last = step.bucket(&zone, now);
                for ago in (0..many).filter(|ago| step != Step::FiveMinutes || !GAP.contains(ago)) {
                    of.insert((step, last - ago), figures(field, ago, step, secs));
                }
            }
            sums.insert((field, name), of);
        }
    }
    let merged = ledger.merge_rollups(&sums, &Cursor::default()).unwrap();
    assert_eq!((merged.left_out, merged.damaged), (0, 0));
    Kept { ledger, _dir: dir }
}
