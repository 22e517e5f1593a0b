//! `<agent>/config`: an agent's part of the inventory, and what the agent says of it in its state.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Largest message: well below the 512 KiB that clients and brokers accept as one packet. A device takes some 250
/// bytes.
pub const PART_BYTES_MAX: usize = 256 * 1024;
/// Longest reason for a refusal that is passed on, characters.
pub const REASON_CHARS_MAX: usize = 400;

/// The message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartMessage {
    /// When the hub made it, Unix milliseconds; no two of one agent are equal. An agent that gets another one than it
    /// has takes it, whether larger or smaller: the hub decides, and may have been restored from a backup.
    pub revision: u64,
    /// TOML, by `config::schema::PART`.
    pub inventory: String,
    /// Absent where there is no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
}

/// Secrets by name, as a JSON object, sealed by `config::seal`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The agent's public key that it is sealed to.
    pub key: Key,
    pub encapsulated: Key,
    pub text: Bytes,
}

/// What an agent says of its part.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PartState {
    /// The agent's public key; absent from one that reads its inventory from a file of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// In force; `None`: it has none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The last one that came, if it is not the one in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// `None`: the message could not be read so far.
    #[serde(default)]
    pub revision: Option<u64>,
    pub reason: String,
}

/// 32 bytes; hexadecimal as text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub [u8; 32]);

/// Bytes; hexadecimal as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 64 hexadecimal digits")]
pub struct NoKey;

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|n| char::from_digit(n.into(), 16)).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|n| n as u8)).collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Key {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let bytes = if text.len() == 64 { from_hex(text) } else { None };
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NoKey)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        from_hex(&text).map(Self).ok_or_else(|| serde::de::Error::custom("must be pairs of hexadecimal digits"))
    }
}

/// Why a message is not read.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    #[error("message of {0} bytes: at most {PART_BYTES_MAX} are read")]
    TooLarge(usize),
    #[error("message is not what its topic promises")]
    Json(#[source] serde_json::Error),
}

/// Reads the message. Keys that are not known are ignored.
pub fn decode(payload: &[u8]) -> Result<PartMessage, PartError> {
    if payload.len() > PART_BYTES_MAX {
        return Err(PartError::TooLarge(payload.len()));
    }
    serde_json::from_slice(payload).map_err(PartError::Json)
}

/// Cuts a reason to what is passed on.
pub fn short(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_back_and_newer_ones_are_understood() {
        let sealed = Sealed { key: Key([1; 32]), encapsulated: Key([0xab; 32]), text: Bytes(vec![0, 255]) };
        let message = PartMessage { revision: 7, inventory: "a = 1\n".into(), sealed: Some(sealed) };
        let text = serde_json::to_vec(&message).unwrap();
        assert_eq!(decode(&text).unwrap(), message);
        let newer = br#"{"revision":1,"inventory":"","sealed":null,"mood":[1]}"#;
        assert_eq!(decode(newer).unwrap().sealed, None);
        for bad in [&b"{}"[..], b"", b"\xff", br#"{"revision":-1,"inventory":""}"#] {
            assert!(decode(bad).is_err());
        }
        assert!(matches!(decode(&vec![b' '; PART_BYTES_MAX + 1]), Err(PartError::TooLarge(_))));
    }

    #[test]
    fn keys_are_hexadecimal() {
        let key: Key = "0f".repeat(32).parse().unwrap();
        assert_eq!((key.0[31], key.to_string()), (15, "0f".repeat(32)));
        for bad in ["", "0f", &"0g".repeat(32), &"0".repeat(63), &"é".repeat(32)] {
            assert_eq!(bad.parse::<Key>(), Err(NoKey), "{bad}");
        }
    }
}
