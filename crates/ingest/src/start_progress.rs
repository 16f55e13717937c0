//! How far a start is, how fast it goes and how long it may still take. Pure: the time is an argument.

use std::collections::VecDeque;

/// A rate is that of the last seconds: tables and topics differ.
const WINDOW_MS: i64 = 5_000;

/// Nothing is said of a rate before it has been looked at for so long.
const FIRST_RATE_MS: i64 = 200;

/// How often the past is remembered.
const MARK_EVERY_MS: i64 = 100;

/// What a starting pipeline is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartPhase {
    /// Finding out what the checkpoint holds: which tables there will be is not known.
    #[default]
    Opening,
    /// Rows of the checkpoint are loaded.
    Loading,
    /// Records that were in the log at the start are applied.
    CatchingUp,
    /// All of that is done.
    Started,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartProgress {
    pub phase: StartPhase,
    /// Rows loaded, or records applied.
    pub done: u64,
    /// About how many there are; `None` while that is not known.
    pub total: Option<u64>,
    pub per_s: Option<u64>,
    pub left_ms: Option<u64>,
}

impl StartProgress {
    /// From 0 to 1, where it is known how much there is.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some((self.done as f64 / total as f64).min(1.0))
    }
}

/// Makes a rate out of what was done when.
#[derive(Debug, Default)]
pub(crate) struct StartMeter {
    phase: StartPhase,
    /// Oldest first; all of this phase.
    marks: VecDeque<(i64, u64)>,
}

impl StartMeter {
    pub fn measure(
        &mut self,
        now_ms: i64,
        phase: StartPhase,
        done: u64,
        total: Option<u64>,
    ) -> StartProgress {
        if phase != self.phase {
            (self.phase, self.marks) = (phase, VecDeque::new());
        }
        while self.marks.len() > 1 && self.marks[1].0 <= now_ms - WINDOW_MS {
            self.marks.pop_front();
        }
        let per_s = self.marks.front().and_then(|(since_ms, before)| {
            let passed_ms = u64::try_from(now_ms - since_ms).ok()?;
            (passed_ms >= FIRST_RATE_MS.unsigned_abs())
                .then(|| done.saturating_sub(*before).saturating_mul(1_000) / passed_ms)
        });
        let newest = self.marks.back();
        if newest.is_none_or(|(at_ms, _)| now_ms - at_ms >= MARK_EVERY_MS) {
            self.marks.push_back((now_ms, done));
        }
        let left = total.map(|total| total.saturating_sub(done));
        let left_ms = left.and_then(|left| {
            let per_s = per_s.filter(|per_s| *per_s > 0)?;
            Some(left.saturating_mul(1_000) / per_s)
        });
        StartProgress {
            phase,
            done,
            total,
            per_s,
            left_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut meter = StartMeter::default();
        let mut measure = |now_ms, done| {
            let told = meter.measure(now_ms, StartPhase::Loading, done, Some(100_000));
            (told.per_s, told.left_ms)
        };
        assert_eq!(measure(0, 0), (None, None));
        assert_eq!(measure(150, 500), (None, None));
        assert_eq!(measure(1_000, 5_000), (Some(5_000), Some(19_000)));
        for second in 2..=20 {
            measure(second * 1_000, 5_000);
        }
        // Nothing was done for long: how long it takes cannot be told.
        assert_eq!(measure(21_000, 5_000), (Some(0), None));
        assert_eq!(measure(26_000, 30_000), (Some(5_000), Some(14_000)));
    }

    #[test]
    fn each_phase_is_measured_by_itself() {
        let mut meter = StartMeter::default();
        meter.measure(0, StartPhase::Loading, 0, Some(10));
        meter.measure(1_000, StartPhase::Loading, 10, Some(10));
        let told = meter.measure(2_000, StartPhase::CatchingUp, 3, None);
        assert_eq!((told.per_s, told.left_ms, told.share()), (None, None, None));
        let told = meter.measure(3_000, StartPhase::CatchingUp, 7, Some(9));
        assert_eq!((told.per_s, told.left_ms), (Some(4), Some(500)));
        assert_eq!(told.share(), Some(7.0 / 9.0));
    }

    #[test]
    fn a_clock_that_goes_back_says_nothing() {
        let mut meter = StartMeter::default();
        meter.measure(5_000, StartPhase::Loading, 10, Some(20));
        let told = meter.measure(1_000, StartPhase::Loading, 15, Some(20));
        assert_eq!((told.per_s, told.left_ms), (None, None));
    }
}
