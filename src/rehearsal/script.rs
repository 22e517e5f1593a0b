//! The sentences of a time line. `[P]`
//!
//! `at TIME CHANGE`, `from TIME to TIME CHANGE`, `every TIME from TIME to TIME CHANGE for TIME`, `expect …`, `allow …`.
//! Times count from the scenario's start. What is named must be in the inventory. Every sentence is read, whatever
//! the others are like, so that all problems come at once.

use std::time::Duration;

use super::change::{Change, change};
use super::place::{Names, Place};
use crate::config::text::parse_duration;
use crate::model::condition::Condition;
use crate::notify::NoticeKind;

/// Changes of one scenario, repetitions counted.
const CHANGES_MAX: usize = 10_000;

/// A sentence that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub wanted: String,
    pub near: Option<String>,
}

impl Wrong {
    pub fn new(wanted: impl Into<String>) -> Self {
        Self { wanted: wanted.into(), near: None }
    }
}

/// Who is mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Anyone,
    /// All staff, each counted for itself.
    Staff,
    /// As the record of notices names it: `wisp:langhenet`, `staff:rete@unione.example`, `site:alto`.
    Key(String),
}

/// Which mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// `None`: of any kind.
    pub kind: Option<NoticeKind>,
    /// Those that are recorded in a running-in, and not sent.
    pub unsent: bool,
    pub to: Who,
    /// From the start: first moment, and the moment that is too late.
    pub within: Option<(Duration, Duration)>,
    pub about: Option<Place>,
    pub condition: Option<Condition>,
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Exactly(usize),
    AtLeastOne,
}

/// An incident that is to be, or is not to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentPattern {
    pub condition: Condition,
    pub about: Place,
    pub opens: Option<Duration>,
    pub closes: Option<Duration>,
    pub because_of: Option<Place>,
    /// A root: no other explains it.
    pub root: bool,
}

/// What must come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    Mails(Count, Pattern),
    Incident(bool, IncidentPattern),
    /// Mails that may come or not.
    Allow(Pattern),
}

/// One sentence.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    Changes(Vec<(Duration, Change)>),
    Expect(Expect),
}

/// Takes the words of a sentence one by one.
pub struct Words<'t> {
    words: Vec<&'t str>,
    at: usize,
}

impl<'t> Words<'t> {
    fn new(text: &'t str) -> Self {
        Self { words: text.split_whitespace().collect(), at: 0 }
    }

    pub fn peek(&self) -> Option<&'t str> {
        self.words.get(self.at).copied()
    }

    pub fn next(&mut self, what: &str) -> Result<&'t str, Wrong> {
        let word = self.peek().ok_or_else(|| Wrong::new(format!("ends where {what} should follow")))?;
        self.at += 1;
        Ok(word)
    }

    /// Takes the word if it is next.
    pub fn accept(&mut self, word: &str) -> bool {
        let is = self.peek() == Some(word);
        self.at += usize::from(is);
        is
    }

    pub fn time(&mut self) -> Result<Duration, Wrong> {
        let word = self.next("a time such as 10m or 1h30m")?;
        parse_duration(word).ok_or_else(|| Wrong::new(format!("{word} is not a time such as 90s, 10m or 1h30m")))
    }

    pub fn number(&mut self, what: &str) -> Result<f64, Wrong> {
        let word = self.next(what)?;
        let number = word.parse::<f64>().ok().filter(|n| n.is_finite());
        number.ok_or_else(|| Wrong::new(format!("{word} is not {what}")))
    }

    /// One of these words; with what was probably meant, if it is none.
    pub fn one_of(&mut self, what: &str, choices: &[&str]) -> Result<&'t str, Wrong> {
        let word = self.next(what)?;
        if choices.contains(&word) {
            return Ok(word);
        }
        let near = crate::config::problem::near_miss(word, choices.iter().copied()).map(str::to_owned);
        Err(Wrong { wanted: format!("{word} must be {what}: {}", choices.join(", ")), near })
    }

    fn finish(&self) -> Result<(), Wrong> {
        match self.peek() {
            None => Ok(()),
            Some(word) => Err(Wrong::new(format!("has something after its end: {word}"))),
        }
    }
}

/// Reads one sentence.
pub fn sentence(text: &str, names: &Names<'_>) -> Result<Said, Wrong> {
    let mut words = Words::new(text);
    let first = words.one_of("the first word", &["at", "from", "every", "expect", "allow"])?;
    let said = match first {
        "at" => {
            let at = words.time()?;
            Said::Changes(vec![(at, change(&mut words, names)?)])
        }
        "from" => Said::Changes(lasting(&mut words, names)?),
        "every" => Said::Changes(repeated(&mut words, names)?),
        "allow" => {
            let pattern = pattern(&mut words, names)?;
            Said::Expect(Expect::Allow(pattern))
        }
        _ => Said::Expect(expect(&mut words, names)?),
    };
    words.finish()?;
    Ok(said)
}

fn span(words: &mut Words<'_>) -> Result<(Duration, Duration), Wrong> {
    let from = words.time()?;
    words.one_of("the word", &["to"])?;
    let to = words.time()?;
    if to <= from {
        return Err(Wrong::new("must end later than it begins"));
    }
    Ok((from, to))
}

fn reversed(change: &Change) -> Result<Change, Wrong> {
    change.reverse().ok_or_else(|| Wrong::new("has no opposite: write it with `at`"))
}

fn lasting(words: &mut Words<'_>, names: &Names<'_>) -> Result<Vec<(Duration, Change)>, Wrong> {
    let (from, to) = span(words)?;
    let change = change(words, names)?;
    let back = reversed(&change)?;
    Ok(vec![(from, change), (to, back)])
}

fn repeated(words: &mut Words<'_>, names: &Names<'_>) -> Result<Vec<(Duration, Change)>, Wrong> {
    let every = words.time()?;
    words.one_of("the word", &["from"])?;
    let (from, to) = span(words)?;
    let change = change(words, names)?;
    let back = reversed(&change)?;
    words.one_of("the word", &["for"])?;
    let lasts = words.time()?;
    if lasts.is_zero() || lasts >= every {
        return Err(Wrong::new("must last shorter than it takes to come again, and longer than nothing"));
    }
    let mut changes = Vec::new();
    let mut at = from;
    while at < to {
        if changes.len() >= CHANGES_MAX {
            return Err(Wrong::new(format!("makes more than {CHANGES_MAX} changes")));
        }
        changes.extend([(at, change.clone()), (at + lasts, back.clone())]);
        at += every;
    }
    Ok(changes)
}

const KINDS: [(&str, Option<NoticeKind>); 12] = [
    ("mail", None),
    ("mails", None),
    ("opened", Some(NoticeKind::Opened)),
    ("closed", Some(NoticeKind::Closed)),
    ("changed", Some(NoticeKind::Changed)),
    ("reminder", Some(NoticeKind::Reminder)),
    ("escalated", Some(NoticeKind::Escalated)),
    ("summary", Some(NoticeKind::Summary)),
    ("digest", Some(NoticeKind::Digest)),
    ("rodaggio_digest", Some(NoticeKind::RodaggioDigest)),
    ("weekly", Some(NoticeKind::Weekly)),
    ("undeliverable", Some(NoticeKind::Undeliverable)),
];

fn expect(words: &mut Words<'_>, names: &Names<'_>) -> Result<Expect, Wrong> {
    let count = match words.peek() {
        Some("no") => Some(Count::Exactly(0)),
        Some("some") => Some(Count::AtLeastOne),
        Some(word) => word.parse().ok().map(Count::Exactly),
        None => None,
    };
    if count.is_some() {
        words.next("a number")?;
    }
    if words.accept("incident") {
        return Ok(Expect::Incident(count != Some(Count::Exactly(0)), incident(words, names)?));
    }
    Ok(Expect::Mails(count.unwrap_or(Count::Exactly(1)), pattern(words, names)?))
}

fn pattern(words: &mut Words<'_>, names: &Names<'_>) -> Result<Pattern, Wrong> {
    let unsent = words.accept("unsent");
    let known: Vec<&str> = KINDS.iter().map(|(word, _)| *word).collect();
    let word = words.one_of("what is mailed", &known)?;
    let kind = KINDS.iter().find(|(name, _)| *name == word).and_then(|(_, kind)| *kind);
    words.one_of("the word", &["to"])?;
    let to = who(words, names)?;
    let mut found = Pattern { kind, unsent, to, within: None, about: None, condition: None };
    while words.peek().is_some() {
        match words.one_of("one of", &["at", "between", "about", "as"])? {
            "at" => {
                let at = words.time()?;
                found.within = Some((at, at + super::MINUTE));
            }
            "between" => {
                let from = words.time()?;
                words.one_of("the word", &["and"])?;
                found.within = Some((from, words.time()?));
            }
            "about" => found.about = Some(names.place(words)?),
            _ => found.condition = Some(condition(words)?),
        }
    }
    Ok(found)
}

fn who(words: &mut Words<'_>, names: &Names<'_>) -> Result<Who, Wrong> {
    let word = words.next("who gets it: an operator, staff, an address of the staff, contact SITE, anyone")?;
    match word {
        "anyone" => Ok(Who::Anyone),
        "staff" => Ok(Who::Staff),
        "contact" => match names.place_of("site", words)? {
            Place::Site(id) => Ok(Who::Key(format!("site:{id}"))),
            _ => Err(Wrong::new("contact must be followed by a site")),
        },
        address if address.contains('@') => names.staff(address).map(|()| Who::Key(format!("staff:{address}"))),
        id => names.wisp(id).map(|id| Who::Key(format!("wisp:{id}"))),
    }
}

fn condition(words: &mut Words<'_>) -> Result<Condition, Wrong> {
    let known: Vec<&str> = Condition::ALL.iter().map(|c| c.as_str()).collect();
    let word = words.one_of("a condition", &known)?;
    Condition::ALL.into_iter().find(|c| c.as_str() == word).ok_or_else(|| Wrong::new("must be a condition"))
}

fn incident(words: &mut Words<'_>, names: &Names<'_>) -> Result<IncidentPattern, Wrong> {
    let condition = condition(words)?;
    words.one_of("the word", &["about"])?;
    let about = names.place(words)?;
    let mut found = IncidentPattern { condition, about, opens: None, closes: None, because_of: None, root: false };
    while words.peek().is_some() {
        match words.one_of("one of", &["opens", "closes", "because-of", "alone"])? {
            "opens" => found.opens = Some(words.time()?),
            "closes" => found.closes = Some(words.time()?),
            "because-of" => found.because_of = Some(names.place(words)?),
            _ => found.root = true,
        }
    }
    Ok(found)
}
