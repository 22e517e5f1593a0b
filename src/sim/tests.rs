//! The simulated devices through real sockets, asked by the SNMP client that the agents use.

use std::net::UdpSocket as StdSocket;

use async_snmp::{Auth, Client, Oid, Retry, UsmConfig, oid};

use super::*;
use crate::model::network::{End, SnmpAccess};
use crate::model::{MonoMillis, UnixMillis};
use crate::runtime::clock::ManualClock;
use crate::runtime::tasks::ShutdownSwitch;
use crate::sim::fixture;
use crate::sim::scenario::{Event, EventKind};

const MINUTE: Duration = Duration::from_mins(1);
/// A device that answers does so within this even on a busy machine; one that is silent is waited for as long.
const PATIENCE: Duration = Duration::from_millis(700);

/// A running simulation on a clock that the test moves.
struct Running {
    simulated: Network,
    secrets: Arc<dyn SecretSource>,
    pinger: Arc<dyn Pinger>,
    world: Arc<SimWorld>,
    clock: Arc<ManualClock>,
    switch: ShutdownSwitch,
    run: tokio::task::JoinSet<anyhow::Result<()>>,
}

fn event(at: Duration, lasts: Duration, kind: EventKind) -> Event {
    Event { line: 1, at, lasts, kind }
}

fn scenario(events: Vec<Event>) -> Scenario {
    Scenario { events, ..Scenario::calm() }
}

fn link_id(id: &str) -> LinkId {
    LinkId::parse(id).expect("an id")
}

fn device_id(id: &str) -> DeviceId {
    DeviceId::parse(id).expect("an id")
}

/// A UDP port that nothing uses on 127.0.0.1 at the moment, and so hardly anything on other loopback addresses.
fn free_port() -> u16 {
    StdSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("loopback has free ports").port()
}

impl Running {
    async fn start(events: Vec<Event>) -> Self {
        let clock = ManualClock::at(UnixMillis(1_800_000_000_000));
        let (switch, shutdown) = Shutdown::new();
        let options = SimOptions { port: free_port(), ..SimOptions::default() };
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let network = fixture::network();
        let started = start(&network, scenario(events), options, shared, shutdown.clone()).await.expect("it starts");
        let Simulated { network: simulated, secrets, pinger, tasks, world, .. } = started;
        let mut run = tokio::task::JoinSet::new();
        run.spawn(tasks.run(shutdown));
        Self { simulated, secrets, pinger, world, clock, switch, run }
    }

    /// Everything ends when told to, and nothing had ended before.
    async fn stop(mut self) {
        self.switch.stop();
        self.run.join_next().await.expect("it ran").expect("no panic").expect("no task failed");
    }

    fn auth(&self, device: &str) -> Auth {
        let credential = self.simulated.devices[device].credential.as_ref().expect("it speaks SNMP");
        let text = |secret| self.secrets.read(secret).expect("invented").expose().to_owned();
        match &self.simulated.credentials[credential].access {
            SnmpAccess::V1 { community } => Auth::v1(text(community)),
            SnmpAccess::V2c { community } => Auth::v2c(text(community)),
            SnmpAccess::V3 { user, auth, privacy } => {
                let (_, auth) = auth.as_ref().expect("the fixture has one");
                let (_, privacy) = privacy.as_ref().expect("the fixture has one");
                let sha256 = async_snmp::AuthProtocol::Sha256;
                let aes128 = async_snmp::PrivProtocol::Aes128;
                UsmConfig::new(user.clone())
                    .auth_priv(sha256, text(auth), aes128, text(privacy))
                    .expect("keys can be derived")
                    .into()
            }
        }
    }

    async fn client_as(&self, device: &str, auth: Auth) -> Client {
        let device = &self.simulated.devices[device];
        assert!(device.address.is_loopback());
        Client::builder((device.address.to_string(), device.snmp_port), auth)
            .request_timeout(PATIENCE)
            .retry(Retry::none())
            .connect()
            .await
            .expect("a socket")
    }

    async fn client(&self, device: &str) -> Client {
        self.client_as(device, self.auth(device)).await
    }

    /// What a device answers to GET; `None`: it has no such object.
    async fn get(&self, device: &str, oid: &str) -> Option<Value> {
        let response = self.client(device).await.get(&Oid::parse(oid).expect("an OID")).await;
        let bind = response.unwrap_or_else(|e| panic!("{device} {oid}: {e}")).into_single().expect("one binding");
        (!bind.value.is_exception()).then_some(bind.value)
    }

    async fn number(&self, device: &str, oid: &str) -> i64 {
        match self.get(device, oid).await.unwrap_or_else(|| panic!("{device} has no {oid}")) {
            Value::Integer(i) => i64::from(i),
            Value::Gauge32(u) | Value::Counter32(u) | Value::TimeTicks(u) => i64::from(u),
            Value::Counter64(u) => u as i64,
            other => panic!("{device} {oid} is {other:?}"),
        }
    }

    /// Every object below `root`, by GETNEXT as Ubiquiti's devices need it.
    async fn walk(&self, device: &str, root: Oid) -> Vec<(Oid, Value)> {
        let client = self.client(device).await;
        let mut at = root.clone();
        let mut found = Vec::new();
        while let Ok(response) = client.get_next(&at).await {
            let bind = response.into_single().expect("one binding");
            if bind.value.is_exception() || !bind.oid.starts_with(&root) {
                break;
            }
            assert!(bind.oid > at, "OIDs must grow");
            at = bind.oid.clone();
            found.push((bind.oid, bind.value));
        }
        found
    }

    fn mac_index(&self, device: &str) -> String {
        let index = self.world.model.plan.device_index[device];
        self.world.model.plan.devices[index].mac.map(|b| b.to_string()).join(".")
    }

    async fn answers(&self, device: &str) -> bool {
        self.client(device).await.get(&oid!(1, 3, 6, 1, 2, 1, 1, 3, 0)).await.is_ok()
    }
}

const AF60_STATION: &str = "1.3.6.1.4.1.41112.1.11.1.3.1";
const AIRMAX_STATION: &str = "1.3.6.1.4.1.41112.1.4.7.1";
const SYS_OBJECT_ID: &str = "1.3.6.1.2.1.1.2.0";

#[test]
fn a_device_that_is_on_loopback_already_stays_and_keeps_its_port() {
    let mut network = fixture::network();
    let moved = network.devices.keys().nth(1).expect("the fixture has more").clone();
    let kept = network.devices.values_mut().next().expect("the fixture has some");
    kept.address = "127.20.1.1".parse().expect("an address");
    kept.snmp_port = 16161;
    let kept = kept.clone();
    let simulated = rewrite(&network, 20161);
    let found = &simulated.devices[&kept.id];
    assert_eq!((found.address, found.snmp_port), (kept.address, 16161), "an agent that reads the inventory finds it");
    assert!(simulated.devices[&moved].address.is_loopback());
    assert_eq!(simulated.devices[&moved].snmp_port, 20161);
}

#[tokio::test]
async fn an_af60_answers_snmp_v1_with_the_objects_of_its_family() {
    let sim = Running::start(vec![]).await;
    let device = "pop-a-af60";
    let ubiquiti = Value::ObjectIdentifier(oid!(1, 3, 6, 1, 4, 1, 10002, 1));
    assert_eq!(sim.get(device, SYS_OBJECT_ID).await, Some(ubiquiti));
    assert_eq!(sim.number(device, "1.3.6.1.4.1.41112.1.11.1.1.1.1").await, 0, "role");
    let station = |column: u32| format!("{AF60_STATION}.{column}.{}.1", sim.mac_index("a-pop-af60"));
    let truth = sim.world.link(&link_id("pop-a")).expect("it exists");
    assert!(truth.up);
    assert_eq!(sim.number(device, &station(7)).await, 1_951_000);
    assert_eq!(sim.number(device, &station(8)).await as f64, truth.capacity_to_near_mbps * 1000.0);
    let here = truth.ends.expect("a radio")[0];
    assert_eq!(sim.number(device, &station(3)).await, here.rsl_dbm.round() as i64);
    assert_eq!(sim.number(device, &station(4)).await, here.snr_db.round() as i64);
    assert_eq!(sim.get(device, &station(2)).await, Some(Value::OctetString("main".into())));
    // The other end tells of the same link from its side.
    let far = format!("{AF60_STATION}.18.{}.1", sim.mac_index("pop-a-af60"));
    assert_eq!(sim.number("a-pop-af60", &far).await, here.rsl_dbm.round() as i64);
    // SNMPv1 says "no such name", and another community nothing at all.
    let client = sim.client(device).await;
    assert!(client.get(&oid!(1, 3, 6, 1, 9)).await.is_err());
    let stranger = sim.client_as(device, Auth::v1("public")).await;
    assert!(stranger.get(&oid!(1, 3, 6, 1, 2, 1, 1, 3, 0)).await.is_err());
    sim.stop().await;
}

#[tokio::test]
async fn walking_by_getnext_finds_everything_and_getbulk_is_not_answered_by_ubiquiti() {
    let sim = Running::start(vec![]).await;
    let found = sim.walk("a-b-af60", oid!(1, 3, 6)).await;
    assert!(found.len() > 40, "{} objects", found.len());
    let bulk = sim.client("a-b-af60").await.get_bulk(&[oid!(1, 3, 6, 1, 2, 1)], 0, 10).await;
    assert!(bulk.is_err(), "Ubiquiti's agents do not answer GETBULK");
    let bulk = sim.client("b-d-60g").await.get_bulk(&[oid!(1, 3, 6, 1, 2, 1, 1)], 0, 5).await.expect("RouterOS does");
    assert_eq!(bulk.len(), 5);
    assert_eq!(bulk[0].oid, oid!(1, 3, 6, 1, 2, 1, 1, 1, 0));
    sim.stop().await;
}

#[tokio::test]
async fn an_access_point_lists_its_peers_and_two_strangers() {
    let sim = Running::start(vec![]).await;
    let capacities = sim.walk("a-ap", Oid::parse(&format!("{AIRMAX_STATION}.17")).expect("an OID")).await;
    assert_eq!(capacities.len(), 4, "two peers and two strangers");
    // The inventory says which MAC address this peer has.
    let ours = Oid::parse(&format!("{AIRMAX_STATION}.17.1.2.0.0.0.0.193")).expect("an OID");
    let (_, value) = capacities.iter().find(|(oid, _)| *oid == ours).expect("c-cpe is there");
    assert_eq!(*value, Value::Integer(240_000));
    assert_eq!(sim.number("a-ap", "1.3.6.1.4.1.41112.1.4.5.1.15.1").await, 4, "stations");
    // The peer sees its access point only.
    assert_eq!(sim.walk("c-cpe", Oid::parse(&format!("{AIRMAX_STATION}.17")).expect("an OID")).await.len(), 1);
    let model = sim.walk("c-cpe", oid!(1, 2, 840, 10036, 3, 1, 2, 1, 3)).await;
    assert_eq!(model[0].1, Value::OctetString("Rocket Prism 5AC Gen2".into()));
    sim.stop().await;
}

#[tokio::test]
async fn mikrotik_answers_v2c_and_v3_with_60_ghz_and_classic_tables() {
    let sim = Running::start(vec![]).await;
    let w60g = |column: u32| format!("1.3.6.1.4.1.14988.1.1.1.8.1.{column}.1");
    // Near end over v2c, far end over v3 with authentication and privacy.
    for device in ["b-d-60g", "d-b-60g"] {
        assert_eq!(sim.number(device, &w60g(4)).await, 1, "connected");
        assert_eq!(sim.number(device, &w60g(13)).await, 2310, "PHY rate");
        assert!(sim.number(device, "1.3.6.1.2.1.31.1.1.1.10.2").await >= 0, "64-bit octets");
        let volts = sim.number(device, "1.3.6.1.4.1.14988.1.1.3.8.0").await;
        assert!((200..300).contains(&volts), "decivolts {volts}");
        assert_eq!(sim.get(device, "1.3.6.1.4.1.14988.9").await, None);
    }
    let distance = sim.number("b-d-60g", "1.3.6.1.4.1.14988.1.1.1.9.1.10.10").await;
    let km = sim.world.model.plan.links[sim.world.model.plan.link_index["b-d"]].km;
    assert_eq!(distance, (km * 1000.0).round() as i64 * 100, "centimetres");

    let row = format!("1.3.6.1.4.1.14988.1.1.1.2.1.8.{}.1", sim.mac_index("d-b-5g"));
    assert_eq!(sim.number("b-d-5g", &row).await, 300_000_000, "registration table, bit/s");
    assert_eq!(sim.number("d-b-5g", "1.3.6.1.4.1.14988.1.1.1.1.1.2.1").await, 300_000_000, "station table, bit/s");
    assert_eq!(sim.number("b-d-5g", "1.3.6.1.4.1.14988.1.1.1.4.0").await, 1);

    let wrong = UsmConfig::new("vedetta")
        .auth_priv(async_snmp::AuthProtocol::Sha256, "wrong password", async_snmp::PrivProtocol::Aes128, "wrong too")
        .expect("keys can be derived");
    let refused = sim.client_as("d-b-60g", wrong.into()).await.get(&oid!(1, 3, 6, 1, 2, 1, 1, 3, 0)).await;
    assert!(refused.is_err());
    sim.stop().await;
}

#[tokio::test]
async fn garbage_is_ignored_and_the_device_goes_on_answering() {
    let sim = Running::start(vec![]).await;
    let device = &sim.simulated.devices["a-b-af60"];
    let socket = StdSocket::bind("127.0.0.1:0").expect("a socket");
    let mut big = vec![0x30; 9000];
    big[1] = 0x82;
    for garbage in [&b""[..], b"x", b"\x30\x84\xff\xff\xff\xff", &big] {
        socket.send_to(garbage, (device.address, device.snmp_port)).expect("loopback takes it");
    }
    assert!(sim.answers("a-b-af60").await);
    sim.stop().await;
}

#[tokio::test]
async fn counters_advance_with_the_traffic_and_time_with_the_clock() {
    let sim = Running::start(vec![]).await;
    let (octets, uptime) = ("1.3.6.1.2.1.31.1.1.1.10.2", "1.3.6.1.2.1.1.3.0");
    let before = (sim.number("b-d-60g", octets).await, sim.number("b-d-60g", uptime).await);
    let [_, (_, received_mbps)] = sim.world.link(&link_id("b-d")).expect("it exists").tx_rx(End::Near);
    assert!(received_mbps > 0.0);
    sim.clock.advance(Duration::from_secs(2));
    let after = (sim.number("b-d-60g", octets).await, sim.number("b-d-60g", uptime).await);
    let seen_mbps = (after.0 - before.0) as f64 * 8.0 / 2.0 / 1e6;
    assert!((seen_mbps / received_mbps - 1.0).abs() < 0.01, "{seen_mbps}, expected {received_mbps}");
    assert_eq!(after.1 - before.1, 200, "hundredths of a second");
    sim.stop().await;
}

#[tokio::test]
async fn a_dish_out_of_line_lowers_level_and_capacity_at_both_ends_and_gives_them_back() {
    let fade = EventKind::Misalignment { link: link_id("a-b"), loss_db: 10.0 };
    let sim = Running::start(vec![event(10 * MINUTE, 20 * MINUTE, fade)]).await;
    let fair = sim.world.link(&link_id("a-b")).expect("it exists");
    let station = |column: u32, peer: &str| format!("{AF60_STATION}.{column}.{}.1", sim.mac_index(peer));
    let seen = async |device: &str, peer: &str| {
        (sim.number(device, &station(3, peer)).await, sim.number(device, &station(7, peer)).await)
    };
    let (rsl_before, capacity_before) = seen("a-b-af60", "b-a-af60").await;
    sim.clock.advance(15 * MINUTE);
    let faded = sim.world.link(&link_id("a-b")).expect("it exists");
    assert!(faded.up, "a fade is not an outage");
    for end in 0..2 {
        let (fair, faded) = (fair.ends.expect("a radio")[end], faded.ends.expect("a radio")[end]);
        let fallen_db = fair.rsl_dbm - faded.rsl_dbm;
        assert!((9.0..=11.0).contains(&fallen_db), "end {end} fell by {fallen_db} dB");
    }
    assert!(faded.capacity_to_far_mbps < fair.capacity_to_far_mbps);
    assert!(faded.capacity_to_near_mbps < fair.capacity_to_near_mbps);
    let (rsl, capacity) = seen("a-b-af60", "b-a-af60").await;
    assert!(rsl <= rsl_before - 9 && capacity < capacity_before);
    let (_, far_capacity) = seen("b-a-af60", "a-b-af60").await;
    assert_eq!(far_capacity as f64, faded.capacity_to_near_mbps * 1000.0);
    sim.clock.advance(20 * MINUTE);
    assert_eq!(seen("a-b-af60", "b-a-af60").await.1, capacity_before);
    sim.stop().await;
}

#[tokio::test]
async fn a_power_cut_silences_a_site_and_what_is_behind_it_and_restarts_its_counters() {
    let cut = EventKind::PowerCut { site: crate::model::SiteId::parse("a").expect("an id") };
    let sim = Running::start(vec![event(10 * MINUTE, 10 * MINUTE, cut)]).await;
    assert!(sim.answers("a-pop-af60").await && sim.answers("d-b-60g").await);
    sim.clock.advance(15 * MINUTE);
    assert!(!sim.answers("a-pop-af60").await, "it has no power");
    assert!(!sim.answers("d-b-60g").await, "the way to it has none, and it speaks v3");
    assert_eq!(sim.world.device_answers(&device_id("d-b-60g")), Some(false));
    // This end has power, and says that it has no peer.
    assert_eq!(sim.walk("pop-a-af60", Oid::parse(AF60_STATION).expect("an OID")).await, []);
    assert_eq!(sim.number("pop-a-af60", "1.3.6.1.2.1.2.2.1.8.1").await, 7, "radio: lowerLayerDown");
    assert_eq!(sim.number("pop-a-af60", "1.3.6.1.2.1.2.2.1.8.2").await, 1, "port: up");
    sim.clock.advance(6 * MINUTE);
    assert!(sim.answers("a-pop-af60").await && sim.answers("d-b-60g").await);
    let uptime_before = sim.number("a-pop-af60", "1.3.6.1.2.1.1.3.0").await;
    sim.clock.advance(MINUTE);
    assert_eq!(sim.number("a-pop-af60", "1.3.6.1.2.1.1.3.0").await - uptime_before, 6000);
    assert!(uptime_before < 7 * 60 * 100, "{uptime_before}: it has just restarted");
    sim.stop().await;
}

#[tokio::test]
async fn each_other_kind_of_trouble_shows_where_it_should() {
    let (at, lasts) = (10 * MINUTE, 10 * MINUTE);
    let sim = Running::start(vec![
        event(at, lasts, EventKind::FirmwareDropsOid { device: device_id("a-b-af60") }),
        event(at, lasts, EventKind::Port100 { device: device_id("b-a-af60") }),
        event(at, lasts, EventKind::Standby { bundle: crate::model::BundleId::parse("b-d-pair").expect("an id") }),
        event(at, lasts, EventKind::Interference { link: link_id("a-c"), end: End::Near, noise_db: 25.0 }),
    ])
    .await;
    let capacity = format!("{AF60_STATION}.7.{}.1", sim.mac_index("b-a-af60"));
    let port = "1.3.6.1.2.1.2.2.1.5.2";
    assert!(sim.get("a-b-af60", &capacity).await.is_some());
    assert_eq!(sim.number("b-a-af60", port).await, 1_000_000_000);
    let (quiet, spare) = (sim.world.link(&link_id("a-c")), sim.world.link(&link_id("b-d-5ghz")));
    assert_eq!(spare.expect("it exists").throughput_to_far_mbps, 0.0, "it stands by");
    sim.clock.advance(15 * MINUTE);
    assert_eq!(sim.get("a-b-af60", &capacity).await, None);
    assert!(sim.world.link(&link_id("a-b")).expect("it exists").up, "only the object is gone");
    assert_eq!(sim.number("b-a-af60", port).await, 100_000_000);
    assert_eq!(sim.number("b-d-60g", "1.3.6.1.4.1.14988.1.1.1.8.1.4.1").await, 0, "not connected");
    assert!(sim.answers("d-b-60g").await, "reached over the standby");
    let spare = sim.world.link(&link_id("b-d-5ghz")).expect("it exists");
    assert!(spare.up && spare.throughput_to_far_mbps + spare.throughput_to_near_mbps > 0.0);
    let (quiet, noisy) = (quiet.expect("it exists"), sim.world.link(&link_id("a-c")).expect("it exists"));
    assert!(noisy.capacity_to_near_mbps < quiet.capacity_to_near_mbps, "what the noisy end receives");
    assert_eq!(noisy.capacity_to_far_mbps, quiet.capacity_to_far_mbps, "what the other end receives");
    sim.stop().await;
}

#[tokio::test]
async fn echoes_follow_the_scenario() {
    let (at, lasts) = (10 * MINUTE, 10 * MINUTE);
    let backhaul = |id: &str| crate::model::BackhaulId::parse(id).expect("an id");
    let sim = Running::start(vec![
        event(at, lasts, EventKind::LinkDown { link: link_id("a-b") }),
        event(at, lasts, EventKind::BackhaulDown { backhaul: backhaul("fibra") }),
        event(
            at,
            lasts,
            EventKind::CongestedBackhaul { backhaul: backhaul("riserva"), loss_percent: 40.0, rtt_ms: 300.0 },
        ),
    ])
    .await;
    let ping = async |target: IpAddr, count: u8| {
        sim.pinger.round(target, count, Duration::from_millis(500)).await.expect("echoes can be sent")
    };
    let device = |id: &str| sim.simulated.devices[id].address;
    let (fibra, riserva) = (&sim.simulated.backhauls["fibra"], &sim.simulated.backhauls["riserva"]);
    let near = ping(device("pop-switch"), 3).await.rtt_ms_median().expect("it answers");
    let far = ping(device("d-b-60g"), 3).await.rtt_ms_median().expect("it answers");
    assert!(near < 1.0 && far > near + 1.0, "{near} ms next door, {far} ms over three links");
    assert_eq!(ping(fibra.outside[0], 3).await.loss_percent(), Some(0.0));
    assert!(ping("203.0.113.9".parse().expect("an address"), 1).await.rtt_ms.is_empty(), "nobody has this address");
    sim.clock.advance(15 * MINUTE);
    assert!(ping(device("d-b-60g"), 2).await.rtt_ms.is_empty());
    assert!(!sim.answers("d-b-60g").await);
    assert!(ping(fibra.outside[0], 2).await.rtt_ms.is_empty());
    assert_eq!(ping(fibra.gateway.expect("it has one"), 2).await.rtt_ms.len(), 2, "the gateway is on this side");
    let round = ping(riserva.outside[0], 200).await;
    let loss_percent = round.loss_percent().expect("some were sent");
    assert!((25.0..55.0).contains(&loss_percent), "{loss_percent} % of 200");
    assert!(round.rtt_ms_median().expect("some came") >= 300.0);
    sim.stop().await;
}

#[tokio::test]
async fn a_scenario_that_does_not_fit_and_a_port_that_is_taken_are_said() {
    let network = fixture::network();
    let clock = || ManualClock::at(UnixMillis(0)) as SharedClock;
    let go = async |events, options| {
        let (_switch, shutdown) = Shutdown::new();
        let started = start(&network, scenario(events), options, clock(), shutdown).await;
        started.err().map(|e| format!("{e:#}")).unwrap_or_default()
    };
    let options = SimOptions { port: free_port(), ..SimOptions::default() };
    let down = |link: &str| event(MINUTE, MINUTE, EventKind::LinkDown { link: link_id(link) });
    let said = go(vec![down("a-bb"), down("nowhere-at-all")], options).await;
    assert!(said.contains("line 1: link \"a-bb\" is not in the network (did you mean \"a-b\"?)"), "{said}");
    assert!(said.contains("nowhere-at-all"), "{said}");
    assert!(go(vec![], SimOptions { speed: 0.0, ..options }).await.contains("speed (0) must be above 0"));
    let taken = StdSocket::bind(("127.0.1.2", 0)).expect("a socket");
    let port = taken.local_addr().expect("it has one").port();
    let said = go(vec![], SimOptions { port, ..options }).await;
    assert!(said.contains(&format!("127.0.1.2:{port}")) && said.contains("choose another port"), "{said}");
}

#[test]
fn the_same_seed_gives_the_same_world_whenever_it_is_looked_at() {
    let model = |seed: u64| {
        let network = fixture::network();
        let rain = EventKind::RainFade { lat: 44.53, lon: 8.04, radius_km: 8.0, attenuation_db: 30.0 };
        Model {
            plan: Plan::new(&network, seed),
            network,
            scenario: scenario(vec![event(MINUTE, 30 * MINUTE, rain)]),
            speed: 30.0,
            seed,
            started: MonoMillis(5_000),
            started_at: UnixMillis(1_800_000_000_000),
        }
    };
    let (one, same, other) = (model(7), model(7), model(8));
    let mut looked_often = one.first(MonoMillis(5_000));
    for ms in (5_000..=40_000).step_by(250) {
        looked_often = one.next(&looked_often, MonoMillis(ms));
    }
    let looked_once = same.next(&same.first(MonoMillis(5_000)), MonoMillis(40_000));
    assert_eq!(looked_often.elapsed, Duration::from_secs(35 * 30));
    assert_eq!(looked_often.links, looked_once.links);
    assert_ne!(looked_once.links, other.next(&other.first(MonoMillis(5_000)), MonoMillis(40_000)).links);
    // Rain: 60 GHz suffers, 5 GHz hardly.
    let fallen = |id: &str| {
        let index = one.plan.link_index[id];
        let fair = one.first(MonoMillis(5_000)).links[index].ends.expect("a radio")[0].rsl_dbm;
        fair - looked_once.links[index].ends.expect("a radio")[0].rsl_dbm
    };
    assert!(fallen("pop-a") > 4.0, "{}", fallen("pop-a"));
    assert!(fallen("a-c") < 2.0, "{}", fallen("a-c"));
}
