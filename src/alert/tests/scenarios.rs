//! Stories with a known end.

use super::world::*;
use crate::alert::observe::closing_threshold;
use crate::alert::{Condition, IncidentState, Severity};

#[track_caller]
fn check(run: &mut Run, expected: &[&str]) {
    assert_eq!(run.take_log(), expected);
}

#[test]
fn a_fade_opens_after_its_hold_and_closes_after_its_own() {
    let mut run = Run::new();
    run.world.set(&link("trunk"), Cap::Mbps(45.0));
    run.minutes(15);
    check(&mut run, &[]);
    run.minutes(1);
    check(&mut run, &["17m #1 capacity_below trunk open told"]);
    let incident = run.live(Condition::CapacityBelow).remove(0);
    assert_eq!(incident.sites.len(), 3);
    assert_eq!(incident.sites_below.len(), 3);
    assert_eq!(incident.sites_cut_off.len(), 0);
    assert_eq!(incident.residents, 1200);
    assert_eq!((incident.measured_mbps, incident.required_mbps), (Some(45.0), Some(90.0)));
    assert_eq!(incident.severity, Severity::Major);
    // The sites behind it follow one interval later, as consequences.
    run.minutes(1);
    check(
        &mut run,
        &[
            "18m #2 site_below_target alba open by [1]",
            "18m #3 site_below_target bene open by [1]",
            "18m #4 site_below_target ceva open by [1]",
        ],
    );
    run.world.set(&link("trunk"), Cap::Mbps(300.0));
    run.minutes(1);
    assert_eq!(run.take_log()[0], "19m #1 capacity_below trunk closing told");
    run.minutes(15);
    let log = run.take_log();
    assert!(log.contains(&"34m #1 capacity_below trunk closed told".to_owned()), "{log:?}");
    assert_eq!(log.len(), 4);
    let closed = run.engine.incidents().into_iter().find(|i| i.number == 1).unwrap();
    // In breach from minute 2, first seen well at minute 19.
    assert_eq!(closed.detail.below_ms, 17 * 60_000);
    assert_eq!(closed.recovered_at().unwrap().since(closed.since), 17 * MINUTE);
    assert_eq!(closed.measured_mbps_min, Some(45.0));
}

#[test]
fn a_short_fade_is_nothing() {
    let mut run = Run::new();
    for _ in 0..5 {
        run.world.set(&link("trunk"), Cap::Mbps(45.0));
        run.minutes(14);
        run.world.set(&link("trunk"), Cap::Mbps(95.0));
        run.minutes(1);
    }
    check(&mut run, &[]);
    assert!(run.engine.incidents().is_empty());
}

#[test]
fn flapping_around_the_threshold_is_one_incident() {
    let mut run = Run::new();
    run.world.set(&link("trunk"), Cap::Mbps(80.0));
    run.minutes(20);
    run.take_log();
    // Above what is required, but not by the margin: it stays open.
    for _ in 0..20 {
        run.world.set(&link("trunk"), Cap::Mbps(100.0));
        run.minutes(3);
        run.world.set(&link("trunk"), Cap::Mbps(89.0));
        run.minutes(3);
    }
    assert!(run.take_log().iter().all(|l| !l.contains("capacity_below")));
    // With the margin, but not for long enough.
    for _ in 0..20 {
        run.world.set(&link("trunk"), Cap::Mbps(110.0));
        run.minutes(14);
        run.world.set(&link("trunk"), Cap::Mbps(89.0));
        run.minutes(1);
    }
    assert!(run.take_log().iter().all(|l| !l.contains("closed")));
    assert_eq!(run.live(Condition::CapacityBelow).len(), 1);
}

#[test]
fn a_link_whose_best_is_hardly_enough_closes_all_the_same() {
    assert_eq!(closing_threshold(30.0, 0.2, None), 36.0);
    assert_eq!(closing_threshold(30.0, 0.2, Some(1000.0)), 36.0);
    assert_eq!(closing_threshold(30.0, 0.2, Some(31.0)), 30.5);
    assert_eq!(closing_threshold(90.0, 0.2, Some(94.0)), 92.0);
    // It was never seen to reach what is required.
    assert_eq!(closing_threshold(30.0, 0.2, Some(20.0)), 30.0);

    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Mbps(31.0));
    // A month later the hundred of the first day is forgotten.
    run.now = run.now + MINUTE * 60 * 24 * 31;
    run.minutes(2);
    run.world.set(&link("to-alba"), Cap::Mbps(20.0));
    run.minutes(16);
    assert_eq!(run.live(Condition::CapacityBelow)[0].detail.best_mbps, Some(31.0));
    run.world.set(&link("to-alba"), Cap::Mbps(30.8));
    run.minutes(16);
    assert_eq!(run.live(Condition::CapacityBelow).len(), 0);
}

#[test]
fn a_link_down_tells_once_for_everybody_behind_it() {
    let mut run = Run::new();
    run.world.set(&link("trunk"), Cap::Down);
    run.minutes(3);
    check(&mut run, &[]);
    run.minutes(1);
    check(&mut run, &["5m #1 link_down trunk open told"]);
    let incident = run.live(Condition::LinkDown).remove(0);
    assert_eq!((incident.severity, incident.sites_cut_off.len()), (Severity::Critical, 3));
    run.minutes(30);
    let log = run.take_log();
    assert_eq!(log.len(), 3, "{log:?}");
    assert!(log.iter().all(|l| l.contains("site_below_target") && l.ends_with("by [1]")));
    assert!(run.live(Condition::CapacityBelow).is_empty());
}

#[test]
fn the_parent_recovers_before_the_child_is_seen_again() {
    let mut run = Run::new();
    run.world.set(&link("trunk"), Cap::Down);
    run.minutes(20);
    run.take_log();
    // The trunk is back; one link behind it stays weak for a while without ever holding.
    run.world.set(&link("trunk"), Cap::Mbps(300.0));
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(10);
    run.world.set(&link("to-alba"), Cap::Mbps(100.0));
    run.minutes(30);
    let log = run.take_log();
    assert!(log.iter().all(|l| !l.contains("site_below_target") || l.contains("by [1]")), "{log:?}");
    assert!(run.live(Condition::SiteBelowTarget).is_empty());
}

#[test]
fn a_consequence_that_outlives_its_cause_is_told_in_the_end() {
    let mut run = Run::new();
    run.world.untrusted.insert(link("to-alba"));
    run.world.set(&link("trunk"), Cap::Down);
    run.minutes(20);
    run.take_log();
    run.world.set(&link("trunk"), Cap::Mbps(300.0));
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(15);
    assert!(!run.live(Condition::SiteBelowTarget)[0].detail.announced);
    run.minutes(10);
    assert!(run.live(Condition::SiteBelowTarget)[0].detail.announced);
}

#[test]
fn a_site_without_a_known_cause_is_told() {
    let mut run = Run::new();
    run.world.untrusted.insert(link("to-alba"));
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(30);
    check(&mut run, &["18m #1 site_below_target alba open told"]);
}

#[test]
fn parallel_failures_stay_separate() {
    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.world.set(&link("to-bene"), Cap::Down);
    run.minutes(20);
    check(
        &mut run,
        &[
            "5m #1 link_down to-bene open told",
            "17m #2 capacity_below to-alba open told",
            "18m #3 site_below_target alba open by [2]",
            "18m #4 site_below_target bene open by [1]",
        ],
    );
}

#[test]
fn two_weak_links_in_a_row_are_joint_causes() {
    let mut run = Run::new();
    run.world.set(&link("trunk"), Cap::Mbps(45.0));
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(20);
    let sites = run.live(Condition::SiteBelowTarget);
    let caused_by = |id: &str| sites.iter().find(|i| i.subject.as_str() == id).unwrap().caused_by.clone();
    assert_eq!(caused_by("alba"), [1, 2]);
    assert_eq!(caused_by("bene"), [2]);
    let trunk = run.live(Condition::CapacityBelow).into_iter().find(|i| i.number == 2).unwrap();
    assert_eq!(trunk.subject.as_str(), "trunk");
    // Restoring the trunk alone would not help alba.
    assert_eq!(trunk.sites_below.iter().map(crate::model::SiteId::as_str).collect::<Vec<_>>(), ["bene", "ceva"]);
}

#[test]
fn a_fade_that_becomes_an_outage_and_comes_back_weak() {
    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(20);
    run.world.set(&link("to-alba"), Cap::Down);
    run.minutes(10);
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(10);
    run.world.set(&link("to-alba"), Cap::Mbps(100.0));
    run.minutes(20);
    let log = run.take_log();
    let links: Vec<&String> = log.iter().filter(|l| !l.contains("site")).collect();
    assert_eq!(
        links,
        [
            "17m #1 capacity_below to-alba open told",
            "25m #3 link_down to-alba open told",
            "32m #3 link_down to-alba closing told",
            "35m #3 link_down to-alba closed told",
            "42m #1 capacity_below to-alba closing told",
            "57m #1 capacity_below to-alba closed told",
        ]
    );
}

#[test]
fn an_outage_does_not_also_open_as_weak() {
    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(13);
    run.world.set(&link("to-alba"), Cap::Down);
    run.minutes(40);
    let log = run.take_log();
    let links: Vec<&String> = log.iter().filter(|l| !l.contains("site")).collect();
    assert_eq!(links, ["18m #1 link_down to-alba open told"]);
}

#[test]
fn a_bundle_on_its_backup_tells_for_its_member() {
    let mut run = Run::new();
    run.world.set(&link("main"), Cap::Down);
    run.minutes(30);
    check(
        &mut run,
        &[
            "5m #1 on_standby pair open told",
            "6m #2 link_down main open by [1]",
            "17m #3 capacity_below pair open by [1]",
            "18m #4 site_below_target ceva open by [1]",
        ],
    );
}

#[test]
fn a_backup_that_carries_enough_is_redundancy() {
    let mut run = Run::new();
    run.world.good.insert(link("spare"), 90.0);
    run.world.set(&link("spare"), Cap::Mbps(90.0));
    run.world.set(&link("main"), Cap::Down);
    run.minutes(30);
    check(&mut run, &["5m #1 on_standby pair open minor", "6m #2 link_down main open by [1]"]);
    // Then the backup fades too: the same incident is told now, once the shortage has held.
    run.world.set(&link("spare"), Cap::Mbps(12.0));
    run.minutes(10);
    assert!(!run.live(Condition::OnStandby)[0].detail.announced);
    run.minutes(10);
    assert!(run.live(Condition::OnStandby)[0].detail.announced);
}

#[test]
fn a_spare_that_dies_is_minor() {
    let mut run = Run::new();
    run.world.set(&link("spare"), Cap::Down);
    run.minutes(30);
    // The bundle tells about its member, with the digest.
    check(&mut run, &["6m #1 link_down spare open minor", "12m #2 redundancy_lost pair open minor"]);
    assert_eq!(run.live(Condition::LinkDown)[0].caused_by, [2]);
    assert!(run.engine.incidents().iter().all(|i| i.delivery() == crate::alert::Delivery::Digest));
}

#[test]
fn unknown_pauses_a_hold_and_then_resets_it() {
    // Three intervals unknown: the hold goes on where it was.
    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(10);
    run.world.set(&link("to-alba"), Cap::Unknown);
    run.minutes(3);
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(9);
    assert_eq!(
        run.take_log(),
        ["20m #1 capacity_below to-alba open told", "21m #2 site_below_target alba open by [1]"]
    );
    // Longer: it starts anew.
    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(14);
    run.world.set(&link("to-alba"), Cap::Unknown);
    run.minutes(6);
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(15);
    check(&mut run, &[]);
    run.minutes(1);
    check(&mut run, &["37m #1 capacity_below to-alba open told"]);
}

#[test]
fn unknown_does_not_close() {
    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(20);
    run.world.set(&link("to-alba"), Cap::Unknown);
    run.minutes(600);
    assert_eq!(run.live(Condition::CapacityBelow)[0].state, IncidentState::Open);
    run.world.set(&link("to-alba"), Cap::Mbps(100.0));
    run.minutes(2);
    run.world.set(&link("to-alba"), Cap::Unknown);
    run.minutes(600);
    assert_eq!(run.live(Condition::CapacityBelow)[0].state, IncidentState::Open);
}

#[test]
fn a_hub_that_was_off_does_not_count_the_time() {
    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(5);
    run.now = run.now + MINUTE * 120;
    run.restart();
    run.minutes(15);
    check(&mut run, &[]);
    run.minutes(1);
    check(&mut run, &["142m #1 capacity_below to-alba open told"]);
}

#[test]
fn lost_samples_open_at_once_and_close_after_a_quiet_day() {
    let mut run = Run::new();
    run.world.lost = Some(3);
    run.minutes(1);
    check(&mut run, &["2m #1 samples_lost relay open told"]);
    run.minutes(60 * 12);
    run.world.lost = Some(4);
    run.minutes(60 * 20);
    assert_eq!(run.live(Condition::SamplesLost)[0].detail.lost_batches, Some(4));
    run.minutes(60 * 4 + 1);
    check(&mut run, &["2163m #1 samples_lost relay closed told"]);
    // An agent that is not heard has lost nothing more.
    run.world.lost = None;
    run.minutes(10);
    run.world.lost = Some(4);
    run.minutes(10);
    check(&mut run, &[]);
}

#[test]
fn losses_from_before_the_first_look_are_history() {
    let mut run = Run::new();
    run.world.lost = Some(7);
    run.minutes(1);
    assert_eq!(run.take_log().len(), 1);
    // A hub without memory, and an agent with an old loss.
    let mut world = World::new();
    world.lost = Some(7);
    let mut engine =
        crate::alert::Engine::new(crate::config::settings::AlertSettings::default(), World::network(), Vec::new(), 1);
    assert!(engine.step(START, &world.view(START), &world).is_empty());
}

#[test]
fn what_the_inventory_no_longer_has_is_closed() {
    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(17);
    run.take_log();
    let mut network = (*World::network()).clone();
    network.links.remove("to-alba");
    run.engine.set_network(std::sync::Arc::new(network));
    run.world.caps.remove(&link("to-alba"));
    run.world.paths.retain(|(site, _)| site.as_str() != "alba");
    run.minutes(1);
    let log = run.take_log();
    assert!(log.contains(&"19m #1 capacity_below to-alba closed told".to_owned()), "{log:?}");
}

#[test]
fn a_clock_set_back_neither_opens_early_nor_never() {
    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Mbps(10.0));
    run.minutes(10);
    run.now = run.now - MINUTE * 600;
    run.minutes(15);
    assert!(run.live(Condition::CapacityBelow)[0].state == IncidentState::Pending);
    run.minutes(2);
    assert!(run.live(Condition::CapacityBelow)[0].state == IncidentState::Open);
}
