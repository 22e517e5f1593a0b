//! One test for each way in which devices answer badly, through the whole poll: what is no figure becomes missing, with
//! the reason that fits.

use std::time::Duration;

use super::*;

const AF: &str = "1.3.6.1.4.1.41112.1.11.1";
const IF: &str = "1.3.6.1.2.1.2.2.1";

/// A column of the peer's row of [`AF60`].
fn peer(column: u32) -> String {
    format!("{AF}.3.1.{column}.2.0.0.0.0.17.1")
}

/// Polls an AF60 twice with a minute between, after `change` each time (0 and 1).
async fn af60(change: impl Fn(usize, &mut Fake)) -> Polled {
    let clock = ManualClock::at(crate::model::UnixMillis(1_000_000));
    let mut poller = Poller::new(Fake::new(AF60), Manner::default());
    change(0, &mut poller.session);
    poller.poll(&*clock).await.unwrap();
    clock.advance(Duration::from_mins(1));
    change(1, &mut poller.session);
    poller.poll(&*clock).await.unwrap()
}

/// What one object answers, and what the field is then.
async fn check_one(oid: &str, value: Value, field: &str, expected: Reading) {
    let polled = af60(|_, radio| radio.set(oid, value.clone())).await;
    assert_eq!(polled.radios[0].reading(field), Some(expected), "{field} of {value:?}");
}

fn text(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec())
}

#[tokio::test]
async fn strings_with_units_are_numbers_where_a_family_writes_its_figures_as_texts() {
    let read = async |text: &str| {
        let fixture = include_str!("../fixtures/openwrt.txt").split_once("---\n").unwrap().0;
        let polled = poll(&fixture.replace("97.118.103 str 31", &format!("97.118.103 str {text}"))).await;
        polled.radios[0].reading("snr_db").unwrap()
    };
    for (text, expected) in [
        ("31 dB", Reading::value(31.0)),
        ("+31.5dB", Reading::value(31.5)),
        ("31 apples", missing("malformed")),
        ("thirty dB", missing("malformed")),
        ("31,5 dB", missing("malformed")),
        ("1e999", missing("malformed")),
    ] {
        assert_eq!(read(text).await, expected, "{text}");
    }
    // The AF60 answers numbers: a text in the place of one is no figure, whatever it says.
    check_one(&peer(3), text("-55 dBm"), "rsl_dbm", missing("malformed")).await;
}

#[tokio::test]
async fn nul_bytes_end_a_text_and_reach_no_tag() {
    let polled = af60(|_, radio| {
        radio.set(&format!("{AF}.2.2.1"), text("AF60-LR\0\0\0junk"));
        radio.set(&format!("{AF}.2.4.1"), text("\0GP.ipq806x.v2.6.0"));
        radio.set(&format!("{IF}.2.4"), text("eth0\0\u{1b}[2J"));
    })
    .await;
    assert_eq!(polled.identity.info.model.as_deref(), Some("AF60-LR"));
    assert_eq!(polled.identity.info.firmware, None, "an empty text is none");
    assert_eq!(polled.ports[0].name, "eth0");
}

#[tokio::test]
async fn wrong_types_are_malformed_and_exceptions_not_offered() {
    for (value, why) in [
        (text("1951000"), "malformed"),
        (Value::IpAddress([10, 0, 0, 1]), "malformed"),
        (Value::Oid(Oid::of(&[1, 3], &[6])), "malformed"),
        (Value::Other, "malformed"),
        (Value::NoSuchObject, "not offered"),
        (Value::NoSuchInstance, "not offered"),
        (Value::EndOfMib, "not offered"),
    ] {
        check_one(&peer(3), value, "rsl_dbm", missing(why)).await;
    }
    // Integers of another type have one meaning all the same.
    check_one(&peer(4), Value::Gauge32(19), "snr_db", Reading::value(19.0)).await;
    check_one(&peer(4), Value::Counter64(19), "snr_db", Reading::value(19.0)).await;
    // Its peer's address in place of the figures: the table is what it is, and nothing is invented.
    let polled = af60(|_, radio| radio.objects.values_mut().for_each(|value| *value = Value::Other)).await;
    assert_eq!(polled.identity.family.profile, "generic");
    assert!(polled.radios.is_empty());
}

#[tokio::test]
async fn negative_counters_are_no_counts_and_no_rates() {
    let polled = af60(|round, radio| {
        radio.set(&format!("{IF}.5.4"), Value::Gauge32(100_000_000));
        radio.set(&format!("{IF}.10.4"), Value::Integer(-1000 * (round as i32 + 1)));
        radio.set(&format!("{IF}.14.4"), Value::Integer(-3));
        radio.set("1.3.6.1.2.1.1.3.0", Value::Integer(-100));
    })
    .await;
    let port = &polled.ports[0].readings;
    assert_eq!(port["throughput_rx_mbps"], missing("malformed"));
    assert_eq!(port["throughput_tx_mbps"], Reading::value(0.0), "the other counter serves");
    assert_eq!(port["errors_in_total"], missing("implausible"));
    assert_eq!(port["errors_out_total"], Reading::value(0.0));
    assert_eq!(polled.uptime_secs, missing("implausible"));
    let fixture = include_str!("../fixtures/ubiquiti-ltu.txt").split_once("---\n").unwrap().0;
    let ltu = poll(&fixture.replace("@lt.5.1.0 c64 1000", "@lt.5.1.0 int -1")).await;
    assert_eq!(ltu.radios[0].reading("throughput_tx_mbps"), Some(missing("malformed")));
    // A level that an agent answers as a number without sign: 2^32 - 55.
    check_one(&peer(3), Value::Gauge32(4_294_967_241), "rsl_dbm", missing("implausible")).await;
    let mut radio = Radio::new(ONLY_RADIO);
    radio.set("errors_rx_total", Reading::value(-1.0));
    gate(&generic::FAMILY, &mut radio);
    assert_eq!(radio.reading("errors_rx_total"), Some(missing("implausible")));
}

#[tokio::test]
async fn wraps_of_32_bits_keep_the_rate_and_a_restart_makes_none() {
    // 2^32 - 25,000,000 to 50,000,000: 75,000,000 octets in 60 s are 10 Mbps, which 100 Mbps can carry.
    let wrap = async |last_ticks| {
        let polled = af60(|round, radio| {
            radio.set(&format!("{IF}.5.4"), Value::Gauge32(100_000_000));
            radio.set(&format!("{IF}.10.4"), Value::Counter32([4_269_967_296, 50_000_000][round]));
            radio.set("1.3.6.1.2.1.1.3.0", Value::TimeTicks([4_000_000_000, last_ticks][round]));
        })
        .await;
        polled.ports[0].readings["throughput_rx_mbps"]
    };
    assert_eq!(wrap(4_000_006_000).await, Reading::value(10.0));
    assert_eq!(wrap(6_000).await, missing("no baseline"), "the counters began anew");
    // A gigabit port may have wrapped twice in a minute: nobody knows.
    let polled = af60(|round, radio| {
        radio.set(&format!("{IF}.10.4"), Value::Counter32([4_269_967_296, 50_000_000][round]));
    })
    .await;
    assert_eq!(polled.ports[0].readings["throughput_rx_mbps"], missing("no baseline"));
}

#[tokio::test]
async fn sentinels_are_missing_and_never_figures() {
    // What vendors answer for "none": 0 dBm of a radio that hears nothing, 0 Mbps of a live link, -99 dBm, -1 %.
    check_one(&peer(7), Value::Integer(0), "capacity_tx_mbps", missing("sentinel")).await;
    let fixture = include_str!("../fixtures/ubiquiti-ltu.txt").split_once("---\n").unwrap().0;
    for (column, value, field) in [
        (5, -99, "rsl_chain0_dbm"),
        (6, 0, "rsl_chain1_dbm"),
        (10, -1, "signal_quality_percent"),
        (23, 0, "distance_meters"),
        (3, 0, "capacity_tx_mbps"),
    ] {
        let line = |text: &&str| !text.starts_with(&format!("@lt.4.1.{column}.@sta"));
        let mut lines: Vec<_> = fixture.lines().filter(line).map(str::to_owned).collect();
        lines.push(format!("@lt.4.1.{column}.@sta int {value}"));
        // Both chains tell the quality: the other one must not stand for this one here.
        if column == 10 {
            lines.retain(|text| !text.starts_with("@lt.4.1.9.@sta"));
            lines.push("@lt.4.1.9.@sta int -1".to_owned());
        }
        let polled = poll(&lines.join("\n")).await;
        assert_eq!(polled.radios[0].reading(field), Some(missing("sentinel")), "{field} of {value}");
    }
    // Not a sentinel, and as impossible: the largest numbers of their types.
    check_one(&peer(3), Value::Integer(i32::MIN), "rsl_dbm", missing("implausible")).await;
    check_one(&peer(7), Value::Integer(i32::MAX), "capacity_tx_mbps", missing("implausible")).await;
    check_one(&peer(7), Value::Counter64(u64::MAX), "capacity_tx_mbps", missing("implausible")).await;
}
