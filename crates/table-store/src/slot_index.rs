//! From a key's hash to its slot: a `DashMap` that holds eight bytes a key and no key.
//!
//! The keys live in the versions, so the map is driven through dashmap's raw shards with the hash we
//! computed. The stored half of the hash lets a shard grow without touching a single key, and
//! tells nearly all strangers apart before their key is looked at.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::{DashMap, SharedValue};
use row_model::SlotId;

/// Many and small, so that growing one never holds readers longer than a chunk's visit would.
const SHARDS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    hash: u32,
    slot: SlotId,
}

#[derive(Debug)]
pub(crate) struct SlotIndex {
    map: DashMap<Entry, (), foldhash::fast::RandomState>,
    /// Of all shards: what they take is asked for at every cut.
    buckets: AtomicUsize,
}

/// The hash of a key, as this index uses it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHash(u64);

impl KeyHash {
    fn shard(self) -> usize {
        self.0 as usize % SHARDS
    }

    fn stored(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Spreads the stored half over both ends of the word: the table takes its bucket from the low
/// bits and its tag from the high ones.
fn spread(stored: u32) -> u64 {
    u64::from(stored) << 32 | u64::from(stored)
}

fn buckets(map: &DashMap<Entry, (), foldhash::fast::RandomState>) -> usize {
    map.shards()
        .iter()
        .map(|shard| shard.read().buckets())
        .sum()
}

impl SlotIndex {
    pub fn new() -> Self {
        let map =
            DashMap::with_hasher_and_shard_amount(foldhash::fast::RandomState::default(), SHARDS);
        let buckets = AtomicUsize::new(buckets(&map));
        Self { map, buckets }
    }

    pub fn hash(&self, key: &[u8]) -> KeyHash {
        KeyHash(self.map.hasher().hash_one(key))
    }

    /// The slot for which `is_key` holds, among those of this hash. The shard is locked meanwhile.
    pub fn find(&self, hash: KeyHash, mut is_key: impl FnMut(SlotId) -> bool) -> Option<SlotId> {
        let stored = hash.stored();
        let shard = self.map.shards()[hash.shard()].read();
        let found = shard.get(spread(stored), |(entry, _)| {
            entry.hash == stored && is_key(entry.slot)
        });
        found.map(|(entry, _)| entry.slot)
    }

    /// What tells the first slot of a hash, nearly always that of the key; `None` while somebody changes the shard,
    /// which is locked as long as this is held.
    pub fn try_hold(&self, hash: KeyHash) -> Option<impl Fn() -> Option<SlotId>> {
        let shard = self.map.shards()[hash.shard()].try_read()?;
        let stored = hash.stored();
        Some(move || {
            let first = shard.get(spread(stored), |(entry, _)| entry.hash == stored);
            first.map(|(entry, _)| entry.slot)
        })
    }

    pub fn insert(&self, hash: KeyHash, slot: SlotId) {
        let entry = Entry {
            hash: hash.stored(),
            slot,
        };
        let mut shard = self.map.shards()[hash.shard()].write();
        let before = shard.buckets();
        shard.insert(
            spread(entry.hash),
            (entry, SharedValue::new(())),
            |(entry, _)| spread(entry.hash),
        );
        self.grown(before, shard.buckets());
    }

    /// Makes room for so many keys more, so that entering them moves none.
    pub fn reserve(&self, keys: usize) {
        for shard in self.map.shards() {
            let mut shard = shard.write();
            let before = shard.buckets();
            shard.reserve(keys.div_ceil(SHARDS), |(entry, _)| spread(entry.hash));
            self.grown(before, shard.buckets());
        }
    }

    fn grown(&self, before: usize, after: usize) {
        if after > before {
            self.buckets.fetch_add(after - before, Ordering::Relaxed);
        }
    }

    pub fn remove(&self, hash: KeyHash, slot: SlotId) {
        let mut shard = self.map.shards()[hash.shard()].write();
        shard.remove_entry(spread(hash.stored()), |(entry, _)| entry.slot == slot);
    }

    /// All shards, as if somebody changed them, as long as this is held.
    #[cfg(test)]
    pub fn hold_all(&self) -> Vec<impl Sized> {
        let shards = self.map.shards().iter();
        shards.map(|shard| shard.write()).collect()
    }

    /// Bytes of all shards' tables: an entry and a control byte a bucket.
    pub fn memory_bytes(&self) -> usize {
        self.buckets.load(Ordering::Relaxed) * (size_of::<Entry>() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_size_is_known_without_looking() {
        let index = SlotIndex::new();
        let agrees = || index.buckets.load(Ordering::Relaxed) == buckets(&index.map);
        assert!(agrees());
        for slot in 0..5_000 {
            index.insert(index.hash(&[slot as u8, (slot >> 8) as u8]), SlotId(slot));
        }
        assert!(agrees() && index.memory_bytes() > 5_000 * size_of::<Entry>());
        index.reserve(20_000);
        assert!(agrees());
        for slot in 0..5_000 {
            index.remove(index.hash(&[slot as u8, (slot >> 8) as u8]), SlotId(slot));
        }
        assert!(agrees());
    }
}
