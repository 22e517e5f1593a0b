use std::time::Instant;

use super::fixture::{large, minutes_ago, valdora};
use super::server::start;
use vedetta::model::network::Language;
use vedetta::web::page::{delivery, fragment, page};

#[test]
fn the_page_answers_who_since_when_which_link_and_whose_job() {
    let snapshot = valdora().snapshot();
    let text = page(&snapshot, Language::Italian).unwrap();
    for expected in [
        "3 comuni su 8 hanno almeno 30 Mbps (1 verificato, 2 stimati); 3 sono sotto per 2 guasti; 1 lo ha solo per \
         contratto; 1 non è misurabile.",
        "VED-147",
        "97,3 Mbps, ne servono 190",
        "23 nov 21:10",
        "CollinaWeb (example)",
        "antenna spostata o ostacolo (attendibilità alta)",
        "3 comuni a valle, 1.255 residenti",
        "Senza collegamento: Serrabruna, Vallescura",
        "<b>29,9</b> su 30",
        "Rete simulata",
        "mai sentita",
        "la radio non è agganciata",
    ] {
        assert!(text.contains(expected), "lacks {expected:?}");
    }
    // A consequence is told on its cause's card and has none of its own.
    assert!(text.contains("VED-149 Serrabruna") && !text.contains("id=\"VED-149\""));
    let english = page(&snapshot, Language::English).unwrap();
    assert!(english.contains("3 of 8 municipalities have at least 30 Mbps (1 verified, 2 estimated)"));
    assert!(english.contains("97.3 Mbps, 190 required") && english.contains("23 Nov 21:10"));
}

#[test]
fn unknown_is_never_shown_as_zero() {
    let text = fragment(&valdora().snapshot(), Language::Italian).unwrap();
    let row = &text[text.find("id=\"site-pianello\"").unwrap()..];
    let row = &row[..row.find("</tr>").unwrap()];
    assert!(row.contains("0–97,3") && row.contains("≥ 12") && row.contains(">—</td>"), "{row}");
    assert!(row.contains("non misurabile") && row.contains("capacità non nota: Castelfiore–Pianello"), "{row}");
    let row = &text[text.find("id=\"link-castelfiore-pianello\"").unwrap()..];
    let row = &row[..row.find("</tr>").unwrap()];
    assert!(row.contains("<b>—</b>") && row.contains("non offerta dall") && !row.contains("<b>0</b>"), "{row}");
}

#[test]
fn tables_can_be_read_aloud() {
    let snapshot = valdora().snapshot();
    let mut tables = 0;
    for text in [page(&snapshot, Language::Italian).unwrap(), delivery(&snapshot, Language::Italian).unwrap()] {
        tables += text.matches("<table").count();
        assert_eq!(text.matches("<table").count(), text.matches("<caption>").count());
        assert_eq!(text.matches("<th ").count(), text.matches("scope=\"").count());
        assert_eq!(text.matches("<h1").count(), 1);
        let ids: Vec<&str> = text.split(" id=\"").skip(1).map(|t| t.split('"').next().unwrap()).collect();
        let unique: std::collections::BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(ids.len(), unique.len(), "an id stands twice: {ids:?}");
        for target in text.split("href=\"#").skip(1).map(|t| t.split('"').next().unwrap()) {
            assert!(ids.contains(&target), "#{target} leads nowhere");
        }
    }
    assert!(tables >= 6);
}

#[test]
fn trouble_with_data_collection_is_said_first_and_in_short_on_the_main_page() {
    let snapshot = valdora().snapshot();
    let main = fragment(&snapshot, Language::Italian).unwrap();
    let part = &main[main.find("data-part=\"delivery\"").unwrap()..];
    for expected in
        ["1 sonda su 3 è in linea", "non in linea", "mai sentita", "connection refused", "href=\"delivery\""]
    {
        assert!(part.contains(expected), "{expected} is not in\n{part}");
    }
    let text = delivery(&snapshot, Language::Italian).unwrap();
    let at = |name: &str| text.find(&format!(">{name}<")).unwrap();
    assert!(at("Serrabruna") < at("Bric della Luna") && at("Roccalba") < at("Bric della Luna"));
}

#[test]
fn a_storm_is_told_in_full_only_where_it_is_gravest() {
    let mut builder = valdora();
    let subject = builder.incidents[0].subject.clone();
    for number in 200..240 {
        builder.incident(number, vedetta::alert::Condition::CapacityBelow, subject.clone(), minutes_ago(5));
    }
    let text = page(&builder.snapshot(), Language::Italian).unwrap();
    assert_eq!(text.matches("<article").count(), 6);
    for number in 200..240 {
        assert!(text.contains(&format!("id=\"VED-{number}\"")), "VED-{number} is nowhere");
    }
    assert!(text.contains("Altri avvisi aperti ("));
}

#[test]
fn the_page_stands_alone_and_has_no_style_or_script_inside() {
    let text = page(&valdora().snapshot(), Language::English).unwrap();
    for outside in ["http://", "https://", "//cdn", "style=", "<style", "javascript:", " onclick", " onload"] {
        assert!(!text.contains(outside), "{outside}");
    }
    assert_eq!(text.matches("<script").count(), 1);
    assert!(text.contains("<noscript><meta http-equiv=\"refresh\""));
}

const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;";

/// Valdora, where every text that comes from a file or from a radio is this one.
fn called(text: &str) -> vedetta::web::snapshot::Snapshot {
    let mut b = valdora();
    text.clone_into(&mut b.network.name);
    for site in b.network.sites.values_mut() {
        text.clone_into(&mut site.name);
    }
    for wisp in b.network.wisps.values_mut() {
        text.clone_into(&mut wisp.name);
        wisp.phone = Some(text.to_owned());
    }
    for service in b.network.services.values_mut() {
        text.clone_into(&mut service.name);
    }
    for link in b.view.links.values_mut() {
        for end in [&mut link.near, &mut link.far].into_iter().flatten() {
            end.model = Some(text.to_owned());
            end.modulation = Some(text.to_owned());
            end.firmware = Some(text.to_owned());
        }
    }
    for i in &mut b.incidents {
        for end in [&mut i.near, &mut i.far].into_iter().flatten() {
            text.clone_into(&mut end.site);
        }
    }
    let mut snapshot = b.snapshot();
    snapshot.parts[0].detail = Some(text.to_owned());
    snapshot
}

#[tokio::test]
async fn what_files_and_radios_say_is_never_markup() {
    let harmless = page(&called(&"x".repeat(EVIL.chars().count())), Language::Italian).unwrap();
    let server = start(called(EVIL)).await;
    for path in ["/", "/fragment", "/?lang=en", "/delivery"] {
        let text = server.get(path).await.text().to_owned();
        assert!(text.contains("alert(1)"), "the names are shown");
        assert!(!text.contains("<script>") && !text.contains("<img"), "{path}");
        if path == "/" {
            // Escaped names open no element and end no attribute: there are as many as with harmless names.
            for sign in ['<', '>', '"'] {
                assert_eq!(text.matches(sign).count(), harmless.matches(sign).count(), "{sign}");
            }
        }
    }
    let json = server.get("/api/v1/status").await;
    assert_eq!(json.headers["content-type"], "application/json");
    let metrics = server.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    super::metrics::parse(metrics.text());
}

#[test]
fn a_blind_hub_says_so() {
    let mut snapshot = valdora().snapshot();
    snapshot.blind_since = Some(minutes_ago(14));
    snapshot.simulated = false;
    let text = page(&snapshot, Language::Italian).unwrap();
    assert!(text.contains("non riceve dati") && text.contains("Dalle 06:42."));
    assert!(!text.contains("Rete simulata"));
}

#[test]
fn an_empty_network_still_has_a_page() {
    let snapshot = super::fixture::Builder::new().snapshot();
    let text = page(&snapshot, Language::Italian).unwrap();
    assert!(text.contains("Nessun sito ha un minimo promesso.") && text.contains("Nessun avviso aperto."));
}

/// The size is what counts against the limit of 150 KB; the time is printed, for a loaded machine would make a limit
/// of it a matter of luck.
#[tokio::test]
async fn five_hundred_links_stay_within_150_kb() {
    let snapshot = large(500).snapshot();
    let started = Instant::now();
    let text = page(&snapshot, Language::Italian).unwrap();
    let took = started.elapsed();
    let server = start(snapshot).await;
    let headers = [("Host", "localhost"), ("Accept-Encoding", "gzip")];
    let packed = server.ask("GET", "/", &headers).await.body.len();
    println!("500 links: {} bytes, {packed} compressed, rendered in {took:?}", text.len());
    assert!(packed < 150_000, "{packed}");
}
