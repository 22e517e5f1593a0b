//! `vedetta probe`: its arguments, and what it does with them.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::commands::runtime;
use super::{color, parse_duration};
use crate::config::secret::{Secret, SecretSource as _, SystemSecrets};
use crate::model::network::{AuthProtocol, PrivProtocol, SecretRef};
use crate::probe::access::Access;
use crate::probe::command::watch::{Style, WATCH_EVERY};
use crate::probe::command::{self, ProbeOptions, ProbeReport, record, watch};
use crate::probe::value::Oid;

/// The community that a device has when nobody has set another.
const COMMUNITY_DEFAULT: &str = "public";
/// Where a community is looked for.
const COMMUNITY_VARIABLE: &str = "VEDETTA_COMMUNITY";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta probe 10.38.27.11 --community-file radios.community
  VEDETTA_COMMUNITY=radios vedetta probe 10.38.27.11 --target 100
  vedetta probe 10.38.27.11 --watch --bell            turn the dish until it rings no more
  vedetta probe 10.38.27.11 --watch --for 30s --json  an object a second, for a script
  vedetta probe 10.38.27.11 --record radio.txt        to send us a radio that is read wrong
  vedetta probe --replay radio.txt                    read it again, without a network
  vedetta probe [2001:db8::11]:161 --v3 --user nms --auth sha256 --auth-password-file a \\
                --privacy aes128 --privacy-password-file p --json

Without an option for it, the community comes from VEDETTA_COMMUNITY, else it is `public`.
Exit code: 0 it answered; 1 it did not, or a replay differs from what the file says; 2 wrong use.")]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ProbeArgs {
    /// Address, with or without a port (161)
    #[arg(required_unless_present = "replay", conflicts_with = "replay")]
    address: Option<String>,
    #[command(flatten)]
    access: AccessArgs,
    /// Read it as this family, whatever it says it is
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// How long to wait for each answer
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = parse_duration)]
    timeout: Duration,
    /// Draw capacity against this
    #[arg(long, default_value_t = 30.0, value_name = "MBPS", value_parser = parse_target)]
    target: f64,
    /// Show the signal once a second with its best so far, until Ctrl-C
    #[arg(long, conflicts_with_all = ["replay", "record"])]
    watch: bool,
    /// With --watch: ring the terminal's bell at a new best
    #[arg(long, requires = "watch")]
    bell: bool,
    /// With --watch: end after this, for instance 30s
    #[arg(long = "for", value_name = "TIME", requires = "watch", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Save what it answered, without what is personal, in a file that can be mailed and replayed
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// With --record: also walk all that lies under this OID of the vendor, for a family not known yet. Thousands of
    /// packets: a fragile radio may hang or restart. Not on a link that people need now
    #[arg(long, value_name = "OID", requires = "record", value_parser = parse_oid)]
    record_all: Option<Oid>,
    /// Decode a recording, without a network, and tell what it says of itself in another way
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Print one JSON object; with --watch one a second, and a summary
    #[arg(long)]
    json: bool,
}

/// How to speak to a device.
#[derive(Debug, Args)]
pub struct AccessArgs {
    /// SNMP community, v2c and v1. On a shared machine others can read it here: prefer the file
    #[arg(short = 'c', long, value_name = "TEXT", conflicts_with = "v3")]
    community: Option<String>,
    /// File with the community; `discover` tries several, in order
    #[arg(long, value_name = "FILE", conflicts_with_all = ["community", "v3"])]
    community_file: Vec<PathBuf>,
    /// SNMPv1 only
    #[arg(long, conflicts_with = "v3")]
    v1: bool,
    /// SNMPv3
    #[arg(long, requires = "user")]
    v3: bool,
    /// SNMPv3 user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// SNMPv3 authentication: md5, sha1, sha224, sha256, sha384, sha512
    #[arg(long, value_name = "NAME", requires = "auth_password_file")]
    auth: Option<String>,
    /// File with the authentication password
    #[arg(long, value_name = "FILE")]
    auth_password_file: Option<PathBuf>,
    /// SNMPv3 privacy: des, aes128, aes192, aes256
    #[arg(long, value_name = "NAME", requires = "privacy_password_file")]
    privacy: Option<String>,
    /// File with the privacy password
    #[arg(long, value_name = "FILE")]
    privacy_password_file: Option<PathBuf>,
}

impl AccessArgs {
    /// The credentials that the arguments describe, at least one, each with a name for people.
    pub fn resolve(&self) -> anyhow::Result<Vec<(String, Access)>> {
        if self.v3 {
            return Ok(vec![("v3".to_owned(), self.v3_access()?)]);
        }
        let mut communities = Vec::new();
        for file in &self.community_file {
            let name = file.file_stem().map_or_else(|| "radios".to_owned(), |name| name.to_string_lossy().into_owned());
            communities.push((name, SystemSecrets.read(&SecretRef::File(file.clone()))?));
        }
        if let Some(text) = &self.community {
            communities.push(("radios".to_owned(), Secret::new(text.clone())));
        }
        if communities.is_empty() {
            let variable = SystemSecrets.read(&SecretRef::Env(COMMUNITY_VARIABLE.into()));
            communities.push(("radios".to_owned(), variable.unwrap_or_else(|_| Secret::new(COMMUNITY_DEFAULT))));
        }
        let access = |community| if self.v1 { Access::V1 { community } } else { Access::V2c { community } };
        Ok(communities.into_iter().map(|(name, community)| (name, access(community))).collect())
    }

    fn v3_access(&self) -> anyhow::Result<Access> {
        let auth = match (&self.auth, &self.auth_password_file) {
            (Some(name), Some(file)) => Some((
                parse_auth(name)
                    .with_context(|| format!("--auth {name}: must be md5, sha1, sha224, sha256, sha384 or sha512"))?,
                SystemSecrets.read(&SecretRef::File(file.clone()))?,
            )),
            _ => None,
        };
        let privacy = match (&self.privacy, &self.privacy_password_file) {
            (Some(name), Some(file)) => Some((
                parse_privacy(name)
                    .with_context(|| format!("--privacy {name}: must be des, aes128, aes192 or aes256"))?,
                SystemSecrets.read(&SecretRef::File(file.clone()))?,
            )),
            _ => None,
        };
        let user = self.user.as_deref().unwrap_or_default();
        Ok(Access::v3(user, auth.as_ref(), privacy.as_ref())?)
    }
}

fn parse_oid(text: &str) -> Result<Oid, String> {
    Oid::parse(text).ok_or_else(|| format!("{text:?} is no OID such as 1.3.6.1.4.1.41112"))
}

fn parse_target(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|mbps: &f64| *mbps > 0.0 && mbps.is_finite()).ok_or_else(|| "want Mbps above 0".to_owned())
}

fn parse_auth(name: &str) -> Option<AuthProtocol> {
    Some(match name {
        "md5" => AuthProtocol::Md5,
        "sha1" => AuthProtocol::Sha1,
        "sha224" => AuthProtocol::Sha224,
        "sha256" => AuthProtocol::Sha256,
        "sha384" => AuthProtocol::Sha384,
        "sha512" => AuthProtocol::Sha512,
        _ => return None,
    })
}

fn parse_privacy(name: &str) -> Option<PrivProtocol> {
    Some(match name {
        "des" => PrivProtocol::Des,
        "aes128" => PrivProtocol::Aes128,
        "aes192" => PrivProtocol::Aes192,
        "aes256" => PrivProtocol::Aes256,
        _ => return None,
    })
}

pub fn run(args: &ProbeArgs) -> anyhow::Result<ExitCode> {
    if let Some(file) = &args.replay {
        return replay(args, file);
    }
    let access = args.access.resolve()?;
    let [(_, access)] = <[_; 1]>::try_from(access).map_err(|_| anyhow::anyhow!("probe takes one --community-file"))?;
    let options = ProbeOptions {
        address: args.address.clone().unwrap_or_default(),
        access,
        profile: args.profile.clone(),
        timeout: args.timeout,
        target_mbps: args.target,
    };
    if args.watch {
        return watch_until(args, options);
    }
    if let Some(file) = &args.record {
        return save(args, options, file);
    }
    let report = runtime()?.block_on(command::probe(options))?;
    show(args, &report);
    Ok(ExitCode::SUCCESS)
}

fn show(args: &ProbeArgs, report: &ProbeReport) {
    if args.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", report.render(color()));
    }
}

fn watch_until(args: &ProbeArgs, options: ProbeOptions) -> anyhow::Result<ExitCode> {
    let terminal = std::io::stdout().is_terminal();
    let style = match (args.json, terminal) {
        (true, _) => Style::Json,
        (false, true) => Style::Redraw { color: color() },
        (false, false) => Style::Lines,
    };
    let show = |text: &str| {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    };
    runtime()?.block_on(async {
        let until = async {
            let interrupted = async { drop(tokio::signal::ctrl_c().await) };
            match args.duration {
                Some(span) => drop(tokio::time::timeout(span, interrupted).await),
                None => interrupted.await,
            }
        };
        Box::pin(watch::watch(options, WATCH_EVERY, style, args.bell && terminal, until, show)).await
    })?;
    Ok(ExitCode::SUCCESS)
}

fn save(args: &ProbeArgs, options: ProbeOptions, file: &Path) -> anyhow::Result<ExitCode> {
    if file.exists() {
        return Err(record::RecordError::Exists(file.to_owned()).into());
    }
    if args.record_all.is_some() {
        eprintln!(
            "walking up to {} objects, one packet each: a fragile radio may hang or restart; Ctrl-C ends",
            record::WALK_MAX
        );
    }
    let recorded = runtime()?.block_on(record::record(options, args.record_all.clone()))?;
    record::save(file, &recorded.text)?;
    show(args, &recorded.report);
    let lines = recorded.text.lines().count();
    eprintln!("\n{} has what it answered, {lines} lines. Read it before you send it:", file.display());
    eprintln!("names and addresses are blanked, numbers are not.");
    if recorded.walk_cut {
        eprintln!("The walk ended before the tree did.");
    }
    if !recorded.differs.is_empty() {
        eprintln!("Played back it reads in another way than the device:\n{}", recorded.differs.join("\n"));
    }
    Ok(ExitCode::SUCCESS)
}

fn replay(args: &ProbeArgs, file: &Path) -> anyhow::Result<ExitCode> {
    let (report, differs) = record::replay(file, args.profile.as_deref(), args.target)?;
    if args.json {
        let mut json = report.to_json();
        json["differs"] = serde_json::json!(differs);
        println!("{json}");
    } else {
        print!("{}", report.render(color()));
        match differs.as_deref() {
            None => {}
            Some([]) => eprintln!("\nas the file says (throughput needs two polls, and a recording is one)"),
            Some(lines) => eprintln!("\nthe file says (-) what is not read now (+):\n{}", lines.join("\n")),
        }
    }
    Ok(ExitCode::from(u8::from(differs.is_some_and(|lines| !lines.is_empty()))))
}
