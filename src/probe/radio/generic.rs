//! Anything else: its interfaces (IF-MIB) are read, nothing is said of its radio.

use super::{Checked, Decoded, Family, Info, SYS_DESCR};
use crate::model::network::Duplex;

pub static FAMILY: Family = Family {
    profile: "generic",
    title: "any device with IF-MIB",
    checked: Checked::Recording,
    duplex: Duplex::Full,
    capacity_min_mbps: 0.0,
    capacity_max_mbps: 100_000.0,
    capacity_max_source: "no capacity is read from this family",
    channel: None,
    capacity_from: "nothing: its interfaces are read alone",
    object_ids: &[],
    shared_object_ids: &[],
    descrs: &[],
    asks: &[],
    tables: &[],
    info: |_| vec![SYS_DESCR.into()],
    decode_info: |answers, _| Info { model: answers.text(&SYS_DESCR.into()).ok(), firmware: None },
    requests: |_| Vec::new(),
    decode: |_, _| Decoded::default(),
};
