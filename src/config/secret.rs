//! Secrets: read late, never printed.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::model::network::SecretRef;

/// Longest secret read from a file, in bytes: a mistaken path (a disk image, `/dev/zero`) must not fill the memory.
pub const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// A secret text. It shows as `***` wherever it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether what somebody shows is this secret. All of it is compared, so that the time taken says nothing.
    pub fn is(&self, shown: &str) -> bool {
        let start = shown.len() ^ self.0.len();
        shown.bytes().zip(self.0.bytes()).fold(start, |differs, (a, b)| differs | usize::from(a ^ b)) == 0
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
    #[error("the file {0} with the secret is larger than {SECRET_BYTES_MAX} bytes")]
    TooLong(PathBuf),
    #[error("the file {0} with the secret is not text")]
    NotText(PathBuf),
    #[error("the environment variable {0} with the secret is not set")]
    Env(String),
    #[error("the hub sent no secret {0}: it could not read it")]
    NotSent(String),
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
            SecretRef::File(path) => read_file(path),
            SecretRef::Env(name) => std::env::var(name)
                .ok()
                .filter(|v| !v.is_empty())
                .map(Secret::new)
                .ok_or_else(|| SecretError::Env(name.clone())),
            SecretRef::Sealed(name) => Err(SecretError::Unknown(name.clone())),
        }
    }
}

fn read_file(path: &Path) -> Result<Secret, SecretError> {
    let cannot = |error| SecretError::File(path.to_owned(), error);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        return Err(SecretError::TooLong(path.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretError::NotText(path.to_owned()))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err(SecretError::EmptyFile(path.to_owned()));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Secret, SecretError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, bytes).unwrap();
        SystemSecrets.read(&SecretRef::File(path))
    }

    #[test]
    fn the_last_line_break_of_a_file_is_not_part_of_its_secret() {
        for bytes in ["hush", "hush\n", "hush\r\n"] {
            assert_eq!(read(bytes.as_bytes()).unwrap().expose(), "hush", "{bytes:?}");
        }
        assert_eq!(read(b" two words \n\n").unwrap().expose(), " two words \n");
    }

    #[test]
    fn what_is_no_secret_is_said() {
        assert!(matches!(read(b""), Err(SecretError::EmptyFile(_))));
        assert!(matches!(read(b"\n"), Err(SecretError::EmptyFile(_))));
        assert!(matches!(read(b"\xff\xfe"), Err(SecretError::NotText(_))));
        assert!(matches!(read(&vec![b'x'; SECRET_BYTES_MAX as usize + 1]), Err(SecretError::TooLong(_))));
        let missing = SystemSecrets.read(&SecretRef::File("/nowhere/at/all".into()));
        assert!(matches!(missing, Err(SecretError::File(..))));
        let unset = SystemSecrets.read(&SecretRef::Env("VEDETTA_TEST_SURELY_UNSET".into()));
        assert_eq!(
            unset.unwrap_err().to_string(),
            "the environment variable VEDETTA_TEST_SURELY_UNSET with the secret is not set"
        );
    }

    #[test]
    fn a_secret_never_prints() {
        let secret = read(b"correct horse").unwrap();
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)).matches("***").count(), 2);
        assert!(!format!("{secret:?}").contains("horse"));
        // An error of a file that holds something else does not quote it either.
        let error = read(b"\xffcorrect horse").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("horse"));
    }
}
