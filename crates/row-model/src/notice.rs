//! What a connector tells about its snapshots, in its notification topic.

/// One notification, as far as it says anything about tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub offset: u64,
    /// The connector's logical name, as source blocks have it.
    pub connector: String,
    /// When it was written; milliseconds since 1970.
    pub at_ms: i64,
    pub kind: NoticeKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// A table was read to its end, and this many rows of it. As the connector calls the table.
    ScanCompleted { collection: String, rows: u64 },
    /// All tables of a full or blocking snapshot were read, or the connector decided to take none.
    SnapshotEnded,
}
