//! Rows about the monitoring itself: agents, parts of the hub, services tried from the sites.

use super::super::api::all_agents;
use super::super::{figures, names, words};
use super::Context;
use crate::model::view::{AgentView, PartView};

/// A clock further off than this is marked.
const CLOCK_ERROR_MS_MAX: u64 = 5_000;

pub struct AgentRow {
    pub name: String,
    pub class: &'static str,
    pub state: &'static str,
    pub last_data: Option<String>,
    pub backlog: Option<String>,
    pub lost: String,
    pub any_lost: bool,
    pub samples: String,
    pub clock_error: Option<String>,
    pub clock_wrong: bool,
    pub inventory: Option<String>,
    pub inventory_wrong: bool,
}

pub struct PartRow {
    pub name: String,
    pub class: &'static str,
    pub state: &'static str,
    pub detail: Option<String>,
    pub waiting: String,
    pub done: String,
    pub failed: String,
}

pub struct ServiceRow {
    pub name: String,
    pub from: String,
    pub class: &'static str,
    pub state: &'static str,
    pub response: Option<String>,
}

pub fn agents(c: &Context<'_>) -> Vec<AgentRow> {
    all_agents(c.snapshot).iter().map(|a| agent(c, a)).collect()
}

fn agent(c: &Context<'_>, a: &AgentView) -> AgentRow {
    let count = |n: u64| figures::count(n, c.language);
    let (class, state) = match a.online {
        Some(true) => ("well", c.pick("in linea", "online")),
        Some(false) => ("down", c.pick("non in linea", "offline")),
        None => ("unknown", c.pick("mai sentito", "never heard")),
    };
    let (inventory, inventory_wrong) = inventory(c, &a.part);
    AgentRow {
        inventory,
        inventory_wrong,
        name: names::site(&c.snapshot.network, &a.site).to_owned(),
        class,
        state,
        last_data: a.last_batch_at.map(|t| c.clock.age(t, c.language)),
        backlog: a.backlog_batches.map(count),
        lost: count(a.lost_batches),
        any_lost: a.lost_batches > 0,
        samples: count(a.samples),
        clock_error: a.clock_error_ms.map(|ms| signed_seconds(c, ms)),
        clock_wrong: a.clock_error_ms.is_some_and(|ms| ms.unsigned_abs() > CLOCK_ERROR_MS_MAX),
    }
}

/// Whether the agent follows the newest inventory, and whether staff must act; nothing where it reads a file of its own.
fn inventory(c: &Context<'_>, part: &PartView) -> (Option<String>, bool) {
    let (text, wrong) = match part {
        PartView { key_refused: Some(_), .. } => (c.pick("chiave nuova da accettare", "new key to accept"), true),
        PartView { refused: Some(why), .. } => {
            return (Some(format!("{}: {why}", c.pick("rifiutato", "refused"))), true);
        }
        PartView { trouble: Some(_), .. } => (c.pick("non inviato del tutto", "not sent in full"), true),
        PartView { published: None, .. } => return (None, false),
        PartView { published, in_force, .. } if published == in_force => (c.pick("aggiornato", "up to date"), false),
        _ => (c.pick("in attesa", "waiting"), false),
    };
    (Some(text.to_owned()), wrong)
}

fn signed_seconds(c: &Context<'_>, ms: i64) -> String {
    let text = figures::decimal(ms as f64 / 1000.0, 1, c.language);
    if ms >= 50 { format!("+{text} s") } else { format!("{text} s") }
}

pub fn parts(c: &Context<'_>) -> Vec<PartRow> {
    let count = |n: u64| figures::count(n, c.language);
    let row = |p: &super::super::snapshot::PartHealth| PartRow {
        name: words::part(p.name, c.language).to_owned(),
        class: if p.ok { "well" } else { "down" },
        state: if p.ok { c.w.works } else { c.w.trouble },
        detail: p.detail.clone(),
        waiting: count(p.waiting),
        done: count(p.done_total),
        failed: count(p.failed_total),
    };
    c.snapshot.parts.iter().map(row).collect()
}

pub fn services(c: &Context<'_>) -> Vec<ServiceRow> {
    let network = &c.snapshot.network;
    let row = |s: &crate::model::view::ServiceView| {
        let (class, state) = match s.up {
            Some(true) => ("well", c.w.works),
            Some(false) => ("down", c.pick("non risponde", "no answer")),
            None => ("unknown", c.w.unknown),
        };
        ServiceRow {
            name: network.services.get(&s.id).map_or(s.id.as_str(), |k| k.name.as_str()).to_owned(),
            from: names::site(network, &s.from).to_owned(),
            class,
            state,
            response: s.response_ms.get().map(|ms| format!("{} ms", figures::decimal(ms, 0, c.language))),
        }
    };
    c.snapshot.view.services.iter().map(row).collect()
}
