//! What the hub can prove of each agent's deliveries, for the page, and what it adds to the daily records.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::model::view::AgentView;
use crate::model::{SiteId, UnixMillis};
use crate::store::StoreError;
use crate::store::ledger::{DeliveryDay, Ledger, Loss, Observation, Standing};
use crate::web::snapshot::AgentProof;

/// How often the daily records are written and read.
const WRITE_EVERY: Duration = Duration::from_mins(1);
/// Days that the page tells of.
pub const DAYS_TOLD: u32 = 14;
/// Losses of each agent that the page tells of.
const LOSSES_TOLD: usize = 5;
/// A gap's closing is judged over this time.
const DRAIN_OVER: Duration = Duration::from_secs(30);
/// Looks remembered of it.
const DRAIN_LOOKS_MAX: usize = 64;

/// One agent, between two writings.
#[derive(Debug, Default)]
struct Watched {
    newest_sample_at: Option<UnixMillis>,
    heard_at: Option<UnixMillis>,
    missing: VecDeque<(UnixMillis, u64)>,
    seen: Observation,
    silent: Duration,
    listened: Duration,
}

/// See the module.
pub struct ProofKeeper {
    agents: BTreeMap<SiteId, Watched>,
    days: BTreeMap<String, Vec<DeliveryDay>>,
    losses: BTreeMap<String, Vec<Loss>>,
    started_at: UnixMillis,
    looked_at: Option<UnixMillis>,
    written_at: Option<UnixMillis>,
}

impl ProofKeeper {
    pub fn new(agents: impl Iterator<Item = SiteId>, started_at: UnixMillis) -> Self {
        Self {
            agents: agents.map(|site| (site, Watched::default())).collect(),
            days: BTreeMap::new(),
            losses: BTreeMap::new(),
            started_at,
            looked_at: None,
            written_at: None,
        }
    }

    /// A batch was stored; `newest` is when its last sample was taken, where that is known.
    pub fn take(&mut self, agent: &SiteId, received_at: UnixMillis, newest: Option<UnixMillis>) {
        if let Some(watched) = self.agents.get_mut(agent) {
            watched.heard_at = watched.heard_at.max(Some(received_at));
            watched.newest_sample_at = watched.newest_sample_at.max(newest.map(|at| at.min(received_at)));
        }
    }

    /// After the hub's own clock has jumped, ages by the old one mean nothing.
    pub fn forget_times(&mut self, now: UnixMillis) {
        for watched in self.agents.values_mut() {
            (watched.newest_sample_at, watched.heard_at) = (None, None);
            watched.missing.clear();
        }
        (self.started_at, self.looked_at, self.written_at) = (now, Some(now), Some(now));
    }

    /// Notes how things are. `patience`: an agent not heard for longer is silent.
    pub fn look(&mut self, now: UnixMillis, views: &BTreeMap<SiteId, AgentView>, patience: Duration) {
        let passed = self.looked_at.replace(now).map_or(Duration::ZERO, |last| now.since(last));
        for (site, watched) in &mut self.agents {
            watched.listened += passed;
            if now.since(watched.heard_at.unwrap_or(self.started_at)) > patience {
                watched.silent += passed;
            }
            let lag = watched.newest_sample_at.map(|at| now.since(at).as_secs());
            watched.seen.lag_secs = watched.seen.lag_secs.max(lag);
            if let Some(error) = views.get(site).and_then(|view| view.clock_error_ms) {
                let (low, high) = watched.seen.clock_error_ms.unwrap_or((error, error));
                watched.seen.clock_error_ms = Some((low.min(error), high.max(error)));
            }
        }
    }

    /// Once a minute, adds to the daily records, and reads them again. Blocks.
    pub fn write_if_due(&mut self, now: UnixMillis, ledger: &Ledger) -> Result<(), StoreError> {
        if self.written_at.is_some_and(|last| now.since(last) < WRITE_EVERY && now >= last) {
            return Ok(());
        }
        let seconds = |span: Duration| span.as_secs();
        let seen: Vec<(SiteId, Observation)> = self
            .agents
            .iter()
            .filter(|(_, w)| w.listened >= Duration::from_secs(1))
            .map(|(site, w)| {
                let (silent_secs, watched_secs) = (seconds(w.silent), seconds(w.listened));
                (site.clone(), Observation { silent_secs, watched_secs, ..w.seen.clone() })
            })
            .collect();
        ledger.observe(now, &seen)?;
        self.written_at = Some(now);
        for (site, written) in seen {
            if let Some(watched) = self.agents.get_mut(&site) {
                watched.silent = watched.silent.saturating_sub(Duration::from_secs(written.silent_secs));
                watched.listened = watched.listened.saturating_sub(Duration::from_secs(written.watched_secs));
                watched.seen = Observation::default();
            }
        }
        self.days.clear();
        for day in ledger.delivery_days(now - Duration::from_hours(24 * u64::from(DAYS_TOLD)))? {
            self.days.entry(day.agent.clone()).or_default().push(day);
        }
        self.losses.clear();
        for loss in ledger.losses(LOSSES_TOLD)? {
            self.losses.entry(loss.agent.clone()).or_default().push(loss);
        }
        Ok(())
    }

    /// Everything for the page. Blocks.
    pub fn told(&mut self, now: UnixMillis, ledger: &Ledger) -> Result<BTreeMap<SiteId, AgentProof>, StoreError> {
        let mut standings: BTreeMap<String, Standing> =
            ledger.standings()?.into_iter().map(|s| (s.agent.clone(), s)).collect();
        let told = self.agents.iter_mut().map(|(site, watched)| {
            let standing = standings.remove(site.as_str()).unwrap_or_default();
            let drained_in = drain(&mut watched.missing, now, standing.missing_batches);
            let proof = AgentProof {
                newest_sample_at: watched.newest_sample_at,
                missing_batches: standing.missing_batches,
                missing: standing.missing,
                drained_in,
                held_batches: standing.held_batches,
                lost_batches: standing.lost_batches,
                losses: self.losses.get(site.as_str()).cloned().unwrap_or_default(),
                days: self.days.get(site.as_str()).cloned().unwrap_or_default(),
            };
            (site.clone(), proof)
        });
        Ok(told.collect())
    }
}

/// How long a gap needs to close at the pace of the last half minute; `None`: nothing is missing, or it does not close.
fn drain(looks: &mut VecDeque<(UnixMillis, u64)>, now: UnixMillis, missing: u64) -> Option<Duration> {
    if missing == 0 {
        looks.clear();
        return None;
    }
    // A gap that grew is another one: its pace begins now.
    if looks.back().is_some_and(|(_, before)| missing > *before) {
        looks.clear();
    }
    if looks.back().is_none_or(|(at, _)| now.since(*at) >= DRAIN_OVER / DRAIN_LOOKS_MAX as u32) {
        looks.push_back((now, missing));
    }
    while looks.len() > DRAIN_LOOKS_MAX || looks.front().is_some_and(|(at, _)| now.since(*at) > DRAIN_OVER) {
        looks.pop_front();
    }
    let (since, before) = *looks.front()?;
    let closed = before.saturating_sub(missing);
    (closed > 0).then(|| now.since(since).mul_f64(missing as f64 / closed as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_closes_at_its_pace() {
        let mut looks = VecDeque::new();
        let mut look = |second: i64, missing| drain(&mut looks, UnixMillis(second * 1000), missing);
        assert_eq!(look(0, 0), None);
        assert_eq!(look(1, 100), None);
        assert_eq!(look(2, 100), None);
        assert_eq!(look(11, 50), Some(Duration::from_secs(10)));
        // A new gap: nothing is known of its pace.
        assert_eq!(look(12, 80), None);
        assert_eq!(look(14, 60), Some(Duration::from_secs(6)));
        assert_eq!(look(20, 0), None);
    }

    #[test]
    fn silence_and_lag_go_into_the_record_of_the_day() {
        let dir = tempfile::TempDir::new().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).unwrap();
        let site = SiteId::parse("murazzano").unwrap();
        let start = UnixMillis(1_795_499_760_000);
        let mut keeper = ProofKeeper::new([site.clone()].into_iter(), start);
        let at = |seconds: i64| UnixMillis(start.0 + seconds * 1000);
        let patience = Duration::from_secs(30);
        keeper.take(&site, at(0), Some(at(-5)));
        for second in 0..=120 {
            keeper.look(at(second), &BTreeMap::new(), patience);
            keeper.write_if_due(at(second), &ledger).unwrap();
        }
        let told = keeper.told(at(120), &ledger).unwrap();
        let day = &told[&site].days[0];
        assert_eq!((day.watched_secs, day.silent_secs, day.lag_secs_worst), (120, 90, Some(125)));
        assert_eq!(told[&site].newest_sample_at, Some(at(-5)));
    }
}
