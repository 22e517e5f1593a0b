//! The life of one incident: hold times, pauses, and the time in breach. `[P]`
//!
//! ```text
//!           breach held            clear            clear held
//! Pending ───────────────► Open ─────────► Closing ───────────► Closed
//!    │ not in breach, or     ▲                │ not clear, or
//!    ▼ unknown too long      └────────────────┘ unknown too long
//! dropped
//! ```
//! Unknown pauses a hold for [`PAUSE_INTERVALS`], then resets it; it neither opens nor closes anything. A stretch in
//! which nobody looked (the hub was off, the clock jumped) counts like unknown.

use std::time::Duration;

use super::incident::{Incident, IncidentState, Transition};
use crate::model::UnixMillis;

/// How many poll intervals a hold survives without knowing (DESIGN section 8, "Time").
pub const PAUSE_INTERVALS: u32 = 3;

/// An open incident is written to the store at least this often, so its time in breach survives a restart as well.
pub const OPEN_WRITE_INTERVALS: u32 = 10;

/// A flapping link must not grow its document without end: the first and the last steps are kept.
pub const TRANSITIONS_MAX: usize = 100;

/// What the view says about a condition now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    Breach,
    /// Not in breach, but not well enough to close either.
    Between,
    /// As well as closing asks for.
    Clear,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holds {
    pub open: Duration,
    pub close: Duration,
    /// How often subjects are polled.
    pub interval: Duration,
}

/// What became of the incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Stays,
    /// Pending, and the hold time is over: it may open.
    Ready,
    /// Pending, and not to be: remove it.
    Dropped,
    /// It has entered another state.
    Moved,
}

/// Advances the incident to `now`.
pub fn advance(incident: &mut Incident, input: Input, now: UnixMillis, holds: &Holds) -> Outcome {
    let pause = holds.interval * PAUSE_INTERVALS;
    follow_clock(incident, now);
    let unseen = was_unseen(incident, now, holds);
    account(incident, input, now, unseen);
    incident.detail.checked_at = Some(now);
    let outcome = match incident.state {
        IncidentState::Pending => pending(incident, input, now, holds, pause, unseen),
        IncidentState::Open => {
            if input == Input::Clear {
                enter(incident, IncidentState::Closing, now);
                if holds.close.is_zero() {
                    close(incident, now);
                }
                Outcome::Moved
            } else {
                Outcome::Stays
            }
        }
        IncidentState::Closing => closing(incident, input, now, holds, pause, unseen),
        IncidentState::Closed => Outcome::Stays,
    };
    if input != Input::Unknown {
        incident.detail.unknown_since = None;
    } else if incident.detail.unknown_since.is_none() {
        incident.detail.unknown_since = Some(now);
    }
    outcome
}

fn pending(
    incident: &mut Incident,
    input: Input,
    now: UnixMillis,
    holds: &Holds,
    pause: Duration,
    unseen: bool,
) -> Outcome {
    match input {
        Input::Between | Input::Clear => Outcome::Dropped,
        Input::Unknown if unknown_for(incident, now) > pause || unseen => Outcome::Dropped,
        Input::Unknown => Outcome::Stays,
        Input::Breach => {
            if unseen {
                incident.since = now;
                incident.detail.hold_from = Some(now);
            }
            resume(incident, now);
            if held(incident, now) >= holds.open { Outcome::Ready } else { Outcome::Stays }
        }
    }
}

fn closing(
    incident: &mut Incident,
    input: Input,
    now: UnixMillis,
    holds: &Holds,
    pause: Duration,
    unseen: bool,
) -> Outcome {
    match input {
        Input::Breach | Input::Between => {
            enter(incident, IncidentState::Open, now);
            Outcome::Moved
        }
        Input::Unknown if unknown_for(incident, now) > pause || unseen => {
            enter(incident, IncidentState::Open, now);
            Outcome::Moved
        }
        Input::Unknown => Outcome::Stays,
        Input::Clear => {
            if unseen {
                incident.detail.hold_from = Some(now);
            }
            resume(incident, now);
            if held(incident, now) < holds.close {
                return Outcome::Stays;
            }
            close(incident, now);
            Outcome::Moved
        }
    }
}

/// Opens a pending incident under its number.
pub fn open(incident: &mut Incident, number: u64, now: UnixMillis) {
    incident.number = number;
    incident.opened_at = Some(now);
    enter(incident, IncidentState::Open, now);
}

/// Closes at once.
pub fn close(incident: &mut Incident, now: UnixMillis) {
    account(incident, Input::Clear, now, false);
    incident.closed_at = Some(now);
    enter(incident, IncidentState::Closed, now);
}

fn enter(incident: &mut Incident, state: IncidentState, now: UnixMillis) {
    incident.state = state;
    incident.changed_at = now;
    incident.detail.hold_from = (state == IncidentState::Closing).then_some(now);
    let measured_mbps = incident.measured_mbps;
    if incident.transitions.len() >= TRANSITIONS_MAX {
        incident.transitions.remove(TRANSITIONS_MAX / 2);
    }
    incident.transitions.push(Transition { at: now, state, measured_mbps });
}

fn unknown_for(incident: &Incident, now: UnixMillis) -> Duration {
    incident.detail.unknown_since.map_or(Duration::ZERO, |since| now.since(since))
}

fn held(incident: &Incident, now: UnixMillis) -> Duration {
    now.since(incident.detail.hold_from.unwrap_or(now))
}

/// Known again: the hold goes on where it was when the unknown began.
fn resume(incident: &mut Incident, now: UnixMillis) {
    if let (Some(unknown), Some(from)) = (incident.detail.unknown_since, incident.detail.hold_from) {
        incident.detail.hold_from = Some(from + now.since(unknown.max(from)));
    }
}

/// A clock that was set back must not leave a hold that starts in the future.
fn follow_clock(incident: &mut Incident, now: UnixMillis) {
    incident.since = incident.since.min(now);
    let detail = &mut incident.detail;
    for instant in [&mut detail.hold_from, &mut detail.unknown_since, &mut detail.below_from, &mut detail.checked_at] {
        *instant = instant.map(|at| at.min(now));
    }
}

/// Nobody looked for longer than a pause may last.
fn was_unseen(incident: &Incident, now: UnixMillis, holds: &Holds) -> bool {
    let intervals = match incident.state {
        // Written less often, so after a restart the last look may seem older than it was.
        IncidentState::Open => PAUSE_INTERVALS + OPEN_WRITE_INTERVALS,
        _ => PAUSE_INTERVALS,
    };
    incident.detail.checked_at.is_some_and(|at| now.since(at) > holds.interval * intervals)
}

/// Adds up the time known to be in breach.
fn account(incident: &mut Incident, input: Input, now: UnixMillis, unseen: bool) {
    let detail = &mut incident.detail;
    if let Some(from) = detail.below_from {
        let until = if unseen { detail.checked_at.unwrap_or(from).max(from) } else { now };
        if unseen || input != Input::Breach {
            detail.below_ms += u64::try_from(until.since(from).as_millis()).unwrap_or(0);
            detail.below_from = None;
        }
    }
    if input == Input::Breach && detail.below_from.is_none() {
        detail.below_from = Some(now);
    }
}
