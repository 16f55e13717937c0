//! Reading through an index: rows of equal keys, and walks in order, at a cut.
//!
//! A reader never holds two locks. It copies a batch of entries out of the index, lets go, and takes the
//! version that its cut shows of each slot. Entries may come and go between batches, but none of a
//! row that the cut shows does: its version is kept while the cut is pinned.

use std::ops::{Bound, ControlFlow};

use row_model::{CutId, SlotId, Version, sort_key_len};

use super::keys::KeyWriter;
use super::ordered::{Batch, EntryRange, OrderedEntries};
use super::{Entries, Index};
use crate::table::Table;

/// Entries that are copied under one lock: few at first, for a reader who wants few.
const BATCH_FIRST: usize = 32;
const BATCH_MAX: usize = 256;

/// Keys between two bounds. A bound is the beginning of a key, and stands for all keys that begin with it:
/// to include it is to include them all.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    pub from: Bound<&'a [u8]>,
    pub to: Bound<&'a [u8]>,
}

impl<'a> KeyRange<'a> {
    #[must_use]
    pub fn all() -> Self {
        Self {
            from: Bound::Unbounded,
            to: Bound::Unbounded,
        }
    }

    /// All keys that begin with this: those equal to it if it is whole.
    #[must_use]
    pub fn of(beginning: &'a [u8]) -> Self {
        Self {
            from: Bound::Included(beginning),
            to: Bound::Included(beginning),
        }
    }

    /// `None` if nothing can be in it.
    fn entries(&self) -> Option<EntryRange> {
        let from = match self.from {
            Bound::Unbounded => Vec::new(),
            Bound::Included(from) => from.to_vec(),
            Bound::Excluded(from) => after_all(from)?,
        };
        let to = match self.to {
            Bound::Unbounded => None,
            Bound::Included(to) => after_all(to),
            Bound::Excluded(to) => Some(to.to_vec()),
        };
        Some(EntryRange { from, to })
    }
}

/// The least bytes above all that begin with `beginning`; `None` if there are none.
fn after_all(beginning: &[u8]) -> Option<Vec<u8>> {
    let last = beginning.iter().rposition(|byte| *byte != 0xff)?;
    let mut after = beginning[..=last].to_vec();
    after[last] += 1;
    Some(after)
}

/// Which way index keys go. Rows of equal index keys come in the order of their own keys either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// Where a row stands in the order of an index.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub index_key: &'a [u8],
    pub row_key: &'a [u8],
}

/// The index is not whole yet, was removed, or cannot be read this way: read the table without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the index cannot be read")]
pub struct IndexGone;

impl Index {
    /// About how many entries a range of keys has. A hash index counts those of one whole key, and
    /// knows of any other range only that it has no more than all.
    #[must_use]
    pub fn estimate(&self, range: KeyRange<'_>) -> u64 {
        match (&self.entries, range.from, range.to) {
            (Entries::Ordered(entries), ..) => {
                range.entries().map_or(0, |range| entries.estimate(&range))
            }
            (Entries::Hash(entries), Bound::Included(from), Bound::Included(to)) if from == to => {
                entries.count(from)
            }
            (Entries::Hash(entries), ..) => entries.len(),
        }
    }
}

impl Table {
    /// Calls `each` for every row at a cut whose values make exactly this index key (the sort keys of
    /// all columns, ascending, nulls last), until it breaks. An ordered index shows them in the order of
    /// their own keys, a hash index in none. The cut must be pinned.
    ///
    /// Keys hold only the beginning of long texts and numbers: look at the values.
    ///
    /// # Errors
    /// If the index is not ready; nothing was shown then.
    pub fn each_equal(
        &self,
        index: &Index,
        key: &[u8],
        cut: CutId,
        mut each: impl FnMut(&Version) -> ControlFlow<()>,
    ) -> Result<(), IndexGone> {
        let Entries::Hash(entries) = &index.entries else {
            let range = KeyRange::of(key);
            return self.walk(
                index,
                range,
                Direction::Ascending,
                None,
                cut,
                |_, version| each(version),
            );
        };
        if !index.is_ready() {
            return Err(IndexGone);
        }
        let mut reader = Reader::new(self, index, cut);
        let (mut slots, mut after) = (Vec::new(), None);
        loop {
            entries.copy(key, after, BATCH_MAX, &mut slots);
            let Some(last) = slots.last() else {
                return Ok(());
            };
            after = Some(*last);
            for slot in &slots {
                if let Some(version) = reader.row(*slot, key)
                    && each(&version).is_break()
                {
                    return Ok(());
                }
            }
        }
    }

    /// Calls `each` with the index key and the row of every row at a cut in this range, until it breaks.
    /// Rows come in the order of their index keys, and those of equal index keys always in the
    /// ascending order of their own keys. With `after` the walk goes on behind that place, whether or not
    /// a row is there. The cut must be pinned.
    ///
    /// # Errors
    /// If the index is not ready or has no order; nothing was shown then.
    pub fn walk(
        &self,
        index: &Index,
        range: KeyRange<'_>,
        direction: Direction,
        after: Option<Place<'_>>,
        cut: CutId,
        each: impl FnMut(&[u8], &Version) -> ControlFlow<()>,
    ) -> Result<(), IndexGone> {
        let Entries::Ordered(entries) = &index.entries else {
            return Err(IndexGone);
        };
        // Looked at once, after the cut was pinned: a removed index lacks nothing that an older cut shows.
        if !index.is_ready() {
            return Err(IndexGone);
        }
        let Some(range) = range.entries() else {
            return Ok(());
        };
        let mut walk = Walk {
            entries,
            columns: index.definition.columns().len(),
            reader: Reader::new(self, index, cut),
            batch_max: BATCH_FIRST,
            each,
        };
        let _ = match direction {
            Direction::Ascending => walk.up_after(range, after),
            Direction::Descending => walk.down_after(range, after),
        };
        Ok(())
    }
}

/// Takes rows out of slots and looks whether they are what the index said.
struct Reader<'a> {
    table: &'a Table,
    keys: KeyWriter,
    cut: CutId,
    key: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(table: &'a Table, index: &Index, cut: CutId) -> Self {
        Self {
            table,
            keys: KeyWriter::new(&index.definition, &index.history),
            cut,
            key: Vec::new(),
        }
    }

    /// The row that the cut shows in a slot, if it has this index key.
    fn row(&mut self, slot: SlotId, key: &[u8]) -> Option<Version> {
        let (chunk, place) = self.table.chunk(slot)?;
        let version = chunk.read().visible(place.slot, self.cut).cloned()?;
        let is_it = self.keys.write(&version, &mut self.key) && self.key == key;
        is_it.then_some(version)
    }
}

struct Walk<'a, E> {
    entries: &'a OrderedEntries,
    columns: usize,
    reader: Reader<'a>,
    batch_max: usize,
    each: E,
}

impl<E: FnMut(&[u8], &Version) -> ControlFlow<()>> Walk<'_, E> {
    fn up_after(&mut self, mut range: EntryRange, after: Option<Place<'_>>) -> ControlFlow<()> {
        if let Some(after) = after {
            range.from = range.from.max(just_after(&after));
        }
        self.up(range)
    }

    fn up(&mut self, mut range: EntryRange) -> ControlFlow<()> {
        let (entries, mut batch) = (self.entries, Batch::default());
        loop {
            let more = entries.copy_first(&range, self.batch(), &mut batch);
            for at in 0..batch.len() {
                self.show(&batch, at)?;
            }
            let Some(last) = batch.len().checked_sub(1).filter(|_| more) else {
                return ControlFlow::Continue(());
            };
            range.from.clear();
            range.from.extend_from_slice(batch.entry(last));
            range.from.push(0);
        }
    }

    /// The rest of the group that `after` is in, then what is below that.
    fn down_after(&mut self, mut range: EntryRange, after: Option<Place<'_>>) -> ControlFlow<()> {
        if let Some(after) = after {
            let below = |to: Option<&Vec<u8>>, end: &[u8]| to.is_none_or(|to| **to > *end);
            let group_end = after_all(after.index_key);
            let rest = EntryRange {
                from: range.from.clone().max(just_after(&after)),
                to: match group_end {
                    Some(end) if below(range.to.as_ref(), &end) => Some(end),
                    _ => range.to.clone(),
                },
            };
            self.up(rest)?;
            if below(range.to.as_ref(), after.index_key) {
                range.to = Some(after.index_key.to_vec());
            }
        }
        self.down(range)
    }

    fn down(&mut self, mut range: EntryRange) -> ControlFlow<()> {
        let (entries, mut batch) = (self.entries, Batch::default());
        loop {
            entries.copy_last(&range, self.batch(), &mut batch);
            if batch.is_empty() {
                return ControlFlow::Continue(());
            }
            let mut end = 0;
            while end < batch.len() {
                let start = end;
                let key = self.index_key(&batch, start);
                end = (start + 1..batch.len())
                    .find(|at| !batch.entry(*at).starts_with(key))
                    .unwrap_or(batch.len());
                if end < batch.len() {
                    for at in (start..end).rev() {
                        self.show(&batch, at)?;
                    }
                    range.to = Some(key.to_vec());
                } else if start == 0 {
                    // One group and perhaps more of it below: from its beginning, upwards.
                    let group = EntryRange {
                        from: range.from.clone().max(key.to_vec()),
                        to: range.to.take(),
                    };
                    range.to = Some(key.to_vec());
                    self.up(group)?;
                }
            }
        }
    }

    /// How many entries to copy next.
    fn batch(&mut self) -> usize {
        let wanted = self.batch_max;
        self.batch_max = (wanted * 2).min(BATCH_MAX);
        wanted
    }

    fn index_key<'b>(&self, batch: &'b Batch, at: usize) -> &'b [u8] {
        let entry = batch.entry(at);
        &entry[..sort_key_len(entry, self.columns).unwrap_or(entry.len())]
    }

    fn show(&mut self, batch: &Batch, at: usize) -> ControlFlow<()> {
        let key = self.index_key(batch, at);
        match self.reader.row(batch.slot(at), key) {
            Some(version) => (self.each)(key, &version),
            None => ControlFlow::Continue(()),
        }
    }
}

/// The least entry behind a place.
fn just_after(place: &Place<'_>) -> Vec<u8> {
    [place.index_key, place.row_key, &[0]].concat()
}
