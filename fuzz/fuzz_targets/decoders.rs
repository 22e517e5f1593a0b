//! Whatever a device answers to whatever its family asks, the decoder gives finite readings of the catalogue, no more
//! radios than there are peers, and does not panic.
//!
//! Input: family, options, rows of its tables, and then values that answer its questions in turn.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use vedetta::catalogue;
use vedetta::model::Reading;
use vedetta::probe::radio::{self, PROFILES, Rows, Scope};
use vedetta::probe::snmp::Row;
use vedetta::probe::value::{Answers, Oid, Value};

/// The peer that the inventory knows.
const PEER: &str = "020000000011";
const PEER_ARCS: [u32; 6] = [2, 0, 0, 0, 0, 0x11];
const ROWS_MAX: u8 = 5;

/// Bytes of the input, zeros after its end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().map_or((0, self.0), |(b, rest)| (*b, rest));
        self.0 = rest;
        first
    }

    fn number<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    fn bytes(&mut self) -> Vec<u8> {
        let n = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        taken.to_vec()
    }

    fn value(&mut self) -> Value {
        match self.byte() % 14 {
            0 => Value::Integer(i32::from_be_bytes(self.number())),
            1 => Value::Integer(i32::from(i8::from_be_bytes(self.number()))),
            2 | 3 => Value::Bytes(self.bytes()),
            4 => Value::Counter32(u32::from_be_bytes(self.number())),
            5 => Value::Gauge32(u32::from_be_bytes(self.number())),
            6 => Value::Counter64(u64::from_be_bytes(self.number())),
            7 => Value::TimeTicks(u32::from_be_bytes(self.number())),
            8 => Value::Oid(Oid::from(self.bytes().into_iter().map(u32::from).collect::<Vec<_>>().as_slice())),
            9 => Value::IpAddress(self.number()),
            10 => Value::NoSuchObject,
            11 => Value::NoSuchInstance,
            12 => Value::Integer(i32::from(i16::from_be_bytes(self.number()))),
            _ => Value::Other,
        }
    }

    fn index(&mut self) -> Vec<u32> {
        match self.byte() % 6 {
            0 => vec![1],
            1 => PEER_ARCS.to_vec(),
            2 => [&[u32::from(self.byte())][..], &PEER_ARCS].concat(),
            3 => self.bytes().into_iter().take(12).map(u32::from).collect(),
            4 => vec![u32::from_be_bytes(self.number()), u32::from(self.byte())],
            _ => vec![u32::from_be_bytes(self.number())],
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let family = PROFILES[usize::from(input.byte()) % PROFILES.len()];
    let options = input.byte();
    let mut rows = Rows::default();
    for table in family.tables {
        let n = usize::from(input.byte() % ROWS_MAX).min(table.rows_max);
        rows.set(table.name, (0..n).map(|_| Row { index: input.index(), value: input.value() }).collect());
    }
    let peers = if options & 2 == 0 { BTreeSet::new() } else { BTreeSet::from([PEER.to_owned()]) };
    let scope = Scope { rows: &rows, sector: options & 1 != 0, peers: &peers, everybody: options & 4 != 0 };
    let (mut answers, mut info) = (Answers::default(), Answers::default());
    for oid in (family.info)(&rows) {
        info.insert(oid, input.value());
    }
    for oid in (family.requests)(&scope) {
        // What was not answered is as likely as any value.
        if input.byte() % 8 != 7 {
            answers.insert(oid, input.value());
        }
    }
    let info = (family.decode_info)(&info, &rows);
    for text in [info.model, info.firmware].into_iter().flatten() {
        assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
    }
    let decoded = family.read(&answers, &scope);
    for mut radio in decoded.radios {
        radio::gate(family, &mut radio);
        check(&catalogue::RADIO, radio.readings.iter());
        // Strangers stay strangers.
        if scope.sector && !scope.everybody {
            assert!(radio.peer.as_deref().is_none_or(|peer| peer == PEER), "{} of {radio:?}", family.profile);
        }
    }
    check(&catalogue::POWER, decoded.power.iter());
});

fn check<'a>(
    measurement: &catalogue::Measurement,
    readings: impl Iterator<Item = (&'a &'static str, &'a Reading)>,
) {
    for (field, reading) in readings {
        assert!(measurement.field(field).is_some(), "{field} is not in the catalogue");
        assert!(reading.get().is_none_or(f64::is_finite), "{field} is {reading:?}");
    }
}
