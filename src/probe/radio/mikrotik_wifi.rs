//! RouterOS 7 with the new WiFi package (wifi-qcom, wave2), which has tables of its own in MIKROTIK-MIB
//! (1.3.6.1.4.1.14988.1.1.21).
//!
//! The MIB does not say what its rates count, and no recording has shown it. They are read as bps, which the other
//! tables of this MIB count; a figure below the lowest rate of 802.11 at 5 GHz is then nonsense, and so a rate in kbps
//! or Mbps never passes for one in bps. No capacity is made from them until a recording confirms them.

use super::{Decoded, Peers, Radio, Rows, Scope, Station, Table, unless};
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, mac_of_arcs};

pub const INTERFACES: &str = "wifi interfaces";
pub const REGISTERED: &str = "wifi registered";
/// The interfaces, by their SSID.
pub const INTERFACE_TABLE: Table =
    Table { name: INTERFACES, column: &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 21, 5, 1, 3], rows_max: 16 };
/// The peers of an access point, or the access point of a station, by their signal.
pub const REGISTERED_TABLE: Table =
    Table { name: REGISTERED, column: &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 21, 4, 1, 6], rows_max: 128 };

/// Index: MAC address and ifIndex.
const ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 21, 4, 1];
/// Of an interface, as text.
const FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 21, 5, 1, 4];
const SIGNAL: u32 = 6;
const RATES: [(&str, u32); 2] = [("phy_tx_mbps", 9), ("phy_rx_mbps", 10)];
/// Bits in the last second.
const THROUGHPUTS: [(&str, u32); 2] = [("throughput_tx_mbps", 15), ("throughput_rx_mbps", 16)];
/// Of 802.11a, and of all that came after it at 5 GHz.
const LOWEST_RATE_MBPS: f64 = 6.0;

const LINK_FIELDS: [&str; 7] = [
    "capacity_tx_mbps",
    "capacity_rx_mbps",
    "phy_tx_mbps",
    "phy_rx_mbps",
    "throughput_tx_mbps",
    "throughput_rx_mbps",
    "rsl_dbm",
];

fn cell(column: u32, row: &Row) -> Oid {
    Oid::of(&[ENTRY, &[column]].concat(), &row.index)
}

fn frequency(row: &Row) -> Oid {
    Oid::of(FREQUENCY, row.index.last().map_or(&[], std::slice::from_ref))
}

fn peers(rows: &Rows) -> Peers<'_> {
    let mac = |row: &Row| mac_of_arcs(row.index.get(..6)?);
    Peers { rows: rows.of(REGISTERED), tables: &[REGISTERED], link_fields: &LINK_FIELDS, mac }
}

/// Whether the device has this package and a radio that it drives.
pub fn present(rows: &Rows) -> bool {
    !rows.of(INTERFACES).is_empty()
}

pub fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids = Vec::new();
    for station in peers(scope.rows).select(scope).chosen() {
        oids.push(cell(SIGNAL, station.row));
        oids.extend(RATES.iter().chain(&THROUGHPUTS).map(|(_, column)| cell(*column, station.row)));
        oids.push(frequency(station.row));
    }
    oids
}

pub fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    peers(scope.rows).decode(scope, |station| station_radio(answers, scope, station))
}

fn station_radio(answers: &Answers, scope: &Scope<'_>, station: &Station<'_>) -> Option<Radio> {
    let signal = answers.reading(&cell(SIGNAL, station.row), 1.0);
    if signal.missing() == Some(Missing::NotOffered) {
        return None;
    }
    let mut radio = Radio::towards(station, scope);
    radio.set("link_up_flag", Reading::value(1.0));
    radio.set("rsl_dbm", unless(signal, &[0.0]));
    for (field, column) in RATES {
        let rate = unless(answers.reading(&cell(column, station.row), 1e-6), &[0.0]);
        let low = rate.get().is_some_and(|mbps| mbps < LOWEST_RATE_MBPS);
        radio.set(field, if low { Reading::Missing(Missing::Implausible) } else { rate });
    }
    for (field, column) in THROUGHPUTS {
        radio.set(field, answers.reading(&cell(column, station.row), 1e-6));
    }
    for field in ["capacity_tx_mbps", "capacity_rx_mbps"] {
        radio.set(field, Reading::Missing(Missing::NotMeasured));
    }
    let megahertz = match answers.text(&frequency(station.row)) {
        Ok(text) => channel_of(&text).map_or(Reading::Missing(Missing::Malformed), Reading::value),
        Err(why) => Reading::Missing(why),
    };
    radio.set("channel_mhz", megahertz);
    Some(radio)
}

/// A frequency in MHz, alone or before a slash.
fn channel_of(text: &str) -> Option<f64> {
    let mhz = text.split('/').next()?.trim().parse::<u32>().ok()?;
    (2_300..=7_200).contains(&mhz).then_some(f64::from(mhz))
}

#[cfg(test)]
mod tests {
    use super::channel_of;

    #[test]
    fn a_channel_is_a_frequency_of_wifi() {
        let check = |text: &str, expected: Option<f64>| assert_eq!(channel_of(text), expected, "{text}");
        check("5180", Some(5180.0));
        check("5180/ax/Ceee", Some(5180.0));
        check("", None);
        check("36", None);
        check("-5180", None);
        check("auto", None);
    }
}
