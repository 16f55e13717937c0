//! Puts back what a checkpoint remembers, from several threads at once, before the table is shared.

use std::sync::Arc;

use parking_lot::RwLock;
use row_model::{CutId, SlotId, Version};

use super::TableWriter;
use crate::chunk::{CHUNK_SLOTS, Chunk, Place, slot_id};
use crate::table::Table;

/// Puts rows back on one thread, and keeps account of them until the writer takes it over.
///
/// Threads that put rows into the same chunk wait for each other, so each had best have chunks of its own.
#[derive(Debug)]
pub struct Restorer {
    table: Arc<Table>,
    /// One more than the highest slot that was given something.
    slots: u32,
    rows: u64,
    row_bytes: usize,
    deleted_bytes: usize,
    deleted: Vec<SlotId>,
}

impl Restorer {
    /// Puts back the newest version of a slot, which nobody else may. False if the table was not made that
    /// large.
    #[must_use]
    pub fn put(&mut self, slot: SlotId, version: Version) -> bool {
        let Some((chunk, place)) = self.table.chunk(slot) else {
            return false;
        };
        self.slots = self.slots.max(slot.0 + 1);
        self.row_bytes += version.memory_bytes();
        if version.is_deleted() {
            self.deleted_bytes += version.memory_bytes();
            self.deleted.push(slot);
        } else {
            self.rows += 1;
        }
        let hash = self.table.index.hash(version.key());
        chunk.write().restore(place.slot, version);
        self.table.index.insert(hash, slot);
        true
    }
}

impl TableWriter {
    /// Makes an empty table so many chunks large, for about so many rows, and answers who puts them back:
    /// one for each thread.
    ///
    /// # Panics
    /// If the table has indexes already, which would not hear of the rows.
    pub fn restorers(&mut self, threads: usize, chunks: u32, rows: u64) -> Vec<Restorer> {
        assert!(
            self.table.indexes().is_empty(),
            "indexes come after the rows of a checkpoint"
        );
        while self.table.chunks.count() < chunks as usize {
            self.table.chunks.push(RwLock::new(Chunk::new()));
        }
        self.table.index.reserve(rows as usize);
        let restorer = || Restorer {
            table: Arc::clone(&self.table),
            slots: 0,
            rows: 0,
            row_bytes: 0,
            deleted_bytes: 0,
            deleted: Vec::new(),
        };
        (0..threads).map(|_| restorer()).collect()
    }

    /// Takes over what was put back. Slots between are free.
    pub fn restored(&mut self, restorers: Vec<Restorer>) {
        let mut deleted = Vec::new();
        for restorer in restorers {
            self.slots = self.slots.max(restorer.slots);
            self.rows += restorer.rows;
            self.row_bytes += restorer.row_bytes;
            self.deleted_bytes += restorer.deleted_bytes;
            deleted.extend(restorer.deleted);
        }
        deleted.sort_unstable();
        self.deleted
            .extend(deleted.into_iter().map(|slot| (CutId(0), slot)));
        let last = Place::from(SlotId(self.slots));
        for (chunk_id, chunk) in &self.table.chunks {
            let slots = match chunk_id.cmp(&last.chunk) {
                std::cmp::Ordering::Less => CHUNK_SLOTS,
                std::cmp::Ordering::Equal => usize::from(last.slot),
                std::cmp::Ordering::Greater => break,
            };
            let chunk = chunk.read();
            let free = (0..slots).filter(|slot| chunk.newest(*slot as u16).is_none());
            self.free.extend(free.map(|slot| slot_id(chunk_id, slot)));
        }
        self.free.reverse();
    }
}
