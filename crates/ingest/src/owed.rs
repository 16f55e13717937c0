//! Removals of keyless rows that have not arrived yet.
//!
//! Records without a key are spread over the partitions of their topic, so the removal of a row may
//! be read before the row. It is owed then, and the row it meant goes as it comes.
//!
//! Equal rows are as good as each other: as long as none is missing, their number is right in the end
//! whichever of them goes. Where rows are missing, a removal may wait for one of those in vain: then
//! it takes only a row that was made before it.
//!
//! Refuses removals without a position.

use std::collections::BTreeMap;

use row_model::{OriginId, SourcePosition};

use crate::keyless::Content;

/// Removals of one table that may be owed at a time. Beyond it they are put aside, which can be seen.
const OWED_MAX: usize = 10_000;

/// Which multiset of which source table lacks the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Creditor {
    pub origin: OriginId,
    /// Of the multiset that a snapshot builds.
    pub staged: bool,
    pub content: Content,
}

#[derive(Debug, Default)]
pub(crate) struct Owed {
    removals: BTreeMap<Creditor, Vec<SourcePosition>>,
    count: usize,
}

impl Owed {
    /// Remembers a removal; false if there are too many.
    pub fn add(&mut self, creditor: Creditor, at: SourcePosition) -> bool {
        if self.count >= OWED_MAX {
            return false;
        }
        self.removals.entry(creditor).or_default().push(at);
        self.count += 1;
        true
    }

    /// A row arrives: true if a removal was waiting for one like it.
    pub fn settle(&mut self, creditor: Creditor) -> bool {
        self.settle_one(creditor, |_| true)
    }

    /// The same for a row that was made at a position: a removal before it meant another.
    pub fn settle_after(&mut self, creditor: Creditor, made: &SourcePosition) -> bool {
        self.settle_one(creditor, |at| made.is_before(at))
    }

    fn settle_one(&mut self, creditor: Creditor, meant: impl Fn(&SourcePosition) -> bool) -> bool {
        let Some(removals) = self.removals.get_mut(&creditor) else {
            return false;
        };
        // The first one after the row: those after that may be about rows that are still to come.
        let meant = (0..removals.len())
            .filter(|place| meant(&removals[*place]))
            .reduce(|first, place| {
                let is_before = removals[place].is_before(&removals[first]);
                if is_before { place } else { first }
            });
        let Some(place) = meant else { return false };
        removals.swap_remove(place);
        self.count -= 1;
        if removals.is_empty() {
            self.removals.remove(&creditor);
        }
        true
    }

    /// Forgets what is owed for which `is_void` holds.
    pub fn forget(&mut self, is_void: impl Fn(Creditor, &SourcePosition) -> bool) {
        self.removals.retain(|creditor, removals| {
            removals.retain(|at| !is_void(*creditor, at));
            !removals.is_empty()
        });
        self.count = self.removals.values().map(Vec::len).sum();
    }

    /// What was owed to the multiset under construction is owed to the one readers see.
    pub fn promote(&mut self, origin: OriginId) {
        self.forget(|creditor, _| creditor.origin == origin && !creditor.staged);
        for (mut creditor, removals) in std::mem::take(&mut self.removals) {
            creditor.staged &= creditor.origin != origin;
            self.removals.insert(creditor, removals);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Creditor, SourcePosition)> {
        let all = self.removals.iter();
        all.flat_map(|(creditor, removals)| removals.iter().map(|at| (*creditor, *at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lsn: u64) -> SourcePosition {
        SourcePosition::from_numbers(0, &[lsn]).unwrap()
    }

    fn creditor(staged: bool) -> Creditor {
        Creditor {
            origin: OriginId(0),
            staged,
            content: Content(1),
        }
    }

    #[test]
    fn where_rows_are_missing_a_row_settles_the_first_removal_after_it() {
        let mut owed = Owed::default();
        for lsn in [30, 10, 20] {
            assert!(owed.add(creditor(false), at(lsn)));
        }
        assert!(!owed.settle(creditor(true)));
        assert!(!owed.settle_after(creditor(false), &at(30)));
        assert!(owed.settle_after(creditor(false), &at(12)));
        assert!(owed.settle_after(creditor(false), &at(12)));
        assert!(!owed.settle_after(creditor(false), &at(12)));
        assert!(owed.settle(creditor(false)));
        assert_eq!(owed.count, 0);
    }

    #[test]
    fn what_a_replaced_multiset_was_owed_is_void() {
        let mut owed = Owed::default();
        owed.add(creditor(false), at(10));
        owed.add(creditor(true), at(20));
        owed.promote(OriginId(0));
        let left: Vec<_> = owed.iter().collect();
        assert_eq!(left, [(creditor(false), at(20))]);
    }

    #[test]
    fn there_is_a_limit() {
        let mut owed = Owed::default();
        for lsn in 0..OWED_MAX as u64 {
            assert!(owed.add(creditor(false), at(lsn)));
        }
        assert!(!owed.add(creditor(false), at(1)));
        owed.forget(|_, at| at.numbers() == Some(vec![5]));
        assert!(owed.add(creditor(false), at(1)));
    }
}
