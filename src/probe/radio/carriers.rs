//! What the families share whose link is made of several carriers, polarisations or streams.

use super::{ONLY_RADIO, Radio};
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid};

/// A cell of a table: the entry, the column and the row's index.
pub fn cell(entry: &[u32], column: u32, index: &[u32]) -> Oid {
    Oid::of(&[entry, &[column]].concat(), index)
}

/// The capacity of a link is what its members in use carry together. If one of them does not tell, neither does the
/// link: the rest alone would be a wrong figure that looks right, and so would a total with a negative part.
pub fn sum(members: impl IntoIterator<Item = Reading>) -> Reading {
    let (mut total, mut from, mut any) = (0.0, None, false);
    for member in members {
        match member {
            Reading::Value { value, .. } if value < 0.0 => return Reading::Missing(Missing::Implausible),
            Reading::Value { value, from: own } => (total, from, any) = (total + value, own, true),
            missing @ Reading::Missing(_) => return missing,
        }
    }
    match (any, from) {
        (false, _) => Reading::Missing(Missing::NotMeasured),
        (true, Some(from)) => Reading::known(total, from),
        (true, None) => Reading::value(total),
    }
}

/// The least of the values there are; of readings that are all missing, the first.
pub fn least(members: impl IntoIterator<Item = Reading>) -> Reading {
    extreme(members, |a, b| a < b)
}

/// The greatest of the values there are; of readings that are all missing, the first.
pub fn greatest(members: impl IntoIterator<Item = Reading>) -> Reading {
    extreme(members, |a, b| a > b)
}

fn extreme(members: impl IntoIterator<Item = Reading>, before: impl Fn(f64, f64) -> bool) -> Reading {
    let mut found: Option<Reading> = None;
    for member in members {
        found = match (found.map(Reading::get), member.get()) {
            (Some(Some(held)), Some(value)) if !before(value, held) => found,
            (Some(_), None) => found,
            _ => Some(member),
        };
    }
    found.unwrap_or(Reading::Missing(Missing::NotMeasured))
}

/// The first of several objects for one quantity that has a value; if none has, the first's reason.
pub fn first(readings: impl IntoIterator<Item = Reading>) -> Reading {
    let mut readings = readings.into_iter();
    let head = readings.next().unwrap_or(Reading::Missing(Missing::NotOffered));
    if head.get().is_some() {
        return head;
    }
    readings.find(|r| r.get().is_some()).unwrap_or(head)
}

/// Levels of several chains that add up at the receiver, in dBm: the sum of their powers.
pub fn power_sum_dbm(chains: &[Reading]) -> Reading {
    let milliwatts: Vec<f64> = chains.iter().filter_map(|r| r.get()).map(|dbm| 10f64.powf(dbm / 10.0)).collect();
    if milliwatts.is_empty() {
        return chains.first().copied().unwrap_or(Reading::Missing(Missing::NotOffered));
    }
    Reading::value(10.0 * milliwatts.iter().sum::<f64>().log10())
}

/// A channel in MHz. No vendor's carrier is above 200 GHz or below 200 MHz, so the figure itself tells MHz from kHz
/// where MIBs and devices differ.
pub fn mhz_or_khz(reading: Reading) -> Reading {
    reading.map(|f| if f > 200_000.0 { f / 1000.0 } else { f })
}

/// Modulation in words: one where both directions have the same.
pub fn modulation(tx: Option<&str>, rx: Option<&str>) -> Option<String> {
    match (tx, rx) {
        (Some(tx), Some(rx)) if tx != rx => Some(format!("tx {tx}, rx {rx}")),
        (Some(one), _) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

/// The name of an enumerated value; names count from 1.
pub fn name_of<'a>(answers: &Answers, oid: &Oid, names: &[&'a str]) -> Option<&'a str> {
    let number = answers.number(oid).ok()?;
    (1..).zip(names).find(|(n, _)| f64::from(*n) == number).map(|(_, name)| *name)
}

/// The tag of one radio among several that have no peers to be told apart by: the last arc of its row.
pub fn tag(row: &Row, several: bool) -> String {
    match row.index.last() {
        Some(arc) if several => format!("#{arc}"),
        _ => ONLY_RADIO.to_owned(),
    }
}

/// Marks a radio as up.
pub fn up(radio: &mut Radio) {
    radio.set("link_up_flag", Reading::value(1.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Provenance;

    const NONE: Reading = Reading::Missing(Missing::Timeout);

    fn v(value: f64) -> Reading {
        Reading::value(value)
    }

    #[test]
    fn a_sum_is_of_all_or_of_none() {
        assert_eq!(sum([v(1.5), v(2.0)]), v(3.5));
        assert_eq!(sum([Reading::known(1.0, Provenance::Reported)]), Reading::known(1.0, Provenance::Reported));
        assert_eq!(sum([v(1.5), NONE]), NONE);
        assert_eq!(sum([v(1.5), v(-0.5)]), Reading::Missing(Missing::Implausible));
        assert_eq!(sum([]), Reading::Missing(Missing::NotMeasured));
    }

    #[test]
    fn the_weakest_of_those_that_tell() {
        assert_eq!(least([v(-52.0), NONE, v(-60.0)]), v(-60.0));
        assert_eq!(greatest([NONE, v(-52.0), v(-60.0)]), v(-52.0));
        assert_eq!(least([NONE, NONE]), NONE);
        assert_eq!(first([NONE, v(2.0), v(3.0)]), v(2.0));
        assert_eq!(first([NONE, NONE]), NONE);
    }

    #[test]
    fn powers_add_up() {
        // Two equal powers are 3.01 dB more than one, four are 6.02 dB.
        let two = power_sum_dbm(&[v(-60.0), v(-60.0)]).get().unwrap();
        assert!((two + 56.99).abs() < 0.001, "{two}");
        let four = power_sum_dbm(&[v(-59.0); 4]).get().unwrap();
        assert!((four + 52.979).abs() < 0.001, "{four}");
        assert_eq!(power_sum_dbm(&[NONE]), NONE);
    }

    #[test]
    fn a_channel_is_in_mhz_whatever_the_unit() {
        assert_eq!(mhz_or_khz(v(6_840_000.0)), v(6840.0));
        assert_eq!(mhz_or_khz(v(5_785.0)), v(5785.0));
        assert_eq!(mhz_or_khz(v(86_000.0)), v(86_000.0));
    }

    #[test]
    fn modulation_in_words() {
        assert_eq!(modulation(Some("256QAM"), Some("256QAM")).as_deref(), Some("256QAM"));
        assert_eq!(modulation(Some("256QAM"), Some("4QAM")).as_deref(), Some("tx 256QAM, rx 4QAM"));
        assert_eq!(modulation(None, Some("4QAM")).as_deref(), Some("4QAM"));
        assert_eq!(modulation(None, None), None);
    }
}
