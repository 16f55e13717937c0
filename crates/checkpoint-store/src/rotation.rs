//! Decides which chunks a checkpoint rewrites. Pure: chunks, numbers, no IO.
//!
//! A chunk is *in debt* from the first delta that holds one of its rows until it is rewritten;
//! a delta can go when no chunk is in debt since it or before. Every byte of delta earns
//! [`REWRITE_FACTOR`] bytes of credit, and credit buys rewrites, oldest debt first.
//!
//! Invariant: after a delta, at most one table's worth of bytes has to be rewritten before it can
//! go, and that much is earned by `1 / REWRITE_FACTOR` as many bytes of later deltas. So the
//! deltas kept never exceed that share of the bases, plus the last checkpoints' own. Chunks that
//! do not change cost nothing.

use std::collections::BTreeSet;

use row_model::SlotId;

use crate::ChunkId;
use crate::limits::{DELTA_CHARGE_MIN, REWRITE_FACTOR};

/// Which chunks of one table are in debt, since when, and how much rewriting is due.
#[derive(Debug, Default)]
pub(crate) struct Rotation {
    debts: BTreeSet<(u64, ChunkId)>,
    credit: u64,
}

impl Rotation {
    pub fn new(credit: u64, debts: impl IntoIterator<Item = (u64, ChunkId)>) -> Self {
        Self {
            debts: debts.into_iter().collect(),
            credit,
        }
    }

    pub fn credit(&self) -> u64 {
        self.credit
    }

    /// The chunks whose turn it is: as many as the credit buys.
    pub fn due(&self, base_bytes: impl Fn(ChunkId) -> u64) -> Vec<ChunkId> {
        let mut left = self.credit;
        let affordable = |&(_, chunk): &(u64, ChunkId)| {
            let price = price(base_bytes(chunk));
            (price <= left).then(|| {
                left -= price;
                chunk
            })
        };
        self.debts.iter().map_while(affordable).collect()
    }

    /// A delta was written. `newly_in_debt` are its chunks that were in no debt before.
    pub fn delta_written(&mut self, sequence: u64, bytes: u64, newly_in_debt: &[ChunkId]) {
        self.credit = self
            .credit
            .saturating_add(charge(bytes).saturating_mul(REWRITE_FACTOR));
        self.debts
            .extend(newly_in_debt.iter().map(|chunk| (sequence, *chunk)));
    }

    /// A chunk was rewritten. Only one that was due is paid for: what is rewritten for other
    /// reasons must not hold up those whose turn it is.
    pub fn chunk_rewritten(
        &mut self,
        chunk: ChunkId,
        first_delta: u64,
        was_due: bool,
        base_bytes_before: u64,
    ) {
        self.debts.remove(&(first_delta, chunk));
        if was_due {
            self.credit = self.credit.saturating_sub(price(base_bytes_before));
        }
        if self.debts.is_empty() {
            self.credit = 0;
        }
    }

    /// Sequence of the oldest delta that must be kept, if any must.
    pub fn oldest_delta_needed(&self) -> Option<u64> {
        self.debts.first().map(|(sequence, _)| *sequence)
    }
}

/// What a delta counts for: small ones more than their bytes, because each costs a value.
pub(crate) fn charge(delta_bytes: u64) -> u64 {
    delta_bytes.max(DELTA_CHARGE_MIN)
}

/// Chunks of which at least half is dirty, or that are so small that a delta would cost as much.
pub(crate) fn cheaper_rewritten(
    dirty: &[SlotId],
    slots_in_table: u32,
    base_bytes: impl Fn(ChunkId) -> Option<u64>,
) -> Vec<ChunkId> {
    let mut slots = dirty.to_vec();
    slots.sort_unstable();
    let rewrite = |dirty: &[SlotId]| {
        let chunk = ChunkId::of(*dirty.first()?);
        let mostly_dirty = 2 * dirty.len() >= chunk.slots(slots_in_table).len();
        let small = base_bytes(chunk).is_some_and(|bytes| bytes <= DELTA_CHARGE_MIN);
        (mostly_dirty || small).then_some(chunk)
    };
    slots
        .chunk_by(|a, b| ChunkId::of(*a) == ChunkId::of(*b))
        .filter_map(rewrite)
        .collect()
}

/// Even an empty chunk costs its records.
fn price(base_bytes: u64) -> u64 {
    charge(base_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 100_000;

    fn slots(numbers: impl IntoIterator<Item = u32>) -> Vec<SlotId> {
        numbers.into_iter().map(SlotId).collect()
    }

    #[test]
    fn a_chunk_is_rewritten_when_half_of_it_changed() {
        let rewritten = |dirty: Vec<SlotId>| cheaper_rewritten(&dirty, 2_000, |_| Some(BASE));
        assert_eq!(rewritten(slots(0..512)), [ChunkId(0)]);
        assert_eq!(rewritten(slots(0..511)), []);
        // The last chunk of this table has 976 slots.
        assert_eq!(rewritten(slots((1_024..1_512).rev())), [ChunkId(1)]);
        assert_eq!(rewritten(slots(0..2_000)), [ChunkId(0), ChunkId(1)]);
        assert_eq!(rewritten(slots([])), []);
    }

    #[test]
    fn a_small_chunk_is_always_rewritten_and_a_new_one_is_not_taken_for_small() {
        assert_eq!(
            cheaper_rewritten(&slots([5]), 1_024, |_| Some(4_096)),
            [ChunkId(0)]
        );
        assert_eq!(cheaper_rewritten(&slots([5]), 1_024, |_| None), []);
    }

    #[test]
    fn credit_buys_the_oldest_debts() {
        let mut rotation = Rotation::default();
        rotation.delta_written(7, 120_000, &[ChunkId(4), ChunkId(2)]);
        rotation.delta_written(8, 120_000, &[ChunkId(1)]);
        assert_eq!(rotation.due(|_| BASE), [ChunkId(2), ChunkId(4)]);
        rotation.chunk_rewritten(ChunkId(2), 7, true, BASE);
        assert_eq!(rotation.oldest_delta_needed(), Some(7));
        rotation.chunk_rewritten(ChunkId(4), 7, true, BASE);
        assert_eq!(rotation.oldest_delta_needed(), Some(8));
        assert_eq!(
            (rotation.credit(), rotation.due(|_| BASE)),
            (40_000, vec![])
        );
    }

    #[test]
    fn rewrites_out_of_turn_are_free_and_paid_debts_end_the_credit() {
        let mut rotation = Rotation::new(BASE, [(3, ChunkId(0)), (4, ChunkId(9))]);
        rotation.chunk_rewritten(ChunkId(9), 4, false, BASE);
        assert_eq!(rotation.credit(), BASE);
        rotation.chunk_rewritten(ChunkId(0), 3, true, 10);
        assert_eq!(
            (rotation.credit(), rotation.oldest_delta_needed()),
            (0, None)
        );
    }

    /// Deltas of many sizes over many chunks, hot and cold: the bound of the module's doc.
    #[test]
    fn deltas_stay_below_their_share() {
        for seed in 1..40_u64 {
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut next = |below: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % below
            };
            let chunks = 5 + next(60) as u32;
            let delta_max = 1 + next(80_000);
            let hot = 1 + next(u64::from(chunks)) as u32;
            let mut rotation = Rotation::default();
            let mut debt_since = vec![0_u64; chunks as usize];
            let mut kept: Vec<(u64, u64)> = Vec::new();
            for sequence in 1..3_000_u64 {
                for chunk in rotation.due(|_| BASE) {
                    let since = std::mem::take(&mut debt_since[chunk.0 as usize]);
                    rotation.chunk_rewritten(chunk, since, true, BASE);
                }
                let touched: BTreeSet<u32> = (0..=next(20))
                    .map(|_| {
                        let reach = if next(4) == 0 { chunks } else { hot };
                        next(u64::from(reach)) as u32
                    })
                    .collect();
                let newly: Vec<ChunkId> = touched
                    .into_iter()
                    .filter(|chunk| debt_since[*chunk as usize] == 0)
                    .map(ChunkId)
                    .collect();
                for chunk in &newly {
                    debt_since[chunk.0 as usize] = sequence;
                }
                let bytes = charge(1 + next(delta_max));
                rotation.delta_written(sequence, bytes, &newly);
                kept.push((sequence, bytes));
                let needed = rotation.oldest_delta_needed().unwrap_or(u64::MAX);
                kept.retain(|(sequence, _)| *sequence >= needed);
                let total: u64 = kept.iter().map(|(_, bytes)| bytes).sum();
                let share = BASE * u64::from(chunks) / REWRITE_FACTOR;
                // One delta is written before its credit is spent, one chunk's price may be left over.
                let slack = 2 * charge(delta_max) + BASE;
                assert!(
                    total <= share + slack,
                    "seed {seed}: {total} bytes of deltas, {share} allowed"
                );
            }
        }
    }
}
