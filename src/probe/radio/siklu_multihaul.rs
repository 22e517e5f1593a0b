//! Siklu MultiHaul TG (60 GHz), by the vendor's tables under 1.3.6.1.4.1.31926.35.
//!
//! One row a link, indexed by its interface. The device knows its peers by name only, never by address: with several
//! links each is told by the number of its interface, and the inventory has to say which is which.

use super::carriers::{cell, tag, up};
use super::{
    Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Octets, Radio, SYS_DESCR, Scope, Table, gate, reported,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "siklu-multihaul",
    title: "Siklu MultiHaul TG (60 GHz)",
    checked: Checked::Recording,
    duplex: Duplex::Shared,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 4620.0,
    capacity_max_source: "MCS 12 of a single carrier: 4620 Mbps (IEEE 802.11ad)",
    channel: None,
    capacity_from: "the rates that the table of links has, columns 15 (sent) and 14 (received), Mbps",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 31926, 35])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: LINKS, column: LINK_RSSI, rows_max: 16 },
        Table { name: CONFIGURED, column: CONFIGURED_STATE, rows_max: 16 },
    ],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| Info { model: answers.text(&SYS_DESCR.into()).ok(), firmware: None },
    requests,
    decode,
};

const LINKS: &str = "links";
const CONFIGURED: &str = "configured links";
/// 7 RSSI in dBm, 8 SNR as a text in dB, 9 and 10 MCS received and sent, 11 and 12 packet errors
/// received and sent as texts in per cent, 14 and 15 rates received and sent, Mbps.
const LINK: &[u32] = &[1, 3, 6, 1, 4, 1, 31926, 35, 1, 1, 3, 1, 1];
const LINK_RSSI: &[u32] = &[1, 3, 6, 1, 4, 1, 31926, 35, 1, 1, 3, 1, 1, 7];
/// 1: up.
const CONFIGURED_STATE: &[u32] = &[1, 3, 6, 1, 4, 1, 31926, 35, 1, 2, 3, 1, 1, 8];
/// ifHCInOctets and ifHCOutOctets (RFC 2863).
const HC_IN: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6];
const HC_OUT: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 10];
const LINK_COLUMNS: [u32; 8] = [7, 8, 9, 10, 11, 12, 14, 15];
const LINK_FIELDS: [&str; 6] =
    ["capacity_tx_mbps", "capacity_rx_mbps", "rsl_dbm", "snr_db", "mcs_tx_index", "mcs_rx_index"];

/// Its links: as configured, so that one that is down is still known, or else as they are.
fn links<'a>(scope: &Scope<'a>) -> &'a [Row] {
    match scope.rows.of(CONFIGURED) {
        [] => scope.rows.of(LINKS),
        configured => configured,
    }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids = Vec::new();
    for row in links(scope).iter().filter(|row| !scope.sector || scope.peers.contains(&tag(row, true))) {
        oids.push(Oid::of(CONFIGURED_STATE, &row.index));
        oids.extend(LINK_COLUMNS.map(|column| cell(LINK, column, &row.index)));
        oids.extend([HC_OUT, HC_IN].map(|column| Oid::of(column, &row.index)));
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let links = links(scope);
    let mut decoded = Decoded::default();
    if scope.sector {
        // A peer has no address here: it is ours where the inventory names the radio towards it.
        let ours: Vec<&Row> = links.iter().filter(|row| scope.peers.contains(&tag(row, true))).collect();
        decoded.radios.extend(ours.iter().map(|row| link(answers, row, true)));
        for peer in scope.peers.iter().filter(|peer| ours.iter().all(|row| tag(row, true) != **peer)) {
            decoded.radios.push(Radio { tag: peer.clone(), ..Radio::unmeasured(&LINK_FIELDS) });
        }
        decoded.radios.push(Radio::of_sector(ours.len(), links.len() - ours.len()));
    } else {
        decoded.radios.extend(links.iter().map(|row| link(answers, row, links.len() > 1)));
    }
    if decoded.radios.is_empty() {
        decoded.radios.push(Radio::new(ONLY_RADIO).down(&LINK_FIELDS));
    }
    if decoded.radios.iter().any(Radio::is_down) {
        decoded.stale.extend([LINKS, CONFIGURED]);
    }
    for radio in &mut decoded.radios {
        gate(&FAMILY, radio);
    }
    decoded
}

fn link(answers: &Answers, row: &Row, several: bool) -> Radio {
    let of = |column| cell(LINK, column, &row.index);
    let mut radio = Radio::new(tag(row, several));
    let state = answers.number(&Oid::of(CONFIGURED_STATE, &row.index));
    let gone = LINK_COLUMNS.iter().all(|column| answers.value(&of(*column)) == Err(Missing::NotOffered));
    match state {
        Ok(state) if state != 1.0 => return radio.down(&LINK_FIELDS),
        _ if gone => return radio.down(&LINK_FIELDS),
        Ok(_) | Err(Missing::NotOffered) => up(&mut radio),
        Err(why) => radio.set("link_up_flag", Reading::Missing(why)),
    }
    radio.set("capacity_tx_mbps", reported(answers, &of(15), 1.0));
    radio.set("capacity_rx_mbps", reported(answers, &of(14), 1.0));
    radio.set("rsl_dbm", answers.reading(&of(7), 1.0));
    radio.set("snr_db", answers.decimal(&of(8), 1.0));
    radio.set("packet_errors_rx_percent", answers.decimal(&of(11), 1.0));
    radio.set("packet_errors_tx_percent", answers.decimal(&of(12), 1.0));
    radio.set("mcs_rx_index", answers.reading(&of(9), 1.0));
    radio.set("mcs_tx_index", answers.reading(&of(10), 1.0));
    let octets = |column| answers.counter(&Oid::of(column, &row.index));
    radio.octets = Some(Octets { tx: octets(HC_OUT), rx: octets(HC_IN) });
    radio
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, packets, poll, poll_as, sector, without};
    use super::*;

    const MH: &str = "
        1.3.6.1.2.1.1.1.0 str MH-T265
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.31926.35
        1.3.6.1.2.1.1.3.0 ticks 100
        @mh = 1.3.6.1.4.1.31926.35.1.1.3.1.1
        @mh.7.105 int -62
        @mh.8.105 str 9.0
        @mh.9.105 gauge 11
        @mh.10.105 gauge 10
        @mh.11.105 str 7.8
        @mh.12.105 str 13.1
        @mh.14.105 gauge 3150
        @mh.15.105 gauge 2500
        @state = 1.3.6.1.4.1.31926.35.1.2.3.1.1.8
        @state.105 int 1
    ";

    #[tokio::test]
    async fn multihaul_in_the_normal_form() {
        let polled = poll(MH).await;
        assert_eq!(polled.identity.family.profile, "siklu-multihaul", "and not EtherHaul, whose arcs begin alike");
        assert_eq!(polled.radios[0].tag, "1");
        check(
            &polled.radios[0],
            &[
                "capacity_rx_mbps=3150 reported",
                "capacity_tx_mbps=2500 reported",
                "link_up_flag=1",
                "mcs_rx_index=11",
                "mcs_tx_index=10",
                "packet_errors_rx_percent=7.8",
                "packet_errors_tx_percent=13.1",
                "rsl_dbm=-62",
                "snr_db=9",
                "throughput_rx_mbps=(not offered)",
                "throughput_tx_mbps=(not offered)",
            ],
        );
    }

    #[tokio::test]
    async fn several_links_are_told_by_their_interfaces() {
        let two = format!("{MH}@state.106 int 2\n");
        let polled = poll(&two).await;
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["#105", "#106"]);
        assert!(polled.radios[1].is_down());
        let (polled, _) = poll_as(&two, sector(&["020000000001"])).await;
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["020000000001", "sector"]);
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::NotMeasured)));
        assert_eq!(polled.radios[1].reading("strangers_count"), Some(Reading::value(2.0)));
        // The inventory names the radio towards a peer: that one is read, the others are counted.
        let (polled, _) = poll_as(&two, sector(&["#105"])).await;
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["#105", "sector"]);
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps").and_then(Reading::get), Some(2500.0));
        assert_eq!(polled.radios[1].reading("strangers_count"), Some(Reading::value(1.0)));
    }

    #[tokio::test]
    async fn a_link_that_is_gone_is_down_and_nonsense_is_missing() {
        let none = poll(&without(&without(MH, "@mh."), "@state.")).await;
        assert!(none.radios[0].is_down());
        let polled = poll(&MH.replace("str 9.0", "str n/a").replace("gauge 2500", "gauge 0")).await;
        assert_eq!(polled.radios[0].reading("snr_db"), Some(Reading::Missing(Missing::Malformed)));
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::Sentinel)));
    }

    #[tokio::test]
    async fn a_poll_costs_two_packets_at_most() {
        let packets = packets(MH).await;
        assert!(packets <= 2, "{packets}");
    }
}
