//! A disk that fails stops checkpoints, and says so; nothing else stops, and checkpoints come back with it.

use checkpoint_store::{CheckpointStore, LoadSink, MemoryDisk, MemoryStore, Notes};
use ingest::{CheckpointState, CheckpointTrouble};
use row_model::TableId;
use table_store::ReadState;
use testkit::connector::{At, Connector};
use testkit::faulty_store::Fault;

use crate::harness::{CONNECTOR, NEVER, Running, Site, expected};
use crate::stepped::Stepped;

const TOPIC: &str = "shop.public.orders";

fn write(site: &Site, lsn: u64, id: i64, v: &str) {
    let record = CONNECTOR.create(At::lsn(TOPIC, 0, lsn), id, v);
    site.log.append(&[record]);
}

fn trouble(running: &Running) -> Option<CheckpointTrouble> {
    running.report(|report| match &report.checkpoint.state {
        CheckpointState::Failing(trouble) => Some(trouble.clone()),
        CheckpointState::Ok | CheckpointState::Volatile => None,
    })
}

fn acknowledged(site: &Site) -> Option<u64> {
    site.log.acknowledged(TOPIC, 0).map(|next| next.0)
}

#[test]
fn a_full_disk_is_told_with_what_would_help_and_since_when() {
    let site = Site::default();
    write(&site, 10, 1, "a");
    let running = site.start();
    running.until("it is kept", |_| acknowledged(&site) == Some(1));
    site.faults.fill_disk();
    write(&site, 11, 2, "b");
    running.until("it fails", |running| trouble(running).is_some());
    let first = trouble(&running).unwrap();
    assert!(first.detail.contains("Make room"), "{}", first.detail);
    running.until("it is tried again", |running| {
        trouble(running).is_some_and(|trouble| trouble.attempts > first.attempts)
    });
    assert_eq!(trouble(&running).unwrap().since_ms, first.since_ms);
    assert_eq!(running.rows("orders"), expected(&[(1, "a"), (2, "b")]));
    assert_eq!(running.state("orders"), Some(ReadState::Live));
    assert_eq!(acknowledged(&site), Some(1));
    site.faults.free_disk();
    running.until("it is over", |running| trouble(running).is_none());
    running.until("it is kept", |_| acknowledged(&site) == Some(2));
}

#[test]
fn a_checkpoint_that_takes_long_says_for_how_long_and_holds_nothing_up() {
    let site = Site::default();
    let running = site.start();
    site.faults.stick();
    write(&site, 10, 1, "a");
    let writing = |running: &Running| running.report(|report| report.checkpoint.writing_since_ms);
    running.until("a checkpoint is on its way", |running| {
        writing(running).is_some()
    });
    let since = writing(&running);
    for lsn in 11..30 {
        write(&site, lsn, 1, &lsn.to_string());
        running.until_rows("orders", &[(1, &lsn.to_string())]);
    }
    assert_eq!(writing(&running), since, "it is the same one");
    site.faults.release();
    running.until("all is kept", |_| acknowledged(&site) == Some(20));
    running.until("none is on its way", |running| writing(running).is_none());
}

#[test]
fn a_store_found_damaged_is_written_anew_with_everything_that_was_in_it() {
    let site = Site::default();
    site.log.create_topic("shop.public.quiet", 2);
    for id in 0..3_000 {
        let at = At::lsn("shop.public.quiet", (id % 2) as i32, 10 + id);
        site.log
            .append(&[CONNECTOR.create(at, id as i64, &id.to_string())]);
    }
    site.log.append(&[
        CONNECTOR.delete(At::lsn("shop.public.quiet", 0, 9_000), 42),
        Connector::broken(At::lsn("shop.public.quiet", 0, 9_001)),
    ]);
    write(&site, 10, 1, "a");
    let running = site.start();
    running.until_live("quiet");
    running.until("all is kept", |_| acknowledged(&site) == Some(1));
    let quiet = running.rows("quiet");
    assert_eq!(quiet.len(), 2_999);

    site.faults.damage();
    write(&site, 11, 2, "b");
    running.until("the next checkpoint is kept", |_| {
        acknowledged(&site) == Some(2)
    });
    running.until("it is over", |running| trouble(running).is_none());
    running.crash(&site);
    site.log.hold();
    let running = site.start();
    running.until_rows("orders", &[(1, "a"), (2, "b")]);
    running.until("what did not change is there too", |running| {
        running.rows("quiet") == quiet
    });
    running.until("and so is what was put aside", |running| {
        running.quarantine().len() == 1
    });
    site.log.release();
    running.until_live("quiet");
    running.until_live("orders");
    assert_eq!(running.rows("quiet"), quiet);
    assert!(
        site.log.read_from(TOPIC, 0) >= Some(2),
        "the offsets were kept"
    );
}

#[test]
fn a_damaged_store_on_a_full_disk_is_written_anew_when_there_is_room() {
    let site = Site::default();
    write(&site, 10, 1, "a");
    let running = site.start();
    running.until("it is kept", |_| acknowledged(&site) == Some(1));
    site.faults.damage();
    site.faults.fill_disk();
    write(&site, 11, 2, "b");
    running.until("some attempts fail", |running| {
        trouble(running).is_some_and(|trouble| trouble.attempts > 3)
    });
    running.until_rows("orders", &[(1, "a"), (2, "b")]);
    site.faults.free_disk();
    running.until("it is over", |running| trouble(running).is_none());
    running.crash(&site);
    site.log.hold();
    let running = site.start();
    running.until_rows("orders", &[(1, "a"), (2, "b")]);
}

#[test]
fn a_store_that_the_last_checkpoint_finds_damaged_is_still_written_anew() {
    let mut site = Site::default();
    site.settings.checkpoint_interval = NEVER;
    write(&site, 10, 1, "a");
    let running = site.start();
    running.until_rows("orders", &[(1, "a")]);
    drop(running);

    let running = site.start();
    running.until_rows("orders", &[(1, "a")]);
    site.faults.damage();
    write(&site, 11, 2, "b");
    running.until_rows("orders", &[(1, "a"), (2, "b")]);
    drop(running);
    site.log.hold();
    site.start().until_rows("orders", &[(1, "a"), (2, "b")]);
}

/// What a store holds: notes, and rows by table and slot.
fn content(disk: &MemoryDisk) -> (Notes, Vec<(TableId, u32, Vec<u8>)>) {
    let store = MemoryStore::open_memory(disk).unwrap();
    let mut rows = Vec::new();
    for table in store.tables() {
        let take: &mut LoadSink<'_> = &mut |some| {
            let some = some.iter();
            rows.extend(some.map(|(slot, row)| (table.table, slot.0, row.to_vec())));
            Ok(())
        };
        store.load_table(table.table, take).unwrap();
    }
    rows.sort();
    (store.notes().unwrap(), rows)
}

#[test]
fn a_checkpoint_of_everything_is_what_all_those_before_made_together() {
    let site = Site::default();
    let keyless = "shop.public.log";
    for topic in [TOPIC, "shop.public.quiet", keyless] {
        site.log.create_topic(topic, 2);
    }
    let running = site.start();
    let (first, second) = (Connector { run: 1 }, Connector { run: 2 });
    let rounds = [
        vec![
            first.snapshot(At::lsn(TOPIC, 0, 5), 1, "a"),
            first.snapshot(At::lsn(TOPIC, 1, 5), 2, "b"),
            first.keyless_snapshot(At::lsn(keyless, 0, 5), (7, "x"), "first"),
            first.keyless_snapshot(At::lsn(keyless, 0, 5), (7, "x"), "last"),
        ],
        vec![
            first.create(At::lsn("shop.public.quiet", 1, 20), 3, "c"),
            first.keyless(At::lsn(keyless, 1, 21), "c", None, Some((8, "y"))),
            Connector::broken(At::lsn(TOPIC, 0, 22)),
        ],
        vec![
            first.moved_away(At::lsn(TOPIC, 0, 30), 1, 9),
            first.moved_here(At::lsn(TOPIC, 1, 30), 9, "a", 1),
            first.delete(At::lsn(TOPIC, 1, 31), 2),
        ],
        vec![
            second.keyless_snapshot(At::lsn(keyless, 0, 40), (8, "y"), "first"),
            second.snapshot(At::lsn(TOPIC, 0, 41), 9, "a"),
        ],
    ];
    let mut records = 0;
    for round in rounds {
        records += round.len() as u64;
        site.log.append(&round);
        running.until("the round is kept", |_| {
            let topics = [TOPIC, "shop.public.quiet", keyless];
            let places = topics.iter().flat_map(|topic| [(topic, 0), (topic, 1)]);
            let kept = places.filter_map(|(topic, at)| site.log.acknowledged(topic, at));
            // A delete at the end of a partition is read again after a restart.
            kept.map(|next| next.0).sum::<u64>() + 2 >= records
        });
    }
    drop(running);
    let before = content(&site.disk);
    assert!(before.0.len() > 10 && before.1.len() > 4, "{before:#?}");

    let mut loaded = Stepped::on(&site.disk, u64::MAX);
    let everything = loaded.sequencer.begin_checkpoint_anew();
    let fresh = MemoryDisk::default();
    let mut store = MemoryStore::open_memory(&fresh).unwrap();
    everything.commit(&mut store).unwrap();
    drop(store);
    let after = content(&fresh);
    for (name, value) in &before.0 {
        assert_eq!(
            after
                .0
                .get(name)
                .map(|value| String::from_utf8_lossy(value)),
            Some(String::from_utf8_lossy(value)),
            "{}",
            String::from_utf8_lossy(name)
        );
    }
    assert_eq!(after.0.len(), before.0.len());
    assert_eq!(after.1, before.1);
}

#[test]
fn a_lost_confirmation_of_a_store_written_anew_loses_nothing() {
    for write_number in 0..3 {
        let site = Site::default();
        write(&site, 10, 1, "a");
        let running = site.start();
        running.until("it is kept", |_| acknowledged(&site) == Some(1));
        site.faults.damage();
        write(&site, 11, 2, "b");
        running.until("it fails", |running| trouble(running).is_some());
        site.faults.after(write_number, Fault::LoseConfirmation);
        running.until("it is kept", |_| acknowledged(&site) == Some(2));
        running.crash(&site);
        site.log.hold();
        let running = site.start();
        running.until_rows("orders", &[(1, "a"), (2, "b")]);
    }
}
