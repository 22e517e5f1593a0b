//! The bytes of a segment. `[P]`
//!
//! All numbers are little-endian.
//! ```text
//! segment = "VEDSPL01" epoch:u64 crc:u32        CRC-32 of the 16 bytes before it
//!           record*
//! record  = "VREC" len:u32 crc:u32              CRC-32 of the `len` bytes that follow
//!           seq:u64 boot:u64 mono_ms:u64 made_at:i64 clock:u8 n_samples:u32 payload_crc:u32 unpacked_len:u32
//!           payload                             gzip; payload_crc is that of the unpacked payload
//! ```

use crate::model::{MonoMillis, UnixMillis};
use crate::wire::batch::{ClockQuality, PACKED_BYTES_MAX};

const SEGMENT_MAGIC: &[u8; 8] = b"VEDSPL01";
const RECORD_MAGIC: &[u8; 4] = b"VREC";
/// Bytes before the first record.
pub const SEGMENT_HEADER_BYTES: usize = 20;
/// Bytes of a record before what its checksum covers.
pub const FRAME_BYTES: usize = 12;
/// Bytes of a record's description, before its payload.
pub const META_BYTES: usize = 45;
/// Largest record.
pub const RECORD_BYTES_MAX: usize = FRAME_BYTES + META_BYTES + PACKED_BYTES_MAX;

/// How a batch came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Random number of the run of the agent that made it.
    pub boot: u64,
    /// That run's monotonic clock.
    pub mono_ms: MonoMillis,
    /// Its wall clock, and what it knew of it.
    pub made_at: UnixMillis,
    pub clock: ClockQuality,
}

/// One batch as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub seq: u64,
    pub origin: Origin,
    pub n_samples: u32,
    /// CRC-32 of the unpacked payload.
    pub crc: u32,
    pub unpacked_len: u32,
    /// Gzip.
    pub payload: Vec<u8>,
}

impl Record {
    /// Size on disk.
    pub fn encoded_len(&self) -> usize {
        FRAME_BYTES + META_BYTES + self.payload.len()
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(META_BYTES + self.payload.len());
        body.extend_from_slice(&self.seq.to_le_bytes());
        body.extend_from_slice(&self.origin.boot.to_le_bytes());
        body.extend_from_slice(&self.origin.mono_ms.0.to_le_bytes());
        body.extend_from_slice(&self.origin.made_at.0.to_le_bytes());
        body.push(clock_code(self.origin.clock));
        body.extend_from_slice(&self.n_samples.to_le_bytes());
        body.extend_from_slice(&self.crc.to_le_bytes());
        body.extend_from_slice(&self.unpacked_len.to_le_bytes());
        body.extend_from_slice(&self.payload);
        let mut bytes = Vec::with_capacity(FRAME_BYTES + body.len());
        bytes.extend_from_slice(RECORD_MAGIC);
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// The record that starts at the start of `bytes`, if a whole and undamaged one does.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut frame = Reader { rest: bytes };
        if frame.take::<4>()? != *RECORD_MAGIC {
            return None;
        }
        let len = u32::from_le_bytes(frame.take()?) as usize;
        let crc = u32::from_le_bytes(frame.take()?);
        if !(META_BYTES..=META_BYTES + PACKED_BYTES_MAX).contains(&len) {
            return None;
        }
        let body = frame.rest.get(..len)?;
        if crc32fast::hash(body) != crc {
            return None;
        }
        let mut body = Reader { rest: body };
        Some(Self {
            seq: u64::from_le_bytes(body.take()?),
            origin: Origin {
                boot: u64::from_le_bytes(body.take()?),
                mono_ms: MonoMillis(u64::from_le_bytes(body.take()?)),
                made_at: UnixMillis(i64::from_le_bytes(body.take()?)),
                clock: clock_of(u8::from_le_bytes(body.take()?)),
            },
            n_samples: u32::from_le_bytes(body.take()?),
            crc: u32::from_le_bytes(body.take()?),
            unpacked_len: u32::from_le_bytes(body.take()?),
            payload: body.rest.to_vec(),
        })
    }
}

fn clock_code(clock: ClockQuality) -> u8 {
    match clock {
        ClockQuality::Unset => 0,
        ClockQuality::Set => 1,
        ClockQuality::Synced => 2,
    }
}

fn clock_of(code: u8) -> ClockQuality {
    match code {
        0 => ClockQuality::Unset,
        2 => ClockQuality::Synced,
        _ => ClockQuality::Set,
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }
}

pub fn encode_segment_header(epoch: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    bytes[..8].copy_from_slice(SEGMENT_MAGIC);
    bytes[8..16].copy_from_slice(&epoch.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..16]);
    bytes[16..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The epoch, if this is an undamaged header.
pub fn decode_segment_header(bytes: &[u8]) -> Option<u64> {
    let mut reader = Reader { rest: bytes };
    let magic: [u8; 8] = reader.take()?;
    let epoch: [u8; 8] = reader.take()?;
    let crc = u32::from_le_bytes(reader.take()?);
    (magic == *SEGMENT_MAGIC && crc32fast::hash(&bytes[..16]) == crc).then(|| u64::from_le_bytes(epoch))
}

/// How many records begin in these bytes, whole or not. Chance makes a mark of four bytes of gzip once in 4 GiB.
pub fn count_marks(bytes: &[u8]) -> u64 {
    bytes.windows(RECORD_MAGIC.len()).filter(|w| w == RECORD_MAGIC).count() as u64
}

/// What lies at some place of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A good record, at this offset.
    Record { offset: usize, record: Record },
    /// Bytes that are no record, with a good record after them.
    Damage { offset: usize, len: usize },
    /// Bytes that are no record, up to the end: torn by a power cut, or damaged.
    Tail { offset: usize, len: usize },
}

/// Walks over a segment's bytes and finds every good record, whatever lies between: after damage it looks for the
/// next place where a record with a right checksum starts.
pub struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    /// `bytes` is the whole segment, header included.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: SEGMENT_HEADER_BYTES }
    }

    fn next_record_start(&self, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            at += self.bytes.get(at..)?.windows(4).position(|w| w == RECORD_MAGIC)?;
            if Record::decode(&self.bytes[at..]).is_some() {
                return Some(at);
            }
            at += 1;
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let offset = self.at;
        let rest = self.bytes.get(offset..).filter(|rest| !rest.is_empty())?;
        if let Some(record) = Record::decode(rest) {
            self.at += record.encoded_len();
            return Some(Found::Record { offset, record });
        }
        if let Some(next) = self.next_record_start(offset + 1) {
            self.at = next;
            return Some(Found::Damage { offset, len: next - offset });
        }
        self.at = self.bytes.len();
        Some(Found::Tail { offset, len: rest.len() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(seq: u64, payload: &[u8]) -> Record {
        Record {
            seq,
            origin: Origin { boot: 3, mono_ms: MonoMillis(4), made_at: UnixMillis(-5), clock: ClockQuality::Unset },
            n_samples: 6,
            crc: 7,
            unpacked_len: 8,
            payload: payload.to_vec(),
        }
    }

    #[test]
    fn bytes_on_disk_are_these() {
        let bytes = record(0x0102, b"xy").encode();
        assert_eq!(bytes.len(), FRAME_BYTES + META_BYTES + 2);
        assert_eq!(&bytes[..8], b"VREC\x2f\0\0\0");
        assert_eq!(&bytes[12..20], [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&bytes[36..45], [0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
        assert_eq!(&bytes[57..], b"xy");
        assert_eq!(Record::decode(&bytes), Some(record(0x0102, b"xy")));
    }

    #[test]
    fn a_header_is_checked() {
        let header = encode_segment_header(u64::MAX - 1);
        assert_eq!(decode_segment_header(&header), Some(u64::MAX - 1));
        for at in 0..header.len() {
            let mut bad = header;
            bad[at] ^= 1;
            assert_eq!(decode_segment_header(&bad), None, "byte {at}");
        }
        assert_eq!(decode_segment_header(&header[..19]), None);
    }

    #[test]
    fn every_single_damaged_byte_is_noticed() {
        let bytes = record(9, b"payload").encode();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x40;
            assert_eq!(Record::decode(&bad), None, "byte {at}");
        }
    }

    #[test]
    fn the_scan_goes_on_after_damage() {
        let mut bytes = encode_segment_header(1).to_vec();
        bytes.extend(record(1, b"one").encode());
        let damage = bytes.len();
        bytes.extend(b"VREC but not really VREC");
        bytes.extend(record(3, b"VREC").encode());
        let tail = bytes.len();
        bytes.extend(&record(4, b"four").encode()[..20]);
        let found: Vec<Found> = Scan::new(&bytes).collect();
        assert_eq!(
            found,
            [
                Found::Record { offset: SEGMENT_HEADER_BYTES, record: record(1, b"one") },
                Found::Damage { offset: damage, len: 24 },
                Found::Record { offset: damage + 24, record: record(3, b"VREC") },
                Found::Tail { offset: tail, len: 20 },
            ]
        );
    }

    proptest! {
        #[test]
        fn a_scan_accounts_for_every_byte(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let total: usize = Scan::new(&bytes).map(|f| match f {
                Found::Record { record, .. } => record.encoded_len(),
                Found::Damage { len, .. } | Found::Tail { len, .. } => len,
            }).sum();
            prop_assert_eq!(total, bytes.len().saturating_sub(SEGMENT_HEADER_BYTES));
        }
    }
}
