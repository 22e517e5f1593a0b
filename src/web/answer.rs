//! How the JSON of `api` is made from a snapshot. `[P]`

use std::collections::BTreeSet;

use super::api::{
    Agent, Day, Delivery, Event, Incident, Incidents, Inventory, Link, LinkDirection, LinkEnd, Loss, NetworkInfo, Part,
    Promise, Service, Site, Status,
};
use super::figures::LocalClock;
use super::names;
use super::snapshot::{AgentProof, PartHealth, Snapshot};
use super::summary::{Explanations, summarize};
use crate::alert::desk::Case;
use crate::alert::{self, IncidentState};
use crate::model::network::{Duplex, End};
use crate::model::view::{
    self, AgentView, Bounds, DirectionView, DownReason, EndView, LimitedBy, LinkState, LinkView, SiteDirection,
};
use crate::model::{EdgeId, Reading, SiteId, UnixMillis};
use crate::store::ledger::DeliveryDay;

impl Status {
    pub fn of(snapshot: &Snapshot) -> Self {
        Maker::new(snapshot).status()
    }
}

impl Incidents {
    pub fn of(snapshot: &Snapshot) -> Self {
        let maker = Maker::new(snapshot);
        Self {
            generated_at: maker.time(snapshot.generated_at),
            incidents: snapshot.incidents.iter().map(|i| maker.incident(i)).collect(),
        }
    }
}

impl Incident {
    pub fn of(snapshot: &Snapshot, incident: &alert::Incident) -> Self {
        Maker::new(snapshot).incident(incident)
    }
}

impl Event {
    pub fn of(snapshot: &Snapshot) -> Self {
        let maker = Maker::new(snapshot);
        let open = snapshot.incidents.iter().filter(|i| is_open(i)).count();
        Self {
            generated_at: maker.time(snapshot.generated_at),
            summary: summarize(snapshot, &maker.explanations),
            incidents_open: u32::try_from(open).unwrap_or(u32::MAX),
        }
    }
}

/// Open to people: opened, and not yet closed.
pub fn is_open(incident: &alert::Incident) -> bool {
    matches!(incident.state, IncidentState::Open | IncidentState::Closing)
}

/// `low`, `medium`, `high`.
pub fn confidence_word(confidence: alert::incident::Confidence) -> &'static str {
    use alert::incident::Confidence;
    match confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    }
}

/// The closed list of probable causes, as JSON has it.
pub fn cause_word(cause: alert::incident::ProbableCause) -> &'static str {
    use alert::incident::ProbableCause;
    match cause {
        ProbableCause::Unknown => "unknown",
        ProbableCause::RainFade => "rain_fade",
        ProbableCause::Misalignment => "misalignment",
        ProbableCause::Interference => "interference",
        ProbableCause::Congestion => "congestion",
        ProbableCause::PortRate => "port_rate",
        ProbableCause::Power => "power",
        ProbableCause::Equipment => "equipment",
    }
}

/// `minor`, `major`, `critical`.
pub fn severity_word(severity: alert::Severity) -> &'static str {
    match severity {
        alert::Severity::Minor => "minor",
        alert::Severity::Major => "major",
        alert::Severity::Critical => "critical",
    }
}

/// `up`, `down`, `unknown`, with the reason of the last two.
pub fn link_state_words(state: LinkState) -> (&'static str, Option<&'static str>) {
    match state {
        LinkState::Up => ("up", None),
        LinkState::Down(DownReason::NotConnected) => ("down", Some("not connected")),
        LinkState::Down(DownReason::BothEndsSilent) => ("down", Some("both ends silent")),
        LinkState::Down(DownReason::OutsideUnreachable) => ("down", Some("outside unreachable")),
        LinkState::Unknown(why) => ("unknown", Some(why.as_str())),
    }
}

/// Towards the served sites, then away from them; of a backhaul from and to the Internet, whatever its ends say.
pub fn downstream_upstream(link: &LinkView) -> (&DirectionView, &DirectionView) {
    match link.id {
        EdgeId::Backhaul(_) => (&link.to_near, &link.to_far),
        EdgeId::Link(_) | EdgeId::Bundle(_) => link.downstream_upstream(),
    }
}

/// A number that JSON can carry.
fn finite(mbps: f64) -> Option<f64> {
    mbps.is_finite().then_some(mbps)
}

fn exact(bounds: Bounds) -> Option<f64> {
    bounds.known().and_then(finite)
}

struct Maker<'a> {
    snapshot: &'a Snapshot,
    clock: LocalClock,
    explanations: Explanations<'a>,
}

impl<'a> Maker<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            clock: LocalClock::new(&snapshot.network.time_zone, snapshot.generated_at),
            explanations: Explanations::of(&snapshot.incidents),
        }
    }

    fn time(&self, at: UnixMillis) -> String {
        self.clock.rfc3339(at)
    }

    fn status(&self) -> Status {
        let Snapshot { network, view, .. } = self.snapshot;
        let active = self.snapshot.incidents.iter().filter(|i| i.state != IncidentState::Closed);
        Status {
            network: NetworkInfo {
                id: network.id.to_string(),
                name: network.name.clone(),
                time_zone: network.time_zone.clone(),
            },
            version: self.snapshot.version.to_owned(),
            generated_at: self.time(self.snapshot.generated_at),
            started_at: self.time(self.snapshot.started_at),
            simulated: self.snapshot.simulated,
            blind_since: self.snapshot.blind_since.map(|t| self.time(t)),
            summary: summarize(self.snapshot, &self.explanations),
            sites: view.sites.values().map(|s| self.site(s)).collect(),
            links: view.edges().map(|l| self.link(l)).collect(),
            agents: self.agents(),
            incidents: active.map(|i| self.incident(i)).collect(),
            services: view.services.iter().map(|s| self.service(s)).collect(),
            parts: self.parts(),
        }
    }

    fn site(&self, site: &view::SiteView) -> Site {
        let known = self.snapshot.network.sites.get(&site.id);
        let promise = |d, direction| self.promise(site, d, direction);
        Site {
            site: site.id.to_string(),
            name: names::site(&self.snapshot.network, &site.id).to_owned(),
            kind: known.map_or("", |s| s.kind.as_str()).to_owned(),
            residents: known.and_then(|s| s.residents),
            lat: known.map(|s| s.lat),
            lon: known.map(|s| s.lon),
            downstream: promise(&site.downstream, view::Direction::Downstream),
            upstream: site.upstream.as_ref().map(|up| promise(up, view::Direction::Upstream)),
            path: site.path.iter().map(ToString::to_string).collect(),
        }
    }

    fn promise(&self, site: &view::SiteView, d: &SiteDirection, direction: view::Direction) -> Promise {
        let Snapshot { network, view, .. } = self.snapshot;
        let below = d.state == view::TargetState::Below;
        let wisp = d.bottleneck.as_ref().and_then(|b| view.edge(b)).and_then(|e| e.wisp.as_ref());
        let roots = if below { self.explanations.roots(&site.id) } else { &[] };
        Promise {
            target_mbps: d.target_mbps,
            together_mbps: exact(d.together),
            together_mbps_low: finite(d.together.low),
            together_mbps_high: finite(d.together.high),
            alone_mbps: exact(d.alone),
            possible_mbps: exact(d.possible),
            known: d.known.as_str().to_owned(),
            state: d.state.as_str().to_owned(),
            bottleneck: d.bottleneck.as_ref().map(ToString::to_string),
            bottleneck_kind: d.bottleneck.as_ref().map(|b| b.kind().to_owned()),
            bottleneck_name: d.bottleneck.as_ref().map(|b| names::edge(network, view, b)),
            wisp: wisp.map(ToString::to_string),
            wisp_name: wisp.map(|w| names::wisp(network, w).to_owned()),
            since: below.then(|| self.explanations.since(&site.id, direction)).flatten().map(|t| self.time(t)),
            incidents: roots.iter().filter(|i| is_open(i)).map(|i| i.token()).collect(),
            unknown_because: d.unknown_edges.iter().map(ToString::to_string).collect(),
        }
    }

    fn link(&self, link: &LinkView) -> Link {
        let (state, reason) = link_state_words(link.state);
        let (downstream, upstream) = downstream_upstream(link);
        Link {
            link: link.id.to_string(),
            kind: link.id.kind().to_owned(),
            name: names::edge(&self.snapshot.network, &self.snapshot.view, &link.id),
            near_site: link.near_site.to_string(),
            far_site: link.far_site.as_ref().map(ToString::to_string),
            wisp: link.wisp.as_ref().map(ToString::to_string),
            state: state.to_owned(),
            reason: reason.map(str::to_owned),
            duplex: match link.duplex {
                Duplex::Full => "full",
                Duplex::Fixed => "fixed",
                Duplex::Shared => "shared",
            }
            .to_owned(),
            downstream: self.direction(link, downstream),
            upstream: self.direction(link, upstream),
            near: link.near.as_ref().map(|e| self.end(e)),
            far: link.far.as_ref().map(|e| self.end(e)),
            behind: link.behind.iter().map(ToString::to_string).collect(),
            trusted: link.trusted,
            members: link.members.iter().map(ToString::to_string).collect(),
            on_standby: link.on_standby,
        }
    }

    fn direction(&self, link: &LinkView, d: &DirectionView) -> LinkDirection {
        let (what, place) = limit_words(link, d.limited_by.as_ref());
        LinkDirection {
            capacity_mbps: d.capacity_mbps.get(),
            provenance: d.capacity_mbps.provenance().map(|p| p.as_str().to_owned()),
            missing: missing_word(d.capacity_mbps),
            measured_at: d.measured_at.map(|t| self.time(t)),
            limited_by: what.map(str::to_owned),
            limited_at: place,
            throughput_mbps: d.throughput_mbps.get(),
            required_mbps: d.required_mbps,
        }
    }

    fn end(&self, end: &EndView) -> LinkEnd {
        LinkEnd {
            site: end.site.to_string(),
            device: end.device.to_string(),
            answers: end.answers,
            seen_at: end.seen_at.map(|t| self.time(t)),
            model: end.model.clone(),
            firmware: end.firmware.clone(),
            modulation: end.modulation.clone(),
            rsl_dbm: end.rsl_dbm.get(),
            rsl_dbm_usual: end.rsl_dbm_usual.and_then(finite),
            rsl_missing: missing_word(end.rsl_dbm),
            snr_db: end.snr_db.get(),
            snr_db_usual: end.snr_db_usual.and_then(finite),
        }
    }

    /// Agents that were heard, and those that should exist and were not.
    fn agents(&self) -> Vec<Agent> {
        all_agents(self.snapshot).into_iter().map(|a| self.agent(&a)).collect()
    }

    fn agent(&self, agent: &AgentView) -> Agent {
        Agent {
            agent: agent.site.to_string(),
            name: names::site(&self.snapshot.network, &agent.site).to_owned(),
            online: agent.online,
            version: agent.version.clone(),
            last_batch_at: agent.last_batch_at.map(|t| self.time(t)),
            received_batches: agent.received_batches,
            duplicate_batches: agent.duplicate_batches,
            lost_batches: agent.lost_batches,
            rejected_batches: agent.rejected_batches,
            throttled_messages: agent.throttled_messages,
            backlog_batches: agent.backlog_batches,
            samples: agent.samples,
            clock_error_ms: agent.clock_error_ms,
            inventory: Inventory {
                published: agent.part.published.map(|at| self.time(revision_time(at))),
                in_force: agent.part.in_force.map(|at| self.time(revision_time(at))),
                refused: agent.part.refused.clone(),
                key_refused: agent.part.key_refused.clone(),
                trouble: agent.part.trouble.clone(),
            },
            certificate_expires: agent.certificate_expires_at.map(|t| self.time(t)),
            delivery: self.snapshot.proofs.get(&agent.site).map(|p| self.delivery(p)).unwrap_or_default(),
        }
    }

    fn delivery(&self, proof: &AgentProof) -> Delivery {
        let day = |d: &DeliveryDay| Day {
            day: d.day.clone(),
            batches: d.batches,
            samples: d.samples,
            late_samples: d.late_samples,
            amended_at: d.amended_at.map(|t| self.time(t)),
            duplicate_batches: d.duplicates,
            lost_batches: d.lost_batches,
            set_aside: d.set_aside,
            lag_secs_worst: d.lag_secs_worst,
            clock_error_ms_min: d.clock_error_ms_min,
            clock_error_ms_max: d.clock_error_ms_max,
            silent_secs: d.silent_secs,
            watched_secs: d.watched_secs,
        };
        Delivery {
            lag_secs: proof.newest_sample_at.map(|t| self.snapshot.generated_at.since(t).as_secs()),
            missing_batches: proof.missing_batches,
            missing_ranges: proof.missing.clone(),
            drain_secs: proof.drained_in.map(|left| left.as_secs()),
            held_batches: proof.held_batches,
            lost_batches: proof.lost_batches,
            losses: proof
                .losses
                .iter()
                .map(|l| Loss { first: l.first, last: l.last, found_at: self.time(l.found_at) })
                .collect(),
            days: proof.days.iter().map(day).collect(),
        }
    }

    fn incident(&self, incident: &alert::Incident) -> Incident {
        let network = &self.snapshot.network;
        let case = self.snapshot.cases.get(&incident.number);
        Incident {
            acknowledged: case.and_then(Case::acknowledged).map(|e| self.time(e.at)),
            ticket: case.and_then(Case::ticket).map(str::to_owned),
            expected_repair: case.and_then(Case::expected_repair).map(|t| self.time(t)),
            id: (incident.number > 0).then(|| incident.token()),
            condition: incident.condition.as_str().to_owned(),
            subject: incident.subject.as_str().to_owned(),
            subject_kind: incident.subject.kind().to_owned(),
            name: subject_name(self.snapshot, &incident.subject),
            direction: incident.direction.map(|d| d.as_str().to_owned()),
            severity: severity_word(incident.severity).to_owned(),
            state: incident.state.as_str().to_owned(),
            since: self.time(incident.since),
            opened: incident.opened_at.map(|t| self.time(t)),
            closed: incident.closed_at.map(|t| self.time(t)),
            caused_by: incident.caused_by.iter().map(|n| format!("VED-{n}")).collect(),
            wisp: incident.wisp.as_ref().map(ToString::to_string),
            wisp_name: incident.wisp.as_ref().map(|w| names::wisp(network, w).to_owned()),
            measured_mbps: incident.measured_mbps.and_then(finite),
            measured_mbps_min: incident.measured_mbps_min.and_then(finite),
            required_mbps: incident.required_mbps.and_then(finite),
            municipalities: municipalities(self.snapshot, &incident.sites).into_iter().map(str::to_owned).collect(),
            sites_below: incident.sites_below.iter().map(ToString::to_string).collect(),
            sites_cut_off: incident.sites_cut_off.iter().map(ToString::to_string).collect(),
            residents: incident.residents,
            probable_cause: cause_word(incident.probable_cause).to_owned(),
            confidence: confidence_word(incident.confidence).to_owned(),
        }
    }

    fn service(&self, service: &view::ServiceView) -> Service {
        let known = self.snapshot.network.services.get(&service.id);
        Service {
            service: service.id.to_string(),
            name: known.map_or(service.id.as_str(), |s| s.name.as_str()).to_owned(),
            from: service.from.to_string(),
            up: service.up,
            response_ms: service.response_ms.get(),
        }
    }

    fn parts(&self) -> Vec<Part> {
        let part = |p: &PartHealth| Part {
            part: p.name.to_owned(),
            ok: p.ok,
            detail: p.detail.clone(),
            waiting: p.waiting,
            done_total: p.done_total,
            failed_total: p.failed_total,
        };
        self.snapshot.parts.iter().map(part).collect()
    }
}

fn missing_word(reading: Reading) -> Option<String> {
    reading.missing().map(|why| why.as_str().to_owned())
}

/// What limits a direction, in the words of JSON, and which device, port or member it is.
pub fn limit_words(link: &LinkView, limit: Option<&LimitedBy>) -> (Option<&'static str>, Option<String>) {
    let device = |end: &End| {
        let view = match end {
            End::Near => link.near.as_ref(),
            End::Far => link.far.as_ref(),
        };
        view.map(|e| e.device.to_string())
    };
    match limit {
        None => (None, None),
        Some(LimitedBy::RadioTx(end)) => (Some("radio tx"), device(end)),
        Some(LimitedBy::RadioRx(end)) => (Some("radio rx"), device(end)),
        Some(LimitedBy::Port(end, port)) => {
            (Some("port"), Some(device(end).map_or_else(|| port.clone(), |d| format!("{d} {port}"))))
        }
        Some(LimitedBy::Declared) => (Some("declared"), None),
        Some(LimitedBy::SectorAirtime) => (Some("sector airtime"), None),
        Some(LimitedBy::Member(member)) => (Some("member"), Some(member.to_string())),
    }
}

/// The municipalities that these sites are, or are in; each once, in order of id.
pub fn municipalities<'a>(snapshot: &'a Snapshot, sites: &'a [SiteId]) -> Vec<&'a str> {
    let found: BTreeSet<&str> =
        sites.iter().filter_map(|s| snapshot.network.municipality_of(s)).map(|m| m.id.as_str()).collect();
    found.into_iter().collect()
}

/// What an incident is about, by its name for people.
pub fn subject_name(snapshot: &Snapshot, subject: &alert::Subject) -> String {
    match subject {
        alert::Subject::Edge(id) => names::edge(&snapshot.network, &snapshot.view, id),
        alert::Subject::Site(id) | alert::Subject::Agent(id) => names::site(&snapshot.network, id).to_owned(),
        alert::Subject::Device(id) => match snapshot.network.devices.get(id.as_str()) {
            Some(device) => format!("{} ({id})", names::site(&snapshot.network, &device.site)),
            None => id.to_string(),
        },
        alert::Subject::Service(id, from) => {
            let name = snapshot.network.services.get(id.as_str()).map_or(id.as_str(), |s| s.name.as_str());
            format!("{name} ({})", names::site(&snapshot.network, from))
        }
        alert::Subject::Backup(id) => {
            snapshot.network.backups.get(id.as_str()).map_or_else(|| id.to_string(), |b| b.name.clone())
        }
        alert::Subject::Hub => snapshot.network.name.clone(),
    }
}

/// Agents that were heard, and those that should exist and were never heard, in order of site.
pub fn all_agents(snapshot: &Snapshot) -> Vec<AgentView> {
    let silent = snapshot.agents_expected.iter().filter(|s| !snapshot.view.agents.contains_key(*s)).map(never_heard);
    let mut agents: Vec<AgentView> = snapshot.view.agents.values().cloned().chain(silent).collect();
    agents.sort_by(|a, b| a.site.cmp(&b.site));
    agents
}

/// A revision is the time at which the hub made it.
pub fn revision_time(revision: u64) -> UnixMillis {
    UnixMillis(i64::try_from(revision).unwrap_or(i64::MAX))
}

fn never_heard(site: &SiteId) -> AgentView {
    AgentView {
        site: site.clone(),
        online: None,
        version: None,
        last_batch_at: None,
        received_batches: 0,
        duplicate_batches: 0,
        lost_batches: 0,
        rejected_batches: 0,
        throttled_messages: 0,
        backlog_batches: None,
        samples: 0,
        clock_error_ms: None,
        part: crate::model::view::PartView::default(),
        certificate_expires_at: None,
        cloned_at: None,
    }
}
