//! Versioned in-memory tables and the cuts readers see them in.
//!
//! One writer ([`TableWriter`] per table, [`Publisher`] for all) stamps every change with the next
//! cut; readers hold a published [`Cut`] and see, of every key, the newest version not after it.
//! Refuses to know where changes come from, what a query is, or what time it is.
//!
//! Invariant: a reader sees one cut of all tables, and waits for the writer (or the writer for it)
//! at most while one chunk of [`CHUNK_SLOTS`] slots is visited.

#![forbid(unsafe_code)]

mod applied;
mod chunk;
mod cut;
mod facts;
mod foresight;
mod index;
mod key_order;
mod layouts;
mod names;
mod retained;
mod ring;
mod slot_index;
mod source;
mod table;
mod writer;

pub use applied::{APPLIED_IDS_MAX, AppliedIds, Heard, SavedBlock, Sighting};
pub use chunk::{CHUNK_SLOTS, ChunkId};
pub use cut::{Cut, CutListener, CutName, PinnedCut, ProcessId, Publisher, TableCut, TableStore};
pub use facts::{Contact, LogId, ReadState, TableFacts, Transactions};
pub use foresight::{Expected, bring_near};
pub use index::{
    AddIndexError, DefinitionError, Direction, INDEX_COLUMNS_MAX, INDEXES_MAX, Index,
    IndexDefinition, IndexGone, IndexKind, IndexPlace, IndexReader, KeyRange,
};
pub use key_order::{Floor, Held, Incoming, Verdict, decide};
pub use layouts::Layouts;
pub use names::{NameError, Names};
pub use retained::{Keeping, RETAINED_MS};
pub use ring::{Anew, Changes, Commit, Gone, News, RING_COMMITS_MAX, RowChange, TableNews, merged};
pub use source::{Heartbeats, Reached, SourceCut, TableReach};
pub use table::{Lookup, Table, TableIdentity};
pub use writer::{
    DELETED_KEYS_MAX, DirtyRows, MemoryUse, ROW_VERSIONS_MAX, Recording, Restorer, TableWriter,
};
