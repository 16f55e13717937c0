//! Topics that make no table: they are read, counted, and that is all.

use checkpoint_store::MemoryDisk;
use ingest::{Settings, StatusReport};
use table_store::ReadState;
use testkit::connector::At;
use testkit::scripted_source::PlannedRecord;

use crate::harness::{CONNECTOR, Running, Site, expected};
use crate::one_by_one::OneByOne;

const SIGNALS: &str = "shop.public.debezium_signal";

fn reading(disk: &MemoryDisk, served: bool) -> OneByOne {
    let unserved = (!served).then(|| ("s".to_owned(), SIGNALS.to_owned()));
    let settings = Settings {
        unserved: unserved.into_iter().collect(),
        ..Site::default().settings
    };
    OneByOne::on(disk, SIGNALS, 1, false, settings)
}

fn report(stepped: &mut OneByOne) -> StatusReport {
    let mut report = StatusReport::default();
    stepped.sequencer.report(&mut report);
    report
}

fn signal(id: i64) -> PlannedRecord {
    CONNECTOR.create(At::lsn(SIGNALS, 0, 10 + id as u64), id, "execute-snapshot")
}

#[test]
fn the_signal_table_is_read_and_makes_no_table_until_config_says_so() {
    let disk = MemoryDisk::default();
    let mut stepped = reading(&disk, false);
    stepped.read(&signal(1));
    stepped.read(&testkit::connector::Connector::broken(At::lsn(
        SIGNALS, 0, 12,
    )));
    assert!(stepped.sequencer.store().published().tables().is_empty());
    let told = report(&mut stepped);
    assert_eq!(told.sources[0].partitions[0].next_offset, 2);
    assert!(told.quarantine.is_empty());
    stepped.keep(&disk);
    drop(stepped);

    // It goes on where it was.
    let mut stepped = reading(&disk, false);
    assert_eq!(stepped.next, [2]);
    stepped.read(&signal(2));
    stepped.keep(&disk);
    drop(stepped);

    // A table of half a log would be a wrong answer: it is read from the beginning.
    let mut stepped = reading(&disk, true);
    assert_eq!(stepped.next, [0]);
    let rows = stepped.read(&signal(1));
    assert_eq!(rows, expected(&[(1, "execute-snapshot")]));
}

/// Served, not served, and served again, each time by another process; in between the log has lost
/// its first records, or not.
fn dropped_and_put_back(trim: bool) -> (Site, Running) {
    let mut site = Site::default();
    let at = |offset: u64| At::lsn(SIGNALS, 0, 10 + offset);
    site.log.append(&[
        CONNECTOR.create(at(0), 1, "a"),
        CONNECTOR.create(at(1), 2, "b"),
    ]);
    let running = site.start();
    running.until_live("debezium_signal");
    drop(running);

    site.log.append(&[CONNECTOR.delete(at(2), 1)]);
    site.settings.unserved = vec![("s".to_owned(), SIGNALS.to_owned())];
    let running = site.start();
    running.until("it is read on", |running| {
        let partition = running.partition(SIGNALS, 0);
        partition.is_some_and(|partition| partition.next_offset == site.log.end(SIGNALS, 0))
    });
    drop(running);

    if trim {
        site.log.trim(SIGNALS, 0, 3);
    }
    site.settings.unserved = Vec::new();
    let running = site.start();
    (site, running)
}

#[test]
fn a_table_that_was_not_served_for_a_while_has_no_gap() {
    let (site, running) = dropped_and_put_back(false);
    running.until_live("debezium_signal");
    assert_eq!(running.rows("debezium_signal"), expected(&[(2, "b")]));
    assert_eq!(site.log.read_from(SIGNALS, 0), Some(0));
}

#[test]
fn a_table_whose_gap_cannot_be_read_again_stands_still() {
    let (_site, running) = dropped_and_put_back(true);
    running.until("the table stands still", |running| {
        running.state("debezium_signal") == Some(ReadState::Stalled)
    });
    let reason = running.facts("debezium_signal").unwrap().reason.clone();
    let reason = reason.unwrap_or_default();
    assert!(
        reason.contains("were read while it was not served")
            && reason.ends_with("`rowtide rebuild debezium_signal`"),
        "{reason}"
    );
    let before = expected(&[(1, "a"), (2, "b")]);
    assert_eq!(running.rows("debezium_signal"), before);
}

/// What is not loaded stays in the checkpoint: a table found meanwhile must not be kept in its place.
#[test]
fn a_table_that_is_not_served_keeps_its_place_in_the_checkpoint() {
    const PEOPLE: &str = "shop.public.people";
    let mut site = Site::default();
    let at = |topic, lsn| At::lsn(topic, 0, lsn);
    site.log.append(&[CONNECTOR.create(at(SIGNALS, 1), 1, "a")]);
    let running = site.start();
    running.until_live("debezium_signal");
    drop(running);

    site.settings.unserved = vec![("s".to_owned(), SIGNALS.to_owned())];
    site.log.append(&[CONNECTOR.create(at(PEOPLE, 2), 7, "p")]);
    let running = site.start();
    running.until_live("people");
    drop(running);

    site.settings.unserved = Vec::new();
    let running = site.start();
    running.until_live("people");
    running.until_live("debezium_signal");
    assert_eq!(running.rows("people"), expected(&[(7, "p")]));
    assert_eq!(running.rows("debezium_signal"), expected(&[(1, "a")]));
}

#[test]
fn boundaries_of_transactions_make_no_table() {
    const BOUNDARIES: &str = "shop.transaction";
    let settings = Site::default().settings;
    let mut stepped = OneByOne::on(&MemoryDisk::default(), BOUNDARIES, 1, false, settings);
    let begin = r#"{"status":"BEGIN","id":"571:53195829","event_count":null,"data_collections":null,"ts_ms":1}"#;
    let key = Some(r#"{"id":"571:53195829"}"#);
    stepped.read(&PlannedRecord::new(BOUNDARIES, 0, key, Some(begin)));
    // As cloud events leave it.
    stepped.read(&PlannedRecord::new(BOUNDARIES, 0, key, None));
    assert!(stepped.sequencer.store().published().tables().is_empty());
    assert_eq!(report(&mut stepped).sources[0].partitions[0].next_offset, 2);
}
