use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::fixture::valdora;
use super::server::start;
use vedetta::web::EVENT_STREAMS_MAX;

/// A wait that no healthy run comes near: it only turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(30);

type Lines = tokio::io::Lines<tokio::io::BufReader<tokio::net::TcpStream>>;

/// The data of the next `snapshot` event; `None` at the end of the stream.
async fn next_snapshot(lines: &mut Lines) -> Option<Value> {
    let read = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(data) = line.strip_prefix("data: ").filter(|d| *d != "{}") {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
        None
    };
    tokio::time::timeout(PATIENCE, read).await.expect("no event")
}

#[tokio::test]
async fn an_event_follows_every_change_of_the_picture() {
    let server = start(valdora().snapshot()).await;
    let mut lines = server.events().await;
    let first = next_snapshot(&mut lines).await.unwrap();
    assert_eq!(first["incidents_open"], 5);
    assert_eq!(first["summary"]["below"], 3);
    let mut b = valdora();
    b.incidents.clear();
    let mut changed = b.snapshot();
    changed.generated_at.0 += 5_000;
    server.snapshots.send_replace(Arc::new(changed));
    let second = next_snapshot(&mut lines).await.unwrap();
    assert_eq!(second["incidents_open"], 0);
    assert_eq!(second["generated_at"], "2026-11-24T06:56:05+01:00");
    assert!(!server.get("/fragment").await.text().contains("VED-147"));
}

#[tokio::test]
async fn a_stop_ends_the_streams_and_the_server() {
    let mut server = start(valdora().snapshot()).await;
    let mut lines = server.events().await;
    next_snapshot(&mut lines).await.unwrap();
    server.switch.stop();
    assert_eq!(next_snapshot(&mut lines).await, None);
    let ended = tokio::time::timeout(PATIENCE, server.running.join_next()).await.expect("the server still runs");
    ended.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn event_streams_are_bounded_and_freed() {
    let server = start(valdora().snapshot()).await;
    let mut streams = Vec::new();
    for _ in 0..EVENT_STREAMS_MAX {
        let mut lines = server.events().await;
        next_snapshot(&mut lines).await.unwrap();
        streams.push(lines);
    }
    assert_eq!(server.get("/api/v1/events").await.status, 503);
    assert_eq!(server.get("/").await.status, 200);
    streams.clear();
    let freed = async {
        loop {
            let mut lines = server.events().await;
            if lines.next_line().await.unwrap().is_some_and(|l| l.contains("200")) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.expect("closed streams were never freed");
}
