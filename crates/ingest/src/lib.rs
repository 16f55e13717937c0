//! The pipeline: records of all sources ▶ tables, cuts, checkpoints.
//!
//! ```text
//! source thread ─▶ decode workers (by partition) ─▶ sequencer thread ─▶ cut published
//!      ▲   start, pause, acknowledge                     │
//!      └─────────────────────────────────────────────────┴─▶ checkpoint thread
//! ```
//! A partition whose records need a schema of a registry waits in its worker until a thread beside it
//! has brought the schema; the other partitions go on.
//!
//! Everything that decides is plain synchronous code without threads ([`Sequencer`] and the pure
//! modules beside it), so that tests and simulations step it; [`Pipeline`] only runs it.
//! Refuses to know HTTP, queries, brokers and formats.
//!
//! Invariant: the broker is told that a record is done only after a checkpoint that holds its
//! effect is durable, and a checkpoint's rows and offsets are those of one published cut.

#![forbid(unsafe_code)]

mod apply;
mod attempts;
mod beside;
mod checkpoint_thread;
mod checkpoints;
mod completeness;
mod confirmations;
mod connector_positions;
mod control;
mod copies;
mod decode_worker;
mod deliver;
mod deliveries;
mod epochs;
mod freshness;
mod gates;
mod held;
mod holding;
mod indexes;
pub mod inspect;
mod kept;
mod kept_indexes;
mod key_changes;
mod keyed_twin;
mod keyless;
mod lacks;
mod late;
mod links;
mod loading;
mod log_ends;
mod memory;
mod merge;
mod messages;
mod multisets;
mod notes;
mod offline;
mod owed;
mod pairs;
mod partition_map;
mod partitions;
mod past;
mod pipeline;
mod positions;
mod preparation;
mod promises;
mod quarantine;
mod quarantine_replay;
mod readers;
mod rebuild;
mod rebuilds;
mod replay;
mod replay_thread;
mod reports;
mod restoring;
mod resume;
mod retention;
mod schema_requests;
mod schema_waits;
mod schemas_thread;
mod sequencer;
mod sequencer_thread;
mod settings;
mod shapes;
mod source_notes;
mod source_thread;
mod stages;
mod start_progress;
mod starts;
mod status;
mod swap;
mod sweeps;
mod tables;
mod transactions;
mod verify;

pub use checkpoints::Pending;
pub use control::{Control, ControlError, RebuildError};
pub use kept::VersionsMax;
pub use loading::LoadError;
pub use log_ends::LogEnds;
pub use messages::Ended;
pub use notes::NoteError;
pub use offline::{OfflineError, OfflineTable, offline_table};
pub use pipeline::{Pipeline, PipelineError};
pub use preparation::{Preparation, Preparations, Rebuild, decide_rebuild};
pub use quarantine::Quarantined;
pub use quarantine_replay::{QuarantineSelection, ReplayOutcome, ReplayedRecord};
pub use rebuilds::{RebuildRefused, RebuildReport, RebuildState};
pub use replay_thread::Reopen;
pub use resume::SavedPartition;
pub use retention::Keep;
pub use sequencer::{Sequencer, SourceOrder};
pub use settings::{
    GivenTable, OnBadRecord, RegistryPatience, RegistrySetup, Settings, SourceSetup,
    TransactionSetup, limits,
};
pub use stages::{Lag, Stage, StageReport};
pub use start_progress::{StartPhase, StartProgress};
pub use status::{
    CheckpointReport, CheckpointState, CheckpointTrouble, MemoryReport, PartitionReport,
    SourceReport, SourceState, StatusBoard, StatusReport, TableLoading,
};
pub use verify::{Compared, Verify};
