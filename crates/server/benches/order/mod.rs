//! Generated orders: rows of twelve columns and 278 bytes of compact JSON, created once each, as
//! Debezium writes them without schemas.

pub fn key(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

pub fn event(id: u64) -> String {
    let row = format!(
        r#"{{"id":{id},"customer_id":{},"status":"{}","total":"{}.{:02}","currency":"EUR","items":{},"note":{},"address":"{} Long Street, Springfield","email":"customer{}@example.org","paid":{},"created_at":"2026-11-20T23:59:{:02}.{:06}Z","updated_at":"2026-11-20T23:59:58.412345Z"}}"#,
        id * 7919 % 100_000,
        ["new", "paid", "shipped", "returned"][id as usize % 4],
        id % 1000,
        id % 100,
        id % 9 + 1,
        if id.is_multiple_of(3) {
            r#""leave at the door""#
        } else {
            "null"
        },
        id % 1000,
        id % 100_000,
        id.is_multiple_of(2),
        id % 60,
        id % 1_000_000,
    );
    format!(
        r#"{{"before":null,"after":{row},"source":{{"version":"3.6.3.Final","connector":"postgresql","name":"shop","ts_ms":1795223140099,"snapshot":"false","db":"shop","sequence":"[null,\"{0}\"]","ts_us":1795223140099432,"ts_ns":1795223140099432000,"schema":"public","table":"orders","txId":{id},"lsn":{0},"xmin":null}},"transaction":null,"op":"c","ts_ms":1795223140421,"ts_us":1795223140421658,"ts_ns":1795223140421658192}}"#,
        822_357_448 + id * 96,
    )
}
