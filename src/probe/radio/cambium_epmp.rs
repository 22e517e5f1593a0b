//! Cambium ePMP and Force, by CAMBIUM-PMP80211-MIB (1.3.6.1.4.1.17713.21), as access point, master or subscriber.
//!
//! An access point lists its subscribers by a row number that changes as they come and go: each poll asks for the MAC
//! address of the row as well, and a row that has another one is that of somebody else. No object has the capacity; the
//! only rate in Mbps is that towards a subscriber, as text. The MIB numbers modulations up to 15, recent radios answer
//! up to 19 without saying what those are: they are told and nothing is made from them. Its WLAN interface answers
//! ifHighSpeed in bps: nothing is taken from there.

use super::{
    Channel, Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Peers, Radio, Rows, SECTOR_RADIO, Scope, Station,
    Table, derived, gate, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, mac_of_value};

pub static FAMILY: Family = Family {
    profile: "cambium-epmp",
    title: "Cambium ePMP / Force",
    // The recording has levels, and no rate.
    checked: Checked::MibText,
    duplex: Duplex::Shared,
    capacity_min_mbps: 0.1,
    capacity_max_mbps: 2402.0,
    capacity_max_source: "two streams at 160 MHz, MCS 11: 2402 Mbps (IEEE 802.11ax)",
    channel: Some(Channel { bits_max: 10.0, streams_max: 2.0, source: "1024QAM of IEEE 802.11ax, two streams" }),
    capacity_from: "towards a subscriber: connectedSTADLRateMbps times 0.6 (Cambium sells ePMP 1000, which \
                    modulates 300 Mbps, as \"200 Mbps\"), which no recording has (levels were read from one); no \
                    object tells the other direction, nor a subscriber its own",
    object_ids: &[ObjectId::Under(BASE)],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[Table { name: STATIONS, column: STATION_MAC, rows_max: 128 }],
    info: |_| vec![object(&VERSION)],
    decode_info: |answers, _| Info { model: None, firmware: answers.text(&object(&VERSION)).ok() },
    requests,
    decode,
};

/// Part of the rate of its modulation that a link carries with all the air time: see `capacity_from`.
const FACTOR: f64 = 0.6;

const STATIONS: &str = "stations";
const BASE: &[u32] = &[1, 3, 6, 1, 4, 1, 17713, 21];
const STATION: &[u32] = &[1, 3, 6, 1, 4, 1, 17713, 21, 1, 2, 30, 1];
/// Text; the index is a row number.
const STATION_MAC: &[u32] = &[1, 3, 6, 1, 4, 1, 17713, 21, 1, 2, 30, 1, 1];

const VERSION: [u32; 4] = [1, 1, 17, 0];
/// cambiumSTAConnectedRFFrequency, MHz; an access point answers too.
const FREQUENCY: [u32; 4] = [1, 2, 1, 0];
/// A subscriber's: 1 = 20 MHz, 2 = 40.
const SUBSCRIBER_WIDTH: [u32; 4] = [1, 2, 2, 0];
/// cambiumAPNumberOfConnectedSTA.
const CLIENTS: [u32; 4] = [1, 2, 10, 0];
/// Kilometres, as text.
const DISTANCE: [u32; 4] = [1, 2, 12, 0];
/// 1 scanning, 2 connecting, 3 connected.
const STATE: [u32; 4] = [1, 2, 16, 0];
/// 1 access point, 2 subscriber, 3 spectrum analyser.
const MODE: [u32; 5] = [3, 8, 2, 1, 0];
const SUBSCRIBER: f64 = 2.0;
/// 1 = 20 MHz, 2 = 40, 3 = 10, 4 = 5.
const WIDTH: [u32; 5] = [3, 8, 2, 5, 0];
/// An access point's, dBm.
const POWER: [u32; 5] = [3, 8, 2, 6, 0];

/// Figures of a subscriber: what it receives is the downlink.
const SUBSCRIBER_FIELDS: [(&str, [u32; 4]); 7] = [
    ("rsl_dbm", [1, 2, 3, 0]),
    ("cinr_db", [1, 2, 4, 0]),
    ("tx_power_dbm", [1, 2, 5, 0]),
    ("mcs_tx_index", [1, 2, 6, 0]),
    ("mcs_rx_index", [1, 2, 7, 0]),
    ("snr_db", [1, 2, 18, 0]),
    ("signal_quality_percent", [1, 2, 22, 0]),
];
/// Columns of a subscriber at its access point, which receives the uplink.
const STATION_FIELDS: [(&str, u32); 8] = [
    ("rsl_dbm", 4),
    ("remote_rsl_dbm", 5),
    ("snr_db", 6),
    ("remote_snr_db", 7),
    ("mcs_rx_index", 8),
    ("mcs_tx_index", 9),
    ("signal_quality_percent", 20),
    ("distance_meters", 29),
];
/// connectedSTADLRateMbps, as text.
const RATE_COLUMN: u32 = 28;

const LINK_FIELDS: [&str; 12] = [
    "capacity_tx_mbps",
    "phy_tx_mbps",
    "rsl_dbm",
    "remote_rsl_dbm",
    "snr_db",
    "remote_snr_db",
    "cinr_db",
    "mcs_tx_index",
    "mcs_rx_index",
    "signal_quality_percent",
    "distance_meters",
    "tx_power_dbm",
];

fn object(rest: &[u32]) -> Oid {
    Oid::of(BASE, rest)
}

fn cell(column: u32, row: &Row) -> Oid {
    Oid::of(&[STATION, &[column]].concat(), &row.index)
}

fn peers(rows: &Rows) -> Peers<'_> {
    let mac = |row: &Row| mac_of_value(&row.value);
    // Of these a device in the other mode offers a part: those that only a subscriber has are no news when down.
    Peers { rows: rows.of(STATIONS), tables: &[STATIONS], link_fields: &LINK_FIELDS[..6], mac }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids = vec![object(&MODE), object(&FREQUENCY), object(&CLIENTS)];
    let rows = scope.rows.of(STATIONS);
    if rows.is_empty() {
        oids.extend([STATE, DISTANCE, SUBSCRIBER_WIDTH].iter().map(|o| object(o)));
        oids.extend(SUBSCRIBER_FIELDS.iter().map(|(_, o)| object(o)));
    } else {
        oids.extend([WIDTH, POWER].iter().map(|o| object(o)));
    }
    for station in peers(scope.rows).select(scope).chosen() {
        oids.push(cell(1, station.row));
        oids.push(cell(RATE_COLUMN, station.row));
        oids.extend(STATION_FIELDS.iter().map(|(_, column)| cell(*column, station.row)));
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let rows = scope.rows.of(STATIONS);
    let mode = answers.number(&object(&MODE));
    let subscriber = rows.is_empty() && (mode == Ok(SUBSCRIBER) || (mode.is_err() && answers.has(&object(&STATE))));
    let mut decoded = if subscriber {
        Decoded { radios: vec![subscriber_radio(answers)], ..Decoded::default() }
    } else {
        peers(scope.rows).decode(scope, |station| station_radio(answers, station, scope))
    };
    let clients = answers.number(&object(&CLIENTS));
    if decoded.stale.is_empty() && !subscriber && clients.is_ok_and(|n| n != rows.len() as f64) {
        decoded.suspect.push(STATIONS);
    }
    for radio in &mut decoded.radios {
        radio.set("channel_mhz", unless(answers.reading(&object(&FREQUENCY), 1.0), &[0.0]));
        let width = object(if subscriber { &SUBSCRIBER_WIDTH } else { &WIDTH });
        radio.set("channel_width_mhz", width_of(answers, &width));
        if radio.tag == ONLY_RADIO && !subscriber && !rows.is_empty() {
            radio.set("tx_power_dbm", answers.reading(&object(&POWER), 1.0));
        }
        if radio.tag == SECTOR_RADIO
            && let Ok(n) = clients
        {
            let ours = scope.rows.of(STATIONS).len() as f64
                - radio.reading("strangers_count").and_then(Reading::get).unwrap_or(0.0);
            radio.set("peers_count", Reading::value(n));
            radio.set("strangers_count", Reading::value((n - ours).max(0.0)));
        }
        if let Ok(n) = clients
            && radio.tag == ONLY_RADIO
            && n > 1.0
        {
            radio.set("peers_count", Reading::value(n));
        }
        gate(&FAMILY, radio);
    }
    decoded
}

fn width_of(answers: &Answers, oid: &Oid) -> Reading {
    match answers.number(oid) {
        Ok(1.0) => Reading::value(20.0),
        Ok(2.0) => Reading::value(40.0),
        Ok(3.0) => Reading::value(10.0),
        Ok(4.0) => Reading::value(5.0),
        Ok(_) => Reading::Missing(Missing::Malformed),
        Err(why) => Reading::Missing(why),
    }
}

fn station_radio(answers: &Answers, station: &Station<'_>, scope: &Scope<'_>) -> Option<Radio> {
    // Gone, or the row of somebody else by now.
    match answers.value(&cell(1, station.row)) {
        Err(Missing::NotOffered) => return None,
        Ok(value) if mac_of_value(value) != station.mac => return None,
        _ => {}
    }
    let mut radio = Radio::towards(station, scope);
    radio.set("link_up_flag", Reading::value(1.0));
    for (field, column) in STATION_FIELDS {
        radio.set(field, level(field, answers.reading(&cell(column, station.row), 1.0)));
    }
    let rate = unless(answers.decimal(&cell(RATE_COLUMN, station.row), 1.0), &[0.0]);
    radio.set("phy_tx_mbps", rate);
    radio.set("capacity_tx_mbps", derived(rate, FACTOR));
    Some(radio)
}

fn subscriber_radio(answers: &Answers) -> Radio {
    let mut radio = Radio::new(ONLY_RADIO);
    match answers.number(&object(&STATE)) {
        Ok(1.0 | 2.0) => {
            let mut fields: Vec<&'static str> = SUBSCRIBER_FIELDS.iter().map(|(field, _)| *field).collect();
            fields.push("distance_meters");
            return radio.down(&fields);
        }
        Ok(3.0) => radio.set("link_up_flag", Reading::value(1.0)),
        Ok(_) => radio.set("link_up_flag", Reading::Missing(Missing::Malformed)),
        Err(why) => radio.set("link_up_flag", Reading::Missing(why)),
    }
    for (field, oid) in SUBSCRIBER_FIELDS {
        radio.set(field, level(field, answers.reading(&object(&oid), 1.0)));
    }
    radio.set("distance_meters", unless(answers.decimal(&object(&DISTANCE), 1000.0), &[0.0]));
    radio
}

/// 0 dBm is a level that was not measured.
fn level(field: &str, reading: Reading) -> Reading {
    if field.contains("rsl") { unless(reading, &[0.0]) } else { reading }
}
