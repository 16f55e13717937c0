//! Swaps stepped by the test: what is on its way when, down to the single message.

use std::collections::BTreeMap;
use std::time::Duration;

use change_feed::{Decoder, PartitionFacts, RawBatch, TopicContext};
use checkpoint_store::{CheckpointStore, MemoryDisk, MemoryStore};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use row_model::{ChangeBatch, SchemaCatalog};
use testkit::connector::{At, Connector, read_row};
use testkit::scripted_source::{PlannedRecord, ScriptedLog};

use super::*;
use crate::messages::{Ended, ToSequencer};
use crate::rebuilds::RebuildState;
use crate::replay::{Replay, Standing};
use crate::{OnBadRecord, Preparations, Settings, SourceSetup};
use table_store::Heard;

const TOPIC: &str = "shop.public.orders";
const RUN: Connector = Connector { run: 1 };
/// The source of the serving table knows the partition by another number than that of the replay.
const SERVED: PartitionId = PartitionId(5);
const REPLAYED: PartitionId = PartitionId(0);

/// A log, the sequencer that serves its table, and who decodes for it.
struct Stepped {
    log: Vec<PlannedRecord>,
    retained_from: u64,
    catalog: Arc<SchemaCatalog>,
    serving: Sequencer,
    decoder: DebeziumDecoder,
}

/// A replay and who decodes for it.
struct Aside {
    replay: Replay,
    decoder: DebeziumDecoder,
}

fn settings() -> Settings {
    Settings {
        tables: Vec::new(),
        checkpoint_interval: Duration::ZERO,
        volatile: true,
        memory_bytes_max: u64::MAX,
        versions_max: crate::VersionsMax::default(),
        quarantine_bytes_max: 1 << 20,
        preparations: Preparations::default(),
        unserved: Vec::new(),
        transactions: Vec::new(),
        keep: Vec::new(),
        indexes: Vec::new(),
    }
}

fn setup() -> SourceSetup {
    SourceSetup {
        name: "s".to_owned(),
        kind: "kafka",
        source: Box::new(ScriptedLog::new().source(1)),
        decoder: Box::new(|| unreachable!("the test decodes")),
        registry: None,
        on_bad_record: OnBadRecord::Quarantine,
        heartbeat_table: None,
        ends: false,
    }
}

fn at(lsn: u64) -> At<'static> {
    At::lsn(TOPIC, 0, lsn)
}

fn rows(sequencer: &Sequencer) -> BTreeMap<i64, String> {
    let cut = sequencer.store().pin();
    let table = &cut.tables()[0];
    let mut rows = BTreeMap::new();
    let schemas = table.table.schemas();
    table.table.visit(cut.id, |version| {
        rows.extend(read_row(version, schemas));
    });
    rows
}

fn expected(rows: &[(i64, &str)]) -> BTreeMap<i64, String> {
    rows.iter().map(|(id, v)| (*id, (*v).to_owned())).collect()
}

impl Stepped {
    /// A process that goes on from what a disk holds.
    fn on(disk: &MemoryDisk, log: &[PlannedRecord]) -> Self {
        let catalog = Arc::new(SchemaCatalog::default());
        let mut serving = Sequencer::new(settings(), &[setup()], Arc::clone(&catalog));
        let store = MemoryStore::open_memory(disk).unwrap();
        serving.load(&store, || 1, |_| {}).unwrap();
        Self {
            log: log.to_vec(),
            retained_from: 0,
            decoder: DebeziumDecoder::new(Arc::clone(&catalog), Placeholder::default()),
            catalog,
            serving,
        }
    }

    /// A process that has read all there is of a log.
    fn live(log: &[PlannedRecord]) -> Self {
        let mut stepped = Self::on(&MemoryDisk::default(), log);
        stepped.discover();
        stepped.read(0, log.len());
        stepped.end(log.len());
        stepped.publish();
        stepped.orders();
        stepped
    }

    fn discover(&mut self) {
        let facts = self.facts(SERVED);
        self.serving.discovered(0, &facts);
        self.serving.discovery_complete(0);
    }

    fn facts(&self, id: PartitionId) -> PartitionFacts {
        PartitionFacts {
            id,
            topic: TOPIC.to_owned(),
            partition: 0,
            topic_uuid: None,
            retained_from: NextOffset(self.retained_from),
            end: Some(NextOffset(self.log.len() as u64)),
            compacted: false,
        }
    }

    /// What the worker of the serving table makes of these records.
    fn decoded(&mut self, from: usize, to: usize) -> ChangeBatch {
        decoded(&mut self.decoder, SERVED, from, &self.log[from..to])
    }

    fn read(&mut self, from: usize, to: usize) {
        let batch = self.decoded(from, to);
        self.serving.apply(0, &batch);
    }

    fn end(&mut self, next: usize) {
        self.serving
            .reached_end(0, SERVED, Ended::at(NextOffset(next as u64), 1));
    }

    fn publish(&mut self) {
        self.serving.publish(1);
    }

    fn orders(&mut self) -> Vec<SourceOrder> {
        let orders = self.serving.take_orders().into_iter();
        orders.map(|(_, order)| order).collect()
    }

    /// A replay that has read the log to an offset, after it was asked for.
    fn replay(&mut self, to: usize) -> Aside {
        self.serving.ask_rebuild("orders", false).unwrap();
        let (plan, _) = self.serving.begin_rebuild().unwrap();
        let mut aside = Aside {
            replay: Replay::new(plan, &setup()),
            decoder: DebeziumDecoder::new(Arc::clone(&self.catalog), Placeholder::default()),
        };
        let facts = self.facts(REPLAYED);
        aside.replay.sequencer.discovered(0, &facts);
        aside.replay.sequencer.discovery_complete(0);
        aside.read(self, self.retained_from as usize, to);
        aside
    }

    /// Swaps, if the replay has come so far; else gives it back.
    fn swap(&mut self, aside: Aside) -> Option<Aside> {
        let is_past = |targets: &Targets| aside.replay.is_past(targets);
        if !self.serving.replay_targets().as_ref().is_some_and(is_past) {
            return Some(aside);
        }
        self.serving.swap(aside.replay.into_replayed()).unwrap();
        self.publish();
        None
    }

    fn keep(&mut self, store: &mut MemoryStore) {
        let pending = self.serving.begin_checkpoint(store).unwrap();
        store.commit(pending.checkpoint()).unwrap();
        self.serving.checkpoint_done(pending);
    }

    fn state(&self) -> RebuildState {
        self.serving.rebuild_reports()[0].state
    }
}

impl Aside {
    /// Reads records, and hears of the log's end if they are the last.
    fn read(&mut self, stepped: &Stepped, from: usize, to: usize) {
        let batch = decoded(&mut self.decoder, REPLAYED, from, &stepped.log[from..to]);
        self.replay.deliver(ToSequencer::Decoded {
            source: 0,
            batch,
            heard: Heard::default(),
        });
        if to == stepped.log.len() {
            self.replay.deliver(ToSequencer::End {
                source: 0,
                partition: REPLAYED,
                ended: Ended::at(NextOffset(to as u64), 1),
                heard: Heard::default(),
            });
        }
        self.replay.settle(1);
    }
}

fn decoded(
    decoder: &mut DebeziumDecoder,
    id: PartitionId,
    from: usize,
    records: &[PlannedRecord],
) -> ChangeBatch {
    let mut raw = RawBatch::new(id);
    for (offset, record) in (from as u64..).zip(records) {
        let headers = record.headers.iter();
        let headers = headers.map(|(name, value)| change_feed::Header {
            name,
            value: value.as_deref(),
        });
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        raw.push(offset, Some(1), key, value, headers);
    }
    let mut changes = ChangeBatch::new(id);
    let context = TopicContext {
        topic: TOPIC,
        partition: 0,
    };
    decoder.decode(context, &raw, 0, &mut changes);
    changes
}

/// Two rows, of which one is written again; then one more that a test may bring when it likes.
fn log() -> Vec<PlannedRecord> {
    vec![
        RUN.create(at(10), 1, "a"),
        RUN.create(at(11), 2, "b"),
        RUN.update(at(12), 1, "c"),
        RUN.create(at(13), 3, "d"),
        RUN.update(at(14), 2, "e"),
    ]
}

const ALL: &[(i64, &str)] = &[(1, "c"), (2, "e"), (3, "d")];

#[test]
fn nothing_is_swapped_while_anything_is_on_its_way() {
    let mut stepped = Stepped::live(&log()[..3]);
    stepped.log = log();
    // One record and the end behind it are on their way to the serving table; the replay is ahead.
    let on_its_way = stepped.decoded(3, 4);
    let aside = stepped.replay(5);
    assert_eq!(aside.replay.standing(), Ok(Standing::AtEnd));
    stepped.serving.fence();
    let fences = [SourceOrder::Pause(vec![SERVED]), SourceOrder::Fence(SERVED)];
    assert_eq!(stepped.orders(), fences);
    let aside = stepped.swap(aside).unwrap();
    stepped.serving.apply(0, &on_its_way);
    stepped.end(4);
    let aside = stepped.swap(aside).unwrap();
    stepped.serving.fenced(0, SERVED);
    assert!(stepped.swap(aside).is_none());
    assert_eq!(rows(&stepped.serving), expected(ALL));
    // The replay has read further: reading goes on behind it.
    let goes_on = [
        SourceOrder::Start(SERVED, StartAt::Offset(NextOffset(5))),
        SourceOrder::Resume(vec![SERVED]),
    ];
    assert_eq!(stepped.orders(), goes_on);
    stepped.end(5);
    stepped.publish();
    let cut = stepped.serving.store().published();
    assert_eq!(cut.tables()[0].facts.state, table_store::ReadState::Live);
}

#[test]
fn no_cut_shows_less_than_the_one_before_it() {
    let mut stepped = Stepped::live(&log()[..3]);
    let mut aside = stepped.replay(3);
    // The serving table reads on between the replay's end and the fence.
    stepped.log = log();
    stepped.read(3, 5);
    stepped.publish();
    assert_eq!(aside.replay.standing(), Ok(Standing::AtEnd));
    stepped.serving.fence();
    stepped.serving.fenced(0, SERVED);
    stepped.orders();
    let before = stepped.serving.store().published();
    let offsets = |cut: &table_store::Cut| cut.tables()[0].facts.offsets.clone();
    for to in [4, 5] {
        aside = stepped.swap(aside).unwrap();
        aside.read(&stepped, to - 1, to);
    }
    assert!(stepped.swap(aside).is_none());
    let after = stepped.serving.store().published();
    assert!(after.id > before.id);
    assert_eq!(
        (offsets(&before), offsets(&after)),
        (vec![(0, 5)], vec![(0, 5)])
    );
    assert_eq!(rows(&stepped.serving), expected(ALL));
    // Both stand at the same place: nothing is read again.
    assert_eq!(stepped.orders(), [SourceOrder::Resume(vec![SERVED])]);
}

#[test]
fn what_waits_for_its_other_half_is_read_again_by_whoever_goes_on() {
    let mut log = log();
    log.push(RUN.moved_away(at(15), 1, 9));
    log.push(RUN.create(at(16), 4, "f"));
    let mut stepped = Stepped::live(&log[..5]);
    stepped.log.clone_from(&log);
    stepped.read(5, 7);
    stepped.publish();
    let aside = stepped.replay(7);
    stepped.serving.fence();
    stepped.serving.fenced(0, SERVED);
    stepped.orders();
    assert!(stepped.swap(aside).is_none());
    assert_eq!(rows(&stepped.serving), expected(ALL));
    assert_eq!(
        stepped.orders(),
        [
            SourceOrder::Start(SERVED, StartAt::Offset(NextOffset(5))),
            SourceOrder::Resume(vec![SERVED]),
        ]
    );
    stepped.log.push(RUN.moved_here(at(15), 9, "c", 1));
    stepped.read(5, 8);
    stepped.publish();
    let all = [(2, "e"), (3, "d"), (4, "f"), (9, "c")];
    assert_eq!(rows(&stepped.serving), expected(&all));
}

#[test]
fn a_crash_on_either_side_of_the_checkpoint_leaves_one_whole_table() {
    for is_kept in [false, true] {
        let disk = MemoryDisk::default();
        let mut stepped = Stepped::live(&log()[..3]);
        let mut store = MemoryStore::open_memory(&disk).unwrap();
        stepped.keep(&mut store);
        stepped.log = log();
        let aside = stepped.replay(5);
        stepped.serving.fence();
        stepped.serving.fenced(0, SERVED);
        assert!(stepped.swap(aside).is_none());
        assert_eq!(stepped.state(), RebuildState::Swapped);
        if is_kept {
            stepped.keep(&mut store);
            assert_eq!(stepped.state(), RebuildState::Done);
        }
        drop(store);
        let mut stepped = Stepped::on(&disk, &log());
        stepped.discover();
        stepped.publish();
        let (loaded, next): (&[(i64, &str)], _) = if is_kept {
            (ALL, 5)
        } else {
            (&[(1, "c"), (2, "b")], 3)
        };
        assert_eq!(rows(&stepped.serving), expected(loaded));
        let start = SourceOrder::Start(SERVED, StartAt::Offset(NextOffset(next)));
        assert_eq!(stepped.orders()[0], start);
        stepped.read(next as usize, 5);
        stepped.publish();
        assert_eq!(rows(&stepped.serving), expected(ALL));
    }
}

#[test]
fn a_checkpoint_that_fails_after_the_swap_is_made_good_by_the_next() {
    let disk = MemoryDisk::default();
    let mut stepped = Stepped::live(&log());
    let mut store = MemoryStore::open_memory(&disk).unwrap();
    stepped.keep(&mut store);
    let aside = stepped.replay(5);
    stepped.serving.fence();
    stepped.serving.fenced(0, SERVED);
    assert!(stepped.swap(aside).is_none());
    let pending = stepped.serving.begin_checkpoint(&store).unwrap();
    stepped.serving.checkpoint_failed(pending);
    assert_eq!(stepped.state(), RebuildState::Swapped);
    stepped.keep(&mut store);
    assert_eq!(stepped.state(), RebuildState::Done);
    drop(store);
    let mut stepped = Stepped::on(&disk, &log());
    stepped.publish();
    assert_eq!(rows(&stepped.serving), expected(ALL));
}

#[test]
fn a_replay_that_comes_to_nothing_leaves_everything_as_it_was() {
    let mut stepped = Stepped::live(&log()[..3]);
    let aside = stepped.replay(3);
    stepped.serving.fence();
    stepped.publish();
    stepped.orders();
    // A paused partition is silent whatever is written.
    let silent_ms = 900;
    stepped.serving.quiet(0, silent_ms);
    let at_end = |stepped: &Stepped| {
        let cut = stepped.serving.store().published();
        cut.tables()[0].facts.at_end_ms()
    };
    assert!(at_end(&stepped) < Some(silent_ms));
    stepped.serving.rebuild_failed("a planted failure");
    drop(aside);
    stepped.publish();
    assert_eq!(stepped.orders(), [SourceOrder::Resume(vec![SERVED])]);
    stepped.serving.quiet(0, silent_ms);
    assert_eq!(at_end(&stepped), Some(silent_ms));
    assert_eq!(rows(&stepped.serving), expected(&[(1, "c"), (2, "b")]));
    assert_eq!(stepped.state(), RebuildState::Failed);
    // It can be asked for again.
    assert_eq!(
        stepped.serving.ask_rebuild("orders", false).unwrap().number,
        2
    );
}

#[test]
fn a_tombstone_right_after_the_delete_it_belongs_to_is_known_for_what_it_is() {
    let mut log = log();
    log.push(RUN.delete(at(15), 1));
    let mut stepped = Stepped::live(&log[..5]);
    stepped.log.clone_from(&log);
    let aside = stepped.replay(6);
    stepped.serving.fence();
    stepped.serving.fenced(0, SERVED);
    stepped.orders();
    assert!(stepped.swap(aside).is_none());
    // Shown, and read again.
    let cut = stepped.serving.store().published();
    assert_eq!(cut.tables()[0].facts.offsets, [(0, 6)]);
    let start = SourceOrder::Start(SERVED, StartAt::Offset(NextOffset(5)));
    assert_eq!(stepped.orders()[0], start);
}
