//! Scenarios: weather and trouble on a time line. `[P]`
//!
//! A scenario file has `name`, `description_it`, `description_en`, an optional `repeat` after which the time line
//! starts again, and `[[event]]` tables: `at` and `for` (texts such as `"20m"` or `"1h 30m"`, in scenario time),
//! `kind`, and the keys of that kind. Reading it finds every problem at once; whether the sites and links that it
//! names exist is asked of a network afterwards.

mod read;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use toml::de::DeTable;

use self::read::{read_scenario, syntax_problem};
use crate::model::network::{End, Network};
use crate::model::{BackhaulId, BundleId, DeviceId, LinkId, SiteId};

/// Rain comes and goes over this long.
const RAIN_RAMP: Duration = Duration::from_mins(2);
/// Wind turns a dish, and a person turns it back, over this long.
const DISH_RAMP: Duration = Duration::from_mins(1);

/// A scenario whose texts are parsed; the names in it are not yet known to exist.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    pub name: String,
    pub description_it: String,
    pub description_en: String,
    /// The time line starts again after this long.
    pub repeat: Option<Duration>,
    /// In order of their beginning.
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Of its `[[event]]` in the file, from 1.
    pub line: usize,
    pub at: Duration,
    pub lasts: Duration,
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// Rain within a circle. `attenuation_db` is what a 60 GHz path right across it loses, a shorter one as much less
    /// as it is shorter; 5 GHz hardly notices.
    RainFade {
        lat: f64,
        lon: f64,
        radius_km: f64,
        attenuation_db: f64,
    },
    /// A dish out of line: both ends lose as much.
    Misalignment {
        link: LinkId,
        loss_db: f64,
    },
    /// Another transmitter raises the noise at one end.
    Interference {
        link: LinkId,
        end: End,
        noise_db: f64,
    },
    LinkDown {
        link: LinkId,
    },
    /// Loss and delay between a backhaul's gateway and the Internet.
    CongestedBackhaul {
        backhaul: BackhaulId,
        loss_percent: f64,
        rtt_ms: f64,
    },
    /// Nothing beyond the gateway answers.
    BackhaulDown {
        backhaul: BackhaulId,
    },
    /// No device at the site answers.
    PowerCut {
        site: SiteId,
    },
    /// A firmware that has lost its capacity objects.
    FirmwareDropsOid {
        device: DeviceId,
    },
    /// The device's Ethernet port negotiates 100 Mbit/s.
    Port100 {
        device: DeviceId,
    },
    /// The main link of a 1+1 pair is down.
    Standby {
        bundle: BundleId,
    },
    /// The agent at the site has no way to the hub. It goes on polling.
    CutOff {
        site: SiteId,
    },
}

impl EventKind {
    const WORDS: [&'static str; 11] = [
        "rain-fade",
        "misalignment",
        "interference",
        "link-down",
        "congested-backhaul",
        "backhaul-down",
        "power-cut",
        "firmware-drops-oid",
        "port-100",
        "standby",
        "cut-off",
    ];

    fn ramp(&self) -> Duration {
        match self {
            Self::RainFade { .. } => RAIN_RAMP,
            Self::Misalignment { .. } => DISH_RAMP,
            _ => Duration::ZERO,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RainFade { lat, lon, radius_km, attenuation_db } => {
                write!(f, "rain within {radius_km} km of {lat}, {lon}: {attenuation_db} dB at 60 GHz")
            }
            Self::Misalignment { link, loss_db } => write!(f, "link {link}: dish out of line, {loss_db} dB"),
            Self::Interference { link, end, noise_db } => {
                let end = if *end == End::Near { "near" } else { "far" };
                write!(f, "link {link}: {noise_db} dB of interference at its {end} end")
            }
            Self::LinkDown { link } => write!(f, "link {link}: down"),
            Self::CongestedBackhaul { backhaul, loss_percent, rtt_ms } => {
                write!(f, "backhaul {backhaul}: congested, {loss_percent} % loss, {rtt_ms} ms")
            }
            Self::BackhaulDown { backhaul } => write!(f, "backhaul {backhaul}: down"),
            Self::PowerCut { site } => write!(f, "site {site}: no power"),
            Self::FirmwareDropsOid { device } => write!(f, "device {device}: firmware without capacity objects"),
            Self::Port100 { device } => write!(f, "device {device}: port at 100 Mbit/s"),
            Self::Standby { bundle } => write!(f, "bundle {bundle}: main link down"),
            Self::CutOff { site } => write!(f, "agent {site}: cut off from the hub, it goes on measuring"),
        }
    }
}

impl Event {
    pub fn end(&self) -> Duration {
        self.at + self.lasts
    }

    /// How much of its effect the event has at this time: 0 outside, 1 inside, between the two while it comes or
    /// goes. A short event comes and goes within its first and last quarter.
    pub fn intensity(&self, at: Duration) -> f64 {
        if at < self.at || at >= self.end() {
            return 0.0;
        }
        let ramp = self.kind.ramp().min(self.lasts / 4).as_secs_f64();
        if ramp <= 0.0 {
            return 1.0;
        }
        let risen = at.saturating_sub(self.at).as_secs_f64() / ramp;
        let left = self.end().saturating_sub(at).as_secs_f64() / ramp;
        risen.min(left).min(1.0)
    }
}

/// What happens at one time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effects<'a> {
    /// Events under way, each with its intensity above 0 and up to 1.
    pub active: Vec<(&'a Event, f64)>,
}

/// One thing wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScenarioProblem {
    /// From 1.
    pub line: usize,
    pub text: String,
}

impl fmt::Display for ScenarioProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

impl Scenario {
    /// Reads a scenario; returns every problem in it, in order of lines.
    pub fn parse(text: &str) -> Result<Self, Vec<ScenarioProblem>> {
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(errors.iter().map(|e| syntax_problem(text, e)).collect());
        }
        let mut problems = Vec::new();
        let scenario = read_scenario(text, document.get_ref(), &mut problems);
        if problems.is_empty() {
            Ok(scenario)
        } else {
            problems.sort();
            Err(problems)
        }
    }

    /// A strong fade, a power cut and other trouble on the example network; what the demo plays.
    pub fn demo() -> Self {
        Self::shipped(include_str!("../../configs/scenarios/default.toml"))
    }

    /// Fair weather.
    pub fn calm() -> Self {
        Self::shipped(include_str!("../../configs/scenarios/calm.toml"))
    }

    /// Half of the example network fades.
    pub fn storm() -> Self {
        Self::shipped(include_str!("../../configs/scenarios/storm.toml"))
    }

    /// A scenario that ships with the program, by the name of its file.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::demo()),
            "calm" => Some(Self::calm()),
            "storm" => Some(Self::storm()),
            _ => None,
        }
    }

    /// Agents that have no way to the hub after `elapsed` of scenario time.
    pub fn cut_off(&self, elapsed: Duration) -> BTreeSet<SiteId> {
        let cut = |event: &Event| match &event.kind {
            EventKind::CutOff { site } => Some(site.clone()),
            _ => None,
        };
        self.state(elapsed).active.iter().filter_map(|(event, _)| cut(event)).collect()
    }

    fn shipped(text: &str) -> Self {
        Self::parse(text).expect("the scenarios that ship with the program are read by a test")
    }

    /// Names in the scenario that the network does not know.
    pub fn check(&self, network: &Network) -> Vec<ScenarioProblem> {
        self.events.iter().filter_map(|event| check_event(event, network)).collect()
    }

    /// Where the time line is after `elapsed` of scenario time.
    pub fn position(&self, elapsed: Duration) -> Duration {
        match self.repeat {
            Some(repeat) if !repeat.is_zero() => {
                Duration::from_millis((elapsed.as_millis() % repeat.as_millis().max(1)) as u64)
            }
            _ => elapsed,
        }
    }

    /// What happens after `elapsed` of scenario time.
    pub fn state(&self, elapsed: Duration) -> Effects<'_> {
        let at = self.position(elapsed);
        let active = self.events.iter().map(|e| (e, e.intensity(at))).filter(|(_, i)| *i > 0.0).collect();
        Effects { active }
    }
}

fn check_event(event: &Event, network: &Network) -> Option<ScenarioProblem> {
    /// `None` where the name is known.
    fn missing<'a>(what: &str, id: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
        let names: Vec<&str> = known.collect();
        let near = || did_you_mean(id, &names);
        (!names.contains(&id)).then(|| format!("{what} \"{id}\" is not in the network{}", near()))
    }
    let text = match &event.kind {
        EventKind::RainFade { .. } => None,
        EventKind::Misalignment { link, .. } | EventKind::Interference { link, .. } | EventKind::LinkDown { link } => {
            missing("link", link.as_str(), network.links.keys().map(LinkId::as_str))
        }
        EventKind::CongestedBackhaul { backhaul, .. } | EventKind::BackhaulDown { backhaul } => {
            missing("backhaul", backhaul.as_str(), network.backhauls.keys().map(BackhaulId::as_str))
        }
        EventKind::CutOff { site } => {
            missing("a site with an agent:", site.as_str(), network.agents().map(|s| s.id.as_str()))
        }
        EventKind::PowerCut { site } => missing("site", site.as_str(), network.sites.keys().map(SiteId::as_str)),
        EventKind::FirmwareDropsOid { device } | EventKind::Port100 { device } => {
            missing("device", device.as_str(), network.devices.keys().map(DeviceId::as_str))
        }
        EventKind::Standby { bundle } => {
            missing("bundle", bundle.as_str(), network.bundles.keys().map(BundleId::as_str))
        }
    };
    text.map(|text| ScenarioProblem { line: event.line, text })
}

/// ` (did you mean "…"?)`, or nothing where no known word is near.
fn did_you_mean(word: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(word, k), k))
        .min()
        .filter(|(distance, _)| *distance <= 3.max(word.len() / 4))
        .map_or_else(String::new, |(_, k)| format!(" (did you mean \"{k}\"?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "name = \"n\"\ndescription_it = \"i\"\ndescription_en = \"e\"\n";

    fn minutes(m: u64) -> Duration {
        Duration::from_mins(m)
    }

    fn problems(body: &str) -> Vec<String> {
        match Scenario::parse(&format!("{HEAD}{body}")) {
            Ok(scenario) => panic!("accepted: {scenario:?}"),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn every_kind_is_read() {
        let one =
            |kind: &str, keys: &str| format!("[[event]]\nat = \"1m\"\nfor = \"1h 30m\"\nkind = \"{kind}\"\n{keys}\n");
        let text = [
            HEAD.to_owned(),
            one("rain-fade", "lat = 44.49\nlon = 8\nradius_km = 6\nattenuation_db = 18.5"),
            one("misalignment", "link = \"a-b\"\nloss_db = 20"),
            one("interference", "link = \"a-b\"\nend = \"far\"\nnoise_db = 12"),
            one("link-down", "link = \"a-b\""),
            one("congested-backhaul", "backhaul = \"b\"\nloss_percent = 3\nrtt_ms = 180"),
            one("backhaul-down", "backhaul = \"b\""),
            one("power-cut", "site = \"s\""),
            one("firmware-drops-oid", "device = \"d\""),
            one("port-100", "device = \"d\""),
            one("standby", "bundle = \"b\""),
            one("cut-off", "site = \"s\""),
        ]
        .concat();
        let scenario = Scenario::parse(&text).expect("all of it is right");
        assert_eq!(scenario.events.len(), EventKind::WORDS.len());
        assert_eq!(scenario.events[0].line, 4);
        assert_eq!(scenario.events[0].lasts, minutes(90));
        let rain = EventKind::RainFade { lat: 44.49, lon: 8.0, radius_km: 6.0, attenuation_db: 18.5 };
        assert_eq!(scenario.events[0].kind, rain);
        // In words for the log, none of them empty.
        assert!(scenario.events.iter().all(|e| !e.kind.to_string().is_empty()));
    }

    #[test]
    fn all_problems_are_found_at_once_with_their_lines() {
        let found = problems(
            "repeat = 5\nweather = \"wet\"\n\
             [[event]]\nat = \"soon\"\nfor = \"0s\"\nkind = \"misalignment\"\nlink = \"A b\"\nloss_db = 500\n\
             [[event]]\nat = \"1m\"\nkind = \"rain-fad\"\n\
             [[event]]\nat = \"1m\"\nfor = \"1m\"\nkind = \"interference\"\nlink = \"a\"\nend = \"left\"\nnoise_dbm = 3\n",
        );
        assert_eq!(
            found,
            [
                "line 4: repeat: must be a time up to 31 days such as \"90s\", \"20m\" or \"1h 30m\"",
                "line 5: unknown key `weather`",
                "line 7: at: must be a time up to 31 days such as \"90s\", \"20m\" or \"1h 30m\"",
                "line 8: for: must be longer than 0",
                "line 10: link: \"A b\" must have only lower-case letters a-z, digits and hyphens",
                "line 11: loss_db: 500 must be between 0.1 and 100",
                "line 12: `for` is missing",
                "line 14: kind: \"rain-fad\" must be one of rain-fade, misalignment, interference, link-down, \
                 congested-backhaul, backhaul-down, power-cut, firmware-drops-oid, port-100, standby, cut-off \
                 (did you mean \"rain-fade\"?)",
                "line 15: `noise_db` is missing",
                "line 20: end: \"left\" must be \"near\" or \"far\"",
                "line 21: unknown key `noise_dbm` (did you mean \"noise_db\"?)",
            ]
        );
    }

    #[test]
    fn wrong_shapes_and_syntax_are_problems_too() {
        let check = |body: &str, expected: &str| {
            let found = problems(body);
            assert!(found.iter().any(|p| p.contains(expected)), "{found:?} should have {expected:?}");
        };
        check("event = 3", "line 4: `event` must be written as [[event]] tables");
        check("event = [1]", "line 4: an event must be a table");
        check(
            "repeat = \"10m\"\n[[event]]\nat = \"5m\"\nfor = \"6m\"\nkind = \"link-down\"\nlink = \"a\"",
            "line 5: the event ends after",
        );
        check("x = = 3", "line 4: ");
        check(
            "[[event]]\nat = \"-5m\"\nfor = \"1m\"\nkind = \"link-down\"\nlink = \"a\"",
            "line 5: at: must be a time",
        );
        assert!(Scenario::parse("").is_err());
    }

    #[test]
    fn shipped_scenarios_are_right_and_every_round_ends_calm() {
        for scenario in [Scenario::demo(), Scenario::calm(), Scenario::storm()] {
            for text in [&scenario.name, &scenario.description_it, &scenario.description_en] {
                assert!(!text.is_empty());
            }
            let end = scenario.repeat.unwrap_or(minutes(1));
            let last = end.saturating_sub(Duration::from_secs(1));
            assert_eq!(scenario.state(last), Effects::default(), "{}", scenario.name);
        }
        // Seen within two minutes at thirty times the clock, held for its fifteen, and over within four.
        let first = &Scenario::demo().events[0];
        assert!(first.at + minutes(15 + 5) < minutes(2 * 30) && first.lasts >= minutes(15 + 5));
        assert!(first.end() + minutes(15 + 5) < minutes(4 * 30));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = Scenario::parse(&text);
            let _ = Scenario::parse(&format!("{HEAD}[[event]]\n{text}"));
        }
    }

    fn rain(at: Duration, lasts: Duration) -> Event {
        let kind = EventKind::RainFade { lat: 0.0, lon: 0.0, radius_km: 1.0, attenuation_db: 20.0 };
        Event { line: 1, at, lasts, kind }
    }

    #[test]
    fn rain_comes_and_goes_over_two_minutes() {
        let event = rain(minutes(10), minutes(25));
        let check = |seconds: u64, expected: f64| {
            let intensity = event.intensity(Duration::from_secs(seconds));
            assert!((intensity - expected).abs() < 1e-9, "after {seconds} s: {intensity}");
        };
        check(0, 0.0);
        check(599, 0.0);
        check(600, 0.0);
        check(630, 0.25);
        check(660, 0.5);
        check(720, 1.0);
        check(1500, 1.0);
        check(2040, 0.5);
        check(2100, 0.0);
        // Two minutes in all: thirty seconds up, thirty down.
        let short = rain(Duration::ZERO, minutes(2));
        assert!((short.intensity(Duration::from_secs(15)) - 0.5).abs() < 1e-9);
        assert!((short.intensity(minutes(1)) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn other_events_are_there_or_not_and_the_time_line_repeats() {
        let down = Event {
            line: 1,
            at: minutes(5),
            lasts: minutes(5),
            kind: EventKind::LinkDown { link: LinkId::parse("a-b").expect("an id") },
        };
        let scenario = Scenario {
            name: String::new(),
            description_it: String::new(),
            description_en: String::new(),
            repeat: Some(minutes(60)),
            events: vec![down, rain(minutes(8), minutes(20))],
        };
        let active = |m: u64| scenario.state(minutes(m)).active.len();
        assert_eq!([active(0), active(5), active(9), active(10), active(30)], [0, 1, 2, 1, 0]);
        assert_eq!(active(60 + 9), 2);
        assert_eq!(scenario.state(minutes(7)).active[0].1, 1.0);
    }
}
