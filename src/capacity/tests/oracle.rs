//! Random networks against answers found in another way: paths by trying them all, fair shares by one linear program
//! after another. Proptest prints the smallest network that fails, and its seed.

use microlp::{ComparisonOp, OptimizationDirection, Problem, Variable};
use proptest::prelude::*;

use super::build::*;
use crate::capacity::fair::{Flow, Term, max_min};
use crate::capacity::meets;
use crate::model::EdgeId;
use crate::model::network::{Duplex, Target};
use crate::model::view::{Direction, LinkState, NetworkView, SiteDirection, TargetState, WhatIf};

/// A limit on a weighted sum of flows.
type Limit = (Vec<(usize, f64)>, f64);

/// The lexicographically largest vector of rates, smallest first: raise the smallest as far as it goes, fix those
/// that can go no further, and start again with the others.
fn max_min_by_programs(demands: &[f64], limits: &[Limit]) -> Vec<f64> {
    let mut fixed: Vec<Option<f64>> = vec![None; demands.len()];
    while fixed.iter().any(Option::is_none) {
        let level = program(demands, limits, &fixed, None);
        for i in 0..demands.len() {
            if fixed[i].is_none() && program(demands, limits, &fixed, Some((i, level))) <= level + 1e-7 {
                fixed[i] = Some(level);
            }
        }
    }
    fixed.into_iter().flatten().collect()
}

/// The highest level that all flows not fixed can have; or, with that level given, the highest rate of one of them.
fn program(demands: &[f64], limits: &[Limit], fixed: &[Option<f64>], raise: Option<(usize, f64)>) -> f64 {
    let mut problem = Problem::new(OptimizationDirection::Maximize);
    let level = problem.add_var(if raise.is_none() { 1.0 } else { 0.0 }, (0.0, 1e6));
    let rates: Vec<Variable> = demands
        .iter()
        .enumerate()
        .map(|(i, demand)| {
            let weight = if raise.is_some_and(|(wanted, _)| wanted == i) { 1.0 } else { 0.0 };
            problem.add_var(weight, (0.0, *demand))
        })
        .collect();
    for (i, rate) in rates.iter().enumerate() {
        // A hair of slack keeps what was computed before feasible.
        match (fixed[i], raise) {
            (Some(mbps), _) => problem.add_constraint([(*rate, 1.0)], ComparisonOp::Ge, (mbps - 1e-9).max(0.0)),
            (None, Some((_, level))) => {
                problem.add_constraint([(*rate, 1.0)], ComparisonOp::Ge, (level - 1e-9).max(0.0));
            }
            (None, None) => problem.add_constraint([(*rate, 1.0), (level, -1.0)], ComparisonOp::Ge, 0.0),
        }
    }
    for (terms, limit) in limits {
        let terms: Vec<(Variable, f64)> = terms.iter().map(|(flow, weight)| (rates[*flow], *weight)).collect();
        problem.add_constraint(terms, ComparisonOp::Le, *limit);
    }
    problem.solve().expect("nothing at all is feasible").objective()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn fair_shares_agree_with_linear_programs(
        demands in prop::collection::vec(0.0_f64..120.0, 1..7),
        limits in prop::collection::vec((0.0_f64..200.0, prop::collection::vec(prop::option::of(0.05_f64..4.0), 6)), 0..6),
    ) {
        let limits: Vec<Limit> = limits
            .into_iter()
            .map(|(limit, weights)| {
                let used = weights.into_iter().take(demands.len()).enumerate();
                (used.filter_map(|(flow, weight)| Some((flow, weight?))).collect(), limit)
            })
            .collect();
        let flows: Vec<Flow> = demands
            .iter()
            .enumerate()
            .map(|(flow, demand)| {
                let terms = limits.iter().enumerate().flat_map(|(pool, (terms, _))| {
                    terms.iter().filter(move |(f, _)| *f == flow).map(move |(_, weight)| Term { pool, weight: *weight })
                });
                Flow { demand: *demand, terms: terms.collect() }
            })
            .collect();
        let bounds: Vec<f64> = limits.iter().map(|(_, limit)| *limit).collect();
        let shares = max_min(&bounds, &flows);
        let wanted = max_min_by_programs(&demands, &limits);
        for (share, wanted) in shares.iter().zip(&wanted) {
            prop_assert!((share.rate - wanted).abs() < 1e-4, "{shares:?} against {wanted}");
        }
        for (share, flow) in shares.iter().zip(&flows) {
            prop_assert_eq!(share.stopped_by.is_none(), share.rate == flow.demand);
        }
    }
}

/// One edge of a random network; `b` is `None` for a backhaul.
#[derive(Debug, Clone)]
struct Spec {
    a: usize,
    b: Option<usize>,
    /// From a to b, from b to a.
    mbps: (f64, f64),
    shared: bool,
    down: bool,
    cost: u32,
}

#[derive(Debug, Clone)]
struct RandomNetwork {
    targets: Vec<Option<Target>>,
    edges: Vec<Spec>,
}

const SITES: usize = 6;

fn random_network() -> impl Strategy<Value = RandomNetwork> {
    let target = prop::option::weighted(0.8, (5.0_f64..100.0, prop::option::of(1.0_f64..50.0)));
    let mbps = || prop_oneof![8 => 5.0_f64..300.0, 1 => Just(0.0)];
    let edge =
        (0..SITES, prop::option::weighted(0.8, 0..SITES), (mbps(), mbps()), any::<bool>(), prop::bool::weighted(0.15));
    let costs = Just((0..10_u32).map(|k| 1 << k).collect::<Vec<u32>>()).prop_shuffle();
    (prop::collection::vec(target, SITES), prop::collection::vec(edge, 1..10), costs).prop_map(
        |(targets, edges, costs)| {
            let targets = targets
                .into_iter()
                .map(|t| t.map(|(downstream_mbps, upstream_mbps)| Target { downstream_mbps, upstream_mbps }))
                .collect();
            let mut edges: Vec<Spec> = edges
                .into_iter()
                .zip(costs)
                .filter(|((a, b, ..), _)| Some(*a) != *b)
                // Every sum of different powers of two is different: no two paths cost the same.
                .map(|((a, b, mbps, shared, down), cost)| Spec {
                    a,
                    b,
                    mbps,
                    shared: shared && b.is_some(),
                    down,
                    cost,
                })
                .collect();
            edges.push(Spec { a: 0, b: None, mbps: (150.0, 200.0), shared: false, down: false, cost: 1 << 12 });
            RandomNetwork { targets, edges }
        },
    )
}

impl RandomNetwork {
    fn name(edge: usize) -> String {
        format!("e{edge}")
    }

    fn watch(&self) -> Watched {
        let mut inventory = Inventory::new();
        for (i, target) in self.targets.iter().enumerate() {
            inventory = inventory.site(&format!("s{i}"), *target);
        }
        for (i, edge) in self.edges.iter().enumerate() {
            let (name, a) = (Self::name(i), format!("s{}", edge.a));
            if let Some(b) = edge.b {
                inventory = inventory.link(&name, &a, &format!("s{b}")).edit_link(&name, |l| {
                    l.cost = edge.cost;
                    l.duplex = Some(if edge.shared { Duplex::Shared } else { Duplex::Full });
                });
            } else {
                inventory = inventory.backhaul(&name, &a, 0.0);
                let backhaul = inventory.network.backhauls.get_mut(name.as_str()).unwrap();
                backhaul.cost = edge.cost;
                (backhaul.contract_upstream_mbps, backhaul.contract_downstream_mbps) = edge.mbps;
            }
        }
        let mut watched = inventory.watch();
        for (i, edge) in self.edges.iter().enumerate() {
            let name = Self::name(i);
            match (edge.b, edge.down) {
                (Some(_), false) => watched.up(&name, edge.mbps.0, edge.mbps.1),
                (Some(_), true) => watched.down(&name),
                (None, down) => watched.outside(&name, if down { 100.0 } else { 0.0 }),
            };
        }
        watched
    }

    /// All simple paths over edges that are up, from a site to the Internet: edges, and whether towards the site is
    /// from b to a.
    fn paths(&self, from: usize) -> Vec<Vec<(usize, bool)>> {
        let mut found = Vec::new();
        self.walk(from, &mut vec![from], &mut Vec::new(), &mut found);
        found
    }

    fn walk(
        &self,
        at: usize,
        seen: &mut Vec<usize>,
        path: &mut Vec<(usize, bool)>,
        found: &mut Vec<Vec<(usize, bool)>>,
    ) {
        for (i, edge) in self.edges.iter().enumerate().filter(|(_, edge)| !edge.down) {
            let (next, site_is_a) = match edge.b {
                b if edge.a == at => (b, true),
                Some(b) if b == at => (Some(edge.a), false),
                _ => continue,
            };
            path.push((i, site_is_a));
            match next {
                None => found.push(path.clone()),
                Some(next) if !seen.contains(&next) => {
                    seen.push(next);
                    self.walk(next, seen, path, found);
                    seen.pop();
                }
                Some(_) => {}
            }
            path.pop();
        }
    }

    fn width(&self, path: &[(usize, bool)], direction: Direction) -> f64 {
        path.iter().map(|(edge, site_is_a)| self.mbps(*edge, *site_is_a, direction)).fold(f64::INFINITY, f64::min)
    }

    fn mbps(&self, edge: usize, site_is_a: bool, direction: Direction) -> f64 {
        let (to_b, to_a) = self.edges[edge].mbps;
        if site_is_a == (direction == Direction::Downstream) { to_a } else { to_b }
    }

    fn in_use(&self, site: usize) -> Option<Vec<(usize, bool)>> {
        let cost = |path: &Vec<(usize, bool)>| path.iter().map(|(e, _)| u64::from(self.edges[*e].cost)).sum::<u64>();
        self.paths(site).into_iter().min_by_key(cost)
    }

    /// Fair shares of all promises, by linear programs over the paths in use.
    fn together(&self) -> Vec<(usize, Direction, f64)> {
        let mut flows = Vec::new();
        let mut demands = Vec::new();
        let mut lanes: Vec<[Vec<(usize, f64)>; 2]> = vec![<[Vec<(usize, f64)>; 2]>::default(); self.edges.len()];
        for (site, target) in self.targets.iter().enumerate() {
            let (Some(target), Some(path)) = (target, self.in_use(site)) else { continue };
            let wanted =
                [(Direction::Downstream, Some(target.downstream_mbps)), (Direction::Upstream, target.upstream_mbps)];
            for (direction, mbps) in wanted.into_iter().filter_map(|(d, mbps)| Some((d, mbps?))) {
                for (edge, site_is_a) in &path {
                    let to_a = *site_is_a == (direction == Direction::Downstream);
                    lanes[*edge][usize::from(to_a)].push((flows.len(), 1.0));
                }
                flows.push((site, direction));
                demands.push(mbps);
            }
        }
        let mut limits = Vec::new();
        for (edge, lanes) in self.edges.iter().zip(lanes) {
            let mbps = [edge.mbps.0, edge.mbps.1];
            let mut pool = Vec::new();
            for (lane, mbps) in lanes.into_iter().zip(mbps) {
                if edge.shared && mbps > 0.0 {
                    pool.extend(lane.iter().map(|(flow, _)| (*flow, 1.0 / mbps)));
                }
                limits.push((lane, mbps));
            }
            limits.push((pool, 1.0));
        }
        let rates = max_min_by_programs(&demands, &limits);
        flows.into_iter().zip(rates).map(|((site, direction), rate)| (site, direction, rate)).collect()
    }
}

fn promise(view: &NetworkView, site: usize, direction: Direction) -> &SiteDirection {
    let site = &view.sites[format!("s{site}").as_str()];
    match direction {
        Direction::Downstream => &site.downstream,
        Direction::Upstream => site.upstream.as_ref().unwrap(),
    }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-4
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_networks_agree_with_trying_everything(network in random_network()) {
        let view = network.watch().look();
        for (site, target) in network.targets.iter().enumerate() {
            let Some(target) = target else { continue };
            let paths = network.paths(site);
            let wanted =
                [(Direction::Downstream, Some(target.downstream_mbps)), (Direction::Upstream, target.upstream_mbps)];
            for (direction, mbps) in wanted {
                let Some(_) = mbps else { continue };
                let got = promise(&view, site, direction);
                let widest = paths.iter().map(|p| network.width(p, direction)).fold(0.0, f64::max);
                let alone = network.in_use(site).map_or(0.0, |path| network.width(&path, direction));
                prop_assert_eq!(got.possible.known(), Some(widest));
                prop_assert_eq!(got.alone.known(), Some(alone));
                prop_assert!(got.together.high <= got.alone.high.min(got.target_mbps) * (1.0 + 1e-9));
                if paths.is_empty() {
                    prop_assert_eq!((got.together.high, got.state), (0.0, TargetState::Below));
                }
            }
        }
        for (site, direction, rate) in network.together() {
            let got = promise(&view, site, direction).together.known().unwrap();
            prop_assert!(close(got, rate), "s{site} {direction:?}: {got}, by programs {rate}");
        }
    }

    /// What the view says, what the questions say, and what the edges say must be one story.
    #[test]
    fn the_view_and_its_questions_agree(network in random_network()) {
        let mut watched = network.watch();
        let view = watched.look();
        let below_sites = watched.state.below_target_with(&[]);
        for site in view.sites.values() {
            let down = below_sites.contains(&(site.id.clone(), Direction::Downstream));
            prop_assert_eq!(site.downstream.state == TargetState::Below, down);
            let up = below_sites.contains(&(site.id.clone(), Direction::Upstream));
            prop_assert_eq!(site.upstream.as_ref().is_some_and(|u| u.state == TargetState::Below), up);
        }
        let below_edges = watched.state.edges_below_with(&[]);
        for edge in view.edges() {
            let short = [&edge.to_far, &edge.to_near]
                .iter()
                .any(|lane| !meets(lane.capacity_mbps.get().unwrap(), lane.required_mbps));
            let below = short || matches!(edge.state, LinkState::Down(_));
            prop_assert_eq!(below_edges.contains(&edge.id), below, "{:?}", &edge.id);
        }
        // A promise that is not kept over a path has an edge to answer for it.
        for site in view.sites.values().filter(|s| !s.path.is_empty()) {
            for promise in std::iter::once(&site.downstream).chain(&site.upstream) {
                if promise.state == TargetState::Below {
                    prop_assert!(site.path.iter().any(|edge| below_edges.contains(edge)));
                    let edge = promise.bottleneck.clone().unwrap();
                    prop_assert!(site.path.contains(&edge));
                    prop_assert!(below_edges.contains(&edge));
                }
            }
        }
        // All edges well: whoever has a path at all gets everything.
        let all: Vec<EdgeId> = view.edges().map(|e| e.id.clone()).collect();
        let still = watched.state.below_target_with(&all);
        for (site, _) in &still {
            let reachable = network.edges.iter().all(|e| !e.down);
            prop_assert!(view.sites[site].path.is_empty() || !reachable, "{site} is still below");
        }
    }
}
