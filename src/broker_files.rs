//! `vedetta broker-files`: what mosquitto, the hub and every agent need to speak TLS with each other, from the inventory.
//!
//! A private certificate authority signs one certificate for the broker, one for the hub and one for each agent; the
//! common name of a client's is its name in the broker's rights. The authority is made once and never replaced; all
//! others are issued again when they end soon. No certificate begins before 2020 or later than that, so that a relay
//! whose clock is behind still believes the broker.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;

use crate::config::seal::write_whole;
use crate::config::text::is_host;
use crate::model::network::Network;
use crate::model::{NetworkId, UnixMillis};
use crate::mqtt::certificate::expires_at;
use crate::wire::topic::ROOT;

/// How long certificates are valid, unless told otherwise.
pub const VALID: Duration = Duration::from_hours(365 * 24);
/// So long before its end a certificate is issued again: twice what the warnings begin with.
pub const RENEW_BEFORE: Duration = Duration::from_hours(60 * 24);
/// The authority outlives the network's equipment.
const VALID_AUTHORITY: Duration = Duration::from_hours(20 * 365 * 24);
/// The hub's name in its certificate; no agent can have it, for ids have no underscore.
const HUB: &str = "_hub";
/// Reads the incidents of all operators; no operator can be meant, for [`READERS_DIR`] holds it beside them.
pub const UNION_READER: &str = "_union";
/// Readers' certificates, one directory each.
const READERS_DIR: &str = "readers";
/// The authority, and its key, which may be kept elsewhere while nothing has to be signed.
const AUTHORITY_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key";
/// The names of the broker in its certificate, one a line.
const NAMES_FILE: &str = "server.names";

#[derive(Debug, thiserror::Error)]
pub enum BrokerFilesError {
    #[error("{path}: cannot be {verb}")]
    File { verb: &'static str, path: PathBuf, source: io::Error },
    #[error("--host {0:?}: must be a host name or an IP address")]
    BadHost(String),
    #[error("--host is missing: the names or addresses by which the hub and the agents reach the broker")]
    NoHost,
    #[error("{0} is there and {1} is not: bring it back, or choose an empty directory")]
    HalfAuthority(PathBuf, PathBuf),
    #[error("{key} is not there, and must sign: {}; bring it back for this run", names.join(", "))]
    NoKey { key: PathBuf, names: Vec<String> },
    #[error("{0}: is not the key of the authority in {1}, or that is of another network")]
    ForeignAuthority(PathBuf, PathBuf),
    #[error("--reader {0:?}: must be an operator of the inventory, or {UNION_READER} for a machine of the Union")]
    BadReader(String),
    #[error("certificate of {name}")]
    Certificate { name: String, source: rcgen::Error },
}

/// What to write.
#[derive(Debug, Clone)]
pub struct BrokerFiles {
    pub out: PathBuf,
    /// Names and addresses of the broker; empty: those of the last run.
    pub hosts: Vec<String>,
    pub port: u16,
    /// Where the directory `broker` will lie on the broker's machine.
    pub broker_dir: PathBuf,
    pub valid: Duration,
    pub renew_before: Duration,
    /// Issue everything again now.
    pub renew: bool,
    /// Who gets a certificate to read incidents with, besides those of earlier runs: operators, or [`UNION_READER`].
    pub readers: Vec<String>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    pub new_authority: bool,
    /// The authority's key lies elsewhere, and was not needed.
    pub keyless: bool,
    /// Names of the certificates that wait for that key.
    unsigned: Vec<String>,
    /// Names of the certificates that were issued: `broker`, `hub`, or an agent's.
    pub issued: Vec<String>,
    /// Those that are still good, with the end of their validity.
    pub kept: Vec<(String, UnixMillis)>,
}

/// Writes what is missing or ends soon, and mosquitto's files.
pub fn write(options: &BrokerFiles, network: &Network, now: UnixMillis) -> Result<Written, BrokerFilesError> {
    make_dir(&options.out)?;
    let hosts = hosts(options)?;
    let readers = readers(options, network)?;
    let mut written = Written::default();
    let authority = authority(options, &network.id, now, &mut written)?;
    let broker = options.out.join("broker");
    let names_file = broker.join(NAMES_FILE);
    let names = hosts.join("\n") + "\n";
    let renamed = std::fs::read_to_string(&names_file).ok().as_deref() != Some(&names);
    let mut issue =
        |dir: &Path, holder: Holder<'_>, anew: bool| issue(options, &authority, dir, holder, anew, now, &mut written);
    issue(&broker, Holder::Broker(&hosts), renamed)?;
    issue(&options.out.join("hub"), Holder::Hub, false)?;
    for site in network.agents() {
        issue(&options.out.join("agents").join(site.id.as_str()), Holder::Agent(site.id.as_str()), false)?;
    }
    for reader in &readers {
        issue(&options.out.join(READERS_DIR).join(reader), Holder::Reader(&reader_user(reader)), false)?;
    }
    if !written.unsigned.is_empty() {
        return Err(BrokerFilesError::NoKey { key: options.out.join(KEY_FILE), names: written.unsigned });
    }
    put(&broker, NAMES_FILE, names.as_bytes())?;
    put(&broker, "vedetta.conf", listener(options).as_bytes())?;
    put(&broker, "acl", rights(network).as_bytes())?;
    Ok(written)
}

/// Those given, and those of earlier runs that the inventory still has.
fn readers(options: &BrokerFiles, network: &Network) -> Result<BTreeSet<String>, BrokerFilesError> {
    let known = |name: &str| name == UNION_READER || network.wisps.contains_key(name);
    if let Some(bad) = options.readers.iter().find(|name| !known(name)) {
        return Err(BrokerFilesError::BadReader(bad.clone()));
    }
    let entries = std::fs::read_dir(options.out.join(READERS_DIR)).into_iter().flatten().flatten();
    let before = entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| known(name));
    Ok(options.readers.iter().cloned().chain(before).collect())
}

/// The name in a reader's certificate; no agent can have it, for ids have no underscore.
fn reader_user(reader: &str) -> String {
    format!("_reader-{reader}")
}

/// Names of the broker: those given, else those of the last run.
fn hosts(options: &BrokerFiles) -> Result<Vec<String>, BrokerFilesError> {
    let mut hosts = options.hosts.clone();
    if hosts.is_empty() {
        let last = std::fs::read_to_string(options.out.join("broker").join(NAMES_FILE)).unwrap_or_default();
        hosts = last.lines().map(str::to_owned).collect();
    }
    match hosts.iter().find(|host| !is_host(host)) {
        Some(bad) => Err(BrokerFilesError::BadHost(bad.clone())),
        None if hosts.is_empty() => Err(BrokerFilesError::NoHost),
        None => Ok(hosts),
    }
}

/// The authority; it signs where its key is at hand.
struct Authority {
    pem: String,
    issuer: Option<Issuer<'static, KeyPair>>,
    roots: Arc<RootCertStore>,
}

fn authority_params(network: &NetworkId) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, format!("vedetta {network}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn authority(
    options: &BrokerFiles,
    network: &NetworkId,
    now: UnixMillis,
    written: &mut Written,
) -> Result<Authority, BrokerFilesError> {
    let (certificate, key_file) = (options.out.join(AUTHORITY_FILE), options.out.join(KEY_FILE));
    let params = authority_params(network);
    let failed = |source| BrokerFilesError::Certificate { name: "the authority".to_owned(), source };
    let (pem, key) = match (certificate.exists(), key_file.exists()) {
        (true, true) => {
            let key = KeyPair::from_pem(&read(&key_file)?);
            let key = key.map_err(|_| BrokerFilesError::ForeignAuthority(key_file.clone(), certificate.clone()))?;
            (read(&certificate)?, Some(key))
        }
        (false, false) => {
            let key = KeyPair::generate().map_err(failed)?;
            let mut params = params.clone();
            validity(&mut params, now + VALID_AUTHORITY);
            let pem = params.self_signed(&key).map_err(failed)?.pem();
            // The key first: without it the certificate is of no use.
            put(&options.out, KEY_FILE, key.serialize_pem().as_bytes())?;
            put(&options.out, AUTHORITY_FILE, pem.as_bytes())?;
            written.new_authority = true;
            (pem, Some(key))
        }
        (true, false) => {
            written.keyless = true;
            (read(&certificate)?, None)
        }
        (false, true) => return Err(BrokerFilesError::HalfAuthority(key_file, certificate)),
    };
    let mut roots = RootCertStore::empty();
    let foreign = || BrokerFilesError::ForeignAuthority(key_file.clone(), certificate.clone());
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| foreign())?;
    roots.add(der).map_err(|_| foreign())?;
    Ok(Authority { pem, issuer: key.map(|key| Issuer::new(params, key)), roots: Arc::new(roots) })
}

/// Whose certificate.
#[derive(Clone, Copy)]
enum Holder<'a> {
    Broker(&'a [String]),
    Hub,
    Agent(&'a str),
    /// Its name in the certificate.
    Reader(&'a str),
}

impl Holder<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Broker(_) => "broker",
            Self::Hub => "hub",
            Self::Agent(name) | Self::Reader(name) => name,
        }
    }

    fn file(&self) -> &'static str {
        if matches!(self, Self::Broker(_)) { "server" } else { "client" }
    }

    fn params(&self) -> Result<CertificateParams, rcgen::Error> {
        let (mut params, name, usage) = match self {
            Self::Broker(hosts) => {
                (CertificateParams::new(hosts.to_vec())?, "broker", ExtendedKeyUsagePurpose::ServerAuth)
            }
            Self::Hub => (CertificateParams::default(), HUB, ExtendedKeyUsagePurpose::ClientAuth),
            Self::Agent(name) | Self::Reader(name) => {
                (CertificateParams::default(), *name, ExtendedKeyUsagePurpose::ClientAuth)
            }
        };
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        Ok(params)
    }
}

fn validity(params: &mut CertificateParams, end: UnixMillis) {
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    let since_epoch = Duration::from_millis(u64::try_from(end.0).unwrap_or(0));
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch;
}

/// Issues a certificate with a new key, unless there is one that is good for long enough.
fn issue(
    options: &BrokerFiles,
    authority: &Authority,
    dir: &Path,
    holder: Holder<'_>,
    anew: bool,
    now: UnixMillis,
    written: &mut Written,
) -> Result<(), BrokerFilesError> {
    make_dir(dir)?;
    put(dir, AUTHORITY_FILE, authority.pem.as_bytes())?;
    let (certificate_file, key_file) = (format!("{}.pem", holder.file()), format!("{}.key", holder.file()));
    let end = expires_at(&dir.join(&certificate_file)).filter(|_| dir.join(&key_file).exists());
    if let Some(end) = end.filter(|end| !options.renew && !anew && end.since(now) > options.renew_before) {
        written.kept.push((holder.name().to_owned(), end));
        return Ok(());
    }
    let Some(issuer) = &authority.issuer else {
        written.unsigned.push(holder.name().to_owned());
        return Ok(());
    };
    let failed = |source| BrokerFilesError::Certificate { name: holder.name().to_owned(), source };
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = holder.params().map_err(failed)?;
    validity(&mut params, now + options.valid);
    let certificate = params.signed_by(&key, issuer).map_err(failed)?;
    if !is_believed(authority, &holder, certificate.der(), now) {
        let file = |name: &str| options.out.join(name);
        return Err(BrokerFilesError::ForeignAuthority(file(KEY_FILE), file(AUTHORITY_FILE)));
    }
    // Between the two the pair does not fit; who reads them then goes on with what it has.
    put(dir, &key_file, key.serialize_pem().as_bytes())?;
    put(dir, &certificate_file, certificate.pem().as_bytes())?;
    written.issued.push(holder.name().to_owned());
    Ok(())
}

/// Whether who trusts the authority believes this certificate: as TLS will check it.
fn is_believed(authority: &Authority, holder: &Holder<'_>, certificate: &CertificateDer<'_>, now: UnixMillis) -> bool {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let at = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(now.0).unwrap_or(0)));
    let roots = authority.roots.clone();
    match holder {
        Holder::Broker(hosts) => {
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
            let good = |host: &String| {
                let name = ServerName::try_from(host.as_str()).ok()?;
                verifier.as_ref().ok()?.verify_server_cert(certificate, &[], &name, &[], at).ok()
            };
            hosts.iter().all(|host| good(host).is_some())
        }
        Holder::Hub | Holder::Agent(_) | Holder::Reader(_) => {
            WebPkiClientVerifier::builder_with_provider(roots, provider)
                .build()
                .is_ok_and(|verifier| verifier.verify_client_cert(certificate, &[], at).is_ok())
        }
    }
}

fn make_dir(dir: &Path) -> Result<(), BrokerFilesError> {
    let failed = |source| BrokerFilesError::File { verb: "made", path: dir.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).map_err(failed)
}

fn read(path: &Path) -> Result<String, BrokerFilesError> {
    std::fs::read_to_string(path).map_err(|source| BrokerFilesError::File {
        verb: "read",
        path: path.to_owned(),
        source,
    })
}

/// Readable by its owner only. A file that says the same already is left alone.
fn put(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), BrokerFilesError> {
    let path = dir.join(name);
    if std::fs::read(&path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    write_whole(dir, name, bytes).map_err(|source| BrokerFilesError::File { verb: "written", path, source })
}

fn listener(options: &BrokerFiles) -> String {
    let dir = options.broker_dir.display();
    format!(
        "\
# mosquitto 2 for vedetta, written by `vedetta broker-files`: goes to /etc/mosquitto/conf.d/.
#
# The common name of a client's certificate is its name: an agent's is the id of its site, the hub's is `{HUB}`. So a
# new agent needs a certificate, and no change here.
per_listener_settings true

listener {port}
cafile {dir}/ca.pem
certfile {dir}/server.pem
keyfile {dir}/server.key
require_certificate true
use_identity_as_username true
acl_file {dir}/acl

# Nothing needs to be remembered: agents keep what the hub has not stored, and the retained words of hub and agents are
# said again at every connection.
persistence false

# The largest message is an agent's part of the inventory, 256 KiB.
message_size_limit 524288
max_queued_messages 4096
",
        port = options.port
    )
}

fn rights(network: &Network) -> String {
    let mut readers = String::new();
    let own = network.wisps.keys().map(|wisp| (wisp.as_str(), format!("{wisp}/#")));
    for (reader, topics) in own.chain([(UNION_READER, "#".to_owned())]) {
        // Writing to a String cannot fail.
        let _ = write!(
            readers,
            "user {}\ntopic read {ROOT}/{}/{HUB}/incidents/{topics}\n\n",
            reader_user(reader),
            network.id
        );
    }
    let network = &network.id;
    format!(
        "\
# Rights, written by `vedetta broker-files`. %u is the name in the client's certificate.

# The hub has its network.
user {HUB}
topic readwrite {ROOT}/{network}/#

# An operator may read its own incidents, a machine of the Union all (`vedetta broker-files --reader`).
{readers}# An agent writes its data and its state, reads what is stored of it, its configuration and the hub's presence.
pattern write {ROOT}/{network}/%u/data
pattern write {ROOT}/{network}/%u/state
pattern read {ROOT}/{network}/%u/stored
pattern read {ROOT}/{network}/%u/config
pattern read {ROOT}/{network}/{HUB}/state
"
    )
}

impl Written {
    /// For a terminal: what was done, and what to copy where.
    pub fn render(&self, options: &BrokerFiles) -> String {
        let mut out = String::new();
        let dir = options.out.display();
        // Writing to a String cannot fail.
        if self.new_authority {
            let _ = writeln!(
                out,
                "A new certificate authority: {dir}/{KEY_FILE} is its key. Keep it off the broker, and keep a copy."
            );
        }
        if self.keyless {
            let _ = writeln!(out, "{KEY_FILE} is not here, and nothing had to be signed.");
        }
        match &self.issued[..] {
            [] => out.push_str("No certificate had to be issued.\n"),
            issued => {
                let _ = writeln!(out, "Issued for {} days: {}.", options.valid.as_secs() / 86_400, issued.join(", "));
            }
        }
        let _ = write!(
            out,
            "
Copy what is new:
  {dir}/broker/*          to {broker} on the broker's machine, readable by its user (chown mosquitto);
                          vedetta.conf to /etc/mosquitto/conf.d/; then: systemctl reload mosquitto
  {dir}/hub/*             to the hub's machine, and name them in the [mqtt] of hub.toml
  {dir}/agents/SITE/*     to that site's agent, and name them in the [mqtt] of agent.toml
  {dir}/readers/NAME/*    if there are any, to that operator, who may read its incidents with them

    ca_file = \"/etc/vedetta/ca.pem\"
    client_cert_file = \"/etc/vedetta/client.pem\"
    client_key_file = \"/etc/vedetta/client.key\"

Hub and agents take new files up within seconds, without a restart. Run this again, monthly for instance: it issues
anew what ends within {renew} days.
",
            broker = options.broker_dir.display(),
            renew = options.renew_before.as_secs() / 86_400
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const DAY: Duration = Duration::from_hours(24);

    fn network(id: &str) -> Network {
        let text = include_str!("../configs/alta-langa.toml").replace("id = \"alta-langa\"", &format!("id = \"{id}\""));
        crate::config::check::network(&text, Path::new("")).0.unwrap()
    }

    fn options(out: &Path) -> BrokerFiles {
        BrokerFiles {
            out: out.to_owned(),
            hosts: vec!["broker.example".to_owned(), "192.0.2.7".to_owned()],
            port: 8883,
            broker_dir: "/etc/vedetta/broker".into(),
            valid: VALID,
            renew_before: RENEW_BEFORE,
            renew: false,
            readers: Vec::new(),
        }
    }

    #[test]
    fn what_ends_soon_is_issued_again_and_the_authority_stays() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("files");
        let (network, mut options) = (network("n"), options(&out));
        let n_all = network.agents().count() + 2;
        let first = write(&options, &network, NOW).unwrap();
        assert!(first.new_authority && first.issued.len() == n_all && first.kept.is_empty());
        let authority = std::fs::read(out.join("ca.key")).unwrap();
        options.hosts.clear();
        let again = write(&options, &network, NOW + DAY * 300).unwrap();
        assert_eq!((again.new_authority, again.issued.len(), again.kept.len()), (false, 0, n_all));
        assert_eq!(again.kept[0], ("broker".to_owned(), NOW + VALID));
        let late = write(&options, &network, NOW + DAY * 306).unwrap();
        assert_eq!((late.new_authority, late.issued.len()), (false, n_all));
        options.renew = true;
        assert_eq!(write(&options, &network, NOW + DAY * 307).unwrap().issued.len(), n_all);
        options.renew = false;
        options.hosts = vec!["other.example".to_owned()];
        assert_eq!(write(&options, &network, NOW + DAY * 308).unwrap().issued, ["broker"]);
        assert_eq!(std::fs::read(out.join("ca.key")).unwrap(), authority);

        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&out), mode(&out.join("ca.key")), mode(&out.join("hub/client.key"))), (0o700, 0o600, 0o600));
        assert!(late.render(&options).contains("agents/SITE"));
    }

    #[test]
    fn the_key_may_lie_elsewhere_while_nothing_is_signed() {
        let dir = tempfile::tempdir().unwrap();
        let (network, mut options) = (network("n"), options(dir.path()));
        write(&options, &network, NOW).unwrap();
        let (key, away) = (dir.path().join("ca.key"), dir.path().join("away"));
        std::fs::rename(&key, &away).unwrap();
        options.port = 1;
        let again = write(&options, &network, NOW + DAY).unwrap();
        assert!(
            again.keyless && again.issued.is_empty() && again.render(&options).contains("nothing had to be signed")
        );
        assert!(std::fs::read_to_string(dir.path().join("broker/vedetta.conf")).unwrap().contains("listener 1\n"));
        options.hosts = vec!["other.example".to_owned()];
        let renamed = || write(&options, &network, NOW + DAY);
        let message = renamed().unwrap_err().to_string();
        assert_eq!(
            message,
            format!("{} is not there, and must sign: broker; bring it back for this run", key.display())
        );
        std::fs::rename(&away, &key).unwrap();
        assert_eq!(renamed().unwrap().issued, ["broker"]);
    }

    #[test]
    fn readers_are_remembered_and_must_be_known() {
        let dir = tempfile::tempdir().unwrap();
        let (network, mut options) = (network("n"), options(dir.path()));
        let wisp = network.wisps.keys().next().unwrap().to_string();
        options.readers = vec![wisp.clone(), UNION_READER.to_owned()];
        let written = write(&options, &network, NOW).unwrap();
        for name in [format!("_reader-{wisp}"), "_reader-_union".to_owned()] {
            assert!(written.issued.contains(&name), "{written:?}");
        }
        options.readers.clear();
        let again = write(&options, &network, NOW + DAY).unwrap();
        assert!(again.issued.is_empty() && again.kept.len() == written.issued.len());
        let rights = std::fs::read_to_string(dir.path().join("broker/acl")).unwrap();
        let own = format!("user _reader-{wisp}\ntopic read vedetta/v1/n/_hub/incidents/{wisp}/#\n");
        assert!(rights.contains(&own), "{rights}");
        options.readers = vec!["nobody".to_owned()];
        assert!(matches!(write(&options, &network, NOW), Err(BrokerFilesError::BadReader(_))));
    }

    #[test]
    fn a_foreign_or_half_authority_signs_nothing() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let options = options(dir.path());
        write(&options, &network("n"), NOW).unwrap();
        let renew = BrokerFiles { renew: true, ..options.clone() };
        assert!(matches!(write(&renew, &network("m"), NOW), Err(BrokerFilesError::ForeignAuthority(..))));
        write(&BrokerFiles { out: other.path().to_owned(), ..options.clone() }, &network("n"), NOW).unwrap();
        std::fs::copy(other.path().join("ca.key"), dir.path().join("ca.key")).unwrap();
        assert!(matches!(write(&renew, &network("n"), NOW), Err(BrokerFilesError::ForeignAuthority(..))));
        std::fs::rename(dir.path().join("ca.pem"), other.path().join("away")).unwrap();
        assert!(matches!(write(&options, &network("n"), NOW), Err(BrokerFilesError::HalfAuthority(..))));
        let empty = tempfile::tempdir().unwrap();
        let nameless = BrokerFiles { out: empty.path().to_owned(), hosts: vec![], ..options.clone() };
        assert!(matches!(write(&nameless, &network("n"), NOW), Err(BrokerFilesError::NoHost)));
        let bad = BrokerFiles { hosts: vec!["mqtt://x".to_owned()], ..nameless };
        assert!(matches!(write(&bad, &network("n"), NOW), Err(BrokerFilesError::BadHost(_))));
    }
}
