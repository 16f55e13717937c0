//! What the threads of the pipeline say to each other.

use std::sync::Arc;
use std::time::Duration;

use change_feed::{PartitionFacts, RawBatch, SourceError, SourceEvent};
use checkpoint_store::{CheckpointError, Committed};
use row_model::{ChangeBatch, NextOffset, PartitionId};

use crate::checkpoints::Pending;

/// What a source hands to the worker of a partition, in the order it happened.
pub(crate) enum ToWorker {
    Records {
        source: usize,
        topic: Arc<str>,
        partition: i32,
        batch: RawBatch,
    },
    End {
        source: usize,
        partition: PartitionId,
        next: NextOffset,
    },
    Lost {
        source: usize,
        partition: PartitionId,
        error: SourceError,
    },
    /// A partition that was lost is back: heard after its loss, and after what came before that.
    Back {
        source: usize,
        facts: PartitionFacts,
    },
}

/// What reaches the sequencer.
pub(crate) enum ToSequencer {
    Decoded {
        source: usize,
        batch: ChangeBatch,
    },
    End {
        source: usize,
        partition: PartitionId,
        next: NextOffset,
    },
    Lost {
        source: usize,
        partition: PartitionId,
        error: SourceError,
    },
    /// A partition that was lost is back: heard after its loss, and after what came before that.
    Back {
        source: usize,
        facts: PartitionFacts,
    },
    /// News of a source that no partition's order depends on.
    Event {
        source: usize,
        event: SourceEvent,
    },
    /// The source was asked at this time and had nothing more.
    Quiet {
        source: usize,
        at_ms: i64,
    },
    /// The answer to a checkpoint.
    Checkpoint(Box<CheckpointAnswer>),
}

/// What came of a checkpoint.
pub(crate) struct CheckpointAnswer {
    pub pending: Pending,
    pub result: Result<Committed, CheckpointError>,
    /// What came of scrubbing the medium, where that was due.
    pub scrubbed: Option<Result<(), CheckpointError>>,
    pub took: Duration,
}
