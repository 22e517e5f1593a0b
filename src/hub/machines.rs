//! The ways out for machines: the MQTT topics and the webhooks of the settings, each with its queue.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{Notify, watch};

use crate::config::secret::SecretSource;
use crate::config::settings::{HubSettings, MqttSettings};
use crate::model::NetworkId;
use crate::model::network::Network;
use crate::mqtt;
use crate::notify::feed::Feed;
use crate::notify::queue::{self, Board, QueueParts};
use crate::notify::webhook::Webhook;
use crate::runtime::clock::SharedClock;
use crate::runtime::health::PartHealth;
use crate::runtime::tasks::{Shutdown, Tasks};
use crate::store::ledger::Ledger;

/// All of them, ready to run.
pub struct Machines {
    network: NetworkId,
    ledger: Arc<Ledger>,
    clock: SharedClock,
    mqtt: bool,
    webhooks: Vec<(Feed, Webhook)>,
}

impl Machines {
    /// Reads the secrets of the webhooks, and drops what waits for feeds that are no longer in the settings.
    pub fn new(
        network: &Network,
        settings: &HubSettings,
        secrets: &Arc<dyn SecretSource>,
        ledger: &Arc<Ledger>,
        clock: &SharedClock,
    ) -> anyhow::Result<Self> {
        let mut webhooks = Vec::new();
        for webhook in &settings.notify.webhooks {
            let name = || format!("notify: webhook {:?}", webhook.id);
            if let Some(wisp) = &webhook.wisp {
                let known = network.wisps.contains_key(wisp.as_str());
                anyhow::ensure!(known, "{}: wisp = \"{wisp}\": the inventory has no such operator", name());
            }
            let feed = Feed::webhook(&webhook.id, webhook.wisp.clone(), webhook.language);
            webhooks.push((feed, Webhook::new(webhook, secrets.clone(), clock.clone()).with_context(name)?));
        }
        let mqtt = settings.notify.mqtt;
        let machines =
            Self { network: network.id.clone(), ledger: ledger.clone(), clock: clock.clone(), mqtt, webhooks };
        let feeds = machines.feeds();
        let feeds: Vec<&str> = feeds.iter().map(|feed| feed.id.as_str()).collect();
        let dropped = queue::forget_others(&**ledger, &feeds)?;
        if dropped > 0 {
            tracing::warn!(reports = dropped, "reports for webhooks that are no longer in the settings are dropped");
        }
        Ok(machines)
    }

    pub fn feeds(&self) -> Vec<Feed> {
        let webhooks = self.webhooks.iter().map(|(feed, _)| feed.clone());
        self.mqtt.then(Feed::mqtt).into_iter().chain(webhooks).collect()
    }

    /// Starts their queues; adds what wakes them and how they are.
    pub fn spawn(
        self,
        tasks: &mut Tasks,
        broker: &MqttSettings,
        secrets: &Arc<dyn SecretSource>,
        shutdown: &Shutdown,
        wakes: &mut Vec<Arc<Notify>>,
        health: &mut Vec<watch::Receiver<PartHealth>>,
    ) {
        let mut parts = |feed: String, board: Arc<Board>| {
            let wake = Arc::new(Notify::new());
            wakes.push(wake.clone());
            QueueParts { feed, store: self.ledger.clone(), wake, board, clock: self.clock.clone() }
        };
        if self.mqtt {
            let (board, state) = Board::new("incidents");
            health.push(state);
            let parts = parts(Feed::mqtt().id, board);
            let publisher =
                mqtt::incidents::run(broker.clone(), self.network, parts, secrets.clone(), shutdown.clone());
            tasks.spawn("incidents over MQTT", publisher);
        }
        if !self.webhooks.is_empty() {
            let (board, state) = Board::new("webhooks");
            health.push(state);
            for (feed, webhook) in self.webhooks {
                let (name, parts) = (feed.id.clone(), parts(feed.id, board.clone()));
                tasks.spawn(name, queue::run(parts, webhook, shutdown.clone()));
            }
        }
    }
}
