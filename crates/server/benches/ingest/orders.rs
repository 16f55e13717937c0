//! Generated orders as a source of their own, so that no file or broker is measured.

use std::time::Duration;

use change_feed::{Header, PartitionFacts, RawBatch, Source, SourceError, SourceEvent, StartAt};
use row_model::{NextOffset, PartitionId};

use crate::order::{event, key};

const PARTITIONS: u32 = 4;
const BATCH_RECORDS: u64 = 1_000;
const RUN: [Header<'static>; 1] = [Header {
    name: "__debezium.context.runId",
    value: Some(b"01a1fbb5-4ae7-7171-8aee-e0087b028db0"),
}];

pub struct Orders {
    each: u64,
    /// Next offset of each partition, once started.
    next: [Option<u64>; PARTITIONS as usize],
    discovered: bool,
    turn: usize,
}

impl Orders {
    pub fn new(orders: u64) -> Self {
        Self {
            each: orders / u64::from(PARTITIONS),
            next: [None; PARTITIONS as usize],
            discovered: false,
            turn: 0,
        }
    }
}

impl Source for Orders {
    fn poll(&mut self, timeout: Duration, events: &mut Vec<SourceEvent>) {
        if !self.discovered {
            self.discovered = true;
            events.extend((0..PARTITIONS).map(|id| {
                SourceEvent::Discovered(PartitionFacts {
                    id: PartitionId(id),
                    topic: "shop.public.orders".to_owned(),
                    partition: id as i32,
                    topic_uuid: None,
                    retained_from: NextOffset(0),
                    end: Some(NextOffset(self.each)),
                    compacted: false,
                })
            }));
            events.push(SourceEvent::DiscoveryComplete);
            return;
        }
        for _ in 0..PARTITIONS {
            self.turn = (self.turn + 1) % self.next.len();
            let Some(next) = self.next[self.turn]
                .as_mut()
                .filter(|next| **next < self.each)
            else {
                continue;
            };
            let partition = PartitionId(self.turn as u32);
            let mut batch = RawBatch::new(partition);
            let end = (*next + BATCH_RECORDS).min(self.each);
            for offset in *next..end {
                let id = offset * u64::from(PARTITIONS) + self.turn as u64 + 1;
                batch.push(
                    offset,
                    Some(1_795_223_140_875),
                    Some(key(id).as_bytes()),
                    Some(event(id).as_bytes()),
                    RUN,
                );
            }
            *next = end;
            events.push(SourceEvent::Records(batch));
            if end == self.each {
                events.push(SourceEvent::End {
                    partition,
                    next: NextOffset(end),
                });
            }
            return;
        }
        std::thread::park_timeout(timeout);
    }

    fn start(&mut self, partition: PartitionId, _at: StartAt) -> Result<(), SourceError> {
        self.next[partition.0 as usize] = Some(0);
        Ok(())
    }

    fn pause(&mut self, _partitions: &[PartitionId]) {}

    fn resume(&mut self, _partitions: &[PartitionId]) {}

    fn acknowledge(&mut self, _offsets: &[(PartitionId, NextOffset)]) {}

    fn ends(&self) -> Vec<(PartitionId, NextOffset)> {
        (0..PARTITIONS)
            .map(|id| (PartitionId(id), NextOffset(self.each)))
            .collect()
    }
}
