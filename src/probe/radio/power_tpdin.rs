//! Tycon TPDIN-Monitor-WEB2 and -WEB3 (TPDIN2-MIB and TPDIN3-MIB, 1.3.6.1.4.1.45621): four channels of volts and
//! amperes, two thermometers, and on the third a solar charge controller.
//!
//! The second writes texts with decimals though its MIB has tenths; the third gives tenths. The supply is the first
//! channel with a voltage: one that nothing is wired to reads 0.

use std::collections::BTreeMap;

use super::supply::note;
use super::{Checked, Decoded, Family, Info, ObjectId, Rows, Scope, Table, unless};
use crate::model::Reading;
use crate::model::network::Duplex;
use crate::probe::value::{Answers, Oid, Value};

pub static FAMILY: Family = Family {
    profile: "tycon-tpdin",
    title: "Tycon TPDIN-Monitor",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 0.0,
    capacity_max_mbps: 1.0,
    capacity_max_source: "no capacity is read from this family",
    channel: None,
    capacity_from: "none: it is no radio",
    object_ids: &[ObjectId::Is(&[1, 3, 6, 1, 4, 1, 45621, 2]), ObjectId::Is(&[1, 3, 6, 1, 4, 1, 45621, 3])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    // Which of the two it is.
    tables: &[
        Table { name: SECOND.name, column: SECOND.product, rows_max: 2 },
        Table { name: THIRD.name, column: THIRD.product, rows_max: 2 },
    ],
    info: |rows| {
        let product = monitor(rows).product;
        vec![Oid::of(product, &[1, 0]), Oid::of(product, &[2, 0])]
    },
    decode_info: |answers, rows| {
        let text = |object| answers.text(&Oid::of(monitor(rows).product, &[object, 0])).ok();
        Info { model: text(1), firmware: text(2) }
    },
    requests,
    decode: |answers, scope| Decoded { power: power(answers, scope.rows), ..Decoded::default() },
};

struct Monitor {
    name: &'static str,
    product: &'static [u32],
    readings: &'static [u32],
    /// First voltage and first current of [`CHANNELS`].
    volts: u32,
    amps: u32,
    /// Inside and outside.
    thermometers: [u32; 2],
    /// Of an integer; texts have their decimals.
    scale: f64,
}

const SECOND: Monitor = Monitor {
    name: "second",
    product: &[1, 3, 6, 1, 4, 1, 45621, 2, 1],
    readings: &[1, 3, 6, 1, 4, 1, 45621, 2, 2],
    volts: 5,
    amps: 9,
    thermometers: [14, 13],
    scale: 0.1,
};
const THIRD: Monitor = Monitor {
    name: "third",
    product: &[1, 3, 6, 1, 4, 1, 45621, 3, 1],
    readings: &[1, 3, 6, 1, 4, 1, 45621, 3, 3],
    volts: 15,
    amps: 19,
    thermometers: [24, 23],
    scale: 0.1,
};
const CHANNELS: u32 = 4;
/// Voltage of the batteries behind the charge controller, a text.
const SOLAR_BATTERY: &[u32] = &[1, 3, 6, 1, 4, 1, 45621, 3, 10, 2, 0];
/// A thermometer that is not there.
const NO_PROBE: f64 = -40.0;

fn monitor(rows: &Rows) -> &'static Monitor {
    if rows.of(SECOND.name).is_empty() { &THIRD } else { &SECOND }
}

impl Monitor {
    fn objects(&self) -> impl Iterator<Item = u32> {
        (self.volts..self.volts + CHANNELS).chain(self.amps..self.amps + CHANNELS).chain(self.thermometers)
    }

    fn read(&self, answers: &Answers, object: u32) -> Reading {
        let oid = Oid::of(self.readings, &[object, 0]);
        let written = matches!(answers.value(&oid), Ok(Value::Bytes(_)));
        answers.decimal(&oid, if written { 1.0 } else { self.scale })
    }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let monitor = monitor(scope.rows);
    let mut oids: Vec<Oid> = monitor.objects().map(|object| Oid::of(monitor.readings, &[object, 0])).collect();
    oids.push(SOLAR_BATTERY.into());
    oids
}

fn power(answers: &Answers, rows: &Rows) -> BTreeMap<&'static str, Reading> {
    let monitor = monitor(rows);
    let mut power = BTreeMap::new();
    let wired = |channel: &u32| monitor.read(answers, monitor.volts + channel).get().is_some_and(|v| v != 0.0);
    let channel = (0..CHANNELS).find(wired).unwrap_or(0);
    note(&mut power, "supply_volts", unless(monitor.read(answers, monitor.volts + channel), &[0.0]));
    note(&mut power, "supply_amps", monitor.read(answers, monitor.amps + channel));
    let [inside, outside] = monitor.thermometers.map(|object| unless(monitor.read(answers, object), &[NO_PROBE]));
    note(&mut power, "temperature_celsius", if inside.get().is_some() { inside } else { outside });
    note(&mut power, "battery_volts", unless(answers.decimal(&SOLAR_BATTERY.into(), 1.0), &[0.0]));
    power
}

#[cfg(test)]
mod tests {
    use super::super::tests::{missing, poll};
    use super::*;

    const SECOND: &str = "
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.45621.2
        @t = 1.3.6.1.4.1.45621.2
        @t.1.1.0 str TPDIN-Monitor-WEB2
        @t.1.2.0 str 1.4
        @t.2.5.0 str .0
        @t.2.6.0 str 53.6
        @t.2.7.0 str 12.1
        @t.2.8.0 str .0
        @t.2.9.0 str .0
        @t.2.10.0 str 1.7
        @t.2.13.0 str 9.8
        @t.2.14.0 str 21.4
    ";
    const THIRD: &str = "
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.45621.3
        @t = 1.3.6.1.4.1.45621.3
        @t.1.1.0 str TPDIN-Monitor-WEB3
        @t.1.2.0 str 2.2
        @t.3.15.0 int 541
        @t.3.16.0 int 0
        @t.3.19.0 int -1
        @t.3.23.0 int -400
        @t.3.24.0 int 312
        @t.10.2.0 str 26.4
    ";

    #[tokio::test]
    async fn the_second_writes_decimals() {
        let polled = poll(SECOND).await;
        assert_eq!(polled.identity.family.profile, "tycon-tpdin");
        assert_eq!(polled.identity.info.model.as_deref(), Some("TPDIN-Monitor-WEB2"));
        let expected = [
            ("supply_amps", Reading::value(1.7)),
            ("supply_volts", Reading::value(53.6)),
            ("temperature_celsius", Reading::value(21.4)),
        ];
        assert_eq!(polled.power, expected.into());
        // The same tenths as an integer, should a firmware follow its MIB.
        let polled = poll(&SECOND.replace("str 53.6", "int 536")).await;
        assert_eq!(polled.power["supply_volts"], Reading::value(53.6));
    }

    #[tokio::test]
    async fn the_third_gives_tenths() {
        let polled = poll(THIRD).await;
        let expected = [
            ("battery_volts", Reading::value(26.4)),
            ("supply_amps", Reading::value(-0.1)),
            ("supply_volts", Reading::value(54.1)),
            ("temperature_celsius", Reading::value(31.2)),
        ];
        assert_eq!(polled.power, expected.into());
    }

    #[tokio::test]
    async fn nothing_wired_and_odd_answers() {
        let polled = poll(&THIRD.replace("int 541", "int 0").replace("int 312", "int -400")).await;
        assert_eq!(polled.power["supply_volts"], missing("sentinel"));
        assert_eq!(polled.power["temperature_celsius"], missing("sentinel"));
        let polled = poll(&SECOND.replace("str 53.6", "hex ff00").replace("str 12.1", "str n/a")).await;
        assert_eq!(polled.power["supply_volts"], missing("sentinel"));
    }
}
