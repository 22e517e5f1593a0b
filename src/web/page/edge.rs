//! The page of one link, bundle or backhaul: how it stands, both ends, charts, incidents. `[P]`

use askama::Template;

use super::super::series::{EdgeHistory, Line, Which};
use super::super::snapshot::Snapshot;
use super::super::{figures, names, words};
use super::plot::{self, Plot};
use super::sheet::Frame;
use super::{Context, incident, link};
use crate::alert::{Incident, Subject};
use crate::model::network::Language;
use crate::model::view::{EndView, LinkView};
use crate::model::{EdgeId, Reading};
use crate::store::rollup::Figures;
use crate::store::rollup::window::Span;

/// Incidents that are listed: those of the last seven days, and there may be many where one flaps.
const INCIDENTS_MAX: usize = 20;

/// What both ends say, side by side.
struct Ends {
    head: Vec<String>,
    rows: Vec<(&'static str, Vec<String>)>,
}

struct Window {
    word: &'static str,
    name: &'static str,
    chosen: bool,
}

/// This month in one direction.
struct Month {
    direction: String,
    below: String,
    known: String,
}

#[derive(Template)]
#[template(path = "edge.html")]
struct EdgePage<'a> {
    f: Frame<'a>,
    row: link::Row,
    kind: &'static str,
    api: String,
    updated: String,
    ends: Option<Ends>,
    members: Vec<(String, String)>,
    month: Vec<Month>,
    windows: Vec<Window>,
    chosen: &'static str,
    plots: Vec<Plot>,
    incidents: Vec<incident::Line>,
}

/// What is said of an address that is none.
pub fn unknown(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Italian => ("Questa tratta non esiste", "L’inventario non ha una tratta con questo nome."),
        Language::English => ("There is no such link", "The inventory has no link of this name."),
    }
}

/// Renders the page.
pub fn page(
    snapshot: &Snapshot,
    id: &EdgeId,
    history: &EdgeHistory,
    language: Language,
) -> Result<String, askama::Error> {
    let c = Context::new(snapshot, language);
    let Some(edge) = snapshot.view.edge(id) else {
        let (title, text) = unknown(language);
        return super::sheet::message(snapshot, language, title, text);
    };
    let row = link::row(&c, edge, false);
    let kind = match id {
        EdgeId::Link(_) => c.pick("Tratta", "Link"),
        EdgeId::Bundle(_) => c.pick("Fascio di tratte", "Bundle"),
        EdgeId::Backhaul(_) => c.pick("Linea verso Internet", "Backhaul"),
    };
    let plots = history.charts.iter().map(|(field, lines)| {
        let series: Vec<plot::Series<'_>> =
            lines.iter().map(|l| plot::Series { name: name(&c, edge, &row, l), points: &l.points }).collect();
        plot::plot(&c, *field, history.span, &series)
    });
    let page = EdgePage {
        f: Frame::new(snapshot, language),
        kind,
        api: format!("../api/v1/{}/series?field=capacity_mbps&window={}", row.href, history.span.as_str()),
        updated: c.clock.moment_with_seconds(snapshot.generated_at, language),
        ends: ends(&c, edge),
        members: edge.members.iter().map(|m| (m.to_string(), member(&c, m))).collect(),
        month: history.month.iter().map(|(which, all)| month(&c, &row, *which, all)).collect(),
        windows: windows(&c, history.span),
        chosen: windows(&c, history.span).into_iter().find(|w| w.chosen).map_or("", |w| w.name),
        plots: plots.collect(),
        incidents: snapshot
            .incidents
            .iter()
            .filter(|i| is_about(i, id))
            .take(INCIDENTS_MAX)
            .map(|i| incident::line(&c, i))
            .collect(),
        row,
    };
    page.render()
}

fn is_about(incident: &Incident, id: &EdgeId) -> bool {
    incident.number > 0 && matches!(&incident.subject, Subject::Edge(edge) if edge == id)
}

fn member(c: &Context<'_>, id: &crate::model::LinkId) -> String {
    names::edge(&c.snapshot.network, &c.snapshot.view, &EdgeId::Link(id.clone()))
}

fn windows(c: &Context<'_>, chosen: Span) -> Vec<Window> {
    let name = |span: Span| match span {
        Span::Day => c.pick("24 ore", "24 hours"),
        Span::Week => c.pick("7 giorni", "7 days"),
        Span::Month => c.pick("30 giorni", "30 days"),
        Span::Year => c.pick("1 anno", "1 year"),
    };
    Span::ALL.into_iter().map(|s| Window { word: s.as_str(), name: name(s), chosen: s == chosen }).collect()
}

/// What a curve is called: where it leads, or at which site it was measured.
fn name(c: &Context<'_>, edge: &LinkView, row: &link::Row, line: &Line) -> String {
    match line.which {
        Which::Downstream => format!("→ {}", row.downstream.to),
        Which::Upstream => format!("→ {}", row.upstream.to),
        Which::Near => names::site(&c.snapshot.network, &edge.near_site).to_owned(),
        Which::Far => {
            edge.far_site.as_ref().map_or_else(String::new, |s| names::site(&c.snapshot.network, s).to_owned())
        }
        Which::Whole => c.pick("verso Internet", "to the Internet").to_owned(),
    }
}

fn month(c: &Context<'_>, row: &link::Row, which: Which, all: &Figures) -> Month {
    let minutes = |secs: u32| figures::count(u64::from(secs / 60), c.language);
    let to = if which == Which::Upstream { &row.upstream.to } else { &row.downstream.to };
    Month { direction: format!("→ {to}"), below: minutes(all.below_secs), known: minutes(all.known_secs) }
}

/// A row of the table of ends: what it is, and each end's word; left out where no end has one.
type EndRow = (&'static str, fn(&Context<'_>, &EndView) -> Option<String>);

fn reading(c: &Context<'_>, reading: Reading, decimals: usize, unit: &str) -> String {
    match reading {
        Reading::Value { value, .. } => format!("{} {unit}", figures::decimal(value, decimals, c.language)),
        Reading::Missing(why) => format!("— ({})", words::missing(why, c.language)),
    }
}

fn usual(c: &Context<'_>, now: Reading, usual: Option<f64>, unit: &str) -> String {
    let text = reading(c, now, 0, unit);
    match usual.filter(|v| v.is_finite()) {
        None => text,
        Some(usual) => {
            format!("{text} · {} {}", c.pick("di solito", "usually"), figures::decimal(usual, 0, c.language))
        }
    }
}

fn ends(c: &Context<'_>, edge: &LinkView) -> Option<Ends> {
    let ends: Vec<&EndView> = [&edge.near, &edge.far].into_iter().flatten().collect();
    if ends.is_empty() {
        return None;
    }
    let all: [EndRow; 18] = [
        (c.pick("Apparato", "Device"), |_, e| Some(e.device.to_string())),
        (c.pick("Modello", "Model"), |_, e| e.model.clone()),
        ("Firmware", |_, e| e.firmware.clone()),
        (c.pick("Risponde", "Answers"), |c, e| {
            let word = match e.answers {
                Some(true) => c.pick("sì", "yes"),
                Some(false) => c.pick("no", "no"),
                None => c.pick("non si sa", "not known"),
            };
            Some(e.seen_at.map_or_else(|| word.to_owned(), |at| format!("{word} · {}", c.clock.age(at, c.language))))
        }),
        (c.pick("Livello ricevuto (RSL)", "Received level (RSL)"), |c, e| {
            Some(usual(c, e.rsl_dbm, e.rsl_dbm_usual, "dBm"))
        }),
        ("SNR", |c, e| Some(usual(c, e.snr_db, e.snr_db_usual, "dB"))),
        (c.pick("Rumore di fondo", "Noise floor"), |c, e| Some(reading(c, e.noise_floor_dbm, 0, "dBm"))),
        (c.pick("Modulazione", "Modulation"), |_, e| e.modulation.clone()),
        (c.pick("Capacità in trasmissione", "Capacity, sending"), |c, e| {
            Some(reading(c, e.capacity_tx_mbps, 0, "Mbps"))
        }),
        (c.pick("Capacità in ricezione", "Capacity, receiving"), |c, e| {
            Some(reading(c, e.capacity_rx_mbps, 0, "Mbps"))
        }),
        (c.pick("Frequenza", "Frequency"), |c, e| Some(reading(c, e.channel_mhz, 0, "MHz"))),
        (c.pick("Potenza trasmessa", "Transmit power"), |c, e| Some(reading(c, e.tx_power_dbm, 0, "dBm"))),
        (c.pick("Tempo d’aria", "Airtime"), |c, e| Some(reading(c, e.airtime_percent, 0, "%"))),
        (c.pick("Porta Ethernet", "Ethernet port"), |c, e| Some(reading(c, e.port_rate_mbps, 0, "Mbps"))),
        (c.pick("Pacchetti persi", "Packet loss"), |c, e| Some(reading(c, e.loss_percent, 1, "%"))),
        (c.pick("Andata e ritorno", "Round trip"), |c, e| Some(reading(c, e.rtt_ms_median, 1, "ms"))),
        (c.pick("Alimentazione", "Supply"), |c, e| Some(reading(c, e.supply_volts, 1, "V"))),
        (c.pick("Temperatura", "Temperature"), |c, e| Some(reading(c, e.temperature_celsius, 0, "°C"))),
    ];
    let rows = all.into_iter().filter_map(|(label, of)| {
        let cells: Vec<Option<String>> = ends.iter().map(|e| of(c, e)).collect();
        // What neither end measures is no row.
        let says = cells.iter().flatten().any(|text| !text.starts_with('—'));
        says.then(|| (label, cells.into_iter().map(|cell| cell.unwrap_or_else(|| "—".to_owned())).collect()))
    });
    let head = ends.iter().map(|e| names::site(&c.snapshot.network, &e.site).to_owned()).collect();
    Some(Ends { head, rows: rows.collect() })
}
