//! A store that has grown past what it holds is written anew, and whatever goes wrong with that, all of it
//! is there afterwards.

use checkpoint_store::{Checkpoint, CheckpointStore, MemoryDisk};
use row_model::{SlotId, TableId};
use testkit::checkpoint_suite::{Model, assert_holds, note, version};
use testkit::faulty_store::{Fault, Faults, FaultyStore, open_faulty};

const SWOLLEN: u64 = 1 << 30;
const ROWS: u32 = 3_000;
const ROW_BYTES: usize = 100;

fn checkpoint(model: &Model, store: &FaultyStore, step: u64) -> Checkpoint {
    let rows = (0..ROWS).map(SlotId);
    let rows = rows.map(|slot| (slot, Some(version(step + u64::from(slot.0), ROW_BYTES))));
    Checkpoint {
        tables: vec![model.changes(store, TableId(1), rows.collect())],
        notes: vec![note("offset", step.to_be_bytes())],
        ..Checkpoint::default()
    }
}

fn filled(disk: &MemoryDisk, faults: &Faults) -> (FaultyStore, Model) {
    let (mut store, mut model) = (open_faulty(disk, faults).unwrap(), Model::default());
    for step in 0..3 {
        let checkpoint = checkpoint(&model, &store, step);
        store.commit(&checkpoint).unwrap();
        model.apply(&checkpoint);
    }
    (store, model)
}

#[test]
fn it_is_written_anew_when_it_has_grown() {
    let (disk, faults) = (MemoryDisk::default(), Faults::default());
    let (mut store, model) = filled(&disk, &faults);
    let rows = u64::from(ROWS) * ROW_BYTES as u64;
    let live = store.space().live_bytes;
    assert!((rows..rows * 2).contains(&live), "{live} bytes for {rows}");
    assert!(!store.is_overgrown());
    faults.swell(SWOLLEN);
    assert!(store.is_overgrown());
    store.scrub().unwrap();
    assert!(!store.is_overgrown());
    assert_eq!(store.space().rewrites, 1);
    assert_holds(&store, &model, "written anew");
}

#[test]
fn whatever_goes_wrong_meanwhile_nothing_is_lost() {
    for fault in Fault::ALL {
        let (disk, faults) = (MemoryDisk::default(), Faults::default());
        let (mut store, mut model) = filled(&disk, &faults);
        faults.swell(SWOLLEN);
        faults.after(0, fault);
        store.scrub().unwrap_err();
        // It is not tried again before it has grown more.
        assert!(!store.is_overgrown(), "{fault:?}");
        if fault.is_crash() {
            drop(store);
            store = open_faulty(&disk, &faults).unwrap();
        }
        let next = checkpoint(&model, &store, 9);
        store.commit(&next).unwrap();
        model.apply(&next);
        assert_holds(&store, &model, &format!("{fault:?}"));
        faults.swell(2 * SWOLLEN);
        assert!(store.is_overgrown(), "{fault:?}");
    }
}
