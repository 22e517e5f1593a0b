//! Sites that would survive the loss of any one link, as the network was built and as it is now. `[P]`
//!
//! A site is safe if no single edge, closed, parts it from the Internet. Edges whose state is not known count as
//! well: unknown neither opens nor closes anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::capacity::reach::{Way, survivors};
use crate::model::view::{LinkState, LinkView, NetworkView};
use crate::model::{EdgeId, SiteId};

/// See the module. Worked out only while something is down.
#[derive(Debug, Clone, Default)]
pub struct Redundancy {
    sites: Vec<SiteId>,
    edges: Vec<EdgeId>,
    ways: Vec<Way>,
    lost: BTreeSet<SiteId>,
}

fn is_down(link: &LinkView) -> bool {
    matches!(link.state, LinkState::Down(_))
}

impl Redundancy {
    pub fn of(view: &NetworkView) -> Self {
        let members: BTreeSet<&str> =
            view.bundles.values().flat_map(|b| &b.members).map(super::super::model::id::LinkId::as_str).collect();
        let carries = |link: &&LinkView| !matches!(&link.id, EdgeId::Link(id) if members.contains(id.as_str()));
        if !view.edges().filter(carries).any(is_down) {
            return Self::default();
        }
        // Node 0 is the Internet.
        let mut nodes: BTreeMap<&SiteId, usize> = BTreeMap::new();
        let (mut edges, mut ways) = (Vec::new(), Vec::new());
        for link in view.edges().filter(carries) {
            let next = nodes.len() + 1;
            let a = *nodes.entry(&link.near_site).or_insert(next);
            let next = nodes.len() + 1;
            let b = link.far_site.as_ref().map_or(0, |site| *nodes.entry(site).or_insert(next));
            edges.push(link.id.clone());
            ways.push(Way { a, b, closed: is_down(link) });
        }
        let mut sites = vec![None; nodes.len()];
        for (site, at) in nodes {
            sites[at - 1] = Some(site.clone());
        }
        let mut found = Self { sites: sites.into_iter().flatten().collect(), edges, ways, lost: BTreeSet::new() };
        let built: Vec<Way> = found.ways.iter().map(|way| Way { closed: false, ..*way }).collect();
        let safe_as_built = found.safe(&built);
        let safe_now = found.safe(&found.ways);
        // A site that has no path at all has lost more than its reserve, and that is told.
        let connected = |site: &SiteId| view.sites.get(site.as_str()).is_some_and(|s| !s.path.is_empty());
        found.lost = safe_as_built.difference(&safe_now).filter(|site| connected(site)).cloned().collect();
        found
    }

    fn safe(&self, ways: &[Way]) -> BTreeSet<SiteId> {
        let survives = survivors(self.sites.len() + 1, ways, 0);
        self.sites.iter().zip(&survives[1..]).filter(|(_, safe)| **safe).map(|(site, _)| site.clone()).collect()
    }

    /// Sites that were safe as built, still have service, and are safe no longer.
    pub fn lost(&self) -> impl Iterator<Item = &SiteId> {
        self.lost.iter()
    }

    pub fn is_lost(&self, site: &SiteId) -> bool {
        self.lost.contains(site.as_str())
    }

    /// Would the site be safe again if these edges were well?
    pub fn safe_with(&self, site: &SiteId, restored: &[EdgeId]) -> bool {
        let ways: Vec<Way> = self
            .ways
            .iter()
            .zip(&self.edges)
            .map(|(way, edge)| Way { closed: way.closed && !restored.contains(edge), ..*way })
            .collect();
        self.safe(&ways).contains(site.as_str())
    }
}
