//! The read side of a table: lookups and visits at a cut, from any thread.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use row_model::{CutId, SchemaHistory, SlotId, TableId, Version};
use smallvec::SmallVec;

use crate::chunk::{Chunk, LOT_ROWS, Lot, Place};
use crate::index::{AddIndexError, Index, IndexDefinition, IndexList};
use crate::slot_index::{KeyHash, SlotIndex};

/// What a table is, for the life of a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableIdentity {
    pub id: TableId,
    pub name: String,
    pub topic: String,
    /// The configured source it is followed from.
    pub source: String,
}

/// A table as its readers and its one writer share it.
#[derive(Debug)]
pub struct Table {
    identity: TableIdentity,
    schemas: Arc<SchemaHistory>,
    pub(crate) index: SlotIndex,
    pub(crate) chunks: boxcar::Vec<RwLock<Chunk>>,
    indexes: IndexList,
    /// States before this cut can no longer be read in full.
    readable_from: AtomicU64,
    /// From this cut on, versions are kept for those who may ask for a cut again.
    kept_from: AtomicU64,
}

/// What a lookup found.
#[derive(Clone, Debug)]
pub enum Lookup {
    Row(Version),
    /// The key had no row at this cut.
    Missing,
    /// The versions of this cut have been let go: ask at a newer one.
    CutGone,
}

impl Table {
    #[must_use]
    pub(crate) fn new(identity: TableIdentity, schemas: Arc<SchemaHistory>) -> Self {
        Self {
            identity,
            schemas,
            index: SlotIndex::new(),
            chunks: boxcar::Vec::new(),
            indexes: IndexList::default(),
            readable_from: AtomicU64::new(0),
            kept_from: AtomicU64::new(u64::MAX),
        }
    }

    #[must_use]
    pub fn identity(&self) -> &TableIdentity {
        &self.identity
    }

    #[must_use]
    pub fn schemas(&self) -> &Arc<SchemaHistory> {
        &self.schemas
    }

    /// The row of a key at a cut. Allocates nothing: the answer is a reference.
    #[must_use]
    pub fn lookup(&self, key: &[u8], cut: CutId) -> Lookup {
        let mut found = None;
        let slot = self.index.find(self.index.hash(key), |slot| {
            let Some((chunk, place)) = self.chunk(slot) else {
                return false;
            };
            let chunk = chunk.read();
            // A slot given to another key meanwhile shows that key, and is not ours.
            let is_key = chunk
                .newest(place.slot)
                .is_some_and(|version| version.key() == key);
            if is_key {
                found = chunk
                    .visible(place.slot, cut)
                    .filter(|version| !version.is_deleted())
                    .cloned();
            }
            is_key
        });
        // What was seen counts only if the cut was still readable afterwards.
        if !self.is_readable(cut) {
            return Lookup::CutGone;
        }
        match slot.and(found) {
            Some(version) => Lookup::Row(version),
            None => Lookup::Missing,
        }
    }

    /// Calls `each` with the rows of some keys at a cut, some at a time, until it breaks. The cut must be pinned.
    pub fn lookup_in_lots(
        &self,
        keys: &[Vec<u8>],
        cut: CutId,
        mut each: impl FnMut(&[&Version]) -> ControlFlow<()>,
    ) {
        for some in keys.chunks(LOT_ROWS) {
            let (mut slots, mut wanted) = (Lot::new(), Lot::new());
            for key in some {
                self.index.find(self.index.hash(key), |slot| {
                    slots.push(slot);
                    wanted.push(key);
                    false
                });
            }
            let rows = self.rows(&slots, cut);
            // Another key may have the same hash, or may have got the slot meanwhile.
            let lot = rows.iter().zip(wanted);
            let lot = lot.filter_map(|(row, key)| row.as_ref().filter(|row| row.key() == *key));
            let lot: Lot<&Version> = lot.collect();
            if each(&lot).is_break() {
                return;
            }
        }
    }

    /// The rows that a cut, which must be pinned, shows in some slots.
    ///
    /// What is needed of all of them is asked for before any of it is waited for: rows lie anywhere in memory, and
    /// a lock between two looks would have one look wait for the other. So some chunks are locked at once. Only
    /// for the first one waits its turn behind a writer; the others would wait for who may wait for them.
    pub(crate) fn rows(&self, slots: &[SlotId], cut: CutId) -> Lot<Option<Version>> {
        let mut chunks: Lot<_> = SmallVec::new();
        for slot in slots {
            chunks.push(self.chunk(*slot).map(|(chunk, place)| {
                let chunk = if chunks.is_empty() {
                    chunk.read()
                } else {
                    chunk.read_recursive()
                };
                (chunk, place.slot)
            }));
        }
        let newest = chunks.iter().map(|held| {
            let (chunk, slot) = held.as_ref()?;
            chunk.newest(*slot)
        });
        let newest: Lot<Option<&Version>> = newest.collect();
        let visible = chunks.iter().zip(newest).map(|(held, newest)| {
            if newest?.cut() <= cut {
                return newest;
            }
            let (chunk, slot) = held.as_ref()?;
            chunk.visible(*slot, cut)
        });
        let visible: Lot<Option<&Version>> = visible.collect();
        let rows = visible.into_iter();
        rows.map(|version| version.filter(|version| !version.is_deleted()).cloned())
            .collect()
    }

    /// Calls `each` for every row at a cut, chunk by chunk, in no particular order. The cut must be pinned.
    pub fn visit(&self, cut: CutId, mut each: impl FnMut(&Version)) {
        for (_, chunk) in &self.chunks {
            chunk.read().visit(cut, &mut each);
        }
    }

    /// The slot that remembers anything of a key: a row, or that it was deleted.
    #[must_use]
    pub fn newest_slot(&self, key: &[u8]) -> Option<SlotId> {
        let found = self.find_newest(self.index.hash(key), key);
        found.map(|(slot, _)| slot)
    }

    /// The same for one chunk, so that a visit can stop between them; `false` if there is no such chunk.
    pub fn visit_chunk(&self, chunk: usize, cut: CutId, mut each: impl FnMut(&Version)) -> bool {
        self.visit_chunk_in_lots(chunk, cut, |lot| {
            for version in lot {
                each(version);
            }
        })
    }

    /// The same for some of its rows at a time.
    pub fn visit_chunk_in_lots(
        &self,
        chunk: usize,
        cut: CutId,
        each: impl FnMut(&[&Version]),
    ) -> bool {
        let Some(chunk) = self.chunks.get(chunk) else {
            return false;
        };
        chunk.read().visit_lots(cut, each);
        true
    }

    /// The secondary indexes, ready or not.
    #[must_use]
    pub fn indexes(&self) -> Arc<[Arc<Index>]> {
        self.indexes.all()
    }

    /// Adds an index, which changes are entered into from now on. It is not ready before
    /// [`build_index`](Self::build_index) has entered what is there.
    ///
    /// # Errors
    /// If there is one of these columns, or if there are too many.
    pub fn add_index(&self, definition: IndexDefinition) -> Result<Arc<Index>, AddIndexError> {
        self.indexes.add(definition, &self.schemas)
    }

    /// Removes the index of these columns; `false` if there is none. Readers of older cuts go on with it.
    pub fn remove_index(&self, columns: &[String]) -> bool {
        self.indexes.remove(columns)
    }

    #[must_use]
    pub fn is_readable(&self, cut: CutId) -> bool {
        self.readable_from.load(Ordering::Acquire) <= cut.0
    }

    /// Whether versions of this cut are kept as long as the cut is.
    #[must_use]
    pub fn keeps(&self, cut: CutId) -> bool {
        self.kept_from.load(Ordering::Acquire) <= cut.0
    }

    pub(crate) fn keep_from(&self, cut: CutId) {
        self.kept_from.fetch_min(cut.0, Ordering::AcqRel);
    }

    pub(crate) fn forbid_before(&self, cut: CutId) {
        self.readable_from.fetch_max(cut.0, Ordering::AcqRel);
    }

    pub(crate) fn find_newest(&self, hash: KeyHash, key: &[u8]) -> Option<(SlotId, Version)> {
        let mut newest = None;
        let slot = self.index.find(hash, |slot| {
            let Some((chunk, place)) = self.chunk(slot) else {
                return false;
            };
            newest = chunk
                .read()
                .newest(place.slot)
                .filter(|version| version.key() == key)
                .cloned();
            newest.is_some()
        });
        slot.zip(newest)
    }

    pub(crate) fn chunk(&self, slot: SlotId) -> Option<(&RwLock<Chunk>, Place)> {
        let place = Place::from(slot);
        Some((self.chunks.get(place.chunk)?, place))
    }
}
