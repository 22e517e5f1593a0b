//! Simulated radios that answer real SNMP on loopback, and scenarios.

pub mod scenario;
