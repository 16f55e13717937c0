//! When what happened to each probe, on one clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use telemetry::clock;

use crate::load::PROBES_PER_S;

/// Moments of all probes of a run.
pub struct Moments {
    began: Instant,
    probes: Vec<Noted>,
    newest: AtomicU64,
}

/// Nanoseconds since the beginning; zero where it has not happened.
#[derive(Default)]
struct Noted {
    sent: AtomicU64,
    row_received: AtomicU64,
    end_received: AtomicU64,
    /// Of whatever belongs to it.
    last_received: AtomicU64,
}

/// What is known of a probe, as times since the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub sent: Duration,
    pub row_received: Duration,
    pub end_received: Duration,
    pub last_received: Duration,
    pub visible: Duration,
}

impl Moments {
    pub fn for_a_run_of(time: Duration) -> Arc<Self> {
        // The server's start takes time, too.
        let probes = PROBES_PER_S * (time.as_secs() + 60);
        Arc::new(Self {
            began: clock::monotonic(),
            probes: (0..probes).map(|_| Noted::default()).collect(),
            newest: AtomicU64::new(0),
        })
    }

    pub fn now(&self) -> Duration {
        clock::monotonic() - self.began
    }

    pub fn has_room_for(&self, probe: u64) -> bool {
        (probe as usize) < self.probes.len()
    }

    /// The probe that was sent last.
    pub fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    pub fn sent(&self, probe: u64) {
        self.note(probe, |noted| &noted.sent);
        self.newest.store(probe, Ordering::Release);
    }

    pub fn row_received(&self, probe: u64) {
        self.note(probe, |noted| &noted.row_received);
    }

    pub fn end_received(&self, probe: u64) {
        self.note(probe, |noted| &noted.end_received);
    }

    /// Called for each record of a probe: the last of them stays.
    pub fn any_received(&self, probe: u64) {
        self.note(probe, |noted| &noted.last_received);
    }

    fn note(&self, probe: u64, which: fn(&Noted) -> &AtomicU64) {
        if let Some(noted) = self.probes.get(probe as usize) {
            which(noted).store(self.now().as_nanos() as u64, Ordering::Release);
        }
    }

    /// A probe that the consumer has received whole.
    pub fn of(&self, probe: u64, visible: Duration) -> Option<Probe> {
        let noted = self.probes.get(probe as usize)?;
        let moment = |at: &AtomicU64| {
            let at = at.load(Ordering::Acquire);
            (at > 0).then(|| Duration::from_nanos(at))
        };
        Some(Probe {
            sent: moment(&noted.sent)?,
            row_received: moment(&noted.row_received)?,
            end_received: moment(&noted.end_received)?,
            last_received: moment(&noted.last_received)?,
            visible,
        })
    }
}

/// Two quantiles of some times.
#[derive(Clone, Copy, Debug)]
pub struct Quantiles {
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Quantiles {
    /// Of one time at least.
    pub fn of(times: impl Iterator<Item = Duration>) -> Self {
        let mut ms: Vec<f64> = times.map(|time| time.as_secs_f64() * 1e3).collect();
        ms.sort_unstable_by(f64::total_cmp);
        let quantile = |hundredths: usize| ms[(ms.len() * hundredths / 100).min(ms.len() - 1)];
        Self {
            p50_ms: quantile(50),
            p99_ms: quantile(99),
        }
    }
}
