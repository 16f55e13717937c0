//! What was removed cannot be read on the disk any more, and what was not is all there, wherever a
//! crash comes in between.

use std::fs;
use std::path::Path;

use super::reopened;
use checkpoint_store::{Checkpoint, CheckpointStore, Note, SledStore};
use row_model::{SlotId, TableId};
use tempfile::TempDir;
use testkit::checkpoint_suite::{Model, assert_holds, note, version};

const SECRET: &[u8] = b"4929-7812-only-here";

/// True if some file below holds the secret.
fn is_readable(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_readable(&path);
        }
        let bytes = fs::read(path).unwrap();
        bytes.windows(SECRET.len()).any(|window| window == SECRET)
    })
}

/// A store that has held the secret and a table more, and what it still holds.
fn after_removal() -> (TempDir, SledStore, Model) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = reopened(&folder.path().join("checkpoint"));
    let mut model = Model::default();
    let mut first = Checkpoint {
        notes: vec![note("secret", SECRET), note("kept", b"open")],
        ..Checkpoint::default()
    };
    for table in [TableId(1), TableId(2)] {
        let slots = (0..5_000).map(SlotId);
        let rows = slots.map(|slot| (slot, Some(version(u64::from(slot.0), 60))));
        first
            .tables
            .push(model.changes(&store, table, rows.collect()));
    }
    let second = Checkpoint {
        dropped: vec![TableId(2)],
        notes: vec![Note {
            name: b"secret".to_vec(),
            value: None,
        }],
        ..Checkpoint::default()
    };
    for checkpoint in [first, second] {
        store.commit(&checkpoint).unwrap();
        model.apply(&checkpoint);
    }
    (folder, store, model)
}

#[test]
fn what_was_removed_is_gone_from_the_disk() {
    let (folder, mut store, model) = after_removal();
    assert!(is_readable(folder.path()), "then there were no need");
    store.scrub().unwrap();
    assert!(!is_readable(folder.path()));
    assert_holds(&store, &model, "scrubbed");
    // It is a store like any other.
    let more = Checkpoint {
        notes: vec![note("more", b"open")],
        ..Checkpoint::default()
    };
    store.commit(&more).unwrap();
    drop(store);
    let mut model = model;
    model.apply(&more);
    let store = reopened(&folder.path().join("checkpoint"));
    assert_holds(&store, &model, "scrubbed");
}

#[test]
fn a_crash_in_between_leaves_one_whole_store() {
    let (folder, mut store, model) = after_removal();
    let path = folder.path().join("checkpoint");
    let (sled, fresh, old) = (
        path.join("sled"),
        path.join("sled.fresh"),
        path.join("sled.old"),
    );
    // The copy was under way.
    store.scrub().unwrap();
    drop(store);
    fs::create_dir(&fresh).unwrap();
    fs::write(fresh.join("db"), b"half of").unwrap();
    assert_holds(&reopened(&path), &model, "opened");
    assert!(!fresh.exists());
    // The copy was whole, and the old files had just made room.
    fs::rename(&sled, &fresh).unwrap();
    fs::create_dir(&old).unwrap();
    fs::write(old.join("db"), SECRET).unwrap();
    assert_holds(&reopened(&path), &model, "opened");
    assert!(!old.exists() && !is_readable(folder.path()));
    // The copy had taken their place.
    fs::create_dir(&old).unwrap();
    fs::write(old.join("db"), SECRET).unwrap();
    assert_holds(&reopened(&path), &model, "opened");
    assert!(!is_readable(folder.path()));
}
