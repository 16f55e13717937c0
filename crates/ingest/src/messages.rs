//! What the threads of the pipeline say to each other.

use std::sync::Arc;
use std::time::Duration;

use change_feed::{PartitionFacts, RawBatch, RegistryId, SourceError, SourceEvent};
use checkpoint_store::{CheckpointError, Committed, Space};
use row_model::{ChangeBatch, NextOffset, PartitionId};
use table_store::Heard;

use crate::checkpoints::Pending;
use crate::held::Place;

/// What a source hands to the worker of a partition, in the order it happened.
pub(crate) enum ToWorker {
    Records(RawRecords),
    End {
        source: usize,
        partition: PartitionId,
        ended: Ended,
        heard: Heard,
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
    /// All that was delivered of the worker's partitions came before.
    Silence(Silence),
}

/// That a partition was at its end, and when.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Everything before it was delivered.
    pub next: NextOffset,
    /// When there was no more, by the clock of who reads the source: however long this is on its way, and waits, it says nothing
    /// of any later moment. `None` if more came right behind it.
    pub at_ms: Option<i64>,
}

impl Ended {
    #[must_use]
    pub fn at(next: NextOffset, at_ms: i64) -> Self {
        let at_ms = Some(at_ms);
        Self { next, at_ms }
    }
}

/// What a source says while it is busy: partitions of which nothing came have nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    pub source: usize,
    /// The partitions of one worker: those with numbers of this remainder.
    pub worker: (usize, usize),
    /// Since when, at least.
    pub heard: Heard,
    pub at_ms: i64,
    /// Orders that the source had obeyed by then.
    pub obeyed: u64,
}

/// Records of one partition, and what the partition is called.
pub(crate) struct RawRecords {
    pub source: usize,
    pub topic: Arc<str>,
    pub partition: i32,
    pub batch: RawBatch,
    /// The source's count of what it had heard by then.
    pub heard: Heard,
}

impl ToWorker {
    /// The partition whose order it must keep, if it is of one.
    pub fn place(&self) -> Option<Place> {
        Some(match self {
            Self::Silence(_) => return None,
            Self::Records(records) => (records.source, records.batch.partition),
            Self::End {
                source, partition, ..
            }
            | Self::Lost {
                source, partition, ..
            }
            | Self::Fenced { source, partition } => (*source, *partition),
            Self::Back { source, facts } => (*source, facts.id),
        })
    }
}

/// What reaches the sequencer.
pub(crate) enum ToSequencer {
    Decoded {
        source: usize,
        batch: ChangeBatch,
        heard: Heard,
    },
    End {
        source: usize,
        partition: PartitionId,
        ended: Ended,
        heard: Heard,
    },
    /// Partitions of one worker of which nothing came have nothing, though others have.
    Silence(Silence),
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
        heard: Heard,
    },
    Store(FromStore),
}

/// What the checkpoint's thread says.
pub(crate) enum FromStore {
    /// The answer to a checkpoint.
    Checkpoint(Box<CheckpointAnswer>),
    /// The store was written anew, or not.
    Rewritten(Box<Rewritten>),
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
            | Self::Released { source, .. }
            | Self::Silence(Silence { source, .. }) => Some(*source),
            Self::SchemaAwaited { .. }
            | Self::Event { .. }
            | Self::Quiet { .. }
            | Self::Store(_) => None,
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
    pub space: Space,
    /// The store is now written anew: no checkpoint before [`FromStore::Rewritten`].
    pub rewrites: bool,
}

/// What came of writing the store anew because it had grown.
pub(crate) struct Rewritten {
    pub result: Result<(), CheckpointError>,
    pub took: Duration,
    /// Bytes of the disk before.
    pub from_bytes: u64,
    pub space: Space,
}
