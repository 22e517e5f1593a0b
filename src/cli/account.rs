//! `vedetta account`: who may log in; `vedetta share`: links of operators and places; `vedetta access`: who did.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::json;

use super::language;
use crate::access::accounts::{Account, Accounts, Role, Share, Whose, check_name};
use crate::access::journal::{self, Broken, Entry, What};
use crate::access::{self, ACCOUNTS_FILE};
use crate::model::network::Language;
use crate::web::incidents::clean;
use crate::web::status::HUB_URL;

/// The data directory of `vedetta run` in its usual place, and of an installed hub.
const DIRS: [&str; 2] = ["data/hub", "/var/lib/vedetta"];
/// Lines that `vedetta access` prints, unless told otherwise.
const LINES: usize = 50;

#[derive(Debug, Args)]
struct DirArgs {
    /// The hub's data directory; without it data/hub and /var/lib/vedetta are looked for
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

impl DirArgs {
    fn dir(&self) -> anyhow::Result<PathBuf> {
        match &self.data_dir {
            Some(dir) if dir.is_dir() => Ok(dir.clone()),
            Some(dir) => anyhow::bail!("{}: is not a directory; name the hub's data_dir", dir.display()),
            None => DIRS.iter().map(PathBuf::from).find(|dir| dir.is_dir()).with_context(|| {
                format!("neither {} nor {} is here; name the hub's data_dir with --data-dir", DIRS[0], DIRS[1])
            }),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta account add anna                     a password and a QR code for an authenticator
  vedetta account add wall --role reader       a screen on the wall: it only looks
  vedetta account renew anna                   a lost telephone: another password, another code
  vedetta account remove anna                  ends what she has open, too
  vedetta account list --json --data-dir /var/lib/vedetta

Run it on the hub's machine as the hub's user; the hub need not be restarted. The password is made
for you and shown once: keep it in a password manager. What is done here is in the access log.")]
pub struct AccountArgs {
    #[command(flatten)]
    dir: DirArgs,
    #[command(subcommand)]
    command: Option<AccountCommand>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArg {
    /// Sees everything; takes charge, announces works, suspends the contract's clock
    Staff,
    /// Sees everything
    Reader,
}

impl RoleArg {
    const fn role(self) -> Role {
        match self {
            Self::Staff => Role::Staff,
            Self::Reader => Role::Reader,
        }
    }
}

#[derive(Debug, Subcommand)]
enum AccountCommand {
    /// Who may log in (the default)
    #[command(after_help = "Example:\n  vedetta account list --json")]
    List,
    /// A new account
    #[command(after_help = "Example:\n  vedetta account add anna --data-dir /var/lib/vedetta")]
    Add {
        /// a-z, 0-9, `.`, `-`, `_`
        #[arg(value_name = "NAME")]
        name: String,
        #[arg(long, value_enum, default_value = "staff")]
        role: RoleArg,
        /// A password of your own: the first line of this file, 12 characters at least
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Another password and another code; sessions that are open end
    #[command(after_help = "Example:\n  vedetta account renew anna")]
    Renew {
        #[arg(value_name = "NAME")]
        name: String,
        /// A password of your own: the first line of this file, 12 characters at least
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// No longer; sessions that are open end
    #[command(after_help = "Example:\n  vedetta account remove anna")]
    Remove {
        #[arg(value_name = "NAME")]
        name: String,
    },
}

fn pick(italian: &'static str, english: &'static str) -> &'static str {
    match language() {
        Language::Italian => italian,
        Language::English => english,
    }
}

/// RFC 3339, to the second.
fn now() -> String {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default().to_string()
}

/// A new account with its password, made or from a file.
fn make(role: Role, password_file: Option<&PathBuf>) -> anyhow::Result<(Account, Option<String>)> {
    let (password, made) = match password_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            (text.lines().next().unwrap_or_default().to_owned(), false)
        }
        None => (access::password(), true),
    };
    let account = Account::new(role, &password, access::chance(), now())?;
    Ok((account, made.then_some(password)))
}

/// `vedetta account`.
pub fn account(args: &AccountArgs) -> anyhow::Result<ExitCode> {
    let dir = args.dir.dir()?;
    let mut all = access::read(&dir)?;
    match &args.command {
        None | Some(AccountCommand::List) => list(&all, args.dir.json),
        Some(AccountCommand::Add { name, role, password_file }) => {
            check_name(name)?;
            let (account, password) = make(role.role(), password_file.as_ref())?;
            all.add(name, account.clone())?;
            save(&dir, &all, name, What::AccountAdded)?;
            tell(name, &account, password.as_deref(), args.dir.json);
        }
        Some(AccountCommand::Renew { name, password_file }) => {
            let role = all.get(name).map_or(Role::Reader, |a| a.role);
            let (account, password) = make(role, password_file.as_ref())?;
            all.replace(name, account.clone())?;
            save(&dir, &all, name, What::AccountRenewed)?;
            tell(name, &account, password.as_deref(), args.dir.json);
        }
        Some(AccountCommand::Remove { name }) => {
            all.remove(name)?;
            save(&dir, &all, name, What::AccountRemoved)?;
            if args.dir.json {
                println!("{}", json!({ "removed": name }));
            } else {
                println!("{name}: {}", pick("rimosso", "removed"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Written down first: what cannot be is not done.
fn save(dir: &std::path::Path, all: &Accounts, name: &str, what: What) -> anyhow::Result<()> {
    access::note_from_terminal(dir, name, what)?;
    access::write(dir, all)
}

fn list(all: &Accounts, as_json: bool) {
    if as_json {
        let accounts: Vec<_> =
            all.iter().map(|(name, a)| json!({ "name": name, "role": a.role, "made_at": a.made_at })).collect();
        println!("{}", json!({ "accounts": accounts }));
        return;
    }
    if all.is_empty() {
        println!("{}", pick("Nessun account: vedetta account add NOME", "No account: vedetta account add NAME"));
    }
    for (name, account) in all.iter() {
        println!("{name:<24} {:<8} {}", account.role.as_str(), account.made_at);
    }
}

/// What the person needs, once.
fn tell(name: &str, account: &Account, password: Option<&str>, as_json: bool) {
    let uri = account.otpauth(name, "hub");
    if as_json {
        println!("{}", json!({ "name": name, "role": account.role, "password": password, "otpauth": uri }));
        return;
    }
    println!("{:<10} {name} ({})", pick("Nome", "Name"), account.role.as_str());
    println!("{:<10} {}", "Password", password.unwrap_or(pick("quella del file", "that of the file")));
    println!("{:<10} {uri}", pick("Codice", "Code"));
    if std::io::stdout().is_terminal()
        && let Ok(code) = qrcode::QrCode::new(uri.as_bytes())
    {
        println!("\n{}", code.render::<qrcode::render::unicode::Dense1x2>().build());
    }
    println!(
        "{}",
        pick(
            "Si vedono solo adesso: password in un gestore di password, codice in un autenticatore del telefono.",
            "They are shown only now: the password for a password manager, the code for a telephone's authenticator."
        )
    );
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta share add wisp:langhenet --url https://vedetta.example
  vedetta share add site:bossolasco --url https://vedetta.example
  vedetta share remove wisp:langhenet          the address ends at once
  vedetta share list --json

An operator sees its own links and backhauls and their incidents; a place what it was promised and
has, and which link limits it. Nothing of others, no addresses, no people. Whoever has the address
sees the page; it changes nothing. `add` for one that has a link makes another: the old one ends.
Run it on the hub's machine as the hub's user; the hub need not be restarted.")]
pub struct ShareArgs {
    #[command(flatten)]
    dir: DirArgs,
    #[command(subcommand)]
    command: Option<ShareCommand>,
}

#[derive(Debug, Subcommand)]
enum ShareCommand {
    /// Whose links there are (the default)
    #[command(after_help = "Example:\n  vedetta share list --json")]
    List {
        /// The public_url of the hub
        #[arg(long, value_name = "URL", default_value = HUB_URL)]
        url: String,
    },
    /// A new link
    #[command(after_help = "Example:\n  vedetta share add wisp:langhenet --url https://vedetta.example")]
    Add {
        /// `wisp:ID` or `site:ID`, as the inventory has it
        #[arg(value_name = "WHOSE", value_parser = parse_whose)]
        whose: Whose,
        /// The public_url of the hub
        #[arg(long, value_name = "URL", default_value = HUB_URL)]
        url: String,
    },
    /// No longer
    #[command(after_help = "Example:\n  vedetta share remove wisp:langhenet")]
    Remove {
        #[arg(value_name = "WHOSE", value_parser = parse_whose)]
        whose: Whose,
    },
}

fn parse_whose(text: &str) -> Result<Whose, String> {
    Whose::parse(text).ok_or_else(|| format!("{text:?} is neither wisp:ID nor site:ID"))
}

/// `vedetta share`.
pub fn share(args: &ShareArgs) -> anyhow::Result<ExitCode> {
    let dir = args.dir.dir()?;
    let mut all = access::read(&dir)?;
    let address = |url: &str, word: &str| format!("{}/s/{word}", url.trim_end_matches('/'));
    match args.command.as_ref() {
        None => list_shares(&all, |word| address(HUB_URL, word), args.dir.json),
        Some(ShareCommand::List { url }) => list_shares(&all, |word| address(url, word), args.dir.json),
        Some(ShareCommand::Add { whose, url }) => {
            let share = Share { word: access::share_word(), made_at: now() };
            let address = address(url, &share.word);
            all.add_share(whose, share)?;
            save(&dir, &all, &whose.to_string(), What::LinkAdded)?;
            if args.dir.json {
                println!("{}", json!({ "whose": whose.to_string(), "address": address }));
            } else {
                println!("{address}");
            }
        }
        Some(ShareCommand::Remove { whose }) => {
            all.remove_share(whose)?;
            save(&dir, &all, &whose.to_string(), What::LinkRemoved)?;
            if args.dir.json {
                println!("{}", json!({ "removed": whose.to_string() }));
            } else {
                println!("{whose}: {}", pick("ritirato", "withdrawn"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list_shares(all: &Accounts, address: impl Fn(&str) -> String, as_json: bool) {
    if as_json {
        let shares: Vec<_> = all
            .shares()
            .map(|(whose, s)| json!({ "whose": whose, "address": address(&s.word), "made_at": s.made_at }))
            .collect();
        println!("{}", json!({ "shares": shares }));
        return;
    }
    for (whose, share) in all.shares() {
        println!("{whose:<32} {}  {}", share.made_at, address(&share.word));
    }
    if all.shares().next().is_none() {
        println!("{}", pick("Nessuno: vedetta share add wisp:ID", "None: vedetta share add wisp:ID"));
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedetta access                       the last 50 lines, and whether the chain holds
  vedetta access --all --json          everything, for a script
  vedetta access --head DIGEST         whether this digest, noted at an earlier time, is still in the chain

Each line carries the digest of the line before it: what was changed, removed or inserted shows.
Whoever can rewrite the whole file can make a new chain: so the hub's own log has each digest too
(message `access`, field `hash`), and --head compares with one. Lines are kept for 13 months.
Exit code 0: the chain holds; 1: it is broken, or cannot be read.")]
pub struct AccessArgs {
    #[command(flatten)]
    dir: DirArgs,
    /// Every line
    #[arg(long)]
    all: bool,
    /// A digest that must be in the chain
    #[arg(long, value_name = "DIGEST")]
    head: Option<String>,
}

/// `vedetta access`.
pub fn access(args: &AccessArgs) -> anyhow::Result<ExitCode> {
    let path = args.dir.dir()?.join(journal::FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !path.with_file_name(ACCOUNTS_FILE).exists() => {
            String::new()
        }
        Err(e) => return Err(e).with_context(|| path.display().to_string()),
    };
    let (entries, broken) = journal::verify(&text);
    let missing = args.head.as_ref().is_some_and(|head| !entries.iter().any(|e| e.hash == *head));
    let older = if args.all { 0 } else { entries.len().saturating_sub(LINES) };
    let shown = &entries[older..];
    if args.dir.json {
        let why = broken.as_ref().map(ToString::to_string);
        let head = entries.last().map(|e| e.hash.as_str());
        println!("{}", json!({ "entries": shown, "broken": why, "head": head, "head_found": !missing }));
    } else {
        print!("{}", render(shown, &entries, broken.as_ref(), missing));
    }
    Ok(if broken.is_some() || missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn render(shown: &[Entry], all: &[Entry], broken: Option<&Broken>, missing: bool) -> String {
    let mut out = String::new();
    for e in shown {
        let at = e.at.parse::<Timestamp>().map_or_else(
            |_| e.at.clone(),
            |at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        );
        let what = match e.what {
            What::Login => pick("entra", "in"),
            What::LoginFailed => pick("respinto", "refused"),
            What::Logout => pick("esce", "out"),
            What::AccountAdded => pick("account nuovo", "new account"),
            What::AccountRenewed => pick("account rinnovato", "account renewed"),
            What::AccountRemoved => pick("account rimosso", "account removed"),
            What::LinkAdded => pick("collegamento nuovo", "new link"),
            What::LinkRemoved => pick("collegamento ritirato", "link withdrawn"),
        };
        let note = e.note.as_deref().unwrap_or_default();
        let line = format!("{:>6}  {at}  {:<16} {what:<18} {} {note}", e.n, e.who, e.from);
        let _ = writeln!(out, "{}", clean(&line).trim_end());
    }
    let _ = match (broken, all.last()) {
        (Some(broken), _) => writeln!(out, "{}: {broken}", pick("REGISTRO ALTERATO", "THE LOG WAS TAMPERED WITH")),
        (None, Some(last)) => {
            writeln!(
                out,
                "{} {} {}",
                all.len(),
                pick("righe, catena integra fino a", "lines, chain whole up to"),
                last.hash
            )
        }
        (None, None) => writeln!(out, "{}", pick("Nessun accesso registrato.", "No access was recorded.")),
    };
    if missing {
        let said = pick("Il digest richiesto NON è nella catena.", "The digest asked for is NOT in the chain.");
        let _ = writeln!(out, "{said}");
    }
    out
}
