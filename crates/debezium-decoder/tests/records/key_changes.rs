//! The two halves of a key change name each other.

use change_feed::{Header, RawBatch};
use expect_test::expect;
use row_model::PartitionId;

use crate::{SOURCE, TOPIC, check_with_headers, decode_batch};

fn event(op: &str, before: &str, after: &str) -> String {
    format!(r#"{{"before":{before},"after":{after},{SOURCE},"op":"{op}","ts_ms":6}}"#)
}

#[test]
fn each_half_has_the_key_of_the_other_as_a_record_would() {
    let delete = event("d", r#"{"id":"AJY=","v":null}"#, "null");
    let create = event(
        "c",
        "null",
        r#"{"id":"ANw=","v":"__debezium_unavailable_value"}"#,
    );
    let (old, new) = (Some(r#"{"id":"AJY="}"#), Some(r#"{"id":"ANw="}"#));
    let (newkey, oldkey) = (
        [("__debezium.newkey", Some(r#"{"id":2.20}"#))],
        [("__debezium.oldkey", Some(r#"{"id":1.50}"#))],
    );
    check_with_headers(
        TOPIC,
        &[
            (old, Some(&delete), &newkey),
            (old, None, &newkey),
            (new, Some(&create), &oldkey),
        ],
        &expect![[r#"
            0 Delete was [Text("AJY="), Null] (other key: that of 2) at Some(0@[77])
            2 Upsert [Text("ANw="), Unavailable] (other key: that of 0) at Some(0@[77])
            shape: id any, v any key Some(["id"])
        "#]],
    );
}

#[test]
fn the_image_before_has_the_shape_that_the_delete_names() {
    let create = event("c", "null", r#"{"id":1}"#);
    let delete = event("d", r#"{"id":1,"v":"x"}"#, "null");
    let mut batch = RawBatch::new(PartitionId(0));
    let newkey = Header {
        name: "__debezium.newkey",
        value: Some(br#"{"id":2}"#),
    };
    batch.push(0, None, Some(br#"{"id":1}"#), Some(create.as_bytes()), []);
    batch.push(
        1,
        None,
        Some(br#"{"id":1}"#),
        Some(delete.as_bytes()),
        [newkey],
    );
    let out = decode_batch(TOPIC, &batch);
    let schema = out.schemas.unwrap().get(out.changes[1].schema).unwrap();
    assert_eq!(schema.column("v"), Some(1));
}

#[test]
fn flattened_rows_and_lone_tombstones_too() {
    let (old, new) = (Some(r#"{"id":4}"#), Some(r#"{"id":44}"#));
    let row = r#"{"id":44,"bio":"__debezium_unavailable_value"}"#;
    check_with_headers(
        TOPIC,
        &[
            (old, None, &[("__debezium.newkey", Some(r#"{"id":44}"#))]),
            (
                new,
                Some(row),
                &[("__debezium.oldkey", Some(r#"{"id":4}"#))],
            ),
        ],
        &expect![[r#"
            0 Delete (other key: that of 1) at None
            1 Upsert [Int(44), Unavailable] (other key: that of 0) at None
            shape: id any, bio any key Some(["id"])
        "#]],
    );
}

#[test]
fn a_header_that_cannot_be_read_as_a_key_still_tells_that_there_is_one() {
    let create = event("c", "null", r#"{"d":19782}"#);
    check_with_headers(
        TOPIC,
        &[(
            Some(r#"{"d":19782}"#),
            Some(&create),
            &[("__debezium.oldkey", Some(r#"{"d":2024-02-28}"#))],
        )],
        &expect![[r#"
            0 Upsert [Int(19782)] (other key: unknown) at Some(0@[77])
            shape: d any key Some(["d"])
        "#]],
    );
}
