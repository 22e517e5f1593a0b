//! airFiber and LTU.

use super::*;

const AIRFIBER: &str = "
    1.3.6.1.2.1.1.1.0 str Linux 2.6.33 armv5tejl
    1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.10002.1
    1.3.6.1.2.1.1.3.0 ticks 100
    1.2.840.10036.3.1.2.1.3.5 str airFiber 5X
    @af = 1.3.6.1.4.1.41112.1.3
    @af.1.1.5.1 int 11485000
    @af.1.1.9.1 int 25
    @af.1.1.27.1 int 50
    @af.2.1.2.1 int 8
    @af.2.1.4.1 int 11450
    @af.2.1.5.1 int 686400640
    @af.2.1.6.1 int 484856960
    @af.2.1.8.1 int 22
    @af.2.1.11.1 int -42
    @af.2.1.12.1 int 1
    @af.2.1.14.1 int -52
    @af.2.1.15.1 int 1
    @af.2.1.18.1 int 6
    @af.2.1.19.1 int -44
    @af.2.1.22.1 int -44
    @af.2.1.26.1 int 1
    @af.2.1.40.1 str v4.0.3
    @af.2.1.45.1 str 02:00:00:00:00:61
    @af.3.1.64.1 c64 1000
    @af.3.1.66.1 c64 1000
";

#[tokio::test]
async fn airfiber_in_the_normal_form() {
    let polled = poll(AIRFIBER).await;
    assert_eq!(polled.identity.family.profile, "ubiquiti-airfiber");
    assert_eq!(polled.identity.why, "sysObjectID 1.3.6.1.4.1.10002.1, and 1.3.6.1.4.1.41112.1.3.2.1.40.1 answers");
    assert_eq!(polled.identity.info, Info { model: Some("airFiber 5X".into()), firmware: Some("v4.0.3".into()) });
    assert_eq!(polled.power["temperature_celsius"], Reading::value(22.0));
    let [radio] = &polled.radios[..] else { panic!() };
    assert_eq!((radio.peer.as_deref(), radio.modulation.as_deref()), (Some("020000000061"), Some("8x")));
    check(
        radio,
        &[
            "capacity_rx_mbps=686.401 reported",
            "capacity_tx_mbps=484.857 reported",
            "channel_mhz=11485",
            "channel_width_mhz=50",
            "distance_meters=11450",
            "link_up_flag=1",
            "mcs_rx_index=6",
            "mcs_tx_index=8",
            "remote_rsl_dbm=-40.99",
            "rsl_chain0_dbm=-42",
            "rsl_chain1_dbm=-52",
            "rsl_dbm=-41.586",
            "throughput_rx_mbps=(no baseline)",
            "throughput_tx_mbps=(no baseline)",
            "tx_power_dbm=25",
        ],
    );
}

#[tokio::test]
async fn an_airfiber_says_what_it_does_not_know() {
    let read = async |from: &str, to: &str, field: &str| {
        let fixture = AIRFIBER.replace(from, to);
        assert_ne!(fixture, AIRFIBER, "{from}");
        poll(&fixture).await.radios[0].reading(field).unwrap()
    };
    let missing = Reading::Missing;
    // Megahertz, as the MIB has it; a power in a unit that nobody knows; a chain that is not valid; a link that is down.
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

const LTU: &str = "
    1.3.6.1.2.1.1.1.0 str Linux 3.14.65 armv7l
    1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.8072.3.2.10
    1.3.6.1.2.1.1.3.0 ticks 100
    @lt = 1.3.6.1.4.1.41112.1.10.1
    @lt.2.2.0 int 5840
    @lt.2.4.0 int 40
    @lt.2.6.0 int 48
    @lt.2.7.0 int 23
    @lt.3.2.0 str airFiber 5XHD
    @lt.3.4.0 str .v1.1.1-BETA2.00015.180314.0503
    @lt.5.1.0 c64 1000
    @lt.5.3.0 c64 1000
    @sta = 2.0.0.0.0.113
    @lt.4.1.1.@sta int 10
    @lt.4.1.2.@sta int 8
    @lt.4.1.3.@sta int 63488
    @lt.4.1.4.@sta int 161280
    @lt.4.1.5.@sta int -47
    @lt.4.1.6.@sta int -47
    @lt.4.1.9.@sta int 100
    @lt.4.1.10.@sta int 96
    @lt.4.1.16.@sta int -51
    @lt.4.1.17.@sta int -99
    @lt.4.1.23.@sta int 10955
";

#[tokio::test]
async fn ltu_in_the_normal_form() {
    let polled = poll(LTU).await;
    assert_eq!(polled.identity.family.profile, "ubiquiti-ltu");
    let firmware = Some("v1.1.1-BETA2".to_owned());
    assert_eq!(polled.identity.info, Info { model: Some("airFiber 5XHD".into()), firmware });
    let [radio] = &polled.radios[..] else { panic!() };
    assert_eq!((radio.peer.as_deref(), radio.modulation.as_deref()), (Some("020000000071"), Some("10x")));
    check(
        radio,
        &[
            "capacity_rx_mbps=161.28 reported",
            "capacity_tx_mbps=63.488 reported",
            "channel_mhz=5840",
            "channel_width_mhz=40",
            "distance_meters=10955",
            "link_up_flag=1",
            "mcs_rx_index=8",
            "mcs_tx_index=10",
            "remote_rsl_dbm=-51",
            "rsl_chain0_dbm=-47",
            "rsl_chain1_dbm=-47",
            "rsl_dbm=-43.99",
            "signal_quality_percent=96",
            "throughput_rx_mbps=(no baseline)",
            "throughput_tx_mbps=(no baseline)",
            "tx_power_dbm=25",
        ],
    );
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
