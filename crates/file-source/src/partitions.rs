//! What a pass over the files has seen of each partition, what of it was delivered, and what is held back.
//!
//! Pure: knows neither files nor lines. Files hold all partitions interleaved, so that a partition
//! that may not be delivered now (not started, or paused) has its records held, up to a bound.
//!
//! Invariant: for each partition, `held` is exactly what the pass saw from `held_from` on and has not delivered.

use std::collections::{HashMap, VecDeque};

use change_feed::{LogEnd, PartitionFacts, RawBatch, SourceError, SourceEvent, StartAt};
use row_model::{NextOffset, PartitionId};

use crate::line::ParsedLine;

/// A batch is delivered when it has this many records, or as many bytes.
pub(crate) const BATCH_RECORDS_MAX: usize = 1_024;
pub(crate) const BATCH_BYTES_MAX: usize = 1 << 20;

/// Held back for one partition, and for all together, before reading stops (paused) or the partition
/// must be read again from the beginning (not started).
pub(crate) const HELD_BYTES_PER_PARTITION_MAX: usize = 8 << 20;
pub(crate) const HELD_BYTES_MAX: usize = 64 << 20;

/// More partitions than a file can sensibly have: beyond it the names are rubbish.
pub(crate) const PARTITIONS_MAX: usize = 65_536;

#[derive(Debug, Default)]
pub(crate) struct Partitions {
    by_topic: HashMap<String, HashMap<i32, usize>>,
    list: Vec<Partition>,
    /// Those whose open batch has records.
    open: Vec<usize>,
    held_bytes: usize,
}

#[derive(Debug)]
struct Partition {
    facts: PartitionFacts,
    /// Offset to deliver next; `None` before the start and after a loss.
    next: Option<u64>,
    paused: bool,
    /// One beyond the newest offset of this pass.
    seen: u64,
    held_from: u64,
    held: VecDeque<RawBatch>,
    held_bytes: usize,
    open: RawBatch,
    /// Records and bytes of the last batch: what the next one is given room for.
    last_size: (usize, usize),
    /// Where [`SourceEvent::End`] was last told.
    end_told: Option<u64>,
    /// To be told with the next events.
    lost: Option<SourceError>,
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is delivered, held, or was delivered before.
    Yes,
    /// It is not the next of its partition: a duplicate, or out of order.
    Stale { seen: u64 },
    /// There are [`PARTITIONS_MAX`] already.
    TooManyPartitions,
}

impl Partitions {
    /// Takes the next record of the pass.
    pub(crate) fn take(&mut self, line: &ParsedLine<'_>, events: &mut Vec<SourceEvent>) -> Taken {
        let Some(index) = self.index_of(line, events) else {
            return Taken::TooManyPartitions;
        };
        let partition = &mut self.list[index];
        if line.offset < partition.seen {
            return Taken::Stale {
                seen: partition.seen,
            };
        }
        // No offset of a real log comes near the limit; one beyond it must not wrap.
        partition.seen = line.offset.saturating_add(1);
        if partition.next.is_some_and(|next| line.offset < next) {
            partition.held_from = partition.seen;
            return Taken::Yes;
        }
        if partition.open.is_empty() {
            self.open.push(index);
            let (records, bytes) = partition.last_size;
            partition.open = RawBatch::with_capacity(partition.facts.id, records, bytes);
        }
        partition.open.push(
            line.offset,
            line.timestamp_ms,
            line.key,
            line.value,
            line.headers(),
        );
        if partition.open.len() >= BATCH_RECORDS_MAX
            || partition.open.bytes_len() >= BATCH_BYTES_MAX
        {
            self.open.retain(|open| *open != index);
            self.close(index, events);
        }
        Taken::Yes
    }

    /// Closes every open batch, so that nothing waits for more lines.
    pub(crate) fn flush(&mut self, events: &mut Vec<SourceEvent>) {
        for index in std::mem::take(&mut self.open) {
            self.close(index, events);
        }
    }

    /// Delivers what was held for partitions that were started or resumed since, and losses.
    pub(crate) fn deliver_held(&mut self, events: &mut Vec<SourceEvent>) {
        for partition in &mut self.list {
            if let Some(error) = partition.lost.take() {
                events.push(SourceEvent::PartitionLost {
                    partition: partition.facts.id,
                    error,
                });
            }
            if partition.deliverable() && !partition.held.is_empty() {
                self.held_bytes -= std::mem::take(&mut partition.held_bytes);
                for batch in std::mem::take(&mut partition.held) {
                    partition.deliver(batch, events);
                }
            }
        }
    }

    /// Tells the end of every partition of which nothing is left, and the loss of those that were to
    /// start beyond it. To be called when all files were read and everything was flushed.
    pub(crate) fn tell_ends(&mut self, events: &mut Vec<SourceEvent>) {
        for partition in &mut self.list {
            let Some(next) = partition
                .next
                .filter(|_| partition.deliverable() && partition.held.is_empty())
            else {
                continue;
            };
            if next > partition.seen {
                let (topic, number) = (partition.facts.topic.clone(), partition.facts.partition);
                let end = partition.seen;
                let error = SourceError::OffsetBeyondLog {
                    topic,
                    partition: number,
                    wanted: next,
                    end,
                };
                partition.next = None;
                events.push(SourceEvent::PartitionLost {
                    partition: partition.facts.id,
                    error,
                });
            } else if partition.end_told.replace(next) != Some(next) {
                events.push(SourceEvent::End {
                    partition: partition.facts.id,
                    next: NextOffset(next),
                });
            }
        }
    }

    /// True if reading on would hold back more than is allowed. Only a paused partition stops the
    /// others; what is not started is let go of and read again when it is.
    pub(crate) fn must_wait(&mut self) -> bool {
        let over = |bytes: usize, all: usize| {
            bytes >= HELD_BYTES_PER_PARTITION_MAX || all >= HELD_BYTES_MAX
        };
        for partition in &mut self.list {
            if partition.next.is_none() && over(partition.held_bytes, self.held_bytes) {
                self.held_bytes -= partition.let_go();
            }
        }
        let all = self.held_bytes;
        self.list
            .iter()
            .any(|partition| partition.held_bytes > 0 && over(partition.held_bytes, all))
    }

    /// Sets a partition's next offset. True if the files must be read again from the beginning.
    pub(crate) fn start(&mut self, id: PartitionId, at: StartAt) -> Result<bool, SourceError> {
        let Some(partition) = self.list.get_mut(id.0 as usize) else {
            return Err(SourceError::Config(format!(
                "partition {} was never discovered",
                id.0
            )));
        };
        let next = match at {
            StartAt::Earliest => 0,
            StartAt::Offset(NextOffset(wanted)) => {
                let PartitionFacts {
                    topic,
                    partition: number,
                    retained_from,
                    ..
                } = &partition.facts;
                if wanted < retained_from.0 {
                    let (topic, retained_from) = (topic.clone(), retained_from.0);
                    partition.lost = Some(SourceError::OffsetLost {
                        topic,
                        partition: *number,
                        wanted,
                        retained_from,
                    });
                    partition.next = None;
                    return Ok(false);
                }
                wanted
            }
        };
        (partition.next, partition.end_told, partition.lost) = (Some(next), None, None);
        Ok(next < partition.held_from)
    }

    pub(crate) fn set_paused(&mut self, ids: &[PartitionId], paused: bool) {
        for id in ids {
            if let Some(partition) = self.list.get_mut(id.0 as usize) {
                partition.paused = paused;
            }
        }
    }

    /// Forgets the pass: the files are read from the beginning. What was delivered stays delivered.
    pub(crate) fn restart_pass(&mut self) {
        for partition in &mut self.list {
            self.held_bytes -= partition.let_go();
            partition.open = RawBatch::new(partition.facts.id);
            (partition.seen, partition.held_from) = (0, 0);
        }
        self.open.clear();
    }

    pub(crate) fn ends(&self) -> Vec<(PartitionId, NextOffset)> {
        let end = |partition: &Partition| {
            let next = partition.next?;
            Some((partition.facts.id, NextOffset(partition.seen.max(next))))
        };
        self.list.iter().filter_map(end).collect()
    }

    /// The same by name, of all partitions.
    pub(crate) fn log_ends(&self) -> Vec<LogEnd> {
        let end = |partition: &Partition| LogEnd {
            topic: partition.facts.topic.clone(),
            partition: partition.facts.partition,
            next: partition.seen.max(partition.next.unwrap_or_default()),
        };
        self.list.iter().map(end).collect()
    }

    fn index_of(&mut self, line: &ParsedLine<'_>, events: &mut Vec<SourceEvent>) -> Option<usize> {
        if let Some(index) = self
            .by_topic
            .get(line.topic)
            .and_then(|topic| topic.get(&line.partition))
        {
            return Some(*index);
        }
        let index = self.list.len();
        if index == PARTITIONS_MAX {
            return None;
        }
        let facts = PartitionFacts {
            id: PartitionId(index as u32),
            topic: line.topic.to_owned(),
            partition: line.partition,
            topic_uuid: None,
            retained_from: NextOffset(line.offset),
            end: None,
            compacted: false,
        };
        events.push(SourceEvent::Discovered(facts.clone()));
        self.by_topic
            .entry(facts.topic.clone())
            .or_default()
            .insert(facts.partition, index);
        self.list.push(Partition::new(facts));
        Some(index)
    }

    fn close(&mut self, index: usize, events: &mut Vec<SourceEvent>) {
        let partition = &mut self.list[index];
        let bytes = partition.open.bytes_len();
        partition.last_size = (partition.open.len(), bytes);
        let batch = std::mem::replace(&mut partition.open, RawBatch::new(partition.facts.id));
        if partition.deliverable() && partition.held.is_empty() {
            partition.deliver(batch, events);
        } else {
            partition.held_bytes += bytes;
            self.held_bytes += bytes;
            partition.held.push_back(batch);
        }
    }
}

impl Partition {
    fn new(facts: PartitionFacts) -> Self {
        let open = RawBatch::new(facts.id);
        Self {
            facts,
            next: None,
            paused: false,
            seen: 0,
            held_from: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            open,
            last_size: (0, 0),
            end_told: None,
            lost: None,
        }
    }

    fn deliverable(&self) -> bool {
        self.next.is_some() && !self.paused
    }

    fn deliver(&mut self, batch: RawBatch, events: &mut Vec<SourceEvent>) {
        let (Some(first), Some(last)) = (batch.iter().next(), batch.iter().next_back()) else {
            return;
        };
        let next = self.next.unwrap_or_default();
        self.held_from = last.offset.saturating_add(1);
        if last.offset < next {
            return;
        }
        self.next = Some(self.held_from);
        // It was held before the partition was started, or moved ahead.
        let cut = first.offset < next;
        events.push(SourceEvent::Records(if cut {
            without_before(&batch, next)
        } else {
            batch
        }));
    }

    /// Drops what is held. Returns how many bytes that were.
    fn let_go(&mut self) -> usize {
        self.held.clear();
        self.held_from = self.seen;
        std::mem::take(&mut self.held_bytes)
    }
}

fn without_before(batch: &RawBatch, next: u64) -> RawBatch {
    let mut rest = RawBatch::new(batch.partition);
    for record in batch.iter().filter(|record| record.offset >= next) {
        rest.push(
            record.offset,
            record.timestamp_ms,
            record.key,
            record.value,
            record.headers(),
        );
    }
    rest
}
