//! One table of a checkpoint, to be read without a pipeline: as of that checkpoint, and no fresher.

use std::collections::BTreeMap;
use std::sync::Arc;

use checkpoint_store::{CheckpointError, CheckpointStore};
use row_model::{CutId, Schema, SchemaHistory, SchemaId, Version};
use table_store::{
    NameError, Names, Publisher, TableCut, TableFacts, TableIdentity, TableStore, TableWriter,
};

use crate::LoadError;
use crate::notes::{self, Saved, TableNote};

/// A table with all its rows.
#[derive(Debug)]
pub struct OfflineTable {
    /// It and nothing else, at one cut.
    pub store: Arc<TableStore>,
    pub name: String,
    /// When its source committed the newest change that it has.
    pub commit_ms: Option<i64>,
    /// Its log had never been read to the end.
    pub is_loading: bool,
    /// Why rows may be missing.
    pub incomplete: Option<String>,
    /// Records of its topic that were put aside.
    pub quarantined: u64,
}

/// Why a checkpoint's table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error("the checkpoint has no table '{name}'; it has: {}", known.join(", "))]
    Unknown { name: String, known: Vec<String> },
    #[error("'{name}' could be any of: {}", candidates.join(", "))]
    Ambiguous {
        name: String,
        candidates: Vec<String>,
    },
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Loads the table that `name` means: a table's name, its topic, or the end of that.
///
/// # Errors
/// If there is none, or several, or it cannot be loaded whole.
pub fn offline_table(
    store: &dyn CheckpointStore,
    name: &str,
) -> Result<OfflineTable, OfflineError> {
    let mut tables: Vec<TableNote> = Vec::new();
    let mut shapes: BTreeMap<String, BTreeMap<u32, Schema>> = BTreeMap::new();
    let mut quarantined = BTreeMap::new();
    for (note, value) in store.notes().map_err(LoadError::from)? {
        match notes::read(&note, &value).map_err(LoadError::from)? {
            Some(Saved::Table(note)) => tables.push(*note),
            Some(Saved::Shape {
                topic,
                number,
                schema,
            }) => drop(shapes.entry(topic).or_default().insert(number, schema)),
            Some(Saved::QuarantinedCount { topic, count }) => {
                quarantined.insert(topic, count);
            }
            _ => {}
        }
    }
    let note = named(&tables, name)?;
    let shapes = shapes.remove(&note.topic).unwrap_or_default();
    let history = SchemaHistory::restore(shapes.into_values().collect(), note.origin_names());
    let writer = rows(store, note, Arc::new(history)).map_err(LoadError::from)?;
    let mut publisher = Publisher::default();
    let mut names = Names::default();
    names.give(&note.name, &note.topic, note.id());
    publisher.set_names(names);
    publisher.set(TableCut {
        table: Arc::clone(writer.table()),
        rows: writer.rows(),
        memory_bytes: writer.memory().total() as u64,
        schema: note.schema.map(SchemaId),
        schema_epoch: note.schema_epoch,
        facts: Arc::new(TableFacts::default()),
    });
    publisher.publish();
    Ok(OfflineTable {
        store: Arc::clone(publisher.store()),
        name: note.name.clone(),
        commit_ms: note.commit_ms,
        is_loading: !note.was_live,
        incomplete: note.incomplete.clone(),
        quarantined: quarantined.remove(&note.topic).unwrap_or(0),
    })
}

fn named<'a>(tables: &'a [TableNote], name: &str) -> Result<&'a TableNote, OfflineError> {
    let mut names = Names::default();
    for note in tables {
        names.give(&note.name, &note.topic, note.id());
    }
    let known = || tables.iter().map(|note| note.name.clone()).collect();
    let unknown = || OfflineError::Unknown {
        name: name.to_owned(),
        known: known(),
    };
    let id = names.resolve(name).map_err(|refused| match refused {
        NameError::Unknown { .. } => unknown(),
        NameError::Ambiguous { candidates } => OfflineError::Ambiguous {
            name: name.to_owned(),
            candidates,
        },
    })?;
    tables
        .iter()
        .find(|note| note.id() == id)
        .ok_or_else(unknown)
}

fn rows(
    store: &dyn CheckpointStore,
    note: &TableNote,
    history: Arc<SchemaHistory>,
) -> Result<TableWriter, CheckpointError> {
    let identity = TableIdentity {
        id: note.id(),
        name: note.name.clone(),
        topic: note.topic.clone(),
        source: note.source.clone(),
    };
    let mut writer = TableWriter::new(identity, history);
    store.load_table(note.id(), &mut |rows| {
        for (slot, bytes) in rows {
            let version = Version::from_saved(CutId(0), bytes).ok_or_else(|| {
                CheckpointError::Stopped(format!(
                    "table {}: slot {} holds no row",
                    note.name, slot.0
                ))
            })?;
            writer.restore(*slot, version);
        }
        Ok(())
    })?;
    writer.restored();
    Ok(writer)
}
