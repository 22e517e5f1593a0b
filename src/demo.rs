//! `vedetta demo`: the simulated network, its agents, a broker and a hub in one process.

mod narrator;
pub mod report;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::config::secret::{Secret, SecretError, SecretSource, SystemSecrets};
use crate::config::settings::{
    AlertSettings, HubSettings, MailOut, MailSettings, NotifySettings, WEB_PROXIES, WebSettings,
};
use crate::model::network::{Language, Network, SecretRef};
use crate::onebox::{OneBox, OneBoxParts};
use crate::runtime::clock::SystemClock;
use crate::runtime::tasks::{Shutdown, Tasks};
use crate::sim::scenario::Scenario;
use crate::sim::{self, SimOptions, Simulated};

use narrator::Narrator;
use report::DemoReport;

/// What real agents poll at (DESIGN); the demo's own interval is this divided by its pace.
const POLL_INTERVAL: Duration = Duration::from_mins(1);
/// Polls of the demo are never closer than this.
const POLL_INTERVAL_MIN: Duration = Duration::from_millis(500);

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
    /// Broker, stores and mail in place of the demo's own.
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
    let Simulated { network, secrets, pinger, services, tasks: radios, cut_off, world: truth } = simulated;
    let parts = OneBoxParts {
        network: Arc::new(network),
        settings: hub_settings(&options),
        data_dir: options.data_dir.clone(),
        secrets: Arc::new(DemoSecrets { devices: secrets }),
        pinger,
        services,
        seed: options.seed,
        simulated: true,
        cut_off: Some(cut_off),
    };
    let network = parts.network.clone();
    let onebox = OneBox::build(parts, clock.clone()).await?;
    let stored_before = onebox.hub.ledger().agent_samples()?;
    let mut progress = onebox.progress.clone();
    let (ledger, snapshots) = (onebox.hub.ledger(), onebox.hub.snapshots());
    let narrator = Narrator::new(&options, &onebox.hub, &network, truth);

    let mut servers = Tasks::new();
    servers.spawn("simulated radios", radios.run(world.clone()));
    let servers = servers.run(world);
    let watched = onebox.run(polling, delivery);
    tokio::pin!(servers, watched);
    tokio::select! {
        ended = &mut watched => ended?,
        ended = &mut servers => ended?,
        ended = narrator.tell() => ended?,
        ended = until_the_end(options.duration) => ended?,
    }

    polling_switch.stop();
    tokio::select! {
        ended = &mut watched => ended?,
        ended = &mut servers => ended?,
        () = progress.drained() => {}
    }
    let generated = progress.generated.iter().map(|g| *g.borrow()).sum();
    let report = DemoReport::new(&snapshots.borrow().clone(), &ledger, generated, stored_before)?;
    delivery_switch.stop();
    watched.await?;
    world_switch.stop();
    servers.await?;
    Ok(report)
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

/// The hub of the demo: mails into a maildir, everything as much faster as the scenario.
fn hub_settings(options: &DemoOptions) -> HubSettings {
    let data_dir = options.data_dir.join("hub");
    let alert = AlertSettings::default().faster(options.speed);
    let notify = NotifySettings::demo(options.speed);
    let poll_interval = POLL_INTERVAL.div_f64(options.speed).max(POLL_INTERVAL_MIN);
    let listen = options.listen;
    if let Some(settings) = options.hub.clone() {
        let web = WebSettings { listen, ..settings.web };
        let alert = settings.alert.faster(options.speed);
        let notify = settings.notify.in_demo(options.speed);
        return HubSettings { data_dir, web, alert, notify, poll_interval, ..settings };
    }
    let public_url = (listen.port() != 0).then(|| format!("http://{listen}"));
    HubSettings {
        data_dir,
        mqtt: None,
        influx: None,
        mail: Some(MailSettings {
            from: format!("{} <rete@unione.example>", options.network.name),
            reply_to: None,
            out: MailOut::Maildir(mail_dir(options)),
        }),
        web: WebSettings {
            listen,
            public_url,
            proxies: WEB_PROXIES.to_vec(),
            open_to: WEB_PROXIES.to_vec(),
            public_summary: true,
            contact: None,
            language: Language::Italian,
        },
        alert,
        notify,
        poll_interval,
    }
}

fn mail_dir(options: &DemoOptions) -> PathBuf {
    options.data_dir.join("mail")
}

/// The simulated devices' secrets; those of brokers and stores that the user brings are the machine's.
struct DemoSecrets {
    devices: Arc<dyn SecretSource>,
}

impl SecretSource for DemoSecrets {
    fn read(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        self.devices.read(secret).or_else(|_| SystemSecrets.read(secret))
    }
}
