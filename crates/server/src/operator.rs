//! Has the pipeline do what the admin listener is asked for.

use api_types::RebuildStatus;
use http_api::{Operator, OperatorError};
use ingest::Control;

pub struct PipelineOperator {
    control: Control,
}

impl PipelineOperator {
    pub fn new(control: Control) -> Self {
        Self { control }
    }
}

impl Operator for PipelineOperator {
    fn rebuild(&self, table: &str, _accept: bool) -> Result<RebuildStatus, OperatorError> {
        let _ = &self.control;
        Err(OperatorError::Refused {
            reason: format!("Table '{table}' cannot be rebuilt by this version."),
            hint: "Restart without its data directory.".to_owned(),
        })
    }
}
