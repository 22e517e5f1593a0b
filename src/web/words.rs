//! The page's texts in Italian and English. Sentences that are made of figures are in `summary` and `page`. `[P]`

use crate::alert::incident::{Condition, Confidence, ProbableCause};
use crate::alert::{IncidentState, Severity};
use crate::model::network::{Language, SiteKind};
use crate::model::view::{DownReason, Known, TargetState};
use crate::model::{Missing, Provenance};

/// Labels that templates use as they are.
#[derive(Debug)]
pub struct Words {
    pub code: &'static str,
    pub other_code: &'static str,
    pub other_language: &'static str,
    pub skip: &'static str,
    pub lookout: &'static str,
    pub accessibility: &'static str,
    pub updated: &'static str,
    pub stale: &'static str,
    pub live: &'static str,
    pub simulated: &'static str,
    pub blind: &'static str,
    pub incidents: &'static str,
    pub no_incidents: &'static str,
    pub recently_closed: &'static str,
    pub pending_note: &'static str,
    pub since: &'static str,
    pub closed_at: &'static str,
    pub wisp: &'static str,
    pub own_network: &'static str,
    pub cause: &'static str,
    pub impact: &'static str,
    pub residents: &'static str,
    pub evidence: &'static str,
    pub usual: &'static str,
    pub consequences: &'static str,
    pub sites: &'static str,
    pub sites_caption: &'static str,
    pub site: &'static str,
    pub together: &'static str,
    pub together_help: &'static str,
    pub alone: &'static str,
    pub alone_help: &'static str,
    pub possible: &'static str,
    pub possible_help: &'static str,
    pub known: &'static str,
    pub bottleneck: &'static str,
    pub state: &'static str,
    pub downstream: &'static str,
    pub upstream: &'static str,
    pub of_target: &'static str,
    pub links: &'static str,
    pub links_caption: &'static str,
    pub link: &'static str,
    pub rsl: &'static str,
    pub rsl_help: &'static str,
    pub to_downstream: &'static str,
    pub to_upstream: &'static str,
    pub required: &'static str,
    pub passing: &'static str,
    pub unverified: &'static str,
    pub backhauls: &'static str,
    pub backhauls_caption: &'static str,
    pub backhaul: &'static str,
    pub serves: &'static str,
    pub delivery: &'static str,
    pub delivery_caption: &'static str,
    pub delivery_more: &'static str,
    pub others_folded: &'static str,
    pub more_incidents: &'static str,
    pub agent: &'static str,
    pub last_data: &'static str,
    pub backlog: &'static str,
    pub lost: &'static str,
    pub clock: &'static str,
    pub newest_sample: &'static str,
    pub gap: &'static str,
    pub again: &'static str,
    pub daily_record: &'static str,
    pub daily_caption: &'static str,
    pub day: &'static str,
    pub late: &'static str,
    pub set_aside: &'static str,
    pub worst_lag: &'static str,
    pub silent: &'static str,
    pub inventory: &'static str,
    pub samples: &'static str,
    pub parts: &'static str,
    pub parts_caption: &'static str,
    pub part: &'static str,
    pub waiting: &'static str,
    pub done: &'static str,
    pub failed: &'static str,
    pub services: &'static str,
    pub services_caption: &'static str,
    pub service: &'static str,
    pub from: &'static str,
    pub response: &'static str,
    pub works: &'static str,
    pub trouble: &'static str,
    pub unknown: &'static str,
    pub map: &'static str,
    pub map_help: &'static str,
    pub legend_well: &'static str,
    pub legend_below: &'static str,
    pub legend_down: &'static str,
    pub legend_standby: &'static str,
    pub legend_unknown: &'static str,
    pub legend_internet: &'static str,
    pub each_square: &'static str,
    pub foot: &'static str,
    pub times_in: &'static str,
    pub data: &'static str,
}

static ITALIAN: Words = Words {
    code: "it",
    other_code: "en",
    other_language: "English",
    skip: "Vai al contenuto",
    lookout: "Stato della rete",
    accessibility: "Accessibilità",
    updated: "Aggiornato alle",
    stale: "Questa pagina non riceve aggiornamenti: i valori mostrati sono quelli dell'ultimo orario indicato.",
    live: "in diretta",
    simulated: "Rete simulata: apparati, guasti e misure sono inventati.",
    blind: "Il sistema di monitoraggio non riceve dati: quelli mostrati sono gli ultimi noti. Questo tempo non è \
            attribuito a nessun operatore. Dalle",
    incidents: "Avvisi aperti",
    no_incidents: "Nessun avviso aperto.",
    recently_closed: "Chiusi negli ultimi sette giorni",
    pending_note: "In osservazione, non ancora un avviso",
    since: "Da quando",
    closed_at: "Chiuso",
    wisp: "Operatore",
    own_network: "Unione",
    cause: "Causa probabile",
    impact: "Effetti",
    residents: "residenti",
    evidence: "Livello ricevuto",
    usual: "abituale",
    consequences: "Conseguenze",
    sites: "Comuni e altri siti",
    sites_caption: "Capacità di ogni sito rispetto al minimo promesso, i più in difficoltà per primi. Valori in Mbps.",
    site: "Sito",
    together: "Tutti insieme",
    together_help: "quando ogni sito usa insieme il proprio minimo",
    alone: "Da solo",
    alone_help: "quando nessun altro usa la rete",
    possible: "Possibile",
    possible_help: "per il percorso più capace che esiste",
    known: "Come è noto",
    bottleneck: "Tratta che limita",
    state: "Stato",
    downstream: "in discesa",
    upstream: "in salita",
    of_target: "su",
    links: "Tratte",
    links_caption: "Capacità di ogni tratta nelle due direzioni rispetto a quella richiesta. Valori in Mbps.",
    link: "Tratta",
    rsl: "Livello ricevuto (RSL)",
    rsl_help: "dBm; fra parentesi quello abituale",
    to_downstream: "Verso i siti serviti",
    to_upstream: "Verso Internet",
    required: "servono",
    passing: "traffico",
    unverified: "famiglia non verificata: non apre avvisi",
    backhauls: "Collegamenti a Internet",
    backhauls_caption: "Capacità di ogni collegamento a Internet rispetto a quella richiesta. Valori in Mbps.",
    backhaul: "Collegamento",
    serves: "Siti serviti",
    delivery: "Raccolta dei dati",
    delivery_caption: "Le sonde (agenti) nei siti. Ciò che una sonda misura resta lì finché non è registrato qui: dopo un’interruzione i dati mancanti arrivano da soli.",
    delivery_more: "Sonde, ritardi, orologi e registro giornaliero",
    others_folded: "Mostra gli altri",
    more_incidents: "Altri avvisi aperti",
    agent: "Sonda",
    last_data: "Ultimi dati",
    backlog: "In attesa",
    lost: "Persi",
    clock: "Errore orologio",
    newest_sample: "Misura più recente",
    gap: "Mancanti",
    again: "Ripetuti",
    daily_record: "Registro giornaliero della raccolta",
    daily_caption: "Misure fatte in quel giorno, anche se arrivate dopo. Il registro resta per dieci anni; i rapporti lo citano.",
    day: "Giorno",
    late: "Arrivate dopo",
    set_aside: "Messi da parte",
    worst_lag: "Ritardo massimo",
    silent: "In silenzio",
    inventory: "Inventario",
    samples: "Misure",
    parts: "Funzionamento del sistema",
    parts_caption: "Parti del sistema che parlano con l'esterno.",
    part: "Parte",
    waiting: "In coda",
    done: "Riusciti",
    failed: "Falliti",
    services: "Servizi",
    services_caption: "Servizi usati dagli uffici, provati dai siti.",
    service: "Servizio",
    from: "Da",
    response: "Risposta",
    works: "funziona",
    trouble: "in difficoltà",
    unknown: "non noto",
    map: "Mappa della rete",
    map_help: "Siti e tratte secondo le coordinate; le stesse informazioni sono nelle tabelle.",
    legend_well: "capacità sufficiente",
    legend_below: "sotto la richiesta",
    legend_down: "interrotta",
    legend_standby: "linea di riserva",
    legend_unknown: "non misurabile",
    legend_internet: "Internet",
    each_square: "Ogni quadrato è un sito con un minimo promesso, i più in difficoltà per primi.",
    foot: "Valori stimati dai dati degli apparati, non certificati.",
    times_in: "Ore nel fuso",
    data: "Dati",
};

static ENGLISH: Words = Words {
    code: "en",
    other_code: "it",
    other_language: "Italiano",
    skip: "Skip to content",
    lookout: "State of the network",
    accessibility: "Accessibility",
    updated: "Updated at",
    stale: "This page receives no updates: the values shown are those of the last time given.",
    live: "live",
    simulated: "Simulated network: equipment, faults and readings are invented.",
    blind: "The monitoring system receives no data: what is shown is what it last knew. This time is counted as \
            nobody's downtime. Since",
    incidents: "Open incidents",
    no_incidents: "No open incident.",
    recently_closed: "Closed in the last seven days",
    pending_note: "Being watched, not an incident yet",
    since: "Since",
    closed_at: "Closed",
    wisp: "Operator",
    own_network: "Union",
    cause: "Probable cause",
    impact: "Impact",
    residents: "residents",
    evidence: "Received level",
    usual: "usually",
    consequences: "Consequences",
    sites: "Municipalities and other sites",
    sites_caption: "Capacity of each site against its promised minimum, those in trouble first. Figures in Mbps.",
    site: "Site",
    together: "All together",
    together_help: "when every site draws its minimum at once",
    alone: "Alone",
    alone_help: "when nobody else uses the network",
    possible: "Possible",
    possible_help: "over the widest path there is",
    known: "How it is known",
    bottleneck: "Limiting link",
    state: "State",
    downstream: "downstream",
    upstream: "upstream",
    of_target: "of",
    links: "Links",
    links_caption: "Capacity of each link in both directions against what it must carry. Figures in Mbps.",
    link: "Link",
    rsl: "Received level (RSL)",
    rsl_help: "dBm; what is usual in parentheses",
    to_downstream: "Towards the served sites",
    to_upstream: "Towards the Internet",
    required: "needs",
    passing: "traffic",
    unverified: "unverified family: opens no incident",
    backhauls: "Backhauls",
    backhauls_caption: "Capacity of each link to the Internet against what it must carry. Figures in Mbps.",
    backhaul: "Backhaul",
    serves: "Sites served",
    delivery: "Data collection",
    delivery_caption: "Agents at the sites. What an agent measures stays with it until it is stored here: after an outage the gap fills.",
    delivery_more: "Agents, delays, clocks and the daily record",
    others_folded: "Show the others",
    more_incidents: "More open incidents",
    agent: "Agent",
    last_data: "Last data",
    backlog: "Waiting",
    lost: "Lost",
    clock: "Clock error",
    newest_sample: "Newest sample",
    gap: "Gap",
    again: "Again",
    daily_record: "Daily record of data collection",
    daily_caption: "Samples taken on that day, whenever they arrived. The record is kept for ten years; reports cite it.",
    day: "Day",
    late: "Came late",
    set_aside: "Set aside",
    worst_lag: "Worst lag",
    silent: "Silent",
    inventory: "Inventory",
    samples: "Samples",
    parts: "System health",
    parts_caption: "Parts of the system that talk to the outside.",
    part: "Part",
    waiting: "Queued",
    done: "Done",
    failed: "Failed",
    services: "Services",
    services_caption: "Services that offices use, tried from the sites.",
    service: "Service",
    from: "From",
    response: "Response",
    works: "works",
    trouble: "in trouble",
    unknown: "not known",
    map: "Map of the network",
    map_help: "Sites and links by their coordinates; the tables hold the same information.",
    legend_well: "enough capacity",
    legend_below: "below what is required",
    legend_down: "down",
    legend_standby: "on its backup",
    legend_unknown: "not measurable",
    legend_internet: "Internet",
    each_square: "Each square is a site with a promised minimum, those in trouble first.",
    foot: "Values estimated from what the equipment reports, not certified.",
    times_in: "Times in",
    data: "Data",
};

impl Words {
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::Italian => &ITALIAN,
            Language::English => &ENGLISH,
        }
    }
}

/// Picks by language; for words that belong to a value.
fn pick(language: Language, italian: &'static str, english: &'static str) -> &'static str {
    match language {
        Language::Italian => italian,
        Language::English => english,
    }
}

pub fn condition(c: Condition, l: Language) -> &'static str {
    let spec = c.spec();
    pick(l, spec.title_it, spec.title_en)
}

pub fn incident_state(s: IncidentState, l: Language) -> &'static str {
    match s {
        IncidentState::Pending => pick(l, "in osservazione", "being watched"),
        IncidentState::Open => pick(l, "aperto", "open"),
        IncidentState::Closing => pick(l, "in ripresa", "recovering"),
        IncidentState::Closed => pick(l, "chiuso", "closed"),
    }
}

pub fn severity(s: Severity, l: Language) -> &'static str {
    match s {
        Severity::Minor => pick(l, "lieve", "minor"),
        Severity::Major => pick(l, "importante", "major"),
        Severity::Critical => pick(l, "grave", "critical"),
    }
}

pub fn cause(c: ProbableCause, l: Language) -> &'static str {
    match c {
        ProbableCause::Unknown => pick(l, "non ancora nota", "not known yet"),
        ProbableCause::RainFade => pick(l, "pioggia intensa sulla tratta", "heavy rain on the link"),
        ProbableCause::Misalignment => pick(l, "antenna spostata o ostacolo", "misalignment or obstacle"),
        ProbableCause::Interference => pick(l, "interferenza radio", "radio interference"),
        ProbableCause::Congestion => pick(l, "congestione", "congestion"),
        ProbableCause::PortRate => pick(l, "porta Ethernet a velocità ridotta", "Ethernet port at a reduced rate"),
        ProbableCause::Power => pick(l, "alimentazione", "power supply"),
        ProbableCause::Equipment => pick(l, "apparato", "equipment"),
    }
}

pub fn confidence(c: Confidence, l: Language) -> &'static str {
    match c {
        Confidence::Low => pick(l, "attendibilità bassa", "low confidence"),
        Confidence::Medium => pick(l, "attendibilità media", "medium confidence"),
        Confidence::High => pick(l, "attendibilità alta", "high confidence"),
    }
}

pub fn site_kind(k: SiteKind, l: Language) -> &'static str {
    match k {
        SiteKind::Municipality => pick(l, "comune", "municipality"),
        SiteKind::TownHall => pick(l, "municipio", "town hall"),
        SiteKind::School => pick(l, "scuola", "school"),
        SiteKind::Relay => pick(l, "ripetitore", "relay"),
        SiteKind::Pop => pick(l, "nodo di accesso", "point of presence"),
    }
}

pub fn known(k: Known, l: Language) -> &'static str {
    match k {
        Known::Verified => pick(l, "verificata", "verified"),
        Known::Estimated => pick(l, "stimata", "estimated"),
        Known::Declared => pick(l, "dichiarata", "declared"),
        Known::NotMeasurable => pick(l, "non misurabile", "not measurable"),
    }
}

pub fn target_state(s: TargetState, l: Language) -> &'static str {
    match s {
        TargetState::Met => pick(l, "in regola", "as promised"),
        TargetState::Below => pick(l, "sotto il minimo", "below target"),
        TargetState::Unknown => pick(l, "non misurabile", "not measurable"),
    }
}

pub fn provenance(p: Provenance, l: Language) -> &'static str {
    match p {
        Provenance::Reported => pick(l, "dall'apparato", "reported"),
        Provenance::Derived => pick(l, "dalla modulazione", "derived"),
        Provenance::Port => pick(l, "dalla porta", "port"),
        Provenance::Declared => pick(l, "da contratto", "declared"),
        Provenance::Measured => pick(l, "misurata", "measured"),
    }
}

pub fn missing(m: Missing, l: Language) -> &'static str {
    match m {
        Missing::Timeout => pick(l, "nessuna risposta", "no answer"),
        Missing::NotOffered => pick(l, "non offerta dall'apparato", "not offered by the device"),
        Missing::Sentinel => pick(l, "l'apparato non la indica", "the device gives none"),
        Missing::Implausible => pick(l, "valore non plausibile", "implausible value"),
        Missing::LinkDown => pick(l, "tratta interrotta", "link down"),
        Missing::Unreachable => pick(l, "apparato non raggiungibile", "device unreachable"),
        Missing::Malformed => pick(l, "risposta non valida", "malformed answer"),
        Missing::NoBaseline => pick(l, "prima lettura in corso", "first reading under way"),
        Missing::Refused => pick(l, "credenziali rifiutate", "credentials refused"),
        Missing::Stale => pick(l, "nessun dato recente", "no recent data"),
        Missing::NoLongerOffered => {
            pick(l, "non più fornita dopo un aggiornamento del firmware", "no longer offered since a firmware update")
        }
        Missing::NotMeasured => pick(l, "non misurata", "not measured"),
    }
}

pub fn down_reason(r: DownReason, l: Language) -> &'static str {
    match r {
        DownReason::NotConnected => pick(l, "la radio non è agganciata", "the radio has no peer"),
        DownReason::BothEndsSilent => pick(l, "nessuno dei due lati risponde", "neither end answers"),
        DownReason::OutsideUnreachable => pick(l, "Internet non risponde", "nothing outside answers"),
    }
}

pub fn part(name: &str, l: Language) -> &str {
    match name {
        "mqtt" => "MQTT",
        "influxdb" => "InfluxDB",
        "mail" => pick(l, "Posta", "Mail"),
        "incidents" => pick(l, "Avvisi su MQTT", "Incidents over MQTT"),
        "webhooks" => "Webhook",
        "ledger" => pick(l, "Registro (ledger)", "Ledger"),
        "certificates" => pick(l, "Certificati", "Certificates"),
        "history" => pick(l, "Andamenti (medie)", "History (averages)"),
        other => other,
    }
}
