//! A ledger in memory, durable as long as the test runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use uuid::Uuid;
use vedetta::model::SiteId;
use vedetta::store::{BatchStore, Document, DocumentStore, IncomingBatch, SetAside, StoreError, StoreOutcome};
use vedetta::wire::batch::{Encoding, unpack};
use vedetta::wire::ranges::RangeSet;

/// See the module.
#[derive(Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    ledger: Uuid,
    batches: BTreeMap<(String, u64, u64), IncomingBatch>,
    /// In order of first appearance.
    epochs: Vec<(String, u64)>,
    documents: BTreeMap<(String, String), String>,
    set_aside: Vec<(String, String)>,
    fails: bool,
    /// Commits, and then does not say so: as a hub that dies in between.
    mute: bool,
}

impl MemoryStore {
    pub fn new() -> Arc<Self> {
        let store = Self::default();
        store.inner.lock().unwrap().ledger = Uuid::new_v4();
        Arc::new(store)
    }

    /// Every payload stored, in no order; one stored twice is there twice.
    pub fn payloads(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap();
        let text = |b: &IncomingBatch| unpack(Encoding::Gzip, &b.packed, crc_of(&b.packed)).unwrap();
        inner.batches.values().map(|b| String::from_utf8(text(b)).unwrap()).collect()
    }

    pub fn len(&self) -> usize {
        self.inner.lock().unwrap().batches.len()
    }

    pub fn set_aside(&self) -> Vec<(String, String)> {
        self.inner.lock().unwrap().set_aside.clone()
    }

    pub fn fail(&self, fails: bool) {
        self.inner.lock().unwrap().fails = fails;
    }

    pub fn mute(&self, mute: bool) {
        self.inner.lock().unwrap().mute = mute;
    }

    /// A new disk.
    pub fn replace(&self) {
        let mut inner = self.inner.lock().unwrap();
        *inner = Inner { ledger: Uuid::new_v4(), ..Inner::default() };
    }
}

/// The store is given packed bytes whose unpacked checksum it knows; a rejected batch has another one.
fn crc_of(packed: &[u8]) -> u32 {
    use std::io::Read;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    crc32fast::hash(&bytes)
}

impl BatchStore for MemoryStore {
    fn ledger_id(&self) -> Uuid {
        self.inner.lock().unwrap().ledger
    }

    fn store(&self, batches: &[IncomingBatch]) -> Result<Vec<StoreOutcome>, StoreError> {
        let mut inner = self.inner.lock().unwrap();
        if inner.fails {
            return Err(StoreError::Database { step: "commit", source: "disk full".into() });
        }
        let outcome = |batch: &IncomingBatch| {
            let key = (batch.agent.to_string(), batch.epoch, batch.seq);
            match inner.batches.get(&key) {
                Some(known) if known.crc == batch.crc => StoreOutcome::Duplicate,
                Some(_) => StoreOutcome::Conflict,
                None => {
                    let epoch = (batch.agent.to_string(), batch.epoch);
                    if !inner.epochs.contains(&epoch) {
                        inner.epochs.push(epoch);
                    }
                    inner.batches.insert(key, batch.clone());
                    StoreOutcome::Stored
                }
            }
        };
        let outcomes = batches.iter().map(outcome).collect();
        if inner.mute {
            return Err(StoreError::Database { step: "commit", source: "no answer".into() });
        }
        Ok(outcomes)
    }

    fn stored_ranges(&self) -> Result<Vec<(SiteId, u64, RangeSet)>, StoreError> {
        let inner = self.inner.lock().unwrap();
        let ranges = |agent: &str, epoch: u64| {
            inner.batches.keys().filter(|(a, e, _)| a == agent && *e == epoch).map(|(_, _, seq)| *seq).collect()
        };
        let mut epochs = inner.epochs.clone();
        // Stable: the newest of each agent stays the last.
        epochs.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(epochs
            .into_iter()
            .map(|(agent, epoch)| (SiteId::parse(&agent).unwrap(), epoch, ranges(&agent, epoch)))
            .collect())
    }

    fn set_aside(&self, messages: &[SetAside]) -> Result<(), StoreError> {
        let texts = messages.iter().map(|m| (m.agent.clone(), m.reason.clone()));
        self.inner.lock().unwrap().set_aside.extend(texts);
        Ok(())
    }
}

impl DocumentStore for MemoryStore {
    fn put_documents(&self, documents: &[Document]) -> Result<(), StoreError> {
        let kept = &mut self.inner.lock().unwrap().documents;
        for document in documents {
            let key = (document.kind.clone(), document.key.clone());
            if document.body.is_empty() {
                kept.remove(&key);
            } else {
                kept.insert(key, document.body.clone());
            }
        }
        Ok(())
    }

    fn documents(&self, kind: &str) -> Result<Vec<Document>, StoreError> {
        let kept = &self.inner.lock().unwrap().documents;
        let of_kind = kept.iter().filter(|((k, _), _)| k == kind);
        Ok(of_kind
            .map(|((kind, key), body)| Document { kind: kind.clone(), key: key.clone(), body: body.clone() })
            .collect())
    }
}
