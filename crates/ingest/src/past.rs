//! Whether a record that comes late may still be applied. Pure.
//!
//! A record that was put aside was passed over, and what came after it was applied. It may take its place only
//! if it is proven that nothing later has been said of its key: by positions, or because nothing was ever
//! said of the key at all. The log proves nothing here, because what is held does not tell its offset.
//!
//! Refuses to guess: what is not proven is left to a rebuild, which reads all records in their order.

use std::cmp::Ordering;

use row_model::{Change, ChangeKind, Stamp};
use serde::{Deserialize, Serialize};
use table_store::{Floor, Incoming};

/// What of a table's past limits what can be proven of its keys.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which comes true at a time of its own"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Past {
    /// Changes of keys came without a position: what is held may be later than its stamp says.
    unplaced: bool,
    /// A truncate came without one: nobody knows which keys it emptied.
    emptied: bool,
    /// Keys that were deleted have been forgotten: one that is not held may have been deleted later.
    pub forgotten: bool,
    /// Rows were completed from what was held before: one that was put aside may be missing in later rows too.
    pub filled: bool,
}

/// What is held under a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holds {
    pub stamp: Stamp,
    pub is_deleted: bool,
    /// It was written just now, by an earlier record of the same partition that came late too.
    pub is_predecessor: bool,
}

/// What is known of a late change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing later was said of its key.
    News,
    /// Something later was said of its key, and said all there is to say.
    Stale,
    /// It cannot be known, for this reason.
    Unproven(&'static str),
}

const UNPLACED: &str =
    "its table has taken changes without a position, so that nobody knows which was later";
const EMPTIED: &str = "its table was truncated by a record without a position";
const FORGOTTEN: &str =
    "its table has forgotten keys that were deleted, and this may be one of them";
const FILLED: &str =
    "later rows of its table were completed from earlier ones, and may lack what it said";
const OTHER_TABLE: &str = "its key is held by another table of the source";
const OTHER_ORDER: &str = "its position cannot be compared with the one that is held";
const SAME_PLACE: &str = "it stands at the same position as what is held";
const IN_SNAPSHOT: &str =
    "its key is held by a snapshot that was read when it may have been under way";

impl Past {
    /// Of a table of which nothing is known: nothing can be proven.
    pub fn unknown() -> Self {
        Self {
            unplaced: true,
            emptied: true,
            forgotten: true,
            filled: true,
        }
    }

    /// Notes a change that is applied. Answers whether anything is new.
    pub fn see(&mut self, change: &Change) -> bool {
        let before = *self;
        if change.position.is_none() {
            match change.kind {
                ChangeKind::Upsert | ChangeKind::Delete => self.unplaced = true,
                ChangeKind::Truncate => self.emptied = true,
                ChangeKind::Advance | ChangeKind::DeleteOfUnknown => {}
            }
        }
        *self != before
    }

    /// What is known of a late change of one key.
    pub fn prove(self, held: Option<&Holds>, incoming: &Incoming, floor: Option<&Floor>) -> Proof {
        if floor.is_some_and(|floor| floor.covers(incoming)) {
            return Proof::Stale;
        }
        if self.emptied {
            return Proof::Unproven(EMPTIED);
        }
        let Some(held) = held else {
            return if self.forgotten {
                Proof::Unproven(FORGOTTEN)
            } else {
                Proof::News
            };
        };
        if held.is_predecessor {
            return Proof::News;
        }
        if held.stamp.origin != incoming.origin {
            return Proof::Unproven(OTHER_TABLE);
        }
        match incoming.epoch.cmp(&held.stamp.epoch) {
            Ordering::Less => self.stale(held),
            Ordering::Greater => Proof::News,
            Ordering::Equal => self.prove_by_position(held, incoming),
        }
    }

    fn prove_by_position(self, held: &Holds, incoming: &Incoming) -> Proof {
        let Some(at) = incoming.position.filter(|_| !self.unplaced) else {
            return Proof::Unproven(UNPLACED);
        };
        let Stamp {
            streamed, snapshot, ..
        } = held.stamp;
        if streamed.is_none() && snapshot.is_none() && !held.is_deleted {
            return Proof::Unproven(UNPLACED);
        }
        if let Some(streamed) = streamed {
            match at.order(&streamed) {
                None => return Proof::Unproven(OTHER_ORDER),
                Some(Ordering::Less) => return self.stale(held),
                Some(Ordering::Equal) if at.is_of_one_change() => return self.stale(held),
                Some(Ordering::Equal) => return Proof::Unproven(SAME_PLACE),
                Some(Ordering::Greater) => {}
            }
        }
        match snapshot.map(|snapshot| at.order(&snapshot)) {
            Some(None) => Proof::Unproven(OTHER_ORDER),
            Some(Some(Ordering::Less)) if incoming.snapshot => self.stale(held),
            Some(Some(Ordering::Less | Ordering::Equal)) => Proof::Unproven(IN_SNAPSHOT),
            Some(Some(Ordering::Greater)) | None => Proof::News,
        }
    }

    fn stale(self, held: &Holds) -> Proof {
        if self.filled && !held.is_deleted {
            Proof::Unproven(FILLED)
        } else {
            Proof::Stale
        }
    }
}

#[cfg(test)]
mod tests {
    use row_model::{Epoch, OriginId, SourcePosition};
    use table_store::Verdict;

    use super::*;

    fn at(lsn: u64) -> Option<SourcePosition> {
        SourcePosition::from_numbers(0, &[lsn])
    }

    fn incoming(lsn: u64, epoch: u32, snapshot: bool) -> Incoming {
        Incoming {
            snapshot,
            position: at(lsn).filter(|_| lsn > 0),
            epoch: Epoch(epoch),
            origin: OriginId(0),
        }
    }

    fn holds(streamed: u64, snapshot: u64, is_deleted: bool) -> Holds {
        Holds {
            stamp: Stamp {
                epoch: Epoch(1),
                streamed: at(streamed).filter(|_| streamed > 0),
                snapshot: at(snapshot).filter(|_| snapshot > 0),
                ..Stamp::default()
            },
            is_deleted,
            is_predecessor: false,
        }
    }

    const CLEAR: Past = Past {
        unplaced: false,
        emptied: false,
        forgotten: false,
        filled: false,
    };

    fn is_unproven(proof: Proof) -> bool {
        matches!(proof, Proof::Unproven(_))
    }

    #[test]
    fn positions_prove_what_is_later() {
        let prove = |held: &Holds, incoming| CLEAR.prove(Some(held), &incoming, None);
        let held = holds(20, 0, false);
        assert_eq!(prove(&held, incoming(21, 1, false)), Proof::News);
        assert_eq!(prove(&held, incoming(19, 1, false)), Proof::Stale);
        assert!(is_unproven(prove(&held, incoming(20, 1, false))));
        assert!(is_unproven(prove(&held, incoming(0, 1, false))));
        assert_eq!(prove(&held, incoming(1, 2, false)), Proof::News);
        assert_eq!(prove(&held, incoming(99, 0, false)), Proof::Stale);
    }

    #[test]
    fn a_snapshot_may_hold_what_was_under_way() {
        let prove = |held: &Holds, incoming| CLEAR.prove(Some(held), &incoming, None);
        let held = holds(0, 20, false);
        assert_eq!(prove(&held, incoming(21, 1, false)), Proof::News);
        assert!(is_unproven(prove(&held, incoming(19, 1, false))));
        assert_eq!(prove(&held, incoming(19, 1, true)), Proof::Stale);
        // What a sweep has left behind says nothing against a row of the same generation.
        assert_eq!(prove(&holds(0, 0, true), incoming(5, 1, true)), Proof::News);
        assert!(is_unproven(prove(
            &holds(0, 0, false),
            incoming(5, 1, true)
        )));
    }

    #[test]
    fn what_is_not_held_was_never_there_unless_it_was_forgotten() {
        let late = incoming(0, 1, false);
        assert_eq!(CLEAR.prove(None, &late, None), Proof::News);
        let forgotten = Past {
            forgotten: true,
            ..CLEAR
        };
        assert!(is_unproven(forgotten.prove(None, &late, None)));
        let emptied = Past {
            emptied: true,
            ..CLEAR
        };
        assert!(is_unproven(emptied.prove(None, &late, None)));
        let floor = Floor {
            epoch: Epoch(1),
            position: SourcePosition::from_numbers(0, &[9]).unwrap(),
        };
        assert_eq!(
            CLEAR.prove(None, &incoming(8, 1, false), Some(&floor)),
            Proof::Stale
        );
        assert!(is_unproven(Past::unknown().prove(None, &late, None)));
    }

    #[test]
    fn rows_that_were_completed_may_lack_what_was_put_aside() {
        let filled = Past {
            filled: true,
            ..CLEAR
        };
        let late = incoming(19, 1, false);
        assert!(is_unproven(filled.prove(
            Some(&holds(20, 0, false)),
            &late,
            None
        )));
        assert_eq!(
            filled.prove(Some(&holds(20, 0, true)), &late, None),
            Proof::Stale
        );
    }

    /// All changes of a few positions and generations.
    fn all() -> impl Iterator<Item = (u64, u32, bool)> {
        let of = |lsn| [0, 1, 2].map(|epoch| [(lsn, epoch, false), (lsn, epoch, true)]);
        (0..4).flat_map(of).flatten()
    }

    #[test]
    fn a_proof_never_contradicts_the_order_of_keys() {
        for (streamed, snapshot) in (0..16).map(|n| (n / 4, n % 4)) {
            for ((lsn, epoch, is_row), is_deleted) in
                all().flat_map(|change| [(change, false), (change, true)])
            {
                let held = holds(streamed, snapshot, is_deleted);
                let late = incoming(lsn, epoch, is_row);
                let stamp = table_store::Held { stamp: &held.stamp };
                let verdict = table_store::decide(Some(stamp), &late, None);
                let told = format!("{held:?} {late:?}");
                match CLEAR.prove(Some(&held), &late, None) {
                    Proof::News => assert!(matches!(verdict, Verdict::Apply(_)), "{told}"),
                    // Key order lets the later one of the log win; here the older snapshot loses.
                    Proof::Stale if is_row && snapshot > lsn && epoch == 1 => {}
                    Proof::Stale => assert_eq!(verdict, Verdict::Stale, "{told}"),
                    Proof::Unproven(_) => {}
                }
            }
        }
    }
}
