//! Who is told what, now, and why: one pure decision. `[P]`
//!
//! In the manner of Alertmanager's `needsUpdate`: from what is, what people said and what was told already follows
//! what is to be told; the caller writes the mails and the changed record in one transaction. Nothing is remembered
//! here, so a restart at any moment changes no mail.
//!
//! - **Opened**, at once: an incident that is open, a root and not minor, to its operator, to all staff, and to the
//!   contacts of the places that have no service or less than promised. Several that open for one recipient because
//!   of one root are one mail. Held while works are announced, and in quiet hours where the settings say so.
//! - **Changed**: worse, better, another cause, more places behind it; to the staff also what was said of it. At
//!   least `batch` after the last mail of the thread.
//! - **Escalated**, once, to the staff: an operator was told, and nobody took charge in time.
//! - **Reminder**: to the operator in the morning; to the staff when the thread is to go on afresh.
//! - **Closed**: to whoever was told of the opening.
//! - **Weekly**, on Monday morning: how the week went.
//! - **Digest**, in the morning: minor incidents, and those that were over before their mail could go.
//! - **Summary**: what would go beyond the mails an hour of a recipient, in one mail.
//! - **Undeliverable**, to the staff: an address was refused for good.
//! - In rodaggio the same is decided and recorded, and nothing is sent (`shadow`); the staff read of it each morning.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::calendar::{self, Hours};
use super::digest::{self, DigestItem, RodaggioReport};
use super::log::{Facts, Log, Refused, Thread, key};
use super::weekly::{self, WeeklyReport};
use super::{NoticeKind, Recipient};
use crate::alert::desk::{Case, Desk};
use crate::alert::incident::ProbableCause;
use crate::alert::{Incident, IncidentState, Severity};
use crate::config::settings::{NotifySettings, Quiet};
use crate::model::network::Network;
use crate::model::{SiteId, UnixMillis};

/// A fall of capacity below this part of what was told is worth an update.
const WORSE_PART: f64 = 0.5;
/// A reminder may come so much before its interval is over: mornings are not a whole number of days after openings.
const REMINDER_EARLY: Duration = Duration::from_hours(12);
/// Reminders of an incident that somebody took charge of are so much rarer.
const REMINDER_ACKNOWLEDGED: u32 = 3;
/// The same address is not reported again within this.
const REFUSED_AGAIN: Duration = Duration::from_hours(7 * 24);

/// Why a notice is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    Opened,
    Closed,
    SeverityRose,
    /// More places without service, or below their target, than was told.
    MorePlaces(Vec<SiteId>),
    /// Fewer of them.
    FewerPlaces(Vec<SiteId>),
    CapacityFell {
        mbps: f64,
    },
    CauseFound,
    NewBehind(Vec<SiteId>),
    Acknowledged,
    ExpectedRepair,
    Suspended,
    Resumed,
    Unacknowledged {
        since: UnixMillis,
    },
    StillOpen,
    RepairOverdue,
    TooMany,
    Morning,
    /// It is Monday morning.
    Monday,
    Refused,
}

impl Why {
    /// The word of the record and of the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::SeverityRose => "severity_rose",
            Self::MorePlaces(_) => "more_places",
            Self::FewerPlaces(_) => "fewer_places",
            Self::CapacityFell { .. } => "capacity_fell",
            Self::CauseFound => "cause_found",
            Self::NewBehind(_) => "new_behind",
            Self::Acknowledged => "acknowledged",
            Self::ExpectedRepair => "expected_repair",
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::Unacknowledged { .. } => "unacknowledged",
            Self::StillOpen => "still_open",
            Self::RepairOverdue => "repair_overdue",
            Self::TooMany => "too_many",
            Self::Morning => "morning",
            Self::Monday => "monday",
            Self::Refused => "refused",
        }
    }
}

/// One mail that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    pub recipient: Recipient,
    pub kind: NoticeKind,
    /// Its incidents; the first one gives subject and thread.
    pub incidents: Vec<u64>,
    pub why: Vec<Why>,
    /// To be recorded, not sent.
    pub shadow: bool,
    /// Begins a conversation of its own.
    pub fresh: bool,
    /// Of a summary: what each incident would have been told as.
    pub merged: Vec<Notice>,
    pub items: Vec<DigestItem>,
    pub rodaggio: Option<RodaggioReport>,
    pub weekly: Option<WeeklyReport>,
    pub refused: Vec<Refused>,
}

impl Notice {
    pub(super) fn new(recipient: &Recipient, kind: NoticeKind, incident: Option<u64>, why: Vec<Why>) -> Self {
        Self {
            recipient: recipient.clone(),
            kind,
            incidents: incident.into_iter().collect(),
            why,
            shadow: false,
            fresh: false,
            merged: Vec::new(),
            items: Vec::new(),
            rodaggio: None,
            weekly: None,
            refused: Vec::new(),
        }
    }
}

/// Everything that the decision depends on.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    pub now: UnixMillis,
    pub network: &'a Network,
    pub settings: &'a NotifySettings,
    /// The engine's, in any order.
    pub incidents: &'a [Incident],
    pub log: &'a Log,
    pub desk: &'a Desk,
    /// Not older than [`REFUSED_AGAIN`].
    pub refused: &'a [Refused],
}

/// The notices that are due, those to be recorded only among them.
pub fn decide(situation: Situation<'_>) -> Vec<Notice> {
    let zone = TimeZone::get(&situation.network.time_zone).unwrap_or(TimeZone::UTC);
    let view =
        View { s: situation, morning: calendar::latest(&zone, situation.settings.digest_minute, situation.now), zone };
    let mut numbered: Vec<&Incident> = situation.incidents.iter().filter(|i| i.number > 0).collect();
    numbered.sort_by_key(|i| i.number);
    let mut notices = Vec::new();
    for recipient in recipients(situation.network) {
        let Some(key) = key(situation.network, &recipient) else { continue };
        let due: Vec<Notice> = numbered.iter().filter_map(|i| view.about(&recipient, &key, i, &numbered)).collect();
        let due = grouped(due, &numbered);
        let (shadow, real): (Vec<Notice>, Vec<Notice>) = due.into_iter().partition(|n| n.shadow);
        notices.extend(shadow);
        notices.extend(view.within_rate(&recipient, &key, real));
        notices.extend(digest::due(&view, &recipient, &key, &numbered));
        notices.extend(weekly::due(&view, &recipient, &key, &numbered));
        if let Recipient::Staff(index) = recipient {
            notices.extend(view.undeliverable(index));
        }
    }
    notices
}

/// Everybody who may be told something.
pub fn recipients(network: &Network) -> Vec<Recipient> {
    let wisps = network.wisps.values().filter(|w| !w.email.is_empty()).map(|w| Recipient::Wisp(w.id.clone()));
    let contacts = network.sites.values().filter(|s| !s.contact_email.is_empty());
    wisps
        .chain((0..network.staff.len()).map(Recipient::Staff))
        .chain(contacts.map(|s| Recipient::Contact(s.id.clone())))
        .collect()
}

/// Whether mails to a recipient about an incident are sent, or recorded only.
pub fn is_live(s: &Situation<'_>, recipient: &Recipient, incident: &Incident) -> bool {
    let (rodaggio, period) = (&s.desk.rodaggio, s.settings.rodaggio);
    let on = rodaggio.is_on(period, s.now);
    match recipient {
        Recipient::Wisp(id) => rodaggio.tells(id, period),
        // Who has switched an operator on early wants to know what that operator is told.
        Recipient::Staff(_) => {
            !on || incident.wisp.as_ref().is_some_and(|w| rodaggio.switched.get(w).is_some_and(|(on, ..)| *on))
        }
        Recipient::Contact(_) => !on,
    }
}

pub(super) struct View<'a> {
    pub(super) s: Situation<'a>,
    pub(super) zone: TimeZone,
    /// The latest hour of summaries that has begun.
    pub(super) morning: UnixMillis,
}

impl View<'_> {
    fn case(&self, incident: &Incident) -> Option<&Case> {
        self.s.desk.cases.get(&incident.number)
    }

    fn is_quiet(&self) -> bool {
        let set = self.s.settings;
        hours(set.quiet_start_minute, set.quiet_end_minute, false).hold(&self.zone, self.s.now)
    }

    /// First mails and closings wait.
    fn holds_back(&self, incident: &Incident) -> bool {
        self.s.settings.quiet == Quiet::AllButCritical && incident.severity < Severity::Critical && self.is_quiet()
    }

    /// Updates wait.
    fn holds_updates(&self, incident: &Incident) -> bool {
        self.s.settings.quiet != Quiet::Never && incident.severity < Severity::Critical && self.is_quiet()
    }

    fn about(&self, to: &Recipient, key: &str, incident: &Incident, all: &[&Incident]) -> Option<Notice> {
        let live = is_live(&self.s, to, incident);
        let thread = self.s.log.thread(incident.number, key);
        let mut notice = match thread {
            // Switched on in the middle: what was only recorded is told now.
            Some(thread) if thread.shadow && live && incident.state == IncidentState::Open => {
                self.opening(to, incident)
            }
            Some(thread) if incident.state == IncidentState::Closed => self.closing(to, key, incident, thread, all),
            Some(thread) => self.update(to, incident, thread),
            None => self.opening(to, incident),
        }?;
        notice.shadow = match (thread, notice.kind) {
            (Some(thread), kind) if kind != NoticeKind::Opened => thread.shadow,
            _ => !live,
        };
        Some(notice)
    }

    fn opening(&self, to: &Recipient, incident: &Incident) -> Option<Notice> {
        let told = incident.state == IncidentState::Open && concerns(to, incident);
        let is_root = !incident.is_consequence() || (incident.detail.operator_only && matches!(to, Recipient::Wisp(_)));
        let works = self.s.desk.works(self.s.network, incident, self.s.now).is_some();
        (told && is_root && !works && !self.holds_back(incident))
            .then(|| Notice::new(to, NoticeKind::Opened, Some(incident.number), vec![Why::Opened]))
    }

    /// The end, once: that of the incident whose mails speak for others when all of them are over.
    fn closing(
        &self,
        to: &Recipient,
        key: &str,
        incident: &Incident,
        thread: &Thread,
        all: &[&Incident],
    ) -> Option<Notice> {
        if thread.has(NoticeKind::Closed) || thread.leader.is_some() || self.holds_back(incident) {
            return None;
        }
        let follows = |other: &&&Incident| {
            self.s.log.thread(other.number, key).is_some_and(|t| t.leader == Some(incident.number))
        };
        let over = all.iter().filter(follows).all(|other| other.state == IncidentState::Closed);
        over.then(|| Notice::new(to, NoticeKind::Closed, Some(incident.number), vec![Why::Closed]))
    }

    fn update(&self, to: &Recipient, incident: &Incident, thread: &Thread) -> Option<Notice> {
        let works = self.s.desk.works(self.s.network, incident, self.s.now).is_some();
        let told = thread.leader.is_none() && incident.state == IncidentState::Open && !works;
        if !told || matches!(to, Recipient::Contact(_)) || self.holds_updates(incident) {
            return None;
        }
        let case = self.case(incident);
        let fresh = self.s.now.since(thread.root_at) >= self.s.settings.fresh;
        let made = |kind, why| Some(Notice { fresh, ..Notice::new(to, kind, Some(incident.number), why) });
        if let Some(why) = self.escalation(to, incident, thread) {
            return made(NoticeKind::Escalated, vec![why]);
        }
        let changes = changes(&thread.facts, &Facts::of(incident, case), to);
        if !changes.is_empty() && self.s.now.since(thread.last_at()) >= self.s.settings.batch {
            return made(NoticeKind::Changed, changes);
        }
        made(NoticeKind::Reminder, vec![self.reminder(to, incident, thread, case)?])
    }

    fn escalation(&self, to: &Recipient, incident: &Incident, thread: &Thread) -> Option<Why> {
        let case = self.case(incident);
        let taken = case.is_some_and(|c| c.acknowledged().is_some() || c.suspended().is_some());
        if !matches!(to, Recipient::Staff(_)) || taken || thread.has(NoticeKind::Escalated) {
            return None;
        }
        let operator = key(self.s.network, &Recipient::Wisp(incident.wisp.clone()?))?;
        let operator = self.s.log.thread(incident.number, &operator).filter(|t| t.shadow == thread.shadow)?;
        let (since, set) = (operator.opened_at(), self.s.settings);
        let (counted, limit) = if incident.severity == Severity::Critical {
            (hours(set.quiet_end_minute, set.quiet_start_minute, false), set.escalate_critical)
        } else {
            (hours(set.work_start_minute, set.work_end_minute, true), set.escalate_major)
        };
        (counted.within(&self.zone, since, self.s.now) >= limit).then_some(Why::Unacknowledged { since })
    }

    fn reminder(&self, to: &Recipient, incident: &Incident, thread: &Thread, case: Option<&Case>) -> Option<Why> {
        if case.is_some_and(|c| c.suspended().is_some()) {
            return None;
        }
        let repair = case.and_then(Case::expected_repair);
        if repair.is_some_and(|at| at > self.s.now) {
            return None;
        }
        let acknowledged = case.is_some_and(|c| c.acknowledged().is_some());
        let every = match to {
            Recipient::Staff(_) => self.s.settings.fresh,
            _ if acknowledged && repair.is_none() => self.s.settings.reminder * REMINDER_ACKNOWLEDGED,
            _ => self.s.settings.reminder,
        };
        let workday = incident.severity == Severity::Critical || calendar::is_weekday(&self.zone, self.morning);
        let due =
            self.morning.since(thread.last_at()) >= every.saturating_sub(REMINDER_EARLY).max(Duration::from_millis(1));
        (workday && due).then_some(if repair.is_some() { Why::RepairOverdue } else { Why::StillOpen })
    }

    /// At most so many mails an hour; the last of them sums up the rest.
    fn within_rate(&self, to: &Recipient, key: &str, mut due: Vec<Notice>) -> Vec<Notice> {
        let limit = usize::try_from(self.s.settings.mails_per_hour).unwrap_or(usize::MAX);
        let room = limit.saturating_sub(self.s.log.mailbox(key).sent_in_hour(self.s.now));
        if due.len() <= room {
            return due;
        }
        let severity = |n: &Notice| {
            let of = |number: &u64| self.s.incidents.iter().find(|i| i.number == *number).map(|i| i.severity);
            n.incidents.iter().filter_map(of).max()
        };
        due.sort_by_key(|n| (std::cmp::Reverse(severity(n)), n.kind, n.incidents.clone()));
        let rest = due.split_off(room.saturating_sub(1).min(due.len()));
        if room == 0 {
            return Vec::new();
        }
        let mut summary = Notice::new(to, NoticeKind::Summary, None, vec![Why::TooMany]);
        summary.incidents = rest.iter().flat_map(|n| n.incidents.clone()).collect();
        summary.merged = rest;
        due.push(summary);
        due
    }

    /// Addresses that were refused and of which the staff does not know yet.
    fn undeliverable(&self, staff: usize) -> Option<Notice> {
        let own = self.s.network.staff.get(staff).map(|s| s.email.as_str());
        let mut new: Vec<Refused> = Vec::new();
        for refused in self.s.refused.iter().filter(|r| r.reported_at.is_none() && Some(r.address.as_str()) != own) {
            let known = |r: &Refused| {
                r.address == refused.address && r.reported_at.is_some_and(|at| self.s.now.since(at) < REFUSED_AGAIN)
            };
            if !self.s.refused.iter().any(known) && !new.iter().any(|r| r.address == refused.address) {
                new.push(refused.clone());
            }
        }
        let mut notice = Notice::new(&Recipient::Staff(staff), NoticeKind::Undeliverable, None, vec![Why::Refused]);
        notice.refused = new;
        (!notice.refused.is_empty()).then_some(notice)
    }
}

/// Openings because of one root become one mail: that of the lowest number.
fn grouped(due: Vec<Notice>, all: &[&Incident]) -> Vec<Notice> {
    let root = |notice: &Notice| {
        let number = *notice.incidents.first()?;
        let incident = all.iter().find(|i| i.number == number)?;
        let opens = notice.kind == NoticeKind::Opened && incident.is_consequence();
        opens.then(|| (notice.shadow, incident.caused_by.clone()))
    };
    let mut leaders: BTreeMap<(bool, Vec<u64>), usize> = BTreeMap::new();
    let mut grouped: Vec<Notice> = Vec::new();
    for notice in due {
        let root = root(&notice);
        if let Some(at) = root.as_ref().and_then(|root| leaders.get(root)) {
            grouped[*at].incidents.extend(notice.incidents);
        } else {
            leaders.extend(root.map(|root| (root, grouped.len())));
            grouped.push(notice);
        }
    }
    grouped
}

fn hours(start_minute: u16, end_minute: u16, weekdays_only: bool) -> Hours {
    Hours { start_minute, end_minute, weekdays_only }
}

/// Whether an incident is a recipient's business at all.
pub fn concerns(to: &Recipient, incident: &Incident) -> bool {
    let detail = &incident.detail;
    match to {
        Recipient::Wisp(id) => {
            incident.condition.spec().tells_operator
                && incident.wisp.as_ref() == Some(id)
                && (detail.announced || detail.operator_only)
        }
        Recipient::Staff(_) => detail.announced,
        Recipient::Contact(site) => {
            detail.announced && (incident.sites_below.contains(site) || incident.sites_cut_off.contains(site))
        }
    }
}

pub(super) fn changes(told: &Facts, now: &Facts, to: &Recipient) -> Vec<Why> {
    let mut why = Vec::new();
    let minus = |a: &std::collections::BTreeSet<SiteId>, b| a.difference(b).cloned().collect::<Vec<_>>();
    if now.severity > told.severity {
        why.push(Why::SeverityRose);
    }
    for (before, after) in [(&told.cut_off, &now.cut_off), (&told.below, &now.below)] {
        let (more, fewer) = (minus(after, before), minus(before, after));
        let listed = |sites: &Vec<SiteId>| why.iter().any(|w| *w == Why::MorePlaces(sites.clone()));
        if !more.is_empty() && !listed(&more) {
            why.push(Why::MorePlaces(more));
        } else if !fewer.is_empty() {
            why.push(Why::FewerPlaces(fewer));
        }
    }
    let behind = minus(&now.behind, &told.behind);
    if !behind.is_empty() {
        why.push(Why::NewBehind(behind));
    }
    if let (Some(before), Some(mbps)) = (told.mbps_min, now.mbps_min)
        && mbps < before * WORSE_PART
    {
        why.push(Why::CapacityFell { mbps });
    }
    if now.cause != told.cause && now.cause != ProbableCause::Unknown {
        why.push(Why::CauseFound);
    }
    if matches!(to, Recipient::Staff(_)) {
        if now.acknowledged.is_some() && (told.acknowledged.is_none() || told.ticket != now.ticket) {
            why.push(Why::Acknowledged);
        }
        if now.expected_repair != told.expected_repair {
            why.push(Why::ExpectedRepair);
        }
        match (&told.suspended, &now.suspended) {
            (a, b) if a == b => {}
            (_, Some(_)) => why.push(Why::Suspended),
            (_, None) => why.push(Why::Resumed),
        }
    }
    why
}
