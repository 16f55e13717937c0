//! What operators can have a running process do. The routes of the admin listener ask; the binary knows whom.

use api_types::RebuildStatus;

/// Does what is asked, or says why not. Called on a thread that may block.
pub trait Operator: Send + Sync + 'static {
    /// Has a table read from the log's start again, beside the one that is served. Answers as soon as
    /// that is taken in hand.
    ///
    /// # Errors
    /// If there is no such table any more, if it is rebuilt already, or if nobody can be asked.
    fn rebuild(&self, table: &str, accept_incomplete: bool)
    -> Result<RebuildStatus, OperatorError>;
}

/// Why an operator's request is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorError {
    /// As things stand it cannot be done: why, and what would help.
    Refused { reason: String, hint: String },
    /// Too much is asked for already.
    Busy,
    /// The process is ending.
    Ending,
}
