use super::*;
use crate::model::UnixMillis;
use crate::probe::device::{Manner, Polled, Poller};
use crate::probe::testing::{AF60, Fake};
use crate::probe::value::{Oid, Value};
use crate::runtime::clock::ManualClock;

const FIRMWARE: &str = "1.3.6.1.4.1.41112.1.11.1.2.4.1";
/// The columns of both capacities.
const CAPACITY: [&str; 2] =
    ["1.3.6.1.4.1.41112.1.11.1.3.1.7.2.0.0.0.0.17.1", "1.3.6.1.4.1.41112.1.11.1.3.1.8.2.0.0.0.0.17.1"];

/// An agent that is started anew for every poll, and remembers what its file says.
struct Agent {
    radio: Fake,
    file: Option<String>,
    sector: bool,
}

impl Agent {
    fn new() -> Self {
        Self { radio: Fake::new(AF60), file: None, sector: false }
    }

    fn firmware(&mut self, version: &str) {
        self.radio.set(FIRMWARE, Value::Bytes(format!("GP.ipq806x.{version}.1.2").into_bytes()));
    }

    fn remove(&mut self, oid: &str) {
        self.radio.objects.remove(&Oid::parse(oid).unwrap());
    }

    async fn poll(&mut self) -> Polled {
        let before = self.file.as_deref().map(|line| decode(line).unwrap().1).unwrap_or_default();
        let radio = Fake { objects: self.radio.objects.clone(), ..Fake::default() };
        let mut poller = Poller::new(radio, Manner { sector: self.sector, ..Manner::default() });
        let mut polled = poller.poll(&*ManualClock::at(UnixMillis(0))).await.unwrap();
        if let Some(news) = poller.remember(&mut polled, &before) {
            self.file = Some(encode("hill", &news));
        }
        polled
    }
}

fn why(polled: &Polled, field: &str) -> Option<Missing> {
    polled.radios[0].reading(field).and_then(Reading::missing)
}

#[tokio::test]
async fn a_firmware_that_takes_an_object_away_is_named_across_restarts() {
    let mut agent = Agent::new();
    assert_eq!(agent.poll().await.capacity_lost, Lost::new());
    agent.firmware("v2.7.1");
    for oid in CAPACITY {
        agent.remove(oid);
    }
    for _ in 0..2 {
        let polled = agent.poll().await;
        for field in ["capacity_tx_mbps", "capacity_rx_mbps"] {
            assert_eq!(why(&polled, field), Some(Missing::NoLongerOffered), "{field}");
        }
        assert_eq!(polled.capacity_lost, [("1".to_owned(), "v2.7.1".to_owned())].into());
        assert!(polled.radios[0].reading("rsl_dbm").unwrap().get().is_some(), "what is still offered is still read");
    }
    // A later firmware that does not bring it back is not the one to blame; one that does ends the matter.
    agent.firmware("v2.7.2");
    assert_eq!(agent.poll().await.capacity_lost["1"], "v2.7.1");
    agent.firmware("v2.8.0");
    for oid in CAPACITY {
        agent.radio.set(oid, Value::Integer(900_000));
    }
    let polled = agent.poll().await;
    assert_eq!(polled.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(900.0));
    assert_eq!(polled.capacity_lost, Lost::new());
}

#[tokio::test]
async fn the_same_firmware_that_lacks_an_object_for_a_while_is_blamed_for_nothing() {
    let mut agent = Agent::new();
    agent.poll().await;
    for oid in CAPACITY {
        agent.remove(oid);
    }
    let polled = agent.poll().await;
    assert_eq!(why(&polled, "capacity_tx_mbps"), Some(Missing::NotOffered));
    assert_eq!(polled.capacity_lost, Lost::new());
}

#[tokio::test]
async fn an_object_of_another_type_is_lost_too_and_a_link_that_is_down_is_not() {
    let mut agent = Agent::new();
    agent.poll().await;
    let whole = agent.radio.objects.clone();
    agent.firmware("v2.7.1");
    for oid in CAPACITY {
        agent.radio.set(oid, Value::Bytes(b"1.9 Gbps".to_vec()));
    }
    assert_eq!(why(&agent.poll().await, "capacity_tx_mbps"), Some(Missing::NoLongerOffered));

    let mut agent = Agent { radio: Fake { objects: whole, ..Fake::default() }, file: None, sector: false };
    agent.poll().await;
    agent.firmware("v2.7.1");
    agent.radio.objects.retain(|oid, _| !oid.to_string().ends_with("17.1"));
    assert_eq!(why(&agent.poll().await, "capacity_tx_mbps"), Some(Missing::LinkDown));
}

#[tokio::test]
async fn a_radio_that_is_read_as_another_family_has_lost_its_key_figures() {
    let mut agent = Agent::new();
    agent.poll().await;
    agent.radio.objects.retain(|oid, _| !oid.to_string().starts_with("1.3.6.1.4.1.41112"));
    agent.radio.set("1.3.6.1.2.1.1.1.0", Value::Bytes(b"Linux 5.10, another firmware".to_vec()));
    agent.radio.set("1.3.6.1.2.1.1.2.0", Value::Oid(Oid::parse("1.3.6.1.4.1.99999.1").unwrap()));
    let polled = agent.poll().await;
    assert_eq!(polled.identity.family.profile, "generic");
    assert_eq!(why(&polled, "rsl_dbm"), Some(Missing::NoLongerOffered));
    assert_eq!(polled.capacity_lost["1"], "Linux 5.10, another firmware");
    assert_eq!(polled.radios[0].reading("snr_db"), None, "only the key figures are missed");
    // Of a sector nothing is missed but the peers that the inventory has.
    agent.sector = true;
    assert_eq!(agent.poll().await.radios, []);
}

#[tokio::test]
async fn nothing_new_is_nothing_to_write() {
    let mut agent = Agent::new();
    agent.poll().await;
    let before = decode(agent.file.as_ref().unwrap()).unwrap();
    assert_eq!(before.0, "hill");
    let poller = Poller::new(Fake::new(AF60), Manner::default());
    let mut polled = agent.poll().await;
    assert_eq!(poller.remember(&mut polled, &before.1), None);
}

#[test]
fn what_a_damaged_line_says_is_not_believed() {
    let memory = DeviceMemory {
        speech: Some(Speech { version: Version::V2c, variables: 9, bulk: Some(false) }),
        ..Default::default()
    };
    let line = encode("a", &memory);
    assert_eq!(decode(&line), Some(("a".to_owned(), memory)));
    for bad in ["", " ", "00000000 {}", "zz {}", &line[..line.len() - 1], &line.replace('9', "8")] {
        assert_eq!(decode(bad), None, "{bad}");
    }
    // A field of a newer version, and no peers without end.
    let json = r#"{"device":"a","radios":{"1":{"offered":{"v1":["rsl_dbm","of_tomorrow"]}}}}"#;
    let (_, memory) = decode(&format!("{:08x} {json}", crc32fast::hash(json.as_bytes()))).unwrap();
    assert_eq!(memory.radios["1"].offered, [("rsl_dbm", "v1".to_owned())].into());
}
