//! Ubiquiti AF60, AF60-LR and Wave, 60 GHz, by UI-AF60-MIB (1.3.6.1.4.1.41112.1.11.1).
//!
//! One row a peer, indexed by the peer's MAC address and a trailing 1 that the MIB does not declare. A link that is
//! down has no row. Some have a 5 GHz radio that takes over in rain: the row then says `backup`.
//!
//! Newer firmware is said to tell its capacity as columns 9 and 10 of another table, 1.3.6.1.4.1.41112.1.11.2.3.1.
//! No published MIB text has it and no recording was at hand: neither its index nor its unit is known. Of the index
//! nothing is taken for granted but that a MAC address in it names the peer; the unit follows from the size, see
//! [`by_size`]. Its other columns are not read.

use super::ubiquiti::{SHARED_OBJECT_ID, UBNT, version_of_build};
use super::{
    Checked, Decoded, Family, Info, ObjectId, Octets, Peers, Radio, Rows, Scope, Station, Table, gate, reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Provenance, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, mac_of_arcs};

pub static FAMILY: Family = Family {
    profile: "ubiquiti-af60",
    title: "Ubiquiti AF60 / Wave (60 GHz)",
    checked: Checked::Recording,
    duplex: Duplex::Shared,
    // The lowest modulation of IEEE 802.11ad carries 27.5 Mbps, the 5 GHz backup some tens: 1 Mbps on a live link is
    // a counter that was never set.
    capacity_min_mbps: 2.0,
    capacity_max_mbps: 5400.0,
    capacity_max_source: "Ubiquiti's published 5.4 Gbps for Wave",
    channel: None,
    capacity_from: "the station's TxCapacity and RxCapacity, kbps; on newer firmware 1.3.6.1.4.1.41112.1.11.2.3.1.9 and \
                    .10, whose unit is told by their size (no recording of those)",
    object_ids: &[],
    shared_object_ids: &[ObjectId::Is(SHARED_OBJECT_ID), ObjectId::Is(UBNT)],
    descrs: &[],
    asks: &[FIRMWARE, ROLE],
    tables: &[
        Table { name: STATIONS, column: ACTIVE, rows_max: 64 },
        Table { name: NEWER, column: NEWER_TX_CAPACITY, rows_max: 64 },
    ],
    info: |_| vec![MODEL.into(), FIRMWARE.into()],
    decode_info,
    requests,
    decode,
};

const STATIONS: &str = "stations";
const NEWER: &str = "stations of newer firmware";
const NEWER_STATION: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 11, 2, 3, 1];
const NEWER_TX_CAPACITY: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 11, 2, 3, 1, 9];
const ROLE: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 11, 1, 1, 1, 1];
/// MHz.
const FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 11, 1, 1, 2, 1];
/// MHz.
const WIDTH: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 11, 1, 1, 3, 1];
const MODEL: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 11, 1, 2, 2, 1];
const FIRMWARE: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 11, 1, 2, 4, 1];
const STATION: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 11, 1, 3, 1];
/// `main` or `backup`.
const ACTIVE: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 11, 1, 3, 1, 2];

/// Columns of a station's row that are numbers: field, column, scale. Rates are kbps.
const COLUMNS: [(&str, u32, f64); 9] = [
    ("rsl_dbm", 3, 1.0),
    ("snr_db", 4, 1.0),
    ("mcs_tx_index", 5, 1.0),
    ("mcs_rx_index", 6, 1.0),
    ("throughput_tx_mbps", 11, 1e-3),
    ("throughput_rx_mbps", 12, 1e-3),
    ("distance_meters", 15, 1.0),
    ("remote_rsl_dbm", 18, 1.0),
    ("remote_snr_db", 19, 1.0),
];
/// Octets sent and received, 64 bits: throughput where the firmware has no columns 11 and 12.
const OCTETS: [u32; 2] = [9, 10];
const CAPACITIES: [(&str, u32); 2] = [("capacity_tx_mbps", 7), ("capacity_rx_mbps", 8)];

fn cell(column: u32, row: &Row) -> Oid {
    Oid::of(&[STATION, &[column]].concat(), &row.index)
}

const NEWER_CAPACITIES: [(&str, u32); 2] = [("capacity_tx_mbps", 9), ("capacity_rx_mbps", 10)];

/// The least that a live link of this family reports where the unit has to be told by size, Mbps: the lowest
/// modulation of IEEE 802.11ad is 27.5.
const NEWER_MIN_MBPS: f64 = 20.0;

/// A capacity in bps, kbps or Mbps: from 20 to 5400 Mbps the three ranges do not meet.
fn by_size(reading: Reading) -> Reading {
    let Some(value) = reading.get() else { return reading };
    let believable = |mbps: &f64| (NEWER_MIN_MBPS..=FAMILY.capacity_max_mbps).contains(mbps);
    let fits = [1.0, 1e-3, 1e-6].into_iter().map(|scale| value * scale).find(believable);
    fits.map_or(Reading::Missing(Missing::Implausible), |mbps| Reading::known(mbps, Provenance::Reported))
}

/// The MAC address in an index of unknown form: its first six arcs, or those after their count.
fn newer_mac(row: &Row) -> Option<String> {
    match row.index.as_slice() {
        [6, mac @ ..] if mac.len() >= 6 => mac_of_arcs(&mac[..6]),
        index => mac_of_arcs(index.get(..6)?),
    }
}

/// The row of newer firmware towards that station: by its MAC address; the only one where the index has none.
fn newer<'a>(scope: &Scope<'a>, station: &Station<'_>) -> Option<&'a Row> {
    let rows = scope.rows.of(NEWER);
    match rows.iter().find(|row| station.mac.is_some() && newer_mac(row) == station.mac) {
        None if !scope.sector && rows.len() == 1 && newer_mac(&rows[0]).is_none() => rows.first(),
        found => found,
    }
}

fn newer_cell(column: u32, row: &Row) -> Oid {
    Oid::of(&[NEWER_STATION, &[column]].concat(), &row.index)
}

/// The address of a station's row.
type MacOf = fn(&Row) -> Option<String>;

/// Its stations: those of the known table, else those that only newer firmware has.
fn stations<'a>(scope: &Scope<'a>) -> (&'a [Row], MacOf) {
    match scope.rows.of(STATIONS) {
        [] => (scope.rows.of(NEWER), newer_mac),
        rows => (rows, |row| mac_of_arcs(row.index.get(..6)?)),
    }
}

fn peers<'a>(scope: &Scope<'a>, link_fields: &'a [&'static str]) -> Peers<'a> {
    let (rows, mac) = stations(scope);
    Peers { rows, tables: &[STATIONS, NEWER], link_fields, mac }
}

fn decode_info(answers: &Answers, _: &Rows) -> Info {
    Info {
        model: answers.text(&MODEL.into()).ok(),
        firmware: answers.text(&FIRMWARE.into()).ok().map(|build| version_of_build(&build)),
    }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids = vec![FREQUENCY.into(), WIDTH.into()];
    for station in peers(scope, &[]).select(scope).chosen() {
        oids.push(cell(2, station.row));
        oids.extend(OCTETS.iter().map(|column| cell(*column, station.row)));
        oids.extend(CAPACITIES.iter().map(|(_, column)| cell(*column, station.row)));
        oids.extend(COLUMNS.iter().map(|(_, column, _)| cell(*column, station.row)));
        if let Some(row) = newer(scope, station) {
            oids.extend(NEWER_CAPACITIES.map(|(_, column)| newer_cell(column, row)));
        }
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let fields = link_fields();
    // Without a row the link has gone, or its peer was replaced.
    let mut decoded = peers(scope, &fields).decode(scope, |station| station_radio(answers, station, scope));
    for radio in &mut decoded.radios {
        radio.set("channel_mhz", unless(answers.reading(&FREQUENCY.into(), 1.0), &[0.0]));
        radio.set("channel_width_mhz", unless(answers.reading(&WIDTH.into(), 1.0), &[0.0]));
        gate(&FAMILY, radio);
    }
    decoded
}

fn station_radio(answers: &Answers, station: &Station<'_>, scope: &Scope<'_>) -> Option<Radio> {
    let mut radio = Radio::towards(station, scope);
    for (field, column) in CAPACITIES {
        radio.set(field, reported(answers, &cell(column, station.row), 1e-3));
    }
    for (field, column, scale) in COLUMNS {
        let reading = answers.reading(&cell(column, station.row), scale);
        // Whole dBm; 0 stands for "no reading".
        radio.set(field, if field.ends_with("_dbm") { unless(reading, &[0.0]) } else { reading });
    }
    if let Some(row) = newer(scope, station) {
        for (field, column) in NEWER_CAPACITIES {
            let told = by_size(unless(answers.reading(&newer_cell(column, row), 1.0), &[0.0]));
            if radio.reading(field).is_some_and(|known| known.missing() == Some(Missing::NotOffered)) {
                radio.set(field, told);
            }
        }
    }
    let active = answers.text(&cell(2, station.row));
    let gone = |r: &Reading| r.missing() == Some(Missing::NotOffered);
    if active == Err(Missing::NotOffered) && radio.readings.values().all(gone) {
        return None;
    }
    radio.set("link_up_flag", Reading::value(1.0));
    if gone(&answers.reading(&cell(11, station.row), 1.0)) {
        let [tx, rx] = OCTETS.map(|column| answers.counter(&cell(column, station.row)));
        radio.octets = Some(Octets { tx, rx });
    }
    let standby = match active.as_deref() {
        Ok("backup") => Reading::value(1.0),
        Ok("main") => Reading::value(0.0),
        Ok(_) => Reading::Missing(Missing::Malformed),
        Err(why) => Reading::Missing(*why),
    };
    radio.set("on_standby_flag", standby);
    Some(radio)
}

fn link_fields() -> Vec<&'static str> {
    CAPACITIES.iter().map(|c| c.0).chain(COLUMNS.iter().map(|c| c.0)).chain(["on_standby_flag"]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{poll, without};
    use super::*;
    use crate::probe::testing::AF60;

    #[test]
    fn the_unit_of_newer_firmware_follows_from_the_size() {
        let check = |value: f64, expected: Option<f64>| assert_eq!(by_size(Reading::value(value)).get(), expected);
        check(1_951_000.0, Some(1951.0));
        check(1951.0, Some(1951.0));
        check(1_951_000_000.0, Some(1951.0));
        check(27_500.0, Some(27.5));
        check(5_400_000.0, Some(5400.0));
        check(1000.0, Some(1000.0));
        check(10_000.0, None);
        check(0.5, None);
        check(-5.0, None);
        check(1e10, None);
    }

    #[tokio::test]
    async fn newer_firmware_tells_its_capacity_elsewhere() {
        let old = without(&without(AF60, "@af.3.1.7.@peer"), "@af.3.1.8.@peer");
        for index in ["2.0.0.0.0.17.1", "2.0.0.0.0.17", "6.2.0.0.0.0.17", "1"] {
            let newer = format!(
                "{old}\n@new = 1.3.6.1.4.1.41112.1.11.2.3.1
                @new.9.{index} int 1951000
                @new.10.{index} int 1201000
                "
            );
            let radio = &poll(&newer).await.radios[0];
            assert_eq!(
                radio.reading("capacity_tx_mbps"),
                Some(Reading::known(1951.0, Provenance::Reported)),
                "{index}"
            );
            assert_eq!(
                radio.reading("capacity_rx_mbps"),
                Some(Reading::known(1201.0, Provenance::Reported)),
                "{index}"
            );
            assert_eq!(radio.reading("rsl_dbm"), Some(Reading::value(-55.0)));
            // And where nothing else is left of the table.
            let polled = poll(&without(&newer, "@af.3.1.")).await;
            let [radio] = &polled.radios[..] else { panic!() };
            assert_eq!(radio.reading("capacity_tx_mbps").and_then(Reading::get), Some(1951.0), "{index}");
            assert_eq!(radio.reading("link_up_flag"), Some(Reading::value(1.0)), "{index}");
        }
        // Another peer's row is nobody's here.
        let stranger = format!("{old}\n@new = 1.3.6.1.4.1.41112.1.11.2.3.1\n@new.9.2.0.0.0.0.99 int 1951000\n");
        let radio = &poll(&stranger).await.radios[0];
        assert_eq!(radio.reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::NotOffered)));
    }
}
