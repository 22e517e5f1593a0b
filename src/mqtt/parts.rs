//! The hub's side of the agents' parts of the inventory: whose key is believed, and what is published.
//!
//! **Keys.** The first key that an agent shows is kept in the ledger and believed from then on. Another one is refused,
//! and shown, until staff accept it (`vedetta agent-key accept`): the secrets of a site must not go to whoever takes over
//! its name. The command leaves the key in a file, which is looked at whenever a key is refused.
//!
//! **Revisions.** The ledger keeps each part's revision with a digest of what it says, secrets included: while that is the
//! same, so is the revision, and an agent has nothing to do. Another content gets the time in ms, and at least one more
//! than before; so a number never stands for two contents, also after an old ledger was put back. The digest's key
//! ([`DIGEST_KEY_FILE`]) is not in the ledger, or its copies would tell a community to whoever can guess; a new key costs one
//! revision.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::config::check;
use crate::config::part::{render, secrets};
use crate::config::seal::seal;
use crate::config::secret::SecretSource;
use crate::config::text::hex;
use crate::model::network::Network;
use crate::model::part::AgentPart;
use crate::model::view::PartView;
use crate::model::{NetworkId, SiteId, UnixMillis};
use crate::store::{Document, DocumentStore};
use crate::wire::part::{Key, PART_BYTES_MAX, PartMessage, PartState, short};

use super::client::chain;

/// Documents of the ledger: the key that is believed, by agent.
const DOCUMENT_KIND: &str = "agent-key";
/// Documents of the ledger: the revision of each agent's part, by agent.
const REVISION_KIND: &str = "agent-part";
/// Below the hub's data directory, for its user alone.
const DIGEST_KEY_FILE: &str = "part-digest-key";
const DIGEST_KEY_BYTES: usize = 32;
/// Below the hub's data directory: a file for each key that staff accepted, named after the agent.
const ACCEPTED_DIR: &str = "accepted-keys";
const ACCEPTED_BYTES_MAX: u64 = 1024;

/// Leaves word for the hub that staff accept this key.
pub fn accept(data_dir: &Path, agent: &SiteId, key: Key) -> std::io::Result<()> {
    let dir = data_dir.join(ACCEPTED_DIR);
    std::fs::create_dir_all(&dir)?;
    crate::config::seal::write_whole(&dir, agent.as_str(), format!("{key}\n").as_bytes())
}

/// What is kept of a part, as a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    revision: u64,
    /// HMAC-SHA-256 (RFC 2104), hexadecimal.
    digest: String,
}

/// What one agent gets.
#[derive(Debug)]
struct Entry {
    revision: u64,
    inventory: String,
    /// As a JSON object.
    secrets: Vec<u8>,
    n_secrets: usize,
    believed: Option<Key>,
    /// Sealed to the key that is believed.
    message: Option<Vec<u8>>,
    view: PartView,
}

/// All agents' parts. The default has none, and publishes nothing.
#[derive(Default)]
pub struct Parts {
    network: Option<NetworkId>,
    entries: BTreeMap<SiteId, Entry>,
    keys: Option<Arc<dyn DocumentStore>>,
    accepted: PathBuf,
}

impl Parts {
    /// The parts of all agents of the network. Reads secrets and the ledger: blocks.
    pub fn new(
        network: &Network,
        secrets: &dyn SecretSource,
        keys: Arc<dyn DocumentStore>,
        data_dir: &Path,
        now: UnixMillis,
    ) -> anyhow::Result<Self> {
        let known = keys.documents(DOCUMENT_KIND)?;
        let known: BTreeMap<&str, &str> = known.iter().map(|d| (d.key.as_str(), d.body.as_str())).collect();
        let mut parts = Self {
            network: Some(network.id.clone()),
            entries: BTreeMap::new(),
            keys: Some(keys),
            accepted: data_dir.join(ACCEPTED_DIR),
        };
        let digest_key = digest_key(data_dir)?;
        let kept = parts.keys.iter().map(|keys| keys.documents(REVISION_KIND)).collect::<Result<Vec<_>, _>>()?.concat();
        let kept: BTreeMap<&str, Kept> =
            kept.iter().filter_map(|d| Some((d.key.as_str(), serde_json::from_str(&d.body).ok()?))).collect();
        let mut news = Vec::new();
        for site in network.agents() {
            let mut entry = entry(network, &site.id, secrets);
            let digest = digest(&digest_key, &entry);
            let before = kept.get(site.id.as_str());
            let revision = revision(before, &digest, now);
            entry.revision = revision;
            if before.is_none_or(|before| before.revision != revision) {
                let body = serde_json::to_string(&Kept { revision, digest })?;
                news.push(Document { kind: REVISION_KIND.to_owned(), key: site.id.to_string(), body });
            }
            entry.believed = known.get(site.id.as_str()).and_then(|key| key.parse().ok());
            parts.entries.insert(site.id.clone(), entry);
            parts.seal(&site.id);
        }
        if let Some(keys) = parts.keys.as_ref().filter(|_| !news.is_empty()) {
            // Before anything is published: the next run must not give these numbers to another content.
            keys.put_documents(&news)?;
        }
        Ok(parts)
    }

    /// What to publish, retained.
    pub fn message(&self, agent: &SiteId) -> Option<&[u8]> {
        self.entries.get(agent)?.message.as_deref()
    }

    pub fn view(&self, agent: &SiteId) -> PartView {
        self.entries.get(agent).map(|entry| entry.view.clone()).unwrap_or_default()
    }

    /// Takes what an agent says of its part; true if there is another message for it now. Reads and writes: blocks.
    pub fn hear(&mut self, agent: &SiteId, state: &PartState) -> bool {
        let Some(entry) = self.entries.get_mut(agent) else { return false };
        entry.view.in_force = state.revision;
        entry.view.refused = state.refused.as_ref().map(|refused| short(&refused.reason));
        let Some(key) = state.key else { return false };
        if entry.believed == Some(key) {
            entry.view.key_refused = None;
            return false;
        }
        if entry.believed.is_some() && self.accepted(agent) != Some(key) {
            let shown = key.to_string();
            let entry = self.entries.get_mut(agent);
            if let Some(entry) = entry.filter(|entry| entry.view.key_refused.as_ref() != Some(&shown)) {
                tracing::error!(
                    %agent, key = shown,
                    "the agent shows another key than before; if it was set up anew: vedetta agent-key accept"
                );
                entry.view.key_refused = Some(shown);
            }
            return false;
        }
        self.believe(agent, key)
    }

    fn believe(&mut self, agent: &SiteId, key: Key) -> bool {
        let body = key.to_string();
        let document = Document { kind: DOCUMENT_KIND.to_owned(), key: agent.to_string(), body };
        if let Some(Err(e)) = self.keys.as_ref().map(|keys| keys.put_documents(&[document])) {
            tracing::error!(%agent, reason = chain(&e), "the agent's key cannot be kept; trying again");
            return false;
        }
        // It may be gone already.
        let _ = std::fs::remove_file(self.accepted.join(agent.as_str()));
        tracing::info!(%agent, %key, "the agent's key is believed from now on");
        if let Some(entry) = self.entries.get_mut(agent) {
            entry.believed = Some(key);
            entry.view.key_refused = None;
        }
        self.seal(agent);
        self.message(agent).is_some()
    }

    /// The key that staff accepted for this agent.
    fn accepted(&self, agent: &SiteId) -> Option<Key> {
        let file = std::fs::File::open(self.accepted.join(agent.as_str())).ok()?;
        let mut text = String::new();
        file.take(ACCEPTED_BYTES_MAX).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }

    /// Makes the message for the key that is believed.
    fn seal(&mut self, agent: &SiteId) {
        let (Some(network), Some(entry)) = (&self.network, self.entries.get_mut(agent)) else { return };
        let Some(key) = entry.believed else { return };
        let sealed = (entry.n_secrets > 0).then(|| seal(network, agent, key, &entry.secrets)).transpose();
        let message = sealed.map_err(|e| chain(&e)).map(|sealed| {
            let part = PartMessage { revision: entry.revision, inventory: entry.inventory.clone(), sealed };
            crate::wire::state::encode(&part)
        });
        match message {
            Ok(message) if message.len() <= PART_BYTES_MAX => {
                entry.message = Some(message);
                entry.view.published = Some(entry.revision);
            }
            Ok(message) => {
                entry.trouble(agent, format!("it takes {} bytes; {PART_BYTES_MAX} may be sent", message.len()));
            }
            Err(reason) => entry.trouble(agent, reason),
        }
    }
}

impl Entry {
    fn trouble(&mut self, agent: &SiteId, reason: String) {
        tracing::error!(%agent, reason, "this agent's part of the inventory cannot be sent as it should");
        self.message = None;
        self.view.published = None;
        self.view.trouble = Some(reason);
    }
}

/// The revision of a part that now has this digest.
fn revision(known: Option<&Kept>, digest: &str, now: UnixMillis) -> u64 {
    match known {
        Some(known) if known.digest == digest => known.revision,
        known => known.map_or(0, |k| k.revision.saturating_add(1)).max(u64::try_from(now.0).unwrap_or(0)),
    }
}

fn digest(key: &[u8; DIGEST_KEY_BYTES], entry: &Entry) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    // The length first: no text can be moved from one to the other.
    mac.update(&(entry.inventory.len() as u64).to_be_bytes());
    mac.update(entry.inventory.as_bytes());
    mac.update(&entry.secrets);
    hex(&mac.finalize().into_bytes())
}

/// Reads or makes the key of the digests.
fn digest_key(data_dir: &Path) -> std::io::Result<[u8; DIGEST_KEY_BYTES]> {
    match std::fs::read(data_dir.join(DIGEST_KEY_FILE)) {
        Ok(bytes) if bytes.len() == DIGEST_KEY_BYTES => {
            let mut key = [0; DIGEST_KEY_BYTES];
            key.copy_from_slice(&bytes);
            return Ok(key);
        }
        Ok(_) => tracing::warn!(file = DIGEST_KEY_FILE, "damaged, and made anew: all agents get their part again"),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let key: [u8; DIGEST_KEY_BYTES] = rand::random();
    crate::config::seal::write_whole(data_dir, DIGEST_KEY_FILE, &key)?;
    Ok(key)
}

fn entry(network: &Network, agent: &SiteId, source: &dyn SecretSource) -> Entry {
    let part = AgentPart::of(network, agent);
    let inventory = render(&part);
    let mut texts = BTreeMap::new();
    let mut unread = Vec::new();
    for (name, secret) in secrets(&part) {
        match source.read(secret) {
            Ok(secret) => {
                texts.insert(name, secret.expose().to_owned());
            }
            Err(e) => unread.push(chain(&e)),
        }
    }
    debug_assert!(check::part(&inventory).0.is_some(), "{inventory}");
    if !unread.is_empty() {
        // The agent may have them itself; if not, it refuses the part and says so.
        tracing::warn!(%agent, reason = unread.join("; "), "secrets that cannot be sent to this agent");
    }
    Entry {
        revision: 0,
        inventory,
        n_secrets: texts.len(),
        secrets: crate::wire::state::encode(&texts),
        believed: None,
        message: None,
        view: PartView { trouble: (!unread.is_empty()).then(|| short(&unread.join("; "))), ..PartView::default() },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::config::seal::AgentKey;
    use crate::config::secret::{Secret, SecretError};
    use crate::model::network::SecretRef;
    use crate::store::StoreError;
    use crate::wire::part::decode;

    #[derive(Default)]
    struct Documents(Mutex<Vec<Document>>);

    impl DocumentStore for Documents {
        fn put_documents(&self, documents: &[Document]) -> Result<(), StoreError> {
            let mut kept = self.0.lock().unwrap();
            kept.retain(|d| documents.iter().all(|new| (&new.kind, &new.key) != (&d.kind, &d.key)));
            kept.extend_from_slice(documents);
            Ok(())
        }

        fn documents(&self, kind: &str) -> Result<Vec<Document>, StoreError> {
            Ok(self.0.lock().unwrap().iter().filter(|d| d.kind == kind).cloned().collect())
        }
    }

    struct Hush;

    impl SecretSource for Hush {
        fn read(&self, _: &SecretRef) -> Result<Secret, SecretError> {
            Ok(Secret::new("correct horse"))
        }
    }

    fn network() -> Network {
        check::network(include_str!("../../configs/alta-langa.toml"), Path::new("")).0.unwrap()
    }

    fn parts(documents: &Arc<Documents>, dir: &Path) -> Parts {
        let keys: Arc<dyn DocumentStore> = documents.clone();
        Parts::new(&network(), &Hush, keys, dir, UnixMillis(7)).unwrap()
    }

    fn says(key: Key) -> PartState {
        PartState { key: Some(key), ..PartState::default() }
    }

    #[test]
    fn the_first_key_is_believed_another_one_only_when_staff_accept_it() {
        let (dir, documents) = (tempfile::tempdir().unwrap(), Arc::new(Documents::default()));
        let key = |name: &str| AgentKey::open(&dir.path().join(name)).unwrap();
        let (first, second) = (key("first"), key("second"));
        let agent = network().agents().next().unwrap().id.clone();
        let mut hub = parts(&documents, dir.path());
        assert!(hub.message(&agent).is_none());
        assert!(hub.hear(&agent, &says(first.public())) && !hub.hear(&agent, &says(first.public())));

        let opens = |hub: &Parts, key: &AgentKey| {
            let message = decode(hub.message(&agent).unwrap()).unwrap();
            let sealed = message.sealed.unwrap();
            assert_eq!(message.revision, 7);
            key.open_sealed(&network().id, &agent, &sealed).is_ok_and(|text| text.ends_with(b"\"correct horse\"}"))
        };
        assert!(opens(&hub, &first));
        assert!(!String::from_utf8_lossy(hub.message(&agent).unwrap()).contains("horse"));

        // Also after a restart of the hub.
        for mut hub in [hub, parts(&documents, dir.path())] {
            assert!(!hub.hear(&agent, &says(second.public())));
            assert_eq!(hub.view(&agent).key_refused, Some(second.public().to_string()));
            assert!(opens(&hub, &first) && !opens(&hub, &second));
        }
        accept(dir.path(), &agent, first.public()).unwrap();
        let mut hub = parts(&documents, dir.path());
        assert!(!hub.hear(&agent, &says(second.public())), "another key was accepted");
        accept(dir.path(), &agent, second.public()).unwrap();
        assert!(hub.hear(&agent, &says(second.public())));
        assert!(opens(&hub, &second) && hub.view(&agent).key_refused.is_none());
        assert!(!hub.hear(&agent, &says(first.public())), "what was accepted once is not accepted for ever");
    }

    #[test]
    fn a_revision_stands_for_one_content_and_only_grows() {
        struct Word(&'static str);
        impl SecretSource for Word {
            fn read(&self, _: &SecretRef) -> Result<Secret, SecretError> {
                Ok(Secret::new(self.0))
            }
        }
        let (dir, documents) = (tempfile::tempdir().unwrap(), Arc::new(Documents::default()));
        let agents: Vec<SiteId> = network().agents().map(|site| site.id.clone()).collect();
        let revisions = |network: &Network, word: &'static str, now: i64| {
            let keys: Arc<dyn DocumentStore> = documents.clone();
            let parts = Parts::new(network, &Word(word), keys, dir.path(), UnixMillis(now)).unwrap();
            agents.iter().map(|agent| parts.entries[agent].revision).collect::<Vec<_>>()
        };
        let all = |revision: u64| vec![revision; agents.len()];
        assert_eq!(revisions(&network(), "hush", 100), all(100));
        let backup = documents.0.lock().unwrap().clone();
        // A restart of the hub is no news; a clock that was set back makes no number smaller.
        assert_eq!(revisions(&network(), "hush", 200), all(100));
        assert_eq!(revisions(&network(), "another", 50), all(101));
        // One agent's device moves: the others have nothing to do with it.
        let mut changed = network();
        let device = AgentPart::of(&changed, &agents[0]).devices.keys().next().unwrap().clone();
        changed.devices.get_mut(device.as_str()).unwrap().address = "192.0.2.77".parse().unwrap();
        let expected: Vec<u64> = (0..agents.len()).map(|n| if n == 0 { 300 } else { 101 }).collect();
        assert_eq!(revisions(&changed, "another", 300), expected);
        // An old ledger is put back: a number that agents know never comes with another content.
        *documents.0.lock().unwrap() = backup;
        assert_eq!(revisions(&network(), "hush", 400), all(100));
        assert_eq!(revisions(&network(), "third", 400), all(400));
        let kept = format!("{:?}", documents.0.lock().unwrap());
        assert!(!kept.contains("hush") && !kept.contains("third"), "{kept}");
    }

    #[test]
    fn what_agents_say_is_shown() {
        let (dir, documents) = (tempfile::tempdir().unwrap(), Arc::new(Documents::default()));
        let agent = network().agents().next().unwrap().id.clone();
        let mut hub = parts(&documents, dir.path());
        let refused = crate::wire::part::Refused { revision: Some(7), reason: "x".repeat(9999) };
        hub.hear(&agent, &PartState { revision: Some(5), refused: Some(refused), key: None });
        let view = hub.view(&agent);
        assert_eq!((view.in_force, view.refused.map(|r| r.len())), (Some(5), Some(400)));
        assert!(!hub.hear(&SiteId::parse("nowhere").unwrap(), &PartState::default()));
    }
}
