//! The sequencer alone, handed one record at a time, with a cut after each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoder, RawBatch, Source, SourceEvent, TopicContext};
use checkpoint_store::{CheckpointStore, MemoryDisk, MemoryStore};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use ingest::{Ended, OnBadRecord, Sequencer, Settings, SourceOrder, SourceSetup};
use row_model::{ChangeBatch, NextOffset, PartitionId, SchemaCatalog};
use table_store::TableCut;
use testkit::scripted_source::{PlannedRecord, ScriptedLog};

use crate::harness::rows_of;

/// A sequencer that is handed one record at a time and publishes after each.
pub struct OneByOne {
    pub sequencer: Sequencer,
    decoder: DebeziumDecoder,
    topic: &'static str,
    /// The offset of the next record of each partition.
    pub next: Vec<u64>,
    now_ms: i64,
}

impl OneByOne {
    pub fn on(
        disk: &MemoryDisk,
        topic: &'static str,
        partitions: i32,
        ends: bool,
        settings: Settings,
    ) -> Self {
        let log = ScriptedLog::new();
        log.create_topic(topic, partitions);
        let setup = SourceSetup {
            name: "s".to_owned(),
            kind: "kafka",
            source: Box::new(log.source(1)),
            decoder: Box::new(|| unreachable!("the test decodes")),
            registry: None,
            on_bad_record: OnBadRecord::Quarantine,
            heartbeat_table: None,
            ends,
        };
        let catalog = Arc::new(SchemaCatalog::default());
        let mut sequencer = Sequencer::new(settings, &[setup], Arc::clone(&catalog));
        let store = MemoryStore::open_memory(disk).unwrap();
        sequencer.load(&store, || 1, |_| {}).unwrap();
        // The broker has what is read in this test, whenever it was written.
        for partition in 0..partitions {
            log.skip_offsets(topic, partition, 100);
        }
        let mut events = Vec::new();
        log.source(1).poll(Duration::ZERO, &mut events);
        for event in events {
            match event {
                SourceEvent::Discovered(facts) => sequencer.discovered(0, &facts),
                SourceEvent::DiscoveryComplete => sequencer.discovery_complete(0),
                other => panic!("{other:?}"),
            }
        }
        let mut next = vec![0; partitions as usize];
        for (_, order) in sequencer.take_orders() {
            if let SourceOrder::Start(id, change_feed::StartAt::Offset(from)) = order {
                next[id.0 as usize] = from.0;
            }
        }
        Self {
            sequencer,
            decoder: DebeziumDecoder::new(catalog, Placeholder::default()),
            topic,
            next,
            now_ms: 1,
        }
    }

    /// Applies the record and publishes; what readers see then.
    pub fn read(&mut self, record: &PlannedRecord) -> BTreeMap<i64, String> {
        let partition = record.partition;
        let id = PartitionId(partition as u32);
        let mut raw = RawBatch::new(id);
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let headers = record.headers.iter();
        let headers = headers.map(|(name, value)| change_feed::Header {
            name,
            value: value.as_deref(),
        });
        let offset = self.next[partition as usize];
        raw.push(offset, Some(record.timestamp_ms), key, value, headers);
        self.next[partition as usize] += 1;
        let mut changes = ChangeBatch::new(id);
        let context = TopicContext {
            topic: self.topic,
            partition,
        };
        self.decoder.decode(context, &raw, 0, &mut changes);
        self.sequencer.apply(0, &changes);
        self.publish_at(self.now_ms + 1)
    }

    pub fn publish_at(&mut self, now_ms: i64) -> BTreeMap<i64, String> {
        self.now_ms = now_ms;
        self.sequencer.publish(now_ms);
        self.rows()
    }

    pub fn rows(&self) -> BTreeMap<i64, String> {
        let cut = self.sequencer.store().pin();
        let table = cut.tables().first();
        table.map_or_else(BTreeMap::new, |table| rows_of(table, cut.id))
    }

    pub fn table(&self) -> Arc<TableCut> {
        Arc::clone(&self.sequencer.store().published().tables()[0])
    }

    pub fn reach_ends(&mut self) {
        for partition in 0..self.next.len() {
            let next = NextOffset(self.next[partition]);
            self.sequencer
                .reached_end(0, PartitionId(partition as u32), Ended::at(next, 1));
        }
    }

    /// Makes what was published durable.
    pub fn keep(&mut self, disk: &MemoryDisk) {
        let mut store = MemoryStore::open_memory(disk).unwrap();
        let pending = self.sequencer.begin_checkpoint(&store).unwrap();
        store.commit(pending.checkpoint()).unwrap();
        self.sequencer.checkpoint_done(pending);
    }
}
