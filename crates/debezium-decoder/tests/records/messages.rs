//! Logical messages.

use expect_test::expect;

use crate::check_with_headers;

const TOPIC: &str = "e_messages.message";

fn source(tx: &str, lsn: &str) -> String {
    format!(
        r#"{{"version":"3.6.3.Final","connector":"postgresql","name":"e_messages","ts_ms":1795224567467,"snapshot":"false","db":"d","sequence":"[null,\"1\"]","schema":"","table":"","txId":{tx},"lsn":{lsn},"xmin":null}}"#
    )
}

fn message(tx: &str, lsn: &str, prefix: &str, content: &str) -> String {
    let source = source(tx, lsn);
    format!(
        r#"{{"op":"m","ts_ms":1795224567629,"source":{source},"transaction":null,"message":{{"prefix":"{prefix}","content":"{content}"}}}}"#
    )
}

#[test]
fn messages_are_rows_keyed_by_their_lsn() {
    let audit = message("118002", "1088641848", "app.audit", "AP8Q");
    let outside = message("null", "1088641976", "", "");
    let nowhere = message("null", "null", "x", "");
    let key = Some(r#"{"prefix":"app.audit"}"#);
    check_with_headers(
        TOPIC,
        &[
            (key, Some(&audit), &[]),
            (key, Some(&outside), &[]),
            (key, Some(&nowhere), &[]),
        ],
        &expect![[r#"
            0 Upsert [Int(1088641848), Text("app.audit"), Text("AP8Q"), Instant(Moment { seconds: 1795224567, nanos: 467000000 }), Int(118002)] at Some(0@[1088641848])
            1 Upsert [Int(1088641976), Text(""), Text(""), Instant(Moment { seconds: 1795224567, nanos: 467000000 }), Null] at Some(0@[1088641976])
            2 failed: a logical message without `source.lsn`
            shape: lsn int64, prefix text, content any, ts timestamptz, txId int64 key Some(["lsn"])
        "#]],
    );
}

#[test]
fn with_a_schema_the_content_is_bytes() {
    let content = r#"{"type":"bytes","optional":true,"field":"content"}"#;
    let schema = format!(
        r#"{{"type":"struct","fields":[{{"type":"struct","fields":[{content}],"optional":false,"field":"message"}}],"optional":false,"name":"io.debezium.connector.postgresql.MessageValue"}}"#
    );
    let payload = message("118006", "1088642768", "bin", "AP8Q");
    let value = format!(r#"{{"schema":{schema},"payload":{payload}}}"#);
    check_with_headers(
        TOPIC,
        &[(Some(r#"{"prefix":"bin"}"#), Some(&value), &[])],
        &expect![[r#"
            0 Upsert [Int(1088642768), Text("bin"), Bytes([0, 255, 16]), Instant(Moment { seconds: 1795224567, nanos: 467000000 }), Int(118006)] at Some(0@[1088642768])
            shape: lsn int64, prefix text, content bytes, ts timestamptz, txId int64 key Some(["lsn"])
        "#]],
    );
}

#[test]
fn decoded_content_is_still_a_message() {
    let source = source("118021", "1093056880");
    let decoded = format!(
        r#"{{"op":"c","ts_ms":1795224572833,"source":{source},"transaction":null,"after":{{"type":"OrderPaid","id":1}}}}"#
    );
    let of_table = decoded.replace(r#""table":"""#, r#""table":"message""#);
    check_with_headers(
        TOPIC,
        &[(None, Some(&decoded), &[])],
        &expect![[r#"
            0 Upsert [Int(1093056880), Null, Json("{\"type\":\"OrderPaid\",\"id\":1}"), Instant(Moment { seconds: 1795224567, nanos: 467000000 }), Int(118021)] at Some(0@[1093056880])
            shape: lsn int64, prefix text, content any, ts timestamptz, txId int64 key Some(["lsn"])
        "#]],
    );
    check_with_headers(
        TOPIC,
        &[(None, Some(&of_table), &[])],
        &expect![[r#"
        0 Upsert [Text("OrderPaid"), Int(1)] at Some(0@[1093056880])
        shape: type any, id any key None
    "#]],
    );
}
