//! Entries in order: leaves under one lock, found by what parts them.
//!
//! An entry is the key of a row in this index, then the row's own key, and says its slot. The tree holds one
//! short separator a leaf, so what an entry costs is its share of a leaf.

use std::collections::BTreeMap;
use std::ops::Bound;

use parking_lot::RwLock;
use row_model::SlotId;

use super::leaf::{Inserted, LEAF_ENTRIES_MAX, Leaf, Separator};

/// Leaves that are counted one by one for an estimate, from either end.
const COUNTED_LEAVES_MAX: usize = 64;
/// Leaves that an estimate passes, taking those it does not look into for usual ones.
const PASSED_LEAVES_MAX: usize = 1_024;

/// A time or a number, and a key of one number.
const ENTRY_BYTES_USUAL: usize = 24;

/// A leaf of fewer entries is merged with the next, if both fit one.
const SMALL_LEAF: usize = LEAF_ENTRIES_MAX / 4;

#[derive(Debug)]
pub(super) struct OrderedEntries {
    /// Held while an entry is changed, or at most one leaf is copied.
    tree: RwLock<Tree>,
}

#[derive(Debug)]
struct Tree {
    /// By a lower bound of what the leaf holds. The first bound is empty, so that every entry has a leaf.
    /// Leaves are boxed and bounds are not: a search looks at many bounds, which should lie together.
    leaves: BTreeMap<Separator, Box<Leaf>>,
    len: usize,
    /// Of leaves and separators, without the tree's nodes.
    bytes: usize,
}

/// Entries not below `from` and below `to`.
#[derive(Clone, Debug)]
pub(super) struct EntryRange {
    pub from: Vec<u8>,
    /// `None`: to the end.
    pub to: Option<Vec<u8>>,
}

impl EntryRange {
    fn is_empty(&self) -> bool {
        self.to.as_ref().is_some_and(|to| *to <= self.from)
    }

    fn is_below(&self, separator: &[u8]) -> bool {
        self.to.as_deref().is_some_and(|to| to <= separator)
    }
}

/// Entries copied out of an index, in the order of the walk.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    slots: Vec<SlotId>,
}

impl Batch {
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub fn entry(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[at]]
    }

    pub fn slot(&self, at: usize) -> SlotId {
        self.slots[at]
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.slots.clear();
    }

    fn reserve(&mut self, entries: usize) {
        self.bytes.reserve(entries * ENTRY_BYTES_USUAL);
        self.ends.reserve(entries);
        self.slots.reserve(entries);
    }

    fn push(&mut self, leaf: &Leaf, at: usize) {
        let (prefix, rest) = leaf.entry(at);
        self.bytes.extend_from_slice(prefix);
        self.bytes.extend_from_slice(rest);
        self.ends.push(self.bytes.len());
        self.slots.push(leaf.slot(at));
    }
}

impl Default for OrderedEntries {
    fn default() -> Self {
        let tree = Tree {
            leaves: BTreeMap::from([(Separator::new(), Box::default())]),
            len: 0,
            bytes: size_of::<Leaf>(),
        };
        Self {
            tree: RwLock::new(tree),
        }
    }
}

impl OrderedEntries {
    pub fn len(&self) -> u64 {
        self.tree.read().len as u64
    }

    /// Exact but for the nodes of the tree, which are taken to be two thirds full.
    pub fn memory_bytes(&self) -> usize {
        let tree = self.tree.read();
        tree.bytes + tree.leaves.len() * size_of::<(Separator, Box<Leaf>)>() * 3 / 2
    }

    pub fn insert(&self, entry: &[u8], slot: SlotId) {
        self.tree.write().insert(entry, slot);
    }

    pub fn remove(&self, entry: &[u8]) {
        self.tree.write().remove(entry);
    }

    /// Copies the first entries of a range, at most `max` and of one leaf. Answers whether there may be more.
    pub fn copy_first(&self, range: &EntryRange, max: usize, batch: &mut Batch) -> bool {
        batch.clear();
        if range.is_empty() {
            return false;
        }
        let tree = self.tree.read();
        for (separator, leaf) in tree.leaves_from(&range.from) {
            if range.is_below(separator) {
                return false;
            }
            let (from, to) = places(leaf, range);
            batch.reserve(to.saturating_sub(from).min(max));
            for at in (from..to).take(max) {
                batch.push(leaf, at);
            }
            let ends_here = to < leaf.len() && batch.len() == to.saturating_sub(from);
            if ends_here || !batch.is_empty() {
                return !ends_here;
            }
        }
        false
    }

    /// Copies the last entries of a range, last first, at most `max` and of one leaf.
    pub fn copy_last(&self, range: &EntryRange, max: usize, batch: &mut Batch) {
        batch.clear();
        if range.is_empty() {
            return;
        }
        let tree = self.tree.read();
        let end = range
            .to
            .as_deref()
            .map_or(Bound::Unbounded, Bound::Excluded);
        let leaves = tree.leaves.range::<[u8], _>((Bound::Unbounded, end));
        for (separator, leaf) in leaves.rev() {
            let (from, to) = places(leaf, range);
            batch.reserve(to.saturating_sub(from).min(max));
            for at in (from..to).rev().take(max) {
                batch.push(leaf, at);
            }
            if !batch.is_empty() || **separator <= *range.from {
                return;
            }
        }
    }

    /// About how many entries a range has: exact if they are few.
    pub fn estimate(&self, range: &EntryRange) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let tree = self.tree.read();
        let whole = || EntryRange {
            from: Vec::new(),
            to: None,
        };
        if let Some(counted) = tree.count(range) {
            return counted as u64;
        }
        let below = EntryRange {
            to: Some(range.from.clone()),
            ..whole()
        };
        let above = range.to.as_ref().map(|to| EntryRange {
            from: to.clone(),
            ..whole()
        });
        let above = above.map_or(Some(0), |above| tree.count(&above));
        let others = tree.count(&below).zip(above).map(|(one, two)| one + two);
        tree.len.saturating_sub(others.unwrap_or(tree.len / 2)) as u64
    }
}

impl Tree {
    /// The leaf that an entry belongs to, and all after it.
    fn leaves_from(&self, entry: &[u8]) -> impl Iterator<Item = (&Separator, &Box<Leaf>)> {
        let upto = (Bound::Unbounded, Bound::Included(entry));
        let own = self.leaves.range::<[u8], _>(upto).next_back();
        let beyond = (Bound::Excluded(entry), Bound::Unbounded);
        own.into_iter().chain(self.leaves.range::<[u8], _>(beyond))
    }

    fn insert(&mut self, entry: &[u8], slot: SlotId) {
        loop {
            let upto = (Bound::Unbounded, Bound::Included(entry));
            let Some((_, leaf)) = self.leaves.range_mut::<[u8], _>(upto).next_back() else {
                unreachable!("the first leaf is below every entry");
            };
            let before = leaf.memory_bytes();
            let inserted = leaf.insert(entry, slot);
            self.bytes = self.bytes + leaf.memory_bytes() - before;
            match inserted {
                Inserted::Known => return,
                Inserted::New => {
                    self.len += 1;
                    return;
                }
                Inserted::Full(at) => {
                    // At an end, so that entries that come in order fill their leaves.
                    let at = if at == 0 || at == leaf.len() {
                        at
                    } else {
                        leaf.len() / 2
                    };
                    let (separator, upper) = leaf.split(at, entry);
                    self.bytes = self.bytes + leaf.memory_bytes() + upper.memory_bytes() - before;
                    self.bytes += spilled(&separator);
                    self.leaves.insert(separator, Box::new(upper));
                }
            }
        }
    }

    fn remove(&mut self, entry: &[u8]) {
        let upto = (Bound::Unbounded, Bound::Included(entry));
        let Some((first, leaf)) = self.leaves.range_mut::<[u8], _>(upto).next_back() else {
            return;
        };
        let before = leaf.memory_bytes();
        if !leaf.remove(entry) {
            return;
        }
        self.len -= 1;
        self.bytes = self.bytes + leaf.memory_bytes() - before;
        let len = leaf.len();
        let tidied = len == 0 || (len <= SMALL_LEAF && len.is_multiple_of(16));
        if tidied {
            let first = first.clone();
            self.tidy(&first);
        }
    }

    /// Takes an empty leaf away, or merges a small one with the next.
    fn tidy(&mut self, first: &[u8]) {
        let mut from = self
            .leaves
            .range_mut::<[u8], _>((Bound::Included(first), Bound::Unbounded));
        let Some((_, leaf)) = from.next() else {
            return;
        };
        if leaf.is_empty() && !first.is_empty() {
            self.bytes -= leaf.memory_bytes();
            if let Some((first, _)) = self.leaves.remove_entry(first) {
                self.bytes -= spilled(&first);
            }
            return;
        }
        let Some((separator, next)) = from.next() else {
            return;
        };
        let Some(merged) = leaf.merged(next) else {
            return;
        };
        let separator = separator.clone();
        self.bytes -= leaf.memory_bytes() + next.memory_bytes() + spilled(&separator);
        self.bytes += merged.memory_bytes();
        **leaf = merged;
        self.leaves.remove(&separator);
    }

    /// About how many entries a range has; `None` if they are in too many leaves to pass.
    fn count(&self, range: &EntryRange) -> Option<usize> {
        let usual = self.len / self.leaves.len().max(1);
        let mut count = 0;
        for (at, (separator, leaf)) in self.leaves_from(&range.from).enumerate() {
            if range.is_below(separator) {
                break;
            }
            match at {
                0..COUNTED_LEAVES_MAX => {
                    let (from, to) = places(leaf, range);
                    count += to.saturating_sub(from);
                }
                // To look into each would take longer than the answer is worth.
                COUNTED_LEAVES_MAX..PASSED_LEAVES_MAX => count += usual,
                _ => return None,
            }
        }
        Some(count)
    }
}

/// What a separator takes beside its place in the tree.
fn spilled(separator: &Separator) -> usize {
    if separator.spilled() {
        separator.len()
    } else {
        0
    }
}

/// The places of a leaf's entries that are in a range.
fn places(leaf: &Leaf, range: &EntryRange) -> (usize, usize) {
    let place = |bytes: &[u8]| leaf.find(bytes).unwrap_or_else(|place| place);
    let to = range.to.as_deref().map_or(leaf.len(), place);
    (place(&range.from), to)
}

#[cfg(test)]
mod tests;
