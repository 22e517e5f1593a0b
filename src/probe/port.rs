//! Ethernet ports by IF-MIB (RFC 2863): which to read, what to ask, and what the answers mean. `[P]`
//!
//! The table is learnt once; each poll then GETs exact objects of the chosen ports. Rows are known by the index of
//! their OID: the ifIndex column differs from it on some radios (Wave 3.4). The radio's own interfaces are left to
//! the family, and so are bridges, bonds and VLANs: their rates are no ceiling of a link.

use std::collections::BTreeMap;

use super::rate::CounterRate;
use super::snmp::Row;
use super::value::{Answers, Oid, Value};
use crate::model::{Missing, MonoMillis, Reading};

/// Interfaces looked at on one device.
pub const INTERFACES_MAX: usize = 64;
/// Ports polled on one device where the inventory names none.
pub const PORTS_MAX: usize = 24;
/// Longest port name kept: it becomes a tag.
const NAME_CHARS_MAX: usize = 32;

/// ifType: one small column by which the table is learnt.
pub const IF_TYPE: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 3];
const IF_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 2];
const IF_SPEED: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 5];
const IF_OPER_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 8];
const IF_IN_OCTETS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 10];
const IF_IN_ERRORS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 14];
const IF_OUT_OCTETS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 16];
const IF_OUT_ERRORS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 20];
const IF_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];
const IF_HC_IN_OCTETS: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6];
const IF_HC_OUT_OCTETS: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 10];
/// Mbps.
pub const IF_HIGH_SPEED: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15];

/// ethernetCsmacd (IANAifType-MIB).
const ETHERNET: i32 = 6;
/// ifSpeed of a port that is faster than it can say (RFC 2863, section 3.1.7).
const IF_SPEED_SATURATED: f64 = 4_294_967_295.0;
/// No Ethernet port of a radio is faster, Mbps: beyond it the agent counts in another unit (Cambium ePMP answers
/// ifHighSpeed in bps).
const PORT_RATE_MAX_MBPS: f64 = 100_000.0;
/// Beginnings of names of interfaces that say ifType 6 and are no Ethernet port.
const NOT_PORTS: [&str; 25] = [
    "air", "ath", "bond", "br", "canopy", "dummy", "eoip", "gre", "ifb", "lo", "ovpn", "ppp", "ra", "rf", "sit",
    "team", "teql", "tun", "tap", "ubond", "veth", "vlan", "wg", "wifi", "wl",
];

/// One interface that may be polled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Index of the OID.
    pub index: u32,
    /// ifName, else ifDescr.
    pub name: String,
    /// ifDescr.
    pub descr: String,
    /// It has 64-bit counters.
    pub wide: Option<bool>,
    /// It has ifHighSpeed.
    pub high_speed: Option<bool>,
}

/// One port as read.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    pub index: u32,
    /// The port's tag: as the inventory spells it, else ifName, else ifDescr.
    pub name: String,
    /// Fields of the measurement `port`.
    pub readings: BTreeMap<&'static str, Reading>,
}

/// The ports of one device.
#[derive(Debug, Clone, Default)]
pub struct Ports {
    polled: Vec<Interface>,
    rates: BTreeMap<u32, [CounterRate; 2]>,
}

/// What to ask to name the interfaces that the ifType column listed: all of them where ports are named, else those
/// that call themselves Ethernet.
pub fn naming_requests(types: &[Row], named: bool) -> Vec<Oid> {
    let wanted = |row: &&Row| named || row.value == Value::Integer(ETHERNET);
    let cells =
        |row: &Row| [IF_DESCR, IF_NAME, IF_SPEED, IF_HIGH_SPEED].map(|column| Oid::of(column, &row.index)).into_iter();
    types.iter().filter(wanted).flat_map(cells).collect()
}

/// Chooses the ports to poll: the named ones, else every Ethernet port with a rate.
pub fn choose(types: &[Row], answers: &Answers, named: &[String]) -> Vec<Interface> {
    let mut chosen = Vec::new();
    for row in types {
        let [index] = row.index[..] else { continue };
        let at = |column: &[u32]| Oid::of(column, &[index]);
        let descr = answers.text(&at(IF_DESCR)).unwrap_or_default();
        let name = answers.text(&at(IF_NAME)).unwrap_or_else(|_| descr.clone());
        let wanted = if named.is_empty() {
            let ethernet = row.value == Value::Integer(ETHERNET);
            ethernet && is_port_name(&name) && rate_mbps(answers, index).get().is_some_and(|rate| rate > 0.0)
        } else {
            named.iter().any(|n| *n == name || *n == descr)
        };
        if wanted && chosen.len() < PORTS_MAX.max(named.len()) {
            let name = named.iter().find(|n| **n == name || **n == descr).cloned().unwrap_or(name);
            let name = if name.is_empty() { index.to_string() } else { name.chars().take(NAME_CHARS_MAX).collect() };
            chosen.push(Interface { index, name, descr, wide: None, high_speed: None });
        }
    }
    // Two interfaces of one name would be one series.
    for i in 1..chosen.len() {
        let (before, rest) = chosen.split_at_mut(i);
        if before.iter().any(|p| p.name == rest[0].name) {
            rest[0].name = format!("{}-{}", rest[0].name, rest[0].index);
        }
    }
    chosen
}

/// Whether a name may be that of an Ethernet port; sub-interfaces (`eth0.100`) are not.
fn is_port_name(name: &str) -> bool {
    let name = name.to_lowercase();
    !name.contains('.') && !NOT_PORTS.iter().any(|prefix| name.starts_with(prefix))
}

/// The negotiated rate: ifHighSpeed, else ifSpeed where it is not saturated.
fn rate_mbps(answers: &Answers, index: u32) -> Reading {
    let believable = |mbps: &f64| *mbps > 0.0 && *mbps <= PORT_RATE_MAX_MBPS;
    let high = answers.number(&Oid::of(IF_HIGH_SPEED, &[index]));
    let low = answers.number(&Oid::of(IF_SPEED, &[index]));
    if let Ok(mbps) = high
        && believable(&mbps)
    {
        return Reading::value(mbps);
    }
    if let Ok(bps) = low
        && bps < IF_SPEED_SATURATED
        && believable(&(bps / 1e6))
    {
        return Reading::value(bps / 1e6);
    }
    Reading::Missing(match (high, low) {
        (Ok(0.0), Ok(_) | Err(_)) | (Err(_), Ok(0.0)) => Missing::Sentinel,
        (Ok(_), _) | (Err(_), Ok(_)) => Missing::Implausible,
        (Err(why), Err(_)) => why,
    })
}

impl Ports {
    pub fn new(polled: Vec<Interface>) -> Self {
        Self { polled, rates: BTreeMap::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.polled.is_empty()
    }

    /// The device has restarted: its counters begin anew.
    pub fn reset(&mut self) {
        self.rates.clear();
    }

    /// Takes over the baselines of what was polled before, port by port.
    pub fn keep_rates(&mut self, before: Self) {
        self.rates = before.rates;
    }

    /// The exact objects of one poll: at first both kinds of counter and of rate, then those that the device has.
    pub fn requests(&self) -> Vec<Oid> {
        let mut oids = Vec::new();
        for port in &self.polled {
            let mut ask = |column: &[u32]| oids.push(Oid::of(column, &[port.index]));
            ask(IF_OPER_STATUS);
            if port.high_speed != Some(false) {
                ask(IF_HIGH_SPEED);
            }
            if port.high_speed != Some(true) {
                ask(IF_SPEED);
            }
            if port.wide != Some(false) {
                ask(IF_HC_IN_OCTETS);
                ask(IF_HC_OUT_OCTETS);
            }
            if port.wide != Some(true) {
                ask(IF_IN_OCTETS);
                ask(IF_OUT_OCTETS);
            }
            ask(IF_IN_ERRORS);
            ask(IF_OUT_ERRORS);
        }
        oids
    }

    /// Reads the answers, and learns what each port offers.
    pub fn read(&mut self, answers: &Answers, at: MonoMillis) -> Vec<Port> {
        let Self { polled, rates } = self;
        polled.iter_mut().map(|port| read_port(port, rates.entry(port.index).or_default(), answers, at)).collect()
    }
}

fn read_port(port: &mut Interface, rates: &mut [CounterRate; 2], answers: &Answers, at: MonoMillis) -> Port {
    let of = |column: &[u32]| Oid::of(column, &[port.index]);
    let mut readings = BTreeMap::new();
    // 1 is up; dormant, notPresent, lowerLayerDown and the others are not.
    let status = answers.number(&of(IF_OPER_STATUS));
    let up = match status {
        Ok(status) => Reading::value(f64::from(u8::from(status == 1.0))),
        Err(why) => Reading::Missing(why),
    };
    readings.insert("up_flag", up);
    let rate = rate_mbps(answers, port.index);
    // A port that is down has no negotiated rate, though some agents go on telling the last.
    let down = up == Reading::value(0.0);
    readings.insert("rate_mbps", if down { Reading::Missing(Missing::LinkDown) } else { rate });
    let (hc_in, hc_out) = (answers.counter(&of(IF_HC_IN_OCTETS)), answers.counter(&of(IF_HC_OUT_OCTETS)));
    let wide = hc_in.is_ok() && hc_out.is_ok();
    let (octets_in, octets_out) =
        if wide { (hc_in, hc_out) } else { (answers.counter(&of(IF_IN_OCTETS)), answers.counter(&of(IF_OUT_OCTETS))) };
    let [tx, rx] = rates;
    for (field, counter, keeper) in [("throughput_tx_mbps", octets_out, tx), ("throughput_rx_mbps", octets_in, rx)] {
        let reading = match counter {
            Ok(counter) => keeper.rate_mbps(counter, at, rate.get()),
            Err(why) => Reading::Missing(why),
        };
        readings.insert(field, reading);
    }
    readings.insert("errors_in_total", answers.count(&of(IF_IN_ERRORS), 1.0));
    readings.insert("errors_out_total", answers.count(&of(IF_OUT_ERRORS), 1.0));
    if port.wide.is_none() && (wide || octets_in.is_ok()) {
        port.wide = Some(wide);
    }
    if port.high_speed.is_none() && rate.get().is_some() {
        port.high_speed = Some(answers.number(&of(IF_HIGH_SPEED)).is_ok_and(|mbps| rate.get() == Some(mbps)));
    }
    Port { index: port.index, name: port.name.clone(), readings }
}

#[cfg(test)]
mod tests;
