//! What goes into a checkpoint.

use std::collections::{BTreeMap, HashMap};

use checkpoint_store::{
    Checkpoint, CheckpointError, CheckpointStore, ChunkId, ChunkRows, Committed, Note, TableChanges,
};
use row_model::{NextOffset, PartitionId, SlotId, TableId};
use table_store::TableWriter;

use crate::beside;
use crate::holding::Holding;
use crate::multisets::Keyless;
use crate::notes;
use crate::quarantine::Quarantined;
use crate::rebuild::Forgotten;
use crate::sequencer::{Kept, Sequencer, SourceOrder};
use crate::tables::TableState;

/// A checkpoint on its way to the disk, and what to do when it is there or failed.
#[derive(Debug)]
pub struct Pending {
    pub(crate) checkpoint: Checkpoint,
    acknowledge: Vec<(usize, Vec<(PartitionId, NextOffset)>)>,
    quarantine: (Vec<Quarantined>, Vec<Quarantined>),
    /// Tables whose notes are in it, with the number of their shapes.
    tables: Vec<(usize, usize)>,
    partitions: Vec<(usize, PartitionId, Kept)>,
    pub(crate) forgotten: Vec<Forgotten>,
    /// Tables of which it says which indexes were added.
    pub(crate) indexes: Vec<TableId>,
    /// What this checkpoint removes must not be readable any more.
    pub(crate) scrub: bool,
    /// It holds everything, and takes the place of whatever the store held.
    pub(crate) anew: bool,
}

impl Pending {
    /// What is to be made durable.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// As [`CheckpointStore::commit`].
    pub fn commit(&self, store: &mut dyn CheckpointStore) -> Result<Committed, CheckpointError> {
        if self.anew {
            store.begin_anew()?;
        }
        store.commit(&self.checkpoint)
    }
}

impl Sequencer {
    /// Collects what changed since the last checkpoint; `None` if nothing did. Call it right after
    /// a publication: what it takes is then exactly the published cut.
    pub fn begin_checkpoint(&mut self, store: &dyn CheckpointStore) -> Option<Pending> {
        let pending = self.collect(Some(store));
        let checkpoint = &pending.checkpoint;
        let nothing = checkpoint.tables.is_empty()
            && checkpoint.notes.is_empty()
            && checkpoint.dropped.is_empty();
        (!nothing).then_some(pending)
    }

    /// Collects everything there is, for a store whose own content is damaged.
    pub fn begin_checkpoint_anew(&mut self) -> Pending {
        self.mark_all_dirty();
        self.collect(None)
    }

    /// Without a store, what it would hold is nothing.
    fn collect(&mut self, store: Option<&dyn CheckpointStore>) -> Pending {
        assert_eq!(self.unpublished(), 0, "a checkpoint is of a published cut");
        let anew = store.is_none();
        let mut pending = Pending {
            checkpoint: Checkpoint::default(),
            acknowledge: Vec::new(),
            quarantine: self.quarantine.take_changes(),
            tables: Vec::new(),
            partitions: Vec::new(),
            forgotten: Vec::new(),
            indexes: Vec::new(),
            scrub: false,
            anew,
        };
        self.collect_scrub(&mut pending);
        self.collect_forgotten(&mut pending);
        for at in 0..self.tables.len() {
            self.collect_table(at, store, &mut pending);
        }
        self.collect_partitions(&mut pending);
        self.collect_indexes(&mut pending);
        pending.checkpoint.notes.extend(self.snapshot_notes());
        pending.checkpoint.notes.extend(self.position_notes());
        pending.checkpoint.notes.extend(self.gate_notes());
        let (added, removed) = &pending.quarantine;
        let mut counts = BTreeMap::new();
        for record in added {
            pending
                .checkpoint
                .notes
                .push(notes::quarantined(record, true));
            counts.insert(record.topic.clone(), self.quarantine.count(&record.topic));
        }
        for record in removed {
            counts.insert(record.topic.clone(), self.quarantine.count(&record.topic));
        }
        if anew {
            let all = self.quarantine.counts();
            counts.extend(all.map(|(topic, count)| (topic.clone(), *count)));
        }
        pending.checkpoint.notes.extend(
            counts
                .iter()
                .map(|(topic, count)| notes::quarantined_count(topic, *count)),
        );
        pending.checkpoint.notes.extend(
            removed
                .iter()
                .map(|record| notes::quarantined(record, false)),
        );
        dedup_notes(&mut pending.checkpoint.notes);
        pending
    }

    /// A checkpoint became durable: the broker may be told.
    pub fn checkpoint_done(&mut self, pending: Pending) {
        for (at, shapes) in pending.tables {
            self.tables[at].shapes_saved = shapes;
        }
        for (source, id, kept) in pending.partitions {
            if let Some(partition) = self.partitions.get(&(source, id)) {
                let source = self.sources[source].name.clone();
                let place = (source, partition.topic.clone(), partition.partition);
                self.kept.insert(place, kept);
            }
        }
        self.rebuild_durable(pending.forgotten.iter().map(|forgotten| forgotten.table));
        for (source, offsets) in pending.acknowledge {
            self.order(source, SourceOrder::Acknowledge(offsets));
        }
    }

    /// A checkpoint failed: everything it held belongs into the next one.
    pub fn checkpoint_failed(&mut self, pending: Pending) {
        for changes in &pending.checkpoint.tables {
            if let Some(table) = self
                .tables
                .iter_mut()
                .find(|table| table.identity.id == changes.table)
            {
                table.writer.mark_dirty(slots_of(changes));
            }
            let is_stage =
                |table: &&mut TableState| changes.table == Keyless::stage_id(table.identity.id);
            let staged = self.tables.iter_mut().find(is_stage);
            if let Some(stage) = staged.and_then(|table| table.keyless.stage.as_mut()) {
                stage.mark_dirty(slots_of(changes));
            }
        }
        for (at, _) in pending.tables {
            self.tables[at].notes_dirty = true;
            self.tables[at].keyless.deliveries.mark_all_dirty();
        }
        for (source, id, _) in pending.partitions {
            if let Some(partition) = self.partitions.get_mut(&(source, id)) {
                partition.dirty = true;
            }
        }
        self.snapshots_dirty();
        self.positions.mark_all_dirty();
        self.gates_dirty();
        self.quarantine.return_changes(pending.quarantine);
        self.forgotten.extend(pending.forgotten);
        self.indexes_not_kept(pending.indexes);
    }

    /// Calls everything changed that a checkpoint keeps.
    fn mark_all_dirty(&mut self) {
        for table in &mut self.tables {
            table.writer.mark_all_dirty();
            if let Some(stage) = &mut table.keyless.stage {
                stage.mark_all_dirty();
            }
            table.keyless.deliveries.mark_all_dirty();
            (table.notes_dirty, table.shapes_saved) = (true, 0);
        }
        let tables = self.tables.iter().map(|table| table.identity.id);
        self.indexes_not_kept(tables.collect());
        self.quarantine.mark_all_dirty();
        self.snapshots_dirty();
        self.positions.mark_all_dirty();
        self.gates_dirty();
    }

    fn collect_table(
        &mut self,
        at: usize,
        store: Option<&dyn CheckpointStore>,
        pending: &mut Pending,
    ) {
        let table = &mut self.tables[at];
        // What the store has of a table that begins anew is none of its chunks.
        let is_dropped = pending.checkpoint.dropped.contains(&table.identity.id);
        let rewrite = store.map_or(Rewrite::All, |store| {
            if is_dropped {
                Rewrite::None
            } else {
                Rewrite::As(store)
            }
        });
        let mut rows = vec![collect_rows(&mut table.writer, rewrite)];
        if let Some(stage) = &mut table.keyless.stage {
            rows.push(collect_rows(stage, rewrite));
        }
        let tables = pending.checkpoint.tables.len();
        pending.checkpoint.tables.extend(rows.into_iter().flatten());
        let has_rows = pending.checkpoint.tables.len() > tables;
        let shapes = table.writer.table().schemas().shapes();
        if table.notes_dirty || has_rows || shapes.len() > table.shapes_saved {
            pending.checkpoint.notes.push(notes::table(table));
            pending.checkpoint.notes.extend(beside::notes(table));
            let new = shapes.iter().enumerate().skip(table.shapes_saved);
            let topic = &table.identity.topic;
            pending
                .checkpoint
                .notes
                .extend(new.map(|(number, shape)| notes::shape(topic, number as u32, shape)));
            table.notes_dirty = false;
            pending.tables.push((at, shapes.len()));
        }
    }

    fn collect_partitions(&mut self, pending: &mut Pending) {
        let waits = self.tables.iter().filter(|table| !table.holding.is_empty());
        let holding: HashMap<(&str, &str), &Holding> = waits
            .map(|table| {
                (
                    (&*table.identity.source, &*table.identity.topic),
                    &table.holding,
                )
            })
            .collect();
        let boundaries: HashMap<(usize, PartitionId), u64> = self
            .partitions
            .keys()
            .filter_map(|place| Some((*place, self.first_boundary(place.0, place.1)?)))
            .collect();
        for (source, state) in self.sources.iter().enumerate() {
            let mut offsets = Vec::new();
            let unserved = |topic: &str| {
                let mut unserved = self.settings.unserved.iter();
                unserved.any(|(of, unserved)| *of == state.name && unserved == topic)
            };
            if pending.anew {
                // Also of partitions that were not found, or are halted because their log is another one.
                let of_source = self.kept.iter().filter(|((of, ..), _)| *of == state.name);
                let kept = of_source.map(|((_, topic, number), (saved, passed_over))| {
                    let unserved = *passed_over || unserved(topic);
                    notes::partition((&state.name, topic), *number, saved, unserved)
                });
                pending.checkpoint.notes.extend(kept);
            }
            let dirty = self
                .partitions
                .iter_mut()
                .filter(|((of, _), partition)| *of == source && partition.dirty);
            for ((_, id), partition) in dirty {
                let mut saved = partition.saved();
                // What waits is read again after a restart.
                let holding = holding.get(&(state.name.as_str(), partition.topic.as_str()));
                let waiting = holding.and_then(|holding| holding.floor(*id));
                let waiting = waiting.or_else(|| boundaries.get(&(source, *id)).copied());
                let waiting_at = NextOffset(waiting.unwrap_or(u64::MAX));
                saved.next = saved.next.min(waiting_at);
                saved.applied = saved.applied.min(waiting_at);
                let place = (&*state.name, &*partition.topic);
                let unserved = unserved(&partition.topic);
                let note = notes::partition(place, partition.partition, &saved, unserved);
                pending.checkpoint.notes.push(note);
                offsets.push((*id, saved.next));
                pending.partitions.push((source, *id, (saved, unserved)));
                partition.dirty = waiting.is_some();
            }
            if !offsets.is_empty() {
                pending.acknowledge.push((source, offsets));
            }
        }
    }
}

/// Which chunks of a table a checkpoint is to hold whole.
#[derive(Clone, Copy)]
enum Rewrite<'a> {
    All,
    None,
    As(&'a dyn CheckpointStore),
}

/// What changed of a table's rows; `None` if nothing did.
fn collect_rows(writer: &mut TableWriter, rewrite: Rewrite<'_>) -> Option<TableChanges> {
    let dirty = writer.dirty_slots();
    let last = *dirty.last()?;
    let table = writer.table().identity().id;
    let wanted = match rewrite {
        Rewrite::All => (0..=ChunkId::of(last).0).map(ChunkId).collect(),
        Rewrite::None => Vec::new(),
        Rewrite::As(store) => store.chunks_to_rewrite(table, writer.slots(), &dirty),
    };
    let wanted = wanted.iter().map(|chunk| table_store::ChunkId(chunk.0));
    let wanted: Vec<_> = wanted.collect();
    let rows = writer.collect_dirty(&wanted);
    let rewritten = rows.rewritten.into_iter();
    Some(TableChanges {
        table,
        changed: rows.changed,
        rewritten: rewritten
            .map(|(chunk, rows)| ChunkRows {
                chunk: ChunkId(chunk.0),
                rows,
            })
            .collect(),
    })
}

/// The slots that a checkpoint was to bring up to date. Of a chunk that it held whole also those it did
/// not name: they may have held something before.
fn slots_of(changes: &TableChanges) -> impl Iterator<Item = SlotId> {
    let changed = changes.changed.iter().map(|(slot, _)| *slot);
    let whole = changes.rewritten.iter();
    changed.chain(whole.flat_map(|rows| rows.chunk.slots(u32::MAX).map(SlotId)))
}

/// One note a name: the last one said.
fn dedup_notes(notes: &mut Vec<Note>) {
    let mut last: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for (at, note) in notes.iter().enumerate() {
        last.insert(note.name.clone(), at);
    }
    if last.len() < notes.len() {
        let mut at = 0;
        notes.retain(|note| {
            at += 1;
            last.get(&note.name) == Some(&(at - 1))
        });
    }
}

#[cfg(test)]
mod tests {
    use checkpoint_store::ChunkId;
    use row_model::TableId;

    use super::*;

    #[test]
    fn what_a_failed_checkpoint_held_whole_is_repeated_with_the_slots_that_it_emptied() {
        let chunk = ChunkId(2);
        let changes = TableChanges {
            table: TableId(1),
            changed: vec![(SlotId(7), None)],
            rewritten: vec![ChunkRows {
                chunk,
                rows: Vec::new(),
            }],
        };
        let slots: Vec<SlotId> = slots_of(&changes).collect();
        let whole = chunk.slots(u32::MAX).map(SlotId);
        assert!(slots.into_iter().eq([SlotId(7)].into_iter().chain(whole)));
    }
}
