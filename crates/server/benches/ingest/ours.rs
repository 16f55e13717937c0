//! The whole pipeline as the server runs it, with the checkpoint in memory.

use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoder, Source};
use checkpoint_store::{MemoryDisk, MemoryStore};
use debezium_decoder::{DebeziumDecoder, Placeholder};
use ingest::{OnBadRecord, Pipeline, Settings, SourceSetup};
use query::json::RowShapes;
use row_model::SchemaCatalog;
use telemetry::clock;

use crate::measure::{Measured, cpu_seconds, status_bytes};

pub fn run(source: Box<dyn Source>) -> Measured {
    let catalog = Arc::new(SchemaCatalog::default());
    let decoders = Arc::clone(&catalog);
    let setup = SourceSetup {
        name: "bench".to_owned(),
        kind: "file",
        source,
        decoder: Box::new(move || -> Box<dyn Decoder> {
            Box::new(DebeziumDecoder::new(
                Arc::clone(&decoders),
                Placeholder::default(),
            ))
        }),
        registry: None,
        on_bad_record: OnBadRecord::Quarantine,
        heartbeat_table: None,
        ends: true,
    };
    let (began, cpu_began, rss_began) = (clock::monotonic(), cpu_seconds(), status_bytes("VmRSS"));
    let store = match MemoryStore::open_memory(&MemoryDisk::default()) {
        Ok(store) => store,
        Err(error) => panic!("{error}"),
    };
    let pipeline = match Pipeline::start(settings(), catalog, vec![setup], Box::new(store)) {
        Ok(pipeline) => pipeline,
        Err(error) => panic!("{error}"),
    };
    while !pipeline.board().read(|report| report.started) {
        std::thread::park_timeout(Duration::from_millis(1));
    }
    let seconds = (clock::monotonic() - began).as_secs_f64();
    let grown_bytes = status_bytes("VmRSS").saturating_sub(rss_began);
    let pinned = pipeline.store().pin();
    let mut measured = Measured {
        seconds,
        cpu_seconds: cpu_seconds() - cpu_began,
        peak_bytes: status_bytes("VmHWM"),
        grown_bytes,
        ..Measured::default()
    };
    let shapes = RowShapes::default();
    for table in pinned.tables() {
        measured.rows += table.rows;
        measured.accounted_bytes += table.memory_bytes;
        let shape = shapes.of(table);
        let mut json = Vec::new();
        table.table.visit(pinned.id, |version| {
            json.clear();
            shape.write_row(version, &mut json);
            measured.json_bytes += json.len() as u64;
        });
    }
    measured.records = pipeline.board().read(|report| {
        let partitions = report.sources.iter().flat_map(|source| &source.partitions);
        partitions.map(|partition| partition.next_offset).sum()
    });
    drop(pinned);
    measured
}

fn settings() -> Settings {
    Settings {
        tables: Vec::new(),
        // What the log costs is measured here; what a checkpoint costs, by the checkpoint bench.
        checkpoint_interval: Duration::from_hours(1),
        volatile: true,
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
