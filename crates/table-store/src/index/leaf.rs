//! A run of entries of an ordered index, in order, in three allocations.
//!
//! What all entries begin with is held once. Room grows by an eighth at a time: entries are many and
//! small, and half-empty buffers would be most of an index.

use std::cmp::Ordering;
use std::ops::Range;

use row_model::SlotId;
use smallvec::SmallVec;

/// Entries of one leaf: what a reader copies under the lock at most, and the writer moves.
pub(super) const LEAF_ENTRIES_MAX: usize = 256;

/// Bytes of a leaf of several entries. The longest entry there can be is a leaf of its own, and its
/// length still fits the 16 bits of an end: 8 columns of 512 bytes, doubled, and a key of 32 KiB.
const LEAF_BYTES_MAX: usize = 16 * 1024;

/// What parts two leaves: seldom longer than what fits its place in the tree.
pub(super) type Separator = SmallVec<[u8; 24]>;

#[derive(Debug, Default)]
pub(super) struct Leaf {
    /// What all entries begin with, then the rest of each.
    bytes: Vec<u8>,
    prefix_len: usize,
    /// Where the rest of each entry ends, counted from the end of the prefix.
    ends: Vec<u16>,
    slots: Vec<SlotId>,
}

/// What became of an entry that was to be inserted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    New,
    /// It was there; its slot is the new one.
    Known,
    /// There is no room: split the leaf, this being where the entry would have gone.
    Full(usize),
}

impl Leaf {
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.bytes.capacity()
            + self.ends.capacity() * size_of::<u16>()
            + self.slots.capacity() * size_of::<SlotId>()
    }

    pub fn slot(&self, at: usize) -> SlotId {
        self.slots[at]
    }

    /// An entry in its two parts.
    pub fn entry(&self, at: usize) -> (&[u8], &[u8]) {
        let (prefix, rest) = self.bytes.split_at(self.prefix_len);
        (prefix, &rest[self.range(at)])
    }

    fn range(&self, at: usize) -> Range<usize> {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        usize::from(start)..usize::from(self.ends[at])
    }

    /// Where an entry is, or would be.
    pub fn find(&self, entry: &[u8]) -> Result<usize, usize> {
        let (prefix, rests) = self.bytes.split_at(self.prefix_len);
        let beginning = &entry[..entry.len().min(prefix.len())];
        match beginning.cmp(prefix) {
            Ordering::Less => return Err(0),
            Ordering::Greater => return Err(self.len()),
            Ordering::Equal => {}
        }
        let rest = &entry[prefix.len()..];
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match rests[self.range(middle)].cmp(rest) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }

    pub fn insert(&mut self, entry: &[u8], slot: SlotId) -> Inserted {
        let at = match self.find(entry) {
            Ok(at) => {
                self.slots[at] = slot;
                return Inserted::Known;
            }
            Err(at) => at,
        };
        if self.is_empty() {
            *self = Self::of_one(entry, slot);
            return Inserted::New;
        }
        let shared = common(&self.bytes[..self.prefix_len], entry);
        let added = (self.prefix_len - shared) * self.len() + entry.len() - shared;
        if self.len() == LEAF_ENTRIES_MAX || self.bytes.len() + added > LEAF_BYTES_MAX {
            return Inserted::Full(at);
        }
        if shared < self.prefix_len {
            *self = self.with_prefix(shared);
        }
        self.insert_rest(at, &entry[shared..], slot);
        Inserted::New
    }

    fn of_one(entry: &[u8], slot: SlotId) -> Self {
        Self {
            bytes: entry.to_vec(),
            prefix_len: entry.len(),
            ends: vec![0],
            slots: vec![slot],
        }
    }

    fn insert_rest(&mut self, at: usize, rest: &[u8], slot: SlotId) {
        grow(&mut self.bytes, rest.len());
        grow(&mut self.ends, 1);
        grow(&mut self.slots, 1);
        let start = self.range_start(at);
        let place = self.prefix_len + start;
        self.bytes.splice(place..place, rest.iter().copied());
        self.ends.insert(at, start as u16);
        for end in &mut self.ends[at..] {
            *end += rest.len() as u16;
        }
        self.slots.insert(at, slot);
    }

    fn range_start(&self, at: usize) -> usize {
        at.checked_sub(1)
            .map_or(0, |before| usize::from(self.ends[before]))
    }

    pub fn remove(&mut self, entry: &[u8]) -> bool {
        let Ok(at) = self.find(entry) else {
            return false;
        };
        let range = self.range(at);
        let len = range.len() as u16;
        self.bytes
            .drain(self.prefix_len + range.start..self.prefix_len + range.end);
        self.ends.remove(at);
        for end in &mut self.ends[at..] {
            *end -= len;
        }
        self.slots.remove(at);
        if self.slots.capacity() > 2 * self.slots.len() + 16 {
            self.bytes.shrink_to_fit();
            self.ends.shrink_to_fit();
            self.slots.shrink_to_fit();
        }
        true
    }

    /// Takes off the entries from `at` on, and answers them with the bytes that part the two: above all
    /// that stay, and not above any that went, nor above `entry` if that would have gone to their end.
    pub fn split(&mut self, at: usize, entry: &[u8]) -> (Separator, Self) {
        let whole = |leaf: &Self, at| {
            let (prefix, rest) = leaf.entry(at);
            [prefix, rest].concat()
        };
        let below = if at == 0 {
            entry.to_vec()
        } else {
            whole(self, at - 1)
        };
        let above = if at == self.len() {
            entry.to_vec()
        } else {
            whole(self, at)
        };
        let upper = Self::joined(&[(self, at..self.len())]);
        *self = Self::joined(&[(self, 0..at)]);
        let separator = &above[..=common(&below, &above)];
        (Separator::from_slice(separator), upper)
    }

    /// Both in one, if that is well below what a leaf holds; this one comes first.
    pub fn merged(&self, next: &Self) -> Option<Self> {
        let is_small = self.len() + next.len() <= LEAF_ENTRIES_MAX * 3 / 4
            && self.spelled_out() + next.spelled_out() <= LEAF_BYTES_MAX;
        is_small.then(|| Self::joined(&[(self, 0..self.len()), (next, 0..next.len())]))
    }

    /// Bytes without a common prefix.
    fn spelled_out(&self) -> usize {
        self.bytes.len() + self.prefix_len * self.len()
    }

    fn with_prefix(&self, prefix_len: usize) -> Self {
        Self::build(&[(self, 0..self.len())], prefix_len)
    }

    /// Runs of entries in their order, with all that they share as the prefix.
    fn joined(parts: &[(&Self, Range<usize>)]) -> Self {
        let held = || parts.iter().filter(|(_, range)| !range.is_empty());
        let (Some((first, from)), Some((last, to))) = (held().next(), held().next_back()) else {
            return Self::default();
        };
        let (first, last) = (first.entry(from.start), last.entry(to.end - 1));
        let first = first.0.iter().chain(first.1);
        let last = last.0.iter().chain(last.1);
        let prefix_len = first.zip(last).take_while(|(one, other)| one == other);
        Self::build(parts, prefix_len.count())
    }

    fn build(parts: &[(&Self, Range<usize>)], prefix_len: usize) -> Self {
        let entries = || {
            parts
                .iter()
                .flat_map(|(leaf, range)| range.clone().map(|at| leaf.entry(at)))
        };
        let count = parts.iter().map(|(_, range)| range.len()).sum();
        let all: usize = entries().map(|(one, two)| one.len() + two.len()).sum();
        let mut leaf = Self {
            bytes: Vec::with_capacity(all - prefix_len * count + prefix_len),
            prefix_len,
            ends: Vec::with_capacity(count),
            slots: Vec::with_capacity(count),
        };
        for (at, (prefix, rest)) in entries().enumerate() {
            let skipped = if at == 0 { 0 } else { prefix_len };
            let of_prefix = &prefix[skipped.min(prefix.len())..];
            let of_rest = &rest[skipped.saturating_sub(prefix.len())..];
            leaf.bytes.extend_from_slice(of_prefix);
            leaf.bytes.extend_from_slice(of_rest);
            leaf.ends.push((leaf.bytes.len() - prefix_len) as u16);
        }
        for (part, range) in parts {
            leaf.slots.extend_from_slice(&part.slots[range.clone()]);
        }
        leaf
    }
}

/// Length of what two runs of bytes begin with alike.
fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter()
        .zip(other)
        .take_while(|(one, other)| one == other)
        .count()
}

fn grow<T>(buffer: &mut Vec<T>, by: usize) {
    if buffer.capacity() - buffer.len() < by {
        buffer.reserve_exact(by.max(buffer.len() / 8).max(8));
    }
}
