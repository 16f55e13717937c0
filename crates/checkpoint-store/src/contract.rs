//! What the pipeline says to a store of checkpoints, and hears from it.

use std::collections::BTreeMap;
use std::ops::Range;

use row_model::{SlotId, TableId, Version};

use crate::CheckpointError;
use crate::Space;
use crate::limits::CHUNK_SLOTS;

/// [`CHUNK_SLOTS`] consecutive slots of a table: what is rewritten together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId(pub u32);

/// What one checkpoint makes durable: everything that changed since the last one that succeeded.
#[derive(Debug, Default)]
pub struct Checkpoint {
    /// Tables whose rows vanish. One that is also in `tables` starts anew, empty.
    pub dropped: Vec<TableId>,
    /// At most one entry for a table.
    pub tables: Vec<TableChanges>,
    /// Each name at most once.
    pub notes: Vec<Note>,
}

/// What changed in one table.
#[derive(Debug)]
pub struct TableChanges {
    pub table: TableId,
    /// Slots with another content than at the last checkpoint; `None` is an empty slot. Each slot
    /// at most once. Slots of chunks in `rewritten` may be named and are passed over.
    pub changed: Vec<(SlotId, Option<Version>)>,
    /// Complete contents of some chunks, as [`CheckpointStore::chunks_to_rewrite`] proposed.
    pub rewritten: Vec<ChunkRows>,
}

/// All rows of a chunk; slots that are not named are empty.
#[derive(Debug)]
pub struct ChunkRows {
    pub chunk: ChunkId,
    pub rows: Vec<(SlotId, Version)>,
}

/// A small named record that changes together with the rows: offsets, schemas, quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub name: Vec<u8>,
    /// `None` removes the note.
    pub value: Option<Vec<u8>>,
}

/// The notes that are stored, by name.
pub type Notes = BTreeMap<Vec<u8>, Vec<u8>>;

/// A checkpoint that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Number of the checkpoint, one more than the last.
    pub sequence: u64,
    /// Rows written, as changes and in rewritten chunks.
    pub rows: u64,
    /// Bytes handed to the medium; what it makes of them is its own affair.
    pub bytes: u64,
}

/// How much of a table is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSummary {
    pub table: TableId,
    /// Rows in bases and deltas. A row that is in both counts twice, so the table has at most these.
    pub rows_max: u64,
    /// One more than the number of its last chunk.
    pub chunks: u32,
    pub base_bytes: u64,
    pub delta_bytes: u64,
}

/// A share of a table's chunks: every `of`th, beginning with the chunk `number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub number: u32,
    pub of: u32,
}

impl Share {
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    #[must_use]
    pub fn has(self, chunk: ChunkId) -> bool {
        chunk.0 % self.of == self.number
    }
}

/// Takes rows while a table is loaded: some at a time, each slot at most once, in no order.
/// An error ends the loading and is returned from it.
pub type LoadSink<'a> = dyn FnMut(&[(SlotId, &[u8])]) -> Result<(), CheckpointError> + 'a;

/// A place where checkpoints are kept, one on top of the other.
///
/// Tables may be loaded from several threads at once. One thread commits.
pub trait CheckpointStore: Send + Sync {
    /// Number of the newest checkpoint, 0 before the first.
    fn sequence(&self) -> u64;

    /// The tables that are stored, damaged ones included.
    fn tables(&self) -> Vec<TableSummary>;

    /// All notes.
    ///
    /// # Errors
    /// If a note cannot be read or is not what was written.
    fn notes(&self) -> Result<Notes, CheckpointError>;

    /// Gives every row of a table's share to `sink`, as [`Version::saved_bytes`] spelled it. Shares may be
    /// loaded by as many threads.
    ///
    /// Nothing of a table is certain before all of it was loaded: an error may come last.
    ///
    /// # Errors
    /// If a part of the table cannot be read or is not what was written, or `sink` said so.
    fn load_share(
        &self,
        table: TableId,
        share: Share,
        sink: &mut LoadSink<'_>,
    ) -> Result<(), CheckpointError>;

    /// All of a table at once.
    ///
    /// # Errors
    /// As [`load_share`](Self::load_share).
    fn load_table(&self, table: TableId, sink: &mut LoadSink<'_>) -> Result<(), CheckpointError> {
        self.load_share(table, Share::WHOLE, sink)
    }

    /// The chunks that the next checkpoint had best rewrite, in order: mostly dirty ones, and
    /// those whose turn it is. Following it bounds the space; any other choice is as correct.
    fn chunks_to_rewrite(
        &self,
        table: TableId,
        slots_in_table: u32,
        dirty: &[SlotId],
    ) -> Vec<ChunkId>;

    /// Makes a checkpoint durable: when it returns, all of it is on disk.
    ///
    /// After an error the store holds what it held before, or (if the write went through and only
    /// the confirmation failed) all of the new checkpoint; [`sequence`](Self::sequence) tells. Either
    /// way, whoever puts the same changes into the next checkpoint is right.
    ///
    /// # Errors
    /// If the disk refuses, or a table to be changed is damaged and not dropped.
    ///
    /// # Panics
    /// If the checkpoint contradicts its own description.
    fn commit(&mut self, checkpoint: &Checkpoint) -> Result<Committed, CheckpointError>;

    /// What it takes of the disk, and how much of that is of use.
    fn space(&self) -> Space;

    /// Whether it takes so much more than it holds that [`scrub`](Self::scrub) is worth its cost.
    fn is_overgrown(&self) -> bool;

    /// Begins again in a fresh place that holds nothing, because what is there is damaged. The next
    /// commit must hold everything; until it is durable, a restart finds what was there before.
    ///
    /// # Errors
    /// If there is no such place to be had. The store is as it was.
    fn begin_anew(&mut self) -> Result<(), CheckpointError>;

    /// Leaves nothing on the medium that could be read of rows and notes that earlier checkpoints held
    /// and this one does not. Costs as much as writing everything anew.
    ///
    /// # Errors
    /// If that cannot be promised. What was committed stays; the next commit begins with what is there.
    fn scrub(&mut self) -> Result<(), CheckpointError>;
}

impl ChunkId {
    #[must_use]
    pub fn of(slot: SlotId) -> Self {
        Self(slot.0 / CHUNK_SLOTS)
    }

    #[must_use]
    pub fn first_slot(self) -> SlotId {
        SlotId(self.0 * CHUNK_SLOTS)
    }

    /// The numbers of its slots in a table of `slots_in_table`.
    #[must_use]
    pub fn slots(self, slots_in_table: u32) -> Range<u32> {
        let first = self.first_slot().0;
        first..slots_in_table.clamp(first, first.saturating_add(CHUNK_SLOTS))
    }
}
