//! The agent's side: samples go into the spool, from there to the broker, and are forgotten when the hub has stored
//! them.
//!
//! Two futures run side by side in one task: the connection ([`client::drive`]) and the worker, which owns spool and
//! [`Inflight`]. All work on the disk, and the packing, happens in blocking threads, one job at a time, with the worker
//! waiting; the connection is served meanwhile.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::client::{self, EVENTS_MAX, LinkConfig, LinkEvent, Message, Requests, chain};
use super::inflight::{BACKLOG_BITS_PER_SECOND, Inflight, Send, WINDOW};
use crate::config::secret::SecretSource;
use crate::config::settings::MqttSettings;
use crate::model::{MonoMillis, NetworkId, SiteId, UnixMillis};
use crate::runtime::clock::SharedClock;
use crate::runtime::tasks::Shutdown;
use crate::spool::{NewBatch, Origin, Record, Spool};
use crate::wire::batch::{BatchHeader, ClockQuality, Encoding, pack_lines};
use crate::wire::part::PartState;
use crate::wire::state::{self, AgentState, HubState, SpoolState, Stored};
use crate::wire::topic::{Channel, Parsed, Topics};

/// Payloads made durable together.
const PAYLOADS_TOGETHER_MAX: usize = 16;
/// Batches kept in memory while the disk refuses them: an hour of one a minute. Beyond that the oldest are dropped and
/// counted.
const WAITING_MAX: usize = 64;
/// Pause before a refused write or read is tried again.
const DISK_PAUSE: Duration = Duration::from_secs(5);
/// How often the spool's state file is written, the age bound applied, and the retained state published if there is
/// something in it to see.
const UPKEEP: Duration = Duration::from_mins(1);
/// How often the state is published anyway: on a thin link it costs as much as fifty values.
const STATE_EVERY: Duration = Duration::from_mins(5);
/// The worker looks around at least this often, for the clock may run faster than the runtime's timers.
const TICK: Duration = Duration::from_secs(1);
const TICK_MIN: Duration = Duration::from_millis(5);
/// systemd-timesyncd creates it once the clock is synchronised (systemd-timesyncd.service(8)).
const TIMESYNC_MARK: &str = "/run/systemd/timesync/synchronized";

/// Who delivers, and where to.
#[derive(Debug, Clone)]
pub struct AgentDelivery {
    pub settings: MqttSettings,
    pub network: NetworkId,
    pub agent: SiteId,
    pub version: String,
    /// `None`: what to measure does not come from the hub.
    pub part: Option<PartLink>,
}

/// The way of the agent's part of the inventory.
#[derive(Debug, Clone)]
pub struct PartLink {
    /// The newest message from the hub.
    pub messages: watch::Sender<Option<Arc<[u8]>>>,
    /// What became of it: a part of the agent's state.
    pub state: watch::Receiver<PartState>,
}

/// Samples to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Line protocol.
    pub bytes: Vec<u8>,
    pub n_samples: u32,
}

/// How delivery is going.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryStatus {
    pub connected: bool,
    /// The hub said that it listens.
    pub hub_present: bool,
    /// Why there is no connection.
    pub link_error: Option<String>,
    /// Failed connections and attempts.
    pub link_failures: u64,
    pub epoch: u64,
    /// Batches that the spool holds and the hub is not known to have stored.
    pub pending_batches: u64,
    pub under_way_batches: u64,
    pub spool_bytes: u64,
    pub sent_batches: u64,
    /// Of these, repeats and backlog.
    pub sent_again_batches: u64,
    /// Samples made durable in the spool.
    pub samples: u64,
    /// Publications that the broker refused.
    pub refused_batches: u64,
    pub evicted_batches: u64,
    pub corrupt_records: u64,
    /// Batches that the disk would not take, and lines too long for any batch.
    pub dropped_batches: u64,
    /// Why the disk does not take or give batches.
    pub disk_error: Option<String>,
    pub bytes_written: u64,
    pub clock: ClockQuality,
}

impl DeliveryStatus {
    /// Before anything has happened: what an earlier run has left to deliver.
    pub fn at_start(spool: &Spool) -> Self {
        let (pending_batches, spool_bytes) = (spool.pending(), spool.bytes());
        Self { epoch: spool.epoch(), pending_batches, spool_bytes, ..Self::default() }
    }
}

/// Delivers until the process stops. What was handed in before that is in the spool on return.
pub async fn run(
    config: AgentDelivery,
    payloads: mpsc::Receiver<Payload>,
    spool: Spool,
    secrets: Arc<dyn SecretSource>,
    clock: SharedClock,
    status: watch::Sender<DeliveryStatus>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let topics = Topics::new(&config.network);
    let mut subscriptions = vec![topics.agent(&config.agent, Channel::Stored), topics.hub_state()];
    if config.part.is_some() {
        subscriptions.push(topics.agent(&config.agent, Channel::Config));
    }
    let link = LinkConfig {
        settings: config.settings.clone(),
        client_id: super::agent_client_id(&config.network, &config.agent),
        will: Some((topics.agent(&config.agent, Channel::State), state::encode(&AgentState::offline(&config.version)))),
        subscriptions,
        manual_acks: false,
        told_of_acks: false,
    };
    let (events_in, events) = mpsc::channel(EVENTS_MAX);
    let link = client::drive(link, secrets, Arc::clone(&clock), events_in);
    let worker = Worker::new(config, topics, spool, clock, status);
    tokio::select! {
        result = worker.run(payloads, events, shutdown) => result,
        () = link => anyhow::bail!("the connection to the broker was given up"),
    }
}

/// What of an agent's state its hub should hear of within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Notable {
    /// More than the window: it is told of once a minute.
    backlog: bool,
    /// More than what two polls leave under way: a hub that was told of some hears that they are gone.
    waiting: bool,
    /// Evicted, damaged and dropped batches.
    troubles: [u64; 3],
    clock: Option<ClockQuality>,
}

impl Notable {
    fn of(state: &AgentState) -> Self {
        let spool = state.spool.as_ref();
        Self {
            backlog: spool.is_some_and(|s| s.batches > WINDOW as u64),
            waiting: spool.is_some_and(|s| s.batches > 2),
            troubles: spool.map_or([0; 3], |s| [s.evicted_batches, s.corrupt_records, s.dropped_batches]),
            clock: state.clock,
        }
    }
}

struct Worker {
    config: AgentDelivery,
    topics: Topics,
    /// Away only while a blocking thread has it.
    spool: Option<Spool>,
    clock: SharedClock,
    /// Random number of this run.
    boot: u64,
    inflight: Inflight,
    link: Option<Requests>,
    /// The run of the hub whose account of what is stored holds.
    account_of: Option<Uuid>,
    /// Not durable yet.
    waiting: VecDeque<NewBatch>,
    /// No attempt on the disk before this.
    disk_pause_until: Option<MonoMillis>,
    upkeep_at: MonoMillis,
    /// What the state that was published last said, and when.
    said: Option<(MonoMillis, Notable)>,
    status: DeliveryStatus,
    status_out: watch::Sender<DeliveryStatus>,
}

impl Worker {
    fn new(
        config: AgentDelivery,
        topics: Topics,
        spool: Spool,
        clock: SharedClock,
        status_out: watch::Sender<DeliveryStatus>,
    ) -> Self {
        let recovery = *spool.recovery();
        if !recovery.is_clean() {
            tracing::error!(?recovery, "the spool was damaged: what could be read is kept, the rest is lost");
        }
        let now = clock.mono();
        Self {
            config,
            topics,
            spool: Some(spool),
            boot: rand::random(),
            inflight: Inflight::new(BACKLOG_BITS_PER_SECOND, now),
            link: None,
            account_of: None,
            waiting: VecDeque::new(),
            disk_pause_until: None,
            upkeep_at: now,
            said: None,
            status: DeliveryStatus::default(),
            status_out,
            clock,
        }
    }

    async fn run(
        mut self,
        mut payloads: mpsc::Receiver<Payload>,
        mut events: mpsc::Receiver<LinkEvent>,
        mut shutdown: Shutdown,
    ) -> anyhow::Result<()> {
        let mut open = true;
        let mut part_state = self.config.part.as_ref().map(|part| part.state.clone());
        loop {
            self.show()?;
            let nap = self.nap();
            tokio::select! {
                () = shutdown.wait() => break,
                payload = payloads.recv(), if open => match payload {
                    Some(first) => self.take(first, &mut payloads).await?,
                    None => open = false,
                },
                Some(event) = events.recv() => self.hear(event).await?,
                () = part_changed(&mut part_state) => self.publish_state()?,
                () = tokio::time::sleep(nap) => {}
            }
            self.write_waiting().await?;
            self.send().await?;
            if self.clock.mono() >= self.upkeep_at {
                self.upkeep().await?;
            }
        }
        payloads.close();
        while let Some(first) = payloads.recv().await {
            self.take(first, &mut payloads).await?;
            self.disk_pause_until = None;
            self.write_waiting().await?;
        }
        self.disk_pause_until = None;
        self.write_waiting().await?;
        if !self.waiting.is_empty() {
            tracing::error!(batches = self.waiting.len(), "lost at the end: the disk would not take them");
        }
        self.on_disk(Spool::save_if_dirty).await?.context("saving the spool's state")?;
        self.show()?;
        if let Some(link) = self.link.take() {
            let topic = self.topics.agent(&self.config.agent, Channel::State);
            let state = AgentState { online: false, ..self.state()? };
            link.farewell(&topic, state::encode(&state), &mut events).await;
        }
        Ok(())
    }

    fn spool(&self) -> anyhow::Result<&Spool> {
        self.spool.as_ref().context("the spool was lost in an interrupted job")
    }

    /// Runs a job with the spool in a blocking thread.
    async fn on_disk<T: std::marker::Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Spool) -> T + std::marker::Send + 'static,
    ) -> anyhow::Result<T> {
        let mut spool = self.spool.take().context("the spool was lost in an interrupted job")?;
        let (spool, value) = tokio::task::spawn_blocking(move || {
            let value = job(&mut spool);
            (spool, value)
        })
        .await
        .context("a job on the spool died")?;
        self.spool = Some(spool);
        Ok(value)
    }

    fn nap(&self) -> Duration {
        let now = self.clock.mono();
        let until = |at: MonoMillis| at.since(now);
        let wake = self.inflight.wake_at(now).map_or(TICK, until).min(TICK);
        match self.disk_pause_until {
            // With the disk in trouble there is nothing to send either.
            Some(at) => until(at).clamp(TICK_MIN, TICK),
            None => wake.max(TICK_MIN),
        }
    }

    /// Takes a payload, and what waits behind it.
    async fn take(&mut self, first: Payload, payloads: &mut mpsc::Receiver<Payload>) -> anyhow::Result<()> {
        let mut together = vec![first];
        while together.len() < PAYLOADS_TOGETHER_MAX
            && let Ok(payload) = payloads.try_recv()
        {
            together.push(payload);
        }
        let (now, mono_ms, boot) = (self.clock.now(), self.clock.mono(), self.boot);
        let job = move |_: &mut Spool| {
            let clock = ClockQuality::judge(now, Path::new(TIMESYNC_MARK).exists());
            (batches(&together, Origin { boot, mono_ms, made_at: now, clock }), clock)
        };
        let ((batches, too_long), clock) = self.on_disk(job).await?;
        self.status.clock = clock;
        if too_long > 0 {
            tracing::error!(lines = too_long, "lines too long for any batch were dropped");
            self.status.dropped_batches += u64::from(too_long);
        }
        for batch in batches {
            if self.waiting.len() == WAITING_MAX {
                self.waiting.pop_front();
                self.status.dropped_batches += 1;
            }
            self.waiting.push_back(batch);
        }
        Ok(())
    }

    /// Makes durable what waits.
    async fn write_waiting(&mut self) -> anyhow::Result<()> {
        if self.waiting.is_empty() || self.disk_pauses() {
            return Ok(());
        }
        let batches: Vec<NewBatch> = self.waiting.drain(..).collect();
        let job = move |spool: &mut Spool| {
            let done = spool.append(&batches);
            (done, batches)
        };
        let (done, batches) = self.on_disk(job).await?;
        for seq in &done.seqs {
            self.inflight.appended(*seq);
        }
        let n_done = done.seqs.len();
        self.status.samples += batches[..n_done].iter().map(|b| u64::from(b.n_samples)).sum::<u64>();
        self.waiting.extend(batches.into_iter().skip(n_done));
        match done.error {
            Some(e) => self.disk_failed(&e),
            None => self.disk_works(),
        }
        Ok(())
    }

    fn disk_pauses(&mut self) -> bool {
        let pauses = self.disk_pause_until.is_some_and(|at| self.clock.mono() < at);
        if !pauses {
            self.disk_pause_until = None;
        }
        pauses
    }

    fn disk_failed(&mut self, error: &dyn std::error::Error) {
        let reason = chain(error);
        if self.status.disk_error.as_ref() != Some(&reason) {
            tracing::error!(reason, waiting = self.waiting.len(), "the spool's disk fails; trying again");
        }
        self.status.disk_error = Some(reason);
        self.disk_pause_until = Some(self.clock.mono() + DISK_PAUSE);
    }

    fn disk_works(&mut self) {
        if self.status.disk_error.take().is_some() {
            tracing::info!("the spool's disk works again");
        }
    }

    async fn hear(&mut self, event: LinkEvent) -> anyhow::Result<()> {
        match event {
            LinkEvent::Up(requests) => {
                self.link = Some(requests);
                self.inflight.connected();
                self.status.connected = true;
                self.status.link_error = None;
                self.publish_state()?;
            }
            LinkEvent::Down(error) => {
                self.link = None;
                self.inflight.disconnected();
                self.status.connected = false;
                self.status.link_error = Some(chain(&error));
                self.status.link_failures += 1;
            }
            // Not asked for.
            LinkEvent::Taken => {}
            LinkEvent::Refused(reason) => {
                if self.status.refused_batches == 0 {
                    tracing::error!(reason, "the broker refuses what this agent publishes; has it the rights?");
                }
                self.status.refused_batches += 1;
            }
            LinkEvent::Message(message) => self.read(&message).await?,
        }
        Ok(())
    }

    async fn read(&mut self, message: &Message) -> anyhow::Result<()> {
        match self.topics.parse(message.topic()) {
            // An empty retained message is how a topic is cleared.
            _ if message.payload().is_empty() => Ok(()),
            Some(Parsed::HubState) => {
                match state::decode::<HubState>(message.payload()) {
                    Ok(hub) => self.inflight.hub(hub.online.then_some((hub.boot, hub.session))),
                    Err(e) => tracing::warn!(reason = chain(&e), "the hub's state is not understood"),
                }
                Ok(())
            }
            Some(Parsed::Agent(agent, Channel::Stored)) if agent == self.config.agent.as_str() => {
                match state::decode::<Stored>(message.payload()) {
                    Ok(stored) => self.hear_stored(stored).await,
                    Err(e) => {
                        tracing::warn!(reason = chain(&e), "what the hub has stored is not understood");
                        Ok(())
                    }
                }
            }
            Some(Parsed::Agent(agent, Channel::Config)) if agent == self.config.agent.as_str() => {
                if let Some(part) = &self.config.part {
                    part.messages.send_replace(Some(message.payload().into()));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn hear_stored(&mut self, stored: Stored) -> anyhow::Result<()> {
        let spool = self.spool()?;
        if stored.epoch != spool.epoch() {
            return Ok(());
        }
        let another_ledger = spool.ledger().is_some_and(|known| known != stored.ledger);
        let another_run = stored.boot.is_some() && stored.boot != self.account_of;
        let pending_before = spool.pending();
        self.account_of = stored.boot.or(self.account_of);
        let ranges = self.inflight.believable(&stored.ranges);
        let job = move |spool: &mut Spool| {
            if another_run {
                spool.doubt_stored();
            }
            spool.hear_stored(stored.ledger, &ranges)
        };
        let heard = self.on_disk(job).await?;
        if let Err(e) = heard {
            self.disk_failed(&e);
        }
        let spool = self.spool.as_ref().context("the spool was lost in an interrupted job")?;
        let wanted_again = spool.pending().saturating_sub(pending_before);
        if wanted_again > 0 {
            tracing::warn!(
                ledger = %stored.ledger,
                batches = wanted_again,
                "the hub's ledger is new, or comes from a backup: what it lacks is sent again"
            );
        }
        self.inflight.stored(|seq| spool.pending_from(seq) == Some(seq), another_ledger || another_run);
        Ok(())
    }

    /// Sends what may go now.
    async fn send(&mut self) -> anyhow::Result<()> {
        while !self.disk_pauses()
            && let Some(link) = self.link.clone()
        {
            let spool = self.spool.as_ref().context("the spool was lost in an interrupted job")?;
            let next = self.inflight.next(self.clock.mono(), |from| spool.pending_from(from));
            let Some(what) = next else { return Ok(()) };
            match self.on_disk(move |spool| spool.read(what.seq())).await? {
                Ok(Some(record)) => {
                    if !self.publish(&link, what, record)? {
                        return Ok(());
                    }
                }
                Ok(None) => self.inflight.gone(what.seq()),
                Err(e) => self.disk_failed(&e),
            }
        }
        Ok(())
    }

    /// `false`: the connection takes nothing now.
    fn publish(&mut self, link: &Requests, what: Send, record: Record) -> anyhow::Result<bool> {
        let spool = self.spool()?;
        let header = BatchHeader {
            epoch: spool.epoch(),
            seq: record.seq,
            first: spool.first().min(record.seq),
            boot: record.origin.boot,
            mono_ms: record.origin.mono_ms,
            made_at: Some(record.origin.made_at),
            sent_at: self.clock.now(),
            clock: record.origin.clock,
            fresh: matches!(what, Send::Fresh(_)),
            encoding: Encoding::Gzip,
            crc: record.crc,
        };
        let topic = self.topics.agent(&self.config.agent, Channel::Data);
        let properties = header.to_properties();
        let bytes = wire_bytes(&topic, &properties, record.payload.len());
        if link.try_publish(&topic, false, record.payload, properties).is_err() {
            return Ok(false);
        }
        self.inflight.sent(what, bytes, self.clock.mono());
        self.status.sent_batches += 1;
        self.status.sent_again_batches += u64::from(!header.fresh);
        Ok(true)
    }

    async fn upkeep(&mut self) -> anyhow::Result<()> {
        let (now, mono) = (self.clock.now(), self.clock.mono());
        self.upkeep_at = mono + UPKEEP;
        let job = move |spool: &mut Spool| {
            let clock = ClockQuality::judge(now, Path::new(TIMESYNC_MARK).exists());
            (spool.upkeep(now, clock, mono), clock)
        };
        let (kept, clock) = self.on_disk(job).await?;
        self.status.clock = clock;
        if let Err(e) = kept {
            self.disk_failed(&e);
        }
        let notable = Notable::of(&self.state()?);
        let known = self.said.filter(|(at, said)| *said == notable && mono.since(*at) < STATE_EVERY);
        if notable.backlog || known.is_none() { self.publish_state() } else { Ok(()) }
    }

    fn publish_state(&mut self) -> anyhow::Result<()> {
        if let Some(link) = &self.link {
            let topic = self.topics.agent(&self.config.agent, Channel::State);
            let state = self.state()?;
            let taken = link.try_publish(&topic, true, state::encode(&state), vec![]);
            // One that finds no room is followed by another within a minute.
            self.said = taken.is_ok().then(|| (self.clock.mono(), Notable::of(&state)));
        }
        Ok(())
    }

    fn state(&self) -> anyhow::Result<AgentState> {
        let spool = self.spool()?;
        let now: UnixMillis = self.clock.now();
        Ok(AgentState {
            online: true,
            version: self.config.version.clone(),
            spool: Some(SpoolState {
                batches: spool.pending(),
                bytes: spool.bytes(),
                evicted_batches: spool.counters().evicted_batches,
                corrupt_records: spool.counters().corrupt_records,
                dropped_batches: self.status.dropped_batches,
            }),
            clock: Some(self.status.clock),
            at: Some(now),
            part: self.config.part.as_ref().map(|part| part.state.borrow().clone()),
            certificate_expires_at: self.link.as_ref().and_then(Requests::certificate_expires_at),
        })
    }

    fn show(&mut self) -> anyhow::Result<()> {
        let spool = self.spool.as_ref().context("the spool was lost in an interrupted job")?;
        let counters = spool.counters();
        self.status.epoch = spool.epoch();
        self.status.pending_batches = spool.pending();
        self.status.spool_bytes = spool.bytes();
        self.status.evicted_batches = counters.evicted_batches;
        self.status.corrupt_records = counters.corrupt_records;
        self.status.bytes_written = counters.bytes_written;
        self.status.hub_present = self.inflight.hub_present();
        self.status.under_way_batches = self.inflight.under_way() as u64;
        self.status_out.send_if_modified(|shown| {
            let changed = *shown != self.status;
            if changed {
                shown.clone_from(&self.status);
            }
            changed
        });
        Ok(())
    }
}

/// Waits until there is something new to say of the part.
async fn part_changed(state: &mut Option<watch::Receiver<PartState>>) {
    match state {
        // An error: it will not change any more.
        Some(receiver) => {
            if receiver.changed().await.is_err() {
                *state = None;
            }
        }
        None => std::future::pending().await,
    }
}

/// Bytes that a publication takes on the wire: MQTT 5's fixed header, packet id and property length (at most 11), five
/// for each user property (MQTT 5, 3.3), and what TLS 1.3 (RFC 8446, 5.2) adds to a record.
fn wire_bytes(topic: &str, properties: &[(String, String)], payload: usize) -> usize {
    const FIXED: usize = 11 + 2;
    const TLS: usize = 22;
    /// The acknowledgement of the `stored` that answers it, a record of its own (MQTT 5, 3.4).
    const ANSWER: usize = 4 + TLS;
    let properties: usize = properties.iter().map(|(name, value)| 5 + name.len() + value.len()).sum();
    FIXED + topic.len() + properties + payload + TLS + ANSWER
}

/// Packs payloads; the figure counts lines that are too long for any batch.
fn batches(payloads: &[Payload], origin: Origin) -> (Vec<NewBatch>, u32) {
    let mut batches = Vec::with_capacity(payloads.len());
    let mut too_long = 0;
    for payload in payloads {
        let (parts, left_out) = pack_lines(&payload.bytes);
        too_long += left_out;
        let whole = parts.len() == 1 && left_out == 0;
        batches.extend(parts.into_iter().map(|(packed, n_lines)| NewBatch {
            packed,
            n_samples: if whole { payload.n_samples } else { n_lines },
            origin,
        }));
    }
    (batches, too_long)
}
