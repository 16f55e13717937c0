//! Every row of the table of semantic types: once by its schema and once, without one, by a hint.

#![expect(
    clippy::unwrap_used,
    reason = "what is asked for was decoded from a test's own record"
)]

use std::fmt::Write as _;

use expect_test::{ExpectFile, expect, expect_file};
use row_model::{ChangeBatch, Row};

use crate::columns::{decode, decoder, rules};
use crate::{Record, SOURCE, TOPIC};

fn value_of(out: &ChangeBatch) -> String {
    match (&out.changes[..], &out.failures[..]) {
        ([change], []) => {
            let shape = out.schemas.as_ref().unwrap().get(change.schema).unwrap();
            let value = Row::new(out.slice(&change.row)).get(0).unwrap();
            format!("{} {value:?}", shape.columns[0].kind.name())
        }
        ([], [failure]) => format!("failed: {}", failure.reason),
        other => panic!("{other:?}"),
    }
}

/// The value of a column `c`, whose schema is given or whose type is hinted.
fn value(field: Option<&str>, hint: Option<&str>, token: &str) -> String {
    let payload = format!(r#"{{"before":null,"after":{{"c":{token}}},{SOURCE},"op":"u"}}"#);
    let payload = match field {
        None => payload,
        Some(field) => format!(
            r#"{{"schema":{{"type":"struct","fields":[{{"type":"struct","field":"after","fields":[{{{field},"optional":true,"field":"c"}}]}}]}},"payload":{payload}}}"#
        ),
    };
    let hints: Vec<_> = hint.map(|hint| ("c", hint)).into_iter().collect();
    let record: Record<'_> = (Some(r#"{"id":1}"#), Some(&payload), &[]);
    value_of(&decode(
        decoder(TOPIC, &rules(&[], &[], &hints)),
        TOPIC,
        &[record],
    ))
}

/// Each case is a schema, the hint that says the same, and tokens. One line tells what both make of a
/// token, two lines where they differ.
fn check(cases: &[(&str, &str, &[&str])], expected: &ExpectFile) {
    let mut text = String::new();
    for (field, hint, tokens) in cases {
        let _ = writeln!(text, "{hint}");
        for token in *tokens {
            let (typed, hinted) = (
                value(Some(field), None, token),
                value(None, Some(hint), token),
            );
            let _ = writeln!(text, "  {token}: {typed}");
            if typed != hinted {
                let _ = writeln!(text, "    hinted: {hinted}");
            }
        }
    }
    expected.assert_eq(&text);
}

const DECIMAL: &str =
    r#""type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}"#;
const VARIABLE: &str = r#""type":"struct","name":"io.debezium.data.VariableScaleDecimal","fields":[{"type":"int32","field":"scale"},{"type":"bytes","field":"value"}]"#;

#[test]
fn numbers() {
    check(
        &[
            (r#""type":"int16""#, "int16", &["-32768", "null", "32768"]),
            (r#""type":"int32""#, "int32", &["2147483647", "1.5"]),
            (
                r#""type":"int64""#,
                "int64",
                &["9223372036854775807", r#""7""#],
            ),
            (
                r#""type":"float""#,
                "float32",
                &["1.5", r#""NaN""#, r#""-Infinity""#, "true"],
            ),
            (r#""type":"double""#, "float64", &["-0.0", r#""Infinity""#]),
            (r#""type":"boolean""#, "bool", &["true", "false", "2"]),
            (
                r#""type":"int32","name":"io.debezium.time.Year""#,
                "year",
                &["2155", "1"],
            ),
            (
                DECIMAL,
                "decimal(2)",
                &[
                    r#""D54=""#,
                    "1.10",
                    "99999999999999999999999999999999999.10",
                    r#""*""#,
                ],
            ),
            (
                VARIABLE,
                "decimal",
                &[r#"{"scale":1,"value":"Dw=="}"#, r#"{"scale":1}"#],
            ),
            (
                r#""type":"string""#,
                "decimal",
                &[
                    r#""100.00""#,
                    r#""NAN""#,
                    r#""POSITIVE_INFINITY""#,
                    r#""NEGATIVE_INFINITY""#,
                    r#""x""#,
                ],
            ),
            (r#""type":"double""#, "decimal", &["100.50"]),
        ],
        &expect_file!["types/numbers.txt"],
    );
}

#[test]
fn a_decimal_has_no_more_digits_than_a_database() {
    let huge = DECIMAL.replace("\"2\"", "\"999999999\"");
    assert_eq!(
        value(Some(&huge), None, r#""Dw==""#),
        "failed: column `c` is not a valid decimal: it has more digits than any database"
    );
    let variable = r#"{"scale":-2000000000,"value":"Dw=="}"#;
    assert!(value(Some(VARIABLE), None, variable).starts_with("failed"));
    assert!(value(None, Some("decimal"), variable).starts_with("failed"));
    assert!(value(Some(DECIMAL), None, "1e-30000").starts_with("failed"));
    // numeric(3,-2), as the connector writes it.
    let negative = DECIMAL.replace("\"2\"", "\"2046\"");
    assert!(value(Some(&negative), None, r#""Dw==""#).starts_with("decimal"));
    let nested = format!(r#""type":"array","items":{{{VARIABLE}}}"#);
    assert!(value(Some(&nested), None, &format!("[{variable}]")).starts_with("failed"));
}

#[test]
fn dates_and_times() {
    let time = |name: &str| format!(r#""type":"int64","name":"{name}""#);
    let connect = "org.apache.kafka.connect.data";
    check(
        &[
            (
                &time("io.debezium.time.Date"),
                "date",
                &[
                    "19782",
                    "-2147472692",
                    "-2147472691",
                    "-622191234",
                    "-625821272",
                    r#""x""#,
                ],
            ),
            (&time(&format!("{connect}.Date")), "date", &["-1"]),
            (&time("io.debezium.time.Time"), "time", &["45296123"]),
            (&time(&format!("{connect}.Time")), "time", &["0"]),
            (
                &time("io.debezium.time.MicroTime"),
                "micro_time",
                &["86400000000", "-3020399000000"],
            ),
            (
                &time("io.debezium.time.NanoTime"),
                "nano_time",
                &["45296123456789", "-3020399000000000"],
            ),
        ],
        &expect_file!["types/dates_and_times.txt"],
    );
}

#[test]
fn timestamps_and_durations() {
    let time = |name: &str| format!(r#""type":"int64","name":"{name}""#);
    let connect = "org.apache.kafka.connect.data";
    check(
        &[
            (
                &time("io.debezium.time.Timestamp"),
                "timestamp",
                &[
                    "1500",
                    "9223372036825200",
                    "-9223372036832400",
                    "9223372036825200000",
                ],
            ),
            (&time(&format!("{connect}.Timestamp")), "timestamp", &["-1"]),
            (
                &time("io.debezium.time.MicroTimestamp"),
                "micro_timestamp",
                &[
                    "1500000",
                    "9223372036825200000",
                    "-9223372036832400000",
                    "9223372036825200",
                ],
            ),
            (
                &time("io.debezium.time.NanoTimestamp"),
                "nano_timestamp",
                &[
                    "1500000001",
                    "9223372036854775807",
                    "-9223372036854775808",
                    "9223372036825200000",
                ],
            ),
            (
                &time("io.debezium.time.MicroDuration"),
                "micro_duration",
                &["93784500000"],
            ),
        ],
        &expect_file!["types/timestamps_and_durations.txt"],
    );
}

#[test]
fn times_as_text() {
    let text = |name: &str| format!(r#""type":"string","name":"io.debezium.time.{name}""#);
    check(
        &[
            (
                &text("ZonedTimestamp"),
                "zoned_timestamp",
                &[
                    r#""2024-02-29T10:34:56.123456Z""#,
                    r#""infinity""#,
                    r#""-infinity""#,
                    r#""+294276-12-31T23:59:59.999999Z""#,
                    r#""soon""#,
                ],
            ),
            (&text("ZonedTime"), "zoned_time", &[r#""07:04:56.123456Z""#]),
            (
                &text("IsoDate"),
                "iso_date",
                &[
                    r#""2024-02-29Z""#,
                    r#""+292278994-08-16Z""#,
                    r#""-5877611-06-22Z""#,
                ],
            ),
            (&text("IsoTime"), "iso_time", &[r#""12:34:56.123456Z""#]),
            (
                &text("IsoTimestamp"),
                "iso_timestamp",
                &[
                    r#""2024-02-29T12:34:56Z""#,
                    r#""+294247-01-10T04:00:25.2Z""#,
                    r#""-290308-12-21T19:59:27.6Z""#,
                ],
            ),
            (
                &text("Interval"),
                "interval",
                &[r#""P1Y2M3DT4H5M6.789012S""#],
            ),
        ],
        &expect_file!["types/times_as_text.txt"],
    );
}

#[test]
fn texts_and_bytes() {
    let text = |name: &str| format!(r#""type":"string","name":"io.debezium.data.{name}""#);
    let bits = r#""type":"bytes","name":"io.debezium.data.Bits","parameters":{"length":"12"}"#;
    check(
        &[
            (
                r#""type":"string""#,
                "text",
                &[r#""a\u00e9""#, r#""__debezium_unavailable_value""#],
            ),
            (
                &text("Json"),
                "json",
                &[
                    r#""{\"a\": 1.0}""#,
                    r#""{broken""#,
                    r#""__debezium_unavailable_value""#,
                ],
            ),
            (
                &text("Uuid"),
                "uuid",
                &[r#""b68a35a7-17ad-35b3-af2a-ae46edb4545a""#, r#""x""#],
            ),
            (&text("Xml"), "xml", &[r#""<a/>""#]),
            (&text("Ltree"), "text", &[r#""a.b""#]),
            (&text("Tsvector"), "text", &[r#""'a':1""#]),
            (&text("Enum"), "enum", &[r#""a""#]),
            (
                &text("EnumSet"),
                "enum_set",
                &[r#""x,z""#, r#""a\\,b,c""#, r#""""#],
            ),
            (
                r#""type":"bytes""#,
                "bytes",
                &[
                    r#""AP8=""#,
                    r#""X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==""#,
                    r#""*""#,
                ],
            ),
            (
                r#""type":"string""#,
                "bytes_hex",
                &[
                    r#""00fF""#,
                    r#""__debezium_unavailable_value""#,
                    r#""0""#,
                    r#""zz""#,
                ],
            ),
            (
                r#""type":"string""#,
                "bytes_base64url",
                &[r#""-_8=""#, r#""-_8""#, r#""+/8=""#],
            ),
            (bits, "bits(12)", &[r#""BQ==""#, r#""BQg=""#, r#""""#]),
        ],
        &expect_file!["types/texts_and_bytes.txt"],
    );
}

#[test]
fn arrays() {
    let items = |items: &str| format!(r#""type":"array","items":{{{items},"optional":true}}"#);
    check(
        &[
            (
                &items(r#""type":"int32""#),
                "array(int32)",
                &["[1,null]", "[]", "{}"],
            ),
            (
                &items(DECIMAL),
                "array(decimal(2))",
                &[r#"["D54=",null,1e2]"#],
            ),
            (
                &items(r#""type":"int32","name":"io.debezium.time.Date""#),
                "array(date)",
                &["[19782,null]"],
            ),
            (&items(r#""type":"int64""#), "array(uint64)", &["[-1]"]),
            (
                &items(r#""type":"int16""#),
                "array(bool)",
                &["[1,0]", "[2]"],
            ),
            (
                &items(r#""type":"string""#),
                "array(bytes_hex)",
                &[r#"["00ff"]"#],
            ),
        ],
        &expect_file!["types/arrays.txt"],
    );
}

#[test]
fn nested_values() {
    let vector = |name: &str, items: &str| {
        format!(r#""type":"array","name":"io.debezium.data.{name}","items":{{"type":"{items}"}}"#)
    };
    let sparse = r#""type":"struct","name":"io.debezium.data.SparseDoubleVector","fields":[{"type":"int16","field":"dimensions"},{"type":"map","keys":{"type":"int16"},"values":{"type":"double"},"field":"vector"}]"#;
    let shape = |name: &str| {
        format!(
            r#""type":"struct","name":"io.debezium.data.geometry.{name}","fields":[{{"type":"bytes","field":"wkb"}},{{"type":"int32","field":"srid","optional":true}}]"#
        )
    };
    let map = r#""type":"map","keys":{"type":"string"},"values":{"type":"string","optional":true}"#;
    check(
        &[
            (
                &vector("DoubleVector", "double"),
                "array(float64)",
                &["[1.0,2.5]"],
            ),
            (
                &vector("FloatVector", "float"),
                "array(float32)",
                &["[0.3330078]"],
            ),
            (
                sparse,
                "struct",
                &[r#"{"dimensions":1000,"vector":[[1,1.5],[999,-2.0]]}"#],
            ),
            (
                &shape("Geometry"),
                "struct",
                &[r#"{"wkb":"AQEAAAA=","srid":4326}"#],
            ),
            (
                &shape("Geography"),
                "struct",
                &[r#"{"wkb":"AQEAAAA=","srid":null}"#],
            ),
            (
                &shape("Point"),
                "struct",
                &[r#"{"x":1.0,"y":2.0,"wkb":"AQEAAAA=","srid":null}"#],
            ),
            (map, "map(text)", &[r#"{"a":"1","d":null}"#]),
        ],
        &expect_file!["types/nested_values.txt"],
    );
}

/// What schemas leave open, hints say; what they say, counts.
#[test]
fn hints_beside_a_schema() {
    let mut text = String::new();
    for (field, hint, token) in [
        (r#""type":"int64""#, "uint64", "-1"),
        (r#""type":"int64""#, "uint64", "7"),
        (r#""type":"int16""#, "bool", "1"),
        (r#""type":"string""#, "bytes_hex", r#""00ff""#),
        (r#""type":"string""#, "bytes_base64url", r#""-_8=""#),
        (r#""type":"string""#, "json", r#""{\"a\":1}""#),
        (
            r#""type":"int64","name":"io.debezium.time.MicroTimestamp""#,
            "timestamp",
            "1500000",
        ),
        (r#""type":"int32""#, "text", "7"),
        (DECIMAL, "decimal(3)", r#""D54=""#),
    ] {
        let _ = writeln!(
            text,
            "{hint} {token}: {}",
            value(Some(field), Some(hint), token)
        );
    }
    expect![[r#"
        uint64 -1: uint64 UInt(18446744073709551615)
        uint64 7: uint64 Int(7)
        bool 1: boolean Bool(true)
        bytes_hex "00ff": bytes Bytes([0, 255])
        bytes_base64url "-_8=": bytes Bytes([251, 255])
        json "{\"a\":1}": json Json("{\"a\":1}")
        timestamp 1500000: timestamp Timestamp(Moment { seconds: 1, nanos: 500000000 })
        text 7: int32 Int(7)
        decimal(3) "D54=": decimal Decimal(Decimal { scale: 2, unscaled: [15, 158] })
    "#]]
    .assert_eq(&text);

    let payload = format!(
        r#"{{"schema":{{"type":"struct","fields":[{{"type":"struct","field":"after","fields":[{{"type":"int64","name":"io.debezium.time.MicroTimestamp","field":"c"}}]}}]}},"payload":{{"after":{{"c":1}},{SOURCE},"op":"c"}}}}"#
    );
    let record: Record<'_> = (Some(r#"{"id":1}"#), Some(&payload), &[]);
    let out = decode(
        decoder(TOPIC, &rules(&[], &[], &[("c", "time")])),
        TOPIC,
        &[record],
    );
    expect!["columns.types says c is time, the records' schema says timestamp: the schema counts"]
        .assert_eq(&out.notes.unwrap().join("\n"));
}

#[test]
fn keys_have_the_types_of_their_columns() {
    let hints = rules(&[], &[], &[("d", "date"), ("n", "decimal(2)")]);
    let create = format!(r#"{{"before":null,"after":{{"d":19782,"n":"ANw="}},{SOURCE},"op":"c"}}"#);
    let other: &[(&str, Option<&str>)] =
        &[("__debezium.oldkey", Some(r#"{"d":2024-02-29,"n":2.20}"#))];
    let record: Record<'_> = (Some(r#"{"d":19782,"n":"ANw="}"#), Some(&create), other);
    let out = decode(decoder(TOPIC, &hints), TOPIC, &[record]);
    let [change] = &out.changes[..] else {
        panic!("{:?}", out.failures)
    };
    let mut expected = Vec::new();
    let day = row_model::Value::Date(19_782);
    let number = row_model::Value::Decimal(row_model::Decimal::new(2, &[0, 220]));
    row_model::encode_key([day, number], &mut expected).unwrap();
    assert_eq!(out.slice(&change.key), expected);
    // With a hint even a date in the header of the default converter can be read.
    assert_eq!(out.slice(&change.other_key), expected);
}
