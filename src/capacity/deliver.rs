//! What every site gets, and what every edge must carry.
//!
//! Three figures for a site, never mixed up: *alone* over the path in use, *together* when every site draws its
//! target at once, *possible* over the widest path whatever routing does. *Together* never exceeds the target, for a
//! site that draws its target draws no more: a promise that holds shows the target itself, and how much there is to
//! spare shows in *alone* and in the edges' capacity against what is required of them. Nor does it exceed *alone*: a
//! site behind a hash bundle is one flow, which gets one member.
//!
//! Downstream and upstream targets are drawn at the same time, so that a radio that shares its time between the two
//! directions must have time for both.
//!
//! Unknown edges are computed twice, at nothing and at their ceiling; a site's bounds are the smaller and the larger
//! of the two results, for a site may lose when another's link turns out to carry more.

use std::collections::BTreeMap;

use super::fair::{Flow, Share, Term, max_min};
use super::figures::{Basis, Figures, Pair};
use super::topology::{Edge, Hop, Topology, Tree};
use crate::model::EdgeId;
use crate::model::network::{End, Target};
use crate::model::view::{Bounds, Direction, Known, SiteDirection, TargetState};

/// What an edge must carry at the least towards the sites, Mbps, where any traffic is routed over it: the promise
/// that the Union makes by default. A link under it is worth a look even where little was promised behind it.
pub const REQUIRED_FLOOR_MBPS: f64 = 30.0;

/// Relative tolerance of every comparison with a target: far under what any radio can tell, far above rounding.
const TOLERANCE: f64 = 1e-6;

/// Whether a figure reaches what is wanted, but for rounding.
pub fn meets(mbps: f64, wanted_mbps: f64) -> bool {
    mbps >= wanted_mbps * (1.0 - TOLERANCE)
}

/// Which end of the unknown's range is computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Low,
    High,
}

impl Case {
    fn of(self, bounds: Bounds) -> f64 {
        match self {
            Self::Low => bounds.low,
            Self::High => bounds.high,
        }
    }
}

/// Where traffic goes.
#[derive(Debug, Clone)]
pub struct Routes {
    /// Of each target: the path in use; `None` where there is none.
    pub paths: Vec<Option<Vec<Hop>>>,
    /// Of each edge: the targets routed over it; of an edge that is down, those that would be if nothing was.
    pub behind: Vec<Vec<usize>>,
    /// Of each edge: the end further from the Internet.
    pub child: Vec<Option<End>>,
}

/// The paths of a network in which nothing is down.
#[derive(Debug, Clone)]
pub struct FairWeather {
    tree: Tree,
    paths: Vec<Option<Vec<Hop>>>,
}

impl FairWeather {
    pub fn new(topology: &Topology) -> Self {
        let tree = topology.least_cost(|_| true);
        let paths = topology.targets.iter().map(|(node, _)| topology.path(&tree, *node)).collect();
        Self { tree, paths }
    }
}

/// Routes every target over what is not known to be down.
pub fn route(topology: &Topology, fair_weather: &FairWeather, edges: &[Figures]) -> Routes {
    let tree = topology.least_cost(|edge| !edges[edge].is_down());
    let paths: Vec<Option<Vec<Hop>>> = topology.targets.iter().map(|(node, _)| topology.path(&tree, *node)).collect();
    let mut behind = vec![Vec::new(); edges.len()];
    for (target, (path, usual)) in paths.iter().zip(&fair_weather.paths).enumerate() {
        for hop in path.iter().flatten() {
            behind[hop.edge].push(target);
        }
        for hop in usual.iter().flatten() {
            if edges[hop.edge].is_down() {
                behind[hop.edge].push(target);
            }
        }
    }
    let child = topology
        .edges
        .iter()
        .zip(edges)
        .map(|(edge, figures)| {
            let in_use = if figures.is_down() { None } else { further(edge, &tree) };
            in_use.or_else(|| further(edge, &fair_weather.tree))
        })
        .collect();
    Routes { paths, behind, child }
}

/// The end of the edge that is further from the tree's root; the far one where both are as far.
fn further(edge: &Edge, tree: &Tree) -> Option<End> {
    let (near, far) = (tree.distance(edge.near)?, tree.distance(edge.far)?);
    Some(if near > far { End::Near } else { End::Far })
}

/// What every edge must carry, from the targets routed over it.
///
/// Downstream: the sum of the targets times the simultaneity, but never less than the largest of them (whoever is
/// promised 100 must be able to get it when nobody else draws, which also judges a last hop by its own site) nor
/// than [`REQUIRED_FLOOR_MBPS`]. Upstream: the same without the floor, 0 where nothing was promised. An edge's own
/// target raises both.
pub fn required(
    topology: &Topology,
    routes: &Routes,
    edges: &[Figures],
    simultaneity: f64,
    own: &[Option<Target>],
) -> Vec<Pair> {
    let mut required: Vec<Pair> = Vec::with_capacity(edges.len());
    for place in 0..edges.len() {
        let targets = || routes.behind[place].iter().map(|t| topology.targets[*t].1);
        let mut down = simultaneous(targets().map(|t| t.downstream_mbps), simultaneity);
        let mut up = simultaneous(targets().filter_map(|t| t.upstream_mbps), simultaneity);
        if down > 0.0 {
            down = down.max(REQUIRED_FLOOR_MBPS);
        }
        if let Some(own) = own[place] {
            down = down.max(own.downstream_mbps);
            up = up.max(own.upstream_mbps.unwrap_or(0.0));
        }
        required.push(match routes.child[place] {
            Some(End::Near) => Pair { to_near: down, to_far: up },
            Some(End::Far) | None => Pair { to_far: down, to_near: up },
        });
    }
    share_air(&mut required, edges);
    required
}

fn simultaneous(targets: impl Iterator<Item = f64>, simultaneity: f64) -> f64 {
    let (sum, largest) = targets.fold((0.0, 0.0), |(sum, largest): (f64, f64), t| (sum + t, largest.max(t)));
    (sum * simultaneity).max(largest)
}

/// A channel whose time is divided: one shared-duplex radio, or a sector (in one direction where its split is fixed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Channel {
    Edge(usize),
    Sector(usize),
    /// Of a sector with a fixed split: from its access point, or to it.
    SectorLane(usize, End),
}

/// The channel that this direction of an edge takes its time from, if it has to share one.
fn channel(place: usize, figures: &Figures, towards: End) -> Option<Channel> {
    match (figures.sector, figures.shared) {
        (Some(s), true) => Some(Channel::Sector(s.sector)),
        (Some(s), false) => Some(Channel::SectorLane(s.sector, from_access_point(s.access_point, towards))),
        (None, true) => Some(Channel::Edge(place)),
        (None, false) => None,
    }
}

/// `Far` for what leaves the access point, `Near` for what it receives.
fn from_access_point(access_point: End, towards: End) -> End {
    if access_point == towards { End::Near } else { End::Far }
}

/// Where directions or peers share their time, what one must carry grows by the time that the others take: a radio
/// that reads 50/50 and must carry 30 + 30 needs 60 of its 50. So "capacity at least required" says exactly that
/// the demands fit in the channel: down/C_down + up/C_up ≤ 1.
fn share_air(required: &mut [Pair], edges: &[Figures]) {
    let mut load: BTreeMap<Channel, f64> = BTreeMap::new();
    let wants = |required: &[Pair]| {
        let mut list = Vec::new();
        for (place, figures) in edges.iter().enumerate() {
            for end in [End::Near, End::Far] {
                let carry = figures.towards(end);
                let mbps = required[place].towards(end);
                if let (Some(channel), Some(air), Some(all)) =
                    (channel(place, figures, end), carry.air.known(), carry.all.known())
                    && air > 0.0
                    && mbps > 0.0
                {
                    list.push((place, end, channel, mbps / air, all));
                }
            }
        }
        list
    };
    let wants = wants(required);
    for (_, _, channel, time, _) in &wants {
        *load.entry(*channel).or_default() += time;
    }
    for (place, end, channel, _, all) in wants {
        let pooled = all * load.get(&channel).copied().unwrap_or(0.0);
        let mbps = required[place].towards_mut(end);
        *mbps = mbps.max(pooled);
    }
}

/// What a site gets in one direction, in one case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Got {
    pub mbps: f64,
    /// The edge that keeps it from its target.
    pub stopped_by: Option<usize>,
}

/// What every target gets when all draw at once, in one case.
#[derive(Debug, Clone)]
pub struct Together {
    pub downstream: Vec<Got>,
    /// 0 where nothing was promised upstream.
    pub upstream: Vec<Got>,
}

/// The end that traffic flows to over a hop.
fn flows_to(hop: Hop, direction: Direction) -> End {
    match direction {
        Direction::Downstream => hop.child,
        Direction::Upstream => hop.child.other(),
    }
}

/// The bottleneck of a path for one flow that has it to itself; no limit and no edge on an empty path.
fn bottleneck(path: &[Hop], edges: &[Figures], direction: Direction, case: Case) -> (f64, Option<usize>) {
    path.iter()
        .map(|hop| (case.of(edges[hop.edge].towards(flows_to(*hop, direction)).one_flow), Some(hop.edge)))
        // From the Internet's side, so that of equal edges the one with more sites behind it is named.
        .rev()
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or((f64::INFINITY, None))
}

/// Everything that limits flows, made as flows need it.
struct Pools<'a> {
    edges: &'a [Figures],
    /// Port of each sector's access point, Mbps.
    sector_ports: &'a [f64],
    case: Case,
    limits: Vec<f64>,
    lanes: Vec<[Option<usize>; 2]>,
    channels: BTreeMap<Channel, usize>,
    ports: BTreeMap<(usize, End), usize>,
}

impl<'a> Pools<'a> {
    fn new(edges: &'a [Figures], sector_ports: &'a [f64], case: Case) -> Self {
        let lanes = vec![[None; 2]; edges.len()];
        let (channels, ports) = (BTreeMap::new(), BTreeMap::new());
        Self { edges, sector_ports, case, limits: Vec::new(), lanes, channels, ports }
    }

    /// What a flow over this edge towards this end uses.
    fn use_edge(&mut self, place: usize, towards: End, terms: &mut Vec<Term>) {
        let figures = &self.edges[place];
        let carry = figures.towards(towards);
        let capacity = self.case.of(carry.all);
        if capacity.is_finite() {
            let lane = &mut self.lanes[place][usize::from(towards == End::Far)];
            let pool = *lane.get_or_insert_with(|| {
                self.limits.push(capacity);
                self.limits.len() - 1
            });
            terms.push(Term { pool, weight: 1.0 });
        }
        let air = self.case.of(carry.air);
        if let Some(channel) = channel(place, figures, towards)
            && air.is_finite()
            && air > 0.0
        {
            let pool = *self.channels.entry(channel).or_insert_with(|| {
                self.limits.push(1.0);
                self.limits.len() - 1
            });
            terms.push(Term { pool, weight: 1.0 / air });
        }
        if let Some(s) = figures.sector
            && self.sector_ports[s.sector].is_finite()
        {
            let lane = from_access_point(s.access_point, towards);
            let limit = self.sector_ports[s.sector];
            let pool = *self.ports.entry((s.sector, lane)).or_insert_with(|| {
                self.limits.push(limit);
                self.limits.len() - 1
            });
            terms.push(Term { pool, weight: 1.0 });
        }
    }
}

/// Max-min fair shares of everything on the way, when every target is drawn at once.
pub fn together(topology: &Topology, routes: &Routes, edges: &[Figures], sector_ports: &[f64], case: Case) -> Together {
    let mut pools = Pools::new(edges, sector_ports, case);
    let mut flows = Vec::new();
    // Of each flow: its target, its direction, the edge that bounds it alone, and the edge of each of its terms.
    let mut about: Vec<(usize, Direction, Option<usize>, Vec<usize>)> = Vec::new();
    for (i, (_, target)) in topology.targets.iter().enumerate() {
        let Some(path) = &routes.paths[i] else { continue };
        let wanted =
            [(Direction::Downstream, Some(target.downstream_mbps)), (Direction::Upstream, target.upstream_mbps)];
        for (direction, mbps) in wanted {
            let Some(mbps) = mbps else { continue };
            let (alone, narrowest) = bottleneck(path, edges, direction, case);
            let mut terms = Vec::with_capacity(2 * path.len());
            let mut term_edges = Vec::with_capacity(2 * path.len());
            for hop in path {
                pools.use_edge(hop.edge, flows_to(*hop, direction), &mut terms);
                term_edges.resize(terms.len(), hop.edge);
            }
            flows.push(Flow { demand: mbps.min(alone).max(0.0), terms });
            about.push((i, direction, if alone < mbps { narrowest } else { None }, term_edges));
        }
    }
    let shares = max_min(&pools.limits, &flows);
    let nothing = vec![Got { mbps: 0.0, stopped_by: None }; topology.targets.len()];
    let mut together = Together { downstream: nothing.clone(), upstream: nothing };
    for ((flow, share), (target, direction, narrowest, term_edges)) in flows.iter().zip(shares).zip(about) {
        let got = Got { mbps: share.rate, stopped_by: stopped_by(flow, share, &term_edges).or(narrowest) };
        match direction {
            Direction::Downstream => together.downstream[target] = got,
            Direction::Upstream => together.upstream[target] = got,
        }
    }
    together
}

fn stopped_by(flow: &Flow, share: Share, term_edges: &[usize]) -> Option<usize> {
    let pool = share.stopped_by?;
    let term = flow.terms.iter().position(|t| t.pool == pool)?;
    term_edges.get(term).copied()
}

/// The network solved: everything that the view says of sites, and what the questions of `WhatIf` need.
#[derive(Debug, Clone)]
pub struct Solution {
    pub routes: Routes,
    low: Together,
    high: Together,
}

/// Solves the network for these edges.
pub fn solve(topology: &Topology, fair_weather: &FairWeather, edges: &[Figures], sector_ports: &[f64]) -> Solution {
    let routes = route(topology, fair_weather, edges);
    let low = together(topology, &routes, edges, sector_ports, Case::Low);
    let all_known = routes.behind.iter().zip(edges).all(|(behind, figures)| behind.is_empty() || is_known(figures));
    let high = if all_known { low.clone() } else { together(topology, &routes, edges, sector_ports, Case::High) };
    Solution { routes, low, high }
}

fn is_known(figures: &Figures) -> bool {
    figures.to_far.is_known() && figures.to_near.is_known()
}

impl Solution {
    fn got(&self, target: usize, direction: Direction) -> (Got, Got) {
        match direction {
            Direction::Downstream => (self.low.downstream[target], self.high.downstream[target]),
            Direction::Upstream => (self.low.upstream[target], self.high.upstream[target]),
        }
    }

    /// What a target gets when all draw at once.
    pub fn together(&self, target: usize, direction: Direction) -> Bounds {
        let (low, high) = self.got(target, direction);
        Bounds { low: low.mbps.min(high.mbps), high: low.mbps.max(high.mbps) }
    }

    /// The verdict on a promise.
    pub fn state(&self, target: usize, direction: Direction, wanted_mbps: f64) -> TargetState {
        let together = self.together(target, direction);
        if meets(together.low, wanted_mbps) {
            TargetState::Met
        } else if meets(together.high, wanted_mbps) {
            TargetState::Unknown
        } else {
            TargetState::Below
        }
    }
}

/// Everything about the sites' promises.
pub struct Sites<'a> {
    pub topology: &'a Topology,
    pub fair_weather: &'a FairWeather,
    pub edges: &'a [Figures],
    pub solution: &'a Solution,
    possible: BTreeMap<Direction, (Vec<f64>, Vec<f64>)>,
}

impl<'a> Sites<'a> {
    pub fn new(
        topology: &'a Topology,
        fair_weather: &'a FairWeather,
        edges: &'a [Figures],
        solution: &'a Solution,
    ) -> Self {
        let widest = |direction, case: Case| {
            topology.widest(|hop| case.of(edges[hop.edge].towards(flows_to(hop, direction)).one_flow))
        };
        let mut possible = BTreeMap::new();
        possible.insert(
            Direction::Downstream,
            (widest(Direction::Downstream, Case::Low), widest(Direction::Downstream, Case::High)),
        );
        if topology.targets.iter().any(|(_, t)| t.upstream_mbps.is_some()) {
            possible.insert(
                Direction::Upstream,
                (widest(Direction::Upstream, Case::Low), widest(Direction::Upstream, Case::High)),
            );
        }
        Self { topology, fair_weather, edges, solution, possible }
    }

    /// One direction of one promise.
    pub fn direction(&self, target: usize, direction: Direction, target_mbps: f64) -> SiteDirection {
        let node = self.topology.targets[target].0;
        let path = self.solution.routes.paths[target].as_deref();
        let together = self.solution.together(target, direction);
        let state = self.solution.state(target, direction, target_mbps);
        let alone = path.map_or(Bounds::ZERO, |path| Bounds {
            low: bottleneck(path, self.edges, direction, Case::Low).0,
            high: bottleneck(path, self.edges, direction, Case::High).0,
        });
        let possible = self
            .possible
            .get(&direction)
            .map_or(Bounds::ZERO, |(low, high)| Bounds { low: low[node], high: high[node] });
        SiteDirection {
            target_mbps,
            together,
            alone,
            possible,
            known: self.known(target, direction, state),
            state,
            bottleneck: self.decides(target, direction, state).map(|edge| self.id(edge)),
            unknown_edges: match state {
                TargetState::Unknown => self.to_blame(target, direction),
                TargetState::Met | TargetState::Below => Vec::new(),
            },
        }
    }

    fn id(&self, edge: usize) -> EdgeId {
        self.topology.edges[edge].id.clone()
    }

    /// How the figure is known: by the path's edges; for a site that is cut off, by the radios that say so, or by
    /// the inventory alone where it describes no path at all.
    fn known(&self, target: usize, direction: Direction, state: TargetState) -> Known {
        if state == TargetState::Unknown {
            return Known::NotMeasurable;
        }
        let Some(path) = &self.solution.routes.paths[target] else {
            let ever = self.fair_weather.paths[target].is_some();
            return if ever { Known::Estimated } else { Known::Declared };
        };
        let basis = path.iter().map(|hop| self.edges[hop.edge].towards(flows_to(*hop, direction)).basis);
        match Basis::joined(basis) {
            Some(Basis::Measured) => Known::Verified,
            Some(Basis::Equipment) => Known::Estimated,
            Some(Basis::Declared) | None => Known::Declared,
        }
    }

    /// The edge that decides: where the promise is kept none does; of a site that is cut off, the edge that is down
    /// nearest to the Internet on its usual path.
    fn decides(&self, target: usize, direction: Direction, state: TargetState) -> Option<usize> {
        if state == TargetState::Met {
            return None;
        }
        if self.solution.routes.paths[target].is_none() {
            let usual = self.fair_weather.paths[target].as_ref()?;
            return usual.iter().rev().find(|hop| self.edges[hop.edge].is_down()).map(|hop| hop.edge);
        }
        // Below even in the better case: that case says why. Unknown: the worse one does.
        let (low, high) = self.solution.got(target, direction);
        let (worse, better) = if low.mbps <= high.mbps { (low, high) } else { (high, low) };
        if state == TargetState::Below { better.stopped_by.or(worse.stopped_by) } else { worse.stopped_by }
    }

    /// The unknown edges on the site's own path; where there are none, those on the paths of sites that share an
    /// edge with it.
    fn to_blame(&self, target: usize, direction: Direction) -> Vec<EdgeId> {
        let unknown = |path: &[Hop]| -> Vec<usize> {
            path.iter()
                .filter(|hop| !self.edges[hop.edge].towards(flows_to(**hop, direction)).is_known())
                .map(|hop| hop.edge)
                .collect()
        };
        let routes = &self.solution.routes;
        let Some(path) = &routes.paths[target] else { return Vec::new() };
        let mut blame = unknown(path);
        if blame.is_empty() {
            let neighbours = path.iter().flat_map(|hop| &routes.behind[hop.edge]);
            blame = neighbours.filter_map(|t| routes.paths[*t].as_deref()).flat_map(unknown).collect();
            blame.sort_unstable();
            blame.dedup();
        }
        blame.into_iter().map(|edge| self.id(edge)).collect()
    }
}
