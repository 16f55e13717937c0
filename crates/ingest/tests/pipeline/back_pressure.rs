//! More records than all queues hold: none is lost, none overtakes another of its partition.

use std::collections::BTreeMap;

use testkit::connector::At;

use crate::harness::{CONNECTOR, Site};

const TOPIC: &str = "shop.public.orders";
const PARTITIONS: i32 = 5;
const KEYS: i64 = 20;
const RECORDS: u64 = 3_000;

/// Updates of a few keys that tell no position: only their order in the log says which is the last.
fn site_with_updates() -> (Site, BTreeMap<i64, String>) {
    let site = Site {
        batch_records_max: 2,
        ..Site::default()
    };
    site.log.create_topic(TOPIC, PARTITIONS);
    let mut rng = fastrand::Rng::with_seed(8);
    let mut last = BTreeMap::new();
    let mut records = Vec::new();
    for number in 0..RECORDS {
        let id = rng.i64(0..KEYS);
        let at = At {
            topic: TOPIC,
            partition: id as i32 % PARTITIONS,
            lsn: None,
            transaction: None,
        };
        let v = format!("{number:06}");
        records.push(CONNECTOR.update(at, id, &v));
        last.insert(id, v);
    }
    site.log.append(&records);
    (site, last)
}

#[test]
fn a_slow_pipeline_loses_nothing_and_swaps_nothing() {
    let (site, last) = site_with_updates();
    site.gate.close();
    let running = site.start();
    running.until("the source is held back", |_| {
        site.log.paused().len() == PARTITIONS as usize
    });
    let queued = site.log.delivered();
    assert!(
        queued < RECORDS / 2,
        "{queued} records are held in memory, and nobody takes them"
    );
    site.gate.open();
    let mut seen: BTreeMap<i64, String> = BTreeMap::new();
    running.until("all is there", |running| {
        let rows = running.rows("orders");
        for (id, v) in &rows {
            let before = seen.get(id);
            assert!(
                before.is_none_or(|before| before <= v),
                "row {id} went back from {before:?} to {v}"
            );
        }
        seen = rows;
        seen == last
    });
    running.until_live("orders");
    running.until("all is acknowledged", |_| {
        (0..PARTITIONS).all(|partition| {
            let acknowledged = site.log.acknowledged(TOPIC, partition);
            acknowledged.map(|next| next.0) == Some(site.log.end(TOPIC, partition))
        })
    });
    assert_eq!(site.log.paused(), []);
}

#[test]
fn a_process_that_is_stopped_in_the_middle_goes_on_there() {
    let (site, last) = site_with_updates();
    let running = site.start();
    running.until("something is there", |running| {
        !running.rows("orders").is_empty()
    });
    drop(running);
    let running = site.start();
    running.until_live("orders");
    assert_eq!(running.rows("orders"), last);
    assert!(
        (0..PARTITIONS).any(|partition| site.log.read_from(TOPIC, partition) > Some(0)),
        "everything was read again"
    );
}
