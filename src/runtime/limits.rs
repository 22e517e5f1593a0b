//! What the machine allows this process.

/// Descriptors beside those of devices: spool, MQTT, ICMP, the log, the page, the ledger.
#[cfg(target_os = "linux")]
const OTHER_FILES: u64 = 256;

/// Raises the limit of open files (RLIMIT_NOFILE), as far as it may be raised, where every device being asked at once
/// would need more: each exchange has a socket of its own.
#[cfg(target_os = "linux")]
pub fn allow_open_files(devices: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current else { return };
    let needed = devices as u64 + OTHER_FILES;
    if current >= needed {
        return;
    }
    let allowed = limit.maximum.map_or(needed, |most| needed.min(most));
    let raised = allowed > current
        && setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum: limit.maximum }).is_ok();
    let open_files = if raised { allowed } else { current };
    if open_files < needed {
        tracing::warn!(
            open_files,
            needed,
            "fewer files may be open than there are devices: when many are silent, others may go unasked (LimitNOFILE=)"
        );
    }
}

#[cfg(not(target_os = "linux"))]
pub fn allow_open_files(_: usize) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn the_limit_of_open_files_goes_up_and_never_down() {
        let before = getrlimit(Resource::Nofile);
        super::allow_open_files(1);
        assert_eq!(getrlimit(Resource::Nofile), before);
        super::allow_open_files(usize::MAX / 2);
        let after = getrlimit(Resource::Nofile);
        assert_eq!((after.current, after.maximum), (before.maximum, before.maximum));
    }
}
