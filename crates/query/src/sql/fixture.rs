//! Three related tables for tests: customers, their orders and the items of these.

use std::sync::Arc;

use row_model::{
    Column, ColumnType, RowBuilder, Schema, SchemaHistory, Stamp, TableId, Value, encode_key,
};
use table_store::{Names, Publisher, TableCut, TableFacts, TableIdentity, TableStore, TableWriter};

use crate::fixture::{column, identity};
use crate::relation::{Endpoint, Relation, Relations};

pub(crate) const CUSTOMERS: &[(&str, ColumnType)] = &[
    ("id", ColumnType::Int64),
    ("name", ColumnType::Text),
    ("tier", ColumnType::Text),
];
pub(crate) const ORDERS: &[(&str, ColumnType)] = &[
    ("id", ColumnType::Int64),
    ("customer_id", ColumnType::Int64),
    ("status", ColumnType::Text),
    ("total", ColumnType::Int64),
    ("paid", ColumnType::Bool),
    ("placedAt", ColumnType::TimestampTz),
    ("doc", ColumnType::Json),
];
pub(crate) const ITEMS: &[(&str, ColumnType)] = &[
    ("id", ColumnType::Int64),
    ("order_id", ColumnType::Int64),
    ("sku", ColumnType::Text),
    ("qty", ColumnType::Int64),
];

pub(crate) struct Tables {
    publisher: Publisher,
    pub relations: Relations,
}

/// Rows of the three tables, in this order.
pub(crate) type Rows<'a> = [Vec<Vec<Value<'a>>>; 3];

fn relation(name: &str, from: (&str, &str), to: (&str, &str), inverse: &str) -> Relation {
    let endpoint = |(table, column): (&str, &str)| Endpoint {
        table: table.to_owned(),
        columns: vec![column.to_owned()],
    };
    Relation {
        name: name.to_owned(),
        from: endpoint(from),
        to: endpoint(to),
        inverse: Some(inverse.to_owned()),
        constraint: None,
        is_unique: false,
    }
}

impl Tables {
    pub fn new(rows: &Rows<'_>) -> Self {
        let mut publisher = Publisher::default();
        let mut names = Names::default();
        let shapes = [
            ("customers", CUSTOMERS),
            ("orders", ORDERS),
            ("items", ITEMS),
        ];
        let mut cuts = Vec::new();
        for (number, ((name, columns), rows)) in shapes.into_iter().zip(rows).enumerate() {
            let id = TableId(number as u32);
            names.give(name, &format!("shop.public.{name}"), id);
            let identity = TableIdentity {
                id,
                ..identity(name)
            };
            cuts.push(written(identity, columns, rows, &publisher));
        }
        publisher.set_names(names);
        for cut in cuts {
            publisher.set(cut);
        }
        publisher.publish();
        let relations = vec![
            relation(
                "customer",
                ("orders", "customer_id"),
                ("customers", "id"),
                "orders",
            ),
            relation("order", ("items", "order_id"), ("orders", "id"), "items"),
        ];
        Self {
            publisher,
            relations: relations.into(),
        }
    }

    pub fn store(&self) -> &Arc<TableStore> {
        self.publisher.store()
    }
}

fn written(
    identity: TableIdentity,
    columns: &[(&str, ColumnType)],
    rows: &[Vec<Value<'_>>],
    publisher: &Publisher,
) -> TableCut {
    let mut writer = TableWriter::new(identity, Arc::new(SchemaHistory::default()));
    let columns: Vec<Column> = columns
        .iter()
        .map(|(name, kind)| column(name, *kind))
        .collect();
    let key = Some(vec!["id".to_owned()]);
    let shape = Schema { columns, key };
    let schema = writer.table().schemas().intern(&shape);
    let (mut builder, mut row, mut key) = (RowBuilder::default(), Vec::new(), Vec::new());
    for values in rows {
        row.clear();
        key.clear();
        for value in values {
            builder.push(*value);
        }
        builder.finish(&mut row);
        encode_key([values[0]], &mut key).unwrap();
        let cut = publisher.next_cut();
        writer.write(cut, &key, schema.unwrap(), Some(&row), |_| {
            Some(Stamp::default())
        });
    }
    TableCut {
        table: Arc::clone(writer.table()),
        rows: writer.rows(),
        memory_bytes: writer.memory().total() as u64,
        schema,
        schema_epoch: 1,
        facts: Arc::new(TableFacts::default()),
    }
}
