//! Every write of a history goes wrong once, in every way: what is there afterwards is one whole
//! checkpoint, and the history can go on.

use std::sync::mpsc;
use std::thread;

use checkpoint_store::{Checkpoint, CheckpointError, CheckpointStore, MemoryDisk, limits};
use row_model::{SlotId, TableId, Version};
use testkit::checkpoint_suite::{Model, assert_holds, note, version};
use testkit::faulty_store::{Fault, Faults, FaultyStore, open_faulty};

const TABLE: TableId = TableId(1);

/// Small and large checkpoints, into bases and deltas, over and beside what is there.
fn checkpoint(step: u64, model: &Model, store: &dyn CheckpointStore) -> Checkpoint {
    let rows = |slots: std::ops::Range<u32>, len: usize| {
        slots
            .map(|slot| {
                (
                    SlotId(slot),
                    Some(version(step * 100 + u64::from(slot), len)),
                )
            })
            .collect::<Vec<_>>()
    };
    let large = (2 * limits::AHEAD_BYTES_MAX / 20_000) as u32;
    let changed: Vec<(SlotId, Option<Version>)> = match step {
        0 => rows(0..large, 20_000),
        1 => rows(10_000..10_000 + large, 20_000),
        2 => rows(0..10, 100),
        3 => vec![(SlotId(3), None), (SlotId(10_001), None)],
        _ => rows(0..large, 15_000),
    };
    let mut checkpoint = Checkpoint {
        notes: vec![note("offset", step.to_be_bytes())],
        ..Checkpoint::default()
    };
    if step == 5 {
        checkpoint.dropped.push(TABLE);
    } else {
        checkpoint.tables.push(model.changes(store, TABLE, changed));
    }
    checkpoint
}

const STEPS: u64 = 7;

/// Runs the history. A step that fails is done again, in a new process if the last one crashed.
fn run(disk: &MemoryDisk, faults: &Faults, context: &str) -> Model {
    let mut store = open_faulty(disk, faults).unwrap();
    let mut model = Model::default();
    for step in 0..STEPS {
        loop {
            let checkpoint = checkpoint(step, &model, &store);
            let mut after = model.clone();
            after.apply(&checkpoint);
            let committed = store.commit(&checkpoint);
            if committed.is_err() {
                store = reopened_if_crashed(store, disk, faults);
            }
            let context = format!("{context}, step {step}");
            let holds_it = store.sequence() == after.sequence;
            assert!(
                holds_it || committed.is_err(),
                "{context}: said to be durable, and is not"
            );
            if committed.is_err() || step + 1 == STEPS {
                assert_holds(&store, if holds_it { &after } else { &model }, &context);
            }
            if holds_it {
                model = after;
                break;
            }
        }
    }
    model
}

fn reopened_if_crashed(store: FaultyStore, disk: &MemoryDisk, faults: &Faults) -> FaultyStore {
    match store.notes() {
        Ok(_) => store,
        Err(CheckpointError::Unsettled(_)) => {
            drop(store);
            open_faulty(disk, faults).unwrap()
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn any_write_may_fail_in_any_way() {
    let faults = Faults::default();
    let truth = run(&MemoryDisk::default(), &faults, "without faults");
    assert!(
        faults.writes() > 2 * STEPS + 4,
        "large checkpoints are written ahead"
    );
    for fault in Fault::ALL {
        for write in 0..faults.writes() {
            let faults = Faults::default();
            faults.after(write, fault);
            let disk = MemoryDisk::default();
            let model = run(&disk, &faults, &format!("{fault:?} at write {write}"));
            assert!(faults.happened());
            assert_eq!(model.sequence, truth.sequence);
            assert_no_leftovers(&disk);
        }
    }
}

/// What an interrupted checkpoint wrote ahead is cleared away: the last step's table is all there is.
fn assert_no_leftovers(disk: &MemoryDisk) {
    use checkpoint_store::{Medium, MemoryMedium};
    let medium = MemoryMedium::open(disk).unwrap();
    let mut bytes = 0;
    medium
        .scan(&[], &mut |_, value| {
            bytes += value.len();
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    let rows = 2 * limits::AHEAD_BYTES_MAX / 20_000;
    assert!(bytes < rows * 15_000 * 11 / 10, "{bytes} bytes are stored");
}

#[test]
fn a_full_disk_does_no_harm_and_ends() {
    let (disk, faults) = (MemoryDisk::default(), Faults::default());
    let mut store = open_faulty(&disk, &faults).unwrap();
    let mut model = Model::default();
    for step in 0..STEPS {
        let checkpoint = checkpoint(step, &model, &store);
        faults.fill_disk();
        for _ in 0..3 {
            assert!(matches!(
                store.commit(&checkpoint),
                Err(CheckpointError::Write(_))
            ));
            assert_holds(&store, &model, "full");
        }
        faults.free_disk();
        store.commit(&checkpoint).unwrap();
        model.apply(&checkpoint);
        assert_holds(&store, &model, "free again");
    }
}

#[test]
fn a_stuck_disk_holds_up_the_commit_only() {
    let (disk, faults) = (MemoryDisk::default(), Faults::default());
    let mut store = open_faulty(&disk, &faults).unwrap();
    faults.stick();
    let (done, is_done) = mpsc::sync_channel(1);
    let committing = thread::spawn(move || {
        let sequence = store.commit(&Checkpoint::default()).unwrap().sequence;
        done.send(()).unwrap();
        sequence
    });
    assert!(is_done.try_recv().is_err());
    faults.release();
    assert_eq!(committing.join().unwrap(), 1);
}

/// A medium that keeps half a batch has broken its promise. What is opened then is what was flushed, or
/// it is not opened at all, and neither is it later.
#[test]
fn half_a_batch_is_noticed_at_once() {
    let mut noticed = 0;
    for write in 0..4 {
        for batches in 0..4 {
            let (disk, faults) = (MemoryDisk::default(), Faults::default());
            faults.write_ahead_above(1);
            let mut store = open_faulty(&disk, &faults).unwrap();
            faults.after(write, Fault::CrashTearing(batches));
            let model = Model::default();
            let checkpoint = checkpoint(2, &model, &store);
            if store.commit(&checkpoint).is_ok() {
                assert!(!faults.happened(), "there are no more writes");
                break;
            }
            drop(store);
            let Ok(mut store) = open_faulty(&disk, &faults) else {
                noticed += 1;
                continue;
            };
            let context = format!("torn at write {write}, after {batches} batches");
            let mut after = model.clone();
            after.apply(&checkpoint);
            if store.sequence() == 0 {
                store.commit(&checkpoint).unwrap();
            }
            drop(store);
            assert_holds(&open_faulty(&disk, &faults).unwrap(), &after, &context);
        }
    }
    assert!(noticed > 0);
}
