//! Invented secrets for every place where the inventory names one: the simulated devices accept them. `[P]`

use std::collections::BTreeMap;

use super::address::hash;
use crate::config::secret::{Secret, SecretError, SecretSource};
use crate::model::network::{Network, SecretRef, SnmpAccess};

/// Texts of sixteen hexadecimal digits: SNMPv3 wants at least eight characters (RFC 3414, section 11.2).
pub struct SimSecrets {
    texts: BTreeMap<SecretRef, Secret>,
}

impl SimSecrets {
    pub fn new(network: &Network, seed: u64) -> Self {
        let named = network.credentials.values().flat_map(|credential| secrets_of(&credential.access));
        let invent = |secret: &SecretRef| {
            let name = describe(secret);
            Secret::new(format!("{:016x}", hash(&[b"secret", &seed.to_le_bytes(), name.as_bytes()])))
        };
        Self { texts: named.map(|secret| (secret.clone(), invent(secret))).collect() }
    }
}

impl SecretSource for SimSecrets {
    fn read(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        self.texts.get(secret).cloned().ok_or_else(|| SecretError::Unknown(describe(secret)))
    }
}

/// The secrets that an access needs.
pub fn secrets_of(access: &SnmpAccess) -> Vec<&SecretRef> {
    match access {
        SnmpAccess::V1 { community } | SnmpAccess::V2c { community } => vec![community],
        SnmpAccess::V3 { auth, privacy, .. } => {
            let auth = auth.as_ref().map(|(_, secret)| secret);
            let privacy = privacy.as_ref().map(|(_, secret)| secret);
            auth.into_iter().chain(privacy).collect()
        }
    }
}

fn describe(secret: &SecretRef) -> String {
    match secret {
        SecretRef::File(path) => format!("the file {}", path.display()),
        SecretRef::Env(name) => format!("the environment variable {name}"),
        SecretRef::Sealed(name) => format!("the sealed secret {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fixture;

    #[test]
    fn every_secret_of_the_network_is_known_and_no_other() {
        let network = fixture::network();
        let secrets = SimSecrets::new(&network, 1);
        let mut texts = Vec::new();
        for credential in network.credentials.values() {
            for secret in secrets_of(&credential.access) {
                let text = secrets.read(secret).expect("invented").expose().to_owned();
                assert!(text.len() >= 8);
                texts.push(text);
            }
        }
        assert_eq!(texts.len(), 4);
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 4, "no two are the same");
        let unknown = secrets.read(&SecretRef::Env("HOME".into()));
        assert!(matches!(unknown, Err(SecretError::Unknown(_))));
    }
}
