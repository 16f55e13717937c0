//! Tables whose rows are only added keep as much as config says, the newest.

use std::time::Duration;

use checkpoint_store::MemoryDisk;
use ingest::{Keep, Settings};
use row_model::{CutId, Value};
use testkit::scripted_source::PlannedRecord;

use crate::harness::{CONNECTOR, Site};
use crate::one_by_one::OneByOne;

const TOPIC: &str = "outbox.event.order";

fn bounded(keep: Keep) -> Settings {
    Settings {
        keep: vec![(TOPIC.to_owned(), keep)],
        ..Site::default().settings
    }
}

fn reading(disk: &MemoryDisk, partitions: i32, keep: Keep) -> OneByOne {
    OneByOne::on(disk, TOPIC, partitions, false, bounded(keep))
}

/// An event as the outbox router writes it.
fn event(partition: i32, id: &str, at_ms: i64) -> PlannedRecord {
    PlannedRecord {
        timestamp_ms: at_ms,
        headers: vec![("id".to_owned(), Some(id.as_bytes().to_vec()))],
        ..PlannedRecord::new(TOPIC, partition, Some("\"7\""), Some("{\"a\":1}"))
    }
}

/// The ids of the events that readers see.
fn events(stepped: &OneByOne) -> Vec<String> {
    let cut = stepped.sequencer.store().pin();
    let table = &cut.tables()[0];
    let mut ids = Vec::new();
    table.table.visit(cut.id, |version| {
        if let Some(Value::Text(id)) = version.row().and_then(|row| row.get(0)) {
            ids.push(id.to_owned());
        }
    });
    assert_eq!(table.rows, ids.len() as u64);
    ids.sort();
    ids
}

/// Slots that hold anything: rows, and what is remembered of keys without one.
fn remembered(stepped: &OneByOne, ids: &[&str]) -> usize {
    let table = &stepped.table().table;
    let key = |id: &str| {
        let mut key = Vec::new();
        row_model::encode_key([Value::Text(id)], &mut key).unwrap();
        key
    };
    let found = ids
        .iter()
        .filter(|id| table.newest_slot(&key(id)).is_some());
    found.count()
}

#[test]
fn the_newest_rows_are_kept_whatever_their_order_on_partitions() {
    for swapped in [false, true] {
        let mut stepped = reading(&MemoryDisk::default(), 2, Keep::Rows(3));
        let mut all: Vec<_> = (0..8)
            .map(|n| event(n % 2, &format!("e{n}"), 100 + i64::from(n)))
            .collect();
        if swapped {
            // One partition first, then the other.
            all.sort_by_key(|record| record.partition);
        }
        for record in &all {
            stepped.read(record);
            assert!(events(&stepped).len() <= 3);
        }
        assert_eq!(events(&stepped), ["e5", "e6", "e7"]);
        // Nothing is remembered of what was let go of, and what is delivered again is older still.
        let ids = ["e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7"];
        assert_eq!(remembered(&stepped, &ids), 3);
        stepped.read(&event(0, "e0", 100));
        stepped.read(&event(1, "e7", 107));
        assert_eq!(events(&stepped), ["e5", "e6", "e7"]);
        assert_eq!(remembered(&stepped, &ids), 3);
    }
}

#[test]
fn rows_are_kept_for_a_time_before_the_newest() {
    let day = Keep::Age(Duration::from_millis(100));
    let mut stepped = reading(&MemoryDisk::default(), 1, day);
    for (id, at_ms) in [("a", 1_000), ("b", 1_050), ("c", 1_100)] {
        stepped.read(&event(0, id, at_ms));
    }
    assert_eq!(events(&stepped), ["a", "b", "c"]);
    // No clock has a say in it.
    stepped.publish_at(1_000_000);
    assert_eq!(events(&stepped), ["a", "b", "c"]);
    stepped.read(&event(0, "d", 1_101));
    assert_eq!(events(&stepped), ["b", "c", "d"]);
    stepped.read(&event(0, "late", 1_000));
    assert_eq!(events(&stepped), ["b", "c", "d"]);
    let notes = &stepped.table().facts.notes;
    assert!(notes[0].starts_with("keep: 2 rows"), "{notes:?}");
}

#[test]
fn a_reader_sees_what_its_cut_had_until_it_lets_go() {
    let mut stepped = reading(&MemoryDisk::default(), 1, Keep::Rows(1));
    stepped.read(&event(0, "a", 1));
    let cut = stepped.sequencer.store().pin();
    stepped.read(&event(0, "b", 2));
    let mut rows = 0;
    let table = &cut.tables()[0].table;
    table.visit(cut.id, |_| rows += 1);
    assert_eq!((rows, events(&stepped)), (1, vec!["b".to_owned()]));
    drop(cut);
    stepped.publish_at(9);
    assert_eq!(remembered(&stepped, &["a", "b"]), 1);
    assert!(stepped.table().table.is_readable(CutId(u64::MAX)));
}

#[test]
fn a_restart_goes_on_dropping_the_oldest() {
    let disk = MemoryDisk::default();
    let mut stepped = reading(&disk, 1, Keep::Rows(3));
    // The later slots hold the older rows.
    for (id, at_ms) in [("c", 30), ("b", 20), ("a", 10)] {
        stepped.read(&event(0, id, at_ms));
    }
    stepped.keep(&disk);
    drop(stepped);
    let mut stepped = reading(&disk, 1, Keep::Rows(3));
    assert_eq!(events(&stepped), ["a", "b", "c"]);
    stepped.read(&event(0, "d", 40));
    assert_eq!(events(&stepped), ["b", "c", "d"]);
    stepped.keep(&disk);
    drop(stepped);
    // A smaller bound takes effect at once.
    let mut stepped = reading(&disk, 1, Keep::Rows(1));
    stepped.publish_at(2);
    assert_eq!(events(&stepped), ["d"]);
    stepped.keep(&disk);
    assert_eq!(events(&reading(&disk, 1, Keep::Rows(1))), ["d"]);
}

#[test]
fn of_a_table_whose_rows_change_nothing_is_dropped() {
    const ORDERS: &str = "shop.public.orders";
    let settings = Settings {
        keep: vec![(ORDERS.to_owned(), Keep::Rows(1))],
        ..Site::default().settings
    };
    let mut stepped = OneByOne::on(&MemoryDisk::default(), ORDERS, 1, false, settings);
    for id in 0..3 {
        let at = testkit::connector::At::lsn(ORDERS, 0, 10 + id as u64);
        stepped.read(&CONNECTOR.create(at, id, "a"));
    }
    assert_eq!(stepped.rows().len(), 3);
    let notes = &stepped.table().facts.notes;
    assert!(
        notes[0].starts_with("keep: nothing is dropped"),
        "{notes:?}"
    );
}
