//! What a person reads in the terminal while the demo runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{DemoOptions, mail_dir, report};
use crate::alert::{Incident, IncidentState};
use crate::hub::HubApp;
use crate::model::SiteId;
use crate::model::network::{Language, Medium, Network};
use crate::sim::SimWorld;
use crate::store::ledger::Ledger;
use crate::web::figures::LocalClock;
use crate::web::names;
use crate::web::snapshot::Snapshot;
use crate::web::summary::{self, Explanations};

/// How often the story is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Follows the hub and the simulated world.
pub struct Narrator {
    quiet: bool,
    page: SocketAddr,
    mails_in: Option<PathBuf>,
    speed: f64,
    network: Arc<Network>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    ledger: Arc<Ledger>,
    truth: Arc<SimWorld>,
    started: Instant,
    told: Told,
}

/// What has been said already.
#[derive(Default)]
struct Told {
    first_reading: bool,
    all_radios: bool,
    headline: String,
    events: Vec<String>,
    incidents: BTreeMap<u64, IncidentState>,
    mails: usize,
    deliveries: BTreeMap<SiteId, Delivery>,
}

/// How an agent's delivery was when it was last told of.
#[derive(Clone, Copy)]
enum Delivery {
    Steady,
    Away,
    /// Nothing missing yet, for nothing fresh has arrived.
    Back,
    /// With the most batches that were missing.
    Filling(u64),
}

impl Narrator {
    pub fn new(options: &DemoOptions, hub: &HubApp, network: &Arc<Network>, truth: Arc<SimWorld>) -> Self {
        Self {
            quiet: options.quiet,
            page: hub.page(),
            mails_in: options.hub.is_none().then(|| mail_dir(options)),
            speed: options.speed,
            network: network.clone(),
            snapshots: hub.snapshots(),
            ledger: hub.ledger(),
            truth,
            started: Instant::now(),
            told: Told::default(),
        }
    }

    /// Tells until the demo ends.
    pub async fn tell(mut self) -> anyhow::Result<()> {
        if self.quiet {
            return std::future::pending().await;
        }
        self.introduce();
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            let snapshot = self.snapshots.borrow_and_update().clone();
            self.radios(&snapshot);
            self.events(&snapshot);
            for incident in snapshot.incidents.iter().rev() {
                self.incident(&snapshot, incident);
            }
            self.deliveries(&snapshot);
            self.mails(&snapshot)?;
            self.headline(&snapshot);
        }
    }

    fn introduce(&self) {
        let network = &self.network;
        let radio_links = network.links.values().filter(|l| l.medium == Medium::Radio).count();
        let scenario = self.truth.scenario();
        println!(
            "vedetta demo: {}, simulated: {radio_links} radio links, {} agents",
            network.name,
            network.agents().count()
        );
        println!("  weather  {} ({} times faster than the clock)", scenario.description_en, self.speed);
        println!("  page     http://{}", self.page);
        println!("  metrics  http://{}/metrics", self.page);
        if let Some(dir) = &self.mails_in {
            println!("  mails    {}", dir.display());
        }
        println!(
            "  Radios answer real SNMP on loopback. Loopback always answers ICMP, so the scenario answers pings instead,"
        );
        println!("  and tries of the (invented) services. All else is real.");
        println!("  Ctrl-C ends it.\n");
    }

    fn line(snapshot: &Snapshot, text: &str) {
        let times = LocalClock::new(&snapshot.network.time_zone, snapshot.generated_at);
        println!("{}  {text}", times.moment_with_seconds(snapshot.generated_at, Language::English));
    }

    fn radios(&mut self, snapshot: &Snapshot) {
        if self.told.all_radios {
            return;
        }
        let read = report::radios_read(snapshot);
        let all = 2 * snapshot.network.links.values().filter(|l| l.medium == Medium::Radio).count();
        let after = self.started.elapsed().as_secs_f64();
        if read > 0 && !self.told.first_reading {
            self.told.first_reading = true;
            Self::line(snapshot, &format!("first reading after {after:.1} s"));
        }
        if read >= all {
            self.told.all_radios = true;
            Self::line(snapshot, &format!("all {all} radios read after {after:.1} s"));
        }
    }

    /// What happens in the simulated world, so that one can compare what vedetta makes of it.
    fn events(&mut self, snapshot: &Snapshot) {
        let now = self.truth.events();
        for event in now.iter().filter(|e| !self.told.events.contains(e)) {
            Self::line(snapshot, &format!("(simulation) begins: {event}"));
        }
        for event in self.told.events.iter().filter(|e| !now.contains(e)) {
            Self::line(snapshot, &format!("(simulation) ends: {event}"));
        }
        self.told.events = now;
    }

    fn incident(&mut self, snapshot: &Snapshot, incident: &Incident) {
        let before = self.told.incidents.get(&incident.number).copied();
        if incident.number == 0 || before == Some(incident.state) {
            return;
        }
        self.told.incidents.insert(incident.number, incident.state);
        let token = incident.token();
        let subject = crate::web::api::subject_name(snapshot, &incident.subject);
        let because = match incident.caused_by.as_slice() {
            [] => String::new(),
            causes => {
                format!(" because of {}", causes.iter().map(|n| format!("VED-{n}")).collect::<Vec<_>>().join(", "))
            }
        };
        match (before, incident.state) {
            (None, IncidentState::Open | IncidentState::Closing) => {
                let figures = match (incident.measured_mbps, incident.required_mbps) {
                    (Some(measured), Some(required)) => format!(", {measured:.0} of {required:.0} Mbps"),
                    _ => String::new(),
                };
                let wisp = incident.wisp.as_ref().map(|w| names::wisp(&snapshot.network, w));
                let wisp = wisp.map(|w| format!(", {w}")).unwrap_or_default();
                let condition = incident.condition.as_str().replace('_', " ");
                Self::line(snapshot, &format!("{token} opened: {condition}: {subject}{figures}{wisp}{because}"));
            }
            (_, IncidentState::Closed) => Self::line(snapshot, &format!("{token} closed: {subject}")),
            _ => {}
        }
    }

    /// Agents that are cut off, come back, and bring what they kept.
    fn deliveries(&mut self, snapshot: &Snapshot) {
        for (site, proof) in snapshot.proofs.iter() {
            let Some(online) = snapshot.view.agents.get(site).and_then(|a| a.online) else { continue };
            let name = names::site(&snapshot.network, site);
            let (was, missing) = (self.told.deliveries.get(site).copied(), proof.missing_batches);
            let now = match was {
                Some(Delivery::Away | Delivery::Back) if online && missing > 0 => Delivery::Filling(missing),
                Some(Delivery::Filling(most)) if online && missing > 0 => Delivery::Filling(most.max(missing)),
                Some(Delivery::Away) if online => Delivery::Back,
                Some(Delivery::Back) => Delivery::Back,
                _ if online => Delivery::Steady,
                _ => Delivery::Away,
            };
            match (was, now) {
                (Some(Delivery::Steady | Delivery::Back | Delivery::Filling(_)), Delivery::Away) => Self::line(
                    snapshot,
                    &format!("agent {name} is away: it goes on polling its radios and keeps all of it"),
                ),
                (Some(Delivery::Away), Delivery::Back) => Self::line(snapshot, &format!("agent {name} is back")),
                (Some(Delivery::Away | Delivery::Back), Delivery::Filling(n)) => Self::line(
                    snapshot,
                    &format!("agent {name}: fresh samples first; a gap of {n} batches is filling behind them"),
                ),
                (Some(Delivery::Filling(n)), Delivery::Steady) => Self::line(
                    snapshot,
                    &format!("agent {name}: the gap of {n} batches is filled; lost {}", proof.lost_batches),
                ),
                _ => {}
            }
            self.told.deliveries.insert(site.clone(), now);
        }
    }

    fn mails(&mut self, snapshot: &Snapshot) -> anyhow::Result<()> {
        let mails = report::mails(&self.ledger)?;
        for mail in mails.iter().skip(self.told.mails) {
            Self::line(snapshot, &format!("mail to {}: {}", mail.to.join(", "), mail.subject));
        }
        self.told.mails = mails.len();
        Ok(())
    }

    fn headline(&mut self, snapshot: &Snapshot) {
        if !self.told.all_radios {
            return;
        }
        let explanations = Explanations::of(&snapshot.incidents);
        let headline = summary::headline(&summary::summarize(snapshot, &explanations), Language::English);
        if headline != self.told.headline {
            Self::line(snapshot, &headline);
            self.told.headline = headline;
        }
    }
}
