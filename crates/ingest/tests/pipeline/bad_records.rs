//! Records that cannot be decoded: put aside with their reason, or the end of their partition.

use ingest::{OnBadRecord, Quarantined};
use table_store::ReadState;
use testkit::connector::{At, Connector};
use testkit::scripted_source::PlannedRecord;

use crate::harness::{CONNECTOR, NEVER, Site, expected};

const ORDERS: &str = "shop.public.orders";
const PEOPLE: &str = "shop.public.people";

fn orders(lsn: u64) -> At<'static> {
    At::lsn(ORDERS, 0, lsn)
}

/// Four records of which the second and third are no use.
fn site_with_bad_records() -> Site {
    let site = Site::default();
    let unknown_op = PlannedRecord::new(
        ORDERS,
        0,
        Some(r#"{"id":2}"#),
        Some(r#"{"before":null,"after":{"id":2,"v":"x"},"source":{},"op":"?"}"#),
    );
    site.log.append(&[
        CONNECTOR.create(orders(10), 1, "a"),
        Connector::broken(orders(11)),
        unknown_op,
        CONNECTOR.create(orders(12), 3, "c"),
        CONNECTOR.create(At::lsn(PEOPLE, 0, 13), 7, "p"),
    ]);
    site
}

fn places(aside: &[Quarantined]) -> Vec<(&str, i32, u64)> {
    aside
        .iter()
        .map(|record| (record.topic.as_str(), record.partition, record.offset))
        .collect()
}

#[test]
fn a_bad_record_is_put_aside_with_its_reason_and_the_table_goes_on() {
    let site = site_with_bad_records();
    let running = site.start();
    running.until_live("orders");
    assert_eq!(running.rows("orders"), expected(&[(1, "a"), (3, "c")]));
    running.until("both are reported", |running| {
        running.quarantine().len() == 2
    });
    let aside = running.quarantine();
    assert_eq!(places(&aside), [(ORDERS, 0, 1), (ORDERS, 0, 2)]);
    assert!(
        aside[0].reason.starts_with("value: EOF") || aside[0].reason.contains("value"),
        "{}",
        aside[0].reason
    );
    assert!(aside[1].reason.contains('?'), "{}", aside[1].reason);
    assert_eq!(aside[0].key.as_deref(), Some(&br#"{"id":1}"#[..]));
    assert_eq!(aside[0].value.as_deref(), Some(&br#"{"op":"c","#[..]));
    assert_eq!(running.facts("orders").unwrap().quarantined, 2);
    running.until_live("people");
    assert_eq!(running.facts("people").unwrap().quarantined, 0);
}

#[test]
fn what_was_put_aside_survives_a_restart_and_is_not_counted_twice() {
    let site = site_with_bad_records();
    let running = site.start();
    running.until_live("orders");
    let before = {
        running.until("both are reported", |running| {
            running.quarantine().len() == 2
        });
        running.quarantine()
    };
    drop(running);
    site.log.hold();
    let running = site.start();
    running.until("they are reported again", |running| {
        running.quarantine() == before
    });
    running.until("and counted", |running| {
        running
            .facts("orders")
            .is_some_and(|facts| facts.quarantined == 2)
    });
    site.log.release();
    site.log.append(&[Connector::broken(orders(20))]);
    running.until("a new one comes on top", |running| {
        running
            .facts("orders")
            .is_some_and(|facts| facts.quarantined == 3)
    });
    assert_eq!(running.quarantine().len(), 3);
}

#[test]
fn records_read_again_after_a_crash_are_put_aside_once() {
    let mut site = site_with_bad_records();
    site.settings.checkpoint_interval = NEVER;
    let running = site.start();
    running.until_live("orders");
    running.crash(&site);
    let running = site.start();
    running.until_live("orders");
    running.until("both are reported", |running| {
        running.quarantine().len() == 2
    });
    assert_eq!(running.facts("orders").unwrap().quarantined, 2);
}

#[test]
fn where_a_bad_record_halts_its_table_others_go_on_and_a_restart_halts_there_again() {
    let mut site = site_with_bad_records();
    site.on_bad_record = OnBadRecord::Halt;
    for restart in [false, true] {
        let running = site.start();
        running.until("the table stands still", |running| {
            running.state("orders") == Some(ReadState::Stalled)
                && running
                    .partition(ORDERS, 0)
                    .is_some_and(|at| at.halted.is_some())
        });
        let facts = running.facts("orders").unwrap();
        let reason = facts.reason.clone().expect("a stalled table says why");
        assert!(
            reason.contains("shop.public.orders-0: record 1"),
            "{reason}"
        );
        // What was before the bad record, and nothing after it.
        assert_eq!(running.rows("orders"), expected(&[(1, "a")]));
        let halted = running.partition(ORDERS, 0).unwrap();
        assert_eq!((halted.next_offset, halted.halted), (1, Some(reason)));

        running.until_live("people");
        let lsn = if restart { 31 } else { 30 };
        let more = At::lsn(PEOPLE, 0, lsn);
        site.log.append(&[CONNECTOR.create(more, 8, "more")]);
        running.until_rows("people", &[(7, "p"), (8, "more")]);
        assert_eq!(running.quarantine(), []);
        running.until("what was applied is acknowledged", |_| {
            site.log.acknowledged(ORDERS, 0) == Some(row_model::NextOffset(1))
        });
        drop(running);
        if restart {
            assert_eq!(site.log.read_from(ORDERS, 0), Some(1));
        }
    }
    // Told to put bad records aside instead, it goes on.
    site.on_bad_record = OnBadRecord::Quarantine;
    let running = site.start();
    running.until_live("orders");
    assert_eq!(running.rows("orders"), expected(&[(1, "a"), (3, "c")]));
}
