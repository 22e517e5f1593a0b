//! The broker that `run` and `demo` bring along: everything in one process, or agents nearby.
//!
//! It keeps nothing on disk and may forget everything: the delivery protocol does not mind. Rights are those of the
//! protocol: an agent writes its data and state, reads what is stored, its configuration and the hub's words, and
//! nothing else, under its own client id; the hub has the whole network.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use mqtt5::broker::config::{BrokerConfig, StorageBackend, StorageConfig};
use mqtt5::broker::{AuthProvider, AuthResult, MqttBroker};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;

use crate::config::secret::Secret;
use crate::model::{NetworkId, SiteId};
use crate::runtime::tasks::Shutdown;
use crate::wire::topic::{Channel, Parsed, Topics};

/// Connections besides those of the known users: old ones that have not ended yet.
const SPARE_CLIENTS: usize = 32;
/// Above a batch with its properties, and an agent's part of the inventory.
const PACKET_BYTES_MAX: usize = 512 * 1024;
/// What waits for a client that is slow: more than a window of batches of every agent of a region at its usual size.
const QUEUED_MESSAGES_MAX: usize = 4096;
const QUEUED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Under way from one client.
const RECEIVE_MAXIMUM: u16 = 64;
/// No agent makes this many a second; one that floods is held back, for itself.
const MESSAGES_PER_SECOND_MAX: u32 = 500;
/// Connections have this long to end.
const STOP: Duration = Duration::from_secs(3);

/// Who may connect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    Hub,
    Agent(SiteId),
}

impl User {
    /// The name to log in with: `hub`, or `agent-<site>`, so that a site may be called hub.
    pub fn name(&self) -> String {
        match self {
            Self::Hub => "hub".to_owned(),
            Self::Agent(site) => format!("agent-{site}"),
        }
    }

    fn client_ids(&self, network: &NetworkId) -> Vec<String> {
        match self {
            Self::Hub => vec![super::hub_client_id(network), super::incidents_client_id(network)],
            Self::Agent(site) => vec![super::agent_client_id(network, site)],
        }
    }
}

/// A broker with an open port.
pub struct Broker {
    broker: MqttBroker,
    addr: SocketAddr,
}

impl Broker {
    /// Opens the port; 0 takes a free one. Only loopback addresses are accepted, for this broker has no TLS.
    pub async fn bind(listen: SocketAddr, network: &NetworkId, users: BTreeMap<User, Secret>) -> anyhow::Result<Self> {
        anyhow::ensure!(
            listen.ip().is_loopback(),
            "the embedded broker listens on loopback addresses only, not on {listen}: use a broker with TLS"
        );
        let storage = StorageConfig::new()
            .with_backend(StorageBackend::Memory)
            .with_max_queued_messages_per_client(QUEUED_MESSAGES_MAX)
            .with_max_queued_bytes_per_client(QUEUED_BYTES_MAX);
        let mut config = BrokerConfig::new()
            .with_bind_address(listen)
            .with_max_clients(users.len() + SPARE_CLIENTS)
            .with_max_packet_size(PACKET_BYTES_MAX)
            .with_session_expiry(Duration::ZERO)
            .with_maximum_qos(1)
            .with_server_receive_maximum(RECEIVE_MAXIMUM)
            .with_sys_topics_enabled(false)
            .with_storage(storage);
        config.topic_alias_maximum = 0;
        config.max_message_rate_per_client = MESSAGES_PER_SECOND_MAX;
        let rights = Rights::new(network, users);
        let broker = MqttBroker::with_config(config)
            .await
            .with_context(|| format!("the embedded broker on {listen}"))?
            .with_auth_provider(Arc::new(rights));
        let addr = broker.local_addr().with_context(|| format!("the embedded broker on {listen} has no address"))?;
        Ok(Self { broker, addr })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until the process stops.
    pub async fn run(mut self, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let stop = self.broker.shutdown_handle();
        let serve = self.broker.run();
        tokio::pin!(serve);
        tokio::select! {
            ended = &mut serve => return ended.context("the embedded broker"),
            () = shutdown.wait() => stop.shutdown(),
        }
        // What it does not finish in time ends with the process.
        let _ = tokio::time::timeout(STOP, serve).await;
        Ok(())
    }
}

/// Passwords and rights.
struct Rights {
    topics: Topics,
    users: BTreeMap<String, (User, Secret, Vec<String>)>,
}

impl Rights {
    fn new(network: &NetworkId, users: BTreeMap<User, Secret>) -> Self {
        let entry = |(user, password): (User, Secret)| {
            let client_ids = user.client_ids(network);
            (user.name(), (user, password, client_ids))
        };
        Self { topics: Topics::new(network), users: users.into_iter().map(entry).collect() }
    }

    fn check(&self, name: Option<&str>, password: Option<&[u8]>, client_id: &str) -> Result<String, ReasonCode> {
        let known = name.and_then(|name| self.users.get_key_value(name));
        let Some((name, (_, secret, wanted_ids))) = known else { return Err(ReasonCode::BadUsernameOrPassword) };
        if !same(secret.expose().as_bytes(), password.unwrap_or_default()) {
            return Err(ReasonCode::BadUsernameOrPassword);
        }
        // A client of another's id would end the other's connection.
        if wanted_ids.iter().any(|id| id == client_id) {
            Ok(name.clone())
        } else {
            Err(ReasonCode::ClientIdentifierNotValid)
        }
    }

    fn user(&self, name: Option<&str>) -> Option<&User> {
        self.users.get(name?).map(|(user, _, _)| user)
    }

    fn may_publish(&self, name: Option<&str>, topic: &str) -> bool {
        match (self.user(name), self.topics.parse(topic)) {
            (Some(User::Hub), _) => topic.starts_with(self.topics.everything().trim_end_matches('#')),
            (Some(User::Agent(site)), Some(Parsed::Agent(agent, channel))) => {
                agent == site.as_str() && matches!(channel, Channel::Data | Channel::State)
            }
            _ => false,
        }
    }

    fn may_subscribe(&self, name: Option<&str>, filter: &str) -> bool {
        match (self.user(name), self.topics.parse(filter)) {
            (Some(User::Hub), _) => filter.starts_with(self.topics.everything().trim_end_matches('#')),
            (Some(User::Agent(site)), Some(Parsed::Agent(agent, channel))) => {
                agent == site.as_str() && matches!(channel, Channel::Stored | Channel::Config)
            }
            (Some(User::Agent(_)), Some(Parsed::HubState)) => true,
            (Some(User::Agent(_)), None) | (None, _) => false,
        }
    }
}

/// Compares in a time that does not depend on where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}

impl AuthProvider for Rights {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _client_addr: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = mqtt5::error::Result<AuthResult>> + Send + 'a>> {
        let checked = self.check(connect.username.as_deref(), connect.password.as_deref(), &connect.client_id);
        Box::pin(async move {
            Ok(match checked {
                Ok(name) => AuthResult::success_with_user(name),
                Err(code) => AuthResult::fail(code),
            })
        })
    }

    fn authorize_publish<'a>(
        &'a self,
        _client_id: &str,
        user_id: Option<&'a str>,
        topic: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move { self.may_publish(user_id, topic) })
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _client_id: &str,
        user_id: Option<&'a str>,
        topic_filter: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move { self.may_subscribe(user_id, topic_filter) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str) -> SiteId {
        SiteId::parse(name).unwrap()
    }

    fn rights() -> Rights {
        let users = [
            (User::Hub, Secret::new("h")),
            (User::Agent(site("murazzano")), Secret::new("m")),
            (User::Agent(site("hub")), Secret::new("x")),
        ];
        Rights::new(&NetworkId::parse("n").unwrap(), users.into_iter().collect())
    }

    #[test]
    fn an_agent_can_only_be_itself() {
        let rights = rights();
        let hub_id = crate::mqtt::hub_client_id(&NetworkId::parse("n").unwrap());
        let check = |name, password: &[u8], id: &str| rights.check(Some(name), Some(password), id);
        assert_eq!(check("agent-murazzano", b"m", "vedetta-n-murazzano").unwrap(), "agent-murazzano");
        assert_eq!(check("hub", b"h", &hub_id).unwrap(), "hub");
        assert_eq!(check("hub", b"h", "vedetta-n-_hub-incidents").unwrap(), "hub");
        assert_eq!(check("agent-murazzano", b"h", "vedetta-n-murazzano"), Err(ReasonCode::BadUsernameOrPassword));
        assert_eq!(check("agent-murazzano", b"", "vedetta-n-murazzano"), Err(ReasonCode::BadUsernameOrPassword));
        assert_eq!(check("nobody", b"m", "vedetta-n-murazzano"), Err(ReasonCode::BadUsernameOrPassword));
        assert_eq!(rights.check(None, None, "x"), Err(ReasonCode::BadUsernameOrPassword));
        assert_eq!(check("agent-murazzano", b"m", &hub_id), Err(ReasonCode::ClientIdentifierNotValid));
        assert_eq!(check("agent-hub", b"x", &hub_id), Err(ReasonCode::ClientIdentifierNotValid));
    }

    #[test]
    fn rights_are_those_of_the_protocol() {
        let rights = rights();
        let agent = Some("agent-murazzano");
        let publish = |user, topic: &str| rights.may_publish(user, &format!("vedetta/v1/n/{topic}"));
        let subscribe = |user, topic: &str| rights.may_subscribe(user, &format!("vedetta/v1/n/{topic}"));
        for topic in ["murazzano/data", "murazzano/state"] {
            assert!(publish(agent, topic) && !subscribe(agent, topic), "{topic}");
        }
        for topic in ["murazzano/stored", "murazzano/config", "_hub/state"] {
            assert!(!publish(agent, topic) && subscribe(agent, topic), "{topic}");
        }
        for topic in ["bossolasco/data", "bossolasco/stored", "#", "+/stored", "+/+", "murazzano/#", "murazzano/+"] {
            assert!(!publish(agent, topic) && !subscribe(agent, topic), "{topic}");
        }
        // Incidents are nothing that an agent needs to know.
        for topic in ["_hub/#", "_hub/+", "_hub/incidents/#", "_hub/incidents/langhenet/VED-1"] {
            assert!(!publish(agent, topic) && !subscribe(agent, topic), "{topic}");
        }
        for topic in ["murazzano/data", "+/data", "_hub/state", "#"] {
            assert!(publish(Some("hub"), topic) && subscribe(Some("hub"), topic), "{topic}");
            assert!(!publish(None, topic) && !subscribe(None, topic), "{topic}");
        }
        for topic in ["#", "vedetta/v1/other/murazzano/data", "$SYS/#", "vedetta/v1/n2/a/data"] {
            assert!(!rights.may_subscribe(Some("hub"), topic) && !rights.may_publish(Some("hub"), topic), "{topic}");
        }
        // A shared subscription would take batches away from the hub.
        assert!(!subscribe(agent, "$share/x/vedetta/v1/n/murazzano/data"));
    }

    #[tokio::test]
    async fn it_listens_on_loopback_only() {
        let network = NetworkId::parse("n").unwrap();
        let refused = Broker::bind("0.0.0.0:0".parse().unwrap(), &network, BTreeMap::new()).await;
        assert!(refused.is_err());
        let broker = Broker::bind("127.0.0.1:0".parse().unwrap(), &network, BTreeMap::new()).await.unwrap();
        assert_ne!(broker.addr().port(), 0);
    }
}
