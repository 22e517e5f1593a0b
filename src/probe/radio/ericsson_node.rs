//! Ericsson MINI-LINK TN and 6600 (1.3.6.1.4.1.193.81.3.4): an indoor node with several radios, and a view of their far
//! ends, which is left alone (their names begin with F).
//!
//! Names join what indices do not: the radio frequency part `1/3.1/1`, the interface `1/3/1` that says whether the
//! radio has its peer, and on 6600 the carrier `CT 1/3/1` that has the capacity, one for both directions. On TN nothing
//! says which radio a rate belongs to: none is read.

use std::collections::BTreeMap;

use super::{
    Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, Rows, SYS_DESCR, Scope, Table, gate, reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, Value, clean_text};

pub static FAMILY: Family = Family {
    profile: "ericsson-minilink-node",
    title: "Ericsson MINI-LINK TN, 6600",
    // The recordings are read right, but their only carriers are down: no capacity of a live one has been seen.
    checked: Checked::MibText,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 1344.0,
    capacity_max_source: "112 MHz, the widest channel below 57 GHz (ETSI EN 302 217-2), at 12 bits a symbol (4096QAM)",
    channel: None,
    capacity_from: "6600: the actual capacity of the carrier; TN: none is offered for a radio",
    object_ids: &[ObjectId::Is(&[1, 3, 6, 1, 4, 1, 193, 81, 1, 1, 3])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: PARTS_6600.table, column: PARTS_6600.rx, rows_max: RADIOS_MAX },
        Table { name: PARTS_TN.table, column: PARTS_TN.rx, rows_max: RADIOS_MAX },
        Table { name: CARRIERS, column: CARRIER_NAME, rows_max: RADIOS_MAX },
        Table { name: NAMES, column: IF_NAME, rows_max: 256 },
    ],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| Info { model: answers.text(&SYS_DESCR.into()).ok(), firmware: None },
    requests: |scope| links(scope.rows).iter().flat_map(Link::objects).collect(),
    decode,
};

const RADIOS_MAX: usize = 24;
const CARRIERS: &str = "carriers";
const NAMES: &str = "names";
/// Name of a carrier; its actual capacity (kbps) and SNR (tenths of a dB).
const CARRIER_NAME: &[u32] = &[1, 3, 6, 1, 4, 1, 193, 81, 3, 4, 5, 1, 3, 1, 1];
const CARRIER_CAPACITY: &[u32] = &[1, 3, 6, 1, 4, 1, 193, 81, 3, 4, 5, 1, 3, 1, 13];
const CARRIER_SNR: &[u32] = &[1, 3, 6, 1, 4, 1, 193, 81, 3, 4, 5, 1, 3, 1, 17];
/// kHz.
const TX_FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 193, 81, 3, 4, 3, 1, 2, 1, 1];
/// IF-MIB (RFC 2863).
const IF_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];
const IF_OPER_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 8];
/// By which it says that there is no level: nothing received (-99.9), nothing sent (-99, -100), no unit (255).
const NO_RX_DBM: [f64; 2] = [0.0, -99.9];
const NO_TX_DBM: [f64; 3] = [-99.0, -100.0, 255.0];
const LINK_FIELDS: [&str; 3] = ["capacity_tx_mbps", "capacity_rx_mbps", "snr_db"];

/// Where a line of products has the levels of its radio frequency parts: received in tenths of a dBm, sent in dBm.
struct Parts {
    table: &'static str,
    rx: &'static [u32],
    tx: &'static [u32],
}

const PARTS_6600: Parts = Parts {
    table: "parts of 6600",
    rx: &[1, 3, 6, 1, 4, 1, 193, 81, 3, 4, 3, 1, 8, 1, 7],
    tx: &[1, 3, 6, 1, 4, 1, 193, 81, 3, 4, 3, 1, 8, 1, 3],
};
const PARTS_TN: Parts = Parts {
    table: "parts of TN",
    rx: &[1, 3, 6, 1, 4, 1, 193, 81, 3, 4, 3, 1, 3, 1, 10],
    tx: &[1, 3, 6, 1, 4, 1, 193, 81, 3, 4, 3, 1, 3, 1, 1],
};

/// What belongs to one radio.
struct Link<'a> {
    name: String,
    parts: &'static Parts,
    part: &'a Row,
    interface: Option<&'a Row>,
    carrier: Option<&'a Row>,
}

fn text(row: &Row) -> Option<String> {
    match &row.value {
        Value::Bytes(bytes) => Some(clean_text(bytes)).filter(|t| !t.is_empty()),
        _ => None,
    }
}

/// `1/3.1/1` is the radio `1/3/1`; parts of a far end and names of another form are none.
fn radio_name(part: &str) -> Option<String> {
    let (slot, rest) = part.split_once('.')?;
    let (_, terminal) = rest.split_once('/')?;
    let near = slot.starts_with(|c: char| c.is_ascii_digit());
    near.then(|| format!("{slot}/{terminal}"))
}

fn links(rows: &Rows) -> Vec<Link<'_>> {
    let names: BTreeMap<&[u32], String> =
        rows.of(NAMES).iter().filter_map(|row| Some((row.index.as_slice(), text(row)?))).collect();
    let parts = [&PARTS_6600, &PARTS_TN].into_iter().flat_map(|p| rows.of(p.table).iter().map(move |row| (p, row)));
    let link = |(parts, part): (&'static Parts, _)| {
        let part: &Row = part;
        let name = radio_name(names.get(part.index.as_slice())?)?;
        let interface = rows.of(NAMES).iter().find(|row| text(row).as_ref() == Some(&name));
        let carrier = rows.of(CARRIERS).iter().find(|row| {
            let carrier = text(row);
            carrier.as_deref().and_then(|c| c.strip_prefix("CT ")) == Some(name.as_str())
        });
        Some(Link { name, parts, part, interface, carrier })
    };
    parts.filter_map(link).collect()
}

impl Link<'_> {
    fn objects(&self) -> Vec<Oid> {
        let part = [self.parts.rx, self.parts.tx, TX_FREQUENCY].map(|column| Oid::of(column, &self.part.index));
        let carrier = self.carrier.map(|row| [CARRIER_CAPACITY, CARRIER_SNR].map(|c| Oid::of(c, &row.index)));
        let interface = self.interface.map(|row| Oid::of(IF_OPER_STATUS, &row.index));
        part.into_iter().chain(carrier.into_iter().flatten()).chain(interface).collect()
    }

    fn radio(&self, answers: &Answers, tag: String) -> Radio {
        let part = |column: &[u32], scale| answers.reading(&Oid::of(column, &self.part.index), scale);
        let mut radio = Radio::new(tag);
        radio.set("rsl_dbm", unless(part(self.parts.rx, 0.1), &NO_RX_DBM));
        radio.set("tx_power_dbm", unless(part(self.parts.tx, 1.0), &NO_TX_DBM));
        radio.set("channel_mhz", unless(part(TX_FREQUENCY, 1e-3), &[0.0]));
        let status = match self.interface {
            Some(row) => answers.reading(&Oid::of(IF_OPER_STATUS, &row.index), 1.0),
            None => Reading::Missing(Missing::NotOffered),
        };
        if status.get().is_some_and(|status| status != 1.0) {
            return radio.down(if self.carrier.is_some() { &LINK_FIELDS } else { &[] });
        }
        radio.set("link_up_flag", status);
        if let Some(row) = self.carrier {
            let capacity = reported(answers, &Oid::of(CARRIER_CAPACITY, &row.index), 1e-3);
            radio.set("capacity_tx_mbps", capacity);
            radio.set("capacity_rx_mbps", capacity);
            radio.set("snr_db", answers.reading(&Oid::of(CARRIER_SNR, &row.index), 0.1));
        }
        radio
    }
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let links = links(scope.rows);
    let mut decoded = Decoded::default();
    for link in &links {
        let tag = if links.len() == 1 { ONLY_RADIO.to_owned() } else { link.name.clone() };
        let mut radio = link.radio(answers, tag);
        gate(&FAMILY, &mut radio);
        decoded.radios.push(radio);
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use super::*;

    const NODE: &str = "
        1.3.6.1.2.1.1.1.0 str MINI-LINK 6600
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.193.81.1.1.3
        @e = 1.3.6.1.4.1.193.81.3.4
        @e.3.1.2.1.1.1001 gauge 6078490
        @e.3.1.8.1.3.1001 int 27
        @e.3.1.8.1.7.1001 int -412
        @e.3.1.8.1.3.1900 int 26
        @e.3.1.8.1.7.1900 int -405
        @e.5.1.3.1.1.1 str FCT 1/3/1
        @e.5.1.3.1.1.2 str CT 1/3/1
        @e.5.1.3.1.13.1 int 250000
        @e.5.1.3.1.13.2 int 239963
        @e.5.1.3.1.17.2 int 361
        1.3.6.1.2.1.31.1.1.1.1.1001 str 1/3.1/1
        1.3.6.1.2.1.31.1.1.1.1.1002 str 1/3/1
        1.3.6.1.2.1.31.1.1.1.1.1900 str F1/3.1/1
        1.3.6.1.2.1.2.2.1.8.1002 int 1
    ";

    #[test]
    fn names_of_near_parts_are_those_of_radios() {
        for (part, expected) in [
            ("1/3.1/1", Some("1/3/1")),
            ("2/10.2/1", Some("2/10/1")),
            ("F1/3.1/1", None),
            ("1/3/1", None),
            ("1/3.1", None),
            ("", None),
        ] {
            assert_eq!(radio_name(part).as_deref(), expected, "{part}");
        }
    }

    #[tokio::test]
    async fn names_join_a_part_an_interface_and_a_carrier() {
        let polled = poll(NODE).await;
        assert_eq!(polled.identity.family.profile, "ericsson-minilink-node");
        let [radio] = &polled.radios[..] else { panic!("{:?}", polled.radios) };
        assert_eq!(radio.tag, "1");
        let expected = [
            "capacity_rx_mbps=239.963 reported",
            "capacity_tx_mbps=239.963 reported",
            "channel_mhz=6078.49",
            "link_up_flag=1",
            "rsl_dbm=-41.2",
            "snr_db=36.1",
            "tx_power_dbm=27",
        ];
        check(radio, &expected);
    }

    #[tokio::test]
    async fn without_its_peer_and_odd_answers() {
        // It goes on telling its lowest rate.
        let lost = NODE.replace("2.2.1.8.1002 int 1", "2.2.1.8.1002 int 2").replace("int 239963", "int 39963");
        let polled = poll(&lost.replace("int -412", "int -999").replace("7.1001 int 27", "7.1001 int -99")).await;
        let radio = &polled.radios[0];
        assert_eq!(radio.reading("link_up_flag"), Some(Reading::value(0.0)));
        assert_eq!(radio.reading("capacity_tx_mbps"), Some(missing("link down")));
        assert_eq!(radio.reading("rsl_dbm"), Some(missing("sentinel")));
        let polled = poll(&NODE.replace("int -412", "str -41").replace("int 239963", "int 0")).await;
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("malformed")));
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("sentinel")));
        // Names that are no texts join nothing.
        let polled = poll(&NODE.replace("str 1/3.1/1", "int 5")).await;
        assert!(polled.radios.is_empty());
    }

    #[tokio::test]
    async fn on_tn_there_are_levels() {
        let tn = NODE.replace("@e.3.1.8.1.3.", "@e.3.1.3.1.1.").replace("@e.3.1.8.1.7.", "@e.3.1.3.1.10.");
        let tn: String = tn.lines().filter(|l| !l.contains("@e.5.1")).collect::<Vec<_>>().join("\n");
        let polled = poll(&tn).await;
        check(&polled.radios[0], &["channel_mhz=6078.49", "link_up_flag=1", "rsl_dbm=-41.2", "tx_power_dbm=27"]);
    }
}
