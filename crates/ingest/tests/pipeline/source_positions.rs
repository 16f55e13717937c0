//! What cuts say of sources: which transactions are shown, how far each table has come along, where logs end.

use std::sync::Arc;

use change_feed::{EndsQuestion, LogEnd};
use parking_lot::Mutex;
use table_store::{Heartbeats, Sighting, SourceCut, TableReach};
use testkit::connector::{At, with_mark};

use crate::harness::{CONNECTOR, NEVER, Running, Site};

const ORDERS: &str = "shop.public.orders";
const ITEMS: &str = "shop.public.items";
const BEATS: &str = "shop.public.beats";

fn site() -> Site {
    let site = Site::default();
    for topic in [ORDERS, ITEMS] {
        site.log.create_topic(topic, 1);
    }
    site
}

fn at(topic: &str, transaction: u64) -> At<'_> {
    At {
        topic,
        partition: 0,
        lsn: Some(transaction * 100),
        transaction: Some(transaction),
    }
}

fn source(running: &Running) -> Option<Arc<SourceCut>> {
    running.cut().sources().first().cloned()
}

fn along(running: &Running, table: &str) -> Option<TableReach> {
    let id = running.table(table)?.table.identity().id;
    source(running)?.table(id).cloned()
}

/// A transaction was complete at a moment, and all tables have been read to their ends since.
fn shows(running: &Running, transaction: u64, tables: &[&str]) -> bool {
    let sighting = source(running).map(|source| source.applied.sighting(transaction));
    let Some(Sighting::Since(since) | Sighting::Below(since)) = sighting else {
        return false;
    };
    let mut tables = tables.iter().map(|table| along(running, table));
    tables.all(|along| along.is_some_and(|along| along.is_whole && along.heard >= Some(since)))
}

fn until_shown(running: &Running, transaction: u64) {
    running.until(&format!("transaction {transaction} is shown"), |running| {
        shows(running, transaction, &["orders", "items"])
    });
}

#[test]
fn a_transaction_is_shown_by_all_tables_once_they_are_quiet() {
    let site = site();
    site.log.append(&[CONNECTOR.create(at(ITEMS, 19), 1, "i")]);
    site.log.append(&[CONNECTOR.create(at(ORDERS, 20), 1, "o")]);
    let running = site.start();
    until_shown(&running, 20);
    assert_eq!(running.rows("orders").len(), 1);
    let seen = source(&running).unwrap();
    assert_eq!((&*seen.name, &*seen.connector), ("s", "s"));
    assert_eq!(seen.newest.lsn, Some(2_000));
    assert_eq!(seen.applied.sighting(21), Sighting::Unseen);
    // A table of which nothing comes is known to have come along with the others.
    site.log.append(&[CONNECTOR.update(at(ORDERS, 25), 1, "p")]);
    until_shown(&running, 25);
    assert_eq!(along(&running, "items").unwrap().reached.lsn, Some(2_500));
}

#[test]
fn what_was_seen_of_a_source_outlives_the_process() {
    let site = site();
    site.log.append(&[CONNECTOR.create(at(ITEMS, 19), 1, "i")]);
    site.log.append(&[CONNECTOR.create(at(ORDERS, 20), 1, "o")]);
    let running = site.start();
    until_shown(&running, 20);
    drop(running);
    site.log.append(&[CONNECTOR.update(at(ORDERS, 30), 1, "p")]);
    let running = site.start();
    until_shown(&running, 30);
    until_shown(&running, 20);
    until_shown(&running, 19);
    let seen = source(&running).unwrap();
    assert_eq!(seen.applied.sighting(21), Sighting::Unseen);
    assert_eq!(seen.applied.len(), 3);
}

#[test]
fn what_a_failed_checkpoint_held_of_a_source_is_in_the_next_one() {
    let mut site = site();
    site.settings.checkpoint_interval = NEVER;
    site.log.append(&[CONNECTOR.create(at(ORDERS, 20), 1, "o")]);
    let running = site.start();
    running.until("it is seen", |running| {
        source(running).is_some_and(|source| source.applied.sighting(20) != Sighting::Unseen)
    });
    // The last checkpoint is lost with the process: everything is read again.
    running.crash(&site);
    let running = site.start();
    running.until_live("orders");
    running.until("it is seen again", |running| {
        source(running).is_some_and(|source| source.applied.len() == 1)
    });
}

#[test]
fn transactions_before_a_snapshot_count_once_more_was_streamed() {
    let site = site();
    let row = CONNECTOR.snapshot(at(ORDERS, 50), 1, "s");
    site.log.append(&[with_mark(row, "last")]);
    let running = site.start();
    running.until_live("orders");
    let seen = source(&running).unwrap();
    assert_eq!(seen.applied.sighting(40), Sighting::Unseen);
    assert_eq!(seen.newest.lsn, None);
    site.log.append(&[CONNECTOR.create(at(ORDERS, 60), 2, "c")]);
    running.until("an older one counts", |running| {
        shows(running, 40, &["orders"])
    });
    assert_eq!(
        source(&running).unwrap().applied.sighting(55),
        Sighting::Unseen
    );
}

#[test]
fn a_table_of_heartbeats_proves_how_far_the_source_is_shown() {
    let mut site = site();
    site.log.create_topic(BEATS, 1);
    site.heartbeat_table = Some(BEATS.to_owned());
    site.settings
        .unserved
        .push(("s".to_owned(), BEATS.to_owned()));
    site.log.append(&[CONNECTOR.create(at(ORDERS, 20), 1, "o")]);
    let running = site.start();
    until_live_and_seen(&running);
    assert_eq!(source(&running).unwrap().heartbeats, Heartbeats::Awaited);
    assert_eq!(running.facts("orders").unwrap().shown_source_ms(), None);
    site.log.append(&[CONNECTOR.update(at(BEATS, 99), 1, "b")]);
    running.until("orders has come along with a heartbeat", |running| {
        along(running, "orders").is_some_and(|along| along.reached.lsn == Some(9_900))
    });
    running.until("its proof is told", |running| {
        running.facts("orders").unwrap().shown_source_ms() == Some(5)
    });
    assert_eq!(source(&running).unwrap().heartbeats, Heartbeats::Last(5));
    assert!(running.table("beats").is_none());
}

fn until_live_and_seen(running: &Running) {
    running.until_live("orders");
    running.until("its source is seen", |running| source(running).is_some());
}

#[test]
fn logs_are_asked_where_they_end() {
    let site = site();
    site.log.append(&[CONNECTOR.create(at(ORDERS, 20), 1, "o")]);
    site.log.append(&[CONNECTOR.create(at(ORDERS, 21), 2, "o")]);
    let running = site.start();
    let told = Arc::new(Mutex::new(Vec::new()));
    let ask = |source: &str| {
        let told = Arc::clone(&told);
        let of = vec![(ORDERS.to_owned(), 0)];
        let question = EndsQuestion::new(of, move |ends| told.lock().push(ends));
        running.log_ends().ask(source, question);
    };
    ask("other");
    ask("s");
    running.until("both are answered", |_| told.lock().len() == 2);
    let end = LogEnd {
        topic: ORDERS.to_owned(),
        partition: 0,
        next: 2,
    };
    let told = std::mem::take(&mut *told.lock());
    assert_eq!(
        told,
        [Err("there is no source other".to_owned()), Ok(vec![end])]
    );
}
