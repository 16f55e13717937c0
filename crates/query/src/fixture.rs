//! A small table for tests: orders with an id and a status, written and published as a pipeline would.

pub(crate) mod site;

use std::sync::Arc;

use row_model::{
    Column, ColumnType, RowBuilder, Schema, SchemaHistory, SchemaId, Stamp, TableId, Value,
    Version, encode_key,
};
use table_store::{
    Cut, Names, Publisher, TableCut, TableFacts, TableIdentity, TableStore, TableWriter,
};

use crate::bind::{self, BoundQuery};
use crate::json::{RowShape, RowShapes};
use crate::list::{Budget, Workers};
use crate::relation::{Relations, World};
use crate::tree::Query;

/// Every visit is shared, but by one who does both shares.
pub(crate) struct Shared;

impl Workers for Shared {
    fn for_rows(&self, _: u64) -> usize {
        2
    }

    fn all(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        // The last begins, so that both have some of a table of one chunk at times.
        (0..count).rev().for_each(work);
    }
}

/// As much as a list wants.
pub(crate) const UNBOUND: Budget<'static> = Budget {
    rows_max: u64::MAX,
    workers: &Shared,
    is_late: &|| false,
};

/// Binds a query to the orders at a cut, where nothing is related.
pub(crate) fn bound(query: &Query, cut: &Cut) -> BoundQuery {
    let relations = Relations::default();
    let world = World::new(cut, &relations);
    bind::bind(query, cut.table("orders").unwrap(), &world).unwrap()
}

/// A table of the source `shop` whose topic is `shop.public.<name>`.
pub(crate) fn identity(name: &str) -> TableIdentity {
    TableIdentity {
        id: TableId(0),
        name: name.to_owned(),
        topic: format!("shop.public.{name}"),
        source: "shop".to_owned(),
    }
}

pub(crate) fn column(name: &str, kind: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable: true,
    }
}

pub(crate) struct Shop {
    publisher: Publisher,
    writer: TableWriter,
    schema: Option<SchemaId>,
    shapes: RowShapes,
}

impl Shop {
    pub fn new() -> Self {
        let mut shop = Self {
            publisher: Publisher::default(),
            writer: TableWriter::new(identity("orders"), Arc::new(SchemaHistory::default())),
            schema: None,
            shapes: RowShapes::default(),
        };
        let mut names = Names::default();
        names.give("orders", "shop.public.orders", TableId(0));
        shop.publisher.set_names(names);
        shop.publish();
        shop
    }

    pub fn store(&self) -> &Arc<TableStore> {
        self.publisher.store()
    }

    pub fn put(&mut self, id: i64, status: &str) {
        let columns = vec![
            column("id", ColumnType::Int64),
            column("status", ColumnType::Text),
        ];
        self.put_row(columns, &[Value::Int(id), Value::Text(status)]);
    }

    /// Writes a row of any shape; its first column is the key.
    pub fn put_row(&mut self, columns: Vec<Column>, values: &[Value<'_>]) {
        let key = Some(vec![columns[0].name.clone()]);
        let schema = self
            .writer
            .table()
            .schemas()
            .intern(&Schema { columns, key })
            .unwrap();
        self.schema = Some(schema);
        let mut builder = RowBuilder::default();
        for value in values {
            builder.push(*value);
        }
        let mut row = Vec::new();
        builder.finish(&mut row);
        self.write(values[0], schema, Some(&row));
    }

    pub fn delete(&mut self, id: i64) {
        self.write(Value::Int(id), self.schema.unwrap_or(SchemaId(0)), None);
    }

    fn write(&mut self, key: Value<'_>, schema: SchemaId, row: Option<&[u8]>) {
        let mut encoded = Vec::new();
        encode_key([key], &mut encoded).unwrap();
        let cut = self.publisher.next_cut();
        self.writer
            .write(cut, &encoded, schema, row, |_| Some(Stamp::default()));
    }

    pub fn publish(&mut self) {
        self.publisher.set(TableCut {
            table: Arc::clone(self.writer.table()),
            rows: self.writer.rows(),
            memory_bytes: self.writer.memory().total() as u64,
            schema: self.schema,
            schema_epoch: 1,
            facts: Arc::new(TableFacts::default()),
        });
        let oldest_needed = self.publisher.publish();
        self.writer.collect_garbage(oldest_needed);
    }

    pub fn shapes(&self) -> &RowShapes {
        &self.shapes
    }

    pub fn shape(&self, table: &TableCut) -> Arc<RowShape> {
        self.shapes.of(table)
    }

    pub fn json(&self, table: &TableCut, version: &Version) -> String {
        let mut out = Vec::new();
        self.shape(table).write_row(version, &mut out);
        String::from_utf8(out).unwrap()
    }
}
