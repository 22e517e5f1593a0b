//! What a spool knows of its batches: which it holds, which the hub says that it has stored. `[P]`
//!
//! The agent's durable half of the delivery protocol; what goes over the wire, and when, is decided in
//! `mqtt/inflight.rs`.

use std::collections::VecDeque;

use uuid::Uuid;

use crate::wire::ranges::RangeSet;

/// Where a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    pub seq: u64,
    pub segment: u32,
    pub offset: u32,
    pub len: u32,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Book {
    pub epoch: u64,
    /// The number that the next batch gets.
    pub next_seq: u64,
    /// The ledger that `stored` speaks of.
    pub ledger: Option<Uuid>,
    pub stored: RangeSet,
    /// Ascending by number; those of one segment lie together.
    pub entries: VecDeque<Entry>,
}

impl Book {
    /// An epoch in which no number was given.
    pub fn new(epoch: u64, ledger: Option<Uuid>) -> Self {
        Self { epoch, next_seq: 1, ledger, stored: RangeSet::new(), entries: VecDeque::new() }
    }

    /// The oldest number that is held and not known to be stored; the next one to be given if there is none.
    pub fn first(&self) -> u64 {
        self.pending_from(0).unwrap_or(self.next_seq)
    }

    /// Batches held and not known to be stored.
    pub fn pending(&self) -> u64 {
        let below = |seq: u64| self.entries.partition_point(|e| e.seq < seq);
        let stored: usize =
            self.stored.ranges().iter().map(|&(a, b)| below(b.saturating_add(1)).saturating_sub(below(a))).sum();
        (self.entries.len() - stored) as u64
    }

    /// The smallest number from `seq` on that is held and not known to be stored.
    pub fn pending_from(&self, seq: u64) -> Option<u64> {
        let mut from = seq;
        loop {
            let at = self.entries.partition_point(|e| e.seq < from);
            let held = self.entries.get(at)?.seq;
            let absent = self.stored.first_absent(held)?;
            if absent == held {
                return Some(held);
            }
            from = absent;
        }
    }

    /// Every number of this epoch that was given is known to be stored: nothing is left to send, and no loss to be
    /// proved. Only then may another epoch begin: the hub learns of what was given up from the `first` of a later batch
    /// of the same epoch.
    pub fn is_over(&self) -> bool {
        self.stored.first_absent(1).is_none_or(|absent| absent >= self.next_seq)
    }

    /// Takes the hub's word for what is stored in this epoch. Another ledger clears what an earlier one said: then all
    /// that is held is to be sent again. `true` if anything changed.
    pub fn hear(&mut self, ledger: Uuid, ranges: &RangeSet) -> bool {
        let mut stored = if self.ledger == Some(ledger) { self.stored.clone() } else { RangeSet::new() };
        // No hub knows what has no number yet.
        stored.union(&ranges.intersect_below(self.next_seq).intersect_from(1));
        let changed = self.ledger != Some(ledger) || stored != self.stored;
        self.stored = stored;
        self.ledger = Some(ledger);
        changed
    }
}
