//! What records mean for tables: a batch of changes of one partition, with rows already encoded.

use std::ops::Range;
use std::sync::Arc;

use crate::{
    Boundary, GtidLine, Membership, NextOffset, Notice, OriginId, PartitionId, SchemaHistory,
    SchemaId, SourcePosition,
};

/// Identity of one run of a connector (a `UUIDv7`), so runs are ordered by when they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u128);

/// What a change does to its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The key now has this row.
    Upsert,
    /// The key is gone (a delete event, or a tombstone alone, which has no position).
    Delete,
    /// All rows of the source table are gone.
    Truncate,
    /// A row is gone, and the record does not say which: flattened rows without a key are deleted by
    /// a record without key and value.
    DeleteOfUnknown,
    /// Nothing for a table: a heartbeat, a transaction boundary, a record of no concern.
    Advance,
}

/// How a snapshot row was marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotMark {
    /// The first row of this table in a full or blocking snapshot, unless it is the only one.
    FirstOfTable,
    /// Part of a full or blocking snapshot.
    Row,
    /// The last row of this table in it.
    LastOfTable,
    /// The last row of all its tables.
    Last,
    /// Part of an incremental snapshot: never opens a generation.
    Incremental,
}

impl SnapshotMark {
    /// True for a row of a full or blocking snapshot.
    #[must_use]
    pub fn is_full(self) -> bool {
        self != Self::Incremental
    }

    /// True for the last row of its table.
    #[must_use]
    pub fn ends_table(self) -> bool {
        matches!(self, Self::LastOfTable | Self::Last)
    }
}

/// The source transaction a change belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transaction(pub u64);

/// One change. Its key, row and before image lie in the batch's bytes.
#[derive(Clone, Debug)]
pub struct Change {
    pub offset: u64,
    pub kind: ChangeKind,
    /// `None` for streamed changes.
    pub snapshot: Option<SnapshotMark>,
    pub schema: SchemaId,
    pub origin: OriginId,
    /// Encoded by [`encode_key`](crate::encode_key); empty if the record had no key.
    pub key: Range<u32>,
    /// A [`Row`](crate::Row); empty unless the change is an upsert.
    pub row: Range<u32>,
    /// The row as it was; only of keyless tables, which are matched by it, and of a delete that is
    /// one half of a key change.
    pub before: Range<u32>,
    pub position: Option<SourcePosition>,
    pub run: Option<RunId>,
    pub transaction: Option<Transaction>,
    /// Where the connector tells boundaries of transactions: which one it is of.
    pub membership: Option<Membership>,
    /// The line that numbers its transactions, where they have global ids.
    pub gtid_line: Option<GtidLine>,
    /// When the source committed, and when the connector processed it; milliseconds since 1970.
    pub commit_ms: Option<i64>,
    pub connector_ms: Option<i64>,
    /// The other half of a key change: the new key of a delete, the old key of a create.
    pub other_key: Range<u32>,
    /// Is one half of a key change, also where the other key could not be read.
    pub key_change: bool,
}

impl Change {
    /// How many bytes of its batch are its own.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let parts = [&self.key, &self.row, &self.before, &self.other_key];
        parts.into_iter().map(ExactSizeIterator::len).sum()
    }
}

/// How the records of a topic carry changes, and so what they can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFormat {
    /// Debezium's own envelope: says everything.
    Envelope,
    /// Cloud events around the images of a row. Without extension attributes they name neither
    /// operation nor position.
    CloudEvents,
    /// Rows without envelope (`ExtractNewRecordState`): truncates never arrive, in drop mode neither
    /// do deletes, and snapshot rows look like inserts unless fields were added.
    Flat,
    /// Events of an outbox: only ever added.
    Outbox,
    /// Logical messages: only ever added.
    Messages,
}

impl RecordFormat {
    /// The name in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Envelope => "change events",
            Self::CloudEvents => "cloud events",
            Self::Flat => "flattened rows",
            Self::Outbox => "outbox events",
            Self::Messages => "logical messages",
        }
    }

    /// The format of this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Envelope,
            Self::CloudEvents,
            Self::Flat,
            Self::Outbox,
            Self::Messages,
        ];
        all.into_iter().find(|format| format.name() == name)
    }
}

/// A record that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub offset: u64,
    pub timestamp_ms: Option<i64>,
    /// One of a few words, for counting.
    pub kind: &'static str,
    pub reason: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// As its source hands headers on; `None` where the record is not kept whole, so that it can be read and
    /// not be decoded again.
    pub headers: Option<Vec<u8>>,
}

/// Decoded records of one partition, in order.
#[derive(Clone, Debug)]
pub struct ChangeBatch {
    pub partition: PartitionId,
    /// Keys, rows and before images of all changes.
    pub bytes: Vec<u8>,
    pub changes: Vec<Change>,
    pub failures: Vec<Failure>,
    /// What was told of whole tables.
    pub notices: Vec<Notice>,
    /// Where transactions begin and end, in the order in which that was told.
    pub boundaries: Vec<Boundary>,
    /// Schemas of this topic, so that the table knows what `Change::schema` means. Unset until a row was met.
    pub schemas: Option<Arc<SchemaHistory>>,
    /// What the topic's records have shown themselves to be, if any did.
    pub format: Option<RecordFormat>,
    /// What is to be said about what config says of the topic's columns; `None` if that is not known.
    pub notes: Option<Vec<String>>,
    /// The records between the first and this one are accounted for.
    pub next_offset: NextOffset,
    /// Number of raw records this batch stands for, and the newest broker timestamp among them.
    pub records: u64,
    pub log_time_ms: Option<i64>,
    /// From which offset on records had which broker timestamp: most often many share one.
    pub log_times: Vec<(u64, i64)>,
}

impl ChangeBatch {
    #[must_use]
    pub fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            bytes: Vec::new(),
            changes: Vec::new(),
            failures: Vec::new(),
            notices: Vec::new(),
            boundaries: Vec::new(),
            schemas: None,
            format: None,
            notes: None,
            next_offset: NextOffset(0),
            records: 0,
            log_time_ms: None,
            log_times: Vec::new(),
        }
    }

    /// Notes the broker's timestamp of the next record.
    pub fn push_log_time(&mut self, offset: u64, timestamp_ms: Option<i64>) {
        self.log_time_ms = self.log_time_ms.max(timestamp_ms);
        let Some(ms) = timestamp_ms else { return };
        if self.log_times.last().is_none_or(|(_, last)| *last != ms) {
            self.log_times.push((offset, ms));
        }
    }

    /// The broker's timestamp of a record.
    #[must_use]
    pub fn log_time_of(&self, offset: u64) -> Option<i64> {
        let after = self.log_times.partition_point(|(from, _)| *from <= offset);
        let (_, ms) = self.log_times[..after].last()?;
        Some(*ms)
    }

    #[must_use]
    pub fn slice(&self, range: &Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }
}
