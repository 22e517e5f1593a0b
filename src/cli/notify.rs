//! `vedetta notify`: who gets what; a marked test to one recipient.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::commands::{accepted, network, runtime};
use super::language;
use crate::config::load;
use crate::config::problem::near_miss;
use crate::config::secret::SystemSecrets;
use crate::model::network::Language;
use crate::notify::trial::{self, Outcome, Recipient};
use crate::runtime::clock::SystemClock;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta notify --list --network network.toml --config hub.toml
  vedetta notify --test langhenet --network network.toml --config hub.toml
  vedetta notify --test staff --network network.toml --config hub.toml --json
  vedetta notify --test noc@langhenet.example --network network.toml --config hub.toml

The test says that it is one, goes through the mail server and the webhooks of the settings, and is
not held by rodaggio. No hub needs to run. Run it as the hub's user, who can read the secrets.
Exit code 0: everything was taken; 1: something was not; 2: nobody has that name.")]
pub struct NotifyArgs {
    /// Send a marked test to an operator (its id), to the staff (`staff`), to the contacts of a site (`site:ID`), or to
    /// an address of the inventory
    #[arg(long, value_name = "RECIPIENT", required_unless_present = "list", conflicts_with = "list")]
    test: Option<String>,
    /// Print everybody who may be told something, and where
    #[arg(long)]
    list: bool,
    /// The inventory
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    /// Settings of the hub
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn notify(args: &NotifyArgs) -> anyhow::Result<ExitCode> {
    let network = network(&args.network)?;
    let settings = accepted(load::load_hub(&args.config))?;
    let Some(name) = &args.test else {
        let all = trial::recipients(&network, &settings);
        if args.json {
            println!("{}", json!({ "recipients": all }));
        } else {
            print!("{}", list(&all, language()));
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(recipient) = trial::find(&network, &settings, name) else {
        let all = trial::recipients(&network, &settings);
        let known = all.iter().flat_map(|r| r.mails.iter().chain([&r.recipient])).map(String::as_str);
        let near = near_miss(name, known).map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
        eprintln!("vedetta: --test {name:?}: no operator, site:ID or address of the inventory, and not `staff`{near}");
        return Ok(ExitCode::from(2));
    };
    let sending = trial::send(&network, &settings, &recipient, Arc::new(SystemSecrets), SystemClock::shared());
    let outcomes = runtime()?.block_on(sending);
    let ok = !outcomes.is_empty() && outcomes.iter().all(|o| o.ok);
    if args.json {
        println!("{}", json!({ "recipient": recipient.recipient, "ok": ok, "tests": outcomes }));
    } else {
        print!("{}", told(&recipient, &outcomes, language()));
    }
    Ok(ExitCode::from(u8::from(!ok)))
}

/// What came from a server, without what could command a terminal.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn told(recipient: &Recipient, outcomes: &[Outcome], language: Language) -> String {
    let italian = language == Language::Italian;
    let mut out = String::new();
    for outcome in outcomes {
        let ok = match (outcome.ok, italian) {
            (true, true) => "accettato",
            (true, false) => "accepted",
            (false, true) => "NON accettato",
            (false, false) => "NOT accepted",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{:<8} {}  {ok}: {}", outcome.way, clean(&outcome.to), clean(&outcome.said));
    }
    if outcomes.is_empty() {
        let nothing = if italian { "non ha né indirizzi né webhook" } else { "has neither addresses nor webhooks" };
        let _ = writeln!(out, "{} {nothing}", recipient.recipient);
    }
    out
}

fn list(all: &[Recipient], language: Language) -> String {
    let nobody = if language == Language::Italian { "nessun recapito" } else { "cannot be told anything" };
    let mut out = String::new();
    for recipient in all {
        let mails = recipient.mails.iter().map(|to| clean(to));
        let hooks = recipient.webhooks.iter().map(|name| format!("webhook {name}"));
        let ways: Vec<String> = mails.chain(hooks).collect();
        let ways = if ways.is_empty() { nobody.to_owned() } else { ways.join(", ") };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{:<24} {ways}", recipient.recipient);
    }
    out
}
