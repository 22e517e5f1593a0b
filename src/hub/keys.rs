//! The files of the data directory that nobody else may read: the operator's token, the keys of signed links.
//!
//! Both are made at the first start, readable by the hub's user alone. `link.key` may have several lines: the first key
//! signs, the others are still read, so that a key can be changed without breaking the links of open incidents.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::alert::signed::{KEY_BYTES, LinkKeys};
use crate::config::secret::Secret;

/// The file with the word that changes need.
pub const TOKEN_FILE: &str = "operator.token";
/// The file with the keys of signed links.
pub const LINK_KEY_FILE: &str = "link.key";
/// A shorter token is no token: the file is made anew.
const TOKEN_CHARS_MIN: usize = 32;

/// The word that whoever changes something must show.
pub fn operator_token(dir: &Path) -> anyhow::Result<Secret> {
    let path = dir.join(TOKEN_FILE);
    if let Some(text) = read(&path)?.filter(|text| text.trim().len() >= TOKEN_CHARS_MIN) {
        return Ok(Secret::new(text.trim().to_owned()));
    }
    let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    write(&path, &token)?;
    Ok(Secret::new(token))
}

/// What links in mails are signed with. A file that is damaged is an error, not a reason for another key: all links
/// that are out would end.
pub fn link_keys(dir: &Path) -> anyhow::Result<LinkKeys> {
    let path = dir.join(LINK_KEY_FILE);
    if let Some(text) = read(&path)? {
        return LinkKeys::parse(&text).with_context(|| path.display().to_string());
    }
    let keys = LinkKeys::new(rand::random::<[u8; KEY_BYTES]>());
    write(&path, &keys.line())?;
    Ok(keys)
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            warn_of_readers(path)?;
            Ok(Some(text))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| path.display().to_string()),
    }
}

fn warn_of_readers(path: &Path) -> anyhow::Result<()> {
    let mode = std::fs::metadata(path).with_context(|| path.display().to_string())?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!("{}: others can read it; chmod 600", path.display());
    }
    Ok(())
}

/// Written beside its place and renamed: a crash leaves the whole file or none.
pub fn write(path: &Path, line: &str) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // A file that is left over from a crash may have any mode.
    let _ = std::fs::remove_file(&beside);
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
    let written = file.and_then(|mut file| {
        writeln!(file, "{line}")?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    });
    written.with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_for_this_user_alone_and_a_damaged_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let (token, keys) = (operator_token(dir.path()).unwrap(), link_keys(dir.path()).unwrap());
        assert!(token == operator_token(dir.path()).unwrap() && keys == link_keys(dir.path()).unwrap());
        for file in [TOKEN_FILE, LINK_KEY_FILE] {
            let mode = std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        let other = tempfile::tempdir().unwrap();
        assert!(keys != link_keys(other.path()).unwrap());
        std::fs::write(dir.path().join(LINK_KEY_FILE), "short\n").unwrap();
        let error = format!("{:#}", link_keys(dir.path()).unwrap_err());
        assert!(error.ends_with("link.key: line 1: must be 64 hexadecimal digits"), "{error}");
    }
}
