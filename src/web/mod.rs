//! What the hub shows: status page, JSON, Prometheus.

pub mod snapshot;
