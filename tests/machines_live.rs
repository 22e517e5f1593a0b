//! What machines are told, through real servers: mosquitto and the embedded broker, and an HTTP server whose requests
//! are checked by the Python of `docs/ticket-systems.md`, run as it stands there.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::VecDeque;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use support::memory::MemoryStore;
use support::{Mosquitto, OneSecret, PATIENCE, PYTHON, free_port, strict_smtp, until};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use vedetta::config::secret::Secret;
use vedetta::config::settings::{MailOut, MailSettings, MqttSettings, WebhookSettings};
use vedetta::model::network::SecretRef;
use vedetta::model::{NetworkId, UnixMillis, WispId};
use vedetta::mqtt::broker::{Broker, User};
use vedetta::mqtt::incidents;
use vedetta::notify::feed::{Entry, Feed};
use vedetta::notify::queue::{self, Board, QueueParts};
use vedetta::notify::records::{self, FEED_OUT, REFUSED};
use vedetta::notify::webhook::Webhook;
use vedetta::notify::{Attachment, Mail, NoticeKind, outbox};
use vedetta::runtime::clock::{ManualClock, SystemClock};
use vedetta::runtime::health::PartHealth;
use vedetta::runtime::tasks::{Shutdown, ShutdownSwitch};
use vedetta::store::DocumentStore as _;

/// `openssl rand -base64 32`, once.
const SECRET: &str = "2nLqVvBi8UlIbzYkpXy1zi+Uo0Qx9V3bT2pM1nBqFhk=";
const NETWORK: &str = "prova";

fn network() -> NetworkId {
    NetworkId::parse(NETWORK).unwrap()
}

fn entry(feed: &str, n: u32, wisp: Option<&str>) -> Entry {
    let at = SystemClock::shared().now();
    Entry {
        id: format!("{feed} {n:015} {n:010} opened"),
        feed: feed.to_owned(),
        event_id: format!("prova-{n}-opened-0-{}", feed.replace(':', "-")),
        incident: format!("VED-{n}"),
        event: NoticeKind::Opened,
        wisp: wisp.map(|w| WispId::parse(w).unwrap()),
        at,
        body: format!("{{\"schema\":\"vedetta.incident/1\",\"event\":\"opened\",\"n\":{n},\"name\":\"Città–Valle\"}}"),
    }
}

/// A queue that runs.
struct Running {
    store: Arc<MemoryStore>,
    wake: Arc<Notify>,
    health: watch::Receiver<PartHealth>,
    switch: ShutdownSwitch,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Running {
    fn start(
        store: &Arc<MemoryStore>,
        feed: &str,
        spawn: impl FnOnce(QueueParts, Shutdown, &mut JoinSet<anyhow::Result<()>>),
    ) -> Self {
        let (switch, shutdown) = Shutdown::new();
        let (board, health) = Board::new("webhooks");
        let wake = Arc::new(Notify::new());
        let (feed, clock) = (feed.to_owned(), SystemClock::shared());
        let parts = QueueParts { feed, store: store.clone(), wake: wake.clone(), board, clock };
        let mut tasks = JoinSet::new();
        spawn(parts, shutdown, &mut tasks);
        Self { store: store.clone(), wake, health, switch, tasks }
    }

    fn mqtt(store: &Arc<MemoryStore>, settings: MqttSettings) -> Self {
        Self::start(store, "mqtt", |parts, shutdown, tasks| {
            tasks.spawn(incidents::run(settings, network(), parts, Arc::new(OneSecret("right")), shutdown));
        })
    }

    fn webhook(store: &Arc<MemoryStore>, port: u16) -> Self {
        let webhook = Webhook::new(&webhook(port), Arc::new(OneSecret(SECRET)), SystemClock::shared()).unwrap();
        let feed = Feed::webhook("tickets", None, None).id;
        Self::start(store, &feed, |parts, shutdown, tasks| {
            tasks.spawn(queue::run(parts, webhook, shutdown));
        })
    }

    fn put(&self, entry: &Entry) {
        self.store.put_documents(&[records::entry_document(entry)]).unwrap();
        self.wake.notify_one();
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&PartHealth) -> bool) -> PartHealth {
        let waited = tokio::time::timeout(PATIENCE, self.health.wait_for(holds)).await;
        let reached = waited.ok().map(|health| health.unwrap().clone());
        reached.unwrap_or_else(|| panic!("{what}: {:?}", *self.health.borrow()))
    }

    fn waiting(&self) -> usize {
        self.store.documents(FEED_OUT).unwrap().len()
    }

    async fn stop(mut self) {
        self.switch.stop();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

fn broker(port: u16) -> MqttSettings {
    MqttSettings {
        host: "127.0.0.1".into(),
        port,
        tls: None,
        user: None,
        password: None,
        keep_alive: Duration::from_secs(5),
    }
}

/// A reader of incidents, subscribed.
async fn reader(port: u16, filter: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new("node-red", "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = AsyncClient::new(options, 10);
    client.subscribe(format!("vedetta/v1/{NETWORK}/_hub/incidents/{filter}"), QoS::AtLeastOnce).await.unwrap();
    loop {
        if let Event::Incoming(Packet::SubAck(_)) = events.poll().await.unwrap() {
            return (client, events);
        }
    }
}

/// The next message: topic, payload, whether it was retained.
async fn heard(events: &mut EventLoop) -> (String, String, bool) {
    let next = async {
        loop {
            if let Event::Incoming(Packet::Publish(p)) = events.poll().await.unwrap() {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                return (text(&p.topic), text(&p.payload), p.retain);
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.unwrap()
}

#[tokio::test]
async fn incidents_reach_readers_over_mosquitto_and_outlive_its_absence_and_ours() {
    let mut mosquitto = Mosquitto::open();
    let store = MemoryStore::new();
    let mut running = Running::mqtt(&store, broker(mosquitto.port()));
    let (_client, mut events) = reader(mosquitto.port(), "langhenet/#").await;
    running.put(&entry("mqtt", 1, Some("langhenet")));
    // Not for this reader.
    running.put(&entry("mqtt", 2, Some("altra")));
    running.put(&entry("mqtt", 3, Some("langhenet")));
    for n in [1, 3] {
        let (topic, payload, retained) = heard(&mut events).await;
        assert_eq!(topic, format!("vedetta/v1/prova/_hub/incidents/langhenet/VED-{n}"));
        assert_eq!((payload, retained), (entry("mqtt", n, None).body, false));
    }
    running.until("all are acknowledged", |h| h.done_total == 3 && h.waiting == 0).await;
    assert_eq!(running.waiting(), 0);

    // The broker dies; what happens meanwhile waits, also over a restart of the hub.
    mosquitto.kill();
    running.put(&entry("mqtt", 4, None));
    let health = running.until("the broker is missed", |h| !h.ok).await;
    assert!(health.detail.unwrap().contains("broker"), "the reason is named");
    running.stop().await;
    assert_eq!(store.documents(FEED_OUT).unwrap().len(), 1);
    mosquitto.restart();
    let (_client, mut events) = reader(mosquitto.port(), "#").await;
    let mut running = Running::mqtt(&store, broker(mosquitto.port()));
    let (topic, ..) = heard(&mut events).await;
    assert_eq!(topic, "vedetta/v1/prova/_hub/incidents/_union/VED-4");
    running.until("it is marked", |h| h.done_total == 1 && h.waiting == 0).await;
    running.stop().await;
    // Once: another run finds nothing to say but the next one.
    let running = Running::mqtt(&store, broker(mosquitto.port()));
    running.put(&entry("mqtt", 5, None));
    assert!(heard(&mut events).await.0.ends_with("VED-5"));
    running.stop().await;
}

#[tokio::test]
async fn the_embedded_broker_takes_incidents_too() {
    let users = [(User::Hub, Secret::new("right"))].into();
    let embedded = Broker::bind("127.0.0.1:0".parse().unwrap(), &network(), users).await.unwrap();
    let port = embedded.addr().port();
    let (switch, shutdown) = Shutdown::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(embedded.run(shutdown));
    let store = MemoryStore::new();
    let password = Some(SecretRef::Env("BROKER".into()));
    let settings = MqttSettings { user: Some("hub".into()), password, ..broker(port) };
    let mut running = Running::mqtt(&store, settings);
    running.put(&entry("mqtt", 1, Some("langhenet")));
    running.until("it is acknowledged", |h| h.done_total == 1 && h.waiting == 0).await;
    running.stop().await;
    switch.stop();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}

/// A request that the ticket system got.
type Got = (HeaderMap, String);

/// A ticket system: answers as it is told, then 204.
struct Tickets {
    port: u16,
    got: Arc<Mutex<Vec<Got>>>,
    _tasks: JoinSet<()>,
}

impl Tickets {
    async fn start(port: u16, answers: &[u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect::<VecDeque<u16>>()));
        let seen = got.clone();
        let answer = move |headers: HeaderMap, body: String| {
            seen.lock().unwrap().push((headers, body));
            let status = answers.lock().unwrap().pop_front().unwrap_or(204);
            let mut more = HeaderMap::new();
            if (300..400).contains(&status) {
                more.insert("location", format!("http://127.0.0.1:{port}/elsewhere").parse().unwrap());
            }
            std::future::ready((StatusCode::from_u16(status).unwrap(), more, format!("it is {status}")))
        };
        let app = axum::Router::new().fallback(axum::routing::any(answer));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { port, got, _tasks: tasks }
    }

    fn ids(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter().map(|(headers, _)| headers["webhook-id"].to_str().unwrap().to_owned()).collect()
    }
}

fn webhook(port: u16) -> WebhookSettings {
    WebhookSettings {
        id: "tickets".into(),
        url: Secret::new(format!("http://127.0.0.1:{port}/vedetta?token=sesame")),
        secret: SecretRef::Env("WEBHOOK".into()),
        wisp: None,
        language: None,
        ca_file: None,
    }
}

/// The Python of the page for operators that is marked so.
fn snippet(mark: &str) -> String {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ticket-systems.md")).unwrap();
    let start = format!("```python {mark}\n");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no {start:?} in the page"));
    rest.split_once("\n```").unwrap().0.to_owned()
}

/// Runs Python on a text and returns what it prints.
fn python(code: &str, arguments: &[&str], input: &[u8]) -> String {
    let mut command = Command::new(PYTHON);
    command.args(["-c", code]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What the operator's own check says of a request: as it came, with another body, ten minutes later.
fn verified((headers, body): &Got) -> String {
    let code = snippet("webhook")
        + "\nimport sys, time\n\
           headers = dict(zip(('webhook-id', 'webhook-timestamp', 'webhook-signature'), sys.argv[2:5]))\n\
           body, later = sys.stdin.buffer.read(), time.time() + 600\n\
           print(is_genuine(sys.argv[1], headers, body), is_genuine(sys.argv[1], headers, body + b' '), \
           is_genuine(sys.argv[1], headers, body, later))";
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, at, signature) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    python(&code, &[SECRET, &id, &at, &signature], body.as_bytes())
}

#[tokio::test]
async fn a_webhook_is_signed_repeated_until_it_is_taken_and_kept_in_order() {
    let tickets = Tickets::start(0, &[503, 200, 400, 301]).await;
    let store = MemoryStore::new();
    let feed = Feed::webhook("tickets", None, None).id;
    for n in 1..=4 {
        store.put_documents(&[records::entry_document(&entry(&feed, n, None))]).unwrap();
    }
    // Of another feed, and no report at all.
    store.put_documents(&[records::entry_document(&entry("webhook:tickets-2", 9, None))]).unwrap();
    let broken = vedetta::store::Document { kind: FEED_OUT.into(), key: format!("{feed} 0"), body: "x".into() };
    store.put_documents(&[broken]).unwrap();
    let mut running = Running::webhook(&store, tickets.port);
    let health = running.until("all are done", |h| h.done_total == 2 && h.failed_total == 3 && h.waiting == 0).await;
    let event = |n: u32| entry(&feed, n, None).event_id;
    // The redirect is not followed, the second one is refused, the last is taken.
    assert_eq!(tickets.ids(), [1, 1, 2, 3, 4].map(event));
    assert!(health.ok && !format!("{health:?}").contains("sesame"), "{health:?}");
    let refused = store.documents(REFUSED).unwrap();
    assert_eq!(refused.len(), 2);
    assert!(refused[0].body.contains("400 it is 400") && refused[1].body.contains("redirect"), "{refused:?}");
    let got = tickets.got.lock().unwrap().clone();
    for one in &got {
        assert_eq!(verified(one), "True False False");
        assert_eq!(one.0["content-type"], "application/json");
    }
    assert_eq!(got[0].1, entry(&feed, 1, None).body);
    assert_eq!(running.waiting(), 1, "the other feed's is its own");
    running.stop().await;
}

#[tokio::test]
async fn a_webhook_that_is_away_is_waited_for_over_a_restart() {
    let (port, store) = (free_port(), MemoryStore::new());
    let feed = Feed::webhook("tickets", None, None).id;
    let mut running = Running::webhook(&store, port);
    running.put(&entry(&feed, 1, None));
    let health = running.until("it is missed", |h| !h.ok).await;
    let detail = health.detail.unwrap();
    assert!(detail.starts_with("webhook:tickets: it cannot be reached") && !detail.contains("sesame"), "{detail}");
    running.stop().await;
    let tickets = Tickets::start(port, &[]).await;
    let mut running = Running::webhook(&store, port);
    running.until("it is taken", |h| h.done_total == 1 && h.ok).await;
    running.stop().await;
    assert_eq!(tickets.ids(), [entry(&feed, 1, None).event_id]);
    assert_eq!(store.documents(FEED_OUT).unwrap(), []);
}

#[tokio::test]
async fn a_bad_secret_is_said_at_the_start_and_not_printed() {
    let made = Webhook::new(&webhook(1), Arc::new(OneSecret("too short")), SystemClock::shared());
    let error = made.err().unwrap().to_string();
    assert!(error.contains("openssl rand -base64 32") && !error.contains("too short"), "{error}");
    assert!(!format!("{:?}", webhook(1)).contains("sesame"));
}

#[tokio::test]
async fn the_pages_python_reads_the_report_of_a_mail() {
    let (dir, store) = (tempfile::tempdir().unwrap(), MemoryStore::new());
    let report = r#"{"schema":"vedetta.incident/1","event":"opened","incident":{"id":"VED-1","name":"Città–Valle","title":"Interruzione"}}"#;
    let mail = Mail {
        id: "1".into(),
        to: vec!["tickets@langhenet.example".into()],
        from: "Unione <rete@unione.example>".into(),
        reply_to: None,
        subject: "[VED-1] Città–Valle interrotta".into(),
        text: "Buongiorno.\n".into(),
        html: "<p>Buongiorno.</p>\n".into(),
        message_id: "<1@unione.example>".into(),
        in_reply_to: None,
        references: Vec::new(),
        list_id: "<prova.vedetta.unione.example>".into(),
        date: UnixMillis(1_795_500_000_000),
        incident: "VED-1".into(),
        kind: NoticeKind::Opened,
        chart: None,
        attachment: Some(Attachment { name: "VED-1-opened.json".into(), json: report.into() }),
    };
    store.put_documents(&[records::document(&mail)]).unwrap();
    let (sender, _health) = watch::channel(PartHealth::default());
    let (switch, shutdown) = Shutdown::new();
    let settings = MailSettings { from: String::new(), reply_to: None, out: MailOut::Maildir(dir.path().into()) };
    let clock = ManualClock::at(UnixMillis(1_795_500_000_000));
    let mut tasks = JoinSet::new();
    let (wake, secrets) = (Arc::new(Notify::new()), Arc::new(OneSecret("")));
    tasks.spawn(outbox::run(settings, store, wake, secrets, sender, clock, shutdown));
    let new = dir.path().join("new");
    let file = || std::fs::read_dir(&new).ok()?.next()?.ok();
    until("the mail", || file().is_some()).await;
    let raw = std::fs::read(file().unwrap().path()).unwrap();
    switch.stop();
    tasks.join_next().await.unwrap().unwrap().unwrap();
    let code = snippet("mail")
        + "\nimport sys\nsys.stdout.reconfigure(encoding='utf-8')\n\
           [report] = reports(sys.stdin.buffer.read())\nprint(report['event'], subject_for_ticket(report))";
    assert_eq!(python(&code, &[], &raw), "opened [VED-1] Città–Valle: Interruzione");
    assert_eq!(python(&(snippet("mail") + "\nprint(reports(b'Subject: x\\n\\ny'))"), &[], &[]), "[]");
}

/// An inventory and settings with a mail server and a webhook.
fn configured(dir: &std::path::Path, smtp: u16, webhook: u16) {
    let network = "[network]\nid = \"prova\"\nname = \"Prova\"\ntime_zone = \"Europe/Rome\"\nlanguage = \"it\"\n\
                   [[wisp]]\nid = \"langhenet\"\nname = \"LangheNet\"\nemail = [\"noc@langhenet.example\", \"nobody@langhenet.example\"]\n\
                   language = \"en\"\n[[staff]]\nname = \"Anna\"\nemail = \"anna@unione.example\"\n\
                   [[site]]\nid = \"colle\"\nname = \"Colle\"\nkind = \"municipality\"\nlat = 44.1\nlon = 8.05\nresidents = 100\n";
    let hub = format!(
        "[mail]\nfrom = \"Prova <rete@unione.example>\"\n[mail.smtp]\nhost = \"127.0.0.1\"\nport = {smtp}\nsecurity = \"plain\"\n\
         [[notify.webhook]]\nid = \"tickets\"\nurl = \"http://127.0.0.1:{webhook}/in?token=sesame\"\n\
         secret_file = \"secret\"\nwisp = \"langhenet\"\n"
    );
    std::fs::write(dir.join("network.toml"), network).unwrap();
    std::fs::write(dir.join("hub.toml"), hub).unwrap();
    std::fs::write(dir.join("secret"), format!("{SECRET}\n")).unwrap();
}

fn notify(dir: &std::path::Path, words: &[&str], language: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vedetta"));
    command.arg("notify").args(words).args(["--network", "network.toml", "--config", "hub.toml"]).current_dir(dir);
    let output = command.env("LC_ALL", language).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("sesame") && !said.contains(SECRET), "{said}");
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_goes_out_as_the_settings_say_and_says_what_came_back() {
    let (dir, smtp) = (tempfile::tempdir().unwrap(), free_port());
    let _server = strict_smtp(smtp, &dir.path().join("mail"), &[]);
    let tickets = Tickets::start(0, &[200, 401]).await;
    configured(dir.path(), smtp, tickets.port);
    let run = |words: &[&str], language: &str| tokio::task::block_in_place(|| notify(dir.path(), words, language));
    let (code, said) = run(&["--list"], "C");
    assert_eq!(code, Some(0));
    assert!(said.contains("noc@langhenet.example, nobody@langhenet.example, webhook tickets"), "{said}");
    let (code, said) = run(&["--test", "langhenet"], "C");
    assert_eq!(code, Some(1), "{said}");
    for expected in ["noc@langhenet.example  accepted: 250", "no such mailbox", "tickets  accepted: 200 it is 200"] {
        assert!(said.contains(expected), "{expected:?} is not in\n{said}");
    }
    assert_eq!(verified(&tickets.got.lock().unwrap()[0].clone()), "True False False");
    let (code, said) = run(&["--test", "langhenet", "--json"], "C");
    let told: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!(
        (code, told["ok"].as_bool(), told["tests"][2]["said"].as_str()),
        (Some(1), Some(false), Some("401 it is 401"))
    );
    let (code, said) = run(&["--test", "staff"], "it_IT.UTF-8");
    assert!(code == Some(0) && said.contains("accettato: 250"), "{said}");
    assert_eq!(run(&["--test", "noc@langhenet.example"], "C").0, Some(0));
    let (code, said) = run(&["--test", "langenet"], "C");
    assert!(code == Some(2) && said.contains("did you mean \"langhenet\"?"), "{said}");
    let subjects: Vec<String> = std::fs::read_dir(dir.path().join("mail/new"))
        .unwrap()
        .map(|f| std::fs::read_to_string(f.unwrap().path()).unwrap())
        .collect();
    assert_eq!(subjects.len(), 4);
    assert!(subjects.iter().all(|m| m.contains("Auto-Submitted: auto-generated") && m.contains("[VED]")));
}
