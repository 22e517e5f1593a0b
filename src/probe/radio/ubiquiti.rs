//! What the Ubiquiti families share.

/// Ubiquiti's enterprise, 1.3.6.1.4.1.41112, and the older 1.3.6.1.4.1.10002.1 that airMAX, airFiber, AF60 up to
/// firmware 2, EdgeSwitch and others all answer as sysObjectID.
pub const UBNT: &[u32] = &[1, 3, 6, 1, 4, 1, 41112];
pub const SHARED_OBJECT_ID: &[u32] = &[1, 3, 6, 1, 4, 1, 10002, 1];

/// The version within a build name: `GP.ipq806x.v2.6.0.46590.211230.1238` is `v2.6.0`. A text of another form is kept.
pub fn version_of_build(build: &str) -> String {
    let Some((_, version)) = build.split_once(".v") else { return build.to_owned() };
    let parts: Vec<&str> = version.split('.').take(3).collect();
    if parts.first().is_some_and(|p| p.starts_with(|c: char| c.is_ascii_digit())) {
        format!("v{}", parts.join("."))
    } else {
        build.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::version_of_build;

    #[test]
    fn the_version_is_taken_out_of_the_build_name() {
        let check = |build: &str, expected: &str| assert_eq!(version_of_build(build), expected);
        check("GP.ipq806x.v2.6.0.46590.211230.1238", "v2.6.0");
        check("WA.ar934x.v8.7.4.45112.210415.1103", "v8.7.4");
        check("XX.soc.v3.1.0-RC.1", "v3.1.0-RC");
        check("v1.4.0", "v1.4.0");
        check("odd.vendor", "odd.vendor");
        check("", "");
    }
}
