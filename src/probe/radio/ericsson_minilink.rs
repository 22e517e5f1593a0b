//! Ericsson MINI-LINK 6352, 80 GHz (1.3.6.1.4.1.193.223.2.7.1.1): one row a radio, levels as texts with decimals.
//!
//! What it can send is told, what it can receive is not: the other end tells that. The indoor MINI-LINK TN and 6600
//! have another MIB and are not of this family.

use super::{
    Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, SYS_DESCR, Scope, Table, gate, reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "ericsson-minilink",
    title: "Ericsson MINI-LINK 6352",
    checked: Checked::MibText,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 16_000.0,
    capacity_max_source: "2000 MHz, the widest channel at 71 to 86 GHz (ETSI EN 302 217-2), at 8 bits a symbol (256QAM)",
    channel: None,
    capacity_from: "the transmit capacity of the radio, column 46; the other direction is told by the other end",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 193, 223, 2, 1])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[Table { name: RADIOS, column: RSL, rows_max: 4 }],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| Info { model: answers.text(&SYS_DESCR.into()).ok(), firmware: None },
    requests: |scope| {
        let cells = |row: &Row| COLUMNS.map(|column| cell(column, row));
        scope.rows.of(RADIOS).iter().flat_map(cells).collect()
    },
    decode,
};

const RADIOS: &str = "radios";
const ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 193, 223, 2, 7, 1, 1];
const RSL: &[u32] = &[1, 3, 6, 1, 4, 1, 193, 223, 2, 7, 1, 1, 1];
/// Received level and transmit power (dBm), transmit frequency (kHz), SNIR (dB), transmit capacity (kbps).
const COLUMNS: [u32; 5] = [1, 2, 10, 43, 46];

fn cell(column: u32, row: &Row) -> Oid {
    Oid::of(&[ENTRY, &[column]].concat(), &row.index)
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let rows = scope.rows.of(RADIOS);
    let mut decoded = Decoded::default();
    for row in rows {
        let tag = if rows.len() == 1 { ONLY_RADIO.to_owned() } else { Oid::from(row.index.as_slice()).to_string() };
        let mut radio = Radio::new(tag);
        // No object that is known says whether there is a link.
        radio.set("link_up_flag", Reading::Missing(Missing::NotOffered));
        radio.set("rsl_dbm", unless(answers.decimal(&cell(1, row), 1.0), &[0.0, -99.0, -99.9]));
        radio.set("tx_power_dbm", unless(answers.decimal(&cell(2, row), 1.0), &[-99.0, -100.0]));
        radio.set("channel_mhz", unless(answers.reading(&cell(10, row), 1e-3), &[0.0]));
        radio.set("cinr_db", answers.decimal(&cell(43, row), 1.0));
        radio.set("capacity_tx_mbps", reported(answers, &cell(46, row), 1e-3));
        gate(&FAMILY, &mut radio);
        decoded.radios.push(radio);
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use super::*;

    const MINILINK: &str = "
        1.3.6.1.2.1.1.1.0 str MINI-LINK 6352
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.193.223.2.1
        @m = 1.3.6.1.4.1.193.223.2.7.1.1
        @m.1.110101 str -40.5
        @m.2.110101 str 9.0
        @m.10.110101 int 72125000
        @m.13.110101 int 82125000
        @m.43.110101 str 36.7
        @m.46.110101 int 2000000
    ";

    #[tokio::test]
    async fn a_6352_in_the_normal_form() {
        let polled = poll(MINILINK).await;
        assert_eq!(polled.identity.family.profile, "ericsson-minilink");
        let expected = [
            "capacity_tx_mbps=2000 reported",
            "channel_mhz=72125",
            "cinr_db=36.7",
            "link_up_flag=(not offered)",
            "rsl_dbm=-40.5",
            "tx_power_dbm=9",
        ];
        check(&polled.radios[0], &expected);
    }

    #[tokio::test]
    async fn odd_answers() {
        let polled = poll(&MINILINK.replace("str -40.5", "str -99.9").replace("int 2000000", "int 0")).await;
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("sentinel")));
        assert_eq!(polled.radios[0].reading("capacity_tx_mbps"), Some(missing("sentinel")));
        let polled = poll(&MINILINK.replace("str -40.5", "hex 2d34302e3500ff").replace("str 36.7", "str n/a")).await;
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::value(-40.5)));
        assert_eq!(polled.radios[0].reading("cinr_db"), Some(missing("malformed")));
    }
}
