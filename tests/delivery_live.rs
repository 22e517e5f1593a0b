//! Delivery through real sockets: an agent with its spool, a broker that is killed and forgets, a hub that comes and
//! goes. Every batch must be stored, once.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod delivery;
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use delivery::{Kind, PASSWORD, TestAgent, TestBroker, TestHub, background, network, settings, site, tls_settings};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason, PublishProperties};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use support::memory::MemoryStore;
use support::{Mosquitto, PATIENCE, free_port, until};
use tokio::sync::mpsc;
use vedetta::model::{MonoMillis, UnixMillis};
use vedetta::mqtt::broker::User;
use vedetta::mqtt::inbox::InboxEvent;
use vedetta::wire::batch::{BatchHeader, ClockQuality, Encoding};

const AGENT: &str = "bossolasco";

fn agent_user() -> User {
    User::Agent(site(AGENT))
}

fn line(n: usize) -> String {
    format!("ping,site=bossolasco rtt_ms_median={n} {n}\n")
}

/// All of `0..n`, each once.
fn assert_each_once(store: &Arc<MemoryStore>, n: usize) {
    let mut stored = store.payloads();
    stored.sort();
    let mut wanted: Vec<String> = (0..n).map(line).collect();
    wanted.sort();
    assert_eq!(stored, wanted);
}

async fn until_stored(store: &Arc<MemoryStore>, n: usize) {
    until(&format!("{n} batches stored"), || store.len() >= n).await;
}

/// The whole story: no hub yet, a hub, a hub that dies, a broker that dies, an agent that dies.
async fn everything_is_stored_once(kind: Kind) {
    let mut broker = TestBroker::start(kind, &[AGENT]).await;
    let store = MemoryStore::new();
    let spool = tempfile::tempdir().unwrap();
    let mut agent = TestAgent::start(AGENT, broker.settings(&agent_user()), spool.path()).await;

    // No hub has ever subscribed.
    for n in 0..20 {
        agent.send(&line(n)).await;
    }
    agent.until("20 batches wait", |s| s.connected && s.pending_batches == 20).await;
    assert_eq!(store.len(), 0);
    let hub = TestHub::start(broker.settings(&User::Hub), &[AGENT], &store);
    until_stored(&store, 20).await;
    agent.until("all is known to be stored", |s| s.pending_batches == 0).await;

    // The hub dies while batches are on their way, and another one starts on the same ledger.
    for n in 20..30 {
        agent.send(&line(n)).await;
    }
    hub.kill().await;
    for n in 30..50 {
        agent.send(&line(n)).await;
    }
    agent.until("the hub's absence is known", |s| !s.hub_present).await;
    let hub = TestHub::start(broker.settings(&User::Hub), &[AGENT], &store);
    until_stored(&store, 50).await;

    // The broker dies in a burst and comes back without a memory.
    for n in 50..90 {
        agent.send(&line(n)).await;
        if n == 70 {
            broker.kill().await;
        }
    }
    agent.until("the broker's absence is known", |s| !s.connected && s.link_error.is_some()).await;
    broker.restart().await;
    until_stored(&store, 90).await;

    // The agent dies; what is in its spool is sent by the next run.
    broker.kill().await;
    for n in 90..100 {
        agent.send(&line(n)).await;
    }
    agent.until("what came is durable", |s| s.samples == 100).await;
    agent.kill().await;
    broker.restart().await;
    let mut agent = TestAgent::start(AGENT, broker.settings(&agent_user()), spool.path()).await;
    until_stored(&store, 100).await;
    agent.until("all is known to be stored", |s| s.pending_batches == 0).await;
    assert_each_once(&store, 100);

    let health = hub.health.borrow().clone();
    let view = &health.agents[AGENT];
    assert_eq!((view.lost_batches, view.rejected_batches), (0, 0));
    assert!(health.conflicts.is_empty());
    agent.stop().await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_stored_once_over_mosquitto() {
    everything_is_stored_once(Kind::Mosquitto).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_stored_once_over_the_embedded_broker() {
    everything_is_stored_once(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_not_there_at_the_start_is_waited_for() {
    let port = free_port();
    let store = MemoryStore::new();
    let spool = tempfile::tempdir().unwrap();
    let mut agent = TestAgent::start(AGENT, settings(port, &agent_user()), spool.path()).await;
    agent.send(&line(0)).await;
    let status = agent.until("two failed attempts", |s| s.link_failures >= 2 && s.pending_batches == 1).await;
    assert!(status.link_error.unwrap().contains("refused"));
    agent.stop().await;

    // What it took is still there, and goes once there is somebody.
    let broker = TestBroker::start(Kind::Mosquitto, &[AGENT]).await;
    let mut agent = TestAgent::start(AGENT, broker.settings(&agent_user()), spool.path()).await;
    let mut hub = TestHub::start(broker.settings(&User::Hub), &[AGENT], &store);
    until_stored(&store, 1).await;
    agent.until("it is known to be stored", |s| s.pending_batches == 0).await;
    hub.until("the agent is known to be online", |h| h.agents[AGENT].online == Some(true)).await;
    agent.stop().await;
    hub.until("the agent is known to be offline", |h| h.agents[AGENT].online == Some(false)).await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_dies_is_known_to_be_offline() {
    for kind in [Kind::Mosquitto, Kind::Embedded] {
        let broker = TestBroker::start(kind, &[AGENT]).await;
        let store = MemoryStore::new();
        let spool = tempfile::tempdir().unwrap();
        let mut hub = TestHub::start(broker.settings(&User::Hub), &[AGENT], &store);
        let agent = TestAgent::start(AGENT, broker.settings(&agent_user()), spool.path()).await;
        hub.until("the agent is online", |h| h.agents[AGENT].online == Some(true)).await;
        agent.kill().await;
        hub.until("the agent is offline", |h| h.agents[AGENT].online == Some(false)).await;
        hub.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_fails_delays_and_a_new_one_is_given_all_that_is_held() {
    let broker = TestBroker::start(Kind::Embedded, &[AGENT]).await;
    let store = MemoryStore::new();
    let spool = tempfile::tempdir().unwrap();
    let mut agent = TestAgent::start(AGENT, broker.settings(&agent_user()), spool.path()).await;
    let mut hub = TestHub::start(broker.settings(&User::Hub), &[AGENT], &store);
    agent.until("the hub is there", |s| s.hub_present).await;
    store.fail(true);
    for n in 0..10 {
        agent.send(&line(n)).await;
    }
    hub.until("the failure is shown", |h| h.store_error.is_some()).await;
    assert_eq!(agent.status.borrow().pending_batches, 10);
    store.fail(false);
    until_stored(&store, 10).await;
    agent.until("all is known to be stored", |s| s.pending_batches == 0).await;
    hub.stop().await;

    // The segment is still there: the new ledger gets all of it.
    store.replace();
    let hub = TestHub::start(broker.settings(&User::Hub), &[AGENT], &store);
    agent.until("the hub is there", |s| s.hub_present).await;
    agent.send(&line(10)).await;
    until_stored(&store, 11).await;
    assert_each_once(&store, 11);
    hub.stop().await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_dies_between_storing_and_saying_so_stores_nothing_twice() {
    let broker = TestBroker::start(Kind::Mosquitto, &[AGENT]).await;
    let store = MemoryStore::new();
    let spool = tempfile::tempdir().unwrap();
    let mut agent = TestAgent::start(AGENT, broker.settings(&agent_user()), spool.path()).await;
    let mut hub = TestHub::start(broker.settings(&User::Hub), &[AGENT], &store);
    agent.until("the hub is there", |s| s.hub_present).await;
    store.mute(true);
    for n in 0..10 {
        agent.send(&line(n)).await;
    }
    hub.until("it does not know that it stored them", |h| h.store_error.is_some()).await;
    until("some are stored", || store.len() > 0).await;
    assert_eq!(agent.until("all are held", |s| s.samples == 10).await.pending_batches, 10);
    hub.kill().await;
    store.mute(false);
    let hub = TestHub::start(broker.settings(&User::Hub), &[AGENT], &store);
    agent.until("all is known to be stored", |s| s.pending_batches == 0).await;
    assert_each_once(&store, 10);
    hub.stop().await;
    agent.stop().await;
}

/// A client of its own, for what no agent of ours does.
struct Raw {
    client: AsyncClient,
    acks: mpsc::UnboundedReceiver<PubAckReason>,
    _task: tokio::task::JoinSet<()>,
}

impl Raw {
    fn connect(options: MqttOptions) -> Self {
        let (client, mut event_loop) = AsyncClient::new(options, 100);
        let (acks_in, acks) = mpsc::unbounded_channel();
        let task = background(async move {
            while let Ok(event) = event_loop.poll().await {
                if let Event::Incoming(Packet::PubAck(ack)) = event {
                    let _ = acks_in.send(ack.reason);
                }
            }
        });
        Self { client, acks, _task: task }
    }

    fn as_agent(port: u16) -> Self {
        let mut options = MqttOptions::new(format!("vedetta-{}-{AGENT}", network()), "127.0.0.1", port);
        options.set_credentials(agent_user().name(), PASSWORD);
        Self::connect(options)
    }

    async fn publish(&mut self, topic: &str, payload: &[u8], user_properties: Vec<(String, String)>) -> PubAckReason {
        let properties = PublishProperties { user_properties, ..PublishProperties::default() };
        let topic = format!("vedetta/v1/{}/{topic}", network());
        let payload = payload.to_vec();
        self.client.publish_with_properties(topic, QoS::AtLeastOnce, false, payload, properties).await.unwrap();
        tokio::time::timeout(PATIENCE, self.acks.recv())
            .await
            .expect("the broker answers")
            .expect("the broker keeps the connection")
    }
}

fn header(seq: u64, payload: &[u8]) -> BatchHeader {
    BatchHeader {
        epoch: 7,
        seq,
        first: 1,
        boot: 1,
        mono_ms: MonoMillis(0),
        made_at: None,
        sent_at: UnixMillis(0),
        clock: ClockQuality::Set,
        fresh: true,
        encoding: Encoding::None,
        crc: crc32fast::hash(payload),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages_are_set_aside_and_block_nothing() {
    let broker = TestBroker::start(Kind::Mosquitto, &[AGENT]).await;
    let store = MemoryStore::new();
    let mut hub = TestHub::start(broker.settings(&User::Hub), &[AGENT], &store);
    hub.until("connected", |h| h.connected).await;
    let mut raw = Raw::as_agent(broker.port());
    let data = format!("{AGENT}/data");
    let good = line(1).into_bytes();
    raw.publish(&data, b"no properties", vec![]).await;
    raw.publish(&data, b"garbage", header(1, b"garbage").to_properties()).await;
    raw.publish(&data, b"other bytes", header(2, b"bytes").to_properties()).await;
    let mut unreadable = header(3, b"x");
    unreadable.encoding = Encoding::Gzip;
    raw.publish(&data, b"x", unreadable.to_properties()).await;
    raw.publish("nobody/data", &good, header(1, &good).to_properties()).await;
    raw.publish("%00/what", b"", vec![]).await;
    raw.publish("_hub/state", b"{", vec![]).await;
    raw.publish(&format!("{AGENT}/state"), b"[]", vec![]).await;
    raw.publish(&data, &good, header(4, &good).to_properties()).await;
    raw.publish(&data, &good, header(4, &good).to_properties()).await;
    raw.publish(&data, b"cloned 1 1", header(4, b"cloned 1 1").to_properties()).await;
    raw.publish(&data, b"garbage", header(1, b"garbage").to_properties()).await;

    let health = hub.until("all were looked at", |h| h.agents[AGENT].received_batches == 8).await;
    let view = &health.agents[AGENT];
    assert_eq!((view.samples, view.duplicate_batches, view.rejected_batches), (1, 2, 5));
    assert_eq!((health.conflicts[AGENT], health.stranger_messages), (1, 1));
    let reasons: Vec<String> = store.set_aside().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons.len(), 7, "{reasons:?}");
    // Those with a key count as received, so that nobody sends them again.
    assert_eq!(store.len(), 4);
    until("one batch is handed on", || {
        let events = hub.events.lock().unwrap();
        let stored: Vec<_> = events.iter().filter(|e| matches!(e, InboxEvent::Stored { .. })).collect();
        assert!(stored.len() <= 1, "{stored:?}");
        stored.len() == 1
    })
    .await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_keeps_agents_to_their_own_topics() {
    let broker = TestBroker::start(Kind::Embedded, &[AGENT, "murazzano"]).await;
    let mut raw = Raw::as_agent(broker.port());
    for (topic, allowed) in
        [("bossolasco/data", true), ("bossolasco/stored", false), ("murazzano/data", false), ("_hub/state", false)]
    {
        let reason = raw.publish(topic, b"x", vec![]).await;
        assert_eq!(reason != PubAckReason::NotAuthorized, allowed, "{topic}: {reason:?}");
    }
}

/// Certificates of a private authority: PEM files in `dir`.
fn make_certificates(dir: &Path, names: &[&str]) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    let named = |name: &str| {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let mut authority = named("test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    for name in names {
        let key = KeyPair::generate().unwrap();
        let certificate = named(name).signed_by(&key, &authority).unwrap();
        std::fs::write(dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_with_client_certificates_and_rights_by_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    make_certificates(files.path(), &["server", "_hub", AGENT]);
    let path = |name: &str| files.path().join(name);
    // The files that are shipped, with this test's directory in place of the system's, and its own port.
    std::fs::write(path("acl"), include_str!("../deploy/mosquitto/acl")).unwrap();
    let shipped = include_str!("../deploy/mosquitto/vedetta.conf");
    let own = format!("{}/", files.path().display());
    let settings = shipped.replace("/etc/vedetta/broker/", &own);
    let (_, listener) = settings.split_once("listener 8883\n").unwrap();
    let listener = listener.replace("persistence false\n", "");
    let mosquitto = Mosquitto::with(&listener, Some(dir));
    let with_certificate = |name: &str| {
        let client = (path(&format!("{name}.pem")), path(&format!("{name}.key")));
        tls_settings(mosquitto.port(), path("ca.pem"), Some(client))
    };
    let store = MemoryStore::new();
    let spool = tempfile::tempdir().unwrap();
    let hub = TestHub::start(with_certificate("_hub"), &[AGENT], &store);
    let mut agent = TestAgent::start(AGENT, with_certificate(AGENT), spool.path()).await;
    for n in 0..5 {
        agent.send(&line(n)).await;
    }
    until_stored(&store, 5).await;
    agent.until("all is known to be stored", |s| s.pending_batches == 0 && s.samples == 5).await;
    assert_each_once(&store, 5);
    assert_eq!(agent.status.borrow().refused_batches, 0);

    // Under a certificate of another name it gets nowhere, and says so.
    let other = tempfile::tempdir().unwrap();
    let mut impostor = TestAgent::start("murazzano", with_certificate(AGENT), other.path()).await;
    impostor.send(&line(9)).await;
    impostor.until("the refusal is shown", |s| s.link_error.is_some() || s.refused_batches > 0).await;
    // Without one it is not let in.
    let none = tempfile::tempdir().unwrap();
    let settings = tls_settings(mosquitto.port(), path("ca.pem"), None);
    let mut nobody = TestAgent::start("murazzano", settings, none.path()).await;
    nobody.until("the refusal is shown", |s| s.link_error.is_some()).await;
    // And a broker whose authority is another is not believed.
    let elsewhere = tempfile::tempdir().unwrap();
    make_certificates(elsewhere.path(), &[]);
    let settings = tls_settings(mosquitto.port(), elsewhere.path().join("ca.pem"), None);
    let mistrust = tempfile::tempdir().unwrap();
    let mut careful = TestAgent::start(AGENT, settings, mistrust.path()).await;
    let status = careful.until("the mistrust is shown", |s| s.link_error.is_some()).await;
    assert!(status.link_error.unwrap().contains("ertificate"));
    assert_eq!(store.len(), 5);
    for one in [impostor, nobody, careful] {
        one.stop().await;
    }
    agent.stop().await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_fresh_is_live_and_the_clock_error_is_small() {
    let broker = TestBroker::start(Kind::Embedded, &[AGENT]).await;
    let store = MemoryStore::new();
    let spool = tempfile::tempdir().unwrap();
    let mut agent = TestAgent::start(AGENT, broker.settings(&agent_user()), spool.path()).await;
    agent.send(&line(0)).await;
    agent.until("one waits", |s| s.pending_batches == 1).await;
    let mut hub = TestHub::start(broker.settings(&User::Hub), &[AGENT], &store);
    agent.until("the backlog is stored", |s| s.pending_batches == 0).await;
    agent.send(&line(1)).await;
    let health = hub.until("a clock error", |h| h.agents[AGENT].clock_error_ms.is_some()).await;
    let error = health.agents[AGENT].clock_error_ms.unwrap();
    assert!(error.abs() < i64::try_from(Duration::from_secs(5).as_millis()).unwrap(), "{error} ms");
    until("both are handed on", || {
        let events = hub.events.lock().unwrap();
        let live: BTreeSet<(Vec<u8>, bool)> = events
            .iter()
            .filter_map(|e| match e {
                InboxEvent::Stored { payload, live, .. } => Some((payload.clone(), *live)),
                InboxEvent::AgentState { .. } => None,
            })
            .collect();
        live == BTreeSet::from([(line(0).into_bytes(), false), (line(1).into_bytes(), true)])
    })
    .await;
    agent.stop().await;
    hub.stop().await;
}
