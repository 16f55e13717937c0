//! What readers may rely on: a cut never changes while it is held, whatever the writer does meanwhile.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use row_model::{
    CutId, RowBuilder, SchemaHistory, SchemaId, SlotId, Stamp, TableId, Value, Version, encode_key,
};
use table_store::{
    CHUNK_SLOTS, Lookup, PinnedCut, Publisher, TableCut, TableFacts, TableIdentity, TableWriter,
};

struct Shop {
    publisher: Publisher,
    writer: TableWriter,
}

fn identity() -> TableIdentity {
    TableIdentity {
        id: TableId(0),
        name: "t".to_owned(),
        topic: "s.t".to_owned(),
        source: "s".to_owned(),
    }
}

fn key(id: i64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_key([Value::Int(id)], &mut out).unwrap();
    out
}

fn row(id: i64, value: i64) -> Vec<u8> {
    let (mut builder, mut out) = (RowBuilder::default(), Vec::new());
    builder.push(Value::Int(id));
    builder.push(Value::Int(value));
    builder.finish(&mut out);
    out
}

fn cells(version: &Version) -> (i64, i64) {
    let row = version.row().unwrap();
    match (row.get(0), row.get(1)) {
        (Some(Value::Int(id)), Some(Value::Int(value))) => (id, value),
        other => panic!("{other:?}"),
    }
}

impl Shop {
    fn new(deleted_keys_max: usize) -> Self {
        let writer = TableWriter::new(identity(), Arc::new(SchemaHistory::default()));
        let mut shop = Self {
            publisher: Publisher::default(),
            writer: writer.with_deleted_keys_max(deleted_keys_max),
        };
        shop.publish();
        shop
    }

    fn set(&mut self, id: i64, value: Option<i64>) {
        let cut = self.publisher.next_cut();
        let row = value.map(|value| row(id, value));
        let stamp = |_: Option<&Version>| Some(Stamp::default());
        self.writer
            .write(cut, &key(id), SchemaId(0), row.as_deref(), stamp);
    }

    fn publish(&mut self) {
        self.publisher.set(TableCut {
            table: Arc::clone(self.writer.table()),
            rows: self.writer.rows(),
            memory_bytes: 0,
            schema: None,
            schema_epoch: 1,
            facts: Arc::new(TableFacts::default()),
        });
        let oldest_needed = self.publisher.publish();
        self.writer.collect_garbage(oldest_needed);
    }
}

/// Everything a held cut shows, by visiting it.
fn visited(cut: &PinnedCut) -> BTreeMap<i64, i64> {
    let mut rows = BTreeMap::new();
    cut.tables()[0].table.visit(cut.id, |version| {
        let (id, value) = cells(version);
        assert!(
            rows.insert(id, value).is_none(),
            "key {id} was visited twice"
        );
    });
    rows
}

fn looked_up(cut: &PinnedCut, id: i64) -> Option<i64> {
    match cut.tables()[0].table.lookup(&key(id), cut.id) {
        Lookup::Row(version) => Some(cells(&version).1),
        Lookup::Missing => None,
        Lookup::CutGone => panic!("a held cut is gone"),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(i64, i64),
    Delete(i64),
    Truncate,
    Publish,
    Hold,
    Release,
    Checkpoint,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = 0..40_i64;
    let step = prop_oneof![
        8 => (id.clone(), any::<i64>()).prop_map(|(id, value)| Step::Set(id, value)),
        4 => id.prop_map(Step::Delete),
        1 => Just(Step::Truncate),
        4 => Just(Step::Publish),
        2 => Just(Step::Hold),
        2 => Just(Step::Release),
        1 => Just(Step::Checkpoint),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    /// Against one ordered map a cut: every held cut shows exactly its map, and what checkpoints
    /// collected, put together, is the table.
    #[test]
    fn a_held_cut_never_changes(steps in steps(), deleted_keys_max in 0..20_usize) {
        let mut shop = Shop::new(deleted_keys_max);
        let (mut now, mut published) = (BTreeMap::new(), BTreeMap::new());
        let mut held: Vec<(PinnedCut, BTreeMap<i64, i64>)> = Vec::new();
        let mut saved: BTreeMap<SlotId, Version> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Set(id, value) => {
                    shop.set(id, Some(value));
                    now.insert(id, value);
                }
                Step::Delete(id) => {
                    shop.set(id, None);
                    now.remove(&id);
                }
                Step::Truncate => {
                    let cut = shop.publisher.next_cut();
                    let deleted = shop.writer.delete_where(cut, |_| Some(Stamp::default()));
                    prop_assert_eq!(deleted, now.len() as u64);
                    now.clear();
                }
                Step::Publish => {
                    shop.publish();
                    published.clone_from(&now);
                }
                Step::Hold => held.push((shop.publisher.store().pin(), published.clone())),
                Step::Release => {
                    if !held.is_empty() {
                        held.remove(0);
                    }
                }
                Step::Checkpoint => save(&mut shop.writer, &mut saved),
            }
            prop_assert_eq!(shop.writer.rows(), now.len() as u64);
        }
        held.push((shop.publisher.store().pin(), published));
        for (cut, expected) in &held {
            prop_assert_eq!(&visited(cut), expected);
            for id in 0..40 {
                prop_assert_eq!(looked_up(cut, id), expected.get(&id).copied());
            }
        }
        save(&mut shop.writer, &mut saved);
        prop_assert_eq!(restored(&saved), now);
    }
}

fn save(writer: &mut TableWriter, saved: &mut BTreeMap<SlotId, Version>) {
    let dirty = writer.dirty_slots();
    let taken = writer.collect_dirty(&[]);
    assert_eq!(
        dirty,
        taken
            .changed
            .iter()
            .map(|(slot, _)| *slot)
            .collect::<Vec<_>>()
    );
    for (slot, version) in taken.changed {
        match version {
            Some(version) => saved.insert(slot, version),
            None => saved.remove(&slot),
        };
    }
}

/// The rows of a table made anew from what checkpoints saved.
fn restored(saved: &BTreeMap<SlotId, Version>) -> BTreeMap<i64, i64> {
    const THREADS: usize = 3;
    let mut shop = Shop::new(10);
    let chunk_of = |slot: SlotId| slot.0 as usize / CHUNK_SLOTS;
    let chunks = saved.keys().map(|slot| chunk_of(*slot) + 1).max();
    let mut restorers = shop
        .writer
        .restorers(THREADS, chunks.unwrap_or(0) as u32, 5);
    std::thread::scope(|scope| {
        for (thread, restorer) in restorers.iter_mut().enumerate() {
            let saved = &saved;
            scope.spawn(move || {
                let mine = saved
                    .iter()
                    .filter(|(slot, _)| chunk_of(**slot) % THREADS == thread);
                for (slot, version) in mine {
                    let mut bytes = Vec::new();
                    version.saved_bytes(&mut bytes);
                    let version = Version::from_saved(CutId(0), &bytes).unwrap();
                    assert!(restorer.put(*slot, version));
                }
            });
        }
    });
    shop.writer.restored(restorers);
    // New rows take only slots that are free.
    shop.set(1000, Some(1));
    shop.publish();
    let mut rows = visited(&shop.publisher.store().pin());
    assert_eq!(rows.remove(&1000), Some(1));
    rows
}

/// Transfers between accounts, published whole: every reader at every cut sees the same sum.
#[test]
fn readers_beside_the_writer_see_whole_cuts() {
    const ACCOUNTS: i64 = 3_000;
    const ROUNDS: i64 = 300;
    let mut shop = Shop::new(100);
    for id in 0..ACCOUNTS {
        shop.set(id, Some(100));
    }
    shop.publish();
    let store = Arc::clone(shop.publisher.store());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut last = CutId(0);
                while !done.load(Ordering::Acquire) {
                    let cut = store.pin();
                    assert!(cut.id >= last, "cuts went back");
                    last = cut.id;
                    let rows = visited(&cut);
                    assert_eq!(rows.len() as i64, ACCOUNTS);
                    assert_eq!(rows.values().sum::<i64>(), ACCOUNTS * 100);
                    assert_eq!(looked_up(&cut, 7), rows.get(&7).copied());
                }
            })
        });
        for round in 0..ROUNDS {
            for pair in 0..50 {
                let (from, to) = (
                    (round * 31 + pair * 2) % ACCOUNTS,
                    (round * 17 + pair * 2 + 1) % ACCOUNTS,
                );
                if from == to {
                    continue;
                }
                let balance = |id| cells(&shop.writer.newest(&key(id)).unwrap()).1;
                let (from_balance, to_balance) = (balance(from), balance(to));
                shop.set(from, Some(from_balance - 1));
                shop.set(to, Some(to_balance + 1));
            }
            shop.publish();
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    shop.writer.collect_garbage(shop.publisher.oldest_needed());
    assert_eq!(
        shop.writer.memory().versions,
        0,
        "nobody holds a cut any more"
    );
}
