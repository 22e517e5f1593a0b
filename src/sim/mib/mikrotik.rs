//! What simulated MikroTik devices say: MIKROTIK-MIB for 60 GHz and for classic wireless. `[P]`

use async_snmp::Value;

use super::{FIRST_STATION_IF, Peer, RADIO_IF, Writer, bps, mcs, octets, text, whole};

/// MIKROTIK-MIB, below `enterprises`.
const MIKROTIK: &[u32] = &[14988, 1, 1];

impl Writer<'_> {
    /// Supply voltage and temperature, and what every RouterOS device says of itself.
    fn mikrotik_health(&mut self) {
        let decivolts = 236 + (self.device.salt % 9) as i32;
        let celsius = 29 + (self.device.salt % 13) as i32;
        self.enterprise(MIKROTIK, &[3, 8, 0], Value::Integer(decivolts));
        self.enterprise(MIKROTIK, &[3, 10, 0], Value::Integer(celsius * 10));
        self.enterprise(MIKROTIK, &[4, 4, 0], text("7.16.2"));
        self.enterprise(MIKROTIK, &[7, 3, 0], text(format!("SIM{:08X}", self.device.salt as u32)));
    }

    pub(super) fn mikrotik_60(&mut self) {
        let Some(band) = self.band() else { return };
        self.mikrotik_health();
        let i = RADIO_IF;
        let phy_mbps = self.phy_mbps();
        let told = |p: &Peer<'_>| (p.mac, mcs(&p.there), quality(p.here.snr_db), p.here.rsl_dbm);
        let first = self.peers.first().map(told);
        let mode = if self.is_near() { 3 } else { 1 };
        let mut row: Vec<(u32, Value)> = vec![
            (2, Value::Integer(mode)),
            (3, text(format!("w60g-{:04x}", self.device.salt as u16))),
            (4, Value::Integer(i32::from(first.is_some()))),
            (6, Value::Integer(band.frequency_mhz as i32)),
        ];
        if let Some((mac, mcs, quality, rsl_dbm)) = first {
            row.push((5, octets(&mac)));
            row.push((7, Value::Integer(mcs)));
            row.push((8, Value::Integer(quality)));
            row.push((12, whole(rsl_dbm)));
            if self.capacity {
                row.push((13, Value::Gauge32(phy_mbps)));
            }
        }
        for (column, value) in row {
            self.enterprise(MIKROTIK, &[1, 8, 1, column, i], value);
        }
        if self.is_near() {
            self.mikrotik_60_stations(phy_mbps);
        }
    }

    fn mikrotik_60_stations(&mut self, phy_mbps: u32) {
        let mut rows = Vec::new();
        for (n, peer) in self.peers.iter().enumerate() {
            let i = FIRST_STATION_IF + n as u32;
            let mut put = |column: u32, value: Value| rows.push(([1, 9, 1, column, i], value));
            put(2, Value::Integer(1));
            put(3, octets(&peer.mac));
            put(4, Value::Integer(mcs(&peer.there)));
            put(5, Value::Integer(quality(peer.here.snr_db)));
            if self.capacity {
                put(8, Value::Gauge32(phy_mbps));
            }
            put(9, whole(peer.here.rsl_dbm));
            // The MIB says metres; real ones count centimetres.
            put(10, Value::Integer(peer.meters().saturating_mul(100)));
        }
        for (suffix, value) in rows {
            self.enterprise(MIKROTIK, &suffix, value);
        }
    }

    pub(super) fn mikrotik_classic(&mut self) {
        self.mikrotik_health();
        let Some(band) = self.band() else { return };
        let i = RADIO_IF;
        let is_access_point = self.is_near();
        let ssid = format!("wlan-{:04x}", self.device.salt as u16);
        let channel = format!("{}/20-Ce/an", band.frequency_mhz);
        let mut rows: Vec<(Vec<u32>, Value)> = Vec::new();
        for peer in &self.peers {
            let m = peer.mac_index();
            let mut put = |column: u32, value: Value| {
                rows.push((vec![1, 2, 1, column, m[0], m[1], m[2], m[3], m[4], m[5], i], value));
            };
            put(3, whole(peer.here.rsl_dbm));
            if self.capacity {
                put(8, bps(peer.tx_mbps));
                put(9, bps(peer.rx_mbps));
            }
            put(11, Value::TimeTicks(360_000));
            put(12, whole(peer.here.snr_db));
            // The two chains are a decibel apart, and together 3 dB stronger than either.
            put(14, whole(peer.here.rsl_dbm - 2.5));
            put(16, whole(peer.here.rsl_dbm - 3.5));
            put(19, whole(peer.there.rsl_dbm));
            put(20, text(peer.name));
            if !is_access_point {
                let mut put = |column: u32, value: Value| rows.push((vec![1, 1, 1, column, i], value));
                if self.capacity {
                    put(2, bps(peer.tx_mbps));
                    put(3, bps(peer.rx_mbps));
                }
                put(4, whole(peer.here.rsl_dbm));
                put(5, text(ssid.clone()));
                put(6, octets(&peer.mac));
                put(7, Value::Integer(peer.band.frequency_mhz as i32));
                put(8, text(channel.clone()));
                // Real ones type these two as Counter32.
                put(9, Value::Counter32(95));
                put(10, Value::Counter32(92));
            }
        }
        if is_access_point {
            let clients = self.peers.len() as u32;
            let noise_dbm = self.peers.first().map_or(band.noise_dbm, |p| p.here.noise_dbm);
            let mut put = |column: u32, value: Value| rows.push((vec![1, 3, 1, column, i], value));
            put(2, Value::Gauge32(0));
            put(3, Value::Gauge32(0));
            put(4, text(ssid));
            put(6, Value::Gauge32(clients));
            put(7, Value::Integer(band.frequency_mhz as i32));
            put(8, text(channel));
            put(9, whole(noise_dbm));
            put(10, Value::Counter32(if clients > 0 { 94 } else { 0 }));
            put(11, Value::Gauge32(clients));
        }
        rows.push((vec![1, 4, 0], Value::Integer(self.peers.len() as i32)));
        for (suffix, value) in rows {
            self.enterprise(MIKROTIK, &suffix, value);
        }
    }
}

/// MikroTik's signal quality of a 60 GHz link, 0 to 100: 80 at 15 dB, as on a real one.
fn quality(snr_db: f64) -> i32 {
    (snr_db * 80.0 / 15.0).clamp(0.0, 100.0).round() as i32
}
