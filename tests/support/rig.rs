//! A rig for proofs of delivery with real processes: mosquitto, `vedetta hub`, and an agent's delivery that writes down
//! what it generates.
//!
//! **What counts as generated.** The generator is this test binary, started again. It hands numbered batches to the
//! product's own delivery (spool, MQTT, acknowledgement) and keeps a journal beside the spool: `offered N` before a
//! batch is handed over, `kept N` once delivery says that the spool has made it durable. A batch is generated from
//! `kept` on. One that was offered when the process was killed may have become durable or not: stored it may be, lost it
//! cannot be. Everything kept must be in the ledger with the content that its number prescribes, once; nothing else may
//! be there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use vedetta::catalogue;
use vedetta::config::settings::{MqttSettings, SpoolLimits};
use vedetta::model::network::SecretRef;
use vedetta::model::{MonoMillis, NetworkId, Reading, Sample, SiteId, Tag, UnixMillis};
use vedetta::mqtt::agent::{self, AgentDelivery, DeliveryStatus, Payload};
use vedetta::runtime::clock::Clock;
use vedetta::runtime::tasks::Shutdown;
use vedetta::spool::Spool;
use vedetta::store::ledger::{Ledger, OWN_AGENT};
use vedetta::wire::batch::{Encoding, unpack};
use vedetta::wire::line;

use super::{Mosquitto, OneSecret, Server, free_port, wait_for, wait_while_it_moves};

const NETWORK: &str = "prova";
/// Set for a process of the generator: its directory.
const GENERATOR_DIR: &str = "VEDETTA_TEST_GENERATOR_DIR";
/// Batches offered and not yet durable; delivery drops what waits beyond 64.
const AHEAD_MAX: u64 = 16;
/// Samples of the generator are of this time on, a second apart: in the past, for stores take nothing from the future.
const T0: i64 = 1_700_000_000_000;

/// What a generator is told.
#[derive(Debug, Clone)]
pub struct Orders {
    pub agent: String,
    pub broker: SocketAddr,
    /// Stops offering after so many, counted over all its lives.
    pub count: u64,
    /// Pause between two batches.
    pub every: Duration,
    /// Tells the contents of one generator from those of its clone.
    pub salt: u64,
    /// The wall clock jumps by years, to and fro.
    pub jumping_clock: bool,
    /// The clocks run so many times faster.
    pub clock_rate: u64,
    /// Radios in a batch.
    pub radios: u64,
}

impl Orders {
    pub fn new(agent: &str, broker: SocketAddr) -> Self {
        let every = Duration::from_millis(20);
        let (agent, jumping_clock) = (agent.to_owned(), false);
        Self { agent, broker, count: u64::MAX, every, salt: 0, jumping_clock, clock_rate: 1, radios: 3 }
    }

    fn to_json(&self) -> Value {
        json!({
            "agent": self.agent, "broker": self.broker.to_string(), "count": self.count, "salt": self.salt,
            "every_ms": self.every.as_millis() as u64, "jumping_clock": self.jumping_clock,
            "clock_rate": self.clock_rate, "radios": self.radios,
        })
    }

    fn from_json(value: &Value) -> Self {
        let number = |key: &str| value[key].as_u64().unwrap();
        Self {
            agent: value["agent"].as_str().unwrap().to_owned(),
            broker: value["broker"].as_str().unwrap().parse().unwrap(),
            count: number("count"),
            every: Duration::from_millis(number("every_ms")),
            salt: number("salt"),
            jumping_clock: value["jumping_clock"].as_bool().unwrap(),
            clock_rate: number("clock_rate"),
            radios: number("radios"),
        }
    }
}

/// The content of batch `n`: what a poll of some radios gives.
pub fn content(orders: &Orders, n: u64) -> String {
    let at = UnixMillis(T0 + 1000 * n as i64);
    let radio = |radio: u64| {
        let mut sample = Sample::new(&catalogue::RADIO, at)
            .tag(Tag::Site, orders.agent.as_str())
            .tag(Tag::Device, format!("radio-{radio}"))
            .tag(Tag::Radio, "1");
        let wave = |period: u64| ((n * 31 + radio * 17 + orders.salt) % period) as f64;
        sample.set("rsl_dbm", Reading::value(-50.0 - wave(97) / 8.0));
        sample.set("snr_db", Reading::value(20.0 + wave(41) / 4.0));
        sample.set("capacity_tx_mbps", Reading::value(300.0 + wave(211)));
        sample.set("capacity_rx_mbps", Reading::value(300.0 + wave(193)));
        sample
    };
    let samples: Vec<Sample> = (0..=n % orders.radios.max(1)).map(radio).collect();
    let mut text = String::new();
    line::encode(&samples, &mut text);
    text
}

/// A generator's life after life, on one directory.
pub struct Generator {
    pub orders: Orders,
    pub dir: PathBuf,
    process: Option<Server>,
    /// Put before the command, for a namespace of its own.
    inside: Vec<String>,
}

impl Generator {
    pub fn new(dir: &Path, orders: Orders) -> Self {
        fs::create_dir_all(dir).unwrap();
        Self { orders, dir: dir.to_owned(), process: None, inside: Vec::new() }
    }

    pub fn inside(mut self, words: &[&str]) -> Self {
        self.inside = words.iter().map(|w| (*w).to_owned()).collect();
        self
    }

    pub fn start(&mut self) -> &mut Self {
        assert!(self.process.is_none(), "one process for each spool");
        let _ = fs::remove_file(self.dir.join("status"));
        self.order();
        let mut words = self.inside.clone();
        words.push(std::env::current_exe().unwrap().to_str().unwrap().to_owned());
        let log = File::options().create(true).append(true).open(self.dir.join("log")).unwrap();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["--exact", "generator_process", "--nocapture"]);
        command.env(GENERATOR_DIR, &self.dir).stdout(Stdio::from(log.try_clone().unwrap())).stderr(Stdio::from(log));
        self.process = Some(Server::start("util-linux", &mut command));
        self
    }

    /// Tells the running process how far to go.
    pub fn order(&self) {
        fs::write(self.dir.join("orders.new"), self.orders.to_json().to_string()).unwrap();
        fs::rename(self.dir.join("orders.new"), self.dir.join("orders")).unwrap();
    }

    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Ends in good order.
    pub fn stop(&mut self) {
        fs::write(self.dir.join("stop"), "").unwrap();
        let mut process = self.process.take().expect("a generator that runs");
        let ended = wait_for("the generator to end", || process.child().try_wait().unwrap());
        fs::remove_file(self.dir.join("stop")).unwrap();
        assert!(ended.success(), "{}", fs::read_to_string(self.dir.join("log")).unwrap());
    }

    /// The figures that it last wrote down; `None` before the first.
    pub fn status(&self) -> Option<Value> {
        serde_json::from_str(&fs::read_to_string(self.dir.join("status")).ok()?).ok()
    }

    pub fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("{}: {what}", self.orders.agent), || self.status().filter(|s| is_so(s)))
    }

    /// All its batches are durable in the spool, and known to be stored.
    pub fn until_delivered(&self) {
        let count = self.orders.count;
        self.while_it_moves("all is stored", |kept, pending| kept == Some(count) && pending == Some(0));
    }

    pub fn until_kept(&self, n: u64) {
        self.while_it_moves(&format!("{n} batches are durable"), |kept, _| kept >= Some(n));
    }

    /// Batches that are durable and those that wait are what moves: an agent that sends again and again stands still.
    fn while_it_moves(&self, what: &str, is_so: impl Fn(Option<u64>, Option<u64>) -> bool) {
        wait_while_it_moves(&format!("{}: {what}", self.orders.agent), || {
            let status = self.status().unwrap_or_default();
            let (kept, pending) = (status["kept"].as_u64(), status["pending"].as_u64());
            if is_so(kept, pending) { Ok(()) } else { Err((kept, pending)) }
        });
    }

    pub fn journal(&self) -> Journal {
        Journal::read(&self.dir)
    }
}

/// What a generator says that it generated.
#[derive(Debug, Default)]
pub struct Journal {
    pub offered: BTreeSet<u64>,
    pub kept: BTreeSet<u64>,
}

impl Journal {
    fn read(dir: &Path) -> Self {
        let mut journal = Self::default();
        for line in fs::read_to_string(dir.join("journal")).unwrap_or_default().lines() {
            match line.split_once(' ').map(|(word, n)| (word, n.parse())) {
                Some(("offered", Ok(n))) => drop(journal.offered.insert(n)),
                Some(("kept", Ok(n))) => drop(journal.kept.insert(n)),
                // Cut short by a kill.
                _ => {}
            }
        }
        journal
    }
}

/// In a process that is to be a generator, never returns. To be called by a test named `generator_process`.
pub fn be_generator_if_told() {
    let Some(dir) = std::env::var_os(GENERATOR_DIR).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(generate(&dir));
    std::process::exit(0);
}

fn read_orders(dir: &Path) -> Orders {
    Orders::from_json(&serde_json::from_str(&fs::read_to_string(dir.join("orders")).unwrap()).unwrap())
}

async fn generate(dir: &Path) {
    let mut orders = read_orders(dir);
    let before = Journal::read(dir);
    let journal = File::options().create(true).append(true).open(dir.join("journal")).unwrap();
    // What a kill cut short ends here.
    (&journal).write_all(b"\n").unwrap();
    let settings = MqttSettings {
        host: orders.broker.ip().to_string(),
        port: orders.broker.port(),
        tls: None,
        user: Some(orders.agent.clone()),
        password: Some(SecretRef::Env("NOT_READ".to_owned())),
        keep_alive: Duration::from_secs(5),
    };
    let config = AgentDelivery {
        settings,
        network: NetworkId::parse(NETWORK).unwrap(),
        agent: SiteId::parse(&orders.agent).unwrap(),
        version: "test".to_owned(),
        part: None,
    };
    let spool = Spool::open(&dir.join("spool"), SpoolLimits::default(), rand::random()).unwrap();
    let (payloads, payloads_out) = mpsc::channel(4);
    let (status_in, status) = watch::channel(DeliveryStatus::at_start(&spool));
    let (switch, shutdown) = Shutdown::new();
    let clock = Arc::new(TestClock::new(&orders));
    let delivery = agent::run(config, payloads_out, spool, Arc::new(OneSecret("x")), clock, status_in, shutdown);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { delivery.await.unwrap() });
    let first = before.offered.last().map_or(1, |last| last + 1);
    let mut run = Run { dir, journal, status, samples: Vec::new(), kept: first - 1, first, next: first };
    let mut due = Instant::now();
    while !dir.join("stop").exists() {
        run.note();
        if run.next <= orders.count && run.next - run.kept <= AHEAD_MAX && Instant::now() >= due {
            let text = content(&orders, run.next);
            let n_samples = text.lines().count() as u64;
            run.offer(n_samples);
            payloads.send(Payload { bytes: text.into_bytes(), n_samples: n_samples as u32 }).await.unwrap();
            due = (due + orders.every).max(Instant::now());
        } else {
            orders.count = read_orders(dir).count;
            let _ = tokio::time::timeout(Duration::from_millis(5), run.status.changed()).await;
        }
    }
    switch.stop();
    while tasks.join_next().await.is_some() {}
    run.note();
}

/// One life of a generator.
struct Run<'a> {
    dir: &'a Path,
    journal: File,
    status: watch::Receiver<DeliveryStatus>,
    /// Of each batch offered in this life: samples up to and with it.
    samples: Vec<u64>,
    kept: u64,
    first: u64,
    next: u64,
}

impl Run<'_> {
    fn offer(&mut self, n_samples: u64) {
        self.samples.push(self.samples.last().copied().unwrap_or(0) + n_samples);
        (&self.journal).write_all(format!("offered {}\n", self.next).as_bytes()).unwrap();
        self.next += 1;
    }

    /// Writes down what has become durable, and how delivery stands.
    fn note(&mut self) {
        let status = self.status.borrow_and_update().clone();
        assert_eq!(status.dropped_batches, 0, "the generator went too far ahead");
        let durable = self.samples.partition_point(|samples| *samples <= status.samples) as u64;
        let mut lines = String::new();
        while self.kept + 1 < self.first + durable {
            self.kept += 1;
            writeln!(lines, "kept {}", self.kept).unwrap();
        }
        (&self.journal).write_all(lines.as_bytes()).unwrap();
        let figures = json!({
            "kept": self.kept, "pending": status.pending_batches, "connected": status.connected,
            "hub_present": status.hub_present, "sent": status.sent_batches, "disk_error": status.disk_error,
            "evicted": status.evicted_batches, "under_way": status.under_way_batches, "link_error": status.link_error,
        });
        fs::write(self.dir.join("status.new"), figures.to_string()).unwrap();
        fs::rename(self.dir.join("status.new"), self.dir.join("status")).unwrap();
    }
}

/// The machine's time, made fast, or a wall clock that jumps with each look at it.
struct TestClock {
    started: Instant,
    rate: u64,
    jumping: bool,
    looks: AtomicU64,
}

impl TestClock {
    fn new(orders: &Orders) -> Self {
        Self { started: Instant::now(), rate: orders.clock_rate, jumping: orders.jumping_clock, looks: 0.into() }
    }

    fn elapsed_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64 * self.rate
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        const YEAR_MS: i64 = 365 * 86_400_000;
        let steady = UnixMillis(1_790_000_000_000 + self.elapsed_ms() as i64);
        if !self.jumping {
            return steady;
        }
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        let years = [0, 10, -20, 200, -56, 1, -1][look as usize % 7];
        UnixMillis((steady.0 + years * YEAR_MS).max(0))
    }

    fn mono(&self) -> MonoMillis {
        MonoMillis(self.elapsed_ms())
    }
}

/// A hub's process on a directory: `vedetta hub`.
pub struct Hub {
    pub dir: PathBuf,
    pub page: u16,
    broker: SocketAddr,
    agents: Vec<String>,
    /// Lines added to `hub.toml`.
    pub settings: String,
    process: Option<Server>,
}

impl Hub {
    pub fn new(dir: &Path, broker: SocketAddr, agents: &[&str]) -> Self {
        fs::create_dir_all(dir).unwrap();
        let agents = agents.iter().map(|a| (*a).to_owned()).collect();
        Self { dir: dir.to_owned(), page: free_port(), broker, agents, settings: String::new(), process: None }
    }

    /// The one directory that it writes to, and that a backup copies.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub fn start(&mut self) -> &mut Self {
        assert!(self.process.is_none(), "it runs");
        let mut network = format!("[network]\nid = \"{NETWORK}\"\nname = \"Prova\"\n");
        for (n, agent) in self.agents.iter().enumerate() {
            write!(network, "[[site]]\nid = \"{agent}\"\nname = \"{agent}\"\nkind = \"relay\"\nlat = 44.{n}1\nlon = 8.05\nagent = true\n").unwrap();
        }
        fs::write(self.dir.join("network.toml"), network).unwrap();
        let hub = format!(
            "data_dir = \"{}\"\n{}\n[web]\nlisten = \"127.0.0.1:{}\"\n[mqtt]\nhost = \"{}\"\nport = {}\nplain = true\n",
            self.data().display(),
            self.settings,
            self.page,
            self.broker.ip(),
            self.broker.port()
        );
        fs::write(self.dir.join("hub.toml"), hub).unwrap();
        let log = File::options().create(true).append(true).open(self.dir.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedetta"));
        command.arg("hub").arg("--network").arg(self.dir.join("network.toml"));
        command.arg("--config").arg(self.dir.join("hub.toml"));
        command.stdout(Stdio::null()).stderr(Stdio::from(log));
        self.process = Some(Server::start("cargo", &mut command));
        self
    }

    pub fn signal(&self, name: &str) {
        self.process.as_ref().expect("a hub that runs").signal(name);
    }

    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// As systemd does.
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("a hub that runs");
        assert!(process.interrupt().success(), "{}", self.log());
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// What `vedetta status --json` says, once the hub answers.
    pub fn status(&self) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}", self.page);
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedetta"));
        let output = command.args(["status", "--json", "--hub", &url]).output().unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Batches that agents have in its ledger now, running or not.
    pub fn stored(&self) -> u64 {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let count = || {
            let ledger = rusqlite::Connection::open_with_flags(self.data().join("ledger.sqlite"), flags)?;
            ledger.busy_timeout(Duration::from_secs(1))?;
            let count = "SELECT count(*) FROM batches JOIN epochs ON id = epoch_id WHERE agent <> ?1";
            ledger.query_row(count, [OWN_AGENT], |row| row.get::<_, i64>(0))
        };
        // A ledger that is being made has no tables yet.
        count().map_or(0, |n: i64| n as u64)
    }

    pub fn until_stored(&self, n: u64) {
        wait_while_it_moves(&format!("{n} batches in the ledger"), || {
            let stored = self.stored();
            if stored >= n { Ok(()) } else { Err(stored) }
        });
    }

    /// Every payload in its ledger by agent, in the order of storing. The hub must not run.
    pub fn payloads(&self) -> BTreeMap<String, Vec<String>> {
        assert!(self.process.is_none(), "a ledger is read by one process");
        let ledger = Ledger::open(&self.data().join("ledger.sqlite")).unwrap();
        let mut payloads: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for stored in ledger.replay_since(UnixMillis(i64::MIN)).unwrap() {
            let batch = stored.unwrap().batch;
            if batch.agent.as_str() == OWN_AGENT {
                continue;
            }
            let text = unpack(Encoding::Gzip, &batch.packed, batch.crc).unwrap();
            payloads.entry(batch.agent.to_string()).or_default().push(String::from_utf8(text).unwrap());
        }
        payloads
    }
}

/// Compares every batch generated with every batch stored, by content.
pub fn assert_nothing_lost(hub: &Hub, generators: &[&Generator]) {
    let mut stored = hub.payloads();
    for generator in generators {
        let orders = &generator.orders;
        let journal = generator.journal();
        let found = stored.remove(&orders.agent).unwrap_or_default();
        let n_found = found.len();
        let found: BTreeSet<String> = found.into_iter().collect();
        assert_eq!(found.len(), n_found, "{}: batches are stored twice", orders.agent);
        let texts = |numbers: &BTreeSet<u64>| numbers.iter().map(|n| content(orders, *n)).collect::<BTreeSet<_>>();
        let (kept, offered) = (texts(&journal.kept), texts(&journal.offered));
        let lost: Vec<_> = journal.kept.iter().filter(|n| !found.contains(&content(orders, **n))).collect();
        assert!(lost.is_empty(), "{}: {} of {} are lost: {lost:?}", orders.agent, lost.len(), kept.len());
        let invented: Vec<_> = found.difference(&offered).collect();
        assert!(invented.is_empty(), "{}: nobody generated {invented:?}", orders.agent);
        println!("{}: {} batches generated, {n_found} stored, none lost, none twice", orders.agent, kept.len());
    }
    assert!(stored.is_empty(), "of agents that do not exist: {:?}", stored.keys());
}

/// A broker, a hub, a directory for all.
pub struct Rig {
    pub dir: tempfile::TempDir,
    pub broker: Mosquitto,
    pub hub: Hub,
}

impl Rig {
    pub fn new(agents: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Mosquitto::open();
        let hub = Hub::new(&dir.path().join("hub"), broker.addr, agents);
        Self { dir, broker, hub }
    }

    pub fn generator(&self, agent: &str) -> Generator {
        Generator::new(&self.dir.path().join(agent), Orders::new(agent, self.broker.addr))
    }
}
