//! Whose turn it is: fresh batches, or the backlog of an outage. `[P]`
//!
//! A sink that is far behind does not make the present wait: it jumps to the newest rows and follows them from there,
//! and brings the rows that it jumped over afterwards, slower. Both places are kept in the ledger. When it falls behind
//! a second time before it is through, what it had written of the present is forgotten and written again: that changes
//! nothing, for a point is its series and its timestamp.

/// Rows that a sink may be behind before they count as a backlog.
pub const BEHIND_ROWS_MAX: i64 = 256;
/// Of these, so many are still fresh.
const FRESH_ROWS: i64 = 32;

/// Where a sink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Places {
    /// Every row up to this one is delivered.
    pub done: i64,
    /// And those after the first up to the second.
    pub live: Option<(i64, i64)>,
}

/// What to deliver next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Rows after this one.
    Live { after: i64 },
    /// Rows after the first, up to the second.
    Backlog { after: i64, until: i64 },
}

impl Places {
    /// Decides, given the newest row. There is a turn also where there is nothing to deliver: it finds nothing.
    pub fn turn(&mut self, newest: i64) -> Turn {
        let at = self.live.map_or(self.done, |(_, to)| to);
        if newest.saturating_sub(at) > BEHIND_ROWS_MAX {
            let from = newest - FRESH_ROWS;
            self.live = Some((from, from));
            return Turn::Live { after: from };
        }
        match self.live {
            Some((from, to)) if newest <= to => Turn::Backlog { after: self.done, until: from },
            _ => Turn::Live { after: at },
        }
    }

    /// Notes that a turn found batches, the last of them in this row, or that it found none.
    pub fn delivered(&mut self, turn: Turn, last_row: Option<i64>) {
        match (turn, &mut self.live) {
            (Turn::Live { after }, Some((_, to))) => *to = last_row.unwrap_or(after).max(*to),
            (Turn::Live { after }, None) => self.done = last_row.unwrap_or(after).max(self.done),
            (Turn::Backlog { until, .. }, _) => self.done = last_row.unwrap_or(until).max(self.done),
        }
        if let Some((from, to)) = self.live
            && self.done >= from
        {
            *self = Self { done: to.max(self.done), live: None };
        }
    }

    /// Rows not delivered yet.
    pub fn waiting(&self, newest: i64) -> u64 {
        let (from, to) = self.live.unwrap_or((self.done, self.done));
        (newest.saturating_sub(to).max(0) as u64).saturating_add(from.saturating_sub(self.done).max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sink_that_keeps_up_has_one_place() {
        let mut places = Places::default();
        for newest in [1, 5, 200] {
            let turn = places.turn(newest);
            assert!(matches!(turn, Turn::Live { .. }));
            places.delivered(turn, Some(newest));
            assert_eq!((places, places.waiting(newest)), (Places { done: newest, live: None }, 0));
        }
    }

    #[test]
    fn after_an_outage_the_present_comes_first() {
        let mut places = Places { done: 100, live: None };
        assert_eq!(places.turn(5000), Turn::Live { after: 4968 });
        assert_eq!(places.waiting(5000), 4900);
        places.delivered(Turn::Live { after: 4968 }, Some(5000));
        let turn = places.turn(5000);
        assert_eq!(turn, Turn::Backlog { after: 100, until: 4968 });
        places.delivered(turn, Some(108));
        // A fresh batch goes before the rest of the backlog.
        assert_eq!(places.turn(5001), Turn::Live { after: 5000 });
        places.delivered(Turn::Live { after: 5000 }, Some(5001));
        // What is left of the backlog was pruned: there is nothing up to its end.
        places.delivered(places.clone().turn(5001), None);
        assert_eq!(places, Places { done: 5001, live: None });
    }

    proptest! {
        #[test]
        fn every_row_is_delivered_and_the_newest_soon(
            stored in prop::collection::vec(0_i64..700, 1..12),
            page in 1_usize..40,
        ) {
            let (mut places, mut newest, mut seen) = (Places::default(), 0_i64, BTreeSet::new());
            for burst in stored.into_iter().chain([0]) {
                newest += burst;
                let mut turns = 0;
                while places.waiting(newest) > 0 {
                    let turn = places.turn(newest);
                    let rows: Vec<i64> = match turn {
                        Turn::Live { after } => (after + 1..=newest).take(page).collect(),
                        Turn::Backlog { after, until } => (after + 1..=until).take(page).collect(),
                    };
                    seen.extend(rows.iter().copied());
                    places.delivered(turn, rows.last().copied());
                    turns += 1;
                    prop_assert!(turns < 20_000);
                    if turns == 40 && burst > 0 {
                        break;
                    }
                }
                // However long the outage was: the newest row is there after the present's own pages.
                if burst > 0 && turns * page >= BEHIND_ROWS_MAX as usize + page {
                    prop_assert!(seen.contains(&newest), "{newest} after {turns} turns");
                }
            }
            prop_assert_eq!(seen, (1..=newest).collect::<BTreeSet<_>>());
        }
    }
}
