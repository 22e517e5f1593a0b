//! The hub's loop: what has been stored goes into the picture of the network, the picture is judged, what is decided
//! is written down before anybody is told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use crate::alert::engine::Engine;
use crate::alert::{Incident, IncidentState};
use crate::capacity::NetworkState;
use crate::config::settings::HubSettings;
use crate::model::network::Network;
use crate::model::view::{LinkState, LinkView, NetworkView, SiteDirection};
use crate::model::{Reading, Sample, SiteId, Tag, UnixMillis};
use crate::mqtt::certificate::WARN_BEFORE;
use crate::mqtt::inbox::{InboxEvent, InboxHealth};
use crate::notify::render::Sender;
use crate::runtime::clock::SharedClock;
use crate::runtime::health::PartHealth;
use crate::runtime::tasks::Shutdown;
use crate::store::ledger::Ledger;
use crate::store::{Document, DocumentStore};
use crate::web::snapshot::Snapshot;
use crate::{catalogue, notify, wire};

/// A clock that is wrong by less is taken as right.
const CLOCK_ERROR_MIN_MS: u64 = 2000;
/// Documents that could not be written yet. Past this the oldest go; the ledger has been failing for long by then.
const UNSAVED_MAX: usize = 10_000;

/// What the loop is made of.
pub struct LookoutParts {
    pub network: Arc<Network>,
    pub settings: HubSettings,
    pub ledger: Arc<Ledger>,
    pub clock: SharedClock,
    pub inbox: watch::Receiver<InboxHealth>,
    pub parts: Vec<watch::Receiver<PartHealth>>,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    pub outbox_wake: Arc<Notify>,
    pub simulated: bool,
    /// The picture, as far as the ledger's last hours tell it.
    pub state: NetworkState,
}

/// The loop.
pub struct Lookout {
    parts: LookoutParts,
    engine: Engine,
    memory: Memory,
}

/// What the loop remembers between two evaluations.
#[derive(Default)]
struct Memory {
    started_at: UnixMillis,
    last_heard: Option<UnixMillis>,
    last_derived: Option<UnixMillis>,
    unsaved: Vec<Document>,
}

/// The engine as the ledger remembers it.
pub fn restored_engine(ledger: &Ledger, settings: &HubSettings, network: &Arc<Network>) -> anyhow::Result<Engine> {
    let (incidents, memory) = notify::step::restore(ledger)?;
    Ok(Engine::new(settings.alert.clone(), network.clone(), incidents, 1)
        .with_interval(settings.poll_interval)
        .with_memory(memory))
}

impl Lookout {
    pub fn new(parts: LookoutParts, engine: Engine) -> Self {
        let memory = Memory { started_at: parts.clock.now(), ..Memory::default() };
        Self { parts, engine, memory }
    }

    /// Runs until the process stops.
    pub async fn run(mut self, mut events: mpsc::Receiver<InboxEvent>, mut stop: Shutdown) -> anyhow::Result<()> {
        let every = (self.parts.settings.poll_interval / 4).clamp(Duration::from_millis(250), Duration::from_secs(5));
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.wait() => break,
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => return Ok(()),
                },
                _ = tick.tick() => self.evaluate().await,
            }
        }
        // The inbox ends by the same word; until then it finds somebody to hand its last batches to.
        while events.recv().await.is_some() {}
        Ok(())
    }

    fn take(&mut self, event: InboxEvent) {
        let InboxEvent::Stored { agent, received_at, payload, .. } = event else { return };
        self.memory.last_heard = Some(received_at);
        // The inbox has let only UTF-8 through that parses.
        let Ok(text) = std::str::from_utf8(&payload) else { return };
        let (mut samples, _) = wire::line::decode(text);
        let error_ms = self.clock_error_ms(&agent);
        for sample in &mut samples {
            sample.at = UnixMillis(sample.at.0.saturating_sub(error_ms));
            self.parts.state.apply(&agent, sample, received_at);
        }
    }

    /// How far an agent's clock is ahead. A small error is left alone: it is within what networks delay.
    fn clock_error_ms(&self, agent: &SiteId) -> i64 {
        let inbox = self.parts.inbox.borrow();
        let error = inbox.agents.get(agent.as_str()).and_then(|a| a.clock_error_ms).unwrap_or(0);
        if error.unsigned_abs() < CLOCK_ERROR_MIN_MS { 0 } else { error }
    }

    async fn evaluate(&mut self) {
        let now = self.parts.clock.now();
        let mut view = self.parts.state.evaluate(now);
        view.agents.clone_from(&self.parts.inbox.borrow().agents);
        let before = self.engine.incidents();
        let changed = self.engine.step(now, &view, &self.parts.state);
        self.decide(now, &before, &changed);
        self.derive(now, &view).await;
        self.save().await;
        self.show(now, view);
    }

    /// Turns changes into documents: the incidents themselves, and the mails that they call for.
    fn decide(&mut self, now: UnixMillis, before: &[Incident], changed: &[Incident]) {
        for incident in changed {
            log(incident, before);
        }
        let settings = &self.parts.settings;
        let sender = settings.mail.as_ref().map(|mail| Sender {
            from: &mail.from,
            reply_to: mail.reply_to.as_deref(),
            public_url: settings.web.public_url.as_deref(),
        });
        let memory = self.engine.memory_to_write();
        let written = notify::step::written(&self.parts.network, before, changed, memory, now, sender.as_ref());
        self.memory.unsaved.extend(written.documents);
    }

    /// The inbox, then the parts that the settings name.
    fn part_health(&self) -> Vec<PartHealth> {
        let inbox = self.parts.inbox.borrow();
        let left = inbox.certificate_expires_at.map(|at| at.since(self.parts.clock.now()));
        let ends = left.filter(|left| *left < WARN_BEFORE).map(|left| {
            let days = left.as_secs() / (24 * 3600);
            format!("the hub's certificate for the broker ends in {days} days: vedetta broker-files renews it")
        });
        let mqtt = PartHealth {
            name: "mqtt",
            ok: inbox.connected && inbox.store_error.is_none() && ends.is_none(),
            detail: inbox.link_error.clone().or_else(|| inbox.store_error.clone()).or(ends),
            waiting: 0,
            done_total: inbox.agents.values().map(|a| a.received_batches).sum(),
            failed_total: inbox.set_aside + inbox.not_set_aside + inbox.stranger_messages,
        };
        std::iter::once(mqtt).chain(self.parts.parts.iter().map(|p| p.borrow().clone())).collect()
    }

    /// Writes what the hub derives (links, sites) into the ledger, once a poll interval, for the sinks.
    async fn derive(&mut self, now: UnixMillis, view: &NetworkView) {
        if self.memory.last_derived.is_some_and(|last| now.since(last) < self.parts.settings.poll_interval) {
            return;
        }
        self.memory.last_derived = Some(now);
        let samples = derived_samples(view);
        let ledger = self.parts.ledger.clone();
        let stored = tokio::task::spawn_blocking(move || ledger.store_own(&samples, now)).await;
        match stored {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "derived figures not stored");
            }
            Err(error) => tracing::error!(%error, "derived figures not stored"),
        }
    }

    /// Writes what is decided; what cannot be written now is tried again at the next evaluation.
    async fn save(&mut self) {
        if self.memory.unsaved.is_empty() {
            return;
        }
        let documents = self.memory.unsaved.clone();
        let ledger = self.parts.ledger.clone();
        match tokio::task::spawn_blocking(move || ledger.put_documents(&documents)).await {
            Ok(Ok(())) => {
                self.memory.unsaved.clear();
                self.parts.outbox_wake.notify_one();
            }
            Ok(Err(error)) => {
                tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "incidents not written yet");
                let surplus = self.memory.unsaved.len().saturating_sub(UNSAVED_MAX);
                self.memory.unsaved.drain(..surplus);
            }
            Err(error) => tracing::error!(%error, "incidents not written yet"),
        }
    }

    fn show(&mut self, now: UnixMillis, view: NetworkView) {
        let patience = self.parts.settings.poll_interval * 3 + Duration::from_secs(10);
        let heard = self.memory.last_heard.unwrap_or(self.memory.started_at);
        let snapshot = Snapshot {
            network: self.parts.network.clone(),
            view: Arc::new(view),
            incidents: Arc::new(self.engine.incidents()),
            parts: self.part_health(),
            generated_at: now,
            started_at: self.memory.started_at,
            blind_since: (now.since(heard) > patience).then_some(heard),
            simulated: self.parts.simulated,
            version: env!("CARGO_PKG_VERSION"),
            agents_expected: self.parts.network.agents().map(|s| s.id.clone()).collect(),
        };
        self.parts.snapshots.send_replace(Arc::new(snapshot));
    }
}

/// Tells the journal of what opened and closed.
fn log(incident: &Incident, before: &[Incident]) {
    let was = before.iter().find(|b| b.number == incident.number && b.number > 0).map(|b| b.state);
    if was == Some(incident.state) {
        return;
    }
    let (subject, condition) = (incident.subject.as_str(), incident.condition.as_str());
    match incident.state {
        IncidentState::Open if was.is_none() => {
            tracing::info!(incident = incident.token(), subject, condition, caused_by = ?incident.caused_by, "opened");
        }
        IncidentState::Closed if incident.is_opened() => {
            tracing::info!(incident = incident.token(), subject, condition, "closed");
        }
        state => tracing::debug!(incident = incident.token(), subject, condition, state = state.as_str()),
    }
}

/// The measurements `link` and `site` of one picture.
fn derived_samples(view: &NetworkView) -> Vec<Sample> {
    let mut samples = Vec::new();
    for edge in view.edges() {
        samples.extend(link_samples(view.at, edge));
    }
    for site in view.sites.values() {
        samples.push(site_sample(view.at, &site.id, "downstream", &site.downstream));
        if let Some(upstream) = &site.upstream {
            samples.push(site_sample(view.at, &site.id, "upstream", upstream));
        }
    }
    samples
}

fn link_samples(at: UnixMillis, edge: &LinkView) -> [Sample; 2] {
    let (downstream, upstream) = edge.downstream_upstream();
    [("downstream", downstream), ("upstream", upstream)].map(|(direction, figures)| {
        let tag = match edge.id.kind() {
            "backhaul" => Tag::Backhaul,
            _ => Tag::Link,
        };
        let mut sample = Sample::new(&catalogue::LINK, at).tag(tag, edge.id.as_str()).tag(Tag::Direction, direction);
        if let Some(wisp) = &edge.wisp {
            sample = sample.tag(Tag::Wisp, wisp.as_str());
        }
        sample.set("capacity_mbps", figures.capacity_mbps);
        sample.set("required_mbps", Reading::value(figures.required_mbps));
        sample.set("throughput_mbps", figures.throughput_mbps);
        let up = match edge.state {
            LinkState::Up => Reading::value(1.0),
            LinkState::Down(_) => Reading::value(0.0),
            LinkState::Unknown(why) => Reading::Missing(why),
        };
        sample.set("up_flag", up);
        sample
    })
}

fn site_sample(at: UnixMillis, site: &SiteId, direction: &str, figures: &SiteDirection) -> Sample {
    use crate::model::view::{Bounds, TargetState};
    use crate::model::{Missing, Provenance};
    let known = |bounds: Bounds| match bounds.known() {
        Some(mbps) => Reading::known(mbps, Provenance::Derived),
        None => Reading::Missing(Missing::NotMeasured),
    };
    let mut sample = Sample::new(&catalogue::SITE, at).tag(Tag::Site, site.as_str()).tag(Tag::Direction, direction);
    sample.set("target_mbps", Reading::value(figures.target_mbps));
    sample.set("together_mbps", known(figures.together));
    sample.set("alone_mbps", known(figures.alone));
    sample.set("possible_mbps", known(figures.possible));
    let below = match figures.state {
        TargetState::Met => Reading::value(0.0),
        TargetState::Below => Reading::value(1.0),
        TargetState::Unknown => Reading::Missing(Missing::NotMeasured),
    };
    sample.set("below_flag", below);
    sample
}
