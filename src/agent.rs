//! Wiring of an agent: probes -> samples -> batches -> spool -> MQTT.

mod closing;
pub mod part;
#[cfg(test)]
mod room;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{mpsc, watch};

use crate::config::secret::SecretSource;
use crate::config::settings::{MqttSettings, SpoolLimits};
use crate::model::network::Credential;
use crate::model::part::AgentPart;
use crate::model::{CredentialId, MonoMillis, NetworkId, Reading, Sample, SiteId, Tag, UnixMillis};
use crate::mqtt::agent::{AgentDelivery, DeliveryStatus, PartLink, Payload};
use crate::probe::ping::Pinger;
use crate::probe::plan::{Dropped, ProbePlan};
use crate::probe::recall::{self, Memories};
use crate::probe::service::ServiceProbe;
use crate::runtime::clock::SharedClock;
use crate::runtime::tasks::{Shutdown, Tasks};
use crate::spool::Spool;
use crate::{catalogue, probe, wire};

use closing::Closing;
use part::{Ground, Keeper};

/// Samples of polls on their way to the batcher. A poll waits for room within its own deadline.
const QUEUE_POLLS_MAX: usize = 256;
/// Batches on their way to the spool.
const QUEUE_PAYLOADS_MAX: usize = 16;
/// A batch is closed at this size (DESIGN: at most 64 KiB packed; line protocol packs to less than half).
const BATCH_BYTES_MAX: usize = 64 * 1024;
/// How long the end of the process waits for what was measured to reach the spool.
const DRAIN: Duration = Duration::from_secs(5);

/// Where an agent learns what to measure.
pub enum Inventory {
    /// Known at the start: from a file of this machine, or from the process that the agent is a part of.
    Fixed(AgentPart),
    /// From the hub, and until it speaks from the copy of the last run.
    Hub,
}

/// What an agent is made of.
pub struct AgentParts {
    pub network: NetworkId,
    pub site: SiteId,
    pub inventory: Inventory,
    pub interval: Duration,
    pub mqtt: MqttSettings,
    pub data_dir: PathBuf,
    pub spool: SpoolLimits,
    pub credentials: BTreeMap<CredentialId, Credential>,
    pub secrets: Arc<dyn SecretSource>,
    pub pinger: Arc<dyn Pinger>,
    pub services: Arc<dyn ServiceProbe>,
    pub seed: u64,
}

/// An agent that is ready to run: its files are open, its plan is made.
pub struct AgentApp {
    parts: AgentParts,
    plan: Option<Arc<ProbePlan>>,
    /// Only where the hub says what to measure.
    keeper: Option<Keeper>,
    dropped: Dropped,
    memories: Memories,
    spool: Spool,
    clock: SharedClock,
    status: watch::Sender<DeliveryStatus>,
    generated: watch::Sender<u64>,
}

impl AgentApp {
    /// Opens the spool and makes the plan; nothing is polled yet.
    pub fn build(parts: AgentParts, clock: SharedClock) -> anyhow::Result<Self> {
        let dropped = Dropped::default();
        let memories = Memories::load(&parts.data_dir.join(recall::FILE));
        let ground = Ground {
            network: parts.network.clone(),
            agent: parts.site.clone(),
            interval: parts.interval,
            overrides: parts.credentials.clone(),
            secrets: parts.secrets.clone(),
            dropped: dropped.clone(),
            memories: memories.clone(),
        };
        let (plan, keeper) = match &parts.inventory {
            Inventory::Fixed(part) => {
                let plan = ground.plan(part, parts.secrets.as_ref());
                (Some(Arc::new(plan.map_err(|reason| anyhow::anyhow!("agent {}: {reason}", parts.site))?)), None)
            }
            Inventory::Hub => {
                let (keeper, plan) = Keeper::open(ground, &parts.data_dir)?;
                (plan, Some(keeper))
            }
        };
        let dir = parts.data_dir.join("spool");
        let spool = Spool::open(&dir, parts.spool, rand::random())
            .with_context(|| format!("agent {}: spool {}", parts.site, dir.display()))?;
        let (status, _) = watch::channel(DeliveryStatus::at_start(&spool));
        let (generated, _) = watch::channel(0);
        Ok(Self { parts, plan, keeper, dropped, memories, spool, clock, status, generated })
    }

    /// How delivery stands; follow it to know when everything is stored.
    pub fn status(&self) -> watch::Receiver<DeliveryStatus> {
        self.status.subscribe()
    }

    /// Samples handed to the spool so far.
    pub fn generated(&self) -> watch::Receiver<u64> {
        self.generated.subscribe()
    }

    /// Runs until both are set: `stop_polling` ends the probes, `shutdown` ends delivery, but not before all that was
    /// measured is in the spool.
    pub async fn run(self, stop_polling: Shutdown, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { parts, plan, keeper, dropped, memories, spool, clock, status, generated } = self;
        let (samples_tx, samples_rx) = mpsc::channel(QUEUE_POLLS_MAX);
        let (payloads_tx, payloads_rx) = mpsc::channel(QUEUE_PAYLOADS_MAX);
        let batcher = Batcher {
            agent: parts.site.clone(),
            interval: parts.interval,
            started: clock.mono(),
            clock: clock.clone(),
            status: status.subscribe(),
            generated,
            dropped,
            memories: memories.clone(),
            total: 0,
        };
        let (plans_tx, plans) = watch::channel(plan);
        let mut probes = Tasks::new();
        let part_link = keeper.map(|keeper| {
            let (messages, heard) = watch::channel(None);
            let (said, state) = watch::channel(keeper.state());
            probes.spawn("inventory", part::run(keeper, heard, plans_tx, said, stop_polling.clone()));
            PartLink { messages, state }
        });
        let config = AgentDelivery {
            settings: parts.mqtt,
            network: parts.network,
            agent: parts.site.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            part: part_link,
        };
        let file = parts.data_dir.join(recall::FILE);
        probes.spawn("memory of the devices", memories.keep(file, stop_polling.clone()));
        probes.spawn(
            "probes",
            probe::schedule::run(
                plans,
                samples_tx,
                parts.pinger,
                parts.services,
                clock.clone(),
                parts.seed,
                stop_polling.clone(),
            ),
        );
        probes.spawn("batcher", batcher.run(samples_rx, payloads_tx, stop_polling.clone()));
        let (delivery_switch, delivery_stop) = Shutdown::new();
        let delivery = crate::mqtt::agent::run(config, payloads_rx, spool, parts.secrets, clock, status, delivery_stop);
        let polling = async {
            probes.run(stop_polling).await?;
            shutdown.wait().await;
            delivery_switch.stop();
            anyhow::Ok(())
        };
        tokio::pin!(delivery, polling);
        tokio::select! {
            ended = &mut delivery => return ended.context("delivery"),
            ended = &mut polling => ended?,
        }
        delivery.await.context("delivery")
    }
}

/// Gathers samples into batches of line protocol.
struct Batcher {
    agent: SiteId,
    interval: Duration,
    started: MonoMillis,
    clock: SharedClock,
    status: watch::Receiver<DeliveryStatus>,
    generated: watch::Sender<u64>,
    dropped: Dropped,
    memories: Memories,
    total: u64,
}

impl Batcher {
    async fn run(
        mut self,
        mut samples: mpsc::Receiver<Vec<Sample>>,
        payloads: mpsc::Sender<Payload>,
        mut stop: Shutdown,
    ) -> anyhow::Result<()> {
        let mut open = OpenBatch::default();
        let started = tokio::time::Instant::now();
        let elapsed = || MonoMillis(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let mut closing = Closing::new(self.interval, elapsed());
        let mut health = tokio::time::interval(self.interval);
        health.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                           polled = samples.recv() => match polled {
                               Some(polled) => {
                                   for sample in &polled {
            closing.see(sample, elapsed());
            }
                                   open.add(polled);
                               }
                               None => break,
                           },
                           _ = health.tick() => open.add(vec![self.own_health()]),
                           () = tokio::time::sleep_until(started + closing.at().since(MonoMillis(0))) => {}
                           () = stop.wait() => break,
                       }
            if elapsed() >= closing.at() || open.text.len() >= BATCH_BYTES_MAX {
                self.hand_over(&mut open, &payloads).await?;
                closing.closed(elapsed());
            }
        }
        // The probes are stopping: what they have measured is kept.
        while let Ok(Some(polled)) = tokio::time::timeout(DRAIN, samples.recv()).await {
            open.add(polled);
        }
        self.hand_over(&mut open, &payloads).await
    }

    async fn hand_over(&mut self, open: &mut OpenBatch, payloads: &mpsc::Sender<Payload>) -> anyhow::Result<()> {
        if open.n_samples == 0 {
            return Ok(());
        }
        let batch = std::mem::take(open);
        self.total += u64::from(batch.n_samples);
        let payload = Payload { bytes: batch.text.into_bytes(), n_samples: batch.n_samples };
        payloads.send(payload).await.map_err(|_| anyhow::anyhow!("delivery has ended"))?;
        self.generated.send_replace(self.total);
        Ok(())
    }

    fn own_health(&self) -> Sample {
        let now: UnixMillis = self.clock.now();
        let mut sample = Sample::new(&catalogue::AGENT, now)
            .tag(Tag::Agent, self.agent.as_str())
            .tag(Tag::Site, self.agent.as_str());
        let uptime = self.clock.mono().since(self.started);
        sample.set("uptime_secs", Reading::value(uptime.as_secs_f64()));
        if let Some(bytes) = crate::runtime::health::resident_bytes() {
            sample.set("resident_bytes", Reading::value(bytes as f64));
        }
        let status = self.status.borrow();
        sample.set("spool_batches_count", Reading::value(status.pending_batches as f64));
        sample.set("spool_bytes", Reading::value(status.spool_bytes as f64));
        sample.set("samples_total", Reading::value(self.total as f64));
        sample.set("dropped_total", Reading::value(self.dropped.count() as f64));
        sample.set("memory_faults_total", Reading::value(self.memories.faults() as f64));
        sample
    }
}

/// A batch that is still being filled.
#[derive(Default)]
struct OpenBatch {
    text: String,
    n_samples: u32,
}

impl OpenBatch {
    fn add(&mut self, mut samples: Vec<Sample>) {
        for reading in samples.iter_mut().flat_map(|sample| sample.readings.values_mut()) {
            *reading = reading.rounded();
        }
        wire::line::encode(&samples, &mut self.text);
        self.n_samples += samples.len() as u32;
    }
}
