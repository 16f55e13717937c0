//! Values that were not sent, and values that only look so.

use expect_test::expect;

use crate::{SOURCE, check};

const KEY: Option<&str> = Some(r#"{"id":1}"#);

#[test]
fn every_shape_of_the_placeholder_without_a_schema() {
    let after = r#"{"id":1,"text":"__debezium_unavailable_value","bytes":"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==","texts":["__debezium_unavailable_value"],"ints":[95,95,100,101,98,101,122,105,117,109,95,117,110,97,118,97,105,108,97,98,108,101,95,118,97,108,117,101],"uuids":["b68a35a7-17ad-35b3-af2a-ae46edb4545a"],"hstore":{"__debezium_unavailable_value":"__debezium_unavailable_value"},"hstore_json":"{\"__debezium_unavailable_value\":\"__debezium_unavailable_value\"}","whole":["a"],"bytes_array":[95]}"#;
    let update = format!(r#"{{"before":null,"after":{after},{SOURCE},"op":"u","ts_ms":6}}"#);
    check(
        &[(KEY, Some(&update))],
        &expect![[r#"
        0 Upsert [Int(1), Unavailable, Unavailable, Unavailable, Unavailable, Unavailable, Unavailable, Unavailable, Json("[\"a\"]"), Json("[95]")] at Some(0@[77])
        shape: id any, text any, bytes any, texts any, ints any, uuids any, hstore any, hstore_json any, whole any, bytes_array any key Some(["id"])
    "#]],
    );
}

#[test]
fn an_insert_and_a_snapshot_row_have_every_value() {
    let of = |op: &str, connector: &str| {
        let event = format!(
            r#"{{"before":null,"after":{{"id":1,"t":"__debezium_unavailable_value"}},{SOURCE},"op":"{op}","ts_ms":6}}"#
        );
        event.replace(
            r#""connector":"postgresql""#,
            &format!(r#""connector":"{connector}""#),
        )
    };
    check(
        &[
            (KEY, Some(&of("r", "postgresql"))),
            (KEY, Some(&of("c", "postgresql"))),
            (KEY, Some(&of("u", "postgresql"))),
            // Large objects may be left out of any of its rows.
            (KEY, Some(&of("c", "oracle"))),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Text("__debezium_unavailable_value")] at Some(0@[77])
            1 Upsert [Int(1), Text("__debezium_unavailable_value")] at Some(0@[77])
            2 Upsert [Int(1), Unavailable] at Some(0@[77])
            3 Upsert [Int(1), Unavailable] at None
            shape: id any, t any key Some(["id"])
        "#]],
    );
}
