//! What memory is used for.

use serde::{Deserialize, Serialize};

/// All tables together, against the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStatus {
    pub used_bytes: u64,
    /// `memory.max`. `None` if there is no limit.
    pub max_bytes: Option<u64>,
    /// Partitions whose next change would take more than there is: their tables are stalled.
    pub partitions_waiting: usize,
}

/// Bytes of one table, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMemory {
    /// Rows as they are now, with their keys.
    pub rows: u64,
    /// Keys that were deleted, with the positions that keep late records out.
    pub deleted: u64,
    /// Older versions of rows that some reader may still ask for.
    pub versions: u64,
    /// Slots, and the way to them by key.
    pub slots: u64,
    pub indexes: u64,
    /// What is known beside the rows.
    pub beside: u64,
    /// Changes that wait for the rest of their transactions, or for the other half of a key change.
    pub waiting: u64,
}
