//! Who is told about a change of an incident. [P]
//!
//! - Told is what is open, a root and not minor: the WISP of the link, if it has an address, and all of the staff. A
//!   site whose cause is not known, and an agent, concern the staff only.
//! - Whoever was told of the opening is told of the end, also if the incident was found to be a consequence since.

use super::{NoticeKind, NoticeRequest, Recipient};
use crate::alert::{Incident, IncidentState};
use crate::model::network::Network;

/// `before`: the same incident as last written; `None` if it was pending or unknown.
pub fn decide(network: &Network, before: Option<&Incident>, after: &Incident) -> Vec<NoticeRequest> {
    let was_told = before.is_some_and(|b| b.detail.announced);
    let was_closed = before.is_some_and(|b| b.state == IncidentState::Closed);
    let closed = after.state == IncidentState::Closed;
    let kind = match (was_told, after.detail.announced, closed) {
        (false, true, false) => NoticeKind::Opened,
        (true, true, true) if !was_closed => NoticeKind::Closed,
        _ => return Vec::new(),
    };
    let wisp = after.wisp.as_ref().filter(|id| network.wisps.get(id.as_str()).is_some_and(|w| !w.email.is_empty()));
    let wisp = wisp.map(|id| Recipient::Wisp(id.clone()));
    wisp.into_iter()
        .chain((0..network.staff.len()).map(Recipient::Staff))
        .map(|recipient| NoticeRequest { recipient, kind })
        .collect()
}
