//! Every maximum of this crate, and the relations between them.

use std::time::Duration;

/// Consecutive slots that are rewritten together.
pub const CHUNK_SLOTS: u32 = 1024;

/// Bytes of rows in one stored value. Longer rows span several.
pub const PIECE_BYTES_MAX: usize = 6000;

/// A note's name: a topic's (249 bytes) and what it is about.
pub const NOTE_NAME_BYTES_MAX: usize = 320;

/// A note's value. Quarantined records are the largest.
pub const NOTE_BYTES_MAX: usize = 64 << 20;

/// A checkpoint that adds more than this is written ahead in batches of this size, so that its
/// encoded rows are never all in memory at once.
pub const AHEAD_BYTES_MAX: usize = 1 << 20;

/// What sled may keep of its own pages. It keeps at least one page for each of 256 shards.
pub const SLED_CACHE_BYTES: u64 = 16 << 20;

/// sled evicts a page only after some ten thousand accesses, whatever their bytes, so one access a
/// value leaves 100 MB of pages in memory. Asking for each value more often is cheaper.
pub const SLED_EXTRA_TOUCHES: u32 = 2;

/// How long sled may take to let go of its files.
pub const SLED_CLOSE_MAX: Duration = Duration::from_secs(10);

/// Bytes copied at once when everything is written anew.
pub const SLED_COPY_BYTES: usize = 1 << 20;

/// What the store may take of the disk, in percent of the rows and notes it holds, before it is written anew.
/// Packed rows seldom bring it there; rows that cannot be packed do (see the medium's measurements). The copy
/// takes up to this much again while it is made.
pub const SPACE_PERCENT_MAX: u64 = 250;

/// A store that takes no more than this is let be: sled's smallest files are already many times what an
/// empty table holds.
pub const SPACE_BYTES_FREE: u64 = 64 << 20;

/// So far a store must have grown since it was last written anew, in percent.
pub const REGROWTH_PERCENT_MIN: u64 = 150;

/// sled's default, which also bounds what it holds unwritten.
pub const SLED_SEGMENT_BYTES: usize = 512 << 10;

/// Bases rewritten per byte of delta. The deltas then stay below `1 / REWRITE_FACTOR` of the bases. More would save
/// disk and reading at the start, which packed rows have to spare, and write that much more at every checkpoint.
pub const REWRITE_FACTOR: u64 = 1;

/// A delta is charged at least this much, which bounds how many small ones are kept. Chunks not
/// larger than it are rewritten whenever they change: a delta would not be cheaper.
pub const DELTA_CHARGE_MIN: u64 = 4 << 10;

/// sled moves what exceeds a quarter of a segment into a file of its own. A leaf splits above 16
/// values, but one of 16 can have taken up a neighbour of 3 and then one more.
const LEAF_VALUES_MAX: usize = 20;
const VALUE_OVERHEAD_BYTES: usize = 48;

const _: () = assert!(
    LEAF_VALUES_MAX * (PIECE_BYTES_MAX + NOTE_NAME_BYTES_MAX + VALUE_OVERHEAD_BYTES)
        < SLED_SEGMENT_BYTES / 4 - 64,
    "a full leaf must stay inside sled's log"
);
const _: () = assert!(
    SPACE_PERCENT_MAX > 100 && REGROWTH_PERCENT_MIN > 100,
    "a store is larger than what it holds"
);
const _: () = assert!(CHUNK_SLOTS.is_power_of_two(), "a slot's chunk is a shift");
