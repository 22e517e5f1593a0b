//! Identifiers. Each kind is its own type, so that a site cannot be passed where a device is meant.

use std::fmt;
use std::sync::Arc;

/// Longest identifier accepted, in bytes: it becomes part of MQTT topics and of series names.
pub const ID_BYTES_MAX: usize = 64;

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("must not be empty")]
    Empty,
    #[error("must be at most {ID_BYTES_MAX} characters")]
    TooLong,
    #[error("must have only lower-case letters a-z, digits and hyphens")]
    BadCharacter,
}

/// Accepts `[a-z0-9-]{1,64}`.
pub fn check_id(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong);
    }
    if text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        Ok(())
    } else {
        Err(IdError::BadCharacter)
    }
}

macro_rules! id_type {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses an identifier; see [`check_id`] for what is accepted.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check_id(text).map(|()| Self(Arc::from(text)))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        /// Lets maps keyed by this id be asked with a `&str`.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )+};
}

id_type! {
    /// The whole network; first part of every MQTT topic.
    NetworkId,
    /// A place. An agent is named after the site where it stands.
    SiteId,
    /// Something with an address at a site.
    DeviceId,
    /// Two ends joined by radio or cable.
    LinkId,
    /// Parallel links that serve as one.
    BundleId,
    /// An access point with many peers.
    SectorId,
    /// A link from a site to the Internet, sold by a WISP.
    BackhaulId,
    /// An operator.
    WispId,
    /// Something in the cloud that offices need.
    ServiceId,
    /// A backup job with a window.
    BackupId,
    /// A named SNMP credential.
    CredentialId,
}

/// An edge of the topology: what capacity is computed for, and what an incident is about.
///
/// A link that is a member of a bundle is not an edge of the routing graph, its bundle is; it still has
/// figures and incidents of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeId {
    Link(LinkId),
    Bundle(BundleId),
    Backhaul(BackhaulId),
}

impl EdgeId {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Link(id) => id.as_str(),
            Self::Bundle(id) => id.as_str(),
            Self::Backhaul(id) => id.as_str(),
        }
    }

    /// `link`, `bundle` or `backhaul`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Link(_) => "link",
            Self::Bundle(_) => "bundle",
            Self::Backhaul(_) => "backhaul",
        }
    }
}

impl fmt::Display for EdgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_lower_case_words_with_hyphens() {
        assert!(SiteId::parse("san-benedetto-belbo").is_ok());
        assert_eq!(SiteId::parse(""), Err(IdError::Empty));
        assert_eq!(SiteId::parse("Bossolasco"), Err(IdError::BadCharacter));
        assert_eq!(SiteId::parse("a/b"), Err(IdError::BadCharacter));
        assert_eq!(SiteId::parse(&"x".repeat(65)), Err(IdError::TooLong));
    }
}
