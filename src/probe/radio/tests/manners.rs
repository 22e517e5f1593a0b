//! How many packets a poll costs, for every family: a table of devices that answer whatever they are asked.

use super::*;
use crate::probe::exchange::Counts;
use crate::probe::snmp::{Column, OIDS_PER_GET, SnmpError, SnmpGet};

/// Answers everything, in rows as many as a link of that kind has, and fails at a walk that its family did not declare.
#[derive(Debug)]
struct Obliging {
    family: &'static Family,
    /// Rows of the tables of peers.
    peers: usize,
    gets: u64,
    oids: u64,
    walks: Vec<Vec<u32>>,
}

/// Tables whose rows are parts of one link: chains, streams, carriers, polarisations, interfaces. Others have a row a
/// peer.
fn parts(profile: &str, table: &str) -> Option<usize> {
    match (profile, table) {
        ("mimosa", "chains" | "streams") => Some(4),
        ("siae", "radios" | "links") | ("ceragon", "carriers") => Some(2),
        (_, "radios" | "carriers" | "link types" | "interface names" | "interfaces" | "names" | "wifi interfaces") => {
            Some(1)
        }
        ("mikrotik", "w60g" | "station" | "access point" | "lte") => Some(1),
        ("mikrotik", "gauges") => Some(3),
        _ => None,
    }
}

impl Obliging {
    fn new(family: &'static Family, peers: usize) -> Self {
        Self { family, peers, gets: 0, oids: 0, walks: Vec::new() }
    }
}

impl SnmpGet for Obliging {
    async fn get(&mut self, oids: &[Oid]) -> Result<Answers, SnmpError> {
        self.gets += oids.len().div_ceil(OIDS_PER_GET) as u64;
        self.oids += oids.len() as u64;
        let mut answers = Answers::default();
        for oid in oids {
            let port = oid.under(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 2]).is_some();
            answers.insert(oid.clone(), if port { Value::Bytes(b"eth0".to_vec()) } else { Value::Integer(1) });
        }
        answers.insert(SYS_UP_TIME.into(), Value::TimeTicks(100));
        Ok(answers)
    }

    async fn column(&mut self, column: &[u32], rows_max: usize) -> Result<Column, SnmpError> {
        self.walks.push(column.to_vec());
        if column == IF_TYPE {
            let rows = (1..=2).map(|i| Row { index: vec![i], value: Value::Integer(6) }).collect();
            return Ok(Column { rows, complete: true });
        }
        let table = self.family.tables.iter().find(|t| t.column == column);
        let table = table.unwrap_or_else(|| panic!("{}: a walk nobody asked for: {column:?}", self.family.profile));
        let n = parts(self.family.profile, table.name).unwrap_or(self.peers).min(rows_max);
        let row = |i: usize| Row {
            index: vec![2, 0, 0, 0, 0, i as u32 + 1, 1],
            value: Value::Bytes(vec![2, 0, 0, 0, 0, i as u8 + 1]),
        };
        Ok(Column { rows: (0..n).map(row).collect(), complete: true })
    }

    fn forget(&mut self) {}

    fn counts(&self) -> Counts {
        Counts::default()
    }

    fn speech(&self) -> Option<crate::probe::memory::Speech> {
        None
    }

    fn version(&self) -> Option<crate::probe::access::Version> {
        None
    }
}

/// The third poll: packets, objects asked for, and columns walked.
async fn known(family: &'static Family, peers: usize, manner: Manner) -> (u64, u64, Vec<Vec<u32>>) {
    let clock = ManualClock::at(crate::model::UnixMillis(1_000_000));
    let mut poller = Poller::new(Obliging::new(family, peers), Manner { family: Some(family), ..manner });
    for _ in 0..2 {
        poller.poll(&*clock).await.unwrap();
    }
    (poller.session.gets, poller.session.oids) = (0, 0);
    poller.session.walks.clear();
    poller.poll(&*clock).await.unwrap();
    (poller.session.gets, poller.session.oids, std::mem::take(&mut poller.session.walks))
}

/// What makes no radio of any answers is a supply, or only a switch: it is not one end of a link.
fn is_link(family: &Family) -> bool {
    let row = |table: &Table| (table.name, vec![Row { index: vec![1, 2, 0, 0, 0, 0, 17], value: Value::Integer(1) }]);
    let mut rows = Rows::default();
    for (table, found) in family.tables.iter().map(row) {
        rows.set(table, found);
    }
    let scope = Scope { rows: &rows, sector: false, peers: &BTreeSet::new(), everybody: false };
    !(family.decode)(&Answers::default(), &scope).radios.is_empty()
}

#[tokio::test]
async fn a_known_point_to_point_radio_costs_two_packets_at_most_whatever_its_family() {
    let mut table = Vec::new();
    for family in PROFILES.iter().copied().filter(|f| is_link(f)) {
        let (packets, oids, walks) = known(family, 1, Manner::default()).await;
        // What is walked again is a table that the decoder holds for changed: never one that nobody declared.
        assert!(walks.iter().all(|w| family.tables.iter().any(|t| t.column == w.as_slice())), "{}", family.profile);
        if packets > 2 {
            table.push(format!("{}: {packets} packets for {oids} objects, two ports among them", family.profile));
        }
    }
    assert!(table.is_empty(), "{table:#?}");
}

/// Families whose access points have a table of peers.
const SECTORS: [&str; 13] = [
    "ubiquiti-af60",
    "ubiquiti-ltu",
    "ubiquiti-airmax",
    "mikrotik",
    "cambium-epmp",
    "cambium-pmp450",
    "cambium-cnwave60",
    "mimosa",
    "siklu-multihaul",
    "radwin",
    "ligowave",
    "infinet",
    "tachyon",
];

/// Objects asked of each peer of a sector at the most.
const OIDS_PER_PEER_MAX: u64 = 22;

#[tokio::test]
async fn a_sector_costs_as_few_packets_as_its_peers_answers_fill() {
    let ours: BTreeSet<String> = (1..=20).map(|i| format!("0200000000{i:02x}")).collect();
    for profile in SECTORS {
        let family = super::super::family(profile).unwrap();
        let manner = |peers| Manner { sector: true, peers, ..Manner::default() };
        let (few, base, _) = known(family, 200, manner(BTreeSet::new())).await;
        let (packets, oids, _) = known(family, 200, manner(ours.clone())).await;
        let filled = oids.div_ceil(OIDS_PER_GET as u64);
        assert_eq!(packets, filled, "{}: packets that are not full", family.profile);
        assert!(oids <= base + 20 * OIDS_PER_PEER_MAX, "{}: {oids} objects for 20 peers", family.profile);
        // 180 strangers cost nothing.
        assert!(few <= 3, "{}: {few} packets for strangers alone", family.profile);
    }
}
