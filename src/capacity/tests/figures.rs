//! What links carry and what sites get.

use super::build::*;
use crate::capacity::meets;
use crate::model::network::{BundleMode, Duplex, End, Medium};
use crate::model::view::{Bounds, Direction, DownReason, Known, LimitedBy, LinkState, TargetState, WhatIf};
use crate::model::{BackhaulId, BundleId, EdgeId, Missing, Provenance, Reading};

fn edge_link(id: &str) -> EdgeId {
    EdgeId::Link(link_id(id))
}

/// pop --(trunk)-- hill --(l-<n>)-- twelve municipalities.
pub fn twelve() -> Watched {
    let mut inventory = Inventory::new().site("pop", None).site("hill", None).backhaul("fibre", "pop", 1000.0);
    inventory = inventory.link("trunk", "pop", "hill");
    for n in 0..12 {
        let (site, link) = (format!("comune-{n:02}"), format!("l-{n:02}"));
        inventory = inventory.site(&site, target(30.0)).link(&link, "hill", &site);
    }
    let mut watched = inventory.watch();
    watched.outside("fibre", 0.0).up("trunk", 150.0, 150.0);
    for n in 0..12 {
        watched.up(&format!("l-{n:02}"), 400.0, 400.0);
    }
    watched
}

#[test]
fn twelve_municipalities_behind_one_150_mbps_link() {
    let mut watched = twelve();
    let view = watched.look();
    for n in 0..12 {
        let got = &site(&view, &format!("comune-{n:02}")).downstream;
        near(got.together.known().unwrap(), 12.5);
        near(got.alone.known().unwrap(), 150.0);
        near(got.possible.known().unwrap(), 150.0);
        assert_eq!(got.state, TargetState::Below);
        assert_eq!(got.known, Known::Estimated);
        assert_eq!(got.bottleneck, Some(edge_link("trunk")));
    }
    let trunk = link(&view, "trunk");
    near(trunk.to_far.required_mbps, 360.0);
    assert_eq!(trunk.to_near.required_mbps, 0.0);
    assert_eq!(trunk.downstream_end, Some(End::Far));
    assert_eq!(trunk.behind.len(), 12);
    near(link(&view, "l-03").to_far.required_mbps, 30.0);
    near(view.backhauls["fibre"].to_near.required_mbps, 360.0);
}

#[test]
fn a_trunk_with_enough_gives_every_site_its_target_and_no_more() {
    let mut watched = twelve();
    watched.up("trunk", 360.0, 360.0);
    let view = watched.look();
    let got = &site(&view, "comune-00").downstream;
    near(got.together.known().unwrap(), 30.0);
    near(got.alone.known().unwrap(), 360.0);
    assert_eq!((got.state, got.bottleneck.clone()), (TargetState::Met, None));
}

#[test]
fn the_weak_trunk_explains_everything_behind_it() {
    let mut watched = twelve();
    watched.look();
    assert_eq!(watched.state.below_target_with(&[]).len(), 12);
    assert_eq!(watched.state.below_target_with(&[edge_link("l-03")]).len(), 12);
    assert!(watched.state.below_target_with(&[edge_link("trunk")]).is_empty());
    assert_eq!(watched.state.edges_below_with(&[]), [edge_link("trunk")].into());
    assert!(watched.state.edges_below_with(&[edge_link("trunk")]).is_empty());
}

#[test]
fn two_weak_links_in_a_row_are_joint_causes() {
    let mut watched = twelve();
    watched.up("l-03", 10.0, 10.0).look();
    let below = |restored: &[EdgeId], site: &str| {
        watched.state.below_target_with(restored).contains(&(site_id(site), Direction::Downstream))
    };
    assert!(below(&[edge_link("trunk")], "comune-03") && below(&[edge_link("l-03")], "comune-03"));
    assert!(!below(&[edge_link("trunk"), edge_link("l-03")], "comune-03"));
    assert!(!below(&[edge_link("trunk")], "comune-04"));
}

#[test]
fn the_last_good_capacity_is_what_a_link_is_restored_to() {
    let mut watched = twelve();
    let before = NOW - INTERVAL;
    watched.up_at("trunk", 500.0, 500.0, before);
    watched.state.evaluate(before);
    watched.up("trunk", 100.0, 100.0).look();
    assert!(watched.state.below_target_with(&[edge_link("trunk")]).is_empty());
}

fn shared_pair(downstream: f64, upstream: f64) -> Watched {
    let mut inventory = Inventory::new()
        .site("pop", None)
        .site("school", symmetric(30.0))
        .backhaul("fibre", "pop", 1000.0)
        .link("air", "pop", "school");
    for end in ["air-n", "air-f"] {
        inventory = inventory.edit_device(end, |d| d.profile = Some("tdd".into()));
    }
    let mut watched = inventory.watch();
    watched.outside("fibre", 0.0).up("air", downstream, upstream);
    watched
}

#[test]
fn a_shared_duplex_link_that_reads_50_50_and_cannot_carry_30_plus_30() {
    let view = shared_pair(50.0, 50.0).look();
    let air = link(&view, "air");
    assert_eq!(air.duplex, Duplex::Shared);
    assert_eq!(air.to_far.capacity_mbps.get(), Some(50.0));
    let school = site(&view, "school");
    // 30/50 + 30/50 > 1: each direction gets half of the time.
    near(school.downstream.together.known().unwrap(), 25.0);
    near(school.upstream.as_ref().unwrap().together.known().unwrap(), 25.0);
    near(school.downstream.alone.known().unwrap(), 50.0);
    assert_eq!(school.downstream.state, TargetState::Below);
    assert_eq!(school.downstream.bottleneck, Some(edge_link("air")));
    // What it must carry counts the other direction's time, so the link itself is below.
    near(air.to_far.required_mbps, 60.0);
    near(air.to_near.required_mbps, 60.0);
}

#[test]
fn a_shared_duplex_link_that_reads_60_60_just_carries_30_plus_30() {
    let mut watched = shared_pair(60.0, 60.0);
    let view = watched.look();
    assert_eq!(site(&view, "school").downstream.state, TargetState::Met);
    assert_eq!(site(&view, "school").upstream.as_ref().unwrap().state, TargetState::Met);
    assert!(watched.state.edges_below_with(&[]).is_empty());
}

#[test]
fn a_port_does_not_shrink_the_air_time_of_a_shared_radio() {
    // 200/200 of air behind a 100 Mbit/s port: 94 each way at once would need 94 % of the time.
    let mut watched = shared_pair(200.0, 200.0);
    watched.port("air-f", "eth0", true, 100.0);
    let view = watched.look();
    let air = link(&view, "air");
    near(air.to_far.capacity_mbps.get().unwrap(), 94.0);
    assert_eq!(air.to_far.limited_by, Some(LimitedBy::Port(End::Far, "eth0".into())));
    assert!(meets(air.to_far.capacity_mbps.get().unwrap(), air.to_far.required_mbps));
    assert_eq!(site(&view, "school").downstream.state, TargetState::Met);
}

#[test]
fn a_full_duplex_link_of_50_50_carries_30_plus_30() {
    let mut watched = Inventory::new()
        .site("pop", None)
        .site("school", symmetric(30.0))
        .backhaul("fibre", "pop", 1000.0)
        .link("air", "pop", "school")
        .watch();
    let view = watched.outside("fibre", 0.0).up("air", 50.0, 50.0).look();
    near(site(&view, "school").downstream.together.known().unwrap(), 30.0);
    near(link(&view, "air").to_far.required_mbps, 30.0);
}

#[test]
fn a_contract_of_100_on_a_gigabit_port() {
    let mut inventory =
        Inventory::new().site("pop", target(30.0)).device("router", "pop").backhaul("adsl", "pop", 100.0);
    let gateway = std::net::IpAddr::from([10, 0, 0, 1]);
    inventory.network.backhauls.get_mut("adsl").unwrap().gateway = Some(gateway);
    let mut watched = inventory.watch();
    watched.outside("adsl", 0.0).device_at("router", true, NOW).port("router", "wan", true, 1000.0);
    let view = watched.look();
    let out = &view.backhauls["adsl"].to_near;
    assert_eq!(out.capacity_mbps, Reading::known(100.0, Provenance::Declared));
    assert_eq!(out.limited_by, Some(LimitedBy::Declared));
    let pop = &site(&view, "pop").downstream;
    near(pop.alone.known().unwrap(), 100.0);
    assert_eq!((pop.known, pop.state), (Known::Declared, TargetState::Met));

    // The same contract on a port that fell to 10 Mbit/s.
    let view = watched.port("router", "wan", true, 10.0).look();
    let out = &view.backhauls["adsl"].to_near;
    near(out.capacity_mbps.get().unwrap(), 9.4);
    assert_eq!(out.capacity_mbps.provenance(), Some(Provenance::Port));
}

fn bundled(mode: BundleMode) -> Watched {
    let mut watched = Inventory::new()
        .site("pop", None)
        .site("comune", target(100.0))
        .backhaul("fibre", "pop", 1000.0)
        .link("main", "pop", "comune")
        // The second member is described from the other side.
        .link("spare", "comune", "pop")
        .bundle("pair", mode, &["main", "spare"])
        .watch();
    watched.outside("fibre", 0.0).up("main", 900.0, 800.0).up("spare", 60.0, 70.0);
    watched
}

#[test]
fn a_bundle_on_its_standby() {
    let mut watched = bundled(BundleMode::Standby);
    let view = watched.look();
    let pair = &view.bundles["pair"];
    assert!(!pair.on_standby);
    assert_eq!(pair.to_far.capacity_mbps.get(), Some(900.0));
    assert_eq!(link(&view, "spare").to_near.required_mbps, 0.0);
    assert!(link(&view, "spare").behind.is_empty());

    watched.down("main");
    let view = watched.look();
    let pair = &view.bundles["pair"];
    assert!(pair.on_standby);
    assert_eq!(pair.state, LinkState::Up);
    // Downstream runs from pop to comune: of the spare, from its far end to its near end.
    assert_eq!(pair.to_far.capacity_mbps.get(), Some(70.0));
    assert_eq!(pair.to_far.limited_by, Some(LimitedBy::Member(link_id("spare"))));
    let comune = site(&view, "comune");
    near(comune.downstream.together.known().unwrap(), 70.0);
    assert_eq!(comune.path[0], EdgeId::Bundle(BundleId::parse("pair").unwrap()));
    near(link(&view, "spare").to_near.required_mbps, 100.0);
    assert_eq!(link(&view, "spare").behind, [site_id("comune")]);
    assert_eq!(link(&view, "main").state, LinkState::Down(DownReason::NotConnected));
    assert_eq!(link(&view, "main").to_far.capacity_mbps.get(), Some(0.0));

    // The main link explains the site, the bundle, and the spare that has too much to carry.
    assert_eq!(watched.state.edges_below_with(&[]).len(), 3);
    assert!(watched.state.edges_below_with(&[edge_link("main")]).is_empty());
    assert!(watched.state.below_target_with(&[edge_link("main")]).is_empty());

    let view = watched.down("spare").look();
    assert_eq!(view.bundles["pair"].state, LinkState::Down(DownReason::NotConnected));
    assert!(!view.bundles["pair"].on_standby);
}

#[test]
fn a_bundle_whose_main_link_is_unknown_is_neither_down_nor_on_its_standby() {
    let mut watched = bundled(BundleMode::Standby);
    for end in ["main-n", "main-f"] {
        let fields = ["capacity_tx_mbps", "capacity_rx_mbps", "link_up_flag"];
        watched.radio(end, &fields.map(|f| (f, Reading::Missing(Missing::Timeout))));
    }
    // Its radios answer and say nothing; the spare keeps both sites in touch, which proves nothing of the main link.
    let view = watched.look();
    let pair = &view.bundles["pair"];
    assert_eq!((pair.state, pair.on_standby), (LinkState::Up, false));
    assert_eq!(pair.to_far.capacity_mbps, Reading::Missing(Missing::Timeout));
    assert_eq!(site(&view, "comune").downstream.state, TargetState::Unknown);
}

#[test]
fn a_backhaul_that_is_down_explains_every_site() {
    let mut watched = twelve();
    watched.up("trunk", 500.0, 500.0).look();
    watched.outside("fibre", 100.0).look();
    let fibre = EdgeId::Backhaul(BackhaulId::parse("fibre").unwrap());
    assert_eq!(watched.state.below_target_with(&[]).len(), 12);
    assert!(watched.state.below_target_with(std::slice::from_ref(&fibre)).is_empty());
    assert!(watched.state.edges_below_with(&[fibre]).is_empty());
}

#[test]
fn a_bundle_that_adds_up_blames_the_member_that_faded() {
    let mut watched = bundled(BundleMode::Sum);
    let view = watched.look();
    near(view.bundles["pair"].to_far.capacity_mbps.get().unwrap(), 970.0);
    near(site(&view, "comune").downstream.alone.known().unwrap(), 970.0);
    near(link(&view, "main").to_far.required_mbps, 30.0);
    assert_eq!(link(&view, "spare").to_near.required_mbps, 0.0);
    let view = watched.up("main", 20.0, 20.0).look();
    near(view.bundles["pair"].to_far.capacity_mbps.get().unwrap(), 90.0);
    assert_eq!(view.bundles["pair"].to_far.limited_by, Some(LimitedBy::Member(link_id("main"))));
    let below = watched.state.edges_below_with(&[]);
    assert!(below.contains(&edge_link("main")) && !below.contains(&edge_link("spare")));
    assert!(watched.state.edges_below_with(&[edge_link("main")]).is_empty());
}

#[test]
fn one_flow_over_a_hash_bundle_gets_one_member() {
    let mut watched = bundled(BundleMode::Hash);
    watched.up("main", 60.0, 60.0);
    let view = watched.look();
    let comune = &site(&view, "comune").downstream;
    near(view.bundles["pair"].to_far.capacity_mbps.get().unwrap(), 130.0);
    near(comune.alone.known().unwrap(), 70.0);
    near(comune.together.known().unwrap(), 70.0);
    assert_eq!(comune.state, TargetState::Below);
    assert_eq!(comune.bottleneck, Some(EdgeId::Bundle(BundleId::parse("pair").unwrap())));
}

/// pop - a - b - pop, all 100.
fn ring() -> Watched {
    let mut watched = Inventory::new()
        .site("pop", None)
        .site("a", target(30.0))
        .site("b", target(30.0))
        .backhaul("fibre", "pop", 1000.0)
        .link("pa", "pop", "a")
        .link("ab", "a", "b")
        .link("bp", "b", "pop")
        .watch();
    watched.outside("fibre", 0.0).up("pa", 100.0, 100.0).up("ab", 40.0, 40.0).up("bp", 50.0, 50.0);
    watched
}

#[test]
fn a_cycle() {
    let mut watched = ring();
    let view = watched.look();
    assert_eq!(site(&view, "a").path, [edge_link("pa"), EdgeId::Backhaul(BackhaulId::parse("fibre").unwrap())]);
    near(site(&view, "b").downstream.alone.known().unwrap(), 50.0);
    assert_eq!(link(&view, "ab").to_far.required_mbps, 0.0);
    assert_eq!(link(&view, "bp").downstream_end, Some(End::Near));

    // The other way round: b now hangs behind a, and "downstream" on ab turns towards b.
    let view = watched.down("bp").look();
    near(site(&view, "b").downstream.alone.known().unwrap(), 40.0);
    near(link(&view, "pa").to_far.required_mbps, 60.0);
    assert_eq!(link(&view, "ab").downstream_end, Some(End::Far));
    near(link(&view, "ab").to_far.required_mbps, 30.0);
    // The link that is down keeps those who belong behind it.
    assert_eq!(link(&view, "bp").behind, [site_id("b")]);
    near(link(&view, "bp").to_near.required_mbps, 30.0);
}

#[test]
fn traffic_follows_cost_and_possible_does_not() {
    let mut watched = Inventory::new()
        .site("pop", None)
        .site("a", target(30.0))
        .backhaul("fibre", "pop", 1000.0)
        .link("narrow", "pop", "a")
        .link("wide", "a", "pop")
        .edit_link("wide", |l| l.cost = 20)
        .watch();
    let view = watched.outside("fibre", 0.0).up("narrow", 20.0, 20.0).up("wide", 300.0, 200.0).look();
    let a = &site(&view, "a").downstream;
    near(a.alone.known().unwrap(), 20.0);
    near(a.together.known().unwrap(), 20.0);
    near(a.possible.known().unwrap(), 200.0);
    assert_eq!(a.state, TargetState::Below);
}

#[test]
fn an_island() {
    let mut watched = Inventory::new()
        .site("pop", None)
        .site("a", target(30.0))
        .site("lost", target(30.0))
        .backhaul("fibre", "pop", 1000.0)
        .link("pa", "pop", "a")
        .watch();
    let view = watched.outside("fibre", 0.0).down("pa").look();
    let lost = site(&view, "lost");
    assert!(lost.path.is_empty());
    assert_eq!(lost.downstream.together, Bounds::ZERO);
    assert_eq!((lost.downstream.state, lost.downstream.known), (TargetState::Below, Known::Declared));
    assert_eq!(lost.downstream.bottleneck, None);
    let a = &site(&view, "a").downstream;
    assert_eq!((a.state, a.known), (TargetState::Below, Known::Estimated));
    assert_eq!((a.alone, a.possible), (Bounds::ZERO, Bounds::ZERO));
    assert_eq!(a.bottleneck, Some(edge_link("pa")));
    assert_eq!(link(&view, "pa").behind, [site_id("a")]);
}

#[test]
fn an_unknown_link_makes_its_sites_unknown_and_is_named() {
    let mut watched = twelve();
    watched.up("trunk", 500.0, 500.0);
    // Two radios that answer and say nothing.
    let nothing = [("capacity_tx_mbps", Reading::Missing(Missing::Sentinel))];
    for end in ["l-03-n", "l-03-f"] {
        let mut fields = nothing.to_vec();
        fields.push(("capacity_rx_mbps", Reading::Missing(Missing::Sentinel)));
        watched.radio(end, &fields);
    }
    let view = watched.look();
    let got = &site(&view, "comune-03").downstream;
    assert_eq!(link(&view, "l-03").state, LinkState::Up, "its flag still says so");
    assert_eq!(link(&view, "l-03").to_far.capacity_mbps, Reading::Missing(Missing::Sentinel));
    assert_eq!((got.state, got.known), (TargetState::Unknown, Known::NotMeasurable));
    near(got.together.low, 0.0);
    near(got.together.high, 30.0);
    near(got.alone.high, 500.0);
    assert_eq!(got.unknown_edges, [edge_link("l-03")]);
    assert_eq!(site(&view, "comune-04").downstream.state, TargetState::Met);
}

#[test]
fn an_unknown_neighbour_matters_only_where_it_could_take_something() {
    // Eleven fit in 340, twelve do not: whether comune-03 draws decides for all.
    let mut watched = twelve();
    watched.up("trunk", 340.0, 340.0);
    for end in ["l-03-n", "l-03-f"] {
        let fields = ["capacity_tx_mbps", "capacity_rx_mbps"].map(|f| (f, Reading::Missing(Missing::Timeout)));
        watched.radio(end, &fields);
    }
    let view = watched.look();
    let got = &site(&view, "comune-04").downstream;
    assert_eq!(got.state, TargetState::Unknown);
    near(got.together.high, 30.0);
    near(got.together.low, 340.0 / 12.0);
    assert_eq!(got.unknown_edges, [edge_link("l-03")]);
}

#[test]
fn a_ceiling_can_settle_what_the_radio_does_not_say() {
    let mut watched = twelve();
    watched.up("trunk", 500.0, 500.0);
    for end in ["l-03-n", "l-03-f"] {
        let fields = ["capacity_tx_mbps", "capacity_rx_mbps"].map(|f| (f, Reading::Missing(Missing::Timeout)));
        watched.radio(end, &fields);
    }
    watched.port("l-03-f", "eth0", true, 10.0);
    let view = watched.look();
    let got = &site(&view, "comune-03").downstream;
    near(got.together.high, 9.4);
    assert_eq!(got.state, TargetState::Below);
}

#[test]
fn required_follows_targets_simultaneity_and_the_floor() {
    let mut inventory = Inventory::new()
        .site("pop", None)
        .site("hill", None)
        .site("hamlet", target(10.0))
        .site("school", target(100.0))
        .backhaul("fibre", "pop", 1000.0)
        .link("trunk", "pop", "hill")
        .link("l-hamlet", "hill", "hamlet")
        .link("l-school", "hill", "school")
        .link("idle", "hill", "hamlet")
        .edit_link("idle", |l| l.cost = 50)
        .edit_link("l-hamlet", |l| l.target = symmetric(45.0));
    inventory.network.simultaneity = 0.5;
    let view = inventory.watch().look();
    // Half of 110 is less than what the school alone was promised.
    near(link(&view, "trunk").to_far.required_mbps, 100.0);
    near(link(&view, "l-school").to_far.required_mbps, 100.0);
    near(link(&view, "l-hamlet").to_far.required_mbps, 45.0);
    near(link(&view, "l-hamlet").to_near.required_mbps, 45.0);
    assert_eq!(link(&view, "idle").to_far.required_mbps, 0.0);
}

#[test]
fn a_link_under_a_small_target_still_has_the_floor() {
    let inventory = Inventory::new().site("pop", None).site("hamlet", target(10.0)).backhaul("fibre", "pop", 100.0);
    let view = inventory.link("l", "pop", "hamlet").watch().look();
    near(link(&view, "l").to_far.required_mbps, 30.0);
}

/// One access point with two peers of ours.
fn sector() -> Watched {
    let mut inventory = Inventory::new()
        .site("pop", None)
        .site("a", target(30.0))
        .site("b", target(30.0))
        .backhaul("fibre", "pop", 1000.0)
        .device("ap", "pop")
        .device("cpe-a", "a")
        .device("cpe-b", "b")
        .link_of("to-a", "ap", "cpe-a")
        .link_of("to-b", "ap", "cpe-b")
        .sector("east", "ap", &["cpe-a", "cpe-b"]);
    for (device, mac) in [("ap", "020000000001"), ("cpe-a", "02000000000a"), ("cpe-b", "02000000000b")] {
        inventory = inventory.edit_device(device, |d| {
            d.mac = Some(mac.into());
            d.profile = Some("tdd".into());
        });
    }
    let mut watched = inventory.watch();
    watched.outside("fibre", 0.0);
    for (mac, mbps) in [("02000000000a", 100.0), ("02000000000b", 40.0)] {
        let fields = [
            ("link_up_flag", Reading::value(1.0)),
            ("capacity_tx_mbps", known(mbps)),
            ("capacity_rx_mbps", known(mbps)),
            ("throughput_tx_mbps", Reading::value(0.0)),
            ("throughput_rx_mbps", Reading::value(0.0)),
        ];
        watched.radio_at("ap", mac, &fields, NOW);
    }
    watched
}

#[test]
fn peers_of_a_sector_share_its_air_time() {
    let mut watched = sector();
    let view = watched.look();
    assert_eq!(link(&view, "to-a").to_far.capacity_mbps.get(), Some(100.0));
    // x/100 + x/40 = 1: both get 28.57, though each alone reads more than 30.
    let both = 1.0 / (1.0 / 100.0 + 1.0 / 40.0);
    near(site(&view, "a").downstream.together.known().unwrap(), both);
    near(site(&view, "b").downstream.together.known().unwrap(), both);
    near(site(&view, "b").downstream.alone.known().unwrap(), 40.0);
    near(link(&view, "to-a").to_far.required_mbps, 100.0 * (0.3 + 0.75));
    assert_eq!(watched.state.edges_below_with(&[]).len(), 2);
}

#[test]
fn strangers_on_a_sector_count_as_load() {
    let mut watched = sector();
    let fields = [
        ("airtime_percent", Reading::value(40.0)),
        ("peers_count", Reading::value(4.0)),
        ("strangers_count", Reading::value(2.0)),
    ];
    watched.radio_at("ap", "sector", &fields, NOW);
    let view = watched.look();
    let a = link(&view, "to-a");
    near(a.to_far.capacity_mbps.get().unwrap(), 60.0);
    assert_eq!(a.to_far.limited_by, Some(LimitedBy::SectorAirtime));
    assert_eq!(a.near.as_ref().unwrap().airtime_percent.get(), Some(40.0));
    // All of the air time in use: two of four peers cannot take more than half of it.
    let fields = [("airtime_percent", Reading::value(100.0))];
    let view = watched.radio_at("ap", "sector", &fields, NOW).look();
    near(link(&view, "to-a").to_far.capacity_mbps.get().unwrap(), 50.0);
}

#[test]
fn the_port_of_an_access_point_is_shared_by_its_peers() {
    let mut watched = sector();
    watched.port("ap", "eth0", true, 10.0);
    let view = watched.look();
    near(site(&view, "a").downstream.together.known().unwrap(), 4.7);
    near(site(&view, "a").downstream.alone.known().unwrap(), 9.4);
}

#[test]
fn a_cable_carries_what_its_ports_negotiated() {
    let mut watched = Inventory::new()
        .site("pop", None)
        .site("hall", target(30.0))
        .backhaul("fibre", "pop", 1000.0)
        .link("cable", "pop", "hall")
        .edit_link("cable", |l| l.medium = Medium::Cable)
        .edit_device("cable-n", |d| d.ports = vec!["ether5".into()])
        .watch();
    watched.outside("fibre", 0.0).device_at("cable-n", true, NOW).device_at("cable-f", true, NOW);
    watched.port("cable-n", "ether5", true, 100.0).port("cable-n", "ether1", true, 10.0);
    let view = watched.look();
    near(link(&view, "cable").to_far.capacity_mbps.get().unwrap(), 94.0);
    assert_eq!(link(&view, "cable").state, LinkState::Up);
    let view = watched.port("cable-n", "ether5", false, 0.0).look();
    assert_eq!(link(&view, "cable").state, LinkState::Down(DownReason::NotConnected));
}

#[test]
fn several_ports_and_none_named_cap_nothing() {
    let mut watched = twelve();
    watched.port("l-00-f", "eth0", true, 10.0).port("l-00-f", "eth1", true, 10.0);
    assert_eq!(link(&watched.look(), "l-00").to_far.capacity_mbps.get(), Some(400.0));
    let view = watched.port("l-00-f", "eth1", false, 0.0).look();
    near(link(&view, "l-00").to_far.capacity_mbps.get().unwrap(), 9.4);
}

#[test]
fn the_smaller_of_what_both_ends_say_and_one_end_is_enough() {
    let mut watched = twelve();
    watched.radio("trunk-f", &[("capacity_rx_mbps", known(90.0))]);
    let view = watched.look();
    let lane = &link(&view, "trunk").to_far;
    assert_eq!(lane.capacity_mbps, known(90.0));
    assert_eq!(lane.limited_by, Some(LimitedBy::RadioRx(End::Far)));
    assert_eq!(lane.measured_at, Some(NOW));
    watched.radio("trunk-f", &[("capacity_rx_mbps", Reading::Missing(Missing::NotOffered))]);
    let view = watched.look();
    assert_eq!(link(&view, "trunk").to_far.limited_by, Some(LimitedBy::RadioTx(End::Near)));
    assert_eq!(link(&view, "trunk").to_far.capacity_mbps, known(150.0));
}

#[test]
fn figures_of_unverified_families_open_nothing_unless_trusted() {
    let trusted = |profile: Option<&str>, trust: bool| {
        let inventory = Inventory::new().site("a", None).site("b", None).link("l", "a", "b");
        let inventory = inventory.edit_device("l-f", |d| {
            d.profile = profile.map(str::to_owned);
            d.trust = trust;
        });
        let view = inventory.watch().look();
        link(&view, "l").trusted
    };
    assert!(trusted(Some("fdd"), false) && trusted(Some("guess"), true) && trusted(None, true));
    assert!(!trusted(Some("guess"), false) && !trusted(None, false));
}

#[test]
fn a_link_that_nobody_can_read_has_what_was_declared() {
    let mut inventory = Inventory::new()
        .site("pop", None)
        .site("a", target(30.0))
        .backhaul("fibre", "pop", 1000.0)
        .link("leased", "pop", "a")
        .edit_link("leased", |l| l.declared_mbps = Some((80.0, 40.0)));
    for end in ["leased-n", "leased-f"] {
        inventory = inventory.edit_device(end, |d| d.credential = None);
    }
    let mut watched = inventory.watch();
    let view = watched.outside("fibre", 0.0).look();
    assert_eq!(link(&view, "leased").to_far.capacity_mbps, Reading::known(80.0, Provenance::Declared));
    let a = &site(&view, "a").downstream;
    assert_eq!((a.state, a.known), (TargetState::Met, Known::Declared));
}

#[test]
fn a_shaper_caps_a_radio_link() {
    let mut watched = Inventory::new()
        .site("pop", None)
        .site("a", target(30.0))
        .backhaul("fibre", "pop", 1000.0)
        .link("l", "pop", "a")
        .edit_link("l", |l| l.declared_mbps = Some((20.0, 10.0)))
        .watch();
    let view = watched.outside("fibre", 0.0).up("l", 400.0, 400.0).look();
    assert_eq!(link(&view, "l").to_far.capacity_mbps, Reading::known(20.0, Provenance::Declared));
    assert_eq!(link(&view, "l").to_near.capacity_mbps, Reading::known(10.0, Provenance::Declared));
}
