//! `docs/conditions.md`, from the table of conditions.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Delivery, SPECS, Spec};

const HEAD: &str = "# Conditions

What vedetta tells people about, and when. This page is printed from the table that the program judges by
(`src/model/condition/specs.rs`).

A condition must last for its hold time before an incident opens, and be well again for its own time before it closes;
where it is judged by a figure, the figure to close lies on the safe side of the figure to open. What is not known
neither opens nor closes anything: it pauses a hold for three poll intervals, then starts it anew. An incident that is
explained by another is shown and counted, and never mailed on its own. What comes and goes is one unstable incident: it
stays open until all has been quiet.

What concerns a site, a service, a device or a member of a bundle holds one poll interval longer than written here, so
that its cause is known first.

The figures can be set in `hub.toml`, for the network, for a kind of subject, or for one subject; the narrower wins:

```toml
[[alert.condition]]
condition = \"packet_loss\"
threshold = 8               # in the unit of the condition
open = \"20m\"

[[alert.condition]]
condition = \"packet_loss\"
kind = \"backhaul\"
delivery = \"digest\"

[[alert.condition]]
condition = \"link_down\"
subject = \"bossolasco-murazzano\"
open = \"10m\"
severity = \"critical\"
```

The hold times of capacity and outage are keys of `[alert]` itself (`capacity_open`, `down_open`, …); an
`[[alert.condition]]` goes before them.

## What is odd

- **A topology with cycles** is no contradiction: causes are found by asking what would be well if a link were. An
  **island** (a site without any way to the Internet) has no cause that can be named, and is told.
- **An incident about something that the inventory no longer has** is closed at the next evaluation, and those told of
  it are told of the end.
- **A clock that jumps** forward counts like a time in which nobody looked: holds start anew, and the gap is nobody's
  downtime. One that jumps back moves every start to the present; nothing opens early for it.
- **While the hub hears nobody** one incident says so (`hub_blind`), and everything else stands still.
";

fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => "at once".to_owned(),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

fn one(page: &mut String, spec: &Spec) {
    let delivery = match spec.delivery {
        Delivery::AtOnce => "at once",
        Delivery::Digest => "with the daily digest",
    };
    let to = if spec.tells_operator { "operator and staff" } else { "staff" };
    let _ = writeln!(page, "\n## {} (`{}`)\n", spec.title_en, spec.word);
    let _ = writeln!(page, "*{}.* {}\n", spec.title_it, spec.meaning);
    let _ = writeln!(page, "| about | opens after | closes after | opens at | closes at | severity | mailed | to |");
    let _ = writeln!(page, "|---|---|---|---|---|---|---|---|");
    let (opens, closes) = spec.threshold.map_or_else(
        || ("–".to_owned(), "–".to_owned()),
        |t| (format!("{} {}", t.open, t.unit), format!("{} {}", t.close, t.unit)),
    );
    let _ = writeln!(
        page,
        "| {} | {} | {} | {opens} | {closes} | {} | {delivery} | {to} |\n",
        spec.about.as_str(),
        span(spec.open),
        span(spec.close),
        spec.severity.as_str(),
    );
    if let Some(t) = spec.threshold {
        let _ = writeln!(
            page,
            "The figure: {}. It may be set from {} to {} {}.\n",
            t.meaning, t.range.0, t.range.1, t.unit
        );
    }
    let d = spec.damping;
    let _ = writeln!(page, "Why so: {}", spec.why);
    let _ = writeln!(
        page,
        "Unstable from {} openings in {} on, until quiet for {}.\n",
        d.openings,
        span(d.window),
        span(d.quiet)
    );
    let _ = writeln!(page, "What to do: {}", spec.to_do);
}

/// The whole page.
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for spec in &SPECS {
        one(&mut page, spec);
    }
    page
}
