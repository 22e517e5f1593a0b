//! `vedetta probe`: one device, now. What it is, why it is believed to be that, and what it says.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::access::{Access, Version};
use super::device::{Manner, Polled, Poller};
use super::exchange::Counts;
use super::plan::profiles;
use super::port::Port;
use super::radio::{self, Radio};
use super::snmp::{Session, SnmpError, SnmpGet as _};
use crate::catalogue::{Unit, measurement};
use crate::model::{Missing, Reading};
use crate::runtime::clock::SystemClock;

/// Port of SNMP agents (RFC 3417).
pub const SNMP_PORT: u16 = 161;
/// A device that has not said everything by then is given up.
const PROBE_MAX: Duration = Duration::from_mins(2);
/// Counters become rates over this long.
const RATE_SPAN: Duration = Duration::from_secs(1);

/// What `vedetta probe` is asked.
#[derive(Debug, Clone)]
pub struct ProbeOptions {
    /// `host`, `host:port`, `[ipv6]:port`; port 161 by default.
    pub address: String,
    pub access: Access,
    /// Family, where identification must not decide.
    pub profile: Option<String>,
    /// For one answer.
    pub timeout: Duration,
    /// Capacities below it stand out in the table, Mbps.
    pub target_mbps: f64,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("\"{0}\" is no address: want host, host:port or [IPv6]:port")]
    Address(String),
    #[error("the name {0} cannot be resolved")]
    Resolve(String, #[source] std::io::Error),
    #[error("there is no profile \"{0}\" (known: {known})", known = profiles())]
    UnknownProfile(String),
    #[error("{address}: {error}. {}", hint(error))]
    Silent { address: SocketAddr, error: SnmpError },
    #[error("{0} did not say everything within {secs} s", secs = PROBE_MAX.as_secs())]
    TooSlow(SocketAddr),
}

fn hint(error: &SnmpError) -> &'static str {
    match error {
        SnmpError::Timeout => {
            "Check that SNMP is switched on, that this machine may ask (access list, firewall), and the \
             community: with a wrong one, or a wrong privacy password, a device says nothing"
        }
        SnmpError::Refused => "Check the user, its passwords and its protocols",
        SnmpError::Malformed => "Something else than SNMP may use that port",
        SnmpError::Unreachable(_) => "Nothing listens there, or no route leads there",
        SnmpError::Setup(_) => "This is a problem of this machine, not of the device",
    }
}

/// What one device said.
#[derive(Debug, Clone)]
pub struct ProbeReport {
    pub address: SocketAddr,
    pub version: Option<Version>,
    pub counts: Counts,
    pub polled: Polled,
    pub target_mbps: f64,
}

/// Asks one device everything, a second time if rates need it.
pub async fn probe(options: ProbeOptions) -> Result<ProbeReport, ProbeError> {
    let family = match &options.profile {
        None => None,
        Some(name) => Some(radio::family(name).ok_or_else(|| ProbeError::UnknownProfile(name.clone()))?),
    };
    let address = resolve(&options.address).await?;
    let session = Session::new(address, options.access, options.timeout);
    let mut poller = Poller::new(session, Manner { family, ..Manner::default() });
    let clock = SystemClock::shared();
    let silent = |error| ProbeError::Silent { address, error };
    let work = async {
        let mut polled = poller.poll(&*clock).await.map_err(silent)?;
        // Nobody has told which of its peers is meant: then each is shown.
        if polled.radios.iter().any(Radio::is_ambiguous) {
            poller.read_everybody();
            polled = poller.poll(&*clock).await.map_err(silent)?;
        }
        if waits_for_rates(&polled) {
            tokio::time::sleep(RATE_SPAN).await;
            // What was read stands even if the device falls silent now.
            if let Ok(again) = poller.poll(&*clock).await {
                polled = again;
            }
        }
        Ok(polled)
    };
    let polled = tokio::time::timeout(PROBE_MAX, work).await.map_err(|_| ProbeError::TooSlow(address))??;
    let (version, counts) = (poller.session.version(), poller.session.counts());
    Ok(ProbeReport { address, version, counts, polled, target_mbps: options.target_mbps })
}

fn waits_for_rates(polled: &Polled) -> bool {
    let waits = |reading: &Reading| reading.missing() == Some(Missing::NoBaseline);
    polled.radios.iter().flat_map(|r| r.readings.values()).any(waits)
        || polled.ports.iter().flat_map(|p| p.readings.values()).any(waits)
}

async fn resolve(text: &str) -> Result<SocketAddr, ProbeError> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok((ip, SNMP_PORT).into());
    }
    let (host, port) = match text.rsplit_once(':') {
        None => (text, SNMP_PORT),
        Some((host, port)) => (host, port.parse().map_err(|_| ProbeError::Address(text.to_owned()))?),
    };
    if host.is_empty() || host.contains([':', '/', ' ']) {
        return Err(ProbeError::Address(text.to_owned()));
    }
    let unresolved = |e| ProbeError::Resolve(host.to_owned(), e);
    let mut found = tokio::net::lookup_host((host, port)).await.map_err(unresolved)?;
    found.next().ok_or_else(|| unresolved(std::io::ErrorKind::NotFound.into()))
}

impl ProbeReport {
    /// One object; the form is a contract.
    pub fn to_json(&self) -> Json {
        let identity = &self.polled.identity;
        json!({
            "address": self.address.to_string(),
            "profile": identity.family.profile,
            "identified_by": identity.why,
            "verified": identity.family.verified(),
            "model": identity.info.model,
            "firmware": identity.info.firmware,
            "sys_object_id": identity.sys_object_id.as_ref().map(ToString::to_string),
            "sys_descr": identity.sys_descr,
            "uptime_secs": self.polled.uptime_secs.get(),
            "snmp": {
                "version": self.version.map(Version::as_str),
                "requests": self.counts.requests,
                "timeouts": self.counts.timeouts,
                "malformed": self.counts.malformed,
            },
            "radios": self.polled.radios.iter().map(radio_json).collect::<Vec<_>>(),
            "ports": self.polled.ports.iter().map(port_json).collect::<Vec<_>>(),
            "power": if self.polled.power.is_empty() { vec![] } else { vec![readings_json(self.polled.power.iter())] },
        })
    }

    /// A table for people. `color`: ANSI colours.
    pub fn render(&self, color: bool) -> String {
        let paint = Paint { color };
        let mut out = String::new();
        self.render_identity(&mut out, paint);
        for radio in &self.polled.radios {
            let peer = radio.peer.as_ref().map(|mac| format!(" towards {mac}")).unwrap_or_default();
            let _ = writeln!(out, "\n{}", paint.bold(&format!("radio {}{peer}", radio.tag)));
            if let Some(modulation) = &radio.modulation {
                let _ = writeln!(out, "  {:<24} {modulation}", "modulation");
            }
            self.render_readings(&mut out, paint, "radio", radio.readings.iter());
        }
        for port in &self.polled.ports {
            let _ = writeln!(out, "\n{}", paint.bold(&format!("port {} ({})", port.name, port.index)));
            self.render_readings(&mut out, paint, "port", port.readings.iter());
        }
        if !self.polled.power.is_empty() {
            let _ = writeln!(out, "\n{}", paint.bold("power"));
            self.render_readings(&mut out, paint, "power", self.polled.power.iter());
        }
        out
    }

    fn render_identity(&self, out: &mut String, paint: Paint) {
        let identity = &self.polled.identity;
        let model = identity.info.model.as_deref().unwrap_or("model unknown");
        let firmware = identity.info.firmware.as_deref().unwrap_or("firmware unknown");
        let _ = writeln!(out, "{}", paint.bold(&format!("{}  {model}  {firmware}", self.address)));
        let verified = if identity.family.verified() { "" } else { " (not yet verified on a recording)" };
        let _ = writeln!(out, "  family   {} = {}{verified}", identity.family.profile, identity.family.title);
        let _ = writeln!(out, "  because  {}", identity.why);
        if let Some(secs) = self.polled.uptime_secs.get() {
            let minutes = (secs / 60.0) as u64;
            let _ = writeln!(out, "  up for   {} d {} h {} min", minutes / 1440, minutes / 60 % 24, minutes % 60);
        }
        let version = self.version.map_or("none", Version::as_str);
        let Counts { requests, timeouts, malformed } = self.counts;
        let _ = writeln!(
            out,
            "  SNMP     {version}, {requests} packets sent, {timeouts} without an answer, {malformed} malformed"
        );
    }

    fn render_readings<'a>(
        &self,
        out: &mut String,
        paint: Paint,
        of: &str,
        readings: impl Iterator<Item = (&'a &'static str, &'a Reading)>,
    ) {
        for (field, reading) in readings {
            let _ = match reading {
                Reading::Value { value, from } => {
                    let text = format!("{:>10} {:<5}", number(*value), unit_text(of, field));
                    let below = field.starts_with("capacity_") && *value < self.target_mbps;
                    let text = if below { paint.bad(&text) } else { text };
                    let from = from.map(|from| format!(" {}", from.as_str())).unwrap_or_default();
                    let target =
                        if below { format!("  below {} Mbps", number(self.target_mbps)) } else { String::new() };
                    writeln!(out, "  {field:<24} {text}{from}{target}")
                }
                Reading::Missing(why) => {
                    let text = format!("{:>10} {}", "-", why.as_str());
                    writeln!(out, "  {field:<24} {}", paint.dim(&text))
                }
            };
        }
    }
}

#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// At most two decimals, and none where there are none.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn unit_text(of: &str, field: &str) -> &'static str {
    let unit = measurement(of).and_then(|m| m.field(field)).map(|f| f.unit);
    match unit {
        Some(Unit::Dbm) => "dBm",
        Some(Unit::Db) => "dB",
        Some(Unit::Mbps) => "Mbps",
        Some(Unit::Mhz) => "MHz",
        Some(Unit::Ms) => "ms",
        Some(Unit::Secs) => "s",
        Some(Unit::Percent) => "%",
        Some(Unit::Celsius) => "°C",
        Some(Unit::Volts) => "V",
        Some(Unit::Amps) => "A",
        Some(Unit::Watts) => "W",
        Some(Unit::Meters) => "m",
        Some(Unit::Bytes) => "B",
        Some(Unit::Count | Unit::Flag | Unit::Index | Unit::Text) | None => "",
    }
}

fn json_number(field: &str, value: f64) -> Json {
    // Rates keep their decimal point; whole numbers of other units do not need one.
    if !field.ends_with("_mbps") && value.fract() == 0.0 && value.abs() < 1e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

fn readings_json<'a>(readings: impl Iterator<Item = (&'a &'static str, &'a Reading)>) -> Json {
    let (mut values, mut provenance, mut missing) = (Map::new(), Map::new(), Map::new());
    for (field, reading) in readings {
        match reading {
            Reading::Value { value, from } => {
                values.insert((*field).to_owned(), json_number(field, *value));
                if let Some(from) = from {
                    provenance.insert((*field).to_owned(), json!(from.as_str()));
                }
            }
            Reading::Missing(why) => {
                missing.insert((*field).to_owned(), json!(why.as_str()));
            }
        }
    }
    json!({ "readings": values, "provenance": provenance, "missing": missing })
}

fn flag_json(reading: Option<Reading>) -> Json {
    reading.and_then(Reading::get).map_or(Json::Null, |value| json!(value != 0.0))
}

fn radio_json(radio: &Radio) -> Json {
    let link_up = radio.reading("link_up_flag");
    let known = link_up.is_none_or(|r| r.missing().is_none());
    let mut object = readings_json(radio.readings.iter().filter(|(field, _)| !(known && **field == "link_up_flag")));
    object["radio"] = json!(radio.tag);
    object["peer"] = json!(radio.peer);
    object["link_up"] = flag_json(link_up);
    object["modulation"] = json!(radio.modulation);
    object
}

fn port_json(port: &Port) -> Json {
    let rate = port.readings.get("rate_mbps").and_then(|r| r.get());
    let rest = ["up_flag", "rate_mbps"];
    let shown = |(field, reading): &(&&'static str, &Reading)| !rest.contains(field) || reading.missing().is_some();
    let mut object = readings_json(port.readings.iter().filter(shown));
    object["port"] = json!(port.index.to_string());
    object["name"] = json!(port.name);
    object["up"] = flag_json(port.readings.get("up_flag").copied());
    // Whole in the contract: negotiated rates are.
    object["rate_mbps"] = rate.map_or(Json::Null, |rate| json_number("rate", rate));
    object
}

#[cfg(test)]
mod tests;
