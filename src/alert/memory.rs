//! What the engine remembers besides incidents: how good each link has been, and how much each agent had lost. `[P]`
//!
//! It is small and serialisable, so that a restarted hub closes by the same thresholds as one that ran on. Without
//! it nothing is wrong: thresholds start from what is seen from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::baseline::{Baseline, Baselines, UsualLevel};
use super::incident::{Condition, Subject};
use super::observe::{Key, has_radar_detection};
use crate::model::network::Network;
use crate::model::view::{Direction, LinkState, LinkView, NetworkView};
use crate::model::{DeviceId, EdgeId, LinkId, SiteId, UnixMillis};

/// A closing threshold asks for no more than the link's best of so many days (DESIGN section 8, "Time").
pub const BEST_DAYS: i64 = 30;

/// A day's best is written anew when it grows by more than this: a capacity that creeps up must not mean a write a
/// minute.
const BEST_GROWTH_MIN: f64 = 1.01;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Day since 1970, Mbps.
type DayBest = (i64, f64);

/// A rate is usual once it was seen for so long.
const PORT_USUAL: Duration = Duration::from_hours(1);
/// The last sight of a rate is written this often.
const PORT_WRITE: Duration = Duration::from_hours(6);
/// Ethernet knows few rates.
const PORT_RATES_MAX: usize = 6;

/// One rate of one port, first and last seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct PortRate {
    mbps: f64,
    first: UnixMillis,
    last: UnixMillis,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Of each edge and direction: day (since 1970) and best capacity on it, Mbps.
    best: Vec<(EdgeId, Direction, Vec<DayBest>)>,
    /// Batches lost in all, as last seen; `None` in a memory that has never seen a view.
    lost_batches: Option<BTreeMap<SiteId, u64>>,
    /// What each end of a link usually receives.
    baselines: Baselines,
    /// Rates that a device's port has negotiated.
    ports: BTreeMap<DeviceId, Vec<PortRate>>,
    /// Links whose channel has radar detection, as last known: a link that is down does not say.
    dfs: BTreeSet<LinkId>,
    #[serde(skip)]
    index: BTreeMap<(EdgeId, Direction), usize>,
}

impl Memory {
    /// Rebuilds what is not stored.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        self.index = self.best.iter().enumerate().map(|(i, (e, d, _))| ((e.clone(), *d), i)).collect();
        self
    }

    /// Notes today's best of every edge that is up. True if something worth writing has changed.
    pub fn observe(&mut self, view: &NetworkView, now: UnixMillis) -> bool {
        let day = now.0.div_euclid(DAY_MS);
        let mut changed = false;
        for link in view.edges().filter(|l| l.state == LinkState::Up) {
            let (downstream, upstream) = link.downstream_upstream();
            for (direction, figures) in [(Direction::Downstream, downstream), (Direction::Upstream, upstream)] {
                if let Some(mbps) = figures.capacity_mbps.get() {
                    changed |= self.note(&link.id, direction, day, mbps);
                }
            }
            changed |= self.note_ends(link, now);
        }
        for (id, device) in &view.devices {
            if let Some(mbps) = device.port_rate_mbps.get().filter(|mbps| *mbps > 0.0) {
                changed |= self.note_port(id, mbps, now);
            }
        }
        changed
    }

    /// Drops what a changed inventory no longer has.
    pub fn set_network(&mut self, network: &Network) {
        self.baselines.retain(|id, _| network.links.contains_key(id.as_str()));
        self.dfs.retain(|id| network.links.contains_key(id.as_str()));
        self.ports.retain(|id, _| network.devices.contains_key(id.as_str()));
        self.best.retain(|(edge, ..)| match edge {
            EdgeId::Link(id) => network.links.contains_key(id.as_str()),
            EdgeId::Bundle(id) => network.bundles.contains_key(id.as_str()),
            EdgeId::Backhaul(id) => network.backhauls.contains_key(id.as_str()),
        });
        self.index = self.best.iter().enumerate().map(|(i, (e, d, _))| ((e.clone(), *d), i)).collect();
    }

    /// Levels and channel of a link that is up.
    fn note_ends(&mut self, link: &LinkView, now: UnixMillis) -> bool {
        let EdgeId::Link(id) = &link.id else { return false };
        let ends = [&link.near, &link.far];
        let mut changed = false;
        let channel = ends.iter().find_map(|end| end.as_ref()?.channel_mhz.get());
        if let Some(mhz) = channel {
            let dfs = has_radar_detection(mhz);
            if dfs != self.dfs.contains(id.as_str()) {
                changed = true;
                if dfs {
                    self.dfs.insert(id.clone())
                } else {
                    self.dfs.remove(id.as_str())
                };
            }
        }
        let levels = ends.map(|end| end.as_ref().and_then(|e| e.rsl_dbm.get()));
        if levels.iter().all(Option::is_none) {
            return changed;
        }
        if !self.baselines.contains_key(id.as_str()) {
            self.baselines.insert(id.clone(), <[Baseline; 2]>::default());
        }
        if let Some(baselines) = self.baselines.get_mut(id.as_str()) {
            for (baseline, level) in baselines.iter_mut().zip(levels) {
                changed |= level.is_some_and(|dbm| baseline.observe(dbm, now));
            }
        }
        changed
    }

    fn note_port(&mut self, id: &DeviceId, mbps: f64, now: UnixMillis) -> bool {
        if !self.ports.contains_key(id.as_str()) {
            self.ports.insert(id.clone(), Vec::new());
        }
        let Some(rates) = self.ports.get_mut(id.as_str()) else { return false };
        let kept = Duration::from_hours(24 * BEST_DAYS.unsigned_abs());
        let before = rates.len();
        rates.retain(|rate| now.since(rate.last) <= kept && rate.last <= now + kept);
        let mut changed = rates.len() != before;
        match rates.iter().position(|rate| (rate.mbps - mbps).abs() < 0.5) {
            Some(at) => {
                let rate = &mut rates[at];
                let grown = now.since(rate.last) >= PORT_WRITE
                    || now.since(rate.first) >= PORT_USUAL && rate.last.since(rate.first) < PORT_USUAL;
                if grown {
                    rate.last = now;
                    changed = true;
                }
            }
            None if rates.len() < PORT_RATES_MAX => {
                rates.push(PortRate { mbps, first: now, last: now });
                changed = true;
            }
            None => {}
        }
        changed
    }

    /// The highest rate of the last 30 days that was seen for an hour, Mbps.
    pub fn usual_port(&self, id: &DeviceId) -> Option<f64> {
        let rates = self.ports.get(id.as_str())?;
        rates.iter().filter(|r| r.last.since(r.first) >= PORT_USUAL).map(|r| r.mbps).reduce(f64::max)
    }

    pub(super) fn port_fell(&self, id: &DeviceId, rate_mbps: Option<f64>) -> bool {
        rate_mbps.filter(|r| *r > 0.0).zip(self.usual_port(id)).is_some_and(|(rate, usual)| rate < usual)
    }

    /// What this end of the link usually receives at this time of day.
    pub fn baseline(&self, link: &LinkId, end: usize, now: UnixMillis) -> Option<UsualLevel> {
        self.baselines.get(link.as_str())?.get(end)?.usual(now)
    }

    /// Its capacity was known, in both directions, within the last 30 days.
    pub fn was_measured(&self, edge: &EdgeId) -> bool {
        [Direction::Downstream, Direction::Upstream].into_iter().all(|d| self.best_mbps(edge, d).is_some())
    }

    pub(super) fn has_radar_detection(&self, subject: &Subject) -> bool {
        matches!(subject, Subject::Edge(EdgeId::Link(id)) if self.dfs.contains(id.as_str()))
    }

    fn note(&mut self, edge: &EdgeId, direction: Direction, day: i64, mbps: f64) -> bool {
        let key = (edge.clone(), direction);
        let at = *self.index.entry(key).or_insert_with(|| {
            self.best.push((edge.clone(), direction, Vec::new()));
            self.best.len() - 1
        });
        let days = &mut self.best[at].2;
        days.retain(|(d, _)| *d > day - BEST_DAYS && *d < day + BEST_DAYS);
        let Some((_, best)) = days.iter_mut().find(|(d, _)| *d == day) else {
            days.push((day, mbps));
            return true;
        };
        let grown = mbps > *best * BEST_GROWTH_MIN;
        if grown {
            *best = mbps;
        }
        grown
    }

    /// Best capacity in the last [`BEST_DAYS`], Mbps; `None` if never seen up.
    pub fn best_mbps(&self, edge: &EdgeId, direction: Direction) -> Option<f64> {
        let at = *self.index.get(&(edge.clone(), direction))?;
        self.best[at].2.iter().map(|(_, mbps)| *mbps).reduce(f64::max)
    }

    /// The best capacity that the condition of a key is judged by.
    pub(super) fn best_mbps_of(&self, key: &Key) -> Option<f64> {
        if key.condition != Condition::CapacityBelow {
            return None;
        }
        self.best_mbps(key.edge()?, key.direction?)
    }

    /// Notes a best that an incident has kept.
    pub(super) fn recall_best(&mut self, edge: &EdgeId, direction: Direction, mbps: f64, at: UnixMillis) {
        self.note(edge, direction, at.0.div_euclid(DAY_MS), mbps);
    }

    /// Notes how much an agent has lost in all; says by how much that grew since the last look, and whether the
    /// memory changed. The first look of a new memory counts as no growth: those losses are history.
    pub fn lost_growth(&mut self, agent: &SiteId, lost: u64) -> (u64, bool) {
        let Some(known) = &mut self.lost_batches else { return (0, false) };
        let before = known.insert(agent.clone(), lost);
        (lost.saturating_sub(before.unwrap_or(0)), before != Some(lost))
    }

    /// Ends the first look: from now on an agent that was never seen has lost nothing yet. True if that is new.
    pub fn finish_look(&mut self, agents: impl Iterator<Item = (SiteId, u64)>) -> bool {
        if self.lost_batches.is_some() {
            return false;
        }
        self.lost_batches = Some(agents.collect());
        true
    }
}
