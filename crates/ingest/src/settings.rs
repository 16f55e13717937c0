//! What the pipeline is told, and the limits on everything it holds.

use std::time::Duration;

use change_feed::{Decoder, Source};

use crate::retention::Keep;

/// Every bound of the pipeline, in one place.
pub mod limits {
    use std::time::Duration;

    /// Batches waiting before one decode worker, and before the sequencer. Full means back-pressure.
    pub const QUEUED_BATCHES_MAX: usize = 4;
    /// How long a source waits for a worker before it pauses that worker's partitions.
    pub const WORKER_PATIENCE: Duration = Duration::from_millis(20);
    /// Changes after which a cut is published even if more are waiting.
    pub const CUT_CHANGES_MAX: u64 = 8_192;
    /// How long a source may be quiet before the sequencer is told so.
    pub const QUIET_INTERVAL_MS: i64 = 20;
    /// How often the status board is brought up to date while records flow.
    pub const STATUS_INTERVAL_MS: i64 = 50;
    /// Longest wait of any thread of the pipeline for anything.
    pub const TICK: Duration = Duration::from_millis(20);
    /// Orders to one source that it has not yet taken.
    pub const SOURCE_ORDERS_MAX: usize = 65_536;
    /// Unreadable lines whose words are kept; all are counted.
    pub const UNREADABLE_KEPT_MAX: usize = 20;
    /// Decode workers, whatever the machine: more only wait for the sequencer.
    pub const DECODE_WORKERS_MAX: usize = 4;

    const _: () = assert!(QUEUED_BATCHES_MAX > 0 && DECODE_WORKERS_MAX > 0);
    const _: () = assert!(WORKER_PATIENCE.as_millis() <= TICK.as_millis());
}

/// What becomes of a table when a record of it cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadRecord {
    /// The record is put aside, the table goes on.
    #[default]
    Quarantine,
    /// The partition stops there and the table is stalled; other tables go on.
    Halt,
}

/// A table that config names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenTable {
    pub name: String,
    pub topic: String,
}

/// One source and how to read it.
pub struct SourceSetup {
    pub name: String,
    /// `kafka` or `file`, for the status.
    pub kind: &'static str,
    pub source: Box<dyn Source>,
    /// One decoder for each decode worker.
    pub decoder: Box<dyn Fn() -> Box<dyn Decoder> + Send>,
    pub on_bad_record: OnBadRecord,
    /// The source's end is final: nothing will ever follow (a file that is not followed).
    pub ends: bool,
}

/// Settings of the whole pipeline.
#[derive(Clone, Debug)]
pub struct Settings {
    pub tables: Vec<GivenTable>,
    pub checkpoint_interval: Duration,
    /// The checkpoint is kept in memory only: a restart reads the log from its start.
    pub volatile: bool,
    pub memory_bytes_max: u64,
    pub quarantine_bytes_max: u64,
    /// Sources and topics of theirs whose records are read and make no table.
    pub unserved: Vec<(String, String)>,
    /// How much is kept of the append-only tables of these topics.
    pub keep: Vec<(String, Keep)>,
}
