use super::fixture::valdora;
use super::server::start;
use vedetta::model::network::Language;
use vedetta::web::api::{Incidents, Status};
use vedetta::web::status::{StatusError, fetch, fetch_incidents, render, render_incidents};

#[test]
fn the_terminal_answers_like_the_page() {
    let status = Status::of(&valdora().snapshot());
    insta::assert_snapshot!(render(&status, false, Language::Italian), @r#"
    Unione Montana Valdora  06:56 (Europe/Rome)
    Rete simulata: apparati, guasti e misure sono inventati.
    3 comuni su 8 hanno almeno 30 Mbps (1 verificato, 2 stimati); 3 sono sotto per 2 guasti; 1 lo ha solo per contratto; 1 non è misurabile.
    Scuole e altri siti con un proprio minimo: 0 su 2 in regola.

    SITO                               INSIEME  PROMESSI  DA SOLO  NOTA            TRATTA CHE LIMITA           OPERATORE             DA QUANDO     AVVISO
    Serrabruna                               0        30        0  stimata         Bric della Luna–Serrabruna  CollinaWeb (example)  23 nov 21:11  VED-148
    Vallescura                               0        30        0  stimata         Bric della Luna–Serrabruna  CollinaWeb (example)  23 nov 21:11  VED-148
    Scuola media di Monteverde            37,3       100     97,3  stimata         Bric della Luna–Monteverde  AltaRete (example)    06:42         VED-147
    Municipio di Roccalba (in salita)      150       200      200  stimata         Valdora–Bric della Luna     AltaRete (example)
    Monteverde                            29,9        30     97,3  verificata      Bric della Luna–Monteverde  AltaRete (example)    06:42         VED-147
    Pianello                            0–97,3        30        —  non misurabile  Castelfiore–Pianello?

    SONDA            STATO              RITARDO  MANCANTI  RECUPERO  PERSI  DA DATARE  OROLOGIO
    Bric della Luna  in linea             120 s        90      18 s      0          4     0,1 s
    Roccalba         mai sentita              —         0         —      0          0         —
    Serrabruna       non raggiungibile    120 s        90      18 s     12          4    −7,3 s

    AVVISO   CHE COSA          DOVE                        STATO   DA QUANDO     OPERATORE                 MBPS  RESIDENTI  CAUSA PROBABILE
    VED-147  Degrado           Bric della Luna–Monteverde  aperto  06:42         AltaRete (example)    97,3/190      1.255  antenna spostata o ostacolo
    VED-148  Interruzione      Bric della Luna–Serrabruna  aperto  23 nov 21:10  CollinaWeb (example)      0/60        932  alimentazione
    VED-151  Linea di riserva  Bric della Luna–Roccalba    aperto  06:16         AltaRete (example)                  1.940  non ancora nota
    "#);
    assert_eq!(status.exit_code(), 1);
    let english = render(&status, false, Language::English);
    assert!(english.contains("3 of 8 municipalities") && english.contains("LIMITING LINK"), "{english}");
}

#[test]
fn incidents_have_a_table_of_their_own() {
    let incidents = Incidents::of(&valdora().snapshot());
    insta::assert_snapshot!(render_incidents(&incidents, false, Language::English), @r#"
    INCIDENT  WHAT          WHERE                       STATE   SINCE                        OPERATOR                  MBPS  RESIDENTS  PROBABLE CAUSE
    VED-147   Weak          Bric della Luna–Monteverde  open    06:42                        AltaRete (example)    97.3/190      1,255  misalignment or obstacle
    VED-148   Outage        Bric della Luna–Serrabruna  open    23 Nov 21:10                 CollinaWeb (example)      0/60        932  power supply
    VED-149   Below target  Serrabruna                  open    23 Nov 21:11                                           0/30             VED-148
    VED-150   Below target  Vallescura                  open    23 Nov 21:11                                           0/30             VED-148
    VED-151   On backup     Bric della Luna–Roccalba    open    06:16                        AltaRete (example)                  1,940  not known yet
    VED-146   Weak          Borgoratto–Pratolungo       closed  22 Nov 04:56 → 22 Nov 09:56                                             not known yet
    "#);
    assert_eq!(incidents.exit_code(), 1);
}

#[test]
fn all_well_is_exit_code_0() {
    let mut b = valdora();
    b.incidents.clear();
    b.view.sites.retain(|id, _| ["roccalba", "borgoratto"].contains(&id.as_str()));
    let snapshot = b.snapshot();
    let status = Status::of(&snapshot);
    assert_eq!(status.exit_code(), 0);
    assert_eq!(Incidents::of(&snapshot).exit_code(), 0);
    assert!(!render(&status, false, Language::Italian).contains("SITO"));
    assert_eq!(render_incidents(&Incidents::of(&snapshot), true, Language::English), "No open incident.\n");
}

#[test]
fn names_cannot_command_the_terminal() {
    let mut b = valdora();
    for site in b.network.sites.values_mut() {
        site.name = "\u{1b}[2J\u{9b}31mRoccalba\r\n\u{7}".to_owned();
    }
    b.network.name = "\u{1b}]0;x\u{7}".to_owned();
    let snapshot = b.snapshot();
    for text in [
        render(&Status::of(&snapshot), false, Language::Italian),
        render_incidents(&Incidents::of(&snapshot), false, Language::Italian),
    ] {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }
}

#[tokio::test]
async fn it_asks_a_real_hub() {
    let server = start(valdora().snapshot()).await;
    let status = fetch(&server.url("")).await.unwrap();
    assert_eq!(status, Status::of(&valdora().snapshot()));
    assert_eq!(fetch(&server.url("/")).await.unwrap(), status);
    assert_eq!(fetch_incidents(&server.url("")).await.unwrap(), Incidents::of(&valdora().snapshot()));
}

#[tokio::test]
async fn what_goes_wrong_has_a_name() {
    let said = |e: StatusError| e.to_string();
    assert!(said(fetch("not an address").await.unwrap_err()).contains("must be an address like http://127.0.0.1:8080"));
    assert!(said(fetch("ftp://127.0.0.1/").await.unwrap_err()).contains("must be an address like"));
    let server = start(valdora().snapshot()).await;
    let refused = fetch(&server.url("/elsewhere")).await.unwrap_err();
    assert!(matches!(refused, StatusError::Refused { status: 404, .. }), "{refused}");
    // A port that was just free and is closed again.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let none = fetch(&format!("http://{closed}")).await.unwrap_err();
    assert!(matches!(none, StatusError::NoAnswer { .. }), "{none}");
}
