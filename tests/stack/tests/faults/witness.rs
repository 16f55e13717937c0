//! Reads all the time, and holds every answer to what it says of its own age.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use black_box::exact::Exact;
use black_box::wait;
use parking_lot::Mutex;
use real_stack::Follower;
use ureq::Agent;

use crate::writers::{Beats, now};

const PAUSE: Duration = Duration::from_millis(20);

/// Times are told in whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(5);

/// How much later than its commit a change may be in the log while the connector runs, on a busy machine, and what
/// `lag_ms` may be too small by when a network falls silent.
const ON_ITS_WAY: Duration = Duration::from_millis(2_500);

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What goes on that answers are to be judged by.
#[derive(Default)]
struct Circumstances {
    ended: AtomicBool,
    /// The process is being ended or started.
    restarting: AtomicBool,
    /// Whatever is committed is in the log at once.
    connector_runs: AtomicBool,
    /// The connector streams once more what its newest snapshot shows.
    snapshot_is_ahead: AtomicBool,
    wrong: Mutex<Vec<String>>,
}

pub struct Witness {
    circumstances: Arc<Circumstances>,
    thread: Option<JoinHandle<usize>>,
}

impl Witness {
    pub fn start(follower: &Follower, beats: Arc<Beats>) -> Self {
        let circumstances = Arc::<Circumstances>::default();
        let eyes = Eyes {
            data: follower.site().data_address(),
            admin: follower.site().admin_address(),
            agent: Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(REQUEST_TIMEOUT))
                .build()
                .into(),
            circumstances: Arc::clone(&circumstances),
            beats,
            newest: 0,
        };
        Self {
            circumstances,
            thread: Some(thread::spawn(move || eyes.look())),
        }
    }

    /// From now on what is committed is in the log a moment later, and what `lag_ms` says can be held to that.
    pub fn connector_runs(&self, runs: bool) {
        self.circumstances
            .connector_runs
            .store(runs, Ordering::SeqCst);
    }

    /// From now on a row may go back to what it was before the snapshot: docs/operating.md says why.
    pub fn snapshot_is_ahead(&self) {
        self.circumstances
            .snapshot_is_ahead
            .store(true, Ordering::SeqCst);
    }

    /// Does something to the process during which it need not answer, and may go back to its checkpoint.
    pub fn excuses(&self, restart: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.circumstances.restarting.store(true, Ordering::SeqCst);
        let done = restart();
        self.circumstances.restarting.store(false, Ordering::SeqCst);
        done
    }

    /// What it saw that was not true.
    pub fn end(mut self) -> anyhow::Result<()> {
        self.circumstances.ended.store(true, Ordering::SeqCst);
        let seen = self.thread.take().map(JoinHandle::join);
        let Some(Ok(seen)) = seen else {
            bail!("the witness panicked");
        };
        let wrong = self.circumstances.wrong.lock();
        ensure!(
            wrong.is_empty(),
            "{} answers of {seen} lied: {}",
            wrong.len(),
            wrong[..wrong.len().min(5)].join("\n")
        );
        ensure!(seen > 0, "the witness saw nothing");
        Ok(())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.circumstances.ended.store(true, Ordering::SeqCst);
    }
}

struct Eyes {
    data: String,
    admin: String,
    agent: Agent,
    circumstances: Arc<Circumstances>,
    beats: Arc<Beats>,
    newest: i64,
}

impl Eyes {
    fn look(mut self) -> usize {
        let mut seen = 0;
        while !self.circumstances.ended.load(Ordering::SeqCst) {
            let excused = self.circumstances.restarting.load(Ordering::SeqCst);
            let judged = self.judge();
            if excused || self.circumstances.restarting.load(Ordering::SeqCst) {
                self.newest = 0;
            } else {
                seen += 1;
                if let Err(lie) = judged {
                    self.circumstances.wrong.lock().push(format!("{lie:#}"));
                }
            }
            wait::pass(PAUSE);
        }
        seen
    }

    fn judge(&mut self) -> anyhow::Result<()> {
        for probe in ["livez", "readyz"] {
            let (status, said) = self.get(&self.admin, probe)?;
            ensure!(status == 200, "/{probe}: {status} {said}");
        }
        let asked = now();
        let (status, text) = self.get(&self.data, "v1/tables/pulse/rows/1")?;
        ensure!(status == 200, "a row that is there: {status} {text}");
        let answer = Exact::parse(&text).with_context(|| text.clone())?;
        let beat = answer
            .get("row")
            .get("beat")
            .as_integer()
            .with_context(|| text.clone())?;
        let goes_on = !self.circumstances.snapshot_is_ahead.load(Ordering::SeqCst);
        ensure!(
            self.newest <= beat || !goes_on,
            "it went back from {} to {beat}: {text}",
            self.newest
        );
        self.newest = beat;
        let fresh = answer.get("fresh");
        let lag = |name: &str| {
            fresh
                .get(name)
                .as_integer()
                .and_then(|ms| u64::try_from(ms).ok())
        };
        // Of whole transactions none is shown before an earlier one; else a heartbeat may overtake what was committed before it.
        let in_order = *fresh.get("transactions") == Exact::text("whole");
        if let Some(ms) = lag("source_lag_ms").filter(|_| in_order) {
            let until = asked.checked_sub(Duration::from_millis(ms) + ROUNDING);
            let due = until.map_or(0, |until| self.beats.at(until));
            ensure!(
                due <= beat,
                "source_lag_ms: {due} was committed before then, {beat} is shown: {text}"
            );
        }
        if let Some(ms) =
            lag("lag_ms").filter(|_| self.circumstances.connector_runs.load(Ordering::SeqCst))
        {
            let until = asked.checked_sub(Duration::from_millis(ms) + ON_ITS_WAY);
            let due = until.map_or(0, |until| self.beats.at(until));
            ensure!(
                due <= beat,
                "lag_ms: {due} was in the log before then, {beat} is shown: {text}"
            );
        }
        Ok(())
    }

    fn get(&self, address: &str, path: &str) -> anyhow::Result<(u16, String)> {
        let response = self.agent.get(format!("http://{address}/{path}")).call();
        let mut response = response.with_context(|| format!("GET /{path}"))?;
        Ok((
            response.status().as_u16(),
            response.body_mut().read_to_string()?,
        ))
    }
}
