//! Delivery over MQTT 5: the agent's side, the hub's side, and the broker that `run` and `demo` bring along.
//!
//! No broker is trusted to remember anything: sessions are clean and end with their connection, and what is under way
//! when anything breaks is sent again. DESIGN's rule "delivered means stored" is kept by three parts: the spool forgets
//! only what the hub reports as stored, [`inflight`] decides what is sent and sent again, and the inbox reports only
//! what is durable in the ledger.

pub mod inflight;
pub mod client;
pub mod agent;

#[cfg(feature = "hub")]
pub mod inbox;
#[cfg(feature = "hub")]
mod track;
