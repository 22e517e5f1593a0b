//! Small steps in an incident's life: how it begins, what is noted of each look, how it ends. `[P]`

use std::time::Duration;

use super::hold::{self, Input};
use super::incident::{
    Condition, Confidence, Delivery, Detail, Incident, IncidentState, ProbableCause, Severity, Transition,
};
use super::observe::{Key, Seen};
use super::setting::Setting;
use crate::model::UnixMillis;
use crate::model::condition::Damping;

/// A loss of samples is told once; it is over when none has followed for so long.
const SAMPLES_LOST_CLOSE: Duration = Duration::from_hours(24);

/// Openings kept of one incident: the most that may be set, with some to spare.
const OPENINGS_MAX: usize = 128;

/// Notes one more opening. From so many within the window on it is unstable, until it closes.
pub(super) fn note_opening(incident: &mut Incident, now: UnixMillis, damping: &Damping) {
    let openings = &mut incident.detail.openings;
    openings.push(now);
    openings.retain(|at| *at <= now && now.since(*at) <= damping.window);
    if openings.len() > OPENINGS_MAX {
        openings.remove(0);
    }
    incident.detail.unstable |= incident.detail.openings.len() >= damping.openings as usize;
}

/// What is worth writing at once: all but the figures that change with every look.
pub(super) fn lasting(incident: &Incident) -> Incident {
    let mut kept = incident.clone();
    kept.measured_mbps = None;
    kept.detail.value = None;
    kept.detail.value_worst = None;
    kept.detail.limit = None;
    kept.detail.usual = None;
    kept.detail.checked_at = None;
    kept
}

pub(super) fn pending(key: &Key, since: UnixMillis, now: UnixMillis) -> Incident {
    Incident {
        number: 0,
        condition: key.condition,
        subject: key.subject.clone(),
        direction: key.direction,
        severity: Severity::Minor,
        state: IncidentState::Pending,
        since,
        opened_at: None,
        closed_at: None,
        changed_at: now,
        caused_by: Vec::new(),
        wisp: None,
        measured_mbps: None,
        measured_mbps_min: None,
        required_mbps: None,
        sites: Vec::new(),
        sites_below: Vec::new(),
        sites_cut_off: Vec::new(),
        residents: 0,
        near: None,
        far: None,
        probable_cause: ProbableCause::Unknown,
        confidence: Confidence::Low,
        transitions: vec![Transition { at: since, state: IncidentState::Pending, measured_mbps: None }],
        detail: Detail { hold_from: Some(since), checked_at: Some(now), below_from: Some(since), ..Detail::default() },
    }
}

/// Notes what was seen. What is required stays as it was at opening: mails quote it to the end.
pub(super) fn note(incident: &mut Incident, seen: &Seen, best_mbps: Option<f64>) {
    if seen.input != Input::Unknown {
        incident.measured_mbps = seen.measured_mbps;
    }
    if seen.input == Input::Breach {
        incident.measured_mbps_min = match (incident.measured_mbps_min, seen.measured_mbps) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    if incident.state == IncidentState::Pending {
        incident.required_mbps = seen.required_mbps;
    }
    let detail = &mut incident.detail;
    if seen.input != Input::Unknown {
        detail.value = seen.value;
    }
    if seen.input == Input::Breach {
        detail.limit = seen.limit;
        detail.usual = seen.usual;
        detail.device.clone_from(&seen.device);
        detail.said.clone_from(&seen.said);
        detail.backup = seen.backup;
        let worse = |a: f64, b: f64| if incident.condition.spec().worse_is_higher() { a.max(b) } else { a.min(b) };
        detail.value_worst = match (detail.value_worst, seen.value) {
            (Some(a), Some(b)) => Some(worse(a, b)),
            (a, b) => a.or(b),
        };
    }
    if best_mbps > incident.detail.best_mbps {
        incident.detail.best_mbps = best_mbps;
    }
}

/// Told from now on, if it is a root that is told at once.
pub(super) fn announce(incident: &mut Incident) {
    let tells = incident.state == IncidentState::Open
        && !incident.is_consequence()
        && incident.detail.delivery == Delivery::AtOnce;
    incident.detail.announced |= tells;
}

pub(super) fn ended(mut incident: Incident, now: UnixMillis) -> Incident {
    if incident.number == 0 {
        incident.state = IncidentState::Closed;
        incident.changed_at = now;
    } else if incident.is_live() {
        hold::close(&mut incident, now);
    }
    incident
}

pub(super) fn lost_nothing_lately(key: &Key, incident: &Incident, now: UnixMillis) -> bool {
    key.condition == Condition::SamplesLost
        && incident.detail.hold_from.is_none_or(|last| now.since(last) >= SAMPLES_LOST_CLOSE)
}

/// When it is told: as set, but what has only cost its bundle a reserve waits for the digest.
pub(super) fn delivery(incident: &Incident, setting: &Setting) -> Delivery {
    let reserve = incident.severity == Severity::Minor && setting.severity > Severity::Minor;
    if reserve { Delivery::Digest } else { setting.delivery }
}

/// The stretch in breach that ran ended when the hub heard the last.
pub(super) fn blind(incident: &mut Incident, since: UnixMillis) {
    let detail = &mut incident.detail;
    if let Some(from) = detail.below_from.take() {
        detail.below_ms += u64::try_from(since.since(from).as_millis()).unwrap_or(0);
    }
}
