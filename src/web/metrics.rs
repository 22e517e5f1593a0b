//! `/metrics`: the last readings of every link and site, and the hub's own health, as Prometheus text. `[P]`
//!
//! Names are `vedetta_<measurement>_<field>` of the catalogue wherever it has the quantity; what only the hub knows
//! is in [`OWN`]. A missing reading is absent and never 0; beside it stands `<name>_missing{reason="…"} 1`.

use std::collections::BTreeMap;

use prometheus::core::Collector;
use prometheus::{CounterVec, Gauge, GaugeVec, Opts, Registry, TextEncoder};

use super::api::{self, all_agents};
use super::snapshot::Snapshot;
use crate::catalogue::{self, Kind, Measurement};
use crate::model::view::{Bounds, DirectionView, EndView, LinkState, LinkView, SiteDirection, TargetState};
use crate::model::{Reading, UnixMillis};

/// What every name begins with.
pub const PREFIX: &str = "vedetta";

const LINK_LABELS: [&str; 4] = ["link", "kind", "direction", "wisp"];
const END_LABELS: [&str; 5] = ["link", "kind", "device", "site", "wisp"];
const SITE_LABELS: [&str; 3] = ["site", "kind", "direction"];

/// A metric that the catalogue does not have: name without the prefix, kind, help, labels.
pub struct Own {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    pub labels: &'static [&'static str],
}

const fn own(name: &'static str, kind: Kind, help: &'static str, labels: &'static [&'static str]) -> Own {
    Own { name, kind, help, labels }
}

use Kind::{Counter, Gauge as Level};

/// Every metric of the hub that the catalogue does not have.
pub static OWN: [Own; 32] = [
    own("site_together_mbps_low", Level, "Least that the unknown links allow, all sites drawing", &SITE_LABELS),
    own("site_alone_mbps_low", Level, "Least that the unknown links allow, the others silent", &SITE_LABELS),
    own("site_possible_mbps_low", Level, "Least that the unknown links allow, over the widest path", &SITE_LABELS),
    own("link_age_secs", Level, "Age of the reading that decides the capacity", &LINK_LABELS),
    own(
        "link_on_standby_flag",
        Level,
        "1 while a bundle works on a member that should stand by",
        &["link", "kind", "wisp"],
    ),
    own("agent_online_flag", Level, "1 when the agent's retained state says that it is online", &["agent"]),
    own("agent_data_age_secs", Level, "Time since the last batch", &["agent"]),
    own("agent_backlog_count", Level, "Batches that the agent holds and the hub has not stored", &["agent"]),
    own("agent_lag_secs", Level, "Age of the newest sample", &["agent"]),
    own("agent_missing_count", Level, "Batches that later ones have overtaken and the agent still holds", &["agent"]),
    own("agent_drain_secs", Level, "Time until none is missing, at the pace of the last half minute", &["agent"]),
    own("agent_held_count", Level, "Batches stored that were made before the agent's clock was set", &["agent"]),
    own("agent_clock_error_ms", Level, "Agent clock minus hub clock", &["agent"]),
    own("agent_inventory_current_flag", Level, "1 while what the hub published last is in force", &["agent"]),
    own("agent_key_refused_flag", Level, "1 while the agent shows a key that staff have not accepted", &["agent"]),
    own("agent_certificate_left_secs", Level, "Until its certificate for the broker ends", &["agent"]),
    own("agent_batches_received_total", Counter, "Batches stored", &["agent"]),
    own("agent_batches_duplicate_total", Counter, "Batches received again", &["agent"]),
    own("agent_batches_lost_total", Counter, "Batches proved lost", &["agent"]),
    own("agent_batches_rejected_total", Counter, "Batches set aside because they did not parse", &["agent"]),
    own("agent_messages_throttled_total", Counter, "Messages above what the hub takes from one agent", &["agent"]),
    own("agent_samples_stored_total", Counter, "Samples stored", &["agent"]),
    own("incidents_count", Level, "Incidents that are not closed", &["condition", "state", "role"]),
    own(
        "sites_count",
        Level,
        "Municipalities (or sites, where there are none) by how their promise stands",
        &["standing"],
    ),
    own("hub_part_ok_flag", Level, "1 while a part of the hub that talks to the world works", &["part"]),
    own("hub_part_waiting_count", Level, "Batches or mails waiting", &["part"]),
    own("hub_part_done_total", Counter, "Batches or mails delivered", &["part"]),
    own("hub_part_failed_total", Counter, "Attempts that failed", &["part"]),
    own("hub_blind_flag", Level, "1 while the hub hears nobody", &[]),
    own("hub_uptime_secs", Level, "Time since the hub started", &[]),
    own("hub_resident_bytes", Level, "Memory resident", &[]),
    own(
        "build_info",
        Level,
        "1; the version is in the label, and whether the network is simulated",
        &["version", "simulated"],
    ),
];

/// Renders the snapshot. `resident_bytes`: the hub's own memory, where the system says it.
pub fn render(snapshot: &Snapshot, resident_bytes: Option<u64>) -> Result<String, prometheus::Error> {
    let mut page = Page::default();
    page.links(snapshot)?;
    page.sites(snapshot)?;
    page.services(snapshot)?;
    page.agents(snapshot)?;
    page.incidents(snapshot)?;
    page.hub(snapshot, resident_bytes)?;
    page.encode()
}

/// The families filled so far, by name without the prefix.
#[derive(Default)]
struct Page {
    gauges: BTreeMap<String, GaugeVec>,
    counters: BTreeMap<String, CounterVec>,
}

impl Page {
    fn gauge(&mut self, name: &str, help: &str, labels: &[&str], values: &[&str]) -> Result<Gauge, prometheus::Error> {
        if !self.gauges.contains_key(name) {
            let family = GaugeVec::new(Opts::new(format!("{PREFIX}_{name}"), help), labels)?;
            self.gauges.insert(name.to_owned(), family);
        }
        let family = self.gauges.get(name).ok_or_else(|| prometheus::Error::Msg(format!("no family {name}")))?;
        family.get_metric_with_label_values(values)
    }

    /// Sets a metric of [`OWN`]; nothing where there is no value.
    fn own(&mut self, name: &str, values: &[&str], value: Option<f64>) -> Result<(), prometheus::Error> {
        let Some(value) = value.filter(|v| v.is_finite()) else { return Ok(()) };
        let metric = OWN
            .iter()
            .find(|m| m.name == name)
            .ok_or_else(|| prometheus::Error::Msg(format!("{name} has no entry")))?;
        match metric.kind {
            Kind::Gauge => self.gauge(name, metric.help, metric.labels, values)?.set(value),
            Kind::Counter => {
                if !self.counters.contains_key(name) {
                    let family = CounterVec::new(Opts::new(format!("{PREFIX}_{name}"), metric.help), metric.labels)?;
                    self.counters.insert(name.to_owned(), family);
                }
                if let Some(family) = self.counters.get(name) {
                    family.get_metric_with_label_values(values)?.inc_by(value.max(0.0));
                }
            }
        }
        Ok(())
    }

    /// Sets a metric of the catalogue, or says that it is missing and why.
    fn reading(
        &mut self,
        measurement: &Measurement,
        field: &str,
        (labels, values): (&[&str], &[&str]),
        reading: Reading,
    ) -> Result<(), prometheus::Error> {
        let field = measurement
            .field(field)
            .ok_or_else(|| prometheus::Error::Msg(format!("{}.{field} is not in the catalogue", measurement.name)))?;
        let name = format!("{}_{}", measurement.name, field.name);
        match reading {
            Reading::Value { value, .. } => self.gauge(&name, field.description, labels, values)?.set(value),
            Reading::Missing(why) => {
                let (mut labels, mut values) = (labels.to_vec(), values.to_vec());
                labels.push("reason");
                values.push(why.as_str());
                let help = format!("1: no value now. {}", field.description);
                self.gauge(&format!("{name}{}", catalogue::MISSING_SUFFIX), &help, &labels, &values)?.set(1.0);
            }
        }
        Ok(())
    }

    fn links(&mut self, snapshot: &Snapshot) -> Result<(), prometheus::Error> {
        for link in snapshot.view.edges() {
            let wisp = link.wisp.as_ref().map_or("", |w| w.as_str());
            let (down, up) = api::downstream_upstream(link);
            for (direction, d) in [("downstream", down), ("upstream", up)] {
                let values = [link.id.as_str(), link.id.kind(), direction, wisp];
                self.direction(d, &values, snapshot.generated_at)?;
            }
            let whole = (&["link", "kind", "wisp"][..], &[link.id.as_str(), link.id.kind(), wisp][..]);
            self.reading(&catalogue::LINK, "up_flag", whole, up_flag(link.state))?;
            if !link.members.is_empty() {
                self.own("link_on_standby_flag", whole.1, Some(flag(link.on_standby)))?;
            }
            for end in [&link.near, &link.far].into_iter().flatten() {
                self.end(link, end, wisp)?;
            }
        }
        Ok(())
    }

    fn direction(&mut self, d: &DirectionView, values: &[&str; 4], now: UnixMillis) -> Result<(), prometheus::Error> {
        let subject = (&LINK_LABELS[..], &values[..]);
        self.reading(&catalogue::LINK, "capacity_mbps", subject, d.capacity_mbps)?;
        self.reading(&catalogue::LINK, "throughput_mbps", subject, d.throughput_mbps)?;
        self.reading(&catalogue::LINK, "required_mbps", subject, Reading::value(d.required_mbps))?;
        let age = d.measured_at.filter(|_| d.capacity_mbps.get().is_some()).map(|t| now.since(t).as_secs_f64());
        self.own("link_age_secs", values, age)
    }

    fn end(&mut self, link: &LinkView, end: &EndView, wisp: &str) -> Result<(), prometheus::Error> {
        let values = [link.id.as_str(), link.id.kind(), end.device.as_str(), end.site.as_str(), wisp];
        let subject = (&END_LABELS[..], &values[..]);
        for (measurement, field, reading) in [
            (&catalogue::RADIO, "rsl_dbm", end.rsl_dbm),
            (&catalogue::RADIO, "snr_db", end.snr_db),
            (&catalogue::RADIO, "noise_floor_dbm", end.noise_floor_dbm),
            (&catalogue::RADIO, "tx_power_dbm", end.tx_power_dbm),
            (&catalogue::RADIO, "airtime_percent", end.airtime_percent),
            (&catalogue::RADIO, "capacity_tx_mbps", end.capacity_tx_mbps),
            (&catalogue::RADIO, "capacity_rx_mbps", end.capacity_rx_mbps),
            (&catalogue::PORT, "rate_mbps", end.port_rate_mbps),
            (&catalogue::POWER, "supply_volts", end.supply_volts),
            (&catalogue::POWER, "temperature_celsius", end.temperature_celsius),
            (&catalogue::PING, "loss_percent", end.loss_percent),
            (&catalogue::PING, "rtt_ms_median", end.rtt_ms_median),
        ] {
            self.reading(measurement, field, subject, reading)?;
        }
        if let Some(answers) = end.answers {
            self.reading(&catalogue::DEVICE, "snmp_up_flag", subject, Reading::value(flag(answers)))?;
        }
        Ok(())
    }

    fn sites(&mut self, snapshot: &Snapshot) -> Result<(), prometheus::Error> {
        for site in snapshot.view.sites.values() {
            let known = snapshot.network.sites.get(&site.id);
            let kind = known.map_or("", |s| s.kind.as_str());
            for (field, degrees) in
                known.into_iter().flat_map(|s| [("latitude_degrees", s.lat), ("longitude_degrees", s.lon)])
            {
                let subject = (&["site", "kind"][..], &[site.id.as_str(), kind][..]);
                self.reading(&catalogue::SITE, field, subject, Reading::value(degrees))?;
            }
            self.promise(&site.downstream, &[site.id.as_str(), kind, "downstream"])?;
            if let Some(upstream) = &site.upstream {
                self.promise(upstream, &[site.id.as_str(), kind, "upstream"])?;
            }
        }
        let s = super::summary::summarize(snapshot, &super::summary::Explanations::of(&snapshot.incidents));
        for (standing, n) in [
            ("verified", s.verified),
            ("estimated", s.estimated),
            ("declared", s.declared),
            ("below", s.below),
            ("unknown", s.unknown),
        ] {
            self.own("sites_count", &[standing], Some(f64::from(n)))?;
        }
        Ok(())
    }

    fn promise(&mut self, d: &SiteDirection, values: &[&str; 3]) -> Result<(), prometheus::Error> {
        let subject = (&SITE_LABELS[..], &values[..]);
        let site = &catalogue::SITE;
        self.reading(site, "target_mbps", subject, Reading::value(d.target_mbps))?;
        for (field, low, bounds) in [
            ("together_mbps", "site_together_mbps_low", d.together),
            ("alone_mbps", "site_alone_mbps_low", d.alone),
            ("possible_mbps", "site_possible_mbps_low", d.possible),
        ] {
            if let Some(value) = exact(bounds) {
                self.reading(site, field, subject, Reading::value(value))?;
            }
            self.own(low, values, Some(bounds.low))?;
        }
        match d.state {
            TargetState::Met => self.reading(site, "below_flag", subject, Reading::value(0.0)),
            TargetState::Below => self.reading(site, "below_flag", subject, Reading::value(1.0)),
            TargetState::Unknown => Ok(()),
        }
    }

    fn services(&mut self, snapshot: &Snapshot) -> Result<(), prometheus::Error> {
        for s in &snapshot.view.services {
            let values = [s.id.as_str(), s.from.as_str()];
            let subject = (&["service", "site"][..], &values[..]);
            if let Some(up) = s.up {
                self.reading(&catalogue::SERVICE, "up_flag", subject, Reading::value(flag(up)))?;
            }
            self.reading(&catalogue::SERVICE, "response_ms", subject, s.response_ms)?;
        }
        Ok(())
    }

    fn agents(&mut self, snapshot: &Snapshot) -> Result<(), prometheus::Error> {
        for agent in all_agents(snapshot) {
            let values = [agent.site.as_str()];
            let age = agent.last_batch_at.map(|t| snapshot.generated_at.since(t).as_secs_f64());
            self.own("agent_online_flag", &values, agent.online.map(flag))?;
            self.own("agent_data_age_secs", &values, age)?;
            self.own("agent_backlog_count", &values, agent.backlog_batches.map(|n| n as f64))?;
            if let Some(proof) = snapshot.proofs.get(&agent.site) {
                let lag = proof.newest_sample_at.map(|t| snapshot.generated_at.since(t).as_secs_f64());
                self.own("agent_lag_secs", &values, lag)?;
                self.own("agent_missing_count", &values, Some(proof.missing_batches as f64))?;
                self.own("agent_drain_secs", &values, proof.drained_in.map(|left| left.as_secs_f64()))?;
                self.own("agent_held_count", &values, Some(proof.held_batches as f64))?;
            }
            self.own("agent_clock_error_ms", &values, agent.clock_error_ms.map(|ms| ms as f64))?;
            let current = agent.part.published.map(|revision| flag(agent.part.in_force == Some(revision)));
            self.own("agent_inventory_current_flag", &values, current)?;
            let key_refused = current.map(|_| flag(agent.part.key_refused.is_some()));
            self.own("agent_key_refused_flag", &values, key_refused)?;
            let left = agent.certificate_expires_at.map(|t| t.since(snapshot.generated_at).as_secs_f64());
            self.own("agent_certificate_left_secs", &values, left)?;
            self.own("agent_batches_received_total", &values, Some(agent.received_batches as f64))?;
            self.own("agent_batches_duplicate_total", &values, Some(agent.duplicate_batches as f64))?;
            self.own("agent_batches_lost_total", &values, Some(agent.lost_batches as f64))?;
            self.own("agent_batches_rejected_total", &values, Some(agent.rejected_batches as f64))?;
            self.own("agent_messages_throttled_total", &values, Some(agent.throttled_messages as f64))?;
            self.own("agent_samples_stored_total", &values, Some(agent.samples as f64))?;
        }
        Ok(())
    }

    fn incidents(&mut self, snapshot: &Snapshot) -> Result<(), prometheus::Error> {
        use crate::alert::{Condition, IncidentState};
        let states = [IncidentState::Pending, IncidentState::Open, IncidentState::Closing];
        for condition in Condition::ALL {
            for state in states {
                for (role, consequence) in [("root", false), ("consequence", true)] {
                    let n = snapshot
                        .incidents
                        .iter()
                        .filter(|i| i.condition == condition && i.state == state && i.is_consequence() == consequence);
                    let values = [condition.as_str(), state.as_str(), role];
                    self.own("incidents_count", &values, Some(n.count() as f64))?;
                }
            }
        }
        let labels = ["incident", "condition", "subject", "kind", "wisp"];
        for i in snapshot.incidents.iter().filter(|i| api::is_open(i)) {
            let token = i.token();
            let wisp = i.wisp.as_ref().map_or("", |w| w.as_str());
            let values = [token.as_str(), i.condition.as_str(), i.subject.as_str(), i.subject.kind(), wisp];
            self.reading(&catalogue::INCIDENT, "open_flag", (&labels, &values), Reading::value(1.0))?;
        }
        Ok(())
    }

    fn hub(&mut self, snapshot: &Snapshot, resident_bytes: Option<u64>) -> Result<(), prometheus::Error> {
        for part in &snapshot.parts {
            let values = [part.name];
            self.own("hub_part_ok_flag", &values, Some(flag(part.ok)))?;
            self.own("hub_part_waiting_count", &values, Some(part.waiting as f64))?;
            self.own("hub_part_done_total", &values, Some(part.done_total as f64))?;
            self.own("hub_part_failed_total", &values, Some(part.failed_total as f64))?;
        }
        let uptime = snapshot.generated_at.since(snapshot.started_at).as_secs_f64();
        self.own("hub_blind_flag", &[], Some(flag(snapshot.blind_since.is_some())))?;
        self.own("hub_uptime_secs", &[], Some(uptime))?;
        self.own("hub_resident_bytes", &[], resident_bytes.map(|b| b as f64))?;
        let simulated = if snapshot.simulated { "true" } else { "false" };
        self.own("build_info", &[snapshot.version, simulated], Some(1.0))
    }

    fn encode(self) -> Result<String, prometheus::Error> {
        let registry = Registry::new();
        let gauges = self.gauges.into_values().map(|g| Box::new(g) as Box<dyn Collector>);
        let counters = self.counters.into_values().map(|c| Box::new(c) as Box<dyn Collector>);
        for family in gauges.chain(counters) {
            registry.register(family)?;
        }
        TextEncoder::new().encode_to_string(&registry.gather())
    }
}

fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

fn exact(bounds: Bounds) -> Option<f64> {
    bounds.known().filter(|v| v.is_finite())
}

fn up_flag(state: LinkState) -> Reading {
    match state {
        LinkState::Up => Reading::value(1.0),
        LinkState::Down(_) => Reading::value(0.0),
        LinkState::Unknown(why) => Reading::Missing(why),
    }
}
