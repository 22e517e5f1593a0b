//! One evaluation of the hub, without its clock, its ledger and its network: what arrived goes into the picture, the
//! picture is judged, and what is to be written and told comes out. `[P]`
//!
//! `lookout` runs it on the machine's clock and the ledger; `rehearsal` runs the same on a scenario's clock, so that
//! what a scenario proves holds of the hub.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::late::{Arrival, OwnClock};
use crate::alert::desk::{Command, Refusal, Touched};
use crate::alert::engine::Engine;
use crate::alert::signed::LinkKeys;
use crate::alert::{Condition, Incident};
use crate::capacity::{FamilyFacts, NetworkState};
use crate::config::settings::HubSettings;
use crate::model::network::Network;
use crate::model::view::{AgentView, NetworkView};
use crate::model::{MonoMillis, Sample, SiteId, UnixMillis};
use crate::notify;
use crate::notify::feed::{Feed, Feeds};
use crate::notify::render::Sender;
use crate::notify::step::{Step, Teller, Written};
use crate::probe::radio;
use crate::store::{DocumentStore, StoreError};

/// How much of the past is read again at the start, to know the network as it was.
pub const REPLAY: Duration = Duration::from_hours(2);

/// What a hub that starts knows of the time before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Before {
    /// When the last batch of an agent arrived.
    pub heard: Option<UnixMillis>,
    /// When the hub itself was last at work.
    pub alive: Option<UnixMillis>,
}

/// The picture as stored batches tell it, one by one.
pub struct Replayed {
    pub state: NetworkState,
    pub before: Before,
    poll_interval: Duration,
    looked_at: Option<UnixMillis>,
}

impl Replayed {
    pub fn new(network: &Arc<Network>, poll_interval: Duration) -> Self {
        let state = NetworkState::new(network.clone(), poll_interval, family_facts);
        Self { state, before: Before::default(), poll_interval, looked_at: None }
    }

    /// A batch of the hub's own: it was at work then.
    pub fn own(&mut self, at: UnixMillis) {
        self.before.alive = self.before.alive.max(Some(at));
    }

    /// A batch of an agent; the samples' times corrected as far as the ledger knows better. How it was sent is not
    /// kept: judged as what it may have been, from a backlog.
    pub fn batch(&mut self, agent: &SiteId, received_at: UnixMillis, samples: impl IntoIterator<Item = Sample>) {
        self.look_before(received_at);
        self.before.heard = self.before.heard.max(Some(received_at));
        let arrival = Arrival { received_at, live: false, clock_error_ms: 0, poll_interval: self.poll_interval };
        self.state.hear(agent, received_at);
        for mut sample in samples {
            if let Some(at) = arrival.present(sample.at) {
                sample.at = at;
                self.state.apply(agent, &sample, received_at);
            }
        }
    }
}

impl Replayed {
    /// Once an interval the picture is looked at, as the hub did: a link that fell before the start is known by how
    /// it was when it was last well.
    fn look_before(&mut self, received_at: UnixMillis) {
        let Some(heard) = self.before.heard.filter(|heard| *heard < received_at) else { return };
        if self.looked_at.is_none_or(|at| heard.since(at) >= self.poll_interval) {
            self.state.look(heard);
            self.looked_at = Some(heard);
        }
    }
}

/// What capacity needs to know of a radio family.
fn family_facts(profile: &str) -> Option<FamilyFacts> {
    radio::family(profile).map(|family| FamilyFacts { duplex: family.duplex, verified: family.verified() })
}

/// The engine as the store remembers it.
pub fn restored_engine(
    store: &dyn DocumentStore,
    settings: &HubSettings,
    network: &Arc<Network>,
) -> Result<Engine, StoreError> {
    let (incidents, memory) = notify::step::restore(store)?;
    Ok(Engine::new(settings.alert.clone(), network.clone(), incidents, 1)
        .with_interval(settings.poll_interval)
        .with_memory(memory))
}

/// What the inbox knows.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    pub agents: &'a BTreeMap<SiteId, AgentView>,
    /// End of the validity of the hub's own certificate.
    pub certificate_expires_at: Option<UnixMillis>,
}

/// What one evaluation found.
pub struct Evaluated {
    pub view: NetworkView,
    /// Incidents that must be written, and were made into `written` already.
    pub changed: Vec<Incident>,
    /// All live incidents before.
    pub before: Vec<Incident>,
    pub written: Written,
    /// This machine's clock was set by so many ms since the last evaluation.
    pub jumped_ms: Option<i64>,
}

/// See the module.
pub struct Evaluator {
    network: Arc<Network>,
    settings: HubSettings,
    state: NetworkState,
    pub engine: Engine,
    pub teller: Teller,
    started_at: UnixMillis,
    /// Since when it hears nobody, if it has heard nobody since.
    quiet_since: UnixMillis,
    own_clock: OwnClock,
    /// What links in mails to operators are signed with; without them mails carry none.
    links: Option<LinkKeys>,
}

impl Evaluator {
    pub fn new(
        network: Arc<Network>,
        settings: HubSettings,
        replayed: Replayed,
        engine: Engine,
        teller: Teller,
        now: UnixMillis,
    ) -> Self {
        let blind = engine.incidents().into_iter().find(|i| i.condition == Condition::HubBlind && i.is_live());
        // The time in which the hub did not run is no silence of the agents, but what it had waited before counts on.
        let Before { heard, alive } = replayed.before;
        let waited = heard.zip(alive).map_or(Duration::ZERO, |(heard, alive)| alive.since(heard));
        // A blindness that is closing is over: somebody has been heard since it began.
        let blind_since = blind.map(|incident| incident.since).filter(|since| heard.is_none_or(|at| at <= *since));
        let quiet_since = blind_since.unwrap_or(now - waited);
        let state = replayed.state;
        let own_clock = OwnClock::default();
        Self { network, settings, state, engine, teller, started_at: now, quiet_since, own_clock, links: None }
    }

    /// Mails to operators carry links that these keys sign.
    #[must_use]
    pub fn with_links(mut self, links: LinkKeys) -> Self {
        self.links = Some(links);
        self
    }

    /// Machines are told too.
    #[must_use]
    pub fn with_feeds(mut self, all: Vec<Feed>) -> Self {
        let public_url = self.settings.web.public_url.clone();
        self.teller.feeds = Feeds { all, public_url, links: self.links.clone() };
        self
    }

    pub fn state(&self) -> &NetworkState {
        &self.state
    }

    pub fn started_at(&self) -> UnixMillis {
        self.started_at
    }

    /// Takes a batch of an agent that is stored. Returns when its newest sample that is not history was taken.
    pub fn take(
        &mut self,
        agent: &SiteId,
        received_at: UnixMillis,
        live: bool,
        clock_error_ms: i64,
        samples: impl IntoIterator<Item = Sample>,
    ) -> Option<UnixMillis> {
        self.quiet_since = received_at;
        let arrival = Arrival { received_at, live, clock_error_ms, poll_interval: self.settings.poll_interval };
        self.state.hear(agent, received_at);
        let mut newest = None;
        for mut sample in samples {
            // The rest only amends history.
            let Some(at) = arrival.present(sample.at) else { continue };
            sample.at = at;
            newest = newest.max(Some(at));
            self.state.apply(agent, &sample, received_at);
        }
        newest
    }

    /// Goes on to `now`: judges the picture and decides what is written and told. `mono` never jumps.
    pub fn evaluate(&mut self, now: UnixMillis, mono: MonoMillis, heard: Heard<'_>) -> Evaluated {
        let jumped_ms = self.own_clock.look(now, mono);
        if let Some(ms) = jumped_ms {
            self.clock_was_set(now, ms);
        }
        let mut view = self.state.evaluate(now);
        view.agents.clone_from(heard.agents);
        view.hub_certificate_expires_at = heard.certificate_expires_at;
        view.backups.clone_from(&self.teller.desk.backups);
        view.blind_since = self.blind_since(now);
        let before = self.engine.incidents();
        let changed = self.engine.step(now, &view, &self.state);
        let written = self.decide(now, &changed);
        Evaluated { view, changed, before, written, jumped_ms }
    }

    /// This machine's clock is what all times are told by. When it was set, readings taken by the old one are neither
    /// fresh nor old: the present is forgotten, and measured again within an interval. Nothing opens or closes
    /// meanwhile, for unknown does neither.
    fn clock_was_set(&mut self, now: UnixMillis, jump_ms: i64) {
        self.state.forget_present();
        self.started_at = UnixMillis(self.started_at.0.saturating_add(jump_ms));
        self.quiet_since = now;
    }

    /// An agent, or all of them, not heard for longer is silent.
    pub fn patience(&self) -> Duration {
        self.settings.poll_interval * 3 + Duration::from_secs(10)
    }

    /// Since when the hub hears nobody: after three intervals and ten seconds without a batch.
    fn blind_since(&self, now: UnixMillis) -> Option<UnixMillis> {
        (now.since(self.quiet_since) > self.patience()).then_some(self.quiet_since)
    }

    /// Turns changes into documents: the incidents themselves, and the mails that they call for.
    fn decide(&mut self, now: UnixMillis, changed: &[Incident]) -> Written {
        let settings = &self.settings;
        let sender = settings.mail.as_ref().map(|mail| Sender {
            from: &mail.from,
            reply_to: mail.reply_to.as_deref(),
            public_url: settings.web.public_url.as_deref(),
            links: self.links.as_ref(),
        });
        let incidents = self.engine.incidents();
        self.teller.step(Step {
            now,
            network: &self.network,
            settings: &settings.notify,
            incidents: &incidents,
            changed,
            memory: self.engine.memory_to_write(),
            sender: sender.as_ref(),
        })
    }

    /// Applies what somebody said; what comes back is to be written before it is answered.
    pub fn command(
        &mut self,
        known: impl Fn(u64) -> bool,
        command: Command,
        by: &str,
        now: UnixMillis,
    ) -> Result<(Touched, Vec<crate::store::Document>), Refusal> {
        self.teller.command(&self.network, known, command, by, now)
    }
}
