//! Every metric: name, unit, kind, description. Line protocol, Prometheus, dashboards and docs are checked against
//! this one table. `[P]`

/// The closed list of units. A field's name ends in its unit, but for texts, flags and codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Dbm,
    Db,
    Mbps,
    Mhz,
    Ms,
    Secs,
    Percent,
    Celsius,
    Volts,
    Amps,
    Watts,
    Meters,
    /// Of latitude and longitude, WGS 84.
    Degrees,
    Bytes,
    Count,
    /// 0 or 1.
    Flag,
    /// An index that only its family gives a meaning (an MCS).
    Index,
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Counter,
}

/// Who makes a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Agent,
    Hub,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub unit: Unit,
    pub kind: Kind,
    pub description: &'static str,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Measurement {
    pub name: &'static str,
    pub origin: Origin,
    pub description: &'static str,
    pub fields: &'static [Field],
}

impl Measurement {
    /// The field of that name, if the measurement has it.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

/// The measurement of that name.
pub fn measurement(name: &str) -> Option<&'static Measurement> {
    ALL.iter().copied().find(|m| m.name == name)
}

const fn gauge(name: &'static str, unit: Unit, description: &'static str) -> Field {
    Field { name, unit, kind: Kind::Gauge, description }
}

const fn counter(name: &'static str, unit: Unit, description: &'static str) -> Field {
    Field { name, unit, kind: Kind::Counter, description }
}

pub static RADIO: Measurement = Measurement {
    name: "radio",
    origin: Origin::Agent,
    description: "One end of a radio link, as its device tells it",
    fields: &[
        gauge("capacity_tx_mbps", Unit::Mbps, "What the radio can send now"),
        gauge("capacity_rx_mbps", Unit::Mbps, "What the radio can receive now"),
        gauge("phy_tx_mbps", Unit::Mbps, "Modulation rate of what it sends"),
        gauge("phy_rx_mbps", Unit::Mbps, "Modulation rate of what it receives"),
        gauge("throughput_tx_mbps", Unit::Mbps, "What it sends"),
        gauge("throughput_rx_mbps", Unit::Mbps, "What it receives"),
        gauge("rsl_dbm", Unit::Dbm, "Received signal level, chains combined"),
        gauge("rsl_chain0_dbm", Unit::Dbm, "Received signal level, first chain or polarisation"),
        gauge("rsl_chain1_dbm", Unit::Dbm, "Received signal level, second chain or polarisation"),
        gauge("remote_rsl_dbm", Unit::Dbm, "Received signal level at the other end, as this end tells it"),
        gauge("noise_floor_dbm", Unit::Dbm, "Noise floor"),
        gauge("snr_db", Unit::Db, "Signal to noise ratio"),
        gauge("remote_snr_db", Unit::Db, "Signal to noise ratio at the other end, as this end tells it"),
        gauge("cinr_db", Unit::Db, "Carrier to interference and noise ratio"),
        gauge("rsrp_dbm", Unit::Dbm, "Received power of the cell's reference signal (LTE, 5G)"),
        gauge("rsrq_db", Unit::Db, "Received quality of the cell's reference signal (LTE, 5G)"),
        gauge("sinr_db", Unit::Db, "Signal to interference and noise ratio of the cell (LTE, 5G)"),
        gauge("mse_db", Unit::Db, "Mean square error"),
        gauge("xpd_db", Unit::Db, "Cross-polar discrimination"),
        gauge("tx_power_dbm", Unit::Dbm, "Conducted transmit power"),
        gauge("channel_mhz", Unit::Mhz, "Centre frequency"),
        gauge("channel_width_mhz", Unit::Mhz, "Channel width"),
        gauge("mcs_tx_index", Unit::Index, "Modulation and coding scheme of what it sends"),
        gauge("mcs_rx_index", Unit::Index, "Modulation and coding scheme of what it receives"),
        gauge("signal_quality_percent", Unit::Percent, "Signal quality, as the family defines it"),
        gauge("ccq_tx_percent", Unit::Percent, "Client connection quality of what it sends"),
        gauge("ccq_rx_percent", Unit::Percent, "Client connection quality of what it receives"),
        gauge("airtime_percent", Unit::Percent, "Share of air time in use"),
        gauge("packet_errors_tx_percent", Unit::Percent, "Share of what it sends that is lost or sent again"),
        gauge("packet_errors_rx_percent", Unit::Percent, "Share of what it receives that is damaged or lost"),
        counter("errors_rx_total", Unit::Count, "Blocks or frames received damaged, as the family counts them"),
        gauge("distance_meters", Unit::Meters, "Distance to the other end, as the radio measures it"),
        gauge("link_up_flag", Unit::Flag, "1 when the radio has its peer"),
        gauge("on_standby_flag", Unit::Flag, "1 when the radio carries traffic on its own backup channel"),
        gauge("members_count", Unit::Count, "Carriers, polarisations or radios that the link is made of"),
        gauge("members_active_count", Unit::Count, "Of these, in use"),
        gauge("peers_count", Unit::Count, "Peers of an access point, ours and strangers'"),
        gauge("strangers_count", Unit::Count, "Peers of an access point that the inventory does not know"),
    ],
};

pub static RADIO_INFO: Measurement = Measurement {
    name: "radio_info",
    origin: Origin::Agent,
    description: "What a radio says of itself in words; sent when it changes and once an hour",
    fields: &[
        gauge("profile", Unit::Text, "Family by which the device is read"),
        gauge("model", Unit::Text, "Model"),
        gauge("firmware", Unit::Text, "Firmware version"),
        gauge("modulation", Unit::Text, "Modulation in words"),
        gauge(
            "capacity_lost_firmware",
            Unit::Text,
            "Firmware since which the radio no longer offers its capacity; only while that is so",
        ),
    ],
};

pub static PORT: Measurement = Measurement {
    name: "port",
    origin: Origin::Agent,
    description: "An Ethernet port (IF-MIB)",
    fields: &[
        gauge("up_flag", Unit::Flag, "1 when the port is up (ifOperStatus)"),
        gauge("rate_mbps", Unit::Mbps, "Negotiated rate (ifHighSpeed, else ifSpeed)"),
        gauge("throughput_tx_mbps", Unit::Mbps, "What it sends"),
        gauge("throughput_rx_mbps", Unit::Mbps, "What it receives"),
        counter("errors_in_total", Unit::Count, "Frames received with errors (ifInErrors)"),
        counter("errors_out_total", Unit::Count, "Frames not sent for errors (ifOutErrors)"),
    ],
};

pub static PING: Measurement = Measurement {
    name: "ping",
    origin: Origin::Agent,
    description: "ICMP echo from an agent to a device, a gateway or an address outside",
    fields: &[
        gauge("loss_percent", Unit::Percent, "Echoes without an answer in one round"),
        gauge("rtt_ms_median", Unit::Ms, "Median round-trip time of one round"),
        gauge("rtt_ms_spread", Unit::Ms, "Difference between the slowest and the fastest answer of one round"),
        gauge("gateway_loss_percent", Unit::Percent, "Of a backhaul: echoes to its gateway without an answer"),
        gauge("gateway_rtt_ms_median", Unit::Ms, "Of a backhaul: median round-trip time to its gateway"),
    ],
};

pub static SERVICE: Measurement = Measurement {
    name: "service",
    origin: Origin::Agent,
    description: "A cloud service as a site sees it",
    fields: &[
        gauge("up_flag", Unit::Flag, "1 when the service answered as it should"),
        gauge("response_ms", Unit::Ms, "Time to the answer"),
    ],
};

pub static POWER: Measurement = Measurement {
    name: "power",
    origin: Origin::Agent,
    description: "Supply and temperature of a device",
    fields: &[
        gauge("supply_volts", Unit::Volts, "Supply voltage"),
        gauge("supply_amps", Unit::Amps, "Supply current"),
        gauge("supply_watts", Unit::Watts, "Power drawn"),
        gauge("temperature_celsius", Unit::Celsius, "Temperature of the board or of the case"),
        gauge("battery_volts", Unit::Volts, "Voltage of the batteries of a UPS or of a solar plant"),
        gauge("battery_percent", Unit::Percent, "Charge left in the batteries"),
        gauge("battery_left_secs", Unit::Secs, "Time that the batteries will last at this load, as the UPS reckons it"),
        gauge("on_battery_flag", Unit::Flag, "1 when the UPS runs on its batteries"),
        gauge("load_percent", Unit::Percent, "Load of the UPS, of the line that bears most"),
    ],
};

pub static DEVICE: Measurement = Measurement {
    name: "device",
    origin: Origin::Agent,
    description: "How polling a device went",
    fields: &[
        gauge("snmp_up_flag", Unit::Flag, "1 when the device answered the poll"),
        gauge("poll_ms", Unit::Ms, "Time that the poll took"),
        gauge("uptime_secs", Unit::Secs, "Time since the device's agent started (sysUpTime)"),
        counter("requests_total", Unit::Count, "SNMP requests sent since the agent started"),
        counter("timeouts_total", Unit::Count, "SNMP requests without an answer"),
        counter("malformed_total", Unit::Count, "Answers that were not a valid answer to what was asked"),
        counter("overruns_total", Unit::Count, "Polls left out because the last one was still running"),
    ],
};

pub static AGENT: Measurement = Measurement {
    name: "agent",
    origin: Origin::Agent,
    description: "The agent on itself",
    fields: &[
        gauge("uptime_secs", Unit::Secs, "Time since the agent started"),
        gauge("resident_bytes", Unit::Bytes, "Memory resident"),
        gauge("spool_batches_count", Unit::Count, "Batches not yet known to be stored on the hub"),
        gauge("spool_bytes", Unit::Bytes, "Size of the spool"),
        counter("samples_total", Unit::Count, "Samples generated"),
        counter("dropped_total", Unit::Count, "Samples dropped because a bound was reached"),
        counter(
            "memory_faults_total",
            Unit::Count,
            "Damaged entries and failed writings of what the agent remembers of its devices",
        ),
    ],
};

pub static LINK: Measurement = Measurement {
    name: "link",
    origin: Origin::Hub,
    description: "A link, bundle or backhaul: what it can carry now, and what it must",
    fields: &[
        gauge("capacity_mbps", Unit::Mbps, "What the link can carry in this direction"),
        gauge("required_mbps", Unit::Mbps, "What it must carry in this direction"),
        gauge("throughput_mbps", Unit::Mbps, "What passes in this direction"),
        gauge("up_flag", Unit::Flag, "1 when the link is up"),
    ],
};

pub static SITE: Measurement = Measurement {
    name: "site",
    origin: Origin::Hub,
    description: "A site against its promise",
    fields: &[
        gauge("target_mbps", Unit::Mbps, "What was promised in this direction"),
        gauge("together_mbps", Unit::Mbps, "Capacity when every site draws its target at once"),
        gauge("alone_mbps", Unit::Mbps, "Capacity when nobody else draws"),
        gauge("possible_mbps", Unit::Mbps, "Capacity over the widest path"),
        gauge("below_flag", Unit::Flag, "1 when together is below the target"),
        gauge("latitude_degrees", Unit::Degrees, "Where the site is (WGS 84), for maps; without a direction"),
        gauge("longitude_degrees", Unit::Degrees, "Where the site is (WGS 84), for maps; without a direction"),
    ],
};

pub static INCIDENT: Measurement = Measurement {
    name: "incident",
    origin: Origin::Hub,
    description: "An incident, from its opening on at each evaluation that is stored, and once or twice when it has closed",
    fields: &[gauge("open_flag", Unit::Flag, "1 from opening to closing, 0 when it has closed")],
};

/// Every measurement there is.
pub static ALL: [&Measurement; 11] =
    [&RADIO, &RADIO_INFO, &PORT, &PING, &SERVICE, &POWER, &DEVICE, &AGENT, &LINK, &SITE, &INCIDENT];

/// Suffix of the field that carries the reason of a missing reading.
pub const MISSING_SUFFIX: &str = "_missing";
/// Suffix of the field that carries the provenance of a capacity.
pub const FROM_SUFFIX: &str = "_from";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn suffix(unit: Unit) -> Option<&'static str> {
        Some(match unit {
            Unit::Dbm => "dbm",
            Unit::Db => "db",
            Unit::Mbps => "mbps",
            Unit::Mhz => "mhz",
            Unit::Ms => "ms",
            Unit::Secs => "secs",
            Unit::Percent => "percent",
            Unit::Celsius => "celsius",
            Unit::Volts => "volts",
            Unit::Amps => "amps",
            Unit::Watts => "watts",
            Unit::Meters => "meters",
            Unit::Degrees => "degrees",
            Unit::Bytes => "bytes",
            Unit::Count => "count",
            Unit::Flag => "flag",
            Unit::Index => "index",
            Unit::Text => return None,
        })
    }

    #[test]
    fn every_name_ends_in_its_unit() {
        for m in ALL {
            for f in m.fields {
                let Some(unit) = suffix(f.unit) else { continue };
                let stem = f.name.strip_suffix("_median").or(f.name.strip_suffix("_spread")).unwrap_or(f.name);
                let ok = if f.kind == Kind::Counter { f.name.ends_with("_total") } else { stem.ends_with(unit) };
                assert!(ok, "{}.{} does not end in {unit}", m.name, f.name);
            }
        }
    }

    #[test]
    fn names_are_unique_and_free_of_the_reserved_suffixes() {
        let mut seen = BTreeSet::new();
        for m in ALL {
            assert!(seen.insert(m.name));
            let mut fields = BTreeSet::new();
            for f in m.fields {
                assert!(fields.insert(f.name), "{}.{} twice", m.name, f.name);
                assert!(!f.name.ends_with(MISSING_SUFFIX) && !f.name.ends_with(FROM_SUFFIX));
                assert!(!f.description.is_empty());
            }
        }
    }
}
