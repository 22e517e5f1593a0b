//! What the tests against real servers share: free ports, waiting for a state, servers that end with their test, a
//! store in memory. A server that is missing fails the test, and the message says what to install.
#![allow(dead_code, reason = "each test binary uses a part of it")]

#[cfg(feature = "hub")]
pub mod memory;
#[cfg(feature = "hub")]
pub mod rig;

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use vedetta::config::secret::{Secret, SecretError, SecretSource};
use vedetta::model::network::SecretRef;

/// Nothing takes so long; only a failing test waits for it.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// One step is what a killed process needs to come back and be heard: some fifty synchronisations, each of which takes
/// seconds on a disk that others load.
pub const STANDSTILL: Duration = Duration::from_mins(3);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A TCP port of loopback that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A UDP port of loopback that was free a moment ago.
pub fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits for a state; what never comes is a failure that names it.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for this: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Waits for a state that comes by steps, on a slow disk in its own time: it fails once nothing of what `look` says so
/// far (`Err`) has changed for [`STANDSTILL`].
pub fn wait_while_it_moves<T, P: PartialEq + std::fmt::Debug>(what: &str, mut look: impl FnMut() -> Result<T, P>) -> T {
    let (mut moved, mut last) = (Instant::now(), None);
    loop {
        match look() {
            Ok(found) => return found,
            Err(so_far) if last.as_ref() != Some(&so_far) => (moved, last) = (Instant::now(), Some(so_far)),
            Err(so_far) => {
                assert!(moved.elapsed() < STANDSTILL, "nothing has moved for {STANDSTILL:?}, at {so_far:?}: {what}");
            }
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Waits until something is so, and lets other tasks run.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for this: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The seed of the run, printed for whoever wants to repeat it.
pub fn seed() -> u64 {
    let seed = std::env::var("VEDETTA_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random);
    println!("seed: VEDETTA_SEED={seed}");
    seed
}

/// A process that is killed at the latest when its test ends.
pub struct Server(Child);

impl Server {
    /// Says nothing, hears nothing.
    pub fn silent(package: &str, command: &mut Command) -> Self {
        Self::start(package, command.stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// With the outputs that `command` names; `package` is Debian's.
    pub fn start(package: &str, command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|e| panic!("{command:?}: {e}; apt-get install {package}")))
    }

    /// Waits until it listens on a TCP port; `log` tells why it does not.
    pub fn listening(mut self, at: impl Into<SocketAddr>, log: impl Fn() -> String) -> Self {
        let (at, started) = (at.into(), Instant::now());
        while TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_err() {
            let waits = self.0.try_wait().unwrap().is_none() && started.elapsed() < PATIENCE;
            assert!(waits, "it does not listen on {at}: {}", log());
            std::thread::sleep(LOOK_EVERY);
        }
        self
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub fn signal(&self, name: &str) {
        let told = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status().unwrap();
        assert!(told.success(), "kill -{name}");
    }

    /// As Ctrl-C.
    pub fn interrupt(&mut self) -> ExitStatus {
        self.signal("INT");
        wait_for("the process to end", || self.0.try_wait().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already needs no killing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where Debian puts a daemon, which need not be on everybody's PATH.
pub fn daemon(name: &str, package: &str) -> PathBuf {
    let found = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"].into_iter().map(|dir| Path::new(dir).join(name));
    found.into_iter().find(|p| p.exists()).unwrap_or_else(|| panic!("{name} is missing; apt-get install {package}"))
}

/// Debian's mosquitto, killed and started again on its port, without a memory.
pub struct Mosquitto {
    pub addr: SocketAddr,
    dir: tempfile::TempDir,
    server: Option<Server>,
}

impl Mosquitto {
    /// For everybody on loopback.
    pub fn open() -> Self {
        Self::with("allow_anonymous true\n", None)
    }

    /// `listener` are lines for the listener.
    pub fn with(listener: &str, dir: Option<tempfile::TempDir>) -> Self {
        Self::at(([127, 0, 0, 1], free_port()).into(), listener, dir)
    }

    pub fn at(addr: SocketAddr, listener: &str, dir: Option<tempfile::TempDir>) -> Self {
        Self::by(addr, &format!("persistence false\nlistener {} {}\n{listener}\n", addr.port(), addr.ip()), dir)
    }

    /// By a whole file, which must make it listen at `addr`.
    pub fn by(addr: SocketAddr, config: &str, dir: Option<tempfile::TempDir>) -> Self {
        let dir = dir.unwrap_or_else(|| tempfile::tempdir().unwrap());
        // Started by root, mosquitto becomes another user, who cannot read a test's directory.
        std::fs::write(dir.path().join("mosquitto.conf"), format!("user root\n{config}")).unwrap();
        let mut mosquitto = Self { addr, dir, server: None };
        mosquitto.restart();
        mosquitto
    }

    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// With nothing of what it knew.
    pub fn restart(&mut self) {
        self.kill();
        let log_file = self.dir.path().join("log");
        let log = std::fs::File::create(&log_file).unwrap();
        let mut command = Command::new(daemon("mosquitto", "mosquitto"));
        command.arg("-c").arg(self.dir.path().join("mosquitto.conf"));
        command.stdout(Stdio::from(log.try_clone().unwrap())).stderr(Stdio::from(log));
        let server = Server::start("mosquitto", &mut command);
        self.server = Some(server.listening(self.addr, || std::fs::read_to_string(&log_file).unwrap_or_default()));
    }

    /// What it has said since it was started.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Lets it neither read nor write, nor end: SIGSTOP.
    pub fn signal(&self, name: &str) {
        self.server.as_ref().expect("a broker that runs").signal(name);
    }
}

/// Debian's victoria-metrics, which takes `/api/v2/write`. It listens when it has started; who writes to it waits.
pub fn victoria_metrics(port: u16, dir: &Path, more: &[String]) -> Server {
    let mut command = Command::new("victoria-metrics");
    command
        .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
        .arg(format!("-storageDataPath={}", dir.join("victoria").display()))
        .args(["-retentionPeriod=100y", "-loggerLevel=ERROR"])
        .args(more)
        .stdout(Stdio::null());
    Server::start("victoria-metrics", &mut command)
}

/// Debian's Python, which has Debian's aiosmtpd.
pub const PYTHON: &str = "/usr/bin/python3";

fn smtp(port: u16, arguments: &[&str]) -> Server {
    let server = Server::silent("python3-aiosmtpd", Command::new(PYTHON).args(arguments));
    server.listening(([127, 0, 0, 1], port), || "install python3-aiosmtpd".to_owned())
}

/// Debian's SMTP server as it comes, storing into a maildir.
pub fn aiosmtpd(port: u16, maildir: &Path, tls: &[&str]) -> Server {
    let listen = format!("127.0.0.1:{port}");
    let mut arguments = vec!["-m", "aiosmtpd", "-n", "-l", &listen, "-c", "aiosmtpd.handlers.Mailbox"];
    arguments.extend(tls);
    arguments.push(maildir.to_str().unwrap());
    smtp(port, &arguments)
}

/// The script beside this file: an SMTP server that asks for a login and refuses.
pub fn strict_smtp(port: u16, maildir: &Path, login: &[&str]) -> Server {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/smtp_server.py");
    let port_text = port.to_string();
    let mut arguments = vec![script.to_str().unwrap(), &port_text, maildir.to_str().unwrap()];
    arguments.extend(login);
    smtp(port, &arguments)
}

/// One secret for whoever asks.
pub struct OneSecret(pub &'static str);

impl SecretSource for OneSecret {
    fn read(&self, _: &SecretRef) -> Result<Secret, SecretError> {
        Ok(Secret::new(self.0))
    }
}
