//! The LTE modem of a RouterOS device, by mtxrLTEModemTable of MIKROTIK-MIB (1.3.6.1.4.1.14988.1.1.16.1), index
//! ifIndex: levels alone. What the cell gives depends on everybody else in it: no object has a rate, and no capacity is
//! made of the levels.

use super::{Radio, Rows, Table, unless};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid};

pub const MODEMS: &str = "lte modems";
pub const TABLE: Table = Table { name: MODEMS, column: &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 16, 1, 1, 2], rows_max: 4 };

const ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 14988, 1, 1, 16, 1, 1];
/// RSSI, RSRQ, RSRP, SINR.
const COLUMNS: [(&str, u32); 4] = [("rsl_dbm", 2), ("rsrq_db", 3), ("rsrp_dbm", 4), ("sinr_db", 7)];

fn cell(column: u32, row: &Row) -> Oid {
    Oid::of(&[ENTRY, &[column]].concat(), &row.index)
}

pub fn requests(rows: &Rows) -> impl Iterator<Item = Oid> {
    rows.of(MODEMS).iter().flat_map(|row| COLUMNS.map(|(_, column)| cell(column, row)))
}

/// One radio a modem: `lte`, then `lte2`.
pub fn radios(answers: &Answers, rows: &Rows) -> impl Iterator<Item = Radio> {
    rows.of(MODEMS).iter().enumerate().map(|(i, row)| {
        let mut radio = Radio::new(if i == 0 { "lte".to_owned() } else { format!("lte{}", i + 1) });
        for (field, column) in COLUMNS {
            let reading = answers.reading(&cell(column, row), 1.0);
            // Without a cell RSSI and RSRP are 0. For the other two that is a figure like any.
            radio.set(field, if field.ends_with("_dbm") { unless(reading, &[0.0]) } else { reading });
        }
        radio
    })
}
