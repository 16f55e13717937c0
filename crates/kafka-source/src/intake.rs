//! What one reading of a partition's queue brings: batches, ends, and whether the partition can go on.

use change_feed::{RawBatch, SourceError, SourceEvent};
use row_model::{NextOffset, PartitionId};

use crate::faults::{Fault, fault};
use crate::native::{Delivery, Record};

/// A batch is delivered when it has as many bytes.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Takes what one partition's queue delivers, in batches.
pub(crate) struct Intake<'a> {
    id: PartitionId,
    /// In words, as in `orders-3`.
    place: String,
    next: Option<u64>,
    batch: RawBatch,
    look_again: bool,
    stopped: Option<Stop>,
    events: &'a mut Vec<SourceEvent>,
}

/// What came of it, besides events.
pub(crate) struct Outcome {
    /// Offset of the next record, if any is known.
    pub(crate) next: Option<u64>,
    /// Topics may have changed.
    pub(crate) look_again: bool,
    /// Why nothing more may be taken: librdkafka would go on, and leave records out.
    pub(crate) stopped: Option<Stop>,
}

pub(crate) enum Stop {
    OutOfRange,
    Loss(SourceError),
}

impl<'a> Intake<'a> {
    /// `next` is the offset of the next record; nothing before it is taken.
    pub(crate) fn new(
        id: PartitionId,
        place: String,
        next: Option<u64>,
        events: &'a mut Vec<SourceEvent>,
    ) -> Self {
        let batch = RawBatch::new(id);
        Self {
            id,
            place,
            next,
            batch,
            look_again: false,
            stopped: None,
            events,
        }
    }

    pub(crate) fn finish(mut self) -> Outcome {
        self.deliver();
        Outcome {
            next: self.next,
            look_again: self.look_again,
            stopped: self.stopped,
        }
    }

    pub(crate) fn take(&mut self, delivery: &Delivery<'_>) {
        match delivery {
            _ if self.stopped.is_some() => {}
            Delivery::Record(record) => self.take_record(record),
            Delivery::End { offset } => {
                self.deliver();
                // Control records at the end take offsets and are never delivered.
                let next = self.next.unwrap_or_default().max(*offset);
                self.next = Some(next);
                self.events.push(SourceEvent::End {
                    partition: self.id,
                    next: NextOffset(next),
                });
            }
            Delivery::Failure { code, reason } => {
                tracing::debug!(%code, reason, partition = self.place, "an error of a partition");
                match fault(*code, reason, &self.place) {
                    Fault::Passing => {}
                    Fault::LookAgain => self.look_again = true,
                    Fault::OffsetOutOfRange => self.stopped = Some(Stop::OutOfRange),
                    Fault::Loss(error) => self.stopped = Some(Stop::Loss(error)),
                }
            }
        }
    }

    fn take_record(&mut self, record: &Record<'_>) {
        let offset = record.offset();
        if self.next.is_some_and(|next| offset < next) {
            return;
        }
        self.next = Some(offset + 1);
        self.batch.push(
            offset,
            record.timestamp_ms(),
            record.key(),
            record.value(),
            record.headers(),
        );
        if self.batch.bytes_len() >= BATCH_BYTES_MAX {
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::replace(&mut self.batch, RawBatch::new(self.id));
            self.events.push(SourceEvent::Records(batch));
        }
    }
}
