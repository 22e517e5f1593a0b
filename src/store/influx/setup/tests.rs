use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// What a server of one organization and at most one bucket has.
#[derive(Default)]
struct Fake {
    /// Retention in seconds of the bucket.
    bucket: Mutex<Option<u64>>,
    /// Answers every request so.
    only: Option<(u16, &'static str)>,
    /// Says so to whoever would change something.
    read_only: bool,
}

async fn answer(State(fake): State<Arc<Fake>>, method: Method, uri: Uri, body: Bytes) -> Response {
    if let Some((status, words)) = fake.only {
        return (StatusCode::from_u16(status).unwrap(), words).into_response();
    }
    let query = uri.query().unwrap_or_default();
    let mut bucket = fake.bucket.lock().unwrap();
    let secs = || serde_json::from_slice::<Value>(&body).unwrap()["retentionRules"][0]["everySeconds"].as_u64();
    if method != Method::GET && fake.read_only {
        let words = r#"{"code":"unauthorized","message":"write:orgs/o1/buckets is unauthorized"}"#;
        return (StatusCode::UNAUTHORIZED, words).into_response();
    }
    let value = match (method, uri.path()) {
        (Method::GET, "/api/v2/orgs") if query == "org=unione" => json!({ "orgs": [{ "id": "o1", "name": "unione" }] }),
        (Method::GET, "/api/v2/orgs") => {
            let words = r#"{"code":"not found","message":"organization name not found"}"#;
            return (StatusCode::NOT_FOUND, words).into_response();
        }
        (Method::GET, "/api/v2/buckets") if query == "orgID=o1&name=rete" => match *bucket {
            Some(0) => json!({ "buckets": [{ "id": "b1", "name": "rete", "retentionRules": [] }] }),
            Some(secs) => {
                let rules = json!([{ "type": "expire", "everySeconds": secs, "shardGroupDurationSeconds": 3600 }]);
                json!({ "buckets": [{ "id": "b1", "name": "rete", "retentionRules": rules }] })
            }
            None => json!({ "buckets": [] }),
        },
        (Method::POST, "/api/v2/buckets") | (Method::PATCH, "/api/v2/buckets/b1") => {
            *bucket = Some(secs().unwrap_or(0));
            json!({ "id": "b1" })
        }
        (method, path) => panic!("{method} {path}?{query}"),
    };
    (StatusCode::OK, value.to_string()).into_response()
}

async fn asked(fake: &Arc<Fake>, org: &str, keep: Option<u64>) -> Result<BucketReport, SetupError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(answer).with_state(Arc::clone(fake));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    let settings = InfluxSettings { url, org: org.into(), bucket: "rete".into(), token: None, ca_file: None };
    init(&settings, None, keep.map(Duration::from_secs)).await
}

#[tokio::test]
async fn a_bucket_is_made_once_and_its_retention_follows() {
    let fake = Arc::new(Fake::default());
    let mut check = Vec::new();
    for keep in [Some(7200), Some(7200), None, None, Some(3600)] {
        let report = asked(&fake, "unione", keep).await.unwrap();
        assert_eq!(report.keep_secs, keep.unwrap_or(0));
        assert_eq!(*fake.bucket.lock().unwrap(), Some(report.keep_secs));
        check.push((report.action, report.kept_before_secs));
    }
    let wanted = [
        (Action::Created, None),
        (Action::Unchanged, None),
        (Action::Changed, Some(7200)),
        (Action::Unchanged, None),
        (Action::Changed, Some(0)),
    ];
    assert_eq!(check, wanted);
}

#[tokio::test]
async fn what_cannot_be_done_says_what_would_be_right() {
    let check = async |fake: Fake, org: &str, wanted: &str| {
        let error = asked(&Arc::new(fake), org, Some(3600)).await.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    };
    let only = |status, words| Fake { only: Some((status, words)), ..Fake::default() };
    check(only(401, r#"{"code":"unauthorized","message":"unauthorized access"}"#), "unione", "token is not valid")
        .await;
    check(only(400, "unsupported path requested"), "unione", "does not answer as InfluxDB 2 (400 unsupported").await;
    check(only(404, "404 page not found"), "unione", "does not answer as InfluxDB 2").await;
    check(only(200, "<html>hotel wifi</html>"), "unione", "does not answer as InfluxDB 2").await;
    check(Fake::default(), "altri", "there is no organization \"altri\"").await;
    let read_only = || Fake { read_only: true, ..Fake::default() };
    check(read_only(), "unione", "may not make buckets (401 write:orgs/o1/buckets is unauthorized)").await;
    let there = Fake { bucket: Mutex::new(Some(7200)), ..read_only() };
    check(there, "unione", "may not change the bucket").await;
}

#[tokio::test]
async fn nobody_there_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let settings = InfluxSettings { url, org: "unione".into(), bucket: "rete".into(), token: None, ca_file: None };
    let error = init(&settings, None, None).await.unwrap_err().to_string();
    assert!(error.starts_with("InfluxDB cannot be reached at http://127.0.0.1:"), "{error}");
}
