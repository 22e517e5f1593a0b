//! The one description of every file that people edit: which tables and keys there are, of which type, in which
//! range, with which default. `raw` reads by it and `reference` prints it, so the two cannot differ. `[P]`

mod inventory;
mod part;
mod scenario;
mod settings;

pub use inventory::INVENTORY;
pub use part::PART;
pub use scenario::SCENARIO;
pub use settings::{AGENT, HUB};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Inventory,
    Hub,
    Agent,
}

impl FileKind {
    pub const ALL: [Self; 3] = [Self::Inventory, Self::Hub, Self::Agent];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Hub => "hub",
            Self::Agent => "agent",
        }
    }

    /// The name that such a file usually has.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Inventory => "network.toml",
            Self::Hub => "hub.toml",
            Self::Agent => "agent.toml",
        }
    }

    pub fn schema(self) -> &'static Table {
        match self {
            Self::Inventory => &INVENTORY,
            Self::Hub => &HUB,
            Self::Agent => &AGENT,
        }
    }
}

/// A table: its keys and what it stands for.
#[derive(Debug)]
pub struct Table {
    pub meaning: &'static str,
    pub keys: &'static [Key],
}

impl Table {
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// One key of a table.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub presence: Presence,
    /// What the number counts; empty for what has no unit.
    pub unit: &'static str,
    pub meaning: &'static str,
}

/// What happens where the key is not written.
#[derive(Debug, Clone, Copy)]
pub enum Presence {
    Required,
    /// As if this had been written: a TOML value.
    Default(&'static str),
    /// Nothing is assumed; the text says what that means.
    Optional(&'static str),
}

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// The name of this item among its like.
    Id,
    /// The id of an item of another table of the same file.
    Reference(&'static str),
    /// Several, none twice; at least so many.
    References(&'static str, usize),
    /// One line.
    Text,
    /// May have several lines.
    Prose,
    Texts,
    Choice(&'static [&'static str]),
    Boolean,
    Integer(u64, u64),
    /// Both limits belong to the range.
    Number(f64, f64),
    /// More than zero, at most so much.
    Positive(f64),
    /// At least, at most: texts that [`super::text::parse_duration`] reads.
    Duration(&'static str, &'static str),
    TimeOfDay,
    TimeZone,
    Address,
    Addresses,
    /// IP address and port.
    Socket,
    /// Host name or IP address.
    Host,
    Mac,
    Emails,
    Email,
    /// `Name <address>`.
    Mailbox,
    Url,
    /// Relative to the file that names it.
    Path,
    /// A file that holds a secret.
    SecretFile,
    /// An environment variable that holds a secret.
    SecretEnv,
    /// A key that people write and that is refused, with what to write instead. Its value is never shown.
    Refused(&'static str),
    Table(&'static Table),
    Tables(&'static Table),
}

impl Kind {
    /// Whether a message may quote what stands there. A secret pasted into the wrong key stays off the screen.
    pub fn is_shown(self) -> bool {
        !matches!(self, Self::SecretEnv | Self::SecretFile | Self::Refused(_) | Self::Url)
    }
}

const fn required(name: &'static str, kind: Kind, meaning: &'static str) -> Key {
    Key { name, kind, presence: Presence::Required, unit: "", meaning }
}

const fn optional(name: &'static str, kind: Kind, otherwise: &'static str, meaning: &'static str) -> Key {
    Key { name, kind, presence: Presence::Optional(otherwise), unit: "", meaning }
}

const fn default(name: &'static str, kind: Kind, value: &'static str, meaning: &'static str) -> Key {
    Key { name, kind, presence: Presence::Default(value), unit: "", meaning }
}

impl Key {
    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }
}

/// Highest rate accepted: a slip of the unit (kbps, bps) is far above it.
const RATE_MBPS_MAX: f64 = 100_000.0;

const LANGUAGES: &[&str] = &["it", "en"];

const SNMP_VERSIONS: &[&str] = &["v1", "v2c", "v3"];
const AUTH_PROTOCOLS: &[&str] = &["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];
const PRIVACY_PROTOCOLS: &[&str] = &["des", "aes128", "aes192", "aes256"];

const REFUSED_SECRET: &str = "a secret must not stand in this file, which people copy, mail and commit: write ";

/// `[[credential]]`, in the inventory and in `agent.toml`.
static CREDENTIAL: Table = Table {
    meaning: "A named way to read radios over SNMP. The secrets themselves stay in files or in environment variables.",
    keys: &[
        required("id", Kind::Id, "Name that devices refer to with `snmp`."),
        required("version", Kind::Choice(SNMP_VERSIONS), "SNMP version."),
        optional(
            "community_file",
            Kind::SecretFile,
            "required for v1 and v2c, here or as `community_env`",
            "File whose only line is the community.",
        ),
        optional(
            "community_env",
            Kind::SecretEnv,
            "see `community_file`",
            "Environment variable that holds the community.",
        ),
        optional("community", Kind::Refused("community_file = \"…\" or community_env = \"…\""), "", ""),
        optional("user", Kind::Text, "required for v3", "SNMPv3 user name."),
        optional(
            "auth",
            Kind::Choice(AUTH_PROTOCOLS),
            "no authentication",
            "SNMPv3 authentication (RFC 3414, RFC 7860).",
        ),
        optional(
            "auth_password_file",
            Kind::SecretFile,
            "required with `auth`, here or as `auth_password_env`",
            "File whose only line is the authentication password.",
        ),
        optional(
            "auth_password_env",
            Kind::SecretEnv,
            "see `auth_password_file`",
            "Environment variable that holds the authentication password.",
        ),
        optional("auth_password", Kind::Refused("auth_password_file = \"…\" or auth_password_env = \"…\""), "", ""),
        optional(
            "privacy",
            Kind::Choice(PRIVACY_PROTOCOLS),
            "no encryption",
            "SNMPv3 encryption (RFC 3414, RFC 3826); needs `auth`.",
        ),
        optional(
            "privacy_password_file",
            Kind::SecretFile,
            "required with `privacy`, here or as `privacy_password_env`",
            "File whose only line is the encryption password.",
        ),
        optional(
            "privacy_password_env",
            Kind::SecretEnv,
            "see `privacy_password_file`",
            "Environment variable that holds the encryption password.",
        ),
        optional(
            "privacy_password",
            Kind::Refused("privacy_password_file = \"…\" or privacy_password_env = \"…\""),
            "",
            "",
        ),
    ],
};

/// What is said of a key that would hold a secret in clear.
pub fn refused_wording(instead: &str) -> String {
    format!("{REFUSED_SECRET}{instead}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_those_of_the_model() {
        let words: Vec<&str> = crate::model::Condition::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(settings::CONDITIONS, words);
    }

    fn every_table(table: &'static Table, visit: &mut dyn FnMut(&'static Table)) {
        visit(table);
        for key in table.keys {
            if let Kind::Table(inner) | Kind::Tables(inner) = key.kind {
                every_table(inner, visit);
            }
        }
    }

    #[test]
    fn every_key_is_described_once_with_its_unit() {
        for kind in FileKind::ALL {
            every_table(kind.schema(), &mut |table| {
                for (n, key) in table.keys.iter().enumerate() {
                    assert!(table.keys[..n].iter().all(|other| other.name != key.name), "{} twice", key.name);
                    let is_refused = matches!(key.kind, Kind::Refused(_));
                    assert_eq!(key.meaning.is_empty(), is_refused, "{}", key.name);
                    assert_eq!(key.name.ends_with("_mbps"), key.unit == "Mbps", "{}", key.name);
                }
            });
        }
    }
}
