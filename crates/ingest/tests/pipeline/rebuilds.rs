//! Tables that operators have read from the log's start again, beside the ones that are served.

use std::sync::Arc;

use ingest::{RebuildError, RebuildState};
use table_store::{ReadState, Transactions};
use testkit::connector::{At, Connector, boundary};

use crate::harness::{CONNECTOR, Running, Site, expected, rows_of};

const ORDERS: &str = "shop.public.orders";
const BOUNDARIES: &str = "shop.transaction";
const PEOPLE: &str = "shop.public.people";

fn at(lsn: u64) -> At<'static> {
    At::lsn(ORDERS, 0, lsn)
}

/// Three orders, one of them deleted since, a record that cannot be read, and a person.
fn site() -> Site {
    let site = Site::default();
    site.log.append(&[
        CONNECTOR.create(at(10), 1, "a"),
        CONNECTOR.create(at(11), 2, "b"),
        Connector::broken(at(12)),
        CONNECTOR.create(at(13), 3, "c"),
        CONNECTOR.delete(at(14), 2),
        CONNECTOR.create(At::lsn(PEOPLE, 0, 15), 7, "p"),
    ]);
    site
}

fn live(site: &Site) -> Running {
    let running = site.start();
    running.until_live("orders");
    running.until_live("people");
    running
}

#[test]
fn a_rebuilt_table_takes_the_place_of_the_one_that_is_served() {
    let site = site();
    let running = live(&site);
    let before = running.pipeline.store().pin();
    let old = before.table("orders").unwrap().clone();
    assert_eq!(running.rebuild("orders", false), 1);
    running.until_rebuilt("orders").unwrap();
    let new = running.table("orders").unwrap();
    assert_eq!(new.table.identity(), old.table.identity());
    assert!(!Arc::ptr_eq(&new.table, &old.table));
    assert_eq!(running.rows("orders"), expected(&[(1, "a"), (3, "c")]));
    assert_eq!(running.state("orders"), Some(ReadState::Live));
    assert!(new.facts.complete);
    // Who holds an older cut keeps what it had.
    let held = rows_of(&old, before.id);
    assert_eq!(held, expected(&[(1, "a"), (3, "c")]));
    // What was put aside is put aside once.
    assert_eq!(running.quarantine().len(), 1);
    assert_eq!(new.facts.quarantined, 1);
    let told = running.rebuilt("orders").unwrap();
    assert_eq!((told.rows, told.progress, told.detail), (2, 1.0, None));

    // What comes later goes to the new table, and a checkpoint has both.
    site.log.append(&[CONNECTOR.update(at(16), 1, "z")]);
    running.until_rows("orders", &[(1, "z"), (3, "c")]);
    drop(running);
    let running = live(&site);
    assert_eq!(running.rows("orders"), expected(&[(1, "z"), (3, "c")]));
    assert_eq!(site.log.read_from(ORDERS, 0), Some(6));
    assert_eq!(running.quarantine().len(), 1);
}

#[test]
fn readers_never_see_half_a_table_while_records_flow() {
    let mut site = site();
    site.batch_records_max = 1;
    let rows: Vec<_> = (100..200)
        .map(|id| CONNECTOR.create(at(20), id, "x"))
        .collect();
    site.log.append(&rows);
    let running = live(&site);
    let mut before = running.rows("orders").len();
    assert_eq!(before, 102);
    running.rebuild("orders", false);
    let mut next = 200;
    running.until("the rebuild is done", |running| {
        // Keys only ever come: a cut that shows fewer lacks some.
        let now = running.rows("orders").len();
        assert!(now >= before, "{now} rows after {before}");
        before = now;
        site.log.append(&[CONNECTOR.create(at(21), next, "y")]);
        next += 1;
        running.rebuilt("orders").unwrap().state == RebuildState::Done
    });
    let all = 102 + usize::try_from(next - 200).unwrap();
    running.until("all that was written is there", |running| {
        running.rows("orders").len() == all
    });
}

#[test]
fn a_table_is_rebuilt_once_at_a_time_and_one_after_another() {
    let site = site();
    let running = live(&site);
    site.replay_gate.close();
    assert_eq!(running.rebuild("orders", false), 1);
    assert_eq!(running.rebuild("people", false), 2);
    let refused = |table: &str| match running.pipeline.control().rebuild(table, false) {
        Err(RebuildError::Refused(refused)) => refused.reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused("orders"),
        "table orders is being rebuilt already (rebuild 1)"
    );
    assert_eq!(
        refused("people"),
        "table people is being rebuilt already (rebuild 2)"
    );
    assert_eq!(refused("others"), "there is no table \"others\"");
    assert_eq!(
        running.rebuilt("people").unwrap().state,
        RebuildState::Waiting
    );
    site.replay_gate.open();
    running.until_rebuilt("orders").unwrap();
    running.until_rebuilt("people").unwrap();
    assert_eq!(running.rows("people"), expected(&[(7, "p")]));
    assert_eq!(running.rebuild("orders", false), 3);
    running.until_rebuilt("orders").unwrap();
}

#[test]
fn a_crash_while_the_log_is_read_leaves_the_table_that_is_kept() {
    let site = site();
    let running = live(&site);
    running.until("a checkpoint has all", |_| {
        site.log.acknowledged(ORDERS, 0).map(|next| next.0) == Some(4)
    });
    site.replay_gate.close();
    running.rebuild("orders", false);
    running.until("the replay is under way", |running| {
        running.rebuilt("orders").unwrap().state == RebuildState::Replaying
    });
    running.crash(&site);
    site.faults.forget();
    let running = live(&site);
    assert_eq!(running.rows("orders"), expected(&[(1, "a"), (3, "c")]));
    assert_eq!(running.rebuilt("orders"), None);
    // What was kept was gone on from: its last delete is read again.
    assert_eq!(site.log.read_from(ORDERS, 0), Some(4));
}

#[test]
fn a_process_can_end_while_a_table_is_rebuilt() {
    let site = site();
    let running = live(&site);
    site.replay_gate.close();
    running.rebuild("orders", false);
    site.replay_gate.open();
    drop(running);
    let running = live(&site);
    assert_eq!(running.rows("orders"), expected(&[(1, "a"), (3, "c")]));
}

#[test]
fn a_shortened_log_is_refused_or_accepted_and_said() {
    let site = site();
    let running = live(&site);
    site.log.trim(ORDERS, 0, 2);
    running.rebuild("orders", false);
    let reason = running.until_rebuilt("orders").unwrap_err();
    for words in [
        "the log does not hold all of the table any more",
        "begins at offset 2",
        "A new full snapshot of the source mends it",
        "--accept-incomplete",
    ] {
        assert!(reason.contains(words), "{reason}");
    }
    // Nothing has changed, and reading goes on.
    assert_eq!(running.rows("orders"), expected(&[(1, "a"), (3, "c")]));
    assert!(running.facts("orders").unwrap().complete);
    site.log.append(&[CONNECTOR.create(at(16), 4, "d")]);
    running.until_rows("orders", &[(1, "a"), (3, "c"), (4, "d")]);

    running.rebuild("orders", true);
    running.until_rebuilt("orders").unwrap();
    assert_eq!(running.rows("orders"), expected(&[(3, "c"), (4, "d")]));
    let facts = running.facts("orders").unwrap();
    assert!(!facts.complete);
    let because = facts.incomplete_because.clone().unwrap_or_default();
    assert!(because.contains("begins at offset 2"), "{because}");
    drop(running);
    let running = live(&site);
    assert!(!running.facts("orders").unwrap().complete);
}

#[test]
fn a_shortened_log_that_holds_a_whole_snapshot_is_enough() {
    let site = site();
    let running = live(&site);
    let again = Connector { run: 2 };
    let row = |id, v, mark| {
        let row = again.snapshot(At::lsn(ORDERS, 0, 30), id, v);
        testkit::connector::with_mark(row, mark)
    };
    site.log
        .append(&[row(1, "s", "first_in_data_collection"), row(5, "t", "last")]);
    running.until_rows("orders", &[(1, "s"), (5, "t")]);
    site.log.trim(ORDERS, 0, 5);
    running.rebuild("orders", false);
    running.until_rebuilt("orders").unwrap();
    assert_eq!(running.rows("orders"), expected(&[(1, "s"), (5, "t")]));
    assert!(running.facts("orders").unwrap().complete);
}

#[test]
fn a_stalled_table_is_rebuilt_from_the_log_there_is() {
    let site = site();
    drop(live(&site));
    // Retention has overtaken the checkpoint.
    site.log.append(&[
        CONNECTOR.create(at(17), 8, "gone"),
        CONNECTOR.create(at(18), 9, "there"),
    ]);
    site.log.trim(ORDERS, 0, 6);
    let running = site.start();
    running.until("orders is stalled", |running| {
        running.state("orders") == Some(ReadState::Stalled)
    });
    running.rebuild("orders", true);
    running.until_rebuilt("orders").unwrap();
    running.until_live("orders");
    assert_eq!(running.rows("orders"), expected(&[(9, "there")]));
    assert!(!running.facts("orders").unwrap().complete);
    site.log.append(&[CONNECTOR.create(at(19), 10, "next")]);
    running.until_rows("orders", &[(9, "there"), (10, "next")]);
}

#[test]
fn a_topic_that_was_recreated_is_rebuilt_from_the_new_one() {
    let site = site();
    drop(live(&site));
    site.log.delete_topic(ORDERS);
    site.log.create_topic(ORDERS, 1);
    site.log.append(&[CONNECTOR.create(at(5), 1, "new")]);
    let running = site.start();
    running.until("orders is stalled", |running| {
        running.state("orders") == Some(ReadState::Stalled)
    });
    running.rebuild("orders", false);
    running.until_rebuilt("orders").unwrap();
    running.until_live("orders");
    assert_eq!(running.rows("orders"), expected(&[(1, "new")]));
    // What the former log had, and nobody changed since, is not in this one.
    let facts = running.facts("orders").unwrap();
    let reason = facts.incomplete_because.clone().unwrap_or_default();
    assert!(
        !facts.complete && reason.starts_with("topic shop.public.orders was recreated"),
        "{reason}"
    );
    // Nothing was put aside in this log.
    assert_eq!(running.quarantine().len(), 0);
    assert_eq!(running.facts("orders").unwrap().quarantined, 0);
    drop(running);
    let running = live(&site);
    assert_eq!(running.rows("orders"), expected(&[(1, "new")]));
    assert_eq!(running.quarantine().len(), 0);
    assert!(!running.facts("orders").unwrap().complete);
}

#[test]
fn a_rebuild_does_not_wait_for_partitions_that_turn_out_to_be_gone() {
    let of = |transaction, at| At {
        transaction: Some(transaction),
        ..at
    };
    let site = Site::default();
    site.log.create_topic(ORDERS, 2);
    site.log.create_topic(BOUNDARIES, 1);
    site.log.append(&[
        boundary(BOUNDARIES, 7, None),
        CONNECTOR.create(of(7, at(10)), 1, "a").within(7, 1),
        CONNECTOR
            .create(of(7, At::lsn(ORDERS, 1, 11)), 2, "b")
            .within(7, 2),
        boundary(BOUNDARIES, 7, Some(&[("public.orders", 2)])),
    ]);
    let running = site.start();
    running.until_rows("orders", &[(1, "a"), (2, "b")]);
    // Who serves hears of the new topic only when the replay has read it to its end.
    site.log.hold_opened();
    site.log.delete_topic(ORDERS);
    site.log.create_topic(ORDERS, 1);
    site.log.append(&[
        boundary(BOUNDARIES, 8, None),
        CONNECTOR.create(of(8, at(15)), 1, "new").within(8, 1),
        boundary(BOUNDARIES, 8, Some(&[("public.orders", 1)])),
    ]);
    running.rebuild("orders", false);
    running.until("the replay is past the new topic's end", |running| {
        let told = running.rebuilt("orders");
        told.is_some_and(|told| told.rows == 1) && site.log.paused().len() == 2
    });
    site.log.release();
    running.until_rebuilt("orders").unwrap();
    running.until_rows("orders", &[(1, "new")]);
    // Nor does anything that is shown lack a part that they may have.
    running.until("transactions are whole", |running| {
        let facts = running.facts("orders");
        facts.is_some_and(|facts| facts.transactions == Transactions::Whole)
    });
}

#[test]
fn redelivered_stretches_change_nothing() {
    let site = site();
    let running = live(&site);
    site.log.append(&[
        CONNECTOR.create(at(10), 1, "a"),
        CONNECTOR.create(at(11), 2, "b"),
        CONNECTOR.delete(at(14), 2),
    ]);
    running.rebuild("orders", false);
    running.until_rebuilt("orders").unwrap();
    site.log.append(&[
        CONNECTOR.create(at(13), 3, "c"),
        CONNECTOR.create(at(11), 2, "b"),
        CONNECTOR.create(at(20), 4, "d"),
    ]);
    running.until_rows("orders", &[(1, "a"), (3, "c"), (4, "d")]);
}

#[test]
fn a_table_that_does_not_fit_twice_is_not_rebuilt() {
    let mut site = site();
    let large = "x".repeat(100_000);
    let rows: Vec<_> = (100..110)
        .map(|id| CONNECTOR.create(at(20), id, &large))
        .collect();
    site.log.append(&rows);
    site.settings.memory_bytes_max = 1_500_000;
    let running = live(&site);
    running.rebuild("orders", false);
    let reason = running.until_rebuilt("orders").unwrap_err();
    assert!(
        reason.starts_with("memory: while it is rebuilt the table is held twice"),
        "{reason}"
    );
    site.log.append(&[CONNECTOR.create(at(21), 4, "d")]);
    running.until("reading goes on", |running| {
        running.rows("orders").contains_key(&4)
    });
}

#[test]
fn rows_without_a_key_and_their_doubles_are_as_many_as_before() {
    let site = Site::default();
    let row = |lsn, id, v| CONNECTOR.keyless(at(lsn), "c", None, Some((id, v)));
    site.log
        .append(&[row(10, 1, "a"), row(11, 1, "a"), row(12, 2, "b")]);
    let running = site.start();
    running.until_live("orders");
    running.rebuild("orders", false);
    running.until_rebuilt("orders").unwrap();
    assert_eq!(running.table("orders").unwrap().rows, 3);
    // Known for what was delivered before the swap.
    site.log
        .append(&[row(11, 1, "a"), row(12, 2, "b"), row(13, 3, "c")]);
    running.until("the new row is there", |running| {
        running.rows("orders").contains_key(&3)
    });
    assert_eq!(running.table("orders").unwrap().rows, 4);
}
