//! What takes an exact order of events: the sequencer alone, stepped by the test.

use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoder, RawBatch, Source, SourceEvent, StartAt, TopicContext};
use checkpoint_store::{CheckpointStore, MemoryDisk, MemoryStore};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use ingest::{OnBadRecord, Sequencer, Settings, SourceOrder, SourceSetup};
use row_model::{ChangeBatch, NextOffset, PartitionId, SchemaCatalog};
use table_store::{ReadState, TableFacts};
use testkit::connector::At;
use testkit::scripted_source::{PlannedRecord, ScriptedLog};

use crate::harness::{CONNECTOR, rows_of};

const TOPIC: &str = "shop.public.orders";
const PARTITION: PartitionId = PartitionId(0);
const ROW_BYTES: usize = 100_000;

struct Stepped {
    log: ScriptedLog,
    sequencer: Sequencer,
    decoder: DebeziumDecoder,
}

impl Stepped {
    /// A new sequencer with what the disk holds, whose source has not said anything.
    fn on(disk: &MemoryDisk, memory_bytes_max: u64) -> Self {
        let log = ScriptedLog::new();
        log.create_topic(TOPIC, 1);
        let settings = Settings {
            tables: Vec::new(),
            checkpoint_interval: Duration::ZERO,
            volatile: true,
            memory_bytes_max,
            quarantine_bytes_max: 1 << 20,
            unserved: Vec::new(),
            keep: Vec::new(),
        };
        let setup = SourceSetup {
            name: "s".to_owned(),
            kind: "kafka",
            source: Box::new(log.source(1)),
            decoder: Box::new(|| unreachable!("the test decodes")),
            on_bad_record: OnBadRecord::Quarantine,
            ends: false,
        };
        let catalog = Arc::new(SchemaCatalog::default());
        let mut sequencer = Sequencer::new(settings, &[setup], Arc::clone(&catalog));
        let store = MemoryStore::open_memory(disk).unwrap();
        sequencer.load(&store, || 1, |_| {}).unwrap();
        Self {
            sequencer,
            decoder: DebeziumDecoder::new(catalog, Placeholder::default()),
            log,
        }
    }

    /// The same on an empty disk, and the source has told its one partition.
    fn reading(memory_bytes_max: u64) -> Self {
        let mut stepped = Self::on(&MemoryDisk::default(), memory_bytes_max);
        stepped.discover();
        assert_eq!(
            stepped.orders(),
            [SourceOrder::Start(PARTITION, StartAt::Earliest)]
        );
        stepped
    }

    fn discover(&mut self) {
        let mut events = Vec::new();
        self.log.source(1).poll(Duration::ZERO, &mut events);
        for event in events {
            match event {
                SourceEvent::Discovered(facts) => self.sequencer.discovered(0, &facts),
                SourceEvent::DiscoveryComplete => self.sequencer.discovery_complete(0),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Makes what was published durable.
    fn keep(&mut self, disk: &MemoryDisk) {
        let mut store = MemoryStore::open_memory(disk).unwrap();
        let pending = self.sequencer.begin_checkpoint(&store).unwrap();
        store.commit(pending.checkpoint()).unwrap();
        self.sequencer.checkpoint_done(pending);
    }

    /// Applies records that begin at an offset, and publishes.
    fn apply(&mut self, from: u64, records: &[PlannedRecord]) {
        let mut raw = RawBatch::new(PARTITION);
        for (offset, record) in (from..).zip(records) {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            raw.push(offset, Some(1), key, value, []);
        }
        let mut changes = ChangeBatch::new(PARTITION);
        let context = TopicContext {
            topic: TOPIC,
            partition: 0,
        };
        self.decoder.decode(context, &raw, &mut changes);
        self.sequencer.apply(0, &changes);
        self.sequencer.publish(1);
    }

    fn orders(&mut self) -> Vec<SourceOrder> {
        let orders = self.sequencer.take_orders().into_iter();
        orders.map(|(_, order)| order).collect()
    }

    fn facts(&self) -> Arc<TableFacts> {
        let cut = self.sequencer.store().published();
        Arc::clone(&cut.tables()[0].facts)
    }

    fn rows(&self) -> usize {
        let cut = self.sequencer.store().pin();
        rows_of(&cut.tables()[0], cut.id).len()
    }
}

fn at(lsn: u64) -> At<'static> {
    At::lsn(TOPIC, 0, lsn)
}

fn large(id: i64) -> PlannedRecord {
    CONNECTOR.create(at(10), id, &"x".repeat(ROW_BYTES))
}

#[test]
fn deletes_that_were_on_their_way_free_memory_and_reading_goes_on() {
    let mut stepped = Stepped::reading(10 * ROW_BYTES as u64);
    let rows: Vec<_> = (0..12).map(large).collect();
    stepped.apply(0, &rows);
    stepped.sequencer.publish(2);
    assert_eq!(stepped.orders(), [SourceOrder::Pause(vec![PARTITION])]);
    let facts = stepped.facts();
    assert_eq!(facts.state, ReadState::Stalled);
    let reason = facts.reason.clone().unwrap_or_default();
    assert!(reason.starts_with("memory: "), "{reason}");
    assert_eq!(stepped.rows(), 12);

    let deletes: Vec<_> = (0..6).map(|id| CONNECTOR.delete(at(20), id)).collect();
    stepped.apply(12, &deletes);
    stepped.sequencer.publish(3);
    stepped.sequencer.publish(4);
    assert_eq!(stepped.orders(), [SourceOrder::Resume(vec![PARTITION])]);
    stepped.sequencer.reached_end(0, PARTITION, NextOffset(18));
    stepped.sequencer.publish(5);
    assert_eq!(stepped.facts().state, ReadState::Live);
    assert_eq!(stepped.facts().reason, None);
    assert_eq!(stepped.rows(), 6);
}

#[test]
fn a_partition_that_is_not_read_is_not_said_to_be_at_its_end() {
    let mut stepped = Stepped::reading(10 * ROW_BYTES as u64);
    let rows: Vec<_> = (0..12).map(large).collect();
    stepped.apply(0, &rows);
    stepped.sequencer.reached_end(0, PARTITION, NextOffset(12));
    stepped.sequencer.publish(2);
    stepped.sequencer.quiet(0, 50);
    assert_eq!(stepped.orders(), [SourceOrder::Pause(vec![PARTITION])]);
    // A paused source is quiet whatever is written meanwhile.
    stepped.sequencer.quiet(0, 900);
    assert!(stepped.facts().at_end_ms() < Some(900));
}

#[test]
fn a_source_that_cannot_be_reached_is_not_said_to_be_at_its_end() {
    let mut stepped = Stepped::reading(u64::MAX);
    stepped.apply(0, &[CONNECTOR.create(at(1), 1, "a")]);
    stepped.sequencer.reached_end(0, PARTITION, NextOffset(1));
    stepped.sequencer.publish(2);
    stepped.sequencer.quiet(0, 50);
    assert_eq!(stepped.facts().at_end_ms(), Some(50));
    let error = change_feed::SourceError::Unreachable {
        what: "the broker".to_owned(),
        reason: "no route".to_owned(),
    };
    stepped.sequencer.unavailable(0, &error);
    stepped.sequencer.quiet(0, 900);
    assert_eq!(stepped.facts().at_end_ms(), Some(50));
    assert_eq!(stepped.rows(), 1);
    stepped.sequencer.available(0);
    stepped.sequencer.quiet(0, 950);
    assert_eq!(stepped.facts().at_end_ms(), Some(950));
}

#[test]
fn a_table_is_loading_until_some_process_has_read_it_to_its_end() {
    let disk = MemoryDisk::default();
    let mut stepped = Stepped::reading(u64::MAX);
    stepped.apply(0, &[CONNECTOR.create(at(1), 1, "a")]);
    stepped.keep(&disk);
    drop(stepped);

    let mut stepped = Stepped::on(&disk, u64::MAX);
    assert_eq!(stepped.facts().state, ReadState::Loading);
    assert_eq!(stepped.rows(), 1);
    stepped.log.skip_offsets(TOPIC, 0, 1);
    stepped.discover();
    stepped.sequencer.reached_end(0, PARTITION, NextOffset(1));
    stepped.sequencer.publish(2);
    assert_eq!(stepped.facts().state, ReadState::Live);
    stepped.keep(&disk);
    drop(stepped);

    let stepped = Stepped::on(&disk, u64::MAX);
    assert_eq!(stepped.facts().state, ReadState::CatchingUp);
    assert_eq!(stepped.rows(), 1);
}
