//! The hub's picture of the network: samples go in, a [`NetworkView`] comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::bundle;
use super::ends::{self, EndSlot, Usual};
use super::figures::{Figures, InSector, Pair};
use super::link::{self, BackhaulFacts, Dated, EndFacts, Judged, LinkFacts, Verdict};
use super::reach::{Bridges, Outlook, Way};
use super::readings::{Fresh, Ignored, Readings, SECTOR_RADIO};
use super::topology::{Carrier, Topology};
use super::whatif::{LastEvaluation, PerCarrier, Picture, Plan};
use super::{Families, FamilyFacts};
use crate::model::network::{Backhaul, Device, Duplex, End, Link, Medium, Network, Sector};
use crate::model::view::{Direction, DownReason, EndView, LinkState, NetworkView, WhatIf};
use crate::model::{DeviceId, EdgeId, Sample, SiteId, UnixMillis};

/// A reading older than so many poll intervals says nothing of the present: one poll may fail, two are bad luck.
pub const STALE_INTERVALS: u32 = 3;
/// What crossed a link proves that it is up for so many poll intervals; less than readings last, so that a proof is
/// gone before a silence is believed.
const PROOF_INTERVALS: u32 = 2;

/// One link, resolved once.
pub(super) struct LinkSlot {
    pub near: EndSlot,
    pub far: EndSlot,
    /// Sites of the two ends.
    nodes: (usize, usize),
    in_sector: Option<InSector>,
}

impl LinkSlot {
    pub fn end(&self, end: End) -> &EndSlot {
        match end {
            End::Near => &self.near,
            End::Far => &self.far,
        }
    }
}

/// The present as `assemble` needs it.
pub(super) struct Present {
    pub now: UnixMillis,
    pub fresh: Fresh,
    pub links: Vec<Judged>,
    pub backhauls: Vec<Judged>,
    pub picture: Picture,
}

/// Latest readings, memory of better days, and the last evaluation.
pub struct NetworkState {
    pub(super) network: Arc<Network>,
    pub(super) plan: Arc<Plan>,
    pub(super) families: Families,
    poll_interval: Duration,
    pub(super) readings: Readings,
    pub(super) slots: Vec<LinkSlot>,
    /// Devices at each node.
    devices_at: Vec<Vec<DeviceId>>,
    /// By link: what is usual at its near and far end.
    pub(super) usual: Vec<[Usual; 2]>,
    last: LastEvaluation,
}

impl NetworkState {
    /// An empty picture of a checked inventory. `families` looks up what a profile name stands for.
    pub fn new(network: Arc<Network>, poll_interval: Duration, families: Families) -> Self {
        let plan = Arc::new(Plan::new(&network));
        let topology = &plan.topology;
        let slots: Vec<LinkSlot> = network.links.values().map(|link| slot(&network, topology, link)).collect();
        let mut devices_at = vec![Vec::new(); topology.nodes()];
        for device in network.devices.values() {
            if let Some(node) = topology.node(&device.site) {
                devices_at[node].push(device.id.clone());
            }
        }
        let down = |n: usize| Arc::new(vec![Figures::DOWN; n]);
        let (links, bundles, backhauls) = (slots.len(), topology.bundles.len(), network.backhauls.len());
        let last = LastEvaluation {
            links: down(links),
            bundles: down(bundles),
            backhauls: down(backhauls),
            sector_ports: Arc::new(vec![f64::INFINITY; network.sectors.len()]),
            good: Arc::new(PerCarrier::filled(links, bundles, backhauls)),
            required: Arc::new(PerCarrier::filled(links, bundles, backhauls)),
            plan: Arc::clone(&plan),
        };
        let usual = slots.iter().map(|_| <[Usual; 2]>::default()).collect();
        let readings = Readings::default();
        Self { network, plan, families, poll_interval, readings, slots, devices_at, usual, last }
    }

    /// Takes one sample that an agent sent, corrected for its clock error where that is known. Late samples change
    /// nothing that is newer; `received_at` is the hub's clock.
    pub fn apply(&mut self, agent: &SiteId, sample: &Sample, received_at: UnixMillis) {
        self.readings.take(&self.network, agent, sample, received_at);
    }

    /// An agent is alive, whatever it sent says of the past.
    pub fn hear(&mut self, agent: &SiteId, received_at: UnixMillis) {
        self.readings.hear(&self.network, agent, received_at);
    }

    /// Forgets the present, but not what is usual: after the clock that it was measured by has jumped.
    pub fn forget_present(&mut self) {
        self.readings = Readings { ignored: self.readings.ignored, ..Readings::default() };
    }

    /// Samples that changed nothing since the start.
    pub fn ignored(&self) -> Ignored {
        self.readings.ignored
    }

    /// The last evaluation, to be asked what would be if something were well.
    pub fn last_evaluation(&self) -> &LastEvaluation {
        &self.last
    }

    /// The whole network as it is now. `agents` is left empty: the hub knows them, not their samples.
    pub fn evaluate(&mut self, now: UnixMillis) -> NetworkView {
        let present = self.present(now);
        self.remember(&present);
        super::assemble::view(self, &present)
    }

    /// Looks without showing: what is remembered of one look (how good links were, what was up) is remembered.
    pub fn look(&mut self, now: UnixMillis) {
        let present = self.present(now);
        self.remember(&present);
    }

    fn present(&self, now: UnixMillis) -> Present {
        let fresh = Fresh { since: now - self.poll_interval * STALE_INTERVALS };
        let mut facts: Vec<LinkFacts> =
            self.network.links.values().zip(&self.slots).map(|(link, slot)| self.facts(link, slot, fresh)).collect();
        let strangers: Vec<f64> =
            self.network.sectors.values().enumerate().map(|(i, s)| self.strangers(i, s, &facts, fresh)).collect();
        for (facts, slot) in facts.iter_mut().zip(&self.slots) {
            facts.strangers = slot.in_sector.map_or(0.0, |s| strangers[s.sector]);
        }
        let ways_out: Vec<BackhaulFacts> =
            self.network.backhauls.values().map(|b| self.backhaul_facts(b, fresh)).collect();
        let verdicts: Vec<Verdict> =
            facts.iter().map(link::judge).chain(ways_out.iter().map(link::judge_backhaul)).collect();
        let states = self.settle(&verdicts, &facts, fresh, now);
        let (link_states, backhaul_states) = states.split_at(facts.len());
        let links: Vec<Judged> = facts.iter().zip(link_states).map(|(f, s)| link::measure(f, *s)).collect();
        let backhauls: Vec<Judged> =
            ways_out.iter().zip(backhaul_states).map(|(f, s)| link::measure_backhaul(f, *s)).collect();
        let figures = self
            .network
            .links
            .values()
            .zip(&self.slots)
            .zip(&links)
            .map(|((link, slot), judged)| {
                Figures::of(judged, self.duplex(link, slot) == Duplex::Shared, slot.in_sector)
            })
            .collect();
        let ways_out: Vec<Figures> = backhauls.iter().map(|judged| Figures::of(judged, false, None)).collect();
        let ports = self.sector_ports(fresh);
        let picture = Picture::new(&self.plan, figures, &ways_out, &[], &ports, &self.last.good);
        Present { now, fresh, links, backhauls, picture }
    }

    pub(super) fn agent_alive(&self, agent: &SiteId, fresh: Fresh) -> bool {
        self.readings.heard.get(agent).is_some_and(|at| fresh.is(*at))
    }

    fn end_facts(&self, slot: &EndSlot, fresh: Fresh) -> EndFacts {
        match self.network.devices.get(&slot.device) {
            Some(device) => {
                let held = self.readings.devices.get(&slot.device);
                slot.facts(device, held, fresh, self.agent_alive(&device.via, fresh))
            }
            None => EndFacts::unheard(false),
        }
    }

    fn facts(&self, link: &Link, slot: &LinkSlot, fresh: Fresh) -> LinkFacts {
        LinkFacts {
            medium: link.medium,
            declared_mbps: link.declared_mbps,
            near: self.end_facts(&slot.near, fresh),
            far: self.end_facts(&slot.far, fresh),
            strangers: 0.0,
        }
    }

    fn backhaul_facts(&self, backhaul: &Backhaul, fresh: Fresh) -> BackhaulFacts {
        let held = self.readings.backhauls.get(&backhaul.id);
        let port = self.gateway(backhaul).and_then(|device| {
            let held = self.readings.devices.get(&device.id)?;
            ends::port(device, held, fresh)
        });
        BackhaulFacts {
            contract_upstream_mbps: backhaul.contract_upstream_mbps,
            contract_downstream_mbps: backhaul.contract_downstream_mbps,
            watched: !backhaul.outside.is_empty(),
            outside_loss: held.map_or(Dated::NOT_MEASURED, |h| h.get("loss_percent", fresh)),
            port,
        }
    }

    /// The device of the inventory that is a backhaul's gateway, if it is one of ours.
    pub(super) fn gateway(&self, backhaul: &Backhaul) -> Option<&Device> {
        let address = backhaul.gateway?;
        self.network.devices.values().find(|d| d.site == backhaul.site && d.address == address)
    }

    /// The gateway as evidence; its ports are all that it has in common with the end of a cable.
    pub(super) fn gateway_view(&self, backhaul: &Backhaul, present: &Present) -> Option<EndView> {
        let device = self.gateway(backhaul)?;
        let slot = EndSlot { device: device.id.clone(), radio: ends::RadioKey::Unnamed, cable: true };
        Some(slot.view(device, self.readings.devices.get(&device.id), present.fresh, &Usual::default()))
    }

    pub(super) fn family(&self, device: &DeviceId) -> Option<FamilyFacts> {
        let device = self.network.devices.get(device)?;
        (self.families)(ends::profile(device, self.readings.devices.get(&device.id))?)
    }

    /// As the inventory has it, else as the family of either end; full where nothing is known.
    pub(super) fn duplex(&self, link: &Link, slot: &LinkSlot) -> Duplex {
        let family = || self.family(&slot.near.device).or_else(|| self.family(&slot.far.device));
        match (link.duplex, link.medium) {
            (Some(duplex), _) => duplex,
            (None, Medium::Cable) => Duplex::Full,
            (None, Medium::Radio) => family().map_or(Duplex::Full, |f| f.duplex),
        }
    }

    /// Share of a sector's air time that strangers take: what is in use, less what our peers use. Where that cannot
    /// be told apart, by their number. Never more than their number's part: an access point serves all in turn.
    fn strangers(&self, place: usize, sector: &Sector, facts: &[LinkFacts], fresh: Fresh) -> f64 {
        let held = self.readings.devices.get(&sector.access_point).and_then(|h| h.radios.get(SECTOR_RADIO));
        let get = |name: &str| held.and_then(|h| h.get(name, fresh).get());
        let (Some(airtime), Some(strangers)) = (get("airtime_percent"), get("strangers_count")) else { return 0.0 };
        if strangers <= 0.0 {
            return 0.0;
        }
        let peers = get("peers_count").unwrap_or(0.0).max(strangers + sector.peers.len() as f64);
        let by_number = strangers / peers;
        let in_use = (airtime / 100.0).clamp(0.0, 1.0);
        let ours: Option<f64> = self
            .slots
            .iter()
            .zip(facts)
            .filter(|(slot, _)| slot.in_sector.is_some_and(|s| s.sector == place))
            .flat_map(|(_, facts)| [End::Near, End::Far].map(|sender| time_in_use(facts, sender)))
            .sum();
        match ours {
            Some(ours) => (in_use - ours).clamp(0.0, by_number),
            None => in_use * by_number,
        }
    }

    fn sector_ports(&self, fresh: Fresh) -> Vec<f64> {
        let port = |sector: &Sector| {
            let device = self.network.devices.get(&sector.access_point)?;
            let held = self.readings.devices.get(&sector.access_point)?;
            Some(ends::port(device, held, fresh)?.rate_mbps * link::FRAMING)
        };
        self.network.sectors.values().map(|sector| port(sector).unwrap_or(f64::INFINITY)).collect()
    }

    /// Decides what the ends leave open: links first, then backhauls, as in `verdicts`.
    fn settle(&self, verdicts: &[Verdict], facts: &[LinkFacts], fresh: Fresh, now: UnixMillis) -> Vec<LinkState> {
        let doubtful = verdicts.iter().any(|v| matches!(v, Verdict::Doubtful { .. }));
        let ways = if doubtful { self.ways(verdicts) } else { Vec::new() };
        let n_nodes = self.plan.topology.nodes();
        let proofs = if doubtful { self.proofs(now) } else { BTreeSet::new() };
        let bridges = (!proofs.is_empty()).then(|| Bridges::of(n_nodes, &ways));
        let mut outlooks: BTreeMap<usize, Outlook> = BTreeMap::new();
        let mut states = Vec::with_capacity(verdicts.len());
        for (i, verdict) in verdicts.iter().enumerate() {
            states.push(match *verdict {
                Verdict::Settled(state) => state,
                Verdict::Doubtful { why, silent } => {
                    let crossed = bridges.as_ref().is_some_and(|b| proofs.iter().any(|pair| b.separates(i, *pair)));
                    if crossed {
                        LinkState::Up
                    } else if silent && i < facts.len() && self.path_above(i, &ways, fresh, &mut outlooks) {
                        LinkState::Down(DownReason::BothEndsSilent)
                    } else {
                        LinkState::Unknown(why)
                    }
                }
            });
        }
        states
    }

    fn ways(&self, verdicts: &[Verdict]) -> Vec<Way> {
        let topology = &self.plan.topology;
        let links = self.slots.iter().map(|slot| slot.nodes);
        let backhauls = self.network.backhauls.values();
        let backhauls = backhauls.map(|b| {
            let node = topology.node(&b.site).unwrap_or(topology.internet());
            (node, topology.internet())
        });
        links
            .chain(backhauls)
            .zip(verdicts)
            .map(|((a, b), verdict)| {
                let closed = matches!(verdict, Verdict::Settled(LinkState::Down(_)));
                Way { a, b, closed }
            })
            .collect()
    }

    /// Pairs of places between which something passed just now.
    fn proofs(&self, now: UnixMillis) -> BTreeSet<(usize, usize)> {
        let topology = &self.plan.topology;
        let since = now - self.poll_interval * PROOF_INTERVALS;
        let hub = match &self.network.hub_site {
            Some(site) => topology.node(site),
            None => Some(topology.internet()),
        };
        let mut pairs = BTreeSet::new();
        for (id, held) in &self.readings.devices {
            let Some(there) = self.network.devices.get(id).and_then(|d| topology.node(&d.site)) else { continue };
            for (agent, at) in &held.answered {
                if let Some(here) = topology.node(agent).filter(|here| *at >= since && *here != there) {
                    pairs.insert((here, there));
                }
            }
        }
        for (agent, at) in &self.readings.heard {
            if let (Some(here), Some(hub)) = (topology.node(agent), hub)
                && *at >= since
                && here != hub
            {
                pairs.insert((here, hub));
            }
        }
        pairs
    }

    /// Whether the way to a silent link is known to work up to the link itself: from the agent that polls one of its
    /// ends, over the shortest way to that end, the closest place with anything else that this agent polls has
    /// something that answers. Where there is nothing else, a living agent at that very place is enough.
    fn path_above(&self, link: usize, ways: &[Way], fresh: Fresh, outlooks: &mut BTreeMap<usize, Outlook>) -> bool {
        let slot = &self.slots[link];
        [(End::Near, slot.nodes.0, slot.nodes.1), (End::Far, slot.nodes.1, slot.nodes.0)].into_iter().any(
            |(end, here, beyond)| {
                let device = self.network.devices.get(&slot.end(end).device);
                let Some(agent) = device.map(|d| &d.via).filter(|agent| self.agent_alive(agent, fresh)) else {
                    return false;
                };
                let Some(start) = self.plan.topology.node(agent) else { return false };
                let outlook =
                    outlooks.entry(start).or_insert_with(|| Outlook::from(start, self.plan.topology.nodes(), ways));
                // The end that is closer to the agent: the way to it does not cross the link itself.
                let closer = match (outlook.hops(here), outlook.hops(beyond)) {
                    (Some(here), Some(beyond)) => here <= beyond,
                    (Some(_), None) => true,
                    (None, _) => false,
                };
                closer
                    && outlook
                        .back_from(here)
                        .into_iter()
                        .find_map(|node| self.place_answers(node, agent, slot, fresh))
                        .unwrap_or(true)
            },
        )
    }

    /// Whether anything at this place answers the agent, the link's own ends apart; `None` where it polls nothing
    /// else there.
    fn place_answers(&self, node: usize, agent: &SiteId, slot: &LinkSlot, fresh: Fresh) -> Option<bool> {
        let others = self.devices_at[node].iter().filter(|id| {
            **id != slot.near.device
                && **id != slot.far.device
                && self.network.devices.get(*id).is_some_and(|d| d.via == *agent)
        });
        others
            .map(|id| {
                let held = self.readings.devices.get(id);
                held.and_then(|h| ends::reachable(h, fresh, true)) == Some(true)
            })
            .reduce(|a, b| a || b)
    }

    /// Keeps what later evaluations compare with.
    fn remember(&mut self, present: &Present) {
        let picture = &present.picture;
        let mut good = (*self.last.good).clone();
        let mut required: PerCarrier<Pair> =
            PerCarrier::filled(self.slots.len(), picture.bundles.len(), present.backhauls.len());
        required.links.clone_from(&picture.required_link);
        for (place, edge) in self.plan.topology.edges.iter().enumerate() {
            *required.get_mut(edge.carrier) = picture.required[place];
            if !matches!(edge.carrier, Carrier::Link(_)) {
                good.get_mut(edge.carrier).note(&picture.edges[place], picture.required[place]);
            }
        }
        for (i, figures) in picture.links.iter().enumerate() {
            good.links[i].note(figures, picture.required_link[i]);
            if figures.is_up() {
                self.remember_levels(i, present, figures, picture.required_link[i]);
            }
        }
        let backhauls = present.backhauls.iter().map(|judged| Figures::of(judged, false, None)).collect();
        self.last = LastEvaluation {
            plan: Arc::clone(&self.plan),
            links: Arc::new(picture.links.clone()),
            bundles: Arc::new(picture.bundles.iter().map(|b| b.figures).collect()),
            backhauls: Arc::new(backhauls),
            sector_ports: Arc::new(self.sector_ports(present.fresh)),
            good: Arc::new(good),
            required: Arc::new(required),
        };
    }

    /// Levels count as usual while the link is up and carries what it must.
    fn remember_levels(&mut self, link: usize, present: &Present, figures: &Figures, required: Pair) {
        let well = [End::Near, End::Far]
            .into_iter()
            .all(|end| figures.towards(end).all.known().is_some_and(|mbps| super::meets(mbps, required.towards(end))));
        if !well {
            return;
        }
        let slot = &self.slots[link];
        for (end, usual) in [&slot.near, &slot.far].into_iter().zip(&mut self.usual[link]) {
            let [rsl, snr] = end.levels(self.readings.devices.get(&end.device), present.fresh);
            usual.rsl_dbm.push(rsl);
            usual.snr_db.push(snr);
        }
    }

    /// Whether a member of a bundle carries traffic now; a link that is in no bundle always counts.
    pub(super) fn carries(&self, picture: &Picture, link: usize) -> bool {
        let Some(b) = self.plan.topology.bundle_of(link) else { return true };
        let plan = &self.plan.topology.bundles[b];
        let place = plan.members.iter().position(|m| m.link == link);
        place.is_some_and(|place| bundle::carries(plan, &picture.bundles[b], &picture.links, place))
    }
}

impl WhatIf for NetworkState {
    fn below_target_with(&self, restored: &[EdgeId]) -> BTreeSet<(SiteId, Direction)> {
        self.last.below_target_with(restored)
    }

    fn edges_below_with(&self, restored: &[EdgeId]) -> BTreeSet<EdgeId> {
        self.last.edges_below_with(restored)
    }
}

fn slot(network: &Network, topology: &Topology, link: &Link) -> LinkSlot {
    // An end at a site that the inventory does not have cannot be: `check` refuses it.
    let nodes = topology.link_nodes(network, link.id.as_str()).unwrap_or((topology.internet(), topology.internet()));
    let in_sector = network.sectors.values().enumerate().find_map(|(sector, s)| {
        if s.access_point == link.near && s.peers.contains(&link.far) {
            Some(InSector { sector, access_point: End::Near })
        } else if s.access_point == link.far && s.peers.contains(&link.near) {
            Some(InSector { sector, access_point: End::Far })
        } else {
            None
        }
    });
    LinkSlot {
        near: EndSlot::new(network, link, &link.near, &link.far),
        far: EndSlot::new(network, link, &link.far, &link.near),
        nodes,
        in_sector,
    }
}

/// Share of the air time that this sender's traffic takes; `None` where it is not known.
fn time_in_use(facts: &LinkFacts, sender: End) -> Option<f64> {
    let capacity = link::radio_mbps(facts, sender).filter(|mbps| *mbps > 0.0)?;
    let passing = link::throughput(facts, sender).get()?;
    Some((passing / capacity).max(0.0))
}
