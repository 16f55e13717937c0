//! The pipeline without its threads, over a checkpoint on disk: each step is measured by itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use change_feed::{Decoder, TopicContext};
use checkpoint_store::{CheckpointStore, SledStore};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use ingest::{Sequencer, SourceOrder};
use row_model::{ChangeBatch, NextOffset, PartitionId, SchemaCatalog};
use telemetry::clock;

use crate::pipeline;
use crate::shop;

/// Changes that become one cut, as in a running pipeline.
const CUT_CHANGES: u64 = 8_192;

pub struct Stepped {
    sequencer: Sequencer,
    decoder: DebeziumDecoder,
    store: SledStore,
    /// Of each partition.
    next: Vec<u64>,
    topics: Vec<(String, i32)>,
}

/// What one checkpoint took.
#[derive(Clone, Copy, Debug)]
pub struct Checkpointed {
    /// Collecting what changed, which nothing is applied beside.
    pub collected: Duration,
    pub written: Duration,
}

impl Stepped {
    /// Goes on from what is in the directory.
    pub fn open(directory: &Path) -> anyhow::Result<Self> {
        let store = SledStore::open(directory).context("no checkpoint")?;
        let catalog = Arc::new(SchemaCatalog::default());
        let decoder = DebeziumDecoder::new(Arc::clone(&catalog), Placeholder::default());
        let setup = pipeline::setup(&catalog, Box::new(shop::Orders::new(0)));
        let settings = pipeline::settings(Duration::from_hours(1));
        let mut sequencer = Sequencer::new(settings, &[setup], catalog);
        sequencer.load(&store, clock::now_ms, |_| ())?;
        let facts: Vec<_> = shop::partitions().collect();
        for facts in &facts {
            sequencer.discovered(0, facts);
        }
        sequencer.discovery_complete(0);
        let mut stepped = Self {
            sequencer,
            decoder,
            store,
            next: vec![0; facts.len()],
            topics: facts
                .into_iter()
                .map(|facts| (facts.topic, facts.partition))
                .collect(),
        };
        stepped.publish();
        Ok(stepped)
    }

    /// Reads a partition's next records.
    pub fn read(&mut self, partition: PartitionId, records: u64) {
        let at = partition.0 as usize;
        let (from, to) = (self.next[at], self.next[at] + records);
        let (topic, number) = &self.topics[at];
        let context = TopicContext {
            topic,
            partition: *number,
        };
        let mut changes = ChangeBatch::new(partition);
        self.decoder
            .decode(context, &shop::batch(partition, from, to), 0, &mut changes);
        self.sequencer.apply(0, &changes);
        self.next[at] = to;
        if self.sequencer.unpublished() >= CUT_CHANGES {
            self.publish();
        }
    }

    /// Makes everything read so far durable.
    pub fn checkpoint(&mut self) -> anyhow::Result<Checkpointed> {
        self.publish();
        let began = clock::monotonic();
        let pending = self.sequencer.begin_checkpoint(&self.store);
        let pending = pending.context("nothing has changed")?;
        let collected = clock::monotonic();
        self.store.commit(pending.checkpoint())?;
        let written = clock::monotonic();
        self.sequencer.checkpoint_done(pending);
        Ok(Checkpointed {
            collected: collected - began,
            written: written - collected,
        })
    }

    /// What the checkpoint holds of all tables if nothing in it were outdated.
    pub fn live_bytes(&self) -> u64 {
        let cut = self.sequencer.store().pin();
        let mut bytes = 0;
        for table in cut.tables() {
            table
                .table
                .visit(cut.id, |version| bytes += version.saved_len() as u64);
        }
        bytes
    }

    fn publish(&mut self) {
        self.sequencer.publish(clock::now_ms());
        for (_, order) in self.sequencer.take_orders() {
            if let SourceOrder::Start(partition, at) = order {
                self.next[partition.0 as usize] = match at {
                    change_feed::StartAt::Earliest => 0,
                    change_feed::StartAt::Offset(NextOffset(next)) => next,
                };
            }
        }
    }
}
