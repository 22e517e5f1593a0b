//! A dashboard as Grafana's JSON (schema version 39, Grafana 10 and later).

use serde_json::{Value, json};
use vedetta::catalogue::Unit;

use super::panels::{ANY_IS_BAD, Dashboard, Kind, Panel, Text};
use super::query::{Metric, Query, Store};

/// 0 Italian, 1 English.
pub const LANGUAGES: [&str; 2] = ["it", "en"];

fn uid(id: &str, store: Store, language: usize) -> String {
    format!("vedetta-{id}-{}-{}", store.as_str(), LANGUAGES[language])
}

/// Grafana's name of a unit.
fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Dbm => "dBm",
        Unit::Db => "dB",
        Unit::Mbps => "Mbits",
        Unit::Mhz => "suffix: MHz",
        Unit::Ms => "ms",
        Unit::Secs => "s",
        Unit::Percent => "percent",
        Unit::Celsius => "celsius",
        Unit::Volts => "volt",
        Unit::Amps => "amp",
        Unit::Watts => "watt",
        Unit::Meters => "lengthm",
        Unit::Degrees => "degree",
        Unit::Bytes => "bytes",
        Unit::Count | Unit::Flag | Unit::Index | Unit::Text => "short",
    }
}

impl Query {
    fn metric(&self) -> &Metric {
        match self {
            Self::Series(metric, ..)
            | Self::Rate(metric, _)
            | Self::Total(metric)
            | Self::CountOf(metric, _)
            | Self::Share(metric, ..) => metric,
            Self::Table(metrics, _) => &metrics[0],
        }
    }

    fn unit(&self) -> &'static str {
        match self {
            Self::Share(..) => "percent",
            Self::Total(_) | Self::CountOf(..) => "short",
            Self::Rate(..) => "cps",
            _ => unit(self.metric().unit()),
        }
    }

    fn key(&self) -> &[&'static str] {
        match self {
            Self::Series(_, key, _) | Self::Rate(_, key) | Self::Table(_, key) | Self::Share(_, _, key) => key,
            Self::Total(_) | Self::CountOf(..) => &[],
        }
    }

    fn is_table(&self) -> bool {
        matches!(self, Self::Table(..) | Self::Share(..))
    }

    /// How a line is called, of the tags that tell it apart.
    fn legend(&self, store: Store) -> String {
        let word = |tag: &&str| match store {
            Store::Prometheus => format!("{{{{{tag}}}}}"),
            Store::Influx => format!("${{__field.labels.{tag}}}"),
        };
        let mut words: Vec<String> = self.key().iter().map(word).collect();
        if let Self::Series(_, _, Some(what)) = self {
            words.push(if store == Store::Prometheus { (*what).to_owned() } else { word(&"what") });
        }
        words.join(" ")
    }
}

fn source(store: Store) -> Value {
    json!({ "type": store.as_str(), "uid": "${datasource}" })
}

fn targets(panel: &Panel, store: Store) -> Vec<Value> {
    let texts = panel.queries.iter().flat_map(|q| q.texts(store).into_iter().map(move |text| (q, text)));
    let target = |(n, (query, text)): (usize, (&Query, String))| {
        let letter = char::from(b'A' + n as u8).to_string();
        match store {
            Store::Prometheus => {
                let now = query.is_table() || matches!(panel.kind, Kind::Stat);
                json!({
                    "refId": letter, "datasource": source(store), "expr": text, "legendFormat": query.legend(store),
                    "instant": now, "range": !now, "format": if query.is_table() { "table" } else { "time_series" },
                })
            }
            Store::Influx => json!({ "refId": letter, "datasource": source(store), "query": text }),
        }
    };
    texts.enumerate().map(target).collect()
}

/// The name that a column of a table has before it is named for people.
fn columns(query: &Query, store: Store) -> Vec<String> {
    let tags = query.key().iter().map(|tag| (*tag).to_owned());
    let fields: Vec<String> = match (query, store) {
        (Query::Table(metrics, _), Store::Influx) => metrics.iter().map(|m| m.field.to_owned()).collect(),
        (Query::Table(metrics, _), Store::Prometheus) if metrics.len() > 1 => {
            (0..metrics.len()).map(|n| format!("Value #{}", char::from(b'A' + n as u8))).collect()
        }
        _ => vec!["Value".to_owned()],
    };
    tags.chain(fields).collect()
}

/// Columns in order and named; and what each field is measured in.
fn transformations(panel: &Panel, store: Store, language: usize) -> Value {
    let [query] = &panel.queries[..] else { return json!([]) };
    if !query.is_table() {
        return json!([]);
    }
    let raw = columns(query, store);
    assert_eq!(raw.len(), panel.columns.len(), "{}", panel.title[1]);
    let names: serde_json::Map<String, Value> =
        raw.iter().zip(&panel.columns).map(|(raw, name)| (raw.clone(), json!(name[language]))).collect();
    let order: serde_json::Map<String, Value> =
        raw.iter().enumerate().map(|(n, raw)| (raw.clone(), json!(n))).collect();
    let organize = json!({
        "id": "organize",
        "options": { "excludeByName": { "Time": true }, "indexByName": order, "renameByName": names },
    });
    json!([{ "id": "merge", "options": {} }, organize])
}

fn links(query: &Query, store: Store, language: usize) -> Value {
    if !query.key().contains(&"link") || !query.is_table() {
        return json!([]);
    }
    let url =
        format!("/d/{}?var-link=${{__data.fields[0]}}&${{datasource:queryparam}}", uid("tratta", store, language));
    json!([{ "title": (["Apri la tratta", "Open the link"][language]), "url": url }])
}

fn steps(thresholds: &[(Option<f64>, &str)]) -> Value {
    thresholds.iter().map(|(from, color)| json!({ "value": from, "color": color })).collect()
}

/// How a column of a table looks: yes or no in colour, everything else as it is measured.
fn column(of: Unit, language: usize) -> Value {
    if of != Unit::Flag {
        return json!([{ "id": "unit", "value": unit(of) }]);
    }
    let [no, yes] = [["no", "sì"], ["no", "yes"]][language];
    json!([
        { "id": "custom.cellOptions", "value": { "type": "color-text" } },
        { "id": "color", "value": { "mode": "thresholds" } },
        { "id": "thresholds", "value": { "mode": "absolute", "steps": steps(ANY_IS_BAD) } },
        { "id": "mappings", "value": [{ "type": "value", "options": {
            "0": { "text": no, "index": 0 }, "1": { "text": yes, "index": 1 },
        } }] },
    ])
}

fn field_config(panel: &Panel, store: Store, language: usize) -> Value {
    let query = &panel.queries[0];
    let colored = matches!(panel.kind, Kind::Stat | Kind::Map | Kind::States | Kind::Table);
    let mut defaults = json!({
        "unit": query.unit(),
        "thresholds": { "mode": "absolute", "steps": steps(panel.thresholds) },
        "color": { "mode": if colored { "thresholds" } else { "palette-classic" } },
        "links": links(query, store, language),
        "custom": {},
    });
    if matches!(panel.kind, Kind::Lines) {
        // What is missing is a gap, never a line across it.
        defaults["custom"] = json!({ "spanNulls": false, "lineWidth": 2, "fillOpacity": 0, "showPoints": "auto" });
    }
    if matches!(query, Query::Share(..)) {
        defaults["custom"] = json!({ "cellOptions": { "type": "color-text" } });
    }
    if store == Store::Influx && matches!(panel.kind, Kind::Lines | Kind::States) {
        defaults["displayName"] = json!(query.legend(store));
    }
    if matches!(panel.kind, Kind::States) {
        let [down, up] = [["ferma", "attiva"], ["down", "up"]][language];
        defaults["mappings"] = json!([{ "type": "value", "options": {
            "0": { "text": down, "color": "orange", "index": 0 }, "1": { "text": up, "color": "blue", "index": 1 },
        } }]);
    }
    let mut overrides = Vec::new();
    if let (Query::Table(metrics, key), true) = (query, query.is_table()) {
        for (metric, name) in metrics.iter().zip(&panel.columns[key.len()..]) {
            overrides.push(json!({
                "matcher": { "id": "byName", "options": name[language] },
                "properties": column(metric.unit(), language),
            }));
        }
    }
    json!({ "defaults": defaults, "overrides": overrides })
}

fn options(panel: &Panel, language: usize) -> Value {
    let word = |n: usize| panel.columns.get(n).map_or("", |text: &Text| text[language]);
    match panel.kind {
        Kind::Stat => json!({
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
            "colorMode": "value", "graphMode": "none", "textMode": "value",
        }),
        Kind::Lines => json!({
            "legend": { "displayMode": "table", "placement": "right", "calcs": ["min", "lastNotNull"], "showLegend": true },
            "tooltip": { "mode": "multi", "sort": "asc" },
        }),
        Kind::Table => {
            // Whoever is below, or the lowest share, comes first.
            let is_share = matches!(panel.queries[0], Query::Share(..));
            let by = if is_share { panel.columns.len() - 1 } else { panel.queries[0].key().len() };
            json!({ "showHeader": true, "sortBy": [{ "displayName": word(by), "desc": !is_share }] })
        }
        Kind::Map => json!({
            "view": { "id": "fit", "allLayers": true, "padding": 10, "lat": 0, "lon": 0, "zoom": 8 },
            "basemap": { "type": "default", "name": "Basemap" },
            "controls": { "showZoom": true, "mouseWheelZoom": false, "showAttribution": true },
            "tooltip": { "mode": "details" },
            "layers": [{
                "type": "markers", "name": word(0), "tooltip": true,
                "location": { "mode": "coords", "latitude": word(3), "longitude": word(4) },
                "config": { "showLegend": true, "style": {
                    "size": { "fixed": 8, "min": 4, "max": 12 },
                    "color": { "field": word(1), "fixed": "blue" },
                    "text": { "mode": "field", "field": word(0), "fixed": "" },
                    "symbol": { "mode": "fixed", "fixed": "img/icons/marker/circle.svg" },
                    "opacity": 0.8,
                } },
            }],
        }),
        Kind::States => json!({ "showValue": "auto", "mergeValues": true, "rowHeight": 0.9, "legend": {
            "displayMode": "list", "placement": "bottom", "showLegend": false,
        } }),
    }
}

fn panels(dashboard: &Dashboard, store: Store, language: usize) -> Vec<Value> {
    let (mut x, mut y, mut row_height) = (0, 0, 0);
    let mut all = Vec::new();
    for (n, panel) in dashboard.panels.iter().enumerate() {
        if x + panel.width > 24 {
            (x, y, row_height) = (0, y + row_height, 0);
        }
        let kind = match panel.kind {
            Kind::Stat => "stat",
            Kind::Lines => "timeseries",
            Kind::Table => "table",
            Kind::Map => "geomap",
            Kind::States => "state-timeline",
        };
        all.push(json!({
            "id": n + 1,
            "type": kind,
            "title": panel.title[language],
            "datasource": source(store),
            "gridPos": { "x": x, "y": y, "w": panel.width, "h": panel.height },
            "targets": targets(panel, store),
            "fieldConfig": field_config(panel, store, language),
            "options": options(panel, language),
            "transformations": transformations(panel, store, language),
        }));
        x += panel.width;
        row_height = row_height.max(panel.height);
    }
    all
}

/// What the variables and the annotations of a dashboard ask.
pub fn variable_query(tag: &str, store: Store) -> String {
    match store {
        Store::Prometheus => format!("label_values(vedetta_link_required_mbps, {tag})"),
        Store::Influx => {
            let of = |tag: &str| {
                format!(
                    "schema.measurementTagValues(bucket: v.defaultBucket, measurement: \"link\", tag: \"{tag}\") |> \
                     keep(columns: [\"_value\"])"
                )
            };
            let values = match tag {
                "link" => format!("union(tables: [{},\n{}])", of("link"), of("backhaul")),
                tag => of(tag),
            };
            format!("import \"influxdata/influxdb/schema\"\n{values}\n  |> group()\n  |> sort(columns: [\"_value\"])\n")
        }
    }
}

/// When incidents were open.
pub fn incidents_query(store: Store) -> String {
    match store {
        Store::Prometheus => "max by (incident, condition, subject, wisp) (vedetta_incident_open_flag) == 1".to_owned(),
        Store::Influx => "from(bucket: v.defaultBucket)\n  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n  |> \
                          filter(fn: (r) => r._measurement == \"incident\" and r._field == \"open_flag\" and r._value == \
                          1.0)\n  |> group(columns: [\"incident\", \"link\", \"backhaul\", \"site\", \"device\", \
                          \"wisp\"])\n  |> reduce(identity: {time: 2200-01-01T00:00:00Z, timeEnd: 1970-01-01T00:00:00Z}, \
                          fn: (r, accumulator) => ({time: if r._time < accumulator.time then r._time else \
                          accumulator.time, timeEnd: if r._time > accumulator.timeEnd then r._time else \
                          accumulator.timeEnd}))\n  |> group()\n"
            .to_owned(),
    }
}

fn annotations(store: Store, language: usize) -> Value {
    let name = ["Guasti", "Incidents"][language];
    let mut annotation = json!({
        "name": name, "enable": true, "hide": false, "iconColor": "orange", "datasource": source(store),
    });
    match store {
        Store::Prometheus => {
            annotation["expr"] = json!(incidents_query(store));
            annotation["step"] = json!("60s");
            annotation["titleFormat"] = json!("{{incident}} {{condition}}");
            annotation["textFormat"] = json!("{{subject}}");
            annotation["tagKeys"] = json!("wisp");
        }
        Store::Influx => {
            annotation["target"] =
                json!({ "refId": "Anno", "datasource": source(store), "query": incidents_query(store) });
            annotation["mappings"] = json!({
                "time": { "source": "field", "value": "time" },
                "timeEnd": { "source": "field", "value": "timeEnd" },
                "title": { "source": "field", "value": "incident" },
                "text": { "source": "field", "value": "incident" },
            });
        }
    }
    json!({ "list": [annotation] })
}

fn variables(dashboard: &Dashboard, store: Store, language: usize) -> Vec<Value> {
    let label = ["Archivio", "Store"][language];
    let mut all =
        vec![json!({ "name": "datasource", "type": "datasource", "query": store.as_str(), "label": label, "hide": 0 })];
    if let Some((tag, label)) = &dashboard.variable {
        let text = variable_query(tag, store);
        let query = match store {
            Store::Prometheus => json!({ "query": text, "refId": "variable" }),
            Store::Influx => json!({ "query": text }),
        };
        all.push(json!({
            "name": tag, "type": "query", "label": label[language], "datasource": source(store), "query": query,
            "definition": text, "refresh": 2, "sort": 1, "multi": false, "includeAll": false, "hide": 0,
        }));
    }
    let label = ["Pagina di stato", "Status page"][language];
    let here = "http://127.0.0.1:8080";
    all.push(json!({
        "name": "page", "type": "textbox", "label": label, "query": here, "hide": 0,
        "current": { "text": here, "value": here },
    }));
    all
}

pub fn json(dashboard: &Dashboard, store: Store, language: usize) -> Value {
    json!({
        "title": format!("vedetta: {}", dashboard.title[language]),
        "description": dashboard.about[language],
        "uid": uid(dashboard.id, store, language),
        "tags": ["vedetta", store.as_str(), LANGUAGES[language]],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "refresh": "1m",
        "time": { "from": "now-24h", "to": "now" },
        "templating": { "list": variables(dashboard, store, language) },
        "annotations": annotations(store, language),
        "links": [
            { "type": "link", "title": (["Pagina di stato", "Status page"][language]), "icon": "external link", "url": "${page}/", "targetBlank": true },
            { "type": "dashboards", "title": "vedetta", "tags": ["vedetta", store.as_str(), LANGUAGES[language]],
              "asDropdown": true, "includeVars": false, "keepTime": true },
        ],
        "panels": panels(dashboard, store, language),
    })
}
