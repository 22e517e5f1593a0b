//! What the hub shows: status page, JSON, Prometheus. Nothing is changed here but through [`desk`], [`forms`] and
//! [`heartbeat`].
//!
//! `/sites/ID` one site, `/wisps/ID` one operator, `/links/ID`, `/backhauls/ID` one link with its charts, `/api/v1/links/ID/series` what they are drawn from,
//! `/` page, `/delivery` data collection, `/i/…` one incident, `/l/…` the same by an operator's signed link, `/fragment` the part of it that changes, `/assets/…`, `/api/v1/status`, `/api/v1/incidents`,
//! `/api/v1/events` (server-sent events: a new picture is there), `/metrics`, `/healthz`.
//!
//! Limits: [`listen::CONNECTIONS_MAX`] connections, [`listen::IDLE_MAX`] without a byte, [`EVENT_STREAMS_MAX`] event
//! streams, one event a second each. Who may ask is in [`guard`] and [`gate`]; `/account/…` is the way in,
//! `/s/…` the page of one operator or place, `/public/…` what everybody may see.

mod answer;
pub mod api;
mod assets;
pub mod desk;
pub mod figures;
mod forms;
mod gate;
mod guard;
pub mod heartbeat;
pub mod incidents;
pub mod language;
mod limit;
mod listen;
pub mod map;
pub mod metrics;
pub mod names;
mod own;
pub mod page;
pub mod series;
pub mod share;
pub mod snapshot;
pub mod status;
pub mod summary;
pub mod words;

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::Stream;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::access::Access;
use crate::model::network::Language;
use crate::runtime::tasks::Shutdown;
use crate::store::ledger::Ledger;
use snapshot::Snapshot;

/// Event streams at once: browsers that watch. Beyond it a browser gets 503 and falls back to asking every 10 s.
pub const EVENT_STREAMS_MAX: usize = 64;
/// Two events of one stream are at least so far apart, however fast the snapshot changes.
const EVENT_PAUSE: Duration = Duration::from_secs(1);
/// A stream without news says so as often; the page calls itself stale after three of these.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After a stop, requests under way may take so long.
const STOP_MAX: Duration = Duration::from_secs(3);
/// Answers from this size on are compressed for those who accept it.
const GZIP_BYTES_MIN: usize = 4096;

/// What the pages need.
#[derive(Clone)]
pub struct WebState {
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Where the browser asks for none of ours.
    pub default_language: Language,
    /// The host of this address may be asked for, besides loopback names and bare addresses.
    pub public_url: Option<String>,
    /// How changes and histories reach the hub's loop; without it there are none.
    pub desk: Option<desk::Desk>,
    /// Where charts come from; without it there are none.
    pub ledger: Option<Arc<Ledger>>,
    /// Who needs an account, and which there are; without it everybody sees everything.
    pub access: Option<Arc<Access>>,
    pub public_pages: share::PublicPages,
}

/// [`WebState`] with what all requests share.
struct Shared {
    state: WebState,
    streams: Arc<Semaphore>,
    /// Of signed links.
    limit: limit::Limit,
    logins: limit::Limit,
    shutdown: Option<Shutdown>,
}

type SharedState = State<Arc<Shared>>;

/// Every route with its guards. Event streams of a bare router end when the snapshot's sender is gone.
pub fn router(state: WebState) -> Router {
    build(state, None)
}

/// Serves until `shutdown`, then lets requests under way end for [`STOP_MAX`].
pub async fn serve(listener: TcpListener, state: WebState, mut shutdown: Shutdown) -> anyhow::Result<()> {
    let app = build(state, Some(shutdown.clone()));
    let mut stop = shutdown.clone();
    let server = axum::serve(listen::Bounded::new(listener), app.into_make_service_with_connect_info::<desk::Peer>())
        .with_graceful_shutdown(async move { stop.wait().await })
        .into_future();
    tokio::select! {
        ended = server => Ok(ended?),
        () = async { shutdown.wait().await; tokio::time::sleep(STOP_MAX).await } => Ok(()),
    }
}

fn build(state: WebState, shutdown: Option<Shutdown>) -> Router {
    let hosts = guard::Hosts::new(state.public_url.as_deref());
    let streams = Arc::new(Semaphore::new(EVENT_STREAMS_MAX));
    let shared = Arc::new(Shared {
        state,
        streams,
        limit: limit::Limit::of_links(),
        logins: limit::Limit::of_logins(),
        shutdown,
    });
    let forms = Router::new()
        .route("/i/{number}", get(forms::incident).post(forms::change_by_staff))
        .route("/l/{token}", get(forms::link).post(forms::change_by_link))
        .route(gate::LOGIN, get(gate::show).post(gate::login))
        .route("/account/logout", axum::routing::post(gate::logout))
        .layer(DefaultBodyLimit::max(forms::BODY_BYTES_MAX));
    Router::new()
        .route("/", get(page))
        .route("/fragment", get(fragment))
        .merge(forms)
        .route("/s/{word}", get(share::own))
        .route("/public/summary", get(share::summary))
        .route("/public/accessibility", get(share::accessibility))
        .route("/delivery", get(delivery))
        .route("/sites/{id}", get(place))
        .route("/wisps/{id}", get(operator))
        .route("/links/{id}", get(series::link_page))
        .route("/backhauls/{id}", get(series::backhaul_page))
        .route("/api/v1/links/{id}/series", get(series::of_link))
        .route("/api/v1/backhauls/{id}/series", get(series::of_backhaul))
        .route("/assets/{name}", get(asset))
        .route("/favicon.ico", get(|| asset(Path("icon.svg".to_owned()))))
        .route("/api/v1/status", get(status))
        .route("/api/v1/incidents", get(incidents))
        .route("/api/v1/incidents/{number}", get(desk::show))
        .route(guard::CHANGES, get(desk::status).post(desk::change))
        .route("/b/{token}", get(heartbeat::show))
        .route("/b/{token}/{word}", axum::routing::post(heartbeat::hear))
        .route("/api/v1/backups", get(heartbeat::list))
        .route("/api/v1/events", get(events))
        .route("/metrics", get(prometheus))
        .route("/healthz", get(healthz))
        .layer(axum::middleware::from_fn_with_state(shared.clone(), gate::check))
        .with_state(shared)
        .layer(axum::middleware::from_fn_with_state(Arc::new(hosts), guard::check))
}

#[derive(serde::Deserialize)]
struct PageQuery {
    lang: Option<String>,
}

impl Shared {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.state.snapshots.borrow().clone()
    }

    fn language(&self, query: &PageQuery, headers: &HeaderMap) -> Language {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
        language::choose(query.lang.as_deref(), accepted, self.state.default_language)
    }
}

async fn page(State(shared): SharedState, Query(query): Query<PageQuery>, headers: HeaderMap) -> Response {
    let language = shared.language(&query, &headers);
    html(page::page(&shared.snapshot(), language), language, &headers)
}

async fn fragment(State(shared): SharedState, Query(query): Query<PageQuery>, headers: HeaderMap) -> Response {
    let language = shared.language(&query, &headers);
    html(page::fragment(&shared.snapshot(), language), language, &headers)
}

fn html(rendered: Result<String, askama::Error>, language: Language, headers: &HeaderMap) -> Response {
    match rendered {
        Ok(text) => {
            let mut response = body(text, "text/html; charset=utf-8", headers);
            response.headers_mut().insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.code()));
            response
        }
        Err(error) => failure("page", &error),
    }
}

/// One site.
async fn place(
    State(shared): SharedState,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
    headers: HeaderMap,
) -> Response {
    let (language, snapshot) = (shared.language(&query, &headers), shared.snapshot());
    let rendered = page::place::page(&snapshot, &id, language);
    found(rendered, &snapshot, page::place::unknown(language), language, &headers)
}

/// One operator.
async fn operator(
    State(shared): SharedState,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
    headers: HeaderMap,
) -> Response {
    let (language, snapshot) = (shared.language(&query, &headers), shared.snapshot());
    let rendered = page::operator::page(&snapshot, &id, language);
    found(rendered, &snapshot, page::operator::unknown(language), language, &headers)
}

/// The page, or one that says that there is none, with 404.
fn found(
    rendered: Option<Result<String, askama::Error>>,
    snapshot: &Snapshot,
    (title, text): (&str, &str),
    language: Language,
    headers: &HeaderMap,
) -> Response {
    if let Some(rendered) = rendered {
        return html(rendered, language, headers);
    }
    let mut response = html(page::sheet::message(snapshot, language, title, text), language, headers);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// How the agents' data arrive.
async fn delivery(State(shared): SharedState, Query(query): Query<PageQuery>, headers: HeaderMap) -> Response {
    let language = shared.language(&query, &headers);
    html(page::delivery(&shared.snapshot(), language), language, &headers)
}

async fn asset(Path(name): Path<String>) -> Response {
    let Some(asset) = assets::find(&name) else { return StatusCode::NOT_FOUND.into_response() };
    // The address has the assets' version: what it names never changes.
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    let mut response = ([(header::CONTENT_TYPE, asset.content_type)], asset.text).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, kept);
    response
}

async fn status(State(shared): SharedState, headers: HeaderMap) -> Response {
    json(&api::Status::of(&shared.snapshot()), &headers)
}

async fn incidents(State(shared): SharedState, headers: HeaderMap) -> Response {
    json(&api::Incidents::of(&shared.snapshot()), &headers)
}

fn json(value: &impl serde::Serialize, headers: &HeaderMap) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => body(text, "application/json", headers),
        Err(error) => failure("JSON", &error),
    }
}

async fn prometheus(State(shared): SharedState, headers: HeaderMap) -> Response {
    match metrics::render(&shared.snapshot(), crate::runtime::health::resident_bytes()) {
        Ok(text) => body(text, "text/plain; version=0.0.4; charset=utf-8", &headers),
        Err(error) => failure("metrics", &error),
    }
}

/// 200 while the hub lives; 503 once the part that makes the picture is gone.
async fn healthz(State(shared): SharedState) -> Response {
    match shared.state.snapshots.has_changed() {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the hub no longer renews its picture\n").into_response(),
    }
}

/// A picture that cannot be written is a defect of ours: said to the log, and to the reader without detail.
fn failure(what: &str, error: &dyn std::error::Error) -> Response {
    tracing::error!(what, error = %error, "could not be rendered");
    (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n").into_response()
}

/// The text, compressed where it is long and the reader accepts it.
fn body(text: String, content_type: &'static str, headers: &HeaderMap) -> Response {
    let accepts_gzip = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.split(',').any(|e| matches!(e.trim(), "gzip" | "gzip;q=1.0" | "x-gzip")));
    if accepts_gzip && text.len() >= GZIP_BYTES_MIN {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        if let Ok(packed) = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()) {
            let named = [(header::CONTENT_TYPE, content_type), (header::CONTENT_ENCODING, "gzip")];
            return (named, packed).into_response();
        }
    }
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

/// One reader of `/api/v1/events`.
struct Watcher {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    shutdown: Option<Shutdown>,
    first: bool,
    _permit: OwnedSemaphorePermit,
}

async fn events(State(shared): SharedState) -> Response {
    let Ok(permit) = shared.streams.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many event streams\n").into_response();
    };
    let watcher = Watcher {
        snapshots: shared.state.snapshots.clone(),
        shutdown: shared.shutdown.clone(),
        first: true,
        _permit: permit,
    };
    Sse::new(stream(watcher)).into_response()
}

fn stream(watcher: Watcher) -> impl Stream<Item = Result<Event, Infallible>> {
    futures_util::stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    })
}

impl Watcher {
    /// The picture as it is, then each newer one, or a heartbeat; `None` when the hub stops.
    async fn next(&mut self) -> Option<Event> {
        if std::mem::replace(&mut self.first, false) {
            return Some(self.snapshot_event());
        }
        let stopped = async {
            match &mut self.shutdown {
                Some(shutdown) => shutdown.wait().await,
                None => std::future::pending().await,
            }
        };
        let news = async {
            tokio::time::sleep(EVENT_PAUSE).await;
            tokio::time::timeout(HEARTBEAT, self.snapshots.changed()).await
        };
        tokio::select! {
            () = stopped => None,
            news = news => match news {
                Ok(Ok(())) => Some(self.snapshot_event()),
                Ok(Err(_)) => None,
                Err(_) => Some(Event::default().event("alive").data("{}")),
            },
        }
    }

    fn snapshot_event(&mut self) -> Event {
        let snapshot = self.snapshots.borrow_and_update().clone();
        let data = serde_json::to_string(&api::Event::of(&snapshot)).unwrap_or_else(|_| "{}".to_owned());
        Event::default().event("snapshot").data(data)
    }
}
