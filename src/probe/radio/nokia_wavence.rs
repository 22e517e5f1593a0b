//! Nokia Wavence and 9500 MPR (1.3.6.1.4.1.637.54.1.10): one row a radio by its ifIndex, levels in tenths, -100 dBm for
//! a transmitter that is off. Capacity is the rate of the radio's interface, one for both directions.
//!
//! Of a pair that protect one another only one transmits: that is the link's radio, and the others have their index.

use super::{
    Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, SYS_DESCR, Scope, Table, gate, reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "nokia-wavence",
    title: "Nokia Wavence, 9500 MPR",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 16_000.0,
    capacity_max_source: "2000 MHz, the widest channel at 71 to 86 GHz (ETSI EN 302 217-2), at 8 bits a symbol (256QAM)",
    channel: None,
    capacity_from: "ifSpeed of the radio, else ifHighSpeed; one figure for both directions",
    object_ids: &[
        ObjectId::Is(&[1, 3, 6, 1, 4, 1, 637, 54, 1, 10, 90, 1]),
        ObjectId::Is(&[1, 3, 6, 1, 4, 1, 637, 54, 1, 10, 90, 13]),
    ],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[Table { name: RADIOS, column: RX, rows_max: 16 }],
    info: |_| vec![MODEL.into(), SYS_DESCR.into()],
    // sysDescr is the release and nothing else.
    decode_info: |answers, _| Info {
        model: answers.text(&MODEL.into()).ok(),
        firmware: answers.text(&SYS_DESCR.into()).ok(),
    },
    requests: |scope| {
        let columns = [TX, RX, REMOTE_RX, IF_SPEED, IF_HIGH_SPEED, IF_OPER_STATUS];
        let objects = |row: &Row| columns.map(|column| Oid::of(column, &row.index));
        scope.rows.of(RADIOS).iter().flat_map(objects).collect()
    },
    decode,
};

const RADIOS: &str = "radios";
const MODEL: &[u32] = &[1, 3, 6, 1, 4, 1, 637, 54, 1, 1, 5, 1, 5, 0];
/// Local transmitter, local receiver, remote receiver, tenths of a dBm.
const TX: &[u32] = &[1, 3, 6, 1, 4, 1, 637, 54, 1, 10, 1, 1, 4, 1, 2];
const RX: &[u32] = &[1, 3, 6, 1, 4, 1, 637, 54, 1, 10, 1, 1, 4, 1, 3];
const REMOTE_RX: &[u32] = &[1, 3, 6, 1, 4, 1, 637, 54, 1, 10, 1, 1, 4, 1, 7];
/// IF-MIB (RFC 2863).
const IF_SPEED: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 5];
const IF_OPER_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 8];
const IF_HIGH_SPEED: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15];
/// Where ifSpeed ends and ifHighSpeed must tell.
const IF_SPEED_SATURATED: f64 = 4_294_967_295.0;
const OFF_DBM: f64 = -100.0;
const LINK_FIELDS: [&str; 3] = ["capacity_tx_mbps", "capacity_rx_mbps", "remote_rsl_dbm"];

fn level(answers: &Answers, column: &[u32], row: &Row) -> Reading {
    unless(answers.reading(&Oid::of(column, &row.index), 0.1), &[OFF_DBM])
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let rows = scope.rows.of(RADIOS);
    let mut sending = rows.iter().filter(|row| level(answers, TX, row).get().is_some());
    let only = match (rows, sending.next(), sending.next()) {
        ([only], _, _) | (_, Some(only), None) => Some(&only.index),
        _ => None,
    };
    let mut decoded = Decoded::default();
    for row in rows {
        let tag =
            if only == Some(&row.index) { ONLY_RADIO.to_owned() } else { Oid::from(row.index.as_slice()).to_string() };
        let mut radio = radio(answers, row, tag);
        gate(&FAMILY, &mut radio);
        decoded.radios.push(radio);
    }
    decoded
}

fn radio(answers: &Answers, row: &Row, tag: String) -> Radio {
    let mut radio = Radio::new(tag);
    radio.set("rsl_dbm", level(answers, RX, row));
    radio.set("tx_power_dbm", level(answers, TX, row));
    let status = answers.reading(&Oid::of(IF_OPER_STATUS, &row.index), 1.0);
    if status.get().is_some_and(|status| status != 1.0) {
        return radio.down(&LINK_FIELDS);
    }
    radio.set("link_up_flag", status);
    radio.set("remote_rsl_dbm", level(answers, REMOTE_RX, row));
    let capacity = capacity(answers, row);
    radio.set("capacity_tx_mbps", capacity);
    radio.set("capacity_rx_mbps", capacity);
    radio
}

/// ifSpeed is finer than ifHighSpeed, which some releases leave at 0.
fn capacity(answers: &Answers, row: &Row) -> Reading {
    let fine = Oid::of(IF_SPEED, &row.index);
    let coarse = reported(answers, &Oid::of(IF_HIGH_SPEED, &row.index), 1.0);
    match answers.number(&fine) {
        Ok(bps) if bps < IF_SPEED_SATURATED => reported(answers, &fine, 1e-6),
        Ok(_) if coarse.missing() == Some(Missing::NotOffered) => Reading::Missing(Missing::Sentinel),
        _ => coarse,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use super::*;

    const WAVENCE: &str = "
        1.3.6.1.2.1.1.1.0 str V220100
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.637.54.1.10.90.13
        1.3.6.1.4.1.637.54.1.1.5.1.5.0 str WAVENCE-SA
        @w = 1.3.6.1.4.1.637.54.1.10.1.1.4.1
        @w.2.500101 int 224
        @w.3.500101 int -407
        @w.7.500101 int -391
        1.3.6.1.2.1.2.2.1.5.500101 gauge 226838000
        1.3.6.1.2.1.2.2.1.8.500101 int 1
        1.3.6.1.2.1.31.1.1.1.15.500101 gauge 0
    ";
    const STANDBY: &str = "
        @w.2.500201 int -1000
        @w.3.500201 int -447
        @w.7.500201 int -407
        1.3.6.1.2.1.2.2.1.5.500201 gauge 226838000
        1.3.6.1.2.1.2.2.1.8.500201 int 1
    ";

    #[tokio::test]
    async fn a_wavence_in_the_normal_form() {
        let polled = poll(WAVENCE).await;
        assert_eq!(polled.identity.family.profile, "nokia-wavence");
        let info = Info { model: Some("WAVENCE-SA".into()), firmware: Some("V220100".into()) };
        assert_eq!(polled.identity.info, info);
        assert_eq!(polled.radios[0].tag, "1");
        let expected = [
            "capacity_rx_mbps=226.838 reported",
            "capacity_tx_mbps=226.838 reported",
            "link_up_flag=1",
            "remote_rsl_dbm=-39.1",
            "rsl_dbm=-40.7",
            "tx_power_dbm=22.4",
        ];
        check(&polled.radios[0], &expected);
    }

    #[tokio::test]
    async fn of_a_protected_pair_the_one_that_sends_is_the_link() {
        let pair = format!("{WAVENCE}{STANDBY}");
        let tags =
            |polled: &crate::probe::device::Polled| polled.radios.iter().map(|r| r.tag.clone()).collect::<Vec<_>>();
        let polled = poll(&pair).await;
        assert_eq!(tags(&polled), ["1", "500201"]);
        assert_eq!(polled.radios[1].reading("tx_power_dbm"), Some(missing("sentinel")));
        // After the switch, and where both send towards places of their own.
        let switched = pair.replace("int 224", "int -1000").replace("@w.2.500201 int -1000", "@w.2.500201 int 221");
        assert_eq!(tags(&poll(&switched).await), ["500101", "1"]);
        let both = pair.replace("@w.2.500201 int -1000", "@w.2.500201 int 221");
        assert_eq!(tags(&poll(&both).await), ["500101", "500201"]);
    }

    #[tokio::test]
    async fn down_saturated_and_odd() {
        let polled = poll(&WAVENCE.replace("8.500101 int 1", "8.500101 int 2")).await;
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("link down")));
        let fast = WAVENCE.replace("gauge 226838000", "gauge 4294967295").replace("gauge 0", "gauge 5200");
        assert_eq!(poll(&fast).await.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(5200.0));
        let polled = poll(&WAVENCE.replace("gauge 226838000", "str fast").replace("int -407", "str -40.7")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("sentinel")));
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("malformed")));
    }
}
