//! SNMP credentials and other secrets: where they are kept, never what they are. `[P]`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::problem::Findings;
use crate::config::raw::Raw;
use crate::model::CredentialId;
use crate::model::network::{AuthProtocol, Credential, PrivProtocol, SecretRef, SnmpAccess};

/// The path that a key names, from the directory of the file that names it.
pub fn path(raw: &Raw, key: &str, base: &Path) -> Option<PathBuf> {
    raw.text(key).map(|path| base.join(path))
}

/// Where the secret `name` is kept, by its keys `<name>_file` and `<name>_env`; at most one of them.
pub fn secret(raw: &Raw, name: &str, base: &Path, findings: &mut Findings) -> Option<SecretRef> {
    let (file_key, env_key) = (format!("{name}_file"), format!("{name}_env"));
    if raw.is_written(&file_key) && raw.is_written(&env_key) {
        findings.push(raw.error(&env_key, format!("must not stand beside {file_key}: the secret is in one place")));
    }
    let file = path(raw, &file_key, base).map(SecretRef::File);
    file.or_else(|| raw.text(&env_key).map(|name| SecretRef::Env(name.to_owned())))
}

/// Whether any key for this secret stands in the file, good or bad.
fn is_secret_written(raw: &Raw, name: &str) -> bool {
    [name.to_owned(), format!("{name}_file"), format!("{name}_env")].iter().any(|key| raw.is_written(key))
}

/// A secret that must be there.
pub fn required_secret(raw: &Raw, name: &str, base: &Path, findings: &mut Findings) -> Option<SecretRef> {
    let secret = secret(raw, name, base, findings);
    if !is_secret_written(raw, name) {
        let wanted = format!("must be given, as {name}_file = \"…\" or {name}_env = \"…\"");
        findings.push(raw.error(name, wanted));
    }
    secret
}

/// All `[[credential]]` of a file.
pub fn credentials(raw: &Raw, base: &Path, findings: &mut Findings) -> BTreeMap<CredentialId, Credential> {
    let all = raw.tables("credential").iter().filter_map(|raw| credential(raw, base, findings));
    all.map(|credential| (credential.id.clone(), credential)).collect()
}

fn credential(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<Credential> {
    let version = raw.text("version")?;
    let access = if version == "v3" {
        foreign_keys(raw, &["community"], "v3 has a user", findings);
        v3(raw, base, findings)
    } else {
        let foreign = ["user", "auth", "auth_password", "privacy", "privacy_password"];
        foreign_keys(raw, &foreign, "only v3 has it", findings);
        required_secret(raw, "community", base, findings).map(|community| match version {
            "v1" => SnmpAccess::V1 { community },
            _ => SnmpAccess::V2c { community },
        })
    };
    Some(Credential { id: CredentialId::parse(raw.text("id")?).ok()?, access: access? })
}

fn foreign_keys(raw: &Raw, names: &[&str], why: &str, findings: &mut Findings) {
    for name in names {
        for key in [(*name).to_owned(), format!("{name}_file"), format!("{name}_env")] {
            if raw.is_written(&key) {
                findings.push(raw.error(&key, format!("does not belong to this SNMP version: {why}")));
            }
        }
    }
}

fn v3(raw: &Raw, base: &Path, findings: &mut Findings) -> Option<SnmpAccess> {
    let user = raw.text("user").map(str::to_owned);
    if !raw.is_written("user") {
        findings.push(raw.error("user", "must be given for v3"));
    }
    let auth = protocol_secret(raw, "auth", "auth_password", base, findings);
    let privacy = protocol_secret(raw, "privacy", "privacy_password", base, findings);
    if raw.is_written("privacy") && !raw.is_written("auth") {
        findings.push(raw.error("privacy", "needs auth: SNMPv3 does not encrypt without authenticating"));
    }
    let auth = auth.and_then(|(name, secret)| Some((auth_protocol(name)?, secret)));
    let privacy = privacy.and_then(|(name, secret)| Some((privacy_protocol(name)?, secret)));
    Some(SnmpAccess::V3 { user: user?, auth, privacy })
}

/// A protocol and its password: both, or neither.
fn protocol_secret<'r>(
    raw: &'r Raw,
    key: &str,
    name: &str,
    base: &Path,
    findings: &mut Findings,
) -> Option<(&'r str, SecretRef)> {
    if raw.is_written(key) {
        let secret = required_secret(raw, name, base, findings);
        return Some((raw.text(key)?, secret?));
    }
    if is_secret_written(raw, name) {
        findings.push(raw.error(key, format!("must be given with {name}: which protocol?")));
    }
    None
}

pub(super) fn auth_protocol(name: &str) -> Option<AuthProtocol> {
    Some(match name {
        "md5" => AuthProtocol::Md5,
        "sha1" => AuthProtocol::Sha1,
        "sha224" => AuthProtocol::Sha224,
        "sha256" => AuthProtocol::Sha256,
        "sha384" => AuthProtocol::Sha384,
        "sha512" => AuthProtocol::Sha512,
        _ => return None,
    })
}

pub(super) fn privacy_protocol(name: &str) -> Option<PrivProtocol> {
    Some(match name {
        "des" => PrivProtocol::Des,
        "aes128" => PrivProtocol::Aes128,
        "aes192" => PrivProtocol::Aes192,
        "aes256" => PrivProtocol::Aes256,
        _ => return None,
    })
}
