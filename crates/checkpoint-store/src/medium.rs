//! What the layout asks of the thing it is stored in: ordered keys, and batches that are atomic.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::CheckpointError;
use crate::limits::AHEAD_BYTES_MAX;

/// Puts and removals that happen together or not at all. The last word on a key counts.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
}

/// Takes a key and its value, and says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// An ordered map from keys to values, on a disk or like one.
pub trait Medium: Send + Sync {
    /// A checkpoint that adds more than this is written ahead in batches of about this size.
    fn batch_bytes_max(&self) -> usize {
        AHEAD_BYTES_MAX
    }

    /// Applies a batch. After a crash all of it is there or nothing, and nothing of it without
    /// all batches before it. Certain only after [`flush`](Self::flush).
    ///
    /// # Errors
    /// If the medium refuses. It must be [recovered](Self::recover) then.
    fn apply(&mut self, batch: WriteBatch) -> Result<(), CheckpointError>;

    /// Returns when everything applied is durable.
    ///
    /// # Errors
    /// If that cannot be promised. The medium must be [recovered](Self::recover) then.
    fn flush(&mut self) -> Result<(), CheckpointError>;

    /// Begins again with what is on disk, as after a crash: batches that were not flushed are
    /// there or not, as under [`apply`](Self::apply).
    ///
    /// # Errors
    /// If the medium still cannot be used.
    fn recover(&mut self) -> Result<(), CheckpointError>;

    /// Holds nothing from now on. The next [`flush`](Self::flush) puts what was applied since in the place
    /// of everything there was; before it, [`recover`](Self::recover) and a crash bring that back.
    ///
    /// # Errors
    /// If that cannot be had. The medium must be [recovered](Self::recover) then.
    fn begin_anew(&mut self) -> Result<(), CheckpointError>;

    /// Leaves nothing that could be read of what was removed or replaced. A medium that keeps nothing of
    /// it need do nothing.
    ///
    /// # Errors
    /// If that cannot be promised. The medium must be [recovered](Self::recover) then.
    fn scrub(&mut self) -> Result<(), CheckpointError> {
        Ok(())
    }

    /// Bytes it takes of a disk; 0 if of none.
    fn disk_bytes(&self) -> u64 {
        0
    }

    /// Bytes of the disk that are free.
    fn free_bytes(&self) -> u64 {
        u64::MAX
    }

    /// Shows the value of a key to `read`; false if there is none.
    ///
    /// # Errors
    /// If reading fails.
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, CheckpointError>;

    /// Shows all keys that begin with `prefix`, in order, until told to stop.
    ///
    /// # Errors
    /// If reading fails.
    fn scan(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), CheckpointError>;
}

impl WriteBatch {
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.writes.insert(key, Some(value));
    }

    pub fn remove(&mut self, key: Vec<u8>) {
        self.bytes += key.len();
        self.writes.insert(key, None);
    }

    /// Adds `later` to the end.
    pub fn append(&mut self, mut later: Self) {
        self.bytes += later.bytes;
        self.writes.append(&mut later.writes);
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

impl IntoIterator for WriteBatch {
    type Item = (Vec<u8>, Option<Vec<u8>>);
    type IntoIter = std::collections::btree_map::IntoIter<Vec<u8>, Option<Vec<u8>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.writes.into_iter()
    }
}
