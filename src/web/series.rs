//! History of links and backhauls: `/api/v1/links/ID/series`, `/api/v1/backhauls/ID/series`, and the pages
//! `/links/ID`, `/backhauls/ID` with their charts. All is read from rollups, never from raw batches.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::figures::LocalClock;
use super::page::{edge, sheet};
use super::snapshot::Snapshot;
use super::{PageQuery, SharedState, html, json};
use crate::model::network::{Link, Network};
use crate::model::view::LinkView;
use crate::model::{DeviceId, EdgeId, UnixMillis};
use crate::store::StoreError;
use crate::store::ledger::Ledger;
use crate::store::rollup::gather::{backhaul_ping_name, device_ping_name, edge_name, radio_name};
use crate::store::rollup::window::{Point, Span, Window};
use crate::store::rollup::{Field, Figures, Step};

/// Which series of an edge: a direction of it, or an end; of a backhaul's echoes neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Downstream,
    Upstream,
    Near,
    Far,
    Whole,
}

impl Which {
    const ALL: [Self; 5] = [Self::Downstream, Self::Upstream, Self::Near, Self::Far, Self::Whole];

    fn direction(self) -> Option<&'static str> {
        match self {
            Self::Downstream => Some("downstream"),
            Self::Upstream => Some("upstream"),
            _ => None,
        }
    }

    fn end(self) -> Option<&'static str> {
        match self {
            Self::Near => Some("near"),
            Self::Far => Some("far"),
            _ => None,
        }
    }
}

/// One series over a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub which: Which,
    pub points: Vec<Point>,
}

/// The edge of an address: `/links/ID` is a link or a bundle.
pub fn find<'a>(snapshot: &'a Snapshot, id: &str, backhaul: bool) -> Option<&'a LinkView> {
    snapshot.view.edges().find(|e| e.id.as_str() == id && matches!(e.id, EdgeId::Backhaul(_)) == backhaul)
}

/// The series of a field that an edge has, by their names in the rollups.
pub fn sources(network: &Network, id: &EdgeId, field: Field) -> Vec<(Which, String)> {
    let name = id.as_str();
    if matches!(field, Field::Capacity | Field::Throughput) {
        let of = |which: Which| (which, edge_name(id.kind(), name, which.direction().unwrap_or_default()));
        return vec![of(Which::Downstream), of(Which::Upstream)];
    }
    let is_echo = matches!(field, Field::Loss | Field::Rtt);
    match id {
        EdgeId::Backhaul(_) if is_echo => vec![(Which::Whole, backhaul_ping_name(name))],
        EdgeId::Backhaul(_) | EdgeId::Bundle(_) => Vec::new(),
        EdgeId::Link(id) => {
            let Some(link) = network.links.get(id) else { return Vec::new() };
            let of = |device: &DeviceId| {
                if is_echo {
                    device_ping_name(device.as_str())
                } else {
                    radio_name(device.as_str(), radio(network, link, device))
                }
            };
            vec![(Which::Near, of(&link.near)), (Which::Far, of(&link.far))]
        }
    }
}

/// The radio of a device that is an end of a link: the one that the inventory names; of a sector, the peer's address.
fn radio<'a>(network: &'a Network, link: &'a Link, device: &DeviceId) -> Option<&'a str> {
    let peer = || {
        network.sector_of(device)?;
        network.devices.get(link.other_end(device)?)?.mac.as_deref()
    };
    link.radio_of(device).or_else(peer)
}

/// Reads the series of a field. Blocks.
pub fn read(
    ledger: &Ledger,
    zone: &TimeZone,
    sources: &[(Which, String)],
    field: Field,
    window: &Window,
) -> Result<Vec<Line>, StoreError> {
    let line = |(which, name): &(Which, String)| {
        let rolled = ledger.rolled(field, name, window.step, window.buckets())?;
        Ok(Line { which: *which, points: window.points(zone, &rolled) })
    };
    sources.iter().map(line).collect()
}

/// Capacity of this month by direction: what the days since the first come to. Blocks.
fn month(
    ledger: &Ledger,
    zone: &TimeZone,
    sources: &[(Which, String)],
    now: UnixMillis,
) -> Result<Vec<(Which, Figures)>, StoreError> {
    let today = jiff::Timestamp::from_millisecond(now.0).unwrap_or_default().to_zoned(zone.clone()).date();
    let last = Step::Day.bucket(zone, now);
    let first = last - i64::from(today.day()) + 1;
    let sum = |(which, name): &(Which, String)| {
        let mut all = Figures::default();
        ledger.rolled(Field::Capacity, name, Step::Day, (first, last))?.values().for_each(|f| all.add(f));
        Ok((*which, all))
    };
    sources.iter().map(sum).collect()
}

fn zone(snapshot: &Snapshot) -> TimeZone {
    TimeZone::get(&snapshot.network.time_zone).unwrap_or(TimeZone::UTC)
}

/// What `/series` may be asked.
#[derive(Debug, Deserialize)]
pub struct SeriesQuery {
    field: Option<String>,
    direction: Option<String>,
    end: Option<String>,
    window: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// `GET /api/v1/links/ID/series`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub subject: String,
    pub kind: String,
    pub field: String,
    pub from: String,
    pub to: String,
    /// `5min`, `hour` or `day`; a point is so many of these buckets.
    pub step: String,
    pub buckets_per_point: i64,
    pub lines: Vec<SeriesLine>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesLine {
    /// Of capacity and throughput: `downstream` or `upstream`.
    pub direction: Option<String>,
    /// Of levels, loss and round-trip times of a link: `near` or `far`.
    pub end: Option<String>,
    pub points: Vec<SeriesPoint>,
}

/// One point. Nulls: nothing is known of that time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesPoint {
    pub at: String,
    pub min: Option<f64>,
    pub mean: Option<f64>,
    pub max: Option<f64>,
    /// Readings.
    pub count: u32,
    /// Of capacity: the most that was required, for how long it was known, and of this, below what is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_secs: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below_secs: Option<u32>,
}

/// Why a question cannot be answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Refusal {
    error: String,
}

fn refuse(status: StatusCode, error: String) -> Response {
    (status, axum::Json(Refusal { error })).into_response()
}

/// What was asked for, checked; else all that is wrong with it, in one text.
struct Asked {
    field: Field,
    which: Option<Which>,
    window: Window,
}

fn instant(text: &str, zone: &TimeZone) -> Option<UnixMillis> {
    // A plus sign that was not escaped arrives as a space.
    let text = text.replace(' ', "+");
    let at: Option<jiff::Timestamp> = text.parse().ok();
    let at = at.or_else(|| Some(text.parse::<jiff::civil::Date>().ok()?.to_zoned(zone.clone()).ok()?.timestamp()));
    at.map(|at| UnixMillis(at.as_millisecond()))
}

fn check(query: &SeriesQuery, zone: &TimeZone, now: UnixMillis) -> Result<Asked, String> {
    let mut problems = Vec::new();
    let fields = Field::ALL.map(Field::name).join(", ");
    let field = query.field.as_deref().and_then(|f| Field::ALL.into_iter().find(|k| k.name() == f));
    match &query.field {
        None => problems.push(format!("field is missing: one of {fields}")),
        Some(found) if field.is_none() => problems.push(format!("field={found:.64}: not known; one of {fields}")),
        Some(_) => {}
    }
    let mut which = None;
    for (key, value, word) in [
        ("direction", &query.direction, Which::direction as fn(Which) -> Option<&'static str>),
        ("end", &query.end, Which::end as fn(Which) -> Option<&'static str>),
    ] {
        let Some(value) = value else { continue };
        match Which::ALL.into_iter().find(|w| word(*w) == Some(value.as_str())) {
            Some(found) if which.is_none() => which = Some(found),
            Some(_) => problems.push("direction and end: a series has one of them".to_owned()),
            None => {
                let right: Vec<&str> = Which::ALL.into_iter().filter_map(word).collect();
                problems.push(format!("{key}={value:.64}: not known; {}", right.join(" or ")));
            }
        }
    }
    let window = match (&query.window, &query.from, &query.to) {
        (Some(text), None, None) => {
            let span = Span::parse(text);
            if span.is_none() {
                let right = Span::ALL.map(Span::as_str).join(", ");
                problems.push(format!("window={text:.64}: not known; one of {right}, or from and to"));
            }
            span.map(|span| Window::until(zone, span, now))
        }
        (None, None, None) => Some(Window::until(zone, Span::Day, now)),
        (None, Some(from), to) => between(from, to.as_deref(), zone, now, &mut problems),
        (None, None, Some(_)) => {
            problems.push("to without from".to_owned());
            None
        }
        (Some(_), ..) => {
            problems.push("window, or from and to: not both".to_owned());
            None
        }
    };
    match (field, window) {
        (Some(field), Some(window)) if problems.is_empty() => Ok(Asked { field, which, window }),
        _ => Err(problems.join("; ")),
    }
}

fn between(
    from: &str,
    to: Option<&str>,
    zone: &TimeZone,
    now: UnixMillis,
    problems: &mut Vec<String>,
) -> Option<Window> {
    let mut read = |key: &str, text: &str| {
        let at = instant(text, zone);
        if at.is_none() {
            problems.push(format!("{key}={text:.64}: not a time; such as 2026-11-24T06:00:00Z or 2026-11-24"));
        }
        at
    };
    let (from, to) = (read("from", from)?, to.map_or(Some(now), |to| read("to", to))?);
    if from >= to || from >= now {
        problems.push("from must be before to, and in the past".to_owned());
        return None;
    }
    Some(Window::between(zone, from, to, now))
}

/// `/api/v1/links/ID/series`.
pub(super) async fn of_link(
    shared: SharedState,
    Path(id): Path<String>,
    query: Query<SeriesQuery>,
    headers: HeaderMap,
) -> Response {
    answer(shared, &id, false, query, headers).await
}

/// `/api/v1/backhauls/ID/series`.
pub(super) async fn of_backhaul(
    shared: SharedState,
    Path(id): Path<String>,
    query: Query<SeriesQuery>,
    headers: HeaderMap,
) -> Response {
    answer(shared, &id, true, query, headers).await
}

async fn answer(
    State(shared): SharedState,
    id: &str,
    backhaul: bool,
    Query(query): Query<SeriesQuery>,
    headers: HeaderMap,
) -> Response {
    let snapshot = shared.snapshot();
    let Some(edge) = find(&snapshot, id, backhaul) else {
        let kind = if backhaul { "backhaul" } else { "link" };
        return refuse(StatusCode::NOT_FOUND, format!("no {kind} {id:.64}"));
    };
    let zone = zone(&snapshot);
    let Asked { field, which, window } = match check(&query, &zone, snapshot.generated_at) {
        Ok(asked) => asked,
        Err(problem) => return refuse(StatusCode::BAD_REQUEST, problem),
    };
    let mut sources = sources(&snapshot.network, &edge.id, field);
    if let Some(which) = which {
        sources.retain(|(of, _)| *of == which);
    }
    if sources.is_empty() {
        let asked = if which.is_some() { " of this direction or end" } else { "" };
        return refuse(StatusCode::BAD_REQUEST, format!("{} {id:.64} has no {}{asked}", edge.id.kind(), field.name()));
    }
    let Some(ledger) = shared.state.ledger.clone() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "no history here".to_owned());
    };
    let zone_ = zone.clone();
    let job = move || read(&ledger, &zone_, &sources, field, &window);
    match tokio::task::spawn_blocking(job).await {
        Ok(Ok(lines)) => json(&series(&snapshot, &edge.id, field, (&zone, &window), &lines), &headers),
        Ok(Err(error)) => super::failure("series", &error),
        Err(error) => super::failure("series", &error),
    }
}

fn series(
    snapshot: &Snapshot,
    id: &EdgeId,
    field: Field,
    (zone, window): (&TimeZone, &Window),
    lines: &[Line],
) -> Series {
    let clock = LocalClock::new(&snapshot.network.time_zone, snapshot.generated_at);
    let point = |p: &Point| {
        let figures = p.figures.unwrap_or_default();
        let known = (figures.count > 0).then_some(figures);
        let capacity = (field == Field::Capacity).then_some(figures);
        SeriesPoint {
            at: clock.rfc3339(p.from),
            min: known.map(|f| field.value(f.min)),
            mean: figures.mean().map(|mean| (mean * 100.0).round() / 100.0 * field.value(1)),
            max: known.map(|f| field.value(f.max)),
            count: figures.count,
            required: capacity.filter(|f| f.required > 0).map(|f| field.value(f.required)),
            known_secs: capacity.map(|f| f.known_secs),
            below_secs: capacity.map(|f| f.below_secs),
        }
    };
    let line = |line: &Line| SeriesLine {
        direction: line.which.direction().map(str::to_owned),
        end: line.which.end().map(str::to_owned),
        points: line.points.iter().map(point).collect(),
    };
    let (first, last) = window.buckets();
    Series {
        subject: id.to_string(),
        kind: id.kind().to_owned(),
        field: field.name().to_owned(),
        from: clock.rfc3339(window.step.start(zone, first)),
        to: clock.rfc3339(window.step.start(zone, last + 1)),
        step: match window.step {
            Step::FiveMinutes => "5min",
            Step::Hour => "hour",
            Step::Day => "day",
        }
        .to_owned(),
        buckets_per_point: window.group,
        lines: lines.iter().map(line).collect(),
    }
}

/// What a page is asked.
#[derive(Debug, Deserialize)]
pub struct EdgeQuery {
    lang: Option<String>,
    window: Option<String>,
}

/// `/links/ID`.
pub(super) async fn link_page(
    shared: SharedState,
    Path(id): Path<String>,
    query: Query<EdgeQuery>,
    headers: HeaderMap,
) -> Response {
    page(shared, &id, false, query, headers).await
}

/// `/backhauls/ID`.
pub(super) async fn backhaul_page(
    shared: SharedState,
    Path(id): Path<String>,
    query: Query<EdgeQuery>,
    headers: HeaderMap,
) -> Response {
    page(shared, &id, true, query, headers).await
}

async fn page(
    State(shared): SharedState,
    id: &str,
    backhaul: bool,
    Query(query): Query<EdgeQuery>,
    headers: HeaderMap,
) -> Response {
    let snapshot = shared.snapshot();
    let language = shared.language(&PageQuery { lang: query.lang }, &headers);
    let Some(id) = find(&snapshot, id, backhaul).map(|edge| edge.id.clone()) else {
        let (title, text) = edge::unknown(language);
        let mut response = html(sheet::message(&snapshot, language, title, text), language, &headers);
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    // An address that somebody typed: the page shows which window it has.
    let span = query.window.as_deref().and_then(Span::parse).unwrap_or(Span::Day);
    let job = {
        let (snapshot, ledger) = (snapshot.clone(), shared.state.ledger.clone());
        move || {
            history(&snapshot, ledger.as_ref(), &id, span).map(|history| edge::page(&snapshot, &id, &history, language))
        }
    };
    match tokio::task::spawn_blocking(job).await {
        Ok(Ok(rendered)) => html(rendered, language, &headers),
        Ok(Err(error)) => super::failure("history", &error),
        Err(error) => super::failure("history", &error),
    }
}

/// What a page's charts are drawn from.
pub struct EdgeHistory {
    pub span: Span,
    pub charts: Vec<(Field, Vec<Line>)>,
    pub month: Vec<(Which, Figures)>,
}

fn history(
    snapshot: &Snapshot,
    ledger: Option<&Arc<Ledger>>,
    id: &EdgeId,
    span: Span,
) -> Result<EdgeHistory, StoreError> {
    let (zone, now) = (zone(snapshot), snapshot.generated_at);
    let mut history = EdgeHistory { span, charts: Vec::new(), month: Vec::new() };
    let Some(ledger) = ledger else { return Ok(history) };
    let window = Window::until(&zone, span, now);
    for field in Field::ALL {
        let sources = sources(&snapshot.network, id, field);
        if !sources.is_empty() {
            history.charts.push((field, read(ledger, &zone, &sources, field, &window)?));
        }
    }
    history.month = month(ledger, &zone, &sources(&snapshot.network, id, Field::Capacity), now)?;
    Ok(history)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, String> {
        let uri: axum::http::Uri = format!("http://localhost/?{query}").parse().unwrap();
        let Query(query) = Query::<SeriesQuery>::try_from_uri(&uri).unwrap();
        check(&query, &TimeZone::UTC, UnixMillis(1_795_000_000_000))
    }

    #[test]
    fn every_mistake_is_named_with_what_would_be_right() {
        let check = |query: &str, parts: &[&str]| {
            let problem = asked(query).err().unwrap_or_else(|| panic!("{query} is taken"));
            for part in parts {
                assert!(problem.contains(part), "{query}: {problem}");
            }
        };
        check("", &["field is missing: one of capacity_mbps"]);
        check("field=speed&window=2d", &["field=speed: not known", "window=2d: not known; one of 24h, 7d, 30d, 1y"]);
        check("field=rsl_dbm&end=middle", &["end=middle: not known; near or far"]);
        check("field=rsl_dbm&end=near&direction=upstream", &["a series has one of them"]);
        check("field=rsl_dbm&from=yesterday", &["from=yesterday: not a time"]);
        check("field=rsl_dbm&window=24h&from=2026-11-01", &["not both"]);
        check("field=rsl_dbm&to=2026-11-01", &["to without from"]);
        check("field=rsl_dbm&from=2026-11-02&to=2026-11-01", &["from must be before to"]);
        check("field=rsl_dbm&from=2099-01-01", &["in the past"]);
    }

    #[test]
    fn what_is_right_is_taken() {
        let check = |query: &str, step: Step| {
            let asked = asked(query).unwrap_or_else(|problem| panic!("{query}: {problem}"));
            assert_eq!(asked.window.step, step, "{query}");
        };
        check("field=capacity_mbps", Step::FiveMinutes);
        check("field=capacity_mbps&direction=upstream&window=1y", Step::Day);
        check("field=rsl_dbm&end=far&window=30d", Step::Hour);
        check("field=rtt_ms_median&from=2026-11-01&to=2026-11-02T00:00:00%2B01:00", Step::FiveMinutes);
        check("field=rtt_ms_median&from=2026-11-01T00:00:00+01:00", Step::Hour);
    }
}
