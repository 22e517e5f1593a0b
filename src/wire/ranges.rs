//! Sets of sequence numbers as inclusive ranges.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most ranges read from one message or file. A hub sends [`RANGES_SENT_MAX`]; the rest is room for other versions.
pub const RANGES_READ_MAX: usize = 10_000;

/// Most ranges written into one `stored` message: some 40 KB of JSON, below every broker's packet limit. Fresh batches
/// that overtake a backlog make two ranges; only a damaged spool makes many.
pub const RANGES_SENT_MAX: usize = 1_000;

/// Sorted, disjoint, not adjacent inclusive ranges. JSON: `[[1, 812], [840, 902]]`.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct RangeSet {
    ranges: Vec<(u64, u64)>,
}

impl RangeSet {
    pub fn new() -> Self {
        Self::default()
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers are in the set; `u64::MAX` if there are more.
    pub fn len(&self) -> u64 {
        self.ranges.iter().fold(0_u64, |sum, (a, b)| sum.saturating_add((b - a).saturating_add(1)))
    }

    /// The largest number.
    pub fn last(&self) -> Option<u64> {
        self.ranges.last().map(|r| r.1)
    }

    pub fn contains(&self, seq: u64) -> bool {
        self.range_of(seq).is_some()
    }

    /// The smallest number that is not in the set, from `seq` on; `None` if all are in.
    pub fn first_absent(&self, seq: u64) -> Option<u64> {
        match self.range_of(seq) {
            None => Some(seq),
            Some((_, b)) => b.checked_add(1),
        }
    }

    /// Adds one number; `true` if it was not there.
    pub fn insert(&mut self, seq: u64) -> bool {
        let new = !self.contains(seq);
        if new {
            self.insert_range(seq, seq);
        }
        new
    }

    /// Adds `first..=last`; nothing if `first` is above `last`.
    pub fn insert_range(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        // Ranges that touch the new one, adjacency included: from `at` up to, not with, `end`.
        let at = self.ranges.partition_point(|r| r.1.saturating_add(1) < first);
        let end = self.ranges.partition_point(|r| r.0 <= last.saturating_add(1));
        let (mut a, mut b) = (first, last);
        if at < end {
            a = a.min(self.ranges[at].0);
            b = b.max(self.ranges[end - 1].1);
        }
        self.ranges.splice(at..end, [(a, b)]);
    }

    /// Adds all of `other`.
    pub fn union(&mut self, other: &Self) {
        for &(a, b) in &other.ranges {
            self.insert_range(a, b);
        }
    }

    /// What is absent between the smallest and the largest number.
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        self.ranges.windows(2).map(|w| (w[0].1 + 1, w[1].0 - 1)).collect()
    }

    /// The part below `bound`.
    #[must_use]
    pub fn intersect_below(&self, bound: u64) -> Self {
        let below = self.ranges.iter().take_while(|r| r.0 < bound).map(|&(a, b)| (a, b.min(bound - 1)));
        Self { ranges: below.collect() }
    }

    /// The part from `bound` on.
    #[must_use]
    pub fn intersect_from(&self, bound: u64) -> Self {
        let from = self.ranges.iter().filter(|r| r.1 >= bound).map(|&(a, b)| (a.max(bound), b));
        Self { ranges: from.collect() }
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for &(a, b) in &self.ranges {
            let mut from = Some(a);
            let touching = other.ranges.partition_point(|r| r.1 < a);
            for &(c, d) in other.ranges[touching..].iter().take_while(|r| r.0 <= b) {
                if let Some(start) = from.filter(|start| *start < c) {
                    left.push((start, c - 1));
                }
                from = d.checked_add(1).filter(|next| *next <= b);
            }
            left.extend(from.map(|start| (start, b)));
        }
        Self { ranges: left }
    }

    /// At most the `count` lowest ranges.
    #[must_use]
    pub fn lowest(&self, count: usize) -> Self {
        Self { ranges: self.ranges.iter().take(count).copied().collect() }
    }

    /// Forgets the lowest ranges until `count` are left.
    pub fn keep_highest(&mut self, count: usize) {
        let excess = self.ranges.len().saturating_sub(count);
        self.ranges.drain(..excess);
    }

    fn range_of(&self, seq: u64) -> Option<(u64, u64)> {
        let at = self.ranges.partition_point(|r| r.1 < seq);
        self.ranges.get(at).copied().filter(|r| r.0 <= seq)
    }
}

impl FromIterator<u64> for RangeSet {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut set = Self::new();
        for n in numbers {
            set.insert(n);
        }
        set
    }
}

impl FromIterator<(u64, u64)> for RangeSet {
    fn from_iter<I: IntoIterator<Item = (u64, u64)>>(ranges: I) -> Self {
        let mut set = Self::new();
        for (a, b) in ranges {
            set.insert_range(a, b);
        }
        set
    }
}

impl fmt::Debug for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ranges.iter().map(|(a, b)| a..=b)).finish()
    }
}

impl Serialize for RangeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.ranges.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RangeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ranges;
        impl<'de> Visitor<'de> for Ranges {
            type Value = RangeSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {RANGES_READ_MAX} pairs [first, last]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RangeSet, A::Error> {
                let mut pairs: Vec<(u64, u64)> = Vec::new();
                while let Some((a, b)) = seq.next_element::<(u64, u64)>()? {
                    if pairs.len() == RANGES_READ_MAX {
                        return Err(A::Error::custom(format!("more than {RANGES_READ_MAX} ranges")));
                    }
                    if a > b {
                        return Err(A::Error::custom(format!("range [{a}, {b}] runs backwards")));
                    }
                    pairs.push((a, b));
                }
                // In order, each insertion touches only the end of the set.
                pairs.sort_unstable();
                Ok(pairs.into_iter().collect())
            }
        }
        deserializer.deserialize_seq(Ranges)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn check(input: &[(u64, u64)], expected: &[(u64, u64)]) {
        let set: RangeSet = input.iter().copied().collect();
        assert_eq!(set.ranges(), expected);
    }

    #[test]
    fn ranges_merge_when_they_touch() {
        check(&[], &[]);
        check(&[(1, 3), (5, 7)], &[(1, 3), (5, 7)]);
        check(&[(1, 3), (4, 7)], &[(1, 7)]);
        check(&[(5, 7), (1, 3), (4, 4)], &[(1, 7)]);
        check(&[(2, 9), (4, 5)], &[(2, 9)]);
        check(&[(4, 5), (10, 11), (20, 30), (1, 25)], &[(1, 30)]);
        check(&[(7, 3)], &[]);
        check(&[(0, u64::MAX), (5, 6)], &[(0, u64::MAX)]);
        check(&[(u64::MAX, u64::MAX), (u64::MAX - 1, u64::MAX - 1)], &[(u64::MAX - 1, u64::MAX)]);
    }

    #[test]
    fn the_whole_range_neither_overflows_nor_has_an_absent_number() {
        let all: RangeSet = [(0, u64::MAX)].into_iter().collect();
        assert_eq!(all.len(), u64::MAX);
        assert_eq!(all.first_absent(9), None);
        assert_eq!(all.intersect_below(0), RangeSet::new());
    }

    #[test]
    fn json_is_pairs_and_refuses_what_is_not() {
        let set: RangeSet = [(1, 812), (840, 902)].into_iter().collect();
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, "[[1,812],[840,902]]");
        assert_eq!(serde_json::from_str::<RangeSet>(&text).unwrap(), set);
        for bad in ["[[5,4]]", "[[-1,4]]", "[[1]]", "[1,2]", "{}", "[[1,2],"] {
            assert!(serde_json::from_str::<RangeSet>(bad).is_err(), "{bad}");
        }
        let many = format!("[{}[0,0]]", "[0,0],".repeat(RANGES_READ_MAX));
        assert!(serde_json::from_str::<RangeSet>(&many).is_err());
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_of_numbers(
            spans in prop::collection::vec((0_u64..200, 0_u64..12), 0..40),
            others in prop::collection::vec((0_u64..200, 0_u64..12), 0..10),
            bound in 0_u64..220,
        ) {
            let mut set = RangeSet::new();
            let mut model = BTreeSet::new();
            for &(a, n) in &spans {
                set.insert_range(a, a + n);
                model.extend(a..=a + n);
            }
            let other: RangeSet = others.iter().map(|&(a, n)| (a, a + n)).collect();
            let without: RangeSet = model.iter().copied().filter(|n| !other.contains(*n)).collect();
            prop_assert_eq!(set.subtract(&other), without);
            set.union(&other);
            model.extend(others.iter().flat_map(|&(a, n)| a..=a + n));

            prop_assert!(set.ranges().windows(2).all(|w| w[0].1 + 1 < w[1].0));
            prop_assert_eq!(set.len(), model.len() as u64);
            for n in 0..220 {
                prop_assert_eq!(set.contains(n), model.contains(&n));
            }
            let below: BTreeSet<u64> = model.range(..bound).copied().collect();
            let from: BTreeSet<u64> = model.range(bound..).copied().collect();
            prop_assert_eq!(set.intersect_below(bound), below.iter().copied().collect::<RangeSet>());
            prop_assert_eq!(set.intersect_from(bound), from.iter().copied().collect::<RangeSet>());
            prop_assert_eq!(set.first_absent(bound), (bound..1000).find(|n| !model.contains(n)));
            prop_assert_eq!(set.last(), model.last().copied());
            let absent: Vec<u64> = set.gaps().iter().flat_map(|&(a, b)| a..=b).collect();
            let (low, high) = (model.first().copied().unwrap_or(0), model.last().copied().unwrap_or(0));
            prop_assert_eq!(absent, (low..=high).filter(|n| !model.is_empty() && !model.contains(n)).collect::<Vec<_>>());
        }
    }
}
