//! The retained JSON messages: an agent's state, the hub's state, and what is stored. Unknown keys are ignored; keys
//! that came later have defaults.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::batch::ClockQuality;
use super::part::PartState;
use super::ranges::RangeSet;
use crate::model::UnixMillis;

/// Largest retained message that is looked at. `stored` is the largest, see [`super::ranges::RANGES_SENT_MAX`].
pub const STATE_BYTES_MAX: usize = 256 * 1024;

/// `<agent>/state`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentState {
    pub online: bool,
    pub version: String,
    /// Absent from a last will, which is written before anything is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spool: Option<SpoolState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockQuality>,
    /// The agent's wall clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<UnixMillis>,
    /// Absent where the agent does not ask the hub what to measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<PartState>,
    /// End of the validity of the agent's client certificate; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<UnixMillis>,
}

/// What an agent's spool holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SpoolState {
    /// Batches not known to be stored.
    pub batches: u64,
    /// Bytes on the agent's disk.
    pub bytes: u64,
    /// Batches given up because of a bound, since the agent started.
    pub evicted_batches: u64,
    /// Damaged records found, since the agent started.
    pub corrupt_records: u64,
    /// Batches that could not be written, since the agent started.
    pub dropped_batches: u64,
}

impl AgentState {
    /// The last will.
    pub fn offline(version: &str) -> Self {
        Self {
            online: false,
            version: version.to_owned(),
            spool: None,
            clock: None,
            at: None,
            part: None,
            certificate_expires_at: None,
        }
    }
}

/// `_hub/state`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubState {
    pub online: bool,
    /// Another boot, or another session of one boot, has received nothing that was sent before.
    pub boot: Uuid,
    /// Counts the hub's connections to the broker within one boot.
    #[serde(default)]
    pub session: u64,
    pub version: String,
}

/// `<agent>/stored`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub ledger: Uuid,
    /// A text in JSON, for numbers above 2^53 do not survive every reader.
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub epoch: u64,
    pub ranges: RangeSet,
    /// When the last of them arrived, by the hub's clock.
    #[serde(default)]
    pub received_at: UnixMillis,
    /// The run of the hub that says so. Another run may know less, when its ledger comes from a backup: its word takes
    /// the place of what was said before. `None`: a hub of an older version, whose word is only added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Uuid>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// Why a message is not read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("message of {0} bytes: at most {STATE_BYTES_MAX} are read")]
    TooLarge(usize),
    #[error("message is not what its topic promises")]
    Json(#[source] serde_json::Error),
}

/// Reads one of the above.
pub fn decode<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, StateError> {
    if payload.len() > STATE_BYTES_MAX {
        return Err(StateError::TooLarge(payload.len()));
    }
    serde_json::from_slice(payload).map_err(StateError::Json)
}

/// Writes one of the above.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    serde_json::to_vec(message).expect("these structures have only text keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_has_the_form_that_the_protocol_promises() {
        let stored = Stored {
            ledger: Uuid::from_u128(1),
            epoch: u64::MAX,
            ranges: [(1, 812), (840, 902)].into_iter().collect(),
            received_at: UnixMillis(1_790_000_000_000),
            boot: Some(Uuid::from_u128(2)),
        };
        let text = String::from_utf8(encode(&stored)).unwrap();
        assert_eq!(
            text,
            r#"{"ledger":"00000000-0000-0000-0000-000000000001","epoch":"18446744073709551615","ranges":[[1,812],[840,902]],"received_at":1790000000000,"boot":"00000000-0000-0000-0000-000000000002"}"#
        );
        assert_eq!(decode::<Stored>(text.as_bytes()).unwrap(), stored);
        let older = br#"{"ledger":"00000000-0000-0000-0000-000000000001","epoch":"1","ranges":[]}"#;
        assert_eq!(decode::<Stored>(older).unwrap().boot, None);
    }

    #[test]
    fn other_versions_are_understood() {
        let newer = br#"{"online":true,"version":"9","mood":"good","spool":{"batches":3,"colour":"red"}}"#;
        let state: AgentState = decode(newer).unwrap();
        assert_eq!(state.spool.unwrap().batches, 3);
        let older = br#"{"online":true,"boot":"00000000-0000-0000-0000-000000000001","version":"0"}"#;
        assert_eq!(decode::<HubState>(older).unwrap().session, 0);
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(decode::<Stored>(b"").is_err());
        assert!(decode::<Stored>(br#"{"ledger":"x","epoch":"1","ranges":[]}"#).is_err());
        assert!(matches!(decode::<Stored>(&vec![b' '; STATE_BYTES_MAX + 1]), Err(StateError::TooLarge(_))));
    }
}
