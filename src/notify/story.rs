//! What an incident says, in words that the mails to WISPs and to the staff share. `[P]`

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::blocks::{bold, clean};
use super::words::{self, pick};
use crate::alert::incident::{Confidence, EvidenceEnd, LinkEnd, ProbableCause, Reason};
use crate::alert::{Condition, Incident, Subject};
use crate::model::network::{Language, Link, Medium, Network, Site, SiteKind, Wisp};
use crate::model::{EdgeId, LinkId, SiteId, UnixMillis, WispId};

/// Names written out in a mail; the rest are counted.
const NAMES_MAX: usize = 12;

/// RSL within this of its usual value, dB, is as usual.
const RSL_USUAL_DB: f64 = 3.0;

pub struct Story<'a> {
    pub network: &'a Network,
    pub incident: &'a Incident,
    pub language: Language,
    pub zone: TimeZone,
    pub now: UnixMillis,
    pub public_url: Option<&'a str>,
    /// The recipient's own signed link, where the mail goes to the incident's operator.
    pub link: Option<&'a str>,
}

/// Why the probable cause of an incident was found, in sentences; empty where there is nothing to say, or where the ends
/// are those of another operator's link.
pub fn reasons_of(network: &Network, incident: &Incident, language: Language) -> String {
    let (zone, now) = (TimeZone::UTC, incident.changed_at);
    let story = Story { network, incident, language, zone, now, public_url: None, link: None };
    if story.ends().is_empty() { String::new() } else { story.reasons().trim().to_owned() }
}

impl Story<'_> {
    pub fn pick(&self, italian: &'static str, english: &'static str) -> &'static str {
        pick(self.language, italian, english)
    }

    pub fn italian(&self) -> bool {
        self.language == Language::Italian
    }

    pub fn site_name(&self, id: &SiteId) -> String {
        self.network.sites.get(id.as_str()).map_or_else(|| id.to_string(), |s| clean(&s.name))
    }

    /// `Bossolasco–Murazzano`; of a backhaul `Bossolasco–Internet`; of a site or an agent its name.
    pub fn name(&self) -> String {
        match &self.incident.subject {
            Subject::Edge(edge) => self.edge_name(edge),
            Subject::Site(id) | Subject::Agent(id) => self.site_name(id),
            Subject::Device(id) => match self.network.devices.get(id.as_str()) {
                Some(device) => format!("{} ({id})", self.site_name(&device.site)),
                None => id.to_string(),
            },
            Subject::Service(id, from) => {
                let name = self.network.services.get(id.as_str()).map_or_else(|| id.to_string(), |s| clean(&s.name));
                format!("{name} {} {}", self.pick("da", "from"), self.site_name(from))
            }
            Subject::Backup(id) => {
                self.network.backups.get(id.as_str()).map_or_else(|| id.to_string(), |b| clean(&b.name))
            }
            Subject::Hub => clean(&self.network.name),
        }
    }

    fn edge_name(&self, edge: &EdgeId) -> String {
        if let EdgeId::Backhaul(id) = edge {
            let site = self.network.backhauls.get(id.as_str()).map(|b| self.site_name(&b.site));
            return site.map_or_else(|| id.to_string(), |site| format!("{site}–Internet"));
        }
        match self.link_of(edge).map(|link| self.network.link_sites(link)) {
            Some((near, far)) => format!("{}–{}", self.site_name(&near), self.site_name(&far)),
            None => edge.as_str().to_owned(),
        }
    }

    /// A link itself; of a bundle its first.
    fn link_of(&self, edge: &EdgeId) -> Option<&Link> {
        let id: &LinkId = match edge {
            EdgeId::Link(id) => id,
            EdgeId::Bundle(id) => self.network.bundles.get(id.as_str())?.links.first()?,
            EdgeId::Backhaul(_) => return None,
        };
        self.network.links.get(id.as_str())
    }

    /// Whether it is about a radio link; a line of an operator to the Internet, and a cable, are none.
    pub fn is_radio(&self) -> bool {
        match &self.incident.subject {
            Subject::Edge(EdgeId::Backhaul(_)) => false,
            Subject::Edge(edge) => self.link_of(edge).is_none_or(|link| link.medium == Medium::Radio),
            _ => true,
        }
    }

    /// The site that went dark and took the link with it.
    pub fn dark_site(&self) -> Option<String> {
        self.incident.detail.dark_site.as_ref().map(|site| self.site_name(site))
    }

    /// The links that fell at the dark site together with this one: name and operator, in order of name, the first
    /// [`NAMES_MAX`].
    pub fn also_down(&self) -> Vec<(String, Option<&WispId>)> {
        let operator = |edge: &EdgeId| match edge {
            EdgeId::Backhaul(id) => self.network.backhauls.get(id.as_str()).map(|b| &b.wisp),
            EdgeId::Link(_) | EdgeId::Bundle(_) => self.link_of(edge)?.wisp.as_ref(),
        };
        let mut names: Vec<_> =
            self.incident.detail.also_down.iter().map(|edge| (self.edge_name(edge), operator(edge))).collect();
        names.sort();
        names.truncate(NAMES_MAX);
        names
    }

    pub fn is_backhaul(&self) -> bool {
        matches!(self.incident.subject, Subject::Edge(EdgeId::Backhaul(_)))
    }

    /// ` verso Murazzano`
    pub fn towards(&self) -> String {
        let to = self.pick("verso", "towards");
        match &self.incident.detail.towards {
            Some(site) => format!(" {to} {}", self.site_name(site)),
            None if self.is_backhaul() => format!(" {to} Internet"),
            None => String::new(),
        }
    }

    pub fn operator(&self) -> Option<&Wisp> {
        self.network.wisps.get(self.incident.wisp.as_ref()?.as_str())
    }

    fn sites<'s>(&'s self, ids: &'s [SiteId]) -> impl Iterator<Item = &'s Site> {
        ids.iter().filter_map(|id| self.network.sites.get(id.as_str()))
    }

    /// `5 comuni e 1 scuola`; of a single site its name.
    pub fn who(&self, ids: &[SiteId]) -> String {
        if let [only] = ids {
            return self.site_name(only);
        }
        let mut counts: BTreeMap<SiteKind, usize> = BTreeMap::new();
        for site in self.sites(ids) {
            *counts.entry(site.kind).or_default() += 1;
        }
        let parts: Vec<String> = counts.into_iter().map(|(kind, n)| self.counted(kind, n)).collect();
        words::list(self.language, &parts)
    }

    fn counted(&self, kind: SiteKind, n: usize) -> String {
        let (one, many) = match kind {
            SiteKind::Municipality => (("comune", "municipality"), ("comuni", "municipalities")),
            SiteKind::TownHall => (("municipio", "town hall"), ("municipi", "town halls")),
            SiteKind::School => (("scuola", "school"), ("scuole", "schools")),
            SiteKind::Relay | SiteKind::Pop => (("sito", "site"), ("siti", "sites")),
        };
        let (italian, english) = if n == 1 { one } else { many };
        format!("{n} {}", self.pick(italian, english))
    }

    /// Their names in alphabetical order, the first [`NAMES_MAX`].
    pub fn names(&self, ids: &[SiteId]) -> String {
        let mut names: Vec<String> = ids.iter().map(|id| self.site_name(id)).collect();
        names.sort();
        self.first_of(names)
    }

    /// The first [`NAMES_MAX`]; the rest are counted.
    pub fn first_of(&self, mut names: Vec<String>) -> String {
        let more = names.len().saturating_sub(NAMES_MAX);
        if more > 1 {
            names.truncate(NAMES_MAX);
            names.push(format!("{} {more}", self.pick("altri", "others:")));
        }
        words::list(self.language, &names)
    }

    /// ` (1.940 residenti)`, or nothing where nobody is known to live.
    pub fn residents(&self) -> String {
        match self.incident.residents {
            0 => String::new(),
            n => {
                let n = words::count(self.language, u64::from(n));
                format!(" ({n} {})", self.pick("residenti", "residents"))
            }
        }
    }

    /// Capacity when it opened.
    pub fn opened_mbps(&self) -> Option<String> {
        let mbps = self.incident.opened_mbps()?;
        Some(words::mbps(self.language, mbps, self.incident.required_mbps))
    }

    pub fn required_mbps(&self) -> Option<String> {
        self.incident.required_mbps.map(|mbps| {
            let digits = usize::from((mbps - mbps.round()).abs() >= 0.05);
            words::decimal(self.language, mbps, digits)
        })
    }

    /// ` (5 comuni × 30 Mbps)`, where that is how the requirement comes about.
    pub fn required_sum(&self) -> String {
        let upstream = self.incident.direction == Some(crate::alert::Direction::Upstream);
        let mut groups: BTreeMap<(SiteKind, u64), usize> = BTreeMap::new();
        let mut sum = 0.0;
        for site in self.sites(&self.incident.sites) {
            let target = site.target.and_then(|t| if upstream { t.upstream_mbps } else { Some(t.downstream_mbps) });
            if let Some(mbps) = target.filter(|mbps| *mbps >= 1.0) {
                sum += mbps;
                *groups.entry((site.kind, mbps.round() as u64)).or_default() += 1;
            }
        }
        let adds_up = self.incident.required_mbps.is_some_and(|r| (r - sum).abs() < 0.5);
        if !adds_up || groups.is_empty() || groups.len() > 3 || self.incident.sites.len() < 2 {
            return String::new();
        }
        let terms: Vec<String> =
            groups.into_iter().map(|((kind, mbps), n)| format!("{} × {mbps} Mbps", self.counted(kind, n))).collect();
        format!(" ({})", terms.join(" + "))
    }

    /// `dalle 06:42 di oggi, martedì 24 novembre 2026 (ora italiana)`
    pub fn since_in_full(&self) -> String {
        let at = self.incident.since;
        let clock = words::since_clock(self.language, &self.zone, at);
        format!("{clock} {}", words::which_day_in_full(self.language, &self.zone, at, self.now))
    }

    /// `dalle 06:42 di oggi`
    pub fn since(&self) -> String {
        let at = self.incident.since;
        let clock = words::since_clock(self.language, &self.zone, at);
        format!("{clock} {}", words::which_day(self.language, &self.zone, at, self.now))
    }

    /// After a greeting Italian goes on in lower case, English does not.
    pub fn after_greeting(&self, text: String) -> String {
        if self.italian() { text } else { words::sentence(&text) }
    }

    /// `06:42`, with the day where it is not today.
    pub fn moment(&self, at: UnixMillis) -> String {
        let clock = words::clock(&self.zone, at);
        let day = words::which_day(self.language, &self.zone, at, self.now);
        if day == self.pick("di oggi", "today") { clock } else { format!("{clock} {day}") }
    }

    pub fn duration(&self, span: Duration) -> String {
        words::duration(self.language, span)
    }

    pub fn end_name(&self, end: LinkEnd) -> String {
        let evidence = match end {
            LinkEnd::Near => &self.incident.near,
            LinkEnd::Far => &self.incident.far,
        };
        evidence.as_ref().map(|e| clean(&e.site)).unwrap_or_default()
    }

    /// `disallineamento o ostacolo`
    pub fn cause(&self) -> &'static str {
        match self.incident.probable_cause {
            ProbableCause::Unknown => self.pick("non determinata", "not determined"),
            ProbableCause::RainFade => self.pick("attenuazione da pioggia", "rain fade"),
            ProbableCause::Misalignment => self.pick("disallineamento o ostacolo", "misalignment or obstruction"),
            ProbableCause::Interference => self.pick("interferenza radio", "radio interference"),
            ProbableCause::Congestion => self.pick("tempo radio esaurito", "air time used up"),
            ProbableCause::PortRate => {
                self.pick("porta Ethernet negoziata al di sotto del normale", "Ethernet port below its usual rate")
            }
            ProbableCause::Power => self.pick("alimentazione elettrica", "power supply"),
            ProbableCause::Equipment => self.pick("apparato", "equipment"),
        }
    }

    /// ` (attendibilità alta)`
    pub fn confidence(&self) -> &'static str {
        if self.incident.probable_cause == ProbableCause::Unknown {
            return "";
        }
        match self.incident.confidence {
            Confidence::Low => self.pick(" (attendibilità bassa)", " (low confidence)"),
            Confidence::Medium => self.pick(" (attendibilità media)", " (medium confidence)"),
            Confidence::High => self.pick(" (attendibilità alta)", " (high confidence)"),
        }
    }

    /// The reasons as sentences, each with a space before it. The neighbours matter only while it lasts; that a dark
    /// site is silent is said first of all then.
    pub fn reasons(&self) -> String {
        let over = self.incident.closed_at.is_some();
        let neighbour = |r: &Reason| matches!(r, Reason::NeighboursFaded { .. } | Reason::NeighboursSteady { .. });
        let reasons = &self.incident.detail.reasons;
        let snr_says_it = reasons.iter().any(|r| matches!(r, Reason::SnrFell { .. }));
        reasons
            .iter()
            .filter(|r| !(snr_says_it && matches!(r, Reason::RslUsual) || over && neighbour(r)))
            .filter(|r| over || self.incident.detail.dark_site.is_none() || !matches!(r, Reason::SiteSilent { .. }))
            .filter_map(|r| self.reason(r))
            .flat_map(|text| [" ".to_owned(), text])
            .collect()
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each reason, in both languages")]
    fn reason(&self, reason: &Reason) -> Option<String> {
        let db = |value: f64| words::decimal(self.language, value, 0);
        let over = self.incident.closed_at.is_some();
        let tense = |now: &'static str, then: &'static str| if over { then } else { now };
        Some(match (reason, self.italian()) {
            (Reason::RslFellBothEnds { near_db, far_db }, italian) => {
                let (near, far) = (self.end_name(LinkEnd::Near), self.end_name(LinkEnd::Far));
                match (db(*near_db), db(*far_db), italian) {
                    (a, b, true) if a == b => format!("Il livello ricevuto è sceso di {a} dB su entrambi i lati."),
                    (a, b, true) => {
                        format!("Il livello ricevuto è sceso di {a} dB sul lato {near} e di {b} dB sul lato {far}.")
                    }
                    (a, b, false) if a == b => format!("The received level fell by {a} dB at both ends."),
                    (a, b, false) => format!("The received level fell by {a} dB at {near} and by {b} dB at {far}."),
                }
            }
            (Reason::RslFellOneEnd { end, db: value }, true) => {
                format!("Il livello ricevuto sul lato {} è sceso di {} dB.", self.end_name(*end), db(*value))
            }
            (Reason::RslFellOneEnd { end, db: value }, false) => {
                format!("The received level at {} fell by {} dB.", self.end_name(*end), db(*value))
            }
            (Reason::RslUsual, true) => "Il livello ricevuto è quello abituale.".into(),
            (Reason::RslUsual, false) => "The received level is as usual.".into(),
            (Reason::NeighboursSteady { n: 1 }, true) => {
                "Un’altra tratta della zona, nella stessa banda, è regolare: pioggia improbabile.".into()
            }
            (Reason::NeighboursSteady { n: 1 }, false) => {
                "Another link nearby, on the same band, is fine: rain is unlikely.".into()
            }
            (Reason::NeighboursSteady { .. }, true) => {
                "Le altre tratte della zona, nella stessa banda, sono regolari: pioggia improbabile.".into()
            }
            (Reason::NeighboursSteady { .. }, false) => {
                "The other links nearby, on the same band, are fine: rain is unlikely.".into()
            }
            (Reason::NeighboursFaded { n: 1 }, true) => {
                "Nella zona è in calo anche un’altra tratta della stessa banda.".into()
            }
            (Reason::NeighboursFaded { n: 1 }, false) => "Another link nearby, on the same band, is fading too.".into(),
            (Reason::NeighboursFaded { n }, true) => {
                format!("Nella zona sono in calo anche altre {n} tratte della stessa banda.")
            }
            (Reason::NeighboursFaded { n }, false) => {
                format!("{n} other links nearby, on the same band, are fading too.")
            }
            (Reason::SnrFell { end, db: value }, true) => format!(
                "Sul lato {} il rapporto segnale/rumore è sceso di {} dB, a livello ricevuto invariato.",
                self.end_name(*end),
                db(*value)
            ),
            (Reason::SnrFell { end, db: value }, false) => format!(
                "At {} the signal-to-noise ratio fell by {} dB while the received level stayed.",
                self.end_name(*end),
                db(*value)
            ),
            (Reason::PortLimits { end, rate_mbps }, true) => {
                let is = tense("è", "era");
                format!("La porta Ethernet sul lato {} {is} negoziata a {} Mbps.", self.end_name(*end), db(*rate_mbps))
            }
            (Reason::PortLimits { end, rate_mbps }, false) => {
                let runs = tense("runs", "ran");
                format!("The Ethernet port at {} {runs} at {} Mbps.", self.end_name(*end), db(*rate_mbps))
            }
            (Reason::SupplyLow { end, volts }, italian) => {
                let volts = words::decimal(self.language, *volts, 1);
                let end = self.end_name(*end);
                if italian {
                    format!("All’ultima lettura la tensione sul lato {end} era di {volts} V.")
                } else {
                    format!("At the last reading the supply at {end} was {volts} V.")
                }
            }
            (Reason::SiteSilent { end }, true) => {
                let answers = tense("risponde", "rispondeva");
                format!("Nel sito di {} non {answers} alcun apparato.", self.end_name(*end))
            }
            (Reason::SiteSilent { end }, false) => {
                format!("No device at {} {}.", self.end_name(*end), tense("answers", "answered"))
            }
            (Reason::AirtimeHigh { end, percent }, true) => {
                let is = tense("è", "era");
                format!("Sul lato {} il tempo radio {is} occupato al {} %.", self.end_name(*end), db(*percent))
            }
            (Reason::AirtimeHigh { end, percent }, false) => {
                let is = tense("is", "was");
                format!("Air time at {} {is} {}% used.", self.end_name(*end), db(*percent))
            }
            (Reason::NoiseRose { end, db: rise }, true) => {
                format!("Il rumore sul lato {} è salito di {} dB.", self.end_name(*end), db(*rise))
            }
            (Reason::NoiseRose { end, db: rise }, false) => {
                format!("The noise floor at {} rose by {} dB.", self.end_name(*end), db(*rise))
            }
            (Reason::ThroughputNearCapacity { percent }, true) => {
                format!("Il traffico occupa il {} % della capacità.", db(*percent))
            }
            (Reason::ThroughputNearCapacity { percent }, false) => {
                format!("Traffic takes {}% of the capacity.", db(*percent))
            }
            (Reason::Hot { end, celsius }, true) => {
                format!("L’apparato sul lato {} è a {} °C.", self.end_name(*end), db(*celsius))
            }
            (Reason::Hot { end, celsius }, false) => {
                format!("The device at {} is at {} °C.", self.end_name(*end), db(*celsius))
            }
            (Reason::FirmwareChanged { end }, true) => {
                format!("Il firmware sul lato {} è cambiato.", self.end_name(*end))
            }
            (Reason::FirmwareChanged { end }, false) => format!("The firmware at {} has changed.", self.end_name(*end)),
            (Reason::SupplyFell { end, volts }, true) => {
                format!("Sul lato {} la tensione era scesa di {} V.", self.end_name(*end), db(*volts))
            }
            (Reason::SupplyFell { end, volts }, false) => {
                format!("The supply at {} had fallen by {} V.", self.end_name(*end), db(*volts))
            }
            // The table has the volts.
            (Reason::SupplyGood, _) => return None,
        })
    }

    /// The ends that may be shown: those of a link that the incident's own operator runs.
    pub fn ends(&self) -> Vec<&EvidenceEnd> {
        let link = self.incident.detail.evidence_link.as_ref();
        let link = link.and_then(|id| self.network.links.get(id.as_str()));
        if link.is_some_and(|link| link.wisp != self.incident.wisp) {
            return Vec::new();
        }
        [&self.incident.near, &self.incident.far].into_iter().flatten().collect()
    }

    /// RSL of one end: usual and then.
    pub fn rsl(&self, end: &EvidenceEnd) -> Option<String> {
        let dbm = |value: f64| words::decimal(self.language, value, 0);
        let lost = self.incident.condition == Condition::LinkDown
            && matches!((end.rsl_dbm_usual, end.rsl_dbm), (Some(u), Some(n)) if u - n < RSL_USUAL_DB);
        match (end.rsl_dbm_usual, end.rsl_dbm) {
            // The last level before the link went was as usual: then it was gone.
            (Some(usual), Some(_)) if lost => Some(format!("{} dBm → {}", dbm(usual), self.pick("assente", "none"))),
            (Some(usual), Some(then)) => Some(format!("{} → {} dBm", dbm(usual), dbm(then))),
            (Some(usual), None) => Some(format!("{} dBm → {}", dbm(usual), self.pick("n.d.", "n/a"))),
            (None, Some(then)) => Some(format!("{} dBm", dbm(then))),
            (None, None) => None,
        }
    }

    /// Where the incident can be followed; `None` where there is no public address.
    pub fn page(&self) -> Option<String> {
        let staff = || self.public_url.map(|url| format!("{}/i/{}", url.trim_end_matches('/'), self.incident.number));
        self.link.map(str::to_owned).or_else(staff)
    }

    pub fn signature(&self, from: &str) -> String {
        let name = clean(&self.network.name);
        format!("{name} – {} – {from}", self.pick("monitoraggio della rete", "network monitoring"))
    }

    /// How the end of the incident went: since, until, how long, how long below what is required.
    pub fn course(&self) -> String {
        let end = self.incident.recovered_at().unwrap_or(self.now);
        let whole = self.duration(end.since(self.incident.since));
        let below = self.duration(Duration::from_millis(self.incident.detail.below_ms));
        let days = [self.incident.since, end].map(|at| {
            let day = words::which_day(self.language, &self.zone, at, self.now);
            if day == self.pick("di oggi", "today") { String::new() } else { format!(" {day}") }
        });
        let span = if self.italian() {
            let from = words::since_clock(self.language, &self.zone, self.incident.since);
            let until = words::at_clock(self.language, &self.zone, end);
            format!("{from}{} {until}{}", days[0], days[1])
        } else {
            let clock = |at| words::clock(&self.zone, at);
            format!("{}{} to {}{}", clock(self.incident.since), days[0], clock(end), days[1])
        };
        let known = match (self.incident.condition, self.italian()) {
            _ if whole == below => String::new(),
            (Condition::LinkDown, true) => format!(", di cui {below} accertati senza collegamento"),
            (Condition::LinkDown, false) => format!(", {below} of it known to be down"),
            (Condition::OnStandby, true) => format!(", di cui {below} accertati sulla riserva"),
            (Condition::OnStandby, false) => format!(", {below} of it known to be on the backup"),
            (Condition::CapacityBelow | Condition::SiteBelowTarget, true) => {
                format!(", di cui {below} sotto il minimo")
            }
            (Condition::CapacityBelow | Condition::SiteBelowTarget, false) => {
                format!(", {below} of it below the minimum")
            }
            // Of other conditions the rest is their own hold time, and "the minimum" is nothing that they know.
            _ => String::new(),
        };
        format!("{} {whole} ({span}){known}.", bold(self.pick("Durata:", "Duration:")))
    }
}
