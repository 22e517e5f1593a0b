//! What a simulated device says over SNMP: its objects at one instant, in the order of their OIDs. `[P]`
//!
//! Objects, indexes, units and types as real devices of the family have them: SNMPv2-MIB, IF-MIB, UI-AF60-MIB,
//! UBNT-AirMAX-MIB, IEEE802dot11-MIB and MIKROTIK-MIB.

mod mikrotik;

use async_snmp::handler::OidTable;
use async_snmp::{Oid, Value};

use super::address::hash;
use super::plan::{Plan, STRANGERS, SimDevice, SimLink, index_of};
use super::radio::{Band, Family};
use super::world::{EndFigures, LinkFigures, Snapshot, Traffic};
use crate::model::network::End;

/// SNMPv2-MIB `system`.
const SYSTEM: &[u32] = &[1, 3, 6, 1, 2, 1, 1];
/// IF-MIB `ifEntry` and `ifXEntry`.
const IF_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1];
const IF_X_ENTRY: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1];
const ENTERPRISES: &[u32] = &[1, 3, 6, 1, 4, 1];
/// UI-AF60-MIB, below `enterprises`: configuration, status, station table.
const AF60_CONFIG: &[u32] = &[41112, 1, 11, 1, 1];
const AF60_STATUS: &[u32] = &[41112, 1, 11, 1, 2];
const AF60_STATION: &[u32] = &[41112, 1, 11, 1, 3, 1];
/// UBNT-AirMAX-MIB, below `enterprises`.
const AIRMAX: &[u32] = &[41112, 1, 4];
const AIRMAX_STATION: &[u32] = &[41112, 1, 4, 7, 1];
/// IEEE802dot11-MIB `dot11ResourceInfoEntry`.
const DOT11_RESOURCE: &[u32] = &[1, 2, 840, 10036, 3, 1, 2, 1];
/// IANAifType.
const ETHERNET: i32 = 6;
const IEEE80211: i32 = 71;
/// ifIndex of the radio interface and of the first Ethernet port of every simulated device.
const RADIO_IF: u32 = 1;
const FIRST_PORT_IF: u32 = 2;
/// ifIndex by which airMAX devices list themselves in IEEE802dot11-MIB; it varies between real ones.
const AIRMAX_WIFI_IF: u32 = 7;
/// ifIndex of the first station of a MikroTik 60 GHz bridge.
const FIRST_STATION_IF: u32 = 10;

/// A link's end as a device sees it.
struct Peer<'a> {
    link: &'a SimLink,
    figures: &'a LinkFigures,
    band: &'static Band,
    here: EndFigures,
    there: EndFigures,
    end: End,
    mac: [u8; 6],
    name: &'a str,
    tx_mbps: f64,
    rx_mbps: f64,
    traffic: Traffic,
}

/// MCS of what an end receives.
fn mcs(end: &EndFigures) -> i32 {
    end.rx.map_or(0, |step| step.mcs)
}

impl Peer<'_> {
    fn mac_index(&self) -> [u32; 6] {
        self.mac.map(u32::from)
    }

    fn meters(&self) -> i32 {
        (self.link.km * 1000.0).round() as i32
    }
}

struct Writer<'a> {
    device: &'a SimDevice,
    index: usize,
    snapshot: &'a Snapshot,
    /// Radio peers that are connected, in order of links.
    peers: Vec<Peer<'a>>,
    /// The firmware has its capacity objects.
    capacity: bool,
    rows: Vec<(Oid, Value)>,
}

/// Everything that the device offers.
pub fn table(plan: &Plan, snapshot: &Snapshot, index: usize) -> OidTable<Value> {
    let device = &plan.devices[index];
    let mut writer = Writer {
        device,
        index,
        snapshot,
        peers: peers(plan, snapshot, index),
        capacity: !snapshot.no_capacity_objects.contains(&device.id),
        rows: Vec::with_capacity(128),
    };
    writer.system();
    writer.interfaces();
    match device.family {
        Family::Af60 => writer.af60(),
        Family::AirmaxAc => writer.airmax(),
        Family::Mikrotik60 => writer.mikrotik_60(),
        Family::MikrotikClassic => writer.mikrotik_classic(),
        Family::Generic => {}
    }
    writer.rows.into_iter().collect()
}

fn peers<'a>(plan: &'a Plan, snapshot: &'a Snapshot, index: usize) -> Vec<Peer<'a>> {
    let peer = |((link, end), traffic): (&(usize, End), &Traffic)| {
        let (link, figures) = (&plan.links[*link], &snapshot.links[*link]);
        let ends = figures.ends.filter(|_| figures.up)?;
        let other = &plan.devices[link.device(end.other())];
        let [(tx_mbps, _), (rx_mbps, _)] = figures.tx_rx(*end);
        Some(Peer {
            link,
            figures,
            band: link.bands?[index_of(*end)],
            here: ends[index_of(*end)],
            there: ends[index_of(end.other())],
            end: *end,
            mac: other.mac,
            name: other.id.as_str(),
            tx_mbps,
            rx_mbps,
            traffic: *traffic,
        })
    };
    plan.devices[index].ends.iter().zip(&snapshot.devices[index].traffic).filter_map(peer).collect()
}

fn text(text: impl Into<String>) -> Value {
    Value::OctetString(text.into().into())
}

fn octets(bytes: &[u8]) -> Value {
    Value::OctetString(bytes.to_vec().into())
}

fn whole(value: f64) -> Value {
    Value::Integer(value.round() as i32)
}

fn kbps(mbps: f64) -> Value {
    Value::Integer((mbps * 1000.0).round() as i32)
}

fn bps(mbps: f64) -> Value {
    Value::Gauge32((mbps * 1_000_000.0).round() as u32)
}

impl Writer<'_> {
    fn put(&mut self, prefix: &[u32], suffix: &[u32], value: Value) {
        self.rows.push((Oid::new(prefix.iter().chain(suffix).copied()), value));
    }

    fn enterprise(&mut self, prefix: &[u32], suffix: &[u32], value: Value) {
        self.rows.push((Oid::new(ENTERPRISES.iter().chain(prefix).chain(suffix).copied()), value));
    }

    /// Hundredths of a second since the device has power.
    fn uptime_ticks(&self) -> u32 {
        let up_ms = match self.snapshot.devices[self.index].on_since {
            Some(since) => self.snapshot.at.0.saturating_sub(since.0),
            // Up to forty days before the simulation began.
            None => self.device.salt % (40 * 86_400_000) + self.snapshot.at.0,
        };
        (up_ms / 10) as u32
    }

    fn system(&mut self) {
        let (description, object_id): (&str, &[u32]) = match self.device.family {
            Family::Af60 => ("Linux 4.9.241 #1 SMP armv7l", &[10002, 1]),
            Family::AirmaxAc => ("Linux 2.6.32.68 #1 mips", &[10002, 1]),
            Family::Mikrotik60 => ("RouterOS RBLHGG-60ad", &[14988, 1]),
            Family::MikrotikClassic => ("RouterOS RBLHG-5nD", &[14988, 1]),
            Family::Generic => ("Linux simulated switch", &[8072, 3, 2, 10]),
        };
        let object_id = Oid::new(ENTERPRISES.iter().chain(object_id).copied());
        self.put(SYSTEM, &[1, 0], text(description));
        self.put(SYSTEM, &[2, 0], Value::ObjectIdentifier(object_id));
        self.put(SYSTEM, &[3, 0], Value::TimeTicks(self.uptime_ticks()));
        self.put(SYSTEM, &[4, 0], text(""));
        self.put(SYSTEM, &[5, 0], text(self.device.id.as_str()));
        self.put(SYSTEM, &[6, 0], text(self.device.site_name.clone()));
    }

    fn interfaces(&mut self) {
        let (sent, received) = self.snapshot.devices[self.index].octets();
        let radio = match self.device.family {
            Family::Af60 => Some(("wlan0", ETHERNET, 0)),
            // ifSpeed 0 on a live radio: real ones say so too.
            Family::AirmaxAc => Some(("ath0", ETHERNET, 0)),
            Family::Mikrotik60 => Some(("wlan60-1", IEEE80211, self.phy_mbps())),
            Family::MikrotikClassic => Some(("wlan1", IEEE80211, 0)),
            Family::Generic => None,
        };
        if let Some((name, if_type, rate_mbps)) = radio {
            // The parent of a 60 GHz bridge's stations is "down", and they carry the traffic.
            let has_stations = self.device.family == Family::Mikrotik60 && self.is_near();
            let up = !self.peers.is_empty() && !has_stations;
            let octets = if has_stations { [0, 0] } else { [received, sent] };
            self.interface(RADIO_IF, name, if_type, rate_mbps, up, octets);
            if has_stations {
                for n in 0..self.peers.len() {
                    let traffic = self.peers[n].traffic;
                    let octets = [traffic.received_bytes as u64, traffic.sent_bytes as u64];
                    let name = format!("wlan60-station-{}", n + 1);
                    self.interface(FIRST_STATION_IF + n as u32, &name, IEEE80211, self.phy_mbps(), true, octets);
                }
            }
        }
        let port_mbps = if self.snapshot.port_100.contains(&self.device.id) { 100 } else { 1000 };
        let ports = self.device.ports.clone();
        for (i, name) in ports.iter().enumerate() {
            // What the radio sends came in by the first port, and what it receives goes out there.
            let octets = if i == 0 { [sent, received] } else { [0, 0] };
            self.interface(FIRST_PORT_IF + i as u32, name, ETHERNET, port_mbps, true, octets);
        }
    }

    fn interface(&mut self, index: u32, name: &str, if_type: i32, rate_mbps: u32, up: bool, octets: [u64; 2]) {
        let down = if self.device.family.is_ubiquiti() { 7 } else { 2 };
        let mut mac = self.device.mac;
        mac[5] = mac[5].wrapping_add((index - RADIO_IF) as u8);
        let [received, sent] = octets;
        let row: [(u32, Value); 12] = [
            (1, Value::Integer(index as i32)),
            (2, text(name)),
            (3, Value::Integer(if_type)),
            (4, Value::Integer(1500)),
            (5, Value::Gauge32(rate_mbps.saturating_mul(1_000_000))),
            (6, self::octets(&mac)),
            (7, Value::Integer(1)),
            (8, Value::Integer(if up { 1 } else { down })),
            (10, Value::Counter32(received as u32)),
            (14, Value::Counter32(0)),
            (16, Value::Counter32(sent as u32)),
            (20, Value::Counter32(0)),
        ];
        for (column, value) in row {
            self.put(IF_ENTRY, &[column, index], value);
        }
        // AF60 v2 and airMAX have the 32-bit table only.
        if !self.device.family.is_ubiquiti() {
            let row: [(u32, Value); 5] = [
                (1, text(name)),
                (6, Value::Counter64(received)),
                (10, Value::Counter64(sent)),
                (15, Value::Gauge32(rate_mbps)),
                (18, text("")),
            ];
            for (column, value) in row {
                self.put(IF_X_ENTRY, &[column, index], value);
            }
        }
    }

    /// The one PHY rate that a 60 GHz MikroTik tells for both directions, Mbps; 0 without a peer.
    fn phy_mbps(&self) -> u32 {
        self.peers.first().map_or(0, |p| p.tx_mbps.min(p.rx_mbps).round() as u32)
    }

    fn is_near(&self) -> bool {
        self.device.ends.first().is_none_or(|(_, end)| *end == End::Near)
    }

    fn band(&self) -> Option<&'static Band> {
        self.device.family.band()
    }

    fn af60(&mut self) {
        let Some(band) = self.band() else { return };
        let role = i32::from(!self.is_near());
        self.enterprise(AF60_CONFIG, &[1, 1], Value::Integer(role));
        self.enterprise(AF60_CONFIG, &[2, 1], Value::Integer(band.frequency_mhz as i32));
        self.enterprise(AF60_CONFIG, &[3, 1], Value::Integer(band.width_mhz as i32));
        self.enterprise(AF60_CONFIG, &[4, 1], text(format!("af60-{:04x}", self.device.salt as u16)));
        self.enterprise(AF60_STATUS, &[2, 1], text("AF60-LR"));
        self.enterprise(AF60_STATUS, &[4, 1], text("GP.ipq806x.v2.6.0.46590.211230.1238"));
        self.enterprise(AF60_STATUS, &[5, 1], Value::Integer(31));
        self.enterprise(AF60_STATUS, &[6, 1], Value::Integer(3));
        let mut rows = Vec::new();
        for peer in &self.peers {
            let m = peer.mac_index();
            let mut put =
                |column: u32, value: Value| rows.push(([column, m[0], m[1], m[2], m[3], m[4], m[5], 1], value));
            let [(_, sending), (_, receiving)] = peer.figures.tx_rx(peer.end);
            put(2, text("main"));
            put(3, whole(peer.here.rsl_dbm));
            put(4, whole(peer.here.snr_db));
            put(5, Value::Integer(mcs(&peer.there)));
            put(6, Value::Integer(mcs(&peer.here)));
            if self.capacity {
                put(7, kbps(peer.tx_mbps));
                put(8, kbps(peer.rx_mbps));
            }
            put(9, Value::Counter64(peer.traffic.sent_bytes as u64));
            put(10, Value::Counter64(peer.traffic.received_bytes as u64));
            put(11, kbps(sending));
            put(12, kbps(receiving));
            put(13, text("AF60-LR"));
            put(14, text(peer.name));
            put(15, Value::Integer(peer.meters()));
            put(18, whole(peer.there.rsl_dbm));
            put(19, whole(peer.there.snr_db));
        }
        for (suffix, value) in rows {
            self.enterprise(AF60_STATION, &suffix, value);
        }
    }

    fn airmax(&mut self) {
        let Some(band) = self.band() else { return };
        let is_access_point = self.is_near();
        self.put(DOT11_RESOURCE, &[3, AIRMAX_WIFI_IF], text("Rocket Prism 5AC Gen2"));
        self.put(DOT11_RESOURCE, &[4, AIRMAX_WIFI_IF], text("XC.qca955x.v8.7.11.46972.220614.0419"));
        let mode = if is_access_point { 2 } else { 1 };
        self.enterprise(AIRMAX, &[1, 1, 2, 1], Value::Integer(mode));
        self.enterprise(AIRMAX, &[1, 1, 4, 1], Value::Integer(band.frequency_mhz as i32));
        self.enterprise(AIRMAX, &[1, 1, 6, 1], Value::Integer(band.tx_power_dbm));
        let meters = self.peers.iter().map(Peer::meters).max().unwrap_or(0);
        self.enterprise(AIRMAX, &[1, 1, 7, 1], Value::Integer(meters));
        self.enterprise(AIRMAX, &[5, 1, 2, 1], text(format!("airmax-{:04x}", self.device.salt as u16)));
        let strangers = if self.device.is_sector { STRANGERS } else { 0 };
        self.airmax_status(band);
        let stations = (self.peers.len() + strangers) as u32;
        self.enterprise(AIRMAX, &[5, 1, 14, 1], Value::Integer(band.width_mhz as i32));
        self.enterprise(AIRMAX, &[5, 1, 15, 1], Value::Gauge32(stations));
        self.enterprise(AIRMAX, &[6, 1, 7, 1], Value::Integer(self.airtime_permille() as i32));
        self.enterprise(AIRMAX, &[8, 3, 0], Value::Integer(606));
        self.enterprise(AIRMAX, &[8, 4, 0], Value::Integer(31));
        self.airmax_stations();
        for i in 0..strangers {
            self.airmax_stranger(i);
        }
    }

    /// Share of air time in use, tenths of a percent.
    fn airtime_permille(&self) -> f64 {
        let share = |peer: &Peer<'_>| {
            let [(tx, sending), (rx, receiving)] = peer.figures.tx_rx(peer.end);
            sending / tx.max(1.0) + receiving / rx.max(1.0)
        };
        (1000.0 * self.peers.iter().map(share).sum::<f64>()).clamp(0.0, 1000.0)
    }

    /// The signal that the device shows for itself is its best peer's.
    fn airmax_status(&mut self, band: &Band) {
        let best = self
            .peers
            .iter()
            .map(|p| (p.here, p.tx_mbps, p.rx_mbps))
            .max_by(|a, b| a.0.rsl_dbm.total_cmp(&b.0.rsl_dbm));
        let noise_dbm = best.map_or(band.noise_dbm, |(here, ..)| here.noise_dbm);
        self.enterprise(AIRMAX, &[5, 1, 8, 1], whole(noise_dbm));
        let Some((here, tx_mbps, rx_mbps)) = best else { return };
        // On real ones the RSSI counts from −96 dBm, and the chains are a decibel or two apart.
        let rssi = here.rsl_dbm + 96.0;
        self.enterprise(AIRMAX, &[2, 1, 2, 1, 1], whole(rssi - 2.0));
        self.enterprise(AIRMAX, &[2, 1, 2, 1, 2], whole(rssi - 3.0));
        self.enterprise(AIRMAX, &[5, 1, 5, 1], whole(here.rsl_dbm));
        self.enterprise(AIRMAX, &[5, 1, 6, 1], whole(rssi));
        self.enterprise(AIRMAX, &[5, 1, 7, 1], Value::Integer(90));
        self.enterprise(AIRMAX, &[5, 1, 9, 1], Value::Integer((tx_mbps * 1.25e6) as i32));
        self.enterprise(AIRMAX, &[5, 1, 10, 1], Value::Integer((rx_mbps * 1.25e6) as i32));
    }

    fn airmax_stations(&mut self) {
        let mut rows = Vec::new();
        for peer in &self.peers {
            let m = peer.mac_index();
            let mut put =
                |column: u32, value: Value| rows.push(([column, 1, m[0], m[1], m[2], m[3], m[4], m[5]], value));
            let [(_, sending), (_, receiving)] = peer.figures.tx_rx(peer.end);
            put(1, octets(&peer.mac));
            put(2, text(peer.name));
            put(3, whole(peer.here.rsl_dbm));
            put(4, whole(peer.here.noise_dbm));
            put(5, Value::Integer(peer.meters()));
            put(6, Value::Integer(90));
            put(11, Value::Integer((peer.tx_mbps * 1.25e6) as i32));
            put(12, Value::Integer((peer.rx_mbps * 1.25e6) as i32));
            put(13, Value::Counter64(peer.traffic.sent_bytes as u64));
            put(14, Value::Counter64(peer.traffic.received_bytes as u64));
            put(15, Value::TimeTicks(360_000));
            put(16, whole(peer.here.snr_db));
            if self.capacity {
                put(17, kbps(peer.tx_mbps));
                put(18, kbps(peer.rx_mbps));
            }
            put(19, whole(1000.0 * sending / peer.tx_mbps.max(1.0)));
            put(20, whole(1000.0 * receiving / peer.rx_mbps.max(1.0)));
        }
        for (suffix, value) in rows {
            self.enterprise(AIRMAX_STATION, &suffix, value);
        }
    }

    /// A customer of the operator's on our sector: what is seen of it must stay on the agent.
    fn airmax_stranger(&mut self, i: usize) {
        let name = hash(&[b"stranger", &self.device.salt.to_le_bytes(), &[i as u8]]).to_be_bytes();
        let mac = [0x02, 0x99, name[4], name[5], name[6], name[7]];
        let m = mac.map(u32::from);
        let row: [(u32, Value); 10] = [
            (1, octets(&mac)),
            (2, text(format!("stranger {}", i + 1))),
            (3, Value::Integer(-66 - i as i32)),
            (4, Value::Integer(-92)),
            (5, Value::Integer(2100 + 700 * i as i32)),
            (16, Value::Integer(25)),
            (17, Value::Integer(108_000)),
            (18, Value::Integer(72_000)),
            (19, Value::Integer(40 + 15 * i as i32)),
            (20, Value::Integer(12)),
        ];
        for (column, value) in row {
            self.enterprise(AIRMAX_STATION, &[column, 1, m[0], m[1], m[2], m[3], m[4], m[5]], value);
        }
    }
}
