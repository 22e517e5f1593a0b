//! What the engine remembers besides incidents: how good each link has been, and how much each agent had lost. `[P]`
//!
//! It is small and serialisable, so that a restarted hub closes by the same thresholds as one that ran on. Without
//! it nothing is wrong: thresholds start from what is seen from then on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::incident::Condition;
use super::observe::Key;
use crate::model::view::{Direction, LinkState, NetworkView};
use crate::model::{EdgeId, SiteId, UnixMillis};

/// A closing threshold asks for no more than the link's best of so many days (DESIGN section 8, "Time").
pub const BEST_DAYS: i64 = 30;

/// A day's best is written anew when it grows by more than this: a capacity that creeps up must not mean a write a
/// minute.
const BEST_GROWTH_MIN: f64 = 1.01;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Day since 1970, Mbps.
type DayBest = (i64, f64);

/// See the module.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Of each edge and direction: day (since 1970) and best capacity on it, Mbps.
    best: Vec<(EdgeId, Direction, Vec<DayBest>)>,
    /// Batches lost in all, as last seen; `None` in a memory that has never seen a view.
    lost_batches: Option<BTreeMap<SiteId, u64>>,
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
        }
        changed
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
