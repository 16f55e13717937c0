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

/// Two partitions, and a table beside.
fn site_of_two_tables() -> Site {
    let mut site = site_with_a_limit();
    site.log = testkit::scripted_source::ScriptedLog::new();
    site.log.create_topic(TOPIC, 2);
    site.log.create_topic(BESIDE, 1);
    site
}

const BESIDE: &str = "shop.public.notes";

fn large(letter: char) -> String {
    letter.to_string().repeat(ROW_BYTES)
}

/// Fills memory through the second partition of the one table, with rows from 100 on, and answers how
/// many of them were written: the last one waits.
fn fill_the_second_partition(site: &Site, running: &Running) -> u64 {
    for number in 0..100 {
        let at = At::lsn(TOPIC, 1, 1_000 + number);
        let id = 100 + number as i64;
        site.log.append(&[CONNECTOR.create(at, id, &large('x'))]);
        running.until("the row is there, or waits", |running| {
            running.rows("orders").contains_key(&id) || is_stalled(running)
        });
        if is_stalled(running) {
            return number + 1;
        }
    }
    panic!("a hundred rows never met the limit");
}

#[test]
fn a_higher_limit_lets_what_waits_go_on_without_a_restart() {
    let site = site_with_a_limit();
    let running = site.start();
    let rows = fill(&site, &running);
    write(&site, 900, 900);
    running.until("the report says what waits", |running| {
        running.report(|report| report.memory.partitions_waiting == 1 && report.memory.is_scarce())
    });
    assert!(running.report(|report| report.started), "it serves");
    running
        .pipeline
        .control()
        .set_memory_max(10 * LIMIT)
        .unwrap();
    running.until("what had waited is there", |running| {
        lsn_of(running, 900) == Some(900)
    });
    running.until_live("orders");
    assert_eq!(running.rows("orders").len() as i64, rows + 2);
    running.until("nothing is paused any more", |_| {
        site.log.paused().is_empty()
    });
    assert!(running.report(|report| !report.memory.is_scarce()));
}

#[test]
fn other_partitions_and_changes_that_need_no_room_go_on() {
    let site = site_of_two_tables();
    let note = |lsn: u64, v: &str| {
        let record = CONNECTOR.create(At::lsn(BESIDE, 0, lsn), 1, v);
        site.log.append(&[record]);
    };
    note(1, "a");
    let own = At::lsn(TOPIC, 0, 2);
    site.log.append(&[CONNECTOR.create(own, 1, &large('a'))]);
    let running = site.start();
    running.until_rows("notes", &[(1, "a")]);
    running.until_live("orders");
    let written = fill_the_second_partition(&site, &running);
    running.until("its partition alone is paused", |_| {
        site.log.paused() == [(TOPIC.to_owned(), 1)]
    });

    // Another table is as live as before, and takes what is no larger.
    note(3, "b");
    running.until_rows("notes", &[(1, "b")]);
    assert_eq!(running.state("notes"), Some(ReadState::Live));
    // So does another partition of the same one.
    let update = CONNECTOR.update(At::lsn(TOPIC, 0, 2_000), 1, &large('b'));
    site.log.append(&[update]);
    running.until("the update is there", |running| {
        running.rows("orders").get(&1) == Some(&large('b'))
    });
    assert!(is_stalled(&running));
    // And what it deletes is room for what waits.
    site.log
        .append(&[CONNECTOR.delete(At::lsn(TOPIC, 0, 2_001), 1)]);
    site.log
        .append(&[CONNECTOR.delete(At::lsn(TOPIC, 1, 2_002), 100)]);
    running.until("the delete is there", |running| {
        !running.rows("orders").contains_key(&1)
    });
    running
        .pipeline
        .control()
        .set_memory_max(LIMIT + LIMIT / 4)
        .unwrap();
    running.until("all of it is there", |running| {
        running.rows("orders").len() as u64 == written - 1
    });
    running.until_live("orders");
}

#[test]
fn a_key_change_one_half_of_which_waits_for_room_holds_nothing_up_for_ever() {
    let site = site_of_two_tables();
    let at = |partition, lsn| At::lsn(TOPIC, partition, lsn);
    site.log.append(&[
        CONNECTOR.create(at(0, 1), 1, &large('a')),
        CONNECTOR.create(at(0, 2), 2, "as long"),
    ]);
    let running = site.start();
    running.until_live("orders");
    let written = fill_the_second_partition(&site, &running);
    // Its arrival is behind what waits; its departure is read at once.
    site.log.append(&[
        CONNECTOR.moved_here(at(1, 3_000), 99, &large('a'), 1),
        CONNECTOR.create(at(1, 3_001), 98, "behind"),
    ]);
    site.log.append(&[
        CONNECTOR.moved_away(at(0, 3_000), 1, 99),
        CONNECTOR.update(at(0, 3_002), 2, "as LONG"),
    ]);
    running.until("the departure waited long enough", |running| {
        running
            .rows("orders")
            .get(&2)
            .is_some_and(|v| v == "as LONG")
    });
    running
        .pipeline
        .control()
        .set_memory_max(10 * LIMIT)
        .unwrap();
    running.until("all of it is there", |running| {
        running.rows("orders").len() as u64 == written + 3
    });
    running.until_live("orders");
    let rows = running.rows("orders");
    assert!(!rows.contains_key(&1));
    assert_eq!((&rows[&99], &*rows[&98]), (&large('a'), "behind"));
}

#[test]
fn a_checkpoint_larger_than_the_limit_is_served_whole() {
    let mut site = site_with_a_limit();
    site.settings.memory_bytes_max = u64::MAX;
    for id in 0..40 {
        write(&site, 100 + id, id as i64);
    }
    let running = site.start();
    running.until_live("orders");
    drop(running);
    site.settings.memory_bytes_max = LIMIT;
    write(&site, 900, 900);
    let running = site.start();
    running.until("what would grow it waits", is_stalled);
    assert_eq!(running.rows("orders").len(), 40);
    running.until("it has started", |running| {
        running.report(|report| report.started)
    });
    let report = running.report(|report| report.memory);
    assert!(
        report.is_scarce() && report.used_bytes > LIMIT,
        "{report:?}"
    );
    running
        .pipeline
        .control()
        .set_memory_max(10 * LIMIT)
        .unwrap();
    running.until("what had waited is there", |running| {
        running.rows("orders").len() == 41
    });
    running.until_live("orders");
}
