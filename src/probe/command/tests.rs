use super::*;
use crate::config::secret::Secret;
use crate::probe::testing::{AF60, Responder, Temper, objects};

fn options(address: String) -> ProbeOptions {
    ProbeOptions {
        address,
        access: Access::V2c { community: Secret::new("public") },
        profile: None,
        timeout: Duration::from_millis(300),
        target_mbps: 1700.0,
    }
}

#[tokio::test]
async fn the_report_of_an_af60_as_json_and_as_a_table() {
    let radio = Responder::start(objects(AF60), Temper::Honest).await;
    let report = probe(options(radio.address.to_string())).await.unwrap();
    let json = report.to_json();
    assert_eq!(json["address"], radio.address.to_string());
    assert_eq!(json["profile"], "ubiquiti-af60");
    assert_eq!(json["model"], "AF60-LR");
    assert_eq!(json["firmware"], "v2.6.0");
    assert_eq!(json["sys_object_id"], "1.3.6.1.4.1.10002.1");
    assert_eq!(json["snmp"]["version"], "v2c");
    assert_eq!(json["snmp"]["requests"], radio.datagrams());
    assert_eq!(json["snmp"]["timeouts"], 0);
    let first = &json["radios"][0];
    assert_eq!(
        (&first["radio"], &first["peer"], &first["link_up"]),
        (&json!("1"), &json!("020000000011"), &json!(true))
    );
    assert_eq!(first["readings"]["rsl_dbm"].to_string(), "-55");
    assert_eq!(first["readings"]["capacity_tx_mbps"].to_string(), "1951.0");
    assert_eq!(first["provenance"], json!({"capacity_tx_mbps": "reported", "capacity_rx_mbps": "reported"}));
    assert_eq!(json["ports"][0]["port"], "4");
    assert_eq!(json["ports"][0]["name"], "eth0");
    assert_eq!(json["ports"][0]["up"], true);
    assert_eq!(json["ports"][0]["rate_mbps"].to_string(), "1000");
    assert_eq!(json["ports"][0]["readings"]["throughput_tx_mbps"], 0.0, "asked twice for a rate");
    assert_eq!(json["power"], json!([]));

    let table = report.render(false);
    for line in [
        "AF60-LR  v2.6.0",
        "because  sysObjectID 1.3.6.1.4.1.10002.1, and 1.3.6.1.4.1.41112.1.11.1.2.4.1 answers",
        "radio 1 towards 02:00:00:00:00:11",
        "  capacity rx                    1625 Mbps  ███████████████████░ below 1700 Mbps  reported\n",
        "  capacity tx                    1951 Mbps  ████████████████████ 1700 Mbps  reported\n",
        "port eth0 (4)",
    ] {
        assert!(table.contains(line), "no {line:?} in\n{table}");
    }
    assert!(!table.contains('\x1b'));
    assert!(report.render(true).contains("\x1b[1;31m"));
}

#[tokio::test]
async fn what_is_unknown_is_null_with_a_reason() {
    let fixture: String = AF60
        .lines()
        .filter(|l| !l.contains("@if.5.4") && !l.contains("peer int"))
        .fold(String::new(), |all, line| all + line + "\n");
    let radio = Responder::start(objects(&fixture), Temper::Honest).await;
    let json = probe(ProbeOptions { profile: Some("ubiquiti-af60".into()), ..options(radio.address.to_string()) })
        .await
        .unwrap()
        .to_json();
    assert_eq!(json["identified_by"], "the inventory says so");
    assert_eq!(json["radios"][0]["missing"]["capacity_tx_mbps"], "not offered");
    assert_eq!(json["radios"][0]["readings"].get("capacity_tx_mbps"), None);
}

#[tokio::test]
async fn no_answer_is_an_error_that_says_what_to_check() {
    let radio = Responder::start(objects(AF60), Temper::Silent).await;
    let error = probe(options(radio.address.to_string())).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: no answer in time. Check that SNMP", radio.address)), "{error}");
    let radio = Responder::start(objects(AF60), Temper::Garbage).await;
    let error = probe(options(radio.address.to_string())).await.unwrap_err();
    assert!(matches!(error, ProbeError::Silent { error: SnmpError::Malformed, .. }), "{error}");
    let error = probe(ProbeOptions { profile: Some("af61".into()), ..options("127.0.0.1".into()) }).await.unwrap_err();
    assert!(error.to_string().contains("known: ubiquiti-af60"), "{error}");
}

#[tokio::test]
async fn addresses_in_every_form() {
    let check = async |text: &str, expected: &str| assert_eq!(resolve(text).await.unwrap().to_string(), expected);
    check("10.0.0.1", "10.0.0.1:161").await;
    check("10.0.0.1:1161", "10.0.0.1:1161").await;
    check("fd00::1", "[fd00::1]:161").await;
    check("[fd00::1]", "[fd00::1]:161").await;
    check("[fd00::1]:1161", "[fd00::1]:1161").await;
    for bad in ["", ":161", "radio:port", "a b", "http://radio"] {
        assert!(matches!(resolve(bad).await, Err(ProbeError::Address(_))), "{bad}");
    }
}

#[tokio::test]
async fn a_recording_is_a_fixture_and_plays_as_the_device_reads() {
    let names = "1.3.6.1.2.1.1.5.0 str casa-rossi\n1.3.6.1.4.1.41112.1.11.1.1.4.1 str rossi\n";
    let radio = Responder::start(objects(&format!("{AF60}\n{names}")), Temper::Honest).await;
    let vendor = super::super::value::Oid::parse("1.3.6.1.4.1.41112.1.11.1.1").unwrap();
    let recorded = record::record(options(radio.address.to_string()), Some(vendor)).await.unwrap();
    assert_eq!(recorded.differs, Vec::<String>::new());
    assert!(!recorded.text.contains("rossi") && recorded.text.contains(".1.1.4.1 str text-1"), "{}", recorded.text);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("radio.txt");
    record::save(&file, &recorded.text).unwrap();
    let (report, differs) = record::replay(&file, None, 30.0).unwrap();
    assert_eq!(differs, Some(Vec::new()));
    let mut again = report.to_json()["radios"][0]["readings"].clone();
    let live = recorded.report.to_json()["radios"][0]["readings"].clone();
    for field in ["throughput_tx_mbps", "throughput_rx_mbps"] {
        if let Some(value) = live.get(field) {
            again[field] = value.clone();
        }
    }
    assert_eq!(again, live);
    // Another file is never written over, and a bad one says where.
    assert!(matches!(record::save(&file, ""), Err(record::RecordError::Exists(_))));
    std::fs::write(&file, recorded.text.replace("int -55", "int minus")).unwrap();
    let error = record::replay(&file, None, 30.0).unwrap_err().to_string();
    assert!(error.contains("is no recording:\nline ") && error.contains("\"minus\""), "{error}");
    let vendor = super::super::value::Oid::parse("1.3.6.1.4.1").unwrap();
    let error = record::record(options(radio.address.to_string()), Some(vendor)).await.unwrap_err();
    assert!(matches!(error, record::RecordError::Subtree(_)), "{error}");
}
