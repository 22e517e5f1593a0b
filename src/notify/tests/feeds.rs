//! What machines are told, on the engine's own test network.

use super::super::feed::{Entry, Feed, Feeds};
use super::together::Hub;
use crate::alert::desk::{Act, Command};
use crate::alert::tests::world::{Cap, link};
use crate::config::settings::NotifySettings;
use crate::model::WispId;
use std::time::Duration;

fn feeds() -> Vec<Feed> {
    let wisp = |id| Some(WispId::parse(id).unwrap());
    vec![
        Feed::mqtt(),
        Feed::webhook("own", wisp("langhenet"), None),
        Feed::webhook("staff", None, None),
        Feed::webhook("other", wisp("belbo"), None),
    ]
}

fn hub(settings: NotifySettings) -> Hub {
    let mut hub = Hub::with(settings);
    hub.teller.feeds = Feeds { all: feeds(), ..Feeds::default() };
    hub
}

fn told(hub: &Hub) -> Vec<String> {
    hub.entries.iter().map(|e| format!("{} {} {}", e.feed, e.event.as_str(), e.incident)).collect()
}

fn of(hub: &Hub, feed: &str) -> Vec<Entry> {
    hub.entries.iter().filter(|e| e.feed == feed).cloned().collect()
}

/// An outage of an hour, with everything restarted after each minute or not.
fn outage(settings: NotifySettings, restarts: bool) -> Hub {
    let mut hub = hub(settings);
    hub.world.set(&link("trunk"), Cap::Down);
    hub.minutes(60, restarts);
    hub.world.set(&link("trunk"), Cap::Mbps(300.0));
    hub.minutes(60, restarts);
    hub
}

fn without_rodaggio() -> NotifySettings {
    NotifySettings { rodaggio: Duration::ZERO, ..NotifySettings::default() }
}

#[test]
fn a_root_is_told_once_and_its_end_once_and_no_consequence_ever() {
    let expected = [
        "mqtt opened VED-1",
        "webhook:own opened VED-1",
        "webhook:staff opened VED-1",
        "mqtt closed VED-1",
        "webhook:own closed VED-1",
        "webhook:staff closed VED-1",
    ];
    for restarts in [false, true] {
        let hub = outage(without_rodaggio(), restarts);
        assert_eq!(told(&hub), expected, "restarts: {restarts}");
        let mut ids: Vec<_> = hub.entries.iter().map(|e| e.event_id.clone()).collect();
        ids.dedup();
        assert_eq!(ids.len(), expected.len());
        let keys: Vec<_> = of(&hub, "mqtt").iter().map(|e| e.id.clone()).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        let opened: serde_json::Value = serde_json::from_str(&of(&hub, "webhook:own")[0].body).unwrap();
        assert_eq!(opened["event"], "opened");
        assert_eq!(opened["schema"], "vedetta.incident/1");
        assert_eq!(opened["incident"]["id"], "VED-1");
        assert_eq!(opened["event_id"], of(&hub, "webhook:own")[0].event_id.as_str());
        assert_eq!(of(&hub, "mqtt")[0].wisp, Some(WispId::parse("langhenet").unwrap()));
    }
}

#[test]
fn in_rodaggio_no_machine_is_told_anything() {
    let hub = outage(NotifySettings::default(), false);
    assert!(hub.entries.is_empty(), "{:?}", told(&hub));
}

#[test]
fn what_people_say_is_told_to_machines_after_a_while() {
    let mut hub = hub(without_rodaggio());
    hub.world.set(&link("trunk"), Cap::Down);
    hub.minutes(20, false);
    let ticket = Some("T-2231".to_owned());
    hub.say(Command::Act { incident: 1, act: Act::Acknowledge { ticket, expected_repair: None, note: None } });
    hub.minutes(5, true);
    assert_eq!(of(&hub, "webhook:own").len(), 1, "at least half an hour after the last word");
    hub.minutes(40, true);
    let own = of(&hub, "webhook:own");
    assert_eq!(own.len(), 2, "{:?}", told(&hub));
    let changed: serde_json::Value = serde_json::from_str(&own[1].body).unwrap();
    assert_eq!((changed["event"].as_str(), changed["incident"]["ticket"].as_str()), (Some("changed"), Some("T-2231")));
}
