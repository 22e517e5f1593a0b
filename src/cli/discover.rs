//! `vedetta discover`: its arguments, and what it does with them.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::commands::{network, runtime};
use super::parse_duration;
use super::probe::AccessArgs;
use crate::probe::command::SNMP_PORT;
use crate::probe::discover::inventory::Draft;
use crate::probe::discover::pair::pair;
use crate::probe::discover::ranges::Range;
use crate::probe::discover::{DiscoverOptions, Found, Progress, RATE_DEFAULT, RATE_MAX, discover};

/// Cells of the progress bar.
const BAR_CELLS: usize = 30;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta discover 10.38.0.0/22 --community-file radios.community > found.toml
  vedetta discover 10.38.0.0/16 --resume search.json      Ctrl-C; the same again goes on
  vedetta discover 10.38.0.0/22 --against network.toml    only what differs from the inventory
  vedetta discover 10.38.4.0/24 --community-file ours --community-file theirs --json

Asks every address of the ranges that you name for one object, at most 20 addresses a second, and
reads what answers as `probe` does. With one community an address is asked by v2c, then by v1;
with several, once with each of them, in order (--v1 for radios that speak nothing else). Search
only networks that you may. What it could not decide says `# to decide: ...`.
Exit code: 0 done; 1 nothing answered, it was stopped, or the inventory differs; 2 wrong use.")]
pub struct DiscoverArgs {
    /// Ranges of addresses, none larger than a /16
    #[arg(required = true, value_name = "CIDR")]
    ranges: Vec<Range>,
    #[command(flatten)]
    access: AccessArgs,
    /// UDP port of the radios
    #[arg(long, default_value_t = SNMP_PORT, value_name = "PORT")]
    port: u16,
    /// How long to wait for each answer
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = parse_duration)]
    timeout: Duration,
    /// Addresses asked in a second
    #[arg(long, default_value_t = RATE_DEFAULT, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_MAX)))]
    rate: u32,
    /// Keep the state of the search in this file, and go on from it
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Print only what differs from this inventory
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &DiscoverArgs) -> anyhow::Result<ExitCode> {
    let against = args.against.as_deref().map(network).transpose()?;
    let access = args.access.resolve()?;
    let versions: Vec<_> = access.iter().map(|(name, access)| (name.clone(), access.version().as_str())).collect();
    let options = DiscoverOptions {
        ranges: args.ranges.clone(),
        port: args.port,
        access,
        timeout: args.timeout,
        rate: args.rate,
        resume: args.resume.clone(),
    };
    let mut bar = Bar { terminal: std::io::stderr().is_terminal(), last: None };
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    let (state, complete) = runtime()?.block_on(discover(&options, stop, |progress| bar.show(progress)))?;
    bar.end();
    if !complete {
        match &args.resume {
            Some(file) => eprintln!("stopped; the same command goes on: its state is in {}", file.display()),
            None => eprintln!("stopped; with --resume FILE a search can go on where it was stopped"),
        }
    }
    let ends: Vec<_> = state.found.iter().map(Found::end).collect();
    let pairs = pair(&ends);
    let draft = Draft::new(&state.found, &pairs, against.as_deref());
    let differs =
        against.as_deref().map(|network| draft.differences(network, if complete { &args.ranges } else { &[] }));
    if args.json {
        println!("{}", draft.to_json(differs.as_deref(), complete, state.unanswered));
    } else {
        for line in differs.iter().flatten() {
            println!("# {line}");
        }
        print!("{}", draft.toml(&versions, against.as_deref()));
        eprintln!(
            "{} devices answered, {} links; {} packets without an answer",
            state.found.len(),
            pairs.pairs.len(),
            state.unanswered
        );
    }
    let trouble = !complete || state.found.is_empty() || differs.is_some_and(|lines| !lines.is_empty());
    Ok(ExitCode::from(u8::from(trouble)))
}

/// A bar on standard error, where a person looks.
struct Bar {
    terminal: bool,
    last: Option<(usize, usize)>,
}

impl Bar {
    fn show(&mut self, progress: Progress) {
        let Progress { done, all, found } = progress;
        if !self.terminal || self.last == Some((done, found)) {
            return;
        }
        self.last = Some((done, found));
        let full = done * BAR_CELLS / all.max(1);
        let mut text = String::new();
        let _ = write!(text, "\r{}{}", "█".repeat(full), "░".repeat(BAR_CELLS - full));
        eprint!("{text} {done} of {all} addresses, {found} found ");
    }

    fn end(&self) {
        if self.last.is_some() {
            eprintln!();
        }
    }
}
