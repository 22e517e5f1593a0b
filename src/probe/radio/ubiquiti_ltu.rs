//! Ubiquiti LTU and airFiber 5XHD, by UBNT-AFLTU-MIB (1.3.6.1.4.1.41112.1.10.1).
//!
//! One row a peer, indexed by the peer's MAC address. The split of the air time is fixed by configuration: 141 Mbps one
//! way and 445 the other are no fault.

use super::ubiquiti::version_of_build;
use super::{
    Channel, Checked, Decoded, Family, Info, ObjectId, Octets, Peers, Radio, SECTOR_RADIO, Scope, Station, Table,
    combined, gate, reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, mac_of_arcs};

pub static FAMILY: Family = Family {
    profile: "ubiquiti-ltu",
    title: "Ubiquiti LTU / airFiber 5XHD",
    checked: Checked::Recording,
    duplex: Duplex::Fixed,
    capacity_min_mbps: 0.1,
    capacity_max_mbps: 1000.0,
    capacity_max_source: "Ubiquiti's published 1 Gbps, both directions together, for airFiber 5XHD",
    channel: Some(Channel { bits_max: 12.0, streams_max: 2.0, source: "4096QAM (12x) on both polarisations" }),
    capacity_from: "the station's TxCapacity and RxCapacity",
    object_ids: &[],
    // That of net-snmp itself, which says nothing.
    shared_object_ids: &[ObjectId::Is(&[1, 3, 6, 1, 4, 1, 8072, 3, 2, 10])],
    descrs: &[],
    asks: &[FIRMWARE],
    tables: &[Table { name: STATIONS, column: TX_CAPACITY, rows_max: 128 }],
    info: |_| vec![MODEL.into(), FIRMWARE.into()],
    decode_info: |answers, _| Info {
        model: answers.text(&MODEL.into()).ok(),
        firmware: answers.text(&FIRMWARE.into()).ok().map(|build| version_of_build(&build)),
    },
    requests,
    decode,
};

const STATIONS: &str = "stations";
const MODEL: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 10, 1, 3, 2, 0];
const FIRMWARE: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 10, 1, 3, 4, 0];
/// MHz.
const FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 10, 1, 2, 2, 0];
/// MHz.
const WIDTH: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 10, 1, 2, 4, 0];
/// dBm, the antenna's gain in it; the gain alone, dB.
const EIRP: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 10, 1, 2, 6, 0];
const GAIN: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 10, 1, 2, 7, 0];
/// afLTUTxBytes and afLTURxBytes, of the radio as a whole.
const TX_BYTES: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 10, 1, 5, 1, 0];
const RX_BYTES: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 10, 1, 5, 3, 0];
const STATION: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 10, 1, 4, 1];
const TX_CAPACITY: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 10, 1, 4, 1, 3];

/// Columns of a station's row: rate multiples, capacities (kbps), chains, level of both chains in percent, remote
/// chains, distance.
const COLUMNS: [u32; 11] = [1, 2, 3, 4, 5, 6, 9, 10, 16, 17, 23];

const LINK_FIELDS: [&str; 10] = [
    "capacity_tx_mbps",
    "capacity_rx_mbps",
    "rsl_dbm",
    "rsl_chain0_dbm",
    "rsl_chain1_dbm",
    "remote_rsl_dbm",
    "signal_quality_percent",
    "mcs_tx_index",
    "mcs_rx_index",
    "distance_meters",
];

fn cell(column: u32, row: &Row) -> Oid {
    Oid::of(&[STATION, &[column]].concat(), &row.index)
}

fn peers<'a>(scope: &Scope<'a>) -> Peers<'a> {
    let mac = |row: &Row| mac_of_arcs(row.index.get(..6)?);
    Peers { rows: scope.rows.of(STATIONS), tables: &[STATIONS], link_fields: &LINK_FIELDS, mac }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids: Vec<Oid> = [FREQUENCY, WIDTH, EIRP, GAIN].map(Oid::from).into();
    for station in peers(scope).select(scope).chosen() {
        oids.extend(COLUMNS.iter().map(|column| cell(*column, station.row)));
    }
    if !scope.sector {
        oids.extend([TX_BYTES, RX_BYTES].map(Oid::from));
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let mut decoded = peers(scope).decode(scope, |station| station_radio(answers, station, scope));
    for radio in &mut decoded.radios {
        radio.set("channel_mhz", unless(answers.reading(&FREQUENCY.into(), 1.0), &[0.0]));
        radio.set("channel_width_mhz", unless(answers.reading(&WIDTH.into(), 1.0), &[0.0]));
        if radio.tag != SECTOR_RADIO {
            radio.set("tx_power_dbm", tx_power(answers));
        }
        gate(&FAMILY, radio);
    }
    decoded
}

/// Conducted power: what is radiated less the antenna's gain.
fn tx_power(answers: &Answers) -> Reading {
    match answers.number(&GAIN.into()) {
        Ok(gain) => answers.reading(&EIRP.into(), 1.0).map(|eirp| eirp - gain),
        Err(why) => Reading::Missing(why),
    }
}

fn station_radio(answers: &Answers, station: &Station<'_>, scope: &Scope<'_>) -> Option<Radio> {
    let read = |column| answers.reading(&cell(column, station.row), 1.0);
    if COLUMNS.iter().all(|column| read(*column).missing() == Some(Missing::NotOffered)) {
        return None;
    }
    let mut radio = Radio::towards(station, scope);
    radio.set("link_up_flag", Reading::value(1.0));
    radio.set("capacity_tx_mbps", reported(answers, &cell(3, station.row), 1e-3));
    radio.set("capacity_rx_mbps", reported(answers, &cell(4, station.row), 1e-3));
    // -99: the level is not known.
    let level = |column| unless(read(column), &[-99.0, 0.0]);
    radio.set("rsl_chain0_dbm", level(5));
    radio.set("rsl_chain1_dbm", level(6));
    radio.set("rsl_dbm", combined(level(5), level(6)));
    radio.set("remote_rsl_dbm", combined(level(16), level(17)));
    radio.set("signal_quality_percent", worse(unless(read(9), &[-1.0, 0.0]), unless(read(10), &[-1.0, 0.0])));
    radio.set("mcs_tx_index", read(1));
    radio.set("mcs_rx_index", read(2));
    radio.modulation = read(1).get().filter(|x| (1.0..=12.0).contains(x)).map(|x| format!("{x}x"));
    // The MIB says kilometres; devices answer metres (10955 for a link of eleven kilometres).
    radio.set("distance_meters", unless(read(23), &[0.0]));
    if !scope.sector {
        let [tx, rx] = [TX_BYTES, RX_BYTES].map(|oid| answers.counter(&oid.into()));
        radio.octets = Some(Octets { tx, rx });
    }
    Some(radio)
}

/// The worse of both chains; one alone stands for itself.
fn worse(first: Reading, second: Reading) -> Reading {
    match (first.get(), second.get()) {
        (Some(a), Some(b)) => Reading::value(a.min(b)),
        (None, Some(_)) => second,
        _ => first,
    }
}
