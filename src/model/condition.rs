//! The closed list of conditions, and of each its defaults: hold times, thresholds, damping, severity, delivery.
//!
//! There is no rule language. A condition is one row of [`SPECS`] and one judge in `alert`; the settings of `hub.toml`
//! change the figures of a row for the whole network, for a kind of subject, or for one subject.

pub mod page;
mod specs;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use specs::SPECS;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A link, bundle or backhaul carries less than what is required of it.
    CapacityBelow,
    /// A link, bundle or backhaul carries nothing.
    LinkDown,
    /// A site has less than its target.
    SiteBelowTarget,
    /// A bundle works on a member that should stand by.
    OnStandby,
    /// A bundle or a site works, with one path fewer than it was built with.
    RedundancyLost,
    /// Devices at a site run on batteries, or their supply is low.
    SitePower,
    /// A device that is no end of a link does not answer, while others at its site do.
    DeviceDown,
    /// A device does not answer, while its links are known to carry traffic.
    ManagementUnreachable,
    /// Echoes to a device, or through a backhaul, are lost.
    PacketLoss,
    /// Echoes to a device, or through a backhaul, take long.
    RoundTripTime,
    /// A radio receives less than it does at this hour on other days.
    SignalBelowBaseline,
    /// An Ethernet port has negotiated less than usual.
    PortBelowUsual,
    /// A link is up, and its capacity, known before, is known no longer.
    CapacityNotMeasurable,
    /// A service does not answer at a site.
    ServiceUnreachable,
    /// The certificate that an agent or the hub shows to the broker ends soon.
    CertificateExpiring,
    /// A device is too hot.
    Temperature,
    /// A backup job will not finish in its window.
    BackupWillNotFinish,
    /// An agent is not heard.
    AgentSilent,
    /// An agent's clock is wrong.
    ClockWrong,
    /// An agent refuses its part of the inventory.
    PartRefused,
    /// Two agents write under one name.
    ClonedAgent,
    /// Batches of an agent are known to be lost.
    SamplesLost,
    /// The hub hears nobody.
    HubBlind,
}

impl Condition {
    /// In the order of telling: of several about one subject the first tells about the others.
    pub const ALL: [Self; 23] = [
        Self::HubBlind,
        Self::AgentSilent,
        Self::SitePower,
        Self::LinkDown,
        Self::OnStandby,
        Self::CapacityBelow,
        Self::RedundancyLost,
        Self::SiteBelowTarget,
        Self::DeviceDown,
        Self::ManagementUnreachable,
        Self::PacketLoss,
        Self::RoundTripTime,
        Self::PortBelowUsual,
        Self::SignalBelowBaseline,
        Self::CapacityNotMeasurable,
        Self::ServiceUnreachable,
        Self::CertificateExpiring,
        Self::Temperature,
        Self::BackupWillNotFinish,
        Self::ClockWrong,
        Self::PartRefused,
        Self::ClonedAgent,
        Self::SamplesLost,
    ];

    /// As written in files, in JSON and in the ledger.
    pub fn as_str(self) -> &'static str {
        self.spec().word
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == word)
    }

    pub fn spec(self) -> &'static Spec {
        let at = SPECS.iter().position(|spec| spec.condition == self).expect("a test counts one row a condition");
        &SPECS[at]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Minor,
    Major,
    Critical,
}

impl Severity {
    pub const WORDS: &'static [&'static str] = &["minor", "major", "critical"];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Minor, Self::Major, Self::Critical].into_iter().find(|s| s.as_str() == word)
    }
}

/// When people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// As soon as the hold time is over.
    #[default]
    AtOnce,
    /// With the next daily digest.
    Digest,
}

impl Delivery {
    pub const WORDS: &'static [&'static str] = &["at_once", "digest"];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtOnce => "at_once",
            Self::Digest => "digest",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::AtOnce, Self::Digest].into_iter().find(|d| d.as_str() == word)
    }
}

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A link, bundle or backhaul.
    Edge,
    /// A bundle or a site.
    BundleOrSite,
    Site,
    /// A device or a backhaul.
    DeviceOrBackhaul,
    Device,
    /// A service as one site sees it.
    Service,
    Backup,
    Agent,
    AgentOrHub,
    Hub,
}

impl About {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "link, bundle or backhaul",
            Self::BundleOrSite => "bundle or site",
            Self::Site => "site",
            Self::DeviceOrBackhaul => "device or backhaul",
            Self::Device => "device",
            Self::Service => "service, from one site",
            Self::Backup => "backup job",
            Self::Agent => "agent",
            Self::AgentOrHub => "agent or hub",
            Self::Hub => "hub",
        }
    }
}

/// From which figure on something is wrong, and from which it is well again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    pub open: f64,
    pub close: f64,
    /// The unit of both, as people write it.
    pub unit: &'static str,
    /// What may be set.
    pub range: (f64, f64),
    pub meaning: &'static str,
}

impl Threshold {
    /// Wrong above it: closing lies below opening.
    pub fn is_upper(&self) -> bool {
        self.close <= self.open
    }
}

/// Flap damping: so many openings within the window make one incident that stays open until all has been quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damping {
    pub openings: u32,
    pub window: Duration,
    pub quiet: Duration,
}

/// One condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spec {
    pub condition: Condition,
    pub word: &'static str,
    pub about: About,
    /// How long it must last to open.
    pub open: Duration,
    /// How long it must be well to close.
    pub close: Duration,
    pub threshold: Option<Threshold>,
    pub damping: Damping,
    pub severity: Severity,
    pub delivery: Delivery,
    /// The operator of the equipment is told, and not only the staff.
    pub tells_operator: bool,
    pub title_it: &'static str,
    pub title_en: &'static str,
    /// For the page of the docs: what it means, why the defaults are as they are, what to do.
    pub meaning: &'static str,
    pub why: &'static str,
    pub to_do: &'static str,
}

impl Spec {
    /// The higher the figure the worse.
    pub fn worse_is_higher(&self) -> bool {
        self.threshold.is_some_and(|t| t.is_upper())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_has_one_row_and_one_word() {
        for condition in Condition::ALL {
            assert_eq!(SPECS.iter().filter(|s| s.condition == condition).count(), 1, "{condition:?}");
            assert_eq!(Condition::parse(condition.as_str()), Some(condition));
            assert_eq!(serde_json::to_string(&condition).unwrap(), format!("\"{}\"", condition.as_str()));
        }
        assert_eq!(SPECS.len(), Condition::ALL.len());
    }

    #[test]
    fn defaults_are_within_their_ranges_and_have_room_between() {
        for spec in &SPECS {
            if let Some(t) = spec.threshold {
                let (min, max) = t.range;
                assert!((min..=max).contains(&t.open) && (min..=max).contains(&t.close), "{}", spec.word);
                assert!((t.open - t.close).abs() > 0.0, "{} opens where it closes", spec.word);
            }
            assert!(spec.damping.openings >= 2, "{}", spec.word);
            // What stays open for a day after the last event needs no damping of its own.
            assert!(spec.damping.quiet >= spec.close || spec.open.is_zero(), "{}", spec.word);
        }
    }
}
