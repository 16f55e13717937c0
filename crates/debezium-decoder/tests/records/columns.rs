//! Columns that config drops, hashes and types: in every shape of record, and in none of the failures.

#![expect(clippy::unwrap_used, reason = "the keys and types are a test's own")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use change_feed::{Header, RawBatch};
use debezium_decoder::{ColumnRules, DebeziumDecoder, HashKey, Placeholder};
use expect_test::{Expect, expect};
use row_model::{ChangeBatch, PartitionId, SchemaCatalog};

use crate::{RUN, Record, SOURCE, TOPIC, decode_by, shown};

pub(crate) fn rules(drop: &[&str], hash: &[&str], types: &[(&str, &str)]) -> Arc<ColumnRules> {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let key = HashKey::new("0123456789abcdef").unwrap();
    let types: BTreeMap<_, _> = types
        .iter()
        .map(|(column, name)| ((*column).to_owned(), name.parse().unwrap()))
        .collect();
    Arc::new(ColumnRules::new(
        owned(drop),
        owned(hash),
        Some(&key),
        types,
    ))
}

pub(crate) fn decoder(topic: &str, rules: &Arc<ColumnRules>) -> DebeziumDecoder {
    DebeziumDecoder::new(Arc::new(SchemaCatalog::default()), Placeholder::default())
        .with_columns(topic, Arc::clone(rules))
}

pub(crate) fn decode(decoder: DebeziumDecoder, topic: &str, records: &[Record<'_>]) -> ChangeBatch {
    let mut batch = RawBatch::new(PartitionId(0));
    for (offset, (key, value, headers)) in records.iter().enumerate() {
        let headers = headers.iter().map(|(name, value)| Header {
            name,
            value: value.map(str::as_bytes),
        });
        batch.push(
            offset as u64,
            Some(1),
            key.map(str::as_bytes),
            value.map(str::as_bytes),
            [RUN].into_iter().chain(headers),
        );
    }
    decode_by(decoder, topic, &batch)
}

/// What becomes of records that hold `SECRET` in places where nobody may see it.
fn check(topic: &str, rules: &Arc<ColumnRules>, records: &[Record<'_>], expected: &Expect) {
    let out = decode(decoder(topic, rules), topic, records);
    let mut text = shown(&out);
    for note in out.notes.iter().flatten() {
        let _ = writeln!(text, "note: {note}");
    }
    expected.assert_eq(&text);
    let bytes = String::from_utf8_lossy(&out.bytes);
    assert!(!bytes.contains("SECRET"), "{bytes}");
    for failure in &out.failures {
        assert_eq!((&failure.key, &failure.value), (&None, &None));
        assert!(!failure.reason.contains("SECRET"), "{}", failure.reason);
    }
}

fn envelope(op: &str, before: &str, after: &str) -> String {
    format!(r#"{{"before":{before},"after":{after},{SOURCE},"op":"{op}","ts_ms":6}}"#)
}

const AFTER: &str = r#"{"id":1,"card":"SECRET","email":"SECRET@x","n":2}"#;
const PLACEHOLDER: &str = "__debezium_unavailable_value";

#[test]
fn envelopes_without_schemas() {
    let create = envelope("c", "null", AFTER);
    // Another order is another shape; a null stays null, and what was not sent stays so.
    let other = envelope("u", AFTER, r#"{"email":null,"n":3,"card":"SECRET","id":1}"#);
    let toast = format!(r#"{{"id":1,"card":"SECRET","email":"{PLACEHOLDER}","n":2}}"#);
    let update = envelope("u", AFTER, &toast);
    check(
        TOPIC,
        &rules(&["card"], &["email"], &[]),
        &[
            (Some(r#"{"id":1}"#), Some(&create), &[]),
            (Some(r#"{"id":1}"#), Some(&other), &[]),
            (Some(r#"{"id":1}"#), Some(&update), &[]),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Text("254672d54180961be56def8267518e8e"), Int(2)] at Some(0@[77])
            1 Upsert [Null, Int(3), Int(1)] at Some(0@[77])
            2 Upsert [Int(1), Unavailable, Int(2)] at Some(0@[77])
            shape: id any, email text, n any key Some(["id"])
            shape: email text, n any, id any key Some(["id"])
        "#]],
    );
}

#[test]
fn the_image_before_of_a_table_without_key() {
    let delete = envelope("d", AFTER, "null");
    let update = envelope("u", AFTER, AFTER);
    check(
        TOPIC,
        &rules(&["card"], &["email"], &[]),
        &[(None, Some(&update), &[]), (None, Some(&delete), &[])],
        &expect![[r#"
            0 Upsert [Int(1), Text("254672d54180961be56def8267518e8e"), Int(2)] was [Int(1), Text("254672d54180961be56def8267518e8e"), Int(2)] at Some(0@[77])
            1 Delete was [Int(1), Text("254672d54180961be56def8267518e8e"), Int(2)] at Some(0@[77])
            shape: id any, email text, n any key None
        "#]],
    );
}

#[test]
fn embedded_schemas() {
    let row = |field: &str| {
        format!(
            r#"{{"type":"struct","optional":true,"field":"{field}","fields":[{{"type":"int32","field":"id"}},{{"type":"string","field":"card"}},{{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{{"scale":"2"}},"field":"salary"}}]}}"#
        )
    };
    let value = format!(
        r#"{{"schema":{{"type":"struct","fields":[{},{}]}},"payload":{}}}"#,
        row("before"),
        row("after"),
        envelope("c", "null", r#"{"id":1,"card":"SECRET","salary":"AMg="}"#)
    );
    let key = r#"{"schema":{"type":"struct","fields":[{"type":"int32","field":"id"}]},"payload":{"id":1}}"#;
    check(
        TOPIC,
        &rules(&["card"], &["salary"], &[]),
        &[(Some(key), Some(&value), &[])],
        &expect![[r#"
            0 Upsert [Int(1), Text("c6c718d2551697a7b265a3113e04b08b")] at Some(0@[77])
            shape: id int32, salary text key Some(["id"])
        "#]],
    );
}

#[test]
fn keys_are_hashed_as_rows_are_in_headers_too() {
    let row = r#"{"email":"SECRET@y","n":1}"#;
    let delete = envelope("d", r#"{"email":"SECRET@x","n":1}"#, "null");
    let create = envelope("c", "null", row);
    let out = {
        let records: [Record<'_>; 3] = [
            (
                Some(r#"{"email":"SECRET@x"}"#),
                Some(&delete),
                &[("__debezium.newkey", Some(r#"{"email":"SECRET@y"}"#))],
            ),
            (
                Some(r#"{"email":"SECRET@x"}"#),
                None,
                &[("__debezium.newkey", Some(r#"{"email":"SECRET@y"}"#))],
            ),
            (
                Some(r#"{"email":"SECRET@y"}"#),
                Some(&create),
                &[("__debezium.oldkey", Some(r#"{"email":"SECRET@x"}"#))],
            ),
        ];
        let rules = rules(&[], &["email"], &[]);
        check(
            TOPIC,
            &rules,
            &records,
            &expect![[r#"
            0 Delete was [Text("254672d54180961be56def8267518e8e"), Int(1)] (other key: that of 2) at Some(0@[77])
            2 Upsert [Text("c535182c164021c2576b029e10ba7399"), Int(1)] (other key: that of 0) at Some(0@[77])
            shape: email text, n any key Some(["email"])
        "#]],
        );
        decode(decoder(TOPIC, &rules), TOPIC, &records)
    };
    // Each half names the other by the key that the other has.
    let [delete, create] = &out.changes[..] else {
        panic!("{:?}", out.changes)
    };
    assert_eq!(out.slice(&delete.other_key), out.slice(&create.key));
    assert_eq!(out.slice(&create.other_key), out.slice(&delete.key));
}

#[test]
fn a_decimal_in_a_key_is_hashed_alike_in_its_header() {
    let rules = rules(&[], &["id"], &[]);
    let create = envelope("c", "null", r#"{"id":"ANw="}"#);
    let records: [Record<'_>; 1] = [(
        Some(r#"{"id":"ANw="}"#),
        Some(&create),
        &[("__debezium.oldkey", Some(r#"{"id":2.20}"#))],
    )];
    let out = decode(decoder(TOPIC, &rules), TOPIC, &records);
    assert_eq!(
        out.slice(&out.changes[0].other_key),
        out.slice(&out.changes[0].key)
    );
}

#[test]
fn declared_keys_are_made_of_what_rows_hold() {
    let update = envelope(
        "u",
        r#"{"card":"SECRET","email":"SECRET@x","n":1}"#,
        r#"{"card":"SECRET","email":"SECRET@y","n":1}"#,
    );
    let rules = rules(&["card"], &["email"], &[]);
    let declared = decoder(TOPIC, &rules).with_declared_key(TOPIC, &["email".to_owned()]);
    let out = decode(declared, TOPIC, &[(None, Some(&update), &[])]);
    expect![[r#"
        0 Delete at Some(0@[77])
        0 Upsert [Text("c535182c164021c2576b029e10ba7399"), Int(1)] at Some(0@[77])
        shape: email text, n any key Some(["email"])
    "#]]
    .assert_eq(&shown(&out));
}

#[test]
fn a_dropped_key_column_fails_and_says_why() {
    let create = envelope("c", "null", AFTER);
    check(
        TOPIC,
        &rules(&["card"], &[], &[]),
        &[
            (Some(r#"{"card":"SECRET"}"#), Some(&create), &[]),
            (Some(r#""SECRET""#), Some(&create), &[]),
        ],
        &expect![[r#"
            0 failed: the key has the column `card`, which config drops: hash it instead, or it names no row
            1 failed: the key is a bare value, which may be one of the columns that config hides: add "__key" to the table's `hash`, or send keys with the names of their columns
        "#]],
    );
    check(
        TOPIC,
        &rules(&["card"], &["email", "__key"], &[]),
        &[(Some(r#""SECRET""#), Some(&create), &[])],
        &expect![[r#"
            0 Upsert [Int(1), Text("254672d54180961be56def8267518e8e"), Int(2), Text("2b0d304e9cfc0ca3f97b05552f18435c")] at Some(0@[77])
            shape: id any, email text, n any, __key text key Some(["__key"])
        "#]],
    );
}

#[test]
fn flattened_rows_cloud_events_outbox_and_messages() {
    let hidden = rules(&["card"], &["email"], &[]);
    let flat = r#"{"id":1,"card":"SECRET","email":"SECRET@x","__op":"c","__query":"insert into t values ('SECRET')"}"#;
    check(
        TOPIC,
        &hidden,
        &[(Some(r#"{"id":1}"#), Some(flat), &[])],
        &expect![[r#"
            0 Upsert [Int(1), Text("254672d54180961be56def8267518e8e"), Text("c")] at None
            shape: id any, email text, __op any key Some(["id"])
        "#]],
    );
    let event = format!(
        r#"{{"id":"x","specversion":"1.0","type":"io.debezium.connector.postgresql.DataChangeEvent","iodebeziumop":"c","iodebeziumlsn":"7","data":{{"before":null,"after":{AFTER}}}}}"#
    );
    check(
        TOPIC,
        &hidden,
        &[(Some(r#"{"id":1}"#), Some(&event), &[])],
        &expect![[r#"
            0 Upsert [Int(1), Text("254672d54180961be56def8267518e8e"), Int(2)] at Some(0@[7])
            shape: id any, email text, n any key Some(["id"])
        "#]],
    );
    check(
        "outbox.event.Order",
        &rules(&["payload"], &["aggregateid", "id"], &[]),
        &[(
            Some(r#""SECRET""#),
            Some(r#""{\"card\":\"SECRET\"}""#),
            &[("id", Some("SECRET-1")), ("eventType", Some("created"))],
        )],
        &expect![[r#"
            0 Upsert [Text("334443c2ebccde71b51c00cf9fc0034f"), Text("2b0d304e9cfc0ca3f97b05552f18435c"), Text("created")] at None
            shape: id text, aggregateid text, eventType text key Some(["id"])
        "#]],
    );
    let message =
        format!(r#"{{{SOURCE},"op":"m","ts_ms":6,"message":{{"prefix":"p","content":"SECRET"}}}}"#);
    check(
        "s.message",
        &rules(&["content"], &["prefix"], &[]),
        &[(Some(r#"{"prefix":"p"}"#), Some(&message), &[])],
        &expect![[r#"
            0 Upsert [Int(77), Text("9beb690132407c62c9b3af56f1381c77"), Instant(Moment { seconds: 0, nanos: 5000000 }), Int(12)] at Some(0@[77])
            shape: lsn int64, prefix text, ts timestamptz, txId int64 key Some(["lsn"])
        "#]],
    );
}

#[test]
fn failures_tell_nothing_of_what_the_record_held() {
    let records = [
        r#""SECRET""#.to_owned(),
        r#"{"a":"SECRET"#.to_owned(),
        envelope("c", "null", r#""SECRET""#),
        envelope("SECRET", "null", AFTER),
        envelope("c", "null", "null"),
        format!(r#"{{{SOURCE},"op":"m","ts_ms":"SECRET","message":"SECRET"}}"#),
        r#"{"schema":{"type":["SECRET"]},"payload":"SECRET"}"#.to_owned(),
        "Struct{card=SECRET}".to_owned(),
    ];
    let records: Vec<Record<'_>> = records
        .iter()
        .map(|value| (Some(r#"{"id":1}"#), Some(value.as_str()), &[][..]))
        .collect();
    check(
        TOPIC,
        &rules(&["card"], &["email"], &[]),
        &records,
        &expect![[r#"
            0 failed: the value is no Debezium change event: it has no `op` and `source`
            1 failed: the value is not what it should be: EOF while parsing a string at line 1 column 12
            2 failed: the after is not what it should be: invalid type: string, expected an object with the row's columns at line 1 column 8
            3 failed: unknown op
            4 failed: op `c` without `after`
            5 failed: the message is not what it should be: invalid type: string, expected i64 at line 1 column 200
            6 failed: the value is not what it should be: invalid type: sequence, expected a string at line 1 column 8
            7 failed: the value is the text of a Java object (`Struct{…}`): the connector's `value.converter` is StringConverter; set it to JsonConverter or another that keeps structs
        "#]],
    );
}

#[test]
fn names_that_no_row_has_are_told() {
    let create = envelope("c", "null", AFTER);
    let records: [Record<'_>; 1] = [(Some(r#"{"id":1}"#), Some(&create), &[])];
    let misspelt = rules(&["kard", "card"], &["emial"], &[("m", "date")]);
    let out = decode(decoder(TOPIC, &misspelt), TOPIC, &records);
    expect![[r#"
        columns.drop names kard, and no row read since the start has such a column: if it is misspelt, what it should hide is not hidden
        columns.hash names emial, and no row read since the start has such a column: if it is misspelt, what it should hide is not hidden
        columns.types names m, and no row read since the start has such a column: it has no effect"#]].assert_eq(&out.notes.unwrap().join("\n"));
    let right = rules(&["card"], &["email"], &[]);
    let out = decode(decoder(TOPIC, &right), TOPIC, &records);
    assert_eq!(out.notes, Some(Vec::new()));
}
