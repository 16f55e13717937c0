//! Finds a row that is held under a key, for a record that names no key but the whole row.
//!
//! A primary key may be dropped, and a connector looks keys up when it reads, not when the change
//! happened: so a change without a key may be about a row that came with one. Refuses to take a row
//! for another: every column that both have must be the same.

use row_model::{Row, Schema, SchemaId, Value, encode_key};

use crate::tables::TableState;

impl TableState {
    /// The key under which exactly this row is held, by the newest shapes that have a key.
    pub fn keyed_twin(&self, schema: SchemaId, row: Row<'_>) -> Option<Vec<u8>> {
        let shapes = self.writer.table().schemas().shapes();
        let shape = shapes.get(schema.0 as usize)?;
        let mut tried: Vec<&Vec<String>> = Vec::new();
        for names in shapes.iter().rev().filter_map(|shape| shape.key.as_ref()) {
            if tried.contains(&names) {
                continue;
            }
            tried.push(names);
            let Some(key) = key_of(names, shape, row) else {
                continue;
            };
            let held = self.writer.newest(&key);
            let is_twin = held.as_ref().is_some_and(|held| {
                let of_held = shapes.get(held.schema().0 as usize);
                let same = of_held.zip(held.row());
                same.is_some_and(|(of_held, held)| agree(row, shape, held, of_held))
            });
            if is_twin {
                return Some(key);
            }
        }
        None
    }
}

/// The key that the row would have, if it has its columns.
fn key_of(names: &[String], shape: &Schema, row: Row<'_>) -> Option<Vec<u8>> {
    let values: Option<Vec<Value<'_>>> = names
        .iter()
        .map(|name| row.get(shape.column(name)?))
        .collect();
    let mut key = Vec::new();
    encode_key(values?, &mut key).ok()?;
    Some(key)
}

/// Whether two rows say the same, as far as both say anything.
fn agree(row: Row<'_>, shape: &Schema, other: Row<'_>, of_other: &Schema) -> bool {
    other.iter().zip(&of_other.columns).all(|(held, column)| {
        let here = shape.column(&column.name).and_then(|at| row.get(at));
        here.is_none_or(|here| here == held || held == Value::Unavailable)
    })
}
