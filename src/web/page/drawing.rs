//! The map: what `map` placed, with the state of each site and link.

use std::collections::{BTreeMap, BTreeSet};

use super::super::map::{Placed, Point, Projection, WIDTH, place_labels};
use super::super::summary::standing_of;
use super::super::{names, words};
use super::Context;
use super::link::{Health, health};
use super::site;
use crate::model::SiteId;
use crate::model::network::SiteKind;
use crate::model::view::LinkView;

/// Radius of a site's mark, in units of the drawing.
const RADIUS: f64 = 9.0;

pub struct Map {
    pub width: String,
    pub height: String,
    pub lines: Vec<Line>,
    pub marks: Vec<Mark>,
    pub labels: Vec<Label>,
}

/// A link, or with `internet` the stub of a backhaul.
pub struct Line {
    pub x1: String,
    pub y1: String,
    pub x2: String,
    pub y2: String,
    pub class: &'static str,
    pub title: String,
    pub internet: bool,
    /// The middle of an interrupted link, where its cross stands.
    pub cross: Option<(String, String)>,
}

pub struct Mark {
    pub x: String,
    pub y: String,
    pub class: &'static str,
    /// Sites without a promise (relays, POPs) are squares.
    pub square: bool,
    pub title: String,
}

pub struct Label {
    pub x: String,
    pub y: String,
    pub anchor: &'static str,
    pub text: String,
    pub class: &'static str,
}

fn unit(value: f64) -> String {
    format!("{value:.0}")
}

pub fn map(c: &Context<'_>) -> Option<Map> {
    let network = &c.snapshot.network;
    let view = &c.snapshot.view;
    let places: Vec<(f64, f64)> = network.sites.values().map(|s| (s.lat, s.lon)).collect();
    let projection = Projection::fit(&places)?;
    let points: BTreeMap<&SiteId, Point> =
        network.sites.values().map(|s| (&s.id, projection.point(s.lat, s.lon))).collect();

    let in_bundle: BTreeSet<&str> =
        view.bundles.values().flat_map(|b| b.members.iter()).map(crate::model::LinkId::as_str).collect();
    let shown = view.edges().filter(|l| l.id.kind() != "link" || !in_bundle.contains(l.id.as_str()));
    let mut lines = Vec::new();
    let mut segments = Vec::new();
    for link in shown {
        let Some((from, to)) = segment(&projection, &points, link) else { continue };
        segments.push((from, to));
        lines.push((health(link), line(c, link, from, to)));
    }
    // Trouble is drawn last, on top.
    lines.sort_by_key(|(health, _)| std::cmp::Reverse(*health));
    let (marks, labels) = marks(c, &points, &segments, projection.height);
    Some(Map {
        width: unit(WIDTH),
        height: unit(projection.height),
        lines: lines.into_iter().map(|(_, l)| l).collect(),
        marks,
        labels,
    })
}

fn segment(projection: &Projection, points: &BTreeMap<&SiteId, Point>, link: &LinkView) -> Option<(Point, Point)> {
    let from = *points.get(&link.near_site)?;
    match &link.far_site {
        Some(far) => Some((from, *points.get(far)?)),
        None => Some((from, projection.stub(from))),
    }
}

fn line(c: &Context<'_>, link: &LinkView, from: Point, to: Point) -> Line {
    let health = health(link);
    let middle = (unit(f64::midpoint(from.x, to.x)), unit(f64::midpoint(from.y, to.y)));
    let name = names::edge(&c.snapshot.network, &c.snapshot.view, &link.id);
    Line {
        x1: unit(from.x),
        y1: unit(from.y),
        x2: unit(to.x),
        y2: unit(to.y),
        class: health.class(),
        title: format!("{name}: {}", health.word(c)),
        internet: link.far_site.is_none(),
        cross: (health == Health::Down).then_some(middle),
    }
}

fn marks(
    c: &Context<'_>,
    points: &BTreeMap<&SiteId, Point>,
    lines: &[(Point, Point)],
    height: f64,
) -> (Vec<Mark>, Vec<Label>) {
    let network = &c.snapshot.network;
    // Municipalities in trouble get their labels first, relays last.
    let mut sites: Vec<_> = network
        .sites
        .values()
        .map(|s| {
            let promise = c.snapshot.view.sites.get(&s.id);
            let standing = promise.map(standing_of);
            let minor = !matches!(s.kind, SiteKind::Municipality | SiteKind::Pop);
            ((minor, standing.is_none(), standing), s, promise)
        })
        .collect();
    sites.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
    let taken: Vec<(Point, f64)> = points.values().map(|p| (*p, RADIUS)).collect();
    let wanted: Vec<(Point, &str)> =
        sites.iter().filter_map(|(_, s, _)| Some((*points.get(&s.id)?, s.name.as_str()))).collect();
    let placed = place_labels(&wanted, &taken, lines, height);
    let mut marks = Vec::with_capacity(sites.len());
    let mut labels = Vec::new();
    for (i, ((_, _, standing), s, promise)) in sites.iter().enumerate() {
        let Some(point) = points.get(&s.id) else { continue };
        let class = standing.map_or("relay", site::class);
        let state = promise.map_or_else(
            || words::site_kind(s.kind, c.language),
            |p| words::target_state(site::worse_state(p), c.language),
        );
        marks.push(Mark {
            x: unit(point.x),
            y: unit(point.y),
            class,
            square: standing.is_none(),
            title: format!("{}: {state}", s.name),
        });
        if let Some(Placed { at, anchor }) = placed.get(&i) {
            let (x, y) = (unit(at.x), unit(at.y));
            labels.push(Label { x, y, anchor: anchor.as_str(), text: s.name.clone(), class });
        }
    }
    (marks, labels)
}
