//! Tables for queries to be about.

use std::sync::{Arc, LazyLock};

use query::relation::{Endpoint, Relation, Relations};
use row_model::{Column, ColumnType, Schema, SchemaHistory, TableId};
use table_store::{Names, PinnedCut, Publisher, TableCut, TableFacts, TableIdentity, TableWriter};

/// How the tables are called.
pub const TABLES: [&str; 2] = ["orders", "items"];

/// Orders and their items, without a row: what is read of a statement depends on their columns only.
pub struct Shop {
    publisher: Publisher,
    pub relations: Relations,
}

pub static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let mut publisher = Publisher::default();
    let mut names = Names::default();
    let orders = [
        ("id", ColumnType::Int64),
        ("status", ColumnType::Text),
        ("total", ColumnType::Decimal),
        ("placed", ColumnType::TimestampTz),
        ("doc", ColumnType::Json),
    ];
    let items = [
        ("id", ColumnType::Int64),
        ("order_id", ColumnType::Int64),
        ("sku", ColumnType::Text),
        ("fresh", ColumnType::Bool),
    ];
    for (number, (name, columns)) in TABLES.iter().zip([&orders[..], &items[..]]).enumerate() {
        let id = TableId(number as u32);
        let topic = format!("shop.public.{name}");
        names.give(name, &topic, id);
        publisher.set(table(id, name, topic, columns));
    }
    publisher.set_names(names);
    publisher.publish();
    let endpoint = |table: &str, column: &str| Endpoint {
        table: table.to_owned(),
        columns: vec![column.to_owned()],
    };
    let relation = Relation {
        name: "order".to_owned(),
        from: endpoint("items", "order_id"),
        to: endpoint("orders", "id"),
        inverse: Some("items".to_owned()),
        constraint: None,
        is_unique: false,
    };
    Shop {
        publisher,
        relations: vec![relation].into(),
    }
});

impl Shop {
    pub fn cut(&self) -> PinnedCut {
        self.publisher.store().pin()
    }
}

fn table(id: TableId, name: &str, topic: String, columns: &[(&str, ColumnType)]) -> TableCut {
    let identity = TableIdentity {
        id,
        name: name.to_owned(),
        topic,
        source: "shop".to_owned(),
    };
    let writer = TableWriter::new(identity, Arc::new(SchemaHistory::default()));
    let column = |(name, kind): &(&str, ColumnType)| Column {
        name: (*name).to_owned(),
        kind: *kind,
        nullable: true,
    };
    let schema = writer.table().schemas().intern(&Schema {
        columns: columns.iter().map(column).collect(),
        key: Some(vec!["id".to_owned()]),
    });
    TableCut {
        table: Arc::clone(writer.table()),
        rows: 0,
        memory_bytes: 0,
        schema,
        schema_epoch: 1,
        facts: Arc::new(TableFacts::default()),
    }
}
