//! Makes rows and offsets durable together, or not at all.
//!
//! [`CheckpointStore`] is the contract; [`SledStore`] and [`MemoryStore`] are the two stores that
//! ship. Both are [`Checkpoints`] (one layout, one recovery, one rotation) over another
//! [`Medium`]: sled's files, or a map.
//!
//! # Layout
//! | Key | Holds |
//! |---|---|
//! | `h` | magic, format, sequence, and fingerprints of all ledgers and notes |
//! | `t` table | ledger: fingerprint of the table's chunk and delta records, rotation credit |
//! | `c` table chunk | since when the chunk's base is valid, how long it is, its oldest delta |
//! | `e` table sequence | how long the delta of that checkpoint is |
//! | `b` table chunk part | base: all rows of 1,024 consecutive slots |
//! | `d` table sequence part | delta: the rows that one checkpoint changed |
//! | `n` name part | note: whatever the pipeline keeps beside the rows |
//! | `s` | a checkpoint was being written ahead |
//!
//! A row is the newest delta's, unless its chunk's base is as new; then the base's. The header
//! vouches for the ledgers, a ledger for the records of its table, a record for its parts, and
//! every value carries a checksum over its own key: a value that is lost, old or in the wrong
//! place is an error that names the table, never a wrong row.
//!
//! # Space and time
//! The rotation keeps a table's deltas below its bases (plus the last checkpoint's), by rewriting
//! about as many bytes of bases as each delta has, oldest debt first. Values are small
//! (see [`limits`]) because sled 0.34 rewrites whole leaves of up to 16 values, moves leaves over
//! 128 KiB into files that it neither syncs nor reliably deletes, and counts accesses, not bytes,
//! before it evicts. Rows are packed where that makes them shorter. Where sled's files have grown past
//! [`limits::SPACE_PERCENT_MAX`] of what they hold, [`is_overgrown`](CheckpointStore::is_overgrown) says so,
//! and [`scrub`](CheckpointStore::scrub) writes them anew.
//!
//! Refuses to know what a row, a note or an offset means.

#![forbid(unsafe_code)]

mod catalog;
mod contract;
mod directory;
mod error;
mod inspection;
mod keys;
pub mod limits;
mod load;
mod medium;
mod memory;
mod priority;
mod quiet;
mod records;
mod rotation;
mod rows;
mod sealed;
mod sled_medium;
mod space;
mod store;
mod writer;

pub use contract::{
    Checkpoint, CheckpointStore, ChunkId, ChunkRows, Committed, LoadSink, Note, Notes, Share,
    TableChanges, TableSummary,
};
pub use directory::{Marker, Owner, owner};
pub use error::CheckpointError;
pub use inspection::{Contents, Copied, IsRow, NoteContents, TableContents};
pub use medium::{Medium, Visit, WriteBatch};
pub use memory::{MemoryDisk, MemoryMedium, MemoryStore};
pub use priority::give_way;
pub use sled_medium::{SledMedium, SledStore};
pub use space::Space;
pub use store::Checkpoints;
