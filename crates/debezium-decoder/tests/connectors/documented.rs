//! Documented records and source blocks of every connector.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::expect;
use serde::Deserialize;
use serde_json::Value;

use crate::folded::{fold, json};
use crate::{decode_by, decode_file, decoder, fixture};

#[derive(Deserialize)]
struct Expected {
    topic: String,
    rows: Vec<BTreeMap<String, Value>>,
}

#[test]
fn hand_made_events_lead_to_the_rows_they_should() {
    for connector in [
        "sqlserver",
        "oracle",
        "db2",
        "vitess",
        "spanner",
        "cassandra",
    ] {
        let expected = fixture(&format!("documented/handmade-{connector}.expected.json"));
        let expected: Expected = serde_json::from_str(&expected).unwrap();
        let batch = decode_file(
            &format!("documented/handmade-{connector}.jsonl"),
            &expected.topic,
        );
        let rows = fold(&batch, json);
        let expected = expected.rows.iter().map(|row| {
            let cells = row.iter().filter(|(_, value)| !value.is_null());
            cells
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect()
        });
        assert_eq!(
            rows,
            expected.collect::<Vec<BTreeMap<_, _>>>(),
            "{connector}"
        );
    }
}

/// What the examples of the documentation become. Those that are no JSON are left out: they have
/// placeholders (`{ … }`) and callouts.
fn examples(connectors: &[&str]) -> String {
    #[derive(Deserialize)]
    struct Example {
        section: String,
        kind: String,
        value: String,
    }
    let mut out = String::new();
    for connector in connectors {
        let text = fixture(&format!("documented/{connector}.jsonl"));
        for line in text.lines() {
            let example: Example = serde_json::from_str(line).unwrap();
            if example.kind == "key" || serde_json::from_str::<Value>(&example.value).is_err() {
                continue;
            }
            let key = key_of(connector, &example.value);
            let topic = format!("s.{connector}.customers");
            let record = (Some(key.as_str()), Some(example.value.as_str()));
            let batch = decode_by(&mut decoder(), &topic, &[record]);
            let became = match (&batch.changes[..], &batch.failures[..]) {
                ([change], []) => {
                    let row = row_model::Row::new(batch.slice(&change.row));
                    let (kind, snapshot, at) = (change.kind, change.snapshot, change.position);
                    format!("{kind:?} {row:?} {snapshot:?} at {at:?}")
                }
                ([], []) => "nothing".to_owned(),
                (changes, failures) => format!("{} changes, failed: {failures:?}", changes.len()),
            };
            writeln!(out, "{connector}, {}: {became}", example.section).unwrap();
        }
    }
    out
}

#[test]
fn every_example_of_the_databases_with_commit_logs_is_decoded() {
    expect![[r#"
        sqlserver, Schema change topic: nothing
        sqlserver, _create_ events: Upsert [Int(1005), Text("john"), Text("doe"), Text("john.doe@example.org")] None at Some(0@[00, 00, 00, 27, 00, 00, 07, 58, 00, 05, 00, 00, 00, 27, 00, 00, 07, 58, 00, 03, 00, 00, 00, 01])
        sqlserver, _update_ events: Upsert [Int(1005), Text("john"), Text("doe"), Text("noreply@example.org")] None at Some(0@[00, 00, 00, 27, 00, 00, 0a, c0, 00, 07, 00, 00, 00, 27, 00, 00, 0a, c0, 00, 02, 00, 00, 00, 02])
        sqlserver, Change data event enrichment: Upsert [Text("2"), Text("1")] None at None
        oracle, Change data event enrichment: Upsert [Text("2"), Text("1")] None at None
        oracle, _create_ events: Upsert [Int(1004), Text("Anne"), Text("Kretchmar"), Text("annek@noanswer.org")] None at Some(0@[2122185])
        oracle, _update_ events: Upsert [Int(1004), Text("Anne"), Text("Kretchmar"), Text("anne@example.com")] None at Some(0@[2125544])
        oracle, _delete_ events: Delete [] None at Some(0@[2122184])
        oracle, _truncate_ events: Truncate [] None at Some(0@[13271102])
        db2, Schema change topic: nothing
        db2, Transaction metadata: Upsert [Text("2"), Text("1")] None at None
        db2, _create_ events: Upsert [Int(1005), Text("john"), Text("doe"), Text("john.doe@example.org")] None at Some(0@[00, 00, 00, 27, 00, 00, 07, 58, 00, 05, 00, 00, 00, 27, 00, 00, 07, 58, 00, 03, 00, 00, 00, 00])
        db2, _update_ events: Upsert [Int(1005), Text("john"), Text("doe"), Text("noreply@example.org")] None at Some(0@[00, 00, 00, 27, 00, 00, 0a, c0, 00, 07, 00, 00, 00, 27, 00, 00, 0a, c0, 00, 02, 00, 00, 00, 00])
        informix, Schema change topic: nothing
        informix, Transaction metadata: Upsert [Text("2"), Text("1")] None at None
        informix, _create_ events: Upsert [Int(1005), Text("john"), Text("doe"), Text("john.doe@example.org")] None at Some(0@[627404540760620, 627404540485812])
        informix, _update_ events: Upsert [Int(1005), Text("john"), Text("doe"), Text("noreply@example.org")] None at Some(0@[627404540760620, 627404540485812])
        yashandb, Schema change topic: nothing
        yashandb, _create_ events: Upsert [Int(1001), Text("Test Record")] None at None
        yashandb, _update_ events: Upsert [Int(1001), Text("Updated Record")] None at None
        yashandb, _delete_ events: Delete [] None at None
        yashandb, _truncate_ events: Truncate [] None at None
    "#]].assert_eq(&examples(&[
        "sqlserver",
        "oracle",
        "db2",
        "informix",
        "yashandb",
    ]));
}

#[test]
fn every_example_of_the_distributed_databases_is_decoded() {
    let connectors = ["mongodb", "cassandra", "vitess", "spanner", "cockroachdb"];
    expect![[r#"
        mongodb, Transaction Metadata: Upsert [Int(1004), Text("Anne"), Text("Kretchmar"), Text("annek@noanswer.org")] None at None
        mongodb, _create_ events: Upsert [Int(1004), Text("Anne"), Text("Kretchmar"), Text("annek@noanswer.org")] None at Some(0@[1558965508000000, 31])
        mongodb, Change streams capture mode: Upsert [Int(1004), Text("Anne Marie"), Text("Kretchmar"), Text("annek@noanswer.org")] None at Some(0@[1558965508, 1])
        mongodb, _delete_ events: Delete [] Some(Row) at None
        cassandra, Change event's value: Upsert [Int(1001), Int(1562202942545), Text("Anne"), Text("Kretchmar"), Text("annek@noanswer.org")] None at None
        cassandra, Change event's value: Upsert [Int(1001), Int(1562202942545), Unavailable, Unavailable, Text("annek_new@noanswer.org")] None at None
        cassandra, Change event's value: Delete [] None at None
        vitess, Transaction metadata: Upsert [Text("2"), Text("1")] None at None
        vitess, Ordered Transaction Metadata: Upsert [Text("2"), Text("1")] None at None
        vitess, _create_ events: Upsert [Int(1), Text("Anne"), Text("Kretchmar"), Text("annek@noanswer.org")] None at Some(16631757420286340010@[45])
        vitess, _update_ events: Upsert [Int(1), Text("Anne Marie"), Text("Kretchmar"), Text("annek@noanswer.org")] None at Some(16631757420286340010@[46])
        vitess, _delete_ events: Delete [] None at Some(16631757420286340010@[47])
        spanner, _update_ events: Upsert [Int(1), Text("Anne Marie"), Text("Kretchmar"), Text("annek@noanswer.org")] None at Some(0@[1670955531785000000])
        spanner, _delete_ events: Delete [] None at Some(0@[1670955531785000000])
        cockroachdb, _create_ events: Upsert [Text("5f8a1c2e-3b4d-4e6f-8a9b-1c2d3e4f5a6b"), Text("Alice"), Text("99.99"), Text("pending"), Text("2026-01-15T10:30:00")] None at None
        cockroachdb, _update_ events: Upsert [Text("5f8a1c2e-3b4d-4e6f-8a9b-1c2d3e4f5a6b"), Text("Alice"), Text("99.99"), Text("shipped"), Text("2026-01-15T10:30:00")] None at None
        cockroachdb, _delete_ events: Delete [] None at None
    "#]].assert_eq(&examples(&connectors));
}

/// The key that a documented value would have had: the examples give keys and values apart.
fn key_of(connector: &str, value: &str) -> String {
    if connector == "mongodb" {
        return r#"{"id":"1004"}"#.to_owned();
    }
    let value: Value = serde_json::from_str(value).unwrap();
    let payload = value.get("payload").unwrap_or(&value);
    let images = [&payload["after"], &payload["before"]];
    let image = images.into_iter().find(|image| image.is_object());
    // The documentation writes the same column in both cases.
    let found = image.and_then(|image| {
        let mut names = ["id", "ID", "pk"].into_iter();
        names.find_map(|name| Some((name, image.get(name)?)))
    });
    match found {
        Some((name, token)) => {
            let token = token.get("value").unwrap_or(token);
            format!("{{\"{name}\":{token}}}")
        }
        None => r#"{"id":"5f8a1c2e-3b4d-4e6f-8a9b-1c2d3e4f5a6b"}"#.to_owned(),
    }
}

/// Every source block that the jars can write is read, whatever its optional fields hold.
#[test]
fn the_source_blocks_of_the_jars_are_read() {
    let schemas: BTreeMap<String, Value> =
        serde_json::from_str(&fixture("documented/source-schemas.json")).unwrap();
    assert_eq!(schemas.len(), 9);
    for (connector, schema) in &schemas {
        for with_optional in [true, false] {
            let fields = schema["fields"].as_array().unwrap().iter().map(|field| {
                let name = field["field"].as_str().unwrap();
                let value = match (name, field["type"].as_str().unwrap()) {
                    ("connector", _) => Value::from(connector.as_str()),
                    ("snapshot", "boolean") => Value::from(false),
                    ("snapshot", _) => Value::from("false"),
                    _ if !with_optional && field["optional"] == true => Value::Null,
                    (_, "string") => Value::from("7"),
                    (_, "boolean") => Value::from(true),
                    _ => Value::from(7),
                };
                (name.to_owned(), value)
            });
            let source: serde_json::Map<String, Value> = fields.collect();
            let (key, after) = match connector.as_str() {
                "mongodb" => (r#"{"id":"1"}"#, Value::from("{\"_id\": 1}")),
                "cassandra" => (
                    r#"{"id":1}"#,
                    serde_json::json!({"id": {"value": 1, "set": true}}),
                ),
                _ => (r#"{"id":1}"#, serde_json::json!({"id": 1})),
            };
            let value =
                serde_json::json!({"op": "c", "source": source, "after": after}).to_string();
            let batch = decode_by(&mut decoder(), "s.t", &[(Some(key), Some(&value))]);
            assert_eq!(
                (&batch.failures[..], batch.changes.len()),
                (&[][..], 1),
                "{connector}"
            );
        }
    }
}
