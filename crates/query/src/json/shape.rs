//! How rows of a table are laid out in answers: the newest shape's columns in their order, names escaped once.
//!
//! Built once per shape and kept by [`RowShapes`], because a lookup's whole budget is below what building takes.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use row_model::{Row, Schema, SchemaHistory, SchemaId, TableId, Value, Version};
use table_store::TableCut;

use super::value::{write_text, write_value};

/// The layout of a table's rows in answers.
#[derive(Debug)]
pub struct RowShape {
    /// The shapes the table's rows have had, and which of them answers are shown in.
    history: Arc<SchemaHistory>,
    shown: Option<SchemaId>,
    schema: Arc<Schema>,
    fields: Box<[Field]>,
    /// For each other shape that was met: where each shown column lies in its rows.
    /// Guards one look or one insertion. At most [`SchemaHistory::SHAPES_MAX`] entries.
    older: RwLock<HashMap<SchemaId, Arc<[Option<usize>]>>>,
}

#[derive(Debug)]
struct Field {
    /// `"name":`, escaped.
    label: Box<[u8]>,
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
        let field = |name: &String| {
            let mut label = Vec::with_capacity(name.len() + 3);
            write_text(name, &mut label);
            label.push(b':');
            Field {
                label: label.into(),
            }
        };
        let fields = schema
            .columns
            .iter()
            .map(|column| field(&column.name))
            .collect();
        Self {
            history,
            shown: table.schema,
            schema,
            fields,
            older: RwLock::default(),
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
            self.write_fields(|column| row.get(column), out);
        } else {
            let places = self.places(version.schema(), row);
            self.write_fields(
                |column| row.get(places.get(column).copied().flatten()?),
                out,
            );
        }
    }

    fn write_fields<'a>(&self, value_of: impl Fn(usize) -> Option<Value<'a>>, out: &mut Vec<u8>) {
        let mut unavailable = false;
        let start = out.len();
        for (column, field) in self.fields.iter().enumerate() {
            let value = value_of(column).unwrap_or(Value::Null);
            if value == Value::Unavailable {
                unavailable = true;
                continue;
            }
            out.push(b',');
            out.extend_from_slice(&field.label);
            write_value(value, out);
        }
        if unavailable {
            let names = self.schema.columns.iter().enumerate();
            let names = names.filter(|(column, _)| value_of(*column) == Some(Value::Unavailable));
            let before = out.len();
            for (_, column) in names {
                out.extend_from_slice(if out.len() == before {
                    b",\"unavailable\":["
                } else {
                    b","
                });
                write_text(&column.name, out);
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

    /// Where each shown column lies in rows of another shape.
    fn places(&self, shape: SchemaId, row: Row<'_>) -> Arc<[Option<usize>]> {
        if let Some(places) = self.older.read().get(&shape) {
            return Arc::clone(places);
        }
        let columns = self.schema.columns.iter();
        let places: Arc<[Option<usize>]> = match self.history.get(shape) {
            Some(written) => columns.map(|column| written.column(&column.name)).collect(),
            // The history is append-only and older than its rows; without it columns can only be told by place.
            None => (0..self.fields.len())
                .map(|column| (column < row.len()).then_some(column))
                .collect(),
        };
        self.older.write().insert(shape, Arc::clone(&places));
        places
    }

    fn is_of(&self, table: &TableCut) -> bool {
        self.shown == table.schema && Arc::ptr_eq(&self.history, table.table.schemas())
    }
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
    fn rows_of_every_shape_are_shown_in_the_newest() {
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
        let evolved = expect![[r#"
            {"id":1,"status":"old","added":null}
            {"id":2,"status":"new","added":true}"#]];
        evolved.assert_eq(&both(&shop));
        // The second time from what was kept of the first.
        evolved.assert_eq(&both(&shop));
        // A shape that comes back is the newest again.
        shop.put_row(
            columns(&["id", "dropped", "status"]),
            &[Value::Int(3), Value::Null, Value::Text("back")],
        );
        shop.publish();
        expect![[r#"
            {"id":1,"dropped":9,"status":"old"}
            {"id":2,"dropped":null,"status":"new"}"#]]
        .assert_eq(&both(&shop));
    }
}
