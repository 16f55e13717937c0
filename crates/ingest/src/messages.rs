//! What the threads of the pipeline say to each other.

use std::sync::Arc;
use std::time::Duration;

use change_feed::{PartitionFacts, RawBatch, RegistryId, SourceError, SourceEvent};
use checkpoint_store::{CheckpointError, Committed};
use row_model::{ChangeBatch, NextOffset, PartitionId};

use crate::checkpoints::Pending;
use crate::held::Place;

/// What a source hands to the worker of a partition, in the order it happened.
pub(crate) enum ToWorker {
    Records(RawRecords),
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
    /// Nothing more comes of a partition that was paused: heard after all that came before.
    Fenced {
        source: usize,
        partition: PartitionId,
    },
}

/// Records of one partition, and what the partition is called.
pub(crate) struct RawRecords {
    pub source: usize,
    pub topic: Arc<str>,
    pub partition: i32,
    pub batch: RawBatch,
}

impl ToWorker {
    pub fn place(&self) -> Place {
        match self {
            Self::Records(records) => (records.source, records.batch.partition),
            Self::End {
                source, partition, ..
            }
            | Self::Lost {
                source, partition, ..
            }
            | Self::Fenced { source, partition } => (*source, *partition),
            Self::Back { source, facts } => (*source, facts.id),
        }
    }
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
    /// Nothing more comes of a partition that was paused: heard after all that came before.
    Fenced {
        source: usize,
        partition: PartitionId,
    },
    /// The next record of the partition needs a schema that is not at hand.
    Held {
        source: usize,
        partition: PartitionId,
        schema: RegistryId,
    },
    /// What was held of the partition was sent on: before this.
    Released {
        source: usize,
        partition: PartitionId,
    },
    /// Why a schema is not there yet.
    SchemaAwaited {
        source: usize,
        schema: RegistryId,
        reason: String,
    },
    /// News of a source that no partition's order depends on.
    Event {
        source: usize,
        event: SourceEvent,
    },
    /// The source was asked at this time and had nothing more. It had obeyed so many orders by then:
    /// what a partition is silent about while it is paused is no news of it.
    Quiet {
        source: usize,
        at_ms: i64,
        obeyed: u64,
    },
    /// The answer to a checkpoint.
    Checkpoint(Box<CheckpointAnswer>),
}

impl ToSequencer {
    /// The source that counts this message until it is part of a published cut.
    pub fn in_flight_of(&self) -> Option<usize> {
        match self {
            Self::Decoded { source, .. }
            | Self::End { source, .. }
            | Self::Lost { source, .. }
            | Self::Back { source, .. }
            | Self::Fenced { source, .. }
            | Self::Held { source, .. }
            | Self::Released { source, .. } => Some(*source),
            Self::SchemaAwaited { .. }
            | Self::Event { .. }
            | Self::Quiet { .. }
            | Self::Checkpoint(_) => None,
        }
    }
}

/// What came of a checkpoint.
pub(crate) struct CheckpointAnswer {
    pub pending: Pending,
    pub result: Result<Committed, CheckpointError>,
    /// What came of scrubbing the medium, where that was due.
    pub scrubbed: Option<Result<(), CheckpointError>>,
    pub took: Duration,
}
