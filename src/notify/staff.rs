//! The mail to the staff of the Union: the same incident for people who answer a mayor's call. `[P]`

use super::blocks::{Block, bold, clean};
use super::story::Story;
use super::words;
use crate::alert::incident::{ProbableCause, Reason};
use crate::alert::{Condition, Severity, Subject};
use crate::model::network::{Language, SiteKind};
use crate::model::{EdgeId, WispId};

/// What the people behind it notice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    NoService,
    Slow,
    Backup,
    /// A link is out or weak, and nobody notices.
    None,
}

fn effect(story: &Story<'_>) -> Effect {
    let incident = story.incident;
    if !incident.sites_cut_off.is_empty() || incident.severity == Severity::Critical {
        Effect::NoService
    } else if incident.condition == Condition::OnStandby {
        Effect::Backup
    } else if incident.sites_below.is_empty() {
        Effect::None
    } else {
        Effect::Slow
    }
}

/// The sites that this is about: those who notice, else all behind it.
fn concerned<'s>(story: &'s Story<'_>) -> &'s [crate::model::SiteId] {
    let incident = story.incident;
    match effect(story) {
        Effect::NoService if !incident.sites_cut_off.is_empty() => &incident.sites_cut_off,
        Effect::Slow | Effect::NoService if !incident.sites_below.is_empty() => &incident.sites_below,
        _ => &incident.sites,
    }
}

pub fn subject(story: &Story<'_>) -> String {
    let incident = story.incident;
    let who = story.who(concerned(story));
    let name = story.name();
    let said = match (incident.condition, effect(story), story.italian()) {
        (Condition::SamplesLost, _, true) => format!("Sonda di {name}: una parte delle misure è andata persa"),
        (Condition::SamplesLost, _, false) => format!("Agent at {name}: some measurements are lost"),
        (_, Effect::NoService, true) => format!("{who} senza Internet"),
        (_, Effect::NoService, false) => format!("{who} without Internet"),
        (_, Effect::Backup, true) if who.is_empty() => format!("{name} sulla linea di riserva"),
        (_, Effect::Backup, false) if who.is_empty() => format!("{name} on its backup line"),
        (_, Effect::Backup, true) => format!("{who} sulla linea di riserva: possibile lentezza"),
        (_, Effect::Backup, false) => format!("{who} on the backup line: may be slow"),
        (_, Effect::Slow, true) => format!("{who}: Internet più lento del promesso"),
        (_, Effect::Slow, false) => format!("{who}: Internet slower than promised"),
        (Condition::LinkDown, Effect::None, true) => format!("{name} interrotta: Internet funziona da un’altra via"),
        (Condition::LinkDown, Effect::None, false) => format!("{name} down: Internet works another way"),
        (_, Effect::None, true) => format!("{name} più debole del dovuto: possibile lentezza"),
        (_, Effect::None, false) => format!("{name} weaker than needed: may be slow"),
    };
    format!("[{}] {said}", incident.token())
}

pub fn opened(story: &Story<'_>, from: &str) -> Vec<Block> {
    let mut blocks = vec![Block::Para(story.pick("Buongiorno,", "Hello,").into()), Block::Para(fact(story))];
    if story.incident.condition == Condition::SamplesLost {
        blocks.extend(samples_lost(story));
    } else {
        blocks.push(Block::Lines(situation(story)));
        blocks.push(Block::Title(story.pick("Che cosa fare", "What to do").into()));
        blocks.push(Block::List { numbered: false, items: to_do(story) });
        blocks.extend(mayor(story).map(Block::Para));
    }
    blocks.extend(page(story));
    let note = story.pick(
        "Vi scriveremo al ripristino. Valori stimati dai dati degli apparati, non certificati.",
        "We will write when it is over. Figures are estimated from what the devices say; they are not certified.",
    );
    blocks.push(Block::Small(note.into()));
    blocks.push(Block::Small(story.signature(from)));
    blocks
}

pub fn closed(story: &Story<'_>, from: &str) -> Vec<Block> {
    let mut blocks = vec![Block::Para(over(story))];
    if story.incident.condition != Condition::SamplesLost {
        let mut lines = vec![story.course()];
        lines.extend(place(story));
        lines.push(format!("{} {}.", bold(story.pick("Causa probabile:", "Probable cause:")), cause(story)));
        blocks.push(Block::Lines(lines));
        blocks.extend(mayor_at_the_end(story).map(Block::Para));
    }
    blocks.extend(page(story));
    blocks.push(Block::Small(story.signature(from)));
    blocks
}

fn page(story: &Story<'_>) -> Option<Block> {
    let page = story.page()?;
    Some(Block::Para(format!("{} {page}", story.pick("Situazione aggiornata:", "Present situation:"))))
}

fn fact(story: &Story<'_>) -> String {
    let sites = concerned(story);
    let since = story.since();
    let residents = story.residents();
    // Where there are several, their names follow; a single one is its own name.
    let (who, names) = match sites {
        [] => (story.who(sites), String::new()),
        [_] => (format!("{}{residents}", story.who(sites)), String::new()),
        _ => (story.who(sites), format!(": {}{residents}", story.names(sites))),
    };
    let link = format!("{} {}", radio(story), bold(&story.name()));
    let one = sites.len() == 1;
    let said = match (story.incident.condition, effect(story), story.italian()) {
        (Condition::SamplesLost, _, true) => {
            format!("una parte delle misure raccolte dalla sonda di {} è andata persa.", bold(&story.name()))
        }
        (Condition::SamplesLost, _, false) => {
            format!("some of the measurements taken by the agent at {} are lost.", bold(&story.name()))
        }
        (_, Effect::NoService, true) => {
            let are = if one { "è" } else { "sono" };
            format!("{since} {who} {are} {}{names}.", bold("senza Internet"))
        }
        (_, Effect::NoService, false) => {
            let have = if one { "has" } else { "have" };
            format!("{since} {who} {have} had {}{names}.", bold("no Internet"))
        }
        (_, Effect::Backup, true) if who.is_empty() => {
            format!("{since} {link} lavora su una {}.", bold("linea di riserva"))
        }
        (_, Effect::Backup, false) if who.is_empty() => {
            format!("{since} {link} has been running on a {}.", bold("backup line"))
        }
        (_, Effect::Backup, true) => {
            let are = if one { "è collegato" } else { "sono collegati" };
            format!("{since} {who} {are} con una {}{names}.", bold("linea di riserva"))
        }
        (_, Effect::Backup, false) => {
            let have = if one { "has" } else { "have" };
            format!("{since} {who} {have} been connected by a {}{names}.", bold("backup line"))
        }
        (_, Effect::Slow, true) => {
            let have = if one { "ha" } else { "hanno" };
            format!("{since} {who} {have} Internet {}{names}.", bold("più lento del promesso"))
        }
        (_, Effect::Slow, false) => {
            let have = if one { "has" } else { "have" };
            format!("{since} {who} {have} had {}{names}.", bold("slower Internet than promised"))
        }
        (Condition::LinkDown, Effect::None, true) => {
            format!("{since} {link} è interrotta, ma Internet funziona: il traffico passa da un’altra via.")
        }
        (Condition::LinkDown, Effect::None, false) => {
            format!("{since} {link} has been down, but Internet works: the traffic goes another way.")
        }
        (_, Effect::None, true) => format!("{since} {link} è più debole del dovuto; Internet funziona."),
        (_, Effect::None, false) => format!("{since} {link} has been weaker than it should be; Internet works."),
    };
    story.after_greeting(said)
}

fn radio(story: &Story<'_>) -> &'static str {
    match story.incident.subject {
        Subject::Edge(EdgeId::Backhaul(_)) => story.pick("la linea", "the line"),
        _ if !story.is_radio() => story.pick("la tratta", "the link"),
        _ => story.pick("la tratta radio", "the radio link"),
    }
}

fn situation(story: &Story<'_>) -> Vec<String> {
    let mut lines = vec![now_line(story)];
    lines.extend(evening(story));
    lines.extend(place(story));
    lines.push(format!("{} {}.", bold(story.pick("Causa probabile:", "Probable cause:")), cause(story)));
    lines
}

fn now_line(story: &Story<'_>) -> String {
    let label = bold(story.pick("Adesso:", "Now:"));
    let incident = story.incident;
    let text = match (effect(story), story.italian()) {
        (Effect::NoService, true) => "Internet non funziona.".to_owned(),
        (Effect::NoService, false) => "Internet does not work.".to_owned(),
        (Effect::Slow, true) => match slow_site(story) {
            Some((has, target)) => format!("Internet funziona, a circa {has} Mbps invece di {target}."),
            None => "Internet funziona, ma può essere lento.".to_owned(),
        },
        (Effect::Slow, false) => match slow_site(story) {
            Some((has, target)) => format!("Internet works, at about {has} Mbps instead of {target}."),
            None => "Internet works, but may be slow.".to_owned(),
        },
        (_, true) => "Internet funziona.".to_owned(),
        (_, false) => "Internet works.".to_owned(),
    };
    let others = incident.sites_below.len() > incident.sites_cut_off.len() && !incident.sites_cut_off.is_empty();
    let rest = match (others, story.italian()) {
        (true, true) => " Altri siti funzionano, ma lentamente.",
        (true, false) => " Other sites work, but slowly.",
        _ => "",
    };
    format!("{label} {text}{rest}")
}

/// Of a site incident: what it has and what it was promised.
fn slow_site(story: &Story<'_>) -> Option<(String, String)> {
    let is_site = matches!(story.incident.subject, Subject::Site(_));
    is_site.then_some(())?;
    Some((story.opened_mbps()?, story.required_mbps()?))
}

/// What to expect when everybody is at home.
fn evening(story: &Story<'_>) -> Option<String> {
    if matches!(effect(story), Effect::NoService) || matches!(story.incident.subject, Subject::Site(_)) {
        return None;
    }
    let label = bold(story.pick("La sera:", "In the evening:"));
    if story.incident.condition == Condition::LinkDown {
        let text = match (effect(story), story.italian()) {
            (Effect::Slow, true) => "può essere lento: il traffico passa da un’altra via, meno capace.",
            (Effect::Slow, false) => "it may be slow: the traffic goes another way, which carries less.",
            (_, true) => "nessun effetto previsto. Un secondo guasto, però, potrebbe togliere il servizio.",
            (_, false) => "no effect expected. A second failure, though, could cut the service.",
        };
        return Some(format!("{label} {text}"));
    }
    let (mbps, needed) = (story.opened_mbps()?, story.required_mbps()?);
    let line = match (effect(story), story.italian()) {
        (Effect::Backup, true) => "La linea di riserva porta",
        (Effect::Backup, false) => "The backup line carries",
        (_, true) => "La tratta porta",
        (_, false) => "The link carries",
    };
    let purpose = purpose(story);
    Some(match story.language {
        Language::Italian => {
            format!("{label} può essere lento. {line} circa {mbps} Mbps; {purpose} ne servono {needed}.")
        }
        Language::English => {
            format!("{label} it may be slow. {line} about {mbps} Mbps; {purpose} {needed} are needed.")
        }
    })
}

/// `per dare 30 Mbps a tutti e 5 insieme`, where the same was promised to all.
fn purpose(story: &Story<'_>) -> String {
    let sites = &story.incident.sites;
    let targets: Vec<f64> =
        sites.iter().filter_map(|id| story.network.sites.get(id.as_str())?.target).map(|t| t.downstream_mbps).collect();
    let all_alike = targets.len() > 1 && targets.len() == sites.len() && targets.windows(2).all(|w| w[0] == w[1]);
    if !all_alike || story.required_sum().is_empty() {
        return story.pick("per mantenere quanto promesso", "to keep what was promised").to_owned();
    }
    let (target, n) = (words::decimal(story.language, targets[0], 0), targets.len());
    match story.language {
        Language::Italian => format!("per dare {target} Mbps a tutti e {n} insieme"),
        Language::English => format!("to give {target} Mbps to all {n} at once"),
    }
}

/// Where it is, and whose.
fn place(story: &Story<'_>) -> Vec<String> {
    let incident = story.incident;
    if matches!(incident.subject, Subject::Site(_)) {
        return Vec::new();
    }
    let label = bold(story.pick("Dove:", "Where:"));
    let what = match incident.subject {
        Subject::Edge(EdgeId::Backhaul(_)) => story.pick("linea", "line"),
        _ => story.pick("tratta radio", "radio link"),
    };
    let is_open = incident.closed_at.is_none();
    let mut lines = match (story.dark_site(), story.italian()) {
        (Some(site), true) if is_open => {
            vec![format!("{label} sito di {site}, dove non risponde alcun apparato ({what} {}).", story.name())]
        }
        (Some(site), false) if is_open => {
            vec![format!("{label} the site {site}, where no device answers ({what} {}).", story.name())]
        }
        _ => vec![format!("{label} {what} {}.", story.name())],
    };
    if is_open {
        lines.extend(also_down(story));
    }
    let label = bold(story.pick("Di chi è:", "Run by:"));
    lines.push(match story.operator() {
        Some(wisp) => format!("{label} {}{}.", clean(&wisp.name), told(story).unwrap_or_default()),
        None => format!("{label} {}.", story.pick("dell’Unione", "the Union")),
    });
    lines
}

/// The other links at a dark site, with the operator where it is another one.
fn also_down(story: &Story<'_>) -> Option<String> {
    let own = story.incident.wisp.as_ref();
    let named = |(name, wisp): (String, Option<&WispId>)| {
        let other = wisp.filter(|wisp| Some(*wisp) != own).and_then(|wisp| story.network.wisps.get(wisp.as_str()));
        match other {
            Some(wisp) => {
                let told =
                    if wisp.email.is_empty() { "" } else { story.pick(", avvisata a parte", ", notified separately") };
                format!("{name}, {} {}{told}", story.pick("di", "run by"), clean(&wisp.name))
            }
            None => name,
        }
    };
    let names: Vec<String> = story.also_down().into_iter().map(named).collect();
    let label = if names.len() == 1 {
        story.pick("Interrotta anche:", "Down too:")
    } else {
        story.pick("Interrotte anche:", "Down too:")
    };
    (!names.is_empty()).then(|| format!("{} {}.", bold(label), names.join("; ")))
}

/// `, avvisata alle 06:57`: only where the operator has an address.
fn told(story: &Story<'_>) -> Option<String> {
    story.operator().filter(|w| !w.email.is_empty())?;
    let at = words::at_clock(story.language, &story.zone, story.incident.opened_at?);
    Some(format!(", {} {at}", story.pick("avvisata", "notified")))
}

fn cause(story: &Story<'_>) -> String {
    let over = story.incident.closed_at.is_some();
    let end = story.incident.detail.reasons.iter().find_map(|r| match r {
        Reason::SupplyLow { end, .. } | Reason::SiteSilent { end } => Some(story.end_name(*end)),
        _ => None,
    });
    let text = match story.incident.probable_cause {
        ProbableCause::Unknown => story.pick("ancora da accertare", "not known yet"),
        ProbableCause::RainFade if over => story.pick("pioggia intensa", "heavy rain"),
        ProbableCause::RainFade => story
            .pick("pioggia intensa; di solito passa con il temporale", "heavy rain; it usually passes with the storm"),
        ProbableCause::Misalignment => story.pick("antenna spostata o ostacolo", "a misaligned antenna or an obstacle"),
        ProbableCause::Interference => story.pick("disturbi radio", "radio interference"),
        ProbableCause::Congestion => {
            story.pick("troppo traffico sullo stesso settore radio", "too much traffic on the same radio sector")
        }
        ProbableCause::PortRate => story.pick("cavo o porta di rete difettosi", "a faulty network cable or port"),
        ProbableCause::Power => story.pick("mancanza di corrente elettrica", "no electric power"),
        ProbableCause::Equipment if !story.is_radio() => story.pick("un guasto di un apparato", "a fault of a device"),
        ProbableCause::Equipment => story.pick("un guasto dell’apparato radio", "a fault of the radio device"),
    };
    let place = end.filter(|name| !name.is_empty()).map(|name| match story.language {
        Language::Italian => format!(" a {name}"),
        Language::English => format!(" at {name}"),
    });
    // Worth a word where people would ask for it first.
    let asked = matches!(story.incident.probable_cause, ProbableCause::Unknown | ProbableCause::Misalignment);
    let power_is_good = asked && story.incident.detail.reasons.contains(&Reason::SupplyGood);
    let both = story.ends().iter().filter(|e| e.supply_volts.is_some()).count() == 2;
    match (power_is_good && both, story.italian()) {
        (true, true) => format!("{text}; corrente elettrica regolare sui due lati"),
        (true, false) => format!("{text}; electric power is fine at both ends"),
        _ => format!("{text}{}", place.unwrap_or_default()),
    }
}

fn to_do(story: &Story<'_>) -> Vec<String> {
    let token = story.incident.token();
    let mut items = Vec::new();
    match (story.operator(), story.italian()) {
        (Some(wisp), italian) => {
            let name = clean(&wisp.name);
            let phone = wisp.phone.as_deref().map(clean);
            let reached = !wisp.email.is_empty();
            items.push(match (reached, phone, italian) {
                (true, Some(phone), true) => {
                    format!("Per ora niente. Per sollecitare: {name}, telefono {phone}, citando {token}.")
                }
                (true, None, true) => format!("Per ora niente. Per sollecitare {name}, citare {token}."),
                (false, Some(phone), true) => {
                    format!("Avvisare {name}, che non ha un indirizzo di posta: telefono {phone}, citando {token}.")
                }
                (false, None, true) => format!("Avvisare {name}: non abbiamo né indirizzo né telefono ({token})."),
                (true, Some(phone), false) => {
                    format!("Nothing for now. To follow up: {name}, phone {phone}, quoting {token}.")
                }
                (true, None, false) => format!("Nothing for now. To follow up with {name}, quote {token}."),
                (false, Some(phone), false) => {
                    format!("Tell {name}, who has no mail address: phone {phone}, quoting {token}.")
                }
                (false, None, false) => format!("Tell {name}: we have neither address nor phone ({token})."),
            });
        }
        (None, true) if matches!(story.incident.subject, Subject::Site(_)) => items.push(
            "La causa non risulta da nessuna tratta nota: far verificare il sito e i suoi apparati da un tecnico."
                .into(),
        ),
        (None, false) if matches!(story.incident.subject, Subject::Site(_)) => {
            items.push("No known link explains it: have a technician look at the site and its devices.".into());
        }
        (None, true) => items.push("Far verificare la tratta dal tecnico dell’Unione.".into()),
        (None, false) => items.push("Have the Union’s technician look at the link.".into()),
    }
    match story.incident.probable_cause {
        // Nobody will climb a mast for these.
        ProbableCause::RainFade | ProbableCause::Interference | ProbableCause::Congestion => {}
        ProbableCause::Power => {
            items.push(
                story
                    .pick(
                        "Chiedere sul posto se manca la corrente anche nei dintorni.",
                        "Ask locally whether the surroundings are without power too.",
                    )
                    .into(),
            );
            items.extend(access(story));
        }
        _ => items.extend(access(story)),
    }
    items
}

/// Someone may have to let the operator in.
fn access(story: &Story<'_>) -> Vec<String> {
    let ends = story.ends();
    let sites = ends
        .iter()
        .filter_map(|end| story.network.devices.get(end.device.as_str()))
        .filter_map(|device| story.network.sites.get(device.site.as_str()));
    sites
        .filter_map(|site| {
            let (note, name) = (clean(site.access.as_deref()?), clean(&site.name));
            let note = note.trim_end_matches('.').to_owned();
            let town = site.kind == SiteKind::Municipality;
            Some(match (town, story.italian()) {
                (true, true) => {
                    format!("{name}: avvisare il municipio che potrebbe servire l’accesso al traliccio ({note}).")
                }
                (false, true) => format!("{name}: potrebbe servire l’accesso al sito ({note})."),
                (true, false) => format!("{name}: tell the town hall that access to the mast may be needed ({note})."),
                (false, false) => format!("{name}: access to the site may be needed ({note})."),
            })
        })
        .collect()
}

/// Words to say on the phone.
fn mayor(story: &Story<'_>) -> Option<String> {
    let kind = effect(story);
    if kind == Effect::None || concerned(story).is_empty() {
        return None;
    }
    let since = story.since();
    let named = story.operator().filter(|w| !w.email.is_empty());
    let told = match (named.is_some(), story.incident.opened_at, story.italian()) {
        (true, Some(at), italian) => {
            let at = words::at_clock(story.language, &story.zone, at);
            if italian {
                format!(" L’operatore è stato avvisato {at}.")
            } else {
                format!(" The operator was notified {at}.")
            }
        }
        _ => String::new(),
    };
    let rain = match (story.incident.probable_cause, story.italian()) {
        (ProbableCause::RainFade, true) => " È probabilmente la pioggia: di solito passa con il temporale.",
        (ProbableCause::RainFade, false) => " It is probably the rain: it usually passes with the storm.",
        _ => "",
    };
    let said = match (kind, story.italian()) {
        (Effect::NoService, true) => {
            format!("Il collegamento del Comune è interrotto {since}.{rain}{told} Vi avvisiamo appena torna.")
        }
        (Effect::NoService, false) => {
            format!(
                "The municipality’s connection has been down {since}.{rain}{told} We will tell you when it is back."
            )
        }
        (Effect::Backup, true) => format!(
            "Il collegamento principale è fermo {since}. Il Comune usa una linea di riserva: Internet funziona, ma la sera può essere lento.{told}"
        ),
        (Effect::Backup, false) => format!(
            "The main connection has been out {since}. The municipality uses a backup line: Internet works, but may be slow in the evening.{told}"
        ),
        (_, true) => format!(
            "{} il collegamento del Comune porta meno del promesso: Internet funziona, ma può essere lento, soprattutto la sera.{rain}{told}",
            words::sentence(&since)
        ),
        (_, false) => format!(
            "{} the municipality’s connection has carried less than promised: Internet works, but may be slow, above all in the evening.{rain}{told}",
            words::sentence(&since)
        ),
    };
    Some(match story.language {
        Language::Italian => format!("{} «{said}»", bold("Se chiama un sindaco:")),
        Language::English => format!("{} “{said}”", bold("If a mayor calls:")),
    })
}

fn over(story: &Story<'_>) -> String {
    let end = story.incident.recovered_at().unwrap_or(story.now);
    let since = words::since_clock(story.language, &story.zone, end);
    let day = words::which_day(story.language, &story.zone, end, story.now);
    let sites = concerned(story);
    let who = story.who(sites);
    let of = match sites {
        [] | [_] => String::new(),
        _ => format!(" ({})", story.names(sites)),
    };
    let resolved = bold(story.pick("Risolto:", "Resolved:"));
    let said = match (story.incident.condition, effect(story), story.italian()) {
        (Condition::SamplesLost, _, true) => format!("la sonda di {who} non perde più misure da 24 ore."),
        (Condition::SamplesLost, _, false) => format!("the agent at {who} has lost no measurements for 24 hours."),
        (_, Effect::NoService, true) => format!("Internet funziona di nuovo {since} {day} per {who}{of}."),
        (_, Effect::NoService, false) => format!("Internet has been working again {since} {day} for {who}{of}."),
        (_, Effect::Backup, true) => {
            format!("il collegamento principale funziona di nuovo {since} {day} per {who}{of}.")
        }
        (_, Effect::Backup, false) => {
            format!("the main connection has been working again {since} {day} for {who}{of}.")
        }
        (_, Effect::Slow, true) => format!("Internet è di nuovo regolare {since} {day} per {who}{of}."),
        (_, Effect::Slow, false) => format!("Internet has been back to normal {since} {day} for {who}{of}."),
        (_, Effect::None, true) => {
            format!("{} {} è di nuovo regolare {since} {day}.", radio(story), bold(&story.name()))
        }
        (_, Effect::None, false) => {
            format!("{} {} has been back to normal {since} {day}.", radio(story), bold(&story.name()))
        }
    };
    format!("{resolved} {said}")
}

fn mayor_at_the_end(story: &Story<'_>) -> Option<String> {
    if effect(story) == Effect::None || concerned(story).is_empty() {
        return None;
    }
    let end = story.incident.recovered_at().unwrap_or(story.now);
    let clock = words::since_clock(story.language, &story.zone, end);
    let day = words::which_day(story.language, &story.zone, end, story.now);
    Some(match story.language {
        Language::Italian => {
            format!("{} «Il collegamento è di nuovo regolare {clock} {day}.»", bold("Se chiama un sindaco:"))
        }
        Language::English => {
            format!("{} “The connection has been back to normal {clock} {day}.”", bold("If a mayor calls:"))
        }
    })
}

fn samples_lost(story: &Story<'_>) -> Vec<Block> {
    let effect = story.pick(
        "Internet funziona: riguarda solo la nostra raccolta di misure. I resoconti di queste ore avranno un vuoto.",
        "Internet works: only our own collection of measurements is concerned. Reports will show a gap.",
    );
    let check = story.pick(
        "Far verificare spazio su disco e alimentazione della sonda. Se non perde altro, la segnalazione si chiude dopo 24 ore.",
        "Have the agent’s disk space and power looked at. If nothing more is lost, this closes after 24 hours.",
    );
    vec![
        Block::Para(format!("{} {effect}", bold(story.pick("Effetti.", "Effect.")))),
        Block::Title(story.pick("Che cosa fare", "What to do").into()),
        Block::List { numbered: false, items: vec![check.into()] },
    ]
}
