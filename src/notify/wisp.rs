//! The mail to the operator of a link: fact, effect, probable cause, figures, what we ask. `[P]`

use super::blocks::{Block, bold, clean};
use super::story::Story;
use super::words;
use crate::alert::incident::{EvidenceEnd, Limit, LinkEnd, ProbableCause, Reason};
use crate::alert::{Condition, Direction};
use crate::model::network::Language;

pub fn subject(story: &Story<'_>) -> String {
    let incident = story.incident;
    let name = story.name();
    let promised = story.required_mbps();
    let figures = |mbps: Option<String>| match (mbps, &promised) {
        (Some(mbps), Some(promised)) if story.italian() => format!(": {mbps} Mbps (minimo promesso {promised})"),
        (Some(mbps), Some(promised)) => format!(": {mbps} Mbps (promised minimum {promised})"),
        (Some(mbps), None) => format!(": {mbps} Mbps"),
        (None, _) => String::new(),
    };
    let said = match incident.condition {
        Condition::OnStandby => {
            let what = story.pick("sulla linea di riserva", "on its backup");
            format!("{name} {what}{}", figures(story.opened_mbps()))
        }
        Condition::LinkDown => {
            let without = if incident.sites_cut_off.is_empty() {
                story.pick("servizio attivo su altro percorso", "service goes on another way").to_owned()
            } else {
                let who = story.who(&incident.sites_cut_off);
                format!("{who} {}", story.pick("senza servizio", "without service"))
            };
            let interrupted = if story.is_backhaul() { "interrotto" } else { "interrotta" };
            format!("{name} {}: {without}", story.pick(interrupted, "down"))
        }
        _ => {
            // Downstream goes without saying.
            let upstream = incident.direction == Some(Direction::Upstream);
            let towards = if upstream { story.towards() } else { String::new() };
            format!("{name}{towards}{}", figures(story.opened_mbps()))
        }
    };
    format!("[{}] {said}", incident.token())
}

pub fn opened(story: &Story<'_>, from: &str) -> Vec<Block> {
    let mut blocks = vec![
        Block::Para(story.pick("Buongiorno,", "Hello,").into()),
        Block::Para(fact(story)),
        Block::Para(effect(story)),
        Block::Para(cause(story)),
    ];
    blocks.extend(table(story));
    blocks.push(Block::Para(computed(story)));
    blocks.push(Block::Title(story.pick("Che cosa chiediamo", "What we ask").into()));
    blocks.push(Block::List { numbered: true, items: requests(story) });
    blocks.extend(access(story).map(Block::Para));
    blocks.push(Block::Small(
        story
            .pick(
                "Aggiornamenti e chiusura arriveranno in questa conversazione.",
                "Updates and the all-clear will follow in this conversation.",
            )
            .into(),
    ));
    blocks.extend(foot(story, from));
    blocks
}

pub fn closed(story: &Story<'_>, from: &str) -> Vec<Block> {
    let mut blocks = vec![Block::Para(over(story)), Block::Lines(figures_of_the_end(story)), Block::Para(cause(story))];
    let asked = match story.language {
        Language::Italian => {
            "Se avete accertato la causa o concluso un intervento, rispondete a questo messaggio: ne terremo nota."
        }
        Language::English => {
            "If you have found the cause or finished a repair, please reply to this message: we keep a record."
        }
    };
    blocks.push(Block::Para(asked.into()));
    blocks.extend(foot(story, from));
    blocks
}

fn foot(story: &Story<'_>, from: &str) -> [Block; 2] {
    let note = story.pick(
        "Segnalazione tecnica automatica: non costituisce contestazione contrattuale.",
        "Automatic technical notice: it is not a contractual claim.",
    );
    [Block::Small(story.signature(from)), Block::Small(note.into())]
}

/// `la tratta **A–B**` or `il collegamento **A–Internet**`
pub fn the_link(story: &Story<'_>) -> String {
    let what = if story.is_backhaul() {
        story.pick("il collegamento", "the connection")
    } else {
        story.pick("la tratta", "the link")
    };
    format!("{what} {}", bold(&story.name()))
}

fn fact(story: &Story<'_>) -> String {
    let (since, link, towards) = (story.since_in_full(), the_link(story), story.towards());
    let sum = story.required_sum();
    let mbps = story.opened_mbps().map(|m| bold(&format!("{m} Mbps")));
    let required = story.required_mbps().map(|m| bold(&m));
    let figures = match (&mbps, &required, story.italian()) {
        (Some(mbps), Some(required), true) => {
            format!(" La capacità utile{towards} è di circa {mbps}; ne servono {required}{sum}.")
        }
        (Some(mbps), Some(required), false) => {
            format!(" Its capacity{towards} is about {mbps}; {required} are needed{sum}.")
        }
        _ => String::new(),
    };
    let said = match (story.incident.condition, story.italian()) {
        (Condition::OnStandby, true) => {
            format!("{since}, {link} lavora sulla {}.{figures}", bold("linea di riserva"))
        }
        (Condition::OnStandby, false) => {
            format!("{since}, {link} has been running on its {}.{figures}", bold("backup"))
        }
        (Condition::LinkDown, true) => format!("{since}, {link} è {}.{}", interrupted(story), silence(story)),
        (Condition::LinkDown, false) => format!("{since}, {link} has been {}.{}", bold("down"), silence(story)),
        (_, true) => format!("{since}, {link} porta meno di quanto serve.{figures}"),
        (_, false) => format!("{since}, {link} has been carrying less than is needed.{figures}"),
    };
    story.after_greeting(said)
}

fn interrupted(story: &Story<'_>) -> String {
    bold(if story.is_backhaul() { "interrotto" } else { "interrotta" })
}

/// That the whole site is silent, and which other links of the same operator it took along.
fn darkness(story: &Story<'_>, site: &str) -> String {
    let own = story.incident.wisp.as_ref();
    let others: Vec<String> =
        story.also_down().into_iter().filter(|(_, wisp)| own.is_some() && *wisp == own).map(|(name, _)| name).collect();
    let n = others.len();
    let names = story.first_of(others);
    match (n, story.italian()) {
        (0, true) => format!("Nel sito di {site} non risponde alcun apparato."),
        (1, true) => {
            format!("Nel sito di {site} non risponde alcun apparato; è interrotta anche la vostra tratta {names}.")
        }
        (_, true) => {
            format!("Nel sito di {site} non risponde alcun apparato; sono interrotte anche le vostre tratte {names}.")
        }
        (0, false) => format!("No device at {site} answers."),
        (1, false) => format!("No device at {site} answers; your link {names} is down too."),
        (_, false) => format!("No device at {site} answers; your links {names} are down too."),
    }
}

/// Who still answers, with a space before it; empty where nobody is known.
fn silence(story: &Story<'_>) -> String {
    let said = who_answers(story);
    if said.is_empty() { said } else { format!(" {said}") }
}

fn who_answers(story: &Story<'_>) -> String {
    if let Some(site) = story.dark_site() {
        return darkness(story, &site);
    }
    let ends = story.ends();
    let answers: Vec<Option<bool>> = ends.iter().map(|e| e.answers).collect();
    let radio = story.is_radio();
    let only = |at: usize| match (story.italian(), radio) {
        (true, true) => {
            format!("Risponde solo l’apparato di {}; il collegamento radio è assente.", clean(&ends[at].site))
        }
        (true, false) => format!("Risponde solo l’apparato di {}.", clean(&ends[at].site)),
        (false, true) => format!("Only the device at {} answers; there is no radio link.", clean(&ends[at].site)),
        (false, false) => format!("Only the device at {} answers.", clean(&ends[at].site)),
    };
    match answers.as_slice() {
        [Some(true), Some(false)] => return only(0),
        [Some(false), Some(true)] => return only(1),
        [Some(false), Some(false)] => {
            story.pick("Gli apparati sui due lati non rispondono.", "The devices at both ends do not answer.")
        }
        [Some(true), Some(true)] if !radio => story.pick(
            "Gli apparati sui due lati rispondono, ma fra loro non passa nulla.",
            "The devices at both ends answer, but nothing passes between them.",
        ),
        [Some(true), Some(true)] => story.pick(
            "Gli apparati sui due lati rispondono, ma il collegamento radio è assente.",
            "The devices at both ends answer, but there is no radio link.",
        ),
        _ => "",
    }
    .to_owned()
}

fn effect(story: &Story<'_>) -> String {
    let incident = story.incident;
    let (below, cut) = (&incident.sites_below, &incident.sites_cut_off);
    let slow = below.len() > cut.len();
    let service = match (cut.is_empty(), slow, story.italian()) {
        (false, _, true) => format!("Senza servizio: {}.", story.who(cut)),
        (false, _, false) => format!("Without service: {}.", story.who(cut)),
        (true, true, true) => format!("Il servizio è attivo, ma sotto il minimo promesso per {}.", story.who(below)),
        (true, true, false) => format!("Service works, but below the promised minimum for {}.", story.who(below)),
        (true, false, true) => "Il servizio è attivo.".into(),
        (true, false, false) => "Service works.".into(),
    };
    let behind = if incident.sites.is_empty() {
        String::new()
    } else {
        let valley = story.pick("A valle:", "Behind it:");
        format!(" {valley} {}{}.", story.names(&incident.sites), story.residents())
    };
    let evening = incident.detail.figure.throughput_mbps.filter(|_| incident.condition != Condition::LinkDown);
    let traffic = evening.map(|mbps| {
        let mbps = words::mbps(story.language, mbps, None);
        match story.language {
            Language::Italian => format!(" In quel momento passavano {mbps} Mbps."),
            Language::English => format!(" {mbps} Mbps were passing at that moment."),
        }
    });
    format!("{} {service}{}{behind}", bold(story.pick("Effetti.", "Effect.")), traffic.unwrap_or_default())
}

fn cause(story: &Story<'_>) -> String {
    let label = bold(story.pick("Causa probabile:", "Probable cause:"));
    format!("{label} {}{}.{}", story.cause(), story.confidence(), story.reasons())
}

fn table(story: &Story<'_>) -> Option<Block> {
    let ends = story.ends();
    if ends.is_empty() {
        return None;
    }
    let side = story.pick("lato", "at");
    let mut head = vec![String::new()];
    head.extend(ends.iter().map(|e| format!("{side} {}", clean(&e.site))));
    let mut rows = Vec::new();
    let mut row = |label: String, cell: &dyn Fn(&EvidenceEnd) -> Option<String>| {
        let cells: Vec<Option<String>> = ends.iter().map(|e| cell(e)).collect();
        if cells.iter().any(Option::is_some) {
            let unknown = || story.pick("n.d.", "n/a").to_owned();
            rows.push(std::iter::once(label).chain(cells.into_iter().map(|c| c.unwrap_or_else(unknown))).collect());
        }
    };
    let decimal = |value: f64, digits| words::decimal(story.language, value, digits);
    row(story.pick("Apparato", "Device").into(), &|e| {
        Some(format!("{}, {}", clean(e.model.as_deref().unwrap_or(&e.device)), e.address))
    });
    row(rsl_label(story, &ends), &|e| story.rsl(e));
    // What was last read before an outage is history; the level alone tells something: whether it faded.
    let down = story.incident.condition == Condition::LinkDown;
    row(story.pick("SNR (abituale → ora)", "SNR (usual → now)").into(), &|e| {
        let (usual, now) = (e.snr_db_usual?, e.snr_db.filter(|_| !down)?);
        Some(format!("{} → {} dB", decimal(usual, 0), decimal(now, 0)))
    });
    row(story.pick("Modulazione", "Modulation").into(), &|e| e.modulation.as_deref().filter(|_| !down).map(clean));
    row(story.pick("Porta Ethernet", "Ethernet port").into(), &|e| e.port_rate_mbps.map(|m| rate(story, m)));
    row(story.pick("Alimentazione", "Supply").into(), &|e| e.supply_volts.map(|v| format!("{} V", decimal(v, 1))));
    Some(Block::Table { head, rows })
}

/// `1 Gbps`, `100 Mbps`
fn rate(story: &Story<'_>, mbps: f64) -> String {
    if mbps >= 1000.0 {
        let digits = usize::from(mbps % 1000.0 != 0.0);
        format!("{} Gbps", words::decimal(story.language, mbps / 1000.0, digits))
    } else {
        format!("{} Mbps", words::decimal(story.language, mbps, 0))
    }
}

fn rsl_label(story: &Story<'_>, ends: &[&EvidenceEnd]) -> String {
    match ends.iter().filter_map(|e| e.rsl_at).max() {
        Some(at) => {
            let at = words::clock(&story.zone, at);
            format!("{} {at})", story.pick("RSL (abituale →", "RSL (usual →"))
        }
        None => story.pick("RSL (abituale → ora)", "RSL (usual → now)").into(),
    }
}

/// How the figure is known, and when it was last read.
fn computed(story: &Story<'_>) -> String {
    let figure = &story.incident.detail.figure;
    let read = figure.measured_at.map(|at| {
        let at = story.moment(at);
        format!(" {} {at}.", story.pick("Ultima lettura:", "Last reading:"))
    });
    let read = read.unwrap_or_default();
    if story.incident.condition == Condition::LinkDown {
        let how = story.pick(
            "Come lo sappiamo: dalle risposte degli apparati e dal traffico visto passare.",
            "How it is known: from what the devices answer and from traffic seen passing.",
        );
        return how.to_owned();
    }
    let side = |end: LinkEnd| story.end_name(end);
    let italian = story.italian();
    let how = match (&figure.limit, figure.from.as_deref()) {
        (Some(Limit::Declared), _) => story.pick("valore di contratto", "as contracted").to_owned(),
        (Some(Limit::SectorAirtime), _) => {
            story.pick("quota del tempo radio del settore", "share of the sector’s air time").to_owned()
        }
        (Some(Limit::Member(link)), _) if italian => format!("capacità del collegamento in uso ({link})"),
        (Some(Limit::Member(link)), _) => format!("capacity of the link in use ({link})"),
        (Some(Limit::Port(end, _)), _) if italian => {
            format!("velocità della porta Ethernet sul lato {}, tolte le intestazioni", side(*end))
        }
        (Some(Limit::Port(end, _)), _) => format!("rate of the Ethernet port at {}, less framing", side(*end)),
        (Some(Limit::RadioTx(end) | Limit::RadioRx(end)), from) => {
            let derived = from == Some("derived");
            match (derived, italian) {
                (true, true) => format!("ricavata dalla modulazione dell’apparato sul lato {}", side(*end)),
                (true, false) => format!("derived from the modulation of the device at {}", side(*end)),
                (false, true) => format!("capacità dichiarata dall’apparato sul lato {}", side(*end)),
                (false, false) => format!("capacity reported by the device at {}", side(*end)),
            }
        }
        (None, Some("measured")) => story.pick("misurata", "measured").to_owned(),
        (None, _) => story.pick("dai dati degli apparati", "from what the devices report").to_owned(),
    };
    format!("{} {how}.{read}", story.pick("Come è calcolata:", "How it is computed:"))
}

fn requests(story: &Story<'_>) -> Vec<String> {
    let take = match (story.link, story.italian()) {
        (Some(link), true) => format!("Presa in carico, numero di ticket e tempi di ripristino: {link}"),
        (None, true) => "Presa in carico: rispondete a questo messaggio indicando il vostro numero di ticket.".into(),
        (Some(link), false) => format!("Acknowledgement, ticket number and expected repair: {link}"),
        (None, false) => "Acknowledgement: reply to this message with your ticket number.".into(),
    };
    let works = match (story.link.is_some(), story.italian()) {
        (true, true) => "Se sono lavori programmati, annunciateli dalla stessa pagina.",
        (false, true) => "Se sono lavori programmati, segnalatelo nella stessa risposta.",
        (true, false) => "If this is planned work, announce it on the same page.",
        (false, false) => "If this is planned work, say so in the same reply.",
    };
    vec![take, check(story), works.into()]
}

/// What to look at first.
fn check(story: &Story<'_>) -> String {
    let reasons = &story.incident.detail.reasons;
    let end = reasons.iter().find_map(|r| match r {
        Reason::SnrFell { end, .. }
        | Reason::PortLimits { end, .. }
        | Reason::SupplyLow { end, .. }
        | Reason::SiteSilent { end }
        | Reason::AirtimeHigh { end, .. } => Some(story.end_name(*end)),
        _ => None,
    });
    let end = end.filter(|e| !e.is_empty()).map_or_else(String::new, |name| match story.language {
        Language::Italian => format!(" sul lato {name}"),
        Language::English => format!(" at {name}"),
    });
    match (story.incident.probable_cause, story.italian()) {
        (ProbableCause::RainFade, true) => {
            "Nessun intervento immediato: se a fine pioggia la capacità non torna, verifica del margine della tratta."
                .into()
        }
        (ProbableCause::RainFade, false) => {
            "Nothing at once: if capacity does not come back after the rain, check the link’s fade margin.".into()
        }
        (ProbableCause::Misalignment, true) => "Verifica del puntamento e di eventuali ostacoli sui due lati.".into(),
        (ProbableCause::Misalignment, false) => "Check alignment and obstructions at both ends.".into(),
        (ProbableCause::Interference, true) => format!("Verifica dello spettro e del canale{end}."),
        (ProbableCause::Interference, false) => format!("Check the spectrum and the channel{end}."),
        (ProbableCause::Congestion, true) => format!("Verifica del carico del settore{end}."),
        (ProbableCause::Congestion, false) => format!("Check the load of the sector{end}."),
        (ProbableCause::PortRate, true) => format!("Verifica di cavo, porta e alimentatore PoE{end}."),
        (ProbableCause::PortRate, false) => format!("Check cable, port and PoE injector{end}."),
        (ProbableCause::Power, true) => format!("Verifica dell’alimentazione{end}."),
        (ProbableCause::Power, false) => format!("Check the power supply{end}."),
        (ProbableCause::Equipment, true) => format!("Verifica dell’apparato e del suo firmware{end}."),
        (ProbableCause::Equipment, false) => format!("Check the device and its firmware{end}."),
        (ProbableCause::Unknown, true) if !story.is_radio() => {
            "Verifica della linea e degli apparati su cui è attestata.".into()
        }
        (ProbableCause::Unknown, false) if !story.is_radio() => {
            "Check the line and the equipment that terminates it.".into()
        }
        (ProbableCause::Unknown, true) => "Verifica degli apparati sui due lati.".into(),
        (ProbableCause::Unknown, false) => "Check the devices at both ends.".into(),
    }
}

/// How to get in, at the sites of the link whose notes say so.
fn access(story: &Story<'_>) -> Option<String> {
    let notes: Vec<String> = story
        .ends()
        .iter()
        .filter_map(|end| story.network.devices.get(end.device.as_str()))
        .filter_map(|device| story.network.sites.get(device.site.as_str()))
        .filter_map(|site| {
            let note = clean(site.access.as_deref()?);
            let label = story.pick("Accesso al sito di", "Access to the site at");
            Some(format!("{label} {}: {}.", clean(&site.name), note.trim_end_matches('.')))
        })
        .collect();
    (!notes.is_empty()).then(|| notes.join(" "))
}

/// The first line of the end: that it is over, and since when.
pub fn over(story: &Story<'_>) -> String {
    let end = story.incident.recovered_at().unwrap_or(story.now);
    let since = words::since_clock(story.language, &story.zone, end);
    let day = words::which_day_in_full(story.language, &story.zone, end, story.now);
    let link = the_link(story);
    let said = match (story.incident.condition, story.italian()) {
        (Condition::LinkDown, true) => format!("{link} funziona di nuovo {since} {day}."),
        (Condition::LinkDown, false) => format!("{link} has been working again {since} {day}."),
        (Condition::OnStandby, true) => format!("{link} lavora di nuovo sul collegamento principale {since} {day}."),
        (Condition::OnStandby, false) => format!("{link} has been back on its main path {since} {day}."),
        (_, true) => format!("{link} porta di nuovo quanto serve {since} {day}."),
        (_, false) => format!("{link} has been carrying what is needed again {since} {day}."),
    };
    format!("{} {said}", bold(story.pick("Risolto:", "Resolved:")))
}

fn figures_of_the_end(story: &Story<'_>) -> Vec<String> {
    let incident = story.incident;
    let mut lines = vec![story.course()];
    if incident.condition == Condition::LinkDown {
        return lines;
    }
    let number = |mbps: f64| words::mbps(story.language, mbps, incident.required_mbps);
    let needed = story.required_mbps();
    if let (Some(least), Some(needed)) = (incident.measured_mbps_min.map(number), needed) {
        let towards = story.towards();
        lines.push(match story.language {
            Language::Italian => format!("{} {least} Mbps{towards}; ne servivano {needed}.", bold("Capacità minima:")),
            Language::English => format!("{} {least} Mbps{towards}; {needed} were needed.", bold("Lowest capacity:")),
        });
    }
    if let Some(now) = incident.measured_mbps.map(number) {
        lines.push(format!("{} {now} Mbps.", bold(story.pick("Capacità adesso:", "Capacity now:"))));
    }
    lines
}
