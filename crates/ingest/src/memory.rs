//! The memory limit: a change that would grow the whole beyond it waits, and its partition with it.
//!
//! What comes after it in the partition waits behind it in the order it came, and the source is told to
//! pause the partition. Everything else goes on: other partitions, and changes that take no more room than
//! they free. As soon as there is room again, whoever made it, what waits is applied and the partition goes on.
//!
//! Invariants: a partition's next offset is never beyond a change that waits, so that a restart reads it
//! again; and nothing of a partition passes what waits of it.

use std::collections::{BTreeMap, VecDeque};

use row_model::{Change, ChangeBatch, ChangeKind, PartitionId, Version};
use table_store::MemoryUse;

use crate::messages::Ended;
use crate::retention::Retention;
use crate::sequencer::Sequencer;
use crate::settings::limits;
use crate::tables::TableState;

/// What a row takes beside its key and its cells: the allocation's head, its stamp, its slot and the
/// way to it.
const ROW_BYTES: u64 = 96;

/// This share of the limit is left free once it was met, so that it is not met again at once. As much may
/// older versions take that readers hold, before rows that are replaced count as no gain.
const SLACK_SHARE: u64 = 20;

/// What came of a partition that waits.
#[derive(Debug)]
enum Arrival {
    /// The records of a batch before this one.
    Records(Box<ChangeBatch>, Option<u64>),
    End(Ended),
}

/// How memory stands to its limit.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What the tables took when that was last looked at.
    pub used: u64,
    /// The most that they may have grown by since.
    grown: u64,
    /// Readers hold so much of older versions that a row which is replaced frees nothing for now.
    versions_are_held: bool,
    waiting: BTreeMap<(usize, PartitionId), VecDeque<Arrival>>,
}

impl Memory {
    /// Partitions whose next change would take too much.
    pub fn partitions_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How much the tables may take now.
    fn bound(&self, max: u64) -> u64 {
        if self.waiting.is_empty() {
            max
        } else {
            max - max / SLACK_SHARE
        }
    }
}

impl TableState {
    /// Changes that wait for others which belong to them.
    pub fn waiting_bytes(&self) -> usize {
        self.holding.bytes() + self.gated_bytes
    }

    /// What the table takes, published or not, with what waits and what is known beside its rows.
    pub fn memory_now(&self) -> MemoryUse {
        let ages = self.retention.as_ref().map_or(0, Retention::memory_bytes);
        let known = self.keyless.memory_bytes() + self.key_changes.memory_bytes();
        MemoryUse {
            beside: known + ages,
            waiting: self.waiting_bytes(),
            ..self.writer.memory()
        }
    }
}

impl Sequencer {
    /// Applies the records of a batch before one, as far as there is room for them.
    pub(crate) fn apply_with_room(
        &mut self,
        source: usize,
        batch: &ChangeBatch,
        before: Option<u64>,
    ) {
        let place = (source, batch.partition);
        if let Some(waiting) = self.memory.waiting.get_mut(&place) {
            return waiting.push_back(Arrival::Records(Box::new(batch.clone()), before));
        }
        if self.apply_what_fits(source, batch, before) {
            return;
        }
        // What is kept for those who may ask again gives way first.
        if self.let_go_of_kept() && self.apply_what_fits(source, batch, before) {
            return;
        }
        if self.memory.waiting.is_empty() {
            let (used, max) = (self.memory.used, self.settings.memory_bytes_max);
            tracing::error!(
                used,
                max,
                "memory.max reached: what would grow tables waits, everything else goes on"
            );
        }
        let waiting = VecDeque::from([Arrival::Records(Box::new(batch.clone()), before)]);
        self.memory.waiting.insert(place, waiting);
        self.waits_for_memory(place, true);
    }

    /// The end of a partition is behind all that waits of it for room.
    pub(crate) fn end_with_room(&mut self, source: usize, id: PartitionId, ended: Ended) {
        if let Some(waiting) = self.memory.waiting.get_mut(&(source, id)) {
            return waiting.push_back(Arrival::End(ended));
        }
        self.is_at_end_at(source, id, ended);
    }

    /// Whether records of a partition wait for room.
    pub(crate) fn waits_for_room(&self, source: usize, id: PartitionId) -> bool {
        let waiting = self.memory.waiting.get(&(source, id));
        waiting.is_some_and(|waiting| !waiting.is_empty())
    }

    /// Forgets what waits of a partition that will be read again from its next offset, or never.
    pub(crate) fn no_longer_waits(&mut self, source: usize, id: PartitionId) {
        self.gate_forgets(source, id);
        if self.memory.waiting.remove(&(source, id)).is_some()
            && let Some(partition) = self.partitions.get_mut(&(source, id))
        {
            partition.awaits_memory = None;
        }
    }

    /// Applies what waits, as far as there is room for it now.
    pub(crate) fn go_on_with_what_waits(&mut self) {
        let places: Vec<_> = self.memory.waiting.keys().copied().collect();
        if places.is_empty() {
            return;
        }
        for (source, id) in places {
            if self.go_on_with(source, id) {
                self.memory.waiting.remove(&(source, id));
                self.waits_for_memory((source, id), false);
            }
        }
        if self.memory.waiting.is_empty() {
            let (used, max) = (self.memory.used, self.settings.memory_bytes_max);
            tracing::warn!(used, max, "below memory.max again: nothing waits any more");
        }
    }

    /// Answers whether nothing is left that waits.
    fn go_on_with(&mut self, source: usize, id: PartitionId) -> bool {
        while self.unpublished < limits::CUT_CHANGES_MAX {
            let waiting = self.memory.waiting.get_mut(&(source, id));
            let Some(first) = waiting.and_then(VecDeque::pop_front) else {
                return true;
            };
            match first {
                // Told before what other partitions have said since: that this one is past a snapshot
                // which ended there meanwhile does not follow from it.
                Arrival::End(ended) => self.is_at_end_at(source, id, ended),
                Arrival::Records(batch, before) => {
                    if !self.apply_what_fits(source, &batch, before) {
                        let waiting = self.memory.waiting.entry((source, id)).or_default();
                        waiting.push_front(Arrival::Records(batch, before));
                        return false;
                    }
                }
            }
        }
        false
    }

    fn waits_for_memory(&mut self, (source, id): (usize, PartitionId), waits: bool) {
        let (used, max) = (self.memory.used, self.settings.memory_bytes_max);
        let Some(partition) = self.partitions.get_mut(&(source, id)) else {
            return;
        };
        partition.awaits_memory = waits.then(|| {
            // It has more to give, whatever its source said while that waited.
            partition.at_end = false;
            format!(
                "memory: the tables take {used} bytes, memory.max is {max}, and the next change of {}-{} (offset {}) would take more. It goes on by itself when deletes make room; or raise memory.max and reload the configuration (SIGHUP), or do without a table, an index or a column",
                partition.topic, partition.partition, partition.next.0
            )
        });
        let topic = partition.topic.clone();
        self.mind_pause(source, id);
        if let Some(table) = self.table_of(source, &topic) {
            table.touched = true;
        }
    }

    /// A checkpoint may hold more than there is room for now. All of it is served: half a table would be
    /// a wrong one.
    pub(crate) fn tell_if_loaded_beyond_the_limit(&self) {
        let (used, max) = (self.memory.used, self.settings.memory_bytes_max);
        if used > max {
            tracing::error!(
                used,
                max,
                "the checkpoint takes more than memory.max: all of it is served, and what would grow tables waits"
            );
        }
    }

    /// Looks at what the tables take, published or not. Call it when what readers need no more is gone.
    pub(crate) fn measure_memory(&mut self) {
        let unplaced = self.weigh_gates() as u64;
        let uses = self.tables.iter().map(TableState::memory_now);
        let (used, versions) = uses.fold((0, 0), |(used, versions), memory| {
            (
                used + memory.total() as u64,
                versions + memory.versions as u64,
            )
        });
        let used = used + unplaced + self.publisher.kept_bytes();
        let max = self.settings.memory_bytes_max;
        (self.memory.used, self.memory.grown) = (used, 0);
        self.memory.versions_are_held = versions > max / SLACK_SHARE;
    }

    /// The first of some changes of a batch for which there is no room. What there is room for is counted
    /// as if it were applied.
    pub(crate) fn first_without_room(
        &mut self,
        source: usize,
        topic: &str,
        batch: &ChangeBatch,
        news: &[Change],
    ) -> Option<u64> {
        let bound = self.memory.bound(self.settings.memory_bytes_max);
        let bytes = if news.len() == batch.changes.len() {
            batch.bytes.len()
        } else {
            news.iter().map(Change::bytes).sum()
        };
        let most = bytes as u64 + news.len() as u64 * ROW_BYTES;
        let taken = self.memory.used + self.memory.grown;
        if taken.saturating_add(most) <= bound {
            self.memory.grown += most;
            return None;
        }
        let table = self.table_at(source, topic).map(|at| &self.tables[at]);
        let mut grown = 0;
        for change in news {
            let growth = growth(table, batch, change, self.memory.versions_are_held);
            if growth > 0 && taken + grown + growth > bound {
                self.memory.grown += grown;
                return Some(change.offset);
            }
            grown += growth;
        }
        self.memory.grown += grown;
        None
    }
}

/// The most that a change makes its table grow by. What frees memory is not counted against it: that is
/// seen when it is there.
fn growth(
    table: Option<&TableState>,
    batch: &ChangeBatch,
    change: &Change,
    versions_are_held: bool,
) -> u64 {
    // Positions of deleted keys have a bound of their own.
    if change.kind != ChangeKind::Upsert {
        return 0;
    }
    let (key, row) = (batch.slice(&change.key), batch.slice(&change.row));
    let size = (key.len() + row.len()) as u64;
    let held = |key: &[u8]| {
        let held = table?.writer.newest(key)?;
        (!held.is_deleted()).then(|| size_of_content(&held))
    };
    let replaced = if versions_are_held {
        None
    } else if key.is_empty() {
        (!change.before.is_empty()).then_some(u64::from(change.before.end - change.before.start))
    } else if change.key_change {
        // The row that was under another key, which leaves it.
        held(key).or_else(|| held(batch.slice(&change.other_key)))
    } else {
        held(key)
    };
    replaced.map_or(size + ROW_BYTES, |replaced| size.saturating_sub(replaced))
}

fn size_of_content(version: &Version) -> u64 {
    let row = version.row().map_or(0, |row| row.as_bytes().len());
    (version.key().len() + row) as u64
}
