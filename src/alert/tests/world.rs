//! A tree of links whose capacities the test sets. Shares and causes are computed by the simplest possible rule: a
//! link divides its capacity in proportion to targets, a site has the worst share on its path.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::alert::{Condition, Engine, Incident, IncidentState, Memory};
use crate::config::settings::AlertSettings;
use crate::model::network::*;
use crate::model::view::*;
use crate::model::*;

pub const TARGET: f64 = 30.0;
pub const MINUTE: Duration = Duration::from_mins(1);

/// 24 November 2026, 05:00 UTC.
pub const START: UnixMillis = UnixMillis(1_795_496_400_000);

pub fn link(id: &str) -> EdgeId {
    EdgeId::Link(LinkId::parse(id).unwrap())
}

pub fn bundle(id: &str) -> EdgeId {
    EdgeId::Bundle(BundleId::parse(id).unwrap())
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cap {
    Mbps(f64),
    Down,
    Unknown,
}

/// Each link and its sites.
const SIDES: [(&str, &str, &str); 5] = [
    ("trunk", "hub", "relay"),
    ("to-alba", "relay", "alba"),
    ("to-bene", "relay", "bene"),
    ("main", "relay", "ceva"),
    ("spare", "relay", "ceva"),
];

#[derive(Debug, Clone)]
pub struct World {
    pub caps: BTreeMap<EdgeId, Cap>,
    pub good: BTreeMap<EdgeId, f64>,
    /// Site to the edges of its path.
    pub paths: Vec<(SiteId, Vec<EdgeId>)>,
    pub on_standby: bool,
    pub untrusted: BTreeSet<EdgeId>,
    pub lost: Option<u64>,
    /// Sites where no device answers.
    pub silent: BTreeSet<SiteId>,
    /// Nobody knows whether those answer.
    pub silent_unknown: bool,
    /// Links of the second operator, `belbo`.
    pub belbo: BTreeSet<EdgeId>,
    pub devices: BTreeMap<DeviceId, DeviceView>,
    /// Received levels at both ends, dBm.
    pub levels: BTreeMap<EdgeId, (f64, f64)>,
    pub channels: BTreeMap<EdgeId, f64>,
    /// Up, but they do not say what they can carry.
    pub unmeasured: BTreeSet<EdgeId>,
    /// `None`: now.
    pub agent_heard: Option<UnixMillis>,
    pub clock_error_ms: Option<i64>,
    pub part: crate::model::view::PartView,
    pub blind_since: Option<UnixMillis>,
}

pub fn site(id: &str) -> SiteId {
    SiteId::parse(id).unwrap()
}

impl World {
    pub fn new() -> Self {
        let good: BTreeMap<EdgeId, f64> = [
            (link("trunk"), 300.0),
            (link("to-alba"), 100.0),
            (link("to-bene"), 100.0),
            (link("main"), 200.0),
            (link("spare"), 20.0),
            (bundle("pair"), 200.0),
        ]
        .into();
        let path = |last: EdgeId| vec![last, link("trunk")];
        Self {
            caps: good.iter().map(|(e, mbps)| (e.clone(), Cap::Mbps(*mbps))).collect(),
            good,
            paths: vec![
                (site("alba"), path(link("to-alba"))),
                (site("bene"), path(link("to-bene"))),
                (site("ceva"), path(bundle("pair"))),
            ],
            on_standby: false,
            untrusted: BTreeSet::new(),
            lost: Some(0),
            silent: BTreeSet::new(),
            silent_unknown: false,
            belbo: BTreeSet::new(),
            devices: BTreeMap::new(),
            levels: BTreeMap::new(),
            channels: BTreeMap::new(),
            unmeasured: BTreeSet::new(),
            agent_heard: None,
            clock_error_ms: None,
            part: crate::model::view::PartView::default(),
            blind_since: None,
        }
    }

    /// No power: its devices are silent, and so is every link that ends there.
    pub fn cut_power(&mut self, id: &str) {
        self.silent.insert(site(id));
        for (edge, near, far) in SIDES {
            if near == id || far == id {
                self.set(&link(edge), Cap::Down);
            }
        }
    }

    pub fn restore_power(&mut self, id: &str) {
        self.silent.remove(id);
        for (edge, near, far) in SIDES {
            if near == id || far == id {
                self.set(&link(edge), Cap::Mbps(self.good[&link(edge)]));
            }
        }
    }

    fn wisp(&self, edge: &EdgeId) -> WispId {
        WispId::parse(if self.belbo.contains(edge) { "belbo" } else { "langhenet" }).unwrap()
    }

    /// The network, with the links of the second operator.
    pub fn own_network(&self) -> Arc<Network> {
        let mut network = (*Self::network()).clone();
        for link in network.links.values_mut() {
            link.wisp = Some(self.wisp(&EdgeId::Link(link.id.clone())));
        }
        Arc::new(network)
    }

    pub fn set(&mut self, edge: &EdgeId, cap: Cap) {
        self.caps.insert(edge.clone(), cap);
        if edge == &link("main") || edge == &link("spare") {
            let main = self.caps[&link("main")];
            let up = matches!(main, Cap::Mbps(_));
            self.on_standby = !up && matches!(self.caps[&link("spare")], Cap::Mbps(_));
            let pair = if up { main } else { self.caps[&link("spare")] };
            self.caps.insert(bundle("pair"), pair);
        }
    }

    pub fn required(&self, edge: &EdgeId) -> f64 {
        self.paths.iter().filter(|(_, path)| path.contains(edge)).count() as f64 * TARGET
    }

    fn capacity(&self, edge: &EdgeId, restored: &[EdgeId]) -> Option<f64> {
        let well = restored.contains(edge) || (*edge == bundle("pair") && restored.contains(&link("main")));
        match self.caps[edge] {
            _ if well => Some(self.good[edge]),
            Cap::Mbps(mbps) => Some(mbps),
            Cap::Down => Some(0.0),
            Cap::Unknown => None,
        }
    }

    /// `None`: unknown, unless a known link already decides.
    fn share(&self, path: &[EdgeId], restored: &[EdgeId]) -> (f64, f64) {
        let mut low = f64::INFINITY;
        let mut high = f64::INFINITY;
        for edge in path {
            let capacity = self.capacity(edge, restored);
            let part = TARGET / self.required(edge);
            low = low.min(capacity.unwrap_or(0.0) * part);
            high = high.min(capacity.map_or(f64::INFINITY, |c| c * part));
        }
        (low, high)
    }

    fn state(&self, path: &[EdgeId], restored: &[EdgeId]) -> TargetState {
        let (low, high) = self.share(path, restored);
        if low >= TARGET {
            TargetState::Met
        } else if high < TARGET {
            TargetState::Below
        } else {
            TargetState::Unknown
        }
    }

    pub fn network() -> Arc<Network> {
        let operator = |id: &str, name: &str| Wisp {
            id: WispId::parse(id).unwrap(),
            name: format!("{name} (example)"),
            email: vec![format!("noc@{id}.example")],
            language: Language::Italian,
            phone: None,
            attach_json: false,
        };
        let (wisp, other) = (operator("langhenet", "LangheNet"), operator("belbo", "Belbo"));
        let target = Some(Target { downstream_mbps: TARGET, upstream_mbps: None });
        let place = |id: &str, residents: Option<u32>| Site {
            id: site(id),
            name: id.to_owned(),
            kind: if residents.is_some() { SiteKind::Municipality } else { SiteKind::Relay },
            lat: 44.5,
            lon: 8.0,
            residents,
            municipality: None,
            agent: id == "relay",
            target: residents.and(target),
            access: None,
            contact: None,
            contact_email: Vec::new(),
        };
        let sites = [("hub", None), ("relay", None), ("alba", Some(600)), ("bene", Some(400)), ("ceva", Some(200))];
        let device = |id: &str, at: &str, n: u8| Device {
            id: DeviceId::parse(id).unwrap(),
            site: site(at),
            address: std::net::Ipv4Addr::new(10, 0, 0, n).into(),
            snmp_port: 161,
            via: site("relay"),
            credential: None,
            profile: None,
            ports: Vec::new(),
            mac: None,
            trust: false,
        };
        let mut devices = BTreeMap::new();
        let mut links = BTreeMap::new();
        for (n, (id, near, far)) in SIDES.into_iter().enumerate() {
            let (a, b) = (format!("{id}-near"), format!("{id}-far"));
            devices.insert(DeviceId::parse(&a).unwrap(), device(&a, near, n as u8 * 2 + 1));
            devices.insert(DeviceId::parse(&b).unwrap(), device(&b, far, n as u8 * 2 + 2));
            devices.insert(DeviceId::parse("alba-switch").unwrap(), device("alba-switch", "alba", 100));
            let made = Link {
                id: LinkId::parse(id).unwrap(),
                near: DeviceId::parse(&a).unwrap(),
                far: DeviceId::parse(&b).unwrap(),
                near_radio: None,
                far_radio: None,
                medium: Medium::Radio,
                wisp: Some(wisp.id.clone()),
                cost: 10,
                duplex: None,
                target: None,
                declared_mbps: None,
            };
            links.insert(made.id.clone(), made);
        }
        let pair = Bundle {
            id: BundleId::parse("pair").unwrap(),
            mode: BundleMode::Standby,
            links: vec![LinkId::parse("main").unwrap(), LinkId::parse("spare").unwrap()],
        };
        Arc::new(Network {
            id: NetworkId::parse("test").unwrap(),
            name: "Test".into(),
            time_zone: "Europe/Rome".into(),
            language: Language::Italian,
            simultaneity: 1.0,
            hub_site: None,
            wisps: [(wisp.id.clone(), wisp), (other.id.clone(), other)].into(),
            staff: vec![Staff {
                name: "Rete".into(),
                email: "tecnico@unione.example".into(),
                language: Language::Italian,
            }],
            sites: sites.into_iter().map(|(id, n)| (site(id), place(id, n))).collect(),
            credentials: BTreeMap::new(),
            devices,
            links,
            bundles: [(pair.id.clone(), pair)].into(),
            sectors: BTreeMap::new(),
            backhauls: BTreeMap::new(),
            services: BTreeMap::new(),
            backups: BTreeMap::new(),
        })
    }

    fn end(&self, edge: &EdgeId, side: &str, at: &str) -> Option<EndView> {
        let EdgeId::Link(id) = edge else { return None };
        let none = Reading::Missing(Missing::NotOffered);
        Some(EndView {
            device: DeviceId::parse(&format!("{id}-{side}")).unwrap(),
            site: site(at),
            answers: match self.silent.contains(at) {
                true if self.silent_unknown => None,
                silent => Some(!silent),
            },
            seen_at: None,
            profile: None,
            model: None,
            firmware: None,
            modulation: None,
            rsl_dbm: match self.levels.get(edge) {
                Some((near, far)) if self.caps[edge] != Cap::Down => {
                    Reading::value(if side == "near" { *near } else { *far })
                }
                _ => none,
            },
            rsl_dbm_usual: None,
            snr_db: none,
            snr_db_usual: None,
            noise_floor_dbm: none,
            channel_mhz: match self.channels.get(edge) {
                Some(mhz) if self.caps[edge] != Cap::Down => Reading::value(*mhz),
                _ => none,
            },
            tx_power_dbm: none,
            airtime_percent: none,
            capacity_tx_mbps: none,
            capacity_rx_mbps: none,
            capacity_not_measurable_since: None,
            port_rate_mbps: none,
            supply_volts: none,
            temperature_celsius: none,
            loss_percent: none,
            rtt_ms_median: none,
        })
    }

    pub fn view(&self, now: UnixMillis) -> NetworkView {
        let mut view = NetworkView { at: now, ..NetworkView::default() };
        let sides =
            |id: &str| SIDES.into_iter().find(|side| side.0 == id).map_or(("relay", "ceva"), |side| (side.1, side.2));
        for (edge, cap) in &self.caps {
            let member = edge == &link("main") || edge == &link("spare");
            let figures = DirectionView {
                capacity_mbps: match cap {
                    _ if self.unmeasured.contains(edge) => Reading::Missing(Missing::NotOffered),
                    Cap::Mbps(mbps) => Reading::known(*mbps, Provenance::Reported),
                    Cap::Down => Reading::value(0.0),
                    Cap::Unknown => Reading::Missing(Missing::Timeout),
                },
                limited_by: None,
                measured_at: Some(now),
                throughput_mbps: Reading::Missing(Missing::NotMeasured),
                required_mbps: if member { 0.0 } else { self.required(edge) },
            };
            let (near, far) = sides(edge.as_str());
            let made = LinkView {
                id: edge.clone(),
                near_site: site(near),
                far_site: Some(site(far)),
                wisp: Some(self.wisp(edge)),
                state: match cap {
                    Cap::Mbps(_) => LinkState::Up,
                    Cap::Down => LinkState::Down(DownReason::NotConnected),
                    Cap::Unknown => LinkState::Unknown(Missing::Timeout),
                },
                duplex: Duplex::Full,
                to_near: DirectionView { required_mbps: 0.0, ..figures.clone() },
                to_far: figures,
                downstream_end: Some(End::Far),
                near: self.end(edge, "near", near),
                far: self.end(edge, "far", far),
                behind: self.paths.iter().filter(|(_, p)| p.contains(edge)).map(|(s, _)| s.clone()).collect(),
                trusted: !self.untrusted.contains(edge),
                members: Vec::new(),
                on_standby: edge == &bundle("pair") && self.on_standby,
            };
            match edge {
                EdgeId::Link(id) => drop(view.links.insert(id.clone(), made)),
                EdgeId::Bundle(id) => drop(view.bundles.insert(id.clone(), made)),
                EdgeId::Backhaul(_) => {}
            }
        }
        for (id, path) in &self.paths {
            let (low, high) = self.share(path, &[]);
            let bounds = Bounds { low: low.min(TARGET), high };
            let cut_off = path.iter().any(|e| self.caps[e] == Cap::Down);
            view.sites.insert(
                id.clone(),
                SiteView {
                    id: id.clone(),
                    downstream: SiteDirection {
                        target_mbps: TARGET,
                        together: bounds,
                        alone: bounds,
                        possible: bounds,
                        known: Known::Estimated,
                        state: self.state(path, &[]),
                        bottleneck: None,
                        unknown_edges: Vec::new(),
                    },
                    upstream: None,
                    path: if cut_off { Vec::new() } else { path.clone() },
                },
            );
        }
        if let Some(lost_batches) = self.lost {
            let agent = AgentView {
                site: site("relay"),
                online: Some(true),
                version: None,
                last_batch_at: Some(self.agent_heard.unwrap_or(now)),
                received_batches: 1,
                duplicate_batches: 0,
                lost_batches,
                rejected_batches: 0,
                throttled_messages: 0,
                backlog_batches: None,
                samples: 1,
                clock_error_ms: self.clock_error_ms,
                part: self.part.clone(),
                certificate_expires_at: None,
                cloned_at: None,
            };
            view.agents.insert(site("relay"), agent);
        }
        view.devices.clone_from(&self.devices);
        view.blind_since = self.blind_since;
        view
    }
}

impl WhatIf for World {
    fn below_target_with(&self, restored: &[EdgeId]) -> BTreeSet<(SiteId, Direction)> {
        let below = |path: &[EdgeId]| self.state(path, restored) == TargetState::Below;
        self.paths.iter().filter(|(_, p)| below(p)).map(|(s, _)| (s.clone(), Direction::Downstream)).collect()
    }

    fn edges_below_with(&self, restored: &[EdgeId]) -> BTreeSet<EdgeId> {
        let below = |edge: &&EdgeId| self.capacity(edge, restored).is_some_and(|c| c <= 0.0 || c < self.required(edge));
        self.caps.keys().filter(below).cloned().collect()
    }
}

/// A world, an engine, and a clock that moves a minute a step.
pub struct Run {
    pub world: World,
    pub engine: Engine,
    pub now: UnixMillis,
    /// What the store holds: incidents as documents.
    stored: BTreeMap<String, String>,
    memory: Option<String>,
    pub log: Vec<String>,
}

impl Run {
    pub fn new() -> Self {
        let engine = Engine::new(AlertSettings::default(), World::network(), Vec::new(), 1).with_interval(MINUTE);
        let mut run =
            Self { world: World::new(), engine, now: START, stored: BTreeMap::new(), memory: None, log: Vec::new() };
        run.step();
        run
    }

    /// The hub stands at one of the sites.
    pub fn standing_at(hub: &str) -> Self {
        let mut run = Self::new();
        let mut network = (*World::network()).clone();
        network.hub_site = Some(site(hub));
        run.engine.set_network(Arc::new(network));
        run
    }

    fn key(incident: &Incident) -> String {
        let number = (incident.number > 0).then_some(incident.number);
        format!("{number:?} {} {:?} {:?}", incident.condition.as_str(), incident.subject, incident.direction)
    }

    pub fn step(&mut self) {
        self.now = self.now + MINUTE;
        let view = self.world.view(self.now);
        for incident in self.engine.step(self.now, &view, &self.world) {
            self.write(&incident);
        }
        if let Some(memory) = self.engine.memory_to_write() {
            self.memory = Some(serde_json::to_string(memory).unwrap());
        }
    }

    fn write(&mut self, incident: &Incident) {
        let mut unnumbered = incident.clone();
        unnumbered.number = 0;
        let moved = self.stored.get(&Self::key(incident)).is_none_or(|old| {
            // Not the figures: JSON may change a float in its last digit.
            let old = serde_json::from_str::<Incident>(old).unwrap();
            old.transitions.len() != incident.transitions.len() || old.changed_at != incident.changed_at
        });
        if incident.number > 0 {
            self.stored.remove(&Self::key(&unnumbered));
        }
        if incident.is_dropped() {
            self.stored.remove(&Self::key(incident));
        } else {
            self.stored.insert(Self::key(incident), serde_json::to_string(incident).unwrap());
        }
        if moved && incident.number > 0 {
            self.log.push(self.line(incident));
        }
    }

    fn line(&self, incident: &Incident) -> String {
        let told = match (incident.detail.announced, incident.is_consequence()) {
            (false, true) if incident.detail.operator_only => format!("operator told, by {:?}", incident.caused_by),
            (_, true) => format!("by {:?}", incident.caused_by),
            (true, _) => "told".to_owned(),
            _ => "minor".to_owned(),
        };
        let minutes = self.now.since(START).as_secs() / 60;
        format!(
            "{minutes}m #{} {} {} {} {told}",
            incident.number,
            incident.condition.as_str(),
            incident.subject.as_str(),
            incident.state.as_str()
        )
    }

    pub fn minutes(&mut self, n: usize) {
        for _ in 0..n {
            self.step();
        }
    }

    /// The hub dies and comes back with what it had written.
    pub fn restart(&mut self) {
        let stored = self.stored.values().map(|text| serde_json::from_str(text).unwrap()).collect();
        let memory: Memory = self.memory.as_ref().map(|m| serde_json::from_str(m).unwrap()).unwrap_or_default();
        self.engine = Engine::new(AlertSettings::default(), World::network(), stored, 1)
            .with_interval(MINUTE)
            .with_memory(memory);
    }

    /// The log since the last call.
    pub fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    pub fn live(&self, condition: Condition) -> Vec<Incident> {
        let mut all = self.engine.incidents();
        all.retain(|i| i.condition == condition && i.state != IncidentState::Closed);
        all
    }
}
