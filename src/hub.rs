//! Wiring of a hub: MQTT inbox -> ledger -> picture of the network -> incidents -> mails, page, sinks.

pub mod lookout;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};

use crate::alert::engine::Engine;
use crate::capacity::state::NetworkState;
use crate::config::secret::SecretSource;
use crate::config::settings::{HubSettings, MqttSettings};
use crate::model::network::Network;
use crate::model::view::{AgentView, NetworkView};
use crate::model::{SiteId, UnixMillis};
use crate::mqtt::inbox::{self, HubInbox, InboxEvent};
use crate::runtime::clock::SharedClock;
use crate::runtime::tasks::{Shutdown, Tasks};
use crate::store::BatchStore;
use crate::store::influx;
use crate::store::ledger::Ledger;
use crate::web::snapshot::{PartHealth, Snapshot};
use crate::{notify, web, wire};

use lookout::Lookout;

/// Batches on their way from the inbox to the picture. When it is full the inbox waits, and MQTT with it.
const QUEUE_EVENTS_MAX: usize = 256;
/// How much of the ledger is read again at the start, to know the network as it was.
const REPLAY: Duration = Duration::from_hours(2);
/// Raw batches are kept so long (DESIGN: 35 days).
const KEEP_BATCHES: Duration = Duration::from_hours(35 * 24);
/// How often old batches are dropped.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// What a hub is made of.
pub struct HubParts {
    pub network: Arc<Network>,
    pub settings: HubSettings,
    /// The broker: the one of the settings, or the embedded one.
    pub mqtt: MqttSettings,
    pub secrets: Arc<dyn SecretSource>,
    pub simulated: bool,
}

/// A hub that is ready to run: its ledger is open, its page has a port.
pub struct HubApp {
    parts: HubParts,
    clock: SharedClock,
    ledger: Arc<Ledger>,
    listener: TcpListener,
    page: SocketAddr,
    snapshots: watch::Sender<Arc<Snapshot>>,
    agents: watch::Sender<BTreeMap<SiteId, AgentView>>,
}

impl HubApp {
    /// Opens the ledger and the page's port.
    pub async fn build(parts: HubParts, clock: SharedClock) -> anyhow::Result<Self> {
        let dir = &parts.settings.data_dir;
        std::fs::create_dir_all(dir).with_context(|| format!("data directory {}", dir.display()))?;
        let ledger = Arc::new(Ledger::open(&dir.join("ledger.sqlite"))?);
        let listen = parts.settings.web.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("the page cannot listen on {listen}: another program has the port; choose another with `listen`")
        })?;
        let page = listener.local_addr()?;
        let (snapshots, _) = watch::channel(Arc::new(first_snapshot(&parts, clock.now())));
        let (agents, _) = watch::channel(BTreeMap::new());
        Ok(Self { parts, clock, ledger, listener, page, snapshots, agents })
    }

    /// Where the page is.
    pub fn page(&self) -> SocketAddr {
        self.page
    }

    pub fn ledger(&self) -> Arc<Ledger> {
        self.ledger.clone()
    }

    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.subscribe()
    }

    /// Runs until the process stops.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { parts, clock, ledger, listener, snapshots, agents, .. } = self;
        let HubParts { network, settings, mqtt, secrets, simulated } = parts;
        let (events_tx, events_rx) = mpsc::channel::<InboxEvent>(QUEUE_EVENTS_MAX);
        let outbox_wake = Arc::new(Notify::new());
        let ledger_wake = Arc::new(Notify::new());
        let mut health = Vec::new();
        let mut part = |name: &'static str| {
            let (tx, rx) = watch::channel(PartHealth { name, ok: true, ..PartHealth::default() });
            health.push(rx);
            tx
        };
        let mut tasks = Tasks::new();

        let inbox = HubInbox { settings: mqtt, network: network.clone(), version: env!("CARGO_PKG_VERSION").into() };
        let agents_rx = agents.subscribe();
        tasks.spawn(
            "inbox",
            inbox::run(
                inbox,
                ledger.clone(),
                Arc::new(wire::line::count),
                events_tx,
                agents,
                secrets.clone(),
                clock.clone(),
                part("mqtt"),
                shutdown.clone(),
            ),
        );
        if let Some(settings) = &settings.influx {
            let token = settings.token.as_ref().map(|t| secrets.read(t)).transpose().context("influx.token")?;
            tasks.spawn(
                "influxdb",
                influx::run(
                    settings.clone(),
                    token,
                    ledger.clone(),
                    network.clone(),
                    ledger_wake.clone(),
                    part("influxdb"),
                    clock.clone(),
                    shutdown.clone(),
                ),
            );
        }
        if let Some(settings) = &settings.mail {
            tasks.spawn(
                "outbox",
                notify::outbox::run(
                    settings.clone(),
                    ledger.clone(),
                    outbox_wake.clone(),
                    secrets.clone(),
                    part("mail"),
                    clock.clone(),
                    shutdown.clone(),
                ),
            );
        }
        tasks.spawn("page", web::serve(listener, web_state(&snapshots, &settings), shutdown.clone()));
        tasks.spawn("pruning", prune(ledger.clone(), clock.clone(), shutdown.clone()));

        let state = replayed(&network, &ledger, settings.poll_interval, clock.now())?;
        let (incidents, next_number) = lookout::restore_incidents(&ledger)?;
        let engine = Engine::new(settings.alert.clone(), network.clone(), incidents, next_number);
        let lookout = Lookout::new(
            network,
            settings,
            ledger,
            clock,
            agents_rx,
            health,
            snapshots,
            (outbox_wake, ledger_wake),
            simulated,
            state,
            engine,
        );
        tasks.spawn("lookout", lookout.run(events_rx, shutdown.clone()));
        tasks.run(shutdown).await
    }
}

/// What the page shows before the first evaluation.
fn first_snapshot(parts: &HubParts, now: UnixMillis) -> Snapshot {
    Snapshot {
        network: parts.network.clone(),
        view: Arc::new(NetworkView { at: now, ..NetworkView::default() }),
        incidents: Arc::default(),
        parts: Vec::new(),
        generated_at: now,
        started_at: now,
        blind_since: None,
        simulated: parts.simulated,
        version: env!("CARGO_PKG_VERSION"),
        agents_expected: parts.network.agents().map(|s| s.id.clone()).collect(),
    }
}

/// The network as the ledger's last hours tell it, so that a restart starts from what was known.
fn replayed(
    network: &Arc<Network>,
    ledger: &Ledger,
    poll_interval: Duration,
    now: UnixMillis,
) -> anyhow::Result<NetworkState> {
    let mut state = NetworkState::new(network.clone(), poll_interval, &family_facts);
    ledger.replay_since(now - REPLAY, &mut |agent, received_at, text| {
        for sample in &wire::line::decode(text).0 {
            state.apply(agent, sample, received_at);
        }
    })?;
    Ok(state)
}

/// Drops raw batches that are older than they are kept.
async fn prune(ledger: Arc<Ledger>, clock: SharedClock, mut stop: Shutdown) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(PRUNE_EVERY);
    loop {
        tokio::select! {
            () = stop.wait() => return Ok(()),
            _ = tick.tick() => {}
        }
        let (ledger, before) = (ledger.clone(), clock.now() - KEEP_BATCHES);
        if let Err(error) = tokio::task::spawn_blocking(move || ledger.prune(before)).await? {
            tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "old batches not dropped");
        }
    }
}
