//! Services follow the backhauls of the scenario.

use super::*;
use crate::model::{BackhaulId, UnixMillis};
use crate::runtime::clock::ManualClock;
use crate::sim::scenario::{Event, EventKind, Scenario};
use crate::sim::{SimOptions, fixture};

const LONG: Duration = Duration::from_mins(1);

fn services(down: &[&str], seed: u64) -> SimServices {
    let event = |id: &&str| Event {
        line: 1,
        at: Duration::ZERO,
        lasts: LONG,
        kind: EventKind::BackhaulDown { backhaul: BackhaulId::parse(id).expect("an id") },
    };
    let scenario = Scenario { events: down.iter().map(event).collect(), ..Scenario::calm() };
    let options = SimOptions { seed, ..SimOptions::default() };
    let clock = ManualClock::at(UnixMillis(1_800_000_000_000));
    SimServices::new(Arc::new(SimWorld::new(fixture::network(), scenario, options, clock)))
}

#[tokio::test]
async fn one_working_backhaul_is_enough() {
    async fn check(down: &[&str], works: bool) {
        let limit = if works { LONG } else { Duration::from_millis(100) };
        let trial = services(down, 1).get("https://documenti.example/", limit).await;
        match trial {
            Ok(answer) => assert!(works && answer.is_good(), "{down:?}: {answer:?}"),
            Err(e) => assert!(!works && e == ServiceError::Timeout, "{down:?}: {e}"),
        }
    }
    check(&[], true).await;
    check(&["fibra"], true).await;
    check(&["fibra", "riserva"], false).await;
}

#[test]
fn times_are_within_their_range_and_repeat_with_the_seed() {
    let times = |seed| {
        let services = services(&[], seed);
        (0..100).map(|_| services.response_ms("https://documenti.example/")).collect::<Vec<_>>()
    };
    let first = times(3);
    assert!(first.iter().all(|ms| (ANSWER_MS.0..ANSWER_MS.1).contains(ms)));
    assert_eq!(first, times(3));
    assert_ne!(first, times(4));
}
