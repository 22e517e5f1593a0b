//! Agents, broker and hub in one process: what `vedetta run` and `vedetta demo` have in common.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use crate::agent::{AgentApp, AgentParts, Inventory};
use crate::config::secret::{Secret, SecretError, SecretSource};
use crate::config::settings::{HubSettings, MqttSettings, SpoolLimits};
use crate::hub::{HubApp, HubParts};
use crate::model::network::{Network, SecretRef};
use crate::model::part::AgentPart;
use crate::mqtt::agent::DeliveryStatus;
use crate::mqtt::broker::{Broker, User};
use crate::mqtt::gate::{CutOff, Gate};
use crate::probe::ping::Pinger;
use crate::probe::service::ServiceProbe;
use crate::runtime::clock::SharedClock;
use crate::runtime::tasks::{Shutdown, Tasks};

/// How long the end waits until everything measured is stored.
const DRAIN: Duration = Duration::from_secs(20);
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// What it is made of.
pub struct OneBoxParts {
    pub network: Arc<Network>,
    /// With a broker of its own, or without: then one is embedded, with passwords of this run.
    pub settings: HubSettings,
    /// Spools go below it; the hub's files where its settings say.
    pub data_dir: PathBuf,
    pub secrets: Arc<dyn SecretSource>,
    pub pinger: Arc<dyn Pinger>,
    pub services: Arc<dyn ServiceProbe>,
    pub seed: u64,
    pub simulated: bool,
    /// Sites whose agents are cut off from the embedded broker, where somebody plays that.
    pub cut_off: Option<CutOff>,
}

/// Everything open and ready to run.
pub struct OneBox {
    pub hub: HubApp,
    agents: Vec<(String, AgentApp)>,
    broker: Option<Broker>,
    gates: Vec<Gate>,
    pub progress: Progress,
}

/// How far the agents are.
#[derive(Clone)]
pub struct Progress {
    /// Of each agent: samples handed to its spool.
    pub generated: Vec<watch::Receiver<u64>>,
    pub statuses: Vec<watch::Receiver<DeliveryStatus>>,
}

impl OneBox {
    /// Opens ports, ledger and spools.
    pub async fn build(parts: OneBoxParts, clock: SharedClock) -> anyhow::Result<Self> {
        let OneBoxParts { network, settings, data_dir, secrets, pinger, services, seed, simulated, cut_off } = parts;
        let access = Access::new(&network, &settings, secrets).await?;
        let interval = settings.poll_interval;
        let mut agents = Vec::new();
        let mut progress = Progress { generated: Vec::new(), statuses: Vec::new() };
        let mut gates = Vec::new();
        for (index, site) in network.agents().enumerate() {
            let mut mqtt = access.settings(&User::Agent(site.id.clone()));
            if let (Some(broker), Some(cut)) = (access.embedded, &cut_off) {
                let gate = Gate::bind(site.id.clone(), broker, cut.clone()).await?;
                mqtt.port = gate.addr()?.port();
                gates.push(gate);
            }
            let app = AgentApp::build(
                AgentParts {
                    network: network.id.clone(),
                    site: site.id.clone(),
                    inventory: Inventory::Fixed(AgentPart::of(&network, &site.id)),
                    interval,
                    mqtt,
                    data_dir: data_dir.join("agents").join(site.id.as_str()),
                    spool: SpoolLimits::default(),
                    credentials: BTreeMap::new(),
                    secrets: access.secrets.clone(),
                    pinger: pinger.clone(),
                    services: services.clone(),
                    seed: seed.wrapping_add(index as u64),
                },
                clock.clone(),
            )?;
            progress.generated.push(app.generated());
            progress.statuses.push(app.status());
            agents.push((site.id.to_string(), app));
        }
        let mqtt = access.settings(&User::Hub);
        let hub_parts = HubParts { network, settings, mqtt, secrets: access.secrets, simulated };
        let hub = HubApp::build(hub_parts, clock).await?;
        Ok(Self { hub, agents, broker: access.broker, gates, progress })
    }

    /// Runs until `shutdown`; `stop_polling`, set before it, ends the probes and leaves delivery time to finish.
    pub async fn run(self, stop_polling: Shutdown, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { hub, agents, broker, gates, .. } = self;
        let (broker_switch, broker_stop) = Shutdown::new();
        let mut ways = Tasks::new();
        for (place, gate) in gates.into_iter().enumerate() {
            ways.spawn(format!("gate {place}"), gate.run(broker_stop.clone()));
        }
        let ways = ways.run(broker_stop.clone());
        let serve = async {
            match broker {
                Some(broker) => tokio::try_join!(broker.run(broker_stop), ways).map(|_| ()),
                None => std::future::pending().await,
            }
        };
        let mut tasks = Tasks::new();
        for (name, app) in agents {
            tasks.spawn(format!("agent {name}"), app.run(stop_polling.clone(), shutdown.clone()));
        }
        tasks.spawn("hub", hub.run(shutdown.clone()));
        let rest = tasks.run(shutdown.clone());
        tokio::pin!(serve, rest);
        tokio::select! {
            ended = &mut serve => ended?,
            ended = &mut rest => ended?,
            () = shutdown.wait() => {
                // The broker goes last: the others say goodbye through it.
                tokio::select! {
                    ended = &mut rest => ended?,
                    ended = &mut serve => ended?,
                }
            }
        }
        broker_switch.stop();
        Ok(())
    }
}

impl Progress {
    /// Waits until every agent has handed over what it measured, and knows that all of it is stored. To be called after
    /// polling was stopped.
    pub async fn drained(&mut self) {
        let all = async {
            for (generated, status) in self.generated.iter_mut().zip(&mut self.statuses) {
                // The batcher ends when it has handed over the last batch.
                while generated.changed().await.is_ok() {}
                let total = *generated.borrow();
                // An error means that delivery has ended: there is nothing more to wait for.
                let _ = status.wait_for(|s| s.samples >= total && s.pending_batches == 0).await;
            }
        };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!("not everything was stored within {DRAIN:?}; what is in the spools is sent next time");
        }
    }
}

/// How the parts reach the broker.
struct Access {
    configured: Option<MqttSettings>,
    embedded: Option<SocketAddr>,
    broker: Option<Broker>,
    secrets: Arc<dyn SecretSource>,
}

impl Access {
    async fn new(network: &Network, settings: &HubSettings, secrets: Arc<dyn SecretSource>) -> anyhow::Result<Self> {
        if let Some(configured) = &settings.mqtt {
            return Ok(Self { configured: Some(configured.clone()), embedded: None, broker: None, secrets });
        }
        let users = network.agents().map(|s| User::Agent(s.id.clone())).chain([User::Hub]);
        let passwords: BTreeMap<User, Secret> =
            users.map(|user| (user, Secret::new(Uuid::new_v4().simple().to_string()))).collect();
        let broker = Broker::bind((Ipv4Addr::LOCALHOST, 0).into(), &network.id, passwords.clone()).await?;
        let passwords = passwords.into_iter().map(|(user, secret)| (user.name(), secret)).collect();
        let secrets = Arc::new(WithPasswords { passwords, others: secrets });
        Ok(Self { configured: None, embedded: Some(broker.addr()), broker: Some(broker), secrets })
    }

    fn settings(&self, user: &User) -> MqttSettings {
        match (&self.configured, self.embedded) {
            (Some(configured), _) => configured.clone(),
            (None, address) => {
                let address = address.expect("without a configured broker one is embedded");
                MqttSettings {
                    host: address.ip().to_string(),
                    port: address.port(),
                    tls: None,
                    user: Some(user.name()),
                    password: Some(SecretRef::Env(password_name(&user.name()))),
                    keep_alive: KEEP_ALIVE,
                }
            }
        }
    }
}

/// The name under which a password of this run is asked for. No environment variable has a space in its name.
fn password_name(user: &str) -> String {
    format!("broker password of {user}")
}

/// The passwords of the embedded broker, which live in memory only, besides all other secrets.
struct WithPasswords {
    passwords: BTreeMap<String, Secret>,
    others: Arc<dyn SecretSource>,
}

impl SecretSource for WithPasswords {
    fn read(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        let own = |name: &str| self.passwords.iter().find(|(user, _)| password_name(user) == name);
        match secret {
            SecretRef::Env(name) => own(name).map_or_else(|| self.others.read(secret), |(_, s)| Ok(s.clone())),
            SecretRef::File(_) | SecretRef::Sealed(_) => self.others.read(secret),
        }
    }
}
