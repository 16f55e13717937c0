//! The shape that a table shows is that of its newest record; rows keep theirs.

use checkpoint_store::MemoryDisk;
use testkit::connector::At;
use testkit::scripted_source::PlannedRecord;

use crate::harness::{CONNECTOR, Site, expected};
use crate::one_by_one::OneByOne;

const TOPIC: &str = "shop.public.orders";

fn reading(disk: &MemoryDisk) -> OneByOne {
    OneByOne::on(disk, TOPIC, 1, false, Site::default().settings)
}

/// An update whose row has one more column.
fn wider(lsn: u64, column: &str) -> PlannedRecord {
    let record = CONNECTOR.update(At::lsn(TOPIC, 0, lsn), 1, "a");
    let value = String::from_utf8(record.value.unwrap()).unwrap();
    let value = value.replace(r#""v":"a""#, &format!(r#""v":"a","{column}":1"#));
    PlannedRecord {
        value: Some(value.into_bytes()),
        ..record
    }
}

/// The columns shown, whether there is a key, and how often that has changed.
fn shown(stepped: &OneByOne) -> (Vec<String>, bool, u64) {
    let table = stepped.table();
    let schema = table.table.schemas().get(table.schema.unwrap()).unwrap();
    let names = schema.columns.iter().map(|column| column.name.clone());
    (names.collect(), schema.key.is_some(), table.schema_epoch)
}

fn columns(names: &[&str], has_key: bool, epoch: u64) -> (Vec<String>, bool, u64) {
    let names = names.iter().map(|name| (*name).to_owned());
    (names.collect(), has_key, epoch)
}

#[test]
fn what_is_delivered_again_does_not_bring_an_old_shape_back() {
    let disk = MemoryDisk::default();
    let mut stepped = reading(&disk);
    stepped.read(&CONNECTOR.create(At::lsn(TOPIC, 0, 10), 1, "a"));
    stepped.read(&wider(20, "b"));
    stepped.read(&wider(30, "c"));
    let newest = columns(&["id", "v", "c"], true, 3);
    assert_eq!(shown(&stepped), newest);
    stepped.keep(&disk);
    drop(stepped);
    let mut stepped = reading(&disk);
    assert_eq!(shown(&stepped), newest);
    stepped.read(&wider(20, "b"));
    assert_eq!(shown(&stepped), newest);
    // A shape that comes back has an older number, and is the newest all the same.
    stepped.read(&CONNECTOR.update(At::lsn(TOPIC, 0, 40), 1, "d"));
    assert_eq!(shown(&stepped), columns(&["id", "v"], true, 4));
}

#[test]
fn a_change_without_key_finds_the_row_that_had_one_by_its_whole_image() {
    let mut stepped = reading(&MemoryDisk::default());
    stepped.read(&CONNECTOR.create(At::lsn(TOPIC, 0, 10), 1, "a"));
    stepped.read(&CONNECTOR.create(At::lsn(TOPIC, 0, 11), 2, "b"));
    let keyless = |lsn, id, before: &str, v: &str| {
        let record = CONNECTOR.update(At::lsn(TOPIC, 0, lsn), id, v);
        let value = String::from_utf8(record.value.unwrap()).unwrap();
        let image = format!(r#""before":{{"id":{id},"v":"{before}"}}"#);
        PlannedRecord {
            key: None,
            value: Some(value.replace(r#""before":null"#, &image).into_bytes()),
            ..record
        }
    };
    let rows = stepped.read(&keyless(20, 1, "a", "c"));
    assert_eq!(rows, expected(&[(1, "c"), (2, "b")]));
    assert_eq!(stepped.table().rows, 2);
    assert_eq!(shown(&stepped), columns(&["id", "v"], false, 2));
    let notes = &stepped.table().facts.notes;
    assert!(notes[0].starts_with("rows without a key came"), "{notes:?}");

    // Another row under that key is not taken for it.
    stepped.read(&keyless(21, 2, "x", "d"));
    assert_eq!(stepped.rows(), expected(&[(1, "c"), (2, "b")]));
    assert_eq!(stepped.table().facts.quarantined, 1);
}
