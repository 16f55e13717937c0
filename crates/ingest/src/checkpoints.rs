//! What goes into a checkpoint.

use std::collections::{BTreeMap, HashMap};

use checkpoint_store::{Checkpoint, CheckpointStore, ChunkRows, Note, TableChanges};
use row_model::{NextOffset, PartitionId};
use table_store::TableWriter;

use crate::beside;
use crate::holding::Holding;
use crate::multisets::Keyless;
use crate::notes;
use crate::quarantine::Quarantined;
use crate::rebuild::Forgotten;
use crate::sequencer::{Sequencer, SourceOrder};
use crate::tables::TableState;

/// A checkpoint on its way to the disk, and what to do when it is there or failed.
#[derive(Debug)]
pub struct Pending {
    pub(crate) checkpoint: Checkpoint,
    acknowledge: Vec<(usize, Vec<(PartitionId, NextOffset)>)>,
    quarantine: (Vec<Quarantined>, Vec<Quarantined>),
    /// Tables whose notes are in it, with the number of their shapes.
    tables: Vec<(usize, usize)>,
    partitions: Vec<(usize, PartitionId)>,
    pub(crate) forgotten: Vec<Forgotten>,
    /// What this checkpoint removes must not be readable any more.
    pub(crate) scrub: bool,
}

impl Pending {
    /// What is to be made durable.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

impl Sequencer {
    /// Collects what changed since the last checkpoint; `None` if nothing did. Call it right after
    /// a publication: what it takes is then exactly the published cut.
    pub fn begin_checkpoint(&mut self, store: &dyn CheckpointStore) -> Option<Pending> {
        assert_eq!(self.unpublished(), 0, "a checkpoint is of a published cut");
        let mut pending = Pending {
            checkpoint: Checkpoint::default(),
            acknowledge: Vec::new(),
            quarantine: self.quarantine.take_changes(),
            tables: Vec::new(),
            partitions: Vec::new(),
            forgotten: Vec::new(),
            scrub: false,
        };
        self.collect_scrub(&mut pending);
        self.collect_forgotten(&mut pending);
        for at in 0..self.tables.len() {
            self.collect_table(at, store, &mut pending);
        }
        self.collect_partitions(&mut pending);
        pending.checkpoint.notes.extend(self.snapshot_notes());
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
        let checkpoint = &pending.checkpoint;
        let nothing = checkpoint.tables.is_empty()
            && checkpoint.notes.is_empty()
            && checkpoint.dropped.is_empty();
        (!nothing).then_some(pending)
    }

    /// A checkpoint became durable: the broker may be told.
    pub fn checkpoint_done(&mut self, pending: Pending) {
        for (at, shapes) in pending.tables {
            self.tables[at].shapes_saved = shapes;
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
                table.writer.mark_all_dirty();
            }
            let is_stage =
                |table: &&mut TableState| changes.table == Keyless::stage_id(table.identity.id);
            let staged = self.tables.iter_mut().find(is_stage);
            if let Some(stage) = staged.and_then(|table| table.keyless.stage.as_mut()) {
                stage.mark_all_dirty();
            }
        }
        for (at, _) in pending.tables {
            self.tables[at].notes_dirty = true;
            self.tables[at].keyless.deliveries.mark_all_dirty();
        }
        for partition in pending.partitions {
            if let Some(partition) = self.partitions.get_mut(&partition) {
                partition.dirty = true;
            }
        }
        self.snapshots_dirty();
        self.quarantine.return_changes(pending.quarantine);
        self.forgotten.extend(pending.forgotten);
    }

    fn collect_table(&mut self, at: usize, store: &dyn CheckpointStore, pending: &mut Pending) {
        let table = &mut self.tables[at];
        // What the store has of a table that begins anew is none of its chunks.
        let is_anew = pending.checkpoint.dropped.contains(&table.identity.id);
        let mut rows = vec![collect_rows(&mut table.writer, store, is_anew)];
        if let Some(stage) = &mut table.keyless.stage {
            rows.push(collect_rows(stage, store, is_anew));
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
        for (source, state) in self.sources.iter().enumerate() {
            let mut offsets = Vec::new();
            let dirty = self
                .partitions
                .iter_mut()
                .filter(|((of, _), partition)| *of == source && partition.dirty);
            for ((_, id), partition) in dirty {
                let mut saved = partition.saved();
                // What waits is read again after a restart.
                let holding = holding.get(&(state.name.as_str(), partition.topic.as_str()));
                let waiting = holding.and_then(|holding| holding.floor(*id));
                saved.next = saved.next.min(NextOffset(waiting.unwrap_or(u64::MAX)));
                let unserved = self.settings.unserved.iter();
                let place = (&*state.name, &*partition.topic);
                let unserved = unserved
                    .clone()
                    .any(|(of, topic)| (&**of, &**topic) == place);
                let note = notes::partition(place, partition.partition, &saved, unserved);
                pending.checkpoint.notes.push(note);
                offsets.push((*id, saved.next));
                pending.partitions.push((source, *id));
                partition.dirty = waiting.is_some();
            }
            if !offsets.is_empty() {
                pending.acknowledge.push((source, offsets));
            }
        }
    }
}

/// What changed of a table's rows; `None` if nothing did.
fn collect_rows(
    writer: &mut TableWriter,
    store: &dyn CheckpointStore,
    is_anew: bool,
) -> Option<TableChanges> {
    let dirty = writer.dirty_slots();
    if dirty.is_empty() {
        return None;
    }
    let table = writer.table().identity().id;
    let wanted = if is_anew {
        Vec::new()
    } else {
        store.chunks_to_rewrite(table, writer.slots(), &dirty)
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
                chunk: checkpoint_store::ChunkId(chunk.0),
                rows,
            })
            .collect(),
    })
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
