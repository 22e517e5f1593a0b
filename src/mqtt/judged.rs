//! What the inbox finds out about a message before and while it is stored.

use super::client::Message;
use super::inbox::Parse;
use crate::model::{SiteId, UnixMillis};
use crate::store::{BatchOrigin, BatchStore, IncomingBatch, StoreError, StoreOutcome};
use crate::wire::batch::{BatchHeader, Encoding, gzip, unpack};

/// A message on `<agent>/data` of an agent that is known.
pub struct Arrived {
    pub agent: SiteId,
    pub received_at: UnixMillis,
    pub message: Message,
}

/// An arrived message after its bytes were looked at.
pub struct Judged {
    pub arrived: Arrived,
    /// `None`: it has no usable description.
    pub header: Option<BatchHeader>,
    /// Unpacked; empty if it did not parse.
    pub payload: Vec<u8>,
    pub n_samples: u32,
    /// Why it is set aside.
    pub fault: Option<String>,
    pub outcome: Option<StoreOutcome>,
}

/// Reads a message's description, unpacks it, and parses it once.
pub fn judge(arrived: Arrived, parse: &Parse) -> Judged {
    let header = BatchHeader::parse(arrived.message.user_properties());
    let content = header.as_ref().map_err(ToString::to_string).and_then(|header| {
        let payload = unpack(header.encoding, arrived.message.payload(), header.crc).map_err(|e| e.to_string())?;
        let n_samples = parse(&payload)?;
        Ok((payload, n_samples))
    });
    let (payload, n_samples, fault) = match content {
        Ok((payload, n_samples)) => (payload, n_samples, None),
        Err(fault) => (Vec::new(), 0, Some(fault)),
    };
    Judged { arrived, header: header.ok(), payload, n_samples, fault, outcome: None }
}

/// One transaction for all that have a key.
pub fn store_all(store: &dyn BatchStore, judged: &mut [Judged]) -> Result<(), StoreError> {
    let batches: Vec<IncomingBatch> = judged.iter().filter_map(incoming).collect();
    if batches.is_empty() {
        return Ok(());
    }
    let outcomes = store.store(&batches)?;
    let with_key = judged.iter_mut().filter(|one| one.header.is_some());
    for (one, outcome) in with_key.zip(outcomes) {
        one.outcome = Some(outcome);
    }
    Ok(())
}

fn incoming(one: &Judged) -> Option<IncomingBatch> {
    let header = one.header.as_ref()?;
    let packed = match header.encoding {
        Encoding::Gzip if one.fault.is_none() => one.arrived.message.payload().to_vec(),
        _ => gzip(&one.payload),
    };
    Some(IncomingBatch {
        agent: one.arrived.agent.clone(),
        epoch: header.epoch,
        seq: header.seq,
        crc: header.crc,
        received_at: one.arrived.received_at,
        sent_at: header.sent_at,
        n_samples: one.n_samples,
        packed,
        origin: BatchOrigin {
            boot: header.boot,
            mono_ms: header.mono_ms,
            made_at: header.made_at,
            clock: header.clock,
            fresh: header.fresh,
            first: header.first,
        },
    })
}
