//! What records repeat of those before them changes nothing of what they say.

use expect_test::expect;

use crate::{SOURCE, check};

fn event(op: &str, before: &str, after: &str) -> String {
    format!(r#"{{"before":{before},"after":{after},{SOURCE},"op":"{op}","ts_ms":6}}"#)
}

#[test]
fn names_that_stop_to_repeat_are_read_again() {
    let rows = [
        r#"{"id":1,"a":"x","b":"y"}"#,
        r#"{"id":2,"a":"xx","b":"yy"}"#,
        r#"{"id":3,"b":"yy","a":"xx"}"#,
        r#"{"id":4,"b":"y","a":"x"}"#,
        r#"{"id":5,"a":"x"}"#,
        r#"{"id":6,"a":"x","b":"y","c":"z"}"#,
        r#"{"id":7,"a":{"n":1},"b":null}"#,
        "{}",
    ];
    let records = rows.map(|row| event("c", "null", row));
    let records: Vec<_> = records
        .iter()
        .map(|record| (None, Some(&**record)))
        .collect();
    check(
        &records,
        &expect![[r#"
        0 Upsert [Int(1), Text("x"), Text("y")] at Some(0@[77])
        1 Upsert [Int(2), Text("xx"), Text("yy")] at Some(0@[77])
        2 Upsert [Int(3), Text("yy"), Text("xx")] at Some(0@[77])
        3 Upsert [Int(4), Text("y"), Text("x")] at Some(0@[77])
        4 Upsert [Int(5), Text("x")] at Some(0@[77])
        5 Upsert [Int(6), Text("x"), Text("y"), Text("z")] at Some(0@[77])
        6 Upsert [Int(7), Json("{\"n\":1}"), Null] at Some(0@[77])
        7 Upsert [] at Some(0@[77])
        shape: id any, a any, b any key None
        shape: id any, b any, a any key None
        shape: id any, a any key None
        shape: id any, a any, b any, c any key None
        shape:  key None
    "#]],
    );
}

#[test]
fn each_image_has_its_own_order() {
    let row = |part| {
        let fields = r#"[{"type":"int32","field":"n"},{"type":"string","field":"s"}]"#;
        format!(r#"{{"type":"struct","fields":{fields},"optional":true,"field":"{part}"}}"#)
    };
    let record = |before, after| {
        let (rows, payload) = (
            [row("before"), row("after")].join(","),
            event("u", before, after),
        );
        format!(r#"{{"schema":{{"type":"struct","fields":[{rows}]}},"payload":{payload}}}"#)
    };
    let records = [
        record(r#"{"s":"x","n":1}"#, r#"{"n":2,"s":"y"}"#),
        record(r#"{"s":"y","n":2}"#, r#"{"n":3,"s":"z"}"#),
        record(r#"{"s":"z","n":3}"#, r#"{"n":4,"s":"z"}"#),
    ];
    let records: Vec<_> = records
        .iter()
        .map(|record| (None, Some(&**record)))
        .collect();
    check(
        &records,
        &expect![[r#"
        0 Upsert [Int(2), Text("y")] was [Int(1), Text("x")] at Some(0@[77])
        1 Upsert [Int(3), Text("z")] was [Int(2), Text("y")] at Some(0@[77])
        2 Upsert [Int(4), Text("z")] was [Int(3), Text("z")] at Some(0@[77])
        shape: n int32, s text key None
    "#]],
    );
}
