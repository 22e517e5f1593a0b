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
use rumqttc::{TlsConfiguration, Transport};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use support::memory::MemoryStore;
use support::{Mosquitto, PATIENCE, free_port, until};
use tokio::sync::{mpsc, watch};
use vedetta::agent::part::{Ground, Keeper};
use vedetta::broker_files::{self, BrokerFiles};
use vedetta::config::secret::{Secret, SecretError, SecretSource};
use vedetta::model::network::SecretRef;
use vedetta::model::{MonoMillis, UnixMillis};
use vedetta::mqtt::agent::PartLink;
use vedetta::mqtt::broker::User;
use vedetta::mqtt::inbox::{InboxEvent, InboxHealth};
use vedetta::mqtt::parts::Parts;
use vedetta::probe::plan::Dropped;
use vedetta::probe::recall::Memories;
use vedetta::runtime::clock::SystemClock;
use vedetta::runtime::tasks::Shutdown;
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
    messages: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
    _task: tokio::task::JoinSet<()>,
}

impl Raw {
    fn connect(options: MqttOptions) -> Self {
        let (client, mut event_loop) = AsyncClient::new(options, 100);
        let (acks_in, acks) = mpsc::unbounded_channel();
        let (messages_in, messages) = mpsc::unbounded_channel();
        let task = background(async move {
            while let Ok(event) = event_loop.poll().await {
                match event {
                    Event::Incoming(Packet::PubAck(ack)) => drop(acks_in.send(ack.reason)),
                    Event::Incoming(Packet::Publish(publish)) => {
                        let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
                        drop(messages_in.send((topic, publish.payload.to_vec())));
                    }
                    _ => {}
                }
            }
        });
        Self { client, acks, messages, _task: task }
    }

    fn as_agent(port: u16) -> Self {
        let mut options = MqttOptions::new(format!("vedetta-{}-{AGENT}", network()), "127.0.0.1", port);
        options.set_credentials(agent_user().name(), PASSWORD);
        Self::connect(options)
    }

    fn as_hub(port: u16) -> Self {
        let mut options = MqttOptions::new(format!("vedetta-{}-_hub", network()), "127.0.0.1", port);
        options.set_credentials(User::Hub.name(), PASSWORD);
        Self::connect(options)
    }

    /// With the certificate in this directory.
    fn with_certificate(port: u16, dir: &Path) -> Self {
        let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
        let mut options = MqttOptions::new(format!("raw-{}", dir.display()), "localhost", port);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Simple {
            ca: read("ca.pem"),
            alpn: None,
            client_auth: Some((read("client.pem"), read("client.key"))),
        }));
        Self::connect(options)
    }

    /// The next message.
    async fn heard(&mut self) -> (String, Vec<u8>) {
        let heard = tokio::time::timeout(PATIENCE, self.messages.recv()).await;
        heard.expect("a message comes").expect("the broker keeps the connection")
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
    // What it may not read it is not given, by whatever filter it asks.
    for filter in ["murazzano/config", "+/config", "#", "murazzano/#", "+/data", "bossolasco/config"] {
        let filter = format!("vedetta/v1/{}/{filter}", network());
        raw.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
    }
    let mut hub = Raw::as_hub(broker.port());
    hub.publish("murazzano/config", b"for murazzano", vec![]).await;
    hub.publish("bossolasco/config", b"for bossolasco", vec![]).await;
    let (topic, payload) = raw.heard().await;
    assert!(topic.ends_with("bossolasco/config") && payload == b"for bossolasco", "{topic}");
}

/// The files of `vedetta broker-files` for two agents, valid for so long.
fn broker_files(out: &Path, port: u16, valid: Duration) {
    let site = |id: &str| {
        format!("[[site]]\nid = \"{id}\"\nname = \"x\"\nkind = \"relay\"\nlat = 44.5\nlon = 8.0\nagent = true\n")
    };
    let text = format!("[network]\nid = \"{}\"\nname = \"Prova\"\n{}{}", network(), site(AGENT), site("murazzano"));
    let inventory = vedetta::config::check::network(&text, Path::new("")).0.unwrap();
    let options = BrokerFiles {
        out: out.to_owned(),
        hosts: vec!["localhost".to_owned()],
        port,
        broker_dir: out.join("broker"),
        valid,
        renew_before: broker_files::RENEW_BEFORE,
        renew: false,
        readers: Vec::new(),
    };
    broker_files::write(&options, &inventory, SystemClock::shared().now()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_rights_and_renewal_with_the_files_of_broker_files() {
    const DAY: Duration = Duration::from_hours(24);
    // For the client that is not ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let files = tempfile::tempdir().unwrap();
    let port = free_port();
    // About to end: shown by who uses them, and issued again by the next run.
    broker_files(files.path(), port, DAY * 20);
    let path = |name: &str| files.path().join(name);
    let config = std::fs::read_to_string(path("broker/vedetta.conf")).unwrap();
    let mosquitto = Mosquitto::by(([127, 0, 0, 1], port).into(), &config, None);
    let with_certificate = |dir: &str| {
        let client = (path(dir).join("client.pem"), path(dir).join("client.key"));
        tls_settings(mosquitto.port(), path(dir).join("ca.pem"), Some(client))
    };
    let own = format!("agents/{AGENT}");
    let store = MemoryStore::new();
    let spool = tempfile::tempdir().unwrap();
    let mut hub = TestHub::start(with_certificate("hub"), &[AGENT, "murazzano"], &store);
    let mut agent = TestAgent::start(AGENT, with_certificate(&own), spool.path()).await;
    for n in 0..5 {
        agent.send(&line(n)).await;
    }
    until_stored(&store, 5).await;
    agent.until("all is known to be stored", |s| s.pending_batches == 0 && s.samples == 5).await;
    assert_each_once(&store, 5);
    assert_eq!(agent.status.borrow().refused_batches, 0);

    // An agent is only itself: it writes nothing of another's, and reads nothing of another's, by whatever filter.
    let mut stranger = Raw::with_certificate(port, &path("agents/murazzano"));
    for (topic, allowed) in [
        ("murazzano/state", true),
        ("bossolasco/data", false),
        ("bossolasco/state", false),
        ("bossolasco/config", false),
        ("murazzano/config", false),
        ("murazzano/stored", false),
        ("_hub/state", false),
    ] {
        let reason = stranger.publish(topic, b"", vec![]).await;
        assert_eq!(reason != PubAckReason::NotAuthorized, allowed, "{topic}: {reason:?}");
    }
    for filter in ["bossolasco/config", "+/config", "#", "bossolasco/#", "+/data"] {
        let filter = format!("vedetta/v1/{}/{filter}", network());
        stranger.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
    }
    let mut master = Raw::with_certificate(port, &path("hub"));
    master.publish("bossolasco/config", b"for bossolasco", vec![]).await;
    master.publish("murazzano/config", b"for murazzano", vec![]).await;
    // In order: had it been given the other's, it would have come before its own.
    loop {
        let (topic, payload) = stranger.heard().await;
        let allowed = ["murazzano/config", "murazzano/stored", "_hub/state"];
        assert!(allowed.iter().any(|t| topic.ends_with(t)), "{topic}");
        if payload == b"for murazzano" {
            break;
        }
    }

    // Under a certificate of another name an agent gets nowhere, and says so.
    let other = tempfile::tempdir().unwrap();
    let mut impostor = TestAgent::start("murazzano", with_certificate(&own), other.path()).await;
    impostor.send(&line(9)).await;
    impostor.until("the refusal is shown", |s| s.link_error.is_some() || s.refused_batches > 0).await;
    impostor.stop().await;
    // Without a certificate nobody is let in; a broker of another authority is not believed.
    let none = tempfile::tempdir().unwrap();
    let settings = tls_settings(port, path("ca.pem"), None);
    let mut nobody = TestAgent::start("murazzano", settings, none.path()).await;
    nobody.until("the refusal is shown", |s| s.link_error.is_some()).await;
    let elsewhere = tempfile::tempdir().unwrap();
    broker_files(elsewhere.path(), port, DAY);
    let settings = tls_settings(port, elsewhere.path().join("ca.pem"), None);
    let mistrust = tempfile::tempdir().unwrap();
    let mut careful = TestAgent::start(AGENT, settings, mistrust.path()).await;
    let status = careful.until("the mistrust is shown", |s| s.link_error.is_some()).await;
    assert!(status.link_error.unwrap().contains("ertificate"));

    // The next run renews what ends soon; mosquitto takes it up when told to (SIGHUP), agent and hub by themselves.
    let end = |health: &InboxHealth| health.agents.get(AGENT).and_then(|view| view.certificate_expires_at);
    let soon =
        hub.until("the end of validity is known", |h| end(h).is_some() && h.certificate_expires_at.is_some()).await;
    let now = SystemClock::shared().now();
    assert!(end(&soon).unwrap() < now + DAY * 20);
    let shown = || certificate_of(port, &path("broker/ca.pem"));
    let old = shown();
    broker_files(files.path(), port, DAY * 365);
    mosquitto.signal("HUP");
    until("the broker shows its new certificate", || shown() != old).await;
    let far = now + DAY * 300;
    hub.until("both have connected with the new certificates", |h| {
        end(h).is_some_and(|at| at > far) && h.certificate_expires_at.is_some_and(|at| at > far)
    })
    .await;
    agent.send(&line(5)).await;
    until_stored(&store, 6).await;
    assert_each_once(&store, 6);
    for one in [nobody, careful] {
        one.stop().await;
    }
    agent.stop().await;
    hub.stop().await;
}

/// What the broker shows of itself.
fn certificate_of(port: u16, authority: &Path) -> Vec<u8> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let mut tls = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).unwrap();
    }
    tls.peer_certificates().unwrap()[0].to_vec()
}

/// SNMP secrets of a hub, by variable.
struct Hush;

impl SecretSource for Hush {
    fn read(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        match secret {
            SecretRef::Env(name) if name == "NOT_READ" => Ok(Secret::new(PASSWORD)),
            _ => Ok(Secret::new("correct horse")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_gets_its_part_from_the_hub_and_says_what_it_makes_of_it() {
    let (broker_dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let config = format!(
        "persistence true\npersistence_location {}/\nlistener {port} 127.0.0.1\nallow_anonymous true\n",
        broker_dir.path().display()
    );
    let broker = Mosquitto::by(([127, 0, 0, 1], port).into(), &config, None);
    let of = |user: &User| settings(port, user);
    let (dir, spool, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), MemoryStore::new());
    let inventory = |address: &str| {
        let text = format!(
            "[network]\nid = \"{}\"\nname = \"Prova\"\n[[credential]]\nid = \"radios\"\nversion = \"v2c\"\n\
             community_env = \"X\"\n[[site]]\nid = \"{AGENT}\"\nname = \"x\"\nkind = \"relay\"\nlat = 44.5\n\
             lon = 8.0\nagent = true\n[[device]]\nid = \"d\"\nsite = \"{AGENT}\"\naddress = \"{address}\"\n\
             snmp = \"radios\"\n",
            network()
        );
        vedetta::config::check::network(&text, Path::new("")).0.unwrap()
    };
    let parts = |address: &str, now: i64| {
        Parts::new(&inventory(address), &Hush, store.clone(), dir.path(), UnixMillis(now)).unwrap()
    };
    let ground = || Ground {
        network: network(),
        agent: site(AGENT),
        interval: Duration::from_mins(1),
        overrides: std::collections::BTreeMap::new(),
        secrets: Arc::new(Hush),
        dropped: Dropped::default(),
        memories: Memories::default(),
    };
    let (keeper, nothing) = Keeper::open(ground(), dir.path()).unwrap();
    assert!(nothing.is_none());
    let (messages, heard) = watch::channel(None);
    let (said, state) = watch::channel(keeper.state());
    let (plans_in, mut plans) = watch::channel(None);
    let (_switch, stop) = Shutdown::new();
    let _keeping = background(async move {
        vedetta::agent::part::run(keeper, heard, plans_in, said, stop).await.unwrap();
    });
    let link = PartLink { messages: messages.clone(), state };
    let agent = TestAgent::start_with(AGENT, of(&agent_user()), spool.path(), Some(link)).await;

    for (now, address) in [(1000, "192.0.2.1"), (2000, "192.0.2.2")] {
        let mut hub = TestHub::start_with(network().as_str(), of(&User::Hub), &[AGENT], &store, parts(address, now));
        let revision = Some(u64::try_from(now).unwrap());
        let in_force = |h: &InboxHealth| h.agents.get(AGENT).and_then(|view| view.part.in_force);
        hub.until("the part is in force", |h| in_force(h) == revision).await;
        let plan = plans.borrow_and_update().clone().unwrap();
        assert_eq!(plan.devices[0].address.ip().to_string(), address);
        // What the broker kept says nothing of the secret.
        let message = String::from_utf8(messages.borrow().clone().unwrap().to_vec()).unwrap();
        assert!(message.contains(address) && !message.contains("horse"));
        hub.stop().await;
        broker.signal("USR1");
        let kept = || std::fs::read(broker_dir.path().join("mosquitto.db")).unwrap_or_default();
        until("the broker's disk has the part", || has(&kept(), address)).await;
        assert!(!has(&kept(), "horse"));
    }
    // One that is not for this agent is refused, and the old one stays.
    let mut raw = Raw::as_hub(port);
    raw.publish(&format!("{AGENT}/config"), br#"{"revision":3000,"inventory":"agent = 1"}"#, vec![]).await;
    let hub = TestHub::start(of(&User::Hub), &[AGENT], &store);
    until("the refusal is known", || agent_refuses(&agent, 3000)).await;
    assert!(plans.borrow().as_ref().is_some_and(|plan| plan.devices[0].address.ip().to_string() == "192.0.2.2"));
    agent.stop().await;
    hub.stop().await;

    // Its copy has no secret either, and it starts from it while nobody answers.
    let copy = std::fs::read(dir.path().join("part.json")).unwrap();
    assert!(has(&copy, "192.0.2.2") && !has(&copy, "horse"));
    let (_, plan) = Keeper::open(ground(), dir.path()).unwrap();
    assert_eq!(plan.unwrap().devices[0].address.ip().to_string(), "192.0.2.2");
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn agent_refuses(agent: &TestAgent, revision: u64) -> bool {
    let state = agent.part.as_ref().unwrap().state.borrow();
    state.revision == Some(2000) && state.refused.as_ref().is_some_and(|r| r.revision == Some(revision))
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
