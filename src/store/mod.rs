//! The hub's memory: the ledger (durable, embedded), and the sinks that follow it.

pub mod influx;
pub mod ledger;
pub mod rollup;

use uuid::Uuid;

use crate::model::{MonoMillis, SiteId, UnixMillis};
use crate::wire::batch::ClockQuality;
use crate::wire::ranges::RangeSet;

/// A batch as it arrived, after the wire layer has checked its checksum and parsed it once.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomingBatch {
    pub agent: SiteId,
    pub epoch: u64,
    pub seq: u64,
    /// CRC-32 of the unpacked payload, as the agent computed it.
    pub crc: u32,
    pub received_at: UnixMillis,
    pub sent_at: UnixMillis,
    /// Number of lines in the payload.
    pub n_samples: u32,
    /// Line protocol, gzip-packed.
    pub packed: Vec<u8>,
    /// Told when the batch is stored; not kept as such.
    pub origin: BatchOrigin,
}

/// What an agent says of a batch besides its key; see `wire::batch`. The default says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchOrigin {
    /// The run of the agent that made it, and that run's monotonic clock at that moment.
    pub boot: u64,
    pub mono_ms: MonoMillis,
    /// The agent's wall clock at that moment, and what it knew of it.
    pub made_at: Option<UnixMillis>,
    pub clock: ClockQuality,
    /// The first send of a batch just made.
    pub fresh: bool,
    /// The oldest number of the epoch that the agent still holds; 0: it does not say.
    pub first: u64,
}

/// What became of a batch that was handed to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// New, and durable now.
    Stored,
    /// The same key with the same checksum was stored before: nothing changed.
    Duplicate,
    /// The same key with another checksum: two agents use one name. The first one stays.
    Conflict,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("ledger {path}")]
    Open { path: std::path::PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("ledger {path} has format {found}; this version reads {wanted}: it was written by a newer vedetta")]
    Format { path: std::path::PathBuf, found: i64, wanted: i64 },
    #[error("ledger: {step}")]
    Database { step: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
}

/// Epochs of one agent that matter: the current one, and some for what arrives late.
pub const EPOCHS_MAX: usize = 4;

/// Where batches become durable. Calls block: use a blocking task.
pub trait BatchStore: Send + Sync {
    /// Changes only when the ledger is a new one, or an old copy put back: agents then send everything that they still hold.
    fn ledger_id(&self) -> Uuid;

    /// Stores all in one transaction, durable on return; one outcome for each batch, in order.
    fn store(&self, batches: &[IncomingBatch]) -> Result<Vec<StoreOutcome>, StoreError>;

    /// Of each agent: its newest epochs, at most [`EPOCHS_MAX`], and the sequence numbers of them that are stored. Those of
    /// one agent follow each other, the newest last.
    fn stored_ranges(&self) -> Result<Vec<(SiteId, u64, RangeSet)>, StoreError>;

    /// Keeps messages that did not parse, for a person to look at; bounded, the oldest go first. One transaction.
    fn set_aside(&self, messages: &[SetAside]) -> Result<(), StoreError>;
}

/// A message that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    pub at: UnixMillis,
    pub agent: String,
    pub reason: String,
    /// What is kept of it: its beginning.
    pub payload: Vec<u8>,
}

/// A small JSON text that the hub keeps: incidents, mails, the state of its decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub kind: String,
    pub key: String,
    pub body: String,
}

/// Where documents are kept. Calls block.
pub trait DocumentStore: Send + Sync {
    /// Writes all or none, durable on return; an empty body removes the document.
    fn put_documents(&self, documents: &[Document]) -> Result<(), StoreError>;

    /// All of one kind, in order of key.
    fn documents(&self, kind: &str) -> Result<Vec<Document>, StoreError>;
}
