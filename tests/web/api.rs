use serde_json::{Value, json};

use super::fixture::valdora;
use super::server::start;
use vedetta::web::api::{Incidents, Status};

async fn status() -> Value {
    let server = start(valdora().snapshot()).await;
    serde_json::from_slice(&server.get("/api/v1/status").await.body).unwrap()
}

fn site<'a>(status: &'a Value, id: &str) -> &'a Value {
    status["sites"].as_array().unwrap().iter().find(|s| s["site"] == id).unwrap()
}

fn link<'a>(status: &'a Value, id: &str) -> &'a Value {
    status["links"].as_array().unwrap().iter().find(|s| s["link"] == id).unwrap()
}

#[tokio::test]
async fn a_site_below_says_since_when_because_of_what_and_whose_job() {
    assert_eq!(
        *site(&status().await, "serrabruna"),
        json!({
            "site": "serrabruna", "name": "Serrabruna", "kind": "municipality", "residents": 835,
            "lat": 44.48, "lon": 8.13,
            "downstream": {
                "target_mbps": 30.0, "together_mbps": 0.0, "together_mbps_low": 0.0, "together_mbps_high": 0.0,
                "alone_mbps": 0.0, "possible_mbps": 0.0, "known": "estimated", "state": "below",
                "bottleneck": "bric-della-luna-serrabruna", "bottleneck_kind": "link",
                "bottleneck_name": "Bric della Luna–Serrabruna",
                "wisp": "collinaweb", "wisp_name": "CollinaWeb (example)",
                "since": "2026-11-23T21:11:00+01:00", "incidents": ["VED-148"], "unknown_because": []
            },
            "upstream": null, "path": []
        })
    );
}

#[tokio::test]
async fn an_unknown_figure_is_null_with_a_reason() {
    let status = status().await;
    let pianello = &site(&status, "pianello")["downstream"];
    assert_eq!(pianello["together_mbps"], Value::Null);
    assert_eq!((&pianello["together_mbps_low"], &pianello["together_mbps_high"]), (&json!(0.0), &json!(97.3)));
    assert_eq!((&pianello["alone_mbps"], &pianello["possible_mbps"]), (&Value::Null, &Value::Null));
    assert_eq!((&pianello["state"], &pianello["known"]), (&json!("unknown"), &json!("not measurable")));
    assert_eq!(pianello["unknown_because"], json!(["castelfiore-pianello"]));
    let unknown = link(&status, "castelfiore-pianello");
    assert_eq!((&unknown["state"], &unknown["reason"]), (&json!("unknown"), &json!("not offered")));
    assert_eq!(unknown["downstream"]["capacity_mbps"], Value::Null);
    assert_eq!(unknown["downstream"]["missing"], "not offered");
    assert_eq!(unknown["near"]["rsl_dbm"], Value::Null);
    assert_eq!(unknown["near"]["rsl_missing"], "timeout");
}

#[tokio::test]
async fn a_link_has_provenance_age_and_what_limits_it() {
    let status = status().await;
    let weak = link(&status, "bric-della-luna-monteverde");
    assert_eq!(
        weak["downstream"],
        json!({
            "capacity_mbps": 97.3, "provenance": "reported", "missing": null,
            "measured_at": "2026-11-24T06:55:22+01:00",
            "limited_by": "radio tx", "limited_at": "bric-della-luna-monteverde-a",
            "throughput_mbps": 31.4, "required_mbps": 190.0
        })
    );
    let bundle = link(&status, "roccalba-coppia");
    assert_eq!((&bundle["kind"], &bundle["on_standby"]), (&json!("bundle"), &json!(true)));
    assert_eq!(bundle["downstream"]["limited_at"], "bric-della-luna-roccalba-5ghz");
    let backhaul = link(&status, "valdora-fibra");
    assert_eq!((&backhaul["kind"], &backhaul["far_site"]), (&json!("backhaul"), &Value::Null));
    assert_eq!(backhaul["downstream"]["required_mbps"], 540.0);
}

#[tokio::test]
async fn incidents_use_closed_lists_and_times_with_an_offset() {
    let status = status().await;
    let incidents = status["incidents"].as_array().unwrap();
    let dead = incidents.iter().find(|i| i["id"] == "VED-148").unwrap();
    assert_eq!(
        *dead,
        json!({
            "id": "VED-148", "condition": "link_down", "subject": "bric-della-luna-serrabruna",
            "subject_kind": "link", "name": "Bric della Luna–Serrabruna", "direction": "downstream",
            "severity": "critical", "state": "open", "since": "2026-11-23T21:10:00+01:00",
            "opened": "2026-11-23T21:25:00+01:00", "closed": null, "caused_by": [],
            "wisp": "collinaweb", "wisp_name": "CollinaWeb (example)",
            "measured_mbps": 0.0, "measured_mbps_min": null, "required_mbps": 60.0,
            "municipalities": ["serrabruna", "vallescura"], "sites_below": ["serrabruna", "vallescura"],
            "sites_cut_off": ["serrabruna", "vallescura"], "residents": 932,
            "probable_cause": "power", "confidence": "medium",
            "acknowledged": null, "ticket": null, "expected_repair": null
        })
    );
    assert_eq!(incidents.iter().find(|i| i["id"] == "VED-149").unwrap()["caused_by"], json!(["VED-148"]));
    assert!(incidents.iter().any(|i| i["id"] == Value::Null && i["state"] == "pending"));
    // What is closed is told by the list of incidents only. A school counts for its municipality.
    assert!(incidents.iter().all(|i| i["state"] != "closed"));
    let weak = incidents.iter().find(|i| i["id"] == "VED-147").unwrap();
    assert_eq!(weak["municipalities"], json!(["castelfiore", "monteverde", "pianello"]));
    let server = start(valdora().snapshot()).await;
    let all: Incidents = serde_json::from_slice(&server.get("/api/v1/incidents").await.body).unwrap();
    assert!(all.incidents.iter().any(|i| i.state == "closed" && i.closed.is_some()));
}

#[tokio::test]
async fn agents_never_heard_are_listed() {
    let status = status().await;
    let agents = status["agents"].as_array().unwrap();
    let never = agents.iter().find(|a| a["agent"] == "roccalba").unwrap();
    assert_eq!((&never["online"], &never["last_batch_at"]), (&Value::Null, &Value::Null));
    assert_eq!(agents.len(), 3);
    assert_eq!(status["summary"]["faults"], 2);
    assert_eq!(status["parts"][1]["detail"], "connection refused; trying again");
}

#[tokio::test]
async fn what_is_written_reads_back_even_with_fields_of_a_newer_hub() {
    let mut value = status().await;
    let read: Status = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), value);
    value["something_new"] = json!(1);
    value["sites"][0]["something_new"] = json!({"a": []});
    value["summary"]["something_new"] = json!(null);
    assert_eq!(serde_json::from_value::<Status>(value).unwrap(), read);
}
