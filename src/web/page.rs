//! The status page: a snapshot turned into what the templates print. `[P]`
//!
//! The templates (`src/web/templates`) escape everything; no text is ever marked safe, and no style or script stands
//! inside the page (the Content-Security-Policy forbids both), so widths of bars are SVG attributes.

mod case;
mod drawing;
pub mod edge;
mod fold;
mod hub;
mod incident;
mod link;
pub mod open;
pub mod operator;
pub mod place;
mod plot;
pub mod sheet;
mod site;

use askama::Template;
use fold::Fold;

use super::figures::{self, LocalClock};
use super::snapshot::Snapshot;
use super::summary::{Explanations, headline, others_line, standing_of, summarize};
use super::words::Words;
use super::{assets, names};
use crate::model::UnixMillis;
use crate::model::network::Language;

/// Where a bar has the mark of what is promised or required, in percent of its width.
const MARK_PERCENT: f64 = 70.0;

/// The whole document.
#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    w: &'static Words,
    v: &'a View,
    /// Changes with the assets, so that browsers may keep them for ever.
    assets: &'static str,
}

/// The page about data collection.
#[derive(Template)]
#[template(path = "delivery.html")]
struct Delivery<'a> {
    w: &'static Words,
    v: &'a View,
    assets: &'static str,
}

/// What the script fetches to renew the page in place.
#[derive(Template)]
#[template(path = "fragment.html")]
struct Fragment<'a> {
    w: &'static Words,
    v: &'a View,
}

/// Renders the whole page.
pub fn page(snapshot: &Snapshot, language: Language) -> Result<String, askama::Error> {
    let view = View::of(snapshot, language);
    Page { w: Words::of(language), v: &view, assets: assets::version() }.render()
}

/// Renders the page about data collection: agents, gaps, clocks, parts of the system.
pub fn delivery(snapshot: &Snapshot, language: Language) -> Result<String, askama::Error> {
    let view = View::of(snapshot, language);
    Delivery { w: Words::of(language), v: &view, assets: assets::version() }.render()
}

/// Renders the part of the page that changes.
pub fn fragment(snapshot: &Snapshot, language: Language) -> Result<String, askama::Error> {
    let view = View::of(snapshot, language);
    Fragment { w: Words::of(language), v: &view }.render()
}

/// Everything the templates print, in words.
struct View {
    network: String,
    version: &'static str,
    time_zone: String,
    updated: String,
    /// With the date, for paper.
    dated: String,
    simulated: bool,
    blind_since: Option<String>,
    headline: String,
    others: Option<String>,
    squares: Vec<Square>,
    /// Open incidents in all.
    open: usize,
    incidents: Vec<incident::Card>,
    more_incidents: Vec<incident::Line>,
    pending: Vec<incident::Line>,
    closed: Vec<incident::Line>,
    map: Option<drawing::Map>,
    sites: Fold<site::Row>,
    links: Fold<link::Row>,
    backhauls: Fold<link::Row>,
    /// How data collection goes, in a sentence, and what is wrong with it.
    collection: hub::Collection,
    agents: Fold<hub::AgentRow>,
    days: Vec<hub::DayRow>,
    parts: Vec<hub::PartRow>,
    services: Vec<hub::ServiceRow>,
}

/// One site in the strip under the headline.
struct Square {
    class: &'static str,
    title: String,
}

impl View {
    fn of(snapshot: &Snapshot, language: Language) -> Self {
        let c = Context::new(snapshot, language);
        let summary = summarize(snapshot, &c.explanations);
        let sites = Fold::new(site::rows(&c), |r| is_well(r.class), |_| false);
        let (links, backhauls) = link::rows(&c);
        let fold = |rows| Fold::new(rows, |r: &link::Row| is_well(r.class), |r| r.member);
        let (links, backhauls) = (fold(links), fold(backhauls));
        let agents = hub::agents(&c);
        let collection = hub::collection(&c, &agents);
        let (incidents, more_incidents) = incident::cards(&c);
        Self {
            network: snapshot.network.name.clone(),
            version: snapshot.version,
            time_zone: snapshot.network.time_zone.clone(),
            updated: c.clock.moment_with_seconds(snapshot.generated_at, language),
            dated: c.clock.dated(snapshot.generated_at, language),
            simulated: snapshot.simulated,
            blind_since: snapshot.blind_since.map(|t| c.moment(t)),
            headline: headline(&summary, language),
            others: others_line(&summary, language),
            squares: squares(&c),
            open: incidents.len() + more_incidents.len(),
            incidents,
            more_incidents,
            pending: incident::pending(&c),
            closed: incident::closed(&c),
            map: drawing::map(&c),
            sites,
            links,
            backhauls,
            collection,
            agents: Fold::new(agents, |a| !a.is_in_trouble(), |_| false),
            days: hub::days(&c),
            parts: hub::parts(&c),
            services: hub::services(&c),
        }
    }
}

/// Nobody has to look at it.
fn is_well(class: &str) -> bool {
    matches!(class, "well" | "declared" | "idle")
}

fn squares(c: &Context<'_>) -> Vec<Square> {
    let mut sites: Vec<_> = c.snapshot.view.sites.values().map(|s| (standing_of(s), s)).collect();
    sites.sort_by_key(|(standing, s)| (*standing, names::site(&c.snapshot.network, &s.id)));
    let square = |(standing, s): (super::summary::Standing, &crate::model::view::SiteView)| Square {
        class: site::class(standing),
        title: format!(
            "{}: {}",
            names::site(&c.snapshot.network, &s.id),
            super::words::target_state(site::worse_state(s), c.language)
        ),
    };
    sites.into_iter().map(square).collect()
}

/// What all parts of the page need.
struct Context<'a> {
    snapshot: &'a Snapshot,
    language: Language,
    w: &'static Words,
    clock: LocalClock,
    explanations: Explanations<'a>,
}

impl<'a> Context<'a> {
    fn new(snapshot: &'a Snapshot, language: Language) -> Self {
        Self {
            snapshot,
            language,
            w: Words::of(language),
            clock: LocalClock::new(&snapshot.network.time_zone, snapshot.generated_at),
            explanations: Explanations::of(&snapshot.incidents),
        }
    }

    fn moment(&self, at: UnixMillis) -> String {
        self.clock.moment(at, self.language)
    }

    fn mbps(&self, value: f64) -> String {
        figures::mbps(value, self.language)
    }

    fn pick(&self, italian: &'static str, english: &'static str) -> &'static str {
        match self.language {
            Language::Italian => italian,
            Language::English => english,
        }
    }
}

/// A bar against a mark: solid up to what is certain, hatched up to what is possible.
struct Bar {
    solid: String,
    hatched_from: String,
    hatched: String,
    class: &'static str,
}

impl Bar {
    /// `high` may be infinite. A mark of 0 (nothing required) makes every capacity a full bar.
    fn new(low: f64, high: f64, mark: f64, class: &'static str) -> Self {
        let percent = |value: f64| {
            if mark <= 0.0 || value.is_nan() {
                if value > 0.0 { 100.0 } else { 0.0 }
            } else {
                (value / mark * MARK_PERCENT).clamp(0.0, 100.0)
            }
        };
        let (solid, end) = (percent(low), percent(high));
        Self {
            solid: format!("{solid:.1}"),
            hatched_from: format!("{solid:.1}"),
            hatched: format!("{:.1}", (end - solid).max(0.0)),
            class,
        }
    }
}
