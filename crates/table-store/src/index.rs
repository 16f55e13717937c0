//! Secondary indexes: from the values of some columns to the slots of the rows that have them.
//!
//! An index has an entry for every version of every row that is held, newest or set aside, so it
//! serves every cut that can be read. What it finds is a slot; the reader takes the version that its
//! cut shows there and looks whether that still has the values. So a row is found once, and an entry
//! of another version never shows it.
//!
//! Locks are taken in one order: a chunk, then the list of indexes, then an index. The writer changes
//! an index while it holds the chunk of the row, and who builds one reads each chunk under its lock:
//! whatever the builder has not seen was written by someone who knew of the index.

mod build;
mod definition;
mod hash;
mod keys;
mod leaf;
mod list;
mod ordered;
mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use parking_lot::Mutex;
use row_model::{SchemaHistory, SlotId, Version};

pub use definition::{DefinitionError, INDEX_COLUMNS_MAX, INDEXES_MAX, IndexDefinition, IndexKind};
use hash::HashEntries;
use keys::KeyWriter;
pub use list::AddIndexError;
pub(crate) use list::IndexList;
use ordered::OrderedEntries;
pub use read::{Direction, IndexGone, IndexReader, KeyRange, Place as IndexPlace};

const BUILDING: u8 = 0;
const READY: u8 = 1;
const REMOVED: u8 = 2;

/// One index of a table. Only the table's writer and who builds it change it.
#[derive(Debug)]
pub struct Index {
    definition: IndexDefinition,
    history: Arc<SchemaHistory>,
    entries: Entries,
    state: AtomicU8,
    /// Chunks that were read so far, and all there were at the last look, while it is built.
    built: AtomicU32,
    to_build: AtomicU32,
    /// Of the table's writer, who alone locks it.
    writing: Mutex<Writing>,
}

#[derive(Debug)]
enum Entries {
    Ordered(OrderedEntries),
    Hash(HashEntries),
}

/// What the writer needs to see what a change means to an index.
#[derive(Debug)]
struct Writing {
    keys: KeyWriter,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Index {
    fn new(definition: IndexDefinition, history: Arc<SchemaHistory>) -> Self {
        let entries = match definition.kind() {
            IndexKind::Ordered => Entries::Ordered(OrderedEntries::default()),
            IndexKind::Hash => Entries::Hash(HashEntries::default()),
        };
        let writing = Writing {
            keys: KeyWriter::new(&definition, &history),
            old: Vec::new(),
            new: Vec::new(),
        };
        Self {
            definition,
            history,
            entries,
            state: AtomicU8::new(BUILDING),
            built: AtomicU32::new(0),
            to_build: AtomicU32::new(0),
            writing: Mutex::new(writing),
        }
    }

    #[must_use]
    pub fn definition(&self) -> &IndexDefinition {
        &self.definition
    }

    /// Whether every row is in it, and it has not been removed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state.load(Ordering::Acquire) == READY
    }

    /// Share of the table that it covers: 1 once it is ready.
    #[must_use]
    pub fn progress(&self) -> f64 {
        if self.is_ready() {
            return 1.0;
        }
        let (built, all) = (&self.built, &self.to_build);
        let all = f64::from(all.load(Ordering::Relaxed)).max(1.0);
        (f64::from(built.load(Ordering::Relaxed)) / all).min(1.0)
    }

    /// Entries of all versions that are held.
    #[must_use]
    pub fn entries(&self) -> u64 {
        match &self.entries {
            Entries::Ordered(entries) => entries.len(),
            Entries::Hash(entries) => entries.len(),
        }
    }

    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.entries {
                Entries::Ordered(entries) => entries.memory_bytes(),
                Entries::Hash(entries) => entries.memory_bytes(),
            }
    }

    /// A version comes to a slot. `older` are those set aside there, without the one that is replaced.
    ///
    /// The chunk of the slot is locked for writing.
    pub(crate) fn put<'a>(
        &self,
        slot: SlotId,
        replaced: Option<&Version>,
        older: impl Iterator<Item = &'a Version>,
        version: &Version,
    ) {
        let mut writing = self.writing.lock();
        let Writing { keys, old, new } = &mut *writing;
        if replaced.is_some_and(|replaced| keys.are_same(replaced, version)) {
            return;
        }
        let has_old = replaced.is_some_and(|replaced| keys.write(replaced, old));
        let has_new = keys.write(version, new);
        if has_old && has_new && self.are_one(old, new) {
            return;
        }
        if has_new {
            self.insert(slot, new, version.key());
        }
        // Written twice within one cut: what nobody can have seen is let go of at once.
        if let Some(replaced) = replaced.filter(|replaced| replaced.cut() >= version.cut())
            && has_old
        {
            self.remove_unless_held(slot, replaced, older, &mut writing);
        }
    }

    /// Versions of a slot are gone, and these are left. The chunk of the slot is locked for writing.
    pub(crate) fn let_go<'a>(
        &self,
        slot: SlotId,
        gone: &[Version],
        left: &(impl Iterator<Item = &'a Version> + Clone),
    ) {
        let mut writing = self.writing.lock();
        for version in gone {
            let next = left.clone().next();
            if next.is_some_and(|next| writing.keys.are_same(version, next)) {
                continue;
            }
            let writing = &mut *writing;
            if writing.keys.write(version, &mut writing.old) {
                self.remove_unless_held(slot, version, left.clone(), writing);
            }
        }
    }

    /// Removes the entry of a version that is gone, whose key is the old one, unless another version
    /// has the same.
    fn remove_unless_held<'a>(
        &self,
        slot: SlotId,
        gone: &Version,
        mut held: impl Iterator<Item = &'a Version>,
        Writing { keys, old, new }: &mut Writing,
    ) {
        let is_held = held.any(|version| keys.write(version, new) && self.are_one(old, new));
        if !is_held {
            self.remove(slot, old, gone.key());
        }
    }

    /// Whether two keys of a slot share one entry.
    fn are_one(&self, one: &[u8], other: &[u8]) -> bool {
        match &self.entries {
            Entries::Ordered(_) => one == other,
            Entries::Hash(entries) => entries.are_one(one, other),
        }
    }

    fn insert(&self, slot: SlotId, key: &mut Vec<u8>, row_key: &[u8]) {
        match &self.entries {
            Entries::Ordered(entries) => entries.insert(joined(key, row_key), slot),
            Entries::Hash(entries) => entries.insert(key, slot),
        }
    }

    fn remove(&self, slot: SlotId, key: &mut Vec<u8>, row_key: &[u8]) {
        match &self.entries {
            Entries::Ordered(entries) => entries.remove(joined(key, row_key)),
            Entries::Hash(entries) => entries.remove(key, slot),
        }
    }
}

/// An entry of an ordered index: equal keys follow each other as their rows' keys do.
fn joined<'a>(key: &'a mut Vec<u8>, row_key: &[u8]) -> &'a [u8] {
    key.extend_from_slice(row_key);
    key
}
