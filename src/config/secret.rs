//! Secrets: read late, never printed.

use std::fmt;
use std::path::PathBuf;

use crate::model::network::SecretRef;

/// A secret text. It shows as `***` wherever it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the protocol that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the file {0} with the secret cannot be read")]
    File(PathBuf, #[source] std::io::Error),
    #[error("the file {0} with the secret is empty")]
    EmptyFile(PathBuf),
    #[error("the environment variable {0} with the secret is not set")]
    Env(String),
    #[error("no secret is known for {0}")]
    Unknown(String),
}

/// Where secrets come from: the machine, or the simulation.
pub trait SecretSource: Send + Sync {
    fn read(&self, secret: &SecretRef) -> Result<Secret, SecretError>;
}

/// Files and environment variables of this machine.
#[derive(Debug, Default)]
pub struct SystemSecrets;

impl SecretSource for SystemSecrets {
    fn read(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        match secret {
            SecretRef::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|e| SecretError::File(path.clone(), e))?;
                let text = text.trim_end_matches(['\r', '\n']);
                if text.is_empty() {
                    return Err(SecretError::EmptyFile(path.clone()));
                }
                Ok(Secret::new(text))
            }
            SecretRef::Env(name) => std::env::var(name)
                .ok()
                .filter(|v| !v.is_empty())
                .map(Secret::new)
                .ok_or_else(|| SecretError::Env(name.clone())),
        }
    }
}
