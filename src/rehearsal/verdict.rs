//! What came, held against what was expected. `[P]`
//!
//! Every mail must be expected by a sentence, or allowed by one: what nobody has thought of is what a test is for.

use std::time::Duration;

use super::place::{Place, called};
use super::script::{Count, Expect, IncidentPattern, Pattern, Who};
use super::stage::{Sent, Told, Transcript};

/// Mails that a message lists.
const LISTED_MAX: usize = 6;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Byte offset of the sentence; `None`: no sentence speaks of it.
    pub offset: Option<usize>,
    pub expected: String,
    pub instead: String,
}

/// `1h13m`, `10m`, `45s`.
pub fn time(at: Duration) -> String {
    let (hours, minutes, seconds) = (at.as_secs() / 3600, at.as_secs() / 60 % 60, at.as_secs() % 60);
    let days = hours / 24;
    let mut text = String::new();
    for (n, unit) in [(days, "d"), (hours % 24, "h"), (minutes, "m"), (seconds, "s")] {
        if n > 0 {
            text.push_str(&n.to_string());
            text.push_str(unit);
        }
    }
    if text.is_empty() { "0m".to_owned() } else { text }
}

fn told(transcript: &Transcript, number: u64) -> Option<&Told> {
    transcript.incidents.get(&number)
}

fn fits(sent: &Sent, pattern: &Pattern, transcript: &Transcript) -> bool {
    let to = match &pattern.to {
        Who::Anyone => true,
        Who::Staff => sent.to.iter().any(|key| key.starts_with("staff:")),
        Who::Key(key) => sent.to.contains(key),
    };
    let incidents = || sent.incidents.iter().filter_map(|n| told(transcript, *n)).map(|t| &t.last);
    to && sent.unsent == pattern.unsent
        && pattern.kind.is_none_or(|kind| kind == sent.kind)
        && pattern.within.is_none_or(|(from, to)| from <= sent.at && sent.at < to)
        && pattern.about.as_ref().is_none_or(|place| incidents().any(|i| place.is(&i.subject)))
        && pattern.condition.is_none_or(|condition| incidents().any(|i| i.condition == condition))
}

/// Of each member of the staff the same is expected: how many are counted.
fn counted(found: &[&Sent], pattern: &Pattern, staff: usize) -> Result<usize, String> {
    if pattern.to != Who::Staff || staff < 2 {
        return Ok(found.len());
    }
    let mut by_person = std::collections::BTreeMap::<&str, usize>::new();
    for sent in found {
        for key in &sent.to {
            *by_person.entry(key).or_default() += 1;
        }
    }
    let most = by_person.values().max().copied().unwrap_or(0);
    if by_person.len() < staff && most > 0 || by_person.values().any(|n| *n != most) {
        return Err("not all of the staff got the same".to_owned());
    }
    Ok(most)
}

/// Everything that is not as expected. `staff`: how many there are.
pub fn judge(expects: &[(usize, String, Expect)], transcript: &Transcript, staff: usize) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut expected = vec![false; transcript.sent.len()];
    for (offset, text, expect) in expects {
        let failed = match expect {
            Expect::Allow(pattern) => {
                mark(&mut expected, pattern, transcript);
                None
            }
            Expect::Mails(count, pattern) => {
                mark(&mut expected, pattern, transcript);
                mails(*count, pattern, transcript, staff)
            }
            Expect::Incident(is, pattern) => incident(*is, pattern, transcript),
        };
        if let Some(instead) = failed {
            failures.push(Failure { offset: Some(*offset), expected: text.clone(), instead });
        }
    }
    for sent in transcript.sent.iter().zip(&expected).filter(|(s, expected)| !**expected && !s.unsent).map(|(s, _)| s) {
        failures.push(Failure {
            offset: None,
            expected: "no mail that no sentence expects or allows".to_owned(),
            instead: format!("at {} {sent}", time(sent.at)),
        });
    }
    failures
}

fn mark(expected: &mut [bool], pattern: &Pattern, transcript: &Transcript) {
    for (sent, expected) in transcript.sent.iter().zip(expected) {
        *expected |= fits(sent, pattern, transcript);
    }
}

fn mails(count: Count, pattern: &Pattern, transcript: &Transcript, staff: usize) -> Option<String> {
    let found: Vec<&Sent> = transcript.sent.iter().filter(|sent| fits(sent, pattern, transcript)).collect();
    let wrong = match (counted(&found, pattern, staff), count) {
        (Err(why), _) => why,
        (Ok(n), Count::Exactly(wanted)) if n == wanted => return None,
        (Ok(n), Count::AtLeastOne) if n > 0 => return None,
        (Ok(0), _) => "there was none".to_owned(),
        (Ok(n), _) => format!("there were {n}"),
    };
    let listed = if found.is_empty() { near(pattern, transcript) } else { list(&found) };
    Some(format!("{wrong}{listed}"))
}

/// Of what did not fit, the mails that come closest: to the same recipient, else all.
fn near(pattern: &Pattern, transcript: &Transcript) -> String {
    let wide = Pattern { kind: None, within: None, about: None, condition: None, ..pattern.clone() };
    let found: Vec<&Sent> = transcript.sent.iter().filter(|sent| fits(sent, &wide, transcript)).collect();
    if found.is_empty() { "; nor any other mail to that recipient".to_owned() } else { list(&found) }
}

fn list(found: &[&Sent]) -> String {
    let mut lines: Vec<String> =
        found.iter().take(LISTED_MAX).map(|sent| format!("; at {} {sent}", time(sent.at))).collect();
    if found.len() > LISTED_MAX {
        lines.push(format!("; and {} more", found.len() - LISTED_MAX));
    }
    lines.concat()
}

fn incident(is: bool, pattern: &IncidentPattern, transcript: &Transcript) -> Option<String> {
    let about = |t: &&Told| t.last.condition == pattern.condition && pattern.about.is(&t.last.subject);
    let same: Vec<&Told> = transcript.incidents.values().filter(about).collect();
    let in_minute = |at: Duration, wanted: Duration| wanted <= at && at < wanted + super::MINUTE;
    let because = |t: &Told, place: &Place| {
        t.causes.iter().filter_map(|n| told(transcript, *n)).any(|cause| place.is(&cause.last.subject))
    };
    let fits = |t: &&&Told| {
        pattern.opens.is_none_or(|wanted| in_minute(t.opened, wanted))
            && pattern.closes.is_none_or(|wanted| t.closed.is_some_and(|at| in_minute(at, wanted)))
            && pattern.because_of.as_ref().is_none_or(|place| because(t, place))
            && (!pattern.root || t.causes.is_empty())
    };
    if same.iter().any(|t| fits(&t)) == is {
        return None;
    }
    let told = |t: &&Told| {
        let closed = t.closed.map_or("stays open".to_owned(), |at| format!("closes {}", time(at)));
        let because: Vec<String> = t.causes.iter().map(|n| cause_name(transcript, *n)).collect();
        let because = if because.is_empty() { String::new() } else { format!(", because of {}", because.join(", ")) };
        format!("VED-{} opens {}, {closed}{because}", t.last.number, time(t.opened))
    };
    let list: Vec<String> = same.iter().take(LISTED_MAX).map(told).collect();
    Some(if list.is_empty() { "there was none".to_owned() } else { list.join("; ") })
}

fn cause_name(transcript: &Transcript, number: u64) -> String {
    told(transcript, number).map_or(format!("VED-{number}"), |t| called(&t.last.subject))
}
