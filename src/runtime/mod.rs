//! What every process needs from the machine: a clock, watched tasks, its own health.

pub mod clock;
pub mod health;
pub mod limits;
pub mod tasks;
