//! Who gets in, over real HTTP: accounts made by the program's own command, codes computed by Python, cookies as a
//! browser sends them; and everything that must not work.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "web/desk.rs"]
mod desk;
#[path = "web/fixture.rs"]
mod fixture;
#[path = "web/history.rs"]
mod history;
mod support;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use desk::{Office, TOKEN};
use reqwest::{Client, Response, StatusCode, header};
use serde_json::Value;
use support::PYTHON;
use vedetta::alert::desk::Desk;
use vedetta::model::network::SiteKind;

/// RFC 6238 by another hand: the code of `otpauth` so many steps of 30 s from now.
const CODE: &str = "import sys,hmac,hashlib,base64,time,struct,urllib.parse as u
q = u.parse_qs(u.urlparse(sys.argv[1]).query)
assert q['algorithm'] == ['SHA1'] and q['digits'] == ['6'] and q['period'] == ['30']
h = hmac.new(base64.b32decode(q['secret'][0]), struct.pack('>Q', int(time.time()) // 30 + int(sys.argv[2])), hashlib.sha1).digest()
o = h[19] & 15
print('%06d' % ((struct.unpack('>I', h[o:o+4])[0] & 0x7fffffff) % 1000000))";

/// What strangers must not see of the fixture: sites, operators, devices.
const OURS: [&str; 4] = ["monteverde", "altarete", "Serrabruna", "bric-della-luna"];

/// An account as the command line made it.
struct Person {
    name: &'static str,
    password: String,
    otpauth: String,
}

fn vedetta(office: &Office, arguments: &[&str]) -> (bool, Value) {
    let out = Command::new(env!("CARGO_BIN_EXE_vedetta"))
        .args(arguments)
        .args(["--json", "--data-dir"])
        .arg(office.dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let value =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text} {}", String::from_utf8_lossy(&out.stderr)));
    (out.status.success(), value)
}

fn hired(office: &Office, name: &'static str, role: &str) -> Person {
    let (made, said) = vedetta(office, &["account", "add", name, "--role", role]);
    assert!(made, "{said}");
    let text = |key: &str| said[key].as_str().unwrap().to_owned();
    Person { name, password: text("password"), otpauth: text("otpauth") }
}

impl Person {
    fn code(&self, step: i8) -> String {
        let out = Command::new(PYTHON).args(["-c", CODE, &self.otpauth, &step.to_string()]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }
}

struct Visitor {
    client: Client,
    office: String,
    cookie: Option<String>,
}

impl Visitor {
    fn of(office: &Office) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, office: format!("http://{}", office.addr), cookie: None }
    }

    fn asks(&self, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.get(format!("{}{path}", self.office)).header(header::ACCEPT, "text/html");
        match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        }
    }

    async fn get(&self, path: &str) -> Response {
        self.asks(path).send().await.unwrap()
    }

    async fn text(&self, path: &str) -> String {
        self.get(path).await.text().await.unwrap()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.posts(path, fields).send().await.unwrap()
    }

    fn posts(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let coded = |text: &str| {
            text.bytes().fold(String::new(), |mut out, b| {
                let _ = write!(out, "%{b:02x}");
                out
            })
        };
        let body: Vec<String> = fields.iter().map(|(key, value)| format!("{key}={}", coded(value))).collect();
        let request = self.client.post(format!("{}{path}", self.office)).body(body.join("&"));
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        }
    }

    async fn try_login(&self, name: &str, password: &str, code: &str) -> Response {
        self.post("/account/login", &[("name", name), ("password", password), ("code", code), ("next", "i/147")]).await
    }

    async fn login(&mut self, person: &Person, step: i8) {
        let answer = self.try_login(person.name, &person.password, &person.code(step)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[header::LOCATION], "../i/147");
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax; ") && !cookie.contains("Secure"), "{cookie}");
        self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
    }
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let at = page.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name} in {page}"));
    page[at..].split('"').nth(3).unwrap().to_owned()
}

async fn closed(proxies: Vec<IpAddr>) -> Office {
    Office::open_to(fixture::valdora().snapshot(), Desk::default(), Vec::new(), proxies).await
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_the_way_in_and_nothing_else() {
    let office = closed(Vec::new()).await;
    let visitor = Visitor::of(&office);
    for path in [
        "/",
        "/fragment",
        "/delivery",
        "/sites/monteverde",
        "/wisps/altarete",
        "/links/bric-della-luna-monteverde",
        "/backhauls/x",
        "/i/147",
        "/metrics",
        "/api/v1/status",
        "/api/v1/incidents",
        "/api/v1/incidents/147",
        "/api/v1/desk",
        "/api/v1/backups",
        "/api/v1/events",
        "/api/v1/links/bric-della-luna-monteverde/series",
        "/nothing",
        "//account/login",
        "/account/../",
        "/Account/login",
    ] {
        let answer = visitor.get(path).await;
        let (status, to) = (answer.status(), answer.headers().get(header::LOCATION).cloned());
        let body = answer.text().await.unwrap();
        match to {
            Some(to) => assert!(to.to_str().unwrap().contains("account/login?next="), "{path}: {to:?}"),
            None => assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}"),
        }
        for ours in OURS {
            assert!(!body.contains(ours), "{path} tells {ours}: {body}");
        }
    }
    assert_eq!(
        visitor.get("/sites/monteverde").await.headers()[header::LOCATION],
        "../account/login?next=sites/monteverde"
    );
    // A program is told so; a change is none of theirs either.
    let program = visitor.client.get(format!("{}/", visitor.office)).send().await.unwrap();
    assert_eq!(program.status(), StatusCode::UNAUTHORIZED);
    for path in ["/i/147", "/api/v1/desk"] {
        assert_eq!(visitor.post(path, &[("act", "ack")]).await.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    for (path, status) in [("/healthz", 200), ("/assets/page.css", 200), ("/account/login", 200), ("/l/nonsense", 404)]
    {
        assert_eq!(visitor.get(path).await.status(), status, "{path}");
    }
    assert!(visitor.text(&office.link(147)).await.contains("VED-147"), "a signed link needs no account");
    assert!(visitor.text("/account/login").await.contains("vedetta account add"), "there is no account yet");
    let told = visitor.asks("/api/v1/status").bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(told.status(), StatusCode::OK, "the operator's token, on this machine");
    assert_eq!(visitor.asks("/").bearer_auth("wrong").send().await.unwrap().status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_logs_in_writes_and_logs_out_and_all_of_it_is_on_record() {
    let office = closed(Vec::new()).await;
    let (anna, wall) = (hired(&office, "anna", "staff"), hired(&office, "wall", "reader"));
    let mut visitor = Visitor::of(&office);
    for (name, password, code) in [
        ("anna", anna.password.as_str(), "000000"),
        ("anna", "wrong-wrong-wrong", &anna.code(0)),
        ("bruno", &anna.password, &anna.code(0)),
        ("wall", &wall.password, &anna.code(0)),
        ("", "", ""),
    ] {
        let answer = visitor.try_login(name, password, code).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{name}");
        assert!(answer.headers().get(header::SET_COOKIE).is_none());
        let page = answer.text().await.unwrap();
        assert!(page.contains("Nome, password o codice non corretti") && !page.contains(&anna.password), "{page}");
    }
    let used = anna.code(0);
    visitor.login(&anna, 0).await;
    let again = Visitor::of(&office).try_login("anna", &anna.password, &used).await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED, "a code is good once");

    assert!(visitor.text("/").await.contains("Monteverde"));
    assert!(visitor.text("/account/login").await.contains("<h1>anna</h1>"));
    let page = visitor.text("/i/147").await;
    assert!(page.contains("<strong>anna</strong>") && !page.contains("name=\"token\""), "{page}");
    let form = hidden(&page, "form");
    let fields = [("act", "ack"), ("form", form.as_str()), ("ticket", "T-1"), ("by", "Somebody Else")];

    // Not from another site, not with another's form, not by a reader.
    let foreign = visitor.posts("/i/147", &fields).header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    let mut screen = Visitor::of(&office);
    screen.login(&wall, 0).await;
    // On this machine a reader is asked for the token, as anybody is.
    assert!(screen.text("/i/147").await.contains("name=\"token\""));
    assert_eq!(screen.post("/i/147", &fields).await.status(), StatusCode::FORBIDDEN);
    let stolen = Visitor { cookie: Some("vedetta_session=x".into()), ..Visitor::of(&office) };
    assert_eq!(stolen.post("/i/147", &fields).await.status(), StatusCode::UNAUTHORIZED);
    assert!(office.said.lock().unwrap().cases.is_empty());

    let done = visitor.post("/i/147", &fields).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let by: Vec<String> = office.said.lock().unwrap().cases[&147].entries.iter().map(|e| e.by.clone()).collect();
    assert_eq!(by, ["anna"], "whoever is logged in, whatever the form says");

    // Out: with the page's own form only.
    assert_eq!(visitor.post("/account/logout", &[("mark", "x")]).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(visitor.get("/").await.status(), StatusCode::OK);
    let mark = hidden(&visitor.text("/account/login").await, "mark");
    let out = visitor.post("/account/logout", &[("mark", &mark)]).await;
    assert!(out.headers()[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(visitor.get("/").await.status(), StatusCode::SEE_OTHER);
    // Removed: at once.
    assert_eq!(screen.get("/").await.status(), StatusCode::OK);
    assert!(vedetta(&office, &["account", "remove", "wall"]).0);
    assert_eq!(screen.get("/").await.status(), StatusCode::SEE_OTHER);

    let (whole, log) = vedetta(&office, &["access"]);
    let told: Vec<String> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| format!("{} {}", e["who"], e["what"]).replace('"', ""))
        .collect();
    assert!(whole, "{log}");
    assert_eq!(
        told,
        [
            "anna account_added",
            "wall account_added",
            "anna login_failed",
            "anna login_failed",
            "? login_failed",
            "wall login_failed",
            "? login_failed",
            "anna login",
            "anna login_failed",
            "wall login",
            "anna logout",
            "wall account_removed",
        ]
    );
    let head = log["head"].as_str().unwrap().to_owned();
    assert!(vedetta(&office, &["access", "--head", &head]).0 && !vedetta(&office, &["access", "--head", "x"]).0);
    let path = office.dir.path().join("access.log");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"wall\"", "\"nina\"", 1)).unwrap();
    let (whole, log) = vedetta(&office, &["access"]);
    assert!(!whole && log["broken"].as_str().unwrap().starts_with("line 2: was changed"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slow_and_a_proxy_tells_who_guesses() {
    let proxy = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let reader: IpAddr = "192.0.2.9".parse().unwrap();
    let office = Office::open_to(fixture::valdora().snapshot(), Desk::default(), vec![reader], vec![proxy]).await;
    let visitor = Visitor::of(&office);
    let guess = async |from: &str| {
        let form = visitor.posts("/account/login", &[("name", "anna"), ("password", "x"), ("code", "1")]);
        form.header("x-forwarded-for", from).send().await.unwrap()
    };
    for n in 0..10 {
        assert_eq!(guess("198.51.100.1").await.status(), StatusCode::UNAUTHORIZED, "{n}");
    }
    let refused = guess("198.51.100.1").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(guess("198.51.100.2").await.status(), StatusCode::UNAUTHORIZED, "another is not held up");
    // The address that needs no account, said by our proxy; what the reader says of itself stands further left.
    let asked = async |from: &str| visitor.asks("/").header("x-forwarded-for", from).send().await.unwrap().status();
    assert_eq!(asked("192.0.2.9").await, StatusCode::OK);
    assert_eq!(asked("192.0.2.9, 198.51.100.1").await, StatusCode::SEE_OTHER);
    let (_, log) = vedetta(&office, &["access"]);
    assert_eq!(log["entries"].as_array().unwrap().len(), 11, "what was refused for its pace is no attempt");
    assert!(log["entries"][0]["from"] == "198.51.100.1");
}

/// What a page must not tell: everything that only others' pages have.
fn told(page: &str, words: &[&str]) -> Vec<String> {
    words.iter().filter(|word| page.contains(**word)).map(|word| (*word).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_operators_and_places_show_their_own_and_are_withdrawn() {
    let office = closed(Vec::new()).await;
    let network = fixture::valdora().snapshot().network;
    let visitor = Visitor::of(&office);
    let mut pages = Vec::new();
    for wisp in network.wisps.keys() {
        let (_, said) = vedetta(&office, &["share", "add", &format!("wisp:{wisp}"), "--url", &visitor.office]);
        let path = said["address"].as_str().unwrap().strip_prefix(&visitor.office).unwrap().to_owned();
        pages.push((wisp.to_string(), visitor.text(&path).await, path));
    }
    assert!(pages.len() >= 2);
    for (wisp, page, _) in &pages {
        assert!(page.contains(&network.wisps[wisp.as_str()].name), "{page}");
        for other in network.wisps.values().filter(|w| w.id.as_str() != wisp.as_str()) {
            assert_eq!(told(page, &[&other.name, other.id.as_str()]), [""; 0], "{wisp}");
        }
        let others: Vec<&str> = network
            .links
            .values()
            .filter(|l| l.wisp.as_ref().map(ToString::to_string).as_ref() != Some(wisp))
            .map(|l| l.id.as_str())
            .collect();
        assert_eq!(told(page, &others), [""; 0], "{wisp}");
    }
    assert!(pages.iter().any(|(wisp, page, _)| wisp == "altarete" && page.contains("VED-147")));

    let (_, said) = vedetta(&office, &["share", "add", "site:monteverde", "--url", &visitor.office]);
    let place = said["address"].as_str().unwrap().strip_prefix(&visitor.office).unwrap().to_owned();
    let page = visitor.text(&place).await;
    assert!(page.contains("Monteverde") && page.contains("Mbps"), "{page}");
    let elsewhere: Vec<&str> = network
        .sites
        .values()
        .filter(|s| s.kind == SiteKind::Municipality && s.id.as_str() != "monteverde")
        .map(|s| s.name.as_str())
        .collect();
    assert_eq!(told(&page, &elsewhere), [""; 0]);
    let secrets: Vec<String> = network
        .devices
        .values()
        .flat_map(|d| [d.id.to_string(), d.address.to_string()])
        .chain(network.wisps.values().flat_map(|w| w.email.clone()))
        .chain(network.sites.values().flat_map(|s| s.access.clone().into_iter().chain(s.contact.clone())))
        .collect();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let public = visitor.text("/public/summary").await;
    assert!(public.contains("Monteverde"));
    for page in pages.iter().map(|(_, page, _)| page).chain([&page, &public]) {
        assert_eq!(told(page, &secrets), [""; 0]);
        assert!(!page.contains("href=\"../i/") && !page.contains("href=\"../links/") && !page.contains("/api/"));
    }
    for wisp in network.wisps.values() {
        assert!(!public.contains(&wisp.name), "the public summary names {}", wisp.name);
    }

    // A link is of no use elsewhere, one letter off it is none, and when it is withdrawn it ends at once.
    let (start, last) = place.split_at(place.len() - 1);
    let wrong = format!("{start}{}", if last == "0" { "1" } else { "0" });
    for path in [wrong.as_str(), "/s/", "/s/x", &format!("{place}/i/147"), &place.to_uppercase()] {
        let answer = visitor.get(path).await;
        assert!([StatusCode::NOT_FOUND, StatusCode::SEE_OTHER].contains(&answer.status()), "{path}");
        assert!(!answer.text().await.unwrap().contains("Mbps"), "{path}");
    }
    assert!(vedetta(&office, &["share", "remove", "site:monteverde"]).0);
    assert_eq!(visitor.get(&place).await.status(), StatusCode::NOT_FOUND);
    let (_, again) = vedetta(&office, &["share", "add", "wisp:altarete"]);
    let old = pages.iter().find(|(wisp, ..)| wisp == "altarete").map(|(.., path)| path.clone()).unwrap();
    assert!(again["address"].is_string());
    assert_eq!(visitor.get(&old).await.status(), StatusCode::NOT_FOUND, "a new one ends the old one");
    let page = visitor.text("/public/accessibility").await;
    assert!(page.contains("WCAG 2.1"), "{page}");
}
