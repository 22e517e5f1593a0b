//! Which of what the hub sees is worth telling, to whom, and what caused it. `[P]`

mod backup;
mod baseline;
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
mod judges;
mod life;
pub mod memory;
mod observe;
mod redundancy;
mod scene;
mod setting;
pub mod signed;
mod ways;

pub use engine::Engine;
pub use incident::{Condition, Delivery, Direction, Incident, IncidentState, Severity, Subject};
pub use memory::Memory;

#[cfg(test)]
pub(crate) mod tests;
