//! The orders in Avro, framed for a schema registry, and the schemas they are written by.

use change_feed::{RegisteredSchema, SchemaLanguage};

use crate::orders::{Order, TOTAL};

const KEY_ID: u32 = 1;
const VALUE_ID: u32 = 2;

pub fn schemas() -> [(u32, RegisteredSchema); 2] {
    [(KEY_ID, KEY), (VALUE_ID, VALUE)].map(|(id, text)| {
        let schema = RegisteredSchema {
            language: SchemaLanguage::Avro,
            text: text.to_owned(),
            references: Vec::new(),
        };
        (id, schema)
    })
}

pub fn key(order: Order) -> Vec<u8> {
    let mut body = Body::framed(KEY_ID);
    body.long(order.id as i64);
    body.0
}

pub fn value(order: Order) -> Vec<u8> {
    let mut body = Body::framed(VALUE_ID);
    body.branch(order.is_update);
    if order.is_update {
        body.row(order, "new");
    }
    body.branch(true);
    body.row(order, order.status());
    body.source(order);
    body.branch(false);
    body.text(order.op());
    for number in [
        1_795_223_140_421,
        1_795_223_140_421_658,
        1_795_223_140_421_658_192,
    ] {
        body.branch(true);
        body.long(number);
    }
    body.0
}

struct Body(Vec<u8>);

impl Body {
    fn framed(id: u32) -> Self {
        let mut bytes = vec![0];
        bytes.extend_from_slice(&id.to_be_bytes());
        Self(bytes)
    }

    fn row(&mut self, order: Order, status: &str) {
        self.long(order.id as i64);
        self.long(order.customer_id() as i64);
        self.text(status);
        self.sized(&TOTAL);
        self.text("EUR");
        self.long(order.items() as i64);
        self.branch(order.note().is_some());
        if let Some(note) = order.note() {
            self.text(note);
        }
        self.text(&order.address());
        self.text(&order.email());
        self.0.push(u8::from(order.is_paid()));
        self.text(&order.created_at());
        self.text("2026-11-20T23:59:58.412345Z");
    }

    fn source(&mut self, order: Order) {
        self.text("3.6.3.Final");
        self.text("postgresql");
        self.text("shop");
        self.long(1_795_223_140_099);
        // The default comes first in its union.
        self.long(0);
        self.text("false");
        self.text("shop");
        self.branch(true);
        self.text(&format!("[null,\"{}\"]", order.lsn()));
        for number in [1_795_223_140_099_432, 1_795_223_140_099_432_000] {
            self.branch(true);
            self.long(number);
        }
        self.text("public");
        self.text("orders");
        for number in [order.id, order.lsn()] {
            self.branch(true);
            self.long(number as i64);
        }
        self.branch(false);
    }

    /// Of a union of null and something.
    fn branch(&mut self, is_there: bool) {
        self.long(i64::from(is_there));
    }

    fn text(&mut self, text: &str) {
        self.sized(text.as_bytes());
    }

    fn sized(&mut self, bytes: &[u8]) {
        self.long(bytes.len() as i64);
        self.0.extend_from_slice(bytes);
    }

    fn long(&mut self, number: i64) {
        let mut rest = ((number << 1) ^ (number >> 63)) as u64;
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }
}

const KEY: &str = r#"{"type":"record","name":"Key","namespace":"shop.public.orders","fields":[{"name":"id","type":"long"}],"connect.name":"shop.public.orders.Key"}"#;

const VALUE: &str = r#"{"type":"record","name":"Envelope","namespace":"shop.public.orders","fields":[
{"name":"before","type":["null",{"type":"record","name":"Value","fields":[
{"name":"id","type":"long"},{"name":"customer_id","type":"long"},{"name":"status","type":"string"},
{"name":"total","type":{"type":"bytes","scale":2,"precision":12,"connect.version":1,"connect.parameters":{"scale":"2","connect.decimal.precision":"12"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}},
{"name":"currency","type":"string"},{"name":"items","type":"int"},{"name":"note","type":["null","string"],"default":null},
{"name":"address","type":"string"},{"name":"email","type":"string"},{"name":"paid","type":"boolean"},
{"name":"created_at","type":{"type":"string","connect.version":1,"connect.name":"io.debezium.time.ZonedTimestamp"}},
{"name":"updated_at","type":{"type":"string","connect.version":1,"connect.name":"io.debezium.time.ZonedTimestamp"}}],
"connect.name":"shop.public.orders.Value"}],"default":null},
{"name":"after","type":["null","Value"],"default":null},
{"name":"source","type":{"type":"record","name":"Source","namespace":"io.debezium.connector.postgresql","fields":[
{"name":"version","type":"string"},{"name":"connector","type":"string"},{"name":"name","type":"string"},{"name":"ts_ms","type":"long"},
{"name":"snapshot","type":[{"type":"string","connect.default":"false","connect.name":"io.debezium.data.Enum"},"null"],"default":"false"},
{"name":"db","type":"string"},{"name":"sequence","type":["null","string"],"default":null},
{"name":"ts_us","type":["null","long"],"default":null},{"name":"ts_ns","type":["null","long"],"default":null},
{"name":"schema","type":"string"},{"name":"table","type":"string"},
{"name":"txId","type":["null","long"],"default":null},{"name":"lsn","type":["null","long"],"default":null},
{"name":"xmin","type":["null","long"],"default":null}],"connect.name":"io.debezium.connector.postgresql.Source"}},
{"name":"transaction","type":["null",{"type":"record","name":"block","namespace":"event","fields":[
{"name":"id","type":"string"},{"name":"total_order","type":"long"},{"name":"data_collection_order","type":"long"}],"connect.name":"event.block"}],"default":null},
{"name":"op","type":"string"},{"name":"ts_ms","type":["null","long"],"default":null},
{"name":"ts_us","type":["null","long"],"default":null},{"name":"ts_ns","type":["null","long"],"default":null}],
"connect.name":"shop.public.orders.Envelope"}"#;
