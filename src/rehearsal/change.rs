//! What a scenario can do to its network, to its hub and with its people. `[P]`

use std::fmt;
use std::time::Duration;

use super::place::{Names, Place};
use super::script::{Words, Wrong};
use crate::alert::desk::{Act, BackupWord, Fault};
use crate::config::text::parse_duration;
use crate::model::network::End;
use crate::model::{BackhaulId, BackupId, DeviceId, LinkId, ServiceId, SiteId, WispId};

/// A figure of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gauge {
    PortMbps,
    Celsius,
    SupplyVolts,
    BatteryPercent,
    /// 1 or 0.
    OnBattery,
    LossPercent,
    RttMs,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Link(LinkId, bool),
    /// `None`: as usual.
    Capacity(LinkId, Option<f64>),
    /// At one end, or at both.
    Fade(LinkId, Option<End>, f64),
    Noise(LinkId, Option<End>, f64),
    Channel(LinkId, f64),
    /// Whether its radios say what they can carry.
    Readable(LinkId, bool),
    Power(DeviceId, bool),
    /// Whether its management can be reached; what it passes on is not touched.
    Answers(DeviceId, bool),
    Gauge(DeviceId, Gauge, Option<f64>),
    Lit(SiteId, bool),
    Backhaul(BackhaulId, bool),
    BackhaulLoss(BackhaulId, f64),
    BackhaulRtt(BackhaulId, Option<f64>),
    Service(ServiceId, Option<SiteId>, bool),
    AgentRuns(SiteId, bool),
    AgentJoined(SiteId, bool),
    AgentClock(SiteId, i64),
    /// It starts in 1970.
    AgentClockUnset(SiteId),
    AgentLate(SiteId, Duration),
    AgentLoses(SiteId, u64),
    /// It ends so long from then on.
    AgentCertificate(SiteId, Duration),
    /// Whether another machine writes under its name.
    AgentCloned(SiteId, bool),
    /// It refuses its part of the inventory.
    AgentRefuses(SiteId, bool),
    HubCertificate(Duration),
    Backup(BackupId, BackupWord),
    HubHears(bool),
    HubRestarts,
    HubClock(i64),
    HubInventory(String),
    Act(Place, Act, String),
    Works(Place, Duration, Option<WispId>),
    Switch(WispId, bool),
    Refuse(String),
}

impl Change {
    /// What undoes it, for what lasts.
    pub fn reverse(&self) -> Option<Self> {
        Some(match self.clone() {
            Self::Link(id, up) => Self::Link(id, !up),
            Self::Capacity(id, Some(_)) => Self::Capacity(id, None),
            Self::Fade(id, end, _) => Self::Fade(id, end, 0.0),
            Self::Noise(id, end, _) => Self::Noise(id, end, 0.0),
            Self::Readable(id, yes) => Self::Readable(id, !yes),
            Self::Power(id, on) => Self::Power(id, !on),
            Self::Answers(id, yes) => Self::Answers(id, !yes),
            Self::Gauge(id, Gauge::OnBattery, Some(on)) => Self::Gauge(id, Gauge::OnBattery, Some(1.0 - on)),
            Self::Gauge(id, gauge, Some(_)) => Self::Gauge(id, gauge, None),
            Self::Lit(id, lit) => Self::Lit(id, !lit),
            Self::Backhaul(id, up) => Self::Backhaul(id, !up),
            Self::BackhaulLoss(id, _) => Self::BackhaulLoss(id, 0.0),
            Self::BackhaulRtt(id, Some(_)) => Self::BackhaulRtt(id, None),
            Self::Service(id, from, up) => Self::Service(id, from, !up),
            Self::AgentRuns(id, runs) => Self::AgentRuns(id, !runs),
            Self::AgentJoined(id, joined) => Self::AgentJoined(id, !joined),
            Self::AgentLate(id, _) => Self::AgentLate(id, Duration::ZERO),
            Self::AgentClock(id, _) => Self::AgentClock(id, 0),
            Self::AgentCloned(id, yes) => Self::AgentCloned(id, !yes),
            Self::AgentRefuses(id, yes) => Self::AgentRefuses(id, !yes),
            Self::HubHears(yes) => Self::HubHears(!yes),
            _ => return None,
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pick = |yes: bool, a: &'static str, b: &'static str| if yes { a } else { b };
        match self {
            Self::Link(id, up) => write!(f, "link {id} {}", pick(*up, "up", "down")),
            Self::Capacity(id, Some(mbps)) => write!(f, "link {id} carries {mbps}"),
            Self::Capacity(id, None) => write!(f, "link {id} carries what is usual"),
            Self::Fade(id, _, db) => write!(f, "link {id} fades {db} dB"),
            Self::Noise(id, _, db) => write!(f, "link {id} noise {db} dB"),
            Self::Channel(id, mhz) => write!(f, "link {id} channel {mhz} MHz"),
            Self::Readable(id, yes) => write!(f, "link {id} {}", pick(*yes, "readable", "unreadable")),
            Self::Power(id, on) => write!(f, "device {id} {}", pick(*on, "on", "off")),
            Self::Answers(id, yes) => write!(f, "device {id} {}", pick(*yes, "answers", "silent")),
            Self::Gauge(id, gauge, Some(value)) => write!(f, "device {id} {gauge:?} {value}"),
            Self::Gauge(id, gauge, None) => write!(f, "device {id} {gauge:?} as usual"),
            Self::Lit(id, lit) => write!(f, "site {id} {}", pick(*lit, "lit", "dark")),
            Self::Backhaul(id, up) => write!(f, "backhaul {id} {}", pick(*up, "up", "down")),
            Self::BackhaulLoss(id, percent) => write!(f, "backhaul {id} loses {percent} %"),
            Self::BackhaulRtt(id, ms) => {
                write!(f, "backhaul {id} answers in {} ms", ms.unwrap_or(super::world::RTT_MS))
            }
            Self::Service(id, _, up) => write!(f, "service {id} {}", pick(*up, "up", "down")),
            Self::AgentRuns(id, runs) => write!(f, "agent {id} {}", pick(*runs, "starts", "stops")),
            Self::AgentJoined(id, yes) => write!(f, "agent {id} {}", pick(*yes, "joined", "cut-off")),
            Self::AgentClock(id, ms) => write!(f, "agent {id} clock {:+} s", ms / 1000),
            Self::AgentClockUnset(id) => write!(f, "agent {id} clock unset"),
            Self::AgentLate(id, late) => write!(f, "agent {id} late {} s", late.as_secs()),
            Self::AgentLoses(id, n) => write!(f, "agent {id} loses {n} batches"),
            Self::AgentCertificate(id, left) => {
                write!(f, "agent {id} certificate ends in {}", super::verdict::time(*left))
            }
            Self::AgentCloned(id, yes) => write!(f, "agent {id} {}", pick(*yes, "cloned", "single")),
            Self::AgentRefuses(id, yes) => write!(f, "agent {id} {}", pick(*yes, "refuses", "accepts")),
            Self::HubCertificate(left) => write!(f, "hub certificate ends in {}", super::verdict::time(*left)),
            Self::Backup(id, word) => write!(f, "backup {id} {}", word.as_str()),
            Self::HubHears(yes) => write!(f, "hub {}", pick(*yes, "hears", "deaf")),
            Self::HubRestarts => write!(f, "hub restarts"),
            Self::HubClock(ms) => write!(f, "hub clock {:+} s", ms / 1000),
            Self::HubInventory(file) => write!(f, "hub restarts with {file}"),
            Self::Act(place, act, by) => write!(f, "{by}: {act:?} of {place}"),
            Self::Works(place, lasts, _) => write!(f, "works on {place} for {} min", lasts.as_secs() / 60),
            Self::Switch(wisp, on) => write!(f, "switch {wisp} {}", pick(*on, "on", "off")),
            Self::Refuse(address) => write!(f, "refuse {address}"),
        }
    }
}

const VERBS: [&str; 15] = [
    "link",
    "device",
    "site",
    "backhaul",
    "service",
    "agent",
    "hub",
    "backup",
    "acknowledge",
    "suspend",
    "resume",
    "fault",
    "works",
    "switch",
    "refuse",
];

/// The rest of a sentence after its time.
pub fn change(words: &mut Words<'_>, names: &Names<'_>) -> Result<Change, Wrong> {
    let kind = words.one_of("what changes", &VERBS)?;
    match kind {
        "acknowledge" | "suspend" | "resume" | "fault" => return act(kind, words, names),
        "works" => return works(words, names),
        "switch" => {
            let wisp = names.wisp(words.next("an operator")?)?;
            return Ok(Change::Switch(wisp, words.one_of("a state", &["on", "off"])? == "on"));
        }
        "refuse" => return Ok(Change::Refuse(words.next("an address of mail")?.to_owned())),
        _ => {}
    }
    match names.place_of(kind, words)? {
        Place::Link(id) => link(id, words),
        Place::Device(id) => device(id, words),
        Place::Site(id) => Ok(Change::Lit(id, words.one_of("a state", &["lit", "dark"])? == "lit")),
        Place::Backhaul(id) => match words.one_of("what it does", &["up", "down", "loses", "rtt"])? {
            "loses" => Ok(Change::BackhaulLoss(id, percent(words)?)),
            "rtt" => Ok(Change::BackhaulRtt(id, Some(words.number("a number of ms")?))),
            state => Ok(Change::Backhaul(id, state == "up")),
        },
        Place::Service(id, from) => Ok(Change::Service(id, from, words.one_of("a state", &["up", "down"])? == "up")),
        Place::Agent(id) => agent(id, words),
        Place::Backup(id) => {
            let word = words.one_of("what the job says", &BackupWord::ALL.map(BackupWord::as_str))?;
            let said = BackupWord::parse(word).ok_or_else(|| Wrong::new("must say what the job says"))?;
            Ok(Change::Backup(id, said))
        }
        Place::Hub | Place::Bundle(_) => hub(words),
    }
}

fn percent(words: &mut Words<'_>) -> Result<f64, Wrong> {
    let percent = words.number("a number of percent")?;
    if (0.0..=100.0).contains(&percent) { Ok(percent) } else { Err(Wrong::new("must be between 0 and 100 %")) }
}

fn end(words: &mut Words<'_>) -> Option<End> {
    if words.accept("near") {
        return Some(End::Near);
    }
    words.accept("far").then_some(End::Far)
}

fn link(id: LinkId, words: &mut Words<'_>) -> Result<Change, Wrong> {
    let verbs = ["up", "down", "carries", "fades", "noise", "channel", "readable", "unreadable"];
    Ok(match words.one_of("what the link does", &verbs)? {
        "carries" if words.accept("usual") => Change::Capacity(id, None),
        "carries" => Change::Capacity(id, Some(words.number("a number of Mbps, or usual")?.max(0.0))),
        "fades" => Change::Fade(id, end(words), words.number("a number of dB")?),
        "noise" => Change::Noise(id, end(words), words.number("a number of dB")?),
        "channel" => Change::Channel(id, words.number("a number of MHz")?),
        state @ ("readable" | "unreadable") => Change::Readable(id, state == "readable"),
        state => Change::Link(id, state == "up"),
    })
}

fn device(id: DeviceId, words: &mut Words<'_>) -> Result<Change, Wrong> {
    let verbs = [
        "on",
        "off",
        "answers",
        "silent",
        "port",
        "temperature",
        "supply",
        "battery",
        "on-battery",
        "on-mains",
        "loses",
        "rtt",
    ];
    let verb = words.one_of("what the device does", &verbs)?;
    let gauge = match verb {
        "on" | "off" => return Ok(Change::Power(id, verb == "on")),
        "answers" | "silent" => return Ok(Change::Answers(id, verb == "answers")),
        "on-battery" | "on-mains" => {
            return Ok(Change::Gauge(id, Gauge::OnBattery, Some(f64::from(u8::from(verb == "on-battery")))));
        }
        "port" => Gauge::PortMbps,
        "temperature" => Gauge::Celsius,
        "supply" => Gauge::SupplyVolts,
        "battery" => Gauge::BatteryPercent,
        "loses" => Gauge::LossPercent,
        _ => Gauge::RttMs,
    };
    Ok(Change::Gauge(id, gauge, Some(words.number("a number")?)))
}

/// `+30s`, `-1h`.
fn offset(words: &mut Words<'_>) -> Result<i64, Wrong> {
    let word = words.next("an offset such as +30s or -1h")?;
    let (sign, rest) = match word.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(Wrong::new(format!("{word} is not an offset such as +30s or -1h"))),
    };
    let span =
        parse_duration(rest).ok_or_else(|| Wrong::new(format!("{word} is not an offset such as +30s or -1h")))?;
    Ok(sign * i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}

fn agent(id: SiteId, words: &mut Words<'_>) -> Result<Change, Wrong> {
    let verbs = [
        "stops",
        "starts",
        "cut-off",
        "joined",
        "clock",
        "late",
        "loses",
        "certificate",
        "cloned",
        "single",
        "refuses",
        "accepts",
    ];
    Ok(match words.one_of("what the agent does", &verbs)? {
        state @ ("refuses" | "accepts") => Change::AgentRefuses(id, state == "refuses"),
        "clock" if words.accept("unset") => Change::AgentClockUnset(id),
        "clock" => Change::AgentClock(id, offset(words)?),
        "certificate" => Change::AgentCertificate(id, words.time()?),
        state @ ("cloned" | "single") => Change::AgentCloned(id, state == "cloned"),
        "late" => Change::AgentLate(id, words.time()?),
        "loses" => Change::AgentLoses(id, words.number("a number of batches")?.max(0.0) as u64),
        state @ ("cut-off" | "joined") => Change::AgentJoined(id, state == "joined"),
        state => Change::AgentRuns(id, state == "starts"),
    })
}

fn hub(words: &mut Words<'_>) -> Result<Change, Wrong> {
    Ok(match words.one_of("what the hub does", &["restarts", "deaf", "hears", "clock", "certificate"])? {
        "certificate" => Change::HubCertificate(words.time()?),
        "clock" => Change::HubClock(offset(words)?),
        "restarts" if words.accept("with") => Change::HubInventory(words.next("the name of an inventory")?.to_owned()),
        "restarts" => Change::HubRestarts,
        state => Change::HubHears(state == "hears"),
    })
}

/// `acknowledge link X by NAME [ticket T] [repair-in TIME]`, `suspend link X by NAME`, `resume …`, `fault link X WORD`.
fn act(verb: &str, words: &mut Words<'_>, names: &Names<'_>) -> Result<Change, Wrong> {
    let place = names.place(words)?;
    let mut by = "tester".to_owned();
    let (mut ticket, mut repair) = (None, None);
    if verb == "fault" {
        let choices = Fault::ALL.map(Fault::as_str);
        let word = words.one_of("whose fault it is", &choices)?;
        let fault = Fault::ALL.into_iter().find(|f| f.as_str() == word);
        let fault = fault.ok_or_else(|| Wrong::new("must say whose fault it is"))?;
        return Ok(Change::Act(place, Act::Fault { fault }, by));
    }
    loop {
        if words.accept("by") {
            words.next("a name")?.clone_into(&mut by);
        } else if verb == "acknowledge" && words.accept("ticket") {
            ticket = Some(words.next("a ticket number")?.to_owned());
        } else if verb == "acknowledge" && words.accept("repair-in") {
            repair = Some(words.time()?);
        } else {
            break;
        }
    }
    let act = match verb {
        "suspend" => Act::Suspend { reason: "no access to the site".to_owned() },
        "resume" => Act::Resume,
        // The time of repair is counted from the moment of the act: see `stage`.
        _ => Act::Acknowledge {
            ticket,
            expected_repair: repair.map(|span| crate::model::UnixMillis(span.as_millis() as i64)),
            note: None,
        },
    };
    Ok(Change::Act(place, act, by))
}

/// `works on link X for 2h [by langhenet]`.
fn works(words: &mut Words<'_>, names: &Names<'_>) -> Result<Change, Wrong> {
    words.one_of("the word", &["on"])?;
    let place = names.place(words)?;
    if place.of_works().is_none() {
        return Err(Wrong::new("works are on a link, a bundle, a backhaul, a site or a device"));
    }
    words.one_of("the word", &["for"])?;
    let lasts = words.time()?;
    let by = if words.accept("by") { Some(names.wisp(words.next("an operator")?)?) } else { None };
    Ok(Change::Works(place, lasts, by))
}
