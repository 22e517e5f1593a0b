//! A sample: one instant of one subject, with its readings.

use std::collections::BTreeMap;
use std::fmt;

use super::{Reading, UnixMillis};
use crate::catalogue::Measurement;

/// The closed list of tags. Their order is the order on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    Agent,
    Backhaul,
    Device,
    Direction,
    Incident,
    Link,
    Port,
    Radio,
    Service,
    Site,
    Wisp,
}

impl Tag {
    pub const ALL: [Self; 11] = [
        Self::Agent,
        Self::Backhaul,
        Self::Device,
        Self::Direction,
        Self::Incident,
        Self::Link,
        Self::Port,
        Self::Radio,
        Self::Service,
        Self::Site,
        Self::Wisp,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Backhaul => "backhaul",
            Self::Device => "device",
            Self::Direction => "direction",
            Self::Incident => "incident",
            Self::Link => "link",
            Self::Port => "port",
            Self::Radio => "radio",
            Self::Service => "service",
            Self::Site => "site",
            Self::Wisp => "wisp",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == text)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One instant of one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub measurement: &'static Measurement,
    pub tags: BTreeMap<Tag, String>,
    pub at: UnixMillis,
    /// Field name (of the catalogue) to reading.
    pub readings: BTreeMap<&'static str, Reading>,
    /// Text fields (of the catalogue, unit `text`): modulation names, models, firmware. Only in `radio_info`.
    pub texts: BTreeMap<&'static str, String>,
}

impl Sample {
    pub fn new(measurement: &'static Measurement, at: UnixMillis) -> Self {
        Self { measurement, tags: BTreeMap::new(), at, readings: BTreeMap::new(), texts: BTreeMap::new() }
    }

    #[must_use]
    pub fn tag(mut self, tag: Tag, value: impl Into<String>) -> Self {
        self.tags.insert(tag, value.into());
        self
    }

    /// Sets a field. The name must be in the catalogue: a name that is not is left out, and fails the tests.
    pub fn set(&mut self, name: &'static str, reading: Reading) {
        debug_assert!(
            self.measurement.field(name).is_some(),
            "{}.{name} is not in the catalogue",
            self.measurement.name
        );
        if let Some(field) = self.measurement.field(name) {
            self.readings.insert(field.name, reading);
        }
    }

    /// Sets a text field; the same rule as [`Sample::set`].
    pub fn set_text(&mut self, name: &'static str, text: impl Into<String>) {
        debug_assert!(
            self.measurement.field(name).is_some(),
            "{}.{name} is not in the catalogue",
            self.measurement.name
        );
        if let Some(field) = self.measurement.field(name) {
            self.texts.insert(field.name, text.into());
        }
    }

    /// The reading of a field; a field that the sample does not carry is `None`.
    pub fn reading(&self, name: &str) -> Option<Reading> {
        self.readings.get(name).copied()
    }

    pub fn tag_value(&self, tag: Tag) -> Option<&str> {
        self.tags.get(&tag).map(String::as_str)
    }
}
