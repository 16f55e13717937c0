//! How rows of a table are laid out in answers: the newest shape's columns in their order, then what else
//! a row has, names escaped once.
//!
//! Built once per shape and kept by [`RowShapes`], because a lookup's whole budget is below what building takes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;
use row_model::{Column, RawCell, Row, Schema, SchemaHistory, SchemaId, TableId, Value, Version};
use table_store::TableCut;

use super::value::{write_text, write_text_bytes, write_value};

/// Former columns that are told of, at most: documents may have any number.
const FORMER_COLUMNS_MAX: usize = 1_000;

/// A copy of a length that is known takes a fraction of one that is not, and most labels are no longer.
const LABEL_BYTES: usize = 32;

/// The layout of a table's rows in answers.
#[derive(Debug)]
pub struct RowShape {
    /// The shapes the table's rows have had, and which of them answers are shown in.
    history: Arc<SchemaHistory>,
    shown: Option<SchemaId>,
    schema: Arc<Schema>,
    fields: Box<[Field]>,
    /// How rows of each other shape that was met are laid out.
    /// Guards one look or one insertion. At most [`SchemaHistory::SHAPES_MAX`] entries.
    others: RwLock<HashMap<SchemaId, Arc<[Field]>>>,
}

/// One column of an answer.
#[derive(Clone, Debug)]
struct Field {
    /// `,"name":`, escaped, and filled up to [`LABEL_BYTES`].
    label: Arc<[u8]>,
    label_len: usize,
    /// Where the column lies in the row.
    place: usize,
}

impl Field {
    fn new(name: &str, place: usize) -> Self {
        let mut label = Vec::with_capacity(name.len() + 4);
        label.push(b',');
        write_text(name, &mut label);
        label.push(b':');
        let label_len = label.len();
        label.resize(label_len.max(LABEL_BYTES), 0);
        Self {
            label: label.into(),
            label_len,
            place,
        }
    }

    fn write_label(&self, out: &mut Vec<u8>) {
        match self.label.first_chunk::<LABEL_BYTES>() {
            Some(label) if self.label_len <= LABEL_BYTES => {
                let end = out.len() + self.label_len;
                out.extend_from_slice(label);
                out.truncate(end);
            }
            _ => out.extend_from_slice(&self.label[..self.label_len]),
        }
    }

    /// The column's name as it is written in JSON.
    fn quoted_name(&self) -> &[u8] {
        &self.label[1..self.label_len - 1]
    }
}

impl RowShape {
    fn new(table: &TableCut) -> Self {
        let history = Arc::clone(table.table.schemas());
        let schema = table.schema.and_then(|id| history.get(id));
        let schema = schema.unwrap_or_else(|| {
            Arc::new(Schema {
                columns: Vec::new(),
                key: None,
            })
        });
        let columns = schema.columns.iter().enumerate();
        let fields = columns
            .map(|(place, column)| Field::new(&column.name, place))
            .collect();
        Self {
            history,
            shown: table.schema,
            schema,
            fields,
            others: RwLock::default(),
        }
    }

    /// The columns of answers. Empty before the table's first row.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Appends the row of a version as an object. A deleted key has none, and is an empty object.
    pub fn write_row(&self, version: &Version, out: &mut Vec<u8>) {
        let Some(row) = version.row() else {
            return out.extend_from_slice(b"{}");
        };
        if Some(version.schema()) == self.shown {
            write_fields(row, &self.fields, out);
        } else {
            write_fields(row, &self.layout_of(version.schema(), row), out);
        }
    }

    /// Columns that rows have had and that the newest shape lacks: dropped or renamed ones, and those
    /// that only some rows carry. Rows that still have one show it. The newest type of each.
    #[must_use]
    pub fn former_columns(&self) -> Vec<Column> {
        let shapes = self.history.shapes();
        let mut told: HashSet<&str> = HashSet::new();
        told.extend(self.schema.columns.iter().map(|column| &*column.name));
        let newest_first = shapes.iter().rev().flat_map(|shape| &shape.columns);
        newest_first
            .filter(|column| told.insert(&column.name))
            .take(FORMER_COLUMNS_MAX)
            .cloned()
            .collect()
    }

    /// True for a column without which there may be rows: those that were written before it was added.
    #[must_use]
    pub fn may_lack(&self, column: &str) -> bool {
        let shapes = self.history.shapes();
        shapes.iter().any(|shape| shape.column(column).is_none())
    }

    /// How rows of another shape are laid out: the shown columns that they have, in their order, then
    /// what else they have.
    fn layout_of(&self, shape: SchemaId, row: Row<'_>) -> Arc<[Field]> {
        if let Some(known) = self.others.read().get(&shape) {
            return Arc::clone(known);
        }
        let layout: Arc<[Field]> = match self.history.get(shape) {
            Some(written) => {
                let shown = self.fields.iter().zip(&self.schema.columns);
                let shown = shown.filter_map(|(field, column)| {
                    let place = written.column(&column.name)?;
                    Some(Field {
                        place,
                        ..field.clone()
                    })
                });
                let columns = written.columns.iter().enumerate();
                let others = columns
                    .filter(|(_, column)| self.schema.column(&column.name).is_none())
                    .map(|(place, column)| Field::new(&column.name, place));
                shown.chain(others).collect()
            }
            // The history is append-only and older than its rows; without it columns can only be told by place.
            None => self.fields.iter().take(row.len()).cloned().collect(),
        };
        self.others.write().insert(shape, Arc::clone(&layout));
        layout
    }

    fn is_of(&self, table: &TableCut) -> bool {
        self.shown == table.schema && Arc::ptr_eq(&self.history, table.table.schemas())
    }
}

fn write_fields(row: Row<'_>, fields: &[Field], out: &mut Vec<u8>) {
    let is_unavailable = |field: &&Field| row.get(field.place) == Some(Value::Unavailable);
    let mut unavailable = false;
    let start = out.len();
    let mut cells = row.cells();
    for field in fields {
        let cell = cells.raw(field.place);
        if let Some(text) = cell.and_then(RawCell::text) {
            field.write_label(out);
            write_text_bytes(text, out);
            continue;
        }
        match cell.and_then(RawCell::value).unwrap_or(Value::Null) {
            Value::Unavailable => unavailable = true,
            value => {
                field.write_label(out);
                write_value(value, out);
            }
        }
    }
    if unavailable {
        let missing = fields.iter().filter(is_unavailable);
        let before = out.len();
        for field in missing {
            out.extend_from_slice(if out.len() == before {
                b",\"unavailable\":["
            } else {
                b","
            });
            out.extend_from_slice(field.quoted_name());
        }
        out.push(b']');
    }
    match out.get_mut(start) {
        // The first comma gives its place to the brace.
        Some(first) => *first = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}

/// The current layout of each table, made when it is first asked for.
#[derive(Debug, Default)]
pub struct RowShapes {
    /// One per table: the one asked for last. Guards one look or one insertion.
    by_table: RwLock<HashMap<TableId, Arc<RowShape>>>,
}

impl RowShapes {
    /// The layout of the table's rows at its cut.
    #[must_use]
    pub fn of(&self, table: &TableCut) -> Arc<RowShape> {
        let id = table.table.identity().id;
        if let Some(shape) = self
            .by_table
            .read()
            .get(&id)
            .filter(|shape| shape.is_of(table))
        {
            return Arc::clone(shape);
        }
        let shape = Arc::new(RowShape::new(table));
        self.by_table.write().insert(id, Arc::clone(&shape));
        shape
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use row_model::{Column, ColumnType};

    use super::*;
    use crate::fixture::{Shop, column};
    use crate::lookup;

    fn rendered(shop: &Shop, key: &str) -> String {
        let found = lookup::row(shop.store(), "orders", key).unwrap();
        shop.json(&found.table, &found.row.unwrap())
    }

    fn columns(names: &[&str]) -> Vec<Column> {
        names
            .iter()
            .map(|name| column(name, ColumnType::Any))
            .collect()
    }

    #[test]
    fn rows_are_objects_with_their_columns_in_order() {
        let mut shop = Shop::new();
        let names = ["id", "a \"quoted\"\nname", "total"];
        shop.put_row(
            columns(&names),
            &[Value::Int(7), Value::Null, Value::Json("{\"a\": 1.0}")],
        );
        shop.publish();
        expect![[r#"{"id":7,"a \"quoted\"\nname":null,"total":{"a": 1.0}}"#]]
            .assert_eq(&rendered(&shop, "7"));
    }

    #[test]
    fn what_was_never_sent_is_left_out_and_named() {
        let mut shop = Shop::new();
        let names = ["id", "doc", "note", "status"];
        let row = [
            Value::Int(7),
            Value::Unavailable,
            Value::Unavailable,
            Value::Text("paid"),
        ];
        shop.put_row(columns(&names), &row);
        shop.publish();
        expect![[r#"{"id":7,"status":"paid","unavailable":["doc","note"]}"#]]
            .assert_eq(&rendered(&shop, "7"));
    }

    #[test]
    fn rows_of_every_shape_show_what_they_have() {
        let mut shop = Shop::new();
        shop.put_row(
            columns(&["id", "dropped", "status"]),
            &[Value::Int(1), Value::Int(9), Value::Text("old")],
        );
        shop.put_row(
            columns(&["id", "status", "added"]),
            &[Value::Int(2), Value::Text("new"), Value::Bool(true)],
        );
        shop.publish();
        let both = |shop: &Shop| rendered(shop, "1") + "\n" + &rendered(shop, "2");
        // What a row never told is not said to be null, and what only it has is not lost.
        let evolved = expect![[r#"
            {"id":1,"status":"old","dropped":9}
            {"id":2,"status":"new","added":true}"#]];
        evolved.assert_eq(&both(&shop));
        // The second time from what was kept of the first.
        evolved.assert_eq(&both(&shop));
        let former = |shop: &Shop| {
            let cut = shop.store().published();
            let shape = shop.shape(cut.table("orders").unwrap());
            let columns = shape.former_columns();
            let names = columns.iter().map(|column| column.name.clone());
            names.collect::<Vec<_>>()
        };
        assert_eq!(former(&shop), ["dropped"]);
        // A shape that comes back is the newest again.
        shop.put_row(
            columns(&["id", "dropped", "status"]),
            &[Value::Int(3), Value::Unavailable, Value::Text("back")],
        );
        shop.publish();
        expect![[r#"
            {"id":1,"dropped":9,"status":"old"}
            {"id":2,"status":"new","added":true}"#]]
        .assert_eq(&both(&shop));
        assert_eq!(former(&shop), ["added"]);
        // Of a retyped column each row has the value that it was written with, and one that was not
        // sent is named in whatever shape.
        shop.put_row(columns(&["id", "status"]), &[Value::Int(2), Value::Int(5)]);
        shop.publish();
        expect![[r#"{"id":3,"status":"back","unavailable":["dropped"]}"#]]
            .assert_eq(&rendered(&shop, "3"));
        expect![[r#"{"id":2,"status":5}"#]].assert_eq(&rendered(&shop, "2"));
    }
}
