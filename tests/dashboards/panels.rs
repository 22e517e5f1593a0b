//! The three dashboards, each told once for both stores and both languages.

use super::query::By::{Chosen, Is, IsOnWire};
use super::query::{By, Query, Store, metric, own};

/// Italian and English.
pub type Text = [&'static str; 2];

pub enum Kind {
    Stat,
    Lines,
    Table,
    Map,
    States,
}

pub struct Panel {
    pub title: Text,
    pub kind: Kind,
    pub queries: Vec<Query>,
    /// Names of the columns of a table: of its tags, then of its fields.
    pub columns: Vec<Text>,
    /// From which value on which colour; the first from the lowest on.
    pub thresholds: &'static [(Option<f64>, &'static str)],
    pub width: u8,
    pub height: u8,
}

pub struct Dashboard {
    pub id: &'static str,
    pub title: Text,
    pub about: Text,
    /// What the reader chooses: a tag of `link`.
    pub variable: Option<(&'static str, Text)>,
    pub panels: Vec<Panel>,
}

const NONE: &[(Option<f64>, &str)] = &[(None, "blue")];
/// Of what should not be: blue at 0, as colour-blind people tell it from orange.
pub const ANY_IS_BAD: &[(Option<f64>, &str)] = &[(None, "blue"), (Some(1.0), "orange")];
const BELOW_PERCENT: &[(Option<f64>, &str)] = &[(None, "orange"), (Some(100.0), "yellow"), (Some(120.0), "blue")];
const IS_UP: &[(Option<f64>, &str)] = &[(None, "orange"), (Some(1.0), "blue")];

const DOWN: By = Is("direction", "downstream");
const ONE_DIRECTION: By = IsOnWire("direction", "downstream");
const EDGE: [&str; 3] = ["link", "direction", "wisp"];
const END: [&str; 2] = ["device", "site"];

fn panel(title: Text, kind: Kind, width: u8, height: u8, queries: Vec<Query>) -> Panel {
    Panel { title, kind, queries, columns: Vec::new(), thresholds: NONE, width, height }
}

impl Panel {
    fn thresholds(self, thresholds: &'static [(Option<f64>, &'static str)]) -> Self {
        Self { thresholds, ..self }
    }

    fn columns(self, columns: &[Text]) -> Self {
        Self { columns: columns.to_vec(), ..self }
    }
}

fn stat(title: Text, query: Query) -> Panel {
    panel(title, Kind::Stat, 6, 4, vec![query]).thresholds(ANY_IS_BAD)
}

/// Lines of one field of radios, ports, pings at the ends of what is chosen.
fn ends(title: Text, series: &[(&'static str, &'static str)], by: By) -> Panel {
    let what = |field: &'static str| (series.len() > 1).then_some(field);
    let of = |(m, f): &(&'static str, &'static str)| Query::Series(metric(m, f, &[by]), END.to_vec(), what(f));
    panel(title, Kind::Lines, 12, 8, series.iter().map(of).collect())
}

const CAPACITY: Text = ["Capacità", "Capacity"];
const SITE: Text = ["Sede", "Site"];
const REQUIRED: Text = ["Richiesta", "Required"];
const LINK: Text = ["Tratta", "Link"];
const DIRECTION: Text = ["Verso", "Direction"];
const OPERATOR: Text = ["Operatore", "Operator"];

fn worst_links(by: &[By]) -> Panel {
    let (capacity, required) = (metric("link", "capacity_mbps", by), metric("link", "required_mbps", by));
    let title = ["Tratte peggiori: capacità su richiesta", "Worst links: capacity over required"];
    panel(title, Kind::Table, 12, 9, vec![Query::Share(capacity, required, EDGE.to_vec())])
        .columns(&[LINK, DIRECTION, OPERATOR, ["Capacità su richiesta", "Capacity over required"]])
        .thresholds(BELOW_PERCENT)
}

fn capacity_lines(by: &[By]) -> Panel {
    let line = |field, what| Query::Series(metric("link", field, by), EDGE[..2].to_vec(), Some(what));
    let queries = vec![
        line("capacity_mbps", "capacity"),
        line("required_mbps", "required"),
        line("throughput_mbps", "throughput"),
    ];
    panel(["Capacità, richiesta e traffico", "Capacity, required and throughput"], Kind::Lines, 24, 10, queries)
}

fn up_states(by: &[By]) -> Panel {
    let query = Query::Series(metric("link", "up_flag", by), vec!["link"], None);
    panel(["Attiva", "Up"], Kind::States, 24, 5, vec![query]).thresholds(IS_UP)
}

pub fn all(store: Store) -> [Dashboard; 3] {
    [network(store), link(), operator()]
}

fn network(store: Store) -> Dashboard {
    let site = |field| metric("site", field, &[DOWN]);
    let promise = ["below_flag", "target_mbps", "together_mbps", "alone_mbps"];
    let place = ["latitude_degrees", "longitude_degrees"].map(|field| metric("site", field, &[]));
    let is_below = ["Sotto l’obiettivo", "Below target"];
    let together = ["Tutti insieme", "Together"];
    let mut panels = vec![
        stat(["Sedi sotto l’obiettivo", "Sites below target"], Query::Total(site("below_flag"))),
        stat(["Sedi che lo raggiungono", "Sites that reach it"], Query::CountOf(site("below_flag"), 0))
            .thresholds(NONE),
        stat(["Guasti aperti", "Open incidents"], Query::Total(metric("incident", "open_flag", &[]))),
        stat(["Tratte ferme", "Links down"], Query::CountOf(metric("link", "up_flag", &[ONE_DIRECTION]), 0)),
        panel(
            ["Sedi: obiettivo e capacità", "Sites: target and capacity"],
            Kind::Table,
            12,
            12,
            vec![Query::Table(promise.map(site).to_vec(), vec!["site"])],
        )
        .columns(&[SITE, is_below, ["Obiettivo", "Target"], together, ["Da sola", "Alone"]]),
        panel(
            ["Mappa: chi è sotto l’obiettivo", "Map: who is below target"],
            Kind::Map,
            12,
            12,
            vec![Query::Table([&[site("below_flag"), site("together_mbps")], &place[..]].concat(), vec!["site"])],
        )
        .columns(&[SITE, is_below, together, ["Latitudine", "Latitude"], ["Longitudine", "Longitude"]]),
        worst_links(&[]),
        panel(
            ["Capacità delle sedi, tutti insieme", "Capacity of sites, all together"],
            Kind::Lines,
            12,
            9,
            vec![Query::Series(site("together_mbps"), vec!["site"], None)],
        ),
    ];
    panels.extend(delivery(store));
    Dashboard {
        id: "rete",
        title: ["Rete", "Network"],
        about: ["Chi è sotto l’obiettivo, e per quale tratta", "Who is below target, and for which link"],
        variable: None,
        panels,
    }
}

/// What only the hub knows of deliveries is in its own metrics; InfluxDB has what agents say of themselves.
fn delivery(store: Store) -> Vec<Panel> {
    let lines = |title, query| panel(title, Kind::Lines, 8, 8, vec![query]);
    let by_agent = || vec!["agent"];
    let agent = |field| metric("agent", field, &[]);
    let held = ["Lotti ancora presso gli agenti", "Batches that agents still hold"];
    match store {
        Store::Prometheus => vec![
            lines(
                ["Età del campione più recente", "Age of the newest sample"],
                Query::Series(own("agent_lag_secs"), by_agent(), None),
            ),
            lines(held, Query::Series(own("agent_backlog_count"), by_agent(), None)),
            lines(
                ["Lotti perduti, accertati", "Batches proved lost"],
                Query::Series(own("agent_batches_lost_total"), by_agent(), None),
            ),
        ],
        Store::Influx => vec![
            lines(["Campioni al secondo", "Samples a second"], Query::Rate(agent("samples_total"), by_agent())),
            lines(held, Query::Series(agent("spool_batches_count"), by_agent(), None)),
            lines(["Campioni scartati", "Samples dropped"], Query::Series(agent("dropped_total"), by_agent(), None)),
        ],
    }
}

fn link() -> Dashboard {
    let by = Chosen("link");
    Dashboard {
        id: "tratta",
        title: ["Tratta", "Link"],
        about: ["Una tratta, i suoi due estremi", "One link, both its ends"],
        variable: Some(("link", LINK)),
        panels: vec![
            capacity_lines(&[by]),
            up_states(&[by]),
            ends(["Livello ricevuto (RSL)", "Received level (RSL)"], &[("radio", "rsl_dbm")], by),
            ends(["Rapporto segnale/rumore (SNR)", "Signal to noise ratio (SNR)"], &[("radio", "snr_db")], by),
            ends(
                ["Capacità secondo le radio", "Capacity as the radios say"],
                &[("radio", "capacity_tx_mbps"), ("radio", "capacity_rx_mbps")],
                by,
            ),
            ends(["Rumore di fondo", "Noise floor"], &[("radio", "noise_floor_dbm")], by),
            ends(["Potenza trasmessa", "Transmit power"], &[("radio", "tx_power_dbm")], by),
            ends(["Perdita di pacchetti", "Packet loss"], &[("ping", "loss_percent")], by),
            ends(["Tempo di andata e ritorno", "Round-trip time"], &[("ping", "rtt_ms_median")], by),
            ends(["Velocità della porta", "Rate of the port"], &[("port", "rate_mbps")], by),
            ends(["Tensione di alimentazione", "Supply voltage"], &[("power", "supply_volts")], by),
            ends(["Temperatura", "Temperature"], &[("power", "temperature_celsius")], by),
            ends(["L’apparato risponde", "The device answers"], &[("device", "snmp_up_flag")], by),
        ],
    }
}

fn operator() -> Dashboard {
    let by = Chosen("wisp");
    let edge = |field| metric("link", field, &[by]);
    Dashboard {
        id: "operatore",
        title: OPERATOR,
        about: ["Le tratte di un solo operatore", "The links of one operator alone"],
        variable: Some(("wisp", OPERATOR)),
        panels: vec![
            stat(["Guasti aperti", "Open incidents"], Query::Total(metric("incident", "open_flag", &[by]))),
            stat(["Tratte ferme", "Links down"], Query::CountOf(metric("link", "up_flag", &[by, ONE_DIRECTION]), 0)),
            worst_links(&[by]),
            panel(
                ["Tratte: richiesta e capacità", "Links: required and capacity"],
                Kind::Table,
                12,
                9,
                vec![Query::Table(vec![edge("required_mbps"), edge("capacity_mbps")], EDGE[..2].to_vec())],
            )
            .columns(&[LINK, DIRECTION, REQUIRED, CAPACITY]),
            panel(CAPACITY, Kind::Lines, 12, 9, vec![Query::Series(edge("capacity_mbps"), EDGE[..2].to_vec(), None)]),
            up_states(&[by]),
            ends(["Livello ricevuto (RSL)", "Received level (RSL)"], &[("radio", "rsl_dbm")], by),
            ends(["Perdita di pacchetti", "Packet loss"], &[("ping", "loss_percent")], by),
        ],
    }
}
