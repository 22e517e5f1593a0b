//! ICMP echo.

use std::net::IpAddr;
use std::time::Duration;

/// The answers of one round of echoes to one address.
#[derive(Debug, Clone, PartialEq)]
pub struct PingRound {
    pub sent: u8,
    /// Round-trip time of each answer, milliseconds, in order of arrival.
    pub rtt_ms: Vec<f64>,
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
