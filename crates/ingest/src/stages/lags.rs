//! How long things took, counted by how long: a histogram of milliseconds that knows medians to an eighth.

/// Below it every millisecond has a bucket of its own.
const EXACT_MAX: u64 = 8;
/// Buckets of each doubling above.
const SHARES: u64 = 4;
/// Longer than a month is as long as a month.
const DOUBLINGS: usize = 29;
const BUCKETS: usize = EXACT_MAX as usize + DOUBLINGS * SHARES as usize;

/// Counts of durations, negative ones too.
#[derive(Clone, Debug)]
pub(crate) struct Lags {
    counts: [u32; BUCKETS],
    /// Of those below zero, by how far.
    below: [u32; BUCKETS],
    worst_ms: i64,
    total: u64,
}

impl Default for Lags {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            below: [0; BUCKETS],
            worst_ms: i64::MIN,
            total: 0,
        }
    }
}

/// What is told of durations. Medians and percentiles are right to an eighth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    pub median_ms: i64,
    pub p99_ms: i64,
    pub worst_ms: i64,
}

impl Lags {
    pub fn add(&mut self, ms: i64) {
        let counts = if ms < 0 {
            &mut self.below
        } else {
            &mut self.counts
        };
        let count = &mut counts[bucket_of(ms.unsigned_abs())];
        *count = count.saturating_add(1);
        self.worst_ms = self.worst_ms.max(ms);
        self.total += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        let pairs = self.counts.iter_mut().zip(&other.counts);
        for (own, more) in pairs.chain(self.below.iter_mut().zip(&other.below)) {
            *own = own.saturating_add(*more);
        }
        self.worst_ms = self.worst_ms.max(other.worst_ms);
        self.total += other.total;
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// So many of a hundred are not longer than this; `None` of nothing.
    pub fn percentile(&self, percent: u64) -> Option<i64> {
        let rank = (self.total * percent).div_ceil(100).max(1);
        let below = self.below.iter().enumerate().rev();
        let below = below.map(|(bucket, count)| (-(middle_of(bucket) as i64), count));
        let above = self.counts.iter().enumerate();
        let above = above.map(|(bucket, count)| (middle_of(bucket) as i64, count));
        let mut seen = 0;
        let mut all = below.chain(above);
        all.find_map(|(ms, count)| {
            seen += u64::from(*count);
            (seen >= rank).then_some(ms.min(self.worst_ms))
        })
    }

    pub fn told(&self) -> Option<Lag> {
        Some(Lag {
            median_ms: self.percentile(50)?,
            p99_ms: self.percentile(99)?,
            worst_ms: self.worst_ms,
        })
    }
}

fn bucket_of(ms: u64) -> usize {
    if ms < EXACT_MAX {
        return ms as usize;
    }
    // The doubling, counted from the first that is not exact, and the two bits below the highest.
    let doubling = u64::from(ms.ilog2()) - u64::from(EXACT_MAX.ilog2());
    let share = (ms >> (ms.ilog2() - SHARES.ilog2())) & (SHARES - 1);
    let bucket = EXACT_MAX + doubling * SHARES + share;
    (bucket as usize).min(BUCKETS - 1)
}

/// The duration in the middle of a bucket.
fn middle_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT_MAX {
        return bucket;
    }
    let (doubling, share) = ((bucket - EXACT_MAX) / SHARES, (bucket - EXACT_MAX) % SHARES);
    let first = EXACT_MAX << doubling;
    let width = first / SHARES;
    first + share * width + width / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn percentiles_are_right_to_an_eighth(
            mut all in prop::collection::vec(-3_000_i64..3_000_000, 1..200),
            percent in 1_u64..=100,
        ) {
            let (mut left, mut right) = (Lags::default(), Lags::default());
            for (at, ms) in all.iter().enumerate() {
                [&mut left, &mut right][at % 2].add(*ms);
            }
            left.merge(&right);
            all.sort_unstable();
            let rank = (all.len() as u64 * percent).div_ceil(100) as usize;
            let (exact, told) = (all[rank - 1], left.percentile(percent).unwrap());
            prop_assert!((told - exact).abs() <= exact.abs() / 8 + 1, "{told} for {exact}");
            prop_assert_eq!(left.told().unwrap().worst_ms, *all.last().unwrap());
        }

        #[test]
        fn every_duration_has_a_bucket(ms: u64) {
            prop_assert!(bucket_of(ms) < BUCKETS);
        }
    }
}
