//! The network as a graph: sites and the Internet, joined by links, bundles and backhauls.
//!
//! Traffic follows cost, not width: the path in use is the least-cost path over what is not known to be down. Paths
//! of all sites form one tree that is rooted in the Internet, as hop-by-hop routing makes them.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use crate::model::network::{BundleMode, End, Network, Target};
use crate::model::{EdgeId, LinkId, SiteId};

/// What stands behind an edge; the number is its place in the list of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    Link(usize),
    Bundle(usize),
    Backhaul(usize),
}

/// One edge of the routing graph. Members of bundles are not edges, their bundle is.
#[derive(Debug, Clone)]
pub struct Edge {
    pub id: EdgeId,
    pub carrier: Carrier,
    pub near: usize,
    pub far: usize,
    pub cost: u32,
}

impl Edge {
    pub fn node(&self, end: End) -> usize {
        match end {
            End::Near => self.near,
            End::Far => self.far,
        }
    }

    /// The end at this node.
    fn end_at(&self, node: usize) -> End {
        if self.near == node { End::Near } else { End::Far }
    }
}

/// A member of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub link: usize,
    /// Its near end is at the bundle's far site.
    pub reversed: bool,
}

#[derive(Debug, Clone)]
pub struct BundlePlan {
    pub mode: BundleMode,
    pub members: Vec<Member>,
}

/// One edge of a path, with the end that looks towards the served site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    pub edge: usize,
    pub child: End,
}

/// Distance from the Internet: routing cost, then hops, which break ties.
pub type Distance = (u64, u32);

/// Least-cost paths from the Internet to every node.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Of each node: its distance and the edge that leads to it; `None` where there is no path.
    reach: Vec<Option<(Distance, Option<usize>)>>,
}

impl Tree {
    pub fn distance(&self, node: usize) -> Option<Distance> {
        self.reach.get(node).copied().flatten().map(|(distance, _)| distance)
    }
}

#[derive(Debug, Clone)]
pub struct Topology {
    /// Node of each site: its place here. One more node, [`Topology::internet`], is the Internet.
    pub sites: Vec<SiteId>,
    pub links: Vec<LinkId>,
    pub edges: Vec<Edge>,
    pub bundles: Vec<BundlePlan>,
    /// Sites that were promised something.
    pub targets: Vec<(usize, Target)>,
    adjacency: Vec<Vec<usize>>,
    site_index: BTreeMap<SiteId, usize>,
    link_index: BTreeMap<LinkId, usize>,
    /// Of each link, the bundle that it is a member of.
    bundle_of: Vec<Option<usize>>,
}

impl Topology {
    /// Reads the graph off the inventory. What refers to nothing is left out: the inventory was checked.
    pub fn new(network: &Network) -> Self {
        let sites: Vec<SiteId> = network.sites.keys().cloned().collect();
        let links: Vec<LinkId> = network.links.keys().cloned().collect();
        let index = |ids: &[SiteId]| ids.iter().cloned().enumerate().map(|(i, id)| (id, i)).collect();
        let mut topology = Self {
            site_index: index(&sites),
            link_index: links.iter().cloned().enumerate().map(|(i, id)| (id, i)).collect(),
            bundle_of: vec![None; links.len()],
            adjacency: vec![Vec::new(); sites.len() + 1],
            targets: Vec::new(),
            edges: Vec::new(),
            bundles: Vec::new(),
            sites,
            links,
        };
        topology.targets =
            network.sites.values().enumerate().filter_map(|(node, site)| Some((node, site.target?))).collect();
        let bundled = topology.add_bundles(network);
        topology.add_links(network);
        topology.edges.extend(bundled);
        topology.add_backhauls(network);
        for (i, edge) in topology.edges.iter().enumerate() {
            topology.adjacency[edge.near].push(i);
            if edge.far != edge.near {
                topology.adjacency[edge.far].push(i);
            }
        }
        topology
    }

    fn add_bundles(&mut self, network: &Network) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (place, bundle) in network.bundles.values().enumerate() {
            let ends: Vec<(usize, usize, usize)> = bundle
                .links
                .iter()
                .filter_map(|id| {
                    let (near, far) = self.link_nodes(network, id.as_str())?;
                    Some((self.link_place(id.as_str())?, near, far))
                })
                .collect();
            for (link, _, _) in &ends {
                self.bundle_of[*link] = Some(place);
            }
            let members = ends
                .iter()
                .map(|&(link, near, _)| Member { link, reversed: ends.first().is_some_and(|first| first.1 != near) })
                .collect();
            self.bundles.push(BundlePlan { mode: bundle.mode, members });
            let cost = bundle.links.iter().filter_map(|id| network.links.get(id.as_str())).map(|l| l.cost).min();
            if let (Some(&(_, near, far)), Some(cost)) = (ends.first(), cost) {
                let id = EdgeId::Bundle(bundle.id.clone());
                edges.push(Edge { id, carrier: Carrier::Bundle(place), near, far, cost });
            }
        }
        edges
    }

    fn add_links(&mut self, network: &Network) {
        for (place, link) in network.links.values().enumerate() {
            if self.bundle_of[place].is_some() {
                continue;
            }
            if let Some((near, far)) = self.link_nodes(network, link.id.as_str()) {
                let id = EdgeId::Link(link.id.clone());
                self.edges.push(Edge { id, carrier: Carrier::Link(place), near, far, cost: link.cost });
            }
        }
    }

    fn add_backhauls(&mut self, network: &Network) {
        let internet = self.internet();
        for (place, backhaul) in network.backhauls.values().enumerate() {
            if let Some(near) = self.node(&backhaul.site) {
                let id = EdgeId::Backhaul(backhaul.id.clone());
                let carrier = Carrier::Backhaul(place);
                self.edges.push(Edge { id, carrier, near, far: internet, cost: backhaul.cost });
            }
        }
    }

    /// The two nodes that a link joins: near, far.
    pub fn link_nodes(&self, network: &Network, link: &str) -> Option<(usize, usize)> {
        let link = network.links.get(link)?;
        let node = |device: &str| self.node(&network.devices.get(device)?.site);
        Some((node(link.near.as_str())?, node(link.far.as_str())?))
    }

    pub fn internet(&self) -> usize {
        self.sites.len()
    }

    pub fn nodes(&self) -> usize {
        self.sites.len() + 1
    }

    pub fn node(&self, site: &SiteId) -> Option<usize> {
        self.site_index.get(site).copied()
    }

    pub fn link_place(&self, link: &str) -> Option<usize> {
        self.link_index.get(link).copied()
    }

    /// The bundle that a link is a member of.
    pub fn bundle_of(&self, link: usize) -> Option<usize> {
        self.bundle_of.get(link).copied().flatten()
    }

    /// Least-cost paths over the usable edges (Dijkstra). Ties go to fewer hops, then to the edge listed first, so
    /// that the same network always routes the same way.
    pub fn least_cost(&self, usable: impl Fn(usize) -> bool) -> Tree {
        let mut reach: Vec<Option<(Distance, Option<usize>)>> = vec![None; self.nodes()];
        let mut heap = BinaryHeap::new();
        reach[self.internet()] = Some(((0, 0), None));
        heap.push(Reverse(((0, 0), self.internet())));
        while let Some(Reverse((distance, node))) = heap.pop() {
            if reach[node].is_none_or(|(best, _)| best < distance) {
                continue;
            }
            for &place in &self.adjacency[node] {
                let edge = &self.edges[place];
                let next = edge.node(edge.end_at(node).other());
                if next == node || !usable(place) {
                    continue;
                }
                let offer: Distance = (distance.0 + u64::from(edge.cost), distance.1 + 1);
                let better = match reach[next] {
                    None => true,
                    Some((best, parent)) => (offer, Some(place)) < (best, parent),
                };
                if better {
                    let closer = reach[next].is_none_or(|(best, _)| offer < best);
                    reach[next] = Some((offer, Some(place)));
                    if closer {
                        heap.push(Reverse((offer, next)));
                    }
                }
            }
        }
        Tree { reach }
    }

    /// The path from a node to the Internet, the node's own edge first; `None` where there is no path.
    pub fn path(&self, tree: &Tree, node: usize) -> Option<Vec<Hop>> {
        let mut hops = Vec::new();
        let mut at = node;
        loop {
            let (_, parent) = tree.reach.get(at).copied().flatten()?;
            let Some(place) = parent else { return Some(hops) };
            let edge = &self.edges[place];
            let child = edge.end_at(at);
            hops.push(Hop { edge: place, child });
            at = edge.node(child.other());
        }
    }

    /// Of every node, the width of its widest path to the Internet (Dijkstra with the smaller width along a path in
    /// place of the sum). `width` is asked for an edge and its end on the served side.
    pub fn widest(&self, width: impl Fn(Hop) -> f64) -> Vec<f64> {
        let mut best = vec![0.0; self.nodes()];
        best[self.internet()] = f64::INFINITY;
        let mut heap = BinaryHeap::from([(Width(f64::INFINITY), Reverse(self.internet()))]);
        while let Some((Width(wide), Reverse(node))) = heap.pop() {
            if wide < best[node] {
                continue;
            }
            for &place in &self.adjacency[node] {
                let edge = &self.edges[place];
                let child = edge.end_at(node).other();
                let next = edge.node(child);
                let offer = wide.min(width(Hop { edge: place, child }));
                if offer > best[next] {
                    best[next] = offer;
                    heap.push((Width(offer), Reverse(next)));
                }
            }
        }
        best
    }
}

/// A width as a key of a heap.
#[derive(PartialEq)]
struct Width(f64);

impl Eq for Width {}

impl PartialOrd for Width {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Width {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}
