//! The network as the inventory describes it, checked: every reference resolves, every default is filled in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{
    BackhaulId, BackupId, BundleId, CredentialId, DeviceId, LinkId, NetworkId, SectorId, ServiceId, SiteId, WispId,
};

/// Language of what a person reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    Italian,
    English,
}

impl Language {
    pub fn code(self) -> &'static str {
        match self {
            Self::Italian => "it",
            Self::English => "en",
        }
    }
}

/// The whole inventory.
#[derive(Debug, Clone)]
pub struct Network {
    pub id: NetworkId,
    pub name: String,
    /// IANA name, known to the bundled time-zone database.
    pub time_zone: String,
    pub language: Language,
    /// Times the sum of the targets routed over a link, gives what the link must carry. 0.05 to 1.
    pub simultaneity: f64,
    /// Where the hub stands; `None`: beyond the backhauls.
    pub hub_site: Option<SiteId>,
    pub wisps: BTreeMap<WispId, Wisp>,
    pub staff: Vec<Staff>,
    pub sites: BTreeMap<SiteId, Site>,
    pub credentials: BTreeMap<CredentialId, Credential>,
    pub devices: BTreeMap<DeviceId, Device>,
    pub links: BTreeMap<LinkId, Link>,
    pub bundles: BTreeMap<BundleId, Bundle>,
    pub sectors: BTreeMap<SectorId, Sector>,
    pub backhauls: BTreeMap<BackhaulId, Backhaul>,
    pub services: BTreeMap<ServiceId, Service>,
    pub backups: BTreeMap<BackupId, Backup>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wisp {
    pub id: WispId,
    pub name: String,
    pub email: Vec<String>,
    pub language: Language,
    pub phone: Option<String>,
    /// Mails to it carry the incident as a JSON file too.
    pub attach_json: bool,
}

/// Somebody at the Union who gets mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    pub name: String,
    pub email: String,
    pub language: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SiteKind {
    Municipality,
    TownHall,
    School,
    Relay,
    Pop,
}

impl SiteKind {
    pub const ALL: [Self; 5] = [Self::Municipality, Self::TownHall, Self::School, Self::Relay, Self::Pop];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Municipality => "municipality",
            Self::TownHall => "town-hall",
            Self::School => "school",
            Self::Relay => "relay",
            Self::Pop => "pop",
        }
    }
}

/// What was promised to a site.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    pub downstream_mbps: f64,
    /// `None` where no upstream rate was promised.
    pub upstream_mbps: Option<f64>,
}

#[derive(Debug, Clone)]
pub struct Site {
    pub id: SiteId,
    pub name: String,
    pub kind: SiteKind,
    /// WGS 84, degrees.
    pub lat: f64,
    pub lon: f64,
    /// People who live there; `None` where nobody does.
    pub residents: Option<u32>,
    /// The municipality that a school or a town hall belongs to.
    pub municipality: Option<SiteId>,
    /// An agent stands here.
    pub agent: bool,
    /// The site's own target, else that of its kind; `None` for relays and POPs.
    pub target: Option<Target>,
    /// How one gets in: keys, hours, phone.
    pub access: Option<String>,
    /// Who is told, if the inventory says so.
    pub contact: Option<String>,
    /// Who gets a mail about the service of this place; usually nobody.
    pub contact_email: Vec<String>,
}

/// A named SNMP credential; the secrets themselves stay outside the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub id: CredentialId,
    pub access: SnmpAccess,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnmpAccess {
    V1 { community: SecretRef },
    V2c { community: SecretRef },
    V3 { user: String, auth: Option<(AuthProtocol, SecretRef)>, privacy: Option<(PrivProtocol, SecretRef)> },
}

/// SNMPv3 authentication (RFC 3414, RFC 7860).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthProtocol {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// SNMPv3 privacy (RFC 3414, RFC 3826; AES-192 and AES-256 after the Blumenthal draft).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivProtocol {
    Des,
    Aes128,
    Aes192,
    Aes256,
}

/// Where a secret is kept. Reading it is `config::secret`'s work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretRef {
    /// A file; its last line break is not part of the secret. Relative to the file that names it.
    File(std::path::PathBuf),
    /// An environment variable.
    Env(String),
    /// A secret that came sealed with an agent's part of the inventory, by its name there.
    Sealed(String),
}

#[derive(Debug, Clone)]
pub struct Device {
    pub id: DeviceId,
    pub site: SiteId,
    pub address: IpAddr,
    /// UDP port of its SNMP agent; 161 by default.
    pub snmp_port: u16,
    /// The agent that polls it; every device has one.
    pub via: SiteId,
    /// `None`: only pinged.
    pub credential: Option<CredentialId>,
    /// Family, where identification must not decide.
    pub profile: Option<String>,
    /// Names (ifName or ifDescr) of the Ethernet ports that its links pass through.
    pub ports: Vec<String>,
    /// MAC address of its radio, lower-case hex without separators: how a sector knows its peer.
    pub mac: Option<String>,
    /// Figures of a family that was checked against no recording may open capacity incidents.
    pub trust: bool,
}

/// Which end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    Near,
    Far,
}

impl End {
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Near => Self::Far,
            Self::Far => Self::Near,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplex {
    /// Two capacities.
    Full,
    /// A fixed split: two capacities as well, but fixed by configuration.
    Fixed,
    /// TDD that moves the split: one pool.
    Shared,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    Radio,
    Cable,
}

#[derive(Debug, Clone)]
pub struct Link {
    pub id: LinkId,
    pub near: DeviceId,
    pub far: DeviceId,
    /// Tag of the radio that is this end, where the device has several.
    pub near_radio: Option<String>,
    pub far_radio: Option<String>,
    pub medium: Medium,
    /// Who runs it; `None`: the Union itself.
    pub wisp: Option<WispId>,
    /// Routing cost; 10 by default.
    pub cost: u32,
    /// `None`: as its radios' family has it.
    pub duplex: Option<Duplex>,
    /// The link's own floor, Mbps per direction, besides what is routed over it.
    pub target: Option<Target>,
    /// What a cable or a shaped link can carry at the most, Mbps: near to far, far to near.
    pub declared_mbps: Option<(f64, f64)>,
}

impl Link {
    /// The device at the other end, if `device` is at one.
    pub fn other_end(&self, device: &DeviceId) -> Option<&DeviceId> {
        match device {
            end if *end == self.near => Some(&self.far),
            end if *end == self.far => Some(&self.near),
            _ => None,
        }
    }

    /// Tag of the radio by which `device` is an end of this link, where the inventory names it.
    pub fn radio_of(&self, device: &DeviceId) -> Option<&str> {
        if *device == self.near { self.near_radio.as_deref() } else { self.far_radio.as_deref() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleMode {
    /// Radio-level aggregation: one flow gets the sum.
    Sum,
    /// LAG or ECMP: one flow gets one member.
    Hash,
    /// 1+1: the first link listed is the main one, the others stand by in order.
    Standby,
}

#[derive(Debug, Clone)]
pub struct Bundle {
    pub id: BundleId,
    pub mode: BundleMode,
    /// At least two, all between the same two sites, in order of preference.
    pub links: Vec<LinkId>,
}

#[derive(Debug, Clone)]
pub struct Sector {
    pub id: SectorId,
    pub access_point: DeviceId,
    /// The peers that are ours; each is the other end of one link of the access point.
    pub peers: Vec<DeviceId>,
}

#[derive(Debug, Clone)]
pub struct Backhaul {
    pub id: BackhaulId,
    pub site: SiteId,
    pub wisp: WispId,
    pub contract_downstream_mbps: f64,
    pub contract_upstream_mbps: f64,
    pub gateway: Option<IpAddr>,
    /// Addresses on the Internet: the backhaul works when these answer through it.
    pub outside: Vec<IpAddr>,
    /// Routing cost of leaving through it; 10 by default.
    pub cost: u32,
}

#[derive(Debug, Clone)]
pub struct Service {
    pub id: ServiceId,
    pub name: String,
    pub url: String,
    /// Sites whose agents try it.
    pub from: Vec<SiteId>,
}

/// A backup job with a window in the network's time zone.
#[derive(Debug, Clone)]
pub struct Backup {
    pub id: BackupId,
    pub name: String,
    pub site: SiteId,
    /// Minutes after midnight.
    pub window_start_minute: u16,
    pub window_end_minute: u16,
    pub size_gigabytes: f64,
    /// A start that is not said by then is missed: after the window opens.
    pub start_grace: Duration,
    /// A finish that is not said by then is missed: after it closes.
    pub finish_grace: Duration,
}

impl Network {
    /// The two sites that a link joins: near, far.
    pub fn link_sites(&self, link: &Link) -> (SiteId, SiteId) {
        let site = |device: &DeviceId| self.devices[device.as_str()].site.clone();
        (site(&link.near), site(&link.far))
    }

    /// The bundle that a link is a member of.
    pub fn bundle_of(&self, link: &LinkId) -> Option<&Bundle> {
        self.bundles.values().find(|b| b.links.contains(link))
    }

    /// The sector whose access point is this device.
    pub fn sector_of(&self, access_point: &DeviceId) -> Option<&Sector> {
        self.sectors.values().find(|s| s.access_point == *access_point)
    }

    /// Sites where an agent stands.
    pub fn agents(&self) -> impl Iterator<Item = &Site> {
        self.sites.values().filter(|s| s.agent)
    }

    /// The municipality that a site is in: itself, or the one that it names.
    pub fn municipality_of(&self, site: &SiteId) -> Option<&Site> {
        let site = self.sites.get(site.as_str())?;
        match site.kind {
            SiteKind::Municipality => Some(site),
            _ => self.sites.get(site.municipality.as_ref()?.as_str()),
        }
    }
}
