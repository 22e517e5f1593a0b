//! `vedetta store init`: makes what the hub writes to.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::commands::{accepted, runtime};
use crate::config::load;
use crate::config::secret::{SecretSource, SystemSecrets};
use crate::store::influx::setup::{self, Action, BucketReport, KEEP_MIN};

#[derive(Debug, Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  vedetta store init --config /etc/vedetta/hub.toml")]
enum StoreCommand {
    /// Make the InfluxDB 2 bucket of [influx], or set how long it keeps points
    #[command(after_help = "\
Examples:
  vedetta store init --config hub.toml
  vedetta store init --config hub.toml --keep 90d
  vedetta store init --config hub.toml --keep forever --token-file admin-token --json

Asked twice, it changes nothing. A shorter --keep than before drops the older points.
This needs a token that may read and write buckets of the organization; the hub's own token needs
no more than to write into the bucket. Exit code 0: the bucket is as asked; 1: it is not.")]
    Init {
        /// Settings of the hub, with its section [influx]
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// How long points are kept: a time such as 90d, at least 1h, or `forever`
        #[arg(long, default_value = "35d", value_name = "TIME", value_parser = parse_keep)]
        keep: Keep,
        /// A token for this command only, in place of the one of [influx]: the only line of this file
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// `None`: forever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Keep(Option<Duration>);

fn parse_keep(text: &str) -> Result<Keep, String> {
    if text == "forever" {
        return Ok(Keep(None));
    }
    match crate::config::text::parse_duration(text) {
        Some(keep) if keep >= KEEP_MIN => Ok(Keep(Some(keep))),
        _ => Err(format!("{text:?} is not a time of at least 1h, such as 90d, nor `forever`")),
    }
}

pub fn run(args: StoreArgs) -> anyhow::Result<ExitCode> {
    let StoreCommand::Init { config, keep, token_file, json } = args.command;
    let settings = accepted(load::load_hub(&config))?;
    let Some(influx) = settings.influx else {
        anyhow::bail!("{}: [influx] is missing: without it there is no bucket to make", config.display());
    };
    let token = match token_file {
        Some(file) => Some(crate::model::network::SecretRef::File(file)),
        None => influx.token.clone(),
    };
    let token = token.map(|t| SystemSecrets.read(&t)).transpose().context("influx: token")?;
    let report = runtime()?.block_on(setup::init(&influx, token.as_ref(), keep.0))?;
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", sentence(&report, &influx.org, &influx.url));
    }
    Ok(ExitCode::SUCCESS)
}

fn sentence(report: &BucketReport, org: &str, url: &str) -> String {
    let keep = kept(report.keep_secs);
    let (done, before) = match report.action {
        Action::Created => ("made", String::new()),
        Action::Changed => ("changed", format!(", until now {}", kept(report.kept_before_secs.unwrap_or(0)))),
        Action::Unchanged => ("already so", String::new()),
    };
    format!("bucket {:?} of {org:?} at {url}: {done}; keeps points {keep}{before}", report.name)
}

fn kept(secs: u64) -> String {
    match secs {
        0 => "forever".to_owned(),
        secs if secs % 86_400 == 0 => format!("{} d", secs / 86_400),
        secs if secs % 3600 == 0 => format!("{} h", secs / 3600),
        secs => format!("{secs} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_keep_is_long_enough_or_forever() {
        assert_eq!(parse_keep("forever"), Ok(Keep(None)));
        assert_eq!(parse_keep("90d"), Ok(Keep(Some(Duration::from_hours(90 * 24)))));
        assert!(parse_keep("59m").unwrap_err().contains("at least 1h"));
        assert!(parse_keep("0").is_err());
    }

    #[test]
    fn what_was_done_is_one_sentence() {
        let report = |action, kept_before_secs| BucketReport {
            name: "rete".into(),
            action,
            keep_secs: 35 * 86_400,
            kept_before_secs,
        };
        let say = |r| sentence(&r, "unione", "http://127.0.0.1:8086");
        let place = "bucket \"rete\" of \"unione\" at http://127.0.0.1:8086: ";
        assert_eq!(say(report(Action::Created, None)), format!("{place}made; keeps points 35 d"));
        assert_eq!(say(report(Action::Unchanged, None)), format!("{place}already so; keeps points 35 d"));
        let changed = say(report(Action::Changed, Some(0)));
        assert_eq!(changed, format!("{place}changed; keeps points 35 d, until now forever"));
    }
}
