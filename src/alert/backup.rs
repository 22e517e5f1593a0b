//! Whether a backup job gets done: from what it has said, and from what its site can send. `[P]`
//!
//! **What a job says** (start, finish, fail) decides once it has ever said anything: a start that is missed, a finish
//! that is missed, each after its own grace, and a failure. A start may come late; what missed its window is over when
//! a run finishes, not when the next night begins. A job that was never heard may not have been set up yet.
//!
//! **What fits** is arithmetic: size over capacity against the time that is left. A job that gets less than all of the
//! capacity takes longer, so "does not fit" is certain and "fits" is the best case. Capacity that is not known is not
//! known; but a way is never wider than its narrowest known part. How much a run has sent is not known either: of a job
//! that says nothing only the window to come is judged.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::hold::Input;
use super::incident::BackupTrouble;
use crate::model::UnixMillis;
use crate::model::network::Backup;
use crate::model::view::{BackupReports, LinkState, NetworkView};

/// A window that will be too short is told so long before it opens: from the afternoon on, when people are at work.
const AHEAD: Duration = Duration::from_hours(10);
/// A job that starts so long before its window is this window's.
const EARLY: Duration = Duration::from_hours(1);
/// Bits of a gigabyte of 10⁹ bytes, in millions.
const MEGABITS_PER_GIGABYTE: f64 = 8000.0;

/// What a site can send to the outside now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Carries {
    /// Of the parts of the way that are known, the least, Mbps; `None`: none is known.
    pub at_most_mbps: Option<f64>,
    /// All of them are known.
    pub exactly: bool,
}

impl Carries {
    /// From a site over the path in use. Of a site that nothing was promised to the path is not known.
    pub fn of(view: &NetworkView, job: &Backup) -> Self {
        let unknown = Self { at_most_mbps: None, exactly: false };
        let Some(site) = view.sites.get(job.site.as_str()) else { return unknown };
        if site.path.is_empty() {
            let cut_off = site.downstream.alone.known() == Some(0.0);
            return if cut_off { Self { at_most_mbps: Some(0.0), exactly: true } } else { unknown };
        }
        let mut carries = Self { at_most_mbps: None, exactly: true };
        for edge in &site.path {
            let known = view.edge(edge).and_then(|link| match link.state {
                LinkState::Down(_) => Some(0.0),
                LinkState::Up => link.downstream_upstream().1.capacity_mbps.get().filter(|_| link.trusted),
                LinkState::Unknown(_) => None,
            });
            match known {
                Some(mbps) => carries.at_most_mbps = Some(carries.at_most_mbps.map_or(mbps, |least| least.min(mbps))),
                None => carries.exactly = false,
            }
        }
        carries
    }
}

/// One judgement of one job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub input: Input,
    pub trouble: Option<BackupTrouble>,
    /// What the site can send, and what the job needs at least to fit: where that was looked at.
    pub measured_mbps: Option<f64>,
    pub required_mbps: Option<f64>,
}

impl Verdict {
    fn only(input: Input) -> Self {
        Self { input, trouble: None, measured_mbps: None, required_mbps: None }
    }

    fn wrong(trouble: BackupTrouble) -> Self {
        Self { trouble: Some(trouble), ..Self::only(Input::Breach) }
    }
}

/// From and to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    from: UnixMillis,
    to: UnixMillis,
}

impl Window {
    fn is_since(&self, at: Option<UnixMillis>) -> bool {
        at.is_some_and(|at| at + EARLY >= self.from)
    }
}

/// The window before the latest, the latest that has begun, and the next.
fn windows(job: &Backup, zone: &TimeZone, now: UnixMillis) -> Option<[Window; 3]> {
    let today = Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone.clone()).date();
    let instant = |date: Date, minute: u16| {
        let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
        Some(UnixMillis(date.at(hour, minute, 0, 0).to_zoned(zone.clone()).ok()?.timestamp().as_millisecond()))
    };
    let mut all = Vec::new();
    for days in -2_i64..=1 {
        let date = today.checked_add(days.days()).ok()?;
        let last = if job.window_end_minute > job.window_start_minute { date } else { date.tomorrow().ok()? };
        all.push(Window { from: instant(date, job.window_start_minute)?, to: instant(last, job.window_end_minute)? });
    }
    let next = all.iter().position(|window| window.from > now).unwrap_or(all.len());
    Some([*all.get(next.checked_sub(2)?)?, *all.get(next.checked_sub(1)?)?, *all.get(next)?])
}

/// The judgement of a job at an instant.
pub fn judge(job: &Backup, zone: &TimeZone, said: BackupReports, carries: Carries, now: UnixMillis) -> Verdict {
    let Some([before, latest, next]) = windows(job, zone, now) else { return Verdict::only(Input::Unknown) };
    let fits = |left: Duration| fits(job, carries, left);
    let ahead = || {
        let verdict = fits(next.to.since(next.from));
        if verdict.input == Input::Breach && next.from.since(now) > AHEAD {
            return Verdict { input: Input::Between, trouble: None, ..verdict };
        }
        verdict
    };
    let open = now < latest.to;
    let BackupReports { started_at, finished_at, failed_at } = said;
    let Some(last) = started_at.max(finished_at).max(failed_at) else {
        // While it may be at work nobody can say how far it is.
        return if open { Verdict::only(Input::Unknown) } else { ahead() };
    };
    if failed_at == Some(last) && finished_at < failed_at {
        return Verdict::wrong(BackupTrouble::Failed);
    }
    if latest.is_since(finished_at) {
        return ahead();
    }
    let started = latest.is_since(started_at);
    if now >= latest.to + job.finish_grace {
        return Verdict::wrong(if started { BackupTrouble::NotFinished } else { BackupTrouble::NotStarted });
    }
    if !started && now >= latest.from + job.start_grace {
        return Verdict::wrong(BackupTrouble::NotStarted);
    }
    let from = if started { started_at.unwrap_or(latest.from) } else { now };
    let verdict = fits((latest.to + job.finish_grace).since(from));
    // A run that was missed is made good by one that finishes, not by one that begins.
    let is_owed = !before.is_since(finished_at);
    if verdict.input == Input::Clear && is_owed { Verdict { input: Input::Between, ..verdict } } else { verdict }
}

fn fits(job: &Backup, carries: Carries, left: Duration) -> Verdict {
    let required = job.size_gigabytes * MEGABITS_PER_GIGABYTE / left.as_secs_f64().max(1.0);
    let (input, trouble) = match carries.at_most_mbps {
        Some(mbps) if mbps < required => (Input::Breach, Some(BackupTrouble::DoesNotFit)),
        Some(_) if carries.exactly => (Input::Clear, None),
        _ => (Input::Unknown, None),
    };
    Verdict { input, trouble, measured_mbps: carries.at_most_mbps, required_mbps: Some(required) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BackupId, SiteId};

    /// 9 GB from 22:00 to 04:00: 72,000 megabits in 21,600 s are 3.33 Mbps.
    fn job() -> Backup {
        Backup {
            id: BackupId::parse("notte").unwrap(),
            name: "Notte".into(),
            site: SiteId::parse("alba").unwrap(),
            window_start_minute: 22 * 60,
            window_end_minute: 4 * 60,
            size_gigabytes: 9.0,
            start_grace: Duration::from_mins(30),
            finish_grace: Duration::from_mins(20),
        }
    }

    /// Local time in Rome in November 2026: an hour ahead of UTC.
    fn at(day: i64, hour: i64, minute: i64) -> UnixMillis {
        let midnight = jiff::civil::date(2026, 11, 1).to_zoned(TimeZone::get("Europe/Rome").unwrap()).unwrap();
        UnixMillis(midnight.timestamp().as_millisecond() + (((day - 1) * 24 + hour) * 60 + minute) * 60_000)
    }

    const fn known(mbps: f64) -> Carries {
        Carries { at_most_mbps: Some(mbps), exactly: true }
    }

    const UNKNOWN: Carries = Carries { at_most_mbps: None, exactly: false };

    fn verdict(said: BackupReports, carries: Carries, now: UnixMillis) -> (Input, Option<BackupTrouble>) {
        let verdict = judge(&job(), &TimeZone::get("Europe/Rome").unwrap(), said, carries, now);
        (verdict.input, verdict.trouble)
    }

    #[track_caller]
    fn check(said: BackupReports, carries: Carries, now: UnixMillis, input: Input, trouble: Option<BackupTrouble>) {
        assert_eq!(verdict(said, carries, now), (input, trouble));
    }

    const NONE: BackupReports = BackupReports { started_at: None, finished_at: None, failed_at: None };

    #[test]
    fn what_does_not_fit_is_told_in_the_afternoon_and_what_is_not_known_is_not_told() {
        let short = Some(BackupTrouble::DoesNotFit);
        check(NONE, known(3.3), at(10, 16, 0), Input::Breach, short);
        check(NONE, known(3.4), at(10, 16, 0), Input::Clear, None);
        check(NONE, known(3.3), at(10, 9, 0), Input::Between, None);
        check(NONE, UNKNOWN, at(10, 16, 0), Input::Unknown, None);
        // One part of the way is known, and is too narrow whatever the rest is.
        let partly = |mbps| Carries { at_most_mbps: Some(mbps), exactly: false };
        check(NONE, partly(1.0), at(10, 16, 0), Input::Breach, short);
        check(NONE, partly(100.0), at(10, 16, 0), Input::Unknown, None);
        check(NONE, known(0.0), at(10, 16, 0), Input::Breach, short);
        // Nobody knows how far a job is that says nothing.
        check(NONE, known(1.0), at(10, 23, 0), Input::Unknown, None);
    }

    #[test]
    fn a_missed_start_and_a_missed_finish_have_a_grace_each() {
        let night = BackupReports { started_at: Some(at(9, 22, 5)), finished_at: Some(at(10, 1, 0)), failed_at: None };
        check(night, known(50.0), at(10, 22, 29), Input::Clear, None);
        check(night, known(50.0), at(10, 22, 30), Input::Breach, Some(BackupTrouble::NotStarted));
        // Also one that starts a little early is this night's.
        let runs = BackupReports { started_at: Some(at(10, 21, 30)), ..night };
        check(runs, known(50.0), at(11, 3, 0), Input::Clear, None);
        check(runs, known(50.0), at(11, 4, 19), Input::Clear, None);
        check(runs, known(50.0), at(11, 4, 20), Input::Breach, Some(BackupTrouble::NotFinished));
        // Late, and well again.
        let done = BackupReports { finished_at: Some(at(11, 9, 0)), ..runs };
        check(done, known(50.0), at(11, 9, 1), Input::Clear, None);
        // What was missed stays missed until a run finishes.
        check(runs, known(50.0), at(11, 22, 10), Input::Between, None);
    }

    #[test]
    fn a_run_that_is_under_way_is_held_against_what_its_site_can_send() {
        let night = BackupReports { started_at: Some(at(10, 22, 0)), finished_at: Some(at(10, 1, 0)), failed_at: None };
        check(night, known(3.0), at(10, 23, 0), Input::Breach, Some(BackupTrouble::DoesNotFit));
        check(night, known(3.2), at(10, 23, 0), Input::Clear, None);
        check(night, UNKNOWN, at(10, 23, 0), Input::Unknown, None);
    }

    #[test]
    fn a_failure_is_wrong_at_once_and_until_the_next_run_is_done() {
        let failed = BackupReports {
            started_at: Some(at(10, 22, 0)),
            finished_at: Some(at(10, 1, 0)),
            failed_at: Some(at(10, 22, 40)),
        };
        check(failed, known(50.0), at(10, 22, 41), Input::Breach, Some(BackupTrouble::Failed));
        check(failed, known(50.0), at(11, 12, 0), Input::Breach, Some(BackupTrouble::Failed));
        let again = BackupReports { started_at: Some(at(10, 23, 0)), ..failed };
        check(again, known(50.0), at(10, 23, 1), Input::Clear, None);
        let done = BackupReports { finished_at: Some(at(11, 0, 30)), ..again };
        check(done, known(50.0), at(11, 0, 31), Input::Clear, None);
    }

    #[test]
    fn windows_are_of_the_local_clock_in_the_night_that_it_changes_too() {
        let zone = TimeZone::get("Europe/Rome").unwrap();
        // On 25 October 2026 the clock goes back at 03:00: the window of that night is an hour longer.
        let noon = jiff::civil::date(2026, 10, 25).at(12, 0, 0, 0).to_zoned(zone.clone()).unwrap();
        let now = UnixMillis(noon.timestamp().as_millisecond());
        let [before, latest, next] = windows(&job(), &zone, now).unwrap();
        let hours = |window: Window| window.to.since(window.from).as_secs() / 3600;
        assert_eq!((hours(before), hours(latest), hours(next)), (6, 7, 6));
    }
}
