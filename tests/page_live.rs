//! The page in a real browser: Debian's chromium, headless. Its script must renew the page in place when the picture
//! changes, under the page's own Content-Security-Policy, and harmful names must stay text.
//!
//! Chromium prints the document when it is loaded. The test keeps it loading by an image that it answers only when
//! the state that it waits for is reached; nothing depends on how fast the machine is.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

#[path = "web/fixture.rs"]
mod fixture;

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use fixture::{NOW, valdora};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;
use vedetta::model::network::Language;
use vedetta::web::snapshot::Snapshot;
use vedetta::web::{WebState, router};

/// Chromium starts slowly on a busy machine; this only turns a hang into a failure.
const PATIENCE: Duration = Duration::from_mins(2);

fn browser() -> &'static str {
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        let mut version = std::process::Command::new(name);
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    });
    found.expect("this test needs a Chromium: apt-get install chromium")
}

/// The real router with two additions of the test's: the page waits for an image, and it is noted of which picture
/// each renewal asked.
struct Stage {
    addr: SocketAddr,
    snapshots: watch::Sender<Arc<Snapshot>>,
    /// Time stamp of the picture at the last renewal that a browser asked for.
    asked: watch::Receiver<i64>,
    /// Answers the image: the browser may print.
    release: watch::Sender<bool>,
    _running: JoinSet<()>,
}

#[derive(Clone)]
struct Hooks {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    asked: Arc<watch::Sender<i64>>,
    release: watch::Receiver<bool>,
}

async fn hook(State(mut hooks): State<Hooks>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/hold.png" => {
            let _ = hooks.release.wait_for(|go| *go).await;
            Response::new(Body::empty())
        }
        "/fragment" => {
            let at = hooks.snapshots.borrow().generated_at.0;
            hooks.asked.send_replace(at);
            next.run(request).await
        }
        "/" => {
            request.headers_mut().remove(header::ACCEPT_ENCODING);
            let (mut parts, body) = next.run(request).await.into_parts();
            let page = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, page.replace("</footer>", "</footer><img src=\"hold.png\" alt=\"\">").into())
        }
        _ => next.run(request).await,
    }
}

async fn stage(snapshot: Snapshot) -> Stage {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (snapshots, rx) = watch::channel(Arc::new(snapshot));
    let (asked_tx, asked) = watch::channel(i64::MIN);
    let (release, released) = watch::channel(false);
    let hooks = Hooks { snapshots: rx.clone(), asked: Arc::new(asked_tx), release: released };
    let state = WebState {
        snapshots: rx,
        default_language: Language::Italian,
        public_url: None,
        desk: None,
        ledger: None,
        access: None,
        public_pages: vedetta::web::share::PublicPages::default(),
    };
    let app = router(state).layer(axum::middleware::from_fn_with_state(hooks, hook));
    let mut running = JoinSet::new();
    running.spawn(async move { axum::serve(listener, app).await.unwrap() });
    Stage { addr, snapshots, asked, release, _running: running }
}

impl Stage {
    /// Opens the page and returns its document once the image was answered.
    async fn dump(&self, path: &str, language: &str) -> String {
        let profile = tempfile::tempdir().unwrap();
        let run = Command::new(browser())
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--dump-dom"])
            .arg(format!("--accept-lang={language}"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--timeout={}", PATIENCE.as_millis()))
            .arg(format!("http://{}{path}", self.addr))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, run).await.expect("chromium did not end").unwrap();
        assert!(output.status.success(), "chromium failed: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Shows a picture, and waits until a browser has asked for it.
    async fn show(&mut self, mut snapshot: Snapshot, second: i64) {
        snapshot.generated_at.0 = NOW.0 + 1000 * second;
        let at = snapshot.generated_at.0;
        self.snapshots.send_replace(Arc::new(snapshot));
        let asked = self.asked.wait_for(|seen| *seen >= at);
        tokio::time::timeout(PATIENCE, asked).await.expect("the browser never renewed the page").unwrap();
    }
}

fn title(dom: &str) -> &str {
    let start = dom.find("<h1").expect("the page has a headline");
    let text = &dom[start..];
    let text = &text[text.find('>').unwrap() + 1..];
    &text[..text.find('<').unwrap()]
}

#[tokio::test]
async fn the_first_view_has_the_headline_in_the_browsers_language() {
    for (language, expected) in [("it-IT", "3 comuni su 8 hanno"), ("en-GB", "3 of 8 municipalities have")] {
        let stage = stage(valdora().snapshot()).await;
        stage.release.send_replace(true);
        let dom = stage.dump("/", language).await;
        assert!(title(&dom).starts_with(expected), "{language}: {}", title(&dom));
        assert!(dom.contains("VED-147"), "{language}");
    }
}

#[tokio::test]
async fn the_page_renews_itself_when_the_picture_changes() {
    let evil = "<img src=\"nowhere\" onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
    let mut stage = stage(valdora().snapshot()).await;
    let snapshots = stage.snapshots.clone();
    let changed = || {
        let mut b = valdora();
        b.incidents.clear();
        b.view.sites.retain(|id, _| ["roccalba", "borgoratto"].contains(&id.as_str()));
        for site in b.network.sites.values_mut().filter(|s| s.id.as_str() == "roccalba") {
            site.name = evil.to_owned();
        }
        b.snapshot()
    };
    let release = stage.release.clone();
    let (addr, asked) = (stage.addr, stage.asked.clone());
    let viewer = Stage { addr, snapshots, asked, release: release.clone(), _running: JoinSet::new() };
    let watch = viewer.dump("/", "it-IT");
    let change = async {
        stage.show(valdora().snapshot(), 1).await;
        stage.show(changed(), 2).await;
        // The script asks again only after it has put the last answer into the page.
        stage.show(changed(), 3).await;
        release.send_replace(true);
    };
    let (dom, ()) = tokio::join!(watch, change);
    assert_eq!(title(&dom), "Tutti i 2 comuni hanno almeno 30 Mbps (1 verificato, 1 stimato).");
    assert!(dom.contains("Nessun avviso aperto.") && !dom.contains("VED-147"));
    assert!(dom.contains("&lt;img src=") && !dom.contains("<img src=\"nowhere\""), "a name became markup");
    assert!(!dom.contains("<title>owned"));
}
