//! What an agent knows of its devices from before it started: how they speak SNMP, what their radios offered, and
//! under which firmware. With it a quantity that a firmware took away is told from one that a device never had. `[P]`
//!
//! A field counts as lost when the device answers that it has no such object (or one of another type) under a firmware
//! other than the one that last offered it. Under the same firmware it is only `NotOffered`: a table that is still
//! filling is no change of firmware. [`super::recall`] keeps all this in a file.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::access::Version;
use super::device::{Identity, KEY_FIELDS};
use super::radio::Radio;
use crate::catalogue::RADIO;
use crate::model::{Missing, Reading};

/// Radios remembered of one device: the peers of ours that a large sector serves.
const RADIOS_MAX: usize = 64;

/// How a device is best asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speech {
    /// The version that it answers.
    pub version: Version,
    /// Variables that fit one of its answers.
    pub variables: usize,
}

/// What is remembered of one device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceMemory {
    pub speech: Option<Speech>,
    /// By the tag `radio`.
    radios: BTreeMap<String, RadioMemory>,
}

/// Field -> firmware.
type Firmwares = BTreeMap<&'static str, String>;

/// What is remembered of one radio; no field is in both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct RadioMemory {
    /// The firmware that last offered the field.
    offered: Firmwares,
    /// The first firmware that did not.
    lost: Firmwares,
}

/// Capacities that a firmware took away: the tag `radio` -> that firmware.
pub type Lost = BTreeMap<String, String>;

impl DeviceMemory {
    /// Notes what `radios` offer, marks what their firmware took away as [`Missing::NoLongerOffered`], and returns the
    /// radios that lost their capacity. `ours`: whether a radio that is missing altogether should be there still.
    pub fn judge(&mut self, identity: &Identity, radios: &mut Vec<Radio>, ours: impl Fn(&str) -> bool) -> Lost {
        let Some(firmware) = firmware(identity) else { return Lost::new() };
        let told = radios.len();
        for tag in self.radios.keys().filter(|tag| ours(tag)) {
            if radios.iter().all(|radio| radio.tag != *tag) {
                radios.push(Radio::new(tag.clone()));
            }
        }
        let mut lost = Lost::new();
        for radio in radios.iter_mut() {
            if !self.radios.contains_key(&radio.tag) && self.radios.len() >= RADIOS_MAX {
                continue;
            }
            let memory = self.radios.entry(radio.tag.clone()).or_default();
            memory.judge(firmware, radio);
            let capacity = ["capacity_tx_mbps", "capacity_rx_mbps"].iter().find_map(|field| memory.lost.get(field));
            lost.extend(capacity.map(|since| (radio.tag.clone(), since.clone())));
        }
        let missed = radios.split_off(told);
        radios.extend(missed.into_iter().filter(|radio| !radio.readings.is_empty()));
        self.radios.retain(|_, memory| !memory.offered.is_empty() || !memory.lost.is_empty());
        lost
    }
}

impl RadioMemory {
    fn judge(&mut self, firmware: &str, radio: &mut Radio) {
        for (field, reading) in &radio.readings {
            if matches!(reading, Reading::Value { .. }) {
                self.lost.remove(field);
                if self.offered.get(field).is_none_or(|before| before != firmware) {
                    self.offered.insert(field, firmware.to_owned());
                }
            }
        }
        let gone = |field: &'static str| match radio.readings.get(field) {
            Some(reading) => matches!(reading.missing(), Some(Missing::NotOffered | Missing::Malformed)),
            // Another family may read the device now, which knows no such field; of the others nobody would miss one.
            None => KEY_FIELDS.contains(&field),
        };
        let newly: Vec<_> =
            self.offered.iter().filter(|(f, was)| *was != firmware && gone(f)).map(|(f, _)| *f).collect();
        for field in newly {
            self.offered.remove(field);
            self.lost.insert(field, firmware.to_owned());
        }
        let still: Vec<_> = self.lost.keys().copied().filter(|field| gone(field)).collect();
        for field in still {
            radio.set(field, Reading::Missing(Missing::NoLongerOffered));
        }
    }
}

/// The firmware, or what stands for it where the device does not tell.
fn firmware(identity: &Identity) -> Option<&str> {
    identity.info.firmware.as_deref().or(identity.sys_descr.as_deref())
}

/// A line of the file: what is remembered of one device.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    device: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snmp: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variables: Option<usize>,
    radios: BTreeMap<String, RadioLine>,
}

/// Firmware -> fields: far shorter than the other way round.
type Fields = BTreeMap<String, BTreeSet<String>>;

#[derive(Debug, Serialize, Deserialize)]
struct RadioLine {
    offered: Fields,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lost: Fields,
}

/// One line of the file, with its checksum and without a line break.
pub fn encode(device: &str, memory: &DeviceMemory) -> String {
    let turned = |firmwares: &Firmwares| {
        let mut fields = Fields::new();
        for (field, firmware) in firmwares {
            fields.entry(firmware.clone()).or_default().insert((*field).to_owned());
        }
        fields
    };
    let radio = |(tag, radio): (&String, &RadioMemory)| {
        (tag.clone(), RadioLine { offered: turned(&radio.offered), lost: turned(&radio.lost) })
    };
    let line = Line {
        device: device.to_owned(),
        snmp: memory.speech.map(|s| s.version.as_str().to_owned()),
        variables: memory.speech.map(|s| s.variables),
        radios: memory.radios.iter().map(radio).collect(),
    };
    let json = serde_json::to_string(&line).expect("maps of texts are JSON");
    format!("{} {json}", checksum(&json))
}

fn checksum(json: &str) -> String {
    format!("{:08x}", crc32fast::hash(json.as_bytes()))
}

/// The device of a line and what is remembered of it; `None` where the line is damaged. Fields that the catalogue does
/// not have (any more) are left out.
pub fn decode(line: &str) -> Option<(String, DeviceMemory)> {
    let (crc, json) = line.split_once(' ')?;
    if crc != checksum(json) {
        return None;
    }
    let line: Line = serde_json::from_str(json).ok()?;
    let turned = |fields: Fields| {
        let names =
            fields.into_iter().flat_map(|(firmware, names)| names.into_iter().map(move |n| (n, firmware.clone())));
        names.filter_map(|(name, firmware)| Some((RADIO.field(&name)?.name, firmware))).collect::<Firmwares>()
    };
    let version = line.snmp.and_then(|text| Version::ALL.into_iter().find(|v| v.as_str() == text));
    let speech = version.zip(line.variables).map(|(version, variables)| Speech { version, variables });
    let radios = line.radios.into_iter().take(RADIOS_MAX);
    let radios =
        radios.map(|(tag, radio)| (tag, RadioMemory { offered: turned(radio.offered), lost: turned(radio.lost) }));
    Some((line.device, DeviceMemory { speech, radios: radios.collect() }))
}

#[cfg(test)]
mod tests;
