//! The simulated world at each instant: what every link carries, which devices have power, who can reach whom. `[P]`
//!
//! Everything but the traffic counters and the power-up times is a function of the seed and of scenario time alone,
//! so that two runs agree whoever polls them and however often.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::address::hash;
use super::plan::{Plan, SimLink, index_of};
use super::radio::{Place, Step, share_within};
use super::scenario::{Effects, EventKind, Scenario};
use crate::model::network::{End, Network};
use crate::model::{BackhaulId, DeviceId, LinkId, MonoMillis, SiteId, UnixMillis};

/// Levels and noise wander by so much to either side, dB.
const WANDER_DB: f64 = 0.5;
/// They take a new value this often, in scenario time.
const WANDER_EVERY: Duration = Duration::from_secs(10);
/// Capacity of a cable, Mbps.
const CABLE_MBPS: f64 = 1000.0;
/// Share of a link's fair-weather capacity that people draw in the busiest hour, and the most that it can be, Mbps.
const BUSY_SHARE: f64 = 0.25;
const DEMAND_MBPS_MAX: f64 = 180.0;
/// Upstream traffic, as a share of downstream.
const UPSTREAM_SHARE: f64 = 0.15;
/// Share of one direction's capacity that traffic fills at the most: two directions of one shared channel then fit.
const FILL_MAX: f64 = 0.45;
/// Share of the busiest hour's traffic in each hour of the day, in local time.
const DAY: [f64; 24] = [
    0.35, 0.22, 0.15, 0.12, 0.10, 0.10, 0.14, 0.25, 0.40, 0.52, 0.55, 0.56, 0.55, 0.58, 0.60, 0.60, 0.62, 0.66, 0.72,
    0.82, 0.95, 1.00, 0.88, 0.60,
];
/// Offset of the invented valley's clock, ms: winter time in Italy.
const LOCAL_OFFSET_MS: i64 = 3_600_000;
/// Time that an answer needs besides the way, ms.
const ANSWER_MS: f64 = 0.25;

/// Reception at one end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EndFigures {
    pub rsl_dbm: f64,
    pub noise_dbm: f64,
    pub snr_db: f64,
    /// What this end can receive; `None`: nothing.
    pub rx: Option<Step>,
}

/// One link.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkFigures {
    /// It joins its ends: both have power and hear each other.
    pub up: bool,
    /// Near and far end; `None`: a cable.
    pub ends: Option<[EndFigures; 2]>,
    /// What the radios' own figures say, Mbps; 0 when down. Ports may be narrower, and MikroTik's figure is its PHY
    /// rate, of which half is capacity.
    pub capacity_to_far_mbps: f64,
    pub capacity_to_near_mbps: f64,
    pub throughput_to_far_mbps: f64,
    pub throughput_to_near_mbps: f64,
}

impl LinkFigures {
    /// What the end sends and receives: (capacity, throughput) of each, Mbps.
    pub fn tx_rx(&self, end: End) -> [(f64, f64); 2] {
        let to_far = (self.capacity_to_far_mbps, self.throughput_to_far_mbps);
        let to_near = (self.capacity_to_near_mbps, self.throughput_to_near_mbps);
        if end == End::Near { [to_far, to_near] } else { [to_near, to_far] }
    }
}

/// What passed through one end of a link since its device has power.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Traffic {
    pub sent_bytes: f64,
    pub received_bytes: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DeviceState {
    pub powered: bool,
    /// When power last came back; `None`: it was on before the simulation began.
    pub on_since: Option<MonoMillis>,
    /// Of each link that it is an end of, in the plan's order.
    pub traffic: Vec<Traffic>,
}

impl DeviceState {
    /// Octets sent and received, all links together.
    pub fn octets(&self) -> (u64, u64) {
        let sum = |of: fn(&Traffic) -> f64| self.traffic.iter().map(of).sum::<f64>() as u64;
        (sum(|t| t.sent_bytes), sum(|t| t.received_bytes))
    }
}

/// A backhaul beyond its gateway.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackhaulState {
    pub down: bool,
    pub loss_percent: f64,
    /// Time to the Internet and back, ms.
    pub rtt_ms: f64,
}

/// The world at one instant.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub at: MonoMillis,
    /// Scenario time since the beginning.
    pub elapsed: Duration,
    pub links: Vec<LinkFigures>,
    pub devices: Vec<DeviceState>,
    pub no_capacity_objects: BTreeSet<DeviceId>,
    pub port_100: BTreeSet<DeviceId>,
    pub backhauls: BTreeMap<BackhaulId, BackhaulState>,
    /// From each site with an agent: round-trip time to every site that it reaches, ms.
    pub reach: BTreeMap<SiteId, BTreeMap<SiteId, f64>>,
}

impl Snapshot {
    /// Whether a site has power; one without devices is assumed to.
    pub fn has_power(&self, site: &SiteId, plan: &Plan) -> bool {
        let mut at_site = plan.devices.iter().zip(&self.devices).filter(|(d, _)| d.site == *site).peekable();
        at_site.peek().is_none() || at_site.any(|(_, state)| state.powered)
    }
}

/// What events do, gathered by subject.
#[derive(Default)]
struct Trouble {
    loss_db: BTreeMap<usize, f64>,
    noise_db: BTreeMap<(usize, usize), f64>,
    links_down: BTreeSet<usize>,
    dark_sites: BTreeSet<SiteId>,
    no_capacity_objects: BTreeSet<DeviceId>,
    port_100: BTreeSet<DeviceId>,
    backhauls: BTreeMap<BackhaulId, (f64, f64)>,
    backhauls_down: BTreeSet<BackhaulId>,
}

/// What stays the same from one instant to the next.
#[derive(Debug)]
pub struct Model {
    pub network: Network,
    pub plan: Plan,
    pub scenario: Scenario,
    /// How many times faster than the clock the scenario runs; above 0.
    pub speed: f64,
    pub seed: u64,
    pub started: MonoMillis,
    pub started_at: UnixMillis,
}

impl Model {
    /// Scenario time at an instant.
    pub fn elapsed(&self, at: MonoMillis) -> Duration {
        let real_ms = at.0.saturating_sub(self.started.0);
        Duration::try_from_secs_f64(real_ms as f64 / 1000.0 * self.speed).unwrap_or(Duration::MAX)
    }

    pub fn first(&self, at: MonoMillis) -> Snapshot {
        // Counters of devices that have run for months stand anywhere, often just before a 32-bit wrap.
        let begun = |salt: u64| Traffic {
            sent_bytes: (salt % 4_000_000_000) as f64,
            received_bytes: (salt.rotate_left(32) % 4_000_000_000) as f64,
        };
        let devices = self
            .plan
            .devices
            .iter()
            .map(|d| {
                let traffic = d.ends.iter().map(|(link, _)| begun(d.salt ^ self.plan.links[*link].salt)).collect();
                DeviceState { powered: true, on_since: None, traffic }
            })
            .collect();
        self.snapshot(at, devices)
    }

    /// The world at `at`, from what it was: traffic since then counts at the rates of now.
    pub fn next(&self, before: &Snapshot, at: MonoMillis) -> Snapshot {
        let mut snapshot = self.snapshot(at, before.devices.clone());
        let seconds = at.0.saturating_sub(before.at.0) as f64 / 1000.0;
        for (device, state) in self.plan.devices.iter().zip(&mut snapshot.devices) {
            if !state.powered {
                continue;
            }
            for ((link, end), traffic) in device.ends.iter().zip(&mut state.traffic) {
                let [(_, sent_mbps), (_, received_mbps)] = snapshot.links[*link].tx_rx(*end);
                traffic.sent_bytes += sent_mbps * 125_000.0 * seconds;
                traffic.received_bytes += received_mbps * 125_000.0 * seconds;
            }
        }
        snapshot
    }

    fn snapshot(&self, at: MonoMillis, mut devices: Vec<DeviceState>) -> Snapshot {
        let elapsed = self.elapsed(at);
        let trouble = self.trouble(&self.scenario.state(elapsed));
        for (device, state) in self.plan.devices.iter().zip(&mut devices) {
            let powered = !trouble.dark_sites.contains(&device.site);
            if powered && !state.powered {
                state.on_since = Some(at);
                state.traffic.fill(Traffic::default());
            }
            state.powered = powered;
        }
        let links = self.links(elapsed, &trouble, &devices);
        let reach = self.reach(&links, &devices);
        Snapshot {
            at,
            elapsed,
            links,
            devices,
            backhauls: self.backhauls(&trouble),
            no_capacity_objects: trouble.no_capacity_objects,
            port_100: trouble.port_100,
            reach,
        }
    }

    fn trouble(&self, effects: &Effects<'_>) -> Trouble {
        let mut trouble = Trouble::default();
        for (event, intensity) in &effects.active {
            self.add_trouble(&mut trouble, &event.kind, *intensity);
        }
        trouble
    }

    fn add_trouble(&self, trouble: &mut Trouble, kind: &EventKind, intensity: f64) {
        let link_index = |link: &LinkId| self.plan.link_index.get(link).copied();
        match kind {
            EventKind::RainFade { lat, lon, radius_km, attenuation_db } => {
                let centre = Place { lat: *lat, lon: *lon };
                for (i, link) in self.plan.links.iter().enumerate() {
                    let rain_share = link.bands.map_or(0.0, |[near, _]| near.rain_share);
                    let km_within = link.km * share_within(link.places[0], link.places[1], centre, *radius_km);
                    let loss_db = attenuation_db * intensity * rain_share * km_within / (2.0 * radius_km);
                    *trouble.loss_db.entry(i).or_default() += loss_db;
                }
            }
            EventKind::Misalignment { link, loss_db } => {
                if let Some(i) = link_index(link) {
                    *trouble.loss_db.entry(i).or_default() += loss_db * intensity;
                }
            }
            EventKind::Interference { link, end, noise_db } => {
                if let Some(i) = link_index(link) {
                    *trouble.noise_db.entry((i, index_of(*end))).or_default() += noise_db * intensity;
                }
            }
            EventKind::LinkDown { link } => trouble.links_down.extend(link_index(link)),
            // The world is as it was; it is the way to the hub that is cut.
            EventKind::CutOff { .. } => {}
            EventKind::Standby { bundle } => {
                let main = self.network.bundles.get(bundle).and_then(|b| b.links.first());
                trouble.links_down.extend(main.and_then(link_index));
            }
            EventKind::CongestedBackhaul { backhaul, loss_percent, rtt_ms } => {
                trouble.backhauls.insert(backhaul.clone(), (*loss_percent, *rtt_ms));
            }
            EventKind::BackhaulDown { backhaul } => {
                trouble.backhauls_down.insert(backhaul.clone());
            }
            EventKind::PowerCut { site } => {
                trouble.dark_sites.insert(site.clone());
            }
            EventKind::FirmwareDropsOid { device } => {
                trouble.no_capacity_objects.insert(device.clone());
            }
            EventKind::Port100 { device } => {
                trouble.port_100.insert(device.clone());
            }
        }
    }

    fn links(&self, elapsed: Duration, trouble: &Trouble, devices: &[DeviceState]) -> Vec<LinkFigures> {
        let mut all: Vec<LinkFigures> = Vec::with_capacity(self.plan.links.len());
        for (i, link) in self.plan.links.iter().enumerate() {
            let powered = devices[link.near].powered && devices[link.far].powered;
            all.push(self.link(i, link, elapsed, trouble, powered));
        }
        let busy = self.busy(elapsed);
        for (i, link) in self.plan.links.iter().enumerate() {
            let stands_by = link.stands_by_for.iter().any(|main| all[*main].up);
            if all[i].up && !stands_by {
                let wander = 1.0 + 0.2 * self.wander(link.salt, 9, elapsed);
                add_throughput(&mut all[i], link, busy * wander);
            }
        }
        all
    }

    fn link(&self, i: usize, link: &SimLink, elapsed: Duration, trouble: &Trouble, powered: bool) -> LinkFigures {
        let forced_down = trouble.links_down.contains(&i) || !powered;
        let loss_db = trouble.loss_db.get(&i).copied().unwrap_or(0.0);
        let ends = link.bands.map(|bands| {
            [0, 1].map(|end| {
                let rsl_dbm = link.fair_rsl_dbm[end] - loss_db + self.wander(link.salt, end as u64, elapsed);
                let interference_db = trouble.noise_db.get(&(i, end)).copied().unwrap_or(0.0);
                let noise_wander_db = 0.5 * self.wander(link.salt, 2 + end as u64, elapsed);
                let noise_dbm = bands[end].noise_dbm + interference_db + noise_wander_db;
                let snr_db = rsl_dbm - noise_dbm;
                EndFigures { rsl_dbm, noise_dbm, snr_db, rx: bands[end].step(snr_db) }
            })
        });
        let carries = |end: usize| match &ends {
            Some(ends) => ends[end].rx.map_or(0.0, |step| step.rate_mbps),
            None => CABLE_MBPS,
        };
        let up = !forced_down && carries(0) > 0.0 && carries(1) > 0.0;
        LinkFigures {
            up,
            ends,
            capacity_to_far_mbps: if up { carries(1) } else { 0.0 },
            capacity_to_near_mbps: if up { carries(0) } else { 0.0 },
            throughput_to_far_mbps: 0.0,
            throughput_to_near_mbps: 0.0,
        }
    }

    /// A value between −[`WANDER_DB`] and +[`WANDER_DB`] that changes every [`WANDER_EVERY`].
    fn wander(&self, salt: u64, which: u64, elapsed: Duration) -> f64 {
        let bucket = elapsed.as_millis() as u64 / WANDER_EVERY.as_millis() as u64;
        let parts = [self.seed, salt, which, bucket].map(u64::to_le_bytes);
        let seed = hash(&[&parts[0], &parts[1], &parts[2], &parts[3]]);
        SmallRng::seed_from_u64(seed).random_range(-WANDER_DB..=WANDER_DB)
    }

    /// Share of the busiest hour's traffic at this scenario time.
    fn busy(&self, elapsed: Duration) -> f64 {
        let elapsed_ms = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        let local_ms = self.started_at.0.saturating_add(LOCAL_OFFSET_MS).saturating_add(elapsed_ms);
        let hours = local_ms.rem_euclid(86_400_000) as f64 / 3_600_000.0;
        let (this, next) = (hours as usize % 24, (hours as usize + 1) % 24);
        let part = hours.fract();
        DAY[this] * (1.0 - part) + DAY[next] * part
    }

    fn backhauls(&self, trouble: &Trouble) -> BTreeMap<BackhaulId, BackhaulState> {
        let state = |id: &BackhaulId| {
            let fair_rtt_ms = 9.0 + (hash(&[id.as_str().as_bytes()]) % 10) as f64;
            let (loss_percent, rtt_ms) = trouble.backhauls.get(id).copied().unwrap_or((0.0, fair_rtt_ms));
            BackhaulState { down: trouble.backhauls_down.contains(id), loss_percent, rtt_ms }
        };
        self.network.backhauls.keys().map(|id| (id.clone(), state(id))).collect()
    }

    /// Least round-trip times over links that are up, from every site that polls.
    fn reach(&self, links: &[LinkFigures], devices: &[DeviceState]) -> BTreeMap<SiteId, BTreeMap<SiteId, f64>> {
        let dark = |site: &SiteId| {
            let mut at_site = self.plan.devices.iter().zip(devices).filter(|(d, _)| d.site == *site).peekable();
            at_site.peek().is_some() && at_site.all(|(_, state)| !state.powered)
        };
        let observers: BTreeSet<&SiteId> = self.plan.devices.iter().map(|d| &d.via).collect();
        let mut all = BTreeMap::new();
        for from in observers {
            let mut times = BTreeMap::new();
            if !dark(from) {
                times.insert(from.clone(), ANSWER_MS);
            }
            // Relaxing every link until nothing changes is enough for a few hundred links.
            let mut changed = true;
            while changed {
                changed = false;
                for (link, _) in self.plan.links.iter().zip(links).filter(|(_, f)| f.up) {
                    let (near, far) = (&self.plan.devices[link.near].site, &self.plan.devices[link.far].site);
                    changed |= relax(&mut times, near, far, link.round_trip_ms());
                    changed |= relax(&mut times, far, near, link.round_trip_ms());
                }
            }
            all.insert(from.clone(), times);
        }
        all
    }

    /// Whether a device answers whoever polls it.
    pub fn answers(&self, snapshot: &Snapshot, device: usize) -> bool {
        let of = &self.plan.devices[device];
        snapshot.devices[device].powered && snapshot.reach.get(&of.via).is_some_and(|r| r.contains_key(&of.site))
    }
}

/// Takes the way over a link where it is shorter than the way known so far; says whether it was.
fn relax(times: &mut BTreeMap<SiteId, f64>, here: &SiteId, there: &SiteId, link_ms: f64) -> bool {
    let Some(time) = times.get(here).map(|t| t + link_ms) else { return false };
    if times.get(there).is_some_and(|known| *known <= time + 1e-9) {
        return false;
    }
    times.insert(there.clone(), time);
    true
}

/// What people draw through a link at this hour, as far as it fits.
fn add_throughput(figures: &mut LinkFigures, link: &SimLink, busy: f64) {
    let best = link.bands.map_or(CABLE_MBPS, |[near, _]| near.best().rate_mbps);
    let wanted = (best * BUSY_SHARE).min(DEMAND_MBPS_MAX) * busy;
    let fits = |wanted: f64, capacity: f64| wanted.min(capacity * FILL_MAX);
    let (down, up) = (wanted, wanted * UPSTREAM_SHARE);
    let (to_far, to_near) = if link.downstream_end == End::Far { (down, up) } else { (up, down) };
    figures.throughput_to_far_mbps = fits(to_far, figures.capacity_to_far_mbps);
    figures.throughput_to_near_mbps = fits(to_near, figures.capacity_to_near_mbps);
}
