//! A whole network of real processes: mosquitto with TLS and rights by the files of `vedetta broker-files`, simulated
//! radios, `vedetta hub`, and agents that know their name and the broker and nothing else: the inventory comes from the
//! hub.
#![cfg(all(feature = "hub", feature = "sim"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use serde_json::Value;
use support::{Mosquitto, Server, aiosmtpd, free_port, free_udp_port, wait_for, wait_while_it_moves};

const NETWORK: &str = "flotta";
const SECRET_ENV: &str = "VEDETTA_TEST_COMMUNITY";

fn vedetta() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vedetta"))
}

/// Two relays with an agent each, and a link between them; or two.
fn inventory(links: &[&str], snmp_port: u16) -> String {
    let mut text = format!(
        "hub = {{ site = \"poggio\" }}\n[network]\nid = \"{NETWORK}\"\nname = \"Flotta\"\nlanguage = \"en\"\n\
         [[wisp]]\nid = \"colli\"\nname = \"Colli\"\nemail = [\"noc@colli.example\"]\nattach_json = true\n\
         [[credential]]\nid = \"radios\"\nversion = \"v2c\"\ncommunity_env = \"{SECRET_ENV}\"\n"
    );
    for (n, site) in ["poggio", "serra"].into_iter().enumerate() {
        let _ = write!(
            text,
            "[[site]]\nid = \"{site}\"\nname = \"{site}\"\nkind = \"relay\"\nlat = 44.{}\nlon = 8.1\nagent = true\n",
            60 + n
        );
    }
    for (n, link) in links.iter().enumerate() {
        for (side, site) in ["poggio", "serra"].into_iter().enumerate() {
            let _ = write!(
                text,
                "[[device]]\nid = \"{site}-{link}\"\nsite = \"{site}\"\naddress = \"127.21.{n}.{}\"\n\
                 snmp_port = {snmp_port}\nsnmp = \"radios\"\nprofile = \"ubiquiti-af60\"\n",
                side + 1
            );
        }
        let _ = write!(
            text,
            "[[link]]\nid = \"{link}\"\nnear = \"poggio-{link}\"\nfar = \"serra-{link}\"\nwisp = \"colli\"\n"
        );
    }
    text
}

/// The radios of both links, as `vedetta simulate` serves them, and the community that they answer to.
fn radios(dir: &Path, snmp_port: u16, scenario: &str) -> (Server, String) {
    let (file, weather) = (dir.join("radios.toml"), dir.join("scenario.toml"));
    fs::write(&file, inventory(&["main", "spare"], snmp_port)).unwrap();
    fs::write(&weather, format!("name = \"x\"\ndescription_it = \"x\"\ndescription_en = \"x\"\n{scenario}")).unwrap();
    let mut command = vedetta();
    command.arg("simulate").arg("--scenario").arg(weather);
    command.args(["--json", "--seed", "7", "--port", &snmp_port.to_string(), "--network"]).arg(&file);
    let mut server = Server::start("cargo", command.stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut listing = String::new();
    BufReader::new(server.child().stdout.take().unwrap()).read_line(&mut listing).unwrap();
    let listing: Value = serde_json::from_str(&listing).unwrap();
    let community = listing["devices"][0]["snmp"]["community"].as_str().unwrap().to_owned();
    (server, community)
}

struct Fleet {
    dir: tempfile::TempDir,
    port: u16,
    page: u16,
    snmp_port: u16,
    community: String,
    broker: Mosquitto,
    hub: Option<Server>,
    _radios: Server,
}

impl Fleet {
    fn start() -> Self {
        Self::with("", "")
    }

    /// With weather, and with settings of the hub.
    fn with(scenario: &str, settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, page, snmp_port) = (free_port(), free_port(), free_udp_port());
        let (radios, community) = radios(dir.path(), snmp_port, scenario);
        let path = |name: &str| dir.path().join(name);
        fs::write(path("network.toml"), inventory(&["main"], snmp_port)).unwrap();
        let mut files = vedetta();
        files.arg("broker-files").arg("--network").arg(path("network.toml")).arg("--out").arg(path("files"));
        files.args(["--host", "localhost", "--port", &port.to_string(), "--broker-dir"]).arg(path("files/broker"));
        let written = files.output().unwrap();
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        fs::create_dir(path("kept")).unwrap();
        let rules = fs::read_to_string(path("files/broker/vedetta.conf")).unwrap();
        // Its disk is looked at: no secret may lie there.
        let rules = rules.lines().filter(|line| !line.starts_with("persistence")).collect::<Vec<_>>().join("\n");
        let config = format!("{rules}\npersistence true\npersistence_location {}/\n", path("kept").display());
        let broker = Mosquitto::by(([127, 0, 0, 1], port).into(), &config, None);
        let hub = format!(
            "data_dir = \"{}\"\npoll_interval = \"1s\"\n[web]\nlisten = \"127.0.0.1:{page}\"\n{settings}{}",
            path("hub").display(),
            Self::mqtt(port, &path("files/hub"))
        );
        fs::write(path("hub.toml"), hub).unwrap();
        let mut fleet = Self { dir, port, page, snmp_port, community, broker, hub: None, _radios: radios };
        fleet.start_hub();
        fleet
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn mqtt(port: u16, certificates: &Path) -> String {
        let file = |name: &str| certificates.join(name).display().to_string();
        format!(
            "[mqtt]\nhost = \"localhost\"\nport = {port}\nca_file = \"{}\"\nclient_cert_file = \"{}\"\n\
             client_key_file = \"{}\"\nkeep_alive = \"5s\"\n",
            file("ca.pem"),
            file("client.pem"),
            file("client.key")
        )
    }

    fn log_file(&self, name: &str) -> File {
        File::options().create(true).append(true).open(self.path(name)).unwrap()
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn start_hub(&mut self) {
        let mut command = vedetta();
        command.arg("hub").arg("--network").arg(self.path("network.toml"));
        command.arg("--config").arg(self.path("hub.toml")).env(SECRET_ENV, &self.community);
        self.hub = Some(Server::start("cargo", command.stdout(Stdio::null()).stderr(self.log_file("hub.log"))));
    }

    fn stop_hub(&mut self) {
        let mut hub = self.hub.take().expect("a hub that runs");
        assert!(hub.interrupt().success(), "{}", self.log("hub.log"));
    }

    /// An agent of a site, by its certificates; its directory is its own, or that of a clone.
    fn agent(&self, site: &str, data: &str) -> Server {
        let settings = format!(
            "agent = \"{site}\"\nnetwork = \"{NETWORK}\"\ndata_dir = \"{}\"\npoll_interval = \"1s\"\n{}",
            self.path(data).display(),
            Self::mqtt(self.port, &self.path(&format!("files/agents/{site}")))
        );
        let file = self.path(&format!("{data}.toml"));
        fs::write(&file, settings).unwrap();
        let mut command = vedetta();
        command.arg("agent").arg("--config").arg(file);
        let log = self.log_file(&format!("{data}.log"));
        Server::start("cargo", command.stdout(Stdio::null()).stderr(log))
    }

    fn status(&self) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}", self.page);
        let output = vedetta().args(["status", "--json", "--hub", &url]).output().unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }

    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        wait_for(what, || {
            last = self.status()?;
            is_so(&last).then(|| last.clone())
        })
    }

    /// What the agent still holds, as `vedetta spool` finds it on a disk that nobody writes to.
    fn held(&self, data: &str) -> u64 {
        let output = vedetta().args(["spool", "--json"]).arg(self.path(data).join("spool")).output().unwrap();
        let seen: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
        let ranges = seen["held"].as_array().unwrap();
        ranges.iter().map(|r| r[1].as_u64().unwrap() - r[0].as_u64().unwrap() + 1).sum()
    }

    fn assert_logs_are_clean(&self, names: &[&str]) {
        for name in names {
            let log = self.log(name);
            assert!(!log.is_empty() && !log.contains("panicked"), "{name}: {log}");
        }
    }

    /// Every byte that any of them wrote.
    fn assert_secret_is_nowhere(&self) {
        self.broker.signal("USR1");
        let kept = self.path("kept/mosquitto.db");
        wait_for("the broker's disk has the parts of the inventory", || {
            fs::read(&kept).ok().filter(|bytes| has(bytes, "poggio-spare"))
        });
        let mut looked_at = 0;
        let mut dirs = vec![self.dir.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    dirs.push(entry.path());
                    continue;
                }
                // Files come and go while processes run.
                let Ok(bytes) = fs::read(entry.path()) else { continue };
                assert!(!has(&bytes, &self.community), "the community is in {}", entry.path().display());
                looked_at += 1;
            }
        }
        assert!(looked_at > 20, "{looked_at} files");
    }
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn agent<'a>(status: &'a Value, site: &str) -> &'a Value {
    status["agents"].as_array().unwrap().iter().find(|a| a["agent"] == site).unwrap()
}

fn follows(status: &Value, site: &str) -> bool {
    let inventory = &agent(status, site)["inventory"];
    inventory["published"].is_string() && inventory["published"] == inventory["in_force"]
}

fn carries(status: &Value, link: &str) -> bool {
    let links = status["links"].as_array().unwrap();
    links.iter().any(|l| l["link"] == link && l["downstream"]["capacity_mbps"].is_f64() && l["state"] == "up")
}

#[test]
fn the_inventory_reaches_agents_that_know_only_the_broker_and_survives_it() {
    let mut fleet = Fleet::start();
    let _poggio = fleet.agent("poggio", "poggio");
    let serra = fleet.agent("serra", "serra");
    let first = fleet.until("both ends of the link are polled", |s| {
        carries(s, "main") && follows(s, "poggio") && follows(s, "serra")
    });
    assert!(!first["links"].to_string().contains("spare"));

    // Another inventory: who is told polls what is new, without a restart.
    fleet.stop_hub();
    fs::write(fleet.path("network.toml"), inventory(&["main", "spare"], fleet.snmp_port)).unwrap();
    fleet.start_hub();
    let second = fleet.until("the new link is polled from both ends", |s| {
        carries(s, "spare") && carries(s, "main") && follows(s, "poggio") && follows(s, "serra")
    });
    let published = |status: &Value| agent(status, "serra")["inventory"]["published"].clone();
    assert_ne!(published(&first), published(&second));

    // A part that is bad is refused, said so, and kept out; the one before stays in force.
    publish(&fleet, "serra/config", r#"{"revision":99000000000000,"inventory":"agent = 1"}"#);
    let refused = fleet.until("the refusal is known", |s| agent(s, "serra")["inventory"]["refused"].is_string());
    assert_eq!(agent(&refused, "serra")["inventory"]["in_force"], published(&second));
    let batches = agent(&refused, "serra")["received_batches"].as_u64().unwrap();
    fleet.until("it goes on polling", |s| agent(s, "serra")["received_batches"].as_u64() > Some(batches + 2));
    fleet.assert_secret_is_nowhere();

    // A power cut at the relay while its link is down: it starts from its copy, polls, and keeps what it measures.
    fleet.broker.kill();
    serra.kill();
    let before = fleet.held("serra");
    let serra = fleet.agent("serra", "serra");
    wait_while_it_moves("batches are kept for later", || {
        let held = fleet.held("serra");
        if held >= before + 5 { Ok(()) } else { Err(held) }
    });
    fleet.broker.restart();
    let end = fleet.until("what was kept has arrived, beside what is fresh", |s| {
        let serra = agent(s, "serra");
        let received = serra["received_batches"].as_u64() > Some(batches + before + 5);
        received && serra["delivery"]["missing_batches"] == 0 && carries(s, "spare")
    });
    for site in ["poggio", "serra"] {
        assert_eq!(
            (&agent(&end, site)["lost_batches"], &agent(&end, site)["rejected_batches"]),
            (&0.into(), &0.into())
        );
    }
    drop(serra);
    fleet.stop_hub();
    fleet.assert_logs_are_clean(&["hub.log", "poggio.log", "serra.log"]);
}

/// As the hub, by Debian's own client.
fn publish(fleet: &Fleet, topic: &str, message: &str) {
    let mut command = Command::new("mosquitto_pub");
    let file = |name: &str| fleet.path(&format!("files/hub/{name}"));
    command.args(["-h", "localhost", "-p", &fleet.port.to_string(), "-V", "mqttv5", "-q", "1", "-i", "test"]);
    command.arg("--cafile").arg(file("ca.pem")).arg("--cert").arg(file("client.pem"));
    command.arg("--key").arg(file("client.key"));
    command.args(["-t", &format!("vedetta/v1/{NETWORK}/{topic}"), "-m", message]);
    let said = command.output().expect("mosquitto_pub; apt-get install mosquitto-clients");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// Somebody copies the memory card of a relay and starts both: the same name, certificate and past, at the same time.
#[test]
fn two_clones_at_once_are_told_of_and_lose_nothing_unreported() {
    let mut fleet = Fleet::start();
    let serra = fleet.agent("serra", "serra");
    fleet.until("it is polled", |s| follows(s, "serra") && agent(s, "serra")["received_batches"].as_u64() > Some(3));
    serra.kill();
    copy(&fleet.path("serra"), &fleet.path("clone"));
    let connections = || fleet.broker.log().matches("New client connected").count();
    let before = connections();
    let (serra, clone) = (fleet.agent("serra", "serra"), fleet.agent("serra", "clone"));
    let log = wait_for("the hub sees that two use one name", || {
        Some(fleet.log("hub.log")).filter(|log| log.contains("two agents use this name"))
    });
    assert!(!log.contains("panicked"));
    let taken = connections() - before;
    assert!(taken < 60, "the two chase each other from the broker: {taken} connections");
    // The clone is found and switched off.
    clone.kill();
    let received = |s: &Value| agent(s, "serra")["received_batches"].as_u64();
    let so_far = fleet.status().and_then(|s| received(&s));
    fleet.until("the first one delivers, and lacks nothing", |s| {
        let (now, lacks) = (received(s), &agent(s, "serra")["delivery"]["missing_batches"]);
        now > so_far.map(|n| n + 5) && *lacks == 0 && agent(s, "serra")["lost_batches"] == 0
    });
    println!("{taken} connections until the two were seen");
    drop(serra);
    fleet.stop_hub();
}

/// When a file was written, as the server that wrote it did so.
fn written_at(path: &Path) -> i64 {
    let since = fs::metadata(path).unwrap().modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    since.as_millis() as i64
}

/// A link goes down; its operator has a mail. How soon is printed (docs/measurements.md): it is no test of time.
#[test]
fn a_link_that_goes_down_is_mailed_when_its_hold_ends() {
    let (smtp, mails) = (free_port(), tempfile::tempdir().unwrap());
    let maildir = mails.path().join("mails");
    let _smtp = aiosmtpd(smtp, &maildir, &[]);
    let event = "[[event]]\nat = \"20s\"\nfor = \"1h\"\nkind = \"misalignment\"\nlink = \"main\"\nloss_db = 90\n";
    let hold = 2000;
    let settings = format!(
        "[alert]\ndown_open = \"{hold}ms\"\n[notify]\nrodaggio = \"0s\"\n\
         [mail]\nfrom = \"Flotta <rete@unione.example>\"\n\
         [mail.smtp]\nhost = \"127.0.0.1\"\nport = {smtp}\nsecurity = \"plain\"\n"
    );
    let mut fleet = Fleet::with(event, &settings);
    let _agents = [fleet.agent("poggio", "poggio"), fleet.agent("serra", "serra")];
    fleet.until("the link is known", |s| carries(s, "main"));
    let mail = wait_for("a mail to the operator", || {
        fs::read_dir(maildir.join("new")).ok()?.next().map(|entry| entry.unwrap().path())
    });
    let text = fs::read_to_string(&mail).unwrap();
    for needed in ["To: noc@colli.example", "Content-Type: application/json"] {
        assert!(text.contains(needed), "{needed} is not in\n{text}");
    }
    fleet.stop_hub();
    let ledger = rusqlite::Connection::open(fleet.path("hub/ledger.sqlite")).unwrap();
    let body: String =
        ledger.query_row("SELECT body FROM documents WHERE kind = 'incident'", [], |row| row.get(0)).unwrap();
    let incident: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&incident["condition"], &incident["subject"]["edge"]["link"]),
        (&"link_down".into(), &"main".into()),
        "{body}"
    );
    let (since, opened) = (incident["since"].as_i64().unwrap(), incident["opened_at"].as_i64().unwrap());
    assert!(opened >= since + hold, "not before its hold has passed");
    println!(
        "opened {} ms after the end of its hold, accepted by the mail server {} ms after it opened",
        opened - since - hold,
        written_at(&mail) - opened
    );
}
