//! What the morning's summaries hold. `[P]`
//!
//! A summary tells what happened between the last one and this hour; where nothing did, there is none.

use std::collections::BTreeMap;
use std::time::Duration;

use super::log::{Thread, key};
use super::policy::{Notice, View, Why, concerns, is_live};
use super::{NoticeKind, Recipient};
use crate::alert::{Incident, IncidentState};
use crate::model::condition::Delivery;
use crate::model::{UnixMillis, WispId};

const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// One incident of a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestItem {
    pub incident: u64,
    /// It was over at the hour of the summary.
    pub over: bool,
    /// Not minor: it was over before its mail could go.
    pub missed: bool,
    /// It began during announced works.
    pub works: bool,
}

/// A mail that was recorded and not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowLine {
    pub incident: u64,
    pub kind: NoticeKind,
    pub at: UnixMillis,
    /// Keys of the record, in order.
    pub to: Vec<String>,
}

/// What the staff reads of mails that were not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RodaggioReport {
    /// Until when the running-in lasts; `None`: it is over, and these operators are not switched on.
    pub until: Option<UnixMillis>,
    pub lines: Vec<ShadowLine>,
    /// Mails in the seven days before, of every operator that is not switched on.
    pub weekly: Vec<(WispId, usize)>,
}

/// The summary that is due for a recipient, if there is something to tell.
pub(super) fn due(view: &View<'_>, to: &Recipient, key: &str, all: &[&Incident]) -> Option<Notice> {
    let (upper, s) = (view.morning, &view.s);
    let lower = s.log.mailbox(key).digest_at.unwrap_or(upper - DAY);
    let (rodaggio, period) = (&s.desk.rodaggio, s.settings.rodaggio);
    let told = match to {
        Recipient::Wisp(id) => rodaggio.tells(id, period),
        Recipient::Staff(_) => true,
        Recipient::Contact(_) => false,
    };
    if upper <= lower || !told {
        return None;
    }
    let within = |at: Option<UnixMillis>| at.is_some_and(|at| lower < at && at <= upper);
    let items: Vec<DigestItem> = all.iter().filter_map(|i| item(view, to, key, i, &within)).collect();
    let report = matches!(to, Recipient::Staff(_)).then(|| report(view, &within)).flatten();
    let kind = if rodaggio.is_on(period, upper) { NoticeKind::RodaggioDigest } else { NoticeKind::Digest };
    let kind = if matches!(to, Recipient::Staff(_)) { kind } else { NoticeKind::Digest };
    if items.is_empty() && report.as_ref().is_none_or(|r| r.lines.is_empty()) {
        return None;
    }
    let mut notice = Notice::new(to, kind, None, vec![Why::Morning]);
    notice.items = items;
    notice.rodaggio = report;
    Some(notice)
}

fn item(
    view: &View<'_>,
    to: &Recipient,
    key: &str,
    incident: &Incident,
    within: &impl Fn(Option<UnixMillis>) -> bool,
) -> Option<DigestItem> {
    let mine = match to {
        Recipient::Wisp(id) => incident.condition.spec().tells_operator && incident.wisp.as_ref() == Some(id),
        Recipient::Staff(_) => true,
        Recipient::Contact(_) => false,
    };
    let over = incident.state == IncidentState::Closed;
    let minor = incident.delivery() == Delivery::Digest && !incident.detail.announced && !incident.is_consequence();
    let missed = over
        && concerns(to, incident)
        && view.s.log.thread(incident.number, key).is_none()
        && is_live(&view.s, to, incident)
        && within(incident.closed_at);
    let happened = within(incident.opened_at) || within(incident.closed_at);
    (mine && (missed || minor && happened)).then(|| DigestItem {
        incident: incident.number,
        over,
        missed,
        works: view.s.desk.works_at_start(view.s.network, incident).is_some(),
    })
}

/// What would have been sent, and how much in a week to each operator that is not switched on.
fn report(view: &View<'_>, within: &impl Fn(Option<UnixMillis>) -> bool) -> Option<RodaggioReport> {
    let s = &view.s;
    let (rodaggio, period) = (&s.desk.rodaggio, s.settings.rodaggio);
    if period.is_zero() {
        return None;
    }
    let mut lines: BTreeMap<(UnixMillis, u64, NoticeKind), Vec<String>> = BTreeMap::new();
    for thread in s.log.threads().filter(|t| t.shadow && t.leader.is_none()) {
        for told in thread.told.iter().filter(|t| within(Some(t.at))) {
            lines.entry((told.at, thread.incident, told.kind)).or_default().push(thread.recipient.clone());
        }
    }
    let off = s.network.wisps.values().filter(|w| !w.email.is_empty() && !rodaggio.tells(&w.id, period));
    let week = |at: UnixMillis| at <= view.morning && view.morning.since(at) < WEEK;
    let count = |wisp: &WispId| {
        let key = key(s.network, &Recipient::Wisp(wisp.clone())).unwrap_or_default();
        let own = |t: &&Thread| t.shadow && t.leader.is_none() && t.recipient == key;
        s.log.threads().filter(own).flat_map(|t| &t.told).filter(|t| week(t.at)).count()
    };
    let weekly: Vec<(WispId, usize)> = off.map(|w| (w.id.clone(), count(&w.id))).collect();
    Some(RodaggioReport {
        until: rodaggio.is_on(period, view.morning).then(|| rodaggio.until(period)),
        lines: lines.into_iter().map(|((at, incident, kind), to)| ShadowLine { incident, kind, at, to }).collect(),
        weekly,
    })
}
