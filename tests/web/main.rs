//! The hub's web server over real sockets: page, JSON, Prometheus, event stream, guards; and `vedetta status`.
#![cfg(feature = "hub")]

mod api;
mod fixture;
mod guards;
mod live;
mod metrics;
mod page;
mod server;
mod status;
