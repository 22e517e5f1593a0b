//! The hub's web server over real sockets: page, JSON, Prometheus, event stream, guards; and `vedetta status`.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod api;
mod fixture;
mod guards;
mod history;
mod live;
mod metrics;
mod page;
mod series;
mod server;
mod status;
