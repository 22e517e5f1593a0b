//! Whatever comes back on the wire, a session ends with answers to what it asked or with an error, after a bounded
//! number of packets, and does not panic.
//!
//! Real UDP over loopback. Input: how the datagram is made, and its bytes. After it come datagrams that are no answer
//! at all, so that an exchange that refused the first ends without waiting.

#![no_main]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use async_snmp::DecodeConfig;
use async_snmp::message::CommunityMessage;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tokio::net::UdpSocket;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use vedetta::config::secret::Secret;
use vedetta::model::network::{AuthProtocol, PrivProtocol};
use vedetta::probe::access::Access;
use vedetta::probe::snmp::{Session, SnmpGet as _};
use vedetta::probe::value::Oid;

/// More than an exchange puts up with.
const NOISE: usize = 40;
const ROWS_MAX: usize = 5;
/// What one question may cost: each of the two versions with its repetition, or SNMPv3 with discovery and a second
/// try of its own; and a packet for each of three variables that SNMPv1 may lack.
const PACKETS_MAX: u64 = 16;

/// How the answer is made of the input.
#[derive(Clone, Copy)]
enum Making {
    /// It is the input.
    Raw,
    /// The input follows the request-id in a response that has the right one.
    Body,
    /// It is the question, with bytes replaced: pairs of place and byte.
    Echo,
}

struct World {
    runtime: Runtime,
    tasks: LocalSet,
    address: SocketAddr,
    script: Rc<RefCell<(Making, Vec<u8>)>>,
    v3: Access,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let socket = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).expect("a socket");
        let address = socket.local_addr().expect("its address");
        let script = Rc::new(RefCell::new((Making::Raw, Vec::new())));
        let tasks = LocalSet::new();
        tasks.spawn_local(respond(socket, script.clone()));
        let auth = (AuthProtocol::Sha256, Secret::new("auth-password"));
        let privacy = (PrivProtocol::Aes128, Secret::new("priv-password"));
        let v3 = Access::v3("vedetta", Some(&auth), Some(&privacy)).expect("a user");
        Self { runtime, tasks, address, script, v3 }
    }
}

async fn respond(socket: UdpSocket, script: Rc<RefCell<(Making, Vec<u8>)>>) {
    let mut question = vec![0; 4096];
    while let Ok((size, from)) = socket.recv_from(&mut question).await {
        let answer = {
            let script = script.borrow();
            made(script.0, &script.1, &question[..size])
        };
        let _ = socket.send_to(&answer, from).await;
        for _ in 0..NOISE {
            let _ = socket.send_to(b"noise", from).await;
        }
    }
}

fn made(making: Making, input: &[u8], question: &[u8]) -> Vec<u8> {
    match making {
        Making::Raw => input.to_vec(),
        Making::Body => with_body(input, question).unwrap_or_default(),
        Making::Echo => {
            let mut answer = question.to_vec();
            for pair in input.chunks_exact(2) {
                let place = usize::from(pair[0]) % answer.len().max(1);
                if let Some(byte) = answer.get_mut(place) {
                    *byte = pair[1];
                }
            }
            answer
        }
    }
}

/// A response (RFC 3416) with the question's version, community and request-id, and the rest as it comes.
fn with_body(input: &[u8], question: &[u8]) -> Option<Vec<u8>> {
    let question = CommunityMessage::decode(Bytes::copy_from_slice(question), DecodeConfig::DEFAULT).ok()?.value;
    let (version, _, pdu) = question.into_parts();
    let (request_id, ..) = pdu.standard()?.clone().into_raw_parts();
    let version = u8::from(version != async_snmp::Version::V1);
    let pdu = field(0xa2, &[&field(0x02, &[&request_id.to_be_bytes()])[..], input]);
    Some(field(0x30, &[&field(0x02, &[&[version]])[..], &field(0x04, &[b"public"]), &pdu]))
}

fn field(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = (content.len() as u16).to_be_bytes();
    [&[tag, 0x82, high, low][..], &content].concat()
}

thread_local!(static WORLD: World = World::new());

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = data.split_first() else { return };
    if bytes.len() > 8192 {
        return;
    }
    WORLD.with(|world| {
        let (making, access) = match how % 5 {
            0 => (Making::Raw, None),
            1 => (Making::Body, None),
            2 => (Making::Echo, None),
            3 => (Making::Raw, Some(&world.v3)),
            _ => (Making::Echo, Some(&world.v3)),
        };
        *world.script.borrow_mut() = (making, bytes.to_vec());
        let v2c = Access::V2c { community: Secret::new("public") };
        let session = Session::new(world.address, access.unwrap_or(&v2c).clone(), Duration::from_secs(2));
        world.runtime.block_on(world.tasks.run_until(ask(session, how / 5 % 2 == 1)));
    });
});

async fn ask(mut session: Session, column: bool) {
    if column {
        if let Ok(column) = session.column(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 3], ROWS_MAX).await {
            assert!(column.rows.len() <= ROWS_MAX);
            assert!(column.rows.windows(2).all(|rows| rows[0].index < rows[1].index), "rows go forward");
        }
        assert!(session.counts().requests <= PACKETS_MAX * ROWS_MAX as u64);
        return;
    }
    let asked: Vec<Oid> = (1..4).map(|n| Oid::from(&[1, 3, 6, 1, 2, 1, 1, n, 0][..])).collect();
    if let Ok(answers) = session.get(&asked).await {
        let told: Vec<&Oid> = answers.iter().map(|(oid, _)| oid).collect();
        assert!(told.iter().all(|oid| asked.contains(oid)), "only what was asked is answered: {told:?}");
        assert_eq!(told.len(), asked.len(), "each has its value or its reason");
    }
    assert!(session.counts().requests <= PACKETS_MAX, "{:?}", session.counts());
}
