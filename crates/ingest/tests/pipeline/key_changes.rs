//! A key change is seen whole or not at all, wherever a cut falls between its halves.

use checkpoint_store::MemoryDisk;
use table_store::ReadState;
use testkit::connector::At;
use testkit::scripted_source::PlannedRecord;

use crate::harness::{CONNECTOR, Site, expected};
use crate::one_by_one::OneByOne;

const TOPIC: &str = "shop.public.orders";

fn reading(disk: &MemoryDisk, partitions: i32, ends: bool) -> OneByOne {
    OneByOne::on(disk, TOPIC, partitions, ends, Site::default().settings)
}

fn at(partition: i32, lsn: u64) -> At<'static> {
    At::lsn(TOPIC, partition, lsn)
}

/// The halves of a change of key 1 to 2, the first with its tombstone.
fn halves(old: i32, new: i32) -> [PlannedRecord; 3] {
    let away = CONNECTOR.moved_away(at(old, 20), 1, 2);
    let tombstone = PlannedRecord {
        value: None,
        ..away.clone()
    };
    [
        away,
        tombstone,
        CONNECTOR.moved_here(at(new, 20), 2, "a", 1),
    ]
}

/// A departure whose image is the whole row, as with REPLICA IDENTITY FULL.
fn whole(departure: PlannedRecord, v: &str) -> PlannedRecord {
    let value = String::from_utf8(departure.value.unwrap()).unwrap();
    let value = value.replace(r#""v":null"#, &format!(r#""v":"{v}""#));
    PlannedRecord {
        value: Some(value.into_bytes()),
        ..departure
    }
}

#[test]
fn no_cut_falls_between_the_halves_of_one_partition() {
    let mut stepped = reading(&MemoryDisk::default(), 1, false);
    stepped.read(&CONNECTOR.create(at(0, 10), 1, "a"));
    let [away, tombstone, arrival] = halves(0, 0);
    assert_eq!(stepped.read(&away), expected(&[(1, "a")]));
    assert_eq!(stepped.read(&tombstone), expected(&[(1, "a")]));
    assert_eq!(stepped.read(&arrival), expected(&[(2, "a")]));
    // Delivered again they find everything done, and nothing waits.
    for record in [away, tombstone, arrival] {
        assert_eq!(stepped.read(&record), expected(&[(2, "a")]));
    }
    let free = stepped.read(&CONNECTOR.create(at(0, 30), 1, "b"));
    assert_eq!(free, expected(&[(1, "b"), (2, "a")]));
}

#[test]
fn nor_between_those_of_two_partitions_in_either_order() {
    for arrival_first in [false, true] {
        let mut stepped = reading(&MemoryDisk::default(), 2, false);
        stepped.read(&CONNECTOR.create(at(0, 10), 1, "a"));
        stepped.read(&CONNECTOR.create(at(1, 11), 4, "d"));
        let [away, tombstone, arrival] = halves(0, 1);
        let after = expected(&[(2, "a"), (4, "e")]);
        // What comes for the table meanwhile waits, so that nothing overtakes.
        let between = CONNECTOR.update(at(1, 25), 4, "e");
        if arrival_first {
            for record in [arrival, between] {
                assert_eq!(stepped.read(&record), expected(&[(1, "a"), (4, "d")]));
            }
            assert_eq!(stepped.read(&away), after);
            assert_eq!(stepped.read(&tombstone), after);
        } else {
            for record in [away, tombstone] {
                assert_eq!(stepped.read(&record), expected(&[(1, "a"), (4, "d")]));
            }
            assert_eq!(stepped.read(&arrival), expected(&[(2, "a"), (4, "d")]));
            assert_eq!(stepped.read(&between), after);
        }
    }
}

#[test]
fn an_arrival_read_before_its_row_was_ever_there_waits_too() {
    let mut stepped = reading(&MemoryDisk::default(), 2, false);
    stepped.read(&CONNECTOR.create(at(0, 5), 6, "f"));
    let [away, _, arrival] = halves(0, 1);
    assert_eq!(stepped.read(&arrival), expected(&[(6, "f")]));
    let created = stepped.read(&CONNECTOR.create(at(0, 10), 1, "a"));
    assert_eq!(created, expected(&[(6, "f")]));
    assert_eq!(stepped.read(&away), expected(&[(2, "a"), (6, "f")]));
}

#[test]
fn keys_that_shift_along_a_column_shift_at_once() {
    let disk = MemoryDisk::default();
    let mut stepped = reading(&disk, 1, false);
    stepped.read(&CONNECTOR.create(at(0, 10), 1, "a"));
    let before = stepped.read(&CONNECTOR.create(at(0, 11), 2, "b"));
    let in_shift = |lsn| At {
        transaction: Some(20),
        ..at(0, lsn)
    };
    let chain = [
        whole(CONNECTOR.moved_away(in_shift(20), 1, 2), "a"),
        CONNECTOR.moved_here(in_shift(20), 2, "a", 1),
        whole(CONNECTOR.moved_away(in_shift(21), 2, 3), "b"),
    ];
    for record in &chain {
        assert_eq!(stepped.read(record), before);
    }
    let last = stepped.read(&CONNECTOR.moved_here(in_shift(21), 3, "b", 2));
    assert_eq!(last, expected(&[(2, "a"), (3, "b")]));
    stepped.keep(&disk);
    drop(stepped);
    // A part of it that is delivered again to another process changes nothing.
    let mut stepped = reading(&disk, 1, false);
    assert_eq!(stepped.read(&chain[2]), expected(&[(2, "a"), (3, "b")]));
}

#[test]
fn a_shift_that_was_cut_short_goes_on_after_a_restart() {
    let in_shift = |lsn| At {
        transaction: Some(20),
        ..at(0, lsn)
    };
    let mut log = vec![
        CONNECTOR.create(at(0, 10), 1, "a"),
        CONNECTOR.create(at(0, 11), 2, "b"),
        CONNECTOR.create(at(0, 12), 3, "c"),
    ];
    for (key, v) in [(1, "a"), (2, "b"), (3, "c")] {
        let lsn = 20 + key as u64;
        let away = whole(CONNECTOR.moved_away(in_shift(lsn), key, key + 1), v);
        let tombstone = PlannedRecord {
            value: None,
            ..away.clone()
        };
        let here = CONNECTOR.moved_here(in_shift(lsn), key + 1, v, key);
        log.extend([away, tombstone, here]);
    }
    // What is there is applied at the end of a source, and after a second: then the process ends.
    for cut in 1..=log.len() {
        let disk = MemoryDisk::default();
        let mut stepped = reading(&disk, 1, true);
        for record in &log[..cut] {
            stepped.read(record);
        }
        stepped.reach_ends();
        stepped.keep(&disk);
        drop(stepped);
        let mut stepped = reading(&disk, 1, true);
        let from = stepped.next[0] as usize;
        for record in &log[from..] {
            stepped.read(record);
        }
        stepped.reach_ends();
        let after = expected(&[(2, "a"), (3, "b"), (4, "c")]);
        assert_eq!(
            stepped.publish_at(5_000),
            after,
            "{cut} records, again from {from}"
        );
    }
}

/// A flattened row of key 2 that was under key 1, and whose `v` is too long to be sent again.
fn flat_arrival(w: i64) -> PlannedRecord {
    let value = format!(r#"{{"id":2,"v":"__debezium_unavailable_value","w":{w}}}"#);
    PlannedRecord {
        headers: vec![(
            "__debezium.oldkey".to_owned(),
            Some(br#"{"id":1}"#.to_vec()),
        )],
        ..PlannedRecord::new(TOPIC, 0, Some(r#"{"id":2}"#), Some(&value))
    }
}

#[test]
fn a_flattened_arrival_that_comes_again_keeps_what_it_did_not_send() {
    let disk = MemoryDisk::default();
    let mut stepped = reading(&disk, 1, false);
    let row = Some(r#"{"id":1,"v":"long","w":7}"#);
    stepped.read(&PlannedRecord::new(TOPIC, 0, Some(r#"{"id":1}"#), row));
    stepped.read(&PlannedRecord {
        headers: vec![(
            "__debezium.newkey".to_owned(),
            Some(br#"{"id":2}"#.to_vec()),
        )],
        ..PlannedRecord::new(TOPIC, 0, Some(r#"{"id":1}"#), None)
    });
    let moved = expected(&[(2, "long")]);
    assert_eq!(stepped.read(&flat_arrival(7)), moved);
    assert_eq!(stepped.read(&flat_arrival(7)), moved);
    stepped.keep(&disk);
    drop(stepped);
    let mut stepped = reading(&disk, 1, false);
    assert_eq!(stepped.read(&flat_arrival(7)), moved);
    // Another row: what is held under its key is not what it did not send.
    assert_ne!(stepped.read(&flat_arrival(8)), moved);
}

#[test]
fn a_half_that_never_comes_is_waited_for_a_second() {
    let mut stepped = reading(&MemoryDisk::default(), 2, false);
    stepped.read(&CONNECTOR.create(at(0, 10), 1, "a"));
    stepped.reach_ends();
    stepped.publish_at(100);
    let [away, _, _] = halves(0, 1);
    stepped.read(&away);
    stepped.reach_ends();
    let waiting = stepped.publish_at(101);
    assert_eq!(waiting, expected(&[(1, "a")]));
    // Nobody says that the table shows the end of the log while something waits.
    stepped.sequencer.quiet(0, 900);
    let cut = stepped.sequencer.store().published();
    let facts = &cut.tables()[0].facts;
    assert_eq!(facts.state, ReadState::Live);
    assert!(facts.at_end_ms() < Some(900), "{facts:?}");
    assert_eq!(facts.offsets, [(0, 1), (1, 0)]);
    assert_eq!(stepped.publish_at(1_100), expected(&[(1, "a")]));
    assert_eq!(stepped.publish_at(1_101), expected(&[]));
}

#[test]
fn at_the_end_of_a_file_nothing_is_waited_for() {
    let mut stepped = reading(&MemoryDisk::default(), 2, true);
    stepped.read(&CONNECTOR.create(at(0, 10), 1, "a"));
    let [away, _, _] = halves(0, 1);
    assert_eq!(stepped.read(&away), expected(&[(1, "a")]));
    stepped.reach_ends();
    assert_eq!(stepped.publish_at(5), expected(&[]));
}

#[test]
fn what_waits_when_the_process_ends_is_read_again() {
    let disk = MemoryDisk::default();
    let mut stepped = reading(&disk, 2, false);
    stepped.read(&CONNECTOR.create(at(0, 10), 1, "a"));
    stepped.read(&CONNECTOR.create(at(1, 11), 4, "d"));
    let [away, _, arrival] = halves(0, 1);
    stepped.read(&away);
    let between = CONNECTOR.update(at(1, 19), 4, "e");
    stepped.read(&between);
    stepped.keep(&disk);
    drop(stepped);

    let mut stepped = reading(&disk, 2, false);
    assert_eq!(stepped.rows(), expected(&[(1, "a"), (4, "d")]));
    assert_eq!(stepped.next, [1, 1]);
    stepped.read(&away);
    stepped.read(&between);
    assert_eq!(stepped.read(&arrival), expected(&[(2, "a"), (4, "e")]));
}

#[test]
fn a_row_leaves_its_key_whatever_columns_its_table_has_got_since() {
    let mut stepped = reading(&MemoryDisk::default(), 2, false);
    stepped.read(&CONNECTOR.create(at(0, 10), 1, "a"));
    let [away, _, arrival] = halves(0, 1);
    let mut away = whole(away, "a");
    let value = String::from_utf8(away.value.unwrap()).unwrap();
    away.value = Some(value.replace(r#","v""#, r#","w":7,"v""#).into_bytes());
    assert_eq!(stepped.read(&arrival), expected(&[(1, "a")]));
    assert_eq!(stepped.read(&away), expected(&[(2, "a")]));
}
