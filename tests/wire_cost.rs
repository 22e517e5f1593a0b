//! What delivery costs on the wire: bytes counted at the socket, between real processes and a real mosquitto with TLS.

#![cfg(all(feature = "hub", feature = "sim"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "the other tests of delivery use the rest")]
mod delivery;
mod support;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use delivery::{TestAgent, TestHub, tls_settings};
use support::memory::MemoryStore;
use support::{Mosquitto, until};
use tempfile::TempDir;
use vedetta::config::settings::{MqttSettings, SpoolLimits};
use vedetta::model::{MonoMillis, UnixMillis};
use vedetta::spool::{NewBatch, Origin, Spool};
use vedetta::wire::batch::{ClockQuality, pack};

/// MQTT and TLS included, both directions, for 20 radios at 60 s.
const BYTES_PER_VALUE_MAX: f64 = 6.0;
/// Four rounds of polls are in five batches: see `PART_OF_INTERVAL`.
const ROUNDS: u64 = 4;
const BATCHES: usize = 5;
/// What an agent has that does not say otherwise.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const BACKLOG_BITS_PER_SECOND_MAX: f64 = 100_000.0;
const FRESH_WITHIN: Duration = Duration::from_secs(5);

/// Passes bytes on, and counts them.
struct Counter {
    port: u16,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

impl Counter {
    fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (up, down) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (up_in, down_in) = (Arc::clone(&up), Arc::clone(&down));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", to))) else { continue };
                pass(client.try_clone().unwrap(), server.try_clone().unwrap(), Arc::clone(&up_in));
                pass(server, client, Arc::clone(&down_in));
            }
        });
        Self { port, up, down }
    }

    fn bytes(&self) -> (u64, u64) {
        (self.up.load(Ordering::SeqCst), self.down.load(Ordering::SeqCst))
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, counted: Arc<AtomicU64>) {
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            counted.fetch_add(n as u64, Ordering::SeqCst);
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// A broker with a certificate of a private authority in `ca.pem`.
fn broker_with_tls(files: &Path) -> Mosquitto {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let named = || CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let mut authority = named();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    fs::write(files.join("ca.pem"), authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    fs::write(files.join("server.pem"), named().signed_by(&key, &authority).unwrap().pem()).unwrap();
    fs::write(files.join("server.key"), key.serialize_pem()).unwrap();
    let dir = files.display();
    Mosquitto::with(&format!("allow_anonymous true\ncertfile {dir}/server.pem\nkeyfile {dir}/server.key"), None)
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended needs no killing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Twenty simulated radios that answer real SNMP, and the environment that an agent needs to ask them.
fn radios(network: &Path) -> (Process, Vec<(&'static str, String)>) {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    fs::write(network, include_str!("fixtures/twenty.toml").replace("10161", &port)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_vedetta"))
        .args(["simulate", "--json", "--seed", "5", "--port", &port, "--network"])
        .arg(network)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut listing = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut listing).unwrap();
    let listing: serde_json::Value = serde_json::from_str(&listing).unwrap();
    let secret = |version: &str, pointer: &str| {
        let devices = listing["devices"].as_array().unwrap();
        let device = devices.iter().find(|d| d["snmp"]["version"] == version).unwrap();
        device["snmp"].pointer(pointer).unwrap().as_str().unwrap().to_owned()
    };
    let environment = vec![
        ("VEDETTA_TEST_COMMUNITY", secret("v2c", "/community")),
        ("VEDETTA_TEST_AUTH", secret("v3", "/auth/password")),
        ("VEDETTA_TEST_PRIVACY", secret("v3", "/privacy/password")),
    ];
    (Process(child), environment)
}

/// Field values in line protocol: what a store would keep.
fn n_values(payload: &str) -> usize {
    let fields = |line: &str| line.split(' ').nth(1).map_or(0, |fields| fields.split(',').count());
    payload.lines().map(fields).sum()
}

/// Bytes of a minute in which nothing is measured: keeping the connection alive, and the agent's state. All of it,
/// although a full minute has less: what is sent keeps a connection alive as well.
async fn idle_minute(broker: u16, ca: &Path, dir: &Path) -> u64 {
    let counter = Counter::start(broker);
    let settings = MqttSettings { keep_alive: KEEP_ALIVE, ..tls_settings(counter.port, ca.to_owned(), None) };
    let mut agent = TestAgent::start("bossolasco", settings, &dir.join("idle")).await;
    agent.until("connected", |s| s.connected).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = counter.bytes();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let after = counter.bytes();
    agent.stop().await;
    after.0 + after.1 - before.0 - before.1
}

/// A value is a field of line protocol as the hub stores it: a figure, a provenance or the reason why one is missing.
///
/// An agent that polls every 6 s sends in 24 s what one that polls every 60 s sends in four minutes: the same radios in
/// the same batches. What a connection costs by the minute does not become quicker with it, and is added in full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_costs_what_is_stated() {
    let dir = TempDir::new().unwrap();
    let broker = broker_with_tls(dir.path());
    let counter = Counter::start(broker.port());
    let network = dir.path().join("network.toml");
    let (_radios, environment) = radios(&network);
    let store = MemoryStore::new();
    let ca = dir.path().join("ca.pem");
    let idle = idle_minute(broker.port(), &ca, dir.path());
    let hub = TestHub::of_network("twenty", tls_settings(broker.port(), ca.clone(), None), &["poggio"], &store);
    let settings = dir.path().join("agent.toml");
    let text = format!(
        "agent = \"poggio\"\nnetwork_file = {:?}\ndata_dir = {:?}\npoll_interval = \"6s\"\n[mqtt]\nhost = \"localhost\"\n\
         port = {}\nca_file = {:?}\n",
        network,
        dir.path().join("data"),
        counter.port,
        ca
    );
    fs::write(&settings, text).unwrap();
    let agent = Command::new(env!("CARGO_BIN_EXE_vedetta"))
        .arg("agent")
        .arg("--config")
        .arg(&settings)
        .envs(environment)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _agent = Process(agent);
    let measured = async {
        // The first rounds learn what each device answers.
        until("the agent is at work", || store.len() >= 6).await;
        let (batches_before, bytes_before) = (store.payloads().len(), counter.bytes());
        let values_before: usize = store.payloads().iter().map(|p| n_values(p)).sum();
        until("four rounds more", || store.len() >= batches_before + BATCHES).await;
        // The last one's acknowledgements.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let values = store.payloads().iter().map(|p| n_values(p)).sum::<usize>() - values_before;
        let (batches, bytes) = (store.payloads().len() - batches_before, counter.bytes());
        (values, batches, bytes.0 - bytes_before.0, bytes.1 - bytes_before.1)
    };
    let (idle, (values, batches, up, down)) = tokio::join!(idle, measured);
    let each = (up + down + idle * ROUNDS) as f64 / values as f64;
    let report = format!(
        "{each:.2} bytes a value: {values} values in {batches} batches, {up} bytes up, {down} down, {idle} a minute when idle"
    );
    eprintln!("{report}");
    hub.stop().await;
    assert_eq!(batches, BATCHES, "{report}");
    assert!(each <= BYTES_PER_VALUE_MAX, "{report}");
}

/// 24 hours of 20 radios at 60 s: six batches a minute, of the size that the test above sees.
fn spool_of_a_day(dir: &Path) {
    let origin = |n: u64| Origin {
        boot: 1,
        mono_ms: MonoMillis(n * 10_000),
        made_at: UnixMillis(1_800_000_000_000 + n as i64 * 10_000),
        clock: ClockQuality::Set,
    };
    let mut spool = Spool::open(dir, SpoolLimits::default(), 7).unwrap();
    let mut state = 1_u64;
    let batches: Vec<NewBatch> = (0..8640)
        .map(|n| {
            let mut text = String::new();
            for radio in 0..10 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (a, b, c) = (state >> 60, (state >> 40) % 1000, (state >> 20) % 100_000);
                writeln!(text, "radio,site=poggio,radio={radio} rsl_dbm=-{b},snr_db={a},rx_bytes_total={c} {n}")
                    .unwrap();
            }
            NewBatch { packed: pack(text.as_bytes()).unwrap(), n_samples: 10, origin: origin(n) }
        })
        .collect();
    for group in batches.chunks(500) {
        assert!(spool.append(group).error.is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_day_away_the_present_comes_first_and_the_past_leaves_the_link_to_others() {
    let dir = TempDir::new().unwrap();
    let broker = broker_with_tls(dir.path());
    let counter = Counter::start(broker.port());
    let ca = dir.path().join("ca.pem");
    let spool = dir.path().join("spool");
    spool_of_a_day(&spool);
    let store = MemoryStore::new();
    let hub = TestHub::start(tls_settings(broker.port(), ca.clone(), None), &["bossolasco"], &store);
    let mut agent = TestAgent::start("bossolasco", tls_settings(counter.port, ca, None), &spool).await;
    agent.until("the hub is there", |s| s.hub_present).await;
    let start = Instant::now();
    agent.send("ping,agent=bossolasco rtt_ms=1 1\n").await;
    until("the fresh batch is stored", || store.payloads().iter().any(|p| p.contains("rtt_ms"))).await;
    let fresh = start.elapsed();
    assert!(fresh < FRESH_WITHIN, "{fresh:?}");
    // The burst that the rate allows at first is over.
    tokio::time::sleep_until((start + Duration::from_secs(2)).into()).await;
    let (from, before, stored) = (Instant::now(), counter.bytes(), store.len());
    tokio::time::sleep(Duration::from_secs(8)).await;
    let (secs, after) = (from.elapsed().as_secs_f64(), counter.bytes());
    let (up, down) = ((after.0 - before.0) as f64 * 8.0 / secs, (after.1 - before.1) as f64 * 8.0 / secs);
    let moved = store.len() - stored;
    eprintln!("fresh after {fresh:?}; backlog {up:.0} bit/s up, {down:.0} down, {moved} batches in {secs:.1} s");
    assert!(up <= BACKLOG_BITS_PER_SECOND_MAX, "{up:.0} bit/s");
    assert!(down <= BACKLOG_BITS_PER_SECOND_MAX / 2.0, "{down:.0} bit/s");
    assert!(up > BACKLOG_BITS_PER_SECOND_MAX * 0.5 && moved > 50, "{up:.0} bit/s, {moved} batches");
    agent.stop().await;
    hub.stop().await;
}
