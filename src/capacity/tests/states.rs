//! Unreachable is not down.

use super::build::*;
use crate::catalogue;
use crate::model::network::Medium;
use crate::model::view::{DownReason, LinkState, TargetState};
use crate::model::{EdgeId, Missing, Reading, Sample, SiteId, Tag};

const SILENT: LinkState = LinkState::Down(DownReason::BothEndsSilent);
const UNREACHABLE: LinkState = LinkState::Unknown(Missing::Unreachable);

/// pop (agent) --first-- hill --second-- village, and a switch at the hill.
fn chain() -> Watched {
    let mut watched = Inventory::new()
        .site("pop", None)
        .site("hill", None)
        .site("village", target(30.0))
        .backhaul("fibre", "pop", 1000.0)
        .link("first", "pop", "hill")
        .link("second", "hill", "village")
        .device("router", "village")
        .agent("village")
        .watch();
    watched.outside("fibre", 0.0).up("first", 300.0, 300.0).up("second", 300.0, 300.0);
    watched
}

#[track_caller]
fn check(watched: &mut Watched, expected: &[(&str, LinkState)]) {
    let view = watched.look();
    for (id, state) in expected {
        assert_eq!(link(&view, id).state, *state, "{id}");
    }
}

#[test]
fn a_radio_that_answers_and_has_no_peer_is_down() {
    let mut watched = chain();
    watched.down("second").device_at("second-f", false, NOW);
    check(&mut watched, &[("first", LinkState::Up), ("second", LinkState::Down(DownReason::NotConnected))]);
}

#[test]
fn an_end_that_has_its_peer_settles_it() {
    let mut watched = chain();
    watched.device_at("second-f", false, NOW).radio("second-f", &[("link_up_flag", Reading::value(0.0))]);
    check(&mut watched, &[("second", LinkState::Up)]);
}

/// The link's radios stop answering: nothing of them is left but the silence.
fn silence(watched: &mut Watched, link: &str) {
    for end in ["n", "f"] {
        let fields = ["link_up_flag", "capacity_tx_mbps", "capacity_rx_mbps"];
        let fields = fields.map(|name| (name, Reading::Missing(Missing::Timeout)));
        watched.radio(&format!("{link}-{end}"), &fields);
    }
    // `radio` has just said that they answer: three intervals later they have not for a while.
    watched.silent(link);
}

#[test]
fn both_ends_silent_with_the_path_above_them_up_is_down() {
    let mut watched = chain();
    silence(&mut watched, "second");
    // What answered a moment ago still proves that the link was up.
    check(&mut watched, &[("second", LinkState::Up)]);
    let later = NOW + INTERVAL * 3;
    watched.up_at("first", 300.0, 300.0, later);
    watched.device_at("second-n", false, later).device_at("second-f", false, later);
    let view = watched.state.evaluate(later);
    assert_eq!(link(&view, "second").state, SILENT);
    assert_eq!(link(&view, "second").to_far.capacity_mbps.get(), Some(0.0));
    assert_eq!(link(&view, "second").near.as_ref().unwrap().answers, Some(false));
}

fn later_chain(first_up: bool, router_answers: bool, village_agent: bool) -> (LinkState, LinkState) {
    let mut watched = chain();
    silence(&mut watched, "second");
    silence(&mut watched, "first");
    let later = NOW + INTERVAL * 4;
    for end in ["first-n", "first-f", "second-n", "second-f"] {
        watched.device_at(end, false, later);
    }
    if first_up {
        watched.up_at("first", 300.0, 300.0, later);
    }
    watched.device_at("router", router_answers, later);
    if village_agent {
        let agent = std::mem::replace(&mut watched.agent, SiteId::parse("village").unwrap());
        let mut sample = Sample::new(&catalogue::AGENT, later);
        sample.set("uptime_secs", Reading::value(60.0));
        watched.send(&sample).agent = agent;
    }
    let view = watched.state.evaluate(later);
    (link(&view, "first").state, link(&view, "second").state)
}

#[test]
fn what_crosses_a_silent_link_proves_that_it_is_up() {
    assert_eq!(later_chain(true, false, false), (LinkState::Up, SILENT));
    // A management network that fails: the village still answers through both links.
    assert_eq!(later_chain(true, true, false), (LinkState::Up, LinkState::Up));
    assert_eq!(later_chain(false, true, false), (LinkState::Up, LinkState::Up));
    // Nothing answers the agent at the pop, but the village's own batches arrive.
    assert_eq!(later_chain(false, false, true), (LinkState::Up, LinkState::Up));
}

#[test]
fn a_link_behind_a_silent_one_is_unknown_and_only_the_first_is_down() {
    assert_eq!(later_chain(false, false, false), (SILENT, UNREACHABLE));
}

#[test]
fn a_silent_agent_makes_its_links_unknown() {
    let mut watched = chain();
    let view = watched.state.evaluate(NOW + INTERVAL * 4);
    for id in ["first", "second"] {
        assert_eq!(link(&view, id).state, LinkState::Unknown(Missing::Stale), "{id}");
    }
    let fibre = &view.backhauls["fibre"];
    assert_eq!(fibre.state, LinkState::Unknown(Missing::Stale));
    assert_eq!(fibre.to_near.capacity_mbps, Reading::Missing(Missing::Stale));
    let village = &site(&view, "village").downstream;
    assert_eq!(village.state, TargetState::Unknown);
    assert_eq!(village.unknown_edges.len(), 3);
}

#[test]
fn a_network_never_heard_of_is_unknown_not_down() {
    let inventory = Inventory::new().site("a", None).site("b", target(30.0)).link("l", "a", "b");
    let view = inventory.backhaul("out", "a", 100.0).watch().look();
    assert_eq!(link(&view, "l").state, LinkState::Unknown(Missing::NotMeasured));
    assert_eq!(site(&view, "b").downstream.state, TargetState::Unknown);
    assert!(link(&view, "l").near.as_ref().unwrap().answers.is_none());
}

#[test]
fn one_silent_end_is_not_an_outage() {
    let mut watched = chain();
    watched.device_at("second-f", false, NOW);
    check(&mut watched, &[("second", LinkState::Up)]);
    // Its capacity is what the other end says.
    let fields = ["capacity_tx_mbps", "capacity_rx_mbps"].map(|f| (f, Reading::Missing(Missing::Timeout)));
    let view = watched.radio("second-f", &fields).look();
    assert_eq!(link(&view, "second").to_far.capacity_mbps, known(300.0));
}

#[test]
fn a_backhaul_is_down_when_nothing_outside_answers() {
    let mut watched = chain();
    let view = watched.outside("fibre", 100.0).look();
    assert_eq!(view.backhauls["fibre"].state, LinkState::Down(DownReason::OutsideUnreachable));
    let village = site(&view, "village");
    assert!(village.path.is_empty());
    assert_eq!(village.downstream.state, TargetState::Below);
    assert_eq!(village.downstream.bottleneck.as_ref().map(EdgeId::as_str), Some("fibre"));
    // Loss is trouble, not an outage.
    let view = watched.outside("fibre", 66.0).look();
    assert_eq!(view.backhauls["fibre"].state, LinkState::Up);
}

#[test]
fn a_cable_without_named_ports_is_up_when_something_answers_behind_it() {
    let mut watched = Inventory::new()
        .site("pop", None)
        .site("hall", None)
        .link("cable", "pop", "hall")
        .edit_link("cable", |l| {
            l.medium = Medium::Cable;
            l.declared_mbps = Some((1000.0, 1000.0));
        })
        .watch();
    watched.device_at("cable-n", true, NOW).device_at("cable-f", true, NOW);
    let view = watched.look();
    assert_eq!(link(&view, "cable").state, LinkState::Up);
    assert_eq!(link(&view, "cable").to_far.capacity_mbps.get(), Some(1000.0));
}

#[test]
fn a_radio_on_its_own_backup_channel_says_so() {
    let mut watched = chain();
    assert!(!link(&watched.look(), "first").on_standby);
    let view = watched.radio("first-n", &[("on_standby_flag", Reading::value(1.0))]).look();
    assert!(link(&view, "first").on_standby);
}

#[test]
fn services_are_shown_by_the_sites_that_try_them() {
    let mut watched = chain();
    let mut network = (*watched.network).clone();
    let service = crate::model::network::Service {
        id: crate::model::ServiceId::parse("documents").unwrap(),
        name: "Documents".into(),
        url: "https://documents.example/".into(),
        from: vec![watched.agent.clone(), site_id("village")],
    };
    network.services.insert(service.id.clone(), service);
    watched.state = crate::capacity::NetworkState::new(std::sync::Arc::new(network), INTERVAL, families);
    let mut sample = Sample::new(&catalogue::SERVICE, NOW).tag(Tag::Service, "documents").tag(Tag::Site, "pop");
    sample.set("up_flag", Reading::value(1.0));
    sample.set("response_ms", Reading::value(80.0));
    let view = watched.send(&sample).look();
    let seen: Vec<_> = view.services.iter().map(|s| (s.from.as_str(), s.up, s.response_ms.get())).collect();
    assert_eq!(seen, [("pop", Some(true), Some(80.0)), ("village", None, None)]);
}
