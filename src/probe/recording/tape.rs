//! A conversation with a device that is kept, and one that is played back.
//!
//! [`Taped`] stands between a poller and its session and keeps the last answer to everything. With it a poll can be
//! made of few questions: what need not be fresh is answered from the tape. [`Replay`] answers from a tape alone.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt as _;

use super::{OBJECTS_MAX, Objects};
use crate::model::{Missing, UnixMillis};
use crate::probe::access::Version;
use crate::probe::device::{Manner, Polled, Poller};
use crate::probe::exchange::Counts;
use crate::probe::memory::Speech;
use crate::probe::radio::{Radio, SYS_UP_TIME};
use crate::probe::snmp::{Column, OIDS_PER_GET, Row, SnmpError, SnmpGet};
use crate::probe::value::{Answers, Oid, Value};
use crate::runtime::clock::{Clock, ManualClock};

/// What a device answered, and which tables it was asked for.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    pub objects: Objects,
    /// Indexes of rows of the tables that a decoder asked for.
    pub indexes: BTreeSet<Vec<u32>>,
    /// What it was asked and did not answer, but for what it does not offer.
    pub failed: BTreeMap<Oid, Missing>,
}

impl Tape {
    pub fn keep(&mut self, oid: &Oid, value: &Value) {
        let exception = matches!(value, Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMib);
        self.failed.remove(oid);
        if exception {
            self.objects.remove(oid);
        } else if self.objects.len() < OBJECTS_MAX || self.objects.contains_key(oid) {
            self.objects.insert(oid.clone(), value.clone());
        }
    }

    fn fail(&mut self, oid: &Oid, why: Missing) {
        if why == Missing::NotOffered {
            self.objects.remove(oid);
        } else if self.failed.len() < OBJECTS_MAX {
            self.failed.insert(oid.clone(), why);
        }
    }

    fn answer(&self, oid: &Oid, answers: &mut Answers) {
        match (self.objects.get(oid), self.failed.get(oid)) {
            (Some(value), _) => answers.insert(oid.clone(), value.clone()),
            (None, Some(why)) => answers.fail(oid.clone(), *why),
            (None, None) => answers.fail(oid.clone(), Missing::NotOffered),
        }
    }
}

/// A session whose answers are kept.
#[derive(Debug)]
pub struct Taped<S> {
    pub inner: S,
    pub tape: Tape,
    /// What is answered from the tape.
    spared: BTreeSet<Oid>,
    /// What the last GET asked for.
    asked: Vec<Oid>,
}

impl<S> Taped<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, tape: Tape::default(), spared: BTreeSet::new(), asked: Vec::new() }
    }

    /// Everything is asked again.
    pub fn ask_all(&mut self) {
        self.spared.clear();
    }

    pub fn spares(&self) -> bool {
        !self.spared.is_empty()
    }

    /// From now on asks only for what `shown` of the last poll depends on, and for the time since the device started.
    pub fn ask_little(&mut self, manner: &Manner, shown: impl Fn(&Polled) -> String) {
        let Ok(before) = play(&self.tape.objects, manner.clone()) else { return };
        let before = shown(&before);
        let mut objects = self.tape.objects.clone();
        for oid in self.asked.iter().filter(|oid| oid.arcs() != SYS_UP_TIME) {
            let Some(value) = objects.remove(oid) else {
                self.spared.insert(oid.clone());
                continue;
            };
            if play(&objects, manner.clone()).is_ok_and(|polled| shown(&polled) == before) {
                self.spared.insert(oid.clone());
            }
            objects.insert(oid.clone(), value);
        }
    }
}

impl<S: SnmpGet> SnmpGet for Taped<S> {
    async fn get(&mut self, oids: &[Oid]) -> Result<Answers, SnmpError> {
        let (spared, asked): (Vec<&Oid>, Vec<&Oid>) = oids.iter().partition(|oid| self.spared.contains(*oid));
        let asked: Vec<Oid> = asked.into_iter().cloned().collect();
        let mut answers = self.inner.get(&asked).await?;
        for (oid, answer) in answers.iter() {
            match answer {
                Ok(value) => self.tape.keep(oid, value),
                Err(why) => self.tape.fail(oid, why),
            }
        }
        for oid in spared {
            self.tape.answer(oid, &mut answers);
        }
        self.asked = oids.to_vec();
        Ok(answers)
    }

    async fn column(&mut self, column: &[u32], rows_max: usize) -> Result<Column, SnmpError> {
        let found = self.inner.column(column, rows_max).await?;
        let there: BTreeSet<&[u32]> = found.rows.iter().map(|row| row.index.as_slice()).collect();
        self.tape.objects.retain(|oid, _| oid.under(column).is_none_or(|index| there.contains(index)));
        for row in &found.rows {
            self.tape.keep(&Oid::of(column, &row.index), &row.value);
            if self.tape.indexes.len() < OBJECTS_MAX {
                self.tape.indexes.insert(row.index.clone());
            }
        }
        Ok(found)
    }

    fn forget(&mut self) {
        self.inner.forget();
    }

    fn try_bulk_again(&mut self) {
        self.inner.try_bulk_again();
    }

    fn counts(&self) -> Counts {
        self.inner.counts()
    }

    fn version(&self) -> Option<Version> {
        self.inner.version()
    }

    fn speech(&self) -> Option<Speech> {
        self.inner.speech()
    }
}

/// A device that answers from a tape.
#[derive(Debug)]
struct Replay<'a> {
    objects: &'a Objects,
}

impl SnmpGet for Replay<'_> {
    async fn get(&mut self, oids: &[Oid]) -> Result<Answers, SnmpError> {
        let mut answers = Answers::default();
        for oid in oids {
            answers.insert(oid.clone(), self.objects.get(oid).cloned().unwrap_or(Value::NoSuchInstance));
        }
        Ok(answers)
    }

    async fn column(&mut self, column: &[u32], rows_max: usize) -> Result<Column, SnmpError> {
        let row = |(oid, value): (&Oid, &Value)| {
            let index = oid.under(column).filter(|index| !index.is_empty())?;
            Some(Row { index: index.to_vec(), value: value.clone() })
        };
        let under = self.objects.range(Oid::from(column)..).take_while(|(oid, _)| oid.under(column).is_some());
        let rows: Vec<Row> = under.filter_map(row).take(rows_max).collect();
        Ok(Column { complete: rows.len() < rows_max, rows })
    }

    fn forget(&mut self) {}

    fn counts(&self) -> Counts {
        Counts::default()
    }

    fn version(&self) -> Option<Version> {
        None
    }

    fn speech(&self) -> Option<Speech> {
        Some(Speech { version: Version::V2c, variables: OIDS_PER_GET, bulk: None })
    }
}

/// A poll of one device by itself, without an inventory: where nobody tells which of its peers is meant, each is read.
pub async fn poll_alone<S: SnmpGet>(poller: &mut Poller<S>, clock: &dyn Clock) -> Result<Polled, SnmpError> {
    // On the heap: the state of a poll within those of all that wait for it is deeper than the compiler goes.
    let polled = Box::pin(poller.poll(clock)).await?;
    if !polled.radios.iter().any(Radio::is_ambiguous) {
        return Ok(polled);
    }
    poller.read_everybody();
    Box::pin(poller.poll(clock)).await
}

/// What is made of a tape.
pub fn play(objects: &Objects, manner: Manner) -> Result<Polled, SnmpError> {
    let clock = ManualClock::at(UnixMillis(0));
    let mut poller = Poller::new(Replay { objects }, manner);
    // A tape answers at once, and the poller waits for nothing else.
    poll_alone(&mut poller, &*clock).now_or_never().unwrap_or(Err(SnmpError::Timeout))
}
