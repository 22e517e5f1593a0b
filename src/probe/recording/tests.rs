use super::*;
use crate::probe::device::Manner;

fn check(text: &str, expected: &[&str]) {
    let problems = parse(text).unwrap_err();
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn bad_lines_are_named_all_at_once() {
    check("", &["line 1: there is no object in it"]);
    check("# nothing\n---\nprofile x\n", &["line 2: there is no object in it"]);
    check(
        "1.3.6.1 int 4\n\n1.3.x int 4\n1.3.6.2 int 4.5\n@x.1 str a\n1.3.6.3 text a\n1.3.6.4 hex 0g\n1.3.6.5 ip 1.2.3\n",
        &[
            "line 3: \"1.3.x\" is no OID such as 1.3.6.1.2.1.1.1.0",
            "line 4: \"4.5\" is no whole number of 32 bits (int)",
            "line 5: \"@x.1\" is no OID such as 1.3.6.1.2.1.1.1.0",
            "line 6: \"text\" is no type: want int, gauge, c32, c64, ticks, str, hex, oid or ip, as in \
             `1.3.6.1.2.1.1.3.0 ticks 100`",
            "line 7: \"0g\" is no even number of hex digits (hex)",
            "line 8: \"1.2.3\" is no IPv4 address (ip)",
        ],
    );
}

#[test]
fn prefixes_that_grow_without_end_are_refused() {
    let mut text = "@a = 1.3.6.1.4.1.99999\n".to_owned();
    for (name, before) in ("bcdefghijklmnop").chars().zip("abcdefghijklmno".chars()) {
        let _ = writeln!(text, "@{name} = @{before}.@{before}.@{before}");
    }
    let problems = parse(&text).unwrap_err();
    assert!(problems[0].what.starts_with("an OID of more than"), "{}", list(&problems));
    let objects = (0..=OBJECTS_MAX).fold(String::new(), |text, i| text + &format!("1.3.{i} int 1\n"));
    assert_eq!(parse(&objects).unwrap_err()[0].what, "more than 20000 objects");
}

#[test]
fn what_is_written_is_read_back() {
    let values = [
        Value::Integer(-55),
        Value::Gauge32(u32::MAX),
        Value::Counter32(7),
        Value::Counter64(u64::MAX),
        Value::TimeTicks(100),
        Value::Bytes(b"caff\xc3\xa8 64 QAM".to_vec()),
        Value::Bytes(b"  spaces kept ".to_vec()),
        Value::Bytes(b"two\nlines\0".to_vec()),
        Value::Bytes(Vec::new()),
        Value::Bytes(vec![0xff, 0]),
        Value::Oid(Oid::of(&[1, 3, 6], &[1])),
        Value::IpAddress([192, 0, 2, 1]),
    ];
    let objects: Objects =
        values.into_iter().enumerate().map(|(i, value)| (Oid::of(&[1, 3], &[i as u32]), value)).collect();
    let text = write(&objects, &["made by a test\nof two lines".to_owned()], "profile x\n");
    let read = parse(&text).unwrap();
    assert_eq!(read.objects, objects);
    assert_eq!(read.expected.as_deref(), Some("profile x\n"));
}

#[test]
fn differences_name_their_radio() {
    let expected = "profile a\nradio 1 towards -\n  rsl_dbm=-50\nradio 2 towards -\n  rsl_dbm=-50\n";
    let found =
        "profile a\nradio 1 towards -\n  rsl_dbm=-51\nradio 2 towards -\n  rsl_dbm=-50\n  throughput_tx_mbps=1\n";
    assert_eq!(
        differences(expected, found, is_rate),
        ["- radio 1: rsl_dbm=-50", "+ radio 1: rsl_dbm=-51"].map(str::to_owned)
    );
}

#[test]
fn a_tape_plays_as_the_fixture_reads() {
    let recording = parse(crate::probe::testing::AF60).unwrap();
    let polled = tape::play(&recording.objects, Manner::default()).unwrap();
    assert!(normal_form(&polled).contains("  capacity_tx_mbps=1951 reported\n"));
}
