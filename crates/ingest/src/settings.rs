//! What the pipeline is told, and the limits on everything it holds.

use std::sync::Arc;
use std::time::Duration;

use change_feed::{Decoder, SchemaRegistry, SchemaShelf, Source};
use table_store::IndexDefinition;

use crate::kept::VersionsMax;
use crate::preparation::Preparations;

use crate::retention::Keep;

/// Every bound of the pipeline, in one place.
pub mod limits {
    use std::ops::RangeInclusive;
    use std::time::Duration;

    /// Batches waiting before one decode worker, and before the sequencer. Full means back-pressure.
    pub const QUEUED_BATCHES_MAX: usize = 4;
    /// How long a source waits for a worker before it pauses that worker's partitions.
    pub const WORKER_PATIENCE: Duration = Duration::from_millis(20);
    /// Changes after which a cut is published even if more are waiting.
    pub const CUT_CHANGES_MAX: u64 = 8_192;
    /// How long a source may be quiet before the sequencer is told so.
    pub const QUIET_INTERVAL_MS: i64 = 20;
    /// How often a busy source speaks of partitions of which nothing comes: more rarely where that takes long, as they are many.
    pub const SILENCE_INTERVAL_MS: RangeInclusive<i64> = 20..=100;
    pub const PARTITIONS_SPOKEN_OF_PER_MS: i64 = 4;
    /// Questions where logs end that one source has not yet taken.
    pub const ENDS_ASKED_MAX: usize = 1_024;
    /// How often the status board is brought up to date while records flow.
    pub const STATUS_INTERVAL_MS: i64 = 50;
    /// Longest wait of any thread of the pipeline for anything.
    pub const TICK: Duration = Duration::from_millis(20);
    /// Orders to one source that it has not yet taken.
    pub const SOURCE_ORDERS_MAX: usize = 65_536;
    /// Unreadable lines whose words are kept; all are counted.
    pub const UNREADABLE_KEPT_MAX: usize = 20;
    /// Requests of operators that wait for the sequencer.
    pub const REQUESTS_MAX: usize = 16;
    /// Checkpoints are made for one of so many parts of the time, at most, unless they would be further apart than this.
    pub const CHECKPOINT_PARTS: u32 = 4;
    pub const CHECKPOINTS_APART_MAX: Duration = Duration::from_secs(30);
    /// The pause after a checkpoint that failed; twice as long after each further one, up to the longest.
    pub const CHECKPOINT_RETRY_FIRST: Duration = Duration::from_millis(250);
    pub const CHECKPOINT_RETRY_LONGEST: Duration = Duration::from_secs(5);
    /// So many attempts in a row must find the store unreadable before it is written anew.
    pub const UNREADABLE_ATTEMPTS_MAX: u32 = 2;
    /// Decode workers, whatever the machine: more only wait for the sequencer.
    pub const DECODE_WORKERS_MAX: usize = 4;

    /// Threads that load one table: more only wait for memory.
    pub const LOAD_THREADS_MAX: usize = 8;
    /// Rows for which one more thread is worth its start.
    pub const LOAD_THREAD_ROWS_MIN: u64 = 20_000;

    /// Changes of one source that wait for their transactions, in bytes.
    pub const TRANSACTION_BYTES_MAX: usize = 64 << 20;

    /// Messages of partitions that wait for a schema, in one worker, before it takes no more than one a tick.
    pub const HELD_MESSAGES_MAX: usize = 256;
    /// Schemas that are asked for and that nobody has begun to bring; a worker asks again when it looks.
    pub const SCHEMAS_WANTED_MAX: usize = 1_024;

    const _: () = assert!(QUEUED_BATCHES_MAX > 0 && DECODE_WORKERS_MAX > 0);
    const _: () = assert!(WORKER_PATIENCE.as_millis() <= TICK.as_millis());
}

/// What becomes of a table when a record of it cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadRecord {
    /// The record is put aside, the table goes on.
    #[default]
    Quarantine,
    /// The partition stops there and the table is stalled; other tables go on.
    Halt,
}

/// A table that config names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenTable {
    pub name: String,
    pub topic: String,
}

/// Where the schemas of a source come from.
pub struct RegistrySetup {
    pub registry: Box<dyn SchemaRegistry>,
    /// The decoders of the source look for schemas here.
    pub shelf: Arc<SchemaShelf>,
    pub patience: RegistryPatience,
}

/// How often a registry is asked for what it does not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryPatience {
    /// After the first attempt, and twice as long after each further one.
    pub first: Duration,
    pub longest: Duration,
    /// So often in a row must a registry say that it does not have a schema before it is believed:
    /// its replicas learn of new ones late.
    pub unknown_attempts: u32,
}

impl Default for RegistryPatience {
    /// A schema that is not there is given up after seven seconds or less.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            unknown_attempts: 5,
        }
    }
}

/// One source and how to read it.
pub struct SourceSetup {
    pub name: String,
    /// `kafka` or `file`, for the status.
    pub kind: &'static str,
    pub source: Box<dyn Source>,
    /// One decoder for each decode worker.
    pub decoder: Box<dyn Fn() -> Box<dyn Decoder> + Send>,
    pub registry: Option<RegistrySetup>,
    pub on_bad_record: OnBadRecord,
    /// The topic of the rows by which the source shows that it is alive.
    pub heartbeat_table: Option<String>,
    /// The source's end is final: nothing will ever follow (a file that is not followed).
    pub ends: bool,
}

/// How transactions of a source become visible whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionSetup {
    /// Where their boundaries are told. `None`: in any topic called `<prefix>.transaction`.
    pub topic: Option<String>,
    /// How long one that has ended waits at the ends of partitions for changes that do not come.
    pub wait: Duration,
    /// What may wait of a source's changes, in bytes. A larger transaction becomes visible in parts.
    pub held_bytes_max: usize,
}

impl Default for TransactionSetup {
    fn default() -> Self {
        Self {
            topic: None,
            wait: Duration::from_secs(1),
            held_bytes_max: limits::TRANSACTION_BYTES_MAX,
        }
    }
}

/// Settings of the whole pipeline.
#[derive(Clone, Debug)]
pub struct Settings {
    pub tables: Vec<GivenTable>,
    pub checkpoint_interval: Duration,
    /// The checkpoint is kept in memory only: a restart reads the log from its start.
    pub volatile: bool,
    pub memory_bytes_max: u64,
    /// How much of that may be earlier states, which whoever was told of them may ask for again.
    pub versions_max: VersionsMax,
    pub quarantine_bytes_max: u64,
    /// What is done to the records of each topic before they are rows.
    pub preparations: Preparations,
    /// Sources and topics of theirs whose records are read and make no table.
    pub unserved: Vec<(String, String)>,
    /// How transactions of these sources are kept whole; of any other as by default.
    pub transactions: Vec<(String, TransactionSetup)>,
    /// How much is kept of the append-only tables of these topics.
    pub keep: Vec<(String, Keep)>,
    /// Indexes of the tables of these topics.
    pub indexes: Vec<(String, Vec<IndexDefinition>)>,
}
