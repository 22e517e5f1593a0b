//! Wiring of a hub: MQTT inbox -> ledger -> picture of the network -> incidents -> mails, page, sinks.

mod charts;
mod derived;
pub mod evaluator;
pub mod keys;
mod late;
pub mod lookout;
mod machines;
mod proof;
pub mod roller;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};

use crate::access::Access;
use crate::config::secret::SecretSource;
use crate::config::settings::{HubSettings, MqttSettings};
use crate::model::UnixMillis;
use crate::model::network::Network;
use crate::model::view::NetworkView;
use crate::mqtt::inbox::{self, HubInbox, InboxEvent, InboxHealth, InboxParts};
use crate::mqtt::parts::Parts;
use crate::notify::step::Teller;
use crate::runtime::clock::SharedClock;
use crate::runtime::health::PartHealth;
use crate::runtime::tasks::{Shutdown, Tasks};
use crate::store::influx::InfluxSink;
use crate::store::ledger::{Ledger, OWN_AGENT, RETENTION};
use crate::web::WebState;
use crate::web::desk::Desk;
use crate::web::share::PublicPages;
use crate::web::snapshot::Snapshot;
use crate::wire::batch::{Encoding, unpack};
use crate::{notify, web, wire};

use evaluator::{Evaluator, REPLAY, Replayed};
use lookout::{Lookout, LookoutParts};
use machines::Machines;
use roller::Roller;

/// Batches on their way from the inbox to the picture. When it is full the inbox waits, and MQTT with it.
const QUEUE_EVENTS_MAX: usize = 256;
/// What people ask of the loop; more wait in their connections.
const QUEUE_REQUESTS_MAX: usize = 16;
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
}

impl HubApp {
    /// Opens the ledger and the page's port.
    pub async fn build(parts: HubParts, clock: SharedClock) -> anyhow::Result<Self> {
        let dir = &parts.settings.data_dir;
        std::fs::create_dir_all(dir).with_context(|| format!("data directory {}", dir.display()))?;
        let ledger = Arc::new(Ledger::open(&dir.join("ledger.sqlite"))?);
        ledger.keep_days_in(&parts.network.time_zone);
        let listen = parts.settings.web.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("the page cannot listen on {listen}: another program has the port; choose another with `listen`")
        })?;
        let page = listener.local_addr()?;
        let (snapshots, _) = watch::channel(Arc::new(first_snapshot(&parts, clock.now())));
        Ok(Self { parts, clock, ledger, listener, page, snapshots })
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
        let Self { parts, clock, ledger, listener, snapshots, .. } = self;
        let HubParts { network, settings, mqtt, secrets, simulated } = parts;
        let token = keys::operator_token(&settings.data_dir)?;
        let links = keys::link_keys(&settings.data_dir)?;
        let now = clock.now();
        let past = replayed(&network, &ledger, settings.poll_interval, now)?;
        let engine = evaluator::restored_engine(&*ledger, &settings, &network)?;
        let teller = Teller::restore(&*ledger, now)?;
        tell_of_rodaggio(&teller, &settings, &network, now);
        let machines = Machines::new(&network, &settings, &secrets, &ledger, &clock)?;
        let evaluator = Evaluator::new(network.clone(), settings.clone(), past, engine, teller, now)
            .with_links(links.clone())
            .with_feeds(machines.feeds());
        let (desk_in, desk) = mpsc::channel(QUEUE_REQUESTS_MAX);
        let mut tasks = Tasks::new();

        let (events_in, events) = mpsc::channel::<InboxEvent>(QUEUE_EVENTS_MAX);
        let (inbox_health, inbox) = watch::channel(InboxHealth::default());
        let config = HubInbox {
            settings: mqtt.clone(),
            network: network.id.clone(),
            boot: uuid::Uuid::new_v4(),
            version: env!("CARGO_PKG_VERSION").into(),
            agents: network.agents().map(|s| s.id.clone()).collect(),
        };
        let inbox_parts = InboxParts {
            store: ledger.clone(),
            parse: Arc::new(wire::line::count),
            out: events_in,
            secrets: secrets.clone(),
            clock: clock.clone(),
            health: inbox_health,
            parts: Parts::new(&network, secrets.as_ref(), ledger.clone(), &settings.data_dir, clock.now())
                .context("the agents' parts of the inventory")?,
        };
        tasks.spawn("inbox", inbox::run(config, inbox_parts, shutdown.clone()));

        let mut health = Vec::new();
        if let Some(influx) = &settings.influx {
            let token = influx.token.as_ref().map(|t| secrets.read(t)).transpose().context("influx: token")?;
            let (tx, rx) = watch::channel(PartHealth { name: "influxdb", ok: true, ..PartHealth::default() });
            let sink = InfluxSink::new(influx, token.as_ref(), ledger.clone(), &network, tx, clock.clone())?;
            tasks.spawn("influxdb", sink.run(shutdown.clone()));
            health.push(rx);
        }
        let outbox_wake = Arc::new(Notify::new());
        if let Some(mail) = &settings.mail {
            let (tx, rx) = watch::channel(PartHealth { name: "mail", ok: true, ..PartHealth::default() });
            let outbox = notify::outbox::run(
                mail.clone(),
                ledger.clone(),
                outbox_wake.clone(),
                secrets.clone(),
                tx,
                clock.clone(),
                shutdown.clone(),
            );
            tasks.spawn("outbox", outbox);
            health.push(rx);
        }
        let (tx, rx) = watch::channel(PartHealth { name: "history", ok: true, ..PartHealth::default() });
        let roller = Roller {
            ledger: ledger.clone(),
            network: network.clone(),
            poll_interval: settings.poll_interval,
            clock: clock.clone(),
            health: tx,
        };
        tasks.spawn("history", roller.run(shutdown.clone()));
        health.push(rx);
        let mut wakes = vec![outbox_wake];
        machines.spawn(&mut tasks, &mqtt, &secrets, &shutdown, &mut wakes, &mut health);
        let access = (!simulated).then(|| Access::new(&settings.data_dir, settings.web.open_to.clone())).transpose()?;
        let web = WebState {
            public_pages: PublicPages { summary: settings.web.public_summary, contact: settings.web.contact.clone() },
            access: access.map(Arc::new),
            ledger: Some(ledger.clone()),
            snapshots: snapshots.subscribe(),
            default_language: settings.web.language,
            public_url: settings.web.public_url.clone(),
            desk: Some(Desk { requests: desk_in, token, links: links.clone(), proxies: settings.web.proxies.clone() }),
        };
        tasks.spawn("page", page(listener, web, shutdown.clone()));
        tasks.spawn("pruning", prune(ledger.clone(), clock.clone(), shutdown.clone()));

        let parts = LookoutParts {
            network,
            settings,
            ledger,
            clock,
            inbox,
            parts: health,
            snapshots,
            wakes,
            simulated,
            links,
            desk,
        };
        tasks.spawn("lookout", Lookout::new(parts, evaluator).run(events, shutdown.clone()));
        tasks.run(shutdown).await
    }
}

/// Serves the page from the first evaluation on: before it, "no open incident" would be invented. Whoever asks earlier
/// waits in the listener's queue.
async fn page(listener: TcpListener, mut web: WebState, mut shutdown: Shutdown) -> anyhow::Result<()> {
    tokio::select! {
        () = shutdown.wait() => return Ok(()),
        looked = web.snapshots.changed() => looked.context("the hub's loop ended before its first evaluation")?,
    }
    web::serve(listener, web, shutdown).await
}

/// Tells the journal who gets mails.
fn tell_of_rodaggio(teller: &Teller, settings: &HubSettings, network: &Network, now: UnixMillis) {
    let (rodaggio, period) = (&teller.desk.rodaggio, settings.notify.rodaggio);
    if settings.mail.is_none() || period.is_zero() {
        return;
    }
    if rodaggio.is_on(period, now) {
        let zone = jiff::tz::TimeZone::get(&network.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
        let until = jiff::Timestamp::from_millisecond(rodaggio.until(period).0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let until = until.to_zoned(zone).strftime("%Y-%m-%d").to_string();
        tracing::info!("rodaggio (running in) until {until}: operators get no mails, staff a daily summary of them");
        return;
    }
    let off: Vec<&str> =
        network.wisps.values().filter(|w| !rodaggio.tells(&w.id, period)).map(|w| w.id.as_str()).collect();
    if !off.is_empty() {
        tracing::info!("not switched on yet, and so not mailed: {}; see `vedetta rodaggio`", off.join(", "));
    }
}

/// The picture before the first evaluation; the page waits for that one.
fn first_snapshot(parts: &HubParts, now: UnixMillis) -> Snapshot {
    Snapshot {
        network: parts.network.clone(),
        view: Arc::new(NetworkView { at: now, ..NetworkView::default() }),
        proofs: Arc::default(),
        incidents: Arc::default(),
        cases: Arc::default(),
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
) -> anyhow::Result<Replayed> {
    let mut past = Replayed::new(network, poll_interval);
    for stored in ledger.replay_since(now - REPLAY)? {
        let stored = stored?;
        let batch = &stored.batch;
        if batch.agent.as_str() == OWN_AGENT {
            past.own(batch.received_at);
            continue;
        }
        let Ok(payload) = unpack(Encoding::Gzip, &batch.packed, batch.crc) else { continue };
        let Ok(text) = std::str::from_utf8(&payload) else { continue };
        let placed = |mut sample: crate::model::Sample| {
            sample.at = stored.placed(sample.at);
            sample
        };
        past.batch(&batch.agent, batch.received_at, wire::line::decode(text).0.into_iter().map(placed));
    }
    Ok(past)
}

/// Drops raw batches that are older than they are kept.
async fn prune(ledger: Arc<Ledger>, clock: SharedClock, mut stop: Shutdown) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(PRUNE_EVERY);
    loop {
        tokio::select! {
            () = stop.wait() => return Ok(()),
            _ = tick.tick() => {}
        }
        let (ledger, before) = (ledger.clone(), clock.now() - RETENTION);
        if let Err(error) = tokio::task::spawn_blocking(move || ledger.prune(before)).await? {
            tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "old batches not dropped");
        }
    }
}
