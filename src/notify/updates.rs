//! Mails within a conversation: what changed, a reminder, nobody took charge. `[P]`

use super::Recipient;
use super::blocks::{Block, bold, clean};
use super::generic;
use super::policy::Why;
use super::story::Story;
use super::words;
use crate::alert::Condition;
use crate::alert::desk::{Act, Case};
use crate::model::network::{Language, SiteKind};
use crate::model::{SiteId, UnixMillis};

/// An update: the reasons, one a line.
pub fn changed(story: &Story<'_>, to: &Recipient, why: &[Why], case: Option<&Case>, from: &str) -> Vec<Block> {
    let intro = match story.language {
        Language::Italian => format!("{} {}, in corso {}.", bold("Aggiornamento:"), story.name(), age(story)),
        Language::English => format!("{} {}, open {}.", bold("Update:"), story.name(), age(story)),
    };
    let items = why.iter().filter_map(|w| change(story, w, case)).collect();
    let mut blocks = vec![Block::Para(intro), Block::List { numbered: false, items }];
    blocks.extend(foot(story, to, from));
    blocks
}

/// It is still open: to the operator what we ask again, to the staff where things stand.
pub fn reminder(story: &Story<'_>, to: &Recipient, why: &[Why], case: Option<&Case>, from: &str) -> Vec<Block> {
    let still =
        format!("{} {} {}, {}.", bold(story.pick("Promemoria:", "Reminder:")), story.name(), state(story), age(story));
    let mut blocks = vec![Block::Para(still), Block::Lines(standing(story, case))];
    if matches!(to, Recipient::Wisp(_)) {
        let overdue = why.contains(&Why::RepairOverdue);
        let taken = case.is_some_and(|c| c.acknowledged().is_some());
        let ask = match (overdue, taken, story.italian()) {
            (true, _, true) => "L’ora di ripristino indicata è passata: rispondete con una nuova previsione.",
            (true, _, false) => "The time of repair that you gave has passed: please reply with a new one.",
            (false, true, true) => {
                "Se avete una previsione di ripristino, rispondete indicandola: la riferiremo ai comuni."
            }
            (false, true, false) => "If you can say when it will be repaired, please reply: we will pass it on.",
            (false, false, true) => {
                "Non risulta ancora presa in carico: rispondete indicando il vostro numero di ticket, o chi se ne occupa."
            }
            (false, false, false) => {
                "Nobody has taken charge of it yet: please reply with your ticket number, or who is looking after it."
            }
        };
        blocks.push(Block::Para(ask.into()));
    }
    blocks.extend(foot(story, to, from));
    blocks
}

/// To the staff: whom to call, and what to say.
pub fn escalated(story: &Story<'_>, to: &Recipient, since: UnixMillis, from: &str) -> Vec<Block> {
    let operator = story.operator();
    let name = operator.map(|w| clean(&w.name)).unwrap_or_default();
    let told = story.moment(since);
    let token = story.incident.token();
    let phone = operator.and_then(|w| w.phone.as_deref()).map(clean);
    let fact = match story.language {
        Language::Italian => format!(
            "{} nessuno ha ancora risposto per {token}; l’avviso a {name} è partito alle {told}.",
            bold("Da sollecitare:")
        ),
        Language::English => {
            format!("{} nobody has answered about {token} yet; {name} was notified at {told}.", bold("Please chase:"))
        }
    };
    let call = match (phone, story.italian()) {
        (Some(phone), true) => format!("Telefonare a {name}, {phone}, citando {token}."),
        (Some(phone), false) => format!("Call {name}, {phone}, and quote {token}."),
        (None, true) => format!("Chiamare {name}, citando {token} (nell’inventario manca il telefono)."),
        (None, false) => format!("Call {name} and quote {token} (the inventory has no phone number)."),
    };
    let note = match story.language {
        Language::Italian => format!(
            "Dopo la telefonata, annotare la presa in carico: vedetta incidents ack {token} --by NOME --ticket NUMERO"
        ),
        Language::English => {
            format!("Then note who took charge: vedetta incidents ack {token} --by NAME --ticket NUMBER")
        }
    };
    let mut blocks = vec![
        Block::Para(fact),
        Block::Lines(vec![sentence_of_state(story), behind(story)].into_iter().filter(|l| !l.is_empty()).collect()),
        Block::Title(story.pick("Che cosa fare", "What to do").into()),
        Block::List { numbered: false, items: vec![call, note] },
    ];
    blocks.extend(foot(story, to, from));
    blocks
}

/// `da 2 giorni e 3 h (dalle 06:42 di oggi)`
fn age(story: &Story<'_>) -> String {
    let span = story.duration(story.now.since(story.incident.since));
    let since = story.since();
    match story.language {
        Language::Italian => format!("da {span} ({since})"),
        Language::English => format!("for {span} ({since})"),
    }
}

fn state(story: &Story<'_>) -> String {
    let words = match story.incident.condition {
        Condition::LinkDown if story.is_backhaul() => story.pick("è ancora interrotto", "is still down"),
        Condition::LinkDown => story.pick("è ancora interrotta", "is still down"),
        Condition::OnStandby => story.pick("lavora ancora sulla linea di riserva", "is still on its backup"),
        Condition::CapacityBelow => story.pick("porta ancora meno del dovuto", "still carries less than needed"),
        Condition::SiteBelowTarget => {
            story.pick("ha ancora Internet più lento del promesso", "still has slower Internet than promised")
        }
        Condition::SamplesLost => story.pick("ha perso una parte delle misure", "has lost some measurements"),
        _ => {
            let title = generic::lower(generic::title(story));
            return match story.language {
                Language::Italian => format!("ha ancora questo problema: {title}"),
                Language::English => format!("still has this problem: {title}"),
            };
        }
    };
    words.to_owned()
}

fn sentence_of_state(story: &Story<'_>) -> String {
    format!("{} {}, {}.", bold(&story.name()), state(story), age(story))
}

/// Who is behind it.
fn behind(story: &Story<'_>) -> String {
    let incident = story.incident;
    let sites = if incident.sites_cut_off.is_empty() { &incident.sites } else { &incident.sites_cut_off };
    if sites.is_empty() || matches!(incident.subject, crate::alert::Subject::Site(_) | crate::alert::Subject::Agent(_))
    {
        return String::new();
    }
    let label = if incident.sites_cut_off.is_empty() {
        story.pick("A valle:", "Behind it:")
    } else {
        story.pick("Senza servizio:", "Without service:")
    };
    // The residents are those of all places behind it.
    let residents = if sites.len() == incident.sites.len() { story.residents() } else { String::new() };
    format!("{} {}{residents}.", bold(label), story.names(sites))
}

/// Who is behind it, the figures, and what was said.
fn standing(story: &Story<'_>, case: Option<&Case>) -> Vec<String> {
    let mut lines = vec![behind(story)];
    let mbps = story.incident.measured_mbps.map(|m| words::mbps(story.language, m, story.incident.required_mbps));
    if let (Some(mbps), Some(needed), true) =
        (mbps, story.required_mbps(), story.incident.condition != Condition::LinkDown)
    {
        let label = bold(story.pick("Capacità adesso:", "Capacity now:"));
        lines.push(match story.language {
            Language::Italian => format!("{label} {mbps} Mbps; ne servono {needed}."),
            Language::English => format!("{label} {mbps} Mbps; {needed} are needed."),
        });
    }
    lines.extend(case.and_then(|case| taken(story, case)));
    lines.extend(case.and_then(|case| repair(story, case)));
    lines.retain(|l| !l.is_empty());
    lines
}

fn taken(story: &Story<'_>, case: &Case) -> Option<String> {
    let first = case.acknowledged()?;
    let (by, at) = (clean(&first.by), story.moment(first.at));
    let ticket = case.ticket().map(|t| format!(", ticket {}", clean(t))).unwrap_or_default();
    let note = case.entries.iter().rev().find_map(|e| match &e.act {
        Act::Acknowledge { note: Some(note), .. } => Some(format!(" «{}»", clean(note))),
        _ => None,
    });
    let note = note.unwrap_or_default();
    Some(match story.language {
        Language::Italian => format!("{} {by}, {at}{ticket}.{note}", bold("Presa in carico:")),
        Language::English => format!("{} {by}, {at}{ticket}.{note}", bold("Taken charge of by:")),
    })
}

fn repair(story: &Story<'_>, case: &Case) -> Option<String> {
    let at = case.expected_repair()?;
    let day = words::day(story.language, &story.zone, at);
    let clock = words::clock(&story.zone, at);
    Some(format!("{} {day}, {clock}.", bold(story.pick("Ripristino previsto:", "Repair expected:"))))
}

fn change(story: &Story<'_>, why: &Why, case: Option<&Case>) -> Option<String> {
    let names = |sites: &[SiteId]| story.names(sites);
    let italian = story.italian();
    Some(match why {
        Why::SeverityRose => story
            .pick("La situazione è peggiorata: ora è un guasto grave.", "It got worse: this is now a severe fault.")
            .into(),
        Why::MorePlaces(sites) => {
            format!("{} {}.", story.pick("Coinvolti anche:", "Affected now too:"), names(sites))
        }
        Why::FewerPlaces(sites) => {
            format!("{} {}.", story.pick("Di nuovo regolari:", "Back to normal:"), names(sites))
        }
        Why::NewBehind(sites) => {
            format!("{} {}.", story.pick("A valle ora anche:", "Now also behind it:"), names(sites))
        }
        Why::CapacityFell { mbps } => {
            let fell = words::mbps(story.language, *mbps, story.incident.required_mbps);
            match (story.required_mbps(), italian) {
                (Some(needed), true) => format!("La capacità è scesa fino a {fell} Mbps; ne servono {needed}."),
                (Some(needed), false) => format!("Capacity fell to {fell} Mbps; {needed} are needed."),
                (None, true) => format!("La capacità è scesa fino a {fell} Mbps."),
                (None, false) => format!("Capacity fell to {fell} Mbps."),
            }
        }
        Why::CauseFound => {
            let label = story.pick("Causa probabile:", "Probable cause:");
            format!("{label} {}{}.{}", story.cause(), story.confidence(), story.reasons())
        }
        Why::Acknowledged => taken(story, case?)?,
        Why::ExpectedRepair => repair(story, case?)?,
        Why::Suspended => {
            let reason = clean(case?.suspended()?);
            format!("{} {}.", story.pick("Tempi sospesi:", "Clock suspended:"), reason.trim_end_matches('.'))
        }
        Why::Resumed => story.pick("I tempi decorrono di nuovo.", "The clock runs again.").into(),
        _ => return None,
    })
}

fn foot(story: &Story<'_>, to: &Recipient, from: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(page) = story.page() {
        blocks.push(Block::Para(format!("{} {page}", story.pick("Situazione aggiornata:", "Present situation:"))));
    }
    blocks.push(Block::Small(story.signature(from)));
    if matches!(to, Recipient::Wisp(_)) {
        let note = story.pick(
            "Segnalazione tecnica automatica: non costituisce contestazione contrattuale.",
            "Automatic technical notice: it is not a contractual claim.",
        );
        blocks.push(Block::Small(note.into()));
    }
    blocks
}

/// `4 comuni`, for summaries; nothing where nobody is behind.
pub fn who(story: &Story<'_>) -> String {
    let incident = story.incident;
    let sites = if incident.sites_cut_off.is_empty() { &incident.sites } else { &incident.sites_cut_off };
    let people = |id: &&SiteId| {
        let site = story.network.sites.get(id.as_str());
        site.is_some_and(|s| !matches!(s.kind, SiteKind::Relay | SiteKind::Pop))
    };
    let sites: Vec<SiteId> = sites.iter().filter(people).cloned().collect();
    if sites.is_empty() { String::new() } else { story.who(&sites) }
}
