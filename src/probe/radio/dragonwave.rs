//! DragonWave Horizon Compact, Compact+, Duo and Quantum, and Harmony Enhanced (1.3.6.1.4.1.7262). Levels are in
//! tenths; -99 dBm is a receiver that hears nothing.
//!
//! Only of Quantum the rates are read: its MIB has ten thousandths of a Mbps. What those of Duo and Compact+ count has
//! not been seen. Where a device has several modems nothing says
//! whether they share one link: each is a radio by its number.

use super::{
    Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, Rows, SYS_DESCR, Scope, Table, gate, reported, unless,
};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "dragonwave",
    title: "DragonWave Horizon Compact, Compact+, Duo, Quantum, Harmony Enhanced",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 1344.0,
    capacity_max_source: "112 MHz, the widest channel below 57 GHz (ETSI EN 302 217-2), at 12 bits a symbol (4096QAM)",
    channel: None,
    capacity_from: "the rates of the modem on Horizon Quantum; none is offered on the others",
    object_ids: &[
        ObjectId::Is(&[1, 3, 6, 1, 4, 1, 7262, 2, 2]),
        ObjectId::Is(&[1, 3, 6, 1, 4, 1, 7262, 2, 3]),
        ObjectId::Is(&[1, 3, 6, 1, 4, 1, 7262, 2, 4]),
        ObjectId::Is(&[1, 3, 6, 1, 4, 1, 7262, 2, 5]),
        ObjectId::Under(&[1, 3, 6, 1, 4, 1, 7262, 4]),
    ],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: QUANTUM.table, column: &[1, 3, 6, 1, 4, 1, 7262, 2, 4, 5, 2, 1, 1, 3], rows_max: 4 },
        Table { name: HARMONY.table, column: &[1, 3, 6, 1, 4, 1, 7262, 4, 5, 12, 203, 1, 1, 5], rows_max: 4 },
        Table { name: COMPACT.table, column: &[1, 3, 6, 1, 4, 1, 7262, 2, 2, 5, 1, 2, 4], rows_max: 1 },
        Table { name: DUO.table, column: &[1, 3, 6, 1, 4, 1, 7262, 2, 3, 5, 2, 2, 1, 4], rows_max: 4 },
        Table { name: COMPACT_PLUS.table, column: &[1, 3, 6, 1, 4, 1, 7262, 2, 5, 4, 2, 1, 1, 3], rows_max: 4 },
    ],
    info: |_| vec![MODEL.into(), FIRMWARE.into(), SYS_DESCR.into()],
    decode_info: |answers, _| Info {
        model: answers.text(&MODEL.into()).or_else(|_| answers.text(&SYS_DESCR.into())).ok(),
        firmware: answers.text(&FIRMWARE.into()).ok(),
    },
    requests: |scope| modems(scope.rows).flat_map(|(kind, row)| kind.objects(row)).collect(),
    decode,
};

/// Of Quantum.
const MODEL: &[u32] = &[1, 3, 6, 1, 4, 1, 7262, 2, 4, 1, 5, 1, 3, 0];
const FIRMWARE: &[u32] = &[1, 3, 6, 1, 4, 1, 7262, 2, 4, 1, 5, 2, 1, 0];
const ABSENT_DBM: f64 = -99.0;
const LINK_FIELDS: [&str; 3] = ["capacity_tx_mbps", "capacity_rx_mbps", "snr_db"];

/// Where a line of products has its objects.
struct Kind {
    table: &'static str,
    rsl: &'static [u32],
    snr: &'static [u32],
    tx_power: &'static [u32],
    /// Receive and transmit.
    rates: Option<[&'static [u32]; 2]>,
}

const QUANTUM: Kind = Kind {
    table: "quantum",
    rsl: &[1, 3, 6, 1, 4, 1, 7262, 2, 4, 5, 2, 1, 1, 3],
    snr: &[1, 3, 6, 1, 4, 1, 7262, 2, 4, 5, 2, 1, 1, 8],
    tx_power: &[1, 3, 6, 1, 4, 1, 7262, 2, 4, 5, 4, 1, 1, 19],
    rates: Some([&[1, 3, 6, 1, 4, 1, 7262, 2, 4, 5, 2, 1, 1, 6], &[1, 3, 6, 1, 4, 1, 7262, 2, 4, 5, 2, 1, 1, 7]]),
};
const HARMONY: Kind = Kind {
    table: "harmony",
    rsl: &[1, 3, 6, 1, 4, 1, 7262, 4, 5, 12, 203, 1, 1, 5],
    snr: &[1, 3, 6, 1, 4, 1, 7262, 4, 5, 12, 203, 1, 1, 7],
    tx_power: &[1, 3, 6, 1, 4, 1, 7262, 4, 5, 12, 203, 1, 1, 9],
    rates: None,
};
const COMPACT: Kind = Kind {
    table: "compact",
    rsl: &[1, 3, 6, 1, 4, 1, 7262, 2, 2, 5, 1, 2, 4],
    snr: &[1, 3, 6, 1, 4, 1, 7262, 2, 2, 5, 1, 2, 8],
    tx_power: &[1, 3, 6, 1, 4, 1, 7262, 2, 2, 5, 1, 3, 2],
    rates: None,
};
/// hzIduModemTable and the table of its radios.
const DUO: Kind = Kind {
    table: "duo",
    rsl: &[1, 3, 6, 1, 4, 1, 7262, 2, 3, 5, 2, 2, 1, 4],
    snr: &[1, 3, 6, 1, 4, 1, 7262, 2, 3, 5, 2, 2, 1, 9],
    tx_power: &[1, 3, 6, 1, 4, 1, 7262, 2, 3, 5, 4, 1, 1, 10],
    rates: None,
};
const COMPACT_PLUS: Kind = Kind {
    table: "compact plus",
    rsl: &[1, 3, 6, 1, 4, 1, 7262, 2, 5, 4, 2, 1, 1, 3],
    snr: &[1, 3, 6, 1, 4, 1, 7262, 2, 5, 4, 2, 1, 1, 8],
    tx_power: &[1, 3, 6, 1, 4, 1, 7262, 2, 5, 4, 4, 1, 1, 7],
    rates: None,
};

impl Kind {
    fn objects(&self, row: &Row) -> Vec<Oid> {
        let columns = [self.rsl, self.snr, self.tx_power].into_iter().chain(self.rates.into_iter().flatten());
        columns.map(|column| Oid::of(column, &row.index)).collect()
    }
}

fn modems(rows: &Rows) -> impl Iterator<Item = (&'static Kind, &Row)> {
    let kinds = [&QUANTUM, &HARMONY, &COMPACT, &DUO, &COMPACT_PLUS];
    kinds.into_iter().flat_map(|kind| rows.of(kind.table).iter().map(move |row| (kind, row)))
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let several = modems(scope.rows).count() > 1;
    let tag = |row: &Row| match row.index.last() {
        Some(number) if several => format!("modem{number}"),
        _ => ONLY_RADIO.to_owned(),
    };
    let mut decoded = Decoded::default();
    for (kind, row) in modems(scope.rows) {
        let mut radio = radio(answers, kind, row, tag(row));
        gate(&FAMILY, &mut radio);
        decoded.radios.push(radio);
    }
    decoded
}

fn radio(answers: &Answers, kind: &Kind, row: &Row, tag: String) -> Radio {
    let read = |column: &[u32], scale| answers.reading(&Oid::of(column, &row.index), scale);
    let mut radio = Radio::new(tag);
    let rsl = unless(read(kind.rsl, 0.1), &[0.0, ABSENT_DBM]);
    radio.set("rsl_dbm", rsl);
    radio.set("tx_power_dbm", unless(read(kind.tx_power, 0.1), &[ABSENT_DBM]));
    if rsl == Reading::Missing(Missing::Sentinel) {
        return radio.down(if kind.rates.is_some() { &LINK_FIELDS } else { &["snr_db"] });
    }
    // No object says that the modems have found one another: a rate does.
    radio.set("link_up_flag", Reading::Missing(Missing::NotOffered));
    radio.set("snr_db", unless(read(kind.snr, 0.1), &[ABSENT_DBM]));
    if let Some([rx, tx]) = kind.rates {
        for (field, column) in [("capacity_rx_mbps", rx), ("capacity_tx_mbps", tx)] {
            radio.set(field, reported(answers, &Oid::of(column, &row.index), 1e-4));
        }
        if [rx, tx].iter().any(|column| read(column, 1.0).get().is_some_and(|rate| rate > 0.0)) {
            radio.set("link_up_flag", Reading::value(1.0));
        }
    }
    radio
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use super::*;

    const QUANTUM: &str = "
        1.3.6.1.2.1.1.1.0 str hx50_364_256qam Omni: 1.3.8
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.7262.2.4
        @q = 1.3.6.1.4.1.7262.2.4
        @q.1.5.1.3.0 str 60-000000-02
        @q.1.5.2.1.0 str 1.3.8
        @q.5.2.1.1.3.1 int -412
        @q.5.2.1.1.6.1 int 3640000
        @q.5.2.1.1.7.1 int 3012500
        @q.5.2.1.1.8.1 int 337
        @q.5.4.1.1.19.1 int 190
    ";

    #[tokio::test]
    async fn a_quantum_in_the_normal_form() {
        let polled = poll(QUANTUM).await;
        assert_eq!(polled.identity.family.profile, "dragonwave");
        let info = Info { model: Some("60-000000-02".into()), firmware: Some("1.3.8".into()) };
        assert_eq!(polled.identity.info, info);
        assert_eq!(polled.radios[0].tag, "1");
        let expected = [
            "capacity_rx_mbps=364 reported",
            "capacity_tx_mbps=301.25 reported",
            "link_up_flag=1",
            "rsl_dbm=-41.2",
            "snr_db=33.7",
            "tx_power_dbm=19",
        ];
        check(&polled.radios[0], &expected);
    }

    #[tokio::test]
    async fn two_modems_are_two_radios_and_one_may_hear_nothing() {
        let both = format!("{QUANTUM}@q.5.2.1.1.3.2 int -990\n@q.5.2.1.1.6.2 int 0\n");
        let polled = poll(&both).await;
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["modem1", "modem2"]);
        assert_eq!(polled.radios[1].reading("rsl_dbm"), Some(missing("sentinel")));
        assert_eq!(polled.radios[1].reading("link_up_flag"), Some(Reading::value(0.0)));
        assert_eq!(polled.radios[1].reading("capacity_rx_mbps"), Some(missing("link down")));
    }

    #[tokio::test]
    async fn a_harmony_and_a_compact_have_levels() {
        let harmony = "
            1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.7262.4.5
            1.3.6.1.4.1.7262.4.5.12.203.1.1.5.1 int -388
            1.3.6.1.4.1.7262.4.5.12.203.1.1.7.1 int 362
            1.3.6.1.4.1.7262.4.5.12.203.1.1.9.1 int 210
        ";
        let polled = poll(harmony).await;
        check(&polled.radios[0], &["link_up_flag=(not offered)", "rsl_dbm=-38.8", "snr_db=36.2", "tx_power_dbm=21"]);
        let compact = "
            1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.7262.2.2
            1.3.6.1.4.1.7262.2.2.5.1.2.4.0 int -455
            1.3.6.1.4.1.7262.2.2.5.1.2.8.0 str 36.2
        ";
        let polled = poll(compact).await;
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(Reading::value(-45.5)));
        assert_eq!(polled.radios[0].reading("snr_db"), Some(missing("malformed")));
        assert_eq!(polled.radios[0].reading("tx_power_dbm"), Some(missing("not offered")));
    }
}
