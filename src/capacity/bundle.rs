//! Parallel links that serve as one.
//!
//! - `sum`: all members that carry something, added up.
//! - `hash`: the same sum for everybody together, but one flow goes over one member, so that nobody alone gets more
//!   than the largest. A site is taken as one flow: its promise must hold for one download.
//! - `standby`: the first member that is not known to be down carries everything.
//!
//! A sum of radios that share their time between directions is itself taken as such a radio: a little less than the
//! truth where their splits differ, never more. Mixed with full-duplex members, each of them counts with half its
//! time in each direction.

use super::figures::{Basis, Carry, Figures, Up};
use super::topology::{BundlePlan, Member};
use crate::model::network::BundleMode;
use crate::model::view::Bounds;

/// What a bundle is, given its members.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Joined {
    pub figures: Figures,
    /// Place in the list of members of the one that decides: the active one, else the weakest that is up.
    pub decides: Option<usize>,
}

/// Joins the members' figures; `links` is indexed by link.
pub fn join(plan: &BundlePlan, links: &[Figures]) -> Joined {
    let members: Vec<Figures> = plan.members.iter().map(|m| oriented(links[m.link], *m)).collect();
    match plan.mode {
        BundleMode::Standby => standby(&members),
        BundleMode::Sum | BundleMode::Hash => added(&members, plan.mode),
    }
}

/// Which members carry traffic: the active one, or all that are not known to be down.
pub fn carries(plan: &BundlePlan, joined: &Joined, links: &[Figures], place: usize) -> bool {
    match plan.mode {
        BundleMode::Standby => joined.decides == Some(place),
        BundleMode::Sum | BundleMode::Hash => plan.members.get(place).is_some_and(|m| !links[m.link].is_down()),
    }
}

fn oriented(figures: Figures, member: Member) -> Figures {
    if member.reversed { figures.reversed() } else { figures }
}

fn standby(members: &[Figures]) -> Joined {
    let active = members.iter().position(|m| !m.is_down());
    match active {
        Some(place) => {
            // The bundle is up where any member is: an unknown main link before one that works is not an outage.
            let state = if members.iter().any(Figures::is_up) { Up::Yes } else { members[place].up };
            Joined { figures: Figures { up: state, ..members[place] }, decides: Some(place) }
        }
        None => Joined { figures: Figures::DOWN, decides: (!members.is_empty()).then_some(0) },
    }
}

fn added(members: &[Figures], mode: BundleMode) -> Joined {
    let alive: Vec<Figures> = members.iter().copied().filter(|figures| !figures.is_down()).collect();
    if alive.is_empty() {
        return Joined { figures: Figures::DOWN, decides: (!members.is_empty()).then_some(0) };
    }
    let shared = alive.iter().all(|m| m.shared);
    let lane = |pick: fn(&Figures) -> Carry| {
        let parts: Vec<Carry> =
            alive.iter().map(|m| if m.shared && !shared { pick(m).halved() } else { pick(m) }).collect();
        let all = sum(parts.iter().map(|c| c.all));
        let one_flow = match mode {
            BundleMode::Hash => Bounds {
                low: parts.iter().map(|c| c.one_flow.low).fold(0.0, f64::max),
                high: parts.iter().map(|c| c.one_flow.high).fold(0.0, f64::max),
            },
            BundleMode::Sum | BundleMode::Standby => all,
        };
        let basis = Basis::joined(parts.iter().map(|c| c.basis)).unwrap_or(Basis::Equipment);
        Carry { all, one_flow, air: sum(parts.iter().map(|c| c.air)), basis }
    };
    let up = if alive.iter().any(Figures::is_up) { Up::Yes } else { Up::Unknown };
    let by_weight = |(_, a): &(usize, &Figures), (_, b): &(usize, &Figures)| a.weight().total_cmp(&b.weight());
    let weakest = members.iter().enumerate().min_by(by_weight).map(|(place, _)| place);
    let figures = Figures { up, to_far: lane(|m| m.to_far), to_near: lane(|m| m.to_near), shared, sector: None };
    Joined { figures, decides: weakest }
}

fn sum(parts: impl Iterator<Item = Bounds>) -> Bounds {
    parts.fold(Bounds::ZERO, |a, b| Bounds { low: a.low + b.low, high: a.high + b.high })
}
