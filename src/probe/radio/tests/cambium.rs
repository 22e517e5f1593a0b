//! Cambium: ePMP, PMP 450, PTP, cnWave 60.

use super::*;

const EPMP: &str = "
    1.3.6.1.2.1.1.1.0 str Linux ePMP 3.14.77 armv7l
    1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.17713.21.9.37
    1.3.6.1.2.1.1.3.0 ticks 100
    @ep = 1.3.6.1.4.1.17713.21
    @ep.1.1.17.0 str 5.10.3
    @ep.1.2.1.0 int 5190
";
const EPMP_AP: &str = "
    @ep.3.8.2.1.0 int 1
    @ep.3.8.2.5.0 int 2
    @ep.3.8.2.6.0 int 26
    @ep.1.2.10.0 int 2
    @st = 1.3.6.1.4.1.17713.21.1.2.30.1
    @st.1.1 str 02:00:00:00:00:91
    @st.4.1 int -54
    @st.5.1 int -55
    @st.6.1 int 32
    @st.7.1 int 35
    @st.8.1 int 18
    @st.9.1 int 19
    @st.20.1 int 98
    @st.28.1 str 300.0
    @st.29.1 int 1798
";
const EPMP_STRANGER: &str = "
    @st.1.2 str 02:00:00:00:00:92
    @st.4.2 int -54
";

#[tokio::test]
async fn epmp_access_point_in_the_normal_form() {
    let polled = poll(&format!("{EPMP}{EPMP_AP}")).await;
    assert_eq!(polled.identity.family.profile, "cambium-epmp");
    assert_eq!(polled.identity.info.firmware.as_deref(), Some("5.10.3"));
    let [radio] = &polled.radios[..] else { panic!() };
    assert_eq!(radio.peer.as_deref(), Some("020000000091"));
    check(
        radio,
        &[
            "capacity_tx_mbps=180 derived",
            "channel_mhz=5190",
            "channel_width_mhz=40",
            "distance_meters=1798",
            "link_up_flag=1",
            "mcs_rx_index=18",
            "mcs_tx_index=19",
            "peers_count=2",
            "phy_tx_mbps=300",
            "remote_rsl_dbm=-55",
            "remote_snr_db=35",
            "rsl_dbm=-54",
            "signal_quality_percent=98",
            "snr_db=32",
            "tx_power_dbm=26",
        ],
    );
}

#[tokio::test]
async fn epmp_rows_are_known_by_their_address_not_their_number() {
    let fixture = format!("{EPMP}{EPMP_AP}{EPMP_STRANGER}");
    let (polled, mut poller) = poll_as(&fixture, sector(&["020000000091"])).await;
    let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
    assert_eq!(tags, ["020000000091", "sector"]);
    assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::value(-54.0)));
    assert_eq!(polled.radios[1].reading("strangers_count"), Some(Reading::value(1.0)));
    // Another subscriber has taken the row: its figures are nobody's of ours.
    let clock = ManualClock::at(crate::model::UnixMillis(2_000_000));
    poller.session.set("1.3.6.1.4.1.17713.21.1.2.30.1.1.1", Value::Bytes(b"02:00:00:00:00:93".to_vec()));
    let polled = poller.poll(&*clock).await.unwrap();
    assert!(polled.radios[0].is_down());
    assert!(!format!("{:?}", polled.radios).contains("020000000093"));
    // With a rate that is no number, and without one.
    for (rate, why) in
        [("str 300 Mbit", Missing::Malformed), ("int 30000", Missing::Implausible), ("str 0", Missing::Sentinel)]
    {
        let polled = poll(&format!("{EPMP}{}", EPMP_AP.replace("str 300.0", rate))).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(why)), "{rate}");
    }
    let polled = poll(&format!("{EPMP}{}", without(EPMP_AP, "@st.28.1"))).await;
    assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::NotOffered)));
}

#[tokio::test]
async fn epmp_subscriber_in_the_normal_form() {
    let subscriber = "
        @ep.3.8.2.1.0 int 2
        @ep.1.2.2.0 int 1
        @ep.1.2.3.0 int -61
        @ep.1.2.4.0 int 24
        @ep.1.2.5.0 int 18
        @ep.1.2.6.0 int 9
        @ep.1.2.7.0 int 13
        @ep.1.2.12.0 str 4.3
        @ep.1.2.16.0 int 3
        @ep.1.2.18.0 int 27
        @ep.1.2.22.0 int 91
    ";
    let fixture = format!("{EPMP}{subscriber}");
    check(
        &poll(&fixture).await.radios[0],
        &[
            "channel_mhz=5190",
            "channel_width_mhz=20",
            "cinr_db=24",
            "distance_meters=4300",
            "link_up_flag=1",
            "mcs_rx_index=13",
            "mcs_tx_index=9",
            "rsl_dbm=-61",
            "signal_quality_percent=91",
            "snr_db=27",
            "tx_power_dbm=18",
        ],
    );
    let polled = poll(&fixture.replace("1.2.16.0 int 3", "1.2.16.0 int 1")).await;
    assert!(polled.radios[0].is_down());
    assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::Missing(Missing::LinkDown)));
}

const PMP: &str = "
    1.3.6.1.2.1.1.1.0 str CANOPY 15.0.0.1 AP-DES
    1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.161.19.250.256
    1.3.6.1.2.1.1.3.0 ticks 100
    @cp = 1.3.6.1.4.1.161.19.3
    @cp.3.1.35.0 int 27
    @cp.3.1.266.0 str PMP 450
";
const PMP_AP: &str = "
    @cp.1.7.1.0 gauge 1
    @cp.1.7.37.0 int 5525000
    @cp.1.12.1.1.0 int 20
    @cp.1.12.1.2.0 int 16
    @cp.1.4.1.3.2 hex 0200000000a1
    @cp.1.4.1.5.2 gauge 98000000
    @cp.1.4.1.19.2 int 1
    @cp.1.4.1.35.2 str -71.0
    @cp.1.4.1.40.2 str 8X/6X MIMO-B
    @cp.1.4.1.66.2 int 20000
    @cp.1.4.1.74.2 int 20
    @cp.1.4.1.84.2 int 18
    @cp.1.4.1.87.2 str -74.5
    @cp.1.4.1.88.2 str -73.5
";

#[tokio::test]
async fn pmp450_access_point_in_the_normal_form() {
    let fixture = format!("{PMP}{PMP_AP}");
    let polled = poll(&fixture).await;
    assert_eq!(polled.identity.family.profile, "cambium-pmp450");
    assert_eq!(polled.identity.why, "sysObjectID 1.3.6.1.4.1.161.19.250.256, and sysDescr \"CANOPY 15.0.0.1 AP-DES\"");
    assert_eq!(polled.identity.info, Info { model: Some("PMP 450".into()), firmware: Some("15.0.0.1".into()) });
    assert_eq!(polled.power["temperature_celsius"], Reading::value(27.0));
    let radio = &polled.radios[0];
    assert_eq!(radio.peer.as_deref(), Some("0200000000a1"));
    check(
        radio,
        &[
            "airtime_percent=20",
            "capacity_tx_mbps=98 reported",
            "channel_mhz=5525",
            "distance_meters=2997.925",
            "link_up_flag=1",
            "rsl_chain0_dbm=-73.5",
            "rsl_chain1_dbm=-74.5",
            "rsl_dbm=-71",
            "snr_db=18",
        ],
    );
    // Without the column of addresses; out of session; a level with its unit, with NULs, and one that is none.
    let polled = poll(&without(&fixture, "@cp.1.4.1.3.2")).await;
    assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::value(-71.0)));
    assert!(poll(&fixture.replace("19.2 int 1", "19.2 int 0")).await.radios[0].is_down());
    for (text, expected) in [
        ("str -71.0 dBm", Reading::value(-71.0)),
        ("hex 2d37312e3000ff", Reading::value(-71.0)),
        ("str ---", Reading::Missing(Missing::Malformed)),
        ("int -71", Reading::value(-71.0)),
        ("int -710", Reading::Missing(Missing::Implausible)),
    ] {
        let fixture = without(&without(&fixture, "1.87.2"), "1.88.2").replace("str -71.0", text);
        let read = poll(&fixture).await.radios[0].reading("rsl_dbm").unwrap();
        assert_eq!(read, expected, "{text}");
    }
}

#[tokio::test]
async fn pmp450_sector_and_subscriber() {
    let fixture = format!("{PMP}{}", PMP_AP.replace("gauge 1\n", "gauge 24\n"));
    let (polled, _) = poll_as(&fixture, sector(&["0200000000a1", "0200000000a2"])).await;
    let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
    assert_eq!(tags, ["0200000000a1", "0200000000a2", "sector"]);
    assert!(polled.radios[1].is_down());
    assert_eq!(polled.radios[2].reading("peers_count"), Some(Reading::value(24.0)));
    assert_eq!(polled.radios[2].reading("strangers_count"), Some(Reading::value(23.0)));
    assert_eq!(polled.radios[2].reading("airtime_percent"), Some(Reading::value(20.0)));
    let subscriber = "
        @cp.2.2.1.0 str REGISTERED VC 18 Rate 8X/8X
        @cp.2.2.8.0 str -62.8
        @cp.2.2.20.0 str 8X
        @cp.2.2.23.0 str 22
        @cp.2.2.95.0 int 28
        @cp.2.2.106.0 int 30
        @cp.2.2.117.0 str -65.4
        @cp.2.2.118.0 str -66.2
    ";
    let fixture = format!("{}{subscriber}", PMP.replace("AP-DES", "SM-DES"));
    let polled = poll(&fixture).await;
    check(
        &polled.radios[0],
        &[
            "link_up_flag=1",
            "rsl_chain0_dbm=-66.2",
            "rsl_chain1_dbm=-65.4",
            "rsl_dbm=-62.8",
            "snr_db=28",
            "tx_power_dbm=22",
        ],
    );
    assert!(poll(&fixture.replace("REGISTERED VC 18", "SCANNING")).await.radios[0].is_down());
    // A controller of the same enterprise is no radio.
    let polled = poll(&PMP.replace("CANOPY 15.0.0.1 AP-DES", "CMM4 3.0")).await;
    assert_eq!(polled.identity.family.profile, "generic");
}

/// The objects of a PTP: number, level, frequency, rates, state.
fn ptp(arc: u32, objects: &str) -> String {
    format!(
        "1.3.6.1.2.1.1.1.0 str Cambium PTP 50670 PTP Wireless Ethernet Bridge, Version 50670-02-00
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.17713.{arc}
        1.3.6.1.2.1.1.3.0 ticks 100
        1.3.6.1.2.1.2.2.1.3.1 int 157
        1.3.6.1.2.1.31.1.1.1.6.1 c64 10
        1.3.6.1.2.1.31.1.1.1.10.1 c64 10
        @pt = 1.3.6.1.4.1.17713.{arc}
        {objects}"
    )
}

const PTP670: &str = "
    @pt.12.3.0 int -275
    @pt.12.4.0 int 230
    @pt.12.11.0 int 5752000
    @pt.12.12.0 int -528
    @pt.12.13.0 int 143
    @pt.12.14.0 int 24
    @pt.12.15.0 int 22
    @pt.20.1.0 int 161340
    @pt.20.2.0 int 121340
    @pt.20.5.0 int 0
";

#[tokio::test]
async fn ptp670_in_the_normal_form() {
    let polled = poll(&ptp(11, PTP670)).await;
    assert_eq!(polled.identity.family.profile, "cambium-ptp670");
    assert!(polled.identity.family.verified());
    assert_eq!(polled.identity.info, Info { model: Some("PTP 670".into()), firmware: Some("50670-02-00".into()) });
    check(
        &polled.radios[0],
        &[
            "capacity_rx_mbps=161.34 reported",
            "capacity_tx_mbps=121.34 reported",
            "channel_mhz=5752",
            "distance_meters=14300",
            "link_up_flag=1",
            "mcs_rx_index=24",
            "mcs_tx_index=22",
            "mse_db=-27.5",
            "rsl_dbm=-52.8",
            "throughput_rx_mbps=(no baseline)",
            "throughput_tx_mbps=(no baseline)",
            "tx_power_dbm=23",
        ],
    );
    let polled = poll(&ptp(11, &PTP670.replace("20.5.0 int 0", "20.5.0 int 2"))).await;
    assert!(polled.radios[0].is_down());
    assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::LinkDown)));
}

#[tokio::test]
async fn ptps_are_told_apart_by_the_exact_number() {
    let older = "
        @pt.12.1.0 int -601
        @pt.12.15.0 int 5480000
        @pt.20.1.0 int 52000
        @pt.20.2.0 int 38000
        @pt.20.5.0 int 0
    ";
    for (arc, profile) in [(5, "cambium-ptp500"), (6, "cambium-ptp600"), (8, "cambium-ptp800")] {
        let polled = poll(&ptp(arc, older)).await;
        assert_eq!(polled.identity.family.profile, profile);
        assert!(!polled.identity.family.verified());
        let read = |field| polled.radios[0].reading(field);
        assert_eq!(read("capacity_rx_mbps"), Some(Reading::known(52.0, Provenance::Reported)));
        assert_eq!(read("capacity_tx_mbps"), Some(Reading::known(38.0, Provenance::Reported)));
        assert_eq!(read("channel_mhz"), Some(Reading::value(5480.0)));
        assert!(read("rsl_dbm").unwrap().get().is_some_and(|dbm| (dbm + 60.1).abs() < 1e-9));
    }
    assert_eq!(poll(&ptp(7, PTP670)).await.identity.family.profile, "cambium-ptp650");
    assert_eq!(poll(&ptp(50, older)).await.identity.family.profile, "generic");
}

#[tokio::test]
async fn ptp250_counts_rates_in_one_of_two_units_and_is_up_at_one() {
    let check = async |rate: &str, state: u32, expected: Reading| {
        let objects =
            format!("@pt.5.1.0 int -555\n@pt.5.11.0 int 5800\n@pt.11.2.0 int {rate}\n@pt.11.4.0 int {state}\n");
        let polled = poll(&ptp(250, &objects)).await;
        assert_eq!(polled.identity.family.profile, "cambium-ptp250");
        let read = polled.radios[0].reading("capacity_tx_mbps").unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let same = read == expected || matches!((read.get(), expected.get()), (Some(a), Some(b)) if near(a, b));
        assert!(same, "{rate}: {read:?}");
    };
    check("1613", 1, Reading::value(161.3)).await;
    check("161300", 1, Reading::value(161.3)).await;
    check("3000", 1, Reading::Missing(Missing::Implausible)).await;
    check("0", 1, Reading::Missing(Missing::Sentinel)).await;
    check("1613", 0, Reading::Missing(Missing::LinkDown)).await;
}

const CNWAVE: &str = include_str!("../fixtures/cambium-cnwave60.txt");

#[tokio::test]
async fn cnwave_60_links_are_told_apart_by_the_other_end() {
    let second = "@tg.4.2 str 02:00:00:00:00:b2\n@tg.5.2 gauge 9\n@tg.6.2 int 7\n@tg.7.2 int -68\n---";
    let two = CNWAVE.replace("---", second);
    let near = Manner { peers: ["0200000000b1".to_owned()].into(), ..Manner::default() };
    let (polled, _) = poll_as(&two, near).await;
    check(&polled.radios[0], &["link_up_flag=1", "mcs_tx_index=12", "rsl_dbm=-64", "snr_db=10"]);
    let (polled, _) = poll_as(&two, sector(&["0200000000b2"])).await;
    let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
    assert_eq!(tags, ["0200000000b2", "sector"]);
    assert_eq!(poll(&two).await.radios[0].reading("rsl_dbm"), Some(Reading::Missing(Missing::NotMeasured)));
    // Without the column of addresses, and without any row.
    assert_eq!(poll(&without(CNWAVE, "@tg.4.")).await.radios[0].reading("rsl_dbm"), Some(Reading::value(-64.0)));
    assert!(poll(&without(CNWAVE, "@tg.")).await.radios[0].is_down());
}

#[tokio::test]
async fn two_packets_are_enough_once_a_device_is_known() {
    let alone = EPMP_AP.replace("1.2.10.0 int 2", "1.2.10.0 int 1");
    for fixture in [format!("{EPMP}{alone}"), format!("{PMP}{PMP_AP}"), ptp(11, PTP670)] {
        assert!(packets(&fixture).await <= 2, "{fixture}");
    }
}
