//! Tachyon TNA-30x, 60 GHz, by TACHYON-MIB (1.3.6.1.4.1.57344.1). One row a peer, numbered: its MAC address is a text.
//!
//! No capacity is reported: it is derived from the modulation rate, times [`FACTOR`]. The transmit power in the MIB is
//! an EIRP with the gain of the antenna, which is another quantity.

use super::{
    Channel, Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Octets, Radio, SECTOR_RADIO, Scope, Selection,
    Station, Table, derived, gate, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, mac_of_value};

pub static FAMILY: Family = Family {
    profile: "tachyon",
    title: "Tachyon TNA (60 GHz)",
    checked: Checked::Recording,
    duplex: Duplex::Shared,
    capacity_min_mbps: 0.1,
    capacity_max_mbps: 4620.0,
    capacity_max_source: "MCS 12 of a single carrier: 4620 Mbps (IEEE 802.11ad)",
    channel: Some(Channel { bits_max: 6.0, streams_max: 1.0, source: "64QAM of IEEE 802.11ad" }),
    capacity_from: "the modulation rate, times 0.5",
    object_ids: &[ObjectId::Under(BASE)],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: PEERS, column: PEER_MAC, rows_max: 64 },
        Table { name: RADIOS, column: RADIO_NAME, rows_max: 4 },
    ],
    info: |_| vec![MODEL.into(), FIRMWARE.into()],
    decode_info: |answers, _| Info {
        model: answers.text(&MODEL.into()).ok(),
        firmware: answers.text(&FIRMWARE.into()).ok(),
    },
    requests,
    decode,
};

/// Part of the modulation rate that a link carries with all the air time. The figure that this project uses for
/// 60 GHz of IEEE 802.11ad: a pair at 2310 Mbps is sold as "1 Gbps full duplex".
const FACTOR: f64 = 0.5;

const PEERS: &str = "peers";
const RADIOS: &str = "radios";
const BASE: &[u32] = &[1, 3, 6, 1, 4, 1, 57344, 1];
const MODEL: &[u32] = &[1, 3, 6, 1, 4, 1, 57344, 1, 3, 1, 0];
const FIRMWARE: &[u32] = &[1, 3, 6, 1, 4, 1, 57344, 1, 3, 4, 0];
/// wirelessRadioEntry: 5 frequency and 6 width (MHz), 7 failover to the other radio, 11 temperature.
const RADIO: &[u32] = &[1, 3, 6, 1, 4, 1, 57344, 1, 2, 2, 1];
const RADIO_NAME: &[u32] = &[1, 3, 6, 1, 4, 1, 57344, 1, 2, 2, 1, 2];
const RADIO_COLUMNS: [u32; 4] = [5, 6, 7, 11];
/// wirelessPeersCount.
const PEER_COUNT: &[u32] = &[1, 3, 6, 1, 4, 1, 57344, 1, 2, 5, 0];
/// wirelessPeerEntry.
const PEER: &[u32] = &[1, 3, 6, 1, 4, 1, 57344, 1, 2, 6, 1];
const PEER_MAC: &[u32] = &[1, 3, 6, 1, 4, 1, 57344, 1, 2, 6, 1, 1];
const RX_POWER: u32 = 6;
const TX_RATE: u32 = 7;
const RX_RATE: u32 = 9;
/// wirelessPeerTxBytes and wirelessPeerRxBytes.
const OCTETS: [u32; 2] = [15, 14];
/// Figures of a peer that need no more than their name: SNR, MCS of both directions, distance in metres.
const PLAIN: [(&str, u32); 4] = [("snr_db", 8), ("mcs_tx_index", 10), ("mcs_rx_index", 11), ("distance_meters", 13)];
const LINK_FIELDS: [&str; 9] = [
    "capacity_tx_mbps",
    "capacity_rx_mbps",
    "phy_tx_mbps",
    "phy_rx_mbps",
    "rsl_dbm",
    "snr_db",
    "mcs_tx_index",
    "mcs_rx_index",
    "distance_meters",
];

fn cell(entry: &[u32], column: u32, row: &Row) -> Oid {
    Oid::of(&[entry, &[column]].concat(), &row.index)
}

fn mac(row: &Row) -> Option<String> {
    mac_of_value(&row.value)
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids: Vec<Oid> = vec![PEER_COUNT.into()];
    if let Some(row) = scope.rows.of(RADIOS).first() {
        oids.extend(RADIO_COLUMNS.iter().map(|column| cell(RADIO, *column, row)));
    }
    for station in scope.select(scope.rows.of(PEERS), mac).chosen() {
        // Rows are numbered: only the address says that this is still the same peer.
        let columns = [1, RX_POWER, TX_RATE, RX_RATE].into_iter().chain(PLAIN.iter().map(|(_, column)| *column));
        oids.extend(columns.chain(OCTETS).map(|column| cell(PEER, column, station.row)));
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let mut decoded = Decoded::default();
    let rows = scope.rows.of(PEERS);
    let count = answers.number(&PEER_COUNT.into()).ok();
    let selection = scope.select(rows, mac);
    decoded.radios.extend(selection.chosen().iter().map(|station| peer_radio(answers, station, scope)));
    match &selection {
        Selection::Nobody => decoded.radios.push(Radio::new(ONLY_RADIO).down(&LINK_FIELDS)),
        Selection::Ambiguous => {
            let mut radio = Radio::unmeasured(&LINK_FIELDS);
            radio.set("peers_count", Reading::value(rows.len() as f64));
            decoded.radios.push(radio);
        }
        Selection::One(_) => {}
        Selection::Sector { ours, strangers } => {
            decoded.radios.extend(scope.absent(&selection, &LINK_FIELDS));
            decoded.radios.push(Radio::of_sector(ours.len(), *strangers));
        }
    }
    if decoded.radios.iter().any(Radio::is_down) {
        decoded.stale.push(PEERS);
    } else if count.is_some_and(|n| n != rows.len() as f64) {
        decoded.suspect.push(PEERS);
    }
    if let Some(row) = scope.rows.of(RADIOS).first() {
        add_radio(answers, row, &mut decoded);
    }
    for radio in &mut decoded.radios {
        gate(&FAMILY, radio);
    }
    decoded
}

fn peer_radio(answers: &Answers, station: &Station<'_>, scope: &Scope<'_>) -> Radio {
    let of = |column| cell(PEER, column, station.row);
    let mut radio = Radio::towards(station, scope);
    let same = match answers.value(&of(1)) {
        Ok(value) => mac_of_value(value) == station.mac,
        Err(Missing::NotOffered) => false,
        Err(_) => true,
    };
    // Another peer has taken its number, or nobody has it.
    if !same {
        return radio.down(&LINK_FIELDS);
    }
    radio.set("link_up_flag", Reading::value(1.0));
    radio.set("rsl_dbm", unless(answers.reading(&of(RX_POWER), 1.0), &[0.0]));
    let rates = [("phy_tx_mbps", "capacity_tx_mbps", TX_RATE), ("phy_rx_mbps", "capacity_rx_mbps", RX_RATE)];
    for (phy, capacity, column) in rates {
        let rate = unless(answers.reading(&of(column), 1.0), &[0.0]);
        radio.set(phy, rate);
        radio.set(capacity, derived(rate, FACTOR));
    }
    for (field, column) in PLAIN {
        radio.set(field, answers.reading(&of(column), 1.0));
    }
    let [tx, rx] = OCTETS.map(|column| answers.counter(&of(column)));
    radio.octets = Some(Octets { tx, rx });
    radio
}

/// What the radio itself says, of all its peers.
fn add_radio(answers: &Answers, row: &Row, decoded: &mut Decoded) {
    let of = |column| cell(RADIO, column, row);
    let standby = match answers.text(&of(7)).as_deref() {
        Ok("active") => Some(1.0),
        Ok("normal") => Some(0.0),
        // Off, disabled: it has no other radio to turn to.
        _ => None,
    };
    for radio in &mut decoded.radios {
        radio.set("channel_mhz", unless(answers.reading(&of(5), 1.0), &[0.0]));
        radio.set("channel_width_mhz", unless(answers.reading(&of(6), 1.0), &[0.0]));
        if let Some(standby) = standby.filter(|_| radio.tag != SECTOR_RADIO) {
            radio.set("on_standby_flag", Reading::value(standby));
        }
    }
    let temperature = answers.reading(&of(11), 1.0);
    super::supply::note(&mut decoded.power, "temperature_celsius", temperature);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll, poll_as, sector};
    use super::*;
    use crate::probe::value::Value;

    const TACHYON: &str = "
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.57344.1
        @t = 1.3.6.1.4.1.57344.1
        @t.2.2.1.2.1 str wlan0
        @t.2.2.1.3.1 gauge 54
        @t.2.2.1.5.1 int 64800
        @t.2.2.1.6.1 int 2160
        @t.2.2.1.7.1 str off
        @t.2.2.1.11.1 int 45
        @t.2.5.0 int 1
        @t.2.6.1.1.1 str 02:00:00:00:0A:11
        @t.2.6.1.6.1 int -61
        @t.2.6.1.7.1 gauge 2502
        @t.2.6.1.8.1 int 12
        @t.2.6.1.9.1 gauge 2310
        @t.2.6.1.10.1 int 9
        @t.2.6.1.11.1 int 8
        @t.2.6.1.13.1 int 640
        @t.2.6.1.14.1 c64 1000
        @t.2.6.1.15.1 c64 5000
        @t.3.1.0 str TNA-303X
        @t.3.4.0 str 1.12.0 rev 54574
    ";
    const OTHER: &str = "
        @t.2.6.1.1.2 str 02:00:00:00:0a:12
        @t.2.6.1.6.2 int -59
        @t.2.6.1.7.2 gauge 1925
        @t.2.6.1.9.2 gauge 1540
    ";

    #[tokio::test]
    async fn a_tachyon_in_the_normal_form() {
        let polled = poll(TACHYON).await;
        assert_eq!(polled.identity.family.profile, "tachyon");
        assert_eq!(polled.identity.info.firmware.as_deref(), Some("1.12.0 rev 54574"));
        let [radio] = &polled.radios[..] else { panic!("{:?}", polled.radios) };
        assert_eq!((radio.tag.as_str(), radio.peer.as_deref()), ("1", Some("020000000a11")));
        let expected = [
            "capacity_rx_mbps=1155 derived",
            "capacity_tx_mbps=1251 derived",
            "channel_mhz=64800",
            "channel_width_mhz=2160",
            "distance_meters=640",
            "link_up_flag=1",
            "mcs_rx_index=8",
            "mcs_tx_index=9",
            "phy_rx_mbps=2310",
            "phy_tx_mbps=2502",
            "rsl_dbm=-61",
            "snr_db=12",
            "throughput_rx_mbps=(no baseline)",
            "throughput_tx_mbps=(no baseline)",
        ];
        check(radio, &expected);
        assert_eq!(polled.power["temperature_celsius"], Reading::value(45.0));
    }

    #[tokio::test]
    async fn a_sector_and_two_peers_of_which_none_is_known() {
        let both = format!("{}{OTHER}", TACHYON.replace("@t.2.5.0 int 1", "@t.2.5.0 int 2"));
        let (polled, _) = poll_as(&both, sector(&["020000000a12", "020000000a13"])).await;
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["020000000a12", "020000000a13", "sector"]);
        assert_eq!(polled.radios[0].reading("phy_tx_mbps"), Some(Reading::value(1925.0)));
        assert_eq!(polled.radios[1].reading("link_up_flag"), Some(Reading::value(0.0)));
        assert_eq!(polled.radios[2].reading("strangers_count"), Some(Reading::value(1.0)));
        let polled = poll(&both).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("not measured")));
        assert_eq!(polled.radios[0].reading("peers_count"), Some(Reading::value(2.0)));
    }

    #[tokio::test]
    async fn a_peer_that_goes_or_whose_number_another_takes() {
        let gone: String = TACHYON.lines().filter(|l| !l.contains("@t.2.6.1")).collect::<Vec<_>>().join("\n");
        let polled = poll(&gone).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("link down")));
        let clock = crate::runtime::clock::ManualClock::at(crate::model::UnixMillis(0));
        let (_, mut poller) = poll_as(TACHYON, crate::probe::device::Manner::default()).await;
        poller.session.set("1.3.6.1.4.1.57344.1.2.6.1.1.1", Value::Bytes(b"02:00:00:00:0a:99".to_vec()));
        let polled = poller.poll(&*clock).await.unwrap();
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
        let polled = poller.poll(&*clock).await.unwrap();
        assert_eq!(polled.radios[0].peer.as_deref(), Some("020000000a99"));
    }

    #[tokio::test]
    async fn on_the_other_radio_and_odd_answers() {
        let polled = poll(&TACHYON.replace("str off", "str active").replace("gauge 2502", "gauge 0")).await;
        assert_eq!(polled.radios[0].reading("on_standby_flag"), Some(Reading::value(1.0)));
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("sentinel")));
        let polled = poll(&TACHYON.replace("gauge 2502", "str 2502 Mbps").replace("int -61", "int 0")).await;
        assert_eq!(polled.radios[0].reading("phy_tx_mbps"), Some(missing("malformed")));
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("sentinel")));
    }
}
