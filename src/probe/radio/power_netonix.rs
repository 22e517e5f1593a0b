//! Netonix WISP switches by NETONIX-SWITCH-MIB (1.3.6.1.4.1.46242): the rails that PoE is given from, what is drawn.

use std::collections::BTreeMap;

use super::supply::note;
use super::{Checked, Decoded, Family, Info, ObjectId, Rows, SYS_DESCR, Scope, Table, unless};
use crate::model::Reading;
use crate::model::network::Duplex;
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, Value, clean_text};

pub static FAMILY: Family = Family {
    profile: "netonix",
    title: "Netonix WISP switch",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 0.0,
    capacity_max_mbps: 1.0,
    capacity_max_source: "no capacity is read from this family",
    channel: None,
    capacity_from: "none: it is no radio",
    object_ids: &[ObjectId::Is(NETONIX)],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: SENSORS, column: SENSOR_NAME, rows_max: 8 },
        Table { name: RAILS, column: RAIL_NAME, rows_max: 8 },
    ],
    info: |_| vec![SYS_DESCR.into(), FIRMWARE.into()],
    decode_info,
    requests,
    decode: |answers, scope| Decoded { power: power(answers, scope), ..Decoded::default() },
};

const NETONIX: &[u32] = &[1, 3, 6, 1, 4, 1, 46242];
const SENSORS: &str = "sensors";
const RAILS: &str = "rails";
const FIRMWARE: &[u32] = &[1, 3, 6, 1, 4, 1, 46242, 1, 0];
const SENSOR_NAME: &[u32] = &[1, 3, 6, 1, 4, 1, 46242, 3, 1, 2];
/// Whole degrees.
const SENSOR: &[u32] = &[1, 3, 6, 1, 4, 1, 46242, 3, 1, 3];
const RAIL_NAME: &[u32] = &[1, 3, 6, 1, 4, 1, 46242, 4, 1, 2];
/// Hundredths of a volt.
const RAIL: &[u32] = &[1, 3, 6, 1, 4, 1, 46242, 4, 1, 3];
/// Total power and current of the DC input, both in tenths.
const WATTS: &[u32] = &[1, 3, 6, 1, 4, 1, 46242, 6, 0];
const AMPS: &[u32] = &[1, 3, 6, 1, 4, 1, 46242, 7, 0];

fn decode_info(answers: &Answers, _: &Rows) -> Info {
    let model = answers.text(&SYS_DESCR.into()).ok();
    Info {
        model: model.map(|text| text.strip_prefix("Netonix ").unwrap_or(&text).to_owned()),
        // Padded with dots.
        firmware: answers.text(&FIRMWARE.into()).ok().map(|text| text.trim_end_matches('.').to_owned()),
    }
}

/// The row whose name has the first of `names` that any has.
fn named<'a>(rows: &'a [Row], names: &[&str]) -> Option<&'a Row> {
    let has = |row: &Row, name: &str| match &row.value {
        Value::Bytes(bytes) => clean_text(bytes).to_lowercase().contains(name),
        _ => false,
    };
    names.iter().find_map(|name| rows.iter().find(|row| has(row, name)))
}

/// The supply, or the rail nearest to it.
fn rail<'a>(scope: &Scope<'a>) -> Option<&'a Row> {
    named(scope.rows.of(RAILS), &["input", "48v", "24v"])
}

fn sensor<'a>(scope: &Scope<'a>) -> Option<&'a Row> {
    named(scope.rows.of(SENSORS), &["board", "cpu"])
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids: Vec<Oid> = vec![WATTS.into(), AMPS.into()];
    oids.extend(rail(scope).map(|row| Oid::of(RAIL, &row.index)));
    oids.extend(sensor(scope).map(|row| Oid::of(SENSOR, &row.index)));
    oids
}

fn power(answers: &Answers, scope: &Scope<'_>) -> BTreeMap<&'static str, Reading> {
    let mut power = BTreeMap::new();
    note(&mut power, "supply_watts", answers.reading(&WATTS.into(), 0.1));
    // Models fed with AC have no DC input: what runs draws more than none.
    note(&mut power, "supply_amps", unless(answers.reading(&AMPS.into(), 0.1), &[0.0]));
    if let Some(row) = rail(scope) {
        note(&mut power, "supply_volts", answers.reading(&Oid::of(RAIL, &row.index), 0.01));
    }
    if let Some(row) = sensor(scope) {
        note(&mut power, "temperature_celsius", answers.reading(&Oid::of(SENSOR, &row.index), 1.0));
    }
    power
}

#[cfg(test)]
mod tests {
    use super::super::tests::{missing, poll};
    use super::*;

    const NETONIX: &str = "
        1.3.6.1.2.1.1.1.0 str Netonix WS-8-150-DC
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.46242
        @n = 1.3.6.1.4.1.46242
        @n.1.0 str 1.5.2...
        @n.3.1.2.1 str CPU Temp
        @n.3.1.2.2 str Board Temp
        @n.3.1.3.1 int 71
        @n.3.1.3.2 int 38
        @n.4.1.2.1 str Board 3V
        @n.4.1.2.2 str Board 48V
        @n.4.1.3.1 int 331
        @n.4.1.3.2 int 4912
        @n.6.0 int 412
        @n.7.0 int 9
    ";

    #[tokio::test]
    async fn a_netonix_in_the_normal_form() {
        let polled = poll(NETONIX).await;
        assert_eq!(polled.identity.family.profile, "netonix");
        let info = Info { model: Some("WS-8-150-DC".into()), firmware: Some("1.5.2".into()) };
        assert_eq!(polled.identity.info, info);
        let expected = [
            ("supply_amps", Reading::value(0.9)),
            ("supply_volts", Reading::value(49.12)),
            ("supply_watts", Reading::value(41.2)),
            ("temperature_celsius", Reading::value(38.0)),
        ];
        assert_eq!(polled.power, expected.into());
    }

    #[tokio::test]
    async fn an_ac_model_and_odd_answers() {
        let polled = poll(&NETONIX.replace("@n.7.0 int 9", "@n.7.0 int 0")).await;
        assert_eq!(polled.power["supply_amps"], missing("sentinel"));
        let polled = poll(&NETONIX.replace("int 4912", "str 49.12").replace("int 38", "int 65535")).await;
        assert_eq!(polled.power["supply_volts"], missing("malformed"));
        assert_eq!(polled.power["temperature_celsius"], missing("implausible"));
        let polled = poll(&NETONIX.replace("str Board 48V", "int 5").replace("str Board Temp", "hex ff00fe")).await;
        assert!(!polled.power.contains_key("supply_volts"));
        assert_eq!(polled.power["temperature_celsius"], Reading::value(71.0));
    }
}
