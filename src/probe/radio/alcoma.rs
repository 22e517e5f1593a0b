//! ALCOMA AL…MP by ALCOMA-MIB (1.3.6.1.4.1.12140.2), licensed full duplex. -1 means offline everywhere. Rate and width
//! are enumerations whose names hold the figures; frequencies and SNR are texts.

use super::{Channel, Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, SYS_DESCR, gate, unless};
use crate::model::network::Duplex;
use crate::model::{Missing, Provenance, Reading};
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "alcoma",
    title: "ALCOMA AL…MP",
    // What recording there is identifies it and has no radio in it.
    checked: Checked::MibText,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 1250.0,
    capacity_max_source: "the highest rate that the MIB names",
    channel: Some(Channel { bits_max: 12.0, streams_max: 2.0, source: "4096QAM on both polarisations" }),
    capacity_from: "alMPRate, an enumeration of rates; one figure for both directions",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 12140, 2])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| Info { model: answers.text(&SYS_DESCR.into()).ok(), firmware: None },
    requests: |_| OBJECTS.iter().map(|object| Oid::of(BASE, object)).collect(),
    decode: |answers, _| {
        let mut radio = radio(answers);
        gate(&FAMILY, &mut radio);
        let mut decoded = Decoded { radios: vec![radio], ..Decoded::default() };
        let temperature = unless(answers.reading(&of(TEMPERATURE), 1.0), &[OFFLINE]);
        super::supply::note(&mut decoded.power, "temperature_celsius", temperature);
        decoded
    },
};

const BASE: &[u32] = &[1, 3, 6, 1, 4, 1, 12140, 2];
/// alMPTuneTX (MHz), transmit power and received level (dBm), temperature of the outdoor unit.
const TX_FREQUENCY: [u32; 3] = [3, 1, 0];
const TX_POWER: [u32; 3] = [3, 3, 0];
const RX_LEVEL: [u32; 3] = [3, 4, 0];
const TEMPERATURE: [u32; 3] = [3, 9, 0];
/// alMPSNR, alMPRate, alMPQAM, alMPBW, alMPCommRMT (0 ok, 1 error).
const SNR: [u32; 3] = [4, 2, 0];
const RATE: [u32; 3] = [4, 5, 0];
const QAM: [u32; 3] = [4, 6, 0];
const WIDTH: [u32; 3] = [4, 9, 0];
const REMOTE: [u32; 3] = [6, 3, 0];
const OBJECTS: [[u32; 3]; 9] = [TX_FREQUENCY, TX_POWER, RX_LEVEL, TEMPERATURE, SNR, RATE, QAM, WIDTH, REMOTE];

const OFFLINE: f64 = -1.0;
const OFFLINE_DBM: f64 = -128.0;
const LINK_FIELDS: [&str; 3] = ["capacity_tx_mbps", "capacity_rx_mbps", "snr_db"];
/// The rates that alMPRate names, from 1 on, Mbps.
const RATES: [u16; 62] = [
    300, 200, 16, 282, 40, 20, 10, 5, 179, 230, 14, 32, 44, 22, 11, 5, 66, 33, 16, 8, 80, 333, 355, 384, 50, 72, 100,
    123, 158, 168, 77, 35, 25, 165, 61, 39, 19, 17, 30, 34, 60, 178, 186, 1250, 70, 58, 116, 149, 183, 216, 249, 31,
    41, 59, 64, 69, 83, 102, 119, 127, 137, 89,
];
/// The widths that alMPBW names, from 1 on, MHz.
const WIDTHS: [f64; 21] = [
    3.5, 5.0, 7.0, 7.5, 10.0, 13.75, 14.0, 20.0, 20.0, 27.5, 28.0, 28.0, 30.0, 40.0, 50.0, 55.0, 56.0, 56.0, 80.0,
    110.0, 112.0,
];
/// The modulations that alMPQAM names, from 1 on.
const MODULATIONS: [&str; 11] =
    ["4FSK", "QPSK", "4QAM", "8QAM", "16QAM", "4QAM", "16QAM", "32QAM", "64QAM", "128QAM", "256QAM"];

fn of(object: [u32; 3]) -> Oid {
    Oid::of(BASE, &object)
}

/// What an enumeration that counts from 1 names; 0 is "not defined".
fn named<T: Copy>(names: &[T], number: f64) -> Result<T, Missing> {
    if number == 0.0 || number == OFFLINE {
        return Err(Missing::Sentinel);
    }
    let found = (1..=names.len()).find(|n| *n as f64 == number);
    found.map(|n| names[n - 1]).ok_or(Missing::Malformed)
}

fn radio(answers: &Answers) -> Radio {
    let read = |object| answers.reading(&of(object), 1.0);
    let enumerated = |object| answers.number(&of(object));
    let mut radio = Radio::new(ONLY_RADIO);
    radio.set("channel_mhz", unless(answers.decimal(&of(TX_FREQUENCY), 1.0), &[0.0, OFFLINE]));
    radio.set("tx_power_dbm", unless(read(TX_POWER), &[OFFLINE_DBM]));
    radio.set("rsl_dbm", unless(read(RX_LEVEL), &[0.0, OFFLINE, OFFLINE_DBM]));
    let width = enumerated(WIDTH).and_then(|n| named(&WIDTHS, n));
    radio.set("channel_width_mhz", width.map_or_else(Reading::Missing, Reading::value));
    match enumerated(REMOTE) {
        Ok(1.0) => return radio.down(&LINK_FIELDS),
        Ok(0.0) => radio.set("link_up_flag", Reading::value(1.0)),
        Ok(_) => radio.set("link_up_flag", Reading::Missing(Missing::Sentinel)),
        Err(why) => radio.set("link_up_flag", Reading::Missing(why)),
    }
    radio.set("snr_db", unless(answers.decimal(&of(SNR), 1.0), &[OFFLINE]));
    let rate = enumerated(RATE).and_then(|n| named(&RATES, n));
    let capacity = rate.map_or_else(Reading::Missing, |mbps| Reading::known(f64::from(mbps), Provenance::Reported));
    radio.set("capacity_tx_mbps", capacity);
    radio.set("capacity_rx_mbps", capacity);
    radio.modulation = enumerated(QAM).and_then(|n| named(&MODULATIONS, n)).ok().map(str::to_owned);
    radio
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use super::*;

    const ALCOMA: &str = "
        1.3.6.1.2.1.1.1.0 hex 414C434F4D412049502D537461636B00
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.12140.2
        @al = 1.3.6.1.4.1.12140.2
        @al.3.1.0 str 10595.0
        @al.3.3.0 int 12
        @al.3.4.0 int -46
        @al.3.9.0 int 31
        @al.4.2.0 str 33.1
        @al.4.5.0 int 22
        @al.4.6.0 int 11
        @al.4.9.0 int 17
        @al.6.3.0 int 0
    ";

    #[tokio::test]
    async fn an_alcoma_in_the_normal_form() {
        let polled = poll(ALCOMA).await;
        assert_eq!(polled.identity.family.profile, "alcoma");
        assert_eq!(polled.identity.info.model.as_deref(), Some("ALCOMA IP-Stack"));
        assert_eq!(polled.radios[0].modulation.as_deref(), Some("256QAM"));
        let expected = [
            "capacity_rx_mbps=333 reported",
            "capacity_tx_mbps=333 reported",
            "channel_mhz=10595",
            "channel_width_mhz=56",
            "link_up_flag=1",
            "rsl_dbm=-46",
            "snr_db=33.1",
            "tx_power_dbm=12",
        ];
        check(&polled.radios[0], &expected);
        assert_eq!(polled.power["temperature_celsius"], Reading::value(31.0));
    }

    #[test]
    fn enumerations_begin_at_one() {
        assert_eq!(named(&RATES, 1.0), Ok(300));
        assert_eq!(named(&RATES, 4.0), Ok(282));
        assert_eq!(named(&RATES, 9.0), Ok(179));
        assert_eq!(named(&RATES, 10.0), Ok(230));
        assert_eq!(named(&RATES, 44.0), Ok(1250));
        assert_eq!(named(&RATES, 62.0), Ok(89));
        assert_eq!(named(&RATES, 63.0), Err(Missing::Malformed));
        assert_eq!(named(&RATES, 1.5), Err(Missing::Malformed));
        assert_eq!(named(&RATES, 0.0), Err(Missing::Sentinel));
        assert_eq!(named(&RATES, -1.0), Err(Missing::Sentinel));
    }

    #[tokio::test]
    async fn offline_and_without_its_peer() {
        let polled = poll(&ALCOMA.replace("6.3.0 int 0", "6.3.0 int 1").replace("int -46", "int -128")).await;
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("link down")));
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("sentinel")));
        let polled = poll(&ALCOMA.replace("4.5.0 int 22", "4.5.0 int -1").replace("str 33.1", "str -1")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("sentinel")));
        assert_eq!(polled.radios[0].reading("snr_db"), Some(missing("sentinel")));
        let polled = poll(&ALCOMA.replace("4.5.0 int 22", "4.5.0 str 333")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("malformed")));
    }
}
