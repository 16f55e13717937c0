//! Rows of Cassandra, cell by cell.

use expect_test::expect;

use crate::decode;
use crate::folded::shown;

const KEY: Option<&str> = Some(r#"{"id":1}"#);

fn change(op: &str, snapshot: bool, after: &str) -> String {
    format!(
        r#"{{"op":"{op}","ts_ms":6,"after":{after},"source":{{"connector":"cassandra","snapshot":{snapshot},"cluster":"c","keyspace":"k","table":"t","file":"f","pos":1,"ts_ms":5}}}}"#
    )
}

fn cell(value: &str) -> String {
    format!(r#"{{"value":{value},"deletion_ts":null,"set":true}}"#)
}

#[test]
fn cells_that_were_not_set_stay_and_those_set_to_null_are_null() {
    let id = cell("1");
    let row = |a: &str, b: &str| format!(r#"{{"id":{id},"a":{a},"b":{b}}}"#);
    let unset = r#"{"value":null,"deletion_ts":null,"set":false}"#;
    let gone = r#"{"value":null,"deletion_ts":1562202972545,"set":true}"#;
    let steps = [
        change("i", false, &row(&cell("\"x\""), "null")),
        change("u", false, &row("null", &cell("[1, 2]"))),
        change("i", false, &row(unset, &cell("3"))),
        change("u", false, &row(gone, "null")),
        change("i", true, &row("null", &cell("4"))),
    ];
    let mut out = String::new();
    for upto in 1..=steps.len() {
        let records: Vec<_> = steps[..upto]
            .iter()
            .map(|step| (KEY, Some(step.as_str())))
            .collect();
        out.push_str(&shown(&decode(&records)));
    }
    // An update of a row that was never seen leaves its other columns unknown.
    out.push_str(&shown(&decode(&[(KEY, Some(&steps[1]))])));
    expect![[r#"
        a: Text("x"), id: Int(1)
        a: Text("x"), b: Json("[1, 2]"), id: Int(1)
        a: Text("x"), b: Int(3), id: Int(1)
        b: Int(3), id: Int(1)
        b: Int(4), id: Int(1)
        a: Unavailable, b: Json("[1, 2]"), id: Int(1)
    "#]]
    .assert_eq(&out);
}

#[test]
fn with_a_schema_cells_have_the_types_of_their_values() {
    let field = |name: &str, value: &str| {
        format!(
            r#"{{"type":"struct","optional":true,"name":"cell_value","field":"{name}","fields":[{value},{{"type":"int64","optional":true,"field":"deletion_ts"}},{{"type":"boolean","field":"set"}}]}}"#
        )
    };
    let id = field("id", r#"{"type":"int32","field":"value"}"#);
    let at = field(
        "at",
        r#"{"type":"int64","optional":true,"name":"io.debezium.time.Timestamp","field":"value"}"#,
    );
    let schema = format!(
        r#"{{"type":"struct","fields":[{{"type":"struct","field":"after","fields":[{id},{at}]}}]}}"#
    );
    let key = r#"{"schema":{"type":"struct","fields":[{"type":"int32","field":"id"}]},"payload":{"id":1}}"#;
    let row = format!(r#"{{"id":{},"at":{}}}"#, cell("1"), cell("1500"));
    let value = format!(
        r#"{{"schema":{schema},"payload":{}}}"#,
        change("i", false, &row)
    );
    let batch = decode(&[(Some(key), Some(&value)), (Some(key), Some(&value))]);
    expect![[r#"
        at: Timestamp(Moment { seconds: 1, nanos: 500000000 }), id: Int(1)
    "#]]
    .assert_eq(&shown(&batch));
    assert_eq!(batch.schemas.unwrap().shapes().len(), 1);
}

#[test]
fn what_deletes_more_than_a_row_is_refused() {
    let partition = Some(r#"{"id":1,"at":null}"#);
    let row = format!(
        r#"{{"id":{},"at":{{"value":null,"deletion_ts":5,"set":true}}}}"#,
        cell("1")
    );
    let batch = decode(&[
        (partition, Some(&change("d", false, &row))),
        (partition, Some(&change("r", false, &row))),
        (KEY, Some(&change("i", false, r#"{"id":7}"#))),
        (KEY, Some(&change("i", false, "null"))),
    ]);
    let reasons: Vec<_> = batch.failures.iter().map(|failure| failure.kind).collect();
    assert_eq!(
        reasons,
        [
            "deletes_range",
            "deletes_range",
            "bad_cell",
            "missing_image"
        ]
    );
    assert_eq!(batch.changes.len(), 0);
}
