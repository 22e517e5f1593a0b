//! The page of one site: what it was promised and what it has, the way to the Internet, what stands there, incidents;
//! and a sentence for whoever answers its mayor's call. `[P]`

use askama::Template;

use super::super::snapshot::Snapshot;
use super::super::summary::{Standing, standing, standing_of};
use super::super::{figures, names, words};
use super::sheet::Frame;
use super::{Context, hub, incident, link, site};
use crate::alert::{Incident, Subject};
use crate::model::network::{Language, SiteKind};
use crate::model::view::{Direction, SiteDirection, SiteView, TargetState};
use crate::model::{DeviceId, SiteId};

/// Incidents that are listed: the snapshot has those of the last seven days.
const INCIDENTS_MAX: usize = 20;

/// A device that stands there.
struct DeviceRow {
    id: String,
    address: String,
    answers: &'static str,
    class: &'static str,
}

/// A link on the way to the Internet, or at the site.
struct EdgeLine {
    href: String,
    name: String,
    wisp: String,
    class: &'static str,
    state: &'static str,
    figures: String,
}

#[derive(Template)]
#[template(path = "place.html")]
struct PlacePage<'a> {
    f: Frame<'a>,
    name: &'a str,
    id: &'a str,
    kind: &'static str,
    residents: Option<String>,
    class: &'static str,
    state: &'static str,
    /// What can be said on the telephone; `None` where nothing was promised.
    sentence: Option<String>,
    rows: Vec<site::Row>,
    updated: String,
    way: Vec<EdgeLine>,
    edges: Vec<EdgeLine>,
    devices: Vec<DeviceRow>,
    services: Vec<hub::ServiceRow>,
    incidents: Vec<incident::Line>,
    has_agent: bool,
    contact: Option<&'a str>,
    access: Option<&'a str>,
}

/// What is said of an address that is none.
pub fn unknown(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Italian => ("Questo sito non esiste", "L’inventario non ha un sito con questo nome."),
        Language::English => ("There is no such site", "The inventory has no site of this name."),
    }
}

/// Renders the page; `None` if the inventory has no such site.
pub fn page(snapshot: &Snapshot, id: &str, language: Language) -> Option<Result<String, askama::Error>> {
    let place = snapshot.network.sites.get(id)?;
    let c = Context::new(snapshot, language);
    let view = snapshot.view.sites.get(id);
    let standing = view.map(standing_of);
    let here = |of: &SiteId| *of == place.id;
    let page = PlacePage {
        f: Frame::new(snapshot, language),
        name: &place.name,
        id: place.id.as_str(),
        kind: words::site_kind(place.kind, language),
        residents: place.residents.map(|n| figures::count(u64::from(n), language)),
        class: standing.map_or("idle", site::class),
        state: view.map_or_else(
            || c.pick("nessuna promessa", "nothing promised"),
            |v| words::target_state(site::worse_state(v), language),
        ),
        sentence: view.map(|v| sentence(&c, v, place.kind)),
        rows: view.map(|v| site::rows_of(&c, v)).unwrap_or_default(),
        updated: c.clock.moment_with_seconds(snapshot.generated_at, language),
        way: view
            .map(|v| v.path.iter().filter_map(|e| snapshot.view.edge(e)).map(|e| edge(&c, e)).collect())
            .unwrap_or_default(),
        edges: snapshot
            .view
            .edges()
            .filter(|e| here(&e.near_site) || e.far_site.as_ref().is_some_and(here))
            .map(|e| edge(&c, e))
            .collect(),
        devices: snapshot.network.devices.values().filter(|d| here(&d.site)).map(|d| device(&c, &d.id)).collect(),
        services: hub::services_from(&c, Some(&place.id)),
        incidents: snapshot
            .incidents
            .iter()
            .filter(|i| concerns(snapshot, i, &place.id))
            .take(INCIDENTS_MAX)
            .map(|i| incident::line(&c, i))
            .collect(),
        has_agent: place.agent,
        contact: place.contact.as_deref(),
        access: place.access.as_deref(),
    };
    Some(page.render())
}

/// About the site, or about something that it suffers from.
fn concerns(snapshot: &Snapshot, incident: &Incident, id: &SiteId) -> bool {
    let about = match &incident.subject {
        Subject::Site(site) | Subject::Agent(site) | Subject::Service(_, site) => site == id,
        Subject::Device(device) => snapshot.network.devices.get(device).is_some_and(|d| d.site == *id),
        Subject::Backup(job) => snapshot.network.backups.get(job.as_str()).is_some_and(|b| b.site == *id),
        Subject::Edge(_) | Subject::Hub => false,
    };
    incident.number > 0 && (about || incident.sites_below.contains(id) || incident.sites_cut_off.contains(id))
}

fn edge(c: &Context<'_>, edge: &crate::model::view::LinkView) -> EdgeLine {
    let row = link::row(c, edge, false);
    let figure = |d: &link::DirectionCell| {
        let now = d.capacity.as_deref().unwrap_or("—");
        let needs = d.required.as_ref().map(|r| format!(" ({} {r})", c.w.required)).unwrap_or_default();
        format!("→ {}: {now} Mbps{needs}", d.to)
    };
    EdgeLine {
        href: row.href.clone(),
        figures: row.ways().map(figure).join(" · "),
        name: row.name,
        wisp: row.wisp,
        class: row.class,
        state: row.state,
    }
}

fn device(c: &Context<'_>, id: &DeviceId) -> DeviceRow {
    let address = c.snapshot.network.devices.get(id).map_or_else(String::new, |d| d.address.to_string());
    let (class, answers) = match c.snapshot.view.devices.get(id).and_then(|d| d.answers) {
        Some(true) => ("well", c.pick("risponde", "answers")),
        Some(false) => ("down", c.pick("non risponde", "no answer")),
        None => ("unknown", c.pick("non si sa", "not known")),
    };
    DeviceRow { id: id.to_string(), address, answers, class }
}

/// The worse of the two directions, and which it is.
fn worse(view: &SiteView) -> (Direction, &SiteDirection) {
    let of = |d: &SiteDirection| standing(d.state, d.known);
    match &view.upstream {
        Some(up) if of(up) < of(&view.downstream) => (Direction::Upstream, up),
        _ => (Direction::Downstream, &view.downstream),
    }
}

/// What staff can say as it stands: no term of the trade, no figure that is not known.
pub(super) fn sentence(c: &Context<'_>, view: &SiteView, kind: SiteKind) -> String {
    let (direction, d) = worse(view);
    let target = c.mbps(d.target_mbps);
    let whose = match kind {
        SiteKind::Municipality => c.pick("del Comune", "of the municipality"),
        SiteKind::School => c.pick("della scuola", "of the school"),
        SiteKind::TownHall => c.pick("del municipio", "of the town hall"),
        SiteKind::Relay | SiteKind::Pop => c.pick("del sito", "of the site"),
    };
    match (d.state, standing(d.state, d.known)) {
        (TargetState::Below, _) => below(c, view, direction, d, whose),
        (TargetState::Unknown, _) => match c.language {
            Language::Italian => format!(
                "In questo momento non possiamo dire quanto porta il collegamento {whose}: mancano misure. Non significa \
                 che sia guasto."
            ),
            Language::English => format!(
                "At this moment we cannot say what the connection {whose} carries: readings are missing. That does not \
                 mean that it is out of order."
            ),
        },
        (TargetState::Met, Standing::Declared) => match c.language {
            Language::Italian => format!(
                "Per contratto il collegamento {whose} porta almeno {target} Mbps; finora nessuna misura lo conferma."
            ),
            Language::English => format!(
                "By contract the connection {whose} carries at least {target} Mbps; so far no reading confirms it."
            ),
        },
        (TargetState::Met, _) => match c.language {
            Language::Italian => format!(
                "Il collegamento {whose} porta almeno i {target} Mbps promessi, anche se tutti lo usano insieme."
            ),
            Language::English => format!(
                "The connection {whose} carries at least the {target} Mbps that were promised, even if everybody uses \
                 the network at once."
            ),
        },
    }
}

fn below(c: &Context<'_>, view: &SiteView, direction: Direction, d: &SiteDirection, whose: &str) -> String {
    let since = c.explanations.since(&view.id, direction).map(|at| c.moment(at));
    let since = match (since, c.language) {
        // Today an hour, on other days a date before it.
        (Some(at), Language::Italian) if at.contains(' ') => format!("Dal {at} il"),
        (Some(at), Language::Italian) => format!("Dalle {at} il"),
        (None, Language::Italian) => "Il".to_owned(),
        (Some(at), Language::English) => format!("Since {at} the"),
        (None, Language::English) => "The".to_owned(),
    };
    let target = c.mbps(d.target_mbps);
    let what = match (d.together.known(), view.path.is_empty(), c.language) {
        (_, true, Language::Italian) => format!("{since} collegamento {whose} è interrotto."),
        (_, true, Language::English) => format!("{since} connection {whose} is down."),
        (Some(now), false, Language::Italian) => format!(
            "{since} collegamento {whose} può portare circa {} Mbps invece dei {target} promessi: funziona, ma può \
             essere lento.",
            c.mbps(now)
        ),
        (Some(now), false, Language::English) => format!(
            "{since} connection {whose} carries about {} Mbps instead of the {target} that were promised: it works, but \
             may be slow.",
            c.mbps(now)
        ),
        (None, false, Language::Italian) => {
            format!("{since} collegamento {whose} porta meno dei {target} Mbps promessi.")
        }
        (None, false, Language::English) => {
            format!("{since} connection {whose} carries less than the {target} Mbps that were promised.")
        }
    };
    let Some(edge) = d.bottleneck.as_ref().and_then(|id| c.snapshot.view.edge(id)) else { return what };
    let name = names::edge(&c.snapshot.network, &c.snapshot.view, &edge.id);
    let who = edge.wisp.as_ref().map(|w| names::wisp(&c.snapshot.network, w));
    match (who, c.language) {
        (Some(who), Language::Italian) => format!("{what} Dipende dalla tratta {name}, di cui si occupa {who}."),
        (None, Language::Italian) => format!("{what} Dipende dalla tratta {name}, della rete dell’Unione."),
        (Some(who), Language::English) => format!("{what} It is because of the link {name}, which {who} runs."),
        (None, Language::English) => format!("{what} It is because of the link {name}, of the Union’s own network."),
    }
}
