//! What backup jobs say of themselves: `POST /b/TOKEN/start`, `/finish`, `/fail`. See docs/backups.md.
//!
//! The address is the right: whoever has it speaks for one job, and for nothing else. Only a POST changes anything;
//! asking (`GET /b/TOKEN`) says what was heard last. `GET /api/v1/backups` names the addresses, to whoever may change
//! things. How often strangers may ask is bounded as for other signed links.

use std::fmt::Write as _;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::desk::{self, DeskError, DeskRequest};
use super::figures::LocalClock;
use super::{Shared, SharedState, json, limit};
use crate::alert::desk::{BackupWord, Command};
use crate::model::BackupId;
use crate::model::view::BackupReports;

/// The first part of these addresses.
pub const PREFIX: &str = "/b/";
/// What stands for whoever speaks in the record.
const SPEAKER: &str = "backup";

/// One job, as `vedetta backups` prints it. Times: null where it was never said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub job: String,
    pub name: String,
    pub site: String,
    /// To which `/start`, `/finish` and `/fail` are added; without `public_url` the path alone.
    pub address: String,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub failed_at: Option<String>,
}

/// `GET /api/v1/backups`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Jobs {
    pub backups: Vec<Job>,
}

pub(super) async fn list(State(shared): SharedState, request: Request<Body>) -> Response {
    let Some(desk) = &shared.state.desk else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    if let Some(refused) = desk::refusal(desk, &request) {
        return refused;
    }
    let snapshot = shared.snapshot();
    let clock = LocalClock::new(&snapshot.network.time_zone, snapshot.generated_at);
    let base = shared.state.public_url.as_deref().unwrap_or("").trim_end_matches('/');
    let jobs = snapshot.network.backups.values().map(|job| {
        let said = snapshot.view.backups.get(job.id.as_str()).copied().unwrap_or_default();
        let time = |at: Option<_>| at.map(|at| clock.rfc3339(at));
        Job {
            job: job.id.to_string(),
            name: job.name.clone(),
            site: job.site.to_string(),
            address: format!("{base}{PREFIX}{}", desk.links.backup_token(&snapshot.network.id, &job.id)),
            started_at: time(said.started_at),
            finished_at: time(said.finished_at),
            failed_at: time(said.failed_at),
        }
    });
    json(&Jobs { backups: jobs.collect() }, &HeaderMap::new())
}

/// Why nothing is said to whoever asks.
type Refused = (StatusCode, &'static str);

/// The job that a token speaks for, if its reader has not asked too often.
fn job(shared: &Shared, extensions: &Extensions, headers: &HeaderMap, token: &str) -> Result<BackupId, Refused> {
    let unknown = || (StatusCode::NOT_FOUND, "this address belongs to no backup job\n");
    let desk = shared.state.desk.as_ref().ok_or_else(unknown)?;
    if let Some(peer) = desk::peer(extensions)
        && !shared.limit.take(limit::reader(peer, headers, &desk.proxies), Instant::now())
    {
        return Err((StatusCode::TOO_MANY_REQUESTS, "asked too often: wait a minute\n"));
    }
    let snapshot = shared.snapshot();
    let id = desk.links.read_backup(&snapshot.network.id, token);
    id.filter(|id| snapshot.network.backups.contains_key(id.as_str())).ok_or_else(unknown)
}

/// What was heard last, and how to say something. Changes nothing.
pub(super) async fn show(State(shared): SharedState, Path(token): Path<String>, request: Request<Body>) -> Response {
    let id = match job(&shared, request.extensions(), request.headers(), &token) {
        Ok(id) => id,
        Err(refused) => return refused.into_response(),
    };
    let snapshot = shared.snapshot();
    let clock = LocalClock::new(&snapshot.network.time_zone, snapshot.generated_at);
    let BackupReports { started_at, finished_at, failed_at } =
        snapshot.view.backups.get(id.as_str()).copied().unwrap_or_default();
    let mut text = format!("{id}\n");
    for (word, at) in BackupWord::ALL.into_iter().zip([started_at, finished_at, failed_at]) {
        let at = at.map_or_else(|| "-".to_owned(), |at| clock.rfc3339(at));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<7} {at}", word.as_str());
    }
    text.push_str("This address only shows. A job says how it goes with: curl -X POST ADDRESS/start, /finish, /fail\n");
    text.into_response()
}

/// Writes it down, then answers.
pub(super) async fn hear(
    State(shared): SharedState,
    Path((token, word)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    let id = match job(&shared, request.extensions(), request.headers(), &token) {
        Ok(id) => id,
        Err(refused) => return refused.into_response(),
    };
    let Some(word) = BackupWord::parse(&word) else {
        return (StatusCode::NOT_FOUND, "the address must end with /start, /finish or /fail\n").into_response();
    };
    let Some(desk) = &shared.state.desk else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let command = Command::Backup { job: id, word };
    let asked = |reply| DeskRequest::Command { command, by: SPEAKER.to_owned(), reply };
    match desk::ask(desk, asked).await {
        Some(Ok(_)) => "ok\n".into_response(),
        Some(Err(DeskError::Refused(refusal))) => (StatusCode::NOT_FOUND, format!("{refusal}\n")).into_response(),
        Some(Err(DeskError::NotWritten)) | None => {
            (StatusCode::SERVICE_UNAVAILABLE, "not recorded: try again in a minute\n").into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path as FilePath;
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::{mpsc, watch};

    use crate::alert::desk::{BackupWord, Command, Touched};
    use crate::alert::signed::LinkKeys;
    use crate::config::secret::Secret;
    use crate::model::network::Language;
    use crate::model::view::NetworkView;
    use crate::model::{BackupId, UnixMillis};
    use crate::runtime::tasks::Shutdown;
    use crate::web::desk::{Desk, DeskRequest};
    use crate::web::snapshot::Snapshot;
    use crate::web::{WebState, serve};

    async fn ask(at: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        let text = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).await.unwrap();
        all
    }

    #[tokio::test]
    async fn only_a_post_with_the_right_address_is_heard() {
        let file = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("configs/scenarios/tests/valle.toml");
        let network = Arc::new(crate::config::load::load_network(&file).unwrap().value);
        let links = LinkKeys::new([3; 32]);
        let token = links.backup_token(&network.id, &BackupId::parse("notte").unwrap());
        let snapshot = Snapshot {
            network,
            view: Arc::new(NetworkView::default()),
            proofs: Arc::default(),
            incidents: Arc::default(),
            cases: Arc::default(),
            parts: Vec::new(),
            generated_at: UnixMillis(0),
            started_at: UnixMillis(0),
            blind_since: None,
            simulated: false,
            version: "0",
            agents_expected: std::iter::empty().collect(),
        };
        let (requests, mut asked) = mpsc::channel(16);
        let (_snapshots, snapshots) = watch::channel(Arc::new(snapshot));
        let desk = Desk { requests, token: Secret::new("word"), links, proxies: Vec::new() };
        let state = WebState {
            snapshots,
            default_language: Language::Italian,
            public_url: None,
            desk: Some(desk),
            ledger: None,
            access: None,
            public_pages: crate::web::share::PublicPages::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (switch, shutdown) = Shutdown::new();
        let heard = async {
            let mut words = Vec::new();
            while let Some(request) = asked.recv().await {
                let DeskRequest::Command { command: Command::Backup { job, word }, reply, .. } = request else {
                    continue;
                };
                words.push((job.to_string(), word));
                let _ = reply.send(Ok(Touched::Backups));
            }
            words
        };
        let client = async {
            let code = |answer: String| answer.split(' ').nth(1).unwrap_or_default().to_owned();
            assert_eq!(code(ask(at, &format!("GET /b/{token}")).await), "200");
            assert_eq!(code(ask(at, &format!("GET /b/{token}/start")).await), "405");
            assert_eq!(code(ask(at, &format!("POST /b/{token}/begin")).await), "404");
            assert_eq!(code(ask(at, "POST /b/notte.0000/start").await), "404");
            assert_eq!(code(ask(at, "GET /api/v1/backups").await), "401");
            let answer = ask(at, &format!("POST /b/{token}/start")).await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
            let mut refused = 0;
            for _ in 0..40 {
                refused += usize::from(code(ask(at, &format!("GET /b/{token}")).await) == "429");
            }
            assert!(refused > 0, "one reader may ask without end");
            switch.stop();
        };
        let (served, words, ()) = tokio::join!(serve(listener, state, shutdown), heard, client);
        served.unwrap();
        assert_eq!(words, [("notte".to_owned(), BackupWord::Start)]);
    }
}
