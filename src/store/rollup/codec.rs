//! A chunk of buckets as bytes: each figure in a column of its own, as the difference from the bucket before, then
//! deflated. `[P]`

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::Figures;

/// Largest chunk before it is deflated; a chunk of 288 buckets has at most some 20 KB.
const BYTES_MAX: u64 = 64 * 1024;
/// Most buckets of a chunk.
const BUCKETS_MAX: u64 = 1024;

/// Buckets by their place in the chunk.
pub type Chunk = BTreeMap<u16, Figures>;

/// Seven bits a byte, the lowest first; the last byte has no high bit.
fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Small numbers of either sign become small numbers.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// A column of differences.
fn column(out: &mut Vec<u8>, values: impl Iterator<Item = i64>) {
    let mut last = 0i64;
    for value in values {
        put(out, zigzag(value.wrapping_sub(last)));
        last = value;
    }
}

/// What the sum has above `count` times the smallest: little where a value hardly changes.
fn surplus(f: &Figures) -> i64 {
    f.sum.wrapping_sub(f.min.wrapping_mul(i64::from(f.count)))
}

/// Packs a chunk.
pub fn encode(chunk: &Chunk) -> Vec<u8> {
    let all = || chunk.values();
    let standing = all().any(|f| f.known_secs > 0 || f.below_secs > 0 || f.required != 0);
    let mut out = Vec::with_capacity(chunk.len() * 8 + 4);
    put(&mut out, chunk.len() as u64);
    put(&mut out, u64::from(standing));
    column(&mut out, chunk.keys().map(|k| i64::from(*k)));
    column(&mut out, all().map(|f| i64::from(f.count)));
    column(&mut out, all().map(|f| f.min));
    column(&mut out, all().map(|f| f.max.wrapping_sub(f.min)));
    column(&mut out, all().map(surplus));
    if standing {
        column(&mut out, all().map(|f| i64::from(f.known_secs)));
        column(&mut out, all().map(|f| i64::from(f.below_secs)));
        column(&mut out, all().map(|f| f.required));
    }
    let mut packed = DeflateEncoder::new(Vec::with_capacity(out.len() / 2), Compression::new(6));
    packed.write_all(&out).and_then(|()| packed.finish()).expect("writing to memory does not fail")
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn next(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn column(&mut self, n: usize) -> Option<Vec<i64>> {
        let mut last = 0i64;
        (0..n)
            .map(|_| {
                last = last.wrapping_add(unzigzag(self.next()?));
                Some(last)
            })
            .collect()
    }
}

/// Unpacks a chunk; `None`: it is damaged.
pub fn decode(packed: &[u8]) -> Option<Chunk> {
    let mut plain = Vec::new();
    DeflateDecoder::new(packed).take(BYTES_MAX).read_to_end(&mut plain).ok()?;
    let mut reader = Reader(&plain);
    let n = usize::try_from(reader.next().filter(|n| *n <= BUCKETS_MAX)?).ok()?;
    let standing = reader.next()? == 1;
    let places = reader.column(n)?;
    let [counts, mins, spans, surpluses] = [reader.column(n)?, reader.column(n)?, reader.column(n)?, reader.column(n)?];
    let none = vec![0; n];
    let [known, below, required] = if standing {
        [reader.column(n)?, reader.column(n)?, reader.column(n)?]
    } else {
        [none.clone(), none.clone(), none]
    };
    let mut chunk = Chunk::new();
    for i in 0..n {
        let count = u32::try_from(counts[i]).ok()?;
        let figures = Figures {
            min: mins[i],
            max: mins[i].wrapping_add(spans[i]),
            sum: mins[i].wrapping_mul(i64::from(count)).wrapping_add(surpluses[i]),
            count,
            known_secs: u32::try_from(known[i]).ok()?,
            below_secs: u32::try_from(below[i]).ok()?,
            required: required[i],
        };
        chunk.insert(u16::try_from(places[i]).ok()?, figures);
    }
    (chunk.len() == n && reader.0.is_empty()).then_some(chunk)
}
