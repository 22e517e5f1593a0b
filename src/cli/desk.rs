//! `vedetta incidents …` and `vedetta rodaggio …`: talks to a hub over its API.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::commands::runtime;
use super::{color, language};
use crate::model::network::Language;
use crate::web::incidents::{self, parse_token};
use crate::web::status;

/// Which hub, and how it is spoken to.
#[derive(Debug, Args)]
struct HubArgs {
    /// The hub's page
    #[arg(long, global = true, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    hub: String,
    /// The hub's operator.token, which changes need; without it data/hub/ and /var/lib/vedetta/ are looked at
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta incidents
  vedetta incidents show VED-147
  vedetta incidents ack VED-147 --by \"Anna Riva\" --ticket T-2231 --repair 15:30
  vedetta incidents maintenance add --site murazzano --from 22:00 --to 23:30 --by NOC

Without a command: what is open, and what was in the last seven days. Exit code 1 when an
incident is open. Changes are made on the hub's own machine, with its token.")]
pub struct IncidentsArgs {
    #[command(flatten)]
    hub: HubArgs,
    #[command(subcommand)]
    command: Option<IncidentsCommand>,
}

#[derive(Debug, Subcommand)]
enum IncidentsCommand {
    /// What is open, and what was in the last seven days
    #[command(after_help = "Example:\n  vedetta incidents list --json")]
    List,
    /// One incident: transitions, mails, who took charge, the contract's clock
    #[command(after_help = "Example:\n  vedetta incidents show VED-147")]
    Show {
        #[arg(value_name = "VED-N", value_parser = parse_token)]
        incident: u64,
    },
    /// Take charge of an incident, or say more about it
    #[command(after_help = "\
Examples:
  vedetta incidents ack VED-147 --by NOC --ticket T-2231
  vedetta incidents ack VED-147 --by NOC --repair \"2026-11-24 15:30\" --note \"new antenna\"")]
    Ack {
        #[arg(value_name = "VED-N", value_parser = parse_token)]
        incident: u64,
        /// Who takes charge
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Number in the operator's own system
        #[arg(long, value_name = "NUMBER")]
        ticket: Option<String>,
        /// When it should work again: 15:30, "2026-11-24 15:30", 2h
        #[arg(long, value_name = "TIME")]
        repair: Option<String>,
        /// Anything else, on one line
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Stop the contract's clock: no access to a site, for instance
    #[command(
        after_help = "Example:\n  vedetta incidents suspend VED-147 --by Anna --reason \"no access before Monday\""
    )]
    Suspend {
        #[arg(value_name = "VED-N", value_parser = parse_token)]
        incident: u64,
        #[arg(long, value_name = "NAME")]
        by: String,
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Let the clock run again
    #[command(after_help = "Example:\n  vedetta incidents resume VED-147 --by Anna")]
    Resume {
        #[arg(value_name = "VED-N", value_parser = parse_token)]
        incident: u64,
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Say whose fault it was; a power cut belongs to whoever owns the power
    #[command(after_help = "Example:\n  vedetta incidents fault VED-147 power-of-municipality --by Anna")]
    Fault {
        #[arg(value_name = "VED-N", value_parser = parse_token)]
        incident: u64,
        #[arg(value_enum)]
        fault: FaultName,
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Announced works: no mails about what they touch, and nothing is lost
    #[command(
        subcommand,
        after_help = "\
Examples:
  vedetta incidents maintenance list
  vedetta incidents maintenance add --link bossolasco-murazzano --from 22:00 --to 23:30 --by NOC
  vedetta incidents maintenance remove 3 --by NOC"
    )]
    Maintenance(MaintenanceCommand),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FaultName {
    Operator,
    Union,
    Municipality,
    PowerOfOperator,
    PowerOfUnion,
    PowerOfMunicipality,
    Nobody,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one in the whole process")]
enum MaintenanceCommand {
    /// Works that are not over
    List,
    /// Announce works
    Add {
        #[command(flatten)]
        place: PlaceArgs,
        /// 22:00, "2026-11-24 22:00"; without it now
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// 23:30, "2026-11-24 23:30", 2h from now
        #[arg(long, value_name = "TIME")]
        to: String,
        #[arg(long, value_name = "NAME")]
        by: String,
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// The operator that announced them
        #[arg(long, value_name = "ID")]
        announced_by: Option<String>,
    },
    /// Take works back
    Remove {
        number: u64,
        #[arg(long, value_name = "NAME")]
        by: String,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct PlaceArgs {
    #[arg(long, value_name = "ID")]
    link: Option<String>,
    #[arg(long, value_name = "ID")]
    bundle: Option<String>,
    #[arg(long, value_name = "ID")]
    backhaul: Option<String>,
    /// Everything that ends at a site
    #[arg(long, value_name = "ID")]
    site: Option<String>,
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// Everything that an operator runs
    #[arg(long, value_name = "ID")]
    wisp: Option<String>,
}

impl PlaceArgs {
    fn json(&self) -> Value {
        let edges = [("link", &self.link), ("bundle", &self.bundle), ("backhaul", &self.backhaul)];
        for (kind, id) in edges {
            if let Some(id) = id {
                return json!({"kind": "link", "id": {kind: id}});
            }
        }
        let others = [("site", &self.site), ("device", &self.device), ("wisp", &self.wisp)];
        let found = others.into_iter().find_map(|(kind, id)| id.as_ref().map(|id| json!({"kind": kind, "id": id})));
        found.unwrap_or(Value::Null)
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta rodaggio
  vedetta rodaggio enable langhenet --by \"Anna Riva\"
  vedetta rodaggio disable langhenet --by \"Anna Riva\"

A new network runs in for 14 days (`notify.rodaggio` in hub.toml): operators get nothing, staff
a daily summary of what would have been sent. Then each operator is switched on.")]
pub struct RodaggioArgs {
    #[command(flatten)]
    hub: HubArgs,
    #[command(subcommand)]
    command: Option<RodaggioCommand>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta backups
  vedetta backups --json --token-file /var/lib/vedetta/operator.token

A job that calls its address when it starts, finishes or fails is missed when it does not; see
docs/backups.md. Whoever has an address speaks for that job: keep it as you keep a password.")]
pub struct BackupsArgs {
    #[command(flatten)]
    hub: HubArgs,
}

#[derive(Debug, Subcommand)]
enum RodaggioCommand {
    /// Mails to this operator from now on
    #[command(after_help = "Example:\n  vedetta rodaggio enable langhenet --by Anna")]
    Enable {
        #[arg(value_name = "WISP")]
        wisp: String,
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// No more mails to this operator
    #[command(after_help = "Example:\n  vedetta rodaggio disable langhenet --by Anna")]
    Disable {
        #[arg(value_name = "WISP")]
        wisp: String,
        #[arg(long, value_name = "NAME")]
        by: String,
    },
}

pub fn incidents(args: &IncidentsArgs) -> anyhow::Result<ExitCode> {
    let hub = &args.hub;
    match &args.command {
        None | Some(IncidentsCommand::List) => list(hub),
        Some(IncidentsCommand::Show { incident }) => {
            let shown = runtime()?.block_on(incidents::fetch(&hub.hub, *incident));
            let shown = match shown {
                Err(status::StatusError::Refused { status: 404, .. }) => {
                    anyhow::bail!("there is no incident VED-{incident}")
                }
                shown => shown?,
            };
            print(hub, &shown, |language| incidents::render(&shown, language))
        }
        Some(IncidentsCommand::Maintenance(MaintenanceCommand::List)) => {
            let desk = runtime()?.block_on(incidents::fetch_desk(&hub.hub))?;
            print(hub, &desk.windows, |language| incidents::render_windows(&desk, language))
        }
        Some(command) => change(hub, &command.json()),
    }
}

impl IncidentsCommand {
    /// The body of the change that it asks for.
    fn json(&self) -> Value {
        match self {
            Self::List | Self::Show { .. } | Self::Maintenance(MaintenanceCommand::List) => Value::Null,
            Self::Ack { incident, by, ticket, repair, note } => json!({
                "command": "act", "incident": incident, "act": "acknowledge", "by": by,
                "ticket": ticket, "expected_repair": repair, "note": note
            }),
            Self::Suspend { incident, by, reason } => {
                json!({"command": "act", "incident": incident, "act": "suspend", "by": by, "reason": reason})
            }
            Self::Resume { incident, by } => json!({"command": "act", "incident": incident, "act": "resume", "by": by}),
            Self::Fault { incident, fault, by } => {
                let name = fault.to_possible_value().map(|v| v.get_name().replace('-', "_"));
                json!({"command": "act", "incident": incident, "act": "fault", "by": by, "fault": name})
            }
            Self::Maintenance(MaintenanceCommand::Add { place, from, to, by, note, announced_by }) => json!({
                "command": "add_window", "place": place.json(), "by": by, "note": note, "wisp": announced_by,
                "from": from.as_deref().unwrap_or("0s"), "to": to
            }),
            Self::Maintenance(MaintenanceCommand::Remove { number, by }) => {
                json!({"command": "remove_window", "number": number, "by": by})
            }
        }
    }
}

pub fn rodaggio(args: &RodaggioArgs) -> anyhow::Result<ExitCode> {
    let hub = &args.hub;
    match &args.command {
        None => {
            let desk = runtime()?.block_on(incidents::fetch_desk(&hub.hub))?;
            print(hub, &desk.rodaggio, |language| incidents::render_rodaggio(&desk, language))
        }
        Some(RodaggioCommand::Enable { wisp, by }) => {
            change(hub, &json!({"command": "switch_wisp", "wisp": wisp, "on": true, "by": by}))
        }
        Some(RodaggioCommand::Disable { wisp, by }) => {
            change(hub, &json!({"command": "switch_wisp", "wisp": wisp, "on": false, "by": by}))
        }
    }
}

pub fn backups(args: &BackupsArgs) -> anyhow::Result<ExitCode> {
    let hub = &args.hub;
    let jobs = runtime()?.block_on(incidents::fetch_backups(&hub.hub, hub.token_file.as_deref()))?;
    print(hub, &jobs, |language| incidents::render_backups(&jobs, language))
}

fn list(hub: &HubArgs) -> anyhow::Result<ExitCode> {
    let fetched = runtime()?.block_on(status::fetch_incidents(&hub.hub))?;
    print(hub, &fetched, |language| status::render_incidents(&fetched, color(), language))?;
    Ok(ExitCode::from(fetched.exit_code()))
}

fn print(
    hub: &HubArgs,
    value: &impl serde::Serialize,
    render: impl FnOnce(Language) -> String,
) -> anyhow::Result<ExitCode> {
    if hub.json {
        println!("{}", serde_json::to_string(value).context("the answer as JSON")?);
    } else {
        print!("{}", render(language()));
    }
    Ok(ExitCode::SUCCESS)
}

fn change(hub: &HubArgs, command: &Value) -> anyhow::Result<ExitCode> {
    let changed = runtime()?.block_on(incidents::change(&hub.hub, hub.token_file.as_deref(), command))?;
    print(hub, &changed, |language| {
        let italian = language == Language::Italian;
        match (changed.changed, changed.window) {
            (true, Some(number)) if italian => format!("Fatto: finestra {number}.\n"),
            (true, Some(number)) => format!("Done: window {number}.\n"),
            (true, None) => (if italian { "Fatto.\n" } else { "Done.\n" }).to_owned(),
            (false, _) => (if italian { "Era già così.\n" } else { "It was so already.\n" }).to_owned(),
        }
    })
}
