//! One table as the sequencer knows it: its writer, its place in its source's order, its freshness.

use std::collections::BTreeMap;
use std::sync::Arc;

use row_model::{
    Change, ChangeBatch, ChangeKind, CutId, Epoch, OriginId, RecordFormat, Row, RowBuilder,
    SchemaHistory, SchemaId, SourcePosition, Stamp,
};
use table_store::{
    Floor, Held, Incoming, ReadState, TableCut, TableFacts, TableIdentity, TableWriter, Verdict,
    decide,
};

use crate::epochs::Epochs;
use crate::key_changes::{self, KeyChanges};
use crate::keyless;
use crate::merge;
use crate::preparation::{Preparation, Rebuild};

/// What changes of a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    pub upserts: u64,
    pub deletes: u64,
    pub truncates: u64,
    pub stale: u64,
}

/// A change that decoded well and still cannot be applied.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApplyError {
    /// A keyless row is to be changed or deleted, and none like it is held.
    #[error("no row of this keyless table equals the one that was changed or deleted")]
    NoSuchRow,
}

/// What is remembered of one source table.
#[derive(Debug, Default)]
pub(crate) struct OriginState {
    pub epochs: Epochs,
    /// What the last truncate left behind.
    pub floor: Option<Floor>,
}

#[derive(Debug)]
pub(crate) struct TableState {
    pub writer: TableWriter,
    pub identity: TableIdentity,
    /// What is remembered of each source table whose rows are here; most often there is one.
    pub origins: BTreeMap<OriginId, OriginState>,
    /// The newest position seen, in the newest epoch.
    pub position: Option<(Epoch, SourcePosition)>,
    pub commit_ms: Option<i64>,
    pub schema: Option<SchemaId>,
    /// The log was read to its end at least once, in this process or an earlier one.
    pub was_live: bool,
    /// Why rows may be missing; `None` if the table is complete.
    pub incomplete: Option<String>,
    pub stalled: Option<String>,
    /// How its rows were made.
    pub prepared: Preparation,
    /// Its rows were made otherwise than config says: to be decided when its partitions are known.
    pub rebuild: Option<Rebuild>,
    /// Why it is being read from the start again.
    pub rebuilding: Option<String>,
    /// What is to be said about what config says of its columns.
    pub column_notes: Vec<String>,
    /// Something a checkpoint keeps has changed, apart from rows.
    pub notes_dirty: bool,
    /// Shapes of rows that a checkpoint already keeps.
    pub shapes_saved: usize,
    pub facts: Arc<TableFacts>,
    /// Something readers see has changed since the last cut.
    pub touched: bool,
    /// As of the last cut.
    pub memory_bytes: u64,
    key_changes: KeyChanges,
    builder: RowBuilder,
}

impl TableState {
    pub fn new(identity: TableIdentity, schemas: Arc<SchemaHistory>) -> Self {
        Self {
            writer: TableWriter::new(identity.clone(), schemas),
            identity,
            origins: BTreeMap::new(),
            position: None,
            commit_ms: None,
            schema: None,
            was_live: false,
            incomplete: None,
            stalled: None,
            prepared: Preparation::default(),
            rebuild: None,
            rebuilding: None,
            column_notes: Vec::new(),
            notes_dirty: true,
            shapes_saved: 0,
            facts: Arc::default(),
            touched: true,
            memory_bytes: 0,
            key_changes: KeyChanges::default(),
            builder: RowBuilder::default(),
        }
    }

    /// Applies one change, stamped with `cut`.
    pub fn apply(
        &mut self,
        cut: CutId,
        batch: &ChangeBatch,
        change: &Change,
        applied: &mut Applied,
    ) -> Result<(), ApplyError> {
        let origin_id = self.origin_of(batch, change);
        let origin = self.origins.entry(origin_id).or_default();
        let before = (origin.epochs.openers.len(), origin.epochs.closed);
        let incoming = Incoming {
            snapshot: change.snapshot.is_some(),
            position: change.position,
            epoch: origin.epochs.of(change),
            origin: origin_id,
        };
        self.notes_dirty |= before != (origin.epochs.openers.len(), origin.epochs.closed);
        self.advance(incoming.epoch, change);
        match change.kind {
            ChangeKind::Advance => {}
            ChangeKind::Truncate => self.truncate(cut, &incoming, applied),
            ChangeKind::Upsert if change.key.is_empty() => {
                self.write_keyless(cut, batch, change, &incoming, applied)?;
            }
            ChangeKind::Delete if change.key.is_empty() => {
                self.remove_keyless(cut, batch, change, &incoming, applied)?;
            }
            ChangeKind::Upsert => self.upsert(cut, batch, change, &incoming, applied),
            ChangeKind::Delete if change.key_change && self.is_about_who_left(batch, change) => {
                applied.stale += 1;
            }
            ChangeKind::Delete => {
                let key = batch.slice(&change.key);
                if change.key_change {
                    self.remember_departure(key);
                }
                self.delete(cut, key, change.schema, &incoming, applied);
            }
        }
        Ok(())
    }

    /// The source table of a change. A tombstone does not say: it means the row that is held.
    fn origin_of(&self, batch: &ChangeBatch, change: &Change) -> OriginId {
        let is_tombstone = change.kind == ChangeKind::Delete && change.commit_ms.is_none();
        let held = is_tombstone
            .then(|| self.writer.newest(batch.slice(&change.key)))
            .flatten();
        held.map_or(change.origin, |version| version.stamp().origin)
    }

    /// Takes up what the decoder says about config's rules for this table's columns.
    pub fn take_column_notes(&mut self, notes: &[String]) {
        if self.column_notes == notes {
            return;
        }
        for note in notes
            .iter()
            .filter(|note| !self.column_notes.contains(note))
        {
            tracing::warn!(table = self.identity.name, note, "a rule for its columns");
        }
        self.column_notes = notes.to_vec();
        (self.notes_dirty, self.touched) = (true, true);
    }

    /// The newest epoch whose snapshot was read to its last row, of each source table.
    pub fn closed(&self) -> Vec<Epoch> {
        self.origins
            .values()
            .map(|origin| origin.epochs.closed)
            .collect()
    }

    /// Some full snapshot came without run ids.
    pub fn is_unswept(&self) -> bool {
        self.origins.values().any(|origin| origin.epochs.anonymous)
    }

    fn floor(&self, origin: OriginId) -> Option<Floor> {
        self.origins.get(&origin).and_then(|origin| origin.floor)
    }

    /// What the next cut says of this table.
    pub fn cut(&mut self) -> TableCut {
        self.memory_bytes = self.writer.memory().total() as u64;
        TableCut {
            table: Arc::clone(self.writer.table()),
            rows: self.writer.rows(),
            memory_bytes: self.memory_bytes,
            schema: self.schema,
            facts: Arc::clone(&self.facts),
        }
    }

    /// How the table stands to its log, given whether all its partitions have been read to their
    /// end by this process.
    pub fn read_state(&self, caught_up: bool) -> ReadState {
        if self.stalled.is_some() {
            ReadState::Stalled
        } else if caught_up {
            ReadState::Live
        } else if self.was_live {
            ReadState::CatchingUp
        } else {
            ReadState::Loading
        }
    }

    fn advance(&mut self, epoch: Epoch, change: &Change) {
        self.notes_dirty |= change.position.is_some();
        if change.commit_ms.is_some() {
            self.commit_ms = self.commit_ms.max(change.commit_ms);
        }
        let Some(at) = change.position else { return };
        let is_newer = match &self.position {
            Some((held, position)) if *held == epoch => !at.is_before(position),
            Some((held, _)) => *held < epoch,
            None => true,
        };
        if is_newer {
            self.position = Some((epoch, at));
        }
    }

    fn upsert(
        &mut self,
        cut: CutId,
        batch: &ChangeBatch,
        change: &Change,
        incoming: &Incoming,
        applied: &mut Applied,
    ) {
        let key = batch.slice(&change.key);
        let row = batch.slice(&change.row);
        self.schema = Some(
            self.schema
                .map_or(change.schema, |newest| newest.max(change.schema)),
        );
        let merged = if Row::new(row).has_unavailable() {
            self.merged(batch, change, row)
        } else {
            None
        };
        if change.key_change {
            self.remember_departure(key);
            self.key_changes.arrives(key, change.transaction);
        }
        let row = merged.as_deref().unwrap_or(row);
        let floor = self.floor(incoming.origin);
        let written = self
            .writer
            .write(cut, key, change.schema, Some(row), |held| {
                stamp_of(held, incoming, floor.as_ref())
            });
        count(&mut applied.upserts, &mut applied.stale, written);
    }

    fn delete(
        &mut self,
        cut: CutId,
        key: &[u8],
        schema: SchemaId,
        incoming: &Incoming,
        applied: &mut Applied,
    ) {
        let floor = self.floor(incoming.origin);
        let written = self.writer.write(cut, key, schema, None, |held| {
            stamp_of(held, incoming, floor.as_ref())
        });
        count(&mut applied.deletes, &mut applied.stale, written);
    }

    /// The delete of a key, under which another row has arrived in the same transaction, is about
    /// the row that left, if what it deletes is not what is held.
    fn is_about_who_left(&self, batch: &ChangeBatch, change: &Change) -> bool {
        let key = batch.slice(&change.key);
        if !self.key_changes.arrived_in(key, change.transaction) {
            return false;
        }
        let before = Row::new(batch.slice(&change.before));
        let shapes = self.writer.table().schemas().shapes();
        let held = self.writer.newest(key);
        let (Some(held), Some(shape)) = (held, shapes.get(change.schema.0 as usize)) else {
            return false;
        };
        let differs = held.row().is_some_and(|held| held != before);
        differs && key_changes::is_whole(before, shape)
    }

    fn remember_departure(&mut self, key: &[u8]) {
        if let Some(held) = self.writer.newest(key).filter(|held| !held.is_deleted()) {
            self.key_changes.departs(key, held);
        }
    }

    /// The row with what it did not send filled in from the row that is held, under this key or
    /// under the one it came from; `None` if none is.
    fn merged(&mut self, batch: &ChangeBatch, change: &Change, row: &[u8]) -> Option<Vec<u8>> {
        let held = if change.key_change {
            let old_key = batch.slice(&change.other_key);
            let departed = self.key_changes.take_departed(old_key);
            // The halves may have come over different partitions, the second one first. A flattened
            // stream may have no first half at all: what is held there proves nothing.
            let flat = batch.format == Some(RecordFormat::Flat);
            let still_there = || self.writer.newest(old_key).filter(|_| !flat);
            // Delivered again: what this very change filled in the first time.
            let filled_before = || {
                let held = self.writer.newest(batch.slice(&change.key));
                held.filter(|held| {
                    change.position.is_some() && held.stamp().streamed == change.position
                })
            };
            let held = departed
                .or_else(still_there)
                .filter(|held| !held.is_deleted());
            held.or_else(filled_before)?
        } else {
            self.writer.newest(batch.slice(&change.key))?
        };
        let shapes = self.writer.table().schemas().shapes();
        let (new, old) = (
            shapes.get(change.schema.0 as usize)?,
            shapes.get(held.schema().0 as usize)?,
        );
        let mut merged = Vec::new();
        merge::fill(
            Row::new(row),
            new,
            held.row()?,
            old,
            &mut self.builder,
            &mut merged,
        );
        Some(merged)
    }

    /// Source tables of which a full snapshot was read to its end and has not swept.
    pub fn to_sweep(&self) -> Vec<(OriginId, Epoch)> {
        let due = self.origins.iter();
        due.filter_map(|(id, origin)| Some((*id, origin.epochs.to_sweep()?)))
            .collect()
    }

    /// Deletes the rows of a source table that its newest full snapshot did not name. Answers how
    /// many there were.
    pub fn sweep(&mut self, cut: CutId, id: OriginId, epoch: Epoch) -> u64 {
        let swept = self.writer.delete_where(cut, |version| {
            let stamp = version.stamp();
            // Without a position: a late row of the same snapshot may still revive its key, and a
            // transaction that was open while the snapshot was read may still write it.
            let is_ghost = stamp.origin == id && stamp.epoch < epoch;
            is_ghost.then_some(Stamp {
                epoch,
                origin: id,
                ..Stamp::default()
            })
        });
        self.origins.entry(id).or_default().epochs.swept = epoch;
        (self.notes_dirty, self.touched) = (true, true);
        swept
    }

    /// Empties the table of everything the truncate came after, and keeps redelivered rows out.
    fn truncate(&mut self, cut: CutId, incoming: &Incoming, applied: &mut Applied) {
        let floor = incoming.position.map(|position| Floor {
            epoch: incoming.epoch,
            position,
        });
        let is_older = |known: &Floor| match &floor {
            Some(new) => {
                new.epoch < known.epoch
                    || (new.epoch == known.epoch && new.position.is_before(&known.position))
            }
            None => false,
        };
        if self.floor(incoming.origin).as_ref().is_some_and(is_older) {
            applied.stale += 1;
            return;
        }
        self.writer.delete_where(cut, |version| {
            let stamp = version.stamp();
            let is_older = floor.as_ref().is_none_or(|floor| floor.empties(&stamp));
            let emptied = stamp.origin == incoming.origin && is_older;
            emptied.then(|| Stamp {
                epoch: incoming.epoch,
                streamed: incoming.position,
                origin: incoming.origin,
                ..Stamp::default()
            })
        });
        let origin = self.origins.entry(incoming.origin).or_default();
        origin.floor = floor.or(origin.floor);
        self.notes_dirty = true;
        applied.truncates += 1;
    }

    fn write_keyless(
        &mut self,
        cut: CutId,
        batch: &ChangeBatch,
        change: &Change,
        incoming: &Incoming,
        applied: &mut Applied,
    ) -> Result<(), ApplyError> {
        if !change.before.is_empty() {
            self.remove_keyless(cut, batch, change, incoming, &mut Applied::default())?;
        }
        let row = batch.slice(&change.row);
        self.schema = Some(
            self.schema
                .map_or(change.schema, |newest| newest.max(change.schema)),
        );
        let key = keyless::key(Row::new(row), self.count_keyless(Row::new(row)));
        let floor = self.floor(incoming.origin);
        let written = self
            .writer
            .write(cut, &key, change.schema, Some(row), |held| {
                stamp_of(held, incoming, floor.as_ref())
            });
        count(&mut applied.upserts, &mut applied.stale, written);
        Ok(())
    }

    fn remove_keyless(
        &mut self,
        cut: CutId,
        batch: &ChangeBatch,
        change: &Change,
        incoming: &Incoming,
        applied: &mut Applied,
    ) -> Result<(), ApplyError> {
        let before = Row::new(batch.slice(&change.before));
        let last = self
            .count_keyless(before)
            .checked_sub(1)
            .ok_or(ApplyError::NoSuchRow)?;
        self.delete(
            cut,
            &keyless::key(before, last),
            change.schema,
            incoming,
            applied,
        );
        Ok(())
    }

    /// How many rows like this one are held.
    fn count_keyless(&self, row: Row<'_>) -> u64 {
        let holds = |number| {
            self.writer
                .newest(&keyless::key(row, number))
                .is_some_and(|held| !held.is_deleted())
        };
        keyless::count(holds)
    }
}

fn stamp_of(
    held: Option<&row_model::Version>,
    incoming: &Incoming,
    floor: Option<&Floor>,
) -> Option<Stamp> {
    let stamp = held.map(row_model::Version::stamp);
    match decide(stamp.as_ref().map(|stamp| Held { stamp }), incoming, floor) {
        Verdict::Apply(stamp) => Some(stamp),
        Verdict::Stale | Verdict::BelowFloor => None,
    }
}

fn count(done: &mut u64, stale: &mut u64, written: bool) {
    *(if written { done } else { stale }) += 1;
}
