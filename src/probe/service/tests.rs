//! Services of every kind on loopback, through real sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::model::network::{Language, Network, Service};
use crate::model::part::AgentPart;
use crate::model::{NetworkId, Reading, Sample, ServiceId, SiteId, Tag, UnixMillis};
use crate::probe::ping::{PingError, PingRound, Pinger};
use crate::probe::plan::{Dropped, ProbePlan, ServicePlan, plan};
use crate::probe::recall::Memories;
use crate::probe::sampling::service_trial;
use crate::probe::schedule;
use crate::runtime::clock::SystemClock;
use crate::runtime::tasks::Shutdown;

/// For what does answer: far above what a busy machine needs.
const LONG: Duration = Duration::from_mins(1);
/// For what never answers.
const SHORT: Duration = Duration::from_millis(300);

/// A server on loopback whose connections are served one after the other.
struct Server {
    port: u16,
    /// What the server tells of each connection.
    told: Receiver<String>,
}

impl Server {
    fn new(mut serve: impl FnMut(TcpStream) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = listener.local_addr().expect("bound").port();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                stream.set_read_timeout(Some(LONG)).expect("above 0");
                stream.set_write_timeout(Some(LONG)).expect("above 0");
                if tell.send(serve(stream)).is_err() {
                    break;
                }
            }
        });
        Self { port, told }
    }

    /// Reads the request, writes `answer`, closes; tells the request.
    fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |mut stream| {
            let request = request(&mut stream);
            let _ = stream.write_all(&answer);
            request
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn next(&self) -> String {
        self.told.recv_timeout(LONG).expect("the server saw a connection")
    }
}

/// The headers of a request.
fn request(stream: &mut impl io::Read) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes `block` until the other end has enough of it; tells how many bytes that took, or "no end".
fn pour(mut stream: TcpStream, block: &[u8]) -> String {
    const ENOUGH: usize = 64 << 20;
    let mut poured = 0;
    while poured < ENOUGH {
        match stream.write(block) {
            Ok(n) => poured += n,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return "no end".into();
            }
            Err(_) => return poured.to_string(),
        }
    }
    "no end".into()
}

async fn get(url: &str, limit: Duration) -> Result<ServiceAnswer, ServiceError> {
    HttpServices::new().get(url, limit).await
}

#[tokio::test]
async fn every_status_is_an_answer() {
    async fn check(status: u16, good: bool) {
        let server = Server::saying(format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nok"));
        let answer = get(&server.url("/"), LONG).await.expect("an answer");
        assert_eq!((answer.status, answer.is_good()), (status, good));
        assert!(answer.response_ms > 0.0 && answer.response_ms < LONG.as_secs_f64() * 1e3);
    }
    check(200, true).await;
    check(204, true).await;
    // Without a place to go to, a redirection is the final answer.
    check(302, true).await;
    check(304, true).await;
    check(404, false).await;
    check(401, false).await;
    check(500, false).await;
    check(503, false).await;
}

#[tokio::test]
async fn redirections_are_followed_and_nothing_is_remembered() {
    let server = Server::new(|mut stream| {
        let request = request(&mut stream);
        let answer = if request.starts_with("GET /a ") {
            "HTTP/1.1 302 x\r\nlocation: /b?c=1\r\nset-cookie: k=v\r\ncontent-length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        };
        let _ = stream.write_all(answer.as_bytes());
        request
    });
    let services = HttpServices::new();
    for _ in 0..2 {
        assert_eq!(services.get(&server.url("/a"), LONG).await.expect("an answer").status, 200);
        // Each request on a connection of its own, for the server tells one by connection.
        let (first, second) = (server.next(), server.next());
        assert!(first.starts_with("GET /a HTTP/1.1\r\n"), "{first}");
        assert!(second.starts_with("GET /b?c=1 HTTP/1.1\r\n"), "{second}");
        for request in [first.to_lowercase(), second.to_lowercase()] {
            assert!(request.contains(&format!("user-agent: vedetta/{}\r\n", env!("CARGO_PKG_VERSION"))), "{request}");
            assert!(request.contains("connection: close\r\n"), "{request}");
            assert!(!request.contains("cookie") && !request.contains("referer"), "{request}");
        }
    }
}

#[tokio::test]
async fn redirections_without_end_are_left() {
    let server = Server::saying("HTTP/1.1 302 x\r\nlocation: /\r\ncontent-length: 0\r\n\r\n");
    let trial = get(&server.url("/"), LONG).await;
    assert!(matches!(trial, Err(ServiceError::Malformed(_))), "{trial:?}");
    assert_eq!(server.told.try_iter().count().max(REDIRECTS_MAX), REDIRECTS_MAX + 1);
}

#[tokio::test]
async fn a_port_that_refuses_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("loopback").port();
    let trial = get(&format!("http://127.0.0.1:{port}/"), LONG).await;
    assert!(matches!(trial, Err(ServiceError::Unreachable(_))), "{trial:?}");
}

// The connection is closed by a task of the client's while the test waits for the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_silent_server_is_a_timeout_and_is_left() {
    let server = Server::new(|mut stream| {
        let request = request(&mut stream);
        // 0 bytes: the client has closed, as it must.
        format!("{request}{:?}", stream.read(&mut [0; 64]).map_err(|e| e.kind()))
    });
    assert_eq!(get(&server.url("/"), SHORT).await, Err(ServiceError::Timeout));
    let end = server.next();
    assert!(end.ends_with("Ok(0)") || end.ends_with("Err(ConnectionReset)"), "{end}");
}

#[tokio::test]
async fn what_is_not_http_is_malformed() {
    async fn check(answer: &[u8]) {
        let server = Server::saying(answer);
        let trial = get(&server.url("/"), LONG).await;
        assert!(matches!(trial, Err(ServiceError::Malformed(_))), "{answer:?}: {trial:?}");
    }
    check(b"").await;
    check(b"HTTP/1.1 200").await;
    check(b"220 mail.example ESMTP\r\n").await;
    check(&[0x00, 0xff, 0x80, 0x0a, 0x0d, 0x0a]).await;
    check(b"HTTP/1.1 20000 OK\r\n\r\n").await;
    check(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n").await;
    // A TLS alert, as servers send that expect TLS.
    check(&[0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]).await;
}

// The connection is closed by a task of the client's while the test waits for the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn headers_without_end_are_cut() {
    async fn check(start: &'static str, block: Vec<u8>, bytes_max: usize) {
        let server = Server::new(move |mut stream| {
            request(&mut stream);
            let _ = stream.write_all(start.as_bytes());
            pour(stream, &block)
        });
        let trial = get(&server.url("/"), LONG).await;
        assert!(matches!(trial, Err(ServiceError::Malformed(_))), "{trial:?}");
        let poured: usize = server.next().parse().expect("the client closed");
        assert!(poured < bytes_max, "{poured} bytes");
    }
    // The system's buffers of both ends of the connection hold up to about 10 MB besides what the client took.
    check("HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n".repeat(1000), 16 << 20).await;
    check("HTTP/1.1 200 OK\r\nx-long: ", vec![b'a'; 16 << 10], 16 << 20).await;
    check("", vec![b'a'; 16 << 10], 16 << 20).await;
}

// The connection is closed by a task of the client's while the test waits for the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_body_without_end_is_not_read() {
    let server = Server::new(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        pour(stream, &[b'x'; 16 << 10])
    });
    assert_eq!(get(&server.url("/"), LONG).await.expect("an answer").status, 200);
    server.next().parse::<usize>().expect("the client closed");
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    // No label of a name may be this long (RFC 1035, 2.3.4), so that no name server is asked.
    let trial = get(&format!("http://{}.example/", "a".repeat(64)), LONG).await;
    assert!(matches!(trial, Err(ServiceError::Name(_))), "{trial:?}");
}

#[tokio::test]
async fn names_are_resolved() {
    let server = Server::saying("HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(get(&format!("http://localhost:{}/", server.port), LONG).await.expect("an answer").status, 200);
}

#[tokio::test]
async fn a_url_that_is_none_says_nothing_of_the_service() {
    for url in ["", "http://", "no url", "ftp://127.0.0.1/"] {
        let trial = get(url, LONG).await;
        assert!(matches!(trial, Err(ServiceError::NotPossible(_))), "{url}: {trial:?}");
    }
}

#[test]
fn faults_of_this_machine_are_not_the_services() {
    let check = |e: io::Error, knowledge| assert_eq!(from_io(&e).is_knowledge(), knowledge, "{e}");
    // Linux: ENFILE, EMFILE, ECONNRESET, ENETUNREACH, ECONNREFUSED, EHOSTUNREACH.
    check(io::Error::from_raw_os_error(23), false);
    check(io::Error::from_raw_os_error(24), false);
    check(io::ErrorKind::PermissionDenied.into(), false);
    for code in [104, 101, 111, 113] {
        check(io::Error::from_raw_os_error(code), true);
    }
    assert_eq!(from_io(&io::ErrorKind::TimedOut.into()), ServiceError::Timeout);
}

/// An authority and the TLS server that it vouches for, at a name.
struct Tls {
    authority: rustls::pki_types::CertificateDer<'static>,
    config: Arc<ServerConfig>,
}

impl Tls {
    fn new(name: &str, self_signed: bool) -> Self {
        Self::valid(name, self_signed, (2000, 2100))
    }

    /// `years`: of the certificate's validity, both on 1 January.
    fn valid(name: &str, self_signed: bool, years: (i32, i32)) -> Self {
        let mut params = CertificateParams::new(vec!["authority.example".into()]).expect("a name");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.into()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let certificate =
            if self_signed { params.self_signed(&key) } else { params.signed_by(&key, &authority) }.expect("signed");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("they belong together");
        Self { authority: authority.as_ref().der().clone(), config: Arc::new(config) }
    }

    /// Tells the kind of the handshake.
    fn serve(&self) -> Server {
        let config = Arc::clone(&self.config);
        Server::new(move |stream| {
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).expect("configured"), stream);
            request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            stream.conn.send_close_notify();
            let _ = stream.flush();
            match stream.conn.handshake_kind() {
                Some(HandshakeKind::Resumed) => "resumed".into(),
                Some(_) => "full".into(),
                None => "none".into(),
            }
        })
    }

    /// A client that trusts the authority.
    fn client(&self) -> HttpServices {
        let authority = self.authority.clone();
        HttpServices::with_roots(Arc::new(move || {
            let mut roots = RootCertStore::empty();
            roots.add(authority.clone()).expect("an authority");
            roots
        }))
    }
}

#[tokio::test]
async fn a_certificate_is_looked_at_in_every_poll() {
    let tls = Tls::new("127.0.0.1", false);
    let (server, client) = (tls.serve(), tls.client());
    let url = server.url("/").replace("http:", "https:");
    for _ in 0..3 {
        assert_eq!(client.get(&url, LONG).await.expect("an answer").status, 200);
        assert_eq!(server.next(), "full");
    }
}

#[tokio::test]
async fn certificates_that_prove_nothing_are_not_accepted() {
    async fn check(tls: &Tls, client: HttpServices) {
        let server = tls.serve();
        let trial = client.get(&server.url("/").replace("http:", "https:"), LONG).await;
        assert!(matches!(trial, Err(ServiceError::Certificate(_))), "{trial:?}");
    }
    let vouched = Tls::new("127.0.0.1", false);
    let self_signed = Tls::new("127.0.0.1", true);
    check(&self_signed, self_signed.client()).await;
    check(&self_signed, vouched.client()).await;
    check(&vouched, self_signed.client()).await;
    let other_name = Tls::new("127.0.0.2", false);
    check(&other_name, other_name.client()).await;
    let expired = Tls::valid("127.0.0.1", false, (2000, 2001));
    check(&expired, expired.client()).await;
}

#[tokio::test]
async fn a_clock_that_was_never_set_is_not_the_services_fault() {
    let tls = Tls::valid("127.0.0.1", false, (2100, 2200));
    let server = tls.serve();
    let trial = tls.client().get(&server.url("/").replace("http:", "https:"), LONG).await;
    assert!(matches!(trial, Err(ServiceError::NotPossible(_))), "{trial:?}");
}

#[tokio::test]
async fn roots_that_an_administrator_adds_count_at_the_next_poll() {
    let tls = Tls::new("127.0.0.1", false);
    let server = tls.serve();
    let url = server.url("/").replace("http:", "https:");
    let (reads, authority) = (Arc::new(AtomicUsize::new(0)), tls.authority.clone());
    let counted = Arc::clone(&reads);
    let client = HttpServices::with_roots(Arc::new(move || {
        let mut roots = RootCertStore::empty();
        if counted.fetch_add(1, Ordering::SeqCst) > 0 {
            roots.add(authority.clone()).expect("an authority");
        }
        roots
    }));
    let trial = client.get(&url, LONG).await;
    assert!(matches!(trial, Err(ServiceError::NotPossible(_))), "no roots at all: {trial:?}");
    assert_eq!(client.get(&url, LONG).await.expect("an answer").status, 200);
    assert_eq!(client.get(&url, LONG).await.expect("an answer").status, 200);
    assert_eq!(reads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_port_without_tls_is_malformed() {
    let server = Server::new(|mut stream| {
        let hello = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        format!("{hello:?}")
    });
    let client = Tls::new("127.0.0.1", false).client();
    let trial = client.get(&server.url("/").replace("http:", "https:"), LONG).await;
    assert!(matches!(trial, Err(ServiceError::Malformed(_))), "{trial:?}");
}

fn site(id: &str) -> SiteId {
    SiteId::parse(id).expect("an id")
}

fn tried(id: &str, url: &str) -> ServicePlan {
    ServicePlan { service: ServiceId::parse(id).expect("an id"), site: site("bossolasco"), url: url.into() }
}

#[test]
fn the_flag_is_about_the_service_as_the_site_sees_it() {
    let check = |trial: Result<ServiceAnswer, ServiceError>, up: Reading, response_ms: Reading| {
        let sample = service_trial(&site("bossolasco"), &tried("documenti", "-"), UnixMillis(7), &trial);
        assert_eq!(sample.reading("up_flag"), Some(up), "{trial:?}");
        assert_eq!(sample.reading("response_ms"), Some(response_ms), "{trial:?}");
        let tags = [(Tag::Agent, "bossolasco"), (Tag::Service, "documenti"), (Tag::Site, "bossolasco")];
        assert_eq!(sample.tags, tags.map(|(tag, text)| (tag, text.to_owned())).into());
    };
    let answer = |status| Ok(ServiceAnswer { status, response_ms: 41.5 });
    let (yes, no) = (Reading::value(1.0), Reading::value(0.0));
    check(answer(200), yes, Reading::value(41.5));
    check(answer(304), yes, Reading::value(41.5));
    check(answer(199), no, Reading::value(41.5));
    check(answer(404), no, Reading::value(41.5));
    check(Err(ServiceError::Timeout), no, Reading::Missing(Missing::Timeout));
    check(Err(ServiceError::Name("x".into())), no, Reading::Missing(Missing::Unreachable));
    check(Err(ServiceError::Unreachable("x".into())), no, Reading::Missing(Missing::Unreachable));
    check(Err(ServiceError::Certificate("x".into())), no, Reading::Missing(Missing::Refused));
    check(Err(ServiceError::Malformed("x".into())), no, Reading::Missing(Missing::Malformed));
    let unknown = Reading::Missing(Missing::NotMeasured);
    check(Err(ServiceError::NotPossible("x".into())), unknown, unknown);
}

#[test]
fn an_agent_tries_the_services_of_its_site() {
    let service = |id: &str, from: &[&str]| Service {
        id: ServiceId::parse(id).expect("an id"),
        name: id.to_uppercase(),
        url: format!("https://{id}.example/"),
        from: from.iter().map(|s| site(s)).collect(),
    };
    let services =
        [service("posta", &["murazzano", "bossolasco"]), service("documenti", &["bossolasco"]), service("x", &[])];
    let network = Network {
        id: NetworkId::parse("prova").expect("an id"),
        name: "Prova".into(),
        time_zone: "Europe/Rome".into(),
        language: Language::Italian,
        simultaneity: 1.0,
        hub_site: None,
        wisps: BTreeMap::new(),
        staff: Vec::new(),
        sites: BTreeMap::new(),
        credentials: BTreeMap::new(),
        devices: BTreeMap::new(),
        links: BTreeMap::new(),
        bundles: BTreeMap::new(),
        sectors: BTreeMap::new(),
        backhauls: BTreeMap::new(),
        services: services.into_iter().map(|s| (s.id.clone(), s)).collect(),
        backups: BTreeMap::new(),
    };
    let check = |agent: &str, expected: &[&str]| {
        let secrets = crate::config::secret::SystemSecrets;
        let plan = plan(&AgentPart::of(&network, &site(agent)), LONG, &BTreeMap::new(), &secrets).expect("no problem");
        let found: Vec<&str> = plan.services.iter().map(|s| s.service.as_str()).collect();
        assert_eq!(found, expected);
        assert!(plan.services.iter().all(|s| s.site == site(agent)));
        assert!(plan.services.iter().all(|s| s.url == format!("https://{}.example/", s.service)));
    };
    check("bossolasco", &["documenti", "posta"]);
    check("murazzano", &["posta"]);
    check("niella", &[]);
}

/// One service hangs for ever, whatever it is told; the others answer, well or badly.
struct Fake(StdMutex<Vec<Duration>>);

impl ServiceProbe for Fake {
    fn get<'a>(&'a self, url: &'a str, limit: Duration) -> ServiceTrial<'a> {
        self.0.lock().expect("no panic").push(limit);
        match url {
            "stuck" => Box::pin(std::future::pending()),
            "bad" => Box::pin(async { Err(ServiceError::Timeout) }),
            _ => Box::pin(async { Ok(ServiceAnswer { status: 200, response_ms: 1.0 }) }),
        }
    }
}

struct NoPings;

impl Pinger for NoPings {
    fn round(
        &self,
        target: IpAddr,
        _: u8,
        _: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<PingRound, PingError>> + Send + '_>> {
        Box::pin(async move { Err(PingError::Unreachable(target)) })
    }
}

#[tokio::test]
async fn a_service_that_hangs_delays_no_other() {
    const POLLS: usize = 5;
    let interval = Duration::from_millis(20);
    let plan = ProbePlan {
        agent: site("bossolasco"),
        interval,
        devices: Vec::new(),
        pings: Vec::new(),
        services: vec![tried("fermo", "stuck"), tried("buono", "good"), tried("guasto", "bad")],
        dropped: Dropped::default(),
        memories: Memories::default(),
    };
    let (samples, mut queue) = tokio::sync::mpsc::channel::<Vec<Sample>>(1);
    let (switch, shutdown) = Shutdown::new();
    let fake = Arc::new(Fake(StdMutex::default()));
    let pinger = Arc::new(NoPings);
    let plans = tokio::sync::watch::channel(Some(Arc::new(plan))).1;
    let running = schedule::run(plans, samples, pinger, fake.clone(), SystemClock::shared(), 7, shutdown);
    let watching = async {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        while seen.len() < 2 || seen.values().any(|n| *n < POLLS) {
            for sample in queue.recv().await.expect("the schedule runs") {
                assert_eq!(sample.measurement.name, "service");
                let service = sample.tag_value(Tag::Service).expect("tagged").to_owned();
                let up = f64::from(u8::from(service == "buono"));
                assert_eq!(sample.reading("up_flag"), Some(Reading::value(up)));
                *seen.entry(service).or_default() += 1;
            }
        }
        switch.stop();
        seen.into_keys().collect::<BTreeSet<_>>()
    };
    let (ended, seen) = timeout(LONG, async { tokio::join!(running, watching) }).await.expect("it goes on and ends");
    ended.expect("no task died");
    assert_eq!(seen, ["buono", "guasto"].map(str::to_owned).into());
    // The limit stays below the interval, so that a poll never runs into the next.
    assert!(fake.0.lock().expect("no panic").iter().all(|limit| *limit < interval && !limit.is_zero()));
}
