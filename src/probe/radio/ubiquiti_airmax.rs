//! Ubiquiti airMAX, M (airOS 5 and 6) and AC (airOS 7 and 8), by UBNT-AirMAX-MIB (1.3.6.1.4.1.41112.1.4).
//!
//! On AC the station table has what the link can carry (columns 17 and 18). Where it has not, capacity is derived from
//! the modulation rate, times [`FACTOR`]. The radio's interface `ath0` has ifSpeed 0: nothing is taken from there.

use super::ubiquiti::{SHARED_OBJECT_ID, version_of_build};
use super::{
    Channel, Checked, Decoded, Descr, Family, Info, ONLY_RADIO, ObjectId, Octets, Radio, Rows, SECTOR_RADIO, Scope,
    Selection, Station, Table, derived, gate, reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, mac_of_arcs};

pub static FAMILY: Family = Family {
    profile: "ubiquiti-airmax",
    title: "Ubiquiti airMAX M / AC",
    checked: Checked::Recording,
    duplex: Duplex::Shared,
    capacity_min_mbps: 0.1,
    // 866.7 and rounding.
    capacity_max_mbps: 870.0,
    capacity_max_source: "two streams at 80 MHz, MCS 9, short guard interval: 866.7 Mbps (IEEE 802.11ac)",
    channel: Some(Channel { bits_max: 10.0, streams_max: 2.0, source: "1024QAM of IEEE 802.11ax, two streams" }),
    capacity_from: "AC: the station's TxCapacity and RxCapacity; M: modulation rate times 0.5, by Ubiquiti's data \
                    sheets",
    object_ids: &[ObjectId::Under(BASE)],
    shared_object_ids: &[ObjectId::Is(SHARED_OBJECT_ID)],
    descrs: &[Descr::Begins("Linux")],
    asks: &[FREQUENCY],
    tables: &[
        Table { name: STATIONS, column: SIGNAL_COLUMN, rows_max: 128 },
        // The index is that of the radio's interface, which differs from model to model.
        Table { name: PRODUCTS, column: PRODUCT, rows_max: 4 },
    ],
    info: |rows| {
        let cells = |row: &Row| [Oid::of(PRODUCT, &row.index), Oid::of(PRODUCT_VERSION, &row.index)];
        rows.of(PRODUCTS).iter().flat_map(cells).collect()
    },
    decode_info,
    requests,
    decode,
};

/// Part of the modulation rate that a link carries with all the air time: Ubiquiti's data sheets give "150+ Mbps real
/// TCP/IP" for two streams at 40 MHz (300 Mbps) and "450+ Mbps" at 80 MHz (866.7 Mbps).
const FACTOR: f64 = 0.5;

const STATIONS: &str = "stations";
const PRODUCTS: &str = "products";
const BASE: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 4];
/// MHz.
const FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 4, 1, 1, 4, 1];
/// ubntWlStatStaCount.
const STATION_COUNT: [u32; 4] = [5, 1, 15, 1];
const SIGNAL: [u32; 4] = [5, 1, 5, 1];
const TX_RATE: [u32; 4] = [5, 1, 9, 1];
const RX_RATE: [u32; 4] = [5, 1, 10, 1];
const NOISE: [u32; 4] = [5, 1, 8, 1];
const DISTANCE: [u32; 4] = [1, 1, 7, 1];
/// Tenths of a percent.
const AIRTIME: [u32; 4] = [6, 1, 7, 1];
const TEMPERATURE: [u32; 3] = [8, 4, 0];
/// ubntRadioRssi of both chains.
const CHAINS: [[u32; 5]; 2] = [[2, 1, 2, 1, 1], [2, 1, 2, 1, 2]];
/// ubntRadioRssi counts from here: signal = rssi - 96 in all recordings, though the MIB says dBm.
const RSSI_ZERO_DBM: f64 = -96.0;
/// ubntStaTable, indexed by the radio (1) and the peer's MAC address.
const STATION: [u32; 2] = [7, 1];
const SIGNAL_COLUMN: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 4, 7, 1, 3];
/// IEEE802dot11-MIB dot11manufacturerProductName and dot11manufacturerProductVersion.
const PRODUCT: &[u32] = &[1, 2, 840, 10036, 3, 1, 2, 1, 3];
const PRODUCT_VERSION: &[u32] = &[1, 2, 840, 10036, 3, 1, 2, 1, 4];

/// Figures of the radio as a whole: field, object, scale.
const SCALARS: [(&str, [u32; 4], f64); 4] = [
    ("tx_power_dbm", [1, 1, 6, 1], 1.0),
    ("channel_width_mhz", [5, 1, 14, 1], 1.0),
    ("ccq_tx_percent", [5, 1, 7, 1], 1.0),
    ("signal_quality_percent", [6, 1, 3, 1], 1.0),
];
/// Columns of a station's row: signal, noise, distance, rates (bps), octets, CINR, capacities (kbps).
const ROW: [u32; 10] = [3, 4, 5, 11, 12, 13, 14, 16, 17, 18];
/// Quantities that end with the link.
const LINK_FIELDS: [&str; 11] = [
    "capacity_tx_mbps",
    "capacity_rx_mbps",
    "phy_tx_mbps",
    "phy_rx_mbps",
    "rsl_dbm",
    "rsl_chain0_dbm",
    "rsl_chain1_dbm",
    "cinr_db",
    "distance_meters",
    "ccq_tx_percent",
    "signal_quality_percent",
];

fn object(rest: &[u32]) -> Oid {
    Oid::of(BASE, rest)
}

fn cell(column: u32, row: &Row) -> Oid {
    Oid::of(&[BASE, &STATION, &[column]].concat(), &row.index)
}

fn peer(row: &Row) -> Option<String> {
    mac_of_arcs(row.index.get(1..7)?)
}

fn decode_info(answers: &Answers, rows: &Rows) -> Info {
    let first =
        |column: &[u32]| rows.of(PRODUCTS).iter().find_map(|row| answers.text(&Oid::of(column, &row.index)).ok());
    Info { model: first(PRODUCT), firmware: first(PRODUCT_VERSION).map(|build| version_of_build(&build)) }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids: Vec<Oid> = vec![FREQUENCY.into()];
    oids.extend([STATION_COUNT, SIGNAL, TX_RATE, RX_RATE, NOISE, DISTANCE, AIRTIME].iter().map(|o| object(o)));
    oids.extend(SCALARS.iter().map(|(_, o, _)| object(o)));
    oids.push(object(&TEMPERATURE));
    oids.extend(CHAINS.iter().map(|o| object(o)));
    for station in scope.select(scope.rows.of(STATIONS), peer).chosen() {
        oids.extend(ROW.iter().map(|column| cell(*column, station.row)));
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let mut decoded = Decoded::default();
    let rows = scope.rows.of(STATIONS);
    let count = answers.number(&object(&STATION_COUNT)).ok();
    let selection = scope.select(rows, peer);
    match &selection {
        Selection::Sector { ours, .. } => {
            decoded.radios.extend(ours.iter().map(|station| row_radio(answers, station, scope)));
            decoded.radios.extend(scope.absent(&selection, &LINK_FIELDS));
            decoded.radios.push(sector_radio(answers, ours.len(), count.unwrap_or(rows.len() as f64)));
        }
        Selection::One(station) => {
            let mut radio = row_radio(answers, station, scope);
            add_scalars(answers, &mut radio);
            decoded.radios.push(radio);
        }
        Selection::Nobody | Selection::Ambiguous => decoded.radios.push(scalar_radio(answers, count)),
    }
    let down = |r: &Radio| r.reading("link_up_flag") == Some(Reading::value(0.0));
    if decoded.radios.iter().any(down) {
        decoded.stale.push(STATIONS);
    } else if count.is_some_and(|n| n != rows.len() as f64) {
        decoded.suspect.push(STATIONS);
    }
    for radio in &mut decoded.radios {
        gate(&FAMILY, radio);
    }
    decoded.power.insert("temperature_celsius", temperature(answers));
    decoded
}

/// airOS 8.7.4 to 8.7.6 answer degrees times ten million; the MIB allows 0 to 255.
fn temperature(answers: &Answers) -> Reading {
    answers.reading(&object(&TEMPERATURE), 1.0).map(|t| if t > 255.0 { t / 1e7 } else { t })
}

fn rsl(answers: &Answers, oid: &Oid) -> Reading {
    unless(answers.reading(oid, 1.0), &[0.0])
}

/// The link as the peer's row tells it.
fn row_radio(answers: &Answers, station: &Station<'_>, scope: &Scope<'_>) -> Radio {
    let row = station.row;
    let mut radio = Radio::towards(station, scope);
    let gone = |column: &u32| answers.number(&cell(*column, row)) == Err(Missing::NotOffered);
    if ROW.iter().all(gone) {
        return radio.down(&LINK_FIELDS);
    }
    radio.set("link_up_flag", Reading::value(1.0));
    radio.set("rsl_dbm", rsl(answers, &cell(3, row)));
    radio.set("noise_floor_dbm", unless(answers.reading(&cell(4, row), 1.0), &[0.0]));
    radio.set("distance_meters", unless(answers.reading(&cell(5, row), 1.0), &[0.0]));
    radio.set("cinr_db", unless(answers.reading(&cell(16, row), 1.0), &[0.0]));
    set_rates(&mut radio, answers, &cell(11, row), &cell(12, row));
    for (field, column) in [("capacity_tx_mbps", 17), ("capacity_rx_mbps", 18)] {
        let own = reported(answers, &cell(column, row), 1e-3);
        // M has no such column: then the derived figure stands.
        if own.missing() != Some(Missing::NotOffered) {
            radio.set(field, own);
        }
    }
    radio.octets = Some(Octets { tx: answers.counter(&cell(13, row)), rx: answers.counter(&cell(14, row)) });
    radio
}

fn set_rates(radio: &mut Radio, answers: &Answers, tx: &Oid, rx: &Oid) {
    for (phy, capacity, oid) in [("phy_tx_mbps", "capacity_tx_mbps", tx), ("phy_rx_mbps", "capacity_rx_mbps", rx)] {
        let rate = unless(answers.reading(oid, 1e-6), &[0.0]);
        radio.set(phy, rate);
        radio.set(capacity, derived(rate, FACTOR));
    }
}

fn add_scalars(answers: &Answers, radio: &mut Radio) {
    radio.set("channel_mhz", unless(answers.reading(&FREQUENCY.into(), 1.0), &[0.0]));
    radio.set("airtime_percent", answers.reading(&object(&AIRTIME), 0.1));
    let down = radio.reading("link_up_flag") == Some(Reading::value(0.0));
    for (field, oid, scale) in SCALARS {
        if !(down && LINK_FIELDS.contains(&field)) {
            radio.set(field, answers.reading(&object(&oid), scale));
        }
    }
    if down {
        return;
    }
    for (chain, field) in CHAINS.iter().zip(["rsl_chain0_dbm", "rsl_chain1_dbm"]) {
        radio.set(field, unless(answers.reading(&object(chain), 1.0), &[0.0]).map(|rssi| rssi + RSSI_ZERO_DBM));
    }
}

/// The link as the radio's own figures tell it, where the table has no row to read.
fn scalar_radio(answers: &Answers, count: Option<f64>) -> Radio {
    let mut radio = Radio::new(ONLY_RADIO);
    match count {
        Some(0.0) => {
            radio = radio.down(&LINK_FIELDS);
            add_scalars(answers, &mut radio);
            return radio;
        }
        // With several peers these figures are of none of them.
        Some(n) if n > 1.0 => {
            for field in LINK_FIELDS {
                radio.set(field, Reading::Missing(Missing::NotMeasured));
            }
            radio.set("link_up_flag", Reading::value(1.0));
            radio.set("peers_count", Reading::value(n));
            add_own(answers, &mut radio);
            return radio;
        }
        Some(_) => radio.set("link_up_flag", Reading::value(1.0)),
        None => radio.set("link_up_flag", Reading::Missing(Missing::NotOffered)),
    }
    radio.set("rsl_dbm", rsl(answers, &object(&SIGNAL)));
    radio.set("noise_floor_dbm", unless(answers.reading(&object(&NOISE), 1.0), &[0.0]));
    radio.set("distance_meters", unless(answers.reading(&object(&DISTANCE), 1.0), &[0.0]));
    set_rates(&mut radio, answers, &object(&TX_RATE), &object(&RX_RATE));
    add_scalars(answers, &mut radio);
    radio
}

fn sector_radio(answers: &Answers, ours: usize, count: f64) -> Radio {
    let mut radio = Radio::new(SECTOR_RADIO);
    radio.set("peers_count", Reading::value(count));
    radio.set("strangers_count", Reading::value((count - ours as f64).max(0.0)));
    add_own(answers, &mut radio);
    radio
}

/// What an access point says of itself, whoever its peers are.
fn add_own(answers: &Answers, radio: &mut Radio) {
    radio.set("airtime_percent", answers.reading(&object(&AIRTIME), 0.1));
    radio.set("channel_mhz", unless(answers.reading(&FREQUENCY.into(), 1.0), &[0.0]));
    radio.set("noise_floor_dbm", unless(answers.reading(&object(&NOISE), 1.0), &[0.0]));
    for (field, oid, scale) in SCALARS.iter().filter(|(field, _, _)| !LINK_FIELDS.contains(field)) {
        radio.set(field, answers.reading(&object(oid), *scale));
    }
}
