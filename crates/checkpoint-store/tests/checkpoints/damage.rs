//! Damaged checkpoints are told, never read as something else.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use checkpoint_store::{
    Checkpoint, CheckpointError, CheckpointStore, Medium, MemoryDisk, MemoryMedium, MemoryStore,
    SledStore, WriteBatch,
};
use row_model::{SlotId, TableId};
use testkit::checkpoint_suite::{Model, Random, assert_holds, load, note, version};

/// Three tables with bases and deltas, and notes.
fn fill(store: &mut dyn CheckpointStore) -> Model {
    fill_step_by_step(store).pop().unwrap()
}

/// What is to be held after 0, 1, 2... checkpoints.
fn fill_step_by_step(store: &mut dyn CheckpointStore) -> Vec<Model> {
    let mut history = vec![Model::default()];
    for step in 0..6_u64 {
        let mut model = history.last().unwrap().clone();
        let mut checkpoint = Checkpoint {
            notes: vec![note("offset", step.to_be_bytes())],
            ..Checkpoint::default()
        };
        for table in (1..4).map(TableId) {
            let slots = if step == 0 { 1_500 } else { 200 };
            let changed = (0..slots)
                .map(|slot| (SlotId(slot * 3), Some(version(step + u64::from(slot), 60))))
                .collect();
            checkpoint.tables.push(model.changes(store, table, changed));
        }
        store.commit(&checkpoint).unwrap();
        model.apply(&checkpoint);
        history.push(model);
    }
    history
}

fn values(disk: &MemoryDisk) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut values = Vec::new();
    let medium = MemoryMedium::open(disk).unwrap();
    medium
        .scan(&[], &mut |key, value| {
            values.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    values
}

fn change(disk: &MemoryDisk, change: impl FnOnce(&mut WriteBatch)) {
    let mut medium = MemoryMedium::open(disk).unwrap();
    let mut batch = WriteBatch::default();
    change(&mut batch);
    medium.apply(batch).unwrap();
    medium.flush().unwrap();
}

/// True if something is said to be damaged; what is not must be as it was.
fn is_noticed(
    store: Result<&dyn CheckpointStore, CheckpointError>,
    truth: &dyn CheckpointStore,
) -> bool {
    let store = match store {
        Ok(store) => store,
        Err(CheckpointError::Corrupt { .. } | CheckpointError::Open { .. }) => return true,
        Err(other) => panic!("{other}"),
    };
    let mut noticed = store
        .notes()
        .map(|notes| assert_eq!(notes, truth.notes().unwrap()))
        .is_err();
    for table in (1..4).map(TableId) {
        match load(store, table) {
            Ok(rows) => assert!(
                rows == load(truth, table).unwrap(),
                "table {} has other rows",
                table.0
            ),
            Err(CheckpointError::Corrupt { table: named, .. }) => {
                assert_eq!(named, Some(table));
                noticed = true;
            }
            Err(CheckpointError::Read(_)) => noticed = true,
            Err(other) => panic!("{other}"),
        }
    }
    noticed
}

#[test]
fn every_lost_or_flipped_value_is_noticed() {
    let (disk, truth) = (MemoryDisk::default(), MemoryDisk::default());
    fill(&mut MemoryStore::open_memory(&disk).unwrap());
    fill(&mut MemoryStore::open_memory(&truth).unwrap());
    let truth = MemoryStore::open_memory(&truth).unwrap();
    let mut random = Random::new(1);
    for (key, value) in values(&disk) {
        for lost in [true, false] {
            change(&disk, |batch| {
                let mut flipped = value.clone();
                flipped[random.below(value.len() as u64) as usize] ^= 1 << random.below(8);
                if lost {
                    batch.remove(key.clone());
                } else {
                    batch.put(key.clone(), flipped);
                }
            });
            let noticed = match MemoryStore::open_memory(&disk) {
                Ok(store) => is_noticed(Ok(&store), &truth),
                // A flipped format number is a newer format, to all appearances.
                Err(CheckpointError::NewerFormat { .. }) => true,
                Err(error) => is_noticed(Err(error), &truth),
            };
            assert!(noticed, "key {}, lost: {lost}", key.escape_ascii());
            change(&disk, |batch| batch.put(key.clone(), value.clone()));
        }
    }
    let restored = MemoryStore::open_memory(&disk).unwrap();
    assert!(!is_noticed(Ok(&restored), &truth));
}

#[test]
fn values_of_an_older_checkpoint_are_noticed() {
    let disk = MemoryDisk::default();
    let truth = MemoryDisk::default();
    for disk in [&disk, &truth] {
        fill(&mut MemoryStore::open_memory(disk).unwrap());
    }
    let before = values(&disk);
    for disk in [&disk, &truth] {
        let mut store = MemoryStore::open_memory(disk).unwrap();
        let model = Model::default();
        let changed = (0..1_500)
            .map(|slot| (SlotId(slot), Some(version(u64::from(slot), 61))))
            .collect();
        let tables = vec![model.changes(&store, TableId(2), changed)];
        let checkpoint = Checkpoint {
            tables,
            notes: vec![note("offset", "x")],
            ..Checkpoint::default()
        };
        store.commit(&checkpoint).unwrap();
    }
    let truth = MemoryStore::open_memory(&truth).unwrap();
    let now = values(&disk);
    let replaced = before
        .iter()
        .filter(|(key, value)| now.iter().any(|(k, v)| k == key && v != value));
    let mut count = 0;
    for (key, old) in replaced {
        let new = &now.iter().find(|(k, _)| k == key).unwrap().1;
        change(&disk, |batch| batch.put(key.clone(), old.clone()));
        let noticed = match MemoryStore::open_memory(&disk) {
            Ok(store) => is_noticed(Ok(&store), &truth),
            Err(error) => is_noticed(Err(error), &truth),
        };
        assert!(noticed, "key {}", key.escape_ascii());
        change(&disk, |batch| batch.put(key.clone(), new.clone()));
        count += 1;
    }
    assert!(count >= 10, "{count} values were replaced");
}

#[test]
fn a_damaged_table_is_dropped_and_begun_anew_while_others_are_whole() {
    let disk = MemoryDisk::default();
    let mut model = fill(&mut MemoryStore::open_memory(&disk).unwrap());
    let is_record_of_table_2 = |key: &[u8]| key[0] == b'c' && key[1..5] == [0, 0, 0, 2];
    let (key, _) = values(&disk)
        .into_iter()
        .find(|(key, _)| is_record_of_table_2(key))
        .unwrap();
    change(&disk, |batch| batch.remove(key));
    let mut store = MemoryStore::open_memory(&disk).unwrap();
    let damaged = |error| {
        matches!(
            error,
            CheckpointError::Corrupt {
                table: Some(TableId(2)),
                ..
            }
        )
    };
    assert!(damaged(load(&store, TableId(2)).unwrap_err()));
    assert!(load(&store, TableId(1)).is_ok());
    let changes = |model: &Model, store: &MemoryStore| {
        vec![model.changes(store, TableId(2), vec![(SlotId(0), Some(version(1, 1)))])]
    };
    let refused = Checkpoint {
        tables: changes(&Model::default(), &store),
        ..Checkpoint::default()
    };
    assert!(damaged(store.commit(&refused).unwrap_err()));
    let anew = Checkpoint {
        dropped: vec![TableId(2)],
        ..refused
    };
    store.commit(&anew).unwrap();
    model.apply(&anew);
    assert_holds(&store, &model, "begun anew");
}

/// Files cut short or with a flipped bit, anywhere: an error or the truth. Going back to an
/// earlier checkpoint as a whole is neither wrong nor avoidable: offsets go back with the rows.
#[test]
fn sled_files_may_be_cut_and_flipped() {
    const TRIALS: usize = 60;
    let home = tempfile::tempdir().unwrap();
    let whole = home.path().join("whole");
    let history = fill_step_by_step(&mut SledStore::open(&whole).unwrap());
    let mut random = Random::new(3);
    let mut told = 0;
    for trial in 0..TRIALS {
        let dir = home.path().join(format!("trial-{trial}"));
        copy(&whole, &dir);
        let files = files_in(&dir.join("sled"));
        let file = &files[random.below(files.len() as u64) as usize];
        let mut bytes = fs::read(file).unwrap();
        let at = random.below(bytes.len() as u64) as usize;
        if trial % 2 == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << random.below(8);
        }
        fs::write(file, bytes).unwrap();
        let context = format!("{} at byte {at}", file.display());
        let readable = |store: &SledStore| {
            store.notes().is_ok() && (1..4).map(TableId).all(|table| load(store, table).is_ok())
        };
        match SledStore::open(&dir) {
            Ok(store) if readable(&store) => {
                assert_holds(&store, &history[store.sequence() as usize], &context);
            }
            _ => told += 1,
        }
        fs::remove_dir_all(&dir).unwrap();
    }
    assert!(told > TRIALS / 10, "{told} of {TRIALS} were told");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_in(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}
