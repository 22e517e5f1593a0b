//! Mails about several incidents, or about none: summaries, the morning's digest, the running-in, refused addresses.
//! `[P]`

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::blocks::{Block, bold, clean};
use super::digest::{DigestItem, RodaggioReport};
use super::generic;
use super::policy::Notice;
use super::story::Story;
use super::updates;
use super::weekly::{OperatorWeek, SiteWeek};
use super::words::{self, pick};
use super::{NoticeKind, Recipient};
use crate::alert::{Condition, Incident, IncidentState};
use crate::model::UnixMillis;
use crate::model::network::{Language, Network};

/// Lines of a list in one mail; the rest are counted.
const LINES_MAX: usize = 18;

/// What these mails are made from.
pub struct Letter<'a> {
    pub network: &'a Network,
    pub incidents: &'a [Incident],
    pub language: Language,
    pub zone: TimeZone,
    pub now: UnixMillis,
    pub public_url: Option<&'a str>,
    pub from: &'a str,
}

impl<'a> Letter<'a> {
    fn pick(&self, italian: &'static str, english: &'static str) -> &'static str {
        pick(self.language, italian, english)
    }

    fn italian(&self) -> bool {
        self.language == Language::Italian
    }

    fn story(&self, number: u64) -> Option<Story<'a>> {
        let incident = self.incidents.iter().find(|i| i.number == number)?;
        Some(Story {
            network: self.network,
            incident,
            language: self.language,
            zone: self.zone.clone(),
            now: self.now,
            public_url: self.public_url,
            link: None,
        })
    }

    fn list(&self, mut items: Vec<String>) -> Block {
        let more = items.len().saturating_sub(LINES_MAX);
        if more > 0 {
            items.truncate(LINES_MAX);
            items.push(match self.language {
                Language::Italian => format!("… e altri {more}."),
                Language::English => format!("… and {more} more."),
            });
        }
        Block::List { numbered: false, items }
    }

    fn foot(&self) -> Vec<Block> {
        let name = clean(&self.network.name);
        let monitoring = self.pick("monitoraggio della rete", "network monitoring");
        vec![Block::Small(format!("{name} – {monitoring} – {}", self.from))]
    }

    fn day(&self) -> String {
        words::day(self.language, &self.zone, self.now)
    }
}

/// `VED-12 A–B interrotta, dalle 10:02 di oggi, 3 comuni`
fn line(story: &Story<'_>) -> String {
    let incident = story.incident;
    let what = match incident.condition {
        Condition::LinkDown => story.pick("senza collegamento", "down"),
        Condition::OnStandby => story.pick("sulla linea di riserva", "on its backup"),
        Condition::CapacityBelow => story.pick("capacità sotto quanto serve", "capacity below what is needed"),
        Condition::SiteBelowTarget => story.pick("Internet più lento del promesso", "slower than promised"),
        Condition::SamplesLost => story.pick("misure perse", "measurements lost"),
        _ => &generic::lower(generic::title(story)),
    };
    let span = match incident.closed_at {
        Some(_) => {
            let end = incident.recovered_at().unwrap_or(story.now);
            let lasted = story.duration(end.since(incident.since));
            match story.language {
                Language::Italian => format!("{} – {}, {lasted}", story.moment(incident.since), story.moment(end)),
                Language::English => format!("{} to {}, {lasted}", story.moment(incident.since), story.moment(end)),
            }
        }
        None => format!("{}, {}", story.since(), story.pick("aperto", "open")),
    };
    let who = updates::who(story);
    let who = if who.is_empty() { who } else { format!(", {who}") };
    format!("{} {}: {what}, {span}{who}", incident.token(), bold(&story.name()))
}

/// Subject and body of a mail that stands for several.
pub fn summary(letter: &Letter<'_>, notice: &Notice) -> (String, Vec<Block>) {
    let n = notice.merged.len();
    let closed = notice.merged.iter().filter(|m| m.kind == NoticeKind::Closed).count();
    let subject = match letter.language {
        Language::Italian => format!("[VED] {n} avvisi in un solo messaggio"),
        Language::English => format!("[VED] {n} notices in one mail"),
    };
    let closings = match (closed, letter.italian()) {
        (0, _) => String::new(),
        (n, true) => format!(" ({n} di chiusura)"),
        (n, false) => format!(" ({n} of them closings)"),
    };
    let intro = match letter.language {
        Language::Italian => format!(
            "Nell’ultima ora gli avvisi sono molti: per non riempirvi la casella, ecco in un solo messaggio gli altri \
             {n}{closings}. Nessuno è andato perso."
        ),
        Language::English => format!(
            "There were many notices in the last hour: so as not to fill your mailbox, here are the other {n} in one \
             mail{closings}. None was lost."
        ),
    };
    let items = notice
        .merged
        .iter()
        .filter_map(|m| {
            let story = letter.story(*m.incidents.first()?)?;
            let over = if m.kind == NoticeKind::Closed { letter.pick("risolto: ", "resolved: ") } else { "" };
            Some(format!("{over}{}", line(&story)))
        })
        .collect();
    let mut blocks = vec![Block::Para(intro), letter.list(items)];
    blocks.extend(page(letter));
    blocks.extend(letter.foot());
    (subject, blocks)
}

fn page(letter: &Letter<'_>) -> Option<Block> {
    let label = letter.pick("Situazione aggiornata:", "Present situation:");
    Some(Block::Para(format!("{label} {}", letter.public_url?.trim_end_matches('/'))))
}

fn items(letter: &Letter<'_>, notice: &Notice, missed: bool) -> Vec<String> {
    let of = |item: &DigestItem| {
        let story = letter.story(item.incident)?;
        let works = if item.works { letter.pick(" (lavori annunciati)", " (announced works)") } else { "" };
        Some(format!("{}{works}", line(&story)))
    };
    notice.items.iter().filter(|i| i.missed == missed).filter_map(of).collect()
}

/// The morning's summary.
pub fn digest(letter: &Letter<'_>, notice: &Notice) -> (String, Vec<Block>) {
    let day = letter.day();
    let subject = match letter.language {
        Language::Italian => format!("[VED] Riepilogo di {day}"),
        Language::English => format!("[VED] Summary of {day}"),
    };
    let mut blocks = vec![Block::Para(letter.pick("Buongiorno,", "Hello,").into())];
    let intro = if notice.items.iter().any(|i| i.missed) || notice.items.is_empty() {
        letter.pick("ecco che cosa è accaduto dall’ultimo riepilogo.", "This is what happened since the last summary.")
    } else {
        letter.pick(
            "il servizio ha retto, ma c’è qualcosa che vale la pena sapere.",
            "The service held, but there is something worth knowing.",
        )
    };
    blocks.push(Block::Para(intro.into()));
    let minor = items(letter, notice, false);
    if !minor.is_empty() {
        blocks.push(Block::Title(letter.pick("Riserve e degradi minori", "Redundancy and minor faults").into()));
        blocks.push(letter.list(minor));
    }
    let missed = items(letter, notice, true);
    if !missed.is_empty() {
        let title = letter.pick("Già risolti, senza un avviso a parte", "Already over, without a notice of their own");
        blocks.push(Block::Title(title.into()));
        blocks.push(letter.list(missed));
    }
    if let Some(report) = &notice.rodaggio {
        blocks.extend(not_sent(letter, report));
    }
    blocks.extend(page(letter));
    blocks.extend(letter.foot());
    (subject, blocks)
}

/// The Monday morning's summary: to the staff of the whole network, to a place of itself.
pub fn weekly(letter: &Letter<'_>, notice: &Notice) -> (String, Vec<Block>) {
    let Some(week) = &notice.weekly else { return (String::new(), Vec::new()) };
    let from = words::day(letter.language, &letter.zone, week.from);
    let below = week.sites.len();
    let subject = match (&notice.recipient, below, letter.italian()) {
        (_, 0, true) => "[VED] La settimana: tutto come promesso".to_owned(),
        (_, 0, false) => "[VED] The week: everything as promised".to_owned(),
        (Recipient::Contact(_), _, true) => "[VED] La settimana: per un tempo sotto il minimo".to_owned(),
        (Recipient::Contact(_), _, false) => "[VED] The week: below target for a time".to_owned(),
        (_, 1, true) => "[VED] La settimana: 1 sede sotto il minimo".to_owned(),
        (_, 1, false) => "[VED] The week: 1 place below target".to_owned(),
        (_, n, true) => format!("[VED] La settimana: {n} sedi sotto il minimo"),
        (_, n, false) => format!("[VED] The week: {n} places below target"),
    };
    let (well, all) = (week.promised.saturating_sub(below), week.promised);
    let intro = match (&notice.recipient, below, letter.italian()) {
        (Recipient::Contact(_), 0, true) => {
            format!("da {from} a stamattina il vostro collegamento non è mai sceso sotto quanto promesso")
        }
        (Recipient::Contact(_), 0, false) => {
            format!("From {from} to this morning your connection was never below what was promised")
        }
        (Recipient::Contact(_), _, true) => {
            format!("da {from} a stamattina il vostro collegamento è stato per un tempo sotto quanto promesso")
        }
        (Recipient::Contact(_), _, false) => {
            format!("From {from} to this morning your connection was below what was promised for a time")
        }
        (_, 0, true) => format!("da {from} a stamattina nessuna delle {all} sedi è scesa sotto quanto promesso"),
        (_, 0, false) => format!("From {from} to this morning none of the {all} places was below what was promised"),
        (_, _, true) => {
            format!("da {from} a stamattina {well} sedi su {all} non sono mai scese sotto quanto promesso")
        }
        (_, _, false) => {
            format!("From {from} to this morning {well} of {all} places were never below what was promised")
        }
    };
    let known = letter.pick(", per quanto si è potuto misurare.", ", as far as could be measured.");
    let mut blocks =
        vec![Block::Para(letter.pick("Buongiorno,", "Hello,").into()), Block::Para(format!("{intro}{known}"))];
    if below > 0 {
        blocks.push(Block::Title(letter.pick("Sotto il minimo", "Below target").into()));
        blocks.push(letter.list(week.sites.iter().map(|site| site_week(letter, site)).collect()));
    }
    let open: Vec<String> = week.open.iter().filter_map(|n| Some(line(&letter.story(*n)?))).collect();
    if !open.is_empty() {
        blocks.push(Block::Title(letter.pick("Ancora aperti", "Still open").into()));
        blocks.push(letter.list(open));
    }
    if !week.operators.is_empty() {
        blocks.push(Block::Title(letter.pick("Per operatore", "By operator").into()));
        blocks.push(letter.list(week.operators.iter().map(|week| operator_week(letter, week)).collect()));
    }
    if !matches!(notice.recipient, Recipient::Contact(_)) {
        blocks.extend(page(letter));
    }
    blocks.extend(letter.foot());
    (subject, blocks)
}

fn site_week(letter: &Letter<'_>, week: &SiteWeek) -> String {
    let name = letter.network.sites.get(&week.site).map_or(week.site.as_str(), |s| s.name.as_str());
    let lasted = words::duration(letter.language, week.below);
    let times = match (week.times, letter.italian()) {
        (0 | 1, _) => String::new(),
        (n, true) => format!(" in {n} volte"),
        (n, false) => format!(" in {n} stretches"),
    };
    let open = if week.open { letter.pick(", lo è ancora", ", it still is") } else { "" };
    format!("{}: {lasted}{times}{open}", bold(name))
}

fn operator_week(letter: &Letter<'_>, week: &OperatorWeek) -> String {
    let name = match &week.wisp {
        Some(wisp) => letter.network.wisps.get(wisp).map_or(wisp.as_str(), |w| w.name.as_str()),
        None => letter.pick("Rete propria", "Own network"),
    };
    let lasted = words::duration(letter.language, week.lasted);
    let count = match (week.incidents, letter.italian()) {
        (1, true) => "1 guasto".to_owned(),
        (1, false) => "1 fault".to_owned(),
        (n, true) => format!("{n} guasti"),
        (n, false) => format!("{n} faults"),
    };
    let open = match (week.open, letter.italian()) {
        (0, _) => String::new(),
        (1, true) => ", 1 ancora aperto".to_owned(),
        (n, true) => format!(", {n} ancora aperti"),
        (n, false) => format!(", {n} still open"),
    };
    let lasting = letter.pick("durata", "lasting");
    format!("{}: {count}, {lasting} {lasted}{open}", bold(name))
}

/// The staff's mail of every morning of the running-in.
pub fn rodaggio(letter: &Letter<'_>, notice: &Notice) -> (String, Vec<Block>) {
    let day = letter.day();
    let n = notice.rodaggio.as_ref().map_or(0, |r| r.lines.len());
    let subject = match (n, letter.italian()) {
        (1, true) => format!("[VED] Rodaggio, {day}: 1 avviso non inviato"),
        (n, true) => format!("[VED] Rodaggio, {day}: {n} avvisi non inviati"),
        (1, false) => format!("[VED] Running in, {day}: 1 notice not sent"),
        (n, false) => format!("[VED] Running in, {day}: {n} notices not sent"),
    };
    let until = notice.rodaggio.as_ref().and_then(|r| r.until);
    let until = until.map(|at| words::day(letter.language, &letter.zone, at)).unwrap_or_default();
    let intro = match letter.language {
        Language::Italian => format!(
            "la rete è in rodaggio fino a {until}: gli operatori non ricevono nulla. Ecco che cosa sarebbe partito."
        ),
        Language::English => format!(
            "The network is running in until {until}: operators get nothing. This is what would have been sent."
        ),
    };
    let mut blocks = vec![Block::Para(letter.pick("Buongiorno,", "Hello,").into()), Block::Para(intro)];
    if let Some(report) = &notice.rodaggio {
        blocks.extend(not_sent(letter, report));
    }
    let minor = items(letter, notice, false);
    if !minor.is_empty() {
        blocks.push(Block::Title(letter.pick("Riserve e degradi minori", "Redundancy and minor faults").into()));
        blocks.push(letter.list(minor));
    }
    let ask = letter.pick(
        "Leggete gli avvisi con gli occhi di chi li riceverà: se sono troppi o sbagliati, correggete l’inventario o le \
         soglie prima di attivare gli operatori.",
        "Read the notices as those who will get them: if they are too many, or wrong, correct the inventory or the \
         thresholds before you switch the operators on.",
    );
    blocks.push(Block::Para(ask.into()));
    blocks.extend(letter.foot());
    (subject, blocks)
}

fn not_sent(letter: &Letter<'_>, report: &RodaggioReport) -> Vec<Block> {
    let mut blocks = Vec::new();
    let lines: Vec<String> = report
        .lines
        .iter()
        .filter_map(|shadow| {
            let story = letter.story(shadow.incident)?;
            let kind = kind(letter, shadow.kind);
            let at = story.moment(shadow.at);
            let to: Vec<String> = shadow.to.iter().map(|key| name(letter, key)).collect();
            let to = words::list(letter.language, &to);
            let token = story.incident.token();
            Some(match letter.language {
                Language::Italian => format!("{at} – {kind} di {token} {}, a {to}", bold(&story.name())),
                Language::English => format!("{at} – {kind} of {token} {} to {to}", bold(&story.name())),
            })
        })
        .collect();
    if !lines.is_empty() {
        blocks.push(Block::Title(letter.pick("Avvisi non inviati", "Notices not sent").into()));
        blocks.push(letter.list(lines));
    }
    if !report.weekly.is_empty() {
        let title =
            letter.pick("Negli ultimi sette giorni avrebbero ricevuto", "In the last seven days they would have had");
        blocks.push(Block::Title(title.into()));
        let count = |(wisp, n): &(crate::model::WispId, usize)| {
            let name = letter.network.wisps.get(wisp.as_str()).map_or(wisp.to_string(), |w| clean(&w.name));
            match (*n, letter.italian()) {
                // Italian has no plural for it.
                (n, true) => format!("{name}: {n} mail"),
                (1, false) => format!("{name}: 1 mail"),
                (n, false) => format!("{name}: {n} mails"),
            }
        };
        blocks.push(letter.list(report.weekly.iter().map(count).collect()));
        if report.until.is_none() {
            let how = letter.pick(
                "Questi operatori non ricevono ancora avvisi. Per attivarne uno: vedetta rodaggio enable ID --by NOME",
                "These operators get no notices yet. To switch one on: vedetta rodaggio enable ID --by NAME",
            );
            blocks.push(Block::Para(how.into()));
        }
    }
    blocks
}

fn kind(letter: &Letter<'_>, kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Opened => letter.pick("apertura", "opening"),
        NoticeKind::Closed => letter.pick("chiusura", "closing"),
        NoticeKind::Escalated => letter.pick("sollecito", "escalation"),
        NoticeKind::Reminder => letter.pick("promemoria", "reminder"),
        _ => letter.pick("aggiornamento", "update"),
    }
}

/// A key of the record, for people.
fn name(letter: &Letter<'_>, key: &str) -> String {
    match key.split_once(':') {
        Some(("wisp", id)) => letter.network.wisps.get(id).map_or(id.to_owned(), |w| clean(&w.name)),
        Some(("site", id)) => letter.network.sites.get(id).map_or(id.to_owned(), |s| clean(&s.name)),
        Some((_, address)) => clean(address),
        None => clean(key),
    }
}

/// The names of webhooks, each once.
fn hooks_of(addresses: &[String]) -> String {
    let names: BTreeSet<&str> = addresses.iter().map(|a| a.trim_start_matches("webhook:")).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Addresses that a mail server refused for good.
pub fn undeliverable(letter: &Letter<'_>, notice: &Notice) -> (String, Vec<Block>) {
    let is_machine = |r: &super::log::Refused| r.address.starts_with("webhook:");
    let machines = notice.refused.iter().any(is_machine);
    let only_machines = notice.refused.iter().all(is_machine);
    let addresses: Vec<String> = notice.refused.iter().map(|r| clean(&r.address)).collect();
    let subject = match (addresses.as_slice(), letter.italian()) {
        (all, true) if only_machines => format!("[VED] Webhook: segnalazioni rifiutate da {}", hooks_of(all)),
        (all, false) if only_machines => format!("[VED] Webhook: reports refused by {}", hooks_of(all)),
        ([one], true) => format!("[VED] Indirizzo rifiutato: {one}"),
        ([one], false) => format!("[VED] Address refused: {one}"),
        (many, true) => format!("[VED] {} indirizzi rifiutati", many.len()),
        (many, false) => format!("[VED] {} addresses refused", many.len()),
    };
    let intro = letter.pick(
        "il server di posta ha rifiutato in modo definitivo questi indirizzi: chi li usa non riceve gli avvisi.",
        "The mail server has refused these addresses for good: whoever uses them gets no notices.",
    );
    let of = |r: &super::log::Refused| {
        let about = if r.incident.is_empty() { String::new() } else { format!(" ({})", clean(&r.incident)) };
        let answer = letter.pick("risposta del server:", "the server said:");
        format!("{}{about}, {answer} {}", bold(&r.address), clean(r.why.trim_start_matches("refused: ")))
    };
    let hooks = letter.pick(
        "Un webhook ha rifiutato un avviso: al sistema dell’operatore quell’avviso manca. Controllate indirizzo e \
         segreto (vedetta notify --test).",
        "A webhook has refused a report: the operator's system does not have it. Check its address and secret \
         (vedetta notify --test).",
    );
    let ask = letter.pick(
        "Verificate l’indirizzo con l’operatore e correggetelo nell’inventario; nel frattempo avvisate per telefono.",
        "Check the address with the operator and correct it in the inventory; until then, call.",
    );
    let mut blocks = vec![Block::Para(letter.pick("Buongiorno,", "Hello,").into())];
    blocks.extend((!only_machines).then(|| Block::Para(intro.into())));
    blocks.push(letter.list(notice.refused.iter().map(of).collect()));
    blocks.extend((!only_machines).then(|| Block::Para(ask.into())));
    blocks.extend(machines.then(|| Block::Para(hooks.into())));
    blocks.extend(letter.foot());
    (subject, blocks)
}

/// Whether nothing of a summary is open: its bar may be green.
pub fn all_over(letter: &Letter<'_>, notice: &Notice) -> bool {
    let open = |n: &u64| letter.incidents.iter().any(|i| i.number == *n && i.state != IncidentState::Closed);
    !notice.incidents.iter().any(open)
}

/// The language and the addresses of a recipient.
pub fn addresses(network: &Network, recipient: &Recipient) -> Option<(Vec<String>, Language)> {
    let (to, language) = match recipient {
        Recipient::Wisp(id) => {
            let wisp = network.wisps.get(id.as_str())?;
            (wisp.email.clone(), wisp.language)
        }
        Recipient::Staff(index) => {
            let staff = network.staff.get(*index)?;
            (vec![staff.email.clone()], staff.language)
        }
        Recipient::Contact(site) => (network.sites.get(site.as_str())?.contact_email.clone(), network.language),
    };
    (!to.is_empty()).then_some((to, language))
}
