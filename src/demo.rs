//! `vedetta demo`: the simulated network, its agents, a broker and a hub in one process.

mod narrator;
pub mod report;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;

use crate::agent::{AgentApp, AgentParts};
use crate::config::secret::{Secret, SecretError, SecretSource};
use crate::config::settings::{
    AlertSettings, HubSettings, MailOut, MailSettings, MqttSettings, SpoolLimits, WebSettings,
};
use crate::hub::{HubApp, HubParts};
use crate::model::network::{Network, SecretRef};
use crate::mqtt::agent::DeliveryStatus;
use crate::runtime::clock::{SharedClock, SystemClock};
use crate::runtime::tasks::{Shutdown, Tasks};
use crate::sim::scenario::Scenario;
use crate::sim::{self, SimOptions, Simulated};

use report::DemoReport;

/// What real agents poll at (DESIGN); the demo's own interval is this divided by its pace.
const POLL_INTERVAL: Duration = Duration::from_secs(60);
/// Polls of the demo are never closer than this.
const POLL_INTERVAL_MIN: Duration = Duration::from_millis(500);
/// How long the end waits until everything measured is stored.
const DRAIN: Duration = Duration::from_secs(20);

/// What the demo is told.
pub struct DemoOptions {
    /// Until then, or until Ctrl-C.
    pub duration: Option<Duration>,
    pub network: Network,
    pub scenario: Scenario,
    /// How many times faster than the clock: time line, polls, hold times.
    pub speed: f64,
    pub seed: u64,
    pub listen: SocketAddr,
    pub snmp_port: u16,
    pub data_dir: PathBuf,
    /// Another broker than the embedded one.
    pub mqtt: Option<SocketAddr>,
    /// Stores and mail of a hub in place of the demo's own.
    pub hub: Option<HubSettings>,
    /// Say nothing but the report.
    pub quiet: bool,
}

/// Runs the demo and tells what happened in it.
pub async fn run(options: DemoOptions) -> anyhow::Result<DemoReport> {
    let clock = SystemClock::shared();
    let (world_switch, world) = Shutdown::new();
    let (polling_switch, polling) = Shutdown::new();
    let (delivery_switch, delivery) = Shutdown::new();

    let sim_options = SimOptions { port: options.snmp_port, speed: options.speed, seed: options.seed };
    let simulated =
        sim::start(&options.network, options.scenario.clone(), sim_options, clock.clone(), world.clone()).await?;
    let mut servers = Tasks::new();
    let (mqtt, broker_secrets) = broker(&options, &simulated.network, &mut servers, &world).await?;
    let secrets: Arc<dyn SecretSource> =
        Arc::new(DemoSecrets { devices: simulated.secrets.clone(), broker: broker_secrets });

    let interval = POLL_INTERVAL.div_f64(options.speed).max(POLL_INTERVAL_MIN);
    let network = Arc::new(simulated.network.clone());
    let hub = HubApp::build(
        HubParts {
            network: network.clone(),
            settings: hub_settings(&options, interval),
            mqtt: mqtt.hub(),
            secrets: secrets.clone(),
            simulated: true,
        },
        clock.clone(),
    )
    .await?;

    let fleet = Fleet::build(&options, &simulated, &network, &mqtt, &secrets, interval, &clock)?;
    let narrator = narrator::Narrator::new(&options, &hub, &network);
    let ledger = hub.ledger();
    let snapshots = hub.snapshots();
    let Fleet { apps, generated, statuses } = fleet;

    let Simulated { tasks: radios, .. } = simulated;
    servers.spawn("simulated radios", radios.run(world.clone()));
    let mut tasks = Tasks::new();
    for (name, app) in apps {
        tasks.spawn(format!("agent {name}"), app.run(polling.clone(), delivery.clone()));
    }
    tasks.spawn("hub", hub.run(delivery.clone()));
    let tasks = tasks.run(delivery.clone());
    let servers = servers.run(world.clone());
    tokio::pin!(tasks, servers);

    tokio::select! {
        ended = &mut tasks => ended?,
        ended = &mut servers => ended?,
        ended = narrator.tell() => ended?,
        ended = until_the_end(options.duration) => ended?,
    }

    polling_switch.stop();
    tokio::select! {
        ended = &mut tasks => ended?,
        ended = &mut servers => ended?,
        () = drained(statuses, &ledger) => {}
    }
    let report = DemoReport::new(&snapshots.borrow(), &ledger, &generated)?;
    delivery_switch.stop();
    tasks.await?;
    world_switch.stop();
    servers.await?;
    Ok(report)
}

/// The agents of the demo.
struct Fleet {
    apps: Vec<(String, AgentApp)>,
    /// Samples that each agent has handed to its spool.
    generated: Vec<watch::Receiver<u64>>,
    statuses: Vec<watch::Receiver<DeliveryStatus>>,
}

impl Fleet {
    fn build(
        options: &DemoOptions,
        simulated: &Simulated,
        network: &Arc<Network>,
        mqtt: &BrokerAccess,
        secrets: &Arc<dyn SecretSource>,
        interval: Duration,
        clock: &SharedClock,
    ) -> anyhow::Result<Self> {
        let (mut apps, mut generated, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
        for (index, site) in network.agents().enumerate() {
            let parts = AgentParts {
                network: network.clone(),
                site: site.id.clone(),
                interval,
                mqtt: mqtt.agent(site.id.as_str()),
                data_dir: options.data_dir.join("agents").join(site.id.as_str()),
                spool: SpoolLimits::default(),
                credentials: std::collections::BTreeMap::new(),
                secrets: secrets.clone(),
                pinger: simulated.pinger.clone(),
                seed: options.seed.wrapping_add(index as u64),
            };
            let app = AgentApp::build(parts, clock.clone())?;
            generated.push(app.generated());
            statuses.push(app.status());
            apps.push((site.id.to_string(), app));
        }
        Ok(Self { apps, generated, statuses })
    }
}

/// Ctrl-C, or the end of the time that was asked for.
async fn until_the_end(duration: Option<Duration>) -> anyhow::Result<()> {
    let over = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => Ok(()),
        ended = tokio::signal::ctrl_c() => ended.context("waiting for Ctrl-C"),
    }
}

/// Waits until every agent has handed over what it measured, and knows that all of it is stored.
async fn drained(generated: &mut [watch::Receiver<u64>], statuses: &mut [watch::Receiver<DeliveryStatus>]) {
    let all = async {
        for (generated, status) in generated.iter_mut().zip(statuses) {
            // The batcher ends when it has handed over the last batch.
            while generated.changed().await.is_ok() {}
            let total = *generated.borrow();
            // An error means that delivery has ended: there is nothing more to wait for.
            let _ = status.wait_for(|s| s.samples >= total && s.pending_batches == 0).await;
        }
    };
    if tokio::time::timeout(DRAIN, all).await.is_err() {
        tracing::warn!("not everything was stored within {DRAIN:?}");
    }
}

/// How the parts of the demo reach the broker: one user for the hub, one for each agent.
struct BrokerAccess {
    address: SocketAddr,
    /// The embedded broker asks for passwords; one that the user brings is used as it is.
    with_passwords: bool,
}

const HUB_USER: &str = "hub";

impl BrokerAccess {
    fn settings(&self, user: &str) -> MqttSettings {
        MqttSettings {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            tls: None,
            user: self.with_passwords.then(|| user.to_owned()),
            password: self.with_passwords.then(|| password_of(user)),
            keep_alive: Duration::from_secs(30),
        }
    }

    fn hub(&self) -> MqttSettings {
        self.settings(HUB_USER)
    }

    fn agent(&self, site: &str) -> MqttSettings {
        self.settings(site)
    }
}
