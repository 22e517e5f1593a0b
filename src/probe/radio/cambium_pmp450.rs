//! Cambium PMP 450 and PTP 450 (Canopy), by WHISP-APS-MIB, WHISP-SM-MIB and WHISP-BOX-MIBV2-MIB (1.3.6.1.4.1.161.19.3),
//! as access point or subscriber module. Levels are texts ("-62.8"). The split of the air time is fixed by
//! configuration.

use super::{
    Checked, Decoded, Descr, Family, Info, ONLY_RADIO, ObjectId, Peers, Radio, Rows, SECTOR_RADIO, Scope, Station,
    Table, combined, gate, reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, mac_of_value};

pub static FAMILY: Family = Family {
    profile: "cambium-pmp450",
    title: "Cambium PMP 450 / PTP 450 (Canopy)",
    // The recording has levels, and no rate.
    checked: Checked::MibText,
    duplex: Duplex::Fixed,
    capacity_min_mbps: 0.1,
    capacity_max_mbps: 1200.0,
    capacity_max_source: "Cambium's published 1.2 Gbps for a sector of PMP 450m",
    channel: None,
    capacity_from: "towards a subscriber: its linkSpeed at the access point, which no recording has (levels were \
                    read from one); no object tells the other direction",
    object_ids: &[],
    // CMM controllers have Motorola's enterprise too.
    shared_object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 161, 19])],
    descrs: &[Descr::Begins("CANOPY")],
    asks: &[],
    tables: &[
        Table { name: SUBSCRIBERS, column: MAC, rows_max: 238 },
        // The rows of a device that does not tell their addresses.
        Table { name: LEVELS, column: LEVEL, rows_max: 238 },
    ],
    info: |_| vec![PRODUCT.into(), super::SYS_DESCR.into()],
    decode_info: |answers, _| Info {
        model: answers.text(&PRODUCT.into()).ok(),
        firmware: answers.text(&super::SYS_DESCR.into()).ok().and_then(|text| version(&text)),
    },
    requests,
    decode,
};

const SUBSCRIBERS: &str = "subscribers";
const LEVELS: &str = "levels";
const PRODUCT: &[u32] = &[1, 3, 6, 1, 4, 1, 161, 19, 3, 3, 1, 266, 0];
/// °C.
const TEMPERATURE: &[u32] = &[1, 3, 6, 1, 4, 1, 161, 19, 3, 3, 1, 35, 0];
/// Of the access point: subscribers registered, frequency, utilisation of the frame in the last minute (%).
const CLIENTS: &[u32] = &[1, 3, 6, 1, 4, 1, 161, 19, 3, 1, 7, 1, 0];
const FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 161, 19, 3, 1, 7, 37, 0];
const DOWNLINK_USE: &[u32] = &[1, 3, 6, 1, 4, 1, 161, 19, 3, 1, 12, 1, 1, 0];
const UPLINK_USE: &[u32] = &[1, 3, 6, 1, 4, 1, 161, 19, 3, 1, 12, 1, 2, 0];
/// linkEntry, index LUID.
const LINK: &[u32] = &[1, 3, 6, 1, 4, 1, 161, 19, 3, 1, 4, 1];
const MAC: &[u32] = &[1, 3, 6, 1, 4, 1, 161, 19, 3, 1, 4, 1, 3];
const LEVEL: &[u32] = &[1, 3, 6, 1, 4, 1, 161, 19, 3, 1, 4, 1, 35];
/// Of the subscriber module.
const SUBSCRIBER: &[u32] = &[1, 3, 6, 1, 4, 1, 161, 19, 3, 2, 2];

/// Columns of a subscriber at its access point.
const RATE: u32 = 5;
/// 1 is "in session".
const SESSION: u32 = 19;
const LAST_POWER: u32 = 35;
const ADAPT_RATE: u32 = 40;
/// Nanoseconds there and back.
const AIR_DELAY: u32 = 66;
const SNR: [u32; 2] = [74, 84];
/// Levels of both polarisations, texts.
const CHAINS: [u32; 2] = [88, 87];
const COLUMNS: [u32; 9] = [RATE, SESSION, LAST_POWER, ADAPT_RATE, AIR_DELAY, SNR[0], SNR[1], CHAINS[0], CHAINS[1]];

/// Scalars of a subscriber module: session status, level, adapt rate, tx power, SNR and levels of both polarisations.
const OWN_STATUS: u32 = 1;
const OWN_POWER: u32 = 8;
const OWN_ADAPT_RATE: u32 = 20;
const OWN_TX_POWER: u32 = 23;
const OWN_SNR: [u32; 2] = [95, 106];
const OWN_CHAINS: [u32; 2] = [118, 117];
const OWN: [u32; 8] =
    [OWN_STATUS, OWN_POWER, OWN_ADAPT_RATE, OWN_TX_POWER, OWN_SNR[0], OWN_SNR[1], OWN_CHAINS[0], OWN_CHAINS[1]];

/// Light travels 0.15 m there and back in a nanosecond.
const METERS_PER_NS: f64 = 0.149_896_229;

const AP_FIELDS: [&str; 6] =
    ["capacity_tx_mbps", "rsl_dbm", "rsl_chain0_dbm", "rsl_chain1_dbm", "snr_db", "distance_meters"];
const SUBSCRIBER_FIELDS: [&str; 4] = ["rsl_dbm", "rsl_chain0_dbm", "rsl_chain1_dbm", "snr_db"];

/// `CANOPY 15.0.0.1 AP-DES`
fn version(descr: &str) -> Option<String> {
    descr.split_whitespace().nth(1).filter(|v| v.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

fn cell(column: u32, row: &Row) -> Oid {
    Oid::of(&[LINK, &[column]].concat(), &row.index)
}

fn own(object: u32) -> Oid {
    Oid::of(SUBSCRIBER, &[object, 0])
}

fn peers(rows: &Rows) -> Peers<'_> {
    let subscribers = rows.of(SUBSCRIBERS);
    let rows = if subscribers.is_empty() { rows.of(LEVELS) } else { subscribers };
    Peers { rows, tables: &[SUBSCRIBERS, LEVELS], link_fields: &AP_FIELDS, mac: |row| mac_of_value(&row.value) }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids: Vec<Oid> = [TEMPERATURE, CLIENTS, FREQUENCY, DOWNLINK_USE, UPLINK_USE].map(Oid::from).into();
    let peers = peers(scope.rows);
    for station in peers.select(scope).chosen() {
        oids.extend(COLUMNS.iter().map(|column| cell(*column, station.row)));
    }
    if peers.rows.is_empty() {
        oids.extend(OWN.iter().map(|object| own(*object)));
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let peers = peers(scope.rows);
    let clients = answers.number(&CLIENTS.into());
    // Both know their level; an access point counts its subscribers.
    let subscriber = peers.rows.is_empty() && clients.is_err() && answers.has(&own(OWN_STATUS));
    let mut decoded = if subscriber {
        Decoded { radios: vec![subscriber_radio(answers)], ..Decoded::default() }
    } else {
        peers.decode(scope, |station| station_radio(answers, station, scope))
    };
    if decoded.stale.is_empty() && !subscriber && clients.is_ok_and(|n| n != peers.rows.len() as f64) {
        decoded.suspect.extend(peers.tables);
    }
    for radio in &mut decoded.radios {
        if !subscriber {
            radio.set("channel_mhz", frequency(answers));
        }
        if radio.tag == SECTOR_RADIO || radio.tag == ONLY_RADIO && !subscriber {
            radio.set("airtime_percent", airtime(answers));
        }
        if let Some(strangers) = radio.reading("strangers_count").and_then(Reading::get)
            && let Ok(n) = clients
        {
            let ours = peers.rows.len() as f64 - strangers;
            radio.set("strangers_count", Reading::value((n - ours).max(0.0)));
        }
        if let Ok(n) = clients {
            let several = radio.tag == ONLY_RADIO && n > 1.0;
            if several || radio.tag == SECTOR_RADIO {
                radio.set("peers_count", Reading::value(n));
            }
        }
        gate(&FAMILY, radio);
    }
    decoded.power.insert("temperature_celsius", answers.reading(&TEMPERATURE.into(), 1.0));
    decoded
}

/// The busier of both directions.
fn airtime(answers: &Answers) -> Reading {
    let (down, up) = (answers.reading(&DOWNLINK_USE.into(), 1.0), answers.reading(&UPLINK_USE.into(), 1.0));
    match (down.get(), up.get()) {
        (Some(a), Some(b)) => Reading::value(a.max(b)),
        (None, Some(_)) => up,
        _ => down,
    }
}

fn frequency(answers: &Answers) -> Reading {
    match answers.number(&FREQUENCY.into()) {
        Ok(0.0) => Reading::Missing(Missing::Sentinel),
        Ok(units) => megahertz(units).map_or(Reading::Missing(Missing::Implausible), Reading::value),
        Err(why) => Reading::Missing(why),
    }
}

/// The unit depends on the platform: kHz in the recordings of OFDM radios, tens of kHz in their MIB's text, MHz and
/// hundreds of kHz for the FSK ones of 5 GHz, and of 900 MHz and 2.4 GHz. The bands keep them apart.
fn megahertz(units: f64) -> Option<f64> {
    match units {
        ..=0.0 => None,
        3_000_000.0..=6_500_000.0 => Some(units / 1000.0),
        300_000.0..=650_000.0 => Some(units / 100.0),
        9_000.0..=9_300.0 | 24_000.0..=25_000.0 => Some(units / 10.0),
        3_000.0..=6_500.0 => Some(units),
        _ => None,
    }
}

/// The worse of both polarisations: it limits the modulation.
fn snr(first: Reading, second: Reading) -> Reading {
    match (first.get(), second.get()) {
        (Some(a), Some(b)) => Reading::value(a.min(b)),
        (None, Some(_)) => second,
        _ => first,
    }
}

fn station_radio(answers: &Answers, station: &Station<'_>, scope: &Scope<'_>) -> Option<Radio> {
    let oid = |column| cell(column, station.row);
    if COLUMNS.iter().all(|column| !answers.has(&oid(*column))) {
        return None;
    }
    let session = answers.number(&oid(SESSION));
    if session.is_ok_and(|s| s != 1.0) {
        return None;
    }
    let mut radio = Radio::towards(station, scope);
    radio.set("link_up_flag", session.map_or_else(Reading::Missing, |_| Reading::value(1.0)));
    radio.set("capacity_tx_mbps", reported(answers, &oid(RATE), 1e-6));
    add_levels(&mut radio, answers, &oid(LAST_POWER), CHAINS.map(oid), SNR.map(oid));
    radio.set("distance_meters", unless(answers.reading(&oid(AIR_DELAY), METERS_PER_NS), &[0.0]));
    radio.modulation = answers.text(&oid(ADAPT_RATE)).ok();
    Some(radio)
}

fn add_levels(radio: &mut Radio, answers: &Answers, power: &Oid, chains: [Oid; 2], snrs: [Oid; 2]) {
    let dbm = |oid: &Oid| unless(answers.decimal(oid, 1.0), &[0.0]);
    let [first, second] = chains.map(|oid| dbm(&oid));
    radio.set("rsl_chain0_dbm", first);
    radio.set("rsl_chain1_dbm", second);
    let (own, both) = (dbm(power), combined(first, second));
    radio.set("rsl_dbm", if own.get().is_none() && both.get().is_some() { both } else { own });
    let [first, second] = snrs.map(|oid| answers.reading(&oid, 1.0));
    radio.set("snr_db", snr(first, second));
}

fn subscriber_radio(answers: &Answers) -> Radio {
    let mut radio = Radio::new(ONLY_RADIO);
    let status = answers.text(&own(OWN_STATUS));
    match status.as_deref().map(registered) {
        Ok(Some(false)) => return radio.down(&SUBSCRIBER_FIELDS),
        Ok(Some(true)) => radio.set("link_up_flag", Reading::value(1.0)),
        Ok(None) => radio.set("link_up_flag", Reading::Missing(Missing::Malformed)),
        Err(why) => radio.set("link_up_flag", Reading::Missing(*why)),
    }
    add_levels(&mut radio, answers, &own(OWN_POWER), OWN_CHAINS.map(own), OWN_SNR.map(own));
    radio.set("tx_power_dbm", answers.decimal(&own(OWN_TX_POWER), 1.0));
    radio.modulation = answers.text(&own(OWN_ADAPT_RATE)).ok();
    radio
}

/// sessionStatus, in the words of Cambium's user guide; `None` for others.
fn registered(status: &str) -> Option<bool> {
    let status = status.to_ascii_uppercase();
    match status.split_whitespace().next()? {
        "REGISTERED" => Some(true),
        "SCANNING" | "SYNCING" | "REGISTERING" | "ALIGNMENT" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_is_known_by_its_band_whatever_its_unit() {
        let check = |units: f64, expected: Option<f64>| assert_eq!(megahertz(units), expected, "{units}");
        check(5_785_000.0, Some(5785.0));
        check(3_565_000.0, Some(3565.0));
        check(578_500.0, Some(5785.0));
        check(5785.0, Some(5785.0));
        check(9150.0, Some(915.0));
        check(24_350.0, Some(2435.0));
        check(57.0, None);
        check(-1.0, None);
        check(4_294_967_295.0, None);
    }

    #[test]
    fn a_session_is_known_by_its_word() {
        let check = |status: &str, expected: Option<bool>| assert_eq!(registered(status), expected, "{status}");
        check("REGISTERED VC 18 Rate 8X/8X", Some(true));
        check("Registering", Some(false));
        check("SCANNING", Some(false));
        check("", None);
        check("registrato", None);
    }

    #[test]
    fn the_version_is_taken_out_of_the_description() {
        assert_eq!(version("CANOPY 15.0.0.1 AP-DES").as_deref(), Some("15.0.0.1"));
        assert_eq!(version("CANOPY"), None);
        assert_eq!(version("CANOPY AP"), None);
    }
}
