//! A hub as it is started, with two open incidents in its ledger: a signed link changes what it may and nothing else,
//! and `vedetta incidents` and `vedetta rodaggio` talk to the same hub. Its broker is away, so that nothing is measured
//! and both incidents stay open.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

#[path = "web/fixture.rs"]
mod fixture;
mod support;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fixture::{Builder, edge};
use serde_json::Value;
use support::{PATIENCE, Server, free_port, wait_for};
use vedetta::alert::signed::{Grant, LinkKeys};
use vedetta::alert::{Condition, IncidentState, Subject};
use vedetta::model::{NetworkId, UnixMillis, WispId};
use vedetta::notify::records::incident_documents;
use vedetta::store::DocumentStore as _;
use vedetta::store::ledger::Ledger;

/// A name that would be markup, and a header, if anybody let it.
const EVIL: &str = "<script>alert(1)</script>\\\"><img src=x>";

/// A hub that runs, with its directory.
struct Hub {
    dir: tempfile::TempDir,
    port: u16,
    /// Of both incidents.
    opened_at: UnixMillis,
    process: Server,
}

fn now() -> UnixMillis {
    UnixMillis(jiff::Timestamp::now().as_millisecond())
}

fn inventory() -> String {
    let mut text = "[network]\nid = \"prova\"\nname = \"Prova\"\ntime_zone = \"Europe/Rome\"\n".to_owned();
    for (id, name) in [("langhenet", "LangheNet"), ("altra", "Altra Srl")] {
        let _ = writeln!(
            text,
            "[[wisp]]\nid = \"{id}\"\nname = \"{name}\"\nemail = [\"noc@{id}.example\"]\nlanguage = \"it\""
        );
    }
    for (n, (id, name)) in
        [("colle", "Colle"), ("valle", EVIL), ("monte", "Monte Segreto"), ("piano", "Piano Segreto")].iter().enumerate()
    {
        let agent = n == 0;
        let _ = writeln!(
            text,
            "[[site]]\nid = \"{id}\"\nname = \"{name}\"\nkind = \"municipality\"\nlat = 44.{n}1\nlon = 8.05\nresidents = 100\nagent = {agent}"
        );
    }
    text.push_str(
        "[[backup]]\nid = \"notte\"\nname = \"Copia notturna\"\nsite = \"colle\"\nstart = \"22:30\"\nend = \"05:00\"\nsize_gigabytes = 9\n",
    );
    text.push_str("[[credential]]\nid = \"radios\"\nversion = \"v2c\"\ncommunity_env = \"VEDETTA_TEST_COMMUNITY\"\n");
    for (n, (near, far)) in [("colle", "valle"), ("monte", "piano")].iter().enumerate() {
        for (end, site) in [(0, near), (1, far)] {
            let _ = writeln!(
                text,
                "[[device]]\nid = \"{site}-r\"\nsite = \"{site}\"\naddress = \"192.0.2.{}\"\nvia = \"colle\"\nsnmp = \"radios\"",
                10 * n + end + 1
            );
        }
        let wisp = if n == 0 { "langhenet" } else { "altra" };
        let _ = writeln!(
            text,
            "[[link]]\nid = \"{near}-{far}\"\nnear = \"{near}-r\"\nfar = \"{far}-r\"\nwisp = \"{wisp}\""
        );
    }
    text
}

fn remember_incidents(ledger: &Path, condition: Condition) -> UnixMillis {
    let mut builder = Builder::new();
    let since = UnixMillis(now().0 - 3_600_000);
    for (number, link, wisp) in [(1, "colle-valle", "langhenet"), (2, "monte-piano", "altra")] {
        let incident = builder.incident(number, condition, Subject::Edge(edge(link)), since);
        incident.direction = incident.direction.filter(|_| condition == Condition::CapacityBelow);
        incident.wisp = Some(WispId::parse(wisp).unwrap());
        (incident.measured_mbps, incident.required_mbps) = (Some(12.0), Some(30.0));
        incident.detail.announced = true;
        let opened = vedetta::alert::incident::Transition {
            at: incident.opened_at.unwrap(),
            state: IncidentState::Open,
            measured_mbps: Some(12.0),
        };
        incident.transitions.push(opened);
    }
    let documents: Vec<_> = builder.incidents.iter().flat_map(incident_documents).collect();
    Ledger::open(ledger).unwrap().put_documents(&documents).unwrap();
    builder.incidents[0].opened_at.unwrap()
}

impl Hub {
    fn start(rodaggio: &str) -> Self {
        Self::with(rodaggio, Condition::CapacityBelow)
    }

    fn with(rodaggio: &str, condition: Condition) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, broker) = (free_port(), free_port());
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        let opened_at = remember_incidents(&data.join("ledger.sqlite"), condition);
        fs::write(dir.path().join("network.toml"), inventory()).unwrap();
        let settings = format!(
            "data_dir = \"{}\"\n[web]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\nopen_to = [\"127.0.0.1\"]\n\
             [mqtt]\nhost = \"127.0.0.1\"\nport = {broker}\nplain = true\n[notify]\nrodaggio = \"{rodaggio}\"\n\
             [mail]\nfrom = \"Prova <rete@unione.example>\"\nmaildir = \"{}\"\n",
            data.display(),
            dir.path().join("mail").display()
        );
        fs::write(dir.path().join("hub.toml"), settings).unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedetta"));
        command.arg("hub").arg("--network").arg(dir.path().join("network.toml"));
        command.arg("--config").arg(dir.path().join("hub.toml"));
        command.stdout(Stdio::null()).stderr(Stdio::from(log));
        let process = Server::start("cargo", &mut command);
        let log_file = dir.path().join("log");
        let process = process.listening(([127, 0, 0, 1], port), || fs::read_to_string(&log_file).unwrap());
        Self { dir, port, opened_at, process }
    }

    fn token_file(&self) -> PathBuf {
        self.dir.path().join("data/operator.token")
    }

    fn token(&self) -> String {
        fs::read_to_string(self.token_file()).unwrap().trim().to_owned()
    }

    /// `vedetta WORDS --hub … --token-file …`
    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedetta"));
        command.args(words).arg("--hub").arg(format!("http://127.0.0.1:{}", self.port));
        if !words.contains(&"--token-file") {
            command.arg("--token-file").arg(self.token_file());
        }
        command.env("LANG", "C").env("NO_COLOR", "1").output().unwrap()
    }

    #[track_caller]
    fn says(&self, words: &[&str], code: i32, expected: &str) -> String {
        let output = self.run(words);
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {expected:?} is not in\n{said}");
        said
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.run(words);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Status, headers and body of an answer.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n", self.port);
        for (name, value) in headers {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        let _ = write!(request, "Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        let (head, body) = all.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, String) {
        let (status, _, body) = self.ask("GET", path, &[], "");
        (status, body)
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
        let encode = |text: &str| {
            text.bytes().fold(String::new(), |mut out, b| {
                let _ = write!(out, "%{b:02X}");
                out
            })
        };
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        self.ask("POST", path, &[kind], &body.join("&"))
    }

    /// The path of the link that a mail to an operator carries, signed with the key that the hub has made.
    fn link(&self, number: u64, wisp: &str) -> String {
        let file = self.dir.path().join("data/link.key");
        let keys = wait_for("the hub's key", || LinkKeys::parse(&fs::read_to_string(&file).ok()?).ok());
        wait_for("the hub's first picture", || (self.get("/api/v1/incidents").1.contains("VED-2")).then_some(()));
        let grant = Grant { incident: number, opened_at: self.opened_at, wisp: WispId::parse(wisp).unwrap() };
        format!("/l/{}", keys.token(&NetworkId::parse("prova").unwrap(), &grant))
    }

    fn entries(&self, incident: &str) -> usize {
        self.json(&["incidents", "show", incident, "--json"])["entries"].as_array().unwrap().len()
    }
}

/// The signature that the forms of a page carry.
fn form(page: &str) -> String {
    let start = page.find("name=\"form\" value=\"").unwrap_or_else(|| panic!("no form in\n{page}")) + 19;
    page[start..].chars().take_while(|c| *c != '"').collect()
}

#[test]
fn an_operator_acknowledges_by_its_link_and_cannot_do_more() {
    let hub = Hub::start("0s");
    let (own, other) = (hub.link(1, "langhenet"), hub.link(2, "altra"));
    let (status, head, page) = hub.ask("GET", &own, &[], "");
    assert_eq!(status, 200, "{page}");
    for expected in
        ["cache-control: no-store", "referrer-policy: no-referrer", "form-action 'self'", "x-robots-tag: noindex"]
    {
        assert!(head.contains(expected), "{head}");
    }
    assert!(page.contains("<html lang=\"it\">") && page.contains("VED-1") && page.contains("Prendiamo in carico"));
    assert!(!page.contains("Segreto") && !page.contains("Altra Srl"), "another operator's names on\n{page}");
    assert!(!page.contains("<script") && !page.contains("<img"), "a name became markup");
    assert!(!page.contains("href=\"/\"") && !page.contains("/i/1"));
    assert!(hub.get(&format!("{own}?lang=en")).1.contains("<html lang=\"en\">"));
    // Scanners may look as often as they like.
    for _ in 0..3 {
        hub.get(&format!("{own}?act=ack&done=ack"));
        hub.ask("HEAD", &own, &[], "");
    }
    assert_eq!(hub.entries("VED-1"), 0);
    // Changed, cut, extended, of another incident or operator: all the same answer.
    let mac = own.rsplit_once('.').unwrap().1;
    let flipped = own[..own.len() - 1].to_owned() + if own.ends_with('0') { "1" } else { "0" };
    let others_mac = format!("{}.{mac}", other.rsplit_once('.').unwrap().0);
    for bad in [
        &flipped,
        &own[..own.len() - 1].to_owned(),
        &format!("{own}0"),
        &own.replace("/l/1.", "/l/2."),
        &own.replace("langhenet", "altra"),
        &others_mac,
        &"/l/1".to_owned(),
        &format!("/l/{}", "a".repeat(5000)),
    ] {
        let (status, body) = hub.get(bad);
        assert_eq!(status, 404, "{bad}");
        assert!(!body.contains("VED-") && !body.contains("Prendiamo"), "{bad}");
        assert_eq!(hub.post(bad, &[("act", "ack"), ("form", &form(&page))]).0, 404, "{bad}");
    }
    assert_eq!((hub.entries("VED-1"), hub.entries("VED-2")), (0, 0));
}

/// The mail that leaves the hub carries a link that the hub believes, for its operator alone.
#[test]
fn the_link_in_a_mail_opens_its_incident() {
    // Nothing is measured here, so a link that was down stays so.
    let hub = Hub::with("0s", Condition::LinkDown);
    let read = "import email, email.policy, mailbox, sys\n\
                read = lambda f: email.message_from_binary_file(f, policy=email.policy.default)\n\
                for m in mailbox.Maildir(sys.argv[1], factory=read):\n\
                \x20   if m['to'] == 'noc@langhenet.example' and m['subject'].startswith('[VED-1]'):\n\
                \x20       print(m['auto-submitted'], m['list-id'])\n\
                \x20       print(m.get_body(('plain',)).get_content())";
    let mails = hub.dir.path().join("mail");
    let mail = wait_for("the operator's mail", || {
        let shown = Command::new(support::PYTHON).args(["-c", read]).arg(&mails).output().unwrap();
        Some(String::from_utf8(shown.stdout).unwrap()).filter(|text| !text.is_empty())
    });
    assert!(mail.starts_with("auto-generated <prova.vedetta.unione.example>"), "{mail}");
    let base = format!("http://127.0.0.1:{}", hub.port);
    let at = mail.find(&format!("{base}/l/")).unwrap_or_else(|| panic!("no link in\n{mail}"));
    let link: String = mail[at + base.len()..].chars().take_while(|c| !c.is_whitespace()).collect();
    let (status, page) = hub.get(link.trim_end_matches(['.', ',', '>']));
    assert_eq!(status, 200, "{link}");
    assert!(page.contains("VED-1") && page.contains("Prendiamo in carico"), "{page}");
    assert!(!page.contains("Segreto") && !mail.contains("Segreto"));
}

#[test]
fn forms_are_of_one_page_one_state_and_one_sender() {
    let hub = Hub::start("0s");
    let (own, other) = (hub.link(1, "langhenet"), hub.link(2, "altra"));
    let page = hub.get(&own).1;
    let sign = form(&page);
    let ticket = ("ticket", "<b>T-1\"");
    let ack = [("act", "ack"), ("form", sign.as_str()), ticket, ("repair", "2h"), ("by", "Mario")];
    // Without its signature, with that of another page, from another site, too long: nothing.
    assert_eq!(hub.post(&own, &[("act", "ack"), ticket]).0, 403);
    assert_eq!(hub.post(&other, &ack).0, 403);
    let foreign = [("Content-Type", "application/x-www-form-urlencoded"), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(hub.ask("POST", &own, &foreign, &format!("act=ack&form={sign}")).0, 400);
    assert_eq!(hub.ask("POST", &own, &[("Content-Type", "text/plain")], &format!("act=ack&form={sign}")).0, 400);
    assert_eq!(hub.post(&own, &[("act", "ack"), ("form", &sign), ("note", &"x".repeat(20_000))]).0, 400);
    let (status, _, told) =
        hub.post(&own, &[("act", "ack"), ("form", &sign), ("ticket", &"x".repeat(81)), ("note", "kept & shown")]);
    assert!(status == 422 && told.contains("troppo lungo") && told.contains("kept &#38; shown"), "{status} {told}");
    assert_eq!(hub.post(&own, &[("act", "ack"), ("form", &sign), ("repair", "2020-01-01T10:00")]).0, 422);
    for act in ["fault", "suspend", "resume", "explode", ""] {
        let fields = [("act", act), ("form", sign.as_str()), ("fault", "union"), ("reason", "x")];
        assert_eq!(hub.post(&own, &fields).0, 422, "{act}");
    }
    assert_eq!((hub.entries("VED-1"), hub.entries("VED-2")), (0, 0));
    // As it should be; then the same again.
    let (status, head, _) = hub.post(&own, &ack);
    assert!(status == 303 && head.contains("?done=ack&lang=it"), "{head}");
    assert_eq!(hub.post(&own, &ack).0, 409, "a form that was used is old");
    assert_eq!(hub.entries("VED-1"), 1);
    let page = hub.get(&format!("{own}?done=ack")).1;
    assert!(page.contains("Presa in carico registrata") && page.contains("ticket &#60;b&#62;T-1&#34;"), "{page}");
    let shown = hub.json(&["incidents", "show", "VED-1", "--json"]);
    assert_eq!(
        (shown["clock"]["ticket"].as_str(), shown["clock"]["acknowledged_by"].as_str()),
        (Some("<b>T-1\""), Some("LangheNet, Mario"))
    );
    // Works on its own link; withdrawn by nobody else.
    let sign = form(&page);
    let works = [("act", "works"), ("form", sign.as_str()), ("from", "1h"), ("to", "2h"), ("works_note", "antenna")];
    assert_eq!(hub.post(&own, &works).0, 303);
    let windows = hub.json(&["incidents", "maintenance", "list", "--json"]);
    assert_eq!((windows[0]["id"].as_str(), windows[0]["wisp"].as_str()), (Some("colle-valle"), Some("langhenet")));
    let others = hub.get(&other).1;
    assert!(!others.contains("antenna") && !others.contains("T-1"));
    assert_eq!(hub.post(&other, &[("act", "withdraw"), ("form", &form(&others)), ("window", "1")]).0, 422);
    let page = hub.get(&own).1;
    assert_eq!(hub.post(&own, &[("act", "withdraw"), ("form", &form(&page)), ("window", "1")]).0, 303);
    assert_eq!(hub.json(&["incidents", "maintenance", "list", "--json"]), serde_json::json!([]));
    // Who asks without end is told to wait, and others are not.
    let too_many = (0..60).find(|_| hub.get(&own).0 == 429);
    assert!(too_many.is_some());
    let forwarded = [("X-Forwarded-For", "198.51.100.9")];
    assert_eq!(hub.ask("GET", &own, &forwarded, "").0, 200, "a proxy on loopback is believed");
}

#[test]
fn the_staffs_page_needs_the_token_and_this_machine() {
    let hub = Hub::start("0s");
    hub.link(1, "langhenet");
    let (status, page) = hub.get("/i/1?lang=it");
    assert_eq!(status, 200);
    for expected in ["Cronologia", "I tempi del contratto", "Avviso aperto"] {
        assert!(page.contains(expected), "{expected} is not on\n{page}");
    }
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains(&hub.token()));
    assert_eq!((hub.get("/i/99").0, hub.get("/i/x").0), (404, 400));
    let (sign, token) = (form(&page), hub.token());
    let ack = |token: &str, by: &str| {
        hub.post("/i/1", &[("act", "ack"), ("form", &sign), ("token", token), ("by", by), ("ticket", "T-9")]).0
    };
    assert_eq!((ack("", "Anna"), ack("wrong", "Anna"), ack(&token, " ")), (401, 401, 422));
    assert_eq!(hub.post("/i/2", &[("act", "ack"), ("form", &sign), ("token", &token), ("by", "Anna")]).0, 403);
    assert_eq!(hub.entries("VED-1"), 0);
    assert_eq!((ack(&token, "Anna"), ack(&token, "Anna")), (303, 409));
    let page = hub.get("/i/1?lang=en&done=ack").1;
    assert!(page.contains("Acknowledged – Anna") && page.contains("ticket T-9"), "{page}");
}

#[test]
fn the_command_line_talks_to_a_hub_that_runs() {
    let mut hub = Hub::start("14d");
    hub.says(&["incidents"], 1, "VED-1");
    hub.says(&["incidents", "list"], 1, "VED-2");
    hub.says(&["incidents", "show", "ved-1"], 0, "VED-1");
    hub.says(&["incidents", "show", "99"], 1, "there is no incident VED-99");
    hub.says(&["incidents", "show", "nonsense"], 2, "is not an incident such as VED-147");
    let ack = ["incidents", "ack", "VED-1", "--by", "NOC", "--ticket", "T-2231", "--repair", "2h"];
    hub.says(&ack, 0, "Done.");
    hub.says(&ack[..7], 0, "Done.");
    hub.says(&ack[..7], 0, "It was so already.");
    let listed = wait_for("the list to know who took charge", || {
        let all = hub.json(&["incidents", "--json"]);
        all["incidents"]
            .as_array()
            .unwrap()
            .iter()
            .find(|i| i["id"] == "VED-1" && !i["acknowledged"].is_null())
            .cloned()
    });
    assert_eq!(listed["ticket"], "T-2231");
    assert!(listed["expected_repair"].is_string());
    hub.says(&["incidents"], 1, "acknowledged (T-2231)");
    hub.says(&["incidents", "ack", "VED-1", "--by", "NOC", "--repair", "soon"], 1, "must be a time such as 15:30");
    hub.says(&["incidents", "ack", "VED-99", "--by", "NOC"], 1, "there is no incident VED-99");
    hub.says(&["incidents", "suspend", "VED-1", "--by", "Anna", "--reason", "no access"], 0, "Done.");
    hub.says(&["incidents", "resume", "VED-1", "--by", "Anna"], 0, "Done.");
    hub.says(&["incidents", "fault", "VED-1", "power-of-municipality", "--by", "Anna"], 0, "Done.");
    let shown = hub.json(&["incidents", "show", "VED-1", "--json"]);
    assert_eq!(
        (shown["clock"]["ticket"].as_str(), shown["clock"]["fault"].as_str()),
        (Some("T-2231"), Some("power_of_municipality"))
    );
    let add = ["incidents", "maintenance", "add", "--link", "colle-valle", "--to", "2h", "--by", "NOC", "--json"];
    assert_eq!(hub.json(&add)["window"], 1);
    hub.says(&["incidents", "maintenance", "list"], 0, "colle-valle");
    hub.says(&["incidents", "maintenance", "add", "--link", "nowhere", "--to", "2h", "--by", "NOC"], 1, "nowhere");
    hub.says(&["incidents", "maintenance", "remove", "1", "--by", "NOC"], 0, "Done");
    hub.says(&["incidents", "maintenance", "remove", "7", "--by", "NOC"], 1, "there is no maintenance window 7");
    // Who may not.
    let wrong = hub.dir.path().join("wrong");
    fs::write(&wrong, "x".repeat(64)).unwrap();
    let wrong = wrong.to_str().unwrap();
    hub.says(&["incidents", "resume", "VED-1", "--by", "x", "--token-file", wrong], 1, "token is missing or wrong");
    hub.says(&["incidents", "resume", "VED-1", "--by", "x", "--token-file", "/nowhere"], 1, "/nowhere");
    let bearer = format!("Bearer {}", hub.token());
    assert_eq!(hub.ask("POST", "/api/v1/desk", &[], "{}").0, 401);
    assert_eq!(hub.ask("POST", "/api/v1/desk", &[("Authorization", &bearer)], "{}").0, 422);
    assert_eq!(hub.ask("POST", "/api/v1/desk", &[("Authorization", &bearer)], &"x".repeat(20_000)).0, 413);
    // Running in: nobody is mailed until switched on.
    hub.says(&["rodaggio"], 0, "Running in until");
    assert_eq!(hub.json(&["rodaggio", "--json"])["on"], true);
    hub.says(&["rodaggio", "enable", "langhenet", "--by", "Anna"], 0, "Done.");
    hub.says(&["rodaggio", "enable", "langhenet", "--by", "Anna"], 0, "It was so already.");
    hub.says(&["rodaggio", "enable", "nobody", "--by", "Anna"], 1, "nobody");
    let status = hub.json(&["rodaggio", "--json"]);
    let on: Vec<&str> = status["operators"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|o| o["on"] == true)
        .map(|o| o["wisp"].as_str().unwrap())
        .collect();
    assert_eq!(on, ["langhenet"]);
    hub.says(&["rodaggio", "disable", "langhenet", "--by", "Anna"], 0, "Done.");
    assert!(fs::read_to_string(hub.dir.path().join("log")).unwrap().contains("rodaggio (running in) until"));
    assert!(hub.process.interrupt().success());
    hub.says(&["incidents"], 1, "http://127.0.0.1");
}

/// A backup script calls the address that `vedetta backups` prints; whoever has not got it is not heard.
#[test]
fn a_backup_says_when_it_starts_and_ends() {
    let hub = Hub::start("0s");
    let job = || hub.json(&["backups", "--json"])["backups"][0].clone();
    let before = job();
    assert_eq!((&before["job"], &before["started_at"]), (&"notte".into(), &Value::Null), "{before}");
    let address = before["address"].as_str().unwrap();
    let path = address.strip_prefix(&format!("http://127.0.0.1:{}", hub.port)).unwrap();
    assert_eq!(hub.ask("POST", &format!("{path}0/start"), &[], "").0, 404);
    assert_eq!(hub.get(path).0, 200);
    assert!(job()["started_at"].is_null(), "looking changes nothing");
    for word in ["start", "fail", "start", "finish"] {
        let (status, _, said) = hub.ask("POST", &format!("{path}/{word}"), &[], "");
        assert_eq!((status, said.as_str()), (200, "ok\n"), "{word}");
    }
    let spoke = |after: &Value| ["started_at", "failed_at", "finished_at"].iter().all(|key| after[key].is_string());
    wait_for("all three words in the list", || Some(job()).filter(spoke));
    hub.says(&["backups"], 0, "Copia notturna");
    hub.says(&["backups", "--token-file", "/nowhere"], 1, "/nowhere");
}
