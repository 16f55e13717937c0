//! What a table says about its gaps, and what mends them.

use testkit::connector::{At, Connector, with_mark};
use testkit::scripted_source::PlannedRecord;

use crate::harness::{Running, Site};

const TOPIC: &str = "shop.public.orders";

fn run(run: u32) -> Connector {
    Connector { run }
}

fn at(lsn: u64) -> At<'static> {
    At::lsn(TOPIC, 0, lsn)
}

fn snapshot(by: u32, lsn: u64, ids: std::ops::Range<i64>) -> Vec<PlannedRecord> {
    let last = ids.end - 1;
    let row = |id| {
        let mark = match id {
            _ if id == last => "last",
            _ if id == ids.start => "first",
            _ => "true",
        };
        with_mark(run(by).snapshot(at(lsn), id, "s"), mark)
    };
    ids.clone().map(row).collect()
}

/// A log of three rows, of which the first is not retained.
fn shortened() -> Site {
    let site = Site::default();
    site.log.create_topic(TOPIC, 1);
    let rows = (0..3).map(|id| run(1).create(at(100 + id), id as i64, "x"));
    site.log.append(&rows.collect::<Vec<_>>());
    site.log.trim(TOPIC, 0, 1);
    site
}

fn read_all(running: &Running, site: &Site) {
    let end = site.log.end(TOPIC, 0);
    running.until("all of it is read", |running| {
        let partition = running.partition(TOPIC, 0);
        partition.is_some_and(|read| read.next_offset == end && read.reached_end)
    });
    running.until_live("orders");
}

fn because(running: &Running) -> String {
    let facts = running.facts("orders").unwrap();
    assert_eq!(facts.complete, facts.incomplete_because.is_none());
    facts.incomplete_because.clone().unwrap_or_default()
}

#[test]
fn a_full_snapshot_that_was_read_to_its_end_makes_a_table_complete_again() {
    let site = shortened();
    let running = site.start();
    read_all(&running, &site);
    assert!(because(&running).contains("begins at offset 1"));
    let rows = snapshot(2, 200, 0..4);
    site.log.append(&rows[..3]);
    read_all(&running, &site);
    drop(running);
    // What was read before the restart counts.
    let running = site.start();
    read_all(&running, &site);
    assert!(because(&running).contains("begins at offset 1"));
    site.log.append(&rows[3..]);
    running.until("the table is complete", |running| {
        because(running).is_empty()
    });
    drop(running);
    let running = site.start();
    read_all(&running, &site);
    assert_eq!(because(&running), "");
}

#[test]
fn a_snapshot_whose_beginning_is_not_retained_mends_nothing() {
    let site = Site::default();
    site.log.create_topic(TOPIC, 1);
    site.log.append(&snapshot(1, 100, 0..5));
    site.log.trim(TOPIC, 0, 2);
    site.log.append(&[run(1).create(at(110), 9, "x")]);
    let running = site.start();
    read_all(&running, &site);
    assert!(because(&running).contains("begins at offset 2"));
}

#[test]
fn a_log_that_begins_with_a_snapshot_is_complete() {
    let site = shortened();
    site.log.append(&snapshot(2, 200, 0..4));
    site.log.trim(TOPIC, 0, 3);
    let running = site.start();
    running.until("the table is complete", |running| {
        running.facts("orders").is_some_and(|facts| facts.complete)
            && running.rows("orders").len() == 4
    });
}

#[test]
fn a_repeated_snapshot_by_a_run_that_streams_mends_nothing() {
    let site = shortened();
    site.log.append(&snapshot(1, 200, 0..4));
    let running = site.start();
    read_all(&running, &site);
    assert!(because(&running).contains("begins at offset 1"));
}

#[test]
fn a_deletion_of_nobody_knows_which_row_makes_a_table_incomplete() {
    let site = Site::default();
    site.log.create_topic(TOPIC, 1);
    let record = |key, value| PlannedRecord::new(TOPIC, 0, key, value);
    // In a topic of envelopes such a record follows a delete that said everything.
    let flat = record(Some(r#"{"id":1}"#), Some(r#"{"id":1,"v":"a"}"#));
    site.log.append(&[record(None, None), flat]);
    let running = site.start();
    read_all(&running, &site);
    assert_eq!(because(&running), "");
    site.log
        .append(&[record(None, None), record(None, Some("null"))]);
    running.until("both are counted", |running| {
        because(running).starts_with("2 records stood for deleted rows")
    });
    drop(running);
    let running = site.start();
    read_all(&running, &site);
    assert!(because(&running).starts_with("2 records stood for deleted rows"));
}
