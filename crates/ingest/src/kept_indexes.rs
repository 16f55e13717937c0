//! Indexes that were added while a table was served: a checkpoint keeps what they are, a start builds them.
//!
//! Those of config are config's: no checkpoint says anything of them, and where config has an index of the
//! same columns it is the one there is.

use std::collections::{BTreeMap, BTreeSet};

use checkpoint_store::Note;
use row_model::TableId;
use serde::{Deserialize, Serialize};
use table_store::{IndexDefinition, IndexKind};

use crate::checkpoints::Pending;
use crate::notes::{note_of, parse};
use crate::sequencer::Sequencer;

/// What checkpoints know of added indexes, by table.
#[derive(Debug, Default)]
pub(crate) struct KeptIndexes {
    saved: BTreeMap<TableId, Vec<IndexDefinition>>,
    /// Tables of which it is not certain what the checkpoint has.
    doubtful: BTreeSet<TableId>,
}

#[derive(Serialize, Deserialize)]
struct IndexNote {
    columns: Vec<String>,
    kind: String,
}

impl KeptIndexes {
    pub fn restore(&mut self, table: TableId, definitions: Vec<IndexDefinition>) {
        self.saved.insert(table, definitions);
    }

    pub fn of(&self, table: TableId) -> &[IndexDefinition] {
        self.saved.get(&table).map_or(&[], Vec::as_slice)
    }

    /// The note that says what there is now; `None` if the checkpoint says it.
    fn note(&mut self, table: TableId, now: Vec<IndexDefinition>) -> Option<Note> {
        let is_certain = !self.doubtful.remove(&table);
        if is_certain && self.of(table) == now {
            return None;
        }
        let note = note_of(&["indexes", &table.0.to_string()], written(&now).as_ref());
        if now.is_empty() {
            self.saved.remove(&table);
        } else {
            self.saved.insert(table, now);
        }
        Some(note)
    }
}

impl Sequencer {
    /// The indexes that config declares for a topic.
    pub(crate) fn declared_indexes(&self, topic: &str) -> impl Iterator<Item = &IndexDefinition> {
        let declared = self.settings.indexes.iter();
        declared
            .filter(move |(of, _)| of == topic)
            .flat_map(|(_, definitions)| definitions)
    }

    /// Puts into a checkpoint which indexes were added and removed.
    pub(crate) fn collect_indexes(&mut self, pending: &mut Pending) {
        for at in 0..self.tables.len() {
            let identity = &self.tables[at].identity;
            let table = identity.id;
            let is_declared = |definition: &IndexDefinition| {
                let mut declared = self.declared_indexes(&identity.topic);
                declared.any(|declared| declared.columns() == definition.columns())
            };
            let there = self.tables[at].writer.table().indexes();
            let there = there.iter().map(|index| index.definition());
            let added = there.filter(|definition| !is_declared(definition));
            let added = added.cloned().collect();
            if let Some(note) = self.kept_indexes.note(table, added) {
                pending.checkpoint.notes.push(note);
                pending.indexes.push(table);
            }
        }
    }

    /// What a checkpoint that failed said of indexes is said again.
    pub(crate) fn indexes_not_kept(&mut self, tables: Vec<TableId>) {
        self.kept_indexes.doubtful.extend(tables);
    }
}

/// `None` for no index.
fn written(definitions: &[IndexDefinition]) -> Option<Vec<IndexNote>> {
    let notes = definitions.iter().map(|definition| IndexNote {
        columns: definition.columns().to_vec(),
        kind: definition.kind().name().to_owned(),
    });
    (!definitions.is_empty()).then(|| notes.collect())
}

/// The definitions that a note holds, or what is wrong with it.
pub(crate) fn read(value: &[u8]) -> Result<Vec<IndexDefinition>, String> {
    let notes: Vec<IndexNote> = parse(value)?;
    let definitions = notes.into_iter().map(|IndexNote { columns, kind }| {
        let kind = IndexKind::from_name(&kind).ok_or(format!("no kind of index is `{kind}`"))?;
        IndexDefinition::new(columns, kind).map_err(|error| error.to_string())
    });
    definitions.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: TableId = TableId(3);

    fn index(column: &str, kind: IndexKind) -> IndexDefinition {
        IndexDefinition::new(vec![column.to_owned(), "id".to_owned()], kind).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let indexes = vec![
            index("status", IndexKind::Ordered),
            index("total", IndexKind::Hash),
        ];
        let note = KeptIndexes::default().note(TABLE, indexes.clone()).unwrap();
        assert_eq!(note.name, b"indexes\x003");
        assert_eq!(read(&note.value.unwrap()), Ok(indexes));
        let unknown = read(br#"[{"columns":["a"],"kind":"bitmap"}]"#);
        assert_eq!(unknown, Err("no kind of index is `bitmap`".to_owned()));
    }

    #[test]
    fn a_note_is_written_when_something_changed_or_failed() {
        let mut kept = KeptIndexes::default();
        let one = vec![index("status", IndexKind::Ordered)];
        assert!(kept.note(TABLE, Vec::new()).is_none());
        assert!(kept.note(TABLE, one.clone()).is_some());
        assert!(kept.note(TABLE, one.clone()).is_none());
        kept.doubtful.insert(TABLE);
        assert!(kept.note(TABLE, one).is_some());
        // Removed, and the checkpoint that should have said so failed.
        let removed = |note: Option<Note>| note.is_some_and(|note| note.value.is_none());
        assert!(removed(kept.note(TABLE, Vec::new())));
        kept.doubtful.insert(TABLE);
        assert!(removed(kept.note(TABLE, Vec::new())));
        assert!(kept.note(TABLE, Vec::new()).is_none());
    }
}
