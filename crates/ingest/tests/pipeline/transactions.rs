//! Transactions of the source become visible whole, across tables and partitions, and never stall anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoder, Header, RawBatch, Source, SourceEvent, StartAt, TopicContext};
use checkpoint_store::{CheckpointStore, MemoryDisk, MemoryStore};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use ingest::{
    Ended, OnBadRecord, Preparations, Sequencer, Settings, SourceOrder, SourceSetup, StatusReport,
    TransactionSetup,
};
use row_model::{ChangeBatch, NextOffset, PartitionId, SchemaCatalog};
use table_store::{TableFacts, Transactions};
use testkit::connector::{At, boundary};
use testkit::scripted_source::{PlannedRecord, ScriptedLog};

use crate::harness::{CONNECTOR, rows_of};

const ORDERS: &str = "s.public.orders";
const LINES: &str = "s.public.lines";
const BOUNDARIES: &str = "s.transaction";
const WAIT_MS: i64 = 1_000;
const NONE: [i64; 0] = [];

/// A sequencer, the log that it reads, and how much of it it was given.
struct Reading {
    log: ScriptedLog,
    written: BTreeMap<&'static str, Vec<PlannedRecord>>,
    read: BTreeMap<&'static str, usize>,
    ids: BTreeMap<String, PartitionId>,
    sequencer: Sequencer,
    decoder: DebeziumDecoder,
    now_ms: i64,
    paused: BTreeSet<PartitionId>,
}

impl Reading {
    fn new() -> Self {
        Self::with(&MemoryDisk::default(), usize::MAX, "kafka")
    }

    /// What a disk holds, and a source with three topics of one partition each.
    fn with(disk: &MemoryDisk, held_bytes_max: usize, kind: &'static str) -> Self {
        let log = ScriptedLog::new();
        for topic in [ORDERS, LINES, BOUNDARIES] {
            log.create_topic(topic, 1);
        }
        let transactions = TransactionSetup {
            held_bytes_max,
            wait: Duration::from_millis(WAIT_MS as u64),
            ..TransactionSetup::default()
        };
        let settings = Settings {
            tables: Vec::new(),
            checkpoint_interval: Duration::ZERO,
            volatile: false,
            memory_bytes_max: u64::MAX,
            versions_max: ingest::VersionsMax::default(),
            quarantine_bytes_max: 1 << 20,
            preparations: Preparations::default(),
            unserved: Vec::new(),
            transactions: vec![("s".to_owned(), transactions)],
            keep: Vec::new(),
            indexes: Vec::new(),
        };
        let setup = SourceSetup {
            name: "s".to_owned(),
            kind,
            source: Box::new(log.source(1)),
            decoder: Box::new(|| unreachable!("the test decodes")),
            registry: None,
            on_bad_record: OnBadRecord::Quarantine,
            heartbeat_table: None,
            ends: kind == "file",
        };
        let catalog = Arc::new(SchemaCatalog::default());
        let mut sequencer = Sequencer::new(settings, &[setup], Arc::clone(&catalog));
        let store = MemoryStore::open_memory(disk).unwrap();
        sequencer.load(&store, || 1, |_| {}).unwrap();
        Self {
            log,
            written: BTreeMap::new(),
            read: BTreeMap::new(),
            ids: BTreeMap::new(),
            sequencer,
            decoder: DebeziumDecoder::new(catalog, Placeholder::default()),
            now_ms: 1,
            paused: BTreeSet::new(),
        }
    }

    /// The source tells its partitions. Reading begins where the sequencer says.
    fn begin(mut self, written: BTreeMap<&'static str, Vec<PlannedRecord>>) -> Self {
        let events = self.discoveries(written);
        self.tell(events);
        self
    }

    /// What the source will tell first.
    fn discoveries(
        &mut self,
        written: BTreeMap<&'static str, Vec<PlannedRecord>>,
    ) -> Vec<SourceEvent> {
        for (topic, records) in &written {
            self.log.skip_offsets(topic, 0, records.len() as u64);
        }
        self.written = written;
        let mut events = Vec::new();
        self.log.source(1).poll(Duration::ZERO, &mut events);
        events
    }

    fn tell(&mut self, events: Vec<SourceEvent>) {
        for event in events {
            match event {
                SourceEvent::Discovered(facts) => {
                    self.ids.insert(facts.topic.clone(), facts.id);
                    self.sequencer.discovered(0, &facts);
                }
                SourceEvent::DiscoveryComplete => self.sequencer.discovery_complete(0),
                other => panic!("{other:?}"),
            }
        }
        self.obey();
    }

    fn obey(&mut self) {
        for (_, order) in self.sequencer.take_orders() {
            match order {
                SourceOrder::Start(id, StartAt::Offset(at)) => {
                    let topic = [ORDERS, LINES, BOUNDARIES];
                    let topic = topic.into_iter().find(|topic| self.ids[*topic] == id);
                    self.read.insert(topic.unwrap(), at.0 as usize);
                }
                SourceOrder::Pause(ids) => self.paused.extend(ids),
                SourceOrder::Resume(ids) => ids.iter().for_each(|id| {
                    self.paused.remove(id);
                }),
                _ => {}
            }
        }
    }

    /// Reads so many records of a topic, as one batch; its end, once there are none.
    fn read(&mut self, topic: &'static str, count: usize) -> &mut Self {
        let id = self.ids[topic];
        let written = self.written.get(topic).cloned().unwrap_or_default();
        let from = self.read.get(topic).copied().unwrap_or_default();
        let until = (from + count).min(written.len());
        let mut raw = RawBatch::new(id);
        for (offset, record) in written.iter().enumerate().take(until).skip(from) {
            let headers = record.headers.iter().map(|(name, value)| Header {
                name,
                value: value.as_deref(),
            });
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            raw.push(offset as u64, Some(1), key, value, headers);
        }
        if from < until {
            let mut batch = ChangeBatch::new(id);
            let context = TopicContext {
                topic,
                partition: 0,
            };
            self.decoder.decode(context, &raw, 0, &mut batch);
            self.sequencer.apply(0, &batch);
        }
        self.read.insert(topic, until);
        if until == written.len() {
            let ended = Ended::at(NextOffset(until as u64), self.now_ms);
            self.sequencer.reached_end(0, id, ended);
        }
        self.obey();
        self
    }

    /// Publishes after some time, and answers what both tables show and what is said of it.
    fn publish(&mut self, after_ms: i64) -> (Vec<i64>, Vec<i64>, Transactions) {
        self.now_ms += after_ms;
        self.sequencer.publish(self.now_ms);
        self.obey();
        let says = self.facts().map(|facts| facts.transactions).max();
        (
            self.rows("orders"),
            self.rows("lines"),
            says.unwrap_or(Transactions::None),
        )
    }

    fn facts(&self) -> impl Iterator<Item = Arc<TableFacts>> {
        let cut = self.sequencer.store().published();
        let facts: Vec<_> = cut
            .tables()
            .iter()
            .map(|it| Arc::clone(&it.facts))
            .collect();
        facts.into_iter()
    }

    fn notes(&self) -> Vec<String> {
        let notes = self.facts().flat_map(|facts| facts.notes.clone());
        let notes: BTreeSet<String> = notes.collect();
        notes.into_iter().collect()
    }

    fn rows(&self, table: &str) -> Vec<i64> {
        let cut = self.sequencer.store().pin();
        let table = cut.table(table).ok();
        table.map_or_else(Vec::new, |table| {
            rows_of(table, cut.id).into_keys().collect()
        })
    }

    fn keep(&mut self, disk: &MemoryDisk) {
        let mut store = MemoryStore::open_memory(disk).unwrap();
        let pending = self.sequencer.begin_checkpoint(&store).unwrap();
        store.commit(pending.checkpoint()).unwrap();
        self.sequencer.checkpoint_done(pending);
    }
}

/// The log of a connector, transaction by transaction.
#[derive(Default)]
struct Script {
    written: BTreeMap<&'static str, Vec<PlannedRecord>>,
    lsn: u64,
}

impl Script {
    fn write(&mut self, record: PlannedRecord) {
        let topic = [ORDERS, LINES, BOUNDARIES];
        let topic = topic.into_iter().find(|topic| *topic == record.topic);
        self.written.entry(topic.unwrap()).or_default().push(record);
    }

    fn begins(&mut self, transaction: u64) {
        self.write(boundary(BOUNDARIES, transaction, None));
    }

    fn ends(&mut self, transaction: u64, orders: u64, lines: u64) {
        let counts = [("public.orders", orders), ("public.lines", lines)];
        self.write(boundary(BOUNDARIES, transaction, Some(&counts)));
    }

    fn row(&mut self, topic: &'static str, transaction: u64, order: u64, id: i64) {
        self.lsn += 1;
        let at = At {
            topic,
            partition: 0,
            lsn: Some(self.lsn),
            transaction: Some(transaction),
        };
        self.write(CONNECTOR.create(at, id, "x").within(transaction, order));
    }

    /// An order with two lines.
    fn order(&mut self, transaction: u64, id: i64) {
        self.begins(transaction);
        self.order_changes(transaction, id);
        self.ends(transaction, 1, 2);
    }

    fn order_changes(&mut self, transaction: u64, id: i64) {
        self.row(ORDERS, transaction, 1, id);
        self.row(LINES, transaction, 2, id * 10);
        self.row(LINES, transaction, 3, id * 10 + 1);
    }
}

/// Has everything there been read to its end, and settles who was behind.
fn begun(script: Script) -> Reading {
    let mut reading = Reading::new().begin(script.written);
    for topic in [BOUNDARIES, ORDERS, LINES] {
        reading.read(topic, usize::MAX);
    }
    reading.publish(0);
    reading
}

#[test]
fn a_transaction_is_visible_in_all_tables_or_in_none() {
    let mut script = Script::default();
    script.order(7, 1);
    script.order(8, 2);
    let mut reading = Reading::new().begin(script.written);
    reading.read(ORDERS, 2);
    assert_eq!(reading.publish(1).0, NONE);
    reading.read(BOUNDARIES, 2).read(LINES, 1);
    assert_eq!(reading.publish(1).0, NONE, "a line is missing");
    reading.read(LINES, 2);
    let (orders, lines, _) = reading.publish(1);
    assert_eq!((orders, lines), (vec![1], vec![10, 11]));
    reading.read(LINES, 1);
    assert_eq!(
        reading.publish(1).1,
        [10, 11],
        "nobody told the end of the second"
    );
    reading.read(BOUNDARIES, 9).read(ORDERS, 1).read(LINES, 1);
    let whole = (vec![1, 2], vec![10, 11, 20, 21], Transactions::Whole);
    assert_eq!(reading.publish(1), whole);
    assert_eq!(reading.notes(), Vec::<String>::new());
}

/// Until when a table that is at the end of its log is known to have been there, once its source had nothing more.
fn at_end_ms(reading: &mut Reading, quiet_ms: i64) -> Option<i64> {
    reading.publish(1);
    reading.now_ms = quiet_ms;
    reading.sequencer.quiet(0, quiet_ms);
    reading.publish(1);
    let cut = reading.sequencer.store().published();
    cut.table("lines").unwrap().facts.at_end_ms()
}

/// What was the end when it was heard is passed while what came later still waits.
#[test]
fn an_end_before_what_waits_is_no_end() {
    let mut script = Script::default();
    script.order(7, 1);
    let mut reading = Reading::new().begin(script.written.clone());
    reading.read(ORDERS, 9).read(LINES, 9).read(BOUNDARIES, 1);
    script.order(8, 2);
    reading.written = script.written;
    reading.read(LINES, 1).read(BOUNDARIES, 2);
    assert_eq!(reading.publish(1).1, [10, 11]);
    let told_ms = at_end_ms(&mut reading, 500);
    assert!(told_ms < Some(500), "{told_ms:?}");
    reading.read(LINES, 1).read(ORDERS, 1).read(BOUNDARIES, 1);
    assert_eq!(at_end_ms(&mut reading, 600), Some(600));
}

#[test]
fn what_waits_is_told_as_memory_of_its_table() {
    let mut script = Script::default();
    script.order(7, 1);
    script.order(8, 2);
    let mut reading = Reading::new().begin(script.written);
    // The report has tables say what has come to wait, with the next cut.
    let waiting = |reading: &mut Reading| {
        let mut report = StatusReport::default();
        reading.publish(1);
        reading.sequencer.report(&mut report);
        reading.publish(1);
        let cut = reading.sequencer.store().published();
        let of_table = |name| cut.table(name).map_or(0, |it| it.facts.memory.waiting);
        let (orders, lines) = (of_table("orders"), of_table("lines"));
        assert!(report.memory.used_bytes >= (orders + lines) as u64);
        (orders, lines, report.memory.used_bytes)
    };
    reading.read(BOUNDARIES, 1).read(LINES, 1);
    let (_, _, used) = waiting(&mut reading);
    assert!(used > 0, "what is for a table that does not exist yet");
    reading.read(LINES, 1).read(ORDERS, 1).read(BOUNDARIES, 1);
    assert_eq!(waiting(&mut reading).1, 0);
    reading.read(LINES, 1);
    let (orders, line, _) = waiting(&mut reading);
    assert!(orders == 0 && line > 0, "{orders} {line}");
    reading.read(LINES, 1).read(ORDERS, 1);
    let (orders, lines, _) = waiting(&mut reading);
    assert!(orders > 0 && lines > line, "{orders} {lines}");
    reading.read(BOUNDARIES, 2);
    let (orders, lines, _) = waiting(&mut reading);
    assert_eq!((orders, lines), (0, 0));
}

#[test]
fn what_no_topic_carries_is_not_waited_for_and_what_was_filtered_only_for_a_while() {
    let mut script = Script::default();
    script.begins(7);
    script.row(ORDERS, 7, 1, 1);
    let counts = [("public.orders", 1), ("public.audit", 5)];
    script.write(boundary(BOUNDARIES, 7, Some(&counts)));
    script.begins(8);
    script.row(ORDERS, 8, 1, 2);
    script.row(LINES, 8, 3, 20);
    script.ends(8, 1, 2);
    let mut reading = begun(script);
    assert_eq!(reading.publish(1).0, [1]);
    assert_eq!(reading.publish(WAIT_MS - 10).0, [1], "a line is still owed");
    let shown = |says| (vec![1, 2], vec![20], says);
    assert_eq!(reading.publish(20), shown(Transactions::Partial));
    assert_eq!(
        reading.publish(4 * WAIT_MS),
        shown(Transactions::Whole),
        "it never comes"
    );
}

#[test]
fn a_later_change_of_a_partition_says_that_it_has_no_more_of_what_was_before() {
    let mut script = Script::default();
    script.begins(7);
    script.row(ORDERS, 7, 1, 1);
    script.ends(7, 1, 1);
    script.order(8, 2);
    let mut reading = begun(script);
    let (orders, lines, _) = reading.publish(1);
    assert_eq!((orders, lines), (vec![1, 2], vec![20, 21]));
}

#[test]
fn an_end_that_is_never_told_holds_nothing_up_for_long() {
    let mut script = Script::default();
    script.begins(7);
    script.order_changes(7, 1);
    let mut reading = begun(script);
    assert_eq!(reading.publish(WAIT_MS).0, NONE);
    let (orders, lines, says) = reading.publish(5 * WAIT_MS);
    assert_eq!((orders, lines), (vec![1], vec![10, 11]));
    assert_eq!(says, Transactions::Partial, "there may be more of it");
    assert!(
        reading.notes()[0].contains("told no end"),
        "{:?}",
        reading.notes()
    );
}

#[test]
fn a_connector_that_begins_a_transaction_once_more_shows_it_once_and_whole() {
    let mut script = Script::default();
    script.begins(7);
    script.row(ORDERS, 7, 1, 1);
    script.row(LINES, 7, 2, 10);
    // It crashed here, and goes on from before it.
    script.order(7, 1);
    script.order(8, 2);
    let mut reading = Reading::new().begin(script.written);
    reading.read(BOUNDARIES, 9).read(ORDERS, 1).read(LINES, 2);
    assert_eq!(reading.publish(1).0, NONE, "two of its lines are one");
    reading.read(ORDERS, 9).read(LINES, 9);
    let (orders, lines, _) = reading.publish(1);
    assert_eq!((orders, lines), (vec![1, 2], vec![10, 11, 20, 21]));
}

#[test]
fn a_transaction_beyond_the_bound_is_shown_in_parts_and_it_is_said() {
    let mut script = Script::default();
    script.begins(7);
    (0..200).for_each(|id| script.row(ORDERS, 7, id + 1, id as i64));
    script.row(LINES, 7, 201, 1);
    script.ends(7, 200, 1);
    script.order(8, 1_000);
    for kind in ["kafka", "file"] {
        let mut reading =
            Reading::with(&MemoryDisk::default(), 10_000, kind).begin(script.written.clone());
        reading.read(BOUNDARIES, 1).read(ORDERS, 150);
        let (orders, _, says) = reading.publish(1);
        assert_eq!((orders.len(), says), (150, Transactions::Partial));
        let told = "took more than 10000 bytes";
        assert!(reading.notes()[0].contains(told), "{:?}", reading.notes());
        reading.read(BOUNDARIES, 9).read(ORDERS, 99).read(LINES, 99);
        let (orders, lines, _) = reading.publish(1);
        assert_eq!((orders.len(), lines.len()), (201, 3));
        assert_eq!(reading.publish(2 * WAIT_MS).2, Transactions::Whole);
    }
}

#[test]
fn a_partition_that_runs_ahead_is_paused_and_goes_on() {
    let mut script = Script::default();
    (0..100).for_each(|id| script.order(100 + id, id as i64));
    let mut reading = Reading::with(&MemoryDisk::default(), 30_000, "kafka").begin(script.written);
    reading.read(BOUNDARIES, 999).read(ORDERS, 80);
    reading.publish(1);
    let orders = reading.ids[ORDERS];
    assert_eq!(reading.paused, BTreeSet::from([orders]));
    reading.read(LINES, 120);
    let (shown, lines, _) = reading.publish(1);
    assert_eq!((shown.len(), lines.len()), (60, 120));
    assert_eq!(reading.notes(), Vec::<String>::new());
    assert_eq!(reading.paused, BTreeSet::new());
}

#[test]
fn a_restart_reads_again_what_waited_and_says_the_same() {
    let mut script = Script::default();
    script.order(7, 1);
    script.order(8, 2);
    let disk = MemoryDisk::default();
    let mut reading = Reading::with(&disk, usize::MAX, "kafka").begin(script.written.clone());
    reading.read(BOUNDARIES, 3).read(ORDERS, 2).read(LINES, 3);
    assert_eq!(reading.publish(1).0, [1]);
    reading.publish(2 * WAIT_MS);
    reading.keep(&disk);
    let mut again = Reading::with(&disk, usize::MAX, "kafka");
    let (orders, lines, _) = again.publish(0);
    assert_eq!((orders, lines), (vec![1], vec![10, 11]));
    let mut again = again.begin(script.written);
    assert_eq!(
        again.read[BOUNDARIES], 2,
        "the boundary of what is not shown"
    );
    assert_eq!((again.read[ORDERS], again.read[LINES]), (1, 2));
    again.read(ORDERS, 1).read(LINES, 2);
    assert_eq!(again.publish(1).0, [1]);
    again.read(BOUNDARIES, 2);
    assert_eq!(again.publish(1).0, [1, 2]);
}

#[test]
fn without_boundaries_nothing_waits_and_nothing_is_promised() {
    let mut script = Script::default();
    script.order_changes(7, 1);
    script.order_changes(8, 2);
    let mut reading = Reading::new().begin(script.written);
    reading.read(BOUNDARIES, 1).read(ORDERS, 1);
    assert_eq!(reading.publish(0).0, [1]);
    reading.read(LINES, 3);
    let (_, lines, says) = reading.publish(0);
    assert_eq!((lines, says), (vec![10, 11, 20], Transactions::None));
}

#[test]
fn a_partition_that_a_start_finds_last_is_not_behind_the_others() {
    let mut script = Script::default();
    script.order(7, 1);
    let mut reading = Reading::new();
    let mut first = reading.discoveries(script.written);
    let is_lines = |event: &SourceEvent| matches!(event, SourceEvent::Discovered(facts) if facts.topic == LINES);
    let last = first.extract_if(.., |event| {
        is_lines(event) || matches!(event, SourceEvent::DiscoveryComplete)
    });
    let last: Vec<SourceEvent> = last.collect();
    reading.tell(first);
    reading.read(BOUNDARIES, 2).read(ORDERS, 1);
    assert_eq!(reading.publish(1).0, NONE);
    reading.tell(last);
    reading.read(LINES, 2);
    assert_eq!(
        reading.publish(1),
        (vec![1], vec![10, 11], Transactions::Whole)
    );
}

#[test]
fn a_table_that_is_not_read_is_not_waited_for() {
    let mut script = Script::default();
    script.order(7, 1);
    script.order(8, 2);
    let mut reading = Reading::new().begin(script.written);
    reading.read(BOUNDARIES, 9).read(LINES, 2).read(ORDERS, 1);
    reading.publish(1);
    let gone = change_feed::SourceError::Gone {
        topic: LINES.to_owned(),
        partition: 0,
    };
    let lines = reading.ids[LINES];
    reading.sequencer.partition_lost(0, lines, &gone);
    reading.read(ORDERS, 1);
    let (orders, lines, says) = reading.publish(1);
    assert_eq!((orders, lines), (vec![1, 2], vec![10, 11]));
    assert_eq!(says, Transactions::Partial);
    assert!(
        reading.notes()[0].contains("lines is not read"),
        "{:?}",
        reading.notes()
    );
}
