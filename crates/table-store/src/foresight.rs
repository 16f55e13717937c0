//! Rows brought near before they are looked up.
//!
//! From a key to its row it is four looks, each at a place that the one before names, and a row lies
//! anywhere in memory: who looks one key up waits four times. What is looked at of several keys, one right
//! after the other, comes at the same time.

use std::hint::black_box;
use std::sync::Arc;

use row_model::Version;

use crate::chunk::{LOT_ROWS, Lot};
use crate::slot_index::KeyHash;
use crate::table::Table;

/// A key that will be looked up soon.
#[derive(Clone, Debug)]
pub struct Expected {
    table: Arc<Table>,
    hash: KeyHash,
}

impl Expected {
    #[must_use]
    pub fn new(table: &Arc<Table>, key: &[u8]) -> Self {
        Self {
            table: Arc::clone(table),
            hash: table.index.hash(key),
        }
    }
}

/// Looks at all that lookups of these keys will look at, but for what somebody is changing: it waits for nobody,
/// and decides nothing.
pub fn bring_near(expected: &[Expected]) {
    for some in expected.chunks(LOT_ROWS) {
        seen(some);
    }
}

/// How many rows were looked at.
fn seen(expected: &[Expected]) -> usize {
    // Whatever is locked is locked before any of it is looked at: a lock between two looks would have one look wait
    // for the other.
    let shards = expected.iter().filter_map(|expected| {
        let first_slot = expected.table.index.try_hold(expected.hash)?;
        Some((&expected.table, first_slot))
    });
    let shards: Lot<_> = shards.collect();
    let slots = shards.iter().filter_map(|(table, first_slot)| {
        let (chunk, place) = table.chunk(first_slot()?)?;
        Some((chunk, place.slot))
    });
    let slots: Lot<_> = slots.collect();
    drop(shards);
    let chunks = slots.iter();
    let chunks = chunks.filter_map(|(chunk, slot)| Some((chunk.try_read()?, *slot)));
    let chunks: Lot<_> = chunks.collect();
    let rows = chunks.iter();
    let rows: Lot<&Version> = rows
        .filter_map(|(chunk, slot)| chunk.newest(*slot))
        .collect();
    for row in &rows {
        // Where it begins says how long it is.
        black_box(row.cut());
    }
    for row in &rows {
        black_box(row.glance());
    }
    rows.len()
}

#[cfg(test)]
mod tests {
    use row_model::{SchemaHistory, SchemaId, Stamp, TableId};

    use super::*;
    use crate::{Publisher, TableIdentity, TableWriter};

    #[test]
    fn all_rows_are_looked_at_but_those_that_somebody_changes() {
        let identity = TableIdentity {
            id: TableId(0),
            name: "orders".to_owned(),
            topic: "orders".to_owned(),
            source: "shop".to_owned(),
        };
        let mut writer = TableWriter::new(identity, Arc::new(SchemaHistory::default()));
        let cut = Publisher::default().next_cut();
        for key in 0..LOT_ROWS as u8 {
            let stamp = |_: Option<&Version>| Some(Stamp::default());
            writer.write(cut, &[key], SchemaId(0), Some(&[key; 1_000]), stamp);
        }
        let table = writer.table();
        let mut keys: Vec<u8> = (0..LOT_ROWS as u8).collect();
        let expected = |keys: &[u8]| -> Vec<Expected> {
            let keys = keys.iter();
            keys.map(|key| Expected::new(table, &[*key])).collect()
        };
        assert_eq!(seen(&expected(&keys)), LOT_ROWS);
        keys[1] = 100;
        keys[2] = 0;
        assert_eq!(seen(&expected(&keys)), LOT_ROWS - 1, "one is missing");
        let held = table.chunks[0].write();
        assert_eq!(seen(&expected(&keys)), 0);
        drop(held);
        let held = table.index.hold_all();
        assert_eq!(seen(&expected(&keys)), 0);
        drop(held);
        bring_near(&expected(&keys.repeat(5)));
    }
}
