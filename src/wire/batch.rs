//! A batch on the wire: line protocol, usually packed with gzip, and its description as MQTT 5 user properties.
//!
//! | property | content |
//! |---|---|
//! | `epoch`, `seq` | with the agent's name, the key that the hub deduplicates by |
//! | `first` | oldest sequence number that the agent still holds and does not know to be stored |
//! | `boot`, `mono_ms`, `made_at` | which run of the agent made the batch, and its two clocks at that moment |
//! | `clock` | what the agent knew of its wall clock at that moment: `unset`, `set`, `synced` |
//! | `sent_at` | the agent's wall clock when it handed this copy to the broker |
//! | `send` | `fresh`: the first copy of a batch just made; `again`: backlog and repeats |
//! | `encoding` | `gzip` or `none` |
//! | `crc` | CRC-32 (IEEE 802.3) of the unpacked payload, eight hex digits |
//!
//! Numbers are decimal texts, times milliseconds since 1970. Unknown properties are ignored, and what came later than
//! the first version (`made_at`, `send`) may be absent.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::model::{MonoMillis, UnixMillis};

/// Largest payload as sent: with its properties it stays below the packet limits that brokers are often given.
pub const PACKED_BYTES_MAX: usize = 64 * 1024;
/// Largest payload unpacked: what a hub allocates for one message, whatever the message claims.
pub const UNPACKED_BYTES_MAX: usize = 1024 * 1024;
/// User properties looked at; the rest of a hostile message is ignored.
const PROPERTIES_MAX: usize = 64;

/// Before this instant (2026-01-01T00:00:00Z, the year of this program's first version) a clock was never set.
pub const CLOCK_FLOOR: UnixMillis = UnixMillis(1_767_225_600_000);

/// What an agent knows of its wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockQuality {
    /// Before [`CLOCK_FLOOR`]: a relay that has not yet heard the time.
    Unset,
    /// Plausible; whether anything keeps it right is not known.
    #[default]
    Set,
    /// The machine says that it is synchronised.
    Synced,
}

impl ClockQuality {
    pub const ALL: [Self; 3] = [Self::Unset, Self::Set, Self::Synced];

    /// `synchronised` is what the machine says of itself.
    pub fn judge(now: UnixMillis, synchronised: bool) -> Self {
        match (now < CLOCK_FLOOR, synchronised) {
            (true, _) => Self::Unset,
            (false, true) => Self::Synced,
            (false, false) => Self::Set,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Set => "set",
            Self::Synced => "synced",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Gzip,
    None,
}

impl Encoding {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::None => "none",
        }
    }
}

/// The user properties of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchHeader {
    pub epoch: u64,
    /// From 1.
    pub seq: u64,
    pub first: u64,
    pub boot: u64,
    pub mono_ms: MonoMillis,
    /// `None` from an agent that does not say.
    pub made_at: Option<UnixMillis>,
    pub sent_at: UnixMillis,
    pub clock: ClockQuality,
    /// The first copy of a batch just made.
    pub fresh: bool,
    pub encoding: Encoding,
    pub crc: u32,
}

/// Why properties do not describe a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("property {0} is missing")]
    Missing(&'static str),
    #[error("property {name} has the value {value:?}")]
    Bad { name: &'static str, value: String },
}

impl BatchHeader {
    pub fn to_properties(&self) -> Vec<(String, String)> {
        let mut properties = vec![
            ("epoch", self.epoch.to_string()),
            ("seq", self.seq.to_string()),
            ("first", self.first.to_string()),
            ("boot", self.boot.to_string()),
            ("mono_ms", self.mono_ms.0.to_string()),
            ("sent_at", self.sent_at.0.to_string()),
            ("clock", self.clock.as_str().to_owned()),
            ("send", if self.fresh { "fresh" } else { "again" }.to_owned()),
            ("encoding", self.encoding.as_str().to_owned()),
            ("crc", format!("{:08x}", self.crc)),
        ];
        if let Some(made_at) = self.made_at {
            properties.push(("made_at", made_at.0.to_string()));
        }
        properties.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
    }

    pub fn parse(properties: &[(String, String)]) -> Result<Self, HeaderError> {
        let find = |name: &str| {
            properties.iter().take(PROPERTIES_MAX).find(|(key, _)| key == name).map(|(_, value)| value.as_str())
        };
        let text = |name: &'static str| find(name).ok_or(HeaderError::Missing(name));
        let bad = |name: &'static str, value: &str| HeaderError::Bad { name, value: value.chars().take(40).collect() };
        let number = |name: &'static str| {
            let value = text(name)?;
            value.parse::<u64>().map_err(|_| bad(name, value))
        };
        let instant = |name: &'static str| {
            let value = text(name)?;
            value.parse::<i64>().map(UnixMillis).map_err(|_| bad(name, value))
        };
        let seq = number("seq")?;
        let first = number("first")?;
        if seq == 0 {
            return Err(bad("seq", "0"));
        }
        if first == 0 || first > seq {
            return Err(bad("first", &first.to_string()));
        }
        let clock = text("clock")?;
        let encoding = text("encoding")?;
        let crc = text("crc")?;
        Ok(Self {
            epoch: number("epoch")?,
            seq,
            first,
            boot: number("boot")?,
            mono_ms: MonoMillis(number("mono_ms")?),
            made_at: find("made_at").map(|_| instant("made_at")).transpose()?,
            sent_at: instant("sent_at")?,
            // A quality that a newer agent knows is at least not "unset".
            clock: ClockQuality::ALL.into_iter().find(|c| c.as_str() == clock).unwrap_or_default(),
            fresh: find("send") == Some("fresh"),
            encoding: match encoding {
                "gzip" => Encoding::Gzip,
                "none" => Encoding::None,
                _ => return Err(bad("encoding", encoding)),
            },
            crc: u32::from_str_radix(crc, 16).ok().filter(|_| crc.len() == 8).ok_or_else(|| bad("crc", crc))?,
        })
    }
}

/// Why a payload is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("payload of {0} bytes: at most {PACKED_BYTES_MAX} are allowed")]
    TooLarge(usize),
    #[error("payload unpacks to more than {UNPACKED_BYTES_MAX} bytes")]
    UnpacksTooLarge,
    #[error("payload is not gzip: {0}")]
    NotGzip(String),
    #[error("payload has checksum {found:08x}, its description says {wanted:08x}")]
    Checksum { found: u32, wanted: u32 },
}

/// A payload ready for the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    pub bytes: Vec<u8>,
    /// Of the unpacked payload.
    pub crc: u32,
    pub unpacked_len: u32,
}

/// Packs a payload of at most [`UNPACKED_BYTES_MAX`] bytes; refuses one that stays above [`PACKED_BYTES_MAX`].
pub fn pack(payload: &[u8]) -> Result<Packed, PayloadError> {
    if payload.len() > UNPACKED_BYTES_MAX {
        return Err(PayloadError::UnpacksTooLarge);
    }
    let bytes = gzip(payload);
    if bytes.len() > PACKED_BYTES_MAX {
        return Err(PayloadError::TooLarge(bytes.len()));
    }
    Ok(Packed { bytes, crc: crc32fast::hash(payload), unpacked_len: payload.len() as u32 })
}

/// Gzip (RFC 1952) at its best level, without a time stamp: equal payloads give equal bytes.
pub fn gzip(payload: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(payload.len() / 4 + 64), Compression::best());
    encoder.write_all(payload).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}

/// Unpacks and verifies. Allocates at most a little over [`UNPACKED_BYTES_MAX`], whatever the payload is.
pub fn unpack(encoding: Encoding, payload: &[u8], crc: u32) -> Result<Vec<u8>, PayloadError> {
    if payload.len() > PACKED_BYTES_MAX {
        return Err(PayloadError::TooLarge(payload.len()));
    }
    let unpacked = match encoding {
        Encoding::None => payload.to_vec(),
        Encoding::Gzip => {
            let mut unpacked = Vec::new();
            GzDecoder::new(payload)
                .take(UNPACKED_BYTES_MAX as u64 + 1)
                .read_to_end(&mut unpacked)
                .map_err(|e| PayloadError::NotGzip(e.to_string()))?;
            if unpacked.len() > UNPACKED_BYTES_MAX {
                return Err(PayloadError::UnpacksTooLarge);
            }
            unpacked
        }
    };
    let found = crc32fast::hash(&unpacked);
    if found != crc {
        return Err(PayloadError::Checksum { found, wanted: crc });
    }
    Ok(unpacked)
}

/// Cuts line protocol into parts that [`pack`] accepts, between lines, each with its number of lines. The second figure
/// counts lines that are too long for a batch of their own and were left out.
pub fn pack_lines(payload: &[u8]) -> (Vec<(Packed, u32)>, u32) {
    let mut parts = Vec::new();
    let mut too_long = 0;
    let mut rest = vec![payload];
    while let Some(text) = rest.pop() {
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match (pack(text), middle_line_break(text)) {
            (Ok(packed), _) => parts.push((packed, count_lines(text))),
            // The second half is pushed first: the parts stay in order.
            (Err(_), Some(at)) => rest.extend([&text[at..], &text[..at]]),
            (Err(_), None) => too_long += 1,
        }
    }
    (parts, too_long)
}

fn count_lines(text: &[u8]) -> u32 {
    text.split(|b| *b == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace)).count() as u32
}

/// Where to cut: after the line break nearest to the middle that leaves something on both sides.
fn middle_line_break(text: &[u8]) -> Option<usize> {
    let inner = &text[..text.len().saturating_sub(1)];
    let middle = inner.len() / 2;
    let after = inner[middle..].iter().position(|b| *b == b'\n').map(|at| middle + at + 1);
    after.or_else(|| inner[..middle].iter().rposition(|b| *b == b'\n').map(|at| at + 1))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn header() -> BatchHeader {
        BatchHeader {
            epoch: 18_000_000_000_000_000_000,
            seq: 42,
            first: 7,
            boot: 99,
            mono_ms: MonoMillis(123_456),
            made_at: Some(UnixMillis(1_790_000_000_000)),
            sent_at: UnixMillis(-5),
            clock: ClockQuality::Unset,
            fresh: true,
            encoding: Encoding::Gzip,
            crc: 0x00ab_cdef,
        }
    }

    fn with(name: &str, value: Option<&str>) -> Result<BatchHeader, HeaderError> {
        let mut properties = header().to_properties();
        properties.retain(|(k, _)| k != name);
        properties.extend(value.map(|v| (name.to_owned(), v.to_owned())));
        BatchHeader::parse(&properties)
    }

    #[test]
    fn header_goes_there_and_back() {
        assert_eq!(BatchHeader::parse(&header().to_properties()), Ok(header()));
    }

    #[test]
    fn unknown_and_later_properties_do_no_harm() {
        assert_eq!(with("flavour", Some("lemon")), Ok(header()));
        assert_eq!(with("made_at", None).unwrap().made_at, None);
        assert!(!with("send", None).unwrap().fresh);
        assert_eq!(with("clock", Some("atomic")).unwrap().clock, ClockQuality::Set);
    }

    #[test]
    fn bad_properties_are_named() {
        assert_eq!(with("epoch", None), Err(HeaderError::Missing("epoch")));
        for (name, value) in [
            ("seq", "0"),
            ("seq", "-1"),
            ("seq", "18446744073709551616"),
            ("first", "0"),
            ("first", "43"),
            ("encoding", "zstd"),
            ("crc", "xyz"),
            ("crc", "+0abcdef0"),
            ("crc", "abc"),
            ("sent_at", "now"),
        ] {
            let error = with(name, Some(value)).unwrap_err();
            assert!(matches!(error, HeaderError::Bad { name: n, .. } if n == name), "{name}={value}: {error}");
        }
    }

    #[test]
    fn a_bomb_does_not_unpack() {
        let bomb = gzip(&vec![b'0'; UNPACKED_BYTES_MAX + 1]);
        assert!(bomb.len() < PACKED_BYTES_MAX);
        assert_eq!(unpack(Encoding::Gzip, &bomb, 0), Err(PayloadError::UnpacksTooLarge));
        let large = vec![0; PACKED_BYTES_MAX + 1];
        assert_eq!(unpack(Encoding::None, &large, 0), Err(PayloadError::TooLarge(PACKED_BYTES_MAX + 1)));
    }

    #[test]
    fn damage_is_seen() {
        let packed = pack(b"ping rtt_ms=1.5 1\n").unwrap();
        assert_eq!(unpack(Encoding::Gzip, &packed.bytes, packed.crc).unwrap(), b"ping rtt_ms=1.5 1\n");
        let wrong = unpack(Encoding::Gzip, &packed.bytes, packed.crc ^ 1);
        assert!(matches!(wrong, Err(PayloadError::Checksum { .. })));
        assert!(matches!(unpack(Encoding::Gzip, b"plain", 0), Err(PayloadError::NotGzip(_))));
        assert_eq!(unpack(Encoding::None, b"123456789", 0xcbf4_3926).unwrap(), b"123456789");
    }

    #[test]
    fn large_payloads_are_cut_between_lines() {
        // Digits of a small generator: they pack to about half.
        let mut state = 7_u64;
        let mut text = String::new();
        for n in 0..40_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            writeln!(text, "radio,site=a rsl_dbm={} {n}", state >> 20).unwrap();
        }
        let (parts, too_long) = pack_lines(text.as_bytes());
        assert!(parts.len() > 4 && too_long == 0);
        assert_eq!(parts.iter().map(|p| p.1).sum::<u32>(), 40_000);
        let joined: Vec<u8> =
            parts.iter().flat_map(|(p, _)| unpack(Encoding::Gzip, &p.bytes, p.crc).unwrap()).collect();
        assert_eq!(joined, text.as_bytes());
    }

    #[test]
    fn a_line_that_fits_no_batch_is_counted() {
        let long = format!("a x=1 1\nb y={} 2\nc z=3 3", "9".repeat(UNPACKED_BYTES_MAX));
        let (parts, too_long) = pack_lines(long.as_bytes());
        assert_eq!((parts.len(), too_long), (2, 1));
        assert_eq!(pack_lines(b"\n\n"), (vec![], 0));
    }

    proptest! {
        #[test]
        fn hostile_input_never_panics(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            properties in prop::collection::vec((".{0,8}", ".{0,20}"), 0..20),
            cut in 0_usize..60,
        ) {
            let _ = unpack(Encoding::Gzip, &bytes, 0);
            let _ = BatchHeader::parse(&properties);
            let packed = pack(&bytes).unwrap().bytes;
            let _ = unpack(Encoding::Gzip, &packed[..packed.len().saturating_sub(cut)], 0);
            let _ = pack_lines(&bytes);
        }
    }
}
