//! `vedetta probe --record` and `--replay`: what a device answered, as a file without what is personal.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{PROBE_MAX, ProbeError, ProbeOptions, ProbeReport, family_named, open, read};
use crate::probe::device::{Manner, Polled};
use crate::probe::exchange::Counts;
use crate::probe::radio::Family;
use crate::probe::recording::blank::{self, Known};
use crate::probe::recording::tape::{Tape, play};
use crate::probe::recording::{self, OBJECTS_MAX, Objects, RECORDING_BYTES_MAX, differences, is_rate, normal_form};
use crate::probe::snmp::{Session, SnmpError, SnmpGet as _};
use crate::probe::value::Oid;

/// Objects that a walk of a vendor's tree reads at the most.
pub const WALK_MAX: usize = 5_000;
/// Between two packets of a walk: a radio has better things to do.
const WALK_PAUSE: Duration = Duration::from_millis(50);
/// A walk is given up after this: `WALK_MAX` packets at that pause, and as long again for answers.
const WALK_SPAN_MAX: Duration = Duration::from_mins(10);
/// Arcs that the root of a walk must have: 1.3.6.1.4.1 and a vendor.
const WALK_ARCS_MIN: usize = 7;
/// The trees that may be walked: `enterprises` and the IEEE's 802.11 MIB.
const WALK_ROOTS: [&[u32]; 2] = [&[1, 3, 6, 1, 4, 1], &[1, 2, 840, 10036]];

/// Why a recording could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error("{0} cannot be walked: want an OID under 1.3.6.1.4.1.VENDOR or 1.2.840.10036")]
    Subtree(Oid),
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] std::io::Error),
    #[error("{} is there already: name another file, or move it away", .0.display())]
    Exists(PathBuf),
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    #[error("{} is larger than {RECORDING_BYTES_MAX} bytes: no recording is", .0.display())]
    TooLarge(PathBuf),
    #[error("{} is no recording:\n{}", .file.display(), .problems)]
    Bad { file: PathBuf, problems: String },
    #[error("the recording cannot be decoded: {0}")]
    Decode(SnmpError),
}

/// What was recorded.
#[derive(Debug)]
pub struct Recorded {
    pub report: ProbeReport,
    /// The text of the file.
    pub text: String,
    /// What the blanked recording reads in another way than the device did; nothing, if all is well.
    pub differs: Vec<String>,
    /// The walk ended at its bound, or the device stopped answering.
    pub walk_cut: bool,
}

/// Probes a device and makes a recording of what it answered. `subtree`: of the vendor's tree, all under it too.
pub async fn record(options: ProbeOptions, subtree: Option<Oid>) -> Result<Recorded, RecordError> {
    if let Some(root) = &subtree
        && (root.arcs().len() < WALK_ARCS_MIN && root.under(WALK_ROOTS[1]).is_none()
            || WALK_ROOTS.iter().all(|tree| root.under(tree).is_none()))
    {
        return Err(RecordError::Subtree(root.clone()));
    }
    let (address, mut poller) = open(&options).await?;
    let work = read(address, &mut poller);
    let polled = tokio::time::timeout(PROBE_MAX, work).await.map_err(|_| ProbeError::TooSlow(address))??;
    // Their texts are not kept: they say what to look for in others.
    let names = [blank::SYS_CONTACT, blank::SYS_NAME, blank::SYS_LOCATION].map(Oid::from);
    let _ = poller.session.get(&names).await;
    let (mut tape, mut session) = (poller.session.tape, poller.session.inner);
    let mut walked = Walked::default();
    if let Some(root) = &subtree {
        walked = walk(&mut session, root, &mut tape).await;
    }
    let (version, counts) = (session.version(), session.counts());
    let family = family_named(options.profile.as_deref())?;
    let (text, differs) = recording_of(&tape, &polled, &walked.oids, family)?;
    let target_mbps = options.target_mbps;
    let report = ProbeReport { address: Some(address), version, counts, polled, target_mbps };
    Ok(Recorded { report, text, differs, walk_cut: walked.cut })
}

#[derive(Default)]
struct Walked {
    oids: BTreeSet<Oid>,
    cut: bool,
}

async fn walk(session: &mut Session, root: &Oid, tape: &mut Tape) -> Walked {
    let started = tokio::time::Instant::now();
    let mut walked = Walked::default();
    let mut cursor = root.clone();
    loop {
        if walked.oids.len() >= WALK_MAX || tape.objects.len() >= OBJECTS_MAX || started.elapsed() > WALK_SPAN_MAX {
            walked.cut = true;
            return walked;
        }
        let Ok(next) = session.next(&cursor).await else {
            walked.cut = true;
            return walked;
        };
        let next = next.filter(|(oid, _)| oid.under(root.arcs()).is_some());
        let Some((oid, value)) = next else { return walked };
        if oid <= cursor {
            // An agent that does not advance would keep us for ever.
            walked.cut = true;
            return walked;
        }
        if !tape.objects.contains_key(&oid) {
            walked.oids.insert(oid.clone());
            tape.keep(&oid, &value);
        }
        cursor = oid;
        tokio::time::sleep(WALK_PAUSE).await;
    }
}

fn macs(polled: &Polled) -> BTreeSet<String> {
    let told = polled.radios.iter().flat_map(|radio| radio.peer.iter().chain([&radio.tag]));
    let is_mac = |text: &&String| text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit());
    told.filter(is_mac).cloned().collect()
}

fn recording_of(
    tape: &Tape,
    polled: &Polled,
    walked: &BTreeSet<Oid>,
    family: Option<&'static Family>,
) -> Result<(String, Vec<String>), RecordError> {
    let manner = || Manner { family, ..Manner::default() };
    let reads =
        |objects: &Objects| play(objects, manner()).map_or_else(|e| e.to_string(), |polled| normal_form(&polled));
    let known = Known { macs: &macs(polled), indexes: &tape.indexes, walked };
    let blanked = blank::blank(&tape.objects, known, &reads);
    let made = normal_form(&play(&blanked, manner()).map_err(RecordError::Decode)?);
    let mut comments = vec![
        format!("Recorded by vedetta {}. Names, places, addresses and texts that may be", env!("CARGO_PKG_VERSION")),
        "personal are blanked; numbers are as they were. Read it before you send it: look for".to_owned(),
        "serial numbers and coordinates among them.".to_owned(),
    ];
    if let Some(family) = family {
        comments.push(format!("Read as {}, as was asked.", family.profile));
    }
    comments.extend(tape.failed.iter().map(|(oid, why)| format!("{oid}: {}", why.as_str())));
    let text = recording::write(&blanked, &comments, &made);
    // Addresses are other ones on purpose: only readings are compared.
    let live = normal_form(polled);
    let renamed = |text: &str| {
        let words = |line: &str| {
            line.split(' ').map(|word| if is_hex_mac(word) { "-" } else { word }).collect::<Vec<_>>().join(" ")
        };
        text.lines().map(words).collect::<Vec<_>>().join("\n")
    };
    Ok((text, differences(&renamed(&live), &renamed(&made), is_rate)))
}

fn is_hex_mac(word: &str) -> bool {
    word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Writes a recording where no file is yet, readable by its owner alone.
pub fn save(file: &Path, text: &str) -> Result<(), RecordError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(file);
    let mut opened = opened.map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => RecordError::Exists(file.to_owned()),
        _ => RecordError::Write(file.to_owned(), e),
    })?;
    opened.write_all(text.as_bytes()).map_err(|e| RecordError::Write(file.to_owned(), e))
}

/// Reads a recording and decodes it as if it were a device. The second part is what it says of itself in another way
/// than what is made of it now.
pub fn replay(
    file: &Path,
    profile: Option<&str>,
    target_mbps: f64,
) -> Result<(ProbeReport, Option<Vec<String>>), RecordError> {
    let family = family_named(profile)?;
    let unread = |e| RecordError::Read(file.to_owned(), e);
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(unread)?;
    opened.take(RECORDING_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > RECORDING_BYTES_MAX {
        return Err(RecordError::TooLarge(file.to_owned()));
    }
    let bad = |problems: String| RecordError::Bad { file: file.to_owned(), problems };
    let text = String::from_utf8(bytes).map_err(|e| {
        let sound = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]);
        let line = sound.matches('\n').count() + 1;
        bad(format!("line {line}: this is not text (UTF-8)"))
    })?;
    let recording = recording::parse(&text).map_err(|problems| bad(recording::list(&problems)))?;
    let polled = play(&recording.objects, Manner { family, ..Manner::default() }).map_err(RecordError::Decode)?;
    let differs = recording.expected.map(|expected| differences(&expected, &normal_form(&polled), |_| false));
    let (version, counts) = (None, Counts::default());
    Ok((ProbeReport { address: None, version, counts, polled, target_mbps }, differs))
}
