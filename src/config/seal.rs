//! Secrets on their way from the hub to an agent: sealed to the agent's own key, so that neither the broker nor its disk
//! reads them.
//!
//! HPKE (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. Network and agent are bound
//! in as `info`, so that what is sealed for one agent opens for no other. The key is made at the agent's first start and
//! never leaves it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS};

use crate::model::{NetworkId, SiteId};
use crate::wire::part::{Key, Sealed};

type Kem = X25519HkdfSha256;

/// The file below the agent's data directory.
pub const KEY_FILE: &str = "agent.key";
/// A key is 64 hexadecimal digits and a line break.
const KEY_FILE_BYTES_MAX: u64 = 1024;

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the key file {0}")]
    File(PathBuf, #[source] io::Error),
    #[error("the key file {0} does not hold a key: 64 hexadecimal digits")]
    BadFile(PathBuf),
    #[error("the key is not one of X25519")]
    BadKey,
    #[error("it is sealed to another key than this agent's")]
    AnotherKey,
    #[error("the sealed secrets cannot be opened: they were damaged, or sealed for another agent")]
    Broken,
}

/// An agent's own key. It does not print.
pub struct AgentKey {
    private: <Kem as hpke::Kem>::PrivateKey,
    public: Key,
}

impl std::fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AgentKey({})", self.public)
    }
}

impl AgentKey {
    /// Reads the agent's key, or makes one at the first start.
    pub fn open(data_dir: &Path) -> Result<Self, SealError> {
        let path = data_dir.join(KEY_FILE);
        match fs::metadata(&path) {
            Ok(meta) if meta.len() > KEY_FILE_BYTES_MAX => Err(SealError::BadFile(path)),
            Ok(_) => {
                let text = fs::read_to_string(&path).map_err(|e| SealError::File(path.clone(), e))?;
                let private = text.trim().parse::<Key>().map_err(|_| SealError::BadFile(path.clone()))?;
                let private = <Kem as hpke::Kem>::PrivateKey::from_bytes(&private.0);
                Ok(Self::new(private.map_err(|_| SealError::BadFile(path))?))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let key = Self::new(Kem::gen_keypair().0);
                key.write(data_dir).map_err(|e| SealError::File(path, e))?;
                Ok(key)
            }
            Err(e) => Err(SealError::File(path, e)),
        }
    }

    fn new(private: <Kem as hpke::Kem>::PrivateKey) -> Self {
        let public = key_bytes(&Kem::sk_to_pk(&private));
        Self { private, public }
    }

    fn write(&self, data_dir: &Path) -> io::Result<()> {
        fs::create_dir_all(data_dir)?;
        let text = format!("{}\n", key_bytes(&self.private));
        write_whole(data_dir, KEY_FILE, text.as_bytes())
    }

    /// What the hub seals to; it is public.
    pub fn public(&self) -> Key {
        self.public
    }

    /// Opens what was sealed for this agent.
    pub fn open_sealed(&self, network: &NetworkId, agent: &SiteId, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        if sealed.key != self.public {
            return Err(SealError::AnotherKey);
        }
        let encapsulated =
            <Kem as hpke::Kem>::EncappedKey::from_bytes(&sealed.encapsulated.0).map_err(|_| SealError::Broken)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeR::Base,
            &self.private,
            &encapsulated,
            info(network, agent).as_bytes(),
            &sealed.text.0,
            b"",
        )
        .map_err(|_| SealError::Broken)
    }
}

/// Seals a text for one agent.
pub fn seal(network: &NetworkId, agent: &SiteId, key: Key, text: &[u8]) -> Result<Sealed, SealError> {
    let public = <Kem as hpke::Kem>::PublicKey::from_bytes(&key.0).map_err(|_| SealError::BadKey)?;
    let info = info(network, agent);
    let (encapsulated, text) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeS::Base,
        &public,
        info.as_bytes(),
        text,
        b"",
    )
    .map_err(|_| SealError::BadKey)?;
    Ok(Sealed { key, encapsulated: key_bytes(&encapsulated), text: crate::wire::part::Bytes(text) })
}

fn info(network: &NetworkId, agent: &SiteId) -> String {
    format!("vedetta/v1/{network}/{agent}/config")
}

fn key_bytes(value: &impl hpke::Serializable) -> Key {
    let mut bytes = [0; 32];
    // All three kinds have 32 bytes in X25519.
    bytes.copy_from_slice(&value.to_bytes());
    Key(bytes)
}

/// Replaces a small private file as a whole, durably: after a power cut it is the old one or the new one.
pub fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temp = dir.join(format!("{name}.new"));
    match fs::remove_file(&temp) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&temp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temp, dir.join(name))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn ids() -> (NetworkId, SiteId) {
        (NetworkId::parse("n").unwrap(), SiteId::parse("murazzano").unwrap())
    }

    #[test]
    fn only_the_agent_it_is_sealed_for_opens_it() {
        let (network, agent) = ids();
        let (dir, other_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (key, other) = (AgentKey::open(dir.path()).unwrap(), AgentKey::open(other_dir.path()).unwrap());
        let sealed = seal(&network, &agent, key.public(), b"hush").unwrap();
        assert_eq!(key.open_sealed(&network, &agent, &sealed).unwrap(), b"hush");
        assert!(matches!(other.open_sealed(&network, &agent, &sealed), Err(SealError::AnotherKey)));
        let relabelled = Sealed { key: other.public(), ..sealed.clone() };
        assert!(matches!(other.open_sealed(&network, &agent, &relabelled), Err(SealError::Broken)));
        let elsewhere = SiteId::parse("bossolasco").unwrap();
        assert!(matches!(key.open_sealed(&network, &elsewhere, &sealed), Err(SealError::Broken)));
        let mut damaged = sealed.clone();
        damaged.text.0[0] ^= 1;
        assert!(matches!(key.open_sealed(&network, &agent, &damaged), Err(SealError::Broken)));
        // Randomised: equal secrets do not look equal on the wire.
        assert_ne!(seal(&network, &agent, key.public(), b"hush").unwrap().text, sealed.text);
        assert!(matches!(seal(&network, &agent, Key([0; 32]), b"hush"), Err(SealError::BadKey)));
    }

    #[test]
    fn a_key_is_made_once_is_private_and_does_not_print() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let key = AgentKey::open(&data).unwrap();
        let file = data.join(KEY_FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(AgentKey::open(&data).unwrap().public(), key.public());
        let private = fs::read_to_string(&file).unwrap();
        assert!(!format!("{key:?}").contains(private.trim()));
        for bad in ["", "zz", &"a".repeat(63), &"a".repeat(4096)] {
            fs::write(&file, bad).unwrap();
            assert!(matches!(AgentKey::open(&data), Err(SealError::BadFile(_))), "{bad:?}");
        }
    }
}
