//! Checked settings of a hub (`hub.toml`) and of an agent (`agent.toml`): no text left to parse, no default missing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::secret::Secret;
use crate::model::condition::{Condition, Delivery, Severity};
use crate::model::network::{Credential, Language, SecretRef};
use crate::model::{CredentialId, NetworkId, SiteId, WispId};

/// How to reach the MQTT broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttSettings {
    pub host: String,
    /// 8883 with TLS, 1883 without, by default.
    pub port: u16,
    /// `None`: plain TCP. `check` refuses it for a broker that is not on a loopback address, unless `plain = true`.
    pub tls: Option<TlsSettings>,
    pub user: Option<String>,
    pub password: Option<SecretRef>,
    /// 30 s by default.
    pub keep_alive: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// Certificates to trust, PEM; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// Client certificate and key, PEM.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// `agent.toml`.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// The site where the agent stands: its name.
    pub agent: SiteId,
    pub inventory: InventoryOf,
    pub mqtt: MqttSettings,
    /// The one directory that the agent writes to.
    pub data_dir: PathBuf,
    /// 60 s by default.
    pub poll_interval: Duration,
    pub spool: SpoolLimits,
    /// Credentials that this agent has instead of, or besides, those named in the inventory.
    pub credentials: BTreeMap<CredentialId, Credential>,
}

/// Where an agent learns what to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InventoryOf {
    /// The hub of this network sends it.
    Hub(NetworkId),
    /// A file of this machine.
    File(PathBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// 150 MB by default.
    pub bytes_max: u64,
    /// 35 days by default.
    pub age_max: Duration,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self { bytes_max: 150_000_000, age_max: Duration::from_hours(35 * 24) }
    }
}

/// `hub.toml`.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// The one directory that the hub writes to: ledger, outbox, rejected batches.
    pub data_dir: PathBuf,
    /// `None`: the embedded broker of `vedetta run`.
    pub mqtt: Option<MqttSettings>,
    pub influx: Option<InfluxSettings>,
    pub mail: Option<MailSettings>,
    pub web: WebSettings,
    pub alert: AlertSettings,
    pub notify: NotifySettings,
    /// How often agents poll; a sample older than two of these and 30 s on arrival only amends history.
    pub poll_interval: Duration,
}

impl HubSettings {
    /// What an empty `hub.toml` means: the page on a loopback port, nothing mailed, the ledger only.
    pub fn with_defaults(data_dir: PathBuf, language: Language) -> Self {
        Self {
            data_dir,
            mqtt: None,
            influx: None,
            mail: None,
            web: WebSettings {
                listen: WEB_LISTEN,
                public_url: None,
                proxies: WEB_PROXIES.to_vec(),
                open_to: WEB_PROXIES.to_vec(),
                public_summary: false,
                contact: None,
                language,
            },
            alert: AlertSettings::default(),
            notify: NotifySettings::default(),
            poll_interval: POLL_INTERVAL,
        }
    }
}

/// How often devices are polled, where nothing else is said.
pub const POLL_INTERVAL: Duration = Duration::from_mins(1);
/// Where the page listens, where nothing else is said.
pub const WEB_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Reverse proxies, where nothing else is said.
pub const WEB_PROXIES: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// InfluxDB 2 (or anything that speaks its write API).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfluxSettings {
    pub url: String,
    pub org: String,
    pub bucket: String,
    pub token: Option<SecretRef>,
    /// Certificates to trust besides the system's, PEM.
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// `Unione Montana Alta Langa <rete@unione.example>`
    pub from: String,
    pub reply_to: Option<String>,
    pub out: MailOut,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOut {
    Smtp(SmtpSettings),
    /// Mails are written here for a person to open; nothing leaves the machine.
    Maildir(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpSettings {
    pub host: String,
    /// 465 with implicit TLS, 587 with STARTTLS, 25 plain, by default.
    pub port: u16,
    pub security: SmtpSecurity,
    pub user: Option<String>,
    pub password: Option<SecretRef>,
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    ImplicitTls,
    /// STARTTLS, required.
    StartTls,
    /// Only where the configuration says so in as many words.
    Plain,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSettings {
    /// 127.0.0.1:8080 by default.
    pub listen: SocketAddr,
    /// What mails link to; without it mails carry no links.
    pub public_url: Option<String>,
    /// Whose `X-Forwarded-For` is believed; loopback by default.
    pub proxies: Vec<IpAddr>,
    /// Who needs no account to look: loopback by default, nobody where there is a `public_url`.
    pub open_to: Vec<IpAddr>,
    /// Whether everybody may see how the municipalities stand.
    pub public_summary: bool,
    /// Whom barriers of the pages are reported to.
    pub contact: Option<String>,
    /// The page's language where the browser asks for neither.
    pub language: Language,
}

/// Hold times and thresholds. The defaults are DESIGN's: right without tuning.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertSettings {
    /// 15 min: capacity below what is required.
    pub capacity_open: Duration,
    /// 15 min above it, with `capacity_close_margin` to spare.
    pub capacity_close: Duration,
    /// 0.20; capped by what the link can reach at all.
    pub capacity_close_margin: f64,
    /// 3 min.
    pub down_open: Duration,
    /// 3 min.
    pub down_close: Duration,
    /// Of single conditions, in the order of the file.
    pub conditions: Vec<ConditionSettings>,
    /// 1; more on a clock that runs faster.
    pub speed: f64,
}

/// What is set otherwise of one condition: for the whole network, for a kind of subject, or for one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionSettings {
    pub condition: Condition,
    /// A kind of subject (`link`, `backhaul`, `device`, …) or of site (`school`, …).
    pub kind: Option<String>,
    /// The id of one link, site, device, ….
    pub subject: Option<String>,
    pub enabled: Option<bool>,
    pub open: Option<Duration>,
    pub close: Option<Duration>,
    /// In the unit of the condition.
    pub threshold: Option<f64>,
    pub close_threshold: Option<f64>,
    /// So many openings make it unstable.
    pub flaps: Option<u32>,
    pub quiet: Option<Duration>,
    pub severity: Option<Severity>,
    pub delivery: Option<Delivery>,
}

impl ConditionSettings {
    /// Nothing set.
    pub fn new(condition: Condition) -> Self {
        Self {
            condition,
            kind: None,
            subject: None,
            enabled: None,
            open: None,
            close: None,
            threshold: None,
            close_threshold: None,
            flaps: None,
            quiet: None,
            severity: None,
            delivery: None,
        }
    }
}

impl Default for AlertSettings {
    fn default() -> Self {
        let minutes = |m: u64| Duration::from_secs(60 * m);
        Self {
            capacity_open: minutes(15),
            capacity_close: minutes(15),
            capacity_close_margin: 0.20,
            down_open: minutes(3),
            down_close: minutes(3),
            conditions: Vec::new(),
            speed: 1.0,
        }
    }
}

impl AlertSettings {
    /// The same settings on a clock that runs `speed` times faster: what the demo uses.
    #[must_use]
    pub fn faster(&self, speed: f64) -> Self {
        let scale = |d: Duration| d.div_f64(speed);
        Self {
            capacity_open: scale(self.capacity_open),
            capacity_close: scale(self.capacity_close),
            capacity_close_margin: self.capacity_close_margin,
            down_open: scale(self.down_open),
            down_close: scale(self.down_close),
            conditions: self.conditions.clone(),
            speed: self.speed * speed,
        }
    }
}

/// What waits in quiet hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// Nothing.
    Never,
    /// Updates and reminders; first mails, closings and all that is critical go out at any hour.
    Updates,
    /// Also first mails and closings of incidents during which the service works.
    AllButCritical,
}

/// When mails go out. Times of day are minutes after midnight in the network's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifySettings {
    /// 14 days in which nobody but the staff gets mails; zero: none.
    pub rodaggio: Duration,
    /// 30 min: updates of one incident to one recipient are at least so far apart.
    pub batch: Duration,
    /// 1 day: how often an operator is reminded of an incident that stays open.
    pub reminder: Duration,
    /// 7 days: a thread that is older goes on with a fresh mail.
    pub fresh: Duration,
    /// 2 h, counted outside quiet hours: a critical incident that nobody took charge of.
    pub escalate_critical: Duration,
    /// 4 h, counted in working hours.
    pub escalate_major: Duration,
    /// 08:00 to 17:00, Monday to Friday.
    pub work_start_minute: u16,
    pub work_end_minute: u16,
    /// 22:00 to 07:00.
    pub quiet_start_minute: u16,
    pub quiet_end_minute: u16,
    pub quiet: Quiet,
    /// 07:30: summaries and reminders.
    pub digest_minute: u16,
    /// Who gets a summary on Monday morning.
    pub weekly: Weekly,
    /// 20: further mails to one recipient within an hour become one summary.
    pub mails_per_hour: u32,
    /// Whether incidents are published over MQTT: true.
    pub mqtt: bool,
    pub webhooks: Vec<WebhookSettings>,
}

/// Who gets the summary of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weekly {
    Nobody,
    Staff,
    /// The staff, and the contacts of places (`contact_email`) each of its own.
    Contacts,
}

/// A machine that is told of incidents over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Its name among its like.
    pub id: String,
    /// `https`, or `http` to this machine. May hold a token, so it is never printed.
    pub url: Secret,
    /// What requests are signed with.
    pub secret: SecretRef,
    /// It is told what this operator is; `None`: what the staff is.
    pub wisp: Option<WispId>,
    /// `None`: the recipient's.
    pub language: Option<Language>,
    /// Certificates to trust besides the system's, PEM.
    pub ca_file: Option<PathBuf>,
}

impl Default for NotifySettings {
    fn default() -> Self {
        let hours = |h: u64| Duration::from_hours(h);
        Self {
            rodaggio: hours(14 * 24),
            batch: Duration::from_mins(30),
            reminder: hours(24),
            fresh: hours(7 * 24),
            escalate_critical: hours(2),
            escalate_major: hours(4),
            work_start_minute: 8 * 60,
            work_end_minute: 17 * 60,
            quiet_start_minute: 22 * 60,
            quiet_end_minute: 7 * 60,
            quiet: Quiet::Updates,
            digest_minute: 7 * 60 + 30,
            weekly: Weekly::Staff,
            mails_per_hour: 20,
            mqtt: true,
            webhooks: Vec::new(),
        }
    }
}

impl NotifySettings {
    /// Of a demo: no rodaggio, nothing quiet, updates as much faster as its clock.
    #[must_use]
    pub fn demo(speed: f64) -> Self {
        let usual = Self::default();
        Self {
            rodaggio: Duration::ZERO,
            batch: usual.batch.div_f64(speed),
            quiet: Quiet::Never,
            mails_per_hour: 1000,
            ..usual
        }
    }

    /// A hub's own settings in a demo: spans as much shorter as its clock is faster, hours of the day as they are. Where
    /// nothing is set, and for a running-in that is not set, as [`Self::demo`].
    #[must_use]
    pub fn in_demo(self, speed: f64) -> Self {
        let usual = Self::default();
        if self == usual {
            return Self::demo(speed);
        }
        let scale = |span: Duration| span.div_f64(speed);
        Self {
            rodaggio: if self.rodaggio == usual.rodaggio { Duration::ZERO } else { scale(self.rodaggio) },
            batch: scale(self.batch),
            reminder: scale(self.reminder),
            fresh: scale(self.fresh),
            escalate_critical: scale(self.escalate_critical),
            escalate_major: scale(self.escalate_major),
            ..self
        }
    }
}
