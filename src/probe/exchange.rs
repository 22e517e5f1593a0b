//! How SNMP packets travel: one connected UDP socket for each exchange.
//!
//! Not one socket shared by all devices: with a socket of its own every stray datagram, wrong request id and refused
//! port belongs to exactly one radio and is counted there, the kernel drops what comes from any other address, and a
//! device that is not being asked costs no memory. Open sockets are as many as exchanges in flight: at most one a
//! device.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_snmp::message::V3Message;
use async_snmp::v3::classify_report;
use async_snmp::{Candidate, DecodeConfig, Error, RequestRegistration, ResponseIdentity, Transport};
use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// Largest answer accepted, bytes. A GET of ours is answered in one Ethernet frame; twice the frame of a jumbo-less
/// network with room for agents that fragment. One byte more than this is read, to see that an answer was larger.
const ANSWER_BYTES_MAX: usize = 4096;
/// Datagrams that are no answer, after which an exchange is given up: a radio that floods must not keep us reading.
const STRAYS_MAX: u64 = 32;

/// Packets of one device, counted since it is known.
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    timeouts: AtomicU64,
    malformed: AtomicU64,
    /// SNMPv3 Reports that are not authenticated: the crate does not act on them, for anybody could send them, but
    /// when nothing better comes they tell a refusal from silence.
    reports: AtomicU64,
}

/// A snapshot of [`Counters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets sent that ask for an answer, SNMPv3 discovery included.
    pub requests: u64,
    /// Of these, how many had no answer in time.
    pub timeouts: u64,
    /// Datagrams received that were no valid answer to what was asked.
    pub malformed: u64,
}

impl Counters {
    pub fn snapshot(&self) -> Counts {
        Counts {
            requests: self.requests.load(Ordering::Relaxed),
            timeouts: self.timeouts.load(Ordering::Relaxed),
            malformed: self.malformed.load(Ordering::Relaxed),
        }
    }

    pub fn reports(&self) -> u64 {
        self.reports.load(Ordering::Relaxed)
    }

    pub fn note_malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }
}

/// This machine has no socket to spare: too many open files, no free port. No device's fault.
#[derive(Debug, thiserror::Error)]
#[error("this machine has no socket to spare: {0}")]
pub struct NoSocket(#[from] std::io::Error);

/// The transport towards one device.
#[derive(Debug, Clone)]
pub struct Exchange {
    target: SocketAddr,
    counters: Arc<Counters>,
}

impl Exchange {
    pub fn new(target: SocketAddr, counters: Arc<Counters>) -> Self {
        Self { target, counters }
    }

    fn network(&self, source: std::io::Error) -> Error {
        Error::Network { target: self.target, source }
    }

    fn timed_out(&self, started: Instant) -> Error {
        self.counters.timeouts.fetch_add(1, Ordering::Relaxed);
        Error::Timeout { target: self.target, elapsed: started.elapsed(), retries: 0 }
    }

    async fn socket(&self) -> std::io::Result<UdpSocket> {
        let any: SocketAddr = match self.target {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await.map_err(|e| std::io::Error::new(e.kind(), NoSocket(e)))?;
        socket.connect(self.target).await?;
        Ok(socket)
    }
}

impl Transport for Exchange {
    async fn send(&self, data: &[u8]) -> async_snmp::Result<()> {
        let socket = self.socket().await.map_err(|e| self.network(e).boxed())?;
        socket.send(data).await.map_err(|e| self.network(e).boxed())?;
        Ok(())
    }

    async fn request_with<T, F>(
        &self,
        data: &[u8],
        registration: RequestRegistration,
        mut validate: F,
    ) -> async_snmp::Result<T>
    where
        T: Send,
        F: FnMut(Bytes, SocketAddr) -> async_snmp::Result<Candidate<T>> + Send,
    {
        let started = Instant::now();
        let deadline = registration.deadline();
        let socket = self.socket().await.map_err(|e| self.network(e).boxed())?;
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        match timeout_at(deadline, socket.send(data)).await {
            Err(_) => return Err(self.timed_out(started).boxed()),
            Ok(sent) => sent.map_err(|e| self.network(e).boxed())?,
        };
        let mut buffer = vec![0; ANSWER_BYTES_MAX + 1];
        for _ in 0..STRAYS_MAX {
            let size = match timeout_at(deadline, socket.recv(&mut buffer)).await {
                Err(_) => return Err(self.timed_out(started).boxed()),
                Ok(received) => received.map_err(|e| self.network(e).boxed())?,
            };
            let answer = &buffer[..size];
            if size <= ANSWER_BYTES_MAX
                && registration.evaluate_response_identity(answer, true) != ResponseIdentity::Reject
                && let Candidate::Accept(accepted) = validate(Bytes::copy_from_slice(answer), self.target)?
            {
                return Ok(accepted);
            }
            if is_report(answer) {
                self.counters.reports.fetch_add(1, Ordering::Relaxed);
            } else {
                self.counters.note_malformed();
            }
        }
        Err(Error::MalformedResponse { target: self.target }.boxed())
    }

    fn peer_addr(&self) -> SocketAddr {
        self.target
    }

    fn local_addr(&self) -> SocketAddr {
        // Each exchange has a port of its own; the crate only shows this address in logs.
        match self.target {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        }
    }

    fn is_reliable(&self) -> bool {
        false
    }
}

/// Whether this is a plain SNMPv3 Report: an unknown user, a wrong digest (RFC 3414, section 3.2).
fn is_report(datagram: &[u8]) -> bool {
    let message = V3Message::decode(Bytes::copy_from_slice(datagram), DecodeConfig::DEFAULT);
    message.is_ok_and(|message| message.value.pdu().is_some_and(|pdu| classify_report(pdu).is_ok()))
}
