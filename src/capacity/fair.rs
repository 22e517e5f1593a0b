//! Max-min fair shares by progressive filling (Bertsekas and Gallager, Data Networks, 1992, section 6.5.2).
//!
//! All flows rise together; a flow stops at its demand, or when something on its way is full. No flow could then
//! have more without taking from one that has no more than it. The way is made of pools, each a limit on a weighted
//! sum of rates: a direction of a full-duplex link is a pool with weights 1, the time of a shared radio channel one
//! with limit 1 and weights 1/capacity. Weights do not change the argument, for in a full pool all flows stop at once.

/// A flow's use of a pool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    pub pool: usize,
    /// Of the pool's limit, per Mbps; at least 0.
    pub weight: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// It never wants more, Mbps; finite.
    pub demand: f64,
    pub terms: Vec<Term>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    pub rate: f64,
    /// The pool that stopped it short of its demand.
    pub stopped_by: Option<usize>,
}

/// Two levels closer than this, relatively, are one: far under the tolerance of any verdict.
const SAME_LEVEL: f64 = 1e-12;

#[derive(Clone, Copy)]
struct Fill {
    limit: f64,
    /// Taken by flows that have stopped.
    taken: f64,
    /// Sum of the weights of the flows that still rise, and how many they are.
    rising: f64,
    n_rising: usize,
}

impl Fill {
    /// The level at which the pool is full; infinite where nothing rises in it.
    fn level(&self) -> f64 {
        if self.n_rising == 0 || self.rising <= 0.0 {
            return f64::INFINITY;
        }
        ((self.limit - self.taken) / self.rising).max(0.0)
    }
}

/// The max-min fair share of every flow, in order. Limits are at least 0; infinite ones bind nothing.
pub fn max_min(limits: &[f64], flows: &[Flow]) -> Vec<Share> {
    let mut fills: Vec<Fill> =
        limits.iter().map(|&limit| Fill { limit, taken: 0.0, rising: 0.0, n_rising: 0 }).collect();
    let mut flows_in: Vec<Vec<usize>> = vec![Vec::new(); limits.len()];
    for (i, flow) in flows.iter().enumerate() {
        for term in &flow.terms {
            fills[term.pool].rising += term.weight;
            fills[term.pool].n_rising += 1;
            flows_in[term.pool].push(i);
        }
    }
    let mut by_demand: Vec<usize> = (0..flows.len()).collect();
    by_demand.sort_by(|&a, &b| flows[a].demand.total_cmp(&flows[b].demand));
    let mut by_demand = by_demand.into_iter().peekable();
    let mut shares: Vec<Option<Share>> = vec![None; flows.len()];
    loop {
        let full_at = fills.iter().map(Fill::level).fold(f64::INFINITY, f64::min);
        // A flow that stops at its demand only makes room: all that reach their demand before a pool fills can stop
        // in one pass. A demand met exactly as the pool fills is met.
        let content = |&flow: &usize| shares_done(&shares, flow) || flows[flow].demand <= full_at * (1.0 + SAME_LEVEL);
        let mut satisfied = Vec::new();
        while let Some(flow) = by_demand.next_if(content) {
            satisfied.push(flow);
        }
        let waiting = by_demand.peek().is_some();
        satisfied.retain(|&flow| shares[flow].is_none());
        for &flow in &satisfied {
            stop(flow, flows[flow].demand, None, flows, &mut fills, &mut shares);
        }
        if !waiting {
            break;
        }
        if !satisfied.is_empty() {
            continue;
        }
        let full: Vec<usize> =
            (0..fills.len()).filter(|&pool| fills[pool].level() <= full_at * (1.0 + SAME_LEVEL)).collect();
        for pool in full {
            for &flow in &flows_in[pool] {
                if shares[flow].is_none() {
                    stop(flow, full_at, Some(pool), flows, &mut fills, &mut shares);
                }
            }
        }
    }
    shares.into_iter().map(|share| share.unwrap_or(Share { rate: 0.0, stopped_by: None })).collect()
}

fn shares_done(shares: &[Option<Share>], flow: usize) -> bool {
    shares[flow].is_some()
}

fn stop(
    flow: usize,
    rate: f64,
    stopped_by: Option<usize>,
    flows: &[Flow],
    fills: &mut [Fill],
    shares: &mut [Option<Share>],
) {
    shares[flow] = Some(Share { rate, stopped_by });
    for term in &flows[flow].terms {
        let fill = &mut fills[term.pool];
        fill.taken += term.weight * rate;
        fill.rising -= term.weight;
        fill.n_rising -= 1;
    }
}
