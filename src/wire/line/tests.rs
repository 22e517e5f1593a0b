use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::catalogue::{ALL, PORT, RADIO, RADIO_INFO};

fn written(sample: &Sample) -> String {
    let mut out = String::new();
    encode(std::slice::from_ref(sample), &mut out);
    out
}

fn radio(at: i64) -> Sample {
    Sample::new(&RADIO, UnixMillis(at))
        .tag(Tag::Site, "bossolasco")
        .tag(Tag::Device, "bossolasco-murazzano-af60")
        .tag(Tag::Radio, "1")
}

#[test]
fn a_sample_is_one_line_in_a_fixed_order() {
    let mut sample = radio(1_700_000_000_123);
    sample.set("rsl_dbm", Reading::value(-55.5));
    sample.set("capacity_tx_mbps", Reading::known(1951.0, Provenance::Reported));
    sample.set("noise_floor_dbm", Reading::Missing(Missing::NotOffered));
    assert_eq!(
        written(&sample),
        "radio,device=bossolasco-murazzano-af60,radio=1,site=bossolasco \
         capacity_tx_mbps=1951,capacity_tx_mbps_from=1,noise_floor_dbm_missing=2,rsl_dbm=-55.5 1700000000123\n"
    );
}

#[test]
fn tags_and_texts_are_escaped_as_the_reference_says() {
    let mut port = Sample::new(&PORT, UnixMillis(5)).tag(Tag::Port, "eth 0,a=b");
    port.set("up_flag", Reading::value(1.0));
    assert_eq!(written(&port), "port,port=eth\\ 0\\,a\\=b up_flag=1 5\n");

    let mut info = Sample::new(&RADIO_INFO, UnixMillis(5)).tag(Tag::Radio, "1");
    info.set_text("firmware", "v2 \"beta\" a\\b, c=d");
    assert_eq!(written(&info), "radio_info,radio=1 firmware=\"v2 \\\"beta\\\" a\\\\b, c=d\" 5\n");
    assert_eq!(decode(&written(&info)), (vec![info], vec![]));
}

#[test]
fn what_has_no_escape_is_replaced() {
    let mut port = Sample::new(&PORT, UnixMillis(5)).tag(Tag::Port, "a\nb\\").tag(Tag::Site, "");
    port.set("up_flag", Reading::value(0.0));
    assert_eq!(written(&port), "port,port=a\\ b/ up_flag=0 5\n");

    let mut info = Sample::new(&RADIO_INFO, UnixMillis(5));
    info.set_text("model", "two\r\nlines");
    info.set_text("firmware", "è".repeat(200));
    let text = written(&info);
    assert!(text.contains("model=\"two  lines\""), "{text}");
    assert!(text.contains(&format!("firmware=\"{}\"", "è".repeat(128))), "{text}");
}

#[test]
fn a_sample_without_a_field_is_no_line() {
    let mut out = String::new();
    assert_eq!(encode(&[radio(1)], &mut out), 0);
    assert_eq!(out, "");
}

#[test]
fn the_longest_line_written_can_be_read() {
    for measurement in ALL {
        let mut sample = Sample::new(measurement, UnixMillis(-TIMESTAMP_MS_MAX));
        for tag in Tag::ALL {
            sample.tags.insert(tag, ",".repeat(300));
        }
        for field in measurement.fields {
            if field.unit == Unit::Text {
                sample.texts.insert(field.name, "\"".repeat(300));
            } else {
                sample.readings.insert(field.name, Reading::known(-1.234_567_890_123_456e-300, Provenance::Measured));
            }
        }
        let text = written(&sample);
        assert!(text.len() <= LINE_BYTES_MAX, "{}: {} bytes", measurement.name, text.len());
        assert_eq!(count(text.as_bytes()), Ok(1), "{}", measurement.name);
    }
}

fn check_fault(line: &str, wanted: Fault) {
    let (samples, problems) = decode(line);
    assert_eq!((samples, problems), (vec![], vec![LineProblem { line: 1, fault: wanted }]), "{line:?}");
}

#[test]
fn faults_are_named() {
    check_fault("radio", Fault::NoField);
    check_fault("radio ", Fault::NoField);
    check_fault(" rsl_dbm=1 5", Fault::NoMeasurement);
    check_fault(",a=b rsl_dbm=1 5", Fault::NoMeasurement);
    check_fault("radio, rsl_dbm=1 5", Fault::BadTag);
    check_fault("radio,site rsl_dbm=1 5", Fault::BadTag);
    check_fault("radio,site= rsl_dbm=1 5", Fault::BadTag);
    check_fault("radio,=a rsl_dbm=1 5", Fault::BadTag);
    check_fault("radio,site=a=b rsl_dbm=1 5", Fault::BadTag);
    check_fault("radio,site=a,site=b rsl_dbm=1 5", Fault::DuplicateTag);
    check_fault("radio  rsl_dbm=1 5", Fault::BadField);
    check_fault("radio rsl_dbm 5", Fault::BadField);
    check_fault("radio =1 5", Fault::BadField);
    check_fault("radio rsl_dbm=1, 5", Fault::BadField);
    check_fault("radio rsl_dbm= 5", Fault::BadValue);
    check_fault("radio rsl_dbm=nan 5", Fault::BadValue);
    check_fault("radio rsl_dbm=inf 5", Fault::BadValue);
    check_fault("radio rsl_dbm=1e999 5", Fault::BadValue);
    check_fault("radio rsl_dbm=1.5i 5", Fault::BadValue);
    check_fault("radio rsl_dbm=abc 5", Fault::BadValue);
    check_fault("radio rsl_dbm=\"a\"b 5", Fault::BadValue);
    check_fault("radio rsl_dbm=\"a 5", Fault::OpenText);
    check_fault("radio rsl_dbm=\"a\\\" 5", Fault::OpenText);
    check_fault("radio rsl_dbm=1", Fault::NoTimestamp);
    check_fault("radio rsl_dbm=1 ", Fault::NoTimestamp);
    check_fault("radio rsl_dbm=1 5.0", Fault::BadTimestamp);
    check_fault("radio rsl_dbm=1 5 ", Fault::BadTimestamp);
    check_fault("radio rsl_dbm=1 9223372036855", Fault::BadTimestamp);
    check_fault("radio rsl_dbm=\t1 5", Fault::ControlCharacter);
    check_fault(&format!("radio rsl_dbm=1 {}", "5".repeat(LINE_BYTES_MAX)), Fault::TooLong);
    let tags: Vec<String> = (0..=TAGS_MAX).map(|i| format!("t{i}=x")).collect();
    check_fault(&format!("radio,{} rsl_dbm=1 5", tags.join(",")), Fault::TooManyTags);
    let fields: Vec<String> = (0..=FIELDS_MAX).map(|i| format!("f{i}=1")).collect();
    check_fault(&format!("radio {} 5", fields.join(",")), Fault::TooManyFields);
}

#[test]
fn a_bad_line_is_named_and_its_neighbours_are_read() {
    let text = "# a comment\nradio rsl_dbm=-50 1\r\n\nradio rsl_dbm= 2\nradio rsl_dbm=-52 3\n";
    let (samples, problems) = decode(text);
    assert_eq!(samples.iter().map(|s| s.at.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(problems, [LineProblem { line: 4, fault: Fault::BadValue }]);
    assert_eq!(count(text.as_bytes()), Err("line 4 has a value that is no number, truth value or text".to_owned()));
    assert_eq!(
        count(&[0xff, 0xfe]).unwrap_err(),
        "the batch is not UTF-8: invalid utf-8 sequence of 1 bytes from index 0"
    );
    assert_eq!(count(b""), Ok(0));
}

#[test]
fn names_that_are_not_known_are_ignored_and_counted() {
    let decoded = read(
        "lidar,site=a range_meters=1 1\nradio,site=a,colour=red rsl_dbm=-50,warp=9,warp_missing=1,modulation=\"x\" 2\n\
         radio warp=1 3\n",
    );
    assert_eq!(decoded.problems, []);
    assert_eq!(decoded.ignored, 6);
    assert_eq!(decoded.samples.len(), 1);
    assert_eq!(decoded.samples[0].tags, BTreeMap::from([(Tag::Site, "a".to_owned())]));
    assert_eq!(decoded.samples[0].readings, BTreeMap::from([("rsl_dbm", Reading::value(-50.0))]));
}

#[test]
fn codes_that_are_not_known_lose_their_meaning_not_the_reading() {
    let decoded = read("radio rsl_dbm_missing=77,capacity_tx_mbps=5,capacity_tx_mbps_from=77 1");
    assert_eq!(decoded.ignored, 2);
    assert_eq!(decoded.samples[0].reading("rsl_dbm"), Some(Reading::Missing(Missing::NotMeasured)));
    assert_eq!(decoded.samples[0].reading("capacity_tx_mbps"), Some(Reading::value(5.0)));
}

#[test]
fn a_value_that_its_sender_calls_missing_is_missing() {
    for text in ["radio rsl_dbm=0,rsl_dbm_missing=1 1", "radio rsl_dbm_missing=1,rsl_dbm=0 1"] {
        assert_eq!(decode(text).0[0].reading("rsl_dbm"), Some(Reading::Missing(Missing::Timeout)));
    }
}

#[test]
fn numbers_of_every_type_are_read() {
    let check = |token: &str, wanted: f64| {
        let (samples, problems) = decode(&format!("port up_flag={token} 1"));
        assert_eq!(problems, [], "{token}");
        assert_eq!(samples[0].reading("up_flag"), Some(Reading::value(wanted)), "{token}");
    };
    check("1", 1.0);
    check("-1.5e3", -1500.0);
    check("12i", 12.0);
    check("-12i", -12.0);
    check("18446744073709551615u", 18_446_744_073_709_551_615.0);
    check("true", 1.0);
    check("F", 0.0);
}

fn check_added(line: &str, wanted: &str) {
    let mut out = String::new();
    add_tag(line, Tag::Wisp, "lan ghe", &mut out).unwrap();
    assert_eq!(out, format!("{wanted}\n"));
}

#[test]
fn a_tag_is_added_or_replaced() {
    check_added("radio rsl_dbm=1 5", "radio,wisp=lan\\ ghe rsl_dbm=1 5");
    check_added("radio,port=a\\ b rsl_dbm=1,x=\"a b,c\" 5", "radio,port=a\\ b,wisp=lan\\ ghe rsl_dbm=1,x=\"a b,c\" 5");
    check_added(
        "ra\\ dio,port=a\\ b\\,c,wisp=other,k\\=y=z rsl_dbm=1 5",
        "ra\\ dio,port=a\\ b\\,c,k\\=y=z,wisp=lan\\ ghe rsl_dbm=1 5",
    );
    assert_eq!(add_tag("radio", Tag::Wisp, "a", &mut String::new()), Err(Fault::NoField));
}

fn any_reading() -> impl Strategy<Value = Reading> {
    let number = prop_oneof![
        prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        -200.0..2000.0f64,
        (-100i32..100).prop_map(f64::from),
    ];
    prop_oneof![
        number.clone().prop_map(Reading::value),
        (number, prop::sample::select(&Provenance::ALL)).prop_map(|(v, from)| Reading::known(v, from)),
        prop::sample::select(&Missing::ALL).prop_map(Reading::Missing),
    ]
}

/// Samples as agents make them: every tag value and text that survives writing unchanged.
fn any_sample() -> impl Strategy<Value = Sample> {
    let tags = prop::collection::btree_map(prop::sample::select(&Tag::ALL), "[^\\p{Cc}\\\\]{1,20}", 0..8);
    (prop::sample::select(&ALL[..]), tags, -TIMESTAMP_MS_MAX..=TIMESTAMP_MS_MAX).prop_flat_map(
        |(measurement, tags, at)| {
            let fields =
                prop::sample::subsequence(measurement.fields.iter().collect::<Vec<_>>(), 1..=measurement.fields.len());
            fields.prop_flat_map(move |fields| {
                let tags = tags.clone();
                let values = prop::collection::vec((any_reading(), "\\PC{0,30}"), fields.len());
                values.prop_map(move |values| {
                    let mut sample = Sample::new(measurement, UnixMillis(at));
                    sample.tags.clone_from(&tags);
                    for (field, (reading, text)) in fields.iter().zip(values) {
                        if field.unit == Unit::Text {
                            sample.texts.insert(field.name, text);
                        } else {
                            sample.readings.insert(field.name, reading);
                        }
                    }
                    sample
                })
            })
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_reads_back(samples in prop::collection::vec(any_sample(), 0..8)) {
        let mut text = String::new();
        let n_lines = encode(&samples, &mut text);
        prop_assert_eq!(count(text.as_bytes()), Ok(n_lines));
        prop_assert_eq!(read(&text), Decoded { samples, problems: vec![], ignored: 0 });
    }

    #[test]
    fn anything_written_can_be_read(tag in any::<String>(), text in any::<String>()) {
        let mut sample = Sample::new(&RADIO_INFO, UnixMillis(0)).tag(Tag::Port, tag.clone());
        sample.set_text("model", text);
        let line = written(&sample);
        prop_assert_eq!(count(line.as_bytes()), Ok(1));
        let mut added = String::new();
        add_tag(line.trim_end_matches('\n'), Tag::Port, &tag, &mut added).unwrap();
        prop_assert_eq!(read(&added), read(&line));
    }

    #[test]
    fn no_input_panics(text in any::<String>()) {
        read(&text);
        let _ = count(text.as_bytes());
    }

    /// Almost valid lines: pieces of the grammar in any order.
    #[test]
    fn no_pieces_of_lines_panic(pieces in prop::collection::vec(
        prop::sample::select(&["radio", ",", "=", " ", "\\", "\"", "rsl_dbm", "_missing", "site", "1", "-5.5", "5i",
            "e9", "\n", "é", "t"][..]), 0..40)) {
        let text = pieces.concat();
        let decoded = read(&text);
        prop_assert_eq!(count(text.as_bytes()).is_ok(), decoded.problems.is_empty());
        for (_, line) in lines(&text) {
            let Ok(line) = line else { continue };
            let mut out = String::new();
            line.write_with(&[(Tag::Wisp, "w")], &mut out);
            let again = Line::parse(out.trim_end_matches('\n'));
            prop_assert_eq!(again.as_ref().ok().and_then(|l| l.tag(Tag::Wisp)), Some("w"), "{:?} -> {:?}", text, out);
        }
    }
}
