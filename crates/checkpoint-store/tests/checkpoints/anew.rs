//! A store whose content is given up begins in a fresh place, which takes the other's when it holds a
//! whole checkpoint and not before.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use checkpoint_store::{Checkpoint, CheckpointError, CheckpointStore, MemoryDisk};
use row_model::{SlotId, TableId};
use testkit::checkpoint_suite::{Model, assert_holds, note, version};
use testkit::faulty_store::{Fault, Faults, open_faulty};

use super::reopened;

const TABLE: TableId = TableId(1);

/// A checkpoint of everything: so many rows, and a note.
fn whole(rows: u32, seed: u64) -> Checkpoint {
    let row = |slot: u32| (SlotId(slot), Some(version(seed + u64::from(slot), 300)));
    Checkpoint {
        tables: vec![checkpoint_store::TableChanges {
            table: TABLE,
            changed: (0..rows).map(row).collect(),
            rewritten: Vec::new(),
        }],
        notes: vec![note("offset", seed.to_be_bytes())],
        ..Checkpoint::default()
    }
}

/// What a store holds after checkpoints of which the last one began anew.
fn only(checkpoint: &Checkpoint, sequence: u64) -> Model {
    let mut model = Model::default();
    model.apply(checkpoint);
    model.sequence = sequence;
    model
}

#[test]
fn whatever_goes_wrong_one_of_both_is_there() {
    let (before, after) = (whole(3_000, 1), whole(2_000, 9_000));
    let begin = |faults: &Faults| {
        let disk = MemoryDisk::default();
        let mut store = open_faulty(&disk, faults).unwrap();
        store.commit(&before).unwrap();
        (disk, store)
    };
    let faults = Faults::default();
    let (disk, mut store) = begin(&faults);
    let first = faults.writes();
    store.begin_anew().unwrap();
    store.commit(&after).unwrap();
    let writes = faults.writes() - first;
    assert_holds(&store, &only(&after, 2), "written anew");
    drop(store);
    let store = open_faulty(&disk, &faults).unwrap();
    assert_holds(&store, &only(&after, 2), "opened");

    for fault in Fault::ALL {
        for write in 0..writes {
            let faults = Faults::default();
            let (disk, mut store) = begin(&faults);
            faults.after(write, fault);
            let context = format!("{fault:?} at write {write}");
            store.begin_anew().unwrap();
            assert!(store.commit(&after).is_err(), "{context}");
            drop(store);
            let store = open_faulty(&disk, &faults).unwrap();
            let model = match store.sequence() {
                1 => only(&before, 1),
                _ => only(&after, 2),
            };
            assert_holds(&store, &model, &context);
        }
    }
}

#[test]
fn a_fresh_place_that_was_never_filled_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let before = whole(500, 1);
    let mut store = reopened(folder.path());
    store.commit(&before).unwrap();
    store.begin_anew().unwrap();
    drop(store);
    let store = reopened(folder.path());
    assert_holds(&store, &only(&before, 1), "opened");
    assert!(!folder.path().join("sled.fresh").exists());
}

/// Overwrites the files of a store that is open.
fn spoil(folder: &Path) {
    let log = folder.join("sled/db");
    let length = fs::metadata(&log).unwrap().len();
    let mut file = OpenOptions::new().write(true).open(log).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&vec![0x5a; length as usize]).unwrap();
    for entry in fs::read_dir(folder.join("sled")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && !path.ends_with("db") {
            fs::write(path, b"spoilt").unwrap();
        }
    }
}

#[test]
fn files_that_are_spoilt_while_they_are_open_are_told_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = reopened(folder.path());
    let mut model = Model::default();
    let first = whole(20_000, 1);
    store.commit(&first).unwrap();
    model.apply(&first);
    // So that little of it is in memory: sooner or later what is on disk has to be read.
    drop(store);
    let mut store = reopened(folder.path());
    spoil(folder.path());
    let told = (0..200_u64).find_map(|step| {
        let rows = (0..1_000).map(|slot| {
            let row = version(step * 7 + u64::from(slot), 300);
            (SlotId(slot * 19), Some(row))
        });
        let checkpoint = Checkpoint {
            tables: vec![model.changes(&store, TABLE, rows.collect())],
            ..Checkpoint::default()
        };
        let committed = store.commit(&checkpoint);
        if committed.is_ok() {
            model.apply(&checkpoint);
        }
        committed.err()
    });
    let told = told.expect("spoilt files are told");
    let again = store.commit(&Checkpoint::default());
    assert!(
        matches!(again, Err(CheckpointError::Corrupt { .. })),
        "{told}, then {again:?}"
    );
    let sequence = store.sequence();
    let last = whole(15_000, 77_000);
    store.begin_anew().unwrap();
    store.commit(&last).unwrap();
    assert_holds(&store, &only(&last, sequence + 1), "written anew");
    drop(store);
    let store = reopened(folder.path());
    assert_holds(&store, &only(&last, sequence + 1), "opened");
}
