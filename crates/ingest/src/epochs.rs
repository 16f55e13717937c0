//! Which epoch a record of a source table belongs to. Pure.
//!
//! Positions of one timeline of a source can be compared; those of two cannot. A full snapshot by a
//! new run of the connector opens a timeline: its rows beat everything of the older ones, whatever
//! the numbers say (a restored or failed-over database counts lower).
//!
//! Such a snapshot names every row there is. Once it has been read to its end on every partition,
//! rows of older epochs are ghosts: they were deleted while the connector was down, and no event
//! ever says so. They are swept.

use row_model::{Change, ChangeKind, Epoch, RunId, SnapshotMark};

/// What is remembered of a table's runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    /// Runs whose full snapshot opened an epoch, oldest first: the first opened epoch 1.
    pub openers: Vec<RunId>,
    /// The oldest and the newest run of which any record was seen, and the newest that has streamed.
    pub oldest: Option<RunId>,
    pub newest: Option<RunId>,
    pub streamed: Option<RunId>,
    /// The newest epoch whose snapshot was read to its last row, and the newest that has swept.
    pub closed: Epoch,
    pub swept: Epoch,
    /// Rows of a full snapshot came without a run id: nobody can tell whose it is, so nothing sweeps.
    pub anonymous: bool,
    /// The newest opener, if its snapshot has named other tables and, before what it streamed here,
    /// none of this table's rows.
    pub unnamed: Option<RunId>,
}

impl Epochs {
    #[must_use]
    pub fn current(&self) -> Epoch {
        Epoch(self.openers.len() as u32)
    }

    /// The epoch of a change; a new one if the change opens it.
    pub fn of(&mut self, change: &Change) -> Epoch {
        let full_snapshot = change.snapshot.is_some_and(SnapshotMark::is_full);
        // Without run ids nothing tells a new timeline from the old.
        let Some(run) = change.run else {
            self.anonymous |= full_snapshot;
            return self.current();
        };
        self.oldest = Some(self.oldest.map_or(run, |oldest| oldest.min(run)));
        if full_snapshot && self.opens(run) {
            self.openers.push(run);
            self.unnamed = None;
        }
        // Rows of an incremental snapshot come in between what is streamed.
        let streams = match change.snapshot {
            None => change.kind != ChangeKind::Advance,
            Some(mark) => !mark.is_full(),
        };
        // What the run streams may be read first, from another partition than the last row. A run
        // streams only after its snapshot, so that of a keyless table, which is out of sight until
        // then, is over even if its last row never came or was not marked.
        let ends = change.snapshot.is_some_and(SnapshotMark::ends_table)
            || (streams && change.key.is_empty());
        // A snapshot that comes after what the run has streamed is a repeated one, perhaps filtered.
        if ends && self.openers.last() == Some(&run) && self.unnamed != Some(run) {
            self.closed = self.current();
        }
        if streams {
            self.streamed = self.streamed.max(Some(run));
        }
        self.newest = self.newest.max(Some(run));
        Epoch(self.openers.partition_point(|opener| *opener <= run) as u32)
    }

    /// The epoch before which every row is a ghost, if its snapshot is read to its end and has not swept.
    #[must_use]
    pub fn to_sweep(&self) -> Option<Epoch> {
        (self.closed > self.swept).then_some(self.closed)
    }

    /// The run whose full snapshot has not been read to its last row, and that has not streamed since:
    /// a connector streams when it is done with its snapshot.
    #[must_use]
    pub fn unfinished(&self) -> Option<RunId> {
        let newest = self.openers.last().copied();
        newest.filter(|run| self.closed < self.current() && self.streamed < Some(*run))
    }

    /// The epoch of a change that comes late, where that is known without it: nothing is opened.
    #[must_use]
    pub fn of_late(&self, change: &Change) -> Option<Epoch> {
        let Some(run) = change.run else {
            return self.openers.is_empty().then(|| self.current());
        };
        let full_snapshot = change.snapshot.is_some_and(SnapshotMark::is_full);
        if full_snapshot && !self.openers.contains(&run) {
            return None;
        }
        Some(Epoch(
            self.openers.partition_point(|opener| *opener <= run) as u32
        ))
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
            membership: None,
            gtid_line: None,
            commit_ms: None,
            connector_ms: None,
            other_key: 0..0,
            key_change: false,
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
    fn a_snapshot_by_a_run_that_was_in_an_incremental_one_does_not() {
        let mut epochs = Epochs::default();
        epochs.of(&change(1, Some(SnapshotMark::Incremental)));
        assert_eq!(
            epochs.of(&change(1, Some(SnapshotMark::LastOfTable))),
            Epoch(0)
        );
        assert_eq!(epochs.to_sweep(), None);
    }

    #[test]
    fn redelivered_records_keep_the_epoch_of_their_run() {
        assert_eq!(
            epochs(&[(1, true), (2, true), (1, true), (1, false), (2, false)]),
            [1, 2, 1, 1, 2]
        );
    }

    #[test]
    fn only_the_last_row_of_a_new_runs_snapshot_closes_it() {
        let mut epochs = Epochs::default();
        let last = Some(SnapshotMark::LastOfTable);
        epochs.of(&change(1, Some(SnapshotMark::Row)));
        assert_eq!(epochs.to_sweep(), None);
        epochs.of(&change(1, last));
        assert_eq!(epochs.to_sweep(), Some(Epoch(1)));
        epochs.swept = Epoch(1);
        // Redelivered, or blocking: nothing more to sweep.
        epochs.of(&change(1, last));
        epochs.of(&change(1, None));
        epochs.of(&change(1, last));
        assert_eq!(epochs.to_sweep(), None);
        // A one-row table has only the closing mark.
        epochs.of(&change(2, last));
        assert_eq!(epochs.to_sweep(), Some(Epoch(2)));
    }

    #[test]
    fn a_snapshot_is_unfinished_until_its_last_row_or_until_its_run_streams() {
        let rows = |last: Option<SnapshotMark>| {
            let mut epochs = Epochs::default();
            epochs.of(&change(7, Some(SnapshotMark::Row)));
            assert_eq!(epochs.unfinished(), Some(RunId(7)));
            epochs.of(&change(7, last));
            epochs.unfinished()
        };
        assert_eq!(rows(Some(SnapshotMark::Row)), Some(RunId(7)));
        assert_eq!(rows(Some(SnapshotMark::LastOfTable)), None);
        assert_eq!(rows(None), None);
    }

    #[test]
    fn a_snapshot_without_run_ids_never_sweeps() {
        let mut epochs = Epochs::default();
        epochs.of(&change(0, Some(SnapshotMark::LastOfTable)));
        assert!(epochs.anonymous && epochs.to_sweep().is_none());
    }

    #[test]
    fn records_without_run_belong_to_the_current_epoch() {
        assert_eq!(epochs(&[(0, true), (1, true), (0, false)]), [0, 1, 1]);
    }
}
