//! Whether a table holds every row its source has, and why not.
//!
//! A log that retention has shortened lacks the rows that did not change since. A full snapshot names
//! every row there is: read from before its first row to its end, on every partition, it makes the
//! table complete again.
//!
//! Invariant: a table is called complete only if nothing is missing as far as the log can tell. That
//! the beginning of a snapshot was read is believed only if something older was read before it on
//! each partition that began late, or the row that is marked as its first.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use row_model::{Change, ChangeKind, Epoch, OriginId, RunId, SnapshotMark};
use serde::{Deserialize, Serialize};

use crate::confirmations::Confirmation;
use crate::tables::TableState;

/// What is known of a table's gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Completeness {
    /// Partitions whose log had been shortened before it was read, with the run of the first record
    /// that was read from each.
    pub late: BTreeMap<i32, Option<RunId>>,
    /// The newest run of which the first row of a snapshot was read.
    pub first_row_of: BTreeMap<OriginId, RunId>,
    /// Source tables of which a full snapshot has mended the table since, and those of which only a
    /// newer generation than this one can.
    pub mended: BTreeSet<OriginId>,
    pub doubted: BTreeMap<OriginId, Epoch>,
    /// Records that stood for the deletion of nobody knows which row.
    pub unknown_deletes: u64,
}

impl TableState {
    /// A partition's log begins only after its beginning.
    pub(crate) fn begins_late(&mut self, partition: i32, reason: String) {
        self.completeness.late.insert(partition, None);
        self.completeness.mended.clear();
        self.incomplete = Some(reason);
        (self.notes_dirty, self.touched) = (true, true);
    }

    /// The log of some partition other than these had been shortened before it was read.
    pub(crate) fn begins_late_outside(&self, partitions: &HashSet<i32>) -> bool {
        let mut late = self.completeness.late.keys();
        late.any(|partition| !partitions.contains(partition))
    }

    /// Rows may be missing, or be there that should not: only a snapshot that begins from now on can
    /// mend that.
    pub(crate) fn doubt(&mut self, reason: String) {
        let epochs = self.origins.iter();
        let epochs = epochs.map(|(id, origin)| (*id, origin.epochs.current()));
        self.completeness.doubted = epochs.collect();
        self.completeness.mended.clear();
        self.incomplete = Some(reason);
        (self.notes_dirty, self.touched) = (true, true);
    }

    /// A record stood for the deletion of a row, and did not say of which.
    pub(crate) fn deletes_unknown(&mut self) {
        self.completeness.unknown_deletes += 1;
        let count = self.completeness.unknown_deletes;
        self.doubt(format!(
            "{count} records stood for deleted rows and said not which, because flattened rows without a key are deleted by records without key and value. Set delete.tombstone.handling.mode=rewrite in the connector's transform, or send envelopes, then take a new full snapshot"
        ));
    }

    /// Notes what a change tells about where a snapshot began.
    pub(crate) fn notice_beginning(&mut self, partition: i32, origin: OriginId, change: &Change) {
        if self.incomplete.is_none() || change.kind == ChangeKind::Advance {
            return;
        }
        let Some(run) = change.run else { return };
        let completeness = &mut self.completeness;
        if let Some(first @ None) = completeness.late.get_mut(&partition) {
            (*first, self.notes_dirty) = (Some(run), true);
        }
        if change.snapshot == Some(SnapshotMark::FirstOfTable) {
            let newest = completeness.first_row_of.entry(origin).or_insert(run);
            (*newest, self.notes_dirty) = (run.max(*newest), true);
        }
    }

    /// A full snapshot of a source table was read to its end, and has taken effect.
    pub(crate) fn mend(&mut self, origin: OriginId, epoch: Epoch) {
        let number = (epoch.0 as usize).wrapping_sub(1);
        let opener = self.origins.get(&origin);
        let opener = opener.and_then(|it| it.epochs.openers.get(number).copied());
        let (Some(run), Some(_)) = (opener, &self.incomplete) else {
            return;
        };
        let completeness = &mut self.completeness;
        let mut firsts = completeness.late.values();
        let began_later = firsts.all(|first| first.is_some_and(|first| first < run));
        let saw_first_row = completeness.first_row_of.get(&origin) == Some(&run);
        let is_newer = |doubted: &Epoch| *doubted < epoch;
        let is_beyond_doubt = completeness.doubted.get(&origin).is_none_or(is_newer);
        if !(began_later || saw_first_row) || !is_beyond_doubt {
            return;
        }
        completeness.mended.insert(origin);
        let all = self.origins.keys();
        if all.clone().all(|id| completeness.mended.contains(id)) {
            tracing::info!(
                table = self.identity.name,
                "complete again: a full snapshot was read to its end"
            );
            self.incomplete = None;
            self.completeness = Completeness::default();
        }
    }
}

impl CompletenessNote {
    pub fn of(state: &TableState) -> Self {
        let Confirmation {
            awaited,
            missing,
            ended,
        } = state.confirmation;
        Self {
            awaited: awaited.map(|run| run.0),
            missing: missing.map(|run| run.0),
            ended: ended.map(|run| run.0),
            ..Self::from(&state.completeness)
        }
    }

    pub fn restore_into(&self, state: &mut TableState) {
        state.completeness = Completeness::from(self);
        state.confirmation = Confirmation {
            awaited: self.awaited.map(RunId),
            missing: self.missing.map(RunId),
            ended: self.ended.map(RunId),
        };
    }
}

/// A table's gaps as a checkpoint keeps them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct CompletenessNote {
    late: Vec<(i32, Option<u128>)>,
    first_row_of: Vec<(u16, u128)>,
    mended: Vec<u16>,
    doubted: Vec<(u16, u32)>,
    unknown_deletes: u64,
    /// Runs whose snapshots have perhaps not named the table, and have not.
    awaited: Option<u128>,
    missing: Option<u128>,
    ended: Option<u128>,
}

impl From<&Completeness> for CompletenessNote {
    fn from(state: &Completeness) -> Self {
        let late = state.late.iter();
        let first_rows = state.first_row_of.iter();
        let doubted = state.doubted.iter();
        Self {
            late: late.map(|(at, run)| (*at, run.map(|run| run.0))).collect(),
            first_row_of: first_rows.map(|(id, run)| (id.0, run.0)).collect(),
            mended: state.mended.iter().map(|id| id.0).collect(),
            doubted: doubted.map(|(id, epoch)| (id.0, epoch.0)).collect(),
            unknown_deletes: state.unknown_deletes,
            ..Self::default()
        }
    }
}

impl From<&CompletenessNote> for Completeness {
    fn from(note: &CompletenessNote) -> Self {
        let late = note.late.iter();
        let first_rows = note.first_row_of.iter();
        let doubted = note.doubted.iter();
        Self {
            late: late.map(|(at, run)| (*at, run.map(RunId))).collect(),
            first_row_of: first_rows
                .map(|(id, run)| (OriginId(*id), RunId(*run)))
                .collect(),
            mended: note.mended.iter().map(|id| OriginId(*id)).collect(),
            doubted: doubted
                .map(|(id, epoch)| (OriginId(*id), Epoch(*epoch)))
                .collect(),
            unknown_deletes: note.unknown_deletes,
        }
    }
}
