//! Changes of one table that wait until both halves of a key change are at hand.
//!
//! A key change is a delete of the old key and a create of the new one, perhaps on two partitions.
//! From the first half on, whatever comes for the table waits in the order it came, until the other
//! half is there too; then all of it up to there is applied within one cut. Where keys shift along a
//! column, a row arrives under a key that another is about to leave: the whole chain waits.
//!
//! Refuses to wait for ever: the other half may be compacted away, filtered or put aside. Beyond the
//! bounds everything that waits is applied as it came.
//!
//! Invariant: what waits is a suffix of what came for the table, so that a table is always what the
//! records before its first waiting ones make of it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use row_model::{Change, ChangeBatch, ChangeKind, PartitionId, SourcePosition};

/// Changes of one table that wait at most. A whole transaction may be one chain of key changes.
pub(crate) const HELD_CHANGES_MAX: usize = 32_768;
/// Bytes of their keys, rows and images.
pub(crate) const HELD_BYTES_MAX: usize = 32 << 20;
/// The longest that the first of them waits.
pub(crate) const HELD_MS_MAX: i64 = 1_000;

/// A change that waits, in a batch of its own.
#[derive(Debug)]
pub(crate) struct Held {
    pub batch: ChangeBatch,
    /// Whether a row is under its key when it comes, after all that waits before it.
    pub finds_row: bool,
    /// The same half of the same key change waits before it: it was delivered twice.
    again: bool,
}

/// What a change that waits needs beside it, before a cut may show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The other half of its key change.
    pub other_half: bool,
    /// The leaving of the row that is still under the key it arrives at.
    pub vacancy: bool,
}

/// One half of a key change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Half {
    leaves: bool,
    from: Vec<u8>,
    to: Vec<u8>,
    at: Option<SourcePosition>,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    queue: VecDeque<Held>,
    /// Number of the first in the queue; they are counted on.
    first: u64,
    /// The newest waiting half of each kind: by its position, and wherever it stands.
    halves: HashMap<Half, u64>,
    halves_anywhere: HashMap<Half, u64>,
    /// How many rows there are under each key after all that waits: two where one has arrived and the
    /// other has yet to leave.
    rows: HashMap<Vec<u8>, u32>,
    /// The newest waiting departure of a row from each key.
    departures: HashMap<Vec<u8>, u64>,
    /// The offsets of what waits, by partition.
    offsets: BTreeMap<PartitionId, VecDeque<u64>>,
    /// Everything before it is known to be complete, if all up to `reach` is there.
    looked: u64,
    reach: u64,
    bytes: usize,
    since_ms: Option<i64>,
}

impl Holding {
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The first record of a partition that waits.
    pub fn floor(&self, partition: PartitionId) -> Option<u64> {
        self.offsets.get(&partition)?.front().copied()
    }

    /// When the first change that waits was committed, if it says so: all before it is shown.
    pub fn since_commit_ms(&self) -> Option<Option<i64>> {
        let first = self.queue.front()?;
        Some(first.batch.changes.first()?.commit_ms)
    }

    /// Takes a change in, behind all others. `is_held` says whether the table has a row under its key.
    pub fn push(&mut self, batch: &ChangeBatch, change: &Change, is_held: bool) {
        let key = batch.slice(&change.key).to_vec();
        let number = self.first + self.queue.len() as u64;
        // A truncate that waits may have taken the row, or be older than it: at worst a wait is vain.
        let rows = self.rows.get(&key).copied();
        let rows = rows.unwrap_or(u32::from(is_held));
        let half = Half::of(batch, change);
        let before = half.as_ref().and_then(|half| self.halves.get(half));
        let again = change.position.is_some() && before.is_some_and(|before| *before >= self.first);
        let held = Held {
            batch: alone(batch, change),
            again,
            finds_row: rows > 0,
        };
        let moves = half.is_some();
        match change.kind {
            ChangeKind::Upsert | ChangeKind::Delete if !key.is_empty() && !again => {
                let is_row = change.kind == ChangeKind::Upsert;
                let left = match (is_row, moves) {
                    (true, true) => rows + 1,
                    (false, true) => rows.saturating_sub(1),
                    (is_row, false) => u32::from(is_row),
                };
                self.rows.insert(key.clone(), left);
            }
            _ => {}
        }
        if let Some(half) = half.filter(|_| !again) {
            if half.leaves {
                self.departures.insert(key, number);
            }
            self.halves_anywhere.insert(half.anywhere(), number);
            self.halves.insert(half, number);
        }
        self.bytes += held.bytes();
        let offsets = self.offsets.entry(batch.partition).or_default();
        offsets.push_back(change.offset);
        self.queue.push_back(held);
    }

    /// The first changes that can be applied together, if what they need is there: the first one
    /// alone if it needs nothing. `needs` hears whether the change finds a row under its key.
    pub fn next_group(
        &mut self,
        mut needs: impl FnMut(&ChangeBatch, &Change, bool) -> Needs,
    ) -> Option<Vec<Held>> {
        while self.looked <= self.reach {
            let at = (self.looked - self.first) as usize;
            let held = self.queue.get(at)?;
            let change = held.batch.changes.first()?;
            let needed = if held.again {
                Needs::default()
            } else {
                needs(&held.batch, change, held.finds_row)
            };
            let mut reach = self.reach;
            if needed.other_half {
                reach = reach.max(self.other_half(&held.batch, change)?);
            }
            if needed.vacancy {
                let departure = self.departures.get(held.batch.slice(&change.key)).copied();
                reach = reach.max(departure.filter(|number| *number > self.looked)?);
            }
            self.reach = reach;
            self.looked += 1;
        }
        let count = (self.reach + 1 - self.first) as usize;
        Some(self.take(count))
    }

    /// Everything that waits, in order.
    pub fn take_all(&mut self) -> Vec<Held> {
        self.take(self.queue.len())
    }

    /// True if the first has waited too long, or too much waits.
    pub fn is_overdue(&mut self, now_ms: i64) -> bool {
        if self.is_empty() {
            return false;
        }
        let since_ms = *self.since_ms.get_or_insert(now_ms);
        now_ms.saturating_sub(since_ms) >= HELD_MS_MAX
    }

    pub fn is_full(&self) -> bool {
        self.queue.len() > HELD_CHANGES_MAX || self.bytes > HELD_BYTES_MAX
    }

    fn other_half(&self, batch: &ChangeBatch, change: &Change) -> Option<u64> {
        let half = Half::of(batch, change)?;
        let other = Half {
            leaves: !half.leaves,
            ..half
        };
        let waits = |number: &&u64| **number >= self.first;
        if other.at.is_none() {
            return self.halves_anywhere.get(&other).filter(waits).copied();
        }
        let known = self.halves.get(&other).filter(waits);
        let without_position = || self.halves.get(&other.anywhere()).filter(waits);
        known.or_else(without_position).copied()
    }

    /// What the maps say of changes that are gone is passed over when it is looked up: to clear it
    /// away each time would cost as much as everything that waits.
    fn take(&mut self, count: usize) -> Vec<Held> {
        let taken: Vec<Held> = self.queue.drain(..count).collect();
        self.first += count as u64;
        (self.looked, self.reach, self.since_ms) = (self.first, self.first, None);
        for held in &taken {
            self.bytes -= held.bytes();
            if let Some(offsets) = self.offsets.get_mut(&held.batch.partition) {
                offsets.pop_front();
            }
        }
        if self.queue.is_empty() {
            let first = self.first;
            *self = Self {
                first,
                looked: first,
                reach: first,
                ..Self::default()
            };
        }
        taken
    }
}

impl Held {
    fn bytes(&self) -> usize {
        self.batch.bytes.len() + size_of::<Self>() + size_of::<Change>()
    }
}

impl Half {
    /// `None` if the change is no half, or does not say of which key the other is.
    fn of(batch: &ChangeBatch, change: &Change) -> Option<Self> {
        let (key, other) = (batch.slice(&change.key), batch.slice(&change.other_key));
        let leaves = match change.kind {
            ChangeKind::Delete => true,
            ChangeKind::Upsert => false,
            ChangeKind::Truncate | ChangeKind::Advance | ChangeKind::DeleteOfUnknown => {
                return None;
            }
        };
        if !change.key_change || key.is_empty() || other.is_empty() {
            return None;
        }
        let (from, to) = if leaves { (key, other) } else { (other, key) };
        Some(Self {
            leaves,
            from: from.to_vec(),
            to: to.to_vec(),
            at: change.position,
        })
    }

    fn anywhere(&self) -> Self {
        Self {
            at: None,
            ..self.clone()
        }
    }
}

/// The change in a batch of its own.
fn alone(batch: &ChangeBatch, change: &Change) -> ChangeBatch {
    let mut own = ChangeBatch::new(batch.partition);
    (own.format, own.log_time_ms) = (batch.format, batch.log_time_ms);
    let log_time = batch.log_time_of(change.offset);
    own.log_times.extend(log_time.map(|ms| (change.offset, ms)));
    let mut moved = |range: &std::ops::Range<u32>| {
        let start = own.bytes.len() as u32;
        own.bytes.extend_from_slice(batch.slice(range));
        start..own.bytes.len() as u32
    };
    let change = Change {
        key: moved(&change.key),
        row: moved(&change.row),
        before: moved(&change.before),
        other_key: moved(&change.other_key),
        ..change.clone()
    };
    own.changes.push(change);
    own
}
