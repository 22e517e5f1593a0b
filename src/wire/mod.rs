//! What crosses the network: topics, batches, line protocol, ranges of sequence numbers. `[P]`
//!
//! Readers ignore keys that they do not know, for an agent may be a version older or newer than its hub.

pub mod batch;
pub mod line;
pub mod part;
pub mod ranges;
pub mod state;
pub mod topic;
