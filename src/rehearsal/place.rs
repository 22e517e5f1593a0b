//! What a sentence may name, held against the inventory. `[P]`

use std::fmt;

use super::script::{Words, Wrong};
use crate::alert::Subject;
use crate::alert::desk;
use crate::config::problem::near_miss;
use crate::model::network::Network;
use crate::model::{BackhaulId, BackupId, BundleId, DeviceId, EdgeId, LinkId, ServiceId, SiteId, WispId};

/// Something that an incident may be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Link(LinkId),
    Bundle(BundleId),
    Backhaul(BackhaulId),
    Site(SiteId),
    Device(DeviceId),
    Agent(SiteId),
    /// As all sites see it, or as one does.
    Service(ServiceId, Option<SiteId>),
    Backup(BackupId),
    Hub,
}

/// The first words of places.
pub const KINDS: [&str; 9] = ["link", "bundle", "backhaul", "site", "device", "agent", "service", "backup", "hub"];

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(id) => write!(f, "link {id}"),
            Self::Bundle(id) => write!(f, "bundle {id}"),
            Self::Backhaul(id) => write!(f, "backhaul {id}"),
            Self::Site(id) => write!(f, "site {id}"),
            Self::Device(id) => write!(f, "device {id}"),
            Self::Agent(id) => write!(f, "agent {id}"),
            Self::Service(id, None) => write!(f, "service {id}"),
            Self::Service(id, Some(site)) => write!(f, "service {id} from {site}"),
            Self::Backup(id) => write!(f, "backup {id}"),
            Self::Hub => write!(f, "hub"),
        }
    }
}

impl Place {
    pub fn is(&self, subject: &Subject) -> bool {
        match (self, subject) {
            (Self::Link(id), Subject::Edge(EdgeId::Link(other))) => id == other,
            (Self::Bundle(id), Subject::Edge(EdgeId::Bundle(other))) => id == other,
            (Self::Backhaul(id), Subject::Edge(EdgeId::Backhaul(other))) => id == other,
            (Self::Site(id), Subject::Site(other)) | (Self::Agent(id), Subject::Agent(other)) => id == other,
            (Self::Device(id), Subject::Device(other)) => id == other,
            (Self::Service(id, from), Subject::Service(other, site)) => {
                id == other && from.as_ref().is_none_or(|from| from == site)
            }
            (Self::Backup(id), Subject::Backup(other)) => id == other,
            (Self::Hub, Subject::Hub) => true,
            _ => false,
        }
    }

    /// Where works may be announced.
    pub fn of_works(&self) -> Option<desk::Place> {
        Some(match self {
            Self::Link(id) => desk::Place::Link(EdgeId::Link(id.clone())),
            Self::Bundle(id) => desk::Place::Link(EdgeId::Bundle(id.clone())),
            Self::Backhaul(id) => desk::Place::Link(EdgeId::Backhaul(id.clone())),
            Self::Site(id) => desk::Place::Site(id.clone()),
            Self::Device(id) => desk::Place::Device(id.clone()),
            Self::Agent(_) | Self::Service(..) | Self::Backup(_) | Self::Hub => return None,
        })
    }
}

/// What a subject is called in sentences.
pub fn called(subject: &Subject) -> String {
    match subject {
        Subject::Hub => "hub".to_owned(),
        Subject::Service(id, from) => format!("service {id} from {from}"),
        _ => format!("{} {}", subject.kind(), subject.as_str()),
    }
}

/// The inventory, as a dictionary.
pub struct Names<'n> {
    pub network: &'n Network,
}

/// The key of a map by its text.
fn found<'a, K: std::borrow::Borrow<str> + Ord + Clone + 'a, V: 'a>(
    what: &str,
    word: &str,
    map: &'a std::collections::BTreeMap<K, V>,
) -> Result<K, Wrong> {
    match map.get_key_value(word) {
        Some((id, _)) => Ok(id.clone()),
        None => Err(Wrong {
            wanted: format!("the inventory has no {what} {word}"),
            near: near_miss(word, map.keys().map(std::borrow::Borrow::borrow)).map(str::to_owned),
        }),
    }
}

impl Names<'_> {
    pub fn place(&self, words: &mut Words<'_>) -> Result<Place, Wrong> {
        let kind = words.one_of("what it is about", &KINDS)?;
        self.place_of(kind, words)
    }

    pub fn place_of(&self, kind: &str, words: &mut Words<'_>) -> Result<Place, Wrong> {
        if kind == "hub" {
            return Ok(Place::Hub);
        }
        let word = words.next(&format!("the id of the {kind}"))?;
        let n = self.network;
        Ok(match kind {
            "link" => Place::Link(found(kind, word, &n.links)?),
            "bundle" => Place::Bundle(found(kind, word, &n.bundles)?),
            "backhaul" => Place::Backhaul(found(kind, word, &n.backhauls)?),
            "device" => Place::Device(found(kind, word, &n.devices)?),
            "agent" => {
                let site: SiteId = found("site", word, &n.sites)?;
                if !n.sites.get(site.as_str()).is_some_and(|s| s.agent) {
                    return Err(Wrong::new(format!("site {site} has no agent")));
                }
                Place::Agent(site)
            }
            "service" => {
                let id = found(kind, word, &n.services)?;
                let from =
                    if words.accept("from") { Some(found("site", words.next("a site")?, &n.sites)?) } else { None };
                Place::Service(id, from)
            }
            "backup" => Place::Backup(found(kind, word, &n.backups)?),
            _ => Place::Site(found("site", word, &n.sites)?),
        })
    }

    pub fn wisp(&self, word: &str) -> Result<WispId, Wrong> {
        found("operator", word, &self.network.wisps)
    }

    pub fn staff(&self, address: &str) -> Result<(), Wrong> {
        let known = || self.network.staff.iter().map(|s| s.email.as_str());
        if known().any(|email| email == address) {
            return Ok(());
        }
        let near = near_miss(address, known()).map(str::to_owned);
        Err(Wrong { wanted: format!("no staff of the inventory has the address {address}"), near })
    }
}
