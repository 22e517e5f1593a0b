//! A way to the embedded broker that can be cut: what a demonstration needs to show an outage.
//!
//! A plain TCP relay for one agent. While it is cut, connections under way end and new ones are closed at once, as a
//! dead radio link looks to MQTT. Nothing is simulated in the protocol itself: agent, broker and hub are the real ones.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::model::SiteId;
use crate::runtime::tasks::Shutdown;

/// Connections at once through one gate; an agent has one, and may have another for a moment.
const CONNECTIONS_MAX: usize = 8;

/// Sites whose agents have no way to the broker.
pub type CutOff = watch::Receiver<BTreeSet<SiteId>>;

/// A gate with an open port.
pub struct Gate {
    listener: TcpListener,
    site: SiteId,
    broker: SocketAddr,
    cut: CutOff,
}

impl Gate {
    /// Opens a free loopback port for one site's agent.
    pub async fn bind(site: SiteId, broker: SocketAddr, cut: CutOff) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.with_context(|| format!("the gate of agent {site}"))?;
        Ok(Self { listener, site, broker, cut })
    }

    /// Where the agent connects to.
    pub fn addr(&self) -> anyhow::Result<SocketAddr> {
        self.listener.local_addr().with_context(|| format!("the gate of agent {}", self.site))
    }

    /// Relays until the process stops.
    pub async fn run(mut self, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.wait() => return Ok(()),
                accepted = self.listener.accept() => {
                    // An agent that gave up in between, or too many files: it tries again.
                    let Ok((agent, _)) = accepted else { continue };
                    if !self.is_cut() && connections.len() < CONNECTIONS_MAX {
                        connections.spawn(relay(agent, self.broker));
                    }
                }
                Ok(()) = self.cut.changed() => {
                    if self.is_cut() {
                        connections.abort_all();
                    }
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
    }

    fn is_cut(&self) -> bool {
        self.cut.borrow().contains(&self.site)
    }
}

async fn relay(mut agent: TcpStream, broker: SocketAddr) {
    // Whichever side ends, the other one notices; why is theirs to say.
    if let Ok(mut broker) = TcpStream::connect(broker).await {
        let _ = tokio::io::copy_bidirectional(&mut agent, &mut broker).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn echoes(stream: &mut TcpStream) -> bool {
        let mut byte = [7];
        stream.write_all(&byte).await.is_ok() && stream.read(&mut byte).await.is_ok_and(|n| n == 1)
    }

    #[tokio::test]
    async fn a_cut_ends_what_is_under_way_and_refuses_what_comes() {
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = echo.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let (mut one, _) = echo.accept().await.unwrap();
                let mut byte = [0];
                while one.read(&mut byte).await.is_ok_and(|n| n == 1) {
                    one.write_all(&byte).await.unwrap();
                }
            }
        });
        let site = SiteId::parse("murazzano").unwrap();
        let (switch, cut) = watch::channel(BTreeSet::new());
        let gate = Gate::bind(site.clone(), address, cut).await.unwrap();
        let way = gate.addr().unwrap();
        let (_stop, shutdown) = Shutdown::new();
        tasks.spawn(async move { gate.run(shutdown).await.unwrap() });

        let mut first = TcpStream::connect(way).await.unwrap();
        assert!(echoes(&mut first).await);
        switch.send_replace([site].into());
        let mut byte = [0];
        assert!(!first.read(&mut byte).await.is_ok_and(|n| n > 0));
        assert!(!echoes(&mut TcpStream::connect(way).await.unwrap()).await);
        switch.send_replace(BTreeSet::new());
        assert!(echoes(&mut TcpStream::connect(way).await.unwrap()).await);
    }
}
