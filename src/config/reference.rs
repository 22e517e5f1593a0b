//! docs/inventory.md: every file, table and key that people may write, printed from the schema that reads them. `[P]`

use std::fmt::Write as _;

use super::schema::{FileKind, Key, Kind, Presence, Table};

const INTRODUCTION: &str = "\
# Files and their keys

<!-- Generated from src/config/schema; `VEDETTA_BLESS=1 cargo test --test shipped` writes it anew. -->

Three files, in [TOML](https://toml.io): the inventory `network.toml` describes the network, `hub.toml` sets up the
Union's machine, `agent.toml` a machine at a relay site. `vedetta check FILE...` reads them exactly as the programs do
and lists every problem with its line. A key that is not listed here is an error, so that a slip of the pen is not
silently a default.

- **id**: `a-z`, `0-9` and hyphens, at most 64 of them; unique among the items of its table.
- **duration**: a text with its unit, such as `\"30s\"`, `\"15m\"`, `\"1h30m\"`, `\"35d\"`; also `ms`.
- **path**: relative to the directory of the file that names it.
- **secret file**, **secret variable**: a secret never stands in these files. It is the only line of a file, or the
  value of an environment variable of the process that needs it.
- In the names of keys a dot goes into a table: `contract.downstream_mbps` is written
  `contract = { downstream_mbps = 100 }`. What is required in a table is required where the table is written.
";

/// The whole page.
pub fn markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    for kind in FileKind::ALL {
        // Writing to a String cannot fail.
        let _ = write!(out, "\n## `{}`\n\n{}\n", kind.file_name(), kind.schema().meaning);
        file(&mut out, kind.schema());
    }
    out
}

fn file(out: &mut String, schema: &'static Table) {
    let (tables, keys): (Vec<_>, Vec<_>) =
        schema.keys.iter().partition(|key| matches!(key.kind, Kind::Table(_) | Kind::Tables(_)));
    if !keys.is_empty() {
        out.push_str("\n### At the top of the file\n\n");
        rows(out, &keys);
    }
    for key in tables {
        let (heading, table, many) = match key.kind {
            Kind::Tables(table) => (format!("[[{}]]", key.name), table, " Any number of them."),
            Kind::Table(table) => (format!("[{}]", key.name), table, ""),
            _ => continue,
        };
        let absent = match key.presence {
            Presence::Required => " Required.".to_owned(),
            Presence::Optional(otherwise) => format!(" Without it: {otherwise}."),
            Presence::Default(_) => String::new(),
        };
        let _ = write!(out, "\n### `{heading}`\n\n{}{many}{absent}\n\n", table.meaning);
        rows(out, &table.keys.iter().collect::<Vec<_>>());
    }
}

fn rows(out: &mut String, keys: &[&Key]) {
    out.push_str("| key | type | unit | default | meaning |\n|---|---|---|---|---|\n");
    for key in keys {
        row(out, "", key);
    }
}

fn row(out: &mut String, path: &str, key: &Key) {
    if matches!(key.kind, Kind::Refused(_)) {
        return;
    }
    let default = match key.presence {
        Presence::Required => "required".to_owned(),
        Presence::Default(value) => format!("`{value}`"),
        Presence::Optional(otherwise) => otherwise.to_owned(),
    };
    let name = key.name;
    let _ = writeln!(out, "| `{path}{name}` | {} | {} | {default} | {} |", type_of(key.kind), key.unit, key.meaning);
    let (inner, joint) = match key.kind {
        Kind::Table(inner) => (inner, "."),
        Kind::Tables(inner) => (inner, "[]."),
        _ => return,
    };
    for key in inner.keys {
        row(out, &format!("{path}{name}{joint}"), key);
    }
}

fn type_of(kind: Kind) -> String {
    let fixed = match kind {
        Kind::Id => "id",
        Kind::Text => "text, one line",
        Kind::Prose => "text",
        Kind::Texts => "list of texts",
        Kind::Boolean => "`true` or `false`",
        Kind::TimeOfDay => "time of day, `\"22:30\"`",
        Kind::TimeZone => "time zone",
        Kind::Address => "IP address",
        Kind::Addresses => "list of IP addresses",
        Kind::Socket => "IP address and port",
        Kind::Host => "host name or IP address",
        Kind::Mac => "MAC address",
        Kind::Email => "e-mail address",
        Kind::Emails => "list of e-mail addresses",
        Kind::Mailbox => "`Name <address>`",
        Kind::Url => "URL",
        Kind::Path => "path",
        Kind::SecretFile => "secret file",
        Kind::SecretEnv => "secret variable",
        Kind::Refused(_) => "refused",
        Kind::Table(_) => "table",
        Kind::Tables(_) => "list of tables",
        Kind::Reference(table) => return format!("id of a `[[{table}]]`"),
        Kind::References(table, n_min) => return format!("list of ids of `[[{table}]]`, at least {n_min}"),
        Kind::Choice(choices) => return choices.iter().map(|c| format!("`\"{c}\"`")).collect::<Vec<_>>().join(", "),
        Kind::Integer(min, max) => return format!("whole number, {min} to {max}"),
        Kind::Number(min, max) => return format!("number, {min} to {max}"),
        Kind::Positive(max) => return format!("number above 0, at most {max}"),
        Kind::Duration(min, max) => return format!("duration, `{min}` to `{max}`"),
    };
    fixed.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_and_no_refused_key_is_on_the_page() {
        let page = markdown();
        for heading in ["`[network]`", "`[[site]]`", "`[[credential]]`", "`[mail]`", "`[spool]`"] {
            assert!(page.contains(heading), "{heading}");
        }
        assert!(page.contains("| `smtp.host` |") && page.contains("| `contract.downstream_mbps` |"));
        assert!(!page.contains("| `community` |") && !page.contains("`smtp.password` |"));
        let is_row_whole = |line: &str| line.matches(" | ").count() == 4;
        let rows = page.lines().filter(|line| line.starts_with("| `"));
        assert!(rows.clone().count() > 100);
        for row in rows {
            assert!(is_row_whole(&row.replace("|  |", "| - |")), "{row}");
        }
    }
}
