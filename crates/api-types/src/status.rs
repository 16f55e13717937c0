//! `GET /v1/status`: where every source, table and the checkpoint stand, and what is wrong if something is.

use serde::{Deserialize, Serialize};

use crate::{Fresh, MemoryStatus, RebuildStatus, State, TableMemory};

/// Quarantined records that the status lists, newest first. The rest is under `GET /v1/quarantine`.
pub const QUARANTINE_LISTED_MAX: usize = 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusResponse {
    pub sources: Vec<SourceStatus>,
    pub tables: Vec<TableStatus>,
    /// The newest, at most [`QUARANTINE_LISTED_MAX`].
    pub quarantine: Vec<QuarantineNote>,
    pub checkpoint: CheckpointStatus,
    /// How far the start is.
    #[serde(default)]
    pub start: StartStatus,
    #[serde(default)]
    pub memory: MemoryStatus,
    pub fresh: Fresh,
}

/// How far a server is that was started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StartStatus {
    pub phase: StartPhase,
    /// Rows loaded, or records applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// About how many there are, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_s: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
    /// What is not loaded yet, in the order in which it will be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableStart>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartPhase {
    /// Finding out what the checkpoint holds.
    Opening,
    /// Loading its rows.
    Loading,
    /// Applying the records that were there at the start.
    CatchingUp,
    #[default]
    Started,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableStart {
    pub name: String,
    /// Of its rows, from 0 to 1.
    pub progress: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    pub name: String,
    pub kind: SourceKind,
    pub state: State,
    /// What is wrong and what would help.
    pub detail: Option<String>,
    pub partitions: Vec<PartitionStatus>,
    /// Lines of record files, or their like, that are no records at all.
    pub unreadable: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    Kafka,
    File,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionStatus {
    pub topic: String,
    pub partition: i32,
    /// Offset of the next record to read.
    pub next_offset: u64,
    /// Offset of the next record to be written, as last heard of.
    pub end_offset: Option<u64>,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableStatus {
    pub name: String,
    pub topic: String,
    pub rows: u64,
    pub bytes: u64,
    /// What the bytes are for.
    #[serde(default)]
    pub memory: TableMemory,
    pub state: State,
    pub quarantined: u64,
    /// Why it is not live, or not complete, and what would help.
    pub reason: Option<String>,
    /// What its records cannot say, and what is not as the configuration wanted it: each with what
    /// would help.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Where the time goes between a commit and its visibility. `None` while the last minute brought no record that
    /// tells, or the table is not live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<TableStages>,
    /// What `fresh` or `stages` cannot say, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Unknown>,
    /// The newest rebuild that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<RebuildStatus>,
    pub fresh: Fresh,
}

/// Where the records of the last minute lost their time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStages {
    /// How many there were, or of how many this is told.
    pub records: u64,
    /// From the commit to the connector.
    pub connector: Option<StageTimes>,
    /// From there to the record's time in the log.
    pub broker: Option<StageTimes>,
    /// From there to the cut that shows it.
    pub rowtide: Option<StageTimes>,
    /// From the commit to the cut that shows it.
    pub whole: Option<StageTimes>,
    /// What it is due to where that is known, with the setting that mends it, and clocks that disagree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

/// How long a stage took. Negative if one clock is behind another. The first two are right to an eighth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTimes {
    pub median_ms: i64,
    pub p99_ms: i64,
    pub worst_ms: i64,
}

/// Something that is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// As it is called in `fresh`, or `stages`, or `stages.connector`.
    pub field: String,
    pub reason: String,
}

/// A record that could not be applied, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineNote {
    pub topic: String,
    pub partition: i32,
    pub offset: u64,
    /// Milliseconds since 1970, as the broker has them.
    pub timestamp: Option<i64>,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointStatus {
    pub state: CheckpointState,
    /// How long ago the last one became durable. `None` if none did yet.
    pub last_ms: Option<u64>,
    /// Its number; each is one more than the last.
    #[serde(default)]
    pub sequence: u64,
    /// What it takes of the disk.
    #[serde(default)]
    pub store_bytes: u64,
    /// Rows and notes that it holds, each counted once.
    #[serde(default)]
    pub live_bytes: u64,
    /// How often this process has written it anew because it had grown.
    #[serde(default)]
    pub rewrites: u64,
    /// How long the one that is on its way has been written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writing_ms: Option<u64>,
    /// For how long every attempt has failed, and how many there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_attempts: Option<u32>,
    /// What is wrong and what would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointState {
    Ok,
    /// Nothing is written to disk: a restart reads the log from its start.
    Memory,
    /// The last attempt failed. Serving goes on; a restart would resume from further back.
    Failing,
}
