//! The sink for InfluxDB 2, and for whatever speaks its write API.
//!
//! It follows the ledger from the row where it stopped, in pages, and moves on only when every line of a page is
//! written or set aside: an outage of any length within the ledger's retention costs nothing but time. What is written
//! twice (a process that ends between the two) overwrites itself, for a point is its series and its timestamp. After an
//! outage fresh batches go first, and the backlog behind them at [`BACKLOG_BYTES_PER_SECOND`] at the most (`turns`).
//!
//! Lines go as the agents wrote them, with the tag `wisp` added, so that fields of a newer agent are kept. A line that
//! InfluxDB refuses is found by halving and set aside; it never stands in the way of others.

pub mod judge;
mod page;
pub mod setup;
mod turns;
mod wisp;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use tokio::sync::watch;

pub use judge::Pace;
pub use wisp::WispIndex;

use self::judge::Verdict;
use self::page::{Aside, Page};
use self::turns::{Places, Turn};
use super::ledger::{Ledger, SET_ASIDE_PAYLOAD_MAX};
use super::{BatchStore, SetAside, StoreError};
use crate::config::secret::Secret;
use crate::config::settings::InfluxSettings;
use crate::model::network::Network;
use crate::runtime::clock::SharedClock;
use crate::runtime::health::PartHealth;
use crate::runtime::tasks::Shutdown;
use crate::wire::batch::gzip;

/// Name of the sink in the ledger, and of its health.
pub const SINK: &str = "influxdb";
/// Batches of one page: unpacked, with at most 1 MiB each, they are held in memory.
const PAGE_BATCHES: usize = 32;
/// Batches of one page of a backlog: what is fresh waits for no more.
const BACKLOG_PAGE_BATCHES: usize = 8;
/// Text of a backlog written in a second: a day of 1,000 radios at 60 s, some 1.5 GB, in half an hour; what is fresh
/// needs a sixtieth of it.
pub const BACKLOG_BYTES_PER_SECOND: u64 = 1024 * 1024;
/// In the ledger, besides [`SINK`], which is the row up to which all is delivered: rows after this one ...
const LIVE_FROM: &str = "influxdb-live-from";
/// ... up to this one are delivered too; 0: none.
const LIVE_TO: &str = "influxdb-live-to";
/// Text of one request, bytes: some 5,000 lines, the size that InfluxDB's guide to writing recommends.
const BODY_BYTES: usize = 1024 * 1024;
/// A server that finds this too much is asked no smaller question of its own accord.
const BODY_BYTES_MIN: usize = 16 * 1024;
/// What is read of an answer's body.
const ANSWER_BYTES_MAX: usize = 4096;

#[derive(Debug, thiserror::Error)]
pub enum InfluxError {
    #[error("influx.url {0:?} is not a URL")]
    Url(String),
    #[error("influx.token has characters that a token cannot have")]
    Token,
    #[error("the certificates in {0} cannot be read")]
    CaFile(PathBuf, #[source] std::io::Error),
    #[error("the certificates in {0} cannot be used")]
    Certificates(PathBuf, #[source] reqwest::Error),
    #[error("cannot prepare the connection to InfluxDB")]
    Client(#[source] reqwest::Error),
}

/// Where the sink goes on after one round.
enum Step {
    Moved,
    Idle,
    /// The backlog goes on then; what is fresh may come before.
    Rest(tokio::time::Instant),
    Stopped,
}

/// A request that was answered for good.
enum Answer {
    Written,
    Split(String),
    BadLines(String),
}

/// The sink.
pub struct InfluxSink {
    client: reqwest::Client,
    url: reqwest::Url,
    authorization: Option<HeaderValue>,
    ledger: Arc<Ledger>,
    wisps: Arc<WispIndex>,
    clock: SharedClock,
    health: watch::Sender<PartHealth>,
    pace: Pace,
    rng: SmallRng,
    /// Halved whenever the server says that it is too much.
    body_bytes: usize,
    /// Failures in a row.
    failures: u32,
    /// The backlog rests until then.
    backlog_at: Option<tokio::time::Instant>,
}

impl InfluxSink {
    /// Makes the sink; touches nothing but the file of certificates.
    pub fn new(
        settings: &InfluxSettings,
        token: Option<&Secret>,
        ledger: Arc<Ledger>,
        network: &Network,
        health: watch::Sender<PartHealth>,
        clock: SharedClock,
    ) -> Result<Self, InfluxError> {
        let pace = Pace::default();
        let base = settings.url.trim_end_matches('/');
        let query = [("org", settings.org.as_str()), ("bucket", &settings.bucket), ("precision", "ms")];
        let url = reqwest::Url::parse_with_params(&format!("{base}/api/v2/write"), query)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| InfluxError::Url(settings.url.clone()))?;
        let authorization = token.map(authorization).transpose()?;
        let client = client(settings, &url, &pace)?;
        health.send_replace(PartHealth { name: SINK, ok: true, ..PartHealth::default() });
        Ok(Self {
            client,
            url,
            authorization,
            ledger,
            wisps: Arc::new(WispIndex::new(network)),
            clock,
            health,
            pace,
            rng: SmallRng::from_os_rng(),
            body_bytes: BODY_BYTES,
            failures: 0,
            backlog_at: None,
        })
    }

    /// The same sink, more or less patient.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Follows the ledger until the process stops. No failure of InfluxDB ends it.
    pub async fn run(mut self, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let mut newest = self.ledger.newest_row();
        loop {
            // Before the page is read: what is stored after that is another change.
            newest.mark_unchanged();
            match self.step(&mut shutdown).await {
                Ok(Step::Moved) => {}
                Ok(Step::Stopped) => return Ok(()),
                Ok(Step::Idle) => tokio::select! {
                    _ = newest.changed() => {}
                    () = shutdown.wait() => return Ok(()),
                },
                Ok(Step::Rest(until)) => tokio::select! {
                    _ = newest.changed() => {}
                    () = tokio::time::sleep_until(until) => {}
                    () = shutdown.wait() => return Ok(()),
                },
                Err(e) => {
                    let detail = format!("{:#}", anyhow::Error::from(e));
                    let wait = self.failed(&detail);
                    if !pause(wait, &mut shutdown).await {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Delivers one page.
    async fn step(&mut self, shutdown: &mut Shutdown) -> Result<Step, StoreError> {
        let wisps = Arc::clone(&self.wisps);
        let newest = *self.ledger.newest_row().borrow();
        // Looked at once: a backlog that rests and one that is through both find nothing, and must not be confused.
        let rests_until = self.backlog_at.filter(|at| *at > tokio::time::Instant::now());
        let (mut places, turn, first_row, page) = self
            .blocking(move |ledger| {
                let mut places = places(ledger)?;
                let turn = places.turn(newest);
                let mut batches = match turn {
                    Turn::Live { after } => ledger.batches_after(after, PAGE_BATCHES)?,
                    Turn::Backlog { .. } if rests_until.is_some() => Vec::new(),
                    Turn::Backlog { after, .. } => ledger.batches_after(after, BACKLOG_PAGE_BATCHES)?,
                };
                if let Turn::Backlog { until, .. } = turn {
                    batches.retain(|b| b.row <= until);
                }
                let first_row = batches.first().map(|b| b.row);
                Ok((places, turn, first_row, Page::new(&batches, &wisps)))
            })
            .await?;
        let waiting = places.waiting(newest);
        if page.last_row.is_none() {
            return match (turn, rests_until) {
                (Turn::Backlog { .. }, Some(until)) => Ok(Step::Rest(until)),
                _ => self.nothing_there(places, turn, newest).await,
            };
        }
        self.health.send_modify(|health| health.waiting = waiting);
        let Some(aside) = self.deliver(&page, shutdown).await else { return Ok(Step::Stopped) };
        let (n_batches, n_bytes, last_row, now) = (page.n_batches, page.n_bytes(), page.last_row, self.clock.now());
        let n_aside = aside.len() as u64;
        let dated = |Aside { agent, reason, payload }| SetAside { at: now, agent, reason, payload };
        let aside: Vec<SetAside> = aside.into_iter().map(dated).collect();
        self.blocking(move |ledger| {
            if !aside.is_empty() {
                ledger.set_aside(&aside)?;
            }
            places.delivered(turn, last_row);
            keep(ledger, places)
        })
        .await?;
        self.pace_backlog(turn, n_bytes);
        // Before the first page of a new sink, rows that are gone were never its.
        let after = match turn {
            Turn::Live { after } | Turn::Backlog { after, .. } => after,
        };
        let pruned = if after == 0 { 0 } else { self.pruned(after, first_row.unwrap_or(0)).await? };
        if pruned > 0 {
            tracing::error!(
                batches = pruned,
                "InfluxDB was away for longer than batches are kept; these it never gets"
            );
        }
        self.health.send_modify(|health| {
            health.waiting = waiting.saturating_sub(n_batches + pruned);
            health.done_total += n_batches;
            health.failed_total += n_aside + pruned;
        });
        Ok(Step::Moved)
    }

    /// A turn that found nothing: the present is followed up, or the backlog is through.
    async fn nothing_there(&mut self, mut places: Places, turn: Turn, newest: i64) -> Result<Step, StoreError> {
        match turn {
            Turn::Live { .. } if places.live.is_none() => {
                self.health.send_if_modified(|health| std::mem::take(&mut health.waiting) != 0);
                Ok(Step::Idle)
            }
            Turn::Live { after } => {
                // What is there is held for a clock, or pruned.
                places.delivered(Turn::Live { after }, Some(newest));
                self.blocking(move |ledger| keep(ledger, places)).await?;
                Ok(Step::Moved)
            }
            Turn::Backlog { after, until } => {
                places.delivered(turn, None);
                self.blocking(move |ledger| keep(ledger, places)).await?;
                let pruned = self.pruned(after, until + 1).await?;
                self.health.send_modify(|health| health.failed_total += pruned);
                Ok(Step::Moved)
            }
        }
    }

    /// Batches gone between two rows. A row whose batch waits for a clock, or has moved for having found one, is not.
    async fn pruned(&self, after: i64, first_row: i64) -> Result<u64, StoreError> {
        let oldest = self.blocking(Ledger::oldest_row).await?.unwrap_or(first_row);
        Ok(oldest.min(first_row).saturating_sub(after.saturating_add(1)).max(0) as u64)
    }

    /// After a page of a backlog, lets time pass as long as it should have taken.
    fn pace_backlog(&mut self, turn: Turn, n_bytes: usize) {
        if matches!(turn, Turn::Backlog { .. }) {
            let span = Duration::from_secs_f64(n_bytes as f64 / BACKLOG_BYTES_PER_SECOND as f64);
            self.backlog_at = Some(tokio::time::Instant::now() + span);
        }
    }

    /// Sends every line of a page until it is written or found bad; `None`: the process stops.
    async fn deliver(&mut self, page: &Page, shutdown: &mut Shutdown) -> Option<Vec<Aside>> {
        let mut parts = page.parts(self.body_bytes);
        let mut refused: Option<Aside> = None;
        let (mut n_written, mut n_refused) = (0_usize, 0_usize);
        while let Some(part) = parts.pop() {
            let text = page.text(&part);
            let (reason, too_large) = match self.send_until_answered(text, shutdown).await? {
                Answer::Written => {
                    n_written += part.len();
                    continue;
                }
                Answer::Split(reason) => (reason, true),
                Answer::BadLines(reason) => (reason, false),
            };
            if part.len() > 1 {
                if too_large {
                    self.body_bytes = (text.len() / 2).clamp(BODY_BYTES_MIN, self.body_bytes.max(BODY_BYTES_MIN));
                }
                parts.extend(halves(part));
                continue;
            }
            n_refused += 1;
            let aside = refused.get_or_insert_with(|| Aside { agent: SINK.to_owned(), reason, payload: Vec::new() });
            if aside.payload.len() + text.len() <= SET_ASIDE_PAYLOAD_MAX {
                aside.payload.extend_from_slice(text.as_bytes());
            }
        }
        if let Some(aside) = &mut refused {
            tracing::error!(lines = n_refused, reason = aside.reason, "InfluxDB refuses lines; they are set aside");
            aside.reason = format!("{n_refused} lines refused by InfluxDB, the first because: {}", aside.reason);
            if n_written == 0 {
                self.failed(&aside.reason);
            }
        }
        Some(page.aside.iter().cloned().chain(refused).collect())
    }

    /// Sends lines again and again until the answer is about them; `None`: the process stops.
    async fn send_until_answered(&mut self, text: &str, shutdown: &mut Shutdown) -> Option<Answer> {
        let plain = text.to_owned();
        // A blocking task that does not end normally: the runtime is going away.
        let packed = tokio::task::spawn_blocking(move || gzip(plain.as_bytes())).await.ok()?;
        loop {
            let sent = tokio::select! {
                sent = self.send(packed.clone()) => sent,
                () = shutdown.wait() => return None,
            };
            let wait = match sent {
                Ok((Verdict::Written, ..)) => {
                    self.succeeded();
                    return Some(Answer::Written);
                }
                Ok((Verdict::Split, words, _)) => return Some(self.answered(Answer::Split(words))),
                Ok((Verdict::BadLines, words, _)) => return Some(self.answered(Answer::BadLines(words))),
                Ok((Verdict::Retry, words, after)) => {
                    let wait = self.failed(&format!("InfluxDB cannot write now: {words}"));
                    after.map_or(wait, |after| after.max(self.pace.first))
                }
                Ok((Verdict::Refused(why), words, _)) => {
                    let wait = self.failed(&format!("{why}: {words}"));
                    wait.max(self.pace.refused)
                }
                Err(e) => {
                    self.failed(&format!("InfluxDB cannot be reached: {:#}", anyhow::Error::from(e.without_url())))
                }
            };
            if !pause(wait, shutdown).await {
                return None;
            }
        }
    }

    /// One request: what it means, the server's words with its status code, and what it asks to wait.
    async fn send(&self, packed: Vec<u8>) -> Result<(Verdict, String, Option<Duration>), reqwest::Error> {
        let mut request = self
            .client
            .post(self.url.clone())
            .timeout(self.pace.request)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(CONTENT_ENCODING, "gzip")
            .body(packed);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let mut response = request.send().await?;
        let status = response.status().as_u16();
        let verdict = judge::judge(status);
        if verdict == Verdict::Written {
            return Ok((verdict, String::new(), None));
        }
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = header.and_then(|value| judge::retry_after(value, self.clock.now()));
        let mut body = Vec::new();
        // The status says what to do: words that do not arrive are only words.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - body.len())]);
            if body.len() == ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok((verdict, format!("{status} {}", judge::words(&body)), after))
    }

    /// It is there and has an opinion: the next failure is the first again.
    fn answered(&mut self, answer: Answer) -> Answer {
        self.failures = 0;
        answer
    }

    fn succeeded(&mut self) {
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!("InfluxDB takes data again");
        }
        self.health.send_if_modified(|health| {
            let changed = !health.ok || health.detail.is_some();
            (health.ok, health.detail) = (true, None);
            changed
        });
    }

    /// Notes a failure, says it once, and says how long to wait.
    fn failed(&mut self, detail: &str) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let detail = detail.trim_end();
        self.health.send_if_modified(|health| {
            let news = health.detail.as_deref() != Some(detail);
            if news {
                tracing::warn!("{detail}; the ledger keeps what it does not get");
                (health.ok, health.detail) = (false, Some(detail.to_owned()));
            }
            news
        });
        judge::backoff(&self.pace, self.failures, &mut self.rng)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let ledger = Arc::clone(&self.ledger);
        let done = tokio::task::spawn_blocking(move || work(&ledger)).await;
        done.unwrap_or_else(|e| Err(StoreError::Database { step: "run a blocking task", source: e.into() }))
    }
}

fn places(ledger: &Ledger) -> Result<Places, StoreError> {
    let done = ledger.sink_position(SINK)?;
    let live = (ledger.sink_position(LIVE_FROM)?, ledger.sink_position(LIVE_TO)?);
    Ok(Places { done, live: (live.1 > 0).then_some(live) })
}

fn keep(ledger: &Ledger, places: Places) -> Result<(), StoreError> {
    let (from, to) = places.live.unwrap_or_default();
    ledger.set_sink_positions(&[(SINK, places.done), (LIVE_FROM, from), (LIVE_TO, to)])
}

/// Both halves, the second first: parts are taken from the end.
fn halves(part: Range<usize>) -> [Range<usize>; 2] {
    let middle = part.start + part.len() / 2;
    [middle..part.end, part.start..middle]
}

/// Waits; `false`: the process stops.
async fn pause(wait: Duration, shutdown: &mut Shutdown) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => true,
        () = shutdown.wait() => false,
    }
}

fn authorization(token: &Secret) -> Result<HeaderValue, InfluxError> {
    let mut value = HeaderValue::from_str(&format!("Token {}", token.expose())).map_err(|_| InfluxError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

fn client(settings: &InfluxSettings, url: &reqwest::Url, pace: &Pace) -> Result<reqwest::Client, InfluxError> {
    // An error means that one is installed, which is all that is needed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("vedetta/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(pace.request.min(Duration::from_secs(10)))
        .redirect(reqwest::redirect::Policy::none());
    if let Some(path) = &settings.ca_file {
        let pem = std::fs::read(path).map_err(|e| InfluxError::CaFile(path.clone(), e))?;
        let bundle = reqwest::Certificate::from_pem_bundle(&pem);
        let certificates = bundle.map_err(|e| InfluxError::Certificates(path.clone(), e))?;
        builder = builder.tls_certs_merge(certificates);
    } else if url.scheme() == "http" {
        // Plain HTTP must work on a machine without any certificates too.
        builder = builder.tls_certs_only([]);
    }
    // A proxy for the Internet is no way to this machine.
    if matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(InfluxError::Client)
}

#[cfg(test)]
mod tests;
