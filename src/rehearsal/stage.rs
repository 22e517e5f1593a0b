//! The run of one scenario: its network, agents that send, and a hub without sockets, disk and clock.
//!
//! The hub is the real one from the stored batch on: [`Evaluator`] with the real picture, engine and policy; what it
//! writes goes into documents in memory, and a restart builds it anew from these, as `hub` does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use super::change::Change;
use super::place::{Place, called};
use super::scenario::Scenario;
use super::world::World;
use crate::alert::desk::{Act, Command};
use crate::alert::{Incident, IncidentState};
use crate::config::settings::HubSettings;
use crate::hub::evaluator::{Evaluator, Heard, REPLAY, Replayed, restored_engine};
use crate::model::network::Network;
use crate::model::view::{AgentView, PartView};
use crate::model::{MonoMillis, Sample, SiteId, UnixMillis};
use crate::notify::log::{Refused, Thread};
use crate::notify::step::{REFUSED_KEPT, Teller, Written};
use crate::notify::{Mail, NoticeKind, records};
use crate::store::{Document, DocumentStore, StoreError};

/// Batches that an agent keeps while nobody takes them: a week at one a minute; past that the oldest go.
const QUEUE_MAX: usize = 7 * 24 * 60;
/// Lines of a time line that are kept for a message.
const HAPPENED_MAX: usize = 5000;

/// Documents in memory.
#[derive(Default)]
struct Documents(Mutex<BTreeMap<(String, String), String>>);

impl DocumentStore for Documents {
    fn put_documents(&self, documents: &[Document]) -> Result<(), StoreError> {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
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
        let kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let of_kind = kept.range((kind.to_owned(), String::new())..).take_while(|((k, _), _)| k == kind);
        Ok(of_kind
            .map(|((kind, key), body)| Document { kind: kind.clone(), key: key.clone(), body: body.clone() })
            .collect())
    }
}

/// One mail, or one that a running-in kept back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// From the start.
    pub at: Duration,
    pub kind: NoticeKind,
    /// As the record of notices names its recipient.
    pub to: Vec<String>,
    pub incidents: Vec<u64>,
    pub subject: String,
    pub unsent: bool,
}

/// One incident, from its opening on.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub last: Incident,
    pub opened: Duration,
    pub closed: Option<Duration>,
    /// All that ever explained it.
    pub causes: BTreeSet<u64>,
    /// It was once without an explanation.
    pub alone: bool,
}

/// What a run brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcript {
    pub sent: Vec<Sent>,
    pub incidents: BTreeMap<u64, Told>,
    /// In order, for people.
    pub happened: Vec<(Duration, String)>,
    /// Changes that could not be made: the byte offset of the sentence, and why.
    pub impossible: Vec<(usize, String)>,
    pub evaluations: usize,
}

impl Transcript {
    fn say(&mut self, at: Duration, text: String) {
        if self.happened.len() < HAPPENED_MAX {
            self.happened.push((at, text));
        }
    }
}

struct Batch {
    /// When it is sent first.
    due: Duration,
    samples: Vec<Sample>,
    /// The first try came to nothing: it is backlog.
    missed: bool,
}

struct Agent {
    clock_ms: i64,
    late: Duration,
    joined: bool,
    /// Another machine writes under its name.
    cloned: bool,
    queue: VecDeque<Batch>,
    view: AgentView,
}

struct Stage<'s> {
    scenario: &'s Scenario,
    network: Arc<Network>,
    settings: HubSettings,
    world: World,
    store: Documents,
    evaluator: Evaluator,
    agents: BTreeMap<SiteId, Agent>,
    /// What the ledger would still have.
    stored: VecDeque<(SiteId, UnixMillis, Vec<Sample>)>,
    alive_at: Option<UnixMillis>,
    hears: bool,
    clock_ms: i64,
    /// Of the hub's certificate.
    certificate_expires_at: Option<UnixMillis>,
    refused: BTreeSet<String>,
    known: BTreeMap<u64, Told>,
    transcript: Transcript,
}

/// Runs a scenario. After each evaluation whose number `restarts` accepts the hub is started anew.
pub fn run(scenario: &Scenario, restarts: &dyn Fn(usize) -> bool) -> Result<Transcript, StoreError> {
    let mut stage = Stage::new(scenario)?;
    let mut changes = scenario.changes.iter().peekable();
    let steps = scenario.lasts.as_millis() / scenario.look.as_millis().max(1);
    for step in 0..=steps {
        let at = scenario.look * u32::try_from(step).unwrap_or(u32::MAX);
        while let Some((_, offset, change)) = changes.next_if(|(due, ..)| *due <= at) {
            stage.transcript.say(at, change.to_string());
            stage.change(at, *offset, change)?;
        }
        if at.as_millis().is_multiple_of(scenario.interval.as_millis().max(1)) {
            stage.measure(at);
        }
        stage.deliver(at);
        stage.evaluate(at)?;
        if restarts(usize::try_from(step).unwrap_or(usize::MAX)) {
            stage.restart(at)?;
        }
    }
    let mut transcript = stage.transcript;
    transcript.incidents = stage.known;
    transcript.evaluations = usize::try_from(steps).unwrap_or(usize::MAX) + 1;
    Ok(transcript)
}

impl<'s> Stage<'s> {
    fn new(scenario: &'s Scenario) -> Result<Self, StoreError> {
        let (network, settings) = (scenario.network.clone(), scenario.settings.clone());
        let store = Documents::default();
        let past = Replayed::new(&network, settings.poll_interval);
        let engine = restored_engine(&store, &settings, &network)?;
        let teller = Teller::restore(&store, scenario.start)?;
        let evaluator = Evaluator::new(network.clone(), settings.clone(), past, engine, teller, scenario.start);
        let agents = network.agents().map(|site| (site.id.clone(), Agent::new(&site.id))).collect();
        let world = World::new(network.clone(), scenario.link_mbps);
        Ok(Self {
            scenario,
            network,
            settings,
            world,
            store,
            evaluator,
            agents,
            stored: VecDeque::new(),
            alive_at: None,
            hears: true,
            clock_ms: 0,
            certificate_expires_at: None,
            refused: BTreeSet::new(),
            known: BTreeMap::new(),
            transcript: Transcript::default(),
        })
    }

    /// The hub's wall clock.
    fn wall(&self, at: Duration) -> UnixMillis {
        let now = self.scenario.start + at;
        UnixMillis(now.0.saturating_add(self.clock_ms))
    }

    fn change(&mut self, at: Duration, offset: usize, change: &Change) -> Result<(), StoreError> {
        if self.world.apply(change) {
            if let Change::AgentRuns(id, false) = change
                && let Some(agent) = self.agents.get_mut(id.as_str())
            {
                agent.view.online = Some(false);
            }
            return Ok(());
        }
        match change {
            Change::AgentJoined(id, joined) => self.agent(id, |a| a.joined = *joined),
            Change::AgentClock(id, ms) => self.agent(id, |a| a.clock_ms = *ms),
            Change::AgentClockUnset(id) => {
                let start = self.scenario.start.0;
                self.agent(id, |a| a.clock_ms = -start);
            }
            Change::AgentLate(id, late) => self.agent(id, |a| a.late = *late),
            Change::AgentLoses(id, n) => self.agent(id, |a| a.view.lost_batches += n),
            Change::AgentCertificate(id, left) => {
                let end = self.wall(at) + *left;
                self.agent(id, |a| a.view.certificate_expires_at = Some(end));
            }
            Change::AgentCloned(id, cloned) => self.agent(id, |a| a.cloned = *cloned),
            Change::AgentRefuses(id, refuses) => self.agent(id, |a| {
                let why = || "part:12:11: error: address: must be an IP address".to_owned();
                // The one before stays in force.
                a.view.part.in_force = Some(1);
                a.view.part.refused = refuses.then(why);
            }),
            Change::HubCertificate(left) => self.certificate_expires_at = Some(self.wall(at) + *left),
            Change::Backup(id, word) => {
                let command = Command::Backup { job: id.clone(), word: *word };
                self.command(at, offset, command, "tester")?;
            }
            Change::HubHears(hears) => self.hears = *hears,
            Change::HubClock(ms) => self.clock_ms = self.clock_ms.saturating_add(*ms),
            Change::HubRestarts => self.restart(at)?,
            Change::HubInventory(file) => {
                if let Some(network) = self.scenario.inventories.get(file) {
                    self.network = network.clone();
                }
                self.restart(at)?;
            }
            Change::Refuse(address) => drop(self.refused.insert(address.clone())),
            Change::Act(place, act, by) => self.act(at, offset, place, act, by)?,
            Change::Works(place, lasts, wisp) => {
                let now = self.wall(at);
                if let Some(place) = place.of_works() {
                    let command =
                        Command::AddWindow { place, from: now, to: now + *lasts, note: None, wisp: wisp.clone() };
                    self.command(at, offset, command, "tester")?;
                }
            }
            Change::Switch(wisp, on) => {
                let command = Command::SwitchWisp { wisp: wisp.clone(), on: *on };
                self.command(at, offset, command, "tester")?;
            }
            _ => {}
        }
        Ok(())
    }

    fn agent(&mut self, id: &SiteId, change: impl FnOnce(&mut Agent)) {
        if let Some(agent) = self.agents.get_mut(id.as_str()) {
            change(agent);
        }
    }

    /// About the incident that lives: a root before a consequence, the older one first.
    fn act(&mut self, at: Duration, offset: usize, place: &Place, act: &Act, by: &str) -> Result<(), StoreError> {
        let mut live: Vec<Incident> = self.evaluator.engine.incidents();
        live.retain(|i| i.is_opened() && i.number > 0 && place.is(&i.subject));
        live.sort_by_key(|i| (i.state == IncidentState::Closed, i.is_consequence(), i.number));
        let Some(incident) = live.first() else {
            self.transcript.impossible.push((offset, format!("there is no incident about {place}")));
            return Ok(());
        };
        let mut act = act.clone();
        if let Act::Acknowledge { expected_repair: Some(repair), .. } = &mut act {
            *repair = self.wall(at) + Duration::from_millis(repair.0.unsigned_abs());
        }
        let command = Command::Act { incident: incident.number, act };
        self.command(at, offset, command, by)
    }

    fn command(&mut self, at: Duration, offset: usize, command: Command, by: &str) -> Result<(), StoreError> {
        match self.evaluator.command(|_| true, command, by, self.wall(at)) {
            Ok((_, documents)) => self.store.put_documents(&documents)?,
            Err(refusal) => self.transcript.impossible.push((offset, refusal.to_string())),
        }
        Ok(())
    }

    /// Every agent that runs makes a batch.
    fn measure(&mut self, at: Duration) {
        let made = self.scenario.start + at;
        for (site, agent) in &mut self.agents {
            if !self.world.agent_runs(site) {
                continue;
            }
            let clock = UnixMillis(made.0.saturating_add(agent.clock_ms));
            let samples = self.world.samples(site, clock);
            agent.queue.push_back(Batch { due: at + agent.late, samples, missed: false });
            if agent.queue.len() > QUEUE_MAX {
                agent.queue.pop_front();
                agent.view.lost_batches += 1;
            }
        }
    }

    /// What is due goes to the hub, if there is a way.
    fn deliver(&mut self, at: Duration) {
        let now = self.wall(at);
        for (site, agent) in &mut self.agents {
            if agent.queue.front().is_none_or(|batch| batch.due > at) {
                continue;
            }
            if !self.hears || !agent.joined || !self.world.agent_runs(site) || !self.world.reaches_hub(site) {
                agent.queue.iter_mut().filter(|batch| batch.due <= at).for_each(|batch| batch.missed = true);
                continue;
            }
            while let Some(batch) = agent.queue.pop_front_if(|batch| batch.due <= at) {
                let error = agent.clock_ms - self.clock_ms;
                agent.view.online = Some(true);
                agent.view.last_batch_at = Some(now);
                agent.view.received_batches += 1;
                if agent.cloned {
                    agent.view.cloned_at = Some(now);
                }
                agent.view.samples += batch.samples.len() as u64;
                if !batch.missed {
                    agent.view.clock_error_ms = Some(error);
                }
                self.evaluator.take(site, now, !batch.missed, error, batch.samples.iter().cloned());
                self.stored.push_back((site.clone(), now, placed(batch.samples, agent.clock_ms)));
            }
        }
        while self.stored.front().is_some_and(|(_, received_at, _)| now.since(*received_at) > REPLAY) {
            self.stored.pop_front();
        }
    }

    fn evaluate(&mut self, at: Duration) -> Result<(), StoreError> {
        let now = self.wall(at);
        self.refusals(now)?;
        let views = self.agents.iter().filter(|(_, a)| a.view.online.is_some());
        let views = views.map(|(site, agent)| (site.clone(), agent.view.clone())).collect();
        let mono = MonoMillis(u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
        let heard = Heard { agents: &views, certificate_expires_at: self.certificate_expires_at };
        let evaluated = self.evaluator.evaluate(now, mono, heard);
        self.alive_at = Some(now);
        for incident in &evaluated.changed {
            self.note(at, incident);
        }
        self.store.put_documents(&evaluated.written.documents)?;
        self.note_mails(at, now, &evaluated.written);
        self.refuse(now, &evaluated.written)
    }

    /// What a mail server would refuse is written down as the outbox does.
    fn refuse(&mut self, now: UnixMillis, written: &Written) -> Result<(), StoreError> {
        for mail in &written.mails {
            for address in mail.to.iter().filter(|to| self.refused.contains(*to)) {
                let refused = Refused {
                    id: format!("{} {address}", mail.id),
                    address: address.clone(),
                    why: "550 no such mailbox".to_owned(),
                    at: now,
                    incident: mail.incident.clone(),
                    reported_at: None,
                };
                let body = serde_json::to_string(&refused).unwrap_or_default();
                let document = Document { kind: records::REFUSED.to_owned(), key: refused.id.clone(), body };
                self.store.put_documents(&[document])?;
            }
        }
        Ok(())
    }

    fn refusals(&mut self, now: UnixMillis) -> Result<(), StoreError> {
        if !self.refused.is_empty() {
            self.evaluator.teller.refused = records::refused(&self.store, now - REFUSED_KEPT)?;
        }
        Ok(())
    }

    fn note(&mut self, at: Duration, incident: &Incident) {
        if incident.number == 0 {
            return;
        }
        let number = incident.number;
        let name = || format!("VED-{number} {} {}", incident.condition.as_str(), called(&incident.subject));
        let new = !self.known.contains_key(&number);
        let told = self.known.entry(number).or_insert_with(|| Told {
            last: incident.clone(),
            opened: at,
            closed: None,
            causes: BTreeSet::new(),
            alone: false,
        });
        told.last = incident.clone();
        told.causes.extend(&incident.caused_by);
        told.alone |= incident.caused_by.is_empty() && incident.state != IncidentState::Closed;
        let closes = incident.state == IncidentState::Closed && told.closed.is_none();
        if closes {
            told.closed = Some(at);
        }
        if new {
            let because: Vec<String> = incident.caused_by.iter().map(|n| format!("VED-{n}")).collect();
            let because =
                if because.is_empty() { String::new() } else { format!(" (because of {})", because.join(", ")) };
            self.transcript.say(at, format!("{} opens{because}", name()));
        }
        if closes {
            self.transcript.say(at, format!("{} closes", name()));
        }
    }

    /// Mails, and what a running-in kept back, from what was written.
    fn note_mails(&mut self, at: Duration, now: UnixMillis, written: &Written) {
        let threads = written.documents.iter().filter(|d| d.kind == records::THREAD);
        let threads: Vec<Thread> = threads.filter_map(|d| serde_json::from_str(&d.body).ok()).collect();
        let mut unsent: BTreeMap<(String, String), Sent> = BTreeMap::new();
        let mut about: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for thread in &threads {
            for told in thread.told.iter().filter(|t| t.at == now) {
                about.entry(&told.message_id).or_default().push(thread.incident);
                if thread.shadow {
                    let key = (told.message_id.clone(), thread.recipient.clone());
                    let sent = unsent.entry(key).or_insert_with(|| Sent {
                        at,
                        kind: told.kind,
                        to: vec![thread.recipient.clone()],
                        incidents: Vec::new(),
                        subject: thread.subject.clone(),
                        unsent: true,
                    });
                    sent.incidents.push(thread.incident);
                }
            }
        }
        let mut all: Vec<Sent> = written
            .mails
            .iter()
            .map(|mail| Sent {
                at,
                kind: mail.kind,
                to: self.keys_of(mail),
                incidents: about.get(mail.message_id.as_str()).cloned().unwrap_or_default(),
                subject: mail.subject.clone(),
                unsent: false,
            })
            .collect();
        all.extend(unsent.into_values());
        for sent in all {
            self.transcript.say(at, sent.to_string());
            self.transcript.sent.push(sent);
        }
    }

    fn keys_of(&self, mail: &Mail) -> Vec<String> {
        let wisps = self.network.wisps.values().filter(|w| w.email == mail.to).map(|w| format!("wisp:{}", w.id));
        let staff = self.network.staff.iter().filter(|s| mail.to.as_slice() == [s.email.clone()]);
        let sites = self.network.sites.values().filter(|s| s.contact_email == mail.to);
        let sites = sites.map(|s| format!("site:{}", s.id));
        wisps.chain(staff.map(|s| format!("staff:{}", s.email))).chain(sites).collect()
    }

    /// The hub anew, from what it has written.
    fn restart(&mut self, at: Duration) -> Result<(), StoreError> {
        let now = self.wall(at);
        let mut past = Replayed::new(&self.network, self.settings.poll_interval);
        if let Some(alive_at) = self.alive_at {
            past.own(alive_at);
        }
        for (site, received_at, samples) in &self.stored {
            past.batch(site, *received_at, samples.iter().cloned());
        }
        let engine = restored_engine(&self.store, &self.settings, &self.network)?;
        let teller = Teller::restore(&self.store, now)?;
        self.evaluator = Evaluator::new(self.network.clone(), self.settings.clone(), past, engine, teller, now);
        Ok(())
    }
}

impl Agent {
    fn new(site: &SiteId) -> Self {
        let view = AgentView {
            site: site.clone(),
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
        };
        Self { clock_ms: 0, late: Duration::ZERO, joined: true, cloned: false, queue: VecDeque::new(), view }
    }
}

/// As the ledger places samples of a clock whose error it knows.
fn placed(mut samples: Vec<Sample>, clock_ms: i64) -> Vec<Sample> {
    for sample in &mut samples {
        sample.at = UnixMillis(sample.at.0.saturating_sub(clock_ms));
    }
    samples
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.unsent { "kept back: " } else { "mail: " };
        write!(f, "{what}{} to {}: {}", self.kind.as_str(), self.to.join(", "), self.subject)
    }
}
