//! When each device is asked and each address pinged.
//!
//! One task a device, one a pinged address and one a service, each at its own random phase, so that neither the
//! network nor the machine sees them in step, and one that is slow or dead delays no other. A poll has a deadline
//! below the interval; what an interval has no room for is counted as an overrun, never caught up with. A silent
//! device is asked less and less often, by one small question, up to [`PAUSE_POLLS_MAX`] polls apart; its samples go
//! on saying that it is silent.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::device::{Polled, Poller, silent_radios};
use super::memory::DeviceMemory;
use super::ping::{PingError, Pinger};
use super::plan::{DevicePlan, Dropped, PingPlan, ProbePlan, ServicePlan};
use super::radio::Radio;
use super::recall::Memories;
use super::sampling::{DeviceSamples, Echoes, Outcome, backhaul_ping, device_ping, service_trial};
use super::service::{SERVICE_TIMEOUT, ServiceAnswer, ServiceError, ServiceProbe};
use super::snmp::{Session, SnmpError, SnmpGet as _};
use crate::model::{DeviceId, Missing, Reading, Sample, SiteId};
use crate::runtime::clock::SharedClock;
use crate::runtime::tasks::{Shutdown, ShutdownSwitch};

/// Echoes of one round.
pub const ECHOES: u8 = 5;
/// Echoes in flight at once, over all addresses: more, and the kernel's socket buffer drops answers that came.
const ECHOES_IN_FLIGHT_MAX: usize = 200;
/// An echo that has no answer after this is lost.
const ECHO_TIMEOUT: Duration = Duration::from_secs(1);
/// An SNMP answer that takes longer is none. Radios that are busy take a second.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest a poll may take, and its part of the interval.
const DEADLINE_MAX: Duration = Duration::from_secs(30);
const DEADLINE_PART: f64 = 0.8;
/// The first poll of everything falls within this, however long the interval ...
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// ... unless more devices than this would be learnt in a second: that takes some 30 packets for each, and a phase
/// that all share would stay so at every poll.
const FIRST_A_SECOND: usize = 100;
/// A silent device is asked at least every so many polls.
const PAUSE_POLLS_MAX: u32 = 4;

/// What all tasks share.
#[derive(Clone)]
struct Shared {
    agent: SiteId,
    interval: Duration,
    samples: mpsc::Sender<Vec<Sample>>,
    dropped: Dropped,
    memories: Memories,
    clock: SharedClock,
    shutdown: Shutdown,
    /// A newer plan does without this task: it ends between two polls.
    retired: Shutdown,
}

impl Shared {
    fn deadline(&self) -> Duration {
        self.interval.mul_f64(DEADLINE_PART).min(DEADLINE_MAX)
    }

    /// Hands samples over. Returns false when nobody takes them any more.
    async fn hand_over(&mut self, samples: Vec<Sample>) -> bool {
        let n = samples.len() as u64;
        tokio::select! {
            sent = timeout(self.deadline(), self.samples.send(samples)) => {
                if let Ok(sent) = sent {
                    return sent.is_ok();
                }
                self.dropped.add(n);
                tracing::error!(samples = n, "samples dropped: the queue to the spool is full");
                true
            }
            () = self.shutdown.wait() => false,
        }
    }
}

/// The plan in force, and those that replace it; `None`: nothing is to be measured yet.
pub type Plans = watch::Receiver<Option<Arc<ProbePlan>>>;

/// Measures everything in the newest plan until `shutdown`. What a new plan leaves as it was goes on undisturbed; what
/// it changes ends after the poll under way has handed over its samples, and only then begins anew. An error names the
/// task that died.
pub async fn run(
    mut plans: Plans,
    samples: mpsc::Sender<Vec<Sample>>,
    pinger: Arc<dyn Pinger>,
    services: Arc<dyn ServiceProbe>,
    clock: SharedClock,
    seed: u64,
    mut shutdown: Shutdown,
) -> anyhow::Result<()> {
    let mut watches = Watches {
        pinger,
        services,
        samples,
        clock,
        shutdown: shutdown.clone(),
        echoes: Arc::new(Semaphore::new(ECHOES_IN_FLIGHT_MAX)),
        rng: SmallRng::seed_from_u64(seed),
        tasks: JoinSet::new(),
        names: HashMap::new(),
        running: BTreeMap::new(),
        waiting: BTreeMap::new(),
    };
    let first = plans.borrow_and_update().clone();
    first.iter().try_for_each(|plan| watches.follow(plan))?;
    let mut changing = true;
    loop {
        tokio::select! {
            biased;
            Some(ended) = watches.tasks.join_next_with_id() => watches.ended(ended)?,
            () = shutdown.wait(), if watches.tasks.is_empty() => return Ok(()),
            changed = plans.changed(), if changing && !shutdown.is_set() => match changed {
                Ok(()) => {
                    let plan = plans.borrow_and_update().clone();
                    plan.iter().try_for_each(|plan| watches.follow(plan))?;
                }
                Err(_) => changing = false,
            },
        }
    }
}

/// What one task measures.
#[derive(Debug, Clone, PartialEq)]
enum Watch {
    Device(Box<DevicePlan>),
    Address(PingPlan),
    Service(ServicePlan),
}

impl Watch {
    fn name(&self) -> String {
        match self {
            Self::Device(plan) => format!("polling device {}", plan.device),
            Self::Address(PingPlan::Device { device, .. }) => format!("pinging device {device}"),
            Self::Address(PingPlan::Backhaul { backhaul, .. }) => format!("pinging backhaul {backhaul}"),
            Self::Service(plan) => format!("trying service {}", plan.service),
        }
    }
}

/// A task that measures.
struct Running {
    watch: Watch,
    /// Ends it after its poll under way.
    retire: ShutdownSwitch,
    retired: bool,
}

/// A task that is to begin.
struct Next {
    watch: Watch,
    shared: Shared,
    /// Its first poll falls within this.
    within: Duration,
}

/// All tasks.
struct Watches {
    pinger: Arc<dyn Pinger>,
    services: Arc<dyn ServiceProbe>,
    samples: mpsc::Sender<Vec<Sample>>,
    clock: SharedClock,
    shutdown: Shutdown,
    echoes: Arc<Semaphore>,
    rng: SmallRng,
    tasks: JoinSet<()>,
    names: HashMap<Id, String>,
    running: BTreeMap<String, Running>,
    /// Begin when the task of the same name has ended: a radio is not asked twice at a time.
    waiting: BTreeMap<String, Next>,
}

impl Watches {
    fn follow(&mut self, plan: &ProbePlan) -> anyhow::Result<()> {
        anyhow::ensure!(!plan.interval.is_zero(), "the poll interval must be longer than nothing");
        let devices = plan.devices.iter().cloned().map(|device| Watch::Device(Box::new(device)));
        let addresses = plan.pings.iter().cloned().map(Watch::Address);
        let services = plan.services.iter().cloned().map(Watch::Service);
        let wanted: BTreeMap<String, Watch> =
            devices.chain(addresses).chain(services).map(|watch| (watch.name(), watch)).collect();
        for (name, running) in &mut self.running {
            if running.retired || wanted.get(name) != Some(&running.watch) {
                running.retired = true;
                running.retire.stop();
            }
        }
        self.waiting.clear();
        crate::runtime::limits::allow_open_files(plan.devices.len());
        plan.memories.keep_only(&plan.devices.iter().map(|device| &device.device).collect());
        let anew: Vec<(String, Watch)> = wanted
            .into_iter()
            .filter(|(name, _)| self.running.get(name).is_none_or(|running| running.retired))
            .collect();
        let devices = anew.iter().filter(|(_, watch)| matches!(watch, Watch::Device(_))).count();
        let within = first_within(plan.interval, devices);
        for (name, watch) in anew {
            let next = Next { watch, shared: self.shared(plan), within };
            if self.running.contains_key(&name) {
                self.waiting.insert(name, next);
            } else {
                self.start(name, next);
            }
        }
        Ok(())
    }

    fn shared(&self, plan: &ProbePlan) -> Shared {
        Shared {
            agent: plan.agent.clone(),
            interval: plan.interval,
            samples: self.samples.clone(),
            dropped: plan.dropped.clone(),
            memories: plan.memories.clone(),
            clock: self.clock.clone(),
            shutdown: self.shutdown.clone(),
            retired: self.shutdown.clone(),
        }
    }

    fn start(&mut self, name: String, next: Next) {
        let Next { watch, mut shared, within } = next;
        let (retire, retired) = Shutdown::new();
        shared.retired = retired;
        let phase = within.mul_f64(self.rng.random::<f64>());
        let off_the_hour = self.rng.random_range(-0.25..0.25);
        let handle = match watch.clone() {
            Watch::Device(plan) => self.tasks.spawn(watch_device(*plan, shared, phase, off_the_hour)),
            Watch::Address(target) => {
                self.tasks.spawn(watch_address(target, shared, self.pinger.clone(), self.echoes.clone(), phase))
            }
            Watch::Service(plan) => self.tasks.spawn(watch_service(plan, shared, self.services.clone(), phase)),
        };
        self.names.insert(handle.id(), name.clone());
        self.running.insert(name, Running { watch, retire, retired: false });
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) -> anyhow::Result<()> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let name = self.names.remove(&id).unwrap_or_default();
        if let Err(died) = ended {
            anyhow::bail!("{name} died: {died}");
        }
        let retired = self.running.remove(&name).is_some_and(|running| running.retired);
        if self.shutdown.is_set() || self.samples.is_closed() {
            return Ok(());
        }
        anyhow::ensure!(retired, "{name} ended by itself");
        if let Some(next) = self.waiting.remove(&name) {
            self.start(name, next);
        }
        Ok(())
    }
}

/// The time over which the first polls are spread. `[P]`
fn first_within(interval: Duration, devices: usize) -> Duration {
    let gently = Duration::from_secs((devices / FIRST_A_SECOND) as u64);
    interval.min(FIRST_WITHIN.max(gently))
}

/// Ticks of one task: the first at its phase, none caught up with.
struct Ticks {
    interval: tokio::time::Interval,
    shutdown: Shutdown,
    retired: Shutdown,
}

impl Ticks {
    fn new(shared: &Shared, phase: Duration) -> Self {
        let mut ticks = interval_at(Instant::now() + phase, shared.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval: ticks, shutdown: shared.shutdown.clone(), retired: shared.retired.clone() }
    }

    /// Waits for the next tick; false at the end.
    async fn next(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.shutdown.wait() => false,
            () = self.retired.wait() => false,
            _ = self.interval.tick() => true,
        }
    }
}

/// How long to leave a silent device alone. `[P]`
#[derive(Debug, Default, PartialEq, Eq)]
struct Pause {
    failures: u32,
    polls_left: u32,
}

impl Pause {
    /// Whether this poll is left out.
    fn skip(&mut self) -> bool {
        let skip = self.polls_left > 0;
        self.polls_left = self.polls_left.saturating_sub(1);
        skip
    }

    fn failed(&mut self) {
        // Asked at every poll after the first failure, at every second after the next, then at every fourth.
        let apart = 1 << self.failures.min(PAUSE_POLLS_MAX.ilog2());
        self.failures = self.failures.saturating_add(1);
        self.polls_left = apart - 1;
    }

    fn answered(&mut self) {
        *self = Self::default();
    }

    fn silent(&self) -> bool {
        self.failures > 0
    }
}

async fn watch_device(plan: DevicePlan, mut shared: Shared, phase: Duration, off_the_hour: f64) {
    let memory = shared.memories.recall(&plan.device);
    let mut session = Session::new(plan.address, plan.access.clone(), ANSWER_TIMEOUT.min(shared.deadline()));
    if let Some(speech) = memory.speech {
        session = session.recalling(speech);
    }
    let mut device = Watched {
        poller: Poller::new(session, plan.manner.clone()).learning_off_the_hour(off_the_hour),
        samples: DeviceSamples::new(&shared.agent, &plan),
        id: plan.device,
        memory,
        pause: Pause::default(),
        error: SnmpError::Timeout,
        radios: Vec::new(),
        overruns: 0,
    };
    let mut ticks = Ticks::new(&shared, phase);
    let mut shutdown = shared.shutdown.clone();
    while ticks.next().await {
        let started = Instant::now();
        let samples = tokio::select! {
            biased;
            () = shutdown.wait() => break,
            samples = device.tick(&shared) => samples,
        };
        if !shared.hand_over(samples).await {
            break;
        }
        let missed = started.elapsed().as_millis() / shared.interval.as_millis().max(1);
        device.overruns += u64::try_from(missed).unwrap_or(u64::MAX);
    }
}

/// One device between its polls.
struct Watched {
    poller: Poller<Session>,
    samples: DeviceSamples,
    id: DeviceId,
    memory: DeviceMemory,
    pause: Pause,
    /// Why it is silent.
    error: SnmpError,
    /// Its radios when it last answered.
    radios: Vec<Radio>,
    overruns: u64,
}

impl Watched {
    async fn tick(&mut self, shared: &Shared) -> Vec<Sample> {
        if self.pause.skip() {
            return self.silent(shared, Reading::Missing(self.error.missing()));
        }
        let started = Instant::now();
        let was_silent = self.pause.silent();
        // Learning a device takes more questions than reading it, and happens seldom: it may outlast a short interval.
        let deadline = if self.poller.is_known() { shared.deadline() } else { DEADLINE_MAX };
        let polled = timeout(deadline, async {
            if was_silent {
                self.poller.alive().await?;
            }
            self.poller.poll(&*shared.clock).await
        })
        .await
        .unwrap_or(Err(SnmpError::Timeout));
        match polled {
            Ok(mut polled) => {
                self.remember(&mut polled, shared);
                if was_silent {
                    tracing::info!(device = %self.id, "answers again");
                }
                self.pause.answered();
                let outcome = Outcome {
                    up: Reading::value(1.0),
                    poll_ms: Reading::value(started.elapsed().as_secs_f64() * 1e3),
                    uptime_secs: polled.uptime_secs,
                    counts: self.poller.session.counts(),
                    overruns: self.overruns,
                };
                let mut samples = vec![self.samples.device(polled.at, outcome)];
                samples.extend(self.samples.polled(&polled, shared.clock.mono()));
                self.radios = polled.radios;
                samples
            }
            Err(e) => {
                // The first time is worth a line; the samples tell the rest.
                if !was_silent || self.error != e {
                    tracing::warn!(device = %self.id, error = %e, "does not answer");
                }
                self.error = e;
                self.pause.failed();
                self.silent(shared, Reading::Missing(self.error.missing()))
            }
        }
    }

    fn remember(&mut self, polled: &mut Polled, shared: &Shared) {
        let Some(memory) = self.poller.remember(polled, &self.memory) else { return };
        shared.memories.remember(&self.id, memory.clone());
        self.memory = memory;
    }

    fn silent(&self, shared: &Shared, missing: Reading) -> Vec<Sample> {
        let at = shared.clock.now();
        // A device that this machine could not ask may be well.
        let up = if matches!(self.error, SnmpError::NotAsked(_)) { missing } else { Reading::value(0.0) };
        let outcome = Outcome {
            up,
            poll_ms: missing,
            uptime_secs: missing,
            counts: self.poller.session.counts(),
            overruns: self.overruns,
        };
        let mut samples = vec![self.samples.device(at, outcome)];
        samples.extend(self.samples.radios(at, &silent_radios(&self.radios, self.error.missing())));
        samples
    }
}

async fn watch_address(
    target: PingPlan,
    mut shared: Shared,
    pinger: Arc<dyn Pinger>,
    in_flight: Arc<Semaphore>,
    phase: Duration,
) {
    let mut ticks = Ticks::new(&shared, phase);
    let mut shutdown = shared.shutdown.clone();
    let mut told: Option<PingError> = None;
    while ticks.next().await {
        let rounds = Rounds { pinger: &*pinger, in_flight: &in_flight, shared: &shared };
        let (sample, error) = tokio::select! {
            biased;
            () = shutdown.wait() => break,
            sample = rounds.sample(&target) => sample,
        };
        if error != told {
            if let Some(e) = &error {
                tracing::warn!(error = %e, "no echo can be sent");
            }
            told = error;
        }
        if !shared.hand_over(vec![sample]).await {
            break;
        }
    }
}

struct Rounds<'a> {
    pinger: &'a dyn Pinger,
    in_flight: &'a Semaphore,
    shared: &'a Shared,
}

impl Rounds<'_> {
    async fn round(&self, address: std::net::IpAddr, error: &mut Option<PingError>) -> Echoes {
        // The semaphore is never closed; without a permit the round is only less careful.
        let _permit = self.in_flight.acquire_many(u32::from(ECHOES)).await.ok();
        let round = self.pinger.round(address, ECHOES, ECHO_TIMEOUT).await;
        if let Err(e) = &round {
            *error = Some(e.clone());
        }
        Echoes::of(&round)
    }

    /// The sample of one target, and why echoes could not be sent, if so.
    async fn sample(&self, target: &PingPlan) -> (Sample, Option<PingError>) {
        let mut error = None;
        let agent = &self.shared.agent;
        let sample = match target {
            PingPlan::Device { site, device, address } => {
                let echoes = self.round(*address, &mut error).await;
                device_ping(agent, site, device.as_str(), self.shared.clock.now(), echoes)
            }
            PingPlan::Backhaul { site, backhaul, gateway, outside } => {
                let gateway = match gateway {
                    Some(address) => Some(self.round(*address, &mut error).await),
                    None => None,
                };
                let mut beyond = Vec::with_capacity(outside.len());
                for address in outside {
                    beyond.push(self.round(*address, &mut error).await);
                }
                backhaul_ping(agent, site, backhaul.as_str(), self.shared.clock.now(), gateway, &beyond)
            }
        };
        (sample, error)
    }
}

/// What is wrong with a service, as far as a new line in the log is worth it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Status(u16),
    NoAnswer(Missing),
}

impl Fault {
    fn of(trial: &Result<ServiceAnswer, ServiceError>) -> Option<Self> {
        match trial {
            Ok(answer) => (!answer.is_good()).then_some(Self::Status(answer.status)),
            Err(e) => Some(Self::NoAnswer(e.missing())),
        }
    }
}

async fn watch_service(plan: ServicePlan, mut shared: Shared, services: Arc<dyn ServiceProbe>, phase: Duration) {
    let mut ticks = Ticks::new(&shared, phase);
    let mut shutdown = shared.shutdown.clone();
    let limit = SERVICE_TIMEOUT.min(shared.deadline());
    let mut told: Option<Fault> = None;
    while ticks.next().await {
        let trial = tokio::select! {
            biased;
            () = shutdown.wait() => break,
            trial = services.get(&plan.url, limit) => trial,
        };
        let fault = Fault::of(&trial);
        if fault != told {
            let service = plan.service.as_str();
            match &trial {
                Ok(answer) if fault.is_none() => tracing::info!(service, status = answer.status, "works again"),
                Ok(answer) => tracing::warn!(service, status = answer.status, "answers with an error"),
                Err(e) => tracing::warn!(service, error = %e, "does not work from here"),
            }
            told = fault;
        }
        let sample = service_trial(&shared.agent, &plan, shared.clock.now(), &trial);
        if !shared.hand_over(vec![sample]).await {
            break;
        }
    }
}

#[cfg(test)]
mod tests;
