//! One link: whether it is up, and what it can carry in each direction, from what both of its ends say.
//!
//! State. A radio that has its peer says so, and then the link is up, whatever the other end says: the other one may
//! only be late. A radio that answers and has no peer: down. Where neither says anything, what is known to have
//! crossed the link proves that it is up (`reach`); both ends silent, while the path above them works and nothing
//! has crossed: down. Everything else is unknown, and unknown is not down.
//!
//! Capacity of a direction: the smaller of what the sender says it can send and the receiver says it can receive
//! (one of them is enough), less the air time that strangers take on a sector, of the Ethernet ports at both ends,
//! and of a declared figure. A port or a declared figure alone is no measure of a radio link: it is a ceiling.

use crate::model::network::{End, Medium};
use crate::model::view::{DownReason, LimitedBy, LinkState};
use crate::model::{Missing, Provenance, Reading, UnixMillis};

/// Share of a negotiated Ethernet rate that is left for IP packets' content: 1448 bytes of TCP payload in 1538 bytes
/// on the wire (IEEE 802.3 preamble, header, check sequence and gap; TCP with time stamps, RFC 7323).
pub const FRAMING: f64 = 0.94;

/// A strangers' share of air time under this is noise, and is not named as what limits the link.
const STRANGERS_NAMED: f64 = 0.01;

/// A reading and when it was taken. A stale one is `Missing(Stale)`, with the time of the last value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dated {
    pub reading: Reading,
    pub at: Option<UnixMillis>,
}

impl Dated {
    pub const NOT_MEASURED: Self = Self { reading: Reading::Missing(Missing::NotMeasured), at: None };

    pub fn get(&self) -> Option<f64> {
        self.reading.get()
    }
}

/// The Ethernet port that a link passes through at one end.
#[derive(Debug, Clone, PartialEq)]
pub struct PortFacts {
    pub name: String,
    /// Negotiated rate; 0 where every port that the inventory names is down.
    pub rate_mbps: f64,
    pub at: Option<UnixMillis>,
    /// The inventory names the port, so that its state is that of a cable.
    pub named: bool,
}

/// What one end says.
#[derive(Debug, Clone, PartialEq)]
pub struct EndFacts {
    /// It answered SNMP or ICMP just now; `Some(false)`: its agent is alive and says that it did not.
    pub reachable: Option<bool>,
    /// It has been heard of before, but not for too long.
    pub stale: bool,
    /// The inventory gives a credential: somebody reads its radio.
    pub polled: bool,
    /// The radio has its peer.
    pub link_up: Option<bool>,
    pub capacity_tx: Dated,
    pub capacity_rx: Dated,
    pub throughput_tx: Dated,
    pub throughput_rx: Dated,
    pub port: Option<PortFacts>,
}

impl EndFacts {
    /// An end that nobody has heard of.
    pub fn unheard(polled: bool) -> Self {
        Self {
            reachable: None,
            stale: false,
            polled,
            link_up: None,
            capacity_tx: Dated::NOT_MEASURED,
            capacity_rx: Dated::NOT_MEASURED,
            throughput_tx: Dated::NOT_MEASURED,
            throughput_rx: Dated::NOT_MEASURED,
            port: None,
        }
    }

    fn says_no_peer(&self) -> bool {
        self.link_up == Some(false)
            || [self.capacity_tx, self.capacity_rx].iter().any(|c| c.reading == Reading::Missing(Missing::LinkDown))
    }

    fn shows_a_peer(&self) -> bool {
        let positive = |d: Dated| d.get().is_some_and(|v| v > 0.0);
        self.link_up == Some(true)
            || (self.link_up.is_none()
                && (positive(self.capacity_tx) || positive(self.capacity_rx) || positive(self.throughput_rx)))
    }
}

/// All that is known of one link.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkFacts {
    pub medium: Medium,
    /// Near to far, far to near; at least 0.
    pub declared_mbps: Option<(f64, f64)>,
    pub near: EndFacts,
    pub far: EndFacts,
    /// Share of a sector's air time that strangers take, 0 to 1.
    pub strangers: f64,
}

impl LinkFacts {
    pub fn end(&self, end: End) -> &EndFacts {
        match end {
            End::Near => &self.near,
            End::Far => &self.far,
        }
    }
}

/// What the ends themselves say of the link's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Settled(LinkState),
    /// They do not say. `silent`: both are known not to answer.
    Doubtful {
        why: Missing,
        silent: bool,
    },
}

/// Judges by what the ends say alone.
pub fn judge(facts: &LinkFacts) -> Verdict {
    let ends = [&facts.near, &facts.far];
    let (up, down) = match facts.medium {
        Medium::Radio => (ends.iter().any(|e| e.shows_a_peer()), ends.iter().any(|e| e.says_no_peer())),
        // A cable's port that is down settles it; one that is up may end in a media converter.
        Medium::Cable => {
            let named = |e: &&&EndFacts| e.port.as_ref().is_some_and(|p| p.named);
            let dead = ends.iter().filter(named).any(|e| e.port.as_ref().is_some_and(|p| p.rate_mbps <= 0.0));
            (!dead && ends.iter().any(|e| named(&e)), dead)
        }
    };
    if up {
        Verdict::Settled(LinkState::Up)
    } else if down {
        Verdict::Settled(LinkState::Down(DownReason::NotConnected))
    } else {
        let silent = ends.iter().all(|e| e.reachable == Some(false));
        Verdict::Doubtful { why: doubt(facts, silent), silent }
    }
}

/// The reason that says most about why nothing is known.
fn doubt(facts: &LinkFacts, silent: bool) -> Missing {
    if silent {
        return Missing::Unreachable;
    }
    let told = [facts.near.capacity_tx, facts.far.capacity_tx, facts.near.capacity_rx, facts.far.capacity_rx];
    let told = told.iter().filter_map(|d| d.reading.missing()).find(|why| *why != Missing::NotMeasured);
    match told {
        Some(why) => why,
        None if facts.near.stale || facts.far.stale => Missing::Stale,
        None if facts.near.reachable == Some(false) || facts.far.reachable == Some(false) => Missing::Unreachable,
        None => Missing::NotMeasured,
    }
}

/// One direction of a judged link.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    pub capacity: Reading,
    pub limited_by: Option<LimitedBy>,
    pub measured_at: Option<UnixMillis>,
    pub throughput: Reading,
    /// The most that it can be where `capacity` is missing: ports and declared figures, Mbps.
    pub ceiling_mbps: f64,
    /// What the radio alone can carry if it sends in this direction all the time; `None` where there is no radio or
    /// its figure is missing. A shared channel is divided by this, not by what a port makes of it.
    pub air_mbps: Option<f64>,
}

/// A link, bundle or backhaul, judged: from near to far, and from far to near.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub state: LinkState,
    pub to_far: Lane,
    pub to_near: Lane,
}

struct Candidate {
    reading: Reading,
    mbps: f64,
    at: Option<UnixMillis>,
    by: LimitedBy,
}

/// What the link can carry, given its state.
pub fn measure(facts: &LinkFacts, state: LinkState) -> Judged {
    Judged { state, to_far: lane(facts, state, End::Near), to_near: lane(facts, state, End::Far) }
}

/// The radio's own figure from this sender to the other end, before strangers take their part.
pub fn radio_mbps(facts: &LinkFacts, sender: End) -> Option<f64> {
    radio(facts, sender).map(|c| c.mbps)
}

fn radio(facts: &LinkFacts, sender: End) -> Option<Candidate> {
    let tx = facts.end(sender).capacity_tx;
    let rx = facts.end(sender.other()).capacity_rx;
    let candidate = |dated: Dated, by| {
        let mbps = dated.get()?.max(0.0);
        Some(Candidate { reading: dated.reading, mbps, at: dated.at, by })
    };
    smallest([candidate(tx, LimitedBy::RadioTx(sender)), candidate(rx, LimitedBy::RadioRx(sender.other()))])
}

fn smallest(candidates: impl IntoIterator<Item = Option<Candidate>>) -> Option<Candidate> {
    // `min_by` keeps the first of equals: the radio before the port, the port before the declared figure.
    candidates.into_iter().flatten().min_by(|a, b| a.mbps.total_cmp(&b.mbps))
}

fn port(facts: &LinkFacts, end: End) -> Option<Candidate> {
    let port = facts.end(end).port.as_ref()?;
    let mbps = port.rate_mbps.max(0.0) * FRAMING;
    let reading = Reading::known(mbps, Provenance::Port);
    Some(Candidate { reading, mbps, at: port.at, by: LimitedBy::Port(end, port.name.clone()) })
}

fn declared(mbps: f64) -> Candidate {
    let reading = Reading::known(mbps, Provenance::Declared);
    Candidate { reading, mbps, at: None, by: LimitedBy::Declared }
}

fn lane(facts: &LinkFacts, state: LinkState, sender: End) -> Lane {
    let throughput = throughput(facts, sender);
    if let LinkState::Down(_) = state {
        return dead(throughput);
    }
    let air = radio(facts, sender).map(|c| on_air(c, facts.strangers));
    let air_mbps = air.as_ref().map(|c| c.mbps);
    let shaper = facts.declared_mbps.map(|(to_far, to_near)| match sender {
        End::Near => declared(to_far),
        End::Far => declared(to_near),
    });
    let has_air = air.is_some();
    let has_declared = shaper.is_some();
    let decides = smallest([air, port(facts, sender), port(facts, sender.other()), shaper]);
    let unread = !facts.near.polled && !facts.far.polled;
    let enough = match (facts.medium, state) {
        _ if has_air => true,
        // Where nobody can read the link, what was declared is all there is; where somebody could, it is no measure.
        (_, LinkState::Unknown(why)) => why == Missing::NotMeasured && unread && has_declared,
        (Medium::Radio, _) => unread && has_declared,
        (Medium::Cable, _) => decides.is_some(),
    };
    let ceiling_mbps = decides.as_ref().map_or(f64::INFINITY, |c| c.mbps);
    match decides {
        Some(c) if enough => {
            Lane { capacity: c.reading, limited_by: Some(c.by), measured_at: c.at, throughput, ceiling_mbps, air_mbps }
        }
        _ => {
            let capacity = Reading::Missing(missing_because(facts, state, sender));
            Lane { capacity, limited_by: None, measured_at: None, throughput, ceiling_mbps, air_mbps }
        }
    }
}

fn dead(throughput: Reading) -> Lane {
    let capacity = Reading::value(0.0);
    Lane { capacity, limited_by: None, measured_at: None, throughput, ceiling_mbps: 0.0, air_mbps: Some(0.0) }
}

fn on_air(radio: Candidate, strangers: f64) -> Candidate {
    if strangers < STRANGERS_NAMED {
        return radio;
    }
    let left = 1.0 - strangers.min(1.0);
    Candidate {
        reading: radio.reading.map(|v| v.max(0.0) * left),
        mbps: radio.mbps * left,
        at: radio.at,
        by: LimitedBy::SectorAirtime,
    }
}

fn missing_because(facts: &LinkFacts, state: LinkState, sender: End) -> Missing {
    let told = [facts.end(sender).capacity_tx, facts.end(sender.other()).capacity_rx];
    let told = told.iter().filter_map(|d| d.reading.missing()).find(|why| *why != Missing::NotMeasured);
    match (told, state) {
        (Some(why), _) | (None, LinkState::Unknown(why)) => why,
        (None, _) => Missing::NotMeasured,
    }
}

/// What passes: the larger of what one end sends and the other receives, for the two are read at different moments.
pub fn throughput(facts: &LinkFacts, sender: End) -> Reading {
    let tx = facts.end(sender).throughput_tx.reading;
    let rx = facts.end(sender.other()).throughput_rx.reading;
    match (tx.get(), rx.get()) {
        (Some(a), Some(b)) if b > a => rx,
        (None, Some(_)) => rx,
        (None, None) if tx.missing() == Some(Missing::NotMeasured) => rx,
        _ => tx,
    }
}

/// What is known of a way out.
#[derive(Debug, Clone, PartialEq)]
pub struct BackhaulFacts {
    pub contract_upstream_mbps: f64,
    pub contract_downstream_mbps: f64,
    /// Somebody tries addresses outside through it.
    pub watched: bool,
    /// Echoes outside without an answer, in percent.
    pub outside_loss: Dated,
    /// The port of the device that is its gateway, where the inventory has one.
    pub port: Option<PortFacts>,
}

/// Whether a backhaul works: when something outside answers through it, not when its gateway does.
pub fn judge_backhaul(facts: &BackhaulFacts) -> Verdict {
    match facts.outside_loss.reading {
        Reading::Value { value, .. } if value >= 100.0 => {
            Verdict::Settled(LinkState::Down(DownReason::OutsideUnreachable))
        }
        Reading::Value { .. } => Verdict::Settled(LinkState::Up),
        Reading::Missing(why) => Verdict::Doubtful { why, silent: false },
    }
}

/// What a backhaul can carry: its contract, or the port if that is less. Congestion beyond it is not a capacity.
pub fn measure_backhaul(facts: &BackhaulFacts, state: LinkState) -> Judged {
    let throughput = Reading::Missing(Missing::NotMeasured);
    let lane = |contract: f64| {
        if let LinkState::Down(_) = state {
            return dead(throughput);
        }
        let port = facts.port.as_ref().map(|p| {
            let mbps = p.rate_mbps.max(0.0) * FRAMING;
            let reading = Reading::known(mbps, Provenance::Port);
            Candidate { reading, mbps, at: p.at, by: LimitedBy::Port(End::Near, p.name.clone()) }
        });
        let c = smallest([port, Some(declared(contract))]).unwrap_or_else(|| declared(contract));
        let (capacity, limited_by, measured_at) = match state {
            LinkState::Unknown(why) if facts.watched => (Reading::Missing(why), None, None),
            _ => (c.reading, Some(c.by), c.at),
        };
        Lane { capacity, limited_by, measured_at, throughput, ceiling_mbps: c.mbps, air_mbps: None }
    };
    Judged { state, to_far: lane(facts.contract_upstream_mbps), to_near: lane(facts.contract_downstream_mbps) }
}
