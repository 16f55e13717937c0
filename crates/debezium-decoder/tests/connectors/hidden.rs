//! Dropped and hashed columns of documents and cells: nothing of them is left anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use debezium_decoder::{ColumnRules, HashKey};
use row_model::ChangeBatch;

use crate::folded::shown;
use crate::{decode_by, decoder};

/// Every hidden value of this file's records.
const SECRETS: [&str; 3] = ["topsecret", "4711", "Klarname"];

fn decode(drop: &[&str], hash: &[&str], records: &[(&str, Option<&str>)]) -> ChangeBatch {
    let key = HashKey::new("a secret of enough bytes").unwrap();
    let owned = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let rules = ColumnRules::new(owned(drop), owned(hash), Some(&key), BTreeMap::new());
    let topic = "m.inventory.customers";
    let records: Vec<_> = records
        .iter()
        .map(|(key, value)| (Some(*key), *value))
        .collect();
    let batch = decode_by(
        &mut decoder().with_columns(topic, Arc::new(rules)),
        topic,
        &records,
    );
    for secret in SECRETS {
        let is_in = |bytes: &[u8]| memchr::memmem::find(bytes, secret.as_bytes()).is_some();
        assert!(!is_in(&batch.bytes), "{secret} in the rows");
        assert!(
            !is_in(format!("{:?}", batch.failures).as_bytes()),
            "{secret} in a failure"
        );
    }
    batch
}

fn document(op: &str, rest: &str) -> String {
    format!(
        r#"{{"op":"{op}","source":{{"connector":"mongodb","ts_ms":5,"snapshot":"false","wallTime":1}},{rest}}}"#
    )
}

fn of(document: &str) -> String {
    self::document(
        "c",
        &format!(r#""after":{}"#, serde_json::Value::from(document)),
    )
}

#[test]
fn fields_of_documents_and_ids_are_hidden_wherever_they_are() {
    let key = r#"{"id":"4711"}"#;
    let hidden = r#""name": "Klarname", "pin": {"a": ["topsecret"]}"#;
    let whole = of(&format!(r#"{{"_id": 4711, {hidden}, "open": 1}}"#));
    let update = document(
        "u",
        r#""updateDescription":{"updatedFields":"{\"name\": \"Klarname\", \"pin.a.0\": \"topsecret\", \"open\": 2}"}"#,
    );
    let broken = of(&format!(r#"{{"_id": 4711, {hidden}, "#));
    let steps = [
        (key, Some(whole.as_str())),
        (key, Some(&update)),
        (key, Some(&broken)),
    ];
    let mut batch = decode(&["pin"], &["name", "_id"], &steps);
    assert_eq!(batch.failures.len(), 1);
    batch.failures.clear();
    let rows = shown(&batch);
    assert!(
        rows.ends_with("open: Int(2)\n") && !rows.contains("pin"),
        "{rows}"
    );
    assert!(rows.starts_with("_id: Text("), "{rows}");
    // The delete, the tombstone and a record without a key mean the same row.
    let deleted = document(
        "d",
        &format!(
            r#""before":{}"#,
            serde_json::Value::from(r#"{"_id": 4711}"#)
        ),
    );
    let gone = [(key, Some(whole.as_str())), ("null", Some(&deleted))];
    assert_eq!(shown(&decode(&[], &["_id", "name", "pin"], &gone)), "");
    let gone = [(key, Some(whole.as_str())), (key, None)];
    assert_eq!(shown(&decode(&[], &["_id", "name", "pin"], &gone)), "");
    // An id that is dropped names no row.
    let refused = decode(&["_id", "name", "pin"], &[], &[(key, Some(&whole))]);
    assert_eq!(refused.failures[0].kind, "key_dropped");
}

#[test]
fn fields_that_share_a_column_are_hidden_too() {
    let mut fields: Vec<_> = (0..600)
        .map(|number| format!(r#""f{number}": 1"#))
        .collect();
    fields.push(r#""pin": "topsecret", "name": "Klarname""#.to_owned());
    let whole = of(&format!(r#"{{"_id": 1, {}}}"#, fields.join(", ")));
    let flat = format!(r#"{{"_id":1,{}}}"#, fields.join(","));
    let rows = shown(&decode(
        &["pin"],
        &["name"],
        &[(r#"{"id":"1"}"#, Some(&whole))],
    ));
    assert!(rows.contains(r#"\"f599\":1,\"name\":\""#), "{rows}");
    let rows = shown(&decode(
        &["pin"],
        &["name"],
        &[(r#"{"id":1}"#, Some(&flat))],
    ));
    assert!(rows.contains(r#"\"f599\":1,\"name\":\""#), "{rows}");
}

#[test]
fn flattened_documents_are_hidden_under_both_names_of_their_key() {
    let steps = [
        (
            r#"{"id":4711}"#,
            Some(r#"{"_id":4711,"name":"Klarname","pin":{"a":"topsecret"},"open":1}"#),
        ),
        (
            r#"{"id":4711}"#,
            Some(r#"{"pin.a":"topsecret","name":"Klarname","open":2,"_id":4711}"#),
        ),
    ];
    let rows = shown(&decode(&["pin"], &["name", "_id", "id"], &steps));
    assert!(
        rows.starts_with("_id: Text(") && rows.ends_with("open: Int(2)\n"),
        "{rows}"
    );
    assert!(!rows.contains("pin"), "{rows}");
    let refused = decode(&["pin"], &["name", "_id"], &steps);
    assert_eq!(refused.failures[0].kind, "key_name_hides");
}

#[test]
fn cells_are_hidden() {
    let value = r#"{"op":"i","source":{"connector":"cassandra","ts_ms":5},"after":{"id":{"value":4711,"set":true},"pin":{"value":"topsecret","set":true},"name":{"value":"Klarname","set":true},"open":{"value":1,"set":true}}}"#;
    let rows = shown(&decode(
        &["pin"],
        &["name", "id"],
        &[(r#"{"id":4711}"#, Some(value))],
    ));
    assert!(
        rows.starts_with("id: Text(") && rows.ends_with("open: Int(1)\n"),
        "{rows}"
    );
    assert!(!rows.contains("pin"), "{rows}");
}
