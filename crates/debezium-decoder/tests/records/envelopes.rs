//! Changes in Debezium's own envelope.

use std::sync::Arc;

use change_feed::{Decoder, RawBatch, TopicContext};
use debezium_decoder::{DebeziumDecoder, Placeholder, RECORD_BYTES_MAX};
use expect_test::expect;
use row_model::{ChangeBatch, ChangeKind, PartitionId, SchemaCatalog};

use crate::{SOURCE, TOPIC, check, decode_batch};

fn event(op: &str, before: &str, after: &str) -> String {
    format!(
        r#"{{"before":{before},"after":{after},{SOURCE},"transaction":null,"op":"{op}","ts_ms":6}}"#
    )
}

#[test]
fn every_op_of_a_keyed_table() {
    let records = [
        event("c", "null", r#"{"id":1,"name":"a","price":1.10}"#),
        event("u", "null", r#"{"id":1,"name":"\u00e9","price":null}"#),
        event("r", "null", r#"{"id":1,"name":"b","price":2}"#),
        event("d", r#"{"id":1,"name":"","price":null}"#, "null"),
    ];
    let key = Some(r#"{"id":1}"#);
    let truncate = event("t", "null", "null");
    check(
        &[
            (key, Some(&records[0])),
            (key, Some(&records[1])),
            (key, Some(&records[2])),
            (key, Some(&records[3])),
            (key, None),
            (None, Some(&truncate)),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Text("a"), Number("1.10")] at Some(0@[77])
            1 Upsert [Int(1), Text("é"), Null] at Some(0@[77])
            2 Upsert [Int(1), Text("b"), Int(2)] at Some(0@[77])
            3 Delete at Some(0@[77])
            5 Truncate at Some(0@[77])
            shape: id any, name any, price any key Some(["id"])
        "#]],
    );
}

#[test]
fn a_tombstone_is_a_delete_only_if_it_does_not_follow_one() {
    let delete = event("d", r#"{"id":1}"#, "null");
    check(
        &[
            (Some(r#"{"id":1}"#), Some(&delete)),
            (Some(r#"{"id":2}"#), None),
            (Some(r#"{"id":1}"#), None),
            (None, None),
        ],
        &expect![[r#"
            0 Delete at Some(0@[77])
            1 Delete at None
            2 Delete at None
        "#]],
    );
}

#[test]
fn a_keyless_row_is_known_by_what_it_was() {
    let insert = event("c", "null", r#"{"a":1,"b":"x"}"#);
    let update = event("u", r#"{"a":1,"b":"x"}"#, r#"{"a":2,"b":"x"}"#);
    let blind = event("d", "null", "null");
    check(
        &[
            (None, Some(&insert)),
            (None, Some(&update)),
            (None, Some(&blind)),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Text("x")] at Some(0@[77])
            1 Upsert [Int(2), Text("x")] was [Int(1), Text("x")] at Some(0@[77])
            2 failed: op `d` without `before`
            shape: a any, b any key None
        "#]],
    );
}

#[test]
fn a_declared_key_is_taken_from_the_row() {
    let mut batch = RawBatch::new(PartitionId(0));
    let values = [
        event("c", "null", r#"{"a":1,"b":"x"}"#),
        event("u", "null", r#"{"a":1,"b":"y"}"#),
        event("u", r#"{"a":1,"b":"y"}"#, r#"{"a":2,"b":"y"}"#),
        event("d", r#"{"a":2,"b":"y"}"#, "null"),
        event("c", "null", r#"{"b":"no key"}"#),
    ];
    for (offset, value) in values.iter().enumerate() {
        batch.push(offset as u64, None, None, Some(value.as_bytes()), []);
    }
    let mut out = ChangeBatch::new(PartitionId(0));
    let decoder = DebeziumDecoder::new(Arc::new(SchemaCatalog::default()), Placeholder::default());
    let mut decoder = decoder.with_declared_key(TOPIC, &["a".to_owned()]);
    decoder.decode(
        TopicContext {
            topic: TOPIC,
            partition: 0,
        },
        &batch,
        0,
        &mut out,
    );
    let key_of = |value: i64| {
        let mut key = Vec::new();
        row_model::encode_key([row_model::Value::Int(value)], &mut key).unwrap();
        key
    };
    let told: Vec<_> = out
        .changes
        .iter()
        .map(|c| (c.offset, c.kind, out.slice(&c.key).to_vec()))
        .collect();
    let expected = [
        (0, ChangeKind::Upsert, key_of(1)),
        (1, ChangeKind::Upsert, key_of(1)),
        (2, ChangeKind::Delete, key_of(1)),
        (2, ChangeKind::Upsert, key_of(2)),
        (3, ChangeKind::Delete, key_of(2)),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        out.failures[0].reason,
        "the row has no column `a`, which config declares as its key"
    );
    assert_eq!(
        out.schemas.unwrap().shapes()[0].key.as_deref(),
        Some(&["a".to_owned()][..])
    );
}

#[test]
fn embedded_schemas_give_types_and_change_with_the_table() {
    let wrapped = |fields: &str, after: &str| {
        let row =
            format!(r#"{{"type":"struct","fields":[{fields}],"optional":true,"field":"after"}}"#);
        let payload = event("c", "null", after);
        format!(
            r#"{{"schema":{{"type":"struct","fields":[{row}],"optional":false}},"payload":{payload}}}"#
        )
    };
    let id = r#"{"type":"int32","optional":false,"field":"id"}"#;
    let total = r#"{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"},"field":"total"}"#;
    let key = format!(
        r#"{{"schema":{{"type":"struct","fields":[{id}],"optional":false}},"payload":{{"id":7}}}}"#
    );
    let one = wrapped(id, r#"{"id":7}"#);
    let two = wrapped(&format!("{id},{total}"), r#"{"id":7,"total":"D54="}"#);
    let bad = wrapped(id, r#"{"id":"seven"}"#);
    let key = Some(key.as_str());
    check(
        &[
            (key, Some(&one)),
            (key, Some(&two)),
            (key, Some(&two)),
            (key, Some(&bad)),
            (key, Some(&one)),
        ],
        &expect![[r#"
            0 Upsert [Int(7)] at Some(0@[77])
            1 Upsert [Int(7), Decimal(Decimal { scale: 2, unscaled: [15, 158] })] at Some(0@[77])
            2 Upsert [Int(7), Decimal(Decimal { scale: 2, unscaled: [15, 158] })] at Some(0@[77])
            4 Upsert [Int(7)] at Some(0@[77])
            3 failed: column `id` is not a valid int32
            shape: id int32 key Some(["id"])
            shape: id int32, total decimal key Some(["id"])
        "#]],
    );
}

#[test]
fn bad_records_say_why_and_stop_nothing() {
    let good = event("c", "null", r#"{"id":1}"#);
    let truncated = &good[..40];
    let unknown = event("x", "null", r#"{"id":1}"#);
    let no_row = event("u", "null", "null");
    let row_is_number = event("c", "null", "5");
    let other_key = event("c", "null", r#"{"id":2}"#);
    let key = Some(r#"{"id":1}"#);
    check(
        &[
            (key, Some(truncated)),
            (key, Some(&unknown)),
            (key, Some(&no_row)),
            (key, Some(&row_is_number)),
            (key, Some(&other_key)),
            (key, Some(r#"{"id":1}"#)),
            (key, Some("[1]")),
            (Some("{"), Some(&good)),
            (key, Some(&good)),
        ],
        &expect![[r#"
            8 Upsert [Int(1)] at Some(0@[77])
            0 failed: the value is not what it should be: EOF while parsing an object at line 1 column 40
            1 failed: unknown op "x"
            2 failed: op `u` without `after`
            3 failed: the after is not what it should be: invalid type: integer, expected an object with the row's columns at line 1 column 1
            4 failed: the record's key does not match its row in column `id`
            5 failed: the topic has held change events so far, and this is one of flattened rows
            6 failed: the value is no Debezium change event: it has no `op` and `source`
            7 failed: the key is not what it should be: EOF while parsing an object at line 1 column 1
            shape: id any key Some(["id"])
        "#]],
    );
}

#[test]
fn bytes_that_are_no_text_and_records_beyond_the_limit_are_refused() {
    let mut batch = RawBatch::new(PartitionId(0));
    batch.push(0, None, Some(b"{\"id\":1}"), Some(&[0x7b, 0xff]), []);
    batch.push(
        1,
        None,
        Some(b"{\"id\":1}"),
        Some(&vec![b' '; RECORD_BYTES_MAX]),
        [],
    );
    let out = decode_batch(TOPIC, &batch);
    let reasons: Vec<_> = out
        .failures
        .iter()
        .map(|failure| failure.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "the value is not UTF-8 text (first bad byte at 1); binary formats need a schema registry",
            "the record has 8388616 bytes; at most 8388608 are accepted",
        ]
    );
    assert_eq!(out.failures[1].value.as_ref().unwrap().len(), 64 << 10);
}

#[test]
fn what_concerns_no_table_is_passed_over() {
    check(
        &[
            (Some(r#"{"serverName":"s"}"#), Some(r#"{"ts_ms":5}"#)),
            (
                Some(r#"{"id":"7"}"#),
                Some(
                    r#"{"status":"END","id":"7:9","event_count":1,"data_collections":[],"ts_ms":1}"#,
                ),
            ),
            (None, None),
        ],
        &expect![""],
    );
}

#[test]
fn columns_that_only_the_key_has_are_columns_of_the_row() {
    let create = event("c", "null", r#"{"id":1,"b":"x"}"#);
    check(
        &[
            (Some(r#"{"id":1,"shard":"s2"}"#), Some(&create)),
            (Some(r#"{"id":1}"#), Some(&create)),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Text("x"), Text("s2")] at Some(0@[77])
            1 Upsert [Int(1), Text("x")] at Some(0@[77])
            shape: id any, b any, shard any key Some(["id", "shard"])
            shape: id any, b any key Some(["id"])
        "#]],
    );
}
