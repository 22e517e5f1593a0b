//! Which of what the hub sees is worth telling, to whom, and what caused it. `[P]`

mod causes;
mod dark;
mod describe;
pub mod desk;
mod diagnosis;
pub mod engine;
mod evidence;
mod explain;
mod hold;
pub mod incident;
pub mod memory;
mod observe;

pub use engine::Engine;
pub use incident::{Condition, Direction, Incident, IncidentState, Severity, Subject};
pub use memory::Memory;

#[cfg(test)]
pub(crate) mod tests;
