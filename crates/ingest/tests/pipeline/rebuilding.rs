//! Settings that change what rows look like: the table they are about is rebuilt, and no other.

use row_model::Row;
use table_store::ReadState;
use testkit::connector::{At, Connector};

use crate::harness::{CONNECTOR, Rules, Running, Site};

const ORDERS: &str = "shop.public.orders";
const PEOPLE: &str = "shop.public.people";
const SECRET: &str = "0123456789abcdef";

/// A process has read four orders, one of them bad, and a person; it is gone.
fn site() -> Site {
    let site = Site::default();
    site.log.append(&[
        CONNECTOR.create(At::lsn(ORDERS, 0, 10), 1, "secret-a"),
        Connector::broken(At::lsn(ORDERS, 0, 11)),
        CONNECTOR.create(At::lsn(ORDERS, 0, 12), 2, "secret-b"),
        CONNECTOR.create(At::lsn(ORDERS, 0, 13), 3, "secret-c"),
        CONNECTOR.create(At::lsn(PEOPLE, 0, 14), 7, "p"),
    ]);
    let running = site.start();
    running.until_live("orders");
    running.until_live("people");
    drop(running);
    site
}

fn dropped() -> Rules {
    Rules {
        topic: ORDERS,
        drop: vec!["v".to_owned()],
        ..Rules::default()
    }
}

fn hashed(secret: &'static str) -> Rules {
    Rules {
        topic: ORDERS,
        hash: vec!["v".to_owned()],
        secret,
        ..Rules::default()
    }
}

fn typed() -> Rules {
    Rules {
        topic: ORDERS,
        types: vec![("id", "uint64")],
        ..Rules::default()
    }
}

/// The cells of every row of a table, in words.
fn cells(running: &Running, table: &str) -> Vec<String> {
    let cut = running.pipeline.store().pin();
    let mut rows = Vec::new();
    if let Ok(table) = cut.table(table) {
        table.table.visit(cut.id, |version| {
            rows.extend(version.row().map(|row: Row<'_>| format!("{row:?}")));
        });
    }
    rows.sort();
    rows
}

fn reason(running: &Running) -> String {
    let facts = running.facts("orders").unwrap();
    facts.reason.clone().unwrap_or_default()
}

#[test]
fn a_column_that_is_dropped_from_now_on_is_gone_from_everywhere() {
    let mut site = site();
    site.rules = Some(dropped());
    site.gate.close();
    let running = site.start();
    running.until("orders begins anew", |running| {
        running.state("orders") == Some(ReadState::Loading)
    });
    // Served by nobody while it is read again.
    assert_eq!(cells(&running, "orders"), Vec::<String>::new());
    assert!(
        reason(&running).contains("has changed (columns.drop): it is being rebuilt"),
        "{}",
        reason(&running)
    );
    site.gate.open();
    running.until_live("orders");
    assert_eq!(
        cells(&running, "orders"),
        ["[Int(1)]", "[Int(2)]", "[Int(3)]"]
    );
    assert_eq!(reason(&running), "");
    assert!(running.facts("orders").unwrap().complete);
    assert_eq!(
        site.log.read_from(PEOPLE, 0),
        Some(1),
        "people is not read again"
    );
    // The bad record was put aside anew, without its bytes.
    let aside = running.quarantine();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!((&aside[0].key, &aside[0].value), (&None, &None));
    assert_eq!(running.facts("orders").unwrap().quarantined, 1);
    drop(running);

    // And so it is after a restart, which reads nothing again.
    let running = site.start();
    running.until_live("orders");
    assert_eq!(cells(&running, "orders").len(), 3);
    assert_eq!(site.log.read_from(ORDERS, 0), Some(4));
    assert_eq!(running.quarantine().len(), 1);
}

#[test]
fn a_crash_before_the_first_checkpoint_begins_again() {
    let mut site = site();
    site.rules = Some(hashed(SECRET));
    let running = site.start();
    running.crash(&site);
    let running = site.start();
    running.until_live("orders");
    let rows = cells(&running, "orders");
    assert_eq!(rows.len(), 3);
    assert!(!rows.join("").contains("secret"), "{rows:?}");
    drop(running);

    // Another key makes other hashes of the same rows.
    site.rules = Some(hashed("fedcba9876543210"));
    let running = site.start();
    running.until("other hashes", |running| {
        running.state("orders") == Some(ReadState::Live) && cells(running, "orders") != rows
    });
    assert_eq!(cells(&running, "orders").len(), 3);
}

#[test]
fn secrecy_comes_before_rows_that_the_log_has_lost() {
    let mut site = site();
    site.log.trim(ORDERS, 0, 3);
    site.rules = Some(hashed(SECRET));
    let running = site.start();
    running.until_live("orders");
    let rows = cells(&running, "orders");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(!rows.join("").contains("secret"), "{rows:?}");
    let facts = running.facts("orders").unwrap();
    assert!(!facts.complete);
    let because = facts.incomplete_because.clone().unwrap_or_default();
    assert!(because.contains("begins at offset 3"), "{because}");
}

#[test]
fn rows_that_may_be_seen_are_kept_when_the_log_has_lost_some() {
    let mut site = site();
    site.log.trim(ORDERS, 0, 3);
    site.rules = Some(typed());
    let running = site.start();
    running.until("orders stands still", |running| {
        running.state("orders") == Some(ReadState::Stalled)
    });
    assert_eq!(cells(&running, "orders").len(), 3);
    let reason = reason(&running);
    assert!(
        reason.contains("(columns.types)") && reason.contains("Restore the setting"),
        "{reason}"
    );
    running.until_live("people");
    drop(running);

    // The setting as it was: everything goes on where it stopped.
    site.rules = None;
    site.log
        .append(&[CONNECTOR.create(At::lsn(ORDERS, 0, 15), 4, "d")]);
    let running = site.start();
    running.until_live("orders");
    running.until("the new row is there", |running| {
        cells(running, "orders").len() == 4
    });
}

#[test]
fn a_whole_log_gives_the_rows_that_another_setting_makes() {
    let mut site = site();
    site.rules = Some(typed());
    let running = site.start();
    running.until("it was read again", |running| {
        running.state("orders") == Some(ReadState::Live) && site.log.read_from(ORDERS, 0) == Some(0)
    });
    assert_eq!(cells(&running, "orders").len(), 3);
    let table = running.table("orders").unwrap();
    let schema = table.schema.unwrap();
    let shape = table.table.schemas().get(schema).unwrap();
    assert_eq!(shape.columns[0].kind, row_model::ColumnType::UInt64);
    drop(running);
    let running = site.start();
    running.until_live("orders");
    assert_eq!(site.log.read_from(ORDERS, 0), Some(4), "read once");
}

#[test]
fn a_name_that_hides_nothing_is_told() {
    let mut site = site();
    site.rules = Some(Rules {
        topic: ORDERS,
        drop: vec!["w".to_owned()],
        ..Rules::default()
    });
    let running = site.start();
    running.until_live("orders");
    running.until("the table says so", |running| {
        reason(running).contains("columns.drop names w, and no row")
    });
}
