//! What links carry and what sites get: from readings to the [`NetworkView`](crate::model::view::NetworkView). `[P]`
//!
//! The steps, each in its file: `readings` keeps the latest samples; `ends` turns them into facts about the ends of
//! a link; `link` judges one link, with `reach` for the proofs of what has crossed it; `bundle` joins members;
//! `topology` routes; `fair` shares; `deliver` says what every site gets and what every edge must carry; `state`
//! holds it all, `assemble` writes the view, and `whatif` asks the same with some edges restored.
//!
//! What it deliberately does not do: measure, hold times, decide what is an incident.

mod assemble;
mod bundle;
mod deliver;
mod ends;
mod fair;
mod figures;
mod link;
pub(crate) mod reach;
mod readings;
mod state;
mod topology;
mod whatif;

#[cfg(test)]
mod tests;

use crate::model::network::Duplex;

pub use deliver::{REQUIRED_FLOOR_MBPS, meets};
pub use readings::{AHEAD_MAX, Ignored};
pub use state::{NetworkState, STALE_INTERVALS};
pub use whatif::LastEvaluation;

/// What the capacity of a link must know of a radio family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyFacts {
    pub duplex: Duplex,
    /// Checked against recordings: its figures may open capacity incidents.
    pub verified: bool,
}

/// Looks a family up by its profile name; `None` for a name that is no family.
pub type Families = fn(&str) -> Option<FamilyFacts>;
