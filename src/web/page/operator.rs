//! The page of one operator: how its links and backhauls stand, its incidents, how it is reached. `[P]`

use askama::Template;

use super::super::snapshot::Snapshot;
use super::sheet::Frame;
use super::{Context, incident, link};
use crate::model::network::Language;

/// Incidents that are listed: the snapshot has those of the last seven days.
const INCIDENTS_MAX: usize = 40;

#[derive(Template)]
#[template(path = "operator.html")]
struct OperatorPage<'a> {
    f: Frame<'a>,
    name: &'a str,
    id: &'a str,
    class: &'static str,
    state: String,
    updated: String,
    phone: Option<&'a str>,
    email: String,
    /// Backhauls first.
    edges: Vec<link::Row>,
    incidents: Vec<incident::Line>,
}

/// What is said of an address that is none.
pub fn unknown(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Italian => ("Questo operatore non esiste", "L’inventario non ha un operatore con questo nome."),
        Language::English => ("There is no such operator", "The inventory has no operator of this name."),
    }
}

/// Renders the page; `None` if the inventory has no such operator.
pub fn page(snapshot: &Snapshot, id: &str, language: Language) -> Option<Result<String, askama::Error>> {
    let operator = snapshot.network.wisps.get(id)?;
    let c = Context::new(snapshot, language);
    let (links, backhauls) = link::rows(&c);
    let own = |row: &link::Row| row.operator.as_ref() == Some(&operator.id);
    let edges: Vec<link::Row> = backhauls.into_iter().chain(links).filter(own).collect();
    let (class, state) = standing(&edges, language);
    let page = OperatorPage {
        f: Frame::new(snapshot, language),
        name: &operator.name,
        id: operator.id.as_str(),
        class,
        state,
        updated: c.clock.moment_with_seconds(snapshot.generated_at, language),
        phone: operator.phone.as_deref(),
        email: operator.email.join(", "),
        edges,
        incidents: snapshot
            .incidents
            .iter()
            .filter(|i| i.number > 0 && i.wisp.as_ref() == Some(&operator.id))
            .take(INCIDENTS_MAX)
            .map(|i| incident::line(&c, i))
            .collect(),
    };
    Some(page.render())
}

/// How an operator stands, by how many of its links want somebody to look at them: class of style, and words.
pub(super) fn standing(edges: &[link::Row], language: Language) -> (&'static str, String) {
    let trouble = edges.iter().filter(|row| !matches!(row.class, "well" | "idle")).count();
    match (trouble, language) {
        (0, Language::Italian) => ("well", "in regola".to_owned()),
        (0, Language::English) => ("well", "well".to_owned()),
        (n, Language::Italian) => ("below", format!("{n} su {} da guardare", edges.len())),
        (n, Language::English) => ("below", format!("{n} of {} to be looked at", edges.len())),
    }
}
