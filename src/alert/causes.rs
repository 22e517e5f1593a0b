//! Which incident explains which: by asking what would be if a link were well. `[P]`
//!
//! Links explain a subject if restoring them clears it. One link that does is enough (several that each do are all
//! named); otherwise the smallest set that does, found by a bounded search: pairs, triples, then all of them,
//! thinned out while the subject stays clear. Nothing found means "unknown topology", and that means: alert.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::view::{Direction, WhatIf};
use crate::model::{EdgeId, SiteId};

/// Links asked about one by one in a step; beyond, only all together. A storm this wide has one cause outside of
/// what the links can tell.
const SINGLES_MAX: usize = 256;

/// Pairs and triples are looked for among so many links at most: 12 make 66 pairs and 220 triples.
const JOINT_LINKS_MAX: usize = 12;

/// Questions about sets of links in one step, all subjects together.
const JOINT_QUESTIONS_MAX: usize = 400;

type Answer = (BTreeSet<(SiteId, Direction)>, BTreeSet<EdgeId>);

/// What is to be explained.
#[derive(Debug, Clone, Copy)]
pub enum Effect<'a> {
    Promise(&'a SiteId, Direction),
    Edge(&'a EdgeId),
}

/// Asks each question once in a step.
pub struct Causes<'a> {
    what_if: &'a dyn WhatIf,
    answers: BTreeMap<Vec<EdgeId>, Answer>,
    joint_questions: usize,
}

impl<'a> Causes<'a> {
    pub fn new(what_if: &'a dyn WhatIf) -> Self {
        Self { what_if, answers: BTreeMap::new(), joint_questions: 0 }
    }

    fn answer(&mut self, restored: &[EdgeId]) -> &Answer {
        if !self.answers.contains_key(restored) {
            let answer = (self.what_if.below_target_with(restored), self.what_if.edges_below_with(restored));
            self.answers.insert(restored.to_vec(), answer);
        }
        &self.answers[restored]
    }

    fn in_breach(&mut self, effect: Effect<'_>, restored: &[EdgeId]) -> bool {
        let (sites, edges) = self.answer(restored);
        match effect {
            Effect::Promise(site, direction) => sites.contains(&(site.clone(), direction)),
            Effect::Edge(edge) => edges.contains(edge),
        }
    }

    /// Sites that are below target now, and would not be if these links were well.
    pub fn sites_cleared_by(&mut self, edges: &[EdgeId]) -> BTreeSet<SiteId> {
        let with = self.answer(edges).0.clone();
        self.answer(&[]).0.difference(&with).map(|(site, _)| site.clone()).collect()
    }

    /// The links among `candidates` (in order, without repeats) that explain the effect; empty if they do not.
    pub fn explain(&mut self, effect: Effect<'_>, candidates: &[EdgeId]) -> Vec<EdgeId> {
        if candidates.is_empty() || !self.in_breach(effect, &[]) {
            return Vec::new();
        }
        if candidates.len() <= SINGLES_MAX {
            let singles: Vec<EdgeId> =
                candidates.iter().filter(|e| !self.in_breach(effect, std::slice::from_ref(*e))).cloned().collect();
            if !singles.is_empty() {
                return singles;
            }
        }
        if candidates.len() < 2 || self.in_breach(effect, candidates) {
            return Vec::new();
        }
        self.joint(effect, candidates).unwrap_or_else(|| self.thinned(effect, candidates))
    }

    /// The first pair, else the first triple.
    fn joint(&mut self, effect: Effect<'_>, candidates: &[EdgeId]) -> Option<Vec<EdgeId>> {
        let few = &candidates[..candidates.len().min(JOINT_LINKS_MAX)];
        for (i, a) in few.iter().enumerate() {
            for b in &few[i + 1..] {
                let pair = vec![a.clone(), b.clone()];
                if !self.ask_joint(effect, &pair)? {
                    return Some(pair);
                }
            }
        }
        for (i, a) in few.iter().enumerate() {
            for (j, b) in few.iter().enumerate().skip(i + 1) {
                for c in &few[j + 1..] {
                    let triple = vec![a.clone(), b.clone(), c.clone()];
                    if !self.ask_joint(effect, &triple)? {
                        return Some(triple);
                    }
                }
            }
        }
        None
    }

    /// All candidates, without those that are not needed, as far as the questions reach.
    fn thinned(&mut self, effect: Effect<'_>, candidates: &[EdgeId]) -> Vec<EdgeId> {
        let mut kept = candidates.to_vec();
        let mut at = 0;
        while at < kept.len() && kept.len() > 1 {
            let mut without = kept.clone();
            without.remove(at);
            match self.ask_joint(effect, &without) {
                Some(false) => kept = without,
                Some(true) => at += 1,
                None => break,
            }
        }
        kept
    }

    /// `None` once the questions of this step are used up.
    fn ask_joint(&mut self, effect: Effect<'_>, restored: &[EdgeId]) -> Option<bool> {
        if !self.answers.contains_key(restored) {
            if self.joint_questions >= JOINT_QUESTIONS_MAX {
                return None;
            }
            self.joint_questions += 1;
        }
        Some(self.in_breach(effect, restored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LinkId;

    fn edge(id: &str) -> EdgeId {
        EdgeId::Link(LinkId::parse(id).unwrap())
    }

    /// The site is below as long as none of these sets is restored as a whole.
    struct Needs(Vec<Vec<&'static str>>);

    impl WhatIf for Needs {
        fn below_target_with(&self, restored: &[EdgeId]) -> BTreeSet<(SiteId, Direction)> {
            let clear = self.0.iter().any(|set| set.iter().all(|id| restored.contains(&edge(id))));
            let site = (SiteId::parse("s").unwrap(), Direction::Downstream);
            if clear { BTreeSet::new() } else { BTreeSet::from([site]) }
        }

        fn edges_below_with(&self, _restored: &[EdgeId]) -> BTreeSet<EdgeId> {
            BTreeSet::new()
        }
    }

    #[track_caller]
    fn check(needs: &[&[&'static str]], candidates: &[&str], expected: &[&str]) {
        let needs = Needs(needs.iter().map(|n| n.to_vec()).collect());
        let site = SiteId::parse("s").unwrap();
        let candidates: Vec<EdgeId> = candidates.iter().map(|c| edge(c)).collect();
        let found = Causes::new(&needs).explain(Effect::Promise(&site, Direction::Downstream), &candidates);
        assert_eq!(found.iter().map(EdgeId::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn one_link_that_clears_it_is_the_cause() {
        check(&[&["b"]], &["a", "b", "c"], &["b"]);
        check(&[&["a"], &["c"]], &["a", "b", "c"], &["a", "c"]);
    }

    #[test]
    fn otherwise_the_smallest_set_that_clears_it() {
        check(&[&["a", "c"]], &["a", "b", "c"], &["a", "c"]);
        check(&[&["a", "b", "d"], &["b", "c"]], &["a", "b", "c", "d"], &["b", "c"]);
        check(&[&["a", "b", "c", "d"]], &["a", "b", "c", "d", "e"], &["a", "b", "c", "d"]);
    }

    #[test]
    fn nothing_found_is_no_cause() {
        check(&[&["z"]], &["a", "b"], &[]);
        check(&[], &[], &[]);
        // Not below by its own account: there is nothing to explain.
        check(&[&[]], &["a"], &[]);
    }

    /// Clear only with fifty restored.
    struct Never;
    impl WhatIf for Never {
        fn below_target_with(&self, restored: &[EdgeId]) -> BTreeSet<(SiteId, Direction)> {
            let site = (SiteId::parse("s").unwrap(), Direction::Downstream);
            if restored.len() >= 50 { BTreeSet::new() } else { BTreeSet::from([site]) }
        }
        fn edges_below_with(&self, _: &[EdgeId]) -> BTreeSet<EdgeId> {
            BTreeSet::new()
        }
    }

    #[test]
    fn the_search_is_bounded() {
        let names: Vec<String> = (0..60).map(|i| format!("l{i:02}")).collect();
        let candidates: Vec<EdgeId> = names.iter().map(|n| edge(n)).collect();
        let mut causes = Causes::new(&Never);
        let site = SiteId::parse("s").unwrap();
        let found = causes.explain(Effect::Promise(&site, Direction::Downstream), &candidates);
        assert_eq!(found.len(), 50);
        assert!(causes.answers.len() <= JOINT_QUESTIONS_MAX + candidates.len() + 2);
    }
}
