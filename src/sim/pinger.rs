//! Echoes as the scenario answers them: loopback itself would always answer.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::SimWorld;
use super::address::hash;
use super::world::Snapshot;
use crate::model::network::Network;
use crate::model::{BackhaulId, SiteId};
use crate::probe::ping::{PingError, PingRound, Pinger};

/// Time to a gateway and back, ms.
const GATEWAY_MS: f64 = 1.4;
/// Round-trip times are up to this much longer than the shortest, as a share of it.
const JITTER: f64 = 0.25;

enum Target {
    Device(usize),
    Gateway(SiteId),
    Outside(SiteId, BackhaulId),
}

/// Answers by address; the observer is the agent that polls the device, or the site of the backhaul.
pub struct SimPinger {
    world: Arc<SimWorld>,
    targets: BTreeMap<IpAddr, Target>,
    rounds: AtomicU64,
}

impl SimPinger {
    /// `network` is the simulated one, whose addresses are on loopback.
    pub fn new(world: Arc<SimWorld>, network: &Network) -> Self {
        let mut targets = BTreeMap::new();
        for backhaul in network.backhauls.values() {
            if let Some(gateway) = backhaul.gateway {
                targets.insert(gateway, Target::Gateway(backhaul.site.clone()));
            }
            for outside in &backhaul.outside {
                targets.insert(*outside, Target::Outside(backhaul.site.clone(), backhaul.id.clone()));
            }
        }
        for device in network.devices.values() {
            targets.insert(device.address, Target::Device(world.model.plan.device_index[&device.id]));
        }
        Self { world, targets, rounds: AtomicU64::new(0) }
    }

    /// Shortest round-trip time, ms, and loss, percent; `None` where nothing answers.
    fn path(&self, snapshot: &Snapshot, target: IpAddr) -> Option<(f64, f64)> {
        match self.targets.get(&target)? {
            Target::Device(device) => {
                let of = &self.world.model.plan.devices[*device];
                let rtt_ms = *snapshot.reach.get(&of.via)?.get(&of.site)?;
                snapshot.devices[*device].powered.then_some((rtt_ms, 0.0))
            }
            Target::Gateway(site) => snapshot.has_power(site, &self.world.model.plan).then_some((GATEWAY_MS, 0.0)),
            Target::Outside(site, backhaul) => {
                let state = snapshot.backhauls.get(backhaul)?;
                let works = snapshot.has_power(site, &self.world.model.plan) && !state.down;
                works.then_some((state.rtt_ms, state.loss_percent))
            }
        }
    }

    fn answers(&self, target: IpAddr, count: u8) -> Vec<f64> {
        let snapshot = self.world.snapshot();
        let Some((rtt_ms, loss_percent)) = self.path(&snapshot, target) else { return Vec::new() };
        let round = self.rounds.fetch_add(1, Ordering::Relaxed);
        let seed = hash(&[&self.world.model.seed.to_le_bytes(), target.to_string().as_bytes(), &round.to_le_bytes()]);
        let mut rng = SmallRng::seed_from_u64(seed);
        (0..count)
            .filter_map(|_| {
                let rtt_ms = rtt_ms * (1.0 + rng.random_range(0.0..JITTER));
                (rng.random_range(0.0..100.0) >= loss_percent).then_some(rtt_ms)
            })
            .collect()
    }
}

impl Pinger for SimPinger {
    fn round(
        &self,
        target: IpAddr,
        count: u8,
        timeout: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<PingRound, PingError>> + Send + '_>> {
        Box::pin(async move {
            let limit_ms = timeout.as_secs_f64() * 1000.0;
            let mut rtt_ms = self.answers(target, count);
            rtt_ms.retain(|rtt_ms| *rtt_ms <= limit_ms);
            rtt_ms.sort_by(f64::total_cmp);
            // A round takes as long as a real one: up to the last answer, or the whole timeout where one is lost.
            let complete = rtt_ms.len() == usize::from(count);
            let longest_ms = if complete { rtt_ms.last().copied().unwrap_or(0.0) } else { limit_ms };
            tokio::time::sleep(Duration::from_secs_f64(longest_ms / 1000.0)).await;
            Ok(PingRound { sent: count, rtt_ms })
        })
    }
}
