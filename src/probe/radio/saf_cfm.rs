//! SAF Tehnika CFM with a multiplexer (1.3.6.1.4.1.7571.100.1.1.2.22): one or two radios that protect one another,
//! towards one peer. Frequencies, voltages and currents are texts with units. No capacity is reported.

use std::collections::BTreeMap;

use super::supply::note;
use super::{Checked, Decoded, Family, Info, ObjectId, Radio, Scope, Table, gate, unless};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::value::{Answers, Oid};

pub static FAMILY: Family = Family {
    profile: "saf-cfm",
    title: "SAF CFM",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 1.0,
    capacity_max_mbps: 200.0,
    capacity_max_source: "no capacity is read from this family",
    channel: None,
    capacity_from: "none is offered",
    object_ids: &[ObjectId::Is(BASE)],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: "1", column: &[1, 3, 6, 1, 4, 1, 7571, 100, 1, 1, 2, 22, 3, 10], rows_max: 1 },
        Table { name: "2", column: &[1, 3, 6, 1, 4, 1, 7571, 100, 1, 1, 2, 22, 4, 10], rows_max: 1 },
    ],
    info: |_| [MODEL, FIRMWARE].map(|object| Oid::of(BASE, &object)).into(),
    decode_info: |answers, _| Info {
        model: answers.text(&Oid::of(BASE, &MODEL)).ok(),
        firmware: answers.text(&Oid::of(BASE, &FIRMWARE)).ok(),
    },
    requests: |scope| {
        let mut oids: Vec<Oid> = POWER.iter().map(|(_, object)| Oid::of(BASE, &[1, *object, 0])).collect();
        for (_, group) in radios(scope) {
            oids.extend(COLUMNS.iter().map(|object| Oid::of(BASE, &[group, *object, 0])));
        }
        oids
    },
    decode: |answers, scope| Decoded {
        radios: radios(scope).map(|(tag, group)| radio(answers, tag, group)).collect(),
        power: power(answers),
        ..Decoded::default()
    },
};

const BASE: &[u32] = &[1, 3, 6, 1, 4, 1, 7571, 100, 1, 1, 2, 22];
const MODEL: [u32; 3] = [1, 1, 0];
const FIRMWARE: [u32; 3] = [1, 4, 0];
/// Tag and group of objects of both radios.
const RADIOS: [(&str, u32); 2] = [("1", 3), ("2", 4)];
/// Transmit frequency, transmit power, received level.
const COLUMNS: [u32; 3] = [6, 8, 10];
const POWER: [(&str, u32); 3] = [("supply_volts", 19), ("supply_amps", 20), ("supply_watts", 21)];

fn radios(scope: &Scope<'_>) -> impl Iterator<Item = (&'static str, u32)> {
    RADIOS.into_iter().filter(|(table, _)| !scope.rows.of(table).is_empty())
}

fn radio(answers: &Answers, tag: &str, group: u32) -> Radio {
    let of = |object| Oid::of(BASE, &[group, object, 0]);
    let mut radio = Radio::new(tag);
    radio.set("link_up_flag", Reading::Missing(Missing::NotOffered));
    radio.set("channel_mhz", unless(answers.decimal(&of(6), 1.0), &[0.0]));
    radio.set("tx_power_dbm", answers.decimal(&of(8), 1.0));
    radio.set("rsl_dbm", unless(answers.decimal(&of(10), 1.0), &[0.0, -99.0]));
    gate(&FAMILY, &mut radio);
    radio
}

fn power(answers: &Answers) -> BTreeMap<&'static str, Reading> {
    let mut power = BTreeMap::new();
    for (field, object) in POWER {
        note(&mut power, field, answers.decimal(&Oid::of(BASE, &[1, object, 0]), 1.0));
    }
    power
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use super::*;

    const CFM: &str = "
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.7571.100.1.1.2.22
        @saf = 1.3.6.1.4.1.7571.100.1.1.2.22
        @saf.1.1.0 str SAF CFM-M4P-MUX
        @saf.1.4.0 str V4.26
        @saf.1.19.0 str 47.20V
        @saf.1.20.0 str 0.45A
        @saf.1.21.0 str 21.20W
        @saf.3.6.0 str Tx=7512.500MHz
        @saf.3.8.0 int 27
        @saf.3.10.0 int -54
        @saf.4.6.0 str Tx=7512.500MHz
        @saf.4.8.0 int 27
        @saf.4.10.0 int -99
    ";

    #[tokio::test]
    async fn a_protected_cfm_in_the_normal_form() {
        let polled = poll(CFM).await;
        assert_eq!(polled.identity.family.profile, "saf-cfm");
        assert_eq!(polled.identity.info.model.as_deref(), Some("SAF CFM-M4P-MUX"));
        let [one, two] = &polled.radios[..] else { panic!("{:?}", polled.radios) };
        check(one, &["channel_mhz=7512.5", "link_up_flag=(not offered)", "rsl_dbm=-54", "tx_power_dbm=27"]);
        assert_eq!((two.tag.as_str(), two.reading("rsl_dbm")), ("2", Some(missing("sentinel"))));
        assert_eq!(polled.power["supply_volts"], Reading::value(47.2));
        assert_eq!(polled.power["supply_watts"], Reading::value(21.2));
    }

    #[tokio::test]
    async fn odd_answers() {
        let polled = poll(&CFM.replace("str Tx=7512.500MHz", "str Tx=off").replace("str 21.20W", "hex 00")).await;
        assert_eq!(polled.radios[0].reading("channel_mhz"), Some(missing("malformed")));
        assert_eq!(polled.power["supply_watts"], missing("sentinel"));
        let single: String = CFM.lines().filter(|l| !l.contains("@saf.4")).collect::<Vec<_>>().join("\n");
        assert_eq!(poll(&single).await.radios.len(), 1);
    }
}
