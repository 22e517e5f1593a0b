//! What each command does with its arguments.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use super::{AgentArgs, CheckArgs, Command, ProbeArgs, color};
use crate::agent::{self, AgentApp, AgentParts};
use crate::config::load::{self, Loaded};
use crate::config::problem::Problem;
use crate::config::secret::{Secret, SystemSecrets};
use crate::model::network::Network;
use crate::probe::ping::SurgePinger;
use crate::runtime::clock::SystemClock;
use crate::runtime::tasks::{Shutdown, ShutdownSwitch};

/// The community that a device has when nobody has set another.
const COMMUNITY_DEFAULT: &str = "public";
/// Where `probe` looks for a community.
const COMMUNITY_VARIABLE: &str = "VEDETTA_COMMUNITY";

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
        Command::Probe(args) => probe(&args),
        #[cfg(feature = "hub")]
        Command::Status(args) => hub::status(&args),
        #[cfg(feature = "sim")]
        Command::Simulate(args) => simulate(&args),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
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
fn accepted<T>(loaded: Result<Loaded<T>, Vec<Problem>>) -> anyhow::Result<T> {
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

fn network(path: &Path) -> anyhow::Result<Arc<Network>> {
    accepted(load::load_network(path)).map(Arc::new)
}

fn check(args: &CheckArgs) -> ExitCode {
    if args.reference {
        print!("{}", crate::config::reference::markdown());
        return ExitCode::SUCCESS;
    }
    let report = load::check_files(&args.files);
    if args.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", report.render(color()));
    }
    ExitCode::from(u8::from(report.n_errors() > 0))
}

fn run_agent(args: &AgentArgs) -> anyhow::Result<ExitCode> {
    let settings = accepted(load::load_agent(&args.config))?;
    let network = network(&settings.network_file)?;
    let site = network.sites.get(settings.agent.as_str());
    if !site.is_some_and(|s| s.agent) {
        anyhow::bail!(
            "{}: agent = {:?}: must be a site of {} with `agent = true`",
            args.config.display(),
            settings.agent.as_str(),
            settings.network_file.display()
        );
    }
    let parts = AgentParts {
        network,
        site: settings.agent,
        interval: settings.poll_interval,
        mqtt: settings.mqtt,
        data_dir: settings.data_dir,
        spool: settings.spool,
        credentials: settings.credentials,
        secrets: Arc::new(SystemSecrets),
        pinger: Arc::new(SurgePinger::new()),
        seed: rand::random(),
    };
    runtime()?.block_on(async {
        let app = AgentApp::build(parts, SystemClock::shared())?;
        run_until_told(|shutdown| agent::run(app, shutdown)).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The access that the arguments of `probe` describe.
fn probe_access(args: &ProbeArgs) -> anyhow::Result<Access> {
    if args.v3 {
        let auth = match (&args.auth, &args.auth_password_file) {
            (Some(name), Some(file)) => Some((
                parse_auth(name).with_context(|| format!("--auth {name}: must be md5, sha1, sha224, sha256, sha384 or sha512"))?,
                SystemSecrets.read(&SecretRef::File(file.clone()))?,
            )),
            _ => None,
        };
        let privacy = match (&args.privacy, &args.privacy_password_file) {
            (Some(name), Some(file)) => Some((
                parse_privacy(name).with_context(|| format!("--privacy {name}: must be des, aes128, aes192 or aes256"))?,
                SystemSecrets.read(&SecretRef::File(file.clone()))?,
            )),
            _ => None,
        };
        let user = args.user.as_deref().unwrap_or_default();
        return Ok(Access::v3(user, auth.as_ref(), privacy.as_ref())?);
    }
    let community = match (&args.community, &args.community_file) {
        (Some(text), _) => Secret::new(text.clone()),
        (None, Some(file)) => SystemSecrets.read(&SecretRef::File(file.clone()))?,
        (None, None) => SystemSecrets
            .read(&SecretRef::Env(COMMUNITY_VARIABLE.into()))
            .unwrap_or_else(|_| Secret::new(COMMUNITY_DEFAULT)),
    };
    Ok(if args.v1 { Access::V1 { community } } else { Access::V2c { community } })
}

fn probe(args: &ProbeArgs) -> anyhow::Result<ExitCode> {
    let options = ProbeOptions {
        address: args.address.clone(),
        access: probe_access(args)?,
        profile: args.profile.clone(),
        timeout: args.timeout,
        target_mbps: args.target,
    };
    let report = runtime()?.block_on(command::probe(options))?;
    if args.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", report.render(color()));
    }
    Ok(ExitCode::SUCCESS)
}
