//! What an agent measures: radios and ports over SNMP, reachability over ICMP, services over HTTP.
//!
//! Downwards: `schedule` runs the tasks of a `plan`; `device` polls one device, asking by `snmp` (over `exchange`)
//! what its family in `radio` and `port` want, and they decode; `sampling` turns that into samples, `command` into
//! the report of `vedetta probe`. `memory` is what is known of a device from before a restart, `recall` its file.

pub mod access;
pub mod command;
pub mod device;
mod exchange;
mod memory;
pub mod ping;
pub mod plan;
pub mod port;
pub mod radio;
pub mod rate;
pub mod recall;
mod sampling;
pub mod schedule;
pub mod service;
pub mod snmp;
#[cfg(test)]
mod testing;
pub mod value;
