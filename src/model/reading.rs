//! A reading: a value with its provenance, or missing with a reason. Never a zero that stands for "unknown".

/// Why a value is missing. The codes travel on the wire as `<field>_missing=<code>` and never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Missing {
    /// The device did not answer in time.
    Timeout = 1,
    /// The device answered that it has no such object.
    NotOffered = 2,
    /// The device answered with the value by which its vendor says "none".
    Sentinel = 3,
    /// The value cannot be true for this family.
    Implausible = 4,
    /// The link is down, so the quantity does not exist now.
    LinkDown = 5,
    /// The device or the path to it is unreachable, or its port refuses.
    Unreachable = 6,
    /// The answer has another type than the object, or is text that is not a number.
    Malformed = 7,
    /// A counter without a usable previous value (first poll, restart, reset).
    NoBaseline = 8,
    /// The credentials were refused.
    Refused = 9,
    /// No sample has arrived for too long (said by the hub, never by an agent).
    Stale = 10,
    /// Nothing in the inventory or on the device measures this.
    NotMeasured = 11,
    /// The device offered it until its firmware changed.
    NoLongerOffered = 12,
}

impl Missing {
    pub const ALL: [Self; 12] = [
        Self::Timeout,
        Self::NotOffered,
        Self::Sentinel,
        Self::Implausible,
        Self::LinkDown,
        Self::Unreachable,
        Self::Malformed,
        Self::NoBaseline,
        Self::Refused,
        Self::Stale,
        Self::NotMeasured,
        Self::NoLongerOffered,
    ];

    pub fn code(self) -> u8 {
        self as u8
    }

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.code() == code)
    }

    /// The word used in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::NotOffered => "not offered",
            Self::Sentinel => "sentinel",
            Self::Implausible => "implausible",
            Self::LinkDown => "link down",
            Self::Unreachable => "unreachable",
            Self::Malformed => "malformed",
            Self::NoBaseline => "no baseline",
            Self::Refused => "refused",
            Self::Stale => "stale",
            Self::NotMeasured => "not measured",
            Self::NoLongerOffered => "no longer offered",
        }
    }
}

/// How a capacity is known. The codes travel on the wire as `<field>_from=<code>` and never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Provenance {
    /// The radio's own capacity object.
    Reported = 1,
    /// Modulation rate times the family's factor.
    Derived = 2,
    /// The negotiated Ethernet rate, less framing.
    Port = 3,
    /// A contract or shaper in the inventory.
    Declared = 4,
    /// An active test, or traffic seen passing.
    Measured = 5,
}

impl Provenance {
    pub const ALL: [Self; 5] = [Self::Reported, Self::Derived, Self::Port, Self::Declared, Self::Measured];

    pub fn code(self) -> u8 {
        self as u8
    }

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.code() == code)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Derived => "derived",
            Self::Port => "port",
            Self::Declared => "declared",
            Self::Measured => "measured",
        }
    }
}

/// A value, or missing with a reason.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    Value { value: f64, from: Option<Provenance> },
    Missing(Missing),
}

impl Reading {
    /// A measured value without a provenance of its own. Not-a-number and infinities become `Malformed`.
    pub fn value(value: f64) -> Self {
        Self::finite(value, None)
    }

    /// A value whose provenance matters (capacities).
    pub fn known(value: f64, from: Provenance) -> Self {
        Self::finite(value, Some(from))
    }

    fn finite(value: f64, from: Option<Provenance>) -> Self {
        if value.is_finite() { Self::Value { value, from } } else { Self::Missing(Missing::Malformed) }
    }

    pub fn get(self) -> Option<f64> {
        match self {
            Self::Value { value, .. } => Some(value),
            Self::Missing(_) => None,
        }
    }

    pub fn missing(self) -> Option<Missing> {
        match self {
            Self::Value { .. } => None,
            Self::Missing(why) => Some(why),
        }
    }

    pub fn provenance(self) -> Option<Provenance> {
        match self {
            Self::Value { from, .. } => from,
            Self::Missing(_) => None,
        }
    }

    /// The same reading with its value changed by `f`; a missing one stays missing for the same reason.
    #[must_use]
    pub fn map(self, f: impl FnOnce(f64) -> f64) -> Self {
        match self {
            Self::Value { value, from } => Self::finite(f(value), from),
            missing @ Self::Missing(_) => missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_stable_and_read_back() {
        for why in Missing::ALL {
            assert_eq!(Missing::from_code(why.code()), Some(why));
        }
        for from in Provenance::ALL {
            assert_eq!(Provenance::from_code(from.code()), Some(from));
        }
        assert_eq!(Missing::Timeout.code(), 1);
        assert_eq!(Missing::NotMeasured.code(), 11);
        assert_eq!(Missing::NoLongerOffered.code(), 12);
        assert_eq!(Provenance::Measured.code(), 5);
        assert_eq!(Missing::from_code(0), None);
    }

    #[test]
    fn a_value_that_is_no_number_is_missing() {
        assert_eq!(Reading::value(f64::NAN), Reading::Missing(Missing::Malformed));
        assert_eq!(Reading::value(f64::INFINITY), Reading::Missing(Missing::Malformed));
        assert_eq!(Reading::value(3.0).map(|v| v / 0.0), Reading::Missing(Missing::Malformed));
    }
}
