//! What the hub knows of the network at one instant: made by `capacity`, judged by `alert`, shown by `web`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::network::{Duplex, End};
use super::{
    BackhaulId, BackupId, BundleId, DeviceId, EdgeId, LinkId, Missing, Reading, ServiceId, SiteId, UnixMillis, WispId,
};

/// Downstream: towards the site that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Downstream,
    Upstream,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Downstream => "downstream",
            Self::Upstream => "upstream",
        }
    }
}

/// Whether a link carries anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    Up,
    /// Known to be down; its capacity is 0 by knowledge.
    Down(DownReason),
    Unknown(Missing),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownReason {
    /// A radio answers and says that it has no peer.
    NotConnected,
    /// Both ends silent, and nothing known to have crossed.
    BothEndsSilent,
    /// Of a backhaul: nothing outside answers through it.
    OutsideUnreachable,
}

/// What sets a link's capacity in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitedBy {
    /// The sending radio's figure; the end says which device.
    RadioTx(End),
    /// The receiving radio's figure.
    RadioRx(End),
    /// An Ethernet port.
    Port(End, String),
    /// A contract, a shaper, a declared figure.
    Declared,
    /// A sector's shared air time.
    SectorAirtime,
    /// A bundle: the member that decides.
    Member(LinkId),
}

/// One direction of a link.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectionView {
    /// Mbps with provenance; 0 when the link is known to be down.
    pub capacity_mbps: Reading,
    pub limited_by: Option<LimitedBy>,
    /// When the reading that decides was taken.
    pub measured_at: Option<UnixMillis>,
    pub throughput_mbps: Reading,
    /// What must fit: the targets routed over it, or the link's own target, never under the floor of 30 where
    /// anything is routed; 0 where nothing is. Where directions or peers share air time it includes the time that the
    /// others take, so that a capacity of at least this much always suffices.
    pub required_mbps: f64,
}

/// One end of a link, as evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct EndView {
    pub device: DeviceId,
    pub site: SiteId,
    /// Did the device answer its last poll? `None`: never polled yet, or its agent is silent.
    pub answers: Option<bool>,
    pub seen_at: Option<UnixMillis>,
    pub profile: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub modulation: Option<String>,
    pub rsl_dbm: Reading,
    /// Upper quartile while the link was well; `None` where it was not seen well for long enough.
    pub rsl_dbm_usual: Option<f64>,
    pub snr_db: Reading,
    pub snr_db_usual: Option<f64>,
    pub noise_floor_dbm: Reading,
    /// Centre frequency: which weather matters.
    pub channel_mhz: Reading,
    pub tx_power_dbm: Reading,
    pub airtime_percent: Reading,
    pub capacity_tx_mbps: Reading,
    pub capacity_rx_mbps: Reading,
    /// The firmware that took the capacity away (or the one in use, where that text has not arrived): only while a
    /// capacity is missing as [`Missing::NoLongerOffered`]. `Some("")`: since a firmware that the device does not name.
    pub capacity_not_measurable_since: Option<String>,
    /// Smallest rate of the ports that the inventory names, or of the only port that is up.
    pub port_rate_mbps: Reading,
    pub supply_volts: Reading,
    pub temperature_celsius: Reading,
    pub loss_percent: Reading,
    pub rtt_ms_median: Reading,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LinkView {
    pub id: EdgeId,
    pub near_site: SiteId,
    /// `None` for a backhaul: the Internet.
    pub far_site: Option<SiteId>,
    pub wisp: Option<WispId>,
    pub state: LinkState,
    pub duplex: Duplex,
    /// From near to far. Of a backhaul: upstream.
    pub to_far: DirectionView,
    /// From far to near. Of a backhaul: downstream.
    pub to_near: DirectionView,
    /// Which end is further from the Internet over least-cost paths: "downstream" is towards it.
    pub downstream_end: Option<End>,
    pub near: Option<EndView>,
    pub far: Option<EndView>,
    /// Sites with a target whose path in use crosses the link; of a link that is down, those whose path would cross
    /// it if nothing was down.
    pub behind: Vec<SiteId>,
    /// Figures may open incidents: the family is verified, or the inventory trusts it.
    pub trusted: bool,
    /// Of a bundle.
    pub members: Vec<LinkId>,
    /// A bundle that runs on a member which should stand by, or a radio on its own backup channel.
    pub on_standby: bool,
}

impl LinkView {
    /// The direction towards the served sites, then the one away from them.
    pub fn downstream_upstream(&self) -> (&DirectionView, &DirectionView) {
        match self.downstream_end {
            Some(End::Near) => (&self.to_near, &self.to_far),
            Some(End::Far) | None => (&self.to_far, &self.to_near),
        }
    }
}

/// Lowest and highest figure that the unknown links allow; equal when all is known. Mbps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub low: f64,
    /// `f64::INFINITY` where nothing known limits it.
    pub high: f64,
}

impl Bounds {
    pub const ZERO: Self = Self { low: 0.0, high: 0.0 };

    pub fn exact(mbps: f64) -> Self {
        Self { low: mbps, high: mbps }
    }

    /// The figure, where the unknown links do not matter.
    pub fn known(self) -> Option<f64> {
        // An infinite bound is within any relative distance of anything.
        (self.high.is_finite() && self.high - self.low <= 1e-6 * self.high.max(1.0)).then_some(self.low)
    }
}

/// How a promise is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// *verificata*: measured.
    Verified,
    /// *stimata*: from what the equipment says.
    Estimated,
    /// *dichiarata*: only contracts say so.
    Declared,
    /// *non misurabile*.
    NotMeasurable,
}

impl Known {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Estimated => "estimated",
            Self::Declared => "declared",
            Self::NotMeasurable => "not measurable",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetState {
    Met,
    Below,
    Unknown,
}

impl TargetState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Below => "below",
            Self::Unknown => "unknown",
        }
    }
}

/// One direction of a site's promise.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteDirection {
    pub target_mbps: f64,
    /// Never more than the target, for a site that draws its target draws no more.
    pub together: Bounds,
    pub alone: Bounds,
    pub possible: Bounds,
    pub known: Known,
    /// Judged on `together`.
    pub state: TargetState,
    /// The edge that decides `together`.
    pub bottleneck: Option<EdgeId>,
    /// Edges to blame where the state is unknown.
    pub unknown_edges: Vec<EdgeId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SiteView {
    pub id: SiteId,
    pub downstream: SiteDirection,
    /// Only where an upstream rate was promised.
    pub upstream: Option<SiteDirection>,
    /// Edges from the site to the Internet over the path in use; empty: no path.
    pub path: Vec<EdgeId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ServiceView {
    pub id: ServiceId,
    pub from: SiteId,
    pub up: Option<bool>,
    pub response_ms: Reading,
}

/// A device as its agent sees it, whether it is the end of a link or not.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceView {
    pub site: SiteId,
    /// It answered SNMP or a ping; `Some(false)` only where its agent is alive to say so.
    pub answers: Option<bool>,
    pub loss_percent: Reading,
    pub rtt_ms_median: Reading,
    /// Of the port that its link passes through; see [`EndView::port_rate_mbps`].
    pub port_rate_mbps: Reading,
    pub supply_volts: Reading,
    pub battery_percent: Reading,
    pub on_battery: Option<bool>,
    pub temperature_celsius: Reading,
}

/// Echoes to the addresses outside, through a backhaul.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PingView {
    pub loss_percent: Reading,
    pub rtt_ms_median: Reading,
}

/// An agent as the hub sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentView {
    pub site: SiteId,
    /// As its retained state says; `None`: never heard.
    pub online: Option<bool>,
    pub version: Option<String>,
    pub last_batch_at: Option<UnixMillis>,
    pub received_batches: u64,
    pub duplicate_batches: u64,
    /// Batches known to be lost: below what the agent still holds, and never stored.
    pub lost_batches: u64,
    /// Batches set aside because they did not parse.
    pub rejected_batches: u64,
    /// Messages above what the hub takes from one agent: neither stored nor reported as stored.
    pub throttled_messages: u64,
    /// Batches that the agent holds and the hub has not stored, as the agent last said.
    pub backlog_batches: Option<u64>,
    pub samples: u64,
    /// Agent clock minus hub clock, smallest estimate; positive: the agent is ahead.
    pub clock_error_ms: Option<i64>,
    pub part: PartView,
    /// End of the validity of its client certificate, as it last said.
    pub certificate_expires_at: Option<UnixMillis>,
    /// When there was last proof, in this run of the hub, that two machines write under its name.
    pub cloned_at: Option<UnixMillis>,
}

/// From so long before its end a certificate is reported.
pub const CERTIFICATE_WARN_BEFORE: Duration = Duration::from_hours(30 * 24);

/// Whole days until a certificate ends, once they are few enough to report.
pub fn certificate_days_left(expires_at: UnixMillis, now: UnixMillis) -> Option<u64> {
    let left = expires_at.since(now);
    (left < CERTIFICATE_WARN_BEFORE).then_some(left.as_secs() / (24 * 3600))
}

/// How an agent stands with its part of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartView {
    /// The revision that the hub published, a Unix time in ms; `None`: it knows no key of the agent yet, or cannot.
    pub published: Option<u64>,
    /// The revision that the agent says is in force.
    pub in_force: Option<u64>,
    /// Why the agent refuses the last one.
    pub refused: Option<String>,
    /// A key that the agent shows and that is not the one known, hexadecimal.
    pub key_refused: Option<String>,
    /// Why the hub cannot send it, or not all of its secrets.
    pub trouble: Option<String>,
}

/// Everything at one instant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NetworkView {
    pub at: UnixMillis,
    pub links: BTreeMap<LinkId, LinkView>,
    pub bundles: BTreeMap<BundleId, LinkView>,
    pub backhauls: BTreeMap<BackhaulId, LinkView>,
    pub sites: BTreeMap<SiteId, SiteView>,
    pub services: Vec<ServiceView>,
    pub agents: BTreeMap<SiteId, AgentView>,
    /// Devices of which anything was ever heard.
    pub devices: BTreeMap<DeviceId, DeviceView>,
    /// Of the backhauls that are watched from inside.
    pub outside: BTreeMap<BackhaulId, PingView>,
    /// End of the validity of the hub's own certificate for the broker.
    pub hub_certificate_expires_at: Option<UnixMillis>,
    /// What backup jobs have said.
    pub backups: BTreeMap<BackupId, BackupReports>,
    /// The hub hears nobody, since then: nothing can be judged.
    pub blind_since: Option<UnixMillis>,
}

/// When a backup job last said what, by the hub's clock. This is also the stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupReports {
    pub started_at: Option<UnixMillis>,
    pub finished_at: Option<UnixMillis>,
    pub failed_at: Option<UnixMillis>,
}

impl NetworkView {
    pub fn edge(&self, id: &EdgeId) -> Option<&LinkView> {
        match id {
            EdgeId::Link(id) => self.links.get(id.as_str()),
            EdgeId::Bundle(id) => self.bundles.get(id.as_str()),
            EdgeId::Backhaul(id) => self.backhauls.get(id.as_str()),
        }
    }

    /// Links, bundles and backhauls.
    pub fn edges(&self) -> impl Iterator<Item = &LinkView> {
        self.links.values().chain(self.bundles.values()).chain(self.backhauls.values())
    }
}

/// Asks what would be, if something were well: how causes are found.
pub trait WhatIf {
    /// The promises that would still be below target if these edges had their last good capacity.
    fn below_target_with(&self, restored: &[EdgeId]) -> BTreeSet<(SiteId, Direction)>;

    /// The edges that would still carry less than what is required of them, or nothing, if these edges had their
    /// last good capacity: a bundle, for instance, if its member had.
    fn edges_below_with(&self, restored: &[EdgeId]) -> BTreeSet<EdgeId>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_known_when_they_meet() {
        assert_eq!(Bounds::exact(30.0).known(), Some(30.0));
        assert_eq!(Bounds::ZERO.known(), Some(0.0));
        assert_eq!(Bounds { low: 0.0, high: 30.0 }.known(), None);
        assert_eq!(Bounds { low: 0.0, high: f64::INFINITY }.known(), None);
    }
}
