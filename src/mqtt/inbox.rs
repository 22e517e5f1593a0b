//! The hub's side: batches are made durable in the ledger, and only then reported as stored.
//!
//! What has arrived is taken in groups, one transaction each. A message is acknowledged to the broker after its group
//! is durable, so that at most [`client::INCOMING_MAX`] messages are in memory; a ledger that fails or a hub that is
//! busy makes the broker wait, and then drop, which costs repeats.
//!
//! **A batch that does not parse** is set aside for a person to look at, and its key is stored with an empty payload,
//! in the same way as any other batch: so it counts as received in everything that follows (`stored`, the search for
//! gaps, repeats after a restart), and its agent neither resends it for ever nor needs to know of the case. A message
//! without a usable key is set aside too; there is nothing to report as stored for it, and the agent's back-off bounds
//! what it costs. At most [`SET_ASIDE_PER_MINUTE`] are kept, the rest is counted.
//!
//! **Conflicts**: the same key with another checksum means that two agents use one name. The first batch stays, the
//! other is set aside.
//!
//! **Floods**: what an agent sends above [`Limit`] is counted and let go, unread. It is not reported as stored, so an
//! agent in good order would send it again.
//!
//! **Strangers**: names that the inventory does not know are counted, set aside, and never stored or answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use uuid::Uuid;

use super::client::{self, EVENTS_MAX, LinkConfig, LinkEvent, Message, Requests, chain};
use super::judged::{Arrived, Judged, judge, store_all};
use super::limit::Limit;
use super::parts::Parts;
use super::track::Track;
use crate::config::secret::SecretSource;
use crate::config::settings::MqttSettings;
use crate::model::view::AgentView;
use crate::model::{MonoMillis, NetworkId, SiteId, UnixMillis};
use crate::runtime::clock::SharedClock;
use crate::runtime::tasks::Shutdown;
use crate::store::{BatchStore, SetAside, StoreOutcome};
use crate::wire::state::{self, AgentState, HubState, Stored};
use crate::wire::topic::{Channel, Parsed, Topics};

/// Batches in one transaction.
pub const GROUP_MAX: usize = 64;
/// How long the first of a group waits for company: below what anybody notices.
const GROUP_WAIT: Duration = Duration::from_millis(20);
/// Messages kept for a person to look at: enough to understand a case, too few to wear out a disk.
pub const SET_ASIDE_PER_MINUTE: u32 = 60;
/// An agent is told at once what is stored, and then for so long not again: a backlog's worth of answers would cost as
/// much as the backlog. Its window of 24 batches keeps 100 kbit/s going if it hears twice a second.
const TELL_PAUSE: Duration = Duration::from_millis(500);
/// It is told earlier where so many more are stored: half a window, or one that catches up would wait for its answer.
const UNTOLD_MAX: usize = 16;
const STORE_PAUSE_MIN: Duration = Duration::from_secs(1);
const STORE_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Presence that something overwrote is published again, at most so often.
const PRESENCES_PER_MINUTE: u32 = 60;

/// Counts the lines of a payload, or says why it is not line protocol.
pub type Parse = Arc<dyn Fn(&[u8]) -> Result<u32, String> + Send + Sync>;

/// The hub's side of delivery.
#[derive(Debug, Clone)]
pub struct HubInbox {
    pub settings: MqttSettings,
    pub network: NetworkId,
    /// Random for each run of the hub.
    pub boot: Uuid,
    pub version: String,
    /// Agents that the inventory knows.
    pub agents: BTreeSet<SiteId>,
}

/// What the rest of the hub hears of.
#[derive(Debug, Clone, PartialEq)]
pub enum InboxEvent {
    /// A batch that is new and durable now.
    Stored {
        agent: SiteId,
        received_at: UnixMillis,
        /// By the agent's clock.
        sent_at: UnixMillis,
        /// Line protocol, unpacked.
        payload: Vec<u8>,
        n_samples: u32,
        /// The first copy of a batch that was just made; otherwise it comes from a backlog or is a repeat.
        live: bool,
    },
    AgentState {
        agent: SiteId,
        state: AgentState,
    },
}

/// How the inbox is doing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InboxHealth {
    pub connected: bool,
    /// Why there is no connection.
    pub link_error: Option<String>,
    /// Failed connections and attempts.
    pub link_failures: u64,
    /// End of the validity of the hub's certificate for the broker.
    pub certificate_expires_at: Option<UnixMillis>,
    /// Why the ledger takes no batches.
    pub store_error: Option<String>,
    /// Messages under names that the inventory does not know.
    pub stranger_messages: u64,
    /// Messages set aside, and those that were only counted because there were too many.
    pub set_aside: u64,
    pub not_set_aside: u64,
    /// Publications that the broker refused.
    pub refused: u64,
    /// All agents of the inventory.
    pub agents: BTreeMap<SiteId, AgentView>,
    /// Agents of which a key came twice with different content, and how often: a second agent uses the name.
    pub conflicts: BTreeMap<SiteId, u64>,
}

/// Everything that the inbox needs besides its configuration.
pub struct InboxParts {
    pub store: Arc<dyn BatchStore>,
    pub parse: Parse,
    pub out: mpsc::Sender<InboxEvent>,
    pub secrets: Arc<dyn SecretSource>,
    pub clock: SharedClock,
    pub health: watch::Sender<InboxHealth>,
    /// What is published for each agent.
    pub parts: Parts,
}

/// Receives until the process stops.
pub async fn run(config: HubInbox, parts: InboxParts, shutdown: Shutdown) -> anyhow::Result<()> {
    let topics = Topics::new(&config.network);
    let presence = |online, session| {
        state::encode(&HubState { online, boot: config.boot, session, version: config.version.clone() })
    };
    let link = LinkConfig {
        settings: config.settings.clone(),
        client_id: super::hub_client_id(&config.network),
        will: Some((topics.hub_state(), presence(false, 0))),
        subscriptions: vec![topics.every_agent(Channel::Data), topics.every_agent(Channel::State), topics.hub_state()],
        manual_acks: true,
        told_of_acks: false,
    };
    let (events_in, events) = mpsc::channel(EVENTS_MAX);
    let link = client::drive(link, Arc::clone(&parts.secrets), Arc::clone(&parts.clock), events_in);
    let worker = Worker::new(config, topics, parts, events, shutdown).await?;
    tokio::select! {
        result = worker.run() => result,
        () = link => anyhow::bail!("the connection to the broker was given up"),
    }
}

struct Worker {
    config: HubInbox,
    topics: Topics,
    store: Arc<dyn BatchStore>,
    ledger: Uuid,
    parse: Parse,
    out: mpsc::Sender<InboxEvent>,
    clock: SharedClock,
    health_out: watch::Sender<InboxHealth>,
    events: mpsc::Receiver<LinkEvent>,
    shutdown: Shutdown,
    link: Option<Requests>,
    tracks: BTreeMap<SiteId, Track>,
    limits: BTreeMap<SiteId, Limit>,
    health: InboxHealth,
    set_aside: Allowance,
    /// Messages to set aside with the next group; at most [`SET_ASIDE_PER_MINUTE`].
    aside: Vec<SetAside>,
    presences: Allowance,
    /// When each agent was last told what is stored.
    told_at: BTreeMap<SiteId, Instant>,
    /// Agents of which more is stored than they were told.
    untold: BTreeMap<SiteId, usize>,
    /// Away only while a blocking thread has them.
    parts: Parts,
}

impl Worker {
    async fn new(
        config: HubInbox,
        topics: Topics,
        parts: InboxParts,
        events: mpsc::Receiver<LinkEvent>,
        shutdown: Shutdown,
    ) -> anyhow::Result<Self> {
        let store = Arc::clone(&parts.store);
        let (ledger, stored) = tokio::task::spawn_blocking(move || (store.ledger_id(), store.stored_ranges()))
            .await
            .context("reading what is stored was interrupted")?;
        let mut epochs: BTreeMap<SiteId, Vec<_>> = BTreeMap::new();
        for (agent, epoch, ranges) in stored.context("reading what is stored")? {
            epochs.entry(agent).or_default().push((epoch, ranges));
        }
        let tracks = config
            .agents
            .iter()
            .map(|agent| (agent.clone(), Track::new(agent.clone(), epochs.remove(agent).unwrap_or_default())))
            .collect();
        Ok(Self {
            config,
            topics,
            store: parts.store,
            ledger,
            parse: parts.parse,
            out: parts.out,
            set_aside: Allowance::new(SET_ASIDE_PER_MINUTE),
            aside: Vec::new(),
            clock: parts.clock,
            health_out: parts.health,
            events,
            shutdown,
            link: None,
            tracks,
            limits: BTreeMap::new(),
            health: InboxHealth::default(),
            presences: Allowance::new(PRESENCES_PER_MINUTE),
            told_at: BTreeMap::new(),
            untold: BTreeMap::new(),
            parts: parts.parts,
        })
    }

    async fn run(mut self) -> anyhow::Result<()> {
        // What arrived while the last group was stored.
        let mut group = Vec::new();
        while !self.shutdown.is_set() {
            if group.is_empty() {
                self.show();
                let mut shutdown = self.shutdown.clone();
                let tell_at = self.untold.keys().filter_map(|agent| self.quiet_until(agent)).min();
                let event = tokio::select! {
                    () = shutdown.wait() => break,
                    () = sleep_until(tell_at.unwrap_or_else(Instant::now)), if tell_at.is_some() => {
                        self.tell_stored(Instant::now()).await;
                        continue;
                    }
                    event = self.events.recv() => event.context("the connection to the broker was given up")?,
                };
                self.hear(event, &mut group).await?;
            }
            if !group.is_empty() || !self.aside.is_empty() {
                self.gather(&mut group).await?;
                group = self.take(group).await?;
            }
        }
        self.tell_stored(Instant::now() + TELL_PAUSE).await;
        if let Some(link) = self.link.take() {
            let away = self.presence(false, link.connection());
            link.farewell(&self.topics.hub_state(), away, &mut self.events).await;
        }
        Ok(())
    }

    /// Before this it is not told again; `None`: it never was.
    fn quiet_until(&self, agent: &SiteId) -> Option<Instant> {
        self.told_at.get(agent).map(|at| *at + TELL_PAUSE)
    }

    /// Tells agents what is stored: those that were not told for a while, and those that would soon wait for it.
    async fn tell_stored(&mut self, now: Instant) {
        let is_due = |(agent, batches): &(&SiteId, &usize)| {
            **batches >= UNTOLD_MAX || self.quiet_until(agent).is_none_or(|until| until <= now)
        };
        let due: Vec<SiteId> = self.untold.iter().filter(is_due).map(|(agent, _)| agent.clone()).collect();
        for agent in due {
            self.publish_stored(&agent).await;
            self.untold.remove(&agent);
            self.told_at.insert(agent, now);
        }
    }

    /// Waits a moment for more.
    async fn gather(&mut self, group: &mut Vec<Arrived>) -> anyhow::Result<()> {
        let until = Instant::now() + GROUP_WAIT;
        while group.len() < GROUP_MAX
            && let Ok(Some(event)) = timeout_at(until, self.events.recv()).await
        {
            self.hear(event, group).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, event: LinkEvent, group: &mut Vec<Arrived>) -> anyhow::Result<()> {
        match event {
            LinkEvent::Up(requests) => {
                self.health.connected = true;
                self.health.link_error = None;
                self.link = Some(requests);
                self.announce().await;
            }
            LinkEvent::Down(error) => {
                self.link = None;
                self.health.connected = false;
                self.health.link_error = Some(chain(&error));
                self.health.link_failures += 1;
            }
            // Not asked for.
            LinkEvent::Taken => {}
            LinkEvent::Refused(reason) => {
                if self.health.refused == 0 {
                    tracing::error!(reason, "the broker refuses what the hub publishes; has it the rights?");
                }
                self.health.refused += 1;
            }
            LinkEvent::Message(message) => self.sort(message, group).await?,
        }
        Ok(())
    }

    async fn sort(&mut self, message: Message, group: &mut Vec<Arrived>) -> anyhow::Result<()> {
        let received_at = self.clock.now();
        match self.topics.parse(message.topic()) {
            Some(Parsed::Agent(name, _)) if self.is_flood(name, message.payload().len()) => {}
            Some(Parsed::Agent(name, channel)) => match (self.tracks.get_key_value(name), channel) {
                (Some((agent, _)), Channel::Data) => {
                    let agent = agent.clone();
                    group.push(Arrived { agent, received_at, message });
                    return Ok(());
                }
                (Some((agent, _)), Channel::State) => {
                    let agent = agent.clone();
                    self.hear_state(agent, message.payload()).await?;
                }
                (None, _) => self.hear_stranger(&message, received_at),
                _ => {}
            },
            Some(Parsed::HubState) => self.hear_presence(message.payload()).await,
            None => {}
        }
        self.ack(&message).await;
        Ok(())
    }

    /// Whether an agent that the inventory knows sends more than is taken from one.
    fn is_flood(&mut self, name: &str, bytes: usize) -> bool {
        let Ok(agent) = SiteId::parse(name) else { return false };
        let Some(track) = self.tracks.get_mut(&agent) else { return false };
        let now = self.clock.mono();
        if self.limits.entry(agent.clone()).or_insert_with(|| Limit::new(now)).take(bytes, now) {
            return false;
        }
        if track.throttled() {
            tracing::error!(%agent, "the agent sends more than the hub takes from one: the rest is let go");
        }
        true
    }

    async fn hear_state(&mut self, agent: SiteId, payload: &[u8]) -> anyhow::Result<()> {
        if payload.is_empty() {
            return Ok(());
        }
        match state::decode::<AgentState>(payload) {
            Ok(state) => {
                if let Some(track) = self.tracks.get_mut(&agent) {
                    track.state(&state);
                }
                self.hear_part(&agent, &state).await?;
                self.tell(InboxEvent::AgentState { agent, state }).await
            }
            Err(e) => {
                tracing::warn!(%agent, reason = chain(&e), "the agent's state is not understood");
                Ok(())
            }
        }
    }

    async fn hear_part(&mut self, agent: &SiteId, state: &AgentState) -> anyhow::Result<()> {
        let Some(said) = state.part.clone() else { return Ok(()) };
        let (mut parts, name) = (std::mem::take(&mut self.parts), agent.clone());
        let job = move || {
            let news = parts.hear(&name, &said);
            (parts, news)
        };
        let (parts, news) = tokio::task::spawn_blocking(job).await.context("an agent's key was interrupted")?;
        self.parts = parts;
        if news {
            self.publish_part(agent).await;
        }
        Ok(())
    }

    async fn publish_part(&self, agent: &SiteId) {
        if let (Some(link), Some(message)) = (&self.link, self.parts.message(agent)) {
            let _ = link.publish(&self.topics.agent(agent, Channel::Config), true, message.to_vec()).await;
        }
    }

    fn hear_stranger(&mut self, message: &Message, at: UnixMillis) {
        let name: String = message.topic().chars().take(200).collect();
        if self.health.stranger_messages == 0 {
            tracing::warn!(topic = name, "a message under a name that the inventory does not know");
        }
        self.health.stranger_messages += 1;
        if self.may_set_aside() {
            let (reason, payload) = ("not in the inventory".to_owned(), message.payload().to_vec());
            self.aside.push(SetAside { at, agent: name, reason, payload });
        }
    }

    /// A will of an earlier connection may overwrite the presence of this one.
    async fn hear_presence(&mut self, payload: &[u8]) {
        let Ok(hub) = state::decode::<HubState>(payload) else { return };
        if hub.online && hub.boot != self.config.boot {
            tracing::warn!(boot = %hub.boot, "another hub says that it serves this network");
        } else if !hub.online && self.presences.take(self.clock.mono()) {
            self.publish_presence().await;
        }
    }

    /// Tells agents what is stored, then that the hub listens: in this order they do not repeat what it has.
    async fn announce(&mut self) {
        let agents: Vec<SiteId> = self.tracks.keys().cloned().collect();
        for agent in agents {
            self.publish_stored(&agent).await;
            self.publish_part(&agent).await;
        }
        self.publish_presence().await;
    }

    fn presence(&self, online: bool, session: u64) -> Vec<u8> {
        state::encode(&HubState { online, boot: self.config.boot, session, version: self.config.version.clone() })
    }

    async fn publish_presence(&self) {
        if let Some(link) = &self.link {
            let here = self.presence(true, link.connection());
            // A connection that ends now is followed by another, which announces again.
            let _ = link.publish(&self.topics.hub_state(), true, here).await;
        }
    }

    async fn publish_stored(&self, agent: &SiteId) {
        let stored = self.tracks.get(agent).and_then(|t| t.stored(self.ledger));
        if let (Some(link), Some(stored)) = (&self.link, stored) {
            let stored = Stored { boot: Some(self.config.boot), ..stored };
            let topic = self.topics.agent(agent, Channel::Stored);
            let _ = link.publish(&topic, true, state::encode(&stored)).await;
        }
    }

    async fn ack(&self, message: &Message) {
        if let Some(link) = &self.link {
            let _ = link.ack(message).await;
        }
    }

    fn may_set_aside(&mut self) -> bool {
        let room = self.aside.len() < SET_ASIDE_PER_MINUTE as usize;
        let may = room && self.set_aside.take(self.clock.mono());
        if may {
            self.health.set_aside += 1;
        } else {
            self.health.not_set_aside += 1;
        }
        may
    }

    /// Makes a group durable, then reports it. Returns what has arrived meanwhile.
    async fn take(&mut self, group: Vec<Arrived>) -> anyhow::Result<Vec<Arrived>> {
        let mut meanwhile = Vec::new();
        let parse = Arc::clone(&self.parse);
        let job = move || group.into_iter().map(|arrived| judge(arrived, &parse)).collect::<Vec<_>>();
        let judged = tokio::task::spawn_blocking(job).await.context("looking at batches was interrupted")?;
        for one in &judged {
            if let Some(fault) = &one.fault {
                self.keep(one, fault.clone());
            }
        }
        self.write_aside(&mut meanwhile).await?;
        let Some(judged) = self.store(judged, &mut meanwhile).await? else { return Ok(meanwhile) };
        for one in judged.iter().filter(|one| one.outcome == Some(StoreOutcome::Conflict)) {
            self.keep(one, "same epoch and number as another batch: two agents use this name".to_owned());
        }
        self.write_aside(&mut meanwhile).await?;
        for one in &judged {
            let agent = &one.arrived.agent;
            *self.untold.entry(agent.clone()).or_default() += 1;
            let Some(track) = self.tracks.get_mut(agent) else { continue };
            match (&one.header, one.outcome) {
                (Some(header), Some(outcome)) => {
                    track.outcome(header, outcome, one.n_samples, one.arrived.received_at);
                    if one.fault.is_some() {
                        track.rejected();
                    }
                }
                _ => track.malformed(one.arrived.received_at),
            }
        }
        self.tell_stored(Instant::now()).await;
        for one in &judged {
            self.ack(&one.arrived.message).await;
        }
        self.show();
        for event in judged.into_iter().filter_map(stored_event) {
            self.tell(event).await?;
        }
        Ok(meanwhile)
    }

    /// Sets one aside, with the next [`Self::write_aside`].
    fn keep(&mut self, one: &Judged, reason: String) {
        if self.may_set_aside() {
            let Arrived { agent, received_at, message } = &one.arrived;
            tracing::error!(%agent, reason, "a batch is set aside");
            let payload = message.payload().to_vec();
            self.aside.push(SetAside { at: *received_at, agent: agent.to_string(), reason, payload });
        }
    }

    /// Writes what is to be set aside. If that fails it is lost for a person to look at, and delivery goes on.
    async fn write_aside(&mut self, meanwhile: &mut Vec<Arrived>) -> anyhow::Result<()> {
        if self.aside.is_empty() {
            return Ok(());
        }
        let (store, messages) = (Arc::clone(&self.store), std::mem::take(&mut self.aside));
        let kept = self.on_disk(move || store.set_aside(&messages), meanwhile).await?;
        if let Err(e) = kept {
            tracing::warn!(reason = chain(&e), "messages could not be set aside");
        }
        Ok(())
    }

    /// Runs a job on the ledger in a blocking thread. On a slow disk it takes seconds; what arrives is looked at
    /// meanwhile, so that a flood is let go before the broker's queue for this hub is full of it, and drops what others
    /// send.
    async fn on_disk<T: Send + 'static>(
        &mut self,
        job: impl FnOnce() -> T + Send + 'static,
        meanwhile: &mut Vec<Arrived>,
    ) -> anyhow::Result<T> {
        let mut job = tokio::task::spawn_blocking(job);
        loop {
            tokio::select! {
                done = &mut job => return done.context("a job on the ledger was interrupted"),
                Some(event) = self.events.recv(), if meanwhile.len() < GROUP_MAX => {
                    self.hear(event, meanwhile).await?;
                }
            }
        }
    }

    /// Stores what has a key, trying until the ledger takes it; `None` if the process stops before.
    async fn store(
        &mut self,
        judged: Vec<Judged>,
        meanwhile: &mut Vec<Arrived>,
    ) -> anyhow::Result<Option<Vec<Judged>>> {
        let mut judged = judged;
        let mut pause = STORE_PAUSE_MIN;
        loop {
            let store = Arc::clone(&self.store);
            let job = move || {
                let result = store_all(store.as_ref(), &mut judged);
                (judged, result)
            };
            let (back, result) = self.on_disk(job, meanwhile).await?;
            judged = back;
            let Err(error) = result else {
                if self.health.store_error.take().is_some() {
                    tracing::info!("the ledger takes batches again");
                }
                return Ok(Some(judged));
            };
            let reason = chain(&error);
            if self.health.store_error.as_ref() != Some(&reason) {
                tracing::error!(reason, "the ledger takes no batches; trying again");
            }
            self.health.store_error = Some(reason);
            self.show();
            tokio::select! {
                () = self.shutdown.wait() => return Ok(None),
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(STORE_PAUSE_MAX);
        }
    }

    /// Hands over an event; waits while the rest of the hub is busy.
    async fn tell(&mut self, event: InboxEvent) -> anyhow::Result<()> {
        tokio::select! {
            sent = self.out.send(event) => sent.map_err(|_| anyhow::anyhow!("nobody takes what the inbox receives")),
            // It is durable: the next run reads it from the ledger.
            () = self.shutdown.wait() => Ok(()),
        }
    }

    fn show(&mut self) {
        let view = |(agent, track): (&SiteId, &Track)| {
            (agent.clone(), AgentView { part: self.parts.view(agent), ..track.view().clone() })
        };
        self.health.agents = self.tracks.iter().map(view).collect();
        self.health.certificate_expires_at = self.link.as_ref().and_then(Requests::certificate_expires_at);
        self.health.conflicts = self
            .tracks
            .iter()
            .filter(|(_, track)| track.conflicts() > 0)
            .map(|(agent, track)| (agent.clone(), track.conflicts()))
            .collect();
        self.health_out.send_if_modified(|shown| {
            let changed = *shown != self.health;
            if changed {
                shown.clone_from(&self.health);
            }
            changed
        });
    }
}

fn stored_event(one: Judged) -> Option<InboxEvent> {
    let header = one.header.filter(|_| one.outcome == Some(StoreOutcome::Stored) && one.fault.is_none())?;
    Some(InboxEvent::Stored {
        agent: one.arrived.agent,
        received_at: one.arrived.received_at,
        sent_at: header.sent_at,
        payload: one.payload,
        n_samples: one.n_samples,
        live: header.fresh,
    })
}

/// So many a minute.
#[derive(Debug)]
struct Allowance {
    per_minute: u32,
    since: Option<MonoMillis>,
    taken: u32,
}

impl Allowance {
    fn new(per_minute: u32) -> Self {
        Self { per_minute, since: None, taken: 0 }
    }

    fn take(&mut self, now: MonoMillis) -> bool {
        if self.since.is_none_or(|since| now.since(since) >= Duration::from_mins(1)) {
            *self = Self { since: Some(now), taken: 0, ..*self };
        }
        self.taken = self.taken.saturating_add(1);
        self.taken <= self.per_minute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_for_a_minute() {
        let mut allowance = Allowance::new(SET_ASIDE_PER_MINUTE);
        let start = MonoMillis(5);
        let granted = (0..100).filter(|_| allowance.take(start)).count();
        assert_eq!(granted, SET_ASIDE_PER_MINUTE as usize);
        assert!(!allowance.take(start + Duration::from_secs(59)));
        assert!(allowance.take(start + Duration::from_mins(1)));
    }
}
