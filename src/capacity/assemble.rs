//! Writes the [`NetworkView`] from an evaluated state.

use std::collections::BTreeMap;

use super::deliver::Sites;
use super::ends;
use super::figures::{Pair, Up};
use super::link::{Judged, Lane};
use super::state::{LinkSlot, NetworkState, Present};
use super::topology::{Carrier, Member};
use crate::model::network::{Backhaul, Bundle, BundleMode, Duplex, End, Link, Medium};
use crate::model::view::{
    DeviceView, Direction, DirectionView, EndView, LimitedBy, LinkState, LinkView, NetworkView, PingView, ServiceView,
    SiteView,
};
use crate::model::{DeviceId, EdgeId, LinkId, Missing, Reading, SiteId, WispId};

/// The view of the present.
pub fn view(state: &NetworkState, present: &Present) -> NetworkView {
    let mut view = NetworkView { at: present.now, ..NetworkView::default() };
    for (i, link) in state.network.links.values().enumerate() {
        view.links.insert(link.id.clone(), link_view(state, present, i, link));
    }
    for (place, edge) in state.plan.topology.edges.iter().enumerate() {
        match (&edge.id, edge.carrier) {
            (EdgeId::Bundle(id), Carrier::Bundle(b)) => {
                if let Some(bundle) = state.network.bundles.get(id) {
                    view.bundles.insert(id.clone(), bundle_view(state, present, place, b, bundle));
                }
            }
            (EdgeId::Backhaul(id), Carrier::Backhaul(b)) => {
                if let Some(backhaul) = state.network.backhauls.get(id) {
                    view.backhauls.insert(id.clone(), backhaul_view(state, present, place, b, backhaul));
                }
            }
            _ => {}
        }
    }
    sites(state, present, &mut view);
    view.services = services(state, present);
    view.devices = devices(state, present);
    let outside = state.readings.backhauls.iter().map(|(id, held)| {
        let get = |name: &str| held.get(name, present.fresh).reading;
        (id.clone(), PingView { loss_percent: get("loss_percent"), rtt_ms_median: get("rtt_ms_median") })
    });
    view.outside = outside.collect();
    view
}

fn devices(state: &NetworkState, present: &Present) -> BTreeMap<DeviceId, DeviceView> {
    let heard = state.readings.devices.iter();
    heard
        .filter_map(|(id, held)| {
            let device = state.network.devices.get(id)?;
            Some((
                id.clone(),
                ends::device_view(device, held, present.fresh, state.agent_alive(&device.via, present.fresh)),
            ))
        })
        .collect()
}

/// The edge of the graph that stands for a link: its own, or its bundle's.
fn edge_of(state: &NetworkState, link: usize) -> Option<usize> {
    let carrier = match state.plan.topology.bundle_of(link) {
        Some(bundle) => Carrier::Bundle(bundle),
        None => Carrier::Link(link),
    };
    state.plan.edge_of(carrier)
}

fn behind(state: &NetworkState, present: &Present, edge: usize) -> Vec<SiteId> {
    let topology = &state.plan.topology;
    let targets = &present.picture.solution.routes.behind[edge];
    targets.iter().map(|target| topology.sites[topology.targets[*target].0].clone()).collect()
}

fn direction(lane: &Lane, required_mbps: f64) -> DirectionView {
    DirectionView {
        capacity_mbps: lane.capacity,
        limited_by: lane.limited_by.clone(),
        measured_at: lane.measured_at,
        throughput_mbps: lane.throughput,
        required_mbps,
    }
}

fn link_view(state: &NetworkState, present: &Present, i: usize, link: &Link) -> LinkView {
    let slot = &state.slots[i];
    let judged = &present.links[i];
    let required = present.picture.required_link[i];
    let edge = edge_of(state, i);
    let child = edge.and_then(|edge| present.picture.solution.routes.child[edge]);
    let reversed = member_of(state, i).is_some_and(|m| m.reversed);
    let carries = state.carries(&present.picture, i);
    let (near_site, far_site) = state.network.link_sites(link);
    let on_standby = [&slot.near, &slot.far]
        .into_iter()
        .any(|end| end.on_backup_channel(state.readings.devices.get(&end.device), present.fresh));
    LinkView {
        id: EdgeId::Link(link.id.clone()),
        near_site,
        far_site: Some(far_site),
        wisp: link.wisp.clone(),
        state: judged.state,
        duplex: state.duplex(link, slot),
        to_far: direction(&judged.to_far, required.to_far),
        to_near: direction(&judged.to_near, required.to_near),
        downstream_end: child.map(|end| if reversed { end.other() } else { end }),
        near: end_view(state, present, i, End::Near),
        far: end_view(state, present, i, End::Far),
        behind: edge.filter(|_| carries).map_or_else(Vec::new, |edge| behind(state, present, edge)),
        trusted: trusted(state, link, slot),
        members: Vec::new(),
        on_standby,
    }
}

fn member_of(state: &NetworkState, link: usize) -> Option<Member> {
    let bundle = state.plan.topology.bundle_of(link)?;
    state.plan.topology.bundles[bundle].members.iter().copied().find(|m| m.link == link)
}

fn end_view(state: &NetworkState, present: &Present, link: usize, end: End) -> Option<EndView> {
    let slot = state.slots[link].end(end);
    let device = state.network.devices.get(&slot.device)?;
    let usual = &state.usual[link][usize::from(end == End::Far)];
    Some(slot.view(device, state.readings.devices.get(&slot.device), present.fresh, usual))
}

/// Every radio that is read belongs to a family that is verified, or that the inventory trusts. A family not yet
/// known is not verified.
fn trusted(state: &NetworkState, link: &Link, slot: &LinkSlot) -> bool {
    link.medium == Medium::Cable
        || [&slot.near.device, &slot.far.device].into_iter().all(|id| {
            let Some(device) = state.network.devices.get(id) else { return true };
            device.credential.is_none() || device.trust || state.family(id).is_some_and(|f| f.verified)
        })
}

/// The reason of a bundle's state: that of the first member which has it.
fn bundle_state(members: &[&Judged], up: Up) -> LinkState {
    let first = |wanted: fn(&LinkState) -> bool| members.iter().map(|j| j.state).find(wanted);
    let state = match up {
        Up::Yes => Some(LinkState::Up),
        Up::No => first(|s| matches!(s, LinkState::Down(_))),
        Up::Unknown => first(|s| matches!(s, LinkState::Unknown(_))),
    };
    state.unwrap_or(LinkState::Unknown(Missing::NotMeasured))
}

fn bundle_view(state: &NetworkState, present: &Present, edge: usize, b: usize, bundle: &Bundle) -> LinkView {
    let topology = &state.plan.topology;
    let plan = &topology.bundles[b];
    let joined = &present.picture.bundles[b];
    let members: Vec<&Judged> = plan.members.iter().map(|m| &present.links[m.link]).collect();
    let deciding = joined.decides.and_then(|place| plan.members.get(place)).copied();
    let required = present.picture.required[edge];
    let view_end = |end: End| {
        let member = deciding?;
        end_view(state, present, member.link, if member.reversed { end.other() } else { end })
    };
    let links: Vec<&Link> = bundle.links.iter().filter_map(|id| state.network.links.get(id)).collect();
    let all_trusted = plan.members.iter().all(|m| {
        let link = state.network.links.get(&topology.links[m.link]);
        link.is_none_or(|link| trusted(state, link, &state.slots[m.link]))
    });
    let ends = &topology.edges[edge];
    let down = joined.figures.is_down();
    LinkView {
        id: EdgeId::Bundle(bundle.id.clone()),
        near_site: topology.sites[ends.near].clone(),
        far_site: topology.sites.get(ends.far).cloned(),
        wisp: common_wisp(&links),
        state: bundle_state(&members, joined.figures.up),
        duplex: if joined.figures.shared { Duplex::Shared } else { Duplex::Full },
        to_far: bundle_direction(state, present, b, End::Far, required),
        to_near: bundle_direction(state, present, b, End::Near, required),
        downstream_end: present.picture.solution.routes.child[edge],
        near: view_end(End::Near),
        far: view_end(End::Far),
        behind: behind(state, present, edge),
        trusted: all_trusted,
        members: bundle.links.clone(),
        on_standby: bundle.mode == BundleMode::Standby && !down && joined.decides.is_some_and(|place| place > 0),
    }
}

/// The operator of all members, if it is one; a bundle of several operators is the Union's.
fn common_wisp(links: &[&Link]) -> Option<WispId> {
    let first = links.first()?.wisp.as_ref()?;
    links.iter().all(|l| l.wisp.as_ref() == Some(first)).then(|| first.clone())
}

fn bundle_direction(state: &NetworkState, present: &Present, b: usize, towards: End, required: Pair) -> DirectionView {
    let topology = &state.plan.topology;
    let plan = &topology.bundles[b];
    let joined = &present.picture.bundles[b];
    let lane = |m: &Member| {
        let judged = &present.links[m.link];
        let end = if m.reversed { towards.other() } else { towards };
        match end {
            End::Far => &judged.to_far,
            End::Near => &judged.to_near,
        }
    };
    let carrying: Vec<&Member> = plan.members.iter().filter(|m| state.carries(&present.picture, m.link)).collect();
    let deciding = joined.decides.and_then(|place| plan.members.get(place));
    let missing = carrying.iter().find_map(|m| lane(m).capacity.missing());
    let capacity = match (joined.figures.towards(towards).all.known(), missing) {
        (_, Some(why)) => Reading::Missing(why),
        (None, None) => Reading::Missing(Missing::NotMeasured),
        (Some(mbps), None) => match carrying.iter().find_map(|m| lane(m).capacity.provenance()) {
            Some(from) => Reading::known(mbps, from),
            None => Reading::value(mbps),
        },
    };
    let passing: Vec<f64> = carrying.iter().filter_map(|m| lane(m).throughput.get()).collect();
    let throughput_mbps = match carrying.first() {
        Some(_) if !passing.is_empty() => Reading::value(passing.iter().sum()),
        Some(first) => lane(first).throughput,
        None => Reading::Missing(Missing::LinkDown),
    };
    DirectionView {
        capacity_mbps: capacity,
        limited_by: deciding.map(|m| LimitedBy::Member(topology.links[m.link].clone())),
        measured_at: deciding.and_then(|m| lane(m).measured_at),
        throughput_mbps,
        required_mbps: required.towards(towards),
    }
}

fn backhaul_view(state: &NetworkState, present: &Present, edge: usize, b: usize, backhaul: &Backhaul) -> LinkView {
    let judged = &present.backhauls[b];
    let required = present.picture.required[edge];
    LinkView {
        id: EdgeId::Backhaul(backhaul.id.clone()),
        near_site: backhaul.site.clone(),
        far_site: None,
        wisp: Some(backhaul.wisp.clone()),
        state: judged.state,
        duplex: Duplex::Full,
        to_far: direction(&judged.to_far, required.to_far),
        to_near: direction(&judged.to_near, required.to_near),
        downstream_end: Some(End::Near),
        near: state.gateway_view(backhaul, present),
        far: None,
        behind: behind(state, present, edge),
        trusted: true,
        members: Vec::<LinkId>::new(),
        on_standby: false,
    }
}

fn sites(state: &NetworkState, present: &Present, view: &mut NetworkView) {
    let topology = &state.plan.topology;
    let picture = &present.picture;
    let sites = Sites::new(topology, &state.plan.fair_weather, &picture.edges, &picture.solution);
    for (i, (node, target)) in topology.targets.iter().enumerate() {
        let path = picture.solution.routes.paths[i].iter().flatten();
        let site = SiteView {
            id: topology.sites[*node].clone(),
            downstream: sites.direction(i, Direction::Downstream, target.downstream_mbps),
            upstream: target.upstream_mbps.map(|mbps| sites.direction(i, Direction::Upstream, mbps)),
            path: path.map(|hop| topology.edges[hop.edge].id.clone()).collect(),
        };
        view.sites.insert(site.id.clone(), site);
    }
}

fn services(state: &NetworkState, present: &Present) -> Vec<ServiceView> {
    let mut list = Vec::new();
    for service in state.network.services.values() {
        for from in &service.from {
            let held = state.readings.services.get(&(service.id.clone(), from.clone()));
            list.push(ServiceView {
                id: service.id.clone(),
                from: from.clone(),
                up: held.and_then(|h| h.flag("up_flag", present.fresh)),
                response_ms: held
                    .map_or(Reading::Missing(Missing::NotMeasured), |h| h.get("response_ms", present.fresh).reading),
            });
        }
    }
    list
}
