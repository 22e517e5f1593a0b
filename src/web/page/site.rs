//! Rows of the table of sites, those in trouble first.

use super::super::summary::{Standing, standing, standing_of};
use super::super::{figures, names, words};
use super::{Bar, Context};
use crate::model::EdgeId;
use crate::model::view::{Bounds, Direction, SiteDirection, SiteView, TargetState};

pub struct Row {
    /// Only the first row of a site has it.
    pub anchor: Option<String>,
    /// Its own page, from the main page.
    pub href: String,
    pub name: String,
    pub kind: &'static str,
    pub residents: Option<String>,
    /// Where a site has promises in both directions.
    pub direction: Option<&'static str>,
    pub class: &'static str,
    pub state: &'static str,
    pub together: String,
    pub target: String,
    pub bar: Bar,
    pub alone: String,
    pub possible: String,
    pub known: &'static str,
    pub bottleneck: Option<Bottleneck>,
    /// Why there is no bottleneck, or no figure.
    pub note: Option<String>,
    pub since: Option<String>,
    /// Tokens of the incidents that hold it down.
    pub incidents: Vec<String>,
}

pub struct Bottleneck {
    pub anchor: String,
    /// Its own page, from the main page.
    pub href: String,
    pub name: String,
    pub wisp: String,
}

/// The class of style for a standing.
pub fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Below => "below",
        Standing::Unknown => "unknown",
        Standing::Declared => "declared",
        Standing::Estimated | Standing::Verified => "well",
    }
}

/// The worse of a site's two states.
pub fn worse_state(site: &SiteView) -> TargetState {
    let rank = |s: TargetState| match s {
        TargetState::Below => 0,
        TargetState::Unknown => 1,
        TargetState::Met => 2,
    };
    let up = site.upstream.as_ref().map_or(TargetState::Met, |u| u.state);
    if rank(up) < rank(site.downstream.state) { up } else { site.downstream.state }
}

/// Anchor of an edge's row in the tables of links.
pub fn edge_anchor(id: &EdgeId) -> String {
    format!("{}-{}", id.kind(), id.as_str())
}

pub fn rows(c: &Context<'_>) -> Vec<Row> {
    let mut sites: Vec<&SiteView> = c.snapshot.view.sites.values().collect();
    sites.sort_by(|a, b| {
        let key = |s: &SiteView| (standing_of(s).min(Standing::Estimated), share(s));
        let ((sa, ra), (sb, rb)) = (key(a), key(b));
        let by_share = if sa <= Standing::Unknown { ra.total_cmp(&rb) } else { std::cmp::Ordering::Equal };
        sa.cmp(&sb)
            .then(by_share)
            .then_with(|| names::site(&c.snapshot.network, &a.id).cmp(names::site(&c.snapshot.network, &b.id)))
    });
    let mut rows = Vec::with_capacity(sites.len());
    for site in sites {
        rows.extend(rows_of(c, site));
    }
    rows
}

/// One row for each direction that something was promised in.
pub fn rows_of(c: &Context<'_>, site: &SiteView) -> Vec<Row> {
    let both = site.upstream.is_some();
    let down = row(c, site, &site.downstream, Direction::Downstream, both);
    let up = site.upstream.as_ref().map(|upstream| row(c, site, upstream, Direction::Upstream, both));
    std::iter::once(down).chain(up).collect()
}

/// How much of its promise a site certainly has, in its worse direction.
fn share(site: &SiteView) -> f64 {
    let of = |d: &SiteDirection| if d.target_mbps > 0.0 { d.together.low / d.target_mbps } else { f64::INFINITY };
    site.upstream.as_ref().map_or(f64::INFINITY, of).min(of(&site.downstream))
}

fn row(c: &Context<'_>, site: &SiteView, d: &SiteDirection, direction: Direction, both: bool) -> Row {
    let known = c.snapshot.network.sites.get(&site.id);
    let standing = standing(d.state, d.known);
    let class = class(standing);
    let below = d.state == TargetState::Below;
    let roots = if below { c.explanations.roots(&site.id) } else { &[] };
    Row {
        anchor: (direction == Direction::Downstream).then(|| format!("site-{}", site.id)),
        href: format!("sites/{}", site.id),
        name: names::site(&c.snapshot.network, &site.id).to_owned(),
        kind: known.map_or("", |s| words::site_kind(s.kind, c.language)),
        residents: known.and_then(|s| s.residents).map(|n| figures::count(u64::from(n), c.language)),
        direction: both.then_some(match direction {
            Direction::Downstream => c.w.downstream,
            Direction::Upstream => c.w.upstream,
        }),
        class,
        state: words::target_state(d.state, c.language),
        together: bounds(c, d.together),
        target: c.mbps(d.target_mbps),
        bar: Bar::new(d.together.low, d.together.high, d.target_mbps, class),
        alone: bounds(c, d.alone),
        possible: bounds(c, d.possible),
        known: words::known(d.known, c.language),
        bottleneck: d.bottleneck.as_ref().filter(|_| d.state != TargetState::Met).map(|b| bottleneck(c, b)),
        note: note(c, site, d),
        since: below.then(|| c.explanations.since(&site.id, direction)).flatten().map(|t| c.moment(t)),
        incidents: roots.iter().filter(|i| i.number > 0).map(|i| i.token()).collect(),
    }
}

/// `12,5`; `0–97` or `≥ 40` where unknown links matter; a dash where they decide all.
fn bounds(c: &Context<'_>, b: Bounds) -> String {
    match b.known() {
        Some(value) if value.is_finite() => c.mbps(value),
        _ if b.high.is_finite() => format!("{}–{}", c.mbps(b.low), c.mbps(b.high)),
        _ if b.low.is_finite() && b.low > 0.0 => format!("≥ {}", c.mbps(b.low)),
        _ => "—".to_owned(),
    }
}

fn bottleneck(c: &Context<'_>, id: &EdgeId) -> Bottleneck {
    let network = &c.snapshot.network;
    let wisp = c.snapshot.view.edge(id).and_then(|e| e.wisp.as_ref());
    Bottleneck {
        anchor: edge_anchor(id),
        href: super::link::href(id),
        name: names::edge(network, &c.snapshot.view, id),
        wisp: wisp.map_or(c.w.own_network, |w| names::wisp(network, w)).to_owned(),
    }
}

fn note(c: &Context<'_>, site: &SiteView, d: &SiteDirection) -> Option<String> {
    if site.path.is_empty() && d.state == TargetState::Below {
        return Some(c.pick("nessun percorso verso Internet", "no path to the Internet").to_owned());
    }
    if d.state != TargetState::Unknown || d.unknown_edges.is_empty() {
        return None;
    }
    let edges: Vec<String> =
        d.unknown_edges.iter().take(3).map(|e| names::edge(&c.snapshot.network, &c.snapshot.view, e)).collect();
    Some(format!("{} {}", c.pick("capacità non nota:", "capacity not known:"), edges.join(", ")))
}
