//! The JSON of `/api/v1` and of `vedetta status --json`: a contract. `[P]`
//!
//! These types are of the wire and nothing else; both the hub (writing) and `vedetta status` (reading) use them.
//! - Times are RFC 3339 with the offset of the network's zone.
//! - Words of closed lists are those of `as_str` of the model's types; a reader keeps a word that it does not know.
//! - Unknown is `null`, with the reason beside it: `missing` of a reading, `unknown_because` of a promise.
//! - Fields are only ever added, and readers ignore those that they do not know.

use serde::{Deserialize, Serialize};

pub use super::answer::{all_agents, downstream_upstream, is_open, municipalities, subject_name};
pub use super::summary::Summary;

/// `GET /api/v1/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub network: NetworkInfo,
    pub version: String,
    /// When the picture was made.
    pub generated_at: String,
    pub started_at: String,
    /// A simulated network: nothing in it is real.
    pub simulated: bool,
    /// The hub hears nobody since then; null where it hears.
    pub blind_since: Option<String>,
    pub summary: Summary,
    pub sites: Vec<Site>,
    /// Links, bundles and backhauls.
    pub links: Vec<Link>,
    pub agents: Vec<Agent>,
    /// Not closed, newest first.
    pub incidents: Vec<Incident>,
    pub services: Vec<Service>,
    pub parts: Vec<Part>,
}

/// `GET /api/v1/incidents`: also those closed in the last seven days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incidents {
    pub generated_at: String,
    pub incidents: Vec<Incident>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkInfo {
    pub id: String,
    pub name: String,
    pub time_zone: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Site {
    pub site: String,
    pub name: String,
    pub kind: String,
    pub residents: Option<u32>,
    pub lat: Option<f64>,
    pub lon: Option<f64>,
    pub downstream: Promise,
    /// Null where no upstream rate was promised.
    pub upstream: Option<Promise>,
    /// Edges from the site to the Internet over the path in use; empty: no path.
    pub path: Vec<String>,
}

/// One direction of what was promised to a site. Mbps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    pub target_mbps: f64,
    /// When every site draws its target at once; null where unknown links matter: then the bounds say how much.
    pub together_mbps: Option<f64>,
    pub together_mbps_low: Option<f64>,
    /// Null: nothing known limits it.
    pub together_mbps_high: Option<f64>,
    /// When nobody else draws.
    pub alone_mbps: Option<f64>,
    /// Over the widest path there is.
    pub possible_mbps: Option<f64>,
    /// `verified`, `estimated`, `declared` or `not measurable`.
    pub known: String,
    /// `met`, `below` or `unknown`.
    pub state: String,
    /// The edge that decides.
    pub bottleneck: Option<String>,
    pub bottleneck_kind: Option<String>,
    /// Its name for people.
    pub bottleneck_name: Option<String>,
    /// Whose job it is: who runs the bottleneck.
    pub wisp: Option<String>,
    pub wisp_name: Option<String>,
    /// Since when it is below.
    pub since: Option<String>,
    /// The open incidents that hold it down, consequences left out.
    pub incidents: Vec<String>,
    /// Edges of unknown capacity that make the state unknown.
    pub unknown_because: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub link: String,
    /// `link`, `bundle` or `backhaul`.
    pub kind: String,
    pub name: String,
    pub near_site: String,
    /// Null for a backhaul: the Internet.
    pub far_site: Option<String>,
    pub wisp: Option<String>,
    /// `up`, `down` or `unknown`.
    pub state: String,
    /// Why it is down, or why that is unknown.
    pub reason: Option<String>,
    /// `full`, `fixed` or `shared`.
    pub duplex: String,
    /// Towards the sites that it serves.
    pub downstream: LinkDirection,
    pub upstream: LinkDirection,
    pub near: Option<LinkEnd>,
    pub far: Option<LinkEnd>,
    /// Sites with a promise whose path in use crosses it.
    pub behind: Vec<String>,
    /// Its figures may open incidents.
    pub trusted: bool,
    /// Of a bundle.
    pub members: Vec<String>,
    pub on_standby: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkDirection {
    pub capacity_mbps: Option<f64>,
    /// `reported`, `derived`, `port`, `declared` or `measured`.
    pub provenance: Option<String>,
    /// Why there is no capacity.
    pub missing: Option<String>,
    pub measured_at: Option<String>,
    /// `radio tx`, `radio rx`, `port`, `declared`, `sector airtime` or `member`.
    pub limited_by: Option<String>,
    /// The device, the port or the member that limits.
    pub limited_at: Option<String>,
    pub throughput_mbps: Option<f64>,
    pub required_mbps: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkEnd {
    pub site: String,
    pub device: String,
    /// Null: never polled yet, or its agent is silent.
    pub answers: Option<bool>,
    pub seen_at: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub modulation: Option<String>,
    pub rsl_dbm: Option<f64>,
    pub rsl_dbm_usual: Option<f64>,
    /// Why there is no received level.
    pub rsl_missing: Option<String>,
    pub snr_db: Option<f64>,
    pub snr_db_usual: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub agent: String,
    pub name: String,
    /// Null: never heard.
    pub online: Option<bool>,
    pub version: Option<String>,
    pub last_batch_at: Option<String>,
    pub received_batches: u64,
    pub duplicate_batches: u64,
    pub lost_batches: u64,
    pub rejected_batches: u64,
    /// Messages above what the hub takes from one agent.
    #[serde(default)]
    pub throttled_messages: u64,
    pub backlog_batches: Option<u64>,
    pub samples: u64,
    /// Positive: the agent is ahead.
    pub clock_error_ms: Option<i64>,
    /// A hub of an older version does not say.
    #[serde(default)]
    pub inventory: Inventory,
    /// End of the validity of its certificate for the broker; null: it uses none.
    pub certificate_expires: Option<String>,
    /// What the ledger proves; a hub of an older version does not say.
    #[serde(default)]
    pub delivery: Delivery,
}

/// How an agent stands with its part of the inventory. All null where it reads a file of its own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Inventory {
    /// The revision that the hub publishes: when it was made.
    pub published: Option<String>,
    pub in_force: Option<String>,
    /// Why the agent refuses what is published.
    pub refused: Option<String>,
    /// A key that the agent shows and staff have not accepted.
    pub key_refused: Option<String>,
    /// Why the hub cannot send it, or not all of its secrets.
    pub trouble: Option<String>,
}

/// What the ledger proves of an agent's deliveries.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Delivery {
    /// Age of the newest sample; null: none since the hub started.
    pub lag_secs: Option<u64>,
    /// Batches that later ones have overtaken and the agent still holds, and the lowest ranges of them.
    pub missing_batches: u64,
    pub missing_ranges: Vec<(u64, u64)>,
    /// Until none is missing, at the pace of the last half minute; null: nothing is, or it does not close.
    pub drain_secs: Option<u64>,
    /// Stored, but made before the agent's clock was set, and not placed in time yet.
    pub held_batches: u64,
    /// Lost for good, as far as the ledger remembers, and the newest of these losses.
    pub lost_batches: u64,
    pub losses: Vec<Loss>,
    /// The daily record, the newest day first.
    pub days: Vec<Day>,
}

/// Batches lost for good: sequence numbers, both included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    pub first: u64,
    pub last: u64,
    pub found_at: String,
}

/// One day, in the network's time zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Day {
    pub day: String,
    /// Made on that day and stored, whenever they arrived.
    pub batches: u64,
    pub samples: u64,
    /// Of these, samples that arrived after the day was over.
    pub late_samples: u64,
    /// When the record was last changed after the day was over; null: never.
    pub amended_at: Option<String>,
    pub duplicate_batches: u64,
    pub lost_batches: u64,
    pub set_aside: u64,
    pub lag_secs_worst: Option<u64>,
    pub clock_error_ms_min: Option<i64>,
    pub clock_error_ms_max: Option<i64>,
    /// For how long the hub heard nothing of the agent, and for how long it listened at all.
    pub silent_secs: u64,
    pub watched_secs: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// `VED-147`; null while pending.
    pub id: Option<String>,
    pub condition: String,
    pub subject: String,
    /// `link`, `bundle`, `backhaul`, `site` or `agent`.
    pub subject_kind: String,
    /// The subject's name for people.
    pub name: String,
    pub direction: Option<String>,
    /// `minor`, `major` or `critical`.
    pub severity: String,
    /// `pending`, `open`, `closing` or `closed`.
    pub state: String,
    /// First sample of the breach.
    pub since: String,
    pub opened: Option<String>,
    pub closed: Option<String>,
    pub caused_by: Vec<String>,
    pub wisp: Option<String>,
    pub wisp_name: Option<String>,
    pub measured_mbps: Option<f64>,
    pub measured_mbps_min: Option<f64>,
    pub required_mbps: Option<f64>,
    /// Municipalities behind the subject, by id.
    pub municipalities: Vec<String>,
    pub sites_below: Vec<String>,
    pub sites_cut_off: Vec<String>,
    pub residents: u32,
    pub probable_cause: String,
    /// `low`, `medium` or `high`.
    pub confidence: String,
    /// When somebody first took charge.
    #[serde(default)]
    pub acknowledged: Option<String>,
    #[serde(default)]
    pub ticket: Option<String>,
    #[serde(default)]
    pub expected_repair: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub service: String,
    pub name: String,
    pub from: String,
    /// Null: not tried yet.
    pub up: Option<bool>,
    pub response_ms: Option<f64>,
}

/// A part of the hub that talks to the world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub part: String,
    pub ok: bool,
    pub detail: Option<String>,
    pub waiting: u64,
    pub done_total: u64,
    pub failed_total: u64,
}

/// What an event of `/api/v1/events` carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub generated_at: String,
    pub summary: Summary,
    pub incidents_open: u32,
}
