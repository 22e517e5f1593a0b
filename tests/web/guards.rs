use super::fixture::valdora;
use super::server::{start, start_with};

const PATHS: [&str; 10] = [
    "/",
    "/fragment",
    "/delivery",
    "/assets/page.css",
    "/assets/page.js",
    "/assets/icon.svg",
    "/api/v1/status",
    "/api/v1/incidents",
    "/metrics",
    "/healthz",
];

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = start(valdora().snapshot()).await;
    for path in PATHS.iter().chain(&["/nowhere", "/assets/../Cargo.toml"]) {
        let answer = server.get(path).await;
        let header = |name: &str| answer.headers.get(name).map(String::as_str);
        let policy = header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(header("x-frame-options"), Some("DENY"), "{path}");
        let kept = path.starts_with("/assets/page") || path.starts_with("/assets/icon");
        assert_eq!(header("cache-control") == Some("no-store"), !kept, "{path}");
        assert_eq!(answer.status, if PATHS.contains(path) { 200 } else { 404 }, "{path}");
    }
}

#[tokio::test]
async fn a_foreign_host_name_gets_nothing() {
    let server = start_with(valdora().snapshot(), Some("https://vedetta.example/")).await;
    let status = |host: &'static str| {
        let server = &server;
        async move { server.ask("GET", "/api/v1/status", &[("Host", host)]).await }
    };
    for good in ["localhost", "localhost:8080", "127.0.0.1", "[::1]:8080", "vedetta.example", "192.0.2.4:80"] {
        assert_eq!(status(good).await.status, 200, "{good}");
    }
    for bad in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"] {
        let answer = status(bad).await;
        assert_eq!(answer.status, 421, "{bad}");
        assert!(answer.text().contains("public_url") && !answer.text().contains("Valdora"), "{bad}");
    }
    assert_eq!(server.ask("GET", "/", &[]).await.status, 421);
}

#[tokio::test]
async fn nothing_but_reading_is_allowed() {
    let server = start(valdora().snapshot()).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let answer = server.ask(method, "/", &[("Host", "localhost"), ("Content-Length", "0")]).await;
        assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "GET, HEAD"), "{method}");
    }
    let head = server.ask("HEAD", "/", &[("Host", "localhost")]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn the_language_is_the_readers() {
    let server = start(valdora().snapshot()).await;
    let check = |path: &'static str, accept: Option<&'static str>, language: &'static str| {
        let server = &server;
        async move {
            let mut headers = vec![("Host", "localhost")];
            headers.extend(accept.map(|a| ("Accept-Language", a)));
            let answer = server.ask("GET", path, &headers).await;
            assert_eq!(answer.headers["content-language"], language, "{path} {accept:?}");
            assert!(answer.text().contains(&format!("<html lang=\"{language}\"")), "{path} {accept:?}");
        }
    };
    check("/", None, "it").await;
    check("/", Some("en-GB,en;q=0.9"), "en").await;
    check("/", Some("de,it;q=0.5,en;q=0.4"), "it").await;
    check("/?lang=en", Some("it"), "en").await;
    check("/?lang=%22%3E%3Cscript%3E", Some("en"), "en").await;
}

#[tokio::test]
async fn long_answers_are_compressed_for_those_who_accept_it() {
    let server = start(valdora().snapshot()).await;
    let plain = server.ask("GET", "/", &[("Host", "localhost")]).await;
    let packed = server.ask("GET", "/", &[("Host", "localhost"), ("Accept-Encoding", "gzip, br")]).await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed.body.as_slice()), &mut text).unwrap();
    assert_eq!(text, plain.text());
    let refused = server.ask("GET", "/", &[("Host", "localhost"), ("Accept-Encoding", "gzip;q=0")]).await;
    assert!(!refused.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn health_says_when_nobody_makes_the_picture_any_more() {
    let server = start(valdora().snapshot()).await;
    assert_eq!(server.get("/healthz").await.status, 200);
    let addr = server.addr;
    drop(server.snapshots);
    let answer = raw_healthz(addr).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

async fn raw_healthz(addr: std::net::SocketAddr) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}
