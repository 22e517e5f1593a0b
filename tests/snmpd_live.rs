//! `probe` against Debian's snmpd, an SNMP agent that shares no code with ours: v2c, and v3 with SHA-256 and AES.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::{Server, daemon, free_udp_port, wait_for};
use vedetta::config::secret::Secret;
use vedetta::model::network::{AuthProtocol, PrivProtocol};
use vedetta::probe::access::Access;
use vedetta::probe::command::{ProbeError, ProbeOptions, ProbeReport, probe};
use vedetta::probe::snmp::SnmpError;

/// Its name, and how it is authenticated and encrypted, as snmpd says it and as we do.
type User = (&'static str, (&'static str, AuthProtocol), (&'static str, PrivProtocol));

/// Users of every protocol that Debian's snmpd has: with AES-192 and AES-256, their keys longer than the digest of SHA-1
/// among them.
const USERS: [User; 9] = [
    ("md5-des", ("MD5", AuthProtocol::Md5), ("DES", PrivProtocol::Des)),
    ("sha-des", ("SHA", AuthProtocol::Sha1), ("DES", PrivProtocol::Des)),
    ("sha224-aes", ("SHA-224", AuthProtocol::Sha224), ("AES", PrivProtocol::Aes128)),
    ("sha256-des", ("SHA-256", AuthProtocol::Sha256), ("DES", PrivProtocol::Des)),
    ("sha384-aes", ("SHA-384", AuthProtocol::Sha384), ("AES", PrivProtocol::Aes128)),
    ("sha512-aes", ("SHA-512", AuthProtocol::Sha512), ("AES", PrivProtocol::Aes128)),
    ("sha-aes192", ("SHA", AuthProtocol::Sha1), ("AES-192", PrivProtocol::Aes192)),
    ("sha-aes256", ("SHA", AuthProtocol::Sha1), ("AES-256", PrivProtocol::Aes256)),
    ("sha256-aes256", ("SHA-256", AuthProtocol::Sha256), ("AES-256", PrivProtocol::Aes256)),
];

/// snmpd on a loopback port of its own, until it is dropped.
struct Snmpd {
    process: Server,
    address: SocketAddr,
    dir: tempfile::TempDir,
}

impl Snmpd {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // snmpd cannot be asked to choose a port.
        let address = SocketAddr::from(([127, 0, 0, 1], free_udp_port()));
        let config = dir.path().join("snmpd.conf");
        let user = |(name, auth, privacy): (&str, &str, &str)| {
            format!("createUser {name} {auth} auth-password {privacy} priv-password\nrouser {name} authPriv\n")
        };
        let users: String = USERS.iter().map(|(name, (auth, _), (privacy, _))| user((name, auth, privacy))).collect();
        let text = format!(
            "agentAddress udp:{address}\n\
             rocommunity vedetta-test 127.0.0.1\n\
             createUser vedetta SHA-256 auth-password AES priv-password\n\
             rouser vedetta authPriv\n\
             {users}\
             sysDescr a switch on a hill\n\
             sysObjectID 1.3.6.1.4.1.99999.1\n"
        );
        std::fs::write(&config, text).unwrap();
        Self { process: Self::process(dir.path()), address, dir }
    }

    /// What snmpd keeps across restarts, its engine's id and engineBoots, is a file of the same name as its settings and
    /// would take their place in the same directory; and it is read only where SNMPCONFPATH has it too, never with -C.
    fn process(dir: &Path) -> Server {
        let kept = dir.join("kept");
        let mut command = Command::new(daemon("snmpd", "snmpd"));
        command.args(["-f", "-Lf", "/dev/null", "-m", "", "-I", "-smux"]);
        command.env("SNMPCONFPATH", std::env::join_paths([dir, &kept]).unwrap());
        Server::silent("snmpd", command.env("SNMP_PERSISTENT_DIR", kept))
    }

    /// As a radio does: engineBoots goes up, engineTime and sysUpTime begin anew.
    fn reboot(&mut self) {
        self.process.signal("TERM");
        wait_for("snmpd to end", || self.process.child().try_wait().unwrap());
        self.process = Self::process(self.dir.path());
    }

    async fn probe(&self, access: Access) -> Result<ProbeReport, ProbeError> {
        probe(ProbeOptions {
            address: self.address.to_string(),
            access,
            profile: None,
            timeout: Duration::from_secs(2),
            target_mbps: 30.0,
        })
        .await
    }

    /// Probes once snmpd listens: until then its port is refused.
    async fn probe_when_up(&mut self, access: &Access) -> Result<ProbeReport, ProbeError> {
        loop {
            match self.probe(access.clone()).await {
                Err(ProbeError::Silent { error: SnmpError::Unreachable(_), .. }) => {
                    let ended = self.process.child().try_wait().unwrap();
                    assert_eq!(ended, None, "snmpd ended by itself");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                answered => return answered,
            }
        }
    }
}

fn v3(auth: &str, privacy: &str) -> Access {
    let auth = (AuthProtocol::Sha256, Secret::new(auth));
    let privacy = (PrivProtocol::Aes128, Secret::new(privacy));
    Access::v3("vedetta", Some(&auth), Some(&privacy)).unwrap()
}

fn check(report: &ProbeReport, version: &str) {
    let json = report.to_json();
    assert_eq!(json["profile"], "generic");
    assert_eq!(json["sys_descr"], "a switch on a hill");
    assert_eq!(json["sys_object_id"], "1.3.6.1.4.1.99999.1");
    assert_eq!(json["snmp"]["version"], version);
    assert_eq!(json["snmp"]["timeouts"], 0);
    assert_eq!(json["snmp"]["malformed"], 0);
    assert!(json["uptime_secs"].as_f64().is_some_and(|secs| secs >= 0.0));
    // Which ports this machine has is its own matter; what is said of each is not.
    for port in json["ports"].as_array().unwrap() {
        assert!(port["rate_mbps"].is_number() || port["missing"]["rate_mbps"].is_string(), "{port}");
    }
}

#[tokio::test]
async fn snmpd_answers_v2c_and_v3() {
    let mut snmpd = Snmpd::start();
    let v2c = Access::V2c { community: Secret::new("vedetta-test") };
    check(&snmpd.probe_when_up(&v2c).await.unwrap(), "v2c");
    check(&snmpd.probe(Access::V1 { community: Secret::new("vedetta-test") }).await.unwrap(), "v1");
    check(&snmpd.probe(v3("auth-password", "priv-password")).await.unwrap(), "v3");
}

#[tokio::test]
async fn snmpd_refuses_a_wrong_password_and_says_nothing_to_a_wrong_community() {
    let mut snmpd = Snmpd::start();
    let refused = snmpd.probe_when_up(&v3("wrong-password", "priv-password")).await;
    assert!(matches!(refused, Err(ProbeError::Silent { error: SnmpError::Refused, .. })), "{refused:?}");
    let silent = snmpd.probe(Access::V2c { community: Secret::new("wrong") }).await;
    assert!(matches!(silent, Err(ProbeError::Silent { error: SnmpError::Timeout, .. })), "{silent:?}");
}

/// The loopback interface, read by name, has ifHighSpeed and 64-bit counters in snmpd.
#[tokio::test]
async fn snmpd_tells_the_interfaces() {
    use vedetta::probe::device::{Manner, Poller};
    use vedetta::probe::snmp::Session;
    use vedetta::runtime::clock::SystemClock;

    let mut snmpd = Snmpd::start();
    let access = v3("auth-password", "priv-password");
    snmpd.probe_when_up(&access).await.unwrap();
    let session = Session::new(snmpd.address, access, Duration::from_secs(2));
    let mut poller = Poller::new(session, Manner { ports: vec!["lo".into()], ..Manner::default() });
    let clock = SystemClock::shared();
    poller.poll(&*clock).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let polled = poller.poll(&*clock).await.unwrap();
    let [lo] = &polled.ports[..] else { panic!("{:?}", polled.ports) };
    assert_eq!(lo.name, "lo");
    assert_eq!(lo.readings["up_flag"].get(), Some(1.0));
    // At most what was just asked and answered, and whatever else this machine tells itself.
    let mbps = lo.readings["throughput_rx_mbps"].get();
    assert!(mbps.is_some_and(|mbps| mbps >= 0.0) || lo.readings["rate_mbps"].get().is_none(), "{:?}", lo.readings);
}

/// The first poll after the restart is answered: the new time window is learnt from the Report, within that poll.
#[tokio::test]
async fn snmpd_that_restarts_is_read_by_the_next_poll() {
    use vedetta::probe::device::{Manner, Poller};
    use vedetta::probe::snmp::{Session, SnmpGet as _};
    use vedetta::runtime::clock::SystemClock;

    let mut snmpd = Snmpd::start();
    let access = v3("auth-password", "priv-password");
    snmpd.probe_when_up(&access).await.unwrap();
    let session = Session::new(snmpd.address, access.clone(), Duration::from_secs(2));
    let mut poller = Poller::new(session, Manner { ports: vec!["lo".into()], ..Manner::default() });
    let clock = SystemClock::shared();
    poller.poll(&*clock).await.unwrap();
    poller.poll(&*clock).await.unwrap();
    for _ in 0..2 {
        let before = poller.session.counts();
        snmpd.reboot();
        // A session of its own tells when it listens again; the poller's still believes the former boot.
        let other = v3("auth-password", "priv-password");
        snmpd.probe_when_up(&other).await.unwrap();
        let polled = poller.poll(&*clock).await.unwrap();
        assert!(polled.uptime_secs.get().is_some_and(|secs| secs < 60.0), "{:?}", polled.uptime_secs);
        let after = poller.session.counts();
        // The Report, its answer, and a device that has restarted is asked anew what it is.
        assert!(after.requests - before.requests <= 12, "{before:?} {after:?}");
        assert_eq!(after.timeouts, before.timeouts);
    }
}

#[tokio::test]
async fn snmpd_and_every_protocol_that_it_has() {
    let mut snmpd = Snmpd::start();
    for (name, (_, auth), (_, privacy)) in USERS {
        let auth = (auth, Secret::new("auth-password"));
        let privacy = (privacy, Secret::new("priv-password"));
        let access = Access::v3(name, Some(&auth), Some(&privacy)).unwrap();
        check(&snmpd.probe_when_up(&access).await.unwrap_or_else(|e| panic!("{name}: {e}")), "v3");
    }
}
