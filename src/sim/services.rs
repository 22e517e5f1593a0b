//! Services in the cloud as the scenario lets them answer: those of an invented network do not exist.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::SimWorld;
use super::address::hash;
use super::world::Snapshot;
use crate::probe::service::{ServiceAnswer, ServiceError, ServiceProbe, ServiceTrial};

/// Fastest and slowest answer, ms.
const ANSWER_MS: (f64, f64) = (30.0, 80.0);

/// Answers while any backhaul of the network works, whichever site asks.
pub struct SimServices {
    world: Arc<SimWorld>,
    trials: AtomicU64,
}

impl SimServices {
    pub fn new(world: Arc<SimWorld>) -> Self {
        Self { world, trials: AtomicU64::new(0) }
    }

    fn works(snapshot: &Snapshot) -> bool {
        snapshot.backhauls.values().any(|backhaul| !backhaul.down)
    }

    fn response_ms(&self, url: &str) -> f64 {
        let trial = self.trials.fetch_add(1, Ordering::Relaxed);
        let seed = hash(&[&self.world.model.seed.to_le_bytes(), url.as_bytes(), &trial.to_le_bytes()]);
        SmallRng::seed_from_u64(seed).random_range(ANSWER_MS.0..ANSWER_MS.1)
    }
}

impl ServiceProbe for SimServices {
    fn get<'a>(&'a self, url: &'a str, limit: Duration) -> ServiceTrial<'a> {
        Box::pin(async move {
            let response_ms = self.response_ms(url);
            let takes = Duration::from_secs_f64(response_ms / 1000.0);
            if takes > limit || !Self::works(&self.world.snapshot()) {
                tokio::time::sleep(limit).await;
                return Err(ServiceError::Timeout);
            }
            tokio::time::sleep(takes).await;
            Ok(ServiceAnswer { status: 200, response_ms })
        })
    }
}

#[cfg(test)]
mod tests;
