//! Which transactions of a source a cut shows: a bounded set of their ids, cheap to change and cheap to share.
//!
//! Ids are compared modulo 2^32, as sources give them: each is taken for the number nearest to the newest one. They
//! lie in bitmaps of 4,096 ids. The few that change are held apart from all others, so that a cut
//! shares everything and a change copies one kilobyte a publication.
//!
//! That a transaction was *seen* does not mean that all of it was. It is known to be complete in the log from the
//! moment on at which another one followed it in some partition ([`Sighting::Since`]), or when its boundaries were
//! told and all between them was applied ([`Sighting::Closed`]).

use std::collections::BTreeMap;
use std::sync::Arc;

/// Ids of one block.
const BLOCK_IDS: u64 = 4_096;
const WORDS: usize = BLOCK_IDS as usize / 64;
/// Ids that are remembered. The lowest are forgotten first, and count as applied from then on.
pub const APPLIED_IDS_MAX: usize = 1_000_000;
/// Blocks, where ids are far apart: four megabytes.
const BLOCKS_MAX: usize = 4_096;
/// Blocks that change, beside all others.
const HOT_MAX: usize = 4;
/// Completed transactions of which it is remembered since when, each.
const RECENT_MAX: usize = 1_024;
/// The first id is put here, so that lower ones have numbers too.
const ORIGIN: u64 = 1 << 40;

/// A moment in the order in which a source's messages were heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Heard(pub u64);

/// What is known of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// All of it is shown.
    Closed,
    /// It was complete in the log at this moment: what has been read to its end since shows its part of it.
    Since(Heard),
    /// Some of it is shown, and more may come.
    Open,
    /// So low that it was forgotten, or was before the snapshot: the same as [`Since`](Self::Since).
    Below(Heard),
    /// Nothing of it was seen.
    Unseen,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    seen: [u64; WORDS],
    closed: [u64; WORDS],
}

impl Default for Block {
    fn default() -> Self {
        Self {
            seen: [0; WORDS],
            closed: [0; WORDS],
        }
    }
}

/// See the module's head.
#[derive(Clone, Debug, Default)]
pub struct AppliedIds {
    cold: Arc<BTreeMap<u64, Arc<Block>>>,
    /// Those that changed last, the newest at the end.
    hot: Vec<(u64, Arc<Block>)>,
    count: usize,
    newest: Option<u64>,
    /// Lower ids count as complete, from that moment on.
    floor: Option<(u64, Heard)>,
    /// Seen, and nothing followed them yet: at most one a partition.
    open: Arc<Vec<u64>>,
    /// Completed transactions, in the order in which they were.
    recent: Arc<Vec<(u64, Heard)>>,
    /// All completed ones that are not recent were complete at this moment.
    completed: Heard,
}

/// A block as it is stored: its number, and one word a bit for 64 ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedBlock {
    pub number: u64,
    pub seen: Vec<u64>,
    pub closed: Vec<u64>,
}

impl AppliedIds {
    /// Notes that a change of a transaction is shown.
    pub fn see(&mut self, id: u32) {
        let id = self.unwrapped(id);
        self.newest = self.newest.max(Some(id));
        if self.is_below(id) || !self.set(id, |block| &mut block.seen) {
            return;
        }
        self.count += 1;
        Arc::make_mut(&mut self.open).push(id);
        self.forget_beyond_the_bound();
    }

    /// Notes that, as of this moment, another transaction had followed this one in some partition.
    pub fn complete(&mut self, id: u32, at: Heard) {
        let id = self.unwrapped(id);
        let Some(place) = self.open.iter().position(|open| *open == id) else {
            return;
        };
        Arc::make_mut(&mut self.open).swap_remove(place);
        self.is_complete(id, at);
    }

    /// Notes that the log had nothing more at this moment. Answers whether that is news of any transaction.
    pub fn complete_all(&mut self, at: Heard) -> bool {
        let open = std::mem::take(&mut self.open);
        for id in &*open {
            self.is_complete(*id, at);
        }
        !open.is_empty()
    }

    /// Notes that all of a transaction is shown.
    pub fn close(&mut self, id: u32) {
        self.see(id);
        let id = self.unwrapped(id);
        if self.is_below(id) {
            return;
        }
        self.set(id, |block| &mut block.closed);
        if let Some(place) = self.open.iter().position(|open| *open == id) {
            Arc::make_mut(&mut self.open).swap_remove(place);
        }
    }

    /// All that a snapshot shows was committed before this id, and as of this moment more was applied.
    pub fn raise_floor(&mut self, id: u32, at: Heard) {
        let id = self.unwrapped(id);
        self.newest = self.newest.max(Some(id));
        if self.floor.is_none_or(|(floor, _)| floor < id) {
            self.floor = Some((id, at));
        }
    }

    /// What is known of a transaction, by the lowest 32 bits of its id.
    #[must_use]
    pub fn sighting(&self, id: u64) -> Sighting {
        let id = self.unwrapped(id as u32);
        let Some(block) = self.block(id) else {
            return self.unseen(id);
        };
        if is_set(&block.closed, id) {
            return Sighting::Closed;
        }
        if !is_set(&block.seen, id) {
            return self.unseen(id);
        }
        if self.open.contains(&id) {
            return Sighting::Open;
        }
        let recent = self.recent.iter().find(|(recent, _)| *recent == id);
        Sighting::Since(recent.map_or(self.completed, |(_, at)| *at))
    }

    /// The newest transaction that was seen, as its source numbers it.
    #[must_use]
    pub fn newest(&self) -> Option<u32> {
        self.newest.map(|id| id as u32)
    }

    /// Whether an id is higher than all that were seen, by less than half of all ids.
    #[must_use]
    pub fn is_ahead(&self, id: u64) -> bool {
        self.newest
            .is_some_and(|newest| self.unwrapped(id as u32) > newest)
    }

    /// The ids that were completed last, the newest first, at most so many.
    #[must_use]
    pub fn last_completed(&self, max: usize) -> Vec<u32> {
        let newest = self.recent.iter().rev().map(|(id, _)| *id as u32);
        newest.take(max).collect()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        (self.cold.len() + self.hot.len()) * size_of::<Block>()
            + (self.recent.len() + self.open.len()) * size_of::<(u64, Heard)>()
    }

    /// The number of the block of an id that was just seen.
    #[must_use]
    pub fn block_of(&self, id: u32) -> u64 {
        self.unwrapped(id) / BLOCK_IDS
    }

    /// The numbers of all blocks.
    pub fn blocks(&self) -> impl Iterator<Item = u64> {
        let hot = self.hot.iter().map(|(number, _)| *number);
        self.cold.keys().copied().chain(hot)
    }

    /// A block as it is stored; `None` if there is none of this number.
    #[must_use]
    pub fn saved(&self, number: u64) -> Option<SavedBlock> {
        let block = self.block(number * BLOCK_IDS)?;
        Some(SavedBlock {
            number,
            seen: block.seen.to_vec(),
            closed: block.closed.to_vec(),
        })
    }

    /// The newest number, and the floor, as they are stored with the blocks.
    #[must_use]
    pub fn saved_bounds(&self) -> (Option<u64>, Option<u64>) {
        (self.newest, self.floor.map(|(floor, _)| floor))
    }

    /// Takes up what was stored. All that was seen then counts as complete: its log is read further.
    #[must_use]
    pub fn restored(
        (newest, floor): (Option<u64>, Option<u64>),
        blocks: impl IntoIterator<Item = SavedBlock>,
    ) -> Self {
        let blocks = blocks.into_iter().filter_map(|saved| {
            let block = Block {
                seen: saved.seen.try_into().ok()?,
                closed: saved.closed.try_into().ok()?,
            };
            Some((saved.number, Arc::new(block)))
        });
        let cold: BTreeMap<u64, Arc<Block>> = blocks.collect();
        let count = cold.values().map(|block| ids(block)).sum();
        Self {
            cold: Arc::new(cold),
            count,
            newest,
            floor: floor.map(|floor| (floor, Heard(0))),
            ..Self::default()
        }
    }

    fn is_complete(&mut self, id: u64, at: Heard) {
        let recent = Arc::make_mut(&mut self.recent);
        recent.push((id, at));
        if recent.len() > RECENT_MAX {
            let forgotten = recent.drain(..RECENT_MAX / 2).map(|(_, at)| at);
            self.completed = forgotten.fold(self.completed, Heard::max);
        }
    }

    fn unseen(&self, id: u64) -> Sighting {
        match self.floor {
            Some((floor, at)) if id < floor => Sighting::Below(at),
            _ => Sighting::Unseen,
        }
    }

    fn is_below(&self, id: u64) -> bool {
        self.floor.is_some_and(|(floor, _)| id < floor)
    }

    /// The number nearest to the newest one that an id may stand for.
    fn unwrapped(&self, id: u32) -> u64 {
        match self.newest {
            Some(newest) => {
                newest.wrapping_add_signed(i64::from(id.wrapping_sub(newest as u32) as i32))
            }
            None => ORIGIN + u64::from(id),
        }
    }

    fn block(&self, id: u64) -> Option<&Block> {
        let number = id / BLOCK_IDS;
        let hot = self.hot.iter().rev().find(|(hot, _)| *hot == number);
        let block = hot.map(|(_, block)| block);
        block
            .or_else(|| self.cold.get(&number))
            .map(|block| &**block)
    }

    /// Sets the bit of an id. Answers whether that is news.
    fn set(&mut self, id: u64, words: impl Fn(&mut Block) -> &mut [u64; WORDS]) -> bool {
        let (word, bit) = place(id);
        let word = &mut words(self.hot_block(id / BLOCK_IDS))[word];
        let is_news = *word & bit == 0;
        *word |= bit;
        is_news
    }

    /// The block of this number, to be changed.
    fn hot_block(&mut self, number: u64) -> &mut Block {
        let at = self.hot.iter().rposition(|(hot, _)| *hot == number);
        let at = at.unwrap_or_else(|| {
            if self.hot.len() == HOT_MAX {
                let (cooled, block) = self.hot.remove(0);
                Arc::make_mut(&mut self.cold).insert(cooled, block);
            }
            let known = self.cold.contains_key(&number);
            let block = if known {
                Arc::make_mut(&mut self.cold).remove(&number)
            } else {
                None
            };
            self.hot.push((number, block.unwrap_or_default()));
            self.hot.len() - 1
        });
        Arc::make_mut(&mut self.hot[at].1)
    }

    fn forget_beyond_the_bound(&mut self) {
        while self.count > APPLIED_IDS_MAX || self.cold.len() + self.hot.len() > BLOCKS_MAX {
            let hot = self.hot.iter().map(|(number, _)| *number).min();
            let cold = self.cold.first_key_value().map(|(number, _)| *number);
            let Some(lowest) = hot.into_iter().chain(cold).min() else {
                return;
            };
            let place = self.hot.iter().position(|(hot, _)| *hot == lowest);
            let block = match place {
                Some(place) => Some(self.hot.remove(place).1),
                None => Arc::make_mut(&mut self.cold).remove(&lowest),
            };
            self.count -= block.map_or(0, |block| ids(&block));
            let end = (lowest + 1) * BLOCK_IDS;
            let (floor, at) = self.floor.unwrap_or_default();
            self.floor = Some((floor.max(end), at.max(self.completed)));
            Arc::make_mut(&mut self.open).retain(|open| *open >= end);
        }
    }
}

fn ids(block: &Block) -> usize {
    let ones = block.seen.iter().map(|word| word.count_ones() as usize);
    ones.sum()
}

fn place(id: u64) -> (usize, u64) {
    let at = id % BLOCK_IDS;
    ((at / 64) as usize, 1 << (at % 64))
}

fn is_set(words: &[u64; WORDS], id: u64) -> bool {
    let (word, bit) = place(id);
    words[word] & bit != 0
}

#[cfg(test)]
mod tests;
