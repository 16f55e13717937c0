//! A decode worker: raw batches in, change batches out, in order.

use change_feed::{Decoder, TopicContext};
use crossbeam_channel::{Receiver, Sender};
use row_model::ChangeBatch;

use crate::messages::{ToSequencer, ToWorker};

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
            ToWorker::Back { source, facts } => ToSequencer::Back { source, facts },
        };
        if out.send(decoded).is_err() {
            return;
        }
    }
}
