//! The outbox against Debian's aiosmtpd (package python3-aiosmtpd): plain, STARTTLS, implicit TLS, login, refusals,
//! and a server that comes late.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use support::memory::MemoryStore;
use support::{OneSecret, PATIENCE, PYTHON, aiosmtpd, free_port, strict_smtp};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use vedetta::config::settings::{MailOut, MailSettings, SmtpSecurity, SmtpSettings};
use vedetta::model::UnixMillis;
use vedetta::model::network::SecretRef;
use vedetta::notify::outbox;
use vedetta::notify::records::{self, MAIL_OUT};
use vedetta::notify::{Mail, NoticeKind};
use vedetta::runtime::clock::ManualClock;
use vedetta::runtime::tasks::{Shutdown, ShutdownSwitch};
use vedetta::store::{Document, DocumentStore, StoreError};
use vedetta::web::snapshot::PartHealth;

/// A CA and a certificate for localhost, as files.
fn certificates(dir: &Path) -> (PathBuf, PathBuf, PathBuf) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let (ca_file, cert_file, key_file) = (dir.join("ca.pem"), dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&ca_file, ca_certificate.pem()).unwrap();
    std::fs::write(&cert_file, leaf.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    (ca_file, cert_file, key_file)
}

fn settings(port: u16, security: SmtpSecurity) -> SmtpSettings {
    SmtpSettings { host: "localhost".into(), port, security, user: None, password: None, ca_file: None }
}

fn mail(n: u32, to: &[&str]) -> Mail {
    let opening = format!("<ved-{n}.opened@unione.example>");
    Mail {
        id: format!("{n:08}"),
        to: to.iter().map(|t| (*t).to_owned()).collect(),
        from: "Unione Montana Alta Langa <rete@unione.example>".into(),
        reply_to: None,
        subject: format!("[VED-{n}] Bossolasco–Murazzano interrotta: 5 comuni senza servizio"),
        text: "La capacità è di 62 Mbps.\n.\nFine.\n".into(),
        html: "<p>La capacità è di 62 Mbps.</p>\n".into(),
        message_id: format!("<ved-{n}.closed@unione.example>"),
        in_reply_to: Some(opening.clone()),
        references: vec![opening],
        list_id: "<alta-langa.vedetta.unione.example>".into(),
        date: UnixMillis(1_795_500_000_000),
        incident: format!("VED-{n}"),
        kind: NoticeKind::Closed,
        chart: None,
        attachment: None,
    }
}

/// An outbox that runs.
struct Running {
    store: Arc<MemoryStore>,
    wake: Arc<Notify>,
    health: watch::Receiver<PartHealth>,
    switch: ShutdownSwitch,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Running {
    fn start(out: MailOut, store: Arc<MemoryStore>) -> Self {
        Self::over(out, store.clone(), store)
    }

    /// `documents` is what the outbox sees of the store.
    fn over(out: MailOut, documents: Arc<dyn DocumentStore>, store: Arc<MemoryStore>) -> Self {
        let wake = Arc::new(Notify::new());
        let (sender, health) = watch::channel(PartHealth::default());
        let (switch, shutdown) = Shutdown::new();
        let settings = MailSettings { from: String::new(), reply_to: None, out };
        let clock = ManualClock::at(UnixMillis(1_795_500_000_000));
        let mut tasks = JoinSet::new();
        let secrets = Arc::new(OneSecret("right"));
        tasks.spawn(outbox::run(settings, documents, wake.clone(), secrets, sender, clock, shutdown));
        Self { store, wake, health, switch, tasks }
    }

    fn put(&self, mail: &Mail) {
        self.store.put_documents(&[records::document(mail)]).unwrap();
        self.wake.notify_one();
    }

    /// Waits for a state of health.
    async fn until(&mut self, what: &str, holds: impl Fn(&PartHealth) -> bool) -> PartHealth {
        let waited = tokio::time::timeout(PATIENCE, self.health.wait_for(holds)).await;
        let reached = waited.ok().map(|health| health.unwrap().clone());
        reached.unwrap_or_else(|| panic!("{what}: {:?}", *self.health.borrow()))
    }

    async fn stop(mut self) {
        self.switch.stop();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

fn arrived(dir: &Path) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(dir.join("new")) else { return Vec::new() };
    files.map(|f| std::fs::read_to_string(f.unwrap().path()).unwrap().replace("\r\n", "\n")).collect()
}

#[track_caller]
fn check_headers(message: &str) {
    for header in [
        "Message-ID: <ved-1.closed@unione.example>\n",
        "In-Reply-To: <ved-1.opened@unione.example>\n",
        "References: <ved-1.opened@unione.example>\n",
        "Auto-Submitted: auto-generated\n",
        "X-Auto-Response-Suppress: OOF, AutoReply\n",
        "List-Id: <alta-langa.vedetta.unione.example>\n",
        "Date: Tue, 24 Nov 2026 06:00:00 +0000\n",
        "Content-Type: multipart/alternative;",
        "capacit=C3=A0",
    ] {
        assert!(message.contains(header), "no {header:?} in\n{message}");
    }
}

/// One mail through a server, then nothing more.
async fn check_delivery(out: SmtpSettings, dir: &Path) {
    let mut running = Running::start(MailOut::Smtp(out), MemoryStore::new());
    running.put(&mail(1, &["noc@langhenet.example"]));
    let health = running.until("the mail is sent", |h| h.done_total == 1 && h.waiting == 0).await;
    assert!(health.ok, "{health:?}");
    let messages = arrived(dir);
    assert_eq!(messages.len(), 1);
    check_headers(&messages[0]);
    assert!(running.store.documents(MAIL_OUT).unwrap().is_empty());
    let sent = records::sent(&*running.store).unwrap();
    assert_eq!(sent[0].delivered, ["noc@langhenet.example"]);
    running.stop().await;
}

#[tokio::test]
async fn plain_where_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let _server = aiosmtpd(port, &dir.path().join("mail"), &[]);
    check_delivery(settings(port, SmtpSecurity::Plain), &dir.path().join("mail")).await;
}

#[tokio::test]
async fn starttls_and_implicit_tls() {
    for (security, certificate, key) in
        [(SmtpSecurity::StartTls, "--tlscert", "--tlskey"), (SmtpSecurity::ImplicitTls, "--smtpscert", "--smtpskey")]
    {
        let dir = tempfile::tempdir().unwrap();
        let (ca_file, cert_file, key_file) = certificates(dir.path());
        let port = free_port();
        let tls = [certificate, cert_file.to_str().unwrap(), key, key_file.to_str().unwrap()];
        let _server = aiosmtpd(port, &dir.path().join("mail"), &tls);
        let out = SmtpSettings { ca_file: Some(ca_file), ..settings(port, security) };
        check_delivery(out, &dir.path().join("mail")).await;
    }
}

#[tokio::test]
async fn an_unknown_certificate_or_no_tls_at_all_sends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (_, cert_file, key_file) = certificates(dir.path());
    let other = tempfile::tempdir().unwrap();
    let (other_ca, _, _) = certificates(other.path());
    let port = free_port();
    let tls = ["--tlscert", cert_file.to_str().unwrap(), "--tlskey", key_file.to_str().unwrap()];
    let _server = aiosmtpd(port, &dir.path().join("mail"), &tls);
    let out = SmtpSettings { ca_file: Some(other_ca.clone()), ..settings(port, SmtpSecurity::StartTls) };
    let mut running = Running::start(MailOut::Smtp(out), MemoryStore::new());
    running.put(&mail(1, &["noc@langhenet.example"]));
    let health = running.until("the certificate is refused", |h| h.detail.is_some()).await;
    assert!(!health.ok && health.waiting == 1, "{health:?}");
    assert!(health.detail.unwrap().contains("certificate"));
    running.stop().await;

    let plain = free_port();
    let _plain_server = aiosmtpd(plain, &dir.path().join("mail"), &[]);
    let out = SmtpSettings { ca_file: Some(other_ca), ..settings(plain, SmtpSecurity::StartTls) };
    let mut running = Running::start(MailOut::Smtp(out), MemoryStore::new());
    running.put(&mail(1, &["noc@langhenet.example"]));
    let health = running.until("STARTTLS is missed", |h| h.detail.is_some()).await;
    assert!(health.detail.unwrap().contains("offers no STARTTLS"));
    running.stop().await;
    assert!(arrived(&dir.path().join("mail")).is_empty());
}

#[tokio::test]
async fn a_login_and_a_wrong_one() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let _server = strict_smtp(port, &dir.path().join("mail"), &["rete", "right"]);
    let login = SmtpSettings {
        user: Some("rete".into()),
        password: Some(SecretRef::Env("SMTP_PASSWORD".into())),
        ..settings(port, SmtpSecurity::Plain)
    };
    let stranger = SmtpSettings { user: Some("stranger".into()), ..login.clone() };
    check_delivery(login, &dir.path().join("mail")).await;

    let mut running = Running::start(MailOut::Smtp(stranger), MemoryStore::new());
    running.put(&mail(2, &["noc@langhenet.example"]));
    let health = running.until("the login is refused", |h| h.detail.is_some()).await;
    // Our fault, not the mail's: it waits.
    assert_eq!((health.waiting, health.failed_total), (1, 0));
    let detail = health.detail.unwrap();
    assert!(detail.contains("refuses user and password") && !detail.contains("right"), "{detail}");
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_comes_late_gets_each_mail_once() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut running = Running::start(MailOut::Smtp(settings(port, SmtpSecurity::Plain)), MemoryStore::new());
    for n in 1..=3 {
        running.put(&mail(n, &["noc@langhenet.example"]));
    }
    let health = running.until("the server is missed", |h| h.detail.is_some()).await;
    assert!(!health.ok && health.detail.unwrap().contains(&format!("localhost:{port}")));
    let _server = aiosmtpd(port, &dir.path().join("mail"), &[]);
    running.until("all are sent", |h| h.done_total == 3 && h.ok).await;
    let store = running.store.clone();
    running.stop().await;
    // A restart sends nothing again, and counts on.
    let mut running = Running::start(MailOut::Smtp(settings(port, SmtpSecurity::Plain)), store);
    running.until("it goes on", |h| h.done_total == 3 && h.waiting == 0).await;
    running.stop().await;
    let messages = arrived(&dir.path().join("mail"));
    assert_eq!(messages.len(), 3);
    let ids = ["1", "2", "3"].map(|n| format!("Message-ID: <ved-{n}.closed@unione.example>"));
    assert!(ids.iter().all(|id| messages.iter().filter(|m| m.contains(id)).count() == 1));
}

#[tokio::test]
async fn a_refused_address_keeps_nobody_else_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let _server = strict_smtp(port, &dir.path().join("mail"), &[]);
    let mut running = Running::start(MailOut::Smtp(settings(port, SmtpSecurity::Plain)), MemoryStore::new());
    running.put(&mail(1, &["nobody@langhenet.example", "grey@langhenet.example", "noc@langhenet.example"]));
    running.put(&mail(2, &["tecnico@unione.example"]));
    running
        .store
        .put_documents(&[Document { kind: MAIL_OUT.into(), key: "0".into(), body: "no mail".into() }])
        .unwrap();
    let health = running.until("all is done", |h| h.waiting == 0 && h.done_total == 2).await;
    assert!(health.ok);
    assert_eq!(health.failed_total, 2, "{health:?}");
    assert!(health.detail.unwrap().contains("no such mailbox"));
    let sent = records::sent(&*running.store).unwrap();
    assert_eq!(sent[0].refused[0].0, "nobody@langhenet.example");
    assert_eq!(sent[0].delivered, ["noc@langhenet.example", "grey@langhenet.example"]);
    assert_eq!(running.store.documents(records::MAIL_BROKEN).unwrap().len(), 1);
    running.stop().await;
    // Each address once: the greylisted one at the second try, nobody twice.
    assert_eq!(arrived(&dir.path().join("mail")).len(), 3);
}

#[tokio::test]
async fn a_maildir_gets_files_that_a_mail_program_opens() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::start(MailOut::Maildir(dir.path().join("mails")), MemoryStore::new());
    running.put(&mail(1, &["noc@langhenet.example", "due@langhenet.example"]));
    running.until("it is written", |h| h.done_total == 1).await;
    running.stop().await;
    let messages = arrived(&dir.path().join("mails"));
    assert_eq!(messages.len(), 1);
    check_headers(&messages[0]);
    let read = "import email, email.policy, mailbox, sys\n\
                read = lambda f: email.message_from_binary_file(f, policy=email.policy.default)\n\
                [m] = mailbox.Maildir(sys.argv[1], factory=read)\n\
                print(m['subject']); print(m.get_body(('plain',)).get_content())";
    let shown = Command::new(PYTHON).args(["-c", read]).arg(dir.path().join("mails")).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.starts_with("[VED-1] Bossolasco–Murazzano interrotta"), "{shown}");
    assert!(shown.contains("La capacità è di 62 Mbps."));
}

/// Reads, and takes nothing: a disk that is full just when a mail was sent.
struct Full(Arc<MemoryStore>);

impl DocumentStore for Full {
    fn put_documents(&self, _: &[Document]) -> Result<(), StoreError> {
        Err(StoreError::Database { step: "commit", source: "disk full".into() })
    }

    fn documents(&self, kind: &str) -> Result<Vec<Document>, StoreError> {
        self.0.documents(kind)
    }
}

#[tokio::test]
async fn a_crash_after_the_server_took_a_mail_repeats_it_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let (port, store) = (free_port(), MemoryStore::new());
    let _server = aiosmtpd(port, &dir.path().join("mail"), &[]);
    let out = MailOut::Smtp(settings(port, SmtpSecurity::Plain));
    store.put_documents(&[records::document(&mail(1, &["noc@langhenet.example"]))]).unwrap();
    let mut running = Running::over(out.clone(), Arc::new(Full(store.clone())), store.clone());
    running.until("it is sent and cannot be marked", |h| h.done_total == 1).await;
    // As long as this process lives it knows, and sends nothing twice.
    running.wake.notify_one();
    running.until("the failing disk is named", |h| h.detail.is_some()).await;
    running.stop().await;
    assert_eq!(arrived(&dir.path().join("mail")).len(), 1);
    assert_eq!(store.documents(MAIL_OUT).unwrap().len(), 1);
    let mut running = Running::start(out, store.clone());
    running.until("it is marked", |h| h.done_total == 1 && h.waiting == 0).await;
    running.stop().await;
    let written = |m: &String| {
        let kept = |l: &&str| !["X-Peer:", "X-MailFrom:", "X-RcptTo:"].iter().any(|h| l.starts_with(h));
        m.lines().filter(kept).map(str::to_owned).collect::<Vec<_>>()
    };
    let messages = arrived(&dir.path().join("mail"));
    assert_eq!(messages.len(), 2);
    assert_eq!(written(&messages[0]), written(&messages[1]));
    check_headers(&messages[1]);
    assert!(store.documents(MAIL_OUT).unwrap().is_empty());
}
