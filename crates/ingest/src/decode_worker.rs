//! A decode worker: raw batches in, change batches out, in order.

use std::sync::Arc;

use change_feed::{Decoder, RawBatch, SourceError, SourceEvent, TopicContext};
use crossbeam_channel::{Receiver, Sender};
use row_model::{ChangeBatch, NextOffset, PartitionId};

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
    Checkpoint(Box<crate::sequencer_thread::CheckpointAnswer>),
}

/// Runs until nobody sends any more. `decoders` has one decoder for each source.
pub(crate) fn run(
    work: &Receiver<ToWorker>,
    out: &Sender<ToSequencer>,
    decoders: &mut [Box<dyn Decoder>],
) {
    for message in work {
        let decoded = match message {
            ToWorker::Records {
                source,
                topic,
                partition,
                batch,
            } => {
                let mut changes = ChangeBatch::new(batch.partition);
                changes.bytes.reserve(batch.bytes_len() / 2);
                changes.changes.reserve(batch.len());
                decoders[source].decode(
                    TopicContext {
                        topic: &topic,
                        partition,
                    },
                    &batch,
                    &mut changes,
                );
                ToSequencer::Decoded {
                    source,
                    batch: changes,
                }
            }
            ToWorker::End {
                source,
                partition,
                next,
            } => ToSequencer::End {
                source,
                partition,
                next,
            },
            ToWorker::Lost {
                source,
                partition,
                error,
            } => ToSequencer::Lost {
                source,
                partition,
                error,
            },
        };
        if out.send(decoded).is_err() {
            return;
        }
    }
}
