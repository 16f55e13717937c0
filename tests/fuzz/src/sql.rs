//! Statements of SQL: any text is a query of the tables there are, or says what is wrong with it.

use std::sync::{Arc, LazyLock};

use query::relation::{Endpoint, Relation, Relations, World};
use query::sql::{self, Parameter};
use row_model::{Column, ColumnType, Schema, SchemaHistory, TableId};
use table_store::{Names, Publisher, TableCut, TableFacts, TableIdentity, TableWriter};

use crate::memory;

const HELD_BYTES_BASE: usize = 4 << 20;
const HELD_BYTES_PER_BYTE: usize = 4_000;

/// Orders and their items, without a row: what is read of a statement depends on their columns only.
struct Shop {
    publisher: Publisher,
    relations: Relations,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
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
    for (number, (name, columns)) in [("orders", &orders[..]), ("items", &items[..])]
        .into_iter()
        .enumerate()
    {
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

/// It is read twice to the same end, and what can be read can be bound or says why not.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    LazyLock::force(&SHOP);
    let bytes_max = HELD_BYTES_BASE + HELD_BYTES_PER_BYTE * text.len();
    let first = memory::within(bytes_max, || said(text));
    assert_eq!(first, said(text));
}

fn said(text: &str) -> Result<String, String> {
    let parameters = [
        Parameter::Number("1.50".to_owned()),
        Parameter::Null,
        Parameter::List(vec![Parameter::Text("a".to_owned())]),
    ];
    let cut = SHOP.publisher.store().pin();
    let world = World::new(&cut, &SHOP.relations);
    let refused = |error: &dyn std::error::Error| {
        let text = error.to_string();
        assert!(!text.is_empty());
        text
    };
    let read = sql::read(text, &parameters, &world).map_err(|error| refused(&error))?;
    let bound = read.bind(&world).map_err(|error| refused(&error))?;
    assert_eq!(sql::types(&bound).len(), bound.labels().count());
    Ok(format!("{:?}", read.query))
}
