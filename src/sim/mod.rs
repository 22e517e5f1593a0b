//! A simulated network: every radio answers real SNMP on its own loopback address, with the objects of its family
//! and values from one world in which a scenario makes weather and trouble.
//!
//! Loopback always answers ICMP, so echoes are the one thing that is not real: [`Simulated::pinger`] answers them
//! from the same world. A device that the scenario has cut off from its agent answers neither.

pub mod address;
pub mod command;
#[cfg(test)]
pub mod fixture;
pub mod mib;
pub mod pinger;
pub mod plan;
pub mod radio;
pub mod responder;
pub mod scenario;
pub mod secrets;
pub mod services;
pub mod world;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_snmp::Value;
use async_snmp::handler::OidTable;
use tokio::sync::watch;

use self::pinger::SimPinger;
use self::plan::Plan;
use self::responder::{Keys, Responder};
use self::scenario::Scenario;
use self::secrets::SimSecrets;
use self::services::SimServices;
use self::world::{LinkFigures, Model, Snapshot};
use crate::config::secret::SecretSource;
use crate::model::network::Network;
use crate::model::{DeviceId, LinkId, SiteId};
use crate::probe::ping::Pinger;
use crate::probe::service::ServiceProbe;
use crate::runtime::clock::SharedClock;
use crate::runtime::tasks::{Shutdown, Tasks};

/// UDP port on which simulated devices answer; 161 needs privileges.
pub const PORT: u16 = 10161;
/// The world is computed anew when it is this old, in clock time: radios too refresh their figures now and then.
const FRESH: Duration = Duration::from_millis(100);
/// How often the log looks for events that began or ended.
const LOG_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimOptions {
    /// UDP port of the devices, but of those that the inventory has on loopback already: they keep theirs.
    pub port: u16,
    /// How many times faster than the clock the scenario runs; above 0, 1 is real time.
    pub speed: f64,
    /// Two simulations with the same seed show the same figures at the same scenario time.
    pub seed: u64,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self { port: PORT, speed: 1.0, seed: 1 }
    }
}

/// A simulation whose sockets are open; they answer while [`Self::tasks`] run.
pub struct Simulated {
    /// The inventory as probes must see it: devices on loopback, at the simulation's port.
    pub network: Network,
    /// Answers every secret that the inventory names with a text that the devices accept.
    pub secrets: Arc<dyn SecretSource>,
    pub pinger: Arc<dyn Pinger>,
    /// Answers for the services of the inventory, which are not contacted.
    pub services: Arc<dyn ServiceProbe>,
    pub tasks: Tasks,
    /// Agents that have no way to the hub now.
    pub cut_off: watch::Receiver<BTreeSet<SiteId>>,
    /// What is true in the simulated world, for tests and for whoever shows it.
    pub world: Arc<SimWorld>,
}

/// The simulated world on a clock.
pub struct SimWorld {
    model: Model,
    clock: SharedClock,
    latest: Mutex<Arc<Snapshot>>,
}

impl SimWorld {
    fn new(network: Network, scenario: Scenario, options: SimOptions, clock: SharedClock) -> Self {
        let started = clock.mono();
        let plan = Plan::new(&network, options.seed);
        let (speed, seed, started_at) = (options.speed, options.seed, clock.now());
        let model = Model { network, plan, scenario, speed, seed, started, started_at };
        let latest = Mutex::new(Arc::new(model.first(started)));
        Self { model, clock, latest }
    }

    /// The world now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let at = self.clock.mono();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if at.0.saturating_sub(latest.at.0) >= FRESH.as_millis() as u64 {
            *latest = Arc::new(self.model.next(&latest, at));
        }
        Arc::clone(&latest)
    }

    /// What is true of a link now; `None` where the network has no such link.
    pub fn link(&self, id: &LinkId) -> Option<LinkFigures> {
        let index = *self.model.plan.link_index.get(id)?;
        Some(self.snapshot().links[index])
    }

    /// Whether a device answers its agent now; `None` where the network has no such device.
    pub fn device_answers(&self, id: &DeviceId) -> Option<bool> {
        self.model.plan.device_index.get(id).map(|index| self.answers(*index))
    }

    /// Scenario time since the start.
    pub fn elapsed(&self) -> Duration {
        self.model.elapsed(self.clock.mono())
    }

    pub fn scenario(&self) -> &Scenario {
        &self.model.scenario
    }

    /// Events under way, in words.
    pub fn events(&self) -> Vec<String> {
        self.model.scenario.state(self.elapsed()).active.iter().map(|(event, _)| event.kind.to_string()).collect()
    }

    fn answers(&self, device: usize) -> bool {
        self.model.answers(&self.snapshot(), device)
    }

    fn table(&self, device: usize) -> OidTable<Value> {
        mib::table(&self.model.plan, &self.snapshot(), device)
    }
}

/// Opens every device's socket and starts the time line.
///
/// Fails where the scenario names what the network does not have (all such problems at once), where an option makes
/// no sense, or where a socket cannot be opened.
pub async fn start(
    network: &Network,
    scenario: Scenario,
    options: SimOptions,
    clock: SharedClock,
    shutdown: Shutdown,
) -> anyhow::Result<Simulated> {
    if !(options.speed.is_finite() && options.speed > 0.0) {
        bail!("speed ({}) must be above 0", options.speed);
    }
    let problems = scenario.check(network);
    if !problems.is_empty() {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        bail!("scenario \"{}\" does not fit the network:\n{}", scenario.name, lines.join("\n"));
    }
    let simulated = rewrite(network, options.port);
    let secrets = Arc::new(SimSecrets::new(network, options.seed));
    let world = Arc::new(SimWorld::new(network.clone(), scenario, options, clock));
    let mut tasks = Tasks::new();
    let mut keys = Keys::default();
    for device in simulated.devices.values() {
        let Some(credential) = device.credential.as_ref().and_then(|c| simulated.credentials.get(c)) else { continue };
        let index = world.model.plan.device_index[&device.id];
        let address = SocketAddr::new(device.address, device.snmp_port);
        let responder = Responder::bind(&world, index, address, &credential.access, &mut keys, &*secrets)
            .await
            .context("another simulation may be running: choose another port")?;
        tasks.spawn(format!("simulated {}", device.id), responder.run(shutdown.clone()));
    }
    let (cut, cut_off) = watch::channel(BTreeSet::new());
    tasks.spawn("scenario", log_events(Arc::clone(&world), cut, shutdown));
    let pinger = Arc::new(SimPinger::new(Arc::clone(&world), &simulated));
    let services = Arc::new(SimServices::new(Arc::clone(&world)));
    Ok(Simulated { network: simulated, secrets, pinger, services, tasks, cut_off, world })
}

/// The same network with every device on loopback. A device that the inventory has there already keeps its port too:
/// an agent that reads the same file then finds it.
fn rewrite(network: &Network, port: u16) -> Network {
    let mut simulated = network.clone();
    let addresses = address::loopback(network);
    for device in simulated.devices.values_mut() {
        let Some(address) = addresses.get(&device.id) else { continue };
        let address = IpAddr::V4(*address);
        if device.address != address {
            device.address = address;
            device.snmp_port = port;
        }
    }
    address::separate_backhauls(&mut simulated);
    simulated
}

/// Says what begins and what ends, as it happens, and whose way is cut.
async fn log_events(
    world: Arc<SimWorld>,
    cut: watch::Sender<BTreeSet<SiteId>>,
    mut shutdown: Shutdown,
) -> anyhow::Result<()> {
    let mut before: Vec<String> = Vec::new();
    loop {
        let cut_now = world.scenario().cut_off(world.elapsed());
        cut.send_if_modified(|cut| {
            let changed = *cut != cut_now;
            *cut = cut_now;
            changed
        });
        let now = world.events();
        let minute = world.elapsed().as_secs() / 60;
        for event in now.iter().filter(|e| !before.contains(e)) {
            tracing::info!(scenario_minute = minute, "begins: {event}");
        }
        for event in before.iter().filter(|e| !now.contains(e)) {
            tracing::info!(scenario_minute = minute, "ends: {event}");
        }
        before = now;
        tokio::select! {
            () = shutdown.wait() => return Ok(()),
            () = tokio::time::sleep(LOG_EVERY) => {}
        }
    }
}

#[cfg(test)]
mod tests;
