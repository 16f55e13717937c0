//! Records become rows, and a restart goes on where the last process stopped.

use table_store::ReadState;
use testkit::connector::At;

use crate::harness::{CONNECTOR, NEVER, Site, expected};

const TOPIC: &str = "shop.public.orders";

fn at(partition: i32, lsn: u64) -> At<'static> {
    At::lsn(TOPIC, partition, lsn)
}

/// Two partitions; the last record of the first one is a delete without its tombstone.
fn site_with_orders() -> Site {
    let site = Site::default();
    site.log.create_topic(TOPIC, 2);
    site.log.append(&[
        CONNECTOR.create(at(0, 10), 2, "a"),
        CONNECTOR.create(at(1, 11), 1, "b"),
        CONNECTOR.update(at(0, 12), 2, "c"),
        CONNECTOR.create(at(0, 13), 4, "d"),
        CONNECTOR.delete(at(0, 14), 4),
    ]);
    site
}

#[test]
fn records_become_rows_and_the_table_goes_live() {
    let mut site = site_with_orders();
    site.batch_records_max = 1;
    site.gate.close();
    let running = site.start();
    running.until("the source has told its partitions", |running| {
        running.partition(TOPIC, 1).is_some()
    });
    assert!(!running.report(|report| report.started));
    // One record at a time through the gate would be a race; what is seen is never more than read.
    site.gate.open();
    running.until("the table is live", |running| {
        let Some(facts) = running.facts("orders") else {
            return false;
        };
        match facts.state {
            ReadState::Loading => {
                let done = facts.progress.expect("loading has a progress");
                assert!((0.0..=1.0).contains(&done), "{done}");
                false
            }
            ReadState::Live => true,
            other => panic!("a new table is never {other:?}"),
        }
    });
    let facts = running.facts("orders").unwrap();
    assert_eq!((facts.progress, facts.complete), (None, true));
    assert_eq!(running.rows("orders"), expected(&[(1, "b"), (2, "c")]));
    assert_eq!(running.table("orders").unwrap().rows, 2);
    assert_eq!(facts.offsets, [(0, 4), (1, 1)]);
    running.until("the report says so too", |running| {
        running.report(|report| report.started)
    });
}

#[test]
fn a_restart_serves_at_once_and_reads_nothing_again_but_a_last_delete() {
    let site = site_with_orders();
    let running = site.start();
    running.until_live("orders");
    drop(running);

    site.log.hold();
    site.log.append(&[CONNECTOR.update(at(1, 20), 1, "e")]);
    let running = site.start();
    running.until("the rows are served", |running| {
        running.table("orders").is_some()
    });
    // The source has not said a word yet.
    assert_eq!(running.rows("orders"), expected(&[(1, "b"), (2, "c")]));
    assert_eq!(running.state("orders"), Some(ReadState::CatchingUp));
    assert!(!running.report(|report| report.started));
    // What is shown already is a floor for later answers: all that the checkpoint holds, but the delete.
    assert_eq!(running.facts("orders").unwrap().offsets, [(0, 3), (1, 1)]);

    site.log.release();
    running.until_live("orders");
    assert_eq!(running.rows("orders"), expected(&[(1, "e"), (2, "c")]));
    assert_eq!(site.log.read_from(TOPIC, 0), Some(3), "the delete");
    assert_eq!(site.log.read_from(TOPIC, 1), Some(1));
}

#[test]
fn a_tombstone_read_after_a_restart_is_still_part_of_its_delete() {
    let site = site_with_orders();
    let running = site.start();
    running.until_live("orders");
    drop(running);

    // The key lives on in a later record; then the connector writes all three again.
    let tombstone = CONNECTOR.tombstone(at(0, 14), 4);
    site.log.append(&[
        tombstone.clone(),
        CONNECTOR.create(at(0, 30), 4, "again"),
        CONNECTOR.delete(at(0, 14), 4),
        tombstone,
    ]);
    let running = site.start();
    running.until_live("orders");
    assert_eq!(
        running.rows("orders"),
        expected(&[(1, "b"), (2, "c"), (4, "again")])
    );
}

#[test]
fn a_process_that_never_kept_anything_begins_again() {
    let mut site = site_with_orders();
    site.settings.checkpoint_interval = NEVER;
    let running = site.start();
    running.until_live("orders");
    running.crash(&site);

    let running = site.start();
    running.until_live("orders");
    assert_eq!(site.log.read_from(TOPIC, 0), Some(0));
    assert_eq!(running.rows("orders"), expected(&[(1, "b"), (2, "c")]));
}
