//! What the delivery tests share: brokers to kill, an agent and a hub to start and stop.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use uuid::Uuid;
use vedetta::config::secret::Secret;
use vedetta::config::settings::{MqttSettings, SpoolLimits, TlsSettings};
use vedetta::model::network::SecretRef;
use vedetta::model::{NetworkId, SiteId};
use vedetta::mqtt::agent::{self, AgentDelivery, DeliveryStatus, PartLink, Payload};
use vedetta::mqtt::broker::{Broker, User};
use vedetta::mqtt::inbox::{self, HubInbox, InboxEvent, InboxHealth, InboxParts};
use vedetta::mqtt::parts::Parts;
use vedetta::runtime::clock::SystemClock;
use vedetta::runtime::tasks::{Shutdown, ShutdownSwitch};
use vedetta::spool::Spool;
use vedetta::store::BatchStore;

use crate::support::memory::MemoryStore;
use crate::support::{Mosquitto, OneSecret, PATIENCE, free_port};

pub const PASSWORD: &str = "only for this test";

pub fn network() -> NetworkId {
    NetworkId::parse("prova").unwrap()
}

pub fn site(name: &str) -> SiteId {
    SiteId::parse(name).unwrap()
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
            Kind::Mosquitto => Self::Mosquitto(Mosquitto::open()),
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
            Self::Mosquitto(m) => m.port(),
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
            Self::Mosquitto(m) => m.restart(),
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
        let (status_in, status) = watch::channel(DeliveryStatus::at_start(&spool));
        let (switch, shutdown) = Shutdown::new();
        let mut tasks = JoinSet::new();
        let agent = agent::run(
            config,
            payloads_out,
            spool,
            Arc::new(OneSecret(PASSWORD)),
            SystemClock::shared(),
            status_in,
            shutdown,
        );
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
        Self::of_network(network().as_str(), settings, agents, store)
    }

    pub fn of_network(name: &str, settings: MqttSettings, agents: &[&str], store: &Arc<MemoryStore>) -> Self {
        Self::start_with(name, settings, agents, store, Parts::default())
    }

    pub fn start_with(
        name: &str,
        settings: MqttSettings,
        agents: &[&str],
        store: &Arc<MemoryStore>,
        parts: Parts,
    ) -> Self {
        let config = HubInbox {
            settings,
            network: NetworkId::parse(name).unwrap(),
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
            secrets: Arc::new(OneSecret(PASSWORD)),
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
