//! Things that happened and were dealt with: each is logged and counted in one place.
//!
//! ERROR means that someone must act; WARN that something unexpected was recovered from.

use std::fmt::Display;
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tracing::{debug, error, info, warn};

use crate::{Metric, clock};

/// One handled event. Built where it is handled, and [`emit`](Self::emit)ted there.
pub enum Event<'a> {
    /// A record went to the quarantine. `kind` is one of a few words; `reason` says it in full.
    RecordQuarantined {
        topic: &'a str,
        partition: i32,
        offset: u64,
        kind: &'static str,
        reason: &'a dyn Display,
    },
    /// Contact with the log was lost; the source goes on trying.
    SourceLost {
        source: &'a str,
        error: &'a dyn Display,
    },
    /// It is there again.
    SourceBack { source: &'a str },
    /// What came of asking a schema registry.
    Schema(SchemaEvent<'a>),
    /// Rows that a full snapshot did not name were deleted: the source had lost them unseen.
    GhostsSwept { table: &'a str, rows: u64 },
    /// A table takes no more changes until someone acts.
    TableStalled {
        table: &'a str,
        reason: &'a dyn Display,
    },
    /// What came of a checkpoint.
    Checkpoint(CheckpointEvent<'a>),
    /// The checkpoint's store had grown past what it holds.
    Store(StoreEvent<'a>),
    /// A request ended in a panic, which went no further.
    RequestPanicked {
        request_id: &'a str,
        path: &'a str,
        message: &'a str,
    },
    /// A request took longer than it may.
    RequestTimedOut { request_id: &'a str, path: &'a str },
    /// An answer stopped at the bound on its size.
    AnswerTruncated { table: &'a str },
    /// A connection could not be accepted (out of file descriptors, mostly).
    AcceptFailed {
        listener: &'a str,
        error: &'a dyn Display,
    },
    /// Connections were cut off because they outlasted the drain.
    DrainTimedOut {
        listener: &'a str,
        connections: usize,
    },
}

/// What came of making the checkpoint's store small again.
pub enum StoreEvent<'a> {
    /// It was written anew.
    Rewritten {
        took: Duration,
        from_bytes: u64,
        to_bytes: u64,
    },
    /// It goes on as it is.
    NotRewritten { error: &'a dyn Display },
}

/// What came of asking a schema registry for a schema.
pub enum SchemaEvent<'a> {
    /// It did not give it; it is asked again, and the records that need it wait.
    NotBrought {
        source: &'a str,
        error: &'a dyn Display,
        /// It was not asked for that schema before: later attempts say the same.
        first_time: bool,
    },
    /// It gave it, after this many attempts in vain.
    Brought {
        source: &'a str,
        schema: u32,
        failed: u32,
    },
    /// It does not have it: records that need it go to the quarantine.
    GivenUp {
        source: &'a str,
        error: &'a dyn Display,
    },
}

/// What came of a checkpoint.
pub enum CheckpointEvent<'a> {
    /// It is durable.
    Written { took: Duration, rows: u64 },
    /// It could not be written; the next attempt repeats what it held.
    Failed {
        error: &'a dyn Display,
        help: &'a str,
        /// The one before it was written: later attempts say the same.
        first_time: bool,
    },
    /// It is the first that could be written after some that could not.
    Back {
        failing_for: Duration,
        attempts: u32,
        /// The store was damaged, and another one took its place.
        anew: bool,
    },
}

impl Event<'_> {
    /// Logs and counts it.
    pub fn emit(self) {
        match self {
            Self::RecordQuarantined {
                topic,
                partition,
                offset,
                kind,
                reason,
            } => {
                counter!(Metric::ApplyErrorsTotal.name(), "reason" => kind).increment(1);
                warn!(topic, partition, offset, kind, %reason, "record quarantined");
            }
            Self::SourceLost { source, error } => {
                counter!(Metric::SourceErrorsTotal.name(), "source" => source.to_owned())
                    .increment(1);
                warn!(source, %error, "lost contact with the log, trying again");
            }
            Self::SourceBack { source } => info!(source, "in contact with the log again"),
            Self::Schema(event) => event.emit(),
            Self::GhostsSwept { table, rows } => {
                counter!(Metric::GhostsSweptTotal.name(), "table" => table.to_owned())
                    .increment(rows);
                info!(table, rows, "swept rows that the new snapshot did not name");
            }
            Self::TableStalled { table, reason } => error!(table, %reason, "table stalled"),
            Self::Checkpoint(event) => event.emit(),
            Self::Store(event) => event.emit(),
            Self::RequestPanicked {
                request_id,
                path,
                message,
            } => {
                counter!(Metric::RequestPanicsTotal.name()).increment(1);
                error!(request_id, path, message, "request panicked");
            }
            Self::RequestTimedOut { request_id, path } => {
                warn!(request_id, path, "request timed out");
            }
            Self::AnswerTruncated { table } => {
                counter!(Metric::ResponseTruncatedTotal.name()).increment(1);
                debug!(table, "answer truncated");
            }
            Self::AcceptFailed { listener, error } => {
                warn!(listener, %error, "cannot accept a connection");
            }
            Self::DrainTimedOut {
                listener,
                connections,
            } => {
                warn!(
                    listener,
                    connections, "connections outlasted the drain and were cut off"
                );
            }
        }
    }
}

impl StoreEvent<'_> {
    fn emit(self) {
        match self {
            Self::Rewritten {
                took,
                from_bytes,
                to_bytes,
            } => {
                counter!(Metric::CheckpointRewritesTotal.name()).increment(1);
                let took_ms = took.as_millis() as u64;
                info!(
                    took_ms,
                    from_bytes, to_bytes, "the checkpoint had grown and was written anew"
                );
            }
            Self::NotRewritten { error } => {
                warn!(%error, "the checkpoint has grown and could not be written anew: make room on its disk");
            }
        }
    }
}

impl CheckpointEvent<'_> {
    fn emit(self) {
        match self {
            Self::Written { took, rows } => {
                histogram!(Metric::CheckpointDurationSeconds.name()).record(took);
                let now_s = clock::now_ms() as f64 / 1000.0;
                gauge!(Metric::CheckpointLastSuccessTimestampSeconds.name()).set(now_s);
                gauge!(Metric::CheckpointFailing.name()).set(0.0);
                debug!(
                    took_ms = took.as_millis() as u64,
                    rows, "checkpoint durable"
                );
            }
            Self::Failed {
                error,
                help,
                first_time,
            } => {
                counter!(Metric::CheckpointFailuresTotal.name()).increment(1);
                gauge!(Metric::CheckpointFailing.name()).set(1.0);
                if first_time {
                    error!(%error, help, "checkpoints fail, reading and serving go on");
                } else {
                    debug!(%error, "checkpoint failed again");
                }
            }
            Self::Back {
                failing_for,
                attempts,
                anew,
            } => warn!(
                failing_for_ms = failing_for.as_millis() as u64,
                attempts, anew, "checkpoints are written again"
            ),
        }
    }
}

impl SchemaEvent<'_> {
    fn emit(self) {
        if let Self::NotBrought { source, .. } | Self::GivenUp { source, .. } = self {
            counter!(Metric::SchemaRegistryErrorsTotal.name(), "source" => source.to_owned())
                .increment(1);
        }
        match self {
            Self::NotBrought {
                source,
                error,
                first_time: true,
            } => warn!(source, %error, "records wait for a schema, asking again"),
            Self::NotBrought { source, error, .. } => {
                debug!(source, %error, "records still wait for a schema, asking again");
            }
            Self::Brought {
                source,
                schema,
                failed: 0,
            } => debug!(source, schema, "schema brought"),
            Self::Brought {
                source,
                schema,
                failed,
            } => info!(source, schema, failed, "schema brought at last"),
            Self::GivenUp { source, error } => {
                error!(source, %error, "schema given up, records that need it are put aside");
            }
        }
    }
}
