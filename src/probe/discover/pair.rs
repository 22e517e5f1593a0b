//! Which two devices are the ends of one link, from what each says of itself and of its peers. `[P]`
//!
//! Evidence, the best first: both ends name each other's MAC address; one names the other's; nothing but mirrored names
//! (`ponte-valle` and `valle-ponte`), which is a hint and marked as one. A device is in one pair at most, unless it is
//! the access point of a sector. What contradicts itself is left undecided.

use std::collections::{BTreeMap, BTreeSet};

/// What a device says, as far as pairing goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    pub name: Option<String>,
    pub profile: String,
    /// MAC addresses of its own interfaces, lower-case hex.
    pub own_macs: BTreeSet<String>,
    /// MAC addresses of its peers.
    pub peers: BTreeSet<String>,
    /// It serves several peers.
    pub sector: bool,
}

/// How a pair is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// Both name each other.
    Both,
    /// One names the other.
    One,
    /// Their names mirror each other, and nothing else is known.
    Names,
}

/// Two ends of a link; `near` is the access point where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    pub near: usize,
    pub far: usize,
    pub by: Evidence,
}

/// What pairing came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    pub pairs: Vec<Pair>,
    /// By device: why a peer of it has no other end here.
    pub undecided: Vec<(usize, String)>,
}

/// Pairs the ends.
pub fn pair(ends: &[End]) -> Pairs {
    let mut owners: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (i, end) in ends.iter().enumerate() {
        for mac in &end.own_macs {
            owners.entry(mac).or_default().insert(i);
        }
    }
    let mut found = Pairs::default();
    let mut named: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut doubtful: Vec<(usize, Vec<usize>)> = Vec::new();
    for (i, end) in ends.iter().enumerate() {
        for peer in &end.peers {
            let others: Vec<usize> =
                owners.get(peer.as_str()).into_iter().flatten().copied().filter(|other| *other != i).collect();
            match others[..] {
                [other] => drop(named.insert((i, other))),
                // A stranger of a sector is nobody's business; the peer of a link is somebody.
                [] if end.sector => {}
                [] => found.undecided.push((i, "its peer is none of the devices found".to_owned())),
                _ => doubtful.push((i, others)),
            }
        }
    }
    let mut taken = BTreeSet::new();
    let free = |taken: &BTreeSet<usize>, i: usize| ends[i].sector || !taken.contains(&i);
    for by in [Evidence::Both, Evidence::One] {
        let candidates: BTreeSet<(usize, usize)> = named
            .iter()
            .filter(|(a, b)| named.contains(&(*b, *a)) == (by == Evidence::Both))
            .map(|(a, b)| (*a.min(b), *a.max(b)))
            .collect();
        // Of several that would take the same end none is better than another.
        let claims = |i: usize| {
            candidates.iter().filter(|(a, b)| (*a == i || *b == i) && free(&taken, *a) && free(&taken, *b)).count()
        };
        let chosen: Vec<(usize, usize)> = candidates
            .iter()
            .copied()
            .filter(|(a, b)| [*a, *b].iter().all(|i| free(&taken, *i) && (ends[*i].sector || claims(*i) == 1)))
            .collect();
        for (a, b) in candidates.iter().filter(|pair| !chosen.contains(pair)) {
            for (end, other) in [(*a, *b), (*b, *a)] {
                if named.contains(&(end, other)) {
                    found.undecided.push((end, "its peer has another link, or several claim it".to_owned()));
                }
            }
        }
        for (a, b) in chosen {
            taken.extend([a, b]);
            let (near, far) = if ends[b].sector && !ends[a].sector { (b, a) } else { (a, b) };
            found.pairs.push(Pair { near, far, by });
        }
    }
    // Two peers of a sector may share an address between their interfaces: other addresses have told them apart.
    for (i, others) in doubtful {
        let paired =
            |other: &usize| found.pairs.iter().any(|p| [(p.near, p.far), (p.far, p.near)].contains(&(i, *other)));
        if !others.iter().all(paired) {
            found.undecided.push((i, format!("{} devices say that they are its peer", others.len())));
        }
    }
    by_names(ends, &taken, &mut found);
    found.undecided.sort();
    found.undecided.dedup();
    found
}

/// The last resort: devices that tell no peer, with names that mirror each other.
fn by_names(ends: &[End], taken: &BTreeSet<usize>, found: &mut Pairs) {
    let open: Vec<usize> =
        (0..ends.len()).filter(|i| !taken.contains(i) && !ends[*i].sector && ends[*i].peers.is_empty()).collect();
    let mirrors = |a: usize, b: usize| {
        let (Some(first), Some(second)) = (&ends[a].name, &ends[b].name) else { return false };
        ends[a].profile == ends[b].profile && mirrored(first, second)
    };
    for (at, a) in open.iter().enumerate() {
        let partners = |i: usize| open.iter().filter(|other| **other != i && mirrors(i, **other)).count();
        for b in &open[at + 1..] {
            if mirrors(*a, *b) && partners(*a) == 1 && partners(*b) == 1 {
                found.pairs.push(Pair { near: *a, far: *b, by: Evidence::Names });
            }
        }
    }
}

/// Whether two names are made of the same words in another order.
fn mirrored(first: &str, second: &str) -> bool {
    let words = |name: &str| {
        let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect::<Vec<_>>()
    };
    let (mut first, mut second) = (words(first), words(second));
    if first.len() < 2 || first == second {
        return false;
    }
    first.sort();
    second.sort();
    first == second
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn end(own: &[&str], peers: &[&str]) -> End {
        let set = |macs: &[&str]| macs.iter().map(|mac| (*mac).to_owned()).collect();
        End { own_macs: set(own), peers: set(peers), ..End::default() }
    }

    fn named(name: &str) -> End {
        End { name: Some(name.to_owned()), ..End::default() }
    }

    fn check(ends: &[End], expected: &[(usize, usize, Evidence)]) -> Pairs {
        let found = pair(ends);
        let pairs: Vec<_> = found.pairs.iter().map(|p| (p.near, p.far, p.by)).collect();
        assert_eq!(pairs, expected, "{found:?}");
        found
    }

    #[test]
    fn evidence_from_the_best_to_the_least() {
        check(&[end(&["a"], &["b"]), end(&["b"], &["a"])], &[(0, 1, Evidence::Both)]);
        check(&[end(&["a"], &["b"]), end(&["b"], &[])], &[(0, 1, Evidence::One)]);
        check(&[named("ponte-valle"), named("Valle Ponte")], &[(0, 1, Evidence::Names)]);
        // Who tells of a peer is not paired by name against it.
        let mut other = named("valle-ponte");
        other.peers.insert("x".into());
        let found = check(&[named("ponte-valle"), other], &[]);
        assert_eq!(found.undecided, [(1, "its peer is none of the devices found".to_owned())]);
        check(&[named("ponte-valle"), named("valle-ponte"), named("valle_ponte")], &[]);
    }

    #[test]
    fn a_sector_has_many_links_and_a_link_has_two_ends() {
        let access_point = End { sector: true, ..end(&["ap"], &["a", "b", "stranger"]) };
        check(
            &[end(&["a"], &["ap"]), end(&["b"], &[]), access_point],
            &[(2, 0, Evidence::Both), (2, 1, Evidence::One)],
        );
        // Two devices of one MAC address, two that claim one end: nothing is decided.
        assert_eq!(check(&[end(&["a"], &["b"]), end(&["b"], &[]), end(&["b"], &[])], &[]).undecided.len(), 1);
        assert_eq!(check(&[end(&["a"], &["c"]), end(&["b"], &["c"]), end(&["c"], &[])], &[]).undecided.len(), 2);
        // A device that names itself is nobody's peer.
        check(&[end(&["a"], &["a"])], &[]);
    }

    fn ends() -> impl Strategy<Value = Vec<End>> {
        let macs = || prop::collection::btree_set("[a-f]", 0..3);
        let name = prop::option::of(prop::sample::select(vec!["x-y", "y-x", "x-z", "z-x"]));
        let end = (macs(), macs(), name, prop::bool::weighted(0.2));
        let made = |(own_macs, peers, name, sector): (BTreeSet<String>, BTreeSet<String>, Option<&str>, bool)| End {
            name: name.map(str::to_owned),
            profile: String::new(),
            own_macs,
            peers,
            sector,
        };
        prop::collection::vec(end.prop_map(made), 0..8)
    }

    proptest! {
        #[test]
        fn no_radio_is_paired_twice_but_a_sector(ends in ends()) {
            let mut times = vec![0; ends.len()];
            for Pair { near, far, .. } in pair(&ends).pairs {
                prop_assert_ne!(near, far);
                times[near] += 1;
                times[far] += 1;
            }
            for (end, times) in ends.iter().zip(times) {
                prop_assert!(end.sector || times <= 1);
            }
        }

        #[test]
        fn the_order_of_devices_changes_nothing(ends in ends()) {
            let last = ends.len().saturating_sub(1);
            let turned: Vec<End> = ends.iter().rev().cloned().collect();
            let plain = |pairs: Pairs, at: &dyn Fn(usize) -> usize| -> BTreeSet<(usize, usize, Evidence)> {
                let sorted = |a: usize, b: usize| (a.min(b), a.max(b));
                pairs.pairs.iter().map(|p| { let (a, b) = sorted(at(p.near), at(p.far)); (a, b, p.by) }).collect()
            };
            prop_assert_eq!(plain(pair(&ends), &|i| i), plain(pair(&turned), &|i| last - i));
        }
    }
}
