//! A record that cannot be understood or applied is set aside with its place and its reason, told
//! everywhere, and kept; the table goes on as if it had not come.

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use black_box::exact::Exact;
use black_box::orders::{COMMITTED_MS, TOPIC, change};
use black_box::records::Record;
use black_box::server::Server;
use black_box::site::{Settings, Site};
use serde_json::{Value, json};

const TYPED_TOPIC: &str = "shop.public.typed";

/// How much of a record's bytes `GET /v1/quarantine` shows.
const SHOWN_BYTES_MAX: usize = 4_096;

fn order(id: i64, status: &str) -> Value {
    json!({"id": id, "status": status})
}

/// A change with its schema embedded in the record.
fn typed(offset: i64, id: &Value, quantity: &Value) -> Record {
    let field = |kind: &str, name: &str| json!({"type": kind, "optional": true, "field": name});
    let required = |name: &str| json!({"type": "int32", "optional": false, "field": name});
    let row = |name: &str| {
        let fields = [required("id"), required("quantity")];
        json!({"type": "struct", "optional": true, "field": name, "fields": fields})
    };
    let source_text = ["connector", "name", "snapshot", "db", "schema", "table"];
    let source_numbers = ["ts_ms", "txId", "lsn"];
    let source_fields: Vec<Value> = (source_text.iter().map(|name| field("string", name)))
        .chain(source_numbers.iter().map(|name| field("int64", name)))
        .collect();
    let source = json!({
        "type": "struct",
        "optional": false,
        "name": "io.debezium.connector.postgresql.Source",
        "field": "source",
        "fields": source_fields,
    });
    let envelope = json!({
        "type": "struct",
        "optional": false,
        "name": "shop.public.typed.Envelope",
        "version": 2,
        "fields": [row("before"), row("after"), source, field("string", "op"), field("int64", "ts_ms")],
    });
    let payload = json!({
        "before": null,
        "after": {"id": id, "quantity": quantity},
        "source": {
            "connector": "postgresql",
            "name": "shop",
            "snapshot": "false",
            "db": "shop",
            "schema": "public",
            "table": "typed",
            "ts_ms": COMMITTED_MS + offset,
            "txId": 900 + offset,
            "lsn": 2_000 + offset,
        },
        "op": "c",
        "ts_ms": COMMITTED_MS + offset + 1,
    });
    let key_schema = json!({"type": "struct", "optional": false, "fields": [required("id")]});
    // As the converter writes it: the schema first.
    let with_schema = |schema: &Value, payload: &Value| {
        Some(format!(r#"{{"schema":{schema},"payload":{payload}}}"#))
    };
    Record {
        key: with_schema(&key_schema, &json!({"id": id})),
        value: with_schema(&envelope, &payload),
        ..Record::new(TYPED_TOPIC, 0, offset)
    }
}

fn with_value(record: Record, value: impl FnOnce(String) -> String) -> Record {
    let text = record.value.clone().unwrap_or_default();
    Record {
        value: Some(value(text)),
        ..record
    }
}

/// One record of each kind that must be set aside, and what it is. Good ones stand between them.
fn bad_records() -> Vec<(&'static str, Record)> {
    let good = |offset: i64| change(offset, "c", 100 + offset, &order(100 + offset, "bad"));
    let mut not_utf8 = good(4).value.unwrap_or_default().into_bytes();
    // In the middle of the word "bad".
    let word = not_utf8.windows(3).position(|bytes| bytes == b"bad");
    not_utf8[word.unwrap_or_default() + 1] = 0xff;
    let not_utf8 = Record {
        value: None,
        value_b64: Some(STANDARD.encode(not_utf8)),
        ..good(4)
    };
    vec![
        (
            "truncated JSON",
            with_value(good(1), |text| text[..text.len() / 2].to_owned()),
        ),
        ("an unknown op", change(2, "x", 102, &order(102, "bad"))),
        (
            "a row that is no object",
            change(3, "c", 103, &json!("no row")),
        ),
        ("no UTF-8", not_utf8),
        (
            "10 MB",
            change(5, "c", 105, &order(105, &"x".repeat(10 * 1024 * 1024))),
        ),
        (
            "a key that does not match the row",
            change(6, "c", 106, &order(999, "bad")),
        ),
        (
            "an op of another type",
            with_value(good(7), |text| text.replace("\"op\":\"c\"", "\"op\":5")),
        ),
        (
            "text in an integer column",
            typed(1, &json!(2), &json!("many")),
        ),
    ]
}

/// The bad records of both topics, good ones before, between and after them.
fn log() -> Vec<Record> {
    let mut log = vec![
        change(0, "r", 1, &order(1, "new")),
        typed(0, &json!(1), &json!(10)),
    ];
    log.extend(bad_records().into_iter().map(|(_, record)| record));
    log.push(change(8, "u", 1, &order(1, "paid")));
    log.push(change(9, "c", 2, &order(2, "new")));
    log.push(typed(2, &json!(3), &json!(30)));
    log
}

fn table<'a>(list: &'a Exact, topic: &str) -> anyhow::Result<&'a Exact> {
    let tables = list.get("tables").as_list().context("no tables")?;
    tables
        .iter()
        .find(|table| table.get("topic").as_text() == Some(topic))
        .with_context(|| format!("no table of {topic}"))
}

/// Topic and offset of a quarantined record, if it has all that must be told of it.
fn place(record: &Exact) -> Option<(String, i64)> {
    let reason = record
        .get("reason")
        .as_text()
        .filter(|reason| !reason.is_empty());
    let partition = record
        .get("partition")
        .as_integer()
        .filter(|partition| *partition == 0);
    Some((
        record.get("topic").as_text()?.to_owned(),
        record.get("offset").as_integer()?,
    ))
    .filter(|_| reason.is_some() && partition.is_some())
}

fn check_quarantined(server: &Server) -> anyhow::Result<()> {
    let bad = bad_records();
    let mut expected: Vec<(String, i64)> = bad
        .iter()
        .map(|(_, record)| (record.topic.clone(), record.offset))
        .collect();
    expected.sort();
    let status = server.found("/v1/status", &[])?;
    let mut newest: Vec<_> = status
        .get("quarantine")
        .as_list()
        .context("no quarantine in the status")?
        .iter()
        .filter_map(place)
        .collect();
    newest.sort();
    let name = |(topic, offset): &(String, i64)| {
        bad.iter()
            .find(|(_, record)| record.topic == *topic && record.offset == *offset)
            .map(|(name, _)| *name)
    };
    let missing: Vec<_> = expected
        .iter()
        .filter(|place| !newest.contains(place))
        .map(name)
        .collect();
    ensure!(
        newest == expected,
        "not in the status: {missing:?}; the status has {newest:?}"
    );
    let tables = server.found("/v1/tables", &[])?;
    for topic in [TOPIC, TYPED_TOPIC] {
        let count = bad
            .iter()
            .filter(|(_, record)| record.topic == topic)
            .count() as i64;
        let (told, in_status) = (table(&tables, topic)?, table(&status, topic)?);
        for counted in [
            told.get("quarantined"),
            told.get("fresh").get("quarantined"),
            in_status.get("quarantined"),
        ] {
            ensure!(
                counted.as_integer() == Some(count),
                "{topic}: {counted} quarantined, should be {count}"
            );
        }
    }
    Ok(())
}

fn check_rows(server: &Server) -> anyhow::Result<()> {
    let tables = server.found("/v1/tables", &[])?;
    let rows = |topic: &str| {
        server.rows(
            table(&tables, topic)?
                .get("name")
                .as_text()
                .context("no name")?,
        )
    };
    let orders = Exact::parse(r#"[{"id":1,"status":"paid"},{"id":2,"status":"new"}]"#)?;
    let typed = Exact::parse(r#"[{"id":1,"quantity":10},{"id":3,"quantity":30}]"#)?;
    assert_eq!(Exact::List(rows(TOPIC)?), orders);
    assert_eq!(Exact::List(rows(TYPED_TOPIC)?), typed);
    Ok(())
}

#[test]
fn every_bad_record_is_set_aside_and_the_tables_go_on() -> anyhow::Result<()> {
    let site = Site::new(Settings::default())?;
    site.deliver(&log())?;
    let mut server = site.start()?;
    server.ready()?;
    check_rows(&server)?;
    check_quarantined(&server)?;
    assert_eq!(server.stop()?, 0);
    Ok(())
}

#[test]
fn what_was_set_aside_is_still_there_after_a_restart() -> anyhow::Result<()> {
    let site = Site::new(Settings::default())?;
    site.deliver(&log())?;
    for life in 0..2 {
        let mut server = site.start()?;
        server.ready()?;
        check_rows(&server).with_context(|| format!("life {life}"))?;
        check_quarantined(&server).with_context(|| format!("life {life}"))?;
        assert_eq!(server.stop()?, 0);
    }
    Ok(())
}

#[test]
fn the_bytes_of_what_was_set_aside_can_be_read() -> anyhow::Result<()> {
    let site = Site::new(Settings::default())?;
    site.deliver(&log())?;
    let mut server = site.start()?;
    server.ready()?;
    let quarantine = server.found("/v1/quarantine", &[("table", "orders")])?;
    let kept = quarantine.get("records").as_list().context("no records")?;
    let bad = bad_records();
    let of_table: Vec<_> = bad
        .iter()
        .filter(|(_, record)| record.topic == TOPIC)
        .collect();
    assert_eq!(
        kept.len(),
        of_table.len(),
        "one entry for each record of that table, and none of another"
    );
    for (name, record) in of_table {
        let told = kept
            .iter()
            .find(|told| place(told) == Some((record.topic.clone(), record.offset)));
        let told = told.with_context(|| format!("not in the quarantine: {name}"))?;
        let bytes = |text: &Option<String>, encoded: &Option<String>| match encoded {
            Some(encoded) => STANDARD.decode(encoded),
            None => Ok(text.clone().unwrap_or_default().into_bytes()),
        };
        for (member, mut sent) in [
            ("key_b64", bytes(&record.key, &record.key_b64)?),
            ("value_b64", bytes(&record.value, &record.value_b64)?),
        ] {
            sent.truncate(SHOWN_BYTES_MAX);
            let shown = STANDARD.decode(
                told.get(member)
                    .as_text()
                    .with_context(|| format!("{name}: no {member}"))?,
            )?;
            ensure!(shown == sent, "{name}: {member} is not what was sent");
        }
        ensure!(*told.get("time") != Exact::Null, "{name}: no time");
    }
    Ok(())
}

#[test]
fn good_input_leaves_the_quarantine_empty() -> anyhow::Result<()> {
    let site = Site::new(Settings::default())?;
    site.deliver(&[
        change(0, "r", 1, &order(1, "new")),
        typed(0, &json!(1), &json!(10)),
    ])?;
    let mut server = site.start()?;
    server.ready()?;
    assert_eq!(
        server.found("/v1/quarantine", &[])?.get("records"),
        &Exact::List(Vec::new())
    );
    assert_eq!(
        server.found("/v1/status", &[])?.get("quarantine"),
        &Exact::List(Vec::new())
    );
    Ok(())
}
