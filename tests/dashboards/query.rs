//! What a panel asks, told once; and the same in PromQL and in Flux. Names come from the catalogue, or from the hub's
//! own list: one that does not exist does not get this far.

use std::fmt::Write as _;

use vedetta::catalogue::{self, Unit};
use vedetta::web::metrics::{OWN, PREFIX};

/// Where the answers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    Prometheus,
    Influx,
}

impl Store {
    pub const ALL: [Self; 2] = [Self::Prometheus, Self::Influx];

    /// Of its directory, and Grafana's name of its kind of data source.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Influx => "influxdb",
        }
    }
}

/// Which series.
#[derive(Debug, Clone, Copy)]
pub enum By {
    /// The tag has this value.
    Is(&'static str, &'static str),
    /// The same in InfluxDB only; `/metrics` says once what is the same in both directions.
    IsOnWire(&'static str, &'static str),
    /// The tag is what the variable of the same name says.
    Chosen(&'static str),
}

/// Series of the catalogue, or of the hub's own metrics (then `measurement` is empty, and only Prometheus has them).
#[derive(Debug, Clone)]
pub struct Metric {
    pub measurement: &'static str,
    pub field: &'static str,
    pub by: Vec<By>,
}

#[derive(Debug, Clone)]
pub enum Query {
    /// Lines over time, one for each set of these tags. The text tells lines of one panel apart.
    Series(Metric, Vec<&'static str>, Option<&'static str>),
    /// How much a counter grows in a second, over time, by these tags.
    Rate(Metric, Vec<&'static str>),
    /// The latest of all series, added up.
    Total(Metric),
    /// How many series have this value now.
    CountOf(Metric, u8),
    /// Now: a row for each set of these tags, a column for each field.
    Table(Vec<Metric>, Vec<&'static str>),
    /// Now: the first field in percent of the second, the lowest first, for each set of these tags.
    Share(Metric, Metric, Vec<&'static str>),
}

pub fn metric(measurement: &'static str, field: &'static str, by: &[By]) -> Metric {
    let known = catalogue::measurement(measurement).and_then(|m| m.field(field));
    assert!(known.is_some(), "{measurement}.{field} is not in the catalogue");
    Metric { measurement, field, by: by.to_vec() }
}

pub fn own(name: &'static str) -> Metric {
    assert!(OWN.iter().any(|m| m.name == name), "{name} is not a metric of the hub");
    Metric { measurement: "", field: name, by: Vec::new() }
}

/// Rows of one table with the most that are asked for.
const WORST: usize = 15;

impl Metric {
    pub fn unit(&self) -> Unit {
        let known = catalogue::measurement(self.measurement).and_then(|m| m.field(self.field));
        known.map_or_else(
            || match self.field {
                f if f.ends_with("_secs") => Unit::Secs,
                f if f.ends_with("_ms") => Unit::Ms,
                _ => Unit::Count,
            },
            |f| f.unit,
        )
    }

    fn promql(&self) -> String {
        let name = match self.measurement {
            "" => self.field.to_owned(),
            measurement => format!("{measurement}_{}", self.field),
        };
        let by: Vec<String> = self
            .by
            .iter()
            .filter_map(|by| match by {
                By::Is(tag, value) => Some(format!("{tag}=\"{value}\"")),
                By::Chosen(tag) => Some(format!("{tag}=~\"${tag}\"")),
                By::IsOnWire(..) => None,
            })
            .collect();
        let by = if by.is_empty() { String::new() } else { format!("{{{}}}", by.join(",")) };
        format!("{PREFIX}_{name}{by}")
    }

    /// Its points since `start`, of series that carry the tag `link` under the name `edge`.
    fn flux(metrics: &[&Self], edge: &str, start: &str) -> String {
        let fields: Vec<String> = metrics.iter().map(|m| format!("r._field == \"{}\"", m.field)).collect();
        let mut text = format!(
            "from(bucket: v.defaultBucket)\n  |> range(start: {start}, stop: v.timeRangeStop)\n  |> filter(fn: (r) => \
             r._measurement == \"{}\")\n  |> filter(fn: (r) => {})\n",
            metrics[0].measurement,
            fields.join(" or "),
        );
        for by in &metrics[0].by {
            let _ = match by {
                By::Is(tag, value) | By::IsOnWire(tag, value) => {
                    writeln!(text, "  |> filter(fn: (r) => r.{tag} == \"{value}\")")
                }
                By::Chosen("link") => writeln!(text, "  |> filter(fn: (r) => r.{edge} =~ /^${{link:regex}}$/)"),
                By::Chosen(tag) => writeln!(text, "  |> filter(fn: (r) => r.{tag} =~ /^${{{tag}:regex}}$/)"),
            };
        }
        text
    }

    /// A backhaul is a link like any other, but for the name of its tag in line protocol.
    fn edges(&self, key: &[&str]) -> &'static [&'static str] {
        match self.measurement {
            "link" if key.contains(&"link") => &["link", "backhaul"],
            _ => &["link"],
        }
    }
}

/// The same steps for links and for backhauls, both told by the tag `link`.
fn edges(metrics: &[&Metric], key: &[&str], start: &str, steps: &str) -> String {
    let names = metrics[0].edges(key);
    let parts: Vec<String> = names
        .iter()
        .map(|edge| {
            let mut text = Metric::flux(metrics, edge, start);
            if names.len() > 1 {
                let _ = writeln!(text, "  |> filter(fn: (r) => exists r.{edge})");
            }
            if *edge == "backhaul" {
                text += "  |> rename(columns: {backhaul: \"link\"})\n";
            }
            text + steps
        })
        .collect();
    match &parts[..] {
        [one] => one.clone(),
        many => format!("union(tables: [{}])\n", many.join(",\n")),
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ")
}

/// What is known now was said within this.
const NOW: &str = "-15m";

impl Query {
    /// One text for each target of the panel.
    pub fn texts(&self, store: Store) -> Vec<String> {
        match store {
            Store::Prometheus => self.promql(),
            Store::Influx => vec![self.flux()],
        }
    }

    fn promql(&self) -> Vec<String> {
        match self {
            Self::Series(metric, key, _) => vec![format!("max by ({}) ({})", key.join(", "), metric.promql())],
            Self::Rate(metric, key) => {
                vec![format!("sum by ({}) (rate({}[$__rate_interval]))", key.join(", "), metric.promql())]
            }
            Self::Total(metric) => vec![format!("sum({})", metric.promql())],
            Self::CountOf(metric, value) => vec![format!("sum({} == bool {value})", metric.promql())],
            Self::Table(metrics, key) => {
                metrics.iter().map(|m| format!("max by ({}) ({})", key.join(", "), m.promql())).collect()
            }
            Self::Share(over, under, key) => {
                let key = key.join(", ");
                let share =
                    format!("100 * max by ({key}) ({}) / (max by ({key}) ({}) > 0)", over.promql(), under.promql());
                vec![format!("bottomk({WORST}, {share})")]
            }
        }
    }

    fn flux(&self) -> String {
        match self {
            Self::Series(metric, key, what) => {
                let mut columns = key.clone();
                let mut steps = format!("  |> group(columns: [{}])\n", quoted(key));
                steps += "  |> aggregateWindow(every: v.windowPeriod, fn: mean, createEmpty: false)\n";
                if let Some(what) = what {
                    let _ = writeln!(steps, "  |> set(key: \"what\", value: \"{what}\")");
                    columns.push("what");
                }
                let _ = writeln!(steps, "  |> group(columns: [{}])", quoted(&columns));
                edges(&[metric], key, "v.timeRangeStart", &steps)
            }
            Self::Rate(metric, key) => {
                let steps = "  |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: false)\n  |> derivative(unit: \
                             1s, nonNegative: true)\n";
                let key = quoted(key);
                let group = format!(
                    "  |> group(columns: [{key}])\n  |> aggregateWindow(every: v.windowPeriod, fn: sum, \
                                     createEmpty: false)\n"
                );
                Metric::flux(&[metric], "link", "v.timeRangeStart") + steps + &group
            }
            Self::Total(metric) => Metric::flux(&[metric], "link", NOW) + "  |> last()\n  |> group()\n  |> sum()\n",
            Self::CountOf(metric, value) => {
                let flag = format!("if r._value == {value}.0 then 1.0 else 0.0");
                Metric::flux(&[metric], "link", NOW)
                    + &format!(
                        "  |> last()\n  |> map(fn: (r) => ({{r with _value: {flag}}}))\n  |> group()\n  |> sum()\n"
                    )
            }
            Self::Table(metrics, key) => table(&metrics.iter().collect::<Vec<_>>(), key),
            Self::Share(over, under, key) => {
                let (over_field, under_field) = (over.field, under.field);
                table(&[over, under], key)
                    + &format!(
                        "  |> filter(fn: (r) => exists r.{over_field} and r.{under_field} > 0.0)\n  |> map(fn: (r) => \
                         ({{r with Value: 100.0 * r.{over_field} / r.{under_field}}}))\n  |> drop(columns: \
                         [\"{over_field}\", \"{under_field}\"])\n  |> sort(columns: [\"Value\"])\n  |> limit(n: {WORST})\n"
                    )
            }
        }
    }
}

/// A row for each set of tags; what some series do not say, of a place that does not move, is taken from the others.
fn table(metrics: &[&Metric], key: &[&str]) -> String {
    let columns = format!("{}, \"_field\", \"_value\"", quoted(key));
    let steps = format!("  |> last()\n  |> keep(columns: [{columns}])\n");
    let pivot = format!(
        "  |> group()\n  |> pivot(rowKey: [{}], columnKey: [\"_field\"], valueColumn: \"_value\")\n",
        quoted(key)
    );
    // Series of one measurement that differ in what they are selected by are asked apart.
    let (first, others): (Vec<&Metric>, Vec<&Metric>) = metrics.iter().partition(|m| m.by.len() == metrics[0].by.len());
    let first_rows = edges(&first, key, NOW, &steps);
    if others.is_empty() {
        return first_rows + &pivot;
    }
    format!("union(tables: [{first_rows},\n{}])\n", edges(&others, key, NOW, &steps)) + &pivot
}
