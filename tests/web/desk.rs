//! The hub's loop as the pages know it: it shows incidents, and remembers what was said.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fixture::{NOW, edge};
use super::history::{Kept, kept};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use vedetta::access::accounts::{Share, Whose};
use vedetta::access::{self, Access};
use vedetta::alert::desk::Desk;
use vedetta::alert::signed::{Grant, LinkKeys};
use vedetta::config::secret::Secret;
use vedetta::model::network::Language;
use vedetta::runtime::tasks::{Shutdown, ShutdownSwitch};
use vedetta::web::desk::{self, DeskError, DeskRequest, History, NoticeLine, Reasons};
use vedetta::web::snapshot::Snapshot;
use vedetta::web::{WebState, serve};

pub const TOKEN: &str = "the-word-of-the-operators-token-file";

/// A web server with a desk behind it.
pub struct Office {
    /// What the weak link of the fixture has been through.
    _history: Kept,
    pub addr: SocketAddr,
    pub said: Arc<Mutex<Desk>>,
    keys: LinkKeys,
    snapshot: Arc<Snapshot>,
    /// Where its accounts and its access log are.
    pub dir: tempfile::TempDir,
    _switch: ShutdownSwitch,
    _running: JoinSet<()>,
}

fn history(snapshot: &Snapshot, said: &Desk, number: u64) -> Option<History> {
    let incident = snapshot.incidents.iter().find(|i| i.number == number)?.clone();
    let to = |to: &str, kind, sent| NoticeLine {
        at: incident.since,
        to: to.to_owned(),
        kind,
        why: vec![kind.to_owned()],
        sent,
    };
    let notices = vec![to("wisp:altarete", "opened", true), to("staff:rete@unione.example", "opened", false)];
    let reasons = Reasons { italian: "Il livello è sceso.".to_owned(), english: "The level fell.".to_owned() };
    Some(History { incident, notices, case: said.cases.get(&number).cloned().unwrap_or_default(), reasons })
}

impl Office {
    /// Loopback needs no account.
    pub async fn open(snapshot: Snapshot, said: Desk) -> Self {
        Self::open_to(snapshot, said, vec![IpAddr::V4(Ipv4Addr::LOCALHOST)], Vec::new()).await
    }

    pub async fn open_to(snapshot: Snapshot, said: Desk, open_to: Vec<IpAddr>, proxies: Vec<IpAddr>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let access = Access::new(dir.path(), open_to).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (requests, mut asked) = mpsc::channel(8);
        let keys = LinkKeys::new([7; 32]);
        let web = desk::Desk { requests, token: Secret::new(TOKEN), links: keys.clone(), proxies };
        let history = kept(&snapshot.network, &edge("bric-della-luna-monteverde"), NOW);
        let (snapshot, said) = (Arc::new(snapshot), Arc::new(Mutex::new(said)));
        let (tx, snapshots) = watch::channel(snapshot.clone());
        let state = WebState {
            snapshots,
            default_language: Language::Italian,
            public_url: None,
            desk: Some(web),
            ledger: Some(history.ledger.clone()),
            access: Some(Arc::new(access)),
            public_pages: vedetta::web::share::PublicPages { summary: true, contact: None },
        };
        let (switch, shutdown) = Shutdown::new();
        let mut running = JoinSet::new();
        running.spawn(async move { serve(listener, state, shutdown).await.unwrap() });
        let (seen, kept) = (snapshot.clone(), said.clone());
        running.spawn(async move {
            let _tx = tx;
            while let Some(request) = asked.recv().await {
                answer(request, &seen, &mut kept.lock().unwrap());
            }
        });
        Self { _history: history, addr, said, keys, snapshot, dir, _switch: switch, _running: running }
    }

    /// The path of the signed link of an incident's operator.
    pub fn link(&self, number: u64) -> String {
        let incident = self.snapshot.incidents.iter().find(|i| i.number == number).unwrap();
        self.sign(&Grant::of(incident).unwrap())
    }

    /// The path of a link of an operator or a place, as `vedetta share` makes it.
    pub fn share(&self, whose: &str) -> String {
        let whose = Whose::parse(whose).unwrap();
        let mut all = access::read(self.dir.path()).unwrap();
        let word = access::share_word();
        all.add_share(&whose, Share { word: word.clone(), made_at: String::new() }).unwrap();
        access::write(self.dir.path(), &all).unwrap();
        format!("/s/{word}")
    }

    pub fn sign(&self, grant: &Grant) -> String {
        format!("/l/{}", self.keys.token(&self.snapshot.network.id, grant))
    }
}

fn answer(request: DeskRequest, snapshot: &Snapshot, said: &mut Desk) {
    match request {
        DeskRequest::Command { command, by, reply } => {
            let known = |number| snapshot.incidents.iter().any(|i| i.number == number);
            let done = said.apply(&snapshot.network, known, command, &by, snapshot.generated_at);
            let _ = reply.send(done.map_err(DeskError::Refused));
        }
        DeskRequest::Show { incident, reply } => {
            let _ = reply.send(history(snapshot, said, incident));
        }
        DeskRequest::Desk { reply } => {
            let _ = reply.send((said.clone(), Duration::ZERO));
        }
    }
}
