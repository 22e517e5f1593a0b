//! An incident for machines: the file attached to mails, the body of webhooks and of MQTT messages. `[P]`
//!
//! One schema for all three, with its own version, which changes when an old reader could misunderstand a new report;
//! keys may be added within a version. `docs/ticket-systems.md` is its description. An operator's report tells nothing
//! of another's equipment: the ends of a link are left out where another one runs it.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::story::Story;
use super::{NoticeKind, words};
use crate::alert::Incident;
use crate::alert::desk::Case;
use crate::alert::incident::{Confidence, EvidenceEnd, ProbableCause};
use crate::model::UnixMillis;

/// The schema of [`Report`].
pub const SCHEMA: &str = "vedetta.incident/1";

#[derive(Debug, Serialize)]
pub struct Report {
    pub schema: &'static str,
    /// `opened`, `changed`, `reminder`, `escalated`, `closed`.
    pub event: &'static str,
    /// The same for every repeat of this report, and for no other one.
    pub event_id: String,
    pub at: String,
    pub network: Named,
    pub incident: Told,
    /// Other incidents of the same cause that this report is about too.
    pub also: Vec<String>,
    pub url: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Named {
    pub id: String,
    pub name: String,
}

#[derive(Debug, Serialize)]
pub struct Told {
    pub id: String,
    pub condition: &'static str,
    /// The condition in the recipient's language.
    pub title: &'static str,
    pub severity: &'static str,
    pub state: &'static str,
    pub subject_kind: &'static str,
    pub subject: String,
    pub name: String,
    pub direction: Option<&'static str>,
    /// First sample of the breach.
    pub since: String,
    pub opened_at: Option<String>,
    /// When it was well again; `closed_at` comes a hold time later.
    pub recovered_at: Option<String>,
    pub closed_at: Option<String>,
    pub minutes_below: u64,
    pub measured_mbps: Option<f64>,
    pub measured_mbps_min: Option<f64>,
    pub required_mbps: Option<f64>,
    /// Of conditions that are not about capacity, in the unit of the condition.
    pub value: Option<f64>,
    pub limit: Option<f64>,
    pub usual: Option<f64>,
    pub unit: Option<&'static str>,
    pub probable_cause: ProbableCause,
    pub confidence: Option<Confidence>,
    pub places: Vec<Place>,
    pub residents: u32,
    pub ends: Vec<End>,
    pub acknowledged_at: Option<String>,
    pub ticket: Option<String>,
    pub expected_repair: Option<String>,
}

/// A site behind the subject.
#[derive(Debug, Serialize)]
pub struct Place {
    pub id: String,
    pub name: String,
    pub kind: &'static str,
    pub residents: Option<u32>,
    /// `ok`, `below_target` or `no_service`.
    pub service: &'static str,
}

/// One end of the link.
#[derive(Debug, Serialize)]
pub struct End {
    pub site: String,
    pub device: String,
    pub address: String,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub answers: Option<bool>,
    pub rsl_dbm: Option<f64>,
    pub rsl_dbm_usual: Option<f64>,
    pub snr_db: Option<f64>,
    pub snr_db_usual: Option<f64>,
    pub modulation: Option<String>,
    pub port_rate_mbps: Option<f64>,
    pub supply_volts: Option<f64>,
    pub airtime_percent: Option<f64>,
    pub noise_floor_dbm: Option<f64>,
    pub temperature_celsius: Option<f64>,
}

/// What a report is made from besides the story.
pub struct Event<'a> {
    pub kind: NoticeKind,
    pub id: String,
    pub case: Option<&'a Case>,
    /// The other incidents of the notice.
    pub also: &'a [&'a Incident],
}

/// The report as JSON, one line.
pub fn json(story: &Story<'_>, event: &Event<'_>) -> String {
    serde_json::to_string(&report(story, event)).expect("a report is made of texts and finite numbers")
}

fn report(story: &Story<'_>, event: &Event<'_>) -> Report {
    let at = |at: UnixMillis| words::rfc3339(&story.zone, at);
    Report {
        schema: SCHEMA,
        event: event.kind.as_str(),
        event_id: event.id.clone(),
        at: at(story.now),
        network: Named { id: story.network.id.to_string(), name: story.network.name.clone() },
        incident: told(story, event.case, &story.zone),
        also: event.also.iter().map(|i| i.token()).collect(),
        url: story.page(),
    }
}

fn told(story: &Story<'_>, case: Option<&Case>, zone: &TimeZone) -> Told {
    let incident = story.incident;
    let at = |at: UnixMillis| words::rfc3339(zone, at);
    let spec = incident.condition.spec();
    let detail = &incident.detail;
    Told {
        id: incident.token(),
        condition: incident.condition.as_str(),
        title: story.pick(spec.title_it, spec.title_en),
        severity: incident.severity.as_str(),
        state: incident.state.as_str(),
        subject_kind: incident.subject.kind(),
        subject: incident.subject.as_str().to_owned(),
        name: story.name(),
        direction: incident.direction.map(crate::alert::Direction::as_str),
        since: at(incident.since),
        opened_at: incident.opened_at.map(at),
        recovered_at: incident.closed_at.and(incident.recovered_at()).map(at),
        closed_at: incident.closed_at.map(at),
        minutes_below: detail.below_ms / 60_000,
        measured_mbps: incident.measured_mbps.filter(|v| v.is_finite()),
        measured_mbps_min: incident.measured_mbps_min.filter(|v| v.is_finite()),
        required_mbps: incident.required_mbps.filter(|v| v.is_finite()),
        value: detail.value,
        limit: detail.limit,
        usual: detail.usual,
        unit: spec.threshold.map(|t| t.unit).filter(|u| detail.value.is_some() && !u.is_empty()),
        probable_cause: incident.probable_cause,
        confidence: (incident.probable_cause != ProbableCause::Unknown).then_some(incident.confidence),
        places: places(story),
        residents: incident.residents,
        ends: story.ends().into_iter().map(end).collect(),
        acknowledged_at: case.and_then(Case::acknowledged).map(|e| at(e.at)),
        ticket: case.and_then(Case::ticket).map(str::to_owned),
        expected_repair: case.and_then(Case::expected_repair).map(at),
    }
}

fn places(story: &Story<'_>) -> Vec<Place> {
    let incident = story.incident;
    let sites = incident.sites.iter().filter_map(|id| story.network.sites.get(id.as_str()));
    sites
        .map(|site| Place {
            id: site.id.to_string(),
            name: site.name.clone(),
            kind: site.kind.as_str(),
            residents: site.residents,
            service: if incident.sites_cut_off.contains(&site.id) {
                "no_service"
            } else if incident.sites_below.contains(&site.id) {
                "below_target"
            } else {
                "ok"
            },
        })
        .collect()
}

fn end(end: &EvidenceEnd) -> End {
    End {
        site: end.site.clone(),
        device: end.device.clone(),
        address: end.address.clone(),
        model: end.model.clone(),
        firmware: end.firmware.clone(),
        answers: end.answers,
        rsl_dbm: end.rsl_dbm,
        rsl_dbm_usual: end.rsl_dbm_usual,
        snr_db: end.snr_db,
        snr_db_usual: end.snr_db_usual,
        modulation: end.modulation.clone(),
        port_rate_mbps: end.port_rate_mbps,
        supply_volts: end.supply_volts,
        airtime_percent: end.airtime_percent,
        noise_floor_dbm: end.noise_floor_dbm,
        temperature_celsius: end.temperature_celsius,
    }
}
