//! Records that need a schema of a registry: while it is not to be had their partition waits, and
//! nothing else does.

use row_model::NextOffset;
use table_store::ReadState;
use testkit::connector::At;
use testkit::scripted_registry::ScriptedRegistry;
use testkit::scripted_source::PlannedRecord;

use crate::framed::framed;
use crate::harness::{CONNECTOR, NEVER, PATIENCE, Running, Site, expected};

const ORDERS: &str = "shop.public.orders";
const PEOPLE: &str = "shop.public.people";
const WAITS: &str = "waits for schema 7 of the schema registry http://registry:8081: connection refused; asked again until it answers";

fn at(topic: &str, partition: i32, lsn: u64) -> At<'_> {
    At::lsn(topic, partition, lsn)
}

/// A record that is right only after all that came before it in its partition.
fn unordered(topic: &str) -> At<'_> {
    At {
        topic,
        partition: 0,
        lsn: None,
        transaction: None,
    }
}

/// A registry that is down, an order before and one after a record that needs schema 7, and a person.
fn site_with_an_outage() -> (Site, ScriptedRegistry) {
    let registry = ScriptedRegistry::default();
    registry.register(7, "\"int\"");
    registry.go_down("connection refused");
    let site = Site {
        registry: Some(registry.clone()),
        ..Site::default()
    };
    site.log.append(&[
        CONNECTOR.create(at(ORDERS, 0, 10), 1, "a"),
        framed(CONNECTOR.create(at(ORDERS, 0, 11), 2, "b"), 7),
        CONNECTOR.create(at(ORDERS, 0, 12), 3, "c"),
        CONNECTOR.create(at(PEOPLE, 0, 13), 7, "p"),
    ]);
    (site, registry)
}

fn is_stalled(running: &Running) -> bool {
    running.state("orders") == Some(ReadState::Stalled)
}

#[test]
fn while_the_registry_is_down_readers_are_told_and_all_else_goes_on() {
    let (site, registry) = site_with_an_outage();
    let running = site.start();
    running.until("the table stands still", is_stalled);
    let facts = running.facts("orders").unwrap();
    assert_eq!(facts.reason.as_deref(), Some(WAITS));
    assert_eq!(facts.at_end_ms(), None);
    assert_eq!(running.rows("orders"), expected(&[(1, "a")]));
    running.until("reading is paused", |_| {
        site.log.paused() == [(ORDERS.to_owned(), 0)]
    });
    running.until("the status says so", |running| {
        running.report(|report| report.sources[0].detail.as_deref() == Some(WAITS))
    });
    let partition = running.partition(ORDERS, 0).unwrap();
    assert_eq!((partition.next_offset, partition.halted), (1, None));
    running.until("what is served is served", |running| {
        running.report(|report| report.started)
    });

    // The other table is told to be at its end again and again.
    running.until_live("people");
    let told = |running: &Running| running.facts("people").unwrap().at_end_ms();
    let before = told(&running);
    running.until("people are fresh", |running| told(running) > before);
    site.log
        .append(&[CONNECTOR.create(at(PEOPLE, 0, 20), 8, "q")]);
    running.until_rows("people", &[(7, "p"), (8, "q")]);
    assert_eq!(running.facts("orders").unwrap().at_end_ms(), None);
    running.until("what was applied is acknowledged", |_| {
        site.log.acknowledged(ORDERS, 0) == Some(NextOffset(1))
    });

    site.log
        .append(&[CONNECTOR.create(at(ORDERS, 0, 30), 4, "d")]);
    running.until("it is asked again", |_| registry.asked(7) > 1);
    registry.come_up();
    running.until_live("orders");
    running.until_rows("orders", &[(1, "a"), (2, "b"), (3, "c"), (4, "d")]);
    running.until("it is said to be at its end", |running| {
        running.facts("orders").unwrap().at_end_ms() >= told(running)
    });
    let facts = running.facts("orders").unwrap();
    assert_eq!((facts.reason.as_deref(), facts.quarantined), (None, 0));
    assert_eq!(site.log.paused(), []);
}

#[test]
fn what_waits_keeps_its_order() {
    let (mut site, registry) = site_with_an_outage();
    site.batch_records_max = 1;
    site.log.append(&[
        CONNECTOR.update(unordered(ORDERS), 2, "e"),
        framed(CONNECTOR.update(unordered(ORDERS), 1, "f"), 8),
        CONNECTOR.update(unordered(ORDERS), 1, "g"),
    ]);
    // So many batches are on their way when the first one turns out to need a schema.
    site.gate.close();
    let running = site.start();
    running.until("the source has delivered some", |_| {
        site.log.delivered() >= 4
    });
    site.gate.open();
    running.until("the table stands still", is_stalled);
    registry.register(8, "\"int\"");
    registry.come_up();
    running.until_live("orders");
    assert_eq!(
        running.rows("orders"),
        expected(&[(1, "g"), (2, "e"), (3, "c")])
    );
    assert_eq!(running.quarantine(), []);
}

#[test]
fn the_loss_of_a_partition_comes_after_what_waits() {
    let (site, registry) = site_with_an_outage();
    let running = site.start();
    running.until("the table stands still", is_stalled);
    site.log.delete_topic(ORDERS);
    site.log
        .append(&[CONNECTOR.create(at(PEOPLE, 0, 20), 8, "q")]);
    running.until_rows("people", &[(7, "p"), (8, "q")]);
    assert_eq!(
        running.facts("orders").unwrap().reason.as_deref(),
        Some(WAITS)
    );
    registry.come_up();
    running.until_rows("orders", &[(1, "a"), (2, "b"), (3, "c")]);
    running.until("the loss is told", |running| {
        let reason = running.facts("orders").unwrap().reason.clone();
        reason.is_some_and(|reason| reason.contains("does not exist any more"))
    });
}

#[test]
fn records_of_a_schema_that_does_not_exist_are_put_aside_and_the_rest_goes_on() {
    let (site, registry) = site_with_an_outage();
    registry.come_up();
    let other = |record: PlannedRecord| framed(record, 9);
    site.log.append(&[
        other(CONNECTOR.create(at(ORDERS, 0, 20), 4, "x")),
        CONNECTOR.create(at(ORDERS, 0, 21), 5, "e"),
        other(CONNECTOR.create(at(ORDERS, 0, 22), 6, "y")),
        framed(CONNECTOR.create(at(ORDERS, 0, 23), 8, "f"), 7),
    ]);
    let running = site.start();
    running.until_live("orders");
    let rows = [(1, "a"), (2, "b"), (3, "c"), (5, "e"), (8, "f")];
    assert_eq!(running.rows("orders"), expected(&rows));
    running.until("both are reported", |running| {
        running.quarantine().len() == 2
    });
    let aside = running.quarantine();
    assert_eq!((aside[0].offset, aside[1].offset), (3, 5));
    let reason = "the schema registry http://registry:8081 has no schema 9: Schema 9 not found";
    assert_eq!(aside[0].reason, reason);
    // Neither at the first word, nor for ever, nor once a record.
    assert_eq!(registry.asked(9), PATIENCE.unknown_attempts);
    assert_eq!(registry.asked(7), 1);
}

#[test]
fn other_partitions_go_on_wherever_they_are_decoded() {
    const PARCELS: &str = "shop.public.parcels";
    const PARTITIONS: i32 = 8;
    let (site, registry) = site_with_an_outage();
    site.log.create_topic(PARCELS, PARTITIONS);
    let running = site.start();
    running.until("the table stands still", is_stalled);
    let parcel = |partition: i32| {
        let lsn = 40 + u64::from(partition.unsigned_abs());
        CONNECTOR.create(at(PARCELS, partition, lsn), i64::from(partition), "many")
    };
    site.log
        .append(&(0..PARTITIONS).map(parcel).collect::<Vec<_>>());
    running.until("parcels of all partitions are there", |running| {
        running.rows("parcels").len() == PARTITIONS as usize
    });
    running.until_live("parcels");
    assert!(is_stalled(&running));
    registry.come_up();
    running.until_live("orders");
}

#[test]
fn a_restart_reads_what_waited_again() {
    let (site, registry) = site_with_an_outage();
    for _ in 0..2 {
        let running = site.start();
        running.until("the table stands still", is_stalled);
        assert_eq!(running.rows("orders"), expected(&[(1, "a")]));
        running.until("what was applied is acknowledged", |_| {
            site.log.acknowledged(ORDERS, 0) == Some(NextOffset(1))
        });
    }
    assert_eq!(site.log.read_from(ORDERS, 0), Some(1));
    registry.come_up();
    let running = site.start();
    running.until_live("orders");
    assert_eq!(
        running.rows("orders"),
        expected(&[(1, "a"), (2, "b"), (3, "c")])
    );
}

#[test]
fn a_crash_while_records_wait_loses_none() {
    let (mut site, registry) = site_with_an_outage();
    site.settings.checkpoint_interval = NEVER;
    let running = site.start();
    running.until("the table stands still", is_stalled);
    running.crash(&site);
    registry.come_up();
    let running = site.start();
    running.until_live("orders");
    assert_eq!(running.rows("orders").len(), 3);
    assert_eq!(site.log.read_from(ORDERS, 0), Some(0));
}

#[test]
fn nobody_waits_at_the_end_for_a_registry_that_does_not_answer() {
    let (site, registry) = site_with_an_outage();
    registry.hang();
    let running = site.start();
    running.until("the registry is asked", |_| registry.hanging() == 1);
    // It was only just asked: that is no trouble yet, but nothing fresh is claimed either.
    running.until_rows("orders", &[(1, "a")]);
    running.until_live("people");
    let facts = running.facts("orders").unwrap();
    assert_eq!((facts.state, facts.at_end_ms()), (ReadState::Loading, None));
    drop(running);
    assert_eq!(registry.hanging(), 1, "the pipeline waited for an answer");
    registry.go_on();
}

#[test]
fn a_source_without_a_registry_says_that_it_needs_one() {
    let (mut site, _) = site_with_an_outage();
    site.registry = None;
    let running = site.start();
    running.until("the table stands still", is_stalled);
    let reason = running.facts("orders").unwrap().reason.clone();
    assert_eq!(
        reason.as_deref(),
        Some(
            "needs schema 7 of a schema registry, and source s has none: add [sources.schema_registry]"
        )
    );
    running.until_live("people");
    assert_eq!(running.rows("orders"), expected(&[(1, "a")]));
}
