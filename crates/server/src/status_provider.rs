//! Tells the API what the pipeline tells about itself.

use std::sync::Arc;

use api_types::{
    CheckpointState, CheckpointStatus, MemoryStatus, PartitionStatus, QuarantineNote,
    QuarantineRecord, SourceKind, SourceStatus, State,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_api::{Check, Health, StatusProvider};
use ingest::{
    CheckpointReport, MemoryReport, Quarantined, SourceReport, SourceState, StatusBoard,
    StatusReport,
};
use telemetry::clock::now_ms;

pub struct BoardStatus(pub Arc<StatusBoard>);

impl StatusProvider for BoardStatus {
    fn sources(&self) -> Vec<SourceStatus> {
        self.0
            .read(|report| report.sources.iter().map(source).collect())
    }

    fn quarantine_notes(&self, max: usize) -> Vec<QuarantineNote> {
        self.0
            .read(|report| report.quarantine.iter().rev().take(max).map(note).collect())
    }

    fn quarantine(&self, topic: Option<&str>, max: usize) -> Vec<QuarantineRecord> {
        let wanted = |record: &&Quarantined| topic.is_none_or(|topic| record.topic == topic);
        self.0.read(|report| {
            report
                .quarantine
                .iter()
                .rev()
                .filter(wanted)
                .take(max)
                .map(record)
                .collect()
        })
    }

    fn checkpoint(&self) -> CheckpointStatus {
        self.0.read(|report| checkpoint(&report.checkpoint))
    }

    fn memory(&self) -> MemoryStatus {
        self.0.read(|report| MemoryStatus {
            used_bytes: report.memory.used_bytes,
            max_bytes: Some(report.memory.max_bytes).filter(|max| *max < u64::MAX),
            partitions_waiting: report.memory.partitions_waiting,
        })
    }

    fn health(&self) -> Health {
        self.0.read(health)
    }

    fn starting(&self, table: &str) -> Option<f64> {
        self.0.read(|report| {
            report
                .loading
                .iter()
                .find(|(name, _)| name == table)
                .map(|(_, progress)| *progress)
        })
    }
}

fn checkpoint(report: &CheckpointReport) -> CheckpointStatus {
    let now_ms = now_ms();
    let ago = |at: i64| (now_ms - at).max(0).unsigned_abs();
    let (state, trouble) = match &report.state {
        ingest::CheckpointState::Ok => (CheckpointState::Ok, None),
        ingest::CheckpointState::Volatile => (CheckpointState::Memory, None),
        ingest::CheckpointState::Failing(trouble) => (CheckpointState::Failing, Some(trouble)),
    };
    CheckpointStatus {
        state,
        last_ms: report.last_ms.map(ago),
        writing_ms: report.writing_since_ms.map(ago),
        failing_ms: trouble.map(|trouble| ago(trouble.since_ms)),
        failed_attempts: trouble.map(|trouble| trouble.attempts),
        detail: trouble.map(|trouble| trouble.detail.clone()),
    }
}

fn source(report: &SourceReport) -> SourceStatus {
    let partitions = report.partitions.iter().map(|partition| PartitionStatus {
        topic: partition.topic.clone(),
        partition: partition.partition,
        next_offset: partition.next_offset,
        end_offset: partition.end_offset,
        state: match (
            partition.halted.as_ref().or(partition.awaits.as_ref()),
            partition.reached_end,
        ) {
            (Some(_), _) => State::Stalled,
            (None, true) => State::Live,
            (None, false) => State::CatchingUp,
        },
    });
    SourceStatus {
        name: report.name.clone(),
        kind: if report.kind == "kafka" {
            SourceKind::Kafka
        } else {
            SourceKind::File
        },
        state: match report.state {
            SourceState::CatchingUp => State::CatchingUp,
            SourceState::Live => State::Live,
            SourceState::Unreachable => State::Stale,
        },
        detail: report.detail.clone(),
        partitions: partitions.collect(),
        unreadable: report.unreadable,
    }
}

fn note(record: &Quarantined) -> QuarantineNote {
    QuarantineNote {
        topic: record.topic.clone(),
        partition: record.partition,
        offset: record.offset,
        timestamp: record.timestamp_ms,
        reason: record.reason.clone(),
    }
}

fn record(record: &Quarantined) -> QuarantineRecord {
    let base64 = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
    let time = record.timestamp_ms.map(|ms| {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = row_model::write_timestamp(row_model::Moment::from_units(ms, 1000), &mut text);
        text + "Z"
    });
    QuarantineRecord {
        topic: record.topic.clone(),
        partition: record.partition,
        offset: record.offset,
        time,
        reason: record.reason.clone(),
        key_b64: base64(&record.key),
        value_b64: base64(&record.value),
    }
}

fn health(report: &StatusReport) -> Health {
    let check = |name: &str, passed: bool, detail: String| Check {
        name: name.to_owned(),
        passed,
        detail,
    };
    let unreachable = report
        .sources
        .iter()
        .filter(|source| source.state == SourceState::Unreachable);
    let unreachable: Vec<_> = unreachable.map(|source| source.name.as_str()).collect();
    let checkpoint = match &report.checkpoint.state {
        ingest::CheckpointState::Failing(trouble) => Some(format!(
            "failing for {} s (the server is ready all the same): {}",
            (now_ms() - trouble.since_ms).max(0) / 1_000,
            trouble.detail
        )),
        ingest::CheckpointState::Ok | ingest::CheckpointState::Volatile => None,
    };
    let memory = report.memory;
    let loading = report.loading.len();
    let words = |passed: bool, yes: &str, no: String| if passed { yes.to_owned() } else { no };
    Health {
        alive: report.running,
        ready: report.running && loading == 0,
        started: report.running && report.started,
        checks: vec![
            check(
                "pipeline",
                report.running,
                words(
                    report.running,
                    "running",
                    "it has ended: see the log".to_owned(),
                ),
            ),
            check(
                "loaded",
                loading == 0,
                words(
                    loading == 0,
                    "the checkpoint is loaded",
                    format!("{loading} tables are still being loaded"),
                ),
            ),
            check(
                "caught_up",
                report.started,
                words(
                    report.started,
                    "caught up once",
                    "reading what was there at the start: see /v1/status".to_owned(),
                ),
            ),
            check(
                "sources",
                unreachable.is_empty(),
                words(
                    unreachable.is_empty(),
                    "in contact",
                    format!("out of contact: {}", unreachable.join(", ")),
                ),
            ),
            check(
                "checkpoint",
                checkpoint.is_none(),
                checkpoint.unwrap_or_else(|| "in order".to_owned()),
            ),
            check("memory", !memory.is_scarce(), memory_in_words(&memory)),
        ],
    }
}

fn memory_in_words(memory: &MemoryReport) -> String {
    let MemoryReport {
        used_bytes: used,
        max_bytes: max,
        partitions_waiting: waiting,
    } = *memory;
    if max == u64::MAX {
        return format!("{used} bytes, without a limit");
    }
    if !memory.is_scarce() {
        return format!("{used} of {max} bytes");
    }
    format!(
        "the tables take {used} bytes and memory.max is {max}: {waiting} partitions wait, what is there is served. Raise it and reload the configuration (SIGHUP), or do without a table, an index or a column"
    )
}
