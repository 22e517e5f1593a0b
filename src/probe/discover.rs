//! `vedetta discover`: which radios answer in the ranges that a user names, and which two make a link.
//!
//! Each address gets one light GET for each credential (two where there is one alone: v2c, then v1), at a bounded rate;
//! what answers is then read as `vedetta probe` reads it. Nothing is guessed and nothing else is scanned. What was
//! done so far is a file, so that a long search can go on.

pub mod inventory;
pub mod pair;
pub mod ranges;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use self::pair::End;
use self::ranges::Range;
use super::access::Access;
use super::device::{Manner, Poller};
use super::memory::Speech;
use super::radio::{IF_TYPE, Radio, SECTOR_RADIO, SYS_OBJECT_ID};
use super::recording::blank::{SYS_LOCATION, SYS_NAME};
use super::recording::tape::{Taped, poll_alone};
use super::snmp::{OIDS_PER_GET, Session, SnmpError, SnmpGet as _};
use super::value::{Oid, mac_of_value};
use crate::runtime::clock::SystemClock;

/// Addresses a second, where the user says nothing: a packet every 50 ms is no load for a radio network.
pub const RATE_DEFAULT: u32 = 20;
pub const RATE_MAX: u32 = 200;
/// Addresses of one search: a /16.
pub const ADDRESSES_MAX: usize = 65_536;
/// Credentials that one address is asked with.
pub const CREDENTIALS_MAX: usize = 4;
/// Addresses being asked at once.
const IN_FLIGHT_MAX: usize = 64;
/// A device that answers is read within this, or left half-read.
const READ_MAX: Duration = Duration::from_secs(30);
/// The state file is written this often.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// Largest state file that is read, bytes.
const STATE_BYTES_MAX: u64 = 64 << 20;
/// ifPhysAddress (RFC 2863).
const IF_PHYS_ADDRESS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 6];

/// What to search.
#[derive(Debug, Clone)]
pub struct DiscoverOptions {
    pub ranges: Vec<Range>,
    pub port: u16,
    /// Name and credential, in the order in which they are tried.
    pub access: Vec<(String, Access)>,
    pub timeout: Duration,
    /// Addresses a second.
    pub rate: u32,
    /// Where the state is kept.
    pub resume: Option<PathBuf>,
}

/// Why there was no search.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    #[error("the ranges have more than {ADDRESSES_MAX} addresses together: search them one after another")]
    TooMany,
    #[error("more than {CREDENTIALS_MAX} credentials: each address would be asked with all of them")]
    TooManyCredentials,
    #[error("cannot use the state file {}", .0.display())]
    State(PathBuf, #[source] std::io::Error),
    #[error("{} is no state of a search ({reason}): name another file, or remove it", .file.display())]
    BadState { file: PathBuf, reason: String },
    #[error("{} is the state of another search ({other}): name another file, or remove it", .file.display())]
    OtherState { file: PathBuf, other: String },
}

/// A device that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub address: IpAddr,
    pub port: u16,
    /// The credential that it answered to.
    pub credential: String,
    pub profile: String,
    pub identified_by: String,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub name: Option<String>,
    pub location: Option<String>,
    pub own_macs: BTreeSet<String>,
    pub peers: BTreeSet<String>,
    pub sector: bool,
    /// It has a radio, and is no switch or supply.
    pub radio: bool,
    /// Why it was not read to the end.
    pub unread: Option<String>,
}

impl Found {
    pub fn end(&self) -> End {
        End {
            name: self.name.clone(),
            profile: self.profile.clone(),
            own_macs: self.own_macs.clone(),
            peers: self.peers.clone(),
            sector: self.sector,
        }
    }
}

/// How far a search is; the content of the state file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The ranges, and the port.
    pub search: String,
    /// All addresses before this one are done.
    pub done: usize,
    /// Those done beyond.
    pub beyond: BTreeSet<usize>,
    /// Packets of the first contact that had no answer.
    pub unanswered: u64,
    pub found: Vec<Found>,
}

impl State {
    fn finish(&mut self, i: usize) {
        self.beyond.insert(i);
        while self.beyond.remove(&self.done) {
            self.done += 1;
        }
    }

    fn n_done(&self) -> usize {
        self.done + self.beyond.len()
    }
}

/// How far it is, for whoever shows it.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub done: usize,
    pub all: usize,
    pub found: usize,
}

/// Searches until all is done or `stop` ends. Returns what was found, and whether that is all.
pub async fn discover(
    options: &DiscoverOptions,
    stop: impl Future<Output = ()>,
    mut show: impl FnMut(Progress),
) -> Result<(State, bool), DiscoverError> {
    if options.access.len() > CREDENTIALS_MAX {
        return Err(DiscoverError::TooManyCredentials);
    }
    let addresses: BTreeSet<IpAddr> =
        options.ranges.iter().flat_map(|range| range.addresses()).take(2 * ADDRESSES_MAX).collect();
    if addresses.len() > ADDRESSES_MAX {
        return Err(DiscoverError::TooMany);
    }
    let addresses: Vec<IpAddr> = addresses.into_iter().collect();
    let mut state = load(options)?;
    let left: Vec<usize> = (state.done..addresses.len()).filter(|i| !state.beyond.contains(i)).collect();
    let mut left = left.into_iter();
    let mut tick = interval(Duration::from_secs(1) / options.rate.clamp(1, RATE_MAX));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asking: JoinSet<(usize, Asked)> = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    let mut saved = Instant::now();
    let mut waiting = left.next();
    while waiting.is_some() || !asking.is_empty() {
        show(Progress { done: state.n_done(), all: addresses.len(), found: state.found.len() });
        tokio::select! {
            () = &mut stop => {
                save(options, &state)?;
                return Ok((state, false));
            }
            _ = tick.tick(), if waiting.is_some() && asking.len() < IN_FLIGHT_MAX => {
                if let Some(i) = waiting {
                    let (options, address) = (options.clone(), addresses[i]);
                    asking.spawn(async move { (i, ask(&options, address).await) });
                }
                waiting = left.next();
            }
            Some(Ok((i, asked))) = asking.join_next() => {
                state.finish(i);
                state.unanswered += asked.unanswered;
                state.found.extend(asked.found);
            }
        }
        if saved.elapsed() >= SAVE_EVERY {
            save(options, &state)?;
            saved = Instant::now();
        }
    }
    state.found.sort_by_key(|found| found.address);
    save(options, &state)?;
    Ok((state, true))
}

struct Asked {
    unanswered: u64,
    found: Option<Found>,
}

/// One address: a light GET with each credential, and all of it where one is answered.
async fn ask(options: &DiscoverOptions, address: IpAddr) -> Asked {
    let target = SocketAddr::new(address, options.port);
    let mut unanswered = 0;
    for (name, access) in &options.access {
        let mut session = Session::new(target, access.clone(), options.timeout);
        if options.access.len() > 1 {
            // One packet of the credential's own version, and no other is tried.
            session = session.recalling(Speech { version: access.version(), variables: OIDS_PER_GET, bulk: None });
        }
        let answer = session.get(&[SYS_OBJECT_ID.into()]).await;
        match answer {
            Ok(_) => {
                let found = read(options, target, name, session).await;
                return Asked { unanswered, found: Some(found) };
            }
            // Something is there that has no SNMP, or no way leads there: no other credential will help.
            Err(SnmpError::Unreachable(_)) => return Asked { unanswered: unanswered + 1, found: None },
            Err(_) => unanswered += session.counts().timeouts,
        }
    }
    Asked { unanswered, found: None }
}

async fn read(options: &DiscoverOptions, target: SocketAddr, credential: &str, session: Session) -> Found {
    let mut found = Found {
        address: target.ip(),
        port: options.port,
        credential: credential.to_owned(),
        profile: "generic".to_owned(),
        identified_by: String::new(),
        model: None,
        firmware: None,
        name: None,
        location: None,
        own_macs: BTreeSet::new(),
        peers: BTreeSet::new(),
        sector: false,
        radio: false,
        unread: None,
    };
    let clock = SystemClock::shared();
    let mut poller = Poller::new(Taped::new(session), Manner::default());
    let work = async {
        let polled = poll_alone(&mut poller, &*clock).await?;
        let tape = &poller.session.tape;
        let rows: Vec<Oid> =
            tape.objects.keys().filter_map(|oid| oid.under(IF_TYPE)).map(|i| Oid::of(IF_PHYS_ADDRESS, i)).collect();
        let mut oids = vec![Oid::from(SYS_NAME), Oid::from(SYS_LOCATION)];
        oids.extend(rows);
        let answers = poller.session.get(&oids).await?;
        Ok::<_, SnmpError>((polled, answers))
    };
    match timeout(READ_MAX, work).await {
        Err(_) => found.unread = Some(format!("not read within {} s", READ_MAX.as_secs())),
        Ok(Err(e)) => found.unread = Some(e.to_string()),
        Ok(Ok((polled, answers))) => {
            found.profile = polled.identity.family.profile.to_owned();
            found.identified_by.clone_from(&polled.identity.why);
            found.model = polled.identity.info.model;
            found.firmware = polled.identity.info.firmware;
            found.name = answers.text(&SYS_NAME.into()).ok();
            found.location = answers.text(&SYS_LOCATION.into()).ok();
            let macs = answers.iter().filter(|(oid, _)| oid.under(IF_PHYS_ADDRESS).is_some());
            found.own_macs = macs.filter_map(|(_, value)| mac_of_value(value.ok()?)).collect();
            found.peers = polled.radios.iter().filter_map(|radio| radio.peer.clone()).collect();
            found.sector = found.peers.len() > 1 || polled.radios.iter().any(|r| r.tag == SECTOR_RADIO);
            let is_radio =
                |radio: &Radio| radio.readings.contains_key("rsl_dbm") || radio.readings.contains_key("link_up_flag");
            found.radio = polled.radios.iter().any(is_radio);
        }
    }
    found
}

fn search(options: &DiscoverOptions) -> String {
    let ranges: Vec<String> = options.ranges.iter().map(ToString::to_string).collect();
    format!("{} port {}", ranges.join(" "), options.port)
}

fn load(options: &DiscoverOptions) -> Result<State, DiscoverError> {
    let fresh = State { search: search(options), ..State::default() };
    let Some(file) = &options.resume else { return Ok(fresh) };
    let trouble = |e| DiscoverError::State(file.clone(), e);
    let bad = |reason: String| DiscoverError::BadState { file: file.clone(), reason };
    let size = match std::fs::metadata(file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            // A place that cannot be written is told now, not after an hour.
            save(options, &fresh)?;
            return Ok(fresh);
        }
        size => size.map_err(trouble)?.len(),
    };
    if size > STATE_BYTES_MAX {
        return Err(bad(format!("more than {STATE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(file).map_err(trouble)?;
    let state: State = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    if state.search != fresh.search {
        return Err(DiscoverError::OtherState { file: file.clone(), other: state.search });
    }
    Ok(state)
}

/// Writes the state beside its file and renames it: a power cut leaves the old one or the new one.
fn save(options: &DiscoverOptions, state: &State) -> Result<(), DiscoverError> {
    let Some(file) = &options.resume else { return Ok(()) };
    let text = serde_json::to_string(state).map_err(|e| DiscoverError::State(file.clone(), e.into()))?;
    write_beside(file, &text).map_err(|e| DiscoverError::State(file.clone(), e))
}

fn write_beside(file: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    // It has addresses and names of strangers' devices.
    let mut opened = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    opened.write_all(text.as_bytes())?;
    opened.sync_all()?;
    std::fs::rename(&beside, file)
}

#[cfg(test)]
mod tests;
