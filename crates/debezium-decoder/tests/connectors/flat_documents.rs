//! Documents that `ExtractNewDocumentState` flattened.

use expect_test::expect;

use crate::folded::shown;
use crate::{decode, decode_file};

/// The rows of a mode's file, and how many shapes they have.
fn rows(mode: &str, topic: &str) -> String {
    let file = format!("mongodb/events-unwrap-{mode}.jsonl");
    let batch = decode_file(&file, topic);
    let shapes = batch.schemas.as_ref().unwrap().shapes();
    let key = &shapes.last().unwrap().key;
    let head = format!("{mode}: {} shapes, keyed by {key:?}", shapes.len());
    format!("{head}\n{}", shown(&batch))
}

#[test]
fn in_every_mode_updates_without_a_document_are_merged_and_deletes_as_far_as_sent() {
    let modes = ["tombstone", "rewrite", "drop", "delete-to-tombstone"];
    let rows = modes.map(|mode| rows(mode, "mongo.inventory.customers"));
    expect![[r#"
        tombstone: 3 shapes, keyed by Some(["_id"])
        __collection: Text("customers"), __op: Text("u"), __ord: Int(1), _id: Int(1004), addr: Json("{\"city\":\"Bergen\",\"zip\":null}"), first_name: Text("no full document (capture.mode=change_streams)"), last_name: Text("Kretchmar"), tags: Json("[\"a\"]")
        rewrite: 3 shapes, keyed by Some(["_id"])
        __collection: Text("customers"), __deleted: Bool(false), __op: Text("u"), __ord: Int(1), _id: Int(1004), addr_city: Text("Bergen"), first_name: Text("no full document (capture.mode=change_streams)"), last_name: Text("Kretchmar"), tags: Json("[\"a\"]")
        drop: 3 shapes, keyed by Some(["_id"])
        __collection: Text("customers"), __op: Text("u"), __ord: Int(1), _id: Int(1004), addr: Json("{\"city\":\"Bergen\",\"zip\":null}"), first_name: Text("no full document (capture.mode=change_streams)"), last_name: Text("Kretchmar"), tags: Json("[\"a\"]")
        __collection: Text("customers"), __op: Text("u"), __ord: Int(2), _id: Int(1005), replaced: Bool(true)
        __collection: Text("customers"), __op: Text("u"), __ord: Int(1), _id: Int(1006), first_name: Text("Carl"), n: Int(3)
        delete-to-tombstone: 3 shapes, keyed by Some(["_id"])
        __collection: Text("customers"), __op: Text("u"), __ord: Int(1), _id: Int(1004), addr: Json("{\"city\":\"Bergen\",\"zip\":null}"), first_name: Text("no full document (capture.mode=change_streams)"), last_name: Text("Kretchmar"), tags: Json("[\"a\"]")
    "#]].assert_eq(&rows.concat());
}

#[test]
fn flattened_values_are_what_the_transform_made_of_them() {
    let rows = ["tombstone", "rewrite"].map(|mode| rows(mode, "mongo.inventory.alltypes"));
    expect![[r#"
        tombstone: 2 shapes, keyed by Some(["_id"])
        __collection: Text("alltypes"), __op: Text("r"), __ord: Int(1), _id: Bool(true), v: Text("key of type BOOLEAN")
        __collection: Text("alltypes"), __op: Text("r"), __ord: Int(1), _id: Int(1), v: Text("key of type INT32")
        __collection: Text("alltypes"), __op: Text("r"), __ord: Int(1), _id: Number("1.5"), v: Text("key of type DOUBLE")
        __collection: Text("alltypes"), __op: Text("r"), __ord: Int(1), _id: Int(1709210096123), v: Text("key of type DATE_TIME")
        __collection: Text("alltypes"), __op: Text("r"), __ord: Int(1), _id: Int(9007199254740993), v: Text("key of type INT64")
        __collection: Text("alltypes"), __op: Text("r"), __ord: Int(1), _id: Text("1.10"), v: Text("key of type DECIMAL128")
        __collection: Text("alltypes"), __op: Text("r"), __ord: Int(1), _id: Text("596e275826f08b2730779e1f"), arr: Json("[1,2,3]"), bin: Text("AQL/"), date: Int(1709210096123), dbl: Number("1.5"), dec: Text("12345678901234567890.12345"), empty: Json("{}"), emptyArr: Json("[]"), i32: Int(42), i64: Int(9007199254740993), inf: Text("Infinity"), js: Text("function(){}"), nan: Text("NaN"), nested: Json("{\"a\":{\"b\":[{\"c\":2,\"d\":null},{\"c\":3,\"d\":\"x\"}]},\"dotted.key\":1,\"$dollar\":2}"), oid: Text("000000000000000000000001"), oldDate: Int(-62135596800000), re: Json("{\"regex\":\"^a.*\",\"options\":\"i\"}"), str: Text("é漢😀 \"q\""), t: Bool(true), ts: Int(1709210096000), uuid: Text("9HrBC1jMQ3KlZw4CssPUeQ==")
        __collection: Text("alltypes"), __op: Text("r"), __ord: Int(1), _id: Text("9HrBC1jMQ3KlZw4CssPUeQ=="), v: Text("key of type BINARY")
        __collection: Text("alltypes"), __op: Text("r"), __ord: Int(1), _id: Text("str/é\"q"), v: Text("key of type STRING")
        __collection: Text("alltypes"), __op: Text("r"), __ord: Int(1), _id: Json("{\"a\":1,\"b\":\"x\"}"), v: Text("key of type DOCUMENT")
        rewrite: 3 shapes, keyed by Some(["_id"])
        __collection: Text("alltypes"), __deleted: Bool(false), __op: Text("r"), __ord: Int(1), _id: Bool(true), v: Text("key of type BOOLEAN")
        __collection: Text("alltypes"), __deleted: Bool(false), __op: Text("r"), __ord: Int(1), _id: Int(1), v: Text("key of type INT32")
        __collection: Text("alltypes"), __deleted: Bool(false), __op: Text("r"), __ord: Int(1), _id: Number("1.5"), v: Text("key of type DOUBLE")
        __collection: Text("alltypes"), __deleted: Bool(false), __op: Text("r"), __ord: Int(1), _id: Int(1709210096123), v: Text("key of type DATE_TIME")
        __collection: Text("alltypes"), __deleted: Bool(false), __op: Text("r"), __ord: Int(1), _id: Int(9007199254740993), v: Text("key of type INT64")
        __collection: Text("alltypes"), __deleted: Bool(false), __op: Text("r"), __ord: Int(1), _id: Text("1.10"), v: Text("key of type DECIMAL128")
        __collection: Text("alltypes"), __deleted: Bool(false), __op: Text("r"), __ord: Int(1), _id: Text("596e275826f08b2730779e1f"), arr: Json("[1,2,3]"), bin: Text("AQL/"), date: Int(1709210096123), dbl: Number("1.5"), dec: Text("12345678901234567890.12345"), emptyArr: Json("[]"), i32: Int(42), i64: Int(9007199254740993), inf: Text("Infinity"), js: Text("function(){}"), nan: Text("NaN"), nested_$dollar: Int(2), nested_a_b: Json("[{\"c\":2,\"d\":null},{\"c\":3,\"d\":\"x\"}]"), nested_dotted.key: Int(1), oid: Text("000000000000000000000001"), oldDate: Int(-62135596800000), re_options: Text("i"), re_regex: Text("^a.*"), str: Text("é漢😀 \"q\""), t: Bool(true), ts: Int(1709210096000), uuid: Text("9HrBC1jMQ3KlZw4CssPUeQ==")
        __collection: Text("alltypes"), __deleted: Bool(false), __op: Text("r"), __ord: Int(1), _id: Text("9HrBC1jMQ3KlZw4CssPUeQ=="), v: Text("key of type BINARY")
        __collection: Text("alltypes"), __deleted: Bool(false), __op: Text("r"), __ord: Int(1), _id: Text("str/é\"q"), v: Text("key of type STRING")
        __collection: Text("alltypes"), __deleted: Bool(false), __op: Text("r"), __ord: Int(1), _id_a: Int(1), _id_b: Text("x"), v: Text("key of type DOCUMENT")
    "#]].assert_eq(&rows.concat());
}

#[test]
fn a_part_of_a_nested_document_leaves_the_whole_unknown() {
    let key = Some(r#"{"id":1}"#);
    let steps = [
        r#"{"_id":1,"a":1,"address":{"city":"Oslo"}}"#,
        r#"{"a":2,"address.city":"Bergen","_id":1}"#,
        r#"{"b":3,"_id":1}"#,
    ];
    let mut out = String::new();
    for upto in 1..=steps.len() {
        let records: Vec<_> = steps[..upto]
            .iter()
            .map(|step| (key, Some(*step)))
            .collect();
        out.push_str(&shown(&decode(&records)));
    }
    expect![[r#"
        _id: Int(1), a: Int(1), address: Json("{\"city\":\"Oslo\"}")
        _id: Int(1), a: Int(2), address: Unavailable
        _id: Int(1), a: Int(2), address: Unavailable, b: Int(3)
    "#]]
    .assert_eq(&out);
}

#[test]
fn a_table_with_a_column_called_id_and_one_called_like_mongos_keeps_its_key() {
    let batch = decode(&[(Some(r#"{"id":1}"#), Some(r#"{"id":1,"_id":1,"a":2}"#))]);
    assert_eq!(
        batch.schemas.unwrap().shapes()[0].key.as_deref(),
        Some(&["id".to_owned()][..])
    );
}
