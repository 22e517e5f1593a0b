use super::*;
use crate::probe::device::{Manner, Polled};
use crate::probe::recording::{Objects, normal_form, parse, tape, write};
use proptest::prelude::*;

fn reads(objects: &Objects) -> String {
    tape::play(objects, Manner::default()).map_or_else(|e| e.to_string(), |polled| normal_form(&polled))
}

fn macs(polled: &Polled) -> BTreeSet<String> {
    let told = polled.radios.iter().flat_map(|radio| radio.peer.iter().chain([&radio.tag]));
    told.filter(|mac| mac.len() == 12).cloned().collect()
}

fn blanked(objects: &Objects) -> Objects {
    let polled = tape::play(objects, Manner::default()).unwrap();
    let (macs, indexes, walked) = (macs(&polled), BTreeSet::new(), BTreeSet::new());
    blank(objects, Known { macs: &macs, indexes: &indexes, walked: &walked }, &reads)
}

/// A normal form without the addresses in it: those are renamed.
fn unnamed(text: &str) -> String {
    let word = |word: &str| {
        let mac = word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
        if mac { "MAC".to_owned() } else { word.to_owned() }
    };
    text.lines().map(|line| line.split(' ').map(word).collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[test]
fn every_fixture_reads_the_same_after_blanking() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/probe/radio/fixtures");
    let mut n_fixtures = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let objects = parse(&std::fs::read_to_string(&path).unwrap()).unwrap().objects;
        let record = write(&blanked(&objects), &[], "");
        let again = parse(&record).unwrap().objects;
        assert_eq!(unnamed(&reads(&again)), unnamed(&reads(&objects)), "{}\n{record}", path.display());
        n_fixtures += 1;
    }
    assert!(n_fixtures >= 5, "the fixtures are not where this test looks");
}

const PERSONAL: &str = "
1.3.6.1.2.1.1.4.0 str rossi@example.org
1.3.6.1.2.1.1.5.0 str casa-rossi-ponte
1.3.6.1.2.1.1.6.0 str Cascina Bianca, S/N ZX99881
1.3.6.1.2.1.2.2.1.6.1 hex 788a20aabb01
1.3.6.1.2.1.2.2.1.6.4 hex 788a20aabb02
1.3.6.1.4.1.41112.1.11.1.1.4.1 str rossi-ssid
1.3.6.1.4.1.41112.1.11.1.3.1.14.2.0.0.0.0.17.1 str vicino-bianchi
1.3.6.1.4.1.41112.1.11.1.9.1 ip 10.20.30.40
1.3.6.1.4.1.41112.1.11.1.9.2 str 10.20.30.40 via 78:8A:20:AA:BB:02
";

#[test]
fn nothing_personal_is_left_and_peers_still_match() {
    let fixture = crate::probe::testing::AF60.replace("2.0.0.0.0.17.1", "120.138.32.170.187.17.1");
    let text = format!("{fixture}\n{}", PERSONAL.replace("2.0.0.0.0.17.1", "120.138.32.170.187.17.1"))
        .replace("Linux 4.9.241 armv7l", "Linux casa-rossi-ponte 4.9.241 armv7l for rossi@example.org S/N: ZX99881");
    let objects = parse(&text).unwrap().objects;
    let record = write(&blanked(&objects), &[], "");
    let lower = record.to_lowercase();
    for left in
        ["rossi", "bianc", "vicino", "cascina", "zx99881", "788a20", "78:8a", "120.138.32", "10.20.30", "example.org"]
    {
        assert!(!lower.contains(left), "{left} is left in\n{record}");
    }
    for kept in [
        "1.3.6.1.2.1.1.1.0 str Linux name 4.9.241 armv7l for contact S/N: serial",
        "1.3.6.1.4.1.41112.1.11.1.2.2.1 str AF60-LR",
        "1.3.6.1.2.1.2.2.1.2.4 str eth0",
        "1.3.6.1.2.1.2.2.1.6.1 hex 020000000001",
        "1.3.6.1.2.1.2.2.1.6.4 hex 020000000002",
        "1.3.6.1.4.1.41112.1.11.1.3.1.3.2.0.0.0.0.3.1 int -55",
        "1.3.6.1.4.1.41112.1.11.1.9.1 ip 192.0.2.1",
    ] {
        assert!(record.contains(kept), "no {kept} in\n{record}");
    }
    assert_eq!(unnamed(&reads(&parse(&record).unwrap().objects)), unnamed(&reads(&objects)));
}

#[test]
fn of_a_walk_only_technical_texts_stay() {
    let check = |text: &str, expected: bool| assert_eq!(is_technical(text), expected, "{text}");
    for kept in ["256QAM", "-62.8 dBm", "5180 MHz", "up", "MCS 9", "Tx 20 MHz", "active"] {
        check(kept, true);
    }
    for blanked in ["casa-rossi", "44.529338", "12345678", "Rossi", "AF60-LR", "caff\u{e8}"] {
        check(blanked, false);
    }
    let walked =
        ["1.3.6.1.4.1.99999.1.1.0", "1.3.6.1.4.1.99999.1.2.0", "1.3.6.1.4.1.99999.1.3.4.120.138.32.170.187.17"];
    let text = format!(
        "1.3.6.1.2.1.1.1.0 str Radio\n{} str 64QAM\n{} str Rossi\n{} int -60\n",
        walked[0], walked[1], walked[2]
    );
    let walked: BTreeSet<Oid> = walked.iter().map(|oid| Oid::parse(oid).unwrap()).collect();
    let nothing = (BTreeSet::new(), BTreeSet::new());
    let known = Known { macs: &nothing.0, indexes: &nothing.1, walked: &walked };
    let record = write(&blank(&parse(&text).unwrap().objects, known, &reads), &[], "");
    assert_eq!(
        record,
        "1.3.6.1.2.1.1.1.0 str Radio\n1.3.6.1.4.1.99999.1.1.0 str 64QAM\n1.3.6.1.4.1.99999.1.2.0 str text-1\n\
         1.3.6.1.4.1.99999.1.3.4.2.0.0.0.0.1 int -60\n---\n"
    );
}

#[test]
fn interface_names_keep_what_nobody_has_chosen() {
    let check = |name: &str, expected: Option<&str>| assert_eq!(port_name(name).as_deref(), expected, "{name}");
    check("eth0", Some("eth0"));
    check("GigabitEthernet 0/1", Some("GigabitEthernet 0/1"));
    check("wlan60-station-1", Some("wlan60-station-1"));
    check("ether1-casa-rossi", Some("ether1"));
    check("rossi", None);
    check("eth-rossi", None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn names_and_addresses_never_survive(
        name in "[g-z]{5,12}",
        place in "[g-z]{5,12} [g-z]{5,9}",
        ssid in "[g-z]{4,20}",
        serial in "[G-Z]{3}[0-9]{7}",
        mac in prop::array::uniform6(32_u8..=255),
        ip in prop::array::uniform4(1_u8..=126),
    ) {
        let colons = mac.iter().map(|o| format!("{o:02x}")).collect::<Vec<_>>();
        let arcs = mac.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
        let fixture = crate::probe::testing::AF60.replace("2.0.0.0.0.17.1", &format!("{arcs}.1"));
        let af = "1.3.6.1.4.1.41112.1.11.1";
        let text = format!(
            "{fixture}\n1.3.6.1.2.1.1.1.0 str Linux {name} 4.9 {name}.example\n1.3.6.1.2.1.1.5.0 str {name}\n\
             1.3.6.1.2.1.1.6.0 str {place}\n{af}.1.4.1 str {ssid}\n{af}.9.1 str {serial}\n{af}.9.2 str at {}\n\
             {af}.9.3 hex {}\n{af}.9.4 ip {}\n{af}.3.1.14.{arcs}.1 str {name}\n",
            colons.join(":"), colons.concat(), Ipv4Addr::from(ip)
        );
        let objects = parse(&text).unwrap().objects;
        let record = write(&blanked(&objects), &[], &reads(&blanked(&objects)));
        for left in [&name, &place, &ssid, &serial, &colons.join(":"), &colons.concat(), &arcs] {
            prop_assert!(!record.contains(left.as_str()), "{left} is left in\n{record}");
        }
        let ip = format!("ip {}\n", Ipv4Addr::from(ip));
        prop_assert!(!record.contains(&ip), "{ip} is left in\n{record}");
        prop_assert_eq!(unnamed(&reads(&parse(&record).unwrap().objects)), unnamed(&reads(&objects)));
    }
}
