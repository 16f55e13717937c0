//! Topics that make no table: they are read, counted, and that is all.

use checkpoint_store::MemoryDisk;
use ingest::{Settings, StatusReport};
use testkit::connector::At;
use testkit::scripted_source::PlannedRecord;

use crate::harness::{CONNECTOR, Site, expected};
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
