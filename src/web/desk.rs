//! What people ask and say over the API: an incident's whole history, announced works, who gets mails; and changes.
//!
//! `GET /api/v1/incidents/{number}`, `GET /api/v1/desk`, `POST /api/v1/desk`. A change is accepted only from this very
//! machine (a loopback peer) and with the word of the operator's token file in the `Authorization` header, which no
//! page elsewhere can make a browser send.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Path, Request, State};
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::figures::LocalClock;
use super::listen::Bounded;
use super::{SharedState, api, json};
use crate::alert::desk::{self, Act, Case, Command, Refusal, Touched};
use crate::alert::signed::LinkKeys;
use crate::alert::{Incident, IncidentState};
use crate::config::secret::Secret;
use crate::config::text::parse_duration;
use crate::model::UnixMillis;

/// A change is a few lines of text.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// The loop answers between two evaluations; one that is stuck is not waited for.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The times of a change, as keys of its JSON.
const TIMES: [&str; 3] = ["from", "to", "expected_repair"];

/// How the web reaches the loop.
#[derive(Clone)]
pub struct Desk {
    pub requests: mpsc::Sender<DeskRequest>,
    /// Whoever shows it may change things.
    pub token: Secret,
    /// What links in mails and forms are signed with.
    pub links: LinkKeys,
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpAddr>,
}

impl Desk {
    /// Whether the operator's token stands in the `Authorization` header.
    pub(super) fn is_shown_in(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        shown.and_then(|v| v.strip_prefix("Bearer ")).is_some_and(|shown| self.token.is(shown))
    }
}

/// What is asked of the loop.
pub enum DeskRequest {
    /// Apply it, write it down, then answer.
    Command {
        command: Command,
        by: String,
        reply: oneshot::Sender<Result<Touched, DeskError>>,
    },
    Show {
        incident: u64,
        reply: oneshot::Sender<Option<History>>,
    },
    /// With how long a running-in lasts.
    Desk {
        reply: oneshot::Sender<(desk::Desk, Duration)>,
    },
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the ledger does not take it now: try again")]
    NotWritten,
}

/// One mail about an incident, sent or only recorded.
#[derive(Debug, Clone)]
pub struct NoticeLine {
    pub at: UnixMillis,
    /// `wisp:ID`, `staff:ADDRESS` or `site:ID`.
    pub to: String,
    pub kind: &'static str,
    pub why: Vec<String>,
    pub sent: bool,
}

/// All that is known of one incident.
#[derive(Debug, Clone)]
pub struct History {
    pub incident: Incident,
    pub notices: Vec<NoticeLine>,
    pub case: Case,
    /// Why the probable cause was found, in sentences.
    pub reasons: Reasons,
}

/// One text in both languages.
#[derive(Debug, Clone, Default)]
pub struct Reasons {
    pub italian: String,
    pub english: String,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// `GET /api/v1/incidents/{number}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shown {
    pub incident: api::Incident,
    pub transitions: Vec<ShownTransition>,
    pub notices: Vec<ShownNotice>,
    pub clock: ContractClock,
    pub entries: Vec<ShownEntry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownTransition {
    pub at: String,
    pub state: String,
    pub measured_mbps: Option<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownNotice {
    pub at: String,
    pub to: String,
    pub kind: String,
    pub why: Vec<String>,
    /// False: recorded only, for the recipient is not switched on.
    pub sent: bool,
}

/// Something that somebody said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownEntry {
    pub at: String,
    pub by: String,
    /// `acknowledge`, `suspend`, `resume` or `fault`.
    pub act: String,
    pub text: String,
}

/// The times that a contract counts. Null: not yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ContractClock {
    /// First mail to the operator.
    pub notified_at: Option<String>,
    pub acknowledged_at: Option<String>,
    pub acknowledged_by: Option<String>,
    pub ticket: Option<String>,
    pub expected_repair_at: Option<String>,
    /// Why it stands still now.
    pub suspended: Option<String>,
    pub suspended_minutes: u64,
    pub restored_at: Option<String>,
    pub fault: Option<String>,
    /// From the beginning to the end, or to now.
    pub duration_minutes: u64,
    /// Known to be in breach: time without readings, or with a blind hub, is nobody's.
    pub below_minutes: u64,
}

/// `GET /api/v1/desk`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeskStatus {
    pub rodaggio: RodaggioStatus,
    /// Not over and not taken back, in order of number.
    pub windows: Vec<ShownWindow>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RodaggioStatus {
    pub on: bool,
    /// Null where there is no running-in.
    pub until: Option<String>,
    pub operators: Vec<OperatorStatus>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OperatorStatus {
    pub wisp: String,
    pub name: String,
    pub addresses: usize,
    /// It gets mails.
    pub on: bool,
    pub switched_at: Option<String>,
    pub switched_by: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShownWindow {
    pub number: u64,
    pub kind: String,
    pub id: String,
    pub from: String,
    pub to: String,
    pub note: Option<String>,
    pub by: String,
    pub wisp: Option<String>,
    /// Under way now.
    pub active: bool,
}

/// The answer to a change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Changed {
    /// False: it was so already.
    pub changed: bool,
    /// Of a new maintenance window.
    #[serde(default)]
    pub window: Option<u64>,
}

/// A refusal, for people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    pub error: String,
}

pub(super) async fn ask<T>(desk: &Desk, request: impl FnOnce(oneshot::Sender<T>) -> DeskRequest) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        desk.requests.send(request(reply)).await.ok()?;
        answer.await.ok()
    };
    tokio::time::timeout(ANSWER_MAX, asked).await.ok().flatten()
}

fn failed(status: StatusCode, error: impl Into<String>) -> Response {
    let body = serde_json::to_string(&Failure { error: error.into() }).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn busy() -> Response {
    failed(StatusCode::SERVICE_UNAVAILABLE, "the hub does not answer now: try again")
}

pub(super) async fn show(State(shared): SharedState, Path(number): Path<u64>, headers: HeaderMap) -> Response {
    let Some(desk) = &shared.state.desk else { return busy() };
    match ask(desk, |reply| DeskRequest::Show { incident: number, reply }).await {
        Some(Some(history)) => json(&shown(&shared.snapshot(), &history), &headers),
        Some(None) => failed(StatusCode::NOT_FOUND, format!("there is no incident VED-{number}")),
        None => busy(),
    }
}

fn shown(snapshot: &super::snapshot::Snapshot, history: &History) -> Shown {
    let clock = LocalClock::new(&snapshot.network.time_zone, snapshot.generated_at);
    let time = |at: UnixMillis| clock.rfc3339(at);
    let (incident, case) = (&history.incident, &history.case);
    let entry = |e: &desk::Entry| {
        let (act, text) = match &e.act {
            Act::Acknowledge { ticket, expected_repair, note } => {
                let parts = [ticket.clone(), expected_repair.map(time), note.clone()];
                ("acknowledge", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
            }
            Act::Suspend { reason } => ("suspend", reason.clone()),
            Act::Resume => ("resume", String::new()),
            Act::Fault { fault } => ("fault", fault.as_str().to_owned()),
        };
        ShownEntry { at: time(e.at), by: e.by.clone(), act: act.to_owned(), text }
    };
    Shown {
        incident: api::Incident::of(snapshot, incident),
        transitions: incident
            .transitions
            .iter()
            .map(|t| ShownTransition {
                at: time(t.at),
                state: t.state.as_str().to_owned(),
                measured_mbps: t.measured_mbps,
            })
            .collect(),
        notices: history
            .notices
            .iter()
            .map(|n| ShownNotice {
                at: time(n.at),
                to: n.to.clone(),
                kind: n.kind.to_owned(),
                why: n.why.clone(),
                sent: n.sent,
            })
            .collect(),
        clock: contract(history, snapshot.generated_at, &time),
        entries: case.entries.iter().map(entry).collect(),
    }
}

pub(super) fn contract(history: &History, now: UnixMillis, time: &impl Fn(UnixMillis) -> String) -> ContractClock {
    let (incident, case) = (&history.incident, &history.case);
    let restored = incident.recovered_at();
    let end = restored.unwrap_or(now);
    let running = incident.detail.below_from.filter(|_| incident.state == IncidentState::Open);
    let below =
        Duration::from_millis(incident.detail.below_ms) + running.map_or(Duration::ZERO, |from| now.since(from));
    let operator = incident.wisp.as_ref().map(|w| format!("wisp:{w}"));
    let notified = history.notices.iter().find(|n| n.sent && Some(&n.to) == operator.as_ref());
    let minutes = |span: Duration| span.as_secs() / 60;
    ContractClock {
        notified_at: notified.map(|n| time(n.at)),
        acknowledged_at: case.acknowledged().map(|e| time(e.at)),
        acknowledged_by: case.acknowledged().map(|e| e.by.clone()),
        ticket: case.ticket().map(str::to_owned),
        expected_repair_at: case.expected_repair().map(time),
        suspended: case.suspended().map(str::to_owned),
        suspended_minutes: minutes(case.suspended_for(end)),
        restored_at: restored.map(time),
        fault: case.fault().map(|f| f.as_str().to_owned()),
        duration_minutes: minutes(end.since(incident.since)),
        below_minutes: minutes(below),
    }
}

pub(super) async fn status(State(shared): SharedState, headers: HeaderMap) -> Response {
    let Some(desk) = &shared.state.desk else { return busy() };
    let Some((desk, period)) = ask(desk, |reply| DeskRequest::Desk { reply }).await else { return busy() };
    let snapshot = shared.snapshot();
    let now = snapshot.generated_at;
    let clock = LocalClock::new(&snapshot.network.time_zone, now);
    let operator = |w: &crate::model::network::Wisp| {
        let switched = desk.rodaggio.switched.get(&w.id);
        OperatorStatus {
            wisp: w.id.to_string(),
            name: w.name.clone(),
            addresses: w.email.len(),
            on: desk.rodaggio.tells(&w.id, period),
            switched_at: switched.map(|(_, at, _)| clock.rfc3339(*at)),
            switched_by: switched.map(|(_, _, by)| by.clone()),
        }
    };
    let window = |w: &desk::Window| {
        let (kind, id) = match &w.place {
            desk::Place::Link(edge) => (edge.kind(), edge.as_str()),
            desk::Place::Site(id) => ("site", id.as_str()),
            desk::Place::Device(id) => ("device", id.as_str()),
            desk::Place::Wisp(id) => ("wisp", id.as_str()),
        };
        ShownWindow {
            number: w.number,
            kind: kind.to_owned(),
            id: id.to_owned(),
            from: clock.rfc3339(w.from),
            to: clock.rfc3339(w.to),
            note: w.note.clone(),
            by: w.by.clone(),
            wisp: w.wisp.as_ref().map(ToString::to_string),
            active: w.from <= now && now < w.to,
        }
    };
    let answer = DeskStatus {
        rodaggio: RodaggioStatus {
            on: desk.rodaggio.is_on(period, now),
            until: (!period.is_zero()).then(|| clock.rfc3339(desk.rodaggio.until(period))),
            operators: snapshot.network.wisps.values().map(operator).collect(),
        },
        windows: desk.windows.values().filter(|w| w.removed.is_none() && w.to > now).map(window).collect(),
    };
    json(&answer, &headers)
}

/// Who asks, as the connection tells.
pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.0.ip().to_canonical())
}

/// Whether somebody on this very machine asks.
pub(super) fn is_local(extensions: &Extensions) -> bool {
    peer(extensions).is_some_and(|ip| ip.is_loopback())
}

/// Why a request may not change anything, if so: 403 from elsewhere, 401 without the word.
pub(super) fn refusal(desk: &Desk, request: &Request) -> Option<Response> {
    if !is_local(request.extensions()) {
        return Some(failed(StatusCode::FORBIDDEN, "changes are made on the hub's own machine only"));
    }
    (!desk.is_shown_in(request.headers()))
        .then(|| failed(StatusCode::UNAUTHORIZED, "the operator's token is missing or wrong: see --token-file"))
}

pub(super) async fn change(State(shared): SharedState, request: Request<Body>) -> Response {
    let Some(desk) = &shared.state.desk else { return busy() };
    if let Some(refused) = refusal(desk, &request) {
        return refused;
    }
    let Ok(body) = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await else {
        return failed(StatusCode::PAYLOAD_TOO_LARGE, "too long");
    };
    let snapshot = shared.snapshot();
    let zone = TimeZone::get(&snapshot.network.time_zone).unwrap_or(TimeZone::UTC);
    let (command, by) = match read(&body, &zone, snapshot.generated_at) {
        Ok(read) => read,
        Err(error) => return failed(StatusCode::UNPROCESSABLE_ENTITY, error),
    };
    match ask(desk, |reply| DeskRequest::Command { command, by, reply }).await {
        Some(Ok(touched)) => {
            let window = match touched {
                Touched::Window(number) => Some(number),
                _ => None,
            };
            json(&Changed { changed: touched != Touched::Nothing, window }, &HeaderMap::new())
        }
        Some(Err(DeskError::Refused(refusal))) => failed(StatusCode::UNPROCESSABLE_ENTITY, refusal.to_string()),
        Some(Err(error @ DeskError::NotWritten)) => failed(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        None => busy(),
    }
}

/// A command and its author. Times may be written as people do.
fn read(body: &[u8], zone: &TimeZone, now: UnixMillis) -> Result<(Command, String), String> {
    let mut value: Value = serde_json::from_slice(body).map_err(|e| format!("not JSON: {e}"))?;
    let object = value.as_object_mut().ok_or("must be an object")?;
    let by = object.remove("by").and_then(|by| by.as_str().map(str::to_owned)).ok_or("`by` must be given: who asks")?;
    for key in TIMES {
        if let Some(text) = object.get(key).and_then(Value::as_str) {
            let at = moment(text, zone, now).ok_or_else(|| {
                format!("{key} = {text:?}: must be a time such as 15:30, \"2026-11-24 15:30\", 2026-11-24T15:30:00+01:00, or 2h from now")
            })?;
            object.insert(key.to_owned(), Value::from(at.0));
        }
    }
    serde_json::from_value(value).map(|command| (command, by)).map_err(|e| e.to_string())
}

/// `15:30` (today, or tomorrow where that is over), `2026-11-24 15:30`, RFC 3339, or a span from now.
pub(super) fn moment(text: &str, zone: &TimeZone, now: UnixMillis) -> Option<UnixMillis> {
    let text = text.trim();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(UnixMillis(at.as_millisecond()));
    }
    if let Some(span) = parse_duration(text) {
        return Some(now + span);
    }
    let local = |at: DateTime| Some(UnixMillis(at.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond()));
    if let Ok(at) = text.parse::<DateTime>() {
        return local(at);
    }
    let time = text.parse::<Time>().ok()?;
    let today = jiff::Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone.clone()).date();
    let at = local(today.to_datetime(time))?;
    if at > now { Some(at) } else { local(today.tomorrow().ok()?.to_datetime(time)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMillis {
        UnixMillis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let zone = TimeZone::get("Europe/Rome").unwrap();
        let now = at("2026-11-24T08:00:00Z");
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(moment(text, &zone, now), expected.map(at), "{text}");
        };
        check("15:30", Some("2026-11-24T14:30:00Z"));
        check("08:30", Some("2026-11-25T07:30:00Z"));
        check("2026-11-26 10:00", Some("2026-11-26T09:00:00Z"));
        check("2026-11-26T10:00:00+01:00", Some("2026-11-26T09:00:00Z"));
        check("2h", Some("2026-11-24T10:00:00Z"));
        check("soon", None);
        check("", None);
    }

    #[test]
    fn a_command_needs_an_author_and_says_what_is_wrong() {
        let now = at("2026-11-24T08:00:00Z");
        let check = |body: &str| read(body.as_bytes(), &TimeZone::UTC, now);
        let good = check(
            r#"{"by": "Anna", "command": "act", "incident": 7, "act": "acknowledge", "ticket": "T1", "expected_repair": "2h"}"#,
        );
        let act = Act::Acknowledge {
            ticket: Some("T1".into()),
            expected_repair: Some(at("2026-11-24T10:00:00Z")),
            note: None,
        };
        assert_eq!(good, Ok((Command::Act { incident: 7, act }, "Anna".into())));
        for bad in ["", "[]", "{}", r#"{"by": "x"}"#, r#"{"by": "x", "command": "explode"}"#] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
