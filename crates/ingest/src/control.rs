//! What a running pipeline can be asked for, from any thread.
//!
//! Requests wait in a short queue that the sequencer looks at on its every round; each carries the
//! way back for its answer. Nothing here is on the way of a record.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::quarantine::Quarantined;
use crate::quarantine_replay::{LateDecoders, LateDecoding, QuarantineSelection, ReplayedRecord};
use crate::rebuilds::{RebuildRefused, RebuildReport};
use crate::sequencer::Sequencer;
use crate::settings::limits;
use crate::status::StatusBoard;

/// Asks the pipeline. Cheap to clone; outlives the pipeline, which then answers no more.
#[derive(Clone, Debug)]
pub struct Control {
    requests: Sender<Request>,
}

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// So many requests are waiting already.
    #[error("the pipeline is busy with other requests: try again in a moment")]
    Busy,
    /// The pipeline has ended.
    #[error("the pipeline has ended")]
    Ended,
}

/// Why a table is not rebuilt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    #[error(transparent)]
    Refused(#[from] RebuildRefused),
    #[error(transparent)]
    Unanswered(#[from] ControlError),
}

/// What is asked, and where the answer goes. Nobody need be waiting for it any more.
#[derive(Debug)]
pub(crate) enum Request {
    /// Tables may take so many bytes from now on.
    MemoryMax { bytes: u64, answer: Sender<()> },
    /// The quarantine may take so many bytes from now on.
    QuarantineMax { bytes: u64, answer: Sender<()> },
    /// A table is to be read from the log's start again.
    Rebuild {
        table: String,
        accept_incomplete: bool,
        answer: Sender<Result<RebuildReport, RebuildRefused>>,
    },
    /// Records of the quarantine are to be tried once more.
    ReplayQuarantine {
        selection: QuarantineSelection,
        answer: Sender<Vec<ReplayedRecord>>,
    },
}

pub(crate) fn channel() -> (Control, Receiver<Request>) {
    let (requests, waiting) = bounded(limits::REQUESTS_MAX);
    (Control { requests }, waiting)
}

impl Control {
    /// Changes the memory limit.
    ///
    /// # Errors
    /// If the pipeline cannot be asked.
    pub fn set_memory_max(&self, bytes: u64) -> Result<(), ControlError> {
        self.ask(|answer| Request::MemoryMax { bytes, answer })
    }

    /// Changes the bound on the quarantine. At a lower one the oldest records leave it at once.
    ///
    /// # Errors
    /// If the pipeline cannot be asked.
    pub fn set_quarantine_max(&self, bytes: u64) -> Result<(), ControlError> {
        self.ask(|answer| Request::QuarantineMax { bytes, answer })
    }

    /// Has a table read from the log's start again, beside the one that is served. The status board tells
    /// what comes of it.
    ///
    /// # Errors
    /// If the table cannot be rebuilt as things stand, or the pipeline cannot be asked.
    pub fn rebuild(
        &self,
        table: &str,
        accept_incomplete: bool,
    ) -> Result<RebuildReport, RebuildError> {
        let table = table.to_owned();
        let asked = self.ask(|answer| Request::Rebuild {
            table,
            accept_incomplete,
            answer,
        })?;
        Ok(asked?)
    }

    /// Tries records of the quarantine once more. When it answers, a cut shows what was applied.
    ///
    /// # Errors
    /// If the pipeline cannot be asked.
    pub fn replay_quarantine(
        &self,
        selection: QuarantineSelection,
    ) -> Result<Vec<ReplayedRecord>, ControlError> {
        self.ask(|answer| Request::ReplayQuarantine { selection, answer })
    }

    /// Waits for the answer, which comes within a round of the sequencer, or when the checkpoint is loaded.
    fn ask<T>(&self, request: impl FnOnce(Sender<T>) -> Request) -> Result<T, ControlError> {
        let (answer, answered) = bounded(1);
        self.requests
            .try_send(request(answer))
            .map_err(|error| match error {
                TrySendError::Full(_) => ControlError::Busy,
                TrySendError::Disconnected(_) => ControlError::Ended,
            })?;
        answered.recv().map_err(|_| ControlError::Ended)
    }
}

impl Sequencer {
    /// Tables may take so many bytes from now on.
    pub fn set_memory_max(&mut self, bytes: u64) {
        self.settings.memory_bytes_max = bytes;
    }

    /// Does what is asked. Whoever looks at the board after the answer finds what came of it. Records of
    /// the quarantine are decoded by `late`.
    pub(crate) fn obey(
        &mut self,
        request: Request,
        board: &StatusBoard,
        late: &mut [LateDecoders],
        now_ms: i64,
    ) {
        match request {
            Request::MemoryMax { bytes, answer } => {
                self.set_memory_max(bytes);
                let _ = answer.send(());
            }
            Request::QuarantineMax { bytes, answer } => {
                self.quarantine.set_bytes_max(bytes);
                let _ = answer.send(());
            }
            Request::Rebuild {
                table,
                accept_incomplete,
                answer,
            } => {
                let asked = self.ask_rebuild(&table, accept_incomplete);
                board.update(|report| report.rebuilds = self.rebuild_reports());
                let _ = answer.send(asked);
            }
            Request::ReplayQuarantine { selection, answer } => {
                let mut decoding = LateDecoding::new(late);
                let decode = |source, record: &Quarantined| decoding.decode(source, record);
                let replayed = self.replay_quarantine(&selection, decode);
                self.publish(now_ms);
                board.update(|report| self.report(report));
                let _ = answer.send(replayed);
            }
        }
    }
}
