//! Documents of MongoDB over HTTP: looked up by the plain id, merged across a restart.

use anyhow::{Context, ensure};
use black_box::exact::Exact;
use black_box::records::Record;
use black_box::server::Server;
use black_box::site::{Settings, Site};
use serde_json::{Value, json};

const TOPIC: &str = "m.inventory.things";

/// The event of an operation on the document with this id, as keys spell it.
fn event(offset: i64, id: &str, op: &str, rest: &Value) -> Record {
    let source = json!({
        "connector": "mongodb", "name": "m", "ts_ms": 1_795_000_000_000_i64 + offset, "snapshot": "false",
        "db": "inventory", "collection": "things", "ord": 1, "wallTime": 1_795_000_000_000_i64 + offset,
    });
    let mut value = json!({"before": null, "after": null, "op": op, "source": source, "ts_ms": 6});
    if let (Some(value), Some(rest)) = (value.as_object_mut(), rest.as_object()) {
        value.extend(rest.clone());
    }
    Record {
        key: Some(json!({"id": id}).to_string()),
        value: Some(value.to_string()),
        ..Record::new(TOPIC, 0, offset)
    }
}

/// The row that a lookup of this path segment finds.
fn looked_up(server: &Server, segment: &str) -> anyhow::Result<Exact> {
    let body = server.found(&format!("/v1/tables/things/rows/{segment}"), &[])?;
    Ok(body.get("row").clone())
}

fn check(server: &Server, segment: &str, expected: &str) -> anyhow::Result<()> {
    let row = looked_up(server, segment).with_context(|| segment.to_owned())?;
    ensure!(row.same(&Exact::parse(expected)?), "{segment}: {row:?}");
    Ok(())
}

/// Delivers a document of each id and looks all of them up.
fn check_ids(ids: &[(String, String, &str, String)]) -> anyhow::Result<()> {
    let records: Vec<_> = (0..)
        .zip(ids)
        .map(|(offset, (key, id, ..))| {
            let after = json!({"after": format!(r#"{{"_id": {id}, "n": NaN}}"#)});
            event(offset, key, "c", &after)
        })
        .collect();
    let site = Site::new(Settings::default())?;
    site.deliver(&records)?;
    let mut server = site.start()?;
    server.ready()?;
    server.applied_at_least(records.len() as i64)?;
    for (_, _, segment, shown) in ids {
        check(&server, segment, &format!(r#"{{"_id":{shown},"n":"NaN"}}"#))?;
    }
    Ok(())
}

#[test]
fn every_kind_of_id_is_found_by_its_plain_spelling() -> anyhow::Result<()> {
    // The id as a key spells it, as the document does, as a path has it, and as the row shows it.
    let hex = "596e275826f08b2730779e1f";
    let ids = [
        (
            "1004".to_owned(),
            "1004".to_owned(),
            "1004",
            "1004".to_owned(),
        ),
        (
            "9007199254740993".into(),
            r#"{"$numberLong": "9007199254740993"}"#.into(),
            "9007199254740993",
            "9007199254740993".into(),
        ),
        (
            format!(r#"{{"$oid": "{hex}"}}"#),
            format!(r#"{{"$oid": "{hex}"}}"#),
            hex,
            format!("\"{hex}\""),
        ),
        (
            r#""a/b,c""#.into(),
            r#""a/b,c""#.into(),
            "a%2Fb%2Cc",
            r#""a/b,c""#.into(),
        ),
        (
            r#""596e275826f08b2730779e20""#.into(),
            r#""596e275826f08b2730779e20""#.into(),
            "596e275826f08b2730779e20",
            r#""596e275826f08b2730779e20""#.into(),
        ),
        (
            r#"{"$binary": {"base64": "9HrBC1jMQ3KlZw4CssPUeQ==", "subType": "04"}}"#.into(),
            r#"{"$binary": "9HrBC1jMQ3KlZw4CssPUeQ==", "$type": "04"}"#.into(),
            "f47ac10b-58cc-4372-a567-0e02b2c3d479",
            r#""f47ac10b-58cc-4372-a567-0e02b2c3d479""#.into(),
        ),
        (
            r#"{"$date": "2024-02-29T12:34:56.123Z"}"#.into(),
            r#"{"$date": 1709210096123}"#.into(),
            "2024-02-29T12:34:56.123Z",
            r#""2024-02-29T12:34:56.123Z""#.into(),
        ),
        (
            r#"{"a": 1, "at": {"$date": "1970-01-01T00:00:00Z"}}"#.into(),
            r#"{"a": 1, "at": {"$date": 0}}"#.into(),
            "%7B%22a%22%3A1%2C%22at%22%3A%7B%22%24date%22%3A%221970-01-01T00%3A00%3A00Z%22%7D%7D",
            r#"{"a":1,"at":{"$date":"1970-01-01T00:00:00Z"}}"#.into(),
        ),
    ];
    check_ids(&ids)
}

#[test]
fn updates_without_a_document_are_merged_also_after_a_restart() -> anyhow::Result<()> {
    let site = Site::new(Settings {
        checkpoint_interval_ms: 20,
        ..Settings::default()
    })?;
    let document = |text: &str| json!({"after": text});
    let update = |fields: &str, removed: &[&str]| json!({"updateDescription": {"updatedFields": fields, "removedFields": removed, "truncatedArrays": null}});
    let created = [
        event(
            0,
            "1",
            "c",
            &document(r#"{"_id": 1, "a": 1, "b": "x", "address": {"city": "Oslo"}}"#),
        ),
        event(1, "2", "c", &document(r#"{"_id": 2, "later": true}"#)),
        event(2, "1", "u", &update(r#"{"a": 2}"#, &[])),
    ];
    site.deliver(&created)?;
    let mut server = site.start()?;
    server.ready()?;
    server.applied_at_least(3)?;
    let merged = r#"{"_id":1,"a":2,"b":"x","address":{"city":"Oslo"},"later":null}"#;
    check(&server, "1", merged)?;
    ensure!(server.stop()? == 0, "a clean stop");
    site.append(&[
        event(
            3,
            "1",
            "u",
            &update(r#"{"address.city": "Bergen"}"#, &["b"]),
        ),
        event(4, "3", "u", &update(r#"{"a": 7}"#, &[])),
    ])?;
    let mut server = site.start()?;
    server.ready()?;
    server.applied_at_least(2)?;
    check(
        &server,
        "1",
        r#"{"_id":1,"a":2,"b":null,"later":null,"unavailable":["address"]}"#,
    )?;
    let unseen = r#"{"_id":3,"a":7,"unavailable":["b","address","later"]}"#;
    check(&server, "3", unseen)?;
    Ok(())
}
