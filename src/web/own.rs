//! What one operator or one place may see, as a picture of its own: pages made from it cannot tell of anybody else. `[P]`

use std::collections::BTreeSet;
use std::sync::Arc;

use super::snapshot::Snapshot;
use crate::alert::{Incident, Subject};
use crate::model::network::Network;
use crate::model::view::{LinkView, NetworkView};
use crate::model::{EdgeId, SiteId, WispId};

/// The links and backhauls that the operator runs, and the incidents that are its own.
pub fn of_wisp(all: &Snapshot, wisp: &WispId) -> Snapshot {
    let own = |edge: &LinkView| edge.wisp.as_ref() == Some(wisp);
    let incidents = all.incidents.iter().filter(|i| i.number > 0 && i.wisp.as_ref() == Some(wisp));
    reduced(all, own, incidents.cloned().collect(), None)
}

/// What the place was promised and has, the links that limit it, and the incidents that it suffers from; no equipment.
pub fn of_site(all: &Snapshot, site: &SiteId) -> Snapshot {
    let incidents: Vec<Incident> = all.incidents.iter().filter(|i| i.number > 0 && suffers(i, site)).cloned().collect();
    let view = all.view.sites.get(site);
    let limits = view.into_iter().flat_map(|v| std::iter::once(&v.downstream).chain(&v.upstream));
    let limits = limits.flat_map(|d| d.bottleneck.iter().chain(&d.unknown_edges));
    let weak = incidents.iter().filter_map(|i| if let Subject::Edge(id) = &i.subject { Some(id) } else { None });
    let told: BTreeSet<EdgeId> = limits.chain(weak).cloned().collect();
    let mut own = reduced(all, |edge| told.contains(&edge.id), incidents, Some(site));
    let view = Arc::make_mut(&mut own.view);
    view.sites = all.view.sites.get(site).map(|v| (site.clone(), v.clone())).into_iter().collect();
    for edge in view.links.values_mut().chain(view.bundles.values_mut()).chain(view.backhauls.values_mut()) {
        (edge.near, edge.far) = (None, None);
    }
    own
}

/// About the place itself, or about something that takes from it what it was promised.
fn suffers(incident: &Incident, site: &SiteId) -> bool {
    let about = match &incident.subject {
        Subject::Site(id) | Subject::Service(_, id) if id == site => true,
        Subject::Site(_) | Subject::Edge(_) => false,
        // What is called by the name of a device or of another place's service is told by what follows from it.
        _ => return false,
    };
    about || incident.sites_below.contains(site) || incident.sites_cut_off.contains(site)
}

/// Of the view only some edges; of the inventory only the names that these and the incidents need.
fn reduced(
    all: &Snapshot,
    keep: impl Fn(&LinkView) -> bool,
    incidents: Vec<Incident>,
    also: Option<&SiteId>,
) -> Snapshot {
    let bare = |edge: &LinkView| LinkView { behind: Vec::new(), ..edge.clone() };
    let view = NetworkView {
        at: all.view.at,
        links: all.view.links.iter().filter(|(_, e)| keep(e)).map(|(id, e)| (id.clone(), bare(e))).collect(),
        bundles: all.view.bundles.iter().filter(|(_, e)| keep(e)).map(|(id, e)| (id.clone(), bare(e))).collect(),
        backhauls: all.view.backhauls.iter().filter(|(_, e)| keep(e)).map(|(id, e)| (id.clone(), bare(e))).collect(),
        ..NetworkView::default()
    };
    let ends = view.edges().flat_map(|e| std::iter::once(&e.near_site).chain(&e.far_site));
    let hit = incidents.iter().flat_map(|i| i.sites.iter().chain(&i.sites_below).chain(&i.sites_cut_off));
    let sites: BTreeSet<SiteId> = ends.chain(hit).chain(also).cloned().collect();
    let wisps: BTreeSet<WispId> =
        view.edges().filter_map(|e| e.wisp.clone()).chain(incidents.iter().filter_map(|i| i.wisp.clone())).collect();
    Snapshot {
        network: Arc::new(names_only(&all.network, &sites, &wisps)),
        view: Arc::new(view),
        proofs: Arc::default(),
        incidents: Arc::new(incidents),
        cases: Arc::default(),
        parts: Vec::new(),
        agents_expected: Vec::new(),
        ..all.clone()
    }
}

/// No person, no address, no equipment.
fn names_only(all: &Network, sites: &BTreeSet<SiteId>, wisps: &BTreeSet<WispId>) -> Network {
    let mut network = all.clone();
    network.staff.clear();
    network.credentials.clear();
    network.devices.clear();
    network.links.clear();
    network.bundles.clear();
    network.sectors.clear();
    network.backhauls.clear();
    network.services.clear();
    network.backups.clear();
    network.sites.retain(|id, _| sites.contains(id));
    network.wisps.retain(|id, _| wisps.contains(id));
    for site in network.sites.values_mut() {
        (site.access, site.contact) = (None, None);
        site.contact_email.clear();
    }
    for wisp in network.wisps.values_mut() {
        wisp.email.clear();
    }
    network
}
