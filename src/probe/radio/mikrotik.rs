//! MikroTik RouterOS, by MIKROTIK-MIB (1.3.6.1.4.1.14988.1): 60 GHz (W60G) and classic wireless as station or access
//! point; supply and temperature from the health scalars or, on RouterOS 7, from the gauge table.
//!
//! The new WiFi package and LTE modems have files of their own. No capacity is reported. It is derived from the PHY
//! rate, which both directions share, times [`FACTOR`]. All models have one sysObjectID, so the tables that have
//! rows say what the device is; the order is 60 GHz, station, access point, WiFi package; an LTE modem comes beside
//! any of them. A 60 GHz device whose 5 GHz radio stands by as a station has both: the link's radio is the 60 GHz one,
//! the other has the number of its interface. Which of them carries the traffic is up to bonding or routes, of which
//! the MIB says nothing: the throughput of each tells.

use std::collections::BTreeMap;

use super::{
    Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Octets, Radio, Rows, SYS_DESCR, Scope, Selection, Station,
    Table, carriers, derived, gate, mikrotik_lte, mikrotik_wifi, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, Value, clean_text, mac_of_arcs, mac_of_value};

pub static FAMILY: Family = Family {
    profile: "mikrotik",
    title: "MikroTik RouterOS: 60 GHz, classic wireless, WiFi package, LTE",
    checked: Checked::Recording,
    duplex: Duplex::Shared,
    capacity_min_mbps: 0.1,
    capacity_max_mbps: 4620.0,
    capacity_max_source: "MCS 12 of a single carrier: 4620 Mbps (IEEE 802.11ad)",
    channel: None,
    capacity_from: "60 GHz and classic wireless: PHY rate, which both directions share, times 0.5, an engineering \
                    figure of this project; WiFi package and LTE: nothing",
    object_ids: &[ObjectId::Is(&[1, 3, 6, 1, 4, 1, 14988, 1])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: W60G, column: W60G_CONNECTED, rows_max: 8 },
        Table { name: W60G_STATIONS, column: W60G_STATION_MAC, rows_max: 64 },
        Table { name: STATION, column: STATION_SIGNAL, rows_max: 8 },
        Table { name: AP, column: AP_CLIENTS, rows_max: 16 },
        Table { name: REGISTERED, column: REGISTERED_SIGNAL, rows_max: 128 },
        mikrotik_wifi::INTERFACE_TABLE,
        mikrotik_wifi::REGISTERED_TABLE,
        mikrotik_lte::TABLE,
        Table { name: GAUGES, column: GAUGE_NAME, rows_max: 32 },
    ],
    info: |_| vec![SYS_DESCR.into(), VERSION.into()],
    decode_info,
    requests,
    decode,
};

/// Part of the PHY rate that a link carries with all the air time. An engineering figure of this project: 802.11
/// with NV2 or CSMA carries half of its PHY rate in our reckoning, and MikroTik sells its 60 GHz pairs, which run at a
/// PHY rate of 2310 Mbps, as "1 Gbps full duplex", so half is on the safe side there.
const FACTOR: f64 = 0.5;

const W60G: &str = "w60g";
const W60G_STATIONS: &str = "w60g stations";
const STATION: &str = "station";
const AP: &str = "access point";
const REGISTERED: &str = "registered";
const GAUGES: &str = "gauges";

const VERSION: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 4, 4, 0];
/// mtxrWlStatTable, index ifIndex.
const STATION_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 1, 1];
const STATION_SIGNAL: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 1, 1, 4];
/// mtxrWlRtabTable, index MAC address and ifIndex.
const REGISTERED_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 2, 1];
const REGISTERED_SIGNAL: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 2, 1, 3];
/// mtxrWlApTable, index ifIndex.
const AP_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 3, 1];
const AP_CLIENTS: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 3, 1, 6];
/// Entries of the registration table.
const REGISTERED_COUNT: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 4, 0];
/// mtxrWl60GTable, index ifIndex.
const W60G_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 8, 1];
const W60G_CONNECTED: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 8, 1, 4];
/// mtxrWl60GStaTable, index ifIndex of the station.
const W60G_STATION_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 9, 1];
const W60G_STATION_MAC: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 1, 9, 1, 3];
const HEALTH: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 3];
/// mtxrGaugeTable: 2 name, 3 value, 4 unit.
const GAUGE: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 3, 100, 1];
const GAUGE_NAME: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 3, 100, 1, 2];
/// ifHCInOctets and ifHCOutOctets (RFC 2863): RouterOS has them for its wireless interfaces.
const HC_IN: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6];
const HC_OUT: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 10];

/// Health scalars: field, object, scale. Voltage, temperature and power are in tenths, current in mA.
const SCALARS: [(&str, u32, f64); 4] =
    [("supply_volts", 8, 0.1), ("temperature_celsius", 10, 0.1), ("supply_watts", 12, 0.1), ("supply_amps", 13, 1e-3)];
const W60G_COLUMNS: [u32; 7] = [4, 5, 6, 7, 8, 12, 13];
const W60G_STATION_COLUMNS: [u32; 6] = [2, 4, 5, 8, 9, 10];
const STATION_COLUMNS: [u32; 8] = [2, 3, 4, 6, 7, 8, 9, 10];
const REGISTERED_COLUMNS: [u32; 7] = [3, 8, 9, 12, 14, 16, 19];
const AP_COLUMNS: [u32; 4] = [7, 8, 9, 10];

const LINK_FIELDS: [&str; 5] = ["capacity_tx_mbps", "capacity_rx_mbps", "phy_tx_mbps", "phy_rx_mbps", "rsl_dbm"];

/// Which part of the device is the link's radio.
enum Part<'a> {
    W60g { interface: &'a Row, stations: Selection<'a> },
    Station(&'a Row),
    AccessPoint { interfaces: &'a [Row], registered: Selection<'a> },
    Wifi,
    None,
}

fn part<'a>(scope: &Scope<'a>) -> Part<'a> {
    let rows = scope.rows;
    if let Some(interface) = rows.of(W60G).first() {
        return Part::W60g {
            interface,
            stations: scope.select(rows.of(W60G_STATIONS), |row| mac_of_value(&row.value)),
        };
    }
    match (rows.of(STATION), rows.of(AP)) {
        ([station, ..], _) if !scope.sector => Part::Station(station),
        (_, interfaces @ [_, ..]) => {
            let registered = scope.select(rows.of(REGISTERED), |row| mac_of_arcs(row.index.get(..6)?));
            Part::AccessPoint { interfaces, registered }
        }
        _ if mikrotik_wifi::present(rows) => Part::Wifi,
        _ => Part::None,
    }
}

fn cell(entry: &[u32], column: u32, row: &Row) -> Oid {
    Oid::of(&[entry, &[column]].concat(), &row.index)
}

fn cells<'a>(entry: &'a [u32], columns: &'a [u32], row: &'a Row) -> impl Iterator<Item = Oid> + 'a {
    columns.iter().map(move |column| cell(entry, *column, row))
}

fn octets(row: &Row) -> [Oid; 2] {
    [Oid::of(HC_OUT, &row.index), Oid::of(HC_IN, &row.index)]
}

fn decode_info(answers: &Answers, _: &Rows) -> Info {
    let model = answers.text(&SYS_DESCR.into()).ok();
    Info {
        model: model.map(|text| text.strip_prefix("RouterOS ").unwrap_or(&text).to_owned()),
        firmware: answers.text(&VERSION.into()).ok(),
    }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids = Vec::new();
    match part(scope) {
        Part::W60g { interface, stations } => {
            oids.extend(cells(W60G_ENTRY, &W60G_COLUMNS, interface));
            for station in stations.chosen() {
                oids.extend(cells(W60G_STATION_ENTRY, &W60G_STATION_COLUMNS, station.row));
                oids.extend(octets(station.row));
            }
            if stations.chosen().is_empty() {
                oids.extend(octets(interface));
            }
            oids.extend(standing_by(scope).iter().flat_map(station_requests));
        }
        Part::Station(row) => oids.extend(station_requests(row)),
        Part::AccessPoint { interfaces, registered } => {
            oids.push(REGISTERED_COUNT.into());
            for station in registered.chosen() {
                oids.extend(cells(REGISTERED_ENTRY, &REGISTERED_COLUMNS, station.row));
            }
            if let Some(interface) = interface_of(interfaces, &registered) {
                oids.extend(cells(AP_ENTRY, &AP_COLUMNS, interface));
                if !scope.sector {
                    oids.extend(octets(interface));
                }
            }
        }
        Part::Wifi => oids.extend(mikrotik_wifi::requests(scope)),
        Part::None => {}
    }
    oids.extend(mikrotik_lte::requests(scope.rows));
    oids.extend(power_requests(scope.rows));
    oids
}

/// The 5 GHz stations of a 60 GHz device.
fn standing_by<'a>(scope: &Scope<'a>) -> &'a [Row] {
    if scope.sector { &[] } else { scope.rows.of(STATION) }
}

fn station_requests(row: &Row) -> Vec<Oid> {
    cells(STATION_ENTRY, &STATION_COLUMNS, row).chain(octets(row)).collect()
}

/// The access point's interface that the peer is registered on, by the last arc of its row.
fn interface_of<'a>(interfaces: &'a [Row], registered: &Selection<'_>) -> Option<&'a Row> {
    let on = registered.chosen().first().and_then(|s| s.row.index.last());
    interfaces.iter().find(|i| on.is_some() && i.index.last() == on).or(interfaces.first())
}

fn power_requests(rows: &Rows) -> Vec<Oid> {
    let gauges = gauges(rows);
    if gauges.is_empty() {
        return SCALARS.iter().map(|(_, object, _)| Oid::of(HEALTH, &[*object, 0])).collect();
    }
    gauges.iter().flat_map(|(row, _)| cells(GAUGE, &[3, 4], row).collect::<Vec<_>>()).collect()
}

/// The gauges that are worth a question, by their names.
fn gauges(rows: &Rows) -> Vec<(&Row, String)> {
    let wanted = |name: &str| ["volt", "temp", "current", "power"].iter().any(|part| name.contains(part));
    let mut gauges = Vec::new();
    for row in rows.of(GAUGES) {
        let Value::Bytes(name) = &row.value else { continue };
        let name = clean_text(name).to_lowercase();
        if wanted(&name) {
            gauges.push((row, name));
        }
    }
    // The board's own sensors before those of its chips.
    gauges.sort_by_key(|(_, name)| ["cpu", "phy", "switch"].iter().any(|chip| name.contains(chip)));
    gauges
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let mut decoded = Decoded::default();
    match part(scope) {
        Part::W60g { interface, stations } => {
            decode_w60g(answers, scope, interface, &stations, &mut decoded);
            let own_tag = |row| Radio { tag: carriers::tag(row, true), ..station_radio(answers, row) };
            decoded.radios.extend(standing_by(scope).iter().map(own_tag));
        }
        Part::Station(row) => decoded.radios.push(station_radio(answers, row)),
        Part::AccessPoint { interfaces, registered } => {
            decode_access_point(answers, scope, interfaces, &registered, &mut decoded);
        }
        Part::Wifi => decoded = mikrotik_wifi::decode(answers, scope),
        Part::None => {}
    }
    decoded.radios.extend(mikrotik_lte::radios(answers, scope.rows));
    for radio in &mut decoded.radios {
        gate(&FAMILY, radio);
    }
    decoded.power = power(answers, scope.rows);
    decoded
}

/// One PHY rate for both directions, where the radio tells only one.
fn set_phy(radio: &mut Radio, tx: Reading, rx: Reading) {
    for (phy, capacity, rate) in [("phy_tx_mbps", "capacity_tx_mbps", tx), ("phy_rx_mbps", "capacity_rx_mbps", rx)] {
        let rate = unless(rate, &[0.0]);
        radio.set(phy, rate);
        radio.set(capacity, derived(rate, FACTOR));
    }
}

fn set_octets(radio: &mut Radio, answers: &Answers, row: &Row) {
    let [tx, rx] = octets(row);
    radio.octets = Some(Octets { tx: answers.counter(&tx), rx: answers.counter(&rx) });
}

fn decode_w60g(answers: &Answers, scope: &Scope<'_>, interface: &Row, stations: &Selection<'_>, decoded: &mut Decoded) {
    let main = |column| cell(W60G_ENTRY, column, interface);
    for station in stations.chosen() {
        decoded.radios.push(w60g_station(answers, scope, station, interface));
    }
    match stations {
        // A station of somebody else's access point has no table: the interface tells the link.
        Selection::Nobody => {
            let mut radio = Radio::new(ONLY_RADIO);
            let up = answers.number(&main(4));
            if up == Ok(0.0) {
                radio = radio.down(&LINK_FIELDS);
                decoded.stale.push(W60G_STATIONS);
            } else {
                radio.set("link_up_flag", answers.reading(&main(4), 1.0));
                radio.peer = peer_of(answers, &main(5));
                radio.set("rsl_dbm", unless(answers.reading(&main(12), 1.0), &[0.0]));
                radio.set("mcs_tx_index", answers.reading(&main(7), 1.0));
                let phy = answers.reading(&main(13), 1.0);
                set_phy(&mut radio, phy, phy);
                set_octets(&mut radio, answers, interface);
            }
            decoded.radios.push(radio);
        }
        Selection::Ambiguous => decoded.radios.push(Radio::unmeasured(&LINK_FIELDS)),
        Selection::One(_) => {}
        Selection::Sector { ours, strangers } => {
            decoded.radios.extend(scope.absent(stations, &LINK_FIELDS));
            decoded.radios.push(Radio::of_sector(ours.len(), *strangers));
        }
    }
    for radio in &mut decoded.radios {
        radio.set("channel_mhz", unless(answers.reading(&main(6), 1.0), &[0.0]));
        if radio.reading("link_up_flag") == Some(Reading::value(0.0)) {
            decoded.stale = vec![W60G_STATIONS];
        } else if radio.tag == ONLY_RADIO {
            radio.set("signal_quality_percent", answers.reading(&main(8), 1.0));
        }
    }
}

fn w60g_station(answers: &Answers, scope: &Scope<'_>, station: &Station<'_>, interface: &Row) -> Radio {
    let of = |column| cell(W60G_STATION_ENTRY, column, station.row);
    let mut radio = Radio::towards(station, scope);
    match answers.number(&of(2)) {
        Ok(0.0) | Err(Missing::NotOffered) => return radio.down(&LINK_FIELDS),
        Ok(_) => radio.set("link_up_flag", Reading::value(1.0)),
        Err(why) => radio.set("link_up_flag", Reading::Missing(why)),
    }
    // The interface of a pair tells what its station's row may lack.
    let either = |own: Reading, column| match own {
        value @ Reading::Value { .. } => value,
        missing if scope.sector => missing,
        _ => unless(answers.reading(&cell(W60G_ENTRY, column, interface), 1.0), &[0.0]),
    };
    let own = |column| unless(answers.reading(&of(column), 1.0), &[0.0]);
    radio.set("rsl_dbm", either(own(9), 12));
    radio.set("mcs_tx_index", answers.reading(&of(4), 1.0));
    let phy = either(own(8), 13);
    set_phy(&mut radio, phy, phy);
    // The MIB says metres; devices answer centimetres (18545 for a pair that stands 185 m apart).
    radio.set("distance_meters", own(10).map(|cm| cm / 100.0));
    set_octets(&mut radio, answers, station.row);
    radio
}

/// Classic wireless as a station. RouterOS keeps the row when the access point is lost, with nothing in it.
fn station_radio(answers: &Answers, row: &Row) -> Radio {
    let of = |column| cell(STATION_ENTRY, column, row);
    let mut radio = Radio::new(ONLY_RADIO);
    radio.peer = peer_of(answers, &of(6));
    let signal = answers.number(&of(4));
    let rate = answers.number(&of(2));
    if radio.peer.is_none() && (signal == Ok(0.0) || signal == Err(Missing::NotOffered)) && rate.unwrap_or(0.0) == 0.0 {
        return radio.down(&LINK_FIELDS);
    }
    radio.set("link_up_flag", Reading::value(1.0));
    radio.set("rsl_dbm", unless(answers.reading(&of(4), 1.0), &[0.0]));
    set_phy(&mut radio, answers.reading(&of(2), 1e-6), answers.reading(&of(3), 1e-6));
    set_channel(&mut radio, answers, &of(7), &of(8));
    // Typed as counters, though they are percentages. NV2 has none.
    radio.set("ccq_tx_percent", answers.reading(&of(9), 1.0));
    radio.set("ccq_rx_percent", answers.reading(&of(10), 1.0));
    set_octets(&mut radio, answers, row);
    radio
}

fn decode_access_point(
    answers: &Answers,
    scope: &Scope<'_>,
    interfaces: &[Row],
    registered: &Selection<'_>,
    decoded: &mut Decoded,
) {
    decoded.radios.extend(registered.chosen().iter().map(|station| registered_radio(answers, scope, station)));
    let interface = interface_of(interfaces, registered);
    match registered {
        Selection::Nobody => decoded.radios.push(Radio::new(ONLY_RADIO).down(&LINK_FIELDS)),
        Selection::Ambiguous => decoded.radios.push(Radio::unmeasured(&LINK_FIELDS)),
        Selection::One(_) => {}
        Selection::Sector { ours, strangers } => {
            decoded.radios.extend(scope.absent(registered, &LINK_FIELDS));
            decoded.radios.push(Radio::of_sector(ours.len(), *strangers));
        }
    }
    for radio in &mut decoded.radios {
        let Some(row) = interface else { continue };
        let of = |column| cell(AP_ENTRY, column, row);
        set_channel(radio, answers, &of(7), &of(8));
        radio.set("noise_floor_dbm", unless(answers.reading(&of(9), 1.0), &[0.0]));
        if !scope.sector && radio.reading("link_up_flag") == Some(Reading::value(1.0)) {
            radio.set("ccq_tx_percent", answers.reading(&of(10), 1.0));
            set_octets(radio, answers, row);
        }
    }
    let known = scope.rows.of(REGISTERED).len() as f64;
    if decoded.radios.iter().any(|r| r.reading("link_up_flag") == Some(Reading::value(0.0))) {
        decoded.stale.push(REGISTERED);
    } else if answers.number(&REGISTERED_COUNT.into()).is_ok_and(|n| n != known) {
        decoded.suspect.push(REGISTERED);
    }
}

fn registered_radio(answers: &Answers, scope: &Scope<'_>, station: &Station<'_>) -> Radio {
    let of = |column| cell(REGISTERED_ENTRY, column, station.row);
    let mut radio = Radio::towards(station, scope);
    if answers.value(&of(3)) == Err(Missing::NotOffered) {
        return radio.down(&LINK_FIELDS);
    }
    let level = |column| unless(answers.reading(&of(column), 1.0), &[0.0]);
    radio.set("link_up_flag", Reading::value(1.0));
    radio.set("rsl_dbm", level(3));
    set_phy(&mut radio, answers.reading(&of(8), 1e-6), answers.reading(&of(9), 1e-6));
    radio.set("snr_db", level(12));
    radio.set("rsl_chain0_dbm", level(14));
    radio.set("rsl_chain1_dbm", level(16));
    // What the other end receives of us.
    radio.set("remote_rsl_dbm", level(19));
    radio
}

fn set_channel(radio: &mut Radio, answers: &Answers, frequency: &Oid, band: &Oid) {
    // A virtual access point has neither.
    radio.set("channel_mhz", unless(answers.reading(frequency, 1.0), &[0.0]));
    let width = match answers.text(band) {
        Ok(text) => width_of_band(&text).map_or(Reading::Missing(Missing::Malformed), Reading::value),
        Err(why) => Reading::Missing(why),
    };
    radio.set("channel_width_mhz", width);
    radio.modulation = answers.text(band).ok().and_then(|t| t.rsplit('/').next().map(|m| format!("802.11{m}")));
}

/// `5745/20-Ce/an` is a control channel of 20 MHz with one extension: 40 MHz. `2412/20/gn` is 20 MHz.
fn width_of_band(band: &str) -> Option<f64> {
    let width = band.split('/').nth(1)?;
    let (base, extensions) = width.split_once('-').unwrap_or((width, "C"));
    let channels = extensions.chars().filter(|c| matches!(c, 'C' | 'e')).count();
    let mhz = base.parse::<f64>().ok()? * channels as f64;
    (mhz > 0.0 && mhz <= 160.0).then_some(mhz)
}

fn peer_of(answers: &Answers, oid: &Oid) -> Option<String> {
    answers.value(oid).ok().and_then(mac_of_value)
}

fn power(answers: &Answers, rows: &Rows) -> BTreeMap<&'static str, Reading> {
    let mut power = BTreeMap::new();
    let gauges = gauges(rows);
    if gauges.is_empty() {
        for (field, object, scale) in SCALARS {
            // Boards differ in what they measure: what one lacks is no news. 0 V is a board without the sensor.
            let reading = unless(answers.reading(&Oid::of(HEALTH, &[object, 0]), scale), &[0.0]);
            if reading.missing() != Some(Missing::NotOffered) {
                power.insert(field, reading);
            }
        }
        return power;
    }
    for (row, _) in gauges {
        // Units: 1 degrees, 3 dV, 4 dA, 5 dW.
        let (field, scale) = match answers.number(&cell(GAUGE, 4, row)) {
            Ok(1.0) => ("temperature_celsius", 1.0),
            Ok(3.0) => ("supply_volts", 0.1),
            Ok(4.0) => ("supply_amps", 0.1),
            Ok(5.0) => ("supply_watts", 0.1),
            _ => continue,
        };
        let reading = answers.reading(&cell(GAUGE, 3, row), scale);
        if reading.get().is_some_and(|v| v != 0.0 || field == "temperature_celsius") {
            power.entry(field).or_insert(reading);
        }
    }
    power
}
