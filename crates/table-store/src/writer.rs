//! The write side of a table: one owner, synchronous, on the sequencer's thread.

mod recording;
mod restore;

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::RwLock;
use row_model::{CutId, SchemaHistory, SchemaId, SlotId, Stamp, Version, VersionParts};

use crate::chunk::{CHUNK_SLOTS, Chunk, ChunkId, Place, slot_id};
use crate::table::{Table, TableIdentity};

pub use recording::Recording;
pub use restore::Restorer;

/// Positions of deleted keys kept per table. Losing one may show an old state during a redelivery,
/// never a wrong end.
pub const DELETED_KEYS_MAX: usize = 1_000_000;

/// More versions of one row are too many to keep: to let go of one, an index looks through all of them.
pub const ROW_VERSIONS_MAX: usize = 4_096;

/// Bytes a table takes, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Newest versions: rows with their keys and stamps.
    pub rows: usize,
    /// Keys that were deleted, with the positions of their deletions.
    pub deleted: usize,
    /// Replaced versions some reader may need.
    pub versions: usize,
    /// Slots and the index from keys to them.
    pub slots: usize,
    /// Secondary indexes.
    pub indexes: usize,
    /// What is known beside the rows.
    pub beside: usize,
    /// Changes that wait for others that belong to them.
    pub waiting: usize,
}

impl MemoryUse {
    #[must_use]
    pub fn total(&self) -> usize {
        self.rows
            + self.deleted
            + self.versions
            + self.slots
            + self.indexes
            + self.beside
            + self.waiting
    }
}

/// What a checkpoint takes from a table: references only.
#[derive(Debug, Default)]
pub struct DirtyRows {
    /// Slots changed since the last collection, with what they hold now (`None`: empty again).
    pub changed: Vec<(SlotId, Option<Version>)>,
    /// Whole chunks that were asked for.
    pub rewritten: Vec<(ChunkId, Vec<(SlotId, Version)>)>,
}

/// The only one who changes a table.
#[derive(Debug)]
pub struct TableWriter {
    table: Arc<Table>,
    /// Slots that hold nothing, newest freed last.
    free: Vec<SlotId>,
    slots: u32,
    rows: u64,
    /// Newest versions, deleted keys among them.
    row_bytes: usize,
    deleted_bytes: usize,
    version_bytes: usize,
    /// Of all versions that were set aside since they are kept.
    set_aside_bytes: u64,
    /// Some row has more than [`ROW_VERSIONS_MAX`] versions.
    is_crowded: bool,
    keeps_versions: bool,
    /// Versions set aside, by the cut that replaced them.
    set_aside: VecDeque<(CutId, SlotId)>,
    deleted: VecDeque<(CutId, SlotId)>,
    /// Rows let go of, which leave nothing behind once no reader sees them.
    dropped: VecDeque<(CutId, SlotId)>,
    deleted_max: usize,
    /// Of some key it is not known any more that it was deleted.
    has_forgotten: bool,
    recording: Recording,
    /// Versions that are let go of together.
    gone: Vec<Version>,
    scratch: Vec<u8>,
}

impl TableWriter {
    #[must_use]
    pub fn new(identity: TableIdentity, schemas: Arc<SchemaHistory>) -> Self {
        Self {
            table: Arc::new(Table::new(identity, schemas)),
            free: Vec::new(),
            slots: 0,
            rows: 0,
            row_bytes: 0,
            deleted_bytes: 0,
            version_bytes: 0,
            set_aside_bytes: 0,
            is_crowded: false,
            keeps_versions: false,
            set_aside: VecDeque::new(),
            deleted: VecDeque::new(),
            dropped: VecDeque::new(),
            deleted_max: DELETED_KEYS_MAX,
            has_forgotten: false,
            recording: Recording::default(),
            gone: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Remembers fewer positions of deleted keys than [`DELETED_KEYS_MAX`].
    #[must_use]
    pub fn with_deleted_keys_max(mut self, max: usize) -> Self {
        self.deleted_max = max;
        self
    }

    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Keeps versions for those who ask for a cut again, from this one on.
    pub fn keep_versions(&mut self, from: CutId) {
        self.keeps_versions = true;
        self.table.keep_from(from);
    }

    #[must_use]
    pub fn keeps_versions(&self) -> bool {
        self.keeps_versions
    }

    /// What is written, for those who follow the table.
    pub fn recording(&mut self) -> &mut Recording {
        &mut self.recording
    }

    /// Bytes of all versions that were set aside since they are kept. It only grows.
    #[must_use]
    pub fn set_aside_bytes(&self) -> u64 {
        self.set_aside_bytes
    }

    /// Whether a row has had more than [`ROW_VERSIONS_MAX`] versions since this was asked last.
    pub fn take_crowded(&mut self) -> bool {
        std::mem::take(&mut self.is_crowded)
    }

    #[must_use]
    pub fn memory(&self) -> MemoryUse {
        let chunks = self.table.chunks.count()
            * (size_of::<RwLock<Chunk>>() + CHUNK_SLOTS * size_of::<usize>());
        let indexes = self.table.indexes();
        MemoryUse {
            rows: self.row_bytes - self.deleted_bytes,
            deleted: self.deleted_bytes,
            versions: self.version_bytes,
            slots: chunks + self.table.index.memory_bytes(),
            indexes: indexes.iter().map(|index| index.memory_bytes()).sum(),
            beside: 0,
            waiting: 0,
        }
    }

    /// What a key holds now, published or not.
    #[must_use]
    pub fn newest(&self, key: &[u8]) -> Option<Version> {
        self.table
            .find_newest(self.table.index.hash(key), key)
            .map(|(_, version)| version)
    }

    /// Decides about a change to `key` by what it holds, and writes the row (or, for `None`, the deletion).
    ///
    /// `decide` sees what the key holds and answers the stamp to write, or `None` to leave it alone.
    /// Answers whether something was written.
    pub fn write(
        &mut self,
        cut: CutId,
        key: &[u8],
        schema: SchemaId,
        row: Option<&[u8]>,
        decide: impl FnOnce(Option<&Version>) -> Option<Stamp>,
    ) -> bool {
        let hash = self.table.index.hash(key);
        let held = self.table.find_newest(hash, key);
        let Some(stamp) = decide(held.as_ref().map(|(_, version)| version)) else {
            return false;
        };
        let parts = VersionParts {
            cut,
            schema,
            stamp: &stamp,
            key,
            row: row.unwrap_or_default(),
        };
        let version = Version::new(parts, &mut self.scratch);
        let Some((slot, _)) = held else {
            let slot = self.take_slot();
            // The row is in its slot before the index leads anyone to it.
            self.put(slot, version);
            self.table.index.insert(hash, slot);
            self.after_write(cut, slot, row.is_some());
            return true;
        };
        self.put(slot, version);
        self.after_write(cut, slot, row.is_some());
        true
    }

    /// Deletes every row for which `decide` answers a stamp. For truncates and sweeps. Answers how many.
    pub fn delete_where(
        &mut self,
        cut: CutId,
        mut decide: impl FnMut(&Version) -> Option<Stamp>,
    ) -> u64 {
        let mut deleted = 0;
        for chunk in 0..self.table.chunks.count() {
            let mut doomed = Vec::new();
            if let Some(chunk) = self.table.chunks.get(chunk) {
                chunk.read().visit(CutId(u64::MAX), |version| {
                    if let Some(stamp) = decide(version) {
                        doomed.push((version.clone(), stamp));
                    }
                });
            }
            for (version, stamp) in doomed {
                self.write(cut, version.key(), version.schema(), None, |_| Some(stamp));
                deleted += 1;
            }
        }
        if deleted > 0 {
            self.recording.is_emptied();
        }
        deleted
    }

    /// Lets go of a row. Unlike a deletion it leaves no position behind: its key is forgotten as soon
    /// as no reader sees the row any more. Answers whether there was one.
    pub fn drop_row(&mut self, cut: CutId, key: &[u8]) -> bool {
        let hash = self.table.index.hash(key);
        let held = self.table.find_newest(hash, key);
        let Some((slot, version)) = held.filter(|(_, version)| !version.is_deleted()) else {
            return false;
        };
        let parts = VersionParts {
            cut,
            schema: version.schema(),
            stamp: &Stamp::default(),
            key,
            row: &[],
        };
        let gone = Version::new(parts, &mut self.scratch);
        self.put(slot, gone);
        self.dropped.push_back((cut, slot));
        true
    }

    /// Lets go of what no reader at or after `oldest_needed` can see.
    pub fn collect_garbage(&mut self, oldest_needed: CutId) {
        if self
            .set_aside
            .front()
            .is_some_and(|(replaced_at, _)| *replaced_at <= oldest_needed)
        {
            self.table.forbid_before(oldest_needed);
        }
        while let Some((_, slot)) = self
            .set_aside
            .pop_front_if(|(replaced_at, _)| *replaced_at <= oldest_needed)
        {
            self.let_go(slot, oldest_needed);
        }
        while let Some((_, slot)) = self.dropped.pop_front_if(|(cut, _)| *cut <= oldest_needed) {
            self.forget(slot);
        }
        while self.deleted.len() > self.deleted_max {
            let Some((_, slot)) = self.deleted.pop_front_if(|(cut, _)| *cut <= oldest_needed)
            else {
                break;
            };
            self.has_forgotten = true;
            self.forget(slot);
        }
    }

    /// Whether a key that is not held may have been deleted since this was made, and forgotten.
    #[must_use]
    pub fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    /// Slots there are, held or free: one more than the highest number given out.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Slots changed since the last collection, in order.
    #[must_use]
    pub fn dirty_slots(&self) -> Vec<SlotId> {
        let mut dirty = Vec::new();
        for (chunk_id, chunk) in &self.table.chunks {
            dirty.extend(
                chunk
                    .read()
                    .dirty_slots()
                    .map(|slot| slot_id(chunk_id, slot)),
            );
        }
        dirty
    }

    /// Takes what changed since the last time, and the whole of the chunks in `rewrite`. Call it
    /// between cuts: it takes the newest versions.
    #[must_use]
    pub fn collect_dirty(&mut self, rewrite: &[ChunkId]) -> DirtyRows {
        let mut dirty = DirtyRows::default();
        for chunk_id in rewrite {
            let Some(chunk) = self.table.chunks.get(chunk_id.0 as usize) else {
                continue;
            };
            let rows = chunk.write().take_all();
            let rows = rows
                .into_iter()
                .map(|(slot, row)| (slot_id(chunk_id.0 as usize, slot.into()), row));
            dirty.rewritten.push((*chunk_id, rows.collect()));
        }
        for (chunk_id, chunk) in &self.table.chunks {
            if chunk.read().is_clean() {
                continue;
            }
            let rows = chunk.write().take_dirty();
            dirty.changed.extend(
                rows.into_iter()
                    .map(|(slot, row)| (slot_id(chunk_id, slot.into()), row)),
            );
        }
        dirty
    }

    /// Calls these slots changed, because a checkpoint that took them failed. Slots that the table does
    /// not have are passed over: it may be another one since.
    pub fn mark_dirty(&mut self, slots: impl IntoIterator<Item = SlotId>) {
        for slot in slots.into_iter().filter(|slot| slot.0 < self.slots) {
            if let Some((chunk, place)) = self.table.chunk(slot) {
                chunk.write().mark_dirty(place.slot);
            }
        }
    }

    /// Calls every slot changed: the next checkpoint is to hold them all.
    pub fn mark_all_dirty(&mut self) {
        self.mark_dirty((0..self.slots).map(SlotId));
    }

    fn put(&mut self, slot: SlotId, version: Version) {
        let (bytes, cut, is_row) = (version.memory_bytes(), version.cut(), !version.is_deleted());
        let Some((chunk, place)) = self.table.chunk(slot) else {
            unreachable!("slot {slot:?} was never made");
        };
        let mut chunk = chunk.write();
        for index in &*self.table.indexes() {
            let (replaced, older) = (chunk.newest(place.slot), chunk.older(place.slot));
            index.put(slot, replaced, older, &version);
        }
        self.recording.write(chunk.newest(place.slot), &version);
        let replaced = chunk.replace(place.slot, version);
        self.row_bytes += bytes;
        self.rows += u64::from(is_row);
        if !is_row {
            self.deleted_bytes += bytes;
        }
        if replaced.existed && !replaced.was_row {
            self.deleted_bytes -= replaced.bytes;
        }
        if replaced.existed {
            self.row_bytes -= replaced.bytes;
            self.rows -= u64::from(replaced.was_row);
        }
        if replaced.kept {
            self.version_bytes += replaced.bytes;
            if self.keeps_versions {
                self.set_aside_bytes += replaced.bytes as u64;
                self.is_crowded |= replaced.older > ROW_VERSIONS_MAX;
            }
            self.set_aside.push_back((cut, slot));
        }
    }

    /// Lets go of the versions of a slot that were replaced at this cut or before.
    fn let_go(&mut self, slot: SlotId, cut: CutId) {
        let Some((chunk, place)) = self.table.chunk(slot) else {
            return;
        };
        let mut chunk = chunk.write();
        chunk.take_replaced(place.slot, cut, &mut self.gone);
        for index in &*self.table.indexes() {
            index.let_go(slot, &self.gone, &chunk.versions(place.slot));
        }
        let gone = self.gone.drain(..);
        self.version_bytes -= gone.map(|version| version.memory_bytes()).sum::<usize>();
    }

    fn after_write(&mut self, cut: CutId, slot: SlotId, is_row: bool) {
        if !is_row {
            self.deleted.push_back((cut, slot));
        }
    }

    fn take_slot(&mut self) -> SlotId {
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        let slot = SlotId(self.slots);
        if Place::from(slot).chunk >= self.table.chunks.count() {
            self.table.chunks.push(RwLock::new(Chunk::new()));
        }
        assert!(self.slots < u32::MAX, "a table of 2^32 rows fits no memory");
        self.slots += 1;
        slot
    }

    /// Frees the slot of a key that is still deleted.
    fn forget(&mut self, slot: SlotId) {
        let Some((chunk, place)) = self.table.chunk(slot) else {
            return;
        };
        let Some(version) = chunk.write().forget(place.slot) else {
            return;
        };
        self.row_bytes -= version.memory_bytes();
        self.deleted_bytes -= version.memory_bytes();
        self.table
            .index
            .remove(self.table.index.hash(version.key()), slot);
        self.free.push(slot);
    }
}
