//! From the view to one judgement per condition, subject and direction. `[P]`

use std::time::Duration;

use super::hold::{Holds, Input};
use super::incident::{BackupTrouble, Condition, Direction, Figure, Incident, Limit, LinkEnd, Subject};
use super::memory::Memory;
use super::scene::Scene;
use super::setting::{Setting, Settings};
use crate::model::network::{End, Network};
use crate::model::view::{DirectionView, LimitedBy, LinkState, LinkView, NetworkView, SiteDirection, TargetState};
use crate::model::{DeviceId, EdgeId, SiteId, UnixMillis};

/// What an incident is about. At most one incident with the same key lives at a time.
///
/// The order is the order of opening and of telling: of several incidents on one edge the first one tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    rank: u8,
    pub subject: Subject,
    pub direction: Option<Direction>,
    pub condition: Condition,
}

impl Key {
    pub fn new(condition: Condition, subject: Subject, direction: Option<Direction>) -> Self {
        let bundle = matches!(subject, Subject::Edge(EdgeId::Bundle(_)));
        let place = Condition::ALL.iter().position(|c| *c == condition).unwrap_or(Condition::ALL.len());
        // A bundle before its members.
        let rank = 2 * place as u8 + u8::from(!bundle);
        Self { rank, subject, direction, condition }
    }

    pub fn of(incident: &Incident) -> Self {
        Self::new(incident.condition, incident.subject.clone(), incident.direction)
    }

    pub fn edge(&self) -> Option<&EdgeId> {
        match &self.subject {
            Subject::Edge(edge) => Some(edge),
            _ => None,
        }
    }
}

/// One judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub input: Input,
    pub measured_mbps: Option<f64>,
    pub required_mbps: Option<f64>,
    /// When the reading that decides was taken.
    pub measured_at: Option<UnixMillis>,
    /// What is judged, in the unit of the condition; `None` where it is a capacity, or no figure.
    pub value: Option<f64>,
    /// The figure from which on it is wrong.
    pub limit: Option<f64>,
    pub usual: Option<f64>,
    /// The device that says so.
    pub device: Option<DeviceId>,
    /// Why, in the words of the machine that says so.
    pub said: Option<String>,
    pub backup: Option<BackupTrouble>,
}

impl Seen {
    pub fn only(input: Input) -> Self {
        Self {
            input,
            measured_mbps: None,
            required_mbps: None,
            measured_at: None,
            value: None,
            limit: None,
            usual: None,
            device: None,
            said: None,
            backup: None,
        }
    }

    /// A figure against a threshold and the one for closing, on whichever side of it that lies.
    pub fn against(value: Option<f64>, setting: &Setting) -> Self {
        let (open, close) = (setting.threshold, setting.close_threshold);
        let input = match value {
            None => Input::Unknown,
            Some(v) if close <= open && v >= open || close > open && v <= open => Input::Breach,
            Some(v) if close <= open && v <= close || close > open && v >= close => Input::Clear,
            Some(_) => Input::Between,
        };
        Self { value, limit: Some(open), ..Self::only(input) }
    }
}

/// Judges with what the engine knows besides the view.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    pub now: UnixMillis,
    pub interval: Duration,
    pub view: &'a NetworkView,
    pub network: &'a Network,
    pub memory: &'a Memory,
    pub settings: &'a Settings,
    pub scene: &'a Scene,
    pub close_margin: f64,
}

impl Judge<'_> {
    pub fn setting(&self, condition: Condition, subject: &Subject) -> Setting {
        self.settings.of(condition, subject, self.network)
    }

    /// Every key in breach now, but for lost samples, which are a count and not a state.
    pub fn breaches(&self) -> Vec<(Key, Seen)> {
        let mut found = Vec::new();
        for link in self.view.edges() {
            self.edge_breaches(link, &mut found);
        }
        for site in self.view.sites.values() {
            let directions =
                [(Direction::Downstream, Some(&site.downstream)), (Direction::Upstream, site.upstream.as_ref())];
            for (direction, promise) in directions {
                let Some(seen) = promise.map(site_seen).filter(|s| s.input == Input::Breach) else { continue };
                let key = Key::new(Condition::SiteBelowTarget, Subject::Site(site.id.clone()), Some(direction));
                found.push((key, seen));
            }
        }
        self.other_breaches(&mut found);
        found.retain(|(key, _)| self.setting(key.condition, &key.subject).enabled);
        found
    }

    /// Conditions of what is no edge and no promise: those whose judge says breach, among the subjects that may be.
    fn other_breaches(&self, found: &mut Vec<(Key, Seen)>) {
        for (condition, subject) in self.scene.suspects(self) {
            let key = Key::new(condition, subject, None);
            if let Some(seen) = self.judge(&key).filter(|s| s.input == Input::Breach) {
                found.push((key, seen));
            }
        }
    }

    fn edge_breaches(&self, link: &LinkView, found: &mut Vec<(Key, Seen)>) {
        let mut add = |condition, direction, seen: Seen| {
            if seen.input == Input::Breach {
                found.push((Key::new(condition, Subject::Edge(link.id.clone()), direction), seen));
            }
        };
        add(Condition::LinkDown, None, down_seen(link));
        for direction in [Direction::Downstream, Direction::Upstream] {
            add(Condition::CapacityBelow, Some(direction), self.capacity_seen(link, direction));
        }
        if matches!(link.id, EdgeId::Bundle(_)) {
            add(Condition::OnStandby, None, standby_seen(link));
            add(Condition::RedundancyLost, None, self.link_seen(Condition::RedundancyLost, link));
        } else {
            for condition in [Condition::SignalBelowBaseline, Condition::CapacityNotMeasurable] {
                add(condition, None, self.link_seen(condition, link));
            }
        }
        if matches!(link.id, EdgeId::Backhaul(_)) {
            for condition in [Condition::PacketLoss, Condition::RoundTripTime] {
                add(condition, None, self.link_seen(condition, link));
            }
        }
    }

    /// The judgement of one key; `None` if the inventory no longer has what it is about.
    pub fn judge(&self, key: &Key) -> Option<Seen> {
        if !self.setting(key.condition, &key.subject).enabled {
            return None;
        }
        match (&key.subject, key.condition) {
            (Subject::Edge(edge), condition) => {
                let Some(link) = self.view.edge(edge) else {
                    return self.has_edge(edge).then(|| Seen::only(Input::Unknown));
                };
                Some(match condition {
                    Condition::LinkDown => down_seen(link),
                    Condition::OnStandby => standby_seen(link),
                    Condition::CapacityBelow => {
                        self.capacity_seen(link, key.direction.unwrap_or(Direction::Downstream))
                    }
                    _ => self.link_seen(condition, link),
                })
            }
            (Subject::Site(id), Condition::SiteBelowTarget) => self.judge_site(id, key.direction),
            _ => self.judge_other(key),
        }
    }

    fn judge_site(&self, id: &SiteId, direction: Option<Direction>) -> Option<Seen> {
        let target = self.network.sites.get(id.as_str())?.target?;
        let upstream = direction == Some(Direction::Upstream);
        if upstream && target.upstream_mbps.is_none() {
            return None;
        }
        let Some(site) = self.view.sites.get(id.as_str()) else { return Some(Seen::only(Input::Unknown)) };
        let promise = if upstream { site.upstream.as_ref() } else { Some(&site.downstream) };
        Some(promise.map_or_else(|| Seen::only(Input::Unknown), site_seen))
    }

    fn has_edge(&self, edge: &EdgeId) -> bool {
        match edge {
            EdgeId::Link(id) => self.network.links.contains_key(id.as_str()),
            EdgeId::Bundle(id) => self.network.bundles.contains_key(id.as_str()),
            EdgeId::Backhaul(id) => self.network.backhauls.contains_key(id.as_str()),
        }
    }

    fn capacity_seen(&self, link: &LinkView, direction: Direction) -> Seen {
        let figures = figures(link, direction);
        let required = figures.required_mbps;
        let seen = |input, measured_mbps| Seen {
            input,
            measured_mbps,
            required_mbps: Some(required),
            measured_at: figures.measured_at,
            ..Seen::only(input)
        };
        if required <= 0.0 {
            // Nothing is routed over it any more: it cannot be too little.
            return seen(Input::Clear, figures.capacity_mbps.get());
        }
        if !link.trusted {
            return seen(Input::Unknown, figures.capacity_mbps.get());
        }
        match (link.state, figures.capacity_mbps.get()) {
            (LinkState::Down(_), _) => seen(Input::Breach, Some(0.0)),
            (LinkState::Unknown(_), _) | (LinkState::Up, None) => seen(Input::Unknown, None),
            (LinkState::Up, Some(mbps)) if mbps < required => seen(Input::Breach, Some(mbps)),
            (LinkState::Up, Some(mbps)) => {
                let best = self.memory.best_mbps(&link.id, direction);
                let clear = mbps >= closing_threshold(required, self.close_margin, best);
                seen(if clear { Input::Clear } else { Input::Between }, Some(mbps))
            }
        }
    }
}

/// The capacity from which a link counts as well again: what is required plus the margin, but at the most half way
/// between what is required and the link's best. A threshold at the best itself would wait for a peak to come back:
/// a link of 31 on a target of 30, or a port of 94, would hardly ever close.
pub fn closing_threshold(required_mbps: f64, margin: f64, best_mbps: Option<f64>) -> f64 {
    let wanted = required_mbps * (1.0 + margin);
    let Some(best) = best_mbps else { return wanted };
    wanted.min(f64::midpoint(required_mbps, best)).max(required_mbps)
}

/// Open hold of an outage on a channel with radar detection: a radio that leaves it may have to listen for 600 s at
/// its new one (ETSI EN 301 893, 5600 to 5650 MHz), and then find its peer.
const DFS_OPEN: Duration = Duration::from_mins(11);

/// Channels with radar detection (ETSI EN 301 893 and EN 302 502), MHz.
pub fn has_radar_detection(channel_mhz: f64) -> bool {
    (5250.0..=5350.0).contains(&channel_mhz) || (5470.0..=5730.0).contains(&channel_mhz)
}

/// Holds of an incident. A site is a consequence before it is anything else, so it holds one interval longer than the
/// links that could be its cause; so does a member of a bundle, which its bundle tells about.
pub fn holds(settings: &Settings, network: &Network, incident: &Incident, interval: Duration) -> Holds {
    let setting = settings.of(incident.condition, &incident.subject, network);
    let mut open = setting.open;
    if incident.condition == Condition::LinkDown && incident.detail.dfs {
        open = open.max(settings.scaled(DFS_OPEN));
    }
    let link_member = |edge: &EdgeId| matches!(edge, EdgeId::Link(id) if network.bundle_of(id).is_some());
    let waits = match &incident.subject {
        Subject::Edge(edge) => link_member(edge),
        Subject::Site(_) => incident.condition != Condition::SitePower,
        Subject::Device(_) | Subject::Service(..) | Subject::Backup(_) => true,
        Subject::Agent(_) | Subject::Hub => false,
    };
    if waits {
        open += interval;
    }
    let close = if incident.detail.unstable { setting.close.max(setting.damping.quiet) } else { setting.close };
    Holds { open, close, interval }
}

pub fn figures(link: &LinkView, direction: Direction) -> &DirectionView {
    let (downstream, upstream) = link.downstream_upstream();
    match direction {
        Direction::Downstream => downstream,
        Direction::Upstream => upstream,
    }
}

fn down_seen(link: &LinkView) -> Seen {
    let figures = figures(link, Direction::Downstream);
    let required_mbps = (figures.required_mbps > 0.0).then_some(figures.required_mbps);
    let (input, measured_mbps) = match link.state {
        LinkState::Up => (Input::Clear, figures.capacity_mbps.get()),
        LinkState::Down(_) => (Input::Breach, Some(0.0)),
        LinkState::Unknown(_) => (Input::Unknown, None),
    };
    Seen { measured_mbps, required_mbps, ..Seen::only(input) }
}

fn standby_seen(link: &LinkView) -> Seen {
    let figures = figures(link, Direction::Downstream);
    let input = match link.state {
        LinkState::Up if link.on_standby => Input::Breach,
        LinkState::Up => Input::Clear,
        // A bundle that carries nothing is down, and that is told; whether its backup is in use is not known then.
        LinkState::Down(_) | LinkState::Unknown(_) => Input::Unknown,
    };
    Seen {
        measured_mbps: figures.capacity_mbps.get(),
        required_mbps: (figures.required_mbps > 0.0).then_some(figures.required_mbps),
        measured_at: figures.measured_at,
        ..Seen::only(input)
    }
}

fn site_seen(promise: &SiteDirection) -> Seen {
    let input = match promise.state {
        // No margin: fair shares of a full link may end exactly at the target. The links behind it have the margin.
        TargetState::Met => Input::Clear,
        TargetState::Below => Input::Breach,
        TargetState::Unknown => Input::Unknown,
    };
    // Below target is certain where even the higher bound is below: that bound is what the site has at the most.
    let measured = promise.together.known().unwrap_or(promise.together.high);
    Seen {
        measured_mbps: measured.is_finite().then_some(measured),
        required_mbps: Some(promise.target_mbps),
        ..Seen::only(input)
    }
}

/// How the figure of one direction is known.
pub fn figure(link: &LinkView, direction: Direction) -> Figure {
    let figures = figures(link, direction);
    let end = |end: End| if end == End::Near { LinkEnd::Near } else { LinkEnd::Far };
    let limit = figures.limited_by.as_ref().map(|by| match by {
        LimitedBy::RadioTx(e) => Limit::RadioTx(end(*e)),
        LimitedBy::RadioRx(e) => Limit::RadioRx(end(*e)),
        LimitedBy::Port(e, name) => Limit::Port(end(*e), name.clone()),
        LimitedBy::Declared => Limit::Declared,
        LimitedBy::SectorAirtime => Limit::SectorAirtime,
        LimitedBy::Member(id) => Limit::Member(id.clone()),
    });
    Figure {
        from: figures.capacity_mbps.provenance().map(|p| p.as_str().to_owned()),
        limit,
        measured_at: figures.measured_at,
        throughput_mbps: figures.throughput_mbps.get(),
    }
}
