//! Why a table is built anew or takes no changes, in words that name what was found and what helps.

use change_feed::{PartitionFacts, SourceError};

use crate::preparation::Rebuild;

/// Why the rows that the checkpoint has of a table will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RebuildCause {
    /// They cannot be read.
    Damaged { reason: String },
    /// They were made by other settings.
    Changed(Rebuild),
    /// Records were read while config made no table of them.
    PassedOver,
}

/// Why a table takes no changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The source has no such topic. It may come back.
    NotFound,
    /// The topic has another id than the one that was read.
    Recreated,
    /// The topic has no longer a partition that was read. Kafka takes none away.
    PartitionGone { partition: i32 },
    /// The log is shorter than what was read of it.
    EndsBefore {
        partition: i32,
        wanted: u64,
        end: u64,
    },
    /// Records that were never read are no longer retained.
    Expired {
        partition: i32,
        wanted: u64,
        retained_from: u64,
    },
    /// It should be built anew, and the log does not have all of it any more.
    Shortened {
        cause: RebuildCause,
        partition: i32,
        begins: u64,
    },
}

/// The names that words are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub table: &'a str,
    pub topic: &'a str,
    pub source: &'a str,
}

impl RebuildCause {
    /// What is said of the table until it has been read again.
    pub fn told(&self, named: Named<'_>) -> String {
        format!("{}: it is being rebuilt from the log", self.found(named))
    }

    pub(super) fn but_shortened(self, facts: &PartitionFacts) -> Refusal {
        Refusal::Shortened {
            cause: self,
            partition: facts.partition,
            begins: facts.retained_from.0,
        }
    }

    pub fn found(&self, Named { topic, .. }: Named<'_>) -> String {
        match self {
            Self::Damaged { reason } => {
                format!("its rows in the checkpoint are damaged ({reason})")
            }
            Self::Changed(rebuild) => rebuild.to_string(),
            Self::PassedOver => format!("records of {topic} were read while it was not served"),
        }
    }
}

impl Refusal {
    /// What a source says of a partition that it cannot go on with, where that is for good.
    pub fn of(partition: i32, error: &SourceError) -> Option<Self> {
        match error {
            SourceError::OffsetLost {
                wanted,
                retained_from,
                ..
            } => Some(Self::Expired {
                partition,
                wanted: *wanted,
                retained_from: *retained_from,
            }),
            SourceError::OffsetBeyondLog { wanted, end, .. } => Some(Self::EndsBefore {
                partition,
                wanted: *wanted,
                end: *end,
            }),
            SourceError::Config(_)
            | SourceError::Unreachable { .. }
            | SourceError::UnknownTopic { .. }
            | SourceError::Gone { .. } => None,
        }
    }

    /// What was found, and the step that helps.
    pub fn told(&self, named: Named<'_>) -> String {
        let found = self.found(named);
        match self.step(named.table) {
            Some(step) => format!("{found}. {step}"),
            None => found,
        }
    }

    fn found(&self, named: Named<'_>) -> String {
        let Named { topic, source, .. } = named;
        match self {
            Self::NotFound => format!("topic {topic} was not found at source {source}"),
            Self::Recreated => {
                format!("topic {topic} was recreated: the checkpoint describes another log")
            }
            Self::PartitionGone { partition } => format!(
                "{topic}-{partition} is gone, and no broker takes a partition away: it is another log"
            ),
            Self::EndsBefore {
                partition,
                wanted,
                end,
            } => format!(
                "{topic}-{partition}: the checkpoint expects record {wanted}, but the log ends at {end}: it is another log"
            ),
            Self::Expired {
                partition,
                wanted,
                retained_from,
            } => format!(
                "{topic}-{partition}: record {wanted} is no longer retained (the log starts at {retained_from}): changes between them are lost"
            ),
            Self::Shortened {
                cause,
                partition,
                begins,
            } => format!(
                "{}, and {topic}-{partition} begins at offset {begins}: a rebuild would lose rows that did not change since",
                cause.found(named)
            ),
        }
    }

    /// `None` where waiting loses nothing and nothing else helps.
    fn step(&self, table: &str) -> Option<String> {
        let rebuild = format!("run `rowtide rebuild {table}`");
        let snapshot = |take| format!("{take} a new full snapshot of the source and {rebuild}");
        match self {
            Self::NotFound => None,
            // It may be a mistake, and what it holds would show an emptier table.
            Self::Recreated | Self::PartitionGone { .. } | Self::EndsBefore { .. } => Some(
                format!("If the log that is there now is the right one, {rebuild}"),
            ),
            Self::Shortened {
                cause: RebuildCause::Changed(_),
                ..
            } => Some(format!("Restore the setting, or {}", snapshot("take"))),
            Self::Expired { .. } | Self::Shortened { .. } => Some(snapshot("Take")),
        }
    }
}
