//! APC UPSs by PowerNet-MIB (1.3.6.1.4.1.318.1.1.1), whose high-precision objects are in tenths.

use std::collections::BTreeMap;

use super::supply::note;
use super::{Checked, Decoded, Family, Info, ObjectId};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "apc-ups",
    title: "APC UPS",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 0.0,
    capacity_max_mbps: 1.0,
    capacity_max_source: "no capacity is read from this family",
    channel: None,
    capacity_from: "none: it is no radio",
    object_ids: &[],
    // Power strips and cooling units are there too.
    shared_object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 318, 1, 3])],
    descrs: &[],
    asks: &[OUTPUT_STATUS],
    tables: &[],
    info: |_| vec![MODEL.into(), FIRMWARE.into()],
    decode_info: |answers, _| Info {
        model: answers.text(&MODEL.into()).ok(),
        firmware: answers.text(&FIRMWARE.into()).ok(),
    },
    requests: |_| {
        let mut oids: Vec<Oid> = vec![OUTPUT_STATUS.into()];
        oids.extend(OBJECTS.iter().map(|(_, object, _)| Oid::of(UPS, object)));
        oids
    },
    decode: |answers, _| Decoded { power: power(answers), ..Decoded::default() },
};

const UPS: &[u32] = &[1, 3, 6, 1, 4, 1, 318, 1, 1, 1];
/// upsBasicIdentModel and upsAdvIdentFirmwareRevision.
const MODEL: &[u32] = &[1, 3, 6, 1, 4, 1, 318, 1, 1, 1, 1, 1, 1, 0];
const FIRMWARE: &[u32] = &[1, 3, 6, 1, 4, 1, 318, 1, 1, 1, 1, 2, 1, 0];
/// upsBasicOutputStatus: 1 unknown, 2 on line, 3 on battery, others are bypass, boost, trim and off.
const OUTPUT_STATUS: &[u32] = &[1, 3, 6, 1, 4, 1, 318, 1, 1, 1, 4, 1, 1, 0];
/// upsAdvBatteryRunTimeRemaining (hundredths of a second), upsHighPrecBatteryCapacity, …BatteryTemperature,
/// …BatteryActualVoltage, …InputLineVoltage, …OutputLoad.
const OBJECTS: [(&str, [u32; 4], f64); 6] = [
    ("battery_left_secs", [2, 2, 3, 0], 0.01),
    ("battery_percent", [2, 3, 1, 0], 0.1),
    ("temperature_celsius", [2, 3, 2, 0], 0.1),
    ("battery_volts", [2, 3, 4, 0], 0.1),
    ("supply_volts", [3, 3, 1, 0], 0.1),
    ("load_percent", [4, 3, 3, 0], 0.1),
];

fn power(answers: &Answers) -> BTreeMap<&'static str, Reading> {
    let mut power = BTreeMap::new();
    for (field, object, scale) in OBJECTS {
        note(&mut power, field, answers.reading(&Oid::of(UPS, &object), scale));
    }
    let on_battery = match answers.number(&OUTPUT_STATUS.into()) {
        Ok(3.0) => Reading::value(1.0),
        Ok(1.0) => Reading::Missing(Missing::Sentinel),
        Ok(_) => Reading::value(0.0),
        Err(why) => Reading::Missing(why),
    };
    note(&mut power, "on_battery_flag", on_battery);
    power
}

#[cfg(test)]
mod tests {
    use super::super::tests::{missing, poll};
    use super::*;

    const APC: &str = "
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.318.1.3.27
        @apc = 1.3.6.1.4.1.318.1.1.1
        @apc.1.1.1.0 str Smart-UPS 1000
        @apc.1.2.1.0 str UPS 01.2
        @apc.2.2.3.0 ticks 152200
        @apc.2.3.1.0 gauge 995
        @apc.2.3.2.0 gauge 281
        @apc.2.3.4.0 int 409
        @apc.3.3.1.0 gauge 2301
        @apc.4.1.1.0 int 2
        @apc.4.3.3.0 gauge 378
    ";

    #[tokio::test]
    async fn an_apc_in_the_normal_form() {
        let polled = poll(APC).await;
        assert_eq!(polled.identity.family.profile, "apc-ups");
        let expected = [
            ("battery_left_secs", Reading::value(1_522.0)),
            ("battery_percent", Reading::value(99.5)),
            ("battery_volts", Reading::value(40.9)),
            ("load_percent", Reading::value(37.8)),
            ("on_battery_flag", Reading::value(0.0)),
            ("supply_volts", Reading::value(230.1)),
            ("temperature_celsius", Reading::value(28.1)),
        ];
        assert_eq!(polled.power, expected.into());
    }

    #[tokio::test]
    async fn on_battery_and_what_is_not_known() {
        let polled = poll(&APC.replace("4.1.1.0 int 2", "4.1.1.0 int 3").replace("gauge 2301", "gauge 0")).await;
        assert_eq!(polled.power["on_battery_flag"], Reading::value(1.0));
        assert_eq!(polled.power["supply_volts"], Reading::value(0.0));
        let polled = poll(&APC.replace("4.1.1.0 int 2", "4.1.1.0 int 1").replace("gauge 995", "str full")).await;
        assert_eq!(polled.power["on_battery_flag"], missing("sentinel"));
        assert_eq!(polled.power["battery_percent"], missing("malformed"));
    }

    #[tokio::test]
    async fn a_power_strip_of_the_same_vendor_is_none() {
        let polled = poll("1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.318.1.3.4.5\n").await;
        assert_eq!(polled.identity.family.profile, "generic");
    }
}
