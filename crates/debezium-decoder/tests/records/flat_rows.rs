//! Flattened rows, with and without added columns.

use std::sync::Arc;

use change_feed::RawBatch;
use debezium_decoder::{DebeziumDecoder, Placeholder};
use expect_test::expect;
use row_model::{PartitionId, RecordFormat, SchemaCatalog};

use crate::{SOURCE, TOPIC, check, check_with_headers, decode_batch, decode_by, shown};

const KEY: Option<&str> = Some(r#"{"id":1}"#);

#[test]
fn without_added_columns_a_row_is_an_upsert_and_a_tombstone_a_delete() {
    check(
        &[
            (KEY, Some(r#"{"id":1,"name":"n1","bio":"x"}"#)),
            (
                KEY,
                Some(r#"{"id":1,"name":"one","bio":"__debezium_unavailable_value"}"#),
            ),
            (KEY, Some("null")),
            (
                KEY,
                Some(r#"{"id":1,"name":"again","bio":null,"added":true}"#),
            ),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Text("n1"), Text("x")] at None
            1 Upsert [Int(1), Text("one"), Unavailable] at None
            2 Delete at None
            3 Upsert [Int(1), Text("again"), Null, Bool(true)] at None
            shape: id any, name any, bio any key Some(["id"])
            shape: id any, name any, bio any, added any key Some(["id"])
        "#]],
    );
}

#[test]
fn added_columns_stay_and_tell_what_the_envelope_told() {
    let row = |rest: &str| format!(r#"{{"id":1,"name":"n",{rest}}}"#);
    let added = |deleted: &str, op: &str, lsn: u64, snapshot: &str| {
        row(&format!(
            r#""__deleted":{deleted},"__op":"{op}","__table":"t","__lsn":{lsn},"__source_ts_ms":1795224713007,"__ts_ms":1795224713476,"__txId":144718,"__source_snapshot":{snapshot},"__source_sequence":"[null,\"{lsn}\"]""#
        ))
    };
    let rows = [
        added(r#""false""#, "r", 70, r#""first""#),
        added(r#""false""#, "r", 70, r#""last""#),
        added(r#""false""#, "u", 71, "null"),
        added(r#""true""#, "d", 72, "null"),
        added("false", "c", 73, "null"),
        added("true", "d", 74, "null"),
        added(r#""false""#, "r", 80, r#""incremental""#),
    ];
    let records: Vec<_> = rows.iter().map(|row| (KEY, Some(row.as_str()))).collect();
    check(
        &records,
        &expect![[r#"
            0 Upsert [Int(1), Text("n"), Text("false"), Text("r"), Text("t"), Int(70), Int(1795224713007), Int(1795224713476), Int(144718), Text("first"), Text("[null,\"70\"]")] FirstOfTable at Some(0@[70])
            1 Upsert [Int(1), Text("n"), Text("false"), Text("r"), Text("t"), Int(70), Int(1795224713007), Int(1795224713476), Int(144718), Text("last"), Text("[null,\"70\"]")] Last at Some(0@[70])
            2 Upsert [Int(1), Text("n"), Text("false"), Text("u"), Text("t"), Int(71), Int(1795224713007), Int(1795224713476), Int(144718), Null, Text("[null,\"71\"]")] at Some(0@[71])
            3 Delete at Some(0@[72])
            4 Upsert [Int(1), Text("n"), Bool(false), Text("c"), Text("t"), Int(73), Int(1795224713007), Int(1795224713476), Int(144718), Null, Text("[null,\"73\"]")] at Some(0@[73])
            5 Delete at Some(0@[74])
            6 Upsert [Int(1), Text("n"), Text("false"), Text("r"), Text("t"), Int(80), Int(1795224713007), Int(1795224713476), Int(144718), Text("incremental"), Text("[null,\"80\"]")] Incremental at Some(0@[80])
            shape: id any, name any, __deleted any, __op any, __table any, __lsn any, __source_ts_ms any, __ts_ms any, __txId any, __source_snapshot any, __source_sequence any key Some(["id"])
        "#]],
    );
    let mut batch = RawBatch::new(PartitionId(0));
    batch.push(
        0,
        None,
        KEY.map(str::as_bytes),
        Some(rows[2].as_bytes()),
        [],
    );
    let change = &decode_batch(TOPIC, &batch).changes[0];
    assert_eq!(
        (
            change.commit_ms,
            change.connector_ms,
            change.transaction.map(|id| id.0)
        ),
        (
            Some(1_795_224_713_007),
            Some(1_795_224_713_476),
            Some(144_718)
        )
    );
}

#[test]
fn a_position_counts_only_where_a_change_can_be_told_from_a_snapshot_row() {
    check(
        &[
            (KEY, Some(r#"{"id":1,"__lsn":70}"#)),
            (KEY, Some(r#"{"id":1,"__lsn":70,"__op":"r"}"#)),
            (KEY, Some(r#"{"id":1,"__lsn":70,"__op":"u"}"#)),
            (
                KEY,
                Some(
                    r#"{"id":1,"__op":"u","__source_server_id":3,"__source_file":"bin.000002","__source_pos":9,"__source_row":1}"#,
                ),
            ),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Int(70)] at None
            1 Upsert [Int(1), Int(70), Text("r")] Incremental at Some(0@[70])
            2 Upsert [Int(1), Int(70), Text("u")] at Some(0@[70])
            3 Upsert [Int(1), Text("u"), Int(3), Text("bin.000002"), Int(9), Int(1)] at Some(3@[2, 9, 1])
            shape: id any, __lsn any key Some(["id"])
            shape: id any, __lsn any, __op any key Some(["id"])
            shape: id any, __op any, __source_server_id any, __source_file any, __source_pos any, __source_row any key Some(["id"])
        "#]],
    );
}

#[test]
fn headers_tell_it_too() {
    let headers =
        |op: &'static str, lsn: &'static str| [("__op", Some(op)), ("__source_lsn", Some(lsn))];
    check_with_headers(
        TOPIC,
        &[
            (KEY, Some(r#"{"id":1}"#), &headers("u", "1159885048")),
            (KEY, None, &headers("d", "1159885432")),
            (KEY, Some(r#"{"id":1}"#), &headers("\"c\"", "1159886480")),
        ],
        &expect![[r#"
            0 Upsert [Int(1)] at Some(0@[1159885048])
            1 Delete at Some(0@[1159885432])
            2 Upsert [Int(1)] at Some(0@[1159886480])
            shape: id any key Some(["id"])
        "#]],
    );
}

#[test]
fn columns_of_other_names_are_columns() {
    check(
        &[
            (
                KEY,
                Some(r#"{"id":1,"op":"d","source":"web","deleted":"true"}"#),
            ),
            (
                KEY,
                Some(r#"{"id":1,"op":"c","source":"web","deleted":"true"}"#),
            ),
            (KEY, Some(r#"{"id":1,"ts_ms":5}"#)),
            (KEY, Some(r#"{"id":1,"status":"BEGIN","ts_ms":"now"}"#)),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Text("d"), Text("web"), Text("true")] at None
            1 Upsert [Int(1), Text("c"), Text("web"), Text("true")] at None
            2 Upsert [Int(1), Int(5)] at None
            3 Upsert [Int(1), Text("BEGIN"), Text("now")] at None
            shape: id any, op any, source any, deleted any key Some(["id"])
            shape: id any, ts_ms any key Some(["id"])
            shape: id any, status any, ts_ms any key Some(["id"])
        "#]],
    );
}

#[test]
fn a_topic_keeps_the_format_it_has_shown() {
    let envelope = format!(r#"{{"before":null,"after":{{"id":1}},{SOURCE},"op":"c","ts_ms":6}}"#);
    let flat = r#"{"id":1}"#;
    check(
        &[
            (KEY, Some(&envelope)),
            (KEY, Some(flat)),
            (KEY, Some(&envelope)),
        ],
        &expect![[r#"
            0 Upsert [Int(1)] at Some(0@[77])
            2 Upsert [Int(1)] at Some(0@[77])
            1 failed: the topic has held change events so far, and this is one of flattened rows
            shape: id any key Some(["id"])
        "#]],
    );
    check(
        &[(KEY, Some(flat)), (KEY, Some(&envelope)), (KEY, Some(flat))],
        &expect![[r#"
            0 Upsert [Int(1)] at None
            2 Upsert [Int(1)] at None
            1 failed: the topic has held flattened rows so far, and this is one of change events
            shape: id any key Some(["id"])
        "#]],
    );
    let mut batch = RawBatch::new(PartitionId(0));
    batch.push(0, None, KEY.map(str::as_bytes), Some(flat.as_bytes()), []);
    assert_eq!(decode_batch(TOPIC, &batch).format, Some(RecordFormat::Flat));
}

#[test]
fn rows_need_a_key_and_may_take_it_from_config() {
    let rows = [
        r#"{"a":1,"b":"x","__deleted":"false"}"#,
        r#"{"a":1,"b":"x","__deleted":"true"}"#,
    ];
    check(
        &[(None, Some(rows[0])), (None, None)],
        &expect![[r#"
        0 failed: a flattened row without a key; declare the table's key in config, or send envelopes
    "#]],
    );
    let mut batch = RawBatch::new(PartitionId(0));
    for (offset, row) in rows.iter().enumerate() {
        batch.push(offset as u64, None, None, Some(row.as_bytes()), []);
    }
    let decoder = DebeziumDecoder::new(Arc::new(SchemaCatalog::default()), Placeholder::default());
    let decoder = decoder.with_declared_key(TOPIC, &["a".to_owned()]);
    let out = decode_by(decoder, TOPIC, &batch);
    assert_eq!(
        out.slice(&out.changes[0].key),
        out.slice(&out.changes[1].key)
    );
    expect![[r#"
        0 Upsert [Int(1), Text("x"), Text("false")] at None
        1 Delete at None
        shape: a any, b any, __deleted any key Some(["a"])
    "#]]
    .assert_eq(&shown(&out));
}

#[test]
fn embedded_schemas_type_rows_and_tell_other_records() {
    let of = |name: &str, fields: &str, payload: &str| {
        format!(
            r#"{{"schema":{{"type":"struct","fields":[{fields}],"optional":false,"name":"{name}"}},"payload":{payload}}}"#
        )
    };
    let id = r#"{"type":"int32","optional":false,"field":"id"}"#;
    let total = r#"{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"},"field":"total"}"#;
    let op = r#"{"type":"string","optional":true,"field":"__op"}"#;
    let key = of("s.public.t.Key", id, r#"{"id":1}"#);
    let row = of(
        "s.public.t.Value",
        &format!("{id},{total},{op}"),
        r#"{"id":1,"total":"AJY=","__op":"c"}"#,
    );
    let ts = r#"{"type":"int64","optional":false,"field":"ts_ms"}"#;
    let heartbeat = of(
        "io.debezium.connector.common.Heartbeat",
        ts,
        r#"{"ts_ms":5}"#,
    );
    let boundary = of(
        "io.debezium.connector.common.TransactionMetadataValue",
        ts,
        r#"{"status":"BEGIN","id":"7:8","ts_ms":5}"#,
    );
    let key = Some(key.as_str());
    check(
        &[
            (key, Some(&row)),
            (key, Some(&heartbeat)),
            (key, Some(&boundary)),
            (key, Some(&row)),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Decimal(Decimal { scale: 2, unscaled: [0, 150] }), Text("c")] at None
            3 Upsert [Int(1), Decimal(Decimal { scale: 2, unscaled: [0, 150] }), Text("c")] at None
            shape: id int32, total decimal, __op text key Some(["id"])
        "#]],
    );
}

#[test]
fn a_key_may_be_a_bare_value_or_of_another_format_than_the_row() {
    let typed = r#"{"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"int32","optional":false,"field":"key"}],"optional":false,"name":"s.public.t.Value"},"payload":{"id":1,"key":2}}"#;
    check(
        &[
            (Some("1"), Some(typed)),
            (
                Some(r#"{"schema":{"type":"int32","optional":false},"payload":1}"#),
                None,
            ),
            (KEY, Some(typed)),
            (Some("a-b"), Some(typed)),
            (Some(r#""a-b""#), None),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Int(2), Int(1)] at None
            1 Delete at None
            2 Upsert [Int(1), Int(2)] at None
            3 Upsert [Int(1), Int(2), Text("a-b")] at None
            4 Delete at None
            shape: id int32, key int32, __key any key Some(["__key"])
            shape: id int32, key int32 key Some(["id"])
        "#]],
    );
}

#[test]
fn mongodb_calls_its_key_by_another_name() {
    check(
        &[(
            Some(r#"{"id":1004}"#),
            Some(r#"{"_id":1004,"id":"own","__deleted":false,"__op":"r","__ord":1}"#),
        )],
        &expect![[r#"
            0 Upsert [Int(1004), Text("own"), Bool(false), Text("r"), Int(1)] Incremental at None
            shape: _id any, id any, __deleted any, __op any, __ord any key Some(["_id"])
        "#]],
    );
}

#[test]
fn text_of_java_objects_names_the_converter_to_set() {
    check(
        &[
            (KEY, Some("Struct{id=1,name=n1}")),
            (Some("Struct{id=1}"), Some(r#"{"id":1}"#)),
            (KEY, Some("\0\0\0\0\u{1}")),
        ],
        &expect![[r#"
            0 failed: the value is the text of a Java object (`Struct{…}`): the connector's `value.converter` is StringConverter; set it to JsonConverter or another that keeps structs
            1 failed: the key is the text of a Java object (`Struct{…}`): the connector's `key.converter` is StringConverter; set it to JsonConverter or another that keeps structs
            2 failed: the value is framed for a schema registry (Avro or Protobuf), and none is configured
        "#]],
    );
}

#[test]
fn a_record_without_key_and_value_deletes_nobody_knows_which_row() {
    let decoder = DebeziumDecoder::new(Arc::new(SchemaCatalog::default()), Placeholder::default());
    let decoder = decoder.with_declared_key(TOPIC, &["id".to_owned()]);
    let mut batch = RawBatch::new(PartitionId(0));
    let values = [None, Some(r#"{"id":1}"#), None, Some("null")];
    for (offset, value) in values.into_iter().enumerate() {
        batch.push(offset as u64, None, None, value.map(str::as_bytes), []);
    }
    // The first might follow a delete: nothing has shown yet that rows are flattened.
    expect![[r#"
        1 Upsert [Int(1)] at None
        2 DeleteOfUnknown at None
        3 DeleteOfUnknown at None
        shape: id any key Some(["id"])
    "#]]
    .assert_eq(&shown(&decode_by(decoder, TOPIC, &batch)));
}
