//! The broker hears that a record is done only when a restart would not need it any more.

use ingest::CheckpointState;
use row_model::NextOffset;
use testkit::connector::At;
use testkit::faulty_store::Fault;

use crate::harness::{CONNECTOR, Running, Site, expected};

const TOPIC: &str = "shop.public.orders";

fn write(site: &Site, lsn: u64, id: i64, v: &str) {
    let record = CONNECTOR.create(At::lsn(TOPIC, 0, lsn), id, v);
    site.log.append(&[record]);
}

fn acknowledged(site: &Site) -> Option<u64> {
    site.log.acknowledged(TOPIC, 0).map(|NextOffset(next)| next)
}

fn is_failing(running: &Running) -> bool {
    running.report(|report| matches!(report.checkpoint.state, CheckpointState::Failing(_)))
}

#[test]
fn what_is_durable_is_acknowledged() {
    let site = Site::default();
    write(&site, 10, 1, "a");
    write(&site, 11, 2, "b");
    let running = site.start();
    running.until("both records are acknowledged", |_| {
        acknowledged(&site) == Some(2)
    });
    let (state, sequence, last_ms) = running.report(|report| {
        let checkpoint = &report.checkpoint;
        (
            checkpoint.state.clone(),
            checkpoint.sequence,
            checkpoint.last_ms,
        )
    });
    assert_eq!(state, CheckpointState::Ok);
    assert!(sequence > 0 && last_ms.is_some());
}

#[test]
fn while_the_disk_is_stuck_nothing_is_acknowledged_and_serving_goes_on() {
    let site = Site::default();
    site.faults.stick();
    write(&site, 10, 1, "a");
    let running = site.start();
    running.until_rows("orders", &[(1, "a")]);
    // More than any queue holds, one after the other.
    for lsn in 11..40 {
        write(&site, lsn, 2, &lsn.to_string());
        running.until_rows("orders", &[(1, "a"), (2, &lsn.to_string())]);
    }
    assert_eq!(acknowledged(&site), None);
    site.faults.release();
    running.until("all is acknowledged", |_| acknowledged(&site) == Some(30));
}

#[test]
fn what_a_full_disk_refused_is_in_the_next_checkpoint() {
    let site = Site::default();
    site.faults.fill_disk();
    write(&site, 10, 1, "a");
    let running = site.start();
    running.until_rows("orders", &[(1, "a")]);
    running.until("the status says that it fails", is_failing);
    write(&site, 11, 2, "b");
    running.until_rows("orders", &[(1, "a"), (2, "b")]);
    assert_eq!(acknowledged(&site), None);
    assert!(running.report(|report| report.running));

    site.faults.free_disk();
    running.until("both are acknowledged", |_| acknowledged(&site) == Some(2));
    running.until("the status says that all is well", |running| {
        running.report(|report| report.checkpoint.state == CheckpointState::Ok)
    });
    running.crash(&site);
    site.log.hold();
    let running = site.start();
    running.until("the checkpoint is served", |running| {
        running.rows("orders") == expected(&[(1, "a"), (2, "b")])
    });
}

#[test]
fn a_lost_confirmation_is_no_confirmation() {
    let site = Site::default();
    // The second write is the flush: everything is there, and nobody knows.
    site.faults.after(1, Fault::LoseConfirmation);
    site.faults.stick();
    write(&site, 10, 1, "a");
    let running = site.start();
    running.until_rows("orders", &[(1, "a")]);
    write(&site, 11, 1, "b");
    running.until_rows("orders", &[(1, "b")]);
    site.faults.release();
    running.until("the confirmation is lost", |_| site.faults.happened());
    running.until("it is kept and acknowledged all the same", |_| {
        acknowledged(&site) == Some(2)
    });
    running.crash(&site);
    site.log.hold();
    let running = site.start();
    running.until_rows("orders", &[(1, "b")]);
}

#[test]
fn a_crash_before_the_checkpoint_loses_nothing_that_was_acknowledged() {
    for fault in [Fault::CrashLosing, Fault::CrashKeeping] {
        let site = Site::default();
        write(&site, 10, 1, "a");
        let running = site.start();
        running.until("the first is acknowledged", |_| {
            acknowledged(&site) == Some(1)
        });
        site.faults.after(0, fault);
        write(&site, 11, 1, "b");
        running.until("the disk crashes", |_| site.faults.happened());
        running.until("the status says so", is_failing);
        assert_eq!(acknowledged(&site), Some(1));
        drop(running);

        let running = site.start();
        running.until_live("orders");
        assert_eq!(running.rows("orders"), expected(&[(1, "b")]));
        assert!(site.log.read_from(TOPIC, 0) >= Some(1));
    }
}
