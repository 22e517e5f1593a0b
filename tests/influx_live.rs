//! The InfluxDB sink against a server that is not ours: Debian's victoria-metrics, which takes `/api/v2/write` and can
//! export every point that it keeps. The ledger fills while the server is away.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use support::{PATIENCE, free_port, victoria_metrics};
use tokio::sync::watch;
use tokio::task::JoinSet;
use vedetta::catalogue::RADIO;
use vedetta::config::settings::InfluxSettings;
use vedetta::model::{Missing, Provenance, Reading, Sample, SiteId, Tag, UnixMillis};
use vedetta::runtime::clock::SystemClock;
use vedetta::runtime::tasks::Shutdown;
use vedetta::store::influx::{InfluxSink, Pace};
use vedetta::store::ledger::Ledger;
use vedetta::store::{BatchStore, IncomingBatch};
use vedetta::web::snapshot::PartHealth;
use vedetta::wire::{batch::gzip, line};

/// In the past, for the server takes nothing from the future.
const T0: i64 = 1_700_000_000_000;
const BATCHES: u64 = 400;
const RADIOS: u64 = 20;

/// Series (name and the tags that matter) to its points: timestamp and value.
type Points = BTreeMap<String, Vec<(i64, f64)>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_points_arrive_once_after_an_outage() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(Ledger::open(&dir.path().join("ledger.sqlite")).unwrap());
    let mut wanted = Points::new();
    for seq in 1..=BATCHES / 2 {
        ledger.store(&[batch(seq, &mut wanted)]).unwrap();
    }
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let (health_tx, mut health) = watch::channel(PartHealth::default());
    let settings =
        InfluxSettings { url: url.clone(), org: "unione".into(), bucket: "rete".into(), token: None, ca_file: None };
    let sink = InfluxSink::new(&settings, None, Arc::clone(&ledger), &network(), health_tx, SystemClock::shared());
    let short = Duration::from_millis(200);
    let sink = sink.unwrap().with_pace(Pace { first: short, max: short, ..Pace::default() });
    let (_switch, shutdown) = Shutdown::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(sink.run(shutdown));
    let away = health.wait_for(|h| !h.ok);
    let detail = tokio::time::timeout(PATIENCE, away).await.unwrap().unwrap().detail.clone().unwrap();
    assert!(detail.starts_with("InfluxDB cannot be reached"), "{detail}");

    let _server = victoria_metrics(port, dir.path(), &[]);
    // What arrives while the sink catches up.
    for seq in BATCHES / 2 + 1..=BATCHES {
        ledger.store(&[batch(seq, &mut wanted)]).unwrap();
    }
    let done = health.wait_for(|h| h.done_total == BATCHES && h.waiting == 0);
    let health = tokio::time::timeout(PATIENCE, done).await.expect("the sink does not catch up").unwrap().clone();
    assert!(health.ok && health.failed_total == 0, "{health:?}");

    let n_wanted: usize = wanted.values().map(Vec::len).sum();
    let mut found = Points::new();
    tokio::time::timeout(PATIENCE, async {
        // The server shows points a moment after it took them.
        while found.values().map(Vec::len).sum::<usize>() < n_wanted {
            get(&format!("{url}/internal/force_flush")).await;
            found = export(&url).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{} of {n_wanted} points", found.values().map(Vec::len).sum::<usize>()));
    assert_eq!(found, wanted);
    println!("{n_wanted} points of {} series arrived once", wanted.len());
}

/// The certificate file is what makes the server trusted: without it nothing is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_certificate_of_its_own_is_trusted_only_by_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(Ledger::open(&dir.path().join("ledger.sqlite")).unwrap());
    ledger.store(&[batch(1, &mut Points::new())]).unwrap();
    let (certificate, key) = (dir.path().join("certificate.pem"), dir.path().join("key.pem"));
    make_certificate(&certificate, &key);
    let port = free_port();
    let tls = ["-tls".to_owned(), file_flag("tlsCertFile", &certificate), file_flag("tlsKeyFile", &key)];
    let _server = victoria_metrics(port, dir.path(), &tls);
    for (ca_file, wanted) in [(None, false), (Some(certificate), true)] {
        let (health_tx, mut health) = watch::channel(PartHealth::default());
        let url = format!("https://127.0.0.1:{port}");
        let settings = InfluxSettings { url, org: "unione".into(), bucket: "rete".into(), token: None, ca_file };
        let sink = InfluxSink::new(&settings, None, Arc::clone(&ledger), &network(), health_tx, SystemClock::shared());
        let short = Duration::from_millis(100);
        let sink = sink.unwrap().with_pace(Pace { first: short, max: short, ..Pace::default() });
        let (_switch, shutdown) = Shutdown::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(sink.run(shutdown));
        // While it starts, the server refuses connections: that is not yet the refusal meant here.
        let judged = health.wait_for(|h| {
            h.done_total == 1 || h.detail.as_ref().is_some_and(|d| d.to_lowercase().contains("certificate"))
        });
        let health = tokio::time::timeout(PATIENCE, judged).await.expect("no answer").unwrap().clone();
        assert_eq!(health.done_total == 1, wanted, "{health:?}");
    }
}

fn file_flag(name: &str, path: &Path) -> String {
    format!("-{name}={}", path.display())
}

fn make_certificate(certificate: &Path, key: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=influx.example", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .output()
        .unwrap_or_else(|e| panic!("cannot start openssl: {e}. This test needs it: apt-get install openssl"));
    assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
}

/// A minute of 20 radios; notes what the server must have afterwards.
fn batch(seq: u64, wanted: &mut Points) -> IncomingBatch {
    let at = UnixMillis(T0 + 60_000 * seq as i64);
    let mut samples = Vec::new();
    for n in 0..RADIOS {
        let mut sample = Sample::new(&RADIO, at)
            .tag(Tag::Device, format!("radio-{n}"))
            .tag(Tag::Radio, "1")
            .tag(Tag::Site, "cima piana, ovest");
        let rsl = -50.0 - (seq * 7 % 13) as f64 / 8.0;
        let capacity = (300 + (seq * n) % 100) as f64;
        let mut note = |field: &str, value: f64| {
            let wisp = if n == 0 { "langhenet" } else { "" };
            let series = format!("radio_{field} radio-{n} cima piana, ovest {wisp}");
            wanted.entry(series).or_default().push((at.0, value));
        };
        sample.set("rsl_dbm", Reading::value(rsl));
        note("rsl_dbm", rsl);
        sample.set("capacity_tx_mbps", Reading::known(capacity, Provenance::Reported));
        note("capacity_tx_mbps", capacity);
        note("capacity_tx_mbps_from", 1.0);
        sample.set("snr_db", Reading::Missing(Missing::Timeout));
        note("snr_db_missing", 1.0);
        samples.push(sample);
    }
    let mut text = String::new();
    let n_samples = line::encode(&samples, &mut text);
    IncomingBatch {
        agent: SiteId::parse("cima-piana").unwrap(),
        epoch: 1,
        seq,
        crc: crc32fast::hash(text.as_bytes()),
        received_at: at,
        sent_at: at,
        n_samples,
        packed: gzip(text.as_bytes()),
        origin: vedetta::store::BatchOrigin::default(),
    }
}

/// One link of one WISP, on the first radio.
fn network() -> vedetta::model::network::Network {
    use vedetta::model::network::{Language, Link, Medium, Network};
    use vedetta::model::{DeviceId, LinkId, NetworkId, WispId};
    let link = Link {
        id: LinkId::parse("a-b").unwrap(),
        near: DeviceId::parse("radio-0").unwrap(),
        far: DeviceId::parse("radio-far").unwrap(),
        near_radio: None,
        far_radio: None,
        medium: Medium::Radio,
        wisp: Some(WispId::parse("langhenet").unwrap()),
        cost: 10,
        duplex: None,
        target: None,
        declared_mbps: None,
    };
    Network {
        id: NetworkId::parse("test").unwrap(),
        name: "Test".into(),
        time_zone: "Europe/Rome".into(),
        language: Language::Italian,
        simultaneity: 1.0,
        hub_site: None,
        wisps: BTreeMap::new(),
        staff: vec![],
        sites: BTreeMap::new(),
        credentials: BTreeMap::new(),
        devices: BTreeMap::new(),
        links: [(link.id.clone(), link)].into(),
        bundles: BTreeMap::new(),
        sectors: BTreeMap::new(),
        backhauls: BTreeMap::new(),
        services: BTreeMap::new(),
        backups: BTreeMap::new(),
    }
}

async fn get(url: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let response = client.get(url).send().await.unwrap().error_for_status().unwrap();
    String::from_utf8(response_bytes(response).await).unwrap()
}

async fn response_bytes(mut response: reqwest::Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

async fn export(url: &str) -> Points {
    let text = get(&format!("{url}/api/v1/export?match%5B%5D=%7B__name__%21%3D%22%22%7D")).await;
    let mut points = Points::new();
    for block in text.lines() {
        let block: serde_json::Value = serde_json::from_str(block).unwrap();
        let label = |name: &str| block["metric"][name].as_str().unwrap_or("").to_owned();
        let series = format!("{} {} {} {}", label("__name__"), label("device"), label("site"), label("wisp"));
        let numbers = |name: &str| block[name].as_array().unwrap().clone();
        let series = points.entry(series).or_default();
        for (at, value) in numbers("timestamps").iter().zip(numbers("values")) {
            series.push((at.as_i64().unwrap(), value.as_f64().unwrap()));
        }
    }
    for series in points.values_mut() {
        series.sort_by_key(|point| point.0);
    }
    points
}
