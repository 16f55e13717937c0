//! Records of Confluent's converter against the JSON of the same records: three runs without `optional`,
//! one of them with every type of a database, and one with `optional` for what may be null.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::parsed;
use crate::connect_schema::Node;
use crate::protobuf::ProtobufSchema;

pub(super) struct Recorded {
    pub run: String,
    pub schema: Arc<ProtobufSchema>,
    /// What follows the frame.
    pub body: Vec<u8>,
    /// What the JSON converter wrote.
    pub json: Value,
}

pub(super) static RECORDS: LazyLock<Vec<Recorded>> = LazyLock::new(records);

/// `{run, id, schema}` first, then `{run, id, body, json}`.
fn records() -> Vec<Recorded> {
    let packed = include_bytes!("../../../tests/fixtures/protobuf.jsonl.gz");
    let mut text = String::new();
    let mut reader = flate2::read::GzDecoder::new(packed.as_slice());
    reader.read_to_string(&mut text).unwrap();
    let (mut schemas, mut records) = (HashMap::new(), Vec::new());
    for line in text.lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let run = line["run"].as_str().unwrap().to_owned();
        let place = (run.clone(), line["id"].as_u64());
        if let Some(schema) = line["schema"].as_str() {
            schemas.insert(place, Arc::new(parsed(schema)));
        } else {
            records.push(Recorded {
                run,
                schema: Arc::clone(&schemas[&place]),
                body: STANDARD.decode(line["body"].as_str().unwrap()).unwrap(),
                json: line["json"].take(),
            });
        }
    }
    records
}

/// Counts the nulls that arrive as zeros; every other difference is an error.
fn nulls_lost(
    ours: &Value,
    theirs: &Value,
    node: Option<&Node>,
    path: &str,
    lost: &mut Vec<String>,
) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let names = |object: &serde_json::Map<String, Value>| -> Vec<String> {
                object.keys().cloned().collect()
            };
            assert_eq!(names(ours), names(theirs), "{path}");
            for (name, value) in theirs {
                let inner = node.and_then(|node| node.field(name).or(node.values.as_deref()));
                nulls_lost(&ours[name], value, inner, &format!("{path}.{name}"), lost);
            }
        }
        (zero, Value::Null) if !zero.is_null() => {
            let zeros = ["0", "0.0", "\"\"", "false", "[]", "{}"];
            assert!(
                zeros.contains(&zero.to_string().as_str()),
                "{path}: {zero} for null"
            );
            assert!(
                node.is_some_and(|node| !node.optional),
                "{path} may be null"
            );
            lost.push(path.to_owned());
        }
        // The shortest digits of a float differ between Java's printer and ours, not the number.
        (Value::Number(ours), Value::Number(theirs)) if ours.is_f64() => {
            assert_eq!(ours.as_f64(), theirs.as_f64(), "{path}");
        }
        _ => assert_eq!(ours, theirs, "{path}"),
    }
}

#[test]
fn recorded_values_equal_the_json_of_the_same_records() {
    let mut lost: HashMap<String, Vec<String>> = HashMap::new();
    for record in RECORDS.iter() {
        let mut json = String::new();
        let node = record.schema.write_json(&record.body, &mut json).unwrap();
        let ours: Value = serde_json::from_str(&json).unwrap();
        let lost = lost.entry(record.run.clone()).or_default();
        nulls_lost(&ours, &record.json, Some(&node), "", lost);
        let again = record.schema.write_json(&record.body, &mut String::new());
        assert!(Arc::ptr_eq(&node, &again.unwrap()));
    }
    let count = |run: &str| lost[run].len();
    assert_eq!(
        [count("plain"), count("types"), count("map")],
        [247, 400, 95]
    );
    // With `optional` nothing is lost but what Protobuf has no word for: an array that is null.
    assert_eq!(lost["optional"], vec![".data_collections"; 2]);
}

#[test]
fn what_the_converter_keeps_of_types_is_read() {
    let node_of = |run: &str, column: &str| {
        let found = RECORDS
            .iter()
            .find(|record| record.run == run && record.json["after"].get(column).is_some());
        let found = found.unwrap();
        let node = found
            .schema
            .write_json(&found.body, &mut String::new())
            .unwrap();
        let cell = node.field("after").unwrap().field(column).unwrap();
        let part = cell.items.as_deref().unwrap_or(cell);
        let scale = part.parameters.get("scale").cloned();
        (
            cell.kind.clone(),
            part.kind.clone(),
            part.name.clone(),
            scale,
            cell.optional,
        )
    };
    let check =
        |run: &str, column: &str, expected: (&str, &str, Option<&str>, Option<&str>, bool)| {
            let (kind, part, name, scale, optional) = node_of(run, column);
            let found = (
                kind.as_str(),
                part.as_str(),
                name.as_deref(),
                scale.as_deref(),
                optional,
            );
            assert_eq!(found, expected, "{column}");
        };
    let decimal = Some("org.apache.kafka.connect.data.Decimal");
    let variable = Some("io.debezium.data.VariableScaleDecimal");
    check("types", "i2", ("int16", "int16", None, None, false));
    check("types", "i8", ("int64", "int64", None, None, false));
    check(
        "types",
        "n10_2",
        ("bytes", "bytes", decimal, Some("2"), true),
    );
    check(
        "types",
        "n3_neg",
        ("bytes", "bytes", decimal, Some("2046"), true),
    );
    check("types", "n", ("struct", "struct", variable, None, true));
    check("types", "an", ("array", "bytes", decimal, Some("2"), false));
    check("types", "anu", ("array", "struct", variable, None, false));
    check("types", "as2", ("array", "int16", None, None, false));
    check("map", "hs", ("map", "map", None, None, false));
    check("plain", "note", ("string", "string", None, None, false));
    check("optional", "note", ("string", "string", None, None, true));
}
