//! ICMP echo: what a round of echoes says, and the sender of real ones.
//!
//! [`SurgePinger`] runs on a thread and runtime of its own, for round-trip times are taken in user space: on the
//! runtime that polls radios a busy moment would read as a slow network. It keeps at most [`IN_FLIGHT_MAX`] echoes
//! unanswered, for what overflows a socket's receive buffer would read as packet loss.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence, SurgeError};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

/// Echoes without an answer yet, all targets together: 200 lost nothing in 20,000 on a default receive buffer.
const IN_FLIGHT_MAX: usize = 200;
/// Share of the window that one echo on a raw socket takes: such a socket receives every ICMP packet of the machine.
const RAW_WEIGHT: u32 = 3;
/// Rounds under way at once; further ones wait in the channel, then in their callers.
const ROUNDS_MAX: usize = 256;
/// Pause between the echoes of one round, so that one full queue on the way does not swallow the whole round.
const ECHO_GAP: Duration = Duration::from_millis(20);
/// Longest wait for one answer.
const TIMEOUT_MAX: Duration = Duration::from_mins(1);
/// Bytes asked for the receive buffer; the kernel grants at most `net.core.rmem_max`.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;
/// Bytes after the ICMP header: those of the classic `ping`.
const PAYLOAD: [u8; 56] = [0; 56];

/// The answers of one round of echoes to one address.
#[derive(Debug, Clone, PartialEq)]
pub struct PingRound {
    pub sent: u8,
    /// Round-trip time of each answer, milliseconds, in order of arrival.
    pub rtt_ms: Vec<f64>,
}

impl PingRound {
    /// Echoes without an answer, percent of those sent; `None` where none was sent.
    pub fn loss_percent(&self) -> Option<f64> {
        let sent = usize::from(self.sent);
        let lost = sent.saturating_sub(self.rtt_ms.len());
        (sent > 0).then(|| 100.0 * lost as f64 / sent as f64)
    }

    /// Median round-trip time, milliseconds; `None` where nothing was answered. Of an even number of answers, the
    /// mean of the two in the middle.
    pub fn rtt_ms_median(&self) -> Option<f64> {
        let mut sorted = self.rtt_ms.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        if sorted.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(sorted[middle - 1], upper)) }
    }

    /// Slowest minus fastest answer, milliseconds; `None` where nothing was answered.
    pub fn rtt_ms_spread(&self) -> Option<f64> {
        let slowest = self.rtt_ms.iter().copied().reduce(f64::max)?;
        let fastest = self.rtt_ms.iter().copied().reduce(f64::min)?;
        Some(slowest - fastest)
    }
}

/// Why no echo could be sent at all. That is not loss.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PingError {
    #[error(
        "ICMP is not allowed here: let this user open unprivileged ICMP sockets \
         (sysctl net.ipv4.ping_group_range) or give the program CAP_NET_RAW"
    )]
    NotAllowed,
    #[error("no route to {0}")]
    Unreachable(IpAddr),
    #[error("ICMP to {address}: {reason}")]
    Socket { address: IpAddr, reason: String },
}

/// Sends echoes. The second implementation is the demo's: loopback always answers, so the scenario must.
pub trait Pinger: Send + Sync {
    /// Sends `count` echoes and waits at most `timeout` for each answer.
    fn round(
        &self,
        target: IpAddr,
        count: u8,
        timeout: Duration,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<PingRound, PingError>> + Send + '_>>;
}

/// Real ICMP, IPv4 and IPv6, on an unprivileged socket where the system allows it, else on a raw one.
///
/// Sockets are opened when an address of their family is first pinged; one that was refused is tried again at the
/// next round, for an administrator may have allowed it meanwhile.
pub struct SurgePinger {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Request {
    target: IpAddr,
    count: u8,
    timeout: Duration,
    reply: oneshot::Sender<Result<PingRound, PingError>>,
}

impl SurgePinger {
    /// Starts the thread; it ends when the pinger is dropped. Fails where the system gives no thread or runtime.
    pub fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (requests, queue) = mpsc::channel(ROUNDS_MAX);
        let thread =
            std::thread::Builder::new().name("ping".into()).spawn(move || runtime.block_on(serve_rounds(queue)))?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }
}

impl Drop for SurgePinger {
    fn drop(&mut self) {
        // The closed channel is what tells the thread to end; it drops its rounds and does not wait for answers.
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the ping thread died");
        }
    }
}

impl Pinger for SurgePinger {
    fn round(
        &self,
        target: IpAddr,
        count: u8,
        timeout: Duration,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<PingRound, PingError>> + Send + '_>> {
        Box::pin(async move {
            let gone = || PingError::Socket { address: target, reason: "the ping thread has ended".into() };
            let (reply, answer) = oneshot::channel();
            let requests = self.requests.as_ref().ok_or_else(gone)?;
            requests.send(Request { target, count, timeout, reply }).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        })
    }
}

async fn serve_rounds(mut queue: mpsc::Receiver<Request>) {
    let sockets = Arc::new(Sockets::new());
    let mut rounds = JoinSet::new();
    loop {
        tokio::select! {
            request = queue.recv(), if rounds.len() < ROUNDS_MAX => match request {
                Some(request) => {
                    let sockets = Arc::clone(&sockets);
                    rounds.spawn(async move { serve_round(&sockets, request).await });
                }
                None => return,
            },
            Some(ended) = rounds.join_next() => {
                if let Err(panic) = ended {
                    tracing::error!(%panic, "a round of echoes died");
                }
            }
        }
    }
}

/// Runs a round for as long as somebody waits for it.
async fn serve_round(sockets: &Sockets, request: Request) {
    let Request { target, count, timeout, mut reply } = request;
    let answer = tokio::select! {
        () = reply.closed() => return,
        answer = sockets.round(target, count, timeout.min(TIMEOUT_MAX)) => answer,
    };
    // The caller may have left a moment ago: nobody misses this answer.
    let _ = reply.send(answer);
}

/// One socket for each family, and what all echoes of the process share.
struct Sockets {
    open: Mutex<BTreeMap<bool, Client>>,
    /// Of the whole process: an unprivileged socket's identifier is the kernel's, so only (address, sequence number)
    /// tells two echoes apart.
    sequence: AtomicU16,
    identifier: PingIdentifier,
    window: Semaphore,
}

impl Sockets {
    fn new() -> Self {
        // Raw sockets of two pingers see each other's answers: each instance has its own identifier.
        static INSTANCES: AtomicU16 = AtomicU16::new(0);
        let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
        Self {
            open: Mutex::default(),
            sequence: AtomicU16::new(0),
            identifier: PingIdentifier((std::process::id() as u16).wrapping_add(instance.rotate_left(8))),
            window: Semaphore::new(IN_FLIGHT_MAX),
        }
    }

    fn client(&self, target: IpAddr) -> Result<Client, PingError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = open.get(&target.is_ipv6()) {
            return Ok(client.clone());
        }
        let kind = if target.is_ipv6() { ICMP::V6 } else { ICMP::V4 };
        let client = Client::new(&Config::builder().kind(kind).build()).map_err(|e| open_error(target, &e))?;
        if let Err(error) = raise_receive_buffer(&client) {
            tracing::debug!(%error, "the ICMP socket keeps its default receive buffer");
        }
        open.insert(target.is_ipv6(), client.clone());
        Ok(client)
    }

    async fn round(&self, target: IpAddr, count: u8, timeout: Duration) -> Result<PingRound, PingError> {
        let client = self.client(target)?;
        let echoes: FuturesUnordered<_> =
            (0..count).map(|i| self.echo(&client, target, ECHO_GAP * u32::from(i), timeout)).collect();
        let outcomes: Vec<Echo> = echoes.collect().await;
        judge(target, outcomes)
    }

    /// Sends one echo after `delay` and waits for its answer.
    async fn echo(&self, client: &Client, target: IpAddr, delay: Duration, timeout: Duration) -> Echo {
        tokio::time::sleep(delay).await;
        let raw = client.get_socket().get_type() == socket2::Type::RAW;
        let Ok(_permit) = self.window.acquire_many(if raw { RAW_WEIGHT } else { 1 }).await else {
            return Echo::Lost; // A semaphore that nobody closes does not get here.
        };
        let mut pinger = client.pinger(target, self.identifier).await;
        pinger.timeout(timeout);
        loop {
            let sequence = PingSequence(self.sequence.fetch_add(1, Ordering::Relaxed));
            match pinger.ping(sequence, &PAYLOAD).await {
                Ok((packet, rtt)) if is_echo_reply(&packet) => return Echo::Answered(rtt.as_secs_f64() * 1000.0),
                // A router's "destination unreachable" and its like: the echo is lost, and known to be.
                Ok(_) | Err(SurgeError::Timeout { .. } | SurgeError::NetworkError) => return Echo::Lost,
                // The numbers went round while an echo with this one still waits: take the next.
                Err(SurgeError::IdenticalRequests { .. }) => {}
                Err(SurgeError::IOError(e)) => return Echo::NotSent(send_error(target, &e)),
                Err(e) => return Echo::NotSent(PingError::Socket { address: target, reason: e.to_string() }),
            }
        }
    }
}

enum Echo {
    /// Round-trip time, milliseconds.
    Answered(f64),
    Lost,
    NotSent(PingError),
}

/// The round that these echoes make; an error where not one could be sent.
fn judge(target: IpAddr, outcomes: Vec<Echo>) -> Result<PingRound, PingError> {
    let mut round = PingRound { sent: 0, rtt_ms: Vec::new() };
    let mut error = None;
    for outcome in outcomes {
        match outcome {
            Echo::Answered(rtt_ms) => {
                round.sent += 1;
                round.rtt_ms.push(rtt_ms);
            }
            Echo::Lost => round.sent += 1,
            Echo::NotSent(e) => error = Some(e),
        }
    }
    match error {
        Some(e) if round.sent == 0 => Err(e),
        Some(error) => {
            tracing::debug!(%target, %error, "some echoes of a round could not be sent");
            Ok(round)
        }
        None => Ok(round),
    }
}

/// Echo reply: ICMP type 0 (RFC 792), ICMPv6 type 129 (RFC 4443).
fn is_echo_reply(packet: &IcmpPacket) -> bool {
    match packet {
        IcmpPacket::V4(packet) => packet.get_icmp_type().0 == 0,
        IcmpPacket::V6(packet) => packet.get_icmpv6_type().0 == 129,
    }
}

/// What a socket that could not be opened means.
fn open_error(target: IpAddr, error: &io::Error) -> PingError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => PingError::NotAllowed,
        _ => PingError::Socket { address: target, reason: error.to_string() },
    }
}

/// What an echo that could not be sent means. A refusal here is a firewall's or a route's, not the socket's.
fn send_error(target: IpAddr, error: &io::Error) -> PingError {
    match error.kind() {
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => PingError::Unreachable(target),
        _ => PingError::Socket { address: target, reason: error.to_string() },
    }
}

/// Asks for a larger receive buffer, and returns what was granted, bytes.
///
/// surge-ping gives out its socket as a bare number only, and turning that into a socket again is `unsafe`; the
/// kernel hands out a second descriptor of the same socket by number (`pidfd_getfd`, Linux 5.6).
#[cfg(target_os = "linux")]
fn raise_receive_buffer(client: &Client) -> io::Result<usize> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let this_process = pidfd_open(getpid(), PidfdFlags::empty())?;
    let socket = pidfd_getfd(&this_process, client.get_socket().get_native_sock(), PidfdGetfdFlags::empty())?;
    let socket = socket2::SockRef::from(&socket);
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.recv_buffer_size()
}

#[cfg(not(target_os = "linux"))]
fn raise_receive_buffer(_client: &Client) -> io::Result<usize> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(sent: u8, rtt_ms: &[f64]) -> PingRound {
        PingRound { sent, rtt_ms: rtt_ms.to_vec() }
    }

    #[test]
    fn loss_counts_what_was_not_answered() {
        let check = |sent, answered: usize, expected| {
            assert_eq!(round(sent, &vec![1.0; answered]).loss_percent(), expected);
        };
        check(0, 0, None);
        check(5, 5, Some(0.0));
        check(5, 4, Some(20.0));
        check(4, 1, Some(75.0));
        check(3, 0, Some(100.0));
    }

    #[test]
    fn median_and_spread_of_hand_computed_rounds() {
        let check = |rtt_ms: &[f64], median, spread| {
            let round = round(10, rtt_ms);
            assert_eq!(round.rtt_ms_median(), median, "median of {rtt_ms:?}");
            assert_eq!(round.rtt_ms_spread(), spread, "spread of {rtt_ms:?}");
        };
        check(&[], None, None);
        check(&[7.5], Some(7.5), Some(0.0));
        check(&[3.0, 1.0], Some(2.0), Some(2.0));
        check(&[9.0, 1.0, 2.0], Some(2.0), Some(8.0));
        check(&[4.0, 100.0, 1.0, 2.0], Some(3.0), Some(99.0));
    }

    proptest::proptest! {
        /// Oracle by counting, without sorting: as many answers lie below the median as above it.
        #[test]
        fn the_median_halves_the_answers(rtt_ms in proptest::collection::vec(0.0_f64..5000.0, 1..40)) {
            let median = round(255, &rtt_ms).rtt_ms_median().expect("not empty");
            let below = rtt_ms.iter().filter(|r| **r < median).count();
            let above = rtt_ms.iter().filter(|r| **r > median).count();
            proptest::prop_assert!(below <= rtt_ms.len() / 2 && above <= rtt_ms.len() / 2);
        }
    }

    #[test]
    fn a_refused_socket_says_what_to_do() {
        let target: IpAddr = "192.0.2.1".parse().expect("an address");
        let error = open_error(target, &io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(error, PingError::NotAllowed);
        assert!(error.to_string().contains("net.ipv4.ping_group_range"));
        assert!(error.to_string().contains("CAP_NET_RAW"));
        let other = open_error(target, &io::Error::from(io::ErrorKind::Unsupported));
        assert!(matches!(other, PingError::Socket { .. }));
    }

    #[test]
    fn an_echo_that_cannot_be_sent_is_no_loss() {
        let target: IpAddr = "2001:db8::1".parse().expect("an address");
        let unreachable = || send_error(target, &io::Error::from(io::ErrorKind::NetworkUnreachable));
        assert_eq!(unreachable(), PingError::Unreachable(target));
        // A firewall that refuses is not a missing capability.
        let refused = send_error(target, &io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(matches!(refused, PingError::Socket { .. }));

        let all_failed = judge(target, vec![Echo::NotSent(unreachable()), Echo::NotSent(unreachable())]);
        assert_eq!(all_failed, Err(PingError::Unreachable(target)));
        let some = judge(target, vec![Echo::NotSent(unreachable()), Echo::Lost, Echo::Answered(2.0)]);
        assert_eq!(some, Ok(round(2, &[2.0])));
        assert_eq!(judge(target, Vec::new()), Ok(round(0, &[])));
    }
}
