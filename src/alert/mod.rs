//! Which of what the hub sees is worth telling, to whom, and what caused it. [P]

pub mod engine;
pub mod incident;

pub use incident::{Condition, Direction, Incident, IncidentState, Severity, Subject};
