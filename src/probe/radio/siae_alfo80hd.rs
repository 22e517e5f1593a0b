//! SIAE Microelettronica ALFOplus80HD, older than the family `siae`, by the vendor's scalars under
//! 1.3.6.1.4.1.3373.1103.39 and .15. It answers the sysObjectID of its successors, which have other objects.

use super::carriers::up;
use super::siae::{NO_PRX, NO_PTX, OBJECT_ID, VERSION, decode_info};
use super::{Checked, Decoded, Descr, Family, ONLY_RADIO, ObjectId, Radio, SYS_DESCR, Scope, gate, reported, unless};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "siae-alfo80hd",
    title: "SIAE ALFOplus80HD",
    checked: Checked::MibText,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 2500.0,
    capacity_max_source: "SIAE's published 2.5 Gbps for ALFOplus80HD",
    channel: None,
    capacity_from: "the rates sent and received, kbps, under 1.3.6.1.4.1.3373.1103.15.4.1",
    object_ids: &[],
    shared_object_ids: &[ObjectId::Is(OBJECT_ID)],
    descrs: &[Descr::Is("ALFOplus80HD - SIAE Microelettronica")],
    asks: &[],
    tables: &[],
    info: |_| vec![SYS_DESCR.into(), VERSION.into()],
    decode_info,
    requests: |_| [FREQUENCY, PRX, PTX, TX_RATE, RX_RATE].map(Oid::from).into(),
    decode,
};

/// kHz.
const FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 39, 2, 1, 2, 1];
/// dBm.
const PRX: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 39, 2, 1, 12, 1];
const PTX: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 39, 2, 1, 13, 1];
/// kbps.
const TX_RATE: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 15, 4, 1, 17, 1];
const RX_RATE: &[u32] = &[1, 3, 6, 1, 4, 1, 3373, 1103, 15, 4, 1, 18, 1];
const LINK_FIELDS: [&str; 3] = ["capacity_tx_mbps", "capacity_rx_mbps", "rsl_dbm"];

fn decode(answers: &Answers, _: &Scope<'_>) -> Decoded {
    let mut radio = Radio::new(ONLY_RADIO);
    radio.set("channel_mhz", unless(answers.reading(&FREQUENCY.into(), 1e-3), &[0.0]));
    radio.set("tx_power_dbm", unless(answers.reading(&PTX.into(), 1.0), &[NO_PTX]));
    let level = unless(answers.reading(&PRX.into(), 1.0), &[NO_PRX]);
    match level.missing() {
        Some(Missing::Sentinel) => radio = radio.down(&LINK_FIELDS),
        other => {
            match other {
                // It has no state of the link: what it hears is its peer.
                None => up(&mut radio),
                Some(why) => radio.set("link_up_flag", Reading::Missing(why)),
            }
            radio.set("rsl_dbm", level);
            radio.set("capacity_tx_mbps", reported(answers, &TX_RATE.into(), 1e-3));
            radio.set("capacity_rx_mbps", reported(answers, &RX_RATE.into(), 1e-3));
        }
    }
    gate(&FAMILY, &mut radio);
    Decoded { radios: vec![radio], ..Decoded::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, packets, poll};
    use super::*;

    const HD: &str = "
        1.3.6.1.2.1.1.1.0 str ALFOplus80HD - SIAE Microelettronica
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.3373.1103
        1.3.6.1.2.1.1.3.0 ticks 100
        @s = 1.3.6.1.4.1.3373.1103
        @s.39.2.1.2.1 int 74375000
        @s.39.2.1.12.1 int -41
        @s.39.2.1.13.1 int 8
        @s.15.4.1.17.1 int 1020000
        @s.15.4.1.18.1 int 980000
    ";

    #[tokio::test]
    async fn alfoplus80hd_is_told_from_its_successors_by_its_name() {
        let polled = poll(HD).await;
        assert_eq!(polled.identity.family.profile, "siae-alfo80hd");
        check(
            &polled.radios[0],
            &[
                "capacity_rx_mbps=980 reported",
                "capacity_tx_mbps=1020 reported",
                "channel_mhz=74375",
                "link_up_flag=1",
                "rsl_dbm=-41",
                "tx_power_dbm=8",
            ],
        );
        let polled = poll(&HD.replace("80HD -", "80HDX -")).await;
        assert_eq!(polled.identity.family.profile, "siae");
    }

    #[tokio::test]
    async fn an_alfoplus80hd_that_hears_nothing_is_down() {
        let polled = poll(&HD.replace("int -41", "int -90")).await;
        assert!(polled.radios[0].is_down());
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::LinkDown)));
        let radio = &poll(&HD.replace("int 1020000", "str 1020000\0").replace("int -41", "oid 0.0")).await.radios[0];
        assert_eq!(radio.reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::Malformed)));
        assert_eq!(radio.reading("link_up_flag"), Some(Reading::Missing(Missing::Malformed)));
    }

    #[tokio::test]
    async fn a_poll_costs_two_packets_at_most() {
        let packets = packets(HD).await;
        assert!(packets <= 2, "{packets}");
    }
}
