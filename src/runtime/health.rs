//! The process about itself.

/// Memory resident, in bytes, as the kernel says (`/proc/self/status`, VmRSS); `None` where it does not say.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// The state of a part of the hub that talks to the world.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartHealth {
    /// `mqtt`, `influxdb`, `mail`.
    pub name: &'static str,
    pub ok: bool,
    /// What is wrong, in words.
    pub detail: Option<String>,
    /// Batches or mails waiting.
    pub waiting: u64,
    pub done_total: u64,
    pub failed_total: u64,
}
