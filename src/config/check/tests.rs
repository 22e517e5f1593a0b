//! What a good inventory becomes, and that no text whatever makes the program stumble. Each mistake with its message
//! is a file of tests/bad_configs.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::topology::distance_km;
use super::*;
use crate::config::problem::Problem;
use crate::config::settings::{AlertSettings, InventoryOf, MailOut, SmtpSecurity, SpoolLimits};
use crate::model::NetworkId;
use crate::model::network::{
    AuthProtocol, BundleMode, Duplex, Language, Medium, PrivProtocol, SecretRef, SnmpAccess, Target,
};

/// Every table and every key of an inventory, none with its default.
const FULL: &str = r#"
hub = { site = "alto" }

[network]
id = "prova"
name = "Prova"
time_zone = "Europe/London"
language = "en"
simultaneity = 0.5

[targets]
municipality = { downstream_mbps = 25.5, upstream_mbps = 5 }
town-hall = { downstream_mbps = 40 }
school = { downstream_mbps = 100 }

[[staff]]
name = "Ufficio rete"
email = "rete@unione.example"
language = "it"

[[wisp]]
id = "radionet"
name = "RadioNet (example)"
email = ["noc@radionet.example", "a@radionet.example"]
language = "it"
phone = "0173 000000"
attach_json = true

[[credential]]
id = "v1"
version = "v1"
community_file = "secrets/community"

[[credential]]
id = "v3"
version = "v3"
user = "vedetta"
auth = "sha512"
auth_password_env = "AUTH"
privacy = "aes256"
privacy_password_file = "/etc/privacy"

[[site]]
id = "alto"
name = "Alto"
kind = "relay"
lat = 44.5
lon = 8
agent = true
access = "Keys at the town hall.\nRing first."
contact = "Nobody"
contact_email = ["sindaco@comune.example"]

[[site]]
id = "basso"
name = "Basso"
kind = "municipality"
lat = 44.52
lon = 8.08
residents = 100

[[site]]
id = "scuola"
name = "Scuola"
kind = "school"
lat = 44.521
lon = 8.081
municipality = "basso"
target = { downstream_mbps = 200, upstream_mbps = 200 }

[[device]]
id = "ap"
site = "alto"
address = "10.38.1.1"
snmp = "v3"
profile = "mikrotik"
ports = ["ether1", "ether2"]
trust = true

[[device]]
id = "basso-ap"
site = "basso"
address = "2001:db8::2"
snmp_port = 1161
via = "alto"
mac = "02-00-00-00-00-AB"

[[device]]
id = "basso-scuola"
site = "basso"
address = "10.38.1.3"

[[device]]
id = "scuola-basso"
site = "scuola"
address = "10.38.1.4"

[[device]]
id = "basso-scuola-2"
site = "basso"
address = "10.38.1.5"

[[device]]
id = "scuola-basso-2"
site = "scuola"
address = "10.38.1.6"

[[link]]
id = "alto-basso"
near = "ap"
far = "basso-ap"
wisp = "radionet"
cost = 65535
duplex = "shared"
target = { downstream_mbps = 60 }

[[link]]
id = "fibra"
near = "basso-scuola"
far = "scuola-basso"
medium = "cable"
declared = { near_to_far_mbps = 1000, far_to_near_mbps = 500 }

[[link]]
id = "ponte"
near = "basso-scuola-2"
near_radio = "2"
far = "scuola-basso-2"
far_radio = "1"

[[bundle]]
id = "coppia"
mode = "hash"
links = ["ponte", "fibra"]

[[sector]]
id = "settore"
access_point = "ap"
peers = ["basso-ap"]

[[backhaul]]
id = "alto-fibra"
site = "alto"
wisp = "radionet"
contract = { downstream_mbps = 100, upstream_mbps = 50 }
gateway = "10.38.1.254"
outside = ["192.0.2.1", "2001:db8::1"]
cost = 5

[[service]]
id = "documenti"
name = "Documenti"
url = "https://documenti.example/health"

[[backup]]
id = "notte"
name = "Notte"
site = "alto"
start = "22:30"
end = "06:00"
size_gigabytes = 1.5
start_grace = "20m"
finish_grace = "2h"
"#;

fn problems(findings: Findings, text: &str) -> Vec<Problem> {
    findings.into_problems(Path::new("network.toml"), text)
}

fn full() -> Network {
    let (network, findings) = network(FULL, Path::new("/etc/vedetta"));
    assert_eq!(problems(findings, FULL), []);
    network.unwrap()
}

#[test]
fn the_full_inventory_leaves_no_key_out() {
    fn check(table: &'static crate::config::schema::Table) {
        use crate::config::schema::Kind;
        for key in table.keys.iter().filter(|key| !matches!(key.kind, Kind::Refused(_))) {
            let other = ["community_env", "auth_password_file", "privacy_password_env", "from"];
            assert!(FULL.contains(key.name) || other.contains(&key.name), "{}", key.name);
            if let Kind::Table(inner) | Kind::Tables(inner) = key.kind {
                check(inner);
            }
        }
    }
    check(FileKind::Inventory.schema());
}

#[test]
fn people_and_places_arrive_in_the_model() {
    let network = full();
    assert_eq!((network.id.as_str(), network.name.as_str()), ("prova", "Prova"));
    assert_eq!((network.time_zone.as_str(), network.language), ("Europe/London", Language::English));
    assert_eq!((network.simultaneity, network.hub_site.as_ref().unwrap().as_str()), (0.5, "alto"));
    let wisp = &network.wisps["radionet"];
    assert_eq!((wisp.email.len(), wisp.language, wisp.phone.as_deref()), (2, Language::Italian, Some("0173 000000")));
    assert_eq!(network.staff[0].language, Language::Italian);
    let target = |site: &str| network.sites[site].target;
    assert_eq!(target("alto"), None);
    assert_eq!(target("basso"), Some(Target { downstream_mbps: 25.5, upstream_mbps: Some(5.0) }));
    assert_eq!(target("scuola"), Some(Target { downstream_mbps: 200.0, upstream_mbps: Some(200.0) }));
    assert_eq!(network.sites["alto"].access.as_deref(), Some("Keys at the town hall.\nRing first."));
    assert_eq!((network.sites["basso"].residents, network.sites["alto"].residents), (Some(100), None));
    assert_eq!(network.services["documenti"].from[0].as_str(), "alto");
    let backup = &network.backups["notte"];
    assert_eq!((backup.window_start_minute, backup.window_end_minute, backup.size_gigabytes), (1350, 360, 1.5));
    let graces = (backup.start_grace, backup.finish_grace);
    assert_eq!(graces, (std::time::Duration::from_mins(20), std::time::Duration::from_hours(2)));
}

#[test]
fn devices_and_links_arrive_in_the_model() {
    let network = full();
    let ap = &network.devices["ap"];
    assert_eq!((ap.snmp_port, ap.via.as_str(), ap.ports.len(), ap.trust), (161, "alto", 2, true));
    let peer = &network.devices["basso-ap"];
    assert_eq!((peer.snmp_port, peer.mac.as_deref(), peer.credential.as_ref()), (1161, Some("0200000000ab"), None));
    assert_eq!(network.devices["scuola-basso"].via.as_str(), "alto", "the only agent polls what names none");
    let link = &network.links["alto-basso"];
    assert_eq!((link.medium, link.cost, link.duplex), (Medium::Radio, 65535, Some(Duplex::Shared)));
    assert_eq!(link.target.unwrap().downstream_mbps, 60.0);
    let cable = &network.links["fibra"];
    assert_eq!((cable.medium, cable.cost, cable.declared_mbps), (Medium::Cable, 10, Some((1000.0, 500.0))));
    assert_eq!((cable.wisp.as_ref(), cable.duplex), (None, None));
    let bundle = &network.bundles["coppia"];
    assert_eq!((bundle.mode, bundle.links[0].as_str()), (BundleMode::Hash, "ponte"));
    let backhaul = &network.backhauls["alto-fibra"];
    assert_eq!((backhaul.contract_downstream_mbps, backhaul.contract_upstream_mbps), (100.0, 50.0));
    assert_eq!((backhaul.outside.len(), backhaul.cost), (2, 5));
}

#[test]
fn secrets_are_references_from_the_directory_of_the_file() {
    let network = full();
    let community = SecretRef::File("/etc/vedetta/secrets/community".into());
    assert_eq!(network.credentials["v1"].access, SnmpAccess::V1 { community });
    let v3 = SnmpAccess::V3 {
        user: "vedetta".into(),
        auth: Some((AuthProtocol::Sha512, SecretRef::Env("AUTH".into()))),
        privacy: Some((PrivProtocol::Aes256, SecretRef::File("/etc/privacy".into()))),
    };
    assert_eq!(network.credentials["v3"].access, v3);
}

#[test]
fn the_documented_defaults_are_those_of_the_types() {
    let (settings, findings) = hub("", Path::new(""));
    assert_eq!(problems(findings, ""), []);
    let settings = settings.unwrap();
    assert_eq!(settings.alert, AlertSettings::default());
    assert_eq!(settings.poll_interval, Duration::from_mins(1));
    assert_eq!(settings.web.listen.to_string(), "127.0.0.1:8080");
    assert!(settings.mqtt.is_none() && settings.influx.is_none() && settings.mail.is_none());
    let (settings, _) =
        agent("agent = \"alto\"\nnetwork = \"prova\"\n[mqtt]\nhost = \"broker.example\"", Path::new("/etc/vedetta"));
    let settings = settings.unwrap();
    assert_eq!(settings.spool, SpoolLimits::default());
    assert_eq!(settings.inventory, InventoryOf::Hub(NetworkId::parse("prova").unwrap()));
    assert_eq!(settings.mqtt.keep_alive, Duration::from_secs(30));
}

#[test]
fn a_broker_elsewhere_has_tls_and_one_here_needs_none() {
    fn check(lines: &str, expected_port: u16, is_tls: bool) {
        let (settings, findings) = hub(&format!("[mqtt]\n{lines}"), Path::new(""));
        assert_eq!(problems(findings, lines), []);
        let mqtt = settings.unwrap().mqtt.unwrap();
        assert_eq!((mqtt.port, mqtt.tls.is_some()), (expected_port, is_tls), "{lines}");
    }
    check("host = \"broker.example\"", 8883, true);
    check("host = \"broker.example\"\nplain = true", 1883, false);
    check("host = \"broker.example\"\ntls = false\nplain = true", 1883, false);
    check("host = \"localhost\"", 1883, false);
    check("host = \"127.0.0.1\"\nport = 2000", 2000, false);
    check("host = \"::1\"\ntls = true", 8883, true);
    check("host = \"127.0.0.1\"\nca_file = \"ca.pem\"", 8883, true);
}

#[test]
fn mails_leave_encrypted_unless_asked_otherwise() {
    fn check(security: &str, expected: SmtpSecurity, port: u16) {
        let text = format!("[mail]\nfrom = \"U <u@unione.example>\"\nsmtp = {{ host = \"smtp.example\"{security} }}");
        let (settings, findings) = hub(&text, Path::new(""));
        assert_eq!(problems(findings, &text), []);
        let MailOut::Smtp(smtp) = settings.unwrap().mail.unwrap().out else { panic!("not SMTP") };
        assert_eq!((smtp.security, smtp.port), (expected, port));
    }
    check("", SmtpSecurity::StartTls, 587);
    check(", security = \"tls\"", SmtpSecurity::ImplicitTls, 465);
    check(", security = \"plain\"", SmtpSecurity::Plain, 25);
    check(", port = 2525", SmtpSecurity::StartTls, 2525);
}

#[test]
fn a_pasted_password_in_a_host_is_not_shown() {
    let text = "[mqtt]\nhost = \"user:hunter2@broker.example\"";
    let (settings, findings) = hub(text, Path::new(""));
    let problems = problems(findings, text);
    assert!(settings.is_none() && problems.len() == 1);
    assert!(!format!("{problems:?}").contains("hunter2"));
}

#[test]
fn distances_on_the_globe() {
    let mut network = full();
    let place = |network: &mut Network, id: &str, lat, lon| {
        let mut site = network.sites.remove(id).unwrap();
        (site.lat, site.lon) = (lat, lon);
        site
    };
    let (a, b) = (place(&mut network, "alto", 0.0, 0.0), place(&mut network, "basso", 0.0, 180.0));
    // Half of the equator of a sphere of 6371.0088 km.
    assert!((distance_km(&a, &b) - 20015.11).abs() < 0.1);
    assert_eq!(distance_km(&a, &a), 0.0);
}

/// A file that repeats one mistake without end is answered in a moment: nothing searches everything for everything.
#[test]
fn a_huge_bad_file_is_bounded() {
    let link = |n: usize| format!("[[link]]\nid = \"l{}\"\nnear = \"n{n}\"\nfar = \"f{n}\"\n", n % 10_000);
    let text = "[network]\nid = \"x\"\nname = \"x\"\n".to_owned() + &(0..20_000).map(link).collect::<String>();
    let (network, findings) = network(&text, Path::new(""));
    let problems = problems(findings, &text);
    assert!(network.is_none());
    assert_eq!(problems.len(), crate::config::problem::PROBLEMS_MAX + 1);
    // 10,000 ids twice, 40,000 ends that are nowhere.
    assert_eq!(problems.last().unwrap().to_string(), "network.toml: error: more errors than are shown: 49500");
}

/// Something done to a text that a slip of the hand could do.
#[derive(Debug, Clone)]
enum Slip {
    Remove(usize, usize),
    Insert(usize, String),
    DoubleLine(usize),
    DropLine(usize),
    SwapLines(usize, usize),
}

fn slip() -> impl Strategy<Value = Slip> {
    let at = 0..10_000usize;
    let pieces = ["\"", "[", "]]", "{", "}", "=", "\n", "-", "0", "[[site]]\n", "\u{0}", "é", "1e400", ".", "#"];
    prop_oneof![
        (at.clone(), 1..40usize).prop_map(|(at, n)| Slip::Remove(at, n)),
        (at.clone(), proptest::sample::select(pieces.to_vec())).prop_map(|(at, s)| Slip::Insert(at, s.into())),
        at.clone().prop_map(Slip::DoubleLine),
        at.clone().prop_map(Slip::DropLine),
        (at.clone(), at).prop_map(|(a, b)| Slip::SwapLines(a, b)),
    ]
}

fn slipped(text: &str, slip: &Slip) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut lines: Vec<&str> = text.split('\n').collect();
    match slip {
        Slip::Remove(at, n) => {
            let at = at % chars.len().max(1);
            chars.iter().take(at).chain(chars.iter().skip(at + n)).collect()
        }
        Slip::Insert(at, piece) => {
            let at = at % chars.len().max(1);
            let (before, after): (String, String) = (chars[..at].iter().collect(), chars[at..].iter().collect());
            before + piece + &after
        }
        Slip::DoubleLine(n) => {
            let n = n % lines.len();
            lines.insert(n, lines[n]);
            lines.join("\n")
        }
        Slip::DropLine(n) => {
            lines.remove(n % lines.len());
            lines.join("\n")
        }
        Slip::SwapLines(a, b) => {
            let n = lines.len();
            lines.swap(a % n, b % n);
            lines.join("\n")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_slip_of_the_hand_is_a_problem_with_a_place_or_nothing(slips in proptest::collection::vec(slip(), 1..4)) {
        let text = slips.iter().fold(FULL.to_owned(), |text, slip| slipped(&text, slip));
        let (network, findings) = network(&text, Path::new(""));
        let has_error = findings.has_error();
        prop_assert_eq!(network.is_none(), has_error);
        let n_lines = text.split('\n').count();
        for problem in problems(findings, &text) {
            prop_assert!(!problem.wanted.contains("please report"), "{}", problem);
            prop_assert!(problem.line.is_some_and(|line| (1..=n_lines).contains(&line)), "{}", problem);
            prop_assert!(!problem.to_string().contains('\n'), "{}", problem);
        }
        // What is left is whole: every reference of the model resolves.
        for link in network.iter().flat_map(|network| network.links.values()) {
            let (near, far) = network.as_ref().map(|network| network.link_sites(link)).unwrap();
            prop_assert!(network.as_ref().is_some_and(|n| n.sites.contains_key(&near) && n.sites.contains_key(&far)));
        }
    }

    #[test]
    fn no_text_makes_the_readers_stumble(text in any::<String>()) {
        let _ = (network(&text, Path::new("")), hub(&text, Path::new("")), agent(&text, Path::new("")));
        let _ = crate::config::load::recognise(&text);
    }
}
