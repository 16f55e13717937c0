//! What comes out of a checkpoint at the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use checkpoint_store::{CheckpointError, CheckpointStore, TableSummary};
use row_model::{Schema, SchemaHistory, TableId};
use table_store::TableIdentity;

use crate::beside::Beside;
use crate::multisets::Keyless;
use crate::notes::{self, NoteError, Saved, TableNote};
use crate::quarantine::Quarantined;
use crate::rebuild::Scrub;
use crate::restoring::restore_rows;
use crate::sequencer::Sequencer;
use crate::status::TableLoading;
use crate::tables::TableState;

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

impl Sequencer {
    /// Takes up what a checkpoint remembers: notes first, then tables, small ones first. Each table
    /// is published as soon as all of it is loaded; `progress` hears the names of those that are not.
    pub fn load(
        &mut self,
        store: &dyn CheckpointStore,
        now_ms: impl Fn() -> i64,
        mut progress: impl FnMut(Vec<TableLoading>),
    ) -> Result<(), LoadError> {
        let mut read = ReadNotes::default();
        for (name, value) in store.notes()? {
            if let Some(saved) = notes::read(&name, &value)? {
                self.take_note(saved, &mut read);
            }
        }
        let ReadNotes {
            mut tables,
            mut shapes,
            mut beside,
        } = read;
        for note in &tables {
            let shapes = shapes.remove(&note.topic).unwrap_or_default();
            let history =
                SchemaHistory::restore(shapes.into_values().collect(), note.origin_names());
            self.catalog.restore(&note.topic, Arc::new(history));
        }
        let sizes: BTreeMap<_, _> = store
            .tables()
            .into_iter()
            .map(|table| (table.table, table))
            .collect();
        let rows_max = |table| sizes.get(&table).map_or(0, |stored| stored.rows_max);
        tables.sort_by_key(|note| (rows_max(note.id()), note.id));
        for at in 0..tables.len() {
            let waiting = |done: f64| {
                let rest = tables[at..].iter().enumerate();
                rest.map(|(place, note)| TableLoading {
                    name: note.name.clone(),
                    rows_max: rows_max(note.id()),
                    progress: if place == 0 { done } else { 0.0 },
                })
                .collect()
            };
            progress(waiting(0.0));
            self.load_table(
                store,
                &tables[at],
                &beside.remove(&tables[at].id()).unwrap_or_default(),
                &sizes,
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

    fn take_note(&mut self, saved: Saved, read: &mut ReadNotes) {
        match saved {
            Saved::Table(note) => read.tables.push(*note),
            Saved::Snapshots(saved) => self.restore_snapshots(saved),
            Saved::Beside((table, part)) => read.beside.entry(table).or_default().add(part),
            Saved::Partition {
                source,
                topic,
                partition,
                saved,
                unserved,
            } => {
                // What was read while it made no table is read again when it makes one.
                let place = (source, topic);
                if unserved && !self.settings.unserved.contains(&place) {
                    return;
                }
                let (source, topic) = place;
                self.saved.insert((source, topic, partition), saved);
            }
            Saved::Shape {
                topic,
                number,
                schema,
            } => {
                read.shapes.entry(topic).or_default().insert(number, schema);
            }
            Saved::Quarantined(record) => self.quarantine.restore(record),
            Saved::ScrubDue => self.scrub = Scrub::Due,
            Saved::Indexes(table, definitions) => self.kept_indexes.restore(table, definitions),
            Saved::QuarantinedCount { topic, count } => {
                self.quarantine.restore_count(&topic, count);
            }
        }
    }

    fn load_table(
        &mut self,
        store: &dyn CheckpointStore,
        note: &TableNote,
        beside: &Beside,
        sizes: &BTreeMap<TableId, TableSummary>,
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
        if self.is_unserved(source, &note.topic) {
            tracing::warn!(
                table = note.name,
                "the checkpoint has a table of a topic that is not served any more: not loaded"
            );
            return Ok(());
        }
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
        let stored = |table| sizes.get(&table);
        restore_rows(&mut state.writer, store, stored(note.id()), &mut progress)?;
        let mut stage = state.new_stage();
        let stage_id = Keyless::stage_id(note.id());
        restore_rows(&mut stage, store, stored(stage_id), &mut |_| ())?;
        state.keyless.stage = Some(stage).filter(|stage| stage.slots() > 0);
        note.restore_into(&mut state);
        // Until it is rebuilt, its rows are those of the setting they were made by.
        state.rebuild = rebuild;
        state.prepared = note.prepared_given(&state.prepared);
        state.retention = self.retention_of(&note.topic);
        state.restore_ages();
        let malformed = |reason| NoteError {
            name: format!("multisets/{}", note.id),
            reason,
        };
        beside.restore_into(&mut state).map_err(malformed)?;
        state.shapes_saved = state.writer.table().schemas().shapes().len();
        self.add_table(source, state);
        Ok(())
    }
}

/// The notes of a checkpoint that belong to its tables.
#[derive(Default)]
struct ReadNotes {
    tables: Vec<TableNote>,
    shapes: BTreeMap<String, BTreeMap<u32, Schema>>,
    beside: BTreeMap<TableId, Beside>,
}
