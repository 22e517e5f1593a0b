//! Trango Apex Lynx and ApexPlus (1.3.6.1.4.1.5454.1.80), licensed full duplex. Their sysObjectID is `1.3`: they are
//! known by their sysDescr.
//!
//! rfSpeedInt has no unit in the MIB. It is taken for hundredths of a Mbps, for 24400 and 36500, which devices answer,
//! are rates of such radios only so; the family stays unverified.

use super::{Checked, Decoded, Descr, Family, Info, ONLY_RADIO, Radio, SYS_DESCR, gate, reported, unless};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "trango",
    title: "Trango Apex Lynx, ApexPlus",
    checked: Checked::MibText,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 1344.0,
    capacity_max_source: "112 MHz, the widest channel below 57 GHz (ETSI EN 302 217-2), at 12 bits a symbol (4096QAM)",
    channel: None,
    capacity_from: "rfSpeedInt, taken for hundredths of a Mbps; one figure for both directions",
    object_ids: &[],
    shared_object_ids: &[],
    descrs: &[Descr::Begins("Apex Lynx"), Descr::Begins("ApexPlus")],
    asks: &[],
    tables: &[],
    info: |_| vec![SYS_DESCR.into(), FIRMWARE.into()],
    decode_info: |answers, _| Info {
        model: answers.text(&SYS_DESCR.into()).ok(),
        firmware: answers.text(&FIRMWARE.into()).ok(),
    },
    requests: |_| [RSSI, TX_FREQUENCY, MSE, SPEED].map(Oid::from).into(),
    decode: |answers, _| {
        let mut radio = radio(answers);
        gate(&FAMILY, &mut radio);
        Decoded { radios: vec![radio], ..Decoded::default() }
    },
};

const FIRMWARE: &[u32] = &[1, 3, 6, 1, 4, 1, 5454, 1, 80, 1, 1, 2, 0];
/// dB.
const MSE: &[u32] = &[1, 3, 6, 1, 4, 1, 5454, 1, 80, 2, 4, 2, 2, 0];
/// kHz.
const TX_FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 5454, 1, 80, 3, 1, 1, 2, 0];
/// rfSpeedInt.
const SPEED: &[u32] = &[1, 3, 6, 1, 4, 1, 5454, 1, 80, 3, 6, 4, 2, 0];
/// dBm.
const RSSI: &[u32] = &[1, 3, 6, 1, 4, 1, 5454, 1, 80, 3, 14, 2, 0];

fn radio(answers: &Answers) -> Radio {
    let mut radio = Radio::new(ONLY_RADIO);
    // No object says whether there is a link.
    radio.set("link_up_flag", Reading::Missing(Missing::NotOffered));
    radio.set("rsl_dbm", unless(answers.reading(&RSSI.into(), 1.0), &[0.0]));
    radio.set("mse_db", answers.reading(&MSE.into(), 1.0));
    radio.set("channel_mhz", unless(answers.reading(&TX_FREQUENCY.into(), 1e-3), &[0.0]));
    let capacity = reported(answers, &SPEED.into(), 0.01);
    radio.set("capacity_tx_mbps", capacity);
    radio.set("capacity_rx_mbps", capacity);
    radio
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use crate::model::Reading;

    const APEX: &str = "
        1.3.6.1.2.1.1.1.0 str Apex Lynx-2.0.2
        1.3.6.1.2.1.1.2.0 oid 1.3
        @apex = 1.3.6.1.4.1.5454.1.80
        @apex.1.1.2.0 str 2p6r22
        @apex.2.4.2.2.0 int -34
        @apex.3.1.1.2.0 int 17900000
        @apex.3.6.4.2.0 int 36500
        @apex.3.14.2.0 int -44
    ";

    #[tokio::test]
    async fn an_apex_is_known_by_its_description() {
        let polled = poll(APEX).await;
        assert_eq!(polled.identity.family.profile, "trango");
        assert!(!polled.identity.family.verified());
        assert_eq!(polled.identity.info.firmware.as_deref(), Some("2p6r22"));
        let expected = [
            "capacity_rx_mbps=365 reported",
            "capacity_tx_mbps=365 reported",
            "channel_mhz=17900",
            "link_up_flag=(not offered)",
            "mse_db=-34",
            "rsl_dbm=-44",
        ];
        check(&polled.radios[0], &expected);
    }

    #[tokio::test]
    async fn odd_answers() {
        let polled = poll(&APEX.replace("int 36500", "int 0").replace("int -44", "str -44")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("sentinel")));
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("malformed")));
        let polled = poll(&APEX.replace("int 36500", "int 881110303").replace("int -44", "int 0")).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("implausible")));
        assert_eq!(polled.radios[0].reading("mse_db"), Some(Reading::value(-34.0)));
    }
}
