//! Cloud events in structured JSON.

use expect_test::expect;

use crate::{SOURCE, check, check_with_headers};

const KEY: Option<&str> = Some(r#"{"id":1}"#);

fn event(attributes: &str, data: &str) -> String {
    format!(
        r#"{{"id":"name:i_cloudevents;lsn:1216972672;txId:144963;sequence:[null,\"1216972672\"]","source":"/debezium/postgresql/i_cloudevents","specversion":"1.0","type":"io.debezium.connector.postgresql.DataChangeEvent","time":"2026-11-21T01:33:13.811Z","datacontenttype":"application/json",{attributes}"data":{data}}}"#
    )
}

fn attributes(op: &str, snapshot: &str, lsn: u64) -> String {
    format!(
        r#""iodebeziumop":"{op}","iodebeziumversion":"3.6.3.Final","iodebeziumconnector":"postgresql","iodebeziumname":"i_cloudevents","iodebeziumtsms":"1795224793811","iodebeziumsnapshot":"{snapshot}","iodebeziumdb":"c","iodebeziumsequence":"[null,\"{lsn}\"]","iodebeziumschema":"public","iodebeziumtable":"customers","iodebeziumtxId":"144963","iodebeziumlsn":"{lsn}","iodebeziumxmin":null,"iodebeziumtxid":null,"#
    )
}

#[test]
fn attributes_say_what_the_source_block_says() {
    let rows = [
        event(
            &attributes("r", "first", 70),
            r#"{"before":null,"after":{"id":1,"b":"3q0="}}"#,
        ),
        event(
            &attributes("u", "false", 71),
            r#"{"before":null,"after":{"id":1,"b":null}}"#,
        ),
        event(
            &attributes("d", "false", 72),
            r#"{"before":{"id":1,"b":null},"after":null}"#,
        ),
    ];
    check(
        &[
            (KEY, Some(&rows[0])),
            (KEY, Some(&rows[1])),
            (KEY, Some(&rows[2])),
            (KEY, None),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Text("3q0=")] FirstOfTable at Some(0@[70])
            1 Upsert [Int(1), Null] at Some(0@[71])
            2 Delete at Some(0@[72])
            shape: id any, b any key Some(["id"])
        "#]],
    );
}

#[test]
fn data_may_have_its_schema_or_be_the_whole_envelope() {
    let row = |field: &str| {
        format!(
            r#"{{"type":"struct","fields":[{{"type":"int32","optional":false,"field":"id"}}],"optional":true,"field":"{field}"}}"#
        )
    };
    let typed = format!(
        r#"{{"schema":{{"type":"struct","fields":[{},{}],"optional":false}},"payload":{{"before":null,"after":{{"id":1}}}}}}"#,
        row("before"),
        row("after")
    );
    let typed = event(&attributes("c", "false", 70), &typed);
    let whole = format!(r#"{{"before":null,"after":{{"id":1}},{SOURCE},"op":"c","ts_ms":6}}"#);
    let whole = event("", &whole);
    check(
        &[
            (KEY, Some(&typed)),
            (KEY, Some(&typed)),
            (KEY, Some(&whole)),
        ],
        &expect![[r#"
            0 Upsert [Int(1)] at Some(0@[70])
            1 Upsert [Int(1)] at Some(0@[70])
            2 Upsert [Int(1)] at Some(0@[77])
            shape: id int32 key Some(["id"])
            shape: id any key Some(["id"])
        "#]],
    );
}

#[test]
fn without_attributes_the_images_tell_and_there_is_no_position() {
    let rows = [
        event("", r#"{"before":null,"after":{"id":1,"t":"x"}}"#),
        event(
            "",
            r#"{"before":null,"after":{"id":1,"t":"__debezium_unavailable_value"}}"#,
        ),
        event("", r#"{"before":{"id":1,"t":null},"after":null}"#),
        event("", r#"{"before":null,"after":null}"#),
    ];
    check(
        &[
            (KEY, Some(&rows[0])),
            (KEY, Some(&rows[1])),
            (KEY, Some(&rows[2])),
            (None, Some(&rows[3])),
        ],
        &expect![[r#"
            0 Upsert [Int(1), Text("x")] at None
            1 Upsert [Int(1), Unavailable] at None
            2 Delete at None
            3 Truncate at None
            shape: id any, t any key Some(["id"])
        "#]],
    );
}

#[test]
fn avro_data_and_other_peoples_events_are_refused() {
    let avro = event(&attributes("r", "first", 70), r#""AAAAAAEAAgICYQ==""#);
    let other =
        r#"{"specversion":"1.0","type":"com.example.paid","id":"1","source":"/x","data":{"id":1}}"#;
    check(
        &[(KEY, Some(&avro)), (None, Some(other))],
        &expect![[r#"
        0 failed: the data of the cloud event is framed for a schema registry (Avro or Protobuf), and none is configured
        1 failed: a flattened row without a key; declare the table's key in config, or send envelopes
    "#]],
    );
}

#[test]
fn heartbeats_and_boundaries_without_a_value_are_no_deletes() {
    let heartbeat = Some(r#"{"serverName":"s"}"#);
    let boundary = Some(r#"{"id":"145501:1324861200"}"#);
    for (topic, key) in [
        ("__debezium-heartbeat.s", heartbeat),
        ("beat.s", heartbeat),
        ("s.transaction", boundary),
    ] {
        check_with_headers(topic, &[(key, None, &[])], &expect![""]);
    }
    // Where rows have been read, a key of such a name is one of theirs.
    let row = format!(r#"{{"before":null,"after":{{"id":"a"}},{SOURCE},"op":"c","ts_ms":6}}"#);
    let of_row = Some(r#"{"id":"a"}"#);
    check_with_headers(
        "s.transaction",
        &[(of_row, Some(&row), &[]), (boundary, None, &[])],
        &expect![[r#"
            0 Upsert [Text("a")] at Some(0@[77])
            1 Delete at None
            shape: id any key Some(["id"])
        "#]],
    );
    // A table may be called so.
    check_with_headers(
        "s.public.transaction",
        &[(boundary, None, &[])],
        &expect![[r#"
            0 Delete at None
        "#]],
    );
}
