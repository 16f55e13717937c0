//! Has the pipeline do what the admin listener is asked for.

use api_types::{QuarantineOutcome, QuarantineReplayed, RebuildStatus};
use http_api::{ChosenRecords, Operator, OperatorError};
use ingest::{
    Control, ControlError, QuarantineSelection, RebuildError, ReplayOutcome, ReplayedRecord,
};

use crate::status_provider::rebuild;

pub struct PipelineOperator {
    control: Control,
}

impl PipelineOperator {
    pub fn new(control: Control) -> Self {
        Self { control }
    }
}

impl Operator for PipelineOperator {
    fn rebuild(
        &self,
        table: &str,
        accept_incomplete: bool,
    ) -> Result<RebuildStatus, OperatorError> {
        let asked = self.control.rebuild(table, accept_incomplete);
        asked
            .map(|report| rebuild(&report))
            .map_err(|error| match error {
                RebuildError::Refused(refused) => OperatorError::Refused {
                    reason: refused.reason,
                    hint: refused.hint,
                },
                RebuildError::Unanswered(ControlError::Busy) => OperatorError::Busy,
                RebuildError::Unanswered(ControlError::Ended) => OperatorError::Ending,
            })
    }

    fn replay_quarantine(
        &self,
        chosen: ChosenRecords,
    ) -> Result<Vec<QuarantineReplayed>, OperatorError> {
        let ChosenRecords {
            topic,
            partition,
            offset,
        } = chosen;
        let selection = QuarantineSelection {
            topic,
            partition,
            offset,
        };
        let replayed = self.control.replay_quarantine(selection);
        let replayed = replayed.map_err(|error| match error {
            ControlError::Busy => OperatorError::Busy,
            ControlError::Ended => OperatorError::Ending,
        })?;
        Ok(replayed.into_iter().map(to_wire).collect())
    }
}

fn to_wire(record: ReplayedRecord) -> QuarantineReplayed {
    let (outcome, reason) = match record.outcome {
        ReplayOutcome::Applied => (QuarantineOutcome::Applied, None),
        ReplayOutcome::Settled => (QuarantineOutcome::Settled, None),
        ReplayOutcome::Kept(reason) => (QuarantineOutcome::Kept, Some(reason)),
    };
    QuarantineReplayed {
        topic: record.topic,
        partition: record.partition,
        offset: record.offset,
        outcome,
        reason,
    }
}
