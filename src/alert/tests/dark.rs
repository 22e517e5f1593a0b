//! Sites that go dark.

use super::world::*;
use crate::alert::incident::{Confidence, ProbableCause};
use crate::alert::{Condition, Incident, IncidentState};
use crate::model::EdgeId;

fn down(run: &Run) -> Vec<Incident> {
    let mut all = run.live(Condition::LinkDown);
    all.sort_by_key(|i| i.number);
    all
}

fn subjects(incidents: &[Incident]) -> Vec<&str> {
    incidents.iter().map(|i| i.subject.as_str()).collect()
}

fn announced(run: &Run) -> Vec<Incident> {
    let mut all = run.engine.incidents();
    all.retain(|i| i.detail.announced || i.detail.operator_only);
    all.sort_by_key(|i| i.number);
    all
}

#[test]
fn one_root_for_every_link_of_a_site_without_power() {
    let mut run = Run::new();
    run.world.cut_power("relay");
    run.minutes(20);
    // The link that the most depend on is the root; the members of the bundle follow theirs.
    let all = down(&run);
    assert_eq!(subjects(&all), ["trunk", "to-alba", "to-bene", "pair", "main", "spare"]);
    assert!(all[1..].iter().all(|i| i.caused_by == [1] && !i.detail.announced && !i.detail.operator_only));
    assert_eq!(subjects(&announced(&run)), ["trunk"]);
    assert_eq!((all[0].probable_cause, all[0].confidence), (ProbableCause::Power, Confidence::High));
    assert_eq!(all[0].detail.dark_site, Some(site("relay")));
    let also: Vec<&str> = all[0].detail.also_down.iter().map(EdgeId::as_str).collect();
    assert_eq!(also, ["to-alba", "to-bene", "pair"]);
    // Power comes back: all close on their own, nothing more is told.
    run.world.restore_power("relay");
    run.minutes(20);
    assert!(run.engine.incidents().iter().all(|i| i.state == IncidentState::Closed));
    assert_eq!(subjects(&announced(&run)), ["trunk"]);
}

#[test]
fn each_operator_hears_of_its_own_links_once() {
    let mut run = Run::new();
    run.world.belbo = [link("to-alba"), link("to-bene")].into();
    run.engine.set_network(run.world.own_network());
    run.world.cut_power("relay");
    run.minutes(20);
    let told = announced(&run);
    assert_eq!(subjects(&told), ["trunk", "to-alba"]);
    assert!(told[0].detail.announced);
    assert!(!told[1].detail.announced && told[1].detail.operator_only && told[1].caused_by == [1]);
    run.world.restore_power("relay");
    run.minutes(30);
    assert_eq!(announced(&run).len(), 2);
}

#[test]
fn a_link_that_stays_down_after_the_power_is_back_is_told() {
    let mut run = Run::new();
    run.world.cut_power("relay");
    run.minutes(20);
    run.world.restore_power("relay");
    run.world.set(&link("to-alba"), Cap::Down);
    run.minutes(3);
    assert_eq!(announced(&run).len(), 1);
    run.minutes(5);
    assert_eq!(subjects(&announced(&run)), ["trunk", "to-alba"]);
}

#[test]
fn an_older_outage_at_the_site_is_another_trouble() {
    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Down);
    run.minutes(30);
    run.world.cut_power("relay");
    run.minutes(20);
    assert_eq!(subjects(&announced(&run)), ["to-alba", "trunk"]);
    let trunk = down(&run).into_iter().find(|i| i.subject.as_str() == "trunk").unwrap();
    assert!(!trunk.detail.also_down.contains(&link("to-alba")));
}

#[test]
fn outages_at_a_site_that_answers_stay_separate() {
    let mut run = Run::new();
    run.world.set(&link("to-alba"), Cap::Down);
    run.world.set(&link("to-bene"), Cap::Down);
    run.minutes(20);
    assert_eq!(subjects(&announced(&run)), ["to-alba", "to-bene"]);
    assert!(down(&run).iter().all(|i| i.detail.dark_site.is_none()));
}

#[test]
fn parallel_failures_at_different_sites_stay_separate() {
    // One device each: a silent device is not a dark site, and the relay between them answers.
    let mut run = Run::new();
    run.world.cut_power("alba");
    run.world.cut_power("bene");
    run.minutes(20);
    assert_eq!(subjects(&announced(&run)), ["to-alba", "to-bene"]);
    // Two dark sites: the bundle's far end has two devices, the hub's end of the trunk one.
    let mut run = Run::new();
    run.world.cut_power("ceva");
    run.world.cut_power("alba");
    run.minutes(20);
    assert_eq!(subjects(&announced(&run)), ["pair", "to-alba"]);
}

#[test]
fn a_weightier_link_that_is_seen_later_is_waited_for() {
    let mut run = Run::new();
    run.world.cut_power("relay");
    run.world.set(&link("trunk"), Cap::Unknown);
    run.minutes(1);
    run.world.set(&link("trunk"), Cap::Down);
    run.minutes(20);
    assert_eq!(subjects(&announced(&run)), ["trunk"]);
}

#[test]
fn an_agent_that_falls_silent_changes_no_cause() {
    let mut run = Run::new();
    run.world.cut_power("relay");
    run.minutes(10);
    // Nobody knows any more whether the devices answer; the links are still known to be down.
    run.world.silent_unknown = true;
    run.minutes(30);
    assert_eq!(subjects(&announced(&run)), ["trunk"]);
    assert!(down(&run)[1..].iter().all(|i| i.caused_by == [1]));
}
