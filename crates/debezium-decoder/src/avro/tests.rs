//! What recorded events do not have: the constructs that Kafka Connect does not write, and broken bodies.

use change_feed::{RegisteredSchema, SchemaLanguage};
use proptest::prelude::*;

use super::AvroSchema;
use crate::outline::Outline;

fn parsed(text: &str, references: &[&str]) -> Result<AvroSchema, String> {
    let named = |text: &&str| ("of a name".to_owned(), (*text).to_owned());
    AvroSchema::parse(&RegisteredSchema {
        language: SchemaLanguage::Avro,
        text: text.to_owned(),
        references: references.iter().map(named).collect(),
    })
}

fn written(schema: &AvroSchema, body: &[u8]) -> Result<String, &'static str> {
    let mut out = String::new();
    let mut outline = Outline::default();
    schema
        .write_json(body, &mut out, &mut outline)
        .map_err(|bad| bad.0)?;
    // What it says of itself is what a scan of it says.
    let mut scanned = Outline::default();
    scanned.scan(&out);
    if let Some(members) = outline.members() {
        assert_eq!(members.len(), scanned.members().unwrap().len());
        assert_eq!(outline.found(), scanned.found());
    }
    Ok(out)
}

fn check(schema: &str, body: &[u8], expected: Result<&str, &str>) {
    let schema = parsed(schema, &[]).unwrap();
    assert_eq!(written(&schema, body).as_deref(), expected.as_deref());
}

#[test]
fn every_type_is_written_as_the_json_converter_writes_it() {
    check(r#""long""#, &[0x01], Ok("-1"));
    check("string", b"\x06a\"b", Ok(r#""a\"b""#));
    check(r#""boolean""#, &[1], Ok("true"));
    check(r#""bytes""#, &[2, 0xff], Ok(r#""/w==""#));
    check(r#""float""#, &1.1_f32.to_le_bytes(), Ok("1.1"));
    check(r#""double""#, &f64::NAN.to_le_bytes(), Ok(r#""NaN""#));
    check(r#""double""#, &(-0.0_f64).to_le_bytes(), Ok("-0.0"));
    check(
        r#""double""#,
        &f64::NEG_INFINITY.to_le_bytes(),
        Ok(r#""-Infinity""#),
    );
    check(
        r#"{"type":"fixed","name":"F","size":16,"logicalType":"uuid"}"#,
        &[0x10; 16],
        Ok(r#""10101010-1010-1010-1010-101010101010""#),
    );
    check(
        r#"{"type":"enum","name":"E","symbols":["A","B"]}"#,
        &[2],
        Ok(r#""B""#),
    );
    // Blocks: two items, then one with its length in bytes.
    check(
        r#"{"type":"array","items":"int"}"#,
        &[4, 2, 4, 1, 2, 6, 0],
        Ok("[1,2,3]"),
    );
    check(
        r#"{"type":"map","values":["int","null","string"]}"#,
        &[4, 2, b'a', 0, 2, 2, b'b', 2, 0],
        Ok(r#"{"a":1,"b":null}"#),
    );
    let entries = |key: &str| {
        format!(
            r#"{{"type":"array","items":{{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{{"name":"key","type":"{key}"}},{{"name":"value","type":"int"}}]}}}}"#
        )
    };
    check(&entries("int"), &[2, 10, 12, 0], Ok("[[5,6]]"));
    check(&entries("string"), &[2, 2, b'k', 12, 0], Ok(r#"{"k":6}"#));
}

#[test]
fn types_are_found_by_name_wherever_they_were_named() {
    let list = r#"{"type":"record","name":"List","namespace":"a.b","fields":[{"name":"value","type":"int"},{"name":"next","type":["null","List"]}]}"#;
    check(
        list,
        &[2, 2, 4, 0],
        Ok(r#"{"value":1,"next":{"value":2,"next":null}}"#),
    );
    let deep: Vec<u8> = [2, 2].repeat(100);
    check(list, &deep, Err("it is nested too deep"));
    let other = parsed(
        r#"{"type":"record","name":"T","fields":[{"name":"f","type":"a.b.List"}]}"#,
        &[list],
    );
    assert_eq!(
        written(&other.unwrap(), &[2, 0]).as_deref(),
        Ok(r#"{"f":{"value":1,"next":null}}"#)
    );
    assert_eq!(
        parsed(r#"{"type":"array","items":"Nobody"}"#, &[]).unwrap_err(),
        "it names the type Nobody, which is not there"
    );
    assert!(parsed("{", &[]).unwrap_err().starts_with("it is no JSON"));
    // Each of a few names twice the one before: refused before it fills the memory.
    let doubling: Vec<String> = (0..40)
        .map(|n| {
            let of = if n == 0 { "\"int\"".to_owned() } else { format!("\"R{}\"", n - 1) };
            format!(r#"{{"type":"record","name":"R{n}","fields":[{{"name":"a","type":{of}}},{{"name":"b","type":{of}}}]}}"#)
        })
        .collect();
    let references: Vec<&str> = doubling.iter().map(String::as_str).collect();
    let refused = parsed(r#""R39""#, &references).unwrap_err();
    assert!(
        refused.ends_with("it has more than 100000 types"),
        "{refused}"
    );
}

#[test]
fn a_broken_body_says_what_is_wrong() {
    check(
        r#""string""#,
        &[6, b'a'],
        Err("it ends in the middle of a value"),
    );
    check(r#""string""#, &[1], Err("a length is negative"));
    check(r#""string""#, &[2, 0xff], Err("a string is not UTF-8"));
    check(r#""int""#, &[2, 2], Err("it goes on after its end"));
    check(r#""int""#, &[0xff; 12], Err("a number is too long"));
    check(r#"["null","int"]"#, &[8], Err("a union has no such branch"));
    // An array of more nulls than anybody has memory for takes eleven bytes.
    let nulls = [
        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0,
    ];
    check(
        r#"{"type":"array","items":"null"}"#,
        &nulls,
        Err("written out it is too long"),
    );
}

proptest! {
    #[test]
    fn any_body_is_written_or_refused(body in prop::collection::vec(any::<u8>(), 0..60)) {
        let schemas = [
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":["null","R"]},{"name":"b","type":{"type":"array","items":["null","string","R"]}},{"name":"c","type":{"type":"map","values":"double"}}]}"#,
            r#"{"type":"record","name":"E","fields":[{"name":"before","type":["null",{"type":"record","name":"V","fields":[{"name":"id","type":"long"},{"name":"x","type":"bytes"}]}]},{"name":"after","type":["null","V"]},{"name":"source","type":{"type":"record","name":"S","fields":[{"name":"lsn","type":"long"}]}},{"name":"op","type":"string"},{"name":"ts_ms","type":["null","long"]}]}"#,
        ];
        for schema in schemas {
            let schema = parsed(schema, &[]).unwrap();
            let json = written(&schema, &body);
            if let Ok(json) = &json {
                prop_assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{}", json);
            }
            // Taken apart or written out, the same bodies are whole.
            if let Ok(Some(_)) = schema.change(&body) {
                prop_assert!(json.is_ok(), "{json:?}");
            }
        }
    }
}
