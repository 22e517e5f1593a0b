//! The answer in one sentence: how many are well, how that is known, and how many faults hold the others down. `[P]`

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::figures;
use super::snapshot::Snapshot;
use crate::alert::{Condition, Incident, IncidentState, Subject};
use crate::model::network::{Language, SiteKind};
use crate::model::view::{Direction, Known, SiteView, TargetState};
use crate::model::{SiteId, UnixMillis};

/// Counts that the headline is made from. A site counts once: its worse direction.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// The counts are of municipalities; of all sites with a promise where there is no municipality.
    pub of_municipalities: bool,
    pub total: u32,
    /// Their common downstream target, Mbps; null where they differ.
    pub target_mbps: Option<f64>,
    /// Promise kept, measured.
    pub verified: u32,
    /// Promise kept, by what the equipment says.
    pub estimated: u32,
    /// Promise kept only as far as contracts say.
    pub declared: u32,
    pub below: u32,
    pub unknown: u32,
    /// Incidents that hold those below down, consequences left out.
    pub faults: u32,
    /// People in the municipalities below.
    pub residents_below: u64,
    /// Sites with a promise that are no municipalities (schools, town halls), and how many of them are below.
    pub others_total: u32,
    pub others_below: u32,
    pub others_unknown: u32,
}

impl Summary {
    /// Promises known to be kept: verified and estimated.
    pub fn met(&self) -> u32 {
        self.verified + self.estimated
    }
}

/// What a site as a whole counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Below,
    Unknown,
    Declared,
    Estimated,
    Verified,
}

/// The standing of one direction.
pub fn standing(state: TargetState, known: Known) -> Standing {
    match (state, known) {
        (TargetState::Below, _) => Standing::Below,
        (TargetState::Unknown, _) | (TargetState::Met, Known::NotMeasurable) => Standing::Unknown,
        (TargetState::Met, Known::Declared) => Standing::Declared,
        (TargetState::Met, Known::Estimated) => Standing::Estimated,
        (TargetState::Met, Known::Verified) => Standing::Verified,
    }
}

/// The worse of a site's directions.
pub fn standing_of(site: &SiteView) -> Standing {
    let down = standing(site.downstream.state, site.downstream.known);
    site.upstream.as_ref().map_or(down, |up| down.min(standing(up.state, up.known)))
}

/// Open incidents by what they explain.
pub struct Explanations<'a> {
    own: BTreeMap<(&'a SiteId, Direction), &'a Incident>,
    roots: BTreeMap<&'a SiteId, Vec<&'a Incident>>,
}

impl<'a> Explanations<'a> {
    /// Takes the incidents that are not closed.
    pub fn of(incidents: &'a [Incident]) -> Self {
        let mut own = BTreeMap::new();
        let mut roots: BTreeMap<&SiteId, Vec<&Incident>> = BTreeMap::new();
        for incident in incidents.iter().filter(|i| i.state != IncidentState::Closed) {
            if let (Condition::SiteBelowTarget, Subject::Site(site)) = (incident.condition, &incident.subject) {
                own.insert((site, incident.direction.unwrap_or(Direction::Downstream)), incident);
            }
            if incident.is_consequence() {
                continue;
            }
            let hit: BTreeSet<&SiteId> = incident.sites_below.iter().chain(&incident.sites_cut_off).collect();
            for site in hit {
                roots.entry(site).or_default().push(incident);
            }
        }
        Self { own, roots }
    }

    /// The incidents, none a consequence, that hold the site down.
    pub fn roots(&self, site: &SiteId) -> &[&'a Incident] {
        self.roots.get(site).map_or(&[], Vec::as_slice)
    }

    /// Since when the site lacks its promise in this direction, as far as incidents say.
    pub fn since(&self, site: &SiteId, direction: Direction) -> Option<UnixMillis> {
        let own = self.own.get(&(site, direction)).map(|i| i.since);
        own.or_else(|| self.roots(site).iter().map(|i| i.since).min())
    }
}

/// Counts the sites of the snapshot.
pub fn summarize(snapshot: &Snapshot, explanations: &Explanations<'_>) -> Summary {
    let kind = |site: &SiteView| snapshot.network.sites.get(&site.id).map(|s| s.kind);
    let of_municipalities = snapshot.view.sites.values().any(|s| kind(s) == Some(SiteKind::Municipality));
    let mut summary = Summary { of_municipalities, ..Summary::default() };
    let mut targets = BTreeSet::new();
    let mut faults = BTreeSet::new();
    for site in snapshot.view.sites.values() {
        let standing = standing_of(site);
        if of_municipalities && kind(site) != Some(SiteKind::Municipality) {
            summary.others_total += 1;
            summary.others_below += u32::from(standing == Standing::Below);
            summary.others_unknown += u32::from(standing == Standing::Unknown);
            continue;
        }
        summary.total += 1;
        targets.insert(site.downstream.target_mbps.to_bits());
        match standing {
            Standing::Verified => summary.verified += 1,
            Standing::Estimated => summary.estimated += 1,
            Standing::Declared => summary.declared += 1,
            Standing::Unknown => summary.unknown += 1,
            Standing::Below => {
                summary.below += 1;
                let residents = snapshot.network.sites.get(&site.id).and_then(|s| s.residents);
                summary.residents_below += residents.map_or(0, u64::from);
                faults.extend(explanations.roots(&site.id).iter().map(|i| (i.number, i.subject.clone())));
            }
        }
    }
    summary.faults = u32::try_from(faults.len()).unwrap_or(u32::MAX);
    if let (1, Some(bits)) = (targets.len(), targets.first()) {
        summary.target_mbps = Some(f64::from_bits(*bits));
    }
    summary
}

/// `34 comuni su 38 hanno almeno 30 Mbps (29 verificati, 5 stimati); 4 sono sotto per 2 guasti.`
pub fn headline(summary: &Summary, language: Language) -> String {
    match language {
        Language::Italian => headline_it(summary),
        Language::English => headline_en(summary),
    }
}

fn headline_it(s: &Summary) -> String {
    let noun = |n: u32| match (s.of_municipalities, n) {
        (true, 1) => "comune",
        (true, _) => "comuni",
        (false, 1) => "sito",
        (false, _) => "siti",
    };
    if s.total == 0 {
        return "Nessun sito ha un minimo promesso.".to_owned();
    }
    if s.unknown == s.total {
        return match s.total {
            1 => format!("Il solo {} con un minimo promesso non è ancora misurabile.", noun(1)),
            n => format!("Nessuno dei {n} {} è ancora misurabile.", noun(n)),
        };
    }
    let promise = s.target_mbps.map_or_else(
        || "quanto promesso".to_owned(),
        |t| format!("almeno {} Mbps", figures::mbps(t, Language::Italian)),
    );
    let met = s.met();
    let text = match met {
        0 => format!("Nessun {} su {} ha {promise}", noun(1), s.total),
        n if n == s.total && n > 1 => format!("Tutti i {n} {} hanno {promise}", noun(n)),
        1 => format!("1 {} su {} ha {promise}", noun(1), s.total),
        n => format!("{n} {} su {} hanno {promise}", noun(n), s.total),
    };
    let mut clauses =
        vec![text + &known(&[(s.verified, "verificato", "verificati"), (s.estimated, "stimato", "stimati")])];
    let below = if s.below == 1 { "1 è sotto".to_owned() } else { format!("{} sono sotto", s.below) };
    match (s.below, s.faults) {
        (0, _) => {}
        (_, 0) => clauses.push(below),
        (_, 1) => clauses.push(format!("{below} per 1 guasto")),
        (_, n) => clauses.push(format!("{below} per {n} guasti")),
    }
    match s.declared {
        0 => {}
        1 => clauses.push("1 lo ha solo per contratto".to_owned()),
        n => clauses.push(format!("{n} lo hanno solo per contratto")),
    }
    match s.unknown {
        0 => {}
        1 => clauses.push("1 non è misurabile".to_owned()),
        n => clauses.push(format!("{n} non sono misurabili")),
    }
    clauses.join("; ") + "."
}

fn headline_en(s: &Summary) -> String {
    let noun = |n: u32| match (s.of_municipalities, n) {
        (true, 1) => "municipality",
        (true, _) => "municipalities",
        (false, 1) => "site",
        (false, _) => "sites",
    };
    if s.total == 0 {
        return "No site has a promised minimum.".to_owned();
    }
    if s.unknown == s.total {
        return match s.total {
            1 => format!("The only {} with a promised minimum cannot be measured yet.", noun(1)),
            n => format!("None of the {n} {} can be measured yet.", noun(n)),
        };
    }
    let promise = s.target_mbps.map_or_else(
        || "what was promised".to_owned(),
        |t| format!("at least {} Mbps", figures::mbps(t, Language::English)),
    );
    let met = s.met();
    let text = match met {
        0 => format!("None of {} {} has {promise}", s.total, noun(s.total)),
        n if n == s.total && n > 1 => format!("All {n} {} have {promise}", noun(n)),
        1 => format!("1 of {} {} has {promise}", s.total, noun(s.total)),
        n => format!("{n} of {} {} have {promise}", s.total, noun(s.total)),
    };
    let mut clauses =
        vec![text + &known(&[(s.verified, "verified", "verified"), (s.estimated, "estimated", "estimated")])];
    let below = format!("{} {} below", s.below, if s.below == 1 { "is" } else { "are" });
    match (s.below, s.faults) {
        (0, _) => {}
        (_, 0) => clauses.push(below),
        (_, 1) => clauses.push(format!("{below} because of 1 fault")),
        (_, n) => clauses.push(format!("{below} because of {n} faults")),
    }
    match s.declared {
        0 => {}
        1 => clauses.push("1 has it by contract only".to_owned()),
        n => clauses.push(format!("{n} have it by contract only")),
    }
    if s.unknown > 0 {
        clauses.push(format!("{} cannot be measured", s.unknown));
    }
    clauses.join("; ") + "."
}

/// ` (29 verificati, 5 stimati)`; nothing where nothing is known.
fn known(counts: &[(u32, &str, &str)]) -> String {
    let parts: Vec<String> = counts
        .iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, one, many)| format!("{n} {}", if *n == 1 { one } else { many }))
        .collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

/// What is below among schools, town halls and the like; `None` where there are none.
pub fn others_line(s: &Summary, language: Language) -> Option<String> {
    if s.others_total == 0 {
        return None;
    }
    let (n, below, unknown) = (s.others_total, s.others_below, s.others_unknown);
    let well = n.saturating_sub(below + unknown);
    Some(match language {
        Language::Italian => format!("Scuole e altri siti con un proprio minimo: {well} su {n} in regola."),
        Language::English => format!("Schools and other sites with a minimum of their own: {well} of {n} as promised."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(summary: &Summary, it: &str, en: &str) {
        assert_eq!(headline(summary, Language::Italian), it);
        assert_eq!(headline(summary, Language::English), en);
    }

    fn alta_langa() -> Summary {
        Summary {
            of_municipalities: true,
            total: 38,
            target_mbps: Some(30.0),
            verified: 29,
            estimated: 5,
            below: 4,
            faults: 2,
            ..Summary::default()
        }
    }

    #[test]
    fn the_headline_is_a_sentence() {
        check(
            &alta_langa(),
            "34 comuni su 38 hanno almeno 30 Mbps (29 verificati, 5 stimati); 4 sono sotto per 2 guasti.",
            "34 of 38 municipalities have at least 30 Mbps (29 verified, 5 estimated); 4 are below because of 2 faults.",
        );
    }

    #[test]
    fn the_headline_agrees_in_number() {
        check(
            &Summary { verified: 1, estimated: 36, below: 1, faults: 1, ..alta_langa() },
            "37 comuni su 38 hanno almeno 30 Mbps (1 verificato, 36 stimati); 1 è sotto per 1 guasto.",
            "37 of 38 municipalities have at least 30 Mbps (1 verified, 36 estimated); 1 is below because of 1 fault.",
        );
        check(
            &Summary { verified: 0, estimated: 38, below: 0, faults: 0, ..alta_langa() },
            "Tutti i 38 comuni hanno almeno 30 Mbps (38 stimati).",
            "All 38 municipalities have at least 30 Mbps (38 estimated).",
        );
        check(
            &Summary { verified: 0, estimated: 0, below: 35, faults: 0, declared: 1, unknown: 2, ..alta_langa() },
            "Nessun comune su 38 ha almeno 30 Mbps; 35 sono sotto; 1 lo ha solo per contratto; 2 non sono misurabili.",
            "None of 38 municipalities has at least 30 Mbps; 35 are below; 1 has it by contract only; 2 cannot be measured.",
        );
        check(
            &Summary {
                of_municipalities: false,
                total: 2,
                target_mbps: None,
                verified: 1,
                unknown: 1,
                ..Summary::default()
            },
            "1 sito su 2 ha quanto promesso (1 verificato); 1 non è misurabile.",
            "1 of 2 sites has what was promised (1 verified); 1 cannot be measured.",
        );
    }

    #[test]
    fn before_the_first_reading_it_does_not_pretend() {
        check(
            &Summary { of_municipalities: true, total: 38, unknown: 38, ..Summary::default() },
            "Nessuno dei 38 comuni è ancora misurabile.",
            "None of the 38 municipalities can be measured yet.",
        );
        check(&Summary::default(), "Nessun sito ha un minimo promesso.", "No site has a promised minimum.");
    }

    #[test]
    fn a_promise_kept_without_a_measurement_counts_as_unknown() {
        assert_eq!(standing(TargetState::Met, Known::NotMeasurable), Standing::Unknown);
        assert_eq!(standing(TargetState::Below, Known::Declared), Standing::Below);
        assert!(Standing::Below < Standing::Unknown && Standing::Unknown < Standing::Declared);
    }
}
