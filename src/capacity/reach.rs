//! What is known to have crossed a link although its ends do not say that it is up.
//!
//! A proof is a pair of sites between which something passed just now: an agent and a device that answered it, an
//! agent and the hub that received its batch. It proves a link where that link is the only way between the two: the
//! link is then a bridge of the graph of all that is not known to be down, and the pair lies on its two sides.

use std::collections::VecDeque;

/// A link or backhaul, as a way between two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    pub a: usize,
    pub b: usize,
    /// Known to be down: nothing passes.
    pub closed: bool,
}

/// Bridges of the open graph, and on which side of each of them a node lies.
#[derive(Debug)]
pub struct Bridges {
    /// Order in which a node was first seen; `usize::MAX`: not yet.
    entered: Vec<usize>,
    /// Of each way: the nodes on its far side, as a range of `entered`, where it is a bridge.
    beyond: Vec<Option<(usize, usize)>>,
    component: Vec<usize>,
}

/// Nodes that stay connected with `root` whichever single way closes.
#[cfg(feature = "hub")]
pub fn survivors(n_nodes: usize, ways: &[Way], root: usize) -> Vec<bool> {
    let bridges = Bridges::of(n_nodes, ways);
    let mut adjacency: Vec<Vec<usize>> = vec![Vec::new(); n_nodes];
    for (i, way) in ways.iter().enumerate() {
        if !way.closed && bridges.beyond[i].is_none() {
            adjacency[way.a].push(way.b);
            adjacency[way.b].push(way.a);
        }
    }
    let mut survives = vec![false; n_nodes];
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut survives[node], true) {
            open.extend(&adjacency[node]);
        }
    }
    survives
}

struct Frame {
    node: usize,
    /// The way that led here.
    by: Option<usize>,
    next: usize,
}

impl Bridges {
    /// Finds all bridges in one walk (Tarjan, A note on finding the bridges of a graph, 1974), without recursion.
    pub fn of(n_nodes: usize, ways: &[Way]) -> Self {
        let mut adjacency: Vec<Vec<usize>> = vec![Vec::new(); n_nodes];
        for (i, way) in ways.iter().enumerate().filter(|(_, way)| !way.closed && way.a != way.b) {
            adjacency[way.a].push(i);
            adjacency[way.b].push(i);
        }
        let mut found = Self {
            entered: vec![usize::MAX; n_nodes],
            beyond: vec![None; ways.len()],
            component: vec![usize::MAX; n_nodes],
        };
        let mut lowest = vec![usize::MAX; n_nodes];
        let mut time = 0;
        for root in 0..n_nodes {
            if found.entered[root] == usize::MAX {
                found.walk(root, ways, &adjacency, &mut lowest, &mut time);
            }
        }
        found
    }

    fn walk(&mut self, root: usize, ways: &[Way], adjacency: &[Vec<usize>], lowest: &mut [usize], time: &mut usize) {
        let mut stack = vec![Frame { node: root, by: None, next: 0 }];
        while let Some(frame) = stack.last_mut() {
            let node = frame.node;
            if frame.next == 0 {
                self.entered[node] = *time;
                self.component[node] = root;
                lowest[node] = *time;
                *time += 1;
            }
            let by = frame.by;
            if let Some(&way) = adjacency[node].get(frame.next) {
                frame.next += 1;
                if Some(way) == by {
                    continue;
                }
                let other = if ways[way].a == node { ways[way].b } else { ways[way].a };
                if self.entered[other] == usize::MAX {
                    stack.push(Frame { node: other, by: Some(way), next: 0 });
                } else {
                    lowest[node] = lowest[node].min(self.entered[other]);
                }
                continue;
            }
            stack.pop();
            if let (Some(parent), Some(by)) = (stack.last(), by) {
                lowest[parent.node] = lowest[parent.node].min(lowest[node]);
                if lowest[node] > self.entered[parent.node] {
                    self.beyond[by] = Some((self.entered[node], *time));
                }
            }
        }
    }

    /// Whether this way is the only one between the two nodes, and so carried what passed between them.
    pub fn separates(&self, way: usize, (a, b): (usize, usize)) -> bool {
        let Some((from, to)) = self.beyond[way] else { return false };
        let beyond = |node: usize| (from..to).contains(&self.entered[node]);
        self.component[a] == self.component[b] && beyond(a) != beyond(b)
    }
}

/// Shortest ways, in hops, from one node over all that is not known to be down.
#[derive(Debug)]
pub struct Outlook {
    /// Of each node: hops from the start, and the node before it.
    seen: Vec<Option<(usize, usize)>>,
}

impl Outlook {
    pub fn from(start: usize, n_nodes: usize, ways: &[Way]) -> Self {
        let mut adjacency: Vec<Vec<usize>> = vec![Vec::new(); n_nodes];
        for way in ways.iter().filter(|way| !way.closed) {
            adjacency[way.a].push(way.b);
            adjacency[way.b].push(way.a);
        }
        let mut seen = vec![None; n_nodes];
        seen[start] = Some((0, start));
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            let hops = seen[node].map_or(0, |(hops, _)| hops);
            for &next in &adjacency[node] {
                if seen[next].is_none() {
                    seen[next] = Some((hops + 1, node));
                    queue.push_back(next);
                }
            }
        }
        Self { seen }
    }

    pub fn hops(&self, node: usize) -> Option<usize> {
        self.seen[node].map(|(hops, _)| hops)
    }

    /// The nodes from this one back to the start, both included; empty where there is no way.
    pub fn back_from(&self, node: usize) -> Vec<usize> {
        let mut nodes = Vec::new();
        let mut at = node;
        while let Some((hops, before)) = self.seen[at] {
            nodes.push(at);
            if hops == 0 {
                break;
            }
            at = before;
        }
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn way(a: usize, b: usize) -> Way {
        Way { a, b, closed: false }
    }

    #[test]
    fn a_chain_is_proved_by_what_answers_at_its_end() {
        let bridges = Bridges::of(4, &[way(0, 1), way(1, 2), way(2, 3)]);
        assert!(bridges.separates(1, (0, 3)) && bridges.separates(1, (3, 1)));
        assert!(!bridges.separates(1, (2, 3)));
    }

    #[test]
    fn a_second_way_proves_nothing_until_it_is_closed() {
        let mut ways = [way(0, 1), way(1, 2), way(2, 0), way(0, 1)];
        assert!(!Bridges::of(3, &ways).separates(0, (0, 1)));
        ways[2].closed = true;
        ways[3].closed = true;
        assert!(Bridges::of(3, &ways).separates(0, (0, 1)));
    }

    fn connected(n: usize, ways: &[Way], without: Option<usize>, a: usize, b: usize) -> bool {
        let left: Vec<Way> =
            ways.iter().enumerate().map(|(i, w)| Way { closed: w.closed || Some(i) == without, ..*w }).collect();
        Outlook::from(a, n, &left).hops(b).is_some()
    }

    proptest! {
        /// Against the definition: connected with the way, not connected without it.
        #[test]
        fn bridges_agree_with_removing_each_way(
            ends in prop::collection::vec((0_usize..7, 0_usize..7, prop::bool::weighted(0.2)), 0..12),
            pair in (0_usize..7, 0_usize..7),
        ) {
            let ways: Vec<Way> = ends.into_iter().map(|(a, b, closed)| Way { a, b, closed }).collect();
            let bridges = Bridges::of(7, &ways);
            for (i, w) in ways.iter().enumerate() {
                let only = !w.closed
                    && connected(7, &ways, None, pair.0, pair.1)
                    && !connected(7, &ways, Some(i), pair.0, pair.1);
                prop_assert_eq!(bridges.separates(i, pair), only);
            }
        }
    }
}
