//! Tables of a checkpoint that are compared with what their logs make of them.

use std::collections::BTreeMap;

use ingest::Compared;
use row_model::CutId;
use table_store::TableCut;
use testkit::connector::{At, Connector, with_mark};

use crate::harness::{CONNECTOR, Site, rows_of};

const ORDERS: &str = "shop.public.orders";

fn at(lsn: u64) -> At<'static> {
    At::lsn(ORDERS, 0, lsn)
}

/// A process has read the log to its end, and is gone.
fn kept(site: &Site) {
    let running = site.start();
    running.until_live("orders");
}

fn verified(site: &Site) -> Result<Compared, String> {
    site.verify().table("orders", |_, _| {})
}

fn rows(table: &TableCut) -> BTreeMap<i64, String> {
    rows_of(table, CutId(u64::MAX))
}

#[track_caller]
fn check_equal(site: &Site) {
    let compared = verified(site).unwrap();
    let (checkpoint, mut log) = (rows(&compared.checkpoint), rows(&compared.log));
    if !compared.unsettled.is_empty() {
        log.retain(|id, _| checkpoint.contains_key(id));
    }
    assert_eq!(checkpoint, log);
    assert!(!checkpoint.is_empty());
}

#[test]
fn a_table_is_what_its_log_makes_of_it_up_to_the_checkpoint() {
    let site = Site::default();
    site.log.append(&[
        CONNECTOR.create(at(10), 1, "a"),
        CONNECTOR.create(at(11), 2, "b"),
        CONNECTOR.update(at(12), 1, "c"),
    ]);
    kept(&site);
    check_equal(&site);
    // What was written since is not the checkpoint's.
    site.log.append(&[
        CONNECTOR.update(at(13), 2, "later"),
        CONNECTOR.create(at(14), 3, "later"),
    ]);
    check_equal(&site);
}

#[test]
fn a_last_delete_may_have_been_applied_or_not() {
    let site = Site::default();
    site.log.append(&[
        CONNECTOR.create(at(10), 1, "a"),
        CONNECTOR.create(at(11), 2, "b"),
        CONNECTOR.delete(at(12), 2),
    ]);
    kept(&site);
    let compared = verified(&site).unwrap();
    assert_eq!(rows(&compared.checkpoint).len(), 1);
    assert_eq!(rows(&compared.log).len(), 2);
    assert_eq!(compared.unsettled.len(), 1);
    check_equal(&site);
}

#[test]
fn another_row_in_the_log_is_another_row() {
    let site = Site::default();
    site.log.append(&[CONNECTOR.create(at(10), 1, "a")]);
    kept(&site);
    // The same topic by its id, with another record.
    let taken = site.log.take_topic(ORDERS);
    site.log.put_back(taken);
    site.log.cut_tail(ORDERS, 0, 0);
    site.log.append(&[CONNECTOR.create(at(10), 1, "b")]);
    let compared = verified(&site).unwrap();
    assert_eq!(rows(&compared.checkpoint)[&1], "a");
    assert_eq!(rows(&compared.log)[&1], "b");
}

#[test]
fn sweeps_and_waiting_halves_are_brought_to_the_same_point() {
    let site = Site::default();
    let again = Connector { run: 2 };
    site.log.append(&[
        CONNECTOR.create(at(10), 1, "ghost"),
        CONNECTOR.create(at(11), 2, "b"),
        with_mark(
            again.snapshot(At::lsn(ORDERS, 0, 30), 2, "s"),
            "first_in_data_collection",
        ),
        with_mark(again.snapshot(At::lsn(ORDERS, 0, 30), 3, "t"), "last"),
        again.create(at(31), 4, "u"),
    ]);
    kept(&site);
    check_equal(&site);
    let compared = verified(&site).unwrap();
    assert_eq!(rows(&compared.log).len(), 3);
    // A departure whose arrival has not come.
    site.log.append(&[again.moved_away(at(32), 4, 9)]);
    kept(&site);
    check_equal(&site);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let site = Site::default();
    site.log.append(&[
        CONNECTOR.create(at(10), 1, "a"),
        CONNECTOR.create(at(11), 2, "b"),
    ]);
    kept(&site);
    let check = |words: &str| {
        let reason = verified(&site).unwrap_err();
        assert!(reason.contains(words), "{reason}");
    };
    site.log.cut_tail(ORDERS, 0, 1);
    check("the checkpoint expects record 2, but the log ends at 1");
    site.log.append(&[CONNECTOR.create(at(11), 2, "b")]);
    check_equal(&site);
    site.log.trim(ORDERS, 0, 1);
    check("begins at offset 1: the log does not hold all that made the table");
    site.log.delete_topic(ORDERS);
    check("was not found at source s");
    site.log.create_topic(ORDERS, 1);
    check("was recreated: the checkpoint is of another log");
}

#[test]
fn a_topic_of_which_nothing_is_served_any_more_is_told() {
    let mut site = Site::default();
    site.log.append(&[CONNECTOR.create(at(10), 1, "a")]);
    kept(&site);
    site.settings
        .unserved
        .push(("s".to_owned(), ORDERS.to_owned()));
    let verify = site.verify();
    let unknown = [(
        "orders".to_owned(),
        format!("its topic {ORDERS} is not served any more"),
    )];
    assert_eq!(verify.unknown(), unknown);
}
