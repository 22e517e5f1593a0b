//! Long lists: what is in trouble stands open, what is well is folded once the list is long. `[P]`

/// A list no longer than this stands open, whatever is in it.
const ROWS_OPEN_MIN: usize = 12;
/// More than this is folded even if it is in trouble: in a storm the worst come first.
const ROWS_OPEN_MAX: usize = 40;

/// A list in two parts, each in the order that it had.
pub struct Fold<T> {
    pub open: Vec<T>,
    pub folded: Vec<T>,
}

impl<T> Fold<T> {
    /// Everything in trouble is open, and of the rest as many as make [`ROWS_OPEN_MIN`] in all. A row that `follows`
    /// goes where the row before it went.
    pub fn new(rows: Vec<T>, is_well: impl Fn(&T) -> bool, follows: impl Fn(&T) -> bool) -> Self {
        let (mut open, mut folded) = (Vec::new(), Vec::new());
        let trouble = rows.iter().filter(|row| !is_well(row)).count();
        let mut room = ROWS_OPEN_MIN.saturating_sub(trouble);
        let mut groups: Vec<Vec<T>> = Vec::new();
        for row in rows {
            match groups.last_mut() {
                Some(group) if follows(&row) => group.push(row),
                _ => groups.push(vec![row]),
            }
        }
        for group in groups {
            if group.iter().any(|row| !is_well(row)) && open.len() < ROWS_OPEN_MAX {
                open.extend(group);
            } else if room > 0 && open.len() < ROWS_OPEN_MAX {
                room = room.saturating_sub(group.len());
                open.extend(group);
            } else {
                folded.extend(group);
            }
        }
        Self { open, folded }
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.folded.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of rows named by a letter (`w` well, `t` in trouble, `m` a well member of the row before).
    #[track_caller]
    fn check(rows: &str, open: &str, folded: &str) {
        let fold = Fold::new(rows.chars().collect(), |c| *c != 't', |c| *c == 'm');
        assert_eq!((fold.open.into_iter().collect::<String>().as_str(), fold.folded.len()), (open, folded.len()));
    }

    #[test]
    fn trouble_is_open_and_a_long_rest_is_folded() {
        check("", "", "");
        check("ttww", "ttww", "");
        check(&"w".repeat(12), &"w".repeat(12), "");
        check(&"w".repeat(15), &"w".repeat(12), "www");
        check(&("t".repeat(20) + "www"), &"t".repeat(20), "www");
        check(&"t".repeat(50), &"t".repeat(40), &"t".repeat(10));
        check(&("t".repeat(11) + "wmmww"), &("t".repeat(11) + "wmm"), "ww");
    }

    #[test]
    fn a_member_in_trouble_keeps_its_bundle_open() {
        let fold = Fold::new(vec![('w', 0), ('t', 1)], |r| r.0 != 't', |r| r.1 == 1);
        assert_eq!((fold.open.len(), fold.folded.len()), (2, 0));
    }
}
