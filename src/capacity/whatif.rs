//! The network as one evaluation left it, to be asked again with some edges restored: how causes are found.
//!
//! A restored edge has its last good capacity: the last that met what was required of it; where the hub has not seen
//! that, the best it has seen, raised to what is required. So a link that never was good enough still explains the
//! sites behind it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bundle::{self, Joined};
use super::deliver::{FairWeather, Solution, meets, required, solve};
use super::figures::{Basis, Carry, Figures, Pair, Up};
use super::topology::{Carrier, Topology};
use crate::model::network::{BundleMode, End, Network, Target};
use crate::model::view::{Bounds, Direction, TargetState, WhatIf};
use crate::model::{EdgeId, SiteId};

/// What the inventory fixes.
#[derive(Debug)]
pub struct Plan {
    pub topology: Topology,
    pub fair_weather: FairWeather,
    /// Own target of each edge of the graph, and of each link.
    own_edge: Vec<Option<Target>>,
    own_link: Vec<Option<Target>>,
    edge_of: PerCarrier<Option<usize>>,
    simultaneity: f64,
}

impl Plan {
    pub fn new(network: &Network) -> Self {
        let topology = Topology::new(network);
        let own_link: Vec<Option<Target>> = network.links.values().map(|link| link.target).collect();
        let own_edge = topology
            .edges
            .iter()
            .map(|edge| match edge.carrier {
                Carrier::Link(link) => own_link[link],
                Carrier::Bundle(_) | Carrier::Backhaul(_) => None,
            })
            .collect();
        let fair_weather = FairWeather::new(&topology);
        let (n_bundles, n_backhauls) = (topology.bundles.len(), network.backhauls.len());
        let mut edge_of = PerCarrier::filled(topology.links.len(), n_bundles, n_backhauls);
        for (place, edge) in topology.edges.iter().enumerate() {
            *edge_of.get_mut(edge.carrier) = Some(place);
        }
        Self { topology, fair_weather, own_edge, own_link, edge_of, simultaneity: network.simultaneity }
    }

    /// The edge of the graph that stands for this carrier; a member of a bundle has none.
    pub fn edge_of(&self, carrier: Carrier) -> Option<usize> {
        *self.edge_of.get(carrier)
    }
}

/// Capacities at one moment, by direction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Seen {
    all: Pair,
    one_flow: Pair,
    air: Pair,
}

impl Seen {
    fn of(figures: &Figures) -> Option<Self> {
        let pair = |pick: fn(&Carry) -> Bounds| {
            Some(Pair { to_far: pick(&figures.to_far).known()?, to_near: pick(&figures.to_near).known()? })
        };
        Some(Self { all: pair(|c| c.all)?, one_flow: pair(|c| c.one_flow)?, air: pair(|c| c.air)? })
    }

    fn at_least(self, other: Self) -> Self {
        Self {
            all: self.all.at_least(other.all),
            one_flow: self.one_flow.at_least(other.one_flow),
            air: self.air.at_least(other.air),
        }
    }
}

/// What is remembered of an edge's better days.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Good {
    last_met: Option<Seen>,
    best: Option<Seen>,
}

impl Good {
    /// Remembers the present figures, if they are known and something passes.
    pub fn note(&mut self, figures: &Figures, required: Pair) {
        let Some(seen) = Seen::of(figures).filter(|_| figures.is_up()) else { return };
        self.best = Some(self.best.map_or(seen, |best| best.at_least(seen)));
        if meets_both(seen.all, required) {
            self.last_met = Some(seen);
        }
    }

    /// The capacity that it can be expected to have when it is well.
    fn capacity(&self) -> Option<Pair> {
        self.last_met.or(self.best).map(|seen| seen.all)
    }

    /// The edge as it would be, restored.
    fn restored(&self, now: &Figures, required: Pair) -> Figures {
        let seen = self.last_met.or(self.best).unwrap_or_default();
        let all = seen.all.at_least(required);
        let one_flow = seen.one_flow.at_least(required);
        let mut air = seen.air.at_least(all);
        if now.shared {
            let both = required.to_far + required.to_near;
            air = air.at_least(Pair { to_far: both, to_near: both });
        }
        let carry = |end: End| Carry {
            all: Bounds::exact(all.towards(end)),
            one_flow: Bounds::exact(one_flow.towards(end)),
            air: Bounds::exact(air.towards(end)),
            basis: Basis::Equipment,
        };
        Figures { up: Up::Yes, to_far: carry(End::Far), to_near: carry(End::Near), ..*now }
    }
}

fn meets_both(capacity: Pair, required: Pair) -> bool {
    meets(capacity.to_far, required.to_far) && meets(capacity.to_near, required.to_near)
}

/// One value for every link, bundle and backhaul.
#[derive(Debug, Clone)]
pub struct PerCarrier<T> {
    pub links: Vec<T>,
    pub bundles: Vec<T>,
    pub backhauls: Vec<T>,
}

impl<T: Default + Clone> PerCarrier<T> {
    pub fn filled(links: usize, bundles: usize, backhauls: usize) -> Self {
        let defaults = |n: usize| vec![T::default(); n];
        Self { links: defaults(links), bundles: defaults(bundles), backhauls: defaults(backhauls) }
    }
}

impl<T> PerCarrier<T> {
    pub fn get(&self, carrier: Carrier) -> &T {
        match carrier {
            Carrier::Link(i) => &self.links[i],
            Carrier::Bundle(i) => &self.bundles[i],
            Carrier::Backhaul(i) => &self.backhauls[i],
        }
    }

    pub fn get_mut(&mut self, carrier: Carrier) -> &mut T {
        match carrier {
            Carrier::Link(i) => &mut self.links[i],
            Carrier::Bundle(i) => &mut self.bundles[i],
            Carrier::Backhaul(i) => &mut self.backhauls[i],
        }
    }
}

/// The network solved for one set of figures.
#[derive(Debug, Clone)]
pub struct Picture {
    pub links: Vec<Figures>,
    pub bundles: Vec<Joined>,
    /// By edge of the graph.
    pub edges: Vec<Figures>,
    pub solution: Solution,
    /// By edge of the graph.
    pub required: Vec<Pair>,
    /// By link; of a member, its part of what its bundle must carry.
    pub required_link: Vec<Pair>,
}

impl Picture {
    /// Solves the network. `restored_bundles` replaces what members make of a bundle.
    pub fn new(
        plan: &Plan,
        links: Vec<Figures>,
        backhauls: &[Figures],
        restored_bundles: &[(usize, Figures)],
        sector_ports: &[f64],
        good: &PerCarrier<Good>,
    ) -> Self {
        let topology = &plan.topology;
        let mut bundles: Vec<Joined> = topology.bundles.iter().map(|b| bundle::join(b, &links)).collect();
        for (place, figures) in restored_bundles {
            bundles[*place].figures = *figures;
        }
        let edges: Vec<Figures> = topology
            .edges
            .iter()
            .map(|edge| match edge.carrier {
                Carrier::Link(i) => links[i],
                Carrier::Bundle(i) => bundles[i].figures,
                Carrier::Backhaul(i) => backhauls[i],
            })
            .collect();
        let solution = solve(topology, &plan.fair_weather, &edges, sector_ports);
        let required = required(topology, &solution.routes, &edges, plan.simultaneity, &plan.own_edge);
        let mut picture = Self { links, bundles, edges, solution, required, required_link: Vec::new() };
        picture.required_link = picture.required_of_links(plan, good);
        picture
    }

    /// What each link must carry. A member that stands by: nothing. The active one of a standby: everything. One of
    /// several that work together: what the others leave when they are well, so that of two members the one that has
    /// faded is to blame, and neither is while the bundle has enough.
    fn required_of_links(&self, plan: &Plan, good: &PerCarrier<Good>) -> Vec<Pair> {
        let topology = &plan.topology;
        let mut list = vec![Pair::default(); self.links.len()];
        for (edge, required) in topology.edges.iter().zip(&self.required) {
            match edge.carrier {
                Carrier::Link(i) => list[i] = *required,
                Carrier::Backhaul(_) => {}
                Carrier::Bundle(b) => self.divide(plan, b, *required, good, &mut list),
            }
        }
        for (edge, child) in topology.edges.iter().zip(&self.solution.routes.child) {
            let Carrier::Bundle(b) = edge.carrier else { continue };
            for member in &topology.bundles[b].members {
                let Some(own) = plan.own_link[member.link] else { continue };
                let down = child.map_or(End::Far, |end| if member.reversed { end.other() } else { end });
                let mbps = list[member.link].towards_mut(down);
                *mbps = mbps.max(own.downstream_mbps);
                let mbps = list[member.link].towards_mut(down.other());
                *mbps = mbps.max(own.upstream_mbps.unwrap_or(0.0));
            }
        }
        list
    }

    fn divide(&self, plan: &Plan, b: usize, required: Pair, good: &PerCarrier<Good>, list: &mut [Pair]) {
        let bundle = &plan.topology.bundles[b];
        let oriented = |pair: Pair, reversed: bool| if reversed { pair.reversed() } else { pair };
        for (place, member) in bundle.members.iter().enumerate() {
            let part = match bundle.mode {
                BundleMode::Standby if self.bundles[b].decides == Some(place) => required,
                BundleMode::Standby => Pair::default(),
                BundleMode::Sum | BundleMode::Hash => {
                    let others = bundle.members.iter().filter(|m| m.link != member.link).filter_map(|m| {
                        let now = Seen::of(&self.links[m.link]).map(|seen| seen.all);
                        Some(oriented(good.links[m.link].capacity().or(now)?, m.reversed))
                    });
                    let sum = others.fold(Pair::default(), |a, p| Pair {
                        to_far: a.to_far + p.to_far,
                        to_near: a.to_near + p.to_near,
                    });
                    Pair {
                        to_far: (required.to_far - sum.to_far).max(0.0),
                        to_near: (required.to_near - sum.to_near).max(0.0),
                    }
                }
            };
            list[member.link] = oriented(part, member.reversed);
        }
    }

    fn is_below(figures: &Figures, required: Pair) -> bool {
        let short = |end: End| figures.towards(end).all.known().is_some_and(|mbps| !meets(mbps, required.towards(end)));
        figures.is_down() || short(End::Near) || short(End::Far)
    }

    /// Every edge and every member that is down or known to carry less than it must.
    fn below(&self, topology: &Topology) -> BTreeSet<EdgeId> {
        let edges = topology.edges.iter().zip(self.edges.iter().zip(&self.required));
        let members = topology.links.iter().zip(self.links.iter().zip(&self.required_link)).enumerate();
        edges
            .filter(|(_, (figures, required))| Self::is_below(figures, **required))
            .map(|(edge, _)| edge.id.clone())
            .chain(
                members
                    .filter(|(i, (_, (figures, required)))| {
                        topology.bundle_of(*i).is_some() && Self::is_below(figures, **required)
                    })
                    .map(|(_, (id, _))| EdgeId::Link(id.clone())),
            )
            .collect()
    }
}

/// The network as it was last evaluated. Cheap to clone, and consistent while newer samples arrive.
#[derive(Debug, Clone)]
pub struct LastEvaluation {
    pub(super) plan: Arc<Plan>,
    pub(super) links: Arc<Vec<Figures>>,
    pub(super) backhauls: Arc<Vec<Figures>>,
    pub(super) bundles: Arc<Vec<Figures>>,
    pub(super) sector_ports: Arc<Vec<f64>>,
    pub(super) good: Arc<PerCarrier<Good>>,
    pub(super) required: Arc<PerCarrier<Pair>>,
}

impl LastEvaluation {
    fn with(&self, restored: &[EdgeId]) -> Picture {
        let mut links = self.links.to_vec();
        let mut backhauls = self.backhauls.to_vec();
        let mut bundles = Vec::new();
        for id in restored {
            let Some(carrier) = self.carrier(id) else { continue };
            let restore = |now: &Figures| self.good.get(carrier).restored(now, *self.required.get(carrier));
            match carrier {
                Carrier::Link(i) => links[i] = restore(&links[i]),
                Carrier::Backhaul(i) => backhauls[i] = restore(&backhauls[i]),
                Carrier::Bundle(i) => bundles.push((i, restore(&self.bundles[i]))),
            }
        }
        Picture::new(&self.plan, links, &backhauls, &bundles, &self.sector_ports, &self.good)
    }

    fn carrier(&self, id: &EdgeId) -> Option<Carrier> {
        let topology = &self.plan.topology;
        match id {
            EdgeId::Link(link) => topology.link_place(link.as_str()).map(Carrier::Link),
            EdgeId::Bundle(_) | EdgeId::Backhaul(_) => {
                topology.edges.iter().find(|edge| edge.id == *id).map(|edge| edge.carrier)
            }
        }
    }
}

impl WhatIf for LastEvaluation {
    fn below_target_with(&self, restored: &[EdgeId]) -> BTreeSet<(SiteId, Direction)> {
        let picture = self.with(restored);
        let topology = &self.plan.topology;
        let mut below = BTreeSet::new();
        for (i, (node, target)) in topology.targets.iter().enumerate() {
            let wanted =
                [(Direction::Downstream, Some(target.downstream_mbps)), (Direction::Upstream, target.upstream_mbps)];
            for (direction, mbps) in wanted {
                if let Some(mbps) = mbps
                    && picture.solution.state(i, direction, mbps) == TargetState::Below
                {
                    below.insert((topology.sites[*node].clone(), direction));
                }
            }
        }
        below
    }

    fn edges_below_with(&self, restored: &[EdgeId]) -> BTreeSet<EdgeId> {
        self.with(restored).below(&self.plan.topology)
    }
}
