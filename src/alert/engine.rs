//! The engine: from one view to the next, which incidents begin, open, close, and which explains which. `[P]`
//!
//! Invariants (property tests in `alert/tests`):
//! - one live incident per condition, subject and direction; no second opening without a closing between;
//! - a missing reading neither opens nor closes anything;
//! - an engine rebuilt from its incidents (and its [`Memory`]) at any step goes on as if it had never stopped.
//!
//! **One trouble, one root.** On one edge the first of these that is open tells about the others: down, on standby,
//! capacity downstream, capacity upstream. A capacity incident that waits to open is dropped when its link opens as
//! down; one that was open before stays open as a consequence, and so outlives the outage if the link comes back
//! weak. A bundle tells about its members, unless it is the member that explains the bundle. A member whose bundle
//! still carries what is required has lost redundancy only: minor.
//!
//! Outages at a site that has gone dark are one trouble too (`dark`).
//!
//! **Causes** are asked for, not assumed (`causes`), at opening and at every step while the breach lasts. A
//! consequence whose cause has ended waits once more for its own hold time before it counts as a root: the child is
//! often seen well a little later than the parent. An effect whose only cause is still pending waits for it, at most
//! for a second hold time of its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::causes::Causes;
use super::dark::Dark;
use super::describe::cut_off;
use super::evidence::Recent;
use super::explain::Explained;
use super::hold::{self, Input, Outcome};
use super::incident::{Condition, Incident, IncidentState, Severity, Subject};
use super::life::{announce, blind, delivery, ended, lasting, lost_nothing_lately, note, note_opening, pending};
use super::memory::Memory;
use super::observe::{self, Judge, Key};
use super::scene::Scene;
use super::setting::Settings;
use super::ways::NoWhatIf;
use crate::config::settings::AlertSettings;
use crate::model::network::Network;
use crate::model::view::{LinkState, NetworkView, WhatIf};
use crate::model::{UnixMillis, WispId};

/// How often subjects are polled where nobody says.
const DEFAULT_INTERVAL: Duration = Duration::from_mins(1);

/// Closed incidents that pages still show.
const CLOSED_KEPT: Duration = Duration::from_hours(7 * 24);

/// Bound of the same; the store has them all.
const CLOSED_MAX: usize = 10_000;

/// A reading older than this many intervals is not the start of a breach that is seen now.
const SINCE_INTERVALS_MAX: u32 = 2;

/// See the module.
pub struct Engine {
    pub(super) settings: Settings,
    close_margin: f64,
    pub(super) network: Arc<Network>,
    pub(super) interval: Duration,
    pub(super) live: BTreeMap<Key, Incident>,
    /// When each was last handed out to be written.
    written: BTreeMap<Key, UnixMillis>,
    /// Oldest first.
    closed: VecDeque<Incident>,
    /// Restored although another with the same key lives: closed at the next step.
    strays: Vec<Incident>,
    memory: Memory,
    memory_changed: bool,
    pub(super) recent: Recent,
    pub(super) dark: Dark,
    pub(super) scene: Scene,
    next_number: u64,
}

impl Engine {
    /// `restored`: every incident document that was kept. `next_number`: at least one more than any number ever given.
    #[expect(clippy::needless_pass_by_value, reason = "the engine is the owner of its settings")]
    pub fn new(settings: AlertSettings, network: Arc<Network>, restored: Vec<Incident>, next_number: u64) -> Self {
        let given = restored.iter().map(|i| i.number).max().unwrap_or(0);
        let mut scene = Scene::default();
        scene.set_network(&network);
        let mut engine = Self {
            settings: Settings::new(&settings),
            close_margin: settings.capacity_close_margin,
            network,
            scene,
            interval: DEFAULT_INTERVAL,
            live: BTreeMap::new(),
            written: BTreeMap::new(),
            closed: VecDeque::new(),
            strays: Vec::new(),
            memory: Memory::default(),
            memory_changed: false,
            recent: Recent::default(),
            dark: Dark::default(),
            next_number: next_number.max(given + 1),
        };
        let (mut closed, mut live): (Vec<_>, Vec<_>) = restored.into_iter().partition(|i| !i.is_live());
        closed.retain(|i| !i.is_dropped());
        closed.sort_by_key(|i| i.closed_at);
        engine.closed = closed.into();
        // Opened ones first: of two with one key the one that people know stays.
        live.sort_by_key(|i| (i.number == 0, i.number));
        for incident in live {
            let key = Key::of(&incident);
            if engine.live.contains_key(&key) {
                engine.strays.push(incident);
            } else {
                engine.written.insert(key.clone(), incident.detail.checked_at.unwrap_or(incident.since));
                engine.live.insert(key, incident);
            }
        }
        engine.scene.recall(engine.live.values());
        engine.recall_bests();
        engine
    }

    /// How often subjects are polled: the measure of pauses. One minute by default.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// What an earlier engine remembered besides incidents.
    #[must_use]
    pub fn with_memory(mut self, memory: Memory) -> Self {
        self.memory = memory.indexed();
        self.recall_bests();
        self
    }

    /// A changed inventory. Incidents about what it no longer has close at the next step.
    pub fn set_network(&mut self, network: Arc<Network>) {
        self.scene.set_network(&network);
        self.memory.set_network(&network);
        self.memory_changed = true;
        self.network = network;
    }

    /// Pending, open and closing ones, and those closed in the last seven days; newest first.
    pub fn incidents(&self) -> Vec<Incident> {
        let mut all: Vec<Incident> = self.live.values().chain(&self.closed).cloned().collect();
        all.sort_by_key(|i| std::cmp::Reverse((i.since, i.number)));
        all
    }

    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// The memory, if it has changed since the last call: to be written in the same transaction as the incidents.
    pub fn memory_to_write(&mut self) -> Option<&Memory> {
        std::mem::take(&mut self.memory_changed).then_some(&self.memory)
    }

    /// Goes on to `now`. Returns every incident that must be written, in one transaction with its mails; those that
    /// ended before they opened ([`Incident::is_dropped`]) are to be removed.
    pub fn step(&mut self, now: UnixMillis, view: &NetworkView, what_if: &dyn WhatIf) -> Vec<Incident> {
        let before = self.live.clone();
        let mut ended = self.close_strays(now);
        if view.blind_since.is_some() {
            self.stand_still(now, view, &mut ended);
            return self.hand_out(now, &before, ended);
        }
        self.memory_changed |= self.memory.observe(view, now);
        self.recent.observe(view, now);
        self.dark = Dark::of(view);
        self.scene.observe(view, now);
        let mut ready = Vec::new();
        let mut inputs = self.advance_live(now, view, &mut ready, &mut ended);
        self.start_new(now, view, &mut ready, &mut inputs);
        self.lost_samples(now, view);
        let mut causes = Causes::new(what_if);
        self.open_ready(now, view, ready, &mut causes, &mut ended);
        self.settle(now, view, &inputs, &mut causes);
        self.hand_out(now, &before, ended)
    }

    /// When the next hold ends, if all stays as it is. What has ended and still waits (for a cause, for instance) is
    /// looked at with the next regular step.
    pub fn next_due(&self, now: UnixMillis) -> Option<UnixMillis> {
        let due = |incident: &Incident| {
            let holds = observe::holds(&self.settings, &self.network, incident, self.interval);
            let span = match incident.state {
                IncidentState::Pending => holds.open,
                IncidentState::Closing => holds.close,
                IncidentState::Open | IncidentState::Closed => return None,
            };
            let from = incident.detail.hold_from.filter(|_| incident.detail.unknown_since.is_none())?;
            Some(from + span).filter(|due| *due > now)
        };
        self.live.values().filter_map(due).min()
    }

    fn recall_bests(&mut self) {
        for incident in self.live.values() {
            if let (Subject::Edge(edge), Some(direction), Some(best), Some(at)) =
                (&incident.subject, incident.direction, incident.detail.best_mbps, incident.detail.checked_at)
            {
                self.memory.recall_best(edge, direction, best, at);
            }
        }
    }

    fn close_strays(&mut self, now: UnixMillis) -> Vec<Incident> {
        std::mem::take(&mut self.strays).into_iter().map(|i| ended(i, now)).collect()
    }

    /// Judges and advances every live incident; says what was seen of each.
    fn advance_live(
        &mut self,
        now: UnixMillis,
        view: &NetworkView,
        ready: &mut Vec<Key>,
        ended_now: &mut Vec<Incident>,
    ) -> BTreeMap<Key, Input> {
        let judge = Judge {
            now,
            interval: self.interval,
            view,
            network: &self.network,
            memory: &self.memory,
            settings: &self.settings,
            scene: &self.scene,
            close_margin: self.close_margin,
        };
        let mut inputs = BTreeMap::new();
        let mut over = Vec::new();
        for (key, incident) in &mut self.live {
            let Some(seen) = judge.judge(key) else {
                over.push(key.clone());
                continue;
            };
            if key.condition == Condition::SamplesLost {
                continue;
            }
            note(incident, &seen, self.memory.best_mbps_of(key));
            inputs.insert(key.clone(), seen.input);
            let holds = observe::holds(&self.settings, &self.network, incident, self.interval);
            let was = incident.state;
            match hold::advance(incident, seen.input, now, &holds) {
                Outcome::Ready => ready.push(key.clone()),
                Outcome::Dropped => over.push(key.clone()),
                Outcome::Moved if !incident.is_live() => over.push(key.clone()),
                Outcome::Moved if was == IncidentState::Closing && seen.input == Input::Breach => {
                    let setting = self.settings.of(key.condition, &key.subject, &self.network);
                    note_opening(incident, now, &setting.damping);
                }
                Outcome::Moved | Outcome::Stays => {}
            }
        }
        for key in over {
            self.end(&key, now, ended_now);
        }
        inputs
    }

    /// Takes an incident out of the living: dropped if it never opened, closed otherwise.
    fn end(&mut self, key: &Key, now: UnixMillis, ended_now: &mut Vec<Incident>) {
        self.written.remove(key);
        if let Some(incident) = self.live.remove(key) {
            ended_now.push(ended(incident, now));
        }
    }

    fn start_new(
        &mut self,
        now: UnixMillis,
        view: &NetworkView,
        ready: &mut Vec<Key>,
        inputs: &mut BTreeMap<Key, Input>,
    ) {
        let judge = Judge {
            now,
            interval: self.interval,
            view,
            network: &self.network,
            memory: &self.memory,
            settings: &self.settings,
            scene: &self.scene,
            close_margin: self.close_margin,
        };
        for (key, seen) in judge.breaches() {
            if self.live.contains_key(&key) || self.is_told_as_down(&key, view) {
                continue;
            }
            let oldest = now - self.interval * SINCE_INTERVALS_MAX;
            let since = seen.measured_at.filter(|at| *at <= now && *at >= oldest).unwrap_or(now);
            let mut incident = pending(&key, since, now);
            incident.wisp = self.wisp_of(&key.subject, view);
            incident.detail.dfs = self.memory.has_radar_detection(&key.subject);
            note(&mut incident, &seen, self.memory.best_mbps_of(&key));
            let holds = observe::holds(&self.settings, &self.network, &incident, self.interval);
            if now.since(since) >= holds.open {
                ready.push(key.clone());
            }
            inputs.insert(key.clone(), seen.input);
            self.live.insert(key, incident);
        }
    }

    /// A capacity of nothing on a link whose outage is already told.
    fn is_told_as_down(&self, key: &Key, view: &NetworkView) -> bool {
        let Some(edge) = key.edge().filter(|_| key.condition == Condition::CapacityBelow) else { return false };
        let down = Key::new(Condition::LinkDown, key.subject.clone(), None);
        let told = self.live.get(&down).is_some_and(Incident::is_opened);
        told && view.edge(edge).is_some_and(|link| matches!(link.state, LinkState::Down(_)))
    }

    /// The hub hears nobody: one incident says so, all others wait without a judgement. The time since it heard the
    /// last is nobody's.
    fn stand_still(&mut self, now: UnixMillis, view: &NetworkView, ended_now: &mut Vec<Incident>) {
        let key = Key::new(Condition::HubBlind, Subject::Hub, None);
        let setting = self.settings.of(key.condition, &key.subject, &self.network);
        let mut over = Vec::new();
        for (other, incident) in &mut self.live {
            if *other == key || other.condition == Condition::SamplesLost {
                continue;
            }
            let holds = observe::holds(&self.settings, &self.network, incident, self.interval);
            blind(incident, view.blind_since.unwrap_or(now));
            if hold::advance(incident, Input::Unknown, now, &holds) == Outcome::Dropped {
                over.push(other.clone());
            }
        }
        for other in over {
            self.end(&other, now, ended_now);
        }
        if !setting.enabled {
            return;
        }
        if let Some(incident) = self.live.get_mut(&key) {
            let holds = observe::holds(&self.settings, &self.network, incident, self.interval);
            if hold::advance(incident, Input::Breach, now, &holds) != Outcome::Ready {
                return;
            }
        } else {
            let since = view.blind_since.unwrap_or(now).min(now);
            self.live.insert(key.clone(), pending(&key, since, now));
            if now.since(since) < setting.open {
                return;
            }
        }
        self.open(&key, Vec::new(), now, view, &mut Causes::new(&NoWhatIf));
    }

    /// Who runs the subject: the operator of its link, or of the links that end at the device.
    fn wisp_of(&self, subject: &Subject, view: &NetworkView) -> Option<WispId> {
        match subject {
            Subject::Edge(edge) => view.edge(edge)?.wisp.clone(),
            Subject::Device(id) => {
                let mut links = self.scene.links_of(id).iter();
                links.find_map(|link| self.network.links.get(link.as_str())?.wisp.clone())
            }
            _ => None,
        }
    }

    /// Batches known to be lost: opens at once, ends a day after the last loss.
    fn lost_samples(&mut self, now: UnixMillis, view: &NetworkView) {
        for (site, agent) in &view.agents {
            let (growth, changed) = self.memory.lost_growth(site, agent.lost_batches);
            self.memory_changed |= changed;
            let key = Key::new(Condition::SamplesLost, Subject::Agent(site.clone()), None);
            if let Some(incident) = self.live.get_mut(&key) {
                if incident.detail.lost_batches.is_some_and(|known| agent.lost_batches > known) {
                    incident.detail.lost_batches = Some(agent.lost_batches);
                    incident.detail.hold_from = Some(now);
                }
            } else if growth > 0 && self.network.sites.contains_key(site.as_str()) {
                let mut incident = pending(&key, now, now);
                hold::open(&mut incident, self.next_number, now);
                self.next_number += 1;
                incident.severity = Severity::Major;
                incident.sites = vec![site.clone()];
                incident.detail.lost_batches = Some(agent.lost_batches);
                incident.detail.hold_from = Some(now);
                incident.detail.below_from = None;
                incident.detail.announced = true;
                self.live.insert(key, incident);
            }
        }
        let agents = view.agents.iter().map(|(site, agent)| (site.clone(), agent.lost_batches));
        self.memory_changed |= self.memory.finish_look(agents);
    }

    fn open_ready(
        &mut self,
        now: UnixMillis,
        view: &NetworkView,
        mut ready: Vec<Key>,
        causes: &mut Causes<'_>,
        ended_now: &mut Vec<Incident>,
    ) {
        let day_without_loss: Vec<Key> =
            self.live.iter().filter(|(k, i)| lost_nothing_lately(k, i, now)).map(|(k, _)| k.clone()).collect();
        for key in day_without_loss {
            self.end(&key, now, ended_now);
        }
        // Outages at a dark site first, the weightiest of them before the others; then by rank.
        ready.sort_by_cached_key(|key| {
            let order = self.dark_order(key);
            (order.is_none(), order, self.distance(key, view), key.clone())
        });
        for key in ready {
            if key.condition == Condition::CapacityBelow && self.is_told_as_down(&key, view) {
                continue;
            }
            let explained = self.explain(&key, view, causes);
            if explained.waits && !self.waited_long(&key, now) {
                continue;
            }
            self.open(&key, explained.by, now, view, causes);
        }
        let told: Vec<Key> = self
            .live
            .iter()
            .filter(|(key, i)| i.state == IncidentState::Pending && self.is_told_as_down(key, view))
            .map(|(key, _)| key.clone())
            .collect();
        for key in told {
            self.end(&key, now, ended_now);
        }
    }

    /// It has waited for a pending cause as long as it held itself.
    fn waited_long(&self, key: &Key, now: UnixMillis) -> bool {
        self.live.get(key).is_none_or(|incident| {
            let holds = observe::holds(&self.settings, &self.network, incident, self.interval);
            incident.detail.hold_from.is_none_or(|from| now.since(from) >= holds.open * 2)
        })
    }

    fn open(&mut self, key: &Key, by: Vec<u64>, now: UnixMillis, view: &NetworkView, causes: &mut Causes<'_>) {
        let Some(mut incident) = self.live.remove(key) else { return };
        incident.caused_by = by;
        match &key.subject {
            Subject::Edge(edge) => {
                if let Some(link) = view.edge(edge) {
                    if let Some((site, others)) = self.dark_site(key, &incident) {
                        incident.detail.dark_site = Some(site);
                        incident.detail.also_down = others;
                    }
                    self.concern(&mut incident, link, view, causes);
                    self.evidence(&mut incident, link, view);
                }
            }
            Subject::Site(site) => {
                incident.sites = vec![site.clone()];
                if key.condition == Condition::SiteBelowTarget {
                    incident.sites_below = vec![site.clone()];
                    incident.sites_cut_off = cut_off(view, std::slice::from_ref(site));
                }
            }
            Subject::Agent(site) | Subject::Service(_, site) => incident.sites = vec![site.clone()],
            Subject::Device(id) => {
                let device = self.network.devices.get(id.as_str());
                incident.sites = device.map(|d| d.site.clone()).into_iter().collect();
            }
            Subject::Backup(id) => {
                let job = self.network.backups.get(id.as_str());
                incident.sites = job.map(|job| job.site.clone()).into_iter().collect();
            }
            Subject::Hub => {}
        }
        incident.residents = self.residents(&incident.sites);
        incident.severity = self.severity(key, &incident, view);
        let setting = self.settings.of(key.condition, &key.subject, &self.network);
        incident.detail.delivery = delivery(&incident, &setting);
        incident.detail.openings = self.earlier_openings(key);
        note_opening(&mut incident, now, &setting.damping);
        hold::open(&mut incident, self.next_number, now);
        self.next_number += 1;
        announce(&mut incident);
        self.live.insert(key.clone(), incident);
        self.tell_operator(key);
    }

    /// Of the last incident about the same: what comes back soon goes on counting.
    fn earlier_openings(&self, key: &Key) -> Vec<UnixMillis> {
        let same =
            |i: &&Incident| i.condition == key.condition && i.subject == key.subject && i.direction == key.direction;
        self.closed.iter().rev().find(same).map(|i| i.detail.openings.clone()).unwrap_or_default()
    }

    fn tell_operator(&mut self, key: &Key) {
        let tells = self.concerns_another_operator(key);
        if let Some(incident) = self.live.get_mut(key) {
            incident.detail.operator_only |= tells && !incident.detail.announced && incident.severity > Severity::Minor;
        }
    }

    /// Of what is open: severity (it only rises), causes, and whether it is told.
    fn settle(&mut self, now: UnixMillis, view: &NetworkView, inputs: &BTreeMap<Key, Input>, causes: &mut Causes<'_>) {
        let opened: Vec<Key> = self
            .live
            .iter()
            .filter(|(key, i)| i.is_opened() && key.condition != Condition::SamplesLost)
            .map(|(key, _)| key.clone())
            .collect();
        for key in opened {
            let in_breach = inputs.get(&key) == Some(&Input::Breach);
            let explained = if in_breach { self.explain(&key, view, causes) } else { Explained::default() };
            let severity = self.live.get(&key).map(|i| self.severity(&key, i, view));
            let setting = self.settings.of(key.condition, &key.subject, &self.network);
            let Some(incident) = self.live.get_mut(&key) else { continue };
            let holds = observe::holds(&self.settings, &self.network, incident, self.interval);
            incident.severity = incident.severity.max(severity.unwrap_or(Severity::Minor));
            incident.detail.delivery = delivery(incident, &setting);
            if !explained.by.is_empty() {
                incident.caused_by = explained.by;
                incident.detail.orphan_since = None;
            } else if !in_breach || explained.waits || incident.caused_by.is_empty() {
                incident.detail.orphan_since = None;
            } else {
                let since = *incident.detail.orphan_since.get_or_insert(now);
                // What was told once needs no second hold: nobody gets another mail.
                if incident.detail.announced || now.since(since) >= holds.open + self.interval {
                    incident.caused_by.clear();
                    incident.detail.orphan_since = None;
                }
            }
            announce(incident);
        }
    }

    /// What must be written: what ended, what changed, and of the rest what was not written for long.
    fn hand_out(
        &mut self,
        now: UnixMillis,
        before: &BTreeMap<Key, Incident>,
        ended_now: Vec<Incident>,
    ) -> Vec<Incident> {
        let mut out = Vec::new();
        for incident in ended_now {
            if !incident.is_dropped() {
                self.closed.push_back(incident.clone());
            }
            out.push(incident);
        }
        while self.closed.len() > CLOSED_MAX
            || self.closed.front().is_some_and(|i| i.closed_at.is_none_or(|at| now.since(at) > CLOSED_KEPT))
        {
            self.closed.pop_front();
        }
        for (key, incident) in &self.live {
            let every = if incident.state == IncidentState::Open { hold::OPEN_WRITE_INTERVALS } else { 1 };
            let overdue = self.written.get(key).is_none_or(|at| now.since(*at) >= self.interval * every);
            if overdue || before.get(key).is_none_or(|b| lasting(b) != lasting(incident)) {
                self.written.insert(key.clone(), now);
                out.push(incident.clone());
            }
        }
        out
    }
}
