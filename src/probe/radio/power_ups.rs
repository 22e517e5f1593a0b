//! Uninterruptible power supplies by UPS-MIB (RFC 1628, 1.3.6.1.2.1.33), whoever made their card.
//!
//! `supply_volts` is the mains at the first input line. Tables are indexed by line, or by line and 0: the rows decide.

use std::collections::BTreeMap;

use super::supply::note;
use super::{Checked, Decoded, Family, Info, ObjectId, Rows, Scope, Table, unless};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "ups",
    title: "UPS (UPS-MIB, RFC 1628)",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 0.0,
    capacity_max_mbps: 1.0,
    capacity_max_source: "no capacity is read from this family",
    channel: None,
    capacity_from: "none: it is no radio",
    object_ids: &[ObjectId::Is(UPS_MIB)],
    // iStars, CyberPower, net-snmp, Riello NetMan, Delta: cards that have more than one MIB.
    shared_object_ids: &[
        ObjectId::Is(&[1, 3, 6, 1, 4, 1, 40614]),
        ObjectId::Under(&[1, 3, 6, 1, 4, 1, 3808, 1, 1, 1]),
        ObjectId::Is(&[1, 3, 6, 1, 4, 1, 8072, 3, 2, 10]),
        ObjectId::Under(&[1, 3, 6, 1, 4, 1, 5491]),
        ObjectId::Under(&[1, 3, 6, 1, 4, 1, 2254, 2]),
    ],
    descrs: &[],
    asks: &[BATTERY_STATUS],
    tables: &[
        Table { name: INPUTS, column: INPUT_VOLTAGE, rows_max: 3 },
        Table { name: OUTPUTS, column: OUTPUT_LOAD, rows_max: 3 },
    ],
    info: |_| vec![MODEL.into(), FIRMWARE.into()],
    decode_info,
    requests,
    decode,
};

const UPS_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 33];
const INPUTS: &str = "inputs";
const OUTPUTS: &str = "outputs";
/// upsIdentModel and upsIdentAgentSoftwareVersion.
const MODEL: &[u32] = &[1, 3, 6, 1, 2, 1, 33, 1, 1, 2, 0];
const FIRMWARE: &[u32] = &[1, 3, 6, 1, 2, 1, 33, 1, 1, 4, 0];
/// upsBatteryStatus.
const BATTERY_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 33, 1, 2, 1, 0];
/// upsInputVoltage, RMS volts.
const INPUT_VOLTAGE: &[u32] = &[1, 3, 6, 1, 2, 1, 33, 1, 3, 3, 1, 3];
/// upsOutputSource: 1 other, 2 none, 3 normal, 4 bypass, 5 battery, 6 booster, 7 reducer.
const OUTPUT_SOURCE: &[u32] = &[1, 3, 6, 1, 2, 1, 33, 1, 4, 1, 0];
/// upsOutputPercentLoad.
const OUTPUT_LOAD: &[u32] = &[1, 3, 6, 1, 2, 1, 33, 1, 4, 4, 1, 5];
/// upsEstimatedMinutesRemaining, upsEstimatedChargeRemaining, upsBatteryVoltage (0.1 V), upsBatteryTemperature.
const BATTERY: [(&str, u32, f64); 4] = [
    ("battery_left_secs", 3, 60.0),
    ("battery_percent", 4, 1.0),
    ("battery_volts", 5, 0.1),
    ("temperature_celsius", 7, 1.0),
];
/// Above this an input is told in tenths, as Delta does (2360 for 236.0 V): no line of a UPS has 600 V.
const INPUT_VOLTS_MAX: f64 = 600.0;

fn battery(object: u32) -> Oid {
    Oid::of(UPS_MIB, &[1, 2, object, 0])
}

fn decode_info(answers: &Answers, _: &Rows) -> Info {
    Info { model: answers.text(&MODEL.into()).ok(), firmware: answers.text(&FIRMWARE.into()).ok() }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let mut oids: Vec<Oid> = vec![OUTPUT_SOURCE.into()];
    oids.extend(BATTERY.iter().map(|(_, object, _)| battery(*object)));
    oids.extend(scope.rows.of(INPUTS).first().map(|row| Oid::of(INPUT_VOLTAGE, &row.index)));
    oids.extend(scope.rows.of(OUTPUTS).iter().map(|row| Oid::of(OUTPUT_LOAD, &row.index)));
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let mut power = BTreeMap::new();
    for (field, object, scale) in BATTERY {
        let reading = answers.reading(&battery(object), scale);
        // A card without the sensor says 0 V.
        note(&mut power, field, if field == "battery_volts" { unless(reading, &[0.0]) } else { reading });
    }
    if let Some(row) = scope.rows.of(INPUTS).first() {
        let volts = answers.reading(&Oid::of(INPUT_VOLTAGE, &row.index), 1.0);
        note(&mut power, "supply_volts", volts.map(|v| if v > INPUT_VOLTS_MAX { v / 10.0 } else { v }));
    }
    note(&mut power, "load_percent", heaviest(answers, scope));
    note(&mut power, "on_battery_flag", on_battery(answers.reading(&OUTPUT_SOURCE.into(), 1.0)));
    Decoded { power, ..Decoded::default() }
}

/// The load of the line that bears most.
fn heaviest(answers: &Answers, scope: &Scope<'_>) -> Reading {
    let loads = scope.rows.of(OUTPUTS).iter().map(|row| answers.reading(&Oid::of(OUTPUT_LOAD, &row.index), 1.0));
    let rank = |r: &Reading| r.get().unwrap_or(f64::NEG_INFINITY);
    loads.max_by(|a, b| rank(a).total_cmp(&rank(b))).unwrap_or(Reading::Missing(Missing::NotOffered))
}

fn on_battery(source: Reading) -> Reading {
    match source.get() {
        Some(5.0) => Reading::value(1.0),
        Some(source) if (2.0..=7.0).contains(&source) => Reading::value(0.0),
        Some(_) => Reading::Missing(Missing::Sentinel),
        None => source,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{missing, poll};
    use super::*;

    const UPS: &str = "
        1.3.6.1.2.1.1.1.0 str Card
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.2254.2.5
        @ups = 1.3.6.1.2.1.33.1
        @ups.1.2.0 str Online 1000
        @ups.1.4.0 str 2.1
        @ups.2.1.0 int 2
        @ups.2.3.0 int 90
        @ups.2.4.0 int 87
        @ups.2.5.0 int 546
        @ups.2.7.0 int 24
        @ups.3.3.1.3.1 int 231
        @ups.4.1.0 int 3
        @ups.4.4.1.5.1 int 12
        @ups.4.4.1.5.2 int 31
        @ups.4.4.1.5.3 int 7
    ";

    #[tokio::test]
    async fn a_ups_in_the_normal_form() {
        let polled = poll(UPS).await;
        assert_eq!(polled.identity.family.profile, "ups");
        assert_eq!(polled.identity.info.model.as_deref(), Some("Online 1000"));
        assert!(polled.radios.is_empty());
        let expected = [
            ("battery_left_secs", Reading::value(5400.0)),
            ("battery_percent", Reading::value(87.0)),
            ("battery_volts", Reading::value(54.6)),
            ("load_percent", Reading::value(31.0)),
            ("on_battery_flag", Reading::value(0.0)),
            ("supply_volts", Reading::value(231.0)),
            ("temperature_celsius", Reading::value(24.0)),
        ];
        assert_eq!(polled.power, expected.into());
    }

    #[tokio::test]
    async fn without_mains_it_says_so() {
        let polled = poll(&UPS.replace("@ups.4.1.0 int 3", "@ups.4.1.0 int 5").replace("int 231", "int 0")).await;
        assert_eq!(polled.power["on_battery_flag"], Reading::value(1.0));
        assert_eq!(polled.power["supply_volts"], Reading::value(0.0));
        let polled = poll(&UPS.replace("@ups.4.1.0 int 3", "@ups.4.1.0 int 1")).await;
        assert_eq!(polled.power["on_battery_flag"], missing("sentinel"));
    }

    #[tokio::test]
    async fn cards_that_depart_from_the_rfc() {
        // Tenths of a volt, a trailing 0 in the index, texts where numbers belong.
        let polled = poll(&UPS.replace("@ups.3.3.1.3.1 int 231", "@ups.3.3.1.3.1.0 int 2360")).await;
        assert_eq!(polled.power["supply_volts"], Reading::value(236.0));
        let polled = poll(&UPS.replace("@ups.2.4.0 int 87", "@ups.2.4.0 str 87%")).await;
        assert_eq!(polled.power["battery_percent"], missing("malformed"));
        let polled = poll(&UPS.replace("@ups.2.5.0 int 546", "@ups.2.5.0 int 0")).await;
        assert_eq!(polled.power["battery_volts"], missing("sentinel"));
        let polled = poll(&UPS.replace("@ups.2.7.0 int 24", "")).await;
        assert!(!polled.power.contains_key("temperature_celsius"));
    }
}
