//! One process of the pipeline without its threads: whoever drives it picks the order in which what
//! the threads would do happens.
//!
//! Invariant: events of one partition are handed over in order, those of several in any; a
//! checkpoint is on its way while changes go on being applied.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoder, Source, SourceEvent, StartAt, TopicContext};
use checkpoint_store::{CheckpointError, CheckpointStore, MemoryDisk};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use ingest::{OnBadRecord, Pending, Sequencer, Settings, SourceOrder, SourceSetup, StatusReport};
use row_model::{ChangeBatch, CutId, NextOffset, PartitionId, SchemaCatalog};
use table_store::{ReadState, TableCut};
use testkit::connector::read_row;
use testkit::faulty_store::{Faults, FaultyStore, open_faulty};
use testkit::scripted_source::{ScriptedLog, ScriptedSource};

use crate::bags::Bag;
use crate::database::Rows;

/// A bug that the driver has on demand, so that it can be shown that such bugs are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    None,
    /// The broker is acknowledged when a checkpoint begins, not when it is durable.
    AcknowledgesEarly,
    /// Reading resumes one record after where it should.
    ResumesOneLate,
    /// What a failed checkpoint held is not put into the next one.
    ForgetsFailedCheckpoints,
}

/// The process has crashed.
#[derive(Debug)]
pub struct Crashed;

pub struct Process {
    pub sequencer: Sequencer,
    source: ScriptedSource,
    decoder: DebeziumDecoder,
    store: FaultyStore,
    /// What the source delivered and no worker has taken yet.
    inbox: BTreeMap<PartitionId, VecDeque<SourceEvent>>,
    topics: BTreeMap<PartitionId, (String, i32)>,
    pending: Option<Pending>,
    canary: Canary,
    now_ms: i64,
}

impl Process {
    /// Starts on what the disk holds, up to where the source could begin.
    pub fn open(
        log: &ScriptedLog,
        disk: &MemoryDisk,
        faults: &Faults,
        batch_records_max: usize,
        canary: Canary,
    ) -> Result<Self, CheckpointError> {
        let catalog = Arc::new(SchemaCatalog::default());
        let decoder = DebeziumDecoder::new(Arc::clone(&catalog), Placeholder::default());
        let mut process = Self {
            sequencer: Sequencer::new(settings(), &[setup(log)], catalog),
            source: log.source(batch_records_max),
            decoder,
            store: open_faulty(disk, faults)?,
            inbox: BTreeMap::new(),
            topics: BTreeMap::new(),
            pending: None,
            canary,
            now_ms: 1,
        };
        let loaded = process.sequencer.load(&process.store, || 1, |_| {});
        loaded.expect("what a checkpoint wrote can be loaded");
        Ok(process)
    }

    /// Hears what the source has to say.
    pub fn poll(&mut self) -> bool {
        let mut events = Vec::new();
        self.source.poll(Duration::ZERO, &mut events);
        let brought = !events.is_empty();
        for event in events {
            match event {
                SourceEvent::Discovered(facts) => {
                    self.topics
                        .insert(facts.id, (facts.topic.clone(), facts.partition));
                    self.sequencer.discovered(0, &facts);
                }
                SourceEvent::DiscoveryComplete => self.sequencer.discovery_complete(0),
                SourceEvent::Records(ref batch) => self.queue(batch.partition, event),
                SourceEvent::End { partition, .. }
                | SourceEvent::PartitionLost { partition, .. } => self.queue(partition, event),
                other => panic!("the log does not say {other:?}"),
            }
        }
        brought
    }

    /// Decodes and applies what came next of some partition.
    pub fn deliver(&mut self, rng: &mut fastrand::Rng) {
        let waiting: Vec<PartitionId> = self.inbox.keys().copied().collect();
        let Some(id) = rng.choice(waiting) else {
            return;
        };
        let queue = self.inbox.get_mut(&id).expect("it was there just now");
        let event = queue.pop_front();
        if queue.is_empty() {
            self.inbox.remove(&id);
        }
        match event {
            Some(SourceEvent::Records(batch)) => {
                let (topic, partition) = &self.topics[&id];
                let context = TopicContext {
                    topic,
                    partition: *partition,
                };
                let mut changes = ChangeBatch::new(id);
                self.decoder.decode(context, &batch, 0, &mut changes);
                self.sequencer.apply(0, &changes);
            }
            Some(SourceEvent::End { partition, next }) => {
                self.sequencer.reached_end(0, partition, next);
            }
            Some(SourceEvent::PartitionLost { partition, error }) => {
                self.sequencer.partition_lost(0, partition, &error);
            }
            _ => {}
        }
    }

    /// Publishes a cut and carries out what sources are told.
    pub fn publish(&mut self) {
        self.now_ms += 1;
        self.sequencer.publish(self.now_ms);
        for (_, order) in self.sequencer.take_orders() {
            match order {
                SourceOrder::Start(partition, at) => {
                    let at = match at {
                        StartAt::Offset(NextOffset(next))
                            if self.canary == Canary::ResumesOneLate =>
                        {
                            StartAt::Offset(NextOffset(next + 1))
                        }
                        at => at,
                    };
                    self.source
                        .start(partition, at)
                        .expect("the partition exists");
                }
                SourceOrder::Pause(partitions) => self.source.pause(&partitions),
                SourceOrder::Resume(partitions) => self.source.resume(&partitions),
                SourceOrder::Acknowledge(offsets) => self.source.acknowledge(&offsets),
                SourceOrder::Fence(_) => unreachable!("nobody asks for a rebuild"),
            }
        }
    }

    /// Begins a checkpoint of a cut, or ends the one that was begun.
    pub fn checkpoint(&mut self) -> Result<(), Crashed> {
        let Some(pending) = self.pending.take() else {
            self.publish();
            self.pending = self.sequencer.begin_checkpoint(&self.store);
            if self.canary == Canary::AcknowledgesEarly {
                self.acknowledge_all();
            }
            return Ok(());
        };
        if self.store.commit(pending.checkpoint()).is_ok()
            || self.canary == Canary::ForgetsFailedCheckpoints
        {
            self.sequencer.checkpoint_done(pending);
        } else {
            self.sequencer.checkpoint_failed(pending);
        }
        // A store whose process has crashed cannot be read any more.
        self.store.notes().map(|_| ()).map_err(|_| Crashed)
    }

    /// Reads all there is, and keeps it.
    pub fn settle(&mut self, rng: &mut fastrand::Rng) -> Result<(), Crashed> {
        while self.poll() || !self.inbox.is_empty() || self.sequencer.unpublished() > 0 {
            while !self.inbox.is_empty() {
                self.deliver(rng);
            }
            self.publish();
        }
        // Nothing is waited for that long.
        self.publish();
        self.now_ms += 1_000_000;
        self.publish();
        // One that may be on its way, and one of what came after it.
        for _ in 0..4 {
            self.checkpoint()?;
        }
        self.sequencer.quiet(0, self.now_ms);
        self.publish();
        Ok(())
    }

    /// The tables of the newest cut with their rows.
    pub fn tables(&self) -> Vec<(Arc<TableCut>, Rows)> {
        let cut = self.sequencer.store().pin();
        let tables = cut.tables().iter();
        tables
            .map(|table| (Arc::clone(table), rows(table, cut.id)))
            .collect()
    }

    /// The tables of the newest cut with how many rows of each content they have.
    pub fn bags(&self) -> Vec<(Arc<TableCut>, Bag)> {
        let cut = self.sequencer.store().pin();
        let tables = cut.tables().iter();
        tables
            .map(|table| {
                let mut bag = Bag::new();
                table.table.visit(cut.id, |version| {
                    if let Some(row) = read_row(version, table.table.schemas()) {
                        *bag.entry(row).or_default() += 1;
                    }
                });
                (Arc::clone(table), bag)
            })
            .collect()
    }

    /// What is put aside, as topic, partition and offset.
    pub fn quarantine(&mut self) -> Vec<(String, i32, u64)> {
        let mut report = StatusReport::default();
        self.sequencer.report(&mut report);
        let records = report.quarantine.into_iter();
        records
            .map(|record| (record.topic, record.partition, record.offset))
            .collect()
    }

    pub fn is_live(&self) -> bool {
        let cut = self.sequencer.store().published();
        cut.tables()
            .iter()
            .all(|table| table.facts.state == ReadState::Live)
    }

    fn queue(&mut self, partition: PartitionId, event: SourceEvent) {
        self.inbox.entry(partition).or_default().push_back(event);
    }

    fn acknowledge_all(&mut self) {
        let mut report = StatusReport::default();
        self.sequencer.report(&mut report);
        for (id, (topic, partition)) in &self.topics {
            let of_source = report.sources.iter().flat_map(|source| &source.partitions);
            let reached = of_source
                .filter(|report| report.topic == *topic && report.partition == *partition)
                .map(|report| (*id, NextOffset(report.next_offset)));
            let reached: Vec<_> = reached.collect();
            self.source.acknowledge(&reached);
        }
    }
}

fn rows(table: &TableCut, cut: CutId) -> Rows {
    let mut rows = Rows::new();
    table.table.visit(cut, |version| {
        let row = read_row(version, table.table.schemas());
        rows.extend(row);
    });
    rows
}

fn settings() -> Settings {
    Settings {
        tables: Vec::new(),
        checkpoint_interval: Duration::ZERO,
        volatile: false,
        memory_bytes_max: u64::MAX,
        quarantine_bytes_max: 1 << 20,
        preparations: ingest::Preparations::default(),
        unserved: Vec::new(),
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
        ends: false,
    }
}
