use super::*;
use crate::probe::testing::{AF60, objects};
use std::time::Duration;

fn answers(fixture: &str) -> (Vec<Row>, Answers) {
    let mut answers = Answers::default();
    let mut types = Vec::new();
    for (oid, value) in objects(fixture) {
        if let Some(index) = oid.under(IF_TYPE) {
            types.push(Row { index: index.to_vec(), value: value.clone() });
        }
        answers.insert(oid, value);
    }
    (types, answers)
}

fn names(fixture: &str, named: &[&str]) -> Vec<String> {
    let (types, answers) = answers(fixture);
    let named: Vec<String> = named.iter().map(|&n| n.to_owned()).collect();
    choose(&types, &answers, &named).into_iter().map(|p| p.name).collect()
}

#[test]
fn ethernet_ports_with_a_rate_are_chosen_unless_they_are_named() {
    assert_eq!(names(AF60, &[]), ["eth0"]);
    assert_eq!(names(AF60, &["br0"]), ["br0"]);
    assert_eq!(names(AF60, &["eth7"]), [""; 0]);
    let twins = "@if = 1.3.6.1.2.1.2.2.1\n@if.2.1 str sfp\n@if.2.2 str sfp\n@if.3.1 int 6\n@if.3.2 int 6\n\
                 @if.5.1 gauge 1000000000\n@if.5.2 gauge 1000000000\n";
    assert_eq!(names(twins, &[]), ["sfp", "sfp-2"]);
}

#[test]
fn names_that_are_no_ethernet_port() {
    for name in ["br0", "bridge1", "bond0", "ath0", "wlan60-1", "wifi0", "eth0.100", "vlan7", "lo", "ubond0"] {
        assert!(!is_port_name(name), "{name}");
    }
    for name in ["eth0", "ether1", "sfp-sfpplus1", "WAN", "LAN", "combo1", "Ethernet Interface"] {
        assert!(is_port_name(name), "{name}");
    }
}

#[test]
fn the_rate_is_high_speed_else_speed_never_a_limit_of_the_counter() {
    let check = |high: Option<u32>, low: Option<u32>, expected: Reading| {
        let mut answers = Answers::default();
        for (column, value) in [(IF_HIGH_SPEED, high), (IF_SPEED, low)] {
            if let Some(value) = value {
                answers.insert(Oid::of(column, &[4]), Value::Gauge32(value));
            }
        }
        assert_eq!(rate_mbps(&answers, 4), expected, "{high:?} {low:?}");
    };
    check(Some(1000), Some(1_000_000_000), Reading::value(1000.0));
    check(Some(10_000), Some(u32::MAX), Reading::value(10_000.0));
    check(None, Some(100_000_000), Reading::value(100.0));
    check(None, Some(u32::MAX), Reading::Missing(Missing::Implausible));
    check(Some(0), Some(0), Reading::Missing(Missing::Sentinel));
    check(None, None, Reading::Missing(Missing::NotOffered));
    // In bps where the standard says Mbps.
    check(Some(1_000_000_000), None, Reading::Missing(Missing::Implausible));
    check(Some(1_000_000_000), Some(1_000_000_000), Reading::value(1000.0));
}

/// One port in four polls of ten seconds: octets in, oper status.
#[test]
fn a_port_learns_what_it_offers_and_makes_rates() {
    let (types, mut answers) = answers(AF60);
    let mut ports = Ports::new(choose(&types, &answers, &[]));
    assert_eq!(ports.requests().len(), 9, "both kinds of counter and of rate at first");
    let at = |secs| MonoMillis(0) + Duration::from_secs(secs);
    let first = ports.read(&answers, at(0));
    assert_eq!(first[0].readings["rate_mbps"], Reading::value(1000.0));
    assert_eq!(first[0].readings["throughput_rx_mbps"], Reading::Missing(Missing::NoBaseline));
    assert_eq!(ports.requests().len(), 6, "then only those it has");
    let octets_in = Oid::of(IF_IN_OCTETS, &[4]);
    answers.insert(octets_in.clone(), Value::Counter32(12_501_000));
    let second = ports.read(&answers, at(10));
    assert_eq!(second[0].readings["throughput_rx_mbps"], Reading::value(10.0));
    assert_eq!(second[0].readings["throughput_tx_mbps"], Reading::value(0.0));
    answers.insert(Oid::of(IF_OPER_STATUS, &[4]), Value::Integer(7));
    let down = ports.read(&answers, at(20));
    assert_eq!(down[0].readings["up_flag"], Reading::value(0.0));
    assert_eq!(down[0].readings["rate_mbps"], Reading::Missing(Missing::LinkDown));
    ports.reset();
    let anew = ports.read(&answers, at(30));
    assert_eq!(anew[0].readings["throughput_rx_mbps"], Reading::Missing(Missing::NoBaseline));
}
