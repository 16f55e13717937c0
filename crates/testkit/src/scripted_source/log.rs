//! The log that a test writes and scripted sources read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use change_feed::SourceEvent;
use parking_lot::{Condvar, Mutex};
use row_model::NextOffset;

use super::ScriptedSource;

/// A record before it has an offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedRecord {
    pub topic: String,
    pub partition: i32,
    pub timestamp_ms: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl PlannedRecord {
    /// A record without headers.
    pub fn new(topic: &str, partition: i32, key: Option<&str>, value: Option<&str>) -> Self {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let (key, value) = (key.map(bytes), value.map(bytes));
        Self {
            topic: topic.to_owned(),
            partition,
            key,
            value,
            ..Self::default()
        }
    }
}

/// A topic that was taken out of its log.
pub struct TakenTopic(BTreeMap<(String, i32), LogPartition>);

/// The log that scripted sources read. Clones are the same log.
#[derive(Clone, Default)]
pub struct ScriptedLog {
    pub(super) state: Arc<Mutex<LogState>>,
    /// Rung when there may be something new to poll for.
    pub(super) changed: Arc<Condvar>,
}

#[derive(Default)]
pub(super) struct LogState {
    pub(super) partitions: BTreeMap<(String, i32), LogPartition>,
    pub(super) topics_created: u8,
    pub(super) events: VecDeque<SourceEvent>,
    pub(super) acknowledged: BTreeMap<(String, i32), NextOffset>,
    pub(super) paused: Vec<(String, i32)>,
    pub(super) read_from: BTreeMap<(String, i32), u64>,
    pub(super) delivered: u64,
    pub(super) sources_opened: usize,
    /// Polls of so many sources, the first that were opened, bring nothing.
    pub(super) sources_held: usize,
}

#[derive(Default)]
pub(super) struct LogPartition {
    pub(super) topic_uuid: [u8; 16],
    pub(super) compacted: bool,
    pub(super) records: BTreeMap<u64, PlannedRecord>,
    pub(super) retained_from: u64,
    pub(super) end: u64,
}

impl ScriptedLog {
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a topic. Created again after [`delete_topic`](Self::delete_topic), it has another uuid.
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        let state = &mut *self.state.lock();
        state.topics_created += 1;
        for partition in 0..partitions {
            let fresh = LogPartition {
                topic_uuid: [state.topics_created; 16],
                ..LogPartition::default()
            };
            state
                .partitions
                .insert((topic.to_owned(), partition), fresh);
        }
    }

    /// Gives a topic more partitions, as an operator does.
    pub fn add_partitions(&self, topic: &str, partitions: i32) {
        let state = &mut *self.state.lock();
        let first = state.partitions.get(&(topic.to_owned(), 0));
        let of_topic = first.map(|first| (first.topic_uuid, first.compacted));
        let (topic_uuid, compacted) = of_topic.unwrap_or_default();
        for partition in 0..partitions {
            let place = (topic.to_owned(), partition);
            let added = || LogPartition {
                topic_uuid,
                compacted,
                ..LogPartition::default()
            };
            state.partitions.entry(place).or_insert_with(added);
        }
    }

    pub fn delete_topic(&self, topic: &str) {
        self.state
            .lock()
            .partitions
            .retain(|(name, _), _| name != topic);
    }

    /// Deletes a topic, to be [put back](Self::put_back) later as it was, uuid and all.
    pub fn take_topic(&self, topic: &str) -> TakenTopic {
        let state = &mut *self.state.lock();
        let taken = state
            .partitions
            .extract_if(.., |(name, _), _| name == topic);
        TakenTopic(taken.collect())
    }

    pub fn put_back(&self, topic: TakenTopic) {
        self.state.lock().partitions.extend(topic.0);
        self.changed.notify_all();
    }

    pub fn set_compacted(&self, topic: &str) {
        let state = &mut *self.state.lock();
        for ((name, _), partition) in &mut state.partitions {
            partition.compacted |= name == topic;
        }
    }

    /// Removes every record that a later one of its key replaces. Answers which that were.
    pub fn compact(&self, topic: &str) -> Vec<(i32, u64)> {
        let state = &mut *self.state.lock();
        let mut removed = Vec::new();
        for ((name, number), partition) in &mut state.partitions {
            if name != topic {
                continue;
            }
            let mut later = BTreeSet::new();
            for (offset, record) in partition.records.iter().rev() {
                if record.key.is_some() && !later.insert(record.key.clone()) {
                    removed.push((*number, *offset));
                }
            }
            let is_replaced = |offset: &u64| removed.contains(&(*number, *offset));
            partition.records.retain(|offset, _| !is_replaced(offset));
        }
        removed
    }

    /// Appends records; a topic that was not created comes into being with the partitions named.
    pub fn append(&self, records: &[PlannedRecord]) {
        let state = &mut *self.state.lock();
        for record in records {
            let partition = state
                .partitions
                .entry((record.topic.clone(), record.partition))
                .or_default();
            partition.records.insert(partition.end, record.clone());
            partition.end += 1;
        }
        self.changed.notify_all();
    }

    /// From now on no poll brings anything, as if the broker were far away and silent.
    pub fn hold(&self) {
        self.state.lock().sources_held = usize::MAX;
    }

    /// The same for the sources that there are. Others, opened later, see the log as it is.
    pub fn hold_opened(&self) {
        let mut state = self.state.lock();
        state.sources_held = state.sources_opened;
    }

    pub fn release(&self) {
        self.state.lock().sources_held = 0;
        self.changed.notify_all();
    }

    /// Takes offsets without records, as control records and compaction do.
    pub fn skip_offsets(&self, topic: &str, partition: i32, count: u64) {
        self.change(topic, partition, |partition| partition.end += count);
    }

    /// Lets retention take everything before an offset.
    pub fn trim(&self, topic: &str, partition: i32, before: u64) {
        self.change(topic, partition, |partition| {
            partition.retained_from = before;
            partition.records = partition.records.split_off(&before);
        });
    }

    /// Offset of the first record that retention has left.
    pub fn retained_from(&self, topic: &str, partition: i32) -> u64 {
        let state = self.state.lock();
        let place = (topic.to_owned(), partition);
        let found = state.partitions.get(&place);
        found.map_or(0, |partition| partition.retained_from)
    }

    /// Loses everything from an offset on, as a broker does whose disk was not flushed.
    pub fn cut_tail(&self, topic: &str, partition: i32, from: u64) {
        self.change(topic, partition, |partition| {
            partition.end = from;
            partition.records.split_off(&from);
        });
    }

    /// Has the next poll of some source say this, before anything else.
    pub fn push_event(&self, event: SourceEvent) {
        self.state.lock().events.push_back(event);
    }

    /// What was last acknowledged.
    pub fn acknowledged(&self, topic: &str, partition: i32) -> Option<NextOffset> {
        self.state
            .lock()
            .acknowledged
            .get(&(topic.to_owned(), partition))
            .copied()
    }

    /// Whoever reads from now on has acknowledged nothing yet.
    pub fn forget_acknowledged(&self) {
        self.state.lock().acknowledged.clear();
    }

    /// Where a source was last told to begin, as an offset.
    pub fn read_from(&self, topic: &str, partition: i32) -> Option<u64> {
        self.state
            .lock()
            .read_from
            .get(&(topic.to_owned(), partition))
            .copied()
    }

    /// Records that sources have delivered so far.
    pub fn delivered(&self) -> u64 {
        self.state.lock().delivered
    }

    /// Offset of the next record to be written.
    pub fn end(&self, topic: &str, partition: i32) -> u64 {
        self.state
            .lock()
            .partitions
            .get(&(topic.to_owned(), partition))
            .map_or(0, |partition| partition.end)
    }

    /// What is paused just now.
    pub fn paused(&self) -> Vec<(String, i32)> {
        self.state.lock().paused.clone()
    }

    /// A source that reads this log, batches of at most `batch_records_max` at a time.
    pub fn source(&self, batch_records_max: usize) -> ScriptedSource {
        let mut state = self.state.lock();
        let number = state.sources_opened;
        state.sources_opened += 1;
        ScriptedSource {
            log: self.clone(),
            number,
            batch_records_max,
            partitions: Vec::new(),
            discovery_complete: false,
            waits: false,
            only: None,
        }
    }

    /// The same, but a poll that finds nothing waits for something, so that a thread can drive it.
    pub fn waiting_source(&self, batch_records_max: usize) -> ScriptedSource {
        ScriptedSource {
            waits: true,
            ..self.source(batch_records_max)
        }
    }

    fn change(&self, topic: &str, partition: i32, change: impl FnOnce(&mut LogPartition)) {
        change(
            self.state
                .lock()
                .partitions
                .entry((topic.to_owned(), partition))
                .or_default(),
        );
    }
}
