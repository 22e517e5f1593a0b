//! Who is told about a change of an incident. `[P]`
//!
//! - Told is what is open, a root and not minor: the WISP of the link, if it has an address, and all of the staff. A
//!   site whose cause is not known, and an agent, concern the staff only.
//! - A consequence at a dark site that is another operator's is told to that operator alone: the staff hear of the
//!   cause.
//! - Whoever was told of the opening is told of the end, also if the incident was found to be a consequence since.

use super::{NoticeKind, NoticeRequest, Recipient};
use crate::alert::{Incident, IncidentState};
use crate::model::network::Network;

/// `before`: the same incident as last written; `None` if it was pending or unknown.
pub fn decide(network: &Network, before: Option<&Incident>, after: &Incident) -> Vec<NoticeRequest> {
    let told = |incident: &Incident, recipient: &Recipient| {
        let operator_only = incident.detail.operator_only && matches!(recipient, Recipient::Wisp(_));
        incident.detail.announced || operator_only
    };
    let was_closed = before.is_some_and(|b| b.state == IncidentState::Closed);
    let closed = after.state == IncidentState::Closed;
    let kind =
        |recipient: &Recipient| match (before.is_some_and(|b| told(b, recipient)), told(after, recipient), closed) {
            (false, true, false) => Some(NoticeKind::Opened),
            (true, true, true) if !was_closed => Some(NoticeKind::Closed),
            _ => None,
        };
    let wisp = after
        .wisp
        .as_ref()
        .filter(|_| after.condition.spec().tells_operator)
        .filter(|id| network.wisps.get(id.as_str()).is_some_and(|w| !w.email.is_empty()));
    let wisp = wisp.map(|id| Recipient::Wisp(id.clone()));
    wisp.into_iter()
        .chain((0..network.staff.len()).map(Recipient::Staff))
        .filter_map(|recipient| Some(NoticeRequest { kind: kind(&recipient)?, recipient }))
        .collect()
}
