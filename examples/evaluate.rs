//! How long one evaluation of a large network takes, on one core: `cargo run --release --example evaluate -- 50000`.
//!
//! A tree of relays, four links from each, a target at every fiftieth site; every radio says its level, its state and
//! its capacity. Three evaluations are timed when all is well, three with one link in a hundred weak, three with one
//! trunk down.

#![allow(clippy::print_stdout, reason = "an example speaks to the person who started it")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vedetta::alert::Engine;
use vedetta::capacity::{FamilyFacts, NetworkState};
use vedetta::catalogue;
use vedetta::config::settings::AlertSettings;
use vedetta::model::network::{Backhaul, Device, Duplex, Language, Link, Medium, Network, Site, SiteKind, Target};
use vedetta::model::{
    BackhaulId, CredentialId, DeviceId, LinkId, NetworkId, Provenance, Reading, Sample, SiteId, Tag, UnixMillis, WispId,
};

const INTERVAL: Duration = Duration::from_mins(1);
/// Links from each site to the sites below it.
const BRANCHES: usize = 4;
/// Of so many sites one has a target.
const TARGET_EVERY: usize = 50;

#[expect(clippy::needless_pass_by_value, reason = "made for each call")]
fn id<T>(text: String, parse: impl Fn(&str) -> Option<T>) -> T {
    parse(&text).expect("a lower-case name")
}

fn site_id(n: usize) -> SiteId {
    id(format!("s{n:06}"), |t| SiteId::parse(t).ok())
}

fn device_id(link: usize, end: &str) -> DeviceId {
    id(format!("d{link:06}-{end}"), |t| DeviceId::parse(t).ok())
}

fn site(n: usize) -> Site {
    let target =
        (n % TARGET_EVERY == TARGET_EVERY - 1).then_some(Target { downstream_mbps: 0.05, upstream_mbps: None });
    Site {
        id: site_id(n),
        name: format!("Site {n}"),
        kind: if target.is_some() { SiteKind::Municipality } else { SiteKind::Relay },
        lat: 44.0 + (n % 997) as f64 / 1000.0,
        lon: 8.0 + (n % 991) as f64 / 1000.0,
        residents: target.map(|_| 100),
        municipality: None,
        agent: n == 0,
        target,
        access: None,
        contact: None,
        contact_email: Vec::new(),
    }
}

fn device(link: usize, end: &str, at: usize) -> Device {
    let n = (link * 2 + usize::from(end == "far")) as u32;
    Device {
        id: device_id(link, end),
        site: site_id(at),
        address: Ipv4Addr::from(0x0a00_0000 + n).into(),
        snmp_port: 161,
        via: site_id(0),
        credential: Some(id("radios".into(), |t| CredentialId::parse(t).ok())),
        profile: Some("ubiquiti-af60".into()),
        ports: Vec::new(),
        mac: None,
        trust: true,
    }
}

/// Link `n` joins site `n + 1` to the one above it.
fn network(n_links: usize) -> Network {
    let wisp: WispId = id("langhenet".into(), |t| WispId::parse(t).ok());
    let mut devices = BTreeMap::new();
    let mut links = BTreeMap::new();
    for n in 0..n_links {
        for (end, at) in [("near", n / BRANCHES), ("far", n + 1)] {
            devices.insert(device_id(n, end), device(n, end, at));
        }
        let link = Link {
            id: id(format!("l{n:06}"), |t| LinkId::parse(t).ok()),
            near: device_id(n, "near"),
            far: device_id(n, "far"),
            near_radio: None,
            far_radio: None,
            medium: Medium::Radio,
            wisp: None,
            cost: 10,
            duplex: None,
            target: None,
            declared_mbps: None,
        };
        links.insert(link.id.clone(), link);
    }
    let backhaul = Backhaul {
        id: id("fibre".into(), |t| BackhaulId::parse(t).ok()),
        site: site_id(0),
        wisp,
        contract_downstream_mbps: 10_000.0,
        contract_upstream_mbps: 10_000.0,
        gateway: None,
        outside: Vec::new(),
        cost: 10,
    };
    Network {
        id: id("large".into(), |t| NetworkId::parse(t).ok()),
        name: "Large".into(),
        time_zone: "Europe/Rome".into(),
        language: Language::English,
        simultaneity: 1.0,
        hub_site: Some(site_id(0)),
        wisps: BTreeMap::new(),
        staff: Vec::new(),
        sites: (0..=n_links).map(|n| (site_id(n), site(n))).collect(),
        credentials: BTreeMap::new(),
        devices,
        links,
        bundles: BTreeMap::new(),
        sectors: BTreeMap::new(),
        backhauls: [(backhaul.id.clone(), backhaul)].into(),
        services: BTreeMap::new(),
        backups: BTreeMap::new(),
    }
}

fn radio(state: &mut NetworkState, link: usize, at: UnixMillis, mbps: f64) {
    for end in ["near", "far"] {
        let tagged = |measurement| Sample::new(measurement, at).tag(Tag::Device, device_id(link, end).as_str());
        let mut radio = tagged(&catalogue::RADIO).tag(Tag::Radio, "1");
        radio.set("link_up_flag", Reading::value(if mbps > 0.0 { 1.0 } else { 0.0 }));
        if mbps > 0.0 {
            radio.set("rsl_dbm", Reading::value(-55.0));
            radio.set("snr_db", Reading::value(25.0));
            radio.set("capacity_tx_mbps", Reading::known(mbps, Provenance::Reported));
            radio.set("capacity_rx_mbps", Reading::known(mbps, Provenance::Reported));
        }
        let mut status = tagged(&catalogue::DEVICE);
        status.set("snmp_up_flag", Reading::value(1.0));
        let mut ping = tagged(&catalogue::PING);
        ping.set("loss_percent", Reading::value(0.0));
        ping.set("rtt_ms_median", Reading::value(4.0));
        for sample in [radio, status, ping] {
            state.apply(&site_id(0), &sample, at);
        }
    }
}

/// What it is about, and the capacity of each link, Mbps.
type Story = (&'static str, fn(usize) -> f64);

#[expect(clippy::unnecessary_wraps, reason = "the shape that the capacity state asks for")]
fn family(_: &str) -> Option<FamilyFacts> {
    Some(FamilyFacts { duplex: Duplex::Full, verified: true })
}

fn main() {
    let n_links = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(50_000);
    let network = Arc::new(network(n_links));
    let mut state = NetworkState::new(Arc::clone(&network), INTERVAL, family);
    let mut engine = Engine::new(AlertSettings::default(), network, Vec::new(), 1).with_interval(INTERVAL);
    let mut now = UnixMillis(1_795_496_400_000);
    let stories: [Story; 3] = [
        ("all well", |_| 900.0),
        ("one link in a hundred weak", |n| if n % 100 == 7 { 2.0 } else { 900.0 }),
        ("a trunk down", |n| if n == 1 { 0.0 } else { 900.0 }),
    ];
    println!("{n_links} links, a target at every {TARGET_EVERY}th site");
    for (name, mbps) in stories {
        for round in 0..18 {
            now = now + INTERVAL;
            for link in 0..n_links {
                radio(&mut state, link, now, mbps(link));
            }
            let start = Instant::now();
            let view = state.evaluate(now);
            let evaluated = start.elapsed();
            let changed = engine.step(now, &view, &state).len();
            if round >= 15 {
                let judged = start.elapsed().saturating_sub(evaluated);
                println!("{name}: capacity {evaluated:.2?}, alerts {judged:.2?}, {changed} incidents to write");
            }
        }
    }
}
