//! The scenarios that we ship: each goes as it expects, and a restart of the hub at any moment of any of them changes
//! no mail. The short run plays the shorter ones once more, with a restart after every sixteenth evaluation or so;
//! `VEDETTA_FULL=1` plays each of them sixteen times, so that there is a restart at every moment of it, and the long ones
//! as the short run plays the others.
#![cfg(feature = "hub")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use vedetta::model::Condition;
use vedetta::rehearsal::{self, Given, Scenario, Transcript};

/// At least so many are shipped.
const SCENARIOS_MIN: usize = 40;
/// The short run leaves out the restarts of scenarios that last longer.
const SHORT: Duration = Duration::from_hours(2);
/// The short run restarts after one evaluation in so many, all in one run.
const APART: u64 = 16;

fn shipped() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/scenarios/tests");
    rehearsal::files(&dir).expect("the shipped scenarios")
}

/// All on both cores.
fn each(files: &[PathBuf], check: impl Fn(&Path) -> Vec<String> + Sync) {
    let next = AtomicUsize::new(0);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut wrong = Vec::new();
            while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                wrong.extend(check(file));
            }
            wrong
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_shipped_scenario_goes_as_expected() {
    let files = shipped();
    assert!(files.len() >= SCENARIOS_MIN, "{} scenarios", files.len());
    each(&files, |file| {
        let played = rehearsal::play(file, &Given::default());
        if played.is_well() { Vec::new() } else { vec![rehearsal::render(&[played], false)] }
    });
}

#[test]
fn every_condition_has_a_scenario() {
    let texts: String = shipped().iter().map(|file| std::fs::read_to_string(file).expect("a scenario")).collect();
    let missing: Vec<_> = Condition::ALL.iter().map(|c| c.as_str()).filter(|word| !texts.contains(word)).collect();
    assert!(missing.is_empty(), "nothing shows {missing:?}");
}

/// What people got: when, who, what kind, about what, in which words.
fn mails(transcript: &Transcript) -> Vec<String> {
    let one = |s: &rehearsal::Sent| format!("{:>8} s  {s} about {:?}", s.at.as_secs(), s.incidents);
    transcript.sent.iter().map(one).collect()
}

fn played(scenario: &Scenario, restarts: &dyn Fn(usize) -> bool) -> Transcript {
    rehearsal::run(scenario, restarts).expect("documents in memory")
}

/// About every sixteenth evaluation, other ones for each file: a small generator with the file's name as its seed.
fn moments(file: &Path, evaluations: usize) -> Vec<usize> {
    let mut state = file.file_stem().map_or(0, std::ffi::OsStr::len) as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..evaluations).filter(|_| next() % APART == 0).collect()
}

#[test]
fn a_restart_at_any_moment_changes_no_mail() {
    let (files, full) = (shipped(), std::env::var_os("VEDETTA_FULL").is_some());
    each(&files, |file| {
        let Ok(scenario) = rehearsal::read(file, &Given::default()) else {
            return vec![format!("{}: cannot be read", file.display())];
        };
        if scenario.lasts > SHORT && !full {
            return Vec::new();
        }
        let whole = played(&scenario, &|_| false);
        let expected = mails(&whole);
        let mut wrong = Vec::new();
        let mut compare = |name: String, restarts: &dyn Fn(usize) -> bool| {
            let got = mails(&played(&scenario, restarts));
            if got != expected {
                let lost = expected.iter().filter(|mail| !got.contains(mail)).map(|mail| format!("\n  - {mail}"));
                let new = got.iter().filter(|mail| !expected.contains(mail)).map(|mail| format!("\n  + {mail}"));
                let differ: String = lost.chain(new).take(12).collect();
                wrong.push(format!("{}: restarted {name}:{differ}", file.display()));
            }
        };
        let chosen = moments(file, whole.evaluations);
        compare(format!("{} times", chosen.len()), &|step| chosen.binary_search(&step).is_ok());
        if full && scenario.lasts <= SHORT {
            for first in 0..APART as usize {
                compare(format!("after evaluation {first} and every {APART}th"), &|step| {
                    step % APART as usize == first
                });
            }
        }
        wrong
    });
}
