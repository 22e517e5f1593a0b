//! The whole story through real servers: mosquitto, an SMTP server, a store that speaks InfluxDB's write API.
//!
//! A link of the simulated network fades under what is required; its operator gets a mail that says what, since when,
//! for whom; the page and `vedetta status` say the same; the link recovers, and the closing mail arrives in the same
//! thread. Every sample generated is stored, once, and reaches the store that follows the ledger.

#![cfg(all(feature = "hub", feature = "sim"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::{Mosquitto, PYTHON, Server, aiosmtpd, free_port, free_udp_port, victoria_metrics, wait_for};

/// The link that fades, its operator's mailbox, and who is behind it (configs/alta-langa.toml).
const LINK: &str = "pop-santo-stefano-bric-san-bovo";
const OPERATOR: &str = "noc@belbo-wireless.example";
const BEHIND: [&str; 6] = ["Benevello", "Borgomale", "Castino", "Cossano Belbo", "Rocchetta Belbo", "Trezzo Tinella"];

/// A fade of 20 minutes, told to a demo that runs 60 times faster than the clock: 20 s.
const SCENARIO: &str = r#"
name = "story"
description_it = "Una tratta si affievolisce e si riprende."
description_en = "A link fades and recovers."

[[event]]
at = "5m"
for = "22m"
kind = "misalignment"
link = "pop-santo-stefano-bric-san-bovo"
loss_db = 17.5
"#;

/// One stored mail: its headers, unfolded, and its decoded text.
struct Stored {
    headers: BTreeMap<String, String>,
    raw: String,
}

/// Reads a maildir of the SMTP server; Python's own mail parser is the independent reader.
fn read_mails(dir: &Path) -> Vec<Stored> {
    const READER: &str = r#"
import sys, json, mailbox, email.policy, email
out = []
for path in sorted(__import__("pathlib").Path(sys.argv[1]).glob("new/*")):
    m = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    text = m.get_body(("plain",)).get_content()
    html = m.get_body(("html",)).get_content()
    out.append({"headers": {k.lower(): str(v) for k, v in m.items()}, "text": text, "html": html})
print(json.dumps(out))
"#;
    let output = Command::new(PYTHON).args(["-c", READER]).arg(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mails: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    mails
        .iter()
        .map(|mail| Stored {
            headers: mail["headers"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned()))
                .collect(),
            raw: mail["text"].as_str().unwrap().to_owned(),
        })
        .collect()
}

/// Every point of a series that the store exports: (timestamp, value).
fn exported(port: u16, selector: &str) -> Vec<(i64, f64)> {
    let script = r#"
import sys, json, urllib.request, urllib.parse
url = f"http://127.0.0.1:{sys.argv[1]}/api/v1/export?" + urllib.parse.urlencode({"match[]": sys.argv[2]})
points = []
for line in urllib.request.urlopen(url):
    row = json.loads(line)
    points += list(zip(row["timestamps"], row["values"]))
print(json.dumps(points))
"#;
    let output = Command::new(PYTHON).args(["-c", script, &port.to_string(), selector]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

struct World {
    dir: tempfile::TempDir,
    store: u16,
    page: u16,
    mails: PathBuf,
    _broker: Mosquitto,
    _servers: [Server; 2],
}

impl World {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (smtp, store, page) = (free_port(), free_port(), free_port());
        let mails = dir.path().join("mails");
        let mosquitto = Mosquitto::open();
        let broker = mosquitto.port();
        let localhost = |port: u16| ([127, 0, 0, 1], port);
        let server = victoria_metrics(store, dir.path(), &[]).listening(localhost(store), String::new);
        let servers = [aiosmtpd(smtp, &mails, &[]), server];
        fs::write(dir.path().join("scenario.toml"), SCENARIO).unwrap();
        let hub = format!(
            "[web]\npublic_url = \"http://127.0.0.1:{page}\"\nopen_to = [\"127.0.0.1\"]\n\
             [mqtt]\nhost = \"127.0.0.1\"\nport = {broker}\n\
             [influx]\nurl = \"http://127.0.0.1:{store}\"\norg = \"unione\"\nbucket = \"rete\"\n\
             [mail]\nfrom = \"Unione Montana Alta Langa <rete@unione.example>\"\n\
             [mail.smtp]\nhost = \"127.0.0.1\"\nport = {smtp}\nsecurity = \"plain\"\n"
        );
        fs::write(dir.path().join("hub.toml"), hub).unwrap();
        Self { dir, store, page, mails, _broker: mosquitto, _servers: servers }
    }

    fn demo(&self) -> Child {
        Command::new(env!("CARGO_BIN_EXE_vedetta"))
            .args(["demo", "--json", "--speed", "60", "--seed", "11", "--for", "70s"])
            .args(["--listen", &format!("127.0.0.1:{}", self.page)])
            .args(["--snmp-port", &free_udp_port().to_string()])
            .arg("--scenario")
            .arg(self.dir.path().join("scenario.toml"))
            .arg("--hub")
            .arg(self.dir.path().join("hub.toml"))
            .arg("--data")
            .arg(self.dir.path().join("data"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// `vedetta status --json` and its exit code, once the page answers.
    fn status(&self) -> Option<(i32, Value)> {
        let output = Command::new(env!("CARGO_BIN_EXE_vedetta"))
            .args(["status", "--json", "--hub", &format!("http://127.0.0.1:{}", self.page)])
            .output()
            .unwrap();
        Some((output.status.code()?, serde_json::from_slice(&output.stdout).ok()?))
    }
}

fn site<'a>(status: &'a Value, id: &str) -> &'a Value {
    status["sites"].as_array().unwrap().iter().find(|s| s["site"] == id).unwrap()
}

#[test]
fn a_fade_is_told_to_its_operator_and_closed_in_the_same_thread() {
    let world = World::start();
    let mut demo = world.demo();

    let (code, status) = wait_for("a municipality below its target", || {
        world.status().filter(|(_, s)| s["summary"]["below"].as_u64() > Some(0))
    });
    assert_eq!(code, 1, "somebody is below target");
    let borgomale = site(&status, "borgomale");
    assert_eq!(borgomale["downstream"]["target_mbps"], 30.0);
    assert_eq!(borgomale["downstream"]["state"], "below");
    assert_eq!(borgomale["downstream"]["bottleneck"], LINK);

    let mut text = String::new();
    demo.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let ended = demo.wait().unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert!(ended.success(), "{text}");

    nothing_is_lost(&report);
    let token = one_root_with_six_consequences(&report);
    the_operator_has_two_mails_in_one_thread(&world, &token);
    the_store_has_the_fade(&world, &report);
}

fn nothing_is_lost(report: &Value) {
    let samples = &report["samples"];
    assert!(samples["generated"].as_u64().unwrap() > 10_000, "{samples}");
    assert_eq!(samples["generated"], samples["stored"]);
    assert_eq!((samples["lost"].as_u64(), samples["duplicates"].as_u64()), (Some(0), Some(0)), "{samples}");
    assert_eq!(report["radios"], 122);
}

/// Returns the token of the root.
fn one_root_with_six_consequences(report: &Value) -> String {
    let incidents = report["incidents"].as_array().unwrap();
    let roots: Vec<&Value> = incidents.iter().filter(|i| i["caused_by"].as_array().unwrap().is_empty()).collect();
    assert_eq!(roots.len(), 1, "{incidents:#?}");
    let root = roots[0];
    assert_eq!(root["condition"], "capacity_below");
    assert_eq!(root["subject"], LINK);
    assert_eq!(root["wisp"], "belbo-wireless");
    assert_eq!(root["residents"], 2715);
    let behind: Vec<&str> = root["municipalities"].as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect();
    assert_eq!(behind, BEHIND);
    assert!(root["closed"].is_string(), "{root}");
    let token = root["id"].as_str().unwrap().to_owned();
    let consequences: Vec<&Value> = incidents.iter().filter(|i| i["id"] != root["id"]).collect();
    assert_eq!(consequences.len(), 6, "{incidents:#?}");
    for consequence in consequences {
        assert_eq!(consequence["condition"], "site_below_target");
        assert_eq!(consequence["caused_by"], serde_json::json!([token]));
        assert!(consequence["closed"].is_string(), "{consequence}");
    }
    token
}

fn the_operator_has_two_mails_in_one_thread(world: &World, token: &str) {
    let mails = read_mails(&world.mails);
    // The operator and two of the staff, each an opening and a closing, and nobody anything else.
    assert_eq!(mails.len(), 6, "{:?}", mails.iter().map(|m| &m.headers["subject"]).collect::<Vec<_>>());
    let to_operator: Vec<&Stored> = mails.iter().filter(|m| m.headers["to"].contains(OPERATOR)).collect();
    let [opened, closed] = to_operator[..] else { panic!("{} mails to the operator", to_operator.len()) };
    let subject = &opened.headers["subject"];
    assert!(subject.starts_with(&format!("[{token}] POP Santo Stefano–Bric San Bovo")), "{subject}");
    assert!(subject.contains("minimo promesso 180"), "{subject}");
    assert_eq!(closed.headers["subject"].trim_start_matches("Re: "), subject);
    assert_eq!(closed.headers["in-reply-to"], opened.headers["message-id"]);
    assert!(closed.headers["references"].contains(&opened.headers["message-id"]));
    assert_eq!(opened.headers["auto-submitted"], "auto-generated");
    for needed in BEHIND.into_iter().chain(["2.715 residenti", "AF60-LR", "Che cosa chiediamo", "non costituisce"]) {
        assert!(opened.raw.contains(needed), "{needed} is not in:\n{}", opened.raw);
    }
    for operator in ["LangheNet", "Bormida Net"] {
        assert!(!opened.raw.contains(operator), "another operator is named:\n{}", opened.raw);
    }
    assert!(opened.raw.lines().count() <= 45, "{}", opened.raw);
}

fn the_store_has_the_fade(world: &World, report: &Value) {
    let selector = format!("link_capacity_mbps{{link=\"{LINK}\",direction=\"downstream\"}}");
    let capacity = wait_for("the fade in the store", || {
        let points = exported(world.store, &selector);
        points.iter().any(|(_, mbps)| *mbps < 30.0).then_some(points)
    });
    assert!(capacity.iter().all(|(_, mbps)| *mbps > 0.0), "a weak link is not a link at 0: {capacity:?}");
    assert!(capacity.iter().any(|(_, mbps)| *mbps > 900.0), "{capacity:?}");
    let polls = exported(world.store, "device_poll_ms").len() as u64;
    let generated = report["samples"]["generated"].as_u64().unwrap();
    assert!(polls > 0 && polls < generated, "{polls} polls among {generated} samples");
}

/// A process that is told to stop, and must stop well.
/// The README's third step: `vedetta run` with an inventory of one's own; here its radios are those of `simulate`.
#[test]
fn a_network_of_ones_own_is_watched_and_left_in_good_order() {
    let dir = tempfile::tempdir().unwrap();
    let (snmp, page) = (free_udp_port(), free_port());
    let network = dir.path().join("network.toml");
    fs::write(&network, include_str!("fixtures/twenty.toml").replace("10161", &snmp.to_string())).unwrap();
    let hub = dir.path().join("hub.toml");
    fs::write(&hub, format!("poll_interval = \"1s\"\n[web]\nlisten = \"127.0.0.1:{page}\"\n")).unwrap();
    let vedetta = || Command::new(env!("CARGO_BIN_EXE_vedetta"));

    let mut radios = Server::start(
        "cargo",
        vedetta()
            .args(["simulate", "--json", "--seed", "5", "--port", &snmp.to_string(), "--network"])
            .arg(&network)
            .stdout(Stdio::piped()),
    );
    let mut listing = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(radios.child().stdout.take().unwrap()), &mut listing)
        .unwrap();
    let listing: Value = serde_json::from_str(&listing).unwrap();
    let secret = |version: &str, pointer: &str| {
        let devices = listing["devices"].as_array().unwrap();
        let device = devices.iter().find(|d| d["snmp"]["version"] == version).unwrap();
        device["snmp"].pointer(pointer).unwrap().as_str().unwrap().to_owned()
    };

    let log = dir.path().join("log");
    let mut watched = Server::start(
        "cargo",
        vedetta()
            .arg("run")
            .arg("--network")
            .arg(&network)
            .arg("--hub")
            .arg(&hub)
            .arg("--data")
            .arg(dir.path().join("data"))
            .env("VEDETTA_TEST_COMMUNITY", secret("v2c", "/community"))
            .env("VEDETTA_TEST_AUTH", secret("v3", "/auth/password"))
            .env("VEDETTA_TEST_PRIVACY", secret("v3", "/privacy/password"))
            .stderr(fs::File::create(&log).unwrap()),
    );
    let status = || {
        let url = format!("http://127.0.0.1:{page}");
        let output = vedetta().args(["status", "--json", "--hub", &url]).output().unwrap();
        Some((output.status.code()?, serde_json::from_slice::<Value>(&output.stdout).ok()?))
    };
    let (code, _) = wait_for("ten villages with what they were promised", || {
        status().filter(|(_, s)| s["summary"]["estimated"].as_u64() == Some(10))
    });
    assert_eq!(code, 0, "nobody is below target");

    assert!(watched.interrupt().success(), "{}", fs::read_to_string(&log).unwrap());
    let told = fs::read_to_string(&log).unwrap();
    for bad in ["ERROR", "ended with an error", "panicked"] {
        assert!(!told.contains(bad), "{told}");
    }
    for secret in [secret("v2c", "/community"), secret("v3", "/auth/password")] {
        assert!(!told.contains(&secret), "a secret is in the log");
    }
    assert!(radios.interrupt().success());
}
