//! At the memory limit reading stops and serving does not.

use table_store::ReadState;
use testkit::connector::At;

use crate::harness::{CONNECTOR, Running, Site};

const TOPIC: &str = "shop.public.orders";

/// A row takes this much, so that everything else hardly counts.
const ROW_BYTES: usize = 60_000;
const LIMIT: u64 = 1_200_000;

/// Reads one record after another, so that none is in flight when the limit is met.
fn site_with_a_limit() -> Site {
    let mut site = Site::default();
    site.settings.memory_bytes_max = LIMIT;
    site.batch_records_max = 1;
    site.log.create_topic(TOPIC, 1);
    site
}

fn write(site: &Site, lsn: u64, id: i64) {
    let v = format!("{lsn:0>ROW_BYTES$}");
    site.log
        .append(&[CONNECTOR.create(At::lsn(TOPIC, 0, lsn), id, &v)]);
}

fn lsn_of(running: &Running, id: i64) -> Option<u64> {
    running.rows("orders").get(&id)?.parse().ok()
}

fn is_stalled(running: &Running) -> bool {
    running.state("orders") == Some(ReadState::Stalled)
}

/// Writes rows until the table stands still, and answers how many were taken in.
fn fill(site: &Site, running: &Running) -> i64 {
    for id in 0..100 {
        write(site, 100 + id as u64, id);
        running.until("the row is there, or no more are taken", |running| {
            lsn_of(running, id).is_some() || is_stalled(running)
        });
        if is_stalled(running) {
            return running.rows("orders").len() as i64;
        }
    }
    panic!("a hundred rows never met the limit");
}

#[test]
fn at_the_limit_reading_stops_and_serving_does_not() {
    let site = site_with_a_limit();
    let running = site.start();
    let rows = fill(&site, &running);
    assert!((10..30).contains(&rows), "{rows}");
    running.until("reading is paused", |_| {
        site.log.paused() == [(TOPIC.to_owned(), 0)]
    });
    let facts = running.facts("orders").unwrap();
    let reason = facts.reason.clone().unwrap();
    assert!(reason.starts_with("memory: "), "{reason}");
    assert!(reason.contains("memory.max is 1200000"), "{reason}");

    // What comes now waits in the log, however long.
    write(&site, 900, 900);
    let checkpoint = |running: &Running| running.report(|report| report.checkpoint.sequence);
    running.until("what was taken in is kept", |running| {
        let acknowledged = site.log.acknowledged(TOPIC, 0).map(|next| next.0);
        checkpoint(running) > 0 && acknowledged >= Some(rows as u64)
    });
    assert_eq!(running.rows("orders").len() as i64, rows);
    assert_eq!(lsn_of(&running, 0), Some(100));

    // A restart meets the limit again; with more memory it goes on.
    drop(running);
    let running = site.start();
    running.until("it stands still again", is_stalled);
    assert_eq!(lsn_of(&running, 900), None);
    drop(running);
    let mut site = site;
    site.settings.memory_bytes_max = 10 * LIMIT;
    let running = site.start();
    running.until_live("orders");
    assert_eq!(lsn_of(&running, 900), Some(900));
}

#[test]
fn versions_kept_for_a_reader_count_and_reading_goes_on_when_it_leaves() {
    let site = site_with_a_limit();
    let running = site.start();
    write(&site, 10, 1);
    running.until("the row is there", |running| lsn_of(running, 1) == Some(10));
    let held = running.pipeline.store().pin();
    let mut lsn = 10;
    while !is_stalled(&running) {
        lsn += 1;
        assert!(lsn < 200, "two hundred versions never met the limit");
        write(&site, lsn, 1);
        running.until("the update is there, or no more are taken", |running| {
            lsn_of(running, 1) == Some(lsn) || is_stalled(running)
        });
    }
    write(&site, 500, 1);
    drop(held);
    running.until("the last update is there", |running| {
        lsn_of(running, 1) == Some(500)
    });
    running.until_live("orders");
    running.until("nothing is paused any more", |_| {
        site.log.paused().is_empty()
    });
}
