//! RouterOS with the WiFi package, and with an LTE modem.

use super::*;

const WIFI: &str = "
    @mt.21.5.1.3.9 str valley
    @mt.21.5.1.4.9 str 5180/ax/Ceee
";
const WIFI_PEER: &str = "
    @reg = 2.0.0.0.0.129.9
    @mt.21.4.1.6.@reg int -58
    @mt.21.4.1.9.@reg gauge 1201000000
    @mt.21.4.1.10.@reg gauge 960700000
    @mt.21.4.1.15.@reg gauge 20500000
    @mt.21.4.1.16.@reg gauge 1000000
";

#[tokio::test]
async fn the_wifi_package_has_levels_and_rates_and_no_capacity() {
    let fixture = format!("{ROUTEROS}{WIFI}{WIFI_PEER}");
    let polled = poll(&fixture).await;
    let [radio] = &polled.radios[..] else { panic!() };
    assert_eq!(radio.peer.as_deref(), Some("020000000081"));
    check(
        radio,
        &[
            "capacity_rx_mbps=(not measured)",
            "capacity_tx_mbps=(not measured)",
            "channel_mhz=5180",
            "link_up_flag=1",
            "phy_rx_mbps=960.7",
            "phy_tx_mbps=1201",
            "rsl_dbm=-58",
            "throughput_rx_mbps=1",
            "throughput_tx_mbps=20.5",
        ],
    );
    // Were it kbps or Mbps after all, no figure would be made of it.
    for other in ["gauge 1201000", "gauge 4804000", "gauge 1201"] {
        let polled = poll(&fixture.replace("gauge 1201000000", other)).await;
        assert_eq!(polled.radios[0].reading("phy_tx_mbps"), Some(Reading::Missing(Missing::Implausible)), "{other}");
    }
    let polled = poll(&format!("{ROUTEROS}{WIFI}")).await;
    assert!(polled.radios[0].is_down());
}

#[tokio::test]
async fn an_lte_modem_has_its_levels_beside_whatever_else_there_is() {
    let modem = "
        @mt.16.1.1.2.5 int -63
        @mt.16.1.1.3.5 int -11
        @mt.16.1.1.4.5 int -92
        @mt.16.1.1.7.5 int 17
        @mt.16.1.1.2.6 int 0
        @mt.16.1.1.3.6 int 0
        @mt.16.1.1.4.6 int -200
    ";
    let polled = poll(&format!("{ROUTEROS}{W60G}{modem}")).await;
    let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
    assert_eq!(tags, ["1", "lte", "lte2"]);
    check(&polled.radios[1], &["rsl_dbm=-63", "rsrp_dbm=-92", "rsrq_db=-11", "sinr_db=17"]);
    let second = ["rsl_dbm=(sentinel)", "rsrp_dbm=(implausible)", "rsrq_db=0", "sinr_db=(not offered)"];
    check(&polled.radios[2], &second);
}
