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
use crate::resume::{Outcome, RebuildCause, SavedPlace, SavedRows};
use crate::sequencer::Sequencer;
use crate::starts::Undecided;
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
        self.now_ms = now_ms();
        let mut read = ReadNotes::default();
        for (name, value) in store.notes()? {
            if let Some(saved) = notes::read(&name, &value)? {
                self.take_note(saved, &mut read);
            }
        }
        self.restore_positions();
        let ReadNotes {
            mut tables,
            shapes,
            mut beside,
        } = read;
        self.restore_histories(&tables, shapes);
        let sizes: BTreeMap<_, _> = store
            .tables()
            .into_iter()
            .map(|table| (table.table, table))
            .collect();
        self.reserve_ids(
            tables
                .iter()
                .map(TableNote::id)
                .chain(sizes.keys().copied()),
        );
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

    /// Tables of several sources share what is known of their topic.
    fn restore_histories(
        &self,
        tables: &[TableNote],
        mut shapes: BTreeMap<String, BTreeMap<u32, Schema>>,
    ) {
        let mut origins = BTreeMap::<&str, Vec<String>>::new();
        for note in tables {
            let names = note.origin_names();
            let known = origins.entry(&note.topic).or_default();
            if known.len() < names.len() {
                *known = names;
            }
        }
        for (topic, origins) in origins {
            let shapes = shapes.remove(topic).unwrap_or_default();
            let history = SchemaHistory::restore(shapes.into_values().collect(), origins);
            self.catalog.restore(topic, Arc::new(history));
        }
    }

    fn take_note(&mut self, saved: Saved, read: &mut ReadNotes) {
        match saved {
            Saved::Table(note) => read.tables.push(*note),
            Saved::Snapshots(saved) => self.restore_snapshots(saved),
            Saved::Source(place, part) => self.positions.take_note(place, part),
            Saved::Gate(saved) => self.restore_gate(&saved),
            Saved::Beside((table, part)) => read.beside.entry(table).or_default().add(part),
            Saved::Partition {
                source,
                topic,
                partition,
                saved,
                unserved,
            } => {
                let place = (source, topic);
                let passed_over = unserved && !self.settings.unserved.contains(&place);
                let kept = saved;
                let saved = if passed_over {
                    SavedPlace::PassedOver
                } else {
                    SavedPlace::At(saved)
                };
                let (source, topic) = place;
                let place = (source, topic, partition);
                self.kept.insert(place.clone(), (kept, unserved));
                self.saved.insert(place, saved);
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
        let mut sources = self.sources.iter();
        let source = sources.position(|source| source.name == note.source);
        let source = source.filter(|source| !self.is_unserved(*source, &note.topic));
        let mut undecided = Undecided {
            rows: SavedRows::Whole,
            change: source.and_then(|source| self.rebuild_of(source, note)),
        };
        let outcome = undecided.decide_unseen(source.is_some());
        let Some(source) = source.filter(|_| outcome != Outcome::LeaveOut) else {
            tracing::warn!(
                table = note.name,
                source = note.source,
                "config serves this table of the checkpoint no more: it is kept there, and not loaded"
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
        if let Outcome::Rebuild(cause) = outcome {
            self.begin_anew(source, state, &cause);
            return Ok(());
        }
        let stored = |table| sizes.get(&table);
        let rows = restore_rows(&mut state.writer, store, stored(note.id()), &mut progress);
        let mut stage = state.new_stage();
        let stage_id = Keyless::stage_id(note.id());
        let rows =
            rows.and_then(|()| restore_rows(&mut stage, store, stored(stage_id), &mut |_| ()));
        let rows_max = stored(note.id()).map_or(0, |stored| stored.rows_max);
        let placeless = rows_max > 0 && self.saved_of(source, &note.topic).is_empty();
        let placeless = placeless.then(|| "nothing tells how far its log had been read".to_owned());
        if let Some(reason) = note.damage(rows)?.or(placeless) {
            undecided.rows = SavedRows::Damaged(reason);
            self.add_damaged(source, note, state.identity, undecided);
            return Ok(());
        }
        state.keyless.stage = Some(stage).filter(|stage| stage.slots() > 0);
        note.restore_into(&mut state);
        // Until it is rebuilt, its rows are those of the setting they were made by.
        state.prepared = note.prepared_given(&state.prepared);
        state.retention = self.retention_of(&note.topic);
        state.restore_ages();
        let malformed = |reason| NoteError {
            name: format!("multisets/{}", note.id),
            reason,
        };
        beside.restore_into(&mut state).map_err(malformed)?;
        state.shapes_saved = state.writer.table().schemas().shapes().len();
        state.undecided = Some(undecided);
        self.add_table(source, state);
        Ok(())
    }

    /// Takes up a table whose rows cannot be read, without any of them: what could be read of them may be
    /// half of what belongs together.
    fn add_damaged(
        &mut self,
        source: usize,
        note: &TableNote,
        identity: TableIdentity,
        undecided: Undecided,
    ) {
        let mut state = TableState::new(identity, self.catalog.history(&note.topic));
        state.prepared = note.prepared_given(&self.preparation(source, &note.topic));
        state.retention = self.retention_of(&note.topic);
        // The checkpoint keeps what it has until something better takes its place.
        state.notes_dirty = false;
        state.shapes_saved = state.writer.table().schemas().shapes().len();
        let reason = undecided.rows.damage().map(str::to_owned);
        state.undecided = Some(undecided);
        let at = self.add_table(source, state);
        if let Some(reason) = reason {
            let told = RebuildCause::Damaged { reason }.found(self.named(at));
            let table = &mut self.tables[at];
            tracing::error!(
                table = table.identity.name,
                reason = told,
                "a table is not loaded"
            );
            table.incomplete = Some(told.clone());
            table.rebuilding = Some(told);
        }
    }

    /// Leaves the ids alone that the checkpoint's tables have, loaded or not.
    fn reserve_ids(&mut self, taken: impl Iterator<Item = TableId>) {
        let tables = taken.filter(|id| !Keyless::is_stage(*id));
        let next = tables.map(|id| TableId(id.0 + 1)).max();
        self.next_table_id = self.next_table_id.max(next.unwrap_or(TableId(0)));
    }
}

/// The notes of a checkpoint that belong to its tables.
#[derive(Default)]
struct ReadNotes {
    tables: Vec<TableNote>,
    shapes: BTreeMap<String, BTreeMap<u32, Schema>>,
    beside: BTreeMap<TableId, Beside>,
}

impl TableNote {
    /// Why a table's rows cannot be used, if that is all that is wrong.
    fn damage(
        &self,
        loaded: Result<(), CheckpointError>,
    ) -> Result<Option<String>, CheckpointError> {
        match loaded {
            Ok(()) => Ok(self.damaged.clone()),
            Err(
                CheckpointError::Corrupt {
                    table: Some(_),
                    reason,
                    ..
                }
                | CheckpointError::Stopped(reason),
            ) => Ok(Some(reason)),
            Err(other) => Err(other),
        }
    }
}
