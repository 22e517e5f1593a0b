//! The sockets on which simulated devices answer SNMP.
//!
//! SNMPv1 and v2c are answered here, one request after another as small devices do: a socket and a buffer of 2 KiB
//! for each device. SNMPv3 is answered by an agent that listens on a port of its own; the device's socket passes
//! requests on to it only while the device has power and can be reached. A device that cannot be reached keeps its
//! socket and says nothing, for a closed socket would be answered by the kernel with "port unreachable", which no
//! radio without power sends.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_snmp::agent::Agent;
use async_snmp::handler::{
    BoxFuture, GetNextResult, GetResult, HandlerError, HandlerResult, MibHandler, RequestContext,
};
use async_snmp::message::{CommunityMessage, CommunityPdu};
use async_snmp::pdu::{Pdu, PduBody, PduType, StandardPduType};
use async_snmp::v3::{AuthoritativeEngine, DesSaltState, MasterKeys, PersistedAuthoritativeEngine, UsmUser};
use async_snmp::{CommunityVersion, DecodeConfig, ErrorStatus, Oid, Value, VarBind, Version};
use tokio::net::UdpSocket;

use super::SimWorld;
use crate::config::secret::{Secret, SecretSource};
use crate::model::network::{AuthProtocol, PrivProtocol, SecretRef, SnmpAccess};
use crate::runtime::tasks::Shutdown;

/// Longest request that a device takes; what is longer is cut, does not parse, and is ignored.
const REQUEST_BYTES_MAX: usize = 2048;
/// Longest response: what an Ethernet frame carries over UDP (RFC 3417 wants 484 at least).
const RESPONSE_BYTES_MAX: usize = 1472;
/// Most rows that one GETBULK gets.
const REPETITIONS_MAX: u32 = 64;
/// How long the device's socket waits for the agent behind it.
const AGENT_PATIENCE: Duration = Duration::from_secs(1);
/// How long a request that a family never answers is held before it is dropped.
const SILENCE: Duration = Duration::from_secs(2);

/// What a device accepts.
enum Access {
    /// SNMPv1 only, or SNMPv1 and v2c.
    Community { community: Secret, with_v2c: bool },
    /// The agent behind, and the socket that leads to it.
    V3 { agent: Box<Agent>, upstream: UdpSocket },
}

/// One device's socket, open and waiting.
pub struct Responder {
    world: Arc<SimWorld>,
    device: usize,
    socket: UdpSocket,
    access: Access,
}

impl Responder {
    /// Opens the device's socket.
    pub async fn bind(
        world: &Arc<SimWorld>,
        device: usize,
        address: SocketAddr,
        access: &SnmpAccess,
        keys: &mut Keys,
        secrets: &dyn SecretSource,
    ) -> anyhow::Result<Self> {
        let name = &world.model.plan.devices[device].id;
        let socket = UdpSocket::bind(address).await.with_context(|| format!("{name} cannot answer on {address}"))?;
        let access = match access {
            SnmpAccess::V1 { community } => Access::Community { community: secrets.read(community)?, with_v2c: false },
            SnmpAccess::V2c { community } => Access::Community { community: secrets.read(community)?, with_v2c: true },
            SnmpAccess::V3 { user, auth, privacy } => {
                let user = keys.user(user, auth.as_ref(), privacy.as_ref(), secrets)?;
                v3_access(world, device, user).await.with_context(|| format!("the SNMPv3 agent of {name}"))?
            }
        };
        Ok(Self { world: Arc::clone(world), device, socket, access })
    }

    /// Answers until the process stops.
    pub async fn run(self, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let agent = async {
            match &self.access {
                Access::V3 { agent, .. } => agent.run().await.map_err(anyhow::Error::from),
                Access::Community { .. } => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shutdown.wait() => Ok(()),
            ended = agent => ended,
            never = self.serve() => match never {},
        }
    }

    async fn serve(&self) -> Infallible {
        let mut buffer = vec![0; REQUEST_BYTES_MAX];
        loop {
            let (length, from) = match self.socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                Err(error) => {
                    // An ICMP error for an earlier answer, whose asker has gone: the next request is another's.
                    tracing::debug!(%error, "a simulated device's socket");
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            if !self.world.answers(self.device) {
                continue;
            }
            let response = match &self.access {
                Access::Community { community, with_v2c } => self.respond(&buffer[..length], community, *with_v2c),
                Access::V3 { upstream, .. } => ask_agent(upstream, &buffer[..length]).await,
            };
            if let Some(response) = response
                && let Err(error) = self.socket.send_to(&response, from).await
            {
                tracing::debug!(%error, %from, "an answer of a simulated device was not sent");
            }
        }
    }

    /// The answer to a request of SNMPv1 or v2c; `None` where a device says nothing.
    fn respond(&self, request: &[u8], community: &Secret, with_v2c: bool) -> Option<Vec<u8>> {
        let message = CommunityMessage::decode(request.to_vec().into(), DecodeConfig::default()).ok()?.value;
        let (version, given, pdu) = message.into_parts();
        let allowed = version == Version::V1 || (version == Version::V2c && with_v2c);
        if !allowed || !given.matches(community.expose()) {
            return None;
        }
        let CommunityPdu::Standard(pdu) = pdu else { return None };
        let (request_id, body, varbinds) = pdu.into_raw_parts();
        let answer = self.answer(version, &body, &varbinds)?;
        let encode = |answer: Answer| {
            let body = PduBody::Standard {
                pdu_type: StandardPduType::Response,
                error_status: answer.status.as_i32(),
                error_index: answer.index,
            };
            let version = if version == Version::V1 { CommunityVersion::V1 } else { CommunityVersion::V2c };
            let pdu = Pdu::from_raw_parts(request_id, body, answer.varbinds);
            CommunityMessage::new(version, community.expose(), pdu).ok()?.encode().ok().map(|b| b.to_vec())
        };
        let response = encode(answer)?;
        if response.len() <= RESPONSE_BYTES_MAX {
            return Some(response);
        }
        // SNMPv1 gives the request back with tooBig (RFC 1157, 4.1.2), later versions nothing (RFC 3416, 4.2.1).
        let varbinds = if version == Version::V1 { varbinds } else { Vec::new() };
        encode(Answer { status: ErrorStatus::TooBig, index: 0, varbinds })
    }

    fn answer(&self, version: Version, body: &PduBody, asked: &[VarBind]) -> Option<Answer> {
        let table = self.world.table(self.device);
        let get = |oid: &Oid| table.get(oid).filter(|v| fits(version, v)).cloned();
        let next = |oid: &Oid| {
            let mut at = oid.clone();
            loop {
                let (found, value) = table.get_next(&at)?;
                if fits(version, value) {
                    return Some(VarBind::new(found.clone(), value.clone()));
                }
                at = found.clone();
            }
        };
        let mut varbinds = Vec::with_capacity(asked.len());
        match body {
            PduBody::Standard { pdu_type: StandardPduType::GetRequest, .. } => {
                for (i, bind) in asked.iter().enumerate() {
                    match get(&bind.oid) {
                        Some(value) => varbinds.push(VarBind::new(bind.oid.clone(), value)),
                        None if version == Version::V1 => return Some(Answer::no_such_name(i, asked)),
                        None => varbinds.push(VarBind::new(bind.oid.clone(), Value::NoSuchInstance)),
                    }
                }
            }
            PduBody::Standard { pdu_type: StandardPduType::GetNextRequest, .. } => {
                for (i, bind) in asked.iter().enumerate() {
                    match next(&bind.oid) {
                        Some(found) => varbinds.push(found),
                        None if version == Version::V1 => return Some(Answer::no_such_name(i, asked)),
                        None => varbinds.push(VarBind::new(bind.oid.clone(), Value::EndOfMibView)),
                    }
                }
            }
            PduBody::GetBulk { non_repeaters, max_repetitions } if self.does_bulk() && version != Version::V1 => {
                bulk(&mut varbinds, asked, *non_repeaters as usize, *max_repetitions, next);
            }
            PduBody::Standard { pdu_type: StandardPduType::SetRequest, .. } if version == Version::V1 => {
                return Some(Answer::no_such_name(0, asked));
            }
            PduBody::Standard { pdu_type: StandardPduType::SetRequest, .. } => {
                return Some(Answer { status: ErrorStatus::NotWritable, index: 1, varbinds: asked.to_vec() });
            }
            _ => return None,
        }
        Some(Answer { status: ErrorStatus::NoError, index: 0, varbinds })
    }

    /// Ubiquiti's agents do not answer GETBULK.
    fn does_bulk(&self) -> bool {
        !self.world.model.plan.devices[self.device].family.is_ubiquiti()
    }
}

struct Answer {
    status: ErrorStatus,
    index: i32,
    varbinds: Vec<VarBind>,
}

impl Answer {
    /// SNMPv1's only word for "not there", which gives the request back (RFC 1157, section 4.1.2).
    fn no_such_name(i: usize, asked: &[VarBind]) -> Self {
        Self { status: ErrorStatus::NoSuchName, index: i as i32 + 1, varbinds: asked.to_vec() }
    }
}

/// SNMPv1 has no 64-bit counters: for it, such objects are not there (RFC 3584, section 4.2.2.1).
fn fits(version: Version, value: &Value) -> bool {
    version != Version::V1 || !matches!(value, Value::Counter64(_))
}

/// RFC 3416, section 4.2.3; a response stays within one datagram.
fn bulk(
    varbinds: &mut Vec<VarBind>,
    asked: &[VarBind],
    non_repeaters: usize,
    max_repetitions: u32,
    next: impl Fn(&Oid) -> Option<VarBind>,
) {
    /// Bytes of a message around its variable bindings, at the most.
    const ENVELOPE: usize = 100;
    let mut room = RESPONSE_BYTES_MAX - ENVELOPE;
    let mut push = |varbinds: &mut Vec<VarBind>, bind: VarBind| {
        let size = bind.encoded_size();
        let fits = size <= room;
        if fits {
            room -= size;
            varbinds.push(bind);
        }
        fits
    };
    let step = |oid: &Oid| next(oid).unwrap_or_else(|| VarBind::new(oid.clone(), Value::EndOfMibView));
    let (once, repeated) = asked.split_at(non_repeaters.min(asked.len()));
    for bind in once {
        push(varbinds, step(&bind.oid));
    }
    let mut at: Vec<Oid> = repeated.iter().map(|b| b.oid.clone()).collect();
    for _ in 0..max_repetitions.min(REPETITIONS_MAX) {
        let mut ended = true;
        for oid in &mut at {
            let bind = step(oid);
            ended &= matches!(bind.value, Value::EndOfMibView);
            *oid = bind.oid.clone();
            if !push(varbinds, bind) {
                return;
            }
        }
        if ended {
            return;
        }
    }
}

/// Passes a request on and waits for its answer.
async fn ask_agent(upstream: &UdpSocket, request: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = vec![0; REQUEST_BYTES_MAX];
    // An answer that came too late belongs to an earlier request.
    while upstream.try_recv(&mut buffer).is_ok() {}
    upstream.send(request).await.ok()?;
    let length = tokio::time::timeout(AGENT_PATIENCE, upstream.recv(&mut buffer)).await.ok()?.ok()?;
    buffer.truncate(length);
    Some(buffer)
}

/// Answers SNMPv3 requests from the device's table.
struct DeviceMib {
    world: Arc<SimWorld>,
    device: usize,
    does_bulk: bool,
}

impl DeviceMib {
    /// Holds a request that this family never answers until its asker has given up.
    async fn refuse_bulk(&self, context: &RequestContext) -> HandlerResult<()> {
        if context.pdu_type() == PduType::GetBulkRequest && !self.does_bulk {
            tokio::time::sleep(SILENCE).await;
            return Err(HandlerError::new("this family does not answer GETBULK"));
        }
        Ok(())
    }
}

impl MibHandler for DeviceMib {
    fn get<'a>(&'a self, _context: &'a RequestContext, oid: &'a Oid) -> BoxFuture<'a, HandlerResult<GetResult>> {
        Box::pin(async move {
            let found = self.world.table(self.device).get(oid).cloned();
            Ok(found.map_or(GetResult::NoSuchInstance, GetResult::Value))
        })
    }

    fn get_next<'a>(
        &'a self,
        context: &'a RequestContext,
        oid: &'a Oid,
    ) -> BoxFuture<'a, HandlerResult<GetNextResult>> {
        Box::pin(async move {
            self.refuse_bulk(context).await?;
            let table = self.world.table(self.device);
            let found = table.get_next(oid).map(|(oid, value)| VarBind::new(oid.clone(), value.clone()));
            Ok(found.map_or(GetNextResult::EndOfMibView, GetNextResult::Value))
        })
    }
}

/// Users of SNMPv3 with their keys derived: a megabyte of hashing each (RFC 3414, appendix A.2), once and not for
/// every device.
#[derive(Default)]
pub struct Keys {
    users: Vec<(V3User, UsmUser)>,
}

/// What makes a user of SNMPv3, as the inventory has it.
#[derive(Clone, PartialEq)]
struct V3User {
    name: String,
    auth: Option<(AuthProtocol, SecretRef)>,
    privacy: Option<(PrivProtocol, SecretRef)>,
}

impl Keys {
    fn user(
        &mut self,
        name: &str,
        auth: Option<&(AuthProtocol, SecretRef)>,
        privacy: Option<&(PrivProtocol, SecretRef)>,
        secrets: &dyn SecretSource,
    ) -> anyhow::Result<UsmUser> {
        let wanted = V3User { name: name.to_owned(), auth: auth.cloned(), privacy: privacy.cloned() };
        if let Some((_, known)) = self.users.iter().find(|(user, _)| *user == wanted) {
            return Ok(known.clone());
        }
        let mut user = UsmUser::new(name.to_owned());
        if let Some((protocol, secret)) = auth {
            let mut keys = MasterKeys::new(auth_protocol(*protocol), secrets.read(secret)?.expose().as_bytes())?;
            if let Some((protocol, secret)) = privacy {
                let password = secrets.read(secret)?;
                keys = keys.with_privacy(priv_protocol(*protocol), password.expose().as_bytes())?;
            }
            user = user.with_master_keys(keys)?;
        }
        self.users.push((wanted, user.clone()));
        Ok(user)
    }
}

async fn v3_access(world: &Arc<SimWorld>, device: usize, user: UsmUser) -> anyhow::Result<Access> {
    let sim = &world.model.plan.devices[device];
    let mib = DeviceMib { world: Arc::clone(world), device, does_bulk: !sim.family.is_ubiquiti() };
    let inside = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    // Needed for DES answers only; a simulation that starts again may use a salt again.
    let salt = DesSaltState::install(|_| Ok::<(), Infallible>(()))?;
    let agent = Agent::builder()
        .des_salt_state(salt)
        .bind(inside.to_string())
        .authoritative_engine(engine(world, sim.mac)?)
        .without_builtin_handlers()
        .usm_user(user.username().clone(), |_| Ok(user.clone()))?
        .handler(Oid::new([1]), Arc::new(mib))
        .allow_all_access()
        .build()
        .await?;
    let upstream = UdpSocket::bind(inside).await?;
    upstream.connect(agent.local_addr()).await?;
    Ok(Access::V3 { agent: Box::new(agent), upstream })
}

/// The device's engine: named after its MAC address (RFC 3411, `SnmpEngineID`, format 3, net-snmp's enterprise), and
/// with a boot count that grows from one start of the simulation to the next, as managers insist.
fn engine(world: &SimWorld, mac: [u8; 6]) -> anyhow::Result<AuthoritativeEngine> {
    let mut id = vec![0x80, 0x00, 0x1f, 0x88, 0x03];
    id.extend(mac);
    let boots = (world.model.started_at.0 / 60_000).clamp(1, i64::from(i32::MAX) - 1) as u32;
    let before = PersistedAuthoritativeEngine::new(id, boots)?;
    Ok(AuthoritativeEngine::restart(before, |_| Ok::<(), Infallible>(()))?)
}

fn auth_protocol(protocol: AuthProtocol) -> async_snmp::AuthProtocol {
    match protocol {
        AuthProtocol::Md5 => async_snmp::AuthProtocol::Md5,
        AuthProtocol::Sha1 => async_snmp::AuthProtocol::Sha1,
        AuthProtocol::Sha224 => async_snmp::AuthProtocol::Sha224,
        AuthProtocol::Sha256 => async_snmp::AuthProtocol::Sha256,
        AuthProtocol::Sha384 => async_snmp::AuthProtocol::Sha384,
        AuthProtocol::Sha512 => async_snmp::AuthProtocol::Sha512,
    }
}

fn priv_protocol(protocol: PrivProtocol) -> async_snmp::PrivProtocol {
    match protocol {
        PrivProtocol::Des => async_snmp::PrivProtocol::Des,
        PrivProtocol::Aes128 => async_snmp::PrivProtocol::Aes128,
        PrivProtocol::Aes192 => async_snmp::PrivProtocol::Aes192Blumenthal,
        PrivProtocol::Aes256 => async_snmp::PrivProtocol::Aes256Blumenthal,
    }
}
