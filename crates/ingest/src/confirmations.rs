//! Tables of which a full snapshot of their connector named no row.
//!
//! An empty table writes nothing into a snapshot, and neither does one that was left out of it. Rows
//! that are held of such a table are kept, and it is called unconfirmed, unless the connector has
//! notified that it read the table to its end and found nothing: then they are ghosts, and swept.
//!
//! That a snapshot is over is known by its last row, or by what its run streams.
//! That it did not name a table is known once all partitions of that table have been read past the
//! end they had then.
//!
//! Refuses to sweep on a notification that may be about another snapshot of the same run, and rows
//! that cannot be told from what that run streamed.

use std::collections::{BTreeMap, BTreeSet};

use checkpoint_store::Note;
use row_model::{Change, ChangeBatch, Notice, NoticeKind, OriginId, RunId, SnapshotMark};
use serde::{Deserialize, Serialize};

use crate::epochs::Epochs;
use crate::notes::note_of;
use crate::sequencer::Sequencer;
use crate::tables::TableState;

/// Said of a table of which the last full snapshot of its connector named no row.
pub(crate) const UNCONFIRMED: &str = "unconfirmed: the last full snapshot of its connector named no row of this table, which is empty or was left out; the rows of before are kept. Let the connector notify (notification.enabled.channels=sink) and follow that topic, or take a snapshot of this table";

/// Empty tables that are remembered of a connector, and ends of snapshots. Beyond it the oldest are
/// forgotten, and their tables stay unconfirmed.
const NOTICES_MAX: usize = 10_000;

/// What is known of the snapshots of one connector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshots {
    /// The newest run that has taken a full snapshot.
    pub run: Option<u128>,
    pub has_ended: bool,
    /// When snapshots ended.
    ends: BTreeSet<i64>,
    /// Tables that were found empty, as the connector calls them, and when that was last so.
    pub empty: BTreeMap<String, i64>,
    #[serde(skip)]
    dirty: bool,
}

/// The same as a checkpoint keeps it.
#[derive(Debug)]
pub(crate) struct SavedSnapshots {
    pub source: String,
    pub connector: String,
    pub snapshots: Snapshots,
}

/// What is known of one table in this respect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// The run whose snapshot is over, and has perhaps not named the table.
    pub awaited: Option<RunId>,
    /// It has not.
    pub missing: Option<RunId>,
    /// A last row of all tables was read here, of this run.
    pub ended: Option<RunId>,
}

impl Snapshots {
    /// A run has taken a full snapshot, or has ended it. True if the newest one is over from now on.
    fn notice(&mut self, run: RunId, has_ended: bool) -> bool {
        if self.run.is_none_or(|known| known < run.0) {
            (self.run, self.has_ended, self.dirty) = (Some(run.0), false, true);
        }
        let ends = has_ended && self.run == Some(run.0) && !self.has_ended;
        self.has_ended |= ends;
        self.dirty |= ends;
        ends
    }

    fn hear(&mut self, notice: &Notice) {
        self.dirty = true;
        match &notice.kind {
            NoticeKind::SnapshotEnded => {
                self.ends.insert(notice.at_ms);
                if self.ends.len() > NOTICES_MAX {
                    self.ends.pop_first();
                }
            }
            NoticeKind::ScanCompleted { collection, rows } => {
                if *rows > 0 {
                    self.empty.remove(collection);
                } else if self.empty.len() < NOTICES_MAX || self.empty.contains_key(collection) {
                    self.empty.insert(collection.clone(), notice.at_ms);
                }
            }
        }
    }

    /// True if the first snapshot of a run, which begins when the run does, found this table empty.
    /// A later one may have been filtered.
    fn found_empty(&self, run: RunId, names: &[&str]) -> bool {
        let of_table = |(collection, _): &(&String, &i64)| {
            let full = names.join(".");
            full == **collection || full.ends_with(&format!(".{collection}"))
        };
        // A run's id begins with the time of its start.
        let start = (run.0 >> 80) as i64;
        let empty = self.empty.iter().find(of_table);
        empty.is_some_and(|(_, at)| start <= *at && self.ends.range(start..*at).next().is_none())
    }
}

impl Sequencer {
    /// Takes up what a batch of the notification topic says.
    pub(crate) fn hear(&mut self, source: usize, batch: &ChangeBatch, from: u64) {
        for notice in batch.notices.iter().filter(|notice| notice.offset >= from) {
            let place = (source, notice.connector.clone());
            self.snapshots.entry(place).or_default().hear(notice);
        }
        if batch.notices.is_empty() {
            return;
        }
        // Whatever was waiting for this.
        for table in 0..self.tables.len() {
            if let Some(run) = self.tables[table].confirmation.missing {
                self.confirm(source, table, run);
            }
        }
    }

    /// Takes up what changes of a table tell about their connectors' snapshots.
    pub(crate) fn notice_snapshots(&mut self, source: usize, table: usize) {
        let state = &self.tables[table];
        let names = state.writer.table().schemas().origins();
        let ended = state.confirmation.ended;
        let mut over = Vec::new();
        for (id, origin) in &state.origins {
            let Some(name) = names.get(usize::from(id.0)) else {
                continue;
            };
            let place = (source, connector_of(name).to_owned());
            let snapshots = self.snapshots.entry(place).or_default();
            let opener = origin.epochs.openers.last().copied();
            if let Some(run) = opener {
                let streams = origin.epochs.streamed >= Some(run) || ended >= Some(run);
                if snapshots.notice(run, streams) {
                    over.push((connector_of(name).to_owned(), run));
                }
            } else if let (Some(run), Some(known)) = (origin.epochs.streamed, snapshots.run)
                && run.0 == known
                && snapshots.notice(run, true)
            {
                over.push((connector_of(name).to_owned(), run));
            }
        }
        // Where this table is read only after the snapshot of the others.
        let of_table = names.iter().map(|name| connector_of(name));
        for connector in of_table {
            let snapshots = self.snapshots.get(&(source, connector.to_owned()));
            let ended = snapshots.filter(|it| it.has_ended);
            if let Some(run) = ended.and_then(|it| it.run) {
                over.push((connector.to_owned(), RunId(run)));
            }
        }
        for (connector, run) in over {
            self.await_confirmation(source, &connector, run);
        }
    }

    /// The runs that have taken a full snapshot of anything.
    pub(crate) fn full_runs(&self, source: usize) -> Vec<RunId> {
        let of_source = self.snapshots.iter().filter(|((of, _), _)| *of == source);
        of_source.filter_map(|(_, it)| it.run.map(RunId)).collect()
    }

    /// From now on the ends of partitions of tables count that the snapshot has not named so far.
    fn await_confirmation(&mut self, source: usize, connector: &str, run: RunId) {
        for table in 0..self.tables.len() {
            let state = &mut self.tables[table];
            let known = [state.confirmation.awaited, state.confirmation.missing];
            if state.identity.source == self.sources[source].name
                && !known.contains(&Some(run))
                && !state.unnamed_by(connector, run).is_empty()
            {
                (state.confirmation.awaited, state.notes_dirty) = (Some(run), true);
                let topic = state.identity.topic.clone();
                self.await_ends(source, &topic);
            }
        }
    }

    /// All partitions of a table have been read past the end of what was awaited.
    pub(crate) fn confirm_if_due(&mut self, table: usize) {
        let Some(run) = self.tables[table].confirmation.awaited.take() else {
            return;
        };
        self.tables[table].notes_dirty = true;
        let name = &self.tables[table].identity.source;
        let source = self.sources.iter().position(|it| it.name == *name);
        if let Some(source) = source {
            self.confirm(source, table, run);
        }
    }

    fn confirm(&mut self, source: usize, table: usize, run: RunId) {
        let names = self.tables[table].writer.table().schemas().origins();
        let mut missing = None;
        for (id, name) in names.iter().enumerate() {
            let id = OriginId(id as u16);
            let connector = connector_of(name);
            let state = &mut self.tables[table];
            if !state.unnamed_by(connector, run).contains(&id) {
                continue;
            }
            let parts: Vec<&str> = name.split('\0').skip(1).collect();
            let snapshots = self.snapshots.get(&(source, connector.to_owned()));
            let is_empty = snapshots.is_some_and(|it| it.found_empty(run, &parts));
            if !(is_empty && state.names_nothing(id, run)) {
                missing = Some(run).filter(|_| state.writer.rows() > 0);
            }
        }
        let state = &mut self.tables[table];
        if state.confirmation.missing != missing {
            state.confirmation.missing = missing;
            (state.notes_dirty, state.touched) = (true, true);
        }
        self.sweep_if_due(table);
    }

    /// What changed, for a checkpoint.
    pub(crate) fn snapshot_notes(&mut self) -> Vec<Note> {
        let sources = &self.sources;
        let dirty = self.snapshots.iter_mut().filter(|(_, it)| it.dirty);
        dirty
            .map(|((source, connector), snapshots)| {
                snapshots.dirty = false;
                note_of(
                    &["connector", &sources[*source].name, connector],
                    Some(snapshots),
                )
            })
            .collect()
    }

    /// What was taken did not become durable.
    pub(crate) fn snapshots_dirty(&mut self) {
        for snapshots in self.snapshots.values_mut() {
            snapshots.dirty = true;
        }
    }

    /// Puts back what a checkpoint remembers.
    pub(crate) fn restore_snapshots(&mut self, saved: SavedSnapshots) {
        let mut sources = self.sources.iter();
        if let Some(source) = sources.position(|it| it.name == saved.source) {
            let place = (source, saved.connector);
            self.snapshots.insert(place, saved.snapshots);
        }
    }
}

impl TableState {
    /// Notes a change before its epoch is decided. What a run streams that has taken a full snapshot
    /// of other tables belongs to its epoch here too, though it has named nothing.
    pub(crate) fn notice_unnamed(&mut self, origin: OriginId, change: &Change) {
        let Some(run) = change.run else { return };
        if change.snapshot == Some(SnapshotMark::Last) {
            self.confirmation.ended = self.confirmation.ended.max(Some(run));
        }
        let epochs = &mut self.origins.entry(origin).or_default().epochs;
        let is_new = epochs.newest.is_some_and(|newest| newest < run);
        if is_new && change.snapshot.is_none() && self.full_runs.contains(&run) {
            epochs.openers.push(run);
            epochs.unnamed = Some(run);
        }
    }

    /// The last full snapshot of its connector named nothing that is held.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        let lacks = |run| self.origins.values().any(|origin| origin.epochs.lacks(run));
        self.confirmation.missing.is_some_and(lacks)
    }

    /// Source tables of a connector that the full snapshot of a run has not named.
    fn unnamed_by(&self, connector: &str, run: RunId) -> Vec<OriginId> {
        let names = self.writer.table().schemas().origins();
        let is_unnamed = |id: &OriginId| {
            let name = names.get(usize::from(id.0)).map(|name| connector_of(name));
            let epochs = self.origins.get(id).map(|origin| &origin.epochs);
            name == Some(connector) && epochs.is_some_and(|epochs| epochs.lacks(run))
        };
        self.origins.keys().copied().filter(is_unnamed).collect()
    }

    /// The full snapshot of a run named nothing of a source table, because there was nothing. False if
    /// the rows of before cannot be told from what the run has streamed since.
    fn names_nothing(&mut self, origin: OriginId, run: RunId) -> bool {
        let epochs = &mut self.origins.entry(origin).or_default().epochs;
        if epochs.unnamed != Some(run) {
            if epochs.streamed >= Some(run) || epochs.newest > Some(run) {
                return false;
            }
            epochs.openers.push(run);
            epochs.newest = Some(run);
        }
        epochs.unnamed = None;
        epochs.closed = epochs.current();
        self.notes_dirty = true;
        true
    }
}

impl Epochs {
    /// True if rows may be held from before a run, and its snapshot has named none.
    fn lacks(&self, run: RunId) -> bool {
        let is_unnamed = self.openers.last() < Some(&run) || self.unnamed == Some(run);
        is_unnamed && self.oldest.is_some_and(|oldest| oldest < run)
    }
}

/// The connector's logical name, with which the names of its source tables begin.
fn connector_of(origin: &str) -> &str {
    origin.split('\0').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1000;

    fn heard(notices: &[(i64, Option<u64>)]) -> Snapshots {
        let mut snapshots = Snapshots::default();
        for (at_ms, rows) in notices {
            let kind = rows.map_or(NoticeKind::SnapshotEnded, |rows| {
                NoticeKind::ScanCompleted {
                    collection: "public.orders".to_owned(),
                    rows,
                }
            });
            snapshots.hear(&Notice {
                offset: 0,
                connector: "s".to_owned(),
                at_ms: *at_ms,
                kind,
            });
        }
        snapshots
    }

    #[test]
    fn only_the_first_snapshot_of_the_run_itself_proves_that_a_table_is_empty() {
        let run = RunId((START as u128) << 80 | 5);
        let proves = |notices: &[(i64, Option<u64>)]| {
            heard(notices).found_empty(run, &["d", "public", "orders"])
        };
        assert!(proves(&[
            (START - 9, None),
            (START, Some(0)),
            (START + 9, None)
        ]));
        assert!(!proves(&[]));
        assert!(!proves(&[(START - 1, Some(0))]));
        assert!(!proves(&[(START + 1, None), (START + 2, Some(0))]));
        assert!(!proves(&[(START + 1, Some(0)), (START + 2, Some(7))]));
        let snapshots = heard(&[(START, Some(0))]);
        assert!(snapshots.found_empty(run, &["public", "orders"]));
        assert!(!snapshots.found_empty(run, &["d", "public", "reorders"]));
        assert!(!snapshots.found_empty(run, &["d", "public", "customers"]));
    }

    #[test]
    fn a_snapshot_is_over_once() {
        let mut snapshots = Snapshots::default();
        assert!(!snapshots.notice(RunId(1), false));
        assert!(snapshots.notice(RunId(1), true));
        assert!(!snapshots.notice(RunId(1), true));
        assert!(!snapshots.notice(RunId(2), false));
        assert!(!snapshots.notice(RunId(1), true));
        assert!(snapshots.notice(RunId(2), true));
    }
}
