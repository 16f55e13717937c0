//! Drives librdkafka and keeps the promises of [`Source`].
//!
//! Each partition has its own queue, filled by librdkafka's threads and emptied here in batches. A
//! paused partition is one whose queue is not emptied: it fills up to its bound, and nothing that was
//! fetched is thrown away and fetched again, as librdkafka's own pause would.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use change_feed::{EndsQuestion, Source, SourceError, SourceEvent, StartAt};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use row_model::{NextOffset, PartitionId};

use crate::bell::Bell;
use crate::contact::Contact;
use crate::context::Context;
use crate::discovery::{Discovery, Finding, Reach};
use crate::intake::{Intake, Outcome, Stop};
use crate::native::PartitionReader;
use crate::options::{KafkaOptions, refused};
use crate::tracker::Tracker;

/// A batch has at most this many records; [`Intake`] bounds its bytes.
const BATCH_RECORDS_MAX: usize = 1_024;

/// One poll delivers about this much: a caller has orders to give in between.
const POLL_RECORDS_MAX: usize = 16_384;
const POLL_BYTES_MAX: usize = 16 << 20;

/// Errors, log lines and answers of librdkafka itself that one poll serves.
const CLIENT_EVENTS_MAX: usize = 4;

/// How long the first start waits to be told who leads the partitions.
const LEADERS_TIMEOUT: Duration = Duration::from_secs(1);

/// How long dropping a source waits for the last acknowledgements to be sent.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads the partitions of the topics it was told, through librdkafka.
///
/// What it promises beyond the contract: it recovers from everything that a broker recovers from,
/// without a restart, and new topics and partitions disturb no running one. Memory between broker and
/// caller is bounded per partition.
pub struct KafkaSource {
    options: KafkaOptions,
    discovery: Discovery,
    tracker: Tracker,
    bell: Arc<Bell>,
    /// Created with the first start, when it is known how many partitions share its memory.
    consumer: Option<Arc<BaseConsumer<Context>>>,
    /// By the number of the partition.
    partitions: Vec<Partition>,
    /// Starts to be carried out, all together, by the next poll.
    moves: BTreeMap<PartitionId, Move>,
    /// How old what the brokers answer is, as told last.
    delay: Duration,
}

#[derive(Default)]
struct Partition {
    reader: Option<PartitionReader<Context>>,
    reading: Reading,
    paused: bool,
    /// Offset of the next record to be written, as last heard of.
    end: u64,
}

enum Move {
    To(StartAt),
    /// To the earliest offset that the broker, asked anew, has.
    ToBeginning,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reading {
    /// Not assigned, or about to be.
    #[default]
    No,
    /// From this offset on; from the earliest one, whichever that is, before its first record.
    From { next: Option<u64> },
    /// Assigned in vain: the log does not have this offset. How far it reaches is being asked for.
    OutOfRange { wanted: u64 },
}

impl KafkaSource {
    /// Does not wait for the broker: that it is not there is told by the first polls.
    ///
    /// # Errors
    /// If the settings contradict each other, are unknown to librdkafka, or need a cargo feature that
    /// this binary was built without.
    pub fn connect(options: KafkaOptions) -> Result<Self, SourceError> {
        let bell = Arc::new(Bell::default());
        let discovery = Discovery::spawn(&options, Arc::clone(&bell))?;
        Ok(Self {
            options,
            discovery,
            tracker: Tracker::default(),
            bell,
            consumer: None,
            partitions: Vec::new(),
            moves: BTreeMap::new(),
            delay: Duration::ZERO,
        })
    }

    fn serve(&mut self, events: &mut Vec<SourceEvent>) {
        while let Some(finding) = self.discovery.finding() {
            self.take(finding, events);
        }
        self.carry_out_moves(events);
        self.serve_client();
        self.tell_delay(events);
        self.read(events);
    }

    fn tell_delay(&mut self, events: &mut Vec<SourceEvent>) {
        let now = self
            .consumer
            .as_ref()
            .map(|it| it.client().context().delay());
        let now = now.unwrap_or_default();
        let before = std::mem::replace(&mut self.delay, now);
        if now != before {
            events.push(SourceEvent::Delayed(now));
        }
        if before.is_zero() && !now.is_zero() {
            // It may be an outage: the sooner that is known the better.
            self.discovery.look_now();
        }
    }

    fn take(&mut self, finding: Finding, events: &mut Vec<SourceEvent>) {
        let before = events.len();
        match finding {
            Finding::Listing(listing) => {
                self.tracker.listed(&listing, events);
                self.partitions
                    .resize_with(self.tracker.len(), Partition::default);
                for (index, partition) in self.partitions.iter_mut().enumerate() {
                    let facts = self.tracker.facts(PartitionId(index as u32));
                    let end = facts.and_then(|facts| facts.end);
                    partition.end = partition.end.max(end.map_or(0, |end| end.0));
                }
            }
            Finding::Unreachable { reason } => {
                self.tracker
                    .unreachable(&self.options.brokers, &reason, events);
            }
            Finding::Reach(reach) => self.take_reach(&reach, events),
        }
        let lost = events[before..].iter().filter_map(|event| match event {
            SourceEvent::PartitionLost { partition, .. } => Some(*partition),
            _ => None,
        });
        let lost: Vec<PartitionId> = lost.collect();
        self.stop(&lost);
    }

    /// Tells a loss now that it is known how far the log reaches.
    fn take_reach(&mut self, reach: &Reach, events: &mut Vec<SourceEvent>) {
        let id = reach.partition;
        let (Some(partition), Some(facts)) =
            (self.partitions.get(id.0 as usize), self.tracker.facts(id))
        else {
            return;
        };
        // It may have been started anew meanwhile.
        let Reading::OutOfRange { wanted } = partition.reading else {
            return;
        };
        let (topic, number) = (facts.topic.clone(), facts.partition);
        let error = match reach.offsets {
            Some((retained_from, _)) if wanted < retained_from => SourceError::OffsetLost {
                topic,
                partition: number,
                wanted,
                retained_from,
            },
            Some((_, end)) if wanted > end => SourceError::OffsetBeyondLog {
                topic,
                partition: number,
                wanted,
                end,
            },
            // The broker is away, or the log has the offset after all: try once more.
            _ => {
                self.moves
                    .insert(id, Move::To(StartAt::Offset(NextOffset(wanted))));
                return;
            }
        };
        events.push(SourceEvent::PartitionLost {
            partition: id,
            error,
        });
    }

    fn carry_out_moves(&mut self, events: &mut Vec<SourceEvent>) {
        if self.moves.is_empty() {
            return;
        }
        let consumer = match self.consumer() {
            Ok(consumer) => consumer,
            Err(error) => {
                let reason = error.to_string();
                for partition in std::mem::take(&mut self.moves).into_keys() {
                    let error = SourceError::Config(reason.clone());
                    events.push(SourceEvent::PartitionLost { partition, error });
                }
                return;
            }
        };
        let moves = std::mem::take(&mut self.moves);
        self.stop(&moves.keys().copied().collect::<Vec<_>>());
        let mut assignment = TopicPartitionList::new();
        for (id, movement) in &moves {
            if self
                .prepare(*id, movement, &consumer, &mut assignment)
                .is_none()
            {
                let reason = "it has no queue".to_owned();
                self.lose(*id, assignment_failed(reason), events);
            }
        }
        if let Err(error) = consumer.incremental_assign(&assignment) {
            for partition in moves.into_keys() {
                self.lose(partition, assignment_failed(error.to_string()), events);
            }
        }
    }

    /// Adds a partition to the assignment to be.
    fn prepare(
        &mut self,
        id: PartitionId,
        movement: &Move,
        consumer: &Arc<BaseConsumer<Context>>,
        assignment: &mut TopicPartitionList,
    ) -> Option<()> {
        let index = id.0 as usize;
        let (partition, facts) = (self.partitions.get_mut(index)?, self.tracker.facts(id)?);
        // librdkafka may have made the partition, and its queue, anew since it was last assigned. The
        // old reader goes first: it would take the new one's callback with it.
        partition.reader = None;
        let bell = Arc::clone(&self.bell);
        let on_ready = move || bell.ring(index);
        partition.reader = PartitionReader::open(consumer, &facts.topic, facts.partition, on_ready);
        partition.reader.as_ref()?;
        let at = |offset: u64| i64::try_from(offset).map(Offset::Offset).ok();
        let (next, offset) = match movement {
            // librdkafka finds out the beginning half a second later than we know it.
            Move::To(StartAt::Earliest) => (None, at(facts.retained_from.0)?),
            Move::To(StartAt::Offset(NextOffset(next))) => (Some(*next), at(*next)?),
            Move::ToBeginning => (None, Offset::Beginning),
        };
        assignment
            .add_partition_offset(&facts.topic, facts.partition, offset)
            .ok()?;
        partition.reading = Reading::From { next };
        // A queue that still holds what is void now does not ring for what comes.
        self.bell.ring(index);
        Some(())
    }

    fn consumer(&mut self) -> Result<Arc<BaseConsumer<Context>>, SourceError> {
        if let Some(consumer) = &self.consumer {
            return Ok(Arc::clone(consumer));
        }
        let config = self.options.reading_config(self.tracker.len());
        // A client that lost its brokers makes the thread look, which tells what is wrong.
        let contact = Contact::new(self.options.fetch_wait());
        let context = Context::new(contact, self.discovery.look_now_handle());
        let consumer: BaseConsumer<Context> = config
            .create_with_context(context)
            .map_err(|error| refused(&error))?;
        // Has it know the leaders of all partitions. Else it asks for those of the first that are
        // assigned, and a second later for those of the others. Without an answer it still does.
        if let Err(error) = consumer.fetch_metadata(None, LEADERS_TIMEOUT) {
            tracing::debug!(%error, "the leaders of the partitions are not told yet");
        }
        Ok(Arc::clone(self.consumer.insert(Arc::new(consumer))))
    }

    fn lose(&mut self, partition: PartitionId, error: SourceError, events: &mut Vec<SourceEvent>) {
        self.stop(&[partition]);
        events.push(SourceEvent::PartitionLost { partition, error });
    }

    /// Takes partitions out of the assignment. What their queues still hold is void from then on.
    fn stop(&mut self, ids: &[PartitionId]) {
        let mut assigned = TopicPartitionList::new();
        for id in ids {
            self.moves.remove(id);
            if let (Some(partition), Some(facts)) = (
                self.partitions.get_mut(id.0 as usize),
                self.tracker.facts(*id),
            ) && std::mem::take(&mut partition.reading) != Reading::No
            {
                assigned.add_partition(&facts.topic, facts.partition);
            }
        }
        if let Some(consumer) = self.consumer.as_ref().filter(|_| assigned.count() > 0)
            && let Err(error) = consumer.incremental_unassign(&assigned)
        {
            // We assigned every one of them: librdkafka and we disagree about the assignment.
            tracing::error!(%error, "partitions could not be taken out of the assignment");
        }
    }

    /// Serves what librdkafka has for us besides records: errors, outcomes of acknowledgements.
    fn serve_client(&mut self) {
        let Some(consumer) = self.consumer.clone() else {
            return;
        };
        for _ in 0..CLIENT_EVENTS_MAX {
            // It answers nothing both for a served event and for none.
            match consumer.poll(Duration::ZERO) {
                None => {}
                Some(Ok(stray)) => self.start_again(stray.topic(), stray.partition()),
                // The group's coordinator is needed for acknowledgements only.
                Some(Err(error)) => tracing::debug!(%error, "an error that concerns no partition"),
            }
        }
    }

    /// A record came by the common queue, against all expectation: what its own queue brings would
    /// have a gap. Reads the partition again from where it was.
    fn start_again(&mut self, topic: &str, number: i32) {
        let Some(id) = self.tracker.find(topic, number) else {
            return;
        };
        let Some(Reading::From { next }) = self.partitions.get(id.0 as usize).map(|at| at.reading)
        else {
            return;
        };
        tracing::warn!(
            topic,
            number,
            "a record came by the wrong queue: reading again"
        );
        let at = |next| Move::To(StartAt::Offset(NextOffset(next)));
        self.moves.insert(id, next.map_or(Move::ToBeginning, at));
    }

    fn read(&mut self, events: &mut Vec<SourceEvent>) {
        let (mut records_left, mut bytes_left) = (POLL_RECORDS_MAX, POLL_BYTES_MAX);
        for _ in 0..self.bell.ready() {
            let Some(index) = self.bell.answer() else {
                return;
            };
            let before = events.len();
            let taken = self.read_partition(PartitionId(index as u32), events);
            if taken == BATCH_RECORDS_MAX {
                self.bell.ring(index);
            }
            let bytes = events[before..].iter().map(|event| match event {
                SourceEvent::Records(batch) => batch.bytes_len(),
                _ => 0,
            });
            bytes_left = bytes_left.saturating_sub(bytes.sum());
            records_left = records_left.saturating_sub(taken);
            if records_left == 0 || bytes_left == 0 {
                return;
            }
        }
    }

    /// Returns how much it took from the queue.
    fn read_partition(&mut self, id: PartitionId, events: &mut Vec<SourceEvent>) -> usize {
        let Some(partition) = self.partitions.get_mut(id.0 as usize) else {
            return 0;
        };
        let (Reading::From { next }, false) = (partition.reading, partition.paused) else {
            return 0;
        };
        let (Some(reader), Some(facts)) = (&mut partition.reader, self.tracker.facts(id)) else {
            return 0;
        };
        let place = format!("{}-{}", facts.topic, facts.partition);
        let mut intake = Intake::new(id, place, next, events);
        let taken = reader.read(BATCH_RECORDS_MAX, |delivery| intake.take(&delivery));
        let Outcome {
            next,
            look_again,
            stopped,
        } = intake.finish();
        partition.reading = Reading::From { next };
        partition.end = partition.end.max(next.unwrap_or_default());
        // Who writes all the time keeps librdkafka from ever finding a log at its end.
        let is_emptied = taken < BATCH_RECORDS_MAX && stopped.is_none();
        if is_emptied
            && let (Some(next), Some(SourceEvent::Records(last))) = (next, events.last())
            && last.partition == id
            && reader.end_as_fetched() == Some(next)
        {
            events.push(SourceEvent::End {
                partition: id,
                next: NextOffset(next),
            });
        }
        if look_again {
            self.discovery.look_now();
        }
        match (stopped, next) {
            (None, _) => {}
            (Some(Stop::Loss(error)), _) => self.lose(id, error, events),
            (Some(Stop::OutOfRange), Some(wanted)) => self.ask_reach(id, wanted),
            // Retention was quicker than we: what was the earliest offset is none any more.
            (Some(Stop::OutOfRange), None) => drop(self.moves.insert(id, Move::ToBeginning)),
        }
        taken
    }

    fn ask_reach(&mut self, id: PartitionId, wanted: u64) {
        let Some(facts) = self.tracker.facts(id) else {
            return;
        };
        let (topic, number) = (&facts.topic, facts.partition);
        self.partitions[id.0 as usize].reading = Reading::OutOfRange { wanted };
        if !self.discovery.ask_reach(id, topic, number) {
            self.moves
                .insert(id, Move::To(StartAt::Offset(NextOffset(wanted))));
        }
    }
}

fn assignment_failed(reason: String) -> SourceError {
    SourceError::Unreachable {
        what: "assignment of a partition".to_owned(),
        reason,
    }
}

impl Source for KafkaSource {
    fn poll(&mut self, timeout: Duration, events: &mut Vec<SourceEvent>) {
        let before = events.len();
        self.serve(events);
        if events.len() == before {
            self.bell.wait(timeout);
            self.serve(events);
        }
    }

    fn start(&mut self, partition: PartitionId, at: StartAt) -> Result<(), SourceError> {
        let Some(facts) = self.tracker.facts(partition) else {
            let message = format!("partition {} was never discovered", partition.0);
            return Err(SourceError::Config(message));
        };
        let (topic, number) = (facts.topic.clone(), facts.partition);
        if !self.tracker.is_present(partition) {
            return Err(SourceError::Gone {
                topic,
                partition: number,
            });
        }
        if let StartAt::Offset(NextOffset(wanted)) = at
            && i64::try_from(wanted).is_err()
        {
            let end = facts.end.map_or(0, |end| end.0);
            return Err(SourceError::OffsetBeyondLog {
                topic,
                partition: number,
                wanted,
                end,
            });
        }
        self.moves.insert(partition, Move::To(at));
        Ok(())
    }

    fn pause(&mut self, partitions: &[PartitionId]) {
        for id in partitions {
            if let Some(partition) = self.partitions.get_mut(id.0 as usize) {
                partition.paused = true;
            }
        }
    }

    fn resume(&mut self, partitions: &[PartitionId]) {
        for id in partitions {
            if let Some(partition) = self.partitions.get_mut(id.0 as usize) {
                partition.paused = false;
                // Its queue has rung for what it holds already.
                self.bell.ring(id.0 as usize);
            }
        }
    }

    fn acknowledge(&mut self, offsets: &[(PartitionId, NextOffset)]) {
        let Some(consumer) = &self.consumer else {
            return;
        };
        let mut list = TopicPartitionList::new();
        for (id, offset) in offsets {
            if let Some(facts) = self.tracker.facts(*id) {
                let _ = list.add_partition_offset(
                    &facts.topic,
                    facts.partition,
                    Offset::Offset(offset.0 as i64),
                );
            }
        }
        if let Err(error) = consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "an acknowledgement could not be sent");
        }
    }

    fn ends(&self) -> Vec<(PartitionId, NextOffset)> {
        let started = self
            .partitions
            .iter()
            .enumerate()
            .filter(|(_, partition)| partition.reading != Reading::No);
        started
            .map(|(index, partition)| (PartitionId(index as u32), NextOffset(partition.end)))
            .collect()
    }

    fn ask_ends(&mut self, question: EndsQuestion) {
        self.discovery.ask_ends(question);
    }
}

impl Drop for KafkaSource {
    /// librdkafka waits for answers of brokers when it closes, a minute if they are away. Nothing of
    /// ours depends on it, and a process that is told to end should.
    fn drop(&mut self) {
        let readers: Vec<_> = self
            .partitions
            .drain(..)
            .filter_map(|partition| partition.reader)
            .collect();
        let Some(consumer) = self.consumer.take() else {
            return;
        };
        let (closed, wait) = crossbeam_channel::bounded::<()>(1);
        let close = move || {
            drop((readers, consumer));
            drop(closed);
        };
        if std::thread::Builder::new()
            .name("kafka-close".to_owned())
            .spawn(close)
            .is_ok()
        {
            let _ = wait.recv_timeout(CLOSE_TIMEOUT);
        }
    }
}
