//! A server on a free port with a snapshot that the test can change, and a small HTTP client that hides nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use vedetta::model::network::Language;
use vedetta::runtime::tasks::{Shutdown, ShutdownSwitch};
use vedetta::store::ledger::Ledger;
use vedetta::web::snapshot::Snapshot;
use vedetta::web::{WebState, serve};

pub struct Server {
    pub addr: SocketAddr,
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    pub switch: ShutdownSwitch,
    pub running: tokio::task::JoinSet<anyhow::Result<()>>,
}

pub async fn start(snapshot: Snapshot) -> Server {
    start_with(snapshot, None).await
}

pub async fn start_with(snapshot: Snapshot, public_url: Option<&str>) -> Server {
    start_all(snapshot, public_url, None).await
}

pub async fn start_all(snapshot: Snapshot, public_url: Option<&str>, ledger: Option<Arc<Ledger>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (tx, rx) = watch::channel(Arc::new(snapshot));
    let (switch, shutdown) = Shutdown::new();
    let state = WebState {
        snapshots: rx,
        default_language: Language::Italian,
        public_url: public_url.map(str::to_owned),
        desk: None,
        ledger,
        access: None,
        public_pages: vedetta::web::share::PublicPages::default(),
    };
    let mut running = tokio::task::JoinSet::new();
    running.spawn(serve(listener, state, shutdown));
    Server { addr, snapshots: tx, switch, running }
}

pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Server {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[("Host", &self.addr.to_string())]).await
    }

    /// Sends exactly these headers, and reads until the server closes.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let headers: String = headers.iter().map(|(name, value)| [*name, ": ", *value, "\r\n"].concat()).collect();
        let request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        parse(&all)
    }

    /// Opens the event stream; yields its lines.
    pub async fn events(&self) -> tokio::io::Lines<BufReader<TcpStream>> {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n\r\n", self.addr);
        stream.write_all(request.as_bytes()).await.unwrap();
        BufReader::new(stream).lines()
    }
}

fn parse(all: &[u8]) -> Answer {
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").expect("an HTTP answer has a head");
    let head = std::str::from_utf8(&all[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: BTreeMap<String, String> = lines
        .map(|l| l.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = all[end + 4..].to_vec();
    if headers.get("transfer-encoding").is_some_and(|t| t == "chunked") {
        body = unchunk(&body);
    }
    Answer { status, headers, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        out.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    out
}
