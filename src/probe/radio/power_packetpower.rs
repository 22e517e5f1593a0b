//! Packet Power gateways (1.3.6.1.4.1.33688.4): the sensors of the nodes that report to it, each by its name, with its
//! unit as a text.
//!
//! A device of the inventory has one supply: of several sensors of a kind the first stands for it, of batteries the
//! one with the least charge.

use std::collections::BTreeMap;

use super::carriers::{cell, first, least};
use super::supply::note;
use super::{Checked, Decoded, Family, Info, ObjectId, SYS_DESCR, Scope, Table};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Value, clean_text};

pub static FAMILY: Family = Family {
    profile: "packet-power",
    title: "Packet Power gateway",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 0.0,
    capacity_max_mbps: 1.0,
    capacity_max_source: "no capacity is read from this family",
    channel: None,
    capacity_from: "none: it is no radio",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 33688])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[Table { name: SENSORS, column: SENSOR_NAME, rows_max: 256 }],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| Info { model: answers.text(&SYS_DESCR.into()).ok(), firmware: None },
    requests: |scope| {
        let wanted = FIELDS.iter().flat_map(|(_, name, _)| sensors(scope, name));
        wanted.flat_map(|row| [VALUE, UNIT].map(|column| cell(SENSOR, column, &row.index))).collect()
    },
    decode: |answers, scope| Decoded { power: power(answers, scope), ..Decoded::default() },
};

const SENSORS: &str = "sensors";
/// Index: the node, as four numbers, and the kind of sensor. 8 name, 12 value, 13 unit.
const SENSOR: &[u32] = &[1, 3, 6, 1, 4, 1, 33688, 4, 1, 1];
const SENSOR_NAME: &[u32] = &[1, 3, 6, 1, 4, 1, 33688, 4, 1, 1, 8];
const VALUE: u32 = 12;
const UNIT: u32 = 13;
/// Field, beginning of the sensor's name, unit without its prefix.
const FIELDS: [(&str, &str, &str); 5] = [
    ("temperature_celsius", "temperature", "degC"),
    ("supply_volts", "voltage", "V"),
    ("supply_amps", "current", "A"),
    ("supply_watts", "power", "W"),
    ("battery_percent", "battery", "%"),
];
/// Sensors of a kind that are asked for; the sockets without a probe answer nothing.
const SENSORS_MAX: usize = 4;

fn sensors<'a>(scope: &Scope<'a>, name: &str) -> Vec<&'a Row> {
    let named = |row: &&Row| matches!(&row.value, Value::Bytes(b) if clean_text(b).to_lowercase().starts_with(name));
    scope.rows.of(SENSORS).iter().filter(named).take(SENSORS_MAX).collect()
}

/// A value in the unit without a prefix: `ddegC` are tenths of a degree, `mV` thousandths of a volt. A sensor of that
/// name in another unit (the kind of supply is called `PowerSource`) is none.
fn reading(answers: &Answers, row: &Row, unit: &str) -> Reading {
    let told = match answers.text(&cell(SENSOR, UNIT, &row.index)) {
        Ok(told) => told,
        Err(why) => return Reading::Missing(why),
    };
    let scale = match told.strip_suffix(unit) {
        Some("") => 1.0,
        Some("d") => 0.1,
        Some("c") => 0.01,
        Some("m") => 1e-3,
        Some("k") => 1e3,
        _ => return Reading::Missing(Missing::NotOffered),
    };
    answers.reading(&cell(SENSOR, VALUE, &row.index), scale)
}

fn power(answers: &Answers, scope: &Scope<'_>) -> BTreeMap<&'static str, Reading> {
    let mut power = BTreeMap::new();
    for (field, name, unit) in FIELDS {
        let readings: Vec<Reading> = sensors(scope, name).into_iter().map(|row| reading(answers, row, unit)).collect();
        let chosen = if field == "battery_percent" { least(readings) } else { first(readings) };
        if !matches!(chosen.missing(), Some(Missing::NotMeasured)) {
            note(&mut power, field, chosen);
        }
    }
    power
}
