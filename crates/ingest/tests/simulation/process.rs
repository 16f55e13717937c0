//! One process of the pipeline without its threads: whoever drives it picks the order in which what
//! the threads would do happens.
//!
//! Invariant: events of one partition are handed over in order, those of several in any; a
//! checkpoint is on its way while changes go on being applied.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoder, PartitionFacts, Source, SourceEvent, StartAt, TopicContext};
use checkpoint_store::{CheckpointStore, MemoryDisk};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use ingest::{
    Ended, OnBadRecord, Pending, Sequencer, Settings, SourceOrder, SourceSetup, StatusReport,
};
use row_model::{
    BoundaryKind, Change, ChangeBatch, ChangeKind, NextOffset, PartitionId, SchemaCatalog,
};
use testkit::faulty_store::{Faults, FaultyStore, open_faulty};
use testkit::scripted_source::{ScriptedLog, ScriptedSource};

use crate::canary::Canary;
use crate::coverage::Happening;
use crate::trace::Trace;

/// The process has crashed.
#[derive(Debug)]
pub struct Crashed;

/// The outside of a process: what it reads, where it keeps it, and what is wrong with either.
pub struct Surroundings {
    /// The disk has broken its promise: what it holds may be anything.
    pub is_torn: bool,
    pub log: ScriptedLog,
    pub disk: MemoryDisk,
    pub faults: Faults,
    pub canary: Canary,
    pub trace: Trace,
}

/// A partition is read from its beginning.
pub struct Begun {
    pub place: (String, i32),
    pub from: u64,
    /// Retention took records after the partition was found and before it was begun.
    pub was_cut_meanwhile: bool,
}

pub struct Process {
    pub sequencer: Sequencer,
    source: ScriptedSource,
    decoder: DebeziumDecoder,
    store: FaultyStore,
    /// What the source delivered and no worker has taken yet.
    inbox: BTreeMap<PartitionId, VecDeque<SourceEvent>>,
    topics: BTreeMap<PartitionId, (String, i32)>,
    paused_here: BTreeSet<PartitionId>,
    paused_by_order: BTreeSet<PartitionId>,
    begun: Vec<Begun>,
    /// Where the log of each partition began when that was found.
    found_from: BTreeMap<PartitionId, u64>,
    /// Where reading of each partition was begun first in this process.
    pub started: BTreeMap<(String, i32), u64>,
    /// Ends of partitions that were delivered, since this was last asked.
    ends: Vec<((String, i32), u64)>,
    pending: Option<Pending>,
    log: ScriptedLog,
    canary: Canary,
    trace: Trace,
    pub now_ms: i64,
}

impl Process {
    /// Starts on what the disk holds, up to where the source could begin. An error if the disk does not
    /// hold what was written.
    pub fn open(around: &Surroundings, batch_records_max: usize) -> Result<Self, String> {
        let Surroundings { log, canary, .. } = around;
        let catalog = Arc::new(SchemaCatalog::default());
        let decoder = DebeziumDecoder::new(Arc::clone(&catalog), Placeholder::default());
        let store = open_faulty(&around.disk, &around.faults).map_err(|error| error.to_string())?;
        let mut process = Self {
            sequencer: Sequencer::new(settings(), &[setup(log)], catalog),
            source: log.source(batch_records_max),
            decoder,
            store,
            inbox: BTreeMap::new(),
            topics: BTreeMap::new(),
            paused_here: BTreeSet::new(),
            paused_by_order: BTreeSet::new(),
            begun: Vec::new(),
            found_from: BTreeMap::new(),
            started: BTreeMap::new(),
            ends: Vec::new(),
            pending: None,
            log: log.clone(),
            canary: *canary,
            trace: around.trace.clone(),
            now_ms: 1,
        };
        let loaded = process.sequencer.load(&process.store, || 1, |_| {});
        loaded.map_err(|error| error.to_string())?;
        for table in process.sequencer.store().published().tables() {
            for index in &*table.table.indexes() {
                assert!(table.table.build_index(index), "no index is there twice");
            }
        }
        process.trace.count(
            Happening::Started,
            format_args!("from checkpoint {}", process.store.sequence()),
        );
        Ok(process)
    }

    /// Hears what the source has to say.
    pub fn poll(&mut self) -> bool {
        let mut events = Vec::new();
        self.source.poll(Duration::ZERO, &mut events);
        let brought = !events.is_empty();
        for event in events {
            match event {
                SourceEvent::Discovered(facts) => self.discovered(facts),
                SourceEvent::DiscoveryComplete => self.sequencer.discovery_complete(0),
                SourceEvent::Records(ref batch) => self.queue(batch.partition, event),
                SourceEvent::End { partition, .. }
                | SourceEvent::PartitionLost { partition, .. } => self.queue(partition, event),
                SourceEvent::Unavailable(error) => self.sequencer.unavailable(0, &error),
                SourceEvent::Available => self.sequencer.available(0),
                other @ (SourceEvent::Delayed(_) | SourceEvent::Unreadable { .. }) => {
                    panic!("the log does not say {other:?}")
                }
            }
        }
        brought
    }

    /// Decodes and applies what came next of some partition.
    pub fn deliver(&mut self, rng: &mut fastrand::Rng) {
        if self.inbox.is_empty() {
            return;
        }
        let at = rng.usize(..self.inbox.len());
        let Some(id) = self.inbox.keys().nth(at).copied() else {
            return;
        };
        let event = self.inbox.get_mut(&id).and_then(VecDeque::pop_front);
        self.inbox.retain(|_, queue| !queue.is_empty());
        match event {
            Some(SourceEvent::Records(batch)) => {
                let (topic, partition) = &self.topics[&id];
                let context = TopicContext {
                    topic,
                    partition: *partition,
                };
                let mut changes = ChangeBatch::new(id);
                self.decoder.decode(context, &batch, 0, &mut changes);
                self.spoil(&mut changes);
                self.trace.say(format_args!(
                    "apply {topic}-{partition} up to {}",
                    changes.next_offset.0
                ));
                self.sequencer.apply(0, &changes);
                self.end_early();
            }
            Some(SourceEvent::End { partition, next }) => {
                let place = self.topics[&partition].clone();
                self.trace.say(format_args!("{place:?} ends at {}", next.0));
                self.ends.push((place, next.0));
                self.sequencer
                    .reached_end(0, partition, Ended::at(next, self.now_ms));
            }
            Some(SourceEvent::PartitionLost { partition, error }) => {
                self.trace.say(format_args!("{error}"));
                self.sequencer.partition_lost(0, partition, &error);
            }
            Some(SourceEvent::Discovered(facts)) => self.sequencer.discovered(0, &facts),
            _ => {}
        }
    }

    /// Publishes a cut and carries out what sources are told.
    pub fn publish(&mut self) {
        self.now_ms += match self.canary {
            Canary::ShowsHalves => 2_000,
            _ => 1,
        };
        self.sequencer.publish(self.now_ms);
        for (_, order) in self.sequencer.take_orders() {
            match order {
                SourceOrder::Start(partition, at) => self.start(partition, at),
                SourceOrder::Pause(partitions) => {
                    self.source.pause(&partitions);
                    self.paused_by_order.extend(partitions);
                }
                SourceOrder::Resume(partitions) => {
                    self.paused_by_order.retain(|id| !partitions.contains(id));
                    let free = partitions.into_iter();
                    let free: Vec<_> = free.filter(|id| !self.paused_here.contains(id)).collect();
                    self.source.resume(&free);
                }
                SourceOrder::Acknowledge(offsets) => self.source.acknowledge(&offsets),
                SourceOrder::Fence(_) => unreachable!("nobody asks for a rebuild"),
            }
        }
    }

    /// A worker does not keep up with a partition, or does again.
    pub fn pause(&mut self, rng: &mut fastrand::Rng) {
        let Some(id) = rng.choice(self.topics.keys().copied()) else {
            return;
        };
        self.trace.count(Happening::Paused, format_args!("{id:?}"));
        if self.paused_here.insert(id) {
            return self.source.pause(&[id]);
        }
        self.paused_here.remove(&id);
        if !self.paused_by_order.contains(&id) {
            self.source.resume(&[id]);
        }
    }

    /// Every worker keeps up.
    pub fn resume_all(&mut self) {
        let paused = std::mem::take(&mut self.paused_here);
        let free = paused.difference(&self.paused_by_order);
        let free: Vec<_> = free.copied().collect();
        self.source.resume(&free);
    }

    /// Tells the sequencer that its source has nothing more, if that is so.
    pub fn quiet(&mut self) -> bool {
        self.publish();
        let claims = self.canary == Canary::ClaimsFreshness;
        let in_flight = !self.inbox.is_empty() || !self.paused_here.is_empty();
        if !claims && (in_flight || self.poll()) {
            return false;
        }
        self.trace
            .count(Happening::Quiet, format_args!("at {}", self.now_ms));
        self.sequencer.quiet(0, self.now_ms);
        true
    }

    /// Begins a checkpoint of a cut, or ends the one that was begun.
    pub fn checkpoint(&mut self) -> Result<(), Crashed> {
        let Some(pending) = self.pending.take() else {
            self.publish();
            self.pending = self.sequencer.begin_checkpoint(&self.store);
            if self.canary == Canary::AcknowledgesEarly {
                for (id, next) in self.reached() {
                    self.source.acknowledge(&[(id, next)]);
                }
            }
            return Ok(());
        };
        let committed = self.store.commit(pending.checkpoint());
        match committed {
            Ok(committed) => self.trace.count(
                Happening::Checkpointed,
                format_args!("{}", committed.sequence),
            ),
            Err(_) => self
                .trace
                .count(Happening::CheckpointFailed, format_args!("")),
        }
        if committed.is_ok() || self.canary == Canary::ForgetsFailedCheckpoints {
            self.sequencer.checkpoint_done(pending);
        } else {
            self.sequencer.checkpoint_failed(pending);
        }
        // A store whose process has crashed cannot be read any more.
        self.store.notes().map(|_| ()).map_err(|_| Crashed)
    }

    /// Reads all there is, and keeps it.
    pub fn settle(&mut self, rng: &mut fastrand::Rng) -> Result<(), Crashed> {
        self.resume_all();
        self.publish();
        while self.poll() || !self.inbox.is_empty() || self.sequencer.unpublished() > 0 {
            while !self.inbox.is_empty() {
                self.deliver(rng);
            }
            self.publish();
        }
        // Nothing is waited for that long: not for a transaction, and then not for half of a key change.
        self.publish();
        for _ in 0..2 {
            self.now_ms += 1_000_000;
            self.publish();
        }
        self.quiet();
        self.publish();
        // One that may be on its way, and one of what came after it.
        for _ in 0..4 {
            self.checkpoint()?;
        }
        self.sequencer.quiet(0, self.now_ms);
        self.publish();
        Ok(())
    }

    /// What the sequencer tells of itself.
    pub fn report(&mut self) -> StatusReport {
        let mut report = StatusReport::default();
        self.sequencer.report(&mut report);
        report
    }

    /// What is put aside, as topic, partition and offset.
    pub fn quarantine(&mut self) -> Vec<(String, i32, u64)> {
        let records = self.report().quarantine.into_iter();
        records
            .map(|record| (record.topic, record.partition, record.offset))
            .collect()
    }

    /// Partitions that are read from their beginning since this was last asked.
    pub fn take_begun(&mut self) -> Vec<Begun> {
        std::mem::take(&mut self.begun)
    }

    /// Ends of partitions that were delivered since this was last asked.
    pub fn take_ends(&mut self) -> Vec<((String, i32), u64)> {
        std::mem::take(&mut self.ends)
    }

    fn discovered(&mut self, mut facts: PartitionFacts) {
        self.found_from.insert(facts.id, facts.retained_from.0);
        if self.canary == Canary::OverlooksRetention {
            facts.retained_from = NextOffset(0);
        }
        let place = (facts.topic.clone(), facts.partition);
        if self.topics.insert(facts.id, place).is_none() {
            return self.sequencer.discovered(0, &facts);
        }
        // One that is back is heard of after all that was delivered of it before.
        self.queue(facts.id, SourceEvent::Discovered(facts));
    }

    fn start(&mut self, partition: PartitionId, at: StartAt) {
        let (topic, number) = self.topics[&partition].clone();
        let is_back = self.started.contains_key(&(topic.clone(), number));
        let at = match (self.canary, at) {
            (Canary::ResumesOneLate, StartAt::Offset(NextOffset(next))) => {
                StartAt::Offset(NextOffset(next + 1))
            }
            (Canary::SkipsWhatCameWhileGone, StartAt::Offset(_)) if is_back => {
                StartAt::Offset(NextOffset(self.log.end(&topic, number)))
            }
            (Canary::OverlooksRetention, StartAt::Offset(next)) => {
                StartAt::Offset(next.max(NextOffset(self.log.retained_from(&topic, number))))
            }
            (_, at) => at,
        };
        self.trace
            .say(format_args!("start {topic}-{number} at {at:?}"));
        // As the source's thread does: what cannot be started any more is lost.
        if let Err(error) = self.source.start(partition, at) {
            return self.queue(partition, SourceEvent::PartitionLost { partition, error });
        }
        let place = (topic, number);
        let from = self.log.read_from(&place.0, number).unwrap_or(0);
        self.started.entry(place.clone()).or_insert(from);
        if at == StartAt::Earliest {
            let found_from = self.found_from.get(&partition);
            self.begun.push(Begun {
                place,
                from,
                was_cut_meanwhile: found_from.is_some_and(|found_from| *found_from < from),
            });
        }
    }

    fn queue(&mut self, partition: PartitionId, event: SourceEvent) {
        self.inbox.entry(partition).or_default().push_back(event);
    }

    /// Where each partition stands.
    fn reached(&mut self) -> Vec<(PartitionId, NextOffset)> {
        let report = self.report();
        let partitions = report.sources.iter().flat_map(|source| &source.partitions);
        let places: Vec<_> = partitions
            .filter_map(|report| {
                let place = (report.topic.clone(), report.partition);
                let mut ids = self.topics.iter();
                let (id, _) = ids.find(|(_, topic)| **topic == place)?;
                Some((*id, NextOffset(report.next_offset)))
            })
            .collect();
        places
    }

    /// What canaries do to decoded records.
    fn spoil(&self, changes: &mut ChangeBatch) {
        match self.canary {
            Canary::DropsFailures => changes.failures.clear(),
            Canary::TearsTransactions => {
                for boundary in &mut changes.boundaries {
                    if let BoundaryKind::Ends { events } = &mut boundary.kind {
                        events.clear();
                    }
                }
            }
            Canary::AppliesTwice => {
                let changes = changes.changes.iter_mut();
                let is_of_keyless = |change: &&mut Change| {
                    change.kind != ChangeKind::Truncate && change.key.is_empty()
                };
                for change in changes.filter(is_of_keyless) {
                    (change.position, change.transaction) = (None, None);
                }
            }
            _ => {}
        }
    }

    fn end_early(&mut self) {
        // An end that waits would come when more was read, and be another log's.
        if self.canary == Canary::SweepsEarly && self.report().memory.partitions_waiting == 0 {
            for (id, next) in self.reached() {
                self.sequencer
                    .reached_end(0, id, Ended::at(next, self.now_ms));
            }
        }
    }
}

fn settings() -> Settings {
    Settings {
        tables: Vec::new(),
        checkpoint_interval: Duration::ZERO,
        volatile: false,
        memory_bytes_max: u64::MAX,
        versions_max: ingest::VersionsMax::default(),
        quarantine_bytes_max: 1 << 20,
        preparations: ingest::Preparations::default(),
        unserved: Vec::new(),
        transactions: Vec::new(),
        keep: Vec::new(),
        indexes: Vec::new(),
    }
}

/// The source in it is never polled: the driver has one of its own.
fn setup(log: &ScriptedLog) -> SourceSetup {
    SourceSetup {
        name: "s".to_owned(),
        kind: "kafka",
        source: Box::new(log.source(1)),
        decoder: Box::new(|| unreachable!("the driver has a decoder of its own")),
        registry: None,
        on_bad_record: OnBadRecord::Quarantine,
        heartbeat_table: None,
        ends: false,
    }
}
