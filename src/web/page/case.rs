//! One incident on a page of its own: what is shown of it to the staff and to its operator alike. `[P]`

use super::super::desk::{ContractClock, History, contract};
use super::super::{figures, names, words};
use super::{Context, incident};
use crate::alert::desk::{Act, Entry, Fault, Window};
use crate::alert::incident::EvidenceEnd;
use crate::alert::{Incident, IncidentState};
use crate::model::UnixMillis;
use crate::model::network::Language;

/// A label with what it names.
pub struct Fact {
    pub label: &'static str,
    pub value: String,
}

/// The ends side by side.
pub struct Ends {
    pub head: Vec<String>,
    pub rows: Vec<EndRow>,
}

pub struct EndRow {
    pub label: &'static str,
    pub cells: Vec<String>,
}

/// Something that happened.
pub struct Step {
    at: UnixMillis,
    pub when: String,
    pub class: &'static str,
    pub what: String,
    pub detail: Option<String>,
}

impl Step {
    pub fn new(c: &Context<'_>, at: UnixMillis, class: &'static str, what: String, detail: Option<String>) -> Self {
        Self { at, when: c.moment(at), class, what, detail }
    }
}

/// Announced works.
pub struct Works {
    pub number: u64,
    pub span: String,
    pub note: Option<String>,
    pub by: String,
    pub active: bool,
}

/// `2 h 13 min`
pub fn span(minutes: u64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

/// The times that the contract counts.
pub fn clock(c: &Context<'_>, history: &History) -> Vec<Fact> {
    let ContractClock {
        notified_at,
        acknowledged_at,
        acknowledged_by,
        ticket,
        expected_repair_at,
        suspended,
        suspended_minutes,
        restored_at,
        duration_minutes,
        below_minutes,
        ..
    } = contract(history, c.snapshot.generated_at, &|at| c.moment(at));
    let none = || "—".to_owned();
    let with = |first: Option<String>, more: Option<String>| match (first, more) {
        (Some(first), Some(more)) => format!("{first} · {more}"),
        (first, more) => first.or(more).unwrap_or_else(none),
    };
    let still = (suspended_minutes > 0 || suspended.is_some()).then(|| span(suspended_minutes));
    let fact = |italian, english, value| Fact { label: c.pick(italian, english), value };
    vec![
        fact("Operatore avvisato", "Operator notified", notified_at.unwrap_or_else(none)),
        fact("Preso in carico", "Acknowledged", with(acknowledged_at, acknowledged_by)),
        fact("Ticket", "Ticket", ticket.unwrap_or_else(none)),
        fact("Ripristino previsto", "Expected repair", expected_repair_at.unwrap_or_else(none)),
        fact("Tempi sospesi", "Clock suspended", with(still, suspended)),
        fact("Ripristinato", "Restored", restored_at.unwrap_or_else(none)),
        fact(
            "Responsabilità",
            "Whose fault",
            history.case.fault().map_or_else(none, |f| fault(f, c.language).to_owned()),
        ),
        fact("Durata", "Duration", span(duration_minutes)),
        fact("Sotto il minimo", "Below target", span(below_minutes)),
    ]
}

pub fn fault(fault: Fault, language: Language) -> &'static str {
    let (italian, english) = match fault {
        Fault::Operator => ("operatore", "operator"),
        Fault::Union => ("Unione", "Union"),
        Fault::Municipality => ("comune", "municipality"),
        Fault::PowerOfOperator => ("alimentazione dell’operatore", "power of the operator"),
        Fault::PowerOfUnion => ("alimentazione dell’Unione", "power of the Union"),
        Fault::PowerOfMunicipality => ("alimentazione del comune", "power of the municipality"),
        Fault::Nobody => ("nessuno (maltempo, terzi)", "nobody (weather, third parties)"),
    };
    if language == Language::Italian { italian } else { english }
}

/// What both ends said when it opened; `None` where that is nothing, or of another operator's link.
pub fn ends(c: &Context<'_>, i: &Incident, own_only: bool) -> Option<Ends> {
    let links = &c.snapshot.network.links;
    let link = i.detail.evidence_link.as_ref().and_then(|id| links.get(id.as_str()));
    if own_only && link.is_some_and(|link| link.wisp != i.wisp) {
        return None;
    }
    let ends: Vec<&EvidenceEnd> = [&i.near, &i.far].into_iter().flatten().collect();
    let mut rows = Vec::new();
    let mut row = |label: &'static str, cell: &dyn Fn(&EvidenceEnd) -> Option<String>| {
        let cells: Vec<Option<String>> = ends.iter().map(|e| cell(e)).collect();
        if cells.iter().any(Option::is_some) {
            rows.push(EndRow { label, cells: cells.into_iter().map(|c| c.unwrap_or_else(|| "—".into())).collect() });
        }
    };
    let number = |value: f64, digits| figures::decimal(value, digits, c.language);
    let change = |usual: Option<f64>, now: Option<f64>, digits, unit: &str| match (usual, now) {
        (Some(usual), Some(now)) => Some(format!("{} → {} {unit}", number(usual, digits), number(now, digits))),
        (None, Some(now)) => Some(format!("{} {unit}", number(now, digits))),
        (Some(usual), None) => Some(format!("{} {unit} → ?", number(usual, digits))),
        (None, None) => None,
    };
    row(c.pick("Apparato", "Device"), &|e| Some(e.model.clone().unwrap_or_else(|| e.device.clone())));
    row(c.pick("Indirizzo", "Address"), &|e| Some(e.address.clone()));
    row("Firmware", &|e| match (&e.firmware_before, &e.firmware) {
        (Some(before), Some(now)) if before != now => Some(format!("{before} → {now}")),
        (_, now) => now.clone(),
    });
    row(c.pick("Risponde", "Answers"), &|e| e.answers.map(|a| (if a { c.pick("sì", "yes") } else { "no" }).to_owned()));
    row(c.pick("RSL (abituale → ora)", "RSL (usual → now)"), &|e| change(e.rsl_dbm_usual, e.rsl_dbm, 0, "dBm"));
    row(c.pick("SNR (abituale → ora)", "SNR (usual → now)"), &|e| change(e.snr_db_usual, e.snr_db, 0, "dB"));
    row(c.pick("Rumore (abituale → ora)", "Noise (usual → now)"), &|e| {
        change(e.noise_floor_dbm_usual, e.noise_floor_dbm, 0, "dBm")
    });
    row(c.pick("Modulazione", "Modulation"), &|e| e.modulation.clone());
    row(c.pick("Porta Ethernet", "Ethernet port"), &|e| e.port_rate_mbps.map(|m| format!("{} Mbps", number(m, 0))));
    row(c.pick("Tempo radio", "Air time"), &|e| e.airtime_percent.map(|p| format!("{} %", number(p, 0))));
    row(c.pick("Alimentazione", "Supply"), &|e| change(e.supply_volts_usual, e.supply_volts, 1, "V"));
    row(c.pick("Temperatura", "Temperature"), &|e| e.temperature_celsius.map(|t| format!("{} °C", number(t, 0))));
    let head = ends.iter().map(|e| e.site.clone()).collect();
    (!ends.is_empty()).then_some(Ends { head, rows })
}

/// Transitions, mails and what was said, in order of time.
pub fn steps(c: &Context<'_>, history: &History) -> Vec<Step> {
    let i = &history.incident;
    let mut steps: Vec<Step> = Vec::new();
    let mut push = |at: UnixMillis, class, what: String, detail: Option<String>| {
        steps.push(Step::new(c, at, class, what, detail));
    };
    for t in &i.transitions {
        let (class, what) = match t.state {
            IncidentState::Pending => ("pending", c.pick("Prima misura fuori soglia", "First measurement in breach")),
            IncidentState::Open => ("open", c.pick("Avviso aperto", "Opened")),
            IncidentState::Closing => ("closing", c.pick("Di nuovo in regola, in osservazione", "Well again, watched")),
            IncidentState::Closed => ("closed", c.pick("Avviso chiuso", "Closed")),
        };
        push(t.at, class, what.to_owned(), t.measured_mbps.map(|m| format!("{} Mbps", c.mbps(m))));
    }
    for n in &history.notices {
        // Ways out for machines are no mails.
        let kind = if is_machine(&n.to) { c.pick("Segnalazione", "Report") } else { notice_kind(c, n.kind) };
        let mail = format!("{kind} → {}", recipient(c, &n.to));
        // That an opening mail was sent because of the opening need not be said.
        let why: Vec<&str> = n.why.iter().filter(|w| *w != n.kind).map(|w| reason(c, w)).collect();
        let unsent = (!n.sent)
            .then(|| c.pick("non inviata: in rodaggio o non attivo", "not sent: running in, or not switched on"));
        let detail: Vec<&str> = why.into_iter().chain(unsent).collect();
        push(n.at, if n.sent { "mail" } else { "unsent" }, mail, (!detail.is_empty()).then(|| detail.join(" · ")));
    }
    for entry in &history.case.entries {
        let (what, detail) = said(c, entry);
        push(entry.at, "said", format!("{what} – {}", entry.by), detail);
    }
    steps.sort_by_key(|s| s.at);
    steps
}

/// What somebody said, and the rest of it.
pub fn said(c: &Context<'_>, entry: &Entry) -> (&'static str, Option<String>) {
    match &entry.act {
        Act::Acknowledge { ticket, expected_repair, note } => {
            let ticket = ticket.as_ref().map(|t| format!("ticket {t}"));
            let expected = c.pick("ripristino previsto", "expected repair");
            let repair = expected_repair.map(|at| format!("{expected} {}", c.moment(at)));
            let parts: Vec<String> = [ticket, repair, note.clone()].into_iter().flatten().collect();
            (c.pick("Preso in carico", "Acknowledged"), (!parts.is_empty()).then(|| parts.join(" · ")))
        }
        Act::Suspend { reason } => (c.pick("Tempi sospesi", "Clock suspended"), Some(reason.clone())),
        Act::Resume => (c.pick("I tempi decorrono di nuovo", "The clock runs again"), None),
        Act::Fault { fault: whose } => {
            (c.pick("Responsabilità", "Whose fault"), Some(fault(*whose, c.language).to_owned()))
        }
    }
}

pub fn works(c: &Context<'_>, w: &Window) -> Works {
    let now = c.snapshot.generated_at;
    Works {
        number: w.number,
        span: format!("{} – {}", c.moment(w.from), c.moment(w.to)),
        note: w.note.clone(),
        by: w.by.clone(),
        active: w.from <= now && now < w.to,
    }
}

/// A consequence or a cause, with its number.
pub struct Related {
    pub number: u64,
    pub token: String,
    pub text: String,
}

pub fn related(c: &Context<'_>, i: &Incident) -> Related {
    let text = format!("{} ({})", incident::name(c, i), words::condition(i.condition, c.language));
    Related { number: i.number, token: i.token(), text }
}

fn recipient(c: &Context<'_>, key: &str) -> String {
    let network = &c.snapshot.network;
    match key.split_once(':') {
        Some(("wisp", id)) => network.wisps.get(id).map_or_else(|| id.to_owned(), |w| w.name.clone()),
        Some(("site", id)) => match network.sites.get(id) {
            Some(site) => format!("{} {}", c.pick("contatti di", "contacts of"), names::site(network, &site.id)),
            None => id.to_owned(),
        },
        Some((_, address)) => address.to_owned(),
        None => if is_machine(key) { "MQTT" } else { key }.to_owned(),
    }
}

fn is_machine(key: &str) -> bool {
    key == "mqtt" || key.starts_with("webhook:")
}

fn notice_kind(c: &Context<'_>, kind: &str) -> &'static str {
    match kind {
        "opened" => c.pick("Mail di apertura", "Opening mail"),
        "closed" => c.pick("Mail di chiusura", "Closing mail"),
        "changed" => c.pick("Mail di aggiornamento", "Update by mail"),
        "reminder" => c.pick("Promemoria", "Reminder"),
        "escalated" => c.pick("Mail di sollecito", "Escalation"),
        "digest" | "rodaggio_digest" => c.pick("Riepilogo quotidiano", "Daily summary"),
        _ => "Mail",
    }
}

/// The words of the policy's reasons.
fn reason<'a>(c: &Context<'_>, why: &'a str) -> &'a str {
    let (italian, english) = match why {
        "opened" => ("apertura", "opened"),
        "closed" => ("chiusura", "closed"),
        "severity_rose" => ("più grave", "graver"),
        "more_places" => ("più luoghi colpiti", "more places affected"),
        "fewer_places" => ("meno luoghi colpiti", "fewer places affected"),
        "capacity_fell" => ("capacità scesa ancora", "capacity fell further"),
        "cause_found" => ("causa trovata", "cause found"),
        "new_behind" => ("altri luoghi a valle", "more places behind it"),
        "acknowledged" => ("presa in carico", "acknowledged"),
        "expected_repair" => ("ripristino previsto", "expected repair"),
        "suspended" => ("tempi sospesi", "clock suspended"),
        "resumed" => ("tempi ripresi", "clock resumed"),
        "unacknowledged" => ("nessuna presa in carico", "not acknowledged"),
        "still_open" => ("ancora aperto", "still open"),
        "repair_overdue" => ("ripristino in ritardo", "repair overdue"),
        "too_many" => ("troppe mail in un’ora", "too many mails in an hour"),
        "morning" => ("riepilogo del mattino", "morning summary"),
        other => return other,
    };
    c.pick(italian, english)
}
