//! What goes into a checkpoint, and what comes out of one at the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use checkpoint_store::{
    Checkpoint, CheckpointError, CheckpointStore, ChunkRows, Note, TableChanges,
};
use row_model::{CutId, NextOffset, PartitionId, Schema, SchemaHistory, Version};
use table_store::TableIdentity;

use crate::notes::{self, NoteError, Saved, TableNote};
use crate::quarantine::Quarantined;
use crate::rebuild::{Forgotten, Scrub};
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

/// Why a checkpoint could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store cannot be read, or a part of it is not what was written.
    #[error(transparent)]
    Store(#[from] CheckpointError),
    /// A note of it is not what this binary writes.
    #[error(transparent)]
    Note(#[from] NoteError),
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
        let (added, removed) = &pending.quarantine;
        let mut counts = BTreeMap::new();
        for record in added {
            pending
                .checkpoint
                .notes
                .push(notes::quarantined(record, true));
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
        }
        for (at, _) in pending.tables {
            self.tables[at].notes_dirty = true;
        }
        for partition in pending.partitions {
            if let Some(partition) = self.partitions.get_mut(&partition) {
                partition.dirty = true;
            }
        }
        self.quarantine.return_changes(pending.quarantine);
        self.forgotten.extend(pending.forgotten);
    }

    fn collect_table(&mut self, at: usize, store: &dyn CheckpointStore, pending: &mut Pending) {
        let table = &mut self.tables[at];
        let id = table.identity.id;
        let dirty = table.writer.dirty_slots();
        if !dirty.is_empty() {
            // What the store has of a table that begins anew is none of its chunks.
            let wanted = if pending.checkpoint.dropped.contains(&id) {
                Vec::new()
            } else {
                store.chunks_to_rewrite(id, table.writer.slots(), &dirty)
            };
            let wanted: Vec<table_store::ChunkId> = wanted
                .iter()
                .map(|chunk| table_store::ChunkId(chunk.0))
                .collect();
            let rows = table.writer.collect_dirty(&wanted);
            let rewritten = rows.rewritten.into_iter();
            pending.checkpoint.tables.push(TableChanges {
                table: id,
                changed: rows.changed,
                rewritten: rewritten
                    .map(|(chunk, rows)| ChunkRows {
                        chunk: checkpoint_store::ChunkId(chunk.0),
                        rows,
                    })
                    .collect(),
            });
        }
        let shapes = table.writer.table().schemas().shapes();
        if table.notes_dirty || !dirty.is_empty() || shapes.len() > table.shapes_saved {
            pending.checkpoint.notes.push(notes::table(table));
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
        for (source, state) in self.sources.iter().enumerate() {
            let mut offsets = Vec::new();
            let dirty = self
                .partitions
                .iter_mut()
                .filter(|((of, _), partition)| *of == source && partition.dirty);
            for ((_, id), partition) in dirty {
                let saved = partition.saved();
                let note =
                    notes::partition(&state.name, &partition.topic, partition.partition, &saved);
                pending.checkpoint.notes.push(note);
                offsets.push((*id, saved.next));
                pending.partitions.push((source, *id));
                partition.dirty = false;
            }
            if !offsets.is_empty() {
                pending.acknowledge.push((source, offsets));
            }
        }
    }

    /// Takes up what a checkpoint remembers: notes first, then tables, small ones first. Each table
    /// is published as soon as all of it is loaded; `progress` hears the names of those that are not.
    pub fn load(
        &mut self,
        store: &dyn CheckpointStore,
        now_ms: impl Fn() -> i64,
        mut progress: impl FnMut(Vec<(String, f64)>),
    ) -> Result<(), LoadError> {
        let mut tables = Vec::new();
        let mut shapes: BTreeMap<String, BTreeMap<u32, Schema>> = BTreeMap::new();
        for (name, value) in store.notes()? {
            match notes::read(&name, &value)? {
                Some(Saved::Table(note)) => tables.push(note),
                Some(Saved::Partition {
                    source,
                    topic,
                    partition,
                    saved,
                }) => {
                    self.saved.insert((source, topic, partition), saved);
                }
                Some(Saved::Shape {
                    topic,
                    number,
                    schema,
                }) => {
                    shapes.entry(topic).or_default().insert(number, schema);
                }
                Some(Saved::Quarantined(record)) => self.quarantine.restore(record),
                Some(Saved::ScrubDue) => self.scrub = Scrub::Due,
                Some(Saved::QuarantinedCount { topic, count }) => {
                    self.quarantine.restore_count(&topic, count);
                }
                None => {}
            }
        }
        for note in &tables {
            let shapes = shapes.remove(&note.topic).unwrap_or_default();
            let history =
                SchemaHistory::restore(shapes.into_values().collect(), note.origin_names());
            self.catalog.restore(&note.topic, Arc::new(history));
        }
        let sizes: BTreeMap<_, _> = store
            .tables()
            .into_iter()
            .map(|table| (table.table, table.rows_max))
            .collect();
        tables.sort_by_key(|note| (sizes.get(&note.id()).copied().unwrap_or(0), note.id));
        for at in 0..tables.len() {
            let waiting = |done: f64| {
                let rest = tables[at..].iter().enumerate();
                rest.map(|(place, note)| (note.name.clone(), if place == 0 { done } else { 0.0 }))
                    .collect()
            };
            progress(waiting(0.0));
            self.load_table(
                store,
                &tables[at],
                sizes.get(&tables[at].id()).copied().unwrap_or(0),
                |done| progress(waiting(done)),
            )?;
            self.publish(now_ms());
        }
        let preparations = &self.settings.preparations;
        let hides = |record: &Quarantined| preparations.of(&record.source, &record.topic).hides();
        if self.quarantine.strip(hides) {
            self.scrub = Scrub::Due;
        }
        progress(Vec::new());
        Ok(())
    }

    fn load_table(
        &mut self,
        store: &dyn CheckpointStore,
        note: &TableNote,
        rows_max: u64,
        mut progress: impl FnMut(f64),
    ) -> Result<(), LoadError> {
        let Some(source) = self
            .sources
            .iter()
            .position(|source| source.name == note.source)
        else {
            tracing::warn!(
                table = note.name,
                source = note.source,
                "the checkpoint has a table of a source that is not configured: not loaded"
            );
            return Ok(());
        };
        let identity = TableIdentity {
            id: note.id(),
            name: self.name_for(&note.topic, Some(&note.name)),
            topic: note.topic.clone(),
            source: note.source.clone(),
        };
        let mut state = TableState::new(identity, self.catalog.history(&note.topic));
        state.prepared = self.preparation(source, &note.topic);
        let rebuild = self.rebuild_of(source, note);
        if let Some(rebuild) = rebuild.as_ref().filter(|rebuild| rebuild.forced) {
            self.begin_anew(source, state, rebuild);
            return Ok(());
        }
        let mut loaded = 0_u64;
        store.load_table(note.id(), &mut |rows| {
            for (slot, bytes) in rows {
                let version = Version::from_saved(CutId(0), bytes).ok_or_else(|| {
                    CheckpointError::Stopped(format!(
                        "table {}: slot {} holds no row",
                        note.name, slot.0
                    ))
                })?;
                state.writer.restore(*slot, version);
            }
            loaded += rows.len() as u64;
            progress(if rows_max == 0 {
                1.0
            } else {
                (loaded as f64 / rows_max as f64).min(1.0)
            });
            Ok(())
        })?;
        state.writer.restored();
        note.restore_into(&mut state);
        // Until it is rebuilt, its rows are those of the setting they were made by.
        state.rebuild = rebuild;
        state.prepared = note.prepared_given(&state.prepared);
        state.shapes_saved = state.writer.table().schemas().shapes().len();
        self.add_table(source, state);
        Ok(())
    }
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
