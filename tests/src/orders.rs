//! Changes of one small table, as Debezium writes them without schemas: for suites that are about something
//! else than what records look like.

use serde_json::{Value, json};

use crate::records::Record;

/// The topic of all of them; its table is `orders`.
pub const TOPIC: &str = "shop.public.orders";

/// When the first change was committed, milliseconds since 1970.
pub const COMMITTED_MS: i64 = 1_795_000_000_000;

/// The row with this id is written.
#[must_use]
pub fn written(offset: i64, id: i64, status: &str) -> Record {
    change(offset, "c", id, &json!({"id": id, "status": status}))
}

/// The row with this id is gone.
#[must_use]
pub fn deleted(offset: i64, id: i64) -> Record {
    let record = change(offset, "d", id, &Value::Null);
    let value = record.value.unwrap_or_default();
    let value = value.replace(
        "\"before\":null",
        &format!("\"before\":{{\"id\":{id},\"status\":\"\"}}"),
    );
    Record {
        value: Some(value),
        ..record
    }
}

/// A record that nobody can decode.
#[must_use]
pub fn nonsense(offset: i64, id: i64) -> Record {
    Record {
        key: Some(json!({ "id": id }).to_string()),
        value: Some("{\"op\":".to_owned()),
        ..Record::new(TOPIC, 0, offset)
    }
}

/// Any change of the row with this id. Positions follow the offsets.
#[must_use]
pub fn change(offset: i64, op: &str, id: i64, after: &Value) -> Record {
    let lsn = 1_000 + offset;
    let value = json!({
        "before": null,
        "after": after,
        "source": {
            "version": "3.6.3.Final",
            "connector": "postgresql",
            "name": "shop",
            "ts_ms": COMMITTED_MS + offset,
            "snapshot": "false",
            "db": "shop",
            "sequence": format!("[\"{lsn}\",\"{lsn}\"]"),
            "schema": "public",
            "table": "orders",
            "txId": 700 + offset,
            "lsn": lsn,
            "xmin": null,
        },
        "transaction": null,
        "op": op,
        "ts_ms": COMMITTED_MS + offset + 1,
    });
    Record {
        key: Some(json!({ "id": id }).to_string()),
        value: Some(value.to_string()),
        ..Record::new(TOPIC, 0, offset)
    }
}
