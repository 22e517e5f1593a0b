//! `vedetta incidents show`, its changes, and `vedetta rodaggio`: the terminal's side of [`super::desk`].

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::desk::{Changed, DeskStatus, Failure, Shown};
use super::heartbeat::Jobs;
use super::status::{self, StatusError};
use crate::model::network::Language;

/// Where a hub keeps its token: of `vedetta run` in its usual directory, and of an installed hub.
const TOKEN_FILES: [&str; 2] = ["data/hub/operator.token", "/var/lib/vedetta/operator.token"];

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("no token: neither {} nor {} can be read; name the hub's operator.token with --token-file", TOKEN_FILES[0], TOKEN_FILES[1])]
    NoToken,
    #[error("token file {0}")]
    Token(PathBuf, #[source] std::io::Error),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Hub(#[from] StatusError),
}

/// Asks a hub for all that it knows of one incident.
pub async fn fetch(hub_url: &str, number: u64) -> Result<Shown, StatusError> {
    status::get(hub_url, &format!("api/v1/incidents/{number}")).await
}

/// Asks a hub for announced works and for who gets mails.
pub async fn fetch_desk(hub_url: &str) -> Result<DeskStatus, StatusError> {
    status::get(hub_url, "api/v1/desk").await
}

pub(super) fn token(file: Option<&Path>) -> Result<String, ChangeError> {
    let read = |path: &Path| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    match file {
        Some(path) => read(path).map_err(|e| ChangeError::Token(path.to_owned(), e)),
        None => TOKEN_FILES.iter().find_map(|p| read(Path::new(p)).ok()).ok_or(ChangeError::NoToken),
    }
}

/// Asks a hub for a change; `command` is the object that `POST /api/v1/desk` takes.
pub async fn change(hub_url: &str, token_file: Option<&Path>, command: &Value) -> Result<Changed, ChangeError> {
    let token = token(token_file)?;
    let url = format!("{}/api/v1/desk", hub_url.trim_end_matches('/'));
    let parsed: reqwest::Url = url.parse().map_err(|_| StatusError::Address { url: hub_url.to_owned() })?;
    let no_answer = |source| StatusError::NoAnswer { url: hub_url.to_owned(), source };
    let request = status::client(&parsed)?.post(parsed).bearer_auth(token).body(command.to_string());
    let answer = request.send().await.map_err(no_answer)?;
    let code = answer.status().as_u16();
    let body = answer.bytes().await.map_err(no_answer)?;
    match code {
        200 => parse(hub_url, &body).map_err(Into::into),
        _ => match serde_json::from_slice::<Failure>(&body) {
            Ok(failure) => Err(ChangeError::Refused(failure.error)),
            Err(_) => Err(StatusError::Refused { url: hub_url.to_owned(), status: code }.into()),
        },
    }
}

/// Asks a hub for its backup jobs and the addresses at which they speak.
pub async fn fetch_backups(hub_url: &str, token_file: Option<&Path>) -> Result<Jobs, ChangeError> {
    let token = token(token_file)?;
    let url = format!("{}/api/v1/backups", hub_url.trim_end_matches('/'));
    let parsed: reqwest::Url = url.parse().map_err(|_| StatusError::Address { url: hub_url.to_owned() })?;
    let no_answer = |source| StatusError::NoAnswer { url: hub_url.to_owned(), source };
    let answer = status::client(&parsed)?.get(parsed).bearer_auth(token).send().await.map_err(no_answer)?;
    let code = answer.status().as_u16();
    let body = answer.bytes().await.map_err(no_answer)?;
    match code {
        200 => parse(hub_url, &body).map_err(Into::into),
        _ => match serde_json::from_slice::<Failure>(&body) {
            Ok(failure) => Err(ChangeError::Refused(failure.error)),
            Err(_) => Err(StatusError::Refused { url: hub_url.to_owned(), status: code }.into()),
        },
    }
}

/// The jobs with their addresses, for a person.
pub fn render_backups(jobs: &Jobs, language: Language) -> String {
    let mut out = String::new();
    if jobs.backups.is_empty() {
        out.push_str(pick(language, "L’inventario non ha lavori di backup.\n", "The inventory has no backup jobs.\n"));
    }
    for job in &jobs.backups {
        let time = |at: &Option<String>| at.as_deref().map_or_else(|| "–".to_owned(), wall);
        let _ = writeln!(out, "{}  {} ({})", clean(&job.job), clean(&job.name), clean(&job.site));
        for (italian, english, at) in [
            ("inizio", "start", &job.started_at),
            ("fine", "finish", &job.finished_at),
            ("errore", "fail", &job.failed_at),
        ] {
            let _ = writeln!(out, "  {:<7} {}", pick(language, italian, english), time(at));
        }
        let _ = writeln!(out, "  curl -fsS -X POST {}/start", clean(&job.address));
    }
    out
}

fn parse<T: DeserializeOwned>(url: &str, body: &[u8]) -> Result<T, StatusError> {
    serde_json::from_slice(body).map_err(|source| StatusError::Malformed { url: url.to_owned(), source })
}

/// `147` of `VED-147`, in any case, or of the bare number.
pub fn parse_token(text: &str) -> Result<u64, String> {
    let upper = text.trim().to_ascii_uppercase();
    let digits = upper.strip_prefix("VED-").unwrap_or(&upper);
    digits.parse().map_err(|_| format!("{text:?} is not an incident such as VED-147"))
}

fn pick(language: Language, italian: &'static str, english: &'static str) -> &'static str {
    match language {
        Language::Italian => italian,
        Language::English => english,
    }
}

/// What came from a hub, or from a file that others may have written, without control characters.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// `2026-11-24 06:57` of RFC 3339 text: it carries the network's wall time.
fn wall(rfc3339: &str) -> String {
    let text: String = clean(rfc3339).chars().take(16).collect();
    text.replacen('T', " ", 1)
}

/// One incident with its time line: transitions, mails, what was said, in order of time.
pub fn render(shown: &Shown, language: Language) -> String {
    let pick = |italian, english| pick(language, italian, english);
    let i = &shown.incident;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}  {} ({} {})  {}, {}",
        i.id.clone().unwrap_or_default(),
        clean(&i.name),
        clean(&i.subject_kind),
        clean(&i.subject),
        clean(&i.condition),
        clean(&i.state)
    );
    if let Some(wisp) = &i.wisp_name {
        let _ = writeln!(out, "{} {}", pick("Operatore:", "Operator:"), clean(wisp));
    }
    let mut lines: Vec<(String, String)> = Vec::new();
    for t in &shown.transitions {
        let mbps = t.measured_mbps.map(|m| format!(" ({m:.0} Mbps)")).unwrap_or_default();
        lines.push((t.at.clone(), format!("{}{mbps}", clean(&t.state))));
    }
    for n in &shown.notices {
        let sent = if n.sent { "" } else { pick(" (non inviata: rodaggio)", " (not sent: running in)") };
        lines.push((n.at.clone(), format!("mail {} → {}{sent}  [{}]", clean(&n.kind), clean(&n.to), n.why.join(", "))));
    }
    for e in &shown.entries {
        lines.push((e.at.clone(), format!("{} ({})  {}", clean(&e.act), clean(&e.by), clean(&e.text))));
    }
    lines.sort_by_key(|(at, _)| at.parse::<jiff::Timestamp>().ok());
    let _ = writeln!(out);
    for (at, text) in &lines {
        let _ = writeln!(out, "  {}  {}", wall(at), text.trim_end());
    }
    let clock = &shown.clock;
    let none = || pick("–", "–").to_owned();
    let time = |at: &Option<String>| at.as_deref().map_or_else(none, wall);
    let rows = [
        (pick("Avvisato", "Notified"), time(&clock.notified_at)),
        (pick("Preso in carico", "Acknowledged"), {
            let by = clock.acknowledged_by.as_deref().map(|by| format!("  {}", clean(by))).unwrap_or_default();
            format!("{}{by}", time(&clock.acknowledged_at))
        }),
        ("Ticket", clock.ticket.as_deref().map_or_else(none, clean)),
        (pick("Ripristino previsto", "Repair expected"), time(&clock.expected_repair_at)),
        (pick("Sospeso", "Suspended"), {
            let why = clock.suspended.as_deref().map(|why| format!("  {}", clean(why))).unwrap_or_default();
            format!("{} min{why}", clock.suspended_minutes)
        }),
        (pick("Ripristinato", "Restored"), time(&clock.restored_at)),
        (pick("A carico di", "Fault of"), clock.fault.as_deref().map_or_else(none, clean)),
        (pick("Durata", "Duration"), format!("{} min", clock.duration_minutes)),
        (pick("Sotto il minimo", "Below target"), format!("{} min", clock.below_minutes)),
    ];
    let _ = writeln!(out);
    for (label, value) in rows {
        let _ = writeln!(out, "  {label:<20} {value}");
    }
    out
}

/// Announced works that are not over.
pub fn render_windows(desk: &DeskStatus, language: Language) -> String {
    if desk.windows.is_empty() {
        return pick(language, "Nessun lavoro annunciato.\n", "No works are announced.\n").to_owned();
    }
    let mut out = String::new();
    for w in &desk.windows {
        let active = if w.active { pick(language, "  in corso", "  under way") } else { "" };
        let note = w.note.as_deref().map(|n| format!("  {}", clean(n))).unwrap_or_default();
        let _ = writeln!(
            out,
            "{:>4}  {} {}  {} – {}  {}{note}{active}",
            w.number,
            clean(&w.kind),
            clean(&w.id),
            wall(&w.from),
            wall(&w.to),
            clean(&w.by)
        );
    }
    out
}

/// Whether the network is running in, and which operators get mails.
pub fn render_rodaggio(desk: &DeskStatus, language: Language) -> String {
    let pick = |italian, english| pick(language, italian, english);
    let mut out = String::new();
    let rodaggio = &desk.rodaggio;
    let first = match (rodaggio.on, &rodaggio.until) {
        (true, Some(until)) => format!("{} {}", pick("In rodaggio fino al", "Running in until"), wall(until)),
        (_, Some(until)) => format!("{} {}", pick("Rodaggio finito il", "Running in ended on"), wall(until)),
        (_, None) => pick("Senza rodaggio", "No running in").to_owned(),
    };
    let _ = writeln!(out, "{first}");
    for o in &rodaggio.operators {
        let state = if o.on { pick("attivo", "on") } else { pick("non attivo", "off") };
        let by = match (&o.switched_at, &o.switched_by) {
            (Some(at), Some(by)) => format!("  {} {}", wall(at), clean(by)),
            _ => String::new(),
        };
        let none = if o.addresses == 0 { pick("  senza indirizzo", "  no address") } else { "" };
        let _ = writeln!(out, "  {:<24} {:<10}{by}{none}  {}", clean(&o.wisp), state, clean(&o.name));
    }
    out
}
