//! What the hub knows of one agent's deliveries. `[P]`

use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;

use crate::model::view::{AgentView, PartView};
use crate::model::{SiteId, UnixMillis};
use crate::store::{EPOCHS_MAX, StoreOutcome};
use crate::wire::batch::BatchHeader;
use crate::wire::ranges::{RANGES_SENT_MAX, RangeSet};
use crate::wire::state::{AgentState, Stored};

/// Ranges remembered of one epoch, in a process: one megabyte. Beyond that the lowest are forgotten; the ledger still
/// knows what is a repeat.
const RANGES_MAX: usize = 65_536;
/// Over how long the smallest delay is taken: DESIGN's ten minutes, minute by minute.
const CLOCK_WINDOW_MINUTES: i64 = 10;
/// Runs of an agent that are remembered: as many machines may write under one name and still be told apart.
const RUNS_MAX: usize = 8;
/// A run that has ended does not come back. One late message may seem so; that it happens twice within this is proof.
const RUNS_WINDOW: Duration = Duration::from_hours(1);

#[derive(Debug, Clone, Default, Hash)]
struct Epoch {
    number: u64,
    stored: RangeSet,
    /// The highest `first` that the agent gave; 0: it gave none since the hub started.
    first: u64,
    /// More of it is stored than is remembered here: what is lost of it, only the ledger knows.
    in_part: bool,
}

impl Epoch {
    /// Numbers that the agent does not hold any more and the hub never stored. In an epoch that is over it holds none.
    fn lost(&self, over: bool) -> u64 {
        self.lost_numbers(over).len()
    }

    fn lost_numbers(&self, over: bool) -> RangeSet {
        if self.in_part {
            return RangeSet::new();
        }
        let end = if over { self.stored.last().map_or(0, |last| last.saturating_add(1)) } else { 0 };
        let mut below = RangeSet::new();
        below.insert_range(1, self.first.max(end).saturating_sub(1));
        below.subtract(&self.stored)
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Track {
    view: AgentView,
    /// The current one last.
    epochs: VecDeque<Epoch>,
    /// Lost in epochs that are not remembered any more.
    lost_before: u64,
    conflicts: u64,
    runs: Runs,
    delays: Delays,
    last_received: UnixMillis,
}

impl Track {
    /// `stored` is what the ledger says: the newest epochs, the current one last, and what is stored of them.
    pub fn new(site: SiteId, stored: Vec<(u64, RangeSet)>) -> Self {
        let forgotten = stored.len().saturating_sub(EPOCHS_MAX);
        let known = |(number, stored)| Epoch { number, stored, ..Epoch::default() };
        let mut track = Self {
            view: AgentView {
                site,
                online: None,
                version: None,
                last_batch_at: None,
                received_batches: 0,
                duplicate_batches: 0,
                lost_batches: 0,
                rejected_batches: 0,
                throttled_messages: 0,
                backlog_batches: None,
                samples: 0,
                clock_error_ms: None,
                part: PartView::default(),
                certificate_expires_at: None,
                cloned_at: None,
            },
            epochs: stored.into_iter().skip(forgotten).map(known).collect(),
            lost_before: 0,
            conflicts: 0,
            runs: Runs::default(),
            delays: Delays::default(),
            last_received: UnixMillis(0),
        };
        // An earlier run has reported it.
        track.view.lost_batches = track.sum_lost();
        track
    }

    pub fn view(&self) -> &AgentView {
        &self.view
    }

    /// Batches whose key another batch has: two agents use one name.
    pub fn conflicts(&self) -> u64 {
        self.conflicts
    }

    /// A batch was stored, or found to be stored before.
    pub fn outcome(&mut self, header: &BatchHeader, outcome: StoreOutcome, n_samples: u32, received_at: UnixMillis) {
        self.received(received_at);
        match outcome {
            StoreOutcome::Stored => {
                self.view.samples += u64::from(n_samples);
                if header.fresh {
                    if self.runs.came_back(header.boot, received_at) {
                        self.view.cloned_at = Some(received_at);
                    }
                    self.delays.see(received_at, header.sent_at);
                    self.view.clock_error_ms = self.delays.clock_error_ms();
                }
            }
            StoreOutcome::Duplicate => self.view.duplicate_batches += 1,
            StoreOutcome::Conflict => {
                self.conflicts += 1;
                self.view.cloned_at = Some(received_at);
            }
        }
        self.last_received = self.last_received.max(received_at);
        self.make_current(header.epoch, outcome);
        if let Some(epoch) = self.epochs.back_mut() {
            if outcome != StoreOutcome::Conflict {
                // What another agent holds says nothing of this one.
                epoch.first = epoch.first.max(header.first);
            }
            epoch.stored.insert(header.seq);
            epoch.stored.keep_highest(RANGES_MAX);
        }
        self.count_lost();
    }

    /// A message without a usable description was set aside.
    pub fn malformed(&mut self, received_at: UnixMillis) {
        self.received(received_at);
        self.view.rejected_batches += 1;
    }

    /// A message was above what is taken from one agent; says whether it is the first.
    pub fn throttled(&mut self) -> bool {
        self.view.throttled_messages += 1;
        self.view.throttled_messages == 1
    }

    /// The batch of an [`Self::outcome`] did not parse.
    pub fn rejected(&mut self) {
        self.view.rejected_batches += 1;
    }

    fn received(&mut self, at: UnixMillis) {
        self.view.received_batches += 1;
        self.view.last_batch_at = Some(at);
    }

    fn make_current(&mut self, epoch: u64, outcome: StoreOutcome) {
        if let Some(at) = self.epochs.iter().position(|e| e.number == epoch) {
            if at + 1 < self.epochs.len() {
                // An epoch does not come back: this is a clone, or a message that was long under way.
                self.epochs.remove(at).into_iter().for_each(|e| self.epochs.push_back(e));
            }
            return;
        }
        // One that is not remembered, and the ledger knows the number: it is long over, and the rest of it is stored.
        let in_part = outcome != StoreOutcome::Stored;
        self.epochs.push_back(Epoch { number: epoch, in_part, ..Epoch::default() });
        if self.epochs.len() > EPOCHS_MAX {
            let lost = self.epochs.pop_front().map_or(0, |e| e.lost(true));
            self.lost_before = self.lost_before.saturating_add(lost);
        }
    }

    fn sum_lost(&self) -> u64 {
        let current = self.epochs.len().saturating_sub(1);
        let each = self.epochs.iter().enumerate().map(|(at, e)| e.lost(at != current));
        each.fold(self.lost_before, u64::saturating_add)
    }

    fn count_lost(&mut self) {
        let lost = self.sum_lost();
        if lost > self.view.lost_batches {
            tracing::error!(
                agent = %self.view.site,
                batches = lost - self.view.lost_batches,
                total = lost,
                "batches are lost: the agent does not hold them any more and they were never stored"
            );
        }
        self.view.lost_batches = lost;
    }

    pub fn state(&mut self, state: &AgentState) {
        self.view.online = Some(state.online);
        self.view.version = Some(state.version.chars().take(40).collect());
        if state.online {
            self.view.certificate_expires_at = state.certificate_expires_at;
        }
        if let Some(spool) = state.spool {
            self.view.backlog_batches = Some(spool.batches);
        }
    }

    /// Numbers that are proved to be lost, of each epoch that is remembered; the current one last.
    #[cfg(test)]
    pub(super) fn lost(&self) -> Vec<(u64, RangeSet)> {
        let current = self.epochs.len().saturating_sub(1);
        self.epochs.iter().enumerate().map(|(at, e)| (e.number, e.lost_numbers(at != current))).collect()
    }

    /// All that later answers depend on, but for figures of the view.
    #[cfg(test)]
    pub(super) fn hash_knowledge(&self, hasher: &mut impl std::hash::Hasher) {
        std::hash::Hash::hash(&(&self.epochs, self.lost_before), hasher);
    }

    /// What to tell the agent: of the epoch that it used last.
    pub fn stored(&self, ledger: Uuid) -> Option<Stored> {
        let epoch = self.epochs.back()?;
        let mut ranges = epoch.stored.clone();
        if ranges.ranges().len() > RANGES_SENT_MAX {
            // The agent frees its spool from the oldest batch on, so the lowest ranges that it can use are the ones.
            ranges = ranges.intersect_from(epoch.first).lowest(RANGES_SENT_MAX);
        }
        Some(Stored { ledger, epoch: epoch.number, ranges, received_at: self.last_received, boot: None })
    }
}

/// The runs of an agent, by their live batches: two machines under one name take turns.
#[derive(Debug, Clone, Default)]
struct Runs {
    /// The latest last.
    known: VecDeque<u64>,
    returned_at: Option<UnixMillis>,
}

impl Runs {
    /// Notes a live batch of a run. True if runs that had ended have come back twice within [`RUNS_WINDOW`].
    fn came_back(&mut self, boot: u64, at: UnixMillis) -> bool {
        if self.known.back() == Some(&boot) {
            return false;
        }
        let back = self.known.iter().position(|known| *known == boot).map(|place| self.known.remove(place)).is_some();
        self.known.push_back(boot);
        if self.known.len() > RUNS_MAX {
            self.known.pop_front();
        }
        let before = if back { self.returned_at.replace(at) } else { None };
        before.is_some_and(|before| at.since(before) < RUNS_WINDOW)
    }
}

/// Smallest received − sent of each of the last minutes: network delay less the agent's clock error, and the delay is
/// never negative.
#[derive(Debug, Clone, Default)]
struct Delays {
    /// Minute of arrival by the hub's clock, and smallest difference in ms.
    minutes: VecDeque<(i64, i64)>,
}

impl Delays {
    fn see(&mut self, received_at: UnixMillis, sent_at: UnixMillis) {
        let minute = received_at.0.div_euclid(Duration::from_mins(1).as_millis() as i64);
        let delay = received_at.0.saturating_sub(sent_at.0);
        // A hub clock that was set back begins anew.
        self.minutes.retain(|(m, _)| *m <= minute && *m > minute - CLOCK_WINDOW_MINUTES);
        match self.minutes.back_mut() {
            Some((m, smallest)) if *m == minute => *smallest = delay.min(*smallest),
            _ => self.minutes.push_back((minute, delay)),
        }
    }

    /// Agent clock minus hub clock, less the smallest delay.
    fn clock_error_ms(&self) -> Option<i64> {
        self.minutes.iter().map(|(_, delay)| delay.saturating_neg()).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MonoMillis;
    use crate::wire::batch::{ClockQuality, Encoding};

    const LEDGER: Uuid = Uuid::from_u128(1);

    #[test]
    fn two_machines_that_take_turns_are_found_and_a_restart_is_none() {
        let mut runs = Runs::default();
        let mut hear = |boot: u64, minute: i64| runs.came_back(boot, UnixMillis(minute * 60_000));
        // Restarts, one late message, and nothing for more than an hour.
        assert_eq!([hear(1, 0), hear(1, 1), hear(2, 2), hear(1, 3), hear(2, 100)], [false; 5]);
        assert!(hear(1, 101) && hear(2, 102));
        for boot in 10..30 {
            assert!(!hear(boot, 103), "each start is new");
        }
        assert!(runs.known.len() <= RUNS_MAX);
    }

    #[test]
    fn a_key_that_comes_twice_with_other_content_is_proof_of_a_clone() {
        let mut track = track();
        track.outcome(&header(7, 1, 1), StoreOutcome::Stored, 1, UnixMillis(1000));
        assert_eq!(track.view().cloned_at, None);
        track.outcome(&header(7, 1, 1), StoreOutcome::Conflict, 1, UnixMillis(2000));
        assert_eq!(track.view().cloned_at, Some(UnixMillis(2000)));
    }

    fn track() -> Track {
        Track::new(SiteId::parse("murazzano").unwrap(), Vec::new())
    }

    fn header(epoch: u64, seq: u64, first: u64) -> BatchHeader {
        BatchHeader {
            epoch,
            seq,
            first,
            boot: 1,
            mono_ms: MonoMillis(0),
            made_at: None,
            sent_at: UnixMillis(0),
            clock: ClockQuality::Set,
            fresh: true,
            encoding: Encoding::Gzip,
            crc: 0,
        }
    }

    fn store(track: &mut Track, epoch: u64, seq: u64, first: u64) {
        track.outcome(&header(epoch, seq, first), StoreOutcome::Stored, 10, UnixMillis(1));
    }

    #[test]
    fn stored_ranges_are_of_the_current_epoch() {
        let mut track = track();
        assert_eq!(track.stored(LEDGER), None);
        store(&mut track, 7, 1, 1);
        store(&mut track, 7, 9, 1);
        track.outcome(&header(7, 2, 1), StoreOutcome::Duplicate, 10, UnixMillis(1));
        let stored = track.stored(LEDGER).unwrap();
        assert_eq!((stored.epoch, stored.ranges.ranges()), (7, &[(1, 2), (9, 9)][..]));
        store(&mut track, 8, 1, 1);
        assert_eq!(track.stored(LEDGER).unwrap().ranges.ranges(), [(1, 1)]);
        assert_eq!((track.view().samples, track.view().duplicate_batches), (30, 1));
    }

    #[test]
    fn what_the_ledger_says_is_the_beginning() {
        let known = [(1, 5)].into_iter().collect();
        let mut track = Track::new(SiteId::parse("murazzano").unwrap(), vec![(7, known)]);
        assert_eq!(track.stored(LEDGER).unwrap().ranges.ranges(), [(1, 5)]);
        store(&mut track, 7, 6, 6);
        assert_eq!((track.view().lost_batches, track.stored(LEDGER).unwrap().ranges.len()), (0, 6));
    }

    #[test]
    fn a_late_batch_of_an_epoch_before_the_restart_is_no_loss() {
        let known = |ranges: &[(u64, u64)]| ranges.iter().copied().collect::<RangeSet>();
        let epochs = vec![(6, known(&[(1, 9)])), (7, known(&[(1, 2), (4, 5)])), (8, known(&[(1, 3)]))];
        let mut track = Track::new(SiteId::parse("murazzano").unwrap(), epochs);
        // Number 3 of epoch 7 is lost, and stays so.
        assert_eq!(track.view().lost_batches, 1);
        let mut late = |epoch, seq, outcome, expected| {
            track.outcome(&header(epoch, seq, seq), outcome, 10, UnixMillis(1));
            assert_eq!(track.view().lost_batches, expected, "{epoch} {seq} {outcome:?}");
        };
        late(6, 9, StoreOutcome::Duplicate, 1);
        late(8, 4, StoreOutcome::Stored, 1);
        // Older than what is remembered: the ledger has it, and knows what is lost of it.
        late(2, 5, StoreOutcome::Duplicate, 1);
        late(8, 5, StoreOutcome::Stored, 1);
        // A late one that was never stored, in a ledger put back from a backup.
        late(7, 3, StoreOutcome::Stored, 0);
        late(8, 7, StoreOutcome::Stored, 1);
        // Another agent of this name holds nothing from 20 on: that is no word of this one.
        late(8, 20, StoreOutcome::Conflict, 1);
    }

    #[test]
    fn loss_is_what_is_below_first_and_not_stored() {
        let mut track = track();
        store(&mut track, 7, 1, 1);
        store(&mut track, 7, 10, 2);
        assert_eq!(track.view().lost_batches, 0);
        store(&mut track, 7, 11, 5);
        assert_eq!(track.view().lost_batches, 3);
        // An older message cannot take it back.
        store(&mut track, 7, 12, 2);
        assert_eq!(track.view().lost_batches, 3);
        // A new epoch means that the agent holds nothing of the old one: 5 to 9 are lost as well.
        store(&mut track, 8, 1, 1);
        assert_eq!(track.view().lost_batches, 8);
    }

    #[test]
    fn a_hostile_first_or_many_epochs_do_no_harm() {
        let mut track = track();
        store(&mut track, 1, u64::MAX, u64::MAX);
        assert_eq!(track.view().lost_batches, u64::MAX - 1);
        store(&mut track, 2, u64::MAX, u64::MAX);
        assert_eq!(track.view().lost_batches, u64::MAX);
        let mut track = self::track();
        for epoch in 0..100 {
            store(&mut track, epoch, 3, 3);
        }
        assert_eq!(track.epochs.len(), EPOCHS_MAX);
        assert_eq!(track.view().lost_batches, 200);
    }

    #[test]
    fn a_clone_shows_as_conflict_and_is_answered() {
        let mut track = track();
        store(&mut track, 7, 1, 1);
        track.outcome(&header(7, 1, 1), StoreOutcome::Conflict, 10, UnixMillis(1));
        assert_eq!((track.conflicts(), track.view().samples), (1, 10));
        store(&mut track, 8, 1, 1);
        store(&mut track, 7, 2, 1);
        assert_eq!(track.stored(LEDGER).unwrap().epoch, 7);
        assert_eq!(track.view().lost_batches, 0);
    }

    #[test]
    fn many_ranges_are_cut_to_what_the_agent_can_use() {
        let mut track = track();
        for n in 0..2000 {
            store(&mut track, 7, 2 * n + 1, 101.min(2 * n + 1));
        }
        let ranges = track.stored(LEDGER).unwrap().ranges;
        assert_eq!((ranges.ranges().len(), ranges.ranges()[0]), (RANGES_SENT_MAX, (101, 101)));
    }

    #[test]
    fn clock_error_is_the_smallest_delay_of_ten_minutes() {
        let mut delays = Delays::default();
        assert_eq!(delays.clock_error_ms(), None);
        let minute = 60_000;
        // An agent 5 s ahead; the quickest message took 40 ms.
        for (at, delay) in [(0, 300), (10, 40), (minute, 90)] {
            delays.see(UnixMillis(at), UnixMillis(at - delay + 5000));
        }
        assert_eq!(delays.clock_error_ms(), Some(4960));
        // Its clock is set right; ten minutes later the estimate is too.
        for n in 2..12 {
            delays.see(UnixMillis(n * minute), UnixMillis(n * minute - 50));
        }
        assert_eq!(delays.clock_error_ms(), Some(-50));
        assert!(delays.minutes.len() <= 10);
        delays.see(UnixMillis(i64::MIN), UnixMillis(i64::MAX));
        assert!(delays.clock_error_ms().is_some());
    }
}
