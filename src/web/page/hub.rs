//! Rows about the monitoring itself: agents, parts of the hub, services tried from the sites.

use super::super::answer::revision_time;
use super::super::api::all_agents;
use super::super::snapshot::AgentProof;
use super::super::{figures, names, words};
use super::Context;
use crate::model::SiteId;
use crate::model::network::Language;
use crate::model::view::{AgentView, PartView, certificate_days_left};

/// A clock further off than this is marked.
const CLOCK_ERROR_MS_MAX: u64 = 5_000;

#[expect(clippy::struct_excessive_bools, reason = "each marks a cell of its own")]
pub struct AgentRow {
    pub name: String,
    pub class: &'static str,
    pub state: &'static str,
    /// What goes on, where something does.
    pub notes: Vec<String>,
    pub filling: bool,
    pub last_data: Option<String>,
    pub newest_sample: Option<String>,
    pub gap: String,
    pub again: String,
    pub backlog: Option<String>,
    pub lost: String,
    pub any_lost: bool,
    pub samples: String,
    pub clock_error: Option<String>,
    pub clock_wrong: bool,
    pub inventory: Option<String>,
    pub inventory_wrong: bool,
    /// Only where it ends soon.
    pub certificate: Option<String>,
}

impl AgentRow {
    /// Whether somebody should look at it.
    pub fn is_in_trouble(&self) -> bool {
        let wrong = self.clock_wrong || self.inventory_wrong || self.any_lost || self.certificate.is_some();
        wrong || self.filling || self.class != "well"
    }
}

/// How data collection goes.
pub struct Collection {
    pub sentence: String,
    /// What is wrong: an agent or a part of the system, its class and state, and what is said of it.
    pub troubles: Vec<Trouble>,
}

pub struct Trouble {
    pub name: String,
    pub class: &'static str,
    pub state: &'static str,
    pub detail: Option<String>,
}

/// A sentence about all agents, and what is in trouble among them and the parts of the system.
pub fn collection(c: &Context<'_>, agents: &[AgentRow]) -> Collection {
    let (heard, all) = (agents.iter().filter(|a| a.class == "well").count(), agents.len());
    let lost: u64 = all_agents(c.snapshot).iter().map(|a| batches_lost(c, a)).sum();
    let sentence = match (c.language, all) {
        (Language::Italian, 0) => "Nessuna sonda prevista.".to_owned(),
        (Language::English, 0) => "No agent is expected.".to_owned(),
        (Language::Italian, 1) => {
            (if heard == 1 { "L’unica sonda è in linea" } else { "L’unica sonda non è in linea" }).to_owned()
        }
        (Language::English, 1) => {
            (if heard == 1 { "The only agent is online" } else { "The only agent is not online" }).to_owned()
        }
        (Language::Italian, _) if heard == all => format!("Tutte le {all} sonde sono in linea"),
        (Language::English, _) if heard == all => format!("All {all} agents are online"),
        (Language::Italian, _) if heard == 1 => format!("1 sonda su {all} è in linea"),
        (Language::English, _) if heard == 1 => format!("1 of {all} agents is online"),
        (Language::Italian, _) => format!("{heard} sonde su {all} sono in linea"),
        (Language::English, _) => format!("{heard} of {all} agents are online"),
    };
    let count = figures::count(lost, c.language);
    let sentence = match (all, lost, c.language) {
        (0, ..) => sentence,
        (_, 0, Language::Italian) => format!("{sentence}; nessuna misura è andata persa."),
        (_, 0, Language::English) => format!("{sentence}; no measurement was lost."),
        (_, _, Language::Italian) => format!("{sentence}; lotti di misure persi: {count}."),
        (_, _, Language::English) => format!("{sentence}; batches of measurements lost: {count}."),
    };
    let of_agent = |a: &AgentRow| Trouble {
        name: a.name.clone(),
        class: a.class,
        state: a.state,
        detail: (!a.notes.is_empty()).then(|| a.notes.join("; ")),
    };
    let of_part = |p: PartRow| Trouble { name: p.name, class: p.class, state: p.state, detail: p.detail };
    let agents = agents.iter().filter(|a| a.is_in_trouble()).map(of_agent);
    Collection {
        sentence,
        troubles: agents.chain(parts(c).into_iter().filter(|p| p.class != "well").map(of_part)).collect(),
    }
}

fn batches_lost(c: &Context<'_>, a: &AgentView) -> u64 {
    a.lost_batches.max(c.snapshot.proofs.get(&a.site).map_or(0, |proof| proof.lost_batches))
}

/// One agent on one day.
pub struct DayRow {
    pub agent: String,
    pub day: String,
    pub samples: String,
    pub late: String,
    pub lost: String,
    pub any_lost: bool,
    pub again: String,
    pub set_aside: String,
    pub worst_lag: String,
    pub clock: String,
    pub silent: String,
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

/// Those in trouble first.
pub fn agents(c: &Context<'_>) -> Vec<AgentRow> {
    let mut rows: Vec<AgentRow> = all_agents(c.snapshot).iter().map(|a| agent(c, a)).collect();
    rows.sort_by_key(|row| (row.class == "well", !row.is_in_trouble()));
    rows
}

fn agent(c: &Context<'_>, a: &AgentView) -> AgentRow {
    let count = |n: u64| figures::count(n, c.language);
    let (class, state) = match a.online {
        Some(true) => ("well", c.pick("in linea", "online")),
        Some(false) => ("down", c.pick("non in linea", "offline")),
        None => ("unknown", c.pick("mai sentita", "never heard")),
    };
    let (inventory, inventory_wrong) = inventory(c, &a.part);
    let certificate = certificate(c, a);
    let nothing = AgentProof::default();
    let proof = c.snapshot.proofs.get(&a.site).unwrap_or(&nothing);
    let away = a.online == Some(false);
    AgentRow {
        inventory,
        inventory_wrong,
        certificate,
        notes: notes(c, a, proof),
        filling: proof.missing_batches > 0 && !away,
        newest_sample: proof.newest_sample_at.map(|t| c.clock.age(t, c.language)),
        gap: if proof.missing_batches > 0 { count(proof.missing_batches) } else { "—".to_owned() },
        again: count(a.duplicate_batches),
        name: names::site(&c.snapshot.network, &a.site).to_owned(),
        class,
        state,
        last_data: a.last_batch_at.map(|t| c.clock.age(t, c.language)),
        backlog: if away { Some(c.w.unknown.to_owned()) } else { a.backlog_batches.map(count) },
        lost: count(batches_lost(c, a)),
        any_lost: batches_lost(c, a) > 0,
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
    let made = part.in_force.map(|revision| c.moment(revision_time(revision)));
    (Some(made.map_or_else(|| text.to_owned(), |at| format!("{text} ({at})"))), wrong)
}

/// Days until the agent's certificate for the broker ends, once they are few.
fn certificate(c: &Context<'_>, a: &AgentView) -> Option<String> {
    let days = certificate_days_left(a.certificate_expires_at?, c.snapshot.generated_at)?;
    Some(match c.language {
        Language::Italian => format!("certificato: scade fra {days} g"),
        Language::English => format!("certificate: ends in {days} d"),
    })
}

/// In words: what is under way, what is lost.
fn notes(c: &Context<'_>, a: &AgentView, proof: &AgentProof) -> Vec<String> {
    let count = |n: u64| figures::count(n, c.language);
    let mut notes = Vec::new();
    if a.online == Some(false) {
        notes.push(
            c.pick(
                "non raggiungibile: continua a misurare e conserva tutto; quanto, si saprà al ritorno",
                "cut off: it goes on measuring and keeps all of it; how much is known when it is back",
            )
            .to_owned(),
        );
    } else if proof.missing_batches > 0 {
        let n = count(proof.missing_batches);
        let gap = match proof.drained_in.map(|left| duration(left.as_secs().max(1))) {
            Some(left) => match c.language {
                Language::Italian => format!("recupero in corso: mancano {n} lotti, circa {left}"),
                Language::English => format!("the gap is filling: {n} batches to come, about {left}"),
            },
            None => match c.language {
                Language::Italian => format!("mancano {n} lotti, in attesa"),
                Language::English => format!("a gap of {n} batches, waiting"),
            },
        };
        notes.push(gap);
    }
    if proof.held_batches > 0 {
        let n = count(proof.held_batches);
        notes.push(match c.language {
            Language::Italian => format!("{n} lotti registrati, misurati prima che l'orologio fosse regolato"),
            Language::English => format!("{n} batches stored that were made before its clock was set"),
        });
    }
    for loss in proof.losses.iter().take(2) {
        let (n, at) = (count(loss.batches()), c.moment(loss.found_at));
        notes.push(match c.language {
            Language::Italian => format!("persi per sempre {n} lotti ({}–{}), accertato {at}", loss.first, loss.last),
            Language::English => format!("{n} batches lost for good ({}–{}), found {at}", loss.first, loss.last),
        });
    }
    notes
}

/// A span, as short as it can be.
fn duration(secs: u64) -> String {
    match secs {
        0..=89 => format!("{secs} s"),
        90..=5_399 => format!("{} min", (secs + 30) / 60),
        _ => format!("{} h", (secs + 1_800) / 3_600),
    }
}

/// The daily records, the newest day first.
pub fn days(c: &Context<'_>) -> Vec<DayRow> {
    let network = &c.snapshot.network;
    let count = |n: u64| figures::count(n, c.language);
    let mut rows: Vec<(&str, DayRow)> = Vec::new();
    for (site, proof) in c.snapshot.proofs.iter() {
        for day in &proof.days {
            let late = match day.amended_at {
                Some(at) if day.late_samples > 0 => format!("{} ({})", count(day.late_samples), c.moment(at)),
                _ => count(day.late_samples),
            };
            let clock = match (day.clock_error_ms_min, day.clock_error_ms_max) {
                (Some(low), Some(high)) => format!("{} … {}", signed_seconds(c, low), signed_seconds(c, high)),
                _ => "—".to_owned(),
            };
            let row = DayRow {
                agent: names::site(network, site).to_owned(),
                day: day.day.clone(),
                samples: count(day.samples),
                late,
                lost: count(day.lost_batches),
                any_lost: day.lost_batches > 0,
                again: count(day.duplicates),
                set_aside: count(day.set_aside),
                worst_lag: day.lag_secs_worst.map_or_else(|| "—".to_owned(), duration),
                clock,
                silent: duration(day.silent_secs),
            };
            rows.push((&day.day, row));
        }
    }
    rows.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.agent.cmp(&y.agent)));
    rows.into_iter().map(|(_, row)| row).collect()
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
    services_from(c, None)
}

/// Those that are tried from one site, or from all.
pub fn services_from(c: &Context<'_>, site: Option<&SiteId>) -> Vec<ServiceRow> {
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
    let wanted = |s: &&crate::model::view::ServiceView| site.is_none_or(|site| s.from == *site);
    c.snapshot.view.services.iter().filter(wanted).map(row).collect()
}
