//! Pages of links with their charts, and the series that they are drawn from.

use serde_json::Value;
use vedetta::model::{BackhaulId, EdgeId};

use crate::fixture::{NOW, edge, valdora};
use crate::history::{GAP, Kept, REQUIRED_MBPS, kept};
use crate::server::{Server, start, start_all};

const LINK: &str = "bric-della-luna-monteverde";

async fn serving() -> (Server, Kept) {
    let snapshot = valdora().snapshot();
    let kept = kept(&snapshot.network, &edge(LINK), NOW);
    (start_all(snapshot, None, Some(kept.ledger.clone())).await, kept)
}

async fn series(server: &Server, query: &str) -> Value {
    let answer = server.get(&format!("/api/v1/links/{LINK}/series?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    serde_json::from_str(answer.text()).unwrap()
}

#[tokio::test]
async fn a_series_says_what_is_known_and_what_is_not() {
    let (server, _kept) = serving().await;
    let day = series(&server, "field=capacity_mbps&direction=downstream").await;
    assert_eq!((&day["subject"], &day["step"]), (&LINK.into(), &"5min".into()));
    let points = day["lines"][0]["points"].as_array().unwrap();
    let newest = points.iter().rev();
    for (ago, point) in (0i64..).zip(newest.take(20)) {
        if GAP.contains(&ago) {
            assert!(point["mean"].is_null() && point["count"] == 0, "{ago}: {point}");
        } else {
            assert_eq!(point["required"], REQUIRED_MBPS, "{ago}: {point}");
            assert_eq!(point["below_secs"], if ago < GAP.start { 300 } else { 0 }, "{ago}: {point}");
        }
    }
    let year = series(&server, "field=capacity_mbps&window=1y").await;
    assert_eq!((&year["step"], year["lines"].as_array().unwrap().len()), (&"day".into(), 2));
    let levels = series(&server, "field=rsl_dbm&window=7d").await;
    let ends: Vec<&Value> = levels["lines"].as_array().unwrap().iter().map(|line| &line["end"]).collect();
    assert_eq!(ends, ["near", "far"]);
}

#[tokio::test]
async fn a_question_that_cannot_be_answered_is_told_all_that_is_wrong() {
    let (server, _kept) = serving().await;
    for (query, status, said) in [
        ("", 400, "field is missing: one of capacity_mbps"),
        ("field=speed", 400, "field=speed: not known"),
        ("field=rsl_dbm&direction=sideways&window=2d", 400, "direction=sideways: not known; downstream or upstream"),
        ("field=rsl_dbm&direction=sideways&window=2d", 400, "window=2d: not known"),
        ("field=rsl_dbm&direction=downstream", 400, "has no rsl_dbm of this direction or end"),
        ("field=rsl_dbm&from=yesterday", 400, "from=yesterday: not a time"),
        ("field=rsl_dbm&from=2090-01-01", 400, "in the past"),
        ("field=rsl_dbm&to=2026-11-24", 400, "to without from"),
    ] {
        let answer = server.get(&format!("/api/v1/links/{LINK}/series?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        assert!(answer.text().contains(said), "{query}: {}", answer.text());
    }
    assert_eq!(server.get("/api/v1/links/nowhere/series?field=rsl_dbm").await.status, 404);
}

#[tokio::test]
async fn a_link_has_a_page_with_charts_in_both_languages() {
    let (server, _kept) = serving().await;
    for (language, words) in [
        ("it", ["Minuti sotto il richiesto", "Livello ricevuto", "I due lati, adesso", "Come tabella"]),
        ("en", ["Minutes below required", "Received level", "Both ends, now", "As a table"]),
    ] {
        for window in ["24h", "7d", "30d", "1y"] {
            let answer = server.get(&format!("/links/{LINK}?lang={language}&window={window}")).await;
            let page = answer.text();
            assert_eq!(answer.status, 200, "{window}");
            for word in words {
                assert!(page.contains(word), "{word} is not on the page of {window}");
            }
            assert_eq!(page.matches("<figure class=\"plot\">").count(), 6, "{window}");
            assert!(!page.contains("<script"), "nothing here needs a script");
        }
    }
    for path in ["/links/nowhere", "/backhauls/nowhere", &format!("/backhauls/{LINK}"), "/links/%3Cscript%3E"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("<script"), "{path}");
    }
}

#[tokio::test]
async fn a_site_has_a_page_with_a_sentence_for_the_telephone() {
    let mut valdora = valdora();
    let fibre = EdgeId::Backhaul(BackhaulId::parse("valdora-fibra").unwrap());
    valdora.view.sites.get_mut("monteverde").unwrap().path = vec![edge(LINK), fibre];
    let server = start(valdora.snapshot()).await;
    for (language, words) in [
        ("it", ["Se qualcuno chiama", "La via verso Internet", "Tratte che arrivano qui", "Apparati"]),
        ("en", ["If somebody calls", "The way to the Internet", "Links that end here", "Devices"]),
    ] {
        let answer = server.get(&format!("/sites/monteverde?lang={language}")).await;
        assert_eq!(answer.status, 200);
        for word in words {
            assert!(answer.text().contains(word), "{word} is not in {}", answer.text());
        }
    }
    let below = server.get("/sites/monteverde").await;
    let said = "collegamento del Comune può portare circa";
    assert!(below.text().contains(said) && below.text().contains("di cui si occupa"), "{}", below.text());
    for path in ["/sites/nowhere", "/sites/%3Cscript%3E", "/sites/"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("<script"), "{path}");
    }
}

#[tokio::test]
async fn an_operator_has_a_page_with_its_own_links_alone() {
    let snapshot = valdora().snapshot();
    let others: Vec<String> = snapshot
        .view
        .edges()
        .filter(|e| e.wisp.as_ref().is_none_or(|w| w.as_str() != "altarete"))
        .map(|e| format!("/{}\"", e.id))
        .collect();
    assert!(!others.is_empty());
    let server = start(snapshot).await;
    let page = server.get("/wisps/altarete").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("AltaRete") && page.text().contains(LINK), "{}", page.text());
    for other in others {
        assert!(!page.text().contains(&other), "{other} is another's");
    }
    assert_eq!(server.get("/wisps/nobody").await.status, 404);
}

/// Every site, link, bundle and backhaul that the main page leads to.
#[tokio::test]
async fn every_link_of_the_page_leads_somewhere() {
    let snapshot = valdora().snapshot();
    let edges: Vec<EdgeId> = snapshot.view.edges().map(|e| e.id.clone()).collect();
    let server = start(snapshot).await;
    let main = server.get("/").await;
    let hrefs: Vec<&str> = main.text().split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let pages: Vec<&str> =
        hrefs.iter().filter(|h| h.starts_with("links/") || h.starts_with("backhauls/")).copied().collect();
    assert!(pages.len() >= edges.len(), "{} pages of {} edges", pages.len(), edges.len());
    for site in hrefs.iter().filter(|h| h.starts_with("sites/")) {
        let answer = server.get(&format!("/{site}")).await;
        assert_eq!(answer.status, 200, "{site}");
        assert!(answer.text().contains("Se qualcuno chiama"), "{site}");
    }
    for page in pages {
        let answer = server.get(&format!("/{page}")).await;
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.text().contains("Nessun dato"), "{page}: without a ledger there is no history");
    }
}
