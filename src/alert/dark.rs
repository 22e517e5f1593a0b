//! A site that has gone dark takes every link that ends there with it: one trouble, one root. `[P]`
//!
//! **Dark** is a site of which at least two devices are polled and none answers. Of the links (and bundles) that fell
//! there within the hold time of each other, the first to open is the root, the others are its consequences; of those
//! that may open at once, the one with the most sites behind it comes first, and the others wait for it. A link
//! between two dark sites comes last, for it may be the consequence of either.
//!
//! Each operator hears of its own: of the links of another operator than the root's the first one is mailed to that
//! operator, and to nobody else (`Detail::operator_only`).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::engine::Engine;
use super::explain::Explained;
use super::incident::{Condition, Incident, IncidentState, Subject};
use super::observe::Key;
use crate::model::view::{EndView, LinkState, NetworkView};
use crate::model::{DeviceId, EdgeId, SiteId, UnixMillis};

/// One silent device is a device, not a site.
const DARK_DEVICES_MIN: usize = 2;

/// What the devices of a site say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Light {
    /// None answers, and there are several.
    Dark,
    /// None is known to answer, but not all are known to be silent.
    Unsure,
}

/// An edge that is known to be down, and ends at a site that does not answer.
#[derive(Debug, Clone)]
struct Fallen {
    sites: Vec<(SiteId, Light)>,
    /// Sites with a target whose path would cross it.
    behind: usize,
}

/// Sites where nothing answers, and the edges that fell there. Read anew from each view.
#[derive(Debug, Clone, Default)]
pub struct Dark {
    sites: BTreeMap<SiteId, Light>,
    fallen: BTreeMap<EdgeId, Fallen>,
}

/// Which of several edges at a dark site opens first: not a member of a bundle, not between two dark sites, the most
/// sites behind it, the earliest.
type Order = (bool, bool, Reverse<usize>, UnixMillis, EdgeId);

impl Dark {
    pub fn of(view: &NetworkView) -> Self {
        let mut devices: BTreeMap<&SiteId, BTreeMap<&DeviceId, Option<bool>>> = BTreeMap::new();
        let ends = view.links.values().flat_map(|link| [&link.near, &link.far]).flatten();
        for EndView { site, device, answers, .. } in ends {
            devices.entry(site).or_default().insert(device, *answers);
        }
        let light = |answers: &BTreeMap<&DeviceId, Option<bool>>| {
            if answers.values().any(|a| *a == Some(true)) {
                return None;
            }
            let silent = answers.values().all(|a| *a == Some(false));
            Some(if silent && answers.len() >= DARK_DEVICES_MIN { Light::Dark } else { Light::Unsure })
        };
        let sites: BTreeMap<SiteId, Light> =
            devices.iter().filter_map(|(site, answers)| Some(((*site).clone(), light(answers)?))).collect();
        let mut fallen = BTreeMap::new();
        for link in view.edges().filter(|link| matches!(link.state, LinkState::Down(_))) {
            let here: Vec<(SiteId, Light)> = [Some(&link.near_site), link.far_site.as_ref()]
                .into_iter()
                .flatten()
                .filter_map(|site| Some((site.clone(), *sites.get(site.as_str())?)))
                .collect();
            if !here.is_empty() {
                fallen.insert(link.id.clone(), Fallen { sites: here, behind: link.behind.len() });
            }
        }
        Self { sites, fallen }
    }

    pub fn is_dark(&self, site: &SiteId) -> bool {
        self.sites.get(site.as_str()) == Some(&Light::Dark)
    }

    /// The site at which the edge fell, if exactly one of its sites is dark: both is the path to them.
    fn place(&self, edge: &EdgeId) -> Option<&SiteId> {
        let mut dark = self.fallen.get(edge)?.sites.iter().filter(|(_, light)| *light == Light::Dark);
        dark.next().filter(|_| dark.next().is_none()).map(|(site, _)| site)
    }
}

impl Engine {
    /// The order of opening of an outage at a dark site; `None` for everything else.
    pub(super) fn dark_order(&self, key: &Key) -> Option<Order> {
        let edge = key.edge().filter(|_| key.condition == Condition::LinkDown)?;
        let fallen = self.dark.fallen.get(edge)?;
        let dark = fallen.sites.iter().filter(|(_, light)| *light == Light::Dark).count();
        let since = self.live.get(key)?.since;
        (dark > 0).then(|| (self.in_bundle(edge), dark > 1, Reverse(fallen.behind), since, edge.clone()))
    }

    fn in_bundle(&self, edge: &EdgeId) -> bool {
        matches!(edge, EdgeId::Link(id) if self.network.bundle_of(id).is_some())
    }

    /// Outages that fell at this site together with this one.
    fn fell_together<'a>(&'a self, incident: &'a Incident, site: &'a SiteId) -> impl Iterator<Item = &'a Incident> {
        let window = self.together_within();
        self.dark
            .fallen
            .iter()
            .filter(move |(edge, fallen)| !self.in_bundle(edge) && fallen.sites.iter().any(|(s, _)| s == site))
            .filter_map(|(edge, _)| self.live.get(&Key::new(Condition::LinkDown, Subject::Edge(edge.clone()), None)))
            .filter(|other| other.subject != incident.subject)
            .filter(move |other| apart(incident, other) <= window)
    }

    /// Both radios of a mast are polled once an interval, at different moments.
    fn together_within(&self) -> Duration {
        self.settings.base(Condition::LinkDown).open + self.interval
    }

    /// The outage at the same dark site that tells about this one.
    pub(super) fn told_at_dark_site(&self, key: &Key, incident: &Incident) -> Option<Explained> {
        let edge = key.edge().filter(|_| key.condition == Condition::LinkDown)?;
        let own_order = self.dark_order(key);
        let mut explained = Explained::default();
        for (site, light) in &self.dark.fallen.get(edge)?.sites {
            let opened = |i: &&Incident| i.is_opened() && (incident.number == 0 || i.number < incident.number);
            // What was found once holds until a device answers again.
            let known = |i: &&Incident| *light == Light::Dark || incident.caused_by.contains(&i.number);
            let root = self
                .fell_together(incident, site)
                .filter(|i| !i.is_consequence())
                .filter(opened)
                .filter(known)
                .min_by_key(|i| i.number);
            if let Some(root) = root {
                explained.by.push(root.number);
                continue;
            }
            let first = |i: &Incident| {
                let order = self.dark_order(&Key::of(i));
                order.is_some() && order < own_order
            };
            explained.waits |= own_order.is_some()
                && incident.number == 0
                && self.fell_together(incident, site).any(|i| i.state == IncidentState::Pending && first(i));
        }
        explained.waits &= explained.by.is_empty();
        (explained.waits || !explained.by.is_empty()).then_some(explained)
    }

    /// Is this consequence the first that its operator would hear of? Then that operator is told, and nobody else.
    pub(super) fn concerns_another_operator(&self, key: &Key) -> bool {
        let Some(incident) = self.live.get(key).filter(|i| i.is_consequence() && i.wisp.is_some()) else {
            return false;
        };
        let Some(fallen) = key.edge().and_then(|edge| self.dark.fallen.get(edge)) else { return false };
        let told_at = |site: &SiteId| {
            let fellows: Vec<&Incident> = self.fell_together(incident, site).filter(|i| i.is_opened()).collect();
            let by_dark = fellows.iter().any(|i| incident.caused_by.contains(&i.number));
            let heard = |i: &&Incident| i.wisp == incident.wisp && (i.detail.announced || i.detail.operator_only);
            by_dark && !fellows.iter().any(heard)
        };
        key.condition == Condition::LinkDown && fallen.sites.iter().any(|(site, _)| told_at(site))
    }

    /// The dark site of an outage, and the other edges that fell there with it.
    pub(super) fn dark_site(&self, key: &Key, incident: &Incident) -> Option<(SiteId, Vec<EdgeId>)> {
        let edge = key.edge().filter(|_| key.condition == Condition::LinkDown)?;
        let site = self.dark.place(edge)?;
        let edge_of = |i: &Incident| match &i.subject {
            Subject::Edge(edge) => Some(edge.clone()),
            _ => None,
        };
        let mut others: Vec<EdgeId> = self.fell_together(incident, site).filter_map(edge_of).collect();
        others.sort();
        Some((site.clone(), others))
    }

    /// Of another edge that is known to be down there, whatever the time: the site is silent from several sides.
    pub(super) fn others_down_at(&self, edge: &EdgeId, site: &SiteId) -> usize {
        let ends_there = |(other, fallen): &(&EdgeId, &Fallen)| {
            *other != edge && !self.in_bundle(other) && fallen.sites.iter().any(|(s, _)| s == site)
        };
        self.dark.fallen.iter().filter(ends_there).count()
    }
}

fn apart(a: &Incident, b: &Incident) -> Duration {
    if a.since >= b.since { a.since.since(b.since) } else { b.since.since(a.since) }
}
