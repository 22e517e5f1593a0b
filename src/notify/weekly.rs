//! What the Monday morning's summary holds: how the week went for each place, each operator, and what is still open. `[P]`

use std::collections::BTreeMap;
use std::time::Duration;

use super::calendar;
use super::policy::{Notice, View, Why};
use super::{NoticeKind, Recipient};
use crate::alert::{Condition, Incident, Subject};
use crate::config::settings::Weekly;
use crate::model::{SiteId, UnixMillis, WispId};

/// From, to.
type Span = (UnixMillis, UnixMillis);

/// A summary that could not go for so long (the hub was off) waits for the next Monday.
const LATE_MAX: Duration = Duration::from_hours(24);

/// One place that was below its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteWeek {
    pub site: SiteId,
    /// In all, as far as it was known; times that overlap count once.
    pub below: Duration,
    /// Stretches of it.
    pub times: usize,
    /// It still is.
    pub open: bool,
}

/// One operator that had incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorWeek {
    /// `None`: the Union's own network.
    pub wisp: Option<WispId>,
    pub incidents: usize,
    /// Of all of them together: two at a time count twice.
    pub lasted: Duration,
    pub open: usize,
}

/// The week up to a Monday's hour of summaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeeklyReport {
    /// The Monday before, or when the hub was set up.
    pub from: UnixMillis,
    pub to: UnixMillis,
    /// Places that were promised something.
    pub promised: usize,
    /// The longest below first.
    pub sites: Vec<SiteWeek>,
    /// The most incidents first.
    pub operators: Vec<OperatorWeek>,
    /// Incidents that are still open and no consequences, in order of number.
    pub open: Vec<u64>,
}

/// The summary that is due for a recipient, whether or not something happened: that nothing did is news, too.
pub(super) fn due(view: &View<'_>, to: &Recipient, key: &str, all: &[&Incident]) -> Option<Notice> {
    let s = &view.s;
    let wanted = match to {
        Recipient::Staff(_) => s.settings.weekly != Weekly::Nobody,
        Recipient::Contact(_) => s.settings.weekly == Weekly::Contacts,
        Recipient::Wisp(_) => false,
    };
    let born = s.desk.rodaggio.born_at;
    let monday = calendar::latest_monday(&view.zone, s.settings.digest_minute, s.now);
    let told_to = s.log.mailbox(key).weekly_at.unwrap_or(born);
    if !wanted || monday <= told_to || s.now.since(monday) >= LATE_MAX {
        return None;
    }
    let before = calendar::latest_monday(&view.zone, s.settings.digest_minute, monday - Duration::from_millis(1));
    let own = match to {
        Recipient::Contact(site) => Some(site),
        Recipient::Staff(_) | Recipient::Wisp(_) => None,
    };
    let mut notice = Notice::new(to, NoticeKind::Weekly, None, vec![Why::Monday]);
    notice.weekly = Some(report(view, before.max(born), monday, own, all));
    Some(notice)
}

fn report(view: &View<'_>, from: UnixMillis, to: UnixMillis, own: Option<&SiteId>, all: &[&Incident]) -> WeeklyReport {
    let concerned = |site: &SiteId| own.is_none_or(|own| own == site);
    let within = |i: &Incident| {
        let (start, end) = (i.since.max(from), i.recovered_at().unwrap_or(to).min(to));
        (i.opened_at.is_some_and(|at| at < to) && start < end).then_some((start, end))
    };
    let is_open = |i: &Incident| i.recovered_at().is_none_or(|at| at > to);
    let mut stretches: BTreeMap<&SiteId, (Vec<Span>, bool)> = BTreeMap::new();
    let mut operators: BTreeMap<Option<&WispId>, OperatorWeek> = BTreeMap::new();
    let mut open = Vec::new();
    for i in all {
        let Some((start, end)) = within(i) else { continue };
        match &i.subject {
            Subject::Site(site) if i.condition == Condition::SiteBelowTarget && concerned(site) => {
                let (spans, open) = stretches.entry(site).or_default();
                spans.push((start, end));
                *open |= is_open(i);
            }
            _ if own.is_none() && !i.is_consequence() => {
                if is_open(i) {
                    open.push(i.number);
                }
                if i.condition.spec().tells_operator {
                    let empty = OperatorWeek { wisp: i.wisp.clone(), incidents: 0, lasted: Duration::ZERO, open: 0 };
                    let week = operators.entry(i.wisp.as_ref()).or_insert(empty);
                    week.incidents += 1;
                    week.lasted += end.since(start);
                    week.open += usize::from(is_open(i));
                }
            }
            _ => {}
        }
    }
    let mut sites: Vec<SiteWeek> = stretches
        .into_iter()
        .map(|(site, (spans, open))| {
            let (below, times) = together(spans);
            SiteWeek { site: site.clone(), below, times, open }
        })
        .collect();
    sites.sort_by(|a, b| b.below.cmp(&a.below).then_with(|| a.site.cmp(&b.site)));
    let mut operators: Vec<OperatorWeek> = operators.into_values().collect();
    operators.sort_by(|a, b| b.incidents.cmp(&a.incidents).then_with(|| a.wisp.cmp(&b.wisp)));
    let promised = view.s.network.sites.values().filter(|s| s.target.is_some() && concerned(&s.id)).count();
    WeeklyReport { from, to, promised, sites, operators, open }
}

/// How long the spans last where those that overlap count once, and how many stretches that is.
fn together(mut spans: Vec<Span>) -> (Duration, usize) {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for (start, end) in spans {
        match merged.last_mut() {
            Some((_, last)) if start <= *last => *last = (*last).max(end),
            _ => merged.push((start, end)),
        }
    }
    (merged.iter().map(|(start, end)| end.since(*start)).sum(), merged.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_overlap_count_once() {
        let at = |h: i64| UnixMillis(h * 3_600_000);
        let check = |spans: &[(i64, i64)], hours: u64, times: usize| {
            let spans = spans.iter().map(|(a, b)| (at(*a), at(*b))).collect();
            assert_eq!(together(spans), (Duration::from_hours(hours), times));
        };
        check(&[], 0, 0);
        check(&[(0, 2), (1, 3)], 3, 1);
        check(&[(5, 6), (0, 2), (2, 3)], 4, 2);
        check(&[(0, 9), (1, 2), (3, 4)], 9, 1);
    }
}
