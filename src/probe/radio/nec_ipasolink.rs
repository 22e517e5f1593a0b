//! NEC iPASOLINK (1.3.6.1.4.1.119.2.3.69.501): metering as texts, each behind a column that says whether it is valid.
//! The index is a bit map of the slot. No capacity that a MIB defines is offered.

use super::supply::note;
use super::{Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, SYS_DESCR, Scope, Table, gate};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "nec-ipasolink",
    title: "NEC iPASOLINK",
    checked: Checked::MibText,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 1344.0,
    capacity_max_source: "no capacity is read from this family",
    channel: None,
    capacity_from: "none is offered",
    object_ids: &[
        ObjectId::Under(&[1, 3, 6, 1, 4, 1, 119, 2, 3, 69, 501]),
        ObjectId::Under(&[1, 3, 6, 1, 4, 1, 119, 2, 3, 69, 502]),
    ],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[Table { name: METERS, column: RX_LEVEL, rows_max: 8 }],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| Info { model: answers.text(&SYS_DESCR.into()).ok(), firmware: None },
    requests: |scope| scope.rows.of(METERS).iter().flat_map(objects).collect(),
    decode,
};

const METERS: &str = "meters";
const METER: &[u32] = &[1, 3, 6, 1, 4, 1, 119, 2, 3, 69, 501, 8, 1, 1];
const RX_LEVEL: &[u32] = &[1, 3, 6, 1, 4, 1, 119, 2, 3, 69, 501, 8, 1, 1, 6];
/// Modulation of what it sends.
const TX_MODULATION: &[u32] = &[1, 3, 6, 1, 4, 1, 119, 2, 3, 69, 501, 3, 2, 1, 1, 13];
/// Columns of the metering table: field, text; the status is one before: 0 invalid, 1 valid.
const TX_POWER: u32 = 4;
const RSL: u32 = 6;
const POWER: [(&str, u32); 2] = [("supply_volts", 8), ("temperature_celsius", 10)];
/// From 1 on.
const MODULATIONS: [&str; 9] = ["QPSK", "16QAM", "32QAM", "64QAM", "128QAM", "256QAM", "512QAM", "1024QAM", "2048QAM"];

fn cell(column: u32, row: &Row) -> Oid {
    Oid::of(&[METER, &[column]].concat(), &row.index)
}

fn objects(row: &Row) -> Vec<Oid> {
    let columns = [TX_POWER, RSL].into_iter().chain(POWER.iter().map(|(_, column)| *column));
    let mut oids: Vec<Oid> = columns.flat_map(|column| [cell(column - 1, row), cell(column, row)]).collect();
    oids.push(Oid::of(TX_MODULATION, &row.index));
    oids
}

fn meter(answers: &Answers, column: u32, row: &Row) -> Reading {
    match answers.number(&cell(column - 1, row)) {
        Ok(0.0) => Reading::Missing(Missing::Sentinel),
        _ => answers.decimal(&cell(column, row), 1.0),
    }
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let rows = scope.rows.of(METERS);
    let mut decoded = Decoded::default();
    for row in rows {
        let tag = if rows.len() == 1 { ONLY_RADIO.to_owned() } else { Oid::from(row.index.as_slice()).to_string() };
        let mut radio = Radio::new(tag);
        radio.set("link_up_flag", Reading::Missing(Missing::NotOffered));
        radio.set("tx_power_dbm", meter(answers, TX_POWER, row));
        radio.set("rsl_dbm", meter(answers, RSL, row));
        let modulation = answers.number(&Oid::of(TX_MODULATION, &row.index)).ok();
        let named = modulation.and_then(|n| (1..=MODULATIONS.len()).find(|i| *i as f64 == n));
        radio.modulation = named.map(|n| MODULATIONS[n - 1].to_owned());
        gate(&FAMILY, &mut radio);
        decoded.radios.push(radio);
    }
    // The outdoor unit of the first radio: the others are fed from the same supply.
    if let Some(row) = rows.first() {
        for (field, column) in POWER {
            note(&mut decoded.power, field, meter(answers, column, row));
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use super::*;

    const PASOLINK: &str = "
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.119.2.3.69.501
        @m = 1.3.6.1.4.1.119.2.3.69.501.8.1.1
        @m.3.16842752 int 1
        @m.4.16842752 str 21.0
        @m.5.16842752 int 1
        @m.6.16842752 str -38.4
        @m.7.16842752 int 1
        @m.8.16842752 str 48.5
        @m.9.16842752 int 0
        @m.10.16842752 str 0
        1.3.6.1.4.1.119.2.3.69.501.3.2.1.1.13.16842752 int 6
    ";

    #[tokio::test]
    async fn a_pasolink_in_the_normal_form() {
        let polled = poll(PASOLINK).await;
        assert_eq!(polled.identity.family.profile, "nec-ipasolink");
        check(&polled.radios[0], &["link_up_flag=(not offered)", "rsl_dbm=-38.4", "tx_power_dbm=21"]);
        assert_eq!(polled.radios[0].modulation.as_deref(), Some("256QAM"));
        assert_eq!(polled.power["supply_volts"], Reading::value(48.5));
        assert_eq!(polled.power["temperature_celsius"], missing("sentinel"));
    }

    #[tokio::test]
    async fn invalid_and_odd_answers() {
        let polled = poll(&PASOLINK.replace("@m.5.16842752 int 1", "@m.5.16842752 int 0")).await;
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("sentinel")));
        // Tenths as an integer: nobody has seen that, and -384 dBm is nothing.
        let polled =
            poll(&PASOLINK.replace("str -38.4", "int -384").replace("13.16842752 int 6", "13.16842752 int 99")).await;
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("implausible")));
        assert_eq!(polled.radios[0].modulation, None);
        let polled = poll(&PASOLINK.replace("str -38.4", "str ---")).await;
        assert_eq!(polled.radios[0].reading("rsl_dbm"), Some(missing("malformed")));
    }
}
