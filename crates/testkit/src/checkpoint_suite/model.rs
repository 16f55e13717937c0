//! The naive store that the suite compares with, and what tests need to fill one.

use std::collections::{BTreeMap, BTreeSet};

use checkpoint_store::{
    Checkpoint, CheckpointError, CheckpointStore, ChunkId, ChunkRows, Note, Notes, Share,
    TableChanges,
};
use row_model::{CutId, SchemaId, SlotId, Stamp, TableId, Version, VersionParts};

/// A table's rows by slot, as a checkpoint spells them.
pub type SavedRows = BTreeMap<u32, Vec<u8>>;

/// The naive store.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub sequence: u64,
    tables: BTreeMap<TableId, BTreeMap<u32, Version>>,
    notes: Notes,
}

/// Everything the store holds must be what the model holds.
///
/// # Panics
/// If not.
pub fn assert_holds(store: &dyn CheckpointStore, model: &Model, context: &str) {
    assert_eq!(store.sequence(), model.sequence, "{context}: sequence");
    assert_eq!(
        store.notes().expect("notes are readable"),
        model.notes,
        "{context}: notes"
    );
    let listed: BTreeSet<TableId> = store.tables().iter().map(|table| table.table).collect();
    for table in listed.iter().chain(model.tables.keys()) {
        let stored = load(store, *table).expect("tables are readable");
        assert!(
            stored == model.saved_rows(*table),
            "{context}: rows of table {}",
            table.0
        );
    }
}

/// All rows of a table.
///
/// # Errors
/// As the store's.
///
/// # Panics
/// If the store names a slot twice.
pub fn load(store: &dyn CheckpointStore, table: TableId) -> Result<SavedRows, CheckpointError> {
    let rows = load_shares(store, table, 1)?;
    assert!(
        rows == load_shares(store, table, 3)?,
        "all shares are the whole"
    );
    Ok(rows)
}

fn load_shares(
    store: &dyn CheckpointStore,
    table: TableId,
    of: u32,
) -> Result<SavedRows, CheckpointError> {
    let mut rows = SavedRows::new();
    for number in 0..of {
        store.load_share(table, Share { number, of }, &mut |some| {
            for (slot, row) in some {
                assert!(
                    rows.insert(slot.0, row.to_vec()).is_none(),
                    "slot {} was given twice",
                    slot.0
                );
            }
            Ok(())
        })?;
    }
    Ok(rows)
}

/// A version whose bytes depend on `seed`, are `len` many, and cannot be packed.
#[must_use]
pub fn version(seed: u64, len: usize) -> Version {
    let key = seed.to_be_bytes();
    let mut row = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut row);
    let parts = VersionParts {
        cut: CutId(seed),
        schema: SchemaId(1),
        stamp: &Stamp::default(),
        key: &key,
        row: &row,
    };
    Version::new(parts, &mut Vec::new())
}

#[must_use]
pub fn note(name: &str, value: impl Into<Vec<u8>>) -> Note {
    Note {
        name: name.as_bytes().to_vec(),
        value: Some(value.into()),
    }
}

impl Model {
    /// The checkpoint means this.
    pub fn apply(&mut self, checkpoint: &Checkpoint) {
        self.sequence += 1;
        for table in &checkpoint.dropped {
            self.tables.remove(table);
        }
        for changes in &checkpoint.tables {
            let rows = self.tables.entry(changes.table).or_default();
            let rewritten: BTreeSet<ChunkId> =
                changes.rewritten.iter().map(|chunk| chunk.chunk).collect();
            rows.retain(|slot, _| !rewritten.contains(&ChunkId::of(SlotId(*slot))));
            for (slot, row) in &changes.changed {
                if rewritten.contains(&ChunkId::of(*slot)) {
                    continue;
                }
                match row {
                    Some(row) => rows.insert(slot.0, row.clone()),
                    None => rows.remove(&slot.0),
                };
            }
            let complete = changes.rewritten.iter().flat_map(|chunk| &chunk.rows);
            rows.extend(complete.map(|(slot, row)| (slot.0, row.clone())));
        }
        for note in &checkpoint.notes {
            match &note.value {
                Some(value) => self.notes.insert(note.name.clone(), value.clone()),
                None => self.notes.remove(&note.name),
            };
        }
    }

    /// The changes of a table as the pipeline would hand them over, the chunks that the store
    /// wants rewritten included.
    #[must_use]
    pub fn changes(
        &self,
        store: &dyn CheckpointStore,
        table: TableId,
        changed: Vec<(SlotId, Option<Version>)>,
    ) -> TableChanges {
        let mut after = self.tables.get(&table).cloned().unwrap_or_default();
        for (slot, row) in &changed {
            match row {
                Some(row) => after.insert(slot.0, row.clone()),
                None => after.remove(&slot.0),
            };
        }
        let dirty: Vec<SlotId> = changed.iter().map(|(slot, _)| *slot).collect();
        let last = after
            .keys()
            .copied()
            .chain(dirty.iter().map(|slot| slot.0))
            .max();
        let slots_in_table = last.map_or(0, |last| last + 1);
        let chunk_rows = |chunk: ChunkId| ChunkRows {
            chunk,
            rows: after
                .range(chunk.slots(slots_in_table))
                .map(|(slot, row)| (SlotId(*slot), row.clone()))
                .collect(),
        };
        let rewritten = store.chunks_to_rewrite(table, slots_in_table, &dirty);
        TableChanges {
            table,
            changed,
            rewritten: rewritten.into_iter().map(chunk_rows).collect(),
        }
    }

    fn saved_rows(&self, table: TableId) -> SavedRows {
        let rows = self.tables.get(&table).into_iter().flatten();
        rows.map(|(slot, row)| {
            let mut saved = Vec::new();
            row.saved_bytes(&mut saved);
            (*slot, saved)
        })
        .collect()
    }
}

/// Xorshift: the same numbers for the same seed, everywhere and always.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
