//! Aviat WTM 4000, by AVIAT-MODEM-MIB, AVIAT-RF-MIB and the MIBs of receiver performance (1.3.6.1.4.1.2509.9).
//!
//! One row a carrier, by entPhysicalIndex. The carriers of a unit are one link: their capacities add up.

use super::carriers::{least, sum, up};
use super::{
    Channel, Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, SYS_DESCR, Scope, Table, gate, reported,
    unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid};

/// A product of the WTM 4000 line.
const fn product(arcs: &'static [u32; 11]) -> ObjectId {
    ObjectId::Under(arcs)
}

pub static FAMILY: Family = Family {
    profile: "aviat-wtm",
    title: "Aviat WTM 4000",
    checked: Checked::MibText,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 20_000.0,
    capacity_max_source: "Aviat's published 20 Gbps for a WTM 4800 with two carriers",
    channel: Some(Channel { bits_max: 12.0, streams_max: 2.0, source: "4096QAM on both polarisations" }),
    capacity_from: "aviatModemCurCapacityTx and aviatModemCurCapacityRx, kbps, of all carriers in use",
    object_ids: &[
        product(&[1, 3, 6, 1, 4, 1, 2509, 11, 1, 1, 7]),
        product(&[1, 3, 6, 1, 4, 1, 2509, 11, 1, 1, 8]),
        product(&[1, 3, 6, 1, 4, 1, 2509, 11, 1, 1, 9]),
        product(&[1, 3, 6, 1, 4, 1, 2509, 11, 1, 1, 10]),
        product(&[1, 3, 6, 1, 4, 1, 2509, 11, 1, 1, 12]),
        product(&[1, 3, 6, 1, 4, 1, 2509, 11, 1, 1, 13]),
        product(&[1, 3, 6, 1, 4, 1, 2509, 11, 1, 1, 14]),
        product(&[1, 3, 6, 1, 4, 1, 2509, 11, 1, 1, 15]),
    ],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[Table { name: CARRIERS, column: CAPACITY_TX, rows_max: 8 }],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| Info { model: answers.text(&SYS_DESCR.into()).ok(), firmware: None },
    requests: |scope| {
        let rows = scope.rows.of(CARRIERS);
        rows.iter().flat_map(|row| COLUMNS.map(|column| Oid::of(column, &row.index))).collect()
    },
    decode,
};

const CARRIERS: &str = "carriers";
/// aviatModemEntry: 1 bandwidth in kHz, 11 and 12 capacity in kbps.
const BANDWIDTH: &[u32] = &[1, 3, 6, 1, 4, 1, 2509, 9, 3, 2, 1, 1, 1];
const CAPACITY_TX: &[u32] = &[1, 3, 6, 1, 4, 1, 2509, 9, 3, 2, 1, 1, 11];
const CAPACITY_RX: &[u32] = &[1, 3, 6, 1, 4, 1, 2509, 9, 3, 2, 1, 1, 12];
/// aviatModemStatusOper, values of ifOperStatus; not all modems have it.
const OPER: &[u32] = &[1, 3, 6, 1, 4, 1, 2509, 9, 3, 2, 4, 1, 2];
/// kHz.
const TX_FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 2509, 9, 5, 2, 1, 1, 1];
/// Tenths of a dBm or dB.
const RSL: &[u32] = &[1, 3, 6, 1, 4, 1, 2509, 9, 15, 2, 2, 1, 4];
const CINR: &[u32] = &[1, 3, 6, 1, 4, 1, 2509, 9, 33, 2, 2, 1, 3];
const TX_POWER: &[u32] = &[1, 3, 6, 1, 4, 1, 2509, 9, 33, 2, 2, 1, 7];
const COLUMNS: [&[u32]; 8] = [BANDWIDTH, CAPACITY_TX, CAPACITY_RX, OPER, TX_FREQUENCY, RSL, CINR, TX_POWER];
const LINK_FIELDS: [&str; 6] =
    ["capacity_tx_mbps", "capacity_rx_mbps", "rsl_dbm", "rsl_chain0_dbm", "rsl_chain1_dbm", "cinr_db"];

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let rows = scope.rows.of(CARRIERS);
    let read = |row: &Row, column: &[u32], scale| answers.reading(&Oid::of(column, &row.index), scale);
    let mut radio = Radio::new(ONLY_RADIO);
    let mut decoded = Decoded::default();
    if let Some(row) = rows.first() {
        radio.set("channel_mhz", unless(read(row, TX_FREQUENCY, 1e-3), &[0.0]));
        radio.set("channel_width_mhz", unless(read(row, BANDWIDTH, 1e-3), &[0.0]));
        radio.set("tx_power_dbm", read(row, TX_POWER, 0.1));
    }
    // 2 down, 6 notPresent, 7 lowerLayerDown, and 5 dormant: no packet passes.
    let lost = |row: &&Row| matches!(answers.number(&Oid::of(OPER, &row.index)), Ok(2.0 | 5.0 | 6.0 | 7.0));
    let mut used: Vec<&Row> = rows.iter().filter(|row| !lost(row)).collect();
    // A modem without a carrier has a row too: it can carry nothing either way, and does not say that it is up.
    let idle = |row: &Row| {
        let none = |column| answers.number(&Oid::of(column, &row.index)) == Ok(0.0);
        none(CAPACITY_TX) && none(CAPACITY_RX) && answers.number(&Oid::of(OPER, &row.index)) != Ok(1.0)
    };
    if !used.iter().all(|row| idle(row)) {
        used.retain(|row| !idle(row));
    }
    if rows.is_empty() {
        // Not all modems of the line tell what they can carry.
        for field in LINK_FIELDS {
            radio.set(field, Reading::Missing(Missing::NotOffered));
        }
        decoded.suspect.push(CARRIERS);
    } else if used.is_empty() {
        radio = radio.down(&LINK_FIELDS);
    } else {
        set_link(&mut radio, answers, rows, &used);
    }
    gate(&FAMILY, &mut radio);
    decoded.radios.push(radio);
    decoded
}

fn set_link(radio: &mut Radio, answers: &Answers, rows: &[Row], used: &[&Row]) {
    let read = |row: &Row, column: &[u32], scale| answers.reading(&Oid::of(column, &row.index), scale);
    match answers.number(&Oid::of(OPER, &used[0].index)) {
        Ok(1.0) => up(radio),
        Ok(_) => radio.set("link_up_flag", Reading::Missing(Missing::Sentinel)),
        Err(why) => radio.set("link_up_flag", Reading::Missing(why)),
    }
    // The largest number stands for anything above it (AviatModemCapacityType).
    let capacity = |row: &Row, column: &[u32]| match answers.number(&Oid::of(column, &row.index)) {
        Ok(kbps) if kbps >= f64::from(u32::MAX) => Reading::Missing(Missing::Sentinel),
        _ => reported(answers, &Oid::of(column, &row.index), 1e-3),
    };
    radio.set("capacity_tx_mbps", sum(used.iter().map(|row| capacity(row, CAPACITY_TX))));
    radio.set("capacity_rx_mbps", sum(used.iter().map(|row| capacity(row, CAPACITY_RX))));
    let level = |row: &Row| unless(read(row, RSL, 0.1), &[0.0]);
    // Each carrier hangs on its own level: the weakest stands for the link.
    radio.set("rsl_dbm", least(used.iter().map(|row| level(row))));
    if rows.len() > 1 {
        for (field, row) in ["rsl_chain0_dbm", "rsl_chain1_dbm"].into_iter().zip(rows) {
            radio.set(field, level(row));
        }
    }
    radio.set("cinr_db", least(used.iter().map(|row| read(row, CINR, 0.1))));
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, packets, poll, without};
    use super::*;

    const WTM: &str = "
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.2509.11.1.1.10
        1.3.6.1.2.1.1.3.0 ticks 100
        @a = 1.3.6.1.4.1.2509.9
        @a.3.2.1.1.1.101 gauge 80000
        @a.3.2.1.1.11.101 gauge 620500
        @a.3.2.1.1.12.101 gauge 600250
        @a.3.2.1.1.11.102 gauge 620500
        @a.3.2.1.1.12.102 gauge 540000
        @a.3.2.4.1.2.101 int 1
        @a.3.2.4.1.2.102 int 1
        @a.5.2.1.1.1.101 gauge 11245000
        @a.15.2.2.1.4.101 int -421
        @a.15.2.2.1.4.102 int -437
        @a.33.2.2.1.3.101 int 352
        @a.33.2.2.1.3.102 int 349
        @a.33.2.2.1.7.101 int 185
    ";

    #[tokio::test]
    async fn the_carriers_of_a_wtm_add_up() {
        let polled = poll(WTM).await;
        assert_eq!(polled.identity.family.profile, "aviat-wtm");
        check(
            &polled.radios[0],
            &[
                "capacity_rx_mbps=1140.25 reported",
                "capacity_tx_mbps=1241 reported",
                "channel_mhz=11245",
                "channel_width_mhz=80",
                "cinr_db=34.9",
                "link_up_flag=1",
                "rsl_chain0_dbm=-42.1",
                "rsl_chain1_dbm=-43.7",
                "rsl_dbm=-43.7",
                "tx_power_dbm=18.5",
            ],
        );
    }

    #[tokio::test]
    async fn a_carrier_that_is_down_carries_nothing() {
        let one = poll(&WTM.replace("2.102 int 1", "2.102 int 7")).await;
        assert_eq!(one.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(620.5));
        assert_eq!(one.radios[0].reading("rsl_dbm").unwrap().get().map(|v| (v * 10.0).round()), Some(-421.0));
        let none = poll(&WTM.replace("2.102 int 1", "2.102 int 7").replace("2.101 int 1", "2.101 int 2")).await;
        assert!(none.radios[0].is_down());
        let untold = poll(&without(WTM, "@a.3.2.4.")).await;
        assert_eq!(untold.radios[0].reading("link_up_flag"), Some(Reading::Missing(Missing::NotOffered)));
        assert_eq!(untold.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(1241.0));
    }

    #[tokio::test]
    async fn a_modem_without_a_carrier_takes_nothing_from_the_link() {
        let idle = without(WTM, "@a.3.2.4.").replace("11.102 gauge 620500", "11.102 gauge 0");
        let polled = poll(&idle.replace("12.102 gauge 540000", "12.102 gauge 0")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(620.5));
        let half = poll(&idle).await;
        assert_eq!(half.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::Sentinel)));
    }

    #[tokio::test]
    async fn what_a_wtm_says_for_nothing() {
        let read = async |value: &str| {
            let radio = &poll(&WTM.replace("11.102 gauge 620500", value)).await.radios[0];
            radio.reading("capacity_tx_mbps").unwrap()
        };
        assert_eq!(read("11.102 gauge 0").await, Reading::Missing(Missing::Sentinel));
        assert_eq!(read("11.102 gauge 4294967295").await, Reading::Missing(Missing::Sentinel));
        assert_eq!(read("11.102 gauge 4294957397").await, Reading::Missing(Missing::Implausible));
        assert_eq!(read("11.102 int -1").await, Reading::Missing(Missing::Implausible));
        assert_eq!(read("11.102 str 620500").await, Reading::Missing(Missing::Malformed));
        let old = poll(&without(&without(WTM, "1.1.11."), "1.1.12.")).await;
        assert_eq!(old.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::NotOffered)));
    }

    #[tokio::test]
    async fn arcs_are_compared_whole() {
        let profile = async |id: &str| poll(&WTM.replace("11.1.1.10", id)).await.identity.family.profile;
        assert_eq!(profile("11.1.1.7").await, "aviat-wtm");
        assert_eq!(profile("11.1.1.1").await, "generic");
        assert_eq!(profile("11.1.1.100").await, "generic");
    }

    #[tokio::test]
    async fn a_poll_costs_two_packets_at_most() {
        let packets = packets(WTM).await;
        assert!(packets <= 2, "{packets}");
    }
}
