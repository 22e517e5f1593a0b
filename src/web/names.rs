//! What things are called where people read: names instead of ids. `[P]`

use crate::model::network::Network;
use crate::model::view::NetworkView;
use crate::model::{EdgeId, SiteId, WispId};

/// The site's name; its id where the inventory no longer has it.
pub fn site<'a>(network: &'a Network, id: &'a SiteId) -> &'a str {
    network.sites.get(id).map_or(id.as_str(), |s| s.name.as_str())
}

/// The operator's name; its id where the inventory no longer has it.
pub fn wisp<'a>(network: &'a Network, id: &'a WispId) -> &'a str {
    network.wisps.get(id).map_or(id.as_str(), |w| w.name.as_str())
}

/// `Bossolasco–Murazzano` for a link or a bundle, `Bossolasco–Internet` for a backhaul; the id where the view does
/// not know the edge (an incident of last week about a link that was since removed).
pub fn edge(network: &Network, view: &NetworkView, id: &EdgeId) -> String {
    let Some(edge) = view.edge(id) else { return id.as_str().to_owned() };
    let near = site(network, &edge.near_site);
    match &edge.far_site {
        Some(far) => format!("{near}–{}", site(network, far)),
        None => format!("{near}–Internet"),
    }
}
