//! What an edge can carry, as numbers to compute with: bounds in place of readings, for what is unknown may be
//! anything between nothing and its ceiling.

use super::link::{Judged, Lane};
use crate::model::network::End;
use crate::model::view::{Bounds, LinkState};
use crate::model::{Provenance, Reading};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Up {
    Yes,
    /// Known to be down.
    No,
    Unknown,
}

/// How a capacity is known, as far as a promise is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    Measured,
    Equipment,
    Declared,
}

impl Basis {
    fn of(capacity: Reading) -> Self {
        match capacity.provenance() {
            Some(Provenance::Measured) => Self::Measured,
            Some(Provenance::Declared) => Self::Declared,
            Some(Provenance::Reported | Provenance::Derived | Provenance::Port) | None => Self::Equipment,
        }
    }

    /// Of several parts in a row or side by side: measured or declared only if all are.
    pub fn joined(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        parts.into_iter().reduce(|a, b| if a == b { a } else { Self::Equipment })
    }
}

/// One direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Carry {
    /// For everybody together, Mbps.
    pub all: Bounds,
    /// For one flow, Mbps.
    pub one_flow: Bounds,
    /// What the radio alone carries if it sends in this direction all the time, Mbps.
    pub air: Bounds,
    pub basis: Basis,
}

impl Carry {
    pub const NOTHING: Self =
        Self { all: Bounds::ZERO, one_flow: Bounds::ZERO, air: Bounds::ZERO, basis: Basis::Equipment };

    fn of(lane: &Lane) -> Self {
        let all = match lane.capacity.get() {
            Some(mbps) => Bounds::exact(mbps.max(0.0)),
            None => Bounds { low: 0.0, high: lane.ceiling_mbps },
        };
        let air = match (lane.air_mbps, lane.capacity.get()) {
            (Some(air), Some(_)) => Bounds::exact(air),
            (None, Some(mbps)) => Bounds::exact(mbps.max(0.0)),
            (_, None) => Bounds { low: 0.0, high: f64::INFINITY },
        };
        Self { all, one_flow: all, air, basis: Basis::of(lane.capacity) }
    }

    /// The same with half of its time.
    #[must_use]
    pub fn halved(self) -> Self {
        let air = self.air.scaled(0.5);
        Self { all: self.all.at_most(air), one_flow: self.one_flow.at_most(air), air, basis: self.basis }
    }

    pub fn is_known(&self) -> bool {
        self.all.known().is_some()
    }
}

/// Arithmetic on bounds.
pub trait BoundsExt {
    #[must_use]
    fn scaled(self, factor: f64) -> Self;
    #[must_use]
    fn at_most(self, other: Self) -> Self;
}

impl BoundsExt for Bounds {
    fn scaled(self, factor: f64) -> Self {
        Self { low: self.low * factor, high: self.high * factor }
    }

    fn at_most(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.min(other.high) }
    }
}

/// The place of an edge in a sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InSector {
    pub sector: usize,
    /// The end where the access point is.
    pub access_point: End,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    pub up: Up,
    pub to_far: Carry,
    pub to_near: Carry,
    /// Both directions divide the same air time.
    pub shared: bool,
    pub sector: Option<InSector>,
}

impl Figures {
    pub const DOWN: Self =
        Self { up: Up::No, to_far: Carry::NOTHING, to_near: Carry::NOTHING, shared: false, sector: None };

    pub fn of(judged: &Judged, shared: bool, sector: Option<InSector>) -> Self {
        let up = match judged.state {
            LinkState::Up => Up::Yes,
            LinkState::Down(_) => Up::No,
            LinkState::Unknown(_) => Up::Unknown,
        };
        Self { up, to_far: Carry::of(&judged.to_far), to_near: Carry::of(&judged.to_near), shared, sector }
    }

    pub fn is_down(&self) -> bool {
        self.up == Up::No
    }

    pub fn is_up(&self) -> bool {
        self.up == Up::Yes
    }

    /// What flows towards this end.
    pub fn towards(&self, end: End) -> &Carry {
        match end {
            End::Near => &self.to_near,
            End::Far => &self.to_far,
        }
    }

    /// The same edge with its ends exchanged.
    #[must_use]
    pub fn reversed(self) -> Self {
        let sector = self.sector.map(|s| InSector { access_point: s.access_point.other(), ..s });
        Self { to_far: self.to_near, to_near: self.to_far, sector, ..self }
    }

    /// What it surely carries, both directions added: to find the weakest of several.
    pub fn weight(&self) -> f64 {
        self.to_far.all.low + self.to_near.all.low
    }
}

/// Two figures of an edge, by direction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pair {
    pub to_far: f64,
    pub to_near: f64,
}

impl Pair {
    pub fn towards(&self, end: End) -> f64 {
        match end {
            End::Near => self.to_near,
            End::Far => self.to_far,
        }
    }

    pub fn towards_mut(&mut self, end: End) -> &mut f64 {
        match end {
            End::Near => &mut self.to_near,
            End::Far => &mut self.to_far,
        }
    }

    #[must_use]
    pub fn reversed(self) -> Self {
        Self { to_far: self.to_near, to_near: self.to_far }
    }

    /// The larger of the two in each direction.
    #[must_use]
    pub fn at_least(self, other: Self) -> Self {
        Self { to_far: self.to_far.max(other.to_far), to_near: self.to_near.max(other.to_near) }
    }
}
