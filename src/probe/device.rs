//! Polling one device: what it is, which rows and ports it has, and then exact objects, poll after poll.
//!
//! All that is learnt is kept here and learnt again when the device restarts (sysUpTime goes back), when rows vanish,
//! and once an hour. A poll that is cut short by its deadline leaves what was learnt intact.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::memory::{DeviceMemory, Lost};
use super::port::{self, IF_TYPE, INTERFACES_MAX, Port, Ports};
use super::radio::{
    self, Decoded, Family, Info, Radio, Rows, SYS_DESCR, SYS_OBJECT_ID, SYS_UP_TIME, Scope, Table, identify,
};
use super::rate::CounterRate;
use super::snmp::{SnmpError, SnmpGet};
use super::value::{Answers, Oid, Value};
use crate::model::{Missing, MonoMillis, Reading, UnixMillis};
use crate::runtime::clock::Clock;

/// After this long, more or less, model, firmware, rows and ports are looked up again.
const LEARN_AGAIN: Duration = Duration::from_hours(1);
/// A device that did not answer GETBULK is tried with it again after a restart, or after this long: each time may cost
/// two packets and their timeouts.
const BULK_AGAIN: Duration = Duration::from_hours(24);
/// Tables that may have changed, by a count that differs, are looked at again after so many polls.
const SUSPECT_POLLS: u32 = 10;
/// A sector that misses a peer of ours is walked at each of so many polls, then once in so many: the peer may be away
/// for good, and the walk costs a packet for every other peer.
const MISSED_POLLS: u32 = 5;

/// How a device is to be read.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// The family, where the inventory decides it.
    pub family: Option<&'static Family>,
    /// Names of the ports to read; none: all Ethernet ports with a rate.
    pub ports: Vec<String>,
    /// It is the access point of a sector.
    pub sector: bool,
    /// How the inventory knows its peers: by MAC address, or by the tag of the radio towards them.
    pub peers: BTreeSet<String>,
    /// Read every peer, whoever it is.
    pub everybody: bool,
}

impl Manner {
    fn scope<'a>(&'a self, rows: &'a Rows) -> Scope<'a> {
        Scope { rows, sector: self.sector, peers: &self.peers, everybody: self.everybody }
    }
}

impl PartialEq for Manner {
    fn eq(&self, other: &Self) -> bool {
        let family = |manner: &Self| manner.family.map(|f| f.profile);
        family(self) == family(other)
            && self.ports == other.ports
            && self.sector == other.sector
            && self.peers == other.peers
    }
}

/// What a device is, and how that is known.
#[derive(Debug, Clone)]
pub struct Identity {
    pub family: &'static Family,
    pub why: String,
    pub sys_object_id: Option<Oid>,
    pub sys_descr: Option<String>,
    pub info: Info,
}

/// One poll that was answered.
#[derive(Debug, Clone)]
pub struct Polled {
    pub at: UnixMillis,
    pub identity: Identity,
    pub uptime_secs: Reading,
    pub radios: Vec<Radio>,
    pub ports: Vec<Port>,
    /// Fields of the measurement `power`.
    pub power: BTreeMap<&'static str, Reading>,
    /// Radios whose capacity a firmware took away; `vedetta probe`, which remembers nothing, cannot tell.
    pub capacity_lost: Lost,
}

/// What is known of a device.
#[derive(Debug)]
struct Known {
    identity: Identity,
    rows: Rows,
    ports: Ports,
    /// `None`: what was learnt is not believed any longer.
    learnt_at: Option<MonoMillis>,
    /// sysUpTime at the last poll, hundredths of a second.
    up_ticks: Option<f64>,
    rates: BTreeMap<String, [CounterRate; 2]>,
    stale: Vec<&'static str>,
    suspect_polls: u32,
    missed_polls: u32,
}

/// The poller of one device.
#[derive(Debug)]
pub struct Poller<S> {
    pub session: S,
    manner: Manner,
    known: Option<Known>,
    learn_again: Duration,
    /// When GETBULK was last held for possible whatever is remembered; at first, when this began.
    bulk_since: Option<MonoMillis>,
}

impl<S: SnmpGet> Poller<S> {
    pub fn new(session: S, manner: Manner) -> Self {
        Self { session, manner, known: None, learn_again: LEARN_AGAIN, bulk_since: None }
    }

    /// Learns again after as much more or less than an hour, -0.25 to 0.25, so that devices which were all learnt at
    /// once are not learnt so for ever.
    #[must_use]
    pub fn learning_off_the_hour(mut self, part: f64) -> Self {
        self.learn_again = LEARN_AGAIN.mul_f64(1.0 + part.clamp(-0.25, 0.25));
        self
    }

    /// Whether the next poll has nothing to learn first.
    pub fn is_known(&self) -> bool {
        self.known.as_ref().is_some_and(|k| k.learnt_at.is_some())
    }

    /// From now on every peer is read, as if the device were the access point of a sector that is all ours.
    pub fn read_everybody(&mut self) {
        (self.manner.sector, self.manner.everybody) = (true, true);
    }

    /// One question of one object: is it there?
    pub async fn alive(&mut self) -> Result<(), SnmpError> {
        self.session.get(&[SYS_UP_TIME.into()]).await.map(|_| ())
    }

    /// Asks the device everything that its family offers.
    pub async fn poll(&mut self, clock: &dyn Clock) -> Result<Polled, SnmpError> {
        let fresh = |at: MonoMillis| clock.mono().since(at) <= self.learn_again;
        if !self.known.as_ref().and_then(|k| k.learnt_at).is_some_and(fresh) {
            self.learn(clock).await?;
        }
        self.look_again().await?;
        let answers = self.ask().await?;
        let (at, mono) = (clock.now(), clock.mono());
        if self.note_restart(&answers) {
            self.session.forget();
            self.session.try_bulk_again();
            self.bulk_since = Some(mono);
            // Another firmware may have started: the next poll learns afresh, this one has what it asked for.
            if let Some(known) = &mut self.known {
                known.learnt_at = None;
            }
        }
        Ok(self.read(&answers, at, mono))
    }

    /// Identifies the device and learns its rows, ports, model and firmware.
    async fn learn(&mut self, clock: &dyn Clock) -> Result<(), SnmpError> {
        // What it did not offer an hour ago it may offer now.
        self.session.forget();
        let now = clock.mono();
        if now.since(*self.bulk_since.get_or_insert(now)) >= BULK_AGAIN {
            self.session.try_bulk_again();
            self.bulk_since = Some(now);
        }
        let system: Vec<Oid> = [SYS_DESCR, SYS_OBJECT_ID, SYS_UP_TIME].map(Oid::from).into();
        let mut answers = self.session.get(&system).await?;
        let sys_object_id = match answers.value(&SYS_OBJECT_ID.into()) {
            Ok(Value::Oid(oid)) => Some(oid.clone()),
            _ => None,
        };
        let (family, why) = if let Some(family) = self.manner.family {
            (family, "the inventory says so".to_owned())
        } else {
            let questions = radio::questions(sys_object_id.as_ref(), &answers);
            if !questions.is_empty() {
                answers.extend(self.session.get(&questions).await?);
            }
            identify(sys_object_id.as_ref(), &answers)
        };
        let mut rows = Rows::default();
        for table in family.tables {
            rows.set(table.name, self.walk(table).await?);
        }
        let info = (family.info)(&rows);
        let info = if info.is_empty() { Answers::default() } else { self.session.get(&info).await? };
        let identity = Identity {
            family,
            why,
            sys_object_id,
            sys_descr: answers.text(&SYS_DESCR.into()).ok(),
            info: (family.decode_info)(&info, &rows),
        };
        let mut ports = self.learn_ports().await?;
        let before = self.known.take();
        let (mut rates, mut up_ticks) = (BTreeMap::new(), None);
        if let Some(before) = before {
            ports.keep_rates(before.ports);
            (rates, up_ticks) = (before.rates, before.up_ticks);
        }
        let learnt_at = Some(clock.mono());
        self.known = Some(Known {
            identity,
            rows,
            ports,
            learnt_at,
            up_ticks,
            rates,
            stale: Vec::new(),
            suspect_polls: 0,
            missed_polls: 0,
        });
        Ok(())
    }

    async fn walk(&mut self, table: &Table) -> Result<Vec<super::snmp::Row>, SnmpError> {
        Ok(self.session.column(table.column, table.rows_max).await?.rows)
    }

    async fn learn_ports(&mut self) -> Result<Ports, SnmpError> {
        let types = self.session.column(IF_TYPE, INTERFACES_MAX).await?.rows;
        let names = port::naming_requests(&types, !self.manner.ports.is_empty());
        let answers = if names.is_empty() { Answers::default() } else { self.session.get(&names).await? };
        Ok(Ports::new(port::choose(&types, &answers, &self.manner.ports)))
    }

    /// Looks at tables again whose rows have changed.
    async fn look_again(&mut self) -> Result<(), SnmpError> {
        let Some(known) = &mut self.known else { return Ok(()) };
        let stale = known.stale.clone();
        let tables: Vec<&Table> = known.identity.family.tables.iter().filter(|t| stale.contains(&t.name)).collect();
        for table in tables {
            let rows = self.walk(table).await?;
            if let Some(known) = &mut self.known {
                known.rows.set(table.name, rows);
            }
        }
        if let Some(known) = &mut self.known {
            known.stale.clear();
        }
        Ok(())
    }

    async fn ask(&mut self) -> Result<Answers, SnmpError> {
        let mut oids: Vec<Oid> = vec![SYS_UP_TIME.into()];
        if let Some(known) = &self.known {
            let scope = self.manner.scope(&known.rows);
            oids.extend((known.identity.family.requests)(&scope));
            oids.extend(known.ports.requests());
        }
        self.session.get(&oids).await
    }

    /// Whether sysUpTime has gone back. It wraps after 497 days too (RFC 3418): then everything begins anew once for
    /// nothing.
    fn note_restart(&mut self, answers: &Answers) -> bool {
        let Some(known) = &mut self.known else { return false };
        let Ok(ticks) = answers.number(&SYS_UP_TIME.into()) else { return false };
        let restarted = known.up_ticks.is_some_and(|before| ticks < before);
        known.up_ticks = Some(ticks);
        if restarted {
            known.ports.reset();
            known.rates.clear();
        }
        restarted
    }

    fn read(&mut self, answers: &Answers, at: UnixMillis, mono: MonoMillis) -> Polled {
        let known = self.known.as_mut().expect("a poll asks only after learning");
        let scope = self.manner.scope(&known.rows);
        let family = known.identity.family;
        let Decoded { mut radios, power, stale, suspect } = family.read(answers, &scope);
        for radio in &mut radios {
            let Some(octets) = radio.octets else { continue };
            let rates = known.rates.entry(radio.tag.clone()).or_default();
            let fields = ["throughput_tx_mbps", "throughput_rx_mbps"];
            for ((field, counter), rate) in fields.into_iter().zip([octets.tx, octets.rx]).zip(rates) {
                let reading = match counter {
                    Ok(counter) => rate.rate_mbps(counter, mono, Some(family.capacity_max_mbps)),
                    Err(why) => Reading::Missing(why),
                };
                radio.set(field, reading);
            }
        }
        known.missed_polls = if stale.is_empty() { 0 } else { known.missed_polls.saturating_add(1) };
        let walk =
            !scope.sector || known.missed_polls <= MISSED_POLLS || known.missed_polls.is_multiple_of(MISSED_POLLS);
        if walk {
            known.stale.extend(stale);
        }
        if suspect.is_empty() {
            known.suspect_polls = 0;
        } else {
            known.suspect_polls += 1;
            if known.suspect_polls % SUSPECT_POLLS == 1 {
                known.stale.extend(suspect);
            }
        }
        Polled {
            at,
            identity: known.identity.clone(),
            uptime_secs: answers.count(&SYS_UP_TIME.into(), 0.01),
            radios,
            ports: known.ports.read(answers, mono),
            power,
            capacity_lost: Lost::new(),
        }
    }

    /// Judges what was polled by what is remembered of the device. Returns what is to be remembered, if that is news.
    pub fn remember(&self, polled: &mut Polled, before: &DeviceMemory) -> Option<DeviceMemory> {
        let mut memory = before.clone();
        let sector = self.manner.sector;
        // Of a sector's former peers nothing is said: the inventory may have dropped them.
        let ours = |tag: &str| if sector { self.manner.peers.contains(tag) } else { true };
        polled.capacity_lost = memory.judge(&polled.identity, &mut polled.radios, ours);
        memory.speech = self.session.speech().or(memory.speech);
        (memory != *before).then_some(memory)
    }
}

/// Fields of a radio that say "not measured because …" while its device is silent.
pub const KEY_FIELDS: [&str; 3] = ["capacity_tx_mbps", "capacity_rx_mbps", "rsl_dbm"];

/// The radios of a device that did not answer: the key fields that it used to offer, missing for that reason.
pub fn silent_radios(last: &[Radio], why: Missing) -> Vec<Radio> {
    let silent = |radio: &Radio| {
        let mut silent = Radio::new(radio.tag.clone());
        for field in KEY_FIELDS {
            if radio.readings.contains_key(field) {
                silent.set(field, Reading::Missing(why));
            }
        }
        silent
    };
    last.iter().map(silent).filter(|radio| !radio.readings.is_empty()).collect()
}

#[cfg(test)]
mod tests;
