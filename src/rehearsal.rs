//! Scenario tests: `vedetta check --scenarios DIR` plays time lines of trouble against an inventory, on a clock of
//! their own and without a socket, and holds the mails that would go against those that are expected.
//!
//! The way of a scenario: `scenario` reads its file, `script` its sentences (`place`: what they name, `change`: what
//! they do), `world` makes samples of what is up, `stage` runs the hub's own code on them, `verdict` judges.

mod change;
mod place;
mod scenario;
mod script;
mod stage;
mod verdict;
mod world;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use scenario::{Given, Scenario, read};
pub use stage::{Transcript, run};
pub use verdict::Failure;

use crate::config::problem::Problem;

/// A time that a sentence names means the minute that begins then.
const MINUTE: Duration = Duration::from_mins(1);
/// Scenarios of one directory.
const FILES_MAX: usize = 10_000;
/// Depth of directories below the one that was named.
const DEPTH_MAX: usize = 8;
/// Lines of what happened that are shown with a failure.
const SHOWN_MAX: usize = 60;

/// What became of one file.
pub struct Played {
    pub file: PathBuf,
    pub title: String,
    /// Why it could not be played.
    pub problems: Vec<Problem>,
    /// With the line of the sentence.
    pub failures: Vec<(Option<usize>, Failure)>,
    pub transcript: Transcript,
    pub lasts: Duration,
}

impl Played {
    pub fn is_well(&self) -> bool {
        self.problems.is_empty() && self.failures.is_empty()
    }
}

/// The scenarios of a directory and below it, in order of name: every `.toml` that has a `[scenario]`.
pub fn files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(dir, 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if dir.is_file() {
        found.push(dir.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() && depth < DEPTH_MAX {
            collect(&path, depth + 1, found)?;
        } else if path.extension().is_some_and(|e| e == "toml") && found.len() < FILES_MAX && is_scenario(&path) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_scenario(path: &Path) -> bool {
    // What cannot be read is reported as such.
    std::fs::read_to_string(path)
        .map_or(true, |text| text.lines().any(|line| line.trim_start().starts_with("[scenario")))
}

/// Plays one file.
pub fn play(file: &Path, given: &Given) -> Played {
    let mut played = Played {
        file: file.to_owned(),
        title: String::new(),
        problems: Vec::new(),
        failures: Vec::new(),
        transcript: Transcript::default(),
        lasts: Duration::ZERO,
    };
    let scenario = match read(file, given) {
        Ok(scenario) => scenario,
        Err(problems) => {
            played.problems = problems;
            return played;
        }
    };
    played.title.clone_from(&scenario.title);
    played.lasts = scenario.lasts;
    match run(&scenario, &|_| false) {
        Ok(transcript) => {
            played.failures = failures(&scenario, &transcript);
            played.transcript = transcript;
        }
        Err(error) => played.problems.push(Problem::of_file(file, format!("cannot be played: {error}"))),
    }
    played
}

/// What is not as the scenario expects.
pub fn failures(scenario: &Scenario, transcript: &Transcript) -> Vec<(Option<usize>, Failure)> {
    let impossible = transcript.impossible.iter().map(|(offset, why)| Failure {
        offset: Some(*offset),
        expected: "a change that can be made".to_owned(),
        instead: why.clone(),
    });
    let judged = verdict::judge(&scenario.expects, transcript, scenario.network.staff.len());
    let lined = |failure: Failure| (failure.offset.map(|offset| scenario.line(offset)), failure);
    impossible.chain(judged).map(lined).collect()
}

/// For a terminal: a line for each scenario, and for what failed what came instead and what happened.
pub fn render(played: &[Played], color: bool) -> String {
    let paint = |text: &str, code: &str| if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let mut out = String::new();
    for one in played {
        let word = if one.is_well() { paint("ok    ", "32") } else { paint("FAILED", "1;31") };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{word}  {}  {}", one.file.display(), one.title);
        for problem in &one.problems {
            let _ = writeln!(out, "  {problem}");
        }
        for (line, failure) in &one.failures {
            let line = line.map(|n| format!(":{n}")).unwrap_or_default();
            let _ = writeln!(out, "  {}{line}: expected: {}", one.file.display(), failure.expected);
            let _ = writeln!(out, "      instead: {}", failure.instead);
        }
        if !one.failures.is_empty() {
            let _ = writeln!(out, "  what happened:");
            for (at, text) in one.transcript.happened.iter().take(SHOWN_MAX) {
                let _ = writeln!(out, "    {:>8}  {text}", verdict::time(*at));
            }
            if let Some(more) = one.transcript.happened.len().checked_sub(SHOWN_MAX).filter(|n| *n > 0) {
                let _ = writeln!(out, "    and {more} more; --json has all");
            }
        }
    }
    let failed = played.iter().filter(|p| !p.is_well()).count();
    let n = played.len();
    let word = if n == 1 { "scenario" } else { "scenarios" };
    let _ = match failed {
        0 => writeln!(out, "{n} {word}: all as expected"),
        failed => writeln!(out, "{n} {word}: {failed} failed"),
    };
    out
}

/// The stable form for programs: `{"scenarios": [{"file", "title", "ok", "lasts_secs", "problems", "failures":
/// [{"line", "expected", "instead"}], "mails": [{"at_secs", "kind", "to", "subject", "incidents", "sent"}],
/// "happened": [{"at_secs", "text"}]}], "failed"}`.
pub fn to_json(played: &[Played]) -> serde_json::Value {
    use serde_json::json;
    let one = |p: &Played| {
        let failures: Vec<_> = p
            .failures
            .iter()
            .map(|(line, f)| json!({"line": line, "expected": f.expected, "instead": f.instead}))
            .collect();
        let mail = |s: &stage::Sent| {
            json!({"at_secs": s.at.as_secs(), "kind": s.kind.as_str(), "to": s.to, "subject": s.subject,
                   "incidents": s.incidents, "sent": !s.unsent})
        };
        let happened = p.transcript.happened.iter();
        json!({
            "file": p.file.display().to_string(),
            "title": p.title,
            "ok": p.is_well(),
            "lasts_secs": p.lasts.as_secs(),
            "problems": p.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "failures": failures,
            "mails": p.transcript.sent.iter().map(mail).collect::<Vec<_>>(),
            "happened": happened.map(|(at, text)| json!({"at_secs": at.as_secs(), "text": text})).collect::<Vec<_>>(),
        })
    };
    let failed = played.iter().filter(|p| !p.is_well()).count();
    json!({"scenarios": played.iter().map(one).collect::<Vec<_>>(), "failed": failed})
}
