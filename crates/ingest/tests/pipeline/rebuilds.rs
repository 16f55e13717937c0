//! Tables that operators have read from the log's start again, beside the ones that are served.

use std::sync::Arc;

use table_store::ReadState;
use testkit::connector::{At, Connector};

use crate::harness::{CONNECTOR, Running, Site, expected, rows_of};

const ORDERS: &str = "shop.public.orders";
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
