//! Where the time goes between a commit and its visibility: in the connector, on the way into the log, or here.
//!
//! Every record says when its source committed, when the connector saw that and what time it has in the log; when it
//! became visible is known here. The differences are told as they are: a negative one is a clock that goes wrong, and
//! is neither hidden nor made zero.
//!
//! Counted only while a table is live before and after a publication. What is read in a replay was committed long ago, and
//! that says nothing of the stages. What a live table gets late is counted whatever the reason: it was late.
//! Rows of snapshots have no commit of their own, and what is older than what is held was told before.
//!
//! Refuses to know the time: it is an argument. Times that a record does not have are unknown.

mod causes;
mod lags;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;

use row_model::{Change, ChangeBatch, ChangeKind, RecordFormat};

pub use lags::Lag;
use lags::Lags;

/// Half of what is remembered: a summary is of the last half minute and what there is of the one before.
const HALF_MS: i64 = 30_000;
/// Records of one publication that are counted. Of more, every second, every fourth, … is.
const SAMPLES_MAX: usize = 1_024;

/// A part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the commit to the connector.
    Connector,
    /// From there to the record's time in the log.
    Broker,
    /// From there to the cut that shows it.
    Rowtide,
}

impl Stage {
    pub const ALL: [Self; 3] = [Self::Connector, Self::Broker, Self::Rowtide];

    /// As it is spelled in metrics and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Broker => "broker",
            Self::Rowtide => "rowtide",
        }
    }
}

/// When a record was where; milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    commit: Option<i64>,
    connector: Option<i64>,
    broker: Option<i64>,
}

impl Times {
    fn of(batch: &ChangeBatch, change: &Change) -> Self {
        // An outbox event takes its record's time for the connector's, which says nothing of either.
        let is_own = batch.format != Some(RecordFormat::Outbox);
        Self {
            commit: change.commit_ms,
            connector: change.connector_ms.filter(|_| is_own),
            broker: batch.log_time_of(change.offset),
        }
    }

    /// How long it was in each stage, if it became visible then.
    fn stages(&self, visible_ms: i64) -> [Option<i64>; 3] {
        let between = |from: Option<i64>, to: Option<i64>| Some(to?.saturating_sub(from?));
        [
            between(self.commit, self.connector),
            between(self.connector, self.broker),
            between(self.broker, Some(visible_ms)),
        ]
    }
}

/// The stages of one table's newest records.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    /// What the next cut will show, as far as it is counted.
    unpublished: Vec<Times>,
    /// One of so many is counted, and how many were passed over since.
    stride: u32,
    passed_over: u32,
    newer: Option<Box<Half>>,
    older: Option<Box<Half>>,
}

/// What was published within half of the time that is remembered.
#[derive(Debug)]
struct Half {
    since_ms: i64,
    records: u64,
    /// Commit times there were, and those of them that have whole seconds.
    commits: u64,
    whole_seconds: u64,
    stages: [Lags; 3],
    /// From the commit to the log, and to the cut.
    to_log: Lags,
    whole: Lags,
}

/// What is known of a table's stages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageReport {
    /// Records that this is of, within the last minute.
    pub records: u64,
    /// In the order of [`Stage::ALL`]; `None` where records lack a time.
    pub stages: [Option<Lag>; 3],
    /// From the commit to the cut that shows it.
    pub whole: Option<Lag>,
    /// What it is due to, where that has a known cause, and what is wrong with the clocks.
    pub causes: Vec<String>,
}

impl Stages {
    /// Notes a change that the next cut shows.
    pub fn note(&mut self, batch: &ChangeBatch, change: &Change) {
        let is_of_rows = !matches!(
            change.kind,
            ChangeKind::Advance | ChangeKind::DeleteOfUnknown
        );
        // A tombstone follows the delete that has the times.
        let has_times = change.commit_ms.is_some() || change.connector_ms.is_some();
        if is_of_rows && has_times && change.snapshot.is_none() {
            self.add(Times::of(batch, change));
        }
    }

    fn add(&mut self, times: Times) {
        self.passed_over += 1;
        if self.passed_over < self.stride {
            return;
        }
        self.passed_over = 0;
        if self.unpublished.len() == SAMPLES_MAX {
            let mut at = 0;
            self.unpublished.retain(|_| {
                at += 1;
                at % 2 == 0
            });
            self.stride = self.stride.max(1) * 2;
        }
        self.unpublished.push(times);
    }

    /// They are visible from now on. Tells `record` how long each was in each stage, if they count.
    pub fn publish(&mut self, counts: bool, now_ms: i64, mut record: impl FnMut(Stage, i64)) {
        (self.stride, self.passed_over) = (0, 0);
        if !counts {
            return self.unpublished.clear();
        }
        if self.unpublished.is_empty() {
            return;
        }
        self.turn(now_ms);
        let half = self
            .newer
            .get_or_insert_with(|| Box::new(Half::since(now_ms)));
        for times in self.unpublished.drain(..) {
            for (stage, ms) in Stage::ALL.into_iter().zip(times.stages(now_ms)) {
                if let Some(ms) = ms {
                    record(stage, ms);
                }
            }
            half.add(&times, now_ms);
        }
    }

    /// What the last minute was like; `None` if it brought no record that has times.
    pub fn report(&mut self, now_ms: i64) -> Option<StageReport> {
        self.turn(now_ms);
        let halves = [self.newer.as_deref(), self.older.as_deref()];
        let halves: Vec<&Half> = halves.into_iter().flatten().collect();
        if halves.is_empty() {
            return None;
        }
        let sum = |count: fn(&Half) -> u64| halves.iter().map(|half| count(half)).sum::<u64>();
        let lags = |of: fn(&Half) -> &Lags| {
            let mut all = Lags::default();
            for half in &halves {
                all.merge(of(half));
            }
            all
        };
        let stages = [
            lags(|half| &half.stages[0]),
            lags(|half| &half.stages[1]),
            lags(|half| &half.stages[2]),
        ];
        let commits = sum(|half| half.commits);
        let seen = causes::Seen {
            has_whole_seconds: commits > 0 && commits == sum(|half| half.whole_seconds),
            to_log: &lags(|half| &half.to_log),
            whole: &lags(|half| &half.whole),
            stages: &stages,
        };
        Some(StageReport {
            records: sum(|half| half.records),
            stages: stages.each_ref().map(Lags::told),
            whole: seen.whole.told(),
            causes: causes::of(&seen),
        })
    }

    /// Lets go of what is too old.
    fn turn(&mut self, now_ms: i64) {
        let age = |half: &Option<Box<Half>>| half.as_ref().map(|half| now_ms - half.since_ms);
        // A clock that was set back ends a half too.
        let is_over = |age: i64, halves: i64| !(0..halves * HALF_MS).contains(&age);
        if age(&self.newer).is_some_and(|age| is_over(age, 1)) {
            self.older = self.newer.take();
        }
        if age(&self.older).is_some_and(|age| is_over(age, 2)) {
            self.older = None;
        }
    }
}

impl Half {
    fn since(since_ms: i64) -> Self {
        Self {
            since_ms,
            records: 0,
            commits: 0,
            whole_seconds: 0,
            stages: Default::default(),
            to_log: Lags::default(),
            whole: Lags::default(),
        }
    }

    fn add(&mut self, times: &Times, now_ms: i64) {
        self.records += 1;
        for (lags, ms) in self.stages.iter_mut().zip(times.stages(now_ms)) {
            if let Some(ms) = ms {
                lags.add(ms);
            }
        }
        let Some(commit) = times.commit else { return };
        self.commits += 1;
        self.whole_seconds += u64::from(commit % 1000 == 0);
        self.whole.add(now_ms - commit);
        if let Some(broker) = times.broker {
            self.to_log.add(broker - commit);
        }
    }
}
