//! `vedetta status` and `vedetta incidents`: the page's answer in a terminal. Who is below, since when, because of
//! which link, whose job.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::api::{Agent, Incident, Incidents, Promise, Site, Status};
use super::figures;
use super::summary::{headline, others_line};
use super::words;
use crate::alert::IncidentState;
use crate::alert::incident::{Condition, ProbableCause};
use crate::model::network::Language;
use crate::model::view::{Known, TargetState};

/// Where a hub listens unless its settings say otherwise.
pub const HUB_URL: &str = "http://127.0.0.1:8080";
/// A hub that does not answer for so long is not there.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The largest answer read: a thousand times the JSON of a link.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    #[error("{url}: must be an address like {HUB_URL}")]
    Address { url: String },
    #[error("no HTTP client could be made")]
    Client(#[source] reqwest::Error),
    #[error("the hub at {url} does not answer")]
    NoAnswer {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the hub at {url} refuses this host name: use an address, or the host of its public_url")]
    HostRefused { url: String },
    #[error(
        "the hub at {url} shows itself only to accounts: ask on its own machine, as its user, from its directory; or add \
         this address to web.open_to"
    )]
    NeedsAccount { url: String },
    #[error("the hub at {url} answered with status {status}")]
    Refused { url: String, status: u16 },
    #[error("the answer of {url} is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge { url: String },
    #[error("the answer of {url} is not what a hub says")]
    Malformed {
        url: String,
        #[source]
        source: serde_json::Error,
    },
}

/// Asks a hub for its status.
pub async fn fetch(hub_url: &str) -> Result<Status, StatusError> {
    get(hub_url, "api/v1/status").await
}

/// Asks a hub for its incidents, also those closed in the last seven days.
pub async fn fetch_incidents(hub_url: &str) -> Result<Incidents, StatusError> {
    get(hub_url, "api/v1/incidents").await
}

pub(super) async fn get<T: serde::de::DeserializeOwned>(hub_url: &str, path: &str) -> Result<T, StatusError> {
    let url = format!("{}/{path}", hub_url.trim_end_matches('/'));
    let parsed: reqwest::Url = url.parse().map_err(|_| StatusError::Address { url: hub_url.to_owned() })?;
    let client = client(&parsed)?;
    let token = local_token(&parsed);
    let no_answer = |source| StatusError::NoAnswer { url: hub_url.to_owned(), source };
    let request = client.get(parsed);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let mut answer = request.send().await.map_err(no_answer)?;
    match answer.status().as_u16() {
        200 => {}
        401 => return Err(StatusError::NeedsAccount { url: hub_url.to_owned() }),
        421 => return Err(StatusError::HostRefused { url: hub_url.to_owned() }),
        status => return Err(StatusError::Refused { url: hub_url.to_owned(), status }),
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(StatusError::TooLarge { url: hub_url.to_owned() });
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|source| StatusError::Malformed { url: hub_url.to_owned(), source })
}

/// The operator's token, for a hub on this very machine: it goes nowhere else.
fn local_token(url: &reqwest::Url) -> Option<String> {
    let host = url.host_str()?.trim_matches(['[', ']']);
    let local = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    local.then(|| super::incidents::token(None).ok()).flatten()
}

pub(super) fn client(url: &reqwest::Url) -> Result<reqwest::Client, StatusError> {
    let bad = || StatusError::Address { url: url.to_string() };
    let builder = reqwest::Client::builder().timeout(ANSWER_MAX).redirect(reqwest::redirect::Policy::none());
    let builder = match url.scheme() {
        "https" => {
            // An error means that another part of the process installed it first: the same one.
            let _ = rustls::crypto::ring::default_provider().install_default();
            builder
        }
        // Without this the client would look for the machine's certificates, and fail where there are none.
        "http" => builder.tls_backend_preconfigured(no_tls()),
        _ => return Err(bad()),
    };
    // A proxy has no way to a loopback address.
    let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let builder = if loopback { builder.no_proxy() } else { builder };
    builder.build().map_err(StatusError::Client)
}

/// A TLS set-up that trusts nobody: for plain HTTP only.
fn no_tls() -> rustls::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

impl Status {
    /// 0: every promise is kept as far as is known; 1: somebody is below target.
    pub fn exit_code(&self) -> u8 {
        let below = |p: &Promise| p.state == TargetState::Below.as_str();
        u8::from(self.sites.iter().any(|s| below(&s.downstream) || s.upstream.as_ref().is_some_and(below)))
    }
}

impl Incidents {
    /// 0: nothing is open; 1: something is.
    pub fn exit_code(&self) -> u8 {
        let open = |i: &Incident| i.state == IncidentState::Open.as_str() || i.state == IncidentState::Closing.as_str();
        u8::from(self.incidents.iter().any(open))
    }
}

/// The status as a table: the headline, who is below or unknown, and the open incidents.
pub fn render(status: &Status, color: bool, language: Language) -> String {
    let links = status.links.iter().map(|l| (l.link.as_str(), l.name.as_str())).collect();
    let p = Printer { color, language, now: civil(&status.generated_at), links };
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}  {}",
        p.paint(Paint::Bold, &clean(&status.network.name)),
        p.paint(Paint::Dim, &format!("{} ({})", p.moment(&status.generated_at), clean(&status.network.time_zone)))
    );
    if status.simulated {
        let _ = writeln!(out, "{}", p.paint(Paint::Dim, words::Words::of(language).simulated));
    }
    if let Some(since) = &status.blind_since {
        let text = format!("{} {}.", words::Words::of(language).blind, p.moment(since));
        let _ = writeln!(out, "{}", p.paint(Paint::Warn, &text));
    }
    let _ = writeln!(out, "{}", headline(&status.summary, language));
    if let Some(others) = others_line(&status.summary, language) {
        let _ = writeln!(out, "{others}");
    }
    let mut rows: Vec<_> = status.sites.iter().flat_map(promises).filter(|(_, _, d)| d.state != "met").collect();
    rows.sort_by(|a, b| site_rank(a).total_cmp(&site_rank(b)).then_with(|| a.0.name.cmp(&b.0.name)));
    if !rows.is_empty() {
        out.push('\n');
        out.push_str(&p.sites(&rows));
    }
    if !status.agents.is_empty() {
        out.push('\n');
        out.push_str(&p.agents(&status.agents));
    }
    let open: Vec<&Incident> = status.incidents.iter().filter(|i| i.id.is_some() && i.caused_by.is_empty()).collect();
    if !open.is_empty() {
        out.push('\n');
        out.push_str(&p.incidents(&open));
    }
    out
}

/// All incidents that the hub still tells of, as a table.
pub fn render_incidents(incidents: &Incidents, color: bool, language: Language) -> String {
    let p = Printer { color, language, now: civil(&incidents.generated_at), links: BTreeMap::new() };
    let told: Vec<&Incident> = incidents.incidents.iter().filter(|i| i.id.is_some()).collect();
    if told.is_empty() {
        return format!("{}\n", words::Words::of(language).no_incidents);
    }
    p.incidents(&told)
}

/// A clock further off than this is named, ms.
const CLOCK_ERROR_MS_MAX: u64 = 5_000;

fn in_trouble(a: &Agent) -> bool {
    let d = &a.delivery;
    a.online != Some(true)
        || d.missing_batches > 0
        || d.held_batches > 0
        || a.lost_batches.max(d.lost_batches) > 0
        || a.clock_error_ms.is_some_and(|ms| ms.unsigned_abs() > CLOCK_ERROR_MS_MAX)
}

type Row<'a> = (&'a Site, bool, &'a Promise);

fn promises(site: &Site) -> impl Iterator<Item = Row<'_>> {
    std::iter::once((site, false, &site.downstream)).chain(site.upstream.iter().map(move |up| (site, true, up)))
}

/// Those below first, the worst share first; then the unknown.
fn site_rank((_, _, d): &Row<'_>) -> f64 {
    if d.state == TargetState::Below.as_str() {
        (d.together_mbps_low.unwrap_or(0.0) / d.target_mbps.max(1e-9)).min(1.0)
    } else {
        2.0
    }
}

fn civil(rfc3339: &str) -> Option<jiff::civil::DateTime> {
    rfc3339.parse().ok()
}

/// Without what could command a terminal: names come from files and radios.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Paint {
    Plain,
    Bold,
    Dim,
    Bad,
    Warn,
}

struct Printer<'a> {
    color: bool,
    language: Language,
    now: Option<jiff::civil::DateTime>,
    /// Names of links, bundles and backhauls by id.
    links: BTreeMap<&'a str, &'a str>,
}

impl Printer<'_> {
    fn pick(&self, italian: &'static str, english: &'static str) -> &'static str {
        match self.language {
            Language::Italian => italian,
            Language::English => english,
        }
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Plain => "",
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Bad => "1;31",
            Paint::Warn => "33",
        };
        if self.color && !code.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// The wall time that an RFC 3339 text carries, as short as it can be.
    fn moment(&self, rfc3339: &str) -> String {
        match (civil(rfc3339), self.now) {
            (Some(at), Some(now)) => figures::moment(at, now, self.language),
            _ => clean(rfc3339),
        }
    }

    fn mbps(&self, value: f64) -> String {
        figures::mbps(value, self.language)
    }

    fn together(&self, d: &Promise) -> String {
        match (d.together_mbps, d.together_mbps_low, d.together_mbps_high) {
            (Some(exact), ..) => self.mbps(exact),
            (None, low, Some(high)) => format!("{}–{}", self.mbps(low.unwrap_or(0.0)), self.mbps(high)),
            (None, Some(low), None) if low > 0.0 => format!("≥ {}", self.mbps(low)),
            _ => "—".to_owned(),
        }
    }

    fn sites(&self, rows: &[Row<'_>]) -> String {
        let heads = [
            Column::left(self.pick("SITO", "SITE")),
            Column::right(self.pick("INSIEME", "TOGETHER")),
            Column::right(self.pick("PROMESSI", "PROMISED")),
            Column::right(self.pick("DA SOLO", "ALONE")),
            Column::left(self.pick("NOTA", "KNOWN")),
            Column::left(self.pick("TRATTA CHE LIMITA", "LIMITING LINK")),
            Column::left(self.pick("OPERATORE", "OPERATOR")),
            Column::left(self.pick("DA QUANDO", "SINCE")),
            Column::left(self.pick("AVVISO", "INCIDENT")),
        ];
        let cells = rows.iter().map(|(site, upstream, d)| self.site_cells(site, *upstream, d)).collect();
        self.table(&heads, cells)
    }

    fn site_cells(&self, site: &Site, upstream: bool, d: &Promise) -> Vec<(Paint, String)> {
        let below = d.state == TargetState::Below.as_str();
        let name = if upstream {
            format!("{} ({})", site.name, words::Words::of(self.language).upstream)
        } else {
            site.name.clone()
        };
        let limit = match (&d.bottleneck_name, d.unknown_because.first()) {
            (Some(name), _) => name.clone(),
            (None, Some(unknown)) => self.links.get(unknown.as_str()).map_or(unknown.clone(), |n| format!("{n}?")),
            (None, None) => String::new(),
        };
        let own = words::Words::of(self.language).own_network;
        let wisp =
            d.wisp_name.clone().unwrap_or_else(|| if d.bottleneck.is_some() { own.to_owned() } else { String::new() });
        let plain = |text: String| (Paint::Plain, text);
        vec![
            (Paint::Bold, name),
            (if below { Paint::Bad } else { Paint::Warn }, self.together(d)),
            plain(self.mbps(d.target_mbps)),
            plain(d.alone_mbps.map_or_else(|| "—".to_owned(), |v| self.mbps(v))),
            plain(self.known(&d.known)),
            plain(limit),
            plain(wisp),
            plain(d.since.as_deref().map_or_else(String::new, |t| self.moment(t))),
            plain(d.incidents.join(" ")),
        ]
    }

    /// How the agents' data arrive: one line where all is well, else a table of those in trouble.
    fn agents(&self, agents: &[Agent]) -> String {
        let trouble: Vec<&Agent> = agents.iter().filter(|a| in_trouble(a)).collect();
        if trouble.is_empty() {
            let (heads, tail) = (
                self.pick("Raccolta dei dati: sonde", "Data collection: agents"),
                self.pick("tutte in linea, nulla manca, nulla è perso", "all online, nothing missing, nothing lost"),
            );
            return format!("{heads} {}, {tail}.\n", agents.len());
        }
        let heads = [
            Column::left(self.pick("SONDA", "AGENT")),
            Column::left(self.pick("STATO", "STATE")),
            Column::right(self.pick("RITARDO", "LAG")),
            Column::right(self.pick("MANCANTI", "GAP")),
            Column::right(self.pick("RECUPERO", "FULL IN")),
            Column::right(self.pick("PERSI", "LOST")),
            Column::right(self.pick("DA DATARE", "NO TIME YET")),
            Column::right(self.pick("OROLOGIO", "CLOCK")),
        ];
        let seconds = |secs: Option<u64>| secs.map_or_else(|| "—".to_owned(), |s| format!("{s} s"));
        let count = |n: u64| figures::count(n, self.language);
        let cells = |a: &&Agent| {
            let (paint, state) = match a.online {
                Some(true) => (Paint::Plain, self.pick("in linea", "online")),
                Some(false) => (Paint::Bad, self.pick("non raggiungibile", "cut off")),
                None => (Paint::Warn, self.pick("mai sentita", "never heard")),
            };
            let lost = a.lost_batches.max(a.delivery.lost_batches);
            let clock = a.clock_error_ms.map_or_else(
                || "—".to_owned(),
                |ms| format!("{} s", figures::decimal(ms as f64 / 1000.0, 1, self.language)),
            );
            vec![
                (Paint::Bold, a.name.clone()),
                (paint, state.to_owned()),
                (Paint::Plain, seconds(a.delivery.lag_secs)),
                (Paint::Plain, count(a.delivery.missing_batches)),
                (Paint::Plain, seconds(a.delivery.drain_secs)),
                (if lost > 0 { Paint::Bad } else { Paint::Plain }, count(lost)),
                (Paint::Plain, count(a.delivery.held_batches)),
                (Paint::Plain, clock),
            ]
        };
        self.table(&heads, trouble.iter().map(cells).collect())
    }

    fn incidents(&self, incidents: &[&Incident]) -> String {
        let heads = [
            Column::left(self.pick("AVVISO", "INCIDENT")),
            Column::left(self.pick("CHE COSA", "WHAT")),
            Column::left(self.pick("DOVE", "WHERE")),
            Column::left(self.pick("STATO", "STATE")),
            Column::left(self.pick("DA QUANDO", "SINCE")),
            Column::left(self.pick("OPERATORE", "OPERATOR")),
            Column::right("MBPS"),
            Column::right(self.pick("RESIDENTI", "RESIDENTS")),
            Column::left(self.pick("CAUSA PROBABILE", "PROBABLE CAUSE")),
        ];
        let cells = incidents.iter().map(|i| self.incident_cells(i)).collect();
        self.table(&heads, cells)
    }

    /// `, in carico (T-2231)`
    fn charge(&self, i: &Incident) -> String {
        let ticket = i.ticket.as_ref().map(|ticket| format!(" ({})", clean(ticket))).unwrap_or_default();
        match &i.acknowledged {
            Some(_) => format!(", {}{ticket}", self.pick("in carico", "acknowledged")),
            None => String::new(),
        }
    }

    fn incident_cells(&self, i: &Incident) -> Vec<(Paint, String)> {
        let figures = match (i.measured_mbps, i.required_mbps) {
            (Some(measured), Some(required)) => format!("{}/{}", self.mbps(measured), self.mbps(required)),
            _ => String::new(),
        };
        let closed = i.state == IncidentState::Closed.as_str();
        let cause = if i.caused_by.is_empty() { self.cause(&i.probable_cause) } else { i.caused_by.join(" ") };
        let since = match &i.closed {
            Some(closed) => format!("{} → {}", self.moment(&i.since), self.moment(closed)),
            None => self.moment(&i.since),
        };
        let plain = |text: String| (if closed { Paint::Dim } else { Paint::Plain }, text);
        vec![
            (if closed { Paint::Dim } else { Paint::Bold }, i.id.clone().unwrap_or_default()),
            plain(self.condition(&i.condition)),
            plain(i.name.clone()),
            plain(self.state(&i.state) + &self.charge(i)),
            plain(since),
            plain(i.wisp_name.clone().unwrap_or_default()),
            plain(figures),
            plain(if i.residents > 0 { figures::count(u64::from(i.residents), self.language) } else { String::new() }),
            plain(cause),
        ]
    }

    // A hub may be newer than this program: a word that is not known here is shown as it came.

    fn known(&self, word: &str) -> String {
        let all = [Known::Verified, Known::Estimated, Known::Declared, Known::NotMeasurable];
        let found = all.into_iter().find(|k| k.as_str() == word);
        found.map_or_else(|| word.to_owned(), |k| words::known(k, self.language).to_owned())
    }

    fn condition(&self, word: &str) -> String {
        let found = Condition::ALL.into_iter().find(|c| c.as_str() == word);
        found.map_or_else(|| word.to_owned(), |c| words::condition(c, self.language).to_owned())
    }

    fn state(&self, word: &str) -> String {
        let all = [IncidentState::Pending, IncidentState::Open, IncidentState::Closing, IncidentState::Closed];
        let found = all.into_iter().find(|s| s.as_str() == word);
        found.map_or_else(|| word.to_owned(), |s| words::incident_state(s, self.language).to_owned())
    }

    fn cause(&self, word: &str) -> String {
        use ProbableCause::{Congestion, Equipment, Interference, Misalignment, PortRate, Power, RainFade, Unknown};
        let all = [Unknown, RainFade, Misalignment, Interference, Congestion, PortRate, Power, Equipment];
        let found = all.into_iter().find(|c| super::answer::cause_word(*c) == word);
        found.map_or_else(|| word.to_owned(), |c| words::cause(c, self.language).to_owned())
    }

    fn table(&self, heads: &[Column], rows: Vec<Vec<(Paint, String)>>) -> String {
        let rows: Vec<Vec<(Paint, String)>> =
            rows.into_iter().map(|r| r.into_iter().map(|(paint, text)| (paint, clean(&text))).collect()).collect();
        let width = |i: usize| {
            let cells = rows.iter().filter_map(|r| r.get(i)).map(|(_, text)| text.chars().count());
            cells.chain([heads[i].head.chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        let mut out = String::new();
        let head: Vec<(Paint, String)> = heads.iter().map(|h| (Paint::Dim, h.head.to_owned())).collect();
        for row in std::iter::once(&head).chain(&rows) {
            let mut line = String::new();
            for ((column, width), (paint, text)) in heads.iter().zip(&widths).zip(row) {
                let space = " ".repeat(width.saturating_sub(text.chars().count()));
                let painted = self.paint(*paint, text);
                if !line.is_empty() {
                    line.push_str("  ");
                }
                line.push_str(&if column.right { space + &painted } else { painted + &space });
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

struct Column {
    head: &'static str,
    right: bool,
}

impl Column {
    fn left(head: &'static str) -> Self {
        Self { head, right: false }
    }

    fn right(head: &'static str) -> Self {
        Self { head, right: true }
    }
}
