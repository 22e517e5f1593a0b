//! Real ICMP: loopback, and addresses in network namespaces made for the purpose.
//!
//! Needs root, `ip` (iproute2) and `setpriv` (util-linux). The namespace tests start this same binary again inside a
//! fresh namespace, so that no address, route or setting of the machine changes.

use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use vedetta::probe::ping::{PingError, PingRound, Pinger, SurgePinger};

/// Set inside the namespace: which sockets the kernel allows there.
const INSIDE: &str = "VEDETTA_PING_INSIDE";
const SECOND: Duration = Duration::from_secs(1);

fn ping(target: &str, count: u8, timeout: Duration) -> Result<PingRound, PingError> {
    let target: IpAddr = target.parse().expect("an address");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let pinger = SurgePinger::start().expect("the ping thread starts");
    runtime.block_on(pinger.round(target, count, timeout))
}

fn answers(target: &str) {
    let round = ping(target, 4, SECOND).unwrap_or_else(|e| panic!("{target}: {e}"));
    assert_eq!((round.sent, round.rtt_ms.len()), (4, 4), "{target} answers every echo");
    let median = round.rtt_ms_median().expect("there are answers");
    assert!((0.0..1000.0).contains(&median), "{target}: median {median} ms");
    assert!(round.rtt_ms_spread().expect("there are answers") >= 0.0);
}

#[test]
fn loopback_answers_over_ipv4_and_ipv6() {
    answers("127.0.0.1");
    answers("127.38.27.11");
    answers("::1");
}

#[test]
fn many_targets_at_once_lose_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let pinger = std::sync::Arc::new(SurgePinger::start().expect("the ping thread starts"));
    let mut lost = 0;
    runtime.block_on(async {
        let mut rounds = tokio::task::JoinSet::new();
        for i in 0..1000_u32 {
            let pinger = std::sync::Arc::clone(&pinger);
            let target = IpAddr::from([127, 1, (i >> 8) as u8, i as u8]);
            rounds.spawn(async move { pinger.round(target, 3, 10 * SECOND).await });
        }
        while let Some(round) = rounds.join_next().await {
            let round = round.expect("no panic").expect("loopback can be pinged");
            assert_eq!(round.sent, 3);
            lost += usize::from(round.sent) - round.rtt_ms.len();
        }
    });
    assert_eq!(lost, 0, "of 3000 echoes");
}

#[test]
fn a_pinger_ends_at_once_when_dropped_with_rounds_under_way() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let pinger = SurgePinger::start().expect("the ping thread starts");
    runtime.block_on(async {
        // An address of the documentation range: whatever becomes of it, nobody waits for the answer.
        let round = pinger.round("192.0.2.1".parse().expect("an address"), 1, 30 * SECOND);
        drop(tokio::time::timeout(Duration::from_millis(50), round).await);
    });
    let before = Instant::now();
    drop(pinger);
    assert!(before.elapsed() < 5 * SECOND);
}

/// Runs `test` of this binary inside a fresh network namespace.
fn inside_namespace(test: &str, sockets: &str, ping_group_range: &str, before: &[&str]) {
    struct Namespace(String);
    impl Drop for Namespace {
        fn drop(&mut self) {
            let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
        }
    }
    let name = format!("vedetta-ping-{sockets}-{}", std::process::id());
    let made = Command::new("ip").args(["netns", "add", &name]).output().expect("`ip` is missing: install iproute2");
    assert!(
        made.status.success(),
        "cannot make a network namespace: run these tests as root ({})",
        String::from_utf8_lossy(&made.stderr).trim()
    );
    let namespace = Namespace(name);
    let binary = std::env::current_exe().expect("this binary");
    let script = format!(
        "set -e
        echo '{ping_group_range}' > /proc/sys/net/ipv4/ping_group_range
        ip link set lo up
        ip link add here type veth peer name there
        ip address add 198.51.100.1/24 dev here
        ip -6 address add 2001:db8::1/64 dev here nodad
        ip link set here up
        ip link set there up
        ip route add unreachable 203.0.113.7/32
        exec \"$@\""
    );
    let out = Command::new("ip")
        .args(["netns", "exec", &namespace.0, "sh", "-c", &script, "sh"])
        .args(before)
        .arg(binary)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, sockets)
        .output()
        .expect("`ip` was there a moment ago");
    assert!(
        out.status.success(),
        "inside the namespace:\n{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
}

fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// The other end of the cable has no address: nothing answers, and that is loss, not an error.
fn silence_is_loss_and_no_route_is_an_error() {
    answers("198.51.100.1");
    answers("2001:db8::1");
    for silent in ["198.51.100.2", "2001:db8::2"] {
        let before = Instant::now();
        let round = ping(silent, 2, Duration::from_millis(300)).expect("echoes can be sent");
        assert_eq!(round, PingRound { sent: 2, rtt_ms: vec![] }, "{silent}");
        assert_eq!(round.loss_percent(), Some(100.0));
        assert_eq!(round.rtt_ms_median(), None, "an echo that is lost has no time");
        assert!(before.elapsed() < 3 * SECOND);
    }
    // Neither a route that says so nor the lack of any route is loss.
    for (address, why) in [("203.0.113.7", "route"), ("192.0.2.1", "no route"), ("2001:db8:1::1", "no IPv6 route")] {
        let target = address.parse().expect("an address");
        assert_eq!(ping(address, 2, SECOND), Err(PingError::Unreachable(target)), "{why}");
    }
}

#[test]
fn with_an_unprivileged_socket() {
    if is_inside() {
        return silence_is_loss_and_no_route_is_an_error();
    }
    // No capability is left: only the kernel's permission for this group opens the socket.
    let drop_raw = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];
    inside_namespace("with_an_unprivileged_socket", "datagram", "0 2147483647", &drop_raw);
}

#[test]
fn with_a_raw_socket() {
    if is_inside() {
        return silence_is_loss_and_no_route_is_an_error();
    }
    inside_namespace("with_a_raw_socket", "raw", "1 0", &[]);
}

#[test]
fn with_neither_it_says_what_to_do() {
    if is_inside() {
        assert_eq!(ping("127.0.0.1", 1, SECOND), Err(PingError::NotAllowed));
        assert_eq!(ping("::1", 1, SECOND), Err(PingError::NotAllowed));
        return;
    }
    let drop_raw = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];
    inside_namespace("with_neither_it_says_what_to_do", "refused", "1 0", &drop_raw);
}
