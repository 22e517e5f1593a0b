//! vedetta: the lookout of a rural wireless network.
//!
//! ARCHITECTURE.md has the map. The pure parts (`model`, `catalogue`, `capacity`, `alert`, `wire`, and the pure
//! files of the others) know no clock, socket or file; `agent`, `hub` and `sim` wire them to the world.

pub mod agent;
pub mod capacity;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod model;
pub mod mqtt;
pub mod probe;
pub mod runtime;
pub mod spool;
pub mod wire;

#[cfg(feature = "hub")]
pub mod access;
#[cfg(feature = "hub")]
pub mod alert;
#[cfg(feature = "hub")]
pub mod broker_files;
#[cfg(feature = "hub")]
pub mod hub;
#[cfg(feature = "hub")]
pub mod notify;
#[cfg(feature = "hub")]
pub mod onebox;
#[cfg(feature = "hub")]
pub mod rehearsal;
#[cfg(feature = "hub")]
pub mod store;
#[cfg(feature = "hub")]
pub mod web;

#[cfg(feature = "sim")]
pub mod sim;

#[cfg(all(feature = "hub", feature = "sim"))]
pub mod demo;
