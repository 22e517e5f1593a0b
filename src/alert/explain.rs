//! Which live incident tells about which: the rules of [`super::engine`], and the answers of [`super::causes`]. `[P]`

use std::collections::{BTreeMap, BTreeSet};

use super::causes::{Causes, Effect};
use super::engine::Engine;
use super::incident::{Condition, Direction, Incident, IncidentState, Severity, Subject};
use super::observe::Key;
use crate::model::EdgeId;
use crate::model::view::NetworkView;

/// Why an incident is a consequence.
#[derive(Default)]
pub(super) struct Explained {
    pub by: Vec<u64>,
    /// Nothing open explains it, but something that may open soon does.
    pub waits: bool,
}

impl Engine {
    pub(super) fn explain(&self, key: &Key, view: &NetworkView, causes: &mut Causes<'_>) -> Explained {
        let Some(incident) = self.live.get(key) else { return Explained::default() };
        if let Some(told) = self.told_by(key, incident) {
            return told;
        }
        if let Some(told) = self.told_at_dark_site(key, incident) {
            return told;
        }
        if let Some(told) = self.told_on_the_way(key, incident, view) {
            return told;
        }
        let candidates = self.candidates(key, incident);
        let edges = match (&key.subject, key.condition) {
            (Subject::Edge(edge), Condition::LinkDown | Condition::CapacityBelow | Condition::OnStandby) => {
                causes.explain(Effect::Edge(edge), &candidates)
            }
            (Subject::Site(site), Condition::SiteBelowTarget) => {
                causes.explain(Effect::Promise(site, key.direction.unwrap_or(Direction::Downstream)), &candidates)
            }
            _ => self.missing_on_the_way(key, view, &candidates),
        };
        let mut explained = Explained::default();
        for edge in edges {
            match self.tellers(&Subject::Edge(edge)).find(|i| i.is_opened()) {
                Some(teller) => explained.by.extend(self.roots(teller.number)),
                None => explained.waits = true,
            }
        }
        explained.by.retain(|number| *number != incident.number);
        explained.by.sort_unstable();
        explained.by.dedup();
        explained.waits &= explained.by.is_empty();
        explained
    }

    /// Another incident about the same trouble, which tells about this one.
    fn told_by(&self, key: &Key, incident: &Incident) -> Option<Explained> {
        let by = |number: u64| Explained { by: self.roots(number), waits: false };
        let mut waits = false;
        for other in self.tellers(&key.subject).filter(|other| tells_before(other, key, incident)) {
            if other.is_opened() {
                return Some(by(other.number));
            }
            waits |= other.condition == Condition::LinkDown;
        }
        if waits {
            return Some(Explained { by: Vec::new(), waits });
        }
        let Some(EdgeId::Link(link)) = key.edge() else { return None };
        let bundle = EdgeId::Bundle(self.network.bundle_of(link)?.id.clone());
        let reserve = Key::new(Condition::RedundancyLost, Subject::Edge(bundle.clone()), None);
        self.tellers(&Subject::Edge(bundle))
            .chain(self.live.get(&reserve))
            .filter(|other| other.is_opened())
            .map(|other| by(other.number))
            .find(|told| incident.number == 0 || !told.by.contains(&incident.number))
    }

    /// Live incidents of a subject, the one that tells first.
    pub(super) fn tellers(&self, subject: &Subject) -> impl Iterator<Item = &Incident> {
        let keys = match subject {
            Subject::Edge(_) => vec![
                (Condition::LinkDown, None),
                (Condition::OnStandby, None),
                (Condition::CapacityBelow, Some(Direction::Downstream)),
                (Condition::CapacityBelow, Some(Direction::Upstream)),
            ],
            Subject::Site(_) => vec![
                (Condition::SiteBelowTarget, Some(Direction::Downstream)),
                (Condition::SiteBelowTarget, Some(Direction::Upstream)),
            ],
            Subject::Device(_) => vec![
                (Condition::DeviceDown, None),
                (Condition::ManagementUnreachable, None),
                (Condition::PacketLoss, None),
            ],
            _ => Vec::new(),
        };
        keys.into_iter()
            .filter_map(|(condition, direction)| self.live.get(&Key::new(condition, subject.clone(), direction)))
    }

    /// Edges whose trouble may explain this one. A link may be explained by links that opened before it (so that two
    /// never explain each other) or are about to be down; a site by any link in trouble.
    fn candidates(&self, key: &Key, incident: &Incident) -> Vec<EdgeId> {
        let own = key.edge();
        let edges: BTreeSet<&EdgeId> = self
            .live
            .iter()
            .filter(|(other, cause)| {
                let open = cause.is_opened() && cause.severity > Severity::Minor;
                let pending = cause.state == IncidentState::Pending;
                match own {
                    None => open || pending,
                    Some(own) if pending => other.condition == Condition::LinkDown && !self.is_member(other, own),
                    Some(_) => open && (incident.number == 0 || cause.number < incident.number),
                }
            })
            .filter_map(|(other, _)| other.edge())
            .filter(|edge| own != Some(*edge))
            .collect();
        edges.into_iter().cloned().collect()
    }

    /// Is the first about a member of the bundle? A bundle does not wait for its members: it tells about them.
    fn is_member(&self, member: &Key, bundle: &EdgeId) -> bool {
        match (member.edge(), bundle) {
            (Some(EdgeId::Link(link)), EdgeId::Bundle(id)) => {
                self.network.bundles.get(id.as_str()).is_some_and(|b| b.links.contains(link))
            }
            _ => false,
        }
    }

    /// The numbers at the top of the chain of causes; itself if it has none that lives.
    fn roots(&self, number: u64) -> Vec<u64> {
        let by_number: BTreeMap<u64, &Incident> =
            self.live.values().filter(|i| i.number > 0).map(|i| (i.number, i)).collect();
        let mut roots = BTreeSet::new();
        let mut seen = BTreeSet::from([number]);
        let mut open = vec![number];
        while let Some(at) = open.pop() {
            let causes = by_number.get(&at).map_or(&[][..], |i| &i.caused_by);
            let live: Vec<u64> = causes.iter().copied().filter(|n| by_number.contains_key(n)).collect();
            if live.is_empty() {
                roots.insert(at);
            }
            open.extend(live.into_iter().filter(|n| seen.insert(*n)));
        }
        if roots.is_empty() { vec![number] } else { roots.into_iter().collect() }
    }
}

/// Of two incidents about one subject, does the other tell? The graver condition does; of two directions the one that
/// opened first. Some conditions have nothing to do with another about the same subject.
fn tells_before(other: &Incident, key: &Key, incident: &Incident) -> bool {
    if matches!(key.condition, Condition::SitePower | Condition::Temperature | Condition::PortBelowUsual) {
        return false;
    }
    if other.condition == key.condition {
        return other.direction != key.direction
            && other.is_opened()
            && (incident.number == 0 || other.number < incident.number);
    }
    Key::of(other) < *key
}
