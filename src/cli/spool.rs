//! `vedetta spool`: what an agent still holds, and whether it is sound.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use crate::model::UnixMillis;
use crate::spool::{Inspection, inspect};

/// An agent at work finishes a record that was being written within this.
const SECOND_LOOK: Duration = Duration::from_millis(500);
/// Ranges shown to a person; `--json` has all.
const RANGES_SHOWN: usize = 8;

/// Prints what the directory holds; exit code 1 if anything in it is damaged.
pub fn spool(dir: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let context = || format!("{}: is this the spool of an agent?", dir.display());
    let mut seen = inspect(dir).with_context(context)?;
    if seen.torn_bytes > 0 {
        std::thread::sleep(SECOND_LOOK);
        seen = inspect(dir).with_context(context)?;
    }
    if as_json {
        println!("{:#}", to_json(&seen));
    } else {
        print!("{}", to_text(&seen));
    }
    Ok(ExitCode::from(u8::from(seen.is_damaged())))
}

/// UTC: whose network this is, a spool does not know.
fn instant(at: UnixMillis) -> Option<String> {
    jiff::Timestamp::from_millisecond(at.0).ok().map(|t| t.to_string())
}

fn to_json(seen: &Inspection) -> serde_json::Value {
    json!({
        "epoch": seen.epoch.map(|e| e.to_string()),
        "ledger": seen.ledger,
        "segments": seen.segments,
        "bytes": seen.bytes,
        "batches": seen.records,
        "pending_batches": seen.pending,
        "held": seen.held,
        "stored": seen.stored,
        "oldest": seen.oldest.and_then(instant),
        "newest": seen.newest.and_then(instant),
        "evicted_batches": seen.evicted_batches,
        "corrupt_records": seen.corrupt_before,
        "damaged_places": seen.damaged_places,
        "torn_bytes": seen.torn_bytes,
        "foreign_segments": seen.foreign_segments,
        "sound": !seen.is_damaged(),
    })
}

fn ranges(set: &crate::wire::ranges::RangeSet) -> String {
    let all = set.ranges();
    let shown: Vec<String> =
        all.iter().take(RANGES_SHOWN).map(|(a, b)| if a == b { a.to_string() } else { format!("{a}–{b}") }).collect();
    match all.len().saturating_sub(RANGES_SHOWN) {
        _ if all.is_empty() => "none".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} ranges more", shown.join(", ")),
    }
}

fn to_text(seen: &Inspection) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<10} {value}");
    };
    line("epoch", seen.epoch.map_or("none yet".to_owned(), |e| e.to_string()));
    line("ledger", seen.ledger.map_or("none heard of yet".to_owned(), |l| l.to_string()));
    line("held", format!("{} batches in {} segments, {} bytes", seen.records, seen.segments, seen.bytes));
    line("waiting", format!("{} batches that the hub is not known to have stored", seen.pending));
    line("numbers", ranges(&seen.held));
    line("stored", ranges(&seen.stored));
    let at = |t: Option<UnixMillis>| t.and_then(instant).unwrap_or_else(|| "none".to_owned());
    line("oldest", at(seen.oldest));
    line("newest", at(seen.newest));
    line("given up", format!("{} batches, for want of room or because of their age", seen.evicted_batches));
    line("damage", damage(seen));
    text
}

fn damage(seen: &Inspection) -> String {
    if !seen.is_damaged() {
        return match seen.corrupt_before {
            0 => "none".to_owned(),
            n => format!("none now; {n} damaged records were skipped before"),
        };
    }
    let mut found = Vec::new();
    if seen.damaged_places > 0 {
        found.push(format!("{} places with a wrong checksum", seen.damaged_places));
    }
    if seen.torn_bytes > 0 {
        found.push(format!("{} bytes of a record that was never finished", seen.torn_bytes));
    }
    if seen.foreign_segments > 0 {
        found.push(format!("{} segments of another epoch", seen.foreign_segments));
    }
    format!("{}; the agent skips it at its next start, and the hub reports what is missing", found.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::SpoolLimits;
    use crate::model::MonoMillis;
    use crate::spool::{NewBatch, Origin, Spool};
    use crate::wire::batch::{ClockQuality, pack};

    #[test]
    fn a_live_spool_is_shown_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let limits = SpoolLimits { bytes_max: 100_000, ..SpoolLimits::default() };
        let mut spool = Spool::open(dir.path(), limits, 7).unwrap();
        let origin = Origin {
            boot: 1,
            mono_ms: MonoMillis(0),
            made_at: UnixMillis(1_800_000_000_000),
            clock: ClockQuality::Set,
        };
        let batch = |text: &str| NewBatch { packed: pack(text.as_bytes()).unwrap(), n_samples: 1, origin };
        spool.append(&[batch("one"), batch("two"), batch("three")]);
        let seen = inspect(dir.path()).unwrap();
        let text = to_text(&seen);
        assert!(text.contains("numbers    1–3\n") && text.contains("damage     none\n"), "{text}");
        assert!(text.contains("oldest     2027-01-15T08:00:00Z"), "{text}");
        let json = to_json(&seen);
        assert_eq!((&json["held"], &json["sound"], &json["epoch"]), (&json!([[1, 3]]), &json!(true), &json!("7")));
        let file = dir.path().join("000000000001.seg");
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[40] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let seen = inspect(dir.path()).unwrap();
        assert!(seen.is_damaged() && to_text(&seen).contains("1 places with a wrong checksum"));
        assert!(inspect(&dir.path().join("nowhere")).is_err());
    }
}
