//! Writes mails into a maildir (`tmp`, `new`, `cur`; see maildir(5)) for a person to open: the demo, and networks
//! that send nothing yet.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::Mail;

#[derive(Debug, thiserror::Error)]
pub enum MaildirError {
    #[error("maildir {0}")]
    Create(PathBuf, #[source] std::io::Error),
    #[error("mail {0}")]
    Write(PathBuf, #[source] std::io::Error),
}

/// Blocks. The name is made from the mail, so that a repeat replaces the same file instead of making a second one.
pub fn deliver(dir: &Path, mail: &Mail, message: &[u8]) -> Result<PathBuf, MaildirError> {
    for part in ["tmp", "new", "cur"] {
        let part = dir.join(part);
        fs::create_dir_all(&part).map_err(|e| MaildirError::Create(part.clone(), e))?;
    }
    let name = file_name(mail);
    let (temporary, target) = (dir.join("tmp").join(&name), dir.join("new").join(&name));
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(message)?;
        file.sync_all()
    };
    write().map_err(|e| MaildirError::Write(temporary.clone(), e))?;
    fs::rename(&temporary, &target).map_err(|e| MaildirError::Write(target.clone(), e))?;
    Ok(target)
}

/// `seconds.unique.host`, where unique is the mail's own name; `/` and `:` have a meaning in a maildir.
fn file_name(mail: &Mail) -> String {
    let unique: String = mail.id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    format!("{}.{unique}.vedetta", mail.date.0.max(0) / 1000)
}
