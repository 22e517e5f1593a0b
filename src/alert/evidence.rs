//! What both ends of a link said: last known readings, who was behind the link, neighbours in the same weather. `[P]`

use std::collections::{BTreeMap, BTreeSet};

use super::describe::carries_enough;
use super::incident::EvidenceEnd;
use crate::model::network::Network;
use crate::model::view::{EndView, LinkState, LinkView, NetworkView};
use crate::model::{EdgeId, LinkId, SiteId, UnixMillis};

/// Links within this distance are in the same weather: convective rain cells are 5 to 20 km wide.
const AREA_KM: f64 = 15.0;

/// A neighbour that lost this much is fading too.
const NEIGHBOUR_FADE_DB: f64 = 3.0;

/// Rain is charged by the kilometre. A neighbour speaks against it only if the same rain would have cost it at least
/// twice the drop that counts as fading: a hop of a few hundred metres stays as usual in any weather.
const NEIGHBOUR_EXPECTED_DB: f64 = 2.0 * NEIGHBOUR_FADE_DB;

/// Frequencies within this ratio fade alike: 58 and 66 GHz do, 24 and 60 GHz do not (ITU-R P.838).
const SAME_BAND_RATIO: f64 = 1.25;

/// Of one look in what is usual: at a look every few seconds that is half an hour, at one a minute half a day.
const USUAL_WEIGHT: f64 = 0.002;

/// Mean radius of the Earth, IUGG.
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// Last known readings of the ends of each link, and the sites behind it while it was up: a link that is down says
/// neither. Bounded by the inventory; not stored, for it only makes evidence fuller.
#[derive(Debug, Default)]
pub struct Recent {
    ends: BTreeMap<EdgeId, [Option<Kept>; 2]>,
    behind: BTreeMap<EdgeId, Vec<SiteId>>,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    rsl: Option<(f64, UnixMillis)>,
    snr_db: Option<f64>,
    noise_floor_dbm: Option<f64>,
    channel_mhz: Option<f64>,
    supply_volts: Option<f64>,
    temperature_celsius: Option<f64>,
    port_rate_mbps: Option<f64>,
    modulation: Option<String>,
    usual: Usual,
}

/// What was seen while the link was well.
#[derive(Debug, Clone, Default)]
struct Usual {
    noise_floor_dbm: Option<f64>,
    supply_volts: Option<f64>,
    firmware: Option<String>,
}

impl Usual {
    /// Forgets slowly, so that a fall of an hour does not become usual; a firmware counts from the first look on.
    fn learn(&mut self, end: &EndView) {
        fn mean(slot: &mut Option<f64>, value: Option<f64>) {
            if let Some(value) = value {
                *slot = Some(slot.map_or(value, |old| old + USUAL_WEIGHT * (value - old)));
            }
        }
        mean(&mut self.noise_floor_dbm, end.noise_floor_dbm.get());
        mean(&mut self.supply_volts, end.supply_volts.get());
        if end.firmware.is_some() {
            self.firmware.clone_from(&end.firmware);
        }
    }
}

impl Recent {
    pub fn observe(&mut self, view: &NetworkView, now: UnixMillis) {
        for link in view.edges() {
            if link.state == LinkState::Up && self.behind.get(&link.id) != Some(&link.behind) {
                self.behind.insert(link.id.clone(), link.behind.clone());
            }
            if link.near.is_none() && link.far.is_none() {
                continue;
            }
            let kept = self.ends.entry(link.id.clone()).or_default();
            let well = carries_enough(link);
            for (end, kept) in [&link.near, &link.far].into_iter().zip(kept) {
                if let Some(end) = end {
                    let kept = kept.get_or_insert_default();
                    kept.update(end, now);
                    if well {
                        kept.usual.learn(end);
                    }
                }
            }
        }
    }

    /// Centre frequency of the link, as last known.
    pub fn channel_mhz(&self, link: &LinkView) -> Option<f64> {
        self.ends.get(&link.id)?.iter().flatten().find_map(|kept| kept.channel_mhz)
    }

    /// Sites behind the link when it was last up, and now.
    pub fn behind(&self, link: &LinkView) -> BTreeSet<SiteId> {
        self.behind.get(&link.id).into_iter().flatten().chain(&link.behind).cloned().collect()
    }
}

impl Kept {
    fn update(&mut self, end: &EndView, now: UnixMillis) {
        fn keep<T>(slot: &mut Option<T>, value: Option<T>) {
            if value.is_some() {
                *slot = value;
            }
        }
        keep(&mut self.rsl, end.rsl_dbm.get().map(|dbm| (dbm, end.seen_at.unwrap_or(now))));
        keep(&mut self.snr_db, end.snr_db.get());
        keep(&mut self.noise_floor_dbm, end.noise_floor_dbm.get());
        keep(&mut self.channel_mhz, end.channel_mhz.get());
        keep(&mut self.supply_volts, end.supply_volts.get());
        keep(&mut self.temperature_celsius, end.temperature_celsius.get());
        keep(&mut self.port_rate_mbps, end.port_rate_mbps.get());
        if end.modulation.is_some() {
            self.modulation.clone_from(&end.modulation);
        }
    }
}

/// The evidence of an edge: of a bundle, that of the member which is at fault.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    pub link: Option<LinkId>,
    pub near: Option<EvidenceEnd>,
    pub far: Option<EvidenceEnd>,
}

pub fn collect(recent: &Recent, network: &Network, view: &NetworkView, edge: &LinkView) -> Evidence {
    let shown =
        if edge.near.is_none() && edge.far.is_none() { faulty_member(view, edge).unwrap_or(edge) } else { edge };
    let kept = recent.ends.get(&shown.id);
    let end = |end: &Option<EndView>, at: usize| {
        end.as_ref().map(|e| evidence_end(network, e, kept.and_then(|k| k[at].as_ref())))
    };
    let link = match &shown.id {
        EdgeId::Link(id) => Some(id.clone()),
        EdgeId::Bundle(_) | EdgeId::Backhaul(_) => None,
    };
    Evidence { link, near: end(&shown.near, 0), far: end(&shown.far, 1) }
}

/// On standby the member that should work; otherwise one that is down, else the first.
fn faulty_member<'v>(view: &'v NetworkView, bundle: &LinkView) -> Option<&'v LinkView> {
    let members: Vec<&LinkView> = bundle.members.iter().filter_map(|id| view.links.get(id.as_str())).collect();
    let down = members.iter().find(|m| matches!(m.state, LinkState::Down(_)));
    if bundle.on_standby { members.first() } else { down.or(members.first()) }.copied()
}

fn evidence_end(network: &Network, end: &EndView, kept: Option<&Kept>) -> EvidenceEnd {
    let kept = kept.cloned().unwrap_or_default();
    let site = network.sites.get(end.site.as_str());
    let device = network.devices.get(end.device.as_str());
    EvidenceEnd {
        site: site.map_or_else(|| end.site.to_string(), |s| s.name.clone()),
        device: end.device.to_string(),
        address: device.map(|d| d.address.to_string()).unwrap_or_default(),
        model: end.model.clone(),
        firmware: end.firmware.clone(),
        answers: end.answers,
        rsl_dbm_usual: end.rsl_dbm_usual,
        rsl_dbm: kept.rsl.map(|(dbm, _)| dbm),
        snr_db_usual: end.snr_db_usual,
        snr_db: kept.snr_db,
        modulation: kept.modulation,
        port_rate_mbps: kept.port_rate_mbps,
        supply_volts: kept.supply_volts,
        airtime_percent: end.airtime_percent.get(),
        noise_floor_dbm: kept.noise_floor_dbm,
        temperature_celsius: kept.temperature_celsius,
        noise_floor_dbm_usual: kept.usual.noise_floor_dbm,
        supply_volts_usual: kept.usual.supply_volts,
        firmware_before: kept.usual.firmware.filter(|before| end.firmware.as_ref().is_some_and(|now| now != before)),
        rsl_at: kept.rsl.map(|(_, at)| at),
    }
}

/// Links of the same band near this one: how many fade, how many are as usual. Those that cannot be told are neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Neighbours {
    pub faded: usize,
    pub steady: usize,
}

/// `drop_db`: what the link itself lost.
pub fn neighbours(
    recent: &Recent,
    network: &Network,
    view: &NetworkView,
    link: &LinkView,
    drop_db: Option<f64>,
) -> Neighbours {
    let mut found = Neighbours::default();
    let (Some(here), Some(own_km)) = (midpoint(network, link), length_km(network, link)) else { return found };
    for other in view.links.values().filter(|o| o.id != link.id && same_band(recent, o, link)) {
        // A parallel link between the same two sites shares masts and obstacles: it says nothing about the weather.
        let parallel = other.near_site == link.near_site && other.far_site == link.far_site;
        let near_enough = midpoint(network, other).is_some_and(|there| distance_km(here, there) <= AREA_KM);
        if parallel || !near_enough {
            continue;
        }
        match fade_db(other) {
            Some(db) if db >= NEIGHBOUR_FADE_DB => found.faded += 1,
            Some(_) if would_fade(drop_db, own_km, length_km(network, other)) => found.steady += 1,
            _ => {}
        }
    }
    found
}

/// Would rain that cost `drop_db` over `own_km` be seen on a path of this length?
fn would_fade(drop_db: Option<f64>, own_km: f64, other_km: Option<f64>) -> bool {
    let (Some(drop_db), Some(other_km)) = (drop_db, other_km) else { return false };
    own_km > 0.0 && drop_db * other_km / own_km >= NEIGHBOUR_EXPECTED_DB
}

/// By frequency; by family where a frequency is not known.
fn same_band(recent: &Recent, a: &LinkView, b: &LinkView) -> bool {
    match (recent.channel_mhz(a), recent.channel_mhz(b)) {
        (Some(a), Some(b)) => a.max(b) <= a.min(b) * SAME_BAND_RATIO,
        _ => profile(a).is_some() && profile(a) == profile(b),
    }
}

/// The larger drop of both ends, dB.
fn fade_db(link: &LinkView) -> Option<f64> {
    let drop = |end: &Option<EndView>| {
        let end = end.as_ref()?;
        Some(end.rsl_dbm_usual? - end.rsl_dbm.get()?)
    };
    [drop(&link.near), drop(&link.far)].into_iter().flatten().reduce(f64::max)
}

pub fn profile(link: &LinkView) -> Option<&str> {
    [&link.near, &link.far].into_iter().flatten().find_map(|end| end.profile.as_deref())
}

/// Of both sites, degrees.
fn places(network: &Network, link: &LinkView) -> Option<[(f64, f64); 2]> {
    let near = network.sites.get(link.near_site.as_str())?;
    let far = network.sites.get(link.far_site.as_ref()?.as_str())?;
    Some([(near.lat, near.lon), (far.lat, far.lon)])
}

fn midpoint(network: &Network, link: &LinkView) -> Option<(f64, f64)> {
    let [near, far] = places(network, link)?;
    Some((f64::midpoint(near.0, far.0), f64::midpoint(near.1, far.1)))
}

fn length_km(network: &Network, link: &LinkView) -> Option<f64> {
    let [near, far] = places(network, link)?;
    Some(distance_km(near, far))
}

/// Great-circle distance (haversine) of two points in degrees.
fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (lat_a, lat_b) = (a.0.to_radians(), b.0.to_radians());
    let half_lat = ((lat_b - lat_a) / 2.0).sin();
    let half_lon = ((b.1 - a.1).to_radians() / 2.0).sin();
    let h = half_lat * half_lat + lat_a.cos() * lat_b.cos() * half_lon * half_lon;
    2.0 * EARTH_RADIUS_KM * h.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_links_do_not_speak_against_rain() {
        // 18 dB over 6 km is 3 dB a kilometre.
        for (other_km, counts) in [(0.5, false), (1.9, false), (2.1, true), (12.0, true)] {
            assert_eq!(would_fade(Some(18.0), 6.0, Some(other_km)), counts, "{other_km} km");
        }
        assert!(!would_fade(None, 6.0, Some(6.0)));
        assert!(!would_fade(Some(18.0), 0.0, Some(6.0)));
    }

    #[test]
    fn distances_agree_with_the_map() {
        // One degree of latitude is 111.195 km on a sphere of this radius; of longitude, that times cos(latitude).
        assert!((distance_km((44.0, 8.0), (45.0, 8.0)) - 111.195).abs() < 0.01);
        assert!((distance_km((60.0, 8.0), (60.0, 9.0)) - 55.6).abs() < 0.1);
        assert_eq!(distance_km((44.5, 8.1), (44.5, 8.1)), 0.0);
    }
}
