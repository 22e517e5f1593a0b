//! Cambium cnWave 60, by TERRAGRAPH-RADIO-MIB (1.3.6.1.4.1.17713.60.1.1.1): one row a link.
//!
//! No object has a rate. The index is a number of its own, though the MIB says ifIndex (row 1 was that of interface
//! 11), so its interface is not known and nothing is taken from IF-MIB.

use super::{Checked, Decoded, Family, Info, ObjectId, Peers, Radio, SYS_DESCR, Scope, Station, Table, gate, unless};
use crate::model::network::Duplex;
use crate::model::{Missing, Reading};
use crate::probe::snmp::Row;
use crate::probe::value::{Answers, Oid, mac_of_value};

pub static FAMILY: Family = Family {
    profile: "cambium-cnwave60",
    title: "Cambium cnWave 60 (60 GHz)",
    checked: Checked::MibText,
    duplex: Duplex::Shared,
    capacity_min_mbps: 0.1,
    capacity_max_mbps: 3800.0,
    capacity_max_source: "Cambium's published 3.8 Gbps in one direction for V3000 with bonded channels",
    channel: None,
    capacity_from: "nothing: no object has a rate, and how its MCS above 12 are numbered is not published (levels and \
                    MCS were read from a recording)",
    object_ids: &[ObjectId::Under(&[1, 3, 6, 1, 4, 1, 17713, 60, 1])],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[
        Table { name: REMOTES, column: REMOTE_MAC, rows_max: 32 },
        // The rows of a device that does not tell the other end.
        Table { name: LEVELS, column: LEVEL, rows_max: 32 },
    ],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| info(&answers.text(&SYS_DESCR.into()).unwrap_or_default()),
    requests,
    decode,
};

const REMOTES: &str = "remotes";
const LEVELS: &str = "levels";
/// tgRadioStatEntry.
const ENTRY: &[u32] = &[1, 3, 6, 1, 4, 1, 17713, 60, 1, 1, 1];
/// Text.
const REMOTE_MAC: &[u32] = &[1, 3, 6, 1, 4, 1, 17713, 60, 1, 1, 1, 4];
const LEVEL: &[u32] = &[1, 3, 6, 1, 4, 1, 17713, 60, 1, 1, 1, 7];

const COLUMNS: [(&str, u32); 3] = [("mcs_tx_index", 5), ("snr_db", 6), ("rsl_dbm", 7)];
const LINK_FIELDS: [&str; 3] = ["mcs_tx_index", "snr_db", "rsl_dbm"];

/// `Cambium cnWave V3000 Distribution Node, Version 1.2.2.1`
fn info(descr: &str) -> Info {
    let (model, version) = match descr.split_once(", Version ") {
        Some((model, version)) => (model, Some(version.to_owned())),
        None => (descr, None),
    };
    let model = model.strip_prefix("Cambium ").unwrap_or(model);
    Info { model: Some(model.to_owned()).filter(|m| !m.is_empty()), firmware: version }
}

fn cell(column: u32, row: &Row) -> Oid {
    Oid::of(&[ENTRY, &[column]].concat(), &row.index)
}

fn peers<'a>(scope: &Scope<'a>) -> Peers<'a> {
    let remotes = scope.rows.of(REMOTES);
    let rows = if remotes.is_empty() { scope.rows.of(LEVELS) } else { remotes };
    let mac = |row: &Row| mac_of_value(&row.value);
    Peers { rows, tables: &[REMOTES, LEVELS], link_fields: &LINK_FIELDS, mac }
}

fn requests(scope: &Scope<'_>) -> Vec<Oid> {
    let selection = peers(scope).select(scope);
    let cells = |station: &Station<'_>| COLUMNS.map(|(_, column)| cell(column, station.row));
    selection.chosen().iter().flat_map(cells).collect()
}

fn decode(answers: &Answers, scope: &Scope<'_>) -> Decoded {
    let mut decoded = peers(scope).decode(scope, |station| station_radio(answers, station, scope));
    for radio in &mut decoded.radios {
        gate(&FAMILY, radio);
    }
    decoded
}

fn station_radio(answers: &Answers, station: &Station<'_>, scope: &Scope<'_>) -> Option<Radio> {
    let mut radio = Radio::towards(station, scope);
    for (field, column) in COLUMNS {
        let reading = answers.reading(&cell(column, station.row), 1.0);
        radio.set(field, if field == "rsl_dbm" { unless(reading, &[0.0]) } else { reading });
    }
    if radio.readings.values().all(|r| r.missing() == Some(Missing::NotOffered)) {
        return None;
    }
    radio.set("link_up_flag", Reading::value(1.0));
    Some(radio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_has_model_and_version() {
        let check = |descr: &str, model: Option<&str>, firmware: Option<&str>| {
            let expected = Info { model: model.map(str::to_owned), firmware: firmware.map(str::to_owned) };
            assert_eq!(info(descr), expected);
        };
        let whole = "Cambium cnWave V3000 Distribution Node, Version 1.2.2.1";
        check(whole, Some("cnWave V3000 Distribution Node"), Some("1.2.2.1"));
        check("node of ours", Some("node of ours"), None);
        check("", None, None);
    }
}
