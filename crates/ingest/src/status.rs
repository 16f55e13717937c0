//! What the pipeline tells about itself, beside the facts in the cuts. Written by the sequencer,
//! read by the status page and the probes.

use checkpoint_store::Space;
use parking_lot::Mutex;

use crate::quarantine::Quarantined;
use crate::rebuilds::RebuildReport;
use crate::stages::StageReport;
use crate::start_progress::StartProgress;

/// How a source stands to its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// Not everything that was there at the start has been found and read yet.
    CatchingUp,
    Live,
    /// It cannot be reached; it keeps trying.
    Unreachable,
}

#[derive(Clone, Debug)]
pub struct SourceReport {
    pub name: String,
    pub kind: &'static str,
    pub state: SourceState,
    pub detail: Option<String>,
    pub partitions: Vec<PartitionReport>,
    pub unreadable: u64,
}

#[derive(Clone, Debug)]
pub struct PartitionReport {
    pub topic: String,
    pub partition: i32,
    pub next_offset: u64,
    pub end_offset: Option<u64>,
    pub reached_end: bool,
    pub halted: Option<String>,
    /// Why the schema that its next record needs is not there.
    pub awaits: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CheckpointState {
    #[default]
    Ok,
    /// Kept in memory only.
    Volatile,
    Failing(CheckpointTrouble),
}

/// Checkpoints that fail, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointTrouble {
    /// What the last attempt met, and what would help.
    pub detail: String,
    /// When the first of them failed.
    pub since_ms: i64,
    pub attempts: u32,
}

#[derive(Clone, Debug, Default)]
pub struct CheckpointReport {
    pub state: CheckpointState,
    /// When the last one became durable, and its number.
    pub last_ms: Option<i64>,
    pub sequence: u64,
    pub space: Space,
    /// Since when the one that is on its way is being written.
    pub writing_since_ms: Option<i64>,
}

/// A table that is being loaded, or waits for its turn.
#[derive(Clone, Debug, PartialEq)]
pub struct TableLoading {
    pub name: String,
    /// Rows there are at most.
    pub rows_max: u64,
    /// How many of them are loaded, from 0 to 1.
    pub progress: f64,
}

/// How memory stands to its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReport {
    pub used_bytes: u64,
    /// `u64::MAX` if there is no limit.
    pub max_bytes: u64,
    /// Partitions whose next change would take too much.
    pub partitions_waiting: usize,
}

impl MemoryReport {
    /// Something waits for room, or what was loaded takes more than there should be.
    #[must_use]
    pub fn is_scarce(&self) -> bool {
        self.partitions_waiting > 0 || self.used_bytes > self.max_bytes
    }
}

/// Everything there is to say.
#[derive(Clone, Debug, Default)]
pub struct StatusReport {
    pub sources: Vec<SourceReport>,
    /// Tables of the checkpoint that are not loaded yet, in the order in which they will be.
    pub loading: Vec<TableLoading>,
    pub start: StartProgress,
    /// Everything that was in the log at the start has been applied once.
    pub started: bool,
    /// The pipeline's threads are running.
    pub running: bool,
    pub checkpoint: CheckpointReport,
    pub memory: MemoryReport,
    /// Where the time goes, by the name of each table of which the last minute's records tell it.
    pub stages: Vec<(String, StageReport)>,
    /// The newest rebuild of each table of which one was asked for.
    pub rebuilds: Vec<RebuildReport>,
    /// Oldest first.
    pub quarantine: Vec<Quarantined>,
    /// Which state of the quarantine that is.
    pub(crate) quarantine_changes: u64,
}

/// The newest report. Readers copy what they need and let go.
#[derive(Debug, Default)]
pub struct StatusBoard(Mutex<StatusReport>);

impl StatusBoard {
    /// Reads from the newest report.
    pub fn read<R>(&self, read: impl FnOnce(&StatusReport) -> R) -> R {
        read(&self.0.lock())
    }

    pub(crate) fn update(&self, update: impl FnOnce(&mut StatusReport)) {
        update(&mut self.0.lock());
    }
}
