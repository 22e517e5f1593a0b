//! What people say about incidents, and what they announce: who took charge, with which ticket, until when it should
//! be repaired, whose fault it was; maintenance windows; which operators get mails. `[P]`
//!
//! Everything is changed by a [`Command`], signed with a name and a time, and applied by [`Desk::apply`]; to apply the
//! same twice changes nothing. This is also the stored format: fields are only ever added, each with a default.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::incident::{Incident, Subject};
use crate::model::network::Network;
use crate::model::view::BackupReports;
use crate::model::{BackupId, DeviceId, EdgeId, LinkId, SiteId, UnixMillis, WispId};

/// Texts of people, in characters; what is longer is refused, not cut.
pub const TEXT_CHARS_MAX: usize = 500;
/// Acts on one incident; a ticket system that writes on for ever stops here.
const ACTS_MAX: usize = 200;
/// Windows that are not over.
const WINDOWS_MAX: usize = 1000;
/// Of those, announced by one operator: a link in wrong hands leaves room for the others.
const OPERATOR_WINDOWS_MAX: usize = 50;
/// Windows that are over are kept in mind for so long; the store has them all.
const WINDOW_KEPT: Duration = Duration::from_hours(90 * 24);
/// A longer window is a slip of the pen: the alarm of a link would be off for good.
const WINDOW_MAX: Duration = Duration::from_hours(31 * 24);

/// The same word of the same backup job within this is one.
const BACKUP_PAUSE: Duration = Duration::from_secs(10);

/// Whose fault it was. A power cut belongs to whoever owns the power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    Operator,
    Union,
    Municipality,
    PowerOfOperator,
    PowerOfUnion,
    PowerOfMunicipality,
    /// Weather, third parties.
    Nobody,
}

impl Fault {
    pub const ALL: [Self; 7] = [
        Self::Operator,
        Self::Union,
        Self::Municipality,
        Self::PowerOfOperator,
        Self::PowerOfUnion,
        Self::PowerOfMunicipality,
        Self::Nobody,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Union => "union",
            Self::Municipality => "municipality",
            Self::PowerOfOperator => "power_of_operator",
            Self::PowerOfUnion => "power_of_union",
            Self::PowerOfMunicipality => "power_of_municipality",
            Self::Nobody => "nobody",
        }
    }
}

/// What works are announced for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Place {
    Link(EdgeId),
    Site(SiteId),
    Device(DeviceId),
    /// All that an operator runs.
    Wisp(WispId),
}

/// Announced works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub number: u64,
    pub place: Place,
    pub from: UnixMillis,
    /// Not part of it.
    pub to: UnixMillis,
    pub note: Option<String>,
    pub by: String,
    pub at: UnixMillis,
    /// The operator that announced it; `None`: the Union.
    #[serde(default)]
    pub wisp: Option<WispId>,
    /// Taken back: when and by whom.
    #[serde(default)]
    pub removed: Option<(UnixMillis, String)>,
}

/// What somebody did about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    Acknowledge {
        #[serde(default)]
        ticket: Option<String>,
        #[serde(default)]
        expected_repair: Option<UnixMillis>,
        #[serde(default)]
        note: Option<String>,
    },
    /// The contract's clock stands still: no access to a site, for instance.
    Suspend {
        reason: String,
    },
    Resume,
    Fault {
        fault: Fault,
    },
}

/// An act with its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub at: UnixMillis,
    pub by: String,
    #[serde(flatten)]
    pub act: Act,
}

/// All acts on one incident, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Case {
    pub incident: u64,
    pub entries: Vec<Entry>,
}

impl Case {
    /// When somebody first took charge.
    pub fn acknowledged(&self) -> Option<&Entry> {
        self.entries.iter().find(|e| matches!(e.act, Act::Acknowledge { .. }))
    }

    /// The latest ticket number.
    pub fn ticket(&self) -> Option<&str> {
        self.entries.iter().rev().find_map(|e| match &e.act {
            Act::Acknowledge { ticket, .. } => ticket.as_deref(),
            _ => None,
        })
    }

    /// The latest time of repair that was given.
    pub fn expected_repair(&self) -> Option<UnixMillis> {
        self.entries.iter().rev().find_map(|e| match e.act {
            Act::Acknowledge { expected_repair, .. } => expected_repair,
            _ => None,
        })
    }

    /// Why the clock stands still, if it does.
    pub fn suspended(&self) -> Option<&str> {
        self.entries
            .iter()
            .rev()
            .find_map(|e| match &e.act {
                Act::Suspend { reason } => Some(Some(reason.as_str())),
                Act::Resume => Some(None),
                _ => None,
            })
            .flatten()
    }

    pub fn fault(&self) -> Option<Fault> {
        self.entries.iter().rev().find_map(|e| match e.act {
            Act::Fault { fault } => Some(fault),
            _ => None,
        })
    }

    /// How long the clock stood still before `until`.
    pub fn suspended_for(&self, until: UnixMillis) -> Duration {
        let mut total = Duration::ZERO;
        let mut from = None;
        for entry in self.entries.iter().filter(|e| e.at <= until) {
            match entry.act {
                Act::Suspend { .. } => from = from.or(Some(entry.at)),
                Act::Resume => total += from.take().map_or(Duration::ZERO, |from| entry.at.since(from)),
                _ => {}
            }
        }
        total + from.map_or(Duration::ZERO, |from| until.since(from))
    }
}

/// Since when the network is watched, and which operators get mails.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rodaggio {
    /// When the ledger was born.
    pub born_at: UnixMillis,
    /// Operators that were switched on or off: whether on, when, by whom.
    #[serde(default)]
    pub switched: BTreeMap<WispId, (bool, UnixMillis, String)>,
}

impl Rodaggio {
    /// When it ends.
    pub fn until(&self, period: Duration) -> UnixMillis {
        self.born_at + period
    }

    pub fn is_on(&self, period: Duration, now: UnixMillis) -> bool {
        !period.is_zero() && now < self.until(period)
    }

    /// Whether an operator gets mails. After a running-in each must be switched on; without one all are.
    pub fn tells(&self, wisp: &WispId, period: Duration) -> bool {
        self.switched.get(wisp).map_or(period.is_zero(), |(on, ..)| *on)
    }
}

/// A change that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    Act {
        incident: u64,
        #[serde(flatten)]
        act: Act,
    },
    AddWindow {
        place: Place,
        from: UnixMillis,
        to: UnixMillis,
        #[serde(default)]
        note: Option<String>,
        #[serde(default)]
        wisp: Option<WispId>,
    },
    RemoveWindow {
        number: u64,
    },
    SwitchWisp {
        wisp: WispId,
        on: bool,
    },
    /// What a backup job says of itself.
    Backup {
        job: BackupId,
        word: BackupWord,
    },
}

/// What a backup job can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupWord {
    Start,
    Finish,
    Fail,
}

impl BackupWord {
    pub const ALL: [Self; 3] = [Self::Start, Self::Finish, Self::Fail];

    /// As written in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Finish => "finish",
            Self::Fail => "fail",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|w| w.as_str() == word)
    }
}

/// What a command changed: the document to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touched {
    /// It was so already.
    Nothing,
    Case(u64),
    Window(u64),
    Rodaggio,
    Backups,
}

/// Why a command was not applied; for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no incident VED-{0}")]
    NoIncident(u64),
    #[error("VED-{0} has {ACTS_MAX} entries already: it takes no more")]
    Full(u64),
    #[error("there is no {0} {1:?} in the inventory")]
    NoPlace(&'static str, String),
    #[error("a window must end after it begins, later than now, and within 31 days of its beginning")]
    BadWindow,
    #[error("there are {WINDOWS_MAX} windows already: remove some")]
    TooManyWindows,
    #[error("this operator has {OPERATOR_WINDOWS_MAX} windows already: remove some")]
    TooManyOfOperator,
    #[error("there is no maintenance window {0}")]
    NoWindow(u64),
    #[error("{0} must be given, on one line of at most {TEXT_CHARS_MAX} characters")]
    BadText(&'static str),
}

/// Everything that people said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desk {
    pub cases: BTreeMap<u64, Case>,
    pub windows: BTreeMap<u64, Window>,
    pub rodaggio: Rodaggio,
    pub backups: BTreeMap<BackupId, BackupReports>,
}

impl Desk {
    /// Applies a command of `by`. `known`: whether there is an incident of that number.
    pub fn apply(
        &mut self,
        network: &Network,
        known: impl Fn(u64) -> bool,
        command: Command,
        by: &str,
        now: UnixMillis,
    ) -> Result<Touched, Refusal> {
        line(by, "a name")?;
        match command {
            Command::Act { incident, act } => {
                if !known(incident) {
                    return Err(Refusal::NoIncident(incident));
                }
                self.act(incident, act, by, now)
            }
            Command::AddWindow { place, from, to, note, wisp } => {
                check_place(network, &place)?;
                note.as_deref().map_or(Ok(()), |note| line(note, "a note"))?;
                self.add_window(Window {
                    number: 0,
                    place,
                    from,
                    to,
                    note,
                    by: by.into(),
                    at: now,
                    wisp,
                    removed: None,
                })
            }
            Command::RemoveWindow { number } => {
                let window = self.windows.get_mut(&number).ok_or(Refusal::NoWindow(number))?;
                if window.removed.is_some() {
                    return Ok(Touched::Nothing);
                }
                window.removed = Some((now, by.to_owned()));
                Ok(Touched::Window(number))
            }
            Command::SwitchWisp { wisp, on } => {
                if !network.wisps.contains_key(wisp.as_str()) {
                    return Err(Refusal::NoPlace("operator", wisp.to_string()));
                }
                if self.rodaggio.switched.get(&wisp).is_some_and(|(was, ..)| *was == on) {
                    return Ok(Touched::Nothing);
                }
                self.rodaggio.switched.insert(wisp, (on, now, by.to_owned()));
                Ok(Touched::Rodaggio)
            }
            Command::Backup { job, word } => {
                if !network.backups.contains_key(job.as_str()) {
                    return Err(Refusal::NoPlace("backup job", job.to_string()));
                }
                Ok(self.backup(network, job, word, now))
            }
        }
    }

    fn backup(&mut self, network: &Network, job: BackupId, word: BackupWord, now: UnixMillis) -> Touched {
        self.backups.retain(|id, _| network.backups.contains_key(id.as_str()));
        let reports = self.backups.entry(job).or_default();
        let said = match word {
            BackupWord::Start => &mut reports.started_at,
            BackupWord::Finish => &mut reports.finished_at,
            BackupWord::Fail => &mut reports.failed_at,
        };
        // A script that is not sure to have been heard says it again.
        if said.is_some_and(|at| at <= now && now.since(at) < BACKUP_PAUSE) {
            return Touched::Nothing;
        }
        *said = Some(now);
        Touched::Backups
    }

    fn act(&mut self, incident: u64, act: Act, by: &str, now: UnixMillis) -> Result<Touched, Refusal> {
        match &act {
            Act::Acknowledge { ticket, note, .. } => {
                ticket.as_deref().map_or(Ok(()), |text| line(text, "a ticket number"))?;
                note.as_deref().map_or(Ok(()), |text| line(text, "a note"))?;
            }
            Act::Suspend { reason } => line(reason, "a reason")?,
            Act::Resume | Act::Fault { .. } => {}
        }
        let case = self.cases.entry(incident).or_default();
        case.incident = incident;
        let same_kind = |e: &&Entry| std::mem::discriminant(&e.act) == std::mem::discriminant(&act);
        let said = match act {
            // To suspend again after resuming is news; to suspend what is suspended for the same reason is not.
            Act::Suspend { ref reason } => case.suspended() == Some(reason.as_str()),
            Act::Resume => case.suspended().is_none(),
            _ => case.entries.iter().rev().find(same_kind).is_some_and(|e| e.act == act && e.by == by),
        };
        if said {
            return Ok(Touched::Nothing);
        }
        if case.entries.len() >= ACTS_MAX {
            return Err(Refusal::Full(incident));
        }
        case.entries.push(Entry { at: now, by: by.to_owned(), act });
        Ok(Touched::Case(incident))
    }

    fn add_window(&mut self, mut window: Window) -> Result<Touched, Refusal> {
        let now = window.at;
        if window.to <= window.from || window.to <= now || window.to.since(window.from) > WINDOW_MAX {
            return Err(Refusal::BadWindow);
        }
        let same =
            |w: &&Window| w.removed.is_none() && w.place == window.place && w.from == window.from && w.to == window.to;
        if self.windows.values().any(|w| same(&w)) {
            return Ok(Touched::Nothing);
        }
        let ahead = |own: bool| {
            let of_operator = |w: &&Window| !own || w.wisp == window.wisp;
            self.windows.values().filter(|w| w.removed.is_none() && w.to > now).filter(of_operator).count()
        };
        if ahead(false) >= WINDOWS_MAX {
            return Err(Refusal::TooManyWindows);
        }
        if window.wisp.is_some() && ahead(true) >= OPERATOR_WINDOWS_MAX {
            return Err(Refusal::TooManyOfOperator);
        }
        let number = self.windows.keys().next_back().map_or(1, |last| last + 1);
        window.number = number;
        self.windows.retain(|n, w| *n + 1 == number || now.since(w.to) < WINDOW_KEPT);
        self.windows.insert(number, window);
        Ok(Touched::Window(number))
    }

    /// Works under way that an incident belongs to.
    pub fn works(&self, network: &Network, incident: &Incident, now: UnixMillis) -> Option<&Window> {
        self.windows
            .values()
            .filter(|w| w.removed.is_none() && w.from <= now && now < w.to)
            .find(|w| covers(network, &w.place, incident))
    }

    /// Works within which an incident began.
    pub fn works_at_start(&self, network: &Network, incident: &Incident) -> Option<&Window> {
        self.windows
            .values()
            .filter(|w| w.removed.is_none() && w.from <= incident.since && incident.since < w.to)
            .find(|w| covers(network, &w.place, incident))
    }
}

/// One line, not empty, not endless.
fn line(text: &str, what: &'static str) -> Result<(), Refusal> {
    let fits = !text.trim().is_empty() && text.chars().count() <= TEXT_CHARS_MAX && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Refusal::BadText(what)) }
}

fn check_place(network: &Network, place: &Place) -> Result<(), Refusal> {
    let (kind, id, known) = match place {
        Place::Link(EdgeId::Link(id)) => ("link", id.as_str(), network.links.contains_key(id.as_str())),
        Place::Link(EdgeId::Bundle(id)) => ("bundle", id.as_str(), network.bundles.contains_key(id.as_str())),
        Place::Link(EdgeId::Backhaul(id)) => ("backhaul", id.as_str(), network.backhauls.contains_key(id.as_str())),
        Place::Site(id) => ("site", id.as_str(), network.sites.contains_key(id.as_str())),
        Place::Device(id) => ("device", id.as_str(), network.devices.contains_key(id.as_str())),
        Place::Wisp(id) => ("operator", id.as_str(), network.wisps.contains_key(id.as_str())),
    };
    if known { Ok(()) } else { Err(Refusal::NoPlace(kind, id.to_owned())) }
}

/// Whether works at a place explain an incident.
pub fn covers(network: &Network, place: &Place, incident: &Incident) -> bool {
    let subject = &incident.subject;
    let links = |edge: &EdgeId| -> Vec<LinkId> {
        match edge {
            EdgeId::Link(id) => vec![id.clone()],
            EdgeId::Bundle(id) => network.bundles.get(id.as_str()).map(|b| b.links.clone()).unwrap_or_default(),
            EdgeId::Backhaul(_) => Vec::new(),
        }
    };
    let own: Vec<LinkId> = match subject {
        Subject::Edge(edge) => links(edge),
        _ => Vec::new(),
    };
    let ends = || own.iter().filter_map(|id| network.links.get(id.as_str()));
    match place {
        Place::Link(edge) => {
            matches!(subject, Subject::Edge(own) if own == edge) || links(edge).iter().any(|id| own.contains(id))
        }
        Place::Device(id) => subject.as_str() == id.as_str() || ends().any(|l| l.near == *id || l.far == *id),
        Place::Wisp(id) => incident.wisp.as_ref() == Some(id),
        Place::Site(id) => {
            let at_end = ends().any(|l| {
                let (near, far) = network.link_sites(l);
                near == *id || far == *id
            });
            let backhaul = matches!(subject, Subject::Edge(EdgeId::Backhaul(b))
                if network.backhauls.get(b.as_str()).is_some_and(|b| b.site == *id));
            let itself = matches!(subject, Subject::Site(site) | Subject::Agent(site) if site == id);
            itself || at_end || backhaul || incident.detail.dark_site.as_ref() == Some(id)
        }
    }
}
