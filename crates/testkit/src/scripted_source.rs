//! A [`Source`] in memory whose log the test writes: the broker of tests that need none.
//!
//! Deterministic: unless asked to, a poll never waits; it goes over the partitions in the order of their discovery, and
//! delivers one batch of each. Passes the [source suite](crate::source_suite) like the real ones.

mod log;

use std::time::Duration;

use change_feed::{
    EndsQuestion, Header, LogEnd, PartitionFacts, RawBatch, Source, SourceError, SourceEvent,
    StartAt, TopicUuid,
};
use row_model::{NextOffset, PartitionId};

use self::log::{LogPartition, LogState};
pub use self::log::{PlannedRecord, ScriptedLog, TakenTopic};

/// Longest wait of a poll of a source that waits at all.
const WAIT_MAX: Duration = Duration::from_millis(2);

/// Reads a [`ScriptedLog`].
pub struct ScriptedSource {
    log: ScriptedLog,
    /// Sources of one log are counted as they are opened.
    number: usize,
    batch_records_max: usize,
    partitions: Vec<Reading>,
    discovery_complete: bool,
    waits: bool,
    /// The one topic it knows of, unless it knows of all.
    only: Option<String>,
}

struct Reading {
    id: PartitionId,
    name: (String, i32),
    topic_uuid: [u8; 16],
    present: bool,
    next: Option<u64>,
    paused: bool,
    end_told: Option<u64>,
}

impl ScriptedSource {
    /// Knows of one topic only, as a source does that is told to read no other.
    #[must_use]
    pub fn only(self, topic: &str) -> Self {
        Self {
            only: Some(topic.to_owned()),
            ..self
        }
    }

    fn read(&mut self, state: &mut LogState, events: &mut Vec<SourceEvent>) {
        if self.number < state.sources_held {
            return;
        }
        events.extend(state.events.drain(..));
        self.discover(state, events);
        for reading in &mut self.partitions {
            if let Some(log) = state.partitions.get(&reading.name) {
                state.delivered += reading.read(log, self.batch_records_max, events);
            }
        }
    }

    fn discover(&mut self, state: &LogState, events: &mut Vec<SourceEvent>) {
        for reading in &mut self.partitions {
            let found = state.partitions.get(&reading.name);
            if reading.present && found.is_none_or(|found| found.topic_uuid != reading.topic_uuid) {
                (reading.present, reading.next) = (false, None);
                let (topic, partition) = reading.name.clone();
                let error = SourceError::Gone { topic, partition };
                events.push(SourceEvent::PartitionLost {
                    partition: reading.id,
                    error,
                });
            }
        }
        let only = self.only.as_deref();
        let known = state.partitions.iter();
        for (name, found) in known.filter(|((topic, _), _)| only.is_none_or(|only| only == topic)) {
            let index = self
                .partitions
                .iter()
                .position(|reading| reading.name == *name)
                .unwrap_or_else(|| {
                    let id = PartitionId(self.partitions.len() as u32);
                    self.partitions.push(Reading {
                        id,
                        name: name.clone(),
                        topic_uuid: found.topic_uuid,
                        present: false,
                        next: None,
                        paused: false,
                        end_told: None,
                    });
                    self.partitions.len() - 1
                });
            let reading = &mut self.partitions[index];
            if !std::mem::replace(&mut reading.present, true) {
                reading.topic_uuid = found.topic_uuid;
                events.push(SourceEvent::Discovered(facts(reading, found)));
            }
        }
        if !std::mem::replace(&mut self.discovery_complete, true) {
            events.push(SourceEvent::DiscoveryComplete);
        }
    }

    fn reading(&mut self, id: PartitionId) -> Option<&mut Reading> {
        self.partitions.get_mut(id.0 as usize)
    }

    fn set_paused(&mut self, ids: &[PartitionId], paused: bool) {
        for id in ids {
            if let Some(reading) = self.reading(*id) {
                reading.paused = paused;
            }
        }
        let is_paused = self.partitions.iter().filter(|reading| reading.paused);
        self.log.state.lock().paused = is_paused.map(|reading| reading.name.clone()).collect();
    }
}

impl Source for ScriptedSource {
    fn poll(&mut self, timeout: Duration, events: &mut Vec<SourceEvent>) {
        let log = self.log.clone();
        let mut state = log.state.lock();
        let before = events.len();
        self.read(&mut state, events);
        if self.waits && events.len() == before {
            // A paused or finished partition may have to be started meanwhile: never for long.
            log.changed.wait_for(&mut state, timeout.min(WAIT_MAX));
            self.read(&mut state, events);
        }
    }

    fn start(&mut self, partition: PartitionId, at: StartAt) -> Result<(), SourceError> {
        let log = self.log.clone();
        let Some(reading) = self.reading(partition) else {
            return Err(SourceError::Config(format!(
                "partition {} was never discovered",
                partition.0
            )));
        };
        let (topic, number) = reading.name.clone();
        let mut state = log.state.lock();
        let Some(found) = state
            .partitions
            .get(&reading.name)
            .filter(|_| reading.present)
        else {
            // It is told here, and found again when it is back.
            (reading.present, reading.next) = (false, None);
            return Err(SourceError::Gone {
                topic,
                partition: number,
            });
        };
        let wanted = match at {
            StartAt::Earliest => found.retained_from,
            StartAt::Offset(NextOffset(wanted)) => wanted,
        };
        (reading.next, reading.end_told) = (Some(wanted), None);
        state.read_from.insert((topic, number), wanted);
        Ok(())
    }

    fn pause(&mut self, partitions: &[PartitionId]) {
        self.set_paused(partitions, true);
    }

    fn resume(&mut self, partitions: &[PartitionId]) {
        self.set_paused(partitions, false);
    }

    fn acknowledge(&mut self, offsets: &[(PartitionId, NextOffset)]) {
        let log = self.log.clone();
        for (id, offset) in offsets {
            if let Some(reading) = self.reading(*id) {
                log.state
                    .lock()
                    .acknowledged
                    .insert(reading.name.clone(), *offset);
            }
        }
    }

    fn ends(&self) -> Vec<(PartitionId, NextOffset)> {
        let state = self.log.state.lock();
        let started = self
            .partitions
            .iter()
            .filter(|reading| reading.next.is_some());
        started
            .filter_map(|reading| {
                Some((
                    reading.id,
                    NextOffset(state.partitions.get(&reading.name)?.end),
                ))
            })
            .collect()
    }

    fn ask_ends(&mut self, question: EndsQuestion) {
        let ends = {
            let state = self.log.state.lock();
            let ends = state
                .partitions
                .iter()
                .map(|((topic, partition), log)| LogEnd {
                    topic: topic.clone(),
                    partition: *partition,
                    next: log.end,
                });
            ends.filter(|end| question.of.contains(&(end.topic.clone(), end.partition)))
                .collect()
        };
        question.answer(Ok(ends));
    }
}

impl Reading {
    /// Answers how many records it delivered.
    fn read(
        &mut self,
        log: &LogPartition,
        records_max: usize,
        events: &mut Vec<SourceEvent>,
    ) -> u64 {
        let Some(next) = self.next.filter(|_| !self.paused) else {
            return 0;
        };
        let (topic, partition) = self.name.clone();
        let lost = if next < log.retained_from {
            Some(SourceError::OffsetLost {
                topic,
                partition,
                wanted: next,
                retained_from: log.retained_from,
            })
        } else if next > log.end {
            Some(SourceError::OffsetBeyondLog {
                topic,
                partition,
                wanted: next,
                end: log.end,
            })
        } else {
            None
        };
        if let Some(error) = lost {
            self.next = None;
            events.push(SourceEvent::PartitionLost {
                partition: self.id,
                error,
            });
            return 0;
        }
        let mut batch = RawBatch::new(self.id);
        for (offset, record) in log.records.range(next..).take(records_max) {
            let headers = record.headers.iter();
            let headers = headers.map(|(name, value)| Header {
                name,
                value: value.as_deref(),
            });
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            batch.push(*offset, Some(record.timestamp_ms), key, value, headers);
        }
        let delivered = batch.len() as u64;
        let last = batch.iter().next_back().map(|last| last.offset);
        if let Some(last) = last {
            self.next = Some(last + 1);
            events.push(SourceEvent::Records(batch));
        } else if self.end_told.replace(log.end) != Some(log.end) {
            self.next = Some(log.end);
            events.push(SourceEvent::End {
                partition: self.id,
                next: NextOffset(log.end),
            });
        }
        delivered
    }
}

fn facts(reading: &Reading, found: &LogPartition) -> PartitionFacts {
    PartitionFacts {
        id: reading.id,
        topic: reading.name.0.clone(),
        partition: reading.name.1,
        topic_uuid: Some(TopicUuid(found.topic_uuid)),
        retained_from: NextOffset(found.retained_from),
        end: Some(NextOffset(found.end)),
        compacted: found.compacted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_suite::{self, LogUnderTest};

    struct Scripted(ScriptedLog);

    impl LogUnderTest for Scripted {
        fn create_topic(&mut self, topic: &str, partitions: i32) {
            self.0.create_topic(topic, partitions);
        }

        fn append(&mut self, records: &[PlannedRecord]) {
            self.0.append(records);
        }

        fn open(&mut self) -> Box<dyn Source> {
            Box::new(self.0.source(7))
        }
    }

    #[test]
    fn passes_the_suite() {
        source_suite::check(&mut || Box::new(Scripted(ScriptedLog::new())));
    }

    fn polled(source: &mut ScriptedSource) -> String {
        let mut events = Vec::new();
        source.poll(Duration::ZERO, &mut events);
        let told = events.iter().map(|event| match event {
            SourceEvent::Discovered(facts) => format!("found {}-{}", facts.topic, facts.partition),
            SourceEvent::Records(batch) => format!("{} records", batch.len()),
            SourceEvent::PartitionLost { error, .. } => error.to_string(),
            other => format!("{other:?}"),
        });
        told.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn retention_deletion_and_gaps_are_told_as_a_broker_tells_them() {
        let log = ScriptedLog::new();
        log.append(&[
            PlannedRecord::new("t", 0, Some("a"), None),
            PlannedRecord::new("t", 0, Some("b"), None),
        ]);
        log.skip_offsets("t", 0, 3);
        let mut source = log.source(10);
        assert_eq!(polled(&mut source), "found t-0; DiscoveryComplete");
        source.start(PartitionId(0), StartAt::Earliest).unwrap();
        assert_eq!(polled(&mut source), "2 records");
        assert_eq!(
            polled(&mut source),
            "End { partition: PartitionId(0), next: NextOffset(5) }"
        );
        log.trim("t", 0, 4);
        source
            .start(PartitionId(0), StartAt::Offset(NextOffset(1)))
            .unwrap();
        assert_eq!(
            polled(&mut source),
            "offset 1 of t-0 is no longer retained (the log starts at 4)"
        );
        log.delete_topic("t");
        assert_eq!(polled(&mut source), "t-0 does not exist any more");
        log.create_topic("t", 1);
        assert_eq!(polled(&mut source), "found t-0");
    }
}
