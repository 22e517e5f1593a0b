//! Ubiquiti airFiber AF5, AF5X, AF11 and AF24, by UBNT-AirFIBER-MIB (1.3.6.1.4.1.41112.1.3): point to point, every
//! table with one row of index 1.
//!
//! Its Ethernet data port is not in IF-MIB: throughput is that of the radio's own counters. They are 64 bits wide, and
//! these radios speak SNMPv1 alone, which has no such type: where they keep to that, throughput is `NotOffered`.

use super::ubiquiti::SHARED_OBJECT_ID;
use super::{
    Channel, Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Octets, Radio, Scope, combined, gate, reported,
    unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::value::{Answers, Oid, mac_of_value};

pub static FAMILY: Family = Family {
    profile: "ubiquiti-airfiber",
    title: "Ubiquiti airFiber AF5 / AF5X / AF11 / AF24",
    checked: Checked::Recording,
    // Full duplex, or halves of the air time that the configuration fixes: two capacities either way.
    duplex: Duplex::Fixed,
    capacity_min_mbps: 0.1,
    capacity_max_mbps: 2000.0,
    capacity_max_source: "Ubiquiti's published 2 Gbps, both directions together, for airFiber 24HD",
    channel: Some(Channel { bits_max: 10.0, streams_max: 2.0, source: "1024QAM (10x) on both polarisations" }),
    capacity_from: "the radio's txCapacity and rxCapacity",
    object_ids: &[],
    shared_object_ids: &[ObjectId::Is(SHARED_OBJECT_ID)],
    descrs: &[],
    asks: &[FIRMWARE],
    tables: &[],
    info: |_| vec![MODEL.into(), FIRMWARE.into()],
    decode_info: |answers, _| Info {
        // Empty on AF11 with firmware 4.0.3.
        model: answers.text(&MODEL.into()).ok(),
        firmware: answers.text(&FIRMWARE.into()).ok(),
    },
    requests,
    decode,
};

/// IEEE802dot11-MIB dot11manufacturerProductName.
const MODEL: &[u32] = &[1, 2, 840, 10036, 3, 1, 2, 1, 3, 5];
const FIRMWARE: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 3, 2, 1, 40, 1];
/// airFiberConfigEntry, airFiberStatusEntry, airFiberStatisticsEntry.
const CONFIG: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 3, 1, 1];
const STATUS: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 3, 2, 1];
const STATISTICS: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 3, 3, 1];

const TX_FREQUENCY: u32 = 5;
const TX_POWER: u32 = 9;
const WIDTH: u32 = 27;
const CONFIGS: [u32; 3] = [TX_FREQUENCY, TX_POWER, WIDTH];

const TX_RATE: u32 = 2;
const DISTANCE: u32 = 4;
const RX_CAPACITY: u32 = 5;
const TX_CAPACITY: u32 = 6;
const TEMPERATURE: u32 = 8;
/// Received level and whether it is valid, of both chains.
const CHAINS: [(u32, u32); 2] = [(11, 12), (14, 15)];
const REMOTE_TX_RATE: u32 = 18;
const REMOTE_CHAINS: [u32; 2] = [19, 22];
/// radioLinkState: 0 down, 1 up.
const LINK_STATE: u32 = 26;
const REMOTE_MAC: u32 = 45;
const STATUSES: [u32; 14] = [
    TX_RATE,
    DISTANCE,
    RX_CAPACITY,
    TX_CAPACITY,
    TEMPERATURE,
    CHAINS[0].0,
    CHAINS[0].1,
    CHAINS[1].0,
    CHAINS[1].1,
    REMOTE_TX_RATE,
    REMOTE_CHAINS[0],
    REMOTE_CHAINS[1],
    LINK_STATE,
    REMOTE_MAC,
];
/// txoctetsAll and rxoctetsAll: what goes over the air.
const OCTETS: [u32; 2] = [64, 66];

/// No airFiber channel is this many MHz: beyond it the radio counts in kHz, whatever its MIB says.
const FREQUENCY_MAX_MHZ: f64 = 100_000.0;

const LINK_FIELDS: [&str; 9] = [
    "capacity_tx_mbps",
    "capacity_rx_mbps",
    "rsl_dbm",
    "rsl_chain0_dbm",
    "rsl_chain1_dbm",
    "remote_rsl_dbm",
    "mcs_tx_index",
    "mcs_rx_index",
    "distance_meters",
];

fn of(entry: &[u32], column: u32) -> Oid {
    Oid::of(entry, &[column, 1])
}

fn requests(_: &Scope<'_>) -> Vec<Oid> {
    let config = CONFIGS.iter().map(|column| of(CONFIG, *column));
    let status = STATUSES.iter().map(|column| of(STATUS, *column));
    config.chain(status).chain(OCTETS.iter().map(|column| of(STATISTICS, *column))).collect()
}

fn decode(answers: &Answers, _: &Scope<'_>) -> Decoded {
    let status = |column| answers.reading(&of(STATUS, column), 1.0);
    let mut radio = Radio::new(ONLY_RADIO);
    let state = status(LINK_STATE);
    if state == Reading::value(0.0) {
        radio = radio.down(&LINK_FIELDS);
    } else {
        radio.set("link_up_flag", state);
        add_link(answers, &mut radio);
    }
    let megahertz = |f: f64| if f > FREQUENCY_MAX_MHZ { f / 1000.0 } else { f };
    let frequency = answers.reading(&of(CONFIG, TX_FREQUENCY), 1.0);
    radio.set("channel_mhz", unless(frequency, &[0.0]).map(megahertz));
    radio.set("channel_width_mhz", unless(answers.reading(&of(CONFIG, WIDTH), 1.0), &[0.0]));
    // An AF11 answered 58 here, in a unit that nobody knows: the gate makes that missing.
    radio.set("tx_power_dbm", answers.reading(&of(CONFIG, TX_POWER), 1.0));
    gate(&FAMILY, &mut radio);
    let mut decoded = Decoded { radios: vec![radio], ..Decoded::default() };
    decoded.power.insert("temperature_celsius", status(TEMPERATURE));
    decoded
}

fn add_link(answers: &Answers, radio: &mut Radio) {
    let status = |column| answers.reading(&of(STATUS, column), 1.0);
    radio.peer = answers.value(&of(STATUS, REMOTE_MAC)).ok().and_then(mac_of_value);
    radio.set("capacity_tx_mbps", reported(answers, &of(STATUS, TX_CAPACITY), 1e-6));
    radio.set("capacity_rx_mbps", reported(answers, &of(STATUS, RX_CAPACITY), 1e-6));
    let [first, second] = CHAINS.map(|(level, valid)| match status(valid).get() {
        Some(flag) if flag != 1.0 => Reading::Missing(Missing::Sentinel),
        _ => unless(status(level), &[0.0]),
    });
    radio.set("rsl_chain0_dbm", first);
    radio.set("rsl_chain1_dbm", second);
    radio.set("rsl_dbm", combined(first, second));
    let [first, second] = REMOTE_CHAINS.map(|column| unless(status(column), &[0.0]));
    radio.set("remote_rsl_dbm", combined(first, second));
    radio.set("distance_meters", unless(status(DISTANCE), &[0.0]));
    radio.set("mcs_tx_index", status(TX_RATE));
    radio.set("mcs_rx_index", status(REMOTE_TX_RATE));
    radio.modulation = status(TX_RATE).get().and_then(modulation);
    let [tx, rx] = OCTETS.map(|column| answers.counter(&of(STATISTICS, column)));
    radio.octets = Some(Octets { tx, rx });
}

/// curTXModRate: `8x` for 8, and 0 for a quarter.
fn modulation(rate: f64) -> Option<String> {
    match rate {
        0.0 => Some("1/4x".to_owned()),
        1.0..=12.0 => Some(format!("{rate}x")),
        _ => None,
    }
}
