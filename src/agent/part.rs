//! The agent's part of the inventory as it comes from the hub: checked, put in force or refused, kept for the next start.
//!
//! A part that is bad in any way changes nothing: the one in force stays, the file stays, and the state says why. What
//! is kept is the message as it came, so that its secrets are as sealed on this disk as on the broker's.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;

use crate::config::check;
use crate::config::seal::{AgentKey, write_whole};
use crate::config::secret::{Secret, SecretError, SecretSource};
use crate::model::network::{Credential, SecretRef};
use crate::model::part::AgentPart;
use crate::model::{CredentialId, NetworkId, SiteId};
use crate::mqtt::client::chain;
use crate::probe::plan::{Dropped, ProbePlan, plan};
use crate::probe::recall::Memories;
use crate::runtime::tasks::Shutdown;
use crate::wire::part::{self, PART_BYTES_MAX, PartMessage, PartState, Refused, short};

/// The message in force, below the data directory.
const CACHE_FILE: &str = "part.json";

/// What a part is judged by.
pub struct Ground {
    pub network: NetworkId,
    pub agent: SiteId,
    pub interval: Duration,
    /// The agent's own credentials, which come before those of the inventory.
    pub overrides: BTreeMap<CredentialId, Credential>,
    /// For those.
    pub secrets: Arc<dyn SecretSource>,
    pub dropped: Dropped,
    pub memories: Memories,
}

impl Ground {
    /// The plan for a part, or everything that is wrong with it.
    pub fn plan(&self, part: &AgentPart, secrets: &dyn SecretSource) -> Result<ProbePlan, String> {
        let plan = plan(part, self.interval, &self.overrides, secrets);
        let plan = plan.map_err(|problems| problems.iter().map(|p| chain(p)).collect::<Vec<_>>().join("; "))?;
        Ok(ProbePlan { dropped: self.dropped.clone(), memories: self.memories.clone(), ..plan })
    }
}

/// Keeps the part in force.
pub struct Keeper {
    ground: Ground,
    data_dir: PathBuf,
    key: AgentKey,
    state: PartState,
}

impl Keeper {
    /// Reads or makes the agent's key, and puts the part of the last run in force.
    pub fn open(ground: Ground, data_dir: &Path) -> anyhow::Result<(Self, Option<Arc<ProbePlan>>)> {
        let key = AgentKey::open(data_dir).context("the agent's key")?;
        tracing::info!(key = %key.public(), "this agent's key, to compare with what the hub shows");
        let state = PartState { key: Some(key.public()), ..PartState::default() };
        let mut keeper = Self { ground, data_dir: data_dir.to_owned(), key, state };
        let path = data_dir.join(CACHE_FILE);
        let plan = match read_cache(&path) {
            Ok(None) => {
                tracing::info!(
                    "nothing to measure yet: waiting for the hub to send this agent's part of the inventory"
                );
                None
            }
            Ok(Some(payload)) => keeper.take(&payload).map(|(_, plan)| plan),
            Err(e) => {
                tracing::error!(path = %path.display(), error = %e, "the part of the last run cannot be read");
                None
            }
        };
        Ok((keeper, plan))
    }

    pub fn state(&self) -> PartState {
        self.state.clone()
    }

    /// A message from the hub. The plan, if another one is to be followed.
    pub fn hear(&mut self, payload: &[u8]) -> Option<Arc<ProbePlan>> {
        let before = self.state.revision;
        let (revision, plan) = self.take(payload)?;
        if before == Some(revision) {
            return None;
        }
        tracing::info!(revision, devices = plan.devices.len(), "this agent's part of the inventory is in force");
        if let Err(e) = write_whole(&self.data_dir, CACHE_FILE, payload) {
            tracing::error!(error = %e, "the part cannot be kept: the next start begins with the one before");
        }
        Some(plan)
    }

    /// Judges a message, and notes what became of it.
    fn take(&mut self, payload: &[u8]) -> Option<(u64, Arc<ProbePlan>)> {
        match self.judge(payload) {
            Ok((revision, plan)) => {
                self.state.revision = Some(revision);
                self.state.refused = None;
                Some((revision, Arc::new(plan)))
            }
            Err(refused) => {
                if self.state.refused.as_ref() != Some(&refused) {
                    let (revision, reason) = (refused.revision, &refused.reason);
                    tracing::error!(revision, reason, "this part of the inventory is refused; what was in force stays");
                }
                self.state.refused = Some(refused);
                None
            }
        }
    }

    fn judge(&self, payload: &[u8]) -> Result<(u64, ProbePlan), Refused> {
        let refused = |revision: Option<u64>, reason: &str| Refused { revision, reason: short(reason) };
        let message = part::decode(payload).map_err(|e| refused(None, &chain(&e)))?;
        let revision = message.revision;
        self.judge_message(&message).map(|plan| (revision, plan)).map_err(|reason| refused(Some(revision), &reason))
    }

    fn judge_message(&self, message: &PartMessage) -> Result<ProbePlan, String> {
        let (part, findings) = check::part(&message.inventory);
        let Some(part) = part else {
            let problems = findings.into_problems(Path::new("part"), &message.inventory);
            return Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
        };
        let Ground { network, agent, secrets, .. } = &self.ground;
        if part.network != *network || part.agent != *agent {
            return Err(format!("it is for agent {} of network {}", part.agent, part.network));
        }
        let sealed = match &message.sealed {
            None => BTreeMap::new(),
            Some(sealed) => {
                let opened = self.key.open_sealed(network, agent, sealed).map_err(|e| chain(&e))?;
                serde_json::from_slice::<BTreeMap<String, String>>(&opened)
                    .map_err(|_| "the sealed secrets are not a table of names and texts".to_owned())?
            }
        };
        let sealed = sealed.into_iter().map(|(name, text)| (name, Secret::new(text))).collect();
        self.ground.plan(&part, &WithSealed { sealed, others: secrets.as_ref() })
    }
}

/// `None`: there is none.
fn read_cache(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let file = match std::fs::File::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    // One byte more than is accepted: then it is refused as too large.
    file.take(PART_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Sealed secrets for the part's credentials, this machine's own for the agent's.
struct WithSealed<'a> {
    sealed: BTreeMap<String, Secret>,
    others: &'a dyn SecretSource,
}

impl SecretSource for WithSealed<'_> {
    fn read(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        match secret {
            SecretRef::Sealed(name) => self.sealed.get(name).cloned().ok_or_else(|| SecretError::NotSent(name.clone())),
            SecretRef::File(_) | SecretRef::Env(_) => self.others.read(secret),
        }
    }
}

/// Follows what the hub sends until the process stops.
pub async fn run(
    mut keeper: Keeper,
    mut messages: watch::Receiver<Option<Arc<[u8]>>>,
    plans: watch::Sender<Option<Arc<ProbePlan>>>,
    state: watch::Sender<PartState>,
    mut stop: Shutdown,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = stop.wait() => return Ok(()),
            changed = messages.changed() => if changed.is_err() {
                stop.wait().await;
                return Ok(());
            },
        }
        let Some(payload) = messages.borrow_and_update().clone() else { continue };
        // Keys are derived and a file is written: not where others wait.
        let (kept, plan) = tokio::task::spawn_blocking(move || {
            let plan = keeper.hear(&payload);
            (keeper, plan)
        })
        .await
        .context("judging a part of the inventory died")?;
        keeper = kept;
        if let Some(plan) = plan {
            plans.send_replace(Some(plan));
        }
        state.send_replace(keeper.state());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::seal::seal;
    use crate::config::secret::SystemSecrets;

    const INVENTORY: &str = "network = \"n\"\nagent = \"murazzano\"\n[[credential]]\nid = \"radios\"\nversion = \"v2c\"\n\
                             [[device]]\nid = \"a\"\nsite = \"murazzano\"\naddress = \"192.0.2.1\"\nsnmp = \"radios\"\n";

    fn ground() -> Ground {
        Ground {
            network: NetworkId::parse("n").unwrap(),
            agent: SiteId::parse("murazzano").unwrap(),
            interval: Duration::from_mins(1),
            overrides: BTreeMap::new(),
            secrets: Arc::new(SystemSecrets),
            dropped: Dropped::default(),
            memories: Memories::default(),
        }
    }

    fn message(keeper: &Keeper, revision: u64, inventory: &str, secrets: &str) -> Vec<u8> {
        let Ground { network, agent, .. } = &keeper.ground;
        let sealed = seal(network, agent, keeper.key.public(), secrets.as_bytes()).unwrap();
        serde_json::to_vec(&PartMessage { revision, inventory: inventory.into(), sealed: Some(sealed) }).unwrap()
    }

    const SECRETS: &str = r#"{"radios.community": "hush", "other": "ignored"}"#;

    #[test]
    fn a_part_survives_a_restart_and_a_bad_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (mut keeper, plan) = Keeper::open(ground(), dir.path()).unwrap();
        assert!(plan.is_none() && keeper.state().revision.is_none());
        let good = message(&keeper, 5, INVENTORY, SECRETS);
        assert_eq!(keeper.hear(&good).unwrap().devices.len(), 1);
        // The retained message comes again at every connection.
        assert!(keeper.hear(&good).is_none());
        let on_disk = std::fs::read(dir.path().join(CACHE_FILE)).unwrap();
        assert_eq!(on_disk, good);
        assert!(!String::from_utf8(on_disk).unwrap().contains("hush"));

        let bad = [
            (b"garbage".to_vec(), None, "not what its topic promises"),
            (message(&keeper, 6, &INVENTORY.replace("192.0.2.1", "192.0.2"), SECRETS), Some(6), "address"),
            (message(&keeper, 7, &INVENTORY.replace("murazzano", "bossolasco"), SECRETS), Some(7), "bossolasco"),
            (message(&keeper, 8, INVENTORY, "{}"), Some(8), "radios.community"),
            (message(&keeper, 9, INVENTORY, "[]"), Some(9), "sealed"),
        ];
        for (payload, revision, reason) in bad {
            assert!(keeper.hear(&payload).is_none());
            let state = keeper.state();
            let refused = state.refused.unwrap();
            assert_eq!((state.revision, refused.revision), (Some(5), revision), "{reason}");
            assert!(refused.reason.contains(reason) && !refused.reason.contains("hush"), "{}", refused.reason);
        }
        let (mut keeper, plan) = Keeper::open(ground(), dir.path()).unwrap();
        assert_eq!((plan.unwrap().devices.len(), keeper.state().revision), (1, Some(5)));
        assert!(keeper.hear(&message(&keeper, 3, INVENTORY, SECRETS)).is_some(), "the hub decides, not the number");
        assert_eq!(keeper.state().refused, None);
    }

    #[test]
    fn a_damaged_file_is_reported_and_the_hub_repairs_it() {
        let dir = tempfile::tempdir().unwrap();
        let (mut keeper, _) = Keeper::open(ground(), dir.path()).unwrap();
        let good = message(&keeper, 5, INVENTORY, SECRETS);
        keeper.hear(&good).unwrap();
        for n in 0..good.len() {
            std::fs::write(dir.path().join(CACHE_FILE), &good[..n]).unwrap();
            let (cut, plan) = Keeper::open(ground(), dir.path()).unwrap();
            assert!(plan.is_none() && cut.state().refused.is_some(), "{n}");
        }
        let (mut keeper, _) = Keeper::open(ground(), dir.path()).unwrap();
        assert!(keeper.hear(&good).is_some());
    }

    #[test]
    fn a_part_cannot_ask_for_secrets_of_this_machine() {
        let dir = tempfile::tempdir().unwrap();
        let (mut keeper, _) = Keeper::open(ground(), dir.path()).unwrap();
        let greedy = INVENTORY.replace("version = \"v2c\"", "version = \"v2c\"\ncommunity_env = \"HOME\"");
        assert!(keeper.hear(&message(&keeper, 1, &greedy, "{}")).is_none());
        assert!(keeper.state().refused.unwrap().reason.contains("radios.community"));
    }
}
