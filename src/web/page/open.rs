//! Pages that need no account: of one operator or one place by a link of its own, the public summary, the statement on
//! accessibility. `[P]`

use askama::Template;

use super::super::own;
use super::super::snapshot::Snapshot;
use super::super::summary::{headline, standing_of, summarize};
use super::super::{figures, names, words};
use super::sheet::Frame;
use super::{Context, incident, link, operator, place, site};
use crate::model::network::{Language, SiteKind};
use crate::model::view::SiteView;
use crate::model::{SiteId, WispId};

/// Incidents that are listed: the snapshot has those of the last seven days.
const INCIDENTS_MAX: usize = 40;

#[derive(Template)]
#[template(path = "own_wisp.html")]
struct WispPage<'a> {
    f: Frame<'a>,
    name: &'a str,
    class: &'static str,
    state: String,
    updated: String,
    /// Backhauls first.
    edges: Vec<link::Row>,
    incidents: Vec<incident::Line>,
}

/// The page that an operator's own link opens; `None` if the inventory no longer has the operator.
pub fn wisp(all: &Snapshot, id: &WispId, language: Language) -> Option<Result<String, askama::Error>> {
    let name = &all.network.wisps.get(id)?.name;
    let snapshot = &own::of_wisp(all, id);
    let c = Context::new(snapshot, language);
    let (links, backhauls) = link::rows(&c);
    let edges: Vec<link::Row> = backhauls.into_iter().chain(links).collect();
    let (class, state) = operator::standing(&edges, language);
    let page = WispPage {
        f: Frame::new(snapshot, language),
        name,
        class,
        state,
        updated: c.clock.moment_with_seconds(snapshot.generated_at, language),
        edges,
        incidents: snapshot.incidents.iter().take(INCIDENTS_MAX).map(|i| incident::line(&c, i)).collect(),
    };
    Some(page.render())
}

#[derive(Template)]
#[template(path = "own_site.html")]
struct SitePage<'a> {
    f: Frame<'a>,
    name: &'a str,
    kind: &'static str,
    residents: Option<String>,
    class: &'static str,
    state: &'static str,
    sentence: String,
    rows: Vec<site::Row>,
    updated: String,
    incidents: Vec<incident::Line>,
}

/// The page that the own link of a place opens; `None` if it is gone, or nothing was promised to it.
pub fn place(all: &Snapshot, id: &SiteId, language: Language) -> Option<Result<String, askama::Error>> {
    let snapshot = &own::of_site(all, id);
    let (view, known) = (snapshot.view.sites.get(id)?, snapshot.network.sites.get(id)?);
    let c = Context::new(snapshot, language);
    let page = SitePage {
        f: Frame::new(snapshot, language),
        name: &known.name,
        kind: words::site_kind(known.kind, language),
        residents: known.residents.map(|n| figures::count(u64::from(n), language)),
        class: site::class(standing_of(view)),
        state: words::target_state(site::worse_state(view), language),
        sentence: place::sentence(&c, view, known.kind),
        rows: site::rows_of(&c, view),
        updated: c.clock.moment_with_seconds(snapshot.generated_at, language),
        incidents: snapshot.incidents.iter().take(INCIDENTS_MAX).map(|i| incident::line(&c, i)).collect(),
    };
    Some(page.render())
}

/// A municipality in the public summary: no figure, no link, no operator.
struct Municipality<'a> {
    name: &'a str,
    class: &'static str,
    state: &'static str,
    since: Option<String>,
}

#[derive(Template)]
#[template(path = "public.html")]
struct PublicPage<'a> {
    f: Frame<'a>,
    headline: String,
    blind_since: Option<String>,
    updated: String,
    municipalities: Vec<Municipality<'a>>,
}

/// Renders the public summary: how each municipality stands, and nothing of what stands behind it.
pub fn public(snapshot: &Snapshot, language: Language) -> Result<String, askama::Error> {
    let c = Context::new(snapshot, language);
    let summary = summarize(snapshot, &c.explanations);
    let is_municipality =
        |v: &&SiteView| snapshot.network.sites.get(&v.id).is_some_and(|s| s.kind == SiteKind::Municipality);
    let mut views: Vec<&SiteView> = snapshot.view.sites.values().filter(is_municipality).collect();
    views.sort_by_key(|v| (site::class(standing_of(v)) != "below", names::site(&snapshot.network, &v.id)));
    let row = |v: &&'_ SiteView| Municipality {
        name: snapshot.network.sites.get(&v.id).map_or("", |s| s.name.as_str()),
        class: site::class(standing_of(v)),
        state: words::target_state(site::worse_state(v), language),
        since: site::rows_of(&c, v).into_iter().find_map(|row| row.since),
    };
    PublicPage {
        f: Frame::new(snapshot, language),
        headline: headline(&summary, language),
        blind_since: snapshot.blind_since.map(|t| c.moment(t)),
        updated: c.clock.moment_with_seconds(snapshot.generated_at, language),
        municipalities: views.iter().map(row).collect(),
    }
    .render()
}

#[derive(Template)]
#[template(path = "accessibility.html")]
struct AccessibilityPage<'a> {
    f: Frame<'a>,
    contact: Option<&'a str>,
}

/// Renders the statement on accessibility. `contact`: whom barriers are reported to.
pub fn accessibility(snapshot: &Snapshot, contact: Option<&str>, language: Language) -> Result<String, askama::Error> {
    AccessibilityPage { f: Frame::new(snapshot, language), contact }.render()
}
