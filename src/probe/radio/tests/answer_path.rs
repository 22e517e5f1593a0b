//! The whole answer path on arbitrary input: datagrams over UDP, their decoding, the poll and the decoder of every
//! family. It ends after a bounded number of packets, with a poll or with an error, and what it tells is fit for a store.

use std::net::SocketAddr;
use std::time::Duration;

use async_snmp::DecodeConfig;
use async_snmp::message::CommunityMessage;
use async_snmp::pdu::PduType;
use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::*;
use crate::catalogue;
use crate::config::secret::Secret;
use crate::probe::access::Access;
use crate::probe::memory::DeviceMemory;
use crate::probe::snmp::{Session, SnmpGet as _};

/// Datagrams that are no answer: more than an exchange puts up with, so that one that refused the first need not wait.
const NOISE: usize = 40;
/// Inputs for each family.
const CASES: u32 = 6;
/// What tags of BER types an answer's values have (RFC 3416, section 3), and one that SNMP does not know.
const TAGS: [u8; 14] = [0x02, 0x02, 0x02, 0x04, 0x04, 0x06, 0x40, 0x41, 0x42, 0x43, 0x46, 0x05, 0x81, 0x13];
/// Packets of one question: each version and its repetition, bulk and then next, one more for each variable that
/// SNMPv1 may lack.
const PACKETS_MAX: u64 = 60;

/// The input, over and over.
struct Input {
    bytes: Vec<u8>,
    at: usize,
}

impl Input {
    fn byte(&mut self) -> u8 {
        self.at += 1;
        // What is read the second time differs from the first.
        self.bytes.get(self.at % (self.bytes.len() + 1)).copied().unwrap_or((self.at / 7) as u8)
    }

    /// A value, its length right for its type but for one in sixty-four.
    fn value(&mut self) -> Vec<u8> {
        let tag = TAGS[usize::from(self.byte()) % TAGS.len()];
        let wild = self.byte().is_multiple_of(64);
        let n = match tag {
            _ if wild => usize::from(self.byte() % 40),
            0x02 => 1 + usize::from(self.byte() % 3),
            0x40 => 4,
            0x41..=0x43 => 1 + usize::from(self.byte() % 4),
            0x46 => 1 + usize::from(self.byte() % 8),
            0x05 | 0x81 => 0,
            0x06 => 3,
            _ => usize::from(self.byte() % 12),
        };
        let mut content: Vec<u8> = (0..n).map(|_| self.byte()).collect();
        if tag == 0x06 && !wild {
            content = vec![0x2b, 6, 1];
        }
        field(tag, &[&content])
    }

    /// What comes back for a question.
    fn answer(&mut self, question: &[u8]) -> Vec<u8> {
        match self.byte() % 48 {
            0 => (0..self.byte()).map(|_| self.byte()).collect(),
            1 => {
                let (place, byte) = (usize::from(self.byte()), self.byte());
                let mut echo = question.to_vec();
                let place = place % echo.len();
                echo[place] = byte;
                echo
            }
            _ => self.response(question).unwrap_or_default(),
        }
    }

    /// A response with the version and request-id of the question.
    fn response(&mut self, question: &[u8]) -> Option<Vec<u8>> {
        let message = CommunityMessage::decode(Bytes::copy_from_slice(question), DecodeConfig::DEFAULT).ok()?.value;
        let (version, _, pdu) = message.into_parts();
        let rows = pdu.standard()?.get_bulk_fields().map_or(1, |(_, rows)| rows);
        let get = pdu.pdu_type() == PduType::GetRequest;
        let (request_id, _, asked) = pdu.standard()?.clone().into_raw_parts();
        let [status, index] =
            if self.byte().is_multiple_of(64) { [self.byte() % 20, self.byte() % 30] } else { [0, 0] };
        let mut bindings = Vec::new();
        for binding in &asked {
            let mut arcs = binding.oid.arcs().to_vec();
            for _ in 0..rows {
                if !get {
                    // Forward, within the column at first and then out of it.
                    match self.byte() % 8 {
                        0 => arcs = vec![1, 3, 9],
                        1 | 2 => arcs.extend([2, 0, 0, 0, 0, u32::from(self.byte())]),
                        3 => arcs.push(u32::from(self.byte())),
                        _ => *arcs.last_mut()? += 1,
                    }
                }
                let name = async_snmp::Oid::from_slice(&arcs).to_ber().ok()?;
                bindings.push(field(0x30, &[&field(0x06, &[&name]), &self.value()]));
            }
        }
        let pdu = field(
            0xa2,
            &[
                &field(0x02, &[&request_id.to_be_bytes()]),
                &field(0x02, &[&[status]]),
                &field(0x02, &[&[index]]),
                &field(0x30, &[&bindings.concat()]),
            ],
        );
        let version = u8::from(version != async_snmp::Version::V1);
        Some(field(0x30, &[&field(0x02, &[&[version]]), &field(0x04, &[b"public"]), &pdu]))
    }
}

fn field(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = (content.len() as u16).to_be_bytes();
    [&[tag, 0x82, high, low][..], &content].concat()
}

/// A device that answers as the input says, and noise after it, until the set is dropped.
async fn device(bytes: Vec<u8>) -> (SocketAddr, JoinSet<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut input = Input { bytes, at: 0 };
        let mut question = vec![0; 4096];
        while let Ok((size, from)) = socket.recv_from(&mut question).await {
            let answer = input.answer(&question[..size]);
            let _ = socket.send_to(&answer, from).await;
            for _ in 0..NOISE {
                let _ = socket.send_to(b"noise", from).await;
            }
        }
    });
    (address, task)
}

fn check_readings<'a>(
    of: &catalogue::Measurement,
    readings: impl Iterator<Item = (&'a &'static str, &'a Reading)>,
) -> Result<(), TestCaseError> {
    for (name, reading) in readings {
        prop_assert!(of.field(name).is_some(), "{} is not in the catalogue", name);
        prop_assert!(reading.get().is_none_or(f64::is_finite), "{} is {:?}", name, reading);
        let counts = name.ends_with("_total") || name.ends_with("_count");
        prop_assert!(!counts || reading.get().is_none_or(|n| n >= 0.0), "{} is {:?}", name, reading);
    }
    Ok(())
}

/// Polls three times; how many of them were answered.
async fn play(family: &'static Family, sector: bool, bytes: Vec<u8>) -> Result<usize, TestCaseError> {
    let (address, _device) = device(bytes).await;
    let access = Access::V2c { community: Secret::new("public") };
    let session = Session::new(address, access, Duration::from_secs(2));
    let peers = BTreeSet::from(["020000000011".to_owned()]);
    let manner = Manner { family: Some(family), sector, peers: peers.clone(), ..Manner::default() };
    let mut poller = Poller::new(session, manner);
    let clock = ManualClock::at(crate::model::UnixMillis(1_000_000));
    let rows_max: usize = family.tables.iter().map(|table| table.rows_max).sum();
    let (mut answered, mut memory) = (0, DeviceMemory::default());
    for _ in 0..3 {
        let before = poller.session.counts().requests;
        let polled = poller.poll(&*clock).await;
        let requests = poller.session.counts().requests - before;
        let bound = PACKETS_MAX * (rows_max as u64 + 100);
        prop_assert!(requests <= bound, "{}: {} packets", family.profile, requests);
        clock.advance(Duration::from_mins(1));
        let Ok(mut polled) = polled else { continue };
        answered += 1;
        memory = poller.remember(&mut polled, &memory).unwrap_or(memory);
        prop_assert!(polled.radios.len() <= rows_max + peers.len() + 8, "{} radios", polled.radios.len());
        for radio in &polled.radios {
            check_readings(&catalogue::RADIO, radio.readings.iter())?;
            if sector {
                prop_assert!(radio.peer.as_ref().is_none_or(|peer| peers.contains(peer)), "{:?}", radio);
            }
        }
        for port in &polled.ports {
            check_readings(&catalogue::PORT, port.readings.iter())?;
        }
        check_readings(&catalogue::POWER, polled.power.iter())?;
        let info = &polled.identity.info;
        let texts = [&info.model, &info.firmware].into_iter().flatten().chain(polled.ports.iter().map(|p| &p.name));
        for text in texts {
            prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
        }
    }
    Ok(answered)
}

#[test]
fn any_answers_at_all_end_in_a_bounded_poll_of_every_family() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answered = std::cell::Cell::new(0);
    for family in PROFILES.iter().copied() {
        let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
        let input = (any::<bool>(), prop::collection::vec(any::<u8>(), 0..600));
        let run = TestRunner::new(config).run(&input, |(sector, bytes)| {
            answered.set(answered.get() + runtime.block_on(play(family, sector, bytes))?);
            Ok(())
        });
        if let Err(e) = run {
            panic!("{}: {e}", family.profile);
        }
    }
    // It would prove little if hardly a poll came to the decoders.
    assert!(answered.get() > PROFILES.len(), "{} polls answered", answered.get());
}
