//! The figures that a condition is judged by for one subject: defaults, then what is set for the network, for the
//! kind of subject, for the subject itself; the later wins, key by key. `[P]`

use std::time::Duration;

use super::incident::{Condition, Delivery, Severity, Subject};
use crate::config::settings::{AlertSettings, ConditionSettings};
use crate::model::condition::Damping;
use crate::model::network::Network;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    pub enabled: bool,
    pub open: Duration,
    pub close: Duration,
    /// In the unit of the condition's threshold; 0 where it has none.
    pub threshold: f64,
    pub close_threshold: f64,
    pub damping: Damping,
    pub severity: Severity,
    pub delivery: Delivery,
}

impl Setting {
    fn by_default(settings: &AlertSettings, condition: Condition) -> Self {
        let spec = condition.spec();
        let scale = |d: Duration| d.div_f64(settings.speed);
        let (open, close) = match condition {
            Condition::CapacityBelow | Condition::SiteBelowTarget => (settings.capacity_open, settings.capacity_close),
            Condition::LinkDown | Condition::OnStandby => (settings.down_open, settings.down_close),
            _ => (scale(spec.open), scale(spec.close)),
        };
        let damping = Damping { window: scale(spec.damping.window), quiet: scale(spec.damping.quiet), ..spec.damping };
        Self {
            enabled: true,
            open,
            close,
            threshold: spec.threshold.map_or(0.0, |t| t.open),
            close_threshold: spec.threshold.map_or(0.0, |t| t.close),
            damping,
            severity: spec.severity,
            delivery: spec.delivery,
        }
    }

    fn apply(&mut self, set: &ConditionSettings, speed: f64) {
        let scale = |d: Duration| d.div_f64(speed);
        self.enabled = set.enabled.unwrap_or(self.enabled);
        self.open = set.open.map_or(self.open, scale);
        self.close = set.close.map_or(self.close, scale);
        if let Some(threshold) = set.threshold {
            // Room to close is kept where only the one is set.
            let room = self.close_threshold - self.threshold;
            self.close_threshold = (threshold + room).max(0.0);
            self.threshold = threshold;
        }
        self.close_threshold = set.close_threshold.unwrap_or(self.close_threshold);
        self.damping.openings = set.flaps.unwrap_or(self.damping.openings);
        self.damping.quiet = set.quiet.map_or(self.damping.quiet, scale);
        self.severity = set.severity.unwrap_or(self.severity);
        self.delivery = set.delivery.unwrap_or(self.delivery);
    }
}

/// All of them.
#[derive(Debug, Clone)]
pub struct Settings {
    base: Vec<Setting>,
    /// Those for a kind, then those for one subject, in the order of the file.
    narrower: Vec<ConditionSettings>,
    speed: f64,
}

impl Settings {
    pub fn new(settings: &AlertSettings) -> Self {
        let speed = settings.speed;
        let mut base: Vec<Setting> = Condition::ALL.iter().map(|c| Setting::by_default(settings, *c)).collect();
        for set in settings.conditions.iter().filter(|s| s.kind.is_none() && s.subject.is_none()) {
            if let Some(setting) = position(set.condition).and_then(|at| base.get_mut(at)) {
                setting.apply(set, speed);
            }
        }
        let of_kind = settings.conditions.iter().filter(|s| s.kind.is_some() && s.subject.is_none());
        let of_subject = settings.conditions.iter().filter(|s| s.subject.is_some());
        Self { base, narrower: of_kind.chain(of_subject).cloned().collect(), speed }
    }

    /// A constant on the clock that this engine runs by.
    pub fn scaled(&self, span: Duration) -> Duration {
        span.div_f64(self.speed)
    }

    /// For the network as a whole.
    pub fn base(&self, condition: Condition) -> Setting {
        position(condition).map_or(self.base[0], |at| self.base[at])
    }

    pub fn of(&self, condition: Condition, subject: &Subject, network: &Network) -> Setting {
        let mut setting = self.base(condition);
        for set in self.narrower.iter().filter(|s| s.condition == condition) {
            if concerns(set, subject, network) {
                setting.apply(set, self.speed);
            }
        }
        setting
    }
}

fn position(condition: Condition) -> Option<usize> {
    Condition::ALL.iter().position(|c| *c == condition)
}

fn concerns(set: &ConditionSettings, subject: &Subject, network: &Network) -> bool {
    let site_kind = || match subject {
        Subject::Site(id) | Subject::Agent(id) | Subject::Service(_, id) => {
            network.sites.get(id.as_str()).map(|s| s.kind.as_str())
        }
        Subject::Device(id) => {
            let site = network.devices.get(id.as_str()).map(|d| d.site.as_str())?;
            network.sites.get(site).map(|s| s.kind.as_str())
        }
        Subject::Edge(_) | Subject::Backup(_) | Subject::Hub => None,
    };
    let kind = set.kind.as_deref().is_none_or(|kind| kind == subject.kind() || Some(kind) == site_kind());
    kind && set.subject.as_deref().is_none_or(|id| id == subject.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::world::{World, link, site};

    fn set(condition: Condition) -> ConditionSettings {
        ConditionSettings::new(condition)
    }

    #[test]
    fn the_narrower_wins_key_by_key() {
        let minutes = Duration::from_mins;
        let conditions = vec![
            ConditionSettings {
                subject: Some("trunk".into()),
                open: Some(minutes(1)),
                ..set(Condition::SignalBelowBaseline)
            },
            ConditionSettings {
                kind: Some("link".into()),
                open: Some(minutes(30)),
                threshold: Some(9.0),
                ..set(Condition::SignalBelowBaseline)
            },
            ConditionSettings { close: Some(minutes(7)), ..set(Condition::SignalBelowBaseline) },
        ];
        let settings = Settings::new(&AlertSettings { conditions, ..AlertSettings::default() });
        let network = World::network();
        let of = |id| settings.of(Condition::SignalBelowBaseline, &Subject::Edge(link(id)), &network);
        assert_eq!((of("trunk").open, of("to-alba").open), (minutes(1), minutes(30)));
        assert_eq!((of("trunk").close, of("trunk").threshold), (minutes(7), 9.0));
        // Three dB between opening and closing, as by default.
        assert_eq!(of("trunk").close_threshold, 6.0);
        assert!(of("trunk").enabled);
    }

    #[test]
    fn kinds_of_sites_count_too() {
        let off = ConditionSettings {
            kind: Some("municipality".into()),
            enabled: Some(false),
            ..set(Condition::SiteBelowTarget)
        };
        let settings = Settings::new(&AlertSettings { conditions: vec![off], ..AlertSettings::default() });
        let of = |id| settings.of(Condition::SiteBelowTarget, &Subject::Site(site(id)), &World::network());
        assert!(!of("alba").enabled && of("relay").enabled);
    }

    #[test]
    fn a_faster_clock_scales_all_holds() {
        let settings = Settings::new(&AlertSettings::default().faster(60.0));
        for condition in Condition::ALL {
            let setting = settings.of(condition, &Subject::Hub, &World::network());
            assert_eq!(setting.open, condition.spec().open.div_f64(60.0), "{condition:?}");
        }
    }
}
