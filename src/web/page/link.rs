//! Rows of the tables of links and backhauls, those in trouble first; a bundle's members follow their bundle.

use std::collections::BTreeSet;

use super::super::api::downstream_upstream;
use super::super::{figures, names, words};
use super::site::edge_anchor;
use super::{Bar, Context};
use crate::model::network::End;
use crate::model::view::{DirectionView, EndView, LinkState, LinkView};
use crate::model::{EdgeId, Reading, WispId};

pub struct Row {
    pub anchor: String,
    /// Its own page.
    pub href: String,
    pub id: String,
    pub name: String,
    pub wisp: String,
    /// `None`: the Union's own.
    pub operator: Option<WispId>,
    /// A member of the bundle in the row above.
    pub member: bool,
    pub class: &'static str,
    pub state: &'static str,
    pub note: Option<String>,
    pub downstream: DirectionCell,
    pub upstream: DirectionCell,
    pub ends: Vec<EndCell>,
    /// Sites served over it.
    pub serves: String,
    pub untrusted: bool,
}

pub struct DirectionCell {
    /// The site that it goes to.
    pub to: String,
    pub capacity: Option<String>,
    /// Why there is no capacity.
    pub missing: Option<&'static str>,
    /// `None` where nothing is required.
    pub required: Option<String>,
    pub bar: Bar,
    /// `riportata · 38 s`
    pub source: String,
    pub throughput: Option<String>,
}

pub struct EndCell {
    pub site: String,
    pub rsl: Option<String>,
    pub missing: Option<&'static str>,
    pub usual: Option<String>,
    /// Model and modulation, as the radio says them.
    pub detail: String,
    /// The level is well under what is usual.
    pub weak: bool,
}

impl Row {
    /// Downstream, then upstream.
    pub fn ways(&self) -> [&DirectionCell; 2] {
        [&self.downstream, &self.upstream]
    }
}

/// A level this much under its usual median is marked: what a 99.9 % fade margin is made for starts here, and
/// smaller changes are daily weather.
const WEAK_DB: f64 = 6.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    Down,
    Below,
    Standby,
    Unknown,
    Well,
    Idle,
}

impl Health {
    pub fn class(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Below => "below",
            Self::Standby => "standby",
            Self::Unknown => "unknown",
            Self::Well => "well",
            Self::Idle => "idle",
        }
    }

    pub fn word(self, c: &Context<'_>) -> &'static str {
        match self {
            Self::Down => c.w.legend_down,
            Self::Below => c.w.legend_below,
            Self::Standby => c.w.legend_standby,
            Self::Unknown => c.w.legend_unknown,
            Self::Well => c.pick("in regola", "well"),
            Self::Idle => c.pick("non in uso", "not in use"),
        }
    }
}

/// How a direction stands against what it must carry.
fn direction_health(d: &DirectionView) -> Health {
    match d.capacity_mbps {
        _ if d.required_mbps <= 0.0 => Health::Idle,
        Reading::Missing(_) => Health::Unknown,
        Reading::Value { value, .. } if value + 1e-6 < d.required_mbps => Health::Below,
        Reading::Value { .. } => Health::Well,
    }
}

/// How an edge stands: its state, else its worse direction.
pub fn health(link: &LinkView) -> Health {
    match link.state {
        LinkState::Down(_) => Health::Down,
        LinkState::Unknown(_) => Health::Unknown,
        LinkState::Up => {
            let worse = direction_health(&link.to_far).min(direction_health(&link.to_near));
            if link.on_standby { worse.min(Health::Standby) } else { worse }
        }
    }
}

/// Rows of links and bundles, then of backhauls.
pub fn rows(c: &Context<'_>) -> (Vec<Row>, Vec<Row>) {
    let view = &c.snapshot.view;
    let in_bundle: BTreeSet<&str> =
        view.bundles.values().flat_map(|b| b.members.iter()).map(crate::model::LinkId::as_str).collect();
    let free = view.links.values().filter(|l| !in_bundle.contains(l.id.as_str()));
    let mut links = Vec::new();
    for edge in by_trouble(c, free.chain(view.bundles.values())) {
        links.push(row(c, edge, false));
        for member in edge.members.iter().filter_map(|m| view.links.get(m)) {
            links.push(row(c, member, true));
        }
    }
    let backhauls = by_trouble(c, view.backhauls.values()).into_iter().map(|b| row(c, b, false)).collect();
    (links, backhauls)
}

fn by_trouble<'a>(c: &Context<'_>, edges: impl Iterator<Item = &'a LinkView>) -> Vec<&'a LinkView> {
    let mut edges: Vec<_> =
        edges.map(|e| (health(e), names::edge(&c.snapshot.network, &c.snapshot.view, &e.id), e)).collect();
    edges.sort_by(|a, b| (a.0, &a.1, &a.2.id).cmp(&(b.0, &b.1, &b.2.id)));
    edges.into_iter().map(|(_, _, e)| e).collect()
}

pub fn row(c: &Context<'_>, link: &LinkView, member: bool) -> Row {
    let network = &c.snapshot.network;
    let health = health(link);
    let (down, up) = downstream_upstream(link);
    let (down_to, up_to) = heads(c, link);
    Row {
        anchor: edge_anchor(&link.id),
        href: href(&link.id),
        id: link.id.to_string(),
        name: names::edge(network, &c.snapshot.view, &link.id),
        wisp: link.wisp.as_ref().map_or(c.w.own_network, |w| names::wisp(network, w)).to_owned(),
        operator: link.wisp.clone(),
        member,
        class: health.class(),
        state: health.word(c),
        note: state_note(c, link),
        downstream: direction(c, down, down_to),
        upstream: direction(c, up, up_to),
        ends: [&link.near, &link.far].into_iter().flatten().map(|e| end(c, e)).collect(),
        serves: figures::count(link.behind.len() as u64, c.language),
        untrusted: !link.trusted,
    }
}

/// Address of an edge's page, from the main page.
pub fn href(id: &EdgeId) -> String {
    let place = if matches!(id, EdgeId::Backhaul(_)) { "backhauls" } else { "links" };
    format!("{place}/{id}")
}

/// Where the two directions lead: downstream, upstream.
fn heads(c: &Context<'_>, link: &LinkView) -> (String, String) {
    let near = names::site(&c.snapshot.network, &link.near_site).to_owned();
    let far = link.far_site.as_ref().map_or("Internet", |f| names::site(&c.snapshot.network, f)).to_owned();
    let towards_near = matches!(link.id, EdgeId::Backhaul(_)) || link.downstream_end == Some(End::Near);
    if towards_near { (near, far) } else { (far, near) }
}

fn state_note(c: &Context<'_>, link: &LinkView) -> Option<String> {
    match link.state {
        LinkState::Up => None,
        LinkState::Down(why) => Some(words::down_reason(why, c.language).to_owned()),
        LinkState::Unknown(why) => Some(words::missing(why, c.language).to_owned()),
    }
}

fn direction(c: &Context<'_>, d: &DirectionView, to: String) -> DirectionCell {
    let health = direction_health(d);
    let (low, high) = match d.capacity_mbps {
        Reading::Value { value, .. } => (value, value),
        Reading::Missing(_) => (0.0, f64::INFINITY),
    };
    let mut source = Vec::new();
    if let Some(from) = d.capacity_mbps.provenance() {
        source.push(words::provenance(from, c.language).to_owned());
    }
    if let (Reading::Value { .. }, Some(at)) = (d.capacity_mbps, d.measured_at) {
        source.push(c.clock.age(at, c.language));
    }
    DirectionCell {
        to,
        capacity: d.capacity_mbps.get().map(|v| c.mbps(v)),
        missing: d.capacity_mbps.missing().map(|why| words::missing(why, c.language)),
        required: (d.required_mbps > 0.0).then(|| c.mbps(d.required_mbps)),
        bar: Bar::new(low, high, d.required_mbps, health.class()),
        source: source.join(" · "),
        throughput: d.throughput_mbps.get().map(|v| c.mbps(v)),
    }
}

fn end(c: &Context<'_>, end: &EndView) -> EndCell {
    let now = end.rsl_dbm.get();
    let detail: Vec<&str> = [end.model.as_deref(), end.modulation.as_deref()].into_iter().flatten().collect();
    let dbm = |v: f64| figures::decimal(v, 0, c.language);
    EndCell {
        site: names::site(&c.snapshot.network, &end.site).to_owned(),
        rsl: now.map(dbm),
        missing: end.rsl_dbm.missing().map(|why| words::missing(why, c.language)),
        usual: end.rsl_dbm_usual.filter(|v| v.is_finite()).map(dbm),
        detail: detail.join(" · "),
        weak: matches!((now, end.rsl_dbm_usual), (Some(now), Some(usual)) if now + WEAK_DB <= usual),
    }
}
