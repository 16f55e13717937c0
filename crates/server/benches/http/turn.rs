//! One turn of a server, and the medians of several.

use std::time::Duration;

use crate::load::{self, Requests};
use crate::peers::Peer;

/// Not counted: connections are new, and caches are the last server's.
const WARM_UP: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub requests_per_s: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Of the server's CPU time.
    pub cpu_us_per_request: f64,
    /// Share of the time in which the generator waited: near zero, it would be what is measured.
    pub generator_idle: f64,
}

impl Turn {
    pub fn take(
        peer: &Peer,
        requests: &Requests,
        connections: usize,
        duration: Duration,
    ) -> anyhow::Result<Self> {
        load::run(peer.address(), requests, connections, WARM_UP)?;
        let cpu_before = peer.cpu_seconds()?;
        let mut answered = load::run(peer.address(), requests, connections, duration)?;
        let cpu_seconds = peer.cpu_seconds()? - cpu_before;
        let latencies = &mut answered.latencies_ns;
        latencies.sort_unstable();
        let percentile = |hundredths: usize| {
            let at = (latencies.len() * hundredths / 100).min(latencies.len() - 1);
            f64::from(latencies[at]) / 1e3
        };
        let count = latencies.len() as f64;
        let seconds = answered.took.as_secs_f64();
        Ok(Self {
            requests_per_s: count / seconds,
            p50_us: percentile(50),
            p99_us: percentile(99),
            cpu_us_per_request: cpu_seconds * 1e6 / count,
            generator_idle: answered.idle.as_secs_f64() / seconds,
        })
    }
}

/// The median of each figure by itself.
pub fn medians(turns: &[Turn]) -> Turn {
    let median = |value: fn(&Turn) -> f64| {
        let mut values: Vec<f64> = turns.iter().map(value).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Turn {
        requests_per_s: median(|turn| turn.requests_per_s),
        p50_us: median(|turn| turn.p50_us),
        p99_us: median(|turn| turn.p99_us),
        cpu_us_per_request: median(|turn| turn.cpu_us_per_request),
        generator_idle: median(|turn| turn.generator_idle),
    }
}
