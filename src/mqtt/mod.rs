//! Delivery over MQTT 5: the agent's side, the hub's side, and the broker that `run` and `demo` bring along.
//!
//! No broker is trusted to remember anything: sessions are clean and end with their connection, and what is under way
//! when anything breaks is sent again. DESIGN's rule "delivered means stored" is kept by three parts: the spool forgets
//! only what the hub reports as stored, [`inflight`] decides what is sent and sent again, and the inbox reports only
//! what is durable in the ledger.

pub mod agent;
pub mod certificate;
pub mod client;
pub mod inflight;

#[cfg(feature = "hub")]
pub mod broker;
#[cfg(feature = "hub")]
pub mod gate;
#[cfg(feature = "hub")]
pub mod inbox;
#[cfg(feature = "hub")]
pub mod incidents;
#[cfg(feature = "hub")]
mod judged;
#[cfg(feature = "hub")]
mod limit;
#[cfg(feature = "hub")]
pub mod parts;
#[cfg(feature = "hub")]
mod track;

#[cfg(all(test, feature = "hub"))]
mod model_check;

use crate::model::{NetworkId, SiteId};

/// Fixed, so that an agent that restarts takes over what is left of its former connection, and brokers can tie a name
/// to a certificate.
pub fn agent_client_id(network: &NetworkId, agent: &SiteId) -> String {
    format!("vedetta-{network}-{agent}")
}

/// Cannot be an agent's, for names have no underscore.
#[cfg(feature = "hub")]
pub fn hub_client_id(network: &NetworkId) -> String {
    format!("vedetta-{network}-_hub")
}

/// The hub's second connection, which only publishes incidents.
#[cfg(feature = "hub")]
pub fn incidents_client_id(network: &NetworkId) -> String {
    format!("vedetta-{network}-_hub-incidents")
}
