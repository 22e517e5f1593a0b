//! An invented network with every kind of trouble, built in code: what all tests of the page and the API look at.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use vedetta::alert::incident::{Confidence, EvidenceEnd, ProbableCause, Transition};
use vedetta::alert::{Condition, Incident, IncidentState, Severity, Subject};
use vedetta::model::network::{
    Backhaul, Bundle, BundleMode, Device, Duplex, End, Language, Link, Medium, Network, Service, Site, SiteKind,
    Target, Wisp,
};
use vedetta::model::view::{
    AgentView, Bounds, Direction, DirectionView, DownReason, EndView, Known, LimitedBy, LinkState, LinkView,
    NetworkView, PartView, ServiceView, SiteDirection, SiteView, TargetState,
};
use vedetta::model::{
    BackhaulId, BundleId, DeviceId, EdgeId, LinkId, Missing, NetworkId, Provenance, Reading, ServiceId, SiteId,
    UnixMillis, WispId,
};
use vedetta::web::snapshot::{AgentProof, PartHealth, Snapshot};

/// 2026-11-24T06:56:00+01:00.
pub const NOW: UnixMillis = UnixMillis(1_795_499_760_000);

pub fn minutes_ago(minutes: i64) -> UnixMillis {
    UnixMillis(NOW.0 - minutes * 60_000)
}

pub fn site_id(id: &str) -> SiteId {
    SiteId::parse(id).unwrap()
}

fn link_id(id: &str) -> LinkId {
    LinkId::parse(id).unwrap()
}

fn wisp_id(id: &str) -> WispId {
    WispId::parse(id).unwrap()
}

/// Builds a network and its view side by side.
pub struct Builder {
    pub network: Network,
    pub view: NetworkView,
    pub incidents: Vec<Incident>,
}

impl Builder {
    pub fn new() -> Self {
        let network = Network {
            id: NetworkId::parse("valdora").unwrap(),
            name: "Unione Montana Valdora".to_owned(),
            time_zone: "Europe/Rome".to_owned(),
            language: Language::Italian,
            simultaneity: 1.0,
            hub_site: None,
            wisps: BTreeMap::new(),
            staff: Vec::new(),
            sites: BTreeMap::new(),
            credentials: BTreeMap::new(),
            devices: BTreeMap::new(),
            links: BTreeMap::new(),
            bundles: BTreeMap::new(),
            sectors: BTreeMap::new(),
            backhauls: BTreeMap::new(),
            services: BTreeMap::new(),
            backups: BTreeMap::new(),
        };
        Self { network, view: NetworkView { at: NOW, ..NetworkView::default() }, incidents: Vec::new() }
    }

    pub fn wisp(&mut self, id: &str, name: &str, phone: Option<&str>) {
        let wisp = Wisp {
            id: wisp_id(id),
            name: name.to_owned(),
            email: vec![format!("noc@{id}.example")],
            language: Language::Italian,
            phone: phone.map(str::to_owned),
            attach_json: false,
        };
        self.network.wisps.insert(wisp.id.clone(), wisp);
    }

    pub fn site(&mut self, id: &str, name: &str, kind: SiteKind, (lat, lon): (f64, f64), residents: Option<u32>) {
        let site = Site {
            id: site_id(id),
            name: name.to_owned(),
            kind,
            lat,
            lon,
            residents,
            municipality: None,
            agent: false,
            target: None,
            access: None,
            contact: None,
            contact_email: Vec::new(),
        };
        self.network.sites.insert(site.id.clone(), site);
    }

    /// Adds what the hub knows of a site's promise.
    pub fn promise(&mut self, id: &str, downstream: SiteDirection, upstream: Option<SiteDirection>) {
        let target =
            Target { downstream_mbps: downstream.target_mbps, upstream_mbps: upstream.as_ref().map(|u| u.target_mbps) };
        if let Some(site) = self.network.sites.get_mut(id) {
            site.target = Some(target);
        }
        let path = vec![EdgeId::Link(link_id("some-link"))];
        self.view.sites.insert(site_id(id), SiteView { id: site_id(id), downstream, upstream, path });
    }

    fn device(&mut self, id: &str, site: &str) -> DeviceId {
        let device = Device {
            id: DeviceId::parse(id).unwrap(),
            site: site_id(site),
            address: "192.0.2.1".parse().unwrap(),
            snmp_port: 161,
            via: site_id(site),
            credential: None,
            profile: None,
            ports: Vec::new(),
            mac: None,
            trust: true,
        };
        let id = device.id.clone();
        self.network.devices.insert(id.clone(), device);
        id
    }

    /// A radio link from `near` (nearer to the Internet) to `far`, well, with these figures; change it afterwards.
    pub fn link(
        &mut self,
        near: &str,
        far: &str,
        suffix: &str,
        wisp: &str,
        capacity: f64,
        required: f64,
    ) -> &mut LinkView {
        let id = link_id(&format!("{near}-{far}{suffix}"));
        let near_device = self.device(&format!("{near}-{far}{suffix}-a"), near);
        let far_device = self.device(&format!("{near}-{far}{suffix}-b"), far);
        self.network.links.insert(
            id.clone(),
            Link {
                id: id.clone(),
                near: near_device.clone(),
                far: far_device.clone(),
                near_radio: None,
                far_radio: None,
                medium: Medium::Radio,
                wisp: Some(wisp_id(wisp)),
                cost: 10,
                duplex: None,
                target: None,
                declared_mbps: None,
            },
        );
        let view = LinkView {
            id: EdgeId::Link(id.clone()),
            near_site: site_id(near),
            far_site: Some(site_id(far)),
            wisp: Some(wisp_id(wisp)),
            state: LinkState::Up,
            duplex: Duplex::Full,
            to_far: direction(Reading::known(capacity, Provenance::Reported), required),
            to_near: direction(Reading::known(capacity, Provenance::Reported), required / 10.0),
            downstream_end: Some(End::Far),
            near: Some(end(near_device, near, -55.0)),
            far: Some(end(far_device, far, -56.0)),
            behind: vec![site_id(far)],
            trusted: true,
            members: Vec::new(),
            on_standby: false,
        };
        self.view.links.entry(id).or_insert(view)
    }

    pub fn bundle(&mut self, id: &str, members: &[&str], on_standby: bool) {
        let members: Vec<LinkId> = members.iter().map(|m| link_id(m)).collect();
        let id = BundleId::parse(id).unwrap();
        let mut view = self.view.links[members.last().unwrap()].clone();
        view.id = EdgeId::Bundle(id.clone());
        view.near = None;
        view.far = None;
        view.to_far.limited_by = members.last().cloned().map(LimitedBy::Member);
        view.members.clone_from(&members);
        view.on_standby = on_standby;
        self.network.bundles.insert(id.clone(), Bundle { id: id.clone(), mode: BundleMode::Standby, links: members });
        self.view.bundles.insert(id, view);
    }

    pub fn backhaul(
        &mut self,
        id: &str,
        site: &str,
        wisp: &str,
        downstream: f64,
        upstream: f64,
        required: f64,
    ) -> &mut LinkView {
        let id = BackhaulId::parse(id).unwrap();
        self.network.backhauls.insert(
            id.clone(),
            Backhaul {
                id: id.clone(),
                site: site_id(site),
                wisp: wisp_id(wisp),
                contract_downstream_mbps: downstream,
                contract_upstream_mbps: upstream,
                gateway: None,
                outside: Vec::new(),
                cost: 10,
            },
        );
        let mut to_near = direction(Reading::known(downstream, Provenance::Declared), required);
        to_near.measured_at = None;
        let mut to_far = direction(Reading::known(upstream, Provenance::Declared), required / 10.0);
        to_far.measured_at = None;
        let view = LinkView {
            id: EdgeId::Backhaul(id.clone()),
            near_site: site_id(site),
            far_site: None,
            wisp: Some(wisp_id(wisp)),
            state: LinkState::Up,
            duplex: Duplex::Full,
            to_far,
            to_near,
            downstream_end: None,
            near: None,
            far: None,
            behind: Vec::new(),
            trusted: true,
            members: Vec::new(),
            on_standby: false,
        };
        self.view.backhauls.entry(id).or_insert(view)
    }

    pub fn agent(&mut self, id: &str, online: bool, lost: u64) {
        if let Some(site) = self.network.sites.get_mut(id) {
            site.agent = true;
        }
        let agent = AgentView {
            site: site_id(id),
            online: Some(online),
            version: Some("0.1.0".to_owned()),
            last_batch_at: Some(if online { UnixMillis(NOW.0 - 21_000) } else { minutes_ago(47) }),
            received_batches: 12_840,
            duplicate_batches: 3,
            lost_batches: lost,
            rejected_batches: 0,
            throttled_messages: 0,
            backlog_batches: Some(if online { 0 } else { 188 }),
            samples: 412_006,
            clock_error_ms: Some(if online { 120 } else { -7_300 }),
            part: PartView { published: Some(1), in_force: Some(1), ..PartView::default() },
            certificate_expires_at: Some(UnixMillis(NOW.0 + 200 * 24 * 3_600_000)),
            cloned_at: None,
        };
        self.view.agents.insert(agent.site.clone(), agent);
    }

    pub fn incident(
        &mut self,
        number: u64,
        condition: Condition,
        subject: Subject,
        since: UnixMillis,
    ) -> &mut Incident {
        self.incidents.push(Incident {
            detail: vedetta::alert::incident::Detail::default(),
            number,
            condition,
            subject,
            direction: Some(Direction::Downstream),
            severity: Severity::Major,
            state: IncidentState::Open,
            since,
            opened_at: Some(UnixMillis(since.0 + 900_000)),
            closed_at: None,
            changed_at: since,
            caused_by: Vec::new(),
            wisp: None,
            measured_mbps: None,
            measured_mbps_min: None,
            required_mbps: None,
            sites: Vec::new(),
            sites_below: Vec::new(),
            sites_cut_off: Vec::new(),
            residents: 0,
            near: None,
            far: None,
            probable_cause: ProbableCause::Unknown,
            confidence: Confidence::Low,
            transitions: vec![Transition { at: since, state: IncidentState::Pending, measured_mbps: None }],
        });
        self.incidents.last_mut().unwrap()
    }

    /// Of every agent that was heard: a gap of 90 batches that fills in 18 s, with 4 batches still to be placed.
    fn proofs(&self) -> BTreeMap<SiteId, AgentProof> {
        let heard = self.view.agents.iter().filter(|(_, agent)| agent.last_batch_at.is_some());
        let proof = |agent: &AgentView| AgentProof {
            newest_sample_at: Some(minutes_ago(2)),
            missing_batches: 90,
            missing: vec![(812, 901)],
            drained_in: Some(Duration::from_secs(18)),
            held_batches: 4,
            lost_batches: agent.lost_batches,
            ..AgentProof::default()
        };
        heard.map(|(site, agent)| (site.clone(), proof(agent))).collect()
    }

    pub fn snapshot(self) -> Snapshot {
        let agents_expected = self.network.agents().map(|s| s.id.clone()).collect();
        let proofs = self.proofs();
        Snapshot {
            network: Arc::new(self.network),
            view: Arc::new(self.view),
            proofs: Arc::new(proofs),
            incidents: Arc::new(self.incidents),
            parts: vec![
                PartHealth { name: "mqtt", ok: true, done_total: 12_840, ..PartHealth::default() },
                PartHealth {
                    name: "influxdb",
                    ok: false,
                    detail: Some("connection refused; trying again".to_owned()),
                    waiting: 41,
                    done_total: 12_799,
                    failed_total: 6,
                },
                PartHealth { name: "mail", ok: true, done_total: 9, ..PartHealth::default() },
            ],
            generated_at: NOW,
            started_at: minutes_ago(3 * 24 * 60),
            blind_since: None,
            simulated: true,
            version: "0.1.0",
            agents_expected,
            cases: std::sync::Arc::default(),
        }
    }
}

pub fn direction(capacity_mbps: Reading, required_mbps: f64) -> DirectionView {
    DirectionView {
        capacity_mbps,
        limited_by: capacity_mbps.get().map(|_| LimitedBy::RadioTx(End::Near)),
        measured_at: Some(UnixMillis(NOW.0 - 38_000)),
        throughput_mbps: Reading::value(31.4),
        required_mbps,
    }
}

pub fn end(device: DeviceId, site: &str, rsl_dbm: f64) -> EndView {
    EndView {
        device,
        site: site_id(site),
        answers: Some(true),
        seen_at: Some(UnixMillis(NOW.0 - 38_000)),
        profile: Some("ubiquiti-af60".to_owned()),
        model: Some("AF60-LR".to_owned()),
        firmware: Some("v2.6.0".to_owned()),
        modulation: Some("16QAM".to_owned()),
        rsl_dbm: Reading::value(rsl_dbm),
        rsl_dbm_usual: Some(rsl_dbm),
        snr_db: Reading::value(19.0),
        snr_db_usual: Some(19.0),
        noise_floor_dbm: Reading::Missing(Missing::NotOffered),
        channel_mhz: Reading::value(58_320.0),
        tx_power_dbm: Reading::value(10.0),
        airtime_percent: Reading::Missing(Missing::NotOffered),
        capacity_tx_mbps: Reading::known(1951.0, Provenance::Reported),
        capacity_rx_mbps: Reading::known(1951.0, Provenance::Reported),
        capacity_not_measurable_since: None,
        port_rate_mbps: Reading::value(1000.0),
        supply_volts: Reading::Missing(Missing::Timeout),
        temperature_celsius: Reading::value(31.0),
        loss_percent: Reading::value(0.0),
        rtt_ms_median: Reading::value(1.2),
    }
}

/// A promise kept or not, as everything being known makes it.
pub fn promise(target: f64, together: f64, alone: f64, known: Known, bottleneck: Option<EdgeId>) -> SiteDirection {
    SiteDirection {
        target_mbps: target,
        together: Bounds::exact(together),
        alone: Bounds::exact(alone),
        possible: Bounds::exact(alone.max(together)),
        known,
        state: if together + 1e-9 < target { TargetState::Below } else { TargetState::Met },
        bottleneck,
        unknown_edges: Vec::new(),
    }
}

pub fn edge(id: &str) -> EdgeId {
    EdgeId::Link(link_id(id))
}

fn evidence(site: &str, usual: f64, now: Option<f64>) -> EvidenceEnd {
    EvidenceEnd {
        site: site.to_owned(),
        device: "some-device".to_owned(),
        address: "192.0.2.1".to_owned(),
        answers: Some(now.is_some()),
        rsl_dbm_usual: Some(usual),
        rsl_dbm: now,
        ..EvidenceEnd::default()
    }
}

/// Eight municipalities: three well, one well by contract, three below because of two faults, one unknown; a school,
/// a town hall with an upstream promise, a bundle on its standby.
pub fn valdora() -> Builder {
    let mut b = Builder::new();
    b.wisp("altarete", "AltaRete (example)", Some("0199 000000"));
    b.wisp("collinaweb", "CollinaWeb (example)", None);
    sites(&mut b);
    links(&mut b);
    promises(&mut b);
    incidents(&mut b);
    b.agent("bric-della-luna", true, 0);
    b.agent("serrabruna", false, 12);
    if let Some(site) = b.network.sites.get_mut("roccalba") {
        site.agent = true; // expected, and never heard
    }
    let service = ServiceId::parse("documenti").unwrap();
    b.network.services.insert(
        service.clone(),
        Service {
            id: service.clone(),
            name: "Archivio documenti".to_owned(),
            url: "https://documenti.example/health".to_owned(),
            from: vec![site_id("monteverde")],
        },
    );
    b.view.services = vec![
        ServiceView {
            id: service.clone(),
            from: site_id("monteverde"),
            up: Some(true),
            response_ms: Reading::value(84.0),
        },
        ServiceView {
            id: service,
            from: site_id("serrabruna"),
            up: None,
            response_ms: Reading::Missing(Missing::Stale),
        },
    ];
    b
}

fn sites(b: &mut Builder) {
    let m = SiteKind::Municipality;
    b.site("valdora-pop", "Valdora", SiteKind::Pop, (44.520, 8.050), None);
    b.site("bric-della-luna", "Bric della Luna", SiteKind::Relay, (44.500, 8.080), None);
    b.site("monteverde", "Monteverde", m, (44.470, 8.060), Some(635));
    b.site("castelfiore", "Castelfiore", m, (44.440, 8.050), Some(412));
    b.site("pianello", "Pianello", m, (44.425, 8.085), Some(208));
    b.site("roccalba", "Roccalba", m, (44.545, 8.120), Some(1_940));
    b.site("serrabruna", "Serrabruna", m, (44.480, 8.130), Some(835));
    b.site("vallescura", "Vallescura", m, (44.450, 8.150), Some(97));
    b.site("borgoratto", "Borgoratto", m, (44.560, 8.070), Some(1_204));
    b.site("pratolungo", "Pratolungo", m, (44.590, 8.090), Some(333));
    b.site("scuola-monteverde", "Scuola media di Monteverde", SiteKind::School, (44.472, 8.063), None);
    b.site("municipio-roccalba", "Municipio di Roccalba", SiteKind::TownHall, (44.546, 8.123), None);
    for (site, municipality) in [("scuola-monteverde", "monteverde"), ("municipio-roccalba", "roccalba")] {
        if let Some(site) = b.network.sites.get_mut(site) {
            site.municipality = Some(site_id(municipality));
        }
    }
}

fn links(b: &mut Builder) {
    b.link("valdora-pop", "bric-della-luna", "", "altarete", 1951.0, 540.0).behind =
        ["monteverde", "castelfiore", "pianello", "roccalba"].iter().map(|s| site_id(s)).collect();
    let weak = b.link("bric-della-luna", "monteverde", "", "altarete", 97.3, 190.0);
    weak.behind = ["castelfiore", "monteverde", "pianello"].iter().map(|s| site_id(s)).collect();
    for (end, usual, now) in [(&mut weak.near, -55.0, -74.0), (&mut weak.far, -56.0, -75.0)] {
        let end = end.as_mut().unwrap();
        end.rsl_dbm = Reading::value(now);
        end.rsl_dbm_usual = Some(usual);
    }
    b.link("monteverde", "castelfiore", "", "altarete", 310.0, 60.0);
    let unknown = b.link("castelfiore", "pianello", "", "collinaweb", 0.0, 30.0);
    unknown.state = LinkState::Unknown(Missing::NotOffered);
    unknown.trusted = false;
    unknown.to_far.capacity_mbps = Reading::Missing(Missing::NotOffered);
    unknown.to_near.capacity_mbps = Reading::Missing(Missing::Timeout);
    unknown.to_far.throughput_mbps = Reading::Missing(Missing::NoBaseline);
    unknown.near.as_mut().unwrap().rsl_dbm = Reading::Missing(Missing::Timeout);
    let dead = b.link("bric-della-luna", "serrabruna", "", "collinaweb", 0.0, 60.0);
    dead.state = LinkState::Down(DownReason::NotConnected);
    dead.behind = ["serrabruna", "vallescura"].iter().map(|s| site_id(s)).collect();
    dead.far.as_mut().unwrap().answers = Some(false);
    dead.near.as_mut().unwrap().rsl_dbm = Reading::Missing(Missing::LinkDown);
    dead.far.as_mut().unwrap().rsl_dbm = Reading::Missing(Missing::Timeout);
    b.link("serrabruna", "vallescura", "", "collinaweb", 140.0, 30.0);
    b.link("bric-della-luna", "borgoratto", "", "altarete", 480.0, 60.0);
    b.link("borgoratto", "pratolungo", "", "altarete", 220.0, 30.0);
    b.link("bric-della-luna", "roccalba", "-60ghz", "altarete", 0.0, 230.0).state =
        LinkState::Down(DownReason::NotConnected);
    b.link("bric-della-luna", "roccalba", "-5ghz", "altarete", 262.0, 230.0);
    b.bundle("roccalba-coppia", &["bric-della-luna-roccalba-60ghz", "bric-della-luna-roccalba-5ghz"], true);
    b.backhaul("valdora-fibra", "valdora-pop", "altarete", 940.0, 940.0, 540.0).behind =
        ["monteverde", "castelfiore", "pianello", "roccalba"].iter().map(|s| site_id(s)).collect();
}

fn promises(b: &mut Builder) {
    let weak = Some(edge("bric-della-luna-monteverde"));
    let dead = Some(edge("bric-della-luna-serrabruna"));
    b.promise("monteverde", promise(30.0, 29.97, 97.3, Known::Verified, weak.clone()), None);
    b.promise("scuola-monteverde", promise(100.0, 37.3, 97.3, Known::Estimated, weak), None);
    b.promise("castelfiore", promise(30.0, 30.0, 97.3, Known::Estimated, None), None);
    let mut unknown = promise(30.0, 0.0, 0.0, Known::NotMeasurable, None);
    unknown.together.high = 97.3;
    unknown.alone.high = f64::INFINITY;
    unknown.possible = Bounds { low: 12.0, high: f64::INFINITY };
    unknown.state = TargetState::Unknown;
    unknown.unknown_edges = vec![edge("castelfiore-pianello")];
    b.promise("pianello", unknown, None);
    b.promise("roccalba", promise(30.0, 62.0, 262.0, Known::Verified, None), None);
    let up = promise(200.0, 150.0, 200.0, Known::Estimated, Some(edge("valdora-pop-bric-della-luna")));
    b.promise("municipio-roccalba", promise(200.0, 200.0, 262.0, Known::Estimated, None), Some(up));
    b.promise("serrabruna", promise(30.0, 0.0, 0.0, Known::Estimated, dead.clone()), None);
    b.promise("vallescura", promise(30.0, 0.0, 0.0, Known::Estimated, dead), None);
    b.promise("borgoratto", promise(30.0, 240.0, 480.0, Known::Estimated, None), None);
    b.promise("pratolungo", promise(30.0, 30.0, 30.0, Known::Declared, None), None);
    if let Some(site) = b.view.sites.get_mut("serrabruna") {
        site.path.clear();
    }
}

fn incidents(b: &mut Builder) {
    let weak = Subject::Edge(edge("bric-della-luna-monteverde"));
    let i = b.incident(147, Condition::CapacityBelow, weak, minutes_ago(14));
    i.wisp = Some(wisp_id("altarete"));
    (i.measured_mbps, i.measured_mbps_min, i.required_mbps) = (Some(97.3), Some(88.0), Some(190.0));
    i.sites = ["castelfiore", "monteverde", "pianello", "scuola-monteverde"].iter().map(|s| site_id(s)).collect();
    i.sites_below = ["monteverde", "scuola-monteverde"].iter().map(|s| site_id(s)).collect();
    i.residents = 1_255;
    i.near = Some(evidence("Bric della Luna", -55.0, Some(-74.0)));
    i.far = Some(evidence("Monteverde", -56.0, Some(-75.0)));
    (i.probable_cause, i.confidence) = (ProbableCause::Misalignment, Confidence::High);
    let dead = Subject::Edge(edge("bric-della-luna-serrabruna"));
    let i = b.incident(148, Condition::LinkDown, dead, minutes_ago(586));
    i.severity = Severity::Critical;
    i.wisp = Some(wisp_id("collinaweb"));
    (i.measured_mbps, i.required_mbps) = (Some(0.0), Some(60.0));
    i.sites = ["serrabruna", "vallescura"].iter().map(|s| site_id(s)).collect();
    i.sites_below.clone_from(&i.sites);
    i.sites_cut_off.clone_from(&i.sites);
    i.residents = 932;
    i.near = Some(evidence("Bric della Luna", -58.0, Some(-92.0)));
    i.far = Some(evidence("Serrabruna", -58.0, None));
    (i.probable_cause, i.confidence) = (ProbableCause::Power, Confidence::Medium);
    for (number, site) in [(149, "serrabruna"), (150, "vallescura")] {
        let i = b.incident(number, Condition::SiteBelowTarget, Subject::Site(site_id(site)), minutes_ago(585));
        i.caused_by = vec![148];
        (i.measured_mbps, i.required_mbps) = (Some(0.0), Some(30.0));
        i.sites = vec![site_id(site)];
        i.sites_below = vec![site_id(site)];
    }
    let bundle = Subject::Edge(EdgeId::Bundle(BundleId::parse("roccalba-coppia").unwrap()));
    let i = b.incident(151, Condition::OnStandby, bundle, minutes_ago(40));
    i.severity = Severity::Minor;
    i.wisp = Some(wisp_id("altarete"));
    i.sites = vec![site_id("municipio-roccalba"), site_id("roccalba")];
    i.residents = 1_940;
    let i = b.incident(146, Condition::CapacityBelow, Subject::Edge(edge("borgoratto-pratolungo")), minutes_ago(3_000));
    i.state = IncidentState::Closed;
    i.closed_at = Some(minutes_ago(2_700));
    b.incident(0, Condition::CapacityBelow, Subject::Edge(edge("monteverde-castelfiore")), minutes_ago(2)).state =
        IncidentState::Pending;
}

/// A chain of many links, every seventh weak and every eleventh unknown: for sizes and times.
pub fn large(n_links: usize) -> Builder {
    let mut b = Builder::new();
    b.wisp("altarete", "AltaRete (example)", None);
    let name = |i: usize| format!("sito-{i}");
    for i in 0..=n_links {
        let place = (44.4 + (i % 23) as f64 * 0.012, 8.0 + (i / 23) as f64 * 0.012);
        b.site(&name(i), &format!("Località Numero {i}"), SiteKind::Municipality, place, Some(300));
        let target = if i % 7 == 3 { 12.5 } else { 62.0 };
        b.promise(&name(i), promise(30.0, target, 97.0, Known::Estimated, None), None);
    }
    for i in 0..n_links {
        let capacity = if i % 7 == 3 { 12.5 } else { 310.0 };
        let link = b.link(&name(i), &name(i + 1), "", "altarete", capacity, 30.0);
        if i % 11 == 5 {
            link.to_far.capacity_mbps = Reading::Missing(Missing::Stale);
        }
    }
    b
}
