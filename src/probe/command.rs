//! `vedetta probe`: one device, now. What it is, why it is believed to be that, and what it says.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

pub mod record;
mod table;
pub mod watch;

use super::access::{Access, Version};
use super::device::{Manner, Polled, Poller};
use super::exchange::Counts;
use super::plan::profiles;
use super::port::Port;
use super::radio::{self, Family, Radio};
use super::recording::tape::{Taped, poll_alone};
use super::snmp::{Session, SnmpError, SnmpGet as _};
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
    #[error("what was read cannot be shown")]
    Output(#[source] std::io::Error),
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
        SnmpError::Setup(_) | SnmpError::NotAsked(_) => "This is a problem of this machine, not of the device",
    }
}

/// What one device said.
#[derive(Debug, Clone)]
pub struct ProbeReport {
    /// `None`: it is a recording.
    pub address: Option<SocketAddr>,
    pub version: Option<Version>,
    pub counts: Counts,
    pub polled: Polled,
    pub target_mbps: f64,
}

fn family_named(name: Option<&str>) -> Result<Option<&'static Family>, ProbeError> {
    let find = |name: &str| radio::family(name).ok_or_else(|| ProbeError::UnknownProfile(name.to_owned()));
    name.map(find).transpose()
}

/// Asks one device everything, a second time if rates need it.
pub async fn probe(options: ProbeOptions) -> Result<ProbeReport, ProbeError> {
    let (address, mut poller) = open(&options).await?;
    let work = read(address, &mut poller);
    let polled = tokio::time::timeout(PROBE_MAX, work).await.map_err(|_| ProbeError::TooSlow(address))??;
    let (version, counts) = (poller.session.version(), poller.session.counts());
    Ok(ProbeReport { address: Some(address), version, counts, polled, target_mbps: options.target_mbps })
}

/// The conversation that the options describe; nothing is asked yet.
async fn open(options: &ProbeOptions) -> Result<(SocketAddr, Poller<Taped<Session>>), ProbeError> {
    let family = family_named(options.profile.as_deref())?;
    let address = resolve(&options.address).await?;
    let session = Session::new(address, options.access.clone(), options.timeout);
    Ok((address, Poller::new(Taped::new(session), Manner { family, ..Manner::default() })))
}

async fn read(address: SocketAddr, poller: &mut Poller<Taped<Session>>) -> Result<Polled, ProbeError> {
    let clock = SystemClock::shared();
    let mut polled = poll_alone(poller, &*clock).await.map_err(|error| ProbeError::Silent { address, error })?;
    if waits_for_rates(&polled) {
        tokio::time::sleep(RATE_SPAN).await;
        // What was read stands even if the device falls silent now.
        if let Ok(again) = poller.poll(&*clock).await {
            polled = again;
        }
    }
    Ok(polled)
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
            "address": self.address.map(|address| address.to_string()),
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
