//! Tables that are read from the log's start again: `POST /v1/tables/{t}/rebuild`, and what the status says of it.

use serde::{Deserialize, Serialize};

/// What became of a request to rebuild a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RebuildResponse {
    pub table: String,
    pub rebuild: RebuildStatus,
    /// Where to look for what comes of it.
    pub hint: String,
}

/// The newest rebuild of a table that was asked for while the process runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RebuildStatus {
    /// Counts the rebuilds that the process was asked for: a later one of the same table has another.
    pub number: u64,
    pub state: RebuildState,
    /// Share of the log that has been read, 0 to 1.
    pub progress: f64,
    /// Rows it has made so far.
    pub rows: u64,
    /// Why it failed, and what would help; or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RebuildState {
    /// Another table is rebuilt first.
    Waiting,
    /// The log is being read; the table answers as before.
    Replaying,
    /// The new rows are served; no checkpoint has them yet.
    Swapped,
    /// The new rows are served, and durable.
    Done,
    /// Nothing has changed.
    Failed,
}

impl RebuildState {
    /// As it is spelled in JSON and on the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Replaying => "replaying",
            Self::Swapped => "swapped",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Nothing more comes of it.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}
