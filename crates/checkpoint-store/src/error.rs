//! What can go wrong with a checkpoint.

use std::io;
use std::path::PathBuf;

use row_model::TableId;

/// Why a checkpoint could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// At open: the checkpoint was written by a newer binary, in a format this one cannot read.
    #[error(
        "the checkpoint has format {found} (written by rowtide {written_by}); this binary reads up to {supported}"
    )]
    NewerFormat {
        found: u32,
        written_by: String,
        supported: u32,
    },
    /// At open: there is something else where the checkpoint should be. Nothing was touched.
    #[error("{place} is not a rowtide checkpoint: {found}")]
    Foreign { place: String, found: String },
    /// At open: another process, or another store of this one, has the checkpoint open.
    #[error("{place} is in use by {}", holder(*.process))]
    Locked {
        place: String,
        /// Its number, where that is known.
        process: Option<u32>,
    },
    /// At open: the directory cannot be created, read or written.
    #[error("cannot use {} as checkpoint directory: {source}", dir.display())]
    Open { dir: PathBuf, source: io::Error },
    /// Part of the checkpoint is lost or damaged. With a table, only that table is.
    #[error("the checkpoint is damaged: {what}: {reason}")]
    Corrupt {
        table: Option<TableId>,
        what: String,
        reason: String,
    },
    /// Reading failed in the operating system.
    #[error("cannot read the checkpoint: {0}")]
    Read(#[source] io::Error),
    /// Writing or syncing failed, most often because the disk is full. The checkpoint that is
    /// there is unharmed; the next commit tries anew.
    #[error("cannot write the checkpoint: {0}")]
    Write(#[source] io::Error),
    /// Reading was tried after a failed write, before a later commit could put the store in order.
    #[error("the checkpoint cannot be read since a write failed: {0}")]
    Unsettled(String),
    /// The one who loads a table stopped it, for this reason.
    #[error("loading stopped: {0}")]
    Stopped(String),
}

impl CheckpointError {
    pub(crate) fn corrupt(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Corrupt {
            table: None,
            what: what.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn corrupt_table(table: TableId, reason: impl Into<String>) -> Self {
        Self::Corrupt {
            table: Some(table),
            what: format!("table {}", table.0),
            reason: reason.into(),
        }
    }
}

fn holder(process: Option<u32>) -> String {
    process.map_or_else(
        || "another process".to_owned(),
        |number| format!("process {number}"),
    )
}
