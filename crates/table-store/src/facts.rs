//! What is known of a table's freshness at a cut. Written by the pipeline, read by every answer.

use std::sync::atomic::{AtomicI64, Ordering};

use row_model::{Epoch, SourcePosition};

use crate::MemoryUse;

/// How a table stands to its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadState {
    /// The end of the log was reached and is being followed.
    Live,
    /// Every row is served, but the log is ahead (after a restart, or a long absence).
    CatchingUp,
    /// The log has never been read to its end.
    Loading,
    /// Halted by an error; the facts name it.
    Stalled,
}

/// One log among all that may ever have its name: a topic that was recreated is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogId(pub u64);

/// Whether source transactions are visible whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transactions {
    Whole,
    Partial,
    /// No transaction topic is followed.
    None,
}

/// The facts of one table at one cut.
///
/// All but two are fixed when the cut is published. The moments of the last contact with the end of the log, and of the
/// newest commit that the source is known to be shown up to, move on while nothing changes, and stop for ever once
/// newer facts replace these: so a reader of an older cut never claims the freshness of a newer one.
#[derive(Debug)]
pub struct TableFacts {
    pub state: ReadState,
    /// Why the state is what it is, where that needs words.
    pub reason: Option<String>,
    /// What its records cannot say, and what is not as config wanted it: each with what would help.
    pub notes: Vec<String>,
    /// Share of the records there were at the start, while loading.
    pub progress: Option<f64>,
    pub transactions: Transactions,
    pub complete: bool,
    /// Why rows may be missing.
    pub incomplete_because: Option<String>,
    pub quarantined: u64,
    pub epoch: Epoch,
    /// Where the table stands in its source's order.
    pub position: Option<SourcePosition>,
    /// Where it stands in the log (partition, next offset). What it shows of a partition is what the
    /// records before that offset say, whatever their positions are.
    pub offsets: Vec<(i32, u64)>,
    /// The log these offsets are of, where its broker tells logs of one name apart.
    pub log: Option<LogId>,
    /// Commit time of the last applied change, as the source told it.
    pub commit_ms: Option<i64>,
    /// Whatever was committed before this moment and is in the log is applied, of every partition; `None` if
    /// one of them does not tell.
    pub whole_until_ms: Option<i64>,
    pub memory: MemoryUse,
    pub contact: Contact,
    /// The time up to which all commits of the source are known to be shown; only where its heartbeats are.
    pub proof: Contact,
}

/// A moment, in milliseconds since 1970, that only moves on: such as when the consumer was last told that it is at the
/// end of the log.
#[derive(Debug)]
pub struct Contact(AtomicI64);

impl Default for Contact {
    fn default() -> Self {
        Self(AtomicI64::new(NEVER))
    }
}

const NEVER: i64 = i64::MIN;

impl Default for TableFacts {
    fn default() -> Self {
        Self {
            state: ReadState::Loading,
            reason: None,
            notes: Vec::new(),
            progress: None,
            transactions: Transactions::None,
            complete: true,
            incomplete_because: None,
            quarantined: 0,
            epoch: Epoch::default(),
            position: None,
            offsets: Vec::new(),
            log: None,
            commit_ms: None,
            whole_until_ms: None,
            memory: MemoryUse::default(),
            contact: Contact::default(),
            proof: Contact::default(),
        }
    }
}

impl TableFacts {
    /// Notes that the consumer was told, at this time, that it is at the end of the log.
    pub fn told_at_end(&self, now_ms: i64) {
        self.contact.0.fetch_max(now_ms, Ordering::Release);
    }

    /// When that was last so for exactly this state of the table.
    #[must_use]
    pub fn at_end_ms(&self) -> Option<i64> {
        self.contact.get()
    }

    /// Notes that the table shows everything that its source had committed by then.
    pub fn shows_source_of(&self, commit_ms: i64) {
        self.proof.0.fetch_max(commit_ms, Ordering::Release);
    }

    /// The newest time of which that is known.
    #[must_use]
    pub fn shown_source_ms(&self) -> Option<i64> {
        self.proof.get()
    }
}

impl Contact {
    fn get(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Acquire)).filter(|at| *at != NEVER)
    }
}
