//! What several tables of the inventory say together. One function for each rule. `[P]`

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::config::problem::{Finding, Findings};
use crate::config::raw::{Raw, Value};
use crate::model::network::{Link, Medium, Network, Site, SiteKind};
use crate::model::{DeviceId, SiteId};

/// Longest radio link believed, in kilometres; beyond it somebody has swapped latitude and longitude.
const RADIO_LINK_KM_MAX: f64 = 150.0;

/// Reports everything; a table that is not whole is passed over, for its own problem has been reported.
pub fn check(raw: &Raw, network: &Network, findings: &mut Findings) {
    agents(raw, findings);
    addresses(raw, network, findings);
    municipalities(raw, network, findings);
    links(raw, network, findings);
    link_ends(raw, network, findings);
    unnamed_ends(raw, network, findings);
    bundles(raw, network, findings);
    sectors(raw, network, findings);
    backhauls(raw, network, findings);
    services(raw, network, findings);
    wisps(raw, findings);
    // An item with an error is left out of the model, and what is behind it would look cut off.
    if !findings.has_error() {
        reachability(raw, network, findings);
    }
}

/// The tables of one kind that are whole, each with what it became.
fn whole<'a, K, V>(
    raw: &'a Raw,
    table: &str,
    values: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a Raw, &'a V)> + use<'a, K, V>
where
    K: std::borrow::Borrow<str> + Ord,
{
    raw.tables(table).iter().filter_map(|raw| Some((raw, values.get(raw.text("id")?)?)))
}

/// The sites at the near and at the far end, as far as the devices are whole.
fn sites_of<'n>(network: &'n Network, near: &DeviceId, far: &DeviceId) -> Option<(&'n SiteId, &'n SiteId)> {
    let site = |device: &DeviceId| network.devices.get(device.as_str()).map(|d| &d.site);
    Some((site(near)?, site(far)?))
}

fn agents(raw: &Raw, findings: &mut Findings) {
    let is_any = raw.tables("site").iter().any(|site| site.boolean("agent") == Some(true));
    if !is_any && !raw.tables("device").is_empty() {
        let wanted = "no site has agent = true: nobody would poll the devices";
        findings.push(Finding::error(raw.at, "site", wanted));
    }
}

/// Address spaces of WISPs overlap, but what one agent sees must be unique.
fn addresses(raw: &Raw, network: &Network, findings: &mut Findings) {
    let mut seen = BTreeMap::new();
    for (raw, device) in whole(raw, "device", &network.devices) {
        if let Some(other) = seen.insert((&device.via, device.address), &device.id) {
            let wanted =
                format!("device \"{other}\" has this address too, polled by the same agent \"{}\"", device.via);
            findings.push(raw.error("address", wanted).found(format!("\"{}\"", device.address)));
        }
    }
}

fn municipalities(raw: &Raw, network: &Network, findings: &mut Findings) {
    for (raw, site) in whole(raw, "site", &network.sites) {
        let Some(named) = site.municipality.as_ref() else {
            if matches!(site.kind, SiteKind::School | SiteKind::TownHall) {
                let wanted = "should be given: mails say whom a fault touches by municipality";
                findings.push(raw.warning("municipality", wanted));
            }
            continue;
        };
        let kind = network.sites.get(named.as_str()).map(|other| other.kind);
        if kind.is_some_and(|kind| kind != SiteKind::Municipality) {
            let wanted = "must be a site of kind \"municipality\"";
            findings.push(raw.error("municipality", wanted).found(format!("\"{named}\"")));
        }
    }
}

fn links(raw: &Raw, network: &Network, findings: &mut Findings) {
    for (raw, link) in whole(raw, "link", &network.links) {
        if link.near == link.far {
            let wanted = "must be another device than near: a link has two ends";
            findings.push(raw.error("far", wanted).found(format!("\"{}\"", link.far)));
            continue;
        }
        let Some((near, far)) = sites_of(network, &link.near, &link.far) else { continue };
        if near == far {
            let wanted = format!("both ends stand at {near}: it brings nothing to any other site");
            findings.push(raw.warning("far", wanted));
        }
        let place = |id: &SiteId| network.sites.get(id.as_str());
        if let (Medium::Radio, Some(near), Some(far)) = (link.medium, place(near), place(far)) {
            let km = distance_km(near, far);
            if km > RADIO_LINK_KM_MAX {
                let wanted = format!("a radio link of {km:.0} km is not credible: are lat and lon swapped somewhere?");
                findings.push(raw.warning("far", wanted));
            }
        }
    }
}

/// Great-circle distance by the haversine formula, with the mean Earth radius of IUGG, 6371.0088 km.
pub(super) fn distance_km(a: &Site, b: &Site) -> f64 {
    let half_sin_squared = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let h = half_sin_squared(b.lat - a.lat)
        + a.lat.to_radians().cos() * b.lat.to_radians().cos() * half_sin_squared(b.lon - a.lon);
    2.0 * 6371.0088 * h.sqrt().min(1.0).asin()
}

/// A radio at the end of several links shares its airtime among them; only a sector says so. A device with several
/// radios has one a link, each named.
fn link_ends(raw: &Raw, network: &Network, findings: &mut Findings) {
    let access_points: BTreeSet<_> = network.sectors.values().map(|sector| &sector.access_point).collect();
    let mut first_link = BTreeMap::new();
    let mut named = BTreeMap::new();
    for (raw, link) in whole(raw, "link", &network.links).filter(|(_, link)| link.medium == Medium::Radio) {
        for (key, device, radio) in
            [("near", &link.near, link.near_radio.as_deref()), ("far", &link.far, link.far_radio.as_deref())]
        {
            if let Some(radio) = radio {
                if let Some(other) = named.insert((device, radio), &link.id) {
                    let wanted = format!("is the end of link \"{other}\" too: each link has a radio of its own there");
                    findings.push(raw.error(&format!("{key}_radio"), wanted).found(format!("\"{radio}\"")));
                }
                continue;
            }
            let other = *first_link.entry(device).or_insert(&link.id);
            if *other != link.id && !access_points.contains(device) {
                let wanted = format!(
                    "\"{device}\" is also an end of radio link \"{other}\": a [[sector]] should name it as its access \
                     point, or {key}_radio which of its radios this is, else each link counts all of its capacity"
                );
                findings.push(raw.warning(key, wanted));
            }
        }
    }
}

/// One end names its radio and another link of the same device does not: which radio is the other's?
fn unnamed_ends(raw: &Raw, network: &Network, findings: &mut Findings) {
    let radio = |link: &&Link| link.medium == Medium::Radio;
    let ends =
        |link: &'_ Link| [(link.near.clone(), link.near_radio.is_some()), (link.far.clone(), link.far_radio.is_some())];
    let named: BTreeSet<DeviceId> = network
        .links
        .values()
        .filter(radio)
        .flat_map(ends)
        .filter(|(_, named)| *named)
        .map(|(device, _)| device)
        .collect();
    let access_points: BTreeSet<_> = network.sectors.values().map(|sector| &sector.access_point).collect();
    for (raw, link) in whole(raw, "link", &network.links) {
        for (key, (device, has)) in ["near_radio", "far_radio"].into_iter().zip(ends(link)) {
            if has && link.medium == Medium::Cable {
                findings.push(raw.error(key, "must be left out: a cable has no radio"));
            } else if !has && radio(&link) && named.contains(&device) && !access_points.contains(&device) {
                let wanted =
                    format!("should be given: another link names its radio of \"{device}\", so that has several");
                findings.push(raw.warning(key, wanted));
            }
        }
    }
}

fn bundles(raw: &Raw, network: &Network, findings: &mut Findings) {
    let mut member_of = BTreeMap::new();
    for (raw, bundle) in whole(raw, "bundle", &network.bundles) {
        let mut joined = None;
        for (item, id) in raw.items("links").iter().zip(&bundle.links) {
            let at = item.at;
            let problem = |wanted: String| Finding::error(at, raw.place("links"), wanted).found(format!("\"{id}\""));
            if let Some(other) = member_of.insert(id, &bundle.id).filter(|other| **other != bundle.id) {
                findings.push(problem(format!("is already a member of bundle \"{other}\"")));
            }
            let link = network.links.get(id.as_str());
            let Some((near, far)) = link.and_then(|l| sites_of(network, &l.near, &l.far)) else { continue };
            let pair = if near < far { (near, far) } else { (far, near) };
            let (a, b) = *joined.get_or_insert(pair);
            if pair != (a, b) {
                let wanted =
                    format!("must join {a} and {b} as the first of the bundle does; it joins {near} and {far}");
                findings.push(problem(wanted));
            }
        }
    }
}

fn sectors(raw: &Raw, network: &Network, findings: &mut Findings) {
    let ends: BTreeSet<_> = network.links.values().flat_map(|l| [(&l.near, &l.far), (&l.far, &l.near)]).collect();
    let mut sector_of = BTreeMap::new();
    for (raw, sector) in whole(raw, "sector", &network.sectors) {
        let point = &sector.access_point;
        if let Some(other) = sector_of.insert(point, &sector.id) {
            let wanted = format!("is already the access point of sector \"{other}\"");
            findings.push(raw.error("access_point", wanted).found(format!("\"{point}\"")));
        }
        for (item, peer) in raw.items("peers").iter().zip(&sector.peers) {
            let Some(device) = network.devices.get(peer.as_str()) else { continue };
            let place = raw.place("peers");
            if !ends.contains(&(point, peer)) {
                let wanted = format!("no [[link]] joins this device to the access point \"{point}\"");
                let finding = Finding::error(item.at, place, wanted);
                findings.push(finding.found(format!("\"{peer}\"")));
            } else if device.mac.is_none() {
                let wanted = format!("device \"{peer}\" should have its mac: the access point knows its peers by that");
                findings.push(Finding::warning(item.at, place, wanted));
            }
        }
    }
}

fn backhauls(raw: &Raw, network: &Network, findings: &mut Findings) {
    for (raw, backhaul) in whole(raw, "backhaul", &network.backhauls) {
        if network.sites.get(backhaul.site.as_str()).is_some_and(|site| !site.agent) {
            let wanted = "no agent stands at this site: nobody can tell whether the backhaul works";
            findings.push(raw.warning("site", wanted).found(format!("\"{}\"", backhaul.site)));
        }
    }
}

fn services(raw: &Raw, network: &Network, findings: &mut Findings) {
    for raw in raw.tables("service") {
        for item in raw.items("from") {
            let Value::Text(id) = &item.value else { continue };
            if network.sites.get(id.as_str()).is_some_and(|site| !site.agent) {
                let wanted = "no agent stands at this site: nobody would try the service from there";
                findings.push(Finding::error(item.at, raw.place("from"), wanted).found(format!("\"{id}\"")));
            }
        }
    }
}

fn wisps(raw: &Raw, findings: &mut Findings) {
    for raw in raw.tables("wisp").iter().filter(|wisp| wisp.is_empty_list("email")) {
        findings.push(raw.warning("email", "there is none: this operator will not be told about its own links"));
    }
}

/// A site with a promise and no way to the Internet, however bad: a link is missing from the file.
fn reachability(raw: &Raw, network: &Network, findings: &mut Findings) {
    let mut neighbours: BTreeMap<&SiteId, Vec<&SiteId>> = BTreeMap::new();
    for link in network.links.values() {
        if let Some((near, far)) = sites_of(network, &link.near, &link.far) {
            neighbours.entry(near).or_default().push(far);
            neighbours.entry(far).or_default().push(near);
        }
    }
    let mut reached: BTreeSet<&SiteId> = network.backhauls.values().map(|b| &b.site).collect();
    let mut waiting: VecDeque<&SiteId> = reached.iter().copied().collect();
    while let Some(site) = waiting.pop_front() {
        for next in neighbours.get(site).into_iter().flatten() {
            if reached.insert(next) {
                waiting.push_back(next);
            }
        }
    }
    for (raw, site) in whole(raw, "site", &network.sites) {
        if site.target.is_some() && !reached.contains(&site.id) {
            let wanted = "was promised something, and no link or backhaul leads from it to the Internet";
            findings.push(Finding::warning(raw.at, raw.label(), wanted));
        }
    }
}
