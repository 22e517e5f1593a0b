use std::sync::Arc;

use super::*;
use crate::config::secret::Secret;
use crate::probe::access::Access;
use crate::probe::snmp::Session;
use crate::probe::testing::{AF60, Fake, Responder, Temper, objects};
use crate::runtime::clock::ManualClock;

fn clock() -> Arc<ManualClock> {
    ManualClock::at(UnixMillis(1_700_000_000_000))
}

const UP_TIME: &str = "1.3.6.1.2.1.1.3.0";

#[tokio::test]
async fn a_known_point_to_point_radio_costs_at_most_two_packets_a_poll() {
    for temper in [Temper::Honest, Temper::OnlyV1] {
        let radio = Responder::start(objects(AF60), temper).await;
        let access = Access::V2c { community: Secret::new("public") };
        let session = Session::new(radio.address, access, Duration::from_millis(300));
        let mut poller = Poller::new(session, Manner::default());
        let clock = clock();
        let mut packets = Vec::new();
        for _ in 0..4 {
            let before = radio.datagrams();
            let polled = poller.poll(&*clock).await.unwrap();
            assert_eq!(polled.radios[0].reading("capacity_tx_mbps").unwrap().get(), Some(1951.0));
            assert_eq!(polled.ports[0].name, "eth0");
            packets.push(radio.datagrams() - before);
            clock.advance(Duration::from_mins(1));
        }
        assert!(packets[1..].iter().all(|n| *n <= 2), "{temper:?}: {packets:?}");
        assert!(packets[0] <= 30, "learning: {packets:?}");
        assert!(poller.session.counts().requests == radio.datagrams());
    }
}

#[tokio::test]
async fn a_restart_begins_counters_anew_and_learns_again() {
    let clock = clock();
    let mut poller = Poller::new(Fake::new(AF60), Manner::default());
    poller.poll(&*clock).await.unwrap();
    clock.advance(Duration::from_secs(10));
    poller.session.set("1.3.6.1.2.1.2.2.1.10.4", Value::Counter32(1_251_000));
    poller.session.set(UP_TIME, Value::TimeTicks(361_000));
    let polled = poller.poll(&*clock).await.unwrap();
    assert_eq!(polled.ports[0].readings["throughput_rx_mbps"], Reading::value(1.0));
    clock.advance(Duration::from_secs(10));
    // It restarts with another firmware: its counter is higher by chance, and there is no rate all the same.
    poller.session.set(UP_TIME, Value::TimeTicks(500));
    poller.session.set("1.3.6.1.2.1.2.2.1.10.4", Value::Counter32(1_260_000));
    poller.session.set("1.3.6.1.4.1.41112.1.11.1.2.4.1", Value::Bytes(b"GP.ipq806x.v2.7.1.1".to_vec()));
    let polled = poller.poll(&*clock).await.unwrap();
    assert_eq!(polled.ports[0].readings["throughput_rx_mbps"], Reading::Missing(Missing::NoBaseline));
    assert_eq!(poller.session.forgotten, 2, "when it was learnt, and now");
    clock.advance(Duration::from_secs(10));
    poller.session.set(UP_TIME, Value::TimeTicks(1500));
    let polled = poller.poll(&*clock).await.unwrap();
    assert_eq!(polled.identity.info.firmware.as_deref(), Some("v2.7.1"));
    assert_eq!(polled.ports[0].readings["throughput_rx_mbps"], Reading::value(0.0));
}

#[tokio::test]
async fn what_was_learnt_is_believed_for_an_hour_and_survives_silence() {
    let clock = clock();
    let mut poller = Poller::new(Fake::new(AF60), Manner::default());
    poller.poll(&*clock).await.unwrap();
    let learnt = poller.session.nexts;
    poller.session.fails = Some(SnmpError::Timeout);
    assert_eq!(poller.poll(&*clock).await.err(), Some(SnmpError::Timeout));
    poller.session.fails = None;
    clock.advance(Duration::from_mins(59));
    poller.poll(&*clock).await.unwrap();
    assert_eq!(poller.session.nexts, learnt);
    clock.advance(Duration::from_mins(2));
    poller.poll(&*clock).await.unwrap();
    assert_eq!(poller.session.nexts, 2 * learnt);
}

#[tokio::test]
async fn getbulk_is_tried_again_after_a_restart_and_after_a_day() {
    let clock = clock();
    let mut poller = Poller::new(Fake::new(AF60), Manner::default());
    poller.poll(&*clock).await.unwrap();
    let mut again = async |after, ticks| {
        clock.advance(after);
        poller.session.set(UP_TIME, Value::TimeTicks(ticks));
        poller.poll(&*clock).await.unwrap();
        poller.session.bulk_again
    };
    assert_eq!(again(Duration::from_hours(23), 9_000_000).await, 0, "less than a day is not");
    assert_eq!(again(Duration::from_mins(61), 9_400_000).await, 1, "a day is enough");
    assert_eq!(again(Duration::from_hours(2), 9_800_000).await, 1);
    assert_eq!(again(Duration::from_hours(1), 500).await, 2, "it has restarted, perhaps with another firmware");
    assert_eq!(again(Duration::from_hours(23), 8_000_000).await, 2, "a day since the restart");
    assert_eq!(again(Duration::from_hours(2), 8_800_000).await, 3);
}

#[test]
fn a_silent_radio_keeps_its_key_fields_with_the_reason() {
    let mut radio = Radio::new("1");
    radio.set("capacity_tx_mbps", Reading::value(450.0));
    radio.set("snr_db", Reading::value(30.0));
    let sector = Radio::new("sector");
    let [silent] = &silent_radios(&[radio, sector], Missing::Timeout)[..] else { panic!() };
    assert_eq!(silent.readings, [("capacity_tx_mbps", Reading::Missing(Missing::Timeout))].into());
}
