//! What holds on any story.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::*;
use crate::alert::{Condition, IncidentState};

/// One event of a story: this edge is set so, then so many minutes pass, then the hub may restart.
#[derive(Debug, Clone)]
struct Event {
    edge: usize,
    cap: Cap,
    minutes: usize,
    restart: bool,
}

fn events(unknown_only: bool) -> impl Strategy<Value = Vec<Event>> {
    let cap = if unknown_only {
        Just(Cap::Unknown).boxed()
    } else {
        prop_oneof![
            3 => Just(Cap::Mbps(300.0)),
            2 => (1.0..120.0f64).prop_map(Cap::Mbps),
            2 => Just(Cap::Down),
            1 => Just(Cap::Unknown),
        ]
        .boxed()
    };
    let event = (0..6usize, cap, 1..25usize, any::<bool>()).prop_map(|(edge, cap, minutes, restart)| Event {
        edge,
        cap,
        minutes,
        restart,
    });
    prop::collection::vec(event, 1..14)
}

/// Besides the edges: the relay loses its power, or has it back.
const POWER: usize = 5;

const EDGES: [&str; 5] = ["trunk", "to-alba", "to-bene", "main", "spare"];

fn play(story: &[Event], restarts: bool) -> Run {
    let mut run = Run::new();
    for event in story {
        if event.edge != POWER {
            run.world.set(&link(EDGES[event.edge]), event.cap);
        } else if event.cap == Cap::Down {
            run.world.cut_power("relay");
        } else if event.cap != Cap::Unknown {
            run.world.restore_power("relay");
        }
        for minute in 0..event.minutes {
            run.step();
            if restarts && (event.restart || minute % 3 == 0) {
                run.restart();
            }
        }
    }
    run
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_at_any_step_changes_no_transition(story in events(false)) {
        prop_assert_eq!(play(&story, false).log, play(&story, true).log);
    }

    #[test]
    fn no_second_opening_without_a_closing(story in events(false)) {
        let run = play(&story, false);
        let mut open: BTreeMap<String, String> = BTreeMap::new();
        let mut numbers = std::collections::BTreeSet::new();
        for line in &run.log {
            let words: Vec<&str> = line.split(' ').collect();
            let (number, subject, state) = (words[1].to_owned(), format!("{} {}", words[2], words[3]), words[4]);
            match state {
                "open" => {
                    // Opened anew, or back from closing under the same number.
                    let other = open.insert(subject, number.clone());
                    prop_assert!(other.is_none_or(|o| o == number), "{}", line);
                    numbers.insert(number);
                }
                "closed" => {
                    prop_assert_eq!(open.remove(&subject), Some(number), "{}", line);
                }
                _ => prop_assert_eq!(open.get(&subject), Some(&number), "{}", line),
            }
        }
    }

    #[test]
    fn missing_never_opens_or_closes(before in events(false), unknown in events(true)) {
        let mut run = play(&before, false);
        for edge in EDGES {
            run.world.set(&link(edge), Cap::Unknown);
        }
        run.world.caps.insert(bundle("pair"), Cap::Unknown);
        run.take_log();
        for event in &unknown {
            run.minutes(event.minutes);
        }
        for line in run.take_log() {
            // Back from closing to open is no opening: nobody is told anything.
            prop_assert!(line.contains(" open "), "{}", line);
        }
        let fresh = run.engine.incidents().into_iter().filter(|i| i.opened_at > Some(run.now)).count();
        prop_assert_eq!(fresh, 0);
    }

    #[test]
    fn everything_ends_when_all_is_well_again(story in events(false)) {
        let mut run = play(&story, false);
        run.world.restore_power("relay");
        let good = run.world.good.clone();
        for edge in EDGES {
            run.world.set(&link(edge), Cap::Mbps(good[&link(edge)]));
        }
        run.minutes(20);
        let live: Vec<_> = run.engine.incidents().into_iter().filter(|i| i.state != IncidentState::Closed).collect();
        prop_assert!(live.is_empty(), "{:?}", live);
    }

    #[test]
    fn a_cause_lives_and_is_no_consequence_of_its_own(story in events(false)) {
        let run = play(&story, false);
        let all = run.engine.incidents();
        for incident in all.iter().filter(|i| i.is_opened()) {
            prop_assert!(!incident.caused_by.contains(&incident.number));
            if incident.condition == Condition::SiteBelowTarget || incident.is_consequence() {
                for cause in &incident.caused_by {
                    prop_assert!(all.iter().any(|i| i.number == *cause), "{} of {}", cause, incident.number);
                }
            }
        }
    }
}
