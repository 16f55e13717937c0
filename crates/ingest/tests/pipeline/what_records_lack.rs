//! Where records cannot say what is needed, the table's status says so, and what would help.

use checkpoint_store::MemoryDisk;
use table_store::ReadState;
use testkit::connector::At;
use testkit::scripted_source::PlannedRecord;

use crate::harness::{CONNECTOR, Site};
use crate::one_by_one::OneByOne;

const TOPIC: &str = "shop.public.orders";

fn reading(disk: &MemoryDisk) -> OneByOne {
    OneByOne::on(disk, TOPIC, 1, false, Site::default().settings)
}

fn record(key: Option<&str>, value: Option<&str>) -> PlannedRecord {
    PlannedRecord::new(TOPIC, 0, key, value)
}

/// The beginnings of the notes after these records, and after a restart without any.
fn notes(records: &[PlannedRecord]) -> Vec<String> {
    let disk = MemoryDisk::default();
    let mut stepped = reading(&disk);
    for record in records {
        stepped.read(record);
    }
    let told = stepped.table().facts.notes.clone();
    stepped.keep(&disk);
    assert_eq!(reading(&disk).table().facts.notes, told);
    for note in &told {
        assert!(
            note.contains(". Set ") || note.contains(". Send "),
            "{note}"
        );
    }
    let short = |note: &String| note.split([':', ',']).next().unwrap().to_owned();
    told.iter().map(short).collect()
}

const KEY: Option<&str> = Some(r#"{"id":1}"#);

#[test]
fn flattened_rows_tell_as_much_as_was_added_to_them() {
    let bare = record(KEY, Some(r#"{"id":1,"v":"a"}"#));
    let gone = record(KEY, None);
    let told = record(
        KEY,
        Some(r#"{"id":1,"v":"a","__op":"c","__lsn":10,"__source_snapshot":null}"#),
    );
    let (positions, deletes, truncates) = (
        "flattened rows that do not say what happened and where in the source's order",
        "flattened rows",
        "flattened rows",
    );
    assert_eq!(
        notes(std::slice::from_ref(&bare)),
        [positions, deletes, truncates]
    );
    assert_eq!(notes(&[bare, gone.clone()]), [positions, truncates]);
    assert_eq!(notes(std::slice::from_ref(&told)), [deletes, truncates]);
    assert_eq!(notes(&[told, gone]), [truncates]);
}

#[test]
fn cloud_events_tell_as_much_as_their_attributes() {
    let event = |attributes: &str| {
        let value = format!(
            r#"{{"id":"x","source":"/debezium/postgresql/s","specversion":"1.0","type":"io.debezium.connector.postgresql.DataChangeEvent","time":"2026-01-01T00:00:00.000Z",{attributes}"data":{{"before":null,"after":{{"id":1,"v":"a"}}}}}}"#
        );
        record(KEY, Some(&value))
    };
    let bare = event("");
    let whole = event(
        r#""iodebeziumop":"c","iodebeziumconnector":"postgresql","iodebeziumname":"s","iodebeziumdb":"d","iodebeziumschema":"public","iodebeziumtable":"orders","iodebeziumlsn":"10","iodebeziumtxId":"7","#,
    );
    assert_eq!(
        notes(&[bare]),
        ["cloud events without extension attributes"]
    );
    assert!(notes(&[whole]).is_empty());
}

#[test]
fn changes_without_key_and_image_are_put_aside_with_a_note() {
    let created = PlannedRecord {
        key: None,
        ..CONNECTOR.create(At::lsn(TOPIC, 0, 10), 1, "a")
    };
    let updated = PlannedRecord {
        key: None,
        ..CONNECTOR.update(At::lsn(TOPIC, 0, 11), 1, "b")
    };
    assert!(notes(std::slice::from_ref(&created)).is_empty());
    let told = notes(&[created, updated]);
    assert_eq!(
        told,
        ["changes of rows without a key came without the image of the row before"]
    );
}

#[test]
fn loading_goes_by_what_there_was_at_the_start() {
    let mut stepped = reading(&MemoryDisk::default());
    let progress = |stepped: &OneByOne| stepped.table().facts.progress;
    for id in 0..43 {
        stepped.read(&CONNECTOR.create(At::lsn(TOPIC, 0, 10 + id as u64), id, "a"));
    }
    // The log of these tests has a hundred records.
    assert_eq!(progress(&stepped), Some(0.43));
    stepped.next[0] = 99;
    stepped.read(&CONNECTOR.create(At::lsn(TOPIC, 0, 900), 99, "a"));
    assert_eq!(progress(&stepped), Some(1.0));
    stepped.reach_ends();
    stepped.publish_at(900);
    assert_eq!(progress(&stepped), None);
}

#[test]
fn a_table_loads_until_the_connector_has_written_its_first_snapshot() {
    let disk = MemoryDisk::default();
    let mut stepped = reading(&disk);
    let row = |id| CONNECTOR.snapshot(At::lsn(TOPIC, 0, 10), id, "a");
    let last = |id| {
        let row = row(id);
        let value = String::from_utf8(row.value.clone().unwrap()).unwrap();
        let value = value.replace(r#""snapshot":"true""#, r#""snapshot":"last""#);
        PlannedRecord {
            value: Some(value.into_bytes()),
            ..row
        }
    };
    stepped.read(&row(1));
    stepped.reach_ends();
    stepped.publish_at(5);
    let facts = stepped.table().facts.clone();
    assert_eq!(
        (facts.state, facts.progress),
        (ReadState::Loading, Some(1.0))
    );
    let reason = facts.reason.clone().unwrap_or_default();
    assert!(
        reason.starts_with("the connector has not written the last row"),
        "{reason}"
    );

    stepped.read(&last(2));
    stepped.reach_ends();
    stepped.publish_at(6);
    assert_eq!(stepped.table().facts.state, ReadState::Live);
    assert_eq!(stepped.table().facts.reason, None);

    // Once it was whole, a later run's snapshot does not take that away.
    let again = testkit::connector::Connector { run: 2 };
    stepped.read(&again.snapshot(At::lsn(TOPIC, 0, 20), 1, "b"));
    stepped.reach_ends();
    stepped.publish_at(7);
    assert_eq!(stepped.table().facts.state, ReadState::Live);
}

#[test]
fn a_snapshot_whose_mark_is_lost_is_over_when_its_run_streams() {
    let mut stepped = reading(&MemoryDisk::default());
    stepped.read(&CONNECTOR.snapshot(At::lsn(TOPIC, 0, 10), 1, "a"));
    stepped.read(&CONNECTOR.update(At::lsn(TOPIC, 0, 11), 1, "b"));
    stepped.reach_ends();
    stepped.publish_at(5);
    assert_eq!(stepped.table().facts.state, ReadState::Live);
}
