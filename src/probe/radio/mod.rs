//! Radio families: what each is asked, and what its answers mean. `[P]`
//!
//! A family is data plus pure functions in one file, and one line in [`PROFILES`]. Its decoder turns answers into the
//! normal form: units converted once, sentinels and lies made missing with the reason, and a quantity that the family
//! never offers left out. What the family asks for and the device lacks is `NotOffered`.

mod alcoma;
mod cambium_cnwave60;
mod cambium_epmp;
mod cambium_pmp450;
mod cambium_ptp;
mod dragonwave;
mod ericsson_minilink;
mod ericsson_node;
mod generic;
mod ignitenet;
mod infinet;
mod mikrotik;
mod mikrotik_lte;
mod mikrotik_wifi;
mod nec_ipasolink;
mod nokia_wavence;
mod openwrt;
mod plain;
mod power_apc;
mod power_edgepower;
mod power_ict;
mod power_netonix;
mod power_packetpower;
mod power_tpdin;
mod power_ups;
mod saf_cfip;
mod saf_cfm;
mod saf_integra;
mod saf_integra_e;
mod saf_integra_x;
mod supply;
mod tachyon;
mod trango;
mod ubiquiti;
mod ubiquiti_af60;
mod ubiquiti_airfiber;
mod ubiquiti_airmax;
mod ubiquiti_ltu;

mod aviat_wtm;
mod carriers;
mod ceiling;
mod ceragon;
mod ligowave;
mod mimosa;
mod racom_ray;
mod radwin;
mod siae;
mod siae_alfo80hd;
mod siklu_etherhaul;
mod siklu_multihaul;

use std::collections::{BTreeMap, BTreeSet};

pub use ceiling::Channel;

use super::snmp::Row;
use super::value::{Answers, Counter, Oid, Value};
use crate::model::network::Duplex;
use crate::model::{Missing, Provenance, Reading};

/// Every family, in the order in which they are tried. The last takes whatever is left.
#[rustfmt::skip] // One a line.
pub static PROFILES: &[&Family] = &[
    &ubiquiti_af60::FAMILY,
    &ubiquiti_airfiber::FAMILY,
    &ubiquiti_ltu::FAMILY,
    &ubiquiti_airmax::FAMILY,
    &mikrotik::FAMILY,
    &cambium_epmp::FAMILY,
    &cambium_pmp450::FAMILY,
    &cambium_ptp::PTP250,
    &cambium_ptp::PTP500,
    &cambium_ptp::PTP600,
    &cambium_ptp::PTP650,
    &cambium_ptp::PTP670,
    &cambium_ptp::PTP800,
    &cambium_cnwave60::FAMILY,
    &mimosa::FAMILY,
    // Before EtherHaul, whose sysObjectID is the beginning of this one.
    &siklu_multihaul::FAMILY,
    &siklu_etherhaul::FAMILY,
    &racom_ray::FAMILY,
    &aviat_wtm::FAMILY,
    &radwin::FAMILY,
    &ligowave::FAMILY,
    &siae_alfo80hd::FAMILY,
    &siae::FAMILY,
    &ceragon::FAMILY,
    &saf_integra::FAMILY,
    &saf_integra_e::FAMILY,
    &saf_integra_x::FAMILY,
    &saf_cfip::FAMILY,
    &saf_cfm::FAMILY,
    &tachyon::FAMILY,
    &openwrt::FAMILY,
    &dragonwave::FAMILY,
    &nokia_wavence::FAMILY,
    &alcoma::FAMILY,
    &infinet::FAMILY,
    &nec_ipasolink::FAMILY,
    &trango::FAMILY,
    &ignitenet::FAMILY,
    &ericsson_minilink::FAMILY,
    &ericsson_node::FAMILY,
    &plain::APRISA,
    &plain::EXALT,
    &plain::BATS,
    &plain::PROTEUS,
    &plain::WIS,
    &plain::LANCOM,
    &plain::ALBENTIA,
    &power_ups::FAMILY,
    &power_apc::FAMILY,
    &power_netonix::FAMILY,
    &power_packetpower::FAMILY,
    &power_edgepower::FAMILY,
    &power_ict::FAMILY,
    &power_tpdin::FAMILY,
    &generic::FAMILY,
];

/// Their names, which an inventory may use.
pub const NAMES: &[&str] = &{
    let mut names = [""; PROFILES.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = PROFILES[i].profile;
        i += 1;
    }
    names
};

/// SNMPv2-MIB (RFC 3418).
pub const SYS_DESCR: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 1, 0];
pub const SYS_OBJECT_ID: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 2, 0];
pub const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];

/// IF-MIB (RFC 2863) ifType, for the [`Table`] of a family that tells its capacity only as the rate of its radio's
/// interface, and that rate (Mbps).
pub const IF_TYPE: &[u32] = super::port::IF_TYPE;
pub const IF_HIGH_SPEED: &[u32] = super::port::IF_HIGH_SPEED;

/// The tag of the only radio of a point-to-point device.
pub const ONLY_RADIO: &str = "1";
/// The tag of what a sector says of itself.
pub const SECTOR_RADIO: &str = "sector";

/// One family of radios.
pub struct Family {
    /// Its name in the inventory and in `radio_info`.
    pub profile: &'static str,
    /// Its name for people.
    pub title: &'static str,
    pub checked: Checked,
    /// How its two directions share the air, where the inventory does not say.
    pub duplex: Duplex,
    /// Capacities and PHY rates outside these bounds on a live link are nonsense, Mbps.
    pub capacity_min_mbps: f64,
    pub capacity_max_mbps: f64,
    /// Where the maximum comes from.
    pub capacity_max_source: &'static str,
    /// What its channel can carry, where it tells the width: then a lower maximum follows from that.
    pub channel: Option<Channel>,
    /// Where its capacity comes from, in a few words for people: the objects, or the factor and its source.
    pub capacity_from: &'static str,
    /// Values of sysObjectID that only this family has.
    pub object_ids: &'static [ObjectId],
    /// Values that others have too: then one of `asks` must answer, or one of `descrs` match. A family with both is
    /// known by its `descrs` only when none of the families that share the value has answered.
    pub shared_object_ids: &'static [ObjectId],
    /// Beginnings or parts of its sysDescr. A family without `shared_object_ids` is known by them whatever its
    /// sysObjectID is.
    pub descrs: &'static [Descr],
    pub asks: &'static [&'static [u32]],
    /// Tables whose rows must be known before exact objects can be asked for.
    pub tables: &'static [Table],
    /// Objects that seldom change: model, firmware.
    pub info: fn(&Rows) -> Vec<Oid>,
    pub decode_info: fn(&Answers, &Rows) -> Info,
    /// Objects of every poll.
    pub requests: fn(&Scope<'_>) -> Vec<Oid>,
    pub decode: fn(&Answers, &Scope<'_>) -> Decoded,
}

/// What a family's decoder was checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Answers of a real device.
    Recording,
    /// The vendor's MIB or documentation alone.
    MibText,
}

impl Family {
    /// Figures of a family that no real device has confirmed open no capacity incident, unless the inventory trusts
    /// the device.
    pub fn verified(&self) -> bool {
        self.checked == Checked::Recording
    }

    /// What its answers say. A device that the inventory calls a sector may be read by a family that knows one peer
    /// only, and tells that one's address: it is left out unless the peer is ours.
    pub fn read(&self, answers: &Answers, scope: &Scope<'_>) -> Decoded {
        let mut decoded = (self.decode)(answers, scope);
        if scope.sector && !scope.everybody {
            for radio in &mut decoded.radios {
                let ours = |mac: &String| scope.peers.contains(mac) || scope.peers.contains(&radio.tag);
                radio.peer = radio.peer.take().filter(ours);
            }
        }
        decoded
    }
}

impl std::fmt::Debug for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Family({})", self.profile)
    }
}

/// How a sysObjectID matches.
#[derive(Debug, Clone, Copy)]
pub enum ObjectId {
    /// Exactly this.
    Is(&'static [u32]),
    /// This, or anything under it.
    Under(&'static [u32]),
}

impl ObjectId {
    fn matches(self, oid: &Oid) -> bool {
        match self {
            Self::Is(arcs) => oid.arcs() == arcs,
            Self::Under(root) => oid.under(root).is_some(),
        }
    }
}

/// How a sysDescr matches.
#[derive(Debug, Clone, Copy)]
pub enum Descr {
    Is(&'static str),
    Begins(&'static str),
    Contains(&'static str),
}

impl Descr {
    fn matches(self, text: &str) -> bool {
        match self {
            Self::Is(whole) => text == whole,
            Self::Begins(start) => text.starts_with(start),
            Self::Contains(part) => text.contains(part),
        }
    }
}

/// A table that a family wants the rows of, by one small column.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    pub name: &'static str,
    pub column: &'static [u32],
    /// Rows beyond this many are not looked at.
    pub rows_max: usize,
}

/// Rows found, by table.
#[derive(Debug, Clone, Default)]
pub struct Rows(BTreeMap<&'static str, Vec<Row>>);

impl Rows {
    pub fn set(&mut self, table: &'static str, rows: Vec<Row>) {
        self.0.insert(table, rows);
    }

    pub fn of(&self, table: &str) -> &[Row] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }
}

/// What the decoder may know of its device besides the answers.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub rows: &'a Rows,
    /// The device is the access point of a sector.
    pub sector: bool,
    /// How the inventory knows the peers of this device: by MAC address, or by the tag of the radio towards them.
    pub peers: &'a BTreeSet<String>,
    /// Every peer is to be read, whoever it is: a technician asks the device itself, without an inventory.
    pub everybody: bool,
}

/// A peer that the device tells of.
#[derive(Debug, Clone)]
pub struct Station<'a> {
    pub row: &'a Row,
    /// Lower-case hex without separators.
    pub mac: Option<String>,
}

/// Which of a device's peers are to be read.
#[derive(Debug, Clone)]
pub enum Selection<'a> {
    /// The device has no peer: its link is down.
    Nobody,
    /// The other end of a point-to-point link.
    One(Station<'a>),
    /// Several peers, none of which the inventory knows: no figure would be that of the link.
    Ambiguous,
    /// Peers of a sector that are ours, and how many are not.
    Sector { ours: Vec<Station<'a>>, strangers: usize },
}

impl Scope<'_> {
    /// Chooses among the peers in a table.
    pub fn select<'r>(&self, rows: &'r [Row], mac: impl Fn(&Row) -> Option<String>) -> Selection<'r> {
        let stations: Vec<_> = rows.iter().map(|row| Station { row, mac: mac(row) }).collect();
        let known = |s: &Station<'_>| self.everybody || s.mac.as_ref().is_some_and(|mac| self.peers.contains(mac));
        if self.sector {
            let all = stations.len();
            let ours: Vec<_> = stations.into_iter().filter(known).collect();
            return Selection::Sector { strangers: all - ours.len(), ours };
        }
        match stations.as_slice() {
            [] => Selection::Nobody,
            // With one peer there is no doubt, whatever address the inventory has for it.
            [only] => Selection::One(only.clone()),
            several => several.iter().find(|s| known(s)).cloned().map_or(Selection::Ambiguous, Selection::One),
        }
    }
}

impl Scope<'_> {
    /// The peers of a sector that are ours and that it does not have: their links are down.
    pub fn absent(&self, selection: &Selection<'_>, fields: &[&'static str]) -> Vec<Radio> {
        if !self.sector {
            return Vec::new();
        }
        let there: BTreeSet<&String> = selection.chosen().iter().filter_map(|s| s.mac.as_ref()).collect();
        let absent = self.peers.iter().filter(|mac| !there.contains(mac));
        absent.map(|mac| Radio { peer: Some(mac.clone()), ..Radio::new(mac.clone()) }.down(fields)).collect()
    }
}

impl<'a> Selection<'a> {
    /// The peers to be read.
    pub fn chosen(&self) -> &[Station<'a>] {
        match self {
            Self::Nobody | Self::Ambiguous => &[],
            Self::One(station) => std::slice::from_ref(station),
            Self::Sector { ours, .. } => ours,
        }
    }
}

/// Model and firmware, where the device says them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    pub model: Option<String>,
    pub firmware: Option<String>,
}

/// Octet counters of a radio, for its throughput.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Octets {
    pub tx: Result<Counter, Missing>,
    pub rx: Result<Counter, Missing>,
}

/// One radio in the normal form.
#[derive(Debug, Clone, PartialEq)]
pub struct Radio {
    /// [`ONLY_RADIO`], [`SECTOR_RADIO`], or the MAC address of the sector's peer.
    pub tag: String,
    /// MAC address of the other end; only of peers that are ours, or of the one peer of a point-to-point link.
    pub peer: Option<String>,
    /// Fields of the measurement `radio`.
    pub readings: BTreeMap<&'static str, Reading>,
    pub modulation: Option<String>,
    pub octets: Option<Octets>,
}

impl Radio {
    pub fn new(tag: impl Into<String>) -> Self {
        Self { tag: tag.into(), peer: None, readings: BTreeMap::new(), modulation: None, octets: None }
    }

    /// The radio towards a station: the only one, or the one of a sector's peer.
    pub fn towards(station: &Station<'_>, scope: &Scope<'_>) -> Self {
        let tag = match &station.mac {
            Some(mac) if scope.sector => mac.clone(),
            None if scope.sector => carriers::tag(station.row, true),
            _ => ONLY_RADIO.to_owned(),
        };
        Self { peer: station.mac.clone(), ..Self::new(tag) }
    }

    /// The radio of a device with several peers, none of which the inventory knows.
    pub fn unmeasured(fields: &[&'static str]) -> Self {
        let mut radio = Self::new(ONLY_RADIO);
        for field in fields {
            radio.set(field, Reading::Missing(Missing::NotMeasured));
        }
        radio
    }

    /// What a sector says of itself.
    pub fn of_sector(ours: usize, strangers: usize) -> Self {
        let mut radio = Self::new(SECTOR_RADIO);
        radio.set("peers_count", Reading::value((ours + strangers) as f64));
        radio.set("strangers_count", Reading::value(strangers as f64));
        radio
    }

    /// Its device has several peers, and none was chosen.
    pub fn is_ambiguous(&self) -> bool {
        self.peer.is_none() && self.reading("rsl_dbm") == Some(Reading::Missing(Missing::NotMeasured))
    }

    /// It is known to be without its peer.
    pub fn is_down(&self) -> bool {
        self.reading("link_up_flag") == Some(Reading::value(0.0))
    }

    pub fn set(&mut self, field: &'static str, reading: Reading) {
        self.readings.insert(field, reading);
    }

    pub fn reading(&self, field: &str) -> Option<Reading> {
        self.readings.get(field).copied()
    }

    /// Without its peer a radio has none of the quantities of a link.
    #[must_use]
    pub fn down(mut self, fields: &[&'static str]) -> Self {
        self.set("link_up_flag", Reading::value(0.0));
        for field in fields {
            self.set(field, Reading::Missing(Missing::LinkDown));
        }
        self
    }
}

/// What a poll says, in the normal form.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decoded {
    pub radios: Vec<Radio>,
    /// Fields of the measurement `power`.
    pub power: BTreeMap<&'static str, Reading>,
    /// Tables whose rows have gone: look again before the next poll.
    pub stale: Vec<&'static str>,
    /// Tables that may have other rows by now: look again before long.
    pub suspect: Vec<&'static str>,
}

/// What a table of peers needs to become radios.
#[derive(Debug, Clone, Copy)]
pub struct Peers<'a> {
    /// Its rows, which may be those of another table where a device lacks the column that was meant.
    pub rows: &'a [Row],
    /// The tables to look at again when a row has gone.
    pub tables: &'a [&'static str],
    /// Fields that end with the link.
    pub link_fields: &'a [&'static str],
    /// The MAC address of a row's peer.
    pub mac: fn(&Row) -> Option<String>,
}

impl<'a> Peers<'a> {
    /// Which rows are to be read.
    pub fn select(&self, scope: &Scope<'_>) -> Selection<'a> {
        scope.select(self.rows, self.mac)
    }

    /// One radio a peer that is ours, as `read` gives it; `None` of it: the row has gone, and the link with it. A peer
    /// of ours without a row is down, several that cannot be told apart are not measured, a sector adds its own radio.
    pub fn decode(&self, scope: &Scope<'_>, read: impl Fn(&Station<'_>) -> Option<Radio>) -> Decoded {
        let selection = self.select(scope);
        let mut decoded = Decoded::default();
        for station in selection.chosen() {
            let radio = read(station).unwrap_or_else(|| Radio::towards(station, scope).down(self.link_fields));
            decoded.radios.push(radio);
        }
        decoded.radios.extend(scope.absent(&selection, self.link_fields));
        match &selection {
            Selection::Nobody => decoded.radios.push(Radio::new(ONLY_RADIO).down(self.link_fields)),
            Selection::Ambiguous => decoded.radios.push(Radio::unmeasured(self.link_fields)),
            Selection::One(_) => {}
            Selection::Sector { ours, strangers } => decoded.radios.push(Radio::of_sector(ours.len(), *strangers)),
        }
        if decoded.radios.iter().any(Radio::is_down) {
            decoded.stale.extend(self.tables);
        }
        decoded
    }
}

/// The family of that name.
pub fn family(profile: &str) -> Option<&'static Family> {
    PROFILES.iter().copied().find(|f| f.profile == profile)
}

/// What has to be asked before a device is identified: nothing, if its sysObjectID and sysDescr are enough.
/// `system`: the answers that have its sysDescr.
pub fn questions(object_id: Option<&Oid>, system: &Answers) -> Vec<Oid> {
    if by_system(object_id, system).is_some() {
        return Vec::new();
    }
    let Some(object_id) = object_id else { return Vec::new() };
    let shared = PROFILES.iter().filter(|f| matches(f.shared_object_ids, object_id));
    shared.flat_map(|f| f.asks).map(|ask| Oid::from(*ask)).collect()
}

fn matches(ids: &[ObjectId], oid: &Oid) -> bool {
    ids.iter().any(|id| id.matches(oid))
}

/// The family that sysObjectID and sysDescr alone decide, and why: both together before sysObjectID before sysDescr.
fn by_system(object_id: Option<&Oid>, system: &Answers) -> Option<(&'static Family, String)> {
    let descr = system.text(&SYS_DESCR.into()).unwrap_or_default();
    let described = |f: &&Family| f.descrs.iter().any(|d| d.matches(&descr));
    let says = format!("sysDescr \"{descr}\"");
    if let Some(object_id) = object_id {
        let object = format!("sysObjectID {object_id}");
        let both = |f: &&Family| matches(f.shared_object_ids, object_id) && f.asks.is_empty() && described(f);
        if let Some(family) = PROFILES.iter().copied().find(both) {
            return Some((family, format!("{object}, and {says}")));
        }
        if let Some(family) = PROFILES.iter().copied().find(|f| matches(f.object_ids, object_id)) {
            return Some((family, object));
        }
    }
    let family = PROFILES.iter().copied().find(|f| f.shared_object_ids.is_empty() && described(f))?;
    Some((family, says))
}

/// The family of a device, and why: by its sysObjectID and sysDescr and, where families share them, by which of the
/// [`questions`] are answered.
pub fn identify(object_id: Option<&Oid>, answers: &Answers) -> (&'static Family, String) {
    if let Some(found) = by_system(object_id, answers) {
        return found;
    }
    let Some(object_id) = object_id else {
        return (&generic::FAMILY, "it has no sysObjectID: only its interfaces are read".to_owned());
    };
    let object = format!("sysObjectID {object_id}");
    let descr = answers.text(&SYS_DESCR.into()).unwrap_or_default();
    for family in PROFILES.iter().copied().filter(|f| matches(f.shared_object_ids, object_id)) {
        if let Some(ask) = family.asks.iter().find(|ask| answers.has(&Oid::from(**ask))) {
            return (family, format!("{object}, and {} answers", Oid::from(*ask)));
        }
    }
    // Of those that share it, the one that is described so is what is left when nobody has answered.
    let left = |f: &&Family| matches(f.shared_object_ids, object_id) && f.descrs.iter().any(|d| d.matches(&descr));
    if let Some(family) = PROFILES.iter().copied().find(left) {
        return (family, format!("{object}, sysDescr \"{descr}\", and none of the others that share it answers"));
    }
    (&generic::FAMILY, format!("{object} is of no family known here: only its interfaces are read"))
}

/// Turns what cannot be true into missing.
pub fn gate(family: &Family, radio: &mut Radio) {
    let rates = ["capacity_tx_mbps", "capacity_rx_mbps", "phy_tx_mbps", "phy_rx_mbps"];
    let by_channel = |direction| {
        let most = family.channel.as_ref().and_then(|channel| ceiling::capacity_max_mbps(channel, radio, direction));
        most.unwrap_or(f64::INFINITY).min(family.capacity_max_mbps)
    };
    let [tx_max, rx_max] = ["tx", "rx"].map(by_channel);
    for (field, reading) in &mut radio.readings {
        let Some(value) = reading.get() else { continue };
        let (min, max) = match *field {
            field if rates.contains(&field) => {
                (family.capacity_min_mbps, if field.contains("_tx_") { tx_max } else { rx_max })
            }
            "throughput_tx_mbps" | "throughput_rx_mbps" => (0.0, family.capacity_max_mbps * 1.1),
            // A receiver hears nothing below the thermal noise of 1 MHz (-114 dBm) and is overdriven long before 0 dBm.
            field if field.ends_with("_dbm") && field.contains("rsl") => (-114.0, -1.0),
            "noise_floor_dbm" => (-130.0, -40.0),
            // Beyond what the signal levels above allow.
            "snr_db" | "remote_snr_db" | "cinr_db" => (-30.0, 100.0),
            // 3GPP TS 38.133, section 10.1, which contains those of TS 36.133 for LTE.
            "rsrp_dbm" => (-156.0, -31.0),
            "rsrq_db" => (-43.0, 20.0),
            "sinr_db" => (-23.0, 40.0),
            "tx_power_dbm" => (-40.0, 45.0),
            field if field.ends_with("_percent") => (0.0, 100.0),
            // An agent that takes a counter for a signed number.
            field if field.ends_with("_total") || field.ends_with("_count") => (0.0, f64::INFINITY),
            // No terrestrial link is longer: the curve of the Earth ends them before.
            "distance_meters" => (0.0, 300_000.0),
            _ => continue,
        };
        if !(min..=max).contains(&value) {
            *reading = Reading::Missing(Missing::Implausible);
        }
    }
}

/// A number whose vendor says "none" by one of `sentinels`.
pub fn unless(reading: Reading, sentinels: &[f64]) -> Reading {
    match reading.get() {
        Some(value) if sentinels.contains(&value) => Reading::Missing(Missing::Sentinel),
        _ => reading,
    }
}

/// Signal levels of both chains or polarisations as one: the sum of their powers, as radios combine them themselves
/// (a PMP 450 with -74 dBm on both says -71 dBm). One alone stands for itself.
pub fn combined(first: Reading, second: Reading) -> Reading {
    match (first.get(), second.get()) {
        (Some(a), Some(b)) => Reading::value(10.0 * (10f64.powf(a / 10.0) + 10f64.powf(b / 10.0)).log10()),
        (None, Some(_)) => second,
        _ => first,
    }
}

/// A capacity that the radio reports itself; 0 on a live link is "not known".
pub fn reported(answers: &Answers, oid: &Oid, scale: f64) -> Reading {
    with_provenance(unless(answers.reading(oid, scale), &[0.0]), Provenance::Reported)
}

/// A capacity that the radio tells as the rate of its own interface, ifHighSpeed in Mbps; 0 is "not known".
pub fn of_interface(answers: &Answers, row: &Row) -> Reading {
    reported(answers, &Oid::of(IF_HIGH_SPEED, &row.index), 1.0)
}

/// The interfaces of that ifType, in a table by [`IF_TYPE`].
pub fn interfaces(rows: &[Row], if_type: i32) -> impl Iterator<Item = &Row> {
    rows.iter().filter(move |row| row.value == Value::Integer(if_type))
}

/// A capacity made from a modulation rate.
pub fn derived(phy: Reading, factor: f64) -> Reading {
    with_provenance(phy.map(|mbps| mbps * factor), Provenance::Derived)
}

fn with_provenance(reading: Reading, from: Provenance) -> Reading {
    match reading {
        Reading::Value { value, .. } => Reading::known(value, from),
        missing @ Reading::Missing(_) => missing,
    }
}

#[cfg(test)]
mod tests;
