//! Devices for tests: one that answers from a fixture within the process, and one that answers, or misbehaves, over
//! UDP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_snmp::message::CommunityMessage;
use async_snmp::pdu::{ErrorIndex, OutboundErrorStatus, PduType, ResponsePdu};
use async_snmp::{DecodeConfig, VarBind};
use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::access::Version;
use super::exchange::Counts;
use super::memory::Speech;
use super::snmp::{Column, Row, SnmpError, SnmpGet};
use super::value::{Answers, Oid, Value};

pub use super::recording::Objects;

/// The objects of a fixture, which has the form of a recording.
pub fn objects(fixture: &str) -> Objects {
    super::recording::parse(fixture).unwrap_or_else(|problems| panic!("{}", super::recording::list(&problems))).objects
}

/// A device within the process. It counts packets as a real session would fill them.
#[derive(Debug, Default)]
pub struct Fake {
    pub objects: Objects,
    pub gets: u64,
    pub nexts: u64,
    pub fails: Option<SnmpError>,
    pub forgotten: u32,
    pub bulk_again: u32,
}

impl Fake {
    pub fn new(fixture: &str) -> Self {
        Self { objects: objects(fixture), ..Self::default() }
    }

    pub fn set(&mut self, oid: &str, value: Value) {
        self.objects.insert(Oid::parse(oid).unwrap(), value);
    }
}

impl SnmpGet for Fake {
    async fn get(&mut self, oids: &[Oid]) -> Result<Answers, SnmpError> {
        self.gets += oids.len().div_ceil(super::snmp::OIDS_PER_GET) as u64;
        if let Some(e) = &self.fails {
            return Err(e.clone());
        }
        let mut answers = Answers::default();
        for oid in oids {
            answers.insert(oid.clone(), self.objects.get(oid).cloned().unwrap_or(Value::NoSuchInstance));
        }
        Ok(answers)
    }

    async fn column(&mut self, column: &[u32], rows_max: usize) -> Result<Column, SnmpError> {
        if let Some(e) = &self.fails {
            return Err(e.clone());
        }
        let row = |(oid, value): (&Oid, &Value)| Some(Row { index: oid.under(column)?.to_vec(), value: value.clone() });
        let rows: Vec<Row> = self.objects.iter().filter_map(row).take(rows_max).collect();
        self.nexts += rows.len() as u64 + 1;
        Ok(Column { complete: rows.len() < rows_max, rows })
    }

    fn forget(&mut self) {
        self.forgotten += 1;
    }

    fn try_bulk_again(&mut self) {
        self.bulk_again += 1;
    }

    fn counts(&self) -> Counts {
        Counts { requests: self.gets + self.nexts, ..Counts::default() }
    }

    fn version(&self) -> Option<Version> {
        Some(Version::V2c)
    }

    fn speech(&self) -> Option<Speech> {
        Some(Speech { version: Version::V2c, variables: super::snmp::OIDS_PER_GET, bulk: None })
    }
}

/// How a device on UDP behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    Honest,
    /// Answers nothing but SNMPv1.
    OnlyV1,
    Silent,
    Garbage,
    WrongRequestId,
    Truncated,
    Oversized,
    /// Answers `tooBig` to more than this many variables.
    Small(usize),
    /// GETNEXT answers what it was asked.
    Stuck,
    /// Says nothing to GETBULK.
    NoBulk,
}

/// A device on a loopback address, until it is dropped.
#[derive(Debug)]
pub struct Responder {
    pub address: SocketAddr,
    datagrams: Arc<AtomicU64>,
    _task: JoinSet<()>,
}

impl Responder {
    pub async fn start(objects: Objects, temper: Temper) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let datagrams = Arc::new(AtomicU64::new(0));
        let counter = datagrams.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok((size, from)) = socket.recv_from(&mut buffer).await {
                counter.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = answer(&objects, temper, &buffer[..size]) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { address, datagrams, _task: task }
    }

    /// Datagrams received so far.
    pub fn datagrams(&self) -> u64 {
        self.datagrams.load(Ordering::SeqCst)
    }
}

fn answer(objects: &Objects, temper: Temper, question: &[u8]) -> Option<Vec<u8>> {
    match temper {
        Temper::Silent => return None,
        Temper::Garbage => return Some(b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec()),
        _ => {}
    }
    let question = Bytes::copy_from_slice(question);
    let (version, community, pdu) = CommunityMessage::decode(question, DecodeConfig::DEFAULT).ok()?.value.into_parts();
    let repetitions = pdu.standard()?.get_bulk_fields().map(|(_, repetitions)| repetitions as usize);
    let (request_id, _, asked) = pdu.standard()?.clone().into_raw_parts();
    let v1 = version == async_snmp::Version::V1;
    if (temper == Temper::OnlyV1 && !v1) || (temper == Temper::NoBulk && repetitions.is_some()) {
        return None;
    }
    let next = pdu.pdu_type() == PduType::GetNextRequest;
    let request_id = if temper == Temper::WrongRequestId { request_id ^ 1 } else { request_id };
    let response = if matches!(temper, Temper::Small(max) if asked.len() > max) {
        ResponsePdu::too_big(version, request_id, if v1 { asked } else { Vec::new() })
    } else if let Some(rows) = repetitions {
        rows_after(objects, version, request_id, &asked, rows)
    } else {
        respond(objects, temper, version, request_id, &asked, next)
    };
    let message = match version {
        async_snmp::Version::V1 => CommunityMessage::v1(community, response.unwrap().into_raw()),
        _ => CommunityMessage::v2c(community, response.unwrap().into_raw()),
    };
    let mut bytes = message.unwrap().encode().unwrap().to_vec();
    match temper {
        Temper::Truncated => bytes.truncate(bytes.len() / 2),
        Temper::Oversized => bytes.resize(20_000, 0),
        _ => {}
    }
    Some(bytes)
}

/// GETBULK of one variable (RFC 3416, section 4.2.3).
fn rows_after(
    objects: &Objects,
    version: async_snmp::Version,
    request_id: i32,
    asked: &[VarBind],
    rows: usize,
) -> async_snmp::Result<ResponsePdu> {
    let from = Oid::from(asked[0].oid.arcs());
    let after = objects.range(from.clone()..).filter(|(oid, _)| **oid != from).take(rows);
    let mut found: Vec<VarBind> =
        after.map(|(o, value)| VarBind::new(async_snmp::Oid::from_slice(o.arcs()), to_wire(value))).collect();
    if found.len() < rows {
        let last = found.last().map_or(asked[0].oid.clone(), |binding| binding.oid.clone());
        found.push(VarBind::new(last, async_snmp::Value::EndOfMibView));
    }
    ResponsePdu::success(version, request_id, found)
}

fn respond(
    objects: &Objects,
    temper: Temper,
    version: async_snmp::Version,
    request_id: i32,
    asked: &[VarBind],
    next: bool,
) -> async_snmp::Result<ResponsePdu> {
    // SNMPv1 has no Counter64: its agents act as if such objects were not there (RFC 3584, section 4.2.2.1).
    let speakable = |value: &&Value| !(version == async_snmp::Version::V1 && matches!(value, Value::Counter64(_)));
    let mut found = Vec::new();
    for (i, binding) in asked.iter().enumerate() {
        let oid = Oid::from(binding.oid.arcs());
        let hit = if temper == Temper::Stuck && next {
            objects.iter().next().map(|(_, value)| (&oid, value))
        } else if next {
            objects.range(oid.clone()..).find(|(o, _)| **o != oid)
        } else {
            objects.get_key_value(&oid)
        };
        match hit.filter(|(_, value)| speakable(value)) {
            Some((oid, value)) => found.push(VarBind::new(async_snmp::Oid::from_slice(oid.arcs()), to_wire(value))),
            None if version == async_snmp::Version::V1 => {
                let index = ErrorIndex::new(i as u32 + 1, asked.len())?;
                let status = OutboundErrorStatus::NoSuchName;
                return ResponsePdu::new(version, request_id, status, Some(index), asked.to_vec());
            }
            None if next => found.push(VarBind::new(binding.oid.clone(), async_snmp::Value::EndOfMibView)),
            None => found.push(VarBind::new(binding.oid.clone(), async_snmp::Value::NoSuchInstance)),
        }
    }
    ResponsePdu::success(version, request_id, found)
}

pub fn to_wire(value: &Value) -> async_snmp::Value {
    use async_snmp::Value as Wire;
    match value {
        Value::Integer(n) => Wire::Integer(*n),
        Value::Bytes(bytes) => Wire::OctetString(Bytes::copy_from_slice(bytes)),
        Value::Oid(oid) => Wire::ObjectIdentifier(async_snmp::Oid::from_slice(oid.arcs())),
        Value::IpAddress(octets) => Wire::IpAddress(*octets),
        Value::Counter32(n) => Wire::Counter32(*n),
        Value::Gauge32(n) => Wire::Gauge32(*n),
        Value::TimeTicks(n) => Wire::TimeTicks(*n),
        Value::Counter64(n) => Wire::Counter64(*n),
        Value::NoSuchObject => Wire::NoSuchObject,
        Value::NoSuchInstance => Wire::NoSuchInstance,
        Value::EndOfMib => Wire::EndOfMibView,
        Value::Other => Wire::Null,
    }
}

/// An AF60 with one peer: the fixture of most tests. Names and addresses are invented.
pub const AF60: &str = "
    1.3.6.1.2.1.1.1.0 str Linux 4.9.241 armv7l
    1.3.6.1.2.1.1.2.0 oid 1.3.6.1.4.1.10002.1
    1.3.6.1.2.1.1.3.0 ticks 360000
    @af = 1.3.6.1.4.1.41112.1.11.1
    @af.1.1.1 int 0
    @af.1.2.1 int 69120
    @af.1.3.1 int 2160
    @af.2.2.1 str AF60-LR
    @af.2.4.1 str GP.ipq806x.v2.6.0.46590.211230.1238
    @peer = 2.0.0.0.0.17.1
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
    @if = 1.3.6.1.2.1.2.2.1
    @if.2.1 str wlan0
    @if.2.2 str br0
    @if.2.3 str lo
    @if.2.4 str eth0
    @if.3.1 int 6
    @if.3.2 int 6
    @if.3.3 int 24
    @if.3.4 int 6
    @if.5.1 gauge 0
    @if.5.2 gauge 0
    @if.5.4 gauge 1000000000
    @if.8.1 int 1
    @if.8.2 int 1
    @if.8.4 int 1
    @if.10.4 c32 1000
    @if.14.4 c32 3
    @if.16.4 c32 2000
    @if.20.4 c32 0
";
