//! Has the pipeline do what the admin listener is asked for.

use api_types::RebuildStatus;
use http_api::{Operator, OperatorError};
use ingest::{Control, ControlError, RebuildError};

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
}
