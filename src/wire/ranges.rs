//! Sets of sequence numbers as inclusive ranges.

/// Sorted, disjoint, not adjacent inclusive ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RangeSet {
    ranges: Vec<(u64, u64)>,
}

impl RangeSet {
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }
}
