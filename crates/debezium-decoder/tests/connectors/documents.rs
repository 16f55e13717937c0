//! `MongoDB`'s documents in Debezium's envelope.

use std::fmt::Write as _;
use std::sync::Arc;

use debezium_decoder::{DebeziumDecoder, Placeholder};
use expect_test::expect;
use row_model::{ChangeBatch, ChangeKind, Row, SchemaCatalog};

use crate::folded::shown;
use crate::{decode, decode_by, decode_file, decoder};

const KEY: Option<&str> = Some(r#"{"id":"1"}"#);

/// An event of this operation; `rest` are further members, as `"after":"…"`.
fn event(op: &str, rest: &[(&str, serde_json::Value)]) -> String {
    let source = serde_json::json!({
        "version": "3.6.3.Final", "connector": "mongodb", "name": "m", "ts_ms": 1_780_000_000_123_i64,
        "snapshot": "false", "db": "inventory", "collection": "customers", "ord": 1, "wallTime": 1_780_000_000_123_i64,
    });
    let mut event = serde_json::json!({"op": op, "ts_ms": 6, "source": source});
    for (name, value) in rest {
        event[*name] = value.clone();
    }
    event.to_string()
}

fn whole(op: &str, document: &str) -> String {
    event(op, &[("after", document.into())])
}

fn partial(updated: &str, removed: &[&str], truncated: &[&str]) -> String {
    let truncated = truncated
        .iter()
        .map(|field| serde_json::json!({"field": field, "size": 1}));
    let update = serde_json::json!({
        "updatedFields": updated,
        "removedFields": removed,
        "truncatedArrays": truncated.collect::<Vec<_>>(),
    });
    event(
        "u",
        &[
            ("after", serde_json::Value::Null),
            ("updateDescription", update),
        ],
    )
}

#[test]
fn documents_of_the_connector_become_rows_of_their_fields() {
    let customers = "mongo.inventory.customers";
    let mut out = String::new();
    for file in ["mongodb/events.jsonl", "mongodb/events-schema.jsonl.gz"] {
        for topic in [customers, "mongo.inventory.alltypes"] {
            let batch = decode_file(file, topic);
            let types = batch.schemas.as_ref().unwrap().shapes();
            let newest = types.last().unwrap();
            writeln!(
                out,
                "{file} {topic}: {} shapes, keyed by {:?}",
                types.len(),
                newest.key
            )
            .unwrap();
            for column in &newest.columns {
                write!(out, "{} {}, ", column.name, column.kind.name()).unwrap();
            }
            writeln!(out).unwrap();
            out.push_str(&shown(&batch));
        }
    }
    expect![[r#"
        mongodb/events.jsonl mongo.inventory.customers: 3 shapes, keyed by Some(["_id"])
        _id int32, first_name text, last_name text, email text, tags json, addr json, n int32, big int64, replaced boolean, 
        _id: Int(1004), addr: Json("{\"city\":\"Bergen\",\"zip\":null}"), first_name: Text("no full document (capture.mode=change_streams)"), last_name: Text("Kretchmar"), tags: Json("[\"a\"]")
        mongodb/events.jsonl mongo.inventory.alltypes: 3 shapes, keyed by Some(["_id"])
        _id any, str text, i32 int32, i64 int64, dbl float64, nan float64, inf float64, dec decimal, date timestamptz, oldDate timestamptz, ts json, bin bytes, uuid uuid, re json, nul any, t boolean, js json, oid text, nested json, arr json, empty json, emptyArr json, min json, max json, v text, 
        _id: Bool(true), v: Text("key of type BOOLEAN")
        _id: Int(1), v: Text("key of type INT32")
        _id: Decimal(Decimal { scale: 2, unscaled: [110] }), v: Text("key of type DECIMAL128")
        _id: Float(1.5), v: Text("key of type DOUBLE")
        _id: Int(9007199254740993), v: Text("key of type INT64")
        _id: Text("596e275826f08b2730779e1f"), arr: Json("[1,2,3]"), bin: Bytes([1, 2, 255]), date: Instant(Moment { seconds: 1709210096, nanos: 123000000 }), dbl: Float(1.5), dec: Decimal(Decimal { scale: 5, unscaled: [1, 5, 110, 15, 54, 166, 68, 61, 226, 223, 121] }), empty: Json("{}"), emptyArr: Json("[]"), i32: Int(42), i64: Int(9007199254740993), inf: Float(inf), js: Json("{\"$code\":\"function(){}\"}"), nan: Float(NaN), nested: Json("{\"a\":{\"b\":[{\"c\":2},{\"c\":3,\"d\":\"x\"}]},\"dotted.key\":1,\"$dollar\":2}"), oid: Text("000000000000000000000001"), oldDate: Instant(Moment { seconds: -62135596800, nanos: 0 }), re: Json("{\"$regex\":\"^a.*\",\"$options\":\"i\"}"), str: Text("é漢😀 \"q\""), t: Bool(true), ts: Json("{\"$timestamp\":{\"t\":1709210096,\"i\":7}}"), uuid: Uuid([244, 122, 193, 11, 88, 204, 67, 114, 165, 103, 14, 2, 178, 195, 212, 121])
        _id: Text("heterogeneous array, minKey, maxKey"), arr: Json("[1,\"two\",3.0,null]"), max: Json("{\"$maxKey\":1}"), min: Json("{\"$minKey\":1}")
        _id: Text("str/é\"q"), v: Text("key of type STRING")
        _id: Uuid([244, 122, 193, 11, 88, 204, 67, 114, 165, 103, 14, 2, 178, 195, 212, 121]), v: Text("key of type BINARY")
        _id: Instant(Moment { seconds: 1709210096, nanos: 123000000 }), v: Text("key of type DATE_TIME")
        _id: Json("{\"a\":1,\"b\":\"x\"}"), v: Text("key of type DOCUMENT")
        mongodb/events-schema.jsonl.gz mongo.inventory.customers: 3 shapes, keyed by Some(["_id"])
        _id int32, first_name text, last_name text, email text, tags json, addr json, n int32, big int64, replaced boolean, 
        _id: Int(1004), addr: Json("{\"city\":\"Bergen\",\"zip\":null}"), first_name: Text("no full document (capture.mode=change_streams)"), last_name: Text("Kretchmar"), tags: Json("[\"a\"]")
        mongodb/events-schema.jsonl.gz mongo.inventory.alltypes: 3 shapes, keyed by Some(["_id"])
        _id any, str text, i32 int32, i64 int64, dbl float64, nan float64, inf float64, dec decimal, date timestamptz, oldDate timestamptz, ts json, bin bytes, uuid uuid, re json, nul any, t boolean, js json, oid text, nested json, arr json, empty json, emptyArr json, min json, max json, v text, 
        _id: Bool(true), v: Text("key of type BOOLEAN")
        _id: Int(1), v: Text("key of type INT32")
        _id: Decimal(Decimal { scale: 2, unscaled: [110] }), v: Text("key of type DECIMAL128")
        _id: Float(1.5), v: Text("key of type DOUBLE")
        _id: Int(9007199254740993), v: Text("key of type INT64")
        _id: Text("596e275826f08b2730779e1f"), arr: Json("[1,2,3]"), bin: Bytes([1, 2, 255]), date: Instant(Moment { seconds: 1709210096, nanos: 123000000 }), dbl: Float(1.5), dec: Decimal(Decimal { scale: 5, unscaled: [1, 5, 110, 15, 54, 166, 68, 61, 226, 223, 121] }), empty: Json("{}"), emptyArr: Json("[]"), i32: Int(42), i64: Int(9007199254740993), inf: Float(inf), js: Json("{\"$code\":\"function(){}\"}"), nan: Float(NaN), nested: Json("{\"a\":{\"b\":[{\"c\":2},{\"c\":3,\"d\":\"x\"}]},\"dotted.key\":1,\"$dollar\":2}"), oid: Text("000000000000000000000001"), oldDate: Instant(Moment { seconds: -62135596800, nanos: 0 }), re: Json("{\"$regex\":\"^a.*\",\"$options\":\"i\"}"), str: Text("é漢😀 \"q\""), t: Bool(true), ts: Json("{\"$timestamp\":{\"t\":1709210096,\"i\":7}}"), uuid: Uuid([244, 122, 193, 11, 88, 204, 67, 114, 165, 103, 14, 2, 178, 195, 212, 121])
        _id: Text("heterogeneous array, minKey, maxKey"), arr: Json("[1,\"two\",3.0,null]"), max: Json("{\"$maxKey\":1}"), min: Json("{\"$minKey\":1}")
        _id: Text("str/é\"q"), v: Text("key of type STRING")
        _id: Uuid([244, 122, 193, 11, 88, 204, 67, 114, 165, 103, 14, 2, 178, 195, 212, 121]), v: Text("key of type BINARY")
        _id: Instant(Moment { seconds: 1709210096, nanos: 123000000 }), v: Text("key of type DATE_TIME")
        _id: Json("{\"a\":1,\"b\":\"x\"}"), v: Text("key of type DOCUMENT")
    "#]].assert_eq(&out);
}

#[test]
fn the_key_is_what_the_document_says_under_id() {
    let file = crate::lines("mongodb/events.jsonl");
    for line in file
        .iter()
        .filter(|line| line.topic == "mongo.inventory.alltypes")
    {
        let of_record = decode(&[(line.key.as_deref(), line.value.as_deref())]);
        let of_document = decode(&[(None, line.value.as_deref())]);
        let key = |batch: &ChangeBatch| {
            assert_eq!(batch.failures, []);
            batch.slice(&batch.changes[0].key).to_vec()
        };
        assert_eq!(key(&of_record), key(&of_document), "{line:?}");
    }
    // An object id and the text of its digits are two documents.
    let hex = "596e275826f08b2730779e1f";
    let (id, text) = (
        format!(r#"{{"id":"{{\"$oid\":\"{hex}\"}}"}}"#),
        format!(r#"{{"id":"\"{hex}\""}}"#),
    );
    let batch = decode(&[
        (
            Some(&id),
            Some(&whole("c", &format!(r#"{{"_id": {{"$oid": "{hex}"}}}}"#))),
        ),
        (
            Some(&text),
            Some(&whole("c", &format!(r#"{{"_id": "{hex}"}}"#))),
        ),
    ]);
    assert_eq!(shown(&batch).lines().count(), 2);
}

#[test]
fn an_update_without_its_document_changes_what_it_names() {
    let steps = [
        whole(
            "c",
            r#"{"_id": 1, "a": 1, "b": "x", "tags": ["p", "q"], "address": {"city": "Oslo"}, "x.y": 5}"#,
        ),
        partial(r#"{"a": 2, "new": {"$date": 1500}}"#, &["b"], &[]),
        partial(r#"{"address.city": "Bergen"}"#, &[], &["tags"]),
        partial("{}", &["x.y", "address.zip"], &[]),
        // Deleted before it was looked up, and replaced by nobody knows what.
        event("u", &[]),
        whole("u", r#"{"_id": 1, "a": 3}"#),
    ];
    let mut out = String::new();
    for upto in 1..=steps.len() {
        let records: Vec<_> = steps[..upto]
            .iter()
            .map(|step| (KEY, Some(step.as_str())))
            .collect();
        let batch = decode(&records);
        write!(out, "{:?} ", batch.changes.last().unwrap().kind).unwrap();
        out.push_str(&shown(&batch));
    }
    // Of a document that was never seen only that is known.
    out.push_str(&shown(&decode(&[(KEY, Some(&steps[1]))])));
    expect![[r#"
        Upsert _id: Int(1), a: Int(1), address: Json("{\"city\":\"Oslo\"}"), b: Text("x"), tags: Json("[\"p\",\"q\"]"), x.y: Int(5)
        Upsert _id: Int(1), a: Int(2), address: Json("{\"city\":\"Oslo\"}"), new: Instant(Moment { seconds: 1, nanos: 500000000 }), tags: Json("[\"p\",\"q\"]"), x.y: Int(5)
        Upsert _id: Int(1), a: Int(2), address: Unavailable, new: Instant(Moment { seconds: 1, nanos: 500000000 }), tags: Unavailable, x.y: Int(5)
        Upsert _id: Int(1), a: Int(2), address: Unavailable, new: Instant(Moment { seconds: 1, nanos: 500000000 }), tags: Unavailable, x.y: Unavailable
        Advance _id: Int(1), a: Int(2), address: Unavailable, new: Instant(Moment { seconds: 1, nanos: 500000000 }), tags: Unavailable, x.y: Unavailable
        Upsert _id: Int(1), a: Int(3)
        _id: Int(1), a: Int(2), new: Instant(Moment { seconds: 1, nanos: 500000000 })
    "#]].assert_eq(&out);
}

#[test]
fn a_decoder_that_starts_anew_knows_keys_and_columns_from_the_topics_shapes() {
    let catalog = Arc::new(SchemaCatalog::default());
    let decode = |records: &[(Option<&str>, Option<&str>)]| {
        let decoder = DebeziumDecoder::new(Arc::clone(&catalog), Placeholder::default());
        decode_by(&mut { decoder }, "m.inventory.customers", records)
    };
    let created = whole("c", r#"{"_id": 1, "a": 1, "b": 2}"#);
    let deleted = event("d", &[("before", r#"{"_id": 1, "a": 1}"#.into())]);
    let batch = decode(&[(KEY, Some(&created)), (None, Some(&deleted))]);
    assert_eq!(shown(&batch), "");
    let key = |batch: &ChangeBatch| batch.slice(&batch.changes[0].key).to_vec();
    let tombstone = decode(&[(KEY, None)]);
    assert_eq!(tombstone.changes[0].kind, ChangeKind::Delete);
    assert_eq!(key(&tombstone), key(&batch));
    // All columns are in the row, so that what is held of them can stay.
    let update = decode(&[(KEY, Some(&partial(r#"{"a": 5}"#, &[], &[])))]);
    assert_eq!(shown(&update), "_id: Int(1), a: Int(5), b: Unavailable\n");
    assert_eq!(update.schemas.unwrap().shapes().len(), 1);
}

#[test]
fn the_id_may_be_in_the_key_alone_and_the_key_in_other_spellings() {
    let without_id = whole("c", r#"{"a": 1}"#);
    let with_id = whole("u", r#"{"_id": 1, "a": 2}"#);
    let batch = decode(&[
        (KEY, Some(&without_id)),
        (Some(r#""1""#), Some(&with_id)),
        (Some("1"), Some(&with_id)),
        (None, Some(&with_id)),
    ]);
    assert_eq!(shown(&batch), "_id: Int(1), a: Int(2)\n");
    assert_eq!(
        shown(&decode(&[(KEY, Some(&without_id))])),
        "_id: Int(1), a: Int(1)\n"
    );
    // An id that is a document is looked up as the key spells it, and shown so.
    let key = r#"{"id":"{\"day\": {\"$date\": \"2024-02-29T00:00:00Z\"}}"}"#;
    let document = whole("c", r#"{"_id": {"day": {"$date": 1709164800000}}}"#);
    assert_eq!(
        shown(&decode(&[(Some(key), Some(&document))])),
        "_id: Json(\"{\\\"day\\\":{\\\"$date\\\":\\\"2024-02-29T00:00:00Z\\\"}}\")\n"
    );
}

#[test]
fn documents_may_come_in_cloud_events() {
    let event = |op: &str, data: &str| {
        format!(
            r#"{{"id":"1","source":"/debezium/mongodb/m","specversion":"1.0","type":"io.debezium.connector.mongodb.DataChangeEvent","iodebeziumop":"{op}","iodebeziumconnector":"mongodb","iodebeziumcollection":"customers","data":{data}}}"#
        )
    };
    let created = event(
        "c",
        r#"{"before":null,"after":"{\"_id\": 1, \"a\": 1, \"b\": 2}"}"#,
    );
    let update =
        r#"{"before":null,"after":null,"updateDescription":{"updatedFields":"{\"a\": 5}"}}"#;
    let batch = decode(&[(KEY, Some(&created)), (KEY, Some(&event("u", update)))]);
    assert_eq!(shown(&batch), "_id: Int(1), a: Int(5), b: Int(2)\n");
}

#[test]
fn keyless_deletes_without_a_document_are_refused() {
    let batch = decode(&[
        (None, Some(&event("d", &[]))),
        (None, Some(&partial("{}", &[], &[]))),
    ]);
    let kinds: Vec<_> = batch.failures.iter().map(|failure| failure.kind).collect();
    assert_eq!(kinds, ["no_key_column", "no_key_column"]);
}

#[test]
fn bad_documents_are_refused_and_the_next_one_is_read() {
    let deep = format!(
        "{{\"_id\": 1, \"a\": {}1{}}}",
        "[".repeat(200),
        "]".repeat(200)
    );
    let bad = [
        r#"{"_id": 1, "a": "trunc"#,
        r#"{"_id": 1, "a": }"#,
        "[1]",
        "",
        deep.as_str(),
        &"{\"a\":".repeat(100_000),
    ];
    let mut events: Vec<_> = bad.iter().map(|document| whole("c", document)).collect();
    events.push(whole("c", r#"{"_id": 1, "a": NaN}"#));
    events.push(whole(
        "c",
        &format!(r#"{{"_id": 1, "a": "{}"}}"#, "x".repeat(9 << 20)),
    ));
    let records: Vec<_> = events
        .iter()
        .map(|event| (KEY, Some(event.as_str())))
        .collect();
    let mut batch = decode(&records);
    let failures = std::mem::take(&mut batch.failures);
    let kinds: Vec<_> = failures.iter().map(|failure| failure.kind).collect();
    let expected = [
        "malformed",
        "malformed",
        "malformed",
        "malformed",
        "too_deep",
        "too_deep",
    ];
    assert_eq!(kinds, [&expected[..], &["too_large"]].concat());
    assert_eq!(shown(&batch), "_id: Int(1), a: Float(NaN)\n");
    let bad_key = decode(&[(
        Some(r#"{"id":"{\"$oid\""}"#),
        Some(&whole("c", "{\"_id\": 1}")),
    )]);
    assert_eq!(bad_key.changes.len(), 1);
}

#[test]
fn documents_of_any_number_of_fields_stay_within_bounds() {
    let mut decoder = decoder();
    let topic = "m.inventory.events";
    let mut events = Vec::new();
    for number in 0..3_000 {
        events.push(whole(
            "c",
            &format!(r#"{{"_id": {number}, "user{number}": {{"n": NaN}}, "common": 1}}"#),
        ));
    }
    let records: Vec<_> = (0..events.len())
        .map(|number| format!(r#"{{"id":"{number}"}}"#))
        .collect();
    let records: Vec<_> = records
        .iter()
        .zip(&events)
        .map(|(key, event)| (Some(key.as_str()), Some(event.as_str())))
        .collect();
    let batch = decode_by(&mut decoder, topic, &records);
    assert_eq!((batch.failures.len(), batch.changes.len()), (0, 3_000));
    let shapes = batch.schemas.as_ref().unwrap().shapes();
    assert!(shapes.len() <= 520, "{} shapes", shapes.len());
    let last = batch.changes.last().unwrap();
    let row = Row::new(batch.slice(&last.row));
    let others = shapes[last.schema.0 as usize]
        .column("__other_fields")
        .unwrap();
    assert_eq!(
        format!("{:?}", row.get(others).unwrap()),
        r#"Json("{\"user2999\":{\"n\":{\"$numberDouble\":\"NaN\"}}}")"#
    );
}
