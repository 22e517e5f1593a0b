//! Why a link is probably weak: small rules over the evidence of both ends, each with its reasons. `[P]`
//!
//! The first rule that holds wins; "unknown" is an answer. The rules, in order:
//! 1. **Port**: an Ethernet port at 100 Mbps or less sets the capacity.
//! 2. **Power**: a supply below what its battery voltage allows, or fallen by a tenth before a device went silent, or
//!    a whole site silent on more than one link.
//! 3. **Rain fade**: RSL down, both ends alike (rain attenuates both directions alike), and other links of the band
//!    in the area down too. Never below 10 GHz, where rain costs under 0.1 dB/km (ITU-R P.838).
//! 4. **Misalignment or obstruction**: RSL at least 8 dB down where it is known, the neighbours as usual.
//! 5. **Interference**: SNR down, or the noise floor up, while RSL stays; surer where it is one end only.
//! 6. **Congestion**: air time used up, or what passes near what can, while RSL stays.
//! 7. **Equipment**: RSL as usual, and a device too hot or with another firmware than while the link was well.
//! 8. **Power**, with low confidence: a whole site silent behind this one link, which may as well be the link.

use super::evidence::Neighbours;
use super::incident::{Confidence, EvidenceEnd, Limit, LinkEnd, ProbableCause, Reason};

const RAIN_DROP_DB: f64 = 5.0;
/// Two directions of one path fade alike; radios report in steps of 1 to 2 dB.
const SYMMETRY_DB: f64 = 5.0;
const STEP_DROP_DB: f64 = 8.0;
/// Within this RSL counts as usual: what radios report moves by 1 to 2 dB with temperature alone.
const USUAL_DB: f64 = 3.0;
const SNR_DROP_DB: f64 = 5.0;
/// Rain matters from here on.
const RAIN_FROM_MHZ: f64 = 10_000.0;
const AIRTIME_FULL_PERCENT: f64 = 90.0;
const PORT_SLOW_MBPS: f64 = 100.0;
/// The noise floor of a clean channel moves by 1 to 3 dB.
const NOISE_RISE_DB: f64 = 5.0;
const LOAD_FULL: f64 = 0.9;
/// Boards are rated for 85 °C at the most.
const HOT_CELSIUS: f64 = 80.0;
/// A battery that gives up falls by more than a tenth of its voltage, a supply in regulation by less than a twentieth.
const SUPPLY_FALL: f64 = 0.1;
/// Lead-acid systems of 12, 24 and 48 V, about empty (1.95 V a cell) below these; the first figure tells the system.
const SUPPLIES: [(f64, f64); 3] = [(36.0, 46.8), (18.0, 23.4), (9.0, 11.7)];

#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub near: Option<&'a EvidenceEnd>,
    pub far: Option<&'a EvidenceEnd>,
    pub limit: Option<&'a Limit>,
    pub neighbours: Neighbours,
    /// Family of the radios.
    pub profile: Option<&'a str>,
    pub channel_mhz: Option<f64>,
    /// Throughput as a share of capacity.
    pub load: Option<f64>,
    /// Near, far: where every device at the site of that end is silent, how many other links are known to be down
    /// there.
    pub silent: [Option<usize>; 2],
}

#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    pub cause: ProbableCause,
    pub confidence: Confidence,
    pub reasons: Vec<Reason>,
}

impl Diagnosis {
    fn new(cause: ProbableCause, confidence: Confidence, reasons: Vec<Reason>) -> Self {
        Self { cause, confidence, reasons }
    }
}

pub fn diagnose(facts: &Facts<'_>) -> Diagnosis {
    let drops = [facts.near, facts.far].map(|end| rsl_drop(end?));
    let mut found = port(facts)
        .or_else(|| power(facts))
        .or_else(|| rain(facts, drops))
        .or_else(|| misaligned(facts, drops))
        .or_else(|| interference(facts, drops))
        .or_else(|| congestion(facts, drops))
        .or_else(|| equipment(facts, drops))
        .or_else(|| silent_behind_the_link(facts))
        .unwrap_or_else(|| unknown(drops));
    let supplies: Vec<f64> = ends(facts).filter_map(|(_, e)| e.supply_volts).collect();
    if found.cause != ProbableCause::Power && !supplies.is_empty() && !supplies.iter().any(|v| is_low(*v)) {
        found.reasons.push(Reason::SupplyGood);
    }
    found
}

fn ends<'a>(facts: &Facts<'a>) -> impl Iterator<Item = (LinkEnd, &'a EvidenceEnd)> + use<'a> {
    let pair = [(LinkEnd::Near, facts.near), (LinkEnd::Far, facts.far)];
    pair.into_iter().filter_map(|(end, evidence)| Some((end, evidence?)))
}

/// By how much RSL is below what is usual, dB.
pub fn rsl_drop(end: &EvidenceEnd) -> Option<f64> {
    Some(end.rsl_dbm_usual? - end.rsl_dbm?)
}

/// Below what a battery of its system may fall to.
pub fn is_low(volts: f64) -> bool {
    SUPPLIES.iter().find(|(from, _)| volts >= *from).is_some_and(|(_, low)| volts < *low)
}

fn port(facts: &Facts<'_>) -> Option<Diagnosis> {
    let Some(Limit::Port(at, _)) = facts.limit else { return None };
    let (end, evidence) = ends(facts).find(|(end, _)| end == at)?;
    let rate_mbps = evidence.port_rate_mbps.filter(|rate| *rate <= PORT_SLOW_MBPS)?;
    Some(Diagnosis::new(ProbableCause::PortRate, Confidence::High, vec![Reason::PortLimits { end, rate_mbps }]))
}

fn power(facts: &Facts<'_>) -> Option<Diagnosis> {
    let silent = silent_end(facts);
    for (end, evidence) in ends(facts) {
        if let Some(volts) = evidence.supply_volts.filter(|v| is_low(*v)) {
            let confidence = if evidence.answers == Some(false) { Confidence::High } else { Confidence::Medium };
            let mut reasons = vec![Reason::SupplyLow { end, volts }];
            reasons.extend(silent.filter(|(at, _)| *at == end).map(|(end, _)| Reason::SiteSilent { end }));
            return Some(Diagnosis::new(ProbableCause::Power, confidence, reasons));
        }
    }
    for (end, evidence) in ends(facts).filter(|(_, e)| e.answers == Some(false)) {
        let fall = evidence.supply_volts_usual.zip(evidence.supply_volts).map(|(usual, last)| (usual - last, usual));
        if let Some((volts, _)) = fall.filter(|(volts, usual)| *volts >= usual * SUPPLY_FALL) {
            let reasons = vec![Reason::SupplyFell { end, volts }];
            return Some(Diagnosis::new(ProbableCause::Power, Confidence::Medium, reasons));
        }
    }
    let (end, others) = silent.filter(|(_, others)| *others > 0)?;
    // Seen from three sides or more.
    let confidence = if others >= 2 { Confidence::High } else { Confidence::Medium };
    Some(Diagnosis::new(ProbableCause::Power, confidence, vec![Reason::SiteSilent { end }]))
}

/// The end whose site is silent. Both sites silent is the path to them, not two power cuts.
fn silent_end(facts: &Facts<'_>) -> Option<(LinkEnd, usize)> {
    match facts.silent {
        [Some(others), None] => Some((LinkEnd::Near, others)),
        [None, Some(others)] => Some((LinkEnd::Far, others)),
        _ => None,
    }
}

fn silent_behind_the_link(facts: &Facts<'_>) -> Option<Diagnosis> {
    let (end, _) = silent_end(facts)?;
    Some(Diagnosis::new(ProbableCause::Power, Confidence::Low, vec![Reason::SiteSilent { end }]))
}

/// Where rain does not matter: by frequency, else by the families that work at 5 GHz.
fn below_10_ghz(facts: &Facts<'_>) -> bool {
    match (facts.channel_mhz, facts.profile) {
        (Some(mhz), _) => mhz < RAIN_FROM_MHZ,
        (None, Some(p)) => p.contains("airmax") || p.contains("5ghz") || p.contains("classic"),
        (None, None) => false,
    }
}

fn fell(drops: [Option<f64>; 2]) -> Reason {
    match drops {
        [Some(near_db), Some(far_db)] => Reason::RslFellBothEnds { near_db, far_db },
        [None, far] => Reason::RslFellOneEnd { end: LinkEnd::Far, db: far.unwrap_or_default() },
        [Some(db), None] => Reason::RslFellOneEnd { end: LinkEnd::Near, db },
    }
}

fn rain(facts: &Facts<'_>, drops: [Option<f64>; 2]) -> Option<Diagnosis> {
    let known: Vec<f64> = drops.into_iter().flatten().collect();
    let fading = !known.is_empty() && known.iter().all(|db| *db >= RAIN_DROP_DB);
    let alike = !matches!(drops, [Some(a), Some(b)] if (a - b).abs() > SYMMETRY_DB);
    let n = facts.neighbours.faded;
    if !fading || !alike || n == 0 || below_10_ghz(facts) {
        return None;
    }
    let confidence = if n >= 2 && known.len() == 2 { Confidence::High } else { Confidence::Medium };
    Some(Diagnosis::new(ProbableCause::RainFade, confidence, vec![fell(drops), Reason::NeighboursFaded { n }]))
}

fn misaligned(facts: &Facts<'_>, drops: [Option<f64>; 2]) -> Option<Diagnosis> {
    let known: Vec<f64> = drops.into_iter().flatten().collect();
    if known.is_empty() || !known.iter().all(|db| *db >= STEP_DROP_DB) {
        return None;
    }
    let n = facts.neighbours.steady;
    let steady = n > facts.neighbours.faded;
    let mut reasons = vec![fell(drops)];
    if steady {
        reasons.push(Reason::NeighboursSteady { n });
    }
    // Without neighbours to compare with, rain at high frequencies cannot be ruled out.
    let rain_out = steady || below_10_ghz(facts);
    let confidence = match (known.len(), rain_out) {
        (2, true) if n >= 2 || below_10_ghz(facts) => Confidence::High,
        (_, true) => Confidence::Medium,
        (_, false) => Confidence::Low,
    };
    Some(Diagnosis::new(ProbableCause::Misalignment, confidence, reasons))
}

/// How this end hears worse although it receives as much.
fn noisier(end: LinkEnd, evidence: &EvidenceEnd, drop: Option<f64>) -> Option<Reason> {
    drop.filter(|db| db.abs() < USUAL_DB)?;
    let fell = evidence.snr_db_usual.zip(evidence.snr_db).map(|(usual, now)| usual - now);
    let rose = evidence.noise_floor_dbm_usual.zip(evidence.noise_floor_dbm).map(|(usual, now)| now - usual);
    let snr = fell.filter(|db| *db >= SNR_DROP_DB).map(|db| Reason::SnrFell { end, db });
    snr.or_else(|| rose.filter(|db| *db >= NOISE_RISE_DB).map(|db| Reason::NoiseRose { end, db }))
}

fn interference(facts: &Facts<'_>, drops: [Option<f64>; 2]) -> Option<Diagnosis> {
    let both = [(LinkEnd::Near, facts.near), (LinkEnd::Far, facts.far)];
    let mut reasons: Vec<Reason> =
        both.into_iter().zip(drops).filter_map(|((end, e), drop)| noisier(end, e?, drop)).collect();
    if reasons.is_empty() {
        return None;
    }
    reasons.push(Reason::RslUsual);
    Some(Diagnosis::new(ProbableCause::Interference, Confidence::Medium, reasons))
}

fn congestion(facts: &Facts<'_>, drops: [Option<f64>; 2]) -> Option<Diagnosis> {
    if drops.into_iter().flatten().any(|db| db >= USUAL_DB) {
        return None;
    }
    let airtime = ends(facts).filter_map(|(end, e)| Some((end, e.airtime_percent?))).max_by(|a, b| a.1.total_cmp(&b.1));
    let mut reasons = Vec::new();
    if let Some((end, percent)) = airtime.filter(|(_, percent)| *percent >= AIRTIME_FULL_PERCENT) {
        reasons.push(Reason::AirtimeHigh { end, percent });
    }
    if let Some(load) = facts.load.filter(|load| *load >= LOAD_FULL) {
        reasons.push(Reason::ThroughputNearCapacity { percent: load * 100.0 });
    }
    let confidence = match reasons.as_slice() {
        [] => return None,
        [Reason::ThroughputNearCapacity { .. }] => Confidence::Low,
        _ => Confidence::Medium,
    };
    Some(Diagnosis::new(ProbableCause::Congestion, confidence, reasons))
}

fn equipment(facts: &Facts<'_>, drops: [Option<f64>; 2]) -> Option<Diagnosis> {
    if drops.into_iter().flatten().any(|db| db.abs() >= USUAL_DB) {
        return None;
    }
    let mut reasons = Vec::new();
    for (end, evidence) in ends(facts) {
        if let Some(celsius) = evidence.temperature_celsius.filter(|c| *c >= HOT_CELSIUS) {
            reasons.push(Reason::Hot { end, celsius });
        }
        if evidence.firmware_before.is_some() {
            reasons.push(Reason::FirmwareChanged { end });
        }
    }
    let confidence = if reasons.len() > 1 { Confidence::Medium } else { Confidence::Low };
    (!reasons.is_empty()).then(|| Diagnosis::new(ProbableCause::Equipment, confidence, reasons))
}

fn unknown(drops: [Option<f64>; 2]) -> Diagnosis {
    let known: Vec<f64> = drops.into_iter().flatten().collect();
    let mut reasons = Vec::new();
    if !known.is_empty() {
        let usual = known.iter().all(|db| db.abs() < USUAL_DB);
        reasons.push(if usual { Reason::RslUsual } else { fell(drops) });
    }
    Diagnosis { cause: ProbableCause::Unknown, confidence: Confidence::Low, reasons }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(rsl: f64) -> EvidenceEnd {
        EvidenceEnd {
            answers: Some(true),
            rsl_dbm_usual: Some(-55.0),
            rsl_dbm: Some(rsl),
            snr_db_usual: Some(20.0),
            snr_db: Some(20.0),
            port_rate_mbps: Some(1000.0),
            supply_volts: Some(24.1),
            ..EvidenceEnd::default()
        }
    }

    fn facts<'a>(near: &'a EvidenceEnd, far: &'a EvidenceEnd, faded: usize, steady: usize) -> Facts<'a> {
        Facts {
            near: Some(near),
            far: Some(far),
            limit: None,
            neighbours: Neighbours { faded, steady },
            profile: Some("ubiquiti-af60"),
            channel_mhz: None,
            load: None,
            silent: [None, None],
        }
    }

    #[track_caller]
    fn check(facts: &Facts<'_>, cause: ProbableCause, confidence: Confidence) {
        let found = diagnose(facts);
        assert_eq!((found.cause, found.confidence), (cause, confidence), "{:?}", found.reasons);
    }

    #[test]
    fn several_links_fading_alike_are_rain() {
        let (near, far) = (end(-68.0), end(-66.0));
        check(&facts(&near, &far, 3, 0), ProbableCause::RainFade, Confidence::High);
        check(&facts(&near, &far, 1, 4), ProbableCause::RainFade, Confidence::Medium);
    }

    #[test]
    fn rain_is_no_explanation_at_5_ghz() {
        let (near, far) = (end(-68.0), end(-66.0));
        let facts = Facts { profile: Some("ubiquiti-airmax-ac"), ..facts(&near, &far, 3, 0) };
        check(&facts, ProbableCause::Misalignment, Confidence::High);
    }

    #[test]
    fn the_band_is_told_by_frequency_before_the_name() {
        let (near, far) = (end(-68.0), end(-66.0));
        for (profile, channel_mhz, cause) in [
            ("mikrotik", Some(58_320.0), ProbableCause::RainFade),
            ("mikrotik", Some(5_745.0), ProbableCause::Misalignment),
            ("mikrotik", None, ProbableCause::RainFade),
            ("ubiquiti-airmax-ac", None, ProbableCause::Misalignment),
            ("ubiquiti-airmax-ac", Some(24_050.0), ProbableCause::RainFade),
        ] {
            let found = diagnose(&Facts { profile: Some(profile), channel_mhz, ..facts(&near, &far, 2, 3) });
            assert_eq!(found.cause, cause, "{profile} at {channel_mhz:?}");
        }
    }

    #[test]
    fn a_step_at_both_ends_with_the_neighbours_well_is_the_dish() {
        let (near, far) = (end(-74.0), end(-75.0));
        check(&facts(&near, &far, 0, 3), ProbableCause::Misalignment, Confidence::High);
        check(&facts(&near, &far, 0, 1), ProbableCause::Misalignment, Confidence::Medium);
        check(&facts(&near, &far, 0, 0), ProbableCause::Misalignment, Confidence::Low);
    }

    #[test]
    fn snr_down_with_the_level_unchanged_is_interference() {
        let (mut near, far) = (end(-55.0), end(-56.0));
        near.snr_db = Some(11.0);
        check(&facts(&near, &far, 0, 3), ProbableCause::Interference, Confidence::Medium);
    }

    #[test]
    fn a_port_that_fell_to_100_is_the_port() {
        let (mut near, far) = (end(-55.0), end(-56.0));
        near.port_rate_mbps = Some(100.0);
        let limit = Limit::Port(LinkEnd::Near, "eth0".to_owned());
        let slow = Facts { limit: Some(&limit), ..facts(&near, &far, 0, 0) };
        check(&slow, ProbableCause::PortRate, Confidence::High);
        let other = Limit::Port(LinkEnd::Far, "eth0".to_owned());
        check(&Facts { limit: Some(&other), ..slow }, ProbableCause::Unknown, Confidence::Low);
    }

    #[test]
    fn an_empty_battery_and_a_silent_site_are_power() {
        let (mut near, far) = (end(-55.0), end(-56.0));
        near.supply_volts = Some(22.8);
        near.answers = Some(false);
        check(&facts(&near, &far, 0, 0), ProbableCause::Power, Confidence::High);
        let well = end(-55.0);
        let silent = Facts { silent: [None, Some(1)], ..facts(&well, &far, 0, 0) };
        check(&silent, ProbableCause::Power, Confidence::Medium);
        check(&Facts { silent: [None, Some(2)], ..silent }, ProbableCause::Power, Confidence::High);
        // Two silent sites at once are the path to them.
        check(&Facts { silent: [Some(1), Some(1)], ..silent }, ProbableCause::Unknown, Confidence::Low);
        // Behind one link only: perhaps the link.
        let behind = Facts { silent: [None, Some(0)], ..silent };
        check(&behind, ProbableCause::Power, Confidence::Low);
        let (near, far) = (end(-72.0), end(-71.0));
        check(&Facts { near: Some(&near), far: Some(&far), ..behind }, ProbableCause::Misalignment, Confidence::Low);
    }

    #[test]
    fn full_air_time_is_congestion() {
        let (mut near, far) = (end(-55.0), end(-56.0));
        near.airtime_percent = Some(96.0);
        check(&facts(&near, &far, 0, 0), ProbableCause::Congestion, Confidence::Medium);
    }

    #[test]
    fn noise_that_rose_is_interference_too() {
        let (mut near, far) = (end(-55.0), end(-56.0));
        (near.noise_floor_dbm_usual, near.noise_floor_dbm) = (Some(-96.0), Some(-88.0));
        check(&facts(&near, &far, 0, 3), ProbableCause::Interference, Confidence::Medium);
        // With the level down as well it is something else.
        (near.rsl_dbm, near.snr_db) = (Some(-70.0), Some(5.0));
        check(&facts(&near, &far, 0, 3), ProbableCause::Unknown, Confidence::Low);
    }

    #[test]
    fn a_full_link_with_a_good_level_is_congestion() {
        let (near, far) = (end(-55.0), end(-56.0));
        let full = Facts { load: Some(0.95), ..facts(&near, &far, 0, 0) };
        check(&full, ProbableCause::Congestion, Confidence::Low);
        check(&Facts { load: Some(0.5), ..full }, ProbableCause::Unknown, Confidence::Low);
    }

    #[test]
    fn heat_and_a_new_firmware_are_the_equipment() {
        let (mut near, mut far) = (end(-55.0), end(-56.0));
        near.temperature_celsius = Some(84.0);
        check(&facts(&near, &far, 0, 0), ProbableCause::Equipment, Confidence::Low);
        far.firmware_before = Some("v2.5".into());
        check(&facts(&near, &far, 0, 0), ProbableCause::Equipment, Confidence::Medium);
        // A step in the level is the dish, whatever the firmware.
        let (mut near, far) = (end(-75.0), end(-76.0));
        near.firmware_before = Some("v2.5".into());
        check(&facts(&near, &far, 0, 3), ProbableCause::Misalignment, Confidence::High);
    }

    #[test]
    fn a_supply_that_fell_before_the_silence_is_power() {
        let (mut near, far) = (end(-55.0), end(-56.0));
        // 28 V solar that fell to 24.5 V: not yet empty, but on its way.
        (near.supply_volts_usual, near.supply_volts, near.answers) = (Some(28.0), Some(24.5), Some(false));
        check(&facts(&near, &far, 0, 0), ProbableCause::Power, Confidence::Medium);
        near.answers = Some(true);
        check(&facts(&near, &far, 0, 0), ProbableCause::Unknown, Confidence::Low);
    }

    #[test]
    fn nothing_known_is_unknown() {
        let bare = Facts {
            near: None,
            far: None,
            limit: None,
            neighbours: Neighbours::default(),
            profile: None,
            channel_mhz: None,
            load: None,
            silent: [None, None],
        };
        check(&bare, ProbableCause::Unknown, Confidence::Low);
        assert!(diagnose(&bare).reasons.is_empty());
    }

    #[test]
    fn supplies_are_judged_by_their_system() {
        for (volts, low) in [(12.6, false), (11.2, true), (24.1, false), (23.0, true), (52.0, false), (44.0, true)] {
            assert_eq!(is_low(volts), low, "{volts} V");
        }
    }
}
