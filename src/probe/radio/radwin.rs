//! RADWIN 2000, 5000 and WinLink, by RADWIN-MIB-WINLINK1000 (1.3.6.1.4.1.4458.1000).
//!
//! The capacity that the device tells is that of both directions together, which TDD shares. Its object 1.1.51.7 named
//! RSSI is of the Wi-Fi for management, -150 when that is off: it is never asked. An HBS is a sector, but its table
//! of links has no address of a peer: the HSU that the inventory names by its row is read, the others are counted.

use super::carriers::{cell, first, mhz_or_khz, tag, up};
use super::{Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, Scope, Table, gate, reported, unless};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "radwin",
    title: "RADWIN 2000 / 5000 / WinLink",
    checked: Checked::MibText,
    duplex: Duplex::Shared,
    capacity_min_mbps: 0.1,
    capacity_max_mbps: 1500.0,
    capacity_max_source: "RADWIN's published 1.5 Gbps for JET DUO",
    channel: None,
    capacity_from: "the aggregate capacity 1.5.70, Mbps, of both directions together; of a base station's HSU its peak \
                    throughput down and up",
    object_ids: &[
        ObjectId::Under(&[1, 3, 6, 1, 4, 1, 4458, 20, 3]),
        ObjectId::Under(&[1, 3, 6, 1, 4, 1, 4458, 20, 5]),
        ObjectId::Under(&[1, 3, 6, 1, 4, 1, 4458, 20, 6]),
    ],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[Table { name: HSUS, column: HSU_RSS, rows_max: 64 }],
    info: |_| vec![PRODUCT.into(), VERSION.into()],
    decode_info: |answers, _| Info {
        model: answers.text(&PRODUCT.into()).ok(),
        // "4.9.00_b0016_Jan  8 2017": version, build, date.
        firmware: answers.text(&VERSION.into()).ok().map(|t| t.split('_').next().unwrap_or(&t).to_owned()),
    },
    requests: |scope| {
        let hsus = ours(scope).into_iter().flat_map(|row| HSU_COLUMNS.map(|column| cell(HSU, column, &row.index)));
        OBJECTS.into_iter().map(odu).chain(hsus).collect()
    },
    decode,
};

const HSUS: &str = "HSUs";
const VERSION: &[u32] = &[1, 3, 6, 1, 4, 1, 4458, 1000, 1, 1, 3, 0];
const PRODUCT: &[u32] = &[1, 3, 6, 1, 4, 1, 4458, 1000, 1, 1, 30, 0];
/// winlink1000OduAir.
const ODU_AIR: &[u32] = &[1, 3, 6, 1, 4, 1, 4458, 1000, 1, 5];
/// The HBS's table of links: 11 RSS in dBm, 30 and 31 peak throughput down and up in kbps. It tells no addresses: the
/// inventory names the row of a peer that is ours.
const HSU: &[u32] = &[1, 3, 6, 1, 4, 1, 4458, 1000, 3, 1, 7, 2, 1];
const HSU_RSS: &[u32] = &[1, 3, 6, 1, 4, 1, 4458, 1000, 3, 1, 7, 2, 1, 11];

const HSU_COLUMNS: [u32; 3] = [11, 30, 31];

/// winlink1000OduAirSesState.
const STATE: &[u32] = &[5, 0];
/// dBm: 50 total, 12 current, 4 nominal.
const TX_POWERS: [&[u32]; 3] = [&[50, 0], &[12, 0], &[4, 0]];
/// MHz, or kHz where the object before it says so.
const FREQUENCY: &[u32] = &[16, 0];
/// kHz.
const WIDTH: &[u32] = &[24, 0];
/// Metres; -1 is invalid.
const DISTANCE: &[u32] = &[29, 0];
/// dBm.
const RX_POWER: &[u32] = &[9, 1, 0];
/// Mbps, deprecated.
const AIR_RATE: &[u32] = &[9, 4, 0];
/// Mbps.
const AGGREGATE: &[u32] = &[70, 0];
const OBJECTS: [&[u32]; 10] =
    [STATE, TX_POWERS[0], TX_POWERS[1], TX_POWERS[2], FREQUENCY, WIDTH, DISTANCE, RX_POWER, AIR_RATE, AGGREGATE];
const LINK_FIELDS: [&str; 6] =
    ["capacity_tx_mbps", "capacity_rx_mbps", "phy_tx_mbps", "phy_rx_mbps", "rsl_dbm", "distance_meters"];

fn odu(object: &[u32]) -> Oid {
    Oid::of(ODU_AIR, object)
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let read = |object: &[u32], scale| answers.reading(&odu(object), scale);
    let mut decoded = Decoded::default();
    if scope.sector {
        let ours = ours(scope);
        decoded.radios.extend(ours.iter().map(|row| hsu(answers, row)));
        for peer in scope.peers.iter().filter(|peer| ours.iter().all(|row| tag(row, true) != **peer)) {
            decoded.radios.push(Radio { tag: peer.clone(), ..Radio::unmeasured(&LINK_FIELDS) });
        }
        decoded.radios.push(Radio::of_sector(ours.len(), scope.rows.of(HSUS).len() - ours.len()));
        // There is no count of HSUs: those that join are found when the table is walked again.
        decoded.suspect.push(HSUS);
    } else {
        decoded.radios.push(link(answers));
    }
    for radio in &mut decoded.radios {
        radio.set("channel_mhz", mhz_or_khz(unless(read(FREQUENCY, 1.0), &[0.0])));
        radio.set("channel_width_mhz", unless(read(WIDTH, 1e-3), &[0.0]));
        radio.set("tx_power_dbm", first(TX_POWERS.map(|object| read(object, 1.0))));
        gate(&FAMILY, radio);
    }
    decoded
}

/// The HSUs of a sector that are to be read.
fn ours<'a>(scope: &Scope<'a>) -> Vec<&'a Row> {
    let known = |row: &&Row| scope.sector && (scope.everybody || scope.peers.contains(&tag(row, true)));
    scope.rows.of(HSUS).iter().filter(known).collect()
}

/// One HSU as its base station sees it: what is sent to it is its downlink.
fn hsu(answers: &Answers, row: &Row) -> Radio {
    let of = |column| cell(HSU, column, &row.index);
    let mut radio = Radio::new(tag(row, true));
    if HSU_COLUMNS.iter().all(|column| answers.value(&of(*column)) == Err(Missing::NotOffered)) {
        return radio.down(&LINK_FIELDS);
    }
    up(&mut radio);
    radio.set("rsl_dbm", unless(answers.reading(&of(11), 1.0), &[0.0, -150.0]));
    radio.set("capacity_tx_mbps", reported(answers, &of(30), 1e-3));
    radio.set("capacity_rx_mbps", reported(answers, &of(31), 1e-3));
    radio
}

fn link(answers: &Answers) -> Radio {
    let read = |object: &[u32], scale| answers.reading(&odu(object), scale);
    let mut radio = Radio::new(ONLY_RADIO);
    match answers.number(&odu(STATE)) {
        // Active, active with the default key, active with versions that differ.
        Ok(3.0 | 8.0 | 11.0) => up(&mut radio),
        // Down, scanning, installing, inactive and others: no service passes.
        Ok(state) if (1.0..=15.0).contains(&state) => return radio.down(&LINK_FIELDS),
        Ok(_) => radio.set("link_up_flag", Reading::Missing(Missing::Malformed)),
        Err(why) => radio.set("link_up_flag", Reading::Missing(why)),
    }
    let capacity = reported(answers, &odu(AGGREGATE), 1.0);
    radio.set("capacity_tx_mbps", capacity);
    radio.set("capacity_rx_mbps", capacity);
    let rate = unless(read(AIR_RATE, 1.0), &[0.0]);
    // Deprecated: most devices no longer have it, which is no news.
    if rate.missing() != Some(Missing::NotOffered) {
        radio.set("phy_tx_mbps", rate);
        radio.set("phy_rx_mbps", rate);
    }
    radio.set("rsl_dbm", unless(read(RX_POWER, 1.0), &[0.0, -150.0]));
    radio.set("distance_meters", unless(read(DISTANCE, 1.0), &[-1.0]));
    radio
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, packets, poll, poll_as, sector, without};
    use super::*;

    const RADWIN: &str = "
        1.3.6.1.2.1.1.1.0 str Wireless Link
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.4458.20.6.1.1
        1.3.6.1.2.1.1.3.0 ticks 100
        @w = 1.3.6.1.4.1.4458.1000
        @w.1.1.3.0 str 4.9.75_b0001_Feb  1 2020
        @w.1.1.30.0 str RW2000/ODU/X/F58/ETSI/INT
        @w.1.1.51.7.0 int -150
        @w.1.5.4.0 int 12
        @w.1.5.5.0 int 3
        @w.1.5.9.1.0 int -58
        @w.1.5.16.0 int 5740
        @w.1.5.24.0 int 40000
        @w.1.5.29.0 int 7300
        @w.1.5.70.0 int 212
    ";

    #[tokio::test]
    async fn radwin_in_the_normal_form() {
        let polled = poll(RADWIN).await;
        assert_eq!(polled.identity.family.profile, "radwin");
        assert_eq!(polled.identity.info.firmware.as_deref(), Some("4.9.75"));
        check(
            &polled.radios[0],
            &[
                "capacity_rx_mbps=212 reported",
                "capacity_tx_mbps=212 reported",
                "channel_mhz=5740",
                "channel_width_mhz=40",
                "distance_meters=7300",
                "link_up_flag=1",
                "rsl_dbm=-58",
                "tx_power_dbm=12",
            ],
        );
    }

    #[tokio::test]
    async fn only_active_is_up() {
        for (state, up) in [(3, true), (8, true), (11, true), (1, false), (4, false), (5, false), (13, false)] {
            let polled = poll(&RADWIN.replace("1.5.5.0 int 3", &format!("1.5.5.0 int {state}"))).await;
            assert_eq!(polled.radios[0].is_down(), !up, "{state}");
        }
        let polled = poll(&without(RADWIN, "1.5.5.0")).await;
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::Missing(Missing::NotOffered)));
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::value(-58.0)));
    }

    #[tokio::test]
    async fn the_wifi_for_management_is_not_the_link() {
        let polled = poll(&without(RADWIN, "1.5.9.1.0")).await;
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::Missing(Missing::NotOffered)));
        let radio = &poll(&RADWIN.replace("int 7300", "int -1").replace("int 212", "str 212")).await.radios[0];
        assert_eq!(radio.reading("distance_meters"), Some(Reading::Missing(Missing::Sentinel)));
        assert_eq!(radio.reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::Malformed)));
    }

    #[tokio::test]
    async fn an_hbs_counts_its_hsus() {
        let hbs = format!("{RADWIN}@w.3.1.7.2.1.11.1 int -60\n@w.3.1.7.2.1.11.2 int -63\n");
        let (polled, _) = poll_as(&hbs, sector(&["020000000001"])).await;
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::NotMeasured)));
        assert_eq!(polled.radios[1].reading("peers_count"), Some(Reading::value(2.0)));
        // The inventory names the row of ours.
        let hbs = format!("{hbs}@w.3.1.7.2.1.30.2 int 85000\n@w.3.1.7.2.1.31.2 int 40000\n");
        let (polled, _) = poll_as(&hbs, sector(&["#2"])).await;
        let radio = &polled.radios[0];
        assert_eq!((radio.tag.as_str(), radio.reading("rsl_dbm")), ("#2", Some(Reading::value(-63.0))));
        assert_eq!(radio.reading("capacity_tx_mbps").and_then(Reading::get), Some(85.0));
        assert_eq!(radio.reading("capacity_rx_mbps").and_then(Reading::get), Some(40.0));
        assert_eq!(polled.radios[1].reading("strangers_count"), Some(Reading::value(1.0)));
    }

    #[tokio::test]
    async fn a_poll_costs_two_packets_at_most() {
        let packets = packets(RADWIN).await;
        assert!(packets <= 2, "{packets}");
    }
}
