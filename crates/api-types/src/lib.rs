//! The wire types of the HTTP API: what the server writes and what the remote verbs of the CLI read.
//!
//! Refuses to know rows: their JSON is rendered elsewhere and passes through here as raw text. Fields
//! appear in the order they are declared, which is the order the documentation shows them in.

#![forbid(unsafe_code)]

mod fresh;
mod memory;
mod problem;
mod quarantine;
mod rebuild;
mod rest;
mod rows;
mod sql;
mod status;
mod tables;
mod wait;

pub use fresh::{Bound, Fresh, Precision, State, Transactions};
pub use memory::{MemoryStatus, TableMemory};
pub use problem::{ErrorCode, PROBLEM_CONTENT_TYPE, Problem};
pub use quarantine::{
    QUARANTINE_BYTES_SHOWN_MAX, QuarantineOutcome, QuarantineRecord, QuarantineReplayResponse,
    QuarantineReplayed, QuarantineResponse,
};
pub use rebuild::{RebuildResponse, RebuildState, RebuildStatus};
pub use rest::{RestDetails, RestError, RestRelation};
pub use rows::{ListPlan, ListResponse, ListTail, RowResponse};
pub use sql::{SqlRequest, SqlResponse, SqlTail};
pub use status::{
    CheckpointState, CheckpointStatus, PartitionStatus, QUARANTINE_LISTED_MAX, QuarantineNote,
    SourceKind, SourceStatus, StageTimes, StartPhase, StartStatus, StatusResponse, TableStages,
    TableStart, TableStatus, Unknown,
};
pub use tables::{
    Cardinality, ColumnInfo, IndexInfo, IndexKind, IndexRemoved, IndexRequest, IndexResponse,
    IndexState, RelationInfo, TableInfo, TablesResponse,
};
pub use wait::WaitResponse;
