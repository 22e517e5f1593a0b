//! The hub's loop: what has been stored goes into the picture of the network, the picture is judged, what is decided
//! is written down before anybody is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::evaluator::{Evaluated, Evaluator, Heard};
use super::proof::ProofKeeper;
use super::{charts, derived};
use crate::alert::desk::{Command, Touched};
use crate::alert::signed::LinkKeys;
use crate::alert::{Incident, IncidentState};
use crate::config::settings::HubSettings;
use crate::model::network::{Language, Network};
use crate::model::view::{LinkState, LinkView, NetworkView, SiteDirection, certificate_days_left};
use crate::model::{Reading, Sample, SiteId, Tag, UnixMillis};
use crate::mqtt::inbox::{InboxEvent, InboxHealth};
use crate::runtime::clock::SharedClock;
use crate::runtime::health::PartHealth;
use crate::runtime::tasks::Shutdown;
use crate::store::ledger::Ledger;
use crate::store::{Document, DocumentStore, StoreError};
use crate::web::desk::{DeskError, DeskRequest, History, NoticeLine, Reasons};
use crate::web::snapshot::{AgentProof, Snapshot};
use crate::{catalogue, notify, wire};

/// Documents that could not be written yet. Past this the oldest go; the ledger has been failing for long by then.
const UNSAVED_MAX: usize = 10_000;

/// Two evaluations are at least so far apart, however many holds end: what ends within it is told together.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// What the loop is made of.
pub struct LookoutParts {
    pub network: Arc<Network>,
    pub settings: HubSettings,
    pub ledger: Arc<Ledger>,
    pub clock: SharedClock,
    pub inbox: watch::Receiver<InboxHealth>,
    pub parts: Vec<watch::Receiver<PartHealth>>,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// Of all that have something to send.
    pub wakes: Vec<Arc<Notify>>,
    pub simulated: bool,
    /// What links in mails to operators are signed with.
    pub links: LinkKeys,
    /// What people say and ask: from the page, the command line, links in mails.
    pub desk: mpsc::Receiver<DeskRequest>,
}

/// The loop.
pub struct Lookout {
    parts: LookoutParts,
    evaluator: Evaluator,
    memory: Memory,
    /// Away only while a blocking thread has it.
    keeper: Option<ProofKeeper>,
}

/// What the loop remembers between two evaluations.
#[derive(Default)]
struct Memory {
    last_derived: Option<UnixMillis>,
    unsaved: Vec<Document>,
    /// Failures of the outbox that were looked at.
    failed_total: u64,
    /// Why the ledger does not take what the loop writes; said when it begins, and when it ends.
    ledger_error: Option<String>,
    ledger_failures: u64,
    proofs: Arc<BTreeMap<SiteId, AgentProof>>,
}

impl Lookout {
    pub fn new(parts: LookoutParts, evaluator: Evaluator) -> Self {
        let keeper = ProofKeeper::new(parts.network.agents().map(|s| s.id.clone()), evaluator.started_at());
        Self { parts, evaluator, memory: Memory::default(), keeper: Some(keeper) }
    }

    /// Runs until the process stops.
    pub async fn run(mut self, mut events: mpsc::Receiver<InboxEvent>, mut stop: Shutdown) -> anyhow::Result<()> {
        let every = (self.parts.settings.poll_interval / 4).clamp(Duration::from_millis(250), Duration::from_secs(5));
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut due = None;
        loop {
            tokio::select! {
                () = stop.wait() => break,
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => return Ok(()),
                },
                Some(request) = self.parts.desk.recv() => if self.answer(request).await {
                    // Whoever changed something looks whether it was.
                    let soon = Instant::now() + LOOK_PAUSE;
                    due = Some(due.map_or(soon, |at: Instant| at.min(soon)));
                },
                _ = tick.tick() => due = self.look().await,
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    due = self.look().await;
                }
            }
        }
        // The inbox ends by the same word; until then it finds somebody to hand its last batches to.
        while events.recv().await.is_some() {}
        Ok(())
    }

    /// Evaluates; says when a hold ends next, so that a mail does not wait for the next regular look.
    async fn look(&mut self) -> Option<Instant> {
        self.evaluate().await;
        let now = self.parts.clock.now();
        let wait = self.evaluator.engine.next_due(now)?.since(now);
        Some(Instant::now() + wait.max(LOOK_PAUSE))
    }

    fn take(&mut self, event: InboxEvent) {
        let InboxEvent::Stored { agent, received_at, payload, live, .. } = event else { return };
        // The inbox has let only UTF-8 through that parses.
        let Ok(text) = std::str::from_utf8(&payload) else { return };
        let (samples, _) = wire::line::decode(text);
        let clock_error_ms = self.clock_error_ms(&agent);
        let newest = self.evaluator.take(&agent, received_at, live, clock_error_ms, samples);
        if let Some(keeper) = &mut self.keeper {
            keeper.take(&agent, received_at, newest);
        }
    }

    /// How far an agent's clock is ahead.
    fn clock_error_ms(&self, agent: &SiteId) -> i64 {
        let inbox = self.parts.inbox.borrow();
        inbox.agents.get(agent.as_str()).and_then(|a| a.clock_error_ms).unwrap_or(0)
    }

    async fn evaluate(&mut self) {
        let now = self.parts.clock.now();
        self.look_for_refused(now).await;
        let (agents, certificate_expires_at) = {
            let inbox = self.parts.inbox.borrow();
            (inbox.agents.clone(), inbox.certificate_expires_at)
        };
        let heard = Heard { agents: &agents, certificate_expires_at };
        let Evaluated { view, changed, before, written, jumped_ms } =
            self.evaluator.evaluate(now, self.parts.clock.mono(), heard);
        if let Some(jump_ms) = jumped_ms {
            self.clock_was_set(now, jump_ms);
        }
        for incident in &changed {
            log(incident, &before);
        }
        let written = charts::illustrated(&self.parts.ledger, &self.parts.network, written).await;
        self.memory.unsaved.extend(written.documents);
        self.derive(now, &view).await;
        self.save().await;
        self.prove(now, &view).await;
        self.show(now, view);
    }

    fn clock_was_set(&mut self, now: UnixMillis, jump_ms: i64) {
        tracing::warn!(
            seconds = jump_ms / 1000,
            "this machine's clock was set: what was measured before it is forgotten, and measured again"
        );
        self.memory.last_derived = None;
        if let Some(keeper) = &mut self.keeper {
            keeper.forget_times(now);
        }
    }

    /// What can be proved of deliveries: written into the daily records, and shown.
    async fn prove(&mut self, now: UnixMillis, view: &NetworkView) {
        let Some(mut keeper) = self.keeper.take() else { return };
        keeper.look(now, &view.agents, self.evaluator.patience());
        let ledger = self.parts.ledger.clone();
        let job = move || {
            let written = keeper.write_if_due(now, &ledger);
            let told = keeper.told(now, &ledger);
            (keeper, written, told)
        };
        // A blocking task that does not end normally: the runtime is going away.
        let Ok((keeper, written, told)) = tokio::task::spawn_blocking(job).await else { return };
        self.keeper = Some(keeper);
        self.noted("daily records not written yet", written);
        if let Some(told) = self.noted("what is missing cannot be read", told) {
            self.memory.proofs = Arc::new(told);
        }
    }

    /// What was done, if it was. A ledger that fails is said once, and once when it works again.
    fn noted<T>(&mut self, what: &'static str, done: Result<T, StoreError>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(error) => {
                let reason = format!("{:#}", anyhow::Error::from(error));
                self.memory.ledger_failures += 1;
                if self.memory.ledger_error.is_none() {
                    tracing::error!(reason, "{what}: the ledger takes nothing; trying again at each evaluation");
                }
                self.memory.ledger_error = Some(reason);
                None
            }
        }
    }

    /// Something was written: the ledger works.
    fn ledger_works(&mut self) {
        if self.memory.ledger_error.take().is_some() {
            tracing::info!(failures = self.memory.ledger_failures, "the ledger takes what the hub writes again");
        }
    }

    /// Looks for addresses that the outbox found refused.
    async fn look_for_refused(&mut self, now: UnixMillis) {
        let total: u64 = self.parts.parts.iter().map(|p| p.borrow().failed_total).sum();
        if self.memory.failed_total == total {
            return;
        }
        let ledger = self.parts.ledger.clone();
        let since = now - notify::step::REFUSED_KEPT;
        match tokio::task::spawn_blocking(move || notify::records::refused(&*ledger, since)).await {
            Ok(Ok(refused)) => {
                self.evaluator.teller.refused = refused;
                self.memory.failed_total = total;
            }
            Ok(Err(error)) => tracing::warn!(error = format!("{:#}", anyhow::Error::from(error)), "refusals not read"),
            Err(error) => tracing::warn!(%error, "refusals not read"),
        }
    }

    /// Applies what somebody said, writes it down, and answers only then.
    /// Whether the picture is another for it.
    async fn answer(&mut self, request: DeskRequest) -> bool {
        let now = self.parts.clock.now();
        let mut changed = false;
        match request {
            DeskRequest::Command { command, by, reply } => {
                let known = self.known(&command).await;
                let done = self.evaluator.command(|_| known, command, &by, now);
                let answer = match done {
                    Ok((touched, documents)) => {
                        changed = touched != Touched::Nothing;
                        self.memory.unsaved.extend(documents);
                        self.save().await;
                        if self.memory.unsaved.is_empty() { Ok(touched) } else { Err(DeskError::NotWritten) }
                    }
                    Err(refusal) => Err(DeskError::Refused(refusal)),
                };
                // Whoever asked may have gone.
                let _ = reply.send(answer);
            }
            DeskRequest::Show { incident, reply } => {
                let _ = reply.send(self.history(incident).await);
            }
            DeskRequest::Desk { reply } => {
                let _ = reply.send((self.evaluator.teller.desk.clone(), self.parts.settings.notify.rodaggio));
            }
        }
        changed
    }

    /// Whether there is the incident that a command is about; those that are long over are in the ledger.
    async fn known(&self, command: &Command) -> bool {
        let Command::Act { incident, .. } = command else { return true };
        self.history(*incident).await.is_some()
    }

    async fn history(&self, number: u64) -> Option<History> {
        let ledger = self.parts.ledger.clone();
        let live = self.evaluator.engine.incidents().into_iter().find(|i| i.number == number && number > 0);
        let read = tokio::task::spawn_blocking(move || {
            let kept = || notify::records::incidents(&*ledger).ok()?.into_iter().find(|i| i.number == number);
            Some((live.or_else(|| kept().filter(|_| number > 0))?, notify::records::threads_of(&*ledger, number).ok()?))
        });
        let (incident, threads) = read.await.ok().flatten()?;
        let told = threads.iter().flat_map(|thread| {
            thread.told.iter().map(|told| NoticeLine {
                at: told.at,
                to: thread.recipient.clone(),
                kind: told.kind.as_str(),
                why: told.why.clone(),
                sent: !thread.shadow,
            })
        });
        let mut notices: Vec<NoticeLine> = told.collect();
        notices.sort_by(|a, b| (a.at, &a.to).cmp(&(b.at, &b.to)));
        let case = self.evaluator.teller.desk.cases.get(&number).cloned().unwrap_or_default();
        let network = &self.parts.network;
        let reasons = |language| notify::story::reasons_of(network, &incident, language);
        let reasons = Reasons { italian: reasons(Language::Italian), english: reasons(Language::English) };
        Some(History { incident, notices, case, reasons })
    }

    /// The inbox, the ledger, the certificates where there are any, then the parts that the settings name.
    fn part_health(&self) -> Vec<PartHealth> {
        let inbox = self.parts.inbox.borrow();
        let mqtt = PartHealth {
            name: "mqtt",
            ok: inbox.connected && inbox.store_error.is_none(),
            detail: inbox.link_error.clone().or_else(|| inbox.store_error.clone()),
            waiting: 0,
            done_total: inbox.agents.values().map(|a| a.received_batches).sum(),
            failed_total: inbox.set_aside + inbox.not_set_aside + inbox.stranger_messages,
        };
        let ledger = PartHealth {
            name: "ledger",
            ok: self.memory.ledger_error.is_none() && inbox.store_error.is_none(),
            detail: self.memory.ledger_error.clone().or_else(|| inbox.store_error.clone()),
            waiting: self.memory.unsaved.len() as u64,
            done_total: inbox.agents.values().map(|a| a.samples).sum(),
            failed_total: self.memory.ledger_failures,
        };
        let certificates = certificates(&inbox, self.parts.clock.now());
        [mqtt, ledger]
            .into_iter()
            .chain(certificates)
            .chain(self.parts.parts.iter().map(|p| p.borrow().clone()))
            .collect()
    }

    /// Writes what the hub derives (links, sites, incidents) into the ledger, once a poll interval, for the sinks.
    async fn derive(&mut self, now: UnixMillis, view: &NetworkView) {
        if self.memory.last_derived.is_some_and(|last| now.since(last) < self.parts.settings.poll_interval) {
            return;
        }
        self.memory.last_derived = Some(now);
        let mut samples = derived_samples(view);
        samples.extend(derived::places(&self.parts.network, now));
        let incidents = self.evaluator.engine.incidents();
        samples.extend(derived::incidents(&incidents, now, self.parts.settings.poll_interval));
        let ledger = self.parts.ledger.clone();
        let stored = tokio::task::spawn_blocking(move || ledger.store_own(&samples, now)).await;
        // A blocking task that does not end normally: the runtime is going away.
        if let Ok(stored) = stored
            && self.noted("derived figures not stored", stored).is_some()
        {
            self.ledger_works();
        }
    }

    /// Writes what is decided; what cannot be written now is tried again at the next evaluation.
    async fn save(&mut self) {
        if self.memory.unsaved.is_empty() {
            return;
        }
        let documents = self.memory.unsaved.clone();
        let ledger = self.parts.ledger.clone();
        let Ok(written) = tokio::task::spawn_blocking(move || ledger.put_documents(&documents)).await else { return };
        if self.noted("incidents not written yet", written).is_some() {
            self.memory.unsaved.clear();
            self.parts.wakes.iter().for_each(|wake| wake.notify_one());
            self.ledger_works();
        } else {
            let surplus = self.memory.unsaved.len().saturating_sub(UNSAVED_MAX);
            self.memory.unsaved.drain(..surplus);
        }
    }

    fn show(&mut self, now: UnixMillis, view: NetworkView) {
        let incidents = self.evaluator.engine.incidents();
        let said = &self.evaluator.teller.desk.cases;
        let cases = incidents.iter().filter_map(|i| Some((i.number, said.get(&i.number)?.clone()))).collect();
        let snapshot = Snapshot {
            network: self.parts.network.clone(),
            blind_since: view.blind_since,
            view: Arc::new(view),
            proofs: self.memory.proofs.clone(),
            incidents: Arc::new(incidents),
            cases: Arc::new(cases),
            parts: self.part_health(),
            generated_at: now,
            started_at: self.evaluator.started_at(),
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
/// The part that names certificates for the broker that end soon; none where nobody uses one.
fn certificates(inbox: &InboxHealth, now: UnixMillis) -> Option<PartHealth> {
    let hub = inbox.certificate_expires_at.map(|at| ("hub", at));
    let agents = inbox.agents.iter().filter_map(|(site, view)| Some((site.as_str(), view.certificate_expires_at?)));
    let all: Vec<(&str, UnixMillis)> = hub.into_iter().chain(agents).collect();
    let ends: Vec<String> =
        all.iter().filter_map(|(name, at)| Some(format!("{name} ({} d)", certificate_days_left(*at, now)?))).collect();
    let detail = format!("to be renewed with vedetta broker-files: {}", ends.join(", "));
    (!all.is_empty()).then(|| PartHealth {
        name: "certificates",
        ok: ends.is_empty(),
        detail: (!ends.is_empty()).then_some(detail),
        waiting: ends.len() as u64,
        done_total: (all.len() - ends.len()) as u64,
        failed_total: 0,
    })
}
