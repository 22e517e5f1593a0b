//! How simulated radios behave: link budgets and what each family makes of a signal. `[P]`
//!
//! Plausible, not exact: antennas are as large as the path needs (an installer would have seen to it), and each
//! family has one channel and one table from SNR to rate.

use crate::model::network::Device;

/// What the fair-weather SNR exceeds the best rate's need by, at least, dB: planners leave a margin.
const FADE_MARGIN_DB: f64 = 3.0;
/// Strongest level that power control leaves, dBm.
const RSL_MAX_DBM: f64 = -48.0;
/// Step in which antennas and power come, dB.
const GAIN_STEP_DB: f64 = 3.0;
/// Shortest path that the formula is used for, km: below, antennas are not points.
const PATH_KM_MIN: f64 = 0.05;

/// A family of devices, as it answers SNMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    Af60,
    AirmaxAc,
    Mikrotik60,
    MikrotikClassic,
    /// IF-MIB only: a switch or a router.
    Generic,
}

impl Family {
    /// The family that the inventory's profile names; without one, what the device's name suggests, as people name
    /// radios after their model. MikroTik's two kinds share a profile and are told by the ending of the name.
    pub fn of(device: &Device) -> Self {
        let id = device.id.as_str();
        let has = |word: &str| id.split('-').any(|part| part == word);
        match device.profile.as_deref() {
            Some(p) if p.starts_with("ubiquiti-af60") => Self::Af60,
            Some(p) if p.starts_with("ubiquiti-airmax") => Self::AirmaxAc,
            Some(p) if p.starts_with("mikrotik") => {
                let is_60 = id.ends_with("-60g") || p.contains("60");
                if is_60 { Self::Mikrotik60 } else { Self::MikrotikClassic }
            }
            None if has("af60") => Self::Af60,
            None if has("airmax") || has("ac") => Self::AirmaxAc,
            None if has("60g") => Self::Mikrotik60,
            None if has("5g") || has("5ghz") => Self::MikrotikClassic,
            _ => Self::Generic,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Af60 => "ubiquiti-af60",
            Self::AirmaxAc => "ubiquiti-airmax",
            Self::Mikrotik60 => "mikrotik 60 GHz",
            Self::MikrotikClassic => "mikrotik 5 GHz",
            Self::Generic => "generic",
        }
    }

    pub fn is_ubiquiti(self) -> bool {
        matches!(self, Self::Af60 | Self::AirmaxAc)
    }

    pub fn band(self) -> Option<&'static Band> {
        match self {
            Self::Af60 => Some(&AF60),
            Self::AirmaxAc => Some(&AIRMAX_AC),
            Self::Mikrotik60 => Some(&MIKROTIK_60),
            Self::MikrotikClassic => Some(&MIKROTIK_CLASSIC),
            Self::Generic => None,
        }
    }
}

/// One channel of one family.
#[derive(Debug)]
pub struct Band {
    pub frequency_mhz: u32,
    pub width_mhz: u32,
    pub tx_power_dbm: i32,
    /// Transmit power and both antennas, dB, before what a long path adds.
    system_gain_db: f64,
    /// Thermal noise of the channel and of the receiver, dBm.
    pub noise_dbm: f64,
    /// Loss to oxygen, dB/km (ITU-R P.676: 15 dB/km at 60 GHz, about 1.5 at 69 GHz, none to speak of at 5 GHz).
    gas_db_per_km: f64,
    /// Share of a 60 GHz rain loss that this band has (ITU-R P.838: at 5 GHz about a hundredth).
    pub rain_share: f64,
    /// From best to worst; below the last one the link is down.
    steps: &'static [Step],
}

/// A rate, and the least SNR that carries it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    pub snr_db: f64,
    pub rate_mbps: f64,
    pub mcs: i32,
}

const fn step(mcs: i32, snr_db: f64, rate_mbps: f64) -> Step {
    Step { snr_db, rate_mbps, mcs }
}

/// AF60-LR on 540 MHz: 1951 Mbps at MCS 9, −55 dBm, SNR 19 and 4 km were seen on a real one.
static AF60: Band = Band {
    frequency_mhz: 69_120,
    width_mhz: 540,
    tx_power_dbm: 10,
    system_gain_db: 92.0,
    noise_dbm: -74.0,
    gas_db_per_km: 1.5,
    rain_share: 1.0,
    steps: &[
        step(9, 15.0, 1951.0),
        step(8, 13.5, 1560.0),
        step(7, 12.0, 1300.0),
        step(6, 10.0, 1040.0),
        step(5, 8.5, 780.0),
        step(4, 7.0, 585.0),
        step(3, 5.5, 390.0),
        step(2, 4.0, 195.0),
        step(1, 2.5, 65.0),
        step(0, 0.0, 20.0),
    ],
};

/// MikroTik 60 GHz (802.11ad single carrier): PHY rates of IEEE 802.11ad-2012, table 21-18; MCS 0 is the control PHY.
static MIKROTIK_60: Band = Band {
    frequency_mhz: 58_320,
    width_mhz: 2160,
    tx_power_dbm: 10,
    system_gain_db: 92.0,
    noise_dbm: -70.0,
    gas_db_per_km: 15.0,
    rain_share: 1.0,
    steps: &[
        step(8, 14.0, 2310.0),
        step(7, 12.5, 1925.0),
        step(6, 11.0, 1540.0),
        step(5, 9.5, 1251.0),
        step(4, 8.0, 1155.0),
        step(3, 6.5, 962.0),
        step(2, 5.0, 770.0),
        step(1, 3.0, 385.0),
        step(0, 0.0, 27.0),
    ],
};

/// airMAX AC on 40 MHz, as its own estimate of capacity each way.
static AIRMAX_AC: Band = Band {
    frequency_mhz: 5600,
    width_mhz: 40,
    tx_power_dbm: 24,
    system_gain_db: 74.0,
    noise_dbm: -92.0,
    gas_db_per_km: 0.007,
    rain_share: 0.01,
    steps: &[
        step(9, 31.0, 240.0),
        step(8, 29.0, 216.0),
        step(7, 27.0, 180.0),
        step(6, 24.0, 162.0),
        step(5, 21.0, 144.0),
        step(4, 18.0, 108.0),
        step(3, 14.0, 72.0),
        step(2, 11.0, 54.0),
        step(1, 8.0, 36.0),
        step(0, 4.0, 18.0),
    ],
};

/// MikroTik 802.11n on 40 MHz, two chains, short guard interval: PHY rates of IEEE 802.11n-2009.
static MIKROTIK_CLASSIC: Band = Band {
    frequency_mhz: 5745,
    width_mhz: 40,
    tx_power_dbm: 24,
    system_gain_db: 74.0,
    noise_dbm: -94.0,
    gas_db_per_km: 0.007,
    rain_share: 0.01,
    steps: &[
        step(15, 28.0, 300.0),
        step(14, 26.0, 270.0),
        step(13, 24.0, 240.0),
        step(12, 20.0, 180.0),
        step(11, 16.0, 120.0),
        step(10, 13.0, 90.0),
        step(9, 10.0, 60.0),
        step(8, 7.0, 30.0),
        step(0, 4.0, 15.0),
    ],
};

impl Band {
    /// What the SNR carries; `None` where it carries nothing.
    pub fn step(&self, snr_db: f64) -> Option<Step> {
        self.steps.iter().copied().find(|s| snr_db >= s.snr_db)
    }

    pub fn best(&self) -> Step {
        self.steps[0]
    }

    /// Received level in fair weather over a path of this length, dBm, with antennas and power suited to the path.
    pub fn fair_rsl_dbm(&self, km: f64) -> f64 {
        let km = km.max(PATH_KM_MIN);
        let loss = free_space_loss_db(km, f64::from(self.frequency_mhz)) + self.gas_db_per_km * km;
        let bare = self.system_gain_db - loss;
        let wanted = self.noise_dbm + self.best().snr_db + FADE_MARGIN_DB;
        if bare < wanted {
            bare + GAIN_STEP_DB * ((wanted - bare) / GAIN_STEP_DB).ceil()
        } else {
            bare.min(RSL_MAX_DBM)
        }
    }
}

/// Free-space basic transmission loss, dB: ITU-R P.525-4, equation (4), distance in km and frequency in MHz.
pub fn free_space_loss_db(km: f64, mhz: f64) -> f64 {
    32.4 + 20.0 * mhz.log10() + 20.0 * km.log10()
}

/// A point on the ground, WGS 84 degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub lat: f64,
    pub lon: f64,
}

/// Great-circle distance, km (haversine, mean Earth radius 6371 km).
pub fn distance_km(a: Place, b: Place) -> f64 {
    let half_lat = ((b.lat - a.lat) / 2.0).to_radians().sin();
    let half_lon = ((b.lon - a.lon) / 2.0).to_radians().sin();
    let h = half_lat * half_lat + a.lat.to_radians().cos() * b.lat.to_radians().cos() * half_lon * half_lon;
    2.0 * 6371.0 * h.sqrt().clamp(0.0, 1.0).asin()
}

/// Share of the straight path from `a` to `b` that lies within the circle, 0 to 1.
pub fn share_within(a: Place, b: Place, centre: Place, radius_km: f64) -> f64 {
    /// Points looked at along the path: a hundredth of a path is nearer than any weather is known.
    const POINTS: u32 = 100;
    let inside = |i: &u32| {
        let t = (f64::from(*i) + 0.5) / f64::from(POINTS);
        let point = Place { lat: a.lat + t * (b.lat - a.lat), lon: a.lon + t * (b.lon - a.lon) };
        distance_km(point, centre) <= radius_km
    };
    (0..POINTS).filter(inside).count() as f64 / f64::from(POINTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found}, expected {expected}");
    }

    #[test]
    fn free_space_loss_against_the_definition() {
        // Oracle: (4 π d f / c)², with d in metres and f in Hz.
        let by_definition =
            |km: f64, mhz: f64| 20.0 * (4.0 * std::f64::consts::PI * km * 1e3 * mhz * 1e6 / 299_792_458.0).log10();
        for (km, mhz) in [(0.1, 58_320.0), (1.0, 5600.0), (4.076, 69_120.0), (35.0, 5745.0)] {
            close(free_space_loss_db(km, mhz), by_definition(km, mhz), 0.06);
        }
    }

    #[test]
    fn distances_of_known_places() {
        let at = |lat, lon| Place { lat, lon };
        // A degree of latitude: 6371 km × π / 180.
        close(distance_km(at(44.0, 8.0), at(45.0, 8.0)), 111.195, 0.01);
        close(distance_km(at(0.0, 8.0), at(0.0, 9.0)), 111.195, 0.01);
        // A degree of longitude at 60° north is half of one at the equator, less what the great circle cuts off.
        close(distance_km(at(60.0, 8.0), at(60.0, 9.0)), 55.597, 0.01);
        assert_eq!(distance_km(at(44.5, 8.1), at(44.5, 8.1)), 0.0);
    }

    #[test]
    fn share_of_a_path_in_a_circle() {
        let at = |lat| Place { lat, lon: 8.0 };
        // 44.0 to 44.2 is 22.24 km; a circle of 5.56 km around its middle holds half of it.
        close(share_within(at(44.0), at(44.2), at(44.1), 5.56), 0.5, 0.02);
        assert_eq!(share_within(at(44.0), at(44.2), at(44.1), 50.0), 1.0);
        assert_eq!(share_within(at(44.0), at(44.2), at(45.0), 10.0), 0.0);
    }

    #[test]
    fn a_known_af60_link_has_its_known_level() {
        // Seen on a real AF60-LR: 4.076 km, −55 dBm, SNR 19, MCS 9, 1951 Mbps.
        let rsl_dbm = AF60.fair_rsl_dbm(4.076);
        close(rsl_dbm, -55.0, 1.0);
        let step = AF60.step(rsl_dbm - AF60.noise_dbm).expect("it is up");
        assert_eq!((step.mcs, step.rate_mbps), (9, 1951.0));
    }

    #[test]
    fn every_band_is_at_its_best_in_fair_weather_and_falls_with_the_signal() {
        for band in [&AF60, &MIKROTIK_60, &AIRMAX_AC, &MIKROTIK_CLASSIC] {
            for km in [0.0, 0.2, 1.0, 3.0, 8.0, 15.0, 30.0] {
                let snr = band.fair_rsl_dbm(km) - band.noise_dbm;
                assert!(snr >= band.best().snr_db + FADE_MARGIN_DB, "{} MHz, {km} km: {snr} dB", band.frequency_mhz);
                assert!(band.fair_rsl_dbm(km) <= RSL_MAX_DBM);
            }
            assert!(band.steps.windows(2).all(|w| w[0].snr_db > w[1].snr_db && w[0].rate_mbps > w[1].rate_mbps));
            assert_eq!(band.step(band.steps[band.steps.len() - 1].snr_db - 0.1), None);
        }
    }
}
