//! ICT Power distribution panels, power supplies and inverters (1.3.6.1.4.1.39145.10 to .12), which write texts with
//! decimals. On a positive-ground plant (-48 V) both volts and amperes are negative: their amounts are read.

use std::collections::BTreeMap;

use super::supply::note;
use super::{Checked, Decoded, Family, Info, ObjectId, Rows, Scope, Table, unless};
use crate::model::Reading;
use crate::model::network::Duplex;
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "ict",
    title: "ICT distribution panel, power supply or inverter",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 0.0,
    capacity_max_mbps: 1.0,
    capacity_max_source: "no capacity is read from this family",
    channel: None,
    capacity_from: "none: it is no radio",
    object_ids: &[ObjectId::Is(PANEL), ObjectId::Is(SUPPLY), ObjectId::Is(INVERTER)],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    // Which of them it is, by the volts that it has.
    tables: &[
        Table { name: "panel", column: &[1, 3, 6, 1, 4, 1, 39145, 10, 6], rows_max: 1 },
        Table { name: "supply", column: &[1, 3, 6, 1, 4, 1, 39145, 11, 7], rows_max: 1 },
        Table { name: "inverter", column: &[1, 3, 6, 1, 4, 1, 39145, 12, 6], rows_max: 1 },
    ],
    info: |_| KINDS.iter().flat_map(|kind| [MODEL, FIRMWARE].map(|object| kind.oid(object))).collect(),
    decode_info,
    requests,
    decode: |answers, scope| Decoded { power: power(answers, scope.rows), ..Decoded::default() },
};

struct Kind {
    table: &'static str,
    base: &'static [u32],
    objects: &'static [(&'static str, u32)],
}

const PANEL: &[u32] = &[1, 3, 6, 1, 4, 1, 39145, 10];
const SUPPLY: &[u32] = &[1, 3, 6, 1, 4, 1, 39145, 11];
const INVERTER: &[u32] = &[1, 3, 6, 1, 4, 1, 39145, 12];
const KINDS: [Kind; 3] = [
    Kind { table: "panel", base: PANEL, objects: &[("supply_volts", 6), ("supply_amps", 7)] },
    Kind {
        table: "supply",
        base: SUPPLY,
        objects: &[
            ("supply_volts", 7),
            ("supply_amps", 8),
            ("battery_volts", 10),
            ("temperature_celsius", 12),
            ("battery_percent", 13),
        ],
    },
    // What it is fed with, from the batteries.
    Kind { table: "inverter", base: INVERTER, objects: &[("supply_volts", 6)] },
];
/// Of the inverter this is a name that its owner gives.
const MODEL: u32 = 1;
const FIRMWARE: u32 = 4;
/// A thermometer that is not there.
const NO_PROBE: f64 = 1000.0;

impl Kind {
    fn oid(&self, object: u32) -> Oid {
        Oid::of(self.base, &[object, 0])
    }
}

fn kind(rows: &Rows) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| !rows.of(kind.table).is_empty())
}

fn decode_info(answers: &Answers, _: &Rows) -> Info {
    let first = |object| KINDS.iter().find_map(|kind| Some((kind, answers.text(&kind.oid(object)).ok()?)));
    Info {
        model: first(MODEL).filter(|(kind, _)| kind.base != INVERTER).map(|(_, model)| model),
        firmware: first(FIRMWARE).map(|(_, firmware)| firmware),
    }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    kind(scope.rows).map_or(Vec::new(), |kind| kind.objects.iter().map(|(_, object)| kind.oid(*object)).collect())
}

fn power(answers: &Answers, rows: &Rows) -> BTreeMap<&'static str, Reading> {
    let mut power = BTreeMap::new();
    let Some(kind) = kind(rows) else { return power };
    for (field, object) in kind.objects {
        let reading = answers.decimal(&kind.oid(*object), 1.0);
        let reading = match *field {
            "temperature_celsius" => unless(reading, &[NO_PROBE]),
            "battery_volts" => unless(reading.map(f64::abs), &[0.0]),
            "battery_percent" => reading,
            _ => reading.map(f64::abs),
        };
        note(&mut power, field, reading);
    }
    power
}

#[cfg(test)]
mod tests {
    use super::super::tests::{missing, poll};
    use super::*;

    const PANEL: &str = "
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.39145.10
        @ict = 1.3.6.1.4.1.39145.10
        @ict.1.0 str ICT200DB-12
        @ict.4.0 str 3.10
        @ict.6.0 str -54.2
        @ict.7.0 str -3.5
    ";
    const SUPPLY: &str = "
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.39145.11
        @ict = 1.3.6.1.4.1.39145.11
        @ict.1.0 str ICT600-48
        @ict.4.0 str 1.08
        @ict.7.0 str 54.3
        @ict.8.0 str 2.1
        @ict.10.0 str 53.9
        @ict.12.0 str 1000
        @ict.13.0 str 98
    ";

    #[tokio::test]
    async fn a_panel_of_a_positive_ground_plant() {
        let polled = poll(PANEL).await;
        assert_eq!(polled.identity.family.profile, "ict");
        let info = Info { model: Some("ICT200DB-12".into()), firmware: Some("3.10".into()) };
        assert_eq!(polled.identity.info, info);
        let expected = [("supply_amps", Reading::value(3.5)), ("supply_volts", Reading::value(54.2))];
        assert_eq!(polled.power, expected.into());
    }

    #[tokio::test]
    async fn a_power_supply_without_a_thermometer() {
        let polled = poll(SUPPLY).await;
        let expected = [
            ("battery_percent", Reading::value(98.0)),
            ("battery_volts", Reading::value(53.9)),
            ("supply_amps", Reading::value(2.1)),
            ("supply_volts", Reading::value(54.3)),
            ("temperature_celsius", missing("sentinel")),
        ];
        assert_eq!(polled.power, expected.into());
    }

    #[tokio::test]
    async fn odd_answers() {
        let polled = poll(&PANEL.replace("str -54.2", "hex 00").replace("str -3.5", "oid 1.3.6")).await;
        assert_eq!(polled.power["supply_volts"], missing("sentinel"));
        assert_eq!(polled.power["supply_amps"], missing("malformed"));
        let polled = poll("1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.39145.11\n").await;
        assert!(polled.power.is_empty());
    }
}
