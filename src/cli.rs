//! Arguments, logs, exit codes: 0 fine, 1 a problem found, 2 wrong use.

#[cfg(feature = "hub")]
mod account;
mod commands;
#[cfg(feature = "hub")]
mod desk;
mod discover;
#[cfg(feature = "hub")]
mod notify;
mod probe;
#[cfg(feature = "hub")]
mod scenarios;
mod spool;
#[cfg(feature = "hub")]
mod store;

use std::io::IsTerminal;
#[cfg(all(feature = "hub", feature = "sim"))]
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Lookout for rural wireless networks.
///
/// Polls radio links and backhauls, and tells who is below the promised capacity, since when, because of which link,
/// and whose job it is.
#[derive(Debug, Parser)]
#[command(
    name = "vedetta",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  vedetta demo                                 a simulated network, everything embedded
  vedetta check network.toml                   every problem of an inventory at once
  vedetta probe 10.38.27.11 --community-file c what one radio is, and what it says
  vedetta discover 10.38.0.0/22                the radios of a range, as an inventory
  vedetta run --network network.toml           watch a network from one machine

Logs go to standard error; VEDETTA_LOG=debug shows more of them.
Exit code: 0 fine, 1 a problem was found, 2 wrong use."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one in the whole process")]
enum Command {
    /// Watch a simulated network: radios, weather and trouble, everything embedded
    #[cfg(all(feature = "hub", feature = "sim"))]
    Demo(DemoArgs),
    /// Watch a network from one machine: agents, hub, broker and store in one process
    #[cfg(feature = "hub")]
    Run(RunArgs),
    /// The Union's machine: takes what agents send, judges it, mails, shows it
    #[cfg(feature = "hub")]
    Hub(HubArgs),
    /// A relay site: polls its devices and sends what it measures
    Agent(AgentArgs),
    /// What the broker, the hub and every agent need to speak TLS: mosquitto's files and certificates
    #[cfg(feature = "hub")]
    BrokerFiles(BrokerFilesArgs),
    /// Accept the new key of an agent that was set up anew
    #[cfg(feature = "hub")]
    AgentKey(AgentKeyArgs),
    /// Check inventories and settings: every problem at once
    Check(CheckArgs),
    /// What an agent still holds, and whether it is sound
    Spool(SpoolArgs),
    /// Read one device now: what it is, and what it says; aim a dish; record a device
    Probe(probe::ProbeArgs),
    /// Find the radios of some addresses, pair their links, print them as an inventory
    Discover(discover::DiscoverArgs),
    /// Who is below target, since when, why
    #[cfg(feature = "hub")]
    Status(StatusArgs),
    /// What is wrong now, and what was in the last seven days; who takes charge; announced works
    #[cfg(feature = "hub")]
    Incidents(desk::IncidentsArgs),
    /// Which operators get mails: running in, and switching them on one by one
    #[cfg(feature = "hub")]
    Rodaggio(desk::RodaggioArgs),
    /// Backup jobs: when they last started, finished or failed, and the addresses at which they say so
    #[cfg(feature = "hub")]
    Backups(desk::BackupsArgs),
    /// Who is told what, and a marked test to one recipient: mail and webhooks as the settings say
    #[cfg(feature = "hub")]
    Notify(notify::NotifyArgs),
    /// Who may log in to the page: name, password, one-time code
    #[cfg(feature = "hub")]
    Account(account::AccountArgs),
    /// Links that show one operator its own lines, or one place its own service
    #[cfg(feature = "hub")]
    Share(account::ShareArgs),
    /// Who logged in, and whether the log of it is whole
    #[cfg(feature = "hub")]
    Access(account::AccessArgs),
    /// The time series store: make its bucket, set how long it keeps points
    #[cfg(feature = "hub")]
    Store(store::StoreArgs),
    /// Only the simulated devices of an inventory, on loopback addresses
    #[cfg(feature = "sim")]
    Simulate(SimulateArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta spool /var/lib/vedetta/spool          an agent's data_dir, and spool below it
  vedetta spool --json /var/lib/vedetta/spool   one JSON object for a script

Reads every record and checks it against its checksum. Changes nothing and takes no lock: an agent
may be at work meanwhile. Exit code 0: all is sound; 1: something is damaged, or cannot be read.")]
struct SpoolArgs {
    /// The spool's directory
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[cfg(all(feature = "hub", feature = "sim"))]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta demo                       until Ctrl-C; open the page that it names
  vedetta demo --for 4m --json       a script's view: one JSON object at the end
  vedetta demo --scenario storm      a front, and a relay that is cut off: watch its gap fill
  vedetta demo --scenario my.toml    your own weather
  vedetta demo --network my.toml     your own inventory, simulated

The time line, the poll interval and the hold times all run --speed times faster, so that 15
minutes of holding are 30 seconds. Loopback always answers ICMP, so here the scenario answers
pings, and tries of services; all else is real: SNMP, MQTT, the store, the mails (in a maildir).
Without --scenario, an inventory of your own has fair weather.")]
struct DemoArgs {
    /// How long, for instance 90s or 10m; without it until Ctrl-C
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Weather and trouble on a time line: default, calm, storm, or a file (see configs/scenarios)
    #[arg(long, value_name = "NAME|FILE")]
    scenario: Option<PathBuf>,
    /// Another inventory than the example network
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
    /// How much faster than the clock
    #[arg(long, default_value_t = 30.0, value_name = "N", value_parser = parse_speed)]
    speed: f64,
    /// Where the page listens; without it 127.0.0.1:8080, or another port where that is taken
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// UDP port of the simulated radios
    #[arg(long, default_value_t = 10161, value_name = "PORT")]
    snmp_port: u16,
    /// Keep ledger, spools and mails here; without it a temporary directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Repeats the same noise
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Settings of the hub (broker, stores, mail) in place of the demo's own
    #[arg(long, value_name = "FILE")]
    hub: Option<PathBuf>,
    /// Print one JSON object at the end, and nothing else
    #[arg(long)]
    json: bool,
}

#[cfg(feature = "hub")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta run --network network.toml
  vedetta run --network network.toml --hub hub.toml --data /var/lib/vedetta")]
struct RunArgs {
    /// The inventory
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    /// Settings of the hub: mail, stores, page; without it the page on 127.0.0.1:8080 and no mail
    #[arg(long, value_name = "FILE")]
    hub: Option<PathBuf>,
    /// Keep ledger and spools here
    #[arg(long, default_value = "data", value_name = "DIR")]
    data: PathBuf,
}

#[cfg(feature = "hub")]
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vedetta hub --network /etc/vedetta/network.toml --config /etc/vedetta/hub.toml")]
struct HubArgs {
    /// The inventory
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    /// Settings: broker, mail, stores, page
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  vedetta agent --config /etc/vedetta/agent.toml")]
struct AgentArgs {
    /// Settings: name, inventory, broker, spool
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[cfg(feature = "hub")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta broker-files --network network.toml --out broker-files --host broker.unione.example
  vedetta broker-files --network network.toml --out broker-files            issue again what ends soon
  vedetta broker-files --network network.toml --out broker-files --renew    issue everything again

The certificate authority is made at the first run and never replaced. docs/broker.md says what goes where.")]
struct BrokerFilesArgs {
    /// The inventory
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    /// Keep authority, certificates and mosquitto's files here
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Name or address by which hub and agents reach the broker; several are allowed, and remembered
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Port of the broker
    #[arg(long, default_value_t = 8883, value_name = "PORT")]
    port: u16,
    /// Where the broker's files will lie on its machine
    #[arg(long, default_value = "/etc/vedetta/broker", value_name = "DIR")]
    broker_dir: PathBuf,
    /// How long certificates are valid
    #[arg(long, default_value = "365d", value_name = "TIME", value_parser = parse_duration)]
    valid: Duration,
    /// Issue again what ends within this
    #[arg(long, default_value = "60d", value_name = "TIME", value_parser = parse_duration)]
    renew_before: Duration,
    /// Issue everything again now, but for the authority
    #[arg(long)]
    renew: bool,
    /// Also a certificate to read incidents over MQTT with: an operator's id, for its own, or _union, for all;
    /// several are allowed, and remembered
    #[arg(long, value_name = "WISP")]
    reader: Vec<String>,
}

#[cfg(feature = "hub")]
#[derive(Debug, Args)]
struct AgentKeyArgs {
    #[command(subcommand)]
    action: AgentKeyAction,
}

#[cfg(feature = "hub")]
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Example:
  vedetta agent-key accept murazzano 5f0c... --config /etc/vedetta/hub.toml")]
enum AgentKeyAction {
    /// Believe this key from now on: compare it with the one that the agent logs at its start
    #[command(after_help = "\
Example:
  vedetta agent-key accept murazzano 5f0c... --config /etc/vedetta/hub.toml")]
    Accept {
        /// The agent
        site: String,
        /// The key that the hub refuses, as `vedetta status --json` shows it
        key: String,
        /// Settings of the hub, whose data directory is meant
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta check network.toml
  vedetta check network.toml hub.toml agent.toml --json
  vedetta check --scenarios configs/scenarios/tests
  vedetta check --scenarios my-tests network.toml hub.toml
  vedetta check --reference > inventory.md

A scenario is a time line of trouble and the mails that must come of it: docs/scenarios.md. It is
played on the inventory that it names or holds, else on the one given here; with the thresholds of
the hub.toml given here. No device, broker or mail server is touched, and hours take a moment.
Exit code 0: no error, and every scenario went as expected; 1: something did not.")]
struct CheckArgs {
    /// Inventories, hub.toml, agent.toml: which one it is, is seen from what it holds
    #[cfg_attr(feature = "hub", arg(required_unless_present_any = ["reference", "scenarios"], value_name = "FILE"))]
    #[cfg_attr(not(feature = "hub"), arg(required_unless_present = "reference", value_name = "FILE"))]
    files: Vec<PathBuf>,
    /// Play the scenarios of this directory, or this one
    #[cfg(feature = "hub")]
    #[arg(long, value_name = "DIR")]
    scenarios: Option<PathBuf>,
    /// Print every table and key that these files may have
    #[arg(long)]
    reference: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[cfg(feature = "hub")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta status
  vedetta incidents --json
  vedetta status --hub http://127.0.0.1:8080 --json

Exit code 1 when a site is below its target, or an incident is open.")]
struct StatusArgs {
    /// The hub's page
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    hub: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[cfg(feature = "sim")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta simulate --network network.toml
  vedetta simulate --network network.toml --scenario storm.toml --speed 60")]
struct SimulateArgs {
    /// The inventory
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    /// Weather and trouble on a time line; without it a calm day
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// How much faster than the clock the scenario runs
    #[arg(long, default_value_t = 1.0, value_name = "N", value_parser = parse_speed)]
    speed: f64,
    /// UDP port of the simulated radios; those that the inventory has on loopback keep theirs
    #[arg(long, default_value_t = 10161, value_name = "PORT")]
    port: u16,
    /// Repeats the same noise
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print one JSON object with the addresses
    #[arg(long)]
    json: bool,
}

/// Reads `90s`, `15m`, `2h`, `1d`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    crate::config::text::parse_duration(text).ok_or_else(|| format!("{text:?} is not a time such as 90s, 15m or 2h"))
}

#[cfg(feature = "sim")]
fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1.0..=3600.0).contains(&speed) => Ok(speed),
        _ => Err(format!("{text:?} is not a number between 1 and 3600")),
    }
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // One TLS provider for the whole process. An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    start_logs(default_log_level(&cli.command));
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("vedetta: {error:#}");
            ExitCode::from(1)
        }
    }
}

/// Commands that a person reads say little on standard error; daemons tell what they do.
fn default_log_level(command: &Command) -> &'static str {
    match command {
        Command::Agent(_) => "info",
        #[cfg(feature = "hub")]
        Command::Hub(_) | Command::Run(_) => "info",
        _ => "warn",
    }
}

fn start_logs(level: &str) {
    // The broker speaks of every packet at `info`; the SNMP library of every timeout as of an error, where a silent
    // device is what whoever asked tells.
    let default = format!("{level},mqtt5=error,async_snmp=off,rumqttc=error");
    let filter = EnvFilter::try_from_env("VEDETTA_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

/// Colours only where a person looks, and has not asked for none.
fn color() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// The language of the terminal (POSIX: LC_ALL, then LC_MESSAGES, then LANG).
#[cfg(feature = "hub")]
fn language() -> crate::model::network::Language {
    use crate::model::network::Language;
    let set = |name: &&str| std::env::var(name).is_ok_and(|v| !v.is_empty());
    let name = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find(|n| set(n));
    match name.and_then(|n| std::env::var(n).ok()) {
        Some(locale) if locale.starts_with("it") => Language::Italian,
        _ => Language::English,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_examples() {
        let command = Cli::command();
        command.clone().debug_assert();
        for sub in command.get_subcommands() {
            let help = sub.clone().render_long_help().to_string();
            assert!(help.contains("Example"), "{} has no example in its help", sub.get_name());
            for below in sub.get_subcommands() {
                let help = below.clone().render_long_help().to_string();
                assert!(help.contains("Example"), "{} has no example in its help", below.get_name());
            }
        }
    }
}
