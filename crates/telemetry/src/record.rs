//! Recording: one function a metric or group of metrics, so that labels are spelled in one place.

use std::time::Duration;

use metrics::{Histogram, counter, gauge, histogram};

use crate::Metric;

/// What a change did to its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Upsert,
    Delete,
    Truncate,
    /// Older than what its key held, and dropped.
    Stale,
}

impl Operation {
    fn label(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::Truncate => "truncate",
            Self::Stale => "stale",
        }
    }
}

/// Counts changes. Once a batch, not once a change: the labels are looked up each time.
pub fn count_applied(table: &str, operation: Operation, changes: u64) {
    if changes > 0 {
        counter!(Metric::EventsAppliedTotal.name(), "table" => table.to_owned(), "op" => operation.label())
            .increment(changes);
    }
}

/// What a scrape says of one table.
#[derive(Clone, Copy, Debug)]
pub struct TableGauges<'a> {
    pub source: &'a str,
    pub table: &'a str,
    pub rows: u64,
    pub memory_bytes: u64,
    pub lag_ms: Option<u64>,
    pub commit_ms: Option<i64>,
}

pub fn record_table(table: &TableGauges<'_>) {
    let name = || table.table.to_owned();
    gauge!(Metric::Rows.name(), "table" => name()).set(table.rows as f64);
    gauge!(Metric::MemoryBytes.name(), "table" => name()).set(table.memory_bytes as f64);
    // Unknown is not zero: a gauge that once had a value must lose it again.
    let lag_s = table.lag_ms.map_or(f64::NAN, |ms| ms as f64 / 1000.0);
    gauge!(Metric::LagSeconds.name(), "source" => table.source.to_owned(), "table" => name())
        .set(lag_s);
    if let Some(ms) = table.commit_ms {
        let labels = [("source", table.source.to_owned()), ("table", name())];
        gauge!(Metric::LastCommitTimestampSeconds.name(), &labels).set(ms as f64 / 1000.0);
    }
}

/// What the checkpoint takes of the disk, and what it holds.
pub fn record_store(disk_bytes: u64, live_bytes: u64) {
    gauge!(Metric::CheckpointStoreBytes.name()).set(disk_bytes as f64);
    gauge!(Metric::CheckpointLiveBytes.name()).set(live_bytes as f64);
}

/// What all tables take, what they may take, and how many partitions wait for room.
pub fn record_memory(used_bytes: u64, max_bytes: Option<u64>, partitions_waiting: u64) {
    gauge!(Metric::MemoryUsedBytes.name()).set(used_bytes as f64);
    let max = max_bytes.map_or(f64::INFINITY, |bytes| bytes as f64);
    gauge!(Metric::MemoryMaxBytes.name()).set(max);
    gauge!(Metric::PartitionsAwaitingMemory.name()).set(partitions_waiting as f64);
}

/// Sets the state that holds to 1 and the other states to 0.
pub fn record_state(current: &str, all: &[&'static str]) {
    for state in all {
        let holds = if *state == current { 1.0 } else { 0.0 };
        gauge!(Metric::State.name(), "state" => *state).set(holds);
    }
}

pub fn record_consumer_lag(source: &str, topic: &str, partition: i32, records: u64) {
    let labels = [
        ("source", source.to_owned()),
        ("topic", topic.to_owned()),
        ("partition", partition.to_string()),
    ];
    gauge!(Metric::ConsumerLagRecords.name(), &labels).set(records as f64);
}

pub fn record_partitions_held(source: &str, partitions: u64) {
    gauge!(Metric::PartitionsAwaitingSchema.name(), "source" => source.to_owned())
        .set(partitions as f64);
}

/// One more request follows changes, or one less.
pub fn count_subscriber(change: f64) {
    gauge!(Metric::Subscribers.name()).increment(change);
}

/// One more request waits for tables, or one less.
pub fn count_waiter(change: f64) {
    gauge!(Metric::WaitWaiters.name()).increment(change);
}

/// A request waited so long, and its wait ended so.
pub fn record_wait(outcome: &'static str, waited: Duration) {
    histogram!(Metric::WaitDurationSeconds.name(), "outcome" => outcome).record(waited);
}

/// How long the records of one table were in one stage of their way. Kept by who publishes them, so that recording
/// looks nothing up.
#[derive(Clone, Debug)]
pub struct StageLag(Histogram);

impl StageLag {
    #[must_use]
    pub fn of(table: &str, stage: &'static str) -> Self {
        Self(
            histogram!(Metric::StageLagSeconds.name(), "table" => table.to_owned(), "stage" => stage),
        )
    }

    /// A clock that is behind makes it negative.
    pub fn record(&self, ms: i64) {
        self.0.record(ms as f64 / 1000.0);
    }
}

/// The durations of the requests of one route that ended with one status. Kept by who serves them,
/// so that recording looks nothing up.
#[derive(Clone)]
pub struct RequestDuration(Histogram);

impl RequestDuration {
    #[must_use]
    pub fn of(route: &'static str, status: u16) -> Self {
        Self(
            histogram!(Metric::RequestDurationSeconds.name(), "route" => route, "status" => status.to_string()),
        )
    }

    pub fn record(&self, duration: Duration) {
        self.0.record(duration);
    }
}
