//! Ubiquiti EdgePower (1.3.6.1.4.1.41112.1.5): what it gives, and the state of its two sources, one of which may be a
//! battery.

use std::collections::BTreeMap;

use super::supply::note;
use super::ubiquiti::{SHARED_OBJECT_ID, version_of_build};
use super::{Checked, Decoded, Family, Info, ObjectId, unless};
use crate::model::Reading;
use crate::model::network::Duplex;
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "ubiquiti-edgepower",
    title: "Ubiquiti EdgePower",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 0.0,
    capacity_max_mbps: 1.0,
    capacity_max_source: "no capacity is read from this family",
    channel: None,
    capacity_from: "none: it is no radio",
    object_ids: &[],
    shared_object_ids: &[ObjectId::Is(SHARED_OBJECT_ID)],
    descrs: &[],
    asks: &[MODEL],
    tables: &[],
    info: |_| vec![MODEL.into(), FIRMWARE.into()],
    decode_info: |answers, _| Info {
        model: answers.text(&MODEL.into()).ok(),
        firmware: answers.text(&FIRMWARE.into()).ok().map(|build| version_of_build(&build)),
    },
    requests: |_| FIELDS.iter().map(|(_, object, _)| Oid::of(BASE, object)).collect(),
    decode: |answers, _| Decoded { power: power(answers), ..Decoded::default() },
};

const BASE: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 5];
/// `EP-54V-150W`.
const MODEL: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 5, 1, 1, 0];
const FIRMWARE: &[u32] = &[1, 3, 6, 1, 4, 1, 41112, 1, 5, 1, 3, 0];
/// Field, object, scale. The output in mV, mA and mW, the first sensor of the board in thousandths of a degree, the
/// second source, which is of direct current, in mV.
const FIELDS: [(&str, &[u32], f64); 5] = [
    ("supply_volts", &[2, 2, 1, 2, 1], 1e-3),
    ("supply_amps", &[2, 2, 1, 3, 1], 1e-3),
    ("supply_watts", &[2, 2, 1, 4, 1], 1e-3),
    ("temperature_celsius", &[4, 2, 1, 3, 1], 1e-3),
    ("battery_volts", &[3, 2, 1, 5, 2], 1e-3),
];

fn power(answers: &Answers) -> BTreeMap<&'static str, Reading> {
    let mut power = BTreeMap::new();
    for (field, object, scale) in FIELDS {
        let reading = answers.reading(&Oid::of(BASE, object), scale);
        // No voltage is a source that is not connected.
        note(&mut power, field, if field == "battery_volts" { unless(reading, &[0.0]) } else { reading });
    }
    power
}
