//! What differs between two states of one table, row by row, as answers spell rows.
//!
//! Rows with a key are compared by it; rows without one by how many equal ones there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use row_model::{CutId, Row, Schema, Value, Version};
use table_store::{Lookup, Table, TableCut};

use crate::json;

/// Both states are looked at as they are now, published or not.
const NOW: CutId = CutId(u64::MAX);

/// One row that is not the same on both sides. Keys, rows and values are JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Cells that differ; `None` where that side's row has no such column.
    Changed {
        key: String,
        cells: Vec<ChangedCell>,
    },
    /// So many equal rows are on one side only: one, if they have a key.
    OnlyOn { side: Side, row: String, rows: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedCell {
    pub column: String,
    pub left: Option<String>,
    pub right: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// Calls `each` for every difference between two states of a table that share their shapes.
pub fn rows(left: &TableCut, right: &TableCut, mut each: impl FnMut(&[u8], Difference)) {
    let shapes = left.table.schemas().shapes();
    // Rows without a key, by their cells: how many more of them are on the left.
    let mut keyless: HashMap<String, i64> = HashMap::new();
    for (of, other, side) in [(left, right, Side::Left), (right, left, Side::Right)] {
        visit(&of.table, |version| {
            let Some(shape) = shapes.get(version.schema().0 as usize) else {
                return;
            };
            if shape.key.is_none() {
                let count = keyless.entry(object(&cells(version, shape))).or_default();
                *count += if side == Side::Left { 1 } else { -1 };
                return;
            }
            match (other.table.lookup(version.key(), NOW), side) {
                (Lookup::Row(found), Side::Left) => {
                    let difference = changed(version, &found, &shapes);
                    if let Some(difference) = difference {
                        each(version.key(), difference);
                    }
                }
                // Compared from the left.
                (Lookup::Row(_), Side::Right) => {}
                (Lookup::Missing | Lookup::CutGone, side) => {
                    let row = object(&cells(version, shape));
                    each(version.key(), Difference::OnlyOn { side, row, rows: 1 });
                }
            }
        });
    }
    let mut keyless: Vec<(String, i64)> =
        keyless.into_iter().filter(|(_, more)| *more != 0).collect();
    keyless.sort_unstable();
    for (row, more) in keyless {
        let side = if more > 0 { Side::Left } else { Side::Right };
        let rows = more.unsigned_abs();
        each(&[], Difference::OnlyOn { side, row, rows });
    }
}

/// Chunk by chunk, without a lock while `each` looks elsewhere.
fn visit(table: &Table, mut each: impl FnMut(&Version)) {
    let mut chunk = 0;
    let mut versions: Vec<Version> = Vec::new();
    while table.visit_chunk(chunk, NOW, |version| versions.push(version.clone())) {
        versions.drain(..).for_each(|version| each(&version));
        chunk += 1;
    }
}

fn changed(left: &Version, right: &Version, shapes: &[Arc<Schema>]) -> Option<Difference> {
    if left.schema() == right.schema() && left.row() == right.row() {
        return None;
    }
    let shape = |version: &Version| shapes.get(version.schema().0 as usize);
    let (left_shape, right_shape) = (shape(left)?, shape(right)?);
    let (left_cells, right_cells) = (cells(left, left_shape), cells(right, right_shape));
    let mut differing = Vec::new();
    for (column, value) in &left_cells {
        let other = right_cells.get(column);
        if other != Some(value) {
            differing.push(ChangedCell {
                column: column.clone(),
                left: Some(value.clone()),
                right: other.cloned(),
            });
        }
    }
    for (column, value) in &right_cells {
        if !left_cells.contains_key(column) {
            differing.push(ChangedCell {
                column: column.clone(),
                left: None,
                right: Some(value.clone()),
            });
        }
    }
    // The same cells in another shape: answers are the same.
    if differing.is_empty() {
        return None;
    }
    let names = left_shape.key.iter().flatten();
    let key = names.filter_map(|name| Some((name.clone(), left_cells.get(name)?.clone())));
    Some(Difference::Changed {
        key: object(&key.collect()),
        cells: differing,
    })
}

/// Each column of a row as answers spell its value; one that was never sent is left out, as there.
fn cells(version: &Version, shape: &Schema) -> BTreeMap<String, String> {
    let row: Option<Row<'_>> = version.row();
    let columns = shape.columns.iter().enumerate();
    columns
        .filter_map(|(place, column)| {
            let value = row?.get(place).unwrap_or(Value::Null);
            (value != Value::Unavailable).then(|| (column.name.clone(), spelled(value)))
        })
        .collect()
}

fn spelled(value: Value<'_>) -> String {
    let mut out = Vec::new();
    json::write_value(value, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn object(cells: &BTreeMap<String, String>) -> String {
    let cell =
        |(name, value): (&String, &String)| format!("{}:{value}", spelled(Value::Text(name)));
    let cells: Vec<String> = cells.iter().map(cell).collect();
    format!("{{{}}}", cells.join(","))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::fixture::Shop;

    fn told(left: &Shop, right: &Shop) -> String {
        let table = |shop: &Shop| Arc::clone(&shop.store().published().tables()[0]);
        let mut told = Vec::new();
        rows(&table(left), &table(right), |_, difference| {
            told.push(match difference {
                Difference::Changed { key, cells } => {
                    let cell = |cell: &ChangedCell| {
                        let side = |value: &Option<String>| value.clone().unwrap_or("-".to_owned());
                        format!("{} {} {}", cell.column, side(&cell.left), side(&cell.right))
                    };
                    let cells: Vec<String> = cells.iter().map(cell).collect();
                    format!("{key}: {}", cells.join(", "))
                }
                Difference::OnlyOn { side, row, rows } => format!("{rows} only {side:?}: {row}"),
            });
        });
        told.sort();
        told.join("\n")
    }

    #[test]
    fn rows_are_compared_by_key_and_told_as_answers_spell_them() {
        let (mut left, mut right) = (Shop::new(), Shop::new());
        for id in 1..=3 {
            left.put(id, "open");
            right.put(id, "open");
        }
        left.publish();
        right.publish();
        assert_eq!(told(&left, &right), "");
        right.put(2, "paid");
        left.put(4, "new");
        left.delete(1);
        left.publish();
        right.publish();
        expect![[r#"
            1 only Left: {"id":4,"status":"new"}
            1 only Right: {"id":1,"status":"open"}
            {"id":2}: status "open" "paid""#]]
        .assert_eq(&told(&left, &right));
    }
}
