//! Mimosa B5, B5c, B11 (point to point) and A5, C5 (sectors), by MIMOSA-NETWORKS-BFIVE-MIB and -PTMP-MIB
//! (1.3.6.1.4.1.43356.2.1.2).
//!
//! Up to four chains, two polarisations on each of two channels, each with its stream: the rates of the streams add up
//! to that of the link. A chain that is not in use says so by values of its own.

use super::carriers::{cell, first, greatest, least, power_sum_dbm, sum, up};
use super::{
    Channel, Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Octets, Peers, Radio, SYS_DESCR, Scope, Station,
    Table, derived, gate, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, mac_of_value};

pub static FAMILY: Family = Family {
    profile: "mimosa",
    title: "Mimosa B5 / B11 / A5 / C5",
    checked: Checked::Recording,
    duplex: Duplex::Shared,
    capacity_min_mbps: 0.1,
    // 1733.3 and rounding.
    capacity_max_mbps: 1734.0,
    capacity_max_source: "four streams at 80 MHz, MCS 9, short guard interval: 1733.3 Mbps (IEEE 802.11ac)",
    channel: Some(Channel { bits_max: 8.0, streams_max: 4.0, source: "256QAM of IEEE 802.11ac, four streams" }),
    capacity_from: "mimosaTxPhy and mimosaRxPhy of all streams, times 0.5",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 43356])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: CHAINS, column: CHAIN_RX_POWER, rows_max: 4 },
        Table { name: STREAMS, column: STREAM_TX_PHY, rows_max: 4 },
        Table { name: CLIENTS, column: CLIENT_MAC, rows_max: 128 },
    ],
    info: |_| vec![SYS_DESCR.into(), FIRMWARE.into()],
    decode_info: |answers, _| Info {
        model: answers.text(&SYS_DESCR.into()).ok().map(|t| t.split(" Firmware").next().unwrap_or(&t).to_owned()),
        firmware: answers.text(&FIRMWARE.into()).ok(),
    },
    requests,
    decode,
};

/// Part of the modulation rate that a link carries with all the air time. An engineering figure of this project: TDMA
/// with the modulations of IEEE 802.11ac carries half of its rate in our reckoning, as airMAX does by its maker's
/// data sheets.
const FACTOR: f64 = 0.5;

const CHAINS: &str = "chains";
const STREAMS: &str = "streams";
const CLIENTS: &str = "clients";
const FIRMWARE: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 1, 3, 0];
/// Tenths of a degree.
const TEMPERATURE: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 1, 8, 0];
/// mimosaWanStatus: 1 connected, 2 disconnected.
const STATUS: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 3, 3, 0];
/// Tenths of a dBm, all chains together.
const TOTAL_TX_POWER: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 6, 5, 0];
const TOTAL_RX_POWER: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 6, 6, 0];
/// mimosaChannelWidth of the first channel, MHz.
const WIDTH: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 6, 3, 1, 3, 1];
/// mimosaChainTable: 2 transmit power, 3 receive power, 4 noise, 5 SNR (all in tenths), 6 centre in MHz.
const CHAIN: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 6, 1, 1];
const CHAIN_RX_POWER: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 6, 1, 1, 3];
/// mimosaStreamTable: 2 and 5 rates in Mbps, 3 and 6 MCS.
const STREAM: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 6, 2, 1];
const STREAM_TX_PHY: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 6, 2, 1, 2];
/// mimosaPtmpClientStatsTable: 2 MAC address, 4 and 5 octets, 8 and 9 rates (Mbps as those of the streams), 11 RSSI in
/// tenths of a dBm.
const CLIENT: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 9, 6, 1, 1];
const CLIENT_MAC: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 9, 6, 1, 1, 2];
/// mimosaPtmpChPwr of the sector's first radio: 7 centre, 9 width, MHz; 10 transmit power, whole dBm.
const SECTOR: &[u32] = &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 9, 3, 3, 1];

/// mimosaPerTxRate and mimosaPerRxRate: packet error ratios, hundredths of a per cent.
const PACKET_ERRORS: [(&str, &[u32]); 2] = [
    ("packet_errors_tx_percent", &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 7, 3, 0]),
    ("packet_errors_rx_percent", &[1, 3, 6, 1, 4, 1, 43356, 2, 1, 2, 7, 4, 0]),
];

/// What the MIB says of a chain that is "not a valid entry".
const NO_TX_DBM: f64 = -8.0;
const NO_RX: f64 = -100.0;
const NO_MCS: f64 = -1.0;

const CLIENT_COLUMNS: [u32; 5] = [4, 5, 8, 9, 11];
const LINK_FIELDS: [&str; 10] = [
    "capacity_tx_mbps",
    "capacity_rx_mbps",
    "phy_tx_mbps",
    "phy_rx_mbps",
    "rsl_dbm",
    "rsl_chain0_dbm",
    "rsl_chain1_dbm",
    "snr_db",
    "mcs_tx_index",
    "mcs_rx_index",
];

fn peers<'a>(scope: &Scope<'a>) -> Peers<'a> {
    let mac = |row: &Row| mac_of_value(&row.value);
    Peers { rows: scope.rows.of(CLIENTS), tables: &[CLIENTS], link_fields: &LINK_FIELDS, mac }
}

/// An access point of a sector. A B5 has the tables of the sector too, without clients.
fn is_sector(scope: &Scope<'_>) -> bool {
    scope.sector || (scope.rows.of(STREAMS).is_empty() && !scope.rows.of(CLIENTS).is_empty())
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids = vec![Oid::from(TEMPERATURE)];
    if is_sector(scope) {
        oids.extend([7, 9, 10].map(|column| cell(SECTOR, column, &[1])));
        for station in peers(scope).select(scope).chosen() {
            oids.extend(CLIENT_COLUMNS.map(|column| cell(CLIENT, column, &station.row.index)));
        }
        return oids;
    }
    oids.extend([STATUS, TOTAL_TX_POWER, TOTAL_RX_POWER, WIDTH].map(Oid::from));
    oids.extend(PACKET_ERRORS.map(|(_, object)| Oid::from(object)));
    for (i, row) in scope.rows.of(CHAINS).iter().enumerate() {
        oids.extend([3, 5].map(|column| cell(CHAIN, column, &row.index)));
        if i == 0 {
            oids.extend([2, 4, 6].map(|column| cell(CHAIN, column, &row.index)));
        }
    }
    for row in scope.rows.of(STREAMS) {
        oids.extend([2, 3, 5, 6].map(|column| cell(STREAM, column, &row.index)));
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let mut decoded = if is_sector(scope) {
        let mut decoded = peers(scope).decode(scope, |station| client(answers, station, scope));
        for radio in &mut decoded.radios {
            let of = |column| unless(answers.reading(&cell(SECTOR, column, &[1]), 1.0), &[0.0]);
            radio.set("channel_mhz", of(7));
            radio.set("channel_width_mhz", of(9));
            radio.set("tx_power_dbm", answers.reading(&cell(SECTOR, 10, &[1]), 1.0));
        }
        decoded
    } else {
        let radio = link(answers, scope);
        // Its chains and streams may be others when it comes back.
        let stale = if radio.is_down() || scope.rows.of(STREAMS).is_empty() { vec![STREAMS, CHAINS] } else { vec![] };
        Decoded { radios: vec![radio], stale, ..Decoded::default() }
    };
    for radio in &mut decoded.radios {
        gate(&FAMILY, radio);
    }
    decoded.power.insert("temperature_celsius", answers.reading(&TEMPERATURE.into(), 0.1));
    decoded
}

fn link(answers: &Answers, scope: &Scope<'_>) -> Radio {
    let chains = scope.rows.of(CHAINS);
    let of_chain = |row: &Row, column| answers.reading(&cell(CHAIN, column, &row.index), 0.1);
    let levels: Vec<Reading> = chains.iter().map(|row| unless(of_chain(row, 3), &[NO_RX])).collect();
    let mut radio = Radio::new(ONLY_RADIO);
    if let Some(row) = chains.first() {
        radio.set("channel_mhz", unless(answers.reading(&cell(CHAIN, 6, &row.index), 1.0), &[0.0]));
        radio.set("noise_floor_dbm", unless(of_chain(row, 4), &[0.0, NO_RX]));
        let own = unless(of_chain(row, 2), &[NO_TX_DBM]);
        radio.set("tx_power_dbm", first([unless(answers.reading(&TOTAL_TX_POWER.into(), 0.1), &[NO_TX_DBM]), own]));
    }
    radio.set("channel_width_mhz", unless(answers.reading(&WIDTH.into(), 1.0), &[0.0, -1.0]));
    let silent = !levels.is_empty() && levels.iter().all(|l| l.missing() == Some(Missing::Sentinel));
    match answers.number(&STATUS.into()) {
        Ok(2.0) => return radio.down(&LINK_FIELDS),
        Ok(1.0) => up(&mut radio),
        _ if silent => return radio.down(&LINK_FIELDS),
        Ok(_) => radio.set("link_up_flag", Reading::Missing(Missing::Malformed)),
        Err(why) => radio.set("link_up_flag", Reading::Missing(why)),
    }
    let total = unless(answers.reading(&TOTAL_RX_POWER.into(), 0.1), &[0.0, NO_RX]);
    radio.set("rsl_dbm", first([total, power_sum_dbm(&levels)]));
    for (field, level) in ["rsl_chain0_dbm", "rsl_chain1_dbm"].into_iter().zip(&levels) {
        radio.set(field, *level);
    }
    radio.set("snr_db", least(chains.iter().map(|row| unless(of_chain(row, 5), &[NO_RX]))));
    for (field, object) in PACKET_ERRORS {
        radio.set(field, answers.reading(&object.into(), 0.01));
    }
    set_rates(&mut radio, answers, scope.rows.of(STREAMS));
    radio
}

fn set_rates(radio: &mut Radio, answers: &Answers, streams: &[Row]) {
    let directions = [
        ("phy_tx_mbps", "capacity_tx_mbps", "mcs_tx_index", 2, 3),
        ("phy_rx_mbps", "capacity_rx_mbps", "mcs_rx_index", 5, 6),
    ];
    for (phy, capacity, mcs, rate_column, mcs_column) in directions {
        let mcs_of = |row: &Row| unless(answers.reading(&cell(STREAM, mcs_column, &row.index), 1.0), &[NO_MCS]);
        let used = |row: &&Row| mcs_of(row).missing() != Some(Missing::Sentinel);
        let rates = streams.iter().filter(used).map(|row| answers.reading(&cell(STREAM, rate_column, &row.index), 1.0));
        let rate = if streams.is_empty() { Reading::Missing(Missing::NotOffered) } else { unless(sum(rates), &[0.0]) };
        radio.set(phy, rate);
        radio.set(capacity, derived(rate, FACTOR));
        radio.set(mcs, greatest(streams.iter().map(mcs_of)));
    }
}

fn client(answers: &Answers, station: &Station<'_>, scope: &Scope<'_>) -> Option<Radio> {
    let of = |column| cell(CLIENT, column, &station.row.index);
    if CLIENT_COLUMNS.iter().all(|column| answers.value(&of(*column)) == Err(Missing::NotOffered)) {
        return None;
    }
    let mut radio = Radio::towards(station, scope);
    up(&mut radio);
    radio.set("rsl_dbm", unless(answers.reading(&of(11), 0.1), &[0.0, NO_RX]));
    for (phy, capacity, column) in [("phy_tx_mbps", "capacity_tx_mbps", 9), ("phy_rx_mbps", "capacity_rx_mbps", 8)] {
        let rate = unless(answers.reading(&of(column), 1.0), &[0.0]);
        radio.set(phy, rate);
        radio.set(capacity, derived(rate, FACTOR));
    }
    radio.octets = Some(Octets { tx: answers.counter(&of(5)), rx: answers.counter(&of(4)) });
    Some(radio)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, packets, poll, poll_as, sector, without};
    use super::*;

    const B5: &str = "
        1.3.6.1.2.1.1.1.0 str Mimosa B5c Firmware v12ab34c
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.43356.1.1.1
        1.3.6.1.2.1.1.3.0 ticks 100
        @m = 1.3.6.1.4.1.43356.2.1.2
        @m.1.3.0 str 2.5.1
        @m.1.8.0 int 415
        @m.3.3.0 int 1
        @m.6.1.1.2.1 int 200
        @m.6.1.1.3.1 int -600
        @m.6.1.1.3.2 int -600
        @m.6.1.1.3.3 int -1000
        @m.6.1.1.4.1 int -880
        @m.6.1.1.5.1 int 280
        @m.6.1.1.5.2 int 275
        @m.6.1.1.5.3 int -1000
        @m.6.1.1.6.1 int 5660
        @m.6.2.1.2.1 int 150
        @m.6.2.1.2.2 int 150
        @m.6.2.1.2.3 int 0
        @m.6.2.1.3.1 int 7
        @m.6.2.1.3.2 int 7
        @m.6.2.1.3.3 int -1
        @m.6.2.1.5.1 int 180
        @m.6.2.1.5.2 int 180
        @m.6.2.1.5.3 int 0
        @m.6.2.1.6.1 int 8
        @m.6.2.1.6.2 int 8
        @m.6.2.1.6.3 int -1
        @m.6.3.1.3.1 int 40
        @m.7.3.0 int 63
        @m.7.4.0 int 22
    ";

    #[tokio::test]
    async fn b5_in_the_normal_form() {
        let polled = poll(B5).await;
        assert_eq!(polled.identity.family.profile, "mimosa");
        assert_eq!(polled.identity.info.model.as_deref(), Some("Mimosa B5c"));
        assert_eq!(polled.identity.info.firmware.as_deref(), Some("2.5.1"));
        assert_eq!(polled.power["temperature_celsius"], Reading::value(41.5));
        check(
            &polled.radios[0],
            &[
                "capacity_rx_mbps=180 derived",
                "capacity_tx_mbps=150 derived",
                "channel_mhz=5660",
                "channel_width_mhz=40",
                "link_up_flag=1",
                "mcs_rx_index=8",
                "mcs_tx_index=7",
                "noise_floor_dbm=-88",
                "packet_errors_rx_percent=0.22",
                "packet_errors_tx_percent=0.63",
                "phy_rx_mbps=360",
                "phy_tx_mbps=300",
                "rsl_chain0_dbm=-60",
                "rsl_chain1_dbm=-60",
                "rsl_dbm=-56.99",
                "snr_db=27.5",
                "tx_power_dbm=20",
            ],
        );
    }

    #[tokio::test]
    async fn a_b5_that_is_disconnected_or_hears_nothing_is_down() {
        let down = |polled: &crate::probe::device::Polled| {
            assert!(polled.radios[0].is_down());
            assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::LinkDown)));
        };
        down(&poll(&B5.replace("@m.3.3.0 int 1", "@m.3.3.0 int 2")).await);
        down(&poll(&without(B5, "@m.3.3.0").replace("int -600", "int -1000")).await);
        let polled = poll(&without(B5, "@m.3.3.0")).await;
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::Missing(Missing::NotOffered)));
        assert_eq!(polled.radios[0].reading("phy_tx_mbps"), Some(Reading::value(300.0)));
    }

    #[tokio::test]
    async fn a_stream_that_says_nothing_usable_leaves_no_sum() {
        let polled = poll(&B5.replace("@m.6.2.1.2.2 int 150", "@m.6.2.1.2.2 str 150 Mbps")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::Malformed)));
        let polled = poll(&B5.replace("@m.6.2.1.2.2 int 150", "@m.6.2.1.2.2 int -50")).await;
        assert_eq!(polled.radios[0].reading("phy_tx_mbps"), Some(Reading::Missing(Missing::Implausible)));
    }

    #[tokio::test]
    async fn a_sector_names_its_own_peers_only() {
        let a5 = "
            1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.43356.1.1.3
            @m = 1.3.6.1.4.1.43356.2.1.2
            @m.9.3.3.1.7.1 int 5290
            @m.9.3.3.1.9.1 int 80
            @m.9.3.3.1.10.1 int 24
            @m.9.6.1.1.2.1 hex 020000000001
            @m.9.6.1.1.8.1 gauge 433
            @m.9.6.1.1.9.1 gauge 390
            @m.9.6.1.1.11.1 int -582
            @m.9.6.1.1.2.2 hex 020000000002
            @m.9.6.1.1.8.2 gauge 200
        ";
        let (polled, _) = poll_as(a5, sector(&["020000000001"])).await;
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["020000000001", "sector"]);
        let read = |i: usize, field: &str| polled.radios[i].reading(field).unwrap();
        assert_eq!(read(0, "capacity_tx_mbps").get(), Some(195.0));
        assert_eq!(read(0, "rsl_dbm").map(|v| (v * 10.0).round()), Reading::value(-582.0));
        assert_eq!(read(1, "strangers_count"), Reading::value(1.0));
    }

    #[tokio::test]
    async fn a_poll_costs_two_packets_at_most() {
        let packets = packets(B5).await;
        assert!(packets <= 2, "{packets}");
    }
}
