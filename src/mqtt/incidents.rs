//! The topics of incidents: reports for whoever may read them, as JSON, QoS 1, not retained.
//!
//! A connection of its own, so that nothing here holds up the delivery of samples, with one publication under way at a
//! time: the acknowledgement that comes is that of the report that went, and only then does the queue forget it. A
//! broker that has nobody to give it to has taken it all the same: who must not miss anything keeps a session there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::client::{self, EVENTS_MAX, LinkConfig, LinkEvent, Requests, chain};
use crate::config::secret::SecretSource;
use crate::config::settings::MqttSettings;
use crate::model::NetworkId;
use crate::notify::feed::Entry;
use crate::notify::queue::{self, Answer, QueueParts, Way};
use crate::runtime::tasks::Shutdown;
use crate::wire::topic::Topics;

/// For one report, connecting included; a broker that is slower is asked again.
const PUBLISH: Duration = Duration::from_secs(20);

/// Publishes what the queue holds until the process stops.
pub async fn run(
    settings: MqttSettings,
    network: NetworkId,
    parts: QueueParts,
    secrets: Arc<dyn SecretSource>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let link = LinkConfig {
        settings,
        client_id: super::incidents_client_id(&network),
        will: None,
        subscriptions: Vec::new(),
        manual_acks: false,
        told_of_acks: true,
    };
    let (events_in, events) = mpsc::channel(EVENTS_MAX);
    let link = client::drive(link, secrets, parts.clock.clone(), events_in);
    let way = Publisher { topics: Topics::new(&network), events, link: None, under_way: None };
    tokio::select! {
        result = queue::run(parts, way, shutdown) => result,
        () = link => anyhow::bail!("the connection to the broker was given up"),
    }
}

struct Publisher {
    topics: Topics,
    events: mpsc::Receiver<LinkEvent>,
    link: Option<Requests>,
    /// The event that this connection has published and the broker has not answered yet.
    under_way: Option<String>,
}

impl Publisher {
    /// What an event means for the entry that is being published; `None`: nothing yet.
    fn hear(&mut self, event: LinkEvent, entry: &Entry) -> Option<Result<(), String>> {
        match event {
            LinkEvent::Up(requests) => (self.link, self.under_way) = (Some(requests), None),
            LinkEvent::Down(error) => {
                (self.link, self.under_way) = (None, None);
                return Some(Err(format!("broker: {}", chain(&error))));
            }
            LinkEvent::Taken if self.under_way.take().as_ref() == Some(&entry.event_id) => return Some(Ok(())),
            LinkEvent::Refused(why) if self.under_way.take().as_ref() == Some(&entry.event_id) => {
                return Some(Err(format!("the broker refuses incidents, has the hub the rights? {why}")));
            }
            // Of an entry that was given up meanwhile.
            LinkEvent::Taken | LinkEvent::Refused(_) | LinkEvent::Message(_) => {}
        }
        None
    }

    async fn publish(&mut self, entry: &Entry) -> Result<(), String> {
        let until = Instant::now() + PUBLISH;
        // What happened while nothing was to be said: a connection that is gone may be back already.
        while let Ok(event) = self.events.try_recv() {
            if let Some(Ok(())) = self.hear(event, entry) {
                return Ok(());
            }
        }
        loop {
            if let (Some(link), None) = (&self.link, &self.under_way) {
                let topic = self.topics.incident(entry.wisp.as_ref(), &entry.incident);
                let sent = link.try_publish(&topic, false, entry.body.clone().into_bytes(), Vec::new());
                sent.map_err(|e| format!("broker: {e}"))?;
                self.under_way = Some(entry.event_id.clone());
            }
            match timeout_at(until, self.events.recv()).await {
                Ok(Some(event)) => {
                    if let Some(done) = self.hear(event, entry) {
                        return done;
                    }
                }
                Ok(None) => return Err("broker: the connection was given up".to_owned()),
                Err(_) if self.link.is_none() => return Err("broker: no connection".to_owned()),
                // It is waited for again, not published again, as long as this connection lasts.
                Err(_) => return Err("the broker does not acknowledge in time".to_owned()),
            }
        }
    }
}

impl Way for Publisher {
    async fn deliver(&mut self, entry: &Entry) -> Answer {
        match self.publish(entry).await {
            Ok(()) => Answer::Taken,
            Err(why) => Answer::Later(why, None),
        }
    }
}
