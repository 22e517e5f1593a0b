//! One thing wrong with one subject, from opening to closing. This is also the stored format (JSON, a document an
//! incident); fields are only ever added, each with a default.

use serde::{Deserialize, Serialize};

pub use crate::model::condition::{Condition, Delivery, Severity};
pub use crate::model::view::Direction;
use crate::model::{BackupId, DeviceId, EdgeId, LinkId, ServiceId, SiteId, UnixMillis, WispId};

/// What an incident is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Edge(EdgeId),
    Site(SiteId),
    Agent(SiteId),
    Device(DeviceId),
    /// A service, as this site sees it.
    Service(ServiceId, SiteId),
    Backup(BackupId),
    /// The hub itself.
    Hub,
}

impl Subject {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Edge(id) => id.as_str(),
            Self::Site(id) | Self::Agent(id) => id.as_str(),
            Self::Device(id) => id.as_str(),
            Self::Service(id, _) => id.as_str(),
            Self::Backup(id) => id.as_str(),
            Self::Hub => "hub",
        }
    }

    /// `link`, `bundle`, `backhaul`, `site`, `agent`, `device`, `service`, `backup` or `hub`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Edge(id) => id.kind(),
            Self::Site(_) => "site",
            Self::Agent(_) => "agent",
            Self::Device(_) => "device",
            Self::Service(..) => "service",
            Self::Backup(_) => "backup",
            Self::Hub => "hub",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// Breached, but not yet for the hold time. Nobody is told.
    Pending,
    Open,
    /// Fine again, but not yet for the hold time to close.
    Closing,
    Closed,
}

impl IncidentState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// One end of a link as it was when the incident opened: what a mail shows as evidence.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EvidenceEnd {
    pub site: String,
    pub device: String,
    pub address: String,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub answers: Option<bool>,
    /// What is usual: the median while the link was well; `None` where the hub has not seen it well.
    pub rsl_dbm_usual: Option<f64>,
    pub rsl_dbm: Option<f64>,
    pub snr_db_usual: Option<f64>,
    pub snr_db: Option<f64>,
    pub modulation: Option<String>,
    pub port_rate_mbps: Option<f64>,
    pub supply_volts: Option<f64>,
    pub airtime_percent: Option<f64>,
    pub noise_floor_dbm: Option<f64>,
    pub temperature_celsius: Option<f64>,
    /// While the link was well, by day; `None` where the hub has not seen that.
    #[serde(default)]
    pub noise_floor_dbm_usual: Option<f64>,
    #[serde(default)]
    pub supply_volts_usual: Option<f64>,
    #[serde(default)]
    pub firmware_before: Option<String>,
    /// When `rsl_dbm` was last read.
    #[serde(default)]
    pub rsl_at: Option<UnixMillis>,
}

/// Why a probable cause was found, or ruled out. Numbers only: the words are the mail's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// RSL fell by so many dB at both ends.
    RslFellBothEnds { near_db: f64, far_db: f64 },
    /// RSL fell at the one end that is known.
    RslFellOneEnd { end: LinkEnd, db: f64 },
    /// RSL is as usual.
    RslUsual,
    /// Links of the same band in the area are as usual.
    NeighboursSteady { n: usize },
    /// Links of the same band in the area faded as well.
    NeighboursFaded { n: usize },
    /// SNR fell while RSL stayed.
    SnrFell { end: LinkEnd, db: f64 },
    /// An Ethernet port limits the link.
    PortLimits { end: LinkEnd, rate_mbps: f64 },
    /// Supply voltage was low when last read.
    SupplyLow { end: LinkEnd, volts: f64 },
    /// Supply voltage is as it should be at every end that says it.
    SupplyGood,
    /// Every device at the site of that end is silent.
    SiteSilent { end: LinkEnd },
    /// Air time is used up.
    AirtimeHigh { end: LinkEnd, percent: f64 },
    /// The noise floor rose while RSL stayed.
    NoiseRose { end: LinkEnd, db: f64 },
    /// What passes is nearly all that can.
    ThroughputNearCapacity { percent: f64 },
    /// Hotter than electronics should be.
    Hot { end: LinkEnd, celsius: f64 },
    /// Another firmware than while the link was well.
    FirmwareChanged { end: LinkEnd },
    /// Supply voltage fell by so many volts before it went.
    SupplyFell { end: LinkEnd, volts: f64 },
}

/// Which end of a link, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkEnd {
    Near,
    Far,
}

/// What set the capacity at the last breach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    RadioTx(LinkEnd),
    RadioRx(LinkEnd),
    Port(LinkEnd, String),
    Declared,
    SectorAirtime,
    Member(LinkId),
}

/// How the figure of an incident is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figure {
    /// `reported`, `derived`, `port`, `declared` or `measured`.
    pub from: Option<String>,
    pub limit: Option<Limit>,
    pub measured_at: Option<UnixMillis>,
    pub throughput_mbps: Option<f64>,
}

/// What the engine needs to go on after a restart, and what mails say besides the figures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and a key of its own in what is kept")]
pub struct Detail {
    /// Start of the hold that runs now (to open or to close), moved on by pauses.
    pub hold_from: Option<UnixMillis>,
    /// Since when the subject is unknown.
    pub unknown_since: Option<UnixMillis>,
    /// Last judged; written at least once an interval while a hold runs.
    pub checked_at: Option<UnixMillis>,
    /// A consequence whose causes are gone, and which is still in breach.
    pub orphan_since: Option<UnixMillis>,
    /// It was open, a root and not minor: mails went out, so that its end is told too.
    pub announced: bool,
    /// It is told, but to its operator alone: the staff hear of the cause. See `alert::dark`.
    pub operator_only: bool,
    /// The site that went dark and took this link with it, and the other edges that fell there with it; of all
    /// operators, so a mail to one of them must leave out the others'.
    pub dark_site: Option<SiteId>,
    pub also_down: Vec<EdgeId>,
    /// Time known to be in breach, without the stretch that runs now.
    pub below_ms: u64,
    /// Start of the stretch in breach that runs now.
    pub below_from: Option<UnixMillis>,
    /// At once, or with the daily digest.
    pub delivery: Delivery,
    /// When it opened, came back while closing, or opened as the incident before it: what damping counts.
    pub openings: Vec<UnixMillis>,
    /// It comes and goes: it stays open until all has been quiet for long.
    pub unstable: bool,
    /// What the condition is judged by, in the unit of its [`crate::model::condition::Threshold`]: as last seen, at
    /// its worst, the figure from which on it is wrong, and what is usual.
    pub value: Option<f64>,
    pub value_worst: Option<f64>,
    pub limit: Option<f64>,
    pub usual: Option<f64>,
    /// The device that says so, where the subject is a site or a link.
    pub device: Option<DeviceId>,
    /// The link's channel has radar detection: it was given the longer hold.
    pub dfs: bool,
    /// Best capacity of the subject and direction in 30 days, Mbps.
    pub best_mbps: Option<f64>,
    /// `PartRefused`: why, as the agent says.
    pub said: Option<String>,
    /// What is wrong with a backup job.
    pub backup: Option<BackupTrouble>,
    /// `SamplesLost`: batches lost in all when it last grew.
    pub lost_batches: Option<u64>,
    /// The site that the judged direction leads to (downstream where the condition has none); `None`: the Internet,
    /// or no link at all.
    pub towards: Option<SiteId>,
    /// The link that `near` and `far` are the ends of: the subject, or a member of it.
    pub evidence_link: Option<LinkId>,
    pub figure: Figure,
    pub reasons: Vec<Reason>,
}

/// What is wrong with a backup job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupTrouble {
    /// At what its site can send it needs longer than its window.
    DoesNotFit,
    NotStarted,
    NotFinished,
    /// It said so itself.
    Failed,
}

/// Why a link is probably weak. `alert::engine` says how it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbableCause {
    Unknown,
    RainFade,
    Misalignment,
    Interference,
    Congestion,
    PortRate,
    Power,
    /// The radio itself: too hot, or not the same since a new firmware.
    Equipment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

/// A step in an incident's life, for its time line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    pub at: UnixMillis,
    pub state: IncidentState,
    /// Mbps measured at that moment, where the condition is about capacity.
    pub measured_mbps: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The token of its subject lines: 147 is `VED-147`. Given when it opens; 0 while pending.
    pub number: u64,
    pub condition: Condition,
    pub subject: Subject,
    /// Where the condition is about one direction.
    pub direction: Option<Direction>,
    pub severity: Severity,
    pub state: IncidentState,
    /// First sample of the breach that opened it.
    pub since: UnixMillis,
    pub opened_at: Option<UnixMillis>,
    pub closed_at: Option<UnixMillis>,
    /// When it last entered its present state.
    pub changed_at: UnixMillis,
    /// Numbers of the incidents that explain it. A consequence is shown and counted, never mailed on its own.
    pub caused_by: Vec<u64>,
    pub wisp: Option<WispId>,
    pub measured_mbps: Option<f64>,
    /// The worst while it was open.
    pub measured_mbps_min: Option<f64>,
    pub required_mbps: Option<f64>,
    /// Sites with a target behind the subject when it opened, in order of id.
    pub sites: Vec<SiteId>,
    /// Of those, the ones that are below their target because of it.
    pub sites_below: Vec<SiteId>,
    /// Of those, the ones that have no path left.
    pub sites_cut_off: Vec<SiteId>,
    pub residents: u32,
    pub near: Option<EvidenceEnd>,
    pub far: Option<EvidenceEnd>,
    pub probable_cause: ProbableCause,
    pub confidence: Confidence,
    pub transitions: Vec<Transition>,
    #[serde(default)]
    pub detail: Detail,
}

impl Incident {
    /// `VED-147`.
    pub fn token(&self) -> String {
        format!("VED-{}", self.number)
    }

    /// At once, or with the daily digest.
    pub fn delivery(&self) -> Delivery {
        self.detail.delivery
    }

    pub fn is_consequence(&self) -> bool {
        !self.caused_by.is_empty()
    }

    /// Neither closed nor dropped.
    pub fn is_live(&self) -> bool {
        self.state != IncidentState::Closed
    }

    /// Open or closing: it has a number and counts.
    pub fn is_opened(&self) -> bool {
        matches!(self.state, IncidentState::Open | IncidentState::Closing)
    }

    /// A pending incident that ended before it opened: its document is to be removed, nobody ever saw it.
    pub fn is_dropped(&self) -> bool {
        self.state == IncidentState::Closed && self.number == 0
    }

    /// Mbps at the moment when it opened: what its subject line says for ever.
    pub fn opened_mbps(&self) -> Option<f64> {
        self.transitions.iter().find(|t| t.state == IncidentState::Open).and_then(|t| t.measured_mbps)
    }

    /// When the trouble ended: the start of the hold to close that ran to its end.
    pub fn recovered_at(&self) -> Option<UnixMillis> {
        self.closed_at?;
        self.transitions.iter().rev().find(|t| t.state == IncidentState::Closing).map(|t| t.at).or(self.closed_at)
    }
}
