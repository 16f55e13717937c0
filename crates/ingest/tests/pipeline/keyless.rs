//! Tables without a key: what is written again changes nothing, and a snapshot replaces everything.

use std::collections::BTreeMap;

use testkit::connector::{At, Connector, read_row};
use testkit::scripted_source::PlannedRecord;

use crate::harness::{Running, Site};

const TOPIC: &str = "shop.public.nokey";

type Row = (i64, &'static str);

fn run(run: u32) -> Connector {
    Connector { run }
}

fn at(lsn: u64) -> At<'static> {
    At::lsn(TOPIC, 0, lsn)
}

fn create(by: u32, lsn: u64, row: Row) -> PlannedRecord {
    run(by).keyless(at(lsn), "c", None, Some(row))
}

fn update(by: u32, lsn: u64, old: Row, new: Row) -> PlannedRecord {
    run(by).keyless(at(lsn), "u", Some(old), Some(new))
}

fn delete(by: u32, lsn: u64, row: Row) -> [PlannedRecord; 2] {
    let delete = run(by).keyless(at(lsn), "d", Some(row), None);
    [delete, run(by).keyless_tombstone(at(lsn))]
}

fn snapshot(by: u32, lsn: u64, rows: &[Row]) -> Vec<PlannedRecord> {
    let marks = (0..rows.len()).map(|number| match number {
        _ if number + 1 == rows.len() => "last_in_data_collection",
        0 => "first_in_data_collection",
        _ => "true",
    });
    let rows = rows.iter().zip(marks);
    rows.map(|(row, mark)| run(by).keyless_snapshot(at(lsn), *row, mark))
        .collect()
}

fn bag(running: &Running) -> BTreeMap<(i64, String), u64> {
    let mut bag = BTreeMap::new();
    let cut = running.pipeline.store().pin();
    let Ok(table) = cut.table("nokey") else {
        return bag;
    };
    table.table.visit(cut.id, |version| {
        if let Some(row) = read_row(version, table.table.schemas()) {
            *bag.entry(row).or_default() += 1;
        }
    });
    bag
}

fn rows(rows: &[(Row, u64)]) -> BTreeMap<(i64, String), u64> {
    let rows = rows.iter();
    rows.map(|((id, v), count)| ((*id, (*v).to_owned()), *count))
        .collect()
}

/// Waits until everything in the log has been read, and answers what the table holds.
fn read_all(running: &Running, site: &Site) -> BTreeMap<(i64, String), u64> {
    let end = site.log.end(TOPIC, 0);
    running.until("all of it is read", |running| {
        let partition = running.partition(TOPIC, 0);
        partition.is_some_and(|read| read.next_offset == end && read.reached_end)
    });
    running.until_live("nokey");
    bag(running)
}

/// What a real connector wrote of a table with two equal rows (values apart), and wrote again.
#[test]
fn equal_rows_are_rows_and_what_is_written_again_is_not() {
    let site = Site::default();
    site.log.create_topic(TOPIC, 1);
    let (dup, changed) = ((1, "dup"), (1, "dup-one-changed"));
    let streamed = |by| {
        let mut records = vec![
            create(by, 11472, (3, "ins")),
            update(by, 11592, dup, changed),
        ];
        records.extend(delete(by, 11752, dup));
        records.push(update(by, 11880, (0, ""), (7, "")));
        records.extend(delete(by, 12008, (2, "x")));
        // All rows of one statement stand at one position.
        records.extend((0..3).map(|_| create(by, 12128, (9, "copied"))));
        records
    };
    let at_first = [dup, dup, (2, "x"), (0, "")];
    site.log.append(&snapshot(1, 6000, &at_first));
    let running = site.start();
    let expected = rows(&[(dup, 2), ((2, "x"), 1), ((0, ""), 1)]);
    assert_eq!(read_all(&running, &site), expected);
    // A crash in the middle of the last statement.
    site.log.append(&streamed(1)[..8]);
    read_all(&running, &site);
    running.crash(&site);

    let expected = |copied| {
        let others = [((3, "ins"), 1), (changed, 1), ((7, ""), 1)];
        rows(&[&others[..], &[((9, "copied"), copied)]].concat())
    };
    let running = site.start();
    assert_eq!(read_all(&running, &site), expected(1));
    site.log.append(&streamed(2)[..7]);
    drop(running);
    let running = site.start();
    assert_eq!(read_all(&running, &site), expected(1));
    site.log.append(&streamed(2)[7..]);
    assert_eq!(read_all(&running, &site), expected(3));
    site.log.append(&streamed(3));
    assert_eq!(read_all(&running, &site), expected(3));
    assert_eq!(running.quarantine().len(), 0);
}

#[test]
fn a_snapshot_replaces_the_rows_when_it_has_been_read_to_its_end() {
    let site = Site::default();
    site.log.create_topic(TOPIC, 1);
    site.log
        .append(&snapshot(1, 100, &[(1, "a"), (1, "a"), (2, "b")]));
    site.log.append(&[create(1, 110, (3, "c"))]);
    let running = site.start();
    let before = rows(&[((1, "a"), 2), ((2, "b"), 1), ((3, "c"), 1)]);
    assert_eq!(read_all(&running, &site), before);

    // Cut off, and begun anew by the next run.
    let now = [(1, "a"), (1, "a"), (1, "a"), (4, "d")];
    site.log.append(&snapshot(2, 200, &now)[..3]);
    assert_eq!(read_all(&running, &site), before);
    site.log.append(&snapshot(3, 210, &now)[..3]);
    drop(running);
    let running = site.start();
    assert_eq!(read_all(&running, &site), before);
    site.log.append(&snapshot(3, 210, &now)[3..]);
    let after = rows(&[((1, "a"), 3), ((4, "d"), 1)]);
    running.until("the snapshot has taken effect", |running| {
        let bag = bag(running);
        assert!(bag == before || bag == after, "{bag:?}");
        bag == after
    });
    // Open while the snapshot was read: below it, and right. Streamed before it: in it already.
    site.log
        .append(&[create(3, 190, (5, "e")), create(3, 110, (3, "c"))]);
    let after = rows(&[((1, "a"), 3), ((4, "d"), 1), ((5, "e"), 1)]);
    assert_eq!(read_all(&running, &site), after);
    // Repeated on a signal, by a run that streams.
    site.log.append(&snapshot(3, 220, &now));
    assert_eq!(read_all(&running, &site), after);
    assert!(running.facts("nokey").unwrap().complete);
}

#[test]
fn a_second_snapshot_without_run_ids_is_not_taken_for_more_rows() {
    let site = Site::default();
    site.log.create_topic(TOPIC, 1);
    let anonymous = |lsn| {
        let mut records = snapshot(1, lsn, &[(1, "a"), (1, "a")]);
        for record in &mut records {
            record.headers.clear();
        }
        records
    };
    site.log.append(&anonymous(100));
    let running = site.start();
    assert_eq!(read_all(&running, &site), rows(&[((1, "a"), 2)]));
    assert!(running.facts("nokey").unwrap().complete);
    site.log.append(&anonymous(200));
    assert_eq!(read_all(&running, &site), rows(&[((1, "a"), 2)]));
    let facts = running.facts("nokey").unwrap();
    let because = facts.incomplete_because.clone().unwrap_or_default();
    assert!(because.contains("carry no runId headers"), "{because}");
}

#[test]
fn a_removal_may_be_read_before_its_row() {
    let site = Site::default();
    site.log.create_topic(TOPIC, 2);
    let [removal, tombstone] = delete(1, 110, (1, "a"));
    site.log.append(&[removal, tombstone]);
    let running = site.start();
    running.until_live("nokey");
    drop(running);
    let running = site.start();
    running.until_live("nokey");
    let elsewhere = PlannedRecord {
        partition: 1,
        ..create(1, 105, (1, "a"))
    };
    site.log
        .append(&[elsewhere.clone(), create(1, 120, (1, "a"))]);
    running.until("the row that was not removed is there", |running| {
        bag(running) == rows(&[((1, "a"), 1)])
            && running
                .partition(TOPIC, 1)
                .is_some_and(|read| read.next_offset == 1)
    });
    assert_eq!(bag(&running), rows(&[((1, "a"), 1)]));
    assert_eq!(running.quarantine().len(), 0);
}

#[test]
fn a_snapshot_over_several_partitions_counts_if_it_is_read_before_its_stream() {
    let site = Site::default();
    site.log.create_topic(TOPIC, 2);
    let elsewhere = |record: PlannedRecord| PlannedRecord {
        partition: 1,
        ..record
    };
    let running = site.start();
    let until = |what: &str, partition, next| {
        running.until(what, |running| {
            let read = running.partition(TOPIC, partition);
            read.is_some_and(|read| read.next_offset == next)
        });
    };
    // The first of all counts even so.
    site.log.append(&[elsewhere(create(1, 110, (9, "x")))]);
    until("the stream is read", 1, 1);
    site.log.append(&snapshot(1, 100, &[(1, "a"), (1, "a")]));
    let before = rows(&[((1, "a"), 2), ((9, "x"), 1)]);
    running.until("both are there", |running| bag(running) == before);
    assert!(running.facts("nokey").unwrap().complete);

    site.log.append(&[elsewhere(create(2, 210, (8, "y")))]);
    until("the stream is read", 1, 2);
    site.log.append(&snapshot(2, 200, &[(2, "b")]));
    running.until("it says what it has not taken up", |running| {
        let facts = running.facts("nokey").unwrap();
        let because = facts.incomplete_because.clone().unwrap_or_default();
        because.contains("was passed over")
    });
    let held = rows(&[((1, "a"), 2), ((9, "x"), 1), ((8, "y"), 1)]);
    assert_eq!(bag(&running), held);

    site.log.append(&snapshot(3, 300, &[(3, "c"), (8, "y")]));
    let after = rows(&[((3, "c"), 1), ((8, "y"), 1)]);
    running.until("the next one has taken effect", |running| {
        bag(running) == after
    });
    running.until("it is complete", |running| {
        running.facts("nokey").unwrap().complete
    });
}
