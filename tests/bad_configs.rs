//! One bad file for each mistake, with everything that `vedetta check` says about it.
//!
//! A file of tests/bad_configs ends in the expected lines, each after `#! `, without the file's name. A file is checked
//! with all others of its directory out of sight. `VEDETTA_BLESS=1 cargo test --test bad_configs` writes what the
//! program says now; read the difference before you believe it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::{Path, PathBuf};

use vedetta::config::{Severity, check_files};

const MARK: &str = "#! ";

fn bad_files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_configs");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
}

/// What is said of a file, line by line: `5:8: error: …`.
fn said(path: &Path) -> Vec<String> {
    let report = check_files(&[path.to_owned()]);
    let prefix = format!("{}:", path.display());
    let line = |problem: &vedetta::config::Problem| {
        let text = problem.to_string();
        text.strip_prefix(&prefix).unwrap_or(&text).trim_start().to_owned()
    };
    report.problems.iter().map(line).collect()
}

#[test]
fn every_mistake_is_named_with_its_place_and_its_remedy() {
    let mut wrong = Vec::new();
    for path in bad_files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let (body, expected): (Vec<_>, Vec<_>) = text.lines().partition(|line| !line.starts_with(MARK));
        let said: Vec<_> = said(&path).iter().map(|line| format!("{MARK}{line}")).collect();
        assert!(!said.is_empty(), "{}: nothing is said", path.display());
        if std::env::var_os("VEDETTA_BLESS").is_some() {
            // The other tests read these files at the same time: never half of one.
            let new = path.with_extension("new");
            std::fs::write(&new, format!("{}\n{}\n", body.join("\n"), said.join("\n"))).unwrap();
            std::fs::rename(&new, &path).unwrap();
        } else if said != expected {
            wrong.push(format!("{}\nsaid:\n{}\nexpected:\n{}\n", path.display(), said.join("\n"), expected.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(bad_files().len() >= 40);
}

/// Every bad file holds this where a secret could be.
const SECRET: &str = "hunter2";

#[test]
fn no_message_shows_a_secret() {
    let with_secret: Vec<_> =
        bad_files().into_iter().filter(|path| std::fs::read_to_string(path).unwrap().contains(SECRET)).collect();
    assert!(with_secret.len() >= 4, "{with_secret:?}");
    let report = check_files(&with_secret);
    assert!(report.n_errors() >= with_secret.len());
    for text in [report.render(true), report.to_json().to_string(), format!("{report:?}")] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn warnings_alone_are_no_errors() {
    for path in bad_files() {
        let report = check_files(std::slice::from_ref(&path));
        let is_warning = path.file_name().unwrap().to_string_lossy().starts_with("warning-");
        let severities: Vec<_> = report.problems.iter().map(|problem| problem.severity).collect();
        assert_eq!(severities.contains(&Severity::Error), !is_warning, "{}", path.display());
    }
}
