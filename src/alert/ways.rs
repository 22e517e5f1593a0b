//! Causes of what is observed from afar: echoes, services, agents, devices. `[P]`
//!
//! Reachability is a fact of an observer and a subject. An outage explains that the one does not see the other if no
//! way is left between them, and one would be with the outage undone; if no single outage does, the smallest set found
//! by taking away what is not needed. Loss and delay are explained by what is weak or lossy on the way itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::engine::Engine;
use super::explain::Explained;
use super::incident::{BackupTrouble, Condition, Direction, Incident, Subject};
use super::observe::Key;
use crate::model::view::{LinkState, LinkView, NetworkView, WhatIf};
use crate::model::{EdgeId, SiteId};

/// Outages asked about one by one for one subject; beyond, only all together.
const SINGLES_MAX: usize = 64;

/// A place: a site, or the Internet.
type Place = Option<SiteId>;

/// The ways of one view, from an observer.
struct Ways<'v> {
    edges: Vec<&'v LinkView>,
}

impl<'v> Ways<'v> {
    fn of(view: &'v NetworkView) -> Self {
        let members: BTreeSet<&str> =
            view.bundles.values().flat_map(|b| &b.members).map(super::super::model::id::LinkId::as_str).collect();
        let carries = |link: &&LinkView| !matches!(&link.id, EdgeId::Link(id) if members.contains(id.as_str()));
        Self { edges: view.edges().filter(carries).collect() }
    }

    /// The edges of the shortest way, first the one at the observer; `None` if there is no way.
    fn shortest(&self, from: &Place, to: &Place, restored: &[EdgeId]) -> Option<Vec<&'v LinkView>> {
        let mut adjacent: BTreeMap<Option<&SiteId>, Vec<(Option<&SiteId>, &'v LinkView)>> = BTreeMap::new();
        for edge in &self.edges {
            if matches!(edge.state, LinkState::Down(_)) && !restored.contains(&edge.id) {
                continue;
            }
            let (a, b) = (Some(&edge.near_site), edge.far_site.as_ref());
            adjacent.entry(a).or_default().push((b, edge));
            adjacent.entry(b).or_default().push((a, edge));
        }
        let (from, to) = (from.as_ref(), to.as_ref());
        let mut came: BTreeMap<Option<&SiteId>, (Option<&SiteId>, &'v LinkView)> = BTreeMap::new();
        let mut open = VecDeque::from([from]);
        while let Some(at) = open.pop_front() {
            if at == to {
                let mut way = Vec::new();
                let mut here = to;
                while let Some((before, edge)) = came.get(&here).filter(|_| here != from) {
                    way.push(*edge);
                    here = *before;
                }
                way.reverse();
                return Some(way);
            }
            for (next, edge) in adjacent.get(&at).into_iter().flatten() {
                if *next != from && !came.contains_key(next) {
                    came.insert(*next, (at, edge));
                    open.push_back(*next);
                }
            }
        }
        None
    }
}

impl Engine {
    /// From where a subject is observed, and where it is.
    fn observed(&self, subject: &Subject) -> Option<(Place, Place)> {
        match subject {
            Subject::Device(id) => {
                let device = self.network.devices.get(id.as_str())?;
                Some((Some(device.via.clone()), Some(device.site.clone())))
            }
            Subject::Agent(site) => Some((self.network.hub_site.clone(), Some(site.clone()))),
            Subject::Service(_, from) => Some((Some(from.clone()), None)),
            Subject::Backup(id) => Some((Some(self.network.backups.get(id.as_str())?.site.clone()), None)),
            _ => None,
        }
    }

    /// How many links lie between the observer and the device: of two that lose echoes the closer one is asked first.
    pub(super) fn distance(&self, key: &Key, view: &NetworkView) -> usize {
        if !matches!(key.condition, Condition::PacketLoss | Condition::RoundTripTime) {
            return 0;
        }
        let Some((from, to)) = self.observed(&key.subject) else { return 0 };
        Ways::of(view).shortest(&from, &to, &[]).map_or(usize::MAX, |way| way.len())
    }

    /// Outages without which the observer would see the subject.
    pub(super) fn missing_on_the_way(&self, key: &Key, view: &NetworkView, candidates: &[EdgeId]) -> Vec<EdgeId> {
        if let (Subject::Site(site), Condition::RedundancyLost) = (&key.subject, key.condition) {
            return smallest(candidates, |restored| !self.scene.redundancy.safe_with(site, restored));
        }
        let reaches = [
            Condition::DeviceDown,
            Condition::AgentSilent,
            Condition::ServiceUnreachable,
            Condition::BackupWillNotFinish,
        ];
        let Some((from, to)) = self.observed(&key.subject).filter(|_| reaches.contains(&key.condition)) else {
            return Vec::new();
        };
        let ways = Ways::of(view);
        smallest(candidates, |restored| ways.shortest(&from, &to, restored).is_none())
    }

    /// An open incident that the observation itself goes through.
    pub(super) fn told_on_the_way(&self, key: &Key, incident: &Incident, view: &NetworkView) -> Option<Explained> {
        let by = |other: &Incident| Explained { by: vec![other.number], waits: false };
        let earlier = |other: &&Incident| other.is_opened() && (incident.number == 0 || other.number < incident.number);
        match (&key.subject, key.condition) {
            (Subject::Device(id), Condition::PortBelowUsual) => {
                let mut links = self.scene.links_of(id).iter().map(|link| EdgeId::Link(link.clone()));
                links.find_map(|edge| self.weak(&edge).filter(|i| i.is_opened())).map(by)
            }
            // What the job needs to fit is what the links on its way do not carry.
            (Subject::Backup(id), _) if incident.detail.backup == Some(BackupTrouble::DoesNotFit) => {
                let site = &self.network.backups.get(id.as_str())?.site;
                let mut path = view.sites.get(site.as_str())?.path.iter();
                path.find_map(|edge| self.weak(edge).filter(|i| i.is_opened())).map(by)
            }
            (Subject::Device(id), Condition::DeviceDown) => {
                let site = self.network.devices.get(id.as_str())?.site.clone();
                self.live.get(&Key::new(Condition::SitePower, Subject::Site(site), None)).filter(earlier).map(by)
            }
            (Subject::Device(_), Condition::PacketLoss | Condition::RoundTripTime) => {
                let (from, to) = self.observed(&key.subject)?;
                let way = Ways::of(view).shortest(&from, &to, &[])?;
                let weak = way.iter().filter_map(|edge| self.weak(&edge.id)).find(|i| i.is_opened());
                weak.or_else(|| self.lossy_before(key, &way).filter(earlier)).map(by)
            }
            _ => None,
        }
    }

    /// The incident of an edge that carries too little.
    fn weak(&self, edge: &EdgeId) -> Option<&Incident> {
        let subject = Subject::Edge(edge.clone());
        [Some(Direction::Downstream), Some(Direction::Upstream)]
            .into_iter()
            .find_map(|d| self.live.get(&Key::new(Condition::CapacityBelow, subject.clone(), d)))
    }

    /// Of the devices on the way, the first other one that loses echoes, or is slow.
    fn lossy_before(&self, key: &Key, way: &[&LinkView]) -> Option<&Incident> {
        way.iter().flat_map(|edge| [&edge.near, &edge.far]).flatten().find_map(|end| {
            let other = Key::new(key.condition, Subject::Device(end.device.clone()), None);
            self.live.get(&other).filter(|i| i.is_opened() && other != *key && !i.is_consequence())
        })
    }
}

/// The single candidates that end the breach; otherwise all, without those that are not needed.
fn smallest(candidates: &[EdgeId], in_breach: impl Fn(&[EdgeId]) -> bool) -> Vec<EdgeId> {
    if candidates.is_empty() || !in_breach(&[]) || in_breach(candidates) {
        return Vec::new();
    }
    if candidates.len() <= SINGLES_MAX {
        let singles: Vec<EdgeId> =
            candidates.iter().filter(|e| !in_breach(std::slice::from_ref(*e))).cloned().collect();
        if !singles.is_empty() {
            return singles;
        }
    }
    let mut kept = candidates.to_vec();
    let mut at = 0;
    while at < kept.len().min(SINGLES_MAX) && kept.len() > 1 {
        let mut without = kept.clone();
        without.remove(at);
        if in_breach(&without) {
            at += 1;
        } else {
            kept = without;
        }
    }
    kept
}

/// Nothing is asked while the hub is blind.
pub(super) struct NoWhatIf;

impl WhatIf for NoWhatIf {
    fn below_target_with(&self, _: &[EdgeId]) -> BTreeSet<(SiteId, Direction)> {
        BTreeSet::new()
    }

    fn edges_below_with(&self, _: &[EdgeId]) -> BTreeSet<EdgeId> {
        BTreeSet::new()
    }
}
