//! The structure that ARCHITECTURE.md promises, read off the sources: which module may know which, which files are
//! pure, how long a file may grow.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of code, tests left out, may grow to this many lines.
const LINES_MAX: usize = 600;

/// Module -> modules of the crate that it must not use.
const FORBIDDEN: [(&str, &[&str]); 9] = [
    (
        "model",
        &[
            "agent", "alert", "capacity", "config", "hub", "mqtt", "notify", "probe", "sim", "spool", "store", "web",
            "wire", "runtime",
        ],
    ),
    ("capacity", &["agent", "alert", "hub", "mqtt", "notify", "probe", "sim", "spool", "store", "web", "runtime"]),
    ("alert", &["agent", "hub", "mqtt", "notify", "probe", "sim", "spool", "store", "web", "runtime"]),
    (
        "wire",
        &["agent", "alert", "capacity", "hub", "mqtt", "notify", "probe", "sim", "spool", "store", "web", "runtime"],
    ),
    ("probe", &["agent", "alert", "capacity", "hub", "mqtt", "notify", "sim", "spool", "store", "web"]),
    ("spool", &["agent", "alert", "capacity", "hub", "mqtt", "notify", "probe", "sim", "store", "web"]),
    ("store", &["agent", "alert", "capacity", "hub", "mqtt", "notify", "probe", "sim", "spool"]),
    ("notify", &["agent", "capacity", "hub", "mqtt", "probe", "sim", "spool"]),
    ("web", &["agent", "capacity", "hub", "mqtt", "notify", "probe", "sim", "spool"]),
];

/// Directories and files without I/O, clock, randomness or async.
const PURE: [&str; 29] = [
    "src/agent/closing.rs",
    "src/spool/book.rs",
    "src/spool/record.rs",
    "src/mqtt/inflight.rs",
    "src/mqtt/track.rs",
    "src/mqtt/limit.rs",
    "src/model",
    "src/capacity",
    "src/access/accounts.rs",
    "src/access/sessions.rs",
    "src/alert",
    "src/web/own.rs",
    "src/wire",
    "src/catalogue.rs",
    "src/store/rollup.rs",
    "src/store/rollup",
    "src/probe/radio",
    "src/probe/plan.rs",
    "src/probe/recording.rs",
    "src/probe/recording/blank.rs",
    "src/probe/discover/inventory.rs",
    "src/probe/discover/pair.rs",
    "src/probe/discover/ranges.rs",
    "src/config/check.rs",
    "src/notify/policy.rs",
    "src/notify/log.rs",
    "src/notify/digest.rs",
    "src/notify/feed.rs",
    "src/notify/calendar.rs",
];

/// What a pure file must not hold.
const IMPURE: [&str; 9] = [
    "SystemTime",
    "Instant::now",
    "tokio::",
    "std::fs",
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "rand::",
    "async fn",
    "std::env",
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir).expect("a source directory").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The file without its test modules: what follows the first `#[cfg(test)]` is tests, by our habit.
fn code(path: &Path) -> String {
    let in_tests = path.components().any(|part| part.as_os_str() == "tests");
    if in_tests || path.file_name().is_some_and(|n| ["tests.rs", "fixture.rs", "testing.rs"].iter().any(|t| n == *t)) {
        return String::new();
    }
    let text = fs::read_to_string(path).expect("a source file");
    let end = text.find("#[cfg(test)]").or_else(|| text.find("#[cfg(all(test")).unwrap_or(text.len());
    text[..end].to_owned()
}

fn all() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20, "the sources are not where this test looks");
    found
}

fn relative(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[test]
fn dependencies_point_downwards() {
    let mut wrong = BTreeSet::new();
    for path in all() {
        let name = relative(&path);
        let module = name.trim_start_matches("src/").split(['/', '.']).next().unwrap_or_default().to_owned();
        let Some((_, forbidden)) = FORBIDDEN.iter().find(|(m, _)| *m == module) else { continue };
        for line in code(&path).lines().filter(|l| !is_comment(l)) {
            for target in *forbidden {
                if line.contains(&format!("crate::{target}::")) || line.contains(&format!("crate::{target};")) {
                    wrong.insert(format!("{name}: {module} must not know {target}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn pure_files_touch_no_world() {
    let mut wrong = Vec::new();
    for path in all() {
        let name = relative(&path);
        if !PURE.iter().any(|p| name == *p || name.starts_with(&format!("{p}/"))) {
            continue;
        }
        for line in code(&path).lines().filter(|l| !is_comment(l)) {
            for word in IMPURE.iter().filter(|w| line.contains(**w)) {
                wrong.push(format!("{name}: {word} in {}", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_short_enough_to_read() {
    let long: Vec<String> = all()
        .iter()
        .map(|p| (relative(p), code(p).lines().filter(|l| !l.trim().is_empty() && !is_comment(l)).count()))
        .filter(|(_, n)| *n > LINES_MAX)
        .map(|(name, n)| format!("{name}: {n} lines of code"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn nothing_is_left_for_later_in_silence() {
    let mut wrong = Vec::new();
    for path in all() {
        let text = code(&path);
        for (number, line) in text.lines().enumerate() {
            for word in ["todo!(", "unimplemented!(", "dbg!(", "(in progress)"] {
                if line.contains(word) {
                    wrong.push(format!("{}:{}: {word}", relative(&path), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
