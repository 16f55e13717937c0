//! Slots by the hash of a key: eight bytes an entry while a key has few rows, a bitmap when it has many.
//!
//! Holds no keys. What is found may be of another key with the same hash: readers look at the row.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::ops::Bound;

use hashbrown::HashTable;
use parking_lot::RwLock;
use roaring::RoaringBitmap;
use row_model::SlotId;

/// Many and small, so that growing one never holds readers long.
const SHARDS: usize = 64;

/// Slots of one hash that lie in the table one by one. With more of them, each insertion and removal
/// would look through all.
const FEW_MAX: usize = 32;

/// A crowd of fewer goes back into the table. Well below [`FEW_MAX`], so that none goes to and fro.
const CROWD_MIN: u32 = 16;

#[derive(Debug)]
pub(super) struct HashEntries {
    hasher: foldhash::fast::RandomState,
    /// Each held while one entry is changed, or a batch of slots is copied.
    shards: Box<[RwLock<Shard>]>,
}

#[derive(Debug, Default)]
struct Shard {
    few: HashTable<Entry>,
    crowds: HashMap<u32, Crowd, foldhash::fast::FixedState>,
    len: usize,
    /// What crowds took when each was last measured.
    crowd_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    hash: u32,
    slot: SlotId,
}

/// The slots of a hash that has many.
#[derive(Debug, Default)]
struct Crowd {
    slots: RoaringBitmap,
    len: u32,
    bytes: usize,
    /// To measure takes a look at every container: done when an eighth has changed.
    unmeasured: u32,
}

impl Default for HashEntries {
    fn default() -> Self {
        Self {
            hasher: foldhash::fast::RandomState::default(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
    }
}

impl HashEntries {
    pub fn len(&self) -> u64 {
        let shards = self.shards.iter();
        shards.map(|shard| shard.read().len as u64).sum()
    }

    /// Exact but for crowds, which are as they were when last measured.
    pub fn memory_bytes(&self) -> usize {
        let shards = self.shards.iter();
        size_of::<RwLock<Shard>>() * SHARDS
            + shards
                .map(|shard| shard.read().memory_bytes())
                .sum::<usize>()
    }

    pub fn insert(&self, key: &[u8], slot: SlotId) {
        let (shard, hash) = self.shard(key);
        shard.write().insert(Entry { hash, slot });
    }

    pub fn remove(&self, key: &[u8], slot: SlotId) {
        let (shard, hash) = self.shard(key);
        shard.write().remove(Entry { hash, slot });
    }

    /// Whether two keys of a slot share one entry.
    pub fn are_one(&self, one: &[u8], other: &[u8]) -> bool {
        one == other || self.place(one) == self.place(other)
    }

    pub fn count(&self, key: &[u8]) -> u64 {
        let (shard, hash) = self.shard(key);
        let shard = shard.read();
        let crowd = shard.crowds.get(&hash);
        crowd.map_or_else(|| shard.few(hash).count() as u64, |crowd| crowd.len.into())
    }

    /// Copies slots that may have a key, the lowest after `after`, at most `max` if they are many.
    pub fn copy(&self, key: &[u8], after: Option<SlotId>, max: usize, slots: &mut Vec<SlotId>) {
        slots.clear();
        let (shard, hash) = self.shard(key);
        let shard = shard.read();
        if let Some(crowd) = shard.crowds.get(&hash) {
            let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.0));
            let range = crowd.slots.range((from, Bound::Unbounded));
            slots.extend(range.take(max).map(SlotId));
            return;
        }
        slots.extend(
            shard
                .few(hash)
                .filter(|slot| after.is_none_or(|after| *slot > after)),
        );
        slots.sort_unstable();
    }

    fn shard(&self, key: &[u8]) -> (&RwLock<Shard>, u32) {
        let (shard, hash) = self.place(key);
        (&self.shards[shard], hash)
    }

    fn place(&self, key: &[u8]) -> (usize, u32) {
        let hash = self.hasher.hash_one(key);
        (hash as usize % SHARDS, (hash >> 32) as u32)
    }
}

impl Shard {
    fn few(&self, hash: u32) -> impl Iterator<Item = SlotId> {
        let alike = self.few.iter_hash(spread(hash));
        alike
            .filter(move |entry| entry.hash == hash)
            .map(|entry| entry.slot)
    }

    fn insert(&mut self, entry: Entry) {
        if let Some(crowd) = self.crowds.get_mut(&entry.hash) {
            if crowd.slots.insert(entry.slot.0) {
                self.len += 1;
                let before = crowd.bytes;
                crowd.len += 1;
                crowd.changed();
                self.crowd_bytes = self.crowd_bytes - before + crowd.bytes;
            }
            return;
        }
        let mut count = 0;
        for slot in self.few(entry.hash) {
            if slot == entry.slot {
                return;
            }
            count += 1;
        }
        self.len += 1;
        if count < FEW_MAX {
            self.add_to_few(entry);
            return;
        }
        let all = self.few(entry.hash).chain([entry.slot]);
        let mut crowd = Crowd {
            slots: all.map(|slot| slot.0).collect(),
            len: count as u32 + 1,
            ..Crowd::default()
        };
        crowd.measure();
        self.crowd_bytes += crowd.bytes;
        self.crowds.insert(entry.hash, crowd);
        let is_of_it = |known: &Entry| known.hash == entry.hash;
        while let Ok(known) = self.few.find_entry(spread(entry.hash), is_of_it) {
            known.remove();
        }
    }

    fn remove(&mut self, entry: Entry) {
        let Some(crowd) = self.crowds.get_mut(&entry.hash) else {
            let is_it = |known: &Entry| *known == entry;
            if let Ok(known) = self.few.find_entry(spread(entry.hash), is_it) {
                known.remove();
                self.len -= 1;
            }
            return;
        };
        if !crowd.slots.remove(entry.slot.0) {
            return;
        }
        self.len -= 1;
        let before = crowd.bytes;
        crowd.len -= 1;
        crowd.changed();
        self.crowd_bytes = self.crowd_bytes - before + crowd.bytes;
        if crowd.len >= CROWD_MIN {
            return;
        }
        if let Some(crowd) = self.crowds.remove(&entry.hash) {
            self.crowd_bytes -= crowd.bytes;
            for slot in crowd.slots {
                let entry = Entry {
                    slot: SlotId(slot),
                    ..entry
                };
                self.add_to_few(entry);
            }
        }
    }

    fn add_to_few(&mut self, entry: Entry) {
        let hash = spread(entry.hash);
        self.few
            .insert_unique(hash, entry, |entry| spread(entry.hash));
    }

    fn memory_bytes(&self) -> usize {
        // Of a map's places an eighth stays free, and each takes a byte more.
        let place = size_of::<(u32, Crowd)>() + 1;
        self.few.allocation_size() + self.crowds.capacity() * place * 8 / 7 + self.crowd_bytes
    }
}

impl Crowd {
    /// One slot came or went.
    fn changed(&mut self) {
        self.unmeasured += 1;
        if self.unmeasured > self.len / 8 + 64 {
            self.measure();
        }
    }

    fn measure(&mut self) {
        /// What a container takes beside its slots.
        const CONTAINER: usize = 40;
        /// A bit for each of the slots a container may hold.
        const BITSET: usize = 65_536 / 8;
        let held = self.slots.statistics();
        self.bytes = held.n_containers as usize * CONTAINER
            + held.n_values_array_containers as usize * size_of::<u16>()
            + held.n_bitset_containers as usize * BITSET;
        self.unmeasured = 0;
    }
}

/// Spreads the stored half over both ends of the word: the table takes its bucket from the low
/// bits and its tag from the high ones.
fn spread(stored: u32) -> u64 {
    u64::from(stored) << 32 | u64::from(stored)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// What is copied in batches.
    fn copied(entries: &HashEntries, key: &[u8], max: usize) -> Vec<u32> {
        let (mut all, mut slots, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            entries.copy(key, after, max, &mut slots);
            all.extend(slots.iter().map(|slot| slot.0));
            after = slots.last().copied();
            if after.is_none() {
                return all;
            }
        }
    }

    proptest! {
        /// Few keys with many slots: they become crowds and few again.
        #[test]
        fn every_slot_of_a_key_is_found_once(
            steps in prop::collection::vec((0..3_u8, 0..90_u32, prop::bool::weighted(0.6)), 0..600),
            max in 1..40_usize,
        ) {
            let entries = HashEntries::default();
            let mut model: BTreeMap<u8, BTreeSet<u32>> = BTreeMap::new();
            for (key, slot, inserted) in steps {
                let slots = model.entry(key).or_default();
                if inserted {
                    entries.insert(&[key], SlotId(slot));
                    slots.insert(slot);
                } else {
                    entries.remove(&[key], SlotId(slot));
                    slots.remove(&slot);
                }
            }
            for (key, slots) in &model {
                let expected: Vec<u32> = slots.iter().copied().collect();
                prop_assert_eq!(copied(&entries, &[*key], max), expected);
                prop_assert_eq!(entries.count(&[*key]), slots.len() as u64);
            }
            prop_assert_eq!(entries.len(), model.values().map(BTreeSet::len).sum::<usize>() as u64);
        }
    }

    #[test]
    fn memory_follows_crowds() {
        let entries = HashEntries::default();
        let empty = entries.memory_bytes();
        for slot in 0..200_000 {
            entries.insert(b"one", SlotId(slot));
        }
        let full = entries.memory_bytes() - empty;
        // Three containers of 65,536 bits and one of few slots, which may not have been measured since.
        assert!((20_000..40_000).contains(&full), "{full}");
        for slot in 0..200_000 {
            entries.remove(b"one", SlotId(slot));
        }
        assert!(entries.memory_bytes() - empty < 2_000);
        assert_eq!(entries.len(), 0);
    }
}
