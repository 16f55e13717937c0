//! Decides whether a change may overwrite what a key holds. Pure.
//!
//! Invariant: time never turns back for a key, and nothing valid is ever dropped. A change is
//! dropped only when positions *prove* it older; where they cannot be compared, the later record
//! of the log wins.

use row_model::{Epoch, OriginId, SourcePosition, Stamp};

/// What the slot of the key remembers.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    pub stamp: &'a Stamp,
}

/// Everything about a change that the decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct Incoming {
    /// A snapshot row, full, blocking or incremental; `false` for a streamed change.
    pub snapshot: bool,
    pub position: Option<SourcePosition>,
    pub epoch: Epoch,
    pub origin: OriginId,
}

/// What a truncate leaves behind: nothing positioned before it exists any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    pub epoch: Epoch,
    pub position: SourcePosition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Apply it; the slot then remembers this.
    Apply(Stamp),
    /// It is older than what the key holds.
    Stale,
    /// It was emptied by a truncate that came after it.
    BelowFloor,
}

/// What becomes of a change to a key.
#[must_use]
pub fn decide(held: Option<Held<'_>>, incoming: &Incoming, floor: Option<&Floor>) -> Verdict {
    if floor.is_some_and(|floor| floor.covers(incoming)) {
        return Verdict::BelowFloor;
    }
    // Another source table has other epochs and other positions: the log decides.
    let held = held.filter(|held| held.stamp.origin == incoming.origin);
    let same_epoch = match held {
        Some(held) if incoming.epoch < held.stamp.epoch => return Verdict::Stale,
        Some(held) if incoming.epoch == held.stamp.epoch => Some(held.stamp),
        _ => None,
    };
    let streamed = same_epoch.and_then(|stamp| stamp.streamed);
    let proven_older = match (&incoming.position, &streamed) {
        (Some(incoming), Some(streamed)) => incoming.is_before(streamed),
        _ => false,
    };
    // What was streamed last before a snapshot row was read, told again: the row that is held was read
    // later, and may have columns that this one has not.
    let is_repeated = !incoming.snapshot
        && incoming.position == streamed
        && match (
            incoming.position,
            same_epoch.and_then(|stamp| stamp.snapshot),
        ) {
            (Some(incoming), Some(snapshot)) => incoming.is_before(&snapshot),
            _ => false,
        };
    if proven_older || is_repeated {
        return Verdict::Stale;
    }
    let base = Stamp {
        epoch: incoming.epoch,
        origin: incoming.origin,
        ..Stamp::default()
    };
    Verdict::Apply(if incoming.snapshot {
        // A snapshot row never raises what was streamed: a transaction that was open while the
        // snapshot was read arrives later, with positions below the snapshot's, and is right.
        Stamp {
            streamed,
            snapshot: incoming.position,
            ..base
        }
    } else {
        Stamp {
            streamed: incoming.position.or(streamed),
            ..base
        }
    })
}

impl Floor {
    /// True if the change is known to precede the truncate.
    #[must_use]
    pub fn covers(&self, incoming: &Incoming) -> bool {
        incoming.epoch < self.epoch
            || (incoming.epoch == self.epoch
                && incoming
                    .position
                    .is_some_and(|at| at.is_before(&self.position)))
    }

    /// True if a row with this stamp is emptied by the truncate: nothing shows it to be newer.
    #[must_use]
    pub fn empties(&self, stamp: &Stamp) -> bool {
        if stamp.epoch != self.epoch {
            return stamp.epoch < self.epoch;
        }
        match stamp.snapshot.or(stamp.streamed) {
            Some(at) => !self.position.is_before(&at),
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lsn: u64) -> Option<SourcePosition> {
        SourcePosition::from_numbers(0, &[lsn])
    }

    fn streamed(lsn: u64) -> Incoming {
        Incoming {
            snapshot: false,
            position: at(lsn),
            epoch: Epoch(1),
            origin: OriginId(0),
        }
    }

    fn snapshot(lsn: u64) -> Incoming {
        Incoming {
            snapshot: true,
            ..streamed(lsn)
        }
    }

    /// The stamp a slot has after these changes, each of which must be applied.
    fn after(changes: &[Incoming]) -> Stamp {
        changes
            .iter()
            .fold(None, |held: Option<Stamp>, change| {
                Some(apply(held.as_ref(), change))
            })
            .unwrap()
    }

    fn apply(held: Option<&Stamp>, change: &Incoming) -> Stamp {
        match decide(held.map(|stamp| Held { stamp }), change, None) {
            Verdict::Apply(stamp) => stamp,
            verdict => panic!("{verdict:?}"),
        }
    }

    fn decided(held: &Stamp, change: &Incoming) -> bool {
        matches!(
            decide(Some(Held { stamp: held }), change, None),
            Verdict::Apply(_)
        )
    }

    #[test]
    fn a_streamed_change_is_dropped_only_if_strictly_older() {
        let held = after(&[streamed(20)]);
        assert!(!decided(&held, &streamed(19)));
        assert!(decided(&held, &streamed(20)));
        assert!(decided(&held, &streamed(21)));
    }

    #[test]
    fn a_transaction_open_during_the_snapshot_arrives_below_it_and_is_right() {
        let held = after(&[snapshot(100)]);
        assert!(decided(&held, &streamed(90)));
    }

    #[test]
    fn a_late_snapshot_row_loses_to_what_was_streamed_after_it_and_repairs_what_was_before() {
        let held = after(&[streamed(100)]);
        assert!(!decided(&held, &snapshot(99)));
        assert!(decided(&held, &snapshot(100)));
        assert!(decided(&held, &snapshot(101)));
    }

    #[test]
    fn a_snapshot_row_does_not_raise_the_slot() {
        let held = after(&[streamed(50), snapshot(100)]);
        assert!(!decided(&held, &streamed(49)));
        assert!(decided(&held, &streamed(60)));
    }

    #[test]
    fn what_was_streamed_before_a_snapshot_row_does_not_come_back_when_it_is_told_again() {
        let held = after(&[streamed(50), snapshot(100)]);
        assert!(!decided(&held, &streamed(50)));
        // Where the snapshot stands before it, or at the same place, nothing is proven.
        let held = after(&[streamed(50), snapshot(50)]);
        assert!(decided(&held, &streamed(50)));
    }

    #[test]
    fn a_newer_epoch_beats_every_position_and_an_older_one_loses() {
        let held = after(&[streamed(1000)]);
        let restored = Incoming {
            epoch: Epoch(2),
            ..snapshot(5)
        };
        assert!(decided(&held, &restored));
        let held = after(&[streamed(1000), restored]);
        assert!(!decided(&held, &streamed(2000)));
        assert!(decided(
            &held,
            &Incoming {
                epoch: Epoch(2),
                ..streamed(6)
            }
        ));
    }

    #[test]
    fn without_comparable_positions_the_log_decides() {
        let held = after(&[streamed(20)]);
        assert!(decided(
            &held,
            &Incoming {
                position: None,
                ..streamed(0)
            }
        ));
        let other_server = SourcePosition::from_numbers(9, &[1]);
        assert!(decided(
            &held,
            &Incoming {
                position: other_server,
                ..streamed(0)
            }
        ));
        // What was streamed before a change without position is still known.
        let held = after(&[
            streamed(20),
            Incoming {
                position: None,
                ..streamed(0)
            },
        ]);
        assert!(!decided(&held, &streamed(19)));
    }

    #[test]
    fn source_tables_that_share_a_topic_do_not_compare() {
        let held = after(&[Incoming {
            epoch: Epoch(3),
            ..streamed(1000)
        }]);
        let other = Incoming {
            origin: OriginId(1),
            ..streamed(5)
        };
        assert!(decided(&held, &other));
    }

    #[test]
    fn nothing_from_before_a_truncate_comes_back() {
        let floor = Floor {
            epoch: Epoch(1),
            position: at(50).unwrap(),
        };
        let verdict = |change: &Incoming| decide(None, change, Some(&floor));
        assert_eq!(verdict(&streamed(49)), Verdict::BelowFloor);
        assert_eq!(verdict(&snapshot(49)), Verdict::BelowFloor);
        assert!(matches!(verdict(&streamed(50)), Verdict::Apply(_)));
        assert!(matches!(
            verdict(&Incoming {
                epoch: Epoch(2),
                ..snapshot(1)
            }),
            Verdict::Apply(_)
        ));
        assert!(floor.empties(&after(&[streamed(49)])));
        assert!(floor.empties(&after(&[snapshot(50)])));
        assert!(!floor.empties(&after(&[streamed(51)])));
        assert!(!floor.empties(&after(&[Incoming {
            epoch: Epoch(2),
            ..snapshot(1)
        }])));
    }
}
