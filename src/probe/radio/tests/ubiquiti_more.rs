//! airFiber and LTU.

use super::*;

const AIRFIBER: &str = include_str!("../fixtures/ubiquiti-airfiber.txt");

#[tokio::test]
async fn airfiber_in_the_normal_form() {
    let polled = poll(AIRFIBER).await;
    assert_eq!(polled.identity.family.profile, "ubiquiti-airfiber");
    assert_eq!(polled.identity.why, "sysObjectID 1.3.6.1.4.1.10002.1, and 1.3.6.1.4.1.41112.1.3.2.1.40.1 answers");
    assert_eq!(polled.identity.info, Info { model: Some("airFiber 5X".into()), firmware: Some("v4.0.3".into()) });
    assert_eq!(polled.power["temperature_celsius"], Reading::value(22.0));
    let [radio] = &polled.radios[..] else { panic!() };
    assert_eq!((radio.peer.as_deref(), radio.modulation.as_deref()), (Some("020000000061"), Some("8x")));
}

#[tokio::test]
async fn an_airfiber_says_what_it_does_not_know() {
    let read = async |from: &str, to: &str, field: &str| {
        let fixture = AIRFIBER.replace(from, to);
        assert_ne!(fixture, AIRFIBER, "{from}");
        poll(&fixture).await.radios[0].reading(field).unwrap()
    };
    let missing = Reading::Missing;
    // Megahertz, as the MIB has it; a power in a unit that nobody knows; a chain that is not valid; a link down.
    assert_eq!(read("int 11485000", "int 24100", "channel_mhz").await, Reading::value(24_100.0));
    assert_eq!(read("1.9.1 int 25", "1.9.1 int 58", "tx_power_dbm").await, missing(Missing::Implausible));
    assert_eq!(read("2.1.15.1 int 1", "2.1.15.1 int 0", "rsl_dbm").await, Reading::value(-42.0));
    assert_eq!(read("2.1.15.1 int 1", "2.1.15.1 int 0", "rsl_chain1_dbm").await, missing(Missing::Sentinel));
    assert_eq!(read("2.1.26.1 int 1", "2.1.26.1 int 0", "link_up_flag").await, Reading::value(0.0));
    assert_eq!(read("2.1.26.1 int 1", "2.1.26.1 int 0", "capacity_tx_mbps").await, missing(Missing::LinkDown));
    assert_eq!(read("int 484856960", "int -1", "capacity_tx_mbps").await, missing(Missing::Implausible));
    assert_eq!(read("int 484856960", "str 484.9 Mbps", "capacity_tx_mbps").await, missing(Missing::Malformed));
    assert_eq!(read("@af.3.1.64.1 c64 1000", "", "throughput_tx_mbps").await, missing(Missing::NotOffered));
}

const LTU: &str = include_str!("../fixtures/ubiquiti-ltu.txt");

#[tokio::test]
async fn ltu_in_the_normal_form() {
    let polled = poll(LTU).await;
    assert_eq!(polled.identity.family.profile, "ubiquiti-ltu");
    let firmware = Some("v1.1.1-BETA2".to_owned());
    assert_eq!(polled.identity.info, Info { model: Some("airFiber 5XHD".into()), firmware });
    let [radio] = &polled.radios[..] else { panic!() };
    assert_eq!((radio.peer.as_deref(), radio.modulation.as_deref()), (Some("020000000071"), Some("10x")));
    // Net-snmp on anything else has its sysObjectID too.
    let polled = poll(&without(LTU, "@lt.3.4.0")).await;
    assert_eq!(polled.identity.family.profile, "generic");
}

#[tokio::test]
async fn an_ltu_without_its_peer_is_down_and_a_sector_has_each() {
    let polled = poll(&without(LTU, "@sta")).await;
    assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
    assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::Missing(Missing::LinkDown)));
    let (polled, _) = poll_as(LTU, sector(&["020000000071", "020000000072"])).await;
    let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
    assert_eq!(tags, ["020000000071", "020000000072", "sector"]);
    assert_eq!(polled.radios[0].reading("capacity_rx_mbps"), Some(Reading::known(161.28, Provenance::Reported)));
    assert!(polled.radios[1].is_down());
    assert_eq!(polled.radios[2].reading("peers_count"), Some(Reading::value(1.0)));
}
