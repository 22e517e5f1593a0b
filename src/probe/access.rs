//! Credentials ready for use: secrets read, SNMPv3 keys derived once for all the devices that share them.

use std::fmt;
use std::sync::Arc;

use async_snmp::v3::{DesSaltState, PersistedDesSaltState};
use async_snmp::{Auth, EngineCache, MasterKeys, UsmConfig};

use crate::config::secret::{Secret, SecretError, SecretSource};
use crate::model::network::{AuthProtocol, PrivProtocol, SnmpAccess};

/// A resolved credential. Cheap to clone; never prints its secrets.
#[derive(Clone)]
pub enum Access {
    V1 { community: Secret },
    V2c { community: Secret },
    V3(UsmAccess),
}

/// SNMPv3 user (RFC 3414). The keys take 1 MiB of hashing for each password, so clones share them, and the engines
/// that were discovered with them.
#[derive(Clone)]
pub struct UsmAccess {
    user: String,
    // What the keys were derived from: whether two credentials are the same one.
    auth: Option<(AuthProtocol, Secret)>,
    privacy: Option<(PrivProtocol, Secret)>,
    keys: Option<MasterKeys>,
    engines: Arc<EngineCache>,
    /// Of a user with DES: where the salts of its packets have got to.
    des_salt: Option<DesSaltState>,
}

/// Why a credential cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("privacy needs authentication (RFC 3414 has no user with privacy alone)")]
    PrivacyWithoutAuth,
    #[error("the {which} password has fewer than 8 characters (RFC 3414, section 11.2)")]
    ShortPassword { which: &'static str },
    #[error("the keys cannot be derived: {0}")]
    Keys(String),
}

impl Access {
    /// Reads the secrets and derives the keys.
    pub fn resolve(access: &SnmpAccess, secrets: &dyn SecretSource) -> Result<Self, AccessError> {
        match access {
            SnmpAccess::V1 { community } => Ok(Self::V1 { community: secrets.read(community)? }),
            SnmpAccess::V2c { community } => Ok(Self::V2c { community: secrets.read(community)? }),
            SnmpAccess::V3 { user, auth, privacy } => {
                let auth = auth.as_ref().map(|(p, s)| Ok::<_, SecretError>((*p, secrets.read(s)?))).transpose()?;
                let privacy =
                    privacy.as_ref().map(|(p, s)| Ok::<_, SecretError>((*p, secrets.read(s)?))).transpose()?;
                Self::v3(user, auth.as_ref(), privacy.as_ref())
            }
        }
    }

    /// An SNMPv3 user from its passwords.
    pub fn v3(
        user: &str,
        auth: Option<&(AuthProtocol, Secret)>,
        privacy: Option<&(PrivProtocol, Secret)>,
    ) -> Result<Self, AccessError> {
        let keys = match (auth, privacy) {
            (None, None) => None,
            (None, Some(_)) => return Err(AccessError::PrivacyWithoutAuth),
            (Some((protocol, password)), privacy) => {
                let password = long_enough(password, "authentication")?;
                let keys = MasterKeys::new(auth_protocol(*protocol), password)
                    .map_err(|e| AccessError::Keys(e.to_string()))?;
                Some(match privacy {
                    None => keys,
                    Some((protocol, password)) => keys
                        .with_privacy(priv_protocol(*protocol), long_enough(password, "privacy")?)
                        .map_err(|e| AccessError::Keys(e.to_string()))?,
                })
            }
        };
        let des = privacy.is_some_and(|(protocol, _)| *protocol == PrivProtocol::Des);
        let des_salt = if des { Some(fresh_salt()?) } else { None };
        let engines = Arc::new(EngineCache::new());
        Ok(Self::V3(UsmAccess {
            user: user.to_owned(),
            auth: auth.cloned(),
            privacy: privacy.cloned(),
            keys,
            engines,
            des_salt,
        }))
    }

    /// The version that the credential is written for.
    pub fn version(&self) -> Version {
        match self {
            Self::V1 { .. } => Version::V1,
            Self::V2c { .. } => Version::V2c,
            Self::V3(_) => Version::V3,
        }
    }

    /// The salts of a user with DES.
    pub(super) fn des_salt(&self) -> Option<DesSaltState> {
        match self {
            Self::V3(usm) => usm.des_salt.clone(),
            Self::V1 { .. } | Self::V2c { .. } => None,
        }
    }

    /// What the crate needs to speak `version` with this credential; a community serves both v1 and v2c.
    pub(super) fn auth(&self, version: Version) -> Result<(Auth, Option<Arc<EngineCache>>), AccessError> {
        match self {
            Self::V1 { community } | Self::V2c { community } => {
                let community = community.expose().to_owned();
                Ok((if version == Version::V1 { Auth::v1(community) } else { Auth::v2c(community) }, None))
            }
            Self::V3(usm) => {
                let mut config = UsmConfig::new(usm.user.clone());
                if let Some(keys) = &usm.keys {
                    config = config.with_master_keys(keys.clone()).map_err(|e| AccessError::Keys(e.to_string()))?;
                }
                Ok((Auth::from(config), Some(usm.engines.clone())))
            }
        }
    }
}

/// The same credential; what was discovered with it does not matter.
impl PartialEq for Access {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::V1 { community: a }, Self::V1 { community: b })
            | (Self::V2c { community: a }, Self::V2c { community: b }) => a == b,
            (Self::V3(a), Self::V3(b)) => a.user == b.user && a.auth == b.auth && a.privacy == b.privacy,
            _ => false,
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V1 { .. } => f.write_str("Access::V1(***)"),
            Self::V2c { .. } => f.write_str("Access::V2c(***)"),
            Self::V3(usm) => write!(f, "Access::V3({}, ***)", usm.user),
        }
    }
}

/// Protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2c,
    V3,
}

impl Version {
    pub const ALL: [Self; 3] = [Self::V1, Self::V2c, Self::V3];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2c => "v2c",
            Self::V3 => "v3",
        }
    }
}

/// Salts must not repeat under one key (RFC 3414, section 8.1.1.1). Nothing is kept for it between two starts: the
/// half that says how often this engine started is drawn instead, one in two thousand million.
fn fresh_salt() -> Result<DesSaltState, AccessError> {
    let drawn = rand::random_range(1..i32::MAX.unsigned_abs() - 1);
    let before = PersistedDesSaltState::new(drawn).map_err(|e| AccessError::Keys(e.to_string()))?;
    DesSaltState::restart(before, |_| Ok::<(), std::convert::Infallible>(()))
        .map_err(|e| AccessError::Keys(e.to_string()))
}

fn long_enough<'a>(password: &'a Secret, which: &'static str) -> Result<&'a [u8], AccessError> {
    let password = password.expose().as_bytes();
    if password.len() < async_snmp::v3::auth::MIN_PASSWORD_LENGTH {
        return Err(AccessError::ShortPassword { which });
    }
    Ok(password)
}

fn auth_protocol(protocol: AuthProtocol) -> async_snmp::AuthProtocol {
    match protocol {
        AuthProtocol::Md5 => async_snmp::AuthProtocol::Md5,
        AuthProtocol::Sha1 => async_snmp::AuthProtocol::Sha1,
        AuthProtocol::Sha224 => async_snmp::AuthProtocol::Sha224,
        AuthProtocol::Sha256 => async_snmp::AuthProtocol::Sha256,
        AuthProtocol::Sha384 => async_snmp::AuthProtocol::Sha384,
        AuthProtocol::Sha512 => async_snmp::AuthProtocol::Sha512,
    }
}

fn priv_protocol(protocol: PrivProtocol) -> async_snmp::PrivProtocol {
    match protocol {
        PrivProtocol::Des => async_snmp::PrivProtocol::Des,
        PrivProtocol::Aes128 => async_snmp::PrivProtocol::Aes128,
        PrivProtocol::Aes192 => async_snmp::PrivProtocol::Aes192Blumenthal,
        PrivProtocol::Aes256 => async_snmp::PrivProtocol::Aes256Blumenthal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_never_prints_its_secrets() {
        let secret = Secret::new("do-not-print");
        let auth = (AuthProtocol::Sha256, secret.clone());
        for access in [
            Access::V1 { community: secret.clone() },
            Access::V2c { community: secret.clone() },
            Access::v3("vedetta", Some(&auth), None).unwrap(),
        ] {
            assert!(!format!("{access:?}").contains("do-not-print"));
        }
    }

    #[test]
    fn unusable_users_are_refused_with_the_reason() {
        let short = (AuthProtocol::Sha1, Secret::new("seven77"));
        let fine = (AuthProtocol::Sha1, Secret::new("eight888"));
        let privacy = (PrivProtocol::Aes128, Secret::new("seven77"));
        assert!(matches!(
            Access::v3("u", Some(&short), None),
            Err(AccessError::ShortPassword { which: "authentication" })
        ));
        assert!(matches!(
            Access::v3("u", Some(&fine), Some(&privacy)),
            Err(AccessError::ShortPassword { which: "privacy" })
        ));
        assert!(matches!(Access::v3("u", None, Some(&privacy)), Err(AccessError::PrivacyWithoutAuth)));
        assert!(Access::v3("u", None, None).is_ok());
    }
}
