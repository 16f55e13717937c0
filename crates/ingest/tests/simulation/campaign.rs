//! Many seeds on all cores: stops at the first that fails, and tells how to see it again.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use telemetry::clock;

use crate::canary::Canary;
use crate::coverage::Coverage;
use crate::scenario;
use crate::trace::Trace;

/// Which seeds, and for how long at most.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    pub first: u64,
    pub seeds: u64,
    pub time_max: Option<Duration>,
    pub canary: Canary,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    pub seeds: u64,
    pub coverage: Coverage,
    /// The smallest seed that failed, and what was wrong.
    pub failure: Option<(u64, String)>,
    pub took: Duration,
}

impl Campaign {
    pub fn run(&self) -> Outcome {
        let begun = clock::monotonic();
        let next = AtomicU64::new(self.first);
        let stop_at = AtomicU64::new(self.first.saturating_add(self.seeds));
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let outcomes: Vec<Outcome> = thread::scope(|scope| {
            let work = || self.work(&next, &stop_at);
            let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let done = running.into_iter().map(|worker| worker.join());
            done.map(|outcome| outcome.expect("what a seed panics with is caught"))
                .collect()
        });
        let mut all = Outcome::default();
        for outcome in outcomes {
            all.seeds += outcome.seeds;
            all.coverage.add(&outcome.coverage);
            all.failure = match (all.failure.take(), outcome.failure) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        all.took = clock::monotonic() - begun;
        all
    }

    fn work(&self, next: &AtomicU64, stop_at: &AtomicU64) -> Outcome {
        let mut outcome = Outcome::default();
        let deadline = self.time_max.map(|max| clock::monotonic() + max);
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let is_over = deadline.is_some_and(|deadline| clock::monotonic() >= deadline);
            if is_over || seed >= stop_at.load(Ordering::Relaxed) {
                return outcome;
            }
            let trace = Trace::default();
            let result = attempt(seed, self.canary, &trace);
            outcome.seeds += 1;
            outcome.coverage.add(&trace.coverage());
            if let Err(wrong) = result {
                // Smaller ones are still finished by whoever has them.
                stop_at.fetch_min(seed, Ordering::Relaxed);
                outcome.failure = Some((seed, wrong));
                return outcome;
            }
        }
    }
}

/// Runs a seed; a panic is what is wrong with it.
pub fn attempt(seed: u64, canary: Canary, trace: &Trace) -> Result<(), String> {
    let run = AssertUnwindSafe(|| scenario::play(seed, canary, trace));
    catch_unwind(run).unwrap_or_else(|panic| Err(format!("it panicked: {}", said(&*panic))))
}

/// Runs a seed again and tells its last events.
pub fn replayed(seed: u64, canary: Canary, lines_max: usize) -> String {
    let trace = Trace::keeping(lines_max);
    let result = attempt(seed, canary, &trace);
    let wrong = result
        .err()
        .unwrap_or_else(|| "nothing is wrong".to_owned());
    format!(
        "{}\nseed {seed}: {wrong}\ntrace {:016x}\nto see it again: cargo xtask simulate --seed {seed} --seeds 1",
        trace.lines().join("\n"),
        trace.hash()
    )
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        let each = self.seeds as f64 / seconds.max(f64::MIN_POSITIVE);
        let Self {
            seeds, coverage, ..
        } = self;
        write!(
            f,
            "{coverage}{seeds} seeds in {seconds:.1} s, {each:.0} seeds/s"
        )
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}
