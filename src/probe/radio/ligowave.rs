//! LigoWave LigoDLB and LigoPTP (1.3.6.1.4.1.32750.3.10.1) and the older Deliberant (1.3.6.1.4.1.32761.3.5.1), which
//! have one shape.
//!
//! One bitrate is told, that of what is sent; capacity is derived from it. The peers have levels only.

use super::carriers::{cell, first, up};
use super::{
    Channel, Checked, Decoded, Descr, Family, Info, ONLY_RADIO, Peers, Radio, Rows, SYS_DESCR, Scope, Selection,
    Station, Table, derived, gate, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::value::{Answers, Oid, mac_of_arcs};

pub static FAMILY: Family = Family {
    profile: "ligowave",
    title: "LigoWave LigoDLB / LigoPTP, Deliberant",
    checked: Checked::Recording,
    duplex: Duplex::Shared,
    capacity_min_mbps: 0.1,
    // 866.7 and rounding.
    capacity_max_mbps: 870.0,
    capacity_max_source: "two streams at 80 MHz, MCS 9, short guard interval: 866.7 Mbps (IEEE 802.11ac)",
    channel: Some(Channel {
        bits_max: 8.0,
        streams_max: 4.0,
        source: "256QAM of IEEE 802.11ac, two streams in each of two channels",
    }),
    capacity_from: "the bitrate of what it sends, kbps, times 0.5; of what it receives the device says nothing",
    object_ids: &[],
    shared_object_ids: &[],
    descrs: &[Descr::Begins("LigoDLB"), Descr::Begins("LigoPTP"), Descr::Begins("Deliberant")],
    asks: &[],
    tables: &[
        Table { name: LIGO, column: LIGO_RADIOS, rows_max: 4 },
        Table { name: DELIBERANT, column: DELIBERANT_RADIOS, rows_max: 4 },
        Table { name: LIGO_PEERS, column: LIGO_PEER_SIGNAL, rows_max: 128 },
        Table { name: DELIBERANT_PEERS, column: DELIBERANT_PEER_SIGNAL, rows_max: 128 },
    ],
    info: |_| vec![SYS_DESCR.into()],
    decode_info,
    requests,
    decode,
};

/// Part of the modulation rate that a link carries with all the air time. An engineering figure of this project: the
/// polling of iPoll with the modulations of IEEE 802.11 carries half of its rate in our reckoning.
const FACTOR: f64 = 0.5;

const LIGO: &str = "LigoWave radios";
const DELIBERANT: &str = "Deliberant radios";
const LIGO_PEERS: &str = "LigoWave peers";
const DELIBERANT_PEERS: &str = "Deliberant peers";
/// 6 channel (7 on Deliberant) and 8 width in MHz, 10 transmit power in dBm, 11 bitrate in kbps, 12 link quality of 13
/// at most, 14 signal and 15 noise in dBm, 16 nodes associated. Index: the radio's number.
const LIGO_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 32750, 3, 10, 1, 2, 1, 1];
const LIGO_RADIOS: &[u32] = &[1, 3, 6, 1, 4, 1, 32750, 3, 10, 1, 2, 1, 1, 14];
const DELIBERANT_ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 32761, 3, 5, 1, 2, 1, 1];
const DELIBERANT_RADIOS: &[u32] = &[1, 3, 6, 1, 4, 1, 32761, 3, 5, 1, 2, 1, 1, 14];
/// 5 signal and 6 noise in dBm. Index: the radio's number and the peer's MAC address.
const LIGO_PEER: &[u32] = &[1, 3, 6, 1, 4, 1, 32750, 3, 10, 1, 3, 2, 1];
const LIGO_PEER_SIGNAL: &[u32] = &[1, 3, 6, 1, 4, 1, 32750, 3, 10, 1, 3, 2, 1, 5];
const DELIBERANT_PEER: &[u32] = &[1, 3, 6, 1, 4, 1, 32761, 3, 5, 1, 3, 2, 1];
const DELIBERANT_PEER_SIGNAL: &[u32] = &[1, 3, 6, 1, 4, 1, 32761, 3, 5, 1, 3, 2, 1, 5];
const COLUMNS: [u32; 10] = [6, 7, 8, 10, 11, 12, 13, 14, 15, 16];
const LINK_FIELDS: [&str; 4] = ["capacity_tx_mbps", "phy_tx_mbps", "rsl_dbm", "signal_quality_percent"];

/// One of the two trees, and which column has the channel.
struct Tree<'a> {
    radios: &'static str,
    entry: &'static [u32],
    peer: &'static [u32],
    channel: u32,
    table: &'static str,
    peers: Peers<'a>,
}

fn tree(rows: &Rows) -> Tree<'_> {
    let mac: fn(&crate::probe::snmp::Row) -> Option<String> = |row| mac_of_arcs(row.index.get(1..7)?);
    if rows.of(DELIBERANT).is_empty() {
        let peers = Peers { rows: rows.of(LIGO_PEERS), tables: &[LIGO_PEERS], link_fields: &LINK_FIELDS, mac };
        return Tree { radios: LIGO, entry: LIGO_ENTRY, peer: LIGO_PEER, channel: 6, table: LIGO_PEERS, peers };
    }
    let peers = Peers { rows: rows.of(DELIBERANT_PEERS), tables: &[DELIBERANT_PEERS], link_fields: &LINK_FIELDS, mac };
    Tree {
        radios: DELIBERANT,
        entry: DELIBERANT_ENTRY,
        peer: DELIBERANT_PEER,
        channel: 7,
        table: DELIBERANT_PEERS,
        peers,
    }
}

/// `LigoDLB 5-15ac v7.69.87740`.
fn decode_info(answers: &Answers, _: &Rows) -> Info {
    let Ok(text) = answers.text(&SYS_DESCR.into()) else { return Info::default() };
    let version = |word: &str| word.strip_prefix('v').is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()));
    match text.rsplit_once(' ').filter(|(_, last)| version(last)) {
        Some((model, firmware)) => Info { model: Some(model.to_owned()), firmware: Some(firmware.to_owned()) },
        None => Info { model: Some(text), firmware: None },
    }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let tree = tree(scope.rows);
    let mut oids = Vec::new();
    if let Some(row) = scope.rows.of(tree.radios).first() {
        oids.extend(COLUMNS.map(|column| cell(tree.entry, column, &row.index)));
    }
    for station in tree.peers.select(scope).chosen() {
        oids.extend([5, 6].map(|column| cell(tree.peer, column, &station.row.index)));
    }
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let tree = tree(scope.rows);
    let Some(row) = scope.rows.of(tree.radios).first() else {
        return Decoded { suspect: vec![LIGO, DELIBERANT], ..Decoded::default() };
    };
    let of = |column| cell(tree.entry, column, &row.index);
    let nodes = answers.number(&of(16));
    let selection = tree.peers.select(scope);
    let alone = matches!(selection, Selection::Nobody | Selection::One(_));
    let mut decoded = match (&selection, nodes) {
        (Selection::Nobody, _) | (Selection::One(_), Ok(0.0)) if !scope.sector => {
            let station = selection.chosen().first();
            Decoded { radios: vec![link(answers, scope, &tree, station, &of)], ..Decoded::default() }
        }
        _ => tree.peers.decode(scope, |station| peer(answers, scope, &tree, station, alone.then_some(&of))),
    };
    for radio in &mut decoded.radios {
        radio.set("channel_mhz", unless(answers.reading(&of(tree.channel), 1.0), &[0.0]));
        radio.set("channel_width_mhz", unless(answers.reading(&of(8), 1.0), &[0.0]));
        radio.set("tx_power_dbm", answers.reading(&of(10), 1.0));
        gate(&FAMILY, radio);
    }
    if nodes.is_ok_and(|n| n != scope.rows.of(tree.table).len() as f64) {
        decoded.suspect.push(tree.table);
    }
    decoded
}

/// The link as the radio's own row tells it.
fn link(
    answers: &Answers,
    scope: &Scope<'_>,
    tree: &Tree<'_>,
    station: Option<&Station<'_>>,
    of: &impl Fn(u32) -> Oid,
) -> Radio {
    let mut radio = station.map_or_else(|| Radio::new(ONLY_RADIO), |station| Radio::towards(station, scope));
    match answers.number(&of(16)) {
        Ok(0.0) => return radio.down(&LINK_FIELDS),
        Ok(1.0) => up(&mut radio),
        // With several peers these figures are of none of them.
        Ok(n) if n > 1.0 => {
            let mut radio = Radio::unmeasured(&LINK_FIELDS);
            up(&mut radio);
            radio.set("peers_count", Reading::value(n));
            return radio;
        }
        Ok(_) => radio.set("link_up_flag", Reading::Missing(Missing::Malformed)),
        Err(why) => radio.set("link_up_flag", Reading::Missing(why)),
    }
    let level = |oid: &Oid| unless(answers.reading(oid, 1.0), &[0.0]);
    let of_peer = |column| station.map(|s| level(&cell(tree.peer, column, &s.row.index)));
    radio.set("rsl_dbm", first([of_peer(5), Some(level(&of(14)))].into_iter().flatten()));
    radio.set("noise_floor_dbm", first([of_peer(6), Some(level(&of(15)))].into_iter().flatten()));
    let rate = unless(answers.reading(&of(11), 1e-3), &[0.0]);
    radio.set("phy_tx_mbps", rate);
    radio.set("capacity_tx_mbps", derived(rate, FACTOR));
    // Not a percentage: so much of the most that it can be.
    let quality = match answers.reading(&of(13), 1.0).get() {
        Some(most) if most > 0.0 => answers.reading(&of(12), 100.0 / most),
        _ => Reading::Missing(Missing::NotOffered),
    };
    radio.set("signal_quality_percent", quality);
    radio
}

/// A peer by its row; `own`: the radio's row is of this peer too, for there is no other.
fn peer(
    answers: &Answers,
    scope: &Scope<'_>,
    tree: &Tree<'_>,
    station: &Station<'_>,
    own: Option<&impl Fn(u32) -> Oid>,
) -> Option<Radio> {
    let of_peer = |column| cell(tree.peer, column, &station.row.index);
    if [5, 6].iter().all(|column| answers.value(&of_peer(*column)) == Err(Missing::NotOffered)) {
        return None;
    }
    if let Some(of) = own.filter(|_| !scope.sector) {
        return Some(link(answers, scope, tree, Some(station), of));
    }
    let mut radio = Radio::towards(station, scope);
    up(&mut radio);
    radio.set("rsl_dbm", unless(answers.reading(&of_peer(5), 1.0), &[0.0]));
    radio.set("noise_floor_dbm", unless(answers.reading(&of_peer(6), 1.0), &[0.0]));
    Some(radio)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, packets, poll, poll_as, sector};
    use super::*;

    const LIGO_AC: &str = "
        1.3.6.1.2.1.1.1.0 str LigoDLB 5-20ac v7.70.12345
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.32750
        1.3.6.1.2.1.1.3.0 ticks 100
        @l = 1.3.6.1.4.1.32750.3.10.1
        @l.2.1.1.6.7 int 5540
        @l.2.1.1.8.7 int 40
        @l.2.1.1.10.7 gauge 22
        @l.2.1.1.11.7 gauge 300000
        @l.2.1.1.12.7 gauge 49
        @l.2.1.1.13.7 gauge 98
        @l.2.1.1.14.7 int -57
        @l.2.1.1.15.7 int -97
        @l.2.1.1.16.7 gauge 1
    ";
    const PEER: &str = "
        @l.3.2.1.5.7.2.0.0.0.0.9 int -58
        @l.3.2.1.6.7.2.0.0.0.0.9 int -96
    ";

    #[tokio::test]
    async fn ligodlb_in_the_normal_form() {
        let polled = poll(LIGO_AC).await;
        assert_eq!(polled.identity.family.profile, "ligowave");
        assert_eq!(
            polled.identity.info,
            Info { model: Some("LigoDLB 5-20ac".into()), firmware: Some("v7.70.12345".into()) }
        );
        check(
            &polled.radios[0],
            &[
                "capacity_tx_mbps=150 derived",
                "channel_mhz=5540",
                "channel_width_mhz=40",
                "link_up_flag=1",
                "noise_floor_dbm=-97",
                "phy_tx_mbps=300",
                "rsl_dbm=-57",
                "signal_quality_percent=50",
                "tx_power_dbm=22",
            ],
        );
        let polled = poll(&format!("{LIGO_AC}{PEER}")).await;
        assert_eq!(polled.radios[0].peer.as_deref(), Some("020000000009"));
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::value(-58.0)));
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(150.0));
    }

    #[tokio::test]
    async fn deliberant_has_the_same_shape_elsewhere() {
        let old = LIGO_AC.replace("LigoDLB 5-20ac v7.70.12345", "Deliberant").replace("32750.3.10.1", "32761.3.5.1");
        let polled = poll(&old.replace("@l.2.1.1.6.7", "@l.2.1.1.7.7")).await;
        assert_eq!(polled.identity.family.profile, "ligowave");
        assert_eq!(polled.radios[0].reading("channel_mhz"), Some(Reading::value(5540.0)));
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::value(-57.0)));
        for descr in ["LigoPTP", "LigoDLB", "Deliberant"] {
            let polled = poll(&format!("1.3.6.1.2.1.1.1.0 str {descr}\n")).await;
            assert_eq!(polled.identity.family.profile, "ligowave");
            assert!(polled.radios.is_empty());
        }
    }

    #[tokio::test]
    async fn nobody_associated_is_down_and_several_are_no_link() {
        let none = poll(&LIGO_AC.replace("16.7 gauge 1", "16.7 gauge 0")).await;
        assert!(none.radios[0].is_down());
        assert_eq!(none.radios[0].reading("rsl_dbm"), Some(Reading::Missing(Missing::LinkDown)));
        let many = poll(&LIGO_AC.replace("16.7 gauge 1", "16.7 gauge 9")).await;
        assert_eq!(many.radios[0].reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::NotMeasured)));
        let (polled, _) = poll_as(&format!("{LIGO_AC}{PEER}"), sector(&["020000000009", "02000000000a"])).await;
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["020000000009", "02000000000a", "sector"]);
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::value(-58.0)));
        assert!(polled.radios[1].is_down());
    }

    #[tokio::test]
    async fn nonsense_is_missing() {
        let nonsense = LIGO_AC.replace("gauge 300000", "str 300 Mbit/s").replace("int -57", "gauge 4294967239");
        let radio = &poll(&nonsense.replace("13.7 gauge 98", "13.7 gauge 0")).await.radios[0];
        assert_eq!(radio.reading("capacity_tx_mbps"), Some(Reading::Missing(Missing::Malformed)));
        assert_eq!(radio.reading("rsl_dbm"), Some(Reading::Missing(Missing::Implausible)));
        assert_eq!(radio.reading("signal_quality_percent"), Some(Reading::Missing(Missing::NotOffered)));
    }

    #[tokio::test]
    async fn a_poll_costs_two_packets_at_most() {
        let packets = packets(LIGO_AC).await;
        assert!(packets <= 2, "{packets}");
    }
}
