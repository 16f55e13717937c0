//! Which epoch a record of a source table belongs to. Pure.
//!
//! Positions of one timeline of a source can be compared; those of two cannot. A full snapshot by a
//! new run of the connector opens a timeline: its rows beat everything of the older ones, whatever
//! the numbers say (a restored or failed-over database counts lower).

use row_model::{Change, ChangeKind, Epoch, RunId, SnapshotMark};

/// What is remembered of a table's runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    /// Runs whose full snapshot opened an epoch, oldest first: the first opened epoch 1.
    pub openers: Vec<RunId>,
    /// The newest run of which any record was seen, and the newest that has streamed.
    pub newest: Option<RunId>,
    pub streamed: Option<RunId>,
}

impl Epochs {
    #[must_use]
    pub fn current(&self) -> Epoch {
        Epoch(self.openers.len() as u32)
    }

    /// The epoch of a change; a new one if the change opens it.
    pub fn of(&mut self, change: &Change) -> Epoch {
        // Without run ids nothing tells a new timeline from the old.
        let Some(run) = change.run else {
            return self.current();
        };
        let full_snapshot = matches!(
            change.snapshot,
            Some(SnapshotMark::Row | SnapshotMark::LastOfTable)
        );
        if full_snapshot && self.opens(run) {
            self.openers.push(run);
        }
        let streams = change.snapshot.is_none() && change.kind != ChangeKind::Advance;
        if streams {
            self.streamed = self.streamed.max(Some(run));
        }
        self.newest = self.newest.max(Some(run));
        Epoch(self.openers.partition_point(|opener| *opener <= run) as u32)
    }

    /// A run that has streamed already takes a blocking snapshot, in its own timeline; one older
    /// than the newest seen is redelivered.
    fn opens(&self, run: RunId) -> bool {
        let is_newest = self.newest.is_none_or(|newest| newest <= run);
        is_newest && self.streamed != Some(run) && self.openers.last() != Some(&run)
    }
}

#[cfg(test)]
mod tests {
    use row_model::{OriginId, SchemaId};

    use super::*;

    fn change(run: u128, snapshot: Option<SnapshotMark>) -> Change {
        Change {
            offset: 0,
            kind: ChangeKind::Upsert,
            snapshot,
            schema: SchemaId(0),
            origin: OriginId(0),
            key: 0..0,
            row: 0..0,
            before: 0..0,
            position: None,
            run: (run > 0).then_some(RunId(run)),
            transaction: None,
            commit_ms: None,
            connector_ms: None,
            other_key: 0..0,
        }
    }

    /// The epochs of changes given as (run, is a snapshot row); run 0 is none.
    fn epochs(changes: &[(u128, bool)]) -> Vec<u32> {
        let mut epochs = Epochs::default();
        let snapshot = |is: bool| is.then_some(SnapshotMark::Row);
        changes
            .iter()
            .map(|(run, is_row)| epochs.of(&change(*run, snapshot(*is_row))).0)
            .collect()
    }

    #[test]
    fn a_full_snapshot_by_a_new_run_opens_an_epoch() {
        assert_eq!(
            epochs(&[(1, true), (1, true), (1, false), (2, true), (2, false)]),
            [1, 1, 1, 2, 2]
        );
    }

    #[test]
    fn a_restart_without_snapshot_does_not() {
        assert_eq!(
            epochs(&[(1, true), (1, false), (2, false), (3, false)]),
            [1, 1, 1, 1]
        );
    }

    #[test]
    fn a_snapshot_by_a_run_that_has_streamed_does_not() {
        assert_eq!(epochs(&[(1, true), (1, false), (1, true)]), [1, 1, 1]);
        assert_eq!(epochs(&[(1, false), (1, true)]), [0, 0]);
    }

    #[test]
    fn redelivered_records_keep_the_epoch_of_their_run() {
        assert_eq!(
            epochs(&[(1, true), (2, true), (1, true), (1, false), (2, false)]),
            [1, 2, 1, 1, 2]
        );
    }

    #[test]
    fn records_without_run_belong_to_the_current_epoch() {
        assert_eq!(epochs(&[(0, true), (1, true), (0, false)]), [0, 1, 1]);
    }
}
