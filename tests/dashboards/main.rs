//! `dashboards/` is generated from one source: `VEDETTA_BLESS=1 cargo test --test dashboards` writes it anew. Every query
//! of every panel runs against real stores that the simulated network fills (`live.rs`).

#![cfg(all(feature = "hub", feature = "sim"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod grafana;
mod live;
mod panels;
mod query;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use grafana::LANGUAGES;
use query::Store;

/// Every file of `dashboards/` that is generated, with its text.
fn documents() -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    for store in Store::ALL {
        for dashboard in panels::all(store) {
            for (language, name) in LANGUAGES.iter().enumerate() {
                let json = grafana::json(&dashboard, store, language);
                let text = format!("{}\n", serde_json::to_string_pretty(&json).unwrap());
                all.insert(PathBuf::from(format!("{}/{name}/{}.json", store.as_str(), dashboard.id)), text);
            }
        }
    }
    all
}

#[test]
fn the_files_are_what_the_source_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    for (path, wanted) in documents() {
        let path = root.join(path);
        if std::env::var_os("VEDETTA_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &wanted).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
        assert!(found == wanted, "{} is out of date (VEDETTA_BLESS=1 rewrites it): {differs:?}", path.display());
    }
}

#[test]
fn no_two_dashboards_share_an_identity_and_no_two_panels_a_place() {
    let mut identities = BTreeSet::new();
    for (path, text) in documents() {
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let uid = json["uid"].as_str().unwrap().to_owned();
        assert!(uid.len() <= 40 && identities.insert(uid), "{}", path.display());
        let mut cells = BTreeSet::new();
        for panel in json["panels"].as_array().unwrap() {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{}", path.display());
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(cells.insert((x, y)), "{}: {}", path.display(), panel["title"]);
                }
            }
        }
    }
}
