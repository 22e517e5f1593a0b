//! What is wrong with a file, said so that it can be mended without asking anybody. `[P]`

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Errors listed for one file, and warnings as many. A file with more is not a hand-written inventory; the rest is
/// only counted, which also bounds the search for near misses.
pub const PROBLEMS_MAX: usize = 500;

/// Longest piece of a file that a message quotes, in characters.
const FOUND_CHARS_MAX: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, and probably does not do what its author meant.
    Warning,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub file: PathBuf,
    /// From 1; `None` where the problem is the whole file.
    pub line: Option<usize>,
    /// In characters, from 1.
    pub column: Option<usize>,
    /// What it is about: `link "pizzo-valle": cost`. Empty where the problem is the whole file.
    pub place: String,
    /// The value as it stands in the file; never one that may be a secret.
    pub found: Option<String>,
    /// What would be right.
    pub wanted: String,
    pub near_miss: Option<String>,
}

impl Problem {
    /// A problem of the file as a whole.
    pub fn of_file(file: &Path, wanted: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: None,
            column: None,
            place: String::new(),
            found: None,
            wanted: wanted.into(),
            near_miss: None,
        }
    }

    /// The message without file and position: `link "pizzo-valle": cost = -3: must be …`.
    pub fn message(&self) -> String {
        let mut text = self.place.clone();
        if let Some(found) = &self.found {
            text.push_str(" = ");
            text.push_str(found);
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&self.wanted);
        if let Some(near) = &self.near_miss {
            // Writing to a String cannot fail.
            let _ = write!(text, " (did you mean {near}?)");
        }
        text
    }

    /// `configs/x.toml:41:8`, as editors and terminals recognise it.
    pub fn position(&self) -> String {
        let mut text = self.file.display().to_string();
        for number in [self.line, self.column].into_iter().flatten() {
            let _ = write!(text, ":{number}");
        }
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.position(), self.severity.as_str(), self.message())
    }
}

/// A problem before its byte offset has become a line: what the pure checks return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    severity: Severity,
    at: usize,
    place: String,
    found: Option<String>,
    wanted: String,
    near_miss: Option<String>,
}

impl Finding {
    /// `at` is a byte offset into the file's text.
    pub fn error(at: usize, place: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { severity: Severity::Error, at, place: place.into(), found: None, wanted: wanted.into(), near_miss: None }
    }

    pub fn warning(at: usize, place: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(at, place, wanted) }
    }

    #[must_use]
    pub fn found(mut self, found: impl AsRef<str>) -> Self {
        self.found = Some(shorten(found.as_ref()));
        self
    }

    #[must_use]
    pub fn near(mut self, near_miss: Option<String>) -> Self {
        self.near_miss = near_miss;
        self
    }
}

/// Everything found in one file so far.
#[derive(Debug, Default)]
pub struct Findings {
    list: Vec<Finding>,
    n_errors: usize,
    n_warnings: usize,
}

impl Findings {
    pub fn push(&mut self, finding: Finding) {
        let count = match finding.severity {
            Severity::Error => &mut self.n_errors,
            Severity::Warning => &mut self.n_warnings,
        };
        *count += 1;
        if *count <= PROBLEMS_MAX {
            self.list.push(finding);
        }
    }

    /// Whether a further error would only be counted: then nobody needs to look for a near miss.
    pub fn is_full(&self) -> bool {
        self.n_errors >= PROBLEMS_MAX
    }

    pub fn has_error(&self) -> bool {
        self.n_errors > 0
    }

    /// In the order of the file, each with its line and column.
    pub fn into_problems(mut self, file: &Path, text: &str) -> Vec<Problem> {
        self.list.sort_by_key(|finding| finding.at);
        let lines = Lines::new(text);
        let mut problems: Vec<_> = self.list.into_iter().map(|finding| lines.locate(file, finding)).collect();
        for (severity, n, name) in
            [(Severity::Error, self.n_errors, "errors"), (Severity::Warning, self.n_warnings, "warnings")]
        {
            if let Some(n_more @ 1..) = n.checked_sub(PROBLEMS_MAX) {
                let wanted = format!("more {name} than are shown: {n_more}");
                problems.push(Problem { severity, ..Problem::of_file(file, wanted) });
            }
        }
        problems
    }
}

/// Finds lines and columns without reading the text from its start for every problem.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn locate(&self, file: &Path, finding: Finding) -> Problem {
        let line = self.starts.partition_point(|start| *start <= finding.at).max(1);
        let before = self.text.get(self.starts[line - 1]..finding.at).unwrap_or("");
        Problem {
            severity: finding.severity,
            file: file.to_owned(),
            line: Some(line),
            column: Some(before.chars().count() + 1),
            place: finding.place,
            found: finding.found,
            wanted: finding.wanted,
            near_miss: finding.near_miss,
        }
    }
}

/// A piece of the file for a message: one line, no control characters, not too long.
pub(super) fn shorten(text: &str) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == FOUND_CHARS_MAX || c == '\n' {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_debug());
        } else {
            out.push(c);
        }
    }
    out
}

/// The piece of `text` at `span`, for a message.
pub(super) fn excerpt(text: &str, span: Range<usize>) -> String {
    shorten(text.get(span).unwrap_or(""))
}

/// The candidate that somebody may have meant: at most a third of its letters differ (a letter swapped with its
/// neighbour counts once). Of equals, the first.
pub fn near_miss<'c>(found: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let found = found.to_lowercase();
    let length = found.chars().count();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = candidate.chars().count();
            let limit = (length.max(other) / 3).max(1);
            if length.abs_diff(other) > limit {
                return None;
            }
            let distance = strsim::osa_distance(&found, &candidate.to_lowercase());
            (distance <= limit && distance < other).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_like_a_compilers() {
        let text = "a = 1\n\n[[link]]\nid = \"pizzo-valle\"\nè = 1; cost = -3\n";
        let mut findings = Findings::default();
        let at = text.find("-3").unwrap();
        let finding = Finding::error(at, "link \"pizzo-valle\": cost", "must be between 1 and 65535");
        findings.push(finding.found("-3").near(Some("3".into())));
        let problems = findings.into_problems(Path::new("configs/x.toml"), text);
        assert_eq!(
            problems[0].to_string(),
            "configs/x.toml:5:15: error: link \"pizzo-valle\": cost = -3: must be between 1 and 65535 (did you mean 3?)"
        );
    }

    #[test]
    fn problems_come_in_the_order_of_the_file_and_are_bounded() {
        let mut findings = Findings::default();
        for n in (0..PROBLEMS_MAX + 7).rev() {
            findings.push(Finding::warning(n, "x", "y"));
        }
        assert!(!findings.has_error());
        let problems = findings.into_problems(Path::new("f"), &" ".repeat(600));
        assert_eq!(problems.len(), PROBLEMS_MAX + 1);
        assert_eq!(problems[0].column, Some(8));
        assert!(problems.iter().all(|problem| problem.severity == Severity::Warning));
        assert_eq!(problems[PROBLEMS_MAX].to_string(), "f: warning: more warnings than are shown: 7");
    }

    #[test]
    fn a_position_beyond_the_text_is_no_panic() {
        let mut findings = Findings::default();
        findings.push(Finding::error(99, "x", "y"));
        let problems = findings.into_problems(Path::new("f"), "é");
        assert_eq!((problems[0].line, problems[0].column), (Some(1), Some(1)));
    }

    #[test]
    fn near_misses() {
        fn check(found: &str, expected: Option<&str>) {
            let names = ["address", "bossolasco", "murazzano", "id", "site", "snmp", "snmp_port"];
            assert_eq!(near_miss(found, names), expected, "{found}");
        }
        check("adress", Some("address"));
        check("bosolasco", Some("bossolasco"));
        check("muraznzao", Some("murazzano"));
        check("Site", Some("site"));
        check("snmp-port", Some("snmp_port"));
        check("quite-another", None);
        check("", None);
        check("zz", None);
    }

    #[test]
    fn what_a_message_quotes_is_one_short_line() {
        assert_eq!(shorten("a\tb"), "a\\tb");
        assert_eq!(shorten("one\ntwo"), "one…");
        assert_eq!(shorten(&"x".repeat(100)).chars().count(), FOUND_CHARS_MAX + 1);
    }
}
