//! Checkpoints that last as long as the process: for replays, demos, and tests that crash a lot.
//!
//! Keeps the same promises as a disk: what was not flushed is gone after a "crash", which here
//! is dropping the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use crate::{CheckpointError, Checkpoints, Medium, Visit, WriteBatch};

/// Checkpoints in memory.
pub type MemoryStore = Checkpoints<MemoryMedium>;

/// What survives the store: clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    entries: RwLock<Entries>,
    in_use: AtomicBool,
}

type Entries = BTreeMap<Vec<u8>, Arc<[u8]>>;

/// The open end of a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryMedium {
    disk: MemoryDisk,
    /// What the entries held before each write since the last flush, oldest first.
    undo: Vec<Undo>,
}

#[derive(Debug)]
struct Undo {
    key: Vec<u8>,
    before: Option<Arc<[u8]>>,
}

impl MemoryStore {
    /// # Errors
    /// If the disk is in use, or holds no checkpoint but something else.
    pub fn open_memory(disk: &MemoryDisk) -> Result<Self, CheckpointError> {
        Self::open_on(MemoryMedium::open(disk)?)
    }
}

impl MemoryMedium {
    /// # Errors
    /// If the disk is in use.
    pub fn open(disk: &MemoryDisk) -> Result<Self, CheckpointError> {
        if disk.0.in_use.swap(true, Ordering::AcqRel) {
            return Err(CheckpointError::Locked {
                place: "the memory disk".to_owned(),
                process: None,
            });
        }
        Ok(Self {
            disk: disk.clone(),
            undo: Vec::new(),
        })
    }

    fn roll_back(&mut self) {
        let mut entries = self.disk.0.entries.write();
        for Undo { key, before } in self.undo.drain(..).rev() {
            match before {
                Some(value) => entries.insert(key, value),
                None => entries.remove(&key),
            };
        }
    }

    fn read<T>(&self, read: impl FnOnce(&Entries) -> T) -> T {
        read(&self.disk.0.entries.read())
    }
}

impl Drop for MemoryMedium {
    fn drop(&mut self) {
        self.roll_back();
        self.disk.0.in_use.store(false, Ordering::Release);
    }
}

impl Medium for MemoryMedium {
    fn apply(&mut self, batch: WriteBatch) -> Result<(), CheckpointError> {
        let mut entries = self.disk.0.entries.write();
        for (key, value) in batch {
            let before = match value {
                Some(value) => entries.insert(key.clone(), value.into()),
                None => entries.remove(&key),
            };
            self.undo.push(Undo { key, before });
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), CheckpointError> {
        self.undo.clear();
        Ok(())
    }

    fn recover(&mut self) -> Result<(), CheckpointError> {
        self.roll_back();
        Ok(())
    }

    fn begin_anew(&mut self) -> Result<(), CheckpointError> {
        self.roll_back();
        let gone = std::mem::take(&mut *self.disk.0.entries.write());
        let undo = gone.into_iter().map(|(key, value)| Undo {
            key,
            before: Some(value),
        });
        self.undo.extend(undo);
        Ok(())
    }

    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, CheckpointError> {
        let value = self.read(|entries| entries.get(key).cloned());
        if let Some(value) = &value {
            read(value);
        }
        Ok(value.is_some())
    }

    fn scan(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), CheckpointError> {
        self.read(|entries| {
            let from = entries.range(prefix.to_vec()..);
            for (key, value) in from.take_while(|(key, _)| key.starts_with(prefix)) {
                if visit(key, value).is_break() {
                    break;
                }
            }
        });
        Ok(())
    }
}
