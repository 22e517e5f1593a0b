//! How many radios one process polls from one core, and whether dead ones disturb the others.
//!
//!     cargo bench --bench polling                         20,000 radios at 60 s: all alive, then 50 of them dead
//!     cargo bench --bench polling -- RADIOS DEAD MINUTES  one run of your own
//!
//! Real SNMP over loopback: the poller on the first core, the radios on the last one, each radio with an address of
//! its own (127.1.0.1 onwards) in responder processes of at most 10,000 sockets. The poller is `schedule::run`, as an
//! agent runs it, and its samples are written as line protocol and thrown away: the spool and the broker are not part
//! of this. docs/measurements.md has the figures, and what they mean.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_snmp::message::CommunityMessage;
use async_snmp::pdu::{PduType, ResponsePdu};
use async_snmp::{DecodeConfig, Value, VarBind};
use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use vedetta::config::secret::Secret;
use vedetta::model::{DeviceId, Reading, Sample, SiteId, Tag};
use vedetta::probe::access::Access;
use vedetta::probe::device::Manner;
use vedetta::probe::ping::SurgePinger;
use vedetta::probe::plan::{DevicePlan, Dropped, ProbePlan};
use vedetta::probe::recall::Memories;
use vedetta::probe::schedule;
use vedetta::probe::service::HttpServices;
use vedetta::runtime::clock::SystemClock;
use vedetta::runtime::tasks::Shutdown;

/// Between two polls of a radio.
const INTERVAL: Duration = Duration::from_mins(1);
/// Sockets of one responder process: half of what a process may usually open at most.
const SOCKETS_MAX: u32 = 10_000;
const PORT: u16 = 16_161;
/// Polls of a radio that are not counted: it is learnt in the first, and in step from the third.
const POLLS_LEFT_OUT: usize = 2;
/// Samples on their way from the polls, as in an agent.
const QUEUE_POLLS_MAX: usize = 256;

fn main() -> anyhow::Result<()> {
    // cargo adds --bench.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => [0, 50].into_iter().try_for_each(|dead| measure(20_000, dead, 5)),
        ["respond", first, last, dead] => run(respond(first.parse()?, last.parse()?, dead.parse()?)),
        ["poll", radios, dead, minutes] => run(poll(radios.parse()?, dead.parse()?, minutes.parse()?)),
        [radios, dead, minutes] => measure(radios.parse()?, dead.parse()?, minutes.parse()?),
        _ => anyhow::bail!("either nothing, or RADIOS DEAD MINUTES"),
    }
}

fn run(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Processes that end with this one.
struct Children(Vec<Child>);

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// This program again, on one core.
fn pinned(core: usize, words: &[u32], role: &str) -> anyhow::Result<Command> {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(std::env::current_exe()?).arg(role);
    command.args(words.iter().map(ToString::to_string));
    Ok(command)
}

fn measure(radios: u32, dead: u32, minutes: u32) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let mut responders = Children(Vec::new());
    for first in (0..radios).step_by(SOCKETS_MAX as usize) {
        let last = (first + SOCKETS_MAX).min(radios);
        let mut child = pinned(cores - 1, &[first, last, every(radios, dead)], "respond")?
            .stdout(Stdio::piped())
            .spawn()
            .context("taskset (util-linux) pins the processes to a core each")?;
        // It says when all its sockets are open.
        let mut ready = String::new();
        BufReader::new(child.stdout.take().context("its output")?).read_line(&mut ready)?;
        responders.0.push(child);
        anyhow::ensure!(ready == "ready\n", "a responder did not start");
    }
    let ended = pinned(0, &[radios, every(radios, dead), minutes], "poll")?.status()?;
    anyhow::ensure!(ended.success(), "the poller failed");
    Ok(())
}

/// One radio in so many is dead; 0: none.
fn every(radios: u32, dead: u32) -> u32 {
    radios.checked_div(dead).unwrap_or(0)
}

fn is_dead(radio: u32, every: u32) -> bool {
    every > 0 && radio % every == every / 2
}

fn address(radio: u32) -> SocketAddr {
    (Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + radio), PORT).into()
}

/// Answers for radios until it is killed.
async fn respond(first: u32, last: u32, dead: u32) -> anyhow::Result<()> {
    let objects = Arc::new(objects());
    let mut tasks = JoinSet::new();
    for radio in first..last {
        let socket = UdpSocket::bind(address(radio)).await.with_context(|| format!("radio {radio}"))?;
        let objects = objects.clone();
        tasks.spawn(async move {
            let mut buffer = vec![0; 2048];
            while let Ok((size, from)) = socket.recv_from(&mut buffer).await {
                if is_dead(radio, dead) {
                    continue;
                }
                if let Some(answer) = answer(&objects, &buffer[..size]) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
    }
    println!("ready");
    while tasks.join_next().await.is_some() {}
    Ok(())
}

type Objects = BTreeMap<async_snmp::Oid, Value>;

fn answer(objects: &Objects, question: &[u8]) -> Option<Vec<u8>> {
    let message = CommunityMessage::decode(Bytes::copy_from_slice(question), DecodeConfig::DEFAULT).ok()?.value;
    let (version, community, pdu) = message.into_parts();
    let next = pdu.pdu_type() == PduType::GetNextRequest;
    let (request_id, _, asked) = pdu.standard()?.clone().into_raw_parts();
    let bindings = asked.into_iter().map(|binding| {
        let found = if next {
            objects.range(binding.oid.clone()..).find(|(oid, _)| **oid != binding.oid)
        } else {
            objects.get_key_value(&binding.oid)
        };
        match found {
            Some((oid, value)) => VarBind::new(oid.clone(), value.clone()),
            None if next => VarBind::new(binding.oid, Value::EndOfMibView),
            None => VarBind::new(binding.oid, Value::NoSuchInstance),
        }
    });
    let response = ResponsePdu::success(version, request_id, bindings.collect()).ok()?;
    Some(CommunityMessage::v2c(community, response.into_raw()).ok()?.encode().ok()?.to_vec())
}

/// An AF60 with one peer and one Ethernet port, as `OID type value`. Names and addresses are invented.
const RADIO: &str = "
1.3.6.1.2.1.1.1.0 str Linux 4.9.241 armv7l
1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.10002.1
1.3.6.1.2.1.1.3.0 ticks 360000
@af.1.1.1 int 0
@af.1.2.1 int 69120
@af.1.3.1 int 2160
@af.2.2.1 str AF60-LR
@af.2.4.1 str GP.ipq806x.v2.6.0.46590.211230.1238
@af.3.1.2.@peer str main
@af.3.1.3.@peer int -55
@af.3.1.4.@peer int 19
@af.3.1.5.@peer int 9
@af.3.1.6.@peer int 8
@af.3.1.7.@peer int 1951000
@af.3.1.8.@peer int 1625000
@af.3.1.9.@peer c64 1000000
@af.3.1.10.@peer c64 2000000
@af.3.1.11.@peer int 120500
@af.3.1.12.@peer int 4000
@af.3.1.15.@peer int 4076
@af.3.1.18.@peer int -56
@af.3.1.19.@peer int 18
@if.2.1 str wlan0
@if.2.2 str br0
@if.2.3 str lo
@if.2.4 str eth0
@if.3.1 int 6
@if.3.2 int 6
@if.3.3 int 24
@if.3.4 int 6
@if.5.4 gauge 1000000000
@if.8.4 int 1
@if.10.4 c32 1000
@if.14.4 c32 3
@if.16.4 c32 2000
@if.20.4 c32 0
";

fn objects() -> Objects {
    let expand = |text: &str| {
        text.replace("@af", "1.3.6.1.4.1.41112.1.11.1")
            .replace("@if", "1.3.6.1.2.1.2.2.1")
            .replace("@peer", "2.0.0.0.0.17.1")
    };
    let object = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (oid, kind, text) = (words.next()?, words.next()?, words.next()?);
        let value = match kind {
            "int" => Value::Integer(text.parse().ok()?),
            "c32" => Value::Counter32(text.parse().ok()?),
            "c64" => Value::Counter64(text.parse().ok()?),
            "gauge" => Value::Gauge32(text.parse().ok()?),
            "ticks" => Value::TimeTicks(text.parse().ok()?),
            "oid" => Value::ObjectIdentifier(async_snmp::Oid::parse(text).ok()?),
            _ => Value::OctetString(Bytes::copy_from_slice(text.as_bytes())),
        };
        Some((async_snmp::Oid::parse(&expand(oid)).ok()?, value))
    };
    RADIO.lines().filter(|line| !line.is_empty()).map(|line| object(line).expect("an object a line")).collect()
}

fn plan(radios: u32) -> anyhow::Result<ProbePlan> {
    let site = SiteId::parse("hill").context("an id")?;
    let device = |radio: u32| {
        Some(DevicePlan {
            device: DeviceId::parse(&format!("radio-{radio}")).ok()?,
            site: site.clone(),
            address: address(radio),
            access: Access::V2c { community: Secret::new("public") },
            manner: Manner::default(),
        })
    };
    let devices = (0..radios).map(device).collect::<Option<_>>().context("ids")?;
    Ok(ProbePlan {
        agent: site.clone(),
        interval: INTERVAL,
        devices,
        pings: vec![],
        services: vec![],
        dropped: Dropped::default(),
        memories: Memories::default(),
    })
}

/// What is known of one radio's polls.
#[derive(Default, Clone)]
struct Seen {
    /// When each poll was over, ms.
    at: Vec<i64>,
    requests: Vec<f64>,
    overruns: f64,
    timeouts: f64,
    poll_ms: Vec<f64>,
}

/// Polls for some minutes, and prints what came of it.
async fn poll(radios: u32, dead: u32, minutes: u32) -> anyhow::Result<()> {
    let plan = plan(radios)?;
    let dropped = plan.dropped.clone();
    let (switch, shutdown) = Shutdown::new();
    let (tx, mut rx) = mpsc::channel::<Vec<Sample>>(QUEUE_POLLS_MAX);
    let mut tasks = JoinSet::new();
    let (_same, plans) = watch::channel(Some(Arc::new(plan)));
    tasks.spawn(schedule::run(
        plans,
        tx,
        Arc::new(SurgePinger::start()?),
        Arc::new(HttpServices::new()),
        SystemClock::shared(),
        7,
        shutdown,
    ));
    let mut seen = vec![Seen::default(); radios as usize];
    let (mut line, mut bytes) = (String::new(), 0);
    let warm = tokio::time::sleep(INTERVAL * 2);
    tokio::pin!(warm);
    let end = tokio::time::sleep(INTERVAL * (minutes + 2));
    tokio::pin!(end);
    let mut from = None;
    loop {
        tokio::select! {
            samples = rx.recv() => {
                let samples = samples.context("the polls ended")?;
                line.clear();
                vedetta::wire::line::encode(&samples, &mut line);
                bytes += line.len();
                note(&samples, &mut seen);
            }
            () = &mut warm, if from.is_none() => from = Some((Usage::now()?, bytes)),
            () = &mut end => break,
        }
    }
    let (before, bytes_before) = from.context("it warms up first")?;
    let usage = Usage::now()?;
    println!(
        "{radios} radios, {} of them dead, every {} s; figures of {minutes} minutes after the first two",
        (0..radios).filter(|r| is_dead(*r, dead)).count(),
        INTERVAL.as_secs()
    );
    println!(
        "  CPU               {:.1} % of one core ({:.1} % of it in the kernel)",
        (usage.cpu_secs - before.cpu_secs) / f64::from(minutes * 60) * 100.0,
        (usage.kernel_secs - before.kernel_secs) / (usage.cpu_secs - before.cpu_secs) * 100.0
    );
    println!("  CPU while learning {:.1} % of one core in the first two minutes", before.cpu_secs / 120.0 * 100.0);
    println!(
        "  memory            {:.0} MiB resident, {:.1} KiB a radio",
        usage.resident_mib,
        usage.resident_mib * 1024.0 / f64::from(radios)
    );
    println!(
        "  line protocol     {:.1} MiB a minute",
        (bytes - bytes_before) as f64 / f64::from(minutes) / 1_048_576.0
    );
    report(&seen, dead, dropped.count());
    switch.stop();
    while tasks.join_next().await.is_some() {}
    Ok(())
}

fn note(samples: &[Sample], seen: &mut [Seen]) {
    for sample in samples.iter().filter(|s| s.measurement.name == "device") {
        let number = sample.tag_value(Tag::Device).and_then(|id| id.strip_prefix("radio-")?.parse::<usize>().ok());
        let Some(seen) = number.and_then(|n| seen.get_mut(n)) else { continue };
        let get = |field: &str| sample.reading(field).and_then(Reading::get);
        seen.at.push(sample.at.0);
        seen.requests.push(get("requests_total").unwrap_or(0.0));
        seen.overruns = get("overruns_total").unwrap_or(0.0);
        seen.timeouts = get("timeouts_total").unwrap_or(0.0);
        seen.poll_ms.extend(get("poll_ms"));
    }
}

fn report(seen: &[Seen], dead: u32, dropped: u64) {
    let alive = || seen.iter().enumerate().filter(|(i, _)| !is_dead(*i as u32, dead)).map(|(_, s)| s);
    let spread = alive().flat_map(|s| {
        let counted = s.at.get(POLLS_LEFT_OUT..).unwrap_or_default();
        counted.windows(2).map(|pair| ((pair[1] - pair[0]) as f64 - INTERVAL.as_secs_f64() * 1e3).abs())
    });
    let packets = alive().flat_map(|s| {
        let counted = s.requests.get(POLLS_LEFT_OUT - 1..).unwrap_or_default();
        counted.windows(2).map(|pair| pair[1] - pair[0])
    });
    let answered = alive().flat_map(|s| s.poll_ms.get(POLLS_LEFT_OUT..).unwrap_or_default().iter().copied());
    let sum = |field: fn(&Seen) -> f64| alive().map(field).sum::<f64>();
    println!("  overruns          {} of the live ones; {} samples dropped", sum(|s| s.overruns), dropped);
    println!("  unanswered        {} requests to the live ones", sum(|s| s.timeouts));
    println!(
        "  polls             {} of live radios (fewest of one: {})",
        alive().map(|s| s.at.len()).sum::<usize>(),
        alive().map(|s| s.at.len()).min().unwrap_or(0)
    );
    show("packets a poll   ", packets.collect());
    show("poll lasts, ms   ", answered.collect());
    show("off schedule, ms ", spread.collect());
    let packets: Vec<f64> = seen
        .iter()
        .enumerate()
        .filter(|(i, _)| is_dead(*i as u32, dead))
        .filter_map(|(_, s)| s.requests.last().copied())
        .collect();
    if !packets.is_empty() {
        show("packets to a dead one, in all", packets);
    }
}

fn show(what: &str, mut figures: Vec<f64>) {
    figures.sort_by(f64::total_cmp);
    let at = |part: f64| figures.get(((figures.len().max(1) - 1) as f64 * part) as usize).copied().unwrap_or(f64::NAN);
    let mean = figures.iter().sum::<f64>() / figures.len() as f64;
    println!(
        "  {what} mean {mean:.2}, median {:.2}, 99 % {:.2}, 99.9 % {:.2}, most {:.2}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// What this process has used.
struct Usage {
    cpu_secs: f64,
    kernel_secs: f64,
    resident_mib: f64,
}

impl Usage {
    fn now() -> anyhow::Result<Self> {
        // proc(5): after the name in parentheses, utime and stime are the 12th and 13th field, in ticks of 10 ms on
        // every Linux of today; statm has the resident pages second.
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let fields: Vec<&str> = stat.rsplit(')').next().context("a name")?.split_whitespace().collect();
        let ticks = |n: usize| anyhow::Ok(fields.get(n).context("too few fields")?.parse::<f64>()? / 100.0);
        let (user, kernel) = (ticks(11)?, ticks(12)?);
        let resident = vedetta::runtime::health::resident_bytes().context("the size of this process")?;
        Ok(Self { cpu_secs: user + kernel, kernel_secs: kernel, resident_mib: resident as f64 / 1_048_576.0 })
    }
}
