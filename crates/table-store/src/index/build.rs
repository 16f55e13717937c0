//! Fills an index with what the table holds, while the table is read and written.

use std::sync::atomic::Ordering;

use super::keys::KeyWriter;
use super::{BUILDING, Index, READY, REMOVED};
use crate::chunk::{CHUNK_SLOTS, slot_id};
use crate::table::Table;

/// Slots whose versions are entered while the writer waits for their chunk.
const RUN_SLOTS: usize = 128;

impl Table {
    /// Enters all rows into an index of this table, on the caller's thread, and calls it ready.
    ///
    /// The writer waits for the time of 128 rows at most. Stops early if the index is removed; answers
    /// whether it is ready.
    pub fn build_index(&self, index: &Index) -> bool {
        let mut keys = KeyWriter::new(&index.definition, &index.history);
        let mut key = Vec::new();
        let mut chunk_id = 0;
        while let Some(chunk) = self.chunks.get(chunk_id) {
            let all = self.chunks.count() as u32;
            index.to_build.store(all, Ordering::Relaxed);
            index.built.store(chunk_id as u32, Ordering::Relaxed);
            for run in (0..CHUNK_SLOTS).step_by(RUN_SLOTS) {
                if index.state.load(Ordering::Acquire) == REMOVED {
                    return false;
                }
                let chunk = chunk.read();
                for slot in run..run + RUN_SLOTS {
                    for version in chunk.versions(slot as u16) {
                        if keys.write(version, &mut key) {
                            index.insert(slot_id(chunk_id, slot), &mut key, version.key());
                        }
                    }
                }
            }
            chunk_id += 1;
        }
        // Unless it was removed meanwhile.
        let from = (Ordering::AcqRel, Ordering::Acquire);
        let state = &index.state;
        let _ = state.compare_exchange(BUILDING, READY, from.0, from.1);
        index.is_ready()
    }
}
