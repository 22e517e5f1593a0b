//! The engine and the mails together, on the engine's own test network.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use proptest::prelude::*;

use super::SENDER;
use crate::alert::Engine;
use crate::alert::desk::{Act, Command, Place};
use crate::alert::tests::world::{Cap, MINUTE, START, World, bundle, link};
use crate::config::settings::{AlertSettings, NotifySettings};
use crate::model::UnixMillis;
use crate::notify::feed::Entry;
use crate::notify::records;
use crate::notify::step::{Step, Teller, restore};
use crate::store::{Document, DocumentStore, StoreError};

#[derive(Default)]
struct MemoryStore(Mutex<BTreeMap<(String, String), String>>);

impl DocumentStore for MemoryStore {
    fn put_documents(&self, documents: &[Document]) -> Result<(), StoreError> {
        let mut kept = self.0.lock().unwrap();
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
        let kept = self.0.lock().unwrap();
        let of_kind = kept.iter().filter(|((k, _), _)| k == kind);
        let document = |((kind, key), body): (&(String, String), &String)| Document {
            kind: kind.clone(),
            key: key.clone(),
            body: body.clone(),
        };
        Ok(of_kind.map(document).collect())
    }
}

pub(super) struct Hub {
    pub(super) world: World,
    store: MemoryStore,
    settings: NotifySettings,
    engine: Engine,
    pub(super) teller: Teller,
    now: UnixMillis,
    mails: Vec<String>,
    pub(super) entries: Vec<Entry>,
}

impl Hub {
    fn new() -> Self {
        Self::with(NotifySettings { rodaggio: Duration::ZERO, ..NotifySettings::default() })
    }

    pub(super) fn with(settings: NotifySettings) -> Self {
        let store = MemoryStore::default();
        let engine = Self::engine(&store);
        let teller = Teller::restore(&store, START).unwrap();
        let mut hub = Self {
            world: World::new(),
            store,
            settings,
            engine,
            teller,
            now: START,
            mails: Vec::new(),
            entries: Vec::new(),
        };
        hub.step();
        hub
    }

    fn engine(store: &MemoryStore) -> Engine {
        let (incidents, memory) = restore(store).unwrap();
        Engine::new(AlertSettings::default(), World::network(), incidents, 1).with_interval(MINUTE).with_memory(memory)
    }

    fn restart(&mut self) {
        self.engine = Self::engine(&self.store);
        self.engine.set_network(self.world.own_network());
        let feeds = std::mem::take(&mut self.teller.feeds);
        self.teller = Teller::restore(&self.store, self.now).unwrap();
        self.teller.feeds = feeds;
    }

    fn step(&mut self) {
        self.now = self.now + MINUTE;
        let changed = self.engine.step(self.now, &self.world.view(self.now), &self.world);
        let incidents = self.engine.incidents();
        let written = self.teller.step(Step {
            now: self.now,
            network: &self.world.own_network(),
            settings: &self.settings,
            incidents: &incidents,
            changed: &changed,
            memory: self.engine.memory_to_write(),
            sender: Some(&SENDER),
        });
        self.store.put_documents(&written.documents).unwrap();
        self.entries.extend(written.entries);
        self.mails.extend(written.mails.iter().map(|m| format!("{} {} {}", m.to[0], m.kind.as_str(), m.incident)));
    }

    pub(super) fn say(&mut self, command: Command) {
        let incidents = self.engine.incidents();
        let known = |n| incidents.iter().any(|i| i.number == n);
        let said = self.teller.command(&self.world.own_network(), known, command, "Anna", self.now);
        self.store.put_documents(&said.unwrap().1).unwrap();
    }

    fn sent(&self, to: &str, kind: &str) -> usize {
        self.mails.iter().filter(|m| m.starts_with(&format!("{to}@")) && m.contains(&format!(" {kind} "))).count()
    }

    pub(super) fn minutes(&mut self, n: usize, restarts: bool) {
        for _ in 0..n {
            self.step();
            if restarts {
                self.restart();
            }
        }
    }
}

#[test]
fn one_cause_one_mail_to_each_and_one_at_the_end() {
    let mut hub = Hub::new();
    hub.world.set(&link("trunk"), Cap::Down);
    hub.minutes(60, false);
    hub.world.set(&link("trunk"), Cap::Mbps(300.0));
    hub.minutes(60, false);
    let expected = [
        "noc@langhenet.example opened VED-1",
        "tecnico@unione.example opened VED-1",
        "noc@langhenet.example closed VED-1",
        "tecnico@unione.example closed VED-1",
    ];
    assert_eq!(hub.mails, expected);
    // Every mail waits in the outbox, and nothing is left among the pending.
    assert_eq!(hub.store.documents(records::MAIL_OUT).unwrap().len(), 4);
    assert!(hub.store.documents(records::INCIDENT).unwrap().iter().all(|d| !d.key.starts_with("pending")));
}

fn power_cut(belbo: &[&str]) -> (Hub, Vec<String>) {
    let mut hub = Hub::new();
    hub.world.belbo = belbo.iter().map(|id| link(id)).collect();
    hub.engine.set_network(hub.world.own_network());
    hub.world.cut_power("relay");
    hub.minutes(60, false);
    hub.world.restore_power("relay");
    hub.minutes(60, false);
    let mails = hub.mails.clone();
    (hub, mails)
}

#[test]
fn a_site_without_power_is_one_mail_to_each() {
    let (_, mails) = power_cut(&[]);
    let expected = [
        "noc@langhenet.example opened VED-1",
        "tecnico@unione.example opened VED-1",
        "noc@langhenet.example closed VED-1",
        "tecnico@unione.example closed VED-1",
    ];
    assert_eq!(mails, expected);
}

#[test]
fn at_a_shared_site_each_operator_hears_of_its_own() {
    let (hub, mut mails) = power_cut(&["to-alba", "to-bene"]);
    let expected = [
        "noc@belbo.example closed VED-2",
        "noc@belbo.example opened VED-2",
        "noc@langhenet.example closed VED-1",
        "noc@langhenet.example opened VED-1",
        "tecnico@unione.example closed VED-1",
        "tecnico@unione.example opened VED-1",
    ];
    mails.sort();
    assert_eq!(mails, expected);
    // Neither is shown what is the other's.
    let texts: Vec<(String, String)> = hub
        .store
        .documents(records::MAIL_OUT)
        .unwrap()
        .iter()
        .map(|d| serde_json::from_str::<records::MailRecord>(&d.body).unwrap().mail)
        .map(|mail| (mail.to[0].clone(), format!("{}\n{}\n{}", mail.subject, mail.text, mail.html)))
        .collect();
    for (to, text) in texts {
        let (own, foreign) = match to.as_str() {
            "noc@langhenet.example" => ("relay–ceva", ["relay–alba", "relay–bene"].as_slice()),
            "noc@belbo.example" => ("relay–bene", ["relay–ceva", "hub–relay"].as_slice()),
            _ => continue,
        };
        assert!(!text.contains("non risponde alcun") || text.contains(own), "{text}");
        assert!(foreign.iter().all(|name| !text.contains(name)), "{text}");
    }
}

#[test]
fn a_bundle_on_its_backup_is_one_mail() {
    let mut hub = Hub::new();
    hub.world.set(&link("main"), Cap::Down);
    hub.minutes(60, false);
    assert_eq!(hub.world.caps[&bundle("pair")], Cap::Mbps(20.0));
    hub.world.set(&link("main"), Cap::Mbps(200.0));
    hub.minutes(60, false);
    assert_eq!(hub.mails.len(), 4, "{:?}", hub.mails);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn restarts_change_no_mail(
        story in prop::collection::vec((0..5usize, 0..4usize, 1..25usize, 0..8usize), 1..12),
        rodaggio in any::<bool>(),
    ) {
        let edges = ["trunk", "to-alba", "to-bene", "main", "spare"];
        let caps = [Cap::Mbps(300.0), Cap::Mbps(25.0), Cap::Down, Cap::Unknown];
        let play = |restarts: bool| {
            let period = Duration::from_hours(if rodaggio { 2 } else { 0 });
            let mut hub = Hub::with(NotifySettings { rodaggio: period, mails_per_hour: 4, ..NotifySettings::default() });
            for (edge, cap, minutes, said) in &story {
                hub.world.set(&link(edges[*edge]), caps[*cap]);
                hub.minutes(*minutes, restarts);
                let known = hub.engine.incidents().iter().filter(|i| i.number > 0 && i.is_live()).map(|i| i.number).min();
                match (said, known) {
                    (0, Some(incident)) => hub.say(Command::Act { incident, act: acknowledged() }),
                    (1, Some(incident)) => hub.say(Command::Act { incident, act: Act::Suspend { reason: "x".into() } }),
                    (2, Some(incident)) => hub.say(Command::Act { incident, act: Act::Resume }),
                    (3, _) => hub.say(works(hub.now, 20)),
                    (4, _) => hub.say(switch(true)),
                    _ => {}
                }
            }
            hub.minutes(60, false);
            if restarts {
                hub.restart();
            }
            hub.minutes(60, false);
            hub.mails
        };
        let (steady, restarted) = (play(false), play(true));
        prop_assert_eq!(&steady, &restarted);
        // Nobody gets two mails of one kind that comes once, about one incident.
        let once: Vec<&String> = steady
            .iter()
            .filter(|m| ["opened", "closed", "escalated"].iter().any(|k| m.contains(&format!(" {k} "))))
            .collect();
        let mut unique = once.clone();
        unique.sort();
        unique.dedup();
        prop_assert_eq!(once.len(), unique.len(), "{:?}", steady);
    }
}

fn acknowledged() -> Act {
    Act::Acknowledge { ticket: Some("T-1".into()), expected_repair: None, note: None }
}

fn works(now: UnixMillis, minutes: u64) -> Command {
    let to = now + Duration::from_mins(minutes);
    Command::AddWindow { place: Place::Link(link("trunk")), from: now, to, note: None, wisp: None }
}

fn switch(on: bool) -> Command {
    Command::SwitchWisp { wisp: crate::model::WispId::parse("langhenet").unwrap(), on }
}

#[test]
fn an_incident_that_nobody_takes_charge_of_is_escalated_once_then_reminded_each_morning() {
    let mut hub = Hub::new();
    hub.world.set(&link("trunk"), Cap::Down);
    // It is 06:00 on a Tuesday: critical, so two hours from 07:00 on.
    hub.minutes(170, false);
    assert_eq!(hub.sent("tecnico", "escalated"), 0, "{:?}", hub.mails);
    hub.minutes(60, false);
    assert_eq!(hub.sent("tecnico", "escalated"), 1, "{:?}", hub.mails);
    hub.minutes(3 * 1440, false);
    assert_eq!((hub.sent("tecnico", "escalated"), hub.sent("noc", "reminder")), (1, 3), "{:?}", hub.mails);
}

#[test]
fn whoever_takes_charge_is_left_in_peace() {
    let mut hub = Hub::new();
    hub.world.set(&link("trunk"), Cap::Down);
    hub.minutes(30, false);
    hub.say(Command::Act { incident: 1, act: acknowledged() });
    hub.say(Command::Act { incident: 1, act: acknowledged() });
    hub.minutes(2 * 1440, false);
    assert_eq!((hub.sent("tecnico", "escalated"), hub.sent("noc", "reminder")), (0, 0), "{:?}", hub.mails);
    // The staff hear of it, once; the operator knows.
    assert_eq!((hub.sent("tecnico", "changed"), hub.sent("noc", "changed")), (1, 0), "{:?}", hub.mails);
}

#[test]
fn announced_works_keep_everybody_quiet_and_what_outlasts_them_is_told() {
    let mut hub = Hub::new();
    hub.say(works(hub.now, 120));
    hub.world.set(&link("trunk"), Cap::Down);
    hub.minutes(115, false);
    assert_eq!(hub.mails, Vec::<String>::new());
    hub.minutes(10, false);
    assert_eq!((hub.sent("noc", "opened"), hub.sent("tecnico", "opened")), (1, 1), "{:?}", hub.mails);
    // What ends within the works is in the summary of the morning.
    let mut hub = Hub::new();
    hub.minutes(120, false);
    hub.say(works(hub.now, 120));
    hub.world.set(&link("trunk"), Cap::Down);
    hub.minutes(60, false);
    hub.world.set(&link("trunk"), Cap::Mbps(300.0));
    hub.minutes(60, false);
    assert_eq!(hub.mails, Vec::<String>::new());
    hub.minutes(1440, false);
    assert_eq!((hub.sent("noc", "digest"), hub.sent("tecnico", "digest")), (1, 1), "{:?}", hub.mails);
}

#[test]
fn in_rodaggio_only_the_staff_hear_once_a_day_and_then_each_operator_is_switched_on() {
    let mut hub = Hub::with(NotifySettings::default());
    let outage = |hub: &mut Hub| {
        hub.world.set(&link("trunk"), Cap::Down);
        hub.minutes(60, false);
        hub.world.set(&link("trunk"), Cap::Mbps(300.0));
        hub.minutes(60, false);
    };
    outage(&mut hub);
    hub.minutes(1440, true);
    assert_eq!(hub.mails, ["tecnico@unione.example rodaggio_digest "]);
    let mail = hub.store.documents(records::MAIL_OUT).unwrap().pop().unwrap().body;
    assert!(mail.contains("LangheNet (example): 2 mail"), "{mail}");
    // After 14 days the staff get mails, the operator not yet.
    for _ in 0..14 {
        hub.minutes(1440, false);
    }
    hub.mails.clear();
    outage(&mut hub);
    assert_eq!((hub.sent("tecnico", "opened"), hub.sent("noc", "opened")), (1, 0), "{:?}", hub.mails);
    let says_notified =
        |hub: &Hub| hub.store.documents(records::MAIL_OUT).unwrap().iter().any(|d| d.body.contains("avvisata alle"));
    assert!(!says_notified(&hub), "the staff must not read that an operator was told who was not");
    // Switched on in the middle of an outage, it is told of that too.
    hub.world.set(&link("trunk"), Cap::Down);
    hub.minutes(10, false);
    hub.say(switch(true));
    hub.minutes(50, false);
    hub.world.set(&link("trunk"), Cap::Mbps(300.0));
    hub.minutes(60, false);
    assert_eq!((hub.sent("noc", "opened"), hub.sent("noc", "closed")), (1, 1), "{:?}", hub.mails);
}
