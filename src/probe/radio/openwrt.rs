//! OpenWrt with the usual scripts behind NET-SNMP-EXTEND-MIB (1.3.6.1.4.1.8072.1.3.2.3.1.1, nsExtendOutput1Line): texts
//! under names such as `clients-wlan0` and `rate-tx-wlan0-avg`.
//!
//! Rates and SNR are means over all clients of an interface: they are those of a link where there is one client. No
//! capacity is reported: it is derived from the rate, times [`FACTOR`].

use super::{
    Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, Rows, SECTOR_RADIO, Scope, Table, derived, gate,
    unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "openwrt",
    title: "OpenWrt (with extend scripts)",
    checked: Checked::Recording,
    duplex: Duplex::Shared,
    capacity_min_mbps: 0.1,
    capacity_max_mbps: 4804.0,
    capacity_max_source: "four streams at 160 MHz, MCS 11: 4804 Mbps (IEEE 802.11ax)",
    channel: None,
    capacity_from: "the modulation rate where there is one client, times 0.5",
    object_ids: &[],
    shared_object_ids: &[ObjectId::Is(&[1, 3, 6, 1, 4, 1, 8072, 3, 2, 10])],
    descrs: &[],
    asks: &[DISTRIBUTION],
    tables: &[Table { name: LINES, column: LINE, rows_max: 96 }],
    info: |_| vec![extend("hardware"), extend("distro")],
    decode_info: |answers, _| Info {
        model: answers.text(&extend("hardware")).ok(),
        firmware: answers.text(&extend("distro")).ok(),
    },
    requests,
    decode,
};

/// Part of the modulation rate that a link carries with all the air time: as with other radios of IEEE 802.11, half.
const FACTOR: f64 = 0.5;
/// More interfaces than this no router has.
const INTERFACES_MAX: usize = 8;

const LINES: &str = "lines";
const LINE: &[u32] = &[1, 3, 6, 1, 4, 1, 8072, 1, 3, 2, 3, 1, 1];
/// The line named `distro`: its length, then its letters.
const DISTRIBUTION: &[u32] = &[1, 3, 6, 1, 4, 1, 8072, 1, 3, 2, 3, 1, 1, 6, 100, 105, 115, 116, 114, 111];
const LINK_FIELDS: [&str; 5] = ["capacity_tx_mbps", "capacity_rx_mbps", "phy_tx_mbps", "phy_rx_mbps", "snr_db"];

fn extend(name: &str) -> Oid {
    let letters = name.bytes().map(u32::from);
    let index: Vec<u32> = std::iter::once(name.len() as u32).chain(letters).collect();
    Oid::of(LINE, &index)
}

/// The name that an index spells.
fn name_of(index: &[u32]) -> Option<String> {
    let (length, letters) = index.split_first()?;
    let letters: Vec<u8> = letters.iter().map(|arc| u8::try_from(*arc).ok()).collect::<Option<_>>()?;
    let name = String::from_utf8(letters).ok()?;
    (name.len() == *length as usize && name.chars().all(|c| c.is_ascii_graphic())).then_some(name)
}

/// Interfaces that have a line `frequency-…`.
fn interfaces(rows: &Rows) -> Vec<String> {
    let names = rows.of(LINES).iter().filter_map(|row| name_of(&row.index));
    let wireless = names.filter_map(|name| name.strip_prefix("frequency-").map(str::to_owned));
    wireless.filter(|name| !name.is_empty()).take(INTERFACES_MAX).collect()
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let lines = |wlan: &String| {
        let names = ["clients-", "frequency-", "noise-floor-"].map(|what| format!("{what}{wlan}"));
        names.into_iter().chain(["rate-tx-", "rate-rx-", "snr-"].map(|what| format!("{what}{wlan}-avg")))
    };
    interfaces(scope.rows).iter().flat_map(lines).map(|name| extend(&name)).collect()
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let interfaces = interfaces(scope.rows);
    let mut decoded = Decoded::default();
    for wlan in &interfaces {
        let tag = match interfaces.len() {
            1 if scope.sector => SECTOR_RADIO,
            1 => ONLY_RADIO,
            _ => wlan,
        };
        let mut radio = radio(answers, wlan, tag);
        gate(&FAMILY, &mut radio);
        decoded.radios.push(radio);
    }
    decoded
}

fn radio(answers: &Answers, wlan: &str, tag: &str) -> Radio {
    let line = |name: &str, scale| answers.decimal(&extend(name), scale);
    let mut radio = Radio::new(tag);
    radio.set("channel_mhz", unless(line(&format!("frequency-{wlan}"), 1.0), &[0.0]));
    radio.set("noise_floor_dbm", unless(line(&format!("noise-floor-{wlan}"), 1.0), &[0.0]));
    let clients = line(&format!("clients-{wlan}"), 1.0);
    radio.set("peers_count", clients);
    match clients.get() {
        Some(0.0) => return radio.down(&LINK_FIELDS),
        Some(1.0) => {}
        several => {
            let why = clients.missing().unwrap_or(Missing::NotMeasured);
            radio.set("link_up_flag", several.map_or(Reading::Missing(why), |_| Reading::value(1.0)));
            for field in LINK_FIELDS {
                radio.set(field, Reading::Missing(why));
            }
            return radio;
        }
    }
    radio.set("link_up_flag", Reading::value(1.0));
    radio.set("snr_db", unless(line(&format!("snr-{wlan}-avg"), 1.0), &[0.0]));
    for (phy, capacity, way) in [("phy_tx_mbps", "capacity_tx_mbps", "tx"), ("phy_rx_mbps", "capacity_rx_mbps", "rx")] {
        let rate = unless(line(&format!("rate-{way}-{wlan}-avg"), 1e-6), &[0.0]);
        radio.set(phy, rate);
        radio.set(capacity, derived(rate, FACTOR));
    }
    radio
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::tests::{check, missing, poll};
    use super::*;

    /// A router that answers these lines.
    fn router(lines: &[(&str, &str)]) -> String {
        let mut fixture = "1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.8072.3.2.10\n".to_owned();
        for (name, text) in [("distro", "OpenWrt 23.05"), ("hardware", "Some Router")].iter().chain(lines) {
            writeln!(fixture, "{} str {text}", extend(name)).unwrap();
        }
        fixture
    }

    const WLAN0: [(&str, &str); 6] = [
        ("clients-wlan0", "1"),
        ("frequency-wlan0", "5500"),
        ("noise-floor-wlan0", "-95"),
        ("rate-tx-wlan0-avg", "300000000"),
        ("rate-rx-wlan0-avg", "270000000"),
        ("snr-wlan0-avg", "31"),
    ];

    fn with(name: &str, text: &'static str) -> Vec<(&'static str, &'static str)> {
        WLAN0.iter().map(|(n, t)| (*n, if *n == name { text } else { t })).collect()
    }

    #[test]
    fn names_are_spelt_by_their_index() {
        assert_eq!(extend("distro").arcs(), DISTRIBUTION);
        assert_eq!(name_of(&[2, 97, 98]).as_deref(), Some("ab"));
        for index in [&[][..], &[3, 97, 98], &[1, 300], &[1, 10], &[2, 0xc3, 0xa9]] {
            assert_eq!(name_of(index), None, "{index:?}");
        }
    }

    #[tokio::test]
    async fn a_link_of_two_routers() {
        let polled = poll(&router(&WLAN0)).await;
        assert_eq!(polled.identity.family.profile, "openwrt");
        let info = Info { model: Some("Some Router".into()), firmware: Some("OpenWrt 23.05".into()) };
        assert_eq!(polled.identity.info, info);
        assert_eq!(polled.radios[0].tag, "1");
        let expected = [
            "capacity_rx_mbps=135 derived",
            "capacity_tx_mbps=150 derived",
            "channel_mhz=5500",
            "link_up_flag=1",
            "noise_floor_dbm=-95",
            "peers_count=1",
            "phy_rx_mbps=270",
            "phy_tx_mbps=300",
            "snr_db=31",
        ];
        check(&polled.radios[0], &expected);
    }

    #[tokio::test]
    async fn no_client_and_several() {
        let polled = poll(&router(&with("clients-wlan0", "0"))).await;
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("link down")));
        let polled = poll(&router(&with("clients-wlan0", "3"))).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("not measured")));
        assert_eq!(polled.radios[0].reading("peers_count"), Some(Reading::value(3.0)));
        let mut two = WLAN0.to_vec();
        two.push(("frequency-wlan1", "2462"));
        let polled = poll(&router(&two)).await;
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["wlan0", "wlan1"]);
        assert_eq!(polled.radios[1].reading("link_up_flag"), Some(missing("not offered")));
    }

    #[tokio::test]
    async fn odd_lines() {
        let polled = poll(&router(&with("rate-tx-wlan0-avg", "300 or so"))).await;
        assert_eq!(polled.radios[0].reading("phy_tx_mbps"), Some(missing("malformed")));
        let polled = poll(&router(&with("rate-tx-wlan0-avg", "0"))).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("sentinel")));
        let polled = poll(&router(&with("noise-floor-wlan0", "0 dBm"))).await;
        assert_eq!(polled.radios[0].reading("noise_floor_dbm"), Some(missing("sentinel")));
        let polled = poll("1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.8072.3.2.10\n").await;
        assert_eq!(polled.identity.family.profile, "generic");
    }
}
