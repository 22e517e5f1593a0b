//! What an agent measures: radios and ports over SNMP, reachability over ICMP.

pub mod command;
pub mod device;
pub mod ping;
pub mod plan;
pub mod port;
pub mod radio;
pub mod schedule;
pub mod snmp;
