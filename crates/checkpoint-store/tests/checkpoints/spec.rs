//! Both stores pass the public suite, and so does the faulty one while nothing is wrong.

use checkpoint_store::{CheckpointError, MemoryDisk, MemoryStore, SledStore};
use testkit::checkpoint_suite::{Place, check};
use testkit::faulty_store::{Faults, open_faulty};

#[test]
fn the_memory_store_keeps_the_contract() {
    check(|| {
        let disk = MemoryDisk::default();
        Box::new(move || Box::new(MemoryStore::open_memory(&disk).unwrap()))
    });
}

#[test]
fn the_sled_store_keeps_the_contract() {
    check(|| -> Place<'static> {
        let dir = tempfile::tempdir().unwrap();
        Box::new(move || Box::new(SledStore::open(dir.path()).unwrap()))
    });
}

#[test]
fn the_faulty_store_keeps_the_contract_while_nothing_is_wrong() {
    check(|| {
        let disk = MemoryDisk::default();
        Box::new(move || Box::new(open_faulty(&disk, &Faults::default()).unwrap()))
    });
}

#[test]
fn a_memory_disk_has_one_user_at_a_time() {
    let disk = MemoryDisk::default();
    let store = MemoryStore::open_memory(&disk).unwrap();
    assert!(matches!(
        MemoryStore::open_memory(&disk),
        Err(CheckpointError::Locked { .. })
    ));
    drop(store);
    assert!(MemoryStore::open_memory(&disk).is_ok());
}
