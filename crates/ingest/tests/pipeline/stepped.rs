//! What takes an exact order of events: the sequencer alone, stepped by the test.

use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoder, RawBatch, RegistryId, Source, SourceEvent, StartAt, TopicContext};
use checkpoint_store::{CheckpointStore, MemoryDisk, MemoryStore};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use ingest::{
    Ended, OnBadRecord, RegistryPatience, RegistrySetup, Sequencer, Settings, SourceOrder,
    SourceSetup,
};
use row_model::{ChangeBatch, NextOffset, PartitionId, SchemaCatalog};
use table_store::{ReadState, TableFacts};
use testkit::connector::At;
use testkit::scripted_registry::ScriptedRegistry;
use testkit::scripted_source::{PlannedRecord, ScriptedLog};

use crate::harness::{CONNECTOR, rows_of};

const TOPIC: &str = "shop.public.orders";
const PARTITION: PartitionId = PartitionId(0);
const OTHER: PartitionId = PartitionId(1);
const ROW_BYTES: usize = 100_000;

pub struct Stepped {
    log: ScriptedLog,
    pub sequencer: Sequencer,
    decoder: DebeziumDecoder,
}

impl Stepped {
    /// A new sequencer with what the disk holds, whose source has not said anything.
    pub fn on(disk: &MemoryDisk, memory_bytes_max: u64) -> Self {
        Self::with_partitions(disk, memory_bytes_max, 1)
    }

    fn with_partitions(disk: &MemoryDisk, memory_bytes_max: u64, partitions: i32) -> Self {
        let log = ScriptedLog::new();
        log.create_topic(TOPIC, partitions);
        let settings = Settings {
            tables: Vec::new(),
            checkpoint_interval: Duration::ZERO,
            volatile: true,
            memory_bytes_max,
            versions_max: ingest::VersionsMax::default(),
            quarantine_bytes_max: 1 << 20,
            preparations: ingest::Preparations::default(),
            unserved: Vec::new(),
            transactions: Vec::new(),
            keep: Vec::new(),
            indexes: Vec::new(),
        };
        let setup = SourceSetup {
            name: "s".to_owned(),
            kind: "kafka",
            source: Box::new(log.source(1)),
            decoder: Box::new(|| unreachable!("the test decodes")),
            registry: Some(RegistrySetup {
                registry: Box::new(ScriptedRegistry::default()),
                shelf: Arc::default(),
                patience: RegistryPatience::default(),
            }),
            on_bad_record: OnBadRecord::Quarantine,
            heartbeat_table: None,
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

    /// The same with two partitions, the second of which was read first: some rows.
    fn with_rows_of_another_partition(memory_bytes_max: u64) -> Self {
        let mut stepped = Self::with_partitions(&MemoryDisk::default(), memory_bytes_max, 2);
        stepped.discover();
        let rows: Vec<_> = (0..6).map(large).collect();
        stepped.apply_to(OTHER, 0, &rows);
        stepped.orders();
        stepped
    }

    /// Deletes those rows.
    fn free_memory(&mut self) {
        let deletes: Vec<_> = (0..6).map(|id| CONNECTOR.delete(at(20), id)).collect();
        self.apply_to(OTHER, 6, &deletes);
        // Seen when no cut shows them any more.
        self.sequencer.publish(3);
        self.sequencer.publish(4);
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
        self.apply_to(PARTITION, from, records);
    }

    fn apply_to(&mut self, partition: PartitionId, from: u64, records: &[PlannedRecord]) {
        let records = records.iter().map(|record| (record, 1));
        self.apply_at(partition, from, records, 1);
    }

    /// The same of records with their times in the log, published at a time.
    fn apply_at<'a>(
        &mut self,
        partition: PartitionId,
        from: u64,
        records: impl IntoIterator<Item = (&'a PlannedRecord, i64)>,
        now_ms: i64,
    ) {
        let mut raw = RawBatch::new(partition);
        for (offset, (record, log_ms)) in (from..).zip(records) {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            raw.push(offset, Some(log_ms), key, value, []);
        }
        let mut changes = ChangeBatch::new(partition);
        let context = TopicContext {
            topic: TOPIC,
            partition: partition.0 as i32,
        };
        self.decoder.decode(context, &raw, 0, &mut changes);
        self.sequencer.apply(0, &changes);
        self.sequencer.publish(now_ms);
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
fn what_would_grow_waits_until_deletes_of_another_partition_make_room() {
    let mut stepped = Stepped::with_rows_of_another_partition(10 * ROW_BYTES as u64);
    let rows: Vec<_> = (10..18).map(large).collect();
    stepped.apply(0, &rows);
    stepped
        .sequencer
        .reached_end(0, PARTITION, Ended::at(NextOffset(8), 2));
    stepped.sequencer.publish(2);
    assert_eq!(stepped.orders(), [SourceOrder::Pause(vec![PARTITION])]);
    let facts = stepped.facts();
    assert_eq!(facts.state, ReadState::Stalled);
    let reason = facts.reason.clone().unwrap_or_default();
    assert!(reason.starts_with("memory: "), "{reason}");
    assert!(
        reason.contains("shop.public.orders-0 (offset 3)"),
        "{reason}"
    );
    assert_eq!(stepped.rows(), 6 + 3);

    stepped.free_memory();
    assert_eq!(stepped.orders(), [SourceOrder::Resume(vec![PARTITION])]);
    stepped
        .sequencer
        .reached_end(0, OTHER, Ended::at(NextOffset(12), 5));
    stepped.sequencer.publish(5);
    // The end that had been read behind what waited counts now.
    assert_eq!(stepped.facts().state, ReadState::Live);
    assert_eq!(stepped.facts().reason, None);
    assert_eq!(stepped.rows(), 8);
}

#[test]
fn changes_that_need_no_more_room_pass_and_keep_their_order() {
    let mut stepped = Stepped::reading(10 * ROW_BYTES as u64);
    let rows: Vec<_> = (0..9).map(large).collect();
    stepped.apply(0, &rows);
    let other = "y".repeat(ROW_BYTES);
    stepped.apply(
        9,
        &[
            CONNECTOR.update(at(20), 0, &other),
            CONNECTOR.update(at(21), 1, "shorter"),
            CONNECTOR.delete(at(22), 2),
        ],
    );
    assert_eq!(stepped.orders(), []);
    // Both fit, though the second only into what the first cut freed; the third never.
    stepped.apply(12, &[large(2), large(3), large(30), large(31), large(32)]);
    stepped.apply(17, &[CONNECTOR.delete(at(23), 3)]);
    for at in 3..6 {
        stepped.sequencer.publish(at);
    }
    assert_eq!(stepped.orders(), [SourceOrder::Pause(vec![PARTITION])]);
    let rows = {
        let cut = stepped.sequencer.store().pin();
        rows_of(&cut.tables()[0], cut.id)
    };
    assert!(
        rows.contains_key(&30) && !rows.contains_key(&32),
        "{:?}",
        rows.keys()
    );
    assert!(rows.contains_key(&3), "its delete comes after what waits");
    assert_eq!((&rows[&0], &*rows[&1]), (&other, "shorter"));
}

#[test]
fn a_partition_that_is_not_read_is_not_said_to_be_at_its_end() {
    let mut stepped = Stepped::reading(10 * ROW_BYTES as u64);
    let rows: Vec<_> = (0..12).map(large).collect();
    stepped.apply(0, &rows);
    stepped
        .sequencer
        .reached_end(0, PARTITION, Ended::at(NextOffset(12), 2));
    stepped.sequencer.publish(2);
    stepped.sequencer.quiet(0, 50);
    assert_eq!(stepped.orders(), [SourceOrder::Pause(vec![PARTITION])]);
    // A paused source is quiet whatever is written meanwhile, and what was on its way proves nothing.
    stepped.sequencer.quiet(0, 900);
    assert_eq!(stepped.facts().at_end_ms(), None);
}

#[test]
fn a_partition_is_paused_until_no_reason_for_it_is_left() {
    let rows: Vec<_> = (10..16).map(large).collect();
    let (pause, resume) = (
        [SourceOrder::Pause(vec![PARTITION])],
        [SourceOrder::Resume(vec![PARTITION])],
    );
    for memory_ends_first in [true, false] {
        let mut stepped = Stepped::with_rows_of_another_partition(10 * ROW_BYTES as u64);
        stepped.apply(0, &rows);
        stepped.sequencer.publish(2);
        assert_eq!(stepped.orders(), pause);
        stepped.sequencer.held(0, PARTITION, RegistryId(7));
        assert_eq!(stepped.orders(), []);
        if memory_ends_first {
            stepped.free_memory();
            assert_eq!(stepped.orders(), []);
            stepped.sequencer.released(0, PARTITION);
        } else {
            stepped.sequencer.released(0, PARTITION);
            assert_eq!(stepped.orders(), []);
            stepped.free_memory();
        }
        assert_eq!(stepped.orders(), resume);
        // Without a limit in the way, waiting alone pauses and resumes.
        stepped.sequencer.held(0, PARTITION, RegistryId(8));
        assert_eq!(stepped.orders(), pause);
        stepped.sequencer.released(0, PARTITION);
        assert_eq!(stepped.orders(), resume);
    }
}

#[test]
fn a_partition_that_comes_back_reads_again_what_had_waited() {
    let mut stepped = Stepped::with_rows_of_another_partition(10 * ROW_BYTES as u64);
    let rows: Vec<_> = (10..16).map(large).collect();
    stepped.apply(0, &rows);
    let gone = change_feed::SourceError::Gone {
        topic: TOPIC.to_owned(),
        partition: 0,
    };
    stepped.sequencer.partition_lost(0, PARTITION, &gone);
    stepped.free_memory();
    assert_eq!(stepped.orders(), [SourceOrder::Pause(vec![PARTITION])]);
    assert_eq!(stepped.rows(), 3, "what waited is gone with its partition");
    // The log reaches as far as what was read.
    stepped.log.skip_offsets(TOPIC, 0, 18);
    stepped.log.skip_offsets(TOPIC, 1, 18);
    stepped.discover();
    let orders = stepped.orders();
    let start = SourceOrder::Start(PARTITION, StartAt::Offset(NextOffset(3)));
    assert!(orders.contains(&start), "{orders:?}");
    assert!(
        orders.contains(&SourceOrder::Resume(vec![PARTITION])),
        "{orders:?}"
    );
    stepped.apply(3, &rows[3..]);
    stepped.sequencer.publish(5);
    assert_eq!(stepped.rows(), 6);
}

#[test]
fn what_was_applied_of_a_partition_that_is_back_is_acknowledged_when_it_is_kept() {
    let disk = MemoryDisk::default();
    let mut stepped = Stepped::reading(u64::MAX);
    stepped.apply(0, &[CONNECTOR.create(at(1), 1, "a")]);
    stepped.log.skip_offsets(TOPIC, 0, 1);
    let gone = change_feed::SourceError::Gone {
        topic: TOPIC.to_owned(),
        partition: 0,
    };
    stepped.sequencer.partition_lost(0, PARTITION, &gone);
    stepped.discover();
    let next = NextOffset(1);
    assert_eq!(
        stepped.orders(),
        [
            SourceOrder::Start(PARTITION, StartAt::Offset(next)),
            SourceOrder::Resume(vec![PARTITION])
        ]
    );
    stepped.sequencer.publish(2);
    stepped.keep(&disk);
    assert_eq!(
        stepped.orders(),
        [SourceOrder::Acknowledge(vec![(PARTITION, next)])]
    );
}

#[test]
fn a_partition_that_waits_for_a_schema_is_not_said_to_be_at_its_end() {
    let mut stepped = Stepped::reading(u64::MAX);
    stepped.apply(0, &[CONNECTOR.create(at(1), 1, "a")]);
    stepped
        .sequencer
        .reached_end(0, PARTITION, Ended::at(NextOffset(1), 2));
    stepped.sequencer.publish(2);
    stepped.sequencer.quiet(0, 50);
    assert_eq!(stepped.facts().at_end_ms(), Some(50));
    let seven = RegistryId(7);
    stepped.sequencer.held(0, PARTITION, seven);
    stepped.sequencer.publish(60);
    stepped.sequencer.quiet(0, 900);
    // The registry has only just been asked: no trouble yet, and nothing new that is claimed.
    assert_eq!(stepped.facts().at_end_ms(), None);
    assert_eq!(stepped.facts().state, ReadState::Live);
    stepped.sequencer.schema_awaited(0, seven, "no route");
    stepped.sequencer.publish(910);
    stepped.sequencer.quiet(0, 920);
    let facts = stepped.facts();
    assert_eq!((facts.state, facts.at_end_ms()), (ReadState::Stalled, None));
    // What was held arrives, and the end that was read with it.
    stepped.apply(1, &[CONNECTOR.create(at(2), 2, "b")]);
    stepped
        .sequencer
        .reached_end(0, PARTITION, Ended::at(NextOffset(2), 930));
    stepped.sequencer.released(0, PARTITION);
    stepped.sequencer.publish(930);
    stepped.sequencer.quiet(0, 950);
    let facts = stepped.facts();
    assert_eq!(
        (facts.state, facts.at_end_ms()),
        (ReadState::Live, Some(950))
    );
}

#[test]
fn a_source_that_cannot_be_reached_is_not_said_to_be_at_its_end() {
    let mut stepped = Stepped::reading(u64::MAX);
    stepped.apply(0, &[CONNECTOR.create(at(1), 1, "a")]);
    stepped
        .sequencer
        .reached_end(0, PARTITION, Ended::at(NextOffset(1), 2));
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
fn the_silence_of_a_source_that_answers_late_is_about_a_moment_ago() {
    let mut stepped = Stepped::reading(u64::MAX);
    stepped.apply(0, &[CONNECTOR.create(at(1), 1, "a")]);
    stepped
        .sequencer
        .reached_end(0, PARTITION, Ended::at(NextOffset(1), 2));
    stepped.sequencer.publish(2);
    stepped.sequencer.quiet(0, 1_000);
    stepped.sequencer.delayed(0, Duration::from_millis(700));
    stepped.sequencer.quiet(0, 1_500);
    assert_eq!(stepped.facts().at_end_ms(), Some(1_000));
    stepped.sequencer.quiet(0, 2_000);
    assert_eq!(stepped.facts().at_end_ms(), Some(1_300));
    // So is the end that came with records.
    stepped.apply(1, &[CONNECTOR.create(at(2), 2, "b")]);
    stepped
        .sequencer
        .reached_end(0, PARTITION, Ended::at(NextOffset(2), 3_000));
    stepped.sequencer.publish(3_000);
    let facts = stepped.facts();
    assert_eq!(
        (facts.at_end_ms(), facts.whole_until_ms),
        (Some(2_300), Some(2_300))
    );
    stepped.sequencer.delayed(0, Duration::ZERO);
    stepped.sequencer.quiet(0, 3_500);
    assert_eq!(stepped.facts().at_end_ms(), Some(3_500));
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
    stepped
        .sequencer
        .reached_end(0, PARTITION, Ended::at(NextOffset(1), 2));
    stepped.sequencer.publish(2);
    assert_eq!(stepped.facts().state, ReadState::Live);
    stepped.keep(&disk);
    drop(stepped);

    let stepped = Stepped::on(&disk, u64::MAX);
    assert_eq!(stepped.facts().state, ReadState::CatchingUp);
    assert_eq!(stepped.rows(), 1);
}

/// A row that was committed and seen by the connector then.
fn timed(record: PlannedRecord, commit_ms: i64, connector_ms: i64) -> PlannedRecord {
    let value = String::from_utf8(record.value.unwrap()).unwrap();
    let value = value.replace("\"ts_ms\":5", &format!("\"ts_ms\":{commit_ms}"));
    let value = value.replace("\"ts_ms\":6", &format!("\"ts_ms\":{connector_ms}"));
    PlannedRecord {
        value: Some(value.into_bytes()),
        ..record
    }
}

#[test]
fn where_time_goes_is_told_of_what_comes_while_a_table_is_live() {
    let mut stepped = Stepped::reading(10 * ROW_BYTES as u64);
    let told = |stepped: &mut Stepped, now_ms| {
        let mut reports = stepped.sequencer.stage_reports(now_ms);
        let (name, report) = reports.pop()?;
        assert_eq!((&*name, reports.len()), ("orders", 0));
        let stages = report.stages.map(|lag| lag.map(|lag| lag.worst_ms));
        Some((report.records, stages, report.whole.unwrap().worst_ms))
    };
    // A backlog says nothing of the stages.
    let old = timed(CONNECTOR.create(at(10), 1, "old"), 10, 12);
    stepped.apply_at(PARTITION, 0, [(&old, 13)], 100_000);
    stepped
        .sequencer
        .reached_end(0, PARTITION, Ended::at(NextOffset(1), 100_001));
    stepped.sequencer.publish(100_001);
    assert_eq!(stepped.facts().state, ReadState::Live);
    assert_eq!(told(&mut stepped, 100_001), None);
    // What is older than what is held was told before, and rows of a snapshot have no commit of their own.
    let first = timed(CONNECTOR.update(at(20), 1, "new"), 200_000, 200_003);
    let second = timed(CONNECTOR.delete(at(21), 1), 200_001, 200_006);
    let again = timed(CONNECTOR.create(at(10), 1, "old"), 10, 200_007);
    let snapshot = timed(CONNECTOR.snapshot(at(22), 2, "read"), 10, 200_008);
    let records = [
        (&first, 200_010),
        (&second, 200_010),
        (&again, 200_011),
        (&snapshot, 200_011),
    ];
    stepped.apply_at(PARTITION, 1, records, 200_031);
    let stages = [Some(5), Some(7), Some(21)];
    assert_eq!(told(&mut stepped, 200_031), Some((2, stages, 31)));
    // A clock that is behind is told as it is.
    let third = timed(CONNECTOR.create(at(30), 3, "ahead"), 300_500, 300_000);
    stepped.apply_at(PARTITION, 5, [(&third, 300_001)], 300_002);
    let stages = [Some(-500), Some(1), Some(1)];
    assert_eq!(told(&mut stepped, 300_002), Some((1, stages, -498)));
    let (_, report) = stepped.sequencer.stage_reports(300_002).pop().unwrap();
    assert!(report.causes[0].starts_with("The clock of the connector's machine"));
    assert_eq!(told(&mut stepped, 400_000), None);
}
