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

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use scenario::{Given, Scenario, read};
pub use stage::{Sent, Transcript, run};
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A scenario of 40 minutes in the shipped valley; its first sentence stands on line 6.
    fn played(sentences: &[&str]) -> (Played, String) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("one.toml");
        let network = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/scenarios/tests/valle.toml");
        let lines = format!("    \"{}\",\n", sentences.join("\",\n    \""));
        let head = format!("[scenario]\ntitle = \"One\"\nnetwork = {network:?}\nlasts = \"40m\"\ntimeline = [\n");
        std::fs::write(&file, format!("{head}{lines}]\n")).unwrap();
        let played = play(&file, &Given::default());
        let text = render(std::slice::from_ref(&played), false);
        (played, text)
    }

    const DOWN: [&str; 5] = [
        "from 10m to 30m link colle-alba down",
        "expect opened to belbo at 13m about link colle-alba as link_down",
        "expect opened to staff at 13m",
        "expect closed to belbo at 33m",
        "expect closed to staff at 33m",
    ];

    /// One more sentence after [`DOWN`]: on line 11.
    #[track_caller]
    fn check_fails(sentence: &str, instead: &str) {
        let sentences: Vec<&str> = DOWN.into_iter().chain([sentence]).collect();
        let (played, text) = played(&sentences);
        assert!(played.problems.is_empty() && !played.is_well(), "{text}");
        assert!(text.contains(&format!("one.toml:11: expected: {sentence}\n      instead: {instead}")), "{text}");
        assert!(text.contains("what happened:") && text.ends_with("1 scenario: 1 failed\n"), "{text}");
    }

    #[test]
    fn what_goes_as_expected_is_well() {
        let (played, text) = played(&DOWN);
        assert!(played.is_well() && text.ends_with("1 scenario: all as expected\n"), "{text}");
        assert_eq!(to_json(&[played])["failed"], 0);
    }

    #[test]
    fn an_expectation_that_is_not_met_fails_with_its_file_and_line() {
        check_fails("expect opened to langhenet", "there was none; nor any other mail to that recipient");
        check_fails("expect opened to belbo at 20m", "there was none; at 13m mail: opened to wisp:belbo");
        check_fails("expect 2 opened to staff", "there were 1; at 13m mail: opened to staff:rete@unione.example");
        check_fails("expect no mail to belbo", "there were 2; at 13m mail: opened");
        check_fails("expect incident link_down about link colle-bene", "there was none");
        check_fails("expect incident link_down about link colle-alba closes 20m", "VED-1 opens 13m, closes 33m");
        check_fails("expect no incident link_down about link colle-alba", "VED-1 opens 13m, closes 33m");
        check_fails("expect incident link_down about link colle-alba because-of link dorsale", "VED-1 opens 13m");
    }

    #[test]
    fn a_mail_that_no_sentence_expects_fails_and_one_that_is_allowed_does_not() {
        let (played, text) = played(&DOWN[..3]);
        assert_eq!(played.failures.len(), 2, "{text}");
        assert!(text.contains("expected: no mail that no sentence expects or allows"), "{text}");
        let allowed: Vec<&str> = DOWN[..3].iter().copied().chain(["allow closed to anyone"]).collect();
        assert!(self::played(&allowed).0.is_well());
    }

    #[test]
    fn every_sentence_that_cannot_be_read_is_named_with_its_line() {
        let (played, text) = played(&[
            "at 10m link colle-alda down",
            "at ten link colle-alba down",
            "from 20m to 10m link colle-alba down",
            "at 10m link colle-alba flies",
            "expect opened to nobody",
            "at 3h link colle-alba down",
            "at 10m link colle-alba down again",
            "from 1m to 2m hub restarts",
        ]);
        assert_eq!(played.problems.len(), 8, "{text}");
        let wanted = [
            "colle-alda",
            "ten is not a time",
            "must end later",
            "flies must be",
            "no operator nobody",
            "after the end",
            "something after its end: again",
            "no opposite",
        ];
        for (at, wanted) in wanted.into_iter().enumerate() {
            let line = format!("one.toml:{}:", at + 6);
            let found = text.lines().find(|l| l.contains(&line));
            assert!(found.is_some_and(|l| l.contains(wanted)), "{wanted} on line {}: {text}", at + 6);
        }
        assert!(text.contains("colle-alba"), "a near miss: {text}");
    }

    #[test]
    fn an_act_without_an_incident_is_a_failure_of_its_sentence() {
        let (_, text) = played(&["at 5m acknowledge link colle-alba by noc"]);
        assert!(text.contains("one.toml:6: expected: a change that can be made"), "{text}");
    }
}
