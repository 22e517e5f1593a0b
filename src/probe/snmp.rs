//! Asking one device over SNMP, gently.
//!
//! Exact GETs of many variables at once. Rows only of a column that a decoder asks for, and a bounded number of them:
//! by GETNEXT at first, then by GETBULK for as many more as the column has shown so far, so that what lies behind its
//! end is never asked for in bulk. Never SET. What a device does not speak or does not offer is learnt once and
//! remembered: its version, how many variables fit an answer, whether it answers GETBULK, which objects an SNMPv1 agent
//! lacks (RFC 1157: one unknown name voids the whole answer).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_snmp::{Client, ClientBuilder, Error, ErrorKind, ErrorStatus, Retry};

use super::access::{Access, Version};
use super::exchange::{Counters, Counts, Exchange, NoSocket};
use super::memory::Speech;
use super::value::{Answers, Oid, Value};
use crate::model::Missing;

/// Variables in one GET. Radios answer within one Ethernet frame: 26 variables of a long enterprise OID are some 900
/// bytes of answer, and leave room for a few texts.
pub const OIDS_PER_GET: usize = 26;
/// Rows asked for at once: with the long index of a table of peers, an answer of some 1,000 bytes.
const ROWS_PER_BULK: usize = 24;
/// Rows of a column before the first GETBULK: shorter tables cost no more by GETNEXT.
const ROWS_BEFORE_BULK: usize = 3;
/// Unknown names that one SNMPv1 question may uncover: each costs a packet, once.
const DROPS_MAX: usize = 48;
/// Objects remembered as not offered by one device.
const NOT_OFFERED_MAX: usize = 512;
/// Failures in a row after which the version that a device spoke is no longer believed.
const FAILURES_TO_FORGET: u32 = 8;
/// Arcs of an index that tell one row from another in tables keyed by MAC address.
const ROW_ARCS: usize = 6;

/// Why a device gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnmpError {
    #[error("no answer in time")]
    Timeout,
    #[error("the credentials were refused")]
    Refused,
    #[error("what came back is not a valid answer")]
    Malformed,
    #[error("unreachable ({0})")]
    Unreachable(String),
    #[error("the question cannot be asked ({0})")]
    Setup(String),
    /// Nothing is known of the device: it was not asked.
    #[error("not asked: {0}")]
    NotAsked(String),
}

impl SnmpError {
    /// The reason for readings that this error prevented.
    pub fn missing(&self) -> Missing {
        match self {
            Self::Timeout => Missing::Timeout,
            Self::Refused => Missing::Refused,
            Self::Malformed => Missing::Malformed,
            Self::Unreachable(_) => Missing::Unreachable,
            Self::Setup(_) | Self::NotAsked(_) => Missing::NotMeasured,
        }
    }
}

/// A row of a column: its index and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub index: Vec<u32>,
    pub value: Value,
}

/// The rows of one column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    pub rows: Vec<Row>,
    /// False where the table went on past the bound.
    pub complete: bool,
}

/// What a poller needs from a device. The second implementation is the tests'.
pub trait SnmpGet: Send {
    /// GETs exact objects. What was not answered carries its reason; an error means that nothing was answered.
    fn get(&mut self, oids: &[Oid]) -> impl Future<Output = Result<Answers, SnmpError>> + Send;

    /// The rows of one column, at most `rows_max`.
    fn column(&mut self, column: &[u32], rows_max: usize) -> impl Future<Output = Result<Column, SnmpError>> + Send;

    /// Forgets what the device did not offer: with another firmware it may.
    fn forget(&mut self);

    /// Tries GETBULK again with a device that did not answer it: its firmware may have changed, or both questions were
    /// lost on the way.
    fn try_bulk_again(&mut self) {}

    fn counts(&self) -> Counts;

    /// The version in use, once the device has answered.
    fn version(&self) -> Option<Version>;

    /// How it is best asked, once the device has answered.
    fn speech(&self) -> Option<Speech>;
}

/// The conversation with one device.
pub struct Session {
    target: SocketAddr,
    access: Access,
    timeout: Duration,
    counters: Arc<Counters>,
    client: Option<(Version, Client<Exchange>)>,
    /// The version that the device has answered.
    spoken: Option<Version>,
    /// Questions in a row without an answer.
    failures: u32,
    oids_per_get: usize,
    /// Whether it answers GETBULK; `None` until it has been tried.
    bulk: Option<bool>,
    /// Objects that an SNMPv1 agent said it lacks.
    not_offered: BTreeSet<Oid>,
    /// Objects that an SNMPv1 agent has answered, to tell a row that vanished from an object that never was.
    offered: BTreeSet<Oid>,
}

/// One packet's worth of question.
#[derive(Clone, Copy)]
enum Question<'a> {
    Get(&'a [Oid]),
    Next(&'a Oid),
    /// Rows after this one, and how many.
    Bulk(&'a Oid, u32),
}

/// Datagrams that were no answer, before and after a question.
#[derive(Clone, Copy)]
struct Strays {
    malformed: u64,
    reports: u64,
}

/// How a question failed.
enum Failure {
    /// The agent named the variable that voids the answer (error-index), and why: it has no such object, or it cannot
    /// tell.
    Variable(Oid, Missing),
    Snmp(SnmpError),
}

impl Session {
    /// `timeout`: for one answer.
    pub fn new(target: SocketAddr, access: Access, timeout: Duration) -> Self {
        Self {
            target,
            access,
            timeout,
            counters: Arc::default(),
            client: None,
            spoken: None,
            failures: 0,
            oids_per_get: OIDS_PER_GET,
            bulk: None,
            not_offered: BTreeSet::new(),
            offered: BTreeSet::new(),
        }
    }

    /// Begins with what is remembered of the device. Its firmware may have changed since: one packet without an answer,
    /// and the versions are tried as if nothing were known.
    #[must_use]
    pub fn recalling(mut self, speech: Speech) -> Self {
        if speech.version == self.access.version()
            || (speech.version, self.access.version()) == (Version::V1, Version::V2c)
        {
            self.spoken = Some(speech.version);
            self.failures = FAILURES_TO_FORGET - 1;
        }
        self.oids_per_get = speech.variables.clamp(1, OIDS_PER_GET);
        self.bulk = speech.bulk;
        self
    }

    /// The versions to try now, in order. Several radios answer nothing but v1 to a community meant for v2c (Ubiquiti),
    /// so a device never heard is tried with both at first, then with one at a time, in turn.
    fn versions(&self) -> &'static [Version] {
        match (self.access.version(), self.spoken) {
            (Version::V1, _) | (Version::V2c, Some(Version::V1)) => &[Version::V1],
            (Version::V3, _) => &[Version::V3],
            (Version::V2c, None) if self.failures == 0 => &[Version::V2c, Version::V1],
            (Version::V2c, None) if self.failures % 2 == 1 => &[Version::V1],
            (Version::V2c, _) => &[Version::V2c],
        }
    }

    /// The object after `oid`, by one GETNEXT; `None` at the end. Whoever goes on must see that it is
    /// a later one: not every agent advances.
    pub async fn next(&mut self, oid: &Oid) -> Result<Option<(Oid, Value)>, SnmpError> {
        let next = match self.ask(Question::Next(oid)).await {
            Ok(bindings) => bindings.into_iter().next(),
            // SNMPv1 ends with noSuchName (RFC 1157, section 4.1.3).
            Err(Failure::Variable(_, Missing::NotOffered)) => None,
            Err(Failure::Variable(..)) => return Err(SnmpError::Malformed),
            Err(Failure::Snmp(e)) => return Err(e),
        };
        let exception = |value: &Value| matches!(value, Value::EndOfMib | Value::NoSuchObject | Value::NoSuchInstance);
        Ok(next.filter(|(_, value)| !exception(value)))
    }

    fn client(&mut self, version: Version) -> Result<Client<Exchange>, SnmpError> {
        if let Some((built, client)) = &self.client
            && *built == version
        {
            return Ok(client.clone());
        }
        let (auth, engines) = self.access.auth(version).map_err(|e| SnmpError::Setup(e.to_string()))?;
        let mut builder = ClientBuilder::new(auth)
            .request_timeout(self.timeout)
            .retry(Retry::none())
            .max_oids_per_request(OIDS_PER_GET);
        if let Some(engines) = engines {
            builder = builder.engine_cache(engines);
        }
        if let Some(salt) = self.access.des_salt() {
            builder = builder.des_salt_state(salt);
        }
        let client = builder
            .build_with_transport(Exchange::new(self.target, self.counters.clone()))
            .map_err(|e| SnmpError::Setup(e.to_string()))?;
        self.client = Some((version, client.clone()));
        Ok(client)
    }

    /// Asks, and asks once more if a device that was answering did not answer: one lost packet is no outage.
    async fn ask(&mut self, question: Question<'_>) -> Result<Vec<(Oid, Value)>, Failure> {
        let repeat = self.spoken.is_some() && self.failures == 0;
        let mut failed = SnmpError::Timeout;
        for version in self.versions() {
            for _ in 0..=usize::from(repeat) {
                match self.ask_once(*version, question).await {
                    Ok(bindings) => {
                        self.heard(*version);
                        return Ok(bindings);
                    }
                    Err(Failure::Variable(oid, why)) => {
                        self.heard(*version);
                        return Err(Failure::Variable(oid, why));
                    }
                    Err(Failure::Snmp(SnmpError::Timeout)) => {}
                    // It says nothing of the device.
                    Err(Failure::Snmp(SnmpError::NotAsked(why))) => {
                        return Err(Failure::Snmp(SnmpError::NotAsked(why)));
                    }
                    Err(Failure::Snmp(other)) => {
                        failed = other;
                        break;
                    }
                }
            }
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_TO_FORGET {
            self.spoken = None;
        }
        Err(Failure::Snmp(failed))
    }

    fn heard(&mut self, version: Version) {
        self.spoken = Some(version);
        self.failures = 0;
    }

    async fn ask_once(&mut self, version: Version, question: Question<'_>) -> Result<Vec<(Oid, Value)>, Failure> {
        let client = self.client(version).map_err(Failure::Snmp)?;
        let before = self.strays();
        let answer = match question {
            Question::Get(oids) => {
                let wire: Vec<_> = oids.iter().map(to_wire).collect();
                let mut bindings = Vec::with_capacity(oids.len());
                let mut failed = None;
                let mut chunks = client.get_many_chunks(&wire).map_err(|e| Failure::Snmp(self.classify(&e, before)))?;
                while let Some(chunk) = chunks.next().await {
                    match chunk {
                        Ok(chunk) => {
                            // A shorter leaf means that the agent said tooBig: ask for less from now on.
                            let leaf = chunk.request_range.len();
                            if leaf < oids.len() {
                                self.oids_per_get = self.oids_per_get.min(leaf.max(1));
                            }
                            if !chunk.response.anomalies.is_empty() {
                                self.counters.note_malformed();
                            }
                            bindings.extend(chunk.response.varbinds);
                        }
                        Err(e) => {
                            let asked = &oids[e.failed_request_range.clone()];
                            failed = Some(self.failure(&e.source, asked, before));
                            break;
                        }
                    }
                }
                match failed {
                    Some(failure) => Err(failure),
                    None => Ok(bindings),
                }
            }
            Question::Next(oid) => match client.get_next(&to_wire(oid)).await {
                Ok(response) => Ok(response.varbinds),
                Err(e) => Err(self.failure(&e, std::slice::from_ref(oid), before)),
            },
            Question::Bulk(oid, rows) => match client.get_bulk(&[to_wire(oid)], 0, rows).await {
                Ok(bindings) => Ok(bindings),
                Err(e) => Err(self.failure(&e, std::slice::from_ref(oid), before)),
            },
        };
        answer.map(|bindings| bindings.into_iter().map(|b| (Oid::from(b.oid.arcs()), from_wire(b.value))).collect())
    }

    fn strays(&self) -> Strays {
        Strays { malformed: self.counters.snapshot().malformed, reports: self.counters.reports() }
    }

    fn failure(&self, error: &Error, asked: &[Oid], before: Strays) -> Failure {
        if let Error::Snmp { status, index, .. } = error.exchange_source() {
            let named = usize::try_from(*index).ok().and_then(|i| i.checked_sub(1)).and_then(|i| asked.get(i));
            match (status, named) {
                (ErrorStatus::NoSuchName, Some(oid)) => return Failure::Variable(oid.clone(), Missing::NotOffered),
                (ErrorStatus::GenErr, Some(oid)) => return Failure::Variable(oid.clone(), Missing::Malformed),
                _ => {}
            }
        }
        Failure::Snmp(self.classify(error, before))
    }

    fn classify(&self, error: &Error, before: Strays) -> SnmpError {
        let now = self.strays();
        let stray = now.malformed > before.malformed;
        match error.kind() {
            ErrorKind::Timeout if now.reports > before.reports => SnmpError::Refused,
            // Silence after a datagram that was no answer: the device is there, and talks nonsense.
            ErrorKind::Timeout if stray => SnmpError::Malformed,
            ErrorKind::Timeout => SnmpError::Timeout,
            ErrorKind::Auth | ErrorKind::Report => SnmpError::Refused,
            ErrorKind::Snmp => match error.exchange_source() {
                Error::Snmp { status: ErrorStatus::NoAccess | ErrorStatus::AuthorizationError, .. } => {
                    SnmpError::Refused
                }
                _ => SnmpError::Malformed,
            },
            ErrorKind::Network => match error.exchange_source() {
                Error::Network { source, .. } if matches!(source.get_ref(), Some(e) if e.is::<NoSocket>()) => {
                    SnmpError::NotAsked(source.to_string())
                }
                Error::Network { source, .. } => SnmpError::Unreachable(source.kind().to_string()),
                other => SnmpError::Unreachable(other.to_string()),
            },
            ErrorKind::Decode | ErrorKind::MalformedResponse | ErrorKind::ResponseShape => {
                if !stray {
                    self.counters.note_malformed();
                }
                SnmpError::Malformed
            }
            _ => SnmpError::Setup(error.to_string()),
        }
    }

    /// GETs one chunk, dropping the variables by which the agent voids it.
    async fn get_chunk(&mut self, chunk: &[Oid], answers: &mut Answers) -> Result<(), SnmpError> {
        let mut asked = chunk.to_vec();
        for _ in 0..DROPS_MAX {
            if asked.is_empty() {
                return Ok(());
            }
            match self.ask(Question::Get(&asked)).await {
                Ok(bindings) => {
                    for oid in &asked {
                        answers.fail(oid.clone(), Missing::Malformed);
                    }
                    for (oid, value) in bindings {
                        // An object that was not asked for is no answer.
                        if asked.contains(&oid) {
                            self.note_offered(&oid);
                            answers.insert(oid, value);
                        }
                    }
                    return Ok(());
                }
                Err(Failure::Variable(oid, why)) => self.drop_variable(&oid, why, &mut asked, answers),
                Err(Failure::Snmp(e)) => return Err(e),
            }
        }
        for oid in asked {
            answers.fail(oid, Missing::NotOffered);
        }
        Ok(())
    }

    /// What follows in a column: one binding, or several where the device is known to have so many more rows at least
    /// as to make GETBULK worth its while, and answers it. A binding outside the column ends it.
    async fn rows_after(
        &mut self,
        cursor: &Oid,
        found: &Column,
        rows_max: usize,
    ) -> Result<Vec<(Oid, Value)>, SnmpError> {
        let n = found.rows.len();
        let speaks_bulk = self.spoken.is_some_and(|version| version != Version::V1) && self.bulk != Some(false);
        if speaks_bulk && n >= ROWS_BEFORE_BULK && rows_max - n > 1 {
            let rows = n.min(ROWS_PER_BULK).min(rows_max - n);
            match self.ask(Question::Bulk(cursor, rows as u32)).await {
                // Rows that do not go forward are left to GETNEXT to judge.
                Ok(bindings) if bindings.first().is_some_and(|(oid, _)| oid > cursor) => {
                    self.bulk = Some(true);
                    return Ok(bindings);
                }
                Err(Failure::Snmp(SnmpError::NotAsked(why))) => return Err(SnmpError::NotAsked(why)),
                _ if self.bulk == Some(true) => {}
                _ => {
                    let next = self.row_after(cursor).await?;
                    // It answers the other question: so it is this one that it does not understand.
                    self.bulk = Some(false);
                    return Ok(next);
                }
            }
        }
        self.row_after(cursor).await
    }

    async fn row_after(&mut self, cursor: &Oid) -> Result<Vec<(Oid, Value)>, SnmpError> {
        match self.ask(Question::Next(cursor)).await {
            Ok(bindings) if bindings.is_empty() => Ok(vec![(cursor.clone(), Value::EndOfMib)]),
            Ok(bindings) => Ok(bindings),
            // SNMPv1 ends a table with noSuchName (RFC 1157, section 4.1.3).
            Err(Failure::Variable(_, Missing::NotOffered)) => Ok(vec![(cursor.clone(), Value::EndOfMib)]),
            Err(Failure::Variable(..)) => Err(SnmpError::Malformed),
            Err(Failure::Snmp(e)) => Err(e),
        }
    }

    fn note_offered(&mut self, oid: &Oid) {
        if self.spoken == Some(Version::V1) && self.offered.len() < NOT_OFFERED_MAX {
            self.offered.insert(oid.clone());
        }
    }

    fn drop_variable(&mut self, oid: &Oid, why: Missing, asked: &mut Vec<Oid>, answers: &mut Answers) {
        let row = |oid: &Oid| oid.arcs().len().checked_sub(ROW_ARCS).map(|start| oid.arcs()[start..].to_vec());
        if self.offered.remove(oid) {
            // It was there before, so its row has gone, and every column of it: one packet to learn it, not one each.
            let gone = row(oid);
            asked.retain(|other| {
                let same = row(other) == gone;
                if same {
                    answers.fail(other.clone(), why);
                }
                !same
            });
            self.offered.retain(|other| row(other) != gone);
        } else {
            asked.retain(|other| other != oid);
            answers.fail(oid.clone(), why);
            if why == Missing::NotOffered && self.not_offered.len() < NOT_OFFERED_MAX {
                self.not_offered.insert(oid.clone());
            }
        }
    }
}

impl SnmpGet for Session {
    async fn get(&mut self, oids: &[Oid]) -> Result<Answers, SnmpError> {
        let mut answers = Answers::default();
        let (lacking, asked): (Vec<&Oid>, Vec<&Oid>) = oids.iter().partition(|oid| self.not_offered.contains(*oid));
        for oid in lacking {
            answers.fail(oid.clone(), Missing::NotOffered);
        }
        let asked: Vec<Oid> = asked.into_iter().cloned().collect();
        let mut rest = asked.as_slice();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(self.oids_per_get.min(rest.len()));
            match self.get_chunk(chunk, &mut answers).await {
                Ok(()) => rest = after,
                Err(e) if rest.len() == asked.len() => return Err(e),
                Err(e) => {
                    // A device that falls silent half-way is not asked the rest.
                    for oid in rest {
                        answers.fail(oid.clone(), e.missing());
                    }
                    break;
                }
            }
        }
        Ok(answers)
    }

    async fn column(&mut self, column: &[u32], rows_max: usize) -> Result<Column, SnmpError> {
        let mut cursor = Oid::from(column);
        let mut found = Column::default();
        while found.rows.len() < rows_max && !found.complete {
            for (oid, value) in self.rows_after(&cursor, &found, rows_max).await? {
                let exception = matches!(value, Value::EndOfMib | Value::NoSuchObject | Value::NoSuchInstance);
                let index = oid.under(column).filter(|index| !exception && !index.is_empty());
                let Some(index) = index else {
                    found.complete = true;
                    break;
                };
                if oid <= cursor {
                    // An agent that does not advance would keep us for ever.
                    self.counters.note_malformed();
                    return Err(SnmpError::Malformed);
                }
                if found.rows.len() == rows_max {
                    break;
                }
                found.rows.push(Row { index: index.to_vec(), value });
                cursor = oid;
            }
        }
        Ok(found)
    }

    fn forget(&mut self) {
        self.not_offered.clear();
        self.offered.clear();
    }

    fn try_bulk_again(&mut self) {
        self.bulk = self.bulk.filter(|answers| *answers);
    }

    fn counts(&self) -> Counts {
        self.counters.snapshot()
    }

    fn version(&self) -> Option<Version> {
        self.spoken
    }

    fn speech(&self) -> Option<Speech> {
        self.spoken.map(|version| Speech { version, variables: self.oids_per_get, bulk: self.bulk })
    }
}

fn to_wire(oid: &Oid) -> async_snmp::Oid {
    async_snmp::Oid::from_slice(oid.arcs())
}

fn from_wire(value: async_snmp::Value) -> Value {
    use async_snmp::Value as Wire;
    match value {
        Wire::Integer(n) => Value::Integer(n),
        Wire::OctetString(bytes) => Value::Bytes(bytes.to_vec()),
        Wire::ObjectIdentifier(oid) => Value::Oid(Oid::from(oid.arcs())),
        Wire::IpAddress(octets) => Value::IpAddress(octets),
        Wire::Counter32(n) => Value::Counter32(n),
        Wire::Gauge32(n) | Wire::UInteger32(n) => Value::Gauge32(n),
        Wire::TimeTicks(n) => Value::TimeTicks(n),
        Wire::Counter64(n) => Value::Counter64(n),
        Wire::NoSuchObject => Value::NoSuchObject,
        Wire::NoSuchInstance => Value::NoSuchInstance,
        Wire::EndOfMibView => Value::EndOfMib,
        _ => Value::Other,
    }
}

#[cfg(test)]
mod tests;
