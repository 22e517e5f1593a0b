//! Topic names: `vedetta/v1/<network>/<agent>/<channel>`, `vedetta/v1/<network>/_hub/state` and
//! `vedetta/v1/<network>/_hub/incidents/<operator>/<incident>`.
//!
//! `_hub` cannot be an agent's name, for identifiers have no underscore.

use crate::model::{NetworkId, SiteId, WispId};

/// First levels of every topic; the version changes when an old reader could misunderstand a new message.
pub const ROOT: &str = "vedetta/v1";

/// In the place of an operator's id, which has no underscore.
pub const UNION: &str = "_union";

/// What an agent's topic carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Batches of samples, from the agent.
    Data,
    /// Presence, retained, from the agent and as its last will.
    State,
    /// What is durable at the hub, retained, from the hub.
    Stored,
    /// The agent's part of the inventory, retained, from the hub.
    Config,
}

impl Channel {
    pub const ALL: [Self; 4] = [Self::Data, Self::State, Self::Stored, Self::Config];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::State => "state",
            Self::Stored => "stored",
            Self::Config => "config",
        }
    }
}

/// A topic of this network, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// The agent's name as text: it may be one that nobody knows, and need not be an identifier.
    Agent(&'a str, Channel),
    HubState,
}

/// The topics of one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// `vedetta/v1/<network>/`
    prefix: String,
}

impl Topics {
    pub fn new(network: &NetworkId) -> Self {
        Self { prefix: format!("{ROOT}/{network}/") }
    }

    pub fn agent(&self, agent: &SiteId, channel: Channel) -> String {
        format!("{}{agent}/{}", self.prefix, channel.as_str())
    }

    /// Filter for one channel of every agent.
    pub fn every_agent(&self, channel: Channel) -> String {
        format!("{}+/{}", self.prefix, channel.as_str())
    }

    pub fn hub_state(&self) -> String {
        format!("{}_hub/state", self.prefix)
    }

    /// What the hub tells of one incident, not retained; without an operator, or where it is not that one's business, as
    /// [`UNION`].
    pub fn incident(&self, wisp: Option<&WispId>, token: &str) -> String {
        format!("{}_hub/incidents/{}/{token}", self.prefix, wisp.map_or(UNION, WispId::as_str))
    }

    /// Filter for the whole network.
    pub fn everything(&self) -> String {
        format!("{}#", self.prefix)
    }

    /// `None`: not a topic of this network, or not one that this version knows.
    pub fn parse<'a>(&self, topic: &'a str) -> Option<Parsed<'a>> {
        let (agent, channel) = topic.strip_prefix(&self.prefix)?.split_once('/')?;
        if agent == "_hub" {
            return (channel == "state").then_some(Parsed::HubState);
        }
        let channel = Channel::ALL.into_iter().find(|c| c.as_str() == channel)?;
        Some(Parsed::Agent(agent, channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(topic: &str, expected: Option<Parsed<'_>>) {
        let topics = Topics::new(&NetworkId::parse("alta-langa").unwrap());
        assert_eq!(topics.parse(topic), expected, "{topic}");
    }

    #[test]
    fn topics_are_taken_apart() {
        check("vedetta/v1/alta-langa/bossolasco/data", Some(Parsed::Agent("bossolasco", Channel::Data)));
        check("vedetta/v1/alta-langa/bossolasco/stored", Some(Parsed::Agent("bossolasco", Channel::Stored)));
        check("vedetta/v1/alta-langa/_hub/state", Some(Parsed::HubState));
        check("vedetta/v1/alta-langa/NOBODY/data", Some(Parsed::Agent("NOBODY", Channel::Data)));
        check("vedetta/v1/alta-langa//data", Some(Parsed::Agent("", Channel::Data)));
        check("vedetta/v1/alta-langa/_hub/other", None);
        check("vedetta/v1/alta-langa/bossolasco/data/more", None);
        check("vedetta/v1/alta-langa2/bossolasco/data", None);
        check("vedetta/v2/alta-langa/bossolasco/data", None);
        check("", None);
    }

    #[test]
    fn what_is_written_is_read() {
        let topics = Topics::new(&NetworkId::parse("alta-langa").unwrap());
        let agent = SiteId::parse("murazzano").unwrap();
        for channel in Channel::ALL {
            assert_eq!(topics.parse(&topics.agent(&agent, channel)), Some(Parsed::Agent("murazzano", channel)));
        }
        assert_eq!(topics.parse(&topics.hub_state()), Some(Parsed::HubState));
        let wisp = WispId::parse("langhenet").unwrap();
        let incident = |wisp| topics.incident(wisp, "VED-7");
        assert_eq!(incident(Some(&wisp)), "vedetta/v1/alta-langa/_hub/incidents/langhenet/VED-7");
        assert_eq!(incident(None), "vedetta/v1/alta-langa/_hub/incidents/_union/VED-7");
        assert_eq!(topics.parse(&incident(None)), None);
    }
}
