//! How everything here sets a pipeline up, and one that reads a lot of records with checkpoints on disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoder, Source};
use checkpoint_store::SledStore;
use debezium_decoder::{DebeziumDecoder, Placeholder};
use ingest::{OnBadRecord, Pipeline, Settings, SourceSetup};
use row_model::SchemaCatalog;
use telemetry::clock;

use crate::shop::{ORDERS_EACH, Orders};

/// The name that the checkpoint knows the source by.
pub const SOURCE: &str = "shop";

/// Records of each row: its beginning, and changes after it.
const RECORDS_A_ROW: u64 = 3;

pub fn settings(checkpoint_interval: Duration) -> Settings {
    Settings {
        tables: Vec::new(),
        checkpoint_interval,
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

pub fn setup(catalog: &Arc<SchemaCatalog>, source: Box<dyn Source>) -> SourceSetup {
    let catalog = Arc::clone(catalog);
    SourceSetup {
        name: SOURCE.to_owned(),
        kind: "kafka",
        source,
        decoder: Box::new(move || -> Box<dyn Decoder> {
            let catalog = Arc::clone(&catalog);
            Box::new(DebeziumDecoder::new(catalog, Placeholder::default()))
        }),
        registry: None,
        on_bad_record: OnBadRecord::Quarantine,
        heartbeat_table: None,
        ends: false,
    }
}

/// Records a second from the first to the last, and seconds a checkpoint, with so much time between them.
pub fn rates(directory: &Path, checkpoint_interval: Duration) -> anyhow::Result<(f64, f64)> {
    let store = SledStore::open(directory)?;
    let catalog = Arc::new(SchemaCatalog::default());
    let until = ORDERS_EACH * RECORDS_A_ROW;
    let setup = setup(&catalog, Box::new(Orders::new(until)));
    let began = clock::monotonic();
    let settings = settings(checkpoint_interval);
    let pipeline = Pipeline::start(settings, catalog, vec![setup], Box::new(store))?;
    while !pipeline.board().read(|report| report.started) {
        std::thread::park_timeout(Duration::from_millis(1));
    }
    let seconds = (clock::monotonic() - began).as_secs_f64();
    let records = pipeline.board().read(|report| {
        let partitions = report.sources.iter().flat_map(|source| &source.partitions);
        partitions
            .map(|partition| partition.next_offset)
            .sum::<u64>()
    });
    let checkpoints = pipeline.board().read(|report| report.checkpoint.sequence);
    Ok((
        records as f64 / seconds,
        seconds / checkpoints.max(1) as f64,
    ))
}
