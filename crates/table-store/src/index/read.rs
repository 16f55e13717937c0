//! Reading through an index: rows of equal keys, and walks in order, at a cut.
//!
//! A reader never holds a lock of an index and one of a chunk. It copies a batch of entries out of the index,
//! lets go, and takes the versions that its cut shows of some slots at a time. Entries may come and go between
//! batches, but none of a row that the cut shows does: its version is kept while the cut is pinned.

use std::ops::{Bound, ControlFlow};

use row_model::{CutId, SlotId, Version, sort_key_len};

use super::keys::KeyWriter;
use super::ordered::{Batch, EntryRange, OrderedEntries};
use super::{Entries, Index};
use crate::chunk::{LOT_ROWS, Lot};
use crate::table::Table;

/// Entries that are copied under one lock: few at first, unless it is known how many are wanted.
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
    /// Calls `each` for every row at a cut whose values make exactly this index key, until it breaks: see
    /// [`IndexReader::each_equal`].
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
        IndexReader::new(self, index, cut).each_equal(key, |lot| {
            let mut lot = lot.iter();
            lot.try_for_each(|version| each(version))
        })
    }

    /// Calls `each` with the index key and the row of every row at a cut in this range: see
    /// [`IndexReader::walk`].
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
        mut each: impl FnMut(&[u8], &Version) -> ControlFlow<()>,
    ) -> Result<(), IndexGone> {
        IndexReader::new(self, index, cut).walk(range, direction, after, |keys, lot| {
            let mut lot = keys.iter().zip(lot);
            lot.try_for_each(|(key, version)| each(key, version))
        })
    }
}

/// Reads a table through one of its indexes, for one key after another. The cut must be pinned.
pub struct IndexReader<'a> {
    table: &'a Table,
    index: &'a Index,
    cut: CutId,
    slots: Vec<SlotId>,
    wanted: usize,
}

impl<'a> IndexReader<'a> {
    #[must_use]
    pub fn new(table: &'a Table, index: &'a Index, cut: CutId) -> Self {
        Self {
            table,
            index,
            cut,
            slots: Vec::new(),
            wanted: 0,
        }
    }

    /// So many rows of a walk will probably be wanted: no more are looked at before they are.
    #[must_use]
    pub fn wanting(self, rows: usize) -> Self {
        Self {
            wanted: rows,
            ..self
        }
    }

    /// Calls `each` with the rows whose values make exactly this index key (the sort keys of all columns,
    /// ascending, nulls last), some at a time, until it breaks. An ordered index shows them in the order of
    /// their own keys, a hash index in none.
    ///
    /// Keys hold only the beginning of long texts and numbers: look at the values.
    ///
    /// # Errors
    /// If the index is not ready; nothing was shown then.
    pub fn each_equal(
        &mut self,
        key: &[u8],
        mut each: impl FnMut(&[&Version]) -> ControlFlow<()>,
    ) -> Result<(), IndexGone> {
        let (mut keys, mut own) = (self.keys(), Vec::new());
        self.each_candidate(key, |lot| {
            let is_it = |version: &&Version| keys.write(version, &mut own) && own == key;
            let lot: Lot<&Version> = lot.iter().copied().filter(is_it).collect();
            each(&lot)
        })
    }

    /// The same, and perhaps with some other rows: for who looks at the values anyway, and whom it does not
    /// disturb to be shown a row under two keys.
    ///
    /// # Errors
    /// If the index is not ready; nothing was shown then.
    pub fn each_candidate(
        &mut self,
        key: &[u8],
        mut each: impl FnMut(&[&Version]) -> ControlFlow<()>,
    ) -> Result<(), IndexGone> {
        let Entries::Hash(entries) = &self.index.entries else {
            let each = |_: &[&[u8]], lot: &[&Version]| each(lot);
            return self.walk(KeyRange::of(key), Direction::Ascending, None, each);
        };
        if !self.index.is_ready() {
            return Err(IndexGone);
        }
        let mut after = None;
        loop {
            entries.copy(key, after, BATCH_MAX, &mut self.slots);
            for some in self.slots.chunks(LOT_ROWS) {
                let rows = self.table.rows(some, self.cut);
                let lot: Lot<&Version> = rows.iter().flatten().collect();
                if each(&lot).is_break() {
                    return Ok(());
                }
            }
            match self.slots.last() {
                // With fewer than were asked for there are no more.
                Some(last) if self.slots.len() >= BATCH_MAX => after = Some(*last),
                _ => return Ok(()),
            }
        }
    }

    /// Calls `each` with the index keys and the rows of every row in this range, some at a time, until it breaks.
    /// Rows come in the order of their index keys, and those of equal index keys always in the ascending order of
    /// their own keys. With `after` the walk goes on behind that place, whether or not a row is there.
    ///
    /// # Errors
    /// If the index is not ready or has no order; nothing was shown then.
    pub fn walk(
        &self,
        range: KeyRange<'_>,
        direction: Direction,
        after: Option<Place<'_>>,
        each: impl FnMut(&[&[u8]], &[&Version]) -> ControlFlow<()>,
    ) -> Result<(), IndexGone> {
        let Entries::Ordered(entries) = &self.index.entries else {
            return Err(IndexGone);
        };
        // Looked at once, after the cut was pinned: a removed index lacks nothing that an older cut shows.
        if !self.index.is_ready() {
            return Err(IndexGone);
        }
        let Some(range) = range.entries() else {
            return Ok(());
        };
        let mut walk = Walk {
            entries,
            columns: self.index.definition.columns().len(),
            keys: self.keys(),
            key: Vec::new(),
            reader: self,
            wanted: self.wanted,
            batch_max: BATCH_FIRST,
            each,
        };
        let _ = match direction {
            Direction::Ascending => walk.up_after(range, after),
            Direction::Descending => walk.down_after(range, after),
        };
        Ok(())
    }

    fn keys(&self) -> KeyWriter {
        KeyWriter::new(&self.index.definition, &self.index.history)
    }
}

struct Walk<'a, 'r, E> {
    entries: &'a OrderedEntries,
    columns: usize,
    reader: &'r IndexReader<'a>,
    keys: KeyWriter,
    /// The index key of the row that was looked at last.
    key: Vec<u8>,
    /// So many are still wanted, for all that is known.
    wanted: usize,
    batch_max: usize,
    each: E,
}

impl<E: FnMut(&[&[u8]], &[&Version]) -> ControlFlow<()>> Walk<'_, '_, E> {
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
            self.wanted = self.wanted.saturating_sub(batch.len());
            self.show(&batch, 0..batch.len())?;
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
            let (mut order, mut end) = (Vec::with_capacity(batch.len()), 0);
            while end < batch.len() {
                let start = end;
                let key = self.index_key(&batch, start);
                end = (start + 1..batch.len())
                    .find(|at| !batch.entry(*at).starts_with(key))
                    .unwrap_or(batch.len());
                if end < batch.len() {
                    order.extend((start..end).rev());
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
            self.wanted = self.wanted.saturating_sub(order.len());
            self.show(&batch, order)?;
        }
    }

    /// How many entries to copy next.
    fn batch(&mut self) -> usize {
        if self.wanted > 0 {
            return self.wanted.min(BATCH_MAX);
        }
        let batch = self.batch_max;
        self.batch_max = (batch * 2).min(BATCH_MAX);
        batch
    }

    fn index_key<'b>(&self, batch: &'b Batch, at: usize) -> &'b [u8] {
        let entry = batch.entry(at);
        &entry[..sort_key_len(entry, self.columns).unwrap_or(entry.len())]
    }

    /// Shows the rows of some entries, in this order.
    fn show(&mut self, batch: &Batch, order: impl IntoIterator<Item = usize>) -> ControlFlow<()> {
        let mut order = order.into_iter();
        loop {
            let some: Lot<usize> = order.by_ref().take(LOT_ROWS).collect();
            if some.is_empty() {
                return ControlFlow::Continue(());
            }
            let slots: Lot<SlotId> = some.iter().map(|at| batch.slot(*at)).collect();
            let rows = self.reader.table.rows(&slots, self.reader.cut);
            let (mut keys, mut lot): (Lot<&[u8]>, Lot<&Version>) = (Lot::new(), Lot::new());
            for (at, version) in some.into_iter().zip(&rows) {
                let key = self.index_key(batch, at);
                // An entry may be of another version of the row.
                if let Some(version) = version
                    && self.keys.write(version, &mut self.key)
                    && self.key == key
                {
                    keys.push(key);
                    lot.push(version);
                }
            }
            (self.each)(&keys, &lot)?;
        }
    }
}

/// The least entry behind a place.
fn just_after(place: &Place<'_>) -> Vec<u8> {
    [place.index_key, place.row_key, &[0]].concat()
}
