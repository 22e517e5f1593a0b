//! The report of a probe for people: a table, with a bar of capacity against the target.

use std::fmt::Write as _;

use super::super::access::Version;
use super::super::exchange::Counts;
use super::ProbeReport;
use crate::catalogue::{Unit, measurement};
use crate::model::Reading;

/// Cells of a bar.
const BAR_CELLS: usize = 20;
/// What is read first, by the beginning of its name; the rest follows by name.
const FIRST: [&str; 14] = [
    "link_up",
    "on_standby",
    "up_flag",
    "rate_",
    "capacity_tx",
    "capacity_rx",
    "rsl_dbm",
    "rsl_",
    "remote_rsl",
    "rsrp",
    "snr",
    "cinr",
    "mse",
    "throughput",
];

impl ProbeReport {
    /// A table for people. `color`: ANSI colours.
    pub fn render(&self, color: bool) -> String {
        let paint = Paint { color };
        let mut out = String::new();
        self.render_identity(&mut out, paint);
        for radio in &self.polled.radios {
            let peer = radio.peer.as_deref().map(|mac| format!(" towards {}", mac_text(mac))).unwrap_or_default();
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
        let from = self.address.map_or_else(|| "recording".to_owned(), |address| address.to_string());
        let _ = writeln!(out, "{}", paint.bold(&format!("{from}  {model}  {firmware}")));
        let verified = if identity.family.verified() { "" } else { " (not yet verified on a recording)" };
        let _ = writeln!(out, "  family   {} = {}{verified}", identity.family.profile, identity.family.title);
        let _ = writeln!(out, "  because  {}", identity.why);
        if let Some(secs) = self.polled.uptime_secs.get() {
            let minutes = (secs / 60.0) as u64;
            let _ = writeln!(out, "  up for   {} d {} h {} min", minutes / 1440, minutes / 60 % 24, minutes % 60);
        }
        if self.address.is_some() {
            let version = self.version.map_or("none", Version::as_str);
            let Counts { requests, timeouts, malformed } = self.counts;
            let _ = writeln!(
                out,
                "  SNMP     {version}, {requests} packets sent, {timeouts} without an answer, {malformed} malformed"
            );
        }
    }

    fn render_readings<'a>(
        &self,
        out: &mut String,
        paint: Paint,
        of: &str,
        readings: impl Iterator<Item = (&'a &'static str, &'a Reading)>,
    ) {
        let place = |field: &str| FIRST.iter().position(|first| field.starts_with(first)).unwrap_or(FIRST.len());
        let mut readings: Vec<_> = readings.collect();
        readings.sort_by_key(|(field, _)| place(field));
        let mut missing: Vec<(&str, Vec<String>)> = Vec::new();
        for (field, reading) in readings {
            let label = label(field);
            match reading {
                Reading::Value { value, from } => {
                    let text = value_text(of, field, *value);
                    let from = from.map(|from| format!("  {}", from.as_str())).unwrap_or_default();
                    let bar = if field.starts_with("capacity_") { self.bar(paint, *value) } else { String::new() };
                    let _ = writeln!(out, "  {}", format!("{label:<24} {text}{bar}{from}").trim_end());
                }
                Reading::Missing(why) => match missing.iter_mut().find(|(known, _)| *known == why.as_str()) {
                    Some((_, labels)) => labels.push(label),
                    None => missing.push((why.as_str(), vec![label])),
                },
            }
        }
        for (why, labels) in missing {
            let _ = writeln!(out, "  {}", paint.dim(&format!("{why}: {}", labels.join(", "))));
        }
    }

    /// A capacity against the target: full from the target on.
    fn bar(&self, paint: Paint, mbps: f64) -> String {
        let target = self.target_mbps;
        let share = (mbps / target).clamp(0.0, 1.0);
        let full = (share * BAR_CELLS as f64).floor() as usize;
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR_CELLS - full));
        let times = format!("{:.0}", mbps / target);
        if mbps < target {
            format!("  {}", paint.bad(&format!("{bar} below {} Mbps", number(target))))
        } else if mbps < 2.0 * target {
            format!("  {} {} Mbps", paint.good(&bar), number(target))
        } else {
            format!("  {} {times} × {} Mbps", paint.good(&bar), number(target))
        }
    }
}

/// ANSI colours, or none.
#[derive(Clone, Copy)]
pub(super) struct Paint {
    pub color: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// A field's name as people say it, without its unit: `rsl_chain0_dbm` is `RSL chain 0`.
pub(super) fn label(field: &str) -> String {
    const UNITS: [&str; 14] = [
        "dbm", "db", "mbps", "mhz", "ms", "secs", "percent", "celsius", "volts", "amps", "watts", "meters", "flag",
        "index",
    ];
    const CAPITAL: [&str; 14] =
        ["rsl", "snr", "cinr", "sinr", "rsrp", "rsrq", "mse", "xpd", "mcs", "phy", "ccq", "rtt", "dc", "ac"];
    let name = field.rsplit_once('_').filter(|(_, unit)| UNITS.contains(unit)).map_or(field, |(name, _)| name);
    let word = |word: &str| match word {
        word if CAPITAL.contains(&word) => word.to_uppercase(),
        "chain0" => "chain 0".to_owned(),
        "chain1" => "chain 1".to_owned(),
        word => word.to_owned(),
    };
    name.split('_').map(word).collect::<Vec<_>>().join(" ")
}

/// `020000000011` as people write it.
pub(super) fn mac_text(hex: &str) -> String {
    if hex.len() != 12 || !hex.is_ascii() {
        return hex.to_owned();
    }
    let pairs: Vec<&str> = (0..12).step_by(2).map(|at| &hex[at..at + 2]).collect();
    pairs.join(":")
}

fn value_text(of: &str, field: &str, value: f64) -> String {
    if field.ends_with("_flag") {
        return format!("{:>10}", if value == 0.0 { "no" } else { "yes" });
    }
    format!("{:>10} {:<4}", number(value), unit_text(of, field))
}

/// At most two decimals, and none where there are none.
pub(super) fn number(value: f64) -> String {
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
        Some(Unit::Degrees) => "°",
        Some(Unit::Bytes) => "B",
        Some(Unit::Count | Unit::Flag | Unit::Index | Unit::Text) | None => "",
    }
}
