//! Orders of twelve columns, as Debezium's converters write their changes.

use change_feed::Header;

use crate::{avro, wide};

pub const TOPIC: &str = "shop.public.orders";
/// What Debezium writes with each record, the same while the connector runs.
pub const CONTEXT: [Header<'static>; 4] = [
    Header {
        name: "__debezium.context.connectorLogicalName",
        value: Some(b"shop"),
    },
    Header {
        name: "__debezium.context.taskId",
        value: Some(b"0"),
    },
    Header {
        name: "__debezium.context.connectorName",
        value: Some(b"postgresql"),
    },
    Header {
        name: "__debezium.context.runId",
        value: Some(b"01a1fbb5-4ae7-7171-8aee-e0087b028db0"),
    },
];

#[derive(Clone, Copy)]
pub enum Way {
    Json,
    JsonWithSchema,
    /// Wider ones, of a snapshot.
    JsonOfSnapshot,
    Avro,
}

/// The `id`th order: just placed, or marked as paid.
#[derive(Clone, Copy)]
pub struct Order {
    pub id: u64,
    pub is_update: bool,
}

impl Order {
    /// Key and value.
    pub fn written(self, way: Way) -> (Vec<u8>, Vec<u8>) {
        let key = format!(r#"{{"id":{}}}"#, self.id);
        match way {
            Way::Json => (key.into_bytes(), self.json().into_bytes()),
            Way::JsonWithSchema => (
                with_schema(KEY_SCHEMA, &key),
                with_schema(&envelope_schema(), &self.json()),
            ),
            Way::JsonOfSnapshot => wide::snapshot_row(self.id),
            Way::Avro => (avro::key(self), avro::value(self)),
        }
    }

    fn json(self) -> String {
        let before = if self.is_update {
            self.row("new")
        } else {
            "null".to_owned()
        };
        format!(
            r#"{{"before":{before},"after":{},"source":{{"version":"3.6.3.Final","connector":"postgresql","name":"shop","ts_ms":1795223140099,"snapshot":"false","db":"shop","sequence":"[null,\"{lsn}\"]","ts_us":1795223140099432,"ts_ns":1795223140099432000,"schema":"public","table":"orders","txId":{},"lsn":{lsn},"xmin":null}},"transaction":null,"op":"{}","ts_ms":1795223140421,"ts_us":1795223140421658,"ts_ns":1795223140421658192}}"#,
            self.row(self.status()),
            self.id,
            self.op(),
            lsn = self.lsn(),
        )
    }

    fn row(self, status: &str) -> String {
        let note = self
            .note()
            .map_or_else(|| "null".to_owned(), |note| format!("\"{note}\""));
        let id = self.id;
        format!(
            r#"{{"id":{id},"customer_id":{},"status":"{status}","total":"{}","currency":"EUR","items":{},"note":{note},"address":"{}","email":"{}","paid":{},"created_at":"{}","updated_at":"2026-11-20T23:59:58.412345Z"}}"#,
            self.customer_id(),
            // A decimal of scale 2, as bytes.
            TOTAL_BASE64,
            self.items(),
            self.address(),
            self.email(),
            self.is_paid(),
            self.created_at(),
        )
    }

    pub fn op(self) -> &'static str {
        if self.is_update { "u" } else { "c" }
    }

    pub fn lsn(self) -> u64 {
        822_357_448 + self.id * 96
    }

    pub fn customer_id(self) -> u64 {
        self.id * 7919 % 100_000
    }

    pub fn status(self) -> &'static str {
        ["new", "paid", "shipped", "returned"][self.id as usize % 4]
    }

    pub fn items(self) -> u64 {
        self.id % 9 + 1
    }

    pub fn note(self) -> Option<&'static str> {
        self.id.is_multiple_of(3).then_some("leave at the door")
    }

    pub fn address(self) -> String {
        format!("{} Long Street, Springfield", self.id % 1000)
    }

    pub fn email(self) -> String {
        format!("customer{}@example.org", self.id)
    }

    pub fn is_paid(self) -> bool {
        self.id.is_multiple_of(2)
    }

    pub fn created_at(self) -> String {
        format!("2026-11-20T23:59:{:02}.{:06}Z", self.id % 60, self.id)
    }
}

pub const TOTAL: [u8; 3] = [0x01, 0x5f, 0x90];
const TOTAL_BASE64: &str = "AV+Q";

const KEY_SCHEMA: &str = r#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],"optional":false,"name":"shop.public.orders.Key"}"#;

const ROW_FIELDS: &str = r#"[{"type":"int64","optional":false,"field":"id"},{"type":"int64","optional":false,"field":"customer_id"},{"type":"string","optional":false,"field":"status"},{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2","connect.decimal.precision":"12"},"field":"total"},{"type":"string","optional":false,"field":"currency"},{"type":"int32","optional":false,"field":"items"},{"type":"string","optional":true,"field":"note"},{"type":"string","optional":false,"field":"address"},{"type":"string","optional":false,"field":"email"},{"type":"boolean","optional":false,"field":"paid"},{"type":"string","optional":false,"name":"io.debezium.time.ZonedTimestamp","version":1,"field":"created_at"},{"type":"string","optional":false,"name":"io.debezium.time.ZonedTimestamp","version":1,"field":"updated_at"}]"#;

const SOURCE_FIELDS: &str = r#"[{"type":"string","optional":false,"field":"version"},{"type":"string","optional":false,"field":"connector"},{"type":"string","optional":false,"field":"name"},{"type":"int64","optional":false,"field":"ts_ms"},{"type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"},"default":"false","field":"snapshot"},{"type":"string","optional":false,"field":"db"},{"type":"string","optional":true,"field":"sequence"},{"type":"int64","optional":true,"field":"ts_us"},{"type":"int64","optional":true,"field":"ts_ns"},{"type":"string","optional":false,"field":"schema"},{"type":"string","optional":false,"field":"table"},{"type":"int64","optional":true,"field":"txId"},{"type":"int64","optional":true,"field":"lsn"},{"type":"int64","optional":true,"field":"xmin"}]"#;

fn envelope_schema() -> String {
    let row = |field: &str| {
        format!(
            r#"{{"type":"struct","fields":{ROW_FIELDS},"optional":true,"name":"shop.public.orders.Value","field":"{field}"}}"#
        )
    };
    format!(
        r#"{{"type":"struct","fields":[{},{},{{"type":"struct","fields":{SOURCE_FIELDS},"optional":false,"name":"io.debezium.connector.postgresql.Source","version":1,"field":"source"}},{{"type":"struct","fields":[{{"type":"string","optional":false,"field":"id"}},{{"type":"int64","optional":false,"field":"total_order"}},{{"type":"int64","optional":false,"field":"data_collection_order"}}],"optional":true,"name":"event.block","version":1,"field":"transaction"}},{{"type":"string","optional":false,"field":"op"}},{{"type":"int64","optional":true,"field":"ts_ms"}},{{"type":"int64","optional":true,"field":"ts_us"}},{{"type":"int64","optional":true,"field":"ts_ns"}}],"optional":false,"name":"shop.public.orders.Envelope","version":2}}"#,
        row("before"),
        row("after"),
    )
}

fn with_schema(schema: &str, payload: &str) -> Vec<u8> {
    format!(r#"{{"schema":{schema},"payload":{payload}}}"#).into_bytes()
}
