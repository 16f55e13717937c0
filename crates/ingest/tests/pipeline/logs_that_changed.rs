//! A log that is not what it was: every table whose rows could be wrong says so, and serves what it has.

use table_store::ReadState;
use testkit::connector::At;
use testkit::scripted_source::ScriptedLog;

use crate::harness::{CONNECTOR, Running, Site, expected};

const TOPIC: &str = "shop.public.orders";

/// A process has read three records, the last process is gone.
fn site_left_at_three() -> Site {
    let site = Site::default();
    site.log.create_topic(TOPIC, 1);
    write(&site, 3);
    let running = site.start();
    running.until_live("orders");
    drop(running);
    site
}

fn write(site: &Site, records: u64) {
    for _ in 0..records {
        let offset = site.log.end(TOPIC, 0);
        let at = At::lsn(TOPIC, 0, 100 + offset);
        let record = CONNECTOR.create(at, offset as i64, "x");
        site.log.append(&[record]);
    }
}

fn reason(running: &Running) -> String {
    running.until("the table stands still", |running| {
        running.state("orders") == Some(ReadState::Stalled)
    });
    let facts = running.facts("orders").unwrap();
    facts.reason.clone().expect("a stalled table says why")
}

fn three_rows() -> std::collections::BTreeMap<i64, String> {
    expected(&[(0, "x"), (1, "x"), (2, "x")])
}

#[test]
fn retention_overtook_us_while_we_were_down() {
    let site = site_left_at_three();
    write(&site, 4);
    site.log.trim(TOPIC, 0, 5);
    let running = site.start();
    let reason = reason(&running);
    assert!(
        reason.contains("record 3 is no longer retained (the log starts at 5)"),
        "{reason}"
    );
    assert!(
        reason.ends_with("Take a new full snapshot of the source and run `rowtide rebuild orders`"),
        "{reason}"
    );
    // Never silently rebuilt from what is left.
    assert_eq!(running.rows("orders"), three_rows());
    assert_eq!(
        site.log.read_from(TOPIC, 0),
        Some(0),
        "by the first process"
    );
}

#[test]
fn retention_overtook_us_while_we_were_reading() {
    let site = site_left_at_three();
    site.gate.close();
    let running = site.start();
    running.until("reading goes on where it stopped", |_| {
        site.log.read_from(TOPIC, 0) == Some(3)
    });
    site.log.hold();
    write(&site, 4);
    site.log.trim(TOPIC, 0, 5);
    site.log.release();
    site.gate.open();
    let reason = reason(&running);
    assert!(
        reason.contains("shop.public.orders-0: record 3 is no longer retained")
            && reason.contains("`rowtide rebuild orders`"),
        "{reason}"
    );
    assert_eq!(running.rows("orders"), three_rows());
    // A row that is not found may have come with what was lost.
    assert!(!running.facts("orders").unwrap().complete);
}

#[test]
fn a_topic_that_was_made_again_with_fewer_partitions_says_what_helps() {
    let site = Site::default();
    site.log.create_topic(TOPIC, 2);
    write(&site, 3);
    let running = site.start();
    running.until_live("orders");
    site.log.hold();
    site.log.delete_topic(TOPIC);
    site.log.create_topic(TOPIC, 1);
    site.log.release();
    running.until("the second partition is known to be gone", |running| {
        let second = running.partition(TOPIC, 1);
        second.is_some_and(|partition| partition.halted.is_some())
    });
    running.until("it says what helps", |_| {
        reason(&running).contains("was recreated")
    });
}

#[test]
fn a_topic_that_was_made_again_is_another_log() {
    let site = site_left_at_three();
    site.log.delete_topic(TOPIC);
    site.log.create_topic(TOPIC, 1);
    write(&site, 5);
    let running = site.start();
    let reason = reason(&running);
    assert!(
        reason.contains("topic shop.public.orders was recreated"),
        "{reason}"
    );
    assert_eq!(running.rows("orders"), three_rows());
}

#[test]
fn a_topic_that_is_made_again_under_our_eyes_is_another_log_too() {
    let site = site_left_at_three();
    let running = site.start();
    running.until_live("orders");
    site.log.hold();
    site.log.delete_topic(TOPIC);
    site.log.create_topic(TOPIC, 1);
    write(&site, 5);
    site.log.release();
    running.until("the table says what happened", |running| {
        running
            .facts("orders")
            .and_then(|facts| facts.reason.clone())
            .is_some_and(|reason| reason.contains("was recreated"))
    });
    assert_eq!(running.state("orders"), Some(ReadState::Stalled));
    assert_eq!(running.rows("orders"), three_rows());
}

#[test]
fn a_log_that_is_shorter_than_the_checkpoint_is_another_log() {
    let site = site_left_at_three();
    site.log.cut_tail(TOPIC, 0, 2);
    let running = site.start();
    let reason = reason(&running);
    assert!(
        reason.contains("expects record 3, but the log ends at 2"),
        "{reason}"
    );
    assert_eq!(running.rows("orders"), three_rows());
}

/// Where topics have no ids, nothing else tells that the log is another one.
#[test]
fn a_partition_that_is_gone_tells_of_another_log() {
    let site = Site::default();
    let create = |partition, id| {
        let at = At::lsn(TOPIC, partition, 100 + id as u64);
        CONNECTOR.create(at, id, "x")
    };
    site.log.append(&[create(0, 0), create(0, 1), create(1, 2)]);
    let running = site.start();
    running.until_live("orders");
    drop(running);

    let other = Site {
        log: ScriptedLog::new(),
        ..site
    };
    other
        .log
        .append(&[create(0, 7), create(0, 8), create(0, 9)]);
    let running = other.start();
    let reason = reason(&running);
    assert!(
        reason.contains("shop.public.orders-1 is gone")
            && reason.ends_with("`rowtide rebuild orders`"),
        "{reason}"
    );
    assert_eq!(running.rows("orders"), three_rows());
    assert_eq!(other.log.read_from(TOPIC, 0), None, "nothing of it is read");
}

/// The log is another one, shorter and with fewer partitions: what the refusal says to do mends it.
#[test]
fn another_log_is_read_when_an_operator_says_so() {
    let site = Site::default();
    let create = |partition, id| {
        let at = At::lsn(TOPIC, partition, 100 + id as u64);
        CONNECTOR.create(at, id, "x")
    };
    site.log
        .append(&[create(0, 0), create(0, 1), create(0, 2), create(1, 3)]);
    let running = site.start();
    running.until_live("orders");
    drop(running);

    let other = Site {
        log: ScriptedLog::new(),
        ..site
    };
    other.log.append(&[create(0, 7), create(0, 8)]);
    let running = other.start();
    let _ = reason(&running);
    running.rebuild("orders", false);
    running.until_rebuilt("orders").unwrap();
    running.until_live("orders");
    other.log.append(&[create(0, 9)]);
    running.until_rows("orders", &[(7, "x"), (8, "x"), (9, "x")]);
    drop(running);
    let running = other.start();
    running.until_live("orders");
    assert_eq!(running.rows("orders").len(), 3);
}

#[test]
fn a_topic_that_vanished_is_missed_until_it_is_back() {
    let site = site_left_at_three();
    let kept = site.log.take_topic(TOPIC);
    let running = site.start();
    let reason = reason(&running);
    assert!(
        reason.contains("topic shop.public.orders was not found"),
        "{reason}"
    );
    assert_eq!(running.rows("orders"), three_rows());
    // Both at once, else it may be live in between.
    site.log.hold();
    site.log.put_back(kept);
    write(&site, 1);
    site.log.release();
    running.until_live("orders");
    assert_eq!(running.rows("orders").len(), 4);
    assert_eq!(running.facts("orders").unwrap().reason, None);
}

#[test]
fn a_topic_that_vanishes_under_our_eyes_is_missed_until_it_is_back() {
    let site = site_left_at_three();
    let running = site.start();
    running.until_live("orders");
    let kept = site.log.take_topic(TOPIC);
    let reason = reason(&running);
    assert!(reason.contains("does not exist any more"), "{reason}");
    assert_eq!(running.rows("orders"), three_rows());
    // Both at once, else it may be live in between.
    site.log.hold();
    site.log.put_back(kept);
    write(&site, 1);
    site.log.release();
    running.until_live("orders");
    assert_eq!(running.rows("orders").len(), 4);
}

#[test]
fn a_log_that_does_not_reach_back_makes_an_incomplete_table_for_good() {
    let site = Site::default();
    site.log.create_topic(TOPIC, 1);
    write(&site, 4);
    site.log.trim(TOPIC, 0, 2);
    for _ in 0..2 {
        let running = site.start();
        running.until_live("orders");
        let facts = running.facts("orders").unwrap();
        let because = facts.incomplete_because.clone().unwrap_or_default();
        assert!(!facts.complete);
        assert!(
            because.contains("shop.public.orders-0 begins at offset 2"),
            "{because}"
        );
        assert_eq!(running.rows("orders"), expected(&[(2, "x"), (3, "x")]));
    }
}

#[test]
fn a_new_partition_that_begins_late_makes_the_table_incomplete() {
    let site = site_left_at_three();
    let running = site.start();
    running.until_live("orders");
    assert!(running.facts("orders").unwrap().complete);
    site.log.hold();
    let at = |lsn| At::lsn(TOPIC, 1, lsn);
    site.log.append(&[
        CONNECTOR.create(at(200), 50, "lost"),
        CONNECTOR.create(at(201), 51, "kept"),
    ]);
    site.log.trim(TOPIC, 1, 1);
    site.log.release();
    running.until("the new partition is read", |running| {
        running.rows("orders").contains_key(&51)
    });
    let facts = running.facts("orders").unwrap();
    let because = facts.incomplete_because.clone().unwrap_or_default();
    assert!(
        because.contains("shop.public.orders-1 begins at offset 1"),
        "{because}"
    );
    running.until_live("orders");
}

#[test]
fn a_compacted_topic_is_complete_from_wherever_it_begins() {
    let site = site_left_at_three();
    write(&site, 4);
    site.log.trim(TOPIC, 0, 5);
    site.log.set_compacted(TOPIC);
    let running = site.start();
    running.until_live("orders");
    assert!(running.facts("orders").unwrap().complete);
    assert_eq!(
        running.rows("orders"),
        expected(&[(0, "x"), (1, "x"), (2, "x"), (5, "x"), (6, "x")])
    );
    drop(running);

    let fresh = Site {
        log: site.log.clone(),
        ..Site::default()
    };
    let running = fresh.start();
    running.until_live("orders");
    assert!(running.facts("orders").unwrap().complete);
}
