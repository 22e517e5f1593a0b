//! A strict little reader of the Prometheus text format, and what `/metrics` must and must not say.

use std::collections::{BTreeMap, BTreeSet};

use super::fixture::valdora;
use vedetta::catalogue;
use vedetta::web::metrics::{OWN, PREFIX, render};

/// Series (name with its labels, sorted) to value. Panics on anything that the format does not allow.
pub fn parse(text: &str) -> BTreeMap<(String, BTreeMap<String, String>), f64> {
    let mut types = BTreeMap::new();
    let mut helps = BTreeSet::new();
    let mut series = BTreeMap::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, _) = help.split_once(' ').expect("a help text");
            assert!(helps.insert(name.to_owned()), "{name} has two help lines");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type");
            assert!(matches!(kind, "gauge" | "counter"), "{line}");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} has two types");
        } else {
            let (name, labels, value) = sample(line);
            assert!(types.contains_key(&name) && helps.contains(&name), "{name} has no type or help before it");
            assert_eq!(types[&name] == "counter", name.ends_with("_total"), "{name}");
            assert!(series.insert((name, labels), value).is_none(), "twice: {line}");
        }
    }
    series
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = line.find(|c| !word(c)).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(!name.is_empty() && !name.as_bytes()[0].is_ascii_digit(), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("label: {line}"));
            assert!(!label.is_empty() && label.chars().all(word), "{line}");
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next().unwrap_or_else(|| panic!("unfinished label: {line}")) {
                    (i, '"') => break i,
                    (_, '\\') => match chars.next() {
                        Some((_, 'n')) => value.push('\n'),
                        Some((_, c @ ('\\' | '"'))) => value.push(c),
                        other => panic!("escape {other:?}: {line}"),
                    },
                    (_, c) => value.push(c),
                }
            };
            assert!(labels.insert(label.to_owned(), value).is_none(), "label twice: {line}");
            rest = &after[end + 1..];
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no space before the value: {line}"));
    (name.to_owned(), labels, value.parse().unwrap_or_else(|_| panic!("value {value:?}: {line}")))
}

struct Metrics(BTreeMap<(String, BTreeMap<String, String>), f64>);

impl Metrics {
    /// The values of all series of that name that carry these labels.
    fn find(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let matches =
            |have: &BTreeMap<String, String>| labels.iter().all(|(k, v)| have.get(*k).is_some_and(|h| h == v));
        self.0.iter().filter(|((n, have), _)| n == name && matches(have)).map(|(_, v)| *v).collect()
    }
}

fn valdora_metrics() -> Metrics {
    Metrics(parse(&render(&valdora().snapshot(), Some(14_000_000)).unwrap()))
}

#[test]
fn links_sites_agents_and_the_hub_are_there() {
    let m = valdora_metrics();
    let check = |name: &str, labels: &[(&str, &str)], expected: f64| {
        assert_eq!(m.find(name, labels), [expected], "{name} {labels:?}");
    };
    let weak = ("link", "bric-della-luna-monteverde");
    let down = ("direction", "downstream");
    check("vedetta_link_capacity_mbps", &[weak, down, ("wisp", "altarete"), ("kind", "link")], 97.3);
    check("vedetta_link_required_mbps", &[weak, down], 190.0);
    check("vedetta_link_throughput_mbps", &[weak, down], 31.4);
    check("vedetta_link_age_secs", &[weak, down], 38.0);
    check("vedetta_link_up_flag", &[("link", "bric-della-luna-serrabruna")], 0.0);
    check("vedetta_link_on_standby_flag", &[("link", "roccalba-coppia")], 1.0);
    // A backhaul's downstream comes from the Internet.
    check("vedetta_link_required_mbps", &[("link", "valdora-fibra"), down], 540.0);
    check("vedetta_radio_rsl_dbm", &[weak, ("site", "monteverde")], -75.0);
    check("vedetta_site_target_mbps", &[("site", "monteverde"), down], 30.0);
    check("vedetta_site_together_mbps", &[("site", "monteverde"), down], 29.97);
    check("vedetta_site_below_flag", &[("site", "monteverde")], 1.0);
    check("vedetta_site_below_flag", &[("site", "municipio-roccalba"), ("direction", "upstream")], 1.0);
    check("vedetta_incident_open_flag", &[("incident", "VED-147")], 1.0);
    check(
        "vedetta_incidents_count",
        &[("condition", "site_below_target"), ("role", "consequence"), ("state", "open")],
        2.0,
    );
    check("vedetta_sites_count", &[("standing", "below")], 3.0);
    check("vedetta_agent_batches_lost_total", &[("agent", "serrabruna")], 12.0);
    check("vedetta_agent_clock_error_ms", &[("agent", "serrabruna")], -7_300.0);
    check("vedetta_hub_part_ok_flag", &[("part", "influxdb")], 0.0);
    check("vedetta_hub_resident_bytes", &[], 14e6);
    check("vedetta_hub_uptime_secs", &[], 259_200.0);
    check("vedetta_build_info", &[("version", "0.1.0"), ("simulated", "true")], 1.0);
}

#[test]
fn what_is_missing_is_absent_with_its_reason_and_never_zero() {
    let m = valdora_metrics();
    let unknown = ("link", "castelfiore-pianello");
    assert_eq!(m.find("vedetta_link_capacity_mbps", &[unknown]), [] as [f64; 0]);
    let reason = |r: &'static str| [unknown, ("direction", "downstream"), ("reason", r)];
    assert_eq!(m.find("vedetta_link_capacity_mbps_missing", &reason("not offered")), [1.0]);
    assert_eq!(m.find("vedetta_link_throughput_mbps_missing", &reason("no baseline")), [1.0]);
    assert_eq!(m.find("vedetta_link_up_flag", &[unknown]), [] as [f64; 0]);
    assert_eq!(m.find("vedetta_link_age_secs", &[unknown]), [] as [f64; 0]);
    assert_eq!(m.find("vedetta_radio_noise_floor_dbm", &[]), [] as [f64; 0]);
    let pianello = ("site", "pianello");
    assert_eq!(m.find("vedetta_site_together_mbps", &[pianello]), [] as [f64; 0]);
    assert_eq!(m.find("vedetta_site_possible_mbps", &[pianello]), [] as [f64; 0]);
    assert_eq!(m.find("vedetta_site_possible_mbps_low", &[pianello]), [12.0]);
    assert_eq!(m.find("vedetta_site_below_flag", &[pianello]), [] as [f64; 0]);
    // An agent that was never heard is neither on nor off.
    assert_eq!(m.find("vedetta_agent_online_flag", &[("agent", "roccalba")]), [] as [f64; 0]);
    assert_eq!(m.find("vedetta_agent_data_age_secs", &[("agent", "roccalba")]), [] as [f64; 0]);
    // A link known to be down has capacity 0 by knowledge.
    let dead = [("link", "bric-della-luna-serrabruna"), ("direction", "downstream")];
    assert_eq!(m.find("vedetta_link_capacity_mbps", &dead), [0.0]);
}

#[test]
fn every_name_is_in_the_catalogue_or_in_the_hubs_own_list() {
    let own: BTreeSet<String> = OWN.iter().map(|o| format!("{PREFIX}_{}", o.name)).collect();
    let catalogue: BTreeSet<String> = catalogue::ALL
        .iter()
        .flat_map(|m| m.fields.iter().map(|f| format!("{PREFIX}_{}_{}", m.name, f.name)))
        .collect();
    assert_eq!(own.intersection(&catalogue).count(), 0);
    assert_eq!(own.len(), OWN.len(), "a name stands twice");
    let mut seen = BTreeSet::new();
    for (name, _) in valdora_metrics().0.keys() {
        let stem = name.strip_suffix(catalogue::MISSING_SUFFIX).unwrap_or(name);
        assert!(own.contains(stem) || catalogue.contains(stem), "{name}");
        seen.insert(name.clone());
    }
    let unused: Vec<_> = own.difference(&seen).collect();
    assert!(unused.is_empty(), "in the list and never written: {unused:?}");
}
