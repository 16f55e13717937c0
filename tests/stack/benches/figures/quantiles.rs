//! Quantiles of durations, and medians of figures over rounds.

use std::time::Duration;

/// In milliseconds: p50, p95, p99.
pub type Quantiles = [f64; 3];

/// Of at least one duration.
pub fn of(durations: impl Iterator<Item = Duration>) -> Quantiles {
    let mut ms: Vec<f64> = durations.map(|it| it.as_secs_f64() * 1e3).collect();
    ms.sort_unstable_by(f64::total_cmp);
    [50, 95, 99].map(|percent| ms[(ms.len() * percent / 100).min(ms.len() - 1)])
}

/// The middle one of at least one figure.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Each quantile's median over rounds.
pub fn medians(rounds: &[Quantiles]) -> Quantiles {
    [0, 1, 2].map(|at| median(rounds.iter().map(|round| round[at])))
}
