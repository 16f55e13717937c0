//! The rest of the process, as a test wishes it to be: what it tells of itself, and what it does for an operator.

use std::collections::BTreeMap;

use api_types::{
    CheckpointState, CheckpointStatus, MemoryStatus, PartitionStatus, QuarantineNote,
    QuarantineOutcome, QuarantineRecord, QuarantineReplayed, RebuildState, RebuildStatus,
    SourceKind, SourceStatus, StartStatus, State, TableStages,
};
use http_api::{Check, ChosenRecords, Health, Operator, OperatorError, StatusProvider};
use parking_lot::Mutex;

use crate::fixture::NOW_MS;

/// Rebuilds whatever is asked for, except a table that is rebuilt already.
#[derive(Default)]
pub struct Operated {
    pub busy: bool,
}

impl Operator for Operated {
    fn rebuild(
        &self,
        table: &str,
        accept_incomplete: bool,
    ) -> Result<RebuildStatus, OperatorError> {
        if self.busy {
            return Err(OperatorError::Busy);
        }
        if table == "orders" {
            return Err(OperatorError::Refused {
                reason: format!("Table '{table}' is being rebuilt already."),
                hint: "GET /v1/status shows how far it is.".to_owned(),
            });
        }
        Ok(RebuildStatus {
            number: 7,
            state: RebuildState::Replaying,
            progress: 0.0,
            rows: 0,
            detail: accept_incomplete.then(|| "incomplete is accepted".to_owned()),
        })
    }

    fn replay_quarantine(
        &self,
        chosen: ChosenRecords,
    ) -> Result<Vec<QuarantineReplayed>, OperatorError> {
        if self.busy {
            return Err(OperatorError::Busy);
        }
        let replayed = |offset, outcome| QuarantineReplayed {
            topic: chosen.topic.clone().unwrap_or_else(|| "any".to_owned()),
            partition: chosen.partition.unwrap_or(0),
            offset,
            outcome,
            reason: (outcome == QuarantineOutcome::Kept).then(|| "still bad".to_owned()),
        };
        let first = chosen.offset.unwrap_or(3);
        Ok(vec![
            replayed(first, QuarantineOutcome::Applied),
            replayed(first + 1, QuarantineOutcome::Kept),
        ])
    }
}

#[derive(Default)]
pub struct Status {
    pub health: Health,
    pub starting: BTreeMap<String, f64>,
    /// What happens just before it is first said what is being loaded.
    pub meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    pub rebuilds: BTreeMap<String, RebuildStatus>,
    pub stages: BTreeMap<String, TableStages>,
    pub panics: bool,
}

impl StatusProvider for Status {
    fn sources(&self) -> Vec<SourceStatus> {
        assert!(!self.panics, "a planted panic");
        let partition = PartitionStatus {
            topic: "shop.public.orders".to_owned(),
            partition: 0,
            next_offset: 40,
            end_offset: Some(42),
            state: State::Live,
        };
        vec![SourceStatus {
            name: "shop".to_owned(),
            kind: SourceKind::Kafka,
            state: State::Live,
            detail: None,
            partitions: vec![partition],
            unreadable: 0,
        }]
    }

    fn quarantine_notes(&self, max: usize) -> Vec<QuarantineNote> {
        let note = |record: QuarantineRecord| QuarantineNote {
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            timestamp: Some(NOW_MS),
            reason: record.reason,
        };
        self.quarantine(None, max).into_iter().map(note).collect()
    }

    fn quarantine(&self, topic: Option<&str>, max: usize) -> Vec<QuarantineRecord> {
        let record = |topic: &str, offset| QuarantineRecord {
            topic: topic.to_owned(),
            partition: 0,
            offset,
            time: None,
            reason: "not JSON".to_owned(),
            key_b64: None,
            value_b64: Some("ew==".to_owned()),
        };
        let all = [
            record("shop.public.orders", 12),
            record("shop.public.hopeless", 3),
        ];
        all.into_iter()
            .filter(|record| topic.is_none_or(|topic| topic == record.topic))
            .take(max)
            .collect()
    }

    fn rebuild(&self, table: &str) -> Option<RebuildStatus> {
        self.rebuilds.get(table).cloned()
    }

    fn stages(&self, table: &str) -> Option<TableStages> {
        self.stages.get(table).cloned()
    }

    fn checkpoint(&self) -> CheckpointStatus {
        CheckpointStatus {
            state: CheckpointState::Ok,
            writing_ms: None,
            failing_ms: None,
            failed_attempts: None,
            last_ms: Some(700),
            sequence: 12,
            store_bytes: 4_096,
            live_bytes: 2_048,
            rewrites: 0,
            detail: None,
        }
    }

    fn start(&self) -> StartStatus {
        StartStatus::default()
    }

    fn memory(&self) -> MemoryStatus {
        MemoryStatus {
            used_bytes: 300,
            max_bytes: Some(1_000),
            partitions_waiting: 0,
        }
    }

    fn health(&self) -> Health {
        self.health.clone()
    }

    fn starting(&self, table: &str) -> Option<f64> {
        if let Some(happens) = self.meanwhile.lock().take() {
            happens();
        }
        self.starting.get(table).copied()
    }
}

pub fn check_of(name: &str, passed: bool, detail: &str) -> Check {
    Check {
        name: name.to_owned(),
        passed,
        detail: detail.to_owned(),
    }
}
