//! Orders of a shop, as a table.

use std::sync::Arc;

use row_model::{
    Column, ColumnType, Decimal, Moment, RowBuilder, Schema, SchemaHistory, Stamp, TableId, Value,
    encode_key,
};
use table_store::{Names, Publisher, TableCut, TableFacts, TableIdentity, TableStore, TableWriter};

/// One order, in terms that both sides build their rows from.
pub struct Order {
    pub id: i64,
    pub customer_id: i64,
    pub status: &'static str,
    pub cents: i64,
    pub created_at_seconds: i64,
}

/// The order of this number. Spread, but the same in every run.
pub fn order(number: u64) -> Order {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let pick = |bits: u32, below: u64| ((mixed >> bits) % below) as i64;
    Order {
        id: number as i64,
        customer_id: pick(8, 100_000),
        status: ["new", "paid", "shipped", "returned"][pick(30, 4) as usize],
        cents: pick(16, 100_000),
        created_at_seconds: 1_700_000_000 + pick(24, 30_000_000),
    }
}

pub struct Orders {
    publisher: Publisher,
}

impl Orders {
    pub fn new(rows: u64) -> Self {
        let mut publisher = Publisher::default();
        let identity = TableIdentity {
            id: TableId(0),
            name: "orders".to_owned(),
            topic: "shop.public.orders".to_owned(),
            source: "shop".to_owned(),
        };
        let mut writer = TableWriter::new(identity, Arc::new(SchemaHistory::default()));
        let column = |(name, kind): (&str, ColumnType)| Column {
            name: name.to_owned(),
            kind,
            nullable: true,
        };
        let columns = [
            ("id", ColumnType::Int64),
            ("customer_id", ColumnType::Int64),
            ("status", ColumnType::Text),
            ("total", ColumnType::Decimal),
            ("created_at", ColumnType::TimestampTz),
        ];
        let schema = writer.table().schemas().intern(&Schema {
            columns: columns.into_iter().map(column).collect(),
            key: Some(vec!["id".to_owned()]),
        });
        let cut = publisher.next_cut();
        let (mut builder, mut row, mut key) = (RowBuilder::default(), Vec::new(), Vec::new());
        for order in (0..rows).map(order) {
            row.clear();
            key.clear();
            builder.push(Value::Int(order.id));
            builder.push(Value::Int(order.customer_id));
            builder.push(Value::Text(order.status));
            builder.push(Value::Decimal(Decimal::new(2, &order.cents.to_be_bytes())));
            builder.push(Value::Instant(Moment {
                seconds: order.created_at_seconds,
                nanos: 0,
            }));
            builder.finish(&mut row);
            encode_key([Value::Int(order.id)], &mut key).expect("a number is a short key");
            let schema = schema.expect("the first shape of a table has a number");
            writer.write(cut, &key, schema, Some(&row), |_| Some(Stamp::default()));
        }
        let mut names = Names::default();
        names.give("orders", "shop.public.orders", TableId(0));
        publisher.set_names(names);
        publisher.set(TableCut {
            schema_epoch: 0,
            table: Arc::clone(writer.table()),
            rows: writer.rows(),
            memory_bytes: writer.memory().total() as u64,
            schema,
            facts: Arc::new(TableFacts::default()),
        });
        publisher.publish();
        Self { publisher }
    }

    pub fn store(&self) -> &Arc<TableStore> {
        self.publisher.store()
    }
}
