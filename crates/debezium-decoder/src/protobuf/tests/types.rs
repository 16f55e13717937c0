//! What each type of a schema's text becomes.

use std::collections::HashMap;
use std::fmt::Write as _;

use expect_test::{Expect, expect};
use row_model::{Row, RowBuilder};
use serde_json::value::RawValue;

use super::{body, decoded, parsed, refused, registered};
use crate::connect_schema::Node;
use crate::json_token::Token;
use crate::protobuf::ProtobufSchema;
use crate::semantic::Semantic;

/// The JSON of a message, and what the columns of its row are.
fn check(schema: &str, message: &str, expected: &Expect) {
    let parsed = parsed(schema);
    let mut json = String::new();
    let node = parsed
        .write_json(&body(schema, message), &mut json)
        .unwrap();
    let cells: HashMap<String, Box<RawValue>> = serde_json::from_str(&json).unwrap();
    let mut text = format!("{json}\n");
    for field in &node.fields {
        let name = field.field.as_deref().unwrap();
        let nullable = if field.optional { "?" } else { "" };
        let value = value(field, Token::of_valid(cells[name].get()));
        let _ = writeln!(text, "{name}{nullable}: {value}");
    }
    expected.assert_eq(&text);
}

fn value(node: &Node, token: Token<'_>) -> String {
    let semantic = Semantic::of(node);
    let mut row = RowBuilder::default();
    if let Err(mismatch) = semantic.push(token, None, &mut row) {
        return format!("{mismatch:?}");
    }
    let mut bytes = Vec::new();
    row.finish(&mut bytes);
    let kind = semantic.column_type().name();
    format!("{kind} {:?}", Row::new(&bytes).get(0).unwrap())
}

const KNOWN: &str = r#"syntax = "proto3";
import "confluent/meta.proto";
import "confluent/type/decimal.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/type/date.proto";
import "google/type/timeofday.proto";
message Row {
  confluent.type.Decimal price = 1 [(confluent.field_meta) = { params: [{ key: "scale", value: "2" }] }];
  confluent.type.Decimal any = 2;
  google.protobuf.Timestamp at = 3;
  google.type.Date day = 4;
  google.type.TimeOfDay time = 5;
  google.protobuf.StringValue name = 6;
  google.protobuf.UInt64Value big = 7;
  google.protobuf.BoolValue flag = 8;
  uint64 huge = 9;
}"#;

#[test]
fn known_messages_are_values() {
    check(
        KNOWN,
        r#"price { value: "\017\236" scale: 2 } any { value: "\001" scale: 3 }
        at { seconds: 1709210096 nanos: 123456789 } day { year: 2024 month: 2 day: 29 }
        time { hours: 12 minutes: 34 seconds: 56 nanos: 7 } name { value: "a" } big { value: 18446744073709551615 }
        flag {} huge: 18446744073709551615"#,
        &expect![[r#"
            {"price":"D54=","any":{"scale":3,"value":"AQ=="},"at":"2024-02-29T12:34:56.123456789Z","day":19782,"time":45296000000007,"name":"a","big":18446744073709551615,"flag":false,"huge":18446744073709551615}
            price?: decimal Decimal(Decimal { scale: 2, unscaled: [15, 158] })
            any?: decimal Decimal(Decimal { scale: 3, unscaled: [1] })
            at?: timestamp Timestamp(Moment { seconds: 1709210096, nanos: 123456789 })
            day?: date Date(19782)
            time?: time Clock(45296000000007)
            name?: text Text("a")
            big?: decimal Decimal(Decimal { scale: 0, unscaled: [0, 255, 255, 255, 255, 255, 255, 255, 255] })
            flag?: boolean Bool(false)
            huge: decimal Decimal(Decimal { scale: 0, unscaled: [0, 255, 255, 255, 255, 255, 255, 255, 255] })
        "#]],
    );
    check(
        KNOWN,
        "",
        &expect![[r#"
        {"price":null,"any":null,"at":null,"day":null,"time":null,"name":null,"big":null,"flag":null,"huge":0}
        price?: decimal Null
        any?: decimal Null
        at?: timestamp Null
        day?: date Null
        time?: time Null
        name?: text Null
        big?: decimal Null
        flag?: boolean Null
        huge: decimal Decimal(Decimal { scale: 0, unscaled: [0] })
    "#]],
    );
    // Another scale than its column's, negative, and moments that milliseconds or nanoseconds do not hold.
    check(
        KNOWN,
        r#"price { value: "\377\316" scale: 3 } any { value: "\014" scale: -2 }
        at { seconds: -62135596800 nanos: 1 } day { year: 1 month: 1 day: 1 } time { hours: 24 }"#,
        &expect![[r#"
            {"price":-0.050,"any":{"scale":-2,"value":"DA=="},"at":"0001-01-01T00:00:00.000000001Z","day":-719162,"time":86400000000000,"name":null,"big":null,"flag":null,"huge":0}
            price?: decimal Decimal(Decimal { scale: 3, unscaled: [206] })
            any?: decimal Decimal(Decimal { scale: -2, unscaled: [12] })
            at?: timestamp Timestamp(Moment { seconds: -62135596800, nanos: 1 })
            day?: date Date(-719162)
            time?: time Clock(86400000000000)
            name?: text Null
            big?: decimal Null
            flag?: boolean Null
            huge: decimal Decimal(Decimal { scale: 0, unscaled: [0] })
        "#]],
    );
}

#[test]
fn known_messages_out_of_their_range_are_refused() {
    let schema = parsed(KNOWN);
    let check = |message: &str, reason: &str| {
        assert_eq!(refused(&schema, &body(KNOWN, message)), reason);
    };
    let time = "field `at` is no time from the year 1 to 9999";
    check("at { seconds: 253402300800 }", time);
    check("at { nanos: -1 }", time);
    check("at { nanos: 1000000000 }", time);
    let date = "field `day` is no date of a calendar";
    check("day { year: 2023 month: 2 day: 29 }", date);
    check("day { month: 2 day: 1 }", date);
    check("time { hours: 25 }", "field `time` is no time of a day");
    check(
        "any { scale: 2000000000 }",
        "field `any` is a decimal with an absurd scale",
    );
}

#[test]
fn numbers_and_times_of_other_writers() {
    check(
        r#"syntax = "proto3"; package p;
        message Row { optional float f = 1; double d = 2; repeated int32 list = 3; map<int64, string> pairs = 4; Inner inner = 5;
          message Inner { enum Mood { SAD = 0; HAPPY = 1; } Mood mood = 1; oneof which { int32 a = 2; bytes b = 3; } } }"#,
        r#"f: -0.0 d: nan list: [1, -2] pairs { key: 1 value: "x" } inner { mood: HAPPY b: "\001" }"#,
        &expect![[r#"
            {"f":-0.0,"d":"NaN","list":[1,-2],"pairs":[[1,"x"]],"inner":{"mood":"HAPPY","a":null,"b":"AQ=="}}
            f?: float32 Float(-0.0)
            d: float64 Float(NaN)
            list: array Json("[1,-2]")
            pairs: map Json("[[1,\"x\"]]")
            inner?: struct Json("{\"mood\":\"HAPPY\",\"a\":null,\"b\":\"AQ==\"}")
        "#]],
    );
}

#[test]
fn proto2_has_defaults_groups_and_unpacked_lists() {
    check(
        r#"syntax = "proto2";
        message Row { required int32 id = 1; optional string name = 2; optional int32 size = 3 [default = 7];
          optional Mood mood = 4 [default = HAPPY]; repeated group Part = 5 { optional int32 n = 1; } repeated int32 list = 6; }
        enum Mood { SAD = 1; HAPPY = 2; }"#,
        r#"id: 1 Part { n: 2 } Part {} list: [1, 2]"#,
        &expect![[r#"
            {"id":1,"name":null,"size":7,"mood":"HAPPY","part":[{"n":2},{"n":null}],"list":[1,2]}
            id?: int32 Int(1)
            name?: text Null
            size: int32 Int(7)
            mood: text Text("HAPPY")
            part: array Json("[{\"n\":2},{\"n\":null}]")
            list: array Json("[1,2]")
        "#]],
    );
}

#[test]
fn files_are_found_imported_or_not() {
    let converters = r#"syntax = "proto3";
        package my-shop.public.1a;

        message Row { confluent.type.Decimal d = 1 [(confluent.field_meta) = { params: [{ value: "4", key: "scale" }] }];
          google.protobuf.Timestamp t = 2; int32 small = 3 [(confluent.field_meta) = { params: { key: "connect.type" value: "int8" } }]; }"#;
    let schema = parsed(converters);
    let node = schema.write_json(&[0], &mut String::new()).unwrap();
    let price = node.field("d").unwrap();
    assert_eq!(price.number_parameter("scale"), Some(4));
    assert_eq!(node.field("small").unwrap().kind, "int8");

    let other = "syntax = \"proto3\"; package other; message Address { string town = 1; }";
    let text =
        "syntax = \"proto3\"; import \"a/other.proto\"; message Row { other.Address at = 1; }";
    let schema = ProtobufSchema::parse(&registered(text, &[("a/other.proto", other)])).unwrap();
    let mut json = String::new();
    schema
        .write_json(&[0, 0x0a, 3, 0x0a, 1, b'x'], &mut json)
        .unwrap();
    assert_eq!(json, r#"{"at":{"town":"x"}}"#);
}

/// Bytes that other writers leave out or write longer than they need.
#[test]
fn sparse_and_overlong_bytes() {
    let check = |text: &str, body: &[u8], json: &str| {
        assert_eq!(decoded(&parsed(text), body).unwrap(), json, "{body:?}");
    };
    // Of a number of 32 bits the rest is cut off: 2^32 + 1 is 1, and as a zigzag number -1.
    let narrow = "syntax = \"proto3\"; enum E { A = 0; B = 1; }
        message Row { int32 a = 1; uint32 b = 2; sint32 c = 3; E d = 4; }";
    let overlong = [0x81, 0x80, 0x80, 0x80, 0x10];
    let mut body = vec![0];
    for tag in [0x08, 0x10, 0x18, 0x20] {
        body.push(tag);
        body.extend(overlong);
    }
    check(narrow, &body, r#"{"a":1,"b":1,"c":-1,"d":"B"}"#);
    // Entries of Protobuf's own maps have a key and a value even if neither was sent; the converter's have not.
    for (syntax, label) in [("proto3", ""), ("proto2", "optional")] {
        let inner = if label.is_empty() { "0" } else { "null" };
        let text = format!(
            "syntax = \"{syntax}\";
            message Row {{ map<string, Inner> own = 1; map<string, int32> numbers = 2; repeated TheEntry its = 3;
              message TheEntry {{ optional string key = 1; optional Inner value = 2; }} }}
            message Inner {{ {label} int32 n = 1; }}"
        );
        check(
            &text,
            &[0, 0x0a, 0, 0x12, 0, 0x1a, 3, 0x0a, 1, b'k'],
            &format!(r#"{{"own":{{"":{{"n":{inner}}}}},"numbers":{{"":0}},"its":{{"k":null}}}}"#),
        );
        let reason = refused(&parsed(&text), &[0, 0x1a, 0]);
        assert_eq!(reason, "field `its` has an entry without a key");
    }
}

#[test]
fn names_may_differ_by_underscores_only() {
    let schema = parsed(
        "syntax = \"proto3\"; message Row { int32 line1 = 1; int32 line_1 = 2; int32 LINE1 = 3; int32 field2 = 4; }",
    );
    let mut json = String::new();
    let body = [0, 0x08, 1, 0x10, 2, 0x18, 3, 0x20, 4];
    let node = schema.write_json(&body, &mut json).unwrap();
    assert_eq!(json, r#"{"line1":1,"line_1":2,"LINE1":3,"field2":4}"#);
    assert!(node.field("line_1").is_some());
}

#[test]
fn a_message_inside_itself_ends_without_a_schema() {
    let schema =
        parsed("syntax = \"proto3\"; message Tree { int32 n = 1; repeated Tree inner = 2; }");
    let mut json = String::new();
    let body = [0, 0x08, 1, 0x12, 4, 0x08, 2, 0x12, 0];
    let node = schema.write_json(&body, &mut json).unwrap();
    assert_eq!(
        json,
        r#"{"n":1,"inner":[{"n":2,"inner":[{"n":0,"inner":[]}]}]}"#
    );
    let inner = node.field("inner").unwrap().items.as_deref().unwrap();
    assert_eq!(Semantic::of(inner), Semantic::Untyped);
}

#[test]
fn schemas_that_cannot_be_used_say_why() {
    let check = |text: &str, expected: &Expect| {
        let error = ProtobufSchema::parse(&registered(text, &[])).unwrap_err();
        expected.assert_eq(&error);
    };
    check(
        "syntax = \"proto3\"; message Row {\n int32 id 1; }",
        &expect!["line 2: expected '=', but found '1'"],
    );
    check(
        "syntax = \"proto3\"; import \"a/other.proto\"; message Row { int32 id = 1; }",
        &expect!["it imports `a/other.proto`, which is not among the schemas it refers to"],
    );
    check(
        "syntax = \"proto3\"; message Row { Missing id = 1; }",
        &expect!["name 'Missing' is not defined"],
    );
    check(
        "syntax = \"proto3\"; message Row { int32 a = 1; int32 a = 2; }",
        &expect!["camel-case name of field 'a' conflicts with field 'a'"],
    );
    check(
        &"message A {".repeat(100_000),
        &expect!["the text nests more than 64 brackets"],
    );
    check(
        &" ".repeat(5 << 20),
        &expect!["the text has more than 4194304 bytes"],
    );
    // Nothing to decode with: said once a record comes.
    let empty = parsed("syntax = \"proto3\";");
    assert_eq!(
        refused(&empty, &[0]),
        "it is of a message type that its schema does not have"
    );
    // Two fields of the type before, twenty times: a million fields.
    let mut spreading = "syntax = \"proto3\"; message M0 { int32 n = 1; }".to_owned();
    for level in 1..20 {
        let inner = level - 1;
        let _ = write!(
            spreading,
            " message M{level} {{ M{inner} a = 1; M{inner} b = 2; }}"
        );
    }
    let last = [2, 38];
    assert_eq!(
        refused(&parsed(&spreading), &last),
        "its message types spread out into more than 200000 fields"
    );
}
