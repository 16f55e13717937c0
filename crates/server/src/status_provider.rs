//! Tells the API what the pipeline tells about itself.

use std::sync::Arc;

use api_types::{
    CheckpointState, CheckpointStatus, MemoryStatus, PartitionStatus, QUARANTINE_BYTES_SHOWN_MAX,
    QuarantineNote, QuarantineRecord, RebuildState, RebuildStatus, SourceKind, SourceStatus,
    StageTimes, StartPhase, StartStatus, State, TableStages, TableStart,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_api::{Health, StatusProvider};
use ingest::{
    CheckpointReport, Lag, Quarantined, RebuildReport, SourceReport, SourceState, Stage,
    StageReport, StatusBoard, StatusReport,
};
use telemetry::clock::now_ms;

use crate::probes;

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

    fn rebuild(&self, table: &str) -> Option<RebuildStatus> {
        self.0.read(|report| {
            let mut rebuilds = report.rebuilds.iter();
            rebuilds.find(|it| it.table == table).map(rebuild)
        })
    }

    fn stages(&self, table: &str) -> Option<TableStages> {
        self.0.read(|report| {
            let mut all = report.stages.iter();
            all.find(|(name, _)| name == table)
                .map(|(_, told)| stages(told))
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

    fn start(&self) -> StartStatus {
        self.0.read(start)
    }

    fn health(&self) -> Health {
        self.0.read(probes::health)
    }

    fn starting(&self, table: &str) -> Option<f64> {
        self.0.read(|report| {
            // Nobody knows yet which tables there will be: none may be denied.
            let unknown = (report.start.phase == ingest::StartPhase::Opening).then_some(0.0);
            let mut loading = report.loading.iter();
            let named = loading.find(|loading| loading.name == table);
            named.map(|loading| loading.progress).or(unknown)
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
        sequence: report.sequence,
        store_bytes: report.space.disk_bytes,
        live_bytes: report.space.live_bytes,
        rewrites: report.space.rewrites,
        detail: trouble.map(|trouble| trouble.detail.clone()),
    }
}

fn stages(report: &StageReport) -> TableStages {
    let times = |lag: Option<Lag>| {
        lag.map(|lag| StageTimes {
            median_ms: lag.median_ms,
            p99_ms: lag.p99_ms,
            worst_ms: lag.worst_ms,
        })
    };
    let of = |stage: Stage| times(report.stages[stage as usize]);
    TableStages {
        records: report.records,
        connector: of(Stage::Connector),
        broker: of(Stage::Broker),
        rowtide: of(Stage::Rowtide),
        whole: times(report.whole),
        causes: report.causes.clone(),
    }
}

/// A rebuild as the API tells of it.
pub fn rebuild(report: &RebuildReport) -> RebuildStatus {
    RebuildStatus {
        number: report.number,
        state: match report.state {
            ingest::RebuildState::Waiting => RebuildState::Waiting,
            ingest::RebuildState::Replaying => RebuildState::Replaying,
            ingest::RebuildState::Swapped => RebuildState::Swapped,
            ingest::RebuildState::Done => RebuildState::Done,
            ingest::RebuildState::Failed => RebuildState::Failed,
        },
        progress: report.progress,
        rows: report.rows,
        detail: report.detail.clone(),
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
    let base64 = |bytes: &Option<Vec<u8>>| {
        let shown = |bytes: &Vec<u8>| bytes.len().min(QUARANTINE_BYTES_SHOWN_MAX);
        let bytes = bytes.as_ref();
        bytes.map(|bytes| STANDARD.encode(&bytes[..shown(bytes)]))
    };
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

fn start(report: &StatusReport) -> StartStatus {
    let start = report.start;
    let phase = match start.phase {
        ingest::StartPhase::Opening => StartPhase::Opening,
        ingest::StartPhase::Loading => StartPhase::Loading,
        ingest::StartPhase::CatchingUp => StartPhase::CatchingUp,
        ingest::StartPhase::Started => return StartStatus::default(),
    };
    let tables = report.loading.iter().map(|loading| TableStart {
        name: loading.name.clone(),
        progress: loading.progress,
    });
    StartStatus {
        phase,
        done: Some(start.done),
        total: start.total,
        per_s: start.per_s,
        left_ms: start.left_ms,
        tables: tables.collect(),
    }
}
