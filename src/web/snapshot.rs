//! What the page, the API and `/metrics` are made from: one consistent picture, replaced as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::Incident;
use crate::alert::desk::Case;
use crate::model::network::Network;
use crate::model::view::NetworkView;
use crate::model::{SiteId, UnixMillis};
pub use crate::runtime::health::PartHealth;
use crate::store::ledger::{DeliveryDay, Loss};

/// What the ledger proves of one agent's deliveries.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AgentProof {
    /// When the newest sample was taken, by the hub's clock; `None`: nothing since the hub started.
    pub newest_sample_at: Option<UnixMillis>,
    /// Batches that later ones have overtaken, and that the agent still holds: a gap that fills.
    pub missing_batches: u64,
    /// The lowest ranges of them, by sequence number.
    pub missing: Vec<(u64, u64)>,
    /// How long that takes at the pace of the last half minute.
    pub drained_in: Option<Duration>,
    /// Stored, but made before the agent knew the time, and not placed yet.
    pub held_batches: u64,
    /// Lost for good, as far as the ledger remembers, and the newest of these losses.
    pub lost_batches: u64,
    pub losses: Vec<Loss>,
    /// The newest day first.
    pub days: Vec<DeliveryDay>,
}

#[derive(Debug, Clone)]
pub struct Snapshot {
    pub network: Arc<Network>,
    pub view: Arc<NetworkView>,
    /// By agent; empty before the ledger was first asked.
    pub proofs: Arc<BTreeMap<SiteId, AgentProof>>,
    /// Pending, open, closing, and those closed in the last seven days; newest first.
    pub incidents: Arc<Vec<Incident>>,
    /// What people said of them, by number; of most nothing.
    pub cases: Arc<BTreeMap<u64, Case>>,
    pub parts: Vec<PartHealth>,
    pub generated_at: UnixMillis,
    pub started_at: UnixMillis,
    /// The hub hears nobody: what it shows is what it last knew.
    pub blind_since: Option<UnixMillis>,
    /// Says that this is a simulation, where it is one.
    pub simulated: bool,
    pub version: &'static str,
    /// Agents that should exist by the inventory.
    pub agents_expected: Vec<SiteId>,
}
