//! Tables of which a full snapshot named no row.

use checkpoint_store::MemoryDisk;
use ingest::Ended;
use row_model::{NextOffset, PartitionId};
use testkit::connector::{At, Connector, with_mark};
use testkit::scripted_source::PlannedRecord;

use crate::harness::{Running, Site, expected};
use crate::one_by_one::OneByOne;

const NAMED: &str = "shop.public.customers";
const UNNAMED: &str = "shop.public.orders";
const NOTIFICATIONS: &str = "shop.notifications";
/// When the runs of the tests' connector began.
const START_MS: i64 = 0x01a1_fbb5_4ae7;

fn run(run: u32) -> Connector {
    Connector { run }
}

fn snapshot(by: u32, topic: &str, lsn: u64, ids: &[i64], mark: &str) -> Vec<PlannedRecord> {
    let last = ids.len() - 1;
    let row = |(at, id): (usize, &i64)| {
        let record = run(by).snapshot(At::lsn(topic, 0, lsn), *id, "s");
        with_mark(record, if at == last { mark } else { "true" })
    };
    ids.iter().enumerate().map(row).collect()
}

fn notification(kind: &str, at_ms: i64, more: &str) -> PlannedRecord {
    let value = format!(
        r#"{{"id":"n","type":"{kind}","aggregate_type":"Initial Snapshot","additional_data":{{{more}"connector_name":"s"}},"timestamp":{at_ms}}}"#
    );
    PlannedRecord::new(NOTIFICATIONS, 0, Some(r#"{"id":"n"}"#), Some(&value))
}

fn scanned(collection: &str, rows: u32, at_ms: i64) -> PlannedRecord {
    let more = format!(
        r#""scanned_collection":"{collection}","total_rows_scanned":"{rows}","status":"SUCCEEDED","#
    );
    notification("TABLE_SCAN_COMPLETED", at_ms, &more)
}

/// Both tables were snapshotted by one run; the next one's snapshot named one of them.
fn site() -> Site {
    let site = Site::default();
    for topic in [NAMED, UNNAMED, NOTIFICATIONS] {
        site.log.create_topic(topic, 1);
    }
    site.log
        .append(&snapshot(1, NAMED, 100, &[1, 2], "last_in_data_collection"));
    site.log.append(&snapshot(1, UNNAMED, 100, &[1, 2], "last"));
    site.log
        .append(&[run(1).create(At::lsn(UNNAMED, 0, 110), 3, "x")]);
    site
}

fn until_reason(running: &Running, table: &str, start: &str) {
    running.until(&format!("{table} says `{start}`"), |running| {
        let facts = running.facts(table);
        let reason = facts.and_then(|facts| facts.reason.clone());
        reason.is_some_and(|reason| reason.starts_with(start))
    });
}

#[test]
fn a_table_that_a_snapshot_named_no_row_of_is_kept_and_called_unconfirmed() {
    let site = site();
    let running = site.start();
    running.until_live("orders");
    running.until_rows("customers", &[(1, "s"), (2, "s")]);
    site.log.append(&snapshot(2, NAMED, 200, &[2], "last"));
    until_reason(&running, "orders", "unconfirmed: ");
    running.until_rows("customers", &[(2, "s")]);
    assert_eq!(running.facts("customers").unwrap().reason, None);
    assert_eq!(
        running.rows("orders"),
        expected(&[(1, "s"), (2, "s"), (3, "x")])
    );
    drop(running);
    let running = site.start();
    running.until_live("orders");
    until_reason(&running, "orders", "unconfirmed: ");
    // Confirmed by a snapshot that names it.
    site.log
        .append(&[run(2).create(At::lsn(UNNAMED, 0, 210), 9, "new")]);
    site.log.append(&snapshot(3, UNNAMED, 300, &[7], "last"));
    running.until_rows("orders", &[(7, "s")]);
    assert_eq!(running.facts("orders").unwrap().reason, None);
}

#[test]
fn a_table_that_was_read_and_found_empty_is_emptied() {
    let site = site();
    let running = site.start();
    running.until_live("orders");
    site.log.append(&snapshot(2, NAMED, 200, &[2], "last"));
    until_reason(&running, "orders", "unconfirmed: ");
    drop(running);
    let running = site.start();
    // Streamed by the new run: no ghost, whenever the notification is read.
    site.log
        .append(&[run(2).create(At::lsn(UNNAMED, 0, 210), 9, "new")]);
    running.until("it is there", |running| {
        running.rows("orders").contains_key(&9)
    });
    site.log
        .append(&[scanned("public.orders", 0, START_MS + 5)]);
    running.until_rows("orders", &[(9, "new")]);
    assert_eq!(running.facts("orders").unwrap().reason, None);
}

#[test]
fn notifications_of_other_snapshots_and_tables_prove_nothing() {
    let site = site();
    site.log.append(&[
        scanned("public.orders", 0, START_MS - 5),
        scanned("public.other", 0, START_MS + 5),
        scanned("public.customers", 1, START_MS + 5),
        notification("COMPLETED", START_MS + 9, ""),
        // Repeated on a signal, and perhaps filtered.
        scanned("public.orders", 0, START_MS + 20),
    ]);
    site.log.append(&snapshot(2, NAMED, 200, &[2], "last"));
    let running = site.start();
    running.until_live("orders");
    until_reason(&running, "orders", "unconfirmed: ");
    assert_eq!(
        running.rows("orders"),
        expected(&[(1, "s"), (2, "s"), (3, "x")])
    );
}

#[test]
fn a_repeated_snapshot_of_an_unnamed_table_takes_no_row_along() {
    let site = site();
    let running = site.start();
    running.until_live("orders");
    site.log.append(&snapshot(2, NAMED, 200, &[2], "last"));
    until_reason(&running, "orders", "unconfirmed: ");
    site.log
        .append(&[run(2).create(At::lsn(UNNAMED, 0, 210), 9, "new")]);
    // On a signal, and perhaps filtered.
    site.log.append(&snapshot(2, UNNAMED, 220, &[2], "last"));
    let next = site.log.end(UNNAMED, 0);
    running.until("it is read", |running| {
        let read = running.partition(UNNAMED, 0);
        read.is_some_and(|read| read.next_offset == next && read.reached_end)
    });
    until_reason(&running, "orders", "unconfirmed: ");
    let rows = [(1, "s"), (2, "s"), (3, "x"), (9, "new")];
    assert_eq!(running.rows("orders"), expected(&rows));
}

#[test]
fn an_unnamed_table_without_a_key_keeps_its_rows_until_it_is_found_empty() {
    let site = Site::default();
    for topic in [NAMED, UNNAMED, NOTIFICATIONS] {
        site.log.create_topic(topic, 1);
    }
    let create = |by, lsn, row| run(by).keyless(At::lsn(UNNAMED, 0, lsn), "c", None, Some(row));
    let row = |id, mark| run(1).keyless_snapshot(At::lsn(UNNAMED, 0, 100), (id, "s"), mark);
    site.log.append(&[row(1, "first"), row(2, "last")]);
    site.log.append(&[create(1, 110, (3, "x"))]);
    let running = site.start();
    running.until_rows("orders", &[(1, "s"), (2, "s"), (3, "x")]);
    site.log.append(&snapshot(2, NAMED, 200, &[2], "last"));
    until_reason(&running, "orders", "unconfirmed: ");
    site.log.append(&[create(2, 210, (9, "new"))]);
    running.until_rows("orders", &[(1, "s"), (2, "s"), (3, "x"), (9, "new")]);
    drop(running);
    let running = site.start();
    running.until_live("orders");
    until_reason(&running, "orders", "unconfirmed: ");
    site.log
        .append(&[scanned("public.orders", 0, START_MS + 5)]);
    running.until_rows("orders", &[(9, "new")]);
    assert_eq!(running.facts("orders").unwrap().reason, None);
}

#[test]
fn what_a_snapshot_has_swept_does_not_come_back_when_it_is_read_late() {
    let settings = Site::default().settings;
    let mut stepped = OneByOne::on(&MemoryDisk::default(), NAMED, 2, false, settings);
    let at = |partition, lsn| At::lsn(NAMED, partition, lsn);
    stepped.read(&run(1).create(at(0, 10), 1, "a"));
    let last = with_mark(run(2).snapshot(at(0, 100), 1, "a"), "last");
    stepped.read(&last);
    // The other partition's end was told before its record was written, and is heard of only now.
    stepped.reach_ends();
    let ghost = run(1).create(at(1, 20), 2, "deleted since");
    assert_eq!(stepped.read(&ghost), expected(&[(1, "a")]));
    let created = run(2).create(at(1, 110), 2, "b");
    assert_eq!(stepped.read(&created), expected(&[(1, "a"), (2, "b")]));
}

#[test]
fn an_end_that_waited_for_memory_is_not_past_a_snapshot_that_ended_meanwhile() {
    let settings = Site::default().settings;
    let mut stepped = OneByOne::on(&MemoryDisk::default(), NAMED, 2, false, settings);
    let snapshot = |by: u32, partition, id, mark| {
        let at = At::lsn(NAMED, partition, 100 * u64::from(by));
        with_mark(run(by).snapshot(at, id, "a"), mark)
    };
    stepped.read(&snapshot(1, 1, 1, "first"));
    stepped.read(&snapshot(1, 0, 2, "last"));
    stepped.reach_ends();
    stepped.sequencer.set_memory_max(0);
    stepped.read(&run(1).create(At::lsn(NAMED, 1, 110), 3, "b"));
    stepped.reach_ends();
    // The other partition goes on, through the next snapshot.
    stepped.read(&snapshot(2, 0, 2, "last"));
    let end = NextOffset(stepped.next[0]);
    stepped
        .sequencer
        .reached_end(0, PartitionId(0), Ended::at(end, 1));
    stepped.sequencer.set_memory_max(u64::MAX);
    let all = [1, 2, 3].map(|id| (id, if id == 3 { "b" } else { "a" }.to_owned()));
    assert_eq!(stepped.publish_at(100), all.clone().into());
    assert_eq!(stepped.read(&snapshot(2, 1, 1, "first")), all.into());
    stepped.reach_ends();
    let named = [1, 2].map(|id| (id, "a".to_owned()));
    assert_eq!(stepped.publish_at(200), named.into());
}
