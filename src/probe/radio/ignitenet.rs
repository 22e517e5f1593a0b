//! IgniteNet MetroLinq, 60 GHz with a 5 GHz radio that takes over, by IGNITENET-MIB (1.3.6.1.4.1.47307.1). There is no
//! rate, and so no capacity.

use super::{Checked, Decoded, Family, Info, ONLY_RADIO, ObjectId, Radio, Scope, Table, gate, unless};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, Value};

pub static FAMILY: Family = Family {
    profile: "ignitenet",
    title: "IgniteNet MetroLinq (60 GHz)",
    checked: Checked::MibText,
    duplex: Duplex::Shared,
    capacity_min_mbps: 0.1,
    capacity_max_mbps: 4620.0,
    capacity_max_source: "no capacity is read from this family",
    channel: None,
    capacity_from: "none is offered",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 47307])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: RADIOS, column: FREQUENCY, rows_max: 4 },
        Table { name: STATUS, column: FAILED_OVER, rows_max: 4 },
    ],
    info: |_| vec![MODEL.into(), FIRMWARE.into()],
    decode_info: |answers, _| Info {
        model: answers.text(&MODEL.into()).ok(),
        firmware: answers.text(&FIRMWARE.into()).ok(),
    },
    requests,
    decode,
};

const RADIOS: &str = "radios";
const STATUS: &str = "status";
const MODEL: &[u32] = &[1, 3, 6, 1, 4, 1, 47307, 1, 1, 1, 0];
const FIRMWARE: &[u32] = &[1, 3, 6, 1, 4, 1, 47307, 1, 1, 3, 0];
/// mlRadioInfoFrequency (MHz), mlRadioInfoTxPower, mlRadioInfoRSSILocal and mlRadioInfoRSSIRemote (dBm, 0 is none).
const FREQUENCY: &[u32] = &[1, 3, 6, 1, 4, 1, 47307, 1, 4, 2, 1, 4];
const TX_POWER: &[u32] = &[1, 3, 6, 1, 4, 1, 47307, 1, 4, 2, 1, 7];
const RSSI: &[u32] = &[1, 3, 6, 1, 4, 1, 47307, 1, 4, 2, 1, 10];
const REMOTE_RSSI: &[u32] = &[1, 3, 6, 1, 4, 1, 47307, 1, 4, 2, 1, 11];
/// mlRadioStatusFailoverStatus: 1 when 5 GHz carries what 60 GHz cannot.
const FAILED_OVER: &[u32] = &[1, 3, 6, 1, 4, 1, 47307, 1, 4, 3, 1, 2];
/// From here on a frequency is one of 60 GHz.
const SIXTY_GHZ: i32 = 57_000;

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let cells = |row: &Row| [FREQUENCY, TX_POWER, RSSI, REMOTE_RSSI].map(|column| Oid::of(column, &row.index));
    let mut oids: Vec<Oid> = scope.rows.of(RADIOS).iter().flat_map(cells).collect();
    oids.extend(scope.rows.of(STATUS).iter().map(|row| Oid::of(FAILED_OVER, &row.index)));
    oids
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let rows = scope.rows.of(RADIOS);
    let sixty = |row: &&Row| matches!(row.value, Value::Integer(mhz) if mhz >= SIXTY_GHZ);
    let main = rows.iter().find(sixty).or(rows.first());
    let mut decoded = Decoded::default();
    for row in rows {
        let own = main.is_some_and(|main| main.index == row.index);
        let tag = if own { ONLY_RADIO.to_owned() } else { format!("radio{}", Oid::from(row.index.as_slice())) };
        let mut radio = radio(answers, row, tag);
        if own && !scope.rows.of(STATUS).is_empty() {
            radio.set("on_standby_flag", failed_over(answers, scope));
        }
        gate(&FAMILY, &mut radio);
        decoded.radios.push(radio);
    }
    decoded
}

fn radio(answers: &Answers, row: &Row, tag: String) -> Radio {
    let read = |column: &[u32]| unless(answers.reading(&Oid::of(column, &row.index), 1.0), &[0.0]);
    let mut radio = Radio::new(tag);
    radio.set("channel_mhz", read(FREQUENCY));
    radio.set("tx_power_dbm", answers.reading(&Oid::of(TX_POWER, &row.index), 1.0));
    let (near, far) = (read(RSSI), read(REMOTE_RSSI));
    radio.set("rsl_dbm", near);
    radio.set("remote_rsl_dbm", far);
    // What hears nothing and is not heard has no peer; more is not said.
    let nothing = Reading::Missing(Missing::Sentinel);
    if near == nothing && far == nothing {
        return radio.down(&["rsl_dbm", "remote_rsl_dbm"]);
    }
    radio.set("link_up_flag", Reading::Missing(Missing::NotOffered));
    radio
}

/// Any radio that says so.
fn failed_over(answers: &Answers, scope: &Scope<'_>) -> Reading {
    let flags = scope.rows.of(STATUS).iter().map(|row| answers.reading(&Oid::of(FAILED_OVER, &row.index), 1.0));
    let valid = flags.filter(|flag| flag.get().is_none_or(|f| f == 0.0 || f == 1.0));
    let rank = |r: &Reading| r.get().unwrap_or(-1.0);
    valid.max_by(|a, b| rank(a).total_cmp(&rank(b))).unwrap_or(Reading::Missing(Missing::Malformed))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, missing, poll};
    use super::*;

    const METROLINQ: &str = "
        1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.47307
        @ml = 1.3.6.1.4.1.47307.1
        @ml.1.1.0 str ML-60-35
        @ml.1.3.0 str 1.4.2
        @ml.4.2.1.4.1 int 5180
        @ml.4.2.1.7.1 int 20
        @ml.4.2.1.10.1 int 0
        @ml.4.2.1.11.1 int 0
        @ml.4.2.1.4.2 int 58320
        @ml.4.2.1.7.2 int 10
        @ml.4.2.1.10.2 int -57
        @ml.4.2.1.11.2 int -59
        @ml.4.3.1.2.1 int 0
    ";

    #[tokio::test]
    async fn the_radio_of_the_link_is_the_one_at_60_ghz() {
        let polled = poll(METROLINQ).await;
        assert_eq!(polled.identity.family.profile, "ignitenet");
        let tags: Vec<_> = polled.radios.iter().map(|r| r.tag.as_str()).collect();
        assert_eq!(tags, ["radio1", "1"]);
        let expected = [
            "channel_mhz=58320",
            "link_up_flag=(not offered)",
            "on_standby_flag=0",
            "remote_rsl_dbm=-59",
            "rsl_dbm=-57",
            "tx_power_dbm=10",
        ];
        check(&polled.radios[1], &expected);
        assert_eq!(polled.radios[0].reading("link_up_flag"), Some(Reading::value(0.0)));
    }

    #[tokio::test]
    async fn failed_over_down_and_odd() {
        let polled = poll(&METROLINQ.replace("4.3.1.2.1 int 0", "4.3.1.2.1 int 1")).await;
        assert_eq!(polled.radios[1].reading("on_standby_flag"), Some(Reading::value(1.0)));
        let polled = poll(&METROLINQ.replace("int -57", "int 0").replace("int -59", "int 0")).await;
        assert_eq!(polled.radios[1].reading("rsl_dbm"), Some(missing("link down")));
        let polled =
            poll(&METROLINQ.replace("int -57", "str -57").replace("4.3.1.2.1 int 0", "4.3.1.2.1 str off")).await;
        assert_eq!(polled.radios[1].reading("rsl_dbm"), Some(missing("malformed")));
        assert_eq!(polled.radios[1].reading("on_standby_flag"), Some(missing("malformed")));
    }
}
