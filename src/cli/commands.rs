//! What each command does with its arguments.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use super::{AgentArgs, CheckArgs, Command, color};
use crate::agent::{AgentApp, AgentParts, Inventory};
use crate::config::load::{self, Loaded};
use crate::config::problem::Problem;
use crate::config::secret::SystemSecrets;
use crate::config::settings::InventoryOf;
use crate::model::network::Network;
use crate::model::part::AgentPart;
use crate::probe::ping::SurgePinger;
use crate::probe::service::HttpServices;
use crate::runtime::clock::SystemClock;
use crate::runtime::tasks::{Shutdown, ShutdownSwitch};

/// Runs a command; an error that comes out of here is printed, and the exit code is 1.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check(args) => Ok(check(&args)),
        #[cfg(all(feature = "hub", feature = "sim"))]
        Command::Demo(args) => hub::demo(args),
        #[cfg(feature = "hub")]
        Command::Run(args) => hub::run(&args),
        #[cfg(feature = "hub")]
        Command::Hub(args) => hub::hub(&args),
        Command::Agent(args) => run_agent(&args),
        #[cfg(feature = "hub")]
        Command::BrokerFiles(args) => hub::broker_files(args),
        #[cfg(feature = "hub")]
        Command::AgentKey(args) => hub::agent_key(args.action),
        Command::Spool(args) => super::spool::spool(&args.dir, args.json),
        Command::Probe(args) => super::probe::run(&args),
        Command::Discover(args) => super::discover::run(&args),
        #[cfg(feature = "hub")]
        Command::Status(args) => hub::status(&args),
        #[cfg(feature = "hub")]
        Command::Incidents(args) => super::desk::incidents(&args),
        #[cfg(feature = "hub")]
        Command::Rodaggio(args) => super::desk::rodaggio(&args),
        #[cfg(feature = "hub")]
        Command::Backups(args) => super::desk::backups(&args),
        #[cfg(feature = "hub")]
        Command::Notify(args) => super::notify::notify(&args),
        #[cfg(feature = "hub")]
        Command::Account(args) => super::account::account(&args),
        #[cfg(feature = "hub")]
        Command::Share(args) => super::account::share(&args),
        #[cfg(feature = "hub")]
        Command::Access(args) => super::account::access(&args),
        #[cfg(feature = "hub")]
        Command::Store(args) => super::store::run(args),
        #[cfg(feature = "sim")]
        Command::Simulate(args) => simulate(&args),
    }
}

pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// Sets the switch on Ctrl-C and on SIGTERM.
async fn until_told(switch: ShutdownSwitch) -> anyhow::Result<()> {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended?,
        _ = term.recv() => {}
    }
    tracing::info!("stopping");
    switch.stop();
    Ok(())
}

/// Runs `task` until it ends, or until the process is told to stop and the task has stopped.
async fn run_until_told<F>(task: impl FnOnce(Shutdown) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let (switch, shutdown) = Shutdown::new();
    let running = task(shutdown);
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return ended,
        told = until_told(switch) => told?,
    }
    running.await
}

/// Prints warnings, or fails with every problem of a file.
pub(super) fn accepted<T>(loaded: Result<Loaded<T>, Vec<Problem>>) -> anyhow::Result<T> {
    match loaded {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                eprintln!("{warning}");
            }
            Ok(loaded.value)
        }
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::bail!("the configuration has problems\n{}", lines.join("\n"))
        }
    }
}

pub(super) fn network(path: &Path) -> anyhow::Result<Arc<Network>> {
    accepted(load::load_network(path)).map(Arc::new)
}

fn check(args: &CheckArgs) -> ExitCode {
    if args.reference {
        print!("{}", crate::config::reference::markdown());
        return ExitCode::SUCCESS;
    }
    let report = load::check_files(&args.files);
    #[cfg(feature = "hub")]
    if let Some(dir) = &args.scenarios {
        return super::scenarios::scenarios(args, dir, &report);
    }
    if args.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", report.render(color()));
    }
    ExitCode::from(u8::from(report.n_errors() > 0))
}

fn run_agent(args: &AgentArgs) -> anyhow::Result<ExitCode> {
    let settings = accepted(load::load_agent(&args.config))?;
    let (network, inventory) = match &settings.inventory {
        InventoryOf::Hub(network) => (network.clone(), Inventory::Hub),
        InventoryOf::File(file) => {
            let network = network(file)?;
            if !network.sites.get(settings.agent.as_str()).is_some_and(|s| s.agent) {
                anyhow::bail!(
                    "{}: agent = {:?}: must be a site of {} with `agent = true`",
                    args.config.display(),
                    settings.agent.as_str(),
                    file.display()
                );
            }
            (network.id.clone(), Inventory::Fixed(AgentPart::of(&network, &settings.agent)))
        }
    };
    let parts = AgentParts {
        network,
        inventory,
        site: settings.agent,
        interval: settings.poll_interval,
        mqtt: settings.mqtt,
        data_dir: settings.data_dir,
        spool: settings.spool,
        credentials: settings.credentials,
        secrets: Arc::new(SystemSecrets),
        pinger: Arc::new(SurgePinger::start().context("cannot start the ICMP thread")?),
        services: Arc::new(HttpServices::new()),
        seed: rand::random(),
    };
    runtime()?.block_on(async {
        let app = AgentApp::build(parts, SystemClock::shared())?;
        run_until_told(|shutdown| app.run(shutdown.clone(), shutdown)).await
    })?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "sim")]
fn simulate(args: &super::SimulateArgs) -> anyhow::Result<ExitCode> {
    let network = network(&args.network)?;
    let options = crate::sim::SimOptions { port: args.port, speed: args.speed, seed: seed(args.seed) };
    let scenario = args.scenario.as_deref();
    runtime()?.block_on(crate::sim::command::simulate_command(&network, scenario, options, args.json))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "sim")]
fn seed(given: Option<u64>) -> u64 {
    given.unwrap_or_else(rand::random)
}

#[cfg(feature = "hub")]
mod hub {
    #[cfg(feature = "sim")]
    use std::path::PathBuf;
    use std::process::ExitCode;
    use std::sync::Arc;

    use anyhow::Context;

    use super::super::{AgentKeyAction, BrokerFilesArgs, HubArgs, RunArgs, StatusArgs, color, language};
    use super::{accepted, network, run_until_told, runtime};
    use crate::broker_files::{self, BrokerFiles};
    use crate::config::load;
    use crate::config::secret::SystemSecrets;
    use crate::config::settings::HubSettings;
    use crate::hub::{HubApp, HubParts};
    use crate::model::SiteId;
    use crate::mqtt::parts;
    use crate::onebox::{OneBox, OneBoxParts};
    use crate::probe::ping::SurgePinger;
    use crate::probe::service::HttpServices;
    use crate::runtime::clock::SystemClock;
    use crate::web::status;

    pub fn hub(args: &HubArgs) -> anyhow::Result<ExitCode> {
        let settings = accepted(load::load_hub(&args.config))?;
        let Some(mqtt) = settings.mqtt.clone() else {
            anyhow::bail!(
                "{}: [mqtt] is missing: a hub needs a broker that its agents can reach; for one machine use `vedetta run`",
                args.config.display()
            );
        };
        let parts = HubParts {
            network: network(&args.network)?,
            settings,
            mqtt,
            secrets: Arc::new(SystemSecrets),
            simulated: false,
        };
        runtime()?.block_on(async {
            let hub = HubApp::build(parts, SystemClock::shared()).await?;
            tracing::info!("page on http://{}", hub.page());
            run_until_told(|shutdown| hub.run(shutdown)).await
        })?;
        Ok(ExitCode::SUCCESS)
    }

    pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
        let network = network(&args.network)?;
        let mut settings = match &args.hub {
            Some(file) => accepted(load::load_hub(file))?,
            None => HubSettings::with_defaults(args.data.join("hub"), network.language),
        };
        settings.data_dir = args.data.join("hub");
        let parts = OneBoxParts {
            network,
            settings,
            data_dir: args.data.clone(),
            secrets: Arc::new(SystemSecrets),
            pinger: Arc::new(SurgePinger::start().context("cannot start the ICMP thread")?),
            services: Arc::new(HttpServices::new()),
            seed: rand::random(),
            simulated: false,
            cut_off: None,
        };
        runtime()?.block_on(async {
            let onebox = OneBox::build(parts, SystemClock::shared()).await?;
            eprintln!("page on http://{}; Ctrl-C ends it", onebox.hub.page());
            run_until_told(|shutdown| onebox.run(shutdown.clone(), shutdown)).await
        })?;
        Ok(ExitCode::SUCCESS)
    }

    pub fn broker_files(args: BrokerFilesArgs) -> anyhow::Result<ExitCode> {
        let network = network(&args.network)?;
        let options = BrokerFiles {
            out: args.out,
            hosts: args.host,
            port: args.port,
            broker_dir: args.broker_dir,
            valid: args.valid,
            renew_before: args.renew_before,
            renew: args.renew,
            readers: args.reader,
        };
        let written = broker_files::write(&options, &network, SystemClock::shared().now())?;
        print!("{}", written.render(&options));
        Ok(ExitCode::SUCCESS)
    }

    pub fn agent_key(action: AgentKeyAction) -> anyhow::Result<ExitCode> {
        let AgentKeyAction::Accept { site, key, config } = action;
        let settings = accepted(load::load_hub(&config))?;
        let agent = SiteId::parse(&site).with_context(|| format!("{site:?} is not the id of a site"))?;
        let key = key.parse().with_context(|| format!("{key:?} is not a key"))?;
        let data_dir = &settings.data_dir;
        parts::accept(data_dir, &agent, key).with_context(|| format!("{}", data_dir.display()))?;
        println!("The hub believes this key as soon as the agent shows it again, within a minute.");
        Ok(ExitCode::SUCCESS)
    }

    pub fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
        let fetched = runtime()?.block_on(status::fetch(&args.hub))?;
        if args.json {
            println!("{}", serde_json::to_string(&fetched).context("status as JSON")?);
        } else {
            print!("{}", status::render(&fetched, color(), language()));
        }
        Ok(ExitCode::from(fetched.exit_code()))
    }

    #[cfg(feature = "sim")]
    pub fn demo(args: super::super::DemoArgs) -> anyhow::Result<ExitCode> {
        use crate::demo::{self, DemoOptions};
        use crate::sim::command::load_scenario;
        use crate::sim::scenario::Scenario;

        let network = match &args.network {
            Some(file) => network(file)?,
            None => Arc::new(example_network()?),
        };
        let scenario = match (&args.scenario, &args.network) {
            (Some(file), _) => load_scenario(file)?,
            // The demo's own trouble is that of the example network.
            (None, Some(_)) => Scenario::calm(),
            (None, None) => Scenario::demo(),
        };
        let seed = super::seed(args.seed);
        let data_dir = args.data.unwrap_or_else(temporary_dir);
        let options = DemoOptions {
            duration: args.duration,
            network: (*network).clone(),
            scenario,
            speed: args.speed,
            seed,
            listen: args.listen.unwrap_or_else(free_page_address),
            snmp_port: args.snmp_port,
            data_dir: data_dir.clone(),
            hub: args.hub.map(|file| accepted(load::load_hub(&file))).transpose()?,
            quiet: args.json,
        };
        let report = runtime()?.block_on(demo::run(options))?;
        if args.json {
            println!("{}", report.to_json());
        } else {
            let samples = &report.samples;
            println!(
                "\n{} radios, {} samples generated, {} stored, {} lost; {} incidents, {} mails; seed {seed}; files in {}",
                report.radios,
                samples.generated,
                samples.stored,
                samples.lost,
                report.incidents.len(),
                report.mails.len(),
                data_dir.display()
            );
        }
        Ok(ExitCode::from(u8::from(report.samples.lost + report.samples.duplicates > 0)))
    }

    /// The usual address of the page, or another port where something else has that one.
    #[cfg(feature = "sim")]
    fn free_page_address() -> std::net::SocketAddr {
        use crate::config::settings::WEB_LISTEN;
        let free = |address| std::net::TcpListener::bind(address).and_then(|l| l.local_addr());
        free(WEB_LISTEN).or_else(|_| free((WEB_LISTEN.ip(), 0).into())).unwrap_or(WEB_LISTEN)
    }

    /// The example network is part of the program, so that the demo runs anywhere.
    #[cfg(feature = "sim")]
    fn example_network() -> anyhow::Result<crate::model::network::Network> {
        let (network, findings) =
            crate::config::check::network(include_str!("../../configs/alta-langa.toml"), std::path::Path::new("."));
        network.filter(|_| !findings.has_error()).context("the example network that is part of the program is broken")
    }

    #[cfg(feature = "sim")]
    fn temporary_dir() -> PathBuf {
        std::env::temp_dir().join(format!("vedetta-demo-{}", std::process::id()))
    }
}
