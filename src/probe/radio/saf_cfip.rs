//! SAF Tehnika CFIP Lumina and Phoenix by SAF-IPRADIO (1.3.6.1.4.1.7571.100.1.1.5.1.1.1). Rows end in 1, the local end.
//!
//! One capacity is told, for both directions: the total that ACM sets now, or the configured total without ACM.

use super::{Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, SYS_DESCR, gate, reported, unless};
use crate::model::Missing;
use crate::model::Reading;
use crate::model::network::Duplex;
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "saf-cfip",
    title: "SAF CFIP Lumina, Phoenix",
    checked: Checked::MibText,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 448.0,
    capacity_max_source: "56 MHz at the 8 bits a symbol of 256QAM, the highest modulation in the MIB",
    channel: None,
    capacity_from: "modemACMtotalCapacity, else modemTotalCapacity; one figure for both directions",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 7571, 100, 1, 1, 5])],
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
        Decoded { radios: vec![radio], ..Decoded::default() }
    },
};

const BASE: &[u32] = &[1, 3, 6, 1, 4, 1, 7571, 100, 1, 1, 5, 1, 1, 1];
/// radioTxPower and radioRxLevel (dBm), radioTxFrequency (kHz), modemRadialMSE (0.1 dB), capacities (kbps).
const TX_POWER: [u32; 4] = [10, 1, 4, 1];
const RX_LEVEL: [u32; 4] = [10, 1, 5, 1];
const TX_FREQUENCY: [u32; 4] = [10, 1, 9, 1];
const MSE: [u32; 4] = [12, 1, 10, 1];
const TOTAL_CAPACITY: [u32; 4] = [12, 1, 6, 1];
const ACM_CAPACITY: [u32; 4] = [12, 1, 18, 1];
const OBJECTS: [[u32; 4]; 6] = [TX_POWER, RX_LEVEL, TX_FREQUENCY, MSE, TOTAL_CAPACITY, ACM_CAPACITY];

fn radio(answers: &Answers) -> Radio {
    let of = |object: [u32; 4]| Oid::of(BASE, &object);
    let mut radio = Radio::new(ONLY_RADIO);
    // No object says whether there is a link.
    radio.set("link_up_flag", Reading::Missing(Missing::NotOffered));
    radio.set("rsl_dbm", unless(answers.reading(&of(RX_LEVEL), 1.0), &[0.0]));
    radio.set("tx_power_dbm", answers.reading(&of(TX_POWER), 1.0));
    radio.set("channel_mhz", unless(answers.reading(&of(TX_FREQUENCY), 1e-3), &[0.0]));
    radio.set("mse_db", answers.reading(&of(MSE), 0.1));
    let adaptive = reported(answers, &of(ACM_CAPACITY), 1e-3);
    let capacity = match adaptive.missing() {
        Some(Missing::NotOffered | Missing::Sentinel) => reported(answers, &of(TOTAL_CAPACITY), 1e-3),
        _ => adaptive,
    };
    radio.set("capacity_tx_mbps", capacity);
    radio.set("capacity_rx_mbps", capacity);
    radio
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};

    const LUMINA: &str = "
        1.3.6.1.2.1.1.1.0 str SAF microwave radio
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.7571.100.1.1.5.1
        @saf = 1.3.6.1.4.1.7571.100.1.1.5.1.1.1
        @saf.10.1.4.1 int 15
        @saf.10.1.5.1 int -47
        @saf.10.1.9.1 int 18045000
        @saf.12.1.6.1 int 363600
        @saf.12.1.10.1 int -334
        @saf.12.1.18.1 int 290300
    ";

    #[tokio::test]
    async fn a_lumina_in_the_normal_form() {
        let polled = poll(LUMINA).await;
        assert_eq!(polled.identity.family.profile, "saf-cfip");
        let expected = [
            "capacity_rx_mbps=290.3 reported",
            "capacity_tx_mbps=290.3 reported",
            "channel_mhz=18045",
            "link_up_flag=(not offered)",
            "mse_db=-33.4",
            "rsl_dbm=-47",
            "tx_power_dbm=15",
        ];
        check(&polled.radios[0], &expected);
        // Without ACM the configured total stands.
        let polled = poll(&LUMINA.replace("int 290300", "int 0")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps").unwrap().get().map(f64::round), Some(364.0));
    }

    #[tokio::test]
    async fn odd_answers() {
        let polled = poll(&LUMINA.replace("int 290300", "str 290300").replace("int -47", "int 0")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("malformed")));
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("sentinel")));
        let polled = poll(&LUMINA.replace("int 290300", "int 2903000")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("implausible")));
    }
}
