//! Against a server of our own: the stored answers of the real ones are too kind to be an oracle.

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::model::{SiteId, UnixMillis};
use crate::runtime::clock::ManualClock;
use crate::store::IncomingBatch;
use crate::wire::batch::{Encoding, unpack};

/// Longest time that anything here may take: reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN: &str = "s3cr3t-t0k3n";

type Reply = (StatusCode, Option<&'static str>, &'static str);
const WRITTEN: Reply = (StatusCode::NO_CONTENT, None, "");

struct Seen {
    at: Instant,
    uri: String,
    authorization: String,
    text: String,
    status: StatusCode,
}

/// Answers the n-th request (from 0) with that text.
type Script = Box<dyn Fn(usize, &str) -> Reply + Send + Sync>;

struct Fake {
    script: Script,
    n_requests: AtomicUsize,
    seen: Mutex<Vec<Seen>>,
}

impl Fake {
    fn new(script: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { script: Box::new(script), n_requests: AtomicUsize::new(0), seen: Mutex::default() })
    }

    fn serve(self: &Arc<Self>, listener: TcpListener) -> impl Future<Output = ()> + Send + use<> {
        let app = Router::new()
            .route("/api/v2/write", post(answer))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(self));
        async move { axum::serve(listener, app).await.unwrap() }
    }

    /// The lines that the server said it has written.
    fn written(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let written = seen.iter().filter(|s| s.status == StatusCode::NO_CONTENT);
        written.flat_map(|s| s.text.lines().map(str::to_owned)).collect()
    }
}

async fn answer(State(fake): State<Arc<Fake>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers["content-encoding"], "gzip");
    let crc = crc_of(&body);
    let text = String::from_utf8(unpack(Encoding::Gzip, &body, crc).unwrap()).unwrap();
    let (status, after, words) = (fake.script)(fake.n_requests.fetch_add(1, Ordering::SeqCst), &text);
    let authorization = headers.get("authorization").map_or("", |a| a.to_str().unwrap()).to_owned();
    fake.seen.lock().unwrap().push(Seen { at: Instant::now(), uri: uri.to_string(), authorization, text, status });
    let mut response = (status, words).into_response();
    response.headers_mut().extend(after.map(|after| (RETRY_AFTER, HeaderValue::from_static(after))));
    response
}

/// The checksum that a gzip file ends with (RFC 1952, section 2.3.1), little-endian, before its length.
fn crc_of(packed: &[u8]) -> u32 {
    let tail: [u8; 4] = packed[packed.len() - 8..packed.len() - 4].try_into().unwrap();
    u32::from_le_bytes(tail)
}

struct Bench {
    _dir: TempDir,
    ledger: Arc<Ledger>,
    health: watch::Receiver<PartHealth>,
    health_tx: watch::Sender<PartHealth>,
}

fn bench() -> Bench {
    let dir = TempDir::new().unwrap();
    let ledger = Arc::new(Ledger::open(&dir.path().join("ledger.sqlite")).unwrap());
    let (health_tx, health) = watch::channel(PartHealth::default());
    Bench { _dir: dir, ledger, health, health_tx }
}

impl Bench {
    fn store(&self, seq: u64, text: &str) {
        let batch = IncomingBatch {
            agent: SiteId::parse("bossolasco").unwrap(),
            epoch: 1,
            seq,
            crc: crc32fast::hash(text.as_bytes()),
            received_at: UnixMillis(seq as i64),
            sent_at: UnixMillis(0),
            n_samples: text.lines().count() as u32,
            packed: gzip(text.as_bytes()),
            origin: crate::store::BatchOrigin::default(),
        };
        self.ledger.store(&[batch]).unwrap();
    }

    fn sink(&self, port: u16) -> InfluxSink {
        let settings = InfluxSettings {
            url: format!("http://127.0.0.1:{port}/"),
            org: "unione".into(),
            bucket: "alta langa".into(),
            token: None,
            ca_file: None,
        };
        let (ledger, health) = (Arc::clone(&self.ledger), self.health_tx.clone());
        let clock = ManualClock::at(UnixMillis(0));
        let token = Secret::new(TOKEN);
        let network = super::wisp::tests::network();
        let sink = InfluxSink::new(&settings, Some(&token), ledger, &network, health, clock).unwrap();
        let short = Duration::from_millis(5);
        sink.with_pace(Pace { first: short, max: short, refused: short, request: Duration::from_secs(10) })
    }

    async fn until(&self, what: impl FnMut(&PartHealth) -> bool) -> PartHealth {
        let mut health = self.health.clone();
        let reached = tokio::time::timeout(PATIENCE, health.wait_for(what)).await;
        reached.unwrap_or_else(|_| panic!("stuck at {:?}", self.health.borrow())).unwrap().clone()
    }

    async fn until_done(&self, n_batches: u64) -> PartHealth {
        self.until(|h| h.done_total == n_batches && h.waiting == 0).await
    }
}

/// A server, and the sink that talks to it.
async fn start(bench: &Bench, fake: &Arc<Fake>) -> (JoinSet<()>, crate::runtime::tasks::ShutdownSwitch) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = bench.sink(listener.local_addr().unwrap().port());
    let (switch, shutdown) = Shutdown::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(fake.serve(listener));
    tasks.spawn(async move { sink.run(shutdown).await.unwrap() });
    (tasks, switch)
}

fn radio(n: u64) -> String {
    format!("radio,link=ab rsl_dbm=-{n} {n}")
}

fn radio_written(n: u64) -> String {
    format!("radio,link=ab,wisp=langhenet rsl_dbm=-{n} {n}")
}

#[tokio::test]
async fn lines_arrive_once_in_order_with_their_wisp() {
    let (bench, fake) = (bench(), Fake::new(|_, _| WRITTEN));
    for n in 1..=100 {
        bench.store(n, &radio(n));
    }
    let (_tasks, _switch) = start(&bench, &fake).await;
    bench.until_done(100).await;
    // And what is stored while it runs.
    bench.store(101, &radio(101));
    let health = bench.until_done(101).await;
    assert_eq!(fake.written(), (1..=101).map(radio_written).collect::<Vec<_>>());
    assert_eq!(health, PartHealth { name: SINK, ok: true, done_total: 101, ..PartHealth::default() });
    assert_eq!(bench.ledger.sink_position(SINK).unwrap(), 101);
    let seen = fake.seen.lock().unwrap();
    assert_eq!(seen[0].uri, "/api/v2/write?org=unione&bucket=alta+langa&precision=ms");
    assert_eq!(seen[0].authorization, format!("Token {TOKEN}"));
}

#[tokio::test]
async fn a_sink_goes_on_where_it_stopped() {
    let (bench, fake) = (bench(), Fake::new(|_, _| WRITTEN));
    bench.store(1, &radio(1));
    bench.ledger.set_sink_position(SINK, 1).unwrap();
    bench.store(2, &radio(2));
    let (_tasks, _switch) = start(&bench, &fake).await;
    bench.until_done(1).await;
    assert_eq!(fake.written(), [radio_written(2)]);
}

#[tokio::test]
async fn a_busy_server_is_waited_for_as_long_as_it_asks() {
    let bench = bench();
    let fake = Fake::new(|n, _| match n {
        0 => (StatusCode::SERVICE_UNAVAILABLE, None, "starting"),
        1 => (StatusCode::TOO_MANY_REQUESTS, Some("1"), r#"{"code":"too many requests","message":"slow down"}"#),
        2 => (StatusCode::INTERNAL_SERVER_ERROR, Some("nonsense"), ""),
        _ => WRITTEN,
    });
    bench.store(1, &radio(1));
    let (_tasks, _switch) = start(&bench, &fake).await;
    bench.until(|h| h.detail.as_deref() == Some("InfluxDB cannot write now: 429 slow down")).await;
    bench.until_done(1).await;
    assert_eq!(fake.written(), [radio_written(1)]);
    let seen = fake.seen.lock().unwrap();
    assert_eq!(seen.len(), 4);
    assert!(seen[2].at - seen[1].at >= Duration::from_secs(1), "asked for a second");
}

#[tokio::test]
async fn what_is_too_much_at_once_is_split() {
    let bench = bench();
    let fake =
        Fake::new(|_, text| if text.len() > 40_000 { (StatusCode::PAYLOAD_TOO_LARGE, None, "") } else { WRITTEN });
    let lines = |from: u64| (from..from + 5000).map(radio).collect::<Vec<_>>().join("\n");
    bench.store(1, &lines(0));
    let (_tasks, _switch) = start(&bench, &fake).await;
    bench.until_done(1).await;
    let before = fake.n_requests.load(Ordering::SeqCst);
    bench.store(2, &lines(5000));
    bench.until_done(2).await;
    assert_eq!(fake.written(), (0..10_000).map(radio_written).collect::<Vec<_>>());
    let n_too_large = fake.seen.lock().unwrap()[before..].iter().filter(|s| s.status != StatusCode::NO_CONTENT).count();
    assert_eq!(n_too_large, 0, "the bound was learnt from the first page");
    assert_eq!(bench.ledger.stats().unwrap().set_aside, 0);
}

#[tokio::test]
async fn bad_lines_are_found_set_aside_and_block_nothing() {
    let bench = bench();
    let fake = Fake::new(|_, text| match text {
        _ if text.contains("service") => (StatusCode::UNPROCESSABLE_ENTITY, None, r#"{"message":"type conflict"}"#),
        _ if text.contains("ping") => (StatusCode::BAD_REQUEST, None, ""),
        _ => WRITTEN,
    });
    for n in 1..=40 {
        let mut text: String = (0..25).map(|i| radio(100 * n + i) + "\n").collect();
        if n % 10 == 7 {
            text.insert_str(0, &format!("service up_flag={n} 1\n"));
            text.push_str("ping loss_percent=0 1\n");
        }
        bench.store(n, &text);
    }
    let (_tasks, _switch) = start(&bench, &fake).await;
    let health = bench.until_done(40).await;
    let wanted: Vec<String> = (1..=40).flat_map(|n| (0..25).map(move |i| radio_written(100 * n + i))).collect();
    assert_eq!(fake.written(), wanted);
    let aside = bench.ledger.set_aside_messages(10).unwrap();
    let lines: Vec<&str> = aside.iter().rev().flat_map(|a| std::str::from_utf8(&a.payload).unwrap().lines()).collect();
    let bad = |n: u64| [format!("service up_flag={n} 1"), "ping loss_percent=0 1".to_owned()];
    assert_eq!(lines, [7, 17, 27, 37].into_iter().flat_map(bad).collect::<Vec<_>>());
    assert_eq!(aside.last().unwrap().reason, "6 lines refused by InfluxDB, the first because: 422 type conflict");
    assert_eq!((health.ok, health.failed_total), (true, aside.len() as u64));
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_named_and_passed() {
    let (bench, fake) = (bench(), Fake::new(|_, _| (StatusCode::BAD_REQUEST, None, "no")));
    bench.store(1, &format!("{}\n{}", radio(1), radio(2)));
    let (_tasks, _switch) = start(&bench, &fake).await;
    let health = bench.until_done(1).await;
    assert!(!health.ok);
    assert_eq!(health.detail.as_deref(), Some("2 lines refused by InfluxDB, the first because: 400 no"));
}

async fn check_refusal(status: StatusCode, wanted: &str) {
    let bench = bench();
    let fake = Fake::new(move |n, _| if n < 3 { (status, None, r#"{"message":"no such thing"}"#) } else { WRITTEN });
    bench.store(1, &radio(1));
    let (_tasks, _switch) = start(&bench, &fake).await;
    let health = bench.until(|h| !h.ok).await;
    let detail = health.detail.unwrap();
    assert_eq!(detail, format!("{wanted}: {} no such thing", status.as_u16()));
    bench.until_done(1).await;
    assert_eq!(fake.written(), [radio_written(1)]);
}

#[tokio::test]
async fn what_only_a_person_can_mend_is_named_and_tried_again() {
    check_refusal(StatusCode::UNAUTHORIZED, "InfluxDB does not know the token").await;
    check_refusal(StatusCode::FORBIDDEN, "the token may not write to the bucket").await;
    let missing = "no such organisation or bucket, or the URL is not InfluxDB's";
    check_refusal(StatusCode::NOT_FOUND, missing).await;
    check_refusal(StatusCode::OK, "this is not an answer of InfluxDB").await;
    check_refusal(StatusCode::FOUND, "this is not an answer of InfluxDB").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_named_and_waited_for() {
    let (bench, fake) = (bench(), Fake::new(|_, _| WRITTEN));
    for n in 1..=100 {
        bench.store(n, &radio(n));
    }
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let sink = bench.sink(address.port());
    let (_switch, shutdown) = Shutdown::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { sink.run(shutdown).await.unwrap() });
    let health = bench.until(|h| !h.ok).await;
    assert!(health.detail.unwrap().starts_with("InfluxDB cannot be reached: "));
    assert_eq!(health.waiting, 100);
    tasks.spawn(fake.serve(TcpListener::bind(address).await.unwrap()));
    bench.until_done(100).await;
    assert_eq!(fake.written().len(), 100);
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_again() {
    let (bench, fake) = (bench(), Fake::new(|_, _| WRITTEN));
    bench.store(1, &radio(1));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = bench.sink(listener.local_addr().unwrap().port());
    let (_switch, shutdown) = Shutdown::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { sink.run(shutdown).await.unwrap() });
    drop(listener.accept().await.unwrap());
    bench.until(|h| !h.ok).await;
    tasks.spawn(fake.serve(listener));
    bench.until_done(1).await;
    assert_eq!(fake.written(), [radio_written(1)]);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_and_a_stop_is_heard_at_once() {
    let bench = bench();
    bench.store(1, &radio(1));
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hour = Duration::from_hours(1);
    let pace = Pace { first: hour, max: hour, refused: hour, request: Duration::from_millis(100) };
    let sink = bench.sink(silent.local_addr().unwrap().port()).with_pace(pace);
    let (switch, shutdown) = Shutdown::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { sink.run(shutdown).await.unwrap() });
    bench.until(|h| !h.ok).await;
    switch.stop();
    tokio::time::timeout(PATIENCE, tasks.join_next()).await.expect("waits out its hour").unwrap().unwrap();
    assert_eq!(bench.ledger.sink_position(SINK).unwrap(), 0);
}

#[tokio::test]
async fn batches_pruned_before_they_were_delivered_are_counted() {
    let (bench, fake) = (bench(), Fake::new(|_, _| WRITTEN));
    for n in 1..=10 {
        bench.store(n, &radio(n));
    }
    bench.ledger.set_sink_position(SINK, 2).unwrap();
    bench.ledger.prune(UnixMillis(6)).unwrap();
    let (_tasks, _switch) = start(&bench, &fake).await;
    let health = bench.until_done(5).await;
    assert_eq!(fake.written(), (6..=10).map(radio_written).collect::<Vec<_>>());
    assert_eq!(health.failed_total, 3);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let check = |url: &str, token: &str, ca_file: Option<&str>, wanted: &str| {
        let bench = bench();
        let settings = InfluxSettings {
            url: url.into(),
            org: "o".into(),
            bucket: "b".into(),
            token: None,
            ca_file: ca_file.map(PathBuf::from),
        };
        let network = super::wisp::tests::network();
        let clock = ManualClock::at(UnixMillis(0));
        let token = Secret::new(token);
        let made = InfluxSink::new(&settings, Some(&token), bench.ledger.clone(), &network, bench.health_tx, clock);
        assert_eq!(made.err().map(|e| e.to_string()).unwrap_or_default(), wanted);
    };
    check("https://influx.example", "abc", None, "");
    check("influx.example:8086", "abc", None, "influx.url \"influx.example:8086\" is not a URL");
    check("ftp://influx.example", "abc", None, "influx.url \"ftp://influx.example\" is not a URL");
    check("http://influx.example", "a\nb", None, "influx.token has characters that a token cannot have");
    check("https://influx.example", "abc", Some("/none/ca.pem"), "the certificates in /none/ca.pem cannot be read");
}
