//! The supply readings that several families share.

use std::collections::BTreeMap;

use crate::model::{Missing, Reading};

/// Radios and UPSs run within these; what lies outside is a probe that is not there.
const CELSIUS: std::ops::RangeInclusive<f64> = -60.0..=150.0;
/// The highest low voltage of IEC 60038, 1000 V.
const VOLTS: std::ops::RangeInclusive<f64> = 0.0..=1000.0;

/// Notes a reading of `power`, unless the device does not offer it: devices of a family differ in what they measure.
/// What cannot be true becomes missing.
pub fn note(power: &mut BTreeMap<&'static str, Reading>, field: &'static str, reading: Reading) {
    let bounds = match field {
        "temperature_celsius" => CELSIUS,
        "battery_percent" => 0.0..=100.0,
        // An overloaded UPS says more than 100.
        "load_percent" => 0.0..=300.0,
        field if field.ends_with("_volts") => VOLTS,
        _ => f64::NEG_INFINITY..=f64::INFINITY,
    };
    let reading = match reading.get() {
        Some(value) if !bounds.contains(&value) => Reading::Missing(Missing::Implausible),
        _ => reading,
    };
    if reading.missing() != Some(Missing::NotOffered) {
        power.insert(field, reading);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_supply_cannot_be_is_missing() {
        let noted = |field: &'static str, value: f64| {
            let mut power = BTreeMap::new();
            note(&mut power, field, Reading::value(value));
            power[field]
        };
        assert_eq!(noted("supply_volts", 54.1), Reading::value(54.1));
        assert_eq!(noted("supply_volts", 54_100.0), Reading::Missing(Missing::Implausible));
        assert_eq!(noted("temperature_celsius", -80.0), Reading::Missing(Missing::Implausible));
        assert_eq!(noted("battery_percent", 101.0), Reading::Missing(Missing::Implausible));
        assert_eq!(noted("supply_amps", -0.1), Reading::value(-0.1));
        let mut power = BTreeMap::new();
        note(&mut power, "supply_volts", Reading::Missing(Missing::NotOffered));
        assert!(power.is_empty());
    }
}
