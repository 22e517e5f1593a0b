//! Which batch an agent sends next. `[P]`
//!
//! The agent's half of the delivery protocol as a state machine; the spool knows what is held, the hub says what is
//! stored, and this decides what goes over the wire, and when again.
//!
//! * Nothing is sent unless the agent is connected and the hub present: a broker keeps nothing for a hub that is away.
//! * At most [`WINDOW`] batches are under way, sent and not known to be stored. The broker's acknowledgement plays no
//!   part in that.
//! * Fresh batches go first, and [`FRESH_RESERVE`] places of the window are theirs; the backlog follows in order, within
//!   a rate.
//! * A new connection of this agent, another boot of the hub, or a new connection of it (another `session`) makes
//!   everything under way unsent: it may have reached nobody.
//! * What is not stored [`RESEND_AFTER`] after it was sent goes again, then after twice that, up to [`RESEND_MAX`].
//! * What this run of the agent made and never sent, no hub can have stored: if it says so, another agent has this
//!   one's name and epoch, and the batch is sent none the less, for the hub to see the conflict.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use uuid::Uuid;

use crate::model::MonoMillis;
use crate::wire::ranges::RangeSet;

/// Most batches under way: two megabytes at the most, on a broker that may have little memory.
pub const WINDOW: usize = 32;
/// Places of the window that the backlog leaves free.
pub const FRESH_RESERVE: usize = 8;
/// Fresh batches waiting for the window to open; older ones join the backlog.
const FRESH_WAITING_MAX: usize = WINDOW;
pub const RESEND_AFTER: Duration = Duration::from_mins(1);
pub const RESEND_MAX: Duration = Duration::from_mins(16);
/// The backlog leaves a thin radio link to the people who live behind it.
pub const BACKLOG_BITS_PER_SECOND: u64 = 100_000;
/// What the backlog may send at once after a pause, bytes: a second's worth. A larger batch goes whole, and the next one
/// waits for it.
const BACKLOG_BURST: i64 = BACKLOG_BITS_PER_SECOND as i64 / 8;

/// Why a batch is sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Send {
    /// First copy of a batch just made.
    Fresh(u64),
    /// Backlog, or a repeat.
    Again(u64),
}

impl Send {
    pub fn seq(self) -> u64 {
        match self {
            Self::Fresh(seq) | Self::Again(seq) => seq,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Flight {
    resend_at: MonoMillis,
    pause: Duration,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Inflight {
    connected: bool,
    /// Boot and session of the hub that is present.
    hub: Option<(Uuid, u64)>,
    flights: BTreeMap<u64, Flight>,
    fresh: VecDeque<u64>,
    /// The backlog below this was sent to the present hub over the present connection.
    cursor: u64,
    /// Made by this run and never handed to a broker.
    unsent: RangeSet,
    bucket: Bucket,
}

impl Inflight {
    pub fn new(backlog_bits_per_second: u64, now: MonoMillis) -> Self {
        Self {
            connected: false,
            hub: None,
            flights: BTreeMap::new(),
            fresh: VecDeque::new(),
            cursor: 0,
            unsent: RangeSet::new(),
            bucket: Bucket::new(backlog_bits_per_second, now),
        }
    }

    /// A connection to the broker was made. Whether the hub is present is not known until it is heard.
    pub fn connected(&mut self) {
        self.connected = true;
        self.hub = None;
        self.begin_again();
    }

    pub fn disconnected(&mut self) {
        self.connected = false;
        self.hub = None;
        self.begin_again();
    }

    /// The hub's presence was heard; `None`: it is away.
    pub fn hub(&mut self, present: Option<(Uuid, u64)>) {
        if present != self.hub {
            self.hub = present;
            self.begin_again();
        }
    }

    pub fn hub_present(&self) -> bool {
        self.hub.is_some()
    }

    fn begin_again(&mut self) {
        self.flights.clear();
        self.cursor = 0;
        // What waited is not fresh any more by the time that somebody listens.
        self.fresh.clear();
    }

    /// A batch was made durable in the spool.
    pub fn appended(&mut self, seq: u64) {
        self.unsent.insert(seq);
        if !self.may_send() {
            return;
        }
        self.fresh.push_back(seq);
        if self.fresh.len() > FRESH_WAITING_MAX {
            self.fresh.pop_front();
        }
    }

    /// What of the hub's word can be true: all but what was never sent.
    pub fn believable(&self, ranges: &RangeSet) -> RangeSet {
        ranges.subtract(&self.unsent)
    }

    /// The spool has taken the hub's word; `pending` tells whether a number is held and not stored. A ledger that
    /// forgot (`another_ledger`) wants again what was behind the cursor.
    pub fn stored(&mut self, pending: impl Fn(u64) -> bool, another_ledger: bool) {
        self.flights.retain(|seq, _| pending(*seq));
        self.fresh.retain(|seq| pending(*seq));
        if another_ledger {
            self.cursor = 0;
        }
    }

    fn may_send(&self) -> bool {
        self.connected && self.hub.is_some()
    }

    /// Batches under way.
    pub fn under_way(&self) -> usize {
        self.flights.len()
    }

    /// What to send now. `pending_from` gives the smallest number from its argument on that is held and not stored.
    /// The caller says [`Self::sent`] or [`Self::gone`] before it asks again.
    pub fn next(&mut self, now: MonoMillis, pending_from: impl Fn(u64) -> Option<u64>) -> Option<Send> {
        if !self.may_send() {
            return None;
        }
        let is_pending = |seq: u64| pending_from(seq) == Some(seq);
        while let Some(seq) = self.fresh.front().copied() {
            if self.flights.len() >= WINDOW {
                break;
            }
            if is_pending(seq) && !self.flights.contains_key(&seq) {
                return Some(Send::Fresh(seq));
            }
            self.fresh.pop_front();
        }
        self.bucket.fill(now);
        if !self.bucket.is_open() {
            return None;
        }
        let due = self.flights.iter().filter(|(_, f)| f.resend_at <= now).min_by_key(|(_, f)| f.resend_at);
        if let Some(seq) = due.map(|(seq, _)| *seq) {
            if is_pending(seq) {
                return Some(Send::Again(seq));
            }
            self.flights.remove(&seq);
        }
        if self.flights.len() >= WINDOW - FRESH_RESERVE {
            return None;
        }
        self.next_of_backlog(pending_from).map(Send::Again)
    }

    fn next_of_backlog(&mut self, pending_from: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        // Each step passes a batch that is under way or waiting: at most twice the window.
        loop {
            let seq = pending_from(self.cursor)?;
            if !self.flights.contains_key(&seq) && !self.fresh.contains(&seq) {
                return Some(seq);
            }
            self.cursor = seq + 1;
        }
    }

    /// `bytes` go over the wire for it, with everything around the payload.
    pub fn sent(&mut self, what: Send, bytes: usize, now: MonoMillis) {
        let seq = what.seq();
        self.unsent = self.unsent.subtract(&[(seq, seq)].into_iter().collect());
        self.fresh.retain(|s| *s != seq);
        if matches!(what, Send::Again(_)) {
            self.bucket.take(bytes);
        }
        let pause = self.flights.get(&seq).map_or(RESEND_AFTER, |f| (f.pause * 2).min(RESEND_MAX));
        self.flights.insert(seq, Flight { resend_at: now + pause, pause });
    }

    /// The spool does not hold it any more: evicted or damaged.
    pub fn gone(&mut self, seq: u64) {
        self.flights.remove(&seq);
        self.fresh.retain(|s| *s != seq);
        self.unsent = self.unsent.subtract(&[(seq, seq)].into_iter().collect());
    }

    /// The same at another time: `now` becomes 0, and what is due stays due. A search over states meets fewer of them.
    #[cfg(all(test, feature = "hub"))]
    pub(super) fn rebase(&mut self, now: MonoMillis) {
        for flight in self.flights.values_mut() {
            flight.resend_at = MonoMillis(flight.resend_at.0.saturating_sub(now.0));
        }
        self.bucket = Bucket::new(self.bucket.bits_per_second, MonoMillis(0));
    }

    /// When [`Self::next`] may have something new to say without anything having happened.
    pub fn wake_at(&self, now: MonoMillis) -> Option<MonoMillis> {
        if !self.may_send() {
            return None;
        }
        // With the bucket empty nothing is repeated either, before it fills.
        let bucket = self.bucket.opens_at().filter(|at| *at > now);
        bucket.or_else(|| self.flights.values().map(|f| f.resend_at).min())
    }
}

/// A token bucket that may go into debt by one batch: the size of a batch is known only when it has been read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Bucket {
    bits_per_second: u64,
    /// Bits, times 1000: whole numbers, so that many small fills add up to a large one.
    millibits: i64,
    filled_at: MonoMillis,
}

impl Bucket {
    fn new(bits_per_second: u64, now: MonoMillis) -> Self {
        Self { bits_per_second, millibits: BACKLOG_BURST * 8000, filled_at: now }
    }

    fn fill(&mut self, now: MonoMillis) {
        let elapsed = i64::try_from(now.since(self.filled_at).as_millis()).unwrap_or(i64::MAX);
        let rate = i64::try_from(self.bits_per_second).unwrap_or(i64::MAX);
        self.millibits = self.millibits.saturating_add(elapsed.saturating_mul(rate)).min(BACKLOG_BURST * 8000);
        self.filled_at = now.max(self.filled_at);
    }

    fn is_open(&self) -> bool {
        self.millibits > 0
    }

    fn take(&mut self, bytes: usize) {
        self.millibits = self.millibits.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(8000));
    }

    /// When a closed bucket opens.
    fn opens_at(&self) -> Option<MonoMillis> {
        if self.is_open() || self.bits_per_second == 0 {
            return None;
        }
        let missing = self.millibits.unsigned_abs() + 1;
        Some(self.filled_at + Duration::from_millis(missing.div_ceil(self.bits_per_second)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const HUB: (Uuid, u64) = (Uuid::from_u128(1), 1);
    const SIZE: usize = 400;

    /// An agent with a spool of plain numbers.
    struct Agent {
        now: MonoMillis,
        inflight: Inflight,
        held: BTreeSet<u64>,
        next_seq: u64,
    }

    impl Agent {
        fn with_backlog(n: u64) -> Self {
            let now = MonoMillis(0);
            let inflight = Inflight::new(BACKLOG_BITS_PER_SECOND, now);
            Self { now, inflight, held: (1..=n).collect(), next_seq: n + 1 }
        }

        fn online(mut self) -> Self {
            self.inflight.connected();
            self.inflight.hub(Some(HUB));
            self
        }

        fn make(&mut self) -> u64 {
            let seq = self.next_seq;
            self.next_seq += 1;
            self.held.insert(seq);
            self.inflight.appended(seq);
            seq
        }

        fn next(&mut self) -> Option<Send> {
            let held = &self.held;
            self.inflight.next(self.now, |from| held.range(from..).next().copied())
        }

        /// Sends all that may go now.
        fn send(&mut self) -> Vec<Send> {
            let mut sends = Vec::new();
            while let Some(send) = self.next() {
                self.inflight.sent(send, SIZE, self.now);
                sends.push(send);
            }
            sends
        }

        fn stored(&mut self, seqs: &[u64]) {
            for seq in seqs {
                self.held.remove(seq);
            }
            let held = &self.held;
            self.inflight.stored(|seq| held.contains(&seq), false);
        }

        fn pass(&mut self, span: Duration) {
            self.now = self.now + span;
        }
    }

    fn again(seqs: impl IntoIterator<Item = u64>) -> Vec<Send> {
        seqs.into_iter().map(Send::Again).collect()
    }

    #[test]
    fn nothing_goes_before_the_hub_is_there() {
        let mut agent = Agent::with_backlog(3);
        assert_eq!(agent.send(), []);
        agent.inflight.connected();
        agent.make();
        assert_eq!(agent.send(), []);
        agent.inflight.hub(Some(HUB));
        assert_eq!(agent.send(), again(1..=4));
        agent.inflight.hub(None);
        agent.make();
        assert_eq!(agent.send(), []);
    }

    #[test]
    fn fresh_batches_overtake_the_backlog() {
        let mut agent = Agent::with_backlog(100).online();
        assert_eq!(agent.send(), again(1..=24));
        assert_eq!(agent.make(), 101);
        assert_eq!(agent.send(), [Send::Fresh(101)]);
        agent.stored(&[101, 1, 2]);
        assert_eq!(agent.send(), again([25, 26]));
    }

    #[test]
    fn the_window_holds_for_fresh_batches_too_and_none_is_forgotten() {
        let mut agent = Agent::with_backlog(0).online();
        for _ in 0..100 {
            agent.make();
        }
        let sent = agent.send();
        assert_eq!(sent.len(), WINDOW);
        assert!(sent.iter().all(|s| matches!(s, Send::Fresh(_))));
        let mut seen: BTreeSet<u64> = sent.iter().map(|s| s.seq()).collect();
        while !agent.held.is_empty() {
            let under_way: Vec<u64> = agent.inflight.flights.keys().copied().collect();
            agent.stored(&under_way);
            agent.pass(Duration::from_secs(10));
            seen.extend(agent.send().iter().map(|s| s.seq()));
        }
        assert_eq!(seen, (1..=100).collect());
    }

    #[test]
    fn the_backlog_keeps_to_its_rate() {
        let mut agent = Agent::with_backlog(100_000).online();
        let mut bytes = 0;
        for _ in 0..6000 {
            let sent = agent.send();
            bytes += sent.len() * SIZE;
            let seqs: Vec<u64> = sent.iter().map(|s| s.seq()).collect();
            agent.stored(&seqs);
            agent.pass(Duration::from_millis(100));
        }
        // Ten minutes at 100 kbit/s, and the first burst.
        let allowed = 600 * 100_000 / 8 + 12_500 + SIZE;
        assert!(bytes <= allowed && bytes + 20_000 > allowed, "{bytes} of {allowed}");
    }

    #[test]
    fn a_new_connection_a_new_hub_or_a_new_session_begin_again() {
        let mut agent = Agent::with_backlog(3).online();
        assert_eq!(agent.send(), again(1..=3));
        agent.inflight.hub(Some(HUB));
        assert_eq!(agent.send(), []);
        agent.inflight.hub(Some((HUB.0, 2)));
        assert_eq!(agent.send(), again(1..=3));
        agent.inflight.hub(Some((Uuid::from_u128(2), 2)));
        assert_eq!(agent.send(), again(1..=3));
        agent.inflight.disconnected();
        assert_eq!(agent.send(), []);
        agent.inflight.connected();
        assert_eq!(agent.send(), []);
        agent.inflight.hub(Some(HUB));
        assert_eq!(agent.send(), again(1..=3));
        agent.inflight.hub(None);
        agent.inflight.hub(Some(HUB));
        assert_eq!(agent.send(), again(1..=3));
    }

    #[test]
    fn repeats_back_off() {
        let mut agent = Agent::with_backlog(1).online();
        let mut at = Vec::new();
        for second in 0..3600 {
            if !agent.send().is_empty() {
                at.push(second);
            }
            agent.pass(Duration::from_secs(1));
        }
        assert_eq!(at, [0, 60, 180, 420, 900, 1860, 2820]);
    }

    #[test]
    fn wakes_when_a_repeat_is_due_or_the_rate_allows_more() {
        let mut agent = Agent::with_backlog(1);
        assert_eq!(agent.inflight.wake_at(agent.now), None);
        agent = agent.online();
        agent.send();
        assert_eq!(agent.inflight.wake_at(agent.now), Some(MonoMillis(60_000)));
        let mut agent = Agent::with_backlog(10).online();
        let first = agent.next().unwrap();
        // The burst and 12,500 bytes more: a second of debt.
        agent.inflight.sent(first, 25_000, agent.now);
        let wake = agent.inflight.wake_at(agent.now).unwrap();
        assert_eq!(wake, MonoMillis(1001));
        assert_eq!(agent.next(), None);
        agent.now = wake;
        assert_eq!(agent.next(), Some(Send::Again(2)));
    }

    #[test]
    fn what_was_never_sent_cannot_be_stored() {
        let mut agent = Agent::with_backlog(2);
        let mine = agent.make();
        let said: RangeSet = [(1, 9)].into_iter().collect();
        assert_eq!(agent.inflight.believable(&said).ranges(), [(1, 2), (4, 9)]);
        agent = agent.online();
        agent.send();
        assert_eq!(agent.inflight.believable(&said), said);
        assert!(agent.inflight.flights.contains_key(&mine));
    }

    #[test]
    fn a_ledger_that_forgot_is_given_all_again() {
        let mut agent = Agent::with_backlog(2).online();
        agent.send();
        agent.stored(&[1, 2]);
        agent.held.extend([1, 2]);
        let held = agent.held.clone();
        agent.inflight.stored(|seq| held.contains(&seq), true);
        assert_eq!(agent.send(), again([1, 2]));
    }

    #[test]
    fn a_batch_that_is_gone_blocks_nothing() {
        let mut agent = Agent::with_backlog(2).online();
        assert_eq!(agent.next(), Some(Send::Again(1)));
        agent.held.remove(&1);
        agent.inflight.gone(1);
        assert_eq!(agent.send(), again([2]));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Make,
        Wait(u64),
        Connect,
        Disconnect,
        Hub(Option<(u128, u64)>),
        /// The hub stores what reached it, and says so or not.
        HubStores {
            says: bool,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Make),
            4 => (0_u64..200_000).prop_map(Step::Wait),
            1 => Just(Step::Connect),
            1 => Just(Step::Disconnect),
            2 => prop::option::of((0_u128..2, 0_u64..2)).prop_map(Step::Hub),
            3 => any::<bool>().prop_map(|says| Step::HubStores { says }),
        ]
    }

    proptest! {
        /// Whatever happens, in the end everything is delivered, and the window was never exceeded.
        #[test]
        fn everything_arrives_in_the_end(backlog in 0_u64..60, steps in prop::collection::vec(step(), 0..80)) {
            let mut agent = Agent::with_backlog(backlog);
            let mut at_hub = BTreeSet::new();
            let mut stored = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Make => { agent.make(); }
                    Step::Wait(ms) => agent.pass(Duration::from_millis(ms)),
                    Step::Connect => agent.inflight.connected(),
                    Step::Disconnect => agent.inflight.disconnected(),
                    Step::Hub(hub) => agent.inflight.hub(hub.map(|(boot, session)| (Uuid::from_u128(boot), session))),
                    Step::HubStores { says } => {
                        stored.append(&mut at_hub);
                        if says {
                            let seqs: Vec<u64> = stored.iter().copied().collect();
                            agent.stored(&seqs);
                        }
                    }
                }
                let sent = agent.send();
                prop_assert!(agent.inflight.under_way() <= WINDOW);
                // What is sent while the hub is there may or may not arrive.
                at_hub.extend(sent.iter().map(|s| s.seq()).filter(|s| s % 3 != 0));
            }
            agent.inflight.connected();
            agent.inflight.hub(Some((Uuid::from_u128(9), 9)));
            for _ in 0..1000 {
                let seqs: Vec<u64> = agent.send().iter().map(|s| s.seq()).collect();
                agent.stored(&seqs);
                if agent.held.is_empty() {
                    break;
                }
                agent.pass(Duration::from_secs(1));
            }
            prop_assert!(agent.held.is_empty(), "left: {:?}", agent.held);
        }
    }
}
