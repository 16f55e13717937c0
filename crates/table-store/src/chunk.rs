//! A run of slots under one lock: the unit in which readers and the writer wait for each other.

use std::collections::{HashMap, VecDeque};

use row_model::{CutId, SlotId, Version};
use smallvec::SmallVec;

/// Slots of one chunk. A power of two, so that a slot's chunk and place are bits of its number.
pub const CHUNK_SLOTS: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 10;
/// Rows lie anywhere in memory. What is read of so many, one right after the other, comes at the same time.
pub(crate) const LOT_ROWS: usize = 16;
const DIRTY_WORDS: usize = CHUNK_SLOTS / 64;

/// What is looked at one right after the other.
pub(crate) type Lot<T> = SmallVec<[T; LOT_ROWS]>;

/// Which chunk of its table; also the unit in which checkpoints rewrite a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId(pub u32);

/// Where a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub chunk: usize,
    pub slot: u16,
}

impl From<SlotId> for Place {
    fn from(id: SlotId) -> Self {
        Self {
            chunk: (id.0 >> CHUNK_BITS) as usize,
            slot: (id.0 as usize % CHUNK_SLOTS) as u16,
        }
    }
}

pub(crate) fn slot_id(chunk: usize, slot: usize) -> SlotId {
    SlotId((chunk as u32) << CHUNK_BITS | slot as u32)
}

/// Newest versions in place, older ones aside: a slot without history costs one pointer.
#[derive(Debug)]
pub(crate) struct Chunk {
    newest: Box<[Option<Version>]>,
    /// Replaced versions that some reader may still need, oldest first.
    older: HashMap<u16, VecDeque<Version>, foldhash::fast::FixedState>,
    /// Slots changed since the last checkpoint was collected.
    dirty: [u64; DIRTY_WORDS],
}

impl Chunk {
    pub fn new() -> Self {
        Self {
            newest: vec![None; CHUNK_SLOTS].into(),
            older: HashMap::default(),
            dirty: [0; DIRTY_WORDS],
        }
    }

    pub fn newest(&self, slot: u16) -> Option<&Version> {
        self.newest[usize::from(slot)].as_ref()
    }

    /// The newest version of a slot that is not after `cut`.
    pub fn visible(&self, slot: u16, cut: CutId) -> Option<&Version> {
        let newest = self.newest(slot)?;
        if newest.cut() <= cut {
            return Some(newest);
        }
        let older = self.older.get(&slot)?;
        let after = older.partition_point(|version| version.cut() <= cut);
        older.get(after.checked_sub(1)?)
    }

    /// Calls `each` for every slot's version that is visible at `cut` and holds a row.
    pub fn visit(&self, cut: CutId, mut each: impl FnMut(&Version)) {
        self.visit_lots(cut, |lot| {
            for version in lot {
                each(version);
            }
        });
    }

    /// The same for some rows at a time.
    pub fn visit_lots(&self, cut: CutId, mut each: impl FnMut(&[&Version])) {
        let mut lot = Vec::with_capacity(LOT_ROWS);
        for (slot, newest) in self.newest.iter().enumerate() {
            let Some(newest) = newest else {
                continue;
            };
            // Most are seen by everybody.
            let version = if newest.cut() <= cut {
                Some(newest)
            } else {
                self.visible(slot as u16, cut)
            };
            lot.extend(version.filter(|version| !version.is_deleted()));
            if lot.len() == LOT_ROWS {
                each(&lot);
                lot.clear();
            }
        }
        if !lot.is_empty() {
            each(&lot);
        }
    }

    /// Puts a version in place and sets the replaced one aside, if a reader may need it.
    /// Answers whether it was set aside, and the replaced version's size.
    pub fn replace(&mut self, slot: u16, version: Version) -> Replaced {
        self.mark_dirty(slot);
        let cut = version.cut();
        let Some(old) = self.newest[usize::from(slot)].replace(version) else {
            return Replaced::default();
        };
        let freed = old.memory_bytes();
        let was_row = !old.is_deleted();
        // Written twice within one unpublished cut: nobody can have seen the first.
        let kept = old.cut() < cut;
        let mut older = 0;
        if kept {
            let versions = self.older.entry(slot).or_default();
            versions.push_back(old);
            older = versions.len();
        }
        Replaced {
            existed: true,
            was_row,
            kept,
            older,
            bytes: freed,
        }
    }

    /// Versions set aside for a slot, oldest first.
    pub fn older(&self, slot: u16) -> impl DoubleEndedIterator<Item = &Version> + Clone {
        self.older.get(&slot).into_iter().flatten()
    }

    /// All versions of a slot, the newest first.
    pub fn versions(&self, slot: u16) -> impl Iterator<Item = &Version> + Clone {
        self.newest(slot).into_iter().chain(self.older(slot).rev())
    }

    /// Takes out the versions of a slot that were replaced at this cut or before.
    pub fn take_replaced(&mut self, slot: u16, cut: CutId, taken: &mut Vec<Version>) {
        let newest = self.newest[usize::from(slot)].as_ref();
        let Some(versions) = self.older.get_mut(&slot) else {
            return;
        };
        let replaced_at = |at: usize, versions: &VecDeque<Version>| {
            let next = versions.get(at + 1).or(newest);
            next.map_or(CutId(u64::MAX), Version::cut)
        };
        while !versions.is_empty() && replaced_at(0, versions) <= cut {
            taken.extend(versions.pop_front());
        }
        if versions.is_empty() {
            self.older.remove(&slot);
        }
    }

    /// Empties a slot that holds a deleted key nobody needs to remember; its version.
    pub fn forget(&mut self, slot: u16) -> Option<Version> {
        if self.older.contains_key(&slot) || !self.newest(slot)?.is_deleted() {
            return None;
        }
        self.mark_dirty(slot);
        self.newest[usize::from(slot)].take()
    }

    /// Puts back what a checkpoint remembers.
    pub fn restore(&mut self, slot: u16, version: Version) {
        self.newest[usize::from(slot)] = Some(version);
    }

    pub fn is_clean(&self) -> bool {
        self.dirty.iter().all(|word| *word == 0)
    }

    pub fn dirty_slots(&self) -> impl Iterator<Item = usize> {
        (0..CHUNK_SLOTS).filter(|slot| self.dirty[slot / 64] >> (slot % 64) & 1 == 1)
    }

    /// Takes the changed slots with what they hold now, and calls them clean.
    pub fn take_dirty(&mut self) -> Vec<(u16, Option<Version>)> {
        let mut changed = Vec::new();
        for word in 0..DIRTY_WORDS {
            let mut bits = std::mem::take(&mut self.dirty[word]);
            while bits != 0 {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                changed.push((slot as u16, self.newest[slot].clone()));
                bits &= bits - 1;
            }
        }
        changed
    }

    /// Takes all held slots, and calls all clean.
    pub fn take_all(&mut self) -> Vec<(u16, Version)> {
        self.dirty = [0; DIRTY_WORDS];
        let held = self.newest.iter().enumerate();
        held.filter_map(|(slot, version)| Some((slot as u16, version.clone()?)))
            .collect()
    }

    pub fn mark_dirty(&mut self, slot: u16) {
        self.dirty[usize::from(slot) / 64] |= 1 << (slot % 64);
    }
}

/// What [`Chunk::replace`] found in the slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Replaced {
    pub existed: bool,
    pub was_row: bool,
    pub kept: bool,
    /// How many are set aside in the slot, if it was.
    pub older: usize,
    pub bytes: usize,
}
