//! What the delivery tests share: a store in memory, brokers to kill, an agent and a hub to start and stop.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use uuid::Uuid;
use vedetta::config::secret::{Secret, SecretError, SecretSource};
use vedetta::config::settings::{MqttSettings, SpoolLimits, TlsSettings};
use vedetta::model::network::SecretRef;
use vedetta::model::{NetworkId, SiteId, UnixMillis};
use vedetta::mqtt::agent::{self, AgentDelivery, DeliveryStatus, PartLink, Payload};
use vedetta::mqtt::broker::{Broker, User};
use vedetta::mqtt::inbox::{self, HubInbox, InboxEvent, InboxHealth, InboxParts};
use vedetta::mqtt::parts::Parts;
use vedetta::runtime::clock::SystemClock;
use vedetta::runtime::tasks::{Shutdown, ShutdownSwitch};
use vedetta::spool::Spool;
use vedetta::store::{BatchStore, IncomingBatch, StoreError, StoreOutcome};
use vedetta::wire::batch::{Encoding, unpack};
use vedetta::wire::ranges::RangeSet;

/// For whatever must happen sooner or later; only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_mins(1);
pub const PASSWORD: &str = "only for this test";

pub fn network() -> NetworkId {
    NetworkId::parse("prova").unwrap()
}

pub fn site(name: &str) -> SiteId {
    SiteId::parse(name).unwrap()
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for this: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A ledger that is durable as long as the test runs.
#[derive(Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    ledger: Uuid,
    batches: BTreeMap<(String, u64, u64), IncomingBatch>,
    newest: BTreeMap<String, u64>,
    set_aside: Vec<(String, String)>,
    fails: bool,
    /// Commits, and then does not say so: as a hub that dies in between.
    mute: bool,
}

impl MemoryStore {
    pub fn new() -> Arc<Self> {
        let store = Self::default();
        store.inner.lock().unwrap().ledger = Uuid::new_v4();
        Arc::new(store)
    }

    /// Every payload stored, in no order; one stored twice is there twice.
    pub fn payloads(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap();
        let text = |b: &IncomingBatch| unpack(Encoding::Gzip, &b.packed, crc_of(&b.packed)).unwrap();
        inner.batches.values().map(|b| String::from_utf8(text(b)).unwrap()).collect()
    }

    pub fn len(&self) -> usize {
        self.inner.lock().unwrap().batches.len()
    }

    pub fn set_aside(&self) -> Vec<(String, String)> {
        self.inner.lock().unwrap().set_aside.clone()
    }

    pub fn fail(&self, fails: bool) {
        self.inner.lock().unwrap().fails = fails;
    }

    pub fn mute(&self, mute: bool) {
        self.inner.lock().unwrap().mute = mute;
    }

    /// A new disk.
    pub fn replace(&self) {
        let mut inner = self.inner.lock().unwrap();
        *inner = Inner { ledger: Uuid::new_v4(), ..Inner::default() };
    }
}

/// The store is given packed bytes whose unpacked checksum it knows; a rejected batch has another one.
fn crc_of(packed: &[u8]) -> u32 {
    use std::io::Read;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    crc32fast::hash(&bytes)
}

impl BatchStore for MemoryStore {
    fn ledger_id(&self) -> Uuid {
        self.inner.lock().unwrap().ledger
    }

    fn store(&self, batches: &[IncomingBatch]) -> Result<Vec<StoreOutcome>, StoreError> {
        let mut inner = self.inner.lock().unwrap();
        if inner.fails {
            return Err(StoreError::Database { step: "commit", source: "disk full".into() });
        }
        let outcome = |batch: &IncomingBatch| {
            let key = (batch.agent.to_string(), batch.epoch, batch.seq);
            match inner.batches.get(&key) {
                Some(known) if known.crc == batch.crc => StoreOutcome::Duplicate,
                Some(_) => StoreOutcome::Conflict,
                None => {
                    inner.newest.insert(batch.agent.to_string(), batch.epoch);
                    inner.batches.insert(key, batch.clone());
                    StoreOutcome::Stored
                }
            }
        };
        let outcomes = batches.iter().map(outcome).collect();
        if inner.mute {
            return Err(StoreError::Database { step: "commit", source: "no answer".into() });
        }
        Ok(outcomes)
    }

    fn stored_ranges(&self) -> Result<Vec<(SiteId, u64, RangeSet)>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let ranges = |agent: &str, epoch: u64| {
            inner.batches.keys().filter(|(a, e, _)| a == agent && *e == epoch).map(|(_, _, seq)| *seq).collect()
        };
        Ok(inner.newest.iter().map(|(agent, epoch)| (site(agent), *epoch, ranges(agent, *epoch))).collect())
    }

    fn set_aside(&self, agent: &str, reason: &str, _: &[u8], _: UnixMillis) -> Result<(), StoreError> {
        self.inner.lock().unwrap().set_aside.push((agent.to_owned(), reason.to_owned()));
        Ok(())
    }
}

/// One password for everybody.
struct OnePassword;

impl SecretSource for OnePassword {
    fn read(&self, _: &SecretRef) -> Result<Secret, SecretError> {
        Ok(Secret::new(PASSWORD))
    }
}

/// Which broker a test runs against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Mosquitto,
    Embedded,
}

/// A broker that can be killed and started again on its port, without a memory.
pub enum TestBroker {
    Mosquitto(Mosquitto),
    Embedded { addr: SocketAddr, agents: Vec<SiteId>, tasks: JoinSet<()>, switch: Option<ShutdownSwitch> },
}

impl TestBroker {
    pub async fn start(kind: Kind, agents: &[&str]) -> Self {
        match kind {
            Kind::Mosquitto => Self::Mosquitto(Mosquitto::start()),
            Kind::Embedded => {
                let agents = agents.iter().map(|a| site(a)).collect();
                let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
                let mut broker = Self::Embedded { addr, agents, tasks: JoinSet::new(), switch: None };
                broker.restart().await;
                broker
            }
        }
    }

    pub fn port(&self) -> u16 {
        match self {
            Self::Mosquitto(m) => m.port,
            Self::Embedded { addr, .. } => addr.port(),
        }
    }

    /// At once, with all that it has in memory.
    pub async fn kill(&mut self) {
        match self {
            Self::Mosquitto(m) => m.kill(),
            Self::Embedded { tasks, switch, .. } => {
                // Its connections are tasks of the library: only its own way of stopping reaches them.
                if let Some(switch) = switch.take() {
                    switch.stop();
                }
                while tasks.join_next().await.is_some() {}
            }
        }
    }

    pub async fn restart(&mut self) {
        self.kill().await;
        match self {
            Self::Mosquitto(m) => m.launch(),
            Self::Embedded { addr, agents, tasks, switch } => {
                let mut users: BTreeMap<User, Secret> = [(User::Hub, Secret::new(PASSWORD))].into();
                users.extend(agents.iter().map(|a| (User::Agent(a.clone()), Secret::new(PASSWORD))));
                let start = Instant::now();
                let broker = loop {
                    match Broker::bind(*addr, &network(), users.clone()).await {
                        Ok(broker) => break broker,
                        Err(e) => assert!(start.elapsed() < PATIENCE, "{e:#}"),
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                };
                let (new_switch, shutdown) = Shutdown::new();
                *switch = Some(new_switch);
                tasks.spawn(async move { broker.run(shutdown).await.unwrap() });
            }
        }
    }

    pub fn settings(&self, user: &User) -> MqttSettings {
        settings(self.port(), user)
    }
}

pub fn settings(port: u16, user: &User) -> MqttSettings {
    MqttSettings {
        host: "127.0.0.1".to_owned(),
        port,
        tls: None,
        user: Some(user.name()),
        password: Some(SecretRef::Env("NOT_READ".to_owned())),
        keep_alive: Duration::from_secs(5),
    }
}

pub fn tls_settings(port: u16, ca_file: PathBuf, client: Option<(PathBuf, PathBuf)>) -> MqttSettings {
    MqttSettings {
        host: "localhost".to_owned(),
        port,
        tls: Some(TlsSettings { ca_file: Some(ca_file), client }),
        user: None,
        password: None,
        keep_alive: Duration::from_secs(5),
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Debian's mosquitto.
pub struct Mosquitto {
    pub port: u16,
    dir: TempDir,
    child: Option<Child>,
}

impl Mosquitto {
    /// On a port of its own, for everybody.
    pub fn start() -> Self {
        let port = free_port();
        Self::with_config(&format!("persistence false\nlistener {port} 127.0.0.1\nallow_anonymous true\n"), port)
    }

    /// By a file as it is. (mosquitto that is started by root would become another user, which may not read the files.)
    pub fn with_files(config: &Path, port: u16) -> Self {
        let config = std::fs::read_to_string(config).unwrap();
        Self::with_config(&format!("user root\n{config}"), port)
    }

    fn with_config(config: &str, port: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mosquitto.conf"), config).unwrap();
        let mut mosquitto = Self { port, dir, child: None };
        mosquitto.launch();
        mosquitto
    }

    fn launch(&mut self) {
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"]
            .into_iter()
            .find(|p| Path::new(p).exists())
            .expect("this test needs the MQTT broker mosquitto: install Debian's package `mosquitto`");
        let log = std::fs::File::create(self.dir.path().join("log")).unwrap();
        let child = Command::new(program)
            .arg("-c")
            .arg(self.dir.path().join("mosquitto.conf"))
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("mosquitto starts");
        self.child = Some(child);
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.as_mut().and_then(|c| c.try_wait().unwrap());
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(ended.is_none() && start.elapsed() < PATIENCE, "mosquitto does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // SIGKILL.
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An agent in a task of its own.
pub struct TestAgent {
    pub payloads: mpsc::Sender<Payload>,
    pub status: watch::Receiver<DeliveryStatus>,
    pub part: Option<PartLink>,
    switch: ShutdownSwitch,
    abort: AbortHandle,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl TestAgent {
    pub async fn start(name: &str, settings: MqttSettings, spool_dir: &Path) -> Self {
        Self::start_with(name, settings, spool_dir, None).await
    }

    pub async fn start_with(name: &str, settings: MqttSettings, spool_dir: &Path, part: Option<PartLink>) -> Self {
        let config = AgentDelivery {
            settings,
            network: network(),
            agent: site(name),
            version: "test".to_owned(),
            part: part.clone(),
        };
        let start = Instant::now();
        let spool = loop {
            match Spool::open(spool_dir, SpoolLimits::default(), rand::random()) {
                Ok(spool) => break spool,
                // An agent that was killed a moment ago may have a job on the disk left.
                Err(e) => assert!(start.elapsed() < PATIENCE, "{e}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let (payloads, payloads_out) = mpsc::channel(64);
        let (status_in, status) = watch::channel(DeliveryStatus::default());
        let (switch, shutdown) = Shutdown::new();
        let mut tasks = JoinSet::new();
        let agent =
            agent::run(config, payloads_out, spool, Arc::new(OnePassword), SystemClock::shared(), status_in, shutdown);
        let abort = tasks.spawn(agent);
        Self { payloads, status, part, switch, abort, tasks }
    }

    pub async fn send(&self, text: &str) {
        self.payloads.send(Payload { bytes: text.as_bytes().to_vec(), n_samples: 1 }).await.unwrap();
    }

    pub async fn until(&mut self, what: &str, is_so: impl FnMut(&DeliveryStatus) -> bool) -> DeliveryStatus {
        wait(&mut self.status, what, is_so).await
    }

    /// As a process that is killed.
    pub async fn kill(mut self) {
        self.abort.abort();
        while self.tasks.join_next().await.is_some() {}
    }

    pub async fn stop(mut self) {
        self.switch.stop();
        self.tasks.join_next().await.unwrap().unwrap().unwrap();
    }
}

async fn wait<T: Clone + std::fmt::Debug>(
    receiver: &mut watch::Receiver<T>,
    what: &str,
    is_so: impl FnMut(&T) -> bool,
) -> T {
    let shown = receiver.clone();
    let Ok(seen) = tokio::time::timeout(PATIENCE, receiver.wait_for(is_so)).await else {
        panic!("waited {PATIENCE:?} in vain for this: {what}; it is {:?}", *shown.borrow())
    };
    seen.unwrap_or_else(|_| panic!("it ended while the test waited for this: {what}")).clone()
}

/// A hub's inbox in a task of its own.
pub struct TestHub {
    pub health: watch::Receiver<InboxHealth>,
    pub events: Arc<Mutex<Vec<InboxEvent>>>,
    switch: ShutdownSwitch,
    abort: AbortHandle,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl TestHub {
    pub fn start(settings: MqttSettings, agents: &[&str], store: &Arc<MemoryStore>) -> Self {
        Self::start_with(settings, agents, store, Parts::default())
    }

    pub fn start_with(settings: MqttSettings, agents: &[&str], store: &Arc<MemoryStore>, parts: Parts) -> Self {
        let config = HubInbox {
            settings,
            network: network(),
            boot: Uuid::new_v4(),
            version: "test".to_owned(),
            agents: agents.iter().map(|a| site(a)).collect(),
        };
        let (out, mut events_out) = mpsc::channel(4);
        let (health_in, health) = watch::channel(InboxHealth::default());
        let (switch, shutdown) = Shutdown::new();
        let inbox_parts = InboxParts {
            store: Arc::clone(store) as Arc<dyn BatchStore>,
            parse: Arc::new(parse),
            out,
            secrets: Arc::new(OnePassword),
            clock: SystemClock::shared(),
            health: health_in,
            parts,
        };
        let events = Arc::new(Mutex::new(Vec::new()));
        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let seen = Arc::clone(&events);
        let abort = tasks.spawn(inbox::run(config, inbox_parts, shutdown));
        tasks.spawn(async move {
            while let Some(event) = events_out.recv().await {
                seen.lock().unwrap().push(event);
            }
            Ok(())
        });
        Self { health, events, switch, abort, tasks }
    }

    pub async fn until(&mut self, what: &str, is_so: impl FnMut(&InboxHealth) -> bool) -> InboxHealth {
        wait(&mut self.health, what, is_so).await
    }

    pub async fn kill(mut self) {
        self.abort.abort();
        while self.tasks.join_next().await.is_some() {}
    }

    pub async fn stop(mut self) {
        self.switch.stop();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

/// Enough of line protocol for these tests.
fn parse(payload: &[u8]) -> Result<u32, String> {
    let text = std::str::from_utf8(payload).map_err(|e| e.to_string())?;
    if text.contains("garbage") { Err("not line protocol".to_owned()) } else { Ok(text.lines().count() as u32) }
}

/// Runs something in the background, to the end of the test.
pub fn background(future: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(future);
    tasks
}
