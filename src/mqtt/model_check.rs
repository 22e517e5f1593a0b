//! Every run of the delivery protocol within some bounds: the real [`Book`], [`Inflight`] and [`Track`], between them
//! a broker that drops, delays, reorders, repeats and forgets, and processes that die.
//!
//! From every state that is reached, a fair ending is played: everything runs, everything arrives. Then nothing may
//! still wait, and each sample is stored once or reported as lost; see docs/delivery-protocol.md.

mod wide;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use uuid::Uuid;

use self::wide::Wide;
use super::inflight::{BACKLOG_BITS_PER_SECOND, Inflight, RESEND_MAX, Send};
use super::track::Track;
use crate::model::{MonoMillis, SiteId, UnixMillis};
use crate::spool::book::{Book, Entry};
use crate::store::StoreOutcome;
use crate::wire::batch::{BatchHeader, ClockQuality, Encoding};
use crate::wire::ranges::RangeSet;

/// Messages on their way to the hub, and to the agent.
const NET_MAX: usize = 2;
const NOW: MonoMillis = MonoMillis(0);

type Key = (u64, u64);

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Data {
    key: Key,
    first: u64,
    fresh: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Down {
    Stored(Uuid, u64, RangeSet),
    /// Boot and session; `None`: away.
    Presence(Option<(Uuid, u64)>),
}

#[derive(Debug, Clone)]
struct Hub {
    boot: Uuid,
    session: u64,
    online: bool,
    track: Track,
    /// Stored, and nobody told.
    unreported: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Ledger {
    id: u64,
    /// The one that was heard of last is the last.
    epochs: Vec<(u64, RangeSet)>,
}

impl Ledger {
    fn contains(&self, key: Key) -> bool {
        self.epochs.iter().any(|(epoch, seqs)| *epoch == key.0 && seqs.contains(key.1))
    }
}

#[derive(Debug, Clone)]
struct World {
    book: Book,
    /// The agent's state file.
    saved: Option<Book>,
    inflight: Inflight,
    connected: bool,
    to_hub: Vec<Data>,
    to_agent: Vec<Down>,
    retained: [Option<Down>; 2],
    hub: Option<Hub>,
    ledger: Ledger,
    backup: Option<Ledger>,
    /// Stored in a ledger that was lost.
    stored_before: BTreeSet<Key>,
    made: BTreeSet<Key>,
    reported: BTreeSet<Key>,
    ids: u64,
    samples_left: u8,
    faults_left: u8,
    broken: Option<Broken>,
}

/// A rule broken on purpose: the search must see what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    RestoredUnderTheOldId,
    BrokerAckIsStored,
    HighestNumberIsAll,
    AnyEpochIsBelieved,
    AnotherLedgerDoesNotClear,
    FirstIsIgnored,
    EpochEndsWithEachRun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Make,
    Send,
    AgentConnects,
    AgentHears(usize),
    AgentFrees,
    HubStarts,
    HubConnects,
    HubStores(usize),
    HubReports,
    BackUp,
    // Faults.
    AgentLosesConnection,
    AgentDies,
    AgentForgetsState,
    Evict,
    Damage,
    HubLosesConnection,
    HubDies,
    Restore,
    BrokerForgets,
    DropUp(usize),
    DropDown(usize),
    Repeat(usize),
    TimePasses,
}

impl Act {
    fn is_fault(self) -> bool {
        !matches!(
            self,
            Self::Make
                | Self::Send
                | Self::AgentConnects
                | Self::AgentHears(_)
                | Self::AgentFrees
                | Self::HubStarts
                | Self::HubConnects
                | Self::HubStores(_)
                | Self::HubReports
                | Self::BackUp
        )
    }
}

impl World {
    fn new() -> Self {
        Self {
            book: Book::new(1, None),
            saved: Some(Book::new(1, None)),
            inflight: Inflight::new(BACKLOG_BITS_PER_SECOND, NOW),
            connected: false,
            to_hub: Vec::new(),
            to_agent: Vec::new(),
            retained: [None, None],
            hub: None,
            ledger: Ledger { id: 1, epochs: Vec::new() },
            backup: None,
            stored_before: BTreeSet::new(),
            made: BTreeSet::new(),
            reported: BTreeSet::new(),
            ids: 1,
            samples_left: 0,
            faults_left: 0,
            broken: None,
        }
    }

    fn is_broken(&self, rule: Broken) -> bool {
        self.broken == Some(rule)
    }

    /// Two halves of one fingerprint: no two of some million states share one by chance.
    fn fingerprint(&self) -> (u64, u64) {
        let mut h = Wide(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344);
        (&self.book, &self.saved, &self.inflight, self.connected, &self.to_hub).hash(&mut h);
        (&self.to_agent, &self.retained, &self.ledger, &self.backup, &self.stored_before).hash(&mut h);
        (&self.made, &self.reported, self.ids, self.samples_left, self.faults_left).hash(&mut h);
        if let Some(hub) = &self.hub {
            (hub.boot, hub.session, hub.online, hub.unreported).hash(&mut h);
            hub.track.hash_knowledge(&mut h);
        }
        (h.0, h.1)
    }

    fn acts(&self) -> Vec<Act> {
        let mut acts = vec![Act::Make, Act::Send, Act::AgentConnects, Act::AgentFrees];
        acts.extend([Act::HubStarts, Act::HubConnects, Act::HubReports, Act::BackUp]);
        acts.extend((0..self.to_agent.len()).map(Act::AgentHears));
        acts.extend((0..self.to_hub.len()).map(Act::HubStores));
        if self.faults_left > 0 {
            acts.extend([Act::AgentLosesConnection, Act::AgentDies, Act::AgentForgetsState, Act::Evict, Act::Damage]);
            acts.extend([Act::HubLosesConnection, Act::HubDies, Act::Restore, Act::BrokerForgets, Act::TimePasses]);
            acts.extend((0..self.to_hub.len()).flat_map(|at| [Act::DropUp(at), Act::Repeat(at)]));
            acts.extend((0..self.to_agent.len()).map(Act::DropDown));
        }
        acts
    }

    /// `None`: it cannot happen here.
    fn after(&self, act: Act) -> Option<Self> {
        let mut next = self.clone();
        if act.is_fault() {
            next.faults_left -= 1;
        }
        next.act(act).then_some(next)
    }

    fn act(&mut self, act: Act) -> bool {
        match act {
            Act::Make => {
                if self.samples_left == 0 {
                    return false;
                }
                self.samples_left -= 1;
                self.make();
            }
            Act::Send => return self.to_hub.len() < NET_MAX && self.send(),
            Act::AgentConnects => {
                if self.connected {
                    return false;
                }
                self.connected = true;
                self.inflight.connected();
                self.to_agent = self.retained.iter().flatten().cloned().collect();
            }
            Act::AgentHears(at) => {
                // MQTT keeps the order within a topic, and not between two (MQTT 5, 4.6).
                let is_presence = |d: &Down| matches!(d, Down::Presence(_));
                let same = is_presence(&self.to_agent[at]);
                if self.to_agent[..at].iter().any(|d| is_presence(d) == same) {
                    return false;
                }
                self.agent_hears(at);
            }
            Act::AgentFrees => return self.agent_frees(),
            Act::AgentLosesConnection => return self.agent_gone(),
            Act::AgentDies => self.agent_dies(),
            Act::AgentForgetsState => {
                self.saved = None;
                self.agent_dies();
            }
            Act::Evict => {
                // The open segment, here the last record, is never evicted.
                if self.book.entries.len() < 2 {
                    return false;
                }
                let gone = self.book.entries.pop_front().map_or(0, |e| e.seq);
                self.inflight.stored(|seq| seq != gone && self.book.pending_from(seq) == Some(seq), false);
            }
            Act::Damage => {
                // Of the last one the segment's torn end keeps the number: that is a test of the spool's.
                let Some(seq) = self.book.entries.front().map(|e| e.seq).filter(|_| self.book.entries.len() > 1) else {
                    return false;
                };
                self.book.entries.pop_front();
                self.inflight.gone(seq);
            }
            Act::DropUp(at) => drop(self.to_hub.remove(at)),
            Act::Repeat(at) => {
                if self.to_hub.len() >= NET_MAX {
                    return false;
                }
                self.to_hub.push(self.to_hub[at].clone());
                self.to_hub.sort();
            }
            Act::DropDown(at) => {
                if matches!(self.to_agent[at], Down::Presence(_)) {
                    return false;
                }
                self.to_agent.remove(at);
            }
            Act::TimePasses => {
                if !self.connected || self.inflight.under_way() == 0 {
                    return false;
                }
                self.inflight.rebase(NOW + RESEND_MAX);
            }
            Act::BrokerForgets => {
                self.agent_gone();
                if let Some(hub) = &mut self.hub {
                    hub.online = false;
                }
                self.to_hub.clear();
                self.retained = [None, None];
            }
            _ => return self.hub_acts(act),
        }
        true
    }

    fn hub_acts(&mut self, act: Act) -> bool {
        match act {
            Act::HubStarts => return self.hub_starts(),
            Act::HubConnects => return self.hub_connects(),
            Act::HubStores(at) => return self.hub_stores(at),
            Act::HubReports => return self.hub_reports(),
            Act::BackUp => {
                if self.faults_left == 0 || self.backup.is_some() || self.ledger.epochs.is_empty() {
                    return false;
                }
                self.backup = Some(self.ledger.clone());
            }
            Act::HubLosesConnection => {
                let Some(hub) = self.hub.as_mut().filter(|hub| hub.online) else { return false };
                hub.online = false;
                self.publish(Down::Presence(None));
            }
            Act::HubDies => {
                let Some(hub) = self.hub.take() else { return false };
                if hub.online {
                    self.publish(Down::Presence(None));
                }
            }
            Act::Restore => {
                let Some(backup) = self.backup.take() else { return false };
                if self.hub.take().is_some_and(|hub| hub.online) {
                    self.publish(Down::Presence(None));
                }
                for (epoch, seqs) in &self.ledger.epochs {
                    let numbers = seqs.ranges().iter().flat_map(|(a, b)| *a..=*b);
                    self.stored_before.extend(numbers.map(|seq| (*epoch, seq)));
                }
                self.ids += 1;
                let id = if self.is_broken(Broken::RestoredUnderTheOldId) { backup.id } else { self.ids };
                self.ledger = Ledger { id, ..backup };
            }
            _ => unreachable!("{act:?} is not the hub's"),
        }
        true
    }

    fn make(&mut self) {
        let seq = self.book.next_seq;
        self.book.entries.push_back(Entry { seq, segment: seq as u32, offset: 0, len: 0 });
        self.book.next_seq += 1;
        self.inflight.appended(seq);
        assert!(self.made.insert((self.book.epoch, seq)), "{seq} was given twice");
    }

    fn send(&mut self) -> bool {
        let book = &self.book;
        let Some(what) = self.inflight.next(NOW, |from| book.pending_from(from)) else { return false };
        self.inflight.sent(what, 100, NOW);
        let (seq, fresh) = (what.seq(), matches!(what, Send::Fresh(_)));
        self.to_hub.push(Data { key: (self.book.epoch, seq), first: self.book.first().min(seq), fresh });
        self.to_hub.sort();
        if self.is_broken(Broken::BrokerAckIsStored) {
            self.book.stored.insert(seq);
        }
        true
    }

    fn agent_gone(&mut self) -> bool {
        let was = self.connected;
        self.connected = false;
        self.inflight.disconnected();
        self.to_agent.clear();
        was
    }

    /// Starts again with what is on its disk: all records, the numbers, and what the state file remembers.
    fn agent_dies(&mut self) {
        self.agent_gone();
        self.inflight = Inflight::new(BACKLOG_BITS_PER_SECOND, NOW);
        let mut book = Book::new(self.book.epoch, None);
        book.entries = std::mem::take(&mut self.book.entries);
        let last = book.entries.back().map_or(0, |e| e.seq);
        book.next_seq = last + 1;
        if let Some(saved) = self.saved.as_ref().filter(|saved| saved.epoch == book.epoch) {
            book.ledger = saved.ledger;
            book.stored = saved.stored.clone();
            book.next_seq = book.next_seq.max(saved.next_seq).max(saved.stored.last().unwrap_or(0) + 1);
        }
        let early = self.is_broken(Broken::EpochEndsWithEachRun) && book.next_seq > 1;
        if book.is_over() || early {
            self.ids += 1;
            book = Book::new(self.ids, book.ledger);
            self.saved = Some(book.clone());
        }
        self.book = book;
    }

    /// Whole segments go, here single records, but never the open one; the state is written before.
    fn agent_frees(&mut self) -> bool {
        let mut remembered = self.book.clone();
        remembered.entries.clear();
        let last = self.book.entries.back().map(|e| e.seq);
        let before = self.book.entries.len();
        let stored = self.book.stored.clone();
        self.book.entries.retain(|e| Some(e.seq) == last || !stored.contains(e.seq));
        let changed = self.saved.as_ref() != Some(&remembered) || self.book.entries.len() != before;
        self.saved = Some(remembered);
        changed
    }

    fn agent_hears(&mut self, at: usize) {
        match self.to_agent.remove(at) {
            Down::Presence(present) => self.inflight.hub(present),
            Down::Stored(ledger, epoch, mut ranges)
                if epoch == self.book.epoch || self.is_broken(Broken::AnyEpochIsBelieved) =>
            {
                let another = self.book.ledger.is_some_and(|known| known != ledger);
                if self.is_broken(Broken::HighestNumberIsAll) {
                    ranges.insert_range(1, ranges.last().unwrap_or(0));
                }
                if self.is_broken(Broken::AnotherLedgerDoesNotClear) {
                    self.book.ledger = Some(ledger);
                }
                let ranges = self.inflight.believable(&ranges);
                self.book.hear(ledger, &ranges);
                let book = &self.book;
                self.inflight.stored(|seq| book.pending_from(seq) == Some(seq), another);
            }
            Down::Stored(..) => {}
        }
    }

    fn publish(&mut self, message: Down) {
        let slot = usize::from(matches!(message, Down::Presence(_)));
        self.retained[slot] = Some(message.clone());
        if self.connected {
            // The newest of a kind is all that counts; one before it may still be under way.
            let same = |d: &Down| matches!(d, Down::Presence(_)) == matches!(message, Down::Presence(_));
            if self.to_agent.iter().filter(|d| same(d)).count() >= NET_MAX {
                let oldest = self.to_agent.iter().position(same);
                oldest.map(|at| self.to_agent.remove(at));
            }
            self.to_agent.push(message);
        }
    }

    fn hub_starts(&mut self) -> bool {
        if self.hub.is_some() {
            return false;
        }
        self.ids += 1;
        let track = Track::new(SiteId::parse("colle").expect("an id"), self.ledger.epochs.clone());
        let boot = Uuid::from_u128(u128::from(self.ids));
        self.hub = Some(Hub { boot, session: 0, online: false, track, unreported: false });
        true
    }

    fn hub_connects(&mut self) -> bool {
        let Some(hub) = self.hub.as_mut().filter(|hub| !hub.online) else { return false };
        hub.online = true;
        hub.session += 1;
        hub.unreported = false;
        let presence = Down::Presence(Some((hub.boot, hub.session)));
        let stored = hub.track.stored(Uuid::from_u128(u128::from(self.ledger.id)));
        if let Some(s) = stored {
            self.publish(Down::Stored(s.ledger, s.epoch, s.ranges));
        }
        self.publish(presence);
        true
    }

    fn hub_stores(&mut self, at: usize) -> bool {
        let Some(hub) = self.hub.as_mut().filter(|hub| hub.online) else { return false };
        let data = self.to_hub.remove(at);
        let (epoch, seq) = data.key;
        let known = self.ledger.epochs.iter().position(|(e, _)| *e == epoch);
        let mut one = known.map_or((epoch, RangeSet::new()), |at| self.ledger.epochs.remove(at));
        let outcome = if one.1.insert(seq) { StoreOutcome::Stored } else { StoreOutcome::Duplicate };
        self.ledger.epochs.push(one);
        let first = if self.broken == Some(Broken::FirstIsIgnored) { 0 } else { data.first };
        hub.track.outcome(&header(&Data { first, ..data }), outcome, 1, UnixMillis(0));
        hub.unreported = true;
        self.reported.extend(hub.track.lost().iter().flat_map(|(epoch, lost)| {
            let numbers = lost.ranges().iter().flat_map(|(a, b)| *a..=*b);
            numbers.map(|seq| (*epoch, seq)).collect::<Vec<_>>()
        }));
        true
    }

    fn hub_reports(&mut self) -> bool {
        let id = Uuid::from_u128(u128::from(self.ledger.id));
        let Some(hub) = self.hub.as_mut().filter(|hub| hub.online && hub.unreported) else { return false };
        hub.unreported = false;
        if let Some(s) = hub.track.stored(id) {
            self.publish(Down::Stored(s.ledger, s.epoch, s.ranges));
        }
        true
    }

    /// From here on everything works. What is wrong in the end?
    fn fair_ending(&self) -> Result<(), String> {
        let mut end = self.clone();
        end.make();
        end.hub_starts();
        end.hub_connects();
        end.act(Act::AgentConnects);
        for _ in 0..12 {
            while !end.to_agent.is_empty() {
                end.agent_hears(0);
            }
            while end.send() {}
            while !end.to_hub.is_empty() {
                end.hub_stores(0);
            }
            end.hub_reports();
            if end.to_agent.is_empty() && end.book.pending() == 0 {
                break;
            }
            end.inflight.rebase(NOW + RESEND_MAX + Duration::from_mins(1));
        }
        let held: Vec<u64> = end.book.entries.iter().map(|e| e.seq).collect();
        for seq in held {
            if !end.ledger.contains((end.book.epoch, seq)) {
                return Err(format!("{seq} is held and never stored"));
            }
        }
        if end.book.pending() > 0 {
            return Err(format!("{} batches wait for ever", end.book.pending()));
        }
        for key in &end.made {
            // An epoch that the agent has ended, and a hub that lost what it had of it: see the page on limits.
            let beyond_proof = key.0 != end.book.epoch && end.stored_before.contains(key);
            if !end.ledger.contains(*key) && !end.reported.contains(key) && !beyond_proof {
                return Err(format!("{key:?} is lost and nobody says so"));
            }
        }
        match end.reported.iter().find(|key| !end.made.contains(key)) {
            Some(key) => Err(format!("{key:?} was never made and is reported as lost")),
            None => Ok(()),
        }
    }
}

fn header(data: &Data) -> BatchHeader {
    BatchHeader {
        epoch: data.key.0,
        seq: data.key.1,
        first: data.first,
        boot: 1,
        mono_ms: NOW,
        made_at: None,
        sent_at: UnixMillis(0),
        clock: ClockQuality::Set,
        fresh: data.fresh,
        encoding: Encoding::Gzip,
        crc: 0,
    }
}

/// All states, breadth first, from `start`; stops at `states_max`. The way to the first fault found is the shortest
/// there is. Returns how many there are, and how many acts the longest way had.
fn explore(start: World, states_max: usize) -> Result<(usize, usize), String> {
    let mut seen: HashSet<(u64, u64)> = HashSet::from([start.fingerprint()]);
    let mut parents: Vec<Option<(usize, Act)>> = vec![None];
    let mut queue = VecDeque::from([(0_usize, 0_usize, start)]);
    let mut longest = 0;
    while let Some((id, depth, world)) = queue.pop_front() {
        longest = depth;
        if let Err(fault) = world.fair_ending() {
            let mut way = Vec::new();
            let mut at = id;
            while let Some((parent, act)) = parents[at] {
                way.push(act);
                at = parent;
            }
            way.reverse();
            return Err(format!("{fault}, after {way:?}\n{world:#?}"));
        }
        for act in world.acts() {
            if parents.len() >= states_max {
                break;
            }
            let Some(next) = world.after(act) else { continue };
            if seen.insert(next.fingerprint()) {
                queue.push_back((parents.len(), depth + 1, next));
                parents.push(Some((id, act)));
            }
        }
    }
    Ok((parents.len(), longest))
}

/// A world that has come some way without a fault.
fn world(samples: u8, faults: u8, way: &[Act]) -> World {
    let mut world = World { samples_left: samples, faults_left: faults, ..World::new() };
    for act in way {
        assert!(world.act(*act), "{act:?} cannot happen here");
    }
    world
}

const ONLINE: [Act; 4] = [Act::HubStarts, Act::HubConnects, Act::AgentConnects, Act::AgentHears(0)];
/// One more batch made, sent, stored, and known to be.
const DELIVER: [Act; 5] = [Act::Make, Act::Send, Act::HubStores(0), Act::HubReports, Act::AgentHears(0)];

/// Where the search begins: before anything, with a backlog, in the middle of delivery, after a backup.
fn beginnings() -> Vec<(&'static str, World)> {
    let backlog = [Act::Make, Act::Make];
    let with_backup = [&ONLINE[..], &DELIVER, &[Act::BackUp], &DELIVER, &[Act::AgentFrees]].concat();
    let behind = [&backlog[..], &ONLINE].concat();
    vec![
        ("nothing yet", world(2, 2, &[])),
        ("a backlog", world(3, 3, &behind)),
        ("at work", world(3, 3, &[&ONLINE[..], &DELIVER].concat())),
        ("a backup was made", world(3, 3, &with_backup)),
    ]
}

/// Of each beginning. Without it, the bounds on samples and faults alone would end the search.
const STATES_MAX: usize = 12_000;

#[test]
fn no_run_loses_a_sample_in_silence() {
    for (name, start) in beginnings() {
        match explore(start, STATES_MAX) {
            Ok((n_states, longest)) => eprintln!("{name}: {n_states} states, up to {longest} acts"),
            Err(fault) => panic!("{name}: {fault}"),
        }
    }
}

/// Two samples and one fault of any kind, from before anything on and with a backup made: all states there are.
#[test]
fn with_one_fault_every_state_is_seen() {
    let with_backup = [&ONLINE[..], &DELIVER, &[Act::BackUp], &DELIVER].concat();
    for (name, start) in [("nothing yet", world(2, 1, &[])), ("a backup was made", world(3, 1, &with_backup))] {
        match explore(start, EXHAUSTED_BELOW) {
            Ok((n_states, longest)) => {
                eprintln!("{name}: {n_states} states, up to {longest} acts, one fault");
                assert!(n_states < EXHAUSTED_BELOW, "{name}: the bound ended the search");
            }
            Err(fault) => panic!("{name}: {fault}"),
        }
    }
}

/// A search that ends below this has seen all.
const EXHAUSTED_BELOW: usize = 150_000;

#[test]
fn every_broken_rule_is_found() {
    use Broken::*;
    let rules = [
        RestoredUnderTheOldId,
        BrokerAckIsStored,
        HighestNumberIsAll,
        AnyEpochIsBelieved,
        AnotherLedgerDoesNotClear,
        FirstIsIgnored,
        EpochEndsWithEachRun,
    ];
    let mut unseen = Vec::new();
    for rule in rules {
        let found = beginnings().into_iter().find_map(|(name, start)| {
            let fault = explore(World { broken: Some(rule), ..start }, STATES_MAX).err()?;
            Some((name, fault.lines().next().map(str::to_owned).unwrap_or_default()))
        });
        match found {
            Some((name, fault)) => eprintln!("{rule:?}: from {name:?}: {fault}"),
            None => unseen.push(rule),
        }
    }
    assert_eq!(unseen, [], "rules whose breaking costs nothing within the bounds");
}
