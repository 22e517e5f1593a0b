//! What the fuzz targets start from: every fixture in the form that `fuzz/fuzz_targets/decoders.rs` reads, and
//! `fuzz/seeds/answers.txt` as bytes. `VEDETTA_FUZZ_SEEDS=fuzz/corpus cargo test --lib fuzz_seeds` writes them there.

use std::path::{Path, PathBuf};

use super::*;

/// Rows of a table that the target reads at the most.
const ROWS_MAX: usize = 4;
const PEER: &str = "020000000011";

fn put_bytes(bytes: &[u8], seed: &mut Vec<u8>) {
    let bytes = &bytes[..bytes.len().min(usize::from(u8::MAX))];
    seed.push(bytes.len() as u8);
    seed.extend(bytes);
}

/// `Input::value` backwards.
fn put_value(value: &Value, seed: &mut Vec<u8>) {
    let mut number = |kind: u8, octets: &[u8]| {
        seed.push(kind);
        seed.extend(octets);
    };
    match value {
        Value::Integer(n) => number(0, &n.to_be_bytes()),
        Value::Counter32(n) => number(4, &n.to_be_bytes()),
        Value::Gauge32(n) => number(5, &n.to_be_bytes()),
        Value::Counter64(n) => number(6, &n.to_be_bytes()),
        Value::TimeTicks(n) => number(7, &n.to_be_bytes()),
        Value::IpAddress(octets) => number(9, octets),
        Value::NoSuchObject => number(10, &[]),
        Value::NoSuchInstance => number(11, &[]),
        Value::EndOfMib | Value::Other => number(13, &[]),
        Value::Bytes(bytes) => {
            seed.push(2);
            put_bytes(bytes, seed);
        }
        Value::Oid(oid) => {
            seed.push(8);
            put_bytes(&oid.arcs().iter().map(|arc| *arc as u8).collect::<Vec<_>>(), seed);
        }
    }
}

/// `Input::index` backwards.
fn put_index(index: &[u32], seed: &mut Vec<u8>) {
    if let [arc] = index {
        seed.push(5);
        seed.extend(arc.to_be_bytes());
    } else {
        seed.push(3);
        put_bytes(&index.iter().map(|arc| *arc as u8).collect::<Vec<_>>(), seed);
    }
}

/// A fixture as the target reads it.
fn seed(place: usize, options: u8, fixture: &str) -> Vec<u8> {
    let family = PROFILES[place];
    let objects = crate::probe::testing::objects(fixture);
    let mut seed = vec![place as u8, options];
    let mut rows = Rows::default();
    for table in family.tables {
        let found: Vec<Row> = objects
            .iter()
            .filter_map(|(oid, value)| Some(Row { index: oid.under(table.column)?.to_vec(), value: value.clone() }))
            .take(ROWS_MAX.min(table.rows_max))
            .collect();
        seed.push(found.len() as u8);
        for row in &found {
            put_index(&row.index, &mut seed);
            put_value(&row.value, &mut seed);
        }
        rows.set(table.name, found);
    }
    let answer = |oid: &Oid| objects.get(oid).cloned().unwrap_or(Value::NoSuchInstance);
    for oid in (family.info)(&rows) {
        put_value(&answer(&oid), &mut seed);
    }
    let peers = if options & 2 == 0 { BTreeSet::new() } else { BTreeSet::from([PEER.to_owned()]) };
    let scope = Scope { rows: &rows, sector: options & 1 != 0, peers: &peers, everybody: options & 4 != 0 };
    for oid in (family.requests)(&scope) {
        // It is answered.
        seed.push(0);
        put_value(&answer(&oid), &mut seed);
    }
    seed
}

/// `a1 30*5000` as bytes.
fn bytes_of(words: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in words.split_whitespace() {
        let (hex, times) = word.split_once('*').map_or((word, 1), |(hex, n)| (hex, n.parse().unwrap()));
        let octets: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        bytes.extend(octets.repeat(times));
    }
    bytes
}

#[tokio::test]
async fn fuzz_seeds_come_from_the_fixtures_and_from_packets_written_by_hand() {
    let mut seeds: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for path in super::files::fixtures() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let family = poll(&text).await.identity.family;
        let place = PROFILES.iter().position(|f| std::ptr::eq(*f, family)).unwrap();
        for (kind, options) in [("link", 0), ("sector", 3), ("everybody", 5)] {
            seeds.push((Path::new("decoders").join(format!("{name}-{kind}")), seed(place, options, &text)));
        }
    }
    let packets = include_str!("../../../../fuzz/seeds/answers.txt");
    for line in packets.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, words) = line.split_once(' ').unwrap();
        seeds.push((Path::new("answers").join(name), bytes_of(words)));
    }
    let mut how: Vec<u8> =
        seeds.iter().filter(|(path, _)| path.starts_with("answers")).map(|(_, s)| s[0] % 5).collect();
    how.sort_unstable();
    how.dedup();
    assert_eq!(how, [0, 1, 2, 3, 4], "packets of every making");
    let Some(dir) = std::env::var_os("VEDETTA_FUZZ_SEEDS") else { return };
    for (path, seed) in seeds {
        let path = Path::new(&dir).join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, seed).unwrap();
    }
}
