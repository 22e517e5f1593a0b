//! What the page, the API and `/metrics` are made from: one consistent picture, replaced as a whole.

use std::sync::Arc;

use crate::alert::Incident;
use crate::model::network::Network;
use crate::model::view::NetworkView;
use crate::model::{SiteId, UnixMillis};
pub use crate::runtime::health::PartHealth;

#[derive(Debug, Clone)]
pub struct Snapshot {
    pub network: Arc<Network>,
    pub view: Arc<NetworkView>,
    /// Pending, open, closing, and those closed in the last seven days; newest first.
    pub incidents: Arc<Vec<Incident>>,
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
