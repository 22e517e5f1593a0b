//! RACOM RAy2, RAy10 (1.3.6.1.4.1.33555.1) and RAy3 (1.3.6.1.4.1.33555.4), by RAY-MIB and RAY3-MIB.
//!
//! Both trees have the same shape. They tell one net bitrate, that of what is sent: what is received is the peer's to
//! tell. The rate of the interface `Air` is that of the chip behind it, not of the air.

use super::carriers::{first, modulation, name_of, up};
use super::{
    Channel, Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, Rows, Scope, Table, gate, reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "racom-ray",
    title: "RACOM RAy2 / RAy3 / RAy10",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 1100.0,
    capacity_max_source: "RACOM's published 1 Gbps for RAy3, whose maxNetBitrate is 1003 Mbps",
    channel: Some(Channel { bits_max: 12.0, streams_max: 1.0, source: "4096QAM, the highest that the MIB names" }),
    capacity_from: "netBitrate, kbps, of what it sends; of what it receives the device says nothing",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 33555, 1, 1]), ObjectId::Under(&[1, 3, 6, 1, 4, 1, 33555, 4, 1])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: RAY2, column: RAY2_BITRATE, rows_max: 1 },
        Table { name: RAY3, column: RAY3_BITRATE, rows_max: 1 },
    ],
    info: |rows| [PRODUCT, VERSION].map(|object| of(tree(rows), object)).into(),
    decode_info: |answers, rows| Info {
        model: answers.text(&of(tree(rows), PRODUCT)).ok(),
        firmware: answers.text(&of(tree(rows), VERSION)).ok(),
    },
    requests: |scope| OBJECTS.map(|object| of(tree(scope.rows), object)).into(),
    decode,
};

const RAY2: &str = "RAy2";
const RAY3: &str = "RAy3";
const RAY2_TREE: &[u32] = &[1, 3, 6, 1, 4, 1, 33555, 1];
const RAY3_TREE: &[u32] = &[1, 3, 6, 1, 4, 1, 33555, 4];
/// Which tree the device has is found by its netBitrate.
const RAY2_BITRATE: &[u32] = &[1, 3, 6, 1, 4, 1, 33555, 1, 2, 1, 13];
const RAY3_BITRATE: &[u32] = &[1, 3, 6, 1, 4, 1, 33555, 4, 2, 1, 13];

const PRODUCT: [u32; 3] = [1, 1, 1];
const VERSION: [u32; 3] = [1, 2, 2];
/// lineStatusII: 5 is ok, 0 not available.
const LINE_STATUS: [u32; 3] = [1, 3, 8];
/// Hundredths of a degree.
const TEMPERATURES: [[u32; 3]; 2] = [[1, 4, 2], [1, 4, 1]];
/// Tenths of a volt.
const VOLTAGE: [u32; 3] = [1, 4, 3];
/// kHz.
const TX_FREQUENCY: [u32; 3] = [2, 1, 4];
const RX_MODULATION: [u32; 3] = [2, 1, 7];
const TX_MODULATION: [u32; 3] = [2, 1, 8];
/// kbps.
const BITRATE: [u32; 3] = [2, 1, 13];
/// kHz.
const WIDTH: [u32; 3] = [2, 1, 15];
/// rfPowerCurrent, dBm.
const TX_POWER: [u32; 3] = [2, 1, 17];
/// Tenths of a dBm.
const RSS: [u32; 3] = [3, 2, 1];
/// Tenths of a dB: RAy2 has the first, RAy3 the second.
const SNR: [u32; 3] = [3, 2, 2];
const MSE: [u32; 3] = [3, 2, 12];
const OBJECTS: [[u32; 3]; 13] = [
    LINE_STATUS,
    TEMPERATURES[0],
    TEMPERATURES[1],
    VOLTAGE,
    TX_FREQUENCY,
    RX_MODULATION,
    TX_MODULATION,
    BITRATE,
    WIDTH,
    TX_POWER,
    RSS,
    SNR,
    MSE,
];
/// ModulationList; 0 is "not available".
const MODULATIONS: [&str; 11] =
    ["QPSK-S", "QPSK", "16QAM", "32QAM", "64QAM", "128QAM", "256QAM", "512QAM", "1024QAM", "2048QAM", "4096QAM"];
/// RAY3-MIB has RSS from -100 dBm, where there is none, to 0.
const NO_RSS: [f64; 2] = [-100.0, 0.0];

fn tree(rows: &Rows) -> &'static [u32] {
    if rows.of(RAY2).is_empty() { RAY3_TREE } else { RAY2_TREE }
}

fn of(tree: &[u32], object: [u32; 3]) -> Oid {
    Oid::of(tree, &[object[0], object[1], object[2], 0])
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let tree = tree(scope.rows);
    let read = |object, scale| answers.reading(&of(tree, object), scale);
    let ray2 = tree == RAY2_TREE;
    let quality = if ray2 { ("snr_db", SNR) } else { ("mse_db", MSE) };
    let mut decoded = Decoded::default();
    let mut radio = Radio::new(ONLY_RADIO);
    radio.set("channel_mhz", unless(read(TX_FREQUENCY, 1e-3), &[0.0]));
    radio.set("channel_width_mhz", unless(read(WIDTH, 1e-3), &[0.0]));
    radio.set("tx_power_dbm", read(TX_POWER, 1.0));
    let status = unless(read(LINE_STATUS, 1.0), &[0.0]);
    if status.get().is_some_and(|s| s != 5.0) {
        radio = radio.down(&["capacity_tx_mbps", "rsl_dbm", quality.0]);
    } else {
        match status.missing() {
            Some(why) => radio.set("link_up_flag", Reading::Missing(why)),
            None => up(&mut radio),
        }
        radio.set("capacity_tx_mbps", reported(answers, &of(tree, BITRATE), 1e-3));
        radio.set("rsl_dbm", unless(read(RSS, 0.1), &NO_RSS));
        radio.set(quality.0, read(quality.1, 0.1));
        let name = |object| name_of(answers, &of(tree, object), &MODULATIONS);
        radio.modulation = modulation(name(TX_MODULATION), name(RX_MODULATION));
    }
    gate(&FAMILY, &mut radio);
    decoded.radios.push(radio);
    decoded.power.insert("temperature_celsius", first(TEMPERATURES.map(|object| read(object, 0.01))));
    decoded.power.insert("supply_volts", unless(read(VOLTAGE, 0.1), &[0.0]));
    // Neither tree: another firmware, or none of these devices.
    if answers.value(&of(tree, BITRATE)) == Err(Missing::NotOffered) {
        decoded.suspect.extend([RAY2, RAY3]);
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, packets, poll, without};
    use super::*;

    const RAY: &str = "
        1.3.6.1.2.1.1.1.0 str Microwave Link
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.33555.4.1
        1.3.6.1.2.1.1.3.0 ticks 100
        @r = 1.3.6.1.4.1.33555.4
        @r.1.1.1.0 str RAy3-17
        @r.1.2.2.0 str 1.0.9.0
        @r.1.3.8.0 int 5
        @r.1.4.1.0 int 4100
        @r.1.4.2.0 int 3925
        @r.1.4.3.0 int 482
        @r.2.1.4.0 gauge 17230000
        @r.2.1.7.0 int 9
        @r.2.1.8.0 int 7
        @r.2.1.13.0 int 655120
        @r.2.1.14.0 int 1003
        @r.2.1.15.0 int 112000
        @r.2.1.17.0 int 8
        @r.3.2.1.0 int -512
        @r.3.2.12.0 int -371
    ";

    #[tokio::test]
    async fn ray3_in_the_normal_form() {
        let polled = poll(RAY).await;
        assert_eq!(polled.identity.family.profile, "racom-ray");
        assert_eq!(polled.identity.info, Info { model: Some("RAy3-17".into()), firmware: Some("1.0.9.0".into()) });
        assert_eq!(polled.radios[0].modulation.as_deref(), Some("tx 256QAM, rx 1024QAM"));
        assert_eq!(polled.power["temperature_celsius"].map(f64::round), Reading::value(39.0));
        assert_eq!(polled.power["supply_volts"].map(f64::round), Reading::value(48.0));
        check(
            &polled.radios[0],
            &[
                "capacity_tx_mbps=655.12 reported",
                "channel_mhz=17230",
                "channel_width_mhz=112",
                "link_up_flag=1",
                "mse_db=-37.1",
                "rsl_dbm=-51.2",
                "tx_power_dbm=8",
            ],
        );
    }

    #[tokio::test]
    async fn ray2_has_the_same_shape_elsewhere() {
        let ray2 = RAY.replace("33555.4", "33555.1").replace("@r.3.2.12.0 int -371", "@r.3.2.2.0 int 305");
        let polled = poll(&ray2.replace("655120", "337670")).await;
        assert_eq!(polled.radios[0].reading("snr_db"), Some(Reading::value(30.5)));
        assert_eq!(polled.radios[0].reading("mse_db"), None);
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(337.67));
    }

    #[tokio::test]
    async fn only_ok_is_up() {
        for status in [1, 2, 3, 4, 6] {
            let polled = poll(&RAY.replace("1.3.8.0 int 5", &format!("1.3.8.0 int {status}"))).await;
            assert!(polled.radios[0].is_down(), "{status}");
            assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::LinkDown)));
        }
        let polled = poll(&RAY.replace("1.3.8.0 int 5", "1.3.8.0 int 0")).await;
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::Missing(Missing::Sentinel)));
        let polled = poll(&without(RAY, "1.3.8.0")).await;
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::Missing(Missing::NotOffered)));
    }

    #[tokio::test]
    async fn nonsense_is_missing() {
        let nonsense =
            RAY.replace("int 655120", "str 655120").replace("int -512", "int -1000").replace("int -371", "oid 1.3");
        let radio = &poll(&nonsense).await.radios[0];
        assert_eq!(radio.reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::Malformed)));
        assert_eq!(radio.reading("rsl_dbm"), Some(Reading::Missing(Missing::Sentinel)));
        assert_eq!(radio.reading("mse_db"), Some(Reading::Missing(Missing::Malformed)));
        // maxNetBitrate is in Mbps: taken for kbps it would be a link of 1 Mbps.
        let radio = &poll(&RAY.replace("int 655120", "int 2000000")).await.radios[0];
        assert_eq!(radio.reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::Implausible)));
    }

    #[tokio::test]
    async fn a_poll_costs_two_packets_at_most() {
        let packets = packets(RAY).await;
        assert!(packets <= 2, "{packets}");
    }
}
