//! Ubiquiti AF60, AF60-LR and Wave, 60 GHz, by UI-AF60-MIB (1.3.6.1.4.1.41112.1.11.1).
//!
//! One row a peer, indexed by the peer's MAC address and a trailing 1 that the MIB does not declare. A link that is
//! down has no row. Some have a 5 GHz radio that takes over in rain: the row then says `backup`.

use super::ubiquiti::{SHARED_OBJECT_ID, UBNT, version_of_build};
use super::{
    Checked, Decoded, Family, Info, ObjectId, Octets, Peers, Radio, Rows, Scope, Station, Table, gate, reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
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
    capacity_from: "the station's TxCapacity and RxCapacity",
    object_ids: &[],
    shared_object_ids: &[ObjectId::Is(SHARED_OBJECT_ID), ObjectId::Is(UBNT)],
    descrs: &[],
    asks: &[FIRMWARE, ROLE],
    tables: &[Table { name: STATIONS, column: ACTIVE, rows_max: 64 }],
    info: |_| vec![MODEL.into(), FIRMWARE.into()],
    decode_info,
    requests,
    decode,
};

const STATIONS: &str = "stations";
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

fn peers<'a>(scope: &Scope<'a>, link_fields: &'a [&'static str]) -> Peers<'a> {
    let mac = |row: &Row| mac_of_arcs(row.index.get(..6)?);
    Peers { rows: scope.rows.of(STATIONS), tables: &[STATIONS], link_fields, mac }
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
