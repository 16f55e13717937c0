//! A table whose rows in the checkpoint are damaged: it is not served from them, and the others go on.

use std::ops::ControlFlow;

use checkpoint_store::{Medium, MemoryMedium, WriteBatch};
use row_model::TableId;
use table_store::ReadState;
use testkit::connector::At;

use crate::harness::{CONNECTOR, Running, Site, expected};

const ORDERS: &str = "shop.public.orders";
const PEOPLE: &str = "shop.public.people";

/// A process has read three orders and a person; it is gone, and the orders on disk are damaged.
fn site() -> Site {
    let site = Site::default();
    let order = |id: i64| CONNECTOR.create(At::lsn(ORDERS, 0, 10 + id as u64), id, "x");
    site.log.append(&[
        order(1),
        order(2),
        order(3),
        CONNECTOR.create(At::lsn(PEOPLE, 0, 20), 7, "p"),
    ]);
    let running = site.start();
    running.until_live("orders");
    running.until_live("people");
    let orders = running.table("orders").unwrap().table.identity().id;
    drop(running);
    damage(&site, orders);
    site
}

/// Flips a bit in everything that the disk holds of a table's rows.
fn damage(site: &Site, table: TableId) {
    let mut medium = MemoryMedium::open(&site.disk).unwrap();
    let mut batch = WriteBatch::default();
    let mut damaged = 0;
    let is_rows_of =
        |key: &[u8]| matches!(key[0], b'b' | b'd') && key.get(1..5) == Some(&table.0.to_be_bytes());
    medium
        .scan(&[], &mut |key, value| {
            if is_rows_of(key) {
                let mut flipped = value.to_vec();
                let last = flipped.len() - 1;
                flipped[last] ^= 1;
                batch.put(key.to_vec(), flipped);
                damaged += 1;
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(damaged > 0);
    medium.apply(batch).unwrap();
    medium.flush().unwrap();
}

fn reason(running: &Running) -> String {
    let facts = running.facts("orders").unwrap();
    facts.reason.clone().unwrap_or_default()
}

fn all_orders() -> std::collections::BTreeMap<i64, String> {
    expected(&[(1, "x"), (2, "x"), (3, "x")])
}

#[test]
fn it_is_rebuilt_from_a_whole_log_and_the_others_are_not() {
    let site = site();
    site.gate.close();
    let running = site.start();
    running.until("orders is read again", |running| {
        running.state("orders") == Some(ReadState::Loading)
            && reason(running).ends_with("it is being rebuilt from the log")
    });
    assert_eq!(running.rows("orders").len(), 0, "nothing of it is served");
    assert_eq!(running.rows("people"), expected(&[(7, "p")]));
    site.gate.open();
    running.until_live("orders");
    assert_eq!(running.rows("orders"), all_orders());
    let facts = running.facts("orders").unwrap();
    assert!(facts.complete && facts.reason.is_none(), "{facts:?}");
    assert_eq!(site.log.read_from(PEOPLE, 0), Some(1), "not read again");
    drop(running);

    // What is on disk is whole again.
    let running = site.start();
    running.until_live("orders");
    assert_eq!(running.rows("orders"), all_orders());
    assert_eq!(site.log.read_from(ORDERS, 0), Some(3));
}

#[test]
fn until_its_log_is_seen_it_has_no_rows_and_says_why() {
    let site = site();
    site.log.hold();
    let running = site.start();
    running.until("orders is there", |running| {
        running.state("orders").is_some()
    });
    assert_eq!(running.state("orders"), Some(ReadState::Loading));
    assert!(reason(&running).contains("rows in the checkpoint are damaged"));
    assert_eq!(running.rows("orders").len(), 0);
    let facts = running.facts("orders").unwrap();
    assert!(!facts.complete);
}

#[test]
fn it_stands_still_where_the_log_does_not_have_all_of_it() {
    let site = site();
    site.log.trim(ORDERS, 0, 2);
    for _ in 0..2 {
        let running = site.start();
        running.until("orders stands still", |running| {
            running.state("orders") == Some(ReadState::Stalled)
        });
        let reason = reason(&running);
        assert!(reason.contains("begins at offset 2"), "{reason}");
        assert!(reason.ends_with("`rowtide rebuild orders`"), "{reason}");
        assert_eq!(running.rows("orders").len(), 0);
        running.until_live("people");
        // Checkpoints go on, and do not make its emptiness the truth.
        let before = running.report(|report| report.checkpoint.sequence);
        let id = site.log.end(PEOPLE, 0) as i64 + 10;
        site.log
            .append(&[CONNECTOR.create(At::lsn(PEOPLE, 0, 30 + id as u64), id, "q")]);
        running.until("a checkpoint", |running| {
            running.report(|report| report.checkpoint.sequence) > before
        });
    }
}

/// What a refusal says to do helps, and is the end of it.
#[test]
fn the_command_that_is_named_mends_it() {
    let site = site();
    site.log.trim(ORDERS, 0, 2);
    let running = site.start();
    running.until("orders stands still", |running| {
        running.state("orders") == Some(ReadState::Stalled)
    });
    running.rebuild("orders", true);
    running.until_rebuilt("orders").unwrap();
    running.until_live("orders");
    assert_eq!(running.rows("orders"), expected(&[(3, "x")]));
    drop(running);
    let running = site.start();
    running.until_live("orders");
    assert_eq!(running.rows("orders"), expected(&[(3, "x")]));
    assert!(!running.facts("orders").unwrap().complete);
}
