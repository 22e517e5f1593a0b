//! `docs/metrics.md` is what the catalogue says. `VEDETTA_BLESS=1 cargo test --test metrics_doc` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use vedetta::catalogue::{ALL, FROM_SUFFIX, Kind, MISSING_SUFFIX, Measurement, Origin, Unit};
use vedetta::model::{Missing, Provenance, Tag};

const INTRODUCTION: &str = "\
<!-- Generated from src/catalogue.rs: VEDETTA_BLESS=1 cargo test --test metrics_doc -->

# Metrics

Every metric that vedetta makes. In line protocol (MQTT, InfluxDB) a line is one measurement with its tags and fields:

```
radio,device=bossolasco-murazzano-af60,radio=1,site=bossolasco capacity_tx_mbps=1951,capacity_tx_mbps_from=1,noise_floor_dbm_missing=2,rsl_dbm=-55 1767225600000
```

- Timestamps are milliseconds since 1970, UTC. Numbers are floats. Texts are quoted, and only in `radio_info`.
- **Missing is not zero.** A reading that could not be taken is `<field>_missing=<code>`, and then `<field>` is absent.
- How a capacity is known is `<field>_from=<code>` beside it.
- `tx` and `rx` are as the polled device sees them; the tag `direction` of `link` and `site` is `downstream` (towards the
  site that is served) or `upstream`.
- `capacity` is what a link can carry now, `throughput` what passes, `target` what was promised.
- Codes and names never change meaning. Readers ignore names that they do not know.
";

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Dbm => "dBm",
        Unit::Db => "dB",
        Unit::Mbps => "Mbit/s",
        Unit::Mhz => "MHz",
        Unit::Ms => "ms",
        Unit::Secs => "s",
        Unit::Percent => "%",
        Unit::Celsius => "°C",
        Unit::Volts => "V",
        Unit::Amps => "A",
        Unit::Watts => "W",
        Unit::Meters => "m",
        Unit::Degrees => "°",
        Unit::Bytes => "bytes",
        Unit::Count => "count",
        Unit::Flag => "0 or 1",
        Unit::Index => "index",
        Unit::Text => "text",
    }
}

fn push_measurement(measurement: &Measurement, out: &mut String) -> std::fmt::Result {
    let origin = match measurement.origin {
        Origin::Agent => "Made by agents.",
        Origin::Hub => "Derived by the hub.",
    };
    writeln!(out, "\n## `{}`\n\n{}. {origin}\n", measurement.name, measurement.description)?;
    writeln!(out, "| field | unit | kind | meaning |\n|---|---|---|---|")?;
    for field in measurement.fields {
        let kind = match field.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        writeln!(out, "| `{}` | {} | {kind} | {} |", field.name, unit(field.unit), field.description)?;
    }
    Ok(())
}

fn document() -> Result<String, std::fmt::Error> {
    let mut out = INTRODUCTION.to_owned();
    let tags: Vec<String> = Tag::ALL.iter().map(|tag| format!("`{tag}`")).collect();
    writeln!(
        out,
        "\nTags, in this order: {}. The hub adds `wisp` and `link` to what it\nforwards to InfluxDB, where a device, or its radio, belongs to one alone.",
        tags.join(", ")
    )?;
    for measurement in ALL {
        push_measurement(measurement, &mut out)?;
    }
    writeln!(out, "\n## Codes of `<field>{MISSING_SUFFIX}`\n\n| code | reason |\n|---|---|")?;
    for why in Missing::ALL {
        writeln!(out, "| {} | {} |", why.code(), why.as_str())?;
    }
    writeln!(out, "\n## Codes of `<field>{FROM_SUFFIX}`\n\n| code | provenance |\n|---|---|")?;
    for from in Provenance::ALL {
        writeln!(out, "| {} | {} |", from.code(), from.as_str())?;
    }
    Ok(out)
}

#[test]
fn the_document_is_what_the_catalogue_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let wanted = document().unwrap();
    if std::env::var_os("VEDETTA_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "docs/metrics.md is out of date (VEDETTA_BLESS=1 rewrites it); first difference: {differs:?}"
    );
}
